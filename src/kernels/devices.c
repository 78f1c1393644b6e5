#include "kernels/devices.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(PG_HAVE_CUDA)
#include "kernels/cuda/cuda_device.h"
#endif

/* The N of "cuda:N", 0 for "cuda"; -1 for other names. */
static int cuda_number(const char *name)
{
    char *end;
    if (strncmp(name, "cuda", 4) != 0 || (name[4] != 0 && name[4] != ':'))
        return -1;
    if (name[4] == 0)
        return 0;
    long number = strtol(name + 5, &end, 10);
    return name[5] >= '0' && name[5] <= '9' && *end == 0 && number < 1024 ? (int)number : -1;
}

pg_status pg_device_open(pg_device **out, const char *name)
{
    *out = NULL;
    if (!name || !strcmp(name, "cpu"))
        return PG_OK;
    int number = cuda_number(name);
    if (number < 0)
        return pg_fail(PG_ERROR_ARGUMENT, "device \"%s\": expected cpu, cuda or cuda:N", name);
#if defined(PG_HAVE_CUDA)
    return pg_cuda_open(out, number);
#else
    return pg_fail(PG_ERROR_UNSUPPORTED,
                   "device \"%s\": this build has no CUDA (`paligemma --version` says what it has)", name);
#endif
}

static char names[1024] = "cpu (built without CUDA)";

static void list_devices(void)
{
#if defined(PG_HAVE_CUDA)
    int length = snprintf(names, sizeof names, "cpu");
    pg_cuda_list(names + length, sizeof names - (size_t)length);
#endif
}

const char *pg_devices(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, list_devices);
    return names;
}
