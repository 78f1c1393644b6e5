# Which class pictures show, by name and with a trained head.
export PALIGEMMA_MODEL=golden/inference/siglip-tiny/checkpoint
mkdir pictures && cp golden/inference/siglip-tiny/images/*.jpg pictures
round() { sed -E 's/(-?[0-9]+\.[0-9]{3})[0-9]*/\1/g'; }
try classify pictures/*.jpg --labels 'cow, lily ,something grey' | round
printf 'cow\n\n  lily\r\nsomething, grey\n' >labels.txt
paligemma classify pictures/cow.jpg --labels labels.txt --json | round
printf '\xef\xbb\xbfcow\r\nlily\r\n' >marked.txt
paligemma classify pictures/cow.jpg --labels marked.txt | cmp - <(paligemma classify pictures/cow.jpg --labels cow,lily) && echo 'the mark is no label'
try classify pictures/cow.jpg --labels labels.txt --template 'a photo of a {}' --template '{} on the beach' --softmax --top 2 | round
paligemma classify pictures/cow.jpg - --labels cow <pictures/lily.jpg | round

echo '-- heads'
printf '{"image":"pictures/cow.jpg","label":"cow"}\n{"image":"pictures/lily.jpg","label":"lily"}\n' >rows.jsonl
paligemma train --data rows.jsonl --objective classifier --train head --batch 2 --steps 200 --learning-rate 0.05 --out run -t 1 --json >/dev/null
paligemma classify --head run/last pictures/cow.jpg pictures/lily.jpg --top 1 | cut -f1,3
paligemma classify --head run/last/head.safetensors pictures/cow.jpg --json | grep -o '"label": "[a-z]*"'
paligemma train -m golden/training/checkpoints/paligemma --data rows.jsonl --objective classifier --train head --batch 2 --steps 200 --learning-rate 0.05 --out pali -t 1 --json >/dev/null
paligemma classify -m golden/training/checkpoints/paligemma --head pali/last pictures/cow.jpg pictures/lily.jpg --top 1 | cut -f1,3

echo '-- mistakes'
echo text >bad.jpg
try classify bad.jpg pictures/cow.jpg none.jpg --labels cow | round
try classify pictures/cow.jpg
try classify --labels cow
try classify pictures/cow.jpg --labels ''
try classify pictures/cow.jpg --labels 'cow,,lily'
try classify pictures/cow.jpg --labels 'cow,cow'
try classify pictures/cow.jpg --labels cow --template 'a photo'
: >empty.txt
try classify pictures/cow.jpg --labels empty.txt
printf '\xef\xbb\xbf' >mark.txt
try classify pictures/cow.jpg --labels mark.txt
try classify pictures/cow.jpg --labels cow --head run/last
try classify pictures/cow.jpg --head run
try classify -m golden/inference/paligemma-tiny-f32/checkpoint pictures/cow.jpg --labels cow
