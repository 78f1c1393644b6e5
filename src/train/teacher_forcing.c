#include "train/teacher_forcing.h"

#include <string.h>

#include "model/gemma.h"
#include "model/fusion.h"
#include "ops/ops.h"

int64_t pg_token_batch_scored(const pg_token_batch *batch)
{
    int64_t scored = 0;
    for (int64_t r = 0; r < batch->row_count; r++)
        scored += batch->rows[r].count - batch->rows[r].scored;
    return scored;
}

/* The rows laid end to end: what the decoder reads, and what is predicted where. */
typedef struct laid_rows {
    pg_batch batch;
    int32_t *ids, *positions, *targets; /* [rows], [rows], [scored] */
    int64_t *sources;                   /* [scored]: the rows whose predictions are scored */
    pg_segment *segments;
} laid_rows;

static bool make_room(laid_rows *out, pg_context *g, const pg_token_batch *batch)
{
    size_t rows = 0, scored = (size_t)pg_token_batch_scored(batch);
    for (int64_t r = 0; r < batch->row_count; r++)
        rows += (size_t)batch->rows[r].count;
    out->batch.rows = (int64_t)rows;
    out->ids = pg_scratch(g, rows * sizeof *out->ids);
    out->positions = pg_scratch(g, rows * sizeof *out->positions);
    out->targets = pg_scratch(g, scored * sizeof *out->targets);
    out->sources = pg_scratch(g, scored * sizeof *out->sources);
    out->segments = pg_scratch(g, (size_t)batch->row_count * sizeof *out->segments);
    return out->segments;
}

static bool lay_rows(laid_rows *out, pg_context *g, const pg_token_batch *batch, int32_t first_position)
{
    int64_t at = 0, scored = 0;
    if (!make_room(out, g, batch))
        return false;
    for (int64_t r = 0; r < batch->row_count; r++) {
        const pg_token_row *row = &batch->rows[r];
        memcpy(out->ids + at, row->ids, (size_t)row->count * sizeof *row->ids);
        for (int64_t i = 0; i < row->count; i++)
            out->positions[at + i] = first_position + (int32_t)i;
        for (int64_t i = row->scored; i < row->count; i++, scored++) {
            out->targets[scored] = row->ids[i];
            out->sources[scored] = at + i - 1;
        }
        out->segments[r] = (pg_segment){
            .first = at, .count = row->count, .prefix = row->prefix, .spans = {{at, row->count}}, .span_count = 1};
        at += row->count;
    }
    out->batch.positions = out->positions;
    out->batch.segments = out->segments;
    out->batch.segment_count = (size_t)batch->row_count;
    return true;
}

pg_tensor *pg_teacher_forcing(pg_context *g, const pg_weights *weights, const pg_token_batch *batch, float *hits)
{
    laid_rows laid = {0};
    /* the reference's positions start at 1 and 0, as in answers */
    if (!lay_rows(&laid, g, batch, weights->config.kind == PG_MODEL_PALIGEMMA))
        return NULL;
    pg_tensor *features = batch->pictures ? pg_paligemma_features(g, weights, batch->pixels, batch->pictures) : NULL;
    if (batch->pictures && !features)
        return NULL;
    pg_tensor *x = pg_paligemma_embed(g, weights, laid.ids, laid.batch.rows, features);
    x = pg_gemma_forward(g, &weights->text, x, &laid.batch, NULL);
    x = pg_take_rows(g, x, laid.sources, pg_token_batch_scored(batch));
    return pg_output_losses(g, x, &weights->text.output, NULL, laid.targets, batch->smoothing, hits);
}
