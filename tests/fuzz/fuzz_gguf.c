/* Any bytes as a GGUF file: refused, or every tensor can be read to its last byte. */
#include "tensor/gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sum;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_gguf *file;
    if (pg_gguf_parse(&file, data, size, "fuzz") != PG_OK)
        return 0;
    const char *const names[] = {"token_embd.weight", "output_norm.weight", "a.weight", "b.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const pg_array *found = pg_gguf_find(file, names[i]);
        for (size_t b = 0; found && b < found->bytes; b++)
            sum = (uint8_t)(sum + ((const uint8_t *)found->data)[b]);
    }
    pg_gguf_close(file);
    return 0;
}
