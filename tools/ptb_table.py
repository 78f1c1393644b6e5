#!/usr/bin/env python3
"""Prints the table of src/metrics/ptb_characters.c: what Stanford's tokenizer takes each character for.

    tools/ptb_table.py stanford-corenlp-3.4.1.jar

The tokenizer itself is asked (it needs java): every character beyond ASCII stands between letters, between digits, alone
and behind a minus sign, and what comes out says whether it is a letter, a digit, a sign within words or a symbol.
"""

import subprocess
import sys
import tempfile

LINE_ENDS = {0x85, 0x2028, 0x2029}
PATTERNS = ["a%sb", "1%s2", "x %s y", "-%s"]


def tokenize(jar, lines):
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", newline="\n") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        done = subprocess.run(["java", "-cp", jar, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines",
                               "-lowerCase", "-encoding", "utf-8", "-options", "untokenizable=noneDelete", file.name],
                              capture_output=True, check=True)
    return done.stdout.decode("utf-8").split("\n")


def kind_of(code, outputs):
    """outputs: of PATTERNS, the character replaced by *."""
    within, digits, alone, negative = outputs
    if code == 0xAD:  # the soft hyphen is left out of words
        return None
    if negative == "-*" and chr(code).isdigit():
        return "DIGIT"
    if within == "a*b" and alone == "x * y":
        return "LETTER" if digits == "1*2" else "SIGN"
    return "SYMBOL" if within == "a * b" else None


def main():
    codes = [code for code in range(0x80, 0x10000) if code not in LINE_ENDS and not 0xD800 <= code < 0xE000]
    lines = tokenize(sys.argv[1], [pattern % chr(code) for code in codes for pattern in PATTERNS])
    ranges = []
    for i, code in enumerate(codes):
        outputs = [line.replace(chr(code).lower(), "*") for line in lines[4 * i:4 * i + 4]]
        kind = kind_of(code, outputs)
        if kind and ranges and ranges[-1][1:] == [code - 1, kind]:
            ranges[-1][1] = code
        elif kind:
            ranges.append([code, code, kind])
    line = ""
    for first, last, kind in ranges:
        item = f"{{0x{first:x}, 0x{last:x}, {kind}}},"
        if len(line) + 1 + len(item) > 115:
            print("   " + line)
            line = ""
        line += " " + item
    print("   " + line)


main()
