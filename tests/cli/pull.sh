# Models from a hub, which is a server of our own beside the test: what is asked for, what comes into the cache, and what
# happens when something goes wrong.
unset HF_HUB_OFFLINE HF_HUB_CACHE HF_TOKEN HF_TOKEN_PATH HF_HUB_ETAG_TIMEOUT HF_HUB_DOWNLOAD_TIMEOUT
mkdir -p hub/org/tiny hub/org/tiny@v2 hub/org/large hub/org/gated
cp -L golden/inference/paligemma-tiny-f32/checkpoint/* hub/org/tiny
mkdir hub/org/tiny/runs
echo events >hub/org/tiny/runs/events.bin
echo 'a model' >'hub/org/tiny/runs/read me.md'
cp hub/org/tiny/*.json hub/org/tiny@v2
seq 3000000 >hub/org/large/model.safetensors # three pieces
cp hub/org/tiny/{config,tokenizer}.json hub/org/large
cp hub/org/tiny/config.json hub/org/gated
touch hub/org/gated/.gated
python3 "$ROOT/tests/scripts/hub_server.py" hub &
server=$!
trap 'kill $server' EXIT
until [[ -s hub/address ]]; do sleep 0.02; done
export HF_ENDPOINT=$(<hub/address) HF_HOME=$PWD/home
export no_proxy=127.0.0.1,127.0.0.2
cache=home/hub/models--org

# What differs from run to run has a name.
named() {
    sed -E "s#$HF_ENDPOINT#HUB#g; s#$PWD/##g; s#snapshots/[0-9a-f]{40}#snapshots/COMMIT#g; s#[0-9]+(\.[0-9]+)? (MB|GB)#_ \2#g"
}
pull() {
    : >hub/log
    try pull "$@" | named
}
rules() {
    printf '%s\n' "$1" >hub/rules.json.new
    mv hub/rules.json.new hub/rules.json
}
# The model of the server is in the cache, byte for byte, and nothing half done is.
whole() {
    for file in hub/org/$1/*.*; do
        cmp "$file" "$cache--$1"/snapshots/*/"${file##*/}" || return
    done
    [[ -z $(find home -name '*.incomplete' -o -name '*.partial') ]] && echo "$1 is whole"
}

echo '-- a model'
pull org/tiny
sort hub/log | uniq
whole tiny
(cd $cache--tiny && find . ! -type d | sort | sed -E 's#[0-9a-f]{64}#SHA256#; s#[0-9a-f]{40}#SHA1#')
readlink $cache--tiny/snapshots/*/config.json $cache--tiny/snapshots/*/runs/* | sed -E 's#[0-9a-f]{40}#SHA1#'
sha256sum <$cache--tiny/snapshots/*/model.safetensors | cut -c1-64 | cmp - <(ls $cache--tiny/blobs | grep -E '.{64}') &&
    echo 'named by its sum'
find home -name '*.lock' | wc -l

echo '-- again: the listing, and what is asked for besides'
pull org/tiny --include '*'
sort hub/log

echo '-- other revisions'
pull org/tiny --revision v2 --include 'config*' --include 'tok*'
pull hub:org/tiny@v2 --include '*.txt'
pull org/tiny@v3
pull org/tiny@v2 --revision main
pull 'org/tiny@../../x'
pull org/tiny/x
pull org/nothing
find $cache--tiny/refs -type f | sort | sed "s#.*refs/##"

echo '-- used by name'
: >hub/log
paligemma inspect -m hub:org/tiny@main | head -n 1 | named
paligemma tokenize -m hub:org/tiny 'a cat' | cmp - <(paligemma tokenize -m hub/org/tiny 'a cat') && echo 'the same'
PALIGEMMA_MODEL=org/tiny paligemma caption golden/inference/images/cow.jpg -n 4 |
    cmp - <(paligemma caption -m hub/org/tiny golden/inference/images/cow.jpg -n 4) && echo 'the same'
paligemma convert -m org/tiny --out converted.npz >/dev/null
paligemma convert -m hub/org/tiny --out plain.npz >/dev/null
cmp converted.npz plain.npz && echo 'the same'
paligemma convert -m converted.npz --tokenizer org/tiny --out back >/dev/null && cmp back/tokenizer.json hub/org/tiny/tokenizer.json && echo 'the same'
cat hub/log
rm $cache--tiny/snapshots/$(<$cache--tiny/refs/main)/config.json
paligemma inspect -m org/tiny | head -n 1 | named
cut -d' ' -f1-3 hub/log
try inspect -m hub/nothing | named
try inspect -m nobody/nothing | named
try inspect -m hub:nobody/nothing | named

for command in 'generate -p x -m hub/org/tiny --adapter' 'convert --out z -m hub/org/tiny --adapter' 'train --data x --out y --steps 1 -m' 'init --out z --from'; do
    try $command nobody/nothing | named
done

echo '-- offline'
export HF_HUB_OFFLINE=1
pull org/tiny
pull org/tiny@v2
pull org/large
paligemma inspect -m org/tiny | head -n 1 | named
cat hub/log
unset HF_HUB_OFFLINE

echo '-- conditions and tokens'
pull org/gated
HF_TOKEN=hf_bad pull org/gated
HF_TOKEN=$'hf_good\nX: y' pull org/gated
printf 'hf_good\n' >home/token
pull org/gated
HF_TOKEN=hf_good pull org/large
sort -u hub/log | grep -c ' token'
grep '^files' hub/log | sort -u
whole large

echo '-- no ranges'
rm -r home/hub
rules '[{"host": "files", "path": "large", "ranges": false}]'
pull org/large
whole large

echo '-- connections that break, hosts that are busy, bytes that do not come'
rm -r home/hub
export HF_HUB_DOWNLOAD_TIMEOUT=1
rules '[{"host": "files", "path": "large", "cut": 3000000, "times": 4}, {"path": "listing|revision", "status": 429, "retry_after": 1, "times": 1},
        {"path": "resolve/.*config", "status": 503, "times": 1}, {"host": "files", "path": "large", "stall": 70000, "times": 1},
        {"host": "files", "path": "large", "status": 403, "times": 1}]'
pull org/large
whole large
unset HF_HUB_DOWNLOAD_TIMEOUT
rm -r home/hub
rules '[{"path": "revision", "status": 429, "retry_after": 1000}]'
pull org/large
rules '[{"path": "revision", "status": 500}]'
pull org/large
rules '[{"host": "files", "path": "large", "cut": 0}]'
pull org/large

echo '-- what is wrong is thrown away'
wrong() {
    rm -rf home/hub
    rules "[$1]"
    pull org/large --connections 1
    find home/hub \( -name "$sum" -o -path '*snapshots*' -type l \) 2>/dev/null
}
sum=$(sha256sum <hub/org/large/model.safetensors | cut -c1-64)
wrong '{"host": "files", "path": "large", "corrupt": 5000}'
wrong '{"host": "files", "path": "large", "set": {"Content-Range": "bytes 0-8388607/9000000"}}'
wrong '{"path": "resolve/.*model", "method": "HEAD", "set": {"X-Linked-Etag": "\"../../../x\""}}'
wrong '{"path": "resolve/.*model", "method": "HEAD", "set": {"X-Linked-Size": "-1"}}'
sum=$({ printf 'blob %d\0' "$(stat -c %s hub/org/large/config.json)" && cat hub/org/large/config.json; } | sha1sum | cut -c1-40)
wrong '{"path": "cache.*config", "method": "GET", "corrupt": 5}'
wrong '{"path": "cache.*config", "method": "GET", "set": {"ETag": "\"0123456789012345678901234567890123456789\""}}'
wrong '{"path": "cache.*config", "method": "GET", "replace": "{}"}'

echo '-- listings that are none'
for names in '["../x"]' '["a/../../x"]' '["/etc/passwd"]' '["a//b"]' '["a\\b"]' '["config.json", "config.json"]' '["."]'; do
    rules "[{\"path\": \"revision\", \"names\": $names}]"
    pull org/large
done
rules '[{"path": "revision", "replace": "{\"sha\": \"../x\", \"siblings\": []}"}]'
pull org/large
rules '[{"path": "revision", "replace": "<html>"}]'
pull org/large
rules '[{"path": "revision", "replace": "[]"}]'
pull org/large
rules '[{"path": "revision", "cut": 20}]'
pull org/large
rules '[{"path": "revision", "names": ["config.json", "config.json/x.json", "tokenizer.json"]}]'
pull org/large
rules '[{"path": "revision", "status": 302, "headers": {"Location": "ftp://127.0.0.1/"}}]'
pull org/large
rules '[{"path": "revision", "status": 302, "headers": {"Location": "/api/models/org/large/revision/main"}}]'
pull org/large
rules '[{"path": "revision", "names": ["model.bin"]}]'
pull org/large
rules '[]'

echo '-- killed, and gone on with'
rm -rf home/hub
rules '[{"host": "files", "path": "large", "pace": 0.02}]'
paligemma pull org/large --connections 3 >/dev/null 2>&1 &
until part=$(find home -name '*.incomplete' -size +1000k 2>/dev/null) && [[ $part ]]; do sleep 0.02; done
kill -KILL $!
wait $! 2>/dev/null
size=$(stat -c %s $part)
head -c "$size" hub/org/large/model.safetensors | cmp - $part && echo 'a beginning of the file'
rules '[]'
pull org/large
grep '^files' hub/log | sed -E 's/.*bytes=([0-9]+)-.*/\1/' | sort -n | head -n 1 | grep -qx "$size" && echo 'goes on there'
whole large

echo '-- another beginning: it is noticed, and all of it is fetched'
sum=$(sha256sum <hub/org/large/model.safetensors | cut -c1-64)
rm $cache--large/{blobs/$sum,snapshots/*/model.safetensors}
head -c 1000000 /dev/zero >$cache--large/blobs/$sum.incomplete
pull org/large
whole large
rm $cache--large/{blobs/$sum,snapshots/*/model.safetensors}
ln -s "$PWD/elsewhere" $cache--large/blobs/$sum.incomplete
pull org/large
ls elsewhere 2>&1
rm $cache--large/blobs/$sum.incomplete

echo '-- no room: a file size limit, which is what a test can have'
(trap '' XFSZ && ulimit -f 4000 && pull org/large)
stat -c %s $cache--large/blobs/$sum.incomplete
pull org/large
whole large

echo '-- Ctrl-C'
rm -r home/hub
set -m
rules '[{"host": "files", "path": "large", "pace": 0.02}]'
paligemma pull org/large >out 2>&1 &
until find home -name '*.incomplete' -size +1000k 2>/dev/null | grep -q .; do sleep 0.02; done
kill -INT $!
wait $!
echo "= $?"
cat out
rules '[]'

echo '-- two at the same time'
rules '[{"host": "files", "path": "large", "pace": 0.005}]'
: >hub/log
paligemma pull org/large >out &
pull org/large
wait $!
named <out
grep -c '^files GET' hub/log
whole large

echo '-- progress'
rm -r home/hub
rules '[]'
paligemma pull org/large --progress 2>&1 >/dev/null | tail -n 1 | sed -E 's/, [0-9.]+ MB/, _ MB/'
kill $server
wait $server 2>/dev/null
pull org/large
HF_ENDPOINT=ftp://x pull org/large
HF_ENDPOINT=http://user:secret@127.0.0.1 pull org/large

echo '-- a proxy that wants a password'
python3 - >proxy <<'END' &
import socket
with socket.create_server(("127.0.0.1", 0)) as proxy:
    print(proxy.getsockname()[1], flush=True)
    while True:
        client, _ = proxy.accept()
        with client:
            client.recv(4096)
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n"
                           b"Content-Length: 0\r\nConnection: close\r\n\r\n")
END
server=$!
until [[ -s proxy ]]; do sleep 0.02; done
https_proxy=http://127.0.0.1:$(<proxy) HF_ENDPOINT=https://hub.invalid pull org/large
kill $server
trap - EXIT
