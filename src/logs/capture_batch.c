/* capture_batch.c - one batch of one partition: events, rows, and where the partition has come to, in one commit a table. */
#include "base/encode.h"
#include "base/log.h"
#include "logs/capture_int.h"
#include "logs/ingest_int.h"

enum { BODY_BYTES_MAX = 32 << 10 };
#define RETRY_USEC (5 * RF_USEC_PER_SECOND)
#define REMIND_USEC (3600 * RF_USEC_PER_SECOND)

/* ---- targets ------------------------------------------------------------------------------------------------------------------ */

/* A table that two flows fill has two marks. */
static enum rf_kind add_target(struct capture_part *part, const struct rule_flow *flow,
                               rf_str workspace, struct rf_err *err)
{
    uint32_t same = 0;
    for (uint32_t i = 0; i < part->target_count; i++)
        same += rf_str_eq_nocase(part->targets[i].workspace, workspace) &&
                rf_str_eq_nocase(part->targets[i].flow->table, flow->table);
    rf_str name = rf_arena_printf(&part->arena, "%.*s#%u", RF_FMT(part->source->name), same);
    if (name.ptr == NULL) return rf_fail_memory(err, &part->arena);
    part->targets[part->target_count++] = (struct capture_target){
        .flow = flow, .workspace = workspace, .source = table_mark_source(name), .next = -1};
    return RF_OK;
}

static uint64_t dead_source(const struct capture_part *part, struct rf_arena *arena)
{
    return table_mark_source(rf_arena_printf(arena, "%.*s#dead", RF_FMT(part->source->name)));
}

static enum rf_kind read_marks(struct capture_part *part, struct rf_err *err)
{
    struct logs *logs = part->source->captures->logs;
    for (uint32_t i = 0; i < part->target_count; i++) {
        struct capture_target *t = &part->targets[i];
        RF_TRY(tables_mark(logs->options.tables, t->workspace, t->flow->table, t->source,
                           part->partition, &t->next, err));
    }
    if (part->target_count == 0) return RF_OK;
    return tables_mark(logs->options.tables, part->targets[0].workspace, RF_S(CAPTURE_TABLE),
                       dead_source(part, &part->arena), part->partition, &part->dead_next, err);
}

/* The flows of the rule as it is now. */
static enum rf_kind read_targets(struct capture_part *part, struct rule *rule, uint32_t stream,
                                 struct rf_err *err)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < rule->flow_count; i++) most += rule->flows[i].workspace_count;
    rf_arena_reset(&part->arena);
    part->target_count = 0;
    part->targets = rf_arena_new(&part->arena, struct capture_target, most);
    if (part->targets == NULL) return rf_fail_memory(err, &part->arena);
    for (uint32_t i = 0; i < rule->flow_count; i++)
        for (uint32_t w = 0; w < rule->flows[i].workspace_count; w++)
            if (rule->flows[i].stream == stream)
                RF_TRY(add_target(part, &rule->flows[i], rule->flows[i].workspaces[w], err));
    RF_TRY(capture_note_marks(part, dead_source(part, &part->arena), err));
    return read_marks(part, err);
}

/* ---- one batch ------------------------------------------------------------------------------------------------------------------- */

struct batch_run {
    struct capture_part *part;
    struct logs *logs;
    const struct rule_stream *stream;
    struct rf_budget budget;
    struct rf_arena arena;
    struct capture_event *events;
    uint32_t count;
    int64_t from, to; /* numbers: [from, to) */
    struct capture_rows rows;
    int64_t now_ticks;
    bool blames_event; /* what failed is the events' fault */
};

/* Where to begin, and where to stop so that all targets whose turn it is have the same way to go. False: nothing is there. */
static bool find_range(struct batch_run *b, const struct hub_partition_info *info)
{
    int64_t from = INT64_MAX, to = info->end;
    for (uint32_t i = 0; i < b->part->target_count; i++)
        from = RF_MIN(from, RF_MAX(b->part->targets[i].next, info->begin));
    for (uint32_t i = 0; i < b->part->target_count; i++)
        if (b->part->targets[i].next > from) to = RF_MIN(to, b->part->targets[i].next);
    b->from = from;
    b->to = to;
    b->part->next = from;
    return b->part->target_count > 0 && from < to;
}

static bool is_due(const struct batch_run *b, const struct capture_target *t)
{
    return t->next <= b->from;
}

static enum rf_kind read_frame(struct batch_run *b, const struct log_frame *frame,
                               struct rf_err *err)
{
    struct event_frame_reader *reader = rf_arena_new(&b->arena, struct event_frame_reader, 1);
    if (reader == NULL) return rf_fail_memory(err, &b->arena);
    RF_TRY(event_frame_open(reader, frame, &b->arena, err));
    while (b->count < b->part->take) {
        struct capture_event *e = &b->events[b->count];
        bool more;
        *e = (struct capture_event){0};
        RF_TRY(event_frame_next(reader, &e->event, &more, err));
        if (!more || e->event.number >= b->to) return RF_OK;
        if (e->event.number < b->from) continue;
        enum rf_kind kind = event_body(&e->event, &b->arena, &e->body, err);
        if (kind == RF_INVALID || kind == RF_CORRUPT)
            e->poison = "the event's body cannot be read";
        else if (kind != RF_OK)
            return kind;
        b->count++;
    }
    return RF_OK;
}

/* Numbers that compaction has left out are passed over. */
static enum rf_kind read_events(struct batch_run *b, struct rf_err *err)
{
    struct log_frames frames;
    uint32_t take = b->part->take;
    b->events = rf_arena_raw(&b->arena, struct capture_event, take);
    if (b->events == NULL) return rf_fail_memory(err, &b->arena);
    RF_TRY(hub_read(b->part->source->hub, b->part->partition, b->from, CAPTURE_READ_BYTES, true,
                    &b->arena, &frames, err));
    int64_t end = b->from;
    for (uint32_t i = 0; i < frames.count && b->count < take; i++) {
        if (frames.items[i].first >= b->to) break;
        RF_TRY(read_frame(b, &frames.items[i], err));
        end = frames.items[i].first + frames.items[i].count;
    }
    if (b->count == take) end = b->events[take - 1].event.number + 1;
    b->to = RF_MIN(b->to, RF_MAX(end, b->from));
    return RF_OK;
}

static enum rf_kind flow_rows(struct batch_run *b, const struct capture_target *t,
                              struct schema *schema, struct batch **batches, uint32_t *count,
                              struct rf_err *err)
{
    struct transformed made;
    struct table_def def;
    struct rf_arena *arena = &b->arena;
    RF_TRY(tables_find(b->logs->options.tables, t->workspace, t->flow->table, arena, &def, err));
    b->blames_event = true;
    if (t->flow->kql.len > 0) {
        RF_TRY(
            transform_run(t->flow->kql, b->stream, &b->rows.rows, b->now_ticks, arena, &made, err));
    } else {
        made = (struct transformed){
            .schema = {.columns = rf_arena_new(arena, struct column, b->stream->column_count),
                       .count = b->stream->column_count},
            .batches = b->rows.rows.batches,
            .batch_count = b->rows.rows.count};
        if (made.schema.columns == NULL) return rf_fail_memory(err, arena);
        for (uint32_t i = 0; i < made.schema.count; i++)
            made.schema.columns[i] = (struct column){
                .name = b->stream->columns[i].name, .id = i, .type = b->stream->columns[i].type};
    }
    *count = made.batch_count;
    RF_TRY(ingest_fit(&def, &made.schema, made.batches, made.batch_count, arena, schema, batches,
                      err));
    b->blames_event = false;
    return RF_OK;
}

static enum rf_kind store_target(struct batch_run *b, struct capture_target *t, bool with_rows,
                                 struct rf_err *err)
{
    struct schema schema = {0};
    struct rows_in in = {.schema = &schema, .now_ticks = b->now_ticks};
    struct batch *batches = NULL;
    struct table_mark mark = {t->source, b->part->partition, t->next, b->to};
    if (with_rows) RF_TRY(flow_rows(b, t, &schema, &batches, &in.batch_count, err));
    in.batches = batches;
    RF_TRY(tables_append_marked(b->logs->options.tables, t->workspace, t->flow->table, &in, &mark,
                                1, err));
    t->next = b->to;
    return RF_OK;
}

/* Before the rows: what was told of before a crash is not told again, as the mark is behind it. */
static enum rf_kind store_dead(struct batch_run *b, struct rf_err *err)
{
    struct capture_part *part = b->part;
    struct schema schema;
    struct batch *batches = NULL;
    uint32_t count;
    RF_TRY(capture_dead_rows(part, b->events, b->count, RF_MAX(part->dead_next, b->from),
                             b->now_ticks, &b->arena, &schema, &batches, &count, err));
    if (count == 0) return RF_OK;
    struct rows_in in = {
        .schema = &schema, .batches = batches, .batch_count = count, .now_ticks = b->now_ticks};
    struct table_mark mark = {dead_source(part, &b->arena), part->partition, part->dead_next,
                              b->to};
    RF_TRY(tables_append_marked(b->logs->options.tables, part->targets[0].workspace,
                                RF_S(CAPTURE_TABLE), &in, &mark, 1, err));
    part->dead_next = b->to;
    return RF_OK;
}

static enum rf_kind store_all(struct batch_run *b, bool with_rows, struct rf_err *err)
{
    RF_TRY(store_dead(b, err));
    for (uint32_t i = 0; i < b->part->target_count; i++)
        if (is_due(b, &b->part->targets[i]))
            RF_TRY(store_target(b, &b->part->targets[i], with_rows, err));
    b->part->next = b->to;
    return RF_OK;
}

static enum rf_kind run_batch(struct batch_run *b, struct rf_err *err)
{
    struct hub_facts facts;
    hub_facts(b->part->source->hub, &facts);
    RF_TRY(read_events(b, err));
    enum rf_kind kind = capture_rows_read(b->stream, facts.name, b->part->partition, b->events,
                                          b->count, &b->budget, &b->arena, &b->rows, err);
    b->blames_event = kind != RF_OK;
    if (kind == RF_OK) kind = store_all(b, true, err);
    /* One event that fails by itself is left aside; of several, fewer are tried. */
    if ((kind == RF_INVALID || kind == RF_LIMIT) && b->blames_event && b->count == 1) {
        b->events[0].poison = rf_arena_cstr(&b->arena, rf_str_of(err->text));
        kind = store_all(b, false, err);
        b->blames_event = false;
    }
    reader_free(b->rows.reader);
    return kind;
}

/* ---- failures ------------------------------------------------------------------------------------------------------------------------- */

static void failed(struct capture_part *part, const struct rf_err *err)
{
    rf_usec now = rf_clock_elapsed(part->source->captures->logs->options.clock);
    (void)pthread_mutex_lock(&part->source->captures->lock);
    part->not_before = now + RETRY_USEC;
    (void)pthread_mutex_unlock(&part->source->captures->lock);
    if (part->told != 0 && now - part->told < REMIND_USEC) return;
    part->told = RF_MAX(now, 1);
    rf_log(RF_WARN, "capture.failed", RF_KV_STR("rule", part->source->rule),
           RF_KV_U64("partition", part->partition), RF_KV_STR("error", rf_str_of(err->text)));
}

static void drop_rule(struct capture_part *part)
{
    if (part->rule != NULL) rule_unref(part->rule);
    part->rule = NULL;
}

static enum rf_kind prepare(struct capture_part *part, const struct rule_stream **stream,
                            struct rf_err *err)
{
    struct logs *logs = part->source->captures->logs;
    struct rule *rule;
    uint32_t index;
    RF_TRY(rules_find(logs, part->source->rule, &rule, err));
    *stream = rule_find_stream(rule, part->source->stream, &index);
    if (*stream == NULL) {
        rule_unref(rule);
        return RF_FAIL(err, RF_NOT_FOUND, "StreamNotFound",
                       "no data flow of the rule has the stream '%.*s'",
                       RF_FMT(part->source->stream));
    }
    if (part->rule == rule) {
        rule_unref(rule);
        return RF_OK;
    }
    drop_rule(part);
    enum rf_kind kind = read_targets(part, rule, index, err);
    if (kind == RF_OK)
        part->rule = rule;
    else
        rule_unref(rule);
    return kind;
}

bool capture_batch(struct capture_part *part)
{
    struct rf_err err = {0};
    struct hub_partition_info info;
    struct batch_run b = {.part = part, .logs = part->source->captures->logs};
    enum rf_kind kind = prepare(part, &b.stream, &err);
    if (kind == RF_OK) kind = hub_partition_info(part->source->hub, part->partition, &info, &err);
    if (kind == RF_OK && !find_range(&b, &info)) return false;
    if (kind == RF_OK) {
        rf_budget_init(&b.budget, CAPTURE_BATCH_BYTES);
        rf_arena_init_shared(&b.arena, &b.budget);
        b.now_ticks =
            DATETIME_UNIX_EPOCH + rf_clock_now(b.logs->options.clock) * TICKS_PER_MICROSECOND;
        kind = run_batch(&b, &err);
        rf_arena_done(&b.arena);
    }
    if (kind == RF_OK) {
        part->take = RF_MIN(part->take * 2, CAPTURE_EVENTS_MAX);
        part->told = 0;
        return true;
    }
    /* Marks are read again: what was told to have failed may stand. */
    drop_rule(part);
    bool blamed = (kind == RF_INVALID || kind == RF_LIMIT) && b.blames_event && b.count > 1;
    bool too_much = kind == RF_LIMIT && strcmp(err.code, "MemoryBudgetExceeded") == 0;
    if (blamed || (too_much && part->take > 1)) {
        part->take = RF_MAX(RF_MIN(part->take, RF_MAX(b.count, 2u)) / 2, 1u);
        return true;
    }
    if (kind == RF_CONFLICT && strcmp(err.code, "MarkMoved") == 0) return true;
    failed(part, &err);
    (void)pthread_mutex_lock(&part->source->captures->lock);
    part->ready = true;
    (void)pthread_mutex_unlock(&part->source->captures->lock);
    return false;
}

/* ---- dead letters ------------------------------------------------------------------------------------------------------------------------- */

enum { DEAD_COLUMNS = 9 };

static rf_str text_of(rf_str body, struct rf_arena *arena, rf_str *encoding)
{
    rf_str cut = rf_slice(body, 0, RF_MIN(body.len, (size_t)BODY_BYTES_MAX));
    while (cut.len < body.len && cut.len > 0 && (body.ptr[cut.len] & 0xc0) == 0x80) cut.len--;
    *encoding = rf_utf8_valid(cut) ? RF_S("text") : RF_S("base64");
    return rf_utf8_valid(cut) ? cut : base64_encode(arena, cut);
}

static enum rf_kind dead_batch(struct rf_arena *arena, const struct schema *schema, uint32_t rows,
                               struct batch *out, struct rf_err *err)
{
    struct vec *vecs = rf_arena_new(arena, struct vec, schema->count);
    if (vecs == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < schema->count; i++)
        if (!vec_flat(arena, (enum type)schema->columns[i].type, rows, &vecs[i]))
            return rf_fail_memory(err, arena);
    *out = (struct batch){
        .row_count = rows, .column_count = schema->count, .columns = vecs, .arena = arena};
    return RF_OK;
}

static void dead_row(const struct capture_part *part, const struct capture_event *e,
                     int64_t now_ticks, struct rf_arena *arena, struct batch *batch, uint32_t row)
{
    struct hub_facts facts;
    rf_str encoding, body = text_of(e->body, arena, &encoding);
    hub_facts(part->source->hub, &facts);
    const struct value values[DEAD_COLUMNS] = {
        value_i64(TYPE_DATETIME, now_ticks),
        value_str(rf_str_of(e->poison)),
        value_str(facts.name),
        value_str(part->source->group),
        value_i64(TYPE_INT, part->partition),
        value_i64(TYPE_LONG, e->event.number),
        value_i64(TYPE_DATETIME, DATETIME_UNIX_EPOCH + e->event.enqueued * TICKS_PER_MICROSECOND),
        value_str(encoding),
        value_str(body)};
    for (uint32_t c = 0; c < DEAD_COLUMNS; c++) vec_set(&batch->columns[c], row, &values[c]);
}

enum rf_kind capture_dead_rows(const struct capture_part *part, const struct capture_event *events,
                               uint32_t count, int64_t from, int64_t now_ticks,
                               struct rf_arena *arena, struct schema *schema, struct batch **out,
                               uint32_t *batch_count, struct rf_err *err)
{
    static const struct {
        const char *name;
        enum type type;
    } names[DEAD_COLUMNS] = {{"TimeGenerated", TYPE_DATETIME},
                             {"Reason", TYPE_STRING},
                             {"EventHub", TYPE_STRING},
                             {"ConsumerGroup", TYPE_STRING},
                             {"Partition", TYPE_INT},
                             {"SequenceNumber", TYPE_LONG},
                             {"EnqueuedTime", TYPE_DATETIME},
                             {"BodyEncoding", TYPE_STRING},
                             {"Body", TYPE_STRING}};
    uint32_t dead = 0, row = 0;
    *batch_count = 0;
    for (uint32_t i = 0; i < count; i++)
        dead += events[i].poison != NULL && events[i].event.number >= from;
    if (dead == 0) return RF_OK;
    *schema = (struct schema){.columns = rf_arena_new(arena, struct column, DEAD_COLUMNS),
                              .count = DEAD_COLUMNS};
    *out = rf_arena_new(arena, struct batch, (size_t)dead / BATCH_ROWS + 1);
    if (schema->columns == NULL || *out == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < DEAD_COLUMNS; i++)
        schema->columns[i] =
            (struct column){.name = rf_str_of(names[i].name), .id = i, .type = names[i].type};
    for (uint32_t i = 0; i < count; i++) {
        if (events[i].poison == NULL || events[i].event.number < from) continue;
        if (row % BATCH_ROWS == 0)
            RF_TRY(dead_batch(arena, schema, RF_MIN(dead - row, (uint32_t)BATCH_ROWS),
                              &(*out)[(*batch_count)++], err));
        dead_row(part, &events[i], now_ticks, arena, &(*out)[*batch_count - 1], row % BATCH_ROWS);
        row++;
    }
    return RF_OK;
}
