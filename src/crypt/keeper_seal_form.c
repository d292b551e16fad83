/* keeper_seal_form.c - the bytes of root.seal.
 *
 *   root.seal, little endian: two slots, at byte 0 and at byte 4096; the newest that holds counts, the other is overwritten with zeros. A slot
 *   0     8  magic "RFSEAL\0\1"; with the last byte 2 once a generation is retired or dropped
 *   8     8  counter, one more with each write; slot counter % 2 holds it
 *   16    8  when it was sealed
 *   24    2  roots, 1 to 16
 *   26    2  how many of the oldest of them are retired
 *   28    4  locks, 1 or 2: the seal, and recovery
 *   32   96  first lock:  0 1 kind (1 key file, 2 passphrase, 3 shares, 4 PKCS#11 token, 5 TPM), 1 1 threshold, 2 1 shares, 3 1 zero, 4 4 Argon2id memory in KiB,
 *            8 4 passes, 12 4 lanes, 16 16 id (salt of a passphrase; its first 6 bytes are the set of shares; of a token the
 *            first bytes of its tail's SHA-256), 32 12 nonce,
 *            44 32 the slot's key, AES-256-GCM under what opens the lock, 76 16 tag (additional data: the lock's first 32 bytes),
 *            92 4 generations that were dropped: with the roots, the newest one's generation
 *   128  96  second lock, or zeros; 92 4 when those that are retired go, minutes since 1970, 0: when people say so
 *   224  12  nonce
 *   236      the roots, 32 bytes each, oldest first, and once one was dropped what the first derived (enum root_base), 32 bytes each; AES-256-GCM under
 *            the slot's key, and 16 bytes of tag (additional data: the 224 bytes before); zeros behind
 *   992  32  SHA-256 of the 992 bytes before: tells a torn slot from a wrong passphrase
 *   1024     with a token its tail: 0 2 bytes of settings, 2 2 bytes of blob, 4 settings, blob; zeros up to 4096
 *
 * What opens a lock: of a token HMAC-SHA256(the key that it unwraps, "ringfort root token 1"); of a key file HMAC-SHA256(root.key, "ringfort root lock 1"); of a passphrase Argon2id; of shares the secret
 * that they share. */
#include <argon2.h>
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypt/digest.h"
#include "crypt/keeper_seal.h"

enum {
    LOCK_AT = 32,
    LOCK_BYTES = 96,
    LOCK_ABOUT_BYTES = 32,
    ABOUT_BYTES = LOCK_AT + ROOT_LOCKS_MAX * LOCK_BYTES,
    DROPPED_AT = LOCK_AT + LOCK_BYTES - 4,
    ERASE_AT = ABOUT_BYTES - 4,
    SEALED_AT = ABOUT_BYTES + ROOT_NONCE_BYTES,
    CHECK_AT = ROOT_SLOT_BYTES - SHA256_BYTES,
    GENERATIONS_MAX = 1 << 30
};
static const uint8_t magic[8] = "RFSEAL\0\1";
_Static_assert(SEALED_AT + sizeof(struct root_keys) + ROOT_TAG_BYTES <= CHECK_AT, "a slot fits");

/* ---- bytes ------------------------------------------------------------------------------------------------------------------ */

static void put_lock(const struct root_lock *lock, uint8_t *out)
{
    out[0] = (uint8_t)lock->kind;
    out[1] = lock->threshold;
    out[2] = lock->count;
    rf_put_u32le(out + 4, lock->kib);
    rf_put_u32le(out + 8, lock->passes);
    rf_put_u32le(out + 12, lock->lanes);
    memcpy(out + 16, lock->id, ROOT_ID_BYTES);
    memcpy(out + 32, lock->nonce, ROOT_NONCE_BYTES);
    memcpy(out + 44, lock->wrapped, sizeof lock->wrapped);
}

static size_t roots_bytes(const struct root_slot *slot)
{
    return (size_t)slot->root_count * ROOT_KEY_BYTES;
}

static size_t bases_bytes(const struct root_slot *slot)
{
    return slot->dropped > 0 ? (size_t)ROOT_BASES * ROOT_KEY_BYTES : 0;
}

static size_t sealed_bytes(const struct root_slot *slot)
{
    return roots_bytes(slot) + bases_bytes(slot) + ROOT_TAG_BYTES;
}

uint32_t root_slot_newest(const struct root_slot *slot) { return slot->dropped + slot->root_count; }

void root_slot_put(const struct root_slot *slot, uint8_t out[ROOT_SLOT_BYTES])
{
    memset(out, 0, ROOT_SLOT_BYTES);
    memcpy(out, magic, sizeof magic);
    if (slot->dropped > 0 || slot->retired > 0) out[sizeof magic - 1] = 2;
    rf_put_u64le(out + 8, slot->counter);
    rf_put_u64le(out + 16, (uint64_t)slot->sealed_at);
    rf_put_u16le(out + 24, (uint16_t)slot->root_count);
    rf_put_u16le(out + 26, (uint16_t)slot->retired);
    rf_put_u32le(out + 28, slot->lock_count);
    for (uint32_t i = 0; i < slot->lock_count; i++)
        put_lock(&slot->locks[i], out + LOCK_AT + i * LOCK_BYTES);
    rf_put_u32le(out + DROPPED_AT, slot->dropped);
    rf_put_u32le(out + ERASE_AT, slot->erase_at);
    memcpy(out + ABOUT_BYTES, slot->nonce, ROOT_NONCE_BYTES);
    memcpy(out + SEALED_AT, slot->sealed, sealed_bytes(slot));
    digest_sha256(rf_str_make(out, CHECK_AT), out + CHECK_AT);
}

static bool between(uint32_t n, uint32_t least, uint32_t most) { return n >= least && n <= most; }

static bool lock_fits(const struct root_lock *lock, uint32_t at)
{
    bool no_shares = lock->threshold == 0 && lock->count == 0;
    bool no_argon = lock->kib == 0 && lock->passes == 0 && lock->lanes == 0;
    switch (lock->kind) {
    case ROOT_LOCK_FILE:
        return no_shares && no_argon && at == 0;
    case ROOT_LOCK_PASSPHRASE:
        return no_shares && at == 0 && between(lock->kib, ROOT_ARGON_KIB_MIN, ROOT_ARGON_KIB_MAX) &&
               between(lock->passes, ROOT_ARGON_PASSES_MIN, ROOT_ARGON_PASSES_MAX) &&
               between(lock->lanes, 1, ROOT_ARGON_LANES_MAX);
    case ROOT_LOCK_SHARES:
        return no_argon && between(lock->count, SHARE_THRESHOLD_MIN, SHARE_COUNT_MAX) &&
               between(lock->threshold, SHARE_THRESHOLD_MIN, lock->count);
    case ROOT_LOCK_PKCS11:
    case ROOT_LOCK_TPM:
        return no_shares && no_argon && at == 0;
    default:
        return false;
    }
}

static bool read_lock(const uint8_t *in, uint32_t at, struct root_lock *lock)
{
    *lock = (struct root_lock){.kind = (enum root_lock_kind)in[0],
                               .threshold = in[1],
                               .count = in[2],
                               .kib = rf_get_u32le(in + 4),
                               .passes = rf_get_u32le(in + 8),
                               .lanes = rf_get_u32le(in + 12)};
    memcpy(lock->id, in + 16, ROOT_ID_BYTES);
    memcpy(lock->nonce, in + 32, ROOT_NONCE_BYTES);
    memcpy(lock->wrapped, in + 44, sizeof lock->wrapped);
    return lock_fits(lock, at);
}

static enum rf_kind damaged(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_CORRUPT, "RootSealDamaged",
                   "the keeper's root.seal %s; restore the folder keeper/ from a backup", what);
}

enum rf_kind root_slot_read(rf_str bytes, struct root_slot *out, struct rf_err *err)
{
    static const uint8_t none[ROOT_SLOT_BYTES];
    uint8_t check[SHA256_BYTES], again[ROOT_SLOT_BYTES];
    struct root_slot slot = {0};
    if (bytes.len > ROOT_SLOT_BYTES || memcmp(bytes.ptr, none, bytes.len) == 0)
        return RF_FAIL(err, RF_NOT_FOUND, "RootSealMissing", "the keeper's root.seal is empty");
    if (bytes.len < ROOT_SLOT_BYTES) return damaged("is cut", err);
    digest_sha256(rf_str_make(bytes.ptr, CHECK_AT), check);
    if (memcmp(check, bytes.ptr + CHECK_AT, sizeof check) != 0)
        return damaged("does not hold", err);
    uint8_t version = bytes.ptr[sizeof magic - 1];
    if (memcmp(bytes.ptr, magic, sizeof magic - 1) != 0 || (version != 1 && version != 2))
        return damaged("is of another version, or none", err);
    slot.counter = rf_get_u64le(bytes.ptr + 8);
    slot.sealed_at = (rf_usec)rf_get_u64le(bytes.ptr + 16);
    slot.root_count = rf_get_u16le(bytes.ptr + 24);
    slot.retired = rf_get_u16le(bytes.ptr + 26);
    slot.lock_count = rf_get_u32le(bytes.ptr + 28);
    slot.dropped = rf_get_u32le(bytes.ptr + DROPPED_AT);
    slot.erase_at = rf_get_u32le(bytes.ptr + ERASE_AT);
    if (slot.counter == 0 || !between(slot.root_count, 1, ROOTS_MAX) ||
        !between(slot.lock_count, 1, ROOT_LOCKS_MAX) || slot.retired >= slot.root_count ||
        slot.dropped > GENERATIONS_MAX || (slot.erase_at != 0 && slot.retired == 0))
        return damaged("holds a number that cannot be", err);
    for (uint32_t i = 0; i < slot.lock_count; i++)
        if (!read_lock(bytes.ptr + LOCK_AT + i * LOCK_BYTES, i, &slot.locks[i]))
            return damaged("has a lock that cannot be, or is too weak", err);
    memcpy(slot.nonce, bytes.ptr + ABOUT_BYTES, ROOT_NONCE_BYTES);
    memcpy(slot.sealed, bytes.ptr + SEALED_AT, sealed_bytes(&slot));
    /* No slot has two forms: what means nothing is zero. */
    root_slot_put(&slot, again);
    if (memcmp(again, bytes.ptr, sizeof again) != 0) return damaged("holds bytes left over", err);
    *out = slot;
    return RF_OK;
}

/* ---- the tail of a token ------------------------------------------------------------------------------------------------- */

_Static_assert(4 + ROOT_SETTINGS_BYTES_MAX + TOKEN_BLOB_BYTES_MAX <= ROOT_TAIL_BYTES,
               "a tail fits");

bool root_lock_is_token(const struct root_lock *lock)
{
    return lock->kind == ROOT_LOCK_PKCS11 || lock->kind == ROOT_LOCK_TPM;
}

void root_tail_put(const struct root_tail *tail, uint8_t out[ROOT_TAIL_BYTES])
{
    memset(out, 0, ROOT_TAIL_BYTES);
    rf_put_u16le(out, (uint16_t)tail->settings_bytes);
    rf_put_u16le(out + 2, (uint16_t)tail->blob_bytes);
    memcpy(out + 4, tail->settings, tail->settings_bytes);
    memcpy(out + 4 + tail->settings_bytes, tail->blob, tail->blob_bytes);
}

void root_tail_name(const struct root_tail *tail, uint8_t id[ROOT_ID_BYTES])
{
    uint8_t bytes[ROOT_TAIL_BYTES], digest[SHA256_BYTES];
    root_tail_put(tail, bytes);
    digest_sha256(rf_str_make(bytes, sizeof bytes), digest);
    memcpy(id, digest, ROOT_ID_BYTES);
}

bool root_tail_read(rf_str bytes, const struct root_lock *lock, struct root_tail *out)
{
    uint8_t id[ROOT_ID_BYTES];
    if (bytes.len < 4) return false;
    *out = (struct root_tail){.settings_bytes = rf_get_u16le(bytes.ptr),
                              .blob_bytes = rf_get_u16le(bytes.ptr + 2)};
    if (out->settings_bytes > ROOT_SETTINGS_BYTES_MAX || out->blob_bytes > TOKEN_BLOB_BYTES_MAX ||
        bytes.len < 4U + out->settings_bytes + out->blob_bytes)
        return false;
    memcpy(out->settings, bytes.ptr + 4, out->settings_bytes);
    memcpy(out->blob, bytes.ptr + 4 + out->settings_bytes, out->blob_bytes);
    root_tail_name(out, id);
    return memcmp(id, lock->id, sizeof id) == 0;
}

rf_str root_tail_setting(const struct root_tail *tail, const char *key)
{
    rf_str rest = rf_str_make((const uint8_t *)tail->settings, tail->settings_bytes);
    size_t key_bytes = strlen(key);
    while (rest.len > 0) {
        size_t end = RF_MIN(rf_str_find(rest, RF_S("\n"), 0), rest.len);
        rf_str line = rf_slice(rest, 0, end);
        if (line.len > key_bytes && memcmp(line.ptr, key, key_bytes) == 0 &&
            line.ptr[key_bytes] == '=')
            return rf_slice(line, key_bytes + 1, line.len);
        rest = rf_slice(rest, RF_MIN(end + 1, rest.len), rest.len);
    }
    return (rf_str){NULL, 0};
}

/* ---- locks -------------------------------------------------------------------------------------------------------------------- */

/* AES-256-GCM: `to` holds the bytes and the tag when it seals, `from` when it opens. */
static bool gcm(bool seals, const uint8_t *key, const uint8_t *nonce, rf_str about,
                const uint8_t *from, size_t len, uint8_t *to)
{
    int got = 0, rest = 0;
    uint8_t end[EVP_MAX_BLOCK_LENGTH], tag[ROOT_TAG_BYTES];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL &&
                EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seals ? 1 : 0) == 1 &&
                EVP_CipherUpdate(ctx, NULL, &got, about.ptr, (int)about.len) == 1 &&
                EVP_CipherUpdate(ctx, to, &got, from, (int)len) == 1;
    if (!seals) memcpy(tag, from + len, sizeof tag);
    if (good && !seals)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, ROOT_TAG_BYTES, tag) == 1;
    good = good && EVP_CipherFinal_ex(ctx, end, &rest) == 1;
    if (good && seals)
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, ROOT_TAG_BYTES, to + len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good) OPENSSL_cleanse(to, len);
    return good;
}

void root_lock_close(struct root_lock *lock, const uint8_t opener[ROOT_KEY_BYTES],
                     const uint8_t key[ROOT_KEY_BYTES])
{
    uint8_t bytes[LOCK_BYTES] = {0};
    random_bytes(lock->nonce, sizeof lock->nonce);
    put_lock(lock, bytes);
    bool sealed = gcm(true, opener, lock->nonce, rf_str_make(bytes, LOCK_ABOUT_BYTES), key,
                      ROOT_KEY_BYTES, lock->wrapped);
    RF_ASSERT(sealed);
}

bool root_lock_open(const struct root_lock *lock, const uint8_t opener[ROOT_KEY_BYTES],
                    uint8_t key[ROOT_KEY_BYTES])
{
    uint8_t bytes[LOCK_BYTES] = {0};
    put_lock(lock, bytes);
    return gcm(false, opener, lock->nonce, rf_str_make(bytes, LOCK_ABOUT_BYTES), lock->wrapped,
               ROOT_KEY_BYTES, key);
}

void root_slot_close(struct root_slot *slot, const uint8_t key[ROOT_KEY_BYTES],
                     const struct root_keys *keys)
{
    uint8_t bytes[ROOT_SLOT_BYTES], plain[sizeof(struct root_keys)];
    size_t roots = roots_bytes(slot), bases = bases_bytes(slot);
    memcpy(plain, keys->roots, roots);
    if (bases > 0) memcpy(plain + roots, keys->bases, bases);
    random_bytes(slot->nonce, sizeof slot->nonce);
    root_slot_put(slot, bytes);
    bool sealed = gcm(true, key, slot->nonce, rf_str_make(bytes, ABOUT_BYTES), plain, roots + bases,
                      slot->sealed);
    OPENSSL_cleanse(plain, sizeof plain);
    RF_ASSERT(sealed);
}

bool root_slot_open(const struct root_slot *slot, const uint8_t key[ROOT_KEY_BYTES],
                    struct root_keys *keys)
{
    uint8_t bytes[ROOT_SLOT_BYTES], plain[sizeof(struct root_keys)];
    size_t roots = roots_bytes(slot), bases = bases_bytes(slot);
    root_slot_put(slot, bytes);
    bool open = gcm(false, key, slot->nonce, rf_str_make(bytes, ABOUT_BYTES), slot->sealed,
                    roots + bases, plain);
    if (open) memcpy(keys->roots, plain, roots);
    if (open && bases > 0) memcpy(keys->bases, plain + roots, bases);
    OPENSSL_cleanse(plain, sizeof plain);
    return open;
}

enum rf_kind root_lock_passphrase(const struct root_lock *lock, rf_str passphrase,
                                  uint8_t opener[ROOT_KEY_BYTES], struct rf_err *err)
{
    int code = argon2id_hash_raw(lock->passes, lock->kib, lock->lanes, passphrase.ptr,
                                 passphrase.len, lock->id, sizeof lock->id, opener, ROOT_KEY_BYTES);
    if (code == ARGON2_OK) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded",
                   "Argon2id needs %u MiB to try a passphrase: %s", lock->kib >> 10,
                   argon2_error_message(code));
}

/* ---- for people ------------------------------------------------------------------------------------------------------------------ */

static void describe_lock(const struct root_lock *lock, char *out, size_t cap)
{
    if (lock->kind == ROOT_LOCK_SHARES)
        (void)snprintf(out, cap, "shares %u of %u", lock->threshold, lock->count);
    else
        (void)snprintf(out, cap, lock->kind == ROOT_LOCK_FILE ? "key file" : "passphrase");
}

/* "PKCS#11 token 'contoso'", "TPM 2.0 (PCRs 0,7)" */
static void describe_token(const struct root_slot *slot, char *out, size_t cap)
{
    rf_str label = root_tail_setting(&slot->tail, "token"),
           pcrs = root_tail_setting(&slot->tail, "pcrs");
    if (slot->locks[0].kind == ROOT_LOCK_PKCS11)
        (void)snprintf(out, cap, "PKCS#11 token '%.*s'", (int)RF_MIN(label.len, (size_t)32),
                       (const char *)(label.ptr == NULL ? (const uint8_t *)"" : label.ptr));
    else if (pcrs.len > 0)
        (void)snprintf(out, cap, "TPM 2.0 (PCRs %.*s)", (int)RF_MIN(pcrs.len, (size_t)40),
                       (const char *)pcrs.ptr);
    else
        (void)snprintf(out, cap, "TPM 2.0");
}

void root_slot_describe(const struct root_slot *slot, char out[ROOT_DESCRIPTION_BYTES])
{
    char main[80] = "key file", recovery[40];
    if (slot->counter > 0 && root_lock_is_token(&slot->locks[0]))
        describe_token(slot, main, sizeof main);
    else if (slot->counter > 0)
        describe_lock(&slot->locks[0], main, sizeof main);
    int len = snprintf(out, ROOT_DESCRIPTION_BYTES, "%s (generation %u)", main,
                       slot->counter > 0 ? root_slot_newest(slot) : 1);
    if (slot->lock_count < 2) return;
    describe_lock(&slot->locks[1], recovery, sizeof recovery);
    (void)snprintf(out + len, ROOT_DESCRIPTION_BYTES - (size_t)len, ", recovery by %s", recovery);
}
