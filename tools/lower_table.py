#!/usr/bin/env python3
"""Prints the table of src/text/lower.c: runs of characters whose lower-case form is a fixed distance away.

A run is first, last, step (1: every character, 2: every second one) and the distance. U+0130, the only character whose
lower-case form has two, is left to the C code.
"""

import sys
import unicodedata


def runs():
    found = []
    for code in range(0x80, sys.maxunicode + 1):
        lower = chr(code).lower()
        if len(lower) != 1 or ord(lower) == code:
            continue
        distance = ord(lower) - code
        if found:
            first, last, step, before = found[-1]
            gap = code - last
            if distance == before and gap in (1, 2) and (first == last or gap == step):
                found[-1] = (first, code, gap, before)
                continue
        found.append((code, code, 1, distance))
    return found


print(f"/* Unicode {unicodedata.unidata_version} */")
line = ""
for run in runs():
    item = "{0x%x, 0x%x, %d, %d}," % run
    if len(line) + 1 + len(item) > 115:
        print("   " + line)
        line = ""
    line += " " + item
print("   " + line)
