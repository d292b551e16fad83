/* types_audit.c - rows about vaults themselves: made, changed, read, deleted, brought back, purged. What changed of access policies and of addresses that are
 * let through has a row for each, as columns of the tables hold one of them; all rows of a request have its correlation id. */
#include <stdio.h>
#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "vault/types_int.h"

enum {
    NOTE_BYTES_MAX = 4 << 20,
    NOTES_MAX = 256, /* of requests that failed behind the hook: the oldest make way */
    CHANGES_MAX = 100
};

/* ---- members of a row ---------------------------------------------------------------------------------------------------------- */

/* Continues an object that has members already. */
static struct json_out more_to(struct rf_buf *buf)
{
    return (struct json_out){.buf = buf, .comma = true};
}

static void put_bool(struct json_out *out, const char *name, const struct json_node *properties,
                     const char *member)
{
    const struct json_node *node = json_get(properties, member);
    if (json_is(node, JSON_T_TRUE) || json_is(node, JSON_T_FALSE))
        json_put_bool(out, name, node->type == JSON_T_TRUE);
}

static void put_number(struct json_out *out, const char *name, const struct json_node *properties,
                       const char *member)
{
    int64_t number;
    if (json_i64_at(properties, member, &number)) json_put_i64(out, name, number);
}

static void put_text(struct json_out *out, const char *name, rf_str text)
{
    if (text.len > 0) json_put_text(out, name, text);
}

static void put_node(struct json_out *out, const char *name, const struct json_node *node)
{
    if (node != NULL && node->type != JSON_T_NULL) json_put_node(out, name, node);
}

/* For AZKVAuditLogs. */
static void put_audit(struct json_out *out, const struct json_node *properties)
{
    put_bool(out, "EnabledForDeployment", properties, "enabledForDeployment");
    put_bool(out, "EnabledForDiskEncryption", properties, "enabledForDiskEncryption");
    put_bool(out, "EnabledForTemplateDeployment", properties, "enabledForTemplateDeployment");
    put_bool(out, "EnablePurgeProtection", properties, "enablePurgeProtection");
    put_bool(out, "EnableRbacAuthorization", properties, "enableRbacAuthorization");
    put_bool(out, "EnableSoftDelete", properties, "enableSoftDelete");
    put_number(out, "SoftDeleteRetentionInDays", properties, "softDeleteRetentionInDays");
    put_node(out, "Sku", json_get(properties, "sku"));
    put_node(out, "NetworkAcls", json_get(properties, "networkAcls"));
    put_node(out, "VaultProperties", properties);
}

/* For AzureDiagnostics. */
static void put_diagnostics(struct json_out *out, const struct json_node *properties)
{
    put_bool(out, "properties_enabledForDeployment_b", properties, "enabledForDeployment");
    put_bool(out, "properties_enabledForDiskEncryption_b", properties, "enabledForDiskEncryption");
    put_bool(out, "properties_enabledForTemplateDeployment_b", properties,
             "enabledForTemplateDeployment");
    put_bool(out, "properties_enableRbacAuthorization_b", properties, "enableRbacAuthorization");
    put_bool(out, "properties_enableSoftDelete_b", properties, "enableSoftDelete");
    put_bool(out, "properties_enablePurgeProtection_b", properties, "enablePurgeProtection");
    put_number(out, "properties_softDeleteRetentionInDays_d", properties,
               "softDeleteRetentionInDays");
    put_text(out, "properties_tenantId_g", json_text_at(properties, "tenantId"));
    put_text(out, "properties_sku_Family_s", json_text_at(properties, "sku.family"));
    put_text(out, "properties_sku_Name_s", json_text_at(properties, "sku.name"));
    put_text(out, "properties_networkAcls_bypass_s",
             json_text_at(properties, "networkAcls.bypass"));
    put_text(out, "properties_networkAcls_defaultAction_s",
             json_text_at(properties, "networkAcls.defaultAction"));
}

/* ---- what changed ---------------------------------------------------------------------------------------------------------------- */

static void put_policy(struct json_out *out, struct rf_arena *arena, const char *prefix,
                       const struct json_node *entry)
{
    static const char *const kinds[] = {"keys", "secrets", "certificates"};
    char name[80];
    if (entry == NULL) return;
    (void)snprintf(name, sizeof name, "%s_TenantId_g", prefix);
    put_text(out, name, json_text_at(entry, "tenantId"));
    (void)snprintf(name, sizeof name, "%s_ObjectId_g", prefix);
    put_text(out, name, json_text_at(entry, "objectId"));
    for (size_t i = 0; i < RF_COUNT(kinds); i++) {
        const struct json_node *words = json_get(json_get(entry, "permissions"), kinds[i]);
        if (!json_is(words, JSON_T_ARRAY)) continue;
        (void)snprintf(name, sizeof name, "%s_Permissions_%s_s", prefix, kinds[i]);
        put_text(out, name, json_to_text(arena, words));
    }
}

struct differences {
    struct rf_buf bufs[CHANGES_MAX];
    struct json_out outs[CHANGES_MAX];
    uint32_t policies, added, removed; /* rows that have one already */
};

static struct json_out *row_at(struct differences *d, uint32_t *count)
{
    return *count < CHANGES_MAX ? &d->outs[(*count)++] : NULL;
}

/* The first `after` that `before` has not, and so on; an entry with other words is both added and removed. */
static void compare_policies(struct differences *d, struct rf_arena *arena,
                             const struct json_node *before, const struct json_node *after)
{
    struct json_out *row;
    const struct json_node *item = after == NULL ? NULL : after->first;
    for (; item != NULL; item = item->next) {
        const struct json_node *old = vault_policy_find(before, item);
        if (old != NULL && json_equal(json_get(old, "permissions"), json_get(item, "permissions")))
            continue;
        if ((row = row_at(d, &d->policies)) == NULL) return;
        put_policy(row, arena, "addedAccessPolicy", item);
        put_policy(row, arena, "removedAccessPolicy", old);
    }
    item = before == NULL ? NULL : before->first;
    for (; item != NULL; item = item->next) {
        if (vault_policy_find(after, item) != NULL) continue;
        if ((row = row_at(d, &d->policies)) == NULL) return;
        put_policy(row, arena, "removedAccessPolicy", item);
    }
}

static bool has_rule(const struct json_node *list, rf_str value)
{
    const struct json_node *item = list == NULL ? NULL : list->first;
    for (; item != NULL; item = item->next)
        if (rf_str_eq_nocase(json_text_at(item, "value"), value)) return true;
    return false;
}

static void compare_rules(struct differences *d, uint32_t *count, const char *column,
                          const struct json_node *before, const struct json_node *after)
{
    const struct json_node *item = after == NULL ? NULL : after->first;
    for (; item != NULL; item = item->next) {
        rf_str value = json_text_at(item, "value");
        if (has_rule(before, value)) continue;
        struct json_out *row = row_at(d, count);
        if (row == NULL) return;
        json_put_text(row, column, value);
    }
}

static bool find_changes(struct vault_note *note, const struct json_node *before,
                         const struct json_node *after)
{
    static const char rbac[] = "enableRbacAuthorization";
    struct rf_arena *arena = &note->arena;
    struct differences *d = rf_arena_new(arena, struct differences, 1);
    note->changes = rf_arena_new(arena, rf_str, CHANGES_MAX);
    if (d == NULL || note->changes == NULL) return false;
    for (uint32_t i = 0; i < CHANGES_MAX; i++) {
        d->bufs[i] = rf_buf_in(arena);
        d->outs[i] = more_to(&d->bufs[i]);
    }
    const struct json_node *old_rules = json_at(before, "networkAcls.ipRules");
    const struct json_node *new_rules = json_at(after, "networkAcls.ipRules");
    compare_policies(d, arena, json_get(before, "accessPolicies"),
                     json_get(after, "accessPolicies"));
    compare_rules(d, &d->added, "addedIpRule_Value_s", old_rules, new_rules);
    compare_rules(d, &d->removed, "removedIpRule_Value_s", new_rules, old_rules);
    note->change_count = RF_MAX(d->policies, RF_MAX(d->added, d->removed));
    bool switched = json_bool_at(before, rbac, true) != json_bool_at(after, rbac, true);
    note->policies = before != NULL && (d->policies > 0 || switched);
    for (uint32_t i = 0; i < note->change_count; i++) {
        if (d->bufs[i].failed) return false;
        note->changes[i] = rf_buf_view(&d->bufs[i]);
    }
    return true;
}

/* ---- notes -------------------------------------------------------------------------------------------------------------------------- */

static void free_note(struct vault_note *note)
{
    if (note == NULL) return;
    rf_arena_done(&note->arena);
    free(note);
}

void vault_notes_free(struct vault_types *types)
{
    while (types->notes != NULL) {
        struct vault_note *next = types->notes->next;
        free_note(types->notes);
        types->notes = next;
    }
}

/* The newest of a request and a vault; the caller frees it. */
static struct vault_note *take(struct vault_types *types, const struct request *request, rf_str key)
{
    struct vault_note **at = &types->notes, *found = NULL;
    (void)pthread_mutex_lock(&types->lock);
    while (*at != NULL && !((*at)->request == request && rf_str_eq((*at)->key, key)))
        at = &(*at)->next;
    if (*at != NULL) {
        found = *at;
        *at = found->next;
        types->note_count--;
    }
    (void)pthread_mutex_unlock(&types->lock);
    return found;
}

static void push(struct vault_types *types, struct vault_note *note)
{
    struct vault_note *oldest = NULL;
    (void)pthread_mutex_lock(&types->lock);
    note->next = types->notes;
    types->notes = note;
    if (++types->note_count > NOTES_MAX) {
        struct vault_note **at = &types->notes;
        while ((*at)->next != NULL) at = &(*at)->next;
        oldest = *at;
        *at = NULL;
        types->note_count--;
    }
    (void)pthread_mutex_unlock(&types->lock);
    free_note(oldest);
}

enum rf_kind vault_note_change(struct arm_call *call, const struct arm_resource *resource,
                               const struct arm_resource *before, const char *operation,
                               struct rf_err *err)
{
    struct vaults *vaults = call->ctx;
    /* Of an attempt that came to nothing. */
    free_note(take(vaults->types, call->request, resource->key));
    struct vault_note *note = calloc(1, sizeof *note);
    if (note == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a vault's row");
    rf_arena_init(&note->arena, NOTE_BYTES_MAX);
    note->request = call->request;
    note->operation = operation;
    bool is_write = strcmp(operation, "VaultPut") == 0 || strcmp(operation, "VaultPatch") == 0;
    const struct json_node *old = before == NULL ? NULL : json_get(before->body, "properties");
    if (is_write && !find_changes(note, old, json_get(resource->body, "properties")))
        note->change_count = 0;
    enum rf_kind kind = RF_OK;
    if (note->policies)
        kind = vault_publish_policies(vaults, call->txn, call->arena, resource->id, resource->name,
                                      err);
    if (kind == RF_OK && rf_arena_str(&note->arena, resource->key, &note->key))
        push(vaults->types, note);
    else
        free_note(note);
    return kind;
}

void vault_note_write(struct arm_call *call, const struct arm_resource *resource)
{
    struct vaults *vaults = call->ctx;
    struct vault_note *note = take(vaults->types, call->request, resource->key);
    if (note == NULL) return;
    for (uint32_t i = 0; i < RF_MAX(note->change_count, 1u); i++) {
        rf_str changes = i < note->change_count ? note->changes[i] : (rf_str){0};
        vault_row_of(vaults, call->request, call->arena, resource->id, note->operation,
                     resource->body, changes);
    }
    free_note(note);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------------------- */

static rf_str uri_of(const struct request *request, struct rf_arena *arena, rf_str version)
{
    if (request == NULL) return (rf_str){0};
    rf_str path = vault_row_cut(request->http->path, 2048);
    return rf_arena_printf(arena, "%.*s%.*s?api-version=%.*s", RF_FMT(request->origin),
                           RF_FMT(path), RF_FMT(version));
}

static rf_str last_segment(rf_str id)
{
    size_t at = id.len;
    while (at > 0 && id.ptr[at - 1] != '/') at--;
    return rf_slice(id, at, id.len);
}

void vault_row_of(struct vaults *vaults, struct request *request, struct rf_arena *arena, rf_str id,
                  const char *operation, const struct json_node *document, rf_str changes)
{
    struct rf_err err = {.code = ""};
    struct rf_buf audit = rf_buf_in(arena), diagnostics = rf_buf_in(arena);
    struct json_out audit_out = more_to(&audit), out = more_to(&diagnostics);
    const struct json_node *properties = json_get(document, "properties");
    rf_str version = {0};
    if (request != NULL)
        version = vault_row_cut(request_parameter(request, "api-version", NULL), 40);
    put_audit(&audit_out, properties);
    put_diagnostics(&out, properties);
    rf_buf_str(&diagnostics, changes);
    /* Who may, arm has checked: with roles, as all of the control plane. */
    const struct vault_verdict verdict = {.by_rbac = true, .address_ok = true};
    rf_usec now = rf_clock_now(vaults->options.clock);
    const struct vault_row row = {.request = request,
                                  .time = request == NULL ? now : request->now,
                                  .end = now,
                                  .vault_id = id,
                                  .operation = operation,
                                  .api_version = version,
                                  .uri = uri_of(request, arena, version),
                                  .id = vault_uri(vaults, last_segment(id), arena),
                                  .status = 200,
                                  .verdict = &verdict,
                                  .more_audit = rf_buf_view(&audit),
                                  .more_diagnostics = rf_buf_view(&diagnostics)};
    bool failed = audit.failed || diagnostics.failed;
    if (failed || vault_row_write(&row, vaults->options.audit, arena, &err) != RF_OK)
        rf_log(RF_ERROR, "audit.row_lost", RF_KV_STR("table", RF_S("AZKVAuditLogs")),
               RF_KV_STR("operation", rf_str_of(operation)));
}
