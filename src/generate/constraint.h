/* Which tokens an answer may go on with. */
#ifndef PG_GENERATE_CONSTRAINT_H
#define PG_GENERATE_CONSTRAINT_H

#include "generate/model.h"
#include "tensor/context.h"

struct pg_constraint {
    pg_permit_callback *permit;
    void *user;
    void (*release)(void *user); /* frees `user`; NULL: it is somebody else's */
};

/* A constraint that owns `user`, also on failure. */
pg_status pg_constraint_make(pg_constraint **out, pg_permit_callback *permit, void *user, void (*release)(void *user));

/* Tokens that may follow: ids, ascending; NULL: any. */
typedef struct pg_permitted {
    const int32_t *ids;
    int64_t count; /* 0 with ids: none */
} pg_permitted;

/* What may follow the `count` tokens of an answer so far, in the arena of g. constraint NULL: any. Ids that are not
 * ascending or that the vocabulary does not have are PG_ERROR_ARGUMENT. */
pg_status pg_permitted_make(pg_permitted *out, pg_context *g, const pg_constraint *constraint, int64_t vocabulary,
                            const int32_t *tokens, size_t count);

/* Nothing may follow. */
static inline bool pg_permitted_none(const pg_permitted *permitted)
{
    return permitted->ids && permitted->count == 0;
}

bool pg_permitted_has(const pg_permitted *permitted, int32_t id);

/* Answers of detection, as pg_constraint_new_objects has them, with limits that every answer keeps as a whole. */
typedef struct pg_object_rules {
    const char *const *labels;
    size_t label_count;
    pg_masks masks;
    size_t most; /* objects; 0: any number */
    size_t room; /* tokens, with the end token; 0: any number. Less than an object takes is PG_ERROR_LIMIT */
} pg_object_rules;

pg_status pg_constraint_make_objects(pg_constraint **out, const pg_model *model, const pg_object_rules *rules);

/* The token that ends an answer, or a clear failure. */
pg_status pg_constraint_end(int32_t *out, const pg_model *model);

#endif
