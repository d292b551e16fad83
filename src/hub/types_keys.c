/* types_keys.c - the keys of authorization rules, sealed in state:
 *
 *   {"primary": base64(nonce 12, sealed text, tag 16), "secondary": ...}      additional data: the object's key and the member's name */
#include <openssl/evp.h>

#include "base/encode.h"
#include "crypt/digest.h"
#include "hub/types_int.h"

enum { NONCE_BYTES = 12, TAG_BYTES = 16 };

static const char space_name[] = "hub.key";
static const char *const members[] = {"primary", "secondary"};

rf_str hub_key_place(struct rf_arena *arena, rf_str space, rf_str hub, rf_str rule)
{
    rf_str place =
        rf_arena_printf(arena, "%.*s/%.*s/%.*s", RF_FMT(space), RF_FMT(hub), RF_FMT(rule));
    return place.ptr == NULL ? place : resource_key(arena, place);
}

rf_str hub_key_random(struct rf_arena *arena)
{
    uint8_t bytes[32];
    random_bytes(bytes, sizeof bytes);
    rf_str text = base64_encode(arena, rf_str_make(bytes, sizeof bytes));
    explicit_bzero(bytes, sizeof bytes);
    return text;
}

void hub_keys_wipe(struct hub_keys *keys)
{
    for (int i = 0; i < 2; i++)
        if (keys->texts[i].len > 0)
            explicit_bzero((void *)(uintptr_t)keys->texts[i].ptr, keys->texts[i].len);
}

static bool begin(EVP_CIPHER_CTX *ctx, const uint8_t key[32], const uint8_t *nonce, bool seals,
                  rf_str place, const char *member)
{
    int got;
    return ctx != NULL &&
           EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce, seals ? 1 : 0) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &got, place.ptr, (int)place.len) == 1 &&
           EVP_CipherUpdate(ctx, NULL, &got, (const uint8_t *)member, (int)strlen(member)) == 1;
}

static bool seal(const struct hubs *hubs, rf_str place, const char *member, rf_str text,
                 struct rf_arena *arena, rf_str *out)
{
    size_t bytes = NONCE_BYTES + text.len + TAG_BYTES;
    uint8_t *sealed = rf_arena_alloc(arena, bytes);
    int got = 0, rest = 0;
    if (sealed == NULL) return false;
    random_bytes(sealed, NONCE_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = begin(ctx, hubs->options.key, sealed, true, place, member) &&
                EVP_EncryptUpdate(ctx, sealed + NONCE_BYTES, &got, text.ptr, (int)text.len) == 1 &&
                EVP_EncryptFinal_ex(ctx, sealed + NONCE_BYTES + got, &rest) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES,
                                    sealed + NONCE_BYTES + text.len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    *out = good ? base64_encode(arena, rf_str_make(sealed, bytes)) : (rf_str){0};
    return out->ptr != NULL;
}

static bool unseal(const struct hubs *hubs, rf_str place, const char *member, rf_str base64,
                   struct rf_arena *arena, rf_str *out)
{
    rf_str sealed;
    if (base64_decode(arena, base64, &sealed, NULL) != RF_OK ||
        sealed.len < NONCE_BYTES + TAG_BYTES ||
        sealed.len > NONCE_BYTES + TAG_BYTES + HUB_KEY_BYTES_MAX)
        return false;
    size_t len = sealed.len - NONCE_BYTES - TAG_BYTES;
    uint8_t *text = rf_arena_alloc(arena, len), tag[TAG_BYTES];
    int got = 0, rest = 0;
    if (text == NULL) return false;
    memcpy(tag, sealed.ptr + NONCE_BYTES + len, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = begin(ctx, hubs->options.key, sealed.ptr, false, place, member) &&
                EVP_DecryptUpdate(ctx, text, &got, sealed.ptr + NONCE_BYTES, (int)len) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) == 1 &&
                EVP_DecryptFinal_ex(ctx, text + got, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!good) explicit_bzero(text, len);
    *out = rf_str_make(text, len);
    return good;
}

enum rf_kind hub_keys_load(struct hubs *hubs, struct state_txn *txn, rf_str place,
                           struct rf_arena *arena, struct hub_keys *out, struct rf_err *err)
{
    struct state_object object;
    struct json_node *node;
    struct hub_keys made = {0};
    RF_TRY(state_get(txn, space_name, place, arena, &object, err));
    RF_TRY(json_parse(object.body, arena, &node, err));
    for (int i = 0; i < 2; i++)
        if (!unseal(hubs, place, members[i], json_text_at(node, members[i]), arena, &made.texts[i]))
            return RF_FAIL(err, RF_CORRUPT, "SealBroken", "the keys of %.*s cannot be opened",
                           RF_FMT(place));
    *out = made;
    return RF_OK;
}

enum rf_kind hub_keys_store(struct hubs *hubs, struct state_txn *txn, rf_str place,
                            const struct hub_keys *keys, struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *node = json_new(arena, JSON_T_OBJECT);
    for (int i = 0; i < 2; i++) {
        rf_str sealed;
        if (!seal(hubs, place, members[i], keys->texts[i], arena, &sealed) ||
            json_set_text(arena, node, members[i], sealed) == NULL)
            return rf_fail_memory(err, arena);
    }
    struct state_put put = {.space = space_name, .key = place, .body = json_to_text(arena, node)};
    if (put.body.ptr == NULL) return rf_fail_memory(err, arena);
    return state_put(txn, &put, NULL, NULL, err);
}
