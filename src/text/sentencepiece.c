/* tokenizer.model and spiece.model: SentencePiece's ModelProto (sentencepiece_model.proto), protocol buffers, BPE or
 * unigram.
 *
 *   ModelProto      1: SentencePiece, repeated; 2: TrainerSpec; 3: NormalizerSpec; 5: NormalizerSpec for decoding
 *   SentencePiece   1: piece, 2: score (f32), 3: type
 *   TrainerSpec     3: model_type, 24: treat_whitespace_as_suffix, 35: byte_fallback, 44: unk_surface,
 *                   46 to 48: bos, eos and pad piece
 *   NormalizerSpec  2: precompiled_charsmap, 3: add_dummy_prefix, 4: remove_extra_whitespaces, 5: escape_whitespaces
 */
#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "text/scan.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN, TYPE_CONTROL, TYPE_DEFINED, TYPE_UNUSED, TYPE_BYTE };
enum { MODEL_UNIGRAM = 1, MODEL_BPE };

#define UNKNOWN_PENALTY 10.0f /* below the lowest score of a piece */

/* ---------------------------------------------------------------- protocol buffers */

typedef struct proto_message {
    const uint8_t *at, *end;
    const char *name; /* of the file */
} proto_message;

/* A field: a number (varint or fixed width) or bytes. */
typedef struct proto_field {
    uint32_t tag;
    bool is_number;
    uint64_t number;
    proto_message bytes;
} proto_field;

static pg_status cut_short(const proto_message *message)
{
    return pg_fail(PG_ERROR_FORMAT, "%s: not a SentencePiece model: a field is cut short or of an unknown kind",
                   message->name);
}

static pg_status read_varint(uint64_t *out, proto_message *message)
{
    *out = 0;
    for (int shift = 0; shift < 64 && message->at < message->end; shift += 7) {
        uint8_t byte = *message->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return PG_OK;
    }
    return cut_short(message);
}

static pg_status read_fixed(uint64_t *out, proto_message *message, int bytes)
{
    if (message->end - message->at < bytes)
        return cut_short(message);
    *out = 0;
    for (int i = 0; i < bytes; i++)
        *out |= (uint64_t)*message->at++ << 8 * i;
    return PG_OK;
}

/* Into an empty field. */
static pg_status read_field(proto_field *out, proto_message *message)
{
    uint64_t key;
    PG_TRY(read_varint(&key, message));
    if (key >> 3 > UINT32_MAX)
        return cut_short(message);
    out->tag = (uint32_t)(key >> 3);
    out->is_number = (key & 7) != 2;
    switch (key & 7) {
    case 0: return read_varint(&out->number, message);
    case 1: return read_fixed(&out->number, message, 8);
    case 5: return read_fixed(&out->number, message, 4);
    case 2: break;
    default: return cut_short(message);
    }
    uint64_t size;
    PG_TRY(read_varint(&size, message));
    if (size > (uint64_t)(message->end - message->at))
        return cut_short(message);
    out->bytes.at = message->at;
    out->bytes.end = message->at += size;
    return PG_OK;
}

/* Walks the fields of a message: true while there is another one. A failure is reported through *status and ends the
 * walk. */
static bool next_field(proto_field *out, proto_message *message, pg_status *status)
{
    *status = PG_OK;
    *out = (proto_field){.bytes.name = message->name};
    if (message->at == message->end)
        return false;
    *status = read_field(out, message);
    return *status == PG_OK;
}

static size_t bytes_left(const proto_message *message)
{
    return (size_t)(message->end - message->at);
}

/* ---------------------------------------------------------------- the model */

typedef struct model_reader {
    pg_tokenizer *tokenizer;
    const char *name;
    size_t count, score_capacity; /* pieces so far */
    uint64_t model_type;
    bool suffix_spaces;
    pg_span bos, eos, pad, unknown_surface;
} model_reader;

static pg_status flags_of_type(unsigned *out, model_reader *reader, uint64_t type)
{
    switch (type) {
    case TYPE_NORMAL: *out = 0; return PG_OK;
    case TYPE_UNKNOWN: *out = PG_PIECE_CONTROL | PG_PIECE_UNKNOWN; return PG_OK;
    case TYPE_CONTROL: *out = PG_PIECE_CONTROL; return PG_OK;
    case TYPE_DEFINED: *out = PG_PIECE_DEFINED; return PG_OK;
    case TYPE_UNUSED: *out = PG_PIECE_UNUSED; return PG_OK;
    case TYPE_BYTE: *out = PG_PIECE_BYTE; return PG_OK;
    default:
        return pg_fail(PG_ERROR_FORMAT, "%s: piece %zu has the type %" PRIu64 ", expected 1 to 6", reader->name,
                       reader->count, type);
    }
}

static pg_status add_piece(model_reader *reader, const proto_message *text, float score, uint64_t type)
{
    pg_tokenizer *tokenizer = reader->tokenizer;
    int64_t id = (int64_t)reader->count;
    unsigned flags = 0;
    PG_TRY(flags_of_type(&flags, reader, type));
    if (!isfinite(score))
        return pg_fail(PG_ERROR_FORMAT, "%s: the score of piece %lld is not a number", reader->name, (long long)id);
    if (flags & PG_PIECE_UNKNOWN && tokenizer->unknown >= 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: pieces %d and %lld are both unknown pieces", reader->name,
                       tokenizer->unknown, (long long)id);
    if (flags & PG_PIECE_BYTE && pg_byte_of_piece((const char *)text->at, bytes_left(text)) < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: piece %lld is of the type \"byte\", but not of the form <0x00>",
                       reader->name, (long long)id);
    PG_TRY(pg_vocab_add(&tokenizer->vocab, id, (const char *)text->at, bytes_left(text), flags));
    PG_TRY(pg_grow((void **)&tokenizer->scores, &reader->score_capacity, reader->count + 1, sizeof(float)));
    tokenizer->scores[reader->count++] = score + 0.0f; /* -0 and 0 rank alike */
    tokenizer->score_count = (int32_t)reader->count;
    if (flags & PG_PIECE_UNKNOWN)
        tokenizer->unknown = (int32_t)id;
    return PG_OK;
}

static pg_status read_piece(model_reader *reader, proto_message piece)
{
    proto_message text = {.name = reader->name};
    float score = 0;
    uint64_t type = TYPE_NORMAL;
    pg_status status;
    for (proto_field field; next_field(&field, &piece, &status);) {
        uint32_t bits = (uint32_t)field.number;
        if (field.tag == 1 && !field.is_number)
            text = field.bytes;
        else if (field.tag == 2 && field.is_number)
            memcpy(&score, &bits, sizeof score);
        else if (field.tag == 3 && field.is_number)
            type = field.number;
    }
    return status == PG_OK ? add_piece(reader, &text, score, type) : status;
}

static pg_span span_of(const proto_field *field)
{
    return (pg_span){(const char *)field->bytes.at, bytes_left(&field->bytes)};
}

static pg_status read_trainer(model_reader *reader, proto_message trainer)
{
    pg_status status;
    for (proto_field field; next_field(&field, &trainer, &status);) {
        switch (field.is_number ? field.tag : 0) {
        case 3: reader->model_type = field.number; break;
        case 24: reader->suffix_spaces = field.number; break;
        case 35: reader->tokenizer->byte_fallback = field.number; break;
        }
        switch (field.is_number ? 0 : field.tag) {
        case 44: reader->unknown_surface = span_of(&field); break;
        case 46: reader->bos = span_of(&field); break;
        case 47: reader->eos = span_of(&field); break;
        case 48: reader->pad = span_of(&field); break;
        }
    }
    return status;
}

static pg_status read_normalizer(model_reader *reader, proto_message normalizer)
{
    pg_tokenizer *tokenizer = reader->tokenizer;
    pg_status status;
    for (proto_field field; next_field(&field, &normalizer, &status);) {
        if (field.tag == 2 && !field.is_number) {
            pg_charsmap_free(&tokenizer->charsmap);
            PG_TRY(pg_charsmap_read(&tokenizer->charsmap, field.bytes.at, bytes_left(&field.bytes), reader->name));
        }
        switch (field.is_number ? field.tag : 0) {
        case 3: tokenizer->dummy_prefix = field.number; break;
        case 4: tokenizer->trim_spaces = field.number; break;
        case 5: tokenizer->escape_spaces = field.number; break;
        }
    }
    return status;
}

static pg_status refuse_denormalizer(model_reader *reader, proto_message denormalizer)
{
    pg_status status;
    for (proto_field field; next_field(&field, &denormalizer, &status);) {
        if (field.tag == 2 && !field.is_number && bytes_left(&field.bytes))
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: rules for decoding (denormalizer_spec) are not supported",
                           reader->name);
    }
    return status;
}

static pg_status read_model(model_reader *reader, proto_message model)
{
    pg_status status;
    for (proto_field field; next_field(&field, &model, &status);) {
        switch (field.is_number ? 0 : field.tag) {
        case 1: PG_TRY(read_piece(reader, field.bytes)); break;
        case 2: PG_TRY(read_trainer(reader, field.bytes)); break;
        case 3: PG_TRY(read_normalizer(reader, field.bytes)); break;
        case 5: PG_TRY(refuse_denormalizer(reader, field.bytes)); break;
        }
    }
    return status;
}

/* ---------------------------------------------------------------- checks, and what follows */

static pg_status check_model(const model_reader *reader)
{
    const pg_tokenizer *tokenizer = reader->tokenizer;
    if (tokenizer->unknown < 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: not a SentencePiece model: none of %zu pieces is the unknown one",
                       reader->name, reader->count);
    if (reader->model_type != MODEL_UNIGRAM && reader->model_type != MODEL_BPE)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: the model type is %" PRIu64 ", expected 1 (unigram) or 2 (BPE)",
                       reader->name, reader->model_type);
    if (reader->suffix_spaces)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: treat_whitespace_as_suffix is not supported", reader->name);
    for (size_t id = 0; id < reader->count && reader->model_type == MODEL_BPE; id++)
        if (tokenizer->vocab.pieces[id].flags & PG_PIECE_UNUSED)
            return pg_fail(PG_ERROR_UNSUPPORTED, "%s: piece %zu is of the type \"unused\", not supported in BPE models",
                           reader->name, id);
    return PG_OK;
}

/* As sentencepiece's unigram_model.cc: its largest score starts at the smallest positive float. */
static void rate_unknown(pg_tokenizer *tokenizer, size_t count)
{
    float lowest = FLT_MAX, highest = FLT_MIN;
    for (size_t id = 0; id < count; id++) {
        if (tokenizer->vocab.pieces[id].flags != PG_PIECE_PRESENT)
            continue;
        lowest = fminf(lowest, tokenizer->scores[id]);
        highest = fmaxf(highest, tokenizer->scores[id]);
    }
    tokenizer->unknown_score = lowest - UNKNOWN_PENALTY;
    tokenizer->defined_score = highest;
}

/* The id of a control piece named in the file, or of its usual name. */
static int32_t find_control(const pg_tokenizer *tokenizer, pg_span name, const char *usual)
{
    const pg_vocab *vocab = &tokenizer->vocab;
    int32_t id = name.size ? pg_vocab_find(vocab, name.text, name.size) : pg_vocab_find(vocab, usual, strlen(usual));
    return pg_vocab_flags(vocab, id) & PG_PIECE_CONTROL ? id : -1;
}

/* What the unknown piece looks like in text: as the file says, or a double question mark. */
static pg_status copy_surface(pg_tokenizer *tokenizer, pg_span surface)
{
    if (!surface.text)
        surface = (pg_span){" \xe2\x81\x87 ", 5};
    if (pg_utf8_check(surface.text, surface.size) != surface.size)
        return pg_fail(PG_ERROR_FORMAT, "%s: unk_surface is not valid UTF-8", tokenizer->vocab.name);
    tokenizer->unknown_surface = pg_copy_text(surface.text, surface.size);
    return tokenizer->unknown_surface ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status read_file(model_reader *reader, proto_message model)
{
    pg_tokenizer *tokenizer = reader->tokenizer;
    PG_TRY(read_model(reader, model));
    PG_TRY(check_model(reader));
    PG_TRY(pg_vocab_index(&tokenizer->vocab));
    tokenizer->model = reader->model_type == MODEL_BPE ? PG_MODEL_PIECES : PG_MODEL_UNIGRAM;
    rate_unknown(tokenizer, reader->count);
    tokenizer->bos = find_control(tokenizer, reader->bos, "<s>");
    tokenizer->eos = find_control(tokenizer, reader->eos, "</s>");
    tokenizer->pad = find_control(tokenizer, reader->pad, "<pad>");
    tokenizer->adds_bos = tokenizer->bos >= 0;
    return copy_surface(tokenizer, reader->unknown_surface);
}

pg_status pg_tokenizer_read_sentencepiece(pg_tokenizer *tokenizer, const uint8_t *bytes, size_t size, const char *name)
{
    model_reader reader = {.tokenizer = tokenizer, .name = name, .model_type = MODEL_UNIGRAM};
    tokenizer->vocab.name = name;
    tokenizer->escape_spaces = tokenizer->dummy_prefix = tokenizer->trim_spaces = tokenizer->fuse_unknown = true;
    return read_file(&reader, (proto_message){bytes, bytes + size, name});
}
