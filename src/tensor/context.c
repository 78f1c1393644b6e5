#include "tensor/context.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void *pg_scratch(pg_context *g, size_t bytes)
{
    void *memory = g->status == PG_OK ? pg_arena_alloc(&g->arena, bytes) : NULL;
    if (!memory && g->status == PG_OK)
        g->status = PG_ERROR_MEMORY;
    return memory;
}

void pg_context_on(pg_context *g, pg_device *device)
{
    g->device = device;
    g->arena.device = device;
}

void *pg_scratch_values(pg_context *g, size_t bytes)
{
    void *memory = g->status == PG_OK ? pg_arena_alloc_values(&g->arena, bytes) : NULL;
    if (!memory && g->status == PG_OK)
        g->status = PG_ERROR_MEMORY;
    return memory;
}

const void *pg_to_device(pg_context *g, const void *host, size_t bytes)
{
    if (g->device && pg_arena_has_values(&g->arena, host))
        return host;
    void *values = g->device && host ? pg_scratch_values(g, bytes) : NULL;
    if (!values)
        return g->device || g->status != PG_OK ? NULL : host;
    pg_values_upload(g->device, values, host, bytes);
    return values;
}

const void *pg_to_host(pg_context *g, const void *values, size_t bytes)
{
    void *host = g->device && values ? pg_scratch(g, bytes) : NULL;
    if (!host)
        return g->device || g->status != PG_OK ? NULL : values;
    g->status = pg_values_download(g->device, host, values, bytes);
    return g->status == PG_OK ? host : NULL;
}

pg_tensor *pg_tensor_new(pg_context *g, int64_t rows, int64_t width)
{
    pg_tensor *tensor = pg_scratch(g, sizeof *tensor);
    void *data = pg_scratch_values(g, (size_t)rows * (size_t)width * sizeof(float));
    if (!data)
        return NULL;
    *tensor = (pg_tensor){.dtype = PG_F32, .rows = rows, .width = width, .data = data};
    return tensor;
}

pg_tensor *pg_tensor_like(pg_context *g, const pg_tensor *x)
{
    pg_tensor *tensor = pg_tensor_new(g, x->rows, x->width);
    if (tensor)
        tensor->single = x->single;
    return tensor;
}

void pg_trace_values(pg_context *g, const char *name, const char *dtype, const int64_t *shape, int dimensions,
                     const void *data)
{
    if (!g->trace || g->status != PG_OK)
        return;
    pg_trace_array array = {name, dtype, shape, dimensions, data};
    g->status = g->trace(g->trace_user, &array);
}

pg_tensor *pg_trace_tensor(pg_context *g, pg_tensor *x, const char *format, ...)
{
    if (!g->trace || !x)
        return x;
    char name[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    const void *values = pg_to_host(g, x->data, (size_t)(x->rows * x->width) * sizeof(float));
    pg_trace_values(g, name, "F32", (const int64_t[]){x->rows, x->width}, 2, values);
    pg_arena_release(&g->arena, mark);
    return x;
}

pg_arena_mark pg_scope_begin(const pg_context *g)
{
    return pg_arena_get_mark(&g->arena);
}

pg_tensor *pg_scope_end(pg_context *g, pg_arena_mark scope, const pg_tensor *result)
{
    if (!result)
        return NULL;
    pg_tensor from = *result;
    pg_arena_release(&g->arena, scope);
    pg_tensor *to = pg_tensor_like(g, &from);
    if (to)
        pg_values_move(g->device, to->data, from.data, (size_t)(from.rows * from.width) * sizeof(float));
    return to;
}
