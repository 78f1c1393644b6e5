/* Inside the tasks: detection in pictures of which each has labels of its own. */
#ifndef PG_TASKS_DETECTION_H
#define PG_TASKS_DETECTION_H

#include "generate/session.h"

/* pg_detect with options for each picture; the callbacks are those of the first. Pictures one after the other with the
 * same options share their constraint. */
pg_status pg_detect_each(pg_objects **out, pg_session *session, const pg_image *const *images,
                         const pg_detect_options *const *options, size_t count);

#endif
