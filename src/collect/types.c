/* types.c - Ringfort.Collect/listeners and Ringfort.Collect/tokens:
 *
 *   listeners  {protocol: syslog-udp|syslog-tcp|syslog-tls, workspaceResourceId, allowedAddresses: [CIDR], address: ":PORT" (one of those
 *              that are configured; absent: all of the protocol), timeZone: "Europe/Berlin", and for TLS
 *              clientCertificate: Required|Optional, trustedCertificates: PEM, subjects: [name]}; shown with `status`
 *   both       dataCollectionRuleId, streamName: rows go through that rule's transformations
 *   tokens     {workspaceResourceId, uses: [hec, otlp, tables, windows, syslog], enabled, secret (only written)}; the action
 *              regenerateKey makes a new secret and shows it, this once */
#include "base/encode.h"
#include "collect/collect_int.h"
#include "crypt/x509.h"

enum {
    SECRET_BYTES_MIN = 20,
    SECRET_BYTES_MAX = 256,
    SUBJECTS_MAX = 1000,
    PEM_BYTES_MAX = 64 << 10,
    RULE_ID_BYTES_MAX = 40,
    STREAM_BYTES_MAX = 200
};

#define BAD(err, ...) RF_FAIL(err, RF_INVALID, "InvalidParameter", __VA_ARGS__)

static const char *const versions[] = {"2026-01-01", NULL};

/* ---- what both have ------------------------------------------------------------------------------------------------------- */

static rf_str nth_name(const void *state, size_t index)
{
    return rf_str_of(((const char *const *)state)[index]);
}

static enum rf_kind known_members(const struct json_node *properties, const char *const *names,
                                  size_t count, struct rf_err *err)
{
    for (const struct json_node *m = properties->first; m != NULL; m = m->next) {
        rf_str near = {0};
        bool known = false;
        for (size_t i = 0; i < count; i++) known |= rf_str_is(m->name, names[i]);
        if (known) continue;
        const char *there = rf_nearest(m->name, count, nth_name, names, &near);
        return BAD(err, "The property '%.*s' is not known.%s%.*s%s",
                   (int)RF_MIN(m->name.len, (size_t)100), (const char *)m->name.ptr,
                   there == NULL ? "" : " Did you mean '", RF_FMT(near), there == NULL ? "" : "'?");
    }
    return RF_OK;
}

/* `dataCollectionRuleId` and `streamName`: rows go through that rule's transformations. */
static enum rf_kind read_rule(struct arm *arm, struct state_txn *txn,
                              const struct json_node *properties, struct rf_arena *arena,
                              struct sink_route *out, struct rf_err *err)
{
    rf_str id = json_text_at(properties, "dataCollectionRuleId");
    rf_str stream = json_text_at(properties, "streamName");
    struct arm_resource rule;
    struct rf_err inner = {.code = ""};
    if (id.len == 0 && stream.len > 0)
        return BAD(err, "'streamName' needs 'dataCollectionRuleId', the rule that has the stream.");
    if (id.len == 0) return RF_OK;
    enum rf_kind kind = arm_get(arm, txn, id, arena, &rule, &inner);
    if (kind != RF_OK && kind != RF_NOT_FOUND && kind != RF_INVALID) {
        if (err != NULL) *err = inner;
        return kind;
    }
    bool fits = kind == RF_OK &&
                rf_str_eq_nocase(rule.type, RF_S("Microsoft.Insights/dataCollectionRules"));
    rf_str immutable_id = fits ? json_text_at(rule.body, "properties.immutableId") : (rf_str){0};
    if (immutable_id.len == 0 || immutable_id.len > RULE_ID_BYTES_MAX)
        return BAD(err, "The data collection rule '%.*s' does not exist.",
                   (int)RF_MIN(id.len, (size_t)300), (const char *)id.ptr);
    bool found = stream.len == 0;
    const struct json_node *flows = json_at(rule.body, "properties.dataFlows");
    for (const struct json_node *f = flows == NULL ? NULL : flows->first; f != NULL; f = f->next) {
        const struct json_node *streams = json_get(f, "streams");
        for (const struct json_node *n = streams == NULL ? NULL : streams->first; n != NULL;
             n = n->next)
            found |= rf_str_eq_nocase(n->text, stream);
    }
    if (!found || stream.len > STREAM_BYTES_MAX)
        return BAD(err, "No data flow of the rule '%.*s' has the stream '%.*s'.", RF_FMT(rule.name),
                   (int)RF_MIN(stream.len, (size_t)200), (const char *)stream.ptr);
    out->rule = immutable_id;
    out->stream = stream;
    return RF_OK;
}

static enum rf_kind read_workspace(struct arm *arm, struct state_txn *txn,
                                   const struct json_node *properties, struct rf_arena *arena,
                                   rf_str *guid, struct rf_err *err)
{
    rf_str id = json_text_at(properties, "workspaceResourceId");
    struct arm_resource workspace;
    struct rf_err inner = {.code = ""};
    if (id.len == 0)
        return BAD(err, "'workspaceResourceId' is missing: rows go to that workspace's tables.");
    enum rf_kind kind = arm_get(arm, txn, id, arena, &workspace, &inner);
    bool fits = kind == RF_OK &&
                rf_str_eq_nocase(workspace.type, RF_S("Microsoft.OperationalInsights/workspaces"));
    if (kind != RF_OK && kind != RF_NOT_FOUND && kind != RF_INVALID) {
        if (err != NULL) *err = inner;
        return kind;
    }
    rf_str text = fits ? json_text_at(workspace.body, "properties.customerId") : (rf_str){0};
    if (!guid_is(text))
        return BAD(err, "The workspace '%.*s' does not exist.", (int)RF_MIN(id.len, (size_t)300),
                   (const char *)id.ptr);
    *guid = resource_key(arena, text);
    return guid->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind the_properties(const struct arm_resource *resource, struct json_node **out,
                                   struct rf_err *err)
{
    *out = json_get(resource->body, "properties");
    return json_is(*out, JSON_T_OBJECT) ? RF_OK : BAD(err, "'properties' is missing.");
}

/* A list of texts that is there or not. */
static enum rf_kind text_list(const struct json_node *properties, const char *name, uint32_t most,
                              const struct json_node **first, uint32_t *count, struct rf_err *err)
{
    const struct json_node *list = json_get(properties, name);
    *first = NULL;
    *count = 0;
    if (list == NULL || list->type == JSON_T_NULL) return RF_OK;
    if (list->type != JSON_T_ARRAY || list->count > most)
        return BAD(err, "'%s' must be a list of at most %u texts.", name, most);
    for (const struct json_node *n = list->first; n != NULL; n = n->next)
        if (n->type != JSON_T_STRING || n->text.len == 0)
            return BAD(err, "'%s' must be a list of texts.", name);
    *first = list->first;
    *count = list->count;
    return RF_OK;
}

/* ---- listeners ------------------------------------------------------------------------------------------------------------ */

/* The port behind the last colon. */
static enum rf_kind read_port(rf_str address, uint16_t *port, struct rf_err *err)
{
    uint32_t number = 0;
    size_t colon = address.len;
    *port = 0;
    if (address.len == 0) return RF_OK;
    while (colon > 0 && address.ptr[colon - 1] != ':') colon--;
    for (size_t i = colon; i < address.len && number <= UINT16_MAX; i++)
        number = rf_is_digit(address.ptr[i]) ? number * 10 + (uint32_t)(address.ptr[i] - '0')
                                             : UINT32_MAX / 16;
    if (colon == 0 || number == 0 || number > UINT16_MAX)
        return BAD(err, "'address' must be ADDRESS:PORT or :PORT, of an address that the server "
                        "listens at (collect.udp, .tcp, .tls of its configuration).");
    *port = (uint16_t)number;
    return RF_OK;
}

static enum rf_kind read_networks(const struct json_node *properties, struct rf_arena *arena,
                                  struct collect_listener *out, struct rf_err *err)
{
    const struct json_node *first;
    uint32_t count;
    RF_TRY(text_list(properties, "allowedAddresses", COLLECT_NETWORKS_MAX, &first, &count, err));
    struct ip6_range *networks = rf_arena_new(arena, struct ip6_range, count);
    uint32_t *prefixes = rf_arena_new(arena, uint32_t, count);
    if (networks == NULL || prefixes == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++, first = first->next)
        if (!network_parse(first->text, &networks[i], &prefixes[i]))
            return BAD(err,
                       "'%.*s' in 'allowedAddresses' is neither an address nor a network "
                       "such as 10.20.0.0/16.",
                       (int)RF_MIN(first->text.len, (size_t)100), (const char *)first->text.ptr);
    out->networks = networks;
    out->prefixes = prefixes;
    out->network_count = count;
    return RF_OK;
}

static enum rf_kind read_certificates(const struct json_node *properties, struct rf_arena *arena,
                                      struct collect_listener *out, struct rf_err *err)
{
    const struct json_node *first;
    struct cert_info info;
    rf_str mode = json_text_at(properties, "clientCertificate");
    rf_str pem = json_text_at(properties, "trustedCertificates");
    if (out->protocol != SYSLOG_TLS) {
        if (mode.len > 0 || pem.len > 0 || json_get(properties, "subjects") != NULL)
            return BAD(err, "'clientCertificate', 'trustedCertificates' and 'subjects' are for "
                            "syslog-tls.");
        return RF_OK;
    }
    bool optional = rf_str_is(mode, "Optional");
    if (mode.len > 0 && !optional && !rf_str_is(mode, "Required"))
        return BAD(err, "'clientCertificate' must be Required or Optional.");
    if (pem.len > PEM_BYTES_MAX || (pem.len > 0 && cert_read(pem, arena, &info, NULL) != RF_OK))
        return BAD(err, "'trustedCertificates' must be certificates in PEM of at most %d bytes.",
                   PEM_BYTES_MAX);
    RF_TRY(text_list(properties, "subjects", SUBJECTS_MAX, &first, &out->subject_count, err));
    rf_str *subjects = rf_arena_new(arena, rf_str, out->subject_count);
    if (subjects == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < out->subject_count; i++, first = first->next)
        subjects[i] = first->text;
    out->needs_certificate = !optional;
    out->anchors_pem = pem;
    out->subjects = subjects;
    return RF_OK;
}

static enum rf_kind read_zone(const struct json_node *properties, struct rf_arena *arena,
                              struct collect_listener *out, struct rf_err *err)
{
    rf_str name = json_text_at(properties, "timeZone");
    if (name.len == 0) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena scratch;
    rf_arena_init(&scratch, 1 << 20);
    struct zone *zone = rf_arena_new(arena, struct zone, 1);
    if (zone == NULL) return rf_fail_memory(err, arena);
    RF_TRY(zone_load(name, &scratch, arena, zone, err));
    if (!zone->valid && !rf_str_eq_nocase(name, RF_S("UTC")))
        return BAD(err, "The time zone '%.*s' is not known; names are such as Europe/Berlin.",
                   (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
    out->zone = zone;
    return RF_OK;
}

enum rf_kind listener_read(struct arm *arm, struct state_txn *txn,
                           const struct arm_resource *resource, struct rf_arena *arena,
                           struct collect_listener *out, struct rf_err *err)
{
    static const char *const names[] = {
        "protocol", "address",           "allowedAddresses",     "workspaceResourceId",
        "timeZone", "clientCertificate", "trustedCertificates",  "subjects",
        "status",   "provisioningState", "dataCollectionRuleId", "streamName"};
    struct json_node *properties;
    struct collect_listener made = {.id = resource->id, .name = resource->name};
    RF_TRY(the_properties(resource, &properties, err));
    RF_TRY(known_members(properties, names, RF_COUNT(names), err));
    if (!collect_protocol_of(json_text_at(properties, "protocol"), &made.protocol))
        return BAD(err, "'protocol' must be syslog-udp, syslog-tcp or syslog-tls.");
    RF_TRY(read_port(json_text_at(properties, "address"), &made.port, err));
    RF_TRY(read_networks(properties, arena, &made, err));
    RF_TRY(read_certificates(properties, arena, &made, err));
    if (!made.needs_certificate && made.network_count == 0)
        return BAD(err, "'allowedAddresses' is missing: without a client's certificate only an "
                        "address tells who sends.");
    RF_TRY(read_zone(properties, arena, &made, err));
    RF_TRY(read_workspace(arm, txn, properties, arena, &made.route.workspace, err));
    RF_TRY(read_rule(arm, txn, properties, arena, &made.route, err));
    *out = made;
    return RF_OK;
}

/* Who names a rule sends into its destinations: as with an association, that needs the right to read it. */
static enum rf_kind may_use_rule(struct arm_call *call, const struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    const char *path = "properties.dataCollectionRuleId";
    rf_str id = json_text_at(resource->body, path);
    bool is_new = before == NULL || !rf_str_eq_nocase(json_text_at(before->body, path), id);
    if (id.len == 0 || !is_new || call->request == NULL ||
        request_may(call->request, RF_S("Microsoft.Insights/dataCollectionRules/read"), id, false))
        return RF_OK;
    return RF_FAIL(err, RF_DENIED, "LinkedAuthorizationFailed",
                   "The caller may not read the data collection rule '%.*s'.",
                   (int)RF_MIN(id.len, (size_t)300), (const char *)id.ptr);
}

static enum rf_kind put_listener(struct arm_call *call, struct arm_resource *resource,
                                 const struct arm_resource *before, struct rf_err *err)
{
    struct collect_listener listener;
    RF_TRY(may_use_rule(call, resource, before, err));
    RF_TRY(listener_read(call->arm, call->txn, resource, call->arena, &listener, err));
    json_remove(json_get(resource->body, "properties"), RF_S("status"));
    return RF_OK;
}

static enum rf_kind show_status(struct arm_call *call, struct arm_resource *resource,
                                const char *protocol, struct rf_err *err)
{
    struct collect *collect = call->ctx;
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    struct json_node *status;
    struct rf_buf buf = rf_buf_in(call->arena);
    struct json_out out = json_out_to(&buf);
    health_status(collect->health, resource->name, protocol, &out, NULL);
    if (buf.failed || properties == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(json_parse(rf_buf_view(&buf), call->arena, &status, err));
    return json_set(call->arena, properties, RF_S("status"), status) == NULL
               ? rf_fail_memory(err, call->arena)
               : RF_OK;
}

/* Where the server takes what this listener allows; an empty list says that no such address is configured. */
static enum rf_kind show_ports(struct arm_call *call, struct arm_resource *resource,
                               enum collect_protocol protocol, struct rf_err *err)
{
    const struct collect *collect = call->ctx;
    struct json_node *status = json_at(resource->body, "properties.status");
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    uint16_t only = 0, port;
    if (json_set(call->arena, status, RF_S("listeningPorts"), list) == NULL)
        return rf_fail_memory(err, call->arena);
    if (collect->options.ports == NULL ||
        read_port(json_text_at(resource->body, "properties.address"), &only, err) != RF_OK)
        return RF_OK;
    for (uint32_t i = 0;
         (port = collect_port(collect->options.ports, collect_protocol_name(protocol), i)) != 0;
         i++)
        if ((only == 0 || only == port) &&
            json_append(list, json_new_i64(call->arena, port)) == NULL)
            return rf_fail_memory(err, call->arena);
    return RF_OK;
}

static enum rf_kind show_listener(struct arm_call *call, struct arm_resource *resource,
                                  struct rf_err *err)
{
    enum collect_protocol protocol = SYSLOG_UDP;
    (void)collect_protocol_of(json_text_at(resource->body, "properties.protocol"), &protocol);
    RF_TRY(show_status(call, resource, collect_protocol_name(protocol), err));
    return show_ports(call, resource, protocol, err);
}

static void changed(struct arm_call *call, struct arm_resource *resource)
{
    (void)resource;
    collect_refresh(call->ctx, call->txn);
}

/* ---- tokens --------------------------------------------------------------------------------------------------------------- */

enum rf_kind token_read(struct arm *arm, struct state_txn *txn, const struct arm_resource *resource,
                        struct rf_arena *arena, struct collect_token *out, struct rf_err *err)
{
    static const char *const names[] = {"workspaceResourceId",
                                        "uses",
                                        "enabled",
                                        "secret",
                                        "status",
                                        "hasSecret",
                                        "provisioningState",
                                        "streamName",
                                        "dataCollectionRuleId"};
    static const char *const uses[] = {"hec", "otlp", "tables", "windows", "syslog"};
    struct json_node *properties;
    const struct json_node *first;
    uint32_t count;
    RF_TRY(the_properties(resource, &properties, err));
    RF_TRY(known_members(properties, names, RF_COUNT(names), err));
    struct collect_token made = {.id = resource->id,
                                 .name = resource->name,
                                 .enabled = json_bool_at(properties, "enabled", true)};
    RF_TRY(text_list(properties, "uses", RF_COUNT(uses), &first, &count, err));
    if (count == 0) made.uses = USE_ALL;
    for (; first != NULL; first = first->next) {
        size_t i = 0;
        while (i < RF_COUNT(uses) && !rf_str_eq_nocase(first->text, rf_str_of(uses[i]))) i++;
        if (i == RF_COUNT(uses))
            return BAD(err, "'uses' may name hec, otlp, tables, windows and syslog.");
        made.uses |= 1u << i;
    }
    RF_TRY(read_workspace(arm, txn, properties, arena, &made.route.workspace, err));
    RF_TRY(read_rule(arm, txn, properties, arena, &made.route, err));
    *out = made;
    return RF_OK;
}

static enum rf_kind keep_digest(struct state_txn *txn, rf_str key, rf_str secret,
                                struct rf_arena *arena, struct rf_err *err)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(secret, digest);
    rf_str hex = hex_encode(arena, rf_str_make(digest, sizeof digest));
    rf_str body = rf_arena_printf(arena, "{\"digest\":\"%.*s\"}", RF_FMT(hex));
    explicit_bzero(digest, sizeof digest);
    if (hex.ptr == NULL || body.ptr == NULL) return rf_fail_memory(err, arena);
    struct state_put put = {.space = COLLECT_TOKEN_SPACE, .key = key, .body = body};
    return state_put(txn, &put, NULL, NULL, err);
}

static enum rf_kind put_token(struct arm_call *call, struct arm_resource *resource,
                              const struct arm_resource *before, struct rf_err *err)
{
    struct collect_token token;
    RF_TRY(may_use_rule(call, resource, before, err));
    RF_TRY(token_read(call->arm, call->txn, resource, call->arena, &token, err));
    struct json_node *properties = json_get(resource->body, "properties");
    json_remove(properties, RF_S("status"));
    json_remove(properties, RF_S("hasSecret"));
    const struct json_node *secret = json_get(properties, "secret");
    if (secret == NULL || secret->type == JSON_T_NULL) return RF_OK;
    if (secret->type != JSON_T_STRING || secret->text.len < SECRET_BYTES_MIN ||
        secret->text.len > SECRET_BYTES_MAX)
        return BAD(err,
                   "'secret' must be a random text of %d to %d characters; leave it out and "
                   "POST regenerateKey to have one made.",
                   SECRET_BYTES_MIN, SECRET_BYTES_MAX);
    RF_TRY(keep_digest(call->txn, resource->key, secret->text, call->arena, err));
    json_remove(properties, RF_S("secret"));
    return RF_OK;
}

static enum rf_kind remove_token(struct arm_call *call, struct arm_resource *resource,
                                 struct rf_err *err)
{
    enum rf_kind kind = state_delete(call->txn, COLLECT_TOKEN_SPACE, resource->key, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind show_token(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct state_object object;
    struct rf_err inner;
    enum rf_kind kind =
        state_get(call->txn, COLLECT_TOKEN_SPACE, resource->key, call->arena, &object, &inner);
    struct json_node *properties = json_object_in(call->arena, resource->body, "properties");
    if (json_set_bool(call->arena, properties, "hasSecret", kind == RF_OK) == NULL)
        return rf_fail_memory(err, call->arena);
    return show_status(call, resource, NULL, err);
}

static enum rf_kind regenerate(struct arm_call *call, struct arm_resource *resource,
                               struct rf_err *err)
{
    struct collect *collect = call->ctx;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *answer = json_new(call->arena, JSON_T_OBJECT);
    rf_str secret = guid_random(call->arena);
    if (secret.ptr == NULL || json_set_text(call->arena, answer, "secret", secret) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(state_begin_write(collect->options.state, &txn, err));
    RF_TRY(keep_digest(txn, resource->key, secret, call->arena, err));
    RF_TRY(state_finish(&txn, err));
    collect_refresh(collect, NULL);
    http_set_literal(call->request->response, "Cache-Control", "no-store");
    return request_answer(call->request, 200, answer);
}

static const struct arm_action token_actions[] = {
    {.name = "regenerateKey", .method = HTTP_POST, .run = regenerate},
};

const struct arm_type *collect_types(struct collect *collect, struct arm_type types[2])
{
    types[0] = (struct arm_type){.name = COLLECT_LISTENERS,
                                 .versions = versions,
                                 .put = put_listener,
                                 .changed = changed,
                                 .show = show_listener,
                                 .ctx = collect};
    types[1] = (struct arm_type){.name = COLLECT_TOKENS,
                                 .versions = versions,
                                 .put = put_token,
                                 .remove = remove_token,
                                 .changed = changed,
                                 .show = show_token,
                                 .actions = token_actions,
                                 .action_count = RF_COUNT(token_actions),
                                 .ctx = collect};
    return types;
}
