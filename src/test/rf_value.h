/* rf_value.h - values written as text, for tables of calls: a letter for the type, a colon or nothing, the value.
 *
 *   d or j  dynamic, as JSON     l  long      b  bool: true, all else is false     m  datetime
 *   s       string               r  real      t  timespan
 *
 * "null" is a null dynamic, "nl" a null long, "n" a null real. */
#ifndef RF_TEST_VALUE_H
#define RF_TEST_VALUE_H

#include <criterion/criterion.h>

#include "value/dyn.h"
#include "value/text.h"

__attribute__((unused)) static struct value rf_value_read(struct rf_arena *arena, const char *text)
{
    if (strcmp(text, "null") == 0) return value_null(TYPE_DYNAMIC);
    if (strcmp(text, "nl") == 0) return value_null(TYPE_LONG);
    if (strcmp(text, "n") == 0) return value_null(TYPE_REAL);
    struct rf_buf buf = rf_buf_in(arena);
    rf_str rest = rf_str_of(text + (text[1] == ':' ? 2 : 1));
    struct value v;
    switch (text[0]) {
    case 'd':
    case 'j':
        cr_assert(dyn_parse_json(rest, &buf, NULL) == RF_OK, "%s", text);
        return value_dyn(dyn_done(&buf));
    case 'l':
        v = value_long(0);
        cr_assert(text_to_long(rest, &v.i), "%s", text);
        return v;
    case 'r':
        v = value_real(0);
        cr_assert(text_to_real(rest, &v.r), "%s", text);
        return v;
    case 'b':
        return value_bool(rf_str_is(rest, "true"));
    case 't':
        v = value_i64(TYPE_TIMESPAN, 0);
        cr_assert(text_to_timespan(rest, &v.i), "%s", text);
        return v;
    case 'm':
        v = value_i64(TYPE_DATETIME, 0);
        cr_assert(text_to_datetime(rest, &v.i), "%s", text);
        return v;
    default:
        cr_assert(text[0] == 's', "%s", text);
        return value_str(rest);
    }
}

#endif
