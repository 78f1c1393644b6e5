/* A name for what a model computes, to tell embeddings of one model from those of another. */
#ifndef PG_TASKS_FINGERPRINT_H
#define PG_TASKS_FINGERPRINT_H

#include "generate/model.h"

#define PG_FINGERPRINT 64 /* room for one */

/* "siglip-0123456789abcdef": a hash of all shapes and types, how pictures are prepared, and samples of all weights and
 * of an adapter's. The folder's name and what does not change results take no part. */
void pg_model_fingerprint(char out[PG_FINGERPRINT], const pg_model *model);

#endif
