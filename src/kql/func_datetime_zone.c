/* func_datetime_zone.c - times of day around the world, by the time zone files of the system.
 *
 * A zone file (RFC 8536) holds the moments at which the offset from UTC changed, and a rule in the
 * notation of POSIX TZ for later years:
 *
 *   header, 44 bytes, big endian        block with times of 4 bytes (version 1), skipped when a
 *   0   4  magic "TZif"                 second header and a block with times of 8 bytes follow
 *   4   1  version                      block: times, a type index (1 byte) per time,
 *   20 24  six counts of 4 bytes        types of 6 bytes (offset 4, dst 1, name 1), names, leap
 *                                       seconds, two more byte arrays; then "\n" rule "\n"
 *
 * The files are trusted no more than any other bytes: every count is checked against the length. */
#include "kql/func_datetime_int.h"
#include "value/dyn.h"
#include "value/text.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define ZONE_FOLDER "/usr/share/zoneinfo/"

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    NAME_BYTES_MAX = 64,
    ZONE_FILE_BYTES_MAX = 1 << 16,
    LIST_FILE_BYTES_MAX = 1 << 20,
    ZONES_MAX = 1024,
    DAY_SECONDS = 86400
};

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

/* ---- reading files --------------------------------------------------------------------------- */

static enum rf_kind read_file(const char *path, size_t bytes_max, struct rf_arena *arena,
                              rf_str *out, struct rf_err *err)
{
    *out = (rf_str){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return RF_OK; /* no such zone: the caller gives null */
    uint8_t *bytes = rf_arena_alloc(arena, bytes_max);
    size_t len = 0;
    while (bytes != NULL && len < bytes_max) {
        ssize_t n = read(fd, bytes + len, bytes_max - len);
        if (n <= 0) break;
        len += (size_t)n;
    }
    close(fd);
    if (bytes == NULL) return rf_fail_memory(err, arena);
    *out = rf_str_make(bytes, len);
    return RF_OK;
}

static uint32_t get_u32be(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get_time(const uint8_t *p, size_t bytes)
{
    if (bytes == 4) return (int32_t)get_u32be(p);
    return (int64_t)((uint64_t)get_u32be(p) << 32 | get_u32be(p + 4));
}

/* ---- the rule for later years ---------------------------------------------------------------- */

static bool rule_number(rf_str s, size_t *at, int32_t max, int32_t *out)
{
    int32_t x = 0;
    size_t from = *at;
    for (; *at < s.len && rf_is_digit(s.ptr[*at]) && *at - from < 5; (*at)++)
        x = x * 10 + (s.ptr[*at] - '0');
    *out = x;
    return *at > from && x <= max;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static bool rule_clock(rf_str s, size_t *at, int32_t *seconds)
{
    bool negative = *at < s.len && s.ptr[*at] == '-';
    if (*at < s.len && (s.ptr[*at] == '-' || s.ptr[*at] == '+')) (*at)++;
    int32_t hour, part;
    if (!rule_number(s, at, 167, &hour)) return false;
    int32_t total = hour * 3600;
    for (int32_t unit = 60; unit > 0 && *at < s.len && s.ptr[*at] == ':'; unit /= 60) {
        (*at)++;
        if (!rule_number(s, at, 59, &part)) return false;
        total += part * unit;
    }
    *seconds = negative ? -total : total;
    return true;
}

/* Letters, or anything in angle brackets. */
static bool rule_name(rf_str s, size_t *at)
{
    size_t from = *at;
    if (*at < s.len && s.ptr[*at] == '<') {
        while (*at < s.len && s.ptr[*at] != '>') (*at)++;
        return (*at)++ < s.len;
    }
    while (*at < s.len && rf_is_alpha(s.ptr[*at])) (*at)++;
    return *at > from;
}

static bool rule_byte(rf_str s, size_t *at, uint8_t c)
{
    if (*at >= s.len || s.ptr[*at] != c) return false;
    (*at)++;
    return true;
}

/* ,Mm.w.d[/time] and the like. */
static bool rule_date(rf_str s, size_t *at, struct rule_date *out)
{
    *out = (struct rule_date){.kind = 'N', .second = 2 * 3600};
    if (!rule_byte(s, at, ',')) return false;
    if (rule_byte(s, at, 'M')) {
        out->kind = 'M';
        if (!rule_number(s, at, 12, &out->month) || out->month < 1 || !rule_byte(s, at, '.'))
            return false;
        if (!rule_number(s, at, 5, &out->week) || out->week < 1 || !rule_byte(s, at, '.'))
            return false;
        if (!rule_number(s, at, 6, &out->day)) return false;
    } else {
        if (rule_byte(s, at, 'J')) out->kind = 'J';
        if (!rule_number(s, at, 365, &out->day)) return false;
    }
    return !rule_byte(s, at, '/') || rule_clock(s, at, &out->second);
}

static struct rule rule_parse(rf_str s)
{
    struct rule rule = {0};
    size_t at = 0;
    int32_t behind; /* POSIX counts westward */
    if (!rule_name(s, &at) || !rule_clock(s, &at, &behind)) return rule;
    rule.standard = -behind;
    if (at == s.len) {
        rule.valid = true;
        return rule;
    }
    if (!rule_name(s, &at)) return rule;
    rule.dst = rule.standard + 3600;
    if (at < s.len && s.ptr[at] != ',') {
        if (!rule_clock(s, &at, &behind)) return rule;
        rule.dst = -behind;
    }
    rule.has_dst = rule_date(s, &at, &rule.from) && rule_date(s, &at, &rule.to) && at == s.len;
    rule.valid = rule.has_dst;
    return rule;
}

static int64_t unix_day(int64_t year, int64_t month, int64_t day)
{
    int64_t ticks = 0;
    RF_ASSERT(date_to_ticks(year, month, day, &ticks));
    return (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_DAY;
}

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/* Local second since 1970 at which a rule date falls in `year`. */
static int64_t rule_second(const struct rule_date *d, int64_t year)
{
    int64_t day;
    if (d->kind == 'M') {
        int64_t first = unix_day(year, d->month, 1);
        int64_t weekday = (first % 7 + 11) % 7; /* 1970-01-01 was a Thursday, Sunday is 0 */
        day = first + (d->day - weekday + 7) % 7 + 7 * (d->week - 1);
        int64_t next =
            d->month == 12 ? unix_day(year, 12, 31) + 1 : unix_day(year, d->month + 1, 1);
        while (day >= next) day -= 7; /* week 5 means the last */
    } else {
        day = unix_day(year, 1, 1) + d->day;
        /* Jn counts from 1 and never counts February 29. */
        if (d->kind == 'J') day -= !(is_leap(year) && d->day >= 60);
    }
    return day * DAY_SECONDS + d->second;
}

static int64_t datetime_second(int64_t ticks)
{
    int64_t second = 0;
    (void)floor_to(ticks - DATETIME_UNIX_EPOCH, TICKS_PER_SECOND, &second);
    return second / TICKS_PER_SECOND;
}

static int32_t rule_offset(const struct rule *rule, int64_t second)
{
    if (!rule->has_dst) return rule->standard;
    int year, month, day;
    date_from_ticks((second + rule->standard) * TICKS_PER_SECOND + DATETIME_UNIX_EPOCH, &year,
                    &month, &day);
    if (year > 9999) year = 9999;
    int64_t from = rule_second(&rule->from, year) - rule->standard;
    int64_t to = rule_second(&rule->to, year) - rule->dst;
    /* South of the equator summer lies across the turn of the year. */
    bool summer = from < to ? second >= from && second < to : second >= from || second < to;
    return summer ? rule->dst : rule->standard;
}

/* ---- the zone file --------------------------------------------------------------------------- */

struct block {
    uint32_t utc, standard, leaps, times, types, chars;
    size_t bytes; /* behind the header */
};

static bool block_read(rf_str file, size_t at, size_t time_bytes, struct block *out)
{
    if (at > file.len || file.len - at < HEADER_BYTES || memcmp(file.ptr + at, "TZif", 4) != 0)
        return false;
    uint32_t counts[6];
    for (size_t i = 0; i < RF_COUNT(counts); i++) {
        counts[i] = get_u32be(file.ptr + at + 20 + 4 * i);
        if (counts[i] > ZONE_FILE_BYTES_MAX) return false; /* so that no sum below overflows */
    }
    *out = (struct block){counts[0], counts[1], counts[2], counts[3], counts[4], counts[5], 0};
    out->bytes = (size_t)out->times * (time_bytes + 1) + (size_t)out->types * TYPE_BYTES +
                 out->chars + (size_t)out->leaps * (time_bytes + 4) + out->standard + out->utc;
    return out->bytes <= file.len - at - HEADER_BYTES && out->types > 0;
}

static bool type_offset(const uint8_t *types, uint32_t count, uint32_t index, int32_t *out)
{
    if (index >= count) return false;
    *out = (int32_t)get_u32be(types + (size_t)index * TYPE_BYTES);
    return *out > -2 * DAY_SECONDS && *out < 2 * DAY_SECONDS;
}

/* Fills the zone from the block at `at`; false when it is malformed, *no_memory when that is
 * why. */
static bool zone_fill(struct zone *zone, rf_str file, size_t at, size_t time_bytes,
                      const struct block *block, struct rf_arena *arena, bool *no_memory)
{
    const uint8_t *times = file.ptr + at + HEADER_BYTES;
    const uint8_t *indexes = times + (size_t)block->times * time_bytes;
    const uint8_t *types = indexes + block->times;
    int64_t *changes = rf_arena_raw(arena, int64_t, block->times);
    int32_t *offsets = rf_arena_raw(arena, int32_t, block->times);
    *no_memory = changes == NULL || offsets == NULL;
    if (*no_memory || !type_offset(types, block->types, 0, &zone->first_offset)) return false;
    for (uint32_t i = 0; i < block->times; i++) {
        changes[i] = get_time(times + (size_t)i * time_bytes, time_bytes);
        if (!type_offset(types, block->types, indexes[i], &offsets[i])) return false;
        if (i > 0 && changes[i] <= changes[i - 1]) return false;
    }
    zone->changes = changes;
    zone->offsets = offsets;
    zone->change_count = block->times;
    return true;
}

static enum rf_kind zone_parse(struct zone *zone, rf_str file, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct block block;
    size_t at = 0, time_bytes = 4;
    if (!block_read(file, 0, 4, &block)) return RF_OK;
    bool second = file.ptr[4] >= '2';
    if (second) {
        at = HEADER_BYTES + block.bytes;
        time_bytes = 8;
        if (!block_read(file, at, 8, &block)) return RF_OK;
    }
    bool no_memory;
    zone->valid = zone_fill(zone, file, at, time_bytes, &block, arena, &no_memory);
    if (no_memory) return rf_fail_memory(err, arena);
    size_t footer = at + HEADER_BYTES + block.bytes;
    if (second && footer < file.len && file.ptr[footer] == '\n') {
        size_t end = rf_str_find(file, RF_S("\n"), footer + 1);
        if (end != SIZE_MAX) zone->rule = rule_parse(rf_slice(file, footer + 1, end));
    }
    return RF_OK;
}

/* Only names that stay inside the folder are looked up. */
static bool zone_name_ok(rf_str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || name.ptr[0] == '/') return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alnum(c) && c != '/' && c != '_' && c != '-' && c != '+') return false;
    }
    return true;
}

/* ---- the zones a call has met ---------------------------------------------------------------- */

struct zones {
    uint32_t count;
    uint32_t last; /* found by the previous row */
    struct zone items[ZONES_MAX];
};

static enum rf_kind zone_load(struct zones *zones, struct func_call *call, rf_str name,
                              struct rf_err *err)
{
    /* A query may make up names without end: the table then starts anew. */
    if (zones->count == ZONES_MAX) zones->count = 0;
    struct zone zone = {0};
    char path[sizeof ZONE_FOLDER + NAME_BYTES_MAX];
    if (!rf_arena_str(call->query_arena, name, &zone.name))
        return rf_fail_memory(err, call->query_arena);
    if (zone_name_ok(name)) {
        rf_str file;
        snprintf(path, sizeof path, ZONE_FOLDER "%.*s", RF_FMT(name));
        RF_TRY(read_file(path, ZONE_FILE_BYTES_MAX, call->arena, &file, err));
        RF_TRY(zone_parse(&zone, file, call->query_arena, err));
    }
    zones->last = zones->count++;
    zones->items[zones->last] = zone;
    return RF_OK;
}

static enum rf_kind zone_find(struct func_call *call, rf_str name, const struct zone **out,
                              struct rf_err *err)
{
    struct zones *zones = call->state;
    if (zones == NULL) {
        zones = rf_arena_zalloc(call->query_arena, sizeof *zones);
        if (zones == NULL) return rf_fail_memory(err, call->query_arena);
        call->state = zones;
    }
    if (zones->last >= zones->count || !rf_str_eq(zones->items[zones->last].name, name)) {
        uint32_t i = 0;
        while (i < zones->count && !rf_str_eq(zones->items[i].name, name)) i++;
        zones->last = i;
        if (i == zones->count) RF_TRY(zone_load(zones, call, name, err));
    }
    *out = &zones->items[zones->last];
    return RF_OK;
}

/* Seconds that the zone is ahead of UTC at a UTC second. */
static int32_t zone_offset(const struct zone *zone, int64_t second)
{
    uint32_t from = 0, to = zone->change_count;
    if (to > 0 && second >= zone->changes[to - 1] && zone->rule.valid)
        return rule_offset(&zone->rule, second);
    if (to == 0 && zone->rule.valid) return rule_offset(&zone->rule, second);
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (zone->changes[middle] <= second)
            from = middle + 1;
        else
            to = middle;
    }
    return from == 0 ? zone->first_offset : zone->offsets[from - 1];
}

/* The offset of a local second. A second that clocks jump over takes the offset behind the jump, as
 * Kusto has it; one that they show twice is standard time, which is the later one. */
static int32_t zone_offset_local(const struct zone *zone, int64_t local)
{
    int32_t before = zone_offset(zone, local - DAY_SECONDS),
            after = zone_offset(zone, local + DAY_SECONDS);
    if (before == after) return after;
    bool fits_before = zone_offset(zone, local - before) == before;
    bool fits_after = zone_offset(zone, local - after) == after;
    return fits_before && !fits_after ? before : after;
}

static enum rf_kind shift_rows(struct func_call *call, const struct vec *args, uint32_t count,
                               struct vec *out, bool to_local, struct rf_err *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        int64_t ticks = ARG_I64(&args[0], i), second = datetime_second(ticks);
        const struct zone *zone = NULL;
        RF_TRY(zone_find(call, ARG_STR(&args[1], i), &zone, err));
        if (zone->valid) {
            if (to_local)
                ticks += zone_offset(zone, second) * TICKS_PER_SECOND;
            else
                ticks -= zone_offset_local(zone, second) * TICKS_PER_SECOND;
        }
        if (zone->valid && datetime_in_range(ticks))
            OUT_I64(out)[i] = ticks;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

FUNC_KERNEL_SHARED(zone_utc_to_local) { return shift_rows(call, args, count, out, true, err); }
FUNC_KERNEL_SHARED(zone_local_to_utc) { return shift_rows(call, args, count, out, false, err); }

/* ---- datetime_list_timezones ----------------------------------------------------------------- */

/* tzdata.zi has a line "Z name ..." per zone and "L target name" per second name. */
static rf_str listed_name(rf_str line)
{
    if (line.len < 3 || line.ptr[1] != ' ' || (line.ptr[0] != 'Z' && line.ptr[0] != 'L'))
        return RF_S("");
    size_t from = 2;
    if (line.ptr[0] == 'L') {
        size_t blank = rf_str_find(line, RF_S(" "), 2);
        if (blank == SIZE_MAX) return RF_S("");
        from = blank + 1;
    }
    size_t to = rf_str_find(line, RF_S(" "), from);
    return rf_slice(line, from, to == SIZE_MAX ? line.len : to);
}

FUNC_KERNEL_SHARED(zone_list)
{
    rf_str file;
    RF_TRY(read_file(ZONE_FOLDER "tzdata.zi", LIST_FILE_BYTES_MAX, call->arena, &file, err));
    struct rf_buf buf = rf_buf_in(call->arena);
    struct dyn_builder array;
    dyn_begin(&array, &buf, DYN_ARRAY);
    for (size_t at = 0; at < file.len;) {
        size_t end = rf_str_find(file, RF_S("\n"), at);
        if (end == SIZE_MAX) end = file.len;
        rf_str name = listed_name(rf_slice(file, at, end));
        at = end + 1;
        if (name.len == 0) continue;
        dyn_next(&array);
        dyn_put_string(&buf, name);
    }
    dyn_end(&array);
    if (buf.failed) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < count; i++) OUT_STR(out)[i] = dyn_done(&buf);
    return RF_OK;
}
