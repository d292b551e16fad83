/* query_span.c - times as requests give them: the timespan of a query (ISO 8601), durations of options. */
#include "base/encode.h"
#include "logs/query_int.h"
#include "value/text.h"

static bool duration_ticks(rf_str text, int64_t *out)
{
    rf_usec usec;
    if (text.len == 0 || text.ptr[0] != 'P' || !duration_parse_iso(text, &usec) || usec < 0)
        return false;
    return !__builtin_mul_overflow(usec, TICKS_PER_MICROSECOND, out) && *out <= DATETIME_MAX;
}

/* A time may lie outside what a datetime holds: it is cut there. */
static int64_t clamp(int64_t ticks) { return ticks < 0 ? 0 : RF_MIN(ticks, DATETIME_MAX); }

enum rf_kind query_span_parse(rf_str text, int64_t now_ticks, struct query_span *out,
                              struct rf_err *err)
{
    struct query_span span = {.given = true};
    int64_t duration;
    text = rf_str_trim(text);
    if (text.len == 0) {
        *out = (struct query_span){0};
        return RF_OK;
    }
    size_t slash = rf_str_find(text, RF_S("/"), 0);
    rf_str first = rf_slice(text, 0, RF_MIN(slash, text.len));
    rf_str second = slash == SIZE_MAX ? (rf_str){NULL, 0} : rf_slice(text, slash + 1, text.len);
    bool good;
    if (slash == SIZE_MAX) {
        good = duration_ticks(first, &duration);
        span.to_ticks = now_ticks;
        if (good) span.from_ticks = now_ticks - duration;
    } else if (duration_ticks(first, &duration)) {
        good = text_to_datetime(second, &span.to_ticks);
        if (good) span.from_ticks = span.to_ticks - duration;
    } else {
        good = text_to_datetime(first, &span.from_ticks);
        if (good && duration_ticks(second, &duration))
            span.to_ticks = span.from_ticks + duration;
        else
            good = good && text_to_datetime(second, &span.to_ticks);
    }
    span.from_ticks = clamp(span.from_ticks);
    span.to_ticks = clamp(span.to_ticks);
    if (!good || span.from_ticks > span.to_ticks)
        return RF_FAIL(err, RF_INVALID, "BadTimespan",
                       "'%.*s' is no timespan: a duration such as PT1H or P7D, start/end, "
                       "start/duration or duration/end (ISO 8601)",
                       RF_FMT(rf_slice(text, 0, RF_MIN(text.len, 100))));
    *out = span;
    return RF_OK;
}

bool query_duration_parse(rf_str text, int64_t *usec)
{
    int64_t ticks;
    if (duration_ticks(text, &ticks) || text_to_timespan(text, &ticks)) {
        *usec = ticks / TICKS_PER_MICROSECOND;
        return true;
    }
    return false;
}
