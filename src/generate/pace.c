#include "generate/pace.h"

#define KEPT      0.97 /* of the weight of earlier steps */
#define SPREAD    0.05 /* variance of rows from which on their cost can be told */
#define ROW_COST  0.1  /* of a row beside the first, as a part of a step, as long as it cannot */
#define LEAST_SUM 1e-9

void pg_pace_add(pg_pace *pace, int64_t rows, double seconds)
{
    double r = (double)rows;
    pace->weight = pace->weight * KEPT + 1;
    pace->rows = pace->rows * KEPT + r;
    pace->seconds = pace->seconds * KEPT + seconds;
    pace->rows_rows = pace->rows_rows * KEPT + r * r;
    pace->rows_seconds = pace->rows_seconds * KEPT + r * seconds;
}

double pg_pace_seconds(const pg_pace *pace, int64_t rows)
{
    double r = (double)rows;
    if (!(pace->weight > 0))
        return 1 + ROW_COST * (r - 1);
    double mean_rows = pace->rows / pace->weight, mean = pace->seconds / pace->weight;
    double variance = pace->rows_rows / pace->weight - mean_rows * mean_rows;
    double slope = mean * ROW_COST / (1 + ROW_COST * (mean_rows - 1));
    if (variance > SPREAD)
        slope = (pace->rows_seconds / pace->weight - mean_rows * mean) / variance;
    double least = mean / (2 * mean_rows), made = mean + slope * (r - mean_rows);
    return slope < 0 ? mean : made > least ? made : least;
}
