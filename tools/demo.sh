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
show caption $pictures/city.jpg
show caption --lang de $pictures/city.jpg
show ask $pictures/city.jpg "where is the tiger?"
show detect $pictures/city.jpg "tiger ; watermelon" --out $out/boxes.png
show segment $pictures/meadow.jpg "rabbit ; saxophone" --out $out/masks.png
show classify $pictures/meadow.jpg --labels "rabbit, saxophone, bus"
cat <<END

The pictures: $out/boxes.png, $out/masks.png. Inline in terminals that can: build/paligemma draw $out/boxes.png
Yours: ./build.sh install, then paligemma --help. With Google's weights: paligemma caption -m FOLDER photo.jpg (README.md).
END
