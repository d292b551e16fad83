#include "base/encode.h"
#include "cli/cli_pace.h"
#include "test/rf_prop.h"

#define ROW(time) RF_S("{\"A\":{\"TimeGenerated\":1},\"TimeGenerated\":\"" time "\"}")

static rf_usec at(const char *text)
{
    rf_usec time = 0;
    cr_assert(time_parse_iso(rf_str_of(text), &time));
    return time;
}

Test(cli_pace, keeps_the_distance_to_the_first_row)
{
    struct rf_clock_fixed fixed;
    rf_clock_fixed_init(&fixed, at("2030-01-01T00:00:00Z"), 0);
    struct cli_pace pace;
    cr_assert(cli_pace_parse(RF_S("2"), &pace));
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:10Z"), &fixed.clock) == 0);
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:30Z"), &fixed.clock) ==
              10 * RF_USEC_PER_SECOND);
    rf_clock_fixed_pass(&fixed, 9 * RF_USEC_PER_SECOND);
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:30Z"), &fixed.clock) ==
              RF_USEC_PER_SECOND);
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:05Z"), &fixed.clock) == 0,
              "an earlier row is due");
    cr_assert(cli_pace_wait_usec(&pace, RF_S("{\"TimeGenerated\":7}"), &fixed.clock) == 0);
    cr_assert(cli_pace_wait_usec(&pace, RF_S("{}"), &fixed.clock) == 0);
    cr_assert(cli_pace_wait_usec(&pace, RF_S("[]"), &fixed.clock) == 0);
}

Test(cli_pace, sends_live_rows_at_their_time)
{
    struct rf_clock_fixed fixed;
    rf_clock_fixed_init(&fixed, at("2026-01-01T00:00:00Z"), 0);
    struct cli_pace pace;
    cr_assert(cli_pace_parse(RF_S("live"), &pace));
    cr_assert(cli_pace_wait_usec(&pace, ROW("2025-12-31T23:00:00Z"), &fixed.clock) == 0);
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:03Z"), &fixed.clock) ==
              3 * RF_USEC_PER_SECOND);
}

Test(cli_pace, is_off_without_a_speed)
{
    struct cli_pace pace = {0};
    cr_assert(cli_pace_wait_usec(&pace, ROW("2026-01-01T00:00:10Z"), rf_clock_real()) == 0);
    cr_assert(cli_pace_wait_usec(&pace, ROW("2100-01-01T00:00:10Z"), rf_clock_real()) == 0);
    const char *bad[] = {"", "0", "-1", "fast", "nan"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(!cli_pace_parse(rf_str_of(bad[i]), &pace), "%s", bad[i]);
}
