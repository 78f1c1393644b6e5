/* Base64 (RFC 4648, section 4). */
#ifndef PG_BASE_BASE64_H
#define PG_BASE_BASE64_H

#include "base/buffer.h"

/* Appends the bytes that `size` characters stand for. The padding at the end may be missing; blanks and line breaks are
 * passed over; anything else is PG_ERROR_FORMAT with its place. */
pg_status pg_base64_decode(pg_buffer *out, const char *text, size_t size);

/* Appends characters, with padding. */
pg_status pg_base64_encode(pg_buffer *out, const void *bytes, size_t size);

#endif
