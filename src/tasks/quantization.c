/*
 * A model with smaller weights. What becomes of every weight is planned first, because the file begins with its list;
 * then they are made and written one after another, some groups of rows at a time. Reading the new model back compares
 * what it says with what the old one says, so that the errors reported are those of the file.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/threads.h"
#include "generate/model.h"
#include "model/model_writer.h"
#include "model/quantizer.h"
#include "tensor/quantized_arrays.h"
#include "tensor/safetensors.h"

#define PIECE_BYTES (8 << 20) /* of values that are made before they are written */

/* What one weight becomes. */
typedef struct planned_weight {
    const pg_parameter *from;
    pg_quantized to; /* bits 0: it stays floats */
    pg_quantized_arrays arrays;
    pg_array array; /* as floats */
} planned_weight;

typedef struct quantization {
    const pg_model *model;
    pg_quantize_options options;
    pg_quantization scheme;
    planned_weight *weights;
    size_t count, capacity;
    pg_status planning;
    pg_safetensors_writer *file;
} quantization;

void pg_quantize_options_init(pg_quantize_options *options)
{
    *options = (pg_quantize_options){.text = PG_WEIGHTS_INT8, .vision = PG_WEIGHTS_INT8};
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---------------------------------------------------------------- the plan */

static int bits_of(pg_weight_format format)
{
    return format == PG_WEIGHTS_INT8 ? 8 : format == PG_WEIGHTS_INT4 ? 4 : 0;
}

static pg_status check_options(quantization *run)
{
    pg_quantize_options *o = &run->options;
    const pg_config *config = &run->model->weights->config;
    if (config->quantization.text || config->quantization.vision)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: its weights are quantised already; start from the original model",
                       run->model->folder);
    if (run->model->adapter)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: an adapter is in use; merge it first", run->model->folder);
    o->block = o->block ? o->block : 256;
    if (o->block > 256 || !pg_quantized_block_exists((int64_t)o->block))
        return pg_fail(PG_ERROR_ARGUMENT, "block: %zu, expected 32, 64, 128 or 256", o->block);
    o->threads = o->threads ? o->threads : pg_threads_default();
    if (o->threads < 0 || o->threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to %d", o->threads, PG_THREADS_MAX);
    run->scheme = (pg_quantization){
        .text = bits_of(o->text),
        .vision = config->kind == PG_MODEL_GEMMA ? 0 : bits_of(o->vision),
        .block = (int64_t)o->block,
    };
    return PG_OK;
}

/* True for a matrix of a part that is to be bf16. */
static bool becomes_bf16(const quantization *run, const pg_parameter *p)
{
    const pg_quantization bf16 = {.text = run->options.text == PG_WEIGHTS_BF16,
                                  .vision = run->options.vision == PG_WEIGHTS_BF16};
    return pg_weights_bits(run->model->weights, p, &bf16) != 0;
}

static void plan_weight(void *user, const pg_parameter *p)
{
    quantization *run = user;
    if (run->planning == PG_OK)
        run->planning = pg_grow((void **)&run->weights, &run->capacity, run->count + 1, sizeof *run->weights);
    if (run->planning != PG_OK)
        return;
    planned_weight *weight = &run->weights[run->count++];
    *weight = (planned_weight){.from = p, .array = *p->stored};
    weight->to = (pg_quantized){.bits = pg_weights_bits(run->model->weights, p, &run->scheme),
                                .rows = p->rows,
                                .inputs = p->width,
                                .block = run->scheme.block};
    if (becomes_bf16(run, p))
        weight->array.dtype = PG_BF16;
    pg_array_size(&weight->array.bytes, &weight->array);
}

/* All arrays of the file in their order; freed with pg_free. */
static pg_status list_arrays(pg_array **out, size_t *count, quantization *run)
{
    pg_array *arrays = *out = pg_alloc(run->count * PG_QUANTIZED_ARRAYS, sizeof *arrays);
    *count = 0;
    if (!arrays)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->count; i++) {
        planned_weight *weight = &run->weights[i];
        if (!weight->to.bits) {
            arrays[(*count)++] = weight->array;
            continue;
        }
        if (strlen(weight->array.name) + sizeof "_scale" > PG_QUANTIZED_NAME)
            return pg_fail(PG_ERROR_LIMIT, "%s: the tensor \"%s\" has too long a name", run->model->folder,
                           weight->array.name);
        pg_quantized_arrays_init(&weight->arrays, &weight->to, weight->array.name);
        for (int k = 0; k < weight->arrays.count; k++)
            arrays[(*count)++] = weight->arrays.arrays[k];
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- making and writing */

/* A weight in the making: values of some groups, scales and steps of all. */
typedef struct rounding_run {
    const planned_weight *weight;
    pg_quantized_parts parts;
    int64_t first, groups; /* of the piece */
    char *workers;         /* of each: 16 rows of floats, and scratch */
    size_t worker_bytes;
    atomic_bool strange;
} rounding_run;

static void round_group(void *context, int64_t index, int worker)
{
    rounding_run *run = context;
    const pg_parameter *from = run->weight->from;
    const pg_quantized *to = &run->weight->to;
    int64_t group = run->first + index, blocks = pg_quantized_blocks(to->inputs, to->block);
    int64_t row = group * PG_QUANTIZED_ROWS, rows = smaller(from->rows - row, PG_QUANTIZED_ROWS);
    float *floats = (float *)(run->workers + (size_t)worker * run->worker_bytes);
    size_t row_bytes = (size_t)from->width * pg_dtype_size(from->dtype);
    memset(floats, 0, (size_t)(PG_QUANTIZED_ROWS * from->width) * sizeof *floats);
    pg_dtype_widen(floats, from->dtype, (const char *)from->data + (size_t)row * row_bytes, rows * from->width);
    pg_quantized_parts parts = {.values = run->parts.values + index * pg_quantized_group_bytes(to),
                                .steps = run->parts.steps + group * pg_quantized_step_bytes(to),
                                .scales = run->parts.scales + group * blocks * PG_QUANTIZED_ROWS};
    if (!pg_quantize_group(&parts, to, floats, NULL, floats + PG_QUANTIZED_ROWS * from->width))
        atomic_store(&run->strange, true);
}

static pg_status make_room(rounding_run *run, int threads)
{
    const planned_weight *weight = run->weight;
    int64_t group_bytes = pg_quantized_group_bytes(&weight->to);
    run->groups = smaller(pg_quantized_groups(weight->to.rows), PIECE_BYTES / group_bytes + threads);
    run->worker_bytes =
        (size_t)(PG_QUANTIZED_ROWS * weight->from->width) * sizeof(float) + pg_quantize_scratch(&weight->to);
    run->parts.values = pg_alloc((size_t)run->groups, (size_t)group_bytes);
    run->parts.scales = pg_alloc(weight->arrays.arrays[1].bytes, 1);
    run->parts.steps = pg_alloc(weight->to.bits == 4 ? weight->arrays.arrays[2].bytes : 0, 1);
    run->workers = pg_alloc((size_t)threads, run->worker_bytes);
    return run->parts.values && run->parts.scales && run->parts.steps && run->workers ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status write_pieces(quantization *run, rounding_run *rounding)
{
    const planned_weight *weight = rounding->weight;
    int64_t groups = pg_quantized_groups(weight->to.rows), piece = rounding->groups;
    for (; rounding->first < groups; rounding->first += piece) {
        rounding->groups = smaller(groups - rounding->first, piece);
        pg_parallel(run->options.threads, rounding->groups, round_group, rounding);
        if (atomic_load(&rounding->strange))
            return pg_fail(PG_ERROR_FORMAT, "%s: %s (%s): found a value that is not finite", run->model->folder,
                           weight->array.name, weight->from->name);
        PG_TRY(pg_safetensors_writer_write(run->file, rounding->parts.values,
                                           (size_t)(rounding->groups * pg_quantized_group_bytes(&weight->to))));
    }
    PG_TRY(pg_safetensors_writer_write(run->file, rounding->parts.scales, weight->arrays.arrays[1].bytes));
    return weight->to.bits == 4
               ? pg_safetensors_writer_write(run->file, rounding->parts.steps, weight->arrays.arrays[2].bytes)
               : PG_OK;
}

static pg_status write_quantized(quantization *run, const planned_weight *weight)
{
    rounding_run rounding = {.weight = weight};
    pg_status status = make_room(&rounding, run->options.threads);
    if (status == PG_OK)
        status = write_pieces(run, &rounding);
    pg_free(rounding.parts.values);
    pg_free(rounding.parts.scales);
    pg_free(rounding.parts.steps);
    pg_free(rounding.workers);
    return status;
}

static pg_status write_weight(quantization *run, const planned_weight *weight)
{
    if (weight->to.bits)
        return write_quantized(run, weight);
    if (weight->array.dtype != weight->from->dtype)
        return pg_weight_write(run->file, weight->from, weight->array.dtype, run->options.threads);
    return pg_safetensors_writer_write(run->file, weight->array.data, weight->array.bytes);
}

static pg_status go_on(bool yes)
{
    return yes ? PG_OK : pg_fail(PG_ERROR_CANCELLED, "cancelled");
}

static pg_status write_weights(quantization *run, const char *path)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    pg_array *arrays = NULL;
    size_t count;
    pg_status status = list_arrays(&arrays, &count, run);
    if (status == PG_OK)
        status = pg_safetensors_writer_open(&run->file, path, arrays, count, metadata, 1);
    pg_free(arrays);
    PG_TRY(status);
    const pg_quantize_options *o = &run->options;
    for (size_t i = 0; status == PG_OK && i < run->count; i++) {
        status = write_weight(run, &run->weights[i]);
        if (status == PG_OK && o->on_progress)
            status = go_on(o->on_progress(o->user, i + 1, run->count));
    }
    if (status == PG_OK)
        return pg_safetensors_writer_commit(run->file);
    pg_safetensors_writer_abort(run->file);
    return status;
}

/* ---------------------------------------------------------------- the other files */

static json_t *format_name(int bits)
{
    return bits ? json_string(bits == 8 ? "int8" : "int4") : json_null();
}

/* config.json with the scheme; nothing else changes. */
static pg_status write_config(const quantization *run, const char *from, const char *to)
{
    json_t *config;
    PG_TRY(pg_json_load(&config, from));
    json_t *scheme =
        json_pack("{s:s,s:i,s:I,s:o}", "quant_method", PG_QUANTIZATION_METHOD, "version", PG_QUANTIZATION_VERSION,
                  "block", (json_int_t)run->scheme.block, "text", format_name(run->scheme.text));
    if (run->model->weights->config.kind != PG_MODEL_GEMMA)
        json_object_set_new(scheme, "vision", format_name(run->scheme.vision));
    pg_status status = json_object_set_new(config, "quantization_config", scheme) == 0
                           ? PG_OK
                           : pg_fail(PG_ERROR_MEMORY, "out of memory");
    if (!run->scheme.text && !run->scheme.vision)
        json_object_del(config, "quantization_config");
    if (status == PG_OK)
        status = pg_json_save(config, to);
    json_decref(config);
    return status;
}

/* ---------------------------------------------------------------- reading back */

/* Sums of squares over some rows of a weight, old and new. */
typedef struct comparison {
    const pg_parameter *old, *new;
    float *workers;     /* of each: two rows */
    double *off, *size; /* [tasks] */
    int64_t rows;       /* of a task */
    atomic_bool strange;
} comparison;

/* Row `row` of a weight as floats. */
static void read_row(float *out, const pg_parameter *p, int64_t row)
{
    if (p->quantized.bits)
        pg_quantized_widen(out, &p->quantized, row, 0, p->width);
    else
        pg_dtype_widen(out, p->dtype, (const char *)p->data + (size_t)(row * p->width) * pg_dtype_size(p->dtype),
                       p->width);
}

static void compare_rows(void *context, int64_t index, int worker)
{
    comparison *run = context;
    int64_t width = run->old->width;
    float *old = run->workers + 2 * worker * width, *new = old + width;
    double off = 0, size = 0;
    for (int64_t row = index * run->rows; row < smaller((index + 1) * run->rows, run->old->rows); row++) {
        read_row(old, run->old, row);
        read_row(new, run->new, row);
        for (int64_t i = 0; i < width; i++) {
            double difference = (double)new[i] - (double)old[i];
            off += difference * difference;
            size += (double)old[i] * (double)old[i];
        }
    }
    run->off[index] = off;
    run->size[index] = size;
}

static pg_status compare_weight(double *error, const quantization *run, const pg_parameter *old,
                                const pg_parameter *new)
{
    comparison compared = {.old = old, .new = new, .rows = 16};
    int64_t tasks = (old->rows + compared.rows - 1) / compared.rows;
    compared.workers = pg_alloc((size_t)run->options.threads * 2, (size_t)old->width * sizeof *compared.workers);
    compared.off = pg_alloc((size_t)tasks, sizeof *compared.off);
    compared.size = pg_alloc((size_t)tasks, sizeof *compared.size);
    pg_status status = compared.workers && compared.off && compared.size ? PG_OK : PG_ERROR_MEMORY;
    if (status == PG_OK) {
        pg_parallel(run->options.threads, tasks, compare_rows, &compared);
        double off = 0, size = 0;
        for (int64_t i = 0; i < tasks; i++) {
            off += compared.off[i];
            size += compared.size[i];
        }
        *error = off > 0 ? sqrt(off / size) : 0;
        if (!isfinite(off) || off > size)
            status = pg_fail(PG_ERROR_FORMAT, "%s: it does not read back as what it was made from", old->name);
    }
    pg_free(compared.workers);
    pg_free(compared.off);
    pg_free(compared.size);
    return status;
}

static const char *format_of(const pg_parameter *p)
{
    return p->quantized.bits == 8 ? "int8" : p->quantized.bits == 4 ? "int4" : pg_dtype_name(p->dtype);
}

/* Collects the weights of a model in their order. */
typedef struct weight_list {
    const pg_parameter **items; /* [count] */
    size_t count, next;
} weight_list;

static void list_weight(void *user, const pg_parameter *p)
{
    weight_list *list = user;
    if (list->next < list->count)
        list->items[list->next++] = p;
}

static pg_status compare_all(const quantization *run, const pg_model *made)
{
    const pg_quantize_options *o = &run->options;
    weight_list list = {.count = run->count};
    list.items = pg_alloc(list.count, sizeof *list.items);
    pg_status status = list.items ? PG_OK : PG_ERROR_MEMORY;
    if (status == PG_OK)
        pg_weights_each(made->weights, list_weight, &list);
    for (size_t i = 0; status == PG_OK && i < run->count; i++) {
        const pg_parameter *old = run->weights[i].from, *new = list.items[i];
        pg_quantized_weight report = {.name = old->name,
                                      .format = format_of(new),
                                      .bytes_before = (size_t)pg_parameter_bytes(old),
                                      .bytes_after = (size_t)pg_parameter_bytes(new),
                                      .index = i,
                                      .count = run->count};
        status = compare_weight(&report.error, run, old, new);
        if (status == PG_OK && o->on_weight)
            status = go_on(o->on_weight(o->user, &report));
    }
    pg_free(list.items);
    return status;
}

static pg_status read_back(const quantization *run, const char *folder)
{
    pg_model *made;
    PG_TRY(pg_model_open(&made, folder));
    pg_status status = compare_all(run, made);
    pg_model_close(made);
    return status;
}

/* ---------------------------------------------------------------- all of it */

static pg_status write_model(quantization *run, const char *folder)
{
    pg_buffer from = {0}, to = {0};
    pg_status status;
    PG_TRY_GOTO(pg_file_join(&to, folder, "model.safetensors"));
    PG_TRY_GOTO(write_weights(run, to.data));
    PG_TRY_GOTO(pg_file_join(&from, run->model->folder, "config.json"));
    PG_TRY_GOTO(pg_file_join(&to, folder, "config.json"));
    PG_TRY_GOTO(write_config(run, from.data, to.data));
    PG_TRY_GOTO(pg_model_copy_files(folder, run->model->folder));
    PG_TRY_GOTO(read_back(run, folder));
done:
    pg_buffer_free(&from);
    pg_buffer_free(&to);
    return status;
}

pg_status pg_quantize(const char *folder, const pg_model *model, const pg_quantize_options *options)
{
    quantization run = {.model = model};
    pg_folder_writer writer;
    pg_quantize_options_init(&run.options);
    run.options = options ? *options : run.options;
    PG_TRY(check_options(&run));
    PG_TRY(pg_folder_writer_open(&writer, folder));
    pg_weights_each(model->weights, plan_weight, &run);
    pg_status status = run.planning;
    if (status == PG_OK)
        status = write_model(&run, writer.partial.data);
    pg_free(run.weights);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}
