# Where a model computes. No machine has a GPU of this number, whether the program is built with CUDA or not.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
cow=golden/inference/images/cow.jpg
try caption --device cpu $cow
try caption --device tpu $cow
try caption --device cuda:x $cow
paligemma caption --device cuda:1000 $cow 2>&1 | grep -c cuda:1000
echo "= ${PIPESTATUS[0]}"
PALIGEMMA_DEVICE=tpu try caption $cow
PALIGEMMA_DEVICE=tpu try caption --device cpu $cow
paligemma --version | grep -c '^devices: *cpu'
paligemma bench --device cpu -r 1 -n 2 --json | grep -o '"device": "[a-z]*"'
