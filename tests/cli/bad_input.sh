# One clear line on stderr, exit code 1, nothing half written.
model=golden/inference/paligemma-tiny-f32/checkpoint
cow="--image golden/inference/images/cow.jpg"
try generate -m nowhere -p x
mkdir empty
try generate -m empty -p x
try inspect -m text
try generate -m $model $cow -p $'caption \xff'
try generate -m $model $cow -p "$(printf 'long %.0s' {1..20000})" -n 1 | cut -c1-120
printf 'a\0b' >nul
try generate -m $model $cow --prompt-file nul
try generate -m $model $cow --prompt-file missing
try generate -m $model --image missing.jpg -p x
try generate -m $model --image $model/config.json -p x
try generate -m $model --image . -p x
try generate -m golden/inference/siglip-tiny/checkpoint -p x
try caption -m golden/inference/gemma-tiny-mha/checkpoint golden/inference/images/cow.jpg
try generate -m golden/inference/gemma-tiny-mha/checkpoint $cow -p x
PG_ISA=sse9 try generate -m $model $cow -p x
try generate -m $model --chat -p x

copy() { # a checkpoint of its own, to be damaged
    rm -rf broken
    cp -rL $model broken
    chmod -R u+w broken
}
copy && rm broken/config.json && try inspect -m broken
copy && echo '{}' >broken/config.json && try inspect -m broken
copy && sed -i 's/"model_type": "paligemma"/"model_type": "llama"/' broken/config.json && try inspect -m broken
copy && sed -i 's/"image_token_index": [0-9]*,//' broken/config.json && try inspect -m broken
copy && truncate -s 5000 broken/model.safetensors && try inspect -m broken
copy && rm broken/model.safetensors && try inspect -m broken
copy && echo '{"model": ' >broken/tokenizer.json && try inspect -m broken
for output in '' --json; do
    paligemma generate -m $model $cow -p 'caption en' -n 4 $output 2>&1 >/dev/full
    echo "= $?"
done
paligemma caption -m $model golden/inference/images/{cow,lily}.jpg -n 4 2>&1 >/dev/full
echo "= $?"
rm -rf broken
ls
