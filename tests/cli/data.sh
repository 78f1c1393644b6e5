# Data sets as the model sees them.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
ln -s golden/data/images images
cp golden/data/*.json* .
try data check _annotations.train.jsonl --images images -n 2
try data check coco_instances.json --images images -n 1
try data check coco_captions.json --images images -n 1 --json
try data check vqa_questions.json --annotations vqa_annotations.json --image-name 'images/img#.png' -n 1
try data check metadata.jsonl -n 0
try data check metadata.jsonl -n 0 --max-bad 0.5 --context 26
try data check golden/data --images images -n 0 --sample 3
printf '{"image":"images/img1.png","prefix":"p","chosen":"a dog","rejected":"a cat"}\n' >pairs.jsonl
try data check pairs.jsonl
printf '{"image":"images/img1.png","label":"dog"}\n{"image":"images/img1.png","label":"cat"}\n' >classes.jsonl
try data check classes.jsonl -n 1
printf 'a dog\n\ntwo cups\n\n\nand a book\n' >text.txt
try data check text.txt -m golden/inference/gemma-tiny-mha/checkpoint -n 1
printf '{"image":"images/img1.png","text":"a photo of a cow"}\n' >captions.jsonl
try data check captions.jsonl -m golden/inference/siglip-tiny/checkpoint
mkdir shards
cp images/img1.png shards/0.png
cp images/img3.png shards/1.png
printf 'a sign' >shards/0.txt
printf 'nothing' >shards/1.txt
tar -cf set-00.tar -C shards 0.png 0.txt
tar -cf set-01.tar -C shards 1.png 1.txt
try data check 'set-{00..01}.tar' -n 1
printf '{"image":"images/img1.png","prefix":"p","sufix":"s"}\n{"image":"missing.png","prefix":"p","suffix":"s"}\n{\n' >bad.jsonl
printf '{"image":"images/img1.png","prefix":"p","suffix":"a dog"}\n' >>bad.jsonl
try data check bad.jsonl -n 0
head -n 2 bad.jsonl | tail -n 1 >worse.jsonl
try data check worse.jsonl
try data check coco_instances.json --kind coco-segment
try data check missing.jsonl
try data check vqa_questions.json
try data chek pairs.jsonl
try data convert pairs.jsonl
try data check
