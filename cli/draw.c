/* paligemma draw: objects, as other commands write them or as a model answers them, on a picture. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "input.h"
#include "terminal.h"

typedef struct draw_settings {
    const char *objects, *text, *codec, *out;
    double opacity, line, letters;
    bool no_pictures;
} draw_settings;

static const pg_cli_option object_options[] = {
    {"objects", 0, "FILE", PG_CLI_TEXT, offsetof(draw_settings, objects),
     "JSON with a list \"objects\" of {\"label\", \"score\", \"box\", \"mask\"}; - is standard input", 0, 0},
    {"text", 0, "TEXT", PG_CLI_TEXT, offsetof(draw_settings, text), "a model's answer, \"<loc...> LABEL ; ...\"", 0, 0},
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, offsetof(draw_settings, codec),
     "the mask codec's weights, for answers with <seg> tokens", 0, 0},
    {0},
};

static const pg_cli_option output_options[] = {
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(draw_settings, out),
     "a .png or .jpg file (default: show the picture in the terminal)", 0, 0},
    {"opacity", 0, "X", PG_CLI_NUMBER, offsetof(draw_settings, opacity), "of masks (default: 0.45)", 0, 1},
    {"line", 0, "N", PG_CLI_NUMBER, offsetof(draw_settings, line),
     "width of lines in pixels (default: by the picture's size)", 0.5, 1000},
    {"letters", 0, "N", PG_CLI_NUMBER, offsetof(draw_settings, letters),
     "size of letters in pixels (default: by the picture's size)", 4, 2000},
    PG_CLI_NO_PICTURES(draw_settings, no_pictures),
    {0},
};

static const pg_cli_group groups[] = {
    {"Objects", object_options, 0},
    {"Picture", output_options, 0},
    {0},
};

/* Marks, and what they borrow. */
typedef struct mark_list {
    size_t width, height; /* of the picture */
    pg_mark *marks;
    double (*boxes)[4];
    uint8_t **masks; /* NULL: none */
    size_t count;
    json_t *document;
    pg_objects *objects;
} mark_list;

static void make_room(mark_list *list, size_t count)
{
    list->count = count;
    list->marks = pg_cli_alloc(count, sizeof *list->marks);
    list->boxes = pg_cli_alloc(count, sizeof *list->boxes);
    list->masks = pg_cli_alloc(count, sizeof *list->masks);
}

static void free_list(mark_list *list)
{
    for (size_t i = 0; list->masks && i < list->count; i++)
        free(list->masks[i]);
    free(list->marks);
    free(list->boxes);
    free(list->masks);
    json_decref(list->document);
    pg_objects_free(list->objects);
}

static uint8_t *add_mask(mark_list *list, size_t i)
{
    list->masks[i] = pg_cli_alloc(list->width, list->height);
    list->marks[i].mask = list->masks[i];
    return list->masks[i];
}

/* ---------------------------------------------------------------- from JSON */

/* A field of object i that is neither absent nor null. */
static const json_t *field(const mark_list *list, size_t i, const char *key)
{
    const json_t *objects = json_object_get(list->document, "objects");
    const json_t *value = json_object_get(json_array_get(objects, i), key);
    return json_is_null(value) ? NULL : value;
}

static int read_box(mark_list *list, size_t i, const char *path)
{
    const json_t *box = field(list, i, "box");
    if (!box)
        return PG_CLI_DONE;
    for (size_t k = 0; k < 4; k++) {
        const json_t *number = json_array_get(box, k);
        if (json_array_size(box) != 4 || !json_is_number(number))
            return pg_cli_fail("%s: object %zu: \"box\": expected four numbers x1, y1, x2, y2", path, i);
        list->boxes[i][k] = json_number_value(number);
    }
    list->marks[i].box = list->boxes[i];
    return PG_CLI_DONE;
}

/* What is not black in a picture file of the same size. */
static int load_mask(mark_list *list, size_t i, const char *file)
{
    pg_image *image;
    int code = pg_cli_check(pg_image_load(&image, file, NULL));
    if (code != PG_CLI_DONE)
        return code;
    const uint8_t *pixel = pg_image_pixels(image);
    uint8_t *mask = add_mask(list, i);
    if (pg_image_width(image) != list->width || pg_image_height(image) != list->height)
        code = pg_cli_fail("%s: a mask of %zu x %zu pixels, the picture has %zu x %zu", file, pg_image_width(image),
                           pg_image_height(image), list->width, list->height);
    else
        for (size_t k = 0; k < list->width * list->height; k++, pixel += 3)
            mask[k] = pixel[0] || pixel[1] || pixel[2];
    pg_image_free(image);
    return code;
}

static int read_mask(mark_list *list, size_t i, const char *path)
{
    const json_t *value = field(list, i, "mask");
    if (!value)
        return PG_CLI_DONE;
    if (json_is_string(value))
        return load_mask(list, i, json_string_value(value));
    if (!json_is_object(value) && !json_is_array(value))
        return pg_cli_fail("%s: object %zu: \"mask\": expected a file's name or COCO's \"size\" and \"counts\"", path,
                           i);
    char *text = pg_cli_json_line(value);
    pg_status status = pg_mask_read(add_mask(list, i), list->width, list->height, text, SIZE_MAX);
    free(text);
    return status == PG_OK ? PG_CLI_DONE : pg_cli_fail("%s: object %zu: %s", path, i, pg_error_last());
}

static int read_object(mark_list *list, size_t i, const char *path)
{
    const json_t *label = field(list, i, "label"), *score = field(list, i, "score");
    int code;
    if (label && !json_is_string(label))
        return pg_cli_fail("%s: object %zu: \"label\": expected a text", path, i);
    if (score && !json_is_number(score))
        return pg_cli_fail("%s: object %zu: \"score\": expected a number", path, i);
    list->marks[i] = (pg_mark){.label = json_string_value(label), .score = score ? json_number_value(score) : NAN};
    PG_CLI_TRY(read_box(list, i, path));
    code = read_mask(list, i, path);
done:
    return code;
}

static int read_objects(mark_list *list, const char *path)
{
    char *text = NULL;
    size_t size;
    json_error_t error;
    int code;
    PG_CLI_TRY(pg_cli_file_load(&text, &size, path));
    path = strcmp(path, "-") ? path : "standard input";
    list->document = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!list->document)
        return pg_cli_fail("%s: line %d, column %d: %s", path, error.line, error.column, error.text);
    const json_t *objects = json_object_get(list->document, "objects");
    if (!json_is_array(objects))
        return pg_cli_fail("%s: expected an object with a list \"objects\"", path);
    make_room(list, json_array_size(objects));
    for (size_t i = 0; i < list->count; i++)
        PG_CLI_TRY(read_object(list, i, path));
done:
    return code;
}

/* ---------------------------------------------------------------- from an answer */

static int decode_mask(mark_list *list, size_t i, const pg_mask_codec *codec)
{
    const pg_object *object = &list->objects->items[i];
    float values[PG_MASK_SIDE * PG_MASK_SIDE];
    int code;
    PG_CLI_TRY(pg_cli_check(pg_mask_codec_decode(values, codec, object->codes, 1, 1)));
    code = pg_cli_check(pg_mask_place(add_mask(list, i), list->width, list->height, values, object->places));
done:
    return code;
}

static int read_text(mark_list *list, const draw_settings *settings)
{
    pg_mask_codec *codec = NULL;
    int code;
    PG_CLI_TRY(pg_cli_check(pg_objects_parse(&list->objects, settings->text, SIZE_MAX, list->width, list->height)));
    if (settings->codec)
        PG_CLI_TRY(pg_cli_check(pg_mask_codec_open(&codec, settings->codec)));
    for (size_t i = 0; i < list->objects->problem_count; i++)
        pg_cli_fail("--text: byte %zu: %s: left out", list->objects->problems[i].at, list->objects->problems[i].name);
    make_room(list, list->objects->count);
    for (size_t i = 0; i < list->count; i++) {
        const pg_object *object = &list->objects->items[i];
        list->marks[i] = (pg_mark){.label = object->label, .score = object->score, .box = object->box};
        if (codec && object->has_codes)
            PG_CLI_TRY(decode_mask(list, i, codec));
    }
done:
    pg_mask_codec_close(codec);
    return code;
}

/* ---------------------------------------------------------------- the command */

static int draw(const mark_list *list, const pg_image *image, const draw_settings *settings)
{
    pg_draw_options options;
    pg_image *drawn = NULL;
    int code;
    pg_draw_options_init(&options);
    options.opacity = settings->opacity;
    options.line = settings->line;
    options.text = settings->letters;
    PG_CLI_TRY(pg_cli_check(pg_image_draw_marks(&drawn, image, list->marks, list->count, &options)));
    code = pg_cli_picture_deliver(drawn, settings->out, settings->no_pictures);
done:
    pg_image_free(drawn);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const draw_settings *settings = memory;
    mark_list list = {0};
    pg_image *image = NULL;
    int code;
    if (!settings->objects == !settings->text)
        return pg_cli_usage(command, "name what is to be drawn, with --objects FILE or with --text TEXT");
    if (settings->objects && !strcmp(settings->objects, "-") && !strcmp(operands->items[0], "-"))
        return pg_cli_usage(command, "picture and objects cannot both be standard input");
    PG_CLI_TRY(pg_cli_check(pg_image_load(&image, operands->items[0], NULL)));
    list.width = pg_image_width(image);
    list.height = pg_image_height(image);
    PG_CLI_TRY(settings->objects ? read_objects(&list, settings->objects) : read_text(&list, settings));
    code = draw(&list, image, settings);
done:
    free_list(&list);
    pg_image_free(image);
    return code;
}

static void init(void *memory)
{
    *(draw_settings *)memory = (draw_settings){.opacity = -1};
}

const pg_cli_command pg_cli_draw = {
    .name = "draw",
    .usage = "IMAGE --objects FILE|--text TEXT [--out FILE.png|.jpg]",
    .summary = "draw boxes, masks and labels on a picture",
    .details =
        "Objects are what `paligemma detect --json` and `paligemma parse` write: boxes are x1, y1, x2, y2 in pixels of "
        "the "
        "upright picture; masks are COCO's (\"size\" and \"counts\", or polygons) or the name of a picture file, white "
        "on black, as large as the picture. A label has the same colour in every picture, from a palette that the "
        "colour-blind tell apart.\n\n"
        "Without --out the picture is shown in the terminal, where that knows kitty's, iTerm2's or sixel pictures; "
        "PALIGEMMA_PICTURES=never|auto|kitty|iterm|sixel overrules what is found out about it.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 1,
    .settings_size = sizeof(draw_settings),
    .init = init,
    .run = run,
};
