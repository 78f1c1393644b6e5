/* The parts of an answer that are looked at as wholes: words, and boxes, masks and labels of objects. */
#ifndef PG_TASKS_ANSWER_PARTS_H
#define PG_TASKS_ANSWER_PARTS_H

#include "generate/model.h"

/* *out: *count parts in the order of the answer, without share and map; their texts and *out are freed with pg_free,
 * which pg_answer_parts_free does. Control tokens, blanks and the separators of objects belong to none. */
pg_status pg_answer_parts(pg_explained **out, size_t *count, const pg_tokenizer *tokenizer, const int32_t *tokens,
                          size_t token_count);
void pg_answer_parts_free(pg_explained *parts, size_t count);

#endif
