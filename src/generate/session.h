/* A session: the memory that answering needs, and the steps of it. */
#ifndef PG_GENERATE_SESSION_H
#define PG_GENERATE_SESSION_H

#include "generate/constraint.h"
#include "generate/pace.h"
#include "generate/recorded_steps.h"
#include "generate/sampling.h"
#include "tensor/context.h"
#include "text/ids.h"

struct pg_session {
    const pg_model *model;
    pg_device *device; /* a queue of its own on the model's device, where g computes; NULL: the host */
    pg_context g;
    pg_cache cache;   /* sequence s has rows s * context .. (s + 1) * context - 1 */
    int64_t context;  /* tokens of one sequence */
    size_t sequences; /* at the same time */
    pg_resize_order resize_order;
    float *logits;      /* [vocabulary], a copy to penalise */
    pg_choice *choices; /* [vocabulary] */
    pg_pace pace;       /* of the steps so far */
    pg_recorded_steps recorded;
};

/* What the decoder is given: token ids, and the pictures as rows of its width. */
typedef struct pg_input {
    pg_ids ids;
    int64_t prefix;      /* ids that see each other both ways: all of them with PaliGemma's prompts, else 0 */
    int32_t first;       /* position of the first id */
    pg_tensor *features; /* [images * tokens per image, D] in the session's arena, or NULL */
} pg_input;

/* Tokenizes a request and checks that the model can take it. Frees nothing on failure but what it made. */
pg_status pg_input_make(pg_input *out, const pg_session *session, const pg_request *request);
void pg_input_free(pg_input *input);

/* Pictures as the vision tower takes them: [count][3][side][side] in the arena. */
float *pg_input_pixels(pg_session *session, const pg_image *const *images, size_t count);

/* Pixels through vision tower and projector: [count * P, decoder width] in the arena; NULL on failure (g->status). */
pg_tensor *pg_pixel_features(pg_session *session, const float *pixels, size_t count);

/* The same from whole pictures. */
pg_tensor *pg_input_features(pg_session *session, const pg_image *const *images, size_t count);

/* The prompt as the decoder's input: embeddings with the features in the places of the image tokens. */
pg_tensor *pg_input_embed(pg_session *session, const pg_input *input);

/* Runs a whole prompt into the cache rows of sequence `slot` (or without a cache: slot < 0) and returns the hidden
 * states after the final norm, [count, D]. */
pg_tensor *pg_input_forward(pg_session *session, const pg_input *input, int64_t slot);

/* The same, of which only the last token's row is wanted: [1, D], as a generated token's. */
pg_tensor *pg_input_last(pg_session *session, const pg_input *input, int64_t slot);

/* Logits of rows of hidden states, each of what is permitted behind it (permitted NULL: everything): `out` has one
 * entry for each row; their values are in the arena. On a device, where everything is permitted, only the best one of
 * them has been brought to the host. */
pg_status pg_row_logits(pg_session *session, pg_logits *out, pg_tensor *hidden, const pg_permitted *permitted);

/* Brings logits' values to the host, into the arena, if they are not there yet. */
pg_status pg_logits_fetch(pg_logits *logits, pg_session *session);

/* PG_ERROR_FORMAT where what was computed from logits is infinite or not a number. */
pg_status pg_check_finite(double value, const pg_session *session);

/* PG_ERROR_FORMAT where a token has no embedding; whose: "the prompt", in the error's text. */
pg_status pg_check_ids(const int32_t *ids, size_t count, const pg_session *session, const char *whose);

/* The last token of a sequence that goes on, and any that are proposed to follow it. */
typedef struct pg_next {
    const int32_t *ids;
    int64_t count;               /* 1 or more */
    int32_t position;            /* of the first; the others follow */
    int64_t prefix;              /* see pg_segment */
    pg_span spans[PG_SPANS_MAX]; /* cache rows of the sequence; the last `count` rows take these tokens */
    int span_count;
    const pg_permitted *permitted; /* [count]: behind each of them; NULL: everything */
} pg_next;

/* A step of `count` sequences: the logits of what follows each token, one sequence after another. */
pg_status pg_next_logits(pg_session *session, pg_logits *out, const pg_next *next, size_t count);

#endif
