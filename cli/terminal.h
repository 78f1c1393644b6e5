/* Pictures in the terminal. */
#ifndef PG_CLI_TERMINAL_H
#define PG_CLI_TERMINAL_H

#include <paligemma.h>

/* Shows a picture inline on standard output where that is a terminal which can (kitty's protocol, iTerm2's, sixel) and
 * PALIGEMMA_PICTURES does not say "never"; else does nothing. Returns whether it did. */
bool pg_cli_show_picture(const pg_image *image);

#endif
