#!/usr/bin/env bash
# What `./build.sh demo` prints is what README.md shows: the same commands, words and labels. Figures are the instruction
# set's: a box moves by a pixel or two with the rounding of products.
#   demo_test.sh BUILD_FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(cd "$1" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/build" "$folder/examples/emoji-world"
ln -s "$build/paligemma" "$folder/build/paligemma"
cp -R "$root/tools" "$folder"
cp -R "$root/examples/emoji-world/pictures" "$folder/examples/emoji-world"

commands() {
    awk '/^\$ /{on = 1} /^(The pictures|```$)/{on = 0} on && NF' | sed -E 's/[0-9]+\.[0-9]+/_/g; s/[[:space:]]+/ /g'
}
sed -n '/this is what the demo prints/,/^```$/p' "$root/README.md" | commands >"$folder/shown"
"$folder/tools/demo.sh" | commands >"$folder/printed"
[ -s "$folder/shown" ]
diff "$folder/shown" "$folder/printed"
