#include "vault/vault.h"

#include <stdlib.h>

#include "base/log.h"
#include "vault/acme_client.h"
#include "vault/authority_cache.h"
#include "vault/call_int.h"
#include "vault/database_int.h"
#include "vault/search_int.h"

enum rf_kind vaults_new(const struct vaults_options *options, struct vaults **out,
                        struct rf_err *err)
{
    struct vaults *vaults = calloc(1, sizeof *vaults);
    if (vaults == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the vaults");
    vaults->options = *options;
    vaults->service = (struct service){.name = "vault",
                                       .ctx = vaults,
                                       .routes = vault_routes,
                                       .route_count = VAULT_ROUTE_COUNT,
                                       .error = vault_error};
    vault_authority_routes_init(vaults);
    vaults->authority = authority_cache_new(); /* without one every answer is signed */
    vaults->search = search_index_new();
    vaults->activity = vault_activity_new();
    vaults->databases = vault_databases_new();
    enum rf_kind kind = vault_acme_new(options, &vaults->acme, err);
    if (kind == RF_OK && vaults->databases == NULL)
        kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the vaults");
    if (kind == RF_OK) kind = vault_types_register(vaults, err);
    if (kind != RF_OK) {
        vaults_free(vaults);
        return kind;
    }
    *out = vaults;
    return RF_OK;
}

enum rf_kind vaults_start(struct vaults *vaults, struct rf_err *err)
{
    return vault_jobs_start(vaults, err);
}

void vaults_stop(struct vaults *vaults)
{
    struct rf_err err;
    int64_t next;
    if (vaults == NULL) return;
    vault_jobs_stop(vaults);
    int64_t now = rf_clock_now(vaults->options.clock) / RF_USEC_PER_SECOND;
    if (vault_activity_flush(vaults, now, &next, &err) != RF_OK)
        rf_log(RF_WARN, "vault.activity_lost", RF_KV_STR("why", rf_str_of(err.text)));
}

void vaults_free(struct vaults *vaults)
{
    if (vaults == NULL) return;
    vaults_stop(vaults);
    vault_types_free(vaults);
    authority_cache_free(vaults->authority);
    search_index_free(vaults->search);
    vault_activity_free(vaults->activity);
    vault_acme_free(vaults->acme);
    vault_databases_free(vaults->databases);
    free(vaults);
}

const struct service *vaults_service(struct vaults *vaults) { return &vaults->service; }

/* Takes the next segment, as sent, off the path. */
static rf_str next_segment(rf_str *path)
{
    size_t from = 0;
    while (from < path->len && path->ptr[from] == '/') from++;
    size_t to = from;
    while (to < path->len && path->ptr[to] != '/') to++;
    rf_str segment = rf_slice(*path, from, to);
    *path = rf_slice(*path, to, path->len);
    return segment;
}

static bool is_name_byte(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-';
}

/* A guess for the limit of the body; what counts is found behind the check of the token. */
static int route_of(rf_str behind)
{
    return rf_str_eq_nocase(next_segment(&behind), RF_S("restore")) ? VAULT_ROUTE_RESTORE
                                                                    : VAULT_ROUTE_ANY;
}

bool vault_portal_way(const struct http_request *head, rf_str *vault, rf_str *rest)
{
    rf_str path = head->path;
    bool is_sent, has_token;
    (void)http_header(head, PORTAL_HEADER, &is_sent);
    (void)http_header(head, "Authorization", &has_token);
    if ((!is_sent && !has_token) || !rf_str_starts(path, RF_S("/portal/vaults/"))) return false;
    (void)next_segment(&path);
    (void)next_segment(&path);
    rf_str name = next_segment(&path);
    for (size_t i = 0; i < name.len; i++)
        if (!is_name_byte(name.ptr[i])) return false;
    *vault = name;
    *rest = path;
    return name.len > 0 && path.len > 1;
}

int vaults_claim(void *ctx, const struct http_request *head)
{
    static const char *const roots[] = {"secrets",
                                        "keys",
                                        "certificates",
                                        "deletedsecrets",
                                        "deletedkeys",
                                        "deletedcertificates",
                                        "rng",
                                        "unwrap",
                                        "access-requests",
                                        "databases"};
    (void)ctx;
    rf_str vault, domain, path = head->path, first = next_segment(&path);
    if (site_vault_host(head->host, &vault, &domain)) return route_of(path);
    if (vault_portal_way(head, &vault, &path)) {
        (void)next_segment(&path);
        return route_of(path);
    }
    for (size_t i = 0; i < RF_COUNT(roots); i++)
        if (rf_str_eq_nocase(first, rf_str_of(roots[i]))) return route_of(path);
    return CLAIM_NONE;
}
