/* zone.c - zone files, as RFC 8536 has them:
 *
 *   header, 44 bytes, big endian        block with times of 4 bytes (version 1), skipped when a
 *   0   4  magic "TZif"                 second header and a block with times of 8 bytes follow
 *   4   1  version                      block: times, a type index (1 byte) per time,
 *   20 24  six counts of 4 bytes        types of 6 bytes (offset 4, dst 1, name 1), names, leap
 *                                       seconds, two more byte arrays; then "\n" rule "\n" */
#include "value/zone.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum {
    HEADER_BYTES = 44,
    TYPE_BYTES = 6,
    NAME_BYTES_MAX = 64,
    ZONE_FILE_BYTES_MAX = 1 << 16,
    DAY_SECONDS = 86400
};

/* ---- reading files --------------------------------------------------------------------------- */

enum rf_kind zone_read_file(const char *path, size_t bytes_max, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
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

enum rf_kind zone_load(rf_str name, struct rf_arena *scratch, struct rf_arena *arena,
                       struct zone *out, struct rf_err *err)
{
    struct zone zone = {0};
    char path[sizeof ZONE_FOLDER + NAME_BYTES_MAX];
    if (!rf_arena_str(arena, name, &zone.name)) return rf_fail_memory(err, arena);
    if (zone_name_ok(name)) {
        rf_str file;
        snprintf(path, sizeof path, ZONE_FOLDER "%.*s", RF_FMT(name));
        RF_TRY(zone_read_file(path, ZONE_FILE_BYTES_MAX, scratch, &file, err));
        RF_TRY(zone_parse(&zone, file, arena, err));
    }
    *out = zone;
    return RF_OK;
}

int32_t zone_offset(const struct zone *zone, int64_t second)
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
int32_t zone_offset_local(const struct zone *zone, int64_t local)
{
    int32_t before = zone_offset(zone, local - DAY_SECONDS),
            after = zone_offset(zone, local + DAY_SECONDS);
    if (before == after) return after;
    bool fits_before = zone_offset(zone, local - before) == before;
    bool fits_after = zone_offset(zone, local - after) == after;
    return fits_before && !fits_after ? before : after;
}
