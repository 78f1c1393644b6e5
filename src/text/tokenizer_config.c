/* Added tokens as tokenizer.json and tokenizer_config.json declare them, and what else the latter says. */
#include <stdlib.h>

#include "text/tokenizer.h"

typedef struct token_flags {
    bool special, normalized, single_word, lstrip, rstrip;
} token_flags;

static pg_status read_flags(token_flags *out, const json_t *token, const char *name)
{
    *out = (token_flags){0};
    PG_TRY(pg_json_boolean(&out->special, (pg_json_field){token, name, "special", false}));
    PG_TRY(pg_json_boolean(&out->normalized, (pg_json_field){token, name, "normalized", false}));
    PG_TRY(pg_json_boolean(&out->single_word, (pg_json_field){token, name, "single_word", false}));
    PG_TRY(pg_json_boolean(&out->lstrip, (pg_json_field){token, name, "lstrip", false}));
    return pg_json_boolean(&out->rstrip, (pg_json_field){token, name, "rstrip", false});
}

pg_status pg_tokenizer_declare(pg_tokenizer *tokenizer, const json_t *token, int64_t id, const char *name)
{
    const char *content = "";
    token_flags flags;
    PG_TRY(pg_json_string(&content, (pg_json_field){token, name, "content", true}));
    PG_TRY(read_flags(&flags, token, name));
    if (flags.single_word)
        return pg_fail(PG_ERROR_UNSUPPORTED, "%s: the added token \"%s\" wants to be a single word, not supported",
                       name, content);
    pg_vocab *vocab = &tokenizer->vocab;
    int32_t known = pg_vocab_find(vocab, content, strlen(content));
    if (known < 0) {
        PG_TRY(pg_vocab_add(vocab, id, content, strlen(content), 0));
    } else if (known != id)
        return pg_fail(PG_ERROR_FORMAT, "%s: the added token \"%s\" has the id %lld, but %d in the vocabulary", name,
                       content, (long long)id, known);
    pg_piece *piece = &vocab->pieces[id];
    if (piece->flags & PG_PIECE_ADDED)
        return PG_OK;
    piece->flags |= (uint16_t)(PG_PIECE_ADDED | (flags.special ? PG_PIECE_CONTROL : 0) |
                               (flags.lstrip ? PG_PIECE_LSTRIP : 0) | (flags.rstrip ? PG_PIECE_RSTRIP : 0));
    /* The Python tokenizers over SentencePiece know no second look. */
    bool late = flags.normalized && tokenizer->model == PG_MODEL_MERGES;
    return pg_ids_add(late ? &tokenizer->added_normalized : &tokenizer->added_raw, (int32_t)id);
}

static pg_status declare_all(pg_tokenizer *tokenizer, json_t *tokens, const char *name)
{
    const char *key;
    json_t *token;
    if (tokens && !json_is_object(tokens))
        return pg_fail(PG_ERROR_FORMAT, "%s: \"added_tokens_decoder\" is not an object", name);
    json_object_foreach(tokens, key, token)
    {
        char *end;
        long long id = strtoll(key, &end, 10);
        if (*end || end == key)
            return pg_fail(PG_ERROR_FORMAT, "%s: added_tokens_decoder: found \"%s\", expected an id", name, key);
        PG_TRY(pg_tokenizer_declare(tokenizer, token, id, name));
    }
    return PG_OK;
}

/* A token by name: "<bos>", or {"content": "<bos>", ...}; null and names without a piece leave *id as it is. */
static pg_status read_name(int32_t *id, const pg_tokenizer *tokenizer, pg_json_field field)
{
    json_t *value = json_object_get(field.object, field.key);
    const char *name = NULL;
    if (json_is_object(value))
        field = (pg_json_field){value, field.name, "content", true};
    PG_TRY(pg_json_string(&name, field));
    int32_t found = name ? pg_vocab_find(&tokenizer->vocab, name, strlen(name)) : -1;
    if (found >= 0)
        *id = found;
    return PG_OK;
}

pg_status pg_tokenizer_use_config(pg_tokenizer *tokenizer, const json_t *config, const char *path)
{
    const char *class = "";
    PG_TRY(declare_all(tokenizer, json_object_get(config, "added_tokens_decoder"), path));
    PG_TRY(read_name(&tokenizer->bos, tokenizer, (pg_json_field){config, path, "bos_token", false}));
    PG_TRY(read_name(&tokenizer->eos, tokenizer, (pg_json_field){config, path, "eos_token", false}));
    PG_TRY(read_name(&tokenizer->pad, tokenizer, (pg_json_field){config, path, "pad_token", false}));
    PG_TRY(pg_json_boolean(&tokenizer->adds_bos, (pg_json_field){config, path, "add_bos_token", false}));
    PG_TRY(pg_json_boolean(&tokenizer->lower, (pg_json_field){config, path, "do_lower_case", false}));
    PG_TRY(pg_json_string(&class, (pg_json_field){config, path, "tokenizer_class", false}));
    tokenizer->canonical = !strcmp(class, "SiglipTokenizer");
    return PG_OK;
}
