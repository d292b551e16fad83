#include "crypt/keeper_vault_work.h"

#include <stdio.h>

#include <openssl/crypto.h>

/* ---- a request, taken apart ---------------------------------------------------------------------------------------------- */

enum rf_kind work_bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the %s does not fit", what);
}

enum rf_kind work_denied(const char *code, const char *text, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, code, "%s", text);
}

enum rf_kind work_broken(struct rf_err *err)
{
    return work_denied("SealBroken", WORK_BROKEN_TEXT, err);
}

enum rf_kind work_crypto_failed(struct rf_err *err)
{
    return RF_FAIL(err, RF_IO, "CryptoFailed", "the cipher does not work");
}

rf_str work_next(struct work *w) { return w->request->fields[w->at++]; }

bool work_next_byte(struct work *w, unsigned low, unsigned high, unsigned *out)
{
    rf_str field = work_next(w);
    if (field.len != 1 || field.ptr[0] < low || field.ptr[0] > high) return false;
    *out = field.ptr[0];
    return true;
}

enum rf_kind work_read_ring(const rf_str *fields, struct ring *out, struct rf_err *err)
{
    if (fields[0].len != SEAL_ID_BYTES || fields[1].len != SEAL_ID_BYTES || fields[2].len != 1 ||
        fields[2].ptr[0] < SEAL_SECRET || fields[2].ptr[0] > SEAL_CERTIFICATE)
        return work_bad("place of an item", err);
    *out = (struct ring){.vault_id = fields[0].ptr,
                         .item_id = fields[1].ptr,
                         .kind = (enum seal_kind)fields[2].ptr[0],
                         .name = fields[3],
                         .vault_key = fields[4],
                         .item_key = fields[5]};
    return RF_OK;
}

enum rf_kind work_next_ring(struct work *w, struct ring *out, struct rf_err *err)
{
    const rf_str *fields = w->request->fields + w->at;
    w->at += KEEPER_RING_FIELDS;
    return work_read_ring(fields, out, err);
}

enum rf_kind work_next_head(struct work *w, struct seal_head *out, struct rf_err *err)
{
    rf_str field = work_next(w);
    if (field.len != SEAL_HEAD_BYTES) return work_bad("head of a version", err);
    return seal_head_get(field, out, err);
}

/* ---- lines of the log ------------------------------------------------------------------------------------------------------ */

void keeper_hex(const uint8_t *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

void work_describe(const struct keeper_who *who, const struct ring *ring, rf_str version, char *out,
                   size_t cap)
{
    char vault[33] = "-", item[33] = "-", of[33] = "-";
    if (ring->vault_id != NULL) keeper_hex(ring->vault_id, SEAL_ID_BYTES, vault);
    if (ring->item_id != NULL) keeper_hex(ring->item_id, SEAL_ID_BYTES, item);
    if (version.len >= SEAL_HEAD_BYTES) keeper_hex(version.ptr + 8, SEAL_ID_BYTES, of);
    static const char *const kinds[] = {"-", "secret", "key", "certificate"};
    (void)snprintf(out, cap, "oid %s app %s vault %s %s %s version %s", who->oid, who->app, vault,
                   kinds[ring->kind], item, of);
}

/* `version`: sealed, or its head; empty: none. */
enum rf_kind work_tell(struct work *w, rf_str version, struct rf_err *err)
{
    char event[48], detail[KEEPER_DETAIL_BYTES];
    (void)snprintf(event, sizeof event, "vault.%s", keeper_verb_name(w->request->verb) + 5);
    work_describe(&w->who, &w->ring, version, detail, sizeof detail);
    return keeper_audit_append(&w->vault->keys->audit, event, detail, &w->line, NULL, err);
}

/* ---- rates --------------------------------------------------------------------------------------------------------------------- */

struct keeper_rate *work_rate(struct work *w)
{
    struct keeper_rate *rate =
        &w->vault->rates[rf_get_u32le(w->ring.item_id + 4) % KEEPER_RATE_PLACES];
    int64_t second = rf_clock_elapsed(w->vault->keys->clock) / RF_USEC_PER_SECOND;
    if (atomic_exchange(&rate->second, second) != second) {
        atomic_store(&rate->uses, 0);
        atomic_store(&rate->failures, 0);
    }
    return rate;
}

enum rf_kind work_within_rate(struct work *w, struct rf_err *err)
{
    struct keeper_rate *rate = work_rate(w);
    if (atomic_fetch_add(&rate->uses, 1) < KEEPER_USES_PER_SECOND &&
        atomic_load(&rate->failures) < KEEPER_FAILURES_PER_SECOND)
        return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "SealRate", "too many uses of one object within a second");
}

/* ---- keys on the way to a version --------------------------------------------------------------------------------------------- */

bool keeper_root_wrap(const struct keeper_vault *vault, enum seal_step step, uint32_t generation,
                      uint8_t key[SEAL_KEY_BYTES])
{
    static const char *const labels[] = {[SEAL_STEP_VAULT] = "ringfort vault 1",
                                         [SEAL_STEP_BACKUP] = "ringfort backup 1",
                                         [SEAL_STEP_DATA] = "ringfort data 1"};
    return keeper_derive_of(vault->keys, generation, labels[step], key);
}

/* What an item's key is bound to; 33 bytes and the name, in the arena. */
static bool about_item(const struct ring *ring, struct rf_arena *arena, rf_str *out)
{
    uint8_t *bytes = rf_arena_alloc(arena, 2 * SEAL_ID_BYTES + 1 + ring->name.len);
    if (bytes == NULL) return false;
    memcpy(bytes, ring->vault_id, SEAL_ID_BYTES);
    bytes[SEAL_ID_BYTES] = (uint8_t)ring->kind;
    memcpy(bytes + SEAL_ID_BYTES + 1, ring->item_id, SEAL_ID_BYTES);
    if (ring->name.len > 0) memcpy(bytes + 2 * SEAL_ID_BYTES + 1, ring->name.ptr, ring->name.len);
    *out = rf_str_make(bytes, 2 * SEAL_ID_BYTES + 1 + ring->name.len);
    return true;
}

void keeper_floor_id(const char *label, const uint8_t *a, const uint8_t *b, uint8_t out[32])
{
    uint8_t text[16 + 2 * SEAL_ID_BYTES] = {0};
    (void)snprintf((char *)text, 16, "%s", label);
    memcpy(text + 16, a, SEAL_ID_BYTES);
    if (b != NULL) memcpy(text + 16 + SEAL_ID_BYTES, b, SEAL_ID_BYTES);
    digest_sha256(rf_str_make(text, sizeof text), out);
}

enum rf_kind work_not_destroyed(struct work *w, const struct ring *ring, struct rf_err *err)
{
    uint8_t vault[32], item[32];
    keeper_floor_id("vault", ring->vault_id, NULL, vault);
    keeper_floor_id("item", ring->vault_id, ring->item_id, item);
    if (keeper_floor_of(&w->vault->floors, vault) != FLOOR_GONE &&
        keeper_floor_of(&w->vault->floors, item) != FLOOR_GONE)
        return RF_OK;
    return work_denied("SealDestroyed", "the item was destroyed", err);
}

enum rf_kind keeper_vault_unwrap(struct keeper_vault *vault, const uint8_t *vault_id,
                                 rf_str wrapped, uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES];
    struct seal_wrap wrap = {.step = SEAL_STEP_VAULT,
                             .generation = seal_wrapped_generation(wrapped, SEAL_STEP_VAULT),
                             .key = root,
                             .about = rf_str_make(vault_id, SEAL_ID_BYTES)};
    bool good = keeper_root_wrap(vault, SEAL_STEP_VAULT, wrap.generation, root) &&
                seal_unwrap_key(&wrap, wrapped, key);
    OPENSSL_cleanse(root, sizeof root);
    if (good) return RF_OK;
    return keeper_rewrap_refuse(vault, wrap.generation, WORK_BROKEN_TEXT, err);
}

/* The item's key, made and wrapped when the ring has none; *wrapped in the arena. */
enum rf_kind work_item_key(struct work *w, const struct ring *ring, uint8_t key[SEAL_KEY_BYTES],
                           rf_str *wrapped, struct rf_err *err)
{
    uint8_t outer[SEAL_KEY_BYTES];
    struct seal_wrap wrap = {.step = SEAL_STEP_ITEM, .key = outer};
    RF_TRY(work_not_destroyed(w, ring, err));
    if (!about_item(ring, w->arena, &wrap.about)) return rf_fail_memory(err, w->arena);
    RF_TRY(keeper_vault_unwrap(w->vault, ring->vault_id, ring->vault_key, outer, err));
    bool good;
    if (ring->item_key.len == 0) {
        uint8_t *bytes = rf_arena_alloc(w->arena, WRAPPED_KEY_BYTES);
        random_bytes(key, SEAL_KEY_BYTES);
        good = bytes != NULL && seal_wrap_key(&wrap, key, bytes);
        *wrapped = rf_str_make(bytes, WRAPPED_KEY_BYTES);
    } else {
        good = seal_unwrap_key(&wrap, ring->item_key, key);
        *wrapped = ring->item_key;
    }
    OPENSSL_cleanse(outer, sizeof outer);
    return good ? RF_OK : work_broken(err);
}

/* ---- versions -------------------------------------------------------------------------------------------------------------------- */

static void version_floor_id(const struct ring *ring, const struct seal_head *head, uint8_t out[32])
{
    keeper_floor_id("version", ring->item_id, head->version, out);
}

/* A first generation needs no entry: nothing is older. */
static enum rf_kind check_floor(struct work *w, const struct seal_head *head, struct rf_err *err)
{
    uint8_t id[32];
    version_floor_id(&w->ring, head, id);
    uint64_t known = keeper_floor_of(&w->vault->floors, id);
    if (head->generation < known)
        return work_denied("SealRolledBack", "an older state of the version was given", err);
    if (head->generation == known || head->generation == 1) return RF_OK;
    return keeper_floor_raise(&w->vault->floors, id, head->generation, err);
}

/* The version of w->ring: its head and material, which is to be wiped (OPENSSL_cleanse). Raises the floor. */
enum rf_kind work_open_version(struct work *w, rf_str sealed, struct seal_head *head,
                               rf_str *material, struct rf_err *err)
{
    rf_str wrapped;
    RF_TRY(seal_head_get(sealed, head, err));
    RF_TRY(work_item_key(w, &w->ring, w->key, &wrapped, err));
    if (!seal_open_version(w->key, w->ring.item_id, sealed, w->arena, material))
        return work_broken(err);
    return check_floor(w, head, err);
}

void work_wipe(rf_str material)
{
    if (material.len > 0) OPENSSL_cleanse((uint8_t *)(uintptr_t)material.ptr, material.len);
}

/* Seals into the answer: item's key, version. */
enum rf_kind work_answer_sealed(struct work *w, const struct ring *ring,
                                const struct seal_head *head, rf_str material, struct rf_err *err)
{
    uint8_t key[SEAL_KEY_BYTES];
    rf_str *fields = w->answer->fields;
    if (material.len > SEAL_MATERIAL_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "a version holds at most %d bytes",
                       SEAL_MATERIAL_BYTES_MAX);
    RF_TRY(work_item_key(w, ring, key, &fields[0], err));
    bool good = seal_version(key, ring->item_id, head, material, w->arena, &fields[1]);
    OPENSSL_cleanse(key, sizeof key);
    return good ? RF_OK : work_crypto_failed(err);
}

/* ---- keys for use ------------------------------------------------------------------------------------------------------------------ */

/* Half of the threads at most make RSA keys, which takes seconds: the rest goes on with handshakes. */
enum rf_kind work_make_key(struct work *w, const struct seal_head *head, rf_str *material,
                           struct rf_err *err)
{
    struct keeper_vault *vault = w->vault;
    if (atomic_fetch_add(&vault->making, 1) >= KEEPER_MAKING_MAX) {
        atomic_fetch_sub(&vault->making, 1);
        return RF_FAIL(err, RF_LIMIT, "SealRate", "too many keys are being made at one time");
    }
    enum rf_kind kind = seal_key_make(head, w->arena, material, err);
    atomic_fetch_sub(&vault->making, 1);
    return kind;
}

static void cache_id(const struct ring *ring, rf_str sealed, uint8_t out[SHA256_BYTES])
{
    uint8_t digests[4 * SHA256_BYTES], kind = (uint8_t)ring->kind;
    digest_sha256(sealed, digests);
    digest_sha256(ring->vault_key, digests + 32);
    digest_sha256(ring->item_key, digests + 64);
    digest_hmac_sha256(rf_str_make(ring->vault_id, SEAL_ID_BYTES), ring->name, digests + 96);
    digests[96] = (uint8_t)(digests[96] ^ kind);
    digest_hmac_sha256(rf_str_make(ring->item_id, SEAL_ID_BYTES),
                       rf_str_make(digests, sizeof digests), out);
}

void work_give_back(struct work *w, struct borrowed *borrowed)
{
    if (borrowed->ready != NULL) keeper_cache_give_back(&w->vault->cache, borrowed->ready);
    seal_key_free(borrowed->own);
}

enum rf_kind work_borrow_key(struct work *w, rf_str sealed, struct borrowed *out,
                             struct rf_err *err)
{
    uint8_t id[SHA256_BYTES];
    rf_str material;
    *out = (struct borrowed){.ready = NULL};
    cache_id(&w->ring, sealed, id);
    out->ready = keeper_cache_find(&w->vault->cache, id);
    if (out->ready != NULL) {
        out->key = out->ready->key;
        out->head = out->ready->head;
        enum rf_kind kind = work_not_destroyed(w, &w->ring, err);
        if (kind == RF_OK) kind = check_floor(w, &out->head, err);
        if (kind != RF_OK) work_give_back(w, out);
        return kind;
    }
    RF_TRY(work_open_version(w, sealed, &out->head, &material, err));
    enum rf_kind kind = out->head.material == SEAL_VALUE
                            ? work_bad("kind of the version", err)
                            : seal_key_load(&out->head, material, &out->key, err);
    work_wipe(material);
    RF_TRY(kind);
    out->ready = keeper_cache_put(&w->vault->cache, id, out->key, &out->head);
    if (out->ready == NULL) out->own = out->key;
    return RF_OK;
}

enum rf_kind work_check_use(const struct work *w, const struct seal_head *head, enum seal_op op,
                            struct rf_err *err)
{
    int64_t now = rf_clock_now(w->vault->keys->clock) / RF_USEC_PER_SECOND;
    bool makes = (op & (SEAL_OP_SIGN | SEAL_OP_ENCRYPT | SEAL_OP_WRAP)) != 0;
    if (!head->enabled) return work_denied("SealDisabled", "the key is disabled", err);
    if ((head->ops & op) == 0)
        return work_denied("SealOperation", "the key is not for this operation", err);
    if (makes && head->not_before != SEAL_NO_TIME && now < head->not_before)
        return work_denied("SealNotYet", "the key does not count yet", err);
    if (makes && head->expires != SEAL_NO_TIME && now >= head->expires)
        return work_denied("SealExpired", "the key has expired", err);
    return RF_OK;
}

/* A secret has a value, a key has a key. */
enum rf_kind work_check_kind(const struct ring *ring, const struct seal_head *head,
                             struct rf_err *err)
{
    bool is_value = head->material == SEAL_VALUE;
    if ((ring->kind == SEAL_SECRET && !is_value) || (ring->kind == SEAL_KEY && is_value))
        return work_bad("material of the item's kind", err);
    return RF_OK;
}
/* The token may be missing where `system` says so. */
enum rf_kind work_who_asks(struct work *w, bool system, struct rf_err *err)
{
    rf_str token = work_next(w);
    if (token.len == 0 && system) {
        (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
        (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
        return RF_OK;
    }
    return keeper_token_check(&w->vault->tokens, w->vault->keys, token, w->arena, &w->who, err);
}
