#include "tensor/quantized_arrays.h"

#include <stdio.h>

void pg_quantized_arrays_init(pg_quantized_arrays *out, const pg_quantized *w, const char *name)
{
    static const char *const endings[] = {"", "_scale", "_step"};
    int64_t groups = pg_quantized_groups(w->rows), padded = pg_quantized_padded(w->inputs);
    int64_t blocks = pg_quantized_blocks(w->inputs, w->block);
    out->count = w->bits == 4 ? 3 : 2;
    if (w->bits == 4)
        out->arrays[0] = (pg_array){.dimensions = 5, .shape = {groups, padded / 32, 4, 16, 4}, .data = w->values};
    else
        out->arrays[0] = (pg_array){.dimensions = 4, .shape = {groups, padded / 4, 16, 4}, .data = w->values};
    out->arrays[1] = (pg_array){.dimensions = 3, .shape = {groups, blocks, 16}, .data = w->scales};
    out->arrays[2] = (pg_array){.dimensions = 3, .shape = {groups, padded / 32, 16}, .data = w->steps};
    for (int i = 0; i < out->count; i++) {
        snprintf(out->names[i], sizeof out->names[i], "%s%s", name, endings[i]);
        out->arrays[i].name = out->names[i];
        out->arrays[i].dtype = i == 1 ? PG_BF16 : PG_U8;
        pg_array_size(&out->arrays[i].bytes, &out->arrays[i]);
    }
}
