/* Arrays for other programs. */
#include <string.h>

#include "tensor/npy.h"

pg_status pg_save_npy(const char *path, const char *dtype, const int64_t *shape, int dimensions, const void *data)
{
    pg_array array = {.name = path, .dimensions = dimensions, .data = data};
    if (!pg_dtype_parse(&array.dtype, dtype))
        return pg_fail(PG_ERROR_ARGUMENT, "%s: there is no dtype \"%s\"", path, dtype);
    if (dimensions < 0 || dimensions > PG_ARRAY_DIMENSIONS)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: %d dimensions, expected 0 to %d", path, dimensions, PG_ARRAY_DIMENSIONS);
    memcpy(array.shape, shape, (size_t)dimensions * sizeof *shape);
    if (!pg_array_size(&array.bytes, &array))
        return pg_fail(PG_ERROR_LIMIT, "%s: too large", path);
    return pg_npy_save(path, &array);
}
