/* Shares taken back through an attention, against the whole matrix of weights in double precision. */
#include "check.h"

#include <math.h>

#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/rows.h"

#define HEADS    6
#define KV_HEADS 2
#define SIZE     12
#define QUERIES  83 /* more than exist at a time */
#define KEYS     131
#define RESULTS  3

static uint64_t drawn;

static float draw(void)
{
    return (float)(pg_random_uniform(5, 0, drawn++) * 2 - 1);
}

static pg_tensor *random_tensor(pg_context *g, int64_t rows, int64_t width)
{
    pg_tensor *x = pg_tensor_new(g, rows, width);
    assert_non_null(x);
    for (int64_t i = 0; i < rows * width; i++)
        ((float *)x->data)[i] = draw() * 2;
    return x;
}

/* Two sequences: one of a shared beginning and its own end, one with a prefix that is seen both ways; row 7 of the keys
 * belongs to nobody. */
static const pg_segment segments[] = {
    {.first = 0, .count = 20, .prefix = 0, .spans = {{0, 7}, {8, 20}}, .span_count = 2},
    {.first = 20, .count = 63, .prefix = 40, .spans = {{28, 103}}, .span_count = 1},
};
static const pg_batch batch = {.rows = QUERIES, .segments = segments, .segment_count = 2};

typedef struct flow_case {
    pg_context g;
    pg_tensor *q, *k, *v, *out, *shares;
    pg_attention_view view;
} flow_case;

static void open_case(flow_case *out, int threads)
{
    drawn = 0;
    *out = (flow_case){.g = {.kernels = pg_kernels_best(), .threads = threads}};
    pg_context *g = &out->g;
    out->q = random_tensor(g, QUERIES, HEADS * SIZE);
    out->k = random_tensor(g, KEYS, KV_HEADS * SIZE);
    out->v = random_tensor(g, KEYS, KV_HEADS * SIZE);
    out->shares = random_tensor(g, RESULTS, QUERIES);
    for (int i = 0; i < 9; i++) /* rows without a part in anything */
        for (int64_t n = 0; n < RESULTS; n++)
            pg_row(out->shares, n)[i * 9] = 0;
    out->out = pg_attention(g, out->q, out->k, out->v, HEADS, KV_HEADS, &batch);
    out->out->grad = random_tensor(g, QUERIES, HEADS * SIZE)->data;
    out->view = (pg_attention_view){out->q, out->k, out->v, out->out, HEADS, KV_HEADS, &batch, true};
    CHECK_OK(g->status);
}

static void close_case(flow_case *c)
{
    pg_arena_free(&c->g.arena);
}

/* The row of k that is key j of a segment, or -1 beyond the last. */
static int64_t key_row(const pg_segment *segment, int64_t j)
{
    for (int i = 0; i < segment->span_count; j -= segment->spans[i++].count)
        if (j < segment->spans[i].count)
            return segment->spans[i].first + j;
    return -1;
}

static double dot_heads(const pg_tensor *x, int64_t row, int64_t head, const float *y)
{
    double sum = 0;
    for (int64_t i = 0; i < SIZE; i++)
        sum += (double)pg_row(x, row)[head * SIZE + i] * (double)y[i];
    return sum;
}

/* One head's weights of one query row, over the rows of k. */
static void plain_head(double out[KEYS], const flow_case *c, const pg_segment *segment, int64_t row, int64_t head)
{
    int64_t keys = 0, kv_head = head / (HEADS / KV_HEADS);
    while (key_row(segment, keys) >= 0)
        keys++;
    int64_t causal = keys - segment->count + row - segment->first + 1;
    int64_t seen = causal > segment->prefix ? causal : segment->prefix;
    double sum = 0;
    memset(out, 0, KEYS * sizeof *out);
    for (int64_t j = 0; j < seen; j++) {
        double score = dot_heads(c->k, key_row(segment, j), kv_head, pg_row(c->q, row) + head * SIZE) / sqrt(SIZE);
        out[key_row(segment, j)] = exp(score);
        sum += exp(score);
    }
    for (int64_t j = 0; j < KEYS; j++)
        out[j] /= sum;
}

static void plain_weights(double out[QUERIES][KEYS], const flow_case *c, pg_attention_weights kind)
{
    memset(out, 0, sizeof(double[QUERIES][KEYS]));
    for (int64_t row = 0; row < QUERIES; row++)
        for (int64_t head = 0; head < HEADS; head++) {
            double a[KEYS];
            plain_head(a, c, &segments[row >= segments[1].first], row, head);
            for (int64_t j = 0; j < KEYS; j++) {
                double da =
                    dot_heads(c->v, j, head / (HEADS / KV_HEADS), c->out->grad + row * HEADS * SIZE + head * SIZE);
                double value = kind == PG_ATTENTION_PLAIN ? a[j] : a[j] * da > 0 ? a[j] * da : 0;
                out[row][j] += value / HEADS;
            }
        }
}

static void check_flow(flow_case *c, pg_attention_weights kind)
{
    static double weights[QUERIES][KEYS];
    plain_weights(weights, c, kind);
    pg_tensor *flow = pg_attention_flow(&c->g, &c->view, c->shares, kind);
    CHECK_OK(c->g.status);
    assert_int_equal(flow->rows, RESULTS);
    assert_int_equal(flow->width, KEYS);
    for (int64_t n = 0; n < RESULTS; n++)
        for (int64_t j = 0; j < KEYS; j++) {
            double want = 0, size = 0;
            for (int64_t i = 0; i < QUERIES; i++) {
                want += (double)pg_row(c->shares, n)[i] * weights[i][j];
                size += fabs((double)pg_row(c->shares, n)[i] * weights[i][j]);
            }
            if (!(fabs((double)pg_row(flow, n)[j] - want) <= 2e-6 * size))
                fail_msg("result %d, key %d: %.9g, expected %.9g", (int)n, (int)j, (double)pg_row(flow, n)[j], want);
        }
}

static void shares_flow_to_keys(void **state)
{
    (void)state;
    flow_case c;
    open_case(&c, 2);
    check_flow(&c, PG_ATTENTION_PLAIN);
    check_flow(&c, PG_ATTENTION_BY_GRADIENT);
    close_case(&c);
}

/* Row i of the result is then row i of the weights. */
static pg_tensor *all_weights(flow_case *c)
{
    pg_tensor *one = pg_tensor_new(&c->g, QUERIES, QUERIES);
    assert_non_null(one);
    memset(one->data, 0, sizeof(float[QUERIES][QUERIES]));
    for (int64_t i = 0; i < QUERIES; i++)
        pg_row(one, i)[i] = 1;
    return pg_attention_flow(&c->g, &c->view, one, PG_ATTENTION_PLAIN);
}

static void rows_sum_to_one(void **state)
{
    (void)state;
    flow_case c;
    open_case(&c, 2);
    pg_tensor *weights = all_weights(&c);
    for (int64_t i = 0; i < QUERIES; i++) {
        double sum = 0;
        for (int64_t j = 0; j < KEYS; j++) {
            assert_true(pg_row(weights, i)[j] >= 0);
            sum += (double)pg_row(weights, i)[j];
        }
        assert_true(fabs(sum - 1) < 1e-6);
        assert_true(pg_row(weights, i)[7] == 0);
    }
    close_case(&c);
}

/* With one head the mean over the heads is that head, so weights times values must be what pg_attention gives, which
 * never has the weights. */
static void weights_times_values_are_the_attention(void **state)
{
    (void)state;
    flow_case c;
    open_case(&c, 2);
    pg_context *g = &c.g;
    c.view.q = random_tensor(g, QUERIES, SIZE);
    c.view.k = random_tensor(g, KEYS, SIZE);
    pg_tensor *v = random_tensor(g, KEYS, SIZE);
    c.view.heads = c.view.kv_heads = 1;
    pg_tensor *tiled = pg_attention(g, (pg_tensor *)c.view.q, (pg_tensor *)c.view.k, v, 1, 1, &batch);
    pg_tensor *weights = all_weights(&c);
    for (int64_t i = 0; i < QUERIES; i++)
        for (int64_t d = 0; d < SIZE; d++) {
            double want = 0;
            for (int64_t j = 0; j < KEYS; j++)
                want += (double)pg_row(weights, i)[j] * (double)pg_row(v, j)[d];
            assert_true(fabs((double)pg_row(tiled, i)[d] - want) < 2e-6);
        }
    close_case(&c);
}

static void threads_do_not_matter(void **state)
{
    (void)state;
    flow_case one, three;
    open_case(&one, 1);
    open_case(&three, 3);
    pg_tensor *a = pg_attention_flow(&one.g, &one.view, one.shares, PG_ATTENTION_BY_GRADIENT);
    pg_tensor *b = pg_attention_flow(&three.g, &three.view, three.shares, PG_ATTENTION_BY_GRADIENT);
    assert_memory_equal(a->data, b->data, sizeof(float[RESULTS][KEYS]));
    close_case(&one);
    close_case(&three);
}

typedef struct seen {
    int forward, back;
} seen;

static void count_views(void *user, pg_context *g, const pg_attention_view *view)
{
    seen *s = user;
    assert_int_equal(g->status, PG_OK);
    s->forward += !view->back;
    s->back += view->back;
    if (view->back)
        assert_non_null(view->out->grad);
}

/* Every attention is shown where it is computed and where its derivatives are. */
static void attentions_are_shown(void **state)
{
    (void)state;
    flow_case c;
    pg_tape tape = {0};
    seen s = {0};
    open_case(&c, 2);
    c.g.see_attention = count_views;
    c.g.attention_user = &s;
    pg_attention(&c.g, c.q, c.k, c.v, HEADS, KV_HEADS, &batch);
    assert_int_equal(s.forward, 1);
    c.g.tape = &tape;
    c.q->tracked = true;
    pg_tensor *out = pg_attention(&c.g, c.q, c.k, c.v, HEADS, KV_HEADS, &batch);
    assert_int_equal(s.forward, 2);
    assert_int_equal(s.back, 0);
    CHECK_OK(pg_tape_backward(&c.g, pg_weighted_sum(&c.g, out, c.out->grad), 1));
    assert_int_equal(s.back, 1);
    pg_tape_free(&tape);
    close_case(&c);
}

static void no_shares_give_nothing(void **state)
{
    (void)state;
    flow_case c;
    open_case(&c, 1);
    assert_null(pg_attention_flow(&c.g, &c.view, NULL, PG_ATTENTION_PLAIN));
    memset(c.shares->data, 0, sizeof(float[RESULTS][QUERIES]));
    pg_tensor *flow = pg_attention_flow(&c.g, &c.view, c.shares, PG_ATTENTION_PLAIN);
    for (int64_t i = 0; i < RESULTS * KEYS; i++)
        assert_true(((float *)flow->data)[i] == 0);
    close_case(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_flow_to_keys),
        cmocka_unit_test(rows_sum_to_one),
        cmocka_unit_test(weights_times_values_are_the_attention),
        cmocka_unit_test(threads_do_not_matter),
        cmocka_unit_test(attentions_are_shown),
        cmocka_unit_test(no_shares_give_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
