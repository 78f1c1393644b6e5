# The completions and the man page are those that the tables of the program make: tools/make-documents renews them.
paligemma help --format bash | diff "$ROOT/completions/paligemma.bash" - && echo "completion for bash is up to date"
paligemma help --format fish | diff "$ROOT/completions/paligemma.fish" - && echo "completion for fish is up to date"
paligemma help --format zsh | diff "$ROOT/completions/_paligemma" - && echo "completion for zsh is up to date"
paligemma help --format man | diff "$ROOT/docs/man/paligemma.1" - && echo "man page is up to date"
