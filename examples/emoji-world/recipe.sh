#!/bin/sh
# Makes the world model from nothing: two vocabularies, a SigLIP, a Gemma, a codec of masks, and the PaliGemma that joins
# them, at 112 and then at 224 pixels. Every stage is a plain `paligemma` command.
#
#     examples/emoji-world/recipe.sh FOLDER [full|quick]
#
# FOLDER receives data, runs and models (full: 3 GB). Stopped at any time, the same command goes on: what is done is not
# done again, and a training run goes on from its last checkpoint. "quick" is the same with less of everything, in 20
# minutes on two cores; docs/WORLD.md has what both reach. measure.sh prints a model's figures, ship.sh makes the files
# of models/.
set -eu
[ $# -ge 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1
PATH=$root/build:$PATH

case ${2:-full} in
full) scenes=60000 large=20000 names=1500 siglip=3000 gemma=1500 codec=800 low=20000 high=2000 ;;
quick) scenes=12000 large=1000 names=250 siglip=100 gemma=150 codec=50 low=500 high=30 ;;
*) echo "recipe.sh: \"$2\": full or quick" >&2; exit 2 ;;
esac

mkdir -p "$folder"
cd "$folder"

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
    run=$1 batch=$2 steps=$3 rate=$4
    shift 4
    paligemma train --out "$run" --batch "$batch" --steps "$steps" --learning-rate "$rate" --warmup 0.03 --final-rate 0.03 \
        --beta2 0.99 --weight-decay 0.01 --compute bf16 --dtype f32 --save-every 100 --log-every 20 "$@"
}

scenes() { # FOLDER ARGUMENT...
    to=$1
    shift
    rm -rf "$to"
    emoji-world scenes --out "$to" "$@"
}

# zeroshot.jsonl without its question: pictures and labels.
label_only() {
    for set; do
        sed 's/"text":"[^"]*",//' "$set/zeroshot.jsonl" >"$set/single.jsonl"
    done
}

# All tasks of a folder of scenes, with their shares of the rows.
tasks() {
    echo "--data $1/caption-en.jsonl,weight=3"
    for language in de es fr it pt nl zh; do
        echo "--data $1/caption-$language.jsonl,weight=0.5"
    done
    echo "--data $1/vqa.jsonl,weight=3 --data $1/vqa-more.jsonl,weight=1 --data $1/vqa-world.jsonl,weight=0.7"
    echo "--data $1/detect.jsonl,weight=4 --data $1/ocr.jsonl,weight=2 --data large/segment.jsonl,weight=3"
}

# 1. Scenes, texts, vocabularies.
stage scenes scenes train --scenes "$scenes" --size 112
stage large scenes large --scenes "$large" --size 224
stage validation scenes validation --scenes 500 --size 112 --split validation
stage texts "$here/texts.sh" emoji-world texts
stage vocabulary "$here/vocabulary.sh" emoji-world texts vocabulary

# 2. SigLIP: first the names of things that stand alone, as a classifier learns them (from whole sentences alone, a tower
# of this size takes several times as long to tell things apart); then which text belongs to which picture.
stage names-init paligemma init --config "$here/siglip.json" --tokenizer vocabulary/siglip --out names-0
stage names-rows label_only train validation
stage names train names 64 "$names" 7e-4 --objective classifier --model names-0 --data train/single.jsonl \
    --validation validation/single.jsonl --validate-every 100
stage siglip train siglip 128 "$siglip" 1e-3 --objective siglip --model names/last \
    --data train/pairs.jsonl,weight=2 --data train/retrieval.jsonl,weight=1 --validation validation/retrieval.jsonl \
    --validate-every 200
stage siglip-large-init paligemma init --from siglip/last --image-size 224 --out siglip-large-0
stage siglip-large train siglip-large 128 $((siglip / 20)) 2e-4 --objective siglip --model siglip-large-0 \
    --data large/pairs.jsonl,weight=2 --data large/retrieval.jsonl,weight=1

# 3. Gemma: which word comes next.
stage gemma-init paligemma init --config "$here/gemma.json" --tokenizer vocabulary/gemma --smooth-locations --out gemma-0
stage gemma train gemma 32 "$gemma" 1e-3 --objective lm --model gemma-0 --data texts/text.txt \
    --validation texts/text-validation.txt --text-length 128 --validate-every 500 --validation-rows 300

# Masks as 16 codes of 128.
stage codec paligemma train --objective maskcodec --data large/instances.json,kind=masks --batch 32 --steps "$codec" \
    --learning-rate 1e-3 --warmup 0.05 --out codec
stage masks paligemma data convert large/instances.json --kind coco-segment --together --codec codec/last/mask_codec.npz \
    --out large/segment.jsonl

# 4. PaliGemma: the tower that sees and the decoder that writes, joined by a projector, learn all tasks together; the
# last tenth with pictures of twice the side.
stage join paligemma init --from-vision siglip/last --from-text gemma/last --tokenizer vocabulary/gemma --out low-0
# shellcheck disable=SC2046 # words
stage low train low 32 "$low" 1e-3 --model low-0 $(tasks train) --validation validation/caption-en.jsonl \
    --validation validation/detect.jsonl --validation validation/vqa.jsonl --validate-every 500 --validation-rows 300
stage resize paligemma init --from low/last --image-size 224 --out high-0
# shellcheck disable=SC2046
stage high train high 32 "$high" 2e-4 --model high-0 $(tasks large)
echo "$(date +%H:%M:%S) done: high/last, siglip-large/last, codec/last/mask_codec.npz"
