#include "crypt/x509.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/encode.h"
#include "crypt/digest.h"

/* No certificate that anybody uses comes near; it bounds what OpenSSL is given to chew. */
enum { CERT_BYTES_MAX = 64 << 10, NAME_BYTES_MAX = 8 << 10 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "BadCertificate", "the certificate %s", what);
}

/* ---- PEM (RFC 7468) --------------------------------------------------------------------------------------------- */

#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"
#define PEM_END "-----END CERTIFICATE-----"

/* The DER of the first certificate. */
static enum rf_kind pem_der(rf_str text, struct rf_arena *arena, rf_str *der, struct rf_err *err)
{
    size_t from = rf_str_find(text, RF_S(PEM_BEGIN), 0);
    if (from == SIZE_MAX) return bad("is neither DER nor PEM", err);
    from += sizeof PEM_BEGIN - 1;
    size_t to = rf_str_find(text, RF_S(PEM_END), from);
    if (to == SIZE_MAX) return bad("has no END line", err);
    uint8_t *packed = rf_arena_alloc(arena, to - from);
    if (packed == NULL) return rf_fail_memory(err, arena);
    size_t len = 0;
    for (size_t i = from; i < to; i++)
        if (!rf_is_space(text.ptr[i])) packed[len++] = text.ptr[i];
    enum rf_kind kind = base64_decode(arena, rf_str_make(packed, len), der, err);
    return kind == RF_INVALID ? bad("holds text that is not base64", err) : kind;
}

rf_str cert_pem(struct rf_arena *arena, rf_str der)
{
    enum { LINE_BYTES = 64 };
    struct rf_buf buf = rf_buf_in(arena);
    rf_str text = base64_encode(arena, der);
    if (text.ptr == NULL) return text;
    rf_buf_printf(&buf, "%s\n", PEM_BEGIN);
    for (size_t at = 0; at < text.len; at += LINE_BYTES) {
        rf_buf_str(&buf, rf_slice(text, at, RF_MIN(text.len, at + LINE_BYTES)));
        rf_buf_byte(&buf, '\n');
    }
    rf_buf_printf(&buf, "%s\n", PEM_END);
    if (buf.failed) return (rf_str){0};
    return rf_buf_view(&buf);
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static bool usec_of(const ASN1_TIME *time, rf_usec *out)
{
    enum { DAY_SECONDS = 86400 };
    ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
    int days = 0, seconds = 0;
    bool good = epoch != NULL && ASN1_TIME_diff(&days, &seconds, epoch, time) == 1;
    ASN1_TIME_free(epoch);
    if (good) *out = ((int64_t)days * DAY_SECONDS + seconds) * RF_USEC_PER_SECOND;
    return good;
}

static enum rf_kind name_text(const X509_NAME *name, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    enum rf_kind kind = RF_OK;
    /* UTF-8 stays as it is; control characters and what RFC 2253 names special are escaped. */
    if (bio == NULL ||
        X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) < 0)
        kind = bad("has a name that cannot be read", err);
    long len = kind == RF_OK ? BIO_get_mem_data(bio, &text) : 0;
    if (len > NAME_BYTES_MAX) kind = bad("has a name that is too long", err);
    if (kind == RF_OK && !rf_utf8_valid(rf_str_make(text, (size_t)len)))
        kind = bad("has a name that is not UTF-8", err);
    if (kind == RF_OK && !rf_arena_str(arena, rf_str_make(text, (size_t)len), out))
        kind = rf_fail_memory(err, arena);
    BIO_free(bio);
    return kind;
}

/* The one CN; nothing when there are several, which readers choose from differently, or a NUL hides its end. */
static enum rf_kind common_name(const X509_NAME *name, struct rf_arena *arena, rf_str *out,
                                struct rf_err *err)
{
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    *out = RF_S("");
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0) return RF_OK;
    uint8_t *text = NULL;
    int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    rf_str cn = rf_str_make(text, len > 0 ? (size_t)len : 0);
    bool good = cn.len > 0 && cn.len <= NAME_BYTES_MAX && memchr(cn.ptr, 0, cn.len) == NULL &&
                rf_utf8_valid(cn);
    enum rf_kind kind = !good || rf_arena_str(arena, cn, out) ? RF_OK : rf_fail_memory(err, arena);
    OPENSSL_free(text);
    return kind;
}

bool cert_serial(struct rf_arena *arena, rf_str text, rf_str *out)
{
    enum { SERIAL_CHARS_MAX = 256 };
    text = rf_str_trim(text);
    if (text.len > SERIAL_CHARS_MAX) return false;
    if (text.len > 2 && text.ptr[0] == '0' && rf_lower(text.ptr[1]) == 'x')
        text = rf_slice(text, 2, text.len);
    uint8_t *to = rf_arena_alloc(arena, text.len + 1);
    size_t len = 0;
    bool any = false;
    if (to == NULL) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        if (c == ':' && any) continue;
        if (!rf_is_digit(c) && !(c >= 'a' && c <= 'f')) return false;
        any = true;
        if (len > 0 || c != '0') to[len++] = c;
    }
    if (!any) return false;
    if (len == 0) to[len++] = '0';
    *out = rf_str_make(to, len);
    return true;
}

static enum rf_kind serial_of(const X509 *cert, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(cert), NULL);
    char *hex = number == NULL ? NULL : BN_bn2hex(number);
    bool good = hex != NULL && cert_serial(arena, rf_str_of(hex[0] == '-' ? hex + 1 : hex), out);
    OPENSSL_free(hex);
    BN_free(number);
    return good ? RF_OK : bad("has a serial that cannot be read", err);
}

static enum rf_kind fill(const X509 *cert, rf_str der, struct rf_arena *arena,
                         struct cert_info *out, struct rf_err *err)
{
    struct cert_info info = {.der = der};
    if (!usec_of(X509_get0_notBefore(cert), &info.not_before) ||
        !usec_of(X509_get0_notAfter(cert), &info.not_after))
        return bad("has a time that cannot be read", err);
    RF_TRY(name_text(X509_get_subject_name(cert), arena, &info.subject, err));
    RF_TRY(name_text(X509_get_issuer_name(cert), arena, &info.issuer, err));
    RF_TRY(common_name(X509_get_subject_name(cert), arena, &info.common_name, err));
    RF_TRY(serial_of(cert, arena, &info.serial, err));
    digest_sha1(der, info.sha1);
    digest_sha256(der, info.sha256);
    *out = info;
    return RF_OK;
}

enum rf_kind cert_read(rf_str text, struct rf_arena *arena, struct cert_info *out,
                       struct rf_err *err)
{
    enum { ASN1_SEQUENCE = 0x30 };
    if (text.len > CERT_BYTES_MAX) return bad("is too long", err);
    rf_str der;
    if (text.len > 0 && text.ptr[0] == ASN1_SEQUENCE) {
        if (!rf_arena_str(arena, text, &der)) return rf_fail_memory(err, arena);
    } else {
        RF_TRY(pem_der(text, arena, &der, err));
    }
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    if (cert == NULL) return bad("is not well-formed DER", err);
    enum rf_kind kind = RF_OK;
    if (at != der.ptr + der.len) kind = bad("is followed by further bytes", err);
    if (kind == RF_OK) kind = fill(cert, der, arena, out, err);
    X509_free(cert);
    ERR_clear_error();
    return kind;
}
