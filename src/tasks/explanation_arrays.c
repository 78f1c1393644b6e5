/* Explanations as arrays for other programs. */
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "tensor/npz.h"
#include "tensor/safetensors.h"

#define ARRAYS 6

typedef struct array_list {
    pg_array items[ARRAYS];
    size_t count;
} array_list;

static pg_status add(array_list *list, const char *name, pg_dtype dtype, const void *data, const int64_t *shape,
                     int dimensions)
{
    pg_array *array = &list->items[list->count++];
    *array = (pg_array){.name = name, .dtype = dtype, .dimensions = dimensions, .data = data};
    memcpy(array->shape, shape, (size_t)dimensions * sizeof *shape);
    if (!pg_array_size(&array->bytes, array))
        return pg_fail(PG_ERROR_LIMIT, "%s: too large for a file", name);
    return PG_OK;
}

/* What the structures have as other types. */
typedef struct converted {
    float *shares, *token_shares;
    int64_t *spans, *tokens;
} converted;

static void free_converted(converted *c)
{
    pg_free(c->shares);
    pg_free(c->token_shares);
    pg_free(c->spans);
    pg_free(c->tokens);
}

static pg_status convert(converted *out, const pg_explanation *e)
{
    out->shares = pg_alloc(e->part_count, sizeof *out->shares);
    out->spans = pg_alloc(e->part_count * 2, sizeof *out->spans);
    out->token_shares = pg_alloc(e->token_count, sizeof *out->token_shares);
    out->tokens = pg_alloc(e->token_count, sizeof *out->tokens);
    if (!out->shares || !out->spans || !out->token_shares || !out->tokens)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < e->part_count; i++) {
        out->shares[i] = (float)e->parts[i].share;
        out->spans[2 * i] = (int64_t)e->parts[i].first;
        out->spans[2 * i + 1] = (int64_t)e->parts[i].count;
    }
    for (size_t i = 0; i < e->token_count; i++) {
        out->token_shares[i] = (float)e->token_shares[i];
        out->tokens[i] = e->tokens[i];
    }
    return PG_OK;
}

static pg_status list_arrays(array_list *out, const pg_explanation *e, const converted *c)
{
    int64_t parts = (int64_t)e->part_count, tokens = (int64_t)e->token_count;
    int64_t images = (int64_t)e->images, rows = (int64_t)e->rows, columns = (int64_t)e->columns;
    PG_TRY(add(out, "maps", PG_F32, e->maps, (const int64_t[]){parts, images, rows, columns}, 4));
    PG_TRY(add(out, "shares", PG_F32, c->shares, (const int64_t[]){parts}, 1));
    if (!tokens)
        return PG_OK;
    PG_TRY(add(out, "spans", PG_I64, c->spans, (const int64_t[]){parts, 2}, 2));
    PG_TRY(add(out, "token_maps", PG_F32, e->token_maps, (const int64_t[]){tokens, images, rows, columns}, 4));
    PG_TRY(add(out, "token_shares", PG_F32, c->token_shares, (const int64_t[]){tokens}, 1));
    return add(out, "tokens", PG_I64, c->tokens, (const int64_t[]){tokens}, 1);
}

pg_status pg_explanation_save(const char *path, const pg_explanation *explanation)
{
    bool npz = pg_ends_in(path, ".npz");
    array_list list = {0};
    converted c = {0};
    if (!npz && !pg_ends_in(path, ".safetensors"))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: the name ends in neither .npz nor .safetensors", path);
    pg_status status = convert(&c, explanation);
    if (status == PG_OK)
        status = list_arrays(&list, explanation, &c);
    if (status == PG_OK)
        status =
            npz ? pg_npz_save(path, list.items, list.count, true) : pg_safetensors_save(path, list.items, list.count);
    free_converted(&c);
    return status;
}
