#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"
#include "serve/routes.h"
#include "serve/server.h"

#define JSON_TYPE "application/json"

static const char no_memory[] = "{\"error\": {\"message\": \"out of memory\", \"type\": \"server_error\", \"param\": "
                                "null, \"code\": null}}";

/* ---------------------------------------------------------------- making */

/* 22 letters and digits: more than 128 bits of chance. */
static void make_id(char out[28])
{
    static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    uint8_t random[22] = {0};
    if (getrandom(random, sizeof random, 0) < 0)
        memset(random, 0, sizeof random);
    memcpy(out, "req_", 4);
    for (size_t i = 0; i < sizeof random; i++)
        out[4 + i] = letters[random[i] % (sizeof letters - 1)];
    out[26] = 0;
}

pg_exchange *pg_exchange_new(struct pg_server *server, const char *path)
{
    pg_exchange *exchange = pg_alloc(1, sizeof *exchange);
    if (!exchange)
        return NULL;
    exchange->server = server;
    exchange->socket = -1;
    exchange->type = JSON_TYPE;
    exchange->began = pg_clock();
    make_id(exchange->id);
    exchange->path = pg_copy_text(path, SIZE_MAX);
    if (exchange->path)
        return exchange;
    pg_exchange_free(exchange);
    return NULL;
}

void pg_exchange_end_stream(pg_exchange *exchange)
{
    if (exchange->stream_free)
        exchange->stream_free(exchange->stream);
    exchange->stream_free = NULL;
}

void pg_exchange_free(pg_exchange *exchange)
{
    pg_exchange_end_stream(exchange);
    for (size_t i = 0; i < exchange->part_count; i++) {
        pg_free(exchange->parts[i].name);
        pg_free(exchange->parts[i].file_name);
        pg_buffer_free(&exchange->parts[i].bytes);
    }
    pg_free(exchange->parts);
    pg_buffer_free(&exchange->body);
    pg_buffer_free(&exchange->answer);
    pg_free(exchange->asked);
    pg_free(exchange->told);
    pg_free(exchange->path);
    pg_free(exchange);
}

/* ---------------------------------------------------------------- the request */

/* A form's fields without file. */
static pg_status collect_fields(json_t *out, const pg_exchange *exchange)
{
    for (size_t i = 0; i < exchange->part_count; i++) {
        const pg_part *part = &exchange->parts[i];
        if (part->file_name)
            continue;
        if (json_object_get(out, part->name))
            return pg_fail(PG_ERROR_FORMAT, "the form has the field \"%s\" twice", part->name);
        json_t *text = json_stringn(part->bytes.size ? part->bytes.data : "", part->bytes.size);
        if (json_object_set_new(out, part->name, text) != 0)
            return pg_fail(PG_ERROR_FORMAT, "field %zu of the form is not UTF-8", i + 1);
    }
    return PG_OK;
}

pg_status pg_exchange_object(json_t **out, const pg_exchange *exchange)
{
    pg_status status = PG_OK;
    *out = NULL;
    if (exchange->form) {
        *out = json_object();
        status = *out ? collect_fields(*out, exchange) : pg_fail(PG_ERROR_MEMORY, "out of memory");
    } else if (!exchange->body.size) {
        status = pg_fail(PG_ERROR_FORMAT, "the request has no body, expected a JSON object");
    } else {
        status = pg_json_parse(out, exchange->body.data, exchange->body.size, "request");
    }
    if (status == PG_OK && !json_is_object(*out))
        status = pg_fail(PG_ERROR_FORMAT, "request: expected a JSON object");
    if (status != PG_OK && *out) {
        json_decref(*out);
        *out = NULL;
    }
    return status;
}

/* A line for each file of a form that is no "image", and so is not looked at. */
static pg_status warn_of_files(const pg_exchange *exchange, json_t *warnings)
{
    for (size_t i = 0; i < exchange->part_count; i++)
        if (exchange->parts[i].file_name && strcmp(exchange->parts[i].name, "image") != 0)
            PG_TRY(pg_warn_of(warnings, exchange->parts[i].name, "is a file that is ignored: pictures are \"image\""));
    return PG_OK;
}

pg_status pg_exchange_fields(json_t **document, json_t **warnings, void *out, const pg_field *const *tables,
                             const pg_exchange *exchange)
{
    *document = NULL;
    *warnings = json_array();
    if (!*warnings)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    PG_TRY(pg_exchange_object(document, exchange));
    PG_TRY(pg_fields_read(out, tables, *document, exchange->form, *warnings));
    return warn_of_files(exchange, *warnings);
}

bool pg_exchange_gone(const pg_exchange *exchange)
{
    struct pollfd ends = {.fd = exchange->socket, .events = POLLRDHUP};
    if (exchange->server && atomic_load(&exchange->server->stopping))
        return true;
    return exchange->socket >= 0 && poll(&ends, 1, 0) > 0 && (ends.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

pg_status pg_exchange_check(const pg_exchange *exchange)
{
    if (pg_exchange_gone(exchange))
        return pg_fail(PG_ERROR_CANCELLED, "nobody waits for the answer any more");
    if (exchange->server && pg_clock() - exchange->began > exchange->server->options.deadline)
        return pg_fail(PG_ERROR_DEADLINE, "the answer was not made within %g seconds",
                       exchange->server->options.deadline);
    return PG_OK;
}

/* ---------------------------------------------------------------- the answer */

pg_status pg_exchange_json(pg_exchange *exchange, json_t *document)
{
    if (!document)
        return pg_fail(PG_ERROR_MEMORY, "out of memory");
    pg_buffer_reset(&exchange->answer);
    pg_status status = pg_json_print(&exchange->answer, document);
    json_decref(document);
    PG_TRY(status);
    exchange->status = 200;
    exchange->type = JSON_TYPE;
    return PG_OK;
}

void pg_exchange_file_bytes(pg_exchange *exchange, const char *type, const uint8_t *bytes, size_t size)
{
    exchange->status = 200;
    exchange->type = type;
    exchange->borrowed = bytes;
    exchange->borrowed_size = size;
}

void pg_exchange_stream(pg_exchange *exchange, pg_stream_next *next, void (*done)(void *user), void *user)
{
    exchange->status = 200;
    exchange->type = "text/event-stream";
    exchange->next = next;
    exchange->stream_free = done;
    exchange->stream = user;
}

static const char *error_type(int status)
{
    switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 429: return "rate_limit_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
    }
}

/* A text that ends within a character, cut off there; else one about it. */
static json_t *make_text(const char *text)
{
    size_t size = strlen(text);
    json_t *made = json_stringn(text, size);
    for (int i = 0; i < 3 && !made && size; i++)
        made = json_stringn(text, --size);
    return made ? made : json_string("the reason cannot be shown: it is not UTF-8");
}

static void set_error(pg_exchange *exchange, int status, const char *code, const char *text)
{
    json_t *document = json_pack("{s:{s:o, s:s, s:n, s:s?}}", "error", "message", make_text(text), "type",
                                 error_type(status), "param", "code", code);
    if (pg_exchange_json(exchange, document) != PG_OK)
        pg_exchange_file_bytes(exchange, JSON_TYPE, (const uint8_t *)no_memory, sizeof no_memory - 1);
    exchange->status = status;
}

pg_status pg_exchange_refuse(pg_exchange *exchange, int status, const char *code, const char *format, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    set_error(exchange, status, code, text);
    return PG_OK;
}

void pg_exchange_fail(pg_exchange *exchange, pg_status status)
{
    static const struct {
        pg_status status;
        int http;
        const char *code;
    } kinds[] = {
        {PG_ERROR_ARGUMENT, 400, "invalid_value"},   {PG_ERROR_FORMAT, 400, "invalid_value"},
        {PG_ERROR_UNSUPPORTED, 400, "unsupported"},  {PG_ERROR_LIMIT, 400, "too_large"},
        {PG_ERROR_BUSY, 429, "queue_full"},          {PG_ERROR_CANCELLED, 499, "cancelled"},
        {PG_ERROR_DEADLINE, 503, "deadline_passed"}, {PG_ERROR_MEMORY, 503, "out_of_memory"},
    };
    int http = 500;
    const char *code = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].status == status) {
            http = kinds[i].http;
            code = kinds[i].code;
        }
    if (http == 499 && exchange->server && atomic_load(&exchange->server->stopping)) {
        http = 503;
        code = "stopping";
    }
    if (http == 429 || http == 503)
        exchange->retry_after = http == 429 ? 1 : 5;
    set_error(exchange, http, code, pg_error_last());
}

void pg_exchange_note(pg_exchange *exchange, const char *asked, const char *told)
{
    if (!exchange->server || !exchange->server->options.log_content)
        return;
    if (asked && !exchange->asked)
        exchange->asked = pg_copy_text(asked, SIZE_MAX);
    if (told && !exchange->told)
        exchange->told = pg_copy_text(told, SIZE_MAX);
}
