#include "ops/update_tables.h"

#include "base/memory.h"

#define GROUP_VALUES 32768 /* of a group of rows */

/* Rows of an array in groups; returns how many. `out` NULL: they are only counted. */
static int64_t cut_rows(pg_update_piece *out, const pg_update *u, int64_t update)
{
    int64_t step = GROUP_VALUES / (u->width + 1) + 1, count = 0;
    for (int64_t first = 0; first < u->rows; first += step, count++)
        if (out)
            out[count] = (pg_update_piece){update, first, u->rows - first < step ? u->rows - first : step};
    return count;
}

static int64_t cut_tiles(pg_update_piece *out, const pg_update *u, int64_t update)
{
    int64_t count = 0, most = PG_UPDATE_TILE_ROWS;
    for (int64_t row = 0; row < u->rows; row += most)
        for (int64_t column = 0; column < u->width; column += PG_UPDATE_TILE_COLUMNS, count++)
            if (out)
                out[count] =
                    (pg_update_piece){update, row * u->width + column, u->rows - row < most ? u->rows - row : most};
    return count;
}

/* Where the sums of an array that follows one with these are. */
static pg_update_sums places_behind(pg_update_sums before, const pg_update *u)
{
    int64_t down = (u->rows + PG_UPDATE_TILE_ROWS - 1) / PG_UPDATE_TILE_ROWS;
    return (pg_update_sums){before.row + u->rows, before.column + u->width, before.partial + down * u->width};
}

/* ---------------------------------------------------------------- the device's memory */

/* A table of the device, a copy of the host's if that is there; NULL on failure. */
static void *put(pg_update_plan *plan, const void *host, int64_t count, size_t size)
{
    size_t bytes = (size_t)(count ? count : 1) * size;
    void *memory = pg_values_alloc(plan->device, bytes);
    if (!memory)
        return NULL;
    plan->tables[plan->table_count++] = memory;
    if (host && count)
        pg_values_upload(plan->device, memory, host, (size_t)count * size);
    return memory;
}

typedef int64_t cut_function(pg_update_piece *out, const pg_update *u, int64_t update);

/* The pieces of all arrays as a table. */
static pg_status put_pieces(const pg_update_piece **out, int64_t *count, pg_update_plan *plan, cut_function *cut)
{
    *count = 0;
    for (size_t i = 0; i < plan->count; i++)
        *count += cut(NULL, &plan->updates[i], (int64_t)i);
    pg_update_piece *pieces = pg_alloc((size_t)*count, sizeof *pieces);
    if (!pieces)
        return PG_ERROR_MEMORY;
    int64_t done = 0;
    for (size_t i = 0; i < plan->count; i++)
        done += cut(pieces + done, &plan->updates[i], (int64_t)i);
    *out = put(plan, pieces, *count, sizeof *pieces);
    pg_free(pieces);
    return *out ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status put_places(pg_update_sums *end, pg_device_plan *out, pg_update_plan *plan)
{
    pg_update_sums *places = pg_alloc(plan->count + 1, sizeof *places);
    if (!places)
        return PG_ERROR_MEMORY;
    for (size_t i = 0; i < plan->count; i++)
        places[i + 1] = places_behind(places[i], &plan->updates[i]);
    *end = places[plan->count];
    out->places = put(plan, places, (int64_t)plan->count, sizeof *places);
    pg_free(places);
    return out->places ? PG_OK : PG_ERROR_MEMORY;
}

static pg_status put_factored(pg_device_plan *out, pg_update_plan *plan)
{
    pg_update_sums end;
    PG_TRY(put_pieces(&out->groups, &out->group_count, plan, cut_rows));
    PG_TRY(put_pieces(&out->tiles, &out->tile_count, plan, cut_tiles));
    PG_TRY(put_places(&end, out, plan));
    out->row_sums = put(plan, NULL, end.row, sizeof *out->row_sums);
    out->partials = put(plan, NULL, end.partial, sizeof *out->partials);
    out->factors = put(plan, NULL, end.column, sizeof *out->factors);
    out->factored = put(plan, NULL, out->count, sizeof *out->factored);
    return out->row_sums && out->partials && out->factors && out->factored ? PG_OK : PG_ERROR_MEMORY;
}

pg_status pg_update_tables_init(pg_update_plan *plan)
{
    pg_device_plan *out = plan->on_device = pg_alloc(1, sizeof *out);
    if (!out)
        return PG_ERROR_MEMORY;
    out->count = (int64_t)plan->count;
    out->piece_count = (int64_t)plan->piece_count;
    out->updates = put(plan, plan->updates, out->count, sizeof *plan->updates);
    out->pieces = put(plan, plan->pieces, out->piece_count, sizeof *plan->pieces);
    out->sums = put(plan, NULL, out->piece_count, sizeof *out->sums);
    out->norm = put(plan, NULL, 1, sizeof *out->norm);
    if (!out->updates || !out->pieces || !out->sums || !out->norm)
        return PG_ERROR_MEMORY;
    if (plan->count && plan->updates[0].row_squares)
        PG_TRY(put_factored(out, plan));
    return pg_device_wait(plan->device);
}

void pg_update_tables_free(pg_update_plan *plan)
{
    for (int i = 0; i < plan->table_count; i++)
        pg_values_free(plan->device, plan->tables[i], 0);
    pg_free(plan->on_device);
}
