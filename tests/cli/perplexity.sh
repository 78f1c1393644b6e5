# How well a model predicts a text.
export PALIGEMMA_MODEL=golden/inference/gemma-tiny-mha/checkpoint
# golden: the mean over the tokens 1..299 of a text that begins with <bos>
sed -n 's/.*"text": "\(The cow walked slowly.*\)",*$/\1/p' golden/inference/gemma-tiny-mha/expected.json >whole
ids=$(paligemma tokenize "$(cat whole)" | cut -d' ' -f1-299)
printf %s "$(paligemma tokenize --decode "$ids")" >text
grep -o '"mean_nll": [0-9]*\.[0-9]\{4\}' golden/inference/gemma-tiny-mha/expected.json
paligemma perplexity text --json | grep -o '"mean_nll": [0-9]*\.[0-9]\{4\}'

printf 'The cow walked slowly along the beach while the tide came in.' >text
paligemma perplexity text --json | mask
paligemma perplexity text | sed -E 's/(\.[0-9]{3})[0-9]*/\1/g'
paligemma perplexity - <text | sed -E 's/(\.[0-9]{3})[0-9]*/\1/g'
# Independent windows: two halves of ten tokens each give the sum of the two.
paligemma perplexity text --window 6 | sed -E 's/(\.[0-9]{3})[0-9]*/\1/g'
: >empty
printf 'abc\xff' >binary
try perplexity empty
try perplexity binary
try perplexity missing
try perplexity -m golden/inference/siglip-tiny/checkpoint text
