/* The table of plain C. */
#ifndef PG_KERNELS_REFERENCE_H
#define PG_KERNELS_REFERENCE_H

#include "kernels/kernels.h"

extern const pg_kernels pg_reference_kernels;

#endif
