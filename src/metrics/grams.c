#include "metrics/grams.h"

#include <stdlib.h>
#include <string.h>

#include "text/index.h"

/* ---------------------------------------------------------------- sequences */

static struct pg_sequence_entry *find_slot(const pg_sequence_table *table, uint64_t key)
{
    size_t at = (size_t)pg_hash_word(key);
    for (;; at++) {
        struct pg_sequence_entry *entry = &table->entries[at & (table->capacity - 1)];
        if (!entry->number || entry->key == key)
            return entry;
    }
}

/* At most half of the slots are taken. */
static pg_status make_room(pg_sequence_table *table)
{
    if (table->count == UINT32_MAX)
        return pg_fail(PG_ERROR_LIMIT, "more than %u different runs of words", UINT32_MAX);
    if ((size_t)table->count + 1 <= table->capacity / 2)
        return PG_OK;
    pg_sequence_table larger = {.capacity = table->capacity ? 2 * table->capacity : 1024, .count = table->count};
    larger.entries = pg_alloc(larger.capacity, sizeof *larger.entries);
    if (!larger.entries)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].number)
            *find_slot(&larger, table->entries[i].key) = table->entries[i];
    pg_free(table->entries);
    *table = larger;
    return PG_OK;
}

pg_status pg_sequence_extend(uint32_t *number, pg_sequence_table *table, uint32_t prefix, uint32_t symbol)
{
    uint64_t key = (uint64_t)prefix << 32 | symbol;
    PG_TRY(make_room(table));
    struct pg_sequence_entry *entry = find_slot(table, key);
    if (!entry->number)
        *entry = (struct pg_sequence_entry){key, ++table->count};
    *number = entry->number;
    return PG_OK;
}

void pg_sequence_table_free(pg_sequence_table *table)
{
    pg_free(table->entries);
    *table = (pg_sequence_table){0};
}

/* ---------------------------------------------------------------- a text */

/* Behind the bytes, which words are made of; so a run of words is never the same as a word. */
#define WORD_SYMBOL 256

static size_t word_size(const char *text)
{
    return strcspn(text, " ");
}

static pg_status number_word(uint32_t *out, pg_sequence_table *table, const char *text, size_t size)
{
    *out = 0;
    for (size_t i = 0; i < size; i++)
        PG_TRY(pg_sequence_extend(out, table, *out, (unsigned char)text[i]));
    return PG_OK;
}

static pg_status number_words(pg_text_grams *out, pg_sequence_table *table, const char *text)
{
    size_t size = strlen(text);
    out->words = pg_alloc(size / 2 + 1, sizeof *out->words);
    if (!out->words)
        return PG_ERROR_MEMORY;
    for (size_t found; *(text += strspn(text, " ")); text += found) {
        found = word_size(text);
        PG_TRY(number_word(&out->words[out->word_count++], table, text, found));
    }
    return PG_OK;
}

static int compare_grams(const void *a, const void *b)
{
    uint32_t one = ((const pg_gram *)a)->number, other = ((const pg_gram *)b)->number;
    return (one > other) - (one < other);
}

/* Sorts the runs and counts those that are the same. */
static void count_same(pg_gram_list *list)
{
    size_t kept = 0;
    qsort(list->items, list->count, sizeof *list->items, compare_grams);
    for (size_t i = 0; i < list->count; i++)
        if (kept && list->items[kept - 1].number == list->items[i].number)
            list->items[kept - 1].count++;
        else
            list->items[kept++] = list->items[i];
    list->count = kept;
}

static pg_status count_order(pg_gram_list *list, pg_sequence_table *table, const pg_text_grams *text, size_t order)
{
    list->count = text->word_count > order ? text->word_count - order : 0;
    list->items = pg_alloc(list->count, sizeof *list->items);
    if (!list->items)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < list->count; i++) {
        list->items[i].count = 1;
        for (size_t j = i; j <= i + order; j++) /* a word's number is a symbol behind WORD_SYMBOL */
            PG_TRY(
                pg_sequence_extend(&list->items[i].number, table, list->items[i].number, WORD_SYMBOL + text->words[j]));
    }
    count_same(list);
    return PG_OK;
}

pg_status pg_text_grams_count(pg_text_grams *out, pg_sequence_table *table, const char *text)
{
    *out = (pg_text_grams){0};
    PG_TRY(number_words(out, table, text));
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++)
        PG_TRY(count_order(&out->orders[order], table, out, order));
    return PG_OK;
}

void pg_text_grams_free(pg_text_grams *grams)
{
    pg_free(grams->words);
    for (size_t order = 0; order < PG_GRAM_ORDERS; order++)
        pg_free(grams->orders[order].items);
    *grams = (pg_text_grams){0};
}

/* ---------------------------------------------------------------- all texts */

static pg_status count_item(pg_caption_grams *out, pg_sequence_table *table, const pg_comparison *item, size_t number)
{
    if (item->reference_count == 0)
        return pg_fail(PG_ERROR_ARGUMENT, "text %zu has no references", number);
    out->references = pg_alloc(item->reference_count, sizeof *out->references);
    if (!out->references)
        return PG_ERROR_MEMORY;
    PG_TRY(pg_text_grams_count(&out->prediction, table, item->prediction));
    for (size_t i = 0; i < item->reference_count; i++) {
        out->reference_count++;
        PG_TRY(pg_text_grams_count(&out->references[i], table, item->references[i]));
    }
    return PG_OK;
}

pg_status pg_corpus_grams_count(pg_corpus_grams *out, const pg_comparison *items, size_t count)
{
    *out = (pg_corpus_grams){.items = pg_alloc(count, sizeof *out->items)};
    if (!out->items)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        out->count++;
        PG_TRY(count_item(&out->items[i], &out->table, &items[i], i));
    }
    out->numbers = (size_t)out->table.count + 1;
    return PG_OK;
}

void pg_corpus_grams_free(pg_corpus_grams *corpus)
{
    for (size_t i = 0; i < corpus->count; i++) {
        pg_text_grams_free(&corpus->items[i].prediction);
        for (size_t j = 0; j < corpus->items[i].reference_count; j++)
            pg_text_grams_free(&corpus->items[i].references[j]);
        pg_free(corpus->items[i].references);
    }
    pg_free(corpus->items);
    pg_sequence_table_free(&corpus->table);
    *corpus = (pg_corpus_grams){0};
}
