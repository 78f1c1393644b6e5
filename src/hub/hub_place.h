/* What the environment says about the hub: where it is, where its files are kept, who asks. */
#ifndef PG_HUB_PLACE_H
#define PG_HUB_PLACE_H

#include "base/buffer.h"

typedef struct pg_hub_place {
    pg_buffer endpoint; /* "https://huggingface.co", without a slash at the end */
    pg_buffer cache;    /* the folder that holds models--ORG--NAME */
    pg_buffer token;    /* empty: none */
    bool offline;
    long answer_timeout, silence_timeout; /* seconds: for short answers, and without a byte of a file */
} pg_hub_place;

/* Starts from {0}; freed after a failure too. */
pg_status pg_hub_place_find(pg_hub_place *out);
void pg_hub_place_free(pg_hub_place *place);

#endif
