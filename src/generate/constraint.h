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

/* The token that ends an answer, or a clear failure. */
pg_status pg_constraint_end(int32_t *out, const pg_model *model);

#endif
