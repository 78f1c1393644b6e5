/* What the explanations of answers and of texts share. */
#ifndef PG_TASKS_EXPLANATION_H
#define PG_TASKS_EXPLANATION_H

#include "generate/session.h"
#include "tasks/relevance.h"
#include "tensor/tape.h"

/* The options given, or the defaults, with PG_EXPLAIN_AUTO replaced; a contradiction in them is an error. */
pg_status pg_explain_options_complete(pg_explain_options *out, const pg_explain_options *given,
                                      pg_explain_method normal);

/* An explanation with room for the maps of `tokens` tokens of pictures of the model. */
pg_status pg_explanation_new(pg_explanation **out, const pg_model *model, pg_explain_method method, size_t images,
                             size_t tokens);

/* Gives the explanation's parts room for their maps. */
pg_status pg_explanation_add_maps(pg_explanation *explanation);

/* Places of one map. */
static inline size_t pg_explanation_places(const pg_explanation *explanation)
{
    return explanation->images * explanation->rows * explanation->columns;
}

/* The weights with something in front of the vision tower that takes derivatives, which nobody reads, so that a tape
 * records all of the tower: a copy in the arena, or NULL. */
const pg_weights *pg_explain_recorded_tower(pg_context *g, const pg_weights *weights);

/* Calls on_progress, which may cancel. */
pg_status pg_explain_report(const pg_explain_options *options, size_t done, size_t total);

#endif
