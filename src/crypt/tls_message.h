/* tls_message.h - what a server signs in a handshake of TLS, told from everything else: the keeper signs nothing else by the key of a certificate that a
 * listener has from a vault. Knows no socket and no key.
 *
 *   TLS 1.3 (RFC 8446, 4.4.3)  64 blanks, "TLS 1.3, server CertificateVerify", 0, the hash of the transcript: 32 or 48 bytes
 *   TLS 1.2 (RFC 8422, 5.4)    both sides' random numbers, 32 bytes each, then ServerECDHParams: 3, the curve (2 bytes), a length, the point
 *
 * Neither can be taken for the other, for a certificate, request, list or OCSP answer (DER of these lengths holds no key, name and time), or for a token. */
#ifndef RF_TLS_MESSAGE_H
#define RF_TLS_MESSAGE_H

#include "base/rf.h"

enum { TLS_MESSAGE_BYTES_MAX = 64 + 4 + 97 }; /* of TLS 1.2 with P-384 */
/* Signature schemes, by their numbers (RFC 8446, 4.2.3); those of SHA-1 are none. */
enum tls_scheme {
    TLS_RSA_PKCS1_SHA256 = 0x0401,
    TLS_ECDSA_SHA256 = 0x0403,
    TLS_RSA_PKCS1_SHA384 = 0x0501,
    TLS_ECDSA_SHA384 = 0x0503,
    TLS_RSA_PKCS1_SHA512 = 0x0601,
    TLS_ECDSA_SHA512 = 0x0603,
    TLS_RSA_PSS_SHA256 = 0x0804,
    TLS_RSA_PSS_SHA384 = 0x0805,
    TLS_RSA_PSS_SHA512 = 0x0806
};
struct tls_scheme_facts {
    enum tls_scheme scheme;
    const char *digest;  /* OpenSSL's name */
    bool is_rsa, is_pss; /* else ECDSA; PKCS #1 version 1.5 */
};
/* NULL: none of these. */
const struct tls_scheme_facts *tls_scheme_find(unsigned scheme);
/* Whether a server may sign this by this scheme: TLS 1.3 has no PKCS #1 version 1.5. */
bool tls_message_fits(rf_str message, const struct tls_scheme_facts *scheme);

#endif
