#include "tensor/placement.h"

#include "base/memory.h"
#include "tensor/quantized_arrays.h"

/* What a parameter's values are: one array, or those of a quantised matrix. */
#define PARTS PG_QUANTIZED_ARRAYS

typedef struct value_part {
    const void **data; /* where the parameter points to it */
    size_t bytes;
} value_part;

static int parts_of(value_part out[PARTS], pg_parameter *p)
{
    pg_quantized *w = &p->quantized;
    if (!w->bits) {
        out[0] = (value_part){&p->data, (size_t)pg_parameter_bytes(p)};
        return p->data != NULL;
    }
    pg_quantized_arrays arrays;
    pg_quantized_arrays_init(&arrays, w, "");
    out[0].data = (const void **)&w->values;
    out[1].data = &w->scales;
    out[2].data = (const void **)&w->steps;
    for (int i = 0; i < arrays.count; i++)
        out[i].bytes = arrays.arrays[i].bytes;
    return arrays.count;
}

static size_t whole_lines(size_t bytes)
{
    return (bytes + PG_ALIGNMENT - 1) / PG_ALIGNMENT * PG_ALIGNMENT;
}

/* Bytes that the values take, one part after another. */
static size_t room_for(pg_parameter *p)
{
    value_part parts[PARTS];
    size_t bytes = 0;
    for (int i = 0, count = parts_of(parts, p); i < count; i++)
        bytes += whole_lines(parts[i].bytes);
    return bytes;
}

static bool stays(const pg_parameter *p)
{
    return p->device || !p->name;
}

/* Copies the values to where `to` begins and has the parameter point there. */
static char *put(char *to, pg_device *device, pg_parameter *p)
{
    value_part parts[PARTS];
    for (int i = 0, count = parts_of(parts, p); i < count; i++) {
        pg_values_upload(device, to, *parts[i].data, parts[i].bytes);
        *parts[i].data = to;
        to += whole_lines(parts[i].bytes);
    }
    p->device = device;
    return to;
}

pg_status pg_placement_init(pg_placement *out, pg_device *device, pg_parameter *const *parameters, size_t count)
{
    *out = (pg_placement){.device = device};
    if (!device)
        return PG_OK;
    for (size_t i = 0; i < count; i++)
        out->bytes += stays(parameters[i]) ? 0 : room_for(parameters[i]);
    out->data = out->bytes ? pg_values_alloc(device, out->bytes) : NULL;
    if (!out->data)
        return out->bytes ? PG_ERROR_MEMORY : PG_OK;
    char *next = out->data;
    for (size_t i = 0; i < count; i++)
        if (!stays(parameters[i]))
            next = put(next, device, parameters[i]);
    return pg_device_wait(device);
}

void pg_placement_free(pg_placement *placement)
{
    pg_values_free(placement->device, placement->data, placement->bytes);
    *placement = (pg_placement){0};
}

pg_status pg_parameter_to_host(pg_parameter *out, void **memory, const pg_parameter *p)
{
    *out = *p;
    *memory = NULL;
    if (!p->device)
        return PG_OK;
    char *next = *memory = pg_alloc(1, room_for(out));
    if (!next)
        return PG_ERROR_MEMORY;
    value_part parts[PARTS];
    for (int i = 0, count = parts_of(parts, out); i < count; i++) {
        PG_TRY(pg_values_download(p->device, next, *parts[i].data, parts[i].bytes));
        *parts[i].data = next;
        next += whole_lines(parts[i].bytes);
    }
    out->device = NULL;
    return PG_OK;
}
