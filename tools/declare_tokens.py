#!/usr/bin/env python3
"""Copies a Gemma tokenizer.json with the tokens declared that PaliGemma's published files declare.

    declare_tokens.py IN.json OUT.json                               the 1,024 <loc>, 128 <seg> and <image>
    declare_tokens.py IN.json OUT.json --pieces 4-216 255968 255999  pieces of these ids as well
    declare_tokens.py IN.json OUT.json --pieces ... --list           only the list of added tokens

Gemma's tokenizer.json as it is found in some places declares only its control tokens, so that <start_of_turn>, <h1> or
a run of newlines are pieces that byte-pair encoding has to find. SentencePiece's model file knows which pieces are
user-defined: 4 to 216 and 255968 to 255999 of Gemma's (the reference data leaves runs of tabs, 255969 to 255998, to
byte-pair encoding).
"""

import argparse
import json


def token(number, content, special=False, normalized=False):
    return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": normalized, "special": special}


def paligemma_tokens(first):
    names = [f"<loc{i:04}>" for i in range(1024)] + [f"<seg{i:03}>" for i in range(128)]
    tokens = [token(first + i, name, normalized=True) for i, name in enumerate(names)]
    return tokens + [token(first + len(names), "<image>", special=True)]


def parse_range(text):
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tokenizer")
    parser.add_argument("out")
    parser.add_argument("--pieces", type=parse_range, nargs="*", default=[], metavar="FIRST-LAST")
    parser.add_argument("--list", action="store_true")
    arguments = parser.parse_args()
    with open(arguments.tokenizer, encoding="utf-8") as file:
        document = json.load(file)
    vocab = document["model"]["vocab"]
    pieces = {number: piece for piece, number in vocab.items()}
    tokens = document["added_tokens"] + [token(i, pieces[i]) for ids in arguments.pieces for i in ids]
    document["added_tokens"] = tokens + paligemma_tokens(max(pieces) + 1)
    with open(arguments.out, "w", encoding="utf-8") as file:
        json.dump(document["added_tokens"] if arguments.list else document, file, indent=2, ensure_ascii=False)


if __name__ == "__main__":
    main()
