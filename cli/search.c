/* paligemma search: the pictures of an index that are most like a text or another picture. */
#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "commands.h"
#include "engine.h"
#include "terminal.h"

#define CELL 224 /* pixels of a picture on the sheet */

typedef struct search_settings {
    pg_cli_source source;
    const char *image, *out;
    int64_t count;
    bool json, no_pictures;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} search_settings;

static const pg_cli_option search_options[] = {
    {"image", 0, "FILE", PG_CLI_TEXT, offsetof(search_settings, image), "search with a picture instead of a text", 0,
     0},
    {"count", 'n', "N", PG_CLI_INTEGER, offsetof(search_settings, count), "pictures to find (default: 10)", 1, 1000000},
    {"out", 'o', "SHEET", PG_CLI_TEXT, offsetof(search_settings, out),
     "show what was found on a contact sheet, a .png or .jpg file", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(search_settings, json), "print one JSON object", 0, 0},
    PG_CLI_NO_PICTURES(search_settings, no_pictures),
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_siglip_source_options, offsetof(search_settings, source)},
    {"Search", search_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(search_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(search_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    ((search_settings *)memory)->count = 10;
}

/* What was found, with the paths of the pictures. */
typedef struct findings {
    pg_match *matches;
    char **paths;
    size_t count;
} findings;

static void free_findings(findings *found)
{
    for (size_t i = 0; found->paths && i < found->count; i++)
        pg_free(found->paths[i]);
    free(found->paths);
    free(found->matches);
}

static int embed_query(float *out, const pg_cli_engine *engine, const search_settings *settings, const char *text)
{
    pg_cli_pictures pictures;
    if (!settings->image)
        return pg_cli_check(pg_embed_texts(out, engine->session, &text, 1));
    int code = pg_cli_check(pg_cli_pictures_load(&pictures, &settings->image, 1, &settings->looking));
    if (code != PG_CLI_DONE)
        return code;
    code = pg_cli_check(pg_embed_images(out, engine->session, (const pg_image *const *)pictures.items, 1));
    pg_cli_pictures_free(&pictures);
    return code;
}

static int search(findings *out, const pg_cli_engine *engine, const pg_picture_index *index,
                  const search_settings *settings, const char *text)
{
    float *query = pg_cli_alloc(pg_model_embedding_size(engine->model), sizeof *query);
    size_t most = pg_picture_index_count(index);
    int code;
    if ((size_t)settings->count < most)
        most = (size_t)settings->count;
    out->matches = pg_cli_alloc(most, sizeof *out->matches);
    out->paths = pg_cli_alloc(most, sizeof *out->paths);
    PG_CLI_TRY(embed_query(query, engine, settings, text));
    PG_CLI_TRY(pg_cli_check(pg_picture_index_search(out->matches, &out->count, engine->session, index, query, most)));
    for (size_t i = 0; i < out->count && code == PG_CLI_DONE; i++)
        code = pg_cli_check(pg_picture_index_name(&out->paths[i], index, out->matches[i].picture));
done:
    free(query);
    return code;
}

/* ---------------------------------------------------------------- output */

/* Of a text, also the probability that it belongs to the picture. */
static int print_json(const findings *found, const pg_model *model, const char *text, const char *image)
{
    float scale, bias;
    int code = pg_cli_check(pg_model_logit_scale(&scale, &bias, model));
    if (code != PG_CLI_DONE)
        return code;
    json_t *object = pg_cli_json_object(), *matches = pg_cli_json_array();
    for (size_t i = 0; i < found->count; i++) {
        json_t *match = pg_cli_json_object();
        double cosine = (double)found->matches[i].cosine;
        pg_cli_json_set(match, "image", pg_cli_json_text(found->paths[i]));
        pg_cli_json_set(match, "cosine", pg_cli_json_real(cosine));
        if (text)
            pg_cli_json_set(match, "probability",
                            pg_cli_json_real(1 / (1 + exp(-(cosine * (double)scale + (double)bias)))));
        pg_cli_json_append(matches, match);
    }
    pg_cli_json_set(object, text ? "text" : "image", pg_cli_json_text(text ? text : image));
    pg_cli_json_set(object, "matches", matches);
    pg_cli_json_print(object);
    return code;
}

static void print_text(const findings *found)
{
    for (size_t i = 0; i < found->count; i++)
        pg_cli_print("%.4f\t%s\n", (double)found->matches[i].cosine, found->paths[i]);
}

/* Pictures that are no longer there leave their places empty. */
static int draw_sheet(pg_image **out, const findings *found, const search_settings *settings, pg_session *session)
{
    pg_cli_pictures pictures = {0};
    char **captions = pg_cli_alloc(found->count, sizeof *captions);
    int code;
    for (size_t i = 0; i < found->count; i++)
        captions[i] = pg_cli_text("%.4f\n%s", (double)found->matches[i].cosine, found->paths[i]);
    PG_CLI_TRY(pg_cli_check(
        pg_cli_pictures_try(&pictures, (const char *const *)found->paths, found->count, &settings->looking, session)));
    code = pg_cli_check(pg_image_sheet(out, (const pg_image *const *)pictures.items, (const char *const *)captions,
                                       found->count, 0, CELL));
done:
    pg_cli_pictures_free(&pictures);
    for (size_t i = 0; i < found->count; i++)
        free(captions[i]);
    free(captions);
    return code;
}

/* Written where --out says; else shown, beside the text, where the terminal can. */
static int deliver_sheet(const findings *found, const search_settings *settings, pg_session *session)
{
    pg_image *sheet = NULL;
    if (!settings->out && (settings->json || settings->no_pictures || !isatty(STDOUT_FILENO)))
        return PG_CLI_DONE;
    int code = draw_sheet(&sheet, found, settings, session);
    if (code == PG_CLI_DONE && settings->out)
        code = pg_cli_check(pg_image_save(sheet, settings->out));
    else if (code == PG_CLI_DONE)
        pg_cli_show_picture(sheet);
    pg_image_free(sheet);
    return code;
}

static int check(const pg_cli_command *command, const search_settings *settings, const pg_cli_list *operands)
{
    if ((operands->count == 2) == !!settings->image)
        return pg_cli_usage(command, "search with either a text or --image FILE");
    if (settings->out && !pg_cli_is_picture_name(settings->out))
        return pg_cli_usage(command, "--out: '%s' ends in neither .png nor .jpg", settings->out);
    return PG_CLI_DONE;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    search_settings *settings = memory;
    const char *text = operands->count == 2 ? operands->items[1] : NULL;
    pg_cli_use use = {settings->source, 1u << PG_MODEL_SIGLIP, "SigLIP", settings->arithmetic, settings->looking, 1};
    pg_cli_engine engine = {0};
    pg_picture_index *index = NULL;
    findings found = {0};
    int code;
    PG_CLI_TRY(check(command, settings, operands));
    PG_CLI_TRY(pg_cli_check(pg_picture_index_open(&index, operands->items[0])));
    PG_CLI_TRY(pg_cli_engine_open(&engine, command, &use));
    PG_CLI_TRY(search(&found, &engine, index, settings, text));
    if (settings->json)
        PG_CLI_TRY(print_json(&found, engine.model, text, settings->image));
    else
        print_text(&found);
    code = deliver_sheet(&found, settings, engine.session);
done:
    free_findings(&found);
    pg_picture_index_close(index);
    pg_cli_engine_close(&engine);
    return code;
}

const pg_cli_command pg_cli_search = {
    .name = "search",
    .usage = "[-m MODEL] INDEX TEXT | INDEX --image FILE",
    .summary = "find the pictures of an index that are most like a text or a picture",
    .details =
        "Prints a line for each picture, the best first: the cosine of the two embeddings, and the picture. Every "
        "picture of the index is compared. The model must be the one that made the index.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 2,
    .settings_size = sizeof(search_settings),
    .init = init,
    .run = run,
};
