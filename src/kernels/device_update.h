/*
 * Steps of optimizers on a device. The arrays of a plan lie in tables, so that one launch works on all of them:
 * hundreds of small arrays cost what a large one does. The arithmetic is that of update_loops.h; sums have a fixed
 * order.
 */
#ifndef PG_KERNELS_DEVICE_UPDATE_H
#define PG_KERNELS_DEVICE_UPDATE_H

#include "kernels/device_kernels.h"
#include "kernels/update_loops.h"

#define PG_UPDATE_TILE_ROWS    1024 /* of a tile of an array, whose columns are summed together */
#define PG_UPDATE_TILE_COLUMNS 256

/* Where Adafactor has its sums of an array. */
typedef struct pg_update_sums {
    int64_t row;     /* the first of its rows among those of all arrays */
    int64_t column;  /* the same for columns */
    int64_t partial; /* of its sums over the rows of a tile: [tiles down][width] */
} pg_update_sums;

/* What Adafactor knows of an array during a step. */
typedef struct pg_update_factor {
    double rate;     /* its learning rate */
    double row_mean; /* of its row_squares */
    float keep, move;
} pg_update_factor;

/* All of it, but the counts, is the device's memory; arrays lie anywhere, best at multiples of 16 bytes. */
typedef struct pg_device_plan {
    const pg_update *updates; /* [count]; with the device's addresses */
    int64_t count;
    const pg_update_piece *pieces; /* [piece_count] */
    int64_t piece_count;
    double *sums; /* [piece_count] */
    double *norm; /* [1] */
    /* Adafactor: */
    const pg_update_sums *places;  /* [count] */
    const pg_update_piece *groups; /* [group_count]: rows first .. first + count - 1 of an array */
    int64_t group_count;
    const pg_update_piece *tiles; /* [tile_count]: `first` is the place of a tile's first value, `count` its rows */
    int64_t tile_count;
    double *row_sums, *partials;
    float *factors;             /* of every column */
    pg_update_factor *factored; /* [count] */
} pg_device_plan;

/* One step of Adafactor, as pg_update_rule says it. */
typedef struct pg_factored_step {
    double rate, decay, grad_scale, clip, smallest_scale;
    double weight; /* of this step's squares in their averages */
} pg_factored_step;

typedef struct pg_device_update {
    void (*norm)(pg_device *device, const pg_device_plan *plan, double *out); /* the length of all derivatives */
    /* step->keep is for arrays with decay */
    void (*adam)(pg_device *device, const pg_device_plan *plan, const pg_adam_step *step);
    void (*adam8)(pg_device *device, const pg_device_plan *plan, const pg_adam_step *step, uint64_t seed,
                  int64_t number);
    void (*sgd)(pg_device *device, const pg_device_plan *plan, const pg_sgd_step *step);
    void (*adafactor)(pg_device *device, const pg_device_plan *plan, const pg_factored_step *step);
    /* Muon's, of one array: m = keep m + share grad; out = keep m + share grad, divided by its length. sums: a double
     * for each PG_UPDATE_PIECE values. */
    void (*direction)(pg_device *device, float *out, float *m, const float *grad, int64_t count, float keep,
                      float share, double *sums);
    void (*blend)(pg_device *device, const pg_device_plan *plan, float share);
} pg_device_update;

#endif
