#!/bin/sh
# Texts for the language model and the vocabularies: FOLDER/text.txt and, held out, FOLDER/text-validation.txt, documents
# with blank lines between them. README.md names what they are made of and under which licences.
#
#     texts.sh PATH/TO/emoji-world FOLDER [SCENES]
set -eu
world=$1 folder=$2 scenes=${3:-40000}
wordnet=/usr/share/wordnet/data.noun
export LC_ALL=C.UTF-8
mkdir -p "$folder"

# Definitions of WordNet's nouns for what can be seen or touched (its files of animals, artifacts, food, places, objects,
# phenomena, plants, shapes and substances) without the names of whole families: "dog, domestic dog: a member of ...".
definitions() {
    awk -F' \\| ' '/^[0-9]/ {
        split($1, field, " ")
        if (field[2] !~ /^(05|06|13|15|17|19|20|25|27)$/)
            next
        names = ""
        for (i = 0; i < count_of(field[4]) && i < 3; i++)
            names = names (i ? ", " : "") field[5 + 2 * i]
        gsub(/_/, " ", names)
        gsub(/\([a-z]+\)/, "", names)
        if (names ~ /(genus|family|order|class|phylum|division|kingdom|tribe|suborder) /)
            next
        gloss = $2
        sub(/ +$/, "", gloss)
        print names ": " gloss ".\n"
    }
    function count_of(text) { # two hexadecimal digits
        return (index("0123456789abcdef", substr(text, 1, 1)) - 1) * 16 + index("0123456789abcdef", substr(text, 2, 1)) - 1
    }' "$wordnet"
}

# Paragraphs of prose: several lines that end in a full stop, joined.
paragraphs() {
    zcat "$@" | sed 's/\xc2\xa0/ /g' | awk 'BEGIN { RS = "" }
        !/[│|┌└+]|http|====|----/ && /[.:!?]$/ {
            gsub(/[ \t\n]+/, " ")
            sub(/^ /, "")
            if (length($0) > 100)
                print $0 "\n"
        }'
}

free_texts() {
    definitions
    for language in en de fr it nl; do
        paragraphs "/usr/share/doc/debian/FAQ/debian-faq.$language.txt.gz"
    done
    for language in es pt; do
        paragraphs "/usr/share/debian-reference/debian-reference.$language.txt.gz"
    done
}

[ -f "$wordnet" ] || { echo "texts.sh: $wordnet is missing: ./build.sh deps-world installs it" >&2; exit 1; }
free_texts >"$folder/free.txt"
"$world" text --out "$folder/world.txt" --scenes "$scenes"
"$world" text --out "$folder/world-validation.txt" --scenes 1000 --split validation
# One free document in forty is held out.
awk 'BEGIN { RS = ""; ORS = "\n\n" } NR % 40 != 0' "$folder/free.txt" | cat "$folder/world.txt" - >"$folder/text.txt"
awk 'BEGIN { RS = ""; ORS = "\n\n" } NR % 40 == 0' "$folder/free.txt" |
    cat "$folder/world-validation.txt" - >"$folder/text-validation.txt"
rm "$folder/world-validation.txt"
