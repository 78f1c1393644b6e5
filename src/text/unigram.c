/* Unigram segmentation: the pieces with the largest sum of scores, by dynamic programming over the places of the text.
 * The sums are rounded as sentencepiece's unigram_model.cc (EncodeOptimized) rounds them, so that ties fall alike. */
#include "text/encoder.h"

#include "text/utf8.h"

/* Keeps a piece if it is a better way to where it ends. */
static void arrive(pg_arrival *end, float score, size_t start, int32_t id)
{
    if (end->start < 0 || score > end->score)
        *end = (pg_arrival){score, (int32_t)start, id};
}

/* Score of a piece that ends here, `false` if the text may not become it. */
static bool piece_score(double *out, const pg_encoder *encoder, int32_t id, size_t size)
{
    const pg_tokenizer *tokenizer = encoder->tokenizer;
    unsigned flags = pg_vocab_flags(&tokenizer->vocab, id);
    *out = flags & PG_PIECE_DEFINED ? (double)((float)size * tokenizer->defined_score) - 0.1
                                    : (double)tokenizer->scores[id];
    return encoder->special || !(flags & PG_PIECE_CONTROL);
}

/* All pieces that start here. */
static void depart(const pg_encoder *encoder, const char *text, size_t size, size_t start)
{
    const pg_trie *pieces = &encoder->tokenizer->pieces;
    pg_arrival *arrivals = encoder->arrivals;
    float so_far = arrivals[start].score;
    size_t character = pg_utf8_size(text[start]);
    bool covered = false; /* the character itself is a piece */
    uint32_t node = PG_TRIE_ROOT;
    for (size_t at = start; at < size && (node = pg_trie_step(pieces, node, text[at])) != PG_TRIE_NONE;) {
        int32_t id = pieces->nodes[node].value;
        double score;
        at++;
        if (id < 0 || !piece_score(&score, encoder, id, at - start))
            continue;
        arrive(&arrivals[at], (float)(score + so_far), start, id);
        covered = covered || at - start == character;
    }
    if (!covered)
        arrive(&arrivals[start + character], encoder->tokenizer->unknown_score + so_far, start, -1);
}

/* Walks back from the end; the pieces come out last first and are turned round. */
static size_t trace_back(pg_arrival *arrivals, size_t size)
{
    size_t count = 0;
    for (size_t at = size; at > 0; count++) {
        pg_arrival piece = arrivals[at];
        arrivals[size - count] = (pg_arrival){0, (int32_t)at, piece.id};
        at = (size_t)piece.start;
    }
    return count;
}

pg_status pg_unigram_encode(pg_encoder *encoder, const char *text, size_t size)
{
    PG_TRY(pg_grow((void **)&encoder->arrivals, &encoder->arrival_capacity, size + 1, sizeof *encoder->arrivals));
    pg_arrival *arrivals = encoder->arrivals;
    for (size_t at = 0; at <= size; at++)
        arrivals[at] = (pg_arrival){0, -1, -1};
    for (size_t at = 0; at < size; at += pg_utf8_size(text[at]))
        depart(encoder, text, size, at);
    size_t count = trace_back(arrivals, size), start = 0;
    for (size_t i = size - count + 1; i <= size; i++) {
        size_t end = (size_t)arrivals[i].start;
        PG_TRY(arrivals[i].id >= 0 ? pg_ids_add(encoder->out, arrivals[i].id)
                                   : pg_encoder_add_unknown(encoder, text + start, end - start));
        start = end;
    }
    return PG_OK;
}
