#!/usr/bin/env python3
"""Writes python/paligemma/_header.py, the declarations of include/paligemma.h as ctypes has them.

    tools/make_bindings.py            writes the file
    tools/make_bindings.py --check    fails where the file is not what it would write
    tools/make_bindings.py --layout   prints a C program that prints the sizes and offsets of all structures

The header is read as it is written: comments, #define NAME NUMBER, enums, structures, types of functions, functions.
Anything else is an error, so that nothing is left out in silence.
"""
import pathlib
import re
import sys
import textwrap

ROOT = pathlib.Path(__file__).resolve().parent.parent
HEADER = ROOT / "include" / "paligemma.h"
RESULT = ROOT / "python" / "paligemma" / "_header.py"

PLAIN = {
    "bool": "c_bool", "char": "c_char", "int": "c_int", "unsigned": "c_uint", "float": "c_float", "double": "c_double",
    "size_t": "c_size_t", "uint8_t": "c_uint8", "int32_t": "c_int32", "int64_t": "c_int64", "uint64_t": "c_uint64",
    "void": "None",
}


class Header:
    """What was read so far, and the lines of Python that say it."""

    def __init__(self):
        self.constants, self.enums, self.structures, self.callbacks, self.functions = {}, set(), {}, set(), {}
        self.fallible, self.lines = [], []

    # ---------------------------------------------------------------- types

    def type(self, words, stars):
        """A C type as an expression: its words without const, and how many pointers stand before it."""
        name = " ".join(words)
        if name in self.callbacks:
            stars -= 1
        if stars and name == "char":
            return self.pointer("c_char_p", stars - 1)
        if stars and name == "void":
            return self.pointer("c_void_p", stars - 1)
        if name in self.enums:
            return self.pointer("c_int", stars)
        if name in PLAIN:
            return self.pointer(PLAIN[name], stars)
        if name in self.structures or name in self.callbacks:
            return self.pointer(name, stars)
        raise SystemExit(f"{HEADER.name}: a type that is not known: {name}")

    @staticmethod
    def pointer(expression, stars):
        return "POINTER(" * stars + expression + ")" * stars

    def declaration(self, text):
        """(name, type, dimensions) of "const char *const *labels" or "double box[4]"."""
        found = re.fullmatch(r"([\w\s*]+)((?:\s*\[[^\]]*\])*)", text.strip())
        if not found:
            raise SystemExit(f"{HEADER.name}: a declaration that cannot be read: {text}")
        before, dimensions = found.groups()
        words = [word for word in re.findall(r"\w+", before) if word not in ("const", "struct")]
        name = words.pop() if len(words) > 1 else None  # what a function returns has none
        sizes = [self.number(size) for size in re.findall(r"\[([^\]]*)\]", dimensions)]
        return name, self.type(words, before.count("*")), sizes

    def number(self, text):
        text = re.sub(r"\b[A-Z]\w+\b", lambda word: str(self.constants[word.group()]), text)
        if not re.fullmatch(r"[\d\s*+()x-]+", text):
            raise SystemExit(f"{HEADER.name}: not a number: {text}")
        return eval(text)  # digits and operators only

    def argument(self, text):
        _, expression, sizes = self.declaration(text)
        return f"POINTER({expression})" if sizes else expression

    def arguments(self, text, callback):
        text = text.strip()
        parts = [] if text in ("void", "") else text.split(",")
        result = [self.argument(part) for part in parts]
        for i in range(len(parts) - 1):  # bytes that may hold a NUL come with their number
            if callback and result[i] == "c_char_p" and re.fullmatch(r"size_t \w*size", parts[i + 1].strip()):
                result[i] = "c_void_p"
        return result

    # ---------------------------------------------------------------- statements

    def enum(self, body, name):
        value = -1
        for item in filter(None, (part.strip() for part in body.split(","))):
            label, _, given = (part.strip() for part in item.partition("="))
            value = self.number(given) if given else value + 1
            self.constants[label] = value
            self.lines.append(f"{label} = {value}")
        self.enums.add(name)
        self.lines.append("")

    def fields(self, body):
        for statement in filter(None, (part.strip() for part in body.split(";"))):
            pointer = re.fullmatch(r"([\w\s*]+?)\(\*(\w+)\)\((.*)\)", statement, re.S)
            if pointer:
                result = self.argument(pointer.group(1))
                yield pointer.group(2), f"CFUNCTYPE({', '.join([result, *self.arguments(pointer.group(3), True)])})"
                continue
            first, *others = statement.split(",")
            base = re.match(r"(const\s+)?\w+", first).group()
            for text in [first, *(f"{base} {other}" for other in others)]:
                name, expression, sizes = self.declaration(text)
                for size in reversed(sizes):
                    expression = f"({expression} * {size})"
                yield name, expression

    def structure(self, body, name):
        self.structures.setdefault(name, None)
        fields = list(self.fields(body))
        sized = {field for field, _ in fields}
        for i, (field, expression) in enumerate(fields):
            if expression == "c_char_p" and f"{field}_size" in sized:
                fields[i] = (field, "POINTER(c_char)")
        self.structures[name] = [field for field, _ in fields]
        self.lines += ["", f"class {name}(Structure):", "    _fields_ = ["]
        self.lines += [f'        ("{field}", {expression}),' for field, expression in fields]
        self.lines += ["    ]", ""]

    def opaque(self, name):
        self.structures[name] = None
        self.lines += ["", f"class {name}(Structure):", "    pass", ""]

    def callback(self, result, name, arguments):
        types = [self.argument(result), *self.arguments(arguments, True)]
        self.lines += [f"{name} = CFUNCTYPE({', '.join(types)})", ""]
        self.callbacks.add(name)

    def function(self, result, name, arguments):
        if result.strip() == "pg_status":
            self.fallible.append(name)
        line = f'    "{name}": ({self.argument(result)}, [{", ".join(self.arguments(arguments, False))}]),'
        self.functions[name] = textwrap.fill(line, 120, subsequent_indent=" " * 8)

    # ---------------------------------------------------------------- the whole

    def statement(self, text):
        forms = [
            (r"typedef enum (\w+) \{(.*)\} \w+", lambda m: self.enum(m[2], m[1])),
            (r"typedef struct (\w+) \{(.*)\} \w+", lambda m: self.structure(m[2], m[1])),
            (r"typedef struct (\w+) \w+", lambda m: self.opaque(m[1])),
            (r"typedef ([\w\s*]+?)(\w+)\((.*)\)", lambda m: self.callback(m[1], m[2], m[3])),
            (r"PG_API ([\w\s*]+?)(\w+)\((.*)\)", lambda m: self.function(m[1], m[2], m[3])),
        ]
        for pattern, read in forms:
            found = re.fullmatch(pattern, text, re.S)
            if found:
                return read(found)
        raise SystemExit(f"{HEADER.name}: a statement that cannot be read: {text}")

    def define(self, line):
        found = re.fullmatch(r"#define (PG_\w+)\s+(\d+)u?", line)
        if found:
            self.constants[found[1]] = int(found[2])
            self.lines += [f"{found[1]} = {found[2]}", ""]
        elif line == "#define PG_PERMIT_ALL SIZE_MAX":
            self.lines += ["PG_PERMIT_ALL = c_size_t(-1).value", ""]
        elif not re.match(r"#(ifndef PALIGEMMA_H|define (PALIGEMMA_H|PG_API)|include|ifdef __cplusplus|endif)", line):
            raise SystemExit(f"{HEADER.name}: a line that cannot be read: {line}")


def statements(text):
    """The header's statements and preprocessor lines, in order."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.S)
    text = re.sub(r'#ifdef __cplusplus\s+(extern "C" \{|\})\s+#endif', "", text)
    held, depth = "", 0
    for line in text.splitlines():
        if line.startswith("#"):
            yield line.strip()
            continue
        for character in line + "\n":
            depth += {"{": 1, "}": -1}.get(character, 0)
            if character == ";" and depth == 0:
                yield re.sub(r"\s+", " ", held).strip()
                held = ""
            else:
                held += character
    if held.strip():
        raise SystemExit(f"{HEADER.name}: an unfinished statement: {held.strip()}")


def read():
    header = Header()
    for text in statements(HEADER.read_text()):
        (header.define if text.startswith("#") else header.statement)(text)
    return header


def version():
    return re.search(r"project\(paligemma VERSION ([\d.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)


def python_of(header):
    """The file's text."""
    text = "\n".join(header.lines)
    lines = [
        '"""The declarations of paligemma.h, written by tools/make_bindings.py from the header. Not to be edited."""',
        "from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32,",
        "                    c_int64, c_size_t, c_uint, c_uint8, c_uint64, c_void_p)",
        "", f'VERSION = "{version()}"', "",
        re.sub(r"\n{3,}", "\n\n\n", text).strip("\n"), "",
        "# What each function returns and takes.", "FUNCTIONS = {", *header.functions.values(), "}", "",
        "# Those that return a pg_status.", "FALLIBLE = {", *(f'    "{name}",' for name in header.fallible), "}", "",
    ]
    return "\n".join(lines)


def layout_of(header):
    """A C program that prints what the compiler makes of the structures: "NAME SIZE OFFSET..."."""
    lines = ["#include <paligemma.h>", "#include <stdio.h>", "int main(void)", "{"]
    for name, fields in header.structures.items():
        if fields:
            lines.append(f'    printf("{name} %zu", sizeof({name}));')
            lines += [f'    printf(" %zu", offsetof({name}, {field}));' for field in fields]
            lines.append('    puts("");')
    return "\n".join([*lines, "    return 0;", "}", ""])


def main():
    header = read()
    if "--layout" in sys.argv[1:]:
        sys.stdout.write(layout_of(header))
    elif "--check" not in sys.argv[1:]:
        RESULT.write_text(python_of(header))
    elif not RESULT.exists() or RESULT.read_text() != python_of(header):
        raise SystemExit(f"{RESULT.relative_to(ROOT)} is not what {HEADER.name} says; run tools/make_bindings.py")


if __name__ == "__main__":
    main()
