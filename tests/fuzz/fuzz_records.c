/* Any bytes as a run's records: read up to the first that is none, never beyond the end. */
#include "train/run_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile uint8_t sum;

static void expect(bool holds)
{
    if (!holds)
        __builtin_trap(); /* in every kind of build */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pg_buffer text = {0};
    pg_event_frame event;
    pg_record record;
    for (size_t offset = 0, before = 0; pg_event_next(&event, data, size, &offset); before = offset) {
        expect(offset == before + event.frame_size && offset <= size);
        for (size_t i = 0; i < event.frame_size; i++)
            sum = (uint8_t)(sum + event.frame[i]);
    }
    if (pg_buffer_append(&text, data, size) != PG_OK)
        return 0;
    for (size_t offset = 0, before = 0; pg_record_next(&record, text.data, text.size, &offset); before = offset) {
        expect(offset > before && offset <= size && record.step >= 0);
        expect(record.tag >= text.data && record.tag + record.tag_size < text.data + offset);
    }
    pg_buffer_free(&text);
    return 0;
}
