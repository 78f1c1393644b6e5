# Ways to write the same thing. A command that reaches its model says that the folder is not there.
try inspect -m nowhere
try inspect -mnowhere
try inspect --model nowhere
try inspect --model=nowhere
try inspect --model other --model nowhere
PALIGEMMA_MODEL=nowhere try inspect
PALIGEMMA_MODEL=other try inspect -m nowhere
try caption -m nowhere -- -picture.jpg
try caption -picture.jpg -m nowhere
try ask picture.jpg -m nowhere -n5 --lang=de 'question' --json --top-logits 3
try generate -m nowhere -p ''
try generate -m nowhere -p -1 --length-penalty -1.5
paligemma generate -m nowhere --help --no-such-option | head -1
