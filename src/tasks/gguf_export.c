/*
 * Tokens in llama.cpp's form are SentencePiece's: pieces with scores, the best of which is merged first. A
 * tokenizer.json has merges in their order instead: a piece's score is then minus the rank of the first merge that
 * makes it, which leaves the order as it is, and what no merge makes comes last. Rows of the embedding that no token
 * belongs to are called [PADn], as llama.cpp's own converter has it.
 */
#include "tasks/gguf_export.h"

#include <string.h>

#include "base/numbers.h"
#include "base/pages.h"
#include "text/tokenizer.h"

#define PIECE_BYTES   (16 << 20)
#define UNMERGED_RANK (1 << 24) /* beyond all merges: a float has them all, one by one */

/* ---------------------------------------------------------------- the tokenizer */

typedef enum token_type { NORMAL = 1, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE } token_type;

static token_type type_of(const pg_tokenizer *tokenizer, int32_t id)
{
    unsigned flags = pg_vocab_flags(&tokenizer->vocab, id);
    if (!(flags & PG_PIECE_PRESENT) || flags & PG_PIECE_UNUSED)
        return UNUSED;
    if (flags & PG_PIECE_UNKNOWN || id == tokenizer->unknown)
        return UNKNOWN;
    if (flags & PG_PIECE_BYTE)
        return BYTE;
    if (flags & PG_PIECE_CONTROL)
        return CONTROL;
    return flags & (PG_PIECE_DEFINED | PG_PIECE_ADDED) ? USER_DEFINED : NORMAL;
}

static float score_of(const pg_tokenizer *tokenizer, int32_t id)
{
    const pg_merges *merges = &tokenizer->merges;
    if (!(pg_vocab_flags(&tokenizer->vocab, id) & PG_PIECE_PRESENT))
        return 0;
    if (tokenizer->model != PG_MODEL_MERGES)
        return tokenizer->scores[id];
    uint32_t rank = UNMERGED_RANK;
    for (uint32_t i = merges->first[id]; i < merges->first[id + 1] && merges->joints[i].left; i++)
        rank = merges->joints[i].rank < rank ? merges->joints[i].rank : rank;
    return -(float)rank;
}

static pg_status put_pieces(pg_gguf_metadata *m, const pg_tokenizer *tokenizer, int32_t rows)
{
    PG_TRY(pg_gguf_begin_texts(m, "tokenizer.ggml.tokens", (size_t)rows));
    for (int32_t id = 0; id < rows; id++) {
        char pad[32];
        bool present = pg_vocab_flags(&tokenizer->vocab, id) & PG_PIECE_PRESENT;
        if (!present)
            snprintf(pad, sizeof pad, "[PAD%d]", (int)id);
        PG_TRY(pg_gguf_add_text(m, present ? pg_vocab_text(&tokenizer->vocab, id) : pad,
                                present ? tokenizer->vocab.pieces[id].size : strlen(pad)));
    }
    return PG_OK;
}

static pg_status put_scores(pg_gguf_metadata *m, const pg_tokenizer *tokenizer, int32_t rows)
{
    float *scores = pg_alloc((size_t)rows, sizeof *scores);
    int32_t *types = pg_alloc((size_t)rows, sizeof *types);
    pg_status status = scores && types ? PG_OK : PG_ERROR_MEMORY;
    for (int32_t id = 0; status == PG_OK && id < rows; id++) {
        scores[id] = score_of(tokenizer, id);
        types[id] = type_of(tokenizer, id);
    }
    if (status == PG_OK)
        status = pg_gguf_put_reals(m, "tokenizer.ggml.scores", scores, (size_t)rows);
    if (status == PG_OK)
        status = pg_gguf_put_numbers(m, "tokenizer.ggml.token_type", types, (size_t)rows);
    pg_free(scores);
    pg_free(types);
    return status;
}

static pg_status put_ids(pg_gguf_metadata *m, const pg_model *model)
{
    const pg_config *config = &model->weights->config;
    const struct {
        const char *key;
        int32_t id;
    } ids[] = {
        {"tokenizer.ggml.bos_token_id", config->bos},
        {"tokenizer.ggml.eos_token_id", config->eos},
        {"tokenizer.ggml.padding_token_id", config->pad},
        {"tokenizer.ggml.unknown_token_id", model->tokenizer->unknown},
        {"tokenizer.ggml.eot_token_id", pg_tokenizer_id(model->tokenizer, "<end_of_turn>")},
    };
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        if (ids[i].id >= 0)
            PG_TRY(pg_gguf_put_number(m, ids[i].key, (uint32_t)ids[i].id));
    return PG_OK;
}

static pg_status put_tokenizer(pg_gguf_metadata *m, const pg_model *model)
{
    const pg_tokenizer *tokenizer = model->tokenizer;
    int32_t rows = (int32_t)model->weights->config.text.vocabulary;
    if (!tokenizer)
        return pg_fail(PG_ERROR_FILE, "%s: there is no tokenizer, which a GGUF file has inside", model->folder);
    PG_TRY(pg_gguf_put_text(m, "tokenizer.ggml.model", "llama"));
    PG_TRY(pg_gguf_put_text(m, "tokenizer.ggml.pre", "default"));
    PG_TRY(put_pieces(m, tokenizer, rows));
    PG_TRY(put_scores(m, tokenizer, rows));
    PG_TRY(put_ids(m, model));
    PG_TRY(pg_gguf_put_truth(m, "tokenizer.ggml.add_bos_token", true));
    PG_TRY(pg_gguf_put_truth(m, "tokenizer.ggml.add_eos_token", false));
    return pg_gguf_put_truth(m, "tokenizer.ggml.add_space_prefix", tokenizer->dummy_prefix);
}

/* The last part of the folder's name. */
static pg_status put_name(pg_gguf_metadata *m, const char *folder)
{
    size_t size = strlen(folder);
    while (size > 1 && folder[size - 1] == '/')
        size--;
    size_t first = size;
    while (first > 0 && folder[first - 1] != '/')
        first--;
    char *name = pg_copy_text(folder + first, size - first);
    pg_status status = name ? pg_gguf_put_text(m, "general.name", name) : PG_ERROR_MEMORY;
    pg_free(name);
    return status;
}

static pg_status put_all(pg_gguf_metadata *m, const pg_gguf_export *job, pg_dtype dtype)
{
    PG_TRY(pg_gguf_put_shapes(m, &job->model->weights->config.text, dtype));
    PG_TRY(put_name(m, job->model->folder));
    return put_tokenizer(m, job->model);
}

/* ---------------------------------------------------------------- tensors */

/* Pieces of all tensors, one after another. */
typedef pg_status take_piece(void *user, const pg_gguf_tensor *tensor, int64_t first, const void *bytes, size_t size);

static pg_status make_tensor(const pg_gguf_export *job, const pg_gguf_tensor *tensor, take_piece *take, void *user)
{
    const pg_parameter *p = tensor->entry.parameter;
    size_t row_bytes = (size_t)p->width * pg_dtype_size(tensor->array.dtype);
    int64_t piece = pg_smaller(p->rows, (int64_t)(PIECE_BYTES / row_bytes) + 1);
    void *bytes = pg_alloc((size_t)piece, row_bytes);
    pg_status status = bytes ? PG_OK : PG_ERROR_MEMORY;
    for (int64_t first = 0; status == PG_OK && first < p->rows; first += piece) {
        int64_t rows = pg_smaller(p->rows - first, piece);
        status = pg_gguf_rows(bytes, tensor, first, rows, job->threads);
        if (status == PG_OK)
            status = take(user, tensor, first, bytes, (size_t)rows * row_bytes);
    }
    pg_free(bytes);
    return status;
}

static pg_status make_tensors(const pg_gguf_export *job, const pg_gguf_tensor *tensors, size_t count, take_piece *take,
                              void *user)
{
    for (size_t i = 0; i < count; i++) {
        PG_TRY(make_tensor(job, &tensors[i], take, user));
        if (job->on_progress && !job->on_progress(job->user, i + 1, count))
            return pg_fail(PG_ERROR_CANCELLED, "cancelled");
    }
    return PG_OK;
}

static pg_status write_piece(void *user, const pg_gguf_tensor *tensor, int64_t first, const void *bytes, size_t size)
{
    (void)tensor;
    (void)first;
    return pg_gguf_writer_write(user, bytes, size);
}

static pg_status write_file(const pg_gguf_export *job, const char *path, const pg_gguf_metadata *metadata,
                            const pg_gguf_tensor *tensors, size_t count)
{
    pg_gguf_writer *writer = NULL;
    pg_array *arrays = pg_alloc(count, sizeof *arrays);
    for (size_t i = 0; arrays && i < count; i++)
        arrays[i] = tensors[i].array;
    pg_status status = arrays ? pg_gguf_writer_open(&writer, path, metadata, arrays, count) : PG_ERROR_MEMORY;
    if (status == PG_OK)
        status = make_tensors(job, tensors, count, write_piece, writer);
    pg_free(arrays);
    if (status == PG_OK)
        return pg_gguf_writer_commit(writer);
    pg_gguf_writer_abort(writer);
    return status;
}

pg_status pg_gguf_export_write(const pg_gguf_export *job, const char *path)
{
    pg_gguf_metadata metadata = {0};
    pg_gguf_tensor *tensors;
    size_t count;
    pg_status status = pg_gguf_tensors(&tensors, &count, job->model->weights, job->dtype);
    if (status != PG_OK)
        return pg_fail_context(status, "%s", job->model->folder);
    status = put_all(&metadata, job, tensors[0].array.dtype); /* the embedding's */
    if (status == PG_OK)
        status = write_file(job, path, &metadata, tensors, count);
    pg_buffer_free(&metadata.bytes);
    pg_free(tensors);
    return status;
}

/* ---------------------------------------------------------------- comparing */

static pg_status compare_piece(void *user, const pg_gguf_tensor *tensor, int64_t first, const void *bytes, size_t size)
{
    const pg_array *found = pg_gguf_find(user, tensor->name);
    size_t row_bytes = (size_t)tensor->entry.parameter->width * pg_dtype_size(tensor->array.dtype);
    bool same = found && found->bytes == tensor->array.bytes && found->dtype == tensor->array.dtype;
    if (same) {
        const char *stored = (const char *)found->data + (size_t)first * row_bytes;
        same = !memcmp(stored, bytes, size);
        pg_pages_release(stored, size);
    }
    if (same)
        return PG_OK;
    return pg_fail(PG_ERROR_FORMAT, "%s: what was written is not what the model has, from row %lld on", tensor->name,
                   (long long)first);
}

pg_status pg_gguf_export_compare(const pg_gguf_export *job, const char *path)
{
    pg_gguf_tensor *tensors;
    size_t count;
    pg_gguf *file;
    PG_TRY(pg_gguf_open(&file, path));
    pg_status status = pg_gguf_tensors(&tensors, &count, job->model->weights, job->dtype);
    if (status == PG_OK)
        status = make_tensors(job, tensors, count, compare_piece, file);
    if (status == PG_OK && pg_gguf_count(file) != count)
        status = pg_fail(PG_ERROR_FORMAT, "%s: %zu tensors, expected %zu", path, pg_gguf_count(file), count);
    pg_free(tensors);
    pg_gguf_close(file);
    return status;
}
