/* Texts as counted runs of words (n-grams), which metrics of captions compare. Words are what stands between spaces. */
#ifndef PG_METRICS_GRAMS_H
#define PG_METRICS_GRAMS_H

#include "base/memory.h"

#define PG_GRAM_ORDERS 4 /* runs of 1 to 4 words */

/* A number for every sequence of symbols: one that is met again gets the same. */
typedef struct pg_sequence_table {
    struct pg_sequence_entry {
        uint64_t key; /* prefix and symbol */
        uint32_t number;
    } * entries; /* slots; number 0: free */
    size_t capacity;
    uint32_t count;
} pg_sequence_table;

/* *number: that of a sequence with one more symbol at its end; 0 is the empty one. */
pg_status pg_sequence_extend(uint32_t *number, pg_sequence_table *table, uint32_t prefix, uint32_t symbol);
void pg_sequence_table_free(pg_sequence_table *table);

typedef struct pg_gram {
    uint32_t number, count;
} pg_gram;

typedef struct pg_gram_list {
    pg_gram *items; /* by number */
    size_t count;
} pg_gram_list;

typedef struct pg_text_grams {
    uint32_t *words; /* as numbers */
    size_t word_count;
    pg_gram_list orders[PG_GRAM_ORDERS];
} pg_text_grams;

pg_status pg_text_grams_count(pg_text_grams *out, pg_sequence_table *table, const char *text);
void pg_text_grams_free(pg_text_grams *grams);

/* A text and its references. */
typedef struct pg_caption_grams {
    pg_text_grams prediction, *references;
    size_t reference_count;
} pg_caption_grams;

/* Of all comparisons; `numbers`: one more than the largest number of a run. */
typedef struct pg_corpus_grams {
    pg_sequence_table table;
    pg_caption_grams *items;
    size_t count, numbers;
} pg_corpus_grams;

pg_status pg_corpus_grams_count(pg_corpus_grams *out, const pg_comparison *items, size_t count);
void pg_corpus_grams_free(pg_corpus_grams *corpus);

/* ---------------------------------------------------------------- what is made of them: each[i] belongs to item i */

pg_status pg_cider(double *each, const pg_corpus_grams *corpus);
void pg_bleu(double out[PG_GRAM_ORDERS], double (*each)[PG_GRAM_ORDERS], const pg_corpus_grams *corpus);
pg_status pg_rouge_l(double *each, const pg_corpus_grams *corpus);

#endif
