/* The arrays of a batch on a device, in one piece: segments, slots, positions. */
#include <string.h>

#include "kernels/device_attention.h"
#include "ops/ops.h"

static pg_device_segment segment_on_device(const pg_segment *segment)
{
    pg_device_segment out = {.first = (int32_t)segment->first,
                             .count = (int32_t)segment->count,
                             .prefix = (int32_t)segment->prefix};
    for (int i = 0; i < segment->span_count; i++) {
        out.spans[i][0] = (int32_t)segment->spans[i].first;
        out.spans[i][1] = (int32_t)segment->spans[i].count;
        out.past += out.spans[i][1];
    }
    out.past -= out.count;
    return out;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Copies an array behind what is there; where that is on the device, whose copy begins at `device`. */
static const void *put(char *host, const char *device, size_t *at, const void *array, size_t bytes)
{
    if (!array)
        return NULL;
    memcpy(host + *at, array, bytes);
    *at += bytes;
    return device + *at - bytes;
}

void pg_batch_place(pg_context *g, pg_batch *batch)
{
    if (!g->device || batch->placed.segments || !batch->segment_count)
        return;
    size_t at = batch->segment_count * sizeof(pg_device_segment);
    size_t slots = batch->slots ? (size_t)batch->rows * sizeof *batch->slots : 0;
    size_t positions = batch->positions ? (size_t)batch->rows * sizeof *batch->positions : 0;
    char *host = pg_scratch(g, at + slots + positions), *device = pg_scratch_values(g, at + slots + positions);
    if (!host || !device)
        return;
    pg_placed_batch placed = {.segments = (const pg_device_segment *)device};
    for (size_t s = 0; s < batch->segment_count; s++) {
        pg_device_segment segment = segment_on_device(&batch->segments[s]);
        placed.longest = larger(placed.longest, segment.count);
        placed.most_keys = larger(placed.most_keys, segment.past + segment.count);
        memcpy(host + s * sizeof segment, &segment, sizeof segment);
    }
    batch->slots = put(host, device, &at, batch->slots, slots);
    batch->positions = put(host, device, &at, batch->positions, positions);
    batch->placed = placed;
    pg_values_upload(g->device, device, host, at);
}
