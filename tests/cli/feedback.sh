# Judgements into a database, and rows to train on out of it.
cow=golden/inference/images/cow.jpg
paligemma feedback add f.db -p "caption en" --answer "a dog" --judgement down --correction "a cow on a beach" --image $cow \
    --keep --task caption -m tiny --request one
paligemma feedback add f.db -p "caption en" --answer "a cow" --judgement up --image $cow
paligemma feedback add f.db -p "caption en" --answer "a cat" --judgement down --correction "a fox" --image $ROOT/README.md
paligemma feedback list f.db | cut -f 1,3-
paligemma feedback list f.db -n 1 --json | sed -E 's/"time": [0-9]+/"time": _/; s/[0-9a-f]{64}/_/'
paligemma feedback export f.db --out sft.jsonl --approved && cat sft.jsonl && ls sft.pictures
paligemma feedback export f.db --out dpo.jsonl --kind dpo && cat dpo.jsonl
cmp dpo.pictures/*.jpg $cow && sum $cow
model=golden/inference/paligemma-tiny-f32/checkpoint
paligemma data check -m $model dpo.jsonl --json | head -c 20
paligemma train -m $model --data sft.jsonl --out run --steps 1 --batch 1 -t 1 2>/dev/null | head -1 | cut -c 1-12

echo '-- mistakes'
head -c 5000 f.db >cut.db
try feedback list cut.db
try feedback list none.db
try feedback list golden/MANIFEST.md
try feedback add f.db -p a
try feedback add f.db -p a --answer b --correction b
try feedback add f.db -p a --answer b --image none.jpg
try feedback export f.db
try feedback remove f.db
try feedback add empty.db -p a --answer b
try feedback export empty.db --out none.jsonl
