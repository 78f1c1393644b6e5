/* Ctrl-C, and SIGTERM: what runs ends in order. A second one ends the program. */
#ifndef PG_CLI_INTERRUPT_H
#define PG_CLI_INTERRUPT_H

#include <stdbool.h>

/* From here on Ctrl-C is noted; not where the program runs in the background of a script, which ignores it.
 * `terminate`: SIGTERM too. */
void pg_cli_catch_interrupts(bool terminate);

/* True once one came. */
bool pg_cli_interrupted(void);

#endif
