/* Pillow's bilinear resize of one plane of floats (mode F): a triangle, widened when shrinking; weights and sums in
 * double, floats after each pass, width first. */
#include "base/resize_floats.h"

#include <math.h>
#include <string.h>

/* One axis becomes `out` long. */
typedef struct axis {
    size_t in, out;
    double *weights; /* of one output */
} axis;

/* The weights of output i, which begin at input *first; how many. */
static size_t weigh(size_t *first, const axis *a, size_t i)
{
    double scale = (double)a->in / (double)a->out, stretch = fmax(scale, 1), center = ((double)i + 0.5) * scale;
    double left = center - stretch + 0.5, right = center + stretch + 0.5, total = 0;
    *first = left > 0 ? (size_t)left : 0;
    size_t count = (right < (double)a->in ? (size_t)right : a->in) - *first;
    for (size_t t = 0; t < count; t++)
        total += a->weights[t] = fmax(0, 1 - fabs(((double)t + (double)*first - center + 0.5) / stretch));
    for (size_t t = 0; t < count; t++)
        a->weights[t] /= total;
    return count;
}

/* Lines lie `line` values apart, the values of one `step` apart. */
static void resize_lines(const axis *a, float *to, size_t to_line, const float *from, size_t from_line, size_t lines,
                         size_t to_step, size_t from_step)
{
    for (size_t i = 0; i < a->out; i++) {
        size_t first, count = weigh(&first, a, i);
        for (size_t l = 0; l < lines; l++) {
            const float *values = from + l * from_line + first * from_step;
            double sum = 0;
            for (size_t t = 0; t < count; t++)
                sum += (double)values[t * from_step] * a->weights[t];
            to[l * to_line + i * to_step] = (float)sum;
        }
    }
}

pg_status pg_floats_resize(float *out, size_t width, size_t height, const float *plane, size_t plane_width,
                           size_t plane_height)
{
    size_t longest = plane_width > plane_height ? plane_width : plane_height;
    double *weights = pg_alloc(longest, sizeof *weights);
    float *between = pg_alloc(width * plane_height, sizeof *between);
    pg_status status = weights && between ? PG_OK : PG_ERROR_MEMORY;
    if (status == PG_OK) {
        axis across = {plane_width, width, weights}, down = {plane_height, height, weights};
        if (width == plane_width)
            memcpy(between, plane, width * plane_height * sizeof *between);
        else
            resize_lines(&across, between, width, plane, plane_width, plane_height, 1, 1);
        if (height == plane_height)
            memcpy(out, between, width * height * sizeof *out);
        else
            resize_lines(&down, out, 1, between, 1, width, width, width);
    }
    pg_free(between);
    pg_free(weights);
    return status;
}
