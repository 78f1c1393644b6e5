# What bench prints, without what differs from time to time and from machine to machine.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
gemma=golden/inference/gemma-tiny-mha/checkpoint
figures() {
    sed -E 's/-?[0-9]+\.[0-9]+(e[-+]?[0-9]+)?/_/g; s/ +/ /g; s/, [a-z0-9]+, threads/, ISA, threads/
            s/("isa": )"[a-z0-9]+"/\1_/; s/("(peak|private)_memory": )[0-9]+/\1_/g'
}
# Few commands, because every one of them measures the machine anew. The profile is ordered by time.
paligemma bench -t 1 -r 2 -n 4 --image-size 112 --batch 3 --profile | figures >out
sed '/^vision calls/,$d' out
awk '/ calls ms/ { part = $1 } / (attention|linear (text.embed|vision.patch)|other) / { sub(/ _ _ %/, ""); print part ":" $0 }' out |
    sort
paligemma bench -m $gemma -t 1 -r 1 -p 20 -n 3 --json | figures
try bench -m golden/inference/siglip-tiny/checkpoint
try bench -m $gemma --image-size 56
try bench --image-size 13
try bench --image-size 5000
try bench --prompt-tokens 9000
try bench --new-tokens 8170
try bench --repeat 0
try bench --once --batch 2
# Nothing is timed that is not right.
cp -rL $PALIGEMMA_MODEL damaged
chmod -R u+w damaged
head -c 4096 /dev/zero | tr '\0' '\377' | dd of=damaged/model.safetensors bs=1 seek=1000000 conv=notrunc status=none
try bench -m damaged
