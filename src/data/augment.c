#include "data/augment.h"

#include <ctype.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/random.h"
#include "objects/boxes.h"
#include "image/image.h"

#define ATTEMPTS 10 /* at a crop that leaves what the texts speak of */

/* What the random numbers of a position are for. */
enum draw { DRAW_FLIP, DRAW_BRIGHTNESS, DRAW_CONTRAST, DRAW_SATURATION, DRAW_CROP };

static double draw(uint64_t seed, uint64_t position, unsigned what)
{
    return pg_random_uniform(seed, position, what);
}

static pg_status check_range(const char *name, double value, double high)
{
    if (value >= 0 && value <= high)
        return PG_OK;
    return pg_fail(PG_ERROR_ARGUMENT, "augmentation: %s is %g, expected 0 to %g", name, value, high);
}

pg_status pg_augmentation_check(const pg_augmentation *augmentation)
{
    PG_TRY(check_range("crop", augmentation->crop, 1));
    PG_TRY(check_range("keep", augmentation->keep, 1));
    PG_TRY(check_range("flip", augmentation->flip, 1));
    PG_TRY(check_range("brightness", augmentation->brightness, 1));
    PG_TRY(check_range("contrast", augmentation->contrast, 1));
    return check_range("saturation", augmentation->saturation, 1);
}

/* ---------------------------------------------------------------- what the texts allow */

static char **texts_of(pg_data_row *row, size_t i)
{
    char **const texts[] = {&row->prefix, &row->suffix, &row->chosen, &row->rejected, &row->text};
    return i < sizeof texts / sizeof *texts ? texts[i] : NULL;
}

static bool has_masks(pg_data_row *row)
{
    char **text;
    for (size_t i = 0; (text = texts_of(row, i)); i++)
        if (*text && pg_boxes_have_masks(*text))
            return true;
    return false;
}

static bool has_word(const char *text, const char *word)
{
    size_t size = strlen(word);
    for (const char *at = text; (at = strcasestr(at, word)); at++)
        if ((at == text || !isalpha((unsigned char)at[-1])) && !isalpha((unsigned char)at[size]))
            return true;
    return false;
}

static bool speaks_of_sides(pg_data_row *row)
{
    char **text;
    for (size_t i = 0; (text = texts_of(row, i)); i++)
        if (*text && (has_word(*text, "left") || has_word(*text, "right")))
            return true;
    return false;
}

/* ---------------------------------------------------------------- place */

static double clamp(double value)
{
    return value < 0 ? 0 : value > 1 ? 1 : value;
}

/* A part of crop to 1 of the area, its sides' ratio changed by 3/4 to 4/3, anywhere. */
static void choose_view(pg_view *view, const pg_augmentation *augmentation, uint64_t seed, uint64_t position,
                        unsigned attempt)
{
    unsigned first = DRAW_CROP + 4 * attempt;
    double area = augmentation->crop + (1 - augmentation->crop) * draw(seed, position, first);
    double ratio = exp((2 * draw(seed, position, first + 1) - 1) * log(4.0 / 3));
    double width = clamp(sqrt(area * ratio)), height = clamp(sqrt(area / ratio));
    view->left = (1 - width) * draw(seed, position, first + 2);
    view->top = (1 - height) * draw(seed, position, first + 3);
    view->right = view->left + width;
    view->bottom = view->top + height;
}

/* Whole pixels, one at least. Boxes move by what is really cut from the first picture. */
static void round_view(size_t part[4], pg_view *view, const pg_image *image)
{
    const double nearly = 1e-6; /* a view that was rounded before stays what it is */
    part[0] = (size_t)(view->left * (double)image->width + nearly);
    part[1] = (size_t)(view->top * (double)image->height + nearly);
    part[2] = (size_t)ceil(view->right * (double)image->width - nearly);
    part[3] = (size_t)ceil(view->bottom * (double)image->height - nearly);
    for (int i = 0; i < 4; i++) {
        size_t side = i % 2 ? image->height : image->width;
        size_t low = i < 2 ? 0 : part[i - 2] + 1, high = i < 2 ? side - 1 : side;
        part[i] = part[i] < low ? low : part[i] > high ? high : part[i];
    }
    view->left = (double)part[0] / (double)image->width;
    view->top = (double)part[1] / (double)image->height;
    view->right = (double)part[2] / (double)image->width;
    view->bottom = (double)part[3] / (double)image->height;
}

/* New texts for a row under a view. *fits: every text that had boxes has one left, and a prompt has all of its own. */
static pg_status move_texts(pg_buffer moved[5], bool *fits, pg_data_row *row, const pg_view *view, double keep)
{
    char **text;
    *fits = true;
    for (size_t i = 0; (text = texts_of(row, i)); i++) {
        size_t kept = 0, lost = 0;
        pg_buffer_reset(&moved[i]);
        if (*text)
            PG_TRY(pg_boxes_move(&moved[i], *text, view, keep, &kept, &lost));
        *fits &= text == &row->prefix ? !lost : !lost || kept;
    }
    return PG_OK;
}

static void mirror(pg_image *image)
{
    for (size_t y = 0; y < image->height; y++) {
        uint8_t *row = image->pixels + y * image->width * 3, pixel[3];
        for (size_t x = 0; x < image->width / 2; x++) {
            uint8_t *left = row + 3 * x, *right = row + 3 * (image->width - 1 - x);
            memcpy(pixel, left, 3);
            memcpy(left, right, 3);
            memcpy(right, pixel, 3);
        }
    }
}

static pg_status cut(pg_image **image, const pg_view *view)
{
    size_t part[4];
    pg_view rounded = *view;
    pg_image *smaller;
    round_view(part, &rounded, *image);
    const uint8_t *corner = (*image)->pixels + (part[1] * (*image)->width + part[0]) * 3;
    PG_TRY(pg_image_new(&smaller, corner, part[2] - part[0], part[3] - part[1], (*image)->width * 3));
    pg_image_free(*image);
    *image = smaller;
    return PG_OK;
}

static pg_status apply(pg_image **images, size_t count, pg_data_row *row, const pg_view *view, pg_buffer moved[5])
{
    char **text;
    bool whole = view->left <= 0 && view->top <= 0 && view->right >= 1 && view->bottom >= 1;
    for (size_t i = 0; i < count; i++) {
        if (!whole)
            PG_TRY(cut(&images[i], view));
        if (view->mirrored)
            mirror(images[i]);
    }
    for (size_t i = 0; (text = texts_of(row, i)); i++) {
        if (!*text)
            continue;
        pg_free(*text);
        *text = moved[i].data;
        moved[i] = (pg_buffer){0};
    }
    return PG_OK;
}

/* Crops until the texts agree; then only mirrors. */
static pg_status find_view(pg_view *view, pg_buffer moved[5], pg_data_row *row, const pg_image *image,
                           const pg_augmentation *augmentation, uint64_t seed, uint64_t position)
{
    double keep = augmentation->keep > 0 ? augmentation->keep : 0.5;
    bool fits = false;
    size_t part[4];
    for (unsigned attempt = 0; augmentation->crop > 0 && !fits && attempt < ATTEMPTS; attempt++) {
        choose_view(view, augmentation, seed, position, attempt);
        round_view(part, view, image);
        PG_TRY(move_texts(moved, &fits, row, view, keep));
    }
    if (fits)
        return PG_OK;
    *view = (pg_view){0, 0, 1, 1, view->mirrored};
    return move_texts(moved, &fits, row, view, 0);
}

pg_status pg_augment_place(pg_image **images, size_t count, pg_data_row *row, const pg_augmentation *augmentation,
                           uint64_t seed, uint64_t position)
{
    pg_view view = {0, 0, 1, 1, draw(seed, position, DRAW_FLIP) < augmentation->flip};
    pg_buffer moved[5] = {{0}};
    if (view.mirrored && !augmentation->flip_sides && speaks_of_sides(row))
        view.mirrored = false;
    if (!count || has_masks(row) || (augmentation->crop <= 0 && !view.mirrored))
        return PG_OK;
    pg_status status = find_view(&view, moved, row, images[0], augmentation, seed, position);
    if (status == PG_OK)
        status = apply(images, count, row, &view, moved);
    for (size_t i = 0; i < sizeof moved / sizeof *moved; i++)
        pg_buffer_free(&moved[i]);
    return status;
}

/* ---------------------------------------------------------------- colour */

static uint8_t to_byte(float value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5f);
}

static float grey_of(const float *pixel)
{
    return 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
}

/* The mean grey, which contrast leaves as it is; summed in whole numbers, so in any order. */
static float mean_grey(const uint8_t *rgb, size_t count)
{
    uint64_t sum[3] = {0};
    for (size_t i = 0; i < 3 * count; i++)
        sum[i % 3] += rgb[i];
    float mean[3];
    for (int c = 0; c < 3; c++)
        mean[c] = (float)((double)sum[c] / (double)count);
    return grey_of(mean);
}

static float factor(double strength, uint64_t seed, uint64_t position, unsigned what)
{
    return (float)(1 + strength * (2 * draw(seed, position, what) - 1));
}

void pg_augment_colour(uint8_t *rgb, size_t count, const pg_augmentation *augmentation, uint64_t seed,
                       uint64_t position)
{
    if (!count || (augmentation->brightness <= 0 && augmentation->contrast <= 0 && augmentation->saturation <= 0))
        return;
    float brightness = factor(augmentation->brightness, seed, position, DRAW_BRIGHTNESS);
    float contrast = factor(augmentation->contrast, seed, position, DRAW_CONTRAST);
    float saturation = factor(augmentation->saturation, seed, position, DRAW_SATURATION);
    float middle = mean_grey(rgb, count) * brightness;
    for (size_t i = 0; i < count; i++) {
        float pixel[3];
        for (int c = 0; c < 3; c++)
            pixel[c] = middle + contrast * (brightness * (float)rgb[3 * i + (size_t)c] - middle);
        float grey = grey_of(pixel);
        for (int c = 0; c < 3; c++)
            rgb[3 * i + (size_t)c] = to_byte(grey + saturation * (pixel[c] - grey));
    }
}
