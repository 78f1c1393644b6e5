/* How far two words are from each other, for messages that name what was probably meant. */
#ifndef PG_BASE_EDITS_H
#define PG_BASE_EDITS_H

#include <stdbool.h>
#include <stddef.h>

/* Levenshtein's distance: letters to be changed, put in or left out; SIZE_MAX where b has more than 63. fold: capital
 * letters of a count as small ones. */
size_t pg_edits(const char *a, const char *b, bool fold);

#endif
