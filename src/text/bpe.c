/* Byte-pair encoding without pre-tokenizer: of all neighbours that can be merged, the pair of the best rank (leftmost
 * on ties) becomes one symbol, until none can. A heap of candidates over a linked list: O(n log n) for any text.
 *
 * Exact shortcut: a merge can only make pieces of the vocabulary, so nothing ever merges across two characters that
 * stand side by side in no piece. Pieces have U+2581 (a space) at their start or after another one, hence the text
 * falls into words that do not influence each other. tokenizer.joined_to_space says where the vocabulary deviates from
 * that. */
#include "text/encoder.h"

#include "base/random.h"
#include "text/utf8.h"

/* ---------------------------------------------------------------- the heap */

static void sift_down(uint64_t *heap, size_t count, size_t at)
{
    uint64_t moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= moved)
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static pg_status push(pg_encoder *encoder, uint64_t candidate)
{
    if (encoder->heap_count == encoder->heap_capacity)
        PG_TRY(
            pg_grow((void **)&encoder->heap, &encoder->heap_capacity, encoder->heap_count + 1, sizeof *encoder->heap));
    size_t at = encoder->heap_count++;
    for (size_t parent; at > 0 && encoder->heap[parent = (at - 1) / 2] > candidate; at = parent)
        encoder->heap[at] = encoder->heap[parent];
    encoder->heap[at] = candidate;
    return PG_OK;
}

static uint64_t pop(pg_encoder *encoder)
{
    uint64_t best = encoder->heap[0];
    encoder->heap[0] = encoder->heap[--encoder->heap_count];
    if (encoder->heap_count)
        sift_down(encoder->heap, encoder->heap_count, 0);
    return best;
}

/* ---------------------------------------------------------------- symbols */

static pg_status add_symbol(pg_encoder *encoder, size_t start, size_t size, int32_t id)
{
    size_t at = encoder->symbol_count;
    if (at == encoder->symbol_capacity)
        PG_TRY(pg_grow((void **)&encoder->symbols, &encoder->symbol_capacity, at + 1, sizeof *encoder->symbols));
    encoder->symbols[at] =
        (pg_symbol){(uint32_t)start, (uint32_t)size, id, (int32_t)at - 1, (int32_t)at + 1, PG_RANK_NONE, -1};
    encoder->symbol_count++;
    return PG_OK;
}

/* Characters become symbols, those without a piece too: text of the vocabulary may hold them. */
static pg_status split(pg_encoder *encoder, const char *text, size_t size)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    encoder->symbol_count = 0;
    for (size_t at = 0, length; at < size; at += length) {
        uint8_t first = (uint8_t)text[at];
        length = pg_utf8_size(text[at]);
        PG_TRY(add_symbol(encoder, at, length,
                          first < 128 ? tokenizer->characters[first]
                                      : pg_vocab_find_plain(&tokenizer->vocab, text + at, length)));
    }
    encoder->symbols[encoder->symbol_count - 1].next = -1;
    return PG_OK;
}

/* Better scores first, as an unsigned number. */
static uint32_t rank_of_score(float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    return bits >> 31 ? bits : ~(bits | 1u << 31);
}

/* Rank of the merge of two symbols into a piece. Listed merges are of pieces; SentencePiece also merges characters that
 * are none. */
static uint32_t rank_of(const pg_tokenizer *tokenizer, const pg_symbol *left, const pg_symbol *right, int32_t result)
{
    if (tokenizer->model == PG_MODEL_PIECES)
        return result < tokenizer->score_count ? rank_of_score(tokenizer->scores[result]) : PG_RANK_NONE;
    return left->id < 0 || right->id < 0 ? PG_RANK_NONE : pg_merges_rank(&tokenizer->merges, result, left->size);
}

/* Looks up the merge of a symbol with the next one. */
static void rate(pg_encoder *encoder, const char *text, pg_symbol *symbol)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    symbol->rank = PG_RANK_NONE;
    if (symbol->next < 0)
        return;
    const pg_symbol *right = &encoder->symbols[symbol->next];
    if (symbol->size + right->size > tokenizer->vocab.longest)
        return;
    symbol->merged = pg_vocab_find_plain(&tokenizer->vocab, text + symbol->start, symbol->size + right->size);
    if (symbol->merged >= 0)
        symbol->rank = rank_of(tokenizer, symbol, right, symbol->merged);
}

static pg_status rate_and_push(pg_encoder *encoder, const char *text, int32_t at)
{
    rate(encoder, text, &encoder->symbols[at]);
    uint32_t rank = encoder->symbols[at].rank;
    return rank == PG_RANK_NONE ? PG_OK : push(encoder, (uint64_t)rank << 32 | (uint32_t)at);
}

/* Puts a symbol and its next one together. */
static pg_status merge(pg_encoder *encoder, const char *text, int32_t at)
{
    pg_symbol *symbols = encoder->symbols, *left = &symbols[at], *right = &symbols[left->next];
    left->id = left->merged;
    left->size += right->size;
    left->next = right->next;
    right->rank = PG_RANK_NONE;
    if (left->next >= 0)
        symbols[left->next].previous = at;
    PG_TRY(rate_and_push(encoder, text, at));
    return left->previous < 0 ? PG_OK : rate_and_push(encoder, text, left->previous);
}

static bool leaves_out(pg_encoder *encoder)
{
    const pg_merge_dropout *dropout = &encoder->dropout;
    return dropout->share > 0 && pg_random_uniform(dropout->seed, dropout->stream, encoder->drawn++) < dropout->share;
}

static pg_status encode_word(pg_encoder *encoder, const char *text, size_t size)
{
    PG_TRY(split(encoder, text, size));
    encoder->heap_count = 0;
    for (size_t i = 0; i < encoder->symbol_count; i++)
        PG_TRY(rate_and_push(encoder, text, (int32_t)i));
    while (encoder->heap_count) {
        uint64_t candidate = pop(encoder);
        int32_t at = (int32_t)(uint32_t)candidate;
        if (encoder->symbols[at].rank != candidate >> 32)
            continue; /* its symbols have changed since */
        if (!leaves_out(encoder))
            PG_TRY(merge(encoder, text, at));
    }
    for (int32_t at = 0; at >= 0; at = encoder->symbols[at].next) {
        const pg_symbol *symbol = &encoder->symbols[at];
        PG_TRY(symbol->id >= 0 ? pg_ids_add(encoder->out, symbol->id)
                               : pg_encoder_add_unknown(encoder, text + symbol->start, symbol->size));
    }
    return PG_OK;
}

/* Bytes up to the next space that no piece joins to what is before it. */
static size_t word_size(const pg_tokenizer *tokenizer, const char *text, size_t size)
{
    for (size_t at = 1; at + PG_BLOCK_SIZE <= size; at++)
        if (text[at] == PG_BLOCK[0] && !memcmp(text + at, PG_BLOCK, PG_BLOCK_SIZE) &&
            !tokenizer->joined_to_space[(uint8_t)text[at - 1]])
            return at;
    return size;
}

pg_status pg_bpe_encode(pg_encoder *encoder, const char *text, size_t size)
{
    while (size > 0) {
        size_t word = word_size(encoder->tokenizer, text, size);
        PG_TRY(encode_word(encoder, text, word));
        text += word;
        size -= word;
    }
    return PG_OK;
}
