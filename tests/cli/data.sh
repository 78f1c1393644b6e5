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
printf '{"image":"images/img1.png","label":["sea","dog"]}\n' >patches.jsonl
try data check patches.jsonl -n 1
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

echo '-- conversion'
mkdir out
try data convert coco_instances.json --images images --out out/detect.jsonl
cat out/detect.jsonl
try data convert coco_instances.json --kind coco-segment --out out/segment.jsonl
try data convert bad.jsonl --out out/bad.jsonl
try data convert bad.jsonl --out out/bad.jsonl --max-bad 0
try data convert pairs.jsonl
try data convert pairs.jsonl --out nowhere/pairs.jsonl
ls out
mkdir -p masks/dog
{ echo 'P5 8 8 255' && head -c 32 /dev/zero && head -c 32 /dev/zero | tr '\0' '\377'; } >masks/dog/img1.png
PALIGEMMA_MODEL= paligemma train --objective maskcodec --data masks/dog --out codec --steps 1 --batch 1 -t 1 --json >log
codec=codec/last/mask_codec.npz
paligemma data convert masks --kind mask-folders --codec $codec --images images --out out/masks.jsonl
sed -E 's/seg[0-9]{3}/S/g' out/masks.jsonl
paligemma data check coco_instances.json --kind coco-segment --codec $codec --together --images images -n 1 |
    sed -E 's/seg[0-9]{3}/S/g; s/^  ids +.*/  ids _/'
try train -m $PALIGEMMA_MODEL --data coco_instances.json,kind=coco-segment,images=images --out none --steps 1
paligemma train -m $PALIGEMMA_MODEL --data coco_instances.json,kind=coco-segment,images=images,together=true \
    --codec $codec --out run --steps 1 --batch 2 -t 1 --json | grep -c loss
cp -rL $PALIGEMMA_MODEL own
cp $codec own/vae-oid.npz
paligemma train -m own --data coco_instances.json,kind=coco-segment,images=images,together=true --out own-run --steps 1 \
    --batch 2 -t 1 --json | grep -c loss
grep '"codec"' own-run/config.json
