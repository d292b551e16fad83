/* certificates_derive.c - the policy that a certificate which is imported has had (contract 6.3). */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "vault/certificates_int.h"

static bool append_text(struct rf_arena *arena, struct json_node *sans, const char *sort,
                        rf_str text)
{
    struct json_node *list = json_get(sans, sort);
    rf_str copy;
    if (list == NULL) list = json_set(arena, sans, rf_str_of(sort), json_new(arena, JSON_T_ARRAY));
    return rf_arena_str(arena, text, &copy) && list != NULL &&
           json_append(list, json_new_text(arena, copy)) != NULL;
}

static rf_str string_of(const ASN1_STRING *string)
{
    return rf_str_make(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static rf_str address_text(struct rf_arena *arena, rf_str bytes)
{
    const uint8_t *b = bytes.ptr;
    if (bytes.len == 4) return rf_arena_printf(arena, "%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    if (bytes.len != 16) return (rf_str){0};
    struct rf_buf buf = rf_buf_in(arena);
    for (int i = 0; i < 16; i += 2)
        rf_buf_printf(&buf, "%s%x", i == 0 ? "" : ":", b[i] << 8 | b[i + 1]);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

/* Names that a policy could not have are left out: nothing of the certificate changes by that. */
static void derive_name(struct rf_arena *arena, struct json_node *sans, GENERAL_NAME *name)
{
    const char *why;
    const char *sort = NULL;
    rf_str text = {0};
    int type;
    void *value = GENERAL_NAME_get0_value(name, &type);
    ASN1_OBJECT *oid;
    ASN1_TYPE *other;
    char oid_text[64];
    if (type == GEN_DNS || type == GEN_EMAIL || type == GEN_URI) {
        sort = type == GEN_DNS ? "dns_names" : type == GEN_EMAIL ? "emails" : "uris";
        text = string_of(value);
    } else if (type == GEN_IPADD) {
        sort = "ipAddresses";
        text = address_text(arena, string_of(value));
    } else if (type == GEN_OTHERNAME && GENERAL_NAME_get0_otherName(name, &oid, &other) == 1 &&
               OBJ_obj2txt(oid_text, sizeof oid_text, oid, 1) > 0 &&
               strcmp(oid_text, "1.3.6.1.4.1.311.20.2.3") == 0 &&
               ASN1_TYPE_get(other) == V_ASN1_UTF8STRING) {
        sort = "upns";
        text = string_of(other->value.utf8string);
    }
    if (sort == NULL || text.len == 0 || !rf_utf8_valid(text)) return;
    struct json_node *probe = json_new(arena, JSON_T_OBJECT);
    if (probe == NULL || !append_text(arena, probe, sort, text)) return;
    GENERAL_NAMES *fits = vault_cert_sans(probe, &why);
    if (fits != NULL &&
        (json_get(sans, sort) == NULL || json_get(sans, sort)->count < CERT_NAMES_MAX))
        (void)append_text(arena, sans, sort, text);
    sk_GENERAL_NAME_pop_free(fits, GENERAL_NAME_free);
}

static void derive_sans(struct rf_arena *arena, X509 *cert, struct json_node *props)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    struct json_node *sans = json_object_in(arena, props, "sans");
    for (int i = 0; sans != NULL && i < sk_GENERAL_NAME_num(names); i++)
        derive_name(arena, sans, sk_GENERAL_NAME_value(names, i));
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
}

static void derive_usage(struct rf_arena *arena, X509 *cert, struct json_node *props)
{
    struct json_node *ekus = json_set(arena, props, RF_S("ekus"), json_new(arena, JSON_T_ARRAY));
    struct json_node *usage =
        json_set(arena, props, RF_S("key_usage"), json_new(arena, JSON_T_ARRAY));
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    ASN1_BIT_STRING *bits = X509_get_ext_d2i(cert, NID_key_usage, NULL, NULL);
    char text[160];
    for (int i = 0; i < RF_MIN(sk_ASN1_OBJECT_num(list), CERT_EKUS_MAX); i++) {
        int len = OBJ_obj2txt(text, sizeof text, sk_ASN1_OBJECT_value(list, i), 1);
        rf_str copy;
        if (len > 0 && len < (int)sizeof text && vault_cert_is_oid(rf_str_of(text)) &&
            rf_arena_str(arena, rf_str_of(text), &copy))
            json_append(ekus, json_new_text(arena, copy));
    }
    for (int i = 0; bits != NULL && i < CERT_USAGES; i++)
        if (ASN1_BIT_STRING_get_bit(bits, i) == 1)
            json_append(usage, json_new_text(arena, rf_str_of(vault_cert_usages[i])));
    sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
    ASN1_BIT_STRING_free(bits);
}

/* Whole months between the two, at least one. */
static int64_t months_of(X509 *cert)
{
    int days = 0, seconds = 0;
    if (ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert)) != 1)
        return 1;
    int64_t months = ((int64_t)days * 12 + 182) / 365;
    return RF_MAX(1, RF_MIN(months, CERT_MONTHS_MAX));
}

struct json_node *vault_cert_policy_derive(struct rf_arena *arena, X509 *cert,
                                           enum seal_material material, uint32_t bits,
                                           enum seal_format format)
{
    const char *why, *curve = vault_cert_curve(material);
    struct json_node *out = json_new(arena, JSON_T_OBJECT);
    struct json_node *key = json_object_in(arena, out, "key_props");
    struct json_node *x509 = json_object_in(arena, out, "x509_props");
    rf_str subject = vault_cert_subject_text(arena, X509_get_subject_name(cert));
    X509_NAME *name;
    json_set_text(arena, key, "kty", curve == NULL ? RF_S("RSA") : RF_S("EC"));
    if (curve != NULL) json_set_text(arena, key, "crv", rf_str_of(curve));
    if (curve == NULL) json_set_i64(arena, key, "key_size", bits);
    json_set_text(arena, json_object_in(arena, out, "secret_props"), "contentType",
                  format == SEAL_PEM ? RF_S("application/x-pem-file")
                                     : RF_S("application/x-pkcs12"));
    if (vault_cert_subject(subject, &name, &why))
        X509_NAME_free(name);
    else
        subject = RF_S("CN=imported"); /* a name that no policy can have */
    json_set_text(arena, x509, "subject", subject);
    derive_sans(arena, cert, x509);
    derive_usage(arena, cert, x509);
    if (subject.len == 0 && json_get(x509, "sans") != NULL && json_get(x509, "sans")->count == 0)
        json_set_text(arena, x509, "subject", RF_S("CN=imported"));
    json_set_i64(arena, x509, "validity_months", months_of(cert));
    struct json_node *constraints = json_object_in(arena, x509, "basic_constraints");
    json_set_bool(arena, constraints, "ca", X509_check_ca(cert) == 1);
    ERR_clear_error();
    return json_set_text(arena, json_object_in(arena, out, "issuer"), "name", RF_S("Unknown")) ==
                   NULL
               ? NULL
               : out;
}
