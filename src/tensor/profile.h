/* Where the time goes: calls and seconds of each operation, while somebody asks (pg_context.profile). Operations that
 * take time open a scope for themselves, PG_PROFILE; scopes do not nest. */
#ifndef PG_TENSOR_PROFILE_H
#define PG_TENSOR_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PG_PROFILE_NAME 48
#define PG_PROFILE_MAX  64

typedef struct pg_profile_entry {
    char name[PG_PROFILE_NAME]; /* "linear text.layer.gate", "attention": the operation and, if there is one, its weight
                                   without the number of the layer */
    int64_t calls;
    double seconds;
} pg_profile_entry;

/* Starts as {0}. What finds no room any more is not counted. */
typedef struct pg_profile {
    pg_profile_entry entries[PG_PROFILE_MAX]; /* in the order in which they were first seen */
    size_t count;
} pg_profile;

typedef struct pg_profile_scope {
    pg_profile *profile; /* NULL: nobody asks */
    const char *operation, *weight;
    double start;
} pg_profile_scope;

pg_profile_scope pg_profile_begin(pg_profile *profile, const char *operation, const char *weight);
void pg_profile_end(const pg_profile_scope *scope);

/* Counts the rest of the enclosing block as `operation` on the weight of that name, which may be NULL. */
#define PG_PROFILE(g, operation, weight)                                           \
    __attribute__((cleanup(pg_profile_end))) const pg_profile_scope profile_here = \
        pg_profile_begin((g)->profile, operation, weight)

#endif
