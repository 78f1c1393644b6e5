/* A growing run of bytes that always ends in NUL: text and files in the making. */
#ifndef PG_BASE_BUFFER_H
#define PG_BASE_BUFFER_H

#include "base/memory.h"

typedef struct pg_buffer {
    char *data; /* NULL while empty */
    size_t size, capacity;
} pg_buffer;

/* Room for `size` bytes in all: up to there nothing is allocated. */
pg_status pg_buffer_reserve(pg_buffer *buffer, size_t size);

pg_status pg_buffer_append(pg_buffer *buffer, const void *bytes, size_t size);
pg_status pg_buffer_print(pg_buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Empties the buffer and keeps its memory. */
void pg_buffer_reset(pg_buffer *buffer);
void pg_buffer_free(pg_buffer *buffer);

#endif
