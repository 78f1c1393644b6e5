# Loss and gradients of one batch.
export PALIGEMMA_MODEL=golden/training/checkpoints/paligemma
ln -s golden/data/images images
echo '{"image":"images/img0.jpg","prefix":"caption en","suffix":"two dogs"}' >rows.jsonl
try gradients --data rows.jsonl --train projector --out sft.safetensors
python3 - <<'P'
import json, struct
for name in ["sft"]:
    with open(name + ".safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    for key in sorted(header):
        print(key, header[key].get("dtype"), header[key].get("shape"))
P
printf '{"image":"images/img0.jpg","label":"dog"}\n{"image":"images/img1.png","label":"sign"}\n' >classes.jsonl
try gradients --data classes.jsonl --objective classifier --train head --out head.safetensors
printf '{"image":"images/img0.jpg","text":"a dog"}\n{"image":"images/img1.png","text":"a sign"}\n' >pairs.jsonl
try gradients -m golden/inference/siglip-tiny/checkpoint --data pairs.jsonl --objective siglip --train '^logit' --out siglip.safetensors
echo '{"image":"images/img0.jpg","prefix":"p","chosen":"a dog","rejected":"a cat"}' >choices.jsonl
try gradients --data choices.jsonl --objective dpo --train attention --out dpo.safetensors
printf 'a dog\n\ntwo cups\n' >text.txt
try gradients -m golden/inference/gemma-tiny-mha/checkpoint --data text.txt --objective lm --train decoder --out lm.safetensors
python3 - <<'P'
import json, struct
for name in ["head", "siglip", "dpo", "lm"]:
    with open(name + ".safetensors", "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
    print(name, len(header), sorted(k for k in header if k != "__metadata__")[:4])
P
try gradients --data rows.jsonl
try gradients --data rows.jsonl --train nothing --out none.safetensors
try gradients --data missing.jsonl --out none.safetensors
ls *.safetensors
