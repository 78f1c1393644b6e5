# Pictures as the model sees them.
images=golden/inference/images
pixels() { # of a u8 .npy file: what follows the header
    tail -c +$((11 + $(od -An -tu2 -j8 -N2 "$1"))) "$1" | sum
}
try preprocess $images/cow.jpg --size 56 --out cow.npy
head -c 128 cow.npy | tail -c +11 | sed 's/ *$//'
pixels cow.npy
paligemma preprocess - --size 56 --out stdin.npy <$images/cow.jpg && cmp cow.npy stdin.npy && echo 'the same from stdin'
try preprocess $images/cow.jpg --size 56 --out cow.png
try preprocess cow.png --size 56 --out again.npy
cmp cow.npy again.npy && echo 'PNG keeps the pixels'
for options in '' --no-exif; do
    paligemma preprocess $images/rotated.jpg --size 56 --out a.npy $options && pixels a.npy
done
for order in pillow13 classic; do
    paligemma preprocess $images/lily.jpg --size 100 --out a.npy --order $order && pixels a.npy
done
try preprocess missing.jpg --size 56 --out b.npy
head -c 1000 $images/cow.jpg >torn.jpg
try preprocess torn.jpg --size 56 --out b.npy
echo text >text.png
try preprocess text.png --size 56 --out b.npy
try preprocess $images/cow.jpg --size 56 --out nowhere/b.npy
try preprocess $images/cow.jpg --size 56 --out nowhere/b.png
ls
