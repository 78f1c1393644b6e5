/* paligemma robustness: how much worse a model recognises damaged pictures. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "interrupt.h"
#include "naming.h"
#include "progress.h"

#define CELL 160 /* pixels of a picture on the sheet */

typedef struct robustness_settings {
    pg_cli_source source;
    const char *data, *images, *sheet, *severities;
    pg_cli_naming naming;
    pg_cli_list kinds;
    int64_t rows, batch, max_new_tokens;
    uint64_t seed;
    bool json;
    pg_cli_looking looking;
    pg_cli_arithmetic arithmetic;
} robustness_settings;

static const pg_cli_option data_options[] = {
    {"data", 0, "FILE", PG_CLI_TEXT, offsetof(robustness_settings, data),
     "rows {\"image\", \"label\"}, or {\"image\", \"prefix\", \"suffix\"}", 0, 0},
    {"images", 0, "FOLDER", PG_CLI_TEXT, offsetof(robustness_settings, images),
     "what names of pictures are relative to (default: the file's folder)", 0, 0},
    {"rows", 0, "N", PG_CLI_INTEGER, offsetof(robustness_settings, rows), "the first so many rows (default: all)", 1,
     INFINITY},
    {0},
};

static const pg_cli_option damage_options[] = {
    {"corruption", 0, "NAME", PG_CLI_LIST, offsetof(robustness_settings, kinds),
     "one of them, or a family: noise, blur, weather, digital, rotation (default: all)", 0, 0},
    {"severity", 0, "LIST", PG_CLI_TEXT, offsetof(robustness_settings, severities), "some of 1,2,3,4,5 (default: all)",
     0, 0},
    {"seed", 0, "N", PG_CLI_INTEGER, offsetof(robustness_settings, seed), "of the random numbers (default: 0)", 0,
     INFINITY},
    {0},
};

static const pg_cli_option output_options[] = {
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(robustness_settings, json), "print one JSON object", 0, 0},
    {"sheet", 0, "FILE", PG_CLI_TEXT, offsetof(robustness_settings, sheet),
     "show the first picture under each corruption, as the model gets it, in a .png or .jpg file", 0, 0},
    {"max-new-tokens", 0, "N", PG_CLI_INTEGER, offsetof(robustness_settings, max_new_tokens),
     "longest answer of PaliGemma (default: 32)", 1, INFINITY},
    {"batch", 0, "N", PG_CLI_INTEGER, offsetof(robustness_settings, batch), "rows at a time (default: 16)", 1, 4096},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_source_options, offsetof(robustness_settings, source)},
    {"Data", data_options, 0},
    {"Classes", pg_cli_naming_options, offsetof(robustness_settings, naming)},
    {"Damage", damage_options, 0},
    {"Output", output_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(robustness_settings, looking)},
    {"Speed", pg_cli_arithmetic_options, offsetof(robustness_settings, arithmetic)},
    {0},
};

static void init(void *memory)
{
    ((robustness_settings *)memory)->batch = 16;
}

/* ---------------------------------------------------------------- which damage */

typedef struct damage {
    pg_corruption kinds[PG_CORRUPTIONS];
    size_t kind_count;
    int severities[PG_SEVERITIES];
    size_t severity_count;
} damage;

/* The kind of this name, or all of the family. False if there is none. */
static bool add_kinds(bool wanted[PG_CORRUPTIONS], const char *name)
{
    bool found = false;
    for (int i = 0; i < PG_CORRUPTIONS; i++) {
        pg_corruption kind = (pg_corruption)i;
        if (!strcmp(name, pg_corruption_name(kind)) || !strcmp(name, pg_corruption_family(kind)))
            found = wanted[i] = true;
    }
    return found;
}

static int fail_kind(const pg_cli_command *command, const char *name)
{
    pg_cli_guess guess = {0};
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++) {
        pg_cli_guess_offer(&guess, name, pg_corruption_name((pg_corruption)kind));
        pg_cli_guess_offer(&guess, name, pg_corruption_family((pg_corruption)kind));
    }
    if (guess.nearest)
        return pg_cli_usage(command, "--corruption: there is no '%s' (the nearest is '%s')", name, guess.nearest);
    return pg_cli_usage(command, "--corruption: there is no '%s'", name);
}

static int read_kinds(damage *out, const pg_cli_command *command, const pg_cli_list *names)
{
    bool wanted[PG_CORRUPTIONS] = {false};
    for (size_t i = 0; i < names->count; i++)
        if (!add_kinds(wanted, names->items[i]))
            return fail_kind(command, names->items[i]);
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++)
        if (wanted[kind] || !names->count)
            out->kinds[out->kind_count++] = (pg_corruption)kind;
    return PG_CLI_DONE;
}

static int read_severities(damage *out, const pg_cli_command *command, const char *list)
{
    bool wanted[PG_SEVERITIES] = {false};
    for (const char *at = list; *at; at++) {
        if (*at < '1' || *at > '0' + PG_SEVERITIES || (at[1] && (at[1] != ',' || !at[2])))
            return pg_cli_usage(command, "--severity: '%s', expected some of 1,2,3,4,5", list);
        wanted[*at - '1'] = true;
        at += at[1] == ',';
    }
    for (int s = 0; s < PG_SEVERITIES; s++)
        if (wanted[s])
            out->severities[out->severity_count++] = s + 1;
    return out->severity_count ? PG_CLI_DONE : pg_cli_usage(command, "--severity: none is named");
}

/* ---------------------------------------------------------------- the table */

static void print_share(double share)
{
    if (isnan(share))
        pg_cli_print("      -");
    else
        pg_cli_print(" %6.2f", 100 * share);
}

static void print_table(const pg_robustness *report)
{
    pg_cli_print("rows %zu, right in %%: clean %.2f\n\n%-16s", report->rows, 100 * report->clean, "severity");
    for (int s = 0; s < PG_SEVERITIES; s++)
        pg_cli_print(" %6d", s + 1);
    pg_cli_print("   mean\n");
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++) {
        if (isnan(report->corruption[kind]))
            continue;
        pg_cli_print("%-16s", pg_corruption_name((pg_corruption)kind));
        for (int s = 0; s < PG_SEVERITIES; s++)
            print_share(report->accuracy[kind][s]);
        print_share(report->corruption[kind]);
        pg_cli_print("\n");
    }
    pg_cli_print("\nmean corruption error %.2f %%, %.2f more than clean\n", 100 * report->mean_error,
                 100 * report->relative_error);
}

static void print_json(const pg_robustness *report)
{
    json_t *object = pg_cli_json_object(), *corruptions = pg_cli_json_object();
    for (int kind = 0; kind < PG_CORRUPTIONS; kind++) {
        if (isnan(report->corruption[kind]))
            continue;
        json_t *entry = pg_cli_json_object(), *shares = pg_cli_json_array();
        for (int s = 0; s < PG_SEVERITIES; s++)
            pg_cli_json_append(shares, pg_cli_json_real(report->accuracy[kind][s]));
        pg_cli_json_set(entry, "family", pg_cli_json_text(pg_corruption_family((pg_corruption)kind)));
        pg_cli_json_set(entry, "accuracy", shares);
        pg_cli_json_set(entry, "mean", pg_cli_json_real(report->corruption[kind]));
        pg_cli_json_set(corruptions, pg_corruption_name((pg_corruption)kind), entry);
    }
    pg_cli_json_set(object, "rows", pg_cli_json_integer((int64_t)report->rows));
    pg_cli_json_set(object, "clean", pg_cli_json_real(report->clean));
    pg_cli_json_set(object, "corruptions", corruptions);
    pg_cli_json_set(object, "mean_error", pg_cli_json_real(report->mean_error));
    pg_cli_json_set(object, "relative_error", pg_cli_json_real(report->relative_error));
    pg_cli_json_print(object);
}

/* ---------------------------------------------------------------- the sheet */

/* The first row's picture, in the model's size. */
static int load_first(pg_image **out, const pg_dataset *dataset, const pg_cli_engine *engine,
                      const robustness_settings *settings)
{
    pg_image_options options;
    pg_data_row *row;
    pg_image *image = NULL;
    size_t side = pg_model_image_size(engine->model);
    int code = pg_cli_check(pg_dataset_row(&row, dataset, 0));
    if (code != PG_CLI_DONE)
        return code;
    pg_image_options_init(&options);
    options.keep_orientation = settings->looking.keep_orientation;
    const pg_row_image *first = row->images;
    PG_CLI_TRY(pg_cli_check(first->bytes ? pg_image_decode(&image, first->bytes, first->size, first->name, &options)
                                         : pg_image_load(&image, first->name, &options)));
    code = pg_cli_check(pg_image_resize(out, image, side, side, (pg_resize_order)settings->looking.order));
done:
    pg_image_free(image);
    pg_data_row_free(row);
    return code;
}

/* A row of the sheet for each corruption, under one with the clean picture. */
static int draw_sheet(const pg_image *clean, const damage *how, const robustness_settings *settings)
{
    size_t columns = how->severity_count, count = columns * (how->kind_count + 1);
    pg_image **images = pg_cli_alloc(count, sizeof *images), *sheet = NULL;
    char **captions = pg_cli_alloc(count, sizeof *captions);
    int code = PG_CLI_DONE;
    captions[0] = pg_cli_text("clean");
    PG_CLI_TRY(pg_cli_check(
        pg_image_new(&images[0], pg_image_pixels(clean), pg_image_width(clean), pg_image_height(clean), 0)));
    for (size_t i = columns; i < count; i++) {
        pg_corruption kind = how->kinds[i / columns - 1];
        int severity = how->severities[i % columns];
        PG_CLI_TRY(pg_cli_check(pg_image_corrupt(&images[i], clean, kind, severity, settings->seed)));
        captions[i] = pg_cli_text("%s %d", pg_corruption_name(kind), severity);
    }
    PG_CLI_TRY(pg_cli_check(
        pg_image_sheet(&sheet, (const pg_image *const *)images, (const char *const *)captions, count, columns, CELL)));
    code = pg_cli_check(pg_image_save(sheet, settings->sheet));
done:
    pg_image_free(sheet);
    for (size_t i = 0; i < count; i++) {
        pg_image_free(images[i]);
        free(captions[i]);
    }
    free(images);
    free(captions);
    return code;
}

static int make_sheet(const pg_dataset *dataset, const pg_cli_engine *engine, const damage *how,
                      const robustness_settings *settings)
{
    pg_image *clean = NULL;
    int code;
    PG_CLI_TRY(load_first(&clean, dataset, engine, settings));
    code = draw_sheet(clean, how, settings);
done:
    pg_image_free(clean);
    return code;
}

/* ---------------------------------------------------------------- the run */

/* Everything that is open while the command runs. */
typedef struct opened {
    pg_cli_engine engine;
    pg_cli_list labels;
    pg_dataset *dataset;
    pg_recognizer *recognizer;
} opened;

static void close_all(opened *o)
{
    pg_recognizer_free(o->recognizer);
    pg_dataset_close(o->dataset);
    pg_cli_labels_free(&o->labels);
    pg_cli_engine_close(&o->engine);
}

static int open_data(opened *o, const pg_cli_command *command, const robustness_settings *settings)
{
    pg_dataset_options options;
    pg_dataset_options_init(&options);
    options.images = settings->images;
    if (settings->naming.labels) {
        int code = pg_cli_labels_read(&o->labels, settings->naming.labels);
        if (code != PG_CLI_DONE)
            return code;
        options.labels = o->labels.items;
        options.label_count = o->labels.count;
    }
    if (!settings->data)
        return pg_cli_usage(command, "no data: name a file with --data FILE");
    return pg_cli_check(pg_dataset_open(&o->dataset, settings->data, &options));
}

/* The data's names, unless others were given. */
static int open_classes(opened *o, const robustness_settings *settings)
{
    pg_cli_list labels = {0};
    bool named = settings->naming.labels;
    if (pg_model_get_kind(o->engine.model) == PG_MODEL_PALIGEMMA && !settings->naming.head)
        return named ? pg_cli_fail("--labels: %s answers prompts; classes are for SigLIP, or for a --head",
                                   o->engine.folder)
                     : PG_CLI_DONE;
    for (size_t i = 0; i < pg_dataset_label_count(o->dataset); i++)
        pg_cli_list_add(&labels, pg_dataset_label(o->dataset, i));
    if (!settings->naming.head && !named && !labels.count)
        return pg_cli_fail("%s: rows do not name their classes; name them all with --labels", settings->data);
    int code = pg_cli_recognizer_open(&o->recognizer, &o->engine, &settings->naming, named ? &o->labels : &labels);
    free(labels.items);
    return code;
}

static bool on_progress(void *user, size_t done, size_t total)
{
    pg_cli_progress *progress = user;
    progress->total = total;
    pg_cli_progress_show(progress, done);
    return !pg_cli_interrupted();
}

static int measure(const opened *o, const damage *how, const robustness_settings *settings)
{
    pg_robustness_options options;
    pg_robustness report;
    pg_cli_progress progress;
    pg_robustness_options_init(&options);
    options.kinds = how->kinds;
    options.kind_count = how->kind_count;
    options.severities = how->severities;
    options.severity_count = how->severity_count;
    options.rows = (size_t)settings->rows;
    options.batch = (size_t)settings->batch;
    options.seed = settings->seed;
    options.image.keep_orientation = settings->looking.keep_orientation;
    options.recognizer = o->recognizer;
    options.max_new_tokens = settings->max_new_tokens;
    options.on_progress = on_progress;
    options.user = &progress;
    pg_cli_catch_interrupts(false);
    pg_cli_progress_start(&progress, 0, 0);
    pg_status status = pg_robustness_run(&report, o->engine.session, o->dataset, &options);
    pg_cli_progress_clear(&progress);
    if (status == PG_ERROR_CANCELLED)
        return PG_CLI_INTERRUPTED;
    if (status == PG_OK)
        (settings->json ? print_json : print_table)(&report);
    return pg_cli_check(status);
}

static int check(const pg_cli_command *command, damage *how, const robustness_settings *settings)
{
    int code;
    PG_CLI_TRY(pg_cli_naming_check(command, &settings->naming));
    PG_CLI_TRY(read_kinds(how, command, &settings->kinds));
    code = read_severities(how, command, settings->severities ? settings->severities : "1,2,3,4,5");
    if (code == PG_CLI_DONE && settings->sheet && !pg_cli_is_picture_name(settings->sheet))
        return pg_cli_usage(command, "--sheet: '%s' ends in neither .png nor .jpg", settings->sheet);
done:
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    robustness_settings *settings = memory;
    pg_cli_use use = {settings->source,      1u << PG_MODEL_SIGLIP | 1u << PG_MODEL_PALIGEMMA,
                      "SigLIP or PaliGemma", settings->arithmetic,
                      settings->looking,     (size_t)settings->batch};
    opened o = {0};
    damage how = {0};
    int code;
    (void)operands;
    PG_CLI_TRY(check(command, &how, settings));
    PG_CLI_TRY(open_data(&o, command, settings));
    PG_CLI_TRY(pg_cli_engine_open(&o.engine, command, &use));
    PG_CLI_TRY(open_classes(&o, settings));
    PG_CLI_TRY(measure(&o, &how, settings));
    if (settings->sheet)
        code = make_sheet(o.dataset, &o.engine, &how, settings);
done:
    close_all(&o);
    return code;
}

const pg_cli_command pg_cli_robustness = {
    .name = "robustness",
    .usage = "[-m MODEL] --data FILE [--labels LABELS]",
    .summary = "measure how much worse damaged pictures are recognised",
    .details =
        "Pictures are resized to the model's size and damaged there, in the ways of ImageNet-C (Hendrycks and "
        "Dietterich 2019) and by rotation, at five severities. SigLIP, or a --head, classifies them; right is the "
        "likeliest class. The names of the classes come from the rows' labels, or from --labels; with those, the "
        "suffix of rows with prefixes counts as the label. PaliGemma answers each row's prefix; right is an answer "
        "equal to the suffix.\n"
        "Prints the share of right answers in % for each corruption and severity; the mean corruption error is "
        "that of all corruptions.",
    .groups = groups,
    .settings_size = sizeof(robustness_settings),
    .init = init,
    .run = run,
};
