# Smaller models: plain rounding, rounding with examples, and what is left after a failure.
export PALIGEMMA_MODEL=golden/inference/gemma-tiny-mha/checkpoint
for line in 'The cow walked slowly along the beach while the tide came in.' 'the work of the day went on' \
    'Nobody had asked where it came from.' 'They also saw the sea.' 'The castle was built by children.'; do
    printf '%s\n\n' "$line"
done >text
figures() { sed -E 's/[0-9]+\.[0-9]+(e\+[0-9]+)?/_/g; s/ +/ /g; s/[0-9]+(\.[0-9]+)?%/_%/'; }
paligemma quantize --to int4 --out plain | figures
paligemma quantize --to int4 --out judged --evaluate text | figures | tail -7
cmp plain/model.safetensors judged/model.safetensors && echo 'the same file'
paligemma quantize --to int4 --out made --calibrate text | figures
paligemma quantize --to int8 --out bytes --calibrate text --evaluate text --json -t 2 >result
grep -o '"rounding": "[a-z]*", "examples": [0-9]*, "tokens": [0-9]*' result
grep -o '"name": "text.layer.0.q", [^}]*}, "nearest_errors": {[^}]*}' result | mask
grep -A 6 '"quantization_config"' made/config.json
paligemma generate -m made -p 'The cow walked along' -n 4 >/dev/null && echo 'it answers'

echo '-- pictures'
cp golden/inference/images/{cow,lily}.jpg .
cat >questions.jsonl <<'END'
{"prefix": "caption en", "image": "cow.jpg", "suffix": "a cow"}
{"prefix": "caption en", "image": "lily.jpg"}
END
paligemma quantize -m golden/inference/paligemma-tiny-f32/checkpoint --to int4 --keep vision=bf16 --out pictures \
    --calibrate questions.jsonl | figures | tail -7

echo '-- mistakes'
echo '{"prompt": "a"}' >bad
echo '{"prompt": 3}' >>bad
try quantize --to int4 --out new --calibrate bad
try quantize --to int4 --out new --calibrate missing
try quantize --to int4 --out new --window 64
try quantize --to int4 --out made --calibrate text
try quantize -m golden/inference/siglip-tiny/checkpoint --out new --calibrate text
try quantize -m made --out new --calibrate text

echo '-- ended from outside'
set -m
for i in {1..2000}; do
    cat text
done >long
for signal in INT TERM; do
    paligemma quantize --to int4 --out new --calibrate long >printed &
    until [[ -d $(echo new.*.partial) ]]; do sleep 0.01; done
    sleep 0.1
    kill -$signal $!
    wait $!
    echo "= $?"
done
cat printed
ls
