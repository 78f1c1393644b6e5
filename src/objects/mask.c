#include "objects/mask.h"

#include "objects/segmentation.h"

pg_status pg_mask_new(pg_mask *out, size_t width, size_t height)
{
    *out = (pg_mask){0};
    PG_TRY(pg_runs_check_size(width, height));
    *out = (pg_mask){width, height, pg_alloc(width, height)};
    return out->pixels ? PG_OK : PG_ERROR_MEMORY;
}

void pg_mask_free(pg_mask *mask)
{
    pg_free(mask->pixels);
    *mask = (pg_mask){0};
}

void pg_mask_add_runs(pg_mask *mask, const pg_runs *runs)
{
    size_t place = 0;
    for (size_t i = 0; i < runs->count; place += runs->lengths[i++]) {
        size_t x = place / mask->height, y = place % mask->height;
        for (uint32_t left = i % 2 ? runs->lengths[i] : 0; left; left--) {
            mask->pixels[y * mask->width + x] = 1;
            if (++y == mask->height) {
                y = 0;
                x++;
            }
        }
    }
}

pg_status pg_mask_add_json(pg_mask *mask, const json_t *segmentation)
{
    pg_runs runs;
    PG_TRY(pg_runs_from_json(&runs, mask->width, mask->height, segmentation));
    pg_mask_add_runs(mask, &runs);
    pg_runs_free(&runs);
    return PG_OK;
}

/* Places where the mask changes, down the columns, into `places` where it is not NULL; returns how many. */
static size_t find_changes(uint32_t *places, const uint8_t *pixels, size_t width, size_t height)
{
    size_t count = 0;
    bool inside = false;
    for (size_t x = 0; x < width; x++)
        for (size_t y = 0; y < height; y++) {
            if ((pixels[y * width + x] != 0) == inside)
                continue;
            inside = !inside;
            if (places)
                places[count] = (uint32_t)(x * height + y);
            count++;
        }
    return count;
}

pg_status pg_runs_from_pixels(pg_runs *out, const uint8_t *pixels, size_t width, size_t height)
{
    *out = (pg_runs){0};
    PG_TRY(pg_runs_check_size(width, height));
    size_t count = find_changes(NULL, pixels, width, height);
    uint32_t *places = pg_alloc(count, sizeof *places);
    if (!places)
        return PG_ERROR_MEMORY;
    find_changes(places, pixels, width, height);
    pg_status status = pg_runs_from_changes(out, width, height, places, count);
    pg_free(places);
    return status;
}

pg_status pg_mask_counts(char **out, const uint8_t *pixels, size_t width, size_t height)
{
    pg_buffer text = {0};
    pg_runs runs;
    *out = NULL;
    PG_TRY(pg_runs_from_pixels(&runs, pixels, width, height));
    pg_status status = pg_runs_print(&text, &runs);
    if (status == PG_OK)
        *out = text.data;
    else
        pg_buffer_free(&text);
    pg_runs_free(&runs);
    return status;
}
