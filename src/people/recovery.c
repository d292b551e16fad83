/* recovery.c - codes on paper, and passes that an administrator gives for a while (contract identity, section 11.5). */
#include <openssl/crypto.h>

#include "people/factor_int.h"

enum { CODE_BYTES = 10, PASS_BYTES = 10, MINUTES_MIN = 10, MINUTES_MAX = 480, TEXT_BYTES_MAX = 64 };

/* Upper case without blanks and dashes; what looks like a letter of base32 is taken for it. */
static rf_str bare(struct rf_arena *arena, rf_str text)
{
    uint8_t *out = rf_arena_raw(arena, uint8_t, TEXT_BYTES_MAX);
    size_t len = 0;
    if (out == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len && len < TEXT_BYTES_MAX; i++) {
        uint8_t c = rf_upper(text.ptr[i]);
        if (c == '0') c = 'O';
        if (c == '1') c = 'I';
        if (rf_is_alnum(c)) out[len++] = c;
    }
    return rf_str_make(out, len);
}

static enum rf_kind mac_of(struct keeper *keeper, const char *purpose, rf_str user, rf_str code,
                           struct rf_arena *arena, rf_str *hex, struct rf_err *err)
{
    uint8_t mac[KEEPER_MAC_BYTES];
    rf_str plain = bare(arena, code);
    if (plain.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str input = rf_arena_printf(arena, "%.*s:%.*s", RF_FMT(user), RF_FMT(plain));
    if (input.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(keeper_mac(keeper, purpose, input, mac, err));
    *hex = hex_encode(arena, rf_str_make(mac, sizeof mac));
    return hex->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static bool same(rf_str a, rf_str b)
{
    return a.len == b.len && a.len > 0 && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0;
}

/* "ABCD-EFGH-IJKL-MNOP" */
static rf_str make_text(struct rf_arena *arena, size_t bytes)
{
    uint8_t raw[CODE_BYTES];
    RF_ASSERT(bytes <= sizeof raw);
    random_bytes(raw, bytes);
    rf_str text = totp_base32(arena, rf_str_make(raw, bytes));
    OPENSSL_cleanse(raw, sizeof raw);
    struct rf_buf out = rf_buf_in(arena);
    for (size_t i = 0; i < text.len; i++) {
        if (i > 0 && i % 4 == 0) rf_buf_byte(&out, '-');
        rf_buf_byte(&out, text.ptr[i]);
    }
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

/* ---- recovery codes ------------------------------------------------------------------------------------------------------ */

static enum rf_kind end_all(struct state_txn *txn, rf_str user, const char *kind,
                            struct rf_arena *arena, struct rf_err *err)
{
    struct factor_list list;
    RF_TRY(factors_of_kind(txn, user, kind, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(factor_delete(txn, user, kind, list.items[i].id, arena, err));
    return RF_OK;
}

enum rf_kind recovery_make(struct keeper *keeper, struct state_txn *txn, rf_str user, rf_usec now,
                           struct rf_arena *arena, rf_str codes[RECOVERY_CODES], struct rf_err *err)
{
    rf_str id, mac;
    struct json_node *body = factor_new(arena, RF_S("Recovery codes"), now, &id),
                     *macs = json_new(arena, JSON_T_ARRAY);
    RF_TRY(end_all(txn, user, "recovery", arena, err));
    for (uint32_t i = 0; i < RECOVERY_CODES; i++) {
        codes[i] = make_text(arena, CODE_BYTES);
        if (codes[i].ptr == NULL) return rf_fail_memory(err, arena);
        RF_TRY(mac_of(keeper, "recovery", user, codes[i], arena, &mac, err));
        if (json_append(macs, json_new_text(arena, mac)) == NULL) return rf_fail_memory(err, arena);
    }
    if (body == NULL || json_set(arena, body, RF_S("~macs"), macs) == NULL)
        return rf_fail_memory(err, arena);
    return factor_put(txn, user, "recovery", body, arena, err);
}

enum rf_kind recovery_take(struct keeper *keeper, struct state_txn *txn, rf_str user, rf_str code,
                           struct rf_arena *arena, bool *fits, uint32_t *left, struct rf_err *err)
{
    struct factor_list list;
    rf_str mac;
    *fits = false;
    *left = 0;
    RF_TRY(factors_of_kind(txn, user, "recovery", arena, &list, err));
    if (list.count == 0) return RF_OK;
    RF_TRY(mac_of(keeper, "recovery", user, code, arena, &mac, err));
    struct json_node *body = list.items[0].body, *rest = json_new(arena, JSON_T_ARRAY);
    const struct json_node *macs = json_get(body, "~macs");
    for (const struct json_node *m = json_is(macs, JSON_T_ARRAY) ? macs->first : NULL; m != NULL;
         m = m->next) {
        if (same(m->text, mac))
            *fits = true;
        else if (json_append(rest, json_new_text(arena, m->text)) == NULL)
            return rf_fail_memory(err, arena);
    }
    *left = rest == NULL ? 0 : rest->count;
    if (!*fits) return RF_OK;
    if (json_set(arena, body, RF_S("~macs"), rest) == NULL) return rf_fail_memory(err, arena);
    return factor_put(txn, user, "recovery", body, arena, err);
}

/* ---- temporary access passes ------------------------------------------------------------------------------------------------ */

enum rf_kind pass_make(struct keeper *keeper, struct state_txn *txn, rf_str user, uint32_t minutes,
                       bool once, rf_usec start, struct rf_arena *arena, rf_str *id, rf_str *text,
                       struct rf_err *err)
{
    rf_str mac, code = make_text(arena, PASS_BYTES);
    if (minutes < MINUTES_MIN || minutes > MINUTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadLifetime", "lifetimeInMinutes must be %d to %d.",
                       MINUTES_MIN, MINUTES_MAX);
    struct json_node *body = factor_new(arena, RF_S("Temporary access pass"), start, id);
    if (body == NULL || code.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(end_all(txn, user, "pass", arena, err));
    RF_TRY(mac_of(keeper, "access-pass", user, code, arena, &mac, err));
    json_set_text(arena, body, "~mac", mac);
    json_set_i64(arena, body, "~start", start);
    json_set_text(arena, body, "startDateTime", json_text_at(body, "createdDateTime"));
    json_set_i64(arena, body, "lifetimeInMinutes", minutes);
    if (json_set_bool(arena, body, "isUsableOnce", once) == NULL) return rf_fail_memory(err, arena);
    RF_TRY(factor_put(txn, user, "pass", body, arena, err));
    *text = code;
    return RF_OK;
}

enum rf_kind pass_take(struct keeper *keeper, struct state_txn *txn, rf_str user, rf_str text,
                       rf_usec now, struct rf_arena *arena, bool *fits, struct rf_err *err)
{
    struct factor_list list;
    rf_str mac;
    int64_t start = 0, minutes = 0;
    *fits = false;
    RF_TRY(factors_of_kind(txn, user, "pass", arena, &list, err));
    if (list.count == 0) return RF_OK;
    RF_TRY(mac_of(keeper, "access-pass", user, text, arena, &mac, err));
    const struct json_node *body = list.items[0].body;
    (void)json_i64_at(body, "~start", &start);
    (void)json_i64_at(body, "lifetimeInMinutes", &minutes);
    *fits = same(json_text_at(body, "~mac"), mac) && now >= start &&
            now < start + minutes * 60 * RF_USEC_PER_SECOND;
    if (!*fits || !json_bool_at(body, "isUsableOnce", true)) return RF_OK;
    return factor_delete(txn, user, "pass", list.items[0].id, arena, err);
}
