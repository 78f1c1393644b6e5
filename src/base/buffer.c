#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/reals.h"

pg_status pg_buffer_reserve(pg_buffer *buffer, size_t size)
{
    if (size > SIZE_MAX / 4)
        return pg_fail_memory(size);
    return pg_grow((void **)&buffer->data, &buffer->capacity, size + 1, 1);
}

pg_status pg_buffer_append(pg_buffer *buffer, const void *bytes, size_t size)
{
    if (size > SIZE_MAX / 4)
        return pg_fail_memory(size);
    PG_TRY(pg_buffer_reserve(buffer, buffer->size + size));
    if (size)
        memcpy(buffer->data + buffer->size, bytes, size);
    buffer->size += size;
    buffer->data[buffer->size] = 0;
    return PG_OK;
}

pg_status pg_buffer_print(pg_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = pg_print_list(NULL, 0, format, arguments);
    va_end(arguments);
    if (size < 0)
        return pg_fail(PG_ERROR_ARGUMENT, "text cannot be formatted");
    PG_TRY(pg_grow((void **)&buffer->data, &buffer->capacity, buffer->size + (size_t)size + 1, 1));
    va_start(arguments, format);
    pg_print_list(buffer->data + buffer->size, (size_t)size + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)size;
    return PG_OK;
}

void pg_buffer_reset(pg_buffer *buffer)
{
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = 0;
}

void pg_buffer_free(pg_buffer *buffer)
{
    pg_free(buffer->data);
    *buffer = (pg_buffer){0};
}
