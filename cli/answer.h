/* One answer of a model, from the options that steer it to what is printed: shared by generate, its batches, caption,
 * ask and ocr. */
#ifndef PG_CLI_ANSWER_H
#define PG_CLI_ANSWER_H

#include "engine.h"
#include "interrupt.h"

/* The settings of these commands. Options write straight into the request, where pg_request has the same type. */
typedef struct pg_cli_answering {
    pg_cli_source source;
    pg_cli_arithmetic arithmetic;
    pg_cli_looking looking;
    pg_request request;
    pg_cli_list stop;
    int64_t top_logits;
    bool json, stats, scores;
} pg_cli_answering;

extern const pg_cli_option pg_cli_decoding_options[]; /* in pg_cli_answering */
extern const pg_cli_option pg_cli_printing_options[]; /* in pg_cli_answering */

void pg_cli_answering_init(pg_cli_answering *settings);

/* Finds contradictions between options, and completes the request with what did not fit straight into it. */
int pg_cli_answering_check(const pg_cli_command *command, pg_cli_answering *settings);

/* Opens the model for `parallel` requests at a time, and fills the request with the model's own defaults. `pictures`:
 * only a model with eyes will do. From here on Ctrl-C ends answers early instead of the program. */
int pg_cli_answering_open(pg_cli_engine *out, const pg_cli_command *command, pg_cli_answering *settings, bool pictures,
                          size_t parallel);

/* A pg_text_callback that shows nothing, but ends the answer on Ctrl-C. */
bool pg_cli_on_text(void *user, size_t index, const char *text, size_t size);

/* Answers the request and prints the result. `picture` is the name of the picture where the output must name it. */
int pg_cli_answer(const pg_cli_engine *engine, const pg_cli_answering *settings, const pg_request *request,
                  const char *picture);

/* The probability of an answer, all of its tokens together; NAN where it is not known. */
double pg_cli_answer_probability(const pg_answer *answer);

/* What --stats says about the whole run, on stderr: peak memory, arithmetic, instruction set, threads. */
void pg_cli_stats_machine(const pg_cli_engine *engine);

/* Adds everything about an answer to a JSON object. */
void pg_cli_answer_describe(json_t *object, const pg_answer *answer, const pg_cli_engine *engine);

#endif
