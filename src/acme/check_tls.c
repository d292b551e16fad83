/* check_tls.c - tls-alpn-01 (RFC 8737): a server of the name, on port 443, that speaks "acme-tls/1" shows a certificate of its own making which holds the hash of the
 * key authorization. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "acme/acme_int.h"
#include "crypt/digest.h"
#include "net/dial.h"

enum { SECONDS = 10 };

static const unsigned char protocol[] = "\x0a"
                                        "acme-tls/1";

/* ---- the certificate ---------------------------------------------------------------------------------------------------------------- */

static bool has_only_name(X509 *cert, rf_str name)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    bool good = sk_GENERAL_NAME_num(names) == 1;
    if (good) {
        const GENERAL_NAME *only = sk_GENERAL_NAME_value(names, 0);
        good = only->type == GEN_DNS &&
               rf_str_eq_nocase(rf_str_make(ASN1_STRING_get0_data(only->d.dNSName),
                                            (size_t)ASN1_STRING_length(only->d.dNSName)),
                                name);
    }
    GENERAL_NAMES_free(names);
    return good;
}

/* id-pe-acmeIdentifier: critical, an OCTET STRING of the hash. */
static bool has_proof(X509 *cert, const uint8_t hash[SHA256_BYTES])
{
    ASN1_OBJECT *id = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
    int at = id == NULL ? -1 : X509_get_ext_by_OBJ(cert, id, -1);
    ASN1_OBJECT_free(id);
    if (at < 0) return false;
    X509_EXTENSION *extension = X509_get_ext(cert, at);
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(extension);
    rf_str bytes = rf_str_make(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    return X509_EXTENSION_get_critical(extension) && bytes.len == 2 + SHA256_BYTES &&
           bytes.ptr[0] == V_ASN1_OCTET_STRING && bytes.ptr[1] == SHA256_BYTES &&
           secret_equal(rf_slice(bytes, 2, bytes.len), rf_str_make(hash, SHA256_BYTES));
}

static enum rf_kind judge(const struct acme_check *check, SSL *ssl, struct rf_err *err)
{
    const unsigned char *chosen;
    unsigned len;
    uint8_t hash[SHA256_BYTES];
    digest_sha256(check->key_authorization, hash);
    SSL_get0_alpn_selected(ssl, &chosen, &len);
    if (len != sizeof protocol - 2 || memcmp(chosen, protocol + 1, len) != 0)
        return RF_FAIL(err, RF_DENIED, "unauthorized", "%.*s does not speak acme-tls/1",
                       RF_FMT(check->name));
    X509 *cert = SSL_get0_peer_certificate(ssl);
    if (cert == NULL || !has_only_name(cert, check->name))
        return RF_FAIL(err, RF_DENIED, "unauthorized",
                       "the certificate that %.*s shows has not this one name",
                       RF_FMT(check->name));
    if (!has_proof(cert, hash))
        return RF_FAIL(err, RF_DENIED, "incorrectResponse",
                       "the certificate that %.*s shows holds another acmeIdentifier, or none that "
                       "is critical",
                       RF_FMT(check->name));
    return RF_OK;
}

/* ---- the connection ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind shake_hands(const struct acme_check *check, struct dial *dial,
                                struct rf_err *err)
{
    const char *name = rf_arena_cstr(check->arena, check->name);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = context == NULL ? NULL : SSL_new(context);
    bool good = name != NULL && ssl != NULL &&
                SSL_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
                SSL_set_alpn_protos(ssl, protocol, sizeof protocol - 1) == 0 &&
                SSL_set_tlsext_host_name(ssl, name) == 1 && SSL_set_fd(ssl, dial_fd(dial)) == 1;
    enum rf_kind kind;
    if (!good)
        kind = RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a connection");
    else if (SSL_connect(ssl) == 1)
        kind = judge(check, ssl, err);
    else
        kind = RF_FAIL(err, RF_AGAIN, "tls", "%.*s:%u: no handshake for acme-tls/1",
                       RF_FMT(check->name), (unsigned)check->network->tls_port);
    SSL_free(ssl);
    SSL_CTX_free(context);
    ERR_clear_error();
    return kind;
}

enum rf_kind acme_check_tls(const struct acme_check *check, struct rf_err *err)
{
    struct acme_addresses addresses;
    struct rf_err why = {0};
    struct dial *dial = NULL;
    const char *host = rf_arena_cstr(check->arena, check->name);
    enum rf_kind kind = RF_AGAIN;
    if (host == NULL) return rf_fail_memory(err, check->arena);
    RF_TRY(acme_resolve(check->network, check->name, &addresses, err));
    for (uint32_t i = 0; kind != RF_OK && i < addresses.count; i++) {
        struct dial_options options = {.host = host,
                                       .port = check->network->tls_port,
                                       .timeout_usec = SECONDS * RF_USEC_PER_SECOND,
                                       .address = addresses.text[i]};
        kind = dial_open(&options, &dial, &why);
    }
    if (kind != RF_OK) return RF_FAIL(err, RF_AGAIN, "connection", "%s", why.text);
    kind = shake_hands(check, dial, err);
    dial_close(dial);
    return kind;
}
