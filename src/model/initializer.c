#include "model/initializer.h"

#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/random.h"
#include "ops/ops.h"

/* Deviation of a normal distribution cut off at two deviations. */
#define CUT_DEVIATION 0.87962566103423978

/* Frequencies of location tokens in cycles per picture, spread evenly over their logarithm. */
#define SLOWEST 0.5
#define FASTEST 64.0

typedef enum distribution { CONSTANT, NORMAL, CUT_NORMAL, UNIFORM } distribution;

typedef struct start {
    distribution kind;
    double size; /* the constant, the deviation, or the bound */
} start;

static start start_of_siglip(const pg_weight_entry *entry, const char *name)
{
    const pg_parameter *p = entry->parameter;
    double inputs = (double)p->width, outputs = (double)p->rows;
    bool bias = pg_ends_in(name, "_bias");
    if (strstr(name, "norm"))
        return (start){CONSTANT, bias ? 0 : 1};
    if (bias)
        return pg_ends_in(name, "fc1_bias") || pg_ends_in(name, "fc2_bias") ? (start){NORMAL, 1e-6}
                                                                            : (start){CONSTANT, 0};
    if (pg_ends_in(name, ".position") || pg_ends_in(name, ".token"))
        return (start){NORMAL, 1 / sqrt(inputs)};
    if (pg_ends_in(name, ".patch") || pg_ends_in(name, "words.head") || pg_ends_in(name, "vision.head.out"))
        return (start){CUT_NORMAL, 1 / sqrt(inputs) / CUT_DEVIATION};
    if (pg_ends_in(name, ".probe"))
        outputs = inputs;
    return (start){UNIFORM, sqrt(6 / (inputs + outputs))};
}

static start start_of(const pg_weight_entry *entry)
{
    const char *name = entry->parameter->name;
    if (!strcmp(name, "logit_scale"))
        return (start){CONSTANT, log(10)};
    if (!strcmp(name, "logit_bias"))
        return (start){CONSTANT, -10};
    if (entry->part == PG_PART_VISION || entry->part == PG_PART_WORDS)
        return start_of_siglip(entry, name);
    return entry->dimensions == 1 ? (start){CONSTANT, 0} : (start){NORMAL, PG_INITIAL_DEVIATION};
}

/* Box and Muller. */
static double draw_normal(uint64_t seed, uint64_t stream, uint64_t place)
{
    double radius = sqrt(-2 * log(1 - pg_random_uniform(seed, stream, 2 * place)));
    return radius * cos(2 * M_PI * pg_random_uniform(seed, stream, 2 * place + 1));
}

static double draw_cut_normal(uint64_t seed, uint64_t stream, uint64_t place)
{
    double value = draw_normal(seed, stream, place);
    for (uint64_t again = 1; fabs(value) > 2; again++)
        value = draw_normal(seed, stream + again, place);
    return value;
}

void pg_initial_values(float *out, const pg_weight_entry *entry, uint64_t seed, int64_t first, int64_t count)
{
    start how = start_of(entry);
    uint64_t stream = pg_place(entry->parameter->name);
    uint64_t place = (uint64_t)(first * entry->parameter->width);
    for (int64_t i = 0; i < count * entry->parameter->width; i++, place++)
        switch (how.kind) {
        case CONSTANT: out[i] = (float)how.size; break;
        case NORMAL: out[i] = (float)(how.size * draw_normal(seed, stream, place)); break;
        case CUT_NORMAL: out[i] = (float)(how.size * draw_cut_normal(seed, stream, place)); break;
        case UNIFORM: out[i] = (float)(how.size * (2 * pg_random_uniform(seed, stream, place) - 1)); break;
        }
}

void pg_initial_location(float *out, const pg_weight_entry *entry, uint64_t seed, int location)
{
    uint64_t stream = pg_place(entry->parameter->name) + PG_LOCATIONS; /* beside that of the other rows */
    double t = (double)location / (PG_LOCATIONS - 1);
    for (int64_t i = 0; i < entry->parameter->width; i++) {
        double share = pg_random_uniform(seed, stream, (uint64_t)(2 * i));
        double phase = pg_random_uniform(seed, stream, (uint64_t)(2 * i + 1));
        double frequency = SLOWEST * pow(FASTEST / SLOWEST, share);
        out[i] = (float)(PG_INITIAL_DEVIATION * M_SQRT2 * cos(2 * M_PI * (frequency * t + phase)));
    }
}
