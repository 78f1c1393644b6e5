#include "base/device.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void pg_device_fail(pg_device *device, pg_status status, const char *format, ...)
{
    if (device->status != PG_OK)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(device->failure, sizeof device->failure, format, arguments);
    va_end(arguments);
    device->status = status;
}

static pg_status tell(const pg_device *device)
{
    return device->status == PG_OK ? PG_OK : pg_fail(device->status, "%s: %s", device->name, device->failure);
}

pg_status pg_device_wait(pg_device *device)
{
    if (!device)
        return PG_OK;
    device->calls->wait(device);
    return tell(device);
}

void pg_device_close(pg_device *device)
{
    if (device)
        device->calls->close(device);
}

bool pg_device_record(pg_device *device)
{
    return device->status == PG_OK && device->calls->record(device);
}

pg_recording *pg_device_end_record(pg_device *device)
{
    return device->calls->end_record(device);
}

bool pg_device_replay(pg_device *device, const pg_recording *recording)
{
    return device->calls->replay(device, recording);
}

void pg_recording_free(pg_device *device, pg_recording *recording)
{
    if (recording)
        device->calls->forget(device, recording);
}

void *pg_values_alloc(pg_device *device, size_t bytes)
{
    return device ? device->calls->alloc(device, bytes) : pg_pages_alloc(bytes);
}

void pg_values_free(pg_device *device, void *values, size_t bytes)
{
    if (!device)
        pg_pages_free(values, bytes);
    else if (values)
        device->calls->free(device, values);
}

void pg_values_clear(pg_device *device, void *values, size_t bytes)
{
    if (device)
        device->calls->clear(device, values, bytes);
    else
        memset(values, 0, bytes);
}

void pg_values_move(pg_device *device, void *to, const void *from, size_t bytes)
{
    if (device)
        device->calls->move(device, to, from, bytes);
    else
        memmove(to, from, bytes);
}

void pg_values_upload(pg_device *device, void *to, const void *from, size_t bytes)
{
    if (device)
        device->calls->upload(device, to, from, bytes);
    else
        memcpy(to, from, bytes);
}

pg_status pg_values_download(pg_device *device, void *to, const void *from, size_t bytes)
{
    if (!device) {
        memcpy(to, from, bytes);
        return PG_OK;
    }
    device->calls->download(device, to, from, bytes);
    return tell(device);
}
