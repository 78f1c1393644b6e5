/* Names of files as seen from other places. */
#ifndef PG_BASE_PATHS_H
#define PG_BASE_PATHS_H

#include "base/buffer.h"

/* The folder of a path: "." where it names none. */
pg_status pg_path_folder(pg_buffer *out, const char *path);

/* The absolute name of a folder that exists, links resolved. */
pg_status pg_path_resolve(pg_buffer *out, const char *folder);

/* `path` as it is named from `folder`, a name of pg_path_resolve: "../images/a.jpg". Links in the path stay links,
 * unless ".." follows them. The file need not exist. */
pg_status pg_path_relative(pg_buffer *out, const char *folder, const char *path);

#endif
