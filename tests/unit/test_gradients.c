/* The way back of every operation against central differences of its formula, written here plainly in double precision.
 * Every derivative is compared by itself (or a sample of them where they are many), signed, with a tolerance of what
 * f32 sums cost relative to the largest derivative of the same input; and every gradient has the same bits for any
 * number of threads. Whole models: test_training_golden.c. */
#include "gradient_bench.h"

/* ---------------------------------------------------------------- linear layers */

static void linear_formula(const problem *p, double *out)
{
    multiply(out, p->in[0].values, p->in[0].rows, p->in[1].values, p->in[1].rows, p->in[1].width, p->in[2].values);
}

static pg_tensor *linear_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    x[0]->single = x[0]->rows / 3; /* a part goes the way of generated tokens */
    return pg_linear(g, x[0], &w[1], &w[2]);
}

static void linear_layers(void **state)
{
    (void)state;
    const int64_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {17, 33, 19}, {70, 13, 67}, {5, 130, 257}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        int64_t rows = sizes[i][0], outputs = sizes[i][1], inputs = sizes[i][2];
        problem p = {.name = "linear", .formula = linear_formula, .operation = linear_operation};
        add_tensor(&p, rows, inputs);
        add_weight(&p, outputs, inputs);
        add_weight(&p, 1, outputs);
        p.out_rows = rows;
        p.out_width = outputs;
        p.samples = 60;
        check(&p);
    }
}

/* x w^T + 2 (x a^T) b^T */
static void low_rank_formula(const problem *p, double *out)
{
    int64_t rows = p->in[0].rows, outputs = p->in[1].rows, rank = p->in[2].rows;
    double *low = pg_alloc((size_t)(rows * rank), sizeof *low), *high = pg_alloc((size_t)(rows * outputs), sizeof *low);
    multiply(out, p->in[0].values, rows, p->in[1].values, outputs, p->in[1].width, NULL);
    multiply(low, p->in[0].values, rows, p->in[2].values, rank, p->in[2].width, NULL);
    multiply(high, low, rows, p->in[3].values, outputs, rank, NULL);
    for (int64_t i = 0; i < rows * outputs; i++)
        out[i] += p->number * high[i];
    pg_free(low);
    pg_free(high);
}

static pg_tensor *low_rank_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    pg_lora *lora = pg_scratch(g, sizeof *lora);
    *lora = (pg_lora){w[2], w[3], p->number, 0};
    pg_parameter adapted = w[1];
    adapted.lora = lora;
    return pg_linear(g, x[0], &adapted, NULL);
}

static void low_rank(void **state)
{
    (void)state;
    problem p = {.name = "low rank", .formula = low_rank_formula, .operation = low_rank_operation, .number = 2.5};
    add_tensor(&p, 9, 31);
    add_weight(&p, 23, 31);
    add_weight(&p, 3, 31);
    add_weight(&p, 23, 3);
    p.out_rows = 9;
    p.out_width = 23;
    check(&p);
}

static double gelu(double x)
{
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

static void gated_formula(const problem *p, double *out)
{
    int64_t rows = p->in[0].rows, width = p->in[0].width, wide = p->in[1].rows;
    double *gate = pg_alloc((size_t)(rows * wide), sizeof *gate), *up = pg_alloc((size_t)(rows * wide), sizeof *up);
    multiply(gate, p->in[0].values, rows, p->in[1].values, wide, width, NULL);
    multiply(up, p->in[0].values, rows, p->in[2].values, wide, width, NULL);
    for (int64_t i = 0; i < rows * wide; i++)
        gate[i] = gelu(gate[i]) * up[i];
    multiply(out, gate, rows, p->in[3].values, p->in[3].rows, wide, NULL);
    pg_free(gate);
    pg_free(up);
}

static pg_tensor *gated_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    return pg_gated_mlp(g, x[0], &w[1], &w[2], &w[3]);
}

static void gated_mlp(void **state)
{
    (void)state;
    problem p = {.name = "gated mlp", .formula = gated_formula, .operation = gated_operation};
    add_tensor(&p, 7, 11);
    add_weight(&p, 29, 11);
    add_weight(&p, 29, 11);
    add_weight(&p, 11, 29);
    p.out_rows = 7;
    p.out_width = 11;
    check(&p);
}

/* ---------------------------------------------------------------- element by element */

static void gelu_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = gelu(p->in[0].values[i]) * (p->inputs == 2 ? p->in[1].values[i] : 1);
}

static pg_tensor *gelu_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return p->inputs == 2 ? pg_gelu_times(g, x[0], x[1]) : pg_gelu(g, x[0]);
}

static void add_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = p->in[0].values[i] + p->number * p->in[1].values[i];
}

static pg_tensor *add_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return p->number == 1 ? pg_add(g, x[0], x[1]) : pg_add_scaled(g, x[0], x[1], p->number);
}

/* x + x: two derivatives meet in one tensor. */
static void twice_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = 2 * p->in[0].values[i] + gelu(p->in[0].values[i]);
}

static pg_tensor *twice_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    (void)w;
    return pg_add(g, pg_add(g, x[0], x[0]), pg_gelu(g, x[0]));
}

static void elementwise(void **state)
{
    (void)state;
    const int64_t widths[] = {1, 7, 33, 130};
    const struct {
        const char *name;
        formula *formula;
        operation *operation;
        int inputs;
        double number;
    } cases[] = {{"gelu", gelu_formula, gelu_operation, 1, 0},
                 {"gelu times", gelu_formula, gelu_operation, 2, 0},
                 {"add", add_formula, add_operation, 2, 1},
                 {"add scaled", add_formula, add_operation, 2, -0.75},
                 {"twice", twice_formula, twice_operation, 1, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t j = 0; j < sizeof widths / sizeof *widths; j++) {
            problem p = {.name = cases[i].name,
                         .formula = cases[i].formula,
                         .operation = cases[i].operation,
                         .number = cases[i].number,
                         .out_rows = 5,
                         .out_width = widths[j]};
            for (int n = 0; n < cases[i].inputs; n++)
                add_tensor(&p, 5, widths[j]);
            for (int64_t n = 0; n < 5 * widths[j]; n++) /* where gelu bends, and where it does not */
                p.in[0].floats[n] = (float)(p.in[0].values[n] *= n % 3 ? 1 : 4);
            check(&p);
        }
}

/* ---------------------------------------------------------------- norms */

static void rms_formula(const problem *p, double *out)
{
    int64_t n = p->out_width;
    for (int64_t r = 0; r < p->out_rows; r++) {
        const double *x = p->in[0].values + r * n;
        double squares = 0;
        for (int64_t i = 0; i < n; i++)
            squares += x[i] * x[i];
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = x[i] / sqrt(squares / (double)n + 1e-6) * (1 + p->in[1].values[i]);
    }
}

static pg_tensor *rms_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    return pg_rmsnorm(g, x[0], &w[1], 1e-6);
}

static void layer_formula(const problem *p, double *out)
{
    int64_t n = p->out_width;
    for (int64_t r = 0; r < p->out_rows; r++) {
        const double *x = p->in[0].values + r * n;
        double mean = 0, variance = 0;
        for (int64_t i = 0; i < n; i++)
            mean += x[i] / (double)n;
        for (int64_t i = 0; i < n; i++)
            variance += (x[i] - mean) * (x[i] - mean) / (double)n;
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = (x[i] - mean) / sqrt(variance + 1e-6) * p->in[1].values[i] + p->in[2].values[i];
    }
}

static pg_tensor *layer_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    return pg_layernorm(g, x[0], &w[1], &w[2], 1e-6);
}

static void unit_formula(const problem *p, double *out)
{
    int64_t n = p->out_width;
    for (int64_t r = 0; r < p->out_rows; r++) {
        double squares = 0;
        for (int64_t i = 0; i < n; i++)
            squares += p->in[0].values[r * n + i] * p->in[0].values[r * n + i];
        for (int64_t i = 0; i < n; i++)
            out[r * n + i] = p->in[0].values[r * n + i] / sqrt(squares);
    }
}

static pg_tensor *unit_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    (void)w;
    return pg_unit_rows(g, x[0]);
}

static void norms(void **state)
{
    (void)state;
    const int64_t widths[] = {3, 17, 64, 131};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int64_t n = widths[i];
        problem rms = {.name = "rmsnorm", .formula = rms_formula, .operation = rms_operation};
        problem layer = {.name = "layernorm", .formula = layer_formula, .operation = layer_operation};
        problem unit = {.name = "unit rows", .formula = unit_formula, .operation = unit_operation};
        problem *all[] = {&rms, &layer, &unit};
        for (int j = 0; j < 3; j++) {
            add_tensor(all[j], 6, n);
            all[j]->out_rows = 6;
            all[j]->out_width = n;
        }
        add_weight(&rms, 1, n);
        add_weight(&layer, 1, n);
        add_weight(&layer, 1, n);
        for (int j = 0; j < 3; j++)
            check(all[j]);
    }
}

/* ---------------------------------------------------------------- rows by number */

static const int32_t some_ids[] = {4, 0, 4, 2, 2, 2, 8, 1};
static const int64_t some_rows[] = {1, 3, 4, 8};
static const int64_t taken_rows[] = {5, 5, 0, 8, 2};
static const pg_span some_spans[] = {{0, 3}, {3, 1}, {4, 5}, {2, 4}}; /* the last overlaps two */

static void embed_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = p->number * p->in[0].values[some_ids[i / p->out_width] * p->out_width + i % p->out_width];
}

static pg_tensor *embed_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)x;
    return pg_embed(g, &w[0], some_ids, p->out_rows, p->number, 0);
}

static void place_formula(const problem *p, double *out)
{
    int64_t n = p->out_width;
    memcpy(out, p->in[0].values, (size_t)(p->out_rows * n) * sizeof *out);
    for (int64_t i = 0; i < p->in[1].rows; i++)
        memcpy(out + some_rows[i] * n, p->in[1].values + i * n, (size_t)n * sizeof *out);
}

static pg_tensor *place_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    (void)w;
    return pg_place_rows(g, x[0], some_rows, x[1]);
}

static void take_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = p->in[0].values[taken_rows[i / p->out_width] * p->out_width + i % p->out_width];
}

static pg_tensor *take_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_take_rows(g, x[0], taken_rows, p->out_rows);
}

static void positions_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows * p->out_width; i++)
        out[i] = p->in[0].values[i] + p->in[1].values[i % (p->in[1].rows * p->out_width)];
}

static pg_tensor *positions_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    return pg_add_positions(g, x[0], &w[1]);
}

static void pool_formula(const problem *p, double *out)
{
    int64_t n = p->out_width;
    for (int64_t s = 0; s < p->out_rows; s++)
        for (int64_t i = 0; i < n; i++) {
            double sum = 0;
            for (int64_t r = 0; r < some_spans[s].count; r++)
                sum += p->in[0].values[(some_spans[s].first + r) * n + i];
            out[s * n + i] = p->number > 0 ? sum / (double)some_spans[s].count : sum;
        }
}

static pg_tensor *pool_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return p->number > 0 ? pg_mean_rows(g, x[0], some_spans, p->out_rows)
                         : pg_sum_rows(g, x[0], some_spans, p->out_rows);
}

static void beside_formula(const problem *p, double *out)
{
    for (int64_t r = 0; r < p->out_rows; r++) {
        for (int64_t i = 0; i < p->in[0].width; i++)
            *out++ = p->in[0].values[r * p->in[0].width + i];
        for (int64_t i = 0; i < p->in[1].width; i++)
            *out++ = p->in[1].values[r * p->in[1].width + i];
    }
}

static pg_tensor *beside_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    (void)w;
    return pg_concatenate(g, x[0], x[1]);
}

static void rows_by_number(void **state)
{
    (void)state;
    const int64_t widths[] = {1, 19, 300};
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++) {
        int64_t n = widths[i];
        problem embed = {
            .name = "embed", .formula = embed_formula, .operation = embed_operation, .number = 5.5, .out_rows = 8};
        problem place = {.name = "place rows", .formula = place_formula, .operation = place_operation, .out_rows = 9};
        problem take = {.name = "take rows", .formula = take_formula, .operation = take_operation, .out_rows = 5};
        problem positions = {.name = "positions",
                             .formula = positions_formula,
                             .operation = positions_operation,
                             .out_rows = 9};
        problem mean = {
            .name = "mean rows", .formula = pool_formula, .operation = pool_operation, .number = 1, .out_rows = 4};
        problem sum = {.name = "sum rows", .formula = pool_formula, .operation = pool_operation, .out_rows = 4};
        problem beside = {.name = "concatenate",
                          .formula = beside_formula,
                          .operation = beside_operation,
                          .out_rows = 9};
        add_weight(&embed, 9, n);
        problem *all[] = {&place, &take, &positions, &mean, &sum, &beside, &embed};
        for (int j = 0; j < 6; j++)
            add_tensor(all[j], 9, n);
        add_tensor(&place, 4, n);
        add_weight(&positions, 3, n);
        add_tensor(&beside, 9, 4);
        for (int j = 0; j < 7; j++) {
            all[j]->out_width = all[j] == &beside ? n + 4 : n;
            check(all[j]);
        }
    }
}

/* ---------------------------------------------------------------- rotation */

static const int32_t turns[] = {0, 1, 5, 77, 1030};

static void rope_formula(const problem *p, double *out)
{
    int64_t size = p->heads, half = size / 2, n = p->out_width;
    for (int64_t i = 0; i < p->out_rows * n; i++) {
        int64_t row = i / n, place = i % size, pair = place % half, from = i - place;
        float frequency = 1.0f / powf(10000.0f, (float)(2 * pair) / (float)size); /* as the reference: in f32 */
        float angle = (float)turns[row] * frequency;
        double a = p->in[0].values[from + pair], b = p->in[0].values[from + pair + half];
        out[i] = place < half ? a * cos((double)angle) - b * sin((double)angle)
                              : b * cos((double)angle) + a * sin((double)angle);
    }
}

static pg_tensor *rope_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_rope(g, x[0], pg_rope_angles(g, pg_to_device(g, turns, sizeof turns), p->out_rows, p->heads, 10000));
}

static void rotation(void **state)
{
    (void)state;
    const int64_t sizes[] = {8, 20, 72, 256};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        problem p = {.name = "rope", .formula = rope_formula, .operation = rope_operation, .heads = sizes[i]};
        add_tensor(&p, 5, 3 * sizes[i]);
        p.out_rows = 5;
        p.out_width = 3 * sizes[i];
        check(&p);
    }
}

/* ---------------------------------------------------------------- attention */

static int64_t key_row(const pg_segment *segment, int64_t key)
{
    const pg_span *span = segment->spans;
    for (; key >= span->count; span++)
        key -= span->count;
    return span->first + key;
}

/* One query of one head. */
static void attend(const problem *p, double *out, const pg_segment *segment, int64_t query, int64_t head)
{
    int64_t size = p->out_width / p->heads, key_head = head / (p->heads / p->kv_heads), keys = 0;
    for (int i = 0; i < segment->span_count; i++)
        keys += segment->spans[i].count;
    int64_t causal = keys - segment->count + query + 1, seen = causal > segment->prefix ? causal : segment->prefix;
    const double *q = p->in[0].values + (segment->first + query) * p->out_width + head * size;
    double weights[512], total = 0, *to = out + (segment->first + query) * p->out_width + head * size;
    for (int64_t j = 0; j < seen; j++) {
        const double *k = p->in[1].values + key_row(segment, j) * p->kv_heads * size + key_head * size;
        double score = 0;
        for (int64_t i = 0; i < size; i++)
            score += q[i] * k[i];
        total += weights[j] = exp(score / sqrt((double)size));
    }
    for (int64_t j = 0; j < seen; j++) {
        const double *v = p->in[2].values + key_row(segment, j) * p->kv_heads * size + key_head * size;
        for (int64_t i = 0; i < size; i++)
            to[i] += weights[j] / total * v[i];
    }
}

static void attention_formula(const problem *p, double *out)
{
    memset(out, 0, (size_t)(p->out_rows * p->out_width) * sizeof *out);
    for (size_t s = 0; s < p->batch.segment_count; s++)
        for (int64_t q = 0; q < p->batch.segments[s].count; q++)
            for (int64_t h = 0; h < p->heads; h++)
                attend(p, out, &p->batch.segments[s], q, h);
}

static pg_tensor *attention_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    return pg_attention(g, x[0], x[1], x[2], p->heads, p->kv_heads, &p->batch);
}

static void check_attention(const pg_segment *segments, size_t count, int64_t rows, int64_t keys, int64_t heads,
                            int64_t kv_heads, int64_t size, int64_t samples)
{
    problem p = {.name = "attention",
                 .formula = attention_formula,
                 .operation = attention_operation,
                 .heads = heads,
                 .kv_heads = kv_heads,
                 .out_rows = rows,
                 .out_width = heads * size,
                 .samples = samples,
                 .batch = {.rows = rows, .segments = segments, .segment_count = count}};
    add_tensor(&p, rows, heads * size);
    add_tensor(&p, keys, kv_heads * size);
    add_tensor(&p, keys, kv_heads * size);
    check(&p);
}

/* PaliGemma's mask, causal, both ways; a prompt that two answers share; few queries over many keys in two spans. */
static void attention(void **state)
{
    (void)state;
    const pg_segment kinds[] = {{.first = 0, .count = 13, .prefix = 6, .spans = {{0, 13}}, .span_count = 1},
                                {.first = 13, .count = 9, .prefix = 0, .spans = {{13, 9}}, .span_count = 1},
                                {.first = 22, .count = 17, .prefix = 17, .spans = {{22, 17}}, .span_count = 1}};
    const pg_segment shared[] = {{.first = 0, .count = 11, .prefix = 11, .spans = {{0, 11}}, .span_count = 1},
                                 {.first = 11, .count = 5, .spans = {{0, 11}, {11, 5}}, .span_count = 2},
                                 {.first = 16, .count = 7, .spans = {{0, 11}, {16, 7}}, .span_count = 2}};
    const pg_segment few[] = {{.first = 0, .count = 1, .prefix = 19, .spans = {{0, 19}}, .span_count = 1},
                              {.first = 1, .count = 2, .prefix = 0, .spans = {{25, 13}, {19, 4}}, .span_count = 2}};
    const int64_t sizes[] = {8, 20, 72, 256}, kv_heads[] = {1, 2, 4};
    for (size_t i = 0; i < 4; i++)
        for (size_t j = 0; j < 3; j++) {
            int64_t samples = sizes[i] > 20 ? 12 : 40;
            check_attention(kinds, 3, 39, 39, 4, kv_heads[j], sizes[i], samples);
            check_attention(shared, 3, 23, 23, 4, kv_heads[j], sizes[i], samples);
            check_attention(few, 2, 3, 38, 4, kv_heads[j], sizes[i], samples);
        }
}

/* More keys than a tile has. */
static void long_attention(void **state)
{
    (void)state;
    const pg_segment segments[] = {{.first = 0, .count = 211, .prefix = 100, .spans = {{0, 211}}, .span_count = 1},
                                   {.first = 211, .count = 30, .spans = {{0, 211}, {211, 30}}, .span_count = 2}};
    check_attention(segments, 2, 241, 241, 2, 1, 8, 30);
}

/* ---------------------------------------------------------------- losses */

static const int32_t targets[] = {3, 0, 3, 12, 7, 7, 1};

#define SCALE 2.5 /* of a low-rank addition to the output layer */

static void add_low_rank(const problem *p, double *logits)
{
    int64_t rows = p->out_rows, outputs = p->in[1].rows, rank = p->in[3].rows;
    double *low = pg_alloc((size_t)(rows * rank), sizeof *low), *high = pg_alloc((size_t)(rows * outputs), sizeof *low);
    multiply(low, p->in[0].values, rows, p->in[3].values, rank, p->in[3].width, NULL);
    multiply(high, low, rows, p->in[4].values, outputs, rank, NULL);
    for (int64_t i = 0; i < rows * outputs; i++)
        logits[i] += SCALE * high[i];
    pg_free(low);
    pg_free(high);
}

static void output_formula(const problem *p, double *out)
{
    int64_t outputs = p->in[1].rows;
    double *logits = pg_alloc((size_t)(p->out_rows * outputs), sizeof *logits);
    multiply(logits, p->in[0].values, p->out_rows, p->in[1].values, outputs, p->in[1].width, p->in[2].values);
    if (p->inputs > 3)
        add_low_rank(p, logits);
    for (int64_t r = 0; r < p->out_rows; r++) {
        double total = 0, mean = 0, *z = logits + r * outputs;
        for (int64_t i = 0; i < outputs; i++) {
            total += exp(z[i]);
            mean += z[i] / (double)outputs;
        }
        out[r] = log(total) - (1 - p->number) * z[targets[r]] - p->number * mean;
    }
    pg_free(logits);
}

static pg_tensor *output_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    pg_lora *lora = pg_scratch(g, sizeof *lora);
    pg_parameter weight = w[1];
    if (p->inputs > 3) {
        *lora = (pg_lora){w[3], w[4], SCALE, 0};
        weight.lora = lora;
    }
    return pg_output_losses(g, x[0], &weight, &w[2], targets, p->number, NULL);
}

static void output_losses(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        problem p = {.name = "output losses",
                     .formula = output_formula,
                     .operation = output_operation,
                     .number = i % 2 ? 0.1 : 0,
                     .out_rows = 7,
                     .out_width = 1};
        add_tensor(&p, 7, 19);
        add_weight(&p, 13, 19);
        add_weight(&p, 1, 13);
        if (i > 1) {
            add_weight(&p, 3, 19);
            add_weight(&p, 13, 3);
        }
        check(&p);
    }
}

static double softplus(double x)
{
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

static void contrastive_formula(const problem *p, double *out)
{
    int64_t count = p->in[0].rows, width = p->in[0].width;
    *out = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++) {
            double cosine = 0;
            for (int64_t d = 0; d < width; d++)
                cosine += p->in[0].values[i * width + d] * p->in[1].values[j * width + d];
            double z = exp(*p->in[2].values) * cosine + *p->in[3].values;
            *out += softplus(i == j ? -z : z) / (double)count;
        }
}

static pg_tensor *contrastive_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)p;
    return pg_contrastive_loss(g, x[0], x[1], &w[2], &w[3]);
}

/* The last has more texts than are taken at a time. */
static void contrastive_loss(void **state)
{
    (void)state;
    const int64_t sizes[][2] = {{1, 5}, {4, 17}, {37, 3}, {300, 7}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        problem p = {.name = "contrastive",
                     .formula = contrastive_formula,
                     .operation = contrastive_operation,
                     .out_rows = 1,
                     .out_width = 1,
                     .samples = 40};
        add_tensor(&p, sizes[i][0], sizes[i][1]);
        add_tensor(&p, sizes[i][0], sizes[i][1]);
        add_weight(&p, 1, 1);
        add_weight(&p, 1, 1);
        check(&p);
    }
}

static const float reference[] = {1.5f, 0.5f, 2.0f, 2.5f, 0.1f, 40.0f};

static void preference_formula(const problem *p, double *out)
{
    for (int64_t i = 0; i < p->out_rows; i++) {
        const double *x = p->in[0].values + 2 * i;
        out[i] = softplus(-p->number * ((reference[2 * i] - x[0]) - (reference[2 * i + 1] - x[1])));
    }
}

static pg_tensor *preference_operation(const problem *p, pg_context *g, pg_tensor *const *x, const pg_parameter *w)
{
    (void)w;
    float *hits = pg_scratch_values(g, 3 * sizeof *hits);
    pg_tensor *losses = pg_preference_losses(g, x[0], reference, p->number, hits);
    assert_non_null(losses);
    const float *found = pg_to_host(g, hits, 3 * sizeof *hits), *loss = pg_to_host(g, losses->data, 3 * sizeof *loss);
    assert_true(found && loss);
    for (int i = 0; i < 3; i++)
        assert_true(found[i] == (loss[i] < 0.6931f));
    return losses;
}

static void preference_losses(void **state)
{
    (void)state;
    problem p = {.name = "preference",
                 .formula = preference_formula,
                 .operation = preference_operation,
                 .number = 0.3,
                 .out_rows = 3,
                 .out_width = 1};
    add_tensor(&p, 6, 1);
    check(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_layers),
        cmocka_unit_test(low_rank),
        cmocka_unit_test(gated_mlp),
        cmocka_unit_test(elementwise),
        cmocka_unit_test(norms),
        cmocka_unit_test(rows_by_number),
        cmocka_unit_test(rotation),
        cmocka_unit_test(attention),
        cmocka_unit_test(long_attention),
        cmocka_unit_test(output_losses),
        cmocka_unit_test(contrastive_loss),
        cmocka_unit_test(preference_losses),
    };
    cmocka_set_test_filter(getenv("PG_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
