#include "collect/sources.h"

#include <stdlib.h>

#include "base/encode.h"
#include "base/log.h"
#include "crypt/x509.h"

enum { SNAPSHOT_BYTES_MAX = 256 << 20 };

static const char *const protocol_names[PROTOCOL_COUNT] = {"syslog-udp", "syslog-tcp",
                                                           "syslog-tls"};

const char *collect_protocol_name(enum collect_protocol protocol)
{
    return protocol_names[protocol];
}

bool collect_protocol_of(rf_str name, enum collect_protocol *out)
{
    for (int i = 0; i < PROTOCOL_COUNT; i++) {
        if (!rf_str_eq_nocase(name, rf_str_of(protocol_names[i]))) continue;
        *out = (enum collect_protocol)i;
        return true;
    }
    return false;
}

/* ---- reading ---------------------------------------------------------------------------------------------------------------- */

bool network_parse(rf_str text, struct ip6_range *out, uint32_t *prefix)
{
    struct ip6 ip;
    struct ip4 v4;
    text = rf_str_trim(text);
    if (ip4_parse(text, &v4)) {
        ip = ip6_of_ip4(&v4);
        ip.prefix = 96 + v4.prefix;
    } else if (!ip6_parse(text, &ip)) {
        return false;
    }
    *prefix = ip.prefix;
    *out = ip6_network(&ip, ip.prefix);
    return true;
}

static enum rf_kind read_workspaces(struct arm *arm, struct state_txn *txn,
                                    struct collect_sources *s, struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(arm, txn, "Microsoft.OperationalInsights/workspaces", &s->arena, &list, &count,
                    err));
    s->workspaces = rf_arena_new(&s->arena, struct collect_workspace, count);
    if (s->workspaces == NULL) return rf_fail_memory(err, &s->arena);
    for (uint32_t i = 0; i < count; i++) {
        struct collect_workspace *w = &s->workspaces[s->workspace_count];
        rf_str guid = json_text_at(list[i].body, "properties.customerId");
        if (!guid_is(guid)) continue;
        *w = (struct collect_workspace){
            .guid = resource_key(&s->arena, guid), .id = list[i].id, .name = list[i].name};
        if (w->guid.ptr == NULL) return rf_fail_memory(err, &s->arena);
        s->workspace_count++;
    }
    return RF_OK;
}

/* A resource that was fine when it was stored may no longer be: then nobody may send by it. */
static enum rf_kind leave_out(const struct arm_resource *resource, enum rf_kind kind,
                              const struct rf_err *inner, struct rf_err *err)
{
    if (kind == RF_INVALID || kind == RF_NOT_FOUND) {
        rf_log(RF_WARN, "collect.resource_left_out", RF_KV_STR("id", resource->id),
               RF_KV_STR("why", rf_str_of(inner->text)));
        return RF_OK;
    }
    if (err != NULL) *err = *inner;
    return kind;
}

static enum rf_kind read_listeners(struct arm *arm, struct state_txn *txn,
                                   struct collect_sources *s, struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(arm, txn, COLLECT_LISTENERS, &s->arena, &list, &count, err));
    count = RF_MIN(count, (uint32_t)COLLECT_LISTENERS_MAX);
    s->listeners = rf_arena_new(&s->arena, struct collect_listener, count);
    if (s->listeners == NULL) return rf_fail_memory(err, &s->arena);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err inner = {.code = ""};
        enum rf_kind kind =
            listener_read(arm, txn, &list[i], &s->arena, &s->listeners[s->listener_count], &inner);
        if (kind == RF_OK)
            s->listener_count++;
        else
            RF_TRY(leave_out(&list[i], kind, &inner, err));
    }
    return RF_OK;
}

static enum rf_kind read_tokens(struct arm *arm, struct state_txn *txn, struct collect_sources *s,
                                struct rf_err *err)
{
    struct arm_resource *list;
    uint32_t count;
    RF_TRY(arm_list(arm, txn, COLLECT_TOKENS, &s->arena, &list, &count, err));
    count = RF_MIN(count, (uint32_t)COLLECT_TOKENS_MAX);
    s->tokens = rf_arena_new(&s->arena, struct collect_token, count);
    if (s->tokens == NULL) return rf_fail_memory(err, &s->arena);
    for (uint32_t i = 0; i < count; i++) {
        struct rf_err inner = {.code = ""};
        struct state_object stored;
        struct json_node *body;
        rf_str digest = {0};
        struct collect_token *token = &s->tokens[s->token_count];
        enum rf_kind kind = token_read(arm, txn, &list[i], &s->arena, token, &inner);
        if (kind == RF_OK)
            kind = state_get(txn, COLLECT_TOKEN_SPACE, list[i].key, &s->arena, &stored, &inner);
        if (kind == RF_NOT_FOUND) continue; /* it has no secret yet */
        if (kind == RF_OK) kind = json_parse(stored.body, &s->arena, &body, &inner);
        if (kind == RF_OK)
            kind = hex_decode(&s->arena, json_text_at(body, "digest"), &digest, &inner);
        if (kind == RF_OK && digest.len == SHA256_BYTES) {
            memcpy(token->digest, digest.ptr, SHA256_BYTES);
            s->token_count++;
        } else if (kind != RF_OK) {
            RF_TRY(leave_out(&list[i], kind, &inner, err));
        }
    }
    return RF_OK;
}

enum rf_kind sources_read(struct arm *arm, struct state_txn *txn, struct collect_sources **out,
                          struct rf_err *err)
{
    struct collect_sources *s = calloc(1, sizeof *s);
    if (s == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the sources");
    atomic_init(&s->refs, 1);
    rf_arena_init(&s->arena, SNAPSHOT_BYTES_MAX);
    enum rf_kind kind = read_workspaces(arm, txn, s, err);
    if (kind == RF_OK) kind = read_listeners(arm, txn, s, err);
    if (kind == RF_OK) kind = read_tokens(arm, txn, s, err);
    if (kind != RF_OK) {
        sources_unref(s);
        return kind;
    }
    *out = s;
    return RF_OK;
}

struct collect_sources *sources_ref(struct collect_sources *sources)
{
    atomic_fetch_add(&sources->refs, 1);
    return sources;
}

void sources_unref(struct collect_sources *sources)
{
    if (sources == NULL || atomic_fetch_sub(&sources->refs, 1) != 1) return;
    rf_arena_done(&sources->arena);
    free(sources);
}

/* ---- looking ---------------------------------------------------------------------------------------------------------------- */

static bool fits_subject(const struct collect_listener *listener, rf_str subject)
{
    for (uint32_t i = 0; i < listener->subject_count; i++)
        if (rf_str_eq(listener->subjects[i], subject)) return true;
    return listener->subject_count == 0;
}

static bool fits_certificate(const struct collect_listener *listener, rf_str certificate,
                             bool is_trusted, rf_str subject, rf_usec now, const char **why)
{
    if (!listener->needs_certificate) return true;
    if (certificate.len == 0) {
        *why = "the client showed no certificate";
        return false;
    }
    bool trusted = listener->anchors_pem.len == 0
                       ? is_trusted
                       : cert_is_issued_by(certificate, listener->anchors_pem, now);
    if (!trusted) *why = "the client's certificate is not trusted";
    if (trusted && !fits_subject(listener, subject)) {
        *why = "the client's certificate has another subject";
        trusted = false;
    }
    return trusted;
}

/* The prefix of the narrowest network with the address; -1: none. A listener without networks takes any address. */
static int narrowest(const struct collect_listener *listener, const struct ip6 *peer)
{
    int best = listener->network_count == 0 ? 0 : -1;
    for (uint32_t i = 0; i < listener->network_count; i++)
        if (ip6_cmp(peer, &listener->networks[i].from) >= 0 &&
            ip6_cmp(peer, &listener->networks[i].to) <= 0)
            best = RF_MAX(best, (int)listener->prefixes[i] + 1);
    return best;
}

const struct collect_listener *sources_listener(const struct collect_sources *sources,
                                                enum collect_protocol protocol, uint16_t port,
                                                const struct ip6 *peer, rf_str certificate,
                                                bool is_trusted, rf_str subject, rf_usec now,
                                                const char **why)
{
    const struct collect_listener *found = NULL;
    int best = -1;
    *why = "no listener allows this address";
    for (uint32_t i = 0; i < sources->listener_count; i++) {
        const struct collect_listener *l = &sources->listeners[i];
        if (l->protocol != protocol || (l->port != 0 && l->port != port)) continue;
        int fits = narrowest(l, peer);
        if (fits <= best) continue;
        if (!fits_certificate(l, certificate, is_trusted, subject, now, why)) continue;
        best = fits;
        found = l;
    }
    return found;
}

const struct collect_token *sources_token(const struct collect_sources *sources, rf_str secret)
{
    uint8_t digest[SHA256_BYTES];
    const struct collect_token *found = NULL;
    digest_sha256(secret, digest);
    for (uint32_t i = 0; i < sources->token_count; i++)
        if (secret_equal(rf_str_make(digest, sizeof digest),
                         rf_str_make(sources->tokens[i].digest, SHA256_BYTES)))
            found = &sources->tokens[i];
    explicit_bzero(digest, sizeof digest);
    return found;
}

const struct collect_workspace *sources_workspace(const struct collect_sources *sources,
                                                  rf_str reference)
{
    for (uint32_t i = 0; i < sources->workspace_count; i++) {
        const struct collect_workspace *w = &sources->workspaces[i];
        if (rf_str_eq_nocase(reference, w->guid) || rf_str_eq_nocase(reference, w->id) ||
            rf_str_eq_nocase(reference, w->name))
            return w;
    }
    return NULL;
}
