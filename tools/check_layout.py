#!/usr/bin/env python3
"""Checks the rules of the house that a program can check; CONTRIBUTING.md explains them.

    tools/check_layout.py [--sizes]

Prints one line per violation and exits with 1 if there are any. --sizes also prints the longest functions and files.
"""
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Which room may include which, besides itself and the public header.
ARROWS = {
    "base": [],
    "kernels": ["base"],
    "tensor": ["base"],
    "text": ["base"],
    "image": ["base"],
    "ops": ["kernels", "tensor", "base"],
    "model": ["ops", "tensor", "base"],
    "generate": ["model", "ops", "tensor", "text", "image", "base"],
    "objects": ["text", "base"],
    "data": ["objects", "text", "image", "base"],
    "metrics": ["objects", "text", "base"],
    "train": ["data", "objects", "generate", "model", "ops", "tensor", "text", "image", "base"],
    "tasks": ["metrics", "data", "objects", "generate", "model", "ops", "tensor", "text", "image", "base"],
    "hub": ["base"],
    "knowledge": ["base"],
    "feedback": ["text", "base"],
    "serve": ["base"],
}

# Single files that need more, and why.
ARROW_EXCEPTIONS = {
    ("src/generate/model.c", "kernels"): "opens the device of its weights, checks the limit of instruction sets",
    ("src/generate/session.c", "kernels"): "asks for the instruction set in use, and for a queue of its own",
    ("src/train/training_setup.c", "kernels"): "asks for the instruction set in use",
    ("src/tasks/mask_encoding.c", "kernels"): "asks for the instruction set in use",
    ("src/tasks/benchmark.c", "kernels"): "measures the machine's limits with the kernels in use",
}

# One file per external library.
LIBRARIES = {
    "jansson.h": ["src/base/json.h", "cli/*", "examples/emoji-world/scene_rows.c"],
    "jpeglib.h": ["src/image/jpeg.c", "examples/emoji-world/photograph.c"],
    "jerror.h": ["src/image/jpeg.c"],
    "png.h": ["src/image/png.c"],
    "tiffio.h": ["src/image/tiff.c"],
    "gif_lib.h": ["src/image/gif.c"],
    "webp/*": ["src/image/webp.c"],
    "zip.h": ["src/tensor/npz.c"],
    "archive.h": ["src/data/shards.c"],
    "archive_entry.h": ["src/data/shards.c"],
    "cairo.h": ["src/image/canvas.h", "examples/emoji-world/*"],
    "cairo-ft.h": ["src/image/letters.c", "examples/emoji-world/*"],
    "cairo-svg.h": ["src/image/chart.c"],
    "fontconfig/*": ["examples/emoji-world/glyphs.c"],
    "microhttpd.h": ["src/serve/httpd.c"],
    "expat.h": ["examples/emoji-world/names.c"],
    "curl/*": ["src/hub/hub_http.c", "src/serve/remote_picture.c"],
    "openssl/*": ["src/hub/hub_digest.c", "src/base/sha256.c"],
    "sqlite3.h": ["src/feedback/store.c"],
    "zlib.h": [],
}

# Words that have no place in the product: unfinished work, and this project's workshop.
FORBIDDEN = [
    (r"\b(TODO|FIXME|XXX|HACK)\b", "unfinished work"),
    (r"(?i)\bfor now\b|\bplaceholder\b|\bnot implemented\b", "unfinished work"),
    (r"^\s*#\s*if\s+0\b", "disabled code"),
    (r"-ffast-math|-march=native", "a flag that changes results or needs this machine"),
]
# The library allocates through base/memory.h, and neither prints nor exits.
FORBIDDEN_IN_LIBRARY = [
    (r"(?<![\w.>])(malloc|calloc|realloc|free|strdup|aligned_alloc)\s*\(", "memory comes from base/memory.h"),
    (r"(?<![\w.>])(printf|puts|putchar|perror|exit|_exit|abort)\s*\(", "the library neither prints nor exits"),
    (r"\bf(printf|puts|write)\s*\([^;]*\bstd(err|out)\b", "the library neither prints nor exits"),
]
ALLOWED_IN_LIBRARY = {
    "src/base/memory.c": "the door to the heap",
    "src/tasks/describe.c": "frees what json_dumps returned",
}

LONGEST_FILE = 900
LONG_FILES = {"include/paligemma.h": "the only public header"}
LONGEST_FUNCTION = 80
USUAL_FUNCTION = 45
LARGEST_TREE = 60 * 1000 * 1000
LARGEST_GOLDEN = 28 * 1000 * 1000  # gradients and final parameters of whole models are as large as the models
LONG_FUNCTIONS = "tools/long_functions.txt"

problems = []
used_exceptions = set()


def report(place, text):
    problems.append(f"{place}: {text}")


def source_files():
    """What git tracks; all but build folders where there is no git."""
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
        names = listed.decode().split("\0")
    except (OSError, subprocess.CalledProcessError):
        names = [str(path.relative_to(ROOT)) for path in ROOT.rglob("*")]
        names = [name for name in names if not name.startswith(("build/", "build-", ".git/"))]
    return sorted(name for name in names if name and (ROOT / name).is_file())


def matches(name, patterns):
    return any(pathlib.PurePath(name).match(pattern) for pattern in patterns)


def check_includes(name, lines):
    """Rooms include only what ARROWS allows; cli and examples only the public header."""
    parts = name.split("/")
    for number, line in enumerate(lines, 1):
        found = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not found:
            continue
        quote, header = found.groups()
        for library, homes in LIBRARIES.items():
            if quote == "<" and pathlib.PurePath(header).match(library) and not matches(name, homes):
                report(f"{name}:{number}", f"<{header}> is included in {', '.join(homes) or 'no file'} only")
        if quote == "<" or "/" not in header:
            continue
        room = header.split("/")[0]
        if parts[0] != "src":
            report(f"{name}:{number}", f"{parts[0]} includes the public header only, not \"{header}\"")
        elif (name, room) in ARROW_EXCEPTIONS:
            used_exceptions.add((name, room))
        elif room != parts[1] and room not in ARROWS.get(parts[1], []):
            report(f"{name}:{number}", f"{parts[1]} may not include {room}")


def functions(lines):
    """(line number, name, length) of every function: from its signature to its closing brace in column 0."""
    for i, line in enumerate(lines):
        if line != "{":
            continue
        start = i - 1
        while start > 0 and lines[start - 1][:1] not in ("", "}", "#", "/") and not lines[start - 1].startswith(" *"):
            start -= 1
        end = next((j for j in range(i, len(lines)) if lines[j] == "}"), i)
        name = re.search(r"(?!__attribute__)\b(\w+)\s*\(", " ".join(lines[start:i]))
        yield start + 1, name.group(1) if name else "?", end - start + 1


def check_sizes(sources):
    """Files and functions stay short; a function of 46 to 80 lines has a reason in LONG_FUNCTIONS."""
    path = ROOT / LONG_FUNCTIONS
    entries = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    reasons = dict(line.split(": ", 1) for line in entries)
    found = []
    for name, lines in sources.items():
        if len(lines) > LONGEST_FILE and name not in LONG_FILES:
            report(name, f"{len(lines)} lines, at most {LONGEST_FILE}")
        found += [(length, f"{name}:{function}", number) for number, function, length in functions(lines)]
    for length, function, number in found:
        if length > LONGEST_FUNCTION:
            report(function, f"{length} lines, at most {LONGEST_FUNCTION}")
        elif length > USUAL_FUNCTION and function not in reasons:
            report(function, f"{length} lines: shorten it, or give the reason in {LONG_FUNCTIONS}")
    long_ones = {function for length, function, number in found if length > USUAL_FUNCTION}
    for function in reasons:
        if function not in long_ones:
            report(LONG_FUNCTIONS, f"{function} is not a long function")
    return found


def check_words(name, lines):
    for number, line in enumerate(lines, 1):
        rules = list(FORBIDDEN)
        if name.startswith("src/") and name not in ALLOWED_IN_LIBRARY:
            rules += FORBIDDEN_IN_LIBRARY
        for pattern, reason in rules:
            if re.search(pattern, line):
                report(f"{name}:{number}", f"{reason}: {line.strip()}")


def check_unique_names(names):
    seen = {}
    for name in names:
        stem = pathlib.PurePath(name).name
        if stem in seen:
            report(name, f"has the same name as {seen[stem]}")
        seen[stem] = name


def check_tree(names):
    size = {name: (ROOT / name).stat().st_size for name in names}
    golden = sum(bytes_ for name, bytes_ in size.items() if name.startswith("tests/golden/"))
    if sum(size.values()) > LARGEST_TREE:
        report("the tree", f"{sum(size.values())} bytes, at most {LARGEST_TREE}")
    if golden > LARGEST_GOLDEN:
        report("tests/golden", f"{golden} bytes, at most {LARGEST_GOLDEN}")


def main():
    names = source_files()
    code = [name for name in names if name.endswith((".c", ".h"))]
    sources = {name: (ROOT / name).read_text().splitlines() for name in code}
    product = [name for name in code if name.split("/")[0] in ("src", "cli", "examples")]
    for name in product:
        check_includes(name, sources[name])
    for name, room in ARROW_EXCEPTIONS.keys() - used_exceptions:
        report("tools/check_layout.py", f"{name} no longer includes {room}: remove the exception")
    scripts = [name for name in names if name.endswith((".py", ".sh", ".cmake", "CMakeLists.txt")) or name == "build.sh"]
    for name in set(code + scripts) - {"tools/check_layout.py"}:
        check_words(name, (ROOT / name).read_text().splitlines())
    check_unique_names([name for name in names if name.endswith((".c", ".h", ".py"))])
    check_tree(names)
    found = check_sizes(sources)
    lengths = [length for length, _, _ in found]
    for problem in sorted(problems):
        print(problem)
    if "--sizes" in sys.argv[1:]:
        for length, function, number in sorted(found, reverse=True)[:20]:
            print(f"{length:4} lines {function} (line {number})")
        for name in sorted(sources, key=lambda name: -len(sources[name]))[:10]:
            print(f"{len(sources[name]):4} lines {name}")
    print(f"layout: {len(code)} files, {len(lengths)} functions, median {statistics.median(lengths):g} lines, "
          f"{sum(length > USUAL_FUNCTION for length in lengths)} above {USUAL_FUNCTION}, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
