#!/usr/bin/env python3
"""Runs a command in a terminal of its own, which answers as told, and says what pictures came.

    tests/scripts/terminal.py [--answer TEXT | --interrupt] [--typed TEXT] [--reference FILE.ppm] COMMAND...

--answer: the terminal's reply to the question what it is (ESC [ c), after the ESC; without it there is none. --interrupt:
instead of an answer, Ctrl-C is pressed. --typed: a line that was typed before. --reference: a binary PPM that a sixel
picture is compared with.

Prints other text as it came, a line for each picture, whether the terminal was asked, whether it is left as it was, and
the exit code.
"""
import argparse
import base64
import fcntl
import os
import re
import select
import struct
import termios
import time

QUESTION = b"\x1b[c"


def start(command, terminal):
    """The command's process, which the terminal controls."""
    child = os.fork()
    if child == 0:
        os.setsid()
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
        for descriptor in range(3):
            os.dup2(terminal, descriptor)
        os.execvp(command[0], command)
    return child


def run(command, reply, typed):
    """(output, exit code, times asked, whether the terminal is as before)"""
    screen, terminal = os.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 640, 480))
    before = termios.tcgetattr(terminal)
    if typed:
        os.write(screen, typed + b"\n")
    child = start(command, terminal)
    output, asked, status, end = b"", 0, None, time.monotonic() + 30
    while time.monotonic() < end:
        if select.select([screen], [], [], 0.05)[0]:
            output += os.read(screen, 65536)
        elif status is not None:
            break
        if output.count(QUESTION) > asked:
            asked += 1
            os.write(screen, reply)
        if status is None:
            pid, ended = os.waitpid(child, os.WNOHANG)
            status = os.waitstatus_to_exitcode(ended) if pid else None
    return output.replace(QUESTION, b""), status, asked, termios.tcgetattr(terminal) == before


def png_size(data):
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[-8:-4] != b"IEND":
        return "a broken PNG"
    return "PNG %d x %d" % struct.unpack(">II", data[16:24])


def kitty(match):
    """Commands of one picture, which may be in chunks."""
    commands = re.findall(rb"\x1b_G([^;]*);([^\x1b]*)\x1b\\", match.group())
    more = [b"m=1" in keys.split(b",") for keys, _ in commands]
    whole = more == [True] * (len(more) - 1) + [False] and all(len(text) <= 4096 for _, text in commands)
    data = base64.b64decode(b"".join(text for _, text in commands), validate=True)
    first = b",".join(key for key in commands[0][0].split(b",") if not key.startswith(b"m="))
    return ("<kitty %s, %s%s>" % (first.decode(), png_size(data), "" if whole else ", chunks are wrong")).encode()


def iterm(match):
    data = base64.b64decode(match.group(2), validate=True)
    size = re.search(rb"size=(\d+)", match.group(1))
    whole = "" if size and int(size.group(1)) == len(data) else ", the size is wrong"
    return ("<iTerm2, %s%s>" % (png_size(data), whole)).encode()


def decode_sixels(text):
    """(width, height, rows of (red, green, blue) or None) of what is behind the introducer."""
    width, height = map(int, re.match(rb'"1;1;(\d+);(\d+)', text).groups())
    rows = [[None] * width for _ in range((height + 5) // 6 * 6)]
    colors, color, x, y = {}, None, 0, 0
    for token in re.finditer(rb"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|([?-~])|([$-])", text):
        number, red, green, blue, count, repeated, single, control = token.groups()
        if red is not None:
            colors[number] = tuple(round(int(part) * 2.55) for part in (red, green, blue))
        elif number is not None:
            color = colors[number]
        elif control:
            x, y = 0, y + 6 * (control == b"-")
        else:
            bits = ord(repeated or single) - 63
            for _ in range(int(count or 1)):
                for row in range(6):
                    if bits >> row & 1:
                        rows[y + row][x] = color
                x += 1
    return width, height, rows[:height]


def load_ppm(path):
    data = open(path, "rb").read()
    width, height = map(int, re.match(rb"P6\s+(\d+)\s+(\d+)\s+255\s", data).groups())
    return width, height, data[-3 * width * height :]


def compare(width, height, rows, path):
    """Means over blocks of 8 x 8 pixels, which dithering must keep."""
    expected_width, expected_height, data = load_ppm(path)
    if (width, height) != (expected_width, expected_height):
        return ", another size"
    worst = 0
    for top in range(0, height - 7, 8):
        for left in range(0, width - 7, 8):
            for part in range(3):
                places = [(x, y) for y in range(top, top + 8) for x in range(left, left + 8)]
                found = sum(rows[y][x][part] for x, y in places) / 64
                wanted = sum(data[(y * width + x) * 3 + part] for x, y in places) / 64
                worst = max(worst, abs(found - wanted))
    return ", as expected" if worst < 12 else ", another picture: off by %.0f" % worst


def sixels(reference):
    def describe(match):
        width, height, rows = decode_sixels(match.group(1))
        holes = sum(pixel is None for row in rows for pixel in row)
        text = "<sixel %d x %d, %d pixels missing" % (width, height, holes)
        return (text + (compare(width, height, rows, reference) if reference and not holes else "") + ">").encode()

    return describe


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--answer", default="")
    parser.add_argument("--interrupt", action="store_true")
    parser.add_argument("--typed", default="")
    parser.add_argument("--reference")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    reply = b"\x1b" + arguments.answer.encode() if arguments.answer else b""
    reply = b"\x03" if arguments.interrupt else reply
    output, code, asked, restored = run(arguments.command, reply, arguments.typed.encode())
    output = re.sub(rb"(?:\x1b_G[^\x1b]*\x1b\\)+", kitty, output)
    output = re.sub(rb"\x1b\]1337;File=([^:]*):([^\a]*)\a", iterm, output)
    output = re.sub(rb"\x1bP0;1q([^\x1b]*)\x1b\\", sixels(arguments.reference), output)
    print(output.decode(errors="backslashreplace").replace("\r\n", "\n").replace("\x1b", "<ESC>"), end="")
    print("(asked %d times, %s, exit code %s)" % (asked, "left as it was" if restored else "LEFT CHANGED", code))


main()
