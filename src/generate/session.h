/* A session: the memory that answering needs, and the steps of it. */
#ifndef PG_GENERATE_SESSION_H
#define PG_GENERATE_SESSION_H

#include "generate/model.h"
#include "generate/sampling.h"
#include "tensor/context.h"

struct pg_session {
    const pg_model *model;
    pg_context g;
    pg_cache cache;   /* sequence s has rows s * context .. (s + 1) * context - 1 */
    int64_t context;  /* tokens of one sequence */
    size_t sequences; /* at the same time */
    pg_resize_order resize_order;
    float *logits;      /* [vocabulary], a copy to penalise */
    pg_choice *choices; /* [vocabulary] */
};

/* The token ids of a request, and the pictures as rows of the decoder's width. */
typedef struct pg_prompt {
    int32_t *ids;
    size_t count;
    int64_t prefix;      /* ids that see each other both ways: all of them with PaliGemma's prompts, else 0 */
    int32_t first;       /* position of the first id */
    pg_tensor *features; /* [images * tokens per image, D] in the session's arena, or NULL */
} pg_prompt;

/* Tokenizes a request and checks that the model can take it. Frees nothing on failure but what it made. */
pg_status pg_prompt_make(pg_prompt *out, const pg_session *session, const pg_request *request);
void pg_prompt_free(pg_prompt *prompt);

/* Pictures as the vision tower takes them: [count][3][side][side] in the arena. */
float *pg_prompt_pixels(pg_session *session, const pg_image *const *images, size_t count);

/* Pictures through vision tower and projector: [count * P, decoder width] in the arena; NULL on failure (g->status). */
pg_tensor *pg_prompt_features(pg_session *session, const pg_image *const *images, size_t count);

/* The prompt as the decoder's input: embeddings with the features in the places of the image tokens. */
pg_tensor *pg_prompt_embed(pg_session *session, const pg_prompt *prompt);

/* Runs a whole prompt into the cache rows of sequence `slot` (or without a cache: slot < 0) and returns the hidden
 * states after the final norm, [count, D]. */
pg_tensor *pg_prompt_forward(pg_session *session, const pg_prompt *prompt, int64_t slot);

#endif
