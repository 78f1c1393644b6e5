/* What the operating system says about this process. */
#ifndef PG_BASE_PROCESS_H
#define PG_BASE_PROCESS_H

#include <stddef.h>

/* Bytes; 0 where the system does not tell. */
typedef struct pg_process_memory {
    size_t peak;   /* largest resident size so far */
    size_t mapped; /* resident pages of mapped files */
} pg_process_memory;

pg_process_memory pg_process_memory_get(void);

#endif
