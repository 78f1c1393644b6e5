/*
 * Steps of optimizers over a list of arrays, on all threads. Arrays are cut into pieces of a fixed size and every sum
 * is taken in a fixed order, so that any number of threads gives the same bits.
 */
#ifndef PG_OPS_UPDATE_H
#define PG_OPS_UPDATE_H

#include "base/device.h"
#include "kernels/update_loops.h"

struct pg_kernels;
struct pg_device_plan;

/* Floats of pg_update.scales for so many values: two for each block of 256. */
int64_t pg_update_scales(int64_t values);

#define PG_UPDATE_TABLES 16

typedef struct pg_update_plan {
    pg_device *device; /* where the arrays lie and the steps are made; NULL: the host */
    const struct pg_kernels *kernels;
    int threads;
    const pg_update *updates;
    size_t count;
    pg_update_piece *pieces;
    size_t piece_count;
    double *sums;                     /* one for each piece, or for each row of the tallest array */
    float *factors;                   /* one for each column of the widest */
    struct pg_device_plan *on_device; /* the same as tables there; NULL on the host */
    void *tables[PG_UPDATE_TABLES];   /* their memory */
    int table_count;
} pg_update_plan;

/* `updates` is borrowed; the addresses in it are the device's, if there is one. Freed with pg_update_plan_free. */
pg_status pg_update_plan_init(pg_update_plan *out, pg_device *device, const struct pg_kernels *kernels, int threads,
                              const pg_update *updates, size_t count);
void pg_update_plan_free(pg_update_plan *plan);

/* What all optimizers are told. */
typedef struct pg_update_rule {
    int64_t step;      /* from 1 */
    double rate;       /* the learning rate */
    double decay;      /* weight decay; of arrays with `decay` */
    double grad_scale; /* derivatives are multiplied by it first */
    double beta1, beta2, epsilon;
    double momentum;       /* SGD, Muon */
    uint64_t seed;         /* of the rounding of 8-bit moments */
    double clip;           /* Adafactor: a step whose root mean square is larger is shortened to it */
    double decay_exponent; /* Adafactor: squares are averaged with weight step^-decay_exponent */
    double
        smallest_scale; /* Adafactor: rate is multiplied by the root mean square of the values, at least this; 0: not */
} pg_update_rule;

/* The length of all derivatives as one vector, summed in double; not finite where one of them is not, and after a
 * failure of the device (pg_device_wait says which). On a device the only function here that waits for it. */
double pg_update_norm(const pg_update_plan *plan);

void pg_update_adam(const pg_update_plan *plan, const pg_update_rule *rule);      /* m, v */
void pg_update_adam8(const pg_update_plan *plan, const pg_update_rule *rule);     /* m_codes, v_codes, scales */
void pg_update_sgd(const pg_update_plan *plan, const pg_update_rule *rule);       /* m, where there is momentum */
void pg_update_adafactor(const pg_update_plan *plan, const pg_update_rule *rule); /* row_squares, column_squares */

/* Muon: m of matrices, in memory that one of these has. `plan` is borrowed; bf16: how products round their factors. */
typedef struct pg_muon pg_muon;
pg_status pg_muon_new(pg_muon **out, const pg_update_plan *plan, bool bf16);
void pg_muon_free(pg_muon *muon);                  /* NULL is allowed, also after a failure */
size_t pg_muon_bytes(int64_t rows, int64_t width); /* what it takes if this is the largest matrix of the plan */
void pg_update_muon(pg_muon *muon, const pg_update_rule *rule);

/* average += share * (values - average) */
void pg_update_blend(const pg_update_plan *plan, double share);

#endif
