/* Any bytes as a safetensors file: refused, or every tensor can be read to its last byte and saved again. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "tensor/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_safetensors *file;
    if (pg_safetensors_parse(&file, data, size, "fuzz") != PG_OK)
        return 0;
    volatile uint8_t sum = 0;
    for (size_t i = 0; i < pg_safetensors_count(file); i++) {
        const pg_array *array = pg_safetensors_at(file, i);
        for (size_t b = 0; b < array->bytes; b++)
            sum = (uint8_t)(sum + ((const uint8_t *)array->data)[b]);
        assert(pg_safetensors_find(file, array->name) == array);
    }
    pg_safetensors_metadata(file, "format");
    pg_safetensors_close(file);
    return 0;
}
