# Every option of every command.
paligemma --help
for command in caption ask ocr generate embed explain trace preprocess tokenize inspect perplexity bench data serve classify index search convert help; do
    printf '\n==== %s\n' $command
    paligemma $command --help
done
paligemma help ocr | cmp - <(paligemma ocr -h) && echo "help COMMAND is COMMAND --help"
paligemma help | cmp - <(paligemma -h) && echo "help is --help"
