/*
 * How fast a device's products are, for the shapes of the 3B model: bench_device [DEVICE]. Prints a table: bytes of
 * the weight a second for generated tokens, operations a second for many rows. A weight comes from a different place
 * of a large memory each time, so that no cache holds it. Linked to the library's objects: products are below the
 * public header.
 */
#include "stopwatch.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "kernels/device_products.h"
#include "kernels/devices.h"

#define WEIGHT_BYTES ((size_t)4 << 30)
#define X_FLOATS     ((int64_t)4096 * 16384)
#define OUT_FLOATS   ((int64_t)257216 * 264)
#define SECONDS      0.03 /* of a measurement */

typedef struct bench {
    pg_device *device;
    const pg_device_products *products;
    char *weights;
    size_t at; /* where the next weight begins */
    float *x, *dout, *out;
} bench;

typedef struct measurement {
    bench *bench;
    int64_t rows, outputs, inputs;
    int bits; /* of a quantised weight; 0: `dtype` */
    pg_dtype dtype;
    bool bf16;
} measurement;

/* ---------------------------------------------------------------- values */

/* Fills memory of the device with copies of `bytes` bytes of the host. */
static void fill(bench *b, void *memory, size_t size, const void *from, size_t bytes)
{
    bytes = bytes < size ? bytes : size;
    pg_values_upload(b->device, memory, from, bytes);
    for (size_t done = bytes; done < size; done *= 2)
        pg_values_move(b->device, (char *)memory + done, memory, size - done < done ? size - done : done);
}

static void *filled(bench *b, size_t size, const void *from, size_t bytes)
{
    void *memory = pg_values_alloc(b->device, size);
    if (!memory)
        stop_on(PG_ERROR_MEMORY);
    fill(b, memory, size, from, bytes);
    return memory;
}

static void start(bench *b)
{
    enum { COUNT = 1 << 21 };
    float *floats = pg_alloc(COUNT, sizeof *floats);
    uint16_t *halves = pg_alloc(COUNT, sizeof *halves);
    if (!floats || !halves)
        stop_on(PG_ERROR_MEMORY);
    for (int i = 0; i < COUNT; i++) {
        floats[i] = (float)pg_random_uniform(1, 0, (uint64_t)i) * 2 - 1;
        halves[i] = pg_bf16_from_float(floats[i] * 0.05F);
    }
    b->weights = filled(b, WEIGHT_BYTES, halves, COUNT * sizeof *halves);
    b->x = filled(b, (size_t)X_FLOATS * sizeof(float), floats, COUNT * sizeof *floats);
    b->dout = filled(b, (size_t)OUT_FLOATS * sizeof(float), floats, COUNT * sizeof *floats);
    b->out = filled(b, (size_t)OUT_FLOATS * sizeof(float), floats, COUNT * sizeof *floats);
    pg_free(floats);
    pg_free(halves);
    stop_on(pg_device_wait(b->device));
}

static const void *take(bench *b, size_t bytes)
{
    bytes = (bytes + 255) / 256 * 256;
    b->at = b->at + bytes > WEIGHT_BYTES ? 0 : b->at;
    b->at += bytes;
    return b->weights + b->at - bytes;
}

static pg_device_matrix take_weight(const measurement *m, size_t *bytes)
{
    pg_device_matrix w = {.dtype = m->dtype, .rows = m->outputs, .width = m->inputs};
    pg_quantized *q = &w.quantized;
    if (!m->bits) {
        *bytes = (size_t)(m->outputs * m->inputs) * pg_dtype_size(m->dtype);
        w.data = take(m->bench, *bytes);
        return w;
    }
    *q = (pg_quantized){.bits = m->bits, .rows = m->outputs, .inputs = m->inputs, .block = 128};
    int64_t groups = pg_quantized_groups(q->rows);
    *bytes = (size_t)pg_quantized_bytes(q);
    q->values = take(m->bench, (size_t)(groups * pg_quantized_group_bytes(q)));
    q->steps = take(m->bench, (size_t)(groups * pg_quantized_step_bytes(q)));
    q->scales = take(m->bench, (size_t)(groups * pg_quantized_blocks(q->inputs, q->block)) * PG_QUANTIZED_ROWS * 2);
    return w;
}

/* ---------------------------------------------------------------- measuring */

typedef size_t run(const measurement *m); /* returns the bytes of the weight */

static size_t run_multiply(const measurement *m)
{
    size_t bytes;
    pg_device_matrix w = take_weight(m, &bytes);
    const pg_device_product product = {m->bench->out, &w, NULL};
    m->bench->products->multiply(m->bench->device, &product, 1, m->bench->x, m->rows, m->rows <= 16 ? m->rows : 0,
                                 m->bf16);
    return bytes;
}

static size_t run_back(const measurement *m)
{
    size_t bytes;
    pg_device_matrix w = take_weight(m, &bytes);
    m->bench->products->multiply_back(m->bench->device, m->bench->out, true, NULL, m->bench->dout, NULL, m->rows, &w,
                                      m->bf16);
    return bytes;
}

static size_t run_weight_back(const measurement *m)
{
    pg_device_matrix w = {.dtype = PG_F32, .rows = m->outputs, .width = m->inputs};
    m->bench->products->multiply_back(m->bench->device, NULL, false, m->bench->out, m->bench->dout, m->bench->x,
                                      m->rows, &w, m->bf16);
    return 0;
}

static size_t run_copy(const measurement *m)
{
    size_t bytes = WEIGHT_BYTES / 4;
    pg_values_move(m->bench->device, m->bench->weights + WEIGHT_BYTES / 2, m->bench->weights, bytes);
    return 2 * bytes;
}

static double seconds_of(run *what, const measurement *m, int times)
{
    double start = now();
    for (int i = 0; i < times; i++)
        what(m);
    stop_on(pg_device_wait(m->bench->device));
    return now() - start;
}

/* Seconds of one, and the bytes of its weight. The first runs choose algorithms and make room. */
static double measure(run *what, const measurement *m, size_t *bytes)
{
    *bytes = what(m);
    seconds_of(what, m, 2);
    double once = seconds_of(what, m, 3) / 3;
    int times = (int)(SECONDS / once) + 1;
    return seconds_of(what, m, times) / times;
}

/* ---------------------------------------------------------------- the table */

typedef struct shape {
    const char *name;
    int64_t outputs, inputs;
} shape;

static const shape gemma[] = {{"q, o", 2048, 2048},
                              {"k, v", 256, 2048},
                              {"gate, up", 16384, 2048},
                              {"down", 2048, 16384},
                              {"output", 257216, 2048}};
static const shape siglip[] = {{"SigLIP up", 4304, 1152}, {"SigLIP down", 1152, 4304}};

static void print_single(bench *b, const shape *s, const char *kind, int bits, pg_dtype dtype, bool bf16)
{
    printf("%-12s %6lld x %-6lld %-10s", s->name, (long long)s->outputs, (long long)s->inputs, kind);
    for (int64_t rows = 1; rows <= 16; rows = rows == 1 ? 4 : 2 * rows) {
        measurement m = {b, rows, s->outputs, s->inputs, bits, dtype, bf16};
        size_t bytes;
        double seconds = measure(run_multiply, &m, &bytes);
        printf("  %8.1f us %5.0f GB/s", seconds * 1e6, (double)bytes / seconds / 1e9);
    }
    printf("\n");
}

static void print_many(bench *b, const shape *s, int64_t rows, const char *kind, int bits, pg_dtype dtype, bool bf16)
{
    measurement m = {b, rows, s->outputs, s->inputs, bits, dtype, bf16};
    double operations = 2e-12 * (double)(rows * s->outputs) * (double)s->inputs;
    size_t bytes;
    printf("%-12s %6lld x %-6lld %-10s %5lld rows  %6.1f", s->name, (long long)s->outputs, (long long)s->inputs, kind,
           (long long)rows, operations / measure(run_multiply, &m, &bytes));
    printf("  %6.1f", operations / measure(run_back, &m, &bytes));
    if (s->outputs * s->inputs <= OUT_FLOATS && rows * s->inputs <= X_FLOATS)
        printf("  %6.1f", operations / measure(run_weight_back, &m, &bytes));
    printf("\n");
}

static void print_singles(bench *b)
{
    printf("\nGenerated tokens: time and bytes of the weight a second, for 1, 4, 8 and 16 rows\n");
    for (size_t i = 0; i < sizeof gemma / sizeof *gemma; i++) {
        print_single(b, &gemma[i], "bf16", 0, PG_BF16, true);
        print_single(b, &gemma[i], "8 bits", 8, PG_F32, true);
        print_single(b, &gemma[i], "4 bits", 4, PG_F32, true);
    }
    print_single(b, &gemma[2], "f32, bf16", 0, PG_F32, true);
    print_single(b, &gemma[2], "bf16, f32", 0, PG_BF16, false);
}

static void print_shapes(bench *b, const shape *shapes, size_t count)
{
    const int64_t rows[] = {260, 1024, 4096};
    for (size_t i = 0; i < count; i++)
        for (int r = 0; r < 3; r++)
            if (rows[r] * shapes[i].outputs <= OUT_FLOATS)
                print_many(b, &shapes[i], rows[r], "bf16", 0, PG_BF16, true);
}

static void print_manies(bench *b)
{
    printf("\nMany rows: TFLOP/s of the product, of dx and of dw\n");
    print_shapes(b, gemma, sizeof gemma / sizeof *gemma);
    print_shapes(b, siglip, sizeof siglip / sizeof *siglip);
    print_many(b, &gemma[2], 1024, "f32, bf16", 0, PG_F32, true);
    print_many(b, &gemma[2], 1024, "8 bits", 8, PG_F32, true);
    print_many(b, &gemma[2], 1024, "4 bits", 4, PG_F32, true);
    print_many(b, &gemma[2], 1024, "f32", 0, PG_F32, false);
}

int main(int argc, char **argv)
{
    bench b = {0};
    stop_on(pg_device_open(&b.device, argc > 1 ? argv[1] : "cuda"));
    if (!b.device) {
        fprintf(stderr, "usage: bench_device [cuda or cuda:N]\n");
        return 2;
    }
    b.products = b.device->kernels->products;
    start(&b);
    measurement copy = {.bench = &b};
    size_t bytes;
    double seconds = measure(run_copy, &copy, &bytes);
    printf("%s: %s\nA copy within the device: %.0f GB/s, read and written\n", b.device->name, b.device->description,
           (double)bytes / seconds / 1e9);
    print_singles(&b);
    print_manies(&b);
    pg_values_free(b.device, b.weights, WEIGHT_BYTES);
    pg_values_free(b.device, b.x, (size_t)X_FLOATS * sizeof(float));
    pg_values_free(b.device, b.dout, (size_t)OUT_FLOATS * sizeof(float));
    pg_values_free(b.device, b.out, (size_t)OUT_FLOATS * sizeof(float));
    pg_device_close(b.device);
    return 0;
}
