/* text.h - values to text and back, as Kusto prints and reads them. No function depends on the locale.
 * Parsers take the whole text (blanks at the ends are skipped) and return false when it is none. */
#ifndef RF_TEXT_H
#define RF_TEXT_H

#include "value/value.h"

/* ---- printing: each appends to buf -------------------------------------------------------------- */
void text_put_i64(struct rf_buf *buf, int64_t i);
/* Shortest text that reads back: 1.5, 1.0 prints as "1" unless `point`, then "1.0"; "NaN", "Infinity". */
void text_put_real(struct rf_buf *buf, double r, bool point);
void text_put_datetime(struct rf_buf *buf, int64_t ticks); /* 2017-01-01T00:00:00.0000000Z */
void text_put_timespan(struct rf_buf *buf, int64_t ticks); /* [-][d.]hh:mm:ss[.fffffff] */
void text_put_guid(struct rf_buf *buf, const struct guid *g);
void text_put_decimal(struct rf_buf *buf, const struct decimal *d); /* plain digits, no exponent */
/* tostring(value): null is the empty text, true/false, dynamic as dyn_put_text. */
void text_put_value(struct rf_buf *buf, const struct value *v);

/* ---- reading -------------------------------------------------------------------------------------- */
bool text_to_bool(rf_str s, bool *out); /* true/false in any case, or a whole number (0 is false) */
bool text_to_long(rf_str s, int64_t *out); /* decimal or 0x hex, sign; false when it does not fit */
bool text_to_real(rf_str s,
                  double *out); /* correctly rounded; also nan, inf, +inf, -inf, Infinity */
bool text_to_decimal(rf_str s, struct decimal *out);
bool text_to_guid(rf_str s, struct guid *out); /* with or without dashes, also in braces */
/* ISO 8601 in its usual forms (date alone, T or blank, fraction of 1..9 digits, Z or offset), RFC 822
 * ("Sat, 08 Nov 2014 15:05:02 GMT"), RFC 850, and the forms Kusto's documentation lists; a text
 * without a zone is UTC. */
bool text_to_datetime(rf_str s, int64_t *ticks);
/* KQL literal forms "1d", "1.5h", "10ms", "2 minutes"... and [-][d.]hh:mm[:ss[.fffffff]]; a bare number
 * counts days. */
bool text_to_timespan(rf_str s, int64_t *ticks);

/* Calendar, proleptic Gregorian. month 1..12, day 1..31. */
void date_from_ticks(int64_t ticks, int *year, int *month, int *day);
/* False when the date does not exist or lies outside year 1..9999. */
bool date_to_ticks(int64_t year, int64_t month, int64_t day, int64_t *ticks);

/* Conversion of one value to another type, as the to*() functions do it: a value that does not fit
 * becomes null. Texts and dynamics are made in `arena`; false only on lack of memory. */
bool value_convert(const struct value *v, enum type type, struct rf_arena *arena,
                   struct value *out);

#endif
