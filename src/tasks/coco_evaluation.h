/* Inside the tasks: true objects, what was found, and the file that the true ones come from. */
#ifndef PG_TASKS_COCO_EVALUATION_H
#define PG_TASKS_COCO_EVALUATION_H

#include "data/coco.h"
#include "metrics/average_precision.h"

typedef struct pg_ap_list {
    pg_ap_object *objects; /* their masks are owned */
    size_t count, capacity;
} pg_ap_list;

/* Adds an object, which takes its mask. */
pg_status pg_ap_list_add(pg_ap_list *list, const pg_ap_object *object);
void pg_ap_list_free(pg_ap_list *list);

struct pg_coco_evaluation {
    char *path; /* of the annotations */
    pg_coco coco;
    bool masks;
    pg_ap_list truth, found;
};

#endif
