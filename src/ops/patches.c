/* Pictures to patches. */
#include <string.h>

#include "kernels/device_rows.h"
#include "ops/rows.h"

typedef struct patch_run {
    pg_tensor *out;
    const float *pixels;
    int64_t channels, side, patch;
} patch_run;

static void copy_patch(void *context, int64_t row)
{
    const patch_run *run = context;
    int64_t across = run->side / run->patch, picture = row / (across * across), place = row % (across * across);
    int64_t top = place / across * run->patch, left = place % across * run->patch;
    float *out = pg_row(run->out, row);
    for (int64_t c = 0; c < run->channels; c++)
        for (int64_t y = 0; y < run->patch; y++, out += run->patch) {
            int64_t line = (picture * run->channels + c) * run->side + top + y;
            memcpy(out, run->pixels + line * run->side + left, (size_t)run->patch * sizeof *out);
        }
}

pg_tensor *pg_patches(pg_context *g, const float *pixels, int64_t count, int64_t channels, int64_t side, int64_t patch)
{
    PG_PROFILE(g, "patches", NULL);
    int64_t across = side / patch;
    patch_run run = {pg_tensor_new(g, count * across * across, channels * patch * patch), pixels, channels, side,
                     patch};
    if (!run.out)
        return NULL;
    if (g->device) {
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        const void *there = pg_to_device(g, pixels, (size_t)(count * channels * side * side) * sizeof *pixels);
        PG_DEVICE(g, rows, patches, run.out->data, there, run.out->rows, channels, side, patch);
        pg_arena_release(&g->arena, mark);
    } else
        pg_each_row(g, run.out->rows, run.out->width, copy_patch, &run);
    return run.out;
}
