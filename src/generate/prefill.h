/*
 * A prompt on its way into the cache, in steps of some rows: pictures through the vision tower and projector, then
 * everything through the decoder. So others can make tokens in between, whatever the size of a picture.
 *
 * A prompt in which all tokens see each other cannot be cut by tokens. It is cut by layers, and each layer by rows:
 * keys and values of all rows first, then the rows. Any cut gives the bits of pg_input_last.
 */
#ifndef PG_GENERATE_PREFILL_H
#define PG_GENERATE_PREFILL_H

#include "generate/session.h"
#include "model/siglip.h"

typedef enum pg_prefill_stage {
    PG_PREFILL_CUT,          /* a picture into patches, as one row */
    PG_PREFILL_PATCHES,      /* patches into the vision tower */
    PG_PREFILL_VISION_KEYS,  /* of a layer */
    PG_PREFILL_VISION_ROWS,  /* of the same */
    PG_PREFILL_PROJECT,      /* out of the vision tower, into the decoder's width */
    PG_PREFILL_EMBED,        /* tokens and features */
    PG_PREFILL_DECODER_KEYS, /* of a layer */
    PG_PREFILL_DECODER_ROWS, /* of the same; in the last layer only the last row */
    PG_PREFILL_DONE,
} pg_prefill_stage;

/* How long rows of each stage took lately, in seconds; 0: not known. */
typedef struct pg_prefill_pace {
    double row[PG_PREFILL_DONE];
} pg_prefill_pace;

/* What a picture gives: where it is kept from an earlier time, it is not computed. */
typedef struct pg_prefill_picture {
    const pg_image *image; /* of the model's size */
    bool known;            /* its features are there already */
} pg_prefill_picture;

/* Memory where values lie that is carved into tensors; the host's takes nothing until it is touched. */
typedef struct pg_prefill_memory {
    pg_device *device;
    char *data;
    size_t bytes, used;
} pg_prefill_memory;

typedef struct pg_prefill {
    pg_session *session;
    const pg_model *model; /* with the session's configuration; perhaps with another adapter */
    const pg_input *input;
    int64_t slot;
    pg_prefill_picture *pictures; /* [picture_count] */
    size_t picture_count;

    pg_prefill_stage stage;
    size_t picture;
    int64_t layer, row; /* the next one of the stage */
    int64_t placed;     /* features that are in the decoder's input */
    double seconds[2];  /* spent so far: on pictures, on the decoder */

    pg_prefill_memory vision_memory, memory, numbers;
    pg_tensor patches;     /* [P, channels p p] */
    pg_tensor seen;        /* [P, vision width]: between two layers of the vision tower */
    pg_keys keys;          /* of the layer */
    pg_tensor features;    /* [picture_count P, D] */
    pg_tensor x;           /* [T, D]: between two layers of the decoder */
    pg_tensor angles;      /* [T, E] */
    pg_tensor last;        /* [1, D]: the last token behind the final norm, as a generated token's */
    int64_t *rows, *slots; /* [P], the numbers of patches; [T], the tokens' cache rows */
} pg_prefill;

/* Memory for a prompt; model, input and pictures are borrowed. It begins where something is to be computed. */
pg_status pg_prefill_init(pg_prefill *out, pg_session *session, const pg_model *model, const pg_input *input,
                          int64_t slot, pg_prefill_picture *pictures, size_t picture_count);
void pg_prefill_free(pg_prefill *prefill);

/* Where the features of a picture are, [P, D]: the owner may fill them in before the first step, and says so by
 * `known`. */
pg_tensor pg_prefill_features(const pg_prefill *prefill, size_t picture);

/* Multiplications and additions that are left, about: what prompts are compared by. */
double pg_prefill_work(const pg_prefill *prefill);

/* How many rows of the stage should take so long, within what is sensible. */
int64_t pg_prefill_rows(const pg_prefill *prefill, const pg_prefill_pace *pace, double seconds);

/* Computes at most so many rows of the stage and goes on to the next one behind its last row. */
pg_status pg_prefill_step(pg_prefill *prefill, pg_prefill_pace *pace, int64_t rows);

#endif
