# How well a model predicts a text.
export PALIGEMMA_MODEL=golden/inference/gemma-tiny-mha/checkpoint
printf 'The cow walked slowly along the beach while the tide came in.' >text
paligemma perplexity text --json | sed -E 's/(\.[0-9]{3})[0-9]*/\1/g'
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
