/* x509.h - certificates: reading what callers show, making those of the estate's own authority. */
#ifndef RF_X509_H
#define RF_X509_H

#include "base/clock.h"
#include "base/rf.h"

struct cert_info {
    rf_str der;
    uint8_t sha1[20], sha256[32];
    rf_usec not_before, not_after;
    rf_str subject, issuer; /* RFC 2253 text */
    rf_str common_name;     /* of the subject, UTF-8; empty: it has none, or several */
    rf_str serial;          /* lower-case hex without zeros in front; "0" for zero */
};
/* One certificate of DER, or PEM (the first one in the text). Allocates in `arena`. RF_INVALID BadCertificate. */
RF_MUST_USE enum rf_kind cert_read(rf_str text, struct rf_arena *arena, struct cert_info *out,
                                   struct rf_err *err);
/* Whether `der` is a client's certificate that is valid at `now` and was issued by one of `ca_pem`, directly or through others in
 * there; each of them is an anchor, also one that somebody else issued. False for anything that cannot be read. */
bool cert_is_issued_by(rf_str der, rf_str ca_pem, rf_usec now);
/* PEM of a DER certificate. */
rf_str cert_pem(struct rf_arena *arena, rf_str der);
/* A serial as people write it ("0A:1f", "0x0A1F") in the form of cert_info.serial; in `arena`. False: none, or no memory. */
bool cert_serial(struct rf_arena *arena, rf_str text, rf_str *out);

/* What the keeper makes; private keys are OpenSSL's EVP_PKEY, opaque here. */
struct evp_pkey_st;
enum key_kind { KEY_P256, KEY_RSA_2048, KEY_RSA_3072 };
RF_MUST_USE enum rf_kind key_make(enum key_kind kind, struct evp_pkey_st **out, struct rf_err *err);
struct cert_request {
    rf_str subject_cn;
    const rf_str *dns_names;
    uint32_t dns_count;
    const rf_str *ip_texts;
    uint32_t ip_count;
    rf_usec not_before, not_after;
    bool is_ca;
    rf_str organization; /* O in front of the CN; empty: none */
    bool is_client;      /* extended key usage: clients only, of an authority too */
    /* Of an authority: the certificates that it issues must have this O, and no addresses (RFC 5280, 4.2.1.10). Empty: no
     * constraints. */
    rf_str constrained_to;
};
/* Signs a certificate for `key` with `issuer_key` (`issuer_der` empty: self-signed). DER in `arena`. */
RF_MUST_USE enum rf_kind cert_make(const struct cert_request *request, struct evp_pkey_st *key,
                                   struct evp_pkey_st *issuer_key, rf_str issuer_der,
                                   struct rf_arena *arena, rf_str *der, struct rf_err *err);

#endif
