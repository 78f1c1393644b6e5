/* What tokens are told by: kinds of characters, runs of them, fixed texts. Texts end in two line ends, which belong to
 * no token and so stop every loop. */
#ifndef PG_METRICS_PTB_MATCHING_H
#define PG_METRICS_PTB_MATCHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PG_PTB_SOFT_HYPHEN 0xadu
#define PG_PTB_NO_BREAK    0xa0u

bool pg_ptb_is_letter(uint32_t c);
bool pg_ptb_is_digit(uint32_t c);
bool pg_ptb_is_alphanumeric(uint32_t c);
bool pg_ptb_is_blank(uint32_t c);
bool pg_ptb_is_line_end(uint32_t c);

/* Of ASCII only. */
bool pg_ptb_is_latin(uint32_t c);
bool pg_ptb_is_latin_digit(uint32_t c);
bool pg_ptb_is_latin_alphanumeric(uint32_t c);
bool pg_ptb_is_any(uint32_t c, const char *set); /* one of some characters */
uint32_t pg_ptb_small(uint32_t c);               /* the small letter of a capital; other characters as they are */

/* How many characters in a row are of a kind, or the same as one. */
size_t pg_ptb_run(const uint32_t *s, bool (*belongs)(uint32_t));
size_t pg_ptb_run_of(const uint32_t *s, uint32_t character);

/* How much of the text is `pattern` of `size` bytes, in small or capital letters; a ' in it is any apostrophe, and a
 * capital letter only itself. */
size_t pg_ptb_match(const uint32_t *s, const char *pattern, size_t size);

/* The longest of several patterns with | between them that the text begins with. */
size_t pg_ptb_match_any(const uint32_t *s, const char *patterns);

/* The size of an apostrophe: ', its typographic forms, &apos;; also of marks that stand for one, rightly or not. */
size_t pg_ptb_apostrophe(const uint32_t *s);
size_t pg_ptb_apostrophe_like(const uint32_t *s);

#endif
