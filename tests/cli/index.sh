# An index of pictures, kept up to date and searched.
export PALIGEMMA_MODEL=golden/inference/siglip-tiny/checkpoint
mkdir -p photos/older && cp golden/inference/siglip-tiny/images/{cow,lily}.jpg photos && cp golden/inference/siglip-tiny/images/gray.jpg photos/older
echo 'no picture' >photos/broken.png
round() { sed -E 's/(1\.00|0\.99)[0-9]+/1/g; s/(-?[0-9]+\.[0-9]{3})[0-9]*/\1/g'; }
try index photos --out photos.index
try index photos --out photos.index
rm photos/lily.jpg photos/broken.png && cp photos/cow.jpg photos/copy.jpg && touch photos/older/gray.jpg
try index photos --out photos.index --json
try index photos --out photos.index --compare-contents --dtype bf16
python3 - <<'P'
import json, struct
with open("photos.index", "rb") as f:
    header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
for name in sorted(header):
    print(name, header[name].get("dtype"), header[name].get("shape"), header[name].get("format"))
P
try search photos.index 'a photo of a cow on the beach' | round
try search photos.index --image photos/cow.jpg -n 2 | round
paligemma search photos.index 'a cow' -n 1 --json | round
paligemma search photos.index --image photos/older/gray.jpg -n 1 --json | round
try search photos.index --image photos/cow.jpg -n 3 --out sheet.png | round
head -c 8 sheet.png | tail -c 7 | head -1
mkdir elsewhere && mv photos photos.index elsewhere
(cd elsewhere/photos && paligemma search -m ../../$PALIGEMMA_MODEL ../photos.index --image cow.jpg -n 1) | round

echo '-- mistakes'
try index elsewhere
try index missing --out i
mkdir empty
try index empty --out i
try search elsewhere/photos.index
try search elsewhere/photos.index cow --image elsewhere/photos/cow.jpg
try search elsewhere/photos.index cow --out sheet.gif
try search elsewhere/photos.index cow --out jpeg
try search missing.index cow
try search golden/inference/siglip-tiny/expected.safetensors cow
head -c 300 elsewhere/photos.index >cut.index
try search cut.index cow
cp elsewhere/photos/cow.jpg picture.jpg
try index elsewhere --out picture.jpg
cmp picture.jpg elsewhere/photos/cow.jpg && echo 'still there'
cp -rL $PALIGEMMA_MODEL other && sed -i 's/0\.5/0.25/' other/preprocessor_config.json
try search -m other elsewhere/photos.index cow | sed -E 's/siglip-[0-9a-f]+/_/g'
try search -m golden/inference/gemma-tiny-mha/checkpoint elsewhere/photos.index cow
