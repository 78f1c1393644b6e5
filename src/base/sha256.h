/* SHA-256 (FIPS 180-4): names of files by their content. */
#ifndef PG_BASE_SHA256_H
#define PG_BASE_SHA256_H

#include <stddef.h>

#include "base/status.h"

#define PG_SHA256_TEXT 65 /* room for 64 hexadecimal digits and a NUL */

pg_status pg_sha256_of(char out[PG_SHA256_TEXT], const void *bytes, size_t size);

#endif
