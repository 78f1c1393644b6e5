#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void catch_signal(int number)
{
    struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND}, before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

void pg_cli_catch_interrupts(bool terminate)
{
    catch_signal(SIGINT);
    if (terminate)
        catch_signal(SIGTERM);
}

bool pg_cli_interrupted(void)
{
    return interrupted;
}
