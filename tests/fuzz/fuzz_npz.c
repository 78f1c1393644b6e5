/* Any bytes as a .npz archive and as a .npy file: refused, or every array can be read to its last byte. */
#include <assert.h>

#include "tensor/npy.h"
#include "tensor/npz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sum;

static void touch(const void *bytes, size_t size)
{
    for (size_t b = 0; b < size; b++)
        sum = (uint8_t)(sum + ((const uint8_t *)bytes)[b]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_array array;
    if (pg_npy_parse(&array, data, size, "fuzz") == PG_OK)
        touch(array.data, array.bytes);
    pg_npz *npz;
    if (pg_npz_parse(&npz, data, size, "fuzz") != PG_OK)
        return 0;
    for (size_t i = 0; i < pg_npz_count(npz); i++) {
        const pg_array *found = pg_npz_at(npz, i);
        assert(pg_npz_find(npz, found->name) == found);
        void *loaded;
        if (pg_npz_load(&loaded, npz, found) == PG_OK)
            touch(loaded, found->bytes);
        pg_free(loaded);
    }
    pg_npz_close(npz);
    return 0;
}
