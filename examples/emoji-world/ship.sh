#!/bin/sh
# Makes the files of models/ from what recipe.sh or further.sh left in FOLDER: the PaliGemma with its mask codec, and the
# SigLIP, if there is a new one, in 8 bits, each with a model card that ends in the figures of measure.py.
#
#     examples/emoji-world/ship.sh FOLDER [MODELS]
set -eu
[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1 models=${2:-$root/models}
PATH=$root/build:$PATH
most=22000000 # bytes of everything

quantize() { # FROM NAME
    rm -rf "${models:?}/$2"
    paligemma quantize -m "$folder/$1" --to int8 --out "$models/$2" >/dev/null
}
mkdir -p "$models"
if [ -d "$folder/all/last" ]; then # further.sh, with the codec and the SigLIP that there were
    quantize all/last world
else
    quantize high/last world
    cp "$folder/codec/last/mask_codec.npz" "$models/world/"
    quantize siglip-large/last world-siglip
fi

paligemma eval -m "$models/world" --task detect --data "$folder/validation-large/detect.jsonl" --fit-scores >/dev/null

measured=$folder/measured
"$here/measure.py" "$models/world" "$models/world-siglip" "$models/world/mask_codec.npz" "$folder/test" \
    "$folder/unseen" "$measured" >"$folder/figures.md"
cat "$here/cards/world.md" "$folder/figures.md" >"$models/world/README.md"
{
    cat "$here/cards/world-siglip.md"
    printf '| figure | reached |\n|---|---|\n'
    grep SigLIP "$folder/figures.md"
} >"$models/world-siglip/README.md"

bytes=$(find "$models" -type f -exec cat {} + | wc -c)
echo "$models: $bytes bytes"
[ "$bytes" -le "$most" ] || { echo "ship.sh: more than $most" >&2; exit 1; }
