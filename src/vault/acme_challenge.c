/* acme_challenge.c - what an authority outside looks for when it makes sure whose a name is: a text at a path (http-01), a digest in a certificate
 * (tls-alpn-01). Kept in memory only: a process that comes later puts it there again, from the order. */
#include <pthread.h>
#include <stdlib.h>

#include "crypt/digest.h"
#include "vault/acme_client.h"

enum { EXPOSED_MAX = 1000, NAME_BYTES = 256, TOKEN_BYTES = 128, AUTHORIZATION_BYTES = 256 };
#define EXPOSED_USEC (INT64_C(3600) * RF_USEC_PER_SECOND)

struct exposed {
    char name[NAME_BYTES], token[TOKEN_BYTES], authorization[AUTHORIZATION_BYTES];
    rf_usec until; /* elapsed time */
};
struct vault_acme {
    pthread_mutex_t lock;
    struct rf_clock *clock;
    struct egress egress;
    rf_str *inside;
    struct exposed *items;
    uint32_t count, cap;
};

/* As alerts do: of the hosts only those that are named as addresses, or as this machine, may be inside. */
enum rf_kind vault_acme_new(const struct vaults_options *options, struct vault_acme **out,
                            struct rf_err *err)
{
    struct vault_acme *acme = calloc(1, sizeof *acme);
    rf_str *inside = calloc((size_t)options->outbound_host_count + 1, sizeof *inside);
    if (acme == NULL || inside == NULL) {
        free(acme);
        free(inside);
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the vaults' challenges");
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->outbound_host_count; i++)
        if (egress_is_literal(options->outbound_hosts[i]))
            inside[count++] = options->outbound_hosts[i];
    (void)pthread_mutex_init(&acme->lock, NULL);
    acme->clock = options->clock;
    acme->inside = inside;
    acme->egress = (struct egress){.hosts = options->outbound_hosts,
                                   .host_count = options->outbound_host_count,
                                   .inside = inside,
                                   .inside_count = count};
    *out = acme;
    return RF_OK;
}

void vault_acme_free(struct vault_acme *acme)
{
    if (acme == NULL) return;
    (void)pthread_mutex_destroy(&acme->lock);
    free(acme->items);
    free(acme->inside);
    free(acme);
}

struct egress *vault_acme_egress(struct vault_acme *acme) { return &acme->egress; }

static bool copy(rf_str text, char *out, size_t cap)
{
    if (text.len == 0 || text.len >= cap) return false;
    for (size_t i = 0; i < text.len; i++) out[i] = (char)text.ptr[i];
    out[text.len] = '\0';
    return true;
}

static void forget_old(struct vault_acme *acme, rf_usec now)
{
    for (uint32_t i = 0; i < acme->count;)
        if (acme->items[i].until <= now)
            acme->items[i] = acme->items[--acme->count];
        else
            i++;
}

/* The place of this name and token, or a new one; NULL: no more fit. acme->lock is held. */
static struct exposed *place_for(struct vault_acme *acme, const struct exposed *item)
{
    for (uint32_t i = 0; i < acme->count; i++)
        if (strcmp(acme->items[i].name, item->name) == 0 &&
            strcmp(acme->items[i].token, item->token) == 0)
            return &acme->items[i];
    if (acme->count == EXPOSED_MAX) return NULL;
    if (acme->count == acme->cap) {
        uint32_t cap = RF_MAX(2 * acme->cap, 16u);
        struct exposed *more = realloc(acme->items, cap * sizeof *more);
        if (more == NULL) return NULL;
        acme->items = more;
        acme->cap = cap;
    }
    return &acme->items[acme->count++];
}

enum rf_kind vault_acme_expose(struct vault_acme *acme, rf_str name, rf_str token,
                               rf_str authorization, struct rf_err *err)
{
    struct exposed item;
    rf_usec now = rf_clock_elapsed(acme->clock);
    if (!copy(name, item.name, sizeof item.name) || !copy(token, item.token, sizeof item.token) ||
        !copy(authorization, item.authorization, sizeof item.authorization))
        return RF_FAIL(err, RF_INVALID, "AcmeError", "the authority's token is too long");
    item.until = now + EXPOSED_USEC;
    (void)pthread_mutex_lock(&acme->lock);
    forget_old(acme, now);
    struct exposed *place = place_for(acme, &item);
    if (place != NULL) *place = item;
    (void)pthread_mutex_unlock(&acme->lock);
    if (place != NULL) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "AcmeUnavailable", "too many challenges are under way");
}

/* Tokens are no secrets, and neither is what is found by them. */
bool vaults_acme_http(struct vaults *vaults, rf_str token, char out[VAULTS_ACME_BYTES])
{
    struct vault_acme *acme = vaults->acme;
    rf_usec now = rf_clock_elapsed(acme->clock);
    bool found = false;
    (void)pthread_mutex_lock(&acme->lock);
    for (uint32_t i = 0; i < acme->count && !found; i++) {
        const struct exposed *item = &acme->items[i];
        found = item->until > now && rf_str_is(token, item->token);
        if (found) memcpy(out, item->authorization, sizeof item->authorization);
    }
    (void)pthread_mutex_unlock(&acme->lock);
    return found;
}
_Static_assert((int)VAULTS_ACME_BYTES == (int)AUTHORIZATION_BYTES, "what is found fits");

bool vaults_acme_tls(void *ctx, rf_str name, uint8_t digest[32])
{
    struct vaults *vaults = ctx;
    struct vault_acme *acme = vaults->acme;
    rf_usec now = rf_clock_elapsed(acme->clock), newest = now;
    bool found = false;
    (void)pthread_mutex_lock(&acme->lock);
    for (uint32_t i = 0; i < acme->count; i++) {
        const struct exposed *item = &acme->items[i];
        if (item->until <= newest || !rf_str_eq_nocase(name, rf_str_of(item->name))) continue;
        newest = item->until; /* the one that was put last counts */
        found = true;
        digest_sha256(rf_str_of(item->authorization), digest);
    }
    (void)pthread_mutex_unlock(&acme->lock);
    return found;
}
