/* paligemma embed: SigLIP's embeddings of pictures and texts, and how well each picture goes with each text. */
#include <math.h>
#include <stdlib.h>

#include "commands.h"
#include "engine.h"

typedef struct embed_settings {
    pg_cli_source source;
    const char *out;
    pg_cli_list images, texts;
    bool json;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} embed_settings;

static const pg_cli_option embed_options[] = {
    {"image", 0, "FILE...", PG_CLI_WORDS, offsetof(embed_settings, images), "pictures; - is standard input", 0, 0},
    {"text", 0, "TEXT...", PG_CLI_WORDS, offsetof(embed_settings, texts), "texts", 0, 0},
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(embed_settings, out),
     "write the embeddings to a .npy file, a row each, pictures first", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(embed_settings, json), "print JSON (the default without --out)", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_siglip_source_options, offsetof(embed_settings, source)},
    {"Embeddings", embed_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(embed_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(embed_settings, arithmetic)},
    {0},
};

/* All rows, pictures first; the rows are freed by the one who asked for them, after a failure too. */
typedef struct embedding_rows {
    size_t images, texts, width;
    float *rows; /* [images + texts, width] */
} embedding_rows;

/* So many decoded pictures are in memory at a time. */
#define PICTURES 16

static int embed_images(float *rows, const pg_cli_engine *engine, const embed_settings *settings)
{
    size_t count = settings->images.count, width = pg_model_embedding_size(engine->model);
    int code = PG_CLI_DONE;
    for (size_t i = 0; i < count && code == PG_CLI_DONE; i += PICTURES) {
        size_t step = count - i < PICTURES ? count - i : PICTURES;
        pg_cli_pictures pictures;
        code = pg_cli_check(pg_cli_pictures_load(&pictures, settings->images.items + i, step, &settings->looking));
        if (code != PG_CLI_DONE)
            return code;
        const pg_image *const *images = (const pg_image *const *)pictures.items;
        code = pg_cli_check(pg_embed_images(rows + i * width, engine->session, images, step));
        pg_cli_pictures_free(&pictures);
    }
    return code;
}

/* out->rows is freed with free, also after a failure. */
static int compute(embedding_rows *out, const pg_cli_engine *engine, const embed_settings *settings)
{
    *out =
        (embedding_rows){settings->images.count, settings->texts.count, pg_model_embedding_size(engine->model), NULL};
    out->rows = pg_cli_alloc((out->images + out->texts) * out->width, sizeof *out->rows);
    int code = embed_images(out->rows, engine, settings);
    if (code == PG_CLI_DONE && out->texts > 0)
        code = pg_cli_check(
            pg_embed_texts(out->rows + out->images * out->width, engine->session, settings->texts.items, out->texts));
    return code;
}

static json_t *describe_rows(const float *rows, size_t count, size_t width)
{
    json_t *array = pg_cli_json_array();
    for (size_t i = 0; i < count; i++)
        pg_cli_json_append(array, pg_cli_json_reals(rows + i * width, width));
    return array;
}

/* Both have length 1, so this is their cosine. */
static double dot(const float *a, const float *b, size_t width)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* Adds "logits" and "probabilities": a row for each picture, a column for each text. */
static int describe_pairs(json_t *object, const embedding_rows *embeddings, const pg_model *model)
{
    float scale, bias;
    int code = pg_cli_check(pg_model_logit_scale(&scale, &bias, model));
    if (code != PG_CLI_DONE)
        return code;
    json_t *logits = pg_cli_json_array(), *probabilities = pg_cli_json_array();
    const float *texts = embeddings->rows + embeddings->images * embeddings->width;
    for (size_t i = 0; i < embeddings->images; i++) {
        json_t *logit_row = pg_cli_json_array(), *probability_row = pg_cli_json_array();
        for (size_t j = 0; j < embeddings->texts; j++) {
            double cosine =
                dot(embeddings->rows + i * embeddings->width, texts + j * embeddings->width, embeddings->width);
            double logit = cosine * (double)scale + (double)bias;
            pg_cli_json_append(logit_row, pg_cli_json_real(logit));
            pg_cli_json_append(probability_row, pg_cli_json_real(1 / (1 + exp(-logit))));
        }
        pg_cli_json_append(logits, logit_row);
        pg_cli_json_append(probabilities, probability_row);
    }
    pg_cli_json_set(object, "logits", logits);
    pg_cli_json_set(object, "probabilities", probabilities);
    return PG_CLI_DONE;
}

static int print_json(const embedding_rows *embeddings, const pg_model *model)
{
    size_t images = embeddings->images, texts = embeddings->texts, width = embeddings->width;
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "image_embeddings", describe_rows(embeddings->rows, images, width));
    pg_cli_json_set(object, "text_embeddings", describe_rows(embeddings->rows + images * width, texts, width));
    int code = describe_pairs(object, embeddings, model);
    if (code == PG_CLI_DONE)
        pg_cli_json_print(object);
    else
        json_decref(object);
    return code;
}

static int check(const pg_cli_command *command, const embed_settings *settings)
{
    if (settings->images.count + settings->texts.count == 0)
        return pg_cli_usage(command, "nothing to embed: give --image FILE... or --text TEXT...");
    if (settings->out && !pg_cli_has_suffix(settings->out, ".npy"))
        return pg_cli_usage(command, "--out: '%s' does not end in .npy", settings->out);
    return PG_CLI_DONE;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    embed_settings *settings = memory;
    pg_cli_use use = {settings->source, 1u << PG_MODEL_SIGLIP, "SigLIP", settings->arithmetic, settings->looking, 1};
    pg_cli_engine engine = {0};
    embedding_rows embeddings = {0};
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_engine_open(&engine, command, &use));
    PG_CLI_TRY(compute(&embeddings, &engine, settings));
    if (settings->out) {
        int64_t shape[] = {(int64_t)(embeddings.images + embeddings.texts), (int64_t)embeddings.width};
        PG_CLI_TRY(pg_cli_check(pg_save_npy(settings->out, "F32", shape, 2, embeddings.rows)));
    }
    if (settings->json || !settings->out)
        code = print_json(&embeddings, engine.model);
done:
    free(embeddings.rows);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_embed = {
    .name = "embed",
    .usage = "[-m MODEL] [--image FILE...] [--text TEXT...]",
    .summary = "embed pictures and texts with SigLIP, and match them",
    .details = "Prints JSON: image_embeddings and text_embeddings (of length 1), logits and probabilities (a row for "
               "each picture, a column for each text).",
    .groups = groups,
    .settings_size = sizeof(embed_settings),
    .run = run,
};
