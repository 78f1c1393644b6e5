#include "train/codebook.h"

#include <string.h>

#include "base/memory.h"
#include "base/random.h"

#define DECAY  0.97 /* of the moving averages */
#define DEAD   0.08 /* share of the mean use below which a code begins again */
#define BEGIN  0.2  /* share that it begins with: some 30 batches to be found useful */
#define STREAM 0x636f6465626f6f6b

pg_status pg_codebook_new(pg_codebook **out, const pg_parameter *table, bool trained)
{
    pg_codebook *c = *out = pg_alloc(1, sizeof *c);
    if (!c)
        return PG_ERROR_MEMORY;
    size_t codes = (size_t)table->rows, width = (size_t)table->width;
    *c = (pg_codebook){.codes = table->rows, .width = table->width, .table = (float *)table->data};
    c->counts = pg_alloc(codes, sizeof *c->counts);
    c->sums = pg_alloc(codes, width * sizeof *c->sums);
    c->fresh = pg_alloc(codes, width * sizeof *c->fresh);
    c->seen = pg_alloc(codes, sizeof *c->seen);
    c->seen_sums = pg_alloc(codes, width * sizeof *c->seen_sums);
    c->used = pg_alloc(codes, sizeof *c->used);
    if (!c->counts || !c->sums || !c->fresh || !c->seen || !c->seen_sums || !c->used) {
        pg_codebook_free(c);
        *out = NULL;
        return PG_ERROR_MEMORY;
    }
    for (size_t i = 0; trained && i < codes; i++)
        c->counts[i] = 1; /* the first batches count little beside it */
    if (trained)
        memcpy(c->sums, c->table, codes * width * sizeof *c->sums);
    return PG_OK;
}

void pg_codebook_free(pg_codebook *codebook)
{
    if (!codebook)
        return;
    pg_free(codebook->counts);
    pg_free(codebook->sums);
    pg_free(codebook->fresh);
    pg_free(codebook->seen);
    pg_free(codebook->seen_sums);
    pg_free(codebook->used);
    pg_free(codebook);
}

/* ---------------------------------------------------------------- a batch */

static void begin(pg_codebook *c)
{
    size_t codes = (size_t)c->codes;
    c->rows = 0;
    memset(c->seen, 0, codes * sizeof *c->seen);
    memset(c->seen_sums, 0, codes * (size_t)c->width * sizeof *c->seen_sums);
}

/* Keeps those of these rows that were drawn for a code. */
static void keep_fresh(pg_codebook *c, const pg_tensor *x, int64_t total, uint64_t seed, uint64_t step)
{
    for (int64_t i = 0; i < c->codes; i++) {
        uint64_t place = step * (uint64_t)c->codes + (uint64_t)i;
        int64_t row = (int64_t)(pg_random_uniform(seed, STREAM, place) * (double)total) - c->rows;
        if (row >= 0 && row < x->rows)
            memcpy(c->fresh + i * c->width, (const float *)x->data + row * c->width,
                   (size_t)c->width * sizeof *c->fresh);
    }
}

void pg_codebook_note(pg_codebook *codebook, const pg_tensor *x, const int32_t *codes, int64_t total, uint64_t seed,
                      uint64_t step)
{
    int64_t width = codebook->width;
    keep_fresh(codebook, x, total, seed, step);
    for (int64_t r = 0; r < x->rows; r++) {
        double *sums = codebook->seen_sums + codes[r] * width;
        const float *vector = (const float *)x->data + r * width;
        codebook->seen[codes[r]]++;
        for (int64_t i = 0; i < width; i++)
            sums[i] += (double)vector[i];
    }
    codebook->rows += x->rows;
}

/* ---------------------------------------------------------------- a step */

static void average_code(pg_codebook *c, int64_t code)
{
    float *sums = c->sums + code * c->width, *row = c->table + code * c->width;
    const double *seen = c->seen_sums + code * c->width;
    c->counts[code] = (float)(DECAY * (double)c->counts[code] + (1 - DECAY) * c->seen[code]);
    for (int64_t i = 0; i < c->width; i++) {
        sums[i] = (float)(DECAY * (double)sums[i] + (1 - DECAY) * seen[i]);
        row[i] = c->counts[code] > 0 ? sums[i] / c->counts[code] : row[i];
    }
}

static void revive_code(pg_codebook *c, int64_t code, float count)
{
    float *sums = c->sums + code * c->width;
    const float *vector = c->fresh + code * c->width;
    memcpy(c->table + code * c->width, vector, (size_t)c->width * sizeof *c->table);
    c->counts[code] = count;
    for (int64_t i = 0; i < c->width; i++)
        sums[i] = vector[i] * count;
}

int64_t pg_codebook_step(pg_codebook *codebook)
{
    double mean = (double)codebook->rows / (double)codebook->codes;
    int64_t revived = 0;
    for (int64_t i = 0; i < codebook->codes; i++) {
        bool begun = codebook->counts[i] > 0;
        average_code(codebook, i);
        if (begun && (double)codebook->counts[i] >= DEAD * mean)
            continue;
        revive_code(codebook, i, (float)(BEGIN * mean));
        revived++;
    }
    begin(codebook);
    return revived;
}

/* ---------------------------------------------------------------- watching, keeping */

void pg_codebook_watch(pg_codebook *codebook)
{
    memset(codebook->used, 0, (size_t)codebook->codes * sizeof *codebook->used);
}

void pg_codebook_see(pg_codebook *codebook, const int32_t *codes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        codebook->used[codes[i]] = true;
}

int64_t pg_codebook_used(const pg_codebook *codebook)
{
    int64_t used = 0;
    for (int64_t i = 0; i < codebook->codes; i++)
        used += codebook->used[i];
    return used;
}

void pg_codebook_state(pg_array out[PG_CODEBOOK_ARRAYS], const pg_codebook *codebook)
{
    const pg_array arrays[] = {{.name = "codebook.table", .shape = {codebook->codes, codebook->width}},
                               {.name = "codebook.counts", .shape = {1, codebook->codes}},
                               {.name = "codebook.sums", .shape = {codebook->codes, codebook->width}}};
    float *const values[] = {codebook->table, codebook->counts, codebook->sums};
    for (int i = 0; i < PG_CODEBOOK_ARRAYS; i++) {
        out[i] = arrays[i];
        out[i].dtype = PG_F32;
        out[i].dimensions = 2;
        out[i].data = values[i];
        pg_array_size(&out[i].bytes, &out[i]);
    }
}
