/* seal_key.c - the table of algorithms, and a key's tools. */
#include "crypt/seal_key.h"

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "crypt/seal_key_int.h"
#include "crypt/secret.h"

/* A thread that signs needs one; a key used by many threads for several algorithms makes some anew. Their memory is the keeper's secret heap,
 * which all keys share. */
enum { IDLE_MAX = 4, VALUE_BYTES_MAX = 1 << 20 };

/* ---- errors --------------------------------------------------------------------------------------------------------- */

enum rf_kind seal_undecryptable(struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "SealInput",
                   "the value cannot be decrypted: it was not made with this key and algorithm, or "
                   "was changed since");
}

enum rf_kind seal_crypto_failed(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_IO, "CryptoFailed", "cannot %s", what);
}

void seal_begin(void)
{
    ERR_clear_error();
    (void)secret_heap_refused();
}

bool seal_lacks_memory(void)
{
    bool lacks = secret_heap_refused();
    for (unsigned long error; (error = ERR_get_error()) != 0;)
        lacks |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    return lacks;
}

/* ---- algorithms (contracts/keyvault.md, 5.2) ---------------------------------------------------------------------------- */

enum {
    CRYPT = SEAL_OP_ENCRYPT | SEAL_OP_DECRYPT,
    WRAP = SEAL_OP_WRAP | SEAL_OP_UNWRAP,
    SIGN = SEAL_OP_SIGN | SEAL_OP_VERIFY,
    FORWARD = SEAL_OP_ENCRYPT | SEAL_OP_WRAP | SEAL_OP_SIGN
};

/* clang-format off */
static const struct seal_algorithm algorithms[] = {
    {"RSA1_5", SEAL_RSA, 0, CRYPT | WRAP, NULL, 0, seal_prepare_rsa15, seal_run_rsa15},
    {"RSA-OAEP", SEAL_RSA, 0, CRYPT | WRAP, "SHA1", 20, seal_prepare_oaep, seal_run_oaep},
    {"RSA-OAEP-256", SEAL_RSA, 0, CRYPT | WRAP, "SHA256", 32, seal_prepare_oaep, seal_run_oaep},
    {"RS256", SEAL_RSA, 0, SIGN, "SHA256", 32, seal_prepare_pkcs1_sign, seal_run_rsa_sign},
    {"RS384", SEAL_RSA, 0, SIGN, "SHA384", 48, seal_prepare_pkcs1_sign, seal_run_rsa_sign},
    {"RS512", SEAL_RSA, 0, SIGN, "SHA512", 64, seal_prepare_pkcs1_sign, seal_run_rsa_sign},
    {"PS256", SEAL_RSA, 0, SIGN, "SHA256", 32, seal_prepare_pss, seal_run_rsa_sign},
    {"PS384", SEAL_RSA, 0, SIGN, "SHA384", 48, seal_prepare_pss, seal_run_rsa_sign},
    {"PS512", SEAL_RSA, 0, SIGN, "SHA512", 64, seal_prepare_pss, seal_run_rsa_sign},
    {"RSNULL", SEAL_RSA, 0, SIGN, NULL, 0, seal_prepare_pkcs1_sign, seal_run_rsa_sign},
    {"ES256", SEAL_P256, 0, SIGN, NULL, 32, seal_prepare_ec, seal_run_ec},
    {"ES384", SEAL_P384, 0, SIGN, NULL, 48, seal_prepare_ec, seal_run_ec},
    {"ES512", SEAL_P521, 0, SIGN, NULL, 64, seal_prepare_ec, seal_run_ec},
    {"ES256K", SEAL_P256K, 0, SIGN, NULL, 32, seal_prepare_ec, seal_run_ec},
    {"A128GCM", SEAL_OCT, 128, CRYPT, "GCM", 0, seal_prepare_aes, seal_run_gcm},
    {"A192GCM", SEAL_OCT, 192, CRYPT, "GCM", 0, seal_prepare_aes, seal_run_gcm},
    {"A256GCM", SEAL_OCT, 256, CRYPT, "GCM", 0, seal_prepare_aes, seal_run_gcm},
    {"A128CBC", SEAL_OCT, 128, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbc},
    {"A192CBC", SEAL_OCT, 192, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbc},
    {"A256CBC", SEAL_OCT, 256, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbc},
    {"A128CBCPAD", SEAL_OCT, 128, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbcpad},
    {"A192CBCPAD", SEAL_OCT, 192, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbcpad},
    {"A256CBCPAD", SEAL_OCT, 256, CRYPT, "CBC", 0, seal_prepare_aes, seal_run_cbcpad},
    {"A128KW", SEAL_OCT, 128, CRYPT | WRAP, "WRAP", 0, seal_prepare_aes, seal_run_kw},
    {"A192KW", SEAL_OCT, 192, CRYPT | WRAP, "WRAP", 0, seal_prepare_aes, seal_run_kw},
    {"A256KW", SEAL_OCT, 256, CRYPT | WRAP, "WRAP", 0, seal_prepare_aes, seal_run_kw},
    {"CKM_AES_KEY_WRAP", SEAL_OCT, 0, WRAP, "WRAP", 0, seal_prepare_aes, seal_run_kw},
    {"CKM_AES_KEY_WRAP_PAD", SEAL_OCT, 0, WRAP, "WRAP-PAD", 0, seal_prepare_aes, seal_run_kwp},
    {"HS256", SEAL_OCT, 0, SIGN, "SHA256", 32, seal_prepare_hmac, seal_run_hmac},
    {"HS384", SEAL_OCT, 0, SIGN, "SHA384", 48, seal_prepare_hmac, seal_run_hmac},
    {"HS512", SEAL_OCT, 0, SIGN, "SHA512", 64, seal_prepare_hmac, seal_run_hmac},
};
/* clang-format on */

static const char *material_name(enum seal_material material)
{
    static const char *const names[] = {
        [SEAL_VALUE] = "secret", [SEAL_RSA] = "RSA",    [SEAL_P256] = "P-256",
        [SEAL_P384] = "P-384",   [SEAL_P521] = "P-521", [SEAL_P256K] = "P-256K",
        [SEAL_OCT] = "oct"};
    return names[material];
}

/* Outside text is shown only as far as it can be a name. */
static rf_str shown(rf_str name)
{
    enum { SHOWN_BYTES_MAX = 32 };
    size_t len = 0;
    while (len < name.len && len < SHOWN_BYTES_MAX &&
           (rf_is_alnum(name.ptr[len]) || name.ptr[len] == '-' || name.ptr[len] == '_'))
        len++;
    return rf_slice(name, 0, len);
}

static enum rf_kind find_algorithm(const struct seal_key *key, const struct seal_use *use,
                                   const struct seal_algorithm **out, struct rf_err *err)
{
    const struct seal_algorithm *found = NULL;
    for (size_t i = 0; i < RF_COUNT(algorithms) && found == NULL; i++)
        if (rf_str_is(use->algorithm, algorithms[i].name)) found = &algorithms[i];
    if (found == NULL)
        return RF_FAIL(err, RF_INVALID, "SealAlgorithm",
                       "the algorithm '%.*s' is not known; names such as RS256, RSA-OAEP-256, "
                       "ES256, A256GCM are",
                       RF_FMT(shown(use->algorithm)));
    if (found->material != key->material)
        return RF_FAIL(err, RF_INVALID, "SealAlgorithm", "%s needs a key of type %s, not %s",
                       found->name, material_name(found->material), material_name(key->material));
    if (found->bits != 0 && found->bits != key->bits)
        return RF_FAIL(err, RF_INVALID, "SealAlgorithm", "%s needs a key of %u bits, not %u",
                       found->name, found->bits, key->bits);
    if (use->op == 0 || (found->ops & use->op) != use->op)
        return RF_FAIL(err, RF_INVALID, "SealAlgorithm",
                       "%s is not an algorithm for this operation", found->name);
    *out = found;
    return RF_OK;
}

/* ---- tools ---------------------------------------------------------------------------------------------------------------- */

static void tool_free(struct seal_tool *tool)
{
    if (tool == NULL) return;
    EVP_PKEY_CTX_free(tool->pkey);
    EVP_CIPHER_CTX_free(tool->cipher);
    EVP_MAC_CTX_free(tool->mac);
    OPENSSL_free(tool);
}

static struct seal_tool *tool_take(struct seal_key *key, const struct seal_algorithm *algorithm,
                                   bool forward)
{
    struct seal_tool **at = &key->idle, *tool;
    pthread_mutex_lock(&key->lock);
    while (*at != NULL && ((*at)->algorithm != algorithm || (*at)->forward != forward))
        at = &(*at)->next;
    tool = *at;
    if (tool != NULL) *at = tool->next;
    pthread_mutex_unlock(&key->lock);
    if (tool != NULL) return tool;
    tool = OPENSSL_zalloc(sizeof *tool);
    if (tool == NULL) return NULL;
    tool->algorithm = algorithm;
    tool->forward = forward;
    if (algorithm->prepare(key, tool)) return tool;
    tool_free(tool);
    return NULL;
}

static void tool_give(struct seal_key *key, struct seal_tool *tool)
{
    struct seal_tool *over = NULL;
    pthread_mutex_lock(&key->lock);
    tool->next = key->idle;
    key->idle = tool;
    struct seal_tool **at = &key->idle;
    for (unsigned count = 0; *at != NULL && count < IDLE_MAX; count++) at = &(*at)->next;
    over = *at;
    *at = NULL;
    pthread_mutex_unlock(&key->lock);
    tool_free(over);
}

void seal_key_free(struct seal_key *key)
{
    if (key == NULL) return;
    while (key->idle != NULL) {
        struct seal_tool *tool = key->idle;
        key->idle = tool->next;
        tool_free(tool);
    }
    EVP_PKEY_free(key->pkey);
    OPENSSL_clear_free(key->oct, key->bytes);
    pthread_mutex_destroy(&key->lock);
    OPENSSL_clear_free(key, sizeof *key);
}

/* ---- one operation ----------------------------------------------------------------------------------------------------------- */

enum rf_kind seal_key_apply(struct seal_key *key, const struct seal_use *use,
                            struct rf_arena *arena, struct seal_used *out, struct rf_err *err)
{
    const struct seal_algorithm *algorithm = NULL;
    struct seal_used used = {0};
    RF_TRY(find_algorithm(key, use, &algorithm, err));
    if (use->value.len > VALUE_BYTES_MAX || use->aad.len > VALUE_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "SealInput", "a value has at most %d bytes",
                       VALUE_BYTES_MAX);
    struct seal_tool *tool = tool_take(key, algorithm, (use->op & FORWARD) != 0);
    if (tool == NULL) return seal_crypto_failed("prepare a key", err);
    struct seal_job job = {key, algorithm, tool, use, arena};
    seal_begin();
    enum rf_kind kind = algorithm->run(&job, &used, err);
    ERR_clear_error();
    /* A tool that OpenSSL let down may be in any state. */
    if (kind == RF_IO)
        tool_free(tool);
    else
        tool_give(key, tool);
    if (kind == RF_OK) *out = used;
    return kind;
}
