#!/bin/sh
# Makes the files of models/ from what recipe.sh left: the PaliGemma with its mask codec, and the SigLIP, in 8 bits, each
# with a model card that ends in the figures of measure.py.
#
#     examples/emoji-world/ship.sh FOLDER [MODELS]
set -eu
[ $# -ge 1 ] || { sed -n '2,5s/^# \{0,1\}//p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=$1 models=${2:-$root/models}
PATH=$root/build:$PATH
most=22000000 # bytes of everything

rm -rf "$models/world" "$models/world-siglip"
mkdir -p "$models"
paligemma quantize -m "$folder/high/last" --to int8 --out "$models/world" >/dev/null
paligemma quantize -m "$folder/siglip-large/last" --to int8 --out "$models/world-siglip" >/dev/null
cp "$folder/codec/last/mask_codec.npz" "$models/world/"

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
