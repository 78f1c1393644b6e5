/* Any bytes as a tokenizer.json, and as the tokenizer_config.json of a small tokenizer: refused, or usable. */
#include "exercise_tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char small[] =
    "{\"decoder\":{\"type\":\"Fuse\"},\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"vocab\":{\"<unk>\":0,"
    "\"<bos>\":1,\"a\":2,\"b\":3,\" \":4,\"ab\":5},\"merges\":[[\"a\",\"b\"]]}}";

static void read_json(pg_tokenizer *tokenizer, const uint8_t *data, size_t size)
{
    if (pg_tokenizer_read_json(tokenizer, data, size, "fuzz") == PG_OK && pg_tokenizer_finish(tokenizer) == PG_OK)
        exercise_tokenizer(tokenizer, data, size);
}

static void read_config(pg_tokenizer *tokenizer, const uint8_t *data, size_t size)
{
    json_t *config;
    if (pg_json_parse(&config, (const char *)data, size, "fuzz") != PG_OK)
        return;
    must(pg_tokenizer_read_json(tokenizer, (const uint8_t *)small, strlen(small), "small") == PG_OK);
    if (pg_tokenizer_use_config(tokenizer, config, "fuzz") == PG_OK && pg_tokenizer_finish(tokenizer) == PG_OK)
        exercise_tokenizer(tokenizer, data, size);
    json_decref(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_tokenizer *tokenizer;
    if (pg_tokenizer_new(&tokenizer) == PG_OK)
        read_json(tokenizer, data, size);
    pg_tokenizer_close(tokenizer);
    if (pg_tokenizer_new(&tokenizer) == PG_OK)
        read_config(tokenizer, data, size);
    pg_tokenizer_close(tokenizer);
    return 0;
}
