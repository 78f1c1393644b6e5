/* Curves as a picture: panels in a grid, each with its axes, and one legend for all. Drawn by cairo. */
#ifndef PG_IMAGE_CHART_H
#define PG_IMAGE_CHART_H

#include "base/memory.h"

typedef struct pg_curve {
    size_t name; /* into pg_chart.names: curves of one name have one colour */
    const double *x, *y;
    const double *faint; /* drawn behind it, paler; NULL: nothing */
    size_t count;
} pg_curve;

typedef struct pg_panel {
    const char *title;
    const pg_curve *curves;
    size_t count;
    bool log; /* the y axis; what is not above 0 is left out */
} pg_panel;

typedef struct pg_chart {
    const pg_panel *panels;
    size_t panel_count;
    const char *const *names;
    size_t name_count;
    const char *x_title;
    size_t width, height; /* pixels (PNG) or points (SVG) */
} pg_chart;

/* Writes a PNG file, or an SVG file where the name ends in .svg; the file appears complete or not at all. Values that
 * are not finite leave gaps. */
pg_status pg_chart_save(const char *path, const pg_chart *chart);

#endif
