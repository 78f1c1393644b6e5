/* Names of files and of weights. */
#ifndef PG_BASE_NAMES_H
#define PG_BASE_NAMES_H

#include <stdbool.h>
#include <string.h>

static inline bool pg_ends_in(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && !strcmp(name + length - tail, end);
}

#endif
