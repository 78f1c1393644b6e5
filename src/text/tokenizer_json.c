/* tokenizer.json, the format of the Hugging Face tokenizers library, as far as Gemma's and PaliGemma's files use it:
 * BPE with byte fallback, spaces as U+2581, no pre-tokenizer. What a file asks for beyond that is refused by name.
 *
 *   {"added_tokens": [{"id", "content", ...}], "normalizer", "pre_tokenizer", "post_processor", "decoder",
 *    "model": {"type": "BPE", "vocab": {piece: id, ...}, "merges": ["left right", ...] or [["left", "right"], ...]}}
 *
 * The vocabulary and the merges are most of the file and are read where they stand; the rest goes through base/json.h.
 */
#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

typedef enum json_part { ADDED_TOKENS, NORMALIZER, PRE_TOKENIZER, POST_PROCESSOR, DECODER, PARTS } json_part;

static const char *const part_names[PARTS] = {"added_tokens", "normalizer", "pre_tokenizer", "post_processor",
                                              "decoder"};

typedef struct json_reader {
    pg_tokenizer *tokenizer;
    pg_scan scan;
    pg_span parts[PARTS];
    pg_buffer unknown;        /* model.unk_token */
    const char *merges_later; /* place of merges that come before the vocabulary */
    bool has_model, has_type, ignores_merges;
} json_reader;

/* ---------------------------------------------------------------- the model */

static pg_status read_vocab(json_reader *reader)
{
    pg_scan *scan = &reader->scan;
    pg_vocab *vocab = &reader->tokenizer->vocab;
    pg_status status;
    if (vocab->indexed)
        return pg_scan_fail(scan, "one \"vocab\" only");
    PG_TRY(pg_scan_expect(scan, '{'));
    for (bool first = true; pg_scan_more(scan, '}', &first, &status);) {
        pg_span piece;
        int64_t id;
        /* The piece is added last: an escaped one lies in the scanner's buffer. */
        PG_TRY(pg_scan_key(&piece, scan));
        PG_TRY(pg_scan_integer(&id, scan));
        PG_TRY(pg_vocab_add(vocab, id, piece.text, piece.size, 0));
    }
    return status == PG_OK ? pg_vocab_index(vocab) : status;
}

/* The two sides of a merge, one behind the other. Bytes are told from text only after merging (encoder.c), so that byte
 * pieces cannot be sides; no vocabulary with byte fallback has such merges. */
typedef struct merge_sides {
    char text[2 * PG_PIECE_LONGEST];
    size_t left, size; /* bytes of the left side, of both */
} merge_sides;

static pg_status add_side(merge_sides *sides, const json_reader *reader, const char *text, size_t size)
{
    if (size == 0 || size > PG_PIECE_LONGEST)
        return pg_scan_fail(&reader->scan, "a merge of two pieces before this");
    if (pg_byte_of_piece(text, size) >= 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: merges of byte pieces (%.*s) are not supported", reader->scan.name,
                       (int)size, text);
    memcpy(sides->text + sides->size, text, size);
    sides->left = sides->size;
    sides->size += size;
    return PG_OK;
}

/* "left right" */
static pg_status read_merge_text(merge_sides *sides, json_reader *reader)
{
    pg_span text;
    PG_TRY(pg_scan_string(&text, &reader->scan));
    const char *end = text.text + text.size, *space = memchr(text.text, ' ', text.size);
    if (!space || memchr(space + 1, ' ', (size_t)(end - space - 1)))
        return pg_scan_fail(&reader->scan, "a merge with one space before this");
    PG_TRY(add_side(sides, reader, text.text, (size_t)(space - text.text)));
    return add_side(sides, reader, space + 1, (size_t)(end - space - 1));
}

/* ["left", "right"] */
static pg_status read_merge_pair(merge_sides *sides, json_reader *reader)
{
    pg_span text;
    PG_TRY(pg_scan_expect(&reader->scan, '['));
    PG_TRY(pg_scan_string(&text, &reader->scan));
    PG_TRY(add_side(sides, reader, text.text, text.size));
    PG_TRY(pg_scan_expect(&reader->scan, ','));
    PG_TRY(pg_scan_string(&text, &reader->scan));
    PG_TRY(add_side(sides, reader, text.text, text.size));
    return pg_scan_expect(&reader->scan, ']');
}

static bool is_piece(const pg_vocab *vocab, int32_t id, const merge_sides *sides)
{
    return id >= 0 && (size_t)id < vocab->size && vocab->pieces[id].size == sides->size &&
           !memcmp(pg_vocab_text(vocab, id), sides->text, sides->size);
}

/* What a merge makes, -1 if that is no piece. Merges stand in the order of it, mostly: it is the piece that the last
 * one made or the one behind that. */
static int32_t find_result(const pg_vocab *vocab, const merge_sides *sides, int32_t last)
{
    for (int32_t id = last; id <= last + 1; id++)
        if (is_piece(vocab, id, sides))
            return id;
    return pg_vocab_find(vocab, sides->text, sides->size);
}

static pg_status read_merges(json_reader *reader)
{
    pg_scan *scan = &reader->scan;
    pg_tokenizer *tokenizer = reader->tokenizer;
    pg_status status;
    int32_t result = -1;
    PG_TRY(pg_scan_expect(scan, '['));
    for (bool first = true; pg_scan_more(scan, ']', &first, &status);) {
        merge_sides sides;
        sides.left = sides.size = 0;
        PG_TRY(pg_scan_peek(scan) == '[' ? read_merge_pair(&sides, reader) : read_merge_text(&sides, reader));
        result = find_result(&tokenizer->vocab, &sides, result);
        if (result < 0)
            return pg_scan_fail(scan, "a merge into a piece of the vocabulary before this");
        PG_TRY(pg_merges_add(&tokenizer->merges, (pg_merge){result, (uint32_t)sides.left}));
    }
    return status;
}

/* A string that must be null or empty. */
static pg_status expect_nothing(json_reader *reader, const char *what)
{
    pg_span value;
    PG_TRY(pg_scan_skip(&value, &reader->scan));
    if (pg_span_is(value, "null") || pg_span_is(value, "\"\"") || pg_span_is(value, "0") || pg_span_is(value, "0.0"))
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: model.%s is %.*s; only models without it can be used", reader->scan.name,
                   what, value.size < 40 ? (int)value.size : 40, value.text);
}

static pg_status read_model_type(json_reader *reader)
{
    pg_span type;
    PG_TRY(pg_scan_string(&type, &reader->scan));
    reader->has_type = pg_span_is(type, "BPE");
    if (reader->has_type)
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: model.type is \"%.*s\", expected \"BPE\"", reader->scan.name,
                   type.size < 40 ? (int)type.size : 40, type.text);
}

static pg_status read_unknown(json_reader *reader)
{
    pg_span text;
    if (pg_scan_peek(&reader->scan) != '"')
        return expect_nothing(reader, "unk_token");
    PG_TRY(pg_scan_string(&text, &reader->scan));
    pg_buffer_reset(&reader->unknown);
    return pg_buffer_append(&reader->unknown, text.text, text.size);
}

static pg_status read_model_field(json_reader *reader, pg_span key)
{
    pg_tokenizer *tokenizer = reader->tokenizer;
    pg_span ignored;
    if (pg_span_is(key, "type"))
        return read_model_type(reader);
    if (pg_span_is(key, "unk_token"))
        return read_unknown(reader);
    if (pg_span_is(key, "fuse_unk"))
        return pg_scan_boolean(&tokenizer->fuse_unknown, &reader->scan);
    if (pg_span_is(key, "byte_fallback"))
        return pg_scan_boolean(&tokenizer->byte_fallback, &reader->scan);
    if (pg_span_is(key, "ignore_merges"))
        return pg_scan_boolean(&reader->ignores_merges, &reader->scan);
    if (pg_span_is(key, "dropout"))
        return expect_nothing(reader, "dropout");
    if (pg_span_is(key, "continuing_subword_prefix"))
        return expect_nothing(reader, "continuing_subword_prefix");
    if (pg_span_is(key, "end_of_word_suffix"))
        return expect_nothing(reader, "end_of_word_suffix");
    if (pg_span_is(key, "vocab"))
        return read_vocab(reader);
    if (pg_span_is(key, "merges") && tokenizer->vocab.indexed)
        return read_merges(reader);
    if (pg_span_is(key, "merges"))
        reader->merges_later = reader->scan.at;
    return pg_scan_skip(&ignored, &reader->scan);
}

static pg_status read_model(json_reader *reader)
{
    pg_scan *scan = &reader->scan;
    pg_status status;
    if (reader->has_model)
        return pg_scan_fail(scan, "one \"model\" only");
    reader->has_model = true;
    PG_TRY(pg_scan_expect(scan, '{'));
    for (bool first = true; pg_scan_more(scan, '}', &first, &status);) {
        pg_span key;
        PG_TRY(pg_scan_key(&key, scan));
        PG_TRY(read_model_field(reader, key));
    }
    PG_TRY(status);
    if (!reader->has_type || !reader->tokenizer->vocab.indexed)
        return pg_fail(PG_ERROR_FORMAT, "%s: \"model\" lacks \"type\" or \"vocab\"", scan->name);
    if (reader->ignores_merges)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: model.ignore_merges is true, expected false", scan->name);
    if (!reader->merges_later)
        return PG_OK;
    const char *behind = scan->at;
    scan->at = reader->merges_later;
    PG_TRY(read_merges(reader));
    scan->at = behind;
    return PG_OK;
}

static pg_status find_unknown(json_reader *reader)
{
    pg_tokenizer *tokenizer = reader->tokenizer;
    const pg_buffer *name = &reader->unknown;
    if (name->size)
        tokenizer->unknown = pg_vocab_find(&tokenizer->vocab, name->data, name->size);
    if (tokenizer->unknown >= 0 || tokenizer->byte_fallback)
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: the model has neither byte_fallback nor an unk_token in its vocabulary",
                   reader->scan.name);
}

/* ---------------------------------------------------------------- the parts around the model */

static bool text_is(const json_t *value, const char *text)
{
    return json_is_string(value) && !strcmp(json_string_value(value), text);
}

static bool type_is(const json_t *part, const char *type)
{
    return text_is(json_object_get(part, "type"), type);
}

/* {"type": "Replace", "pattern": {"String": from}, "content": to} */
static bool replaces(const json_t *part, const char *from, const char *to)
{
    return type_is(part, "Replace") && text_is(json_object_get(json_object_get(part, "pattern"), "String"), from) &&
           text_is(json_object_get(part, "content"), to);
}

/* Member i of a part that may be a sequence of others or a single one; NULL behind the last. */
static const json_t *part_at(const json_t *part, const char *members, size_t i)
{
    if (type_is(part, "Sequence"))
        return json_array_get(json_object_get(part, members), i);
    return i == 0 && !json_is_null(part) ? part : NULL;
}

static pg_status refuse(const json_reader *reader, json_part part, const char *expected)
{
    pg_span text = reader->parts[part];
    return pg_fail(PG_ERROR_UNSUPPORTED, "%s: \"%s\" is %.*s, expected %s", reader->scan.name, part_names[part],
                   text.size < 200 ? (int)text.size : 200, text.text, expected);
}

static pg_status use_normalizer(json_reader *reader, const json_t *normalizer)
{
    const json_t *part;
    for (size_t i = 0; (part = part_at(normalizer, "normalizers", i)) != NULL; i++) {
        if (!replaces(part, " ", PG_BLOCK))
            return refuse(reader, NORMALIZER, "null or the replacement of \" \" by U+2581");
        reader->tokenizer->escape_spaces = true;
    }
    return PG_OK;
}

/* Published files split at spaces, of which the normaliser has left none. */
static pg_status use_pre_tokenizer(json_reader *reader, const json_t *pre_tokenizer)
{
    const json_t *part;
    for (size_t i = 0; (part = part_at(pre_tokenizer, "pretokenizers", i)) != NULL; i++) {
        bool splits =
            type_is(part, "Split") && text_is(json_object_get(json_object_get(part, "pattern"), "String"), " ");
        if (!splits || json_is_true(json_object_get(part, "invert")) || !reader->tokenizer->escape_spaces)
            return refuse(reader, PRE_TOKENIZER, "null, or a split at spaces behind a normalizer that replaces them");
    }
    return PG_OK;
}

/* [<bos>, text] or [text]; a <bos> is an id under special_tokens. */
static pg_status use_post_processor(json_reader *reader, const json_t *processor)
{
    if (json_is_null(processor))
        return PG_OK;
    if (!type_is(processor, "TemplateProcessing"))
        return refuse(reader, POST_PROCESSOR, "null or TemplateProcessing");
    const json_t *first = json_array_get(json_object_get(processor, "single"), 0);
    reader->tokenizer->adds_bos = json_object_get(first, "SpecialToken") != NULL;
    return PG_OK;
}

static pg_status use_decoder(json_reader *reader, const json_t *decoder)
{
    static const char expected[] = "the replacement of U+2581 by \" \", ByteFallback, Fuse";
    const json_t *part;
    bool spaces = false, bytes = false;
    for (size_t i = 0; (part = part_at(decoder, "decoders", i)) != NULL; i++) {
        bool space = replaces(part, PG_BLOCK, " "), byte = type_is(part, "ByteFallback");
        if (!space && !byte && !type_is(part, "Fuse"))
            return refuse(reader, DECODER, expected);
        spaces = spaces || space;
        bytes = bytes || byte;
    }
    if (spaces != reader->tokenizer->escape_spaces || bytes != reader->tokenizer->byte_fallback)
        return refuse(reader, DECODER, expected);
    return PG_OK;
}

static pg_status use_added_tokens(json_reader *reader, const json_t *tokens)
{
    if (!json_is_array(tokens) && !json_is_null(tokens))
        return refuse(reader, ADDED_TOKENS, "a list");
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        int64_t id;
        PG_TRY(pg_json_integer(&id, (pg_json_field){token, reader->scan.name, "id", true}, 0, INT32_MAX));
        PG_TRY(pg_tokenizer_declare(reader->tokenizer, token, id, reader->scan.name));
    }
    return PG_OK;
}

/* An absent part is null. */
static pg_status use_part(json_reader *reader, json_part part, pg_status (*use)(struct json_reader *, const json_t *))
{
    pg_span text = reader->parts[part];
    if (!text.text)
        reader->parts[part] = text = (pg_span){"null", 4};
    pg_buffer list = {0}; /* a document is an array or an object, a part may be null */
    json_t *document = NULL;
    pg_status status;
    PG_TRY_GOTO(pg_buffer_print(&list, "[%.*s]", (int)text.size, text.text));
    PG_TRY_GOTO(pg_json_parse(&document, list.data, list.size, reader->scan.name));
    PG_TRY_GOTO(use(reader, json_array_get(document, 0)));
done:
    json_decref(document);
    pg_buffer_free(&list);
    return status;
}

/* Gemma's names; tokenizer_config.json may have others. */
static int32_t find_control(const pg_tokenizer *tokenizer, const char *name)
{
    int32_t id = pg_tokenizer_id(tokenizer, name);
    return pg_tokenizer_is_special(tokenizer, id) ? id : -1;
}

static void find_controls(pg_tokenizer *tokenizer)
{
    tokenizer->bos = find_control(tokenizer, "<bos>");
    tokenizer->eos = find_control(tokenizer, "<eos>");
    tokenizer->pad = find_control(tokenizer, "<pad>");
}

static pg_status read_part(json_reader *reader, pg_span key)
{
    pg_span ignored;
    for (int part = 0; part < PARTS; part++)
        if (pg_span_is(key, part_names[part]))
            return pg_scan_skip(&reader->parts[part], &reader->scan);
    return pg_span_is(key, "model") ? read_model(reader) : pg_scan_skip(&ignored, &reader->scan);
}

static pg_status read_document(json_reader *reader)
{
    pg_scan *scan = &reader->scan;
    pg_status status;
    PG_TRY(pg_scan_expect(scan, '{'));
    for (bool first = true; pg_scan_more(scan, '}', &first, &status);) {
        pg_span key;
        PG_TRY(pg_scan_key(&key, scan));
        PG_TRY(read_part(reader, key));
    }
    PG_TRY(status);
    PG_TRY(pg_scan_finish(scan));
    if (!reader->has_model)
        return pg_fail(PG_ERROR_FORMAT, "%s: there is no \"model\"", scan->name);
    PG_TRY(find_unknown(reader));
    PG_TRY(use_part(reader, NORMALIZER, use_normalizer));
    PG_TRY(use_part(reader, PRE_TOKENIZER, use_pre_tokenizer));
    PG_TRY(use_part(reader, POST_PROCESSOR, use_post_processor));
    PG_TRY(use_part(reader, DECODER, use_decoder));
    PG_TRY(use_part(reader, ADDED_TOKENS, use_added_tokens));
    find_controls(reader->tokenizer);
    return PG_OK;
}

pg_status pg_tokenizer_read_json(pg_tokenizer *tokenizer, const uint8_t *bytes, size_t size, const char *name)
{
    const char *text = (const char *)bytes;
    json_reader reader = {.tokenizer = tokenizer,
                          .scan = {.name = name, .begin = text, .at = text, .end = text + size}};
    tokenizer->model = PG_MODEL_MERGES;
    tokenizer->vocab.name = name;
    pg_status status = read_document(&reader);
    pg_scan_free(&reader.scan);
    pg_buffer_free(&reader.unknown);
    return status;
}
