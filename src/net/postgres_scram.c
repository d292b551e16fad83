#include "net/postgres_scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "base/encode.h"

enum { TEXT_BYTES_MAX = 4096, SALT_BYTES_MAX = 1024 };

static enum rf_kind broken(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_CORRUPT, "BadScram", "the server's word in SCRAM is malformed: %s",
                   what);
}

rf_str scram_first(struct scram *scram)
{
    struct rf_arena *arena = scram->arena;
    scram->gs2 = scram->binding.len > 0 ? RF_S("p=tls-server-end-point,,")
                 : scram->could_bind    ? RF_S("y,,")
                                        : RF_S("n,,");
    scram->first_bare =
        rf_arena_printf(arena, "n=%.*s,r=%.*s", RF_FMT(scram->user), RF_FMT(scram->nonce));
    if (scram->first_bare.ptr == NULL) return (rf_str){0};
    return rf_arena_printf(arena, "%.*s%.*s", RF_FMT(scram->gs2), RF_FMT(scram->first_bare));
}

/* "x=value" up to the next comma or the end. */
static bool take(rf_str *rest, char name, rf_str *out)
{
    if (rest->len < 2 || rest->ptr[0] != (uint8_t)name || rest->ptr[1] != '=') return false;
    size_t comma = rf_str_find(*rest, RF_S(","), 0);
    size_t end = comma == SIZE_MAX ? rest->len : comma;
    *out = rf_slice(*rest, 2, end);
    *rest = comma == SIZE_MAX ? (rf_str){0} : rf_slice(*rest, end + 1, rest->len);
    return true;
}

static bool read_rounds(rf_str text, int *out)
{
    int value = 0;
    if (text.len == 0 || text.len > 7 || text.ptr[0] == '0') return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') return false;
        value = value * 10 + (text.ptr[i] - '0');
    }
    *out = value;
    return true;
}

struct challenge {
    rf_str nonce, salt;
    int rounds;
};

static enum rf_kind read_challenge(struct scram *scram, rf_str text, struct challenge *out,
                                   struct rf_err *err)
{
    rf_str salt, rounds;
    if (text.len > TEXT_BYTES_MAX) return broken(err, "too long");
    if (!take(&text, 'r', &out->nonce) || !take(&text, 's', &salt) || !take(&text, 'i', &rounds))
        return broken(err, "nonce, salt or rounds are missing");
    if (!rf_str_starts(out->nonce, scram->nonce) || out->nonce.len == scram->nonce.len)
        return broken(err, "the nonce is not ours");
    if (base64_decode(scram->arena, salt, &out->salt, NULL) != RF_OK || out->salt.len == 0 ||
        out->salt.len > SALT_BYTES_MAX)
        return broken(err, "the salt is none");
    if (!read_rounds(rounds, &out->rounds) || out->rounds < SCRAM_ROUNDS_MIN ||
        out->rounds > SCRAM_ROUNDS_MAX)
        return broken(err, "rounds are fewer than 4096 or more than 1048576 (scram_iterations of "
                           "the server's configuration)");
    return RF_OK;
}

static bool mac(const uint8_t key[SCRAM_HASH_BYTES], rf_str text, uint8_t out[SCRAM_HASH_BYTES])
{
    return HMAC(EVP_sha256(), key, SCRAM_HASH_BYTES, text.ptr, text.len, out, NULL) != NULL;
}

/* Proof and the server's signature of `auth`; false: OpenSSL could not. */
static bool prove(struct scram *scram, const struct challenge *challenge, rf_str auth,
                  uint8_t proof[SCRAM_HASH_BYTES])
{
    uint8_t salted[SCRAM_HASH_BYTES], key[SCRAM_HASH_BYTES], stored[SCRAM_HASH_BYTES];
    const char *password = scram->password.len == 0 ? "" : (const char *)scram->password.ptr;
    bool good = PKCS5_PBKDF2_HMAC(password, (int)scram->password.len, challenge->salt.ptr,
                                  (int)challenge->salt.len, challenge->rounds, EVP_sha256(),
                                  sizeof salted, salted) == 1 &&
                mac(salted, RF_S("Client Key"), key) && SHA256(key, sizeof key, stored) != NULL &&
                mac(stored, auth, proof);
    for (size_t i = 0; good && i < sizeof key; i++) proof[i] ^= key[i];
    good = good && mac(salted, RF_S("Server Key"), key) && mac(key, auth, scram->server_signature);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(key, sizeof key);
    OPENSSL_cleanse(stored, sizeof stored);
    return good;
}

enum rf_kind scram_answer(struct scram *scram, rf_str server_first, rf_str *out, struct rf_err *err)
{
    struct rf_arena *arena = scram->arena;
    struct challenge challenge;
    uint8_t proof[SCRAM_HASH_BYTES];
    RF_TRY(read_challenge(scram, server_first, &challenge, err));
    if (scram->password.len > TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadParameter", "the password is too long");
    struct rf_buf channel = rf_buf_in(arena);
    rf_buf_str(&channel, scram->gs2);
    rf_buf_str(&channel, scram->binding);
    rf_str bound = channel.failed ? (rf_str){0} : base64_encode(arena, rf_buf_view(&channel));
    if (bound.ptr == NULL) return rf_fail_memory(err, arena);
    rf_str last = rf_arena_printf(arena, "c=%.*s,r=%.*s", RF_FMT(bound), RF_FMT(challenge.nonce));
    rf_str auth = rf_arena_printf(arena, "%.*s,%.*s,%.*s", RF_FMT(scram->first_bare),
                                  RF_FMT(server_first), RF_FMT(last));
    if (last.ptr == NULL || auth.ptr == NULL) return rf_fail_memory(err, arena);
    if (!prove(scram, &challenge, auth, proof))
        return RF_FAIL(err, RF_IO, "CryptoFailed", "OpenSSL could not compute SCRAM's proof");
    rf_str shown = base64_encode(arena, rf_str_make(proof, sizeof proof));
    rf_str answer = rf_arena_printf(arena, "%.*s,p=%.*s", RF_FMT(last), RF_FMT(shown));
    OPENSSL_cleanse(proof, sizeof proof);
    if (shown.ptr == NULL || answer.ptr == NULL) return rf_fail_memory(err, arena);
    scram->answered = true;
    *out = answer;
    return RF_OK;
}

enum rf_kind scram_finish(struct scram *scram, rf_str server_last, struct rf_err *err)
{
    rf_str text, signature;
    if (!scram->answered || server_last.len > TEXT_BYTES_MAX || !take(&server_last, 'v', &text) ||
        base64_decode(scram->arena, text, &signature, NULL) != RF_OK)
        return broken(err, "the last one");
    if (signature.len == SCRAM_HASH_BYTES &&
        CRYPTO_memcmp(signature.ptr, scram->server_signature, SCRAM_HASH_BYTES) == 0)
        return RF_OK;
    return RF_FAIL(err, RF_DENIED, "BadScram",
                   "the server does not know the password that it asks for: it is another than it "
                   "claims to be");
}
