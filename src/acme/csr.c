/* csr.c - certification requests (PKCS #10, RFC 2986): the key, and the names that are asked for. */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "acme/acme_int.h"

enum { CSR_BYTES_MAX = 32 << 10 };

static enum rf_kind bad(struct rf_err *err, const char *what)
{
    ERR_clear_error();
    return RF_FAIL(err, RF_INVALID, "badCSR", "The certification request %s.", what);
}

static enum rf_kind add_name(struct acme_csr *out, const ASN1_STRING *text, struct rf_arena *arena,
                             struct rf_err *err)
{
    rf_str name, whole = rf_str_make(ASN1_STRING_get0_data(text), (size_t)ASN1_STRING_length(text));
    bool wildcard;
    const char *why;
    if (!acme_name_read(whole, arena, &name, &wildcard, &why))
        return bad(err, "asks for a name that is no DNS name");
    if (wildcard) {
        name = rf_arena_printf(arena, "*.%.*s", RF_FMT(name));
        if (name.ptr == NULL) return rf_fail_memory(err, arena);
    }
    for (uint32_t i = 0; i < out->name_count; i++)
        if (rf_str_eq(out->names[i], name)) return RF_OK;
    if (out->name_count == ACME_NAMES_MAX) return bad(err, "asks for more than 100 names");
    out->names[out->name_count++] = name;
    return RF_OK;
}

static enum rf_kind add_common_name(X509_REQ *request, struct acme_csr *out, struct rf_arena *arena,
                                    struct rf_err *err)
{
    X509_NAME *subject = X509_REQ_get_subject_name(request);
    uint8_t *text = NULL;
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(subject, at);
        int len = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
        if (len < 0) return bad(err, "has a common name that cannot be read");
        ASN1_STRING *name = ASN1_STRING_new();
        bool good = name != NULL && ASN1_STRING_set(name, text, len) == 1;
        OPENSSL_free(text);
        enum rf_kind kind = good ? add_name(out, name, arena, err)
                                 : RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "a request");
        ASN1_STRING_free(name);
        if (kind != RF_OK) return kind;
    }
    return RF_OK;
}

static enum rf_kind add_alternatives(X509_REQ *request, struct acme_csr *out,
                                     struct rf_arena *arena, struct rf_err *err)
{
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(request);
    int count_of = X509v3_get_ext_by_NID(extensions, NID_subject_alt_name, -1) < 0 ? 0 : 1;
    int critical;
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, &critical, NULL);
    enum rf_kind kind = RF_OK;
    if (count_of > 0 && names == NULL) kind = bad(err, "has alternative names that cannot be read");
    for (int i = 0; kind == RF_OK && i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        kind = name->type == GEN_DNS ? add_name(out, name->d.dNSName, arena, err)
                                     : bad(err, "asks for an alternative name that is no DNS name");
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    return kind;
}

static enum rf_kind read_request(X509_REQ *request, struct rf_arena *arena, struct acme_csr *out,
                                 struct rf_err *err)
{
    uint8_t *der = NULL;
    EVP_PKEY *key = X509_REQ_get0_pubkey(request);
    if (key == NULL || EVP_PKEY_get_bits(key) > 8192)
        return bad(err, "has a key that is not taken");
    if (X509_REQ_verify(request, key) != 1) return bad(err, "is not signed by its own key");
    int bytes = i2d_PUBKEY(key, &der);
    bool good = bytes > 0 && rf_arena_str(arena, rf_str_make(der, (size_t)bytes), &out->public_key);
    OPENSSL_free(der);
    out->names = rf_arena_new(arena, rf_str, ACME_NAMES_MAX);
    if (!good || out->names == NULL) return rf_fail_memory(err, arena);
    RF_TRY(add_common_name(request, out, arena, err));
    RF_TRY(add_alternatives(request, out, arena, err));
    return out->name_count == 0 ? bad(err, "asks for no name") : RF_OK;
}

enum rf_kind acme_csr_read(rf_str der, struct rf_arena *arena, struct acme_csr *out,
                           struct rf_err *err)
{
    const uint8_t *at = der.ptr;
    *out = (struct acme_csr){0};
    if (der.len == 0 || der.len > CSR_BYTES_MAX) return bad(err, "has not 1 to 32768 bytes");
    X509_REQ *request = d2i_X509_REQ(NULL, &at, (long)der.len);
    enum rf_kind kind;
    if (request == NULL || at != der.ptr + der.len)
        kind = bad(err, "is no PKCS #10 in DER");
    else
        kind = read_request(request, arena, out, err);
    X509_REQ_free(request);
    ERR_clear_error();
    return kind;
}
