#!/bin/sh
# Goes on from a model that ship.sh made, the one that ships if none is named: to read signs, and to tell several things of
# a kind apart. All at 224 pixels, for a GPU (PALIGEMMA_DEVICE=cuda), where it takes some ten minutes beside those for the data.
#
#     examples/emoji-world/further.sh FOLDER [full|quick] [MODEL]
#
# FOLDER receives data and runs (full: 4 GB). Stopped at any time, the same command goes on. "quick" shows every stage at
# work with next to nothing of each. The result is FOLDER/all/last, which ship.sh FOLDER makes the one that ships;
# docs/WORLD.md says what is known of it.
set -eu
[ $# -ge 1 ] || { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=stages.sh
. "$here/stages.sh"

case ${2:-full} in
full) scenes=80000 signs=64000 pages=24000 held_out=500 batch=256 letters=2000 spell=100 read=500 again=200 all=5500 ;;
quick) scenes=200 signs=200 pages=100 held_out=20 batch=8 letters=2 spell=2 read=2 again=2 all=2 ;;
*) echo "further.sh: \"$2\": full or quick" >&2; exit 2 ;;
esac
model=$(cd "${3:-$root/models/world}" && pwd)
mkdir -p "$1"
cd "$1"

stage scenes scenes large --scenes "$scenes" --size 224
stage signs scenes signs --scenes "$signs" --size 224 --signs --seed 2
stage primer-rows world primer primer-rows --scenes "$pages" --size 224
stage validation-large scenes validation-large --scenes "$held_out" --size 224 --split validation
stage validation-signs scenes validation-signs --scenes "$held_out" --size 224 --split validation --signs
stage validation-letters world primer validation-letters --scenes "$held_out" --size 224 --split validation
stage test scenes test --scenes $((2 * held_out)) --size 224 --split test
stage unseen scenes unseen --scenes "$held_out" --size 224 --split unseen

# Rows with several objects of a kind are rare among all, and the hard ones.
several() { grep ' ; ' large/segment.jsonl >large/segment-several.jsonl; }
stage masks paligemma data convert large/instances.json --kind coco-segment --together --codec "$model/mask_codec.npz" \
    --out large/segment.jsonl
stage masks-together segment_all large
stage masks-several several
masks="--data large/segment.jsonl,weight=3 --data large/segment-several.jsonl,weight=3 --data large/segment-all.jsonl,weight=1.2"

# The tower learns letters as it learned things, from what each patch shows.
stage start paligemma init --from "$model" --dtype f32 --out start
stage letters train letters "$batch" "$letters" 2e-3 --optimizer muon --objective classifier --train vision --model start \
    --data primer-rows/letters.jsonl,weight=5 --data signs/letters.jsonl,weight=3 --data large/patches.jsonl,weight=1 \
    --validation validation-letters/letters.jsonl --validate-every 400

# The decoder learns to read from the shortest signs, as from all at once it does not begin to, and forgets the other tasks
# meanwhile; another one learns to see with the new tower what it knows. Between the two lies one that soon does both, and
# from then on all is learned together (docs/WORLD.md has the figures of each of these steps).
short_signs() { grep -E '"suffix":"[^"\\]{1,3}"' signs/ocr.jsonl >signs/ocr-short.jsonl; }
learn() { # RUN STEPS RATE MODEL ARGUMENT...
    run=$1 steps=$2 rate=$3 from=$4
    shift 4
    train "$run" "$batch" "$steps" "$rate" --optimizer muon --reduction examples --model "$from" "$@"
}
stage short-signs short_signs
stage spell learn spell "$spell" 1e-3 letters/last --train "$decoder" --data signs/ocr-short.jsonl,bpe_dropout=1
# shellcheck disable=SC2046 # words
stage read learn read "$read" 1e-3 spell/last --train "$decoder" $(reading signs 6) $(reading primer-rows 4) \
    --validation validation-signs/ocr.jsonl --validate-every 200
# shellcheck disable=SC2046,SC2086
stage again learn again "$again" 8e-4 letters/last --train "$decoder" $(tasks large) $masks
stage both paligemma merge -m again/last --with read/last --share 0.45 --out both
# shellcheck disable=SC2046,SC2086
stage all learn all "$all" 5e-4 both $(tasks large) $(reading signs 9) $(reading primer-rows 1) $masks \
    --validation validation-large/detect.jsonl --validation validation-signs/ocr.jsonl --validate-every 1000 --validation-rows 200
echo "$(date +%H:%M:%S) done: all/last"
