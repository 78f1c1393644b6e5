/* Prompts: the ids that a model is given. Flags are pg_encode_flags: with PG_ENCODE_SPECIAL control tokens spelled out
 * in the text count, as in the reference; without it what a user types stays text. Nothing is built in: the image token
 * and its number per picture come from config.json. */
#ifndef PG_TEXT_PROMPT_H
#define PG_TEXT_PROMPT_H

#include "text/tokenizer.h"

typedef struct pg_prompt {
    pg_ids ids;
    size_t prefix; /* ids of the prompt; those from here on are the suffix */
} pg_prompt;

typedef struct pg_prompt_images {
    size_t count;        /* pictures */
    size_t tokens_each;  /* image tokens of one */
    int32_t image_token; /* config.json's image_token_index */
} pg_prompt_images;

/* PaliGemma: image tokens, <bos>, the text as it is, a newline (tokenized with the text). With PG_ENCODE_SPECIAL,
 * "<image>" in the text stands for a picture's tokens there, and <bos> follows the last one; there must then be as many
 * as pictures. */
pg_status pg_prompt_paligemma(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, pg_prompt_images images,
                              unsigned flags);

/* Adds the answer to train on: the text tokenized on its own, <eos>. Its tokens have type 1 and are their own labels;
 * those of the prompt have type 0 and the label -100. dropout: as pg_tokenizer_append has it. */
pg_status pg_prompt_add_suffix(pg_prompt *prompt, const pg_tokenizer *tokenizer, const char *text, unsigned flags,
                               const pg_merge_dropout *dropout);

/* Text to be continued: <bos> if the tokenizer's files want one, the text. */
pg_status pg_prompt_text(pg_prompt *out, const pg_tokenizer *tokenizer, const char *text, unsigned flags);

typedef struct pg_chat_turn {
    const char *role; /* "user", "model" or "assistant" (the same) */
    const char *content;
} pg_chat_turn;

/* Gemma's chat: <bos>, then each turn as "<start_of_turn>ROLE\nCONTENT<end_of_turn>\n", then the start of the model's
 * next turn. strip: white space around the contents goes, as in the published template. */
pg_status pg_prompt_chat(pg_prompt *out, const pg_tokenizer *tokenizer, const pg_chat_turn *turns, size_t count,
                         bool strip, unsigned flags);

void pg_prompt_free(pg_prompt *prompt);

#endif
