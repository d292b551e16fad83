/* device.h - certificates of devices: what a device asks with (PKCS #10, RFC 2986), the authority that answers, and what it issues.
 *
 * Nothing that a request says goes into a certificate but its public key; the name is what whoever allows it says. */
#ifndef RF_CRYPT_DEVICE_H
#define RF_CRYPT_DEVICE_H

#include "base/clock.h"
#include "base/rf.h"

enum {
    CSR_BYTES_MAX = 16 << 10,    /* as text */
    DEVICE_KEY_BYTES_MAX = 1024, /* a public key in DER: RSA of 4096 bits takes 550 */
    DEVICE_NAME_BYTES_MAX = 64,  /* ub-common-name, RFC 5280 appendix A */
    DEVICE_CERTIFICATE_DAYS_MAX = 398,
    DEVICE_CERTIFICATE_DAYS = 90, /* unless the device's setting says otherwise */
    DEVICE_AUTHORITY_DAYS = 3650
};

/* 1 to 64 letters, digits, '.', '-' and '_', with a letter or digit at both ends: the CN is a part of paths. */
bool device_name_is_good(rf_str name);

struct csr {
    rf_str common_name; /* empty: none, or several */
    rf_str public_key;  /* SubjectPublicKeyInfo, DER */
};
/* One request: DER, PEM, or base64 alone (the body of RFC 7030). Its signature is checked, so its sender has the key. Allocates in `arena`.
 * RF_INVALID BadRequest: malformed, longer than CSR_BYTES_MAX, more behind it, a wrong signature, another digest than SHA-2, a key that
 * device_key_read refuses. Cost: one check of a signature. Any thread. */
RF_MUST_USE enum rf_kind csr_read(rf_str text, struct rf_arena *arena, struct csr *out,
                                  struct rf_err *err);

/* A device's own part: a request with CN=`name`, in PEM, for a new key on P-256, which is PKCS #8 in PEM; both in `arena`. Wipe the key's
 * text when it was used. RF_INVALID BadName; RF_IO CryptoFailed. */
RF_MUST_USE enum rf_kind csr_make(rf_str name, struct rf_arena *arena, rf_str *key_pem,
                                  rf_str *csr_pem, struct rf_err *err);

struct evp_pkey_st;
/* A public key that a device may have: P-256, P-384 (named, uncompressed) or RSA of 2048 to 4096 bits, in the one form in which DER writes
 * it. RF_INVALID BadRequest. The caller frees it with EVP_PKEY_free. */
RF_MUST_USE enum rf_kind device_key_read(rf_str public_key, struct evp_pkey_st **out,
                                         struct rf_err *err);

/* The authority's own certificate, in DER: for clients only, no further authorities below it, and only names of its own O. */
RF_MUST_USE enum rf_kind device_authority_make(struct evp_pkey_st *key, rf_usec now,
                                               struct rf_arena *arena, rf_str *der,
                                               struct rf_err *err);
/* What it issues: O = the authority's name, CN = `name`, 128 random bits as the serial, valid from an hour ago for so many seconds, but not
 * longer than the authority. RF_INVALID BadName, BadRequest. */
struct device_order {
    rf_str name, public_key;
    int64_t seconds;
};
RF_MUST_USE enum rf_kind device_certificate_make(const struct device_order *order,
                                                 struct evp_pkey_st *authority_key,
                                                 rf_str authority_der, rf_usec now,
                                                 struct rf_arena *arena, rf_str *der,
                                                 struct rf_err *err);

/* Certificates as a PKCS #7 that holds nothing else (RFC 5652, 5.2; RFC 7030, 4.1.3), DER. */
RF_MUST_USE enum rf_kind certs_pkcs7(const rf_str *ders, uint32_t count, struct rf_arena *arena,
                                     rf_str *out, struct rf_err *err);

#endif
