/* Reads text files and JSONL. */
#include "input.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ends what would never end, such as /dev/zero. */
#define SIZE_LIMIT ((size_t)1 << 30)

/* Doubles the room for a file that is being read. */
static int grow(char **bytes, size_t *capacity, const char *path)
{
    if (*capacity > SIZE_LIMIT)
        return pg_cli_fail("%s: found more than 1 GiB", path);
    *capacity = *capacity ? 2 * *capacity : 65536;
    char *larger = realloc(*bytes, *capacity);
    if (!larger)
        return pg_cli_fail("%s: too large for the memory", path);
    *bytes = larger;
    return PG_CLI_DONE;
}

static int read_all(char **out, size_t *size, FILE *file, const char *path)
{
    size_t capacity = 0, used = 0;
    char *bytes = NULL;
    int code = PG_CLI_DONE;
    do {
        if (used + 1 >= capacity)
            PG_CLI_TRY(grow(&bytes, &capacity, path));
        used += fread(bytes + used, 1, capacity - used - 1, file);
    } while (!feof(file) && !ferror(file));
    if (ferror(file))
        code = pg_cli_fail("%s: %s", path, strerror(errno));
done:
    if (code != PG_CLI_DONE) {
        free(bytes);
        return code;
    }
    bytes[used] = 0;
    *out = bytes;
    *size = used;
    return code;
}

int pg_cli_file_load(char **out, size_t *size, const char *path)
{
    if (strcmp(path, "-") == 0)
        return read_all(out, size, stdin, "standard input");
    FILE *file = fopen(path, "rb");
    if (!file)
        return pg_cli_fail("%s: %s", path, strerror(errno));
    int code = read_all(out, size, file, path);
    fclose(file);
    return code;
}

int pg_cli_text_load(char **out, size_t *size, const char *path)
{
    char *text;
    *out = NULL;
    int code = pg_cli_file_load(&text, size, path);
    if (code != PG_CLI_DONE)
        return code;
    if (strlen(text) != *size) {
        free(text);
        return pg_cli_fail("%s: found a NUL byte, expected text", path);
    }
    *out = text;
    return PG_CLI_DONE;
}

char *pg_cli_behind_mark(char *text)
{
    return strncmp(text, "\xef\xbb\xbf", 3) ? text : text + 3;
}

int pg_cli_lines_load(pg_cli_list *out, char **text, const char *path, const char *expected)
{
    size_t size;
    char *rest = NULL;
    *out = (pg_cli_list){0};
    int code = pg_cli_text_load(text, &size, path);
    if (!*text)
        return code;
    for (char *line = strtok_r(pg_cli_behind_mark(*text), "\r\n", &rest); line; line = strtok_r(NULL, "\r\n", &rest))
        pg_cli_list_add(out, line);
    return out->count ? PG_CLI_DONE : pg_cli_fail("%s: found no line, expected %s", path, expected);
}

int pg_cli_jsonl_open(pg_cli_jsonl *out, const char *path)
{
    *out = (pg_cli_jsonl){.path = strcmp(path, "-") == 0 ? "standard input" : path};
    return pg_cli_file_load(&out->text, &out->size, path);
}

void pg_cli_jsonl_close(pg_cli_jsonl *lines)
{
    free(lines->text);
}

static bool is_blank(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!strchr(" \t\r", text[i]) || !text[i])
            return false;
    return true;
}

int pg_cli_jsonl_next(json_t **out, pg_cli_jsonl *lines)
{
    *out = NULL;
    while (lines->next < lines->size) {
        const char *text = lines->text + lines->next;
        size_t rest = lines->size - lines->next;
        const char *end = memchr(text, '\n', rest);
        size_t size = end ? (size_t)(end - text) : rest;
        lines->next += end ? size + 1 : size;
        lines->line++;
        if (is_blank(text, size))
            continue;
        json_error_t error;
        *out = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!*out)
            return pg_cli_fail("%s: line %zu: column %d: %s", lines->path, lines->line, error.column, error.text);
        if (json_is_object(*out))
            return PG_CLI_DONE;
        json_decref(*out);
        *out = NULL;
        return pg_cli_fail("%s: line %zu: found another JSON value, expected an object", lines->path, lines->line);
    }
    return PG_CLI_DONE;
}

int pg_cli_jsonl_count(size_t *count, pg_cli_jsonl *lines, pg_cli_jsonl_check *check)
{
    json_t *object = NULL;
    int code;
    *count = 0;
    while ((code = pg_cli_jsonl_next(&object, lines)) == PG_CLI_DONE && object) {
        code = check(lines, object);
        json_decref(object);
        if (code != PG_CLI_DONE)
            return code;
        ++*count;
    }
    lines->next = lines->line = 0;
    return code;
}
