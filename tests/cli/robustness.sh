# Damaged pictures, and how they are recognised.
export PALIGEMMA_MODEL=golden/inference/siglip-tiny/checkpoint
mkdir pictures && cp golden/inference/siglip-tiny/images/*.jpg pictures
printf '{"image":"pictures/%s.jpg","label":"%s"}\n' cow cow lily lily gray 'something grey' >rows.jsonl
digits() { sed -E 's/-?[0-9]+\.[0-9]+/_/g' | tr -s ' '; }
try robustness --data rows.jsonl -t 1 | digits
paligemma robustness --data rows.jsonl --corruption weather --corruption jpeg --severity 1,5 --seed 3 --json | digits
paligemma robustness --data rows.jsonl --corruption noise --json --batch 1 | sum >one
paligemma robustness --data rows.jsonl --corruption noise --json --batch 3 | sum | cmp - one && echo 'the same, whatever the batch'
try robustness --data rows.jsonl --rows 1 --corruption fog --severity 2 --labels 'cow,lily,something grey' --template 'a {}' --sheet sheet.png | digits
ls sheet.png

echo '-- answers'
for name in cow lily; do
    answer=$(paligemma generate -m golden/inference/paligemma-tiny-f32/checkpoint --image pictures/$name.jpg --max-new-tokens 4 -p 'caption en' --json | python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["text"]))')
    echo "{\"image\":\"pictures/$name.jpg\",\"prefix\":\"caption en\",\"suffix\":$answer}"
done >answers.jsonl
try robustness -m golden/inference/paligemma-tiny-f32/checkpoint --data answers.jsonl --max-new-tokens 4 --corruption contrast | sed -E 's/ [0-9]+\.[0-9]+ %.*/ _/; s/^(contrast).*/\1/'

echo '-- mistakes'
try robustness
try robustness --data missing.jsonl
try robustness --data rows.jsonl --corruption fogg
try robustness --data rows.jsonl --severity 6
try robustness --data rows.jsonl --severity ''
try robustness --data rows.jsonl --labels cow
try robustness --data rows.jsonl --sheet sheet.gif
printf '{"image":"pictures/cow.jpg","label":1}\n' >numbers.jsonl
try robustness --data numbers.jsonl
try robustness --data numbers.jsonl --labels cow
try robustness --data answers.jsonl --labels cow
try robustness -m golden/inference/paligemma-tiny-f32/checkpoint --data rows.jsonl
try robustness -m golden/inference/paligemma-tiny-f32/checkpoint --data answers.jsonl --labels cow
