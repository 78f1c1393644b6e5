# What a model is.
for model in paligemma-tiny-f32 gemma-tiny-mha siglip-tiny; do
    try inspect -m golden/inference/$model/checkpoint
done
paligemma inspect -m golden/inference/gemma-tiny-mha/checkpoint --json
cp -r golden/inference/gemma-tiny-mha/checkpoint $'caf\xe9'
paligemma inspect -m $'caf\xe9' | head -n 1
paligemma inspect -m $'caf\xe9' --json | grep -A 1 -E '"(model|files)"'
