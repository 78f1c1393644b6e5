/*
 * The execution context `g` of operations: where tensors live, which kernels compute them, how factors are rounded, who
 * watches.
 *
 * Failure is sticky: an operation that cannot have its memory sets g->status and gives NULL; operations on NULL give
 * NULL. So model code reads like the paper, and whoever runs it looks at g->status once, at the end.
 */
#ifndef PG_TENSOR_CONTEXT_H
#define PG_TENSOR_CONTEXT_H

#include "base/arena.h"
#include "tensor/profile.h"
#include "tensor/tensor.h"

struct pg_kernels;
struct pg_tape;
struct pg_context;

/* Sees what goes into a linear layer, [rows, inputs], before the product is made. */
typedef void pg_watch_callback(void *user, struct pg_context *g, const pg_parameter *w, const pg_tensor *x);

/* Sees an attention: its queries, keys and values, behind the operation and again on its way back (ops/ops.h). */
struct pg_attention_view;
typedef void pg_attention_callback(void *user, struct pg_context *g, const struct pg_attention_view *view);

typedef struct pg_context {
    const struct pg_kernels *kernels;
    int threads;
    pg_device *device;  /* where values lie and operations run, borrowed; NULL: the host (pg_context_on) */
    pg_compute compute; /* F32 or BF16 */
    bool integers;      /* quantised weights are multiplied in whole numbers; else, and on a device, they are widened */
    bool unadapted;     /* low-rank additions are left out: the model is what it was without them */
    pg_arena arena;     /* everything an operation makes; reset by the owner between steps */
    pg_status status;
    pg_trace_callback *trace; /* sees every named intermediate; NULL: nobody */
    void *trace_user;
    pg_watch_callback *watch; /* sees the input of every linear layer; NULL: nobody */
    void *watch_user;
    pg_attention_callback *see_attention; /* sees every attention; NULL: nobody */
    void *attention_user;
    pg_profile *profile;  /* counts the time of every operation; NULL: nobody asks */
    struct pg_tape *tape; /* records what is computed, for the way back (tape.h); NULL: it is only computed */
} pg_context;

/* Says where g computes, before anything is in its arena. */
void pg_context_on(pg_context *g, pg_device *device);

/* An uninitialised f32 matrix in the arena, or NULL. */
pg_tensor *pg_tensor_new(pg_context *g, int64_t rows, int64_t width);

/* The same shape (and `single` rows) as x. */
pg_tensor *pg_tensor_like(pg_context *g, const pg_tensor *x);

/* Scratch memory of the host that lives until the arena is released, or NULL. */
void *pg_scratch(pg_context *g, size_t bytes);

/* The same where values lie: on the device, if g has one. */
void *pg_scratch_values(pg_context *g, size_t bytes);

/* Arrays that the host has, where operations can read them: on the device a copy in the arena, else the array itself.
 * What lies in the arena's memory of the device is there already. NULL on failure, or for NULL. */
const void *pg_to_device(pg_context *g, const void *host, size_t bytes);

/* Values that operations have made, where the host can read them: a copy in the arena, once everything is done, or the
 * values themselves. NULL on failure, or for NULL. */
const void *pg_to_host(pg_context *g, const void *values, size_t bytes);

/* Hands x out under a name made by printf's rules; returns x. The shape is [rows, width]. */
pg_tensor *pg_trace_tensor(pg_context *g, pg_tensor *x, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same for any array. */
void pg_trace_values(pg_context *g, const char *name, const char *dtype, const int64_t *shape, int dimensions,
                     const void *data);

/* A part of the computation of which only the last tensor is needed: pg_scope_end moves it to where the scope began and
 * gives back everything else. */
pg_arena_mark pg_scope_begin(const pg_context *g);
pg_tensor *pg_scope_end(pg_context *g, pg_arena_mark scope, const pg_tensor *result);

/* A part of a model that comes again and again, such as a layer: what it makes of x. `arguments` are `size` bytes that
 * say which one it is. */
typedef pg_tensor *pg_block(pg_context *g, const void *arguments, pg_tensor *x);

/* Runs a block of which only the result is needed: without a tape it ends the scope, as pg_scope_end does; with one, it
 * is kept for the way back, or only its input is (pg_tape.checkpoint). */
pg_tensor *pg_run_block(pg_context *g, pg_arena_mark scope, pg_block *block, const void *arguments, size_t size,
                        pg_tensor *x);

#endif
