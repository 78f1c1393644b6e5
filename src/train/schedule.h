/*
 * Learning rates as a function of the step i = 0 .. total - 1:
 *     i < warm:  base * i / warm, so that the very first step moves nothing
 *     cosine:    base * (final + (1 - final) * (1 + cos(pi * p)) / 2), p = (i - warm) / (total - warm)
 *     linear:    base * (1 - (1 - final) * p)
 *     constant:  base
 *     rsqrt:     base / sqrt(1 + (i - warm) / timescale), at least base * final
 */
#ifndef PG_TRAIN_SCHEDULE_H
#define PG_TRAIN_SCHEDULE_H

#include "base/status.h"

typedef enum pg_schedule_kind {
    PG_SCHEDULE_COSINE,
    PG_SCHEDULE_LINEAR,
    PG_SCHEDULE_CONSTANT,
    PG_SCHEDULE_RSQRT,
    PG_SCHEDULE_COUNT,
} pg_schedule_kind;

typedef struct pg_schedule {
    pg_schedule_kind kind;
    double base;       /* the learning rate */
    int64_t total;     /* steps of the run */
    int64_t warm;      /* steps of warm-up; negative: warm_share of the total, rounded down */
    double warm_share; /* 0..1 */
    double final;      /* where the rate ends, as a share of base */
    double timescale;  /* rsqrt: steps after which the rate is base / sqrt(2) (10,000 in big_vision) */
} pg_schedule;

/* Cosine to 0 with 5 % of warm-up: PaliGemma's recipe. base and total are the caller's. */
void pg_schedule_init(pg_schedule *schedule);

/* "cosine", "linear", "constant", "rsqrt"; false if there is no such kind. */
const char *pg_schedule_name(pg_schedule_kind kind);
bool pg_schedule_parse(pg_schedule_kind *out, const char *name);

/* A schedule that makes no sense is PG_ERROR_ARGUMENT. */
pg_status pg_schedule_check(const pg_schedule *schedule);

/* The rate of step i >= 0 of a schedule that passed the check. Beyond the last step it stays as that would be. */
double pg_schedule_rate(const pg_schedule *schedule, int64_t i);

/* Steps of warm-up. */
int64_t pg_schedule_warm(const pg_schedule *schedule);

#endif
