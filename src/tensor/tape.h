/*
 * The tape: which operations made what, so that going back along it gives the derivatives of a loss.
 *
 * While pg_context.tape is set, an operation whose result depends on something that is trained leaves an entry: how to
 * go back, and what it needs for that. pg_tape_backward() goes through the entries from the last to the first; each
 * adds to the gradients of its inputs and of its parameters. Tensors and entries lie in the context's arena, so they
 * must not be released before; gradients of tensors come from the tape's own pool and go back there as soon as they
 * have been used.
 */
#ifndef PG_TENSOR_TAPE_H
#define PG_TENSOR_TAPE_H

#include "tensor/context.h"

typedef void pg_backward(pg_context *g, const void *saved);

typedef struct pg_tape_entry {
    struct pg_tape_entry *previous;
    pg_backward *backward;
    const void *saved;
    pg_tensor *out;
} pg_tape_entry;

/* Memory for gradients: blocks that are used again and again. */
typedef struct pg_pool_block {
    float *data;
    size_t bytes;
    bool used;
} pg_pool_block;

typedef struct pg_tape {
    pg_tape_entry *last;
    bool checkpoint;     /* blocks (pg_run_block) keep only their input and are computed again on the way back */
    double dropout;      /* share of the values that layers add to the residual stream which is left out */
    bool keep_all;       /* no dropout at all, not of an adapter's either: derivatives of the model as it answers */
    uint64_t seed, step; /* what dropout is drawn from, beside its place in the model */
    pg_device *device;   /* whose memory the pool is; NULL: the host's */
    pg_pool_block *pool;
    size_t pool_count, pool_capacity;
} pg_tape;

/* Starts as {0}; free gives back the pool. */
void pg_tape_free(pg_tape *tape);

/* True where a result that depends on x must be on the tape. */
static inline bool pg_tracked(const pg_context *g, const pg_tensor *x)
{
    return g->tape && x && x->tracked;
}

/* True where one that depends on the weight must: it or its low-rank addition is trained. p may be NULL. */
bool pg_is_trained(const pg_context *g, const pg_parameter *p);

/* Leaves an entry with a copy of `saved`, and marks `out` as tracked. */
void pg_tape_record(pg_context *g, pg_tensor *out, pg_backward *backward, const void *saved, size_t size);

/* Where the derivative of x is to be added, zero at first; NULL if x is not tracked or there is no memory. */
float *pg_gradient(pg_context *g, pg_tensor *x);

/* The same, but memory that is new is not cleared: *fresh says so, and then every value must be written, not added. */
float *pg_gradient_begin(pg_context *g, pg_tensor *x, bool *fresh);

/* Goes back from `loss` [1, 1], whose own derivative is `weight`. Afterwards the tape is empty. Trained parameters have
 * their derivatives added to pg_parameter.grad. */
pg_status pg_tape_backward(pg_context *g, pg_tensor *loss, float weight);

/* Forgets the entries, for example after a failure, and gives their gradients back to the pool. */
void pg_tape_clear(pg_tape *tape);

/* Bytes of the pool. */
size_t pg_tape_bytes(const pg_tape *tape);

#endif
