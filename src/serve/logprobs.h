/* Log-probabilities of an answer's tokens in OpenAI's two forms. */
#ifndef PG_SERVE_LOGPROBS_H
#define PG_SERVE_LOGPROBS_H

#include "serve/answer_json.h"

/* Of tokens first .. end - 1, with the likeliest in the place of each. */
json_t *pg_chat_logprobs(const pg_generation *generation, const pg_told_answer *answer, size_t first, size_t end);
json_t *pg_completion_logprobs(const pg_generation *generation, const pg_told_answer *answer, size_t first, size_t end);

#endif
