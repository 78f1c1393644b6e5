/* Any bytes as an index of pictures: refused, or every name, stamp and row can be read. */
#include <assert.h>
#include <string.h>

#include "base/memory.h"
#include "tasks/picture_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_picture_index *index;
    if (pg_picture_index_parse(&index, data, size, "fuzz") != PG_OK)
        return 0;
    float *row = pg_alloc(index->width, sizeof *row);
    for (size_t i = 0; i < index->count; i++) {
        char *path;
        assert(*pg_picture_index_stored(index, i));
        if (row)
            pg_picture_index_row(row, index, i);
        (void)pg_picture_index_stamp(index, i);
        if (pg_picture_index_name(&path, index, i) == PG_OK)
            pg_free(path);
    }
    pg_free(row);
    pg_picture_index_close(index);
    return 0;
}
