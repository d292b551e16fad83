/* totp.c - authenticator codes (RFC 4226, RFC 6238). */
#include <stdio.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "people/factor_int.h"

enum {
    NONCE_BYTES = 12,
    TAG_BYTES = 16,
    SECRET_BYTES_MAX = 80,
    SECRET_CHARS_MIN = 16,
    CODE_DIGITS = 6
};
static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/* ---- base32 (RFC 4648) ------------------------------------------------------------------------------------------------ */

rf_str totp_base32(struct rf_arena *arena, rf_str bytes)
{
    struct rf_buf out = rf_buf_in(arena);
    uint32_t bits = 0, held = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        held = held << 8 | bytes.ptr[i];
        for (bits += 8; bits >= 5; bits -= 5)
            rf_buf_byte(&out, (uint8_t)alphabet[held >> (bits - 5) & 31]);
    }
    if (bits > 0) rf_buf_byte(&out, (uint8_t)alphabet[held << (5 - bits) & 31]);
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

static int value_of(uint8_t c)
{
    c = rf_upper(c);
    if (c >= 'A' && c <= 'Z') return c - 'A';
    return c >= '2' && c <= '7' ? c - '2' + 26 : -1;
}

/* Blanks and the padding are passed over. False: something else, or too long. */
static bool read_base32(rf_str text, uint8_t out[SECRET_BYTES_MAX], size_t *len)
{
    uint32_t bits = 0, held = 0;
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        int value = value_of(text.ptr[i]);
        if (text.ptr[i] == ' ' || text.ptr[i] == '=') continue;
        if (value < 0) return false;
        held = (held << 5 | (uint32_t)value) & 0xffff;
        bits += 5;
        if (bits < 8) continue;
        if (*len == SECRET_BYTES_MAX) return false;
        bits -= 8;
        out[(*len)++] = (uint8_t)(held >> bits);
    }
    return *len > 0;
}

/* ---- codes ------------------------------------------------------------------------------------------------------------- */

static void code_of(const uint8_t *secret, size_t len, uint64_t step, char out[CODE_DIGITS + 1])
{
    uint8_t counter[8], mac[EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    for (int i = 0; i < 8; i++) counter[i] = (uint8_t)(step >> (8 * (7 - i)));
    (void)HMAC(EVP_sha1(), secret, (int)len, counter, sizeof counter, mac, &mac_len);
    unsigned at = mac[19] & 15;
    uint32_t number = (uint32_t)(mac[at] & 0x7f) << 24 | (uint32_t)mac[at + 1] << 16 |
                      (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    (void)snprintf(out, CODE_DIGITS + 1, "%06u", number % 1000000);
    OPENSSL_cleanse(mac, sizeof mac);
}

/* The digits of what was typed, without blanks; false: no code. */
static bool digits_of(rf_str typed, char out[CODE_DIGITS])
{
    size_t n = 0;
    for (size_t i = 0; i < typed.len; i++) {
        if (typed.ptr[i] == ' ') continue;
        if (!rf_is_digit(typed.ptr[i]) || n == CODE_DIGITS) return false;
        out[n++] = (char)typed.ptr[i];
    }
    return n == CODE_DIGITS;
}

/* All three steps are looked at, whichever fits. */
static bool find_step(const uint8_t *secret, size_t len, rf_str typed, rf_usec now, uint64_t *step)
{
    char digits[CODE_DIGITS], code[CODE_DIGITS + 1];
    uint64_t middle = (uint64_t)(now / RF_USEC_PER_SECOND / TOTP_STEP_SECONDS);
    bool found = false;
    if (!digits_of(typed, digits)) return false;
    for (uint64_t at = middle - 1; at <= middle + 1; at++) {
        code_of(secret, len, at, code);
        if (CRYPTO_memcmp(code, digits, CODE_DIGITS) != 0) continue;
        *step = at;
        found = true;
    }
    return found;
}

bool totp_proves(rf_str secret, rf_str code, rf_usec now, uint64_t *step)
{
    uint8_t raw[SECRET_BYTES_MAX];
    size_t len;
    bool fits = read_base32(secret, raw, &len) && find_step(raw, len, code, now, step);
    OPENSSL_cleanse(raw, sizeof raw);
    return fits;
}

/* ---- the secret at rest -------------------------------------------------------------------------------------------------- */

static enum rf_kind seal_key(struct keeper *keeper, rf_str user, struct rf_arena *arena,
                             uint8_t key[KEEPER_MAC_BYTES], struct rf_err *err)
{
    uint8_t *low = rf_arena_raw(arena, uint8_t, user.len + 1);
    if (low == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < user.len; i++) low[i] = rf_lower(user.ptr[i]);
    return keeper_mac(keeper, "factor", rf_str_make(low, user.len), key, err);
}

/* nonce, ciphertext, tag; `out` has room for the three. */
static bool encrypt(const uint8_t *key, const uint8_t *secret, size_t len, rf_str about,
                    uint8_t *out)
{
    int n;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    random_bytes(out, NONCE_BYTES);
    bool good =
        ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, out) == 1 &&
        EVP_EncryptUpdate(ctx, NULL, &n, about.ptr, (int)about.len) == 1 &&
        EVP_EncryptUpdate(ctx, out + NONCE_BYTES, &n, secret, (int)len) == 1 &&
        EVP_EncryptFinal_ex(ctx, out + NONCE_BYTES + len, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + NONCE_BYTES + len) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

static bool decrypt(const uint8_t *key, rf_str sealed, rf_str about, uint8_t out[SECRET_BYTES_MAX],
                    size_t *len)
{
    int n;
    if (sealed.len < NONCE_BYTES + TAG_BYTES + 1 ||
        sealed.len > NONCE_BYTES + TAG_BYTES + SECRET_BYTES_MAX)
        return false;
    *len = sealed.len - NONCE_BYTES - TAG_BYTES;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool good = ctx != NULL &&
                EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed.ptr) == 1 &&
                EVP_DecryptUpdate(ctx, NULL, &n, about.ptr, (int)about.len) == 1 &&
                EVP_DecryptUpdate(ctx, out, &n, sealed.ptr + NONCE_BYTES, (int)*len) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG_BYTES,
                                    (void *)(uintptr_t)(sealed.ptr + NONCE_BYTES + *len)) == 1 &&
                EVP_DecryptFinal_ex(ctx, out + *len, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- methods --------------------------------------------------------------------------------------------------------------- */

enum rf_kind totp_make(struct keeper *keeper, struct state_txn *txn, rf_str user,
                       rf_str display_name, rf_str secret, rf_usec now, struct rf_arena *arena,
                       rf_str *id, rf_str *out_secret, struct rf_err *err)
{
    uint8_t raw[SECRET_BYTES_MAX], key[KEEPER_MAC_BYTES],
        sealed[NONCE_BYTES + SECRET_BYTES_MAX + TAG_BYTES];
    size_t len = TOTP_SECRET_BYTES;
    if (secret.len == 0) {
        random_bytes(raw, len);
    } else if (secret.len < SECRET_CHARS_MIN || !read_base32(secret, raw, &len)) {
        return RF_FAIL(err, RF_INVALID, "BadSecret",
                       "The secret must be 16 to 128 characters of base32 (A to Z, 2 to 7).");
    }
    struct json_node *body = factor_new(arena, display_name, now, id);
    if (body == NULL) return rf_fail_memory(err, arena);
    RF_TRY(seal_key(keeper, user, arena, key, err));
    bool good = encrypt(key, raw, len, *id, sealed);
    rf_str text = totp_base32(arena, rf_str_make(raw, len));
    OPENSSL_cleanse(raw, sizeof raw);
    OPENSSL_cleanse(key, sizeof key);
    if (!good) return RF_FAIL(err, RF_IO, "CryptoFailed", "the secret cannot be sealed");
    json_set_text(arena, body, "~secret",
                  base64url_encode(arena, rf_str_make(sealed, NONCE_BYTES + len + TAG_BYTES)));
    if (text.ptr == NULL || json_set_i64(arena, body, "~step", 0) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(factor_put(txn, user, "totp", body, arena, err));
    *out_secret = text;
    return RF_OK;
}

static bool is_unreserved(uint8_t c) { return rf_is_alnum(c) || strchr("-._~", c) != NULL; }

rf_str totp_uri(struct rf_arena *arena, rf_str user_name, rf_str secret)
{
    struct rf_buf out = rf_buf_in(arena);
    rf_buf_str(&out, RF_S("otpauth://totp/Ringfort:"));
    for (size_t i = 0; i < user_name.len; i++) {
        uint8_t c = user_name.ptr[i];
        if (is_unreserved(c) || c == '@')
            rf_buf_byte(&out, c);
        else
            rf_buf_printf(&out, "%%%02X", c);
    }
    rf_buf_printf(&out, "?secret=%.*s&issuer=Ringfort&digits=6&period=30", RF_FMT(secret));
    return out.failed ? (rf_str){0} : rf_buf_view(&out);
}

/* One method: fits only with a step behind the last one that was taken. */
static enum rf_kind take_of(struct state_txn *txn, rf_str user, struct factor *method,
                            const uint8_t *key, rf_str code, rf_usec now, struct rf_arena *arena,
                            bool *fits, struct rf_err *err)
{
    uint8_t raw[SECRET_BYTES_MAX];
    size_t len;
    uint64_t step = 0;
    int64_t last = 0;
    rf_str sealed;
    RF_TRY(base64url_decode(arena, json_text_at(method->body, "~secret"), &sealed, err));
    if (!decrypt(key, sealed, method->id, raw, &len))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "an authenticator's secret does not open");
    bool good = find_step(raw, len, code, now, &step);
    OPENSSL_cleanse(raw, sizeof raw);
    (void)json_i64_at(method->body, "~step", &last);
    *fits = good && step > (uint64_t)last;
    if (!*fits) return RF_OK;
    if (json_set_i64(arena, method->body, "~step", (int64_t)step) == NULL)
        return rf_fail_memory(err, arena);
    return factor_put(txn, user, "totp", method->body, arena, err);
}

enum rf_kind totp_take(struct keeper *keeper, struct state_txn *txn, rf_str user, rf_str code,
                       rf_usec now, struct rf_arena *arena, bool *fits, struct rf_err *err)
{
    struct factor_list list;
    uint8_t key[KEEPER_MAC_BYTES];
    *fits = false;
    RF_TRY(factors_of_kind(txn, user, "totp", arena, &list, err));
    if (list.count == 0) return RF_OK;
    RF_TRY(seal_key(keeper, user, arena, key, err));
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < list.count && kind == RF_OK && !*fits; i++)
        kind = take_of(txn, user, &list.items[i], key, code, now, arena, fits, err);
    OPENSSL_cleanse(key, sizeof key);
    return kind;
}
