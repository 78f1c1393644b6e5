/* paligemma mask: masks to the 16 codes of <seg> tokens, and back. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"

#define PLACES ((size_t)PG_MASK_SIDE * PG_MASK_SIDE)

typedef struct mask_settings {
    const char *codec, *out;
    int64_t threads;
    bool json;
} mask_settings;

static const pg_cli_option output_options[] = {
    {"out", 'o', "FILE.npy", PG_CLI_TEXT, offsetof(mask_settings, out),
     "write masks [n, 64, 64], above 0 inside, or codes [n, 16]", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(mask_settings, json), "print one JSON object a mask", 0, 0},
    {0},
};

static const pg_cli_option speed_options[] = {
    {"threads", 't', "N", PG_CLI_INTEGER, offsetof(mask_settings, threads), "threads (default: one per physical core)",
     1, 1024},
    {0},
};

static const pg_cli_group groups[] = {
    {"Codec", pg_cli_codec_options, offsetof(mask_settings, codec)},
    {"Output", output_options, 0},
    {"Speed", speed_options, 0},
    {0},
};

/* Masks and their codes, as they are read or made. */
typedef struct mask_list {
    int32_t *codes; /* [count][16] */
    float *values;  /* [count][64][64] */
    char **places;  /* [count]; NULL: none */
    size_t count, capacity;
} mask_list;

static void free_list(mask_list *list)
{
    for (size_t i = 0; list->places && i < list->count; i++)
        free(list->places[i]);
    free(list->codes);
    free(list->values);
    free(list->places);
}

static json_t *codes_json(const mask_list *list, size_t i)
{
    return pg_cli_json_ids(list->codes + i * PG_MASK_CODES, PG_MASK_CODES);
}

/* ---------------------------------------------------------------- decode */

/* The numbers in "1,2,3" or "<seg001><seg002>"; every other character must be one of those. */
static int read_codes(mask_list *list, size_t *count, const char *text)
{
    while (*text) {
        char *end;
        if (!strncmp(text, "<seg", 4) || *text == '>' || *text == ',' || isspace((unsigned char)*text)) {
            text += *text == '<' ? 4 : 1;
            continue;
        }
        long code = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : -1;
        if (code < 0 || code > 127)
            return pg_cli_fail("\"%.20s\": expected codes from 0 to 127, as numbers or <seg000>", text);
        list->codes[(*count)++] = (int32_t)code;
        text = end;
    }
    return PG_CLI_DONE;
}

static int read_operands(mask_list *list, const pg_cli_list *operands)
{
    size_t most = 0, count = 0;
    for (size_t i = 1; i < operands->count; i++)
        most += strlen(operands->items[i]);
    list->codes = pg_cli_alloc(most + 1, sizeof *list->codes);
    for (size_t i = 1; i < operands->count; i++) {
        int code = read_codes(list, &count, operands->items[i]);
        if (code != PG_CLI_DONE)
            return code;
    }
    if (count == 0 || count % PG_MASK_CODES)
        return pg_cli_fail("%zu codes; a mask has %d", count, PG_MASK_CODES);
    list->count = count / PG_MASK_CODES;
    return PG_CLI_DONE;
}

/* Two rows of the mask a line, since characters are twice as high as wide. */
static void draw(const float *values)
{
    for (size_t y = 0; y < PG_MASK_SIDE; y += 2) {
        char line[PG_MASK_SIDE + 2];
        for (size_t x = 0; x < PG_MASK_SIDE; x++)
            line[x] = values[y * PG_MASK_SIDE + x] + values[(y + 1) * PG_MASK_SIDE + x] > 0 ? '#' : '.';
        line[PG_MASK_SIDE] = '\n';
        pg_cli_put(line, PG_MASK_SIDE + 1);
    }
}

static void print_mask(const mask_list *list, size_t i, bool json)
{
    const float *values = list->values + i * PLACES;
    if (!json) {
        if (i)
            pg_cli_put("\n", 1);
        draw(values);
        return;
    }
    json_t *object = pg_cli_json_object(), *rows = pg_cli_json_array();
    for (size_t y = 0; y < PG_MASK_SIDE; y++)
        pg_cli_json_append(rows, pg_cli_json_reals(values + y * PG_MASK_SIDE, PG_MASK_SIDE));
    pg_cli_json_set(object, "codes", codes_json(list, i));
    pg_cli_json_set(object, "mask", rows);
    pg_cli_json_print(object);
}

static int decode(mask_list *list, const pg_mask_codec *codec, const mask_settings *settings,
                  const pg_cli_list *operands)
{
    int code;
    PG_CLI_TRY(read_operands(list, operands));
    list->values = pg_cli_alloc(list->count, PLACES * sizeof *list->values);
    PG_CLI_TRY(
        pg_cli_check(pg_mask_codec_decode(list->values, codec, list->codes, list->count, (int)settings->threads)));
    const int64_t shape[] = {(int64_t)list->count, PG_MASK_SIDE, PG_MASK_SIDE};
    if (settings->out)
        return pg_cli_check(pg_save_npy(settings->out, "F32", shape, 3, list->values));
    for (size_t i = 0; i < list->count; i++)
        print_mask(list, i, settings->json);
done:
    return code;
}

/* ---------------------------------------------------------------- encode */

static int read_masks(mask_list *list, const char *path)
{
    pg_dataset *dataset;
    pg_data_row *row;
    char *place;
    int code;
    PG_CLI_TRY(pg_cli_check(pg_dataset_open(&dataset, path, &(pg_dataset_options){.kind = PG_DATA_MASKS})));
    size_t first = list->count, all = first + pg_dataset_count(dataset);
    float *values = pg_cli_alloc(all, PLACES * sizeof *values);
    char **places = pg_cli_alloc(all, sizeof *places);
    if (first) {
        memcpy(values, list->values, first * PLACES * sizeof *values);
        memcpy(places, list->places, first * sizeof *places);
    }
    free(list->values);
    free(list->places);
    list->values = values;
    list->places = places;
    for (size_t i = 0; code == PG_CLI_DONE && i < all - first; i++) {
        code = pg_cli_check(pg_dataset_row(&row, dataset, i));
        if (code != PG_CLI_DONE)
            break;
        memcpy(values + list->count * PLACES, row->mask, PLACES * sizeof *values);
        pg_data_row_free(row);
        code = pg_cli_check(pg_dataset_place(&place, dataset, i));
        if (code != PG_CLI_DONE)
            break;
        places[list->count++] = pg_cli_text("%s", place);
        pg_free(place);
    }
    pg_dataset_close(dataset);
done:
    return code;
}

static void print_codes(const mask_list *list, size_t i, bool json)
{
    if (json) {
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "mask", pg_cli_json_text(list->places[i]));
        pg_cli_json_set(object, "codes", codes_json(list, i));
        pg_cli_json_print(object);
        return;
    }
    for (size_t k = 0; k < PG_MASK_CODES; k++)
        pg_cli_print("<seg%03d>", list->codes[i * PG_MASK_CODES + k]);
    pg_cli_print("\t%s\n", list->places[i]);
}

static int encode(mask_list *list, const pg_mask_codec *codec, const mask_settings *settings,
                  const pg_cli_list *operands)
{
    int code = PG_CLI_DONE;
    for (size_t i = 1; i < operands->count; i++)
        PG_CLI_TRY(read_masks(list, operands->items[i]));
    list->codes = pg_cli_alloc(list->count, PG_MASK_CODES * sizeof *list->codes);
    PG_CLI_TRY(
        pg_cli_check(pg_mask_codec_encode(list->codes, codec, list->values, list->count, (int)settings->threads)));
    const int64_t shape[] = {(int64_t)list->count, PG_MASK_CODES};
    if (settings->out)
        return pg_cli_check(pg_save_npy(settings->out, "I32", shape, 2, list->codes));
    for (size_t i = 0; i < list->count; i++)
        print_codes(list, i, settings->json);
done:
    return code;
}

/* ---------------------------------------------------------------- either */

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    const mask_settings *settings = memory;
    const char *what = operands->items[0], *path;
    bool decodes = !strcmp(what, "decode");
    pg_mask_codec *codec = NULL;
    mask_list list = {0};
    int code;
    if (!decodes && strcmp(what, "encode") != 0)
        return pg_cli_usage(command, "there is no 'mask %s', expected 'mask decode' or 'mask encode'", what);
    PG_CLI_TRY(pg_cli_codec_find(&path, command, settings->codec));
    PG_CLI_TRY(pg_cli_check(pg_mask_codec_open(&codec, path)));
    code = (decodes ? decode : encode)(&list, codec, settings, operands);
done:
    free_list(&list);
    pg_mask_codec_close(codec);
    return code;
}

const pg_cli_command pg_cli_mask = {
    .name = "mask",
    .usage = "decode|encode [--codec FILE.npz] CODES|FILE...",
    .summary = "turn masks into the codes of <seg> tokens, and back",
    .details = "mask decode: CODES are 16 a mask, as \"<seg001><seg127>...\" or as numbers. The mask is drawn, or with "
               "--json or --out its 64 x 64 values are written.\n\n"
               "mask encode: FILE is a PNG file, white on black, which is cut to what is white; a folder of such "
               "files; or a COCO file, whose objects are cut to their boxes. Weights have the names of the published "
               "vae-oid.npz; `paligemma train --objective maskcodec` makes such a file.",
    .groups = groups,
    .operands_min = 2,
    .operands_max = SIZE_MAX,
    .settings_size = sizeof(mask_settings),
    .run = run,
};
