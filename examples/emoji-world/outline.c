/* What is true of a scene's pixels: which of them show which object. */
#include <stdlib.h>
#include <string.h>

#include "world.h"

void ew_outline_init(ew_outline *outline, int size)
{
    *outline = (ew_outline){.size = size};
    for (int i = 0; i < EW_OBJECTS; i++)
        outline->masks[i] = ew_alloc((size_t)size * (size_t)size, 1);
}

void ew_outline_free(ew_outline *outline)
{
    for (int i = 0; i < EW_OBJECTS; i++)
        free(outline->masks[i]);
}

static cairo_t *start_alpha(int size)
{
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, size, size);
    cairo_t *cairo = cairo_create(surface);
    cairo_surface_destroy(surface);
    cairo_scale(cairo, size, size);
    return cairo;
}

cairo_t *ew_start_map(int size)
{
    cairo_t *cairo = start_alpha(size);
    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_NONE);
    cairo_set_operator(cairo, CAIRO_OPERATOR_SOURCE);
    return cairo;
}

void ew_take_map(uint8_t *out, cairo_t *cairo, int size)
{
    cairo_surface_t *surface = cairo_get_target(cairo);
    cairo_surface_flush(surface);
    const uint8_t *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    for (int y = 0; y < size; y++)
        memcpy(out + (size_t)y * (size_t)size, data + (ptrdiff_t)y * stride, (size_t)size);
    cairo_destroy(cairo);
}

/* The object's coverage, 0..255, into its mask. */
static void cover(uint8_t *mask, const ew_scene *scene, int object, int size)
{
    cairo_t *cairo = start_alpha(size);
    ew_paint_object(cairo, scene, object, size);
    ew_take_map(mask, cairo, size);
}

void ew_trace_letters(uint8_t *letters, const ew_scene *scene, int size)
{
    cairo_t *cairo = ew_start_map(size);
    for (int i = 0; i < scene->count; i++)
        if (scene->objects[i].thing == EW_SIGN) {
            const ew_object *it = &scene->objects[i];
            cairo_translate(cairo, it->x, it->y);
            cairo_rotate(cairo, it->angle);
            ew_mark_letters(cairo, &scene->sign, it->size);
        }
    ew_take_map(letters, cairo, size);
}

static void find_box(ew_outline *outline, int object)
{
    int *box = outline->boxes[object], size = outline->size;
    const uint8_t *mask = outline->masks[object];
    box[0] = box[1] = size;
    box[2] = box[3] = outline->areas[object] = 0;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            if (!mask[y * size + x])
                continue;
            outline->areas[object]++;
            box[0] = x < box[0] ? x : box[0];
            box[1] = y < box[1] ? y : box[1];
            box[2] = x + 1 > box[2] ? x + 1 : box[2];
            box[3] = y + 1 > box[3] ? y + 1 : box[3];
        }
    if (outline->areas[object] == 0)
        box[0] = box[1] = 0;
}

/* From front to back: of each pixel, what the objects in front leave over. */
void ew_trace(ew_outline *outline, const ew_scene *scene)
{
    size_t pixels = (size_t)outline->size * (size_t)outline->size;
    float *left = ew_alloc(pixels, sizeof *left);
    for (size_t i = 0; i < pixels; i++)
        left[i] = 1;
    for (int object = scene->count - 1; object >= 0; object--) {
        uint8_t *mask = outline->masks[object];
        int whole = 0;
        cover(mask, scene, object, outline->size);
        for (size_t i = 0; i < pixels; i++) {
            float alpha = (float)mask[i] / 255;
            whole += mask[i] >= 128;
            mask[i] = alpha * left[i] >= 0.5f;
            left[i] *= 1 - alpha;
        }
        find_box(outline, object);
        outline->shares[object] = whole ? (double)outline->areas[object] / whole : 0;
    }
    free(left);
}

int ew_runs(int *runs, const uint8_t *mask, int size)
{
    int count = 0, length = 0;
    uint8_t value = 0;
    for (int x = 0; x < size; x++)
        for (int y = 0; y < size; y++) {
            if (mask[y * size + x] != value) {
                runs[count++] = length;
                length = 0;
                value = !value;
            }
            length++;
        }
    runs[count++] = length;
    return count;
}

/* Where a window begins that has all of low..high in it, or only a part of that and nothing else. */
static int choose_start(int low, int high, int size, int all, ew_chance *chance)
{
    int first = low < high - size ? low : high - size, last = low < high - size ? high - size : low;
    first = first > 0 ? first : 0;
    last = last < all - size ? last : all - size;
    return first + ew_below(chance, last - first + 1);
}

ew_window ew_choose_window(const ew_scene *scene, const ew_outline *outline, int size, ew_chance *chance)
{
    ew_window window = {.size = size};
    for (int i = 0; i < scene->count; i++)
        if (scene->objects[i].thing == EW_SIGN) {
            const int *box = outline->boxes[i];
            window.left = choose_start(box[0], box[2], size, outline->size, chance);
            window.top = choose_start(box[1], box[3], size, outline->size, chance);
        }
    return window;
}

static int count_in_patch(const uint8_t *mask, int size, int left, int top)
{
    int count = 0;
    for (int y = top; y < top + EW_PATCH; y++)
        for (int x = left; x < left + EW_PATCH; x++)
            count += mask[y * size + x];
    return count;
}

int ew_patch_object(const ew_outline *outline, int count, int left, int top)
{
    int best = -1, most = EW_PATCH * EW_PATCH / 4 - 1;
    for (int object = 0; object < count; object++) {
        int pixels = count_in_patch(outline->masks[object], outline->size, left, top);
        if (pixels > most) {
            best = object;
            most = pixels;
        }
    }
    return best;
}

char ew_patch_letter(const uint8_t *letters, int size, int left, int top)
{
    int counts[UINT8_MAX + 1] = {0}, best = 0;
    counts[0] = EW_PATCH * EW_PATCH / 4 - 1;
    for (int y = top; y < top + EW_PATCH; y++)
        for (int x = left; x < left + EW_PATCH; x++)
            counts[letters[y * size + x]] += letters[y * size + x] != 0;
    for (int letter = 1; letter <= UINT8_MAX; letter++)
        best = counts[letter] > counts[best] ? letter : best;
    return (char)best;
}
