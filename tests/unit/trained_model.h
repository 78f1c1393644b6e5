/* Models whose weights have gradients, for tests. What goes wrong here fails the running test. Values and gradients lie
 * on the device that PG_TEST_DEVICE names, if it names one. */
#ifndef PG_TESTS_TRAINED_MODEL_H
#define PG_TESTS_TRAINED_MODEL_H

#include "check.h"

#include "generate/model.h"

/* The device, opened once; NULL: the host. */
pg_device *pg_trained_device(void);

/* A checkpoint of tests/golden/training. */
pg_model *pg_trained_model_open(const char *checkpoint);

/* Frees the gradients too; NULL is allowed. */
void pg_trained_model_close(pg_model *model);

/* Weights with `part` in their names (NULL: all) are trained from now on. */
void pg_trained_model_train(const pg_model *model, const char *part);

void pg_trained_weight_give(const pg_parameter *p);

/* `count` values as the host can read them: a copy, freed with pg_free. Of a weight, its gradient (NULL if it has
 * none).
 */
float *pg_trained_values(const float *values, int64_t count);
float *pg_trained_gradient(const pg_parameter *p);
void pg_trained_weight_take(const pg_parameter *p);

/* All gradients become zero. */
void pg_trained_model_clear(const pg_model *model);

/* A copy of all gradients, one after another; freed with pg_free. */
typedef struct pg_kept_gradients {
    float *values;
    size_t count;
} pg_kept_gradients;

pg_kept_gradients pg_trained_model_keep(const pg_model *model);

/* The length of the difference of two copies, relative to that of the first. */
double pg_kept_gradients_apart(const pg_kept_gradients *a, const pg_kept_gradients *b);

#endif
