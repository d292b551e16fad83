/* keeper_tls.c - the certificate of the server's own listeners: for which names, and when it is renewed. Each renewal has a key of its own; old
 * ones sign for an hour more. */
#include <stdlib.h>

#include <openssl/evp.h>

#include "crypt/keeper_int.h"

enum {
    TLS_DAYS = 90,
    TLS_RENEW_DAYS = 30, /* before its end: at two thirds */
    NAMES_MAX = 64,
    MEMORY_BYTES = 1 << 20
};
#define USEC_PER_DAY (24 * INT64_C(3600) * RF_USEC_PER_SECOND)

static bool is_address(rf_str name)
{
    bool colon = false, digits = true;
    for (size_t i = 0; i < name.len; i++) {
        colon |= name.ptr[i] == ':';
        digits &= rf_is_digit(name.ptr[i]) || name.ptr[i] == '.';
    }
    return colon || digits;
}

/* Splits wanted_names into DNS names and addresses. */
static void split_names(rf_str names, struct cert_request *request, rf_str *dns, rf_str *ips)
{
    request->dns_names = dns;
    request->ip_texts = ips;
    for (size_t at = 0; at < names.len;) {
        size_t to = rf_str_find(names, RF_S("\n"), at);
        rf_str name = rf_slice(names, at, to);
        if (is_address(name))
            ips[request->ip_count++] = name;
        else
            dns[request->dns_count++] = name;
        at = to + 1;
    }
}

/* ---- renewing ----------------------------------------------------------------------------------------------------------- */

static rf_usec now_of(const struct keeper_keys *keys) { return rf_clock_now(keys->clock); }

static void before_remove(struct keeper_keys *keys, uint32_t index)
{
    EVP_PKEY_free(keys->tls_before[index].key);
    keys->tls_before_count--;
    for (uint32_t i = index; i < keys->tls_before_count; i++)
        keys->tls_before[i] = keys->tls_before[i + 1];
    keys->tls_before[keys->tls_before_count] = (struct keeper_tls_own){0};
}

static void forget_old(struct keeper_keys *keys)
{
    rf_usec now = now_of(keys);
    while (keys->tls_before_count > 0 && keys->tls_before[0].until <= now) before_remove(keys, 0);
}

/* Takes `key`, also when it fails. The one that was in use till now signs on for a while, for handshakes under way and a server that has not asked yet. */
static enum rf_kind use(struct keeper_keys *keys, rf_str cert, rf_str names, rf_usec made,
                        EVP_PKEY *key, struct rf_err *err)
{
    enum rf_kind kind = keeper_keep(cert, &keys->tls_der, err);
    if (kind == RF_OK) kind = keeper_keep(names, &keys->tls_names, err);
    if (kind != RF_OK) {
        EVP_PKEY_free(key);
        return kind;
    }
    if (keys->tls_before_count == KEEPER_TLS_BEFORE_MAX) before_remove(keys, 0);
    if (keys->tls != NULL)
        keys->tls_before[keys->tls_before_count++] =
            (struct keeper_tls_own){.key = keys->tls, .until = made + KEEPER_TLS_AFTER_USEC};
    if (keys->tls != NULL)
        memcpy(keys->tls_before[keys->tls_before_count - 1].leaf, keys->tls_leaf, SHA256_BYTES);
    keys->tls = key;
    digest_sha256(cert, keys->tls_leaf);
    return RF_OK;
}

enum rf_kind keeper_tls_take(struct keeper_keys *keys, const struct keeper_record *record,
                             EVP_PKEY *key, struct rf_err *err)
{
    return use(keys, record->cert, record->names, record->from, key, err);
}

static enum rf_kind issue(struct keeper_keys *keys, struct rf_arena *arena, struct rf_err *err)
{
    rf_str dns[NAMES_MAX], ips[NAMES_MAX];
    rf_usec now = now_of(keys);
    EVP_PKEY *key = NULL;
    struct keeper_record record = {
        .type = KEEPER_RECORD_TLS, .from = now, .names = keys->wanted_names};
    struct cert_request request = {.subject_cn = RF_S("Ringfort"),
                                   .not_before = now - KEEPER_CERT_BACKDATE_USEC,
                                   .not_after = now + TLS_DAYS * USEC_PER_DAY};
    split_names(keys->wanted_names, &request, dns, ips);
    RF_TRY(key_make(KEY_P256, &key, err));
    enum rf_kind kind = cert_make(&request, key, keys->ca, keys->ca_der, arena, &record.cert, err);
    if (kind == RF_OK) kind = keeper_store_private(keys, &record, key, err);
    if (kind != RF_OK) {
        EVP_PKEY_free(key);
        return kind;
    }
    RF_TRY(use(keys, record.cert, keys->wanted_names, now, key, err));
    keys->tls_until = request.not_after;
    return keeper_audit_write(&keys->audit, "key.created", "TLS", err);
}

static bool ends_soon(const struct keeper_keys *keys)
{
    return keys->tls_until <= now_of(keys) + TLS_RENEW_DAYS * USEC_PER_DAY;
}

enum rf_kind keeper_tls_ensure(struct keeper_keys *keys, struct rf_arena *arena, struct rf_err *err)
{
    struct cert_info info;
    forget_old(keys);
    if (keys->tls == NULL || !rf_str_eq(keys->tls_names, keys->wanted_names))
        return issue(keys, arena, err);
    RF_TRY(cert_read(keys->tls_der, arena, &info, err));
    keys->tls_until = info.not_after;
    return ends_soon(keys) ? issue(keys, arena, err) : RF_OK;
}

/* keys->lock is held for writing. */
static enum rf_kind renew(struct keeper_keys *keys, struct rf_arena *arena, struct rf_err *err)
{
    forget_old(keys);
    if (keys->tls_before_count == KEEPER_TLS_BEFORE_MAX)
        return RF_FAIL(err, RF_LIMIT, "RenewedTooOften",
                       "the certificate was renewed %d times within the hour in which old keys "
                       "are kept; try again later",
                       KEEPER_TLS_BEFORE_MAX);
    return issue(keys, arena, err);
}

enum rf_kind keeper_tls_renew(struct keeper_keys *keys, bool at_once, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    enum rf_kind kind = RF_OK;
    rf_arena_init(&arena, MEMORY_BYTES);
    pthread_rwlock_rdlock(&keys->lock);
    bool wanted = at_once || ends_soon(keys);
    pthread_rwlock_unlock(&keys->lock);
    if (!wanted) return RF_OK;
    pthread_rwlock_wrlock(&keys->lock);
    if (at_once || ends_soon(keys)) kind = renew(keys, &arena, err);
    pthread_rwlock_unlock(&keys->lock);
    return kind;
}

enum rf_kind keeper_tls_key(struct keeper_keys *keys, rf_str leaf, EVP_PKEY **out,
                            struct rf_err *err)
{
    EVP_PKEY *key = NULL;
    rf_usec now = now_of(keys);
    pthread_rwlock_rdlock(&keys->lock);
    if (leaf.len == 0 || rf_str_eq(leaf, rf_str_make(keys->tls_leaf, SHA256_BYTES)))
        key = keys->tls;
    for (uint32_t i = 0; i < keys->tls_before_count && key == NULL; i++) {
        const struct keeper_tls_own *own = &keys->tls_before[i];
        if (own->until > now && rf_str_eq(leaf, rf_str_make(own->leaf, SHA256_BYTES)))
            key = own->key;
    }
    if (key != NULL) EVP_PKEY_up_ref(key);
    pthread_rwlock_unlock(&keys->lock);
    if (key == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "KeyGone", "the key of this certificate is kept no more");
    *out = key;
    return RF_OK;
}

void keeper_tls_done(struct keeper_keys *keys)
{
    while (keys->tls_before_count > 0) before_remove(keys, 0);
    EVP_PKEY_free(keys->tls);
    free((void *)(uintptr_t)keys->tls_der.ptr);
    free((void *)(uintptr_t)keys->tls_names.ptr);
    free((void *)(uintptr_t)keys->wanted_names.ptr);
}

/* ---- names -------------------------------------------------------------------------------------------------------------- */

static void put_name(struct rf_buf *buf, rf_str name)
{
    for (size_t i = 0; i < name.len; i++) rf_buf_byte(buf, rf_lower(name.ptr[i]));
    rf_buf_byte(buf, '\n');
}

enum rf_kind keeper_tls_names(struct keeper_keys *keys, const struct keeper_core_options *options,
                              struct rf_arena *arena, struct rf_err *err)
{
    enum { OWN_NAMES = 6 };
    struct rf_buf buf = rf_buf_in(arena);
    if (options->domain.len == 0 || options->name_count > NAMES_MAX - OWN_NAMES)
        return RF_FAIL(err, RF_INVALID, "BadName",
                       "a domain and at most %d further names are needed", NAMES_MAX - OWN_NAMES);
    put_name(&buf, RF_S("localhost"));
    put_name(&buf, options->domain);
    put_name(&buf, rf_arena_printf(arena, "*.%.*s", RF_FMT(options->domain)));
    put_name(&buf, rf_arena_printf(arena, "*.vault.%.*s", RF_FMT(options->domain)));
    put_name(&buf, RF_S("127.0.0.1"));
    put_name(&buf, RF_S("::1"));
    for (uint32_t i = 0; i < options->name_count; i++) {
        if (memchr(options->names[i].ptr, '\n', options->names[i].len) != NULL)
            return RF_FAIL(err, RF_INVALID, "BadName", "a name holds an end of line");
        put_name(&buf, options->names[i]);
    }
    return buf.failed ? rf_fail_memory(err, arena)
                      : keeper_keep(rf_buf_view(&buf), &keys->wanted_names, err);
}

/* One name of the certificate, which may begin with "*.", against a host. */
static bool name_covers(rf_str name, rf_str host)
{
    if (!rf_str_starts(name, RF_S("*."))) return rf_str_eq_nocase(name, host);
    size_t dot = rf_str_find(host, RF_S("."), 0);
    return dot != SIZE_MAX && dot > 0 &&
           rf_str_eq_nocase(rf_slice(name, 1, name.len), rf_slice(host, dot, host.len));
}

bool keeper_keys_name_host(const struct keeper_keys *keys, rf_str host)
{
    rf_str names = keys->wanted_names;
    for (size_t at = 0; at < names.len;) {
        size_t to = rf_str_find(names, RF_S("\n"), at);
        if (name_covers(rf_slice(names, at, to), host)) return true;
        at = to + 1;
    }
    return false;
}
