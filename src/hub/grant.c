/* grant.c - proofs of who may do what in a namespace, and whether they still hold. */
#include "hub/grant.h"

#include "base/encode.h"
#include "base/json_out.h"
#include "base/log.h"
#include "crypt/digest.h"
#include "hub/types_int.h"

enum {
    DENIAL_BURST = 200,
    DENIAL_ROWS_PER_MINUTE = 120,
    DENIAL_BYTES_MAX = 64 << 10,
    RULE_BYTES_MAX = 16 << 10,
    PRINCIPAL_BYTES_MAX = 1 << 20,
    NAME_SHOWN_MAX = 256
};

/* ---- rows about refusals -------------------------------------------------------------------------------------------- */

static bool take_row(struct hub_denials *denials, rf_usec now, uint64_t *dropped)
{
    (void)pthread_mutex_lock(&denials->lock);
    double minutes = (double)(now - denials->since) / (60.0 * RF_USEC_PER_SECOND);
    if (minutes > 0 || denials->since == 0) {
        denials->rows = RF_MIN(denials->rows + minutes * DENIAL_ROWS_PER_MINUTE, DENIAL_BURST);
        denials->since = now;
    }
    bool may = denials->rows >= 1;
    *dropped = may ? denials->dropped : 0;
    if (may) {
        denials->rows -= 1;
        denials->dropped = 0;
    } else {
        denials->dropped++;
    }
    (void)pthread_mutex_unlock(&denials->lock);
    return may;
}

static rf_str shown(rf_str text)
{
    return rf_slice(text, 0, RF_MIN(text.len, (size_t)NAME_SHOWN_MAX));
}

void hub_note_denial(struct hub_namespace *space, const char *mechanism, rf_str who, rf_str path,
                     const struct rf_err *why)
{
    struct hubs *hubs = hub_namespace_hubs(space);
    struct hub_types *types = hub_types_of(hubs);
    uint64_t dropped;
    if (hubs->options.audit == NULL || types == NULL) return;
    rf_usec now = rf_clock_now(hubs->options.clock);
    if (!take_row(&types->denials, now, &dropped)) return;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, DENIAL_BYTES_MAX);
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    rf_str scope = rf_arena_printf(&arena, "%.*s%s%.*s", RF_FMT(settings.id),
                                   path.len > 0 ? "/eventhubs/" : "", RF_FMT(shown(path)));
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "TimeGenerated", time_iso(&arena, now));
    json_put_text(&out, "Process", RF_S("server"));
    json_put_text(&out, "Mechanism", rf_str_of(mechanism));
    json_put_text(&out, "Code", rf_str_of(why->code == NULL ? "" : why->code));
    json_put_text(&out, "Reason", rf_str_of(why->text));
    json_put_i64(&out, "Status", 401);
    json_put_text(&out, "Scope", scope);
    json_put_text(&out, "Caller", shown(who));
    json_put_i64(&out, "Count", (int64_t)dropped + 1);
    json_end_object(&out);
    if (buf.failed)
        rf_log(RF_ERROR, "audit.row_lost", RF_KV_STR("table", RF_S("RingfortDenials")));
    else
        audit_row(hubs->options.audit, "RingfortDenials", rf_buf_view(&buf));
}

/* ---- paths ---------------------------------------------------------------------------------------------------------- */

static rf_str lower_path(struct rf_arena *arena, rf_str path)
{
    while (path.len > 0 && path.ptr[0] == '/') path = rf_slice(path, 1, path.len);
    while (path.len > 0 && path.ptr[path.len - 1] == '/') path.len--;
    return path.len == 0 ? RF_S("") : resource_key(arena, path);
}

/* "host:8443" -> "host"; "[::1]:8443" -> "[::1]" */
static rf_str without_port(rf_str host)
{
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    return end > 0 && host.ptr[end - 1] == ':' ? rf_slice(host, 0, end - 1) : host;
}

static bool is_host_of(const struct hub_namespace *space, rf_str host)
{
    struct hub_namespace *found = NULL;
    struct rf_err err;
    host = without_port(host);
    return host.len > 0 && hubs_namespace(space->hubs, host, &found, &err) == RF_OK &&
           found == space;
}

bool hub_path_of(const struct hub_namespace *space, rf_str uri, struct rf_arena *arena, rf_str *out)
{
    static const char *const schemes[] = {"sb://", "amqps://", "amqp://", "https://", "http://"};
    rf_str rest = {0};
    for (size_t i = 0; i < RF_COUNT(schemes) && rest.ptr == NULL; i++) {
        rf_str scheme = rf_str_of(schemes[i]);
        if (uri.len > scheme.len && rf_str_eq_nocase(rf_slice(uri, 0, scheme.len), scheme))
            rest = rf_slice(uri, scheme.len, uri.len);
    }
    if (rest.ptr == NULL) return false;
    size_t slash = rf_str_find(rest, RF_S("/"), 0);
    rf_str host = slash == SIZE_MAX ? rest : rf_slice(rest, 0, slash);
    if (!is_host_of(space, host)) return false;
    rf_str path = lower_path(arena, rf_slice(rest, host.len, rest.len));
    if (path.ptr == NULL) return false;
    *out = path;
    return true;
}

/* Whether `path` is `root` or lies below it, at a segment's border. */
static bool covers(rf_str root, rf_str path)
{
    if (root.len == 0) return true;
    if (path.len < root.len || !rf_str_eq_nocase(rf_slice(path, 0, root.len), root)) return false;
    return path.len == root.len || path.ptr[root.len] == '/';
}

static rf_str segment(rf_str path, uint32_t index)
{
    for (uint32_t i = 0;; i++) {
        size_t end = rf_str_find(path, RF_S("/"), 0);
        if (i == index) return end == SIZE_MAX ? path : rf_slice(path, 0, end);
        if (end == SIZE_MAX) return (rf_str){0};
        path = rf_slice(path, end + 1, path.len);
    }
}

/* ---- signatures and keys -------------------------------------------------------------------------------------------- */

static enum rf_kind refuse(struct hub_namespace *space, const char *mechanism, rf_str who,
                           rf_str path, enum rf_kind kind, struct rf_err *err)
{
    if (kind == RF_DENIED && err != NULL) hub_note_denial(space, mechanism, who, path, err);
    return kind;
}

static enum rf_kind local_auth(const struct hub_namespace *space, struct rf_err *err)
{
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    if (!settings.local_auth_disabled) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "InvalidSignature",
                   "Local authentication is disabled for the namespace; use an Entra token.");
}

/* The rule as it is now; its keys lie in an arena of its own, which wipe_rule ends. */
static enum rf_kind open_rule(struct hub_namespace *space, rf_str hub, rf_str name,
                              struct rf_arena *arena, struct hub_rule *out, struct rf_err *err)
{
    rf_arena_init(arena, RULE_BYTES_MAX);
    return hubs_find_rule(space, hub, name, arena, out, err);
}

static void wipe_text(rf_str text)
{
    if (text.len > 0) explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
}

static void close_rule(struct rf_arena *arena, struct hub_rule *rule)
{
    wipe_text(rule->primary);
    wipe_text(rule->secondary);
    rf_arena_done(arena);
}

/* What somebody shows as proof that he has one of a rule's keys. */
struct proof {
    rf_str key;              /* itself, or */
    rf_str signed_text, mac; /* base64 of the HMAC over a text */
};

static bool proves_one(const struct proof *proof, rf_str key)
{
    uint8_t mac[SHA256_BYTES];
    uint8_t room[64];
    if (key.len == 0) return false;
    if (proof->key.ptr != NULL) return secret_equal(proof->key, key);
    struct rf_arena arena;
    rf_arena_init(&arena, 4096);
    digest_hmac_sha256(key, proof->signed_text, mac);
    rf_str text = base64_encode(&arena, rf_str_make(mac, sizeof mac));
    bool fits = text.ptr != NULL && text.len <= sizeof room;
    if (fits) memcpy(room, text.ptr, text.len);
    bool same = fits && secret_equal(rf_str_make(room, text.len), proof->mac);
    wipe_text(text);
    explicit_bzero(mac, sizeof mac);
    explicit_bzero(room, sizeof room);
    rf_arena_done(&arena);
    return same;
}

enum match { MATCH_NO_RULE, MATCH_WRONG, MATCH_GOOD };

/* Both keys are always tried, so that the time does not tell which one it was. */
static enum match match_rule(struct hub_namespace *space, rf_str hub, rf_str name,
                             const struct proof *proof, uint64_t *version)
{
    struct rf_arena arena;
    struct hub_rule rule = {.version = 0};
    struct rf_err ignored;
    enum match match = MATCH_NO_RULE;
    if (open_rule(space, hub, name, &arena, &rule, &ignored) == RF_OK) {
        bool first = proves_one(proof, rule.primary);
        bool second = proves_one(proof, rule.secondary);
        match = (int)first | (int)second ? MATCH_GOOD : MATCH_WRONG;
        *version = rule.version;
    }
    close_rule(&arena, &rule);
    return match;
}

static enum rf_kind grant_of_rule(struct hub_namespace *space, rf_str hub, rf_str name,
                                  const struct proof *proof, struct rf_arena *arena,
                                  struct hub_grant *out, struct rf_err *err)
{
    uint64_t version = 0;
    rf_str at = hub;
    enum match first = hub.len == 0 ? MATCH_NO_RULE : match_rule(space, hub, name, proof, &version);
    enum match match = first;
    if (first != MATCH_GOOD) {
        at = (rf_str){0};
        match = match_rule(space, at, name, proof, &version);
    }
    if (match == MATCH_NO_RULE && first == MATCH_NO_RULE)
        return RF_FAIL(err, RF_DENIED, "UnknownRule",
                       "There is no authorization rule '%.*s' that the token could be signed with.",
                       RF_FMT(shown(name)));
    if (match != MATCH_GOOD)
        return RF_FAIL(err, RF_DENIED, "InvalidSignature", "%s",
                       proof->key.ptr != NULL ? "The key is none of the rule's keys."
                                              : "The token has an invalid signature.");
    struct hub_grant made = {.kind = GRANT_RULE, .expires = INT64_MAX, .rule_version = version};
    made.rule_hub = at.len == 0 ? RF_S("") : resource_key(arena, at);
    if (!rf_arena_str(arena, name, &made.name) || made.rule_hub.ptr == NULL)
        return rf_fail_memory(err, arena);
    *out = made;
    return RF_OK;
}

static enum rf_kind check_expiry(const struct hub_namespace *space, rf_usec expires,
                                 struct rf_err *err)
{
    rf_usec now = rf_clock_now(space->hubs->options.clock);
    if (now < expires) return RF_OK;
    struct rf_arena arena;
    rf_arena_init(&arena, 4096);
    rf_str then = time_iso(&arena, expires);
    (void)rf_fail(err, RF_DENIED, "ExpiredToken", "The token expired at %.*s.", RF_FMT(then));
    rf_arena_done(&arena);
    return RF_DENIED;
}

static enum rf_kind sas_grant(struct hub_namespace *space, const struct sas_fields *sas,
                              struct rf_arena *arena, struct hub_grant *out, struct rf_err *err)
{
    rf_str path;
    RF_TRY(local_auth(space, err));
    if (!hub_path_of(space, sas->uri, arena, &path))
        return RF_FAIL(err, RF_DENIED, "InvalidAudience",
                       "The token is for '%.*s', which is no address of this namespace.",
                       RF_FMT(shown(sas->uri)));
    struct proof proof = {.signed_text = rf_arena_printf(arena, "%.*s\n%.*s", RF_FMT(sas->resource),
                                                         RF_FMT(sas->expiry)),
                          .mac = sas->signature};
    if (proof.signed_text.ptr == NULL) return rf_fail_memory(err, arena);
    struct hub_grant made;
    RF_TRY(grant_of_rule(space, segment(path, 0), sas->rule, &proof, arena, &made, err));
    RF_TRY(check_expiry(space, sas->expires, err));
    made.path = path;
    made.expires = sas->expires;
    *out = made;
    return RF_OK;
}

enum rf_kind hub_grant_sas(struct hub_namespace *space, rf_str token, struct rf_arena *arena,
                           struct hub_grant *out, struct rf_err *err)
{
    struct sas_fields sas = {.expires = 0};
    enum rf_kind kind = sas_read(token, arena, &sas, err);
    if (kind == RF_OK) kind = sas_grant(space, &sas, arena, out, err);
    return refuse(space, "sas", sas.rule, sas.uri, kind, err);
}

/* A rule that the namespace does not have may be one of a hub: generic clients give only its name. */
static enum rf_kind key_grant_anywhere(struct hub_namespace *space, rf_str rule,
                                       const struct proof *proof, struct rf_arena *arena,
                                       struct hub_grant *out, struct rf_err *err)
{
    rf_str *names;
    uint32_t count;
    struct rf_err first;
    enum rf_kind kind = grant_of_rule(space, (rf_str){0}, rule, proof, arena, out, &first);
    if (kind == RF_OK || kind != RF_DENIED || strcmp(first.code, "UnknownRule") != 0) {
        if (kind != RF_OK && err != NULL) *err = first;
        return kind;
    }
    RF_TRY(hub_names(space, arena, &names, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        uint64_t version;
        if (match_rule(space, names[i], rule, proof, &version) != MATCH_GOOD) continue;
        RF_TRY(grant_of_rule(space, names[i], rule, proof, arena, out, err));
        out->path = out->rule_hub;
        return RF_OK;
    }
    if (err != NULL) *err = first;
    return kind;
}

static enum rf_kind key_grant(struct hub_namespace *space, rf_str hub, rf_str rule, rf_str key,
                              struct rf_arena *arena, struct hub_grant *out, struct rf_err *err)
{
    struct proof proof = {.key = key.ptr == NULL ? RF_S("") : key};
    RF_TRY(local_auth(space, err));
    if (hub.len == 0) return key_grant_anywhere(space, rule, &proof, arena, out, err);
    rf_str path = lower_path(arena, hub);
    if (path.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(grant_of_rule(space, segment(path, 0), rule, &proof, arena, out, err));
    out->path = path;
    return RF_OK;
}

enum rf_kind hub_grant_key(struct hub_namespace *space, rf_str hub, rf_str rule, rf_str key,
                           struct rf_arena *arena, struct hub_grant *out, struct rf_err *err)
{
    struct hub_grant made;
    enum rf_kind kind = key_grant(space, hub, rule, key, arena, &made, err);
    if (kind == RF_OK) *out = made;
    return refuse(space, "key", rule, hub, kind, err);
}

/* Who names no hub means a rule of the namespace, and none of a hub that happens to have its name. */
static enum rf_kind string_key_grant(struct hub_namespace *space,
                                     const struct connection_string *parts, struct rf_arena *arena,
                                     struct hub_grant *out, struct rf_err *err)
{
    struct hub_grant made;
    const struct proof proof = {.key = parts->key};
    if (parts->entity.len > 0)
        return hub_grant_key(space, parts->entity, parts->rule, parts->key, arena, out, err);
    enum rf_kind kind = local_auth(space, err);
    if (kind == RF_OK)
        kind = grant_of_rule(space, (rf_str){0}, parts->rule, &proof, arena, &made, err);
    if (kind == RF_OK) {
        made.path = RF_S("");
        *out = made;
    }
    return refuse(space, "key", parts->rule, (rf_str){0}, kind, err);
}

static enum rf_kind string_grant(struct hub_namespace *space, const struct connection_string *parts,
                                 struct rf_arena *arena, struct hub_grant *out, struct rf_err *err)
{
    struct hub_grant made;
    if (parts->signature.len == 0) return string_key_grant(space, parts, arena, out, err);
    RF_TRY(hub_grant_sas(space, parts->signature, arena, &made, err));
    rf_str entity = lower_path(arena, parts->entity);
    if (entity.ptr == NULL) return rf_fail_memory(err, arena);
    /* The narrower of the two. */
    if (covers(made.path, entity)) {
        made.path = entity;
    } else if (!covers(entity, made.path)) {
        (void)rf_fail(err, RF_DENIED, "InvalidAudience",
                      "The signature is not for the hub that EntityPath names.");
        return refuse(space, "sas", made.name, entity, RF_DENIED, err);
    }
    *out = made;
    return RF_OK;
}

enum rf_kind hub_grant_connection_string(struct hub_namespace *space, rf_str text,
                                         struct rf_arena *arena, struct hub_grant *out,
                                         struct rf_err *err)
{
    struct connection_string parts;
    enum rf_kind kind = connection_string_read(text, &parts, err);
    if (kind != RF_OK) return refuse(space, "key", (rf_str){0}, (rf_str){0}, kind, err);
    return string_grant(space, &parts, arena, out, err);
}

/* ---- Entra tokens --------------------------------------------------------------------------------------------------- */

/* The codes of access tokens in the words of event hubs. */
static const char *token_code(const struct rf_err *err)
{
    if (strcmp(err->code, "ExpiredAuthenticationToken") == 0) return "ExpiredToken";
    if (strcmp(err->code, "InvalidAuthenticationTokenAudience") == 0) return "InvalidAudience";
    return "InvalidToken";
}

static enum rf_kind jwt_grant(struct hub_namespace *space, rf_str token, struct rf_arena *arena,
                              struct hub_grant *out, struct rf_err *err)
{
    struct hub_types *types = hub_types_of(space->hubs);
    struct dispatcher *dispatcher =
        types == NULL ? NULL : atomic_load_explicit(&types->dispatcher, memory_order_acquire);
    struct principal *principal = rf_arena_new(arena, struct principal, 1);
    struct hub_grant made = {.kind = GRANT_PRINCIPAL, .path = RF_S(""), .principal = principal};
    struct rf_err inner = {.code = ""};
    if (principal == NULL) return rf_fail_memory(err, arena);
    if (dispatcher == NULL)
        return RF_FAIL(err, RF_DENIED, "InvalidToken", "Entra tokens are not verified here yet.");
    enum rf_kind kind = dispatcher_identify(dispatcher, token, AUDIENCE_EVENTS, arena, principal,
                                            &made.expires, &inner);
    if (kind == RF_DENIED) return RF_FAIL(err, RF_DENIED, token_code(&inner), "%s", inner.text);
    if (kind != RF_OK) {
        if (err != NULL) *err = inner;
        return kind;
    }
    made.name = principal->object_id;
    *out = made;
    return RF_OK;
}

enum rf_kind hub_grant_jwt(struct hub_namespace *space, rf_str token, struct rf_arena *arena,
                           struct hub_grant *out, struct rf_err *err)
{
    enum rf_kind kind = jwt_grant(space, token, arena, out, err);
    return refuse(space, "token", (rf_str){0}, (rf_str){0}, kind, err);
}

enum rf_kind hub_grant_header(struct hub_namespace *space, rf_str header, struct rf_arena *arena,
                              struct hub_grant *out, struct rf_err *err)
{
    rf_str bearer = RF_S("Bearer ");
    if (header.len > bearer.len && rf_str_eq_nocase(rf_slice(header, 0, bearer.len), bearer))
        return hub_grant_jwt(space, rf_str_trim(rf_slice(header, bearer.len, header.len)), arena,
                             out, err);
    return hub_grant_sas(space, header, arena, out, err);
}

/* ---- whether it still holds ----------------------------------------------------------------------------------------- */

static enum rf_kind unauthorized(enum hub_right right, rf_str path, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "Unauthorized",
                   "Unauthorized access. '%s' claim(s) are required to perform this operation on "
                   "'%.*s'.",
                   right == RIGHT_SEND     ? "Send"
                   : right == RIGHT_LISTEN ? "Listen"
                                           : "Manage",
                   RF_FMT(shown(path)));
}

static enum rf_kind rule_allows(struct hub_namespace *space, const struct hub_grant *grant,
                                rf_str path, enum hub_right right, struct rf_err *err)
{
    struct rf_arena arena;
    struct hub_rule rule = {.version = 0};
    struct rf_err ignored;
    RF_TRY(local_auth(space, err));
    enum rf_kind kind = open_rule(space, grant->rule_hub, grant->name, &arena, &rule, &ignored);
    bool same = kind == RF_OK && rule.version == grant->rule_version;
    bool may = (rule.rights & ((unsigned)right | RIGHT_MANAGE)) != 0;
    close_rule(&arena, &rule);
    if (!same)
        return RF_FAIL(err, RF_DENIED, "Unauthorized",
                       "Unauthorized access. The authorization rule '%.*s' or its keys have "
                       "changed.",
                       RF_FMT(shown(grant->name)));
    if (may && grant->rule_hub.len > 0) may = covers(grant->rule_hub, path);
    return may ? RF_OK : unauthorized(right, path, err);
}

static const char *data_action(enum hub_right right)
{
    return right == RIGHT_SEND     ? "Microsoft.EventHub/namespaces/messages/send/action"
           : right == RIGHT_LISTEN ? "Microsoft.EventHub/namespaces/messages/receive/action"
                                   : "Microsoft.EventHub/namespaces/eventhubs/manage/action";
}

static enum rf_kind principal_allows(struct hub_namespace *space, const struct hub_grant *grant,
                                     rf_str path, enum hub_right right, struct rf_err *err)
{
    const struct hubs_options *options = &space->hubs->options;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, PRINCIPAL_BYTES_MAX);
    struct principal now = *grant->principal;
    if (options->directory != NULL) {
        rf_usec valid_from = 0;
        struct rf_err ignored;
        struct principal found;
        if (options->directory->find(options->directory->ctx, grant->principal->object_id, &arena,
                                     &found, &valid_from, &ignored) != RF_OK)
            return unauthorized(right, path, err);
        now.groups = found.groups;
        now.group_count = found.group_count;
    }
    struct hub_namespace_settings settings;
    hub_namespace_settings(space, &settings);
    rf_str hub = segment(path, 0), group = {0};
    if (rf_str_eq_nocase(segment(path, 1), RF_S("consumergroups"))) group = segment(path, 2);
    rf_str scope = rf_arena_printf(&arena, "%.*s%s%.*s%s%.*s", RF_FMT(settings.id),
                                   hub.len > 0 ? "/eventhubs/" : "", RF_FMT(hub),
                                   group.len > 0 ? "/consumergroups/" : "", RF_FMT(group));
    if (scope.ptr == NULL) return rf_fail_memory(err, &arena);
    if (options->authz != NULL &&
        authz_check(options->authz, &now, rf_str_of(data_action(right)), scope, true))
        return RF_OK;
    return unauthorized(right, path, err);
}

/* Revoked names are kept per hub; a hub that is not there has none. */
static enum rf_kind check_publisher(struct hub_namespace *space, rf_str path, struct rf_err *err)
{
    rf_str publisher = segment(path, 2);
    struct hub *hub;
    struct rf_err ignored;
    if (publisher.len == 0 || !rf_str_eq_nocase(segment(path, 1), RF_S("publishers"))) return RF_OK;
    if (hub_find(space, segment(path, 0), &hub, &ignored) != RF_OK) return RF_OK;
    bool revoked = hub_is_revoked(hub, publisher);
    hub_unref(hub);
    if (!revoked) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "PublisherRevoked", "The publisher '%.*s' has been revoked.",
                   RF_FMT(shown(publisher)));
}

enum rf_kind hub_grant_check(struct hub_namespace *space, const struct hub_grant *grant,
                             rf_str path, enum hub_right right, struct rf_err *err)
{
    while (path.len > 0 && path.ptr[0] == '/') path = rf_slice(path, 1, path.len);
    if (grant->expires != INT64_MAX) RF_TRY(check_expiry(space, grant->expires, err));
    if (!covers(grant->path, path)) return unauthorized(right, path, err);
    if (grant->kind == GRANT_RULE) RF_TRY(rule_allows(space, grant, path, right, err));
    if (grant->kind == GRANT_PRINCIPAL) RF_TRY(principal_allows(space, grant, path, right, err));
    if (grant->kind == GRANT_DEVICE) RF_TRY(hub_device_allows(space, grant, path, right, err));
    return right == RIGHT_SEND ? check_publisher(space, path, err) : RF_OK;
}

enum rf_kind hub_grant_holds(struct hub_namespace *space, const struct hub_grant *grant,
                             struct rf_err *err)
{
    if (grant->expires != INT64_MAX) RF_TRY(check_expiry(space, grant->expires, err));
    return grant->kind == GRANT_DEVICE ? hub_device_holds(space, grant, err) : RF_OK;
}

void hub_grant_refused(struct hub_namespace *space, const struct hub_grant *grant, rf_str path,
                       const struct rf_err *why)
{
    hub_note_denial(space, "role", grant == NULL ? (rf_str){0} : grant->name, path, why);
}

void hub_grant_dispatcher(struct hubs *hubs, struct dispatcher *dispatcher)
{
    struct hub_types *types = hub_types_of(hubs);
    if (types != NULL) atomic_store_explicit(&types->dispatcher, dispatcher, memory_order_release);
}
