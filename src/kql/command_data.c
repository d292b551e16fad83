/* command_data.c - rows that stand in a command or a body: text with separators or JSON, with or without a mapping of fields to
 * columns. All rows, or an error that names the first that cannot be read. */
#include "base/json.h"
#include "kql/command_int.h"
#include "store/reader.h"
#include "value/text.h"

enum { FIELDS_MAX = 256, PATH_STEPS_MAX = 32, RECORD_BYTES_MAX = 64 << 20 };

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

/* ---- JSON with a mapping ----------------------------------------------------------------------------------------- */

const struct json_node *command_json_path(const struct json_node *node, rf_str path)
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
    const struct json_node *node = command_json_path(record, entry_text(entry, "path"));
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
        struct rf_buf text = rf_buf_in(out->buf->arena);
        text_put_datetime(&text, ticks);
        json_put_text(out, column, rf_buf_view(&text));
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
enum rf_kind command_map_json(rf_str data, const struct json_node *mapping, struct rf_buf *buf,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena work;
    struct json_reader reader;
    struct json_event event;
    rf_arena_init(&work, RECORD_BYTES_MAX);
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

/* ---- reading ----------------------------------------------------------------------------------------------------- */

bool command_format_is_json(rf_str format, bool *known)
{
    for (size_t i = 0; i < RF_COUNT(formats); i++) {
        if (!rf_str_eq_nocase(format, rf_str_of(formats[i].name))) continue;
        *known = true;
        return formats[i].form == FORM_JSON;
    }
    *known = false;
    return false;
}

struct layout {
    struct reader_column *columns;
    rf_str *names; /* of fields, when no mapping says them */
    uint8_t *types;
};

static enum rf_kind make_layout(const struct command_data *d, struct rf_arena *arena,
                                struct layout *l, struct schema *schema, struct rf_err *err)
{
    uint32_t n = d->column_count;
    *l = (struct layout){.columns = rf_arena_new(arena, struct reader_column, n),
                         .names = rf_arena_new(arena, rf_str, n),
                         .types = rf_arena_new(arena, uint8_t, n)};
    struct column *columns = rf_arena_new(arena, struct column, n);
    if (l->columns == NULL || columns == NULL || l->names == NULL || l->types == NULL)
        return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < n; i++) {
        const struct ast_column *c = &d->columns[i];
        l->columns[i] = (struct reader_column){.name = c->name, .type = c->type};
        columns[i] = (struct column){.name = c->name, .id = i + 1, .type = c->type};
        l->names[i] = c->name;
        l->types[i] = c->type;
    }
    *schema = (struct schema){.columns = columns, .count = n};
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

/* The data as CSV, and what its fields are called. */
static enum rf_kind as_separated(const struct command_data *d, size_t format,
                                 const struct json_node *mapping, struct rf_arena *arena,
                                 struct reader_options *o, rf_str *data, struct rf_err *err)
{
    struct rf_buf csv = rf_buf_in(arena);
    rf_str *names;
    *data = d->data;
    if (mapping != NULL) {
        RF_TRY(csv_names(mapping, arena, &names, &o->header_count, err));
        o->header = names;
    }
    if (formats[format].form == FORM_ESCAPED) put_unescaped(&csv, *data);
    if (formats[format].form == FORM_LINES) put_lines(&csv, *data);
    if (formats[format].form == FORM_WHOLE && data->len > 0) put_quoted(&csv, *data);
    if (csv.failed) return rf_fail_memory(err, arena);
    if (formats[format].form != FORM_SEPARATED) *data = rf_buf_view(&csv);
    if (d->ignore_first) *data = without_first(*data);
    o->format = READER_CSV;
    o->delimiter = formats[format].delimiter;
    return RF_OK;
}

enum rf_kind command_read_data(const struct command_data *d, struct rf_arena *arena,
                               struct schema *schema, struct rows **out, struct rf_err *err)
{
    struct layout l;
    struct json_node *mapping = NULL;
    struct fault fault = {0};
    struct reader *reader;
    struct rf_buf mapped = rf_buf_in(arena);
    size_t format = 0;
    rf_str data = d->data;
    while (format < RF_COUNT(formats) &&
           !rf_str_eq_nocase(d->format, rf_str_of(formats[format].name)))
        format++;
    if (format == RF_COUNT(formats))
        return RF_FAIL(err, RF_INVALID, "BadRequest_FormatNotSupported",
                       "the format '%.*s' is not offered: csv, tsv, scsv, sohsv, psv, tsve, txt, "
                       "raw, json, singlejson and multijson are",
                       RF_FMT(rf_slice(d->format, 0, RF_MIN(d->format.len, 40))));
    RF_TRY(make_layout(d, arena, &l, schema, err));
    if (d->mapping.len > 0) RF_TRY(json_parse(d->mapping, arena, &mapping, err));
    struct reader_options options = {.format = READER_JSON_VALUES,
                                     .columns = l.columns,
                                     .column_count = d->column_count,
                                     .header = l.names,
                                     .header_count = d->column_count,
                                     .budget = arena->budget,
                                     .reject = on_reject,
                                     .reject_state = &fault};
    if (formats[format].form != FORM_JSON) {
        RF_TRY(as_separated(d, format, mapping, arena, &options, &data, err));
    } else if (mapping != NULL) {
        RF_TRY(command_map_json(data, mapping, &mapped, err));
        data = rf_buf_view(&mapped);
    }
    struct rows *rows = rows_new(arena, l.types, d->column_count);
    if (rows == NULL) return rf_fail_memory(err, arena);
    RF_TRY(reader_new(&options, &reader, err));
    reader_feed(reader, data, true);
    enum rf_kind kind = read_rows(reader, rows, arena, err);
    reader_free(reader);
    RF_TRY(kind);
    if (fault.count > 0)
        return RF_FAIL(err, RF_INVALID, "BadRequest_InvalidData",
                       "%llu row%s cannot be read, the first at line %llu: %s",
                       (unsigned long long)fault.count, fault.count == 1 ? "" : "s",
                       (unsigned long long)fault.line, fault.reason);
    *out = rows;
    return RF_OK;
}
