/* Results that are kept for the next who asks for the same: bytes by their key, within a budget; what was used longest
 * ago goes first. Keys are compared in full, so nobody gets another's result. For one thread. */
#ifndef PG_GENERATE_KEPT_H
#define PG_GENERATE_KEPT_H

#include "base/memory.h"

typedef struct pg_kept_part {
    const void *bytes;
    size_t size;
} pg_kept_part;

/* What a result belongs to: a model, and bytes that come in parts. */
typedef struct pg_kept_key {
    uint64_t model;
    const pg_kept_part *parts; /* [count] */
    size_t count;
    uint64_t hash; /* pg_kept_hash of the parts */
} pg_kept_key;

uint64_t pg_kept_hash(const pg_kept_part *parts, size_t count);

#define PG_KEPT_CHAINS 1024
typedef struct pg_kept_entry pg_kept_entry;

typedef struct pg_kept {
    size_t limit, bytes; /* keys included */
    pg_kept_entry *chains[PG_KEPT_CHAINS];
    pg_kept_entry *latest, *oldest;
} pg_kept;

/* The `size` bytes kept for the key, borrowed until the next pg_kept_add; NULL: there are none. */
const void *pg_kept_find(pg_kept *kept, const pg_kept_key *key, size_t size);

/* Memory of `size` bytes for a key that has none, to be filled in by the caller; NULL if there is no room or no memory,
 * which is no failure: it is then not kept. */
void *pg_kept_add(pg_kept *kept, const pg_kept_key *key, size_t size);

void pg_kept_free(pg_kept *kept);

#endif
