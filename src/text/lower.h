/* Lower case, character by character and without context, as Python's str.lower() of each single character. */
#ifndef PG_TEXT_LOWER_H
#define PG_TEXT_LOWER_H

#include <stddef.h>
#include <stdint.h>

/* Writes the lower-case form (two characters for U+0130, else one) and returns how many there are. */
size_t pg_lower(uint32_t out[2], uint32_t character);

#endif
