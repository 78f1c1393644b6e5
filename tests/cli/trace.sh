# Names, dtypes and shapes of everything in a forward pass.
names() {
    grep -ao '"[a-z_.0-9]*":{"dtype":"[A-Z0-9]*","shape":\[[0-9, ]*\]' "$1" | tr -d '"{' | sed 's/:dtype:/ /; s/,shape:/ /'
}
tiny=golden/inference
try trace -m $tiny/paligemma-tiny-f32/checkpoint --image $tiny/images/cow.jpg --prompt 'caption en' --out pali.safetensors
names pali.safetensors
try trace -m $tiny/gemma-tiny-mha/checkpoint -p 'The cow' -o gemma.safetensors
names gemma.safetensors
try trace -m $tiny/siglip-tiny/checkpoint --image $tiny/images/cow.jpg -p 'a cow' -o siglip.safetensors
names siglip.safetensors
try trace -m $tiny/gemma-tiny-mha/checkpoint -p 'The cow' -o nowhere/gemma.safetensors
try trace -m $tiny/gemma-tiny-mha/checkpoint -p 'The cow' --image $tiny/images/cow.jpg -o x.safetensors
try trace -m $tiny/gemma-tiny-mha/checkpoint -p $'\xff' -o x.safetensors
ls
