/* keeper_listener_keys.c - the keeper's side of keeper_listener.h. A binding is a record of the file of keys (the last of a listener counts):
 * 1 listener, 16 vault's id, 16 item's id, then the label; of an unbound one the listener alone. */
#include <stdio.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/keeper_listener.h"
#include "crypt/keeper_vault_work.h"
#include "crypt/seal_key_int.h"
#include "crypt/tls_message.h"

enum { RECORD_HEAD_BYTES = 1 + 2 * SEAL_ID_BYTES, RSA_BITS_MIN = 2048, SIGNATURE_BYTES_MAX = 512 };

/* ---- what is bound; keys->lock is held -------------------------------------------------------------------------------- */

static void slot_drop(struct keeper_listener_bound *bound, uint32_t index)
{
    EVP_PKEY_free(bound->slots[index].key);
    bound->slot_count--;
    for (uint32_t i = index; i < bound->slot_count; i++) bound->slots[i] = bound->slots[i + 1];
    bound->slots[bound->slot_count] = (struct keeper_listener_slot){.key = NULL};
}

/* All that was in use signs until then at the latest. */
static void end_slots(struct keeper_listener_bound *bound, rf_usec until)
{
    for (uint32_t i = 0; i < bound->slot_count; i++)
        bound->slots[i].until = RF_MIN(bound->slots[i].until, until);
}

static void forget_old(struct keeper_listener_bound *bound, rf_usec now)
{
    while (bound->slot_count > 0 && bound->slots[0].until <= now) slot_drop(bound, 0);
}

/* Takes the key. */
static void slot_add(struct keeper_listener_bound *bound, const uint8_t leaf[SHA256_BYTES],
                     EVP_PKEY *key, rf_usec now, rf_usec ends)
{
    end_slots(bound, now + KEEPER_TLS_AFTER_USEC);
    forget_old(bound, now);
    if (bound->slot_count == KEEPER_LISTENER_SLOTS) slot_drop(bound, 0);
    struct keeper_listener_slot *slot = &bound->slots[bound->slot_count++];
    *slot = (struct keeper_listener_slot){.key = key, .until = INT64_MAX, .ends = ends};
    memcpy(slot->leaf, leaf, SHA256_BYTES);
}

/* The one in use; NULL: none was shown since the keeper started. */
static struct keeper_listener_slot *newest(struct keeper_listener_bound *bound)
{
    if (bound->slot_count == 0) return NULL;
    struct keeper_listener_slot *slot = &bound->slots[bound->slot_count - 1];
    return slot->until == INT64_MAX ? slot : NULL;
}

/* ---- records ------------------------------------------------------------------------------------------------------------ */

enum rf_kind keeper_listener_take(struct keeper_keys *keys, rf_str record, struct rf_err *err)
{
    unsigned which = record.len == 0 ? 0 : record.ptr[0];
    if (which < KEEPER_LISTENER_HTTPS || which >= KEEPER_LISTENER_END ||
        (record.len != 1 && record.len < RECORD_HEAD_BYTES) ||
        record.len > RECORD_HEAD_BYTES + LISTENER_LABEL_BYTES_MAX)
        return RF_FAIL(err, RF_CORRUPT, "KeeperKeysDamaged", "a listener's binding is none");
    struct keeper_listener_bound *bound = &keys->listeners[which];
    bound->is_bound = record.len > 1;
    bound->label_bytes = 0;
    bound->refused[0] = '\0';
    if (!bound->is_bound) return RF_OK;
    memcpy(bound->vault_id, record.ptr + 1, SEAL_ID_BYTES);
    memcpy(bound->item_id, record.ptr + 1 + SEAL_ID_BYTES, SEAL_ID_BYTES);
    bound->label_bytes = (uint32_t)(record.len - RECORD_HEAD_BYTES);
    memcpy(bound->label, record.ptr + RECORD_HEAD_BYTES, bound->label_bytes);
    return RF_OK;
}

void keeper_listeners_done(struct keeper_keys *keys)
{
    for (uint32_t i = 0; i < RF_COUNT(keys->listeners); i++)
        while (keys->listeners[i].slot_count > 0) slot_drop(&keys->listeners[i], 0);
}

/* Stores what is bound from now on; what was in use before ends soon. */
static enum rf_kind store(struct keeper_keys *keys, unsigned which, rf_str bytes,
                          struct rf_err *err)
{
    struct keeper_record record = {.type = KEEPER_RECORD_LISTENER, .names = bytes};
    rf_usec grace = KEEPER_LISTENER_GRACE_SECONDS * RF_USEC_PER_SECOND;
    pthread_rwlock_wrlock(&keys->lock);
    enum rf_kind kind = keeper_file_append(&keys->file, &record, err);
    if (kind == RF_OK) {
        end_slots(&keys->listeners[which], rf_clock_now(keys->clock) + grace);
        kind = keeper_listener_take(keys, bytes, err);
    }
    pthread_rwlock_unlock(&keys->lock);
    return kind;
}

static enum rf_kind tell(struct work *w, const char *event, unsigned which, rf_str version,
                         struct rf_err *err)
{
    char detail[KEEPER_DETAIL_BYTES], of[KEEPER_DETAIL_BYTES - 32];
    work_describe(&w->who, &w->ring, version, of, sizeof of);
    (void)snprintf(detail, sizeof detail, "%s %s",
                   keeper_listener_name((enum keeper_listener)which), of);
    return keeper_audit_append(&w->vault->keys->audit, event, detail, &w->line, NULL, err);
}

/* ---- binding ------------------------------------------------------------------------------------------------------------ */

static bool next_listener(struct work *w, unsigned *which)
{
    return work_next_byte(w, KEEPER_LISTENER_HTTPS, KEEPER_LISTENER_END - 1, which);
}

static bool is_label(rf_str label)
{
    for (size_t i = 0; i < label.len; i++)
        if (label.ptr[i] <= ' ' || label.ptr[i] > '~') return false;
    return label.len > 0 && label.len <= LISTENER_LABEL_BYTES_MAX;
}

static enum rf_kind check_key(const struct work *w, const struct seal_head *head,
                              struct rf_err *err)
{
    RF_TRY(work_check_use(w, head, SEAL_OP_SIGN, err));
    if ((head->material == SEAL_RSA && head->bits >= RSA_BITS_MIN) || head->material == SEAL_P256 ||
        head->material == SEAL_P384 || head->material == SEAL_P521)
        return RF_OK;
    return work_denied("SealOperation",
                       "a listener's key is RSA of 2048 bits or more, P-256, P-384 or P-521", err);
}

enum rf_kind work_listener_bind(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned which;
    uint8_t record[RECORD_HEAD_BYTES + LISTENER_LABEL_BYTES_MAX];
    RF_TRY(work_who_asks(w, false, err));
    RF_TRY(work_next_ring(w, &w->ring, err));
    rf_str sealed = work_next(w);
    if (w->ring.kind != SEAL_KEY || !next_listener(w, &which)) return work_bad("listener", err);
    rf_str label = work_next(w);
    if (!is_label(label)) return work_bad("label", err);
    RF_TRY(work_borrow_key(w, sealed, &with, err));
    enum rf_kind kind = check_key(w, &with.head, err);
    work_give_back(w, &with);
    RF_TRY(kind);
    record[0] = (uint8_t)which;
    memcpy(record + 1, w->ring.vault_id, SEAL_ID_BYTES);
    memcpy(record + 1 + SEAL_ID_BYTES, w->ring.item_id, SEAL_ID_BYTES);
    memcpy(record + RECORD_HEAD_BYTES, label.ptr, label.len);
    /* The line comes first: nothing is bound that the log does not tell of. */
    RF_TRY(tell(w, "listener.bound", which, sealed, err));
    return store(w->vault->keys, which, rf_str_make(record, RECORD_HEAD_BYTES + label.len), err);
}

enum rf_kind work_listener_unbind(struct work *w, struct rf_err *err)
{
    struct keeper_keys *keys = w->vault->keys;
    unsigned which;
    RF_TRY(work_who_asks(w, false, err));
    if (!next_listener(w, &which)) return work_bad("listener", err);
    pthread_rwlock_rdlock(&keys->lock);
    bool is_bound = keys->listeners[which].is_bound;
    pthread_rwlock_unlock(&keys->lock);
    if (!is_bound)
        return RF_FAIL(err, RF_NOT_FOUND, "NotBound", "the listener has no certificate of a vault");
    uint8_t record = (uint8_t)which;
    RF_TRY(tell(w, "listener.unbound", which, (rf_str){0}, err));
    return store(keys, which, rf_str_make(&record, 1), err);
}

enum rf_kind work_listener_get(struct work *w, struct rf_err *err)
{
    struct keeper_keys *keys = w->vault->keys;
    unsigned which;
    bool good = true;
    if (!next_listener(w, &which)) return work_bad("listener", err);
    pthread_rwlock_rdlock(&keys->lock);
    struct keeper_listener_bound *bound = &keys->listeners[which];
    const struct keeper_listener_slot *slot = newest(bound);
    rf_str *out = w->answer->fields;
    if (bound->is_bound)
        good = rf_arena_str(w->arena, rf_str_make(bound->vault_id, SEAL_ID_BYTES), &out[0]) &&
               rf_arena_str(w->arena, rf_str_make(bound->item_id, SEAL_ID_BYTES), &out[1]) &&
               rf_arena_str(w->arena, rf_str_make(bound->label, bound->label_bytes), &out[2]) &&
               (slot == NULL ||
                rf_arena_str(w->arena, rf_str_make(slot->leaf, SHA256_BYTES), &out[3]));
    pthread_rwlock_unlock(&keys->lock);
    return good ? RF_OK : rf_fail_memory(err, w->arena);
}

/* ---- versions that are shown ------------------------------------------------------------------------------------------- */

/* Ids of versions begin with their time, so that a later one is greater. */
static uint64_t version_number(const struct seal_head *head)
{
    uint64_t number = 0;
    for (int i = 0; i < 8; i++) number = number << 8 | head->version[i];
    return (number >> 2) + 1;
}

static enum rf_kind check_order(struct work *w, const struct seal_head *head, uint8_t id[32],
                                struct rf_err *err)
{
    keeper_floor_id("listener", w->ring.vault_id, w->ring.item_id, id);
    if (version_number(head) >= keeper_floor_of(&w->vault->floors, id)) return RF_OK;
    return work_denied("SealRolledBack", "a later version of the certificate was in use", err);
}

static enum rf_kind bad_certificate(const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the listener's certificate %s", why);
}

static enum rf_kind check_certificate(const struct work *w, const struct seal_key *key, rf_str der,
                                      struct cert_info *info, struct rf_err *err)
{
    const uint8_t *at = der.ptr;
    uint8_t *spki = NULL;
    X509 *cert = der.len > 0 && der.len <= LONG_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;
    bool whole = cert != NULL && at == der.ptr + der.len;
    int len = whole ? i2d_PUBKEY(X509_get0_pubkey(cert), &spki) : -1;
    bool owns = len > 0 && seal_key_owns(key, rf_str_make(spki, (size_t)len));
    OPENSSL_free(spki);
    X509_free(cert);
    ERR_clear_error();
    if (!owns) return bad_certificate("is not for the version's key", err);
    RF_TRY(cert_read(der, w->arena, info, err));
    rf_usec now = rf_clock_now(w->vault->keys->clock);
    if (now < info->not_before) return bad_certificate("does not hold yet", err);
    return now < info->not_after ? RF_OK : bad_certificate("has expired", err);
}

/* Whether the listener is bound to the item of w->ring. */
static enum rf_kind check_bound(struct work *w, unsigned which, struct rf_err *err)
{
    struct keeper_keys *keys = w->vault->keys;
    pthread_rwlock_rdlock(&keys->lock);
    const struct keeper_listener_bound *bound = &keys->listeners[which];
    bool same = bound->is_bound && w->ring.kind == SEAL_KEY &&
                memcmp(bound->vault_id, w->ring.vault_id, SEAL_ID_BYTES) == 0 &&
                memcmp(bound->item_id, w->ring.item_id, SEAL_ID_BYTES) == 0;
    pthread_rwlock_unlock(&keys->lock);
    return same ? RF_OK : work_denied("NotBound", "the listener is not bound to this key", err);
}

/* True when it is in use already. */
static bool is_in_use(struct keeper_keys *keys, unsigned which, const uint8_t leaf[SHA256_BYTES])
{
    pthread_rwlock_rdlock(&keys->lock);
    const struct keeper_listener_slot *slot = newest(&keys->listeners[which]);
    bool same = slot != NULL && memcmp(slot->leaf, leaf, SHA256_BYTES) == 0;
    pthread_rwlock_unlock(&keys->lock);
    return same;
}

static enum rf_kind take_shown(struct work *w, unsigned which, rf_str sealed,
                               const struct borrowed *with, rf_str der, struct rf_err *err)
{
    struct keeper_keys *keys = w->vault->keys;
    struct cert_info info;
    uint8_t leaf[SHA256_BYTES], floor[32];
    RF_TRY(check_key(w, &with->head, err));
    RF_TRY(check_order(w, &with->head, floor, err));
    RF_TRY(check_certificate(w, with->key, der, &info, err));
    digest_sha256(der, leaf);
    if (!is_in_use(keys, which, leaf)) {
        RF_TRY(tell(w, "listener.certificate", which, sealed, err));
        RF_TRY(keeper_floor_raise(&w->vault->floors, floor, version_number(&with->head), err));
        if (EVP_PKEY_up_ref(with->key->pkey) != 1) return work_crypto_failed(err);
        pthread_rwlock_wrlock(&keys->lock);
        slot_add(&keys->listeners[which], leaf, with->key->pkey, rf_clock_now(keys->clock),
                 info.not_after);
        pthread_rwlock_unlock(&keys->lock);
    }
    return RF_OK;
}

/* For people: when the last one was taken, or why not. */
static void note(struct keeper_keys *keys, unsigned which, const char *refused)
{
    pthread_rwlock_wrlock(&keys->lock);
    struct keeper_listener_bound *bound = &keys->listeners[which];
    (void)snprintf(bound->refused, sizeof bound->refused, "%s", refused);
    if (refused[0] == '\0') bound->seen = rf_clock_now(keys->clock);
    pthread_rwlock_unlock(&keys->lock);
}

enum rf_kind work_listener_show(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned which;
    (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
    (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
    if (!next_listener(w, &which)) return work_bad("listener", err);
    const rf_str *shown = w->request->fields + 1 + KEEPER_RING_FIELDS;
    if (shown[0].len == 0 && shown[1].len == 0) {
        note(w->vault->keys, which, "the vault gives none");
        return RF_OK;
    }
    RF_TRY(work_next_ring(w, &w->ring, err));
    rf_str sealed = work_next(w), der = work_next(w);
    RF_TRY(check_bound(w, which, err));
    enum rf_kind kind = work_borrow_key(w, sealed, &with, err);
    if (kind == RF_OK) {
        kind = take_shown(w, which, sealed, &with, der, err);
        work_give_back(w, &with);
    }
    note(w->vault->keys, which, kind == RF_OK ? "" : err->code);
    return kind;
}

/* ---- signing ------------------------------------------------------------------------------------------------------------ */

static EVP_PKEY *key_of_leaf(struct keeper_keys *keys, rf_str leaf)
{
    EVP_PKEY *key = NULL;
    rf_usec now = rf_clock_now(keys->clock);
    pthread_rwlock_rdlock(&keys->lock);
    for (uint32_t i = 0; i < RF_COUNT(keys->listeners) && key == NULL; i++)
        for (uint32_t k = 0; k < keys->listeners[i].slot_count && key == NULL; k++) {
            const struct keeper_listener_slot *slot = &keys->listeners[i].slots[k];
            if (slot->until > now && rf_str_eq(leaf, rf_str_make(slot->leaf, SHA256_BYTES)))
                key = slot->key;
        }
    if (key != NULL && EVP_PKEY_up_ref(key) != 1) key = NULL;
    pthread_rwlock_unlock(&keys->lock);
    return key;
}

static bool sign(EVP_PKEY *key, const struct tls_scheme_facts *scheme, rf_str message, uint8_t *out,
                 size_t *len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *with = NULL;
    bool good = ctx != NULL &&
                EVP_DigestSignInit_ex(ctx, &with, scheme->digest, NULL, NULL, key, NULL) == 1;
    if (good && scheme->is_pss)
        good = EVP_PKEY_CTX_set_rsa_padding(with, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(with, RSA_PSS_SALTLEN_DIGEST) == 1;
    good = good && EVP_DigestSign(ctx, out, len, message.ptr, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

enum rf_kind work_listener_sign(struct work *w, struct rf_err *err)
{
    rf_str leaf = work_next(w), number = work_next(w), message = work_next(w);
    if (leaf.len != SHA256_BYTES || number.len != 2) return work_bad("certificate", err);
    const struct tls_scheme_facts *scheme = tls_scheme_find(rf_get_u16le(number.ptr));
    if (scheme == NULL || !tls_message_fits(message, scheme))
        return work_denied("NotHandshake",
                           "a listener's key signs handshakes of TLS and nothing else", err);
    EVP_PKEY *key = key_of_leaf(w->vault->keys, leaf);
    if (key == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "KeyGone",
                       "no listener uses a certificate of a vault with this digest");
    size_t len = SIGNATURE_BYTES_MAX;
    uint8_t *bytes = rf_arena_alloc(w->arena, len);
    bool fits = EVP_PKEY_is_a(key, scheme->is_rsa ? "RSA" : "EC") == 1;
    bool good = bytes != NULL && fits && sign(key, scheme, message, bytes, &len);
    EVP_PKEY_free(key);
    if (!fits) return work_denied("SealAlgorithm", "the scheme is not for this key", err);
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    if (!good) return work_crypto_failed(err);
    w->answer->fields[0] = rf_str_make(bytes, len);
    return RF_OK;
}

/* ---- for people ---------------------------------------------------------------------------------------------------------- */

void keeper_listeners_describe(struct keeper_keys *keys, char *out, size_t cap)
{
    size_t at = 0;
    rf_usec now = rf_clock_now(keys->clock);
    out[0] = '\0';
    pthread_rwlock_rdlock(&keys->lock);
    for (unsigned i = KEEPER_LISTENER_HTTPS; i < KEEPER_LISTENER_END; i++) {
        struct keeper_listener_bound *bound = &keys->listeners[i];
        if (!bound->is_bound || at >= cap) continue;
        const struct keeper_listener_slot *slot = newest(bound);
        long long days =
            slot == NULL
                ? 0
                : (long long)((slot->ends - now) / (24 * INT64_C(3600) * RF_USEC_PER_SECOND));
        bool stale = slot == NULL || bound->refused[0] != '\0' || slot->ends <= now ||
                     now - bound->seen > KEEPER_LISTENER_STALE_USEC;
        int n = snprintf(out + at, cap - at, "%s%s %.*s %s %s, %lld days left", at == 0 ? "" : "\n",
                         keeper_listener_name((enum keeper_listener)i), (int)bound->label_bytes,
                         bound->label, stale ? "STALE" : "good",
                         slot == NULL                ? "not in use"
                         : bound->refused[0] != '\0' ? bound->refused
                         : stale                     ? "kept, the vault gives none now"
                                                     : "in use",
                         days);
        at += n > 0 ? (size_t)n : 0;
    }
    pthread_rwlock_unlock(&keys->lock);
}
