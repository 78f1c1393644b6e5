# Pictures in the terminal: three protocols, how one is chosen, and none where nobody would see it.
unset PALIGEMMA_PICTURES KITTY_WINDOW_ID TERM_PROGRAM LC_TERMINAL TMUX STY NO_COLOR
export TERM=xterm-256color
echo '{"objects": []}' >none.json
picture=golden/images/files/raw.ppm
show="paligemma draw $picture --objects none.json"
in_terminal() {
    "$ROOT/tests/scripts/terminal.py" "$@"
}

echo '-- by name'
for protocol in kitty iterm sixel never; do
    PALIGEMMA_PICTURES=$protocol in_terminal --reference $picture $show
done
PALIGEMMA_PICTURES=mosaic in_terminal $show

echo '-- by the environment'
KITTY_WINDOW_ID=1 in_terminal $show
TERM=xterm-ghostty in_terminal $show
TERM_PROGRAM=WezTerm in_terminal $show
LC_TERMINAL=iTerm2 in_terminal $show
TERM=dumb KITTY_WINDOW_ID=1 in_terminal $show
NO_COLOR=1 KITTY_WINDOW_ID=1 in_terminal $show
NO_COLOR=1 PALIGEMMA_PICTURES=kitty in_terminal $show
KITTY_WINDOW_ID=1 in_terminal $show --no-pictures

echo '-- by asking'
in_terminal --answer '[?62;4;22c' $show
in_terminal --answer '[?4;6c' $show
in_terminal --answer '[?62;14;40c' $show
in_terminal --answer 'nonsense' $show
in_terminal $show
TMUX=x KITTY_WINDOW_ID=1 in_terminal --answer '[?1;2c' $show
TMUX=x KITTY_WINDOW_ID=1 in_terminal --answer '[?1;2;4c' $show
TERM=screen TERM_PROGRAM=iTerm.app in_terminal --answer '[?1;2c' $show
in_terminal --interrupt $show
in_terminal --typed 'next' $show | tail -1

echo '-- made smaller where it does not fit'
PALIGEMMA_PICTURES=kitty in_terminal paligemma draw golden/images/files/photo_cow.jpg --objects none.json
PALIGEMMA_PICTURES=sixel in_terminal paligemma draw golden/images/files/w2000h3.jpg --objects none.json
PALIGEMMA_PICTURES=iterm in_terminal paligemma sheet golden/images/files/crop[0-5].jpg --no-captions --cell 64

echo '-- never into a pipe or a file'
PALIGEMMA_PICTURES=kitty in_terminal sh -c "$show | cat"
PALIGEMMA_PICTURES=sixel in_terminal sh -c "$show >file; wc -c <file"
PALIGEMMA_PICTURES=kitty $show 2>&1
KITTY_WINDOW_ID=1 TERM=xterm-kitty $show 2>&1
