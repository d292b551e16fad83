/* keeper_keys.c - which keys there are and when they change. */
#include <stdio.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/device.h"
#include "crypt/keeper.h"
#include "crypt/keeper_int.h"

enum { CA_DAYS = 3650, MEMORY_BYTES = 1 << 20 };
#define USEC_PER_HOUR (INT64_C(3600) * RF_USEC_PER_SECOND)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define BACKDATE_USEC KEEPER_CERT_BACKDATE_USEC

void keeper_derive(const struct keeper_keys *keys, enum root_base base,
                   uint8_t out[KEEPER_SECRET_BYTES])
{
    memcpy(out, keys->seal.bases[base], KEEPER_SECRET_BYTES);
}

/* Verifiers outlast the root under which they were made: their two uses are among what is kept of it. What other purposes derive hangs on
 * what lasts too. */
void keeper_derive_mac(const struct keeper_keys *keys, rf_str purpose,
                       uint8_t out[KEEPER_SECRET_BYTES])
{
    if (rf_str_is(purpose, KEEPER_MAC_SECRET))
        keeper_derive(keys, ROOT_BASE_MAC_SECRET, out);
    else if (rf_str_is(purpose, KEEPER_MAC_PASSWORD))
        keeper_derive(keys, ROOT_BASE_MAC_PASSWORD, out);
    else
        root_derive(keys->seal.bases[ROOT_BASE_KEYS], "ringfort mac 2", purpose, out);
}

bool keeper_derive_of(const struct keeper_keys *keys, uint32_t generation, const char *label,
                      uint8_t out[KEEPER_SECRET_BYTES])
{
    const uint8_t *root = root_seal_key(&keys->seal, generation);
    if (root == NULL) return false;
    root_derive(root, label, (rf_str){0}, out);
    /* It may have been dropped, and wiped, in this moment. */
    return root_seal_key(&keys->seal, generation) != NULL;
}

uint32_t keeper_root_generation(const struct keeper_keys *keys)
{
    return RF_MAX(atomic_load(&keys->seal.newest), 1U);
}

static rf_usec now_of(const struct keeper_keys *keys) { return rf_clock_now(keys->clock); }

static enum rf_kind audit(struct keeper_keys *keys, const char *what, const char *detail,
                          struct rf_err *err)
{
    return keeper_audit_write(&keys->audit, what, detail, err);
}

enum rf_kind keeper_keep(rf_str from, rf_str *to, struct rf_err *err)
{
    uint8_t *copy = malloc(from.len + 1);
    if (copy == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the keeper's keys");
    if (from.len > 0) memcpy(copy, from.ptr, from.len);
    free((void *)(uintptr_t)to->ptr);
    *to = rf_str_make(copy, from.len);
    return RF_OK;
}

static void drop(rf_str *s)
{
    free((void *)(uintptr_t)s->ptr);
    *s = (rf_str){0};
}

/* ---- keys as bytes -------------------------------------------------------------------------------------------------- */

static enum rf_kind key_of(rf_str bytes, EVP_PKEY **out, struct rf_err *err)
{
    const uint8_t *at = bytes.ptr;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)bytes.len);
    if (key == NULL) return RF_FAIL(err, RF_CORRUPT, "KeeperKeysDamaged", "a key cannot be read");
    EVP_PKEY_free(*out);
    *out = key;
    return RF_OK;
}

enum rf_kind keeper_store_private(struct keeper_keys *keys, struct keeper_record *record,
                                  EVP_PKEY *key, struct rf_err *err)
{
    uint8_t *bytes = NULL;
    int len = i2d_PrivateKey(key, &bytes);
    if (len <= 0) return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot write a key");
    record->key = rf_str_make(bytes, (size_t)len);
    enum rf_kind kind = keeper_file_append(&keys->file, record, err);
    OPENSSL_clear_free(bytes, (size_t)len);
    return kind;
}

/* ---- token-signing keys: a list by time ------------------------------------------------------------------------------ */

static void jwt_own_done(struct keeper_jwt_own *own)
{
    EVP_PKEY_free(own->key);
    drop(&own->kid);
    drop(&own->cert);
    *own = (struct keeper_jwt_own){0};
}

/* When the key at `index` signs no longer: when the next one does, which may be still unknown. */
static rf_usec signs_until(const struct keeper_keys *keys, uint32_t index)
{
    if (index + 1 < keys->jwt_count) return keys->jwt[index + 1].from;
    rf_usec planned = keys->jwt[index].from + KEEPER_JWT_USE_DAYS * USEC_PER_DAY;
    rf_usec soonest = now_of(keys) + KEEPER_JWT_AHEAD_HOURS * USEC_PER_HOUR;
    return RF_MAX(planned, soonest);
}

static void jwt_remove(struct keeper_keys *keys, uint32_t index)
{
    jwt_own_done(&keys->jwt[index]);
    keys->jwt_count--;
    for (uint32_t i = index; i < keys->jwt_count; i++) keys->jwt[i] = keys->jwt[i + 1];
    keys->jwt[keys->jwt_count] = (struct keeper_jwt_own){0};
}

/* Forgets those whose last token has expired; their records stay in the file. */
static void jwt_forget_old(struct keeper_keys *keys)
{
    rf_usec now = now_of(keys);
    while (keys->jwt_count > 1 &&
           signs_until(keys, 0) + KEEPER_JWT_AFTER_HOURS * USEC_PER_HOUR <= now)
        jwt_remove(keys, 0);
}

static enum rf_kind kid_of(rf_str cert, rf_str *kid, struct rf_err *err)
{
    enum { KID_MEMORY_BYTES = 4096 };
    uint8_t digest[SHA1_BYTES];
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, KID_MEMORY_BYTES);
    digest_sha1(cert, digest);
    rf_str text = base64url_encode(&arena, rf_str_make(digest, sizeof digest));
    return text.ptr == NULL ? rf_fail_memory(err, &arena) : keeper_keep(text, kid, err);
}

/* Takes `key`, also when it fails. */
static enum rf_kind jwt_add(struct keeper_keys *keys, EVP_PKEY *key, rf_str cert, rf_usec from,
                            struct rf_err *err)
{
    struct keeper_jwt_own own = {.key = key, .from = from};
    enum rf_kind kind = keeper_keep(cert, &own.cert, err);
    if (kind == RF_OK) kind = kid_of(cert, &own.kid, err);
    if (kind != RF_OK) {
        jwt_own_done(&own);
        return kind;
    }
    /* Only rotations in quick succession come so far; the oldest verifies no longer then. */
    if (keys->jwt_count == KEEPER_KEYS_MAX) jwt_remove(keys, 0);
    keys->jwt[keys->jwt_count++] = own;
    return RF_OK;
}

static enum rf_kind jwt_make(struct keeper_keys *keys, rf_usec from, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    EVP_PKEY *key = NULL;
    struct keeper_record record = {.type = KEEPER_RECORD_JWT, .from = from};
    struct cert_request request = {
        .subject_cn = RF_S("Ringfort token signing"),
        .not_before = now_of(keys) - BACKDATE_USEC,
        .not_after = from + (2 * KEEPER_JWT_USE_DAYS) * USEC_PER_DAY,
    };
    RF_TRY(key_make(KEY_RSA_2048, &key, err));
    enum rf_kind kind = cert_make(&request, key, key, (rf_str){0}, &arena, &record.cert, err);
    if (kind == RF_OK) kind = keeper_store_private(keys, &record, key, err);
    if (kind != RF_OK) {
        EVP_PKEY_free(key);
        return kind;
    }
    RF_TRY(jwt_add(keys, key, record.cert, from, err));
    const struct keeper_jwt_own *newest = &keys->jwt[keys->jwt_count - 1];
    char detail[128];
    (void)snprintf(detail, sizeof detail, "token signing %.*s", RF_FMT(newest->kid));
    return audit(keys, "key.created", detail, err);
}

const struct keeper_jwt_own *keeper_keys_signing(const struct keeper_keys *keys, rf_usec now)
{
    RF_ASSERT(keys->jwt_count > 0);
    uint32_t at = keys->jwt_count - 1;
    while (at > 0 && keys->jwt[at].from > now) at--;
    return &keys->jwt[at];
}

void keeper_keys_list(const struct keeper_keys *keys, struct keeper_answer *answer)
{
    rf_usec now = now_of(keys);
    const struct keeper_jwt_own *signing = keeper_keys_signing(keys, now);
    for (uint32_t i = 0; i < keys->jwt_count; i++) {
        const struct keeper_jwt_own *own = &keys->jwt[i];
        rf_usec until = signs_until(keys, i);
        if (until + KEEPER_JWT_AFTER_HOURS * USEC_PER_HOUR <= now) continue;
        answer->keys[answer->key_count++] = (struct keeper_jwt_key){.kid = own->kid,
                                                                    .cert = own->cert,
                                                                    .from = own->from,
                                                                    .until = until,
                                                                    .signing = own == signing};
    }
}

/* The last key is in use and its planned time is near its end. */
static bool next_is_due(const struct keeper_keys *keys)
{
    rf_usec ends = keys->jwt[keys->jwt_count - 1].from + KEEPER_JWT_USE_DAYS * USEC_PER_DAY;
    return now_of(keys) >= ends - KEEPER_JWT_AHEAD_HOURS * USEC_PER_HOUR;
}

enum rf_kind keeper_keys_tick(struct keeper_keys *keys, struct rf_err *err)
{
    pthread_rwlock_rdlock(&keys->lock);
    bool due = next_is_due(keys);
    pthread_rwlock_unlock(&keys->lock);
    return due ? keeper_keys_rotate(keys, false, err) : RF_OK;
}

static enum rf_kind retire_all(struct keeper_keys *keys, struct rf_err *err)
{
    while (keys->jwt_count > 0) {
        char detail[128];
        rf_str kid = keys->jwt[0].kid;
        struct keeper_record record = {.type = KEEPER_RECORD_RETIRED, .names = kid};
        (void)snprintf(detail, sizeof detail, "token signing %.*s", RF_FMT(kid));
        RF_TRY(keeper_file_append(&keys->file, &record, err));
        RF_TRY(audit(keys, "key.retired", detail, err));
        jwt_remove(keys, 0);
    }
    return RF_OK;
}

/* The new key comes first, so that a crash or a full disk never leaves none. */
static enum rf_kind rotate_now(struct keeper_keys *keys, struct rf_err *err)
{
    RF_TRY(jwt_make(keys, now_of(keys), err));
    struct keeper_jwt_own newest = keys->jwt[keys->jwt_count - 1];
    keys->jwt[--keys->jwt_count] = (struct keeper_jwt_own){0};
    enum rf_kind kind = retire_all(keys, err);
    keys->jwt[keys->jwt_count++] = newest;
    return kind;
}

enum rf_kind keeper_keys_rotate(struct keeper_keys *keys, bool emergency, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_rwlock_wrlock(&keys->lock);
    jwt_forget_old(keys);
    bool waiting = keys->jwt[keys->jwt_count - 1].from > now_of(keys);
    if (emergency)
        kind = rotate_now(keys, err);
    else if (!waiting) /* else the next one is published already */
        kind = jwt_make(keys, now_of(keys) + KEEPER_JWT_AHEAD_HOURS * USEC_PER_HOUR, err);
    pthread_rwlock_unlock(&keys->lock);
    return kind;
}

/* ---- the authority ----------------------------------------------------------------------------------------------------- */

static enum rf_kind make_ca(struct keeper_keys *keys, rf_str domain, struct rf_arena *arena,
                            struct rf_err *err)
{
    struct keeper_record record = {.type = KEEPER_RECORD_CA};
    rf_usec now = now_of(keys);
    /* Two installations of one name must not be taken for each other by who collects authorities by subject. */
    uint8_t mark[4];
    random_bytes(mark, sizeof mark);
    rf_str cn = rf_arena_printf(arena, "Ringfort %08x %.*s", rf_get_u32le(mark),
                                (int)RF_MIN(domain.len, 40), (const char *)domain.ptr);
    struct cert_request request = {.subject_cn = cn,
                                   .not_before = now - BACKDATE_USEC,
                                   .not_after = now + CA_DAYS * USEC_PER_DAY,
                                   .is_ca = true};
    RF_TRY(key_make(KEY_P256, &keys->ca, err));
    RF_TRY(cert_make(&request, keys->ca, keys->ca, (rf_str){0}, arena, &record.cert, err));
    RF_TRY(keeper_store_private(keys, &record, keys->ca, err));
    RF_TRY(keeper_keep(record.cert, &keys->ca_der, err));
    return audit(keys, "key.created", "authority", err);
}

/* ---- the authority over devices ------------------------------------------------------------------------------------------ */

/* keys->lock is held for writing. */
static enum rf_kind make_device_ca(struct keeper_keys *keys, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    struct keeper_record record = {.type = KEEPER_RECORD_DEVICE_CA};
    EVP_PKEY *key = NULL;
    RF_TRY(key_make(KEY_P256, &key, err));
    enum rf_kind kind = device_authority_make(key, now_of(keys), &arena, &record.cert, err);
    if (kind == RF_OK) kind = keeper_store_private(keys, &record, key, err);
    if (kind == RF_OK) kind = keeper_keep(record.cert, &keys->device_ca_der, err);
    if (kind != RF_OK) {
        EVP_PKEY_free(key);
        return kind;
    }
    keys->device_ca = key;
    return audit(keys, "key.created", "device authority", err);
}

enum rf_kind keeper_keys_device_ca(struct keeper_keys *keys, EVP_PKEY **key, rf_str *der,
                                   struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_rwlock_rdlock(&keys->lock);
    bool is_there = keys->device_ca != NULL;
    pthread_rwlock_unlock(&keys->lock);
    if (!is_there) {
        pthread_rwlock_wrlock(&keys->lock);
        if (keys->device_ca == NULL) kind = make_device_ca(keys, err);
        pthread_rwlock_unlock(&keys->lock);
    }
    if (kind != RF_OK) return kind;
    *key = keys->device_ca;
    *der = keys->device_ca_der;
    return RF_OK;
}

enum rf_kind keeper_keys_issue(struct keeper_keys *keys, const struct device_order *order,
                               struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    EVP_PKEY *key;
    rf_str authority, made;
    struct cert_info info;
    char detail[2 * DEVICE_NAME_BYTES_MAX + 64];
    RF_TRY(keeper_keys_device_ca(keys, &key, &authority, err));
    RF_TRY(device_certificate_make(order, key, authority, now_of(keys), arena, &made, err));
    RF_TRY(cert_read(made, arena, &info, err));
    (void)snprintf(detail, sizeof detail, "device %.*s %.*s", RF_FMT(order->name),
                   RF_FMT(info.serial));
    /* No certificate without its line. */
    RF_TRY(audit(keys, "certificate.issued", detail, err));
    *der = made;
    return RF_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------- */

static void retire(struct keeper_keys *keys, rf_str kid)
{
    for (uint32_t i = 0; i < keys->jwt_count; i++)
        if (rf_str_eq(keys->jwt[i].kid, kid)) {
            jwt_remove(keys, i);
            return;
        }
}

static enum rf_kind each_record(void *ctx, const struct keeper_record *record, struct rf_err *err)
{
    struct keeper_keys *keys = ctx;
    EVP_PKEY *key = NULL;
    switch (record->type) {
    case KEEPER_RECORD_CA:
        RF_TRY(keeper_keep(record->cert, &keys->ca_der, err));
        return key_of(record->key, &keys->ca, err);
    case KEEPER_RECORD_TLS:
        RF_TRY(key_of(record->key, &key, err));
        return keeper_tls_take(keys, record, key, err);
    case KEEPER_RECORD_DEVICE_CA:
        RF_TRY(keeper_keep(record->cert, &keys->device_ca_der, err));
        return key_of(record->key, &keys->device_ca, err);
    case KEEPER_RECORD_JWT:
        RF_TRY(key_of(record->key, &key, err));
        return jwt_add(keys, key, record->cert, record->from, err);
    case KEEPER_RECORD_LISTENER:
        return keeper_listener_take(keys, record->names, err);
    default:
        retire(keys, record->names);
        return RF_OK;
    }
}

enum rf_kind keeper_keys_load(struct keeper_keys *keys, const struct keeper_core_options *options,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    keys->clock = options->clock;
    RF_TRY(keeper_tls_names(keys, options, &arena, err));
    keeper_derive(keys, ROOT_BASE_KEYS, keys->file.sealing_key);
    return keeper_file_load(&keys->file, each_record, keys, err);
}

enum rf_kind keeper_keys_make(struct keeper_keys *keys, const struct keeper_core_options *options,
                              struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    if (keys->ca == NULL) RF_TRY(make_ca(keys, options->domain, &arena, err));
    RF_TRY(keeper_tls_ensure(keys, &arena, err));
    if (keys->jwt_count == 0) RF_TRY(jwt_make(keys, now_of(keys), err));
    jwt_forget_old(keys);
    return keeper_keys_tick(keys, err);
}

void keeper_keys_done(struct keeper_keys *keys)
{
    while (keys->jwt_count > 0) jwt_remove(keys, 0);
    EVP_PKEY_free(keys->ca);
    keeper_tls_done(keys);
    keeper_listeners_done(keys);
    EVP_PKEY_free(keys->device_ca);
    drop(&keys->device_ca_der);
    drop(&keys->ca_der);
    root_seal_done(&keys->seal);
    OPENSSL_cleanse(keys->file.sealing_key, sizeof keys->file.sealing_key);
}
