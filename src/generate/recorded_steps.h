/* Steps of generated tokens on a device: one whose shape has come up before is asked for at once, not operation by
 * operation. What it computes, and its bits, are the same. */
#ifndef PG_GENERATE_RECORDED_STEPS_H
#define PG_GENERATE_RECORDED_STEPS_H

#include "generate/model.h"
#include "tensor/context.h"

#define PG_RECORDED_STEPS 32 /* kept; the one that has not been used for longest makes room */

/* What a recorded step depends on: what it computes, how much of it, and where everything lies. All other things, such
 * as token ids, positions and the places of keys, are read from the device's memory. Compared as bytes: there are none
 * between the members. */
typedef struct pg_step_shape {
    uint64_t model;    /* pg_model.number */
    int64_t unadapted; /* 0 or 1 */
    int64_t rows, single;
    size_t segments;
    pg_placed_batch placed;
    const void *ids, *positions, *slots, *hidden;
} pg_step_shape;

typedef struct pg_recorded_step {
    pg_step_shape shape;
    pg_recording *recording; /* NULL: it has come up once, or cannot be recorded */
    bool tried;              /* to record it */
    uint64_t used;           /* when, as a number of the step; 0: this place is free */
} pg_recorded_step;

/* Starts as {0}. */
typedef struct pg_recorded_steps {
    pg_recorded_step steps[PG_RECORDED_STEPS];
    uint64_t taken; /* steps so far, recorded or not */
    uint64_t replayed;
} pg_recorded_steps;

/* The hidden states of the tokens `ids` of a batch that has nothing but generated tokens, after the final norm: [rows,
 * D] in the arena; NULL on failure (g->status). */
pg_tensor *pg_recorded_step_run(pg_recorded_steps *steps, pg_context *g, const pg_model *model, const int32_t *ids,
                                pg_batch *batch, const pg_cache *cache);

void pg_recorded_steps_free(pg_recorded_steps *steps, pg_device *device);

#endif
