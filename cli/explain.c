/* paligemma explain: which patches of a picture an answer's words and boxes, or a match with a text, come from. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "engine.h"
#include "interrupt.h"
#include "progress.h"
#include "terminal.h"

#define CELL 384 /* largest side of a heat map on a sheet, in pixels */

typedef struct explain_settings {
    pg_cli_source source;
    pg_cli_arithmetic arithmetic;
    pg_cli_looking looking;
    const char *prompt, *answer, *out, *arrays;
    int64_t max_new_tokens, layers;
    pg_cli_list texts;
    int method; /* a pg_explain_method */
    bool special, tower, json, no_pictures;
} explain_settings;

static const pg_cli_option question_options[] = {
    {"prompt", 'p', "TEXT", PG_CLI_TEXT, offsetof(explain_settings, prompt), "the prompt (PaliGemma)", 0, 0},
    {"answer", 0, "TEXT", PG_CLI_TEXT, offsetof(explain_settings, answer),
     "explain this answer instead of the model's own", 0, 0},
    {"max-new-tokens", 'n', "N", PG_CLI_INTEGER, offsetof(explain_settings, max_new_tokens),
     "end the answer after N tokens (default: the model's limit, else 256)", 1, INFINITY},
    {"special", 0, NULL, PG_CLI_FLAG, offsetof(explain_settings, special),
     "let control tokens spelled out in the prompt count; else they are plain text", 0, 0},
    {"text", 0, "TEXT...", PG_CLI_WORDS, offsetof(explain_settings, texts), "texts to find in the picture (SigLIP)", 0,
     0},
    {0},
};

static const pg_cli_option method_options[] = {
    {"method", 0, "auto|gradient|rollout|attention|similarity", PG_CLI_CHOICE, offsetof(explain_settings, method),
     "gradient x attention (PaliGemma's default); attention rollout; attention itself; cosine of patch and text "
     "(SigLIP's default)",
     0, 0},
    {"tower", 0, NULL, PG_CLI_FLAG, offsetof(explain_settings, tower),
     "gradient and rollout: go on through the vision tower, to the patches as they enter it", 0, 0},
    {"layers", 0, "N", PG_CLI_INTEGER, offsetof(explain_settings, layers),
     "attention: the mean of the last N layers (default: 1)", 1, INFINITY},
    {0},
};

static const pg_cli_option output_options[] = {
    {"out", 'o', "PATH", PG_CLI_TEXT, offsetof(explain_settings, out),
     "draw heat maps: all on one sheet, FILE.png or FILE.jpg, or each into a folder", 0, 0},
    {"arrays", 0, "FILE", PG_CLI_TEXT, offsetof(explain_settings, arrays),
     "write the maps to a .npz or .safetensors file", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(explain_settings, json), "print one JSON object, maps included", 0, 0},
    PG_CLI_NO_PICTURES(explain_settings, no_pictures),
    {0},
};

static const pg_cli_group groups[] = {
    {"Question", question_options, 0},
    {"Model", pg_cli_source_options, offsetof(explain_settings, source)},
    {"Explanation", method_options, 0},
    {"Output", output_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(explain_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(explain_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    explain_settings *settings = memory;
    settings->max_new_tokens = -1;
}

/* ---------------------------------------------------------------- explaining */

typedef struct explain_run {
    const explain_settings *settings;
    pg_cli_engine engine;
    pg_cli_pictures pictures;
    char *answer; /* text; NULL with SigLIP */
    pg_explanation *explanation;
} explain_run;

static bool on_progress(void *user, size_t done, size_t total)
{
    pg_cli_progress *progress = user;
    progress->total = total;
    pg_cli_progress_show(progress, done);
    return !pg_cli_interrupted();
}

static pg_explain_options options_of(const explain_settings *settings, pg_cli_progress *progress)
{
    pg_explain_options options;
    pg_explain_options_init(&options);
    options.method = (pg_explain_method)settings->method;
    options.tower = settings->tower;
    options.layers = (size_t)settings->layers;
    options.on_progress = on_progress;
    options.user = progress;
    pg_cli_progress_start(progress, 0, 0);
    return options;
}

static bool on_text(void *user, size_t index, const char *text, size_t size)
{
    (void)user, (void)index, (void)text, (void)size;
    return !pg_cli_interrupted();
}

/* The tokens to explain: the model's own, or those of the answer given; freed with free. */
static int make_answer(explain_run *run, const pg_request *request, int32_t **tokens, size_t *count)
{
    const char *given = run->settings->answer;
    int32_t *ids = NULL;
    pg_answer *answer = NULL;
    int code;
    if (given) {
        const pg_tokenizer *tokenizer = pg_model_tokenizer(run->engine.model);
        if (!tokenizer)
            return pg_cli_fail("%s: no tokenizer beside the model", run->engine.folder);
        code = pg_cli_check(pg_tokenizer_encode(&ids, count, tokenizer, given, SIZE_MAX, PG_ENCODE_PLAIN));
    } else {
        code = pg_cli_check(pg_generate(&answer, run->engine.session, request, 1));
        *count = answer ? answer->count : 0;
    }
    const int32_t *made = answer ? answer->tokens : ids;
    if (code != PG_CLI_DONE || !made)
        return code;
    *tokens = pg_cli_alloc(*count + 1, sizeof **tokens);
    memcpy(*tokens, made, *count * sizeof **tokens);
    run->answer = pg_cli_text("%s", answer ? answer->text : given);
    pg_free(ids);
    if (answer)
        pg_answer_free(answer);
    return pg_cli_interrupted() ? PG_CLI_INTERRUPTED : PG_CLI_DONE;
}

static int explain_answer(explain_run *run)
{
    pg_request request;
    pg_cli_progress progress;
    int32_t *tokens = NULL;
    size_t count;
    pg_request_init(&request);
    request.images = (const pg_image *const *)run->pictures.items;
    request.image_count = run->pictures.count;
    request.prompt = run->settings->prompt;
    request.special = run->settings->special;
    request.max_new_tokens = run->settings->max_new_tokens;
    request.on_text = on_text;
    request.beams = 1;
    int code = make_answer(run, &request, &tokens, &count);
    if (code == PG_CLI_DONE) {
        pg_explain_options options = options_of(run->settings, &progress);
        pg_status status = pg_explain(&run->explanation, run->engine.session, &request, tokens, count, &options);
        pg_cli_progress_clear(&progress);
        code = pg_cli_interrupted() ? PG_CLI_INTERRUPTED : pg_cli_check(status);
    }
    free(tokens);
    return code;
}

static int find_texts(explain_run *run)
{
    pg_cli_progress progress;
    const pg_cli_list *texts = &run->settings->texts;
    pg_explain_options options = options_of(run->settings, &progress);
    pg_status status = pg_explain_texts(&run->explanation, run->engine.session, run->pictures.items[0], texts->items,
                                        texts->count, &options);
    pg_cli_progress_clear(&progress);
    return pg_cli_interrupted() ? PG_CLI_INTERRUPTED : pg_cli_check(status);
}

/* ---------------------------------------------------------------- numbers */

/* The patch with the largest value. */
typedef struct hottest {
    size_t image, row, column;
    double value;
    double box[4]; /* in pixels of its picture */
} hottest;

static hottest find_hottest(const explain_run *run, const pg_explained *part)
{
    const pg_explanation *e = run->explanation;
    size_t best = 0, places = e->rows * e->columns;
    for (size_t i = 1; i < e->images * places; i++)
        best = part->map[i] > part->map[best] ? i : best;
    hottest h = {best / places, best % places / e->columns, best % e->columns, (double)part->map[best], {0}};
    double width = (double)pg_image_width(run->pictures.items[h.image]) / (double)e->columns;
    double height = (double)pg_image_height(run->pictures.items[h.image]) / (double)e->rows;
    h.box[0] = (double)h.column * width;
    h.box[1] = (double)h.row * height;
    h.box[2] = h.box[0] + width;
    h.box[3] = h.box[1] + height;
    return h;
}

static json_t *describe_maps(const pg_explanation *e, const float *map)
{
    json_t *images = pg_cli_json_array();
    for (size_t i = 0; i < e->images; i++) {
        json_t *rows = pg_cli_json_array();
        for (size_t r = 0; r < e->rows; r++, map += e->columns)
            pg_cli_json_append(rows, pg_cli_json_reals(map, e->columns));
        pg_cli_json_append(images, rows);
    }
    return images;
}

static json_t *describe_hottest(const hottest *h)
{
    json_t *object = pg_cli_json_object(), *box = pg_cli_json_array();
    for (int i = 0; i < 4; i++)
        pg_cli_json_append(box, pg_cli_json_real(h->box[i]));
    pg_cli_json_set(object, "image", pg_cli_json_integer((int64_t)h->image));
    pg_cli_json_set(object, "box", box);
    pg_cli_json_set(object, "value", pg_cli_json_real(h->value));
    return object;
}

static json_t *describe_part(const explain_run *run, const pg_explained *part)
{
    json_t *object = pg_cli_json_object();
    hottest h = find_hottest(run, part);
    pg_cli_json_set(object, "kind", pg_cli_json_text(pg_explained_kind_name(part->kind)));
    pg_cli_json_set(object, "text", pg_cli_json_text(part->text));
    if (run->answer) {
        json_t *tokens = pg_cli_json_ids(run->explanation->tokens + part->first, part->count);
        pg_cli_json_set(object, "first", pg_cli_json_integer((int64_t)part->first));
        pg_cli_json_set(object, "tokens", tokens);
        pg_cli_json_set(object, "share", pg_cli_json_real(part->share));
    }
    pg_cli_json_set(object, "hottest", describe_hottest(&h));
    pg_cli_json_set(object, "maps", describe_maps(run->explanation, part->map));
    return object;
}

static void print_json(const explain_run *run)
{
    static const char *const methods[] = {"auto", "gradient", "rollout", "attention", "similarity"};
    const pg_explanation *e = run->explanation;
    json_t *object = pg_cli_json_object(), *parts = pg_cli_json_array();
    if (run->answer)
        pg_cli_json_set(object, "answer", pg_cli_json_text(run->answer));
    pg_cli_json_set(object, "method", pg_cli_json_text(methods[e->method]));
    pg_cli_json_set(object, "rows", pg_cli_json_integer((int64_t)e->rows));
    pg_cli_json_set(object, "columns", pg_cli_json_integer((int64_t)e->columns));
    for (size_t i = 0; i < e->part_count; i++)
        pg_cli_json_append(parts, describe_part(run, &e->parts[i]));
    pg_cli_json_set(object, "parts", parts);
    pg_cli_json_print(object);
}

/* A line for each part: how much it has from the pictures, where most of it, what it is. */
static void print_table(const explain_run *run)
{
    const pg_explanation *e = run->explanation;
    if (run->answer)
        pg_cli_print("%s\n", run->answer);
    for (size_t i = 0; i < e->part_count; i++) {
        const pg_explained *part = &e->parts[i];
        hottest h = find_hottest(run, part);
        if (run->answer)
            pg_cli_print("share %.3f  ", part->share);
        if (e->images > 1)
            pg_cli_print("picture %zu  ", h.image + 1);
        pg_cli_print("hottest %.3f at %.0f %.0f %.0f %.0f  %s %s\n", h.value, h.box[0], h.box[1], h.box[2], h.box[3],
                     pg_explained_kind_name(part->kind), part->text);
    }
}

/* ---------------------------------------------------------------- heat maps */

/* The map of part `number / images` over picture `number % images` of those given. */
static int draw_heat(pg_image **out, const explain_run *run, pg_image *const *pictures, size_t number)
{
    const pg_explanation *e = run->explanation;
    size_t image = number % e->images;
    const float *map = e->parts[number / e->images].map + image * e->rows * e->columns;
    return pg_cli_check(pg_image_draw_heat(out, pictures[image], map, e->columns, e->rows, NULL, NULL));
}

static char *caption_of(const pg_explained *part)
{
    bool named = part->kind == PG_EXPLAINED_BOX || part->kind == PG_EXPLAINED_MASK;
    return named ? pg_cli_text("%s (%s)", part->text, pg_explained_kind_name(part->kind))
                 : pg_cli_text("%s", part->text);
}

/* A copy that fits into a cell of a sheet, so that many of them fit into memory. */
static int make_small(pg_image **out, const pg_image *image)
{
    size_t width = pg_image_width(image), height = pg_image_height(image), most = width > height ? width : height;
    size_t side = most > CELL ? CELL : most;
    size_t across = width * side / most, down = height * side / most;
    return pg_cli_check(pg_image_resize(out, image, across ? across : 1, down ? down : 1, PG_RESIZE_PILLOW13));
}

typedef struct sheet_parts {
    pg_image **small, **heats; /* [images], [count] */
    char **captions;           /* [count] */
    size_t images, count;
} sheet_parts;

static void free_parts(sheet_parts *parts)
{
    for (size_t i = 0; i < parts->images; i++)
        pg_image_free(parts->small[i]);
    for (size_t i = 0; i < parts->count; i++) {
        pg_image_free(parts->heats[i]);
        free(parts->captions[i]);
    }
    free(parts->small);
    free(parts->heats);
    free(parts->captions);
}

static int make_sheet(pg_image **out, const explain_run *run)
{
    const pg_explanation *e = run->explanation;
    sheet_parts parts = {.images = e->images, .count = e->part_count * e->images};
    int code = PG_CLI_DONE;
    parts.small = pg_cli_alloc(parts.images, sizeof *parts.small);
    parts.heats = pg_cli_alloc(parts.count, sizeof *parts.heats);
    parts.captions = pg_cli_alloc(parts.count, sizeof *parts.captions);
    for (size_t i = 0; i < parts.images && code == PG_CLI_DONE; i++)
        code = make_small(&parts.small[i], run->pictures.items[i]);
    for (size_t i = 0; i < parts.count && code == PG_CLI_DONE; i++) {
        parts.captions[i] = caption_of(&e->parts[i / e->images]);
        code = draw_heat(&parts.heats[i], run, parts.small, i);
    }
    if (code == PG_CLI_DONE)
        code = pg_cli_check(pg_image_sheet(out, (const pg_image *const *)parts.heats,
                                           (const char *const *)parts.captions, parts.count, 0, CELL));
    free_parts(&parts);
    return code;
}

static int save_sheet(const explain_run *run, const char *path)
{
    pg_image *sheet = NULL;
    int code = make_sheet(&sheet, run);
    if (code == PG_CLI_DONE)
        code = pg_cli_picture_deliver(sheet, path, true);
    pg_image_free(sheet);
    return code;
}

/* FOLDER/01.png, ..., of several pictures FOLDER/01-1.png, FOLDER/01-2.png, ... */
static int save_each(const explain_run *run, const char *folder)
{
    size_t images = run->explanation->images, count = run->explanation->part_count * images;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return pg_cli_fail("%s: %s", folder, strerror(errno));
    int code = PG_CLI_DONE;
    for (size_t i = 0; i < count && code == PG_CLI_DONE; i++) {
        pg_image *heat = NULL;
        char *path = images > 1 ? pg_cli_text("%s/%02zu-%zu.png", folder, i / images + 1, i % images + 1)
                                : pg_cli_text("%s/%02zu.png", folder, i + 1);
        code = draw_heat(&heat, run, run->pictures.items, i);
        if (code == PG_CLI_DONE)
            code = pg_cli_check(pg_image_save(heat, path));
        pg_image_free(heat);
        free(path);
    }
    return code;
}

static void show_sheet(const explain_run *run)
{
    pg_image *sheet = NULL;
    if (make_sheet(&sheet, run) == PG_CLI_DONE)
        pg_cli_show_picture(sheet);
    pg_image_free(sheet);
}

static int deliver(const explain_run *run)
{
    const explain_settings *settings = run->settings;
    int code = PG_CLI_DONE;
    bool any = run->explanation->part_count > 0;
    if (settings->out && !any)
        code = pg_cli_fail("the answer has no words: there is nothing to draw");
    else if (settings->out)
        code = pg_cli_is_picture_name(settings->out) ? save_sheet(run, settings->out) : save_each(run, settings->out);
    if (code == PG_CLI_DONE && settings->arrays)
        code = pg_cli_check(pg_explanation_save(settings->arrays, run->explanation));
    if (code != PG_CLI_DONE)
        return code;
    if (settings->json)
        print_json(run);
    else
        print_table(run);
    if (any && !settings->json && !settings->out && !settings->no_pictures && isatty(STDOUT_FILENO))
        show_sheet(run);
    return code;
}

/* ---------------------------------------------------------------- the command */

static int check(const pg_cli_command *command, const explain_settings *settings, size_t pictures)
{
    if (!settings->prompt == !settings->texts.count)
        return pg_cli_usage(command, "give a prompt (-p, for PaliGemma) or texts to find (--text, for SigLIP)");
    if (settings->texts.count && (settings->answer || settings->special || settings->max_new_tokens > 0))
        return pg_cli_usage(command, "--answer, --special and -n go with a prompt, not with --text");
    if (settings->texts.count && pictures > 1)
        return pg_cli_usage(command, "--text looks for texts in one picture");
    if (settings->layers && settings->method != PG_EXPLAIN_ATTENTION)
        return pg_cli_usage(command, "--layers goes with --method attention");
    if (settings->tower && (settings->method == PG_EXPLAIN_ATTENTION || settings->method == PG_EXPLAIN_SIMILARITY ||
                            (settings->texts.count && settings->method == PG_EXPLAIN_AUTO)))
        return pg_cli_usage(command, "--tower goes with --method gradient and rollout");
    if (settings->prompt && settings->method == PG_EXPLAIN_SIMILARITY)
        return pg_cli_usage(command, "--method similarity goes with --text");
    if (settings->arrays && !pg_cli_has_suffix(settings->arrays, ".npz") &&
        !pg_cli_has_suffix(settings->arrays, ".safetensors"))
        return pg_cli_usage(command, "--arrays: '%s' ends in neither .npz nor .safetensors", settings->arrays);
    return PG_CLI_DONE;
}

static int run_explain(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    explain_settings *settings = memory;
    bool texts = settings->texts.count > 0;
    pg_cli_use use = {settings->source,
                      1u << (texts ? PG_MODEL_SIGLIP : PG_MODEL_PALIGEMMA),
                      texts ? "SigLIP" : "PaliGemma to look at pictures",
                      settings->arithmetic,
                      settings->looking,
                      1};
    explain_run run = {.settings = settings};
    int code;
    PG_CLI_TRY(check(command, settings, operands->count));
    PG_CLI_TRY(pg_cli_engine_open(&run.engine, command, &use));
    PG_CLI_TRY(pg_cli_check(pg_cli_pictures_load(&run.pictures, operands->items, operands->count, &settings->looking)));
    pg_cli_catch_interrupts(false);
    PG_CLI_TRY(texts ? find_texts(&run) : explain_answer(&run));
    PG_CLI_TRY(deliver(&run));
done:
    pg_explanation_free(run.explanation);
    free(run.answer);
    pg_cli_pictures_free(&run.pictures);
    pg_cli_engine_close(&run.engine);
    return code;
}

const pg_cli_command pg_cli_explain = {
    .name = "explain",
    .usage = "[-m MODEL] IMAGE... (-p PROMPT | --text TEXT...)",
    .summary = "show which parts of a picture an answer comes from",
    .details =
        "PaliGemma: answers the prompt and prints, for every word of the answer and every box, mask and label in it, "
        "how much of what it comes from is the picture, and which patch counts most (x1 y1 x2 y2 in pixels). Gradient "
        "x "
        "attention (Chefer et al. 2021) says what raised each token's logit, and takes a pass back through the model "
        "for each; attention rollout (Abnar and Zuidema 2020) says where the positions that predict them have their "
        "contents from. Maps are not negative and of sum 1.\n\n"
        "SigLIP, with --text: where each text is found. Similarity is the cosine of the text and of each patch alone "
        "through the pooling head; gradient explains the cosine of text and picture by way of the head's attention.\n\n"
        "Without --out, heat maps are shown in terminals that can. - is standard input.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(explain_settings),
    .init = init,
    .run = run_explain,
};
