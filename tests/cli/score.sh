# score: predictions in standard files against what is right.
metrics=golden/tasks/metrics
paligemma score --task caption --references $metrics/captions_gt.json --predictions $metrics/captions_results.json
paligemma score --task vqa --references $metrics/vqa_questions.json --annotations $metrics/vqa_annotations.json \
    --predictions $metrics/vqa_results.json --json
paligemma score --task detect --references $metrics/coco_gt.json --predictions $metrics/coco_det.json
paligemma score --task segment --references $metrics/coco_gt.json --predictions $metrics/coco_segm.json | head -3

echo '-- JSONL, as generate --batch writes it'
cat >references.jsonl <<'END'
{"image": "a.png", "prefix": "caption en", "suffix": "a red cube and a ball"}
{"image": "b.png", "prefix": "caption en", "suffixes": ["a cat", "one cat"]}
END
cat >predictions.jsonl <<'END'
{"index": 0, "image": "b.png", "prompt": "caption en", "text": "one cat", "probability": 0.9}
{"index": 1, "image": "a.png", "prompt": "caption en", "error": "a.png: not there"}
END
paligemma score --task caption --references references.jsonl --predictions predictions.jsonl --each
paligemma score --task docvqa --references references.jsonl --predictions predictions.jsonl --each --json
paligemma score --task caption --references references.jsonl --predictions predictions.jsonl --report page.html --worst 1 \
    --title '<one>' >/dev/null
grep -c '&lt;one&gt;' page.html

echo '-- mistakes'
try score --task caption --references references.jsonl
try score --references references.jsonl --predictions predictions.jsonl
try score --task captions --references references.jsonl --predictions predictions.jsonl
try score --task caption --references references.jsonl --predictions predictions.jsonl --report page.pdf
try score --task caption --references $metrics/captions_gt.json --predictions predictions.jsonl
head -1 predictions.jsonl >one.jsonl
try score --task caption --references references.jsonl --predictions one.jsonl
try score --task caption --references references.jsonl --predictions missing.jsonl
cat one.jsonl one.jsonl >two.jsonl
try score --task caption --references references.jsonl --predictions two.jsonl
sed 's/"image_id":10,/"image_id":999,/' $metrics/coco_det.json >det.json
try score --task detect --references $metrics/coco_gt.json --predictions det.json
try score --task vqa --references $metrics/vqa_questions.json --predictions $metrics/vqa_results.json
