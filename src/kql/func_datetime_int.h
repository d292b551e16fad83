/* func_datetime_int.h - the kernels of the datetime family that lie outside func_datetime.c. */
#ifndef RF_FUNC_DATETIME_INT_H
#define RF_FUNC_DATETIME_INT_H

#include "kql/func.h"

/* func_datetime_bin.c */
func_kernel bin_i64, bin_real, bin_decimal;
func_kernel bin_at_i64, bin_at_real, bin_at_decimal;
func_kernel bin_auto;

/* func_datetime_format.c */
func_kernel format_datetime, format_timespan;

/* func_datetime_zone.c */
func_kernel zone_utc_to_local, zone_local_to_utc, zone_list;

/* x moved down to a multiple of `unit` (> 0); false when that lies below INT64_MIN. */
static inline bool floor_to(int64_t x, int64_t unit, int64_t *out)
{
    int64_t rest = x % unit;
    if (rest < 0) rest += unit;
    return !__builtin_sub_overflow(x, rest, out);
}

static inline bool datetime_in_range(int64_t ticks) { return ticks >= 0 && ticks <= DATETIME_MAX; }

#endif
