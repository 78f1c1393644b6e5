/* The files in src/serve/web and the pictures of examples/emoji-world, which are part of the program:
 * cmake/web_files.cmake makes the table from the folders. "index.html" is what "/" shows; each other file is found by
 * its name, "/openapi.json". */
#ifndef PG_SERVE_WEB_FILES_H
#define PG_SERVE_WEB_FILES_H

#include <stddef.h>
#include <stdint.h>

typedef struct pg_web_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
} pg_web_file;

/* Ends with a name of NULL. */
extern const pg_web_file pg_web_files[];

#endif
