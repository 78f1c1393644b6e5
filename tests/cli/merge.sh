# Adapters at run time and merged; untrained models; what is refused.
training=golden/training
base=$training/checkpoints/paligemma
adapter=$training/paligemma-lora/both/adapter_trained
try merge -m $base
try merge -m $base --adapter nowhere --out merged
try merge -m $base --adapter $adapter --out merged --shard-size much
try merge -m $base --adapter $adapter --out merged --shard-size 400KB
ls merged
try merge -m $base --adapter $adapter --out merged
try merge -m merged --out half --dtype bf16
try inspect -m half
try merge -m $base --with merged --share 0.3 --out between
try merge -m between --with $base --share 1.5 --out beyond
try merge -m $base --adapter $adapter --share 0.3 --out third
tiny=golden/inference/gemma-tiny-mha/checkpoint
try merge -m $base --with $tiny --out mixed
try generate -m $tiny --adapter $adapter -p 'The cow'
try init
try init --config $tiny/config.json --tokenizer $tiny --seed 5 --out new
try generate -m new -p 'The cow' -n 4 | tail -1
try init --from-vision golden/inference/siglip-tiny/checkpoint --from-text $tiny \
    --tokenizer golden/inference/paligemma-tiny-f32/checkpoint --out joined --dtype bf16
try caption -m joined golden/inference/images/cow.jpg -n 4 | tail -1
ls
pali=golden/inference/paligemma-tiny-f32/checkpoint
try init --from $pali --image-size 112 --out larger
try inspect -m larger | grep -i patches
try caption -m larger golden/inference/images/cow.jpg -n 4 | tail -1
try init --from $tiny --image-size 112 --out none
try init --from $pali --image-size 1400 --out none
