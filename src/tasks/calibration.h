/*
 * Moments of what goes into a model's linear layers, over examples. Moments of large layers are large (16 MB for a
 * window of 2048 inputs), so they are collected for some layers at a time, as many as fit into a gigabyte: each time,
 * all examples go through the model.
 */
#ifndef PG_TASKS_CALIBRATION_H
#define PG_TASKS_CALIBRATION_H

#include "model/feedback.h"
#include "tasks/examples.h"

/* A layer that is watched. */
typedef struct pg_calibration_slot {
    const char *name;
    pg_feedback feedback;
    int64_t rows; /* of activations that it has seen */
} pg_calibration_slot;

typedef struct pg_calibration {
    pg_session *session;
    const pg_example *const *examples;
    size_t example_count;
    int64_t window;
    bool (*on_example)(void *user); /* false: stop */
    void *user;

    pg_calibration_slot *slots;
    size_t slot_count, capacity, bytes;
} pg_calibration;

/* Forgets what was collected before, collects for the first of these weights, as many as there is room for, and puts
 * their number into *done (at least 1). */
pg_status pg_calibration_collect(size_t *done, pg_calibration *calibration, const pg_parameter *const *weights,
                                 size_t count);

/* What was collected for a weight; NULL if no activation came its way. */
const pg_feedback *pg_calibration_find(const pg_calibration *calibration, const char *name);

void pg_calibration_reset(pg_calibration *calibration);

#endif
