#include "lab/recording.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/json.h"
#include "kql/ast.h"
#include "kql/kql.h"
#include "kql/source_file.h"
#include "lab/world_int.h"

enum { RECORDING_ROWS_MAX = 20000000 };
#define RECORDING_BYTES ((size_t)2 << 30)

void lab_put_name(struct rf_buf *buf, rf_str name)
{
    rf_buf_byte(buf, '[');
    json_put_string(buf, name);
    rf_buf_byte(buf, ']');
}

/* ---- reading ------------------------------------------------------------------------------------------------------------ */

struct keep { /* the rows of a query */
    struct kql_sink sink;
    struct rf_arena *arena;
    struct lab_recording *out;
};

static enum rf_kind keep_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct keep *k = (struct keep *)sink;
    struct schema *mine = &k->out->schema;
    uint8_t *types = rf_arena_new(k->arena, uint8_t, schema->count);
    (void)name, (void)render;
    mine->columns = rf_arena_new(k->arena, struct column, schema->count);
    k->out->filled = rf_arena_new(k->arena, bool, schema->count);
    if (types == NULL || mine->columns == NULL || k->out->filled == NULL)
        return rf_fail_memory(err, k->arena);
    for (uint32_t i = 0; i < schema->count; i++) {
        types[i] = schema->columns[i].type;
        mine->columns[i] = schema->columns[i];
        if (!rf_arena_str(k->arena, schema->columns[i].name, &mine->columns[i].name))
            return rf_fail_memory(err, k->arena);
    }
    mine->count = schema->count;
    k->out->rows = rows_new(k->arena, types, schema->count);
    return k->out->rows == NULL ? rf_fail_memory(err, k->arena) : RF_OK;
}

static enum rf_kind keep_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct keep *k = (struct keep *)sink;
    if (rows_count(k->out->rows) + batch->row_count > RECORDING_ROWS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyRows", "a recording has at most %d rows",
                       RECORDING_ROWS_MAX);
    return rows_append(k->out->rows, batch) ? RF_OK : rf_fail_memory(err, k->arena);
}

static enum rf_kind keep_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static int column_of(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return (int)i;
    return -1;
}

/* The file's columns, with the types of the table's where it has them: what the file alone tells may be narrower. */
static enum rf_kind typed_file(const struct lab_source *from, const struct table_def *def,
                               struct rf_arena *arena, struct source **out, struct rf_err *err)
{
    struct source_file_options options = {.name = RF_S("source"), .path = from->path};
    struct source *found = source_file_new(&options, arena);
    if (found == NULL) return rf_fail_memory(err, arena);
    RF_TRY(source_open(found, err));
    *out = found;
    if (def->column_count == 0) return RF_OK;
    struct ast_column *columns = rf_arena_new(arena, struct ast_column, found->column_count);
    if (columns == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found->column_count; i++) {
        int at = column_of(def, found->columns[i].name);
        columns[i] = found->columns[i];
        if (at >= 0) columns[i].type = def->columns[at].type;
    }
    options.columns = columns;
    options.column_count = found->column_count;
    *out = source_file_new(&options, arena);
    return *out == NULL ? rf_fail_memory(err, arena) : source_open(*out, err);
}

/* What the platform fills in itself. */
static bool is_own(rf_str name) { return rf_str_is(name, "TenantId") || rf_str_is(name, "Type"); }

/* The rows of the source, transformed. */
static rf_str query_of(const struct lab_source *from, rf_str source_name, struct rf_arena *arena)
{
    struct rf_buf text = rf_buf_in(arena);
    if (from->transform.len > 0)
        rf_buf_str(&text, from->transform);
    else
        lab_put_name(&text, source_name);
    return text.failed ? (rf_str){NULL, 0} : rf_buf_view(&text);
}

/* Appends what makes TimeGenerated of other columns. */
static enum rf_kind put_time(struct rf_buf *text, const struct lab_source *from,
                             const struct schema *schema, bool standard, struct rf_err *err)
{
    static const rf_str usual[] = {{(const uint8_t *)"TimeGenerated", 13},
                                   {(const uint8_t *)"Timestamp", 9}};
    bool given = from->time_count > 0;
    const rf_str *names = given ? from->times : usual;
    uint32_t count = given ? from->time_count : RF_COUNT(usual), found = 0;
    if (!given && (!standard || schema_find(schema, usual[1]) < 0)) return RF_OK;
    rf_buf_str(text, RF_S("\n| extend TimeGenerated = coalesce("));
    for (uint32_t i = 0; i < count; i++) {
        if (schema_find(schema, names[i]) < 0) continue;
        rf_buf_str(text, found++ > 0 ? RF_S(", todatetime(") : RF_S("todatetime("));
        lab_put_name(text, names[i]);
        rf_buf_byte(text, ')');
    }
    if (found == 0)
        return RF_FAIL(err, RF_INVALID, "BadRecording", "there is no column '%.*s'%s",
                       RF_FMT(names[0]), count > 1 ? ", nor any other that 'time' names" : "");
    rf_buf_str(text, RF_S(", datetime(null))"));
    if (text->failed) return rf_fail_memory(err, text->arena);
    return RF_OK;
}

/* Only what the table has, with its types. */
static enum rf_kind narrow(struct rf_buf *text, const struct schema *schema,
                           const struct table_def *def, struct lab_recording *out,
                           struct rf_arena *arena, struct rf_err *err)
{
    static const char *const functions[TYPE_COUNT] = {
        [TYPE_BOOL] = "tobool",      [TYPE_INT] = "toint",           [TYPE_LONG] = "tolong",
        [TYPE_REAL] = "toreal",      [TYPE_DATETIME] = "todatetime", [TYPE_TIMESPAN] = "totimespan",
        [TYPE_GUID] = "toguid",      [TYPE_DECIMAL] = "todecimal",   [TYPE_STRING] = "tostring",
        [TYPE_DYNAMIC] = "todynamic"};
    out->left_out = rf_arena_new(arena, rf_str, schema->count);
    if (out->left_out == NULL) return rf_fail_memory(err, arena);
    const char *between = "\n| project ";
    for (uint32_t i = 0; i < schema->count; i++) {
        const struct column *c = &schema->columns[i];
        int at = column_of(def, c->name);
        if (is_own(c->name)) continue;
        if (at < 0 && def->column_count > 0) {
            if (!rf_arena_str(arena, c->name, &out->left_out[out->left_out_count++]))
                return rf_fail_memory(err, arena);
            continue;
        }
        rf_buf_printf(text, "%s", between);
        between = ", ";
        lab_put_name(text, c->name);
        if (at < 0 || def->columns[at].type == c->type) continue;
        rf_buf_printf(text, " = %s(", functions[def->columns[at].type]);
        lab_put_name(text, c->name);
        rf_buf_byte(text, ')');
    }
    if (text->failed) return rf_fail_memory(err, arena);
    if (between[0] != '\n') return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRecording", "no column of it is one of the table '%.*s'",
                   RF_FMT(out->table));
}

enum rf_kind lab_recording_define(struct lab_world *world, const struct lab_recording *recording,
                                  struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct table_def known;
    uint32_t count = recording->schema.count;
    rf_arena_init(&arena, 16 << 20);
    enum rf_kind kind = lab_world_table(world, recording->table, &known, err);
    if (kind != RF_NOT_FOUND) return kind;
    struct table_column *columns = rf_arena_new(&arena, struct table_column, count);
    if (columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct table_column){.name = recording->schema.columns[i].name,
                                           .type = recording->schema.columns[i].type};
    const struct table_def def = {
        .name = recording->table, .columns = columns, .column_count = count};
    return lab_world_define(world, &def, err);
}

static bool is_filled(const struct value *v)
{
    return !v->null && !(v->type == TYPE_STRING && v->s.len == 0);
}

static void look_at_rows(struct lab_recording *r)
{
    uint64_t count = rows_count(r->rows);
    r->time_column = schema_find(&r->schema, RF_S("TimeGenerated"));
    if (r->time_column >= 0 && r->schema.columns[r->time_column].type != TYPE_DATETIME)
        r->time_column = -1;
    r->first = INT64_MAX;
    r->last = INT64_MIN;
    for (uint32_t c = 0; c < r->schema.count; c++)
        for (uint64_t row = 0; row < count && !r->filled[c]; row++) {
            struct value v = rows_value(r->rows, row, c);
            r->filled[c] = is_filled(&v);
        }
    for (uint64_t row = 0; row < count && r->time_column >= 0; row++) {
        struct value v = rows_value(r->rows, row, (uint32_t)r->time_column);
        if (v.null) continue;
        rf_usec at = lab_usec(v.i);
        r->first = RF_MIN(r->first, at);
        r->last = RF_MAX(r->last, at);
    }
}

enum rf_kind lab_recording_read(struct lab_world *world, const struct lab_source *from,
                                struct rf_arena *arena, struct lab_recording *out,
                                struct rf_err *err)
{
    struct table_def def = {.column_count = 0};
    struct lab_recording made = {.table = from->table};
    struct source *source = from->source;
    enum rf_kind kind = lab_world_table(world, from->table, &def, err);
    if (kind == RF_NOT_FOUND)
        def.column_count = 0;
    else if (kind != RF_OK)
        return kind;
    if (source == NULL) RF_TRY(typed_file(from, &def, arena, &source, err));
    struct catalog catalog = {.sources = &source,
                              .source_count = 1,
                              .functions = from->functions == NULL ? NULL : from->functions->items,
                              .function_count =
                                  from->functions == NULL ? 0 : from->functions->count};
    struct kql_request request = {.text = query_of(from, source->name, arena),
                                  .catalog = &catalog,
                                  .now_ticks = lab_ticks(lab_world_now(world)),
                                  .memory_bytes = RECORDING_BYTES};
    struct kql_shape shape;
    if (request.text.ptr == NULL) return rf_fail_memory(err, arena);
    struct rf_buf text = rf_buf_in(arena);
    rf_buf_str(&text, request.text);
    RF_TRY(kql_lint(&request, arena, &shape, err));
    RF_TRY(put_time(&text, from, &shape.schema, def.standard, err));
    request.text = rf_buf_view(&text);
    RF_TRY(kql_lint(&request, arena, &shape, err));
    RF_TRY(narrow(&text, &shape.schema, &def, &made, arena, err));
    request.text = rf_buf_view(&text);
    struct keep keep = {.sink = {.begin = keep_begin, .push = keep_push, .end = keep_end},
                        .arena = arena,
                        .out = &made};
    struct kql_stats stats;
    RF_TRY(kql_run(&request, &keep.sink, &stats, err));
    RF_TRY(lab_recording_define(world, &made, err));
    look_at_rows(&made);
    *out = made;
    return RF_OK;
}

/* ---- the tape ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_event(struct lab_tape *tape, rf_usec at, uint64_t row, uint32_t track,
                              struct rf_err *err)
{
    if (tape->event_count == tape->event_cap) {
        uint64_t cap = RF_MAX(tape->event_cap * 2, (uint64_t)1024);
        struct lab_event *events = rf_arena_grow(
            tape->arena, tape->events, tape->event_cap * sizeof *events, cap * sizeof *events);
        if (events == NULL) return rf_fail_memory(err, tape->arena);
        tape->events = events;
        tape->event_cap = cap;
    }
    tape->events[tape->event_count++] = (struct lab_event){.at = at, .row = row, .track = track};
    return RF_OK;
}

static enum rf_kind new_track(struct lab_tape *tape, const struct lab_recording *recording,
                              const struct lab_arrival *arrival, struct rf_err *err)
{
    if (tape->track_count == tape->track_cap) {
        uint32_t cap = RF_MAX(tape->track_cap * 2, 8u), had = tape->track_cap;
        size_t each = sizeof(const struct lab_recording *);
        void *recordings =
            rf_arena_grow(tape->arena, (void *)tape->recordings, had * each, cap * each);
        struct lab_arrival *arrivals = rf_arena_grow(
            tape->arena, tape->arrivals, had * sizeof *arrivals, cap * sizeof *arrivals);
        if (recordings == NULL || arrivals == NULL) return rf_fail_memory(err, tape->arena);
        tape->recordings = recordings;
        tape->arrivals = arrivals;
        tape->track_cap = cap;
    }
    tape->recordings[tape->track_count] = recording;
    tape->arrivals[tape->track_count++] = *arrival;
    return RF_OK;
}

static rf_usec arrival_of(const struct lab_recording *r, const struct lab_arrival *a, uint64_t row,
                          rf_usec start, rf_usec step)
{
    int column = a->column >= 0 ? a->column : r->time_column;
    rf_usec at = start;
    if (column >= 0) {
        struct value v = rows_value(r->rows, row, (uint32_t)column);
        if (!v.null) at = lab_usec(v.i) + a->shift + a->delay;
    }
    if (a->jitter > 0)
        at += (rf_usec)(rf_hash_u64(rf_hash_mix(a->seed + 1, row)) % (uint64_t)(a->jitter + 1));
    if (at <= start) return start;
    return start + (at - start + step - 1) / step * step;
}

enum rf_kind lab_tape_add(struct lab_tape *tape, const struct lab_recording *recording,
                          const struct lab_arrival *arrival, rf_usec start, rf_usec step,
                          struct rf_err *err)
{
    uint32_t track = tape->track_count;
    RF_TRY(new_track(tape, recording, arrival, err));
    uint64_t count = rows_count(recording->rows);
    for (uint64_t row = 0; row < count; row++) {
        rf_usec at = arrival_of(recording, arrival, row, start, step);
        RF_TRY(put_event(tape, at, row, track, err));
        if (arrival->again_every > 0 && (row + 1) % arrival->again_every == 0)
            RF_TRY(put_event(tape, at + arrival->again_after, row, track, err));
    }
    return RF_OK;
}

static int by_time(const void *a, const void *b)
{
    const struct lab_event *x = a, *y = b;
    if (x->at != y->at) return x->at < y->at ? -1 : 1;
    if (x->track != y->track) return x->track < y->track ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

void lab_tape_sort(struct lab_tape *tape)
{
    if (tape->event_count > 0)
        qsort(tape->events, tape->event_count, sizeof *tape->events, by_time);
}

/* ---- playing ------------------------------------------------------------------------------------------------------------ */

static bool shift_times(const struct lab_recording *r, rf_usec shift, struct rf_arena *arena,
                        struct batch *batch)
{
    if (shift == 0) return true;
    for (uint32_t c = 0; c < batch->column_count; c++) {
        struct vec *v = &batch->columns[c];
        if (r->schema.columns[c].type != TYPE_DATETIME) continue;
        int64_t *cells = rf_arena_raw(arena, int64_t, batch->row_count);
        if (cells == NULL) return false;
        for (uint32_t row = 0; row < batch->row_count; row++)
            cells[row] = vec_null(v, row) ? 0 : vec_i64(v, row) + shift * TICKS_PER_MICROSECOND;
        v->data = cells; /* rows_gather gives flat vectors */
    }
    return true;
}

/* Appends the events from..to-1, which are of one track and time. */
static enum rf_kind append(struct lab_tape *tape, struct lab_world *world, uint64_t from,
                           uint64_t to, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint32_t track = tape->events[from].track;
    const struct lab_recording *r = tape->recordings[track];
    rf_arena_init(&arena, (size_t)1 << 30);
    while (from < to) {
        struct batch batch;
        uint64_t numbers[BATCH_ROWS];
        uint32_t n = (uint32_t)RF_MIN(to - from, (uint64_t)BATCH_ROWS);
        for (uint32_t i = 0; i < n; i++) numbers[i] = tape->events[from + i].row;
        if (!rows_gather(r->rows, numbers, n, &arena, &batch) ||
            !shift_times(r, tape->arrivals[track].shift, &arena, &batch))
            return rf_fail_memory(err, &arena);
        RF_TRY(lab_world_append(world, r->table, &r->schema, &batch, err));
        rf_arena_reset(&arena);
        from += n;
    }
    return RF_OK;
}

/* Appends all that arrives now. */
static enum rf_kind append_due(struct lab_tape *tape, struct lab_world *world, struct rf_err *err)
{
    rf_usec now = lab_world_now(world);
    while (tape->played < tape->event_count && tape->events[tape->played].at <= now) {
        uint64_t from = tape->played, to = from + 1;
        while (to < tape->event_count && tape->events[to].at <= now &&
               tape->events[to].track == tape->events[from].track)
            to++;
        RF_TRY(append(tape, world, from, to, err));
        tape->played = to;
    }
    return RF_OK;
}

enum rf_kind lab_tape_play(struct lab_tape *tape, struct lab_world *world, rf_usec until,
                           struct rf_err *err)
{
    do {
        RF_TRY(append_due(tape, world, err));
        lab_world_step(world);
        rf_usec next = tape->played < tape->event_count ? tape->events[tape->played].at : INT64_MAX;
        if (!lab_world_pass(world, RF_MIN(next, until))) return RF_OK;
    } while (true);
}
