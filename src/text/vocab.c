#include "text/vocab.h"

#include "text/utf8.h"

/* Ids become array indices: a file of some bytes must not make us reserve gigabytes. */
#define LARGEST_ID (PG_INDEX_MAX - 1)

static pg_status reserve_id(pg_vocab *vocab, int64_t id)
{
    if (id < 0 || id > LARGEST_ID)
        return pg_fail(PG_ERROR_FORMAT, "%s: id %lld is outside 0..%u", vocab->name, (long long)id, LARGEST_ID);
    size_t need = (size_t)id + 1;
    if (need <= vocab->size)
        return PG_OK;
    PG_TRY(pg_grow((void **)&vocab->pieces, &vocab->capacity, need, sizeof *vocab->pieces));
    memset(vocab->pieces + vocab->size, 0, (need - vocab->size) * sizeof *vocab->pieces);
    vocab->size = need;
    return PG_OK;
}

static pg_status check_piece(const pg_vocab *vocab, int64_t id, const char *text, size_t size)
{
    if (size == 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: the piece of id %lld is empty", vocab->name, (long long)id);
    if (size > PG_PIECE_LONGEST)
        return pg_fail(PG_ERROR_LIMIT, "%s: the piece of id %lld has %zu bytes, at most %d are possible", vocab->name,
                       (long long)id, size, PG_PIECE_LONGEST);
    if (pg_utf8_check(text, size) != size)
        return pg_fail(PG_ERROR_FORMAT, "%s: the piece of id %lld is not valid UTF-8", vocab->name, (long long)id);
    return PG_OK;
}

static pg_status index_piece(pg_vocab *vocab, int32_t id)
{
    const char *text = pg_vocab_text(vocab, id);
    size_t size = vocab->pieces[id].size;
    if (pg_vocab_find(vocab, text, size) >= 0)
        return pg_fail(PG_ERROR_FORMAT, "%s: the piece \"%s\" of id %d is there twice", vocab->name, text, id);
    if (!pg_index_add(&vocab->index, pg_hash_text(text, size), (uint32_t)id))
        return pg_fail(PG_ERROR_FORMAT, "%s: the vocabulary is made to be slow", vocab->name);
    return PG_OK;
}

pg_status pg_vocab_add(pg_vocab *vocab, int64_t id, const char *text, size_t size, unsigned flags)
{
    PG_TRY(check_piece(vocab, id, text, size));
    PG_TRY(reserve_id(vocab, id));
    pg_piece *piece = &vocab->pieces[id];
    if (piece->flags)
        return pg_fail(PG_ERROR_FORMAT, "%s: id %lld has two pieces", vocab->name, (long long)id);
    size_t offset = vocab->bytes.size;
    if (offset > UINT32_MAX - PG_PIECE_LONGEST - 1)
        return pg_fail(PG_ERROR_LIMIT, "%s: more than 4 GiB of pieces", vocab->name);
    PG_TRY(pg_buffer_append(&vocab->bytes, text, size));
    PG_TRY(pg_buffer_append(&vocab->bytes, "", 1));
    *piece = (pg_piece){(uint32_t)offset, (uint16_t)size, (uint16_t)(flags | PG_PIECE_PRESENT)};
    vocab->count++;
    if (size > vocab->longest)
        vocab->longest = size;
    if (!vocab->indexed)
        return PG_OK;
    if (vocab->count * 2 > vocab->index.mask)
        return pg_vocab_index(vocab);
    return index_piece(vocab, (int32_t)id);
}

pg_status pg_vocab_index(pg_vocab *vocab)
{
    pg_index_free(&vocab->index);
    PG_TRY(pg_index_new(&vocab->index, vocab->count));
    vocab->indexed = true;
    for (size_t id = 0; id < vocab->size; id++)
        if (vocab->pieces[id].flags)
            PG_TRY(index_piece(vocab, (int32_t)id));
    return PG_OK;
}

void pg_vocab_free(pg_vocab *vocab)
{
    pg_buffer_free(&vocab->bytes);
    pg_free(vocab->pieces);
    pg_index_free(&vocab->index);
    *vocab = (pg_vocab){0};
}

int32_t pg_vocab_find(const pg_vocab *vocab, const char *text, size_t size)
{
    uint64_t hash = pg_hash_text(text, size);
    uint32_t at = (uint32_t)hash;
    for (uint32_t id; (id = pg_index_next(&vocab->index, hash, &at)) != PG_INDEX_NONE;)
        if (vocab->pieces[id].size == size && pg_same_text(pg_vocab_text(vocab, (int32_t)id), text, size))
            return (int32_t)id;
    return -1;
}

int32_t pg_vocab_find_plain(const pg_vocab *vocab, const char *text, size_t size)
{
    int32_t id = pg_vocab_find(vocab, text, size);
    return pg_vocab_flags(vocab, id) & (PG_PIECE_CONTROL | PG_PIECE_BYTE | PG_PIECE_UNKNOWN) ? -1 : id;
}

int pg_byte_of_piece(const char *text, size_t size)
{
    static const char digits[] = "0123456789ABCDEF";
    if (size != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    const char *high = memchr(digits, text[3], 16), *low = memchr(digits, text[4], 16);
    return high && low ? (int)(high - digits) * 16 + (int)(low - digits) : -1;
}
