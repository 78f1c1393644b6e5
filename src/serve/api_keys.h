/* Keys of clients, from a file. */
#ifndef PG_SERVE_API_KEYS_H
#define PG_SERVE_API_KEYS_H

#include "base/buffer.h"

typedef struct pg_api_keys pg_api_keys;

/* A key a line, blanks around it aside; empty lines and those that begin with # are none. A file without keys, and keys
 * shorter than 16 characters, are PG_ERROR_FORMAT. */
pg_status pg_api_keys_load(pg_api_keys **out, const char *path);
void pg_api_keys_free(pg_api_keys *keys); /* NULL is allowed */

/* The number of the key, from 1; 0: it is none. How long this takes says nothing about the keys but how many there are
 * and how long they are. */
size_t pg_api_keys_find(const pg_api_keys *keys, const char *given);

#endif
