/* capture_rows.c - events to rows. The bodies of many events become one text of a line for each object, which the store's own reader turns
 * into columns at once: no tree is made of an event. */
#include "base/json.h"
#include "logs/capture.h"
#include "value/text.h"

struct lines {
    struct capture_event *events;
    uint32_t count;
    rf_str text;
    uint32_t *event_of; /* by line, from 0 */
    uint32_t line_count;
    uint8_t *rejected; /* by line */
};

/* ---- bodies to lines ----------------------------------------------------------------------------------------------------- */

struct line_writer {
    struct rf_buf text, events;
    uint32_t event;
};

/* An end of line within JSON is between its tokens only, so a blank says the same. */
static void put_line(struct line_writer *w, rf_str object)
{
    size_t at = w->text.len;
    rf_buf_str(&w->text, object);
    rf_buf_byte(&w->text, '\n');
    if (w->text.failed) return;
    uint8_t *p = w->text.ptr + at;
    for (uint8_t *end = p + object.len; (p = memchr(p, '\n', (size_t)(end - p))) != NULL;) *p = ' ';
    rf_buf_put(&w->events, &w->event, sizeof w->event);
}

/* The objects of a list; false: it is none. */
static bool put_list(struct line_writer *w, rf_str list)
{
    struct json_reader reader;
    struct json_event event;
    struct rf_err err;
    size_t text = w->text.len, events = w->events.len;
    json_reader_init(&reader, list);
    bool good = json_next(&reader, &event, &err) == RF_OK && event.kind == JSON_ARRAY_BEGIN;
    while (good) {
        good = json_next(&reader, &event, &err) == RF_OK;
        if (good && event.kind == JSON_ARRAY_END) break;
        size_t from = json_offset(&reader) - 1; /* of the brace */
        good =
            good && event.kind == JSON_OBJECT_BEGIN && json_skip_container(&reader, &err) == RF_OK;
        if (good) put_line(w, rf_slice(list, from, json_offset(&reader)));
    }
    good = good && json_next(&reader, &event, &err) == RF_OK && event.kind == JSON_END;
    if (!good) { /* none of its objects */
        w->text.len = text;
        w->events.len = events;
    }
    return good;
}

/* {"records":[...]}, as Azure's own services send; false: it is no such object. */
static bool records_of(rf_str body, rf_str *list)
{
    struct json_reader reader;
    struct json_event event;
    struct rf_err err;
    json_reader_init(&reader, body);
    return json_next(&reader, &event, &err) == RF_OK && event.kind == JSON_OBJECT_BEGIN &&
           json_next(&reader, &event, &err) == RF_OK && event.kind == JSON_KEY &&
           rf_str_is(event.text, "records") && json_skip_value(&reader, list, &err) == RF_OK &&
           list->len > 0 && list->ptr[0] == '[' && json_next(&reader, &event, &err) == RF_OK &&
           event.kind == JSON_OBJECT_END && json_next(&reader, &event, &err) == RF_OK &&
           event.kind == JSON_END;
}

static void put_body(struct line_writer *w, struct capture_event *e, bool unwrap)
{
    rf_str mark = RF_S("\xef\xbb\xbf"), body = e->body, list;
    if (rf_str_starts(body, mark)) body = rf_slice(body, mark.len, body.len);
    body = rf_str_trim(body);
    if (body.len == 0) {
        e->poison = "the body is empty";
    } else if (body.ptr[0] == '[') {
        if (!put_list(w, body)) e->poison = "the body is no JSON list of objects";
    } else if (body.ptr[0] != '{') {
        e->poison = "the body is no JSON object";
    } else if (unwrap && body.len > 12 && memchr(body.ptr, '"', 8) != NULL &&
               rf_str_find(rf_slice(body, 0, 12), RF_S("\"records"), 0) != SIZE_MAX &&
               records_of(body, &list)) {
        if (!put_list(w, list)) e->poison = "the records are no JSON list of objects";
    } else {
        put_line(w, body);
    }
}

static enum rf_kind make_lines(const struct rule_stream *stream, struct lines *l,
                               struct rf_arena *arena, struct rf_err *err)
{
    size_t bytes = 0;
    bool unwrap = true;
    struct line_writer w = {.text = rf_buf_in(arena), .events = rf_buf_in(arena)};
    for (uint32_t i = 0; i < stream->column_count; i++)
        unwrap &= !rf_str_is(stream->columns[i].name, "records");
    for (uint32_t i = 0; i < l->count; i++) bytes += l->events[i].body.len + 1;
    if (!rf_buf_reserve(&w.text, bytes) ||
        !rf_buf_reserve(&w.events, l->count * sizeof *l->event_of))
        return rf_fail_memory(err, arena);
    for (w.event = 0; w.event < l->count; w.event++) put_body(&w, &l->events[w.event], unwrap);
    if (w.text.failed || w.events.failed) return rf_fail_memory(err, arena);
    l->text = rf_buf_view(&w.text);
    l->event_of = (uint32_t *)(void *)w.events.ptr;
    l->line_count = (uint32_t)(w.events.len / sizeof *l->event_of);
    l->rejected = rf_arena_zalloc(arena, l->line_count);
    return l->rejected == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static void note_reject(void *state, const struct reader_reject *reject)
{
    struct lines *l = state;
    if (reject->line == 0 || reject->line > l->line_count) return;
    uint32_t line = (uint32_t)reject->line - 1;
    l->rejected[line] = 1;
    l->events[l->event_of[line]].poison = reject->reason;
}

/* ---- what the body does not say ---------------------------------------------------------------------------------------------- */

enum fact {
    FACT_NONE,
    FACT_TIME, /* TimeGenerated too */
    FACT_HUB,
    FACT_PARTITION,
    FACT_NUMBER,
    FACT_KEY,
    FACT_PROPERTIES, /* Properties too, of streams with RawData */
    FACT_BODY
};

static enum fact fact_of(const struct reader_column *column, bool raw)
{
    static const struct {
        const char *name;
        enum fact fact;
        enum type type;
        bool raw;
    } facts[] = {{"TimeGenerated", FACT_TIME, TYPE_DATETIME, false},
                 {"EventEnqueuedTime", FACT_TIME, TYPE_DATETIME, false},
                 {"EventHub", FACT_HUB, TYPE_STRING, false},
                 {"EventPartition", FACT_PARTITION, TYPE_INT, false},
                 {"EventPartition", FACT_PARTITION, TYPE_LONG, false},
                 {"EventSequenceNumber", FACT_NUMBER, TYPE_LONG, false},
                 {"EventPartitionKey", FACT_KEY, TYPE_STRING, false},
                 {"EventProperties", FACT_PROPERTIES, TYPE_DYNAMIC, false},
                 {"Properties", FACT_PROPERTIES, TYPE_DYNAMIC, true},
                 {"RawData", FACT_BODY, TYPE_STRING, true}};
    for (size_t i = 0; i < RF_COUNT(facts); i++)
        if (rf_str_is(column->name, facts[i].name) && column->type == facts[i].type &&
            (raw || !facts[i].raw))
            return facts[i].fact;
    return FACT_NONE;
}

static bool has_properties(const struct event_out *event)
{
    return event->kind == FRAME_AMQP || event->record.header_count > 0;
}

static enum rf_kind properties_of(const struct event_out *event, struct rf_arena *arena,
                                  struct value *out, struct rf_err *err)
{
    struct json_node *json;
    *out = value_null(TYPE_DYNAMIC);
    if (!has_properties(event) || event_json(event, arena, &json, NULL) != RF_OK) return RF_OK;
    const struct json_node *properties = json_get(json, "properties");
    if (!json_is(properties, JSON_T_OBJECT) || properties->count == 0) return RF_OK;
    struct value text = value_str(json_to_text(arena, properties));
    if (text.s.ptr == NULL || !value_convert(&text, TYPE_DYNAMIC, arena, out))
        return rf_fail_memory(err, arena);
    return RF_OK;
}

struct filler {
    rf_str hub;
    uint32_t partition;
    const struct capture_event *events;
    const uint32_t *event_of; /* by row */
};

static enum rf_kind cell_of(const struct filler *f, enum fact fact, enum type type, uint32_t row,
                            struct rf_arena *arena, struct value *out, struct rf_err *err)
{
    const struct capture_event *e = &f->events[f->event_of[row]];
    switch (fact) {
    case FACT_TIME:
        *out = value_i64(TYPE_DATETIME,
                         DATETIME_UNIX_EPOCH + e->event.enqueued * TICKS_PER_MICROSECOND);
        return RF_OK;
    case FACT_HUB:
        *out = value_str(f->hub);
        return RF_OK;
    case FACT_PARTITION:
        *out = value_i64(type, f->partition);
        return RF_OK;
    case FACT_NUMBER:
        *out = value_i64(TYPE_LONG, e->event.number);
        return RF_OK;
    case FACT_KEY:
        *out =
            value_str(e->event.kind == FRAME_AMQP ? e->event.partition_key : e->event.record.key);
        if (!rf_utf8_valid(out->s)) *out = value_str((rf_str){0});
        return RF_OK;
    case FACT_BODY:
        *out = value_str(e->body);
        return RF_OK;
    default:
        return properties_of(&e->event, arena, out, err);
    }
}

/* Nulls, and texts that are empty, get what the event says. */
static enum rf_kind fill_column(const struct filler *f, enum fact fact, struct batch *batch,
                                uint32_t column, struct rf_arena *arena, struct rf_err *err)
{
    struct vec *old = &batch->columns[column], made;
    enum type type = (enum type)old->type;
    if (!vec_flat(arena, type, batch->row_count, &made)) return rf_fail_memory(err, arena);
    if (type == TYPE_DYNAMIC && vec_need_nulls(arena, &made, batch->row_count) == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        struct value value;
        bool is_there = type == TYPE_STRING ? vec_str(old, row).len > 0 : !vec_null(old, row);
        if (is_there)
            value = vec_value(old, row);
        else
            RF_TRY(cell_of(f, fact, type, row, arena, &value, err));
        vec_set(&made, row, &value);
    }
    *old = made;
    return RF_OK;
}

static enum rf_kind fill(const struct rule_stream *stream, bool raw, struct filler *f,
                         struct kept_rows *rows, struct rf_arena *arena, struct rf_err *err)
{
    for (uint32_t b = 0; b < rows->count; b++) {
        for (uint32_t i = 0; i < stream->column_count; i++) {
            enum fact fact = fact_of(&stream->columns[i], raw);
            if (fact != FACT_NONE) RF_TRY(fill_column(f, fact, &rows->batches[b], i, arena, err));
        }
        f->event_of += rows->batches[b].row_count;
    }
    return RF_OK;
}

/* ---- both kinds of streams ------------------------------------------------------------------------------------------------------ */

/* The event of each row, in their order. */
static enum rf_kind drop_rejected(struct lines *l, struct rf_arena *arena, uint32_t **out,
                                  struct rf_err *err)
{
    uint32_t kept = 0;
    uint32_t *rows = rf_arena_raw(arena, uint32_t, l->line_count);
    if (rows == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < l->line_count; i++)
        if (!l->rejected[i]) rows[kept++] = l->event_of[i];
    *out = rows;
    return RF_OK;
}

static enum rf_kind read_json(const struct rule_stream *stream, struct lines *l,
                              struct rf_budget *budget, struct rf_arena *arena,
                              struct capture_rows *out, uint32_t **events, struct rf_err *err)
{
    RF_TRY(make_lines(stream, l, arena, err));
    struct reader_options options = {.format = READER_JSON_LINES,
                                     .columns = stream->columns,
                                     .column_count = stream->column_count,
                                     .dynamic_from_text = true,
                                     .own_text = true,
                                     .budget = budget,
                                     .reject = note_reject,
                                     .reject_state = l};
    RF_TRY(reader_new(&options, &out->reader, err));
    RF_TRY(kept_rows_read(out->reader, l->text, arena, &out->rows, err));
    RF_TRY(drop_rejected(l, arena, events, err));
    return RF_OK;
}

/* Rows of nulls, one for each event whose body is text. */
static enum rf_kind read_raw(const struct rule_stream *stream, struct lines *l,
                             struct rf_arena *arena, struct kept_rows *out, uint32_t **events,
                             struct rf_err *err)
{
    uint32_t *rows = rf_arena_raw(arena, uint32_t, l->count), count = 0;
    if (rows == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < l->count; i++) {
        if (!rf_utf8_valid(l->events[i].body))
            l->events[i].poison = "the body is no UTF-8 text";
        else
            rows[count++] = i;
    }
    out->count = (count + BATCH_ROWS - 1) / BATCH_ROWS;
    out->row_count = count;
    out->batches = rf_arena_new(arena, struct batch, out->count);
    if (out->batches == NULL) return rf_fail_memory(err, arena);
    for (uint32_t b = 0; b < out->count; b++) {
        struct vec *columns = rf_arena_raw(arena, struct vec, stream->column_count);
        if (columns == NULL) return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < stream->column_count; i++)
            columns[i] = vec_nothing((enum type)stream->columns[i].type);
        out->batches[b] = (struct batch){.row_count = RF_MIN(count - b * BATCH_ROWS, BATCH_ROWS),
                                         .column_count = stream->column_count,
                                         .columns = columns,
                                         .arena = arena};
    }
    *events = rows;
    return RF_OK;
}

enum rf_kind capture_rows_read(const struct rule_stream *stream, rf_str hub, uint32_t partition,
                               struct capture_event *events, uint32_t count,
                               struct rf_budget *budget, struct rf_arena *arena,
                               struct capture_rows *out, struct rf_err *err)
{
    struct lines lines = {.events = events, .count = count};
    uint32_t *rows = NULL;
    bool raw = false;
    *out = (struct capture_rows){0};
    for (uint32_t i = 0; i < stream->column_count; i++)
        raw |= fact_of(&stream->columns[i], true) == FACT_BODY;
    enum rf_kind kind = raw ? read_raw(stream, &lines, arena, &out->rows, &rows, err)
                            : read_json(stream, &lines, budget, arena, out, &rows, err);
    struct filler filler = {.hub = hub, .partition = partition, .events = events, .event_of = rows};
    if (kind == RF_OK) kind = fill(stream, raw, &filler, &out->rows, arena, err);
    if (kind == RF_OK) return RF_OK;
    reader_free(out->reader);
    out->reader = NULL;
    return kind;
}
