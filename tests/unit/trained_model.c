#include "trained_model.h"

#include <math.h>

#include <stdlib.h>

#include "base/memory.h"
#include "kernels/devices.h"

pg_device *pg_trained_device(void)
{
    static pg_device *device;
    if (!device)
        CHECK_OK(pg_device_open(&device, getenv("PG_TEST_DEVICE")));
    return device;
}

pg_model *pg_trained_model_open(const char *checkpoint)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden/training/checkpoints/%s", PG_TESTS_FOLDER, checkpoint);
    pg_model *model = NULL;
    CHECK_OK(pg_model_open(&model, path));
    CHECK_OK(pg_weights_place(model->weights, pg_trained_device()));
    return model;
}

static size_t count_values(const pg_parameter *p)
{
    return (size_t)(p->rows * p->width);
}

void pg_trained_weight_give(const pg_parameter *p)
{
    size_t bytes = count_values(p) * sizeof *p->grad;
    float *grad = pg_values_alloc(p->device, bytes);
    assert_non_null(grad);
    pg_values_clear(p->device, grad, bytes);
    ((pg_parameter *)p)->grad = grad;
}

void pg_trained_weight_take(const pg_parameter *p)
{
    pg_values_free(p->device, p->grad, count_values(p) * sizeof *p->grad);
    ((pg_parameter *)p)->grad = NULL;
}

float *pg_trained_values(const float *values, int64_t count)
{
    float *copy = pg_alloc((size_t)count, sizeof *copy);
    assert_non_null(copy);
    CHECK_OK(pg_values_download(pg_trained_device(), copy, values, (size_t)count * sizeof *copy));
    return copy;
}

float *pg_trained_gradient(const pg_parameter *p)
{
    return p->grad ? pg_trained_values(p->grad, p->rows * p->width) : NULL;
}

static void give(void *user, const pg_parameter *p)
{
    const char *part = user;
    if (!part || strstr(p->name, part))
        pg_trained_weight_give(p);
}

static void take(void *user, const pg_parameter *p)
{
    (void)user;
    pg_trained_weight_take(p);
}

static void clear(void *user, const pg_parameter *p)
{
    (void)user;
    if (p->grad)
        pg_values_clear(p->device, p->grad, count_values(p) * sizeof *p->grad);
}

static void keep(void *user, const pg_parameter *p)
{
    pg_kept_gradients *kept = user;
    if (p->grad && kept->values)
        CHECK_OK(pg_values_download(p->device, kept->values + kept->count, p->grad, count_values(p) * sizeof *p->grad));
    kept->count += p->grad ? count_values(p) : 0;
}

void pg_trained_model_train(const pg_model *model, const char *part)
{
    pg_weights *w = model->weights;
    pg_weights_each(w, give, (void *)part);
    if (w->config.text.tied)
        w->text.output.grad = w->text.embed.grad;
}

void pg_trained_model_close(pg_model *model)
{
    if (model)
        pg_weights_each(model->weights, take, NULL);
    pg_model_close(model);
}

void pg_trained_model_clear(const pg_model *model)
{
    pg_weights_each(model->weights, clear, NULL);
}

pg_kept_gradients pg_trained_model_keep(const pg_model *model)
{
    pg_kept_gradients kept = {0};
    pg_weights_each(model->weights, keep, &kept);
    kept.values = pg_alloc(kept.count, sizeof *kept.values);
    assert_non_null(kept.values);
    kept.count = 0;
    pg_weights_each(model->weights, keep, &kept);
    return kept;
}

double pg_kept_gradients_apart(const pg_kept_gradients *a, const pg_kept_gradients *b)
{
    double apart = 0, size = 0;
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        double difference = (double)a->values[i] - (double)b->values[i];
        apart += difference * difference;
        size += (double)a->values[i] * (double)a->values[i];
    }
    return sqrt(apart / size);
}
