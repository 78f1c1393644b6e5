#include "serve/logprobs.h"

#include <string.h>

/* What stands for log 0, which JSON cannot say. */
#define LEAST (-9999.0)

/* Of a token alone; an unfinished character shows as U+FFFD. */
static json_t *token_text(const pg_tokenizer *tokenizer, int32_t id)
{
    char *text;
    if (pg_tokenizer_decode(&text, tokenizer, &id, 1, false) != PG_OK)
        return NULL;
    json_t *made = json_string(text);
    pg_free(text);
    return made;
}

/* The byte of a piece such as "<0xE2>", or -1. */
static int byte_of(const char *piece)
{
    unsigned byte;
    char end;
    return piece && strlen(piece) == 6 && sscanf(piece, "<0x%2X%c", &byte, &end) == 2 && end == '>' ? (int)byte : -1;
}

static json_t *token_bytes(const pg_tokenizer *tokenizer, int32_t id, const json_t *text)
{
    json_t *list = json_array();
    int byte = byte_of(pg_tokenizer_piece(tokenizer, id));
    if (byte >= 0) {
        pg_json_add(&list, json_integer(byte));
        return list;
    }
    const char *bytes = json_string_value(text);
    for (size_t i = 0; i < json_string_length(text); i++)
        pg_json_add(&list, json_integer((unsigned char)bytes[i]));
    return list;
}

static json_t *describe_token(const pg_tokenizer *tokenizer, int32_t id, double logprob)
{
    json_t *text = token_text(tokenizer, id);
    json_t *bytes = token_bytes(tokenizer, id, text);
    return json_pack("{s:o, s:f, s:o}", "token", text, "logprob", logprob > LEAST ? logprob : LEAST, "bytes", bytes);
}

static json_t *describe_top(const pg_tokenizer *tokenizer, const pg_told_answer *answer, size_t i)
{
    json_t *list = json_array();
    double total = i < answer->total_count ? answer->totals[i] : 0;
    for (size_t k = 0; k < answer->top_count; k++) {
        const pg_candidate *top = &answer->top[i * answer->top_count + k];
        if (top->id >= 0)
            pg_json_add(&list, describe_token(tokenizer, top->id, (double)top->logit - total));
    }
    return list;
}

json_t *pg_chat_logprobs(const pg_generation *generation, const pg_told_answer *answer, size_t first, size_t end)
{
    const pg_tokenizer *tokenizer = pg_model_tokenizer(generation->served->model);
    json_t *list = json_array();
    for (size_t i = first; i < end; i++) {
        json_t *token = describe_token(tokenizer, answer->tokens[i].id, (double)answer->tokens[i].logprob);
        pg_json_put(&token, "top_logprobs", describe_top(tokenizer, answer, i));
        pg_json_add(&list, token);
    }
    return json_pack("{s:o, s:n}", "content", list, "refusal");
}

/* {"text": logprob} of the best tokens; where two have the same text, that of the better one. */
static json_t *top_by_text(const pg_tokenizer *tokenizer, const pg_told_answer *answer, size_t i)
{
    json_t *object = json_object();
    double total = i < answer->total_count ? answer->totals[i] : 0;
    for (size_t k = 0; k < answer->top_count; k++) {
        const pg_candidate *top = &answer->top[i * answer->top_count + k];
        json_t *text = top->id >= 0 ? token_text(tokenizer, top->id) : NULL;
        if (text && !json_object_get(object, json_string_value(text)))
            pg_json_put(&object, json_string_value(text), json_real((double)top->logit - total));
        json_decref(text);
    }
    return object;
}

json_t *pg_completion_logprobs(const pg_generation *generation, const pg_told_answer *answer, size_t first, size_t end)
{
    const pg_tokenizer *tokenizer = pg_model_tokenizer(generation->served->model);
    json_t *tokens = json_array(), *logprobs = json_array(), *top = json_array(), *offsets = json_array();
    for (size_t i = first; i < end; i++) {
        double logprob = (double)answer->tokens[i].logprob;
        pg_json_add(&tokens, token_text(tokenizer, answer->tokens[i].id));
        pg_json_add(&logprobs, json_real(logprob > LEAST ? logprob : LEAST));
        pg_json_add(&top, top_by_text(tokenizer, answer, i));
        pg_json_add(&offsets, json_integer(i ? (json_int_t)answer->tokens[i - 1].text_end : 0));
    }
    return json_pack("{s:o, s:o, s:o, s:o}", "tokens", tokens, "token_logprobs", logprobs, "top_logprobs", top,
                     "text_offset", offsets);
}
