/*
 * Outlines run along the edges of pixels with the inside to their right, from corner to corner of the grid. Where two
 * pixels touch by a corner alone, the outline stays with its pixel, so that parts hang together by sides.
 *
 * A hole is joined to the outline around it by a bridge: from the upper left corner of the hole straight up, through
 * pixels that are all inside, to the first corner that an outline passes; it is gone down before the hole is gone
 * around, and up behind it. Above and below such a corner lie two pixels that are inside, so only one outline passes
 * there, once. Filling counts crossings of the middles of columns, and a bridge lies between columns: it changes
 * nothing.
 */
#include "objects/polygon.h"

/* Directions, clockwise. */
enum { RIGHT, DOWN, LEFT, UP };

/* What is known of a corner of the grid. */
enum {
    PASSED_RIGHT = 1, /* the outline that leaves this corner to the right was gone along; to the left */
    PASSED_LEFT = 2,
    BRIDGE_TOP = 4,
    BRIDGE_END = 8, /* the upper left corner of a hole */
    START = 16,     /* the upper left corner of a part */
};

typedef struct grid {
    const uint8_t *pixels;
    size_t width, height;
    uint8_t *corners; /* [height + 1, width + 1] */
} grid;

typedef struct walker {
    size_t x, y;
    int direction;
} walker;

static bool inside(const grid *g, size_t x, size_t y)
{
    return x < g->width && y < g->height && g->pixels[y * g->width + x]; /* SIZE_MAX is left or above */
}

static uint8_t *corner_at(const grid *g, size_t x, size_t y)
{
    return &g->corners[y * (g->width + 1) + x];
}

/* Whether an outline leaves the corner in this direction: the pixel to its right is inside, that to its left is not. */
static bool leaves(const grid *g, size_t x, size_t y, int direction)
{
    switch (direction) {
    case RIGHT: return inside(g, x, y) && !inside(g, x, y - 1);
    case DOWN: return inside(g, x - 1, y) && !inside(g, x, y);
    case LEFT: return inside(g, x - 1, y - 1) && !inside(g, x - 1, y);
    default: return inside(g, x, y - 1) && !inside(g, x - 1, y - 1);
    }
}

/* Where the outline goes on; straight on where none passes: on a bridge. */
static int turn(const grid *g, const walker *w)
{
    for (int change = 1; change >= -1; change--) {
        int direction = (w->direction + change + 4) % 4;
        if (leaves(g, w->x, w->y, direction))
            return direction;
    }
    return w->direction;
}

static void step(walker *w)
{
    w->x += (size_t)(w->direction == RIGHT) - (size_t)(w->direction == LEFT);
    w->y += (size_t)(w->direction == DOWN) - (size_t)(w->direction == UP);
}

/* ---------------------------------------------------------------- finding */

/* Goes around the outline that leaves a corner, and remembers where. */
static void mark_outline(const grid *g, size_t x, size_t y, int direction)
{
    walker w = {x, y, direction};
    do {
        if (w.direction == RIGHT)
            *corner_at(g, w.x, w.y) |= PASSED_RIGHT;
        else if (w.direction == LEFT)
            *corner_at(g, w.x, w.y) |= PASSED_LEFT;
        step(&w);
        w.direction = turn(g, &w);
    } while (w.x != x || w.y != y || w.direction != direction);
}

static void build_bridge(const grid *g, size_t x, size_t y)
{
    *corner_at(g, x, y) |= BRIDGE_END;
    do
        y--;
    while (inside(g, x - 1, y - 1) && inside(g, x, y - 1));
    *corner_at(g, x, y) |= BRIDGE_TOP;
}

/* Sides of pixels from the upper left on: the first one of an outline that is new lies at its upper left corner. Parts
 * have pixels below it, holes above. */
static void find_outlines(const grid *g)
{
    for (size_t y = 0; y <= g->height; y++)
        for (size_t x = 0; x < g->width; x++) {
            if (leaves(g, x, y, RIGHT) && !(*corner_at(g, x, y) & PASSED_RIGHT)) {
                mark_outline(g, x, y, RIGHT);
                *corner_at(g, x, y) |= START;
            } else if (leaves(g, x + 1, y, LEFT) && !(*corner_at(g, x + 1, y) & PASSED_LEFT)) {
                mark_outline(g, x + 1, y, LEFT);
                build_bridge(g, x, y);
            }
        }
}

/* ---------------------------------------------------------------- writing */

static pg_status add_corner(pg_polygons *out, size_t *count, const walker *w)
{
    PG_TRY(pg_grow((void **)&out->corners, &out->corner_capacity, 2 * (*count + 1), sizeof *out->corners));
    out->corners[2 * *count] = (double)w->x;
    out->corners[2 * *count + 1] = (double)w->y;
    ++*count;
    return PG_OK;
}

/* An outline never comes up to the top of a bridge, nor down to its end: who does was on the bridge. */
static int turn_or_cross(const grid *g, const walker *w)
{
    uint8_t marks = *corner_at(g, w->x, w->y);
    if (marks & BRIDGE_TOP && w->direction != UP)
        return DOWN;
    if (marks & BRIDGE_END && w->direction == LEFT)
        return UP;
    return turn(g, w);
}

/* One part with its holes. */
static pg_status write_outline(pg_polygons *out, size_t *corners, const grid *g, size_t x, size_t y)
{
    walker w = {x, y, UP};
    do {
        int direction = turn_or_cross(g, &w);
        if (direction != w.direction)
            PG_TRY(add_corner(out, corners, &w));
        w.direction = direction;
        step(&w);
    } while (w.x != x || w.y != y || turn_or_cross(g, &w) != RIGHT);
    PG_TRY(pg_grow((void **)&out->ends, &out->capacity, out->count + 1, sizeof *out->ends));
    out->ends[out->count++] = *corners;
    return PG_OK;
}

static pg_status write_outlines(pg_polygons *out, const grid *g)
{
    size_t corners = 0;
    for (size_t y = 0; y < g->height; y++)
        for (size_t x = 0; x < g->width; x++)
            if (*corner_at(g, x, y) & START)
                PG_TRY(write_outline(out, &corners, g, x, y));
    return PG_OK;
}

pg_status pg_polygons_trace(pg_polygons *out, const uint8_t *pixels, size_t width, size_t height)
{
    *out = (pg_polygons){0};
    PG_TRY(pg_runs_check_size(width, height));
    grid g = {pixels, width, height, pg_alloc(width + 1, height + 1)};
    if (!g.corners)
        return PG_ERROR_MEMORY;
    find_outlines(&g);
    pg_status status = write_outlines(out, &g);
    pg_free(g.corners);
    if (status != PG_OK)
        pg_polygons_free(out);
    return status;
}

void pg_polygons_free(pg_polygons *polygons)
{
    pg_free(polygons->corners);
    pg_free(polygons->ends);
    *polygons = (pg_polygons){0};
}
