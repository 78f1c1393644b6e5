/* Pictures to values, and to patches. */
#include <string.h>

#include "kernels/device_rows.h"
#include "ops/rows.h"

typedef struct pixel_run {
    float *out;
    uint8_t *bytes; /* of all pictures, for a device */
    const uint8_t *const *pictures;
    const float (*levels)[256];
    int64_t plane;
} pixel_run;

/* A channel of a picture. */
static void fill_plane(void *context, int64_t index)
{
    const pixel_run *run = context;
    const uint8_t *pixels = run->pictures[index / 3] + index % 3;
    const float *levels = run->levels[index % 3];
    float *out = run->out + index * run->plane;
    for (int64_t i = 0; i < run->plane; i++)
        out[i] = levels[pixels[3 * i]];
}

static void gather_picture(void *context, int64_t index)
{
    const pixel_run *run = context;
    size_t bytes = 3 * (size_t)run->plane;
    memcpy(run->bytes + (size_t)index * bytes, run->pictures[index], bytes);
}

/* A byte travels faster than a float. */
static void values_on_device(pg_context *g, pixel_run *run, int64_t count)
{
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    size_t bytes = (size_t)(count * 3 * run->plane);
    run->bytes = pg_scratch(g, bytes);
    if (run->bytes)
        pg_each_row(g, count, 3 * run->plane, gather_picture, run);
    const uint8_t *there = pg_to_device(g, run->bytes, bytes);
    const float(*levels)[256] = pg_to_device(g, run->levels, 3 * sizeof *levels);
    PG_DEVICE(g, rows, pixel_values, run->out, there, count * run->plane, run->plane, levels);
    pg_arena_release(&g->arena, mark);
}

const float *pg_pixel_values(pg_context *g, const uint8_t *const *pictures, int64_t count, int64_t plane,
                             const float levels[3][256])
{
    PG_PROFILE(g, "pixels", NULL);
    pixel_run run = {.pictures = pictures, .levels = levels, .plane = plane};
    run.out = pg_scratch_values(g, (size_t)(count * 3 * plane) * sizeof *run.out);
    if (!run.out)
        return NULL;
    if (g->device)
        values_on_device(g, &run, count);
    else
        pg_each_row(g, 3 * count, plane, fill_plane, &run);
    return g->status == PG_OK ? run.out : NULL;
}

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
