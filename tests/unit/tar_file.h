/* Tar archives in the making, for tests. */
#ifndef PG_TESTS_TAR_FILE_H
#define PG_TESTS_TAR_FILE_H

#include "check.h"

#include "base/buffer.h"

/* Appends a file: a ustar header, the bytes, zeros up to a multiple of 512. */
static inline void tar_add(pg_buffer *tar, const char *name, const void *bytes, size_t size)
{
    static const char zeros[512];
    char header[512] = {0};
    unsigned sum = 0;
    memcpy(header, name, strnlen(name, 99));
    memcpy(header + 100, "0000644", 8);
    memcpy(header + 108, "0000000", 8);
    memcpy(header + 116, "0000000", 8);
    snprintf(header + 124, 12, "%011o", (unsigned)size);
    memcpy(header + 136, "00000000000", 12);
    memset(header + 148, ' ', 8);
    header[156] = '0';
    memcpy(header + 257, "ustar\00000", 8);
    for (size_t i = 0; i < 512; i++)
        sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    CHECK_OK(pg_buffer_append(tar, header, 512));
    CHECK_OK(pg_buffer_append(tar, bytes, size));
    CHECK_OK(pg_buffer_append(tar, zeros, (512 - size % 512) % 512));
}

static inline void tar_add_text(pg_buffer *tar, const char *name, const char *text)
{
    tar_add(tar, name, text, strlen(text));
}

static inline void tar_finish(pg_buffer *tar)
{
    static const char zeros[1024];
    CHECK_OK(pg_buffer_append(tar, zeros, 1024));
}

#endif
