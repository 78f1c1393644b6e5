/* Any bytes as COCO's annotations, and as results: refused, or compared. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What results are about. */
static const char truth[] =
    "{\"images\":[{\"id\":10,\"file_name\":\"a\",\"width\":320,\"height\":240},"
    "{\"id\":11,\"file_name\":\"b\",\"width\":320,\"height\":240}],"
    "\"categories\":[{\"id\":1,\"name\":\"cat\"},{\"id\":3,\"name\":\"dog\"}],\"annotations\":["
    "{\"id\":1,\"image_id\":10,\"category_id\":1,\"bbox\":[10,10,50,40],\"segmentation\":[[10,10,60,10,60,50,10,50]]},"
    "{\"id\":2,\"image_id\":10,\"category_id\":3,\"bbox\":[0,0,320,240],\"iscrowd\":1,"
    "\"segmentation\":{\"size\":[240,320],\"counts\":[0,76800]}}]}";

static void make_file(char path[64], int *file, const void *bytes, size_t size)
{
    *file = memfd_create("fuzz", MFD_CLOEXEC);
    snprintf(path, 64, "/proc/self/fd/%d", *file);
    if (*file < 0 || write(*file, bytes, size) != (ssize_t)size)
        __builtin_trap();
}

static void measure(const pg_coco_evaluation *evaluation)
{
    pg_coco_scores scores;
    if (pg_coco_evaluation_measure(&scores, NULL, evaluation) != PG_OK)
        return;
    if (!(scores.ap >= -1 && scores.ap <= 1.0001 && scores.ar100 >= -1 && scores.ar100 <= 1.0001))
        __builtin_trap();
}

static void read_as(const char *annotations, const char *results, bool masks)
{
    pg_coco_evaluation *evaluation;
    if (pg_coco_evaluation_open(&evaluation, annotations, masks) != PG_OK)
        return;
    pg_status status = results ? pg_coco_evaluation_load(evaluation, results) : PG_OK;
    (void)status; /* those before the first bad one stay */
    measure(evaluation);
    pg_coco_evaluation_close(evaluation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64], fixed[64];
    int file, fixed_file;
    make_file(path, &file, data, size);
    make_file(fixed, &fixed_file, truth, strlen(truth));
    for (int masks = 0; masks < 2; masks++) {
        read_as(path, NULL, masks);
        read_as(fixed, path, masks);
    }
    close(file);
    close(fixed_file);
    return 0;
}
