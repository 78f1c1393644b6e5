/* A prefix tree over bytes: which keys does a text start with? */
#ifndef PG_TEXT_TRIE_H
#define PG_TEXT_TRIE_H

#include "text/index.h"

#define PG_TRIE_ROOT 0u
#define PG_TRIE_NONE UINT32_MAX

typedef struct pg_trie_node {
    uint32_t parent;
    int32_t value; /* -1: no key ends here */
    uint8_t byte;  /* that leads here from the parent */
} pg_trie_node;

typedef struct pg_trie {
    pg_trie_node *nodes;
    uint32_t count, capacity;
    uint32_t first[256]; /* children of the root */
    pg_index index;      /* other children, by parent and byte */
} pg_trie;

/* An empty tree with room for keys of `bytes` bytes in all. An empty tree may also be all zeros; it then takes no keys.
 */
pg_status pg_trie_new(pg_trie *out, size_t bytes);
void pg_trie_free(pg_trie *trie);

/* A key that is there already keeps its value. False if the keys were made to be slow. */
bool pg_trie_add(pg_trie *trie, const char *key, size_t size, int32_t value);

/* The node one byte further, PG_TRIE_NONE if there is none. */
static inline uint32_t pg_trie_step(const pg_trie *trie, uint32_t node, char next)
{
    uint8_t byte = (uint8_t)next;
    if (node == PG_TRIE_ROOT)
        return trie->count ? trie->first[byte] : PG_TRIE_NONE;
    uint64_t hash = pg_hash_word((uint64_t)node << 8 | byte);
    uint32_t at = (uint32_t)hash;
    for (uint32_t child; (child = pg_index_next(&trie->index, hash, &at)) != PG_INDEX_NONE;)
        if (trie->nodes[child].parent == node && trie->nodes[child].byte == byte)
            return child;
    return PG_TRIE_NONE;
}

#endif
