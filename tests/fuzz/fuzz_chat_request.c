/* Any bytes as the body of a request, as a field of a form, and as a picture's URL: what is read is whole, and all of
 * it is freed. The first byte chooses. */
#include <string.h>

#include "serve/chat_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

static void read_chat(const char *bytes, size_t size)
{
    pg_chat_request request = {0};
    pg_exchange *exchange = pg_exchange_new(NULL, "/v1/chat/completions");
    if (!exchange)
        return;
    if (pg_buffer_append(&exchange->body, bytes, size) == PG_OK && pg_chat_request_read(&request, exchange) == PG_OK)
        expect(request.generation.prompt && request.generation.answers >= 1 && request.generation.answers <= 16);
    pg_generation_free(&request.generation);
    pg_exchange_free(exchange);
}

/* NAME=VALUE NAME=VALUE, each a field. */
static void read_form(const char *bytes, size_t size)
{
    pg_generation generation = {0};
    pg_exchange *exchange = pg_exchange_new(NULL, "/v1/caption");
    static const pg_field none[] = {{0}};
    pg_part parts[8] = {0};
    size_t count = 0;
    for (size_t at = 0; exchange && at < size && count < 8; count++) {
        size_t end = at;
        while (end < size && bytes[end] != '\n')
            end++;
        const char *equals = memchr(bytes + at, '=', end - at);
        size_t name = equals ? (size_t)(equals - bytes) - at : end - at;
        parts[count].name = pg_copy_text(bytes + at, name);
        if (equals)
            pg_buffer_append(&parts[count].bytes, equals + 1, end - at - name - 1);
        at = end + 1;
    }
    if (exchange) {
        exchange->form = true;
        exchange->parts = parts;
        exchange->part_count = count;
        pg_generation_init(&generation);
        (void)pg_generation_read(&generation, exchange, none);
        exchange->parts = NULL;
        exchange->part_count = 0;
        pg_exchange_free(exchange);
    }
    for (size_t i = 0; i < count; i++) {
        pg_free(parts[i].name);
        pg_buffer_free(&parts[i].bytes);
    }
    pg_generation_free(&generation);
}

static void read_url(const char *bytes, size_t size)
{
    pg_buffer out = {0};
    char *url = pg_copy_text(bytes, size);
    if (url && pg_data_url_decode(&out, url) == PG_OK)
        expect(out.size <= size);
    pg_free(url);
    pg_buffer_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    const char *bytes = (const char *)data + 1;
    if (data[0] == 'f')
        read_form(bytes, size - 1);
    else if (data[0] == 'u')
        read_url(bytes, size - 1);
    else
        read_chat(bytes, size - 1);
    return 0;
}
