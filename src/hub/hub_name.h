/* Names of models on the hub: "hub:ORG/NAME@REVISION", with the rules that the hub has for them. */
#ifndef PG_HUB_NAME_H
#define PG_HUB_NAME_H

#include "base/buffer.h"

/* Owned. Starts as {0}. */
typedef struct pg_hub_name {
    char *repository; /* "ORG/NAME" or "NAME" */
    char *revision;   /* NULL: not given */
} pg_hub_name;

/* "hub:" in front may be missing. */
pg_status pg_hub_name_parse(pg_hub_name *out, const char *text);
void pg_hub_name_free(pg_hub_name *name);

/* Whether a revision may be part of a path: no "..", no empty parts, nothing that is not printed. */
bool pg_hub_revision_is_safe(const char *revision);

/* The same for the path of a file in a repository: relative, and it stays below its folder. */
bool pg_hub_file_is_safe(const char *path);

/* 40 hexadecimal digits in lower case. */
bool pg_hub_is_commit(const char *text);

#endif
