/* paligemma detect, segment: objects in pictures, as tables, JSON, overlays and masks. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "answer.h"
#include "commands.h"
#include "finding.h"
#include "terminal.h"

typedef struct detect_settings {
    pg_cli_source source;
    pg_cli_arithmetic arithmetic;
    pg_cli_looking looking;
    int64_t max_objects;
    double threshold;
    bool free, json, no_pictures;
    const char *codec, *out, *masks;
} detect_settings;

static const pg_cli_option object_options[] = {
    {"max-objects", 0, "N", PG_CLI_INTEGER, offsetof(detect_settings, max_objects),
     "at most N objects a picture (default: 100)", 1, 100000},
    {"threshold", 0, "P", PG_CLI_NUMBER, offsetof(detect_settings, threshold),
     "leave out objects with a score below P (default: 0)", 0, 1},
    {"free", 0, NULL, PG_CLI_FLAG, offsetof(detect_settings, free),
     "let the model answer anything, not only boxes of the labels, and read what can be read", 0, 0},
    {0},
};

static const pg_cli_option mask_options[] = {
    {"codec", 0, "FILE.npz", PG_CLI_TEXT, offsetof(detect_settings, codec),
     "the mask codec's weights (default: mask_codec.npz or vae-oid.npz in the model's folder)", 0, 0},
    {"masks", 0, "FOLDER", PG_CLI_TEXT, offsetof(detect_settings, masks),
     "write each mask as a PNG file of the picture's size, white on black", 0, 0},
    {0},
};

static const pg_cli_option output_options[] = {
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(detect_settings, out),
     "write the picture with what was found drawn on it; of several pictures, a folder of such files", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(detect_settings, json), "print one JSON object a picture", 0, 0},
    PG_CLI_NO_PICTURES(detect_settings, no_pictures),
    {0},
};

#define COMMON_GROUPS                                                             \
    {"Objects", object_options, 0}, {"Output", output_options, 0},                \
        {"Model", pg_cli_source_options, offsetof(detect_settings, source)},      \
        {"Pictures", pg_cli_looking_options, offsetof(detect_settings, looking)}, \
        {"Speed", pg_cli_arithmetic_options, offsetof(detect_settings, arithmetic)}, {0},

static const pg_cli_group detect_groups[] = {COMMON_GROUPS};
static const pg_cli_group segment_groups[] = {{"Masks", mask_options, 0}, COMMON_GROUPS};

/* A run over pictures. */
typedef struct finder {
    const detect_settings *settings;
    pg_cli_engine engine;
    pg_mask_codec *codec;
    pg_detect_options options;
    char *label_text; /* the labels are parts of it */
    pg_cli_list labels;
    bool many; /* pictures */
} finder;

/* What was found in one of them. */
typedef struct finding {
    const char *path;
    char *name; /* of the files that are written about it, without ending */
    const pg_image *image;
    pg_objects *objects;
    uint8_t **masks; /* [objects->count], of the whole picture; NULL: the object has none */
} finding;

/* ---------------------------------------------------------------- before */

/* "cat ; dog" as a list, without blanks around its parts. */
static void split_labels(finder *run, const char *operand)
{
    run->label_text = pg_cli_text("%s", operand);
    bool empty = !operand[strspn(operand, " \t")];
    for (char *part = run->label_text, *end; part && !empty; part = end) {
        end = strchr(part, ';');
        if (end)
            *end++ = 0;
        while (isspace((unsigned char)*part))
            part++;
        for (size_t size = strlen(part); size && isspace((unsigned char)part[size - 1]);)
            part[--size] = 0;
        pg_cli_list_add(&run->labels, part);
    }
    run->options.labels = run->labels.items;
    run->options.label_count = run->labels.count;
}

/* "folder/photo.jpg" is "photo"; standard input is "picture". */
static char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
    if (strcmp(path, "-") == 0)
        return pg_cli_text("picture");
    return pg_cli_text("%.*s", (int)(dot && dot > base ? (size_t)(dot - base) : strlen(base)), base);
}

/* Files are named after pictures: two of the same name would overwrite each other's. */
static int check_names(const char *const *paths, size_t count)
{
    int code = PG_CLI_DONE;
    char **names = pg_cli_alloc(count, sizeof *names);
    for (size_t i = 0; i < count; i++)
        names[i] = name_of(paths[i]);
    for (size_t i = 1; i < count && code == PG_CLI_DONE; i++)
        for (size_t j = 0; j < i && code == PG_CLI_DONE; j++)
            if (strcmp(names[i], names[j]) == 0)
                code = pg_cli_fail("%s and %s would write the same files: give pictures of different names", paths[j],
                                   paths[i]);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    return code;
}

static int make_folder(const char *path)
{
    if (mkdir(path, 0777) == 0 || errno == EEXIST)
        return PG_CLI_DONE;
    return pg_cli_fail("%s: %s", path, strerror(errno));
}

static int prepare_output(const finder *run, const char *const *paths, size_t count)
{
    const detect_settings *settings = run->settings;
    int code = PG_CLI_DONE;
    if (settings->masks || (settings->out && run->many))
        PG_CLI_TRY(check_names(paths, count));
    if (settings->masks)
        PG_CLI_TRY(make_folder(settings->masks));
    if (settings->out && run->many)
        PG_CLI_TRY(make_folder(settings->out));
    else if (settings->out && !pg_cli_is_picture_name(settings->out))
        code = pg_cli_fail("--out: '%s' ends in none of .png, .jpg and .jpeg", settings->out);
done:
    return code;
}

static int open_codec(finder *run)
{
    int code = pg_cli_codec_open(&run->codec, run->settings->codec, run->engine.folder);
    if (code == PG_CLI_DONE && !run->codec && run->settings->masks)
        code = pg_cli_fail("--masks needs a mask codec: name its file with --codec FILE.npz");
    run->options.codec = run->codec;
    return code;
}

static int open_model(finder *run, const pg_cli_command *command)
{
    const detect_settings *settings = run->settings;
    pg_cli_use use = {
        .source = settings->source,
        .kinds = 1u << PG_MODEL_PALIGEMMA,
        .kind_names = "PaliGemma to look at pictures",
        .arithmetic = settings->arithmetic,
        .looking = settings->looking,
        .sequences = 1,
    };
    pg_cli_catch_interrupts(false);
    return pg_cli_engine_open(&run->engine, command, &use);
}

/* ---------------------------------------------------------------- masks and overlays */

static int place_masks(finding *found)
{
    const pg_objects *objects = found->objects;
    int code = PG_CLI_DONE;
    found->masks = pg_cli_alloc(objects->count, sizeof *found->masks);
    for (size_t i = 0; i < objects->count && code == PG_CLI_DONE; i++) {
        const pg_object *object = &objects->items[i];
        if (!object->mask)
            continue;
        found->masks[i] = pg_cli_alloc(objects->width, objects->height);
        code =
            pg_cli_check(pg_mask_place(found->masks[i], objects->width, objects->height, object->mask, object->places));
    }
    return code;
}

static char *mask_path(const finder *run, const finding *found, size_t i)
{
    return pg_cli_text("%s/%s_%03zu.png", run->settings->masks, found->name, i);
}

static int save_mask(const char *path, const uint8_t *mask, size_t width, size_t height)
{
    uint8_t *pixels = pg_cli_alloc(width * height, 3);
    pg_image *image = NULL;
    int code;
    for (size_t i = 0; i < width * height; i++)
        memset(pixels + 3 * i, mask[i] ? 255 : 0, 3);
    PG_CLI_TRY(pg_cli_check(pg_image_new(&image, pixels, width, height, 0)));
    code = pg_cli_check(pg_image_save_png(image, path));
done:
    pg_image_free(image);
    free(pixels);
    return code;
}

static int save_masks(const finder *run, const finding *found)
{
    int code = PG_CLI_DONE;
    for (size_t i = 0; run->settings->masks && i < found->objects->count && code == PG_CLI_DONE; i++) {
        if (!found->masks[i])
            continue;
        char *path = mask_path(run, found, i);
        code = save_mask(path, found->masks[i], found->objects->width, found->objects->height);
        free(path);
    }
    return code;
}

static int draw(pg_image **out, const finding *found)
{
    const pg_objects *objects = found->objects;
    pg_mark *marks = pg_cli_alloc(objects->count, sizeof *marks);
    for (size_t i = 0; i < objects->count; i++) {
        const pg_object *object = &objects->items[i];
        marks[i] = (pg_mark){object->label, object->score, object->box, found->masks[i]};
    }
    int code = pg_cli_check(pg_image_draw_marks(out, found->image, marks, objects->count, NULL));
    free(marks);
    return code;
}

/* Into a file where one is wanted, and onto the terminal. */
static int show_overlay(const finder *run, const finding *found)
{
    const detect_settings *settings = run->settings;
    bool terminal = !settings->json && !settings->no_pictures && isatty(STDOUT_FILENO);
    char *path = NULL;
    pg_image *overlay = NULL;
    int code = PG_CLI_DONE;
    if (settings->out)
        path = run->many ? pg_cli_text("%s/%s.png", settings->out, found->name) : pg_cli_text("%s", settings->out);
    if (path || terminal)
        PG_CLI_TRY(draw(&overlay, found));
    if (path)
        PG_CLI_TRY(pg_cli_check(pg_image_save(overlay, path)));
    if (terminal)
        pg_cli_show_picture(overlay);
done:
    pg_image_free(overlay);
    free(path);
    return code;
}

/* ---------------------------------------------------------------- text and JSON */

static void print_table(const finder *run, const finding *found)
{
    const pg_objects *objects = found->objects;
    if (run->many)
        pg_cli_print("%s:\n", found->path);
    if (!objects->count) {
        pg_cli_print("no objects\n");
        return;
    }
    pg_cli_print("score       x1       y1       x2       y2  label\n");
    for (size_t i = 0; i < objects->count; i++) {
        const pg_object *object = &objects->items[i];
        const double *box = object->box;
        pg_cli_print("%5.3f %8.1f %8.1f %8.1f %8.1f  %s\n", object->score, box[0], box[1], box[2], box[3],
                     object->label);
    }
}

static int describe_mask(json_t *entry, const finder *run, const finding *found, size_t i)
{
    const pg_objects *objects = found->objects;
    json_t *runs = NULL, *polygons = NULL;
    int code = PG_CLI_DONE;
    pg_cli_json_set(entry, "codes", pg_cli_json_codes(&objects->items[i]));
    if (!found->masks[i])
        return code;
    PG_CLI_TRY(pg_cli_json_runs(&runs, found->masks[i], objects->width, objects->height));
    pg_cli_json_set(entry, "mask", runs);
    PG_CLI_TRY(pg_cli_json_polygons(&polygons, found->masks[i], objects->width, objects->height));
    pg_cli_json_set(entry, "polygons", polygons);
    if (run->settings->masks) {
        char *path = mask_path(run, found, i);
        pg_cli_json_set(entry, "mask_file", pg_cli_json_text(path));
        free(path);
    }
done:
    return code;
}

static int print_json(const finder *run, const finding *found)
{
    const pg_objects *objects = found->objects;
    json_t *line = pg_cli_json_object(), *list = pg_cli_json_array();
    int code = PG_CLI_DONE;
    pg_cli_json_set(line, "image", pg_cli_json_text(found->path));
    pg_cli_json_set(line, "width", pg_cli_json_integer((int64_t)objects->width));
    pg_cli_json_set(line, "height", pg_cli_json_integer((int64_t)objects->height));
    pg_cli_json_set(line, "objects", list);
    for (size_t i = 0; i < objects->count && code == PG_CLI_DONE; i++) {
        json_t *entry = pg_cli_json_object();
        pg_cli_json_append(list, entry);
        pg_cli_json_set(entry, "label", pg_cli_json_text(objects->items[i].label));
        pg_cli_json_set(entry, "score", pg_cli_json_real(objects->items[i].score));
        pg_cli_json_set(entry, "box", pg_cli_json_box(objects->items[i].box));
        if (run->options.masks != PG_MASKS_NONE || objects->items[i].has_codes)
            code = describe_mask(entry, run, found, i);
    }
    pg_cli_json_set(line, "problems", pg_cli_json_problems(objects));
    pg_cli_json_set(line, "text", json_stringn(objects->text, objects->text_size));
    pg_cli_json_set(line, "finish_reason", pg_cli_json_text(pg_finish_name(objects->finish)));
    if (code == PG_CLI_DONE)
        pg_cli_json_print(line);
    else
        json_decref(line);
    return code;
}

/* ---------------------------------------------------------------- pictures */

static void free_finding(finding *found)
{
    for (size_t i = 0; found->masks && i < found->objects->count; i++)
        free(found->masks[i]);
    free(found->masks);
    free(found->name);
    pg_objects_free(found->objects);
}

static int find_in(const finder *run, const char *path)
{
    pg_cli_pictures pictures = {0};
    finding found = {.path = path, .name = name_of(path)};
    int code;
    PG_CLI_TRY(pg_cli_check(pg_cli_pictures_load(&pictures, &path, 1, &run->settings->looking)));
    found.image = pictures.items[0];
    PG_CLI_TRY(pg_cli_check(pg_detect(&found.objects, run->engine.session, &found.image, 1, &run->options)));
    PG_CLI_TRY(place_masks(&found));
    PG_CLI_TRY(save_masks(run, &found));
    PG_CLI_TRY(show_overlay(run, &found));
    if (run->settings->json)
        code = print_json(run, &found);
    else
        print_table(run, &found);
    if (pg_cli_interrupted())
        code = PG_CLI_INTERRUPTED;
done:
    free_finding(&found);
    pg_cli_pictures_free(&pictures);
    return code;
}

/* A picture that fails does not keep the others from being looked at. */
static int find_in_all(const finder *run, const char *const *paths, size_t count)
{
    int worst = PG_CLI_DONE;
    for (size_t i = 0; i < count && worst != PG_CLI_INTERRUPTED && pg_cli_flush(); i++) {
        int code = find_in(run, paths[i]);
        worst = code > worst ? code : worst;
    }
    return worst;
}

static int find(const pg_cli_command *command, const detect_settings *settings, const pg_cli_list *operands,
                pg_masks masks)
{
    const char *const *paths = operands->items;
    size_t count = operands->count - 1;
    finder run = {.settings = settings, .many = count > 1};
    int code;
    pg_detect_options_init(&run.options);
    run.options.masks = masks;
    run.options.free = settings->free;
    run.options.max_objects = (size_t)settings->max_objects;
    run.options.threshold = settings->threshold;
    run.options.on_text = pg_cli_on_text;
    split_labels(&run, operands->items[count]);
    PG_CLI_TRY(open_model(&run, command));
    if (masks != PG_MASKS_NONE)
        PG_CLI_TRY(open_codec(&run));
    PG_CLI_TRY(prepare_output(&run, paths, count));
    code = find_in_all(&run, paths, count);
done:
    pg_mask_codec_close(run.codec);
    pg_cli_engine_close(&run.engine);
    free(run.labels.items);
    free(run.label_text);
    return code;
}

static int run_detect(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    return find(command, memory, operands, PG_MASKS_NONE);
}

static int run_segment(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    return find(command, memory, operands, PG_MASKS_ALWAYS);
}

#define SCORES                                                                                                       \
    "A score is the probability, as the model has it, that there is such an object with nearly this box; boxes are " \
    "in "                                                                                                            \
    "pixels of the upright picture. Answers are made of boxes and the given labels only, without repeats, unless "   \
    "--free is given. - is standard input."

const pg_cli_command pg_cli_detect = {
    .name = "detect",
    .usage = "[-m MODEL] IMAGE... \"LABEL ; LABEL\"",
    .summary = "find objects in pictures",
    .details = "Looks for objects of the labels in each picture, with PaliGemma's prompt \"detect LABEL ; LABEL\", and "
               "prints a table of them.\n\n" SCORES,
    .groups = detect_groups,
    .operands_min = 2,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(detect_settings),
    .run = run_detect,
};

const pg_cli_command pg_cli_segment = {
    .name = "segment",
    .usage = "[-m MODEL] [--codec FILE.npz] IMAGE... \"LABEL ; LABEL\"",
    .summary = "find objects in pictures, and their masks",
    .details =
        "Looks for objects of the labels in each picture, with PaliGemma's prompt \"segment LABEL ; LABEL\", and "
        "prints a table of them. With --json, each has the codes of its mask and, where there is a codec, the "
        "mask in COCO's run lengths (\"mask\") and as polygons.\n\n" SCORES,
    .groups = segment_groups,
    .operands_min = 2,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(detect_settings),
    .run = run_segment,
};
