/* collector.c - the old Data Collector API: POST /api/logs, signed with a workspace's shared key (contracts/monitor-logs 4).
 *
 * Rows go to the custom table <Log-Type>_CL, which is made, and gains columns, as rows ask for it. */
#include "base/encode.h"
#include "base/json.h"
#include "base/json_out.h"
#include "crypt/digest.h"
#include "logs/collector_int.h"
#include "logs/logs_int.h"
#include "value/text.h"

enum {
    COLLECTOR_BODY_BYTES_MAX = 30 << 20,
    CALL_BYTES_MAX = 512 << 20,
    LOG_TYPE_BYTES_MAX = 100,
    KEY_BYTES = 64
};
#define CLOCK_SKEW_USEC (15 * 60 * RF_USEC_PER_SECOND)

/* ---- records ------------------------------------------------------------------------------------------------------------ */

struct translation {
    struct json_reader reader;
    struct rf_arena *arena;
    rf_str time_field, resource_id;
    struct collector_rows *out;
    struct rf_err *err;
};

static enum rf_kind bad_data(struct translation *t, const char *why)
{
    return RF_FAIL(t->err, RF_INVALID, "InvalidDataFormat", "%s (at byte %zu)", why,
                   json_offset(&t->reader));
}

static enum rf_kind next(struct translation *t, struct json_event *event)
{
    struct rf_err inner;
    enum rf_kind kind = json_next(&t->reader, event, &inner);
    return kind == RF_OK ? RF_OK : bad_data(t, "The body is not JSON.");
}

/* The name of a field as part of a column's: other characters become '_'. Empty: none can be made. */
static rf_str plain_name(struct rf_arena *arena, rf_str name)
{
    if (name.len == 0 || name.len + 2 > COLLECTOR_NAME_BYTES_MAX) return (rf_str){0};
    uint8_t *copy = rf_arena_alloc(arena, name.len + 2);
    if (copy == NULL) return (rf_str){0};
    for (size_t i = 0; i < name.len; i++)
        copy[i] = rf_is_alnum(name.ptr[i]) || name.ptr[i] == '_' ? name.ptr[i] : '_';
    return rf_is_alpha(copy[0]) ? rf_str_make(copy, name.len) : (rf_str){0};
}

/* The column of a field's value, made when it is new; NULL: there are too many. */
static const struct table_column *column_for(struct translation *t, rf_str name, enum type type)
{
    static const struct {
        enum type type;
        char suffix;
    } suffixes[] = {{TYPE_STRING, 's'},
                    {TYPE_REAL, 'd'},
                    {TYPE_BOOL, 'b'},
                    {TYPE_DATETIME, 't'},
                    {TYPE_GUID, 'g'}};
    struct collector_rows *out = t->out;
    for (uint32_t i = 0; i < out->column_count; i++) {
        rf_str known = out->columns[i].name;
        if (out->columns[i].type == type && known.len == name.len + 2 &&
            memcmp(known.ptr, name.ptr, name.len) == 0)
            return &out->columns[i];
    }
    if (out->column_count == COLLECTOR_COLUMNS_MAX) return NULL;
    char suffix = 's';
    for (size_t i = 0; i < RF_COUNT(suffixes); i++)
        if (suffixes[i].type == type) suffix = suffixes[i].suffix;
    rf_str full = rf_arena_printf(t->arena, "%.*s_%c", RF_FMT(name), suffix);
    if (full.ptr == NULL) return NULL;
    struct table_column *made = &out->columns[out->column_count++];
    *made = (struct table_column){full, (uint8_t)type, false};
    return made;
}

static enum type type_of_text(rf_str text)
{
    int64_t ticks;
    if (guid_is(text)) return TYPE_GUID;
    return reader_iso_datetime(text, &ticks) ? TYPE_DATETIME : TYPE_STRING;
}

static void put_member(struct translation *t, rf_str name, bool *comma)
{
    if (*comma) rf_buf_byte(&t->out->json, ',');
    *comma = true;
    json_put_string(&t->out->json, name);
    rf_buf_byte(&t->out->json, ':');
}

/* A value, the event of which was read. Containers become their text. */
static enum rf_kind put_field(struct translation *t, rf_str key, const struct json_event *event,
                              rf_str container, bool *comma)
{
    enum type type = TYPE_STRING;
    rf_str text = container, name = plain_name(t->arena, key);
    if (event->kind == JSON_NULL || name.len == 0) return RF_OK;
    if (event->kind == JSON_NUMBER) type = TYPE_REAL;
    if (event->kind == JSON_TRUE || event->kind == JSON_FALSE) type = TYPE_BOOL;
    if (event->kind == JSON_STRING) {
        if (!json_text(event, t->arena, &text)) return rf_fail_memory(t->err, t->arena);
        type = type_of_text(text);
    }
    const struct table_column *column = column_for(t, name, type);
    if (column == NULL) return RF_OK; /* a table has no room for it */
    put_member(t, column->name, comma);
    if (event->kind == JSON_NUMBER)
        rf_buf_str(&t->out->json, event->text);
    else if (type == TYPE_BOOL)
        rf_buf_str(&t->out->json, event->kind == JSON_TRUE ? RF_S("true") : RF_S("false"));
    else
        json_put_string(&t->out->json, text);
    if (event->kind == JSON_STRING && t->time_field.len > 0 && rf_str_eq(key, t->time_field)) {
        put_member(t, RF_S("TimeGenerated"), comma);
        json_put_string(&t->out->json, text);
    }
    return RF_OK;
}

/* One record, whose '{' was read. */
static enum rf_kind put_record(struct translation *t)
{
    bool comma = false;
    rf_buf_byte(&t->out->json, '{');
    if (t->resource_id.len > 0) {
        put_member(t, RF_S("_ResourceId"), &comma);
        json_put_string(&t->out->json, t->resource_id);
    }
    put_member(t, RF_S("SourceSystem"), &comma);
    json_put_string(&t->out->json, RF_S("RestAPI"));
    for (;;) {
        struct json_event event, value = {0};
        rf_str key, container = {0};
        RF_TRY(next(t, &event));
        if (event.kind == JSON_OBJECT_END) break;
        if (!json_text(&event, t->arena, &key)) return rf_fail_memory(t->err, t->arena);
        struct json_reader before = t->reader;
        RF_TRY(next(t, &value));
        if (value.kind == JSON_OBJECT_BEGIN || value.kind == JSON_ARRAY_BEGIN) {
            struct rf_err inner;
            t->reader = before;
            if (json_skip_value(&t->reader, &container, &inner) != RF_OK)
                return bad_data(t, "The body is not JSON.");
        }
        RF_TRY(put_field(t, key, &value, container, &comma));
    }
    rf_buf_str(&t->out->json, RF_S("}\n"));
    t->out->row_count++;
    return t->out->json.failed ? rf_fail_memory(t->err, t->arena) : RF_OK;
}

static enum rf_kind put_records(struct translation *t)
{
    struct json_event event;
    RF_TRY(next(t, &event));
    if (event.kind == JSON_OBJECT_BEGIN) RF_TRY(put_record(t));
    if (event.kind != JSON_OBJECT_BEGIN && event.kind != JSON_ARRAY_BEGIN)
        return bad_data(t, "The body must be a JSON list of objects.");
    while (event.kind == JSON_ARRAY_BEGIN || event.kind == JSON_OBJECT_END) {
        RF_TRY(next(t, &event));
        if (event.kind == JSON_ARRAY_END) break;
        if (event.kind != JSON_OBJECT_BEGIN)
            return bad_data(t, "The body must be a JSON list of objects.");
        RF_TRY(put_record(t));
        event.kind = JSON_OBJECT_END;
    }
    RF_TRY(next(t, &event));
    return event.kind == JSON_END ? RF_OK : bad_data(t, "Something follows the list.");
}

enum rf_kind collector_translate(rf_str body, rf_str time_field, rf_str resource_id,
                                 struct rf_arena *arena, struct collector_rows *out,
                                 struct rf_err *err)
{
    struct translation t = {.arena = arena,
                            .time_field = time_field,
                            .resource_id = resource_id,
                            .out = out,
                            .err = err};
    *out = (struct collector_rows){.json = rf_buf_in(arena)};
    out->columns = rf_arena_new(arena, struct table_column, COLLECTOR_COLUMNS_MAX);
    if (out->columns == NULL) return rf_fail_memory(err, arena);
    json_reader_init(&t.reader, body);
    return put_records(&t);
}

/* ---- who sends ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind not_authorized(struct request *request, struct rf_err *err)
{
    return request_fail(request, err, 403, "InvalidAuthorization",
                        "The service failed to authenticate the request. Verify that the workspace "
                        "ID, the key and the date are valid.");
}

static bool is_recent(const struct request *request, rf_str date)
{
    int64_t ticks;
    if (!text_to_datetime(date, &ticks)) return false;
    rf_usec sent = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
    rf_usec skew = request->now - sent;
    return skew <= CLOCK_SKEW_USEC && skew >= -CLOCK_SKEW_USEC;
}

/* What was signed, with the content type that the header says or the bare one: both are in use. */
static rf_str signed_text(const struct request *request, rf_str type, rf_str date)
{
    return rf_arena_printf(request->arena, "POST\n%llu\n%.*s\nx-ms-date:%.*s\n/api/logs",
                           (unsigned long long)request->http->body_sent_bytes, RF_FMT(type),
                           RF_FMT(date));
}

static bool signature_fits(struct request *request, const uint8_t key[KEY_BYTES], rf_str signature)
{
    rf_str date = http_header(request->http, "x-ms-date", NULL);
    rf_str types[] = {RF_S("application/json"), http_header(request->http, "Content-Type", NULL)};
    bool fits = false;
    for (size_t i = 0; i < RF_COUNT(types); i++) {
        uint8_t mac[SHA256_BYTES];
        rf_str text = signed_text(request, types[i], date);
        if (text.ptr == NULL) return false;
        digest_hmac_sha256(rf_str_make(key, KEY_BYTES), text, mac);
        fits |= secret_equal(rf_str_make(mac, sizeof mac), signature);
    }
    return fits;
}

static enum rf_kind check_signature(struct request *request, struct logs *logs, rf_str guid,
                                    rf_str signature, struct rf_err *err)
{
    struct state_txn *txn;
    bool fits = false;
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = RF_OK;
    for (int which = 0; which < 2 && kind == RF_OK; which++) {
        uint8_t key[KEY_BYTES];
        kind = workspace_shared_key(logs, txn, guid, which, key, err);
        if (kind == RF_OK) fits |= signature_fits(request, key, signature);
        explicit_bzero(key, sizeof key);
    }
    state_end(txn);
    if (kind == RF_INVALID || (kind == RF_OK && !fits)) return not_authorized(request, err);
    return kind;
}

/* "SharedKey <workspace>:<signature>" */
static enum rf_kind authenticate(struct request *request, struct logs *logs,
                                 struct workspace *workspace, struct rf_err *err)
{
    rf_str header = http_header(request->http, "Authorization", NULL), scheme = RF_S("SharedKey ");
    rf_str date = http_header(request->http, "x-ms-date", NULL), signature;
    if (header.len <= scheme.len || !rf_str_eq_nocase(rf_slice(header, 0, scheme.len), scheme))
        return not_authorized(request, err);
    header = rf_str_trim(rf_slice(header, scheme.len, header.len));
    size_t colon = rf_str_find(header, RF_S(":"), 0);
    if (colon == SIZE_MAX || !guid_is(rf_slice(header, 0, colon)))
        return not_authorized(request, err);
    if (base64_decode(request->arena, rf_slice(header, colon + 1, header.len), &signature, err) !=
        RF_OK)
        return not_authorized(request, err);
    enum rf_kind kind =
        workspace_find(logs, rf_slice(header, 0, colon), request->arena, workspace, err);
    if (kind == RF_NOT_FOUND) return not_authorized(request, err);
    RF_TRY(kind);
    RF_TRY(check_signature(request, logs, workspace->guid, signature, err));
    return is_recent(request, date) ? RF_OK : not_authorized(request, err);
}

/* ---- the table ------------------------------------------------------------------------------------------------------------------- */

static bool has_column(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return true;
    return false;
}

static bool add_column(struct rf_arena *arena, struct json_node *list, rf_str name,
                       const char *type)
{
    struct json_node *column = json_append(list, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, column, "name", name);
    return json_set_text(arena, column, "type", rf_str_of(type)) != NULL;
}

static const char *column_type(uint8_t type)
{
    return type == TYPE_DATETIME ? "dateTime"
           : type == TYPE_BOOL   ? "boolean"
                                 : type_name((enum type)type);
}

/* The document of the table with the columns that it has and those that the rows bring. */
static struct json_node *table_document(struct rf_arena *arena, rf_str table,
                                        const struct json_node *stored,
                                        const struct collector_rows *rows)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    const struct json_node *old = json_get(stored, "properties");
    for (const struct json_node *m = old == NULL ? NULL : old->first; m != NULL; m = m->next)
        json_set(arena, properties, m->name, json_clone(arena, m));
    struct json_node *schema = json_object_in(arena, properties, "schema");
    struct json_node *list = json_get(schema, "columns");
    if (list == NULL) {
        list = json_set(arena, schema, RF_S("columns"), json_new(arena, JSON_T_ARRAY));
        json_set_text(arena, schema, "name", table);
        json_set_text(arena, schema, "tableSubType", RF_S("Classic"));
        (void)add_column(arena, list, RF_S("TimeGenerated"), "dateTime");
        (void)add_column(arena, list, RF_S("SourceSystem"), "string");
    }
    for (uint32_t i = 0; i < rows->column_count; i++) {
        bool there = false;
        for (const struct json_node *c = list == NULL ? NULL : list->first; c != NULL; c = c->next)
            there |= rf_str_eq(json_text_at(c, "name"), rows->columns[i].name);
        if (!there &&
            !add_column(arena, list, rows->columns[i].name, column_type(rows->columns[i].type)))
            return NULL;
    }
    return list == NULL ? NULL : body;
}

static enum rf_kind make_table(struct logs *logs, const struct workspace *workspace, rf_str table,
                               const struct collector_rows *rows, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct arm *arm = logs->options.arm;
    struct arm_resource stored = {0}, made;
    struct arm_call call;
    rf_str id = rf_arena_printf(arena, "%.*s/tables/%.*s", RF_FMT(workspace->id), RF_FMT(table));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    /* Reading and writing in one transaction: two calls may bring columns at once. */
    RF_TRY(arm_begin(arm, NULL, arena, &call, err));
    enum rf_kind kind = arm_get(arm, call.txn, id, arena, &stored, err);
    if (kind == RF_NOT_FOUND) kind = RF_OK;
    if (kind == RF_OK) {
        struct json_node *body = table_document(arena, table, stored.body, rows);
        kind = body == NULL ? rf_fail_memory(err, arena)
                            : arm_put_in(&call, id, body, &made, NULL, err);
    }
    if (kind == RF_OK) kind = arm_commit(&call, err);
    arm_end(&call);
    return kind;
}

static enum rf_kind need_table(struct logs *logs, const struct workspace *workspace, rf_str table,
                               const struct collector_rows *rows, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct table_def def;
    enum rf_kind kind = tables_find(logs->options.tables, workspace->guid, table, arena, &def, err);
    bool whole = kind == RF_OK;
    for (uint32_t i = 0; i < rows->column_count && whole; i++)
        whole = has_column(&def, rows->columns[i].name);
    if (whole) return RF_OK;
    return make_table(logs, workspace, table, rows, arena, err);
}

/* ---- the call ---------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_headers(struct request *request, rf_str *log_type, struct rf_err *err)
{
    bool has_version, has_type, has_log_type;
    rf_str version = request_parameter(request, "api-version", &has_version);
    rf_str type = http_header(request->http, "Content-Type", &has_type);
    *log_type = http_header(request->http, "Log-Type", &has_log_type);
    if (!has_version)
        return request_fail(request, err, 400, "MissingApiVersion", "The API version is missing.");
    if (!rf_str_is(version, "2016-04-01"))
        return request_fail(request, err, 400, "InvalidApiVersion",
                            "The API version must be 2016-04-01.");
    if (!has_type)
        return request_fail(request, err, 400, "MissingContentType",
                            "The content type is missing.");
    size_t semicolon = rf_str_find(type, RF_S(";"), 0);
    if (semicolon != SIZE_MAX) type = rf_str_trim(rf_slice(type, 0, semicolon));
    if (!rf_str_eq_nocase(type, RF_S("application/json")))
        return request_fail(request, err, 400, "UnsupportedContentType",
                            "The content type must be application/json.");
    if (!has_log_type || log_type->len == 0)
        return request_fail(request, err, 400, "MissingLogType", "The header Log-Type is missing.");
    bool fine = log_type->len <= LOG_TYPE_BYTES_MAX && rf_is_alpha(log_type->ptr[0]);
    for (size_t i = 0; i < log_type->len; i++)
        fine &= rf_is_alnum(log_type->ptr[i]) || log_type->ptr[i] == '_';
    if (fine) return RF_OK;
    return request_fail(request, err, 400, "InvalidLogType",
                        "Log-Type must begin with a letter and consist of at most %d letters, "
                        "digits and '_'.",
                        LOG_TYPE_BYTES_MAX);
}

static enum rf_kind store(struct request *request, struct logs *logs,
                          const struct workspace *workspace, rf_str log_type,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct collector_rows rows;
    rf_str time_field = http_header(request->http, "time-generated-field", NULL);
    rf_str resource_id = http_header(request->http, "x-ms-AzureResourceId", NULL);
    RF_TRY(collector_translate(request->http->body, time_field, resource_id, arena, &rows, err));
    rf_str table = rf_arena_printf(arena, "%.*s_CL", RF_FMT(log_type));
    if (table.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(need_table(logs, workspace, table, &rows, arena, err));
    return tables_append_json(logs->options.tables, workspace->guid, table, rf_buf_view(&rows.json),
                              DATETIME_UNIX_EPOCH + request->now * TICKS_PER_MICROSECOND, NULL,
                              err);
}

static enum rf_kind run_collector(struct request *request, struct rf_err *err)
{
    struct logs *logs = request->service;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct workspace workspace;
    rf_str log_type = {0};
    rf_arena_init(&arena, CALL_BYTES_MAX);
    RF_TRY(check_headers(request, &log_type, err));
    RF_TRY(authenticate(request, logs, &workspace, err));
    enum rf_kind kind = store(request, logs, &workspace, log_type, &arena, err);
    if (kind == RF_OK) return request_answer_empty(request, 200);
    if (kind != RF_LIMIT && kind != RF_AGAIN && kind != RF_CONFLICT) return kind;
    struct rf_err inner = *err;
    return request_fail(request, err, 503, "ServiceUnavailable", "%s", inner.text);
}

static void write_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    (void)status;
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "Error", rf_str_of(err->code));
    json_put_text(&out, "Message", rf_str_of(err->text));
    json_end_object(&out);
    if (request->response->body.failed) request->response->failed = true;
}

static const struct route routes[] = {
    {.method = HTTP_POST,
     .path = "/api/logs",
     .access = ROUTE_OPEN,
     .why_open = "each call is signed with a key of the workspace, which the handler checks first",
     .run = run_collector,
     .lane = HTTP_QUICK,
     .body_bytes_max = COLLECTOR_BODY_BYTES_MAX},
};

const struct service *collector_service(struct logs *logs)
{
    logs->collector = (struct service){.name = "collector",
                                       .ctx = logs,
                                       .routes = routes,
                                       .route_count = RF_COUNT(routes),
                                       .error = write_error};
    return &logs->collector;
}
