#include <openssl/crypto.h>

#include "people/grant_int.h"

static const char space[] = "grant.family";
enum { ID_BYTES = 16, RAW_BYTES = ID_BYTES + 4 + KEEPER_MAC_BYTES, SALT_BYTES = 16 };
#define PREFIX "1."
#define SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)

/* ---- the text of a token ---------------------------------------------------------------------------- */

static bool id_bytes(rf_str id, uint8_t out[ID_BYTES])
{
    size_t n = 0;
    uint8_t high = 0;
    for (size_t i = 0; i < id.len; i++) {
        uint8_t c = rf_lower(id.ptr[i]), value;
        if (c == '-') continue;
        value = rf_is_digit(c) ? (uint8_t)(c - '0') : (uint8_t)(c - 'a' + 10);
        if (n == 2 * ID_BYTES || value > 15) return false;
        if (n % 2 == 0)
            high = value;
        else
            out[n / 2] = (uint8_t)(high << 4 | value);
        n++;
    }
    return n == 2 * ID_BYTES;
}

static rf_str id_text(struct rf_arena *arena, const uint8_t bytes[ID_BYTES])
{
    rf_str hex = hex_encode(arena, rf_str_make(bytes, ID_BYTES));
    if (hex.ptr == NULL) return hex;
    const char *h = (const char *)hex.ptr;
    return rf_arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", h, h + 8, h + 12, h + 16, h + 20);
}

/* `head`: id and number. The salt is the family's own: a state that was copied before the family was made gives nothing. */
static enum rf_kind mac_of(struct keeper *keeper, const uint8_t head[ID_BYTES + 4], rf_str salt,
                           struct rf_arena *arena, uint8_t out[KEEPER_MAC_BYTES],
                           struct rf_err *err)
{
    struct rf_buf input = rf_buf_in(arena);
    rf_buf_put(&input, head, ID_BYTES + 4);
    rf_buf_str(&input, salt);
    if (input.failed) return rf_fail_memory(err, arena);
    return keeper_mac(keeper, "refresh", rf_buf_view(&input), out, err);
}

static enum rf_kind token_text(struct keeper *keeper, rf_str id, uint32_t number, rf_str salt,
                               struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    uint8_t raw[RAW_BYTES];
    if (!id_bytes(id, raw))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "a family's id is no GUID");
    rf_put_u32le(raw + ID_BYTES, number);
    RF_TRY(mac_of(keeper, raw, salt, arena, raw + ID_BYTES + 4, err));
    rf_str text = base64url_encode(arena, rf_str_make(raw, sizeof raw));
    explicit_bzero(raw, sizeof raw);
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    *out = rf_arena_printf(arena, PREFIX "%.*s", RF_FMT(text));
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- what is stored ----------------------------------------------------------------------------------- */

static enum rf_kind store(struct state_txn *txn, const struct family *family, rf_str salt,
                          struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *doc = json_new(arena, JSON_T_OBJECT);
    grant_write(arena, doc, &family->grant);
    json_set_text(arena, doc, "salt", salt);
    json_set_i64(arena, doc, "number", family->number);
    json_set_i64(arena, doc, "created", family->created);
    json_set_i64(arena, doc, "used", family->used);
    if (json_set_i64(arena, doc, "rotated", family->rotated) == NULL)
        return rf_fail_memory(err, arena);
    const struct state_index indexes[] = {{"user", family->grant.user}, {"sid", family->grant.sid}};
    return grant_put(txn, space, family->id, doc, indexes, RF_COUNT(indexes), arena, err);
}

static enum rf_kind load(struct state_txn *txn, rf_str id, struct rf_arena *arena,
                         struct family *out, rf_str *salt, struct rf_err *err)
{
    struct json_node *doc;
    RF_TRY(grant_get(txn, space, id, arena, &doc, err));
    *out = (struct family){.grant = grant_read(doc),
                           .id = id,
                           .number = (uint32_t)grant_number(doc, "number"),
                           .created = grant_number(doc, "created"),
                           .used = grant_number(doc, "used"),
                           .rotated = grant_number(doc, "rotated")};
    *salt = json_text_at(doc, "salt");
    return RF_OK;
}

enum rf_kind family_make(struct keeper *keeper, struct state_txn *txn, const struct grant *grant,
                         rf_str id, rf_usec now, struct rf_arena *arena, rf_str *token,
                         struct rf_err *err)
{
    const struct family family = {
        .grant = *grant, .id = id, .number = 1, .created = now, .used = now, .rotated = now};
    rf_str salt = grant_text(arena, SALT_BYTES);
    if (salt.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(store(txn, &family, salt, arena, err));
    return token_text(keeper, id, 1, salt, arena, token, err);
}

static enum rf_kind no_token(struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "70000",
                   "The provided value for the 'refresh_token' parameter is not valid.");
}

static enum rf_kind check_times(const struct family *family, rf_usec now, struct rf_err *err)
{
    if (family->grant.spa && now - family->created > SECONDS(REFRESH_SPA_SECONDS))
        return RF_FAIL(err, RF_DENIED, "700084",
                       "The refresh token was issued to a single page app (SPA), and therefore has "
                       "a fixed, limited lifetime of 1.00:00:00, which cannot be extended. It is "
                       "now expired and a new sign in request must be sent.");
    if (now - family->used > SECONDS(REFRESH_IDLE_SECONDS))
        return RF_FAIL(err, RF_DENIED, "700082",
                       "The refresh token has expired due to inactivity of 90 days.");
    return RF_OK;
}

enum rf_kind family_find(struct keeper *keeper, struct state_txn *txn, rf_str token, rf_usec now,
                         struct rf_arena *arena, struct family *out, struct rf_err *err)
{
    rf_str raw, prefix = RF_S(PREFIX), salt;
    uint8_t mac[KEEPER_MAC_BYTES];
    struct rf_err ignored;
    if (!rf_str_starts(token, prefix) || token.len > 128 ||
        base64url_decode(arena, rf_slice(token, prefix.len, token.len), &raw, &ignored) != RF_OK ||
        raw.len != RAW_BYTES)
        return no_token(err);
    rf_str id = id_text(arena, raw.ptr);
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    enum rf_kind kind = load(txn, id, arena, out, &salt, err);
    if (kind == RF_NOT_FOUND) return no_token(err);
    RF_TRY(kind);
    RF_TRY(mac_of(keeper, raw.ptr, salt, arena, mac, err));
    bool ours = CRYPTO_memcmp(mac, raw.ptr + ID_BYTES + 4, sizeof mac) == 0;
    explicit_bzero(mac, sizeof mac);
    if (!ours) return no_token(err);
    uint32_t number = rf_get_u32le(raw.ptr + ID_BYTES);
    RF_TRY(check_times(out, now, err));
    if (number == out->number) return RF_OK;
    out->reused = number + 1 == out->number && now - out->rotated <= SECONDS(REFRESH_GRACE_SECONDS);
    if (out->reused) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "50173",
                   "The provided grant has been revoked: a refresh token was used that had been "
                   "replaced. Send a new sign-in request.");
}

enum rf_kind family_rotate(struct keeper *keeper, struct state_txn *txn, struct family *family,
                           rf_usec now, struct rf_arena *arena, rf_str *token, struct rf_err *err)
{
    struct family stored;
    rf_str salt;
    RF_TRY(load(txn, family->id, arena, &stored, &salt, err));
    if (!family->reused) {
        family->number++;
        family->used = family->rotated = now;
        RF_TRY(store(txn, family, salt, arena, err));
    }
    return token_text(keeper, family->id, family->number, salt, arena, token, err);
}

uint64_t family_version(struct state *state) { return state_version(state, space); }

enum rf_kind family_is_there(struct state_txn *txn, rf_str id, struct rf_arena *arena, bool *there,
                             struct rf_err *err)
{
    struct family family;
    rf_str salt;
    enum rf_kind kind = load(txn, id, arena, &family, &salt, err);
    *there = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

enum rf_kind family_end(struct state_txn *txn, rf_str id, struct rf_err *err)
{
    enum rf_kind kind = state_delete(txn, space, id, err);
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

static enum rf_kind end_all(struct state_txn *txn, const char *index, rf_str value,
                            struct rf_arena *arena, struct rf_err *err)
{
    const struct state_scan scan = {.space = space, .index = index, .value = value};
    struct state_list list;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(state_delete(txn, space, list.items[i].key, err));
    return RF_OK;
}

enum rf_kind families_end_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                             struct rf_err *err)
{
    return end_all(txn, "user", user, arena, err);
}

enum rf_kind families_end_sid(struct state_txn *txn, rf_str sid, struct rf_arena *arena,
                              struct rf_err *err)
{
    return end_all(txn, "sid", sid, arena, err);
}

enum rf_kind families_of(struct state_txn *txn, rf_str user, struct rf_arena *arena,
                         struct family_list *out, struct rf_err *err)
{
    const struct state_scan scan = {.space = space, .index = "user", .value = user};
    struct state_list list;
    rf_str salt;
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    *out = (struct family_list){.items = rf_arena_new(arena, struct family, list.count)};
    if (out->items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++)
        RF_TRY(load(txn, list.items[i].key, arena, &out->items[out->count++], &salt, err));
    return RF_OK;
}
