#include "text/prompt.h"

#include <string.h>

#include "base/buffer.h"
#include "text/utf8.h"

#define IMAGE "<image>"

void pg_prompt_free(pg_prompt *prompt)
{
    pg_ids_free(&prompt->ids);
    *prompt = (pg_prompt){0};
}

/* Ends the making of a prompt: all its ids are prefix, or nothing is left of it. */
static pg_status finish(pg_prompt *prompt, pg_status status)
{
    prompt->prefix = prompt->ids.count;
    if (status != PG_OK)
        pg_prompt_free(prompt);
    return status;
}

/* ---------------------------------------------------------------- PaliGemma */

static size_t count_images(const char *text)
{
    size_t count = 0;
    while ((text = strstr(text, IMAGE)) != NULL) {
        text += strlen(IMAGE);
        count++;
    }
    return count;
}

/* Text in which IMAGE stands for pictures; *rest: what is behind the last one. */
static pg_status add_with_images(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text,
                                 pg_prompt_images images, unsigned flags, const char **rest)
{
    for (const char *image; (image = strstr(text, IMAGE)) != NULL; text = image + strlen(IMAGE)) {
        PG_TRY(pg_tokenizer_append(&out->ids, tokenizer, text, (size_t)(image - text), flags, NULL));
        PG_TRY(pg_ids_repeat(&out->ids, images.image_token, images.tokens_each));
    }
    *rest = text;
    return PG_OK;
}

static pg_status add_images(pg_prompt *out, pg_prompt_images images)
{
    for (size_t i = 0; i < images.count; i++)
        PG_TRY(pg_ids_repeat(&out->ids, images.image_token, images.tokens_each));
    return PG_OK;
}

/* The newline is part of the text: behind another one it makes a single token with it. */
static pg_status add_with_newline(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, unsigned flags)
{
    pg_buffer line = {0};
    pg_status status;
    PG_TRY_GOTO(pg_buffer_print(&line, "%s\n", text));
    PG_TRY_GOTO(pg_tokenizer_append(&out->ids, tokenizer, line.data, line.size, flags | PG_ENCODE_BOS, NULL));
done:
    pg_buffer_free(&line);
    return status;
}

static pg_status add_paligemma(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, pg_prompt_images images,
                               unsigned flags)
{
    size_t placed = flags & PG_ENCODE_SPECIAL ? count_images(text) : 0;
    if (placed == 0)
        PG_TRY(add_images(out, images));
    else if (placed == images.count)
        PG_TRY(add_with_images(out, tokenizer, text, images, flags, &text));
    else
        return pg_fail(PG_ERROR_ARGUMENT, "the prompt has %zu times %s, but there are %zu pictures", placed, IMAGE,
                       images.count);
    return add_with_newline(out, tokenizer, text, flags);
}

pg_status pg_prompt_paligemma(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, pg_prompt_images images,
                              unsigned flags)
{
    *out = (pg_prompt){0};
    return finish(out, add_paligemma(out, tokenizer, text, images, flags));
}

pg_status pg_prompt_add_suffix(pg_prompt *prompt, const pg_tokenizer *tokenizer, const char *text, unsigned flags,
                               const pg_merge_dropout *dropout)
{
    return pg_tokenizer_append(&prompt->ids, tokenizer, text, SIZE_MAX, flags | PG_ENCODE_EOS, dropout);
}

/* ---------------------------------------------------------------- Gemma */

pg_status pg_prompt_text(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, unsigned flags)
{
    *out = (pg_prompt){0};
    if (pg_tokenizer_adds_bos(tokenizer))
        flags |= PG_ENCODE_BOS;
    return finish(out, pg_tokenizer_append(&out->ids, tokenizer, text, SIZE_MAX, flags, NULL));
}

typedef struct chat_prompt {
    pg_prompt *out;
    const pg_tokenizer *tokenizer;
    int32_t start, end; /* turn markers */
    unsigned flags;
    bool strip;
    pg_buffer text; /* between two markers */
} chat_prompt;

static pg_status add_text(chat_prompt *chat)
{
    return pg_tokenizer_append(&chat->out->ids, chat->tokenizer, chat->text.data, chat->text.size, chat->flags, NULL);
}

static pg_status start_turn(chat_prompt *chat, const char *role)
{
    PG_TRY(pg_ids_add(&chat->out->ids, chat->start));
    pg_buffer_reset(&chat->text);
    return pg_buffer_print(&chat->text, "%s\n", role);
}

static pg_status add_turn(chat_prompt *chat, const pg_chat_turn *turn)
{
    bool user = !strcmp(turn->role, "user");
    if (!user && strcmp(turn->role, "model") != 0 && strcmp(turn->role, "assistant") != 0)
        return pg_fail(PG_ERROR_ARGUMENT, "found a turn of \"%s\", expected \"user\", \"model\" or \"assistant\"",
                       turn->role);
    const char *content = turn->content;
    size_t size = strlen(content);
    if (chat->strip)
        pg_utf8_strip(&content, &size);
    PG_TRY(start_turn(chat, user ? "user" : "model"));
    PG_TRY(pg_buffer_append(&chat->text, content, size));
    PG_TRY(add_text(chat));
    PG_TRY(pg_ids_add(&chat->out->ids, chat->end));
    pg_buffer_reset(&chat->text);
    PG_TRY(pg_buffer_append(&chat->text, "\n", 1));
    return add_text(chat);
}

static pg_status add_chat(chat_prompt *chat, const pg_chat_turn *turns, size_t count)
{
    if (chat->start < 0 || chat->end < 0)
        return pg_fail(PG_ERROR_UNSUPPORTED,
                       "the tokenizer has no <start_of_turn> and <end_of_turn>: not a chat model");
    PG_TRY(pg_tokenizer_append(&chat->out->ids, chat->tokenizer, "", 0, PG_ENCODE_BOS, NULL));
    for (size_t i = 0; i < count; i++)
        PG_TRY(add_turn(chat, &turns[i]));
    PG_TRY(start_turn(chat, "model"));
    return add_text(chat);
}

pg_status pg_prompt_chat(pg_prompt *out, const pg_tokenizer *tokenizer, const pg_chat_turn *turns, size_t count,
                         bool strip, unsigned flags)
{
    *out = (pg_prompt){0};
    chat_prompt chat = {.out = out,
                        .tokenizer = tokenizer,
                        .start = pg_tokenizer_id(tokenizer, "<start_of_turn>"),
                        .end = pg_tokenizer_id(tokenizer, "<end_of_turn>"),
                        .flags = flags,
                        .strip = strip};
    pg_status status = add_chat(&chat, turns, count);
    pg_buffer_free(&chat.text);
    return finish(out, status);
}
