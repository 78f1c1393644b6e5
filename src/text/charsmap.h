/* SentencePiece's precompiled normalisation rules: a double array of prefixes, each leading to its replacement.
 * Layout, all little-endian: u32 size of the array in bytes; the array, u32 a unit (Darts-clone's bit fields); the
 * replacements, each ending in NUL. */
#ifndef PG_TEXT_CHARSMAP_H
#define PG_TEXT_CHARSMAP_H

#include "base/memory.h"

typedef struct pg_charsmap {
    uint32_t *units;
    size_t unit_count;
    char *replacements;
    size_t replacements_size;
} pg_charsmap;

/* From the bytes of the field precompiled_charsmap; `name` is the file's, for errors. No bytes: no rules. */
pg_status pg_charsmap_read(pg_charsmap *out, const uint8_t *bytes, size_t size, const char *name);
void pg_charsmap_free(pg_charsmap *map);

/* Bytes of the longest prefix of the text (valid UTF-8) that has a rule, 0 if none has; *to: its replacement. Rules
 * that would take part of a character or give no valid UTF-8 do not count. */
size_t pg_charsmap_match(const char **to, const pg_charsmap *map, const char *text, size_t size);

#endif
