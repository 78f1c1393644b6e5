/*
 * Models in other layouts. Whatever is written is read again and compared with what it was made from, value by value;
 * between folders, both models run as well. What differs between layouts is in the rooms below: model/jax_layout.c and
 * model/gguf_layout.c say what weights are called, jax_file.c and gguf_export.c write them.
 */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/threads.h"
#include "generate/model.h"
#include "model/config_writer.h"
#include "model/jax_file.h"
#include "model/model_writer.h"
#include "tasks/gguf_export.h"
#include "tasks/model_comparison.h"
#include "text/tokenizer.h"

typedef struct conversion {
    pg_model_convert_options options;
    pg_model_write_options write;
    const char *to, *from;
    pg_model_conversion *result;
    pg_buffer lost;
    bool dropped; /* an output matrix that is the embedding once more */
    bool comparing;
} conversion;

void pg_model_convert_options_init(pg_model_convert_options *options)
{
    *options = (pg_model_convert_options){0};
}

void pg_model_conversion_free(pg_model_conversion *made)
{
    pg_free(made->lost);
    *made = (pg_model_conversion){0};
}

/* The second half is the comparison. */
static bool show_progress(void *user, size_t done, size_t total)
{
    const conversion *run = user;
    const pg_model_convert_options *o = &run->options;
    return !o->on_progress ||
           o->on_progress(o->user, run->comparing ? done + total : done, o->unchecked ? total : 2 * total);
}

/* One more thing that the result lacks. */
static pg_status lose(conversion *run, const char *what)
{
    return pg_buffer_print(&run->lost, "%s%s", run->lost.size ? "; " : "", what);
}

static bool is_wider(pg_dtype a, pg_dtype b)
{
    return a != b && (a == PG_F32 || b != PG_F32);
}

/* Counts the weights that the result will have, and says whether their values are rounded on the way. */
static pg_status review_weights(conversion *run, const pg_weights *weights, bool decoder_only)
{
    pg_weight_walk walk = {.weights = (pg_weights *)weights};
    pg_weight_entry entry;
    bool rounded = false, floats = false;
    while (pg_weights_next(&walk, &entry)) {
        const pg_parameter *p = entry.parameter;
        if (decoder_only && entry.part != PG_PART_TEXT)
            continue;
        run->result->weights++;
        floats |= p->quantized.bits != 0;
        rounded |= !p->quantized.bits && run->write.convert && is_wider(p->dtype, run->write.dtype);
    }
    if (floats)
        PG_TRY(lose(run, "quantised weights become floats"));
    if (!rounded)
        return PG_OK;
    return lose(run, run->write.dtype == PG_BF16 ? "values are rounded to bf16" : "values are rounded to f16");
}

/* Files may have an output matrix though config.json says that it is the embedding. It was never used. */
static pg_status lose_output(conversion *run, pg_weights *weights)
{
    pg_weight_entry entry;
    const pg_parameter *embed = &weights->text.embed;
    if (!weights->config.text.tied || !pg_weights_output(weights, &entry))
        return PG_OK;
    const pg_array *stored = pg_checkpoint_find(weights->files, entry.published);
    for (int i = 0; !stored && i < PG_MODULES_COUNT; i++)
        stored = pg_checkpoint_find(weights->files, entry.modules[i]);
    if (!stored || embed->quantized.bits ||
        (stored->bytes == embed->stored->bytes && !memcmp(stored->data, embed->data, stored->bytes)))
        return PG_OK;
    return lose(run, "an output matrix that is not the embedding, as config.json says that it is");
}

/* ---------------------------------------------------------------- folder to folder */

/* An output matrix with the embedding's very bytes is dropped: the model is a tied one. */
static bool drop_double_output(pg_weights *weights)
{
    const pg_parameter *output = &weights->text.output, *embed = &weights->text.embed;
    bool same = weights->config.kind != PG_MODEL_SIGLIP && !weights->config.text.tied && !output->lora &&
                !embed->lora && !output->quantized.bits && output->dtype == embed->dtype &&
                !memcmp(output->data, embed->data, (size_t)pg_parameter_bytes(embed));
    if (same) {
        weights->config.text.tied = weights->text.config.tied = true;
        pg_weights_tie(weights);
    }
    return same;
}

static int set_tied(json_t *object)
{
    bool says_no = json_is_false(json_object_get(object, "tie_word_embeddings"));
    return says_no ? json_object_set_new(object, "tie_word_embeddings", json_true()) : 0;
}

/* Then config.json must not say that the output matrix is another. */
static pg_status tie_config(const char *folder)
{
    pg_buffer path = {0};
    json_t *config = NULL;
    pg_status status;
    PG_TRY_GOTO(pg_file_join(&path, folder, "config.json"));
    PG_TRY_GOTO(pg_json_load(&config, path.data));
    if (set_tied(config) | set_tied(json_object_get(config, "text_config")))
        status = pg_fail(PG_ERROR_MEMORY, "out of memory");
    else
        status = pg_json_save(config, path.data);
done:
    json_decref(config);
    pg_buffer_free(&path);
    return status;
}

static pg_status check_folder(conversion *run, const char *folder, const pg_model *model)
{
    pg_model_conversion *result = run->result;
    pg_model *made;
    bool same;
    PG_TRY(pg_model_open(&made, folder));
    run->comparing = true;
    pg_status status =
        pg_model_compare_weights(&same, made->weights, model->weights, run->write.threads, show_progress, run);
    if (status == PG_OK && made->tokenizer)
        status = pg_model_compare_outputs(&result->difference, &result->largest, made, model, run->write.threads);
    same = same && !model->adapter;
    if (status == PG_OK && same && result->difference > 0)
        status = pg_fail(PG_ERROR_FORMAT, "the same weights make other logits: off by %g of %g", result->difference,
                         result->largest);
    pg_model_close(made);
    return status;
}

static pg_status write_folder(conversion *run, const char *folder, pg_model *model)
{
    PG_TRY(pg_model_write_into(folder, model->weights, model->folder, &run->write));
    if (run->dropped)
        PG_TRY(tie_config(folder));
    return run->options.unchecked ? PG_OK : check_folder(run, folder, model);
}

static pg_status convert_to_folder(conversion *run, pg_model *model)
{
    pg_folder_writer writer;
    PG_TRY(review_weights(run, model->weights, false));
    PG_TRY(pg_folder_writer_open(&writer, run->to));
    pg_status status = write_folder(run, writer.partial.data, model);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

/* ---------------------------------------------------------------- folder to file */

/* The name that a file has until it has been compared; removed where it never is. */
static pg_status name_partial(pg_buffer *out, const char *path)
{
    return pg_buffer_print(out, "%s.%ld.partial", path, (long)getpid());
}

static pg_status finish_file(const char *partial, const char *path, pg_status status)
{
    if (status == PG_OK && rename(partial, path) != 0)
        status = pg_fail_errno(PG_ERROR_FILE, "%s: cannot be written", path);
    if (status == PG_OK)
        pg_file_sync_folder(path);
    else
        unlink(partial);
    return status;
}

/* Rows of the embedding that big_vision's PaliGemma has: those in front of <image>, which it does not know as a token,
 * where nothing but room stands behind it. */
static int64_t jax_tokens(const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    bool last = !model->tokenizer || pg_tokenizer_size(model->tokenizer) <= config->image_token + 1;
    return last && config->image_token > 0 ? config->image_token : config->text.vocabulary;
}

static pg_status lose_for_jax(conversion *run, const pg_model *model)
{
    int64_t left = model->weights->config.text.vocabulary - jax_tokens(model);
    PG_TRY(review_weights(run, model->weights, false));
    PG_TRY(lose(run, "the tokenizer, config.json and the folder's other files are not in it"));
    return left ? pg_buffer_print(&run->lost, "; nor the embedding's last %lld rows, from <image> on", (long long)left)
                : PG_OK;
}

static pg_status compare_jax(conversion *run, const char *path, const pg_jax_plan *plan)
{
    pg_jax_file file = {0};
    pg_jax_values values = {.plan = plan, .threads = run->write.threads, .on_progress = show_progress, .user = run};
    run->comparing = true;
    pg_status status = pg_jax_file_open(&file, path);
    if (status == PG_OK)
        status = pg_jax_file_compare(&file, &values);
    pg_jax_values_free(&values);
    pg_jax_file_close(&file);
    return status;
}

static pg_status write_jax(conversion *run, const char *path, const pg_jax_plan *plan)
{
    pg_jax_values values = {.plan = plan, .threads = run->write.threads, .on_progress = show_progress, .user = run};
    pg_array *arrays = pg_alloc(plan->array_count, sizeof *arrays);
    for (size_t i = 0; arrays && i < plan->array_count; i++)
        arrays[i] = plan->arrays[i].array;
    pg_status status =
        arrays ? pg_npz_write(path, arrays, plan->array_count, run->options.compress, pg_jax_values_give, &values)
               : PG_ERROR_MEMORY;
    pg_jax_values_free(&values);
    pg_free(arrays);
    if (status == PG_OK && !run->options.unchecked)
        status = compare_jax(run, path, plan);
    return status;
}

static pg_status convert_to_jax(conversion *run, pg_model *model, const char *path)
{
    pg_jax_plan plan;
    pg_jax_style style = pg_jax_style_of(model->weights->config.kind);
    pg_status status = pg_jax_plan_make(&plan, model->weights, &style, jax_tokens(model));
    if (status != PG_OK)
        pg_fail_context(status, "%s", model->folder);
    if (status == PG_OK)
        status = lose_for_jax(run, model);
    if (status == PG_OK && run->write.convert)
        pg_jax_plan_set_dtype(&plan, run->write.dtype);
    if (status == PG_OK)
        status = write_jax(run, path, &plan);
    pg_jax_plan_free(&plan);
    return status;
}

static pg_status convert_to_gguf(conversion *run, pg_model *model, const char *path)
{
    const pg_gguf_export job = {.model = model,
                                .dtype = run->write.convert ? &run->write.dtype : NULL,
                                .threads = run->write.threads,
                                .on_progress = show_progress,
                                .user = run};
    PG_TRY(review_weights(run, model->weights, true));
    if (model->weights->config.kind == PG_MODEL_PALIGEMMA)
        PG_TRY(lose(run, "the vision tower and the projector are not in it, and prompts are read like answers, each "
                         "token seeing those before it only"));
    PG_TRY(pg_gguf_export_write(&job, path));
    run->comparing = true;
    return run->options.unchecked ? PG_OK : pg_gguf_export_compare(&job, path);
}

static pg_status convert_to_file(conversion *run, pg_model *model)
{
    pg_buffer partial = {0};
    if (pg_file_exists(run->to))
        return pg_fail(PG_ERROR_FILE, "%s: exists already", run->to);
    pg_status status = name_partial(&partial, run->to);
    if (status == PG_OK) {
        status = run->result->to == PG_LAYOUT_JAX ? convert_to_jax(run, model, partial.data)
                                                  : convert_to_gguf(run, model, partial.data);
        status = finish_file(partial.data, run->to, status);
    }
    pg_buffer_free(&partial);
    return status;
}

static pg_status convert_folder(conversion *run)
{
    pg_model_options how;
    pg_model *model;
    pg_model_options_init(&how);
    how.adapter = run->options.adapter;
    if (run->options.tokenizer || run->options.config)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: this folder has its own config.json and tokenizer", run->from);
    PG_TRY(pg_model_open_with(&model, run->from, &how));
    run->dropped = drop_double_output(model->weights);
    pg_status status = lose_output(run, model->weights);
    if (status == PG_OK)
        status = run->result->to == PG_LAYOUT_PUBLISHED ? convert_to_folder(run, model) : convert_to_file(run, model);
    pg_model_close(model);
    return status;
}

/* ---------------------------------------------------------------- .npz to folder */

typedef struct import {
    conversion *run;
    pg_jax_file file;
    pg_weights *weights;
    pg_jax_plan plan;
    pg_jax_reader reader;
    json_t *config;
} import;

static pg_status prepare_rows(void *user, const pg_weight_entry *entry, int64_t first, int64_t count)
{
    import *job = user;
    return pg_jax_reader_prepare(&job->reader, entry, first, count);
}

static void make_rows(void *user, float *out, const pg_weight_entry *entry, int64_t first, int64_t count)
{
    const import *job = user;
    pg_jax_reader_values((void *)&job->reader, out, entry, first, count);
}

static bool show_import(void *user, size_t done, size_t total)
{
    const import *job = user;
    return show_progress(job->run, done, total);
}

/* What the tokenizer says about the model: its <image> token, and for how many tokens there must be room. */
static pg_status add_tokenizer(pg_config *config, const char *folder)
{
    pg_tokenizer *tokenizer;
    PG_TRY(pg_tokenizer_open(&tokenizer, folder));
    if (config->kind == PG_MODEL_PALIGEMMA)
        config->image_token = pg_tokenizer_id(tokenizer, "<image>");
    if (config->kind != PG_MODEL_SIGLIP)
        config->text.vocabulary = pg_config_vocabulary(config->text.vocabulary, pg_tokenizer_size(tokenizer));
    pg_tokenizer_close(tokenizer);
    if (config->image_token < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: the tokenizer has no <image> token; PaliGemma's is needed", folder);
    return PG_OK;
}

/* A config.json for the shapes. */
static pg_status make_config(import *job)
{
    const conversion *run = job->run;
    pg_config config;
    if (!run->options.tokenizer)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "%s: name a folder with the model's tokenizer (--tokenizer), or a config.json (--config): an "
                       ".npz has neither",
                       run->from);
    PG_TRY(pg_jax_read_config(&config, &job->file.style, pg_jax_file_find, &job->file, run->from));
    PG_TRY(add_tokenizer(&config, run->options.tokenizer));
    return pg_config_describe(&job->config, &config);
}

/* A config.json that was named must be of the same kind as the arrays. */
static pg_status check_kind(const import *job, const pg_config *config)
{
    pg_model_kind kind = job->file.style.kind;
    if (config->kind == kind)
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "%s: the arrays are those of a %s, config.json says %s", job->run->from,
                   pg_jax_kind_name(kind), pg_jax_kind_name(config->kind));
}

/* Writes config.json, and makes the weights' shapes from it. */
static pg_status shape_weights(import *job, const char *path)
{
    pg_config config;
    pg_model_write_options *write = &job->run->write;
    PG_TRY(job->run->options.config ? pg_json_load(&job->config, job->run->options.config) : make_config(job));
    if (!json_is_object(job->config))
        return pg_fail(PG_ERROR_FORMAT, "%s: not a JSON object", job->run->options.config);
    PG_TRY(pg_json_save(job->config, path));
    PG_TRY(pg_config_load(&config, path));
    PG_TRY(check_kind(job, &config));
    int64_t tokens = pg_jax_file_tokens(&job->file);
    if (tokens == 0 || tokens > config.text.vocabulary)
        tokens = config.text.vocabulary;
    PG_TRY(pg_weights_new(&job->weights, &config));
    PG_TRY(pg_jax_plan_make(&job->plan, job->weights, &job->file.style, tokens));
    PG_TRY(pg_jax_file_check(&job->plan, &job->file));
    PG_TRY(pg_config_set_dtype(job->config, write->convert ? write->dtype : job->plan.arrays[0].array.dtype));
    return pg_json_save(job->config, path);
}

static pg_status lose_of_jax(import *job)
{
    conversion *run = job->run;
    int64_t rows = job->weights->config.text.vocabulary, found = pg_jax_file_tokens(&job->file);
    PG_TRY(review_weights(run, job->weights, false));
    if (job->file.others)
        PG_TRY(pg_buffer_print(&run->lost, "%sarrays that are not parameters (%zu)", run->lost.size ? "; " : "",
                               job->file.others));
    if (found == rows)
        return PG_OK;
    return pg_buffer_print(&run->lost, "%srows %lld to %lld of the embedding, which the .npz lacks, are its rows' mean",
                           run->lost.size ? "; " : "", (long long)found, (long long)rows - 1);
}

static pg_status import_weights(import *job, const char *folder)
{
    pg_model_write_options write = job->run->write;
    write.prepare = prepare_rows;
    write.values = make_rows;
    write.on_progress = show_import;
    write.user = job;
    job->reader = (pg_jax_reader){.plan = &job->plan, .file = &job->file};
    pg_status status = pg_jax_reader_init(&job->reader);
    if (status == PG_OK)
        status = pg_model_write_weights(folder, job->weights, &write);
    pg_jax_reader_free(&job->reader);
    return status;
}

/* The new folder's weights, put in the order of the .npz again, are what is in it. */
static pg_status check_import(import *job, const char *folder)
{
    pg_model *made;
    pg_jax_plan plan = {0};
    PG_TRY(pg_model_open(&made, folder));
    int64_t tokens = pg_jax_file_tokens(&job->file);
    pg_jax_values values = {.plan = &plan,
                            .threads = job->run->write.threads,
                            .on_progress = show_progress,
                            .user = job->run};
    job->run->comparing = true;
    pg_status status = pg_jax_plan_make(&plan, made->weights, &job->file.style, tokens);
    if (status == PG_OK)
        status = pg_jax_file_compare(&job->file, &values);
    pg_jax_values_free(&values);
    pg_jax_plan_free(&plan);
    pg_model_close(made);
    return status;
}

static pg_status import_into(import *job, const char *folder)
{
    const conversion *run = job->run;
    pg_buffer path = {0};
    pg_status status;
    PG_TRY_GOTO(pg_jax_file_open(&job->file, run->from));
    PG_TRY_GOTO(pg_file_join(&path, folder, "config.json"));
    PG_TRY_GOTO(shape_weights(job, path.data));
    PG_TRY_GOTO(lose_of_jax(job));
    PG_TRY_GOTO(import_weights(job, folder));
    if (run->options.tokenizer)
        PG_TRY_GOTO(pg_model_copy_files(folder, run->options.tokenizer));
    if (job->weights->config.kind != PG_MODEL_GEMMA)
        PG_TRY_GOTO(pg_config_write_processor(folder, &job->weights->config));
    if (!run->options.unchecked)
        status = check_import(job, folder);
done:
    pg_buffer_free(&path);
    return status;
}

static pg_status convert_jax(conversion *run)
{
    pg_folder_writer writer;
import job = {.run = run };
    if (run->result->to != PG_LAYOUT_PUBLISHED)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: an .npz becomes a folder; convert that in turn", run->to);
    if (run->options.adapter)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: an adapter goes with a model's folder", run->from);
    PG_TRY(pg_folder_writer_open(&writer, run->to));
    pg_status status = import_into(&job, writer.partial.data);
    json_decref(job.config);
    pg_jax_plan_free(&job.plan);
    pg_weights_free(job.weights);
    pg_jax_file_close(&job.file);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}

/* ---------------------------------------------------------------- either */

static pg_model_layout layout_of(const char *name)
{
    const char *ending = strrchr(name, '.');
    bool npz = ending && !strcmp(ending, ".npz"), gguf = ending && !strcmp(ending, ".gguf");
    return npz ? PG_LAYOUT_JAX : gguf ? PG_LAYOUT_GGUF : PG_LAYOUT_PUBLISHED;
}

static pg_status check_options(const conversion *run)
{
    const pg_model_convert_options *o = &run->options;
    if (run->result->from == PG_LAYOUT_GGUF)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: GGUF files are written, not read", run->from);
    if (o->compress && run->result->to != PG_LAYOUT_JAX)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: only an .npz can be compressed", run->to);
    if (o->shard_size && run->result->to != PG_LAYOUT_PUBLISHED)
        return pg_fail(PG_ERROR_ARGUMENT, "%s: only a folder can have shards", run->to);
    return PG_OK;
}

static pg_status convert(conversion *run)
{
    pg_model_conversion *result = run->result;
    const pg_model_convert_options *o = &run->options;
    PG_TRY(pg_model_write_options_read(&run->write, o->dtype, o->threads));
    run->write.shard_bytes = o->shard_size;
    run->write.on_progress = show_progress;
    run->write.user = run;
    result->to = o->to == PG_LAYOUT_AUTO ? layout_of(run->to) : o->to;
    result->from = pg_file_is_folder(run->from) ? PG_LAYOUT_PUBLISHED : layout_of(run->from);
    PG_TRY(check_options(run));
    PG_TRY(result->from == PG_LAYOUT_JAX ? convert_jax(run) : convert_folder(run));
    result->checked = !o->unchecked;
    result->lost = run->lost.data;
    run->lost = (pg_buffer){0};
    return PG_OK;
}

pg_status pg_model_convert(pg_model_conversion *out, const char *to, const char *from,
                           const pg_model_convert_options *options)
{
    conversion run = {.to = to, .from = from, .result = out};
    if (options)
        run.options = *options;
    *out = (pg_model_conversion){.difference = NAN, .largest = NAN};
    pg_status status = convert(&run);
    pg_buffer_free(&run.lost);
    return status;
}
