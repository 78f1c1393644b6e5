/* Any text as an answer of detection: what is read lies within it, and is what its parts say. */
#include "base/memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_objects *objects;
    if (pg_objects_parse(&objects, (const char *)data, size, 640, 480) != PG_OK)
        return 0;
    for (size_t i = 0; i < objects->count; i++) {
        const pg_object *object = &objects->items[i];
        expect(object->at <= size && object->size <= size - object->at && object->size >= 36);
        expect(object->box[0] >= 0 && object->box[0] < object->box[2] && object->box[2] <= 640);
        expect(object->box[1] >= 0 && object->box[1] < object->box[3] && object->box[3] <= 480);
    }
    for (size_t i = 0; i < objects->problem_count; i++)
        expect(objects->problems[i].at < size);
    pg_objects_free(objects);
    return 0;
}
