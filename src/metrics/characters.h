/* Texts as characters, for metrics that count them. */
#ifndef PG_METRICS_CHARACTERS_H
#define PG_METRICS_CHARACTERS_H

#include "base/buffer.h"

typedef struct pg_characters {
    uint32_t *data; /* two line ends stand behind them */
    size_t count;
} pg_characters;

/* Text that is not UTF-8 is PG_ERROR_FORMAT with the offset of the first bad byte. */
pg_status pg_characters_decode(pg_characters *out, const char *text, size_t size);
void pg_characters_free(pg_characters *characters);

/* Appends a character in small letters. */
pg_status pg_lower_append(pg_buffer *out, uint32_t character);

/* Levenshtein's distance: things changed, put in or left out. */
pg_status pg_edit_distance(size_t *out, const uint32_t *a, size_t a_count, const uint32_t *b, size_t b_count);

#endif
