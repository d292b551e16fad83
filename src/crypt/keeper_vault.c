#include "crypt/keeper_vault.h"

#include <stdio.h>

#include <openssl/crypto.h>

#include "crypt/secret.h"

enum { RANDOM_BYTES_MAX = 128, DETAIL_BYTES = 320 };

/* ---- a request, taken apart ---------------------------------------------------------------------------------------------- */

struct ring {
    const uint8_t *vault_id, *item_id;
    enum seal_kind kind;
    rf_str name, vault_key, item_key;
};

struct work {
    struct keeper_vault *vault;
    const struct keeper_request *request;
    struct rf_arena *arena;
    struct keeper_answer *answer;
    uint64_t line;
    uint32_t at; /* the next field */
    struct keeper_who who;
    struct ring ring;
    uint8_t key[SEAL_KEY_BYTES]; /* of the ring's item */
};

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the %s does not fit", what);
}

static enum rf_kind denied(const char *code, const char *text, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, code, "%s", text);
}

static enum rf_kind broken(struct rf_err *err)
{
    return denied("SealBroken", "what is sealed was changed, or belongs somewhere else", err);
}

static enum rf_kind crypto_failed(struct rf_err *err)
{
    return RF_FAIL(err, RF_IO, "CryptoFailed", "the cipher does not work");
}

static rf_str next(struct work *w) { return w->request->fields[w->at++]; }

static bool next_byte(struct work *w, unsigned low, unsigned high, unsigned *out)
{
    rf_str field = next(w);
    if (field.len != 1 || field.ptr[0] < low || field.ptr[0] > high) return false;
    *out = field.ptr[0];
    return true;
}

static enum rf_kind read_ring(const rf_str *fields, struct ring *out, struct rf_err *err)
{
    if (fields[0].len != SEAL_ID_BYTES || fields[1].len != SEAL_ID_BYTES || fields[2].len != 1 ||
        fields[2].ptr[0] < SEAL_SECRET || fields[2].ptr[0] > SEAL_CERTIFICATE)
        return bad("place of an item", err);
    *out = (struct ring){.vault_id = fields[0].ptr,
                         .item_id = fields[1].ptr,
                         .kind = (enum seal_kind)fields[2].ptr[0],
                         .name = fields[3],
                         .vault_key = fields[4],
                         .item_key = fields[5]};
    return RF_OK;
}

static enum rf_kind next_ring(struct work *w, struct ring *out, struct rf_err *err)
{
    const rf_str *fields = w->request->fields + w->at;
    w->at += KEEPER_RING_FIELDS;
    return read_ring(fields, out, err);
}

static enum rf_kind next_head(struct work *w, struct seal_head *out, struct rf_err *err)
{
    rf_str field = next(w);
    if (field.len != SEAL_HEAD_BYTES) return bad("head of a version", err);
    return seal_head_get(field, out, err);
}

/* ---- lines of the log ------------------------------------------------------------------------------------------------------ */

void keeper_hex(const uint8_t *bytes, size_t len, char *out)
{
    for (size_t i = 0; i < len; i++) (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

static void describe(const struct keeper_who *who, const struct ring *ring, rf_str version,
                     char *out, size_t cap)
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
static enum rf_kind tell(struct work *w, rf_str version, struct rf_err *err)
{
    char event[48], detail[DETAIL_BYTES];
    (void)snprintf(event, sizeof event, "vault.%s", keeper_verb_name(w->request->verb) + 5);
    describe(&w->who, &w->ring, version, detail, sizeof detail);
    return keeper_audit_append(&w->vault->keys->audit, event, detail, &w->line, NULL, err);
}

void keeper_vault_describe(const struct keeper_request *request, char *out, size_t cap)
{
    struct keeper_who nobody = {.oid = "-", .app = "-"};
    struct ring ring = {.vault_id = NULL};
    uint32_t at = request->verb == KEEPER_SEAL_DESTROY ? 0 : 1;
    if (request->verb == KEEPER_SEAL_BACKUP_PUT) at = 5;
    if (keeper_request_fields(request->verb) >= at + KEEPER_RING_FIELDS)
        (void)!read_ring(request->fields + at, &ring, NULL);
    describe(&nobody, &ring, (rf_str){0}, out, cap);
}

/* ---- rates --------------------------------------------------------------------------------------------------------------------- */

static struct keeper_rate *rate_of(struct work *w)
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

static enum rf_kind within_rate(struct work *w, struct rf_err *err)
{
    struct keeper_rate *rate = rate_of(w);
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

static enum rf_kind not_destroyed(struct work *w, const struct ring *ring, struct rf_err *err)
{
    uint8_t vault[32], item[32];
    keeper_floor_id("vault", ring->vault_id, NULL, vault);
    keeper_floor_id("item", ring->vault_id, ring->item_id, item);
    if (keeper_floor_of(&w->vault->floors, vault) != FLOOR_GONE &&
        keeper_floor_of(&w->vault->floors, item) != FLOOR_GONE)
        return RF_OK;
    return denied("SealDestroyed", "the item was destroyed", err);
}

static enum rf_kind open_vault_key(struct work *w, const struct ring *ring,
                                   uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES];
    struct seal_wrap wrap = {.step = SEAL_STEP_VAULT,
                             .generation =
                                 seal_wrapped_generation(ring->vault_key, SEAL_STEP_VAULT),
                             .key = root,
                             .about = rf_str_make(ring->vault_id, SEAL_ID_BYTES)};
    if (!keeper_root_wrap(w->vault, SEAL_STEP_VAULT, wrap.generation, root)) return broken(err);
    bool good = seal_unwrap_key(&wrap, ring->vault_key, key);
    OPENSSL_cleanse(root, sizeof root);
    return good ? RF_OK : broken(err);
}

/* The item's key, made and wrapped when the ring has none; *wrapped in the arena. */
static enum rf_kind open_item_key(struct work *w, const struct ring *ring,
                                  uint8_t key[SEAL_KEY_BYTES], rf_str *wrapped, struct rf_err *err)
{
    uint8_t outer[SEAL_KEY_BYTES];
    struct seal_wrap wrap = {.step = SEAL_STEP_ITEM, .key = outer};
    RF_TRY(not_destroyed(w, ring, err));
    if (!about_item(ring, w->arena, &wrap.about)) return rf_fail_memory(err, w->arena);
    RF_TRY(open_vault_key(w, ring, outer, err));
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
    return good ? RF_OK : broken(err);
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
        return denied("SealRolledBack", "an older state of the version was given", err);
    if (head->generation == known || head->generation == 1) return RF_OK;
    return keeper_floor_raise(&w->vault->floors, id, head->generation, err);
}

/* The version of w->ring: its head and material, which is to be wiped (OPENSSL_cleanse). Raises the floor. */
static enum rf_kind open_version(struct work *w, rf_str sealed, struct seal_head *head,
                                 rf_str *material, struct rf_err *err)
{
    rf_str wrapped;
    RF_TRY(seal_head_get(sealed, head, err));
    RF_TRY(open_item_key(w, &w->ring, w->key, &wrapped, err));
    if (!seal_open_version(w->key, w->ring.item_id, sealed, w->arena, material)) return broken(err);
    return check_floor(w, head, err);
}

static void wipe(rf_str material)
{
    if (material.len > 0) OPENSSL_cleanse((uint8_t *)(uintptr_t)material.ptr, material.len);
}

/* Seals into the answer: item's key, version. */
static enum rf_kind answer_sealed(struct work *w, const struct ring *ring,
                                  const struct seal_head *head, rf_str material, struct rf_err *err)
{
    uint8_t key[SEAL_KEY_BYTES];
    rf_str *fields = w->answer->fields;
    if (material.len > SEAL_MATERIAL_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "a version holds at most %d bytes",
                       SEAL_MATERIAL_BYTES_MAX);
    RF_TRY(open_item_key(w, ring, key, &fields[0], err));
    bool good = seal_version(key, ring->item_id, head, material, w->arena, &fields[1]);
    OPENSSL_cleanse(key, sizeof key);
    return good ? RF_OK : crypto_failed(err);
}

/* ---- keys for use ------------------------------------------------------------------------------------------------------------------ */

/* Half of the threads at most make RSA keys, which takes seconds: the rest goes on with handshakes. */
static enum rf_kind make_key(struct work *w, const struct seal_head *head, rf_str *material,
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

/* The key of a version, in the cache and in use; or, when that is full, a key of the caller's own (*own). */
struct borrowed {
    struct keeper_ready *ready;
    struct seal_key *key, *own;
    struct seal_head head;
};

static void give_back(struct work *w, struct borrowed *borrowed)
{
    if (borrowed->ready != NULL) keeper_cache_give_back(&w->vault->cache, borrowed->ready);
    seal_key_free(borrowed->own);
}

static enum rf_kind borrow_key(struct work *w, rf_str sealed, struct borrowed *out,
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
        enum rf_kind kind = not_destroyed(w, &w->ring, err);
        if (kind == RF_OK) kind = check_floor(w, &out->head, err);
        if (kind != RF_OK) give_back(w, out);
        return kind;
    }
    RF_TRY(open_version(w, sealed, &out->head, &material, err));
    enum rf_kind kind = out->head.material == SEAL_VALUE
                            ? bad("kind of the version", err)
                            : seal_key_load(&out->head, material, &out->key, err);
    wipe(material);
    RF_TRY(kind);
    out->ready = keeper_cache_put(&w->vault->cache, id, out->key, &out->head);
    if (out->ready == NULL) out->own = out->key;
    return RF_OK;
}

static enum rf_kind check_use(const struct work *w, const struct seal_head *head, enum seal_op op,
                              struct rf_err *err)
{
    int64_t now = rf_clock_now(w->vault->keys->clock) / RF_USEC_PER_SECOND;
    bool makes = (op & (SEAL_OP_SIGN | SEAL_OP_ENCRYPT | SEAL_OP_WRAP)) != 0;
    if (!head->enabled) return denied("SealDisabled", "the key is disabled", err);
    if ((head->ops & op) == 0)
        return denied("SealOperation", "the key is not for this operation", err);
    if (makes && head->not_before != SEAL_NO_TIME && now < head->not_before)
        return denied("SealNotYet", "the key does not count yet", err);
    if (makes && head->expires != SEAL_NO_TIME && now >= head->expires)
        return denied("SealExpired", "the key has expired", err);
    return RF_OK;
}

/* A secret has a value, a key has a key. */
static enum rf_kind check_kind(const struct ring *ring, const struct seal_head *head,
                               struct rf_err *err)
{
    bool is_value = head->material == SEAL_VALUE;
    if ((ring->kind == SEAL_SECRET && !is_value) || (ring->kind == SEAL_KEY && is_value))
        return bad("material of the item's kind", err);
    return RF_OK;
}

/* ---- verbs: secrets and sealing -------------------------------------------------------------------------------------------------------- */

/* The token may be missing where `system` says so. */
static enum rf_kind who_asks(struct work *w, bool system, struct rf_err *err)
{
    rf_str token = next(w);
    if (token.len == 0 && system) {
        (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
        (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
        return RF_OK;
    }
    return keeper_token_check(&w->vault->tokens, w->vault->keys, token, w->arena, &w->who, err);
}

static enum rf_kind vault_new(struct work *w, struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], key[SEAL_KEY_BYTES],
        *bytes = rf_arena_alloc(w->arena, WRAPPED_KEY_BYTES);
    rf_str id = next(w);
    static const uint8_t nothing[SEAL_ID_BYTES];
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    if (id.len != SEAL_ID_BYTES) return bad("id of a vault", err);
    (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
    (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
    w->ring = (struct ring){.vault_id = id.ptr, .item_id = nothing};
    RF_TRY(not_destroyed(w, &w->ring, err));
    uint32_t generation = keeper_root_generation(w->vault->keys);
    if (!keeper_root_wrap(w->vault, SEAL_STEP_VAULT, generation, root)) return broken(err);
    random_bytes(key, sizeof key);
    struct seal_wrap wrap = {
        .step = SEAL_STEP_VAULT, .generation = generation, .key = root, .about = id};
    bool good = seal_wrap_key(&wrap, key, bytes);
    OPENSSL_cleanse(root, sizeof root);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return crypto_failed(err);
    w->answer->fields[0] = rf_str_make(bytes, WRAPPED_KEY_BYTES);
    return tell(w, (rf_str){0}, err);
}

static enum rf_kind put(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    const rf_str *head_bytes = &w->request->fields[1 + KEEPER_RING_FIELDS];
    RF_TRY(who_asks(w, true, err));
    RF_TRY(next_ring(w, &w->ring, err));
    RF_TRY(next_head(w, &head, err));
    RF_TRY(check_kind(&w->ring, &head, err));
    rf_str material = next(w);
    bool system = w->request->fields[0].len == 0;
    if (system && head.material != SEAL_VALUE)
        return denied("SealToken", "keys are not taken without a token", err);
    if (material.len == 0 || material.len > SEAL_MATERIAL_BYTES_MAX || head.generation != 1)
        return bad("material", err);
    if (head.material != SEAL_VALUE) {
        struct seal_key *key;
        RF_TRY(seal_key_load(&head, material, &key, err));
        enum rf_kind kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
        seal_key_free(key);
        RF_TRY(kind);
    }
    RF_TRY(answer_sealed(w, &w->ring, &head, material, err));
    return tell(w, *head_bytes, err);
}

static enum rf_kind open(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    rf_str material;
    RF_TRY(who_asks(w, false, err));
    RF_TRY(next_ring(w, &w->ring, err));
    RF_TRY(within_rate(w, err));
    rf_str sealed = next(w);
    RF_TRY(open_version(w, sealed, &head, &material, err));
    enum rf_kind kind = head.material != SEAL_VALUE
                            ? denied("SealOperation", "a key is never given out", err)
                        : !head.enabled ? denied("SealDisabled", "the secret is disabled", err)
                                        : RF_OK;
    if (kind == RF_OK) kind = tell(w, sealed, err);
    if (kind != RF_OK)
        wipe(material);
    else
        w->answer->fields[0] = material;
    return kind;
}

static enum rf_kind change(struct work *w, struct rf_err *err)
{
    struct seal_head before, after;
    rf_str material;
    RF_TRY(who_asks(w, false, err));
    RF_TRY(next_ring(w, &w->ring, err));
    rf_str sealed = next(w);
    RF_TRY(next_head(w, &after, err));
    if (w->ring.item_key.len == 0) return bad("key of the item", err);
    RF_TRY(open_version(w, sealed, &before, &material, err));
    bool fits = before.material == after.material && before.bits == after.bits &&
                before.exportable == after.exportable && before.managed == after.managed &&
                memcmp(before.version, after.version, SEAL_ID_BYTES) == 0 &&
                after.generation == before.generation + 1;
    bool good = fits && seal_version(w->key, w->ring.item_id, &after, material, w->arena,
                                     &w->answer->fields[0]);
    wipe(material);
    if (!fits) return bad("new head", err);
    return good ? tell(w, sealed, err) : crypto_failed(err);
}

static enum rf_kind key_new(struct work *w, struct rf_err *err)
{
    struct seal_head head;
    struct seal_key *key = NULL;
    rf_str material = {0};
    const rf_str *head_bytes = &w->request->fields[1 + KEEPER_RING_FIELDS];
    RF_TRY(who_asks(w, true, err));
    RF_TRY(next_ring(w, &w->ring, err));
    RF_TRY(next_head(w, &head, err));
    if (head.material == SEAL_VALUE || head.generation != 1) return bad("head of a key", err);
    RF_TRY(check_kind(&w->ring, &head, err));
    enum rf_kind kind = make_key(w, &head, &material, err);
    if (kind == RF_OK) kind = seal_key_load(&head, material, &key, err);
    if (kind == RF_OK) kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
    if (kind == RF_OK) kind = answer_sealed(w, &w->ring, &head, material, err);
    seal_key_free(key);
    wipe(material);
    return kind == RF_OK ? tell(w, *head_bytes, err) : kind;
}

/* ---- verbs: keys ---------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind answer_used(struct work *w, const struct seal_used *used, struct rf_err *err)
{
    uint8_t *verified = rf_arena_alloc(w->arena, 1);
    if (verified == NULL) return rf_fail_memory(err, w->arena);
    *verified = used->verified ? 1 : 0;
    rf_str *fields = w->answer->fields;
    fields[0] = used->value;
    fields[1] = used->iv;
    fields[2] = used->tag;
    fields[3] = rf_str_make(verified, 1);
    return RF_OK;
}

static enum rf_kind use_key(struct work *w, struct borrowed *with, const struct seal_use *use,
                            struct rf_err *err)
{
    struct seal_used used = {.value = {0}};
    RF_TRY(check_use(w, &with->head, use->op, err));
    enum rf_kind kind = seal_key_apply(with->key, use, w->arena, &used, err);
    /* Whoever tries ciphertexts learns little in a second. */
    if (kind == RF_INVALID && (use->op & (SEAL_OP_DECRYPT | SEAL_OP_UNWRAP)) != 0)
        atomic_fetch_add(&rate_of(w)->failures, 1);
    RF_TRY(kind);
    return answer_used(w, &used, err);
}

static enum rf_kind key_use(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned op;
    RF_TRY(who_asks(w, false, err));
    RF_TRY(next_ring(w, &w->ring, err));
    RF_TRY(within_rate(w, err));
    rf_str sealed = next(w);
    if (!next_byte(w, SEAL_OP_ENCRYPT, SEAL_OP_UNWRAP, &op) || (op & (op - 1)) != 0)
        return bad("operation", err);
    struct seal_use use = {.op = (enum seal_op)op};
    use.algorithm = next(w);
    use.value = next(w);
    use.signature = next(w);
    use.iv = next(w);
    use.aad = next(w);
    use.tag = next(w);
    RF_TRY(borrow_key(w, sealed, &with, err));
    enum rf_kind kind = use_key(w, &with, &use, err);
    give_back(w, &with);
    return kind == RF_OK ? tell(w, sealed, err) : kind;
}

static enum rf_kind certify(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    unsigned what;
    RF_TRY(who_asks(w, true, err));
    RF_TRY(next_ring(w, &w->ring, err));
    RF_TRY(within_rate(w, err));
    rf_str sealed = next(w);
    if (!next_byte(w, SEAL_SIGN_SELF, SEAL_SIGN_OCSP, &what)) return bad("kind of signature", err);
    rf_str issuer = next(w), der = next(w);
    RF_TRY(borrow_key(w, sealed, &with, err));
    enum rf_kind kind = seal_key_certify(with.key, (enum seal_sign)what, issuer, der, w->arena,
                                         &w->answer->fields[0], err);
    give_back(w, &with);
    return kind == RF_OK ? tell(w, sealed, err) : kind;
}

static enum rf_kind bundle(struct work *w, struct rf_err *err)
{
    struct borrowed with;
    struct ring secret;
    struct seal_head head;
    rf_str value = {0};
    unsigned format;
    RF_TRY(who_asks(w, true, err));
    RF_TRY(next_ring(w, &w->ring, err));
    rf_str sealed = next(w), chain = next(w);
    if (!next_byte(w, SEAL_PFX, SEAL_PEM, &format)) return bad("format", err);
    RF_TRY(next_ring(w, &secret, err));
    RF_TRY(next_head(w, &head, err));
    /* The secret stays in the vault of its key. */
    if (memcmp(secret.vault_id, w->ring.vault_id, SEAL_ID_BYTES) != 0 ||
        head.material != SEAL_VALUE || head.generation != 1 || secret.kind != SEAL_SECRET)
        return bad("place of the secret", err);
    RF_TRY(borrow_key(w, sealed, &with, err));
    enum rf_kind kind = seal_key_bundle(with.key, with.head.exportable, chain,
                                        (enum seal_format)format, w->arena, &value, err);
    give_back(w, &with);
    if (kind == RF_OK) kind = answer_sealed(w, &secret, &head, value, err);
    wipe(value);
    return kind == RF_OK ? tell(w, sealed, err) : kind;
}

/* ---- verbs: backups, the end ------------------------------------------------------------------------------------------------------------------- */

/* A key of a backup: the item's (bound to its kind and id too), or the content's. */
struct backup_key {
    rf_str about;
    enum seal_kind kind;
    const uint8_t *item_id; /* NULL: the content's */
};

static enum rf_kind backup_wrap(struct work *w, const struct backup_key *of, uint32_t generation,
                                uint8_t root[SEAL_KEY_BYTES], struct seal_wrap *out,
                                struct rf_err *err)
{
    size_t len = 1 + (of->item_id == NULL ? 0 : SEAL_ID_BYTES) + of->about.len;
    uint8_t *bytes = rf_arena_alloc(w->arena, len), *at = bytes;
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    /* The first byte is of no kind in the content's: neither passes for the other, however `about` is cut. */
    *at++ = of->item_id == NULL ? 0 : (uint8_t)of->kind;
    if (of->item_id != NULL) at = (uint8_t *)memcpy(at, of->item_id, SEAL_ID_BYTES) + SEAL_ID_BYTES;
    if (of->about.len > 0) memcpy(at, of->about.ptr, of->about.len);
    if (!keeper_root_wrap(w->vault, SEAL_STEP_BACKUP, generation, root)) return broken(err);
    *out = (struct seal_wrap){.step = SEAL_STEP_BACKUP,
                              .generation = generation,
                              .key = root,
                              .about = rf_str_make(bytes, len)};
    return RF_OK;
}

static enum rf_kind wrap_for_backup(struct work *w, const struct backup_key *of,
                                    const uint8_t key[SEAL_KEY_BYTES], rf_str *out,
                                    struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], *bytes = rf_arena_alloc(w->arena, WRAPPED_KEY_BYTES);
    struct seal_wrap wrap;
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(backup_wrap(w, of, keeper_root_generation(w->vault->keys), root, &wrap, err));
    bool good = seal_wrap_key(&wrap, key, bytes);
    OPENSSL_cleanse(root, sizeof root);
    *out = rf_str_make(bytes, WRAPPED_KEY_BYTES);
    return good ? RF_OK : crypto_failed(err);
}

static enum rf_kind unwrap_of_backup(struct work *w, const struct backup_key *of, rf_str wrapped,
                                     uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES];
    struct seal_wrap wrap;
    RF_TRY(
        backup_wrap(w, of, seal_wrapped_generation(wrapped, SEAL_STEP_BACKUP), root, &wrap, err));
    bool good = seal_unwrap_key(&wrap, wrapped, key);
    OPENSSL_cleanse(root, sizeof root);
    return good ? RF_OK : broken(err);
}

static enum rf_kind backup_make(struct work *w, struct rf_err *err)
{
    uint8_t *content = rf_arena_alloc(w->arena, SEAL_KEY_BYTES);
    rf_str wrapped, *fields = w->answer->fields;
    if (content == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(who_asks(w, false, err));
    RF_TRY(next_ring(w, &w->ring, err));
    struct backup_key item = {.about = next(w), .kind = w->ring.kind, .item_id = w->ring.item_id},
                      blob = {.about = item.about};
    if (w->ring.item_key.len == 0) return bad("key of the item", err);
    RF_TRY(open_item_key(w, &w->ring, w->key, &wrapped, err));
    random_bytes(content, SEAL_KEY_BYTES);
    RF_TRY(wrap_for_backup(w, &item, w->key, &fields[0], err));
    RF_TRY(wrap_for_backup(w, &blob, content, &fields[1], err));
    fields[2] = rf_str_make(content, SEAL_KEY_BYTES);
    return tell(w, (rf_str){0}, err);
}

static enum rf_kind backup_open(struct work *w, struct rf_err *err)
{
    uint8_t *key = rf_arena_alloc(w->arena, SEAL_KEY_BYTES);
    if (key == NULL) return rf_fail_memory(err, w->arena);
    RF_TRY(who_asks(w, false, err));
    rf_str wrapped = next(w);
    struct backup_key blob = {.about = next(w)};
    RF_TRY(unwrap_of_backup(w, &blob, wrapped, key, err));
    w->answer->fields[0] = rf_str_make(key, SEAL_KEY_BYTES);
    return tell(w, (rf_str){0}, err);
}

/* Moves the material of a backup's version under another item. */
static enum rf_kind move_version(struct work *w, rf_str sealed, const uint8_t *item_id,
                                 const uint8_t from[SEAL_KEY_BYTES], struct rf_err *err)
{
    struct seal_head head;
    struct seal_key *key = NULL;
    rf_str material;
    RF_TRY(seal_head_get(sealed, &head, err));
    RF_TRY(check_kind(&w->ring, &head, err));
    if (!seal_open_version(from, item_id, sealed, w->arena, &material)) return broken(err);
    enum rf_kind kind = RF_OK;
    if (head.material != SEAL_VALUE) {
        kind = seal_key_load(&head, material, &key, err);
        if (kind == RF_OK) kind = seal_key_public(key, w->arena, &w->answer->fields[2], err);
        seal_key_free(key);
    }
    if (kind == RF_OK) kind = answer_sealed(w, &w->ring, &head, material, err);
    wipe(material);
    return kind;
}

static enum rf_kind backup_put(struct work *w, struct rf_err *err)
{
    uint8_t from[SEAL_KEY_BYTES];
    RF_TRY(who_asks(w, false, err));
    rf_str wrapped = next(w), about = next(w), item_id = next(w), sealed = next(w);
    RF_TRY(next_ring(w, &w->ring, err));
    if (item_id.len != SEAL_ID_BYTES) return bad("id of the item", err);
    struct backup_key item = {.about = about, .kind = w->ring.kind, .item_id = item_id.ptr};
    RF_TRY(unwrap_of_backup(w, &item, wrapped, from, err));
    enum rf_kind kind = move_version(w, sealed, item_id.ptr, from, err);
    OPENSSL_cleanse(from, sizeof from);
    return kind == RF_OK ? tell(w, sealed, err) : kind;
}

static enum rf_kind destroy(struct work *w, struct rf_err *err)
{
    static const uint8_t nothing[SEAL_ID_BYTES];
    uint8_t id[32], mac[SHA256_BYTES];
    char detail[DETAIL_BYTES], hex[2 * SHA256_BYTES + 1];
    RF_TRY(next_ring(w, &w->ring, err));
    if (memcmp(w->ring.item_id, nothing, SEAL_ID_BYTES) == 0)
        keeper_floor_id("vault", w->ring.vault_id, NULL, id);
    else
        keeper_floor_id("item", w->ring.vault_id, w->ring.item_id, id);
    RF_TRY(keeper_floor_raise(&w->vault->floors, id, FLOOR_GONE, err));
    (void)snprintf(w->who.oid, sizeof w->who.oid, "ringfort");
    (void)snprintf(w->who.app, sizeof w->who.app, "ringfort");
    describe(&w->who, &w->ring, (rf_str){0}, detail, sizeof detail);
    RF_TRY(
        keeper_audit_append(&w->vault->keys->audit, "vault.destroy", detail, &w->line, mac, err));
    keeper_hex(mac, sizeof mac, hex);
    w->answer->fields[0] = rf_arena_printf(w->arena, "line %llu of the keeper's audit log, mac %s",
                                           (unsigned long long)w->line, hex);
    return w->answer->fields[0].ptr == NULL ? rf_fail_memory(err, w->arena) : RF_OK;
}

static enum rf_kind give_random(struct work *w, struct rf_err *err)
{
    unsigned n;
    RF_TRY(who_asks(w, false, err));
    if (!next_byte(w, 1, RANDOM_BYTES_MAX, &n)) return bad("number of bytes", err);
    uint8_t *bytes = rf_arena_alloc(w->arena, n);
    if (bytes == NULL) return rf_fail_memory(err, w->arena);
    random_bytes(bytes, n);
    w->answer->fields[0] = rf_str_make(bytes, n);
    return RF_OK;
}

/* ---- the table ----------------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind (*const verbs[KEEPER_VERB_END])(struct work *w, struct rf_err *err) = {
    [KEEPER_SEAL_VAULT_NEW] = vault_new,
    [KEEPER_SEAL_PUT] = put,
    [KEEPER_SEAL_OPEN] = open,
    [KEEPER_SEAL_CHANGE] = change,
    [KEEPER_SEAL_KEY_NEW] = key_new,
    [KEEPER_SEAL_KEY_USE] = key_use,
    [KEEPER_SEAL_CERTIFY] = certify,
    [KEEPER_SEAL_BUNDLE] = bundle,
    [KEEPER_SEAL_BACKUP_MAKE] = backup_make,
    [KEEPER_SEAL_BACKUP_OPEN] = backup_open,
    [KEEPER_SEAL_BACKUP_PUT] = backup_put,
    [KEEPER_SEAL_DESTROY] = destroy,
    [KEEPER_SEAL_RANDOM] = give_random,
};

static enum rf_kind handle_once(struct keeper_vault *vault, const struct keeper_request *request,
                                struct rf_arena *arena, struct keeper_answer *answer,
                                uint64_t *line, struct rf_err *err)
{
    struct work w = {.vault = vault,
                     .request = request,
                     .arena = arena,
                     .answer = answer,
                     .who = {.oid = "-", .app = "-"}};
    enum rf_kind kind = verbs[request->verb](&w, err);
    OPENSSL_cleanse(w.key, sizeof w.key);
    *line = w.line;
    return kind;
}

/* OpenSSL's memory is bounded: when it was used up, keys that nobody uses make room, and once more is tried. */
enum rf_kind keeper_vault_handle(struct keeper_vault *vault, const struct keeper_request *request,
                                 struct rf_arena *arena, struct keeper_answer *answer,
                                 uint64_t *line, struct rf_err *err)
{
    RF_ASSERT(verbs[request->verb] != NULL);
    struct rf_err own = {0};
    if (err == NULL) err = &own;
    (void)secret_heap_refused();
    enum rf_kind kind = handle_once(vault, request, arena, answer, line, err);
    bool was_full =
        kind != RF_OK && (secret_heap_refused() || strcmp(err->code, "MemoryBudgetExceeded") == 0 ||
                          strcmp(err->code, "CryptoFailed") == 0);
    if (!was_full) return kind;
    keeper_cache_shrink(&vault->cache);
    return handle_once(vault, request, arena, answer, line, err);
}

enum rf_kind keeper_vault_open(struct keeper_vault *vault, struct keeper_keys *keys, int folder,
                               int fd, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    vault->keys = keys;
    pthread_mutex_init(&vault->tokens.lock, NULL);
    pthread_mutex_init(&vault->cache.lock, NULL);
    keeper_derive(keys, "ringfort floors 1", (rf_str){0}, key);
    enum rf_kind kind = keeper_floors_open(&vault->floors, folder, fd, key, err);
    OPENSSL_cleanse(key, sizeof key);
    RF_TRY(kind);
    if (!vault->floors.damaged) return RF_OK;
    return keeper_audit_write(&keys->audit, "floors.damaged",
                              "records of the file vault were left out", err);
}

void keeper_vault_done(struct keeper_vault *vault)
{
    if (vault->keys == NULL) return;
    keeper_cache_shrink(&vault->cache);
    keeper_floors_done(&vault->floors);
    pthread_mutex_destroy(&vault->tokens.lock);
    pthread_mutex_destroy(&vault->cache.lock);
}
