# What a model is.
for model in paligemma-tiny-f32 gemma-tiny-mha siglip-tiny; do
    try inspect -m golden/inference/$model/checkpoint
done
paligemma inspect -m golden/inference/gemma-tiny-mha/checkpoint --json
