#include "crypt/tls_message.h"

static const struct tls_scheme_facts schemes[] = {
    {TLS_RSA_PKCS1_SHA256, "SHA256", true, false}, {TLS_RSA_PKCS1_SHA384, "SHA384", true, false},
    {TLS_RSA_PKCS1_SHA512, "SHA512", true, false}, {TLS_ECDSA_SHA256, "SHA256", false, false},
    {TLS_ECDSA_SHA384, "SHA384", false, false},    {TLS_ECDSA_SHA512, "SHA512", false, false},
    {TLS_RSA_PSS_SHA256, "SHA256", true, true},    {TLS_RSA_PSS_SHA384, "SHA384", true, true},
    {TLS_RSA_PSS_SHA512, "SHA512", true, true},
};

const struct tls_scheme_facts *tls_scheme_find(unsigned scheme)
{
    for (size_t i = 0; i < RF_COUNT(schemes); i++)
        if ((unsigned)schemes[i].scheme == scheme) return &schemes[i];
    return NULL;
}

/* The zero byte at the context's end is the literal's own. */
static const char context[] = "TLS 1.3, server CertificateVerify";
enum { BLANKS = 64, CONTEXT_BYTES = sizeof context, SHA256_LENGTH = 32, SHA384_LENGTH = 48 };
_Static_assert((int)BLANKS + (int)CONTEXT_BYTES + (int)SHA384_LENGTH <= TLS_MESSAGE_BYTES_MAX,
               "the longest message");

static bool is_verify(rf_str message)
{
    size_t head = BLANKS + CONTEXT_BYTES;
    if (message.len != head + SHA256_LENGTH && message.len != head + SHA384_LENGTH) return false;
    for (size_t i = 0; i < BLANKS; i++)
        if (message.ptr[i] != ' ') return false;
    return memcmp(message.ptr + BLANKS, context, CONTEXT_BYTES) == 0;
}

static bool is_key_exchange(rf_str message)
{
    enum { RANDOMS = 64, NAMED_CURVE = 3, HEAD = RANDOMS + 4, UNCOMPRESSED = 4 };
    static const struct {
        uint16_t curve;
        uint8_t bytes;
    } points[] = {{23, 65}, {24, 97}, {29, 32}}; /* P-256, P-384, X25519 */
    if (message.len < HEAD || message.ptr[RANDOMS] != NAMED_CURVE || message.ptr[RANDOMS + 1] != 0)
        return false;
    for (size_t i = 0; i < RF_COUNT(points); i++) {
        if (message.ptr[RANDOMS + 2] != points[i].curve) continue;
        return message.ptr[RANDOMS + 3] == points[i].bytes &&
               message.len == (size_t)HEAD + points[i].bytes &&
               (points[i].curve == 29 || message.ptr[HEAD] == UNCOMPRESSED);
    }
    return false;
}

bool tls_message_fits(rf_str message, const struct tls_scheme_facts *scheme)
{
    if (is_verify(message)) return !scheme->is_rsa || scheme->is_pss;
    return is_key_exchange(message);
}
