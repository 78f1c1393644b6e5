/* paligemma tokenize: text to token ids and back. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "fetching.h"
#include "input.h"

typedef struct tokenize_settings {
    const char *model, *tokenizer, *decode, *batch;
    bool special, bos, eos, skip_special, json;
} tokenize_settings;

/* Ids to decode; they may be any number up to INT32_MAX. */
typedef struct token_ids {
    int32_t *items;
    size_t count;
} token_ids;

static const pg_cli_option source_options[] = {
    {"model", 'm', "MODEL", PG_CLI_TEXT, offsetof(tokenize_settings, model),
     "folder with the tokenizer's files (default: $PALIGEMMA_MODEL, else world, the PaliGemma that ships)", 0, 0},
    {"tokenizer", 0, "FILE", PG_CLI_TEXT, offsetof(tokenize_settings, tokenizer),
     "tokenizer.json, tokenizer.model or spiece.model", 0, 0},
    {0},
};

static const pg_cli_option tokenize_options[] = {
    {"decode", 'd', "IDS", PG_CLI_TEXT, offsetof(tokenize_settings, decode),
     "print the text of token ids, which blanks or commas separate", 0, 0},
    {"batch", 0, "FILE", PG_CLI_TEXT, offsetof(tokenize_settings, batch),
     "encode {\"text\"} and decode {\"ids\"}, one of them in each line of a JSONL file; - is standard input", 0, 0},
    {"special", 0, NULL, PG_CLI_FLAG, offsetof(tokenize_settings, special),
     "let control tokens spelled out in the text (<bos>, <image>, ...) count; else they are plain text", 0, 0},
    {"bos", 0, NULL, PG_CLI_FLAG, offsetof(tokenize_settings, bos), "put <bos> in front", 0, 0},
    {"eos", 0, NULL, PG_CLI_FLAG, offsetof(tokenize_settings, eos), "put <eos> at the end", 0, 0},
    {"skip-special", 0, NULL, PG_CLI_FLAG, offsetof(tokenize_settings, skip_special),
     "leave control tokens out of the text", 0, 0},
    {"json", 0, NULL, PG_CLI_FLAG, offsetof(tokenize_settings, json), "print JSON: ids and pieces, or text", 0, 0},
    {0},
};

static const pg_cli_group groups[] = {
    {"Tokenizer", source_options, 0},
    {"Text", tokenize_options, 0},
    {0},
};

static unsigned encode_flags(const tokenize_settings *settings)
{
    return (settings->special ? PG_ENCODE_SPECIAL : 0u) | (settings->bos ? PG_ENCODE_BOS : 0u) |
           (settings->eos ? PG_ENCODE_EOS : 0u);
}

static json_t *describe_pieces(const pg_tokenizer *tokenizer, const int32_t *items, size_t count)
{
    json_t *pieces = pg_cli_json_array();
    for (size_t i = 0; i < count; i++) {
        const char *piece = pg_tokenizer_piece(tokenizer, items[i]);
        pg_cli_json_append(pieces, pg_cli_json_text(piece ? piece : ""));
    }
    return pieces;
}

static void print_ids(const pg_tokenizer *tokenizer, const int32_t *items, size_t count, bool json, bool pieces)
{
    if (!json) {
        for (size_t i = 0; i < count; i++)
            pg_cli_print(i ? " %d" : "%d", (int)items[i]);
        pg_cli_print("\n");
        return;
    }
    json_t *object = pg_cli_json_object();
    pg_cli_json_set(object, "ids", pg_cli_json_ids(items, count));
    if (pieces)
        pg_cli_json_set(object, "pieces", describe_pieces(tokenizer, items, count));
    pg_cli_json_print(object);
}

static int encode(const pg_tokenizer *tokenizer, const tokenize_settings *settings, const char *text, bool json)
{
    int32_t *items;
    size_t count;
    int code = pg_cli_check(pg_tokenizer_encode(&items, &count, tokenizer, text, SIZE_MAX, encode_flags(settings)));
    if (code != PG_CLI_DONE)
        return code;
    print_ids(tokenizer, items, count, json, settings->json);
    pg_free(items);
    return PG_CLI_DONE;
}

static int check_ids(const pg_tokenizer *tokenizer, token_ids ids)
{
    int32_t size = pg_tokenizer_size(tokenizer);
    for (size_t i = 0; i < ids.count; i++)
        if (ids.items[i] >= size)
            return pg_cli_fail("found the token id %d, the tokenizer's end at %d", (int)ids.items[i], (int)size - 1);
    return PG_CLI_DONE;
}

static int decode(const pg_tokenizer *tokenizer, const tokenize_settings *settings, token_ids ids, bool json)
{
    char *text;
    if (check_ids(tokenizer, ids) != PG_CLI_DONE)
        return PG_CLI_FAILURE;
    int code = pg_cli_check(pg_tokenizer_decode(&text, tokenizer, ids.items, ids.count, settings->skip_special));
    if (code != PG_CLI_DONE)
        return code;
    if (json) {
        json_t *object = pg_cli_json_object();
        pg_cli_json_set(object, "text", pg_cli_json_text(text));
        pg_cli_json_print(object);
    } else {
        pg_cli_print("%s\n", text);
    }
    pg_free(text);
    return PG_CLI_DONE;
}

/* "2, 4521 10" */
static int parse_ids(token_ids *out, const pg_cli_command *command, const char *text)
{
    out->items = pg_cli_alloc(strlen(text) / 2 + 1, sizeof *out->items);
    for (;;) {
        text += strspn(text, " ,\t\r\n");
        if (!*text)
            return PG_CLI_DONE;
        char *end;
        errno = 0;
        long long id = isdigit((unsigned char)*text) ? strtoll(text, &end, 10) : -1;
        if (id < 0 || id > INT32_MAX || errno != 0 || !strchr(" ,\t\r\n", *end))
            return pg_cli_usage(command, "--decode: '%s' does not begin with a token id", text);
        out->items[out->count++] = (int32_t)id;
        text = end;
    }
}

static int decode_option(const pg_cli_command *command, const pg_tokenizer *tokenizer,
                         const tokenize_settings *settings)
{
    token_ids ids = {0};
    int code = parse_ids(&ids, command, settings->decode);
    if (code == PG_CLI_DONE)
        code = decode(tokenizer, settings, ids, settings->json);
    free(ids.items);
    return code;
}

static int check_line(const pg_cli_jsonl *lines, const json_t *object)
{
    const json_t *items = json_object_get(object, "ids"), *id;
    size_t i;
    if (!items && json_is_string(json_object_get(object, "text")))
        return PG_CLI_DONE;
    if (!json_is_array(items))
        return pg_cli_fail("%s: line %zu: expected \"text\" (a text) or \"ids\" (a list of token ids)", lines->path,
                           lines->line);
    json_array_foreach(items, i, id)
    {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) > INT32_MAX)
            return pg_cli_fail("%s: line %zu: \"ids\": entry %zu is not a token id", lines->path, lines->line, i);
    }
    return PG_CLI_DONE;
}

static int run_line(const pg_tokenizer *tokenizer, const tokenize_settings *settings, const json_t *object)
{
    const json_t *items = json_object_get(object, "ids"), *id;
    size_t i;
    if (!items)
        return encode(tokenizer, settings, json_string_value(json_object_get(object, "text")), true);
    token_ids ids = {pg_cli_alloc(json_array_size(items), sizeof *ids.items), json_array_size(items)};
    json_array_foreach(items, i, id)
    {
        ids.items[i] = (int32_t)json_integer_value(id);
    }
    int code = decode(tokenizer, settings, ids, true);
    free(ids.items);
    return code;
}

static int run_batch(const pg_tokenizer *tokenizer, const tokenize_settings *settings)
{
    pg_cli_jsonl lines;
    json_t *object;
    size_t count;
    int code;
    PG_CLI_TRY(pg_cli_jsonl_open(&lines, settings->batch));
    PG_CLI_TRY(pg_cli_jsonl_count(&count, &lines, check_line));
    while ((code = pg_cli_jsonl_next(&object, &lines)) == PG_CLI_DONE && object) {
        code = run_line(tokenizer, settings, object);
        json_decref(object);
        if (code != PG_CLI_DONE) {
            pg_cli_fail("%s: stopped at line %zu", lines.path, lines.line);
            break;
        }
    }
done:
    pg_cli_jsonl_close(&lines);
    return code;
}

static int run(const pg_cli_command *command, void *memory, const pg_cli_list *operands)
{
    tokenize_settings *settings = memory;
    pg_tokenizer *tokenizer = NULL;
    const char *path = settings->tokenizer;
    int code;
    if ((operands->count > 0) + !!settings->decode + !!settings->batch != 1)
        return pg_cli_usage(command, "give one of TEXT, --decode IDS and --batch FILE");
    if (path)
        PG_CLI_TRY(pg_cli_fetch(&path));
    else
        PG_CLI_TRY(pg_cli_model_find(&path, command, settings->model, 1u << PG_MODEL_PALIGEMMA));
    PG_CLI_TRY(pg_cli_check(pg_tokenizer_open(&tokenizer, path)));
    if (settings->batch)
        code = run_batch(tokenizer, settings);
    else if (settings->decode)
        code = decode_option(command, tokenizer, settings);
    else
        code = encode(tokenizer, settings, operands->items[0], settings->json);
done:
    if (tokenizer)
        pg_tokenizer_close(tokenizer);
    return code;
}

const pg_cli_command pg_cli_tokenize = {
    .name = "tokenize",
    .usage = "[-m MODEL|--tokenizer FILE] TEXT",
    .summary = "turn text into token ids, and back",
    .details = "Prints the token ids of TEXT, or with --decode the text of token ids. --batch does either for each "
               "line of a file.",
    .groups = groups,
    .operands_max = 1,
    .settings_size = sizeof(tokenize_settings),
    .run = run,
};
