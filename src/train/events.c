#include "train/events.h"

#include <string.h>

#include "base/crc32c.h"

#define FRAME_HEADER 12
#define FRAME_FOOTER 4

/* Integers and floats of this file are little-endian, as are the processors that the library runs on. */

static uint32_t masked_crc(const void *bytes, size_t size)
{
    uint32_t crc = pg_crc32c(bytes, size);
    return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static pg_status append_frame(pg_buffer *out, const pg_buffer *event)
{
    uint64_t size = event->size;
    uint32_t size_crc = masked_crc(&size, sizeof size), crc = masked_crc(event->data, event->size);
    PG_TRY(pg_buffer_append(out, &size, sizeof size));
    PG_TRY(pg_buffer_append(out, &size_crc, sizeof size_crc));
    PG_TRY(pg_buffer_append(out, event->data, event->size));
    return pg_buffer_append(out, &crc, sizeof crc);
}

/* ---------------------------------------------------------------- protocol buffers */

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static pg_status append_varint(pg_buffer *out, uint64_t value)
{
    uint8_t bytes[10];
    size_t count = 0;
    for (; value >= 128; value >>= 7)
        bytes[count++] = (uint8_t)(value | 128);
    bytes[count++] = (uint8_t)value;
    return pg_buffer_append(out, bytes, count);
}

static pg_status append_key(pg_buffer *out, unsigned field, unsigned type)
{
    return append_varint(out, field << 3 | type);
}

static pg_status append_bytes(pg_buffer *out, unsigned field, const void *bytes, size_t size)
{
    PG_TRY(append_key(out, field, BYTES));
    PG_TRY(append_varint(out, size));
    return pg_buffer_append(out, bytes, size);
}

static pg_status append_time(pg_buffer *out, double wall_time)
{
    PG_TRY(append_key(out, 1, FIXED64));
    return pg_buffer_append(out, &wall_time, sizeof wall_time);
}

/* A Value inside a Summary. */
static pg_status append_value(pg_buffer *out, const pg_scalar *scalar, pg_buffer *scratch)
{
    float value = (float)scalar->value;
    pg_buffer_reset(scratch);
    PG_TRY(append_bytes(scratch, 1, scalar->tag, strlen(scalar->tag)));
    PG_TRY(append_key(scratch, 2, FIXED32));
    PG_TRY(pg_buffer_append(scratch, &value, sizeof value));
    return append_bytes(out, 1, scratch->data, scratch->size);
}

pg_status pg_event_begin(pg_buffer *out, double wall_time)
{
    static const char version[] = "brain.Event:2";
    pg_buffer event = {0};
    pg_status status = append_time(&event, wall_time);
    if (status == PG_OK)
        status = append_bytes(&event, 3, version, sizeof version - 1);
    if (status == PG_OK)
        status = append_frame(out, &event);
    pg_buffer_free(&event);
    return status;
}

pg_status pg_event_scalars(pg_buffer *out, double wall_time, int64_t step, const pg_scalar *scalars, size_t count)
{
    pg_buffer event = {0}, summary = {0}, scratch = {0};
    pg_status status = pg_buffer_append(&summary, "", 0);
    for (size_t i = 0; i < count && status == PG_OK; i++)
        status = append_value(&summary, &scalars[i], &scratch);
    PG_TRY_GOTO(status);
    PG_TRY_GOTO(append_time(&event, wall_time));
    PG_TRY_GOTO(append_key(&event, 2, VARINT));
    PG_TRY_GOTO(append_varint(&event, (uint64_t)step));
    PG_TRY_GOTO(append_bytes(&event, 5, summary.data, summary.size));
    status = append_frame(out, &event);
done:
    pg_buffer_free(&event);
    pg_buffer_free(&summary);
    pg_buffer_free(&scratch);
    return status;
}

/* ---------------------------------------------------------------- reading */

/* Bytes from outside, taken from the front; `good` turns false where they end too early. */
typedef struct reader {
    const uint8_t *bytes;
    size_t size;
    bool good;
} reader;

static uint64_t read_varint(reader *r)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->size == 0)
            break;
        uint8_t byte = *r->bytes++;
        r->size--;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    r->good = false;
    return 0;
}

static void skip(reader *r, uint64_t count)
{
    r->good = r->good && count <= r->size;
    if (!r->good)
        return;
    r->bytes += count;
    r->size -= count;
}

/* The step of an Event, which is 0 where it says none. */
static bool read_step(int64_t *out, reader r)
{
    *out = 0;
    while (r.good && r.size > 0) {
        uint64_t key = read_varint(&r);
        switch (key & 7) {
        case VARINT: {
            uint64_t value = read_varint(&r);
            if (key >> 3 == 2)
                *out = (int64_t)value;
            break;
        }
        case FIXED64: skip(&r, 8); break;
        case BYTES: skip(&r, read_varint(&r)); break;
        case FIXED32: skip(&r, 4); break;
        default: r.good = false; break;
        }
    }
    return r.good;
}

bool pg_event_next(pg_event_frame *out, const void *bytes, size_t size, size_t *offset)
{
    const uint8_t *frame = (const uint8_t *)bytes + *offset;
    size_t left = size - *offset;
    uint64_t length;
    uint32_t crc;
    if (left < FRAME_HEADER + FRAME_FOOTER)
        return false;
    memcpy(&length, frame, sizeof length);
    memcpy(&crc, frame + sizeof length, sizeof crc);
    if (crc != masked_crc(&length, sizeof length) || length > left - FRAME_HEADER - FRAME_FOOTER)
        return false;
    memcpy(&crc, frame + FRAME_HEADER + length, sizeof crc);
    if (crc != masked_crc(frame + FRAME_HEADER, length))
        return false;
    *out = (pg_event_frame){.frame = frame, .frame_size = FRAME_HEADER + length + FRAME_FOOTER};
    if (!read_step(&out->step, (reader){frame + FRAME_HEADER, length, true}))
        return false;
    *offset += out->frame_size;
    return true;
}
