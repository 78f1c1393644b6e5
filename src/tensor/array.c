#include "tensor/array.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pg_array_size(size_t *out, const pg_array *array)
{
    if (array->dimensions < 0 || array->dimensions > PG_ARRAY_DIMENSIONS)
        return false;
    int64_t size = (int64_t)pg_dtype_size(array->dtype);
    bool empty = false;
    for (int i = 0; i < array->dimensions; i++) {
        if (array->shape[i] < 0)
            return false;
        if (array->shape[i] == 0)
            empty = true;
        else if (__builtin_mul_overflow(size, array->shape[i], &size))
            return false;
    }
    *out = empty ? 0 : (size_t)size;
    return true;
}

const char *pg_array_shape_text(char out[PG_SHAPE_TEXT], const pg_array *array)
{
    int used = snprintf(out, PG_SHAPE_TEXT, "[");
    for (int i = 0; i < array->dimensions; i++)
        used +=
            snprintf(out + used, (size_t)(PG_SHAPE_TEXT - used), "%s%lld", i ? ", " : "", (long long)array->shape[i]);
    snprintf(out + used, (size_t)(PG_SHAPE_TEXT - used), "]");
    return out;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const pg_array *)a)->name, ((const pg_array *)b)->name);
}

void pg_array_sort(pg_array *arrays, size_t count)
{
    qsort(arrays, count, sizeof *arrays, compare_names);
}

const pg_array *pg_array_find(const pg_array *arrays, size_t count, const char *name)
{
    pg_array key = {.name = name};
    return bsearch(&key, arrays, count, sizeof key, compare_names);
}
