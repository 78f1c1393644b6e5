/* Pictures of a request: out of data: URLs, files of forms and, where the server may fetch, URLs. Never from paths. */
#ifndef PG_SERVE_PICTURES_H
#define PG_SERVE_PICTURES_H

#include "serve/server_models.h"

/* Decoded pictures are large, so only a few requests have theirs in memory at a time: the first that is added waits for
 * a place, pg_pictures_free gives it back. Start from {0}. */
typedef struct pg_pictures {
    pg_image **items;
    size_t count, capacity;
    uint64_t pixels;         /* of all */
    struct pg_server *place; /* of whose places one is taken; NULL: none */
} pg_pictures;

/* A place for what is as large as decoded pictures; nothing where it is taken already. As many may wait for one as for
 * the models (PG_ERROR_BUSY), and no longer than anybody wants the answer. */
pg_status pg_pictures_take_place(pg_pictures *pictures, const pg_exchange *exchange);

/* "data:image/png;base64,...", or "https://..." of an allowed host. */
pg_status pg_pictures_add_url(pg_pictures *pictures, pg_exchange *exchange, const char *url);

/* `image` (a URL as above, or a list of them; NULL: none) and the form's file of this name. */
pg_status pg_pictures_add_field(pg_pictures *pictures, pg_exchange *exchange, const json_t *image, const char *name);

/* The same where exactly one is needed. */
pg_status pg_pictures_add_one(pg_pictures *pictures, pg_exchange *exchange, const json_t *image);

/* Pictures become what the model sees of them, so that they can wait for it without their place, which is given back.
 */
pg_status pg_pictures_shrink(pg_pictures *pictures, const pg_served *served);

void pg_pictures_free(pg_pictures *pictures);

/* Appends the bytes of a data: URL in base64. */
pg_status pg_data_url_decode(pg_buffer *out, const char *url);

#endif
