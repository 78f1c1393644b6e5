#!/usr/bin/env bash
# The vocabularies of the world: the same bytes each time, read by the program as PaliGemma's and SigLIP's, and taken over
# into a new model.
#
#   vocabulary_test.sh EMOJI_WORLD PALIGEMMA
set -euo pipefail
world=$(realpath "$1") paligemma=$(realpath "$2")
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

expect() { # EXPECTED COMMAND...
    local expected=$1 found
    shift
    found=$("$@")
    [[ $found == "$expected" ]] || { echo "$*: '$found', expected '$expected'" >&2; exit 1; }
}

count_of() { # FOLDER TEXT: its ids
    "$paligemma" tokenize -m "one/$1" "$2" | wc -w
}

mkdir texts
"$world" text --out texts/text.txt --scenes 3000
for folder in one two; do
    "$root/examples/emoji-world/vocabulary.sh" "$world" texts $folder 2200 1000
done
diff -r one two

# Control tokens, the newline, the first and last <loc> and <seg>, a byte; a picture's token only where such tokens count.
marks='<pad><eos><bos><unk><image>
<loc0000><loc1023><seg000><seg127>'
expect "0 1 2 3 4 5 6 1029 1030 1157 1159" "$paligemma" tokenize -m one/gemma --special "$marks"$'\x01'
[[ $("$paligemma" tokenize -m one/gemma "<image>") != 4 ]] || { echo "<image> counts in plain text" >&2; exit 1; }

# Every text comes back; digits stand alone; a frequent word is a piece.
for text in "森林里：猫、蛋、向日葵（2）" "  two  blanks" "POLSSLAG 4319 ☃" "detect dog ; alarm clock"; do
    # shellcheck disable=SC2046 # a list of ids
    expect "$text" "$paligemma" tokenize -m one/gemma --decode "$("$paligemma" tokenize -m one/gemma "$text")"
done
expect 4 count_of gemma 4319
expect 5 count_of siglip "A photo of a dog!"
echo "the vocabularies are as they should be"
