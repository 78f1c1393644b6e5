#include "tensor/tape.h"

#include <string.h>

/* ---------------------------------------------------------------- the pool */

/* The smallest free block that is large enough, without wasting more than half of it. */
static pg_pool_block *find_block(pg_tape *tape, size_t bytes)
{
    pg_pool_block *best = NULL;
    for (size_t i = 0; i < tape->pool_count; i++) {
        pg_pool_block *block = &tape->pool[i];
        bool fits = !block->used && block->bytes >= bytes && block->bytes / 2 <= bytes;
        if (fits && (!best || block->bytes < best->bytes))
            best = block;
    }
    return best;
}

static pg_pool_block *add_block(pg_tape *tape, pg_device *device, size_t bytes)
{
    if (pg_grow((void **)&tape->pool, &tape->pool_capacity, tape->pool_count + 1, sizeof *tape->pool) != PG_OK)
        return NULL;
    float *data = pg_values_alloc(device, bytes);
    if (!data)
        return NULL;
    tape->device = device;
    tape->pool[tape->pool_count] = (pg_pool_block){data, bytes, false};
    return &tape->pool[tape->pool_count++];
}

static float *take_block(pg_tape *tape, pg_device *device, size_t bytes)
{
    pg_pool_block *block = find_block(tape, bytes);
    block = block ? block : add_block(tape, device, bytes);
    if (!block)
        return NULL;
    block->used = true;
    return block->data;
}

static void give_back(pg_tape *tape, const float *data)
{
    for (size_t i = 0; data && i < tape->pool_count; i++)
        if (tape->pool[i].data == data)
            tape->pool[i].used = false;
}

size_t pg_tape_bytes(const pg_tape *tape)
{
    size_t bytes = 0;
    for (size_t i = 0; i < tape->pool_count; i++)
        bytes += tape->pool[i].bytes;
    return bytes;
}

void pg_tape_free(pg_tape *tape)
{
    for (size_t i = 0; i < tape->pool_count; i++)
        pg_values_free(tape->device, tape->pool[i].data, tape->pool[i].bytes);
    pg_free(tape->pool);
    *tape = (pg_tape){0};
}

/* ---------------------------------------------------------------- entries */

bool pg_is_trained(const pg_context *g, const pg_parameter *p)
{
    return g->tape && p && (p->grad || (p->lora && p->lora->a.grad));
}

void pg_tape_record(pg_context *g, pg_tensor *out, pg_backward *backward, const void *saved, size_t size)
{
    pg_tape_entry *entry = pg_scratch(g, sizeof *entry);
    void *copy = pg_scratch(g, size);
    if (!entry || !copy)
        return;
    memcpy(copy, saved, size);
    *entry = (pg_tape_entry){g->tape->last, backward, copy, out};
    g->tape->last = entry;
    out->tracked = true;
}

float *pg_gradient_begin(pg_context *g, pg_tensor *x, bool *fresh)
{
    *fresh = false;
    if (!x || !x->tracked || g->status != PG_OK)
        return NULL;
    if (!x->grad) {
        x->grad = take_block(g->tape, g->device, (size_t)(x->rows * x->width) * sizeof *x->grad);
        *fresh = true;
    }
    if (!x->grad)
        g->status = PG_ERROR_MEMORY;
    return x->grad;
}

float *pg_gradient(pg_context *g, pg_tensor *x)
{
    bool fresh;
    float *grad = pg_gradient_begin(g, x, &fresh);
    if (grad && fresh)
        pg_values_clear(g->device, grad, (size_t)(x->rows * x->width) * sizeof *grad);
    return grad;
}

void pg_tape_clear(pg_tape *tape)
{
    tape->last = NULL;
    for (size_t i = 0; i < tape->pool_count; i++)
        tape->pool[i].used = false;
}

/* Goes back through the entries that there are. An entry without a derivative has no part in the loss. */
static void go_back(pg_context *g)
{
    while (g->tape->last && g->status == PG_OK) {
        pg_tape_entry *entry = g->tape->last;
        g->tape->last = entry->previous;
        pg_arena_mark mark = pg_arena_get_mark(&g->arena);
        if (entry->out->grad)
            entry->backward(g, entry->saved);
        pg_arena_release(&g->arena, mark);
        give_back(g->tape, entry->out->grad);
        entry->out->grad = NULL;
    }
}

pg_status pg_tape_backward(pg_context *g, pg_tensor *loss, float weight)
{
    float *grad = loss ? pg_gradient(g, loss) : NULL;
    if (grad) {
        pg_values_upload(g->device, grad, &weight, sizeof weight);
        go_back(g);
    }
    pg_tape_clear(g->tape);
    return g->status;
}

/* ---------------------------------------------------------------- blocks */

typedef struct saved_block {
    pg_block *block;
    const void *arguments;
    pg_tensor *x, *out;
} saved_block;

/* Computes the block again, with its own stretch of tape, and goes back along that. */
static void block_backward(pg_context *g, const void *memory)
{
    const saved_block *saved = memory;
    pg_tape_entry *before = g->tape->last;
    pg_trace_callback *trace = g->trace;
    pg_tensor x = *saved->x;
    x.grad = pg_gradient(g, saved->x);
    g->trace = NULL;
    g->tape->last = NULL;
    pg_tensor *out = saved->block(g, saved->arguments, &x);
    if (out) {
        out->grad = saved->out->grad; /* handed over: go_back() gives it to the pool */
        saved->out->grad = NULL;
        go_back(g);
    }
    g->tape->last = before;
    g->trace = trace;
}

/* Records the block as one entry: its own are dropped with its memory, once they have shown whether it is tracked. */
static pg_tensor *run_recorded(pg_context *g, pg_block *block, const void *arguments, size_t size, pg_tensor *x)
{
    void *kept = pg_scratch(g, size);
    if (!kept || !x)
        return NULL;
    memcpy(kept, arguments, size);
    pg_tape_entry *before = g->tape->last;
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    pg_tensor *inside = block(g, kept, x);
    bool tracked = inside && inside->tracked;
    pg_tensor *out = pg_scope_end(g, mark, inside);
    g->tape->last = before;
    saved_block saved = {block, kept, x, out};
    if (out && tracked)
        pg_tape_record(g, out, block_backward, &saved, sizeof saved);
    return out;
}

pg_tensor *pg_run_block(pg_context *g, pg_arena_mark scope, pg_block *block, const void *arguments, size_t size,
                        pg_tensor *x)
{
    if (!g->tape)
        return pg_scope_end(g, scope, block(g, arguments, x));
    return g->tape->checkpoint ? run_recorded(g, block, arguments, size, x) : block(g, arguments, x);
}
