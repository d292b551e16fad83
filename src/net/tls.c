/* The way to sign with a key that is elsewhere is EC_KEY_METHOD. OpenSSL 3.0 calls it deprecated in favour of a provider, which would
 * be a module of some hundred lines for the same one call. */
#define OPENSSL_SUPPRESS_DEPRECATED
#define _GNU_SOURCE /* strerrordesc_np */

#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "net/tls_far.h"
#include "net/tls_int.h"

/* Tickets let a client come back without a signature. Whoever had a ticket key could read the TLS 1.2 sessions that it sealed, so
 * keys live in memory only and not for long; the one before still opens. */
struct ticket_key {
    uint8_t name[16], cipher[32], mac[32];
    bool is_set;
};
#define TICKET_KEY_USEC_MAX (INT64_C(3600) * RF_USEC_PER_SECOND)

struct tls_context {
    SSL_CTX *ssl;
    EC_KEY_METHOD *method;
    tls_sign *sign;
    void *sign_ctx;
    tls_sign_message *sign_message;
    struct tls_challenges challenges;
    enum tls_client_proof client;
    X509_STORE *client_trust; /* shared by the contexts of all renewals; NULL: nobody is trusted */
    X509_STORE *client_hint;  /* the same; NULL: no names are told */
    pthread_mutex_t lock;     /* of `ssl`, which may be renewed, and of the ticket keys */
    struct ticket_key now, before;
    rf_usec made; /* elapsed time at which `now` was made */
};

static const char *last_reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code == 0 ? NULL : ERR_reason_error_string(code);
    return text == NULL ? "no reason was given" : text;
}

/* ---- signing elsewhere ------------------------------------------------------------------------- */

/* OpenSSL gives the room that EVP_PKEY_size promised: 72 bytes for P-256. */
enum { SIGNATURE_BYTES_MAX = 72, LEAF_BYTES = 32 };

/* What a key knows of itself; freed with it. */
struct far_key {
    struct tls_context *context;
    unsigned char leaf[LEAF_BYTES]; /* SHA-256 of its certificate */
};
static int far_slot = -1;

static void far_free(void *parent, void *data, CRYPTO_EX_DATA *all, int slot, long argl, void *argp)
{
    (void)parent, (void)all, (void)slot, (void)argl, (void)argp;
    free(data);
}

static void take_far_slot(void)
{
    far_slot = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, far_free);
}

static int sign_elsewhere(int type, const unsigned char *digest, int digest_bytes,
                          unsigned char *out, unsigned int *out_bytes, const BIGNUM *kinv,
                          const BIGNUM *r, EC_KEY *key)
{
    (void)type, (void)kinv, (void)r;
    const struct far_key *far = EC_KEY_get_ex_data(key, far_slot);
    struct rf_err err;
    size_t len = 0;
    if (far == NULL || digest_bytes < 0) return 0;
    enum rf_kind kind = far->context->sign(far->context->sign_ctx, far->leaf,
                                           rf_str_make(digest, (size_t)digest_bytes), out,
                                           SIGNATURE_BYTES_MAX, &len, &err);
    if (kind != RF_OK || len > SIGNATURE_BYTES_MAX) return 0;
    *out_bytes = (unsigned int)len;
    return 1;
}

/* A key of which only the public half is here. */
static EVP_PKEY *key_elsewhere(struct tls_context *context, X509 *leaf)
{
    EVP_PKEY *public_key = X509_get0_pubkey(leaf);
    const EC_KEY *public_ec = public_key == NULL ? NULL : EVP_PKEY_get0_EC_KEY(public_key);
    if (public_ec == NULL) return NULL;
    if (EC_GROUP_get_curve_name(EC_KEY_get0_group(public_ec)) != NID_X9_62_prime256v1) return NULL;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, take_far_slot);
    EC_KEY *ec = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
    EVP_PKEY *key = EVP_PKEY_new();
    struct far_key *far = calloc(1, sizeof *far);
    bool good = ec != NULL && key != NULL && far != NULL && far_slot >= 0;
    if (good) {
        far->context = context;
        good = X509_digest(leaf, EVP_sha256(), far->leaf, NULL) == 1 &&
               EC_KEY_set_ex_data(ec, far_slot, far) == 1;
    }
    if (!good) free(far); /* else it is the key's */
    good = good && EC_KEY_set_public_key(ec, EC_KEY_get0_public_key(public_ec)) == 1 &&
           EC_KEY_set_method(ec, context->method) == 1 && EVP_PKEY_set1_EC_KEY(key, ec) == 1;
    EC_KEY_free(ec);
    if (good) return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* With the key at hand, or signed with through the context's callback. */
static enum rf_kind use_leaf(struct tls_context *context, SSL_CTX *ssl, X509 *leaf, EVP_PKEY *own,
                             struct rf_err *err)
{
    EVP_PKEY *key = own == NULL ? key_elsewhere(context, leaf) : own;
    if (key == NULL)
        return RF_FAIL(err, RF_INVALID, "BadCertificate",
                       "the server's certificate must be for a P-256 key");
    bool good = SSL_CTX_use_certificate(ssl, leaf) == 1 && SSL_CTX_use_PrivateKey(ssl, key) == 1;
    if (own == NULL) EVP_PKEY_free(key);
    if (good) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadCertificate", "the certificate: %s", last_reason());
}

static enum rf_kind use_chain(struct tls_context *context, SSL_CTX *ssl, rf_str pem, EVP_PKEY *own,
                              struct rf_err *err)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    if (bio == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the chain");
    enum rf_kind kind = RF_OK;
    bool first = true;
    for (X509 *cert; kind == RF_OK && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL;) {
        if (first)
            kind = use_leaf(context, ssl, cert, own, err);
        else if (SSL_CTX_add1_chain_cert(ssl, cert) != 1)
            kind = RF_FAIL(err, RF_INVALID, "BadCertificate", "the chain: %s", last_reason());
        X509_free(cert);
        first = false;
    }
    BIO_free(bio);
    ERR_clear_error(); /* the end of the text is an error to OpenSSL */
    if (kind == RF_OK && first)
        kind = RF_FAIL(err, RF_INVALID, "BadCertificate", "the chain has no certificate");
    return kind;
}

/* ---- tickets ----------------------------------------------------------------------------------- */

static bool make_ticket_key(struct ticket_key *key)
{
    key->is_set = RAND_bytes(key->name, sizeof key->name) == 1 &&
                  RAND_priv_bytes(key->cipher, sizeof key->cipher) == 1 &&
                  RAND_priv_bytes(key->mac, sizeof key->mac) == 1;
    return key->is_set;
}

/* The key to seal with, a new one when its time has passed. */
static bool sealing_key(struct tls_context *context, struct ticket_key *out)
{
    rf_usec now = rf_clock_elapsed(rf_clock_real());
    pthread_mutex_lock(&context->lock);
    if (!context->now.is_set || now - context->made > TICKET_KEY_USEC_MAX) {
        context->before = context->now;
        context->made = now;
        (void)make_ticket_key(&context->now);
    }
    *out = context->now;
    pthread_mutex_unlock(&context->lock);
    return out->is_set;
}

static bool opening_key(struct tls_context *context, const uint8_t name[16], struct ticket_key *out)
{
    rf_usec now = rf_clock_elapsed(rf_clock_real());
    bool found = false;
    pthread_mutex_lock(&context->lock);
    bool stale = now - context->made > TICKET_KEY_USEC_MAX;
    const struct ticket_key *keys[] = {&context->now, &context->before};
    /* Nobody seals for a while: `now` has grown old and `before` is past its time. */
    for (size_t i = 0; i < (stale ? 1 : RF_COUNT(keys)) && !found; i++) {
        found = keys[i]->is_set && memcmp(keys[i]->name, name, sizeof keys[i]->name) == 0;
        if (found) *out = *keys[i];
    }
    pthread_mutex_unlock(&context->lock);
    return found;
}

static bool set_up_ticket(struct ticket_key *key, uint8_t iv[EVP_MAX_IV_LENGTH],
                          EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL's answers: 0 no ticket, 1 good, 2 good but give a new one, -1 failure. */
static int on_ticket(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
                     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    struct ticket_key key;
    if (encrypt == 1) {
        if (!sealing_key(context, &key) || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1) return -1;
        memcpy(name, key.name, sizeof key.name);
    } else if (!opening_key(context, name, &key)) {
        return 0;
    }
    bool good = set_up_ticket(&key, iv, cipher, mac, encrypt);
    explicit_bzero(&key, sizeof key);
    return good ? 1 : -1;
}

/* ---- contexts ---------------------------------------------------------------------------------- */

/* A client that offers protocols but not this one would misread every answer (RFC 7301 section 3.2). */
static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_bytes,
                   const unsigned char *in, unsigned int in_bytes, void *ctx)
{
    (void)ctx;
    if (SSL_get_app_data(ssl) != NULL) return SSL_TLSEXT_ERR_NOACK;
    if (tls_challenge_chosen(ssl, in, in_bytes)) {
        *out = in + 1;
        *out_bytes = in[0];
        return SSL_TLSEXT_ERR_OK;
    }
    static const rf_str wanted = {(const uint8_t *)"http/1.1", 8};
    for (unsigned int at = 0; at < in_bytes && in[at] < in_bytes - at; at += 1u + in[at]) {
        if (!rf_str_eq(rf_str_make(in + at + 1, in[at]), wanted)) continue;
        *out = in + at + 1;
        *out_bytes = in[at];
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* What both sides share. */
static bool set_up(SSL_CTX *ssl, struct tls_context *context)
{
    SSL_CTX_set_app_data(ssl, context);
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                              SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    /* One read of the socket instead of two per record: header, then content. */
    SSL_CTX_set_read_ahead(ssl, 1);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    char groups[] = "X25519:P-256:P-384"; /* OpenSSL's macro wants it writable */
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
           SSL_CTX_set1_groups_list(ssl, groups) == 1;
}

static enum rf_kind ssl_new(const SSL_METHOD *method, struct tls_context *context, SSL_CTX **out,
                            struct rf_err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(method);
    if (ssl == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a TLS context");
    if (!set_up(ssl, context)) {
        SSL_CTX_free(ssl);
        return RF_FAIL(err, RF_INVALID, "TlsUnavailable", "OpenSSL: %s", last_reason());
    }
    *out = ssl;
    return RF_OK;
}

static enum rf_kind context_new(struct tls_context **out, struct rf_err *err)
{
    /* The system's openssl.cnf may name modules to load, which a static program cannot, and weaken what is set here. */
    (void)OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    struct tls_context *context = calloc(1, sizeof *context);
    if (context == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a TLS context");
    pthread_mutex_init(&context->lock, NULL);
    *out = context;
    return RF_OK;
}

/* Who merely is asked goes on with a certificate that nobody vouches for, too: the verdict stays with the session. */
static int accept_any(int is_good, X509_STORE_CTX *store)
{
    (void)is_good, (void)store;
    return 1;
}

static void ask_client(const struct tls_context *context, SSL_CTX *ssl)
{
    if (context->client_trust != NULL) SSL_CTX_set1_cert_store(ssl, context->client_trust);
    if (context->client_hint != NULL) {
        STACK_OF(X509) *named = X509_STORE_get1_all_certs(context->client_hint);
        for (int i = 0; i < sk_X509_num(named); i++)
            (void)SSL_CTX_add_client_CA(ssl, sk_X509_value(named, i));
        sk_X509_pop_free(named, X509_free);
    }
    if (context->client == TLS_CLIENT_ASKED) SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, accept_any);
    if (context->client == TLS_CLIENT_REQUIRED)
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
}

/* The key of the chain's first certificate, which signs messages; the caller frees it. */
static enum rf_kind far_key(struct tls_context *context, rf_str chain_pem, EVP_PKEY **out,
                            struct rf_err *err)
{
    BIO *bio = chain_pem.len <= INT_MAX ? BIO_new_mem_buf(chain_pem.ptr, (int)chain_pem.len) : NULL;
    X509 *leaf = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    *out = leaf == NULL ? NULL : tls_far_key(leaf, context->sign_message, context->sign_ctx);
    X509_free(leaf);
    BIO_free(bio);
    ERR_clear_error();
    if (*out != NULL) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadCertificate",
                   "the server's certificate must be one for an RSA or EC key");
}

static enum rf_kind use_server_chain(struct tls_context *context, SSL_CTX *ssl, rf_str chain_pem,
                                     bool is_far, struct rf_err *err)
{
    EVP_PKEY *key = NULL;
    if (is_far) RF_TRY(far_key(context, chain_pem, &key, err));
    enum rf_kind kind = use_chain(context, ssl, chain_pem, key, err);
    EVP_PKEY_free(key);
    return kind;
}

static enum rf_kind server_ssl_new(struct tls_context *context, rf_str chain_pem, bool is_far,
                                   SSL_CTX **out, struct rf_err *err)
{
    SSL_CTX *ssl;
    RF_TRY(ssl_new(TLS_server_method(), context, &ssl, err));
    enum rf_kind kind = use_server_chain(context, ssl, chain_pem, is_far, err);
    if (kind != RF_OK) {
        SSL_CTX_free(ssl);
        return kind;
    }
    SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
    tls_challenges_use(ssl, &context->challenges);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_ticket);
    SSL_CTX_set_num_tickets(ssl, 1);
    ask_client(context, ssl);
    SSL_CTX_set_session_id_context(ssl, (const unsigned char *)"ringfort", 8);
    *out = ssl;
    return RF_OK;
}

static enum rf_kind trust_pem(X509_STORE *store, rf_str pem, struct rf_err *err)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    if (bio == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the trusted ones");
    size_t count = 0;
    for (X509 *cert; (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; count++) {
        (void)X509_STORE_add_cert(store, cert);
        X509_free(cert);
    }
    BIO_free(bio);
    ERR_clear_error();
    if (count > 0) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadCertificate", "no certificate to trust is in the text");
}

static enum rf_kind store_of(rf_str pem, X509_STORE **out, struct rf_err *err)
{
    *out = X509_STORE_new();
    if (*out == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the trusted ones");
    return trust_pem(*out, pem, err);
}

static enum rf_kind trust_clients(struct tls_context *context,
                                  const struct tls_server_options *options, struct rf_err *err)
{
    context->client = options->client;
    if (options->client_hint_pem.len > 0)
        RF_TRY(store_of(options->client_hint_pem, &context->client_hint, err));
    if (options->client == TLS_CLIENT_NONE || options->client_ca_pem.len == 0) {
        if (options->client != TLS_CLIENT_REQUIRED) return RF_OK;
        return RF_FAIL(err, RF_INVALID, "BadCertificate",
                       "certificates of clients are required, and nobody's are trusted");
    }
    return store_of(options->client_ca_pem, &context->client_trust, err);
}

enum rf_kind tls_server_new(const struct tls_server_options *options, struct tls_context **out,
                            struct rf_err *err)
{
    RF_ASSERT(options->sign != NULL);
    struct tls_context *context;
    RF_TRY(context_new(&context, err));
    context->sign = options->sign;
    context->sign_ctx = options->sign_ctx;
    context->sign_message = options->sign_message;
    context->challenges = (struct tls_challenges){options->challenge, options->challenge_ctx};
    context->method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
    enum rf_kind kind = RF_LIMIT;
    if (context->method == NULL) {
        (void)rf_fail(err, RF_LIMIT, "MemoryBudgetExceeded", "a TLS context");
    } else {
        EC_KEY_METHOD_set_sign(context->method, sign_elsewhere, NULL, NULL);
        kind = trust_clients(context, options, err);
    }
    if (kind == RF_OK) {
        kind = server_ssl_new(context, options->chain_pem, false, &context->ssl, err);
    }
    if (kind == RF_OK)
        *out = context;
    else
        tls_free(context);
    return kind;
}

/* Connections keep the one that they began with: it is counted. */
static enum rf_kind renew(struct tls_context *context, rf_str chain_pem, bool is_far,
                          struct rf_err *err)
{
    SSL_CTX *ssl, *old;
    RF_TRY(server_ssl_new(context, chain_pem, is_far, &ssl, err));
    pthread_mutex_lock(&context->lock);
    old = context->ssl;
    context->ssl = ssl;
    pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(old);
    return RF_OK;
}

enum rf_kind tls_server_renew(struct tls_context *context, rf_str chain_pem, struct rf_err *err)
{
    return renew(context, chain_pem, false, err);
}

enum rf_kind tls_server_renew_far(struct tls_context *context, rf_str chain_pem, struct rf_err *err)
{
    RF_ASSERT(context->sign_message != NULL);
    return renew(context, chain_pem, true, err);
}

enum rf_kind tls_client_new(rf_str ca_pem, struct tls_context **out, struct rf_err *err)
{
    struct tls_context *context;
    RF_TRY(context_new(&context, err));
    enum rf_kind kind = ssl_new(TLS_client_method(), context, &context->ssl, err);
    if (kind == RF_OK) SSL_CTX_set_verify(context->ssl, SSL_VERIFY_PEER, NULL);
    if (kind == RF_OK && ca_pem.len > 0) {
        kind = trust_pem(SSL_CTX_get_cert_store(context->ssl), ca_pem, err);
    } else if (kind == RF_OK) {
        /* Named here, because a static OpenSSL has the paths of where it was built. The folder is looked into when a
         * certificate is wanted; without any of the two nothing is trusted. */
        (void)SSL_CTX_load_verify_file(context->ssl, "/etc/ssl/certs/ca-certificates.crt");
        (void)SSL_CTX_load_verify_dir(context->ssl, "/etc/ssl/certs");
        ERR_clear_error();
    }
    if (kind == RF_OK)
        *out = context;
    else
        tls_free(context);
    return kind;
}

enum rf_kind tls_client_prove(struct tls_context *context, rf_str chain_pem, rf_str key_pem,
                              struct rf_err *err)
{
    BIO *bio = key_pem.len <= INT_MAX ? BIO_new_mem_buf(key_pem.ptr, (int)key_pem.len) : NULL;
    if (bio == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the key");
    /* A key under a password is not asked about: that would read from the terminal. */
    char none[] = "";
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, none);
    BIO_free(bio);
    ERR_clear_error();
    if (key == NULL)
        return RF_FAIL(err, RF_INVALID, "BadCertificate",
                       "the private key is not a PEM text without a password");
    enum rf_kind kind = use_chain(context, context->ssl, chain_pem, key, err);
    EVP_PKEY_free(key);
    return kind;
}

void tls_free(struct tls_context *context)
{
    if (context == NULL) return;
    SSL_CTX_free(context->ssl);
    X509_STORE_free(context->client_trust);
    X509_STORE_free(context->client_hint);
    if (context->method != NULL) EC_KEY_METHOD_free(context->method); /* it takes no NULL */
    pthread_mutex_destroy(&context->lock);
    explicit_bzero(context, sizeof *context);
    free(context);
}

/* ---- one connection ---------------------------------------------------------------------------- */

static SSL *open_on(struct tls_context *context, int fd)
{
    pthread_mutex_lock(&context->lock);
    SSL *ssl = SSL_new(context->ssl);
    pthread_mutex_unlock(&context->lock);
    if (ssl != NULL && SSL_set_fd(ssl, fd) == 1) return ssl;
    SSL_free(ssl);
    return NULL;
}

struct ssl_st *tls_open_server(struct tls_context *context, int fd)
{
    SSL *ssl = open_on(context, fd);
    if (ssl != NULL) SSL_set_accept_state(ssl);
    return ssl;
}

/* An address is proved by an address in the certificate, never by a name that looks like one (RFC 6125, 2818). */
static bool expect_host(SSL *ssl, const char *host)
{
    uint8_t address[16];
    if (inet_pton(AF_INET, host, address) == 1 || inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
    char name[TLSEXT_MAXLEN_host_name + 1]; /* OpenSSL's macro wants it writable */
    size_t len = strlen(host);
    if (len >= sizeof name) return false;
    memcpy(name, host, len + 1);
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, name) == 1;
}

struct ssl_st *tls_open_client(struct tls_context *context, int fd, const char *host)
{
    SSL *ssl = open_on(context, fd);
    if (ssl == NULL) return NULL;
    SSL_set_connect_state(ssl);
    if (expect_host(ssl, host)) return ssl;
    SSL_free(ssl);
    return NULL;
}

void tls_any_protocol(struct ssl_st *ssl) { (void)SSL_set_app_data(ssl, ssl); }

rf_str tls_server_name(const struct ssl_st *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name == NULL ? (rf_str){NULL, 0} : rf_str_of(name);
}

size_t tls_peer_certificate(const struct ssl_st *ssl, uint8_t **der, bool *is_trusted)
{
    const X509 *cert = SSL_get0_peer_certificate(ssl);
    *is_trusted = cert != NULL && SSL_get_verify_result(ssl) == X509_V_OK;
    unsigned char *bytes = NULL;
    int len = cert == NULL ? 0 : i2d_X509(cert, &bytes);
    if (len <= 0) return 0;
    *der = malloc((size_t)len);
    if (*der != NULL) memcpy(*der, bytes, (size_t)len);
    OPENSSL_free(bytes);
    return *der == NULL ? 0 : (size_t)len;
}

void tls_trust_any(struct ssl_st *ssl) { SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL); }

static enum tls_io judge(const SSL *ssl, int result)
{
    switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return TLS_EOF;
    default:
        return TLS_BROKEN;
    }
}

/* Errors wait in a queue of the thread: what another connection left there must not be taken for this one's. */
enum tls_io tls_handshake(struct ssl_st *ssl)
{
    ERR_clear_error();
    int result = SSL_do_handshake(ssl);
    return result == 1 ? TLS_OK : judge(ssl, result);
}

enum tls_io tls_read(struct ssl_st *ssl, void *out, size_t cap, size_t *got)
{
    ERR_clear_error();
    int result = SSL_read_ex(ssl, out, cap, got);
    return result == 1 ? TLS_OK : judge(ssl, result);
}

enum tls_io tls_write(struct ssl_st *ssl, rf_str bytes, size_t *put)
{
    ERR_clear_error();
    int result = SSL_write_ex(ssl, bytes.ptr, bytes.len, put);
    return result == 1 ? TLS_OK : judge(ssl, result);
}

void tls_bye(struct ssl_st *ssl)
{
    ERR_clear_error();
    (void)SSL_shutdown(ssl);
}

void tls_close(struct ssl_st *ssl) { SSL_free(ssl); }

const char *tls_why(const struct ssl_st *ssl)
{
    long verdict = SSL_get_verify_result(ssl);
    if (verdict != X509_V_OK) return X509_verify_cert_error_string(verdict);
    if (ERR_peek_last_error() != 0) return last_reason();
    const char *text = errno == 0 ? NULL : strerrordesc_np(errno);
    return text == NULL ? "the connection was cut" : text;
}
