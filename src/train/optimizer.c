#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "base/numbers.h"
#include "base/buffer.h"
#include "ops/update.h"

static const char *const kind_names[] = {"adamw", "adamw8", "adafactor", "sgd", "muon"};

/* ---------------------------------------------------------------- what each kind remembers */

typedef enum slot_length {
    SLOT_VALUES,
    SLOT_OTHERS, /* a float for each value of what is no hidden matrix */
    SLOT_SCALES,
    SLOT_ROWS,
    SLOT_COLUMNS,
} slot_length;

/* An array for each trained tensor; a kind's arrays of one name lie in one block. */
typedef struct slot {
    const char *name;
    pg_dtype dtype;
    slot_length length;
    size_t field; /* of pg_update: where the pointer goes */
} slot;

#define SLOT(name, dtype, length, field)                 \
    {                                                    \
        name, dtype, length, offsetof(pg_update, field), \
    }
#define SLOTS 4

static const slot kind_slots[PG_OPTIMIZER_COUNT][SLOTS] = {
    [PG_OPTIMIZER_ADAMW] = {SLOT("m", PG_F32, SLOT_VALUES, m), SLOT("v", PG_F32, SLOT_VALUES, v)},
    [PG_OPTIMIZER_ADAMW8] = {SLOT("m8", PG_I8, SLOT_VALUES, m_codes), SLOT("v8", PG_U8, SLOT_VALUES, v_codes),
                             SLOT("scales", PG_F32, SLOT_SCALES, scales)},
    [PG_OPTIMIZER_ADAFACTOR] = {SLOT("rows", PG_F32, SLOT_ROWS, row_squares),
                                SLOT("columns", PG_F32, SLOT_COLUMNS, column_squares)},
    [PG_OPTIMIZER_MUON] = {SLOT("m", PG_F32, SLOT_VALUES, m), SLOT("v", PG_F32, SLOT_OTHERS, v)},
};
static const slot velocity_slot = SLOT("m", PG_F32, SLOT_VALUES, m);
static const slot average_slot = SLOT("average", PG_F32, SLOT_VALUES, average);

/* The slots of these options; returns their number. */
static int slots_of(slot out[SLOTS], const pg_optimizer_options *options)
{
    int count = 0;
    for (const slot *s = kind_slots[options->kind]; s < kind_slots[options->kind] + SLOTS && s->name; s++)
        out[count++] = *s;
    if (options->kind == PG_OPTIMIZER_SGD && options->momentum > 0)
        out[count++] = velocity_slot;
    if (options->average > 0)
        out[count++] = average_slot;
    return count;
}

/* Whether there is an array for a tensor. */
static bool applies(const slot *s, const pg_trained *t)
{
    return s->length != SLOT_OTHERS || !t->hidden;
}

static pg_array describe(const slot *s, const pg_trained *t)
{
    pg_array array = {.dtype = s->dtype, .dimensions = 1};
    switch (s->length) {
    case SLOT_VALUES:
    case SLOT_OTHERS: array.dimensions = 2, array.shape[0] = t->rows, array.shape[1] = t->width; break;
    case SLOT_SCALES: array.shape[0] = pg_update_scales(t->rows * t->width); break;
    case SLOT_ROWS: array.shape[0] = t->rows; break;
    case SLOT_COLUMNS: array.shape[0] = t->width; break;
    }
    pg_array_size(&array.bytes, &array);
    return array;
}

static size_t slot_bytes(const slot *s, const pg_trained *trained, size_t count)
{
    size_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        if (applies(s, &trained[i]))
            bytes += pg_align(describe(s, &trained[i]).bytes);
    return bytes;
}

static size_t bytes_of_muon(const pg_trained *trained, size_t count)
{
    size_t most = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = pg_muon_bytes(trained[i].rows, trained[i].width);
        most = trained[i].hidden && bytes > most ? bytes : most;
    }
    return most;
}

size_t pg_optimizer_bytes(const pg_optimizer_options *options, const pg_trained *trained, size_t count)
{
    slot slots[SLOTS];
    size_t bytes = 0;
    for (int s = slots_of(slots, options) - 1; s >= 0; s--)
        bytes += slot_bytes(&slots[s], trained, count);
    return bytes + (options->kind == PG_OPTIMIZER_MUON ? bytes_of_muon(trained, count) : 0);
}

/* ---------------------------------------------------------------- options */

void pg_optimizer_options_init(pg_optimizer_options *options, pg_optimizer_kind kind)
{
    *options = (pg_optimizer_options){.kind = kind,
                                      .threads = 1,
                                      .clip = 1,
                                      .beta1 = 0.9,
                                      .beta2 = 0.999,
                                      .epsilon = 1e-8,
                                      .momentum = kind == PG_OPTIMIZER_MUON ? 0.95 : 0,
                                      .relative_scale = true,
                                      .step_clip = 1,
                                      .decay_exponent = 0.8};
}

const char *pg_optimizer_name(pg_optimizer_kind kind)
{
    return kind_names[kind];
}

bool pg_optimizer_parse(pg_optimizer_kind *out, const char *name)
{
    for (int kind = 0; kind < PG_OPTIMIZER_COUNT; kind++)
        if (!strcmp(kind_names[kind], name)) {
            *out = (pg_optimizer_kind)kind;
            return true;
        }
    return false;
}

typedef struct range_check {
    const char *name;
    double value, low, high; /* low <= value < high */
} range_check;

static pg_status check_options(const pg_optimizer_options *o)
{
    const range_check checks[] = {
        {"clip", o->clip, 0, INFINITY},
        {"weight decay", o->decay, 0, INFINITY},
        {"beta1", o->beta1, 0, 1},
        {"beta2", o->beta2, 0, 1},
        {"epsilon", o->epsilon, 0, INFINITY},
        {"momentum", o->momentum, 0, 1},
        {"average", o->average, 0, 1},
        {"decay exponent", o->decay_exponent, 0, INFINITY},
    };
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (!(checks[i].value >= checks[i].low && checks[i].value < checks[i].high))
            return pg_fail(PG_ERROR_ARGUMENT, "optimizer: %s is %g, expected %g or more and less than %g",
                           checks[i].name, checks[i].value, checks[i].low, checks[i].high);
    if (!(o->step_clip > 0))
        return pg_fail(PG_ERROR_ARGUMENT, "optimizer: step clip is %g, expected more than 0", o->step_clip);
    return PG_OK;
}

/* ---------------------------------------------------------------- an optimizer */

struct pg_optimizer {
    pg_optimizer_options options;
    int64_t step;
    size_t count;
    pg_update *updates;
    pg_update_plan plan;
    pg_update *sorted; /* Muon: a copy of `updates`, hidden matrices first */
    pg_update_plan hidden, others;
    pg_muon *muon;
    void *blocks[SLOTS]; /* where the optimizer works */
    void *copies[SLOTS]; /* of them, for saving; on the host the blocks themselves */
    size_t block_bytes[SLOTS];
    pg_array *state; /* the step, then slot by slot, in the copies */
    size_t state_count;
    char *names; /* of the state, one behind the other */
};

/* The arrays of one slot, in their block; their names follow one another in `names`. */
static void lay_out(pg_optimizer *o, int index, const slot *s, const pg_trained *trained, char **names)
{
    size_t at = 0;
    for (size_t i = 0; i < o->count; i++) {
        if (!applies(s, &trained[i]))
            continue;
        pg_array *array = &o->state[o->state_count++];
        const char *values = (char *)o->blocks[index] + at;
        *array = describe(s, &trained[i]);
        array->name = *names;
        array->data = (char *)o->copies[index] + at;
        memcpy((char *)&o->updates[i] + s->field, &values, sizeof values);
        at += pg_align(array->bytes);
        *names += strlen(*names) + 1;
    }
}

static pg_status add_names(pg_buffer *out, const slot *s, const pg_trained *trained, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!applies(s, &trained[i]))
            continue;
        PG_TRY(pg_buffer_print(out, "optimizer.%s.%s", s->name, trained[i].name));
        PG_TRY(pg_buffer_append(out, "", 1));
    }
    return PG_OK;
}

/* A block of zeros. Pages of its copy take no memory before it is fetched. */
static pg_status allocate_block(pg_optimizer *o, int s)
{
    pg_device *device = o->options.device;
    o->blocks[s] = pg_values_alloc(device, o->block_bytes[s]);
    if (!o->blocks[s])
        return PG_ERROR_MEMORY;
    if (device)
        pg_values_clear(device, o->blocks[s], o->block_bytes[s]);
    o->copies[s] = device ? pg_pages_alloc(o->block_bytes[s]) : o->blocks[s];
    return o->copies[s] ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status allocate(pg_optimizer *o, const slot *slots, int slot_count, const pg_trained *trained)
{
    o->updates = pg_alloc(o->count, sizeof *o->updates);
    o->state = pg_alloc(1 + (size_t)slot_count * o->count, sizeof *o->state);
    if (!o->updates || !o->state)
        return PG_ERROR_MEMORY;
    for (int s = 0; s < slot_count; s++) {
        o->block_bytes[s] = slot_bytes(&slots[s], trained, o->count);
        if (o->block_bytes[s])
            PG_TRY(allocate_block(o, s));
    }
    pg_buffer names = {0};
    pg_status status = PG_OK;
    for (int s = 0; s < slot_count && status == PG_OK; s++)
        status = add_names(&names, &slots[s], trained, o->count);
    o->names = names.data;
    return status;
}

/* A plan for the matrices that are made orthogonal, and one for all else. */
static pg_status divide(pg_optimizer *o, const struct pg_kernels *kernels, const pg_trained *trained)
{
    const pg_optimizer_options *options = &o->options;
    size_t hidden = 0, others = 0;
    o->sorted = pg_alloc(o->count, sizeof *o->sorted);
    if (!o->sorted)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < o->count; i++)
        hidden += trained[i].hidden;
    for (size_t i = 0, next = 0; i < o->count; i++)
        o->sorted[trained[i].hidden ? next++ : hidden + others++] = o->updates[i];
    PG_TRY(pg_update_plan_init(&o->hidden, options->device, kernels, options->threads, o->sorted, hidden));
    PG_TRY(pg_update_plan_init(&o->others, options->device, kernels, options->threads, o->sorted + hidden, others));
    return pg_muon_new(&o->muon, &o->hidden, options->bf16);
}

static pg_status build(pg_optimizer *o, const struct pg_kernels *kernels, const pg_trained *trained)
{
    slot slots[SLOTS];
    int slot_count = slots_of(slots, &o->options);
    PG_TRY(check_options(&o->options));
    PG_TRY(allocate(o, slots, slot_count, trained));
    for (size_t i = 0; i < o->count; i++)
        o->updates[i] = (pg_update){.values = trained[i].values,
                                    .grad = trained[i].grad,
                                    .rows = trained[i].rows,
                                    .width = trained[i].width,
                                    .decay = trained[i].decay};
    o->state[o->state_count++] =
        (pg_array){.name = "optimizer.step", .dtype = PG_I64, .data = &o->step, .bytes = sizeof o->step};
    char *names = o->names;
    for (int s = 0; s < slot_count; s++)
        lay_out(o, s, &slots[s], trained, &names);
    for (size_t i = 0; i < o->count; i++)
        if (o->updates[i].average)
            pg_values_move(o->options.device, o->updates[i].average, trained[i].values,
                           (size_t)(trained[i].rows * trained[i].width) * sizeof(float));
    PG_TRY(pg_update_plan_init(&o->plan, o->options.device, kernels, o->options.threads, o->updates, o->count));
    return o->options.kind == PG_OPTIMIZER_MUON ? divide(o, kernels, trained) : PG_OK;
}

pg_status pg_optimizer_new(pg_optimizer **out, const struct pg_kernels *kernels, const pg_trained *trained,
                           size_t count, const pg_optimizer_options *options)
{
    *out = pg_alloc(1, sizeof **out);
    if (!*out)
        return PG_ERROR_MEMORY;
    (*out)->options = *options;
    (*out)->count = count;
    pg_status status = build(*out, kernels, trained);
    if (status != PG_OK) {
        pg_optimizer_free(*out);
        *out = NULL;
    }
    return status;
}

void pg_optimizer_free(pg_optimizer *optimizer)
{
    if (!optimizer)
        return;
    pg_muon_free(optimizer->muon);
    pg_update_plan_free(&optimizer->hidden);
    pg_update_plan_free(&optimizer->others);
    pg_update_plan_free(&optimizer->plan);
    for (int s = 0; s < SLOTS; s++) {
        if (optimizer->copies[s] && optimizer->copies[s] != optimizer->blocks[s])
            pg_pages_free(optimizer->copies[s], optimizer->block_bytes[s]);
        if (optimizer->blocks[s])
            pg_values_free(optimizer->options.device, optimizer->blocks[s], optimizer->block_bytes[s]);
    }
    pg_free(optimizer->updates);
    pg_free(optimizer->sorted);
    pg_free(optimizer->state);
    pg_free(optimizer->names);
    pg_free(optimizer);
}

/* ---------------------------------------------------------------- steps */

double pg_optimizer_norm(const pg_optimizer *optimizer)
{
    return pg_update_norm(&optimizer->plan);
}

void pg_optimizer_step(pg_optimizer *optimizer, double rate, double norm)
{
    const pg_optimizer_options *o = &optimizer->options;
    double step = (double)++optimizer->step;
    pg_update_rule rule = {.step = optimizer->step,
                           .rate = rate,
                           .decay = o->decay,
                           .grad_scale = o->clip > 0 ? fmin(1, o->clip / (norm + 1e-6)) : 1,
                           .beta1 = o->beta1,
                           .beta2 = o->beta2,
                           .epsilon = o->epsilon,
                           .momentum = o->momentum,
                           .seed = o->seed,
                           .clip = o->step_clip,
                           .decay_exponent = o->decay_exponent,
                           .smallest_scale = o->relative_scale ? 1e-3 : 0};
    switch (o->kind) {
    case PG_OPTIMIZER_ADAMW8: pg_update_adam8(&optimizer->plan, &rule); break;
    case PG_OPTIMIZER_SGD: pg_update_sgd(&optimizer->plan, &rule); break;
    case PG_OPTIMIZER_ADAFACTOR:
        rule.rate *= o->relative_step ? fmin(1e-2, 1 / sqrt(step)) : 1;
        pg_update_adafactor(&optimizer->plan, &rule);
        break;
    case PG_OPTIMIZER_MUON:
        pg_update_muon(optimizer->muon, &rule);
        pg_update_adam(&optimizer->others, &rule);
        break;
    default: pg_update_adam(&optimizer->plan, &rule); break;
    }
    if (o->average > 0)
        pg_update_blend(&optimizer->plan, 1 - o->average);
}

int64_t pg_optimizer_steps(const pg_optimizer *optimizer)
{
    return optimizer->step;
}

const float *pg_optimizer_average(const pg_optimizer *optimizer, size_t i)
{
    return optimizer->updates[i].average;
}

/* ---------------------------------------------------------------- saving */

const pg_array *pg_optimizer_state(const pg_optimizer *optimizer, size_t *count)
{
    *count = optimizer->state_count;
    return optimizer->state;
}

static pg_status upload(const pg_optimizer *optimizer)
{
    for (int s = 0; s < SLOTS && optimizer->options.device; s++)
        if (optimizer->blocks[s])
            pg_values_upload(optimizer->options.device, optimizer->blocks[s], optimizer->copies[s],
                             optimizer->block_bytes[s]);
    return pg_device_wait(optimizer->options.device);
}

pg_status pg_optimizer_fetch(pg_optimizer *optimizer)
{
    for (int s = 0; s < SLOTS && optimizer->options.device; s++)
        if (optimizer->blocks[s])
            PG_TRY(pg_values_download(optimizer->options.device, optimizer->copies[s], optimizer->blocks[s],
                                      optimizer->block_bytes[s]));
    return PG_OK;
}

static pg_status check_stored(const pg_array *wanted, const pg_array *stored, const char *path)
{
    char found[PG_SHAPE_TEXT], expected[PG_SHAPE_TEXT];
    if (!stored)
        return pg_fail(PG_ERROR_FORMAT, "%s: no %s: not saved by this optimizer for these weights", path, wanted->name);
    if (stored->dtype != wanted->dtype || stored->dimensions != wanted->dimensions ||
        memcmp(stored->shape, wanted->shape, (size_t)wanted->dimensions * sizeof *wanted->shape) != 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: %s: found %s %s, expected %s %s", path, wanted->name,
                       pg_dtype_name(stored->dtype), pg_array_shape_text(found, stored), pg_dtype_name(wanted->dtype),
                       pg_array_shape_text(expected, wanted));
    return PG_OK;
}

pg_status pg_optimizer_load(pg_optimizer *optimizer, const pg_safetensors *file, const char *path)
{
    for (size_t i = 0; i < optimizer->state_count; i++) {
        const pg_array *wanted = &optimizer->state[i];
        PG_TRY(check_stored(wanted, pg_safetensors_find(file, wanted->name), path));
    }
    int64_t step;
    memcpy(&step, pg_safetensors_find(file, "optimizer.step")->data, sizeof step);
    if (step < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: optimizer.step: found %lld, expected 0 or more", path, (long long)step);
    for (size_t i = 0; i < optimizer->state_count; i++)
        if (optimizer->state[i].bytes)
            memcpy((void *)optimizer->state[i].data, pg_safetensors_find(file, optimizer->state[i].name)->data,
                   optimizer->state[i].bytes);
    return upload(optimizer);
}
