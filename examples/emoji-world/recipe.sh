#!/bin/sh
# Makes the world model from nothing: two vocabularies, a SigLIP, a Gemma, a codec of masks, and the PaliGemma that joins
# them, at 112 and then at 224 pixels. Every stage is a plain `paligemma` command.
#
#     examples/emoji-world/recipe.sh FOLDER [full|quick|gpu]
#
# FOLDER receives data, runs and models (full: 3 GB). Stopped at any time, the same command goes on: what is done is not
# done again, and a training run goes on from its last checkpoint. "quick" is the same with less of everything, in 20
# to 30 minutes on two cores; "gpu" trains on a GPU, the last stages with 10 to 30 times as many rows. docs/WORLD.md has
# what is reached. measure.py prints the models' figures, ship.sh makes the files of models/.
set -eu
[ $# -ge 1 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1
# shellcheck source=stages.sh
. "$here/stages.sh"

batch=32 pairs=128 low_rate=3e-4 high_rate=3e-4 siglip_large=
case ${2:-full} in
gpu)
    scenes=160000 large=32000 names=1200 patches=2000 siglip=2600 gemma=1000 codec=800 words=800 read=5000 low=5000 high=3800
    signs=32000 windows=60000 primer=1200 letters=3000
    batch=256 pairs=512 low_rate=5e-4 high_rate=4e-4 siglip_large=1400
    export PALIGEMMA_DEVICE=cuda
    ;;
full)
    signs=16000 windows=40000 primer=2000 letters=4000
    scenes=60000 large=20000 names=1200 patches=2000 siglip=830 gemma=1000 codec=800 words=800 read=5000 low=3000 high=1000
    ;;
quick)
    signs=1000 windows=4000 primer=150 letters=100
    scenes=12000 large=1000 names=250 patches=400 siglip=60 gemma=100 codec=50 words=150 read=250 low=30 high=10
    ;;
*) echo "recipe.sh: \"$2\": full, quick or gpu" >&2; exit 2 ;;
esac

mkdir -p "$folder"
cd "$folder"

# zeroshot.jsonl without its question: pictures and labels.
label_only() {
    for set; do
        sed 's/"text":"[^"]*",//' "$set/zeroshot.jsonl" >"$set/single.jsonl"
    done
}

# The captions of scenes with one kind of thing in them, in every language, and the English ones of those with two and
# with more.
short_captions() { # FOLDER
    for language in en de es fr it pt nl zh; do
        grep -v -e ' and ' -e ', ' -e '、' "$1/caption-$language.jsonl" >"$1/one-$language.jsonl"
    done
    grep ' and ' "$1/caption-en.jsonl" | grep -v ', ' >"$1/two-en.jsonl"
    grep ', ' "$1/caption-en.jsonl" >"$1/three-en.jsonl"
}

# What a decoder learns to name things from.
words() {
    echo "--data $1/one-en.jsonl,weight=4 --data $1/two-en.jsonl,weight=1.5 --data $1/vqa.jsonl,weight=1"
    for language in de es fr it pt nl zh; do
        echo "--data $1/one-$language.jsonl,weight=0.15"
    done
}

masks="--data large/segment.jsonl,weight=2.5 --data large/segment-all.jsonl,weight=2"

# 1. Scenes, texts, vocabularies.
stage scenes scenes train --scenes "$scenes" --size 112
stage large scenes large --scenes "$large" --size 224
stage signs scenes signs --scenes "$signs" --size 224 --signs --seed 2
stage windows world letters windows --scenes "$windows" --size 112
stage primer-rows world primer primer-rows --scenes "$windows" --size 112
stage validation scenes validation --scenes 500 --size 112 --split validation
stage validation-windows world letters validation-windows --scenes 500 --size 112 --split validation
stage validation-large scenes validation-large --scenes 500 --size 224 --split validation
stage test scenes test --scenes 1000 --size 224 --split test
stage unseen scenes unseen --scenes 500 --size 224 --split unseen
stage texts "$here/texts.sh" emoji-world texts
stage vocabulary "$here/vocabulary.sh" emoji-world texts vocabulary

# 2. SigLIP. First the names of things that stand alone, then what each patch of a picture shows, as a classifier learns
# them: from whole sentences alone, a tower of this size takes many times as long to tell things apart. Then which text
# belongs to which picture.
stage names-init paligemma init --config "$here/siglip.json" --tokenizer vocabulary/siglip --out names-0
stage names-rows label_only train validation
stage names train names 64 "$names" 7e-4 --objective classifier --model names-0 --data train/single.jsonl \
    --validation validation/single.jsonl --validate-every 200
stage patches train patches 32 "$patches" 8e-4 --objective classifier --model names/last --data train/patches.jsonl \
    --validation validation/patches.jsonl --validate-every 200
stage siglip train siglip "$pairs" "$siglip" 7e-4 --objective siglip --model patches/last \
    --data train/pairs.jsonl,weight=2 --data train/retrieval.jsonl,weight=1 --validation validation/retrieval.jsonl \
    --validate-every 150
stage siglip-large-init paligemma init --from siglip/last --image-size 224 --out siglip-large-0
stage siglip-large train siglip-large "$pairs" "${siglip_large:-$((siglip / 10))}" 2e-4 --objective siglip --model siglip-large-0 \
    --data large/pairs.jsonl,weight=2 --data large/retrieval.jsonl,weight=1

# To read, a tower learns letters as it learned things, from what each patch shows: first from pictures full of them, then
# from signs as large as they are at 224 pixels. From 16,000 pictures with signs alone it hardly learned any (docs/WORLD.md).
stage primer train primer "$batch" "$primer" 1e-3 --objective classifier --train vision --model siglip/last \
    --data primer-rows/letters.jsonl,weight=6 --data windows/letters.jsonl,weight=2 --data train/patches.jsonl,weight=1 \
    --validation validation-windows/letters.jsonl --validate-every 200
stage letters train letters "$batch" "$letters" 8e-4 --objective classifier --train vision --model primer/last \
    --data windows/letters.jsonl,weight=5 --data primer-rows/letters.jsonl,weight=2 --data train/patches.jsonl,weight=3 \
    --validation validation-windows/letters.jsonl --validation validation/patches.jsonl --validate-every 200

# 3. Gemma: which word comes next.
stage gemma-init paligemma init --config "$here/gemma.json" --tokenizer vocabulary/gemma --smooth-locations --out gemma-0
stage gemma train gemma 32 "$gemma" 1e-3 --objective lm --model gemma-0 --data texts/text.txt \
    --validation texts/text-validation.txt --text-length 128 --validate-every 500 --validation-rows 300

# Masks as 16 codes of 128.
stage codec paligemma train --device cpu --objective maskcodec --data large/instances.json,kind=masks --batch 32 --steps "$codec" \
    --learning-rate 1e-3 --warmup 0.05 --dtype f16 --out codec
stage masks paligemma data convert large/instances.json --kind coco-segment --together --codec codec/last/mask_codec.npz \
    --out large/segment.jsonl
stage masks-together segment_all large

# 4. PaliGemma. First the decoder learns to name what the tower sees, from captions of scenes with one or two kinds of
# things: on all tasks at once, that takes it several times as long. Then it learns all tasks, while the tower stays as it
# is; then both learn on, at a low rate; the last part with pictures of twice the side.
stage join paligemma init --from-vision letters/last --from-text gemma/last --tokenizer vocabulary/gemma --out words-0
stage words-rows short_captions train
# shellcheck disable=SC2046 # words
stage words train words 32 "$words" 1e-3 --reduction examples --train "$decoder" --model words-0 $(words train) \
    --validation validation/caption-en.jsonl --validate-every 200 --validation-rows 250
# shellcheck disable=SC2046,SC2086
stage read train read 32 "$read" 1e-3 --reduction examples --train "$decoder" --model words/last \
    $(tasks train) $(reading windows 4) $masks --data train/two-en.jsonl,weight=3 --data train/three-en.jsonl,weight=4 \
    --validation validation/caption-en.jsonl --validation validation/detect.jsonl --validation validation/vqa.jsonl \
    --validate-every 400 --validation-rows 300
# shellcheck disable=SC2046,SC2086
stage low train low "$batch" "$low" "$low_rate" --reduction examples --model read/last $(tasks train) $(reading windows 4) $masks \
    --validation validation/caption-en.jsonl --validation validation/detect.jsonl --validation validation/vqa.jsonl \
    --validate-every 400 --validation-rows 300
stage resize paligemma init --from low/last --image-size 224 --out high-0
# shellcheck disable=SC2046,SC2086
stage high train high "$batch" "$high" "$high_rate" --reduction examples --model high-0 $(tasks large) $(reading signs 4) $masks
echo "$(date +%H:%M:%S) done: high/last, siglip-large/last, codec/last/mask_codec.npz"
