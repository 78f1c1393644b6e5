/* Objects as commands print them. */
#ifndef PG_CLI_FINDING_H
#define PG_CLI_FINDING_H

#include "output.h"

json_t *pg_cli_json_box(const double box[4]);
json_t *pg_cli_json_codes(const pg_object *object); /* null where it has none */

/* Names of what could not be read, a list. */
json_t *pg_cli_json_problems(const pg_objects *objects);

/* The mask codec that was named, or one that lies in the model's folder (NULL: none is looked for); *out is NULL where
 * there is neither. */
int pg_cli_codec_open(pg_mask_codec **out, const char *named, const char *folder);

/* A mask of width x height bytes: {"size", "counts"} as COCO has it; its outlines, lists of x, y. */
int pg_cli_json_runs(json_t **out, const uint8_t *mask, size_t width, size_t height);
int pg_cli_json_polygons(json_t **out, const uint8_t *mask, size_t width, size_t height);

#endif
