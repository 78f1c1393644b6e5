/* SigLIP's way of preparing text. */
#ifndef PG_TEXT_CANONICAL_H
#define PG_TEXT_CANONICAL_H

#include "base/buffer.h"

/* Lower case (if asked for), ASCII punctuation removed, white space and U+2581 collapsed to single spaces, none at the
 * ends: into `out`, replacing what was there. The text is valid UTF-8. */
pg_status pg_canonicalize(pg_buffer *out, const char *text, size_t size, bool lower);

#endif
