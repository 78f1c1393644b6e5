# A mask codec in the making, and its codes.
mkdir masks
for n in 1 2 3 4; do
    { echo "P5 $((8 * n)) 16 255" && head -c $((64 * n)) /dev/zero && head -c $((64 * n)) /dev/zero | tr '\0' '\377'; } >masks/$n.png
done
paligemma train --objective maskcodec --data masks --validation masks --out run --steps 3 --batch 4 --warmup 0 \
    --learning-rate 1e-3 -t 1 --json | sed -E 's/[0-9]+\.[0-9]+(e-?[0-9]+)?/_/g; s/[0-9]+\.0/_/g'
ls run/last
codec=run/last/mask_codec.npz
paligemma mask encode --codec $codec masks >codes
sed -E 's/<seg[0-9]{3}>/S/g' codes
paligemma mask encode --codec $codec masks/2.png --json | sed -E 's/\[[0-9, ]*\]/[_]/'
paligemma mask decode --codec $codec "$(head -1 codes | cut -f1)" | wc
paligemma mask decode --codec $codec "$(cut -f1 codes | tr -d '\n')" --out masks.npy && head -c 128 masks.npy | strings
paligemma mask decode --codec $codec 1,2,3,4,5,6,7,8 9 10 11 12 13 14 15 16 --json | grep -c '"codes": \[1, 2, 3, 4, 5, 6, 7, 8, 9'
paligemma gradients --objective maskcodec -m $codec --data masks --out gradients.safetensors && ls gradients.safetensors

echo '-- mistakes'
try mask decode --codec $codec 1,2,3
try mask decode --codec $codec 128
try mask decode --codec $codec '<loc0001>'
try mask decode 1
try mask draw --codec $codec 1
try mask decode --codec codes 1
try mask encode --codec $codec codes
try train --objective maskcodec --data masks --out other --train lora
