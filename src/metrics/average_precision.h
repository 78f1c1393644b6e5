/* COCO's average precision and recall of found boxes or masks: the numbers of pycocotools' COCOeval. */
#ifndef PG_METRICS_AVERAGE_PRECISION_H
#define PG_METRICS_AVERAGE_PRECISION_H

#include "objects/runs.h"

/* Boxes x, y, width, height: intersection over union. Of a crowd: the part of `found` that lies inside it. */
double pg_box_overlap(const double truth[4], const double found[4], bool crowd);

/* A true object, or one that was found. */
typedef struct pg_ap_object {
    int64_t image;     /* any number; where scores are equal, pictures of lower number come first */
    uint32_t category; /* from 0 */
    bool crowd;        /* true objects: a region of many, of which no one is to be found */
    double score;      /* found objects: any number but NaN */
    double box[4];     /* x, y, width, height in pixels */
    double area;       /* that decides what is small, medium and large */
    pg_runs mask;      /* borrowed; not looked at when boxes are compared */
} pg_ap_object;

/* by_category: [categories]. Objects of equal scores count in their order. Masks of one picture
 * have one size. */
pg_status pg_average_precision(pg_coco_scores *out, pg_coco_scores *by_category, size_t categories,
                               const pg_ap_object *truth, size_t truth_count, const pg_ap_object *found,
                               size_t found_count, bool masks);

#endif
