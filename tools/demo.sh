#!/bin/sh
# What `./build.sh demo` runs after building.
set -eu
cd "$(dirname "$0")/.."
folder=tests/golden/inference
model=$folder/paligemma-tiny-f32/checkpoint
picture=$folder/images/cow.jpg
prompt="caption en"

cat <<END

A real photograph, a whole PaliGemma of the published architecture, and random weights: the model is a few hundred
thousand parameters that were never trained, so its answer means nothing. What it shows is that every step from the
JPEG file to the text does what the reference implementation (transformers, from the same files) does.

  build/paligemma generate -m $model
      --image $picture -p "$prompt"

END
answer=$(build/paligemma generate -m "$model" --image "$picture" -p "$prompt" -n 30 --json)
text=$(printf '%s' "$answer" | grep -o '"text": *"[^"]*"')
echo "  answer: $text"
if grep -qF "$text" "$folder/paligemma-tiny-f32/expected.json"; then
    echo "  This is the reference's text."
else
    echo "  This is not the reference's text: something is wrong with this build." >&2
    exit 1
fi
echo "
With published weights: build/paligemma caption -m FOLDER photo.jpg (see README.md)."
