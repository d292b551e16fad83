/* func_datetime_zone.c - times of day around the world, by the time zone files of the system
 * (value/zone.h). */
#include "kql/func_datetime_int.h"
#include "value/dyn.h"
#include "value/zone.h"

enum { LIST_FILE_BYTES_MAX = 1 << 20, ZONES_MAX = 1024 };

static int64_t datetime_second(int64_t ticks)
{
    int64_t second = 0;
    (void)floor_to(ticks - DATETIME_UNIX_EPOCH, TICKS_PER_SECOND, &second);
    return second / TICKS_PER_SECOND;
}

/* ---- the zones a call has met ---------------------------------------------------------------- */

struct zones {
    uint32_t count;
    uint32_t last; /* found by the previous row */
    struct zone items[ZONES_MAX];
};

static enum rf_kind zone_meet(struct zones *zones, struct func_call *call, rf_str name,
                              struct rf_err *err)
{
    /* A query may make up names without end: the table then starts anew. */
    if (zones->count == ZONES_MAX) zones->count = 0;
    struct zone zone;
    RF_TRY(zone_load(name, call->arena, call->query_arena, &zone, err));
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
        if (i == zones->count) RF_TRY(zone_meet(zones, call, name, err));
    }
    *out = &zones->items[zones->last];
    return RF_OK;
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
    RF_TRY(zone_read_file(ZONE_FOLDER "tzdata.zi", LIST_FILE_BYTES_MAX, call->arena, &file, err));
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
