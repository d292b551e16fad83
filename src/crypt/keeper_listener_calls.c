/* keeper_listener_calls.c - the server's side of keeper_listener.h. */
#include "crypt/keeper_call_int.h"
#include "crypt/keeper_listener.h"

static const char *const names[KEEPER_LISTENER_END] = {
    [KEEPER_LISTENER_HTTPS] = "https", [KEEPER_LISTENER_STREAMS] = "streams"};

const char *keeper_listener_name(enum keeper_listener listener) { return names[listener]; }

bool keeper_listener_find(rf_str name, enum keeper_listener *out)
{
    for (enum keeper_listener at = KEEPER_LISTENER_HTTPS; at < KEEPER_LISTENER_END; at++)
        if (rf_str_is(name, names[at])) {
            *out = at;
            return true;
        }
    return false;
}

/* A request, and what of it is not the caller's. */
struct asking {
    struct keeper_request request;
    uint32_t count;
    uint8_t listener, kind, scheme[2];
};

static void add(struct asking *a, rf_str field) { a->request.fields[a->count++] = field; }

static void add_listener(struct asking *a, enum keeper_listener listener)
{
    a->listener = (uint8_t)listener;
    add(a, rf_str_make(&a->listener, 1));
}

static void add_ring(struct asking *a, const struct seal_ring *ring)
{
    a->kind = (uint8_t)ring->kind;
    add(a, rf_str_make(ring->vault_id, SEAL_ID_BYTES));
    add(a, rf_str_make(ring->item_id, SEAL_ID_BYTES));
    add(a, rf_str_make(&a->kind, 1));
    add(a, ring->name);
    add(a, ring->vault_key);
    add(a, ring->item_key);
}

static enum rf_kind ask(struct keeper *keeper, const struct asking *a, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    RF_ASSERT(a->count == keeper_request_fields(a->request.verb));
    return keeper_call(keeper, &a->request, &slot, &answer, err);
}

enum rf_kind keeper_listener_bind(struct keeper *keeper, rf_str token,
                                  enum keeper_listener listener, const struct seal_ring *ring,
                                  rf_str sealed, rf_str label, struct rf_err *err)
{
    struct asking a = {.request = {.verb = KEEPER_LISTENER_BIND}};
    add(&a, token);
    add_ring(&a, ring);
    add(&a, sealed);
    add_listener(&a, listener);
    add(&a, label);
    return ask(keeper, &a, err);
}

enum rf_kind keeper_listener_unbind(struct keeper *keeper, rf_str token,
                                    enum keeper_listener listener, struct rf_err *err)
{
    struct asking a = {.request = {.verb = KEEPER_LISTENER_UNBIND}};
    add(&a, token);
    add_listener(&a, listener);
    return ask(keeper, &a, err);
}

enum rf_kind keeper_listener_get(struct keeper *keeper, enum keeper_listener listener,
                                 struct rf_arena *arena, struct keeper_bound *out,
                                 struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    struct asking a = {.request = {.verb = KEEPER_LISTENER_GET}};
    struct keeper_bound got = {.is_bound = false};
    add_listener(&a, listener);
    RF_TRY(keeper_call(keeper, &a.request, &slot, &answer, err));
    const rf_str *ids = answer.fields;
    got.is_bound = ids[0].len == SEAL_ID_BYTES && ids[1].len == SEAL_ID_BYTES;
    if (got.is_bound) {
        memcpy(got.vault_id, ids[0].ptr, SEAL_ID_BYTES);
        memcpy(got.item_id, ids[1].ptr, SEAL_ID_BYTES);
        got.is_in_use = ids[3].len == LISTENER_LEAF_BYTES;
        if (got.is_in_use) memcpy(got.leaf, ids[3].ptr, LISTENER_LEAF_BYTES);
        if (!rf_arena_str(arena, answer.fields[2], &got.label)) return rf_fail_memory(err, arena);
    }
    *out = got;
    return RF_OK;
}

enum rf_kind keeper_listener_show(struct keeper *keeper, enum keeper_listener listener,
                                  const struct seal_ring *ring, rf_str sealed, rf_str certificate,
                                  struct rf_err *err)
{
    struct asking a = {.request = {.verb = KEEPER_LISTENER_SHOW}};
    add_listener(&a, listener);
    add_ring(&a, ring);
    add(&a, sealed);
    add(&a, certificate);
    return ask(keeper, &a, err);
}

enum rf_kind keeper_listener_none(struct keeper *keeper, enum keeper_listener listener,
                                  struct rf_err *err)
{
    struct asking a = {.request = {.verb = KEEPER_LISTENER_SHOW}};
    add_listener(&a, listener);
    a.count = keeper_request_fields(KEEPER_LISTENER_SHOW);
    return ask(keeper, &a, err);
}

enum rf_kind keeper_listener_sign(struct keeper *keeper, const uint8_t leaf[LISTENER_LEAF_BYTES],
                                  unsigned scheme, rf_str message, uint8_t *out, size_t cap,
                                  size_t *len, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *slot = NULL;
    struct keeper_answer answer;
    struct asking a = {.request = {.verb = KEEPER_LISTENER_SIGN}};
    rf_put_u16le(a.scheme, (uint16_t)scheme);
    add(&a, rf_str_make(leaf, LISTENER_LEAF_BYTES));
    add(&a, rf_str_make(a.scheme, sizeof a.scheme));
    add(&a, message);
    RF_TRY(keeper_call(keeper, &a.request, &slot, &answer, err));
    rf_str signature = answer.fields[0];
    if (signature.len > cap)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "a signature of %zu bytes", signature.len);
    memcpy(out, signature.ptr, signature.len);
    *len = signature.len;
    return RF_OK;
}
