#include "text/tokenizer.h"

#include <stdio.h>

#include "base/file.h"
#include "text/encoder.h"
#include "text/utf8.h"

#define LARGEST_FILE ((size_t)256 << 20)
#define LONGEST_TEXT ((size_t)1 << 30)

/* ---------------------------------------------------------------- making ready what was read */

/* Gemma's turn markers are user-defined pieces in its files, but drive a chat like control tokens. */
static void mark_turns(pg_vocab *vocab)
{
    static const char *const names[] = {"<start_of_turn>", "<end_of_turn>"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        int32_t id = pg_vocab_find(vocab, names[i], strlen(names[i]));
        if (id >= 0)
            vocab->pieces[id].flags |= PG_PIECE_CONTROL;
    }
}

static bool is_used(const pg_vocab *vocab, int32_t id)
{
    return id >= 0 && !(vocab->pieces[id].flags & PG_PIECE_UNUSED);
}

/* Byte pieces are "<0x00>" to "<0xFF>"; one of them may be missing where its character is a piece, as Gemma's tab. */
static pg_status find_bytes(pg_tokenizer *tokenizer)
{
    pg_vocab *vocab = &tokenizer->vocab;
    for (int byte = 0; tokenizer->byte_fallback && byte < 256; byte++) {
        char name[8], character = (char)byte;
        int32_t id = pg_vocab_find(vocab, name, (size_t)snprintf(name, sizeof name, "<0x%02X>", byte));
        tokenizer->bytes[byte] = id;
        if (id >= 0)
            vocab->pieces[id].flags |= PG_PIECE_BYTE;
        else if (byte >= 128 || !is_used(vocab, pg_vocab_find_plain(vocab, &character, 1)))
            return pg_fail(PG_ERROR_FORMAT, "%s: byte_fallback is set, but the piece %s is missing", vocab->name, name);
    }
    return PG_OK;
}

static void find_characters(pg_tokenizer *tokenizer)
{
    for (int i = 0; i < 128; i++) {
        char character = (char)i;
        tokenizer->characters[i] = pg_vocab_find_plain(&tokenizer->vocab, &character, 1);
    }
}

/* See bpe.c. A piece starts behind the NUL of the one before, so a NUL in a piece is not told from that: no text is
 * divided behind it. */
static void find_joined(pg_tokenizer *tokenizer)
{
    const pg_buffer *bytes = &tokenizer->vocab.bytes;
    const char *at = bytes->data, *end = bytes->data + bytes->size;
    tokenizer->joined_to_space[0] = true;
    for (; (at = memmem(at, (size_t)(end - at), PG_BLOCK, PG_BLOCK_SIZE)) != NULL; at += PG_BLOCK_SIZE)
        if (at > bytes->data && at[-1])
            tokenizer->joined_to_space[(uint8_t)at[-1]] = true;
}

/* A piece as normalised text has it, with the spaces escaped. */
static pg_status escape(pg_buffer *out, const char *text, size_t size)
{
    pg_buffer_reset(out);
    for (size_t i = 0; i < size; i++)
        PG_TRY(text[i] == ' ' ? pg_buffer_append(out, PG_BLOCK, PG_BLOCK_SIZE) : pg_buffer_append(out, text + i, 1));
    return PG_OK;
}

static pg_status add_key(pg_trie *trie, const pg_vocab *vocab, int32_t id, pg_buffer *escaped)
{
    const char *key = pg_vocab_text(vocab, id);
    size_t size = vocab->pieces[id].size;
    if (escaped && memchr(key, ' ', size)) {
        PG_TRY(escape(escaped, key, size));
        key = escaped->data;
        size = escaped->size;
    }
    if (!pg_trie_add(trie, key, size, id))
        return pg_fail(PG_ERROR_FORMAT, "%s: the vocabulary is made to be slow", vocab->name);
    return PG_OK;
}

/* escaped: a buffer if spaces in the keys are to be escaped. */
static pg_status build_trie(pg_trie *out, const pg_vocab *vocab, const pg_ids *ids, pg_buffer *escaped)
{
    size_t bytes = 0;
    for (size_t i = 0; i < ids->count; i++)
        bytes += vocab->pieces[ids->data[i]].size;
    if (bytes == 0)
        return PG_OK;
    PG_TRY(pg_trie_new(out, escaped ? bytes * PG_BLOCK_SIZE : bytes));
    for (size_t i = 0; i < ids->count; i++)
        PG_TRY(add_key(out, vocab, ids->data[i], escaped));
    return PG_OK;
}

/* SentencePiece's user-defined pieces are found like added tokens; unigram weighs all pieces that text may become. */
static pg_status collect_pieces(pg_tokenizer *tokenizer, pg_ids *weighed)
{
    const pg_vocab *vocab = &tokenizer->vocab;
    for (size_t id = 0; id < vocab->size; id++) {
        unsigned flags = vocab->pieces[id].flags;
        if (flags & PG_PIECE_DEFINED)
            PG_TRY(pg_ids_add(&tokenizer->added_normalized, (int32_t)id));
        bool plain = flags == PG_PIECE_PRESENT || flags & PG_PIECE_DEFINED;
        if (plain && tokenizer->model == PG_MODEL_UNIGRAM)
            PG_TRY(pg_ids_add(weighed, (int32_t)id));
    }
    return PG_OK;
}

static pg_status build_tries(pg_tokenizer *tokenizer)
{
    const pg_vocab *vocab = &tokenizer->vocab;
    pg_ids weighed = {0};
    pg_buffer escaped = {0};
    pg_status status;
    PG_TRY_GOTO(collect_pieces(tokenizer, &weighed));
    PG_TRY_GOTO(build_trie(&tokenizer->raw, vocab, &tokenizer->added_raw, NULL));
    PG_TRY_GOTO(build_trie(&tokenizer->normalized, vocab, &tokenizer->added_normalized,
                           tokenizer->escape_spaces ? &escaped : NULL));
    PG_TRY_GOTO(build_trie(&tokenizer->pieces, vocab, &weighed, NULL));
done:
    pg_ids_free(&weighed);
    pg_buffer_free(&escaped);
    return status;
}

pg_status pg_tokenizer_finish(pg_tokenizer *tokenizer)
{
    mark_turns(&tokenizer->vocab);
    PG_TRY(find_bytes(tokenizer));
    find_characters(tokenizer);
    find_joined(tokenizer);
    PG_TRY(build_tries(tokenizer));
    return tokenizer->model == PG_MODEL_MERGES ? pg_merges_index(&tokenizer->merges, &tokenizer->vocab) : PG_OK;
}

/* ---------------------------------------------------------------- opening */

static pg_status read_vocabulary(pg_tokenizer *tokenizer, const char *path)
{
    pg_file_map map;
    PG_TRY(pg_file_map_open(&map, path));
    size_t length = strlen(path);
    bool json = length >= 5 && !strcmp(path + length - 5, ".json");
    pg_status status =
        map.size > LARGEST_FILE
            ? pg_fail(PG_ERROR_LIMIT, "%s: %zu bytes, at most %zu are read", path, map.size, LARGEST_FILE)
            : (json ? pg_tokenizer_read_json : pg_tokenizer_read_sentencepiece)(tokenizer, map.data, map.size, path);
    pg_file_map_close(&map);
    return status;
}

/* The file of this name beside another one. */
static pg_status path_beside(pg_buffer *out, const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    return pg_buffer_print(out, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name);
}

static pg_status read_config(pg_tokenizer *tokenizer, const char *path)
{
    json_t *config = NULL;
    pg_status status = pg_json_load(&config, path);
    if (status == PG_OK)
        status = pg_tokenizer_use_config(tokenizer, config, path);
    json_decref(config);
    return status;
}

static pg_status read_files(pg_tokenizer *tokenizer, const char *path)
{
    pg_buffer config = {0};
    pg_status status;
    PG_TRY_GOTO(read_vocabulary(tokenizer, path));
    PG_TRY_GOTO(path_beside(&config, path, "tokenizer_config.json"));
    if (pg_file_exists(config.data))
        PG_TRY_GOTO(read_config(tokenizer, config.data));
    PG_TRY_GOTO(pg_tokenizer_finish(tokenizer));
done:
    pg_buffer_free(&config);
    return status;
}

static pg_status find_file(pg_buffer *out, const char *path)
{
    /* SigLIP's come first: beside them lies a tokenizer.json that the reference does not read either */
    static const char *const names[] = {"spiece.model", "tokenizer.json", "tokenizer.model"};
    if (!pg_file_is_folder(path))
        return pg_buffer_print(out, "%s", path);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        PG_TRY(pg_file_join(out, path, names[i]));
        if (pg_file_exists(out->data))
            return PG_OK;
    }
    return pg_fail(PG_ERROR_FILE, "%s: no tokenizer.json, tokenizer.model or spiece.model in this folder", path);
}

pg_status pg_tokenizer_new(pg_tokenizer **out)
{
    pg_tokenizer *tokenizer = *out = pg_alloc(1, sizeof *tokenizer);
    if (!tokenizer)
        return PG_ERROR_MEMORY;
    tokenizer->unknown = tokenizer->bos = tokenizer->eos = tokenizer->pad = -1;
    tokenizer->lower = true;
    return PG_OK;
}

pg_status pg_tokenizer_open(pg_tokenizer **out, const char *path)
{
    pg_buffer file = {0};
    pg_status status;
    PG_TRY(pg_tokenizer_new(out));
    PG_TRY_GOTO(find_file(&file, path));
    PG_TRY_GOTO(read_files(*out, file.data));
done:
    pg_buffer_free(&file);
    if (status != PG_OK) {
        pg_tokenizer_close(*out);
        *out = NULL;
    }
    return status;
}

void pg_tokenizer_close(pg_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    pg_vocab_free(&tokenizer->vocab);
    pg_ids_free(&tokenizer->added_raw);
    pg_ids_free(&tokenizer->added_normalized);
    pg_trie_free(&tokenizer->raw);
    pg_trie_free(&tokenizer->normalized);
    pg_trie_free(&tokenizer->pieces);
    pg_charsmap_free(&tokenizer->charsmap);
    pg_merges_free(&tokenizer->merges);
    pg_free(tokenizer->unknown_surface);
    pg_free(tokenizer->scores);
    pg_free(tokenizer);
}

/* ---------------------------------------------------------------- questions */

int32_t pg_tokenizer_size(const pg_tokenizer *tokenizer)
{
    return (int32_t)tokenizer->vocab.size;
}

int32_t pg_tokenizer_id(const pg_tokenizer *tokenizer, const char *piece)
{
    return pg_vocab_find(&tokenizer->vocab, piece, strlen(piece));
}

const char *pg_tokenizer_piece(const pg_tokenizer *tokenizer, int32_t id)
{
    return pg_vocab_flags(&tokenizer->vocab, id) ? pg_vocab_text(&tokenizer->vocab, id) : NULL;
}

bool pg_tokenizer_is_special(const pg_tokenizer *tokenizer, int32_t id)
{
    return pg_vocab_flags(&tokenizer->vocab, id) & PG_PIECE_CONTROL;
}

int32_t pg_tokenizer_bos(const pg_tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t pg_tokenizer_eos(const pg_tokenizer *tokenizer)
{
    return tokenizer->eos;
}

int32_t pg_tokenizer_pad(const pg_tokenizer *tokenizer)
{
    return tokenizer->pad;
}

bool pg_tokenizer_adds_bos(const pg_tokenizer *tokenizer)
{
    return tokenizer->adds_bos;
}

/* ---------------------------------------------------------------- text to ids */

static pg_status add_control(pg_ids *out, int32_t id, const char *what)
{
    return id < 0 ? pg_fail(PG_ERROR_ARGUMENT, "the tokenizer has no %s token", what) : pg_ids_add(out, id);
}

static pg_status check_text(const char *text, size_t size)
{
    if (size > LONGEST_TEXT)
        return pg_fail(PG_ERROR_LIMIT, "the text has %zu bytes, at most %zu can be tokenized", size, LONGEST_TEXT);
    size_t bad = pg_utf8_check(text, size);
    return bad == size
               ? PG_OK
               : pg_fail(PG_ERROR_FORMAT, "the text is not valid UTF-8: byte %zu is 0x%02X", bad, (uint8_t)text[bad]);
}

pg_status pg_tokenizer_append(pg_ids *out, const pg_tokenizer *tokenizer, const char *text, size_t size, unsigned flags,
                              const pg_merge_dropout *dropout)
{
    if (size == SIZE_MAX)
        size = strlen(text);
    PG_TRY(check_text(text, size));
    if (flags & PG_ENCODE_BOS)
        PG_TRY(add_control(out, tokenizer->bos, "<bos>"));
    pg_encoder encoder = {.tokenizer = tokenizer,
                          .out = out,
                          .special = flags & PG_ENCODE_SPECIAL,
                          .canonical = tokenizer->canonical || flags & PG_ENCODE_CANONICAL};
    if (dropout)
        encoder.dropout = *dropout;
    if (encoder.canonical && tokenizer->model != PG_MODEL_UNIGRAM)
        return pg_fail(PG_ERROR_UNSUPPORTED, "SigLIP's text needs a SentencePiece unigram tokenizer");
    if (encoder.dropout.share > 0 && tokenizer->model == PG_MODEL_UNIGRAM)
        return pg_fail(PG_ERROR_UNSUPPORTED, "bpe_dropout: the tokenizer is a unigram one and merges nothing");
    pg_status status = pg_encoder_add(&encoder, text, size, true);
    pg_encoder_free(&encoder);
    PG_TRY(status);
    return flags & PG_ENCODE_EOS ? add_control(out, tokenizer->eos, "<eos>") : PG_OK;
}

pg_status pg_tokenizer_encode(int32_t **out, size_t *count, const pg_tokenizer *tokenizer, const char *text,
                              size_t size, unsigned flags)
{
    pg_ids ids = {0};
    *out = NULL;
    *count = 0;
    if (flags & ~(unsigned)(PG_ENCODE_SPECIAL | PG_ENCODE_BOS | PG_ENCODE_EOS))
        return pg_fail(PG_ERROR_ARGUMENT, "0x%x is no combination of PG_ENCODE_ flags", flags);
    pg_status status;
    PG_TRY_GOTO(pg_grow((void **)&ids.data, &ids.capacity, 1, sizeof *ids.data)); /* no ids are no NULL */
    PG_TRY_GOTO(pg_tokenizer_append(&ids, tokenizer, text, size, flags, NULL));
    *out = ids.data;
    *count = ids.count;
    return PG_OK;
done:
    pg_ids_free(&ids);
    return status;
}
