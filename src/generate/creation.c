/*
 * A model from nothing, a PaliGemma joined from a SigLIP and a Gemma, or a model again for pictures of another size:
 * config.json is read or made, every weight is copied from the model that has it or drawn, and the result is opened
 * before it gets its name.
 *
 * As PaliGemma was begun (Beyer et al. 2024, section 3.2; big_vision's ViT has head_zeroinit): the projector is zero,
 * and the tokens that Gemma did not have are normal with deviation 0.02.
 */
#include <string.h>

#include "base/file.h"
#include "base/folder.h"
#include "base/json.h"
#include "generate/model.h"
#include "model/config_writer.h"
#include "model/initializer.h"
#include "model/model_writer.h"
#include "model/position_grid.h"
#include "text/tokenizer.h"

typedef struct creation {
    pg_create_options options;
    pg_model_write_options write;
    pg_weights *weights;              /* the new model's */
    pg_weights *from, *vision, *text; /* those that are taken over; `from` has all parts that no other gives */
    pg_tokenizer *tokenizer;          /* whose location tokens get smooth rows; NULL: as any token */
    void *positions;                  /* of the patches, for pictures of another size; NULL: those that it has */
    bool joined;                      /* the projector starts from zero */
} creation;

void pg_create_options_init(pg_create_options *options)
{
    *options = (pg_create_options){0};
}

static pg_status load_source(pg_weights **out, const char *folder)
{
    pg_buffer path = {0};
    pg_config config;
    pg_status status = folder ? pg_file_join(&path, folder, "config.json") : PG_OK;
    if (status == PG_OK && folder)
        status = pg_config_load(&config, path.data);
    if (status == PG_OK && folder)
        status = pg_weights_load(out, &config, folder);
    pg_buffer_free(&path);
    return status;
}

/* ---------------------------------------------------------------- config.json */

/* The parts' shapes, with room for every token of the tokenizer. */
static pg_status make_joined_config(json_t **out, const creation *run, const pg_tokenizer *tokenizer)
{
    const pg_config *text = &run->text->config;
    pg_config joined = {.kind = PG_MODEL_PALIGEMMA,
                        .text = text->text,
                        .vision = run->vision->config.vision,
                        .bos = text->bos,
                        .eos = text->eos,
                        .pad = text->pad};
    joined.vision.head = false;
    joined.image_token = pg_tokenizer_id(tokenizer, "<image>");
    if (joined.image_token < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: the tokenizer has no <image> token; PaliGemma's is needed",
                       run->options.tokenizer);
    joined.text.vocabulary = pg_config_vocabulary(text->text.vocabulary, pg_tokenizer_size(tokenizer));
    return pg_config_describe(out, &joined);
}

static pg_status join_config(json_t **out, const creation *run)
{
    pg_tokenizer *tokenizer;
    if (!run->vision || !run->text || !run->options.tokenizer)
        return pg_fail(PG_ERROR_ARGUMENT,
                       "a new model needs a config.json, another model, or a SigLIP, a Gemma and a tokenizer");
    if (run->vision->config.kind == PG_MODEL_GEMMA || run->text->config.kind == PG_MODEL_SIGLIP)
        return pg_fail(PG_ERROR_ARGUMENT, "%s has no vision tower, or %s no decoder", run->options.vision,
                       run->options.text);
    PG_TRY(pg_tokenizer_open(&tokenizer, run->options.tokenizer));
    pg_status status = make_joined_config(out, run, tokenizer);
    pg_tokenizer_close(tokenizer);
    return status;
}

/* The file that was named, that of the model which is taken over as a whole, or a new one. */
static pg_status find_config(json_t **out, const creation *run)
{
    pg_buffer path = {0};
    const char *name = run->options.config;
    if (!name && !run->options.from)
        return join_config(out, run);
    pg_status status = name ? PG_OK : pg_file_join(&path, run->options.from, "config.json");
    if (status == PG_OK)
        status = pg_json_load(out, name ? name : path.data);
    if (status == PG_OK && !json_is_object(*out))
        status = pg_fail(PG_ERROR_FORMAT, "%s: not a JSON object", name ? name : path.data);
    pg_buffer_free(&path);
    return status;
}

static int set_integer(json_t *object, const char *key, int64_t value, bool always)
{
    return always || json_object_get(object, key) ? json_object_set_new(object, key, json_integer(value)) : 0;
}

/* The size of pictures, and the counts of patches that PaliGemma's file repeats. */
static pg_status set_image_size(json_t *config, const pg_config *shapes, int64_t size)
{
    pg_siglip_config vision = shapes->vision;
    json_t *text = json_object_get(config, "text_config"), *tower = json_object_get(config, "vision_config");
    vision.side = size;
    int64_t patches = pg_config_patches(&vision);
    int failed = set_integer(tower, "image_size", size, true);
    failed |= set_integer(tower, "num_image_tokens", patches, false);
    failed |= set_integer(text, "num_image_tokens", patches, false);
    return failed ? pg_fail(PG_ERROR_MEMORY, "out of memory") : PG_OK;
}

static pg_status check_image_size(const pg_config *shapes, int64_t size)
{
    const pg_siglip_config *vision = &shapes->vision;
    if (shapes->kind == PG_MODEL_GEMMA)
        return pg_fail(PG_ERROR_ARGUMENT, "image size: Gemma takes no pictures");
    if (size < vision->patch || size > PG_SIDE_MAX)
        return pg_fail(PG_ERROR_ARGUMENT, "image size: %lld, expected %lld (one patch) to %d pixels", (long long)size,
                       (long long)vision->patch, PG_SIDE_MAX);
    int64_t across = size / vision->patch, patches = across * across;
    if (shapes->kind == PG_MODEL_PALIGEMMA && patches >= shapes->text.context)
        return pg_fail(PG_ERROR_LIMIT,
                       "image size: a picture of %lld pixels becomes %lld tokens, which leave no room for text in the "
                       "decoder's %lld (max_position_embeddings)",
                       (long long)size, (long long)patches, (long long)shapes->text.context);
    return PG_OK;
}

static pg_status resize_config(json_t *config, pg_config *shapes, int64_t size)
{
    PG_TRY(check_image_size(shapes, size));
    PG_TRY(set_image_size(config, shapes, size));
    shapes->vision.side = size;
    return PG_OK;
}

/* config.json in the dtype of the new weights; `path` is where it will lie. */
static pg_status finish_config(creation *run, json_t *config, const char *path)
{
    pg_config shapes;
    json_object_del(config, "quantization_config");
    PG_TRY(pg_config_set_dtype(config, run->write.dtype));
    PG_TRY(pg_json_save(config, path));
    PG_TRY(pg_config_load(&shapes, path));
    if (run->options.image_size) {
        PG_TRY(resize_config(config, &shapes, (int64_t)run->options.image_size));
        PG_TRY(pg_json_save(config, path));
    }
    return pg_weights_new(&run->weights, &shapes);
}

/* Writes it, and makes the weights' shapes from it. */
static pg_status make_config(creation *run, const char *path)
{
    json_t *config = NULL;
    pg_status status = find_config(&config, run);
    if (status == PG_OK)
        status = finish_config(run, config, path);
    json_decref(config);
    return status;
}

/* The copied one says another size. */
static pg_status resize_processor(const creation *run, const char *folder, pg_buffer *path)
{
    const pg_siglip_config *c = &run->weights->config.vision;
    json_t *processor;
    PG_TRY(pg_file_join(path, folder, "preprocessor_config.json"));
    if (!pg_file_exists(path->data))
        return PG_OK;
    PG_TRY(pg_json_load(&processor, path->data));
    json_t *size = json_pack("{s:I,s:I}", "height", (json_int_t)c->side, "width", (json_int_t)c->side);
    int failed = json_object_set_new(processor, "size", size);
    failed |= set_integer(processor, "image_seq_length", pg_config_patches(c), false);
    pg_status status = failed ? pg_fail(PG_ERROR_MEMORY, "out of memory") : pg_json_save(processor, path->data);
    json_decref(processor);
    return status;
}

/* ---------------------------------------------------------------- weights */

/* The weight of the same name in a model that is taken over; NULL if it has none. */
static const pg_parameter *find_source(const pg_weights *from, const char *name)
{
    pg_weight_walk walk = {.weights = (pg_weights *)from};
    pg_weight_entry entry;
    while (from && pg_weights_next(&walk, &entry))
        if (!strcmp(entry.parameter->name, name))
            return entry.parameter;
    return NULL;
}

/* The model that a part is taken from; NULL: none. */
static const pg_weights *source_of(const creation *run, pg_weight_part part)
{
    const pg_weights *from = part == PG_PART_VISION ? run->vision : part == PG_PART_TEXT ? run->text : NULL;
    return from ? from : run->from;
}

/* Positions of so many patches from those of another size. */
static pg_status resample_positions(creation *run, pg_parameter *p, const pg_parameter *from)
{
    const pg_siglip_config *c = &run->weights->config.vision;
    if (!run->options.image_size)
        return pg_fail(
            PG_ERROR_FORMAT,
            "%s: %lld patches in the model to be taken over, %lld in config.json; an image size (--image-size "
            "%lld) makes the one from the other",
            p->name, (long long)from->rows, (long long)p->rows, (long long)c->side);
    run->positions = pg_alloc((size_t)p->rows, (size_t)p->width * pg_dtype_size(from->dtype));
    if (!run->positions)
        return PG_ERROR_MEMORY;
    p->dtype = from->dtype;
    p->data = run->positions;
    return pg_position_grid_resample(run->positions, c->side / c->patch, from);
}

static bool is_embedding(const pg_weight_entry *entry)
{
    return entry->part == PG_PART_TEXT && entry->dimensions == 2 && entry->shape[0] == entry->parameter->rows &&
           (!strcmp(entry->parameter->name, "text.embed") || !strcmp(entry->parameter->name, "text.output"));
}

/* Takes weights over as they lie in their files; larger tables of tokens are made row by row. */
static pg_status take_over(creation *run)
{
    pg_weight_walk walk = {.weights = run->weights};
    pg_weight_entry entry;
    while (pg_weights_next(&walk, &entry)) {
        pg_parameter *p = entry.parameter;
        const pg_parameter *from = find_source(source_of(run, entry.part), p->name);
        bool grows = from && is_embedding(&entry) && from->width == p->width && from->rows < p->rows;
        if (!from || grows)
            continue;
        if (from->rows != p->rows && from->width == p->width && !strcmp(p->name, "vision.position")) {
            PG_TRY(resample_positions(run, p, from));
            continue;
        }
        if (from->rows != p->rows || from->width != p->width)
            return pg_fail(PG_ERROR_FORMAT,
                           "%s: [%lld, %lld] in the model to be taken over, [%lld, %lld] in config.json", p->name,
                           (long long)from->rows, (long long)from->width, (long long)p->rows, (long long)p->width);
        const char *name = p->name;
        *p = *from;
        p->name = name;
    }
    pg_weights_tie(run->weights);
    return PG_OK;
}

/* The number of the location token that a row of a table belongs to; -1: none. */
static int location_of(const creation *run, const pg_weight_entry *entry, int64_t row)
{
    int location = -1, end = 0;
    if (!run->tokenizer || !is_embedding(entry))
        return -1;
    const char *piece = pg_tokenizer_piece(run->tokenizer, (int32_t)row);
    bool found = piece && strlen(piece) == strlen("<loc0000>") && sscanf(piece, "<loc%4d>%n", &location, &end) == 1;
    return found && end && location >= 0 && location < PG_LOCATIONS ? location : -1;
}

static void draw_row(const creation *run, float *out, const pg_weight_entry *entry, int64_t row)
{
    int location = location_of(run, entry, row);
    if (location >= 0)
        pg_initial_location(out, entry, run->options.seed, location);
    else
        pg_initial_values(out, entry, run->options.seed, row, 1);
}

static void make_row(const creation *run, float *out, const pg_weight_entry *entry, const pg_parameter *old,
                     int64_t row)
{
    if (old && row < old->rows)
        pg_parameter_row(out, old, row);
    else if (run->joined && entry->part == PG_PART_PROJECTOR)
        memset(out, 0, (size_t)entry->parameter->width * sizeof *out);
    else
        draw_row(run, out, entry, row);
}

static void make_rows(void *user, float *out, const pg_weight_entry *entry, int64_t first, int64_t count)
{
    const creation *run = user;
    const pg_weights *from = source_of(run, PG_PART_TEXT);
    const pg_parameter *old =
        is_embedding(entry) && from
            ? strcmp(entry->parameter->name, "text.embed") == 0 ? &from->text.embed : &from->text.output
            : NULL;
    for (int64_t i = 0; i < count; i++)
        make_row(run, out + i * entry->parameter->width, entry, old, first + i);
}

static bool show_progress(void *user, size_t done, size_t total)
{
    const creation *run = user;
    return !run->options.on_progress || run->options.on_progress(run->options.user, done, total);
}

/* ---------------------------------------------------------------- all of it */

/* The dtype of the model that is taken over as a whole; positions and norms are never quantised. */
static void keep_dtype(creation *run)
{
    const pg_weights *from = run->from;
    if (from && !run->options.dtype)
        run->write.dtype = from->vision.position.name ? from->vision.position.dtype : from->text.norm.dtype;
}

/* The tokenizer's files are those of the folder that they are copied from. */
static const char *files_of(const creation *run)
{
    return run->options.tokenizer ? run->options.tokenizer : run->options.from;
}

static pg_status find_locations(creation *run)
{
    const char *files = files_of(run);
    if (!run->options.smooth_locations)
        return PG_OK;
    if (!files)
        return pg_fail(PG_ERROR_ARGUMENT, "smooth locations: a tokenizer is needed, which says what tokens they are");
    PG_TRY(pg_tokenizer_open(&run->tokenizer, files));
    if (pg_tokenizer_id(run->tokenizer, "<loc0000>") < 0)
        return pg_fail(PG_ERROR_FORMAT, "smooth locations: %s: the tokenizer has no <loc0000> token", files);
    return PG_OK;
}

static pg_status load_sources(creation *run)
{
    PG_TRY(load_source(&run->from, run->options.from));
    PG_TRY(load_source(&run->vision, run->options.vision));
    PG_TRY(load_source(&run->text, run->options.text));
    run->joined = run->vision && run->text && !run->from;
    keep_dtype(run);
    return find_locations(run);
}

/* The tokenizer's files, and how pictures are prepared. */
static pg_status write_files(const creation *run, const char *folder, pg_buffer *path)
{
    if (files_of(run))
        PG_TRY(pg_model_copy_files(folder, files_of(run)));
    if (run->joined)
        return pg_config_write_processor(folder, &run->weights->config);
    return run->options.image_size ? resize_processor(run, folder, path) : PG_OK;
}

static pg_status write_parts(creation *run, const char *folder, pg_buffer *path)
{
    PG_TRY(load_sources(run));
    PG_TRY(pg_file_join(path, folder, "config.json"));
    PG_TRY(make_config(run, path->data));
    PG_TRY(take_over(run));
    PG_TRY(pg_model_write_weights(folder, run->weights, &run->write));
    PG_TRY(write_files(run, folder, path));
    pg_model *made;
    PG_TRY(pg_model_open(&made, folder));
    pg_model_close(made);
    return PG_OK;
}

static void free_parts(creation *run)
{
    pg_weights_free(run->weights);
    pg_weights_free(run->from);
    pg_weights_free(run->vision);
    pg_weights_free(run->text);
    pg_free(run->positions);
    pg_tokenizer_close(run->tokenizer);
}

pg_status pg_model_create(const char *folder, const pg_create_options *options)
{
    creation run = {.options = *options};
    pg_folder_writer writer;
    pg_buffer path = {0};
    PG_TRY(pg_model_write_options_read(&run.write, options->dtype ? options->dtype : "F32", options->threads));
    run.write.shard_bytes = options->shard_size;
    run.write.values = make_rows;
    run.write.on_progress = show_progress;
    run.write.user = &run;
    PG_TRY(pg_folder_writer_open(&writer, folder));
    pg_status status = write_parts(&run, writer.partial.data, &path);
    free_parts(&run);
    pg_buffer_free(&path);
    if (status == PG_OK)
        return pg_folder_writer_commit(&writer);
    pg_folder_writer_abort(&writer);
    return status;
}
