#include "generate/prefill.h"

#include <string.h>

#include "base/clock.h"
#include "image/image.h"
#include "model/fusion.h"
#include "model/gemma.h"
#include "ops/rows.h"

#define LEAST_ROWS 16  /* fewer cost as much as these */
#define MOST_ROWS  512 /* more are not faster */
#define FIRST_ROWS 32  /* while nothing is known */
#define LEARNING   0.3 /* weight of the latest step in what is known */

#define DEVICE_ROWS 4096 /* on a device, where fewer would leave much of it idle */

static const pg_config *config_of(const pg_prefill *p)
{
    return &p->model->weights->config;
}

static int64_t patches_of(const pg_prefill *p)
{
    return p->picture_count ? pg_config_patches(&config_of(p)->vision) : 0;
}

static int64_t tokens_of(const pg_prefill *p)
{
    return (int64_t)p->input->ids.count;
}

static bool in_last_layer(const pg_prefill *p)
{
    return p->layer + 1 == config_of(p)->text.layers;
}

/* ---------------------------------------------------------------- memory */

static size_t whole_lines(size_t bytes)
{
    return (bytes + PG_ALIGNMENT - 1) / PG_ALIGNMENT * PG_ALIGNMENT;
}

static void *carve(pg_prefill_memory *memory, size_t bytes)
{
    char *at = memory->data ? memory->data + memory->used : NULL;
    memory->used += whole_lines(bytes);
    return at;
}

static pg_tensor carve_tensor(pg_prefill_memory *memory, int64_t rows, int64_t width)
{
    void *data = carve(memory, (size_t)(rows * width) * sizeof(float));
    return (pg_tensor){.dtype = PG_F32, .rows = rows, .width = width, .data = data};
}

static void carve_vision(pg_prefill *p)
{
    const pg_siglip_config *c = &config_of(p)->vision;
    int64_t count = patches_of(p);
    p->patches = carve_tensor(&p->vision_memory, count, c->channels * c->patch * c->patch);
    p->seen = carve_tensor(&p->vision_memory, count, c->width);
    p->keys.keys = carve_tensor(&p->vision_memory, count, c->width);
    p->keys.values = carve_tensor(&p->vision_memory, count, c->width);
}

static void carve_decoder(pg_prefill *p)
{
    const pg_gemma_config *c = &config_of(p)->text;
    p->features = carve_tensor(&p->memory, (int64_t)p->picture_count * patches_of(p), c->width);
    p->x = carve_tensor(&p->memory, tokens_of(p), c->width);
    p->angles = carve_tensor(&p->memory, tokens_of(p), c->size);
    p->last = carve_tensor(&p->memory, 1, c->width);
    p->last.single = 1;
}

static void carve_numbers(pg_prefill *p)
{
    p->rows = carve(&p->numbers, (size_t)patches_of(p) * sizeof *p->rows);
    p->slots = carve(&p->numbers, (size_t)tokens_of(p) * sizeof *p->slots);
}

/* The first carving finds out how much there must be. */
static pg_status take_memory(pg_prefill *p, pg_prefill_memory *memory, pg_device *device, void (*all)(pg_prefill *p))
{
    all(p);
    memory->bytes = memory->used;
    memory->device = device;
    memory->data = pg_values_alloc(device, memory->bytes);
    if (!memory->data)
        return PG_ERROR_MEMORY;
    memory->used = 0;
    all(p);
    return PG_OK;
}

static void give_back(pg_prefill_memory *memory)
{
    if (memory->data)
        pg_values_free(memory->device, memory->data, memory->bytes);
    *memory = (pg_prefill_memory){0};
}

/* ---------------------------------------------------------------- the stages */

static void keep_rows(const pg_prefill *p, const pg_tensor *to, int64_t first, const pg_tensor *rows)
{
    if (rows)
        pg_values_move(p->session->device, pg_row(to, first), rows->data,
                       (size_t)(rows->rows * rows->width) * sizeof(float));
}

static void cut(pg_prefill *p, int64_t count)
{
    pg_context *g = &p->session->g;
    const pg_siglip_config *c = &config_of(p)->vision;
    const pg_processor *processor = &p->model->processor;
    float *pixels = pg_scratch(g, (size_t)(c->channels * c->side * c->side) * sizeof *pixels);
    (void)count;
    if (!pixels)
        return;
    pg_image_to_floats(p->pictures[p->picture].image, pixels, processor->rescale, processor->mean,
                       processor->deviation);
    keep_rows(p, &p->patches, 0, pg_patches(g, pixels, 1, c->channels, c->side, c->patch));
    for (int64_t i = 0; i < patches_of(p); i++)
        p->rows[i] = i;
}

static void begin_patches(pg_prefill *p, int64_t count)
{
    pg_tensor rows = pg_rows_view(&p->patches, p->row, count);
    keep_rows(p, &p->seen, p->row, pg_siglip_vision_begin(&p->session->g, &p->model->weights->vision, &rows, p->row));
}

static void make_vision_keys(pg_prefill *p, int64_t count)
{
    pg_tensor rows = pg_rows_view(&p->seen, p->row, count);
    const int64_t *slots = pg_to_device(&p->session->g, p->rows + p->row, (size_t)count * sizeof *slots);
    pg_siglip_layer_keys(&p->session->g, &p->model->weights->vision, p->layer, &rows, &p->keys, slots);
}

static void make_vision_rows(pg_prefill *p, int64_t count)
{
    int64_t all = patches_of(p);
    pg_tensor rows = pg_rows_view(&p->seen, p->row, count);
    pg_segment segment = {.count = count, .prefix = all, .spans = {{0, all}}, .span_count = 1};
    pg_batch queries = {.rows = count, .segments = &segment, .segment_count = 1};
    keep_rows(p, &p->seen, p->row,
              pg_siglip_layer_rows(&p->session->g, &p->model->weights->vision, p->layer, &rows, &p->keys, &queries));
}

static void project(pg_prefill *p, int64_t count)
{
    pg_context *g = &p->session->g;
    const pg_weights *w = p->model->weights;
    pg_tensor rows = pg_rows_view(&p->seen, p->row, count), to = pg_prefill_features(p, p->picture);
    keep_rows(p, &to, p->row, pg_paligemma_project(g, w, pg_siglip_vision_end(g, &w->vision, &rows)));
}

/* Where tokens stand and how they are turned. */
static void place_tokens(pg_prefill *p, int64_t count)
{
    pg_context *g = &p->session->g;
    int32_t *positions = pg_scratch(g, (size_t)count * sizeof *positions);
    if (!positions)
        return;
    for (int64_t i = 0; i < count; i++) {
        positions[i] = p->input->first + (int32_t)(p->row + i);
        p->slots[p->row + i] = p->slot * p->session->context + p->row + i;
    }
    const int32_t *placed = pg_to_device(g, positions, (size_t)count * sizeof *positions);
    keep_rows(p, &p->angles, p->row, pg_gemma_angles(g, &p->model->weights->text, placed, count));
}

static void embed(pg_prefill *p, int64_t count)
{
    place_tokens(p, count);
    const int32_t *ids = p->input->ids.data + p->row;
    int64_t pictured = 0;
    for (int64_t i = 0; p->picture_count && i < count; i++)
        pictured += ids[i] == config_of(p)->image_token;
    pg_tensor features = pg_rows_view(&p->features, p->placed, pictured);
    keep_rows(p, &p->x, p->row,
              pg_paligemma_embed(&p->session->g, p->model->weights, ids, count, pictured ? &features : NULL));
    p->placed += pictured;
}

static void make_decoder_keys(pg_prefill *p, int64_t count)
{
    pg_tensor rows = pg_rows_view(&p->x, p->row, count), angles = pg_rows_view(&p->angles, p->row, count);
    const int64_t *slots = pg_to_device(&p->session->g, p->slots + p->row, (size_t)count * sizeof *slots);
    pg_gemma_layer_keys(&p->session->g, &p->model->weights->text, p->layer, &rows, &angles, slots, &p->session->cache);
}

static void make_decoder_rows(pg_prefill *p, int64_t count)
{
    pg_context *g = &p->session->g;
    const pg_gemma *model = &p->model->weights->text;
    int64_t first = in_last_layer(p) ? tokens_of(p) - 1 : p->row;
    pg_tensor rows = pg_rows_view(&p->x, first, count), angles = pg_rows_view(&p->angles, first, count);
    pg_segment all = {.count = tokens_of(p),
                      .prefix = p->input->prefix,
                      .spans = {{p->slot * p->session->context, tokens_of(p)}},
                      .span_count = 1};
    pg_segment own = pg_segment_of_rows(&all, first, count, 0);
    pg_batch queries = {.rows = count, .segments = &own, .segment_count = 1};
    pg_tensor *made = pg_gemma_layer_rows(g, model, p->layer, &rows, &angles, &queries, &p->session->cache);
    if (in_last_layer(p))
        keep_rows(p, &p->last, 0, pg_gemma_end(g, model, made));
    else
        keep_rows(p, &p->x, first, made);
}

static void (*const run_stage[PG_PREFILL_DONE])(pg_prefill *p, int64_t count) = {
    cut, begin_patches, make_vision_keys, make_vision_rows, project, embed, make_decoder_keys, make_decoder_rows};

static int64_t stage_rows(const pg_prefill *p)
{
    switch (p->stage) {
    case PG_PREFILL_CUT: return 1;
    case PG_PREFILL_PATCHES:
    case PG_PREFILL_VISION_KEYS:
    case PG_PREFILL_VISION_ROWS:
    case PG_PREFILL_PROJECT: return patches_of(p);
    case PG_PREFILL_DECODER_ROWS: return in_last_layer(p) ? 1 : tokens_of(p);
    default: return tokens_of(p);
    }
}

/* ---------------------------------------------------------------- from stage to stage */

/* To the next picture that is not known, or to the decoder. */
static void next_picture(pg_prefill *p)
{
    while (p->picture < p->picture_count && p->pictures[p->picture].known)
        p->picture++;
    p->stage = p->picture < p->picture_count ? PG_PREFILL_CUT : PG_PREFILL_EMBED;
    if (p->stage == PG_PREFILL_EMBED)
        give_back(&p->vision_memory);
}

/* The last stage of a layer is followed by the first one of the next. */
static void next_layer(pg_prefill *p, int64_t layers, pg_prefill_stage first, pg_prefill_stage behind)
{
    bool more = ++p->layer < layers;
    p->stage = more ? first : behind;
    p->layer = more ? p->layer : 0;
}

static void next_stage(pg_prefill *p)
{
    p->row = 0;
    switch (p->stage) {
    case PG_PREFILL_VISION_ROWS:
        next_layer(p, config_of(p)->vision.layers, PG_PREFILL_VISION_KEYS, PG_PREFILL_PROJECT);
        break;
    case PG_PREFILL_DECODER_ROWS:
        next_layer(p, config_of(p)->text.layers, PG_PREFILL_DECODER_KEYS, PG_PREFILL_DONE);
        break;
    case PG_PREFILL_PROJECT:
        p->picture++;
        next_picture(p);
        break;
    default: p->stage++;
    }
}

pg_status pg_prefill_init(pg_prefill *out, pg_session *session, const pg_model *model, const pg_input *input,
                          int64_t slot, pg_prefill_picture *pictures, size_t picture_count)
{
    *out = (pg_prefill){.session = session,
                        .model = model,
                        .input = input,
                        .slot = slot,
                        .pictures = pictures,
                        .picture_count = picture_count};
    pg_status status = take_memory(out, &out->numbers, NULL, carve_numbers);
    if (status == PG_OK)
        status = take_memory(out, &out->memory, session->device, carve_decoder);
    if (status == PG_OK && picture_count)
        status = take_memory(out, &out->vision_memory, session->device, carve_vision);
    if (status != PG_OK)
        pg_prefill_free(out);
    return status;
}

void pg_prefill_free(pg_prefill *prefill)
{
    give_back(&prefill->vision_memory);
    give_back(&prefill->memory);
    give_back(&prefill->numbers);
}

pg_tensor pg_prefill_features(const pg_prefill *prefill, size_t picture)
{
    int64_t count = patches_of(prefill);
    return pg_rows_view(&prefill->features, (int64_t)picture * count, count);
}

double pg_prefill_work(const pg_prefill *p)
{
    const pg_siglip_config *v = &config_of(p)->vision;
    const pg_gemma_config *t = &config_of(p)->text;
    double patches = (double)patches_of(p), tokens = (double)tokens_of(p), work = 0;
    double patch = (double)v->layers * (double)v->width * (4.0 * (double)v->width + 2.0 * (double)v->mlp + 2 * patches);
    double token =
        (double)t->layers *
        ((double)t->width * (2.0 * (double)(t->heads + t->kv_heads) * (double)t->size + 3.0 * (double)t->mlp) +
         2.0 * tokens * (double)(t->heads * t->size));
    for (size_t i = 0; i < p->picture_count; i++)
        work += p->pictures[i].known ? 0 : patches * patch;
    return work + tokens * token;
}

int64_t pg_prefill_rows(const pg_prefill *prefill, const pg_prefill_pace *pace, double seconds)
{
    double row = pace->row[prefill->stage];
    if (prefill->session->device)
        return DEVICE_ROWS;
    double rows = row > 0 ? seconds / row : FIRST_ROWS;
    int64_t blocks = (int64_t)((rows < MOST_ROWS ? rows : MOST_ROWS) / LEAST_ROWS);
    return blocks > 0 ? blocks * LEAST_ROWS : LEAST_ROWS;
}

/* Whether these rows are the last of all pictures, or of the decoder. */
static bool ends_part(const pg_prefill *p, int64_t count)
{
    bool last_rows = p->row + count == stage_rows(p);
    return last_rows && (p->stage == PG_PREFILL_PROJECT || (p->stage == PG_PREFILL_DECODER_ROWS && in_last_layer(p)));
}

pg_status pg_prefill_step(pg_prefill *p, pg_prefill_pace *pace, int64_t rows)
{
    pg_context *g = &p->session->g;
    if (p->stage == PG_PREFILL_CUT && !p->row)
        next_picture(p); /* what the owner has filled in needs no step */
    int64_t left = stage_rows(p) - p->row, count = rows < left ? rows : left;
    double start = pg_clock();
    pg_arena_mark mark = pg_arena_get_mark(&g->arena);
    run_stage[p->stage](p, count);
    pg_arena_release(&g->arena, mark);
    if (g->status == PG_OK && ends_part(p, count))
        g->status = pg_device_wait(p->session->device); /* else only the asking would be timed */
    double seconds = pg_clock() - start, *row = &pace->row[p->stage];
    *row += (*row > 0 ? LEARNING : 1) * (seconds / (double)count - *row);
    p->seconds[p->stage >= PG_PREFILL_EMBED] += seconds;
    p->row += count;
    if (p->row == stage_rows(p))
        next_stage(p);
    return g->status;
}
