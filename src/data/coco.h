/* COCO's files: pictures, categories and annotations, from one walk over the mapped document. */
#ifndef PG_DATA_COCO_H
#define PG_DATA_COCO_H

#include "base/file.h"
#include "data/records.h"

#define PG_COCO_NONE UINT32_MAX

typedef struct pg_coco_image {
    double width, height; /* 0: not said */
    size_t name;          /* place in `names` */
} pg_coco_image;

typedef struct pg_coco_annotation {
    uint64_t start; /* of the record in the document */
    int64_t id, image_id, category_id;
    uint32_t size;            /* of the record */
    uint32_t image, category; /* numbers in the lists below; PG_COCO_NONE: there is none of that id */
    double box[4];            /* x1, y1, x2, y2; all 0: none */
    double extent[2];         /* its width and height as the file has them */
    double area;              /* pixels; -1: not said */
    bool crowd;
} pg_coco_annotation;

typedef struct pg_coco {
    pg_file_map map;
    pg_coco_image *images;
    pg_coco_annotation *annotations;
    size_t *categories; /* names, as places in `names` */
    size_t image_count, image_capacity, annotation_count, annotation_capacity, category_count, category_capacity;
    pg_id_map image_ids, category_ids;
    pg_buffer names; /* each with a NUL behind it */
} pg_coco;

/* Reads the document. Annotations stay in their order. */
pg_status pg_coco_read(pg_coco *coco, const char *path);
void pg_coco_free(pg_coco *coco);

/* The record of an annotation as a tree, freed with json_decref. */
pg_status pg_coco_parse(json_t **out, const pg_coco *coco, const pg_coco_annotation *annotation);

#endif
