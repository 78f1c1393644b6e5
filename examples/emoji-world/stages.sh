# shellcheck shell=sh disable=SC2034,SC2154
# What recipe.sh and further.sh are made of; read by them in the folder where the stages lie. They set `root`.

PATH=$root/build:$PATH
decoder='^(language_model|multi_modal_projector)' # what learns while the tower stays as it is

# NAME COMMAND...: once; a stage that failed is tried again the next time.
stage() {
    name=$1
    shift
    [ -e "$name.done" ] && return
    echo "$(date +%H:%M:%S) $name"
    "$@"
    : >"$name.done"
}

# A training run, in the words that all of them share. RUN BATCH STEPS RATE ARGUMENT...
train() {
    run=$1 rows=$2 steps=$3 rate=$4
    shift 4
    paligemma train --out "$run" --batch "$rows" --steps "$steps" --learning-rate "$rate" --warmup 0.03 --final-rate 0.03 \
        --beta2 0.99 --weight-decay 0.01 --compute bf16 --dtype f32 --save-every 100 --log-every 20 "$@"
}

world() { # scenes|letters|primer FOLDER ARGUMENT...
    what=$1 to=$2
    shift 2
    rm -rf "$to"
    emoji-world "$what" --out "$to" "$@"
}
scenes() { world scenes "$@"; }

# Masks of one kind of thing are a row; these are the rows of a picture as one: "segment dog ; cat".
segment_all() { # FOLDER
    awk -F'"' '
        function flush() {
            if (image)
                printf "{\"image\": \"%s\", \"prefix\": \"segment %s\", \"suffix\": \"%s\"}\n", image, names, answer
        }
        $4 != image { flush(); image = $4; names = answer = "" }
        {
            names = names (names ? " ; " : "") substr($8, length("segment ") + 1)
            answer = answer (answer ? " ; " : "") $12
        }
        END { flush() }' "$1/segment.jsonl" >"$1/segment-all.jsonl"
}

# All tasks of a folder of scenes but masks and reading, with their shares of the rows.
tasks() { # FOLDER
    echo "--data $1/caption-en.jsonl,weight=4"
    for language in de es fr it pt nl zh; do
        echo "--data $1/caption-$language.jsonl,weight=0.6"
    done
    echo "--data $1/vqa.jsonl,weight=3 --data $1/vqa-more.jsonl,weight=1 --data $1/vqa-world.jsonl,weight=0.7"
    echo "--data $1/detect.jsonl,weight=4"
}

# What there is to read in a folder, letter by letter: in the tokenizer's pieces a word would be two or three unlike its letters.
reading() { # FOLDER SHARE
    echo "--data $1/ocr.jsonl,weight=$2,bpe_dropout=1"
}
