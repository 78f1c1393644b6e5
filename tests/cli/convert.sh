# Models in other layouts, and back.
tiny=golden/inference/paligemma-tiny-f32/checkpoint
gemma=golden/inference/gemma-tiny-mha/checkpoint
siglip=golden/inference/siglip-tiny/checkpoint
try convert
try convert -m $tiny
try convert -m $tiny --out half --dtype bf16 --shard-size 500KB | mask
ls half
try convert -m half --out model.npz
try convert -m model.npz --out back
try convert -m model.npz --out back --tokenizer $tiny --json | mask
try convert -m model.npz --out again --tokenizer $tiny --dtype f32 --no-check
try caption -m half golden/inference/images/cow.jpg -n 4 | tail -2
try caption -m back golden/inference/images/cow.jpg -n 4 | tail -2
try convert -m $gemma --out gemma.gguf --dtype f16
try convert -m $tiny --out model.gguf
try convert -m $tiny --out model.npz
try convert -m $gemma --out gemma.npz
try convert -m gemma.npz --out gemma --tokenizer $gemma
try convert -m $siglip --out siglip --to npz
mv siglip siglip.npz
try convert -m siglip.npz --out siglip --tokenizer $siglip
try convert -m siglip.npz --out other --config $gemma/config.json
for model in $siglip siglip; do
    paligemma embed -m $model --text cow --image golden/inference/images/cow.jpg >embedded-$(basename $model)
done
cmp embedded-* && echo the same embeddings
try convert -m gemma.gguf --out back-again
ls
