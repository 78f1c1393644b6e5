/* SHA-256 (FIPS 180-4), for comparing with the sums that golden files hold. */
#ifndef PG_TESTS_SHA256_H
#define PG_TESTS_SHA256_H

#include <stddef.h>

/* 64 hexadecimal digits in lower case. */
void sha256_hex(char out[65], const void *bytes, size_t size);

#endif
