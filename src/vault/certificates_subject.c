/* certificates_subject.c - subjects and alternative names as text (RFC 4514, contract 6.1). */
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "vault/certificates_int.h"

enum { PARTS_MAX = 32, VALUE_BYTES_MAX = 512, NAME_BYTES_MAX = 253, OID_BYTES_MAX = 128 };
#define UPN_OID "1.3.6.1.4.1.311.20.2.3"

/* ---- subjects ---------------------------------------------------------------------------------------------------------- */

struct part {
    int nid;
    ASN1_OBJECT *object; /* when nid is none */
    uint8_t value[VALUE_BYTES_MAX];
    size_t bytes;
    bool joined; /* to the one before, with + */
};

struct reader {
    rf_str text;
    size_t at;
    const char *why;
};

static bool wrong(struct reader *r, const char *why)
{
    r->why = why;
    return false;
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->text.len && r->text.ptr[r->at] == ' ') r->at++;
}

static bool is_at(const struct reader *r, const char *any)
{
    return r->at < r->text.len && strchr(any, r->text.ptr[r->at]) != NULL &&
           r->text.ptr[r->at] != '\0';
}

bool vault_cert_is_oid(rf_str text)
{
    bool dot = false, digit = false;
    if (text.len > OID_BYTES_MAX) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '.') {
            if (!digit) return false;
            dot = true;
            digit = false;
        } else if (rf_is_digit(text.ptr[i])) {
            digit = true;
        } else {
            return false;
        }
    }
    return dot && digit;
}

static bool set_type(struct reader *r, rf_str name, struct part *part)
{
    static const struct {
        const char *name;
        int nid;
    } known[] = {{"CN", NID_commonName},
                 {"O", NID_organizationName},
                 {"OU", NID_organizationalUnitName},
                 {"L", NID_localityName},
                 {"ST", NID_stateOrProvinceName},
                 {"S", NID_stateOrProvinceName},
                 {"C", NID_countryName},
                 {"STREET", NID_streetAddress},
                 {"DC", NID_domainComponent},
                 {"UID", NID_userId},
                 {"E", NID_pkcs9_emailAddress},
                 {"EMAIL", NID_pkcs9_emailAddress},
                 {"EMAILADDRESS", NID_pkcs9_emailAddress},
                 {"SERIALNUMBER", NID_serialNumber},
                 {"T", NID_title},
                 {"TITLE", NID_title},
                 {"G", NID_givenName},
                 {"GN", NID_givenName},
                 {"SN", NID_surname},
                 {"I", NID_initials},
                 {"INITIALS", NID_initials},
                 {"POSTALCODE", NID_postalCode},
                 {"DESCRIPTION", NID_description},
                 {"DNQUALIFIER", NID_dnQualifier},
                 {"PSEUDONYM", NID_pseudonym}};
    if (name.len > 4 && rf_str_eq_nocase(rf_slice(name, 0, 4), RF_S("OID.")))
        name = rf_slice(name, 4, name.len);
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (rf_str_eq_nocase(name, rf_str_of(known[i].name))) {
            part->nid = known[i].nid;
            return true;
        }
    if (!vault_cert_is_oid(name)) return wrong(r, "has a part of a type that is not known");
    char text[OID_BYTES_MAX + 1];
    memcpy(text, name.ptr, name.len);
    text[name.len] = '\0';
    part->object = OBJ_txt2obj(text, 1);
    return part->object != NULL || wrong(r, "has an object identifier that is none");
}

static bool add_byte(struct reader *r, struct part *part, uint8_t byte)
{
    if (part->bytes == sizeof part->value) return wrong(r, "has a value that is too long");
    part->value[part->bytes++] = byte;
    return true;
}

static int hex_of(uint8_t c)
{
    return rf_is_digit(c)                           ? c - '0'
           : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                    : -1;
}

/* Behind a backslash: two hex digits, or any other character as it is. */
static bool read_escaped(struct reader *r, struct part *part)
{
    if (r->at == r->text.len) return wrong(r, "ends in a backslash");
    int high = hex_of(r->text.ptr[r->at]);
    int low = r->at + 1 < r->text.len ? hex_of(r->text.ptr[r->at + 1]) : -1;
    if (high >= 0 && low >= 0) {
        r->at += 2;
        return add_byte(r, part, (uint8_t)(high << 4 | low));
    }
    if (rf_is_alnum(r->text.ptr[r->at])) return wrong(r, "has a backslash before a letter");
    return add_byte(r, part, r->text.ptr[r->at++]);
}

/* In quotes; a quote is written twice, or behind a backslash. */
static bool read_quoted(struct reader *r, struct part *part)
{
    while (r->at < r->text.len) {
        uint8_t c = r->text.ptr[r->at++];
        if (c == '\\') {
            if (!read_escaped(r, part)) return false;
        } else if (c != '"') {
            if (!add_byte(r, part, c)) return false;
        } else if (is_at(r, "\"")) {
            r->at++;
            if (!add_byte(r, part, '"')) return false;
        } else {
            skip_blanks(r);
            return r->at == r->text.len || is_at(r, ",;+") ||
                   wrong(r, "has something behind a closing quote");
        }
    }
    return wrong(r, "has a quote that is not closed");
}

static bool read_plain(struct reader *r, struct part *part)
{
    size_t kept = 0; /* blanks at the end do not count, unless they were escaped */
    while (r->at < r->text.len && !is_at(r, ",;+")) {
        uint8_t c = r->text.ptr[r->at++];
        if (c == '"' || c == '=' || c == '<' || c == '>')
            return wrong(r, "has one of \" = < > in a value: put the value in quotes");
        if (!(c == '\\' ? read_escaped(r, part) : add_byte(r, part, c))) return false;
        if (c != ' ') kept = part->bytes;
    }
    part->bytes = kept;
    return true;
}

static bool read_part(struct reader *r, struct part *part)
{
    skip_blanks(r);
    size_t from = r->at;
    while (r->at < r->text.len && !is_at(r, "=,;+\"")) r->at++;
    if (!is_at(r, "=")) return wrong(r, "needs parts such as CN=example.org, with commas between");
    if (!set_type(r, rf_str_trim(rf_slice(r->text, from, r->at)), part)) return false;
    r->at++;
    skip_blanks(r);
    bool quoted = is_at(r, "\"");
    if (quoted) r->at++;
    if (!(quoted ? read_quoted(r, part) : read_plain(r, part))) return false;
    if (part->bytes == 0) return wrong(r, "has a part without a value");
    rf_str value = rf_str_make(part->value, part->bytes);
    if (!rf_utf8_valid(value) || memchr(part->value, 0, part->bytes) != NULL)
        return wrong(r, "has a value that is no text");
    return true;
}

static bool read_parts(struct reader *r, struct part *parts, uint32_t *count)
{
    bool joined = false;
    for (;;) {
        if (*count == PARTS_MAX) return wrong(r, "has more than 32 parts");
        struct part *part = &parts[(*count)++];
        part->joined = joined;
        if (!read_part(r, part)) return false;
        if (r->at == r->text.len) return true;
        joined = is_at(r, "+");
        r->at++;
    }
}

static bool add_part(struct reader *r, X509_NAME *name, const struct part *part, int set)
{
    int good = part->object != NULL
                   ? X509_NAME_add_entry_by_OBJ(name, part->object, MBSTRING_UTF8, part->value,
                                                (int)part->bytes, -1, set)
                   : X509_NAME_add_entry_by_NID(name, part->nid, MBSTRING_UTF8, part->value,
                                                (int)part->bytes, -1, set);
    return good == 1 || wrong(r, "has a value that its type does not take (C has 2 letters, CN at "
                                 "most 64 characters)");
}

/* X.509 has them the other way round (RFC 4514, 2.1); those that + joins stay together. */
static bool add_parts(struct reader *r, X509_NAME *name, const struct part *parts, uint32_t count)
{
    for (uint32_t end = count; end > 0;) {
        uint32_t from = end - 1;
        while (parts[from].joined) from--;
        for (uint32_t i = from; i < end; i++)
            if (!add_part(r, name, &parts[i], i == from ? 0 : -1)) return false;
        end = from;
    }
    return true;
}

bool vault_cert_subject(rf_str text, X509_NAME **out, const char **why)
{
    struct reader r = {.text = text, .why = "cannot be read: too little memory"};
    X509_NAME *name = X509_NAME_new();
    struct part *parts = OPENSSL_zalloc(PARTS_MAX * sizeof *parts);
    uint32_t count = 0;
    bool good = name != NULL && parts != NULL;
    if (good && text.len > CERT_SUBJECT_BYTES_MAX) good = wrong(&r, "is too long");
    if (good && rf_str_trim(text).len > 0)
        good = read_parts(&r, parts, &count) && add_parts(&r, name, parts, count);
    for (uint32_t i = 0; i < count; i++) ASN1_OBJECT_free(parts[i].object);
    OPENSSL_free(parts);
    ERR_clear_error();
    if (good) {
        *out = name;
        return true;
    }
    X509_NAME_free(name);
    *why = r.why;
    return false;
}

rf_str vault_cert_subject_text(struct rf_arena *arena, const X509_NAME *name)
{
    static const unsigned long flags =
        (ASN1_STRFLGS_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB) | XN_FLAG_SEP_CPLUS_SPC |
        XN_FLAG_DN_REV | XN_FLAG_FN_SN | XN_FLAG_DUMP_UNKNOWN_FIELDS;
    rf_str out = {0};
    char *text;
    BIO *bio = BIO_new(BIO_s_mem());
    if (bio != NULL && X509_NAME_print_ex(bio, name, 0, flags) >= 0) {
        long len = BIO_get_mem_data(bio, &text);
        if (!rf_arena_str(arena, rf_str_make(text, (size_t)len), &out)) out = (rf_str){0};
    }
    BIO_free(bio);
    ERR_clear_error();
    return out;
}

/* ---- alternative names ------------------------------------------------------------------------------------------------------ */

static bool is_dns(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && memchr("-._*", text.ptr[i], 4) == NULL) return false;
    return text.len > 0 && text.len <= NAME_BYTES_MAX && text.ptr[0] != '.';
}

static bool is_visible(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] >= 0x7f) return false;
    return text.len > 0 && text.len <= VALUE_BYTES_MAX;
}

static bool is_email(rf_str text)
{
    size_t at = rf_str_find(text, RF_S("@"), 0);
    return is_visible(text) && at != SIZE_MAX && at > 0 && at + 1 < text.len &&
           rf_str_find(text, RF_S("@"), at + 1) == SIZE_MAX;
}

static bool is_uri(rf_str text)
{
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    return is_visible(text) && colon != SIZE_MAX && colon > 0 && rf_is_alpha(text.ptr[0]);
}

static bool is_upn(rf_str text)
{
    return text.len > 0 && text.len <= VALUE_BYTES_MAX && rf_utf8_valid(text) &&
           memchr(text.ptr, 0, text.len) == NULL;
}

static ASN1_STRING *text_value(int type, rf_str text)
{
    ASN1_STRING *string = ASN1_STRING_type_new(type);
    if (string != NULL && ASN1_STRING_set(string, text.ptr, (int)text.len) == 1) return string;
    ASN1_STRING_free(string);
    return NULL;
}

static bool set_text_name(GENERAL_NAME *name, int type, rf_str text)
{
    ASN1_STRING *string = text_value(V_ASN1_IA5STRING, text);
    if (string == NULL) return false;
    GENERAL_NAME_set0_value(name, type, string);
    return true;
}

static bool set_address(GENERAL_NAME *name, rf_str text)
{
    char copy[64];
    if (text.len == 0 || text.len >= sizeof copy || memchr(text.ptr, 0, text.len) != NULL)
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    ASN1_OCTET_STRING *bytes = a2i_IPADDRESS(copy);
    if (bytes == NULL) return false;
    GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
    return true;
}

static bool set_upn(GENERAL_NAME *name, rf_str text)
{
    ASN1_OBJECT *type = OBJ_txt2obj(UPN_OID, 1);
    ASN1_STRING *string = text_value(V_ASN1_UTF8STRING, text);
    ASN1_TYPE *value = ASN1_TYPE_new();
    if (type != NULL && string != NULL && value != NULL) {
        ASN1_TYPE_set(value, V_ASN1_UTF8STRING, string);
        if (GENERAL_NAME_set0_othername(name, type, value) == 1) return true;
        string = NULL;
    }
    ASN1_OBJECT_free(type);
    ASN1_STRING_free(string);
    ASN1_TYPE_free(value);
    return false;
}

enum sort { DNS, EMAIL, UPN, URI, ADDRESS };
static const struct {
    const char *member, *why;
} sorts[] = {
    [DNS] = {"dns_names", "dns_names holds something that is no host name"},
    [EMAIL] = {"emails", "emails holds something that is no mail address"},
    [UPN] = {"upns", "upns holds something that is no principal's name"},
    [URI] = {"uris", "uris holds something that is no URI"},
    [ADDRESS] = {"ipAddresses", "ipAddresses holds something that is no IP address"},
};

static bool set_name(GENERAL_NAME *name, enum sort sort, rf_str text)
{
    switch (sort) {
    case DNS:
        return is_dns(text) && set_text_name(name, GEN_DNS, text);
    case EMAIL:
        return is_email(text) && set_text_name(name, GEN_EMAIL, text);
    case UPN:
        return is_upn(text) && set_upn(name, text);
    case URI:
        return is_uri(text) && set_text_name(name, GEN_URI, text);
    case ADDRESS:
        return set_address(name, text);
    }
    return false;
}

static bool add_name(GENERAL_NAMES *names, enum sort sort, const struct json_node *item)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (name != NULL && item->type == JSON_T_STRING && set_name(name, sort, item->text) &&
        sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

static bool add_sort(GENERAL_NAMES *names, const struct json_node *sans, enum sort sort,
                     const char **why)
{
    const struct json_node *list = json_get(sans, sorts[sort].member);
    if (list == NULL || list->type == JSON_T_NULL) return true;
    *why = "lists of names are arrays of at most 100 texts";
    if (list->type != JSON_T_ARRAY || list->count > CERT_NAMES_MAX) return false;
    *why = sorts[sort].why;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (!add_name(names, sort, item)) return false;
    return true;
}

GENERAL_NAMES *vault_cert_sans(const struct json_node *sans, const char **why)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool good = names != NULL;
    for (size_t i = 0; good && i < RF_COUNT(sorts); i++)
        good = add_sort(names, sans, (enum sort)i, why);
    if (good) *why = NULL;
    ERR_clear_error();
    if (good && sk_GENERAL_NAME_num(names) > 0) return names;
    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return NULL;
}
