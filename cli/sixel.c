/*
 * Sixel, DEC's way to print pictures (VT330/VT340 Programmer Reference Manual, volume 2, chapter 14): bands of six
 * rows; in a band, every colour that occurs prints its own pixels, a character for each column, whose low six bits are
 * the rows.
 *
 * The palette is fixed, 6 levels of red, 8 of green and 5 of blue, since the eye tells greens apart best; Floyd and
 * Steinberg's error diffusion gives what is between them.
 */
#include <stdlib.h>
#include <string.h>

#include "terminal.h"

#define ROWS 6

static const int levels[3] = {6, 8, 5};
#define COLORS (6 * 8 * 5)

static int level_value(int level, int count)
{
    return (level * 255 + (count - 1) / 2) / (count - 1);
}

/* The nearest level of a value that diffusion may have pushed out of 0 .. 255. */
static int nearest_level(float value, int count)
{
    int level = (int)(value * (float)(count - 1) / 255 + 0.5F);
    return value <= 0 ? 0 : level < count ? level : count - 1;
}

/* Palette numbers of a row. errors: what earlier pixels left for this row and the next, [2][width + 2][3]. */
static void dither_row(uint8_t *out, const uint8_t *pixels, size_t width, float *errors)
{
    float *below = errors + (width + 2) * 3;
    for (size_t x = 0; x < width; x++) {
        int color = 0;
        for (size_t c = 0; c < 3; c++) {
            size_t here = (x + 1) * 3 + c;
            float wanted = (float)pixels[3 * x + c] + errors[here];
            int level = nearest_level(wanted, levels[c]);
            float left = wanted - (float)level_value(level, levels[c]);
            errors[here + 3] += left * 7 / 16;
            below[here - 3] += left * 3 / 16;
            below[here] += left * 5 / 16;
            below[here + 3] += left * 1 / 16;
            color = color * levels[c] + level;
        }
        out[x] = (uint8_t)color;
    }
    memcpy(errors, below, (width + 2) * 3 * sizeof *errors);
    memset(below, 0, (width + 2) * 3 * sizeof *errors);
}

/* Colours in percent, as the protocol has them. */
static void put_palette(void)
{
    for (int color = 0; color < COLORS; color++) {
        int red = color / (levels[1] * levels[2]), green = color / levels[2] % levels[1], blue = color % levels[2];
        pg_cli_print("#%d;2;%d;%d;%d", color, (red * 100 + 2) / (levels[0] - 1), (green * 100 + 3) / (levels[1] - 1),
                     (blue * 100 + 2) / (levels[2] - 1));
    }
}

static void put_run(char character, size_t length)
{
    if (length > 3)
        pg_cli_print("!%zu%c", length, character);
    else
        for (; length > 0; length--)
            pg_cli_put(&character, 1);
}

/* One colour's pixels of a band of `rows` rows. */
static void put_color(const uint8_t *band, size_t width, size_t rows, int color)
{
    char last = 0;
    size_t length = 0;
    pg_cli_print("#%d", color);
    for (size_t x = 0; x < width; x++) {
        int bits = 0;
        for (size_t y = 0; y < rows; y++)
            bits |= (band[y * width + x] == color) << y;
        char character = (char)('?' + bits);
        if (character != last) {
            put_run(last, length);
            length = 0;
        }
        last = character;
        length++;
    }
    if (last != '?') /* nothing more of this colour */
        put_run(last, length);
}

static void put_band(const uint8_t *band, size_t width, size_t rows)
{
    bool used[COLORS] = {false}, first = true;
    for (size_t i = 0; i < rows * width; i++)
        used[band[i]] = true;
    for (int color = 0; color < COLORS; color++)
        if (used[color]) {
            if (!first)
                pg_cli_put("$", 1); /* back to the band's beginning */
            put_color(band, width, rows, color);
            first = false;
        }
    pg_cli_put("-", 1);
}

void pg_cli_put_sixels(const pg_image *image)
{
    size_t width = pg_image_width(image), height = pg_image_height(image);
    float *errors = pg_cli_alloc(2 * 3 * (width + 2), sizeof *errors);
    uint8_t *band = pg_cli_alloc(ROWS, width);
    pg_cli_print("\033P0;1q\"1;1;%zu;%zu", width, height);
    put_palette();
    for (size_t top = 0; top < height; top += ROWS) {
        size_t rows = height - top < ROWS ? height - top : ROWS;
        for (size_t y = 0; y < rows; y++)
            dither_row(band + y * width, pg_image_pixels(image) + (top + y) * width * 3, width, errors);
        put_band(band, width, rows);
    }
    pg_cli_print("\033\\");
    free(band);
    free(errors);
}
