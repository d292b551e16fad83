/* func_session.c - what a query may ask about itself: the time, the caller, the place; random
 * values and assertions. Rows that come from files arrive with the query, so their ingestion
 * time is now(). */
#include "kql/exec.h"
#include "kql/func_families.h"
#include "value/dyn.h"
#include "value/text.h"

#include <math.h>
#include <sys/random.h>

/* ---- time ------------------------------------------------------------------------------------ */

FUNC_KERNEL(now)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t offset = call->arg_count > 0 ? ARG_I64(&args[0], i) : 0, t;
        if (!__builtin_add_overflow(call->now_ticks, offset, &t) && t >= 0 && t <= DATETIME_MAX)
            OUT_I64(out)[i] = t;
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

/* A cursor is the text of the ticks up to which rows had arrived. */
static bool arrived_after(const struct func_call *call, rf_str cursor)
{
    int64_t ticks;
    return !text_to_long(cursor, &ticks) || call->now_ticks > ticks;
}

FUNC_KERNEL(cursor_after)
{
    for (uint32_t i = 0; i < count; i++)
        OUT_BOOL(out)[i] = arrived_after(call, ARG_STR(&args[0], i));
    return RF_OK;
}

FUNC_KERNEL(cursor_before_or_at)
{
    for (uint32_t i = 0; i < count; i++)
        OUT_BOOL(out)[i] = !arrived_after(call, ARG_STR(&args[0], i));
    return RF_OK;
}

static enum rf_kind same_text(struct func_call *call, rf_str text, uint32_t count, struct vec *out,
                              struct rf_err *err)
{
    rf_str copy;
    if (!rf_arena_str(call->arena, text, &copy)) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < count; i++) OUT_STR(out)[i] = copy;
    return RF_OK;
}

FUNC_KERNEL(cursor_current)
{
    struct rf_buf buf = rf_buf_in(call->arena);
    text_put_i64(&buf, call->now_ticks);
    if (buf.failed) return rf_fail_memory(err, call->arena);
    return same_text(call, rf_buf_view(&buf), count, out, err);
}

/* ---- place and caller ------------------------------------------------------------------------ */

static rf_str principal(const struct func_call *call)
{
    return call->env == NULL ? RF_S("") : call->env->principal;
}

FUNC_KERNEL(current_database)
{
    return same_text(call, call->env == NULL ? RF_S("") : call->env->database, count, out, err);
}

FUNC_KERNEL(current_cluster)
{
    return same_text(call, call->env == NULL ? RF_S("") : call->env->cluster, count, out, err);
}

FUNC_KERNEL(current_principal) { return same_text(call, principal(call), count, out, err); }

FUNC_KERNEL(current_principal_details)
{
    static const char *const keys[] = {"UserPrincipalName", "DisplayName", "FQN"};
    struct rf_buf buf = rf_buf_in(call->arena);
    struct dyn_builder bag;
    dyn_begin(&bag, &buf, DYN_BAG);
    for (size_t i = 0; i < RF_COUNT(keys); i++) {
        dyn_key(&bag, rf_str_of(keys[i]));
        dyn_put_string(&buf, principal(call));
    }
    dyn_end(&bag);
    if (buf.failed) return rf_fail_memory(err, call->arena);
    for (uint32_t i = 0; i < count; i++) OUT_STR(out)[i] = dyn_done(&buf);
    return RF_OK;
}

static bool is_caller(const struct func_call *call, rf_str name)
{
    return name.len > 0 && rf_str_eq_nocase(name, principal(call));
}

static bool list_has_caller(const struct func_call *call, rf_str list)
{
    if (dyn_tag(list) == DYN_STRING) return is_caller(call, dyn_string(list));
    uint32_t count = dyn_tag(list) == DYN_ARRAY ? dyn_count(list) : 0;
    for (uint32_t i = 0; i < count; i++)
        if (is_caller(call, dyn_string(dyn_item(list, i)))) return true;
    return false;
}

FUNC_KERNEL(is_member_of)
{
    for (uint32_t i = 0; i < count; i++) {
        bool found = false;
        for (uint32_t a = 0; a < call->arg_count && !found; a++) {
            if (args[a].type == TYPE_STRING)
                found = is_caller(call, ARG_STR(&args[a], i));
            else if (args[a].type == TYPE_DYNAMIC && !ARG_NULL(&args[a], i))
                found = list_has_caller(call, ARG_STR(&args[a], i));
        }
        OUT_BOOL(out)[i] = found;
    }
    return RF_OK;
}

FUNC_KERNEL(no_extent)
{
    memset(OUT_NULL(out), 1, count);
    return RF_OK;
}

/* ---- chance ---------------------------------------------------------------------------------- */

/* One generator per call site and worker, seeded by the system. */
struct chance {
    uint64_t state[2];
};

static enum rf_kind chance_prepare(struct func_call *call, const struct vec *args,
                                   struct rf_err *err)
{
    (void)args;
    struct chance *chance = rf_arena_new(call->query_arena, struct chance, 1);
    if (chance == NULL) return rf_fail_memory(err, call->query_arena);
    if (getrandom(chance->state, sizeof chance->state, 0) != (ssize_t)sizeof chance->state)
        return RF_FAIL_ERRNO(err, "NoRandomness", "the system gives no random bytes");
    chance->state[0] |= 1; /* all zeros would stay so */
    call->state = chance;
    return RF_OK;
}

/* xorshift128+: good enough to sample by, not meant for secrets. */
static uint64_t chance_next(struct chance *chance)
{
    uint64_t a = chance->state[0], b = chance->state[1];
    chance->state[0] = b;
    a ^= a << 23;
    chance->state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
    return chance->state[1] + b;
}

FUNC_KERNEL(random_real)
{
    for (uint32_t i = 0; i < count; i++) {
        double x = (double)(chance_next(call->state) >> 11) * 0x1p-53;
        double below = call->arg_count > 0 && !ARG_NULL(&args[0], i) ? ARG_REAL(&args[0], i) : 0;
        OUT_REAL(out)[i] = below > 0 ? floor(x * below) : x;
    }
    return RF_OK;
}

/* Version 4 of RFC 9562, from the system itself: a guid may well be taken for hard to guess. */
FUNC_KERNEL(new_guid)
{
    struct guid *guids = OUT_GUID(out);
    for (uint32_t i = 0; i < count; i++) {
        if (i % 16 == 0) {
            size_t bytes =
                RF_MIN(count - i, 16u) * sizeof *guids; /* 256 at most: never cut short */
            if (getrandom(guids[i].bytes, bytes, 0) != (ssize_t)bytes)
                return RF_FAIL_ERRNO(err, "NoRandomness", "the system gives no random bytes");
        }
        guids[i].bytes[6] = (uint8_t)((guids[i].bytes[6] & 0x0f) | 0x40);
        guids[i].bytes[8] = (uint8_t)((guids[i].bytes[8] & 0x3f) | 0x80);
    }
    return RF_OK;
}

/* ---- assert ---------------------------------------------------------------------------------- */

FUNC_KERNEL(assert_rows)
{
    for (uint32_t i = 0; i < count; i++) {
        if (ARG_NULL(&args[0], i) || !ARG_BOOL(&args[0], i))
            return RF_FAIL(err, RF_INVALID, "AssertionFailed", "assert() failed: %.*s",
                           RF_FMT(ARG_STR(&args[1], i)));
        OUT_BOOL(out)[i] = 1;
    }
    return RF_OK;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define SIGS(sig, kernel)                                                                          \
    (const struct func_overload[])                                                                 \
    {                                                                                              \
        {sig, kernel}, { NULL, NULL }                                                              \
    }

const struct func func_session[] = {
    {.name = "assert",
     .nulls = FUNC_CUSTOM,
     .flags = FUNC_VOLATILE, /* of rows, not of a dictionary's entries, whose rows may be gone */
     .sigs = SIGS("(condition:bool, message:string) bool", assert_rows),
     .doc = "True, or the query fails with the message."},
    {.name = "current_cluster_endpoint",
     .sigs = SIGS("() string", current_cluster),
     .doc = "Name of the place that runs the query."},
    {.name = "current_database",
     .sigs = SIGS("() string", current_database),
     .doc = "Name of the database in scope."},
    {.name = "current_principal",
     .sigs = SIGS("() string", current_principal),
     .doc = "Name of the caller."},
    {.name = "current_principal_details",
     .sigs = SIGS("() dynamic", current_principal_details),
     .doc = "Bag of what is known about the caller."},
    {.name = "current_principal_is_member_of",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS("(groups:any...) bool", is_member_of),
     .doc = "True when one of the names is the caller's."},
    {.name = "cursor_after",
     .sigs = SIGS("(cursor:string) bool", cursor_after),
     .doc = "True for rows that arrived after the cursor was taken, and for an empty cursor."},
    {.name = "cursor_before_or_at",
     .sigs = SIGS("(cursor:string) bool", cursor_before_or_at),
     .doc = "True for rows that had arrived when the cursor was taken."},
    {.name = "cursor_current",
     .sigs = SIGS("() string", cursor_current),
     .doc = "A cursor for the present moment."},
    {.name = "current_cursor",
     .sigs = SIGS("() string", cursor_current),
     .flags = FUNC_HIDDEN,
     .doc = "Other name of cursor_current."},
    {.name = "extent_id",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS("() guid", no_extent),
     .doc = "Id of the extent that holds the row; null for rows that no extent holds."},
    {.name = "extent_tags",
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS("() dynamic", no_extent),
     .doc = "Tags of the row's extent; null for rows that no extent holds."},
    {.name = "ingestion_time",
     .column = "$IngestionTime",
     .sigs = SIGS("() datetime", now),
     .doc = "When the row arrived: also a position, as it grows from commit to commit; rows of "
            "files arrive with the query."},
    {.name = "new_guid",
     .flags = FUNC_VOLATILE,
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS("() guid", new_guid),
     .doc = "A random guid, another for each row."},
    {.name = "now",
     .sigs = SIGS("([offset:timespan]) datetime", now),
     .doc = "When the query began, moved by the offset; the same everywhere in the query."},
    {.name = "rand",
     .column = "%",
     .flags = FUNC_VOLATILE,
     .nulls = FUNC_CUSTOM,
     .sigs = SIGS("([below:real]) real", random_real),
     .prepare = chance_prepare,
     .doc = "A random real of at least 0 and below 1, or a whole number below the one given."},
};
const size_t func_session_count = RF_COUNT(func_session);
