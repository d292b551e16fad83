#include "base/clock.h"

#include <time.h>

static rf_usec read_clock(clockid_t id)
{
    struct timespec t;
    int failed = clock_gettime(id, &t);
    RF_ASSERT(failed == 0); /* these clocks exist on every Linux */
    return (rf_usec)t.tv_sec * RF_USEC_PER_SECOND + t.tv_nsec / 1000;
}

static rf_usec real_now(__attribute__((unused)) struct rf_clock *clock)
{
    return read_clock(CLOCK_REALTIME);
}

static rf_usec real_elapsed(__attribute__((unused)) struct rf_clock *clock)
{
    return read_clock(CLOCK_MONOTONIC);
}

struct rf_clock *rf_clock_real(void)
{
    static struct rf_clock real = {.now = real_now, .elapsed = real_elapsed};
    return &real;
}

rf_usec rf_clock_cpu(void) { return read_clock(CLOCK_PROCESS_CPUTIME_ID); }

static void take_step(struct rf_clock_fixed *fixed)
{
    rf_usec step = atomic_load(&fixed->step);
    if (step != 0) rf_clock_fixed_pass(fixed, step);
}

/* The clock is the first member, so its address is the whole's. */
static rf_usec fixed_now(struct rf_clock *clock)
{
    struct rf_clock_fixed *fixed = (struct rf_clock_fixed *)clock;
    rf_usec now = atomic_load(&fixed->now);
    take_step(fixed);
    return now;
}

static rf_usec fixed_elapsed(struct rf_clock *clock)
{
    struct rf_clock_fixed *fixed = (struct rf_clock_fixed *)clock;
    rf_usec elapsed = atomic_load(&fixed->elapsed);
    take_step(fixed);
    return elapsed;
}

void rf_clock_fixed_init(struct rf_clock_fixed *fixed, rf_usec now, rf_usec step)
{
    fixed->clock = (struct rf_clock){.now = fixed_now, .elapsed = fixed_elapsed};
    atomic_init(&fixed->now, now);
    atomic_init(&fixed->elapsed, 0);
    atomic_init(&fixed->step, step);
}

void rf_clock_fixed_pass(struct rf_clock_fixed *fixed, rf_usec duration_usec)
{
    atomic_fetch_add(&fixed->now, duration_usec);
    atomic_fetch_add(&fixed->elapsed, duration_usec);
}

void rf_clock_fixed_jump(struct rf_clock_fixed *fixed, rf_usec now)
{
    atomic_store(&fixed->now, now);
}
