/*
 * A device: memory of its own, which the host must neither read nor write, and work that is done there in the order in
 * which it was asked for, while the host goes on. NULL stands for the host itself, everywhere.
 *
 * Failures are sticky: after one nothing more is done, and whoever waits (pg_values_download, pg_device_wait) is told.
 */
#ifndef PG_BASE_DEVICE_H
#define PG_BASE_DEVICE_H

#include "base/status.h"

struct pg_device_kernels;

typedef struct pg_device pg_device;
typedef struct pg_recording pg_recording; /* of a device: work with all of its arguments */

/* What a device can do; kernels/devices.h has those that there are. */
typedef struct pg_device_calls {
    void *(*alloc)(pg_device *device, size_t bytes); /* aligned to PG_ALIGNMENT; NULL with the error text set */
    void (*free)(pg_device *device, void *memory);
    /* Host memory may be changed as soon as upload returns; download waits for everything that was asked for. */
    void (*upload)(pg_device *device, void *to, const void *from, size_t bytes);
    void (*download)(pg_device *device, void *to, const void *from, size_t bytes);
    void (*move)(pg_device *device, void *to, const void *from, size_t bytes); /* they may overlap */
    void (*clear)(pg_device *device, void *memory, size_t bytes);
    void (*wait)(pg_device *device);
    void (*close)(pg_device *device);
    bool (*record)(pg_device *device);
    pg_recording *(*end_record)(pg_device *device);
    bool (*replay)(pg_device *device, const pg_recording *recording);
    void (*forget)(pg_device *device, pg_recording *recording);
} pg_device_calls;

struct pg_device {
    char name[24];         /* "cuda:0" */
    char description[128]; /* "NVIDIA H100 80GB HBM3, 79 GiB" */
    pg_status status;      /* the first failure */
    char failure[256];     /* its text */
    const pg_device_calls *calls;
    const struct pg_device_kernels *kernels; /* kernels/device_kernels.h */
};

/* Notes a failure, unless there was one before. */
void pg_device_fail(pg_device *device, pg_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Waits for everything that was asked for. The status of the device, with its text; PG_OK for NULL. */
pg_status pg_device_wait(pg_device *device);

void pg_device_close(pg_device *device); /* NULL is allowed */

/* From here on what is asked for is not done but recorded: work, and copies within the device's memory. Its arguments
 * are kept as they are, so that what changes from one replay to the next must lie in the device's memory. False if the
 * device does not record now. */
bool pg_device_record(pg_device *device);

/* The end of it. NULL if something could not be recorded: memory was taken or given back, or something went to the host
 * or came from it. Then nothing has happened, and the device is as well as it was before. */
pg_recording *pg_device_end_record(pg_device *device);

/* Asks for all of it at once. False, with nothing done, if memory of the device's own that it works with has gone. */
bool pg_device_replay(pg_device *device, const pg_recording *recording);

void pg_recording_free(pg_device *device, pg_recording *recording); /* NULL is allowed */

/* Memory for values: on the device, or (device NULL) the host's. Not cleared on a device, zeros on the host. */
void *pg_values_alloc(pg_device *device, size_t bytes);
void pg_values_free(pg_device *device, void *values, size_t bytes);
void pg_values_clear(pg_device *device, void *values, size_t bytes);
void pg_values_move(pg_device *device, void *to, const void *from, size_t bytes);
void pg_values_upload(pg_device *device, void *to, const void *from, size_t bytes);
pg_status pg_values_download(pg_device *device, void *to, const void *from, size_t bytes);

#endif
