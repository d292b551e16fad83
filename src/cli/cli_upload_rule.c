/* cli_upload_rule.c - which collection rule and stream take the records of 'ringfort ingest'. */
#include "cli/cli.h"
#include "cli/cli_upload.h"
#include "store/reader_stream.h"

#define RULES "Microsoft.Insights/dataCollectionRules"
#define RULE_VERSION "2023-03-11"
#define TABLE_VERSION "2022-10-01"

enum { COLUMN_NAME_BYTES_MAX = 45, RULE_NAME_BYTES_MAX = 64 };

/* ---- a rule that was named --------------------------------------------------------------------------------------- */

/* "dcr-" and 32 hex digits: nothing is to be asked. */
static bool is_immutable_id(rf_str text)
{
    if (text.len != 36 || !rf_str_starts(text, RF_S("dcr-"))) return false;
    for (size_t i = 4; i < text.len; i++)
        if (!rf_is_digit(text.ptr[i]) &&
            (rf_lower(text.ptr[i]) < 'a' || rf_lower(text.ptr[i]) > 'f'))
            return false;
    return true;
}

/* The one stream of a rule that has no more. */
static enum rf_kind only_stream(const struct json_node *rule, rf_str *out, struct rf_err *err)
{
    const struct json_node *flows = json_at(rule, "properties.dataFlows");
    rf_str found = {NULL, 0};
    for (const struct json_node *flow = flows != NULL ? flows->first : NULL; flow != NULL;
         flow = flow->next) {
        const struct json_node *streams = json_get(flow, "streams");
        for (const struct json_node *s = streams != NULL ? streams->first : NULL; s != NULL;
             s = s->next) {
            if (found.len > 0 && !rf_str_eq_nocase(found, s->text))
                return RF_FAIL(
                    err, RF_INVALID, "NoStream",
                    "the rule has several streams, such as %.*s and %.*s: say which with "
                    "--stream S",
                    RF_FMT(found), RF_FMT(s->text));
            found = s->text;
        }
    }
    if (found.len == 0) return RF_FAIL(err, RF_INVALID, "NoStream", "the rule has no stream");
    *out = found;
    return RF_OK;
}

static enum rf_kind take_rule(const struct json_node *rule, const struct cli_upload_args *args,
                              struct cli_stream *out, struct rf_err *err)
{
    out->rule = json_text_at(rule, "properties.immutableId");
    if (out->rule.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadAnswer", "the rule has no immutableId");
    if (args->stream != NULL) {
        out->name = rf_str_of(args->stream);
        return RF_OK;
    }
    return only_stream(rule, &out->name, err);
}

static enum rf_kind rule_id(struct cli_server *server, rf_str name, struct rf_arena *arena,
                            rf_str *out, struct rf_err *err)
{
    bool whole = memchr(name.ptr, '/', name.len) != NULL;
    rf_str id = whole ? name : rf_arena_printf(arena, RULES "/%.*s", RF_FMT(name));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    return cli_server_id(server, id, arena, out, err);
}

static enum rf_kind named_rule(struct cli_server *server, const struct cli_upload_args *args,
                               struct rf_arena *arena, struct cli_stream *out, struct rf_err *err)
{
    rf_str name = rf_str_of(args->rule), id, target;
    if (is_immutable_id(name)) {
        if (args->stream == NULL)
            return RF_FAIL(err, RF_INVALID, "NoStream",
                           "--stream S is needed with an immutable id");
        *out = (struct cli_stream){.rule = name, .name = rf_str_of(args->stream)};
        return RF_OK;
    }
    struct json_node *rule;
    RF_TRY(rule_id(server, name, arena, &id, err));
    RF_TRY(cli_server_target(server, id, RF_S(RULE_VERSION), arena, &target, err));
    RF_TRY(cli_server_get(server, target, arena, &rule, err));
    return take_rule(rule, args, out, err);
}

/* ---- columns ---------------------------------------------------------------------------------------------------------- */

struct columns {
    const struct reader_column *items; /* types: enum type */
    uint32_t count;
    bool has_time;
};

/* Names that the tables of a workspace take. */
static bool is_column_name(rf_str name)
{
    static const char *const reserved[] = {"Type",          "TenantId",     "resource",
                                           "resourceid",    "resourcename", "resourcetype",
                                           "subscriptionid"};
    if (name.len == 0 || name.len > COLUMN_NAME_BYTES_MAX || !rf_is_alpha(name.ptr[0]))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '_' && name.ptr[i] != '-') return false;
    for (size_t i = 0; i < RF_COUNT(reserved); i++)
        if (rf_str_eq_nocase(name, rf_str_of(reserved[i]))) return false;
    return true;
}

static enum rf_kind infer_columns(const char *file, struct rf_arena *arena, struct columns *out,
                                  struct rf_err *err)
{
    if (strcmp(file, "-") == 0)
        return RF_FAIL(err, RF_INVALID, "NoTable",
                       "a table cannot be made from standard input, which can be read once only: "
                       "make the table first, or give a file");
    struct rf_budget budget;
    rf_budget_init(&budget, 256 << 20);
    struct reader_input input = {.path = file};
    struct reader_options options = {.budget = &budget};
    struct reader_column *found;
    uint32_t found_count, left_out = 0;
    RF_TRY(reader_guess_format(&input, rf_str_of(file), &options, err));
    RF_TRY(reader_infer(&input, &options, arena, &found, &found_count, err));
    struct reader_column *items = rf_arena_new(arena, struct reader_column, found_count);
    struct columns columns = {.items = items};
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < found_count; i++) {
        if (is_column_name(found[i].name)) {
            items[columns.count++] = found[i];
            columns.has_time |= rf_str_is(found[i].name, "TimeGenerated");
        } else if (left_out++ == 0) {
            cli_say("%s: the field '%.*s' is left out, for a column cannot be called so", file,
                    RF_FMT(found[i].name));
        }
    }
    if (left_out > 1) cli_say("%s: %u more fields are left out", file, left_out - 1);
    *out = columns;
    return RF_OK;
}

/* The columns of a table that is there, as the control plane calls their types. */
static enum rf_kind table_columns(const struct json_node *table, struct rf_arena *arena,
                                  struct columns *out, struct rf_err *err)
{
    static const char *const lists[] = {"properties.schema.columns",
                                        "properties.schema.standardColumns"};
    uint32_t room = 0;
    for (size_t i = 0; i < RF_COUNT(lists); i++)
        if (json_at(table, lists[i]) != NULL) room += json_at(table, lists[i])->count;
    struct reader_column *items = rf_arena_new(arena, struct reader_column, room);
    struct columns columns = {.items = items};
    if (items == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(lists); i++) {
        const struct json_node *list = json_at(table, lists[i]);
        for (const struct json_node *c = list != NULL ? list->first : NULL; c != NULL;
             c = c->next) {
            rf_str name = json_text_at(c, "name"), type = json_text_at(c, "type");
            enum type known;
            if (rf_str_eq_nocase(type, RF_S("dateTime"))) type = RF_S("datetime");
            if (!is_column_name(name) || !type_parse(type, &known)) continue;
            items[columns.count].name = name;
            items[columns.count++].type = (uint8_t)known;
            columns.has_time |= rf_str_is(name, "TimeGenerated");
        }
    }
    *out = columns;
    return RF_OK;
}

/* Streams know fewer types than tables, and both their own names for some. */
static const char *type_text(enum type type, bool stream)
{
    switch (type) {
    case TYPE_BOOL:
        return "boolean";
    case TYPE_DATETIME:
        return stream ? "datetime" : "dateTime";
    case TYPE_INT:
    case TYPE_LONG:
    case TYPE_REAL:
    case TYPE_DYNAMIC:
        return type_name(type);
    default:
        return "string";
    }
}

static struct json_node *columns_json(const struct columns *columns, bool stream,
                                      struct rf_arena *arena)
{
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    for (uint32_t i = 0; i < columns->count; i++) {
        struct json_node *column = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, column, "name", columns->items[i].name);
        json_set_text(arena, column, "type",
                      rf_str_of(type_text((enum type)columns->items[i].type, stream)));
        (void)json_append(list, column);
    }
    if (!stream && !columns->has_time) {
        struct json_node *time = json_new(arena, JSON_T_OBJECT);
        json_set_text(arena, time, "name", RF_S("TimeGenerated"));
        json_set_text(arena, time, "type", RF_S("dateTime"));
        (void)json_append(list, time);
    }
    return list;
}

/* ---- a table ------------------------------------------------------------------------------------------------------------ */

static bool is_custom(rf_str table) { return rf_str_ends(table, RF_S("_CL")); }

static enum rf_kind make_table(struct cli_server *server, rf_str id, rf_str name,
                               const struct columns *columns, struct rf_arena *arena,
                               struct rf_err *err)
{
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    struct json_node *schema = json_object_in(arena, properties, "schema");
    json_set_text(arena, schema, "name", name);
    struct json_node *list = columns_json(columns, false, arena);
    if (json_set(arena, schema, RF_S("columns"), list) == NULL) return rf_fail_memory(err, arena);
    bool created;
    RF_TRY(cli_server_put(server, id, RF_S(TABLE_VERSION), body, arena, &created, NULL, err));
    cli_say("made the table %.*s", RF_FMT(name));
    return RF_OK;
}

/* The columns of the table, which is made from the first file when it is not there. */
static enum rf_kind need_table(struct cli_server *server, const struct cli_upload_args *args,
                               rf_str workspace, struct rf_arena *arena, struct columns *out,
                               struct rf_err *err)
{
    rf_str name = rf_str_of(args->table), target;
    rf_str id = rf_arena_printf(arena, "%.*s/tables/%.*s", RF_FMT(workspace), RF_FMT(name));
    struct cli_call call = {.method = "GET", .may_be_absent = true};
    struct http_answer answer;
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_target(server, id, RF_S(TABLE_VERSION), arena, &target, err));
    call.target = target;
    RF_TRY(cli_server_call(server, &call, arena, &answer, err));
    if (answer.status != 404) {
        struct json_node *table;
        RF_TRY(json_parse(answer.body, arena, &table, err));
        return table_columns(table, arena, out, err);
    }
    if (!is_custom(name))
        return RF_FAIL(err, RF_NOT_FOUND, "NoTable",
                       "there is no table %.*s; tables of one's own end in _CL", RF_FMT(name));
    RF_TRY(infer_columns(args->files[0], arena, out, err));
    return make_table(server, id, name, out, arena, err);
}

/* A flow that puts the records as they are into the table. */
static bool flows_into(const struct json_node *flow, rf_str table)
{
    rf_str to = json_text_at(flow, "outputStream"),
           how = rf_str_trim(json_text_at(flow, "transformKql"));
    if (how.len > 0 && !rf_str_is(how, "source")) return false;
    if (rf_str_starts(to, RF_S("Custom-"))) to = rf_slice(to, 7, to.len);
    if (rf_str_starts(to, RF_S("Microsoft-"))) to = rf_slice(to, 10, to.len);
    return rf_str_eq_nocase(to, table);
}

static bool goes_to(const struct json_node *rule, const struct json_node *flow, rf_str workspace)
{
    const struct json_node *all = json_at(rule, "properties.destinations.logAnalytics");
    const struct json_node *names = json_get(flow, "destinations");
    for (const struct json_node *d = all != NULL ? all->first : NULL; d != NULL; d = d->next) {
        if (!rf_str_eq_nocase(json_text_at(d, "workspaceResourceId"), workspace)) continue;
        for (const struct json_node *n = names != NULL ? names->first : NULL; n != NULL;
             n = n->next)
            if (rf_str_eq(n->text, json_text_at(d, "name"))) return true;
    }
    return false;
}

/* A rule that somebody made for the table. */
static enum rf_kind find_rule(struct cli_server *server, rf_str table, rf_str workspace,
                              struct rf_arena *arena, struct cli_stream *out, struct rf_err *err)
{
    size_t end = rf_str_find(workspace, RF_S("/resourceGroups/"), 0);
    if (end == SIZE_MAX) return RF_OK;
    rf_str target = rf_arena_printf(arena, "%.*s/providers/" RULES "?api-version=" RULE_VERSION,
                                    RF_FMT(cli_url_path(arena, rf_slice(workspace, 0, end))));
    struct json_node *rules;
    if (target.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_list(server, target, arena, &rules, err));
    for (const struct json_node *rule = rules->first; rule != NULL; rule = rule->next) {
        const struct json_node *flows = json_at(rule, "properties.dataFlows");
        for (const struct json_node *f = flows != NULL ? flows->first : NULL; f != NULL;
             f = f->next) {
            const struct json_node *streams = json_get(f, "streams");
            if (!flows_into(f, table) || !goes_to(rule, f, workspace)) continue;
            if (!json_is(streams, JSON_T_ARRAY) || streams->count != 1) continue;
            *out = (struct cli_stream){.rule = json_text_at(rule, "properties.immutableId"),
                                       .name = streams->first->text};
            if (out->rule.len > 0 && out->name.len > 0) return RF_OK;
        }
    }
    *out = (struct cli_stream){0};
    return RF_OK;
}

static struct json_node *rule_json(rf_str table, rf_str workspace, rf_str location,
                                   const struct columns *columns, struct rf_arena *arena)
{
    rf_str stream = rf_arena_printf(arena, "Custom-%.*s", RF_FMT(table));
    struct json_node *rule = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, rule, "location", location.len > 0 ? location : RF_S("local"));
    json_set_text(arena, rule, "kind", RF_S("Direct"));
    struct json_node *properties = json_object_in(arena, rule, "properties");
    json_set_text(arena, properties, "description", RF_S("Made by 'ringfort ingest'."));
    struct json_node *declared = json_object_in(arena, properties, "streamDeclarations");
    struct json_node *declaration = json_new(arena, JSON_T_OBJECT);
    json_set(arena, declared, stream, declaration);
    json_set(arena, declaration, RF_S("columns"), columns_json(columns, true, arena));

    struct json_node *place = json_new(arena, JSON_T_OBJECT),
                     *flow = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, place, "workspaceResourceId", workspace);
    json_set_text(arena, place, "name", RF_S("workspace"));
    struct json_node *places = json_object_in(arena, properties, "destinations");
    (void)json_append(json_set(arena, places, RF_S("logAnalytics"), json_new(arena, JSON_T_ARRAY)),
                      place);
    (void)json_append(json_set(arena, flow, RF_S("streams"), json_new(arena, JSON_T_ARRAY)),
                      json_new_text(arena, stream));
    (void)json_append(json_set(arena, flow, RF_S("destinations"), json_new(arena, JSON_T_ARRAY)),
                      json_new_text(arena, RF_S("workspace")));
    json_set_text(arena, flow, "transformKql",
                  columns->has_time ? RF_S("source")
                                    : RF_S("source | extend TimeGenerated = now()"));
    rf_str to = is_custom(table) ? stream : rf_arena_printf(arena, "Microsoft-%.*s", RF_FMT(table));
    json_set_text(arena, flow, "outputStream", to);
    struct json_node *flows =
        json_set(arena, properties, RF_S("dataFlows"), json_new(arena, JSON_T_ARRAY));
    return json_append(flows, flow) == NULL || stream.ptr == NULL || to.ptr == NULL ? NULL : rule;
}

static enum rf_kind rule_for_table(struct cli_server *server, const struct cli_upload_args *args,
                                   struct rf_arena *arena, struct cli_stream *out,
                                   struct rf_err *err)
{
    rf_str workspace, table = rf_str_of(args->table), id;
    RF_TRY(cli_server_workspace(server, args->workspace, arena, NULL, &workspace, err));
    struct columns columns;
    RF_TRY(need_table(server, args, workspace, arena, &columns, err));
    RF_TRY(find_rule(server, table, workspace, arena, out, err));
    if (out->rule.len > 0) return RF_OK;

    struct rf_buf name = rf_buf_in(arena);
    rf_buf_str(&name, RF_S("ringfort-ingest-"));
    for (size_t i = 0; i < table.len && name.len < RULE_NAME_BYTES_MAX; i++)
        rf_buf_byte(&name, rf_is_alnum(table.ptr[i]) ? table.ptr[i] : '-');
    if (name.failed) return rf_fail_memory(err, arena);
    struct json_node *rule =
        rule_json(table, workspace, cli_server_site(server)->location, &columns, arena);
    if (rule == NULL) return rf_fail_memory(err, arena);
    RF_TRY(rule_id(server, rf_buf_view(&name), arena, &id, err));
    bool created;
    struct json_node *now;
    RF_TRY(cli_server_put(server, id, RF_S(RULE_VERSION), rule, arena, &created, &now, err));
    if (created) cli_say("made the collection rule %.*s", RF_FMT(rf_buf_view(&name)));
    return take_rule(now, args, out, err);
}

enum rf_kind cli_upload_find(struct cli_server *server, const struct cli_upload_args *args,
                             struct rf_arena *arena, struct cli_stream *out, struct rf_err *err)
{
    struct cli_stream stream = {0};
    if (args->rule != NULL)
        RF_TRY(named_rule(server, args, arena, &stream, err));
    else
        RF_TRY(rule_for_table(server, args, arena, &stream, err));
    *out = stream;
    return RF_OK;
}
