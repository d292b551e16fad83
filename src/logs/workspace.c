/* workspace.c - Microsoft.OperationalInsights/workspaces, and where workspaces and their functions are looked up. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "kql/bind.h"
#include "logs/purge.h"
#include "logs/workspace_int.h"
#include "tables/content.h"

enum { KEPT_BYTES_MAX = 256 << 20, SHARED_KEY_BYTES = 64 };

const char *const workspace_versions[] = {
    "2015-03-20", "2015-11-01-preview", "2019-08-01-preview", "2020-03-01-preview",
    "2020-08-01", "2020-10-01",         "2021-06-01",         "2021-12-01-preview",
    "2022-10-01", "2023-09-01",         "2025-02-01",         NULL};

/* ---- what is kept in memory --------------------------------------------------------------------------------------------- */

struct kept_function {
    rf_str workspace; /* lower-case id */
    rf_str name, text;
};
struct workspaces {
    pthread_mutex_t lock;
    atomic_uint_fast64_t generation;
    uint64_t loaded; /* the generation of what follows; 0: none */
    struct rf_arena arena;
    struct workspace *items;
    uint32_t count;
    struct kept_function *functions;
    uint32_t function_count;
    struct arm_type types[12];
};

void workspaces_changed(struct logs *logs)
{
    atomic_fetch_add(&logs->workspaces->generation, 1);
    rules_changed(logs);
}

struct workspace workspace_of(const struct arm_resource *resource)
{
    const char *open = "properties.features.enableLogAccessUsingOnlyResourcePermissions";
    return (struct workspace){.id = resource->id,
                              .name = resource->name,
                              .guid = json_text_at(resource->body, "properties.customerId"),
                              .own_rights = !json_bool_at(resource->body, open, true)};
}

static enum rf_kind load_workspaces(struct logs *logs, struct state_txn *txn, struct rf_err *err)
{
    struct workspaces *w = logs->workspaces;
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(logs->options.arm, txn, "Microsoft.OperationalInsights/workspaces", &w->arena,
                    &list, &count, err));
    w->items = rf_arena_new(&w->arena, struct workspace, count);
    if (w->items == NULL) return rf_fail_memory(err, &w->arena);
    w->count = 0;
    for (uint32_t i = 0; i < count; i++) w->items[w->count++] = workspace_of(&list[i]);
    return RF_OK;
}

static enum rf_kind load_functions(struct logs *logs, struct state_txn *txn, struct rf_err *err)
{
    struct workspaces *w = logs->workspaces;
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(logs->options.arm, txn,
                    "Microsoft.OperationalInsights/workspaces/savedSearches", &w->arena, &list,
                    &count, err));
    w->functions = rf_arena_new(&w->arena, struct kept_function, count);
    if (w->functions == NULL) return rf_fail_memory(err, &w->arena);
    w->function_count = 0;
    rf_str mark = RF_S("/savedsearches/");
    for (uint32_t i = 0; i < count; i++) {
        const struct json_node *body = list[i].body;
        rf_str alias = json_text_at(body, "properties.functionAlias");
        rf_str parameters = json_text_at(body, "properties.functionParameters");
        rf_str query = json_text_at(body, "properties.query");
        size_t end = rf_str_find(list[i].key, mark, 0);
        if (alias.len == 0 || end == SIZE_MAX) continue;
        struct kept_function *f = &w->functions[w->function_count++];
        *f = (struct kept_function){.workspace = rf_slice(list[i].key, 0, end),
                                    .name = alias,
                                    .text = rf_arena_printf(&w->arena, "(%.*s) {\n%.*s\n}",
                                                            RF_FMT(parameters), RF_FMT(query))};
        if (f->text.ptr == NULL) return rf_fail_memory(err, &w->arena);
    }
    return RF_OK;
}

/* Holds the lock on RF_OK. */
static enum rf_kind kept_lock(struct logs *logs, struct rf_err *err)
{
    struct workspaces *w = logs->workspaces;
    struct state_txn *txn;
    (void)pthread_mutex_lock(&w->lock);
    uint64_t generation = atomic_load(&w->generation);
    if (w->loaded == generation) return RF_OK;
    w->loaded = 0;
    rf_arena_reset(&w->arena);
    enum rf_kind kind = state_begin_read(logs->options.state, &txn, err);
    if (kind == RF_OK) {
        kind = load_workspaces(logs, txn, err);
        if (kind == RF_OK) kind = load_functions(logs, txn, err);
        state_end(txn);
    }
    if (kind == RF_OK)
        w->loaded = generation;
    else
        (void)pthread_mutex_unlock(&w->lock);
    return kind;
}

/* "group/name" of a workspace. */
static bool is_qualified(const struct workspace *w, rf_str reference)
{
    rf_str mark = RF_S("/resourcegroups/");
    size_t slash = rf_str_find(reference, RF_S("/"), 0);
    if (slash == SIZE_MAX || slash == 0) return false;
    for (size_t at = 0; at + mark.len < w->id.len; at++) {
        if (!rf_str_eq_nocase(rf_slice(w->id, at, at + mark.len), mark)) continue;
        rf_str rest = rf_slice(w->id, at + mark.len, w->id.len);
        size_t end = rf_str_find(rest, RF_S("/"), 0);
        return end != SIZE_MAX &&
               rf_str_eq_nocase(rf_slice(rest, 0, end), rf_slice(reference, 0, slash)) &&
               rf_str_eq_nocase(w->name, rf_slice(reference, slash + 1, reference.len));
    }
    return false;
}

static bool is_meant(const struct workspace *w, rf_str reference)
{
    return rf_str_eq_nocase(w->guid, reference) || rf_str_eq_nocase(w->name, reference) ||
           rf_str_eq_nocase(w->id, reference) || is_qualified(w, reference);
}

enum rf_kind workspace_find(struct logs *logs, rf_str reference, struct rf_arena *arena,
                            struct workspace *out, struct rf_err *err)
{
    struct workspaces *w = logs->workspaces;
    RF_TRY(kept_lock(logs, err));
    enum rf_kind kind = RF_NOT_FOUND;
    for (uint32_t i = 0; i < w->count && kind == RF_NOT_FOUND; i++) {
        if (!is_meant(&w->items[i], reference)) continue;
        struct workspace found = w->items[i];
        bool copied = rf_arena_str(arena, found.id, &found.id) &&
                      rf_arena_str(arena, found.name, &found.name) &&
                      rf_arena_str(arena, found.guid, &found.guid);
        kind = copied ? RF_OK : rf_fail_memory(err, arena);
        if (copied) *out = found;
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (kind != RF_NOT_FOUND) return kind;
    return RF_FAIL(err, RF_NOT_FOUND, "WorkspaceNotFound", "The workspace '%.*s' does not exist.",
                   (int)RF_MIN(reference.len, (size_t)300), (const char *)reference.ptr);
}

enum rf_kind workspace_functions(struct logs *logs, const struct workspace *workspace,
                                 struct rf_arena *arena, struct stored_function **out,
                                 uint32_t *count, struct rf_err *err)
{
    struct workspaces *w = logs->workspaces;
    RF_TRY(kept_lock(logs, err));
    struct stored_function *list = rf_arena_new(arena, struct stored_function, w->function_count);
    enum rf_kind kind = list == NULL ? rf_fail_memory(err, arena) : RF_OK;
    uint32_t made = 0;
    for (uint32_t i = 0; i < w->function_count && kind == RF_OK; i++) {
        const struct kept_function *f = &w->functions[i];
        if (!rf_str_eq_nocase(f->workspace, workspace->id)) continue;
        struct stored_function *to = &list[made++];
        if (!rf_arena_str(arena, f->name, &to->name) || !rf_arena_str(arena, f->text, &to->text))
            kind = rf_fail_memory(err, arena);
    }
    (void)pthread_mutex_unlock(&w->lock);
    if (kind != RF_OK) return kind;
    *out = list;
    *count = made;
    return RF_OK;
}

/* For who queries the tables of a workspace. */
enum rf_kind workspace_list_functions(void *ctx, rf_str guid, struct rf_arena *arena,
                                      struct stored_function **out, uint32_t *count,
                                      struct rf_err *err)
{
    struct logs *logs = ctx;
    struct workspace workspace;
    *count = 0;
    enum rf_kind kind = workspace_find(logs, guid, arena, &workspace, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* the tables were there before their workspace */
    RF_TRY(kind);
    return workspace_functions(logs, &workspace, arena, out, count, err);
}

enum rf_kind workspace_of_child(struct arm_call *call, rf_str id, rf_str *guid,
                                struct json_node **body, struct rf_err *err)
{
    rf_str mark = RF_S("/workspaces/");
    struct arm_resource workspace;
    size_t end = SIZE_MAX;
    for (size_t at = 0; at + mark.len < id.len && end == SIZE_MAX; at++) {
        if (!rf_str_eq_nocase(rf_slice(id, at, at + mark.len), mark)) continue;
        end = rf_str_find(id, RF_S("/"), at + mark.len);
        if (end == SIZE_MAX) end = id.len;
    }
    if (end == SIZE_MAX)
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "There is no workspace in '%.*s'.",
                       RF_FMT(id));
    RF_TRY(arm_get(call->arm, call->txn, rf_slice(id, 0, end), call->arena, &workspace, err));
    *guid = json_text_at(workspace.body, "properties.customerId");
    if (body != NULL) *body = workspace.body;
    return RF_OK;
}

/* ---- the document -------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    bool fine = name.len >= 4 && name.len <= 63 && rf_is_alnum(name.ptr[0]) &&
                rf_is_alnum(name.ptr[name.len - 1]);
    for (size_t i = 0; i < name.len; i++) fine &= rf_is_alnum(name.ptr[i]) || name.ptr[i] == '-';
    if (fine) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidWorkspaceName",
                   "The name of a workspace has 4 to 63 letters, digits and hyphens, no hyphen at "
                   "its ends.");
}

static enum rf_kind check_sku(struct arm_call *call, struct json_node *properties,
                              struct rf_err *err)
{
    static const char *const names[] = {
        "PerGB2018",           "Free",      "Standard", "Premium", "PerNode", "Standalone",
        "CapacityReservation", "LACluster", "Unlimited"};
    struct json_node *sku = json_get(properties, "sku");
    rf_str name = json_text_at(sku, "name");
    if (sku != NULL && sku->type == JSON_T_OBJECT) {
        for (size_t i = 0; i < RF_COUNT(names); i++)
            if (rf_str_eq_nocase(name, rf_str_of(names[i]))) return RF_OK;
        return BAD_PARAMETER(err, "The pricing tier '%.*s' is unknown.", RF_FMT(name));
    }
    sku = json_object_in(call->arena, properties, "sku");
    if (sku == NULL || json_set_text(call->arena, sku, "name", RF_S("PerGB2018")) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind check_retention(struct arm_call *call, struct json_node *properties,
                                    struct rf_err *err)
{
    struct json_node *given = json_get(properties, "retentionInDays");
    bool is_free = rf_str_eq_nocase(json_text_at(properties, "sku.name"), RF_S("Free"));
    int64_t days = 0, least = is_free ? 7 : RETENTION_DAYS_DEFAULT;
    if (given == NULL || given->type == JSON_T_NULL) {
        if (json_set_i64(call->arena, properties, "retentionInDays", least) == NULL)
            return rf_fail_memory(err, call->arena);
        return RF_OK;
    }
    if (json_i64_at(properties, "retentionInDays", &days) && days >= least &&
        days <= RETENTION_DAYS_MAX)
        return RF_OK;
    return BAD_PARAMETER(err, "'retentionInDays' of a workspace must be %lld to %d.",
                         (long long)least, RETENTION_DAYS_MAX);
}

/* The id of the first workspace was made with the installation. */
static rf_str new_guid(const struct logs *logs, const struct arm_call *call,
                       const struct arm_resource *resource)
{
    const struct site *site = logs->options.site;
    rf_str given = json_text_at(resource->body, "properties.customerId");
    if (call->principal == NULL && guid_is(given)) return resource_key(call->arena, given);
    rf_str first = rf_arena_printf(call->arena,
                                   "/subscriptions/%.*s/resourceGroups/%.*s/providers/"
                                   "Microsoft.OperationalInsights/workspaces/%.*s",
                                   RF_FMT(site->subscription_id), RF_FMT(site->resource_group),
                                   RF_FMT(site->workspace_name));
    if (rf_str_eq_nocase(first, resource->id) && guid_is(site->workspace_id))
        return resource_key(call->arena, site->workspace_id);
    return guid_random(call->arena);
}

static enum rf_kind set_default_text(struct arm_call *call, struct json_node *object,
                                     const char *name, rf_str text, struct rf_err *err)
{
    if (json_text_at(object, name).len > 0) return RF_OK;
    return json_set_text(call->arena, object, name, text) == NULL ? rf_fail_memory(err, call->arena)
                                                                  : RF_OK;
}

static enum rf_kind fill_in(struct arm_call *call, struct json_node *properties, struct rf_err *err)
{
    static const char *const objects[] = {"features", "workspaceCapping"};
    for (size_t i = 0; i < RF_COUNT(objects); i++) {
        const struct json_node *given = json_get(properties, objects[i]);
        if (given != NULL && given->type != JSON_T_OBJECT && given->type != JSON_T_NULL)
            return BAD_PARAMETER(err, "'%s' must be an object.", objects[i]);
    }
    struct json_node *features = json_object_in(call->arena, properties, "features");
    struct json_node *capping = json_object_in(call->arena, properties, "workspaceCapping");
    if (features == NULL || capping == NULL) return rf_fail_memory(err, call->arena);
    const char *by_resource = "enableLogAccessUsingOnlyResourcePermissions";
    if (json_get(features, by_resource) == NULL &&
        json_set_bool(call->arena, features, by_resource, true) == NULL)
        return rf_fail_memory(err, call->arena);
    if (json_get(capping, "dailyQuotaGb") == NULL &&
        json_set_i64(call->arena, capping, "dailyQuotaGb", -1) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(set_default_text(call, capping, "dataIngestionStatus", RF_S("RespectQuota"), err));
    RF_TRY(set_default_text(call, properties, "publicNetworkAccessForIngestion", RF_S("Enabled"),
                            err));
    return set_default_text(call, properties, "publicNetworkAccessForQuery", RF_S("Enabled"), err);
}

static enum rf_kind put_workspace(struct arm_call *call, struct arm_resource *resource,
                                  const struct arm_resource *before, struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (properties == NULL) return rf_fail_memory(err, call->arena);
    if (before == NULL && call->principal != NULL) RF_TRY(check_name(resource->name, err));
    RF_TRY(check_sku(call, properties, err));
    RF_TRY(check_retention(call, properties, err));
    RF_TRY(fill_in(call, properties, err));
    rf_str now = time_iso(call->arena, call->now), created = now;
    rf_str guid = {0};
    if (before != NULL) {
        guid = json_text_at(before->body, "properties.customerId");
        created = json_text_at(before->body, "properties.createdDate");
    }
    if (guid.len == 0) guid = new_guid(logs, call, resource);
    if (guid.ptr == NULL || json_set_text(call->arena, properties, "customerId", guid) == NULL ||
        json_set_text(call->arena, properties, "createdDate", created) == NULL ||
        json_set_text(call->arena, properties, "modifiedDate", now) == NULL)
        return rf_fail_memory(err, call->arena);
    return RF_OK;
}

/* Once it is gone nobody knows its id, so it is looked up before. */
static enum rf_kind remove_workspace(struct arm_call *call, struct arm_resource *resource,
                                     struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct workspaces *w = logs->workspaces;
    (void)resource;
    RF_TRY(kept_lock(logs, err));
    (void)pthread_mutex_unlock(&w->lock);
    return RF_OK;
}

/* The GUID of a workspace as it was when the list was made. */
static void drop_tables(struct logs *logs, const struct arm_resource *resource)
{
    struct workspaces *w = logs->workspaces;
    char guid[GUID_TEXT_BYTES + 1] = "";
    struct rf_err err;
    (void)pthread_mutex_lock(&w->lock);
    for (uint32_t i = 0; i < w->count; i++)
        if (rf_str_eq_nocase(w->items[i].id, resource->id))
            (void)snprintf(guid, sizeof guid, "%.*s", RF_FMT(w->items[i].guid));
    (void)pthread_mutex_unlock(&w->lock);
    if (guid[0] == '\0') return;
    if (tables_drop_workspace(logs->options.tables, rf_str_of(guid), &err) != RF_OK)
        tables_log_failure("tables.drop_failed", resource->name, &err);
}

static void changed_workspace(struct arm_call *call, struct arm_resource *resource)
{
    struct logs *logs = call->ctx;
    int64_t days = RETENTION_DAYS_DEFAULT;
    if (resource->body == NULL) drop_tables(logs, resource);
    workspaces_changed(logs);
    if (resource->body == NULL) return;
    (void)json_i64_at(resource->body, "properties.retentionInDays", &days);
    struct rf_err err;
    if (tables_set_default_retention(logs->options.tables,
                                     json_text_at(resource->body, "properties.customerId"),
                                     RETENTION_TICKS(days), &err) != RF_OK)
        tables_log_failure("tables.retention_not_set", resource->name, &err);
}

/* ---- keys of the old Data Collector API --------------------------------------------------------------------------------------- */

#define KEY_SPACE "workspaceKey"

/* How often each key was made anew. */
static enum rf_kind key_turns(struct state_txn *txn, rf_str guid, struct rf_arena *arena,
                              int64_t turns[2], struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    turns[0] = turns[1] = 0;
    enum rf_kind kind = state_get(txn, KEY_SPACE, guid, arena, &object, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    if (kind != RF_OK) return kind;
    RF_TRY(json_parse(object.body, arena, &body, err));
    (void)json_i64_at(body, "primary", &turns[0]);
    (void)json_i64_at(body, "secondary", &turns[1]);
    return RF_OK;
}

/* Keys are made of the tables' key and never stored. */
static enum rf_kind make_key(struct logs *logs, rf_str guid, int which, int64_t turn,
                             uint8_t out[SHARED_KEY_BYTES], struct rf_err *err)
{
    const struct extent_key *key = tables_key(logs->options.tables);
    char text[100];
    if (!key->present)
        return RF_FAIL(err, RF_INVALID, "KeysNotAvailable",
                       "This installation stores its tables without a key, so that workspaces have "
                       "no shared keys.");
    for (int half = 0; half < 2; half++) {
        int len = snprintf(text, sizeof text, "workspace key %.*s %d %lld %d", RF_FMT(guid), which,
                           (long long)turn, half);
        digest_hmac_sha256(rf_str_make(key->bytes, sizeof key->bytes),
                           rf_str_make(text, (size_t)len), out + half * 32);
    }
    return RF_OK;
}

enum rf_kind workspace_shared_key(struct logs *logs, struct state_txn *txn, rf_str guid, int which,
                                  uint8_t out[64], struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    int64_t turns[2];
    rf_arena_init(&arena, 1 << 20);
    RF_TRY(key_turns(txn, guid, &arena, turns, err));
    return make_key(logs, guid, which, turns[which], out, err);
}

static enum rf_kind answer_keys(struct arm_call *call, rf_str guid, const int64_t turns[2],
                                struct rf_err *err)
{
    static const char *const names[] = {"primarySharedKey", "secondarySharedKey"};
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    for (int i = 0; i < 2; i++) {
        uint8_t key[SHARED_KEY_BYTES];
        RF_TRY(make_key(call->ctx, guid, i, turns[i], key, err));
        rf_str text = base64_encode(call->arena, rf_str_make(key, sizeof key));
        explicit_bzero(key, sizeof key);
        if (json_set_text(call->arena, answer, names[i], text) == NULL)
            return rf_fail_memory(err, call->arena);
    }
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    return request_answer(call->request, 200, answer);
}

static enum rf_kind show_keys(struct arm_call *call, struct arm_resource *resource,
                              struct rf_err *err)
{
    rf_str guid = json_text_at(resource->body, "properties.customerId");
    int64_t turns[2];
    RF_TRY(key_turns(call->txn, guid, call->arena, turns, err));
    return answer_keys(call, guid, turns, err);
}

static enum rf_kind renew_keys(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct logs *logs = call->ctx;
    rf_str guid = json_text_at(resource->body, "properties.customerId");
    struct state_txn *txn;
    int64_t turns[2];
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    enum rf_kind kind = key_turns(txn, guid, call->arena, turns, err);
    turns[0]++;
    turns[1]++;
    struct state_put put = {.space = KEY_SPACE,
                            .key = guid,
                            .body = rf_arena_printf(call->arena,
                                                    "{\"primary\":%lld,\"secondary\":%lld}",
                                                    (long long)turns[0], (long long)turns[1])};
    if (kind == RF_OK) kind = state_put(txn, &put, NULL, NULL, err);
    if (kind != RF_OK) {
        state_end(txn);
        return kind;
    }
    RF_TRY(state_commit(txn, err));
    return answer_keys(call, guid, turns, err);
}

/* ---- further actions ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_list(struct arm_call *call, struct json_node *list, struct rf_err *err)
{
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    if (answer == NULL || list == NULL ||
        json_set(call->arena, answer, RF_S("value"), list) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, answer);
}

static enum rf_kind list_nothing(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    (void)resource;
    return answer_list(call, json_new(call->arena, JSON_T_ARRAY), err);
}

static enum rf_kind list_packs(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    static const struct {
        const char *name, *shown;
        bool enabled;
    } packs[] = {{"LogManagement", "Log Management", true},
                 {"SecurityInsights", "Microsoft Sentinel", true},
                 {"Security", "Security and Audit", false}};
    (void)resource;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    for (size_t i = 0; i < RF_COUNT(packs); i++) {
        struct json_node *pack = json_append(list, json_new(call->arena, JSON_T_OBJECT));
        json_set_text(call->arena, pack, "name", rf_str_of(packs[i].name));
        json_set_bool(call->arena, pack, "enabled", packs[i].enabled);
        json_set_text(call->arena, pack, "displayName", rf_str_of(packs[i].shown));
    }
    if (list == NULL || list->count != RF_COUNT(packs)) return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, list);
}

static enum rf_kind list_tiers(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    (void)resource;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    struct json_node *tier = json_append(list, json_new(call->arena, JSON_T_OBJECT));
    json_set_text(call->arena, tier, "serviceTier", RF_S("PerGB2018"));
    json_set_bool(call->arena, tier, "enabled", true);
    json_set_i64(call->arena, tier, "minimumRetention", RETENTION_DAYS_DEFAULT);
    json_set_i64(call->arena, tier, "maximumRetention", RETENTION_DAYS_MAX);
    if (json_set_i64(call->arena, tier, "defaultRetention", RETENTION_DAYS_DEFAULT) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, list);
}

static bool add_schema_column(struct rf_arena *arena, struct json_node *list,
                              const struct table_def *def, const struct table_column *column)
{
    struct json_node *item = json_append(list, json_new(arena, JSON_T_OBJECT));
    struct json_node *owners = json_new(arena, JSON_T_ARRAY);
    json_set_text(arena, item, "name", column->name);
    json_set_text(arena, item, "displayName", column->name);
    json_set_text(arena, item, "type", rf_str_of(type_name((enum type)column->type)));
    json_set_bool(arena, item, "indexed", true);
    json_set_bool(arena, item, "stored", true);
    json_set_bool(arena, item, "facet", false);
    return json_append(owners, json_new_text(arena, def->name)) != NULL &&
           json_set(arena, item, RF_S("ownerType"), owners) != NULL;
}

static enum rf_kind show_schema(struct arm_call *call, struct arm_resource *resource,
                                struct rf_err *err)
{
    struct logs *logs = call->ctx;
    struct table_def *defs;
    uint32_t count;
    RF_TRY(tables_list(logs->options.tables, json_text_at(resource->body, "properties.customerId"),
                       call->arena, &defs, &count, err));
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *metadata = json_object_in(call->arena, answer, "metadata");
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    json_set_text(call->arena, metadata, "resultType", RF_S("schema"));
    for (uint32_t t = 0; t < count; t++)
        for (uint32_t i = 0; i < defs[t].column_count; i++)
            if (!add_schema_column(call->arena, list, &defs[t], &defs[t].columns[i]))
                return rf_fail_memory(err, call->arena);
    if (json_set(call->arena, answer, RF_S("value"), list) == NULL)
        return rf_fail_memory(err, call->arena);
    return request_answer(call->request, 200, answer);
}

static const struct arm_action workspace_actions[] = {
    {.name = "sharedKeys", .method = HTTP_POST, .run = show_keys},
    {.name = "regenerateSharedKey", .method = HTTP_POST, .run = renew_keys},
    {.name = "schema", .method = HTTP_POST, .run = show_schema},
    {.name = "purge", .method = HTTP_POST, .run = purge_start},
    {.name = "usages", .method = HTTP_GET, .run = list_nothing},
    {.name = "managementGroups", .method = HTTP_GET, .run = list_nothing},
    {.name = "intelligencePacks", .method = HTTP_GET, .run = list_packs},
    {.name = "availableServiceTiers", .method = HTTP_GET, .run = list_tiers},
};

static const char workspace_members[] =
    "sku name capacityReservationLevel retentionInDays workspaceCapping dailyQuotaGb "
    "publicNetworkAccessForIngestion publicNetworkAccessForQuery forceCmkForQuery "
    "features defaultDataCollectionRuleResourceId";

struct arm_type workspace_type(struct logs *logs)
{
    return (struct arm_type){.name = "Microsoft.OperationalInsights/workspaces",
                             .versions = workspace_versions,
                             .members = workspace_members,
                             .flags = ARM_TRACKED,
                             .put = put_workspace,
                             .remove = remove_workspace,
                             .changed = changed_workspace,
                             .actions = workspace_actions,
                             .action_count = RF_COUNT(workspace_actions),
                             .ctx = logs};
}

/* ---- life ------------------------------------------------------------------------------------------------------------------------- */

/* Tables and retention of what is stored. */
static enum rf_kind define_stored(struct logs *logs, struct state_txn *txn, struct rf_arena *arena,
                                  struct rf_err *err)
{
    struct arm_call call = {.arm = logs->options.arm, .txn = txn, .arena = arena, .ctx = logs};
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(call.arm, txn, "Microsoft.OperationalInsights/workspaces", arena, &list, &count,
                    err));
    for (uint32_t i = 0; i < count; i++) changed_workspace(&call, &list[i]);
    RF_TRY(arm_list(call.arm, txn, "Microsoft.OperationalInsights/workspaces/tables", arena, &list,
                    &count, err));
    for (uint32_t i = 0; i < count; i++) {
        rf_str guid;
        if (workspace_of_child(&call, list[i].id, &guid, NULL, NULL) != RF_OK) continue;
        RF_TRY(workspace_table_define(logs, guid, list[i].body, err));
    }
    return RF_OK;
}

static struct arm_type plain_type(const char *name, unsigned flags)
{
    return (struct arm_type){.name = name, .versions = workspace_versions, .flags = flags};
}

static enum rf_kind register_types(struct logs *logs, struct rf_err *err)
{
    struct arm_type *types = logs->workspaces->types;
    uint32_t n = 0;
    types[n++] = workspace_type(logs);
    types[n++] = workspace_table_type(logs);
    types[n++] = purge_operation_type(logs);
    types[n++] = saved_search_type(logs);
    types[n++] = data_export_type(logs);
    types[n++] = query_pack_type(logs);
    types[n++] = query_pack_query_type(logs);
    types[n++] = plain_type("Microsoft.OperationalInsights/workspaces/linkedServices", 0);
    types[n++] = plain_type("Microsoft.OperationalInsights/workspaces/linkedStorageAccounts",
                            ARM_PUT_200_ALWAYS | ARM_NO_STATE);
    types[n++] = plain_type("Microsoft.OperationalInsights/workspaces/dataSources", ARM_NO_STATE);
    types[n++] =
        plain_type("Microsoft.OperationalInsights/workspaces/storageInsightConfigs", ARM_NO_STATE);
    RF_ASSERT(n <= RF_COUNT(logs->workspaces->types));
    return arm_register(logs->options.arm, types, n, err);
}

enum rf_kind workspace_register(struct logs *logs, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct state_txn *txn;
    rf_arena_init(&arena, KEPT_BYTES_MAX);
    struct workspaces *w = calloc(1, sizeof *w);
    if (w == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for workspaces");
    logs->workspaces = w;
    (void)pthread_mutex_init(&w->lock, NULL);
    rf_arena_init(&w->arena, KEPT_BYTES_MAX);
    atomic_init(&w->generation, 1);
    RF_TRY(register_types(logs, err));
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = define_stored(logs, txn, &arena, err);
    state_end(txn);
    return kind;
}

void workspaces_free(struct workspaces *w)
{
    if (w == NULL) return;
    rf_arena_done(&w->arena);
    (void)pthread_mutex_destroy(&w->lock);
    free(w);
}
