# Training waits while another command has the machine, and goes on afterwards.
model=golden/training/checkpoints/paligemma
echo "{\"image\": \"$PWD/golden/inference/images/small.png\", \"prefix\": \"caption en\", \"suffix\": \"a cow\"}" >rows.jsonl
paligemma train -m $model --data rows.jsonl --out run --steps 1000000 --batch 1 --save-every 1000000 -t 1 >log 2>&1 &
trainer=$!
until [[ -e run/config.json ]]; do sleep 0.05; done
cat >state <<END
#!/bin/sh
case \$(sed 's/.*) //' /proc/$trainer/stat) in T*) echo waits ;; *) echo runs ;; esac
END
chmod +x state
./state
"$ROOT/tools/quiet" sh -c './state; exit 3'
echo "= $?"
./state
"$ROOT/tools/quiet" sleep 0.3 &
until [[ $(./state) == waits ]]; do sleep 0.02; done
kill -TERM $!
wait $!
echo "= $?"
./state
kill -STOP $trainer # by somebody else
until [[ $(./state) == waits ]]; do sleep 0.02; done
"$ROOT/tools/quiet" true
./state
kill -KILL $trainer
"$ROOT/tools/quiet"
echo "= $?"
