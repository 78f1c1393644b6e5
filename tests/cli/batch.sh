# generate --batch: results in order, errors as results, and resuming what was cut off.
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
mkdir pictures
cp golden/inference/images/{cow,lily}.jpg pictures
echo 'no picture' >pictures/broken.jpg
cat >pictures/batch.jsonl <<'END'
{"image": "cow.jpg", "prompt": "caption en"}
{"image": ["cow.jpg", "../pictures/lily.jpg"], "prompt": "caption en"}

{"prompt": "caption en"}
{"image": "broken.jpg", "prompt": "caption en"}
{"image": "missing.jpg", "prompt": "caption en"}
{"image": null, "prompt": "caption de", "note": "other fields do not matter"}
END
run() {
    paligemma generate --batch pictures/batch.jsonl -n 8 "$@" 2>errors
    echo "= $?"
}
run | mask | tee whole
cat errors

run --output - | mask | cmp - whole && echo 'the same results'
[[ ! -e ./- ]] && echo 'on standard output'

echo '-- resumed: a torn line is cut off, the rest is made'
run --output results
mask <results | cmp - <(grep -v = whole) && echo 'the same results'
cp results all
head -c $(($(head -2 all | wc -c) + 30)) all >results
run --output results --parallel 2
mask <results | cmp - <(grep -v = whole) && echo 'the same results'
cat errors
run --output results
cat errors

echo '-- alone or together'
run --parallel 1 | mask | cmp - whole && echo 'the same results'

echo '-- mistakes are found before the work'
cp pictures/batch.jsonl first.jsonl
for line in '{"image": "cow.jpg"}' '{"prompt": 3}' '{"prompt": "x", "image": 3}' '{"prompt": "x", "image": [3]}' '[]' \
    '{"prompt"' '{"prompt": "x"} {}' '{"prompt": "x", "prompt": "x"}'; do
    (cat first.jsonl; echo "$line") | paligemma generate --batch - -n 1 2>&1
    echo "= $?"
done
sed 's/caption de/caption es/' pictures/batch.jsonl >pictures/other.jsonl
try generate --batch pictures/other.jsonl --output results
try generate --batch pictures/batch.jsonl --output /dev/full
try generate --batch pictures/batch.jsonl --output nowhere/results
try generate --batch missing.jsonl
paligemma generate --batch - </dev/null
echo "= $?"
