/*
 * Golden cases for tests: a folder with expected.json (facts), expected.safetensors (arrays), checkpoints and pictures;
 * and traces kept in memory. What goes wrong here fails the running test.
 */
#ifndef PG_TESTS_GOLDEN_CASE_H
#define PG_TESTS_GOLDEN_CASE_H

#include "check.h"

#include "base/json.h"
#include "tensor/array.h"
#include "tensor/safetensors.h"

#define PG_GOLDEN_FOLDER PG_TESTS_FOLDER "/golden/inference"

typedef struct pg_golden {
    char *folder;
    json_t *facts;
    pg_safetensors *arrays;
    char *scratch; /* a temporary folder, once one is needed */
} pg_golden;

void pg_golden_open(pg_golden *out, const char *folder);
void pg_golden_close(pg_golden *golden);

/* A temporary folder that pg_golden_close removes with everything in it. */
const char *pg_golden_scratch(pg_golden *golden);

/* The array of that name (printf's rules), or NULL if the case has none. */
const pg_array *pg_golden_find(const pg_golden *golden, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The folder of one of the case's checkpoints, ready for pg_model_open; freed with pg_free. One that is stored as
 * derive.json (see tools/make_golden.py) is written into the scratch folder first. */
char *pg_golden_checkpoint(pg_golden *golden, const char *name);

/* Links every file of the folder `source` into `target`, except weights, recipes, and what is there already. */
void pg_golden_link(const char *source, const char *target);

/* "FOLDER/PART", freed with pg_free. */
char *pg_golden_path(const char *folder, const char *part);

/* pg_model_open on the device that PG_TEST_DEVICE names, or on the host. */
pg_model *pg_golden_open_model(const char *folder);

/* A case of tests/golden/inference with its first checkpoint open. */
typedef struct pg_golden_model {
    pg_golden golden;
    char *path;
    pg_model *model;
} pg_golden_model;

void pg_golden_model_open(pg_golden_model *out, const char *name);
void pg_golden_model_close(pg_golden_model *model);

/* Pictures and request of one prompt: {"prompt", "images"}, the pictures as they are stored, control tokens counting,
 * as the reference does it. */
#define PG_GOLDEN_IMAGES 4
typedef struct pg_golden_request {
    pg_request request;
    pg_image **images; /* [PG_GOLDEN_IMAGES], NULL where there is none */
} pg_golden_request;

void pg_golden_request_init(pg_golden_request *out, const pg_golden *golden, const json_t *prompt);

/* Prompt `number` of the case. */
void pg_golden_request_prompt(pg_golden_request *out, const pg_golden *golden, size_t number);

/* No prompt, and one picture of the case. */
void pg_golden_request_picture(pg_golden_request *out, const pg_golden *golden, const char *name);

void pg_golden_request_free(pg_golden_request *request);

/* An element of an F32, I64 or U8 array; the elements of an array. */
double pg_golden_number(const pg_array *array, size_t i);
size_t pg_golden_count(const pg_array *array);

/* The largest |got - want| as a part of the largest |want|; *worst (may be NULL) is where. */
double pg_golden_error(const float *got, const pg_array *want, size_t *worst);

/* What pg_trace handed out: copies, in the order of their making. */
typedef struct pg_kept_trace {
    pg_array *arrays; /* name and data are owned */
    size_t count, capacity;
} pg_kept_trace;

pg_status pg_kept_trace_add(void *trace, const pg_trace_array *array); /* a pg_trace_callback */
const pg_array *pg_kept_trace_find(const pg_kept_trace *trace, const char *name);
void pg_kept_trace_free(pg_kept_trace *trace);

#endif
