#!/bin/sh
# What `./build.sh demo` runs after building: the model that ships, on pictures that it has never seen.
set -eu
cd "$(dirname "$0")/.."
unset PALIGEMMA_MODEL PALIGEMMA_MODELS
pictures=examples/emoji-world/pictures
out=build/demo
mkdir -p "$out"

show() {
    printf '\n$ paligemma'
    for word; do
        case $word in
        *[!A-Za-z0-9_./-]*) printf ' "%s"' "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    printf '\n'
    build/paligemma "$@"
}

echo
echo "A PaliGemma of 7 million parameters ships with the program. It has learned a small world of emoji (docs/WORLD.md):"
show caption $pictures/meadow.jpg
show caption --lang de $pictures/meadow.jpg
show ask $pictures/meadow.jpg "where is the horse?"
show detect $pictures/meadow.jpg "saxophone ; horse" --out $out/boxes.png
show segment $pictures/room.jpg sunflower --out $out/mask.png
show ocr $pictures/desert.jpg
show classify $pictures/room.jpg --labels "tulip, sunflower, bus" --top 1
cat <<END

The pictures: $out/boxes.png, $out/mask.png. Inline in terminals that can: build/paligemma draw $out/boxes.png
Yours: ./build.sh install, then paligemma --help. With Google's weights: paligemma caption -m FOLDER photo.jpg (README.md).
END
