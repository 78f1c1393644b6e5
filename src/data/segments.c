#include "data/segments.h"

#include "objects/boxes.h"

pg_status pg_segments_check(const pg_dataset *dataset)
{
    if (dataset->encode_mask)
        return PG_OK;
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "%s: masks become <seg> tokens through a mask encoder, and there is none: name a mask codec's file; "
                   "coco-detect reads the boxes alone",
                   dataset->text.path);
}

static pg_status encode(int codes[PG_MASK_CODES], const pg_dataset *dataset, const pg_mask_view *mask)
{
    PG_TRY(dataset->encode_mask(dataset->user, codes, mask));
    for (int i = 0; i < PG_MASK_CODES; i++)
        if (codes[i] < 0 || codes[i] > 127)
            return pg_fail(PG_ERROR_ARGUMENT, "the mask encoder gave the code %d, expected 0 to 127", codes[i]);
    return PG_OK;
}

pg_status pg_segments_add(pg_buffer *suffix, const pg_dataset *dataset, const pg_mask_view *mask, const char *name)
{
    int box[4], codes[PG_MASK_CODES];
    pg_box_tokens(box, mask->box, (double)mask->width, (double)mask->height);
    if (box[2] <= box[0] || box[3] <= box[1])
        return pg_fail(PG_ERROR_FORMAT, "the object's box is empty");
    PG_TRY(encode(codes, dataset, mask));
    if (suffix->size)
        PG_TRY(pg_buffer_append(suffix, " ; ", 3));
    PG_TRY(pg_box_print(suffix, box));
    for (int i = 0; i < PG_MASK_CODES; i++)
        PG_TRY(pg_buffer_print(suffix, "<seg%03d>", codes[i]));
    return pg_buffer_print(suffix, " %s", name);
}

pg_status pg_segments_finish(pg_data_row *row, const pg_buffer *suffix, const char *name)
{
    pg_buffer prefix = {0};
    pg_status status = pg_buffer_print(&prefix, "segment %s", name);
    if (status == PG_OK)
        status = pg_row_set_text(&row->prefix, prefix.data, prefix.size, "name of an object");
    if (status == PG_OK)
        status = pg_row_set_answer(&row->suffix, suffix->data, suffix->size, "object");
    pg_buffer_free(&prefix);
    return status;
}
