/* Objects in a picture as JSON: what /v1/detect and /v1/segment answer, and chat where it is asked for JSON. */
#ifndef PG_SERVE_FIND_OBJECTS_H
#define PG_SERVE_FIND_OBJECTS_H

#include "serve/server_models.h"
#include "serve/fields.h"
#include "serve/pictures.h"

typedef enum pg_mask_form {
    PG_MASK_FORM_RLE, /* COCO's: {"size": [height, width], "counts"} */
    PG_MASK_FORM_PNG, /* a data: URL, white on black */
    PG_MASK_FORM_POLYGONS,
    PG_MASK_FORM_NONE, /* codes alone */
} pg_mask_form;

/* "rle", "png", "polygons" or "none" into `out`; another word is PG_ERROR_FORMAT. */
pg_status pg_mask_form_read(pg_mask_form *out, const char *name);

typedef struct pg_object_query {
    pg_served *served;
    pg_pictures *pictures;     /* one; freed as soon as it is not needed any more */
    pg_detect_options options; /* the codec is set here */
    pg_mask_form form;
} pg_object_query;

/* {"width", "height", "objects": [{"label", "score", "box", ...}], "problems"}: *out is freed with json_decref. text,
 * finish: of the model's answer; *text is freed with pg_free. Sets the exchange's tokens and stages. */
pg_status pg_find_objects(json_t **out, char **text, pg_finish *finish, pg_exchange *exchange, pg_object_query *query);

/* The same without scores, of an answer's text about a picture of width x height pixels, that is given. */
pg_status pg_read_objects(json_t **out, const pg_exchange *exchange, const char *text, size_t width, size_t height,
                          pg_mask_form form);

/* "detect cat ; dog" and "segment cat": false for other prompts. The labels are freed as pg_texts_split says. */
bool pg_object_prompt_read(pg_masks *masks, const char **labels, const char *prompt);

#endif
