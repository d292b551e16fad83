/* authority_ocsp_read.c - OCSP requests, as anybody sends them (RFC 6960, 4.1; the nonce: RFC 8954). */
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "base/encode.h"
#include "vault/authority_int.h"

enum { SERIAL_BYTES_MAX = 20, SHA1_BYTES = 20, SHA2_BYTES = 32 };

static enum rf_kind malformed(struct rf_err *err, const char *why)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "MalformedRequest", "the OCSP request %s", why);
}

/* Critical extensions that nobody here knows; *nonce: where the nonce stands, -1: nowhere. */
static bool extensions_are_good(OCSP_REQUEST *request, int *nonce)
{
    *nonce = OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, -1);
    if (*nonce >= 0 && OCSP_REQUEST_get_ext_by_NID(request, NID_id_pkix_OCSP_Nonce, *nonce) >= 0)
        return false;
    for (int i = 0; i < OCSP_REQUEST_get_ext_count(request); i++)
        if (i != *nonce && X509_EXTENSION_get_critical(OCSP_REQUEST_get_ext(request, i)) != 0)
            return false;
    return true;
}

static enum rf_kind read_nonce(OCSP_REQUEST *request, struct rf_arena *arena, rf_str *out,
                               struct rf_err *err)
{
    int at;
    if (!extensions_are_good(request, &at))
        return malformed(err, "has two nonces, or a critical extension that is not known");
    *out = (rf_str){0};
    if (at < 0) return RF_OK;
    const ASN1_OCTET_STRING *value = X509_EXTENSION_get_data(OCSP_REQUEST_get_ext(request, at));
    const uint8_t *from = ASN1_STRING_get0_data(value);
    const uint8_t *end = from + ASN1_STRING_length(value);
    ASN1_OCTET_STRING *nonce = d2i_ASN1_OCTET_STRING(NULL, &from, (long)(end - from));
    int len = nonce == NULL || from != end ? 0 : ASN1_STRING_length(nonce);
    bool good = len >= 1 && len <= OCSP_NONCE_BYTES_MAX, fits = false;
    if (good)
        fits = rf_arena_str(arena, rf_str_make(ASN1_STRING_get0_data(nonce), (size_t)len), out);
    ASN1_OCTET_STRING_free(nonce);
    if (!good) return malformed(err, "has a nonce that is not of 1 to 32 bytes");
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static rf_str bytes_of(const ASN1_STRING *string)
{
    return rf_str_make(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static enum rf_kind keep_id(OCSP_CERTID *id, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
{
    uint8_t *der = NULL;
    int len = i2d_OCSP_CERTID(id, &der);
    if (len <= 0) return malformed(err, "names a certificate that cannot be written");
    bool fits = rf_arena_str(arena, rf_str_make(der, (size_t)len), out);
    OPENSSL_free(der);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind read_one(OCSP_ONEREQ *one, struct rf_arena *arena, struct ocsp_asked *out,
                             struct rf_err *err)
{
    ASN1_OCTET_STRING *name, *key;
    ASN1_OBJECT *digest;
    ASN1_INTEGER *serial;
    OCSP_CERTID *id = OCSP_onereq_get0_id(one);
    for (int i = 0; i < OCSP_ONEREQ_get_ext_count(one); i++)
        if (X509_EXTENSION_get_critical(OCSP_ONEREQ_get_ext(one, i)) != 0)
            return malformed(err, "has a critical extension that is not known");
    if (OCSP_id_get0_info(&name, &digest, &key, &serial, id) != 1)
        return malformed(err, "names a certificate that cannot be read");
    int nid = OBJ_obj2nid(digest);
    if (nid != NID_sha1 && nid != NID_sha256)
        return RF_FAIL(err, RF_INVALID, "OtherDigest",
                       "the OCSP request has another digest than "
                       "SHA-1 and SHA-256");
    int wanted = nid == NID_sha1 ? SHA1_BYTES : SHA2_BYTES;
    if (ASN1_STRING_length(name) != wanted || ASN1_STRING_length(key) != wanted)
        return malformed(err, "has a digest of another length");
    if (serial->length < 1 || serial->length > SERIAL_BYTES_MAX ||
        (ASN1_STRING_type(serial) & V_ASN1_NEG) != 0)
        return malformed(err, "has a serial number that is not of 1 to 20 bytes");
    struct ocsp_asked *o = out;
    uint32_t at = o->count++;
    o->items[at].is_sha256 = nid == NID_sha256;
    o->items[at].serial = hex_encode(arena, rf_str_make(serial->data, (size_t)serial->length));
    if (!rf_arena_str(arena, bytes_of(name), &o->items[at].name_hash) ||
        !rf_arena_str(arena, bytes_of(key), &o->items[at].key_hash) ||
        o->items[at].serial.ptr == NULL)
        return rf_fail_memory(err, arena);
    return keep_id(id, arena, &o->items[at].id, err);
}

static enum rf_kind read_request(OCSP_REQUEST *request, struct rf_arena *arena,
                                 struct ocsp_asked *out, struct rf_err *err)
{
    int count = OCSP_request_onereq_count(request);
    if (count < 1 || count > OCSP_ASKED_MAX)
        return malformed(err, "asks for no certificate, or for more than 8");
    RF_TRY(read_nonce(request, arena, &out->nonce, err));
    for (int i = 0; i < count; i++)
        RF_TRY(read_one(OCSP_request_onereq_get0(request, i), arena, out, err));
    return RF_OK;
}

enum rf_kind authority_ocsp_read(rf_str der, struct rf_arena *arena, struct ocsp_asked *out,
                                 struct rf_err *err)
{
    const uint8_t *at = der.ptr;
    struct ocsp_asked asked = {.count = 0};
    if (der.len == 0 || der.len > OCSP_REQUEST_BYTES_MAX)
        return malformed(err, "has no or more than 8192 bytes");
    OCSP_REQUEST *request = d2i_OCSP_REQUEST(NULL, &at, (long)der.len);
    enum rf_kind kind = request == NULL || at != der.ptr + der.len
                            ? malformed(err, "is no well-formed DER")
                            : read_request(request, arena, &asked, err);
    OCSP_REQUEST_free(request);
    ERR_clear_error();
    if (kind == RF_OK) *out = asked;
    return kind;
}
