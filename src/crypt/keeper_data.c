/* keeper_data.c - keys of what the server encrypts itself. It gets them in clear while it runs; what is kept is wrapped. */
#include <stdio.h>

#include <openssl/crypto.h>

#include "crypt/keeper_vault.h"

enum { DETAIL_BYTES = 160 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealArgument", "the %s does not fit", what);
}

static bool is_label(rf_str label)
{
    for (size_t i = 0; i < label.len; i++)
        if (!rf_is_alnum(label.ptr[i]) && label.ptr[i] != '.' && label.ptr[i] != '-') return false;
    return label.len > 0 && label.len <= KEEPER_PURPOSE_BYTES_MAX;
}

static enum rf_kind tell(struct keeper_vault *vault, const char *what, rf_str label,
                         const uint8_t id[SEAL_ID_BYTES], uint64_t *line, uint8_t *mac,
                         struct rf_err *err)
{
    char detail[DETAIL_BYTES], hex[2 * SEAL_ID_BYTES + 1];
    keeper_hex(id, SEAL_ID_BYTES, hex);
    (void)snprintf(detail, sizeof detail, "%.*s %s", RF_FMT(label), hex);
    return keeper_audit_append(&vault->keys->audit, what, detail, line, mac, err);
}

static enum rf_kind make(struct keeper_vault *vault, rf_str label, struct rf_arena *arena,
                         struct keeper_answer *answer, uint64_t *line, struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], *wrapped = rf_arena_alloc(arena, KEEPER_DATA_KEY_BYTES),
                                  *key = rf_arena_alloc(arena, SEAL_KEY_BYTES);
    if (wrapped == NULL || key == NULL) return rf_fail_memory(err, arena);
    if (!is_label(label)) return bad("label", err);
    random_bytes(wrapped, SEAL_ID_BYTES);
    random_bytes(key, SEAL_KEY_BYTES);
    struct seal_wrap wrap = {.step = SEAL_STEP_DATA,
                             .generation = keeper_root_generation(vault->keys),
                             .key = root,
                             .about = rf_str_make(wrapped, SEAL_ID_BYTES)};
    bool good = keeper_root_wrap(vault, SEAL_STEP_DATA, wrap.generation, root) &&
                seal_wrap_key(&wrap, key, wrapped + SEAL_ID_BYTES);
    OPENSSL_cleanse(root, sizeof root);
    if (!good) return RF_FAIL(err, RF_IO, "CryptoFailed", "the cipher does not work");
    RF_TRY(keeper_rewrap_note(vault, "data", wrapped, wrap.generation, err));
    answer->fields[0] = rf_str_make(wrapped, KEEPER_DATA_KEY_BYTES);
    answer->fields[1] = rf_str_make(key, SEAL_KEY_BYTES);
    return tell(vault, "data.key_made", label, wrapped, line, NULL, err);
}

static void floor_of(rf_str wrapped, uint8_t out[32])
{
    keeper_floor_id("data", wrapped.ptr, NULL, out);
}

enum rf_kind keeper_data_unwrap(struct keeper_vault *vault, rf_str wrapped,
                                uint8_t key[SEAL_KEY_BYTES], struct rf_err *err)
{
    uint8_t root[SEAL_KEY_BYTES], floor[32];
    if (wrapped.len != KEEPER_DATA_KEY_BYTES) return bad("wrapped key", err);
    floor_of(wrapped, floor);
    if (keeper_floor_of(&vault->floors, floor) == FLOOR_GONE)
        return RF_FAIL(err, RF_DENIED, "SealDestroyed", "the key was destroyed");
    rf_str inner = rf_slice(wrapped, SEAL_ID_BYTES, wrapped.len);
    struct seal_wrap wrap = {.step = SEAL_STEP_DATA,
                             .generation = seal_wrapped_generation(inner, SEAL_STEP_DATA),
                             .key = root,
                             .about = rf_slice(wrapped, 0, SEAL_ID_BYTES)};
    bool good = keeper_root_wrap(vault, SEAL_STEP_DATA, wrap.generation, root) &&
                seal_unwrap_key(&wrap, inner, key);
    OPENSSL_cleanse(root, sizeof root);
    if (good) return RF_OK;
    return keeper_rewrap_refuse(vault, wrap.generation,
                                "the key was changed, or is of another installation", err);
}

/* Opening leaves no line: the server has the key of whatever it reads. */
static enum rf_kind open(struct keeper_vault *vault, rf_str wrapped, struct rf_arena *arena,
                         struct keeper_answer *answer, struct rf_err *err)
{
    uint8_t *key = rf_arena_alloc(arena, SEAL_KEY_BYTES);
    if (key == NULL) return rf_fail_memory(err, arena);
    RF_TRY(keeper_data_unwrap(vault, wrapped, key, err));
    answer->fields[0] = rf_str_make(key, SEAL_KEY_BYTES);
    return RF_OK;
}

static enum rf_kind destroy(struct keeper_vault *vault, rf_str wrapped, rf_str label,
                            struct rf_arena *arena, struct keeper_answer *answer, uint64_t *line,
                            struct rf_err *err)
{
    uint8_t floor[32], mac[SHA256_BYTES];
    char hex[2 * SHA256_BYTES + 1];
    if (wrapped.len != KEEPER_DATA_KEY_BYTES) return bad("wrapped key", err);
    if (!is_label(label)) return bad("label", err);
    floor_of(wrapped, floor);
    RF_TRY(keeper_floor_raise(&vault->floors, floor, FLOOR_GONE, err));
    RF_TRY(tell(vault, "data.key_destroyed", label, wrapped.ptr, line, mac, err));
    keeper_hex(mac, sizeof mac, hex);
    answer->fields[0] = rf_arena_printf(arena, "line %llu of the keeper's audit log, mac %s",
                                        (unsigned long long)*line, hex);
    return answer->fields[0].ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind keeper_data_handle(struct keeper_vault *vault, const struct keeper_request *request,
                                struct rf_arena *arena, struct keeper_answer *answer,
                                uint64_t *line, struct rf_err *err)
{
    *line = 0;
    const rf_str *fields = request->fields;
    if (request->verb == KEEPER_DATA_KEY_NEW)
        return make(vault, fields[0], arena, answer, line, err);
    if (request->verb == KEEPER_DATA_KEY_OPEN) return open(vault, fields[0], arena, answer, err);
    return destroy(vault, fields[0], fields[1], arena, answer, line, err);
}
