/* Masks of data sets to codes. */
#include "model/mask_codec.h"

pg_status pg_mask_codec_encode_view(void *user, int codes[16], const pg_mask_view *mask)
{
    float values[PG_MASK_SIDE * PG_MASK_SIDE];
    int32_t numbers[PG_MASK_CODES];
    PG_TRY(pg_mask_cut(values, mask));
    PG_TRY(pg_mask_codec_encode(numbers, user, values, 1, 1));
    for (int i = 0; i < PG_MASK_CODES; i++)
        codes[i] = numbers[i];
    return PG_OK;
}
