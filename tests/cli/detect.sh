# Objects in pictures: tables, JSON, overlays, masks.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
images=golden/inference/images
digits() { sed -E 's/[0-9]+\.[0-9]+(e-?[0-9]+)?/_/g; s/ +/ /g'; }
paligemma detect $images/lily.jpg 'cat ; a cow;cow' | digits
paligemma detect $images/lily.jpg 'cat ; a cow;cow' --json | mask
paligemma detect $images/rotated.jpg Überraschung --json --max-objects 1 | grep -o '"width": 90, "height": 160'
paligemma detect $images/cow.jpg $images/small.png cow --max-objects 2 | digits
paligemma detect $images/cow.jpg $images/small.png cow --max-objects 2 --json | grep -o '^{"image": "[^"]*"'
paligemma detect - cow --max-objects 1 --json <$images/cow.jpg | grep -o '^{"image": "[^"]*"'
paligemma detect $images/cow.jpg cow --threshold 1
paligemma detect $images/cow.jpg cow --free --max-objects 1 --json | grep -o '"problems".*' | sed 's/"text.*"finish/"finish/'
paligemma detect $images/cow.jpg cow --out cow.png >/dev/null && file -b cow.png
paligemma detect $images/cow.jpg cow --out COW.PNG >/dev/null && cmp cow.png COW.PNG && echo 'the same picture'
paligemma detect $images/cow.jpg $images/lily.jpg cow --out both >/dev/null && ls both

echo '-- masks'
mkdir masks
for n in 1 2; do
    { echo "P5 $((8 * n)) 16 255" && head -c $((64 * n)) /dev/zero && head -c $((64 * n)) /dev/zero | tr '\0' '\377'; } >masks/$n.png
done
env -u PALIGEMMA_MODEL paligemma train --objective maskcodec --data masks --out run --steps 1 --batch 2 --warmup 0 -t 1 >/dev/null 2>&1
codec=run/last/mask_codec.npz
paligemma segment $images/cow.jpg cow --max-objects 1 --json | mask | sed -E 's/"codes": \[[0-9, ]*\]/"codes": _/'
paligemma segment --codec $codec $images/cow.jpg cow --max-objects 1 --masks out --out cow.jpg --json >found
grep -o '"mask": {"size": \[168, 240\], "counts"' found
grep -o '"polygons": \[\[' found || echo 'no polygons'
grep -o '"mask_file": ".*"}\]' found
ls out
file -b out/cow_000.png
file -b cow.jpg | grep -o '240x168'
mkdir beside && ln -s $PWD/golden/inference/paligemma-tiny-f32/checkpoint/* beside/ && cp $codec beside/
paligemma segment -m beside $images/cow.jpg cow --max-objects 1 --json | grep -o '"mask": {"size"'

echo '-- mistakes'
try detect $images/cow.jpg
try detect $images/cow.jpg ''
try detect $images/cow.jpg ' ; '
try detect $images/cow.jpg 'cow ; <loc0001>'
try detect missing.jpg $images/cow.jpg cow --threshold 1
try detect $images/cow.jpg cow --threshold 2
try detect $images/cow.jpg ./$images/cow.jpg cow --out both
try detect missing.jpg cow --out cow.gif
try detect missing.jpg cow --out cow
try segment $images/cow.jpg cow --masks out
try segment $images/cow.jpg cow --codec missing.npz
try segment $images/cow.jpg cow --codec $codec --masks found
try detect -m golden/inference/gemma-tiny-mha/checkpoint $images/cow.jpg cow
