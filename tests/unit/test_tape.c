/* The tape itself: blocks that are computed again, dropout, weights that are frozen or quantised, memory that fails.
 * What each operation's way back gives is in test_gradients.c. */
#include "check.h"

#include <math.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

#define ROWS   23
#define WIDTH  24
#define VOCAB  37
#define BLOCKS 3

/* A small decoder whose blocks have everything that a tape meets in a layer. */
typedef struct block_weights {
    pg_parameter norm, q, k, o, gate, up, down;
    pg_lora lora; /* of gate */
} block_weights;

typedef struct network {
    pg_parameter embed;
    block_weights blocks[BLOCKS];
    pg_parameter *all[64];
    int count;
    int32_t ids[ROWS];
    float weights[ROWS];
} network;

static pg_parameter *add_weight(network *n, pg_parameter *p, const char *name, int64_t rows, int64_t width)
{
    float *data = pg_alloc((size_t)(rows * width), sizeof *data);
    for (int64_t i = 0; i < rows * width; i++)
        data[i] = (float)(pg_random_uniform(1, (uint64_t)n->count, (uint64_t)i) - 0.5);
    *p = (pg_parameter){.name = name, .dtype = PG_F32, .rows = rows, .width = width, .data = data};
    p->grad = pg_alloc((size_t)(rows * width), sizeof(float));
    return n->all[n->count++] = p;
}

static void make_network(network *n)
{
    *n = (network){0};
    add_weight(n, &n->embed, "embed", VOCAB, WIDTH);
    for (int i = 0; i < BLOCKS; i++) {
        block_weights *w = &n->blocks[i];
        add_weight(n, &w->norm, "norm", 1, WIDTH);
        add_weight(n, &w->q, "q", WIDTH, WIDTH);
        add_weight(n, &w->k, "k", WIDTH / 2, WIDTH);
        add_weight(n, &w->o, "o", WIDTH, WIDTH);
        add_weight(n, &w->gate, "gate", 40, WIDTH);
        add_weight(n, &w->up, "up", 40, WIDTH);
        add_weight(n, &w->down, "down", WIDTH, 40);
        add_weight(n, &w->lora.a, "gate.a", 4, WIDTH);
        add_weight(n, &w->lora.b, "gate.b", 40, 4);
        w->lora.scale = 2;
        w->lora.dropout = 0.2;
        w->gate.lora = &w->lora;
    }
    for (int i = 0; i < ROWS; i++) {
        n->ids[i] = i * 7 % VOCAB;
        n->weights[i] = 1 / (float)ROWS;
    }
}

static void free_network(network *n)
{
    for (int i = 0; i < n->count; i++) {
        pg_free((void *)n->all[i]->data);
        pg_free(n->all[i]->grad);
    }
}

static void clear_gradients(network *n)
{
    for (int i = 0; i < n->count; i++)
        memset(n->all[i]->grad, 0, (size_t)(n->all[i]->rows * n->all[i]->width) * sizeof(float));
}

static float *copy_gradients(const network *n)
{
    float *copy = NULL;
    size_t used = 0;
    for (int i = 0; i < n->count; i++)
        used += (size_t)(n->all[i]->rows * n->all[i]->width);
    float *to = copy = pg_alloc(used, sizeof *copy);
    for (int i = 0; i < n->count; to += n->all[i]->rows * n->all[i]->width, i++)
        memcpy(to, n->all[i]->grad, (size_t)(n->all[i]->rows * n->all[i]->width) * sizeof *to);
    return copy;
}

static void check_gradients(const network *n, const float *expected)
{
    for (int i = 0; i < n->count; expected += n->all[i]->rows * n->all[i]->width, i++)
        assert_memory_equal(n->all[i]->grad, expected, (size_t)(n->all[i]->rows * n->all[i]->width) * sizeof(float));
}

typedef struct block_arguments {
    const block_weights *weights;
    pg_batch batch;
} block_arguments;

static pg_tensor *forward_block(pg_context *g, const void *arguments, pg_tensor *x)
{
    const block_arguments *a = arguments;
    const block_weights *w = a->weights;
    pg_tensor *h = pg_rmsnorm(g, x, &w->norm, 1e-6);
    pg_tensor *q = pg_linear(g, h, &w->q, NULL), *k = pg_linear(g, h, &w->k, NULL);
    h = pg_linear(g, pg_attention(g, q, k, k, 4, 2, &a->batch), &w->o, NULL);
    x = pg_add(g, x, pg_residual_dropout(g, h, w->o.name));
    h = pg_gated_mlp(g, x, &w->gate, &w->up, &w->down);
    return pg_add(g, x, pg_residual_dropout(g, h, w->down.name));
}

static pg_tensor *forward(pg_context *g, const network *n)
{
    static const pg_segment segments[] = {{.count = 14, .prefix = 5, .spans = {{0, 14}}, .span_count = 1},
                                          {.first = 14, .count = 9, .spans = {{14, 9}}, .span_count = 1}};
    pg_batch batch = {.rows = ROWS, .segments = segments, .segment_count = 2};
    pg_tensor *x = pg_embed(g, &n->embed, n->ids, ROWS, 3, 0);
    pg_arena_mark scope = pg_scope_begin(g);
    for (int i = 0; i < BLOCKS; i++) {
        block_arguments arguments = {&n->blocks[i], batch};
        x = pg_run_block(g, scope, forward_block, &arguments, sizeof arguments, x);
    }
    return pg_weighted_sum(g, pg_output_losses(g, x, &n->embed, NULL, n->ids, 0, NULL), n->weights);
}

/* One step: the loss in *loss, gradients in the weights. */
static pg_status train_step(float *loss, pg_context *g, const network *n)
{
    pg_arena_release(&g->arena, (pg_arena_mark){{0, 0}, {0, 0}});
    pg_tensor *out = forward(g, n);
    if (out)
        *loss = *(const float *)out->data;
    return pg_tape_backward(g, out, 1);
}

static pg_context start(pg_tape *tape, int threads)
{
    return (pg_context){.kernels = pg_kernels_best(), .threads = threads, .compute = PG_COMPUTE_F32, .tape = tape};
}

/* ---------------------------------------------------------------- computing again */

/* Blocks that keep only their input give the same bits, with dropout and on any number of threads. The memory of the
 * second step is that of the first. */
static void blocks_are_computed_again(void **state)
{
    (void)state;
    network n;
    make_network(&n);
    float *expected = NULL, first = 0;
    for (int i = 0; i < 6; i++) {
        pg_tape tape = {.checkpoint = i % 2, .dropout = 0.25, .seed = 9, .step = 2};
        pg_context g = start(&tape, 1 + i);
        float loss = 0;
        clear_gradients(&n);
        CHECK_OK(train_step(&loss, &g, &n));
        assert_null(tape.last);
        if (!expected) {
            expected = copy_gradients(&n);
            first = loss;
        }
        assert_memory_equal(&loss, &first, sizeof loss);
        check_gradients(&n, expected);
        size_t arena = pg_arena_size(&g.arena), pool = pg_tape_bytes(&tape);
        CHECK_OK(train_step(&loss, &g, &n));
        assert_int_equal(pg_arena_size(&g.arena), arena);
        assert_int_equal(pg_tape_bytes(&tape), pool);
        pg_arena_free(&g.arena);
        pg_tape_free(&tape);
    }
    pg_free(expected);
    free_network(&n);
}

static float loss_with(network *n, double dropout, uint64_t seed, uint64_t step)
{
    pg_tape tape = {.dropout = dropout, .seed = seed, .step = step};
    pg_context g = start(&tape, 2);
    float loss = 0;
    CHECK_OK(train_step(&loss, &g, n));
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
    return loss;
}

static void dropout_follows_from_seed_and_step(void **state)
{
    (void)state;
    network n;
    make_network(&n);
    float a = loss_with(&n, 0.25, 1, 1);
    assert_true(a == loss_with(&n, 0.25, 1, 1));
    assert_true(a != loss_with(&n, 0.25, 2, 1));
    assert_true(a != loss_with(&n, 0.25, 1, 2));
    assert_true(a != loss_with(&n, 0.5, 1, 1));
    free_network(&n);
}

/* A mask that leaves out its share, keeps the mean, and is the same on the way back. */
static void dropout_masks(void **state)
{
    (void)state;
    const int64_t rows = 101, width = 67;
    pg_tape tape = {.seed = 4};
    pg_context g = start(&tape, 3);
    pg_tensor *x = pg_tensor_new(&g, rows, width);
    float *weights = pg_scratch(&g, (size_t)(rows * width) * sizeof *weights);
    for (int64_t i = 0; i < rows * width; i++) {
        ((float *)x->data)[i] = 1;
        weights[i] = (float)(i % 7) - 3;
    }
    x->tracked = true;
    assert_ptr_equal(pg_dropout(&g, x, 0, 1), x);
    pg_tensor *y = pg_dropout(&g, x, 0.3, pg_place("here")), *z = pg_dropout(&g, x, 0.3, pg_place("there"));
    CHECK_OK(pg_tape_backward(&g, pg_weighted_sum(&g, y, weights), 1));
    int64_t kept = 0, same = 0;
    for (int64_t i = 0; i < rows * width; i++) {
        float value = ((float *)y->data)[i];
        assert_true(value == 0 || value == (float)(1 / 0.7));
        assert_true(x->grad[i] == value * weights[i]);
        kept += value != 0;
        same += value == ((float *)z->data)[i];
    }
    double share = (double)kept / (double)(rows * width), deviation = sqrt(0.3 * 0.7 / (double)(rows * width));
    assert_true(fabs(share - 0.7) < 5 * deviation);
    assert_true(fabs((double)same / (double)(rows * width) - (0.49 + 0.09)) < 5 * deviation); /* independent masks */
    g.tape = NULL;
    assert_ptr_equal(pg_dropout(&g, x, 0.3, 1), x); /* only while training */
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
}

/* ---------------------------------------------------------------- what is trained */

static void frozen_weights_record_nothing(void **state)
{
    (void)state;
    network n;
    make_network(&n);
    float *grads[64];
    for (int i = 0; i < n.count; i++) {
        grads[i] = n.all[i]->grad;
        n.all[i]->grad = NULL;
    }
    pg_tape tape = {0};
    pg_context g = start(&tape, 2);
    pg_tensor *loss = forward(&g, &n);
    assert_false(loss->tracked);
    assert_null(tape.last);
    CHECK_OK(pg_tape_backward(&g, loss, 1));
    assert_int_equal(pg_tape_bytes(&tape), 0);
    n.blocks[BLOCKS - 1].lora.b.grad = grads[n.count - 1]; /* the last layer's addition alone */
    n.blocks[BLOCKS - 1].lora.a.grad = grads[n.count - 2];
    CHECK_OK(train_step(&(float){0}, &g, &n));
    bool any = false;
    for (int64_t i = 0; i < 160; i++)
        any = any || grads[n.count - 1][i] != 0;
    assert_true(any);
    for (int i = 0; i < n.count; i++)
        n.all[i]->grad = grads[i];
    pg_arena_free(&g.arena);
    pg_tape_free(&tape);
    free_network(&n);
}

/* Without their additions, layers are what they were: in every form that a gated block has. */
static void additions_can_be_left_out(void **state)
{
    (void)state;
    network n, plain;
    make_network(&n);
    make_network(&plain);
    for (int i = 0; i < BLOCKS; i++) {
        plain.blocks[i].gate.lora = NULL;
        n.blocks[i].down.lora = NULL;
    }
    pg_context g = start(NULL, 2);
    float with = *(float *)forward(&g, &n)->data, without = *(float *)forward(&g, &plain)->data;
    g.unadapted = true;
    float left_out = *(float *)forward(&g, &n)->data;
    assert_true(with != without);
    assert_memory_equal(&left_out, &without, sizeof without);
    pg_arena_free(&g.arena);
    free_network(&n);
    free_network(&plain);
}

/* The derivative of x w^T goes through a quantised w as through the numbers that it stands for. */
static void quantised_weights_pass_derivatives_on(void **state)
{
    (void)state;
    const int64_t rows = 5, outputs = 37, inputs = 75;
    for (int bits = 4; bits <= 8; bits += 4) {
        pg_quantized q = {.bits = bits, .rows = outputs, .inputs = inputs, .block = 32};
        uint8_t *memory = pg_alloc((size_t)pg_quantized_bytes(&q), 1);
        int64_t values = pg_quantized_groups(outputs) * pg_quantized_group_bytes(&q);
        int64_t steps = pg_quantized_groups(outputs) * pg_quantized_step_bytes(&q);
        int64_t scales = pg_quantized_groups(outputs) * pg_quantized_blocks(inputs, 32) * PG_QUANTIZED_ROWS;
        for (int64_t i = 0; i < values + steps; i++)
            memory[i] = (uint8_t)pg_random_bits(3, 0, (uint64_t)i);
        for (int64_t i = 0; i < scales; i++)
            ((uint16_t *)(void *)(memory + values + steps))[i] = pg_bf16_from_float((float)(i % 5 + 1) / 256);
        q.values = memory;
        q.steps = memory + values;
        q.scales = memory + values + steps;
        float *wide = pg_alloc((size_t)(outputs * inputs), sizeof *wide);
        for (int64_t n = 0; n < outputs; n++)
            pg_quantized_widen(wide + n * inputs, &q, n, 0, inputs);
        pg_parameter w[2] = {{.name = "w", .dtype = PG_U8, .rows = outputs, .width = inputs, .quantized = q},
                             {.name = "w", .dtype = PG_F32, .rows = outputs, .width = inputs, .data = wide}};
        float weights[5 * 37], grads[2][5 * 75];
        for (int i = 0; i < 2; i++) {
            pg_tape tape = {0};
            pg_context g = start(&tape, 2);
            g.integers = i == 0; /* forward in whole numbers: the way back does not care */
            pg_tensor *x = pg_tensor_new(&g, rows, inputs);
            for (int64_t j = 0; j < rows * inputs; j++)
                ((float *)x->data)[j] = (float)pg_random_uniform(8, 0, (uint64_t)j) - 0.5f;
            for (int64_t j = 0; j < rows * outputs; j++)
                weights[j] = (float)pg_random_uniform(8, 1, (uint64_t)j) - 0.5f;
            x->tracked = true;
            CHECK_OK(pg_tape_backward(&g, pg_weighted_sum(&g, pg_linear(&g, x, &w[i], NULL), weights), 1));
            memcpy(grads[i], x->grad, sizeof grads[i]);
            pg_arena_free(&g.arena);
            pg_tape_free(&tape);
        }
        assert_memory_equal(grads[0], grads[1], sizeof grads[0]);
        pg_free(wide);
        pg_free(memory);
    }
}

/* ---------------------------------------------------------------- failures */

/* Every allocation of a step fails once, and then alone: the step says so, and the next one, with the same tape, is
 * what it always was. */
static void failures_stay(void **state)
{
    (void)state;
    network n;
    make_network(&n);
    float loss;
    pg_tape fine = {.dropout = 0.1};
    pg_context whole = start(&fine, 1);
    CHECK_OK(train_step(&loss, &whole, &n));
    float *expected = copy_gradients(&n);
    for (int checkpoint = 0; checkpoint < 2; checkpoint++) {
        bool failed = true;
        for (long at = 1; failed; at++) {
            pg_tape tape = {.dropout = 0.1, .checkpoint = checkpoint};
            pg_context g = start(&tape, 1);
            clear_gradients(&n);
            pg_memory_fail_once(at);
            pg_status status = train_step(&loss, &g, &n);
            failed = pg_memory_fail_once(0);
            assert_int_equal(status, failed ? PG_ERROR_MEMORY : PG_OK);
            assert_null(tape.last);
            g.status = PG_OK;
            clear_gradients(&n);
            CHECK_OK(train_step(&loss, &g, &n));
            check_gradients(&n, expected);
            pg_arena_free(&g.arena);
            pg_tape_free(&tape);
        }
    }
    pg_free(expected);
    pg_arena_free(&whole.arena);
    pg_tape_free(&fine);
    free_network(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_computed_again),
        cmocka_unit_test(dropout_follows_from_seed_and_step),
        cmocka_unit_test(dropout_masks),
        cmocka_unit_test(frozen_weights_record_nothing),
        cmocka_unit_test(additions_can_be_left_out),
        cmocka_unit_test(quantised_weights_pass_derivatives_on),
        cmocka_unit_test(failures_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
