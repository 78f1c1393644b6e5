/*
 * A model with smaller weights. What becomes of every weight is planned first, because the file begins with its list;
 * then they are made and written one after another (weight_rounding.h). Reading the new model back compares what it
 * says with what the old one says, so that the errors reported are those of the file. With examples to calibrate with,
 * all of this happens twice: first the values are rounded to the nearest, then with compensation, and the second file
 * takes the place of the first, which stays open to be compared with.
 */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/numbers.h"
#include "base/threads.h"
#include "generate/model.h"
#include "model/model_writer.h"
#include "tasks/calibration.h"
#include "tasks/weight_rounding.h"

#define HELD_OUT 8 /* one of so many examples is judged by, not calibrated with */

/* What one weight becomes. */
typedef struct planned_weight {
    const pg_parameter *from;
    pg_quantized to; /* bits 0: it stays floats */
    pg_quantized_arrays arrays;
    pg_array array; /* as floats */
    pg_rounding rounding;
    pg_quantized_error error, nearest;
} planned_weight;

/* The model in the making, opened to be read. */
typedef struct made_model {
    pg_model *model;
    const pg_parameter **weights; /* as planned */
} made_model;

typedef struct quantization {
    const pg_model *model;
    pg_quantize_options options;
    pg_quantization scheme;
    planned_weight *weights;
    size_t count, capacity;
    pg_status planning;
    pg_safetensors_writer *file;
    size_t done; /* weights written, in all passes */

    pg_session *session; /* of the original; NULL without examples */
    pg_examples calibrating, judging;
    const pg_example **judged; /* borrowed from either */
    size_t judged_count;
    pg_prediction original;
    pg_calibration calibration;
    size_t collected; /* weights up to here have their moments collected, or never will */
    const made_model *nearest;
} quantization;

const char *pg_rounding_name(pg_rounding rounding)
{
    static const char *const names[] = {"original", "nearest", "compensated"};
    return names[rounding];
}

void pg_quantize_options_init(pg_quantize_options *options)
{
    *options = (pg_quantize_options){.text = PG_WEIGHTS_INT8, .vision = PG_WEIGHTS_INT8};
}

static pg_status go_on(bool yes)
{
    return yes ? PG_OK : pg_fail(PG_ERROR_CANCELLED, "cancelled");
}

static bool tick(void *user)
{
    const quantization *run = user;
    const pg_quantize_options *o = &run->options;
    return !o->on_progress || o->on_progress(o->user, run->done, run->count * (o->calibrate ? 2 : 1));
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
    o->window = o->window ? o->window : 2048;
    if (o->window < 32 || o->window > 16384)
        return pg_fail(PG_ERROR_ARGUMENT, "window: %zu, expected 32 to 16384", o->window);
    if (o->calibrate || o->evaluate)
        PG_TRY(pg_model_require(run->model, config->kind != PG_MODEL_SIGLIP, "predict text"));
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
    *weight = (planned_weight){.from = p, .array = *p->stored, .error = {0, NAN}, .nearest = {0, NAN}};
    weight->to = (pg_quantized){.bits = pg_weights_bits(run->model->weights, p, &run->scheme),
                                .rows = p->rows,
                                .inputs = p->width,
                                .block = run->scheme.block};
    weight->rounding = weight->to.bits ? PG_ROUNDING_NEAREST : PG_ROUNDING_NONE;
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

/* Moments for the next quantised weights, as many as there is room for. */
static pg_status collect_moments(quantization *run, size_t next)
{
    const pg_parameter **list = pg_alloc(run->count - next, sizeof *list);
    size_t *place = pg_alloc(run->count - next + 1, sizeof *place), count = 0, done = 0;
    pg_status status = list && place ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = next; status == PG_OK && i < run->count; i++)
        if (run->weights[i].to.bits) {
            place[count] = i;
            list[count++] = run->weights[i].from;
        }
    if (status == PG_OK) {
        place[count] = run->count;
        status = pg_calibration_collect(&done, &run->calibration, list, count);
    }
    if (status == PG_OK)
        run->collected = place[done];
    pg_free(list);
    pg_free(place);
    return status;
}

static pg_status write_quantized(quantization *run, size_t index)
{
    planned_weight *weight = &run->weights[index];
    pg_rounding_errors errors;
    pg_weight_rounding rounding = {.from = weight->from,
                                   .to = weight->to,
                                   .arrays = &weight->arrays,
                                   .threads = run->options.threads};
    if (run->nearest && index >= run->collected)
        PG_TRY(collect_moments(run, index));
    if (run->nearest)
        rounding.feedback = pg_calibration_find(&run->calibration, weight->from->name);
    if (rounding.feedback)
        rounding.nearest = run->nearest->weights[index];
    pg_status status = pg_weight_round(&errors, run->file, &rounding);
    if (status == PG_ERROR_FORMAT)
        return pg_fail_context(status, "%s", run->model->folder);
    if (status == PG_OK && rounding.feedback) {
        weight->rounding = PG_ROUNDING_COMPENSATED;
        weight->error.products = errors.products;
        weight->nearest.products = errors.nearest;
    }
    return status;
}

static pg_status write_weight(quantization *run, size_t index)
{
    planned_weight *weight = &run->weights[index];
    if (weight->to.bits)
        return write_quantized(run, index);
    if (weight->array.dtype != weight->from->dtype)
        return pg_weight_write(run->file, weight->from, weight->array.dtype, run->options.threads);
    return pg_safetensors_writer_write(run->file, weight->array.data, weight->array.bytes);
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
    for (size_t i = 0; status == PG_OK && i < run->count; i++) {
        status = write_weight(run, i);
        run->done++;
        if (status == PG_OK)
            status = go_on(tick(run));
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

static void compare_rows(void *context, int64_t index, int worker)
{
    comparison *run = context;
    int64_t width = run->old->width;
    float *old = run->workers + 2 * worker * width, *new = old + width;
    double off = 0, size = 0;
    for (int64_t row = index * run->rows; row < pg_smaller((index + 1) * run->rows, run->old->rows); row++) {
        pg_parameter_row(old, run->old, row);
        pg_parameter_row(new, run->new, row);
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

static void close_made(made_model *made)
{
    pg_model_close(made->model);
    pg_free(made->weights);
    *made = (made_model){0};
}

static pg_status open_made(made_model *out, const quantization *run, const char *folder)
{
    PG_TRY(pg_model_open(&out->model, folder));
    out->weights = pg_alloc(run->count, sizeof *out->weights);
    weight_list list = {.items = out->weights, .count = run->count};
    if (!out->weights)
        return PG_ERROR_MEMORY;
    pg_weights_each(out->model->weights, list_weight, &list);
    return PG_OK;
}

static pg_status compare_all(quantization *run, const made_model *made)
{
    for (size_t i = 0; i < run->count; i++) {
        planned_weight *weight = &run->weights[i];
        PG_TRY(compare_weight(&weight->error.values, run, weight->from, made->weights[i]));
        if (weight->rounding != PG_ROUNDING_COMPENSATED)
            weight->nearest = weight->error;
    }
    return PG_OK;
}

static pg_status report_all(const quantization *run, const made_model *made)
{
    const pg_quantize_options *o = &run->options;
    for (size_t i = 0; o->on_weight && i < run->count; i++) {
        const planned_weight *weight = &run->weights[i];
        pg_quantized_weight report = {.name = weight->from->name,
                                      .format = format_of(made->weights[i]),
                                      .bytes_before = (size_t)pg_parameter_bytes(weight->from),
                                      .bytes_after = (size_t)pg_parameter_bytes(made->weights[i]),
                                      .rounding = weight->rounding,
                                      .error = weight->error,
                                      .nearest_error = weight->nearest,
                                      .index = i,
                                      .count = run->count};
        PG_TRY(go_on(o->on_weight(o->user, &report)));
    }
    return PG_OK;
}

/* ---------------------------------------------------------------- the examples */

/* Every eighth example, the last among them, is judged by; the others are calibrated with. */
static pg_status hold_out(quantization *run)
{
    const pg_examples *all = &run->calibrating;
    const pg_example **fitted = pg_alloc(all->count, sizeof *fitted);
    run->calibration.examples = fitted;
    if (!fitted)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < all->count; i++)
        if (run->options.evaluate || (all->count - 1 - i) % HELD_OUT != 0)
            fitted[run->calibration.example_count++] = &all->items[i];
        else
            run->judged[run->judged_count++] = &all->items[i];
    return run->calibration.example_count
               ? PG_OK
               : pg_fail(PG_ERROR_ARGUMENT, "%s: found one example, expected more: every eighth is judged by",
                         run->options.calibrate);
}

static pg_status load_examples(quantization *run)
{
    const pg_quantize_options *o = &run->options;
    if (o->calibrate)
        PG_TRY(pg_examples_load(&run->calibrating, run->session, o->calibrate));
    if (o->evaluate)
        PG_TRY(pg_examples_load(&run->judging, run->session, o->evaluate));
    run->judged = pg_alloc(run->calibrating.count + run->judging.count, sizeof *run->judged);
    if (!run->judged)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < run->judging.count; i++)
        run->judged[run->judged_count++] = &run->judging.items[i];
    return o->calibrate ? hold_out(run) : PG_OK;
}

static pg_status judge(quantization *run, pg_session *session, pg_rounding rounding)
{
    const pg_quantize_options *o = &run->options;
    bool original = rounding == PG_ROUNDING_NONE;
    pg_prediction rounded = {0}, *out = original ? &run->original : &rounded;
    for (size_t i = 0; i < run->judged_count; i++) {
        PG_TRY(pg_example_predict(out, session, run->judged[i], original ? NULL : &run->original));
        PG_TRY(go_on(tick(run)));
    }
    pg_quantized_model report = {.rounding = rounding,
                                 .examples = run->judged_count,
                                 .tokens = out->tokens,
                                 .nll = out->nll / (double)out->tokens,
                                 .agreement = (double)out->agreed / (double)out->tokens};
    return o->on_model ? go_on(o->on_model(o->user, &report)) : PG_OK;
}

static pg_status judge_made(quantization *run, const made_model *made, pg_rounding rounding)
{
    pg_session_options options;
    pg_session *session;
    pg_session_options_init(&options);
    options.threads = run->options.threads;
    if (!run->session)
        return PG_OK;
    PG_TRY(pg_session_new(&session, made->model, &options));
    pg_status status = judge(run, session, rounding);
    pg_session_free(session);
    return status;
}

/* Loads the examples and lets the original predict them. */
static pg_status begin_examples(quantization *run)
{
    pg_session_options options;
    pg_session_options_init(&options);
    options.threads = run->options.threads;
    if (!run->options.calibrate && !run->options.evaluate)
        return PG_OK;
    PG_TRY(pg_session_new(&run->session, run->model, &options));
    PG_TRY(load_examples(run));
    run->calibration.session = run->session;
    run->calibration.window = (int64_t)run->options.window;
    run->calibration.on_example = tick;
    run->calibration.user = run;
    return judge(run, run->session, PG_ROUNDING_NONE);
}

static void end_examples(quantization *run)
{
    pg_calibration_reset(&run->calibration);
    pg_free((void *)run->calibration.examples);
    pg_free(run->judged);
    pg_free(run->original.best);
    pg_examples_free(&run->calibrating);
    pg_examples_free(&run->judging);
    pg_session_free(run->session);
}

/* ---------------------------------------------------------------- all of it */

/* Writes all weights, reads them back and judges them. */
static pg_status make_weights(made_model *out, quantization *run, const char *folder, const char *path,
                              pg_rounding rounding)
{
    PG_TRY(write_weights(run, path));
    PG_TRY(open_made(out, run, folder));
    PG_TRY(compare_all(run, out));
    return judge_made(run, out, rounding);
}

static pg_status write_model(quantization *run, const char *folder)
{
    pg_buffer from = {0}, to = {0};
    made_model nearest = {0}, compensated = {0};
    pg_status status;
    PG_TRY_GOTO(pg_file_join(&from, run->model->folder, "config.json"));
    PG_TRY_GOTO(pg_file_join(&to, folder, "config.json"));
    PG_TRY_GOTO(write_config(run, from.data, to.data));
    PG_TRY_GOTO(pg_model_copy_files(folder, run->model->folder));
    PG_TRY_GOTO(pg_file_join(&to, folder, "model.safetensors"));
    PG_TRY_GOTO(make_weights(&nearest, run, folder, to.data, PG_ROUNDING_NEAREST));
    if (run->options.calibrate) {
        run->nearest = &nearest;
        PG_TRY_GOTO(make_weights(&compensated, run, folder, to.data, PG_ROUNDING_COMPENSATED));
    }
    PG_TRY_GOTO(report_all(run, run->nearest ? &compensated : &nearest));
done:
    close_made(&nearest);
    close_made(&compensated);
    pg_buffer_free(&from);
    pg_buffer_free(&to);
    return status;
}

static pg_status make_model(quantization *run, const char *folder)
{
    pg_folder_writer writer;
    PG_TRY(pg_folder_writer_open(&writer, folder));
    pg_weights_each(run->model->weights, plan_weight, run);
    pg_status status = run->planning;
    if (status == PG_OK)
        status = begin_examples(run);
    if (status == PG_OK)
        status = write_model(run, writer.partial.data);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

pg_status pg_quantize(const char *folder, const pg_model *model, const pg_quantize_options *options)
{
    quantization run = {.model = model};
    pg_quantize_options_init(&run.options);
    run.options = options ? *options : run.options;
    PG_TRY(pg_model_require_host(model, "a quantised model"));
    PG_TRY(check_options(&run));
    pg_status status = make_model(&run, folder);
    end_examples(&run);
    pg_free(run.weights);
    return status;
}
