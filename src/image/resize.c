/* Pillow's bicubic resize, bit for bit (the kernel is Keys's of 1981 with a = -0.5).
 *
 * Each axis is resized on its own, with bytes between the two passes. Output i lies at (i + 0.5) * scale of the input
 * and is a weighted sum of the inputs around it, over a kernel that is widened when shrinking. Weights are integers of
 * 22 fractional bits. They are kept as two parts of 16 bits, weight = high * 2^12 + low, because compilers turn sums of
 * products of 16-bit numbers into single instructions; no sum overflows, since |low| and |high * 2^12| are at most
 * twice |weight|, and the |weights| of an output add up to less than 1.5. */
#include "image/image.h"

#include <math.h>

#define WEIGHT_BITS 22
#define LOW_BITS    12
#define SUPPORT     2.0
#define VECTOR      8  /* taps are padded to a multiple of it with weights of 0 */
#define BLOCK_LINES 24 /* lines that are resized together: they and a weight row stay in the cache */

/* How one axis becomes `out` long: output i is the sum over t of weight[i, t] * input[first[i] + t]. */
typedef struct axis {
    size_t in, out, taps;
    uint32_t *first;     /* [out] */
    int16_t *low, *high; /* [out, taps] */
} axis;

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1.0)
        return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
    return x < 2.0 ? (((x - 5.0) * x + 8.0) * x - 4.0) * a : 0.0;
}

static void set_weights(axis *a, size_t i, double *weights)
{
    double scale = (double)a->in / (double)a->out, stretch = fmax(scale, 1.0);
    double center = ((double)i + 0.5) * scale, support = SUPPORT * stretch, inverse = 1.0 / stretch, total = 0.0;
    double left = center - support + 0.5, right = center + support + 0.5;
    size_t first = left > 0 ? (size_t)left : 0, end = right < (double)a->in ? (size_t)right : a->in;
    for (size_t t = 0; t < end - first; t++)
        total += weights[t] = cubic(((double)t + (double)first - center + 0.5) * inverse);
    for (size_t t = 0; t < end - first; t++) {
        double scaled = weights[t] / total * (1 << WEIGHT_BITS);
        int32_t weight = (int32_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
        int32_t upper = (weight + (1 << (LOW_BITS - 1))) >> LOW_BITS;
        a->high[i * a->taps + t] = (int16_t)upper;
        a->low[i * a->taps + t] = (int16_t)(weight - upper * (1 << LOW_BITS));
    }
    a->first[i] = (uint32_t)first;
}

static void axis_free(axis *a)
{
    pg_free(a->first);
    pg_free(a->low);
    pg_free(a->high);
}

static pg_status axis_init(axis *a, size_t in, size_t out)
{
    double stretch = fmax((double)in / (double)out, 1.0);
    size_t widest = (size_t)ceil(SUPPORT * stretch) * 2 + 1;
    if (widest > in)
        widest = in;
    *a = (axis){.in = in, .out = out, .taps = (widest + VECTOR - 1) / VECTOR * VECTOR};
    a->first = pg_alloc(out, sizeof *a->first);
    a->low = pg_alloc(out * a->taps, sizeof *a->low);
    a->high = pg_alloc(out * a->taps, sizeof *a->high);
    double *weights = pg_alloc(widest, sizeof *weights);
    pg_status status = a->first && a->low && a->high && weights ? PG_OK : PG_ERROR_MEMORY;
    for (size_t i = 0; i < out && status == PG_OK; i++)
        set_weights(a, i, weights);
    pg_free(weights);
    return status;
}

static uint8_t weigh(const int16_t *restrict values, const int16_t *restrict low, const int16_t *restrict high,
                     size_t taps)
{
    int32_t fine = 0, coarse = 0;
    for (size_t t = 0; t < taps; t++) {
        fine += values[t] * low[t];
        coarse += values[t] * high[t];
    }
    int64_t sum = (int64_t)coarse * (1 << LOW_BITS) + fine + (1 << (WEIGHT_BITS - 1));
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

/* Lines to be resized: groups * width of them, side by side in `width` bytes; `group` bytes lead from one group to the
 * next, `step` bytes along a line. Rows are groups of 3 lines with step 3; columns are one group. */
typedef struct lines {
    size_t groups, width, group, step;
} lines;

/* Resizes at most BLOCK_LINES lines. `line` has room for them, each followed by a->taps values of no weight. */
static void resize_block(const axis *a, uint8_t *to, lines to_lines, const uint8_t *from, lines from_lines,
                         int16_t *line)
{
    size_t pitch = a->in + a->taps;
    for (size_t g = 0; g < from_lines.groups; g++)
        for (size_t p = 0; p < a->in; p++)
            for (size_t j = 0; j < from_lines.width; j++)
                line[(g * from_lines.width + j) * pitch + p] = from[g * from_lines.group + p * from_lines.step + j];
    for (size_t i = 0; i < a->out; i++) {
        const int16_t *values = line + a->first[i], *low = a->low + i * a->taps, *high = a->high + i * a->taps;
        for (size_t g = 0; g < to_lines.groups; g++)
            for (size_t j = 0; j < to_lines.width; j++, values += pitch)
                to[g * to_lines.group + i * to_lines.step + j] = weigh(values, low, high, a->taps);
    }
}

static void resize_rows(const axis *a, pg_image *to, const pg_image *from, int16_t *line)
{
    const size_t block = BLOCK_LINES / 3;
    for (size_t y = 0; y < from->height; y += block) {
        size_t rows = from->height - y < block ? from->height - y : block;
        resize_block(a, to->pixels + y * to->width * 3, (lines){rows, 3, to->width * 3, 3},
                     from->pixels + y * from->width * 3, (lines){rows, 3, from->width * 3, 3}, line);
    }
}

static void resize_columns(const axis *a, pg_image *to, const pg_image *from, int16_t *line)
{
    size_t row = from->width * 3;
    for (size_t x = 0; x < row; x += BLOCK_LINES) {
        size_t columns = row - x < BLOCK_LINES ? row - x : BLOCK_LINES;
        resize_block(a, to->pixels + x, (lines){1, columns, 0, row}, from->pixels + x, (lines){1, columns, 0, row},
                     line);
    }
}

/* One pass: the width or the height of `from` becomes `size`. */
static pg_status resize_axis(pg_image **out, const pg_image *from, size_t size, bool rows)
{
    size_t width = rows ? size : from->width, height = rows ? from->height : size;
    PG_TRY(pg_image_check_size(width, height, PG_IMAGE_MAX_PIXELS, "resize"));
    axis a;
    pg_image *to = NULL;
    int16_t *line = NULL;
    pg_status status = axis_init(&a, rows ? from->width : from->height, size);
    if (status == PG_OK)
        status = pg_image_blank(&to, width, height);
    if (status == PG_OK && !(line = pg_alloc(BLOCK_LINES * (a.in + a.taps), sizeof *line)))
        status = PG_ERROR_MEMORY;
    if (status == PG_OK) {
        (rows ? resize_rows : resize_columns)(&a, to, from, line);
        *out = to;
    } else
        pg_image_free(to);
    pg_free(line);
    axis_free(&a);
    return status;
}

/* Pillow 13's choice, found by trials over thousands of sizes. */
static bool is_height_first(const pg_image *image, size_t width, size_t height)
{
    return image->height > height && (int64_t)(image->height - height) > 2 * ((int64_t)image->width - (int64_t)width);
}

pg_status pg_image_resize(pg_image **out, const pg_image *image, size_t width, size_t height, pg_resize_order order)
{
    *out = NULL;
    if (!width || !height)
        return pg_fail(PG_ERROR_ARGUMENT, "resize to %zu x %zu pixels, expected at least 1 x 1", width, height);
    PG_TRY(pg_image_check_size(width, height, PG_IMAGE_MAX_PIXELS, "resize"));
    if (width == image->width && height == image->height)
        return pg_image_new(out, image->pixels, width, height, 0);
    if (height == image->height)
        return resize_axis(out, image, width, true);
    if (width == image->width)
        return resize_axis(out, image, height, false);
    bool rows_first = order == PG_RESIZE_CLASSIC || !is_height_first(image, width, height);
    pg_image *between = NULL;
    PG_TRY(resize_axis(&between, image, rows_first ? width : height, rows_first));
    pg_status status = resize_axis(out, between, rows_first ? height : width, !rows_first);
    pg_image_free(between);
    return status;
}
