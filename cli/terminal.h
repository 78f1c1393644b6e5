/*
 * Pictures in the terminal: kitty's protocol (also Ghostty's), iTerm2's (also WezTerm's, mintty's) or sixel
 * (xterm -ti vt340, foot, mlterm, Windows Terminal, tmux that knows it, ...).
 *
 * Which one is told by the environment, and where that says nothing, by asking the terminal once. PALIGEMMA_PICTURES
 * overrules both: never, auto, kitty, iterm or sixel. Nothing is shown where standard output is no terminal, and unless
 * asked for by name, with NO_COLOR or TERM=dumb; inside tmux and screen, which swallow what they do not know, only
 * sixel where they say that they have it.
 */
#ifndef PG_CLI_TERMINAL_H
#define PG_CLI_TERMINAL_H

#include "output.h"

/* The option of commands that show pictures: for a bool field of a group's settings. */
#define PG_CLI_NO_PICTURES(type, field)                                                                     \
    {                                                                                                       \
        "no-pictures", 0, NULL, PG_CLI_FLAG, offsetof(type, field), "show no picture in the terminal", 0, 0 \
    }

/* Shows a picture on standard output, made smaller where it does not fit; else does nothing. Returns whether it did. */
bool pg_cli_show_picture(const pg_image *image);

/* What a command does with a picture that it made: writes it to `out`, or (NULL) shows it, unless `hidden`; an error
 * where neither is possible. */
int pg_cli_picture_deliver(const pg_image *image, const char *out, bool hidden);

/* The picture as sixels: six rows of pixels a character, 240 colours, dithered. Prints to standard output whatever that
 * is.
 */
void pg_cli_put_sixels(const pg_image *image);

#endif
