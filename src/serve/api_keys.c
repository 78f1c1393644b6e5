#include "serve/api_keys.h"

#include <string.h>

#include "base/file.h"

#define LARGEST_FILE ((size_t)1 << 20)
#define SHORTEST_KEY 16

struct pg_api_keys {
    char **items;
    size_t count, capacity;
};

static pg_status add_key(pg_api_keys *keys, const char *line, size_t size, const char *path)
{
    while (size && strchr(" \t\r", line[size - 1]))
        size--;
    while (size && strchr(" \t", *line))
        line++, size--;
    if (!size || *line == '#')
        return PG_OK;
    if (size < SHORTEST_KEY)
        return pg_fail(PG_ERROR_FORMAT, "%s: key %zu has %zu characters, expected at least %d", path, keys->count + 1,
                       size, SHORTEST_KEY);
    PG_TRY(pg_grow((void **)&keys->items, &keys->capacity, keys->count + 1, sizeof *keys->items));
    char *key = pg_copy_text(line, size);
    if (!key)
        return PG_ERROR_MEMORY;
    keys->items[keys->count++] = key;
    return PG_OK;
}

static pg_status add_keys(pg_api_keys *keys, const pg_buffer *text, const char *path)
{
    for (size_t at = 0; at < text->size;) {
        const char *line = text->data + at, *end = memchr(line, '\n', text->size - at);
        size_t size = end ? (size_t)(end - line) : text->size - at;
        PG_TRY(add_key(keys, line, size, path));
        at += size + 1;
    }
    return keys->count ? PG_OK : pg_fail(PG_ERROR_FORMAT, "%s: no key in it, expected one a line", path);
}

pg_status pg_api_keys_load(pg_api_keys **out, const char *path)
{
    pg_buffer text = {0};
    *out = NULL;
    pg_api_keys *keys = pg_alloc(1, sizeof *keys);
    if (!keys)
        return PG_ERROR_MEMORY;
    pg_status status = pg_file_read(&text, path, LARGEST_FILE);
    if (status == PG_OK)
        status = add_keys(keys, &text, path);
    if (text.size)
        explicit_bzero(text.data, text.size);
    pg_buffer_free(&text);
    if (status == PG_OK)
        *out = keys;
    else
        pg_api_keys_free(keys);
    return status;
}

void pg_api_keys_free(pg_api_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; i < keys->count; i++) {
        explicit_bzero(keys->items[i], strlen(keys->items[i]));
        pg_free(keys->items[i]);
    }
    pg_free(keys->items);
    pg_free(keys);
}

/* Every byte of the key is looked at, whatever was given. */
static bool is_same(const char *key, const char *given, size_t given_size)
{
    size_t size = strlen(key);
    volatile unsigned difference = size != given_size;
    for (size_t i = 0; i < size; i++)
        difference |= (unsigned char)key[i] ^ (unsigned char)(given_size ? given[i % given_size] : 0);
    return difference == 0;
}

size_t pg_api_keys_find(const pg_api_keys *keys, const char *given)
{
    size_t found = 0, size = strlen(given);
    for (size_t i = 0; i < keys->count; i++)
        if (is_same(keys->items[i], given, size))
            found = i + 1; /* the others are looked at all the same */
    return found;
}
