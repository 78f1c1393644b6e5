/* Numbers of the GGUF format that its reader and its writer share. */
#ifndef PG_TENSOR_GGUF_FORMAT_H
#define PG_TENSOR_GGUF_FORMAT_H

#include "base/dtype.h"

#define PG_GGUF_MAGIC     "GGUF"
#define PG_GGUF_VERSION   3
#define PG_GGUF_ALIGNMENT 32

/* Types of metadata. */
typedef enum pg_gguf_type {
    PG_GGUF_U8,
    PG_GGUF_I8,
    PG_GGUF_U16,
    PG_GGUF_I16,
    PG_GGUF_U32,
    PG_GGUF_I32,
    PG_GGUF_F32,
    PG_GGUF_BOOL,
    PG_GGUF_TEXT,
    PG_GGUF_LIST,
    PG_GGUF_U64,
    PG_GGUF_I64,
    PG_GGUF_F64,
} pg_gguf_type;

/* ggml's numbers of our types of tensors. */
static const struct {
    pg_dtype dtype;
    uint32_t number;
} pg_gguf_dtypes[] = {{PG_F32, 0}, {PG_F16, 1}, {PG_BF16, 30}};
#define PG_GGUF_DTYPES (sizeof pg_gguf_dtypes / sizeof *pg_gguf_dtypes)

static inline uint64_t pg_gguf_align(uint64_t offset)
{
    return (offset + PG_GGUF_ALIGNMENT - 1) / PG_GGUF_ALIGNMENT * PG_GGUF_ALIGNMENT;
}

#endif
