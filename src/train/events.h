/*
 * TensorBoard's event files: TFRecord frames, each of which holds one Event of TensorFlow's event.proto.
 *     frame: u64 size, u32 masked crc of these 8 bytes, `size` bytes, u32 masked crc of them; little-endian
 *     Event: 1 wall_time double, 2 step int64, 3 file_version string (of the first event), 5 summary
 *     Summary: 1 repeated Value {1 tag string, 2 simple_value float}
 */
#ifndef PG_TRAIN_EVENTS_H
#define PG_TRAIN_EVENTS_H

#include "base/buffer.h"

typedef struct pg_scalar {
    const char *tag; /* "loss", "validation/loss" */
    double value;
} pg_scalar;

/* Appends the frame that a file begins with. */
pg_status pg_event_begin(pg_buffer *out, double wall_time);

/* Appends a frame with the scalars of one step. */
pg_status pg_event_scalars(pg_buffer *out, double wall_time, int64_t step, const pg_scalar *scalars, size_t count);

/* An event as it lies in a frame. */
typedef struct pg_event_frame {
    const uint8_t *frame; /* with header and checksums */
    size_t frame_size;
    int64_t step;
} pg_event_frame;

/* The event at *offset of a file's bytes, and moves *offset behind it; false at the end, or where what follows is no
 * complete, unharmed frame. */
bool pg_event_next(pg_event_frame *out, const void *bytes, size_t size, size_t *offset);

#endif
