#include "crypt/vault_seal.h"

#include <openssl/crypto.h>

#include "crypt/keeper_call_int.h"

/* ---- heads ------------------------------------------------------------------------------------------------------- */

enum { FORMAT = 1, FLAG_ENABLED = 1, FLAG_EXPORTABLE = 2, FLAG_MANAGED = 4, OPS_ALL = 63 };

void seal_head_put(const struct seal_head *head, uint8_t out[SEAL_HEAD_BYTES])
{
    memset(out, 0, SEAL_HEAD_BYTES);
    out[0] = FORMAT;
    out[1] = (uint8_t)head->material;
    out[2] =
        (uint8_t)((head->enabled ? FLAG_ENABLED : 0) | (head->exportable ? FLAG_EXPORTABLE : 0) |
                  (head->managed ? FLAG_MANAGED : 0));
    out[3] = (uint8_t)(head->ops & OPS_ALL);
    rf_put_u32le(out + 4, head->bits);
    memcpy(out + 8, head->version, SEAL_ID_BYTES);
    rf_put_u64le(out + 24, head->generation);
    rf_put_u64le(out + 32, (uint64_t)head->not_before);
    rf_put_u64le(out + 40, (uint64_t)head->expires);
}

enum rf_kind seal_head_get(rf_str sealed, struct seal_head *out, struct rf_err *err)
{
    static const uint8_t zeros[16];
    const uint8_t *p = sealed.ptr;
    if (sealed.len < SEAL_HEAD_BYTES || p[0] != FORMAT || p[1] < SEAL_VALUE || p[1] > SEAL_OCT ||
        p[2] > (FLAG_ENABLED | FLAG_EXPORTABLE | FLAG_MANAGED) || p[3] > OPS_ALL ||
        rf_get_u64le(p + 24) == 0 || memcmp(p + 48, zeros, sizeof zeros) != 0)
        return RF_FAIL(err, RF_INVALID, "SealArgument", "a sealed version has no head that fits");
    *out = (struct seal_head){.material = (enum seal_material)p[1],
                              .enabled = (p[2] & FLAG_ENABLED) != 0,
                              .exportable = (p[2] & FLAG_EXPORTABLE) != 0,
                              .managed = (p[2] & FLAG_MANAGED) != 0,
                              .ops = p[3],
                              .bits = rf_get_u32le(p + 4),
                              .generation = rf_get_u64le(p + 24),
                              .not_before = (int64_t)rf_get_u64le(p + 32),
                              .expires = (int64_t)rf_get_u64le(p + 40)};
    memcpy(out->version, p + 8, SEAL_ID_BYTES);
    return RF_OK;
}

/* ---- calls --------------------------------------------------------------------------------------------------------- */

/* Texts of one request that are not the caller's own. */
struct scratch {
    struct keeper_request request;
    uint32_t count;
    uint8_t head[SEAL_HEAD_BYTES], kind[2], byte;
    uint8_t rings;
};

static void add(struct scratch *s, rf_str field)
{
    RF_ASSERT(s->count < KEEPER_FIELDS_MAX);
    s->request.fields[s->count++] = field;
}

static void add_byte(struct scratch *s, unsigned value)
{
    s->byte = (uint8_t)value;
    add(s, rf_str_make(&s->byte, 1));
}

static void add_head(struct scratch *s, const struct seal_head *head)
{
    seal_head_put(head, s->head);
    add(s, rf_str_make(s->head, sizeof s->head));
}

static void add_ring(struct scratch *s, const struct seal_ring *ring)
{
    uint8_t *kind = &s->kind[s->rings++];
    *kind = (uint8_t)ring->kind;
    add(s, rf_str_make(ring->vault_id, SEAL_ID_BYTES));
    add(s, rf_str_make(ring->item_id, SEAL_ID_BYTES));
    add(s, rf_str_make(kind, 1));
    add(s, ring->name);
    add(s, ring->vault_key);
    add(s, ring->item_key);
}

/* A call with what nearly all begin with. */
static void begin(struct scratch *s, enum keeper_verb verb, rf_str token,
                  const struct seal_ring *ring)
{
    *s = (struct scratch){.request = {.verb = verb}};
    add(s, token);
    if (ring != NULL) add_ring(s, ring);
}

static enum rf_kind copy(struct rf_arena *arena, rf_str from, rf_str *out, struct rf_err *err)
{
    *out = (rf_str){0};
    if (from.len == 0) return RF_OK;
    return rf_arena_str(arena, from, out) ? RF_OK : rf_fail_memory(err, arena);
}

/* Asks, and copies the fields of the answer to `out`, a NULL place leaves one out. */
static enum rf_kind ask(struct keeper *keeper, struct scratch *s, struct rf_arena *arena,
                        rf_str *const *out, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    RF_ASSERT(s->count == keeper_request_fields(s->request.verb));
    RF_TRY(keeper_call(keeper, &s->request, &slot, &answer, err));
    for (uint32_t i = 0; i < keeper_answer_fields(s->request.verb); i++)
        if (out[i] != NULL) RF_TRY(copy(arena, answer.fields[i], out[i], err));
    return RF_OK;
}

static enum rf_kind ask_sealed(struct keeper *keeper, struct scratch *s, struct rf_arena *arena,
                               struct sealed *out, struct rf_err *err)
{
    struct sealed got = {.item_key = {0}};
    RF_TRY(ask(keeper, s, arena, (rf_str *const[]){&got.item_key, &got.version, &got.public_key},
               err));
    *out = got;
    return RF_OK;
}

/* An answer of bytes that are copied to the caller's own place. */
static enum rf_kind ask_bytes(struct keeper *keeper, struct scratch *s, uint8_t *out, size_t len,
                              struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    RF_TRY(keeper_call(keeper, &s->request, &slot, &answer, err));
    if (answer.fields[0].len != len)
        return RF_FAIL(err, RF_INVALID, "ProtocolError",
                       "the keeper's answer has not the length that was asked for");
    memcpy(out, answer.fields[0].ptr, len);
    return RF_OK;
}

enum rf_kind seal_vault_new(struct keeper *keeper, const uint8_t vault_id[SEAL_ID_BYTES],
                            struct rf_arena *arena, rf_str *vault_key, struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_SEAL_VAULT_NEW}};
    add(&s, rf_str_make(vault_id, SEAL_ID_BYTES));
    return ask(keeper, &s, arena, (rf_str *const[]){vault_key}, err);
}

enum rf_kind seal_put(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                      const struct seal_head *head, rf_str material, struct rf_arena *arena,
                      struct sealed *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_PUT, token, ring);
    add_head(&s, head);
    add(&s, material);
    return ask_sealed(keeper, &s, arena, out, err);
}

enum rf_kind seal_open(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                       rf_str sealed, struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_OPEN, token, ring);
    add(&s, sealed);
    return ask(keeper, &s, arena, (rf_str *const[]){out}, err);
}

enum rf_kind seal_change(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                         rf_str sealed, const struct seal_head *head, struct rf_arena *arena,
                         struct sealed *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_CHANGE, token, ring);
    add(&s, sealed);
    add_head(&s, head);
    struct sealed got = {.item_key = ring->item_key};
    RF_TRY(ask(keeper, &s, arena, (rf_str *const[]){&got.version}, err));
    *out = got;
    return RF_OK;
}

enum rf_kind seal_key_new(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                          const struct seal_head *head, struct rf_arena *arena, struct sealed *out,
                          struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_KEY_NEW, token, ring);
    add_head(&s, head);
    return ask_sealed(keeper, &s, arena, out, err);
}

enum rf_kind seal_key_use(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                          rf_str sealed, const struct seal_use *use, struct rf_arena *arena,
                          struct seal_used *out, struct rf_err *err)
{
    struct scratch s;
    rf_str verified = {0};
    begin(&s, KEEPER_SEAL_KEY_USE, token, ring);
    add(&s, sealed);
    add_byte(&s, use->op);
    add(&s, use->algorithm);
    add(&s, use->value);
    add(&s, use->signature);
    add(&s, use->iv);
    add(&s, use->aad);
    add(&s, use->tag);
    struct seal_used got = {.value = {0}};
    RF_TRY(
        ask(keeper, &s, arena, (rf_str *const[]){&got.value, &got.iv, &got.tag, &verified}, err));
    got.verified = verified.len == 1 && verified.ptr[0] == 1;
    *out = got;
    return RF_OK;
}

enum rf_kind seal_certify(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                          rf_str sealed, enum seal_sign what, rf_str issuer, rf_str der,
                          struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_CERTIFY, token, ring);
    add(&s, sealed);
    add_byte(&s, what);
    add(&s, issuer);
    add(&s, der);
    return ask(keeper, &s, arena, (rf_str *const[]){out}, err);
}

enum rf_kind seal_bundle(struct keeper *keeper, rf_str token, const struct seal_ring *key,
                         rf_str sealed, rf_str chain, enum seal_format format,
                         const struct seal_ring *secret, const struct seal_head *head,
                         struct rf_arena *arena, struct sealed *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_BUNDLE, token, key);
    add(&s, sealed);
    add(&s, chain);
    add_byte(&s, format);
    add_ring(&s, secret);
    add_head(&s, head);
    struct sealed got = {.item_key = {0}};
    RF_TRY(ask(keeper, &s, arena, (rf_str *const[]){&got.item_key, &got.version}, err));
    *out = got;
    return RF_OK;
}

enum rf_kind seal_backup_make(struct keeper *keeper, rf_str token, const struct seal_ring *ring,
                              rf_str about, struct rf_arena *arena, struct seal_backup *out,
                              struct rf_err *err)
{
    struct scratch s;
    rf_str clear;
    begin(&s, KEEPER_SEAL_BACKUP_MAKE, token, ring);
    add(&s, about);
    RF_TRY(
        ask(keeper, &s, arena, (rf_str *const[]){&out->item_key, &out->content_key, &clear}, err));
    if (clear.len != sizeof out->key)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's key has not 32 bytes");
    memcpy(out->key, clear.ptr, sizeof out->key);
    OPENSSL_cleanse((uint8_t *)(uintptr_t)clear.ptr, clear.len);
    return RF_OK;
}

enum rf_kind seal_backup_open(struct keeper *keeper, rf_str token, rf_str content_key, rf_str about,
                              uint8_t key[32], struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_BACKUP_OPEN, token, NULL);
    add(&s, content_key);
    add(&s, about);
    return ask_bytes(keeper, &s, key, 32, err);
}

enum rf_kind seal_backup_put(struct keeper *keeper, rf_str token,
                             const struct seal_backup_from *from, rf_str sealed,
                             const struct seal_ring *ring, struct rf_arena *arena,
                             struct sealed *out, struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_BACKUP_PUT, token, NULL);
    add(&s, from->item_key);
    add(&s, from->about);
    add(&s, rf_str_make(from->item_id, SEAL_ID_BYTES));
    add(&s, sealed);
    add_ring(&s, ring);
    return ask_sealed(keeper, &s, arena, out, err);
}

enum rf_kind seal_destroy(struct keeper *keeper, const struct seal_ring *ring,
                          struct rf_arena *arena, rf_str *proof, struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_SEAL_DESTROY}};
    add_ring(&s, ring);
    return ask(keeper, &s, arena, (rf_str *const[]){proof}, err);
}

/* ---- keys of data ------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_data_key_new(struct keeper *keeper, const char *label,
                                 uint8_t wrapped[KEEPER_DATA_KEY_BYTES], uint8_t key[32],
                                 struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_DATA_KEY_NEW, .fields = {rf_str_of(label)}};
    RF_TRY(keeper_call(keeper, &request, &slot, &answer, err));
    if (answer.fields[0].len != KEEPER_DATA_KEY_BYTES || answer.fields[1].len != 32)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's key has another length");
    memcpy(wrapped, answer.fields[0].ptr, KEEPER_DATA_KEY_BYTES);
    memcpy(key, answer.fields[1].ptr, 32);
    return RF_OK;
}

enum rf_kind keeper_data_key_open(struct keeper *keeper, rf_str wrapped, uint8_t key[32],
                                  struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_DATA_KEY_OPEN}};
    add(&s, wrapped);
    return ask_bytes(keeper, &s, key, 32, err);
}

enum rf_kind keeper_data_key_destroy(struct keeper *keeper, rf_str wrapped, const char *label,
                                     struct rf_arena *arena, rf_str *proof, struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_DATA_KEY_DESTROY}};
    add(&s, wrapped);
    add(&s, rf_str_of(label));
    return ask(keeper, &s, arena, (rf_str *const[]){proof}, err);
}

/* ---- after a rotation ------------------------------------------------------------------------------------------------- */

enum rf_kind keeper_rewrap(struct keeper *keeper, const uint8_t *vault_id, rf_str wrapped,
                           uint8_t out[KEEPER_WRAPPED_BYTES_MAX], struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_REWRAP}};
    add(&s, rf_str_make(vault_id, vault_id == NULL ? 0 : SEAL_ID_BYTES));
    add(&s, wrapped);
    if (wrapped.len > KEEPER_WRAPPED_BYTES_MAX)
        return RF_FAIL(err, RF_DENIED, "SealBroken", "no wrapped key is so long");
    return ask_bytes(keeper, &s, out, wrapped.len, err);
}

enum rf_kind keeper_rewrap_turn(struct keeper *keeper, enum keeper_turn what,
                                const struct keeper_found *found, struct keeper_generations *out,
                                struct rf_err *err)
{
    struct scratch s = {.request = {.verb = KEEPER_REWRAP_TURN}};
    uint8_t bytes[8 * KEEPER_FOUND_NUMBERS] = {0}, state[8 * KEEPER_GENERATIONS_NUMBERS];
    s.byte = (uint8_t)what;
    add(&s, rf_str_make(&s.byte, 1));
    if (found != NULL) {
        rf_put_u64le(bytes, found->newest);
        rf_put_u64le(bytes + 8, found->unread);
        for (unsigned i = 0; i < KEEPER_GENERATIONS_MAX; i++)
            rf_put_u64le(bytes + 16 + 8 * i, found->under[i]);
    }
    add(&s, rf_str_make(bytes, found == NULL ? 0 : sizeof bytes));
    RF_TRY(ask_bytes(keeper, &s, state, sizeof state, err));
    *out = (struct keeper_generations){.newest = rf_get_u32le(state),
                                       .first = rf_get_u32le(state + 8),
                                       .kept = rf_get_u32le(state + 16),
                                       .clean = rf_get_u32le(state + 24)};
    return RF_OK;
}

/* ---- chance -------------------------------------------------------------------------------------------------------- */

enum rf_kind seal_random(struct keeper *keeper, rf_str token, uint8_t *out, size_t n,
                         struct rf_err *err)
{
    struct scratch s;
    begin(&s, KEEPER_SEAL_RANDOM, token, NULL);
    add_byte(&s, (unsigned)RF_MIN(n, (size_t)255));
    return ask_bytes(keeper, &s, out, n, err);
}
