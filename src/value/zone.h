/* zone.h - times of day around the world, by the time zone files of the system.
 *
 * A zone file (RFC 8536) holds the moments at which the offset from UTC changed, and a rule in the
 * notation of POSIX TZ for later years. The files are trusted no more than any other bytes: every
 * count is checked against the length. Pure but for reading the file; any thread. */
#ifndef RF_ZONE_H
#define RF_ZONE_H

#include "value/text.h"

#define ZONE_FOLDER "/usr/share/zoneinfo/"

/* When the clocks change: Jn (day of a year without leap day), n (day from 0), Mm.w.d. */
struct rule_date {
    char kind; /* 'J', 'N', 'M' */
    int32_t month, week, day;
    int32_t second; /* of that day, local; may lie outside it */
};

struct rule {
    bool valid, has_dst;
    int32_t standard, dst; /* seconds that local time is ahead of UTC */
    struct rule_date from, to;
};

struct zone {
    rf_str name;
    bool valid;
    uint32_t change_count;
    const int64_t *changes; /* seconds since 1970, ascending */
    const int32_t *offsets; /* from changes[i] on */
    int32_t first_offset;   /* before all changes */
    struct rule rule;
};

/* Reads a whole file of at most `bytes_max` (what lies behind is left out); *out is empty when it cannot be opened. */
RF_MUST_USE enum rf_kind zone_read_file(const char *path, size_t bytes_max, struct rf_arena *arena,
                                        rf_str *out, struct rf_err *err);
/* The zone of that name ("Europe/Berlin"); out->valid is false when there is none. `scratch` holds the
 * file meanwhile. */
RF_MUST_USE enum rf_kind zone_load(rf_str name, struct rf_arena *scratch, struct rf_arena *arena,
                                   struct zone *out, struct rf_err *err);
/* Seconds that a valid zone is ahead of UTC at a second (since 1970) of UTC, and at one of its own local time. */
int32_t zone_offset(const struct zone *zone, int64_t second);
int32_t zone_offset_local(const struct zone *zone, int64_t local);

#endif
