# SigLIP's embeddings.
export PALIGEMMA_MODEL=golden/inference/siglip-tiny/checkpoint
images=golden/inference/siglip-tiny/images
paligemma embed --image $images/cow.jpg $images/lily.jpg --text 'a photo of a cow on the beach' 'a LILY, in (the) garden...' '' >all
grep -o '"[a-z_]*": ' all
grep -o '"probabilities": .*' all | sed -E 's/(0\.[0-9]{4})[0-9]*/\1/g'
paligemma embed --text 'a photo of a cow on the beach' --image $images/cow.jpg --text 'a LILY, in (the) garden...' '' --image $images/lily.jpg |
    cmp - all && echo 'the same in another order'
try embed --image $images/cow.jpg --text cow --out rows.npy
head -c 128 rows.npy | tail -c +11 | sed 's/ *$//'
paligemma embed --image $images/cow.jpg --text cow --out rows.npy --json | cmp - <(paligemma embed --image $images/cow.jpg --text cow) &&
    echo 'the same JSON'
try embed --image missing.jpg
try embed --text x --out nowhere/rows.npy
try embed -m golden/inference/gemma-tiny-mha/checkpoint --text x
