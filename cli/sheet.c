/* paligemma sheet: many pictures in one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "input.h"
#include "terminal.h"

typedef struct sheet_settings {
    const char *out, *captions;
    int64_t columns, cell;
    bool no_captions, no_pictures;
} sheet_settings;

static const pg_cli_option sheet_options[] = {
    {"columns", 0, "N", PG_CLI_INTEGER, offsetof(sheet_settings, columns), "pictures in a row (default: nearly square)",
     1, 1000},
    {"cell", 0, "N", PG_CLI_INTEGER, offsetof(sheet_settings, cell),
     "largest side of a picture in pixels (default: 256)", 32, 4096},
    {"captions", 0, "FILE", PG_CLI_TEXT, offsetof(sheet_settings, captions),
     "a line of text for each picture (default: the files' names)", 0, 0},
    {"no-captions", 0, NULL, PG_CLI_FLAG, offsetof(sheet_settings, no_captions), "pictures only", 0, 0},
    {0},
};

static const pg_cli_option output_options[] = {
    {"out", 'o', "FILE", PG_CLI_TEXT, offsetof(sheet_settings, out),
     "a .png or .jpg file (default: show the sheet in the terminal)", 0, 0},
    PG_CLI_NO_PICTURES(sheet_settings, no_pictures),
    {0},
};

static const pg_cli_group groups[] = {
    {"Sheet", sheet_options, 0},
    {"Output", output_options, 0},
    {0},
};

/* Cuts the file's text into lines; returns how many there are, of which the first `room` are kept. */
static size_t cut_lines(const char **lines, size_t room, char *text)
{
    size_t count = 0;
    while (*text) {
        char *end = text + strcspn(text, "\n");
        bool last = !*end;
        *end = 0;
        if (count < room)
            lines[count] = text;
        count++;
        text = last ? end : end + 1;
    }
    return count;
}

static int read_captions(const char **captions, char **text, const sheet_settings *settings, const pg_cli_list *files)
{
    size_t size;
    for (size_t i = 0; !settings->no_captions && i < files->count; i++) {
        const char *slash = strrchr(files->items[i], '/');
        captions[i] = slash ? slash + 1 : files->items[i];
    }
    if (!settings->captions)
        return PG_CLI_DONE;
    int code = pg_cli_file_load(text, &size, settings->captions);
    if (code != PG_CLI_DONE)
        return code;
    size_t lines = cut_lines(captions, files->count, *text);
    return lines == files->count ? PG_CLI_DONE
                                 : pg_cli_fail("%s: found %zu lines, expected one for each of %zu pictures",
                                               settings->captions, lines, files->count);
}

/* A picture no larger than its cell, so that thousands of photographs need little memory. */
static pg_status load_small(pg_image **out, const char *file, size_t cell)
{
    pg_image *image;
    pg_status status = pg_image_load(&image, file, NULL);
    if (status != PG_OK)
        return status;
    size_t width = pg_image_width(image), height = pg_image_height(image), side = width > height ? width : height;
    *out = image;
    if (side <= cell)
        return PG_OK;
    double scale = (double)cell / (double)side;
    width = (size_t)fmax(1, round((double)width * scale));
    height = (size_t)fmax(1, round((double)height * scale));
    status = pg_image_resize(out, image, width, height, PG_RESIZE_PILLOW13);
    pg_image_free(image);
    return status;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *files)
{
    const sheet_settings *settings = memory;
    pg_image **images = pg_cli_alloc(files->count, sizeof *images), *sheet = NULL;
    const char **captions = pg_cli_alloc(files->count, sizeof *captions);
    char *text = NULL;
    int code;
    (void)command;
    PG_CLI_TRY(read_captions(captions, &text, settings, files));
    for (size_t i = 0; i < files->count; i++)
        PG_CLI_TRY(pg_cli_check(load_small(&images[i], files->items[i], (size_t)settings->cell)));
    PG_CLI_TRY(pg_cli_check(pg_image_sheet(&sheet, (const pg_image *const *)images, captions, files->count,
                                           (size_t)settings->columns, (size_t)settings->cell)));
    code = pg_cli_picture_deliver(sheet, settings->out, settings->no_pictures);
done:
    for (size_t i = 0; i < files->count; i++)
        pg_image_free(images[i]);
    pg_image_free(sheet);
    free(images);
    free(captions);
    free(text);
    return code;
}

static void init(void *memory)
{
    *(sheet_settings *)memory = (sheet_settings){.cell = 256};
}

const pg_cli_command pg_cli_sheet = {
    .name = "sheet",
    .usage = "FILE... [--out FILE.png|.jpg]",
    .summary = "put pictures on a contact sheet",
    .details =
        "Pictures keep their aspect ratio; captions are wrapped below them. Without --out the sheet is shown in the "
        "terminal, as `paligemma draw` does it.",
    .groups = groups,
    .operands_min = 1,
    .operands_max = 10000,
    .settings_size = sizeof(sheet_settings),
    .init = init,
    .run = run,
};
