#include <stdlib.h>

#include "identity/identity_int.h"

/* Keys are asked for again after this time, so that one that was made meanwhile is published soon. */
enum { KEYS_SECONDS = 10 };

static enum rf_kind describe(const struct keeper_jwt_key *key, struct rf_arena *arena,
                             struct signing_key *out, struct rf_err *err)
{
    struct public_key *public;
    rf_str n, e;
    RF_TRY(public_key_of_cert(key->cert, &public, err));
    bool is_rsa = public_key_rsa(public, arena, &n, &e);
    public_key_free(public);
    if (!is_rsa) return RF_FAIL(err, RF_CORRUPT, "BadSigningKey", "a signing key is not RSA");
    *out = (struct signing_key){.n = base64url_encode(arena, n), .e = base64url_encode(arena, e)};
    out->x5c = base64_encode(arena, key->cert);
    if (!rf_arena_str(arena, key->kid, &out->kid) || out->n.ptr == NULL || out->e.ptr == NULL ||
        out->x5c.ptr == NULL)
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind load(struct identity *identity, struct rf_arena *arena,
                         struct signing_keys *out, struct rf_err *err)
{
    struct keeper_jwt_key *keys;
    uint32_t count;
    RF_TRY(keeper_jwt_keys(identity->options.keeper, arena, &keys, &count, err));
    out->items = rf_arena_new(arena, struct signing_key, count);
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < count; i++) {
        RF_TRY(describe(&keys[i], arena, &out->items[i], err));
        if (!keys[i].signing) continue;
        rf_str kid = out->items[i].kid;
        rf_str header = rf_arena_printf(
            arena, "{\"typ\":\"JWT\",\"alg\":\"RS256\",\"x5t\":\"%.*s\",\"kid\":\"%.*s\"}",
            RF_FMT(kid), RF_FMT(kid));
        if (header.ptr != NULL) out->header = base64url_encode(arena, header);
        if (out->header.ptr == NULL) return rf_fail_memory(err, arena);
    }
    out->count = count;
    if (out->header.ptr == NULL)
        return RF_FAIL(err, RF_AGAIN, "NoSigningKey", "the keeper has no key that signs now");
    return RF_OK;
}

enum rf_kind signing_keys(struct identity *identity, struct memo_entry **out, struct rf_err *err)
{
    uint64_t stamp =
        (uint64_t)(rf_clock_elapsed(identity->options.clock) / (KEYS_SECONDS * RF_USEC_PER_SECOND));
    stamp = rf_hash_mix(stamp, atomic_load(&identity->keys_epoch));
    *out = memo_find(identity->memo, RF_S("keys"), stamp);
    if (*out != NULL) return RF_OK;
    RF_CLEANUP(memo_release) struct memo_entry *entry = memo_entry_new(RF_S("keys"), stamp);
    if (entry == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for keys");
    struct signing_keys *keys = rf_arena_new(&entry->arena, struct signing_keys, 1);
    if (keys == NULL) return rf_fail_memory(err, &entry->arena);
    RF_TRY(load(identity, &entry->arena, keys, err));
    entry->value = keys;
    memo_add(identity->memo, entry);
    *out = entry;
    entry = NULL;
    return RF_OK;
}

void identity_keys_changed(struct identity *identity)
{
    atomic_fetch_add(&identity->keys_epoch, 1);
}
