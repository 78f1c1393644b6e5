/* The rules, and the order in which variables count, are those of huggingface_hub/constants.py. */
#include "hub/hub_place.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/file.h"

#define DEFAULT_ENDPOINT "https://huggingface.co"
#define DEFAULT_TIMEOUT  10
#define LONGEST_TOKEN    ((size_t)4096)

/* NULL where it is not set or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool is_true(const char *value)
{
    return value &&
           (!strcmp(value, "1") || !strcasecmp(value, "on") || !strcasecmp(value, "yes") || !strcasecmp(value, "true"));
}

static long seconds_of(const char *name)
{
    const char *value = variable(name);
    long seconds = value ? strtol(value, NULL, 10) : 0;
    return seconds > 0 && seconds < 86400 ? seconds : DEFAULT_TIMEOUT;
}

static const char *home(void)
{
    const char *folder = variable("HOME");
    return folder ? folder : ".";
}

/* The length of the name behind a dollar sign, with its braces: 0 where it is none. */
static size_t measure_variable(const char *text)
{
    size_t size = *text == '{';
    while (isalnum((unsigned char)text[size]) || text[size] == '_')
        size++;
    if (*text != '{')
        return size;
    return size > 1 && text[size] == '}' ? size + 1 : 0;
}

/* $NAME or ${NAME}, as it stands where there is no such variable. */
static pg_status append_variable(pg_buffer *out, const char *text, size_t size)
{
    size_t brace = *text == '{';
    char *name = pg_copy_text(text + brace, size - 2 * brace);
    if (!name)
        return PG_ERROR_MEMORY;
    const char *value = getenv(name);
    pg_status status = value ? pg_buffer_print(out, "%s", value) : pg_buffer_print(out, "$%.*s", (int)size, text);
    pg_free(name);
    return status;
}

/* A path with ~ and variables in it. */
static pg_status append_path(pg_buffer *out, const char *text)
{
    if (*text == '~' && (text[1] == '/' || !text[1])) {
        PG_TRY(pg_buffer_print(out, "%s", home()));
        text++;
    }
    while (*text) {
        size_t size = *text == '$' ? measure_variable(text + 1) : 0;
        PG_TRY(size ? append_variable(out, text + 1, size) : pg_buffer_append(out, text, 1));
        text += size + 1;
    }
    return pg_buffer_append(out, "", 0);
}

static pg_status find_home(pg_buffer *out)
{
    const char *given = variable("HF_HOME"), *caches = variable("XDG_CACHE_HOME");
    if (given)
        return append_path(out, given);
    if (caches)
        PG_TRY(append_path(out, caches));
    else
        PG_TRY(pg_buffer_print(out, "%s/.cache", home()));
    return pg_buffer_print(out, "/huggingface");
}

static pg_status find_cache(pg_buffer *out)
{
    const char *given = variable("HF_HUB_CACHE");
    if (!given)
        given = variable("HUGGINGFACE_HUB_CACHE");
    if (given)
        return append_path(out, given);
    PG_TRY(find_home(out));
    return pg_buffer_print(out, "/hub");
}

static pg_status find_endpoint(pg_buffer *out)
{
    const char *given = variable("HF_ENDPOINT");
    PG_TRY(pg_buffer_print(out, "%s", given ? given : DEFAULT_ENDPOINT));
    while (out->size && out->data[out->size - 1] == '/')
        out->data[--out->size] = 0;
    if (strncasecmp(out->data, "https://", 8) && strncasecmp(out->data, "http://", 7))
        return pg_fail(PG_ERROR_ARGUMENT, "HF_ENDPOINT: found \"%s\"; expected an address such as " DEFAULT_ENDPOINT,
                       out->data);
    return PG_OK;
}

/* A token is one word: a line break in it would begin another header. Its text is in no message. */
static pg_status check_token(pg_buffer *token, const char *from)
{
    size_t size = token->size;
    while (size && isspace((unsigned char)token->data[size - 1]))
        token->data[--size] = 0;
    token->size = size;
    for (size_t i = 0; i < size; i++)
        if (!isgraph((unsigned char)token->data[i]))
            return pg_fail(PG_ERROR_ARGUMENT, "%s: byte %zu of the token is not a printed character of ASCII", from,
                           i + 1);
    return PG_OK;
}

static pg_status read_token(pg_buffer *out, const char *path)
{
    if (!pg_file_exists(path))
        return PG_OK;
    PG_TRY(pg_file_read(out, path, LONGEST_TOKEN));
    return check_token(out, path);
}

static pg_status find_token(pg_buffer *out)
{
    const char *given = variable("HF_TOKEN"), *path = variable("HF_TOKEN_PATH");
    if (is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")))
        return PG_OK;
    if (!given)
        given = variable("HUGGING_FACE_HUB_TOKEN");
    if (given) {
        PG_TRY(pg_buffer_print(out, "%s", given));
        return check_token(out, "HF_TOKEN");
    }
    pg_buffer place = {0};
    pg_status status = path ? append_path(&place, path) : find_home(&place);
    if (status == PG_OK && !path)
        status = pg_buffer_print(&place, "/token");
    if (status == PG_OK)
        status = read_token(out, place.data);
    pg_buffer_free(&place);
    return status;
}

pg_status pg_hub_place_find(pg_hub_place *out)
{
    *out = (pg_hub_place){0};
    const char *offline = variable("HF_HUB_OFFLINE");
    out->offline = is_true(offline ? offline : variable("TRANSFORMERS_OFFLINE"));
    out->answer_timeout = seconds_of("HF_HUB_ETAG_TIMEOUT");
    out->silence_timeout = seconds_of("HF_HUB_DOWNLOAD_TIMEOUT");
    PG_TRY(find_cache(&out->cache));
    PG_TRY(find_endpoint(&out->endpoint));
    return find_token(&out->token);
}

void pg_hub_place_free(pg_hub_place *place)
{
    if (place->token.data)
        explicit_bzero(place->token.data, place->token.capacity);
    pg_buffer_free(&place->token);
    pg_buffer_free(&place->cache);
    pg_buffer_free(&place->endpoint);
}
