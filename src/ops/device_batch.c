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

static bool overlap(const pg_segment *a, const pg_segment *b)
{
    for (int i = 0; i < a->span_count; i++)
        for (int j = 0; j < b->span_count; j++) {
            const pg_span *x = &a->spans[i], *y = &b->spans[j];
            if (x->first < y->first + y->count && y->first < x->first + x->count)
                return true;
        }
    return false;
}

/* True if every segment's keys lie behind those of the segment before it. */
static bool all_apart(const pg_batch *batch)
{
    int64_t end = 0;
    for (size_t s = 0; s < batch->segment_count; s++) {
        const pg_span *span = batch->segments[s].spans;
        if (batch->segments[s].span_count != 1 || span->first < end)
            return false;
        end = span->first + span->count;
    }
    return true;
}

/* Each segment's turn comes behind those of the segments before it that look at the same keys, because each adds to
 * those keys' derivatives. The number of turns. */
static int64_t give_turns(const pg_batch *batch, pg_device_segment *segments)
{
    int32_t turns = 1;
    if (all_apart(batch))
        return turns;
    for (size_t a = 1; a < batch->segment_count; a++) {
        for (size_t b = 0; b < a; b++)
            if (segments[b].turn >= segments[a].turn && overlap(&batch->segments[a], &batch->segments[b]))
                segments[a].turn = segments[b].turn + 1;
        turns = segments[a].turn >= turns ? segments[a].turn + 1 : turns;
    }
    return turns;
}

static bool has_few(const pg_device_segment *segment, int64_t single)
{
    bool short_one = segment->count <= PG_FEW_QUERIES && segment->past + segment->count >= PG_KEYS_ENOUGH;
    return short_one || segment->first < single;
}

/* The segments, and how much there is to do. */
static pg_placed_batch make_segments(pg_context *g, const pg_batch *batch, pg_device_segment *out)
{
    pg_placed_batch placed = {.turns = 1};
    for (size_t s = 0; s < batch->segment_count; s++) {
        out[s] = segment_on_device(&batch->segments[s]);
        int64_t count = out[s].count;
        bool few = has_few(&out[s], batch->single);
        out[s].few = few ? (int32_t)placed.few_rows : -1;
        placed.few_rows += few ? count : 0;
        placed.longest_few = larger(placed.longest_few, few ? count : 0);
        placed.longest_many = larger(placed.longest_many, few ? 0 : count);
        placed.most_keys = larger(placed.most_keys, out[s].past + count);
    }
    if (g->tape)
        placed.turns = give_turns(batch, out);
    else
        placed.most_keys = pg_device_key_room(placed.most_keys);
    return placed;
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
    size_t at = (batch->segment_count * sizeof(pg_device_segment) + 7) / 8 * 8; /* slots are aligned */
    size_t slots = batch->slots ? (size_t)batch->rows * sizeof *batch->slots : 0;
    size_t positions = batch->positions ? (size_t)batch->rows * sizeof *batch->positions : 0;
    char *host = pg_scratch(g, at + slots + positions), *device = pg_scratch_values(g, at + slots + positions);
    if (!host || !device)
        return;
    pg_placed_batch placed = make_segments(g, batch, (pg_device_segment *)host);
    placed.segments = (const pg_device_segment *)device;
    batch->slots = put(host, device, &at, batch->slots, slots);
    batch->positions = put(host, device, &at, batch->positions, positions);
    batch->placed = placed;
    pg_values_upload(g->device, device, host, at);
}
