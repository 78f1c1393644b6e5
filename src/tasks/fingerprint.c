/* A hash of what decides about results: see pg_model_fingerprint. */
#include "generate/model.h"

#include <stdio.h>

#define PIECES 8 /* of a large weight are looked at, evenly spread: training changes all of it */
#define PIECE  512

/* FNV-1a. */
static void add_bytes(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

/* Bytes that a device may have; what cannot be had of them counts as zeros. */
static void add_values(uint64_t *hash, pg_device *device, const void *values, size_t size)
{
    char bytes[PIECES * PIECE] = {0};
    if (device)
        pg_values_download(device, bytes, values, size);
    add_bytes(hash, device ? bytes : values, size);
}

static void add_samples(uint64_t *hash, pg_device *device, const void *values, size_t size)
{
    add_bytes(hash, &size, sizeof size);
    if (size <= PIECES * PIECE) {
        add_values(hash, device, values, size);
        return;
    }
    for (size_t i = 0; i < PIECES; i++)
        add_values(hash, device, (const char *)values + (size - PIECE) / (PIECES - 1) * i, PIECE);
}

static void add_quantized(uint64_t *hash, const pg_parameter *p)
{
    const pg_quantized *w = &p->quantized;
    int64_t groups = pg_quantized_groups(w->rows);
    const int64_t shape[] = {w->bits, w->rows, w->inputs, w->block};
    add_bytes(hash, shape, sizeof shape);
    add_samples(hash, p->device, w->values, (size_t)(groups * pg_quantized_group_bytes(w)));
}

static void add_low_rank(uint64_t *hash, const pg_lora *lora);

static void add_parameter(void *user, const pg_parameter *p)
{
    const int64_t shape[] = {p->dtype, p->rows, p->width};
    if (p->quantized.bits)
        add_quantized(user, p);
    else if (p->data) {
        add_bytes(user, shape, sizeof shape);
        add_samples(user, p->device, p->data, (size_t)pg_parameter_bytes(p));
    }
    if (p->lora)
        add_low_rank(user, p->lora);
}

static void add_low_rank(uint64_t *hash, const pg_lora *lora)
{
    add_bytes(hash, &lora->scale, sizeof lora->scale);
    add_parameter(hash, &lora->a);
    add_parameter(hash, &lora->b);
}

void pg_model_fingerprint(char out[PG_FINGERPRINT], const pg_model *model)
{
    static const char *const kinds[] = {"paligemma", "gemma", "siglip"};
    const pg_processor *processor = &model->processor;
    uint64_t hash = 0xcbf29ce484222325u;
    add_bytes(&hash, &processor->side, sizeof processor->side);
    add_bytes(&hash, &processor->rescale, sizeof processor->rescale);
    add_bytes(&hash, processor->mean, sizeof processor->mean);
    add_bytes(&hash, processor->deviation, sizeof processor->deviation);
    pg_weights_each(model->weights, add_parameter, &hash);
    if (model->weights->config.text.tied && model->weights->text.output.lora) /* the matrix has been seen */
        add_low_rank(&hash, model->weights->text.output.lora);
    snprintf(out, PG_FINGERPRINT, "%s-%016llx", kinds[model->weights->config.kind], (unsigned long long)hash);
}
