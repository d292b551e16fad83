/* syslog.h - one syslog message, of RFC 5424 or of RFC 3164 with what devices make of it: Cisco's sequence numbers, years and
 * doubtful clocks, dates of ISO 8601 or seconds since 1970, no host, no date, no priority. Pure; any thread.
 *
 * Any text is a message: what cannot be made out stays part of `message`. */
#ifndef RF_COLLECT_SYSLOG_H
#define RF_COLLECT_SYSLOG_H

#include "base/clock.h"
#include "value/zone.h"

enum { SYSLOG_PARAMS_MAX = 512 };

struct syslog_message {
    uint8_t facility,
        severity; /* 0..23, 0..7; user.notice when there is no priority (RFC 3164 section 4.3.3) */
    bool is_5424, has_time;
    rf_usec time;             /* UTC */
    rf_str host, app, msg_id; /* empty: none */
    rf_str proc_id;
    rf_str message;
    rf_str
        structured; /* JSON {"id":{"name":"value"}}, a list of values for a name that is repeated; empty: none */
    const char *problem; /* what is wrong with it, static; NULL: nothing */
};
struct syslog_options {
    rf_usec now;
    const struct zone *zone; /* of times that do not say theirs; NULL: UTC */
};
/* Views of `text`, but for `structured`, which is made in `arena`. */
void syslog_parse(rf_str text, const struct syslog_options *options, struct rf_arena *arena,
                  struct syslog_message *out);

/* As the columns Facility and SeverityLevel have them: "authpriv", "warning". */
const char *syslog_facility_name(uint8_t facility);
const char *syslog_severity_name(uint8_t severity);

/* ---- syslog_time.c ------------------------------------------------------------------------------------------------ */

/* A time at text[*at]: "Oct  1 22:14:15[.123]" with the year behind the day or the clock or in front of the month, or none (then
 * the last one that does not bring it far ahead of now), "2003-10-11T22:14:15.003Z", with a blank or without a zone, or seconds since 1970
 * with a fraction. Moves *at behind it. */
bool syslog_time(rf_str text, size_t *at, const struct syslog_options *options, rf_usec *time);

#endif
