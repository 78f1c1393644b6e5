/* The model of a scheduler, and the same with adapters, by name. A model that has been replaced or forgotten stays as
 * long as jobs use it. The list belongs to whoever holds its lock. */
#ifndef PG_GENERATE_SERVED_MODELS_H
#define PG_GENERATE_SERVED_MODELS_H

#include "generate/model.h"

typedef struct pg_served_model {
    const pg_model *model;
    uint64_t number; /* no other has had it: what is kept for later is kept by it */
    size_t users;
    char *name;      /* NULL: forgotten, or the scheduler's own model */
    pg_model *owned; /* NULL: the scheduler's own model */
    struct pg_served_model *next;
} pg_served_model;

typedef struct pg_served_models {
    pg_served_model *first; /* the scheduler's own is always there */
    uint64_t last_number;
} pg_served_models;

pg_status pg_served_models_init(pg_served_models *out, const pg_model *model);
void pg_served_models_free(pg_served_models *models);

/* The scheduler's own model with the adapter in `folder`, not in the list yet: opening takes time, which is spent
 * without the lock. */
pg_status pg_served_model_open(pg_served_model **out, const pg_model *base, const char *name, const char *folder);

/* Forgets the name; then, unless `model` is NULL, takes that one in under it. Returns what is to be freed without the
 * lock; NULL: nothing. */
pg_served_model *pg_served_models_set(pg_served_models *models, const char *name, pg_served_model *model);

/* A use of the model of that name (NULL or "": the scheduler's own); NULL: there is none. */
pg_served_model *pg_served_models_use(pg_served_models *models, const char *name);

/* The end of it. Returns the model if it is to be freed; NULL. */
pg_served_model *pg_served_models_leave(pg_served_models *models, pg_served_model *model);

void pg_served_model_free(pg_served_model *model); /* NULL is allowed */

#endif
