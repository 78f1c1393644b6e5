/*
 * How fast a device's attention is: bench_device_attention [DEVICE]. Prints a table: pictures of SigLIP, prompts and
 * generated tokens of the 3B model, and steps of training. Operations are those of the two products (five on the way
 * back) for the keys that queries see; bytes are those of the keys and values. Linked to the library's objects:
 * operations are below the public header.
 */
#include "stopwatch.h"

#include "kernels/device_attention.h"
#include "kernels/devices.h"
#include "kernels/kernels.h"
#include "ops/ops.h"
#include "tensor/tape.h"

#define SECONDS 0.03 /* of a measurement */

/* `sequences` of `rows` queries each behind `past` keys; a row sees `prefix` keys or more. */
typedef struct shape {
    const char *name;
    int64_t sequences, rows, past, prefix, heads, kv_heads, size;
    pg_dtype dtype;
    pg_compute compute;
} shape;

typedef struct bench {
    pg_context g;
    const shape *shape;
    pg_tensor q, k, v;
    pg_batch batch;
} bench;

static pg_tensor zeros(pg_context *g, pg_dtype dtype, int64_t rows, int64_t width)
{
    size_t bytes = (size_t)(rows * width) * pg_dtype_size(dtype);
    pg_tensor x = {.dtype = dtype, .rows = rows, .width = width, .data = pg_scratch_values(g, bytes)};
    stop_on(g->status);
    pg_values_clear(g->device, x.data, bytes);
    return x;
}

static void start(bench *b, const shape *s)
{
    pg_context *g = &b->g;
    int64_t keys = s->past + s->rows;
    pg_segment *segments = pg_scratch(g, (size_t)s->sequences * sizeof *segments);
    stop_on(g->status);
    for (int64_t i = 0; i < s->sequences; i++)
        segments[i] = (pg_segment){
            .first = i * s->rows, .count = s->rows, .prefix = s->prefix, .spans = {{i * keys, keys}}, .span_count = 1};
    b->shape = s;
    b->batch = (pg_batch){.rows = s->sequences * s->rows,
                          .single = s->rows == 1 ? s->sequences : 0,
                          .segments = segments,
                          .segment_count = (size_t)s->sequences};
    pg_batch_place(g, &b->batch);
    b->q = zeros(g, PG_F32, s->sequences * s->rows, s->heads * s->size);
    b->k = zeros(g, s->dtype, s->sequences * keys, pg_cache_width(s->dtype, s->kv_heads, s->size));
    b->v = zeros(g, s->dtype, s->sequences * keys, pg_cache_width(s->dtype, s->kv_heads, s->size));
}

/* Pairs of queries and keys, all heads together. */
static double pairs(const shape *s)
{
    double sum = 0;
    for (int64_t i = 0; i < s->rows; i++) {
        int64_t seen = s->past + i + 1 > s->prefix ? s->past + i + 1 : s->prefix;
        sum += (double)seen;
    }
    return sum * (double)(s->sequences * s->heads);
}

static void forward(bench *b)
{
    pg_arena_mark mark = pg_arena_get_mark(&b->g.arena);
    pg_attention(&b->g, &b->q, &b->k, &b->v, b->shape->heads, b->shape->kv_heads, &b->batch);
    pg_arena_release(&b->g.arena, mark);
}

/* There and back, without a loss: the derivative of the result is zero. */
static void train(bench *b)
{
    pg_arena_mark mark = pg_arena_get_mark(&b->g.arena);
    pg_tensor *out = pg_attention(&b->g, &b->q, &b->k, &b->v, b->shape->heads, b->shape->kv_heads, &b->batch);
    stop_on(b->g.status);
    pg_gradient(&b->g, out);
    b->g.tape->last->backward(&b->g, b->g.tape->last->saved);
    b->q.grad = b->k.grad = b->v.grad = NULL;
    pg_tape_clear(b->g.tape);
    pg_arena_release(&b->g.arena, mark);
}

static double seconds_of(bench *b, void (*what)(bench *), int times)
{
    double start = now();
    for (int i = 0; i < times; i++)
        what(b);
    stop_on(b->g.status);
    stop_on(pg_device_wait(b->g.device));
    return now() - start;
}

static double measure(bench *b, void (*what)(bench *))
{
    seconds_of(b, what, 2);
    int times = (int)(SECONDS / seconds_of(b, what, 1)) + 1;
    return seconds_of(b, what, times) / times;
}

static void print_forward(pg_device *device, const shape *s)
{
    bench b = {.g = {.kernels = pg_kernels_best(), .threads = 1, .compute = s->compute}};
    pg_context_on(&b.g, device);
    start(&b, s);
    double seconds = measure(&b, forward), bytes = (double)(2 * b.k.rows * b.k.width) * (double)pg_dtype_size(s->dtype);
    printf("%-44s %9.1f us %7.1f TFLOP/s %6.0f GB/s\n", s->name, seconds * 1e6,
           pairs(s) * 4 * (double)s->size / seconds / 1e12, bytes / seconds / 1e9);
    pg_arena_free(&b.g.arena);
}

static void print_training(pg_device *device, const shape *s)
{
    pg_tape tape = {0};
    bench b = {.g = {.kernels = pg_kernels_best(), .threads = 1, .compute = s->compute, .tape = &tape}};
    pg_context_on(&b.g, device);
    start(&b, s);
    b.q.tracked = b.k.tracked = b.v.tracked = true;
    double there = measure(&b, forward);
    pg_tape_clear(&tape);
    double seconds = measure(&b, train);
    printf("%-44s %9.1f us there, %9.1f us there and back\n", s->name, there * 1e6, seconds * 1e6);
    pg_arena_free(&b.g.arena);
    pg_tape_free(&tape);
}

static const shape forwards[] = {
    {"SigLIP 224", 1, 256, 0, 256, 16, 16, 72, PG_F32, PG_COMPUTE_BF16},
    {"SigLIP 448", 1, 1024, 0, 1024, 16, 16, 72, PG_F32, PG_COMPUTE_BF16},
    {"SigLIP 896", 1, 4096, 0, 4096, 16, 16, 72, PG_F32, PG_COMPUTE_BF16},
    {"SigLIP 224, 16 pictures", 16, 256, 0, 256, 16, 16, 72, PG_F32, PG_COMPUTE_BF16},
    {"SigLIP 448, f32", 1, 1024, 0, 1024, 16, 16, 72, PG_F32, PG_COMPUTE_F32},
    {"prompt of 300", 1, 300, 0, 300, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"prompt of 1,100", 1, 1100, 0, 1100, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"prompt of 4,200", 1, 4200, 0, 4200, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"prompt of 1,100, f32", 1, 1100, 0, 1100, 8, 1, 256, PG_F32, PG_COMPUTE_F32},
    {"token behind 300", 1, 1, 300, 0, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"token behind 1,100", 1, 1, 1100, 0, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"token behind 4,500", 1, 1, 4500, 0, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"token behind 4,500, cache in I8", 1, 1, 4500, 0, 8, 1, 256, PG_I8, PG_COMPUTE_BF16},
    {"token behind 4,500, cache in F32", 1, 1, 4500, 0, 8, 1, 256, PG_F32, PG_COMPUTE_F32},
    {"8 tokens behind 1,100", 8, 1, 1100, 0, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"64 tokens behind 1,100", 64, 1, 1100, 0, 8, 1, 256, PG_BF16, PG_COMPUTE_BF16},
    {"64 tokens behind 1,100, 16 heads of keys", 64, 1, 1100, 0, 16, 16, 256, PG_BF16, PG_COMPUTE_BF16},
};

static const shape trainings[] = {
    {"3B, 4 x 512", 4, 512, 0, 300, 8, 1, 256, PG_F32, PG_COMPUTE_BF16},
    {"3B, 2 x 1,100", 2, 1100, 0, 1040, 8, 1, 256, PG_F32, PG_COMPUTE_BF16},
    {"SigLIP, 8 x 256", 8, 256, 0, 256, 16, 16, 72, PG_F32, PG_COMPUTE_BF16},
    {"small: 500 x 64, 4 heads of 64", 500, 64, 0, 64, 4, 4, 64, PG_F32, PG_COMPUTE_BF16},
    {"small: 500 x 84, 4 heads of 64, 1 of keys", 500, 84, 0, 70, 4, 1, 64, PG_F32, PG_COMPUTE_BF16},
    {"small: 500 x 84, f32", 500, 84, 0, 70, 4, 1, 64, PG_F32, PG_COMPUTE_F32},
};

int main(int argc, char **argv)
{
    pg_device *device;
    stop_on(pg_device_open(&device, argc > 1 ? argv[1] : "cuda"));
    if (!device) {
        fprintf(stderr, "usage: bench_device_attention [cuda or cuda:N]\n");
        return 2;
    }
    printf("%s: %s\n", device->name, device->description);
    for (size_t i = 0; i < sizeof forwards / sizeof *forwards; i++)
        print_forward(device, &forwards[i]);
    for (size_t i = 0; i < sizeof trainings / sizeof *trainings; i++)
        print_training(device, &trainings[i]);
    pg_device_close(device);
    return 0;
}
