/* kusto_ingest.c - rows as the Kusto clients send them: text with separators or JSON, with or without a mapping. All rows of a
 * call are stored, or none. */
#include "base/json.h"
#include "logs/kusto_int.h"
#include "store/reader.h"
#include "value/text.h"

enum { FIELDS_MAX = 256, PATH_STEPS_MAX = 32, WORK_BYTES = 256 << 20 };

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"

enum rf_kind kusto_may_ingest(struct logs *logs, const struct request *request,
                              struct rf_arena *arena, const struct workspace *workspace,
                              rf_str table, struct rf_err *err)
{
    rf_str scope = rf_arena_printf(arena, "%.*s/tables/%.*s", RF_FMT(workspace->id), RF_FMT(table));
    if (scope.ptr == NULL) return rf_fail_memory(err, arena);
    if (authz_check(logs->options.authz, request->principal,
                    RF_S("Microsoft.Insights/Telemetry/Write"), scope, true))
        return RF_OK;
    return authz_require(logs->options.authz, request->principal, RF_S(WORKSPACES "/tables/write"),
                         scope, false, err);
}

/* ---- formats ----------------------------------------------------------------------------------------------------- */

enum form { FORM_SEPARATED, FORM_ESCAPED, FORM_LINES, FORM_WHOLE, FORM_JSON };
static const struct {
    const char *name;
    enum form form;
    char delimiter;
} formats[] = {
    {"csv", FORM_SEPARATED, ','},    {"tsv", FORM_SEPARATED, '\t'}, {"scsv", FORM_SEPARATED, ';'},
    {"sohsv", FORM_SEPARATED, '\1'}, {"psv", FORM_SEPARATED, '|'},  {"tsve", FORM_ESCAPED, ','},
    {"txt", FORM_LINES, ','},        {"raw", FORM_WHOLE, ','},      {"json", FORM_JSON, 0},
    {"singlejson", FORM_JSON, 0},    {"multijson", FORM_JSON, 0},
};

static void put_quoted(struct rf_buf *buf, rf_str text)
{
    rf_buf_byte(buf, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') rf_buf_byte(buf, '"');
        rf_buf_byte(buf, text.ptr[i]);
    }
    rf_buf_byte(buf, '"');
}

/* Lines of fields with tabs between them, in which \t, \n, \r and \\ stand for what they mean: as CSV. */
static void put_unescaped(struct rf_buf *buf, rf_str data)
{
    bool open = false;
    for (size_t i = 0; i < data.len; i++) {
        uint8_t c = data.ptr[i];
        if (!open) rf_buf_byte(buf, '"');
        open = true;
        if (c == '\t' || c == '\n') {
            rf_buf_str(buf, c == '\t' ? RF_S("\",") : RF_S("\"\n"));
            open = false;
            continue;
        }
        if (c == '\r' && i + 1 < data.len && data.ptr[i + 1] == '\n') continue;
        if (c == '\\' && i + 1 < data.len) {
            c = data.ptr[++i];
            c = c == 't' ? '\t' : c == 'n' ? '\n' : c == 'r' ? '\r' : c;
        }
        if (c == '"') rf_buf_byte(buf, '"');
        rf_buf_byte(buf, c);
    }
    if (open) rf_buf_byte(buf, '"');
}

static void put_lines(struct rf_buf *buf, rf_str data)
{
    for (size_t at = 0; at < data.len;) {
        size_t end = RF_MIN(rf_str_find(data, RF_S("\n"), at), data.len), cut = end;
        if (cut > at && data.ptr[cut - 1] == '\r') cut--;
        if (cut > at) {
            put_quoted(buf, rf_slice(data, at, cut));
            rf_buf_byte(buf, '\n');
        }
        at = end + 1;
    }
}

/* Behind the first row; quotes may hold line ends. */
static rf_str without_first(rf_str data)
{
    bool quoted = false;
    for (size_t i = 0; i < data.len; i++) {
        quoted ^= data.ptr[i] == '"';
        if (data.ptr[i] == '\n' && !quoted) return rf_slice(data, i + 1, data.len);
    }
    return rf_slice(data, data.len, data.len);
}

/* ---- mappings ---------------------------------------------------------------------------------------------------- */

static enum rf_kind find_mapping(struct logs *logs, struct rf_arena *arena,
                                 const struct kusto_ingest *ingest, rf_str table, const char *kind,
                                 struct json_node **out, struct rf_err *err)
{
    struct kusto_mapping *list;
    uint32_t count;
    *out = NULL;
    if (ingest->mapping.len == 0) return RF_OK;
    RF_TRY(kusto_mapping_list(logs, arena, ingest->workspace, table, &list, &count, err));
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(list[i].name, ingest->mapping) &&
            rf_str_eq_nocase(list[i].kind, rf_str_of(kind)))
            return json_parse(list[i].text, arena, out, err);
    return RF_FAIL(err, RF_NOT_FOUND, "MappingNotFound", "the table has no %s mapping '%.*s'", kind,
                   RF_FMT(ingest->mapping));
}

/* A member of an entry, or of its "Properties". */
static rf_str entry_text(const struct json_node *entry, const char *name)
{
    const struct json_node *node = json_get_nocase(entry, rf_str_of(name));
    if (node == NULL)
        node = json_get_nocase(json_get_nocase(entry, RF_S("Properties")), rf_str_of(name));
    return json_is(node, JSON_T_STRING) || json_is(node, JSON_T_NUMBER) ? node->text
                                                                        : (rf_str){NULL, 0};
}

static rf_str entry_column(const struct json_node *entry)
{
    rf_str column = entry_text(entry, "column");
    return column.len > 0 ? column : entry_text(entry, "name");
}

/* What the fields of a row are called: by the mapping's ordinals; a name that no column has for those that it leaves out. */
static enum rf_kind csv_names(const struct json_node *mapping, struct rf_arena *arena,
                              rf_str **names, uint32_t *count, struct rf_err *err)
{
    *names = rf_arena_new(arena, rf_str, FIELDS_MAX);
    if (*names == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < FIELDS_MAX; i++) {
        (*names)[i] = rf_arena_printf(arena, "\x01%u", i);
        if ((*names)[i].ptr == NULL) return rf_fail_memory(err, arena);
    }
    for (const struct json_node *n = mapping->first; n != NULL; n = n->next) {
        int64_t ordinal;
        rf_str column = entry_column(n), text = entry_text(n, "ordinal");
        if (column.len == 0 || !text_to_long(text, &ordinal) || ordinal < 0 ||
            ordinal >= FIELDS_MAX)
            return RF_FAIL(err, RF_INVALID, "BadMapping",
                           "each entry of a csv mapping needs a column and an ordinal below %d",
                           FIELDS_MAX);
        (*names)[ordinal] = column;
    }
    *count = FIELDS_MAX;
    return RF_OK;
}

/* ---- rows with separators ---------------------------------------------------------------------------------------- */

struct fault {
    uint64_t count, line;
    const char *reason;
};
static void on_reject(void *state, const struct reader_reject *reject)
{
    struct fault *fault = state;
    if (fault->count++ > 0) return;
    fault->line = reject->line;
    fault->reason = reject->reason;
}

struct layout {
    struct reader_column *columns;
    struct column *schema;
    rf_str *names; /* of fields, when no mapping says them */
    uint8_t *types;
    uint32_t count;
};

/* All columns but those that the workspace fills in. */
static enum rf_kind make_layout(const struct table_def *def, struct rf_arena *arena,
                                struct layout *l, struct rf_err *err)
{
    uint32_t n = def->column_count;
    *l = (struct layout){.columns = rf_arena_new(arena, struct reader_column, n),
                         .schema = rf_arena_new(arena, struct column, n),
                         .names = rf_arena_new(arena, rf_str, n),
                         .types = rf_arena_new(arena, uint8_t, n)};
    if (l->columns == NULL || l->schema == NULL || l->names == NULL || l->types == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < n; i++) {
        const struct table_column *c = &def->columns[i];
        if (rf_str_is(c->name, "TenantId") || rf_str_is(c->name, "Type")) continue;
        l->columns[l->count] = (struct reader_column){.name = c->name, .type = c->type};
        l->schema[l->count] = (struct column){.name = c->name, .id = i + 1, .type = c->type};
        l->names[l->count] = c->name;
        l->types[l->count++] = c->type;
    }
    return RF_OK;
}

static enum rf_kind read_rows(struct reader *reader, struct rows *rows, struct rf_arena *arena,
                              struct rf_err *err)
{
    for (;;) {
        struct batch batch;
        RF_TRY(reader_next(reader, &batch, err));
        if (batch.row_count == 0) return RF_OK;
        if (!rows_append(rows, &batch)) return rf_fail_memory(err, arena);
    }
}

static enum rf_kind append(struct logs *logs, struct rf_arena *arena,
                           const struct kusto_ingest *ingest, const struct layout *l,
                           const struct rows *rows, uint64_t *count, struct rf_err *err)
{
    *count = rows_count(rows);
    if (*count == 0) return RF_OK;
    uint32_t batches = (uint32_t)((*count + BATCH_ROWS - 1) / BATCH_ROWS);
    struct batch *list = rf_arena_new(arena, struct batch, batches);
    if (list == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < batches; i++)
        if (!rows_batch(rows, (uint64_t)i * BATCH_ROWS, arena, &list[i]))
            return rf_fail_memory(err, arena);
    struct schema schema = {.columns = l->schema, .count = l->count};
    struct rows_in in = {
        .schema = &schema, .batches = list, .batch_count = batches, .now_ticks = ingest->now_ticks};
    return tables_append(logs->options.tables, ingest->workspace->guid, ingest->table, &in, err);
}

static enum rf_kind ingest_separated(struct logs *logs, struct rf_arena *arena,
                                     const struct kusto_ingest *ingest, const struct table_def *def,
                                     size_t format, uint64_t *count, struct rf_err *err)
{
    struct layout l;
    struct json_node *mapping;
    struct fault fault = {0};
    struct reader *reader;
    rf_str data = ingest->data;
    struct rf_buf csv = rf_buf_in(arena);
    RF_TRY(make_layout(def, arena, &l, err));
    RF_TRY(find_mapping(logs, arena, ingest, def->name, "csv", &mapping, err));
    rf_str *names = l.names;
    uint32_t name_count = l.count;
    if (mapping != NULL) RF_TRY(csv_names(mapping, arena, &names, &name_count, err));
    if (formats[format].form == FORM_ESCAPED) put_unescaped(&csv, data);
    if (formats[format].form == FORM_LINES) put_lines(&csv, data);
    if (formats[format].form == FORM_WHOLE && data.len > 0) put_quoted(&csv, data);
    if (csv.failed) return rf_fail_memory(err, arena);
    if (formats[format].form != FORM_SEPARATED) data = rf_buf_view(&csv);
    if (ingest->ignore_first) data = without_first(data);
    struct reader_options options = {.format = READER_CSV,
                                     .delimiter = formats[format].delimiter,
                                     .columns = l.columns,
                                     .column_count = l.count,
                                     .header = names,
                                     .header_count = name_count,
                                     .budget = arena->budget,
                                     .reject = on_reject,
                                     .reject_state = &fault};
    struct rows *rows = rows_new(arena, l.types, l.count);
    if (rows == NULL) return rf_fail_memory(err, arena);
    RF_TRY(reader_new(&options, &reader, err));
    reader_feed(reader, data, true);
    enum rf_kind kind = read_rows(reader, rows, arena, err);
    reader_free(reader);
    RF_TRY(kind);
    if (fault.count > 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest_InvalidData",
                       "%llu rows cannot be read, the first at line %llu: %s",
                       (unsigned long long)fault.count, (unsigned long long)fault.line,
                       fault.reason);
    return append(logs, arena, ingest, &l, rows, count, err);
}

/* ---- JSON with a mapping ----------------------------------------------------------------------------------------- */

const struct json_node *kusto_path_find(const struct json_node *node, rf_str path)
{
    size_t at = path.len > 0 && path.ptr[0] == '$' ? 1 : 0;
    for (int steps = 0; at < path.len && node != NULL && steps < PATH_STEPS_MAX; steps++) {
        size_t end;
        if (path.ptr[at] == '[') {
            end = rf_str_find(path, RF_S("]"), at);
            if (end == SIZE_MAX) return NULL;
            rf_str key = rf_str_trim(rf_slice(path, at + 1, end));
            int64_t index;
            if (key.len >= 2 && (key.ptr[0] == '\'' || key.ptr[0] == '"')) {
                node = json_is(node, JSON_T_OBJECT)
                           ? json_get_str(node, rf_slice(key, 1, key.len - 1))
                           : NULL;
            } else if (json_is(node, JSON_T_ARRAY) && text_to_long(key, &index) && index >= 0) {
                for (node = node->first; node != NULL && index > 0; index--) node = node->next;
            } else {
                return NULL;
            }
            at = end + 1;
            continue;
        }
        if (path.ptr[at] == '.') at++;
        for (end = at; end < path.len && path.ptr[end] != '.' && path.ptr[end] != '[';) end++;
        node = json_is(node, JSON_T_OBJECT) ? json_get_str(node, rf_slice(path, at, end)) : NULL;
        at = RF_MAX(end, at + (end == at));
    }
    return node;
}

static const struct {
    const char *name;
    int64_t ticks; /* per unit */
    int64_t units; /* per tick, for nanoseconds */
} times[] = {{"DateTimeFromUnixSeconds", TICKS_PER_SECOND, 1},
             {"DateTimeFromUnixMilliseconds", TICKS_PER_MS, 1},
             {"DateTimeFromUnixMicroseconds", TICKS_PER_MICROSECOND, 1},
             {"DateTimeFromUnixNanoseconds", 1, 100}};

/* Writes the value of one entry; false when the entry asks for what is not offered. */
static bool put_entry(struct json_out *out, const char *column, const struct json_node *entry,
                      const struct json_node *record, uint64_t line)
{
    rf_str transform = entry_text(entry, "transform"), constant = entry_text(entry, "ConstValue");
    const struct json_node *node = kusto_path_find(record, entry_text(entry, "path"));
    if (constant.len > 0) {
        json_put_text(out, column, constant);
        return true;
    }
    if (rf_str_eq_nocase(transform, RF_S("SourceLineNumber"))) {
        json_put_i64(out, column, (int64_t)line);
        return true;
    }
    if (rf_str_eq_nocase(transform, RF_S("SourceLocation"))) {
        json_put_text(out, column, RF_S(""));
        return true;
    }
    for (size_t i = 0; i < RF_COUNT(times); i++) {
        if (!rf_str_eq_nocase(transform, rf_str_of(times[i].name))) continue;
        int64_t number, ticks;
        if (node == NULL || !text_to_long(node->text, &number) ||
            __builtin_mul_overflow(number / times[i].units, times[i].ticks, &ticks) ||
            __builtin_add_overflow(ticks, DATETIME_UNIX_EPOCH, &ticks) || ticks < 0 ||
            ticks > DATETIME_MAX)
            return true; /* no time: the column stays null */
        struct value v = value_i64(TYPE_DATETIME, ticks);
        struct rf_buf text = rf_buf_in(out->buf->arena);
        wire_value(&text, WIRE_KUSTO, &v);
        json_put_raw(out, column, rf_buf_view(&text));
        return true;
    }
    if (transform.len > 0 && !rf_str_eq_nocase(transform, RF_S("None"))) return false;
    if (node != NULL) json_put_node(out, column, node);
    return true;
}

static enum rf_kind map_record(rf_str text, const struct json_node *mapping, uint64_t line,
                               struct rf_arena *work, struct rf_buf *buf, struct rf_err *err)
{
    struct json_node *record;
    struct json_out out = json_out_to(buf);
    RF_TRY(json_parse(text, work, &record, err));
    json_begin_object(&out, NULL);
    for (const struct json_node *n = mapping->first; n != NULL; n = n->next) {
        const char *column = rf_arena_cstr(work, entry_column(n));
        if (column == NULL) return rf_fail_memory(err, work);
        if (!put_entry(&out, column, n, record, line))
            return RF_FAIL(err, RF_INVALID, "BadMapping", "the transform '%.*s' is not offered",
                           RF_FMT(entry_text(n, "transform")));
    }
    json_end_object(&out);
    rf_buf_byte(buf, '\n');
    return buf->failed ? rf_fail_memory(err, buf->arena) : RF_OK;
}

/* Each record as an object whose members are the mapping's columns. */
static enum rf_kind map_records(rf_str data, const struct json_node *mapping, struct rf_buf *buf,
                                struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    struct json_reader reader;
    struct json_event event;
    rf_arena_init(&work, (size_t)64 << 20);
    json_reader_init_many(&reader, data);
    for (uint64_t line = 1;; line++) {
        RF_TRY(json_next(&reader, &event, err));
        if (event.kind == JSON_END) return RF_OK;
        if (event.kind == JSON_ARRAY_BEGIN || event.kind == JSON_ARRAY_END) continue;
        if (event.kind != JSON_OBJECT_BEGIN)
            return RF_FAIL(err, RF_INVALID, "BadRequest_InvalidData",
                           "a record must be a JSON object");
        size_t from = json_offset(&reader) - 1;
        RF_TRY(json_skip_container(&reader, err));
        rf_arena_reset(&work);
        RF_TRY(
            map_record(rf_slice(data, from, json_offset(&reader)), mapping, line, &work, buf, err));
    }
}

static enum rf_kind ingest_json(struct logs *logs, struct rf_arena *arena,
                                const struct kusto_ingest *ingest, const struct table_def *def,
                                uint64_t *count, struct rf_err *err)
{
    struct json_node *mapping;
    rf_str data = ingest->data;
    struct rf_buf mapped = rf_buf_in(arena);
    RF_TRY(find_mapping(logs, arena, ingest, def->name, "json", &mapping, err));
    if (mapping != NULL) {
        RF_TRY(map_records(data, mapping, &mapped, err));
        data = rf_buf_view(&mapped);
    }
    *count = 0;
    if (rf_str_trim(data).len == 0) return RF_OK;
    return tables_append_json(logs->options.tables, ingest->workspace->guid, def->name, data,
                              ingest->now_ticks, count, err);
}

enum rf_kind kusto_ingest(struct logs *logs, const struct request *request, struct rf_arena *arena,
                          const struct kusto_ingest *ingest, uint64_t *count, struct rf_err *err)
{
    struct table_def def;
    size_t format = 0;
    (void)request;
    while (format < RF_COUNT(formats) &&
           !rf_str_eq_nocase(ingest->format, rf_str_of(formats[format].name)))
        format++;
    if (format == RF_COUNT(formats))
        return RF_FAIL(err, RF_INVALID, "BadRequest_FormatNotSupported",
                       "the format '%.*s' is not offered: csv, tsv, scsv, sohsv, psv, tsve, txt, "
                       "raw, json, singlejson and multijson are",
                       RF_FMT(rf_slice(ingest->format, 0, RF_MIN(ingest->format.len, 40))));
    RF_TRY(tables_find(logs->options.tables, ingest->workspace->guid, ingest->table, arena, &def,
                       err));
    if (formats[format].form == FORM_JSON)
        return ingest_json(logs, arena, ingest, &def, count, err);
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    rf_arena_init(&work, WORK_BYTES);
    return ingest_separated(logs, &work, ingest, &def, format, count, err);
}
