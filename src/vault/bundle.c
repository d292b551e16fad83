/* bundle.c - a PFX without a password as PEM. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/encode.h"
#include "vault/store_int.h"

static bool write_pem(PKCS12 *pfx, BIO *out)
{
    EVP_PKEY *key = NULL;
    X509 *leaf = NULL;
    STACK_OF(X509) *chain = NULL;
    bool good = PKCS12_parse(pfx, "", &key, &leaf, &chain) == 1;
    if (good && key != NULL)
        good = PEM_write_bio_PKCS8PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    if (good && leaf != NULL) good = PEM_write_bio_X509(out, leaf) == 1;
    for (int i = 0; good && i < sk_X509_num(chain); i++)
        good = PEM_write_bio_X509(out, sk_X509_value(chain, i)) == 1;
    EVP_PKEY_free(key);
    X509_free(leaf);
    sk_X509_pop_free(chain, X509_free);
    return good;
}

enum rf_kind vault_convert_bundle(rf_str pfx, struct rf_arena *arena, rf_str *out,
                                  struct rf_err *err)
{
    rf_str der;
    char *text = NULL;
    if (base64_decode(arena, pfx, &der, NULL) != RF_OK || der.len > INT32_MAX)
        return RF_FAIL(err, RF_INVALID, "BadBundle", "the PFX is not in base64");
    const uint8_t *at = der.ptr;
    PKCS12 *parsed = d2i_PKCS12(NULL, &at, (long)der.len);
    BIO *pem = BIO_new(BIO_s_secmem());
    bool good = parsed != NULL && pem != NULL && write_pem(parsed, pem);
    long len = good ? BIO_get_mem_data(pem, &text) : 0;
    bool copied = len > 0 && rf_arena_str(arena, rf_str_make(text, (size_t)RF_MAX(len, 0)), out);
    vault_wipe(der);
    BIO_free(pem);
    PKCS12_free(parsed);
    ERR_clear_error();
    if (copied) return RF_OK;
    if (len > 0) return rf_fail_memory(err, arena);
    return RF_FAIL(err, RF_INVALID, "BadBundle", "the value is no PFX with an empty password");
}
