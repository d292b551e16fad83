/* tls.h - TLS 1.2 and 1.3 by OpenSSL, for server and client. The server's private key is elsewhere: it is signed with
 * through a callback. */
#ifndef RF_TLS_H
#define RF_TLS_H

#include "base/rf.h"

struct tls_context;

/* Signs `digest` (of SHA-256 as a rule; ECDSA on P-256) with the key of the certificate whose DER has the SHA-256 `leaf`; writes a DER signature of at
 * most `cap` bytes. Called from any loop; may block for a moment. */
typedef enum rf_kind tls_sign(void *ctx, const uint8_t *leaf, rf_str digest, uint8_t *out,
                              size_t cap, size_t *len, struct rf_err *err);

/* The same for a key that signs whole messages of handshakes, so that whoever has it can see that they are such: `scheme` is the signature scheme's number (RFC 8446,
 * 4.2.3). RSA and ECDSA. */
typedef enum rf_kind tls_sign_message(void *ctx, const uint8_t *leaf, unsigned scheme,
                                      rf_str message, uint8_t *out, size_t cap, size_t *len,
                                      struct rf_err *err);

/* Whether somebody waits for `name` to be asked for by "acme-tls/1" (RFC 8737), and the digest that is to be shown then. Called from any loop, for a greeting that
 * offers this protocol and no other; must not block. */
typedef bool tls_challenge(void *ctx, rf_str name, uint8_t digest[32]);

enum tls_client_proof {
    TLS_CLIENT_NONE,    /* no certificate is asked for */
    TLS_CLIENT_ASKED,   /* whoever has one shows it; it may be trusted or not */
    TLS_CLIENT_REQUIRED /* one that is trusted, or the handshake fails */
};
struct tls_server_options {
    rf_str chain_pem; /* certificate first, then those that issued it */
    tls_sign *sign;
    void *sign_ctx;
    tls_sign_message *sign_message; /* for tls_server_renew_far; the same ctx; may be NULL */
    enum tls_client_proof
        client; /* certificates of clients; streams and requests see them (net/stream.h, net/http.h) */
    rf_str
        client_ca_pem; /* who issued those that are trusted; empty: none is, which TLS_CLIENT_ASKED allows only */
    /* Whose names are told to clients, which choose by them which of their certificates to show, if any; empty: none is told, and they show
     * whatever they have. */
    rf_str client_hint_pem;
    tls_challenge *challenge; /* NULL: none */
    void *challenge_ctx;
};
/* Only ECDHE with AEAD ciphers; ALPN http/1.1 (listeners of streams take any); session tickets under keys that live in memory for an hour or two.
 * RF_INVALID BadCertificate: the chain is empty, malformed, or its first key is not of P-256. */
RF_MUST_USE enum rf_kind tls_server_new(const struct tls_server_options *options,
                                        struct tls_context **out, struct rf_err *err);
/* New connections show this chain from now on. Handshakes under way go on with the one that they began with: `sign` must have its key for as
 * long as handshakes take. While the server runs, from any thread. On failure the old chain stays. */
RF_MUST_USE enum rf_kind tls_server_renew(struct tls_context *context, rf_str chain_pem,
                                          struct rf_err *err);
/* The same for a chain whose key, RSA or ECDSA, signs by options.sign_message. */
RF_MUST_USE enum rf_kind tls_server_renew_far(struct tls_context *context, rf_str chain_pem,
                                              struct rf_err *err);
/* A client that trusts the certificates of `ca_pem`, or the system's (/etc/ssl/certs) when it is empty. RF_INVALID
 * BadCertificate: there is none in the text. */
RF_MUST_USE enum rf_kind tls_client_new(rf_str ca_pem, struct tls_context **out,
                                        struct rf_err *err);
/* The client shows this certificate to servers that ask for one: `chain_pem` begins with it, `key_pem` is its private key, of which a
 * copy is held. Before the first connection. RF_INVALID BadCertificate: malformed, or the key is another's. */
RF_MUST_USE enum rf_kind tls_client_prove(struct tls_context *context, rf_str chain_pem,
                                          rf_str key_pem, struct rf_err *err);
/* Behind the server or client that uses it; NULL is fine. A context is for any thread. */
void tls_free(struct tls_context *context);

#endif
