/* paligemma preprocess: the picture as a model will see it, before normalisation. */
#include "commands.h"
#include "engine.h"

typedef struct preprocess_settings {
    int64_t size;
    const char *out;
    pg_cli_looking looking;
} preprocess_settings;

static const pg_cli_option preprocess_options[] = {
    {"size", 's', "N", PG_CLI_INTEGER, offsetof(preprocess_settings, size), "side of the square in pixels", 1, 16384},
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(preprocess_settings, out),
     "the .npy ([N, N, 3], u8) or .png file to write", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Result", preprocess_options, 0},
    {"Pictures", pg_cli_looking_options, offsetof(preprocess_settings, looking)},
    {0},
};

static int check(const pg_cli_command *command, const preprocess_settings *settings)
{
    if (!settings->size)
        return pg_cli_usage(command, "name the side of the result in pixels with --size N");
    if (!settings->out)
        return pg_cli_usage(command, "name the file to write with --out FILE.npy or --out FILE.png");
    if (!pg_cli_has_suffix(settings->out, ".npy") && !pg_cli_has_suffix(settings->out, ".png"))
        return pg_cli_usage(command, "--out: '%s' ends neither in .npy nor in .png", settings->out);
    return PG_CLI_DONE;
}

static pg_status save(const pg_image *image, const char *path)
{
    int64_t shape[] = {(int64_t)pg_image_height(image), (int64_t)pg_image_width(image), 3};
    if (pg_cli_has_suffix(path, ".png"))
        return pg_image_save_png(image, path);
    return pg_save_npy(path, "U8", shape, 3, pg_image_pixels(image));
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    preprocess_settings *settings = memory;
    size_t size = (size_t)settings->size;
    pg_cli_pictures pictures = {0};
    pg_image *resized = NULL;
    int code;
    PG_CLI_TRY(check(command, settings));
    PG_CLI_TRY(pg_cli_check(pg_cli_pictures_load(&pictures, operands->items, 1, &settings->looking)));
    PG_CLI_TRY(pg_cli_check(
        pg_image_resize(&resized, pictures.items[0], size, size, (pg_resize_order)settings->looking.order)));
    code = pg_cli_check(save(resized, settings->out));
done:
    pg_image_free(resized);
    pg_cli_pictures_free(&pictures);
    return code;
}

const pg_cli_command pg_cli_preprocess = {
    .name = "preprocess",
    .usage = "IMAGE --size N --out FILE",
    .summary = "resize a picture as the models do",
    .details = "Decodes a picture (- is standard input), turns it upright, and resizes it to N x N RGB bytes with "
               "Pillow's bicubic filter, bit for bit.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 1,
    .settings_size = sizeof(preprocess_settings),
    .run = run,
};
