#include <pthread.h>
#include <stdlib.h>

#include "identity/identity_int.h"
#include "net/client.h"

/* Keys of outside issuers: fetched by OpenID discovery, kept an hour. An unknown key id leads to a new fetch at most once a
 * minute, so that forged tokens cannot make us knock at an issuer's door all day. */
enum {
    KEEP_SECONDS = 3600,
    AGAIN_SECONDS = 60,
    ANSWER_BYTES_MAX = 512 << 10,
    FETCH_SECONDS_MAX = 5,
    FETCHES_AT_ONCE = 4 /* further callers are told to come again */
};

struct issuer_keys {
    rf_usec fetched; /* elapsed */
    const struct json_node *keys;
};
struct federation {
    struct identity *identity;
    pthread_mutex_t lock;
    uint32_t fetching;
};

enum rf_kind federation_new(struct identity *identity, struct federation **out, struct rf_err *err)
{
    struct federation *federation = calloc(1, sizeof *federation);
    if (federation == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for issuers");
    federation->identity = identity;
    pthread_mutex_init(&federation->lock, NULL);
    *out = federation;
    return RF_OK;
}

void federation_free(struct federation *federation)
{
    if (federation == NULL) return;
    pthread_mutex_destroy(&federation->lock);
    free(federation);
}

/* ---- where keys may be fetched ----------------------------------------------------------------------------------------- */

#define NAME(text)                                                                                 \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
static const rf_str public_issuers[] = {
    NAME("token.actions.githubusercontent.com"),
    NAME("gitlab.com"),
    NAME("accounts.google.com"),
    NAME("www.googleapis.com"),
    NAME("login.microsoftonline.com"),
    NAME("sts.windows.net"),
    NAME("vstoken.dev.azure.com"),
    NAME("app.terraform.io"),
    NAME("oidc.circleci.com"),
    NAME("agent.buildkite.com"),
    NAME("*.oic.prod-aks.azure.com"),
    NAME("*.blob.core.windows.net"),
    NAME("oidc.eks.*.amazonaws.com"),
};
#undef NAME

/* The host of an https URL without user information. */
static bool url_host(rf_str url, rf_str *host)
{
    rf_str scheme = RF_S("https://");
    if (!rf_str_starts(url, scheme)) return false;
    size_t end = scheme.len;
    while (end < url.len && url.ptr[end] != '/' && url.ptr[end] != '?' && url.ptr[end] != '#') {
        uint8_t c = url.ptr[end++];
        if (!rf_is_alnum(c) && c != '.' && c != '-' && c != ':' && c != '[' && c != ']')
            return false;
    }
    *host = rf_slice(url, scheme.len, end);
    return host->len > 0;
}

/* Who reads the lists as egress does. */
static struct egress egress_of(const struct federation *federation)
{
    const struct identity_options *options = &federation->identity->options;
    struct egress egress = {.hosts = options->federation_hosts,
                            .host_count = options->federation_host_count,
                            .inside = options->federation_private,
                            .inside_count = options->federation_private_count};
    if (egress.host_count > 0) return egress;
    egress.hosts = public_issuers;
    egress.host_count = RF_COUNT(public_issuers);
    return egress;
}

bool federation_may_fetch(const struct federation *federation, rf_str url)
{
    rf_str host;
    struct egress egress = egress_of(federation);
    return url_host(url, &host) && egress_way(&egress, host) != EGRESS_NONE;
}

/* ---- fetching ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind unreachable(struct rf_err *err, rf_str issuer, const char *why)
{
    return RF_FAIL(err, RF_AGAIN, "90033",
                   "The keys of the issuer '%.*s' could not be fetched: %.200s",
                   (int)RF_MIN(issuer.len, 200), (const char *)issuer.ptr, why);
}

static enum rf_kind get_json(struct federation *federation, struct http_client *client, rf_str url,
                             struct rf_arena *arena, struct json_node **out, struct rf_err *err)
{
    static const struct http_header headers[] = {
        {{(const uint8_t *)"Accept", 6}, {(const uint8_t *)"application/json", 16}}};
    struct http_answer answer;
    if (!federation_may_fetch(federation, url))
        return RF_FAIL(err, RF_DENIED, "HostNotAllowed", "the host is not among those allowed");
    RF_TRY(http_client_call(client, "GET", url, headers, 1, RF_S(""), arena, &answer, err));
    if (answer.status != 200)
        return RF_FAIL(err, RF_IO, "BadAnswer", "the answer has status %u", answer.status);
    return json_parse(answer.body, arena, out, err);
}

static enum rf_kind fetch_with(struct federation *federation, struct http_client *client,
                               rf_str issuer, struct rf_arena *arena, const struct json_node **out,
                               struct rf_err *err)
{
    rf_str bare = rf_str_ends(issuer, RF_S("/")) ? rf_slice(issuer, 0, issuer.len - 1) : issuer;
    rf_str url = rf_arena_printf(arena, "%.*s/.well-known/openid-configuration", RF_FMT(bare));
    if (url.ptr == NULL) return rf_fail_memory(err, arena);
    struct json_node *metadata, *keys;
    RF_TRY(get_json(federation, client, url, arena, &metadata, err));
    if (!rf_str_eq(json_text_at(metadata, "issuer"), issuer))
        return RF_FAIL(err, RF_INVALID, "BadMetadata", "its metadata names another issuer");
    RF_TRY(get_json(federation, client, json_text_at(metadata, "jwks_uri"), arena, &keys, err));
    if (!json_is(json_get(keys, "keys"), JSON_T_ARRAY))
        return RF_FAIL(err, RF_INVALID, "BadKeySet", "its key set holds no keys");
    *out = json_get(keys, "keys");
    return RF_OK;
}

static enum rf_kind fetch(struct federation *federation, rf_str issuer, struct rf_arena *arena,
                          const struct json_node **out, struct rf_err *err)
{
    struct http_client *client;
    struct egress egress = egress_of(federation);
    struct http_client_options options = {.ca_pem = federation->identity->options.federation_ca_pem,
                                          .timeout_usec = FETCH_SECONDS_MAX * RF_USEC_PER_SECOND,
                                          .answer_bytes_max = ANSWER_BYTES_MAX,
                                          .egress = &egress,
                                          .trust_loopback = true};
    RF_TRY(http_client_new(&options, &client, err));
    enum rf_kind kind = fetch_with(federation, client, issuer, arena, out, err);
    http_client_free(client);
    return kind;
}

/* A worker that waits for an outside server does nothing else: only so many may. */
static bool begin_fetch(struct federation *federation)
{
    pthread_mutex_lock(&federation->lock);
    bool may = federation->fetching < FETCHES_AT_ONCE;
    federation->fetching += may;
    pthread_mutex_unlock(&federation->lock);
    return may;
}

static void end_fetch(struct federation *federation)
{
    pthread_mutex_lock(&federation->lock);
    federation->fetching--;
    pthread_mutex_unlock(&federation->lock);
}

static enum rf_kind fetch_entry(struct federation *federation, rf_str key, rf_str issuer,
                                rf_usec now, struct memo_entry **out, struct rf_err *err)
{
    if (!begin_fetch(federation)) return unreachable(err, issuer, "too many fetches under way");
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(key, 0);
    struct issuer_keys *keys =
        entry == NULL ? NULL : rf_arena_new(&entry->arena, struct issuer_keys, 1);
    struct rf_err why = {.text = "no memory"};
    enum rf_kind kind = RF_LIMIT;
    if (keys != NULL) kind = fetch(federation, issuer, &entry->arena, &keys->keys, &why);
    end_fetch(federation);
    if (kind != RF_OK) return unreachable(err, issuer, why.text);
    keys->fetched = now;
    entry->value = keys;
    memo_add(federation->identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

/* ---- checking --------------------------------------------------------------------------------------------------------------- */

static const struct json_node *find_key(const struct json_node *keys, rf_str kid)
{
    for (const struct json_node *key = keys->first; key != NULL; key = key->next) {
        rf_str use = json_text_at(key, "use");
        if (use.len > 0 && !rf_str_is(use, "sig")) continue;
        if (rf_str_eq(json_text_at(key, "kid"), kid)) return key;
        if (kid.len == 0 && keys->count == 1) return key;
    }
    return NULL;
}

static enum rf_kind bad_signature(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_DENIED, "700027",
                   "Client assertion failed signature validation. [Reason - %s]", why);
}

enum rf_kind federation_check(struct federation *federation, rf_str issuer, const struct jwt *jwt,
                              struct rf_arena *arena, struct rf_err *err)
{
    rf_usec now = rf_clock_elapsed(federation->identity->options.clock);
    rf_str key_name = rf_arena_printf(arena, "issuer %.*s", RF_FMT(issuer));
    if (key_name.ptr == NULL) return rf_fail_memory(err, arena);
    if (!federation_may_fetch(federation, issuer))
        return bad_signature(err, "The keys of this issuer may not be fetched from here");
    RF_CLEANUP(memo_release)
    struct memo_entry *entry = memo_find(federation->identity->memo, key_name, 0);
    for (int round = 0;; round++) {
        const struct issuer_keys *keys = entry == NULL ? NULL : entry->value;
        const struct json_node *jwk = keys == NULL ? NULL : find_key(keys->keys, jwt->kid);
        rf_usec age = keys == NULL ? 0 : now - keys->fetched;
        bool fresh = keys != NULL && age < KEEP_SECONDS * RF_USEC_PER_SECOND &&
                     (jwk != NULL || age < AGAIN_SECONDS * RF_USEC_PER_SECOND);
        if (!fresh && round == 0) {
            memo_release(&entry);
            RF_TRY(fetch_entry(federation, key_name, issuer, now, &entry, err));
            continue;
        }
        if (jwk == NULL) return bad_signature(err, "The key was not found");
        struct public_key *key;
        struct rf_err bad;
        if (public_key_of_jwk(jwk, &key, &bad) != RF_OK)
            return bad_signature(err, "The key is of an unknown kind");
        enum rf_kind kind = jwt_check(jwt, key, JWT_RS256 | JWT_PS256 | JWT_ES256, &bad);
        public_key_free(key);
        return kind == RF_OK ? RF_OK : bad_signature(err, "The signature is invalid");
    }
}
