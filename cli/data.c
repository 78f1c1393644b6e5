/*
 * paligemma data: looks at data sets, and converts them.
 *
 * data convert: every row as a JSON line, masks as <seg> tokens.
 *
 * data check: every row is made as the trainer would get it; some are shown, with their prompt and the answer that
 * carries loss as the model reads them back; then counts, lengths, and the rows that are bad.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "progress.h"

typedef struct data_settings {
    const char *model, *images, *split, *prefix, *annotations, *image_name, *codec, *out;
    int kind, style;
    int64_t rows, sample, context, threads;
    double max_bad;
    bool json, special, together;
    pg_cli_looking looking;
} data_settings;

static const pg_cli_option data_options[] = {
    {"kind", 0, "auto|jsonl|coco-captions|coco-detect|coco-segment|vqa|text|shards|masks|mask-folders", PG_CLI_CHOICE,
     offsetof(data_settings, kind), "what the file is (default: told by its content)", 0, 0},
    {"images", 0, "FOLDER", PG_CLI_TEXT, offsetof(data_settings, images),
     "what names of pictures are relative to (default: the file's folder)", 0, 0},
    {"split", 0, "NAME", PG_CLI_TEXT, offsetof(data_settings, split),
     "of a folder that has several: train, valid or test (default: train)", 0, 0},
    {"prefix", 0, "TEXT", PG_CLI_TEXT, offsetof(data_settings, prefix),
     "prompt of captions (default: caption en); what stands before questions (default: answer en)", 0, 0},
    {"annotations", 0, "FILE", PG_CLI_TEXT, offsetof(data_settings, annotations), "VQA: the file with the answers", 0,
     0},
    {"image-name", 0, "PATTERN", PG_CLI_TEXT, offsetof(data_settings, image_name),
     "VQA: how pictures are named, with a # for each digit of the id", 0, 0},
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, offsetof(data_settings, codec),
     "coco-segment and mask-folders: what makes <seg> tokens (default: world/mask_codec.npz, which ships)", 0, 0},
    {"together", 0, NULL, PG_CLI_FLAG, offsetof(data_settings, together),
     "the same: one row for all objects of a name in a picture, not one for each", 0, 0},
    {"max-bad", 0, "P", PG_CLI_NUMBER, offsetof(data_settings, max_bad),
     "share of bad rows from which on the exit code is 1 (default: 0.01)", 0, 1},
    {0},
};

static const pg_cli_option convert_options[] = {
    {"out", 'o', "FILE.jsonl", PG_CLI_TEXT, offsetof(data_settings, out), "the rows as JSON lines", 0, 0},
    {0},
};

static const pg_cli_option check_options[] = {
    {"rows", 'n', "N", PG_CLI_INTEGER, offsetof(data_settings, rows), "rows to show (default: 3)", 0, INFINITY},
    {"sample", 0, "N", PG_CLI_INTEGER, offsetof(data_settings, sample),
     "check only so many rows, drawn from the whole set (default: all)", 1, INFINITY},
    {"context", 0, "N", PG_CLI_INTEGER, offsetof(data_settings, context),
     "longest row in tokens, pictures included (default: the model's)", 1, INFINITY},
    {"style", 0, "task|text|chat", PG_CLI_CHOICE, offsetof(data_settings, style), "how prompts are made", 0, 0},
    {"special", 0, NULL, PG_CLI_FLAG, offsetof(data_settings, special),
     "control tokens spelled out in the texts count as such", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(data_settings, json), "print one JSON object", 0, 0},
    {0},
};

static const pg_cli_option speed_options[] = {
    {"threads", 't', "N", PG_CLI_INTEGER, offsetof(data_settings, threads),
     "threads that read rows (default: 2 to check, one per physical core to convert)", 1, 256},
    {0},
};

static const pg_cli_group groups[] = {
    {"Model", pg_cli_model_options, offsetof(data_settings, model)},
    {"Data", data_options, 0},
    {"Check", check_options, 0},
    {"Convert", convert_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(data_settings, looking)},
    {"Speed", speed_options, 0},
    {0},
};

static void init(void *memory)
{
    data_settings *settings = memory;
    settings->rows = 3;
    settings->max_bad = 0.01;
}

/* Lengths of rows, to be sorted. */
typedef struct lengths {
    size_t *values;
    size_t count, capacity;
} lengths;

/* A data set, and the codec of its masks. */
typedef struct opened_data {
    pg_dataset *set;
    pg_mask_codec *codec;
} opened_data;

typedef struct data_check {
    const data_settings *settings;
    pg_cli_engine engine;
    opened_data data;
    pg_mixture *mixture;
    pg_loader *loader;
    pg_loader_options options;
    pg_cli_progress progress;
    lengths all, answers;
    size_t shown, pictures, most_pictures, without_pictures;
    json_t *rows; /* with --json */
} data_check;

/* ---------------------------------------------------------------- opening */

static void close_data(opened_data *data)
{
    pg_dataset_close(data->set);
    pg_mask_codec_close(data->codec);
}

static int open_data(opened_data *out, const pg_cli_command *command, const data_settings *settings, const char *path)
{
    pg_dataset_options options;
    const char *codec;
    int code;
    pg_dataset_options_init(&options);
    options.kind = (pg_data_kind)settings->kind;
    options.images = settings->images;
    options.split = settings->split;
    options.prefix = settings->prefix;
    options.annotations = settings->annotations;
    options.image_name = settings->image_name;
    options.together = settings->together;
    if (options.kind == PG_DATA_COCO_SEGMENT || options.kind == PG_DATA_MASK_FOLDERS) {
        PG_CLI_TRY(pg_cli_codec_find(&codec, command, settings->codec));
        PG_CLI_TRY(pg_cli_check(pg_mask_codec_open(&out->codec, codec)));
        options.encode_mask = pg_mask_codec_encode_view;
        options.user = out->codec;
    }
    PG_CLI_TRY(pg_cli_check(pg_dataset_open(&out->set, path, &options)));
done:
    return code;
}

static int open_model(data_check *check, const pg_cli_command *command)
{
    pg_cli_use use = {.source = {.model = check->settings->model},
                      .kinds = 1u << PG_MODEL_PALIGEMMA | 1u << PG_MODEL_GEMMA | 1u << PG_MODEL_SIGLIP};
    return pg_cli_engine_load(&check->engine, command, &use);
}

/* A sample of the rows is the beginning of a shuffled pass; all of them come in their order. */
static int open_loader(data_check *check)
{
    const data_settings *settings = check->settings;
    pg_mixture_part part = {.dataset = check->data.set};
    uint64_t count = pg_dataset_count(check->data.set);
    int code;
    pg_loader_options_init(&check->options);
    PG_CLI_TRY(pg_cli_check(pg_loader_options_use_model(&check->options, check->engine.model)));
    check->options.threads = settings->threads ? (int)settings->threads : 2;
    check->options.style = (pg_prompt_style)settings->style;
    check->options.special = settings->special;
    check->options.resize_order = (pg_resize_order)settings->looking.order;
    check->options.keep_orientation = settings->looking.keep_orientation;
    check->options.bad_share = 1;
    check->options.end = settings->sample && (uint64_t)settings->sample < count ? (uint64_t)settings->sample : count;
    if (settings->context && check->options.model != PG_MODEL_SIGLIP)
        check->options.context = (size_t)settings->context;
    PG_CLI_TRY(pg_cli_check(pg_mixture_new(&check->mixture, &part, 1, 0, check->options.end < count)));
    PG_CLI_TRY(pg_cli_check(pg_loader_open(&check->loader, check->mixture, &check->options)));
done:
    return code;
}

static void close_all(data_check *check)
{
    pg_cli_progress_clear(&check->progress);
    pg_loader_close(check->loader);
    pg_mixture_free(check->mixture);
    close_data(&check->data);
    pg_cli_engine_close(&check->engine);
    free(check->all.values);
    free(check->answers.values);
    json_decref(check->rows);
}

/* ---------------------------------------------------------------- rows */

static const char *decode(char **text, const data_check *check, const int32_t *ids, size_t count)
{
    if (pg_tokenizer_decode(text, check->options.tokenizer, ids, count, false) != PG_OK)
        *text = NULL;
    return *text ? *text : "";
}

/* Ids of pictures come in long rows of the same: they are said once. */
static void print_ids(const int32_t *ids, size_t count)
{
    for (size_t i = 0, same; i < count; i += same) {
        for (same = 1; i + same < count && ids[i + same] == ids[i]; same++)
            continue;
        if (same > 3)
            pg_cli_print(" %d (%zu times)", ids[i], same);
        for (size_t j = 0; same <= 3 && j < same; j++)
            pg_cli_print(" %d", ids[i]);
    }
    pg_cli_print("\n");
}

/* The prompt behind the ids of the pictures. */
static size_t skip_pictures(const data_check *check, const pg_sample *sample)
{
    size_t skipped = 0;
    while (sample->image_count && skipped < sample->prefix && check->options.model == PG_MODEL_PALIGEMMA &&
           sample->ids[skipped] == check->options.image_token)
        skipped++;
    return skipped;
}

/* A text on one line, its line ends and quotes spelled out as JSON does it. */
static void print_text(const char *name, const char *text)
{
    json_t *value = pg_cli_json_text(text);
    char *line = json_dumps(value, JSON_ENCODE_ANY);
    pg_cli_print("  %-9s %s\n", name, line ? line : "");
    free(line);
    json_decref(value);
}

static void print_part(const data_check *check, const char *name, const int32_t *ids, size_t count)
{
    char *text;
    print_text(name, decode(&text, check, ids, count));
    pg_free(text);
    pg_cli_print("  %-9s", "ids");
    print_ids(ids, count);
}

static void print_row(const data_check *check, const pg_sample *sample, const char *place)
{
    size_t first = skip_pictures(check, sample), answer = sample->count - sample->prefix;
    pg_cli_print("%s\n", place);
    pg_cli_print("  %-9s %zu", "pictures", sample->image_count);
    if (first)
        pg_cli_print(", %zu ids", first);
    pg_cli_print("\n");
    if (sample->prefix)
        print_part(check, "prefix", sample->ids + first, sample->prefix - first);
    if (answer)
        print_part(check, check->options.model == PG_MODEL_SIGLIP ? "text" : "loss on", sample->ids + sample->prefix,
                   answer);
    if (sample->rejected)
        print_part(check, "rejected", sample->rejected, sample->rejected_count);
    if (sample->label >= 0) {
        const char *label = pg_dataset_label(check->data.set, (size_t)sample->label);
        pg_cli_print("  %-9s %lld %s\n", "label", (long long)sample->label, label ? label : "");
    }
    if (sample->patch_labels)
        pg_cli_print("  %-9s for each of %zu patches\n", "label", sample->patch_count);
    if (sample->truncated)
        pg_cli_print("  cut at the context of %zu ids\n", check->options.context);
    pg_cli_print("\n");
}

static void set_part(json_t *object, const data_check *check, const char *name, const int32_t *ids, size_t count)
{
    char *text;
    json_t *part = pg_cli_json_object();
    pg_cli_json_set(part, "text", pg_cli_json_text(decode(&text, check, ids, count)));
    pg_cli_json_set(part, "ids", pg_cli_json_ids(ids, count));
    pg_cli_json_set(object, name, part);
    pg_free(text);
}

static void add_row(const data_check *check, const pg_sample *sample, const char *place)
{
    size_t first = skip_pictures(check, sample);
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "row", pg_cli_json_text(place));
    pg_cli_json_set(object, "images", pg_cli_json_integer((int64_t)sample->image_count));
    pg_cli_json_set(object, "image_ids", pg_cli_json_integer((int64_t)first));
    set_part(object, check, "prefix", sample->ids + first, sample->prefix - first);
    set_part(object, check, "loss", sample->ids + sample->prefix, sample->count - sample->prefix);
    if (sample->rejected)
        set_part(object, check, "rejected", sample->rejected, sample->rejected_count);
    if (sample->label >= 0)
        pg_cli_json_set(object, "label", pg_cli_json_integer(sample->label));
    if (sample->patch_labels)
        pg_cli_json_set(object, "label", pg_cli_json_ids(sample->patch_labels, sample->patch_count));
    pg_cli_json_set(object, "truncated", json_boolean(sample->truncated));
    pg_cli_json_append(check->rows, object);
}

static int show_row(data_check *check, const pg_sample *sample)
{
    char *place;
    int code = pg_cli_check(pg_dataset_place(&place, check->data.set, sample->row));
    if (code != PG_CLI_DONE)
        return code;
    (check->settings->json ? add_row : print_row)(check, sample, place);
    pg_free(place);
    check->shown++;
    return PG_CLI_DONE;
}

/* ---------------------------------------------------------------- counts */

static void add_length(lengths *list, size_t value)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity * 2 + 1024;
        size_t *larger = pg_cli_alloc(capacity, sizeof *larger);
        if (list->count)
            memcpy(larger, list->values, list->count * sizeof *larger);
        free(list->values);
        list->values = larger;
        list->capacity = capacity;
    }
    list->values[list->count++] = value;
}

static int compare_lengths(const void *left, const void *right)
{
    size_t a = *(const size_t *)left, b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

static void sort_lengths(lengths *list)
{
    if (list->count)
        qsort(list->values, list->count, sizeof *list->values, compare_lengths);
}

static void count_row(data_check *check, const pg_sample *sample)
{
    add_length(&check->all, sample->count);
    add_length(&check->answers, sample->count - sample->prefix);
    check->pictures += sample->image_count;
    check->without_pictures += sample->image_count == 0;
    if (sample->image_count > check->most_pictures)
        check->most_pictures = sample->image_count;
}

/* Goes through the rows; one that cannot be used is the loader's to count. A set without any ends early. */
static int check_rows(data_check *check)
{
    int code = PG_CLI_DONE;
    pg_cli_progress_start(&check->progress, 0, check->options.end);
    for (pg_sample *sample; code == PG_CLI_DONE;) {
        pg_status status = pg_loader_next(&sample, check->loader);
        if (status != PG_OK && status != PG_ERROR_FORMAT)
            return pg_cli_check(status);
        if (!sample)
            break;
        count_row(check, sample);
        if (check->shown < (size_t)check->settings->rows) {
            pg_cli_progress_clear(&check->progress);
            code = show_row(check, sample);
        }
        pg_sample_free(sample);
        pg_cli_progress_show(&check->progress, pg_loader_get_report(check->loader).rows);
    }
    pg_cli_progress_clear(&check->progress);
    sort_lengths(&check->all);
    sort_lengths(&check->answers);
    return code;
}

static double share_of(const pg_loader_report *report)
{
    return report->rows ? (double)report->bad / (double)report->rows : 0;
}

static void print_lengths(const char *name, const lengths *list)
{
    if (list->count)
        pg_cli_print("%-10s %zu to %zu, median %zu\n", name, list->values[0], list->values[list->count - 1],
                     list->values[list->count / 2]);
}

static void print_report(const data_check *check, const pg_loader_report *report)
{
    pg_cli_print("file       %s\n", pg_dataset_path(check->data.set));
    pg_cli_print("kind       %s, rows of kind %s\n", pg_data_kind_name(pg_dataset_get_kind(check->data.set)),
                 pg_row_kind_name(pg_dataset_row_kind(check->data.set)));
    pg_cli_print("rows       %zu, %llu checked\n", pg_dataset_count(check->data.set), (unsigned long long)report->rows);
    pg_cli_print("pictures   %zu, at most %zu a row, %zu rows without\n", check->pictures, check->most_pictures,
                 check->without_pictures);
    if (pg_dataset_label_count(check->data.set))
        pg_cli_print("classes    %zu\n", pg_dataset_label_count(check->data.set));
    print_lengths("ids", &check->all);
    if (check->answers.count && check->answers.values[check->answers.count - 1] &&
        check->options.model != PG_MODEL_SIGLIP)
        print_lengths("loss on", &check->answers);
    pg_cli_print("truncated  %llu\ntoo long   %llu\n", (unsigned long long)report->truncated,
                 (unsigned long long)report->too_long);
    pg_cli_print("bad        %llu (%.3g %%)\n", (unsigned long long)report->bad, 100 * share_of(report));
    for (size_t i = 0; i < report->listed; i++)
        pg_cli_print("  %s\n", pg_loader_bad(check->loader, i));
    if (report->listed < report->bad)
        pg_cli_print("  and %llu more\n", (unsigned long long)(report->bad - report->listed));
}

static json_t *lengths_json(const lengths *list)
{
    json_t *object = pg_cli_json_object();
    if (!list->count)
        return object;
    pg_cli_json_set(object, "min", pg_cli_json_integer((int64_t)list->values[0]));
    pg_cli_json_set(object, "median", pg_cli_json_integer((int64_t)list->values[list->count / 2]));
    pg_cli_json_set(object, "max", pg_cli_json_integer((int64_t)list->values[list->count - 1]));
    return object;
}

static void print_json(const data_check *check, const pg_loader_report *report)
{
    json_t *object = pg_cli_json_object(), *bad = pg_cli_json_array();
    for (size_t i = 0; i < report->listed; i++)
        pg_cli_json_append(bad, pg_cli_json_text(pg_loader_bad(check->loader, i)));
    pg_cli_json_set(object, "file", pg_cli_json_text(pg_dataset_path(check->data.set)));
    pg_cli_json_set(object, "kind", pg_cli_json_text(pg_data_kind_name(pg_dataset_get_kind(check->data.set))));
    pg_cli_json_set(object, "row_kind", pg_cli_json_text(pg_row_kind_name(pg_dataset_row_kind(check->data.set))));
    pg_cli_json_set(object, "rows", pg_cli_json_integer((int64_t)pg_dataset_count(check->data.set)));
    pg_cli_json_set(object, "checked", pg_cli_json_integer((int64_t)report->rows));
    pg_cli_json_set(object, "images", pg_cli_json_integer((int64_t)check->pictures));
    pg_cli_json_set(object, "rows_without_images", pg_cli_json_integer((int64_t)check->without_pictures));
    pg_cli_json_set(object, "ids", lengths_json(&check->all));
    pg_cli_json_set(object, "loss_ids", lengths_json(&check->answers));
    pg_cli_json_set(object, "truncated", pg_cli_json_integer((int64_t)report->truncated));
    pg_cli_json_set(object, "too_long", pg_cli_json_integer((int64_t)report->too_long));
    pg_cli_json_set(object, "bad", pg_cli_json_integer((int64_t)report->bad));
    pg_cli_json_set(object, "bad_share", pg_cli_json_real(share_of(report)));
    pg_cli_json_set(object, "bad_rows", bad);
    pg_cli_json_set(object, "shown", json_incref(check->rows));
    pg_cli_json_print(object);
}

static int check_data(const pg_cli_command *command, const data_settings *settings, const char *path)
{
    data_check check = {.settings = settings, .rows = pg_cli_json_array()};
    int code;
    PG_CLI_TRY(open_model(&check, command));
    PG_CLI_TRY(open_data(&check.data, command, settings, path));
    PG_CLI_TRY(open_loader(&check));
    PG_CLI_TRY(check_rows(&check));
    pg_loader_report report = pg_loader_get_report(check.loader);
    (settings->json ? print_json : print_report)(&check, &report);
    if (share_of(&report) > settings->max_bad || !check.all.count)
        code = PG_CLI_FAILURE;
done:
    close_all(&check);
    return code;
}

/* ---------------------------------------------------------------- converting */

static bool show_conversion(void *user, size_t done, size_t total)
{
    pg_cli_progress *progress = user;
    (void)total;
    pg_cli_progress_show(progress, done);
    return true;
}

static void show_bad(void *user, const char *text)
{
    pg_cli_progress_clear(user);
    pg_cli_fail("%s", text);
}

static int convert_data(const pg_cli_command *command, const data_settings *settings, const char *path)
{
    opened_data data = {0};
    pg_cli_progress progress = {0};
    pg_convert_options options;
    size_t written;
    int code;
    if (!settings->out)
        return pg_cli_usage(command, "no result: name its file with --out FILE.jsonl");
    PG_CLI_TRY(open_data(&data, command, settings, path));
    pg_convert_options_init(&options);
    options.threads = (int)settings->threads;
    options.bad_share = settings->max_bad;
    options.on_progress = show_conversion;
    options.on_bad = show_bad;
    options.user = &progress;
    pg_cli_progress_start(&progress, 0, pg_dataset_count(data.set));
    pg_status status = pg_dataset_convert(&written, settings->out, data.set, &options);
    pg_cli_progress_clear(&progress);
    PG_CLI_TRY(pg_cli_check(status));
    pg_cli_print("%zu rows of %zu\n", written, pg_dataset_count(data.set));
done:
    close_data(&data);
    return code;
}

/* ---------------------------------------------------------------- either */

static int run(const pg_cli_command *command, void *settings, const pg_cli_list *operands)
{
    pg_cli_guess guess = {0};
    if (!strcmp(operands->items[0], "check"))
        return check_data(command, settings, operands->items[1]);
    if (!strcmp(operands->items[0], "convert"))
        return convert_data(command, settings, operands->items[1]);
    pg_cli_guess_offer(&guess, operands->items[0], "check");
    pg_cli_guess_offer(&guess, operands->items[0], "convert");
    if (guess.nearest)
        return pg_cli_usage(command, "there is no 'data %s' (the nearest is 'data %s')", operands->items[0],
                            guess.nearest);
    return pg_cli_usage(command, "there is no 'data %s', expected 'data check' or 'data convert'", operands->items[0]);
}

const pg_cli_command pg_cli_data = {
    .name = "data",
    .usage = "check|convert [-m MODEL] [--out FILE.jsonl] FILE",
    .summary = "show rows to train on as the model will see them, or write them as JSON lines",
    .details =
        "FILE is JSONL with the keys image, prefix, suffix (or chosen and rejected; text and label, or a list of "
        "labels, "
        "one for each patch of the picture; text), COCO "
        "captions or instances, VQA v2 questions, plain text with blank lines between documents, a tar shard in "
        "webdataset's layout or several (\"set-{000..127}.tar\"), or a folder of one of these. "
        "Masks are read from COCO instances (--kind coco-segment), or from PNG files, white on black, in a folder for "
        "each name (--kind mask-folders): MASKS/dog/PICTURE.png, and PICTURE_1.png, PICTURE_2.png, ... for several "
        "dogs in one picture.\n\n"
        "data check: every row is read, its pictures are decoded and its texts tokenized. The first ones are shown: "
        "the prompt, and the span that carries loss. Then come counts, lengths in ids, and the bad rows with file, "
        "line and reason. The exit code is 1 if too many are bad.\n\n"
        "data convert: writes the rows as JSON lines with the keys image, prefix, suffix, ...: masks have become "
        "<seg> tokens, pictures are named relative to the new file. No model is needed. Bad rows are reported and left "
        "out.",
    .groups = groups,
    .operands_min = 2,
    .operands_max = 2,
    .settings_size = sizeof(data_settings),
    .init = init,
    .run = run,
};
