#include "model/model_writer.h"

#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "base/names.h"
#include "base/numbers.h"
#include "base/pages.h"
#include "base/threads.h"

#define PIECE_BYTES (32 << 20) /* of floats that are made before they are written */

pg_status pg_model_write_options_read(pg_model_write_options *out, const char *dtype, int threads)
{
    *out = (pg_model_write_options){.convert = dtype != NULL, .threads = threads ? threads : pg_threads_default()};
    if (dtype && (!pg_dtype_parse(&out->dtype, dtype) ||
                  (out->dtype != PG_F32 && out->dtype != PG_F16 && out->dtype != PG_BF16)))
        return pg_fail(PG_ERROR_ARGUMENT, "dtype: \"%s\", expected \"F32\", \"BF16\" or \"F16\"", dtype);
    if (threads < 0 || threads > PG_THREADS_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "threads: %d, expected 1 to %d", threads, PG_THREADS_MAX);
    return PG_OK;
}

/* ---------------------------------------------------------------- the values of one weight */

/* A weight and its low-rank addition as the host can read them. */
typedef struct host_weight {
    pg_parameter p;
    pg_lora lora;
    void *memory[3];
    float *a; /* the addition's first factor, [rank][width] */
} host_weight;

/* Freed with free_host, also after a failure. */
static pg_status bring_to_host(host_weight *out, const pg_parameter *p)
{
    *out = (host_weight){.p = *p};
    PG_TRY(pg_parameter_to_host(&out->p, &out->memory[0], p));
    if (!p->lora)
        return PG_OK;
    out->lora = *p->lora;
    out->p.lora = &out->lora;
    PG_TRY(pg_parameter_to_host(&out->lora.a, &out->memory[1], &p->lora->a));
    PG_TRY(pg_parameter_to_host(&out->lora.b, &out->memory[2], &p->lora->b));
    int64_t count = out->lora.a.rows * p->width;
    out->a = pg_alloc((size_t)count, sizeof *out->a);
    if (!out->a)
        return PG_ERROR_MEMORY;
    pg_dtype_widen(out->a, out->lora.a.dtype, out->lora.a.data, count);
    return PG_OK;
}

static void free_host(host_weight *weight)
{
    for (size_t i = 0; i < sizeof weight->memory / sizeof *weight->memory; i++)
        pg_free(weight->memory[i]);
    pg_free(weight->a);
}

/* Floats that one row is made in beside itself: its addition, and a row of the second factor. */
static int64_t row_workspace(const host_weight *weight)
{
    return weight->p.lora ? weight->p.width + weight->lora.a.rows : 0;
}

/* row += scale * (row of b) a */
static void add_low_rank(float *row, float *workspace, const host_weight *weight, int64_t index)
{
    const pg_lora *lora = &weight->lora;
    int64_t width = weight->p.width, rank = lora->a.rows;
    float *addition = workspace, *b = workspace + width;
    size_t b_bytes = (size_t)rank * pg_dtype_size(lora->b.dtype);
    pg_dtype_widen(b, lora->b.dtype, (const char *)lora->b.data + (size_t)index * b_bytes, rank);
    memset(addition, 0, (size_t)width * sizeof *addition);
    for (int64_t k = 0; k < rank; k++)
        for (int64_t i = 0; i < width; i++)
            addition[i] += b[k] * weight->a[k * width + i];
    for (int64_t i = 0; i < width; i++)
        row[i] += (float)lora->scale * addition[i];
}

static void read_row(float *row, float *workspace, const host_weight *weight, int64_t index)
{
    pg_parameter_row(row, &weight->p, index);
    if (weight->p.lora)
        add_low_rank(row, workspace, weight, index);
}

/* Some rows of a weight in the making. */
typedef struct value_run {
    host_weight weight, with;     /* with: only where options->with */
    const pg_weight_entry *entry; /* with options: the weight has no data */
    const pg_model_write_options *options;
    pg_dtype dtype;
    int64_t first, rows;
    float *floats; /* of each worker: a row, the other model's, what they are made in */
    int64_t worker_floats;
    char *out; /* [rows][width] of dtype */
} value_run;

static bool is_mixed(const value_run *run)
{
    return run->options && run->options->with;
}

static bool is_given(const pg_parameter *p)
{
    return p->quantized.bits || p->data;
}

static void make_row(void *context, int64_t index, int worker)
{
    const value_run *run = context;
    int64_t row = run->first + index, width = run->weight.p.width;
    float *floats = run->floats + worker * run->worker_floats, *other = floats + width, *workspace = other + width;
    if (is_given(&run->weight.p))
        read_row(floats, workspace, &run->weight, row);
    else
        run->options->values(run->options->user, floats, run->entry, row, 1);
    if (is_mixed(run)) {
        float share = (float)run->options->share;
        read_row(other, workspace, &run->with, row);
        for (int64_t i = 0; i < width; i++)
            floats[i] = (1 - share) * floats[i] + share * other[i];
    }
    pg_dtype_narrow(run->out + (size_t)(index * width) * pg_dtype_size(run->dtype), run->dtype, floats, width);
}

/* What rows are made with. with: the other model's weight, or NULL. Freed with end_run, also after a failure. */
static pg_status begin_run(value_run *run, const pg_parameter *p, const pg_parameter *with, int threads)
{
    PG_TRY(bring_to_host(&run->weight, p));
    if (with)
        PG_TRY(bring_to_host(&run->with, with));
    int64_t own = row_workspace(&run->weight), other = row_workspace(&run->with);
    run->worker_floats = 2 * p->width + (own > other ? own : other);
    run->floats = pg_alloc((size_t)threads, (size_t)run->worker_floats * sizeof *run->floats);
    return run->floats ? PG_OK : PG_ERROR_MEMORY;
}

static void end_run(value_run *run)
{
    pg_free(run->floats);
    free_host(&run->weight);
    free_host(&run->with);
}

/* Mapped pages that will not be read again. What is not mapped must not be given back. */
static void release(const value_run *run, const pg_parameter *p)
{
    size_t row_bytes = (size_t)p->width * pg_dtype_size(p->dtype);
    if (p->stored && p->data == p->stored->data && !p->copied && !p->quantized.bits)
        pg_pages_release((const char *)p->data + (size_t)run->first * row_bytes, (size_t)run->rows * row_bytes);
}

/* All rows of the run. */
static pg_status make_rows(value_run *run, int threads)
{
    const pg_model_write_options *options = run->options;
    if (options && options->prepare && !is_given(&run->weight.p))
        PG_TRY(options->prepare(options->user, run->entry, run->first, run->rows));
    pg_parallel(threads, run->rows, make_row, run);
    return PG_OK;
}

static pg_status write_pieces(pg_safetensors_writer *file, value_run *run, int threads)
{
    const pg_parameter *p = &run->weight.p;
    size_t row_bytes = (size_t)p->width * pg_dtype_size(run->dtype);
    bool as_stored = !is_mixed(run) && !p->lora && !p->quantized.bits && p->data && p->dtype == run->dtype;
    for (int64_t piece = run->rows; run->first < p->rows; run->first += piece) {
        run->rows = pg_smaller(p->rows - run->first, piece);
        const char *bytes = as_stored ? (const char *)p->data + (size_t)run->first * row_bytes : run->out;
        if (!as_stored)
            PG_TRY(make_rows(run, threads));
        PG_TRY(pg_safetensors_writer_write(file, bytes, (size_t)run->rows * row_bytes));
        release(run, p);
        release(run, &run->with.p);
    }
    return PG_OK;
}

static pg_status write_values(pg_safetensors_writer *file, value_run *run, const pg_parameter *p,
                              const pg_parameter *with, int threads)
{
    pg_status status;
    PG_TRY_GOTO(begin_run(run, p, with, threads));
    run->rows = pg_smaller(p->rows, PIECE_BYTES / (p->width * (int64_t)sizeof(float)) + 1);
    run->out = pg_alloc((size_t)run->rows, (size_t)p->width * pg_dtype_size(run->dtype));
    status = run->out ? write_pieces(file, run, threads) : PG_ERROR_MEMORY;
done:
    pg_free(run->out);
    end_run(run);
    return status;
}

pg_status pg_weight_rows(void *out, const pg_parameter *p, pg_dtype dtype, int64_t first, int64_t count, int threads)
{
    value_run run = {.dtype = dtype, .first = first, .rows = count, .out = out};
    pg_status status = begin_run(&run, p, NULL, threads);
    if (status == PG_OK)
        status = make_rows(&run, threads);
    release(&run, &run.weight.p);
    end_run(&run);
    return status;
}

pg_status pg_weight_write(pg_safetensors_writer *file, const pg_parameter *p, pg_dtype dtype, int threads)
{
    value_run run = {.dtype = dtype};
    return write_values(file, &run, p, NULL, threads);
}

/* ---------------------------------------------------------------- the plan */

typedef struct write_plan {
    const pg_model_write_options *options;
    int threads;
    pg_weight_entry *entries, *others; /* others: the same weights of options->with */
    pg_array *arrays;
    size_t *shards; /* of each weight */
    size_t count, shard_count;
    int64_t bytes, parameters;
} write_plan;

static pg_dtype dtype_of(const pg_parameter *p, const pg_model_write_options *options)
{
    if (options->convert)
        return options->dtype;
    return p->quantized.bits ? PG_BF16 : p->dtype;
}

static void plan_array(write_plan *plan, size_t i)
{
    const pg_weight_entry *entry = &plan->entries[i];
    pg_array *array = &plan->arrays[i];
    *array = (pg_array){.name = entry->published,
                        .dtype = dtype_of(entry->parameter, plan->options),
                        .dimensions = entry->dimensions};
    memcpy(array->shape, entry->shape, sizeof entry->shape);
    pg_array_size(&array->bytes, array);
    plan->bytes += (int64_t)array->bytes;
    plan->parameters += entry->parameter->rows * entry->parameter->width;
}

/* A file is full when the next weight does not fit any more. */
static void plan_shards(write_plan *plan)
{
    size_t limit = plan->options->shard_bytes ? plan->options->shard_bytes : PG_SHARD_BYTES, used = 0;
    for (size_t i = 0; i < plan->count; i++) {
        size_t bytes = plan->arrays[i].bytes;
        if (used && (bytes > limit || used > limit - bytes)) {
            plan->shard_count++;
            used = 0;
        }
        plan->shards[i] = plan->shard_count;
        used += bytes;
    }
    plan->shard_count++;
}

static pg_status list_weights(pg_weight_entry **entries, size_t *count, pg_weights *weights)
{
    pg_weight_walk walk = {.weights = weights};
    pg_weight_entry entry;
    size_t capacity = 0;
    while (pg_weights_next(&walk, &entry)) {
        PG_TRY(pg_grow((void **)entries, &capacity, *count + 1, sizeof **entries));
        (*entries)[(*count)++] = entry;
    }
    return PG_OK;
}

/* "NAME of ROWS x WIDTH", or "nothing" behind the last one. */
static void tell_weight(char out[PG_WEIGHT_NAME + 64], const pg_weight_entry *entries, size_t count, size_t i)
{
    if (i < count)
        snprintf(out, PG_WEIGHT_NAME + 64, "%s of %lld x %lld", entries[i].published,
                 (long long)entries[i].parameter->rows, (long long)entries[i].parameter->width);
    else
        snprintf(out, PG_WEIGHT_NAME + 64, "nothing");
}

/* Models that are mixed have the same weights, in the same order. */
static pg_status list_others(write_plan *plan, const pg_weights *weights, pg_weights *with)
{
    size_t count = 0;
    PG_TRY(list_weights(&plan->others, &count, with));
    char own[PG_WEIGHT_NAME + 64], other[PG_WEIGHT_NAME + 64], difference[PG_CONFIG_DIFFERENCE];
    for (size_t i = 0; i < plan->count || i < count; i++) {
        tell_weight(own, plan->entries, plan->count, i);
        tell_weight(other, plan->others, count, i);
        if (strcmp(own, other) != 0)
            return pg_fail(PG_ERROR_ARGUMENT,
                           "models of different kinds or sizes cannot be mixed: one has %s where the other has %s", own,
                           other);
    }
    if (pg_config_differ(difference, &weights->config, &with->config))
        return pg_fail(PG_ERROR_ARGUMENT, "models of different kinds or sizes cannot be mixed: %s", difference);
    return PG_OK;
}

static pg_status make_plan(write_plan *plan, pg_weights *weights, const pg_model_write_options *options)
{
    *plan = (write_plan){.options = options, .threads = options->threads};
    PG_TRY(list_weights(&plan->entries, &plan->count, weights));
    if (options->with)
        PG_TRY(list_others(plan, weights, options->with));
    plan->arrays = pg_alloc(plan->count, sizeof *plan->arrays);
    plan->shards = pg_alloc(plan->count, sizeof *plan->shards);
    if (!plan->arrays || !plan->shards)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < plan->count; i++)
        plan_array(plan, i);
    plan_shards(plan);
    return PG_OK;
}

static void free_plan(write_plan *plan)
{
    pg_free(plan->entries);
    pg_free(plan->others);
    pg_free(plan->arrays);
    pg_free(plan->shards);
}

static pg_status check_tied(const pg_weights *weights)
{
    const pg_parameter *output = &weights->text.output, *embed = &weights->text.embed;
    if (!weights->config.text.tied || (!output->lora && !embed->lora && output->data == embed->data))
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "the output matrix and the embedding are one in this model, and the adapter "
                                         "changes one of them alone: they cannot be merged into it");
}

/* ---------------------------------------------------------------- files */

#define SHARD_NAME 64

static void shard_name(char *out, const write_plan *plan, size_t shard)
{
    if (plan->shard_count == 1)
        snprintf(out, SHARD_NAME, "model.safetensors");
    else
        snprintf(out, SHARD_NAME, "model-%05zu-of-%05zu.safetensors", shard + 1, plan->shard_count);
}

static pg_status write_weight(pg_safetensors_writer *file, const write_plan *plan, size_t i)
{
    const pg_model_write_options *options = plan->options;
    const pg_parameter *with = options->with ? plan->others[i].parameter : NULL;
    value_run run = {.entry = &plan->entries[i], .options = options, .dtype = plan->arrays[i].dtype};
    PG_TRY(write_values(file, &run, plan->entries[i].parameter, with, plan->threads));
    if (options->on_progress && !options->on_progress(options->user, i + 1, plan->count))
        return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    return PG_OK;
}

/* Weights first .. end - 1. */
static pg_status write_shard(const write_plan *plan, const char *path, size_t first, size_t end)
{
    static const char *const metadata[][2] = {{"format", "pt"}};
    pg_safetensors_writer *file;
    PG_TRY(pg_safetensors_writer_open(&file, path, plan->arrays + first, end - first, metadata, 1));
    for (size_t i = first; i < end; i++) {
        pg_status status = write_weight(file, plan, i);
        if (status != PG_OK) {
            pg_safetensors_writer_abort(file);
            return status;
        }
    }
    return pg_safetensors_writer_commit(file);
}

static pg_status write_shards(const write_plan *plan, const char *folder)
{
    pg_buffer path = {0};
    pg_status status = PG_OK;
    for (size_t first = 0, end; status == PG_OK && first < plan->count; first = end) {
        char name[SHARD_NAME];
        for (end = first; end < plan->count && plan->shards[end] == plan->shards[first];)
            end++;
        shard_name(name, plan, plan->shards[first]);
        status = pg_file_join(&path, folder, name);
        if (status == PG_OK)
            status = write_shard(plan, path.data, first, end);
    }
    pg_buffer_free(&path);
    return status;
}

static pg_status write_index(const write_plan *plan, const char *folder)
{
    if (plan->shard_count == 1)
        return PG_OK;
    json_t *map = json_object();
    for (size_t i = 0; i < plan->count; i++) {
        char name[SHARD_NAME];
        shard_name(name, plan, plan->shards[i]);
        json_object_set_new(map, plan->arrays[i].name, json_string(name));
    }
    bool whole = json_object_size(map) == plan->count;
    json_t *index = json_pack("{s:{s:I,s:I},s:o}", "metadata", "total_parameters", (json_int_t)plan->parameters,
                              "total_size", (json_int_t)plan->bytes, "weight_map", map);
    pg_buffer path = {0};
    pg_status status = index && whole ? PG_OK : pg_fail(PG_ERROR_MEMORY, "out of memory");
    if (status == PG_OK)
        status = pg_file_join(&path, folder, "model.safetensors.index.json");
    if (status == PG_OK)
        status = pg_json_save(index, path.data);
    pg_buffer_free(&path);
    json_decref(index);
    return status;
}

pg_status pg_model_write_weights(const char *folder, pg_weights *weights, const pg_model_write_options *options)
{
    write_plan plan;
    PG_TRY(check_tied(weights));
    if (options->with)
        PG_TRY(check_tied(options->with));
    pg_status status = make_plan(&plan, weights, options);
    if (status == PG_OK)
        status = write_shards(&plan, folder);
    if (status == PG_OK)
        status = write_index(&plan, folder);
    free_plan(&plan);
    return status;
}

/* ---------------------------------------------------------------- the other files */

static int set_dtype(json_t *object, const char *name, bool always)
{
    static const char *const keys[] = {"torch_dtype", "dtype"};
    bool found = false;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (json_object_get(object, keys[i])) {
            found = true;
            if (json_object_set_new(object, keys[i], json_string(name)) != 0)
                return -1;
        }
    return found || !always ? 0 : json_object_set_new(object, keys[0], json_string(name));
}

pg_status pg_config_set_dtype(json_t *config, pg_dtype dtype)
{
    static const char *const parts[] = {"text_config", "vision_config"};
    const char *name = dtype == PG_F32 ? "float32" : dtype == PG_F16 ? "float16" : "bfloat16";
    int failed = set_dtype(config, name, true);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        json_t *part = json_object_get(config, parts[i]);
        if (json_is_object(part))
            failed |= set_dtype(part, name, false);
    }
    return failed ? pg_fail(PG_ERROR_MEMORY, "out of memory") : PG_OK;
}

pg_status pg_model_write_config(const char *path, const char *from, const pg_weights *weights,
                                const pg_model_write_options *options)
{
    json_t *config;
    bool quantised = weights->config.quantization.text || weights->config.quantization.vision;
    PG_TRY(pg_json_load(&config, from));
    pg_status status = PG_OK;
    json_object_del(config, "quantization_config");
    if (options->convert || quantised)
        status = pg_config_set_dtype(config, options->convert ? options->dtype : PG_BF16);
    if (status == PG_OK)
        status = pg_json_save(config, path);
    json_decref(config);
    return status;
}

/* Neither weights, of whatever format, nor what is made anew. */
static bool is_copied(const char *name)
{
    static const char *const weights[] = {"pytorch_model", "tf_model", "flax_model", "adapter_"};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        if (!strncmp(name, weights[i], strlen(weights[i])))
            return false;
    return strcmp(name, "config.json") != 0 && !pg_ends_in(name, ".safetensors") &&
           !pg_ends_in(name, ".safetensors.index.json");
}

pg_status pg_model_copy_files(const char *folder, const char *from)
{
    return pg_folder_copy(from, folder, is_copied);
}

pg_status pg_model_write_into(const char *folder, pg_weights *weights, const char *from,
                              const pg_model_write_options *options)
{
    pg_buffer source = {0}, target = {0};
    pg_status status;
    PG_TRY_GOTO(pg_model_write_weights(folder, weights, options));
    PG_TRY_GOTO(pg_file_join(&source, from, "config.json"));
    PG_TRY_GOTO(pg_file_join(&target, folder, "config.json"));
    PG_TRY_GOTO(pg_model_write_config(target.data, source.data, weights, options));
    PG_TRY_GOTO(pg_model_copy_files(folder, from));
done:
    pg_buffer_free(&source);
    pg_buffer_free(&target);
    return status;
}

pg_status pg_model_write(const char *folder, pg_weights *weights, const char *from,
                         const pg_model_write_options *options)
{
    pg_folder_writer writer;
    PG_TRY(options->replace ? pg_folder_writer_replace(&writer, folder) : pg_folder_writer_open(&writer, folder));
    pg_status status = pg_model_write_into(writer.partial.data, weights, from, options);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}
