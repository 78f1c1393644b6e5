/* The table of one instruction set. */
#include "kernels/simd_gradient.h"
#include "kernels/simd_rows.h"

#define TEXT2(x) #x
#define TEXT(x)  TEXT2(x)

const pg_kernels PG_SIMD(kernels) = {
    .name = TEXT(PG_ISA),
    .roofline = &PG_SIMD(roofline),
    .gradient = &PG_SIMD(gradient),
    .update = &PG_SIMD(update),
    .lanes = LANES,
#if defined(__AMX_BF16__)
    .bf16_attention = true,
    .lane_group = 2 * W,
    .outputs = 256, /* the faster the arithmetic, the more use must be made of panels from beyond the caches */
#else
    .lane_group = 16,
    .outputs = 48,
#endif
    .attention_panels = LANES < 64 ? PG_ATTENTION_PANELS : 4, /* some 200 lanes share what is read of keys and values */
#if defined(BF16_PRODUCTS)
    .bf16_products = true,
    .dot_rows_bf16 = PG_SIMD(dot_rows_bf16),
#endif
    .widen = PG_SIMD(widen),
    .narrow = PG_SIMD(narrow),
    .pack = PG_SIMD(pack),
    .unpack = PG_SIMD(unpack),
    .panel_product = {PG_SIMD(panel_product_f32), PG_SIMD(panel_product_bf16)},
    .dot_rows = PG_SIMD(dot_rows),
    .quantize = PG_SIMD(quantize),
    .integer_product = PG_SIMD(integer_product),
    .attend = PG_SIMD(attend),
    .rms_norm = PG_SIMD(rms_norm),
    .layer_norm = PG_SIMD(layer_norm),
    .gelu = PG_SIMD(gelu),
    .gelu_times = PG_SIMD(gelu_times),
    .add = PG_SIMD(add),
    .scale = PG_SIMD(scale),
    .rotate = PG_SIMD(rotate),
    .log_sum_exp = PG_SIMD(log_sum_exp),
};
