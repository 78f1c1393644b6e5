# eval: a model's answers to a data set, resumed, with grey pictures, with boxes and classes; the report.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
cp golden/inference/images/{cow,lily,small}.* .
cat >data.jsonl <<'END'
{"image": "cow.jpg", "prefix": "caption en", "suffix": "a cow"}
{"image": "lily.jpg", "prefix": "caption en", "suffix": "a flower"}
{"image": "cow.jpg", "prefix": "caption en", "suffix": "one cow"}
{"image": "gone.jpg", "prefix": "caption en", "suffix": "nothing"}
{"image": "small.png", "prefix": "answer en what?", "suffix": "a"}
END
run() {
    paligemma eval --data data.jsonl --max-new-tokens 4 -t 1 "$@" 2>&1
}
run --task caption --out answers.jsonl | tail -2
cut -c1-45 answers.jsonl
cp answers.jsonl all.jsonl

echo '-- resumed behind a torn line'
head -c $(($(head -2 all.jsonl | wc -c) + 20)) all.jsonl >answers.jsonl
run --task caption --out answers.jsonl --parallel 1 | tail -2
cmp answers.jsonl all.jsonl && echo 'the same answers'
run --task caption --out answers.jsonl >second
paligemma score --task caption --references data.jsonl --predictions answers.jsonl | cmp - second && echo 'the same figures'
run --task caption --limit 1 --blank --out blank.jsonl --report page.html | tail -1
wc -l <blank.jsonl
grep -c 'data:image/png;base64' page.html

echo '-- the last line: whole, or torn; and what is no line of answers'
sed '$s/"text":"[^"]*"/"text":"kept"/' all.jsonl | head -c -1 >whole.jsonl
run --task caption --out whole.jsonl | tail -2
sed 's/.*"text":"\(kept\)".*/\1/; s/{.*/other/' whole.jsonl
{ head -3 all.jsonl && printf '{"im'; } >answers.jsonl
run --task caption --out answers.jsonl >/dev/null
cmp answers.jsonl all.jsonl && echo 'the same answers'
{ head -3 all.jsonl && printf 'remember'; } >notes.txt
cp notes.txt before.txt
try eval --data data.jsonl --task caption --out notes.txt
printf 'remember' >short.txt
try eval --data data.jsonl --task caption --out short.txt
cmp notes.txt before.txt && cat short.txt && echo

echo '-- tasks'
run --task classify | tail -2
run --task classify --labels cow,dog --json --each | grep -c '"prediction": "\(cow\|dog\)"'
cat >boxes.jsonl <<'END'
{"image": "cow.jpg", "prefix": "detect cow ; dog", "suffix": "<loc0000><loc0000><loc0512><loc0512> cow"}
{"image": "lily.jpg", "prefix": "detect lily", "suffix": "<loc0000><loc0000><loc0512><loc0512> lily"}
END
paligemma eval --data boxes.jsonl --task detect -t 1 --out found.jsonl | grep -c AP
grep -c '"objects"' found.jsonl
try eval --data boxes.jsonl --task detect -t 1 --fit-scores
try eval --data data.jsonl --task caption --fit-scores

echo '-- masks: COCO asks for one label at a time, rows for what their prompts name'
mkdir masks
{ echo 'P5 8 16 255' && head -c 64 /dev/zero && head -c 64 /dev/zero | tr '\0' '\377'; } >masks/half.png
cp masks/half.png masks/same.png
env -u PALIGEMMA_MODEL paligemma train --objective maskcodec --data masks --out run --steps 1 --batch 2 --warmup 0 -t 1 >/dev/null 2>&1
cat >coco.json <<'END'
{"images": [{"id": 7, "file_name": "cow.jpg", "width": 240, "height": 168}],
 "categories": [{"id": 1, "name": "cow"}, {"id": 2, "name": "dog"}],
 "annotations": [
  {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 100, 80], "area": 8000,
   "segmentation": [[0, 0, 100, 0, 100, 80, 0, 80]]},
  {"id": 2, "image_id": 7, "category_id": 2, "bbox": [120, 0, 60, 50], "area": 3000,
   "segmentation": [[120, 0, 180, 0, 180, 50, 120, 50]]}]}
END
cat >masks.jsonl <<'END'
{"image": "cow.jpg", "prefix": "segment cow", "suffix": "none"}
{"image": "cow.jpg", "prefix": "segment dog", "suffix": "none"}
END
for data in coco.json masks.jsonl; do
    paligemma eval --data $data --task segment --codec run/last/mask_codec.npz -t 1 --out ${data%.*}.found | tail -1
done
text() { sed -E 's/.*"text":"([^"]*)".*/\1/' "$@"; }
[ "$(text coco.found)" = "$(text masks.found | sed -z 's/\n$//; s/\n/ ; /')" ] && echo 'the same answers'
cat >pairs.jsonl <<'END'
{"image": "cow.jpg", "text": "a cow"}
{"image": "lily.jpg", "text": "a lily"}
END
paligemma eval -m golden/inference/siglip-tiny/checkpoint --data pairs.jsonl --task retrieval -t 1 | grep recall@10
paligemma eval -m golden/inference/siglip-tiny/checkpoint --data data.jsonl --task classify --limit 2 -t 1 | tail -1

echo '-- mistakes'
try eval --task caption
try eval --data data.jsonl
try eval --data gone.jsonl --task caption
try eval --data pairs.jsonl --task retrieval
try eval -m golden/inference/siglip-tiny/checkpoint --data data.jsonl --task caption
echo '{"image": "other.jpg", "prompt": "x", "text": "y"}' >other.jsonl
try eval --data data.jsonl --task caption --out other.jsonl
