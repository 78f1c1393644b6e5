# Runs of training: settings from files, recipes and flags; curves; going on; what is refused.
export PALIGEMMA_MODEL=golden/training/checkpoints/paligemma
ln -s golden/data/images images
{
    echo '{"image":"images/img0.jpg","prefix":"caption en","suffix":"two dogs"}'
    echo '{"image":"images/img1.png","prefix":"caption en","suffix":"a red sign"}'
    echo '{"image":"images/img2.jpg","prefix":"caption en","suffix":"three cups"}'
    echo '{"image":"gone.jpg","prefix":"caption en","suffix":"nothing"}'
} >rows.jsonl
head -n 3 rows.jsonl >good.jsonl
settings='--data good.jsonl --validation good.jsonl --batch 2 --steps 3 --learning-rate 1e-3 -t 1'
try train $settings --out run | mask
ls run run/best
cut -d, -f1,3 run/scalars.csv
grep -c step run/scalars.jsonl
try train $settings --out run | mask # again
try train $settings --out run --seed 3
try generate -m run/last -p 'caption en' --image images/img0.jpg --max-new-tokens 1 | wc -l
paligemma train $settings --out many/runs/one >/dev/null 2>&1; ls many/runs # folders above it are made
# a file of settings, a recipe, flags after them
echo '{"recipe": "lora", "data": "rows.jsonl", "steps": 2, "batch": 2, "bad_share": 0.5, "micro_batch": 1}' >config.json
try train --config config.json --out lora --lora-rank 2 | mask
ls lora/last
cat lora/bad_rows.txt
python3 -c 'import json; c = json.load(open("lora/config.json")); print(c["lora_rank"], c["batch"], c["train"], c["learning_rate"])'
try generate --adapter lora/last -p 'caption en' --image images/img0.jpg --max-new-tokens 1 | wc -l
# other objectives
echo '{"image":"images/img0.jpg","prefix":"p","chosen":"a dog","rejected":"a cat"}' >choices.jsonl
try train --data choices.jsonl --objective dpo --train lora --batch 1 --steps 1 --out dpo | mask
printf '{"image":"images/img0.jpg","label":"dog"}\n{"image":"images/img1.png","label":"sign"}\n' >classes.jsonl
try train --data classes.jsonl --objective classifier --train head --batch 2 --steps 1 --out classes | mask
ls classes/last
# a class for each patch of a picture
python3 - >patches.jsonl <<'END'
import json
for name, place in ("images/img0.jpg", "sea"), ("images/img1.png", "wall"):
    print(json.dumps({"image": name, "label": [place, "dog", "sea"] * 3}))
END
try train -m golden/inference/siglip-tiny/checkpoint --data patches.jsonl --objective classifier --batch 2 --steps 1 --out patches | mask
try train -m golden/inference/siglip-tiny/checkpoint --data patches.jsonl --objective classifier --steps 1 --out wrong --flip 0.5
printf '{"image":"images/img0.jpg","label":["sea","dog"]}\n' >few.jsonl
try train -m golden/inference/siglip-tiny/checkpoint --data few.jsonl --objective classifier --steps 1 --out wrong
# what is wrong
try train --data good.jsonl
try train --data good.jsonl --out wrong --lerning-rate 1
echo '{"lerning_rate": 1}' >wrong.json
try train --config wrong.json --data good.jsonl --out wrong
try train --recipe soup --data good.jsonl --out wrong
try train --data good.jsonl --out wrong --micro-batch 9
try train --data good.jsonl --out wrong --adapter lora/last
try train --data rows.jsonl --out wrong --objective siglip
try train --data rows.jsonl --out "$PALIGEMMA_MODEL"
try train --data rows.jsonl --out wrong --steps 9 --batch 1 --bad-share 0 | tail -n 2
# where is computed
try train $settings --out on-cpu --device cpu | mask
try train $settings --out on-cpu | mask # the same run
try train $settings --out wrong --device gpu
