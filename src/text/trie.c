#include "text/trie.h"

pg_status pg_trie_new(pg_trie *out, size_t bytes)
{
    *out = (pg_trie){0};
    if (bytes >= PG_INDEX_MAX)
        return pg_fail(PG_ERROR_LIMIT, "%zu bytes of keys, at most %u are possible", bytes, (unsigned)PG_INDEX_MAX - 1);
    out->capacity = (uint32_t)bytes + 1;
    out->nodes = pg_alloc(out->capacity, sizeof *out->nodes);
    pg_status status = out->nodes ? pg_index_new(&out->index, bytes) : PG_ERROR_MEMORY;
    if (status != PG_OK) {
        pg_trie_free(out);
        return status;
    }
    out->nodes[PG_TRIE_ROOT].value = -1;
    out->count = 1;
    for (int byte = 0; byte < 256; byte++)
        out->first[byte] = PG_TRIE_NONE;
    return PG_OK;
}

void pg_trie_free(pg_trie *trie)
{
    pg_free(trie->nodes);
    pg_index_free(&trie->index);
    *trie = (pg_trie){0};
}

/* The child of a node, made if it is not there; PG_TRIE_NONE if it cannot be. */
static uint32_t step_or_grow(pg_trie *trie, uint32_t node, char next)
{
    uint32_t child = pg_trie_step(trie, node, next);
    if (child != PG_TRIE_NONE || trie->count == trie->capacity)
        return child;
    uint8_t byte = (uint8_t)next;
    child = trie->count++;
    trie->nodes[child] = (pg_trie_node){node, -1, byte};
    if (node == PG_TRIE_ROOT)
        trie->first[byte] = child;
    else if (!pg_index_add(&trie->index, pg_hash_word((uint64_t)node << 8 | byte), child))
        return PG_TRIE_NONE;
    return child;
}

bool pg_trie_add(pg_trie *trie, const char *key, size_t size, int32_t value)
{
    uint32_t node = PG_TRIE_ROOT;
    for (size_t i = 0; i < size; i++)
        if ((node = step_or_grow(trie, node, key[i])) == PG_TRIE_NONE)
            return false;
    if (trie->nodes[node].value < 0)
        trie->nodes[node].value = value;
    return true;
}
