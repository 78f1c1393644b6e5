# What `serve` says before it listens, and what curl gets from it. tests/scripts/serve_test.py asks further.
model=golden/inference/paligemma-tiny-f32/checkpoint
try serve --check -m $model
try serve -m $model --host 0.0.0.0
try serve -m $model --host localhost
try serve -m $model --adapter tuned
try serve -m $model --adapter tuned=nowhere
try serve -m $model --siglip golden/inference/siglip-tiny/checkpoint
try serve -m $model -np 0
try serve -m $model --feedback-images
try serve -m $model --feedback-bytes 65536
try serve -m $model --siglip-name other --check
try serve -m $model --allow-image-host example.org/pictures --check
echo short >keys
try serve -m $model --api-key-file keys

echo '-- answers'
start() { # options...
    paligemma serve -m $model --name tiny --port 0 -t 1 "$@" 2>log &
    until grep -q 'serving at' log; do sleep 0.05; kill -0 $! || return; done
    url=$(grep -o 'http://.*' log | head -1)
}
post() { curl -s "$1" -H 'Content-Type: application/json' -d "$2"; }
start --siglip golden/inference/siglip-tiny/checkpoint
curl -s $url/health && echo
curl -s $url/v1/models | grep -o '"id":"[a-z]*"'
image=golden/inference/images/cow.jpg
curl -s $url/v1/caption -F image=@$image -F temperature=0 -F max_tokens=6 && echo
curl -s $url/v1/detect -F image=@$image --form-string 'labels=cat ; a cow' -F max_objects=2 | mask && echo
curl -s $url/v1/classify -F image=@$image --form-string 'labels=cow ; lily' -F softmax=1 | sed -E 's/[0-9]+\.[0-9]+(e-?[0-9]+)?/_/g' && echo
post $url/v1/completions '{"prompt": "caption en", "temperature": 0, "max_tokens": 4, "colour": "red"}' | sed -E 's/("(id|created)":)[^,]*/\1_/g' && echo
post $url/v1/chat/completions '{"messages": [{"role": "user", "content": "caption en"}], "temperature": 0, "max_tokens": 1, "stream": true}' |
    sed -E 's/("(id|created)":)[^,]*/\1_/g'
post $url/v1/completions '{"prompt": "caption en", "temperature": 0, "max_tokens": 1, "colour": "red", "stream": true}' |
    sed -E 's/("(id|created)":)[^,]*/\1_/g'
curl -s $url/v1/caption -d 'image=x' && echo
curl -s -o /dev/null -w '%{http_code} %{content_type}\n' $url/openapi.json -o /dev/null $url/nothing
kill -TERM %1 && wait %1
echo "= $?"
grep -c '"event":"request"' log
