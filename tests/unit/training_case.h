/* Cases of tests/golden/training for tests: models, inputs, rows of tokens and their losses, adapters. What goes wrong
 * here fails the running test. */
#ifndef PG_TESTS_TRAINING_CASE_H
#define PG_TESTS_TRAINING_CASE_H

#include "golden_case.h"

#include "generate/model.h"
#include "tensor/tape.h"
#include "train/teacher_forcing.h"

typedef struct pg_training_case {
    pg_golden golden;
    pg_model *model, *other;
    pg_safetensors *inputs;
    pg_context g;
    pg_tape tape;
    /* sums over tensors that a test has compared */
    double difference, size, product, own_size;
    size_t compared;
} pg_training_case;

/* `checkpoint` is the name of the fact that says which. */
void pg_training_case_open(pg_training_case *f, const char *name, const char *checkpoint);
void pg_training_case_close(pg_training_case *f);

/* Another checkpoint, or file, of the case; the caller closes it (`other` is closed with the case). */
pg_model *pg_training_case_model(pg_training_case *f, const char *fact);
pg_safetensors *pg_training_case_file(const pg_training_case *f, const char *name);

/* Gradients become zero, and the arena empty. */
void pg_training_case_reset(pg_training_case *f);

double pg_training_fact(const json_t *facts, const char *key);
double pg_training_loss(const pg_training_case *f, const pg_tensor *loss);

/* The rows of a padded batch, without their padding. token_type_ids, if there are any, say where the answer begins;
 * else every token but the first is scored. */
#define PG_TRAINING_ROWS  8
#define PG_TRAINING_WIDTH 64
typedef struct pg_training_rows {
    int32_t ids[PG_TRAINING_ROWS][PG_TRAINING_WIDTH];
    pg_token_row rows[PG_TRAINING_ROWS];
    pg_token_batch batch;
} pg_training_rows;

void pg_training_rows_read(pg_training_rows *out, const pg_safetensors *file);

typedef enum pg_training_reduction { PG_OVER_TOKENS, PG_OVER_EXAMPLES } pg_training_reduction;

/* The loss times `factor`, whose derivatives are added to the gradients. */
double pg_training_rows_run(pg_training_case *f, const pg_token_batch *batch, pg_training_reduction how, double factor);

/* The factors of one of the case's adapters, with gradients, in their places in the model. */
#define PG_TRAINING_FACTORS 128
typedef struct pg_training_adapter {
    pg_model *model;
    pg_safetensors *file;
    double scale;
    pg_lora loras[PG_TRAINING_FACTORS];
    size_t count;
    pg_placement placed;
} pg_training_adapter;

void pg_training_adapter_add(pg_training_adapter *out, const pg_training_case *f, const char *name);
void pg_training_adapter_remove(pg_training_adapter *adapter);

#endif
