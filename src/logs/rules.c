/* rules.c - Microsoft.Insights/dataCollectionRules, dataCollectionEndpoints and dataCollectionRuleAssociations.
 *
 * A rule's document is checked when it is stored; the ingestion path works with what rule_read made of it, kept by immutable
 * id until a rule, a workspace or a table changes. */
#include <stdlib.h>

#include "base/encode.h"
#include "logs/capture.h"
#include "logs/rules_int.h"

enum { SLOT_BUCKETS = 1024, COLUMN_NAME_BYTES_MAX = 200 };

struct rule_slot {
    struct rule_slot *next;
    char immutable_id[IMMUTABLE_ID_BYTES + 1];
    char *id;          /* of the resource; NULL: deleted */
    struct rule *rule; /* NULL, or as it was in some generation */
    rf_usec window;    /* begin of the minute in which `calls` came */
    uint32_t calls;
};

struct rules {
    struct logs *logs;
    pthread_mutex_t lock;
    struct rule_slot *buckets[SLOT_BUCKETS];
    atomic_uint_fast64_t generation;
    struct arm_type types[3];
    struct arm_action rule_actions[1], endpoint_actions[1];
    struct service ingest;
};

/* ---- reading a document ------------------------------------------------------------------------------------------------- */

struct rule_reader {
    struct logs *logs;
    struct arm *arm;
    struct state_txn *txn;
    const struct json_node *properties;
    struct rule *rule;
    struct rf_err *err;
};

#define BAD(reader, code, ...) RF_FAIL((reader)->err, RF_INVALID, code, __VA_ARGS__)

static bool stream_type(rf_str name, enum type *out)
{
    static const struct {
        const char *name;
        enum type type;
    } types[] = {{"string", TYPE_STRING},   {"int", TYPE_INT},          {"long", TYPE_LONG},
                 {"real", TYPE_REAL},       {"boolean", TYPE_BOOL},     {"bool", TYPE_BOOL},
                 {"dynamic", TYPE_DYNAMIC}, {"datetime", TYPE_DATETIME}};
    for (size_t i = 0; i < RF_COUNT(types); i++) {
        if (!rf_str_eq_nocase(name, rf_str_of(types[i].name))) continue;
        *out = types[i].type;
        return true;
    }
    return false;
}

enum rf_kind rule_read_columns(const struct json_node *declaration, struct rf_arena *arena,
                               struct rule_stream *stream, struct rf_err *err)
{
    const struct json_node *columns = json_get(declaration, "columns");
    if (!json_is(columns, JSON_T_ARRAY) || columns->count == 0 || columns->count > RULE_COLUMNS_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                       "The stream '%.*s' must declare 1 to %d columns.", RF_FMT(stream->name),
                       RULE_COLUMNS_MAX);
    stream->columns = rf_arena_new(arena, struct reader_column, columns->count);
    if (stream->columns == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *c = columns->first; c != NULL; c = c->next) {
        rf_str name = json_text_at(c, "name"), type_text = json_text_at(c, "type");
        enum type type = TYPE_STRING;
        if (name.len == 0 || name.len > COLUMN_NAME_BYTES_MAX || !rf_utf8_valid(name))
            return RF_FAIL(
                err, RF_INVALID, "InvalidPayload",
                "A column of the stream '%.*s' has no name, or one of more than %d bytes.",
                RF_FMT(stream->name), COLUMN_NAME_BYTES_MAX);
        if (!stream_type(type_text, &type))
            return RF_FAIL(
                err, RF_INVALID, "InvalidPayload",
                "The column '%.*s' of the stream '%.*s' has the type '%.*s'; string, int, "
                "long, real, boolean, dynamic and datetime are allowed.",
                RF_FMT(name), RF_FMT(stream->name), (int)RF_MIN(type_text.len, (size_t)100),
                (const char *)type_text.ptr);
        for (uint32_t i = 0; i < stream->column_count; i++)
            if (rf_str_eq(stream->columns[i].name, name))
                return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                               "The stream '%.*s' declares the column '%.*s' twice.",
                               RF_FMT(stream->name), RF_FMT(name));
        struct reader_column *made = &stream->columns[stream->column_count++];
        made->type = (uint8_t)type;
        if (!rf_arena_str(arena, name, &made->name)) return rf_fail_memory(err, arena);
    }
    return RF_OK;
}

const struct rule_stream *rule_find_stream(const struct rule *rule, rf_str name, uint32_t *index)
{
    for (uint32_t i = 0; i < rule->stream_count; i++) {
        if (!rf_str_eq_nocase(rule->streams[i].name, name)) continue;
        if (index != NULL) *index = i;
        return &rule->streams[i];
    }
    return NULL;
}

static enum rf_kind new_stream(struct rule_reader *r, rf_str name, struct rule_stream **out)
{
    struct rule *rule = r->rule;
    if (rule->stream_count == RULE_STREAMS_MAX)
        return BAD(r, "InvalidPayload", "A rule has at most %d streams.", RULE_STREAMS_MAX);
    if (rule_find_stream(rule, name, NULL) != NULL)
        return BAD(r, "InvalidPayload", "The stream '%.*s' is declared twice.", RF_FMT(name));
    *out = &rule->streams[rule->stream_count++];
    **out = (struct rule_stream){0};
    if (!rf_arena_str(&rule->arena, name, &(*out)->name))
        return rf_fail_memory(r->err, &rule->arena);
    return RF_OK;
}

static enum rf_kind read_streams(struct rule_reader *r)
{
    const struct json_node *all = json_get(r->properties, "streamDeclarations");
    if (all == NULL || all->type == JSON_T_NULL) return RF_OK;
    if (all->type != JSON_T_OBJECT)
        return BAD(r, "InvalidPayload", "'streamDeclarations' must be an object.");
    for (const struct json_node *d = all->first; d != NULL; d = d->next) {
        struct rule_stream *stream;
        if (!rf_str_starts(d->name, RF_S("Custom-")) || d->name.len > 200)
            return BAD(r, "InvalidPayload",
                       "The declared stream '%.*s' must have a name that begins with 'Custom-'.",
                       (int)RF_MIN(d->name.len, (size_t)200), (const char *)d->name.ptr);
        RF_TRY(new_stream(r, d->name, &stream));
        RF_TRY(rule_read_columns(d, &r->rule->arena, stream, r->err));
    }
    return RF_OK;
}

/* "Custom-App_CL" and "Microsoft-Syslog" are the tables App_CL and Syslog. */
static bool table_of_stream(rf_str stream, rf_str *table)
{
    static const char *const prefixes[] = {"Microsoft-Table-", "Microsoft-", "Custom-Table-",
                                           "Custom-"};
    for (size_t i = 0; i < RF_COUNT(prefixes); i++) {
        rf_str prefix = rf_str_of(prefixes[i]);
        if (stream.len <= prefix.len || !rf_str_eq_nocase(rf_slice(stream, 0, prefix.len), prefix))
            continue;
        *table = rf_slice(stream, prefix.len, stream.len);
        return true;
    }
    return false;
}

/* A stream that needs no declaration has the columns of its table. */
static enum rf_kind builtin_stream(struct rule_reader *r, rf_str name, rf_str workspace,
                                   uint32_t *index)
{
    struct rule *rule = r->rule;
    struct table_def def;
    rf_str table;
    struct rule_stream *stream;
    bool known =
        rf_str_starts(name, RF_S("Microsoft-")) && table_of_stream(name, &table) &&
        tables_find(r->logs->options.tables, workspace, table, &rule->arena, &def, NULL) == RF_OK;
    if (!known)
        return BAD(r, "InvalidPayload",
                   "The stream '%.*s' of a data flow is neither declared nor built in.",
                   (int)RF_MIN(name.len, (size_t)200), (const char *)name.ptr);
    RF_TRY(new_stream(r, name, &stream));
    stream->columns = rf_arena_new(&rule->arena, struct reader_column, def.column_count);
    if (stream->columns == NULL) return rf_fail_memory(r->err, &rule->arena);
    for (uint32_t i = 0; i + 2 < def.column_count; i++) /* TenantId and Type are not sent */
        stream->columns[stream->column_count++] =
            (struct reader_column){def.columns[i].name, def.columns[i].type};
    *index = rule->stream_count - 1;
    return RF_OK;
}

/* ---- destinations -------------------------------------------------------------------------------------------------------- */

static const struct json_node *find_destination(const struct rule_reader *r, rf_str name,
                                                bool *is_workspace)
{
    const struct json_node *all = json_get(r->properties, "destinations");
    for (const struct json_node *kind = all == NULL ? NULL : all->first; kind != NULL;
         kind = kind->next) {
        const struct json_node *first = kind->type == JSON_T_ARRAY ? kind->first : kind;
        for (const struct json_node *d = first; d != NULL;
             d = kind->type == JSON_T_ARRAY ? d->next : NULL) {
            if (!rf_str_eq_nocase(json_text_at(d, "name"), name)) continue;
            *is_workspace = rf_str_is(kind->name, "logAnalytics");
            return d;
        }
    }
    return NULL;
}

static enum rf_kind workspace_guid(struct rule_reader *r, const struct json_node *destination,
                                   rf_str *guid)
{
    rf_str id = json_text_at(destination, "workspaceResourceId");
    struct arm_resource workspace;
    if (id.len == 0)
        return BAD(r, "InvalidPayload",
                   "A destination in 'logAnalytics' has no 'workspaceResourceId'.");
    struct rf_err inner = {0};
    enum rf_kind kind = arm_get(r->arm, r->txn, id, &r->rule->arena, &workspace, &inner);
    if (kind == RF_OK) *guid = json_text_at(workspace.body, "properties.customerId");
    if (kind == RF_IO || kind == RF_LIMIT || kind == RF_AGAIN) {
        if (r->err != NULL) *r->err = inner;
        return kind;
    }
    bool is_workspace =
        kind == RF_OK &&
        rf_str_eq_nocase(workspace.type, RF_S("Microsoft.OperationalInsights/workspaces"));
    if (!is_workspace || guid->len == 0)
        return BAD(r, "InvalidPayload", "The workspace '%.*s' of a destination does not exist.",
                   (int)RF_MIN(id.len, (size_t)400), (const char *)id.ptr);
    return RF_OK;
}

/* The workspaces' ids are shown in the document, as Azure does. */
static enum rf_kind read_destinations(struct rule_reader *r)
{
    const struct json_node *all = json_get(r->properties, "destinations");
    const struct json_node *list = json_get(all, "logAnalytics");
    if (all != NULL && all->type != JSON_T_NULL && all->type != JSON_T_OBJECT)
        return BAD(r, "InvalidPayload", "'destinations' must be an object.");
    for (struct json_node *d = list == NULL ? NULL : list->first; d != NULL; d = d->next) {
        rf_str guid = {0};
        if (json_text_at(d, "name").len == 0)
            return BAD(r, "InvalidPayload", "A destination has no name.");
        RF_TRY(workspace_guid(r, d, &guid));
        (void)json_set_text(&r->rule->arena, d, "workspaceId", guid);
    }
    return RF_OK;
}

/* ---- flows ------------------------------------------------------------------------------------------------------------------ */

static const struct table_column *def_column(const struct table_def *def, rf_str name)
{
    for (uint32_t i = 0; i < def->column_count; i++)
        if (rf_str_eq(def->columns[i].name, name)) return &def->columns[i];
    return NULL;
}

static enum rf_kind check_output(struct rule_reader *r, const struct rule_flow *flow,
                                 const struct schema *out)
{
    struct table_def def;
    bool has_time = false;
    for (uint32_t w = 0; w < flow->workspace_count; w++) {
        if (tables_find(r->logs->options.tables, flow->workspaces[w], flow->table, &r->rule->arena,
                        &def, NULL) != RF_OK)
            return BAD(
                r, "InvalidOutputTable",
                "The table '%.*s' for the output stream of a data flow does not exist in the "
                "destination.",
                (int)RF_MIN(flow->table.len, (size_t)200), (const char *)flow->table.ptr);
        for (uint32_t i = 0; i < out->count; i++) {
            const struct column *c = &out->columns[i];
            const struct table_column *to = def_column(&def, c->name);
            if (to == NULL || transform_fits((enum type)c->type, (enum type)to->type)) continue;
            return BAD(
                r, "InvalidTransformOutput",
                "The output of the data flow does not fit the table '%.*s': the column '%.*s' "
                "is of type %s there, and %s comes.",
                RF_FMT(def.name), RF_FMT(c->name), type_name((enum type)to->type),
                type_name((enum type)c->type));
        }
    }
    for (uint32_t i = 0; i < out->count; i++)
        has_time |= out->columns[i].type == TYPE_DATETIME &&
                    rf_str_is(out->columns[i].name, "TimeGenerated");
    if (has_time || flow->workspace_count == 0) return RF_OK;
    return BAD(
        r, "InvalidTransformOutput",
        "The output of the data flow must have the column 'TimeGenerated' of type datetime.");
}

/* A query that only names its input is none. */
static rf_str transform_text(rf_str kql)
{
    rf_str trimmed = rf_str_trim(kql);
    while (trimmed.len > 0 && trimmed.ptr[trimmed.len - 1] == ';')
        trimmed = rf_str_trim(rf_slice(trimmed, 0, trimmed.len - 1));
    if (rf_str_is(trimmed, "source")) trimmed.len = 0;
    return trimmed;
}

static enum rf_kind flow_schema(struct rule_reader *r, const struct rule_flow *flow,
                                struct schema *out)
{
    const struct rule_stream *stream = &r->rule->streams[flow->stream];
    if (flow->kql.len > 0) return transform_schema(flow->kql, stream, &r->rule->arena, out, r->err);
    out->count = stream->column_count;
    out->columns = rf_arena_new(&r->rule->arena, struct column, stream->column_count);
    if (out->columns == NULL) return rf_fail_memory(r->err, &r->rule->arena);
    for (uint32_t i = 0; i < stream->column_count; i++)
        out->columns[i] = (struct column){
            .name = stream->columns[i].name, .id = i, .type = stream->columns[i].type};
    return RF_OK;
}

static enum rf_kind read_workspaces(struct rule_reader *r, const struct json_node *names,
                                    struct rule_flow *flow)
{
    flow->workspaces = rf_arena_new(&r->rule->arena, rf_str, names->count);
    if (flow->workspaces == NULL) return rf_fail_memory(r->err, &r->rule->arena);
    for (const struct json_node *n = names->first; n != NULL; n = n->next) {
        bool is_workspace = false;
        const struct json_node *d = find_destination(r, n->text, &is_workspace);
        if (n->type != JSON_T_STRING || d == NULL)
            return BAD(r, "InvalidPayload",
                       "A data flow names the destination '%.*s', which the rule does not have.",
                       (int)RF_MIN(n->text.len, (size_t)200), (const char *)n->text.ptr);
        if (!is_workspace) continue;
        rf_str *guid = &flow->workspaces[flow->workspace_count++];
        RF_TRY(workspace_guid(r, d, guid));
        if (!rf_arena_str(&r->rule->arena, *guid, guid))
            return rf_fail_memory(r->err, &r->rule->arena);
    }
    return RF_OK;
}

static enum rf_kind read_stream_of_flow(struct rule_reader *r, const struct json_node *name,
                                        struct rule_flow flow, rf_str output)
{
    struct rule *rule = r->rule;
    struct schema schema = {0};
    rf_str workspace =
        flow.workspace_count > 0 ? flow.workspaces[0] : r->logs->options.site->workspace_id;
    if (rule->flow_count == RULE_FLOWS_MAX)
        return BAD(r, "InvalidPayload", "A rule has at most %d flows.", RULE_FLOWS_MAX);
    if (name->type != JSON_T_STRING)
        return BAD(r, "InvalidPayload", "'streams' of a data flow must be texts.");
    if (rule_find_stream(rule, name->text, &flow.stream) == NULL)
        RF_TRY(builtin_stream(r, name->text, workspace, &flow.stream));
    if (output.len == 0) output = rule->streams[flow.stream].name;
    if (!table_of_stream(output, &flow.table))
        return BAD(r, "InvalidPayload",
                   "The output stream '%.*s' must begin with 'Custom-' or 'Microsoft-'.",
                   (int)RF_MIN(output.len, (size_t)200), (const char *)output.ptr);
    if (!rf_arena_str(&rule->arena, flow.table, &flow.table))
        return rf_fail_memory(r->err, &rule->arena);
    RF_TRY(flow_schema(r, &flow, &schema));
    RF_TRY(check_output(r, &flow, &schema));
    rule->flows[rule->flow_count++] = flow;
    return RF_OK;
}

static enum rf_kind read_flow(struct rule_reader *r, const struct json_node *f)
{
    const struct json_node *streams = json_get(f, "streams");
    const struct json_node *destinations = json_get(f, "destinations");
    struct rule_flow flow = {.kql = transform_text(json_text_at(f, "transformKql"))};
    if (!json_is(streams, JSON_T_ARRAY) || streams->count == 0)
        return BAD(r, "InvalidPayload", "A data flow has no 'streams'.");
    if (!json_is(destinations, JSON_T_ARRAY) || destinations->count == 0)
        return BAD(r, "InvalidPayload", "A data flow has no 'destinations'.");
    if (flow.kql.len > 0 && streams->count != 1)
        return BAD(r, "InvalidPayload", "A data flow with a transformation takes one stream.");
    if (!rf_arena_str(&r->rule->arena, flow.kql, &flow.kql))
        return rf_fail_memory(r->err, &r->rule->arena);
    RF_TRY(read_workspaces(r, destinations, &flow));
    for (const struct json_node *n = streams->first; n != NULL; n = n->next)
        RF_TRY(read_stream_of_flow(r, n, flow, json_text_at(f, "outputStream")));
    return RF_OK;
}

enum rf_kind rule_read(struct logs *logs, struct arm *arm, struct state_txn *txn,
                       const struct json_node *body, struct rule *out, struct rf_err *err)
{
    struct rule_reader r = {.logs = logs,
                            .arm = arm,
                            .txn = txn,
                            .properties = json_get(body, "properties"),
                            .rule = out,
                            .err = err};
    if (!json_is(r.properties, JSON_T_OBJECT))
        return BAD(&r, "InvalidPayload", "A data collection rule needs 'properties'.");
    out->streams = rf_arena_new(&out->arena, struct rule_stream, RULE_STREAMS_MAX);
    out->flows = rf_arena_new(&out->arena, struct rule_flow, RULE_FLOWS_MAX);
    if (out->streams == NULL || out->flows == NULL) return rf_fail_memory(err, &out->arena);
    RF_TRY(read_streams(&r));
    RF_TRY(read_destinations(&r));
    const struct json_node *flows = json_get(r.properties, "dataFlows");
    if (flows == NULL || flows->type == JSON_T_NULL) return RF_OK;
    if (flows->type != JSON_T_ARRAY)
        return BAD(&r, "InvalidPayload", "'dataFlows' must be a list.");
    for (const struct json_node *f = flows->first; f != NULL; f = f->next) RF_TRY(read_flow(&r, f));
    return RF_OK;
}

/* ---- rules by immutable id -------------------------------------------------------------------------------------------------- */

void rule_unref(struct rule *rule)
{
    if (atomic_fetch_sub(&rule->refs, 1) != 1) return;
    rf_arena_done(&rule->arena);
    free(rule);
}

static uint32_t slot_bucket(rf_str immutable_id)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < immutable_id.len; i++)
        h = (h ^ rf_lower(immutable_id.ptr[i])) * 16777619u;
    return h % SLOT_BUCKETS;
}

static struct rule_slot *find_slot(struct rules *rules, rf_str immutable_id)
{
    struct rule_slot *slot = rules->buckets[slot_bucket(immutable_id)];
    while (slot != NULL && !rf_str_eq_nocase(rf_str_of(slot->immutable_id), immutable_id))
        slot = slot->next;
    return slot;
}

/* False: no memory. */
static bool set_slot(struct rules *rules, rf_str immutable_id, rf_str id)
{
    if (immutable_id.len != IMMUTABLE_ID_BYTES) return true;
    char *copy = strndup((const char *)id.ptr, id.len);
    if (copy == NULL) return false;
    (void)pthread_mutex_lock(&rules->lock);
    struct rule_slot *slot = find_slot(rules, immutable_id);
    if (slot == NULL && (slot = calloc(1, sizeof *slot)) != NULL) {
        struct rule_slot **bucket = &rules->buckets[slot_bucket(immutable_id)];
        memcpy(slot->immutable_id, immutable_id.ptr, IMMUTABLE_ID_BYTES);
        slot->next = *bucket;
        *bucket = slot;
    }
    if (slot != NULL) {
        free(slot->id);
        slot->id = copy;
    }
    (void)pthread_mutex_unlock(&rules->lock);
    if (slot == NULL) free(copy);
    return slot != NULL;
}

static void forget_slot(struct rules *rules, rf_str id)
{
    (void)pthread_mutex_lock(&rules->lock);
    for (uint32_t b = 0; b < SLOT_BUCKETS; b++) {
        for (struct rule_slot **at = &rules->buckets[b]; *at != NULL;) {
            struct rule_slot *slot = *at;
            if (!rf_str_eq_nocase(rf_str_of(slot->id), id)) {
                at = &slot->next;
                continue;
            }
            *at = slot->next;
            if (slot->rule != NULL) rule_unref(slot->rule);
            free(slot->id);
            free(slot);
        }
    }
    (void)pthread_mutex_unlock(&rules->lock);
}

static enum rf_kind compile(struct rules *rules, const char *id, uint64_t generation,
                            struct rule **out, struct rf_err *err)
{
    struct logs *logs = rules->logs;
    struct state_txn *txn;
    struct arm_resource resource;
    struct rule *rule = calloc(1, sizeof *rule);
    if (rule == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a rule");
    rf_arena_init(&rule->arena, RULE_BYTES_MAX);
    atomic_init(&rule->refs, 1);
    rule->generation = generation;
    enum rf_kind kind = state_begin_read(logs->options.state, &txn, err);
    if (kind == RF_OK) {
        kind = arm_get(logs->options.arm, txn, rf_str_of(id), &rule->arena, &resource, err);
        if (kind == RF_OK) rule->id = resource.id;
        if (kind == RF_OK) kind = rule_read(logs, logs->options.arm, txn, resource.body, rule, err);
        state_end(txn);
    }
    if (kind != RF_OK) {
        rule_unref(rule);
        return kind;
    }
    *out = rule;
    return RF_OK;
}

static enum rf_kind unknown_rule(rf_str immutable_id, struct rf_err *err)
{
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound",
                   "Data collection rule with immutable Id '%.*s' not found.",
                   (int)RF_MIN(immutable_id.len, (size_t)100), (const char *)immutable_id.ptr);
}

/* The rule when it is up to date; else NULL, and the resource to read, malloced, when the id is known. */
static struct rule *kept_rule(struct rules *rules, rf_str immutable_id, uint64_t generation,
                              char **id)
{
    struct rule *rule = NULL;
    *id = NULL;
    (void)pthread_mutex_lock(&rules->lock);
    struct rule_slot *slot = find_slot(rules, immutable_id);
    if (slot != NULL && slot->rule != NULL && slot->rule->generation == generation) {
        rule = slot->rule;
        atomic_fetch_add(&rule->refs, 1);
    } else if (slot != NULL) {
        *id = strdup(slot->id);
    }
    (void)pthread_mutex_unlock(&rules->lock);
    return rule;
}

static void keep_rule(struct rules *rules, rf_str immutable_id, struct rule *rule)
{
    struct rule *old = NULL;
    (void)pthread_mutex_lock(&rules->lock);
    struct rule_slot *slot = find_slot(rules, immutable_id);
    if (slot != NULL) {
        old = slot->rule;
        slot->rule = rule;
        atomic_fetch_add(&rule->refs, 1);
    }
    (void)pthread_mutex_unlock(&rules->lock);
    if (old != NULL) rule_unref(old);
}

enum rf_kind rules_find(struct logs *logs, rf_str immutable_id, struct rule **out,
                        struct rf_err *err)
{
    struct rules *rules = logs->rules;
    uint64_t generation = atomic_load(&rules->generation);
    char *id;
    *out = kept_rule(rules, immutable_id, generation, &id);
    if (*out != NULL) return RF_OK;
    if (id == NULL) return unknown_rule(immutable_id, err);
    enum rf_kind kind = compile(rules, id, generation, out, err);
    free(id);
    if (kind == RF_OK) keep_rule(rules, immutable_id, *out);
    return kind;
}

bool rules_admit(struct logs *logs, rf_str immutable_id, rf_usec now, uint32_t *seconds)
{
    struct rules *rules = logs->rules;
    const rf_usec minute = 60 * RF_USEC_PER_SECOND;
    bool admitted = true;
    (void)pthread_mutex_lock(&rules->lock);
    struct rule_slot *slot = find_slot(rules, immutable_id);
    if (slot != NULL) {
        if (now - slot->window >= minute || now < slot->window) {
            slot->window = now;
            slot->calls = 0;
        }
        admitted = slot->calls < RULE_CALLS_PER_MINUTE;
        if (admitted) slot->calls++;
        *seconds = (uint32_t)((slot->window + minute - now) / RF_USEC_PER_SECOND) + 1;
    }
    (void)pthread_mutex_unlock(&rules->lock);
    return admitted;
}

void rules_changed(struct logs *logs)
{
    if (logs->rules != NULL) atomic_fetch_add(&logs->rules->generation, 1);
    captures_changed(logs->captures);
}

/* ---- documents ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind set_immutable_id(struct arm_call *call, struct json_node *properties,
                                     const struct arm_resource *before, const char *prefix,
                                     struct rf_err *err)
{
    const struct json_node *old = before == NULL ? NULL : before->body;
    rf_str id = json_text_at(old, "properties.immutableId");
    if (id.len == 0) {
        uint8_t hex[32];
        rf_str guid = guid_random(call->arena);
        size_t len = 0;
        for (size_t i = 0; i < guid.len && len < sizeof hex; i++)
            if (guid.ptr[i] != '-') hex[len++] = guid.ptr[i];
        id = rf_arena_printf(call->arena, "%s-%.*s", prefix, (int)len, (const char *)hex);
    }
    if (id.ptr == NULL || json_set_text(call->arena, properties, "immutableId", id) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static rf_str origin_of(const struct arm_call *call, const struct logs *logs)
{
    return call->request == NULL ? logs->options.site->origin : call->request->origin;
}

static enum rf_kind set_endpoint(struct arm_call *call, struct json_node *in, const char *name,
                                 rf_str origin, struct rf_err *err)
{
    struct json_node *object = json_object_in(call->arena, in, name);
    if (object == NULL || json_set_text(call->arena, object, "endpoint", origin) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind put_endpoint(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    struct json_node *acls = json_get(properties, "networkAcls");
    if (acls != NULL && acls->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "InvalidPayload", "'networkAcls' must be an object.");
    rf_str access = json_text_at(acls, "publicNetworkAccess");
    static const char *const known[] = {"Enabled", "Disabled", "SecuredByPerimeter"};
    bool is_known = access.len == 0;
    for (size_t i = 0; i < RF_COUNT(known); i++) is_known |= rf_str_is(access, known[i]);
    if (!is_known)
        return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                       "'publicNetworkAccess' must be Enabled, Disabled or SecuredByPerimeter.");
    if (access.len == 0) {
        acls = json_object_in(call->arena, properties, "networkAcls");
        if (acls == NULL ||
            json_set_text(call->arena, acls, "publicNetworkAccess", RF_S("Enabled")) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    RF_TRY(set_immutable_id(call, properties, before, "dce", err));
    if (json_set_text(call->arena, properties, "provisioningState", RF_S("Succeeded")) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind show_endpoint(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    struct rules *rules = call->ctx;
    rf_str origin = origin_of(call, rules->logs);
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(set_endpoint(call, properties, "configurationAccess", origin, err));
    RF_TRY(set_endpoint(call, properties, "logsIngestion", origin, err));
    return set_endpoint(call, properties, "metricsIngestion", origin, err);
}

static bool is_known_kind(rf_str kind)
{
    static const char *const kinds[] = {"Direct",
                                        "Linux",
                                        "Windows",
                                        "WorkspaceTransforms",
                                        "AgentDirectToStore",
                                        "AgentSettings",
                                        "PlatformTelemetry"};
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_eq_nocase(kind, rf_str_of(kinds[i]))) return true;
    return kind.len == 0;
}

static enum rf_kind check_endpoint_id(struct arm_call *call, const struct json_node *properties,
                                      struct rf_err *err)
{
    rf_str id = json_text_at(properties, "dataCollectionEndpointId");
    struct arm_resource endpoint;
    if (id.len == 0) return RF_OK;
    enum rf_kind kind = arm_get(call->arm, call->txn, id, call->arena, &endpoint, NULL);
    if (kind == RF_OK &&
        rf_str_eq_nocase(endpoint.type, RF_S("Microsoft.Insights/dataCollectionEndpoints")))
        return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                   "The data collection endpoint '%.*s' does not exist.",
                   (int)RF_MIN(id.len, (size_t)400), (const char *)id.ptr);
}

/* Azure says InvalidPayload for a bad transformation, and what is bad about it in the details. */
static void name_as_payload(struct arm_call *call, struct rf_err *err)
{
    struct json_node *details = json_new(call->arena, JSON_T_ARRAY);
    struct json_node *detail = json_append(details, json_new(call->arena, JSON_T_OBJECT));
    /* The error's own text does not live as long as the answer. */
    rf_str text = rf_arena_printf(call->arena, "%s", err->text);
    json_set_text(call->arena, detail, "code", rf_str_of(err->code));
    json_set_text(call->arena, detail, "message", text);
    json_set_text(call->arena, detail, "target", RF_S("properties.dataFlows"));
    if (call->request != NULL && text.ptr != NULL) call->request->error_details = details;
    err->code = "InvalidPayload";
}

static enum rf_kind put_rule(struct arm_call *call, struct arm_resource *resource,
                             const struct arm_resource *before, struct rf_err *err)
{
    struct rules *rules = call->ctx;
    struct rule rule = {0};
    struct json_node *properties = json_get(resource->body, "properties");
    if (!is_known_kind(json_text_at(resource->body, "kind")))
        return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                       "'kind' must be Direct, Linux, Windows or WorkspaceTransforms.");
    if (!json_is(properties, JSON_T_OBJECT))
        return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                       "A data collection rule needs 'properties'.");
    RF_TRY(check_endpoint_id(call, properties, err));
    /* What is written into the document must live as long as the call. */
    rf_arena_init(&rule.arena, RULE_BYTES_MAX);
    enum rf_kind kind = rule_read(rules->logs, call->arm, call->txn, resource->body, &rule, err);
    if (kind == RF_INVALID && err != NULL && strcmp(err->code, "InvalidTransformQuery") == 0)
        name_as_payload(call, err);
    struct json_node *copy = kind == RF_OK ? json_clone(call->arena, properties) : NULL;
    rf_arena_done(&rule.arena);
    if (kind != RF_OK) return kind;
    if (copy == NULL) return rf_fail_memory(err, call->arena);
    if (json_set(call->arena, resource->body, RF_S("properties"), copy) == NULL)
        return rf_fail_memory(err, call->arena);
    json_remove(copy, RF_S("endpoints"));
    RF_TRY(capture_put(call, rules->logs, resource->key, copy, err));
    RF_TRY(set_immutable_id(call, copy, before, "dcr", err));
    if (json_set_text(call->arena, copy, "provisioningState", RF_S("Succeeded")) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind show_rule(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    struct rules *rules = call->ctx;
    if (!rf_str_eq_nocase(json_text_at(resource->body, "kind"), RF_S("Direct"))) return RF_OK;
    rf_str origin = origin_of(call, rules->logs);
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    struct json_node *endpoints =
        properties == NULL ? NULL : json_object_in(call->arena, properties, "endpoints");
    if (endpoints == NULL ||
        json_set_text(call->arena, endpoints, "logsIngestion", origin) == NULL ||
        json_set_text(call->arena, endpoints, "metricsIngestion", origin) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind remove_rule(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct rules *rules = call->ctx;
    return capture_put(call, rules->logs, resource->key, NULL, err);
}

static void changed_rule(struct arm_call *call, struct arm_resource *resource)
{
    struct rules *rules = call->ctx;
    if (resource->body == NULL)
        forget_slot(rules, resource->id);
    else
        (void)set_slot(rules, json_text_at(resource->body, "properties.immutableId"), resource->id);
    rules_changed(rules->logs);
}

static enum rf_kind put_association(struct arm_call *call, struct arm_resource *resource,
                                    const struct arm_resource *before, struct rf_err *err)
{
    (void)before;
    static const struct {
        const char *member, *type;
    } targets[] = {{"dataCollectionRuleId", "Microsoft.Insights/dataCollectionRules"},
                   {"dataCollectionEndpointId", "Microsoft.Insights/dataCollectionEndpoints"}};
    struct json_node *properties = json_get(resource->body, "properties");
    uint32_t count = 0;
    for (size_t i = 0; i < RF_COUNT(targets); i++) {
        rf_str id = json_text_at(properties, targets[i].member);
        struct arm_resource target;
        if (id.len == 0) continue;
        enum rf_kind kind = arm_get(call->arm, call->txn, id, call->arena, &target, NULL);
        if (kind != RF_OK || !rf_str_eq_nocase(target.type, rf_str_of(targets[i].type)))
            return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                           "'%s' names no such resource: '%.*s'.", targets[i].member,
                           (int)RF_MIN(id.len, (size_t)400), (const char *)id.ptr);
        count++;
    }
    if (count == 1) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidPayload",
                   "An association has one of 'dataCollectionRuleId' and "
                   "'dataCollectionEndpointId'.");
}

static void changed_association(struct arm_call *call, struct arm_resource *resource)
{
    struct rules *rules = call->ctx;
    (void)resource;
    captures_changed(rules->logs->captures);
}

/* GET {rule}/associations */
static enum rf_kind list_associations(struct arm_call *call, struct arm_resource *resource,
                                      struct rf_err *err)
{
    struct arm_resource *all;
    uint32_t count;
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (answer == NULL || list == NULL) return rf_fail_memory(err, call->arena);
    (void)json_set(call->arena, answer, RF_S("value"), list);
    RF_TRY(arm_list(call->arm, call->txn, "Microsoft.Insights/dataCollectionRuleAssociations",
                    call->arena, &all, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        rf_str rule = json_text_at(all[i].body, "properties.dataCollectionRuleId");
        rf_str endpoint = json_text_at(all[i].body, "properties.dataCollectionEndpointId");
        if (rf_str_eq_nocase(rule, resource->id) || rf_str_eq_nocase(endpoint, resource->id))
            (void)json_append(list, all[i].body);
    }
    return request_answer(call->request, 200, answer);
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------ */

static const char *const versions[] = {
    "2019-11-01-preview", "2021-04-01", "2021-09-01-preview", "2022-06-01", "2023-03-11",
    "2024-03-11",         NULL};

static enum rf_kind load_slots(struct rules *rules, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct logs *logs = rules->logs;
    struct state_txn *txn;
    struct arm_resource *list = NULL;
    uint32_t count = 0;
    rf_arena_init(&arena, 256 << 20);
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = arm_list(logs->options.arm, txn, "Microsoft.Insights/dataCollectionRules",
                                 &arena, &list, &count, err);
    for (uint32_t i = 0; i < count && kind == RF_OK; i++)
        if (!set_slot(rules, json_text_at(list[i].body, "properties.immutableId"), list[i].id))
            kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for the rules");
    state_end(txn);
    return kind;
}

enum rf_kind rules_register(struct logs *logs, struct rf_err *err)
{
    static const char members[] =
        "description dataCollectionEndpointId streamDeclarations{} destinations "
        "logAnalytics workspaceResourceId name dataFlows streams transformKql "
        "builtInTransform outputStream dataSources dataImports eventHub stream consumerGroup";
    struct rules *rules = calloc(1, sizeof *rules);
    if (rules == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for rules");
    rules->logs = logs;
    logs->rules = rules;
    atomic_init(&rules->generation, 1);
    (void)pthread_mutex_init(&rules->lock, NULL);
    rules->rule_actions[0] =
        (struct arm_action){.name = "associations", .method = HTTP_GET, .run = list_associations};
    rules->endpoint_actions[0] = rules->rule_actions[0];
    rules->types[0] = (struct arm_type){.name = "Microsoft.Insights/dataCollectionRules",
                                        .versions = versions,
                                        .members = members,
                                        .flags = ARM_TRACKED,
                                        .put = put_rule,
                                        .remove = remove_rule,
                                        .changed = changed_rule,
                                        .show = show_rule,
                                        .actions = rules->rule_actions,
                                        .action_count = 1,
                                        .ctx = rules};
    rules->types[1] = (struct arm_type){.name = "Microsoft.Insights/dataCollectionEndpoints",
                                        .versions = versions,
                                        .flags = ARM_TRACKED,
                                        .put = put_endpoint,
                                        .show = show_endpoint,
                                        .actions = rules->endpoint_actions,
                                        .action_count = 1,
                                        .ctx = rules};
    rules->types[2] = (struct arm_type){.name = "Microsoft.Insights/dataCollectionRuleAssociations",
                                        .versions = versions,
                                        .flags = ARM_EXTENSION | ARM_NO_STATE,
                                        .put = put_association,
                                        .changed = changed_association,
                                        .ctx = rules};
    RF_TRY(arm_register(logs->options.arm, rules->types, RF_COUNT(rules->types), err));
    return load_slots(rules, err);
}

void rules_free(struct rules *rules)
{
    if (rules == NULL) return;
    for (uint32_t b = 0; b < SLOT_BUCKETS; b++) {
        for (struct rule_slot *slot = rules->buckets[b], *next; slot != NULL; slot = next) {
            next = slot->next;
            if (slot->rule != NULL) rule_unref(slot->rule);
            free(slot->id);
            free(slot);
        }
    }
    (void)pthread_mutex_destroy(&rules->lock);
    free(rules);
}

struct service *rules_service(struct rules *rules) { return &rules->ingest; }
