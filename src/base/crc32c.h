/* CRC-32C (Castagnoli; RFC 3720): the checksum of TFRecord frames. */
#ifndef PG_BASE_CRC32C_H
#define PG_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t pg_crc32c(const void *bytes, size_t size);

#endif
