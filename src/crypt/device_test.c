#include "crypt/device.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509v3.h>

#include "base/encode.h"
#include "crypt/x509.h"
#include "test/rf_prop.h"

/* 2026-01-31 */
#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)
#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)

struct bench {
    struct rf_arena arena;
    EVP_PKEY *authority_key;
    rf_str authority;
    struct rf_err err;
};

static void bench_init(struct bench *b)
{
    *b = (struct bench){0};
    rf_arena_init(&b->arena, 64 << 20);
    cr_assert(key_make(KEY_P256, &b->authority_key, &b->err) == RF_OK);
    cr_assert(device_authority_make(b->authority_key, START_USEC, &b->arena, &b->authority,
                                    &b->err) == RF_OK,
              "%s", b->err.text);
}

static void bench_done(struct bench *b)
{
    EVP_PKEY_free(b->authority_key);
    rf_arena_done(&b->arena);
}

/* What a request of a test is made of. */
struct wish {
    const char *cn, *second_cn; /* NULL: none */
    size_t cn_bytes;            /* 0: cn is a text */
    const EVP_MD *md;
    EVP_PKEY *signs_with; /* NULL: its own key */
};

static rf_str request_of(struct bench *b, EVP_PKEY *key, const struct wish *wish)
{
    X509_REQ *request = X509_REQ_new();
    X509_NAME *name = X509_REQ_get_subject_name(request);
    uint8_t *bytes = NULL;
    rf_str out;
    int cn_bytes = wish->cn_bytes > 0 ? (int)wish->cn_bytes : -1;
    if (wish->cn != NULL)
        cr_assert(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                             (const uint8_t *)wish->cn, cn_bytes, -1, 0) == 1);
    if (wish->second_cn != NULL)
        cr_assert(X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8,
                                             (const uint8_t *)wish->second_cn, -1, -1, 0) == 1);
    cr_assert(X509_REQ_set_pubkey(request, key) == 1);
    cr_assert(X509_REQ_sign(request, wish->signs_with != NULL ? wish->signs_with : key, wish->md) >
              0);
    int len = i2d_X509_REQ(request, &bytes);
    cr_assert(len > 0 && rf_arena_str(&b->arena, rf_str_make(bytes, (size_t)len), &out));
    OPENSSL_free(bytes);
    X509_REQ_free(request);
    return out;
}

static EVP_PKEY *some_key(const char *what)
{
    if (strcmp(what, "rsa 1024") == 0) return EVP_RSA_gen(1024);
    if (strcmp(what, "rsa 2048") == 0) return EVP_RSA_gen(2048);
    if (strcmp(what, "ed25519") == 0) return EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    if (strcmp(what, "p256 explicit") == 0 || strcmp(what, "p256 compressed") == 0) {
        EVP_PKEY *key = EVP_EC_gen("P-256");
        bool is_form = strcmp(what, "p256 compressed") == 0;
        cr_assert(EVP_PKEY_set_utf8_string_param(key, is_form ? "point-format" : "encoding",
                                                 is_form ? "compressed" : "explicit") == 1);
        return key;
    }
    return EVP_EC_gen(what);
}

Test(device, names)
{
    static const struct {
        const char *name;
        bool good;
    } rows[] = {{"truck-7", true},      {"a", true},    {"a.b_c-9", true}, {"", false},
                {"-a", false},          {"a-", false},  {"a b", false},    {"a/b", false},
                {"caf\xc3\xa9", false}, {"a%2f", false}};
    char longest[DEVICE_NAME_BYTES_MAX + 2];
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(device_name_is_good(rf_str_of(rows[i].name)) == rows[i].good, "%s", rows[i].name);
    memset(longest, 'x', sizeof longest);
    cr_expect(device_name_is_good(rf_str_make(longest, DEVICE_NAME_BYTES_MAX)));
    cr_expect(!device_name_is_good(rf_str_make(longest, DEVICE_NAME_BYTES_MAX + 1)));
}

Test(device, keys_that_are_taken)
{
    static const struct {
        const char *key;
        enum rf_kind kind;
    } rows[] = {{"P-256", RF_OK},
                {"P-384", RF_OK},
                {"rsa 2048", RF_OK},
                {"rsa 1024", RF_INVALID},
                {"P-521", RF_INVALID},
                {"secp256k1", RF_INVALID},
                {"ed25519", RF_INVALID},
                {"p256 explicit", RF_INVALID},
                {"p256 compressed", RF_INVALID}};
    struct bench b;
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        EVP_PKEY *key = some_key(rows[i].key);
        bool is_ed = strcmp(rows[i].key, "ed25519") == 0;
        struct wish wish = {.cn = "truck-7", .md = is_ed ? NULL : EVP_sha256()};
        struct csr csr;
        enum rf_kind kind = csr_read(request_of(&b, key, &wish), &b.arena, &csr, &b.err);
        cr_expect(kind == rows[i].kind, "%s: %s", rows[i].key, kind == RF_OK ? "" : b.err.text);
        if (kind == RF_OK) cr_expect(rf_str_is(csr.common_name, "truck-7"));
        EVP_PKEY_free(key);
    }
    bench_done(&b);
}

Test(device, digests_and_names_of_requests)
{
    const struct {
        struct wish wish;
        enum rf_kind kind;
        const char *name;
    } rows[] = {
        {{.cn = "truck-7", .md = EVP_sha256()}, RF_OK, "truck-7"},
        {{.cn = "truck-7", .md = EVP_sha512()}, RF_OK, "truck-7"},
        {{.cn = "truck-7", .md = EVP_sha1()}, RF_INVALID, NULL},
        {{.cn = NULL, .md = EVP_sha256()}, RF_OK, ""},
        {{.cn = "truck-7", .second_cn = "truck-8", .md = EVP_sha256()}, RF_OK, ""},
        {{.cn = "truck-7\0evil", .cn_bytes = 12, .md = EVP_sha256()}, RF_OK, ""},
        {{.cn = "../truck-7", .md = EVP_sha256()}, RF_OK, ""},
        {{.cn = "truck-7/x", .md = EVP_sha256()}, RF_OK, ""},
    };
    struct bench b;
    bench_init(&b);
    EVP_PKEY *key = EVP_EC_gen("P-256"), *other = EVP_EC_gen("P-256");
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct csr csr;
        enum rf_kind kind = csr_read(request_of(&b, key, &rows[i].wish), &b.arena, &csr, &b.err);
        cr_expect(kind == rows[i].kind, "row %zu: %s", i, b.err.text);
        if (kind == RF_OK) cr_expect(rf_str_is(csr.common_name, rows[i].name), "row %zu", i);
    }
    /* A request for somebody else's key. */
    struct csr csr;
    struct wish stolen = {.cn = "truck-7", .md = EVP_sha256(), .signs_with = other};
    cr_expect(csr_read(request_of(&b, key, &stolen), &b.arena, &csr, &b.err) == RF_INVALID);
    cr_expect(strstr(b.err.text, "signature") != NULL, "%s", b.err.text);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    bench_done(&b);
}

Test(device, forms_of_requests)
{
    struct bench b;
    struct csr csr;
    rf_str key, pem;
    bench_init(&b);
    cr_assert(csr_make(RF_S("truck-7"), &b.arena, &key, &pem, &b.err) == RF_OK);
    cr_expect(csr_make(RF_S("a/b"), &b.arena, &key, &pem, &b.err) == RF_INVALID);
    cr_assert(rf_str_starts(key, RF_S("-----BEGIN PRIVATE KEY-----")));
    EVP_PKEY *own = EVP_EC_gen("P-256");
    struct wish wish = {.cn = "truck-7", .md = EVP_sha256()};
    rf_str der = request_of(&b, own, &wish), base64 = base64_encode(&b.arena, der);
    EVP_PKEY_free(own);
    struct rf_arena *arena = &b.arena;
    uint8_t large[CSR_BYTES_MAX + 1];
    memset(large, 'A', sizeof large);
    const struct {
        rf_str text;
        enum rf_kind kind;
    } rows[] = {
        {pem, RF_OK},
        {der, RF_OK},
        {base64, RF_OK},
        {rf_arena_printf(arena, "text in front\n%.*s", RF_FMT(pem)), RF_OK},
        {rf_arena_printf(arena,
                         "-----BEGIN NEW CERTIFICATE REQUEST-----\n%.*s\n"
                         "-----END NEW CERTIFICATE REQUEST-----\n",
                         RF_FMT(base64)),
         RF_OK},
        {rf_arena_printf(arena, "%.*s%.*s", RF_FMT(pem), RF_FMT(pem)), RF_INVALID},
        {cert_pem(arena, der), RF_INVALID},
        {rf_slice(pem, 0, pem.len - 30), RF_INVALID},
        {rf_arena_printf(arena, "%.*sAAAA", RF_FMT(base64)), RF_INVALID},
        {b.authority, RF_INVALID},
        {RF_S(""), RF_INVALID},
        {RF_S("0"), RF_INVALID},
        {RF_S("\x30\x84\xff\xff\xff\xff"), RF_INVALID},
        {RF_S("not base64 at all!"), RF_INVALID},
        {rf_str_make(large, sizeof large), RF_INVALID},
        {rf_str_make(large, CSR_BYTES_MAX), RF_INVALID},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++)
        cr_expect(csr_read(rows[i].text, arena, &csr, &b.err) == rows[i].kind, "row %zu: %s", i,
                  b.err.text);
    bench_done(&b);
}

/* Neither a shorter request nor one with any bit changed is taken. */
Test(device, a_changed_request_is_refused)
{
    struct bench b;
    struct csr csr;
    bench_init(&b);
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct wish wish = {.cn = "truck-7", .md = EVP_sha256()};
    rf_str der = request_of(&b, key, &wish);
    uint8_t copy[1024];
    cr_assert(der.len <= sizeof copy);
    for (size_t cut = 0; cut < der.len; cut++)
        cr_assert(csr_read(rf_slice(der, 0, cut), &b.arena, &csr, &b.err) == RF_INVALID, "%zu",
                  cut);
    for (size_t bit = 0; bit < der.len * 8; bit++) {
        memcpy(copy, der.ptr, der.len);
        copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert(csr_read(rf_str_make(copy, der.len), &b.arena, &csr, &b.err) == RF_INVALID,
                  "bit %zu", bit);
    }
    EVP_PKEY_free(key);
    bench_done(&b);
}

/* ---- what is issued --------------------------------------------------------------------------------------------------- */

static rf_str issue(struct bench *b, const char *name, int64_t days, struct cert_info *info)
{
    rf_str key_pem, pem, der;
    struct csr csr;
    cr_assert(csr_make(rf_str_of(name), &b->arena, &key_pem, &pem, &b->err) == RF_OK);
    cr_assert(csr_read(pem, &b->arena, &csr, &b->err) == RF_OK);
    struct device_order order = {
        .name = rf_str_of(name), .public_key = csr.public_key, .seconds = days * 86400};
    cr_assert(device_certificate_make(&order, b->authority_key, b->authority, START_USEC, &b->arena,
                                      &der, &b->err) == RF_OK,
              "%s", b->err.text);
    cr_assert(cert_read(der, &b->arena, info, &b->err) == RF_OK);
    return der;
}

Test(device, certificates_say_what_they_should)
{
    struct bench b;
    struct cert_info info, authority, other;
    bench_init(&b);
    rf_str der = issue(&b, "truck-7", 90, &info), pem = cert_pem(&b.arena, b.authority);
    cr_assert(cert_read(b.authority, &b.arena, &authority, &b.err) == RF_OK);
    cr_expect(rf_str_is(info.common_name, "truck-7"));
    cr_expect(rf_str_eq(info.issuer, authority.subject));
    cr_expect(info.not_after == START_USEC + 90 * DAY_USEC);
    cr_expect(info.serial.len == 32, "%.*s", RF_FMT(info.serial));
    (void)issue(&b, "truck-7", 90, &other);
    cr_expect(!rf_str_eq(info.serial, other.serial));
    const uint8_t *at = der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    uint32_t usage = X509_get_extended_key_usage(cert);
    cr_expect(usage == XKU_SSL_CLIENT && X509_check_ca(cert) == 0);
    cr_expect((X509_get_extension_flags(cert) & EXFLAG_CA) == 0);
    X509_free(cert);
    at = b.authority.ptr;
    cert = d2i_X509(NULL, &at, (long)b.authority.len);
    cr_expect(X509_get_pathlen(cert) == 0 && X509_check_ca(cert) == 1);
    cr_expect(X509_get_extended_key_usage(cert) == XKU_SSL_CLIENT);
    cr_expect(X509_get_ext_by_NID(cert, NID_name_constraints, -1) >= 0);
    X509_free(cert);
    /* From an hour before it was made until its last day. */
    cr_expect(cert_is_issued_by(der, pem, START_USEC));
    cr_expect(cert_is_issued_by(der, pem, START_USEC - DAY_USEC / 48));
    cr_expect(!cert_is_issued_by(der, pem, START_USEC - DAY_USEC));
    cr_expect(cert_is_issued_by(der, pem, START_USEC + 89 * DAY_USEC));
    cr_expect(!cert_is_issued_by(der, pem, START_USEC + 90 * DAY_USEC + RF_USEC_PER_SECOND));
    bench_done(&b);
}

/* Whoever had the authority's key could still not make it vouch for servers, addresses or another installation's devices. */
Test(device, the_authority_is_constrained)
{
    struct bench b;
    struct cert_info authority;
    EVP_PKEY *key;
    bench_init(&b);
    cr_assert(key_make(KEY_P256, &key, &b.err) == RF_OK);
    cr_assert(cert_read(b.authority, &b.arena, &authority, &b.err) == RF_OK);
    static const rf_str ip[] = {{(const uint8_t *)"192.0.2.1", 9}};
    struct cert_request good = {.subject_cn = RF_S("truck-7"),
                                .organization = authority.common_name,
                                .not_before = START_USEC,
                                .not_after = START_USEC + DAY_USEC,
                                .is_client = true};
    struct cert_request rows[6];
    for (size_t i = 0; i < RF_COUNT(rows); i++) rows[i] = good;
    rows[1].organization = RF_S("Ringfort devices of others");
    rows[2].organization = RF_S("");
    rows[3].ip_texts = ip, rows[3].ip_count = 1, rows[3].is_client = false;
    rows[4].is_ca = true, rows[4].is_client = false;
    rows[5].is_client = false, rows[5].dns_names = &good.subject_cn, rows[5].dns_count = 1;
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        rf_str der;
        cr_assert(cert_make(&rows[i], key, b.authority_key, b.authority, &b.arena, &der, &b.err) ==
                  RF_OK);
        bool taken = cert_is_issued_by(der, cert_pem(&b.arena, b.authority), START_USEC + 1);
        if (i != 4) {
            cr_expect(taken == (i == 0), "row %zu", i);
            continue;
        }
        /* An authority below it issues for nobody. */
        struct cert_request below = good;
        rf_str leaf,
            both = rf_arena_printf(&b.arena, "%.*s", RF_FMT(cert_pem(&b.arena, b.authority)));
        cr_assert(cert_make(&below, key, key, der, &b.arena, &leaf, &b.err) == RF_OK);
        cr_expect(!cert_is_issued_by(leaf, both, START_USEC + 1));
    }
    EVP_PKEY_free(key);
    bench_done(&b);
}

Test(device, orders_that_are_refused)
{
    struct bench b;
    struct csr csr;
    rf_str key_pem, pem, der;
    bench_init(&b);
    cr_assert(csr_make(RF_S("truck-7"), &b.arena, &key_pem, &pem, &b.err) == RF_OK);
    cr_assert(csr_read(pem, &b.arena, &csr, &b.err) == RF_OK);
    int64_t most = INT64_C(86400) * DEVICE_CERTIFICATE_DAYS_MAX;
    const struct {
        rf_str name, key;
        int64_t seconds;
        enum rf_kind kind;
    } rows[] = {{RF_S("truck-7"), csr.public_key, most, RF_OK},
                {RF_S("truck-7"), csr.public_key, most + 1, RF_INVALID},
                {RF_S("truck-7"), csr.public_key, 0, RF_INVALID},
                {RF_S("truck-7"), csr.public_key, INT64_MIN, RF_INVALID},
                {RF_S("truck-7"), csr.public_key, INT64_MAX, RF_INVALID},
                {RF_S("a/b"), csr.public_key, 60, RF_INVALID},
                {RF_S(""), csr.public_key, 60, RF_INVALID},
                {RF_S("truck-7"), RF_S(""), 60, RF_INVALID},
                {RF_S("truck-7"), rf_slice(csr.public_key, 0, 90), 60, RF_INVALID}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct device_order order = {rows[i].name, rows[i].key, rows[i].seconds};
        cr_expect(device_certificate_make(&order, b.authority_key, b.authority, START_USEC,
                                          &b.arena, &der, &b.err) == rows[i].kind,
                  "row %zu", i);
    }
    /* Never longer than the authority itself. */
    struct device_order order = {RF_S("truck-7"), csr.public_key, most};
    struct cert_info info, authority;
    rf_usec late = START_USEC + (DEVICE_AUTHORITY_DAYS - 1) * DAY_USEC;
    cr_assert(device_certificate_make(&order, b.authority_key, b.authority, late, &b.arena, &der,
                                      &b.err) == RF_OK);
    cr_assert(cert_read(der, &b.arena, &info, &b.err) == RF_OK);
    cr_assert(cert_read(b.authority, &b.arena, &authority, &b.err) == RF_OK);
    cr_expect(info.not_after == authority.not_after);
    bench_done(&b);
}

Test(device, pkcs7_holds_the_certificates)
{
    struct bench b;
    struct cert_info info;
    rf_str out;
    bench_init(&b);
    rf_str ders[] = {issue(&b, "truck-7", 90, &info), b.authority};
    cr_assert(certs_pkcs7(ders, 2, &b.arena, &out, &b.err) == RF_OK);
    const uint8_t *at = out.ptr;
    PKCS7 *read = d2i_PKCS7(NULL, &at, (long)out.len);
    cr_assert(read != NULL && PKCS7_type_is_signed(read));
    cr_expect(sk_X509_num(read->d.sign->cert) == 2);
    cr_expect(sk_PKCS7_SIGNER_INFO_num(read->d.sign->signer_info) == 0);
    PKCS7_free(read);
    bench_done(&b);
}

Test(device, serials_as_people_write_them)
{
    static const struct {
        const char *text, *serial; /* NULL: none */
    } rows[] = {{"4A1F", "4a1f"}, {"4a:1f", "4a1f"}, {"0x004A1F", "4a1f"}, {" 4a1f\n", "4a1f"},
                {"0", "0"},       {"000", "0"},      {"", NULL},           {"4g", NULL},
                {":", NULL},      {":4a", NULL},     {"0x", NULL},         {"4a 1f", NULL}};
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        rf_str out;
        bool good = cert_serial(&arena, rf_str_of(rows[i].text), &out);
        cr_expect(good == (rows[i].serial != NULL), "'%s'", rows[i].text);
        if (good) cr_expect(rf_str_is(out, rows[i].serial), "'%s'", rows[i].text);
    }
    rf_arena_done(&arena);
}
