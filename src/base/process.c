#include "base/process.h"

#include <stdio.h>

pg_process_memory pg_process_memory_get(void)
{
    pg_process_memory memory = {0};
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    size_t kilobytes;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "VmHWM: %zu kB", &kilobytes) == 1)
            memory.peak = kilobytes * 1024;
        else if (sscanf(line, "RssFile: %zu kB", &kilobytes) == 1)
            memory.mapped = kilobytes * 1024;
    }
    if (file)
        fclose(file);
    return memory;
}
