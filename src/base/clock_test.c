#include "base/clock.h"
#include "test/rf_prop.h"

Test(clock, real_time_moves_on)
{
    struct rf_clock *clock = rf_clock_real();
    rf_usec now = rf_clock_now(clock), elapsed = rf_clock_elapsed(clock), cpu = rf_clock_cpu();
    cr_assert(now > 1600000000 * RF_USEC_PER_SECOND);
    cr_assert(rf_clock_elapsed(clock) >= elapsed && rf_clock_cpu() >= cpu);
}

Test(clock, fixed_time_obeys)
{
    struct rf_clock_fixed fixed;
    rf_clock_fixed_init(&fixed, 1000, 0);
    struct rf_clock *clock = &fixed.clock;
    cr_assert(rf_clock_now(clock) == 1000 && rf_clock_now(clock) == 1000);
    rf_clock_fixed_pass(&fixed, 50);
    cr_assert(rf_clock_now(clock) == 1050 && rf_clock_elapsed(clock) == 50);
    rf_clock_fixed_jump(&fixed, -7);
    cr_assert(rf_clock_now(clock) == -7 && rf_clock_elapsed(clock) == 50);
    rf_clock_fixed_init(&fixed, 0, 10);
    cr_assert(rf_clock_now(clock) == 0 && rf_clock_now(clock) == 10 &&
              rf_clock_elapsed(clock) == 20);
}
