#include "generate/kept.h"

#include <string.h>

#include "base/crc32c.h"

#define MIX 0x9e3779b97f4a7c15u /* 2^64 / golden ratio */

struct pg_kept_entry {
    uint64_t model, hash;
    size_t key_size, size;
    pg_kept_entry *chained;             /* the next in its chain */
    pg_kept_entry *newer, *older;       /* by last use */
    _Alignas(PG_ALIGNMENT) char data[]; /* the result, then the key */
};

uint64_t pg_kept_hash(const pg_kept_part *parts, size_t count)
{
    uint64_t hash = count;
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ parts[i].size ^ (uint64_t)pg_crc32c(parts[i].bytes, parts[i].size) << 32) * MIX;
    return hash ^ hash >> 32;
}

static pg_kept_entry **chain_of(pg_kept *kept, uint64_t hash)
{
    return &kept->chains[hash % PG_KEPT_CHAINS];
}

static size_t entry_bytes(const pg_kept_entry *entry)
{
    return sizeof *entry + entry->size + entry->key_size;
}

static size_t key_size(const pg_kept_key *key)
{
    size_t size = 0;
    for (size_t i = 0; i < key->count; i++)
        size += key->parts[i].size;
    return size;
}

static bool belongs(const pg_kept_entry *entry, const pg_kept_key *key)
{
    const char *at = entry->data + entry->size;
    if (entry->model != key->model || entry->hash != key->hash || entry->key_size != key_size(key))
        return false;
    for (size_t i = 0; i < key->count; i++) {
        if (memcmp(at, key->parts[i].bytes, key->parts[i].size) != 0)
            return false;
        at += key->parts[i].size;
    }
    return true;
}

/* ---------------------------------------------------------------- by last use */

static void take_out(pg_kept *kept, pg_kept_entry *entry)
{
    *(entry->newer ? &entry->newer->older : &kept->latest) = entry->older;
    *(entry->older ? &entry->older->newer : &kept->oldest) = entry->newer;
}

static void put_first(pg_kept *kept, pg_kept_entry *entry)
{
    entry->newer = NULL;
    entry->older = kept->latest;
    *(kept->latest ? &kept->latest->newer : &kept->oldest) = entry;
    kept->latest = entry;
}

static void drop(pg_kept *kept, pg_kept_entry *entry)
{
    pg_kept_entry **at = chain_of(kept, entry->hash);
    while (*at != entry)
        at = &(*at)->chained;
    *at = entry->chained;
    take_out(kept, entry);
    kept->bytes -= entry_bytes(entry);
    pg_free(entry);
}

/* ---------------------------------------------------------------- what others do */

const void *pg_kept_find(pg_kept *kept, const pg_kept_key *key, size_t size)
{
    for (pg_kept_entry *entry = *chain_of(kept, key->hash); entry; entry = entry->chained)
        if (entry->size == size && belongs(entry, key)) {
            take_out(kept, entry);
            put_first(kept, entry);
            return entry->data;
        }
    return NULL;
}

static void copy_key(pg_kept_entry *entry, const pg_kept_key *key)
{
    char *at = entry->data + entry->size;
    for (size_t i = 0; i < key->count; i++) {
        memcpy(at, key->parts[i].bytes, key->parts[i].size);
        at += key->parts[i].size;
    }
}

void *pg_kept_add(pg_kept *kept, const pg_kept_key *key, size_t size)
{
    pg_kept_entry about = {.model = key->model, .hash = key->hash, .key_size = key_size(key), .size = size};
    size_t bytes = entry_bytes(&about);
    if (bytes > kept->limit)
        return NULL;
    while (kept->bytes + bytes > kept->limit)
        drop(kept, kept->oldest);
    pg_kept_entry *entry = pg_alloc(1, bytes);
    if (!entry)
        return NULL;
    memcpy(entry, &about, sizeof about);
    copy_key(entry, key);
    entry->chained = *chain_of(kept, key->hash);
    *chain_of(kept, key->hash) = entry;
    put_first(kept, entry);
    kept->bytes += bytes;
    return entry->data;
}

void pg_kept_free(pg_kept *kept)
{
    while (kept->oldest)
        drop(kept, kept->oldest);
}
