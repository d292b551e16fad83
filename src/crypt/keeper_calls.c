/* keeper_calls.c - the calls of keeper.h: what each puts into a request and takes from the answer. */
#include "crypt/keeper.h"

#include "crypt/device.h"
#include "crypt/digest.h"
#include "crypt/keeper_call_int.h"

static enum rf_kind copy_into(struct rf_arena *arena, rf_str from, rf_str *out, struct rf_err *err)
{
    return rf_arena_str(arena, from, out) ? RF_OK : rf_fail_memory(err, arena);
}

enum rf_kind keeper_tls_chain(struct keeper *keeper, struct rf_arena *arena, rf_str *chain_pem,
                              rf_str *ca_pem, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    rf_str chain;
    RF_TRY(keeper_call(keeper, &(struct keeper_request){.verb = KEEPER_TLS_CHAIN}, &own, &answer,
                       err));
    RF_TRY(copy_into(arena, answer.bytes, &chain, err));
    RF_TRY(copy_into(arena, answer.ca_pem, ca_pem, err));
    *chain_pem = chain;
    return RF_OK;
}

enum rf_kind keeper_unseal(struct keeper *keeper, rf_str text, struct rf_arena *arena,
                           rf_str *reply, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_UNSEAL, .fields = {text}};
    RF_TRY(keeper_call(keeper, &request, &own, &answer, err));
    return copy_into(arena, answer.fields[0], reply, err);
}

enum rf_kind keeper_jwt_keys(struct keeper *keeper, struct rf_arena *arena,
                             struct keeper_jwt_key **keys, uint32_t *count, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    RF_TRY(
        keeper_call(keeper, &(struct keeper_request){.verb = KEEPER_JWT_KEYS}, &own, &answer, err));
    struct keeper_jwt_key *copy = rf_arena_new(arena, struct keeper_jwt_key, answer.key_count);
    if (copy == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < answer.key_count; i++) {
        copy[i] = answer.keys[i];
        RF_TRY(copy_into(arena, answer.keys[i].kid, &copy[i].kid, err));
        RF_TRY(copy_into(arena, answer.keys[i].cert, &copy[i].cert, err));
    }
    *keys = copy;
    *count = answer.key_count;
    return RF_OK;
}

enum rf_kind keeper_jwt_rotate(struct keeper *keeper, bool emergency, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_JWT_ROTATE, .emergency = emergency};
    return keeper_call(keeper, &request, &own, &answer, err);
}

enum rf_kind keeper_tls_sign(struct keeper *keeper, const uint8_t *leaf, rf_str digest,
                             uint8_t *out, size_t cap, size_t *len, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_TLS_SIGN,
                                     .bytes = digest,
                                     .input = rf_str_make(leaf, leaf == NULL ? 0 : SHA256_BYTES)};
    RF_TRY(keeper_call(keeper, &request, &own, &answer, err));
    if (answer.bytes.len > cap)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's signature is too long");
    memcpy(out, answer.bytes.ptr, answer.bytes.len);
    *len = answer.bytes.len;
    return RF_OK;
}

enum rf_kind keeper_jwt_sign(struct keeper *keeper, rf_str signing_input, struct rf_arena *arena,
                             rf_str *signature, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_JWT_SIGN, .bytes = signing_input};
    RF_TRY(keeper_call(keeper, &request, &own, &answer, err));
    return copy_into(arena, answer.bytes, signature, err);
}

enum rf_kind keeper_jwt_sign_if(struct keeper *keeper, const struct keeper_proof *proof,
                                rf_str signing_input, struct rf_arena *arena, uint64_t *match,
                                rf_str *signature, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_JWT_SIGN_IF,
                                     .purpose = rf_str_of(proof->purpose),
                                     .bytes = proof->bytes,
                                     .macs = proof->macs,
                                     .input = signing_input};
    RF_TRY(keeper_call(keeper, &request, &own, &answer, err));
    if (answer.match != KEEPER_NO_MATCH && answer.match >= proof->macs.len / KEEPER_MAC_BYTES)
        return RF_FAIL(err, RF_INVALID, "ProtocolError",
                       "the keeper names a MAC that is not there");
    RF_TRY(copy_into(arena, answer.bytes, signature, err));
    *match = answer.match;
    return RF_OK;
}

enum rf_kind keeper_device_authority(struct keeper *keeper, struct rf_arena *arena, rf_str *der,
                                     struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    RF_TRY(keeper_call(keeper, &(struct keeper_request){.verb = KEEPER_DEVICE_CA}, &own, &answer,
                       err));
    return copy_into(arena, answer.bytes, der, err);
}

enum rf_kind keeper_device_issue(struct keeper *keeper, const struct device_order *order,
                                 struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    struct keeper_request request = {.verb = KEEPER_DEVICE_ISSUE,
                                     .purpose = order->name,
                                     .bytes = order->public_key,
                                     .seconds = order->seconds};
    RF_TRY(keeper_call(keeper, &request, &own, &answer, err));
    return copy_into(arena, answer.bytes, der, err);
}

/* An answer of 32 bytes. */
static enum rf_kind call_for_32(struct keeper *keeper, const struct keeper_request *request,
                                uint8_t out[32], struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    RF_TRY(keeper_call(keeper, request, &own, &answer, err));
    if (answer.bytes.len != 32)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's answer has not 32 bytes");
    memcpy(out, answer.bytes.ptr, 32);
    return RF_OK;
}

enum rf_kind keeper_mac(struct keeper *keeper, const char *purpose, rf_str bytes, uint8_t out[32],
                        struct rf_err *err)
{
    struct keeper_request request = {
        .verb = KEEPER_MAC, .purpose = rf_str_of(purpose), .bytes = bytes};
    return call_for_32(keeper, &request, out, err);
}

enum rf_kind keeper_store_key(struct keeper *keeper, uint8_t out[32], struct rf_err *err)
{
    return call_for_32(keeper, &(struct keeper_request){.verb = KEEPER_STORE_KEY}, out, err);
}

enum rf_kind keeper_state(struct keeper *keeper, struct keeper_state *out, struct rf_err *err)
{
    RF_CLEANUP(keeper_call_end) struct keeper_slot *own = NULL;
    struct keeper_answer answer;
    RF_TRY(keeper_call(keeper, &(struct keeper_request){.verb = KEEPER_STATE}, &own, &answer, err));
    const uint8_t *got = answer.fields[0].ptr;
    if (answer.fields[0].len != KEEPER_STATE_BYTES)
        return RF_FAIL(err, RF_INVALID, "ProtocolError", "the keeper's state has another length");
    *out = (struct keeper_state){.pid = (int64_t)rf_get_u64le(got),
                                 .started = (rf_usec)rf_get_u64le(got + 8),
                                 .cpu = (rf_usec)rf_get_u64le(got + 16),
                                 .peak_bytes = rf_get_u64le(got + 24),
                                 .lines = rf_get_u64le(got + 32),
                                 .records = rf_get_u64le(got + 40)};
    memcpy(out->head, got + 8 * KEEPER_STATE_NUMBERS, sizeof out->head);
    return RF_OK;
}
