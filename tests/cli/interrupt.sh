# Ctrl-C ends an answer, and what was made is kept; a batch that was stopped in any way goes on where it was.
set -m # gives background jobs the usual SIGINT
export PALIGEMMA_MODEL=golden/inference/paligemma-tiny-f32/checkpoint
mkfifo pipe
paligemma generate -p 'caption en' -n 8000 --min-new-tokens 8000 >pipe &
exec 3<pipe
read -r -n 1 -u 3
kill -INT $!
cat <&3 >rest
wait $!
echo "= $?"
[[ $(wc -c <rest) -gt 0 && $(tail -c 1 rest) == '' ]] && echo 'the line ends'

paligemma generate -p 'caption en' -n 8000 --min-new-tokens 8000 --json >whole &
until grep -q 'SigCgt:.*[2367abef]$' /proc/$!/status; do :; done # it handles SIGINT by now
kill -INT $!
wait $!
echo "= $?"
grep -o '"finish_reason": "[a-z]*"' whole

for i in {1..20}; do
    echo "{\"prompt\": \"caption $i\"}"
done >batch.jsonl
paligemma generate --batch batch.jsonl -n 100 >whole
for signal in INT TERM KILL; do
    rm -f results
    paligemma generate --batch batch.jsonl -n 100 --parallel 2 --output results 2>/dev/null &
    until [[ -s results ]]; do sleep 0.01; done
    kill -$signal $! && wait $!
    paligemma generate --batch batch.jsonl -n 100 --parallel 3 --output results
    cmp <(mask <results) <(mask <whole) && echo "the same results after SIG$signal"
done 2>/dev/null
