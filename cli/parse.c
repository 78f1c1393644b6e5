/* paligemma parse: objects out of answers that somebody has, without a model. */
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "finding.h"
#include "input.h"

typedef struct parse_settings {
    const char *size, *text, *batch;
} parse_settings;

static const pg_cli_option parse_options[] = {
    {"size", 0, "WxH", PG_CLI_TEXT, offsetof(parse_settings, size), "the picture's width and height in pixels", 0, 0},
    {"text", 0, "TEXT", PG_CLI_TEXT, offsetof(parse_settings, text), "the answer", 0, 0},
    {"batch", 0, "FILE", PG_CLI_TEXT, offsetof(parse_settings, batch),
     "read answers from a JSONL file of {\"text\", \"width\", \"height\"}, sizes where they differ from --size; - is "
     "standard input",
     0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Answers", parse_options, 0},
    {0},
};

typedef struct picture_size {
    size_t width, height;
} picture_size;

/* "640x480" */
static bool read_size(picture_size *out, const char *text)
{
    unsigned width, height;
    int used = 0;
    if (strspn(text, "0123456789xX") != strlen(text) || sscanf(text, "%9u%*1[xX]%9u%n", &width, &height, &used) != 2 ||
        !used || text[used] || !width || !height)
        return false;
    *out = (picture_size){width, height};
    return true;
}

static json_t *pixel_box(const double box[4])
{
    json_t *list = pg_cli_json_array();
    for (size_t i = 0; i < 4; i++)
        pg_cli_json_append(list, pg_cli_json_integer((int64_t)box[i]));
    return list;
}

static json_t *describe_object(const pg_object *object, picture_size size)
{
    static const size_t upright[] = {1, 0, 3, 2};
    double demo[4];
    int32_t places[4];
    for (size_t i = 0; i < 4; i++) {
        places[i] = object->places[i];
        demo[i] = object->places[upright[i]] / 1024.0 * (double)(i % 2 ? size.height : size.width);
    }
    json_t *entry = pg_cli_json_object();
    pg_cli_json_set(entry, "label", pg_cli_json_text(object->label));
    pg_cli_json_set(entry, "locs", pg_cli_json_ids(places, 4));
    pg_cli_json_set(entry, "box", pg_cli_json_box(object->box));
    pg_cli_json_set(entry, "box_xyxy", pg_cli_json_box(object->box));
    pg_cli_json_set(entry, "box_int_xyxy", pixel_box(object->box));
    pg_cli_json_set(entry, "box_1024_xyxy", pg_cli_json_box(demo));
    pg_cli_json_set(entry, "codes", pg_cli_json_codes(object));
    return entry;
}

static int parse(const char *text, size_t length, picture_size size)
{
    pg_objects *objects;
    int code = pg_cli_check(pg_objects_parse(&objects, text, length, size.width, size.height));
    if (code != PG_CLI_DONE)
        return code;
    json_t *line = pg_cli_json_object(), *list = pg_cli_json_array();
    for (size_t i = 0; i < objects->count; i++)
        pg_cli_json_append(list, describe_object(&objects->items[i], size));
    pg_cli_json_set(line, "objects", list);
    pg_cli_json_set(line, "problems", pg_cli_json_problems(objects));
    pg_cli_json_print_exact(line);
    pg_objects_free(objects);
    return code;
}

/* ---------------------------------------------------------------- many */

static int read_side(size_t *out, const pg_cli_jsonl *lines, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (value && (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 999999999))
        return pg_cli_fail("%s: line %zu: \"%s\": expected a number of pixels", lines->path, lines->line, key);
    if (value)
        *out = (size_t)json_integer_value(value);
    if (!*out)
        return pg_cli_fail("%s: line %zu: \"%s\" is missing, and there is no --size", lines->path, lines->line, key);
    return PG_CLI_DONE;
}

static int parse_line(const pg_cli_jsonl *lines, const json_t *object, picture_size size)
{
    const json_t *text = json_object_get(object, "text");
    int code;
    if (!json_is_string(text))
        return pg_cli_fail("%s: line %zu: \"text\": expected a text", lines->path, lines->line);
    PG_CLI_TRY(read_side(&size.width, lines, object, "width"));
    PG_CLI_TRY(read_side(&size.height, lines, object, "height"));
    code = parse(json_string_value(text), json_string_length(text), size);
done:
    return code;
}

static int parse_batch(const char *path, picture_size size)
{
    pg_cli_jsonl lines = {0};
    json_t *object = NULL;
    int code;
    PG_CLI_TRY(pg_cli_jsonl_open(&lines, path));
    while ((code = pg_cli_jsonl_next(&object, &lines)) == PG_CLI_DONE && object) {
        code = parse_line(&lines, object, size);
        json_decref(object);
        if (code != PG_CLI_DONE)
            break;
    }
done:
    pg_cli_jsonl_close(&lines);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const parse_settings *settings = memory;
    picture_size size = {0};
    (void)operands;
    if (!settings->text == !settings->batch)
        return pg_cli_usage(command, "give an answer with --text TEXT, or many with --batch FILE");
    if (settings->size && !read_size(&size, settings->size))
        return pg_cli_usage(command, "--size: '%s' is no size in pixels, expected one like 640x480", settings->size);
    if (settings->text && !settings->size)
        return pg_cli_usage(command, "say how large the picture is, with --size WxH");
    return settings->batch ? parse_batch(settings->batch, size) : parse(settings->text, strlen(settings->text), size);
}

const pg_cli_command pg_cli_parse = {
    .name = "parse",
    .usage = "--size WxH --text TEXT",
    .summary = "read boxes, masks and labels out of an answer",
    .details =
        "Prints one JSON object an answer. \"objects\": each with \"label\"; \"locs\", the numbers of its <loc> tokens "
        "(y1, x1, y2, x2); \"box\" (and \"box_xyxy\"), x1, y1, x2, y2 in pixels, number / 1023 * size, as the "
        "reference's evaluation has it; \"box_int_xyxy\", the same truncated; \"box_1024_xyxy\", number / 1024 * size, "
        "as public demos have it; \"codes\", the numbers of its 16 <seg> tokens, or null.\n\n"
        "\"problems\": what is no object: loc_count_N (N <loc> tokens in a row, not 4), empty_box, seg_count_N (N "
        "<seg> "
        "tokens behind a box, neither 0 nor 16), stray_seg (<seg> tokens without a box).",
    .groups = groups,
    .operands_min = 0,
    .operands_max = 0,
    .settings_size = sizeof(parse_settings),
    .run = run,
};
