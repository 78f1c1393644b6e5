/* UTF-8 (RFC 3629: no surrogates, no overlong forms) and the white space of Unicode text. */
#ifndef PG_TEXT_UTF8_H
#define PG_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

/* U+2581, which stands for a space in the pieces of a vocabulary. */
#define PG_BLOCK      "\xe2\x96\x81"
#define PG_BLOCK_SIZE 3

/* U+FFFD, which stands for a byte that is no text. */
#define PG_REPLACEMENT "\xef\xbf\xbd"

/* What a text starts with: a character of 1 to 4 bytes, a byte that can start none, or, with all of its bytes seen, the
 * beginning of one. */
#define PG_UTF8_BAD        0
#define PG_UTF8_UNFINISHED (-1)
int pg_utf8_scan(const char *text, size_t size);

/* The same with the character; *out is set only for 1 to 4. */
int pg_utf8_decode(uint32_t *out, const char *text, size_t size);

/* Writes the bytes of a character and returns their number; 0 for a surrogate or a number above U+10FFFF. */
size_t pg_utf8_encode(char out[4], uint32_t character);

/* Offset of the first byte that is not part of valid UTF-8; `size` if there is none. */
size_t pg_utf8_check(const char *text, size_t size);

/* Bytes of a character of valid UTF-8, told by its first byte. */
static inline size_t pg_utf8_size(char first)
{
    unsigned char byte = (unsigned char)first;
    return byte < 0x80 ? 1 : byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4;
}

/* A byte of a character that is not its first. */
static inline bool pg_utf8_continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* White space as Python's str.isspace() has it. */
bool pg_is_space(uint32_t character);

/* Moves both ends of valid UTF-8 inwards over white space. */
void pg_utf8_strip(const char **text, size_t *size);

/* Bytes of white space at the start, or at the end, of valid UTF-8. */
size_t pg_utf8_leading_space(const char *text, size_t size);
size_t pg_utf8_trailing_space(const char *text, size_t size);

#endif
