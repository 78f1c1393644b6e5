/*
 * Messages to a prompt. PaliGemma is no chat model: it answers one prompt about its pictures. So the last user turn
 * counts, as servers that have no chat template do it, and nothing else does.
 */
#include "serve/chat_request.h"

#include <string.h>

#define PLACE(member) offsetof(pg_chat_request, member)

static const pg_field chat_fields[] = {
    {"messages", PG_FIELD_VALUE, PLACE(messages), 0, 0},
    {"response_format", PG_FIELD_VALUE, PLACE(response_format), 0, 0},
    {"logprobs", PG_FIELD_TRUTH, PLACE(generation.logprobs), 0, 0},
    {"top_logprobs", PG_FIELD_INTEGER, PLACE(generation.top_logprobs), 0, PG_TOP_LOGPROBS},
    {"tools", PG_FIELD_IGNORED, 0, 0, 0},
    {"tool_choice", PG_FIELD_IGNORED, 0, 0, 0},
    {"parallel_tool_calls", PG_FIELD_IGNORED, 0, 0, 0},
    {"functions", PG_FIELD_IGNORED, 0, 0, 0},
    {"function_call", PG_FIELD_IGNORED, 0, 0, 0},
    {"modalities", PG_FIELD_IGNORED, 0, 0, 0},
    {"audio", PG_FIELD_IGNORED, 0, 0, 0},
    {"prediction", PG_FIELD_IGNORED, 0, 0, 0},
    {"reasoning_effort", PG_FIELD_IGNORED, 0, 0, 0},
    {"verbosity", PG_FIELD_IGNORED, 0, 0, 0},
    {0},
};

static bool has_role(const json_t *message, const char *role)
{
    const char *found = json_string_value(json_object_get(message, "role"));
    return found && strcmp(found, role) == 0;
}

static pg_status check_messages(const json_t *messages)
{
    static const char *const roles[] = {"system", "developer", "user", "assistant", "tool", "function", NULL};
    if (!json_is_array(messages) || !json_array_size(messages))
        return pg_fail(PG_ERROR_FORMAT, "\"messages\": expected a list of at least one message");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *message = json_array_get(messages, i);
        const char *const *role = roles;
        while (*role && !has_role(message, *role))
            role++;
        if (!*role)
            return pg_fail(PG_ERROR_FORMAT, "\"messages\": message %zu has no known \"role\"", i);
    }
    return PG_OK;
}

/* The last message of a user, and warnings about the others. */
static pg_status find_turn(const json_t **out, pg_chat_request *request)
{
    size_t count = json_array_size(request->messages), last = count;
    for (size_t i = 0; i < count; i++)
        if (has_role(json_array_get(request->messages, i), "user"))
            last = i;
    if (last == count)
        return pg_fail(PG_ERROR_FORMAT, "\"messages\": none is from the role \"user\"");
    *out = json_array_get(request->messages, last);
    for (size_t i = 0; i < count; i++)
        if (i != last)
            PG_TRY(
                pg_generation_warn(&request->generation,
                                   "message %zu (%s) is ignored: only the last user message counts", i,
                                   json_string_value(json_object_get(json_array_get(request->messages, i), "role"))));
    return PG_OK;
}

static pg_status add_text(pg_buffer *prompt, const json_t *text)
{
    if (!json_is_string(text))
        return pg_fail(PG_ERROR_FORMAT, "\"content\": a part's \"text\" is missing, or no string");
    if (strlen(json_string_value(text)) != json_string_length(text))
        return pg_fail(PG_ERROR_FORMAT, "\"content\": a text has a NUL character");
    if (prompt->size)
        PG_TRY(pg_buffer_append(prompt, "\n", 1));
    return pg_buffer_append(prompt, json_string_value(text), json_string_length(text));
}

/* {"url"}, or the URL itself. */
static pg_status add_picture(pg_chat_request *request, pg_exchange *exchange, const json_t *image)
{
    const char *url = json_string_value(json_is_object(image) ? json_object_get(image, "url") : image);
    if (!url)
        return pg_fail(PG_ERROR_FORMAT, "\"content\": an \"image_url\" has no \"url\"");
    return pg_pictures_add_url(&request->generation.pictures, exchange, url);
}

static pg_status add_part(pg_buffer *prompt, pg_chat_request *request, pg_exchange *exchange, const json_t *part)
{
    const char *type = json_string_value(json_object_get(part, "type"));
    if (!type)
        return pg_fail(PG_ERROR_FORMAT, "\"content\": a part has no \"type\"");
    if (strcmp(type, "text") == 0)
        return add_text(prompt, json_object_get(part, "text"));
    if (strcmp(type, "image_url") == 0)
        return add_picture(request, exchange, json_object_get(part, "image_url"));
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "\"content\": parts of the type \"%.40s\" are not taken, only \"text\" and "
                   "\"image_url\"",
                   type);
}

static pg_status read_content(pg_buffer *prompt, pg_chat_request *request, pg_exchange *exchange, const json_t *content)
{
    if (json_is_string(content))
        return add_text(prompt, content);
    if (!json_is_array(content))
        return pg_fail(PG_ERROR_FORMAT, "\"content\": expected a string or a list of parts");
    for (size_t i = 0; i < json_array_size(content); i++)
        PG_TRY(add_part(prompt, request, exchange, json_array_get(content, i)));
    return PG_OK;
}

static pg_status read_turn(pg_chat_request *request, pg_exchange *exchange)
{
    const json_t *turn = NULL;
    pg_buffer prompt = {0};
    PG_TRY(check_messages(request->messages));
    PG_TRY(find_turn(&turn, request));
    pg_status status = read_content(&prompt, request, exchange, json_object_get(turn, "content"));
    if (status == PG_OK) {
        request->generation.prompt = pg_copy_text(prompt.data ? prompt.data : "", SIZE_MAX);
        status = request->generation.prompt ? PG_OK : PG_ERROR_MEMORY;
    }
    pg_buffer_free(&prompt);
    return status;
}

/* ---------------------------------------------------------------- response_format */

static bool is_known(const char *name)
{
    static const char *const names[] = {"objects", "width", "height", NULL};
    for (const char *const *known = names; *known; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

/* A schema that what detection answers can meet: an object of "objects", "width", "height". */
static pg_status check_schema(const json_t *schema)
{
    const char *type = json_string_value(json_object_get(schema, "type")), *name;
    json_t *value;
    if (!type || strcmp(type, "object") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "\"response_format\": the schema is not one of an object");
    json_object_foreach(json_object_get(schema, "properties"), name, value)
    {
        if (!is_known(name))
            return pg_fail(PG_ERROR_UNSUPPORTED,
                           "\"response_format\": the schema has \"%.60s\"; detection answers \"objects\", \"width\" "
                           "and \"height\"",
                           name);
    }
    return PG_OK;
}

static pg_status read_format(pg_chat_request *request)
{
    const json_t *format = request->response_format;
    const char *type = json_string_value(json_object_get(format, "type"));
    if (!format || (type && strcmp(type, "text") == 0))
        return PG_OK;
    if (!type)
        return pg_fail(PG_ERROR_FORMAT, "\"response_format\" has no \"type\"");
    if (strcmp(type, "json_schema") == 0)
        PG_TRY(check_schema(json_object_get(json_object_get(format, "json_schema"), "schema")));
    else if (strcmp(type, "json_object") != 0)
        return pg_fail(PG_ERROR_UNSUPPORTED, "\"response_format\": the type \"%.40s\" is not known", type);
    request->objects = true;
    return PG_OK;
}

pg_status pg_chat_request_read(pg_chat_request *out, pg_exchange *exchange)
{
    pg_generation_init(&out->generation);
    PG_TRY(pg_generation_read(&out->generation, exchange, chat_fields));
    if (out->generation.top_logprobs && !out->generation.logprobs)
        return pg_fail(PG_ERROR_ARGUMENT, "\"top_logprobs\" needs \"logprobs\": true");
    PG_TRY(read_format(out));
    return read_turn(out, exchange);
}
