/* What each call does when all is well, and what a head forbids. */
#include "test/vault_seal_rig.h"

#include <openssl/x509.h>

/* ---- heads ----------------------------------------------------------------------------------------------------------- */

RF_PROP(vault_seal_heads_come_back, 500)
{
    uint8_t bytes[SEAL_HEAD_BYTES];
    struct seal_head got, head = {
                              .material = (enum seal_material)rf_test_between(prng, 1, SEAL_OCT),
                              .enabled = rf_test_bool(prng),
                              .exportable = rf_test_bool(prng),
                              .managed = rf_test_bool(prng),
                              .ops = (unsigned)rf_test_below(prng, 64),
                              .bits = (uint32_t)rf_test_u64(prng),
                              .generation = rf_test_u64(prng) | 1,
                              .not_before = rf_test_i64(prng),
                              .expires = rf_test_one_in(prng, 3) ? SEAL_NO_TIME : 7,
                          };
    head.version[3] = 9;
    seal_head_put(&head, bytes);
    cr_assert(seal_head_get(rf_str_make(bytes, sizeof bytes), &got, NULL) == RF_OK);
    uint8_t again[SEAL_HEAD_BYTES];
    seal_head_put(&got, again);
    cr_assert(memcmp(bytes, again, sizeof bytes) == 0);
    cr_assert(got.material == head.material && got.enabled == head.enabled && got.ops == head.ops &&
              got.bits == head.bits && got.expires == head.expires &&
              got.not_before == head.not_before && got.generation == head.generation);
}

Test(vault_seal, odd_heads_are_refused)
{
    static const struct {
        unsigned at, value;
    } odd[] = {{0, 0}, {0, 2}, {1, 0}, {1, 8}, {2, 8}, {3, 64}, {24, 0}, {48, 1}, {63, 1}};
    struct seal_head got, head = seal_rig_head(SEAL_VALUE, 0, 1);
    uint8_t bytes[SEAL_HEAD_BYTES];
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(odd); i++) {
        seal_head_put(&head, bytes);
        bytes[odd[i].at] = (uint8_t)odd[i].value;
        cr_expect(seal_head_get(rf_str_make(bytes, sizeof bytes), &got, &err) == RF_INVALID, "%u",
                  odd[i].at);
        cr_expect_str_eq(err.code, "SealArgument");
    }
    seal_head_put(&head, bytes);
    cr_expect(seal_head_get(rf_str_make(bytes, sizeof bytes - 1), &got, &err) == RF_INVALID);
}

/* ---- secrets ----------------------------------------------------------------------------------------------------------- */

static void expect_value(struct seal_rig *r, const struct seal_ring *ring, rf_str version,
                         const char *wanted)
{
    rf_str value;
    seal_must(r, seal_open(r->keeper, r->token, ring, version, &r->arena, &value, &r->err));
    cr_expect(rf_str_is(value, wanted), "%.*s", RF_FMT(value));
}

Test(vault_seal, secrets_are_sealed_and_opened)
{
    struct seal_rig r;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed first = seal_rig_put(&r, &ring, "value one"), second;
    cr_expect(first.item_key.len == WRAPPED_KEY_BYTES && first.public_key.len == 0);
    cr_expect(first.version.len == SEAL_HEAD_BYTES + 12 + 9 + 16);
    expect_value(&r, &ring, first.version, "value one");
    /* The program itself seals a value without a token, and cannot read it. */
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 2);
    seal_must(&r, seal_put(r.keeper, (rf_str){0}, &ring, &head, RF_S("value two"), &r.arena,
                           &second, &r.err));
    cr_expect(rf_str_eq(second.item_key, ring.item_key));
    expect_value(&r, &ring, second.version, "value two");
    /* What is due or over is told by the server; a secret is given all the same. */
    head = seal_rig_head(SEAL_VALUE, 0, 3);
    head.not_before = RIG_START + 1000;
    head.expires = RIG_START - 1000;
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, RF_S("value three"), &r.arena, &second,
                           &r.err));
    expect_value(&r, &ring, second.version, "value three");
    seal_rig_restart(&r);
    expect_value(&r, &ring, first.version, "value one");
    uint8_t id[2 * SEAL_ID_BYTES + 1];
    memset(id, 0, sizeof id);
    cr_expect(seal_rig_lines(&r, "oid " RIG_OID " app " RIG_APP) >= 6);
    cr_expect_eq(seal_rig_lines(&r, "vault.open"), 4);
    cr_expect_eq(seal_rig_lines(&r, "vault.put"), 3);
    cr_expect_eq(seal_rig_lines(&r, "secret 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a version "
                                    "0101010101010101"),
                 3);
    seal_rig_done(&r);
}

Test(vault_seal, the_largest_value_fits_and_no_larger)
{
    static uint8_t large[70000];
    struct seal_rig r;
    struct sealed sealed;
    rf_str value;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    memset(large, 'x', sizeof large);
    rf_str most = rf_str_make(large, SEAL_MATERIAL_BYTES_MAX);
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, most, &r.arena, &sealed, &r.err));
    ring.item_key = sealed.item_key;
    seal_must(&r, seal_open(r.keeper, r.token, &ring, sealed.version, &r.arena, &value, &r.err));
    cr_expect(rf_str_eq(value, most));
    most.len++;
    seal_refused(&r, "SealArgument",
                 seal_put(r.keeper, r.token, &ring, &head, most, &r.arena, &sealed, &r.err));
    cr_expect(seal_put(r.keeper, r.token, &ring, &head, rf_str_make(large, sizeof large), &r.arena,
                       &sealed, &r.err) == RF_LIMIT);
    cr_expect_str_eq(r.err.code, "MessageTooLarge");
    seal_rig_done(&r);
}

/* ---- changes --------------------------------------------------------------------------------------------------------------- */

Test(vault_seal, a_change_keeps_the_material)
{
    struct seal_rig r;
    struct sealed changed;
    rf_str value;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed first = seal_rig_put(&r, &ring, "kept");
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    head.generation = 2;
    head.expires = RIG_START + 77;
    seal_must(&r, seal_change(r.keeper, r.token, &ring, first.version, &head, &r.arena, &changed,
                              &r.err));
    cr_expect(rf_str_eq(changed.item_key, ring.item_key));
    /* The server may crash before it keeps the new one: until that is opened the old one counts. */
    expect_value(&r, &ring, first.version, "kept");
    seal_must(&r, seal_change(r.keeper, r.token, &ring, first.version, &head, &r.arena, &changed,
                              &r.err));
    expect_value(&r, &ring, changed.version, "kept");
    seal_refused(&r, "SealRolledBack",
                 seal_open(r.keeper, r.token, &ring, first.version, &r.arena, &value, &r.err));
    seal_refused(
        &r, "SealRolledBack",
        seal_change(r.keeper, r.token, &ring, first.version, &head, &r.arena, &changed, &r.err));
    seal_rig_restart(&r);
    seal_refused(&r, "SealRolledBack",
                 seal_open(r.keeper, r.token, &ring, first.version, &r.arena, &value, &r.err));
    expect_value(&r, &ring, changed.version, "kept");
    seal_rig_done(&r);
}

Test(vault_seal, a_disabled_secret_is_not_given)
{
    struct seal_rig r;
    struct sealed changed;
    rf_str value;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_SECRET);
    struct sealed first = seal_rig_put(&r, &ring, "hidden");
    struct seal_head head = seal_rig_head(SEAL_VALUE, 0, 1);
    head.generation = 2;
    head.enabled = false;
    seal_must(&r, seal_change(r.keeper, r.token, &ring, first.version, &head, &r.arena, &changed,
                              &r.err));
    seal_refused(&r, "SealDisabled",
                 seal_open(r.keeper, r.token, &ring, changed.version, &r.arena, &value, &r.err));
    /* The keeper has seen it by now. */
    seal_refused(&r, "SealRolledBack",
                 seal_open(r.keeper, r.token, &ring, first.version, &r.arena, &value, &r.err));
    head.generation = 3;
    head.enabled = true;
    seal_must(&r, seal_change(r.keeper, r.token, &ring, changed.version, &head, &r.arena, &changed,
                              &r.err));
    expect_value(&r, &ring, changed.version, "hidden");
    seal_rig_done(&r);
}

Test(vault_seal, a_change_changes_no_more_than_it_may)
{
    struct seal_rig r;
    struct sealed out;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY);
    struct seal_head made = seal_rig_head(SEAL_OCT, 256, 1);
    struct sealed key = seal_rig_key(&r, &ring, &made);
    struct seal_head heads[6];
    for (size_t i = 0; i < RF_COUNT(heads); i++) {
        heads[i] = made;
        heads[i].generation = 2;
    }
    heads[0].generation = 1;
    heads[1].generation = 3;
    heads[2].material = SEAL_VALUE;
    heads[3].bits = 128;
    heads[4].exportable = true;
    heads[5].version[0] ^= 1;
    for (size_t i = 0; i < RF_COUNT(heads); i++)
        seal_refused(
            &r, "SealArgument",
            seal_change(r.keeper, r.token, &ring, key.version, &heads[i], &r.arena, &out, &r.err));
    seal_rig_done(&r);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind use(struct seal_rig *r, const struct seal_ring *ring, rf_str version,
                        const struct seal_use *what, struct seal_used *out)
{
    return seal_key_use(r->keeper, r->token, ring, version, what, &r->arena, out, &r->err);
}

Test(vault_seal, keys_of_all_types_are_made_and_used)
{
    static const struct {
        enum seal_material material;
        uint32_t bits;
        const char *signs;
        size_t digest, signature;
    } types[] = {{SEAL_RSA, 2048, "PS256", 32, 256},
                 {SEAL_P256, 0, "ES256", 32, 64},
                 {SEAL_P384, 0, "ES384", 48, 96},
                 {SEAL_P521, 0, "ES512", 64, 132},
                 {SEAL_P256K, 0, "ES256K", 32, 64}};
    static const uint8_t digest[64] = {1, 2, 3};
    struct seal_rig r;
    seal_rig_init(&r);
    for (size_t i = 0; i < RF_COUNT(types); i++) {
        struct seal_ring ring = seal_rig_ring(&r, 1, (uint8_t)(20 + i), SEAL_KEY);
        struct seal_head head = seal_rig_head(types[i].material, types[i].bits, 1);
        struct sealed key = seal_rig_key(&r, &ring, &head);
        struct seal_used made, checked;
        cr_expect(key.public_key.len > 60, "%s", types[i].signs);
        struct seal_use sign = {.op = SEAL_OP_SIGN,
                                .algorithm = rf_str_of(types[i].signs),
                                .value = rf_str_make(digest, types[i].digest)};
        /* From the seal, from the cache, and from the seal again. */
        seal_must(&r, use(&r, &ring, key.version, &sign, &made));
        seal_must(&r, use(&r, &ring, key.version, &sign, &made));
        cr_expect_eq(made.value.len, types[i].signature, "%s", types[i].signs);
        seal_rig_restart(&r);
        struct seal_use verify = sign;
        verify.op = SEAL_OP_VERIFY;
        verify.signature = made.value;
        seal_must(&r, use(&r, &ring, key.version, &verify, &checked));
        cr_expect(checked.verified, "%s", types[i].signs);
        uint8_t *spoilt = seal_rig_copy(&r, made.value);
        spoilt[9] ^= 1;
        verify.signature.ptr = spoilt;
        seal_must(&r, use(&r, &ring, key.version, &verify, &checked));
        cr_expect(!checked.verified, "%s", types[i].signs);
    }
    seal_rig_done(&r);
}

Test(vault_seal, a_symmetric_key_encrypts_and_wraps)
{
    struct seal_rig r;
    struct seal_used shut, open;
    static const uint8_t cek[32] = {9};
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    cr_expect_eq(key.public_key.len, 0);
    struct seal_use encrypt = {.op = SEAL_OP_ENCRYPT,
                               .algorithm = RF_S("A256GCM"),
                               .value = RF_S("in clear"),
                               .aad = RF_S("about")};
    seal_must(&r, use(&r, &ring, key.version, &encrypt, &shut));
    struct seal_use decrypt = encrypt;
    decrypt.op = SEAL_OP_DECRYPT;
    decrypt.value = shut.value;
    decrypt.iv = shut.iv;
    decrypt.tag = shut.tag;
    seal_must(&r, use(&r, &ring, key.version, &decrypt, &open));
    cr_expect(rf_str_is(open.value, "in clear"));
    decrypt.aad = RF_S("other");
    seal_refused(&r, "SealInput", use(&r, &ring, key.version, &decrypt, &open));
    struct seal_use wrap = {
        .op = SEAL_OP_WRAP, .algorithm = RF_S("A256KW"), .value = rf_str_make(cek, sizeof cek)};
    seal_must(&r, use(&r, &ring, key.version, &wrap, &shut));
    wrap.op = SEAL_OP_UNWRAP;
    wrap.value = shut.value;
    seal_must(&r, use(&r, &ring, key.version, &wrap, &open));
    cr_expect(rf_str_eq(open.value, rf_str_make(cek, sizeof cek)));
    seal_rig_done(&r);
}

Test(vault_seal, imported_keys_are_what_the_head_says)
{
    struct seal_rig r;
    struct sealed out;
    struct seal_used used;
    static const uint8_t bytes[32] = {5};
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_OCT, 256, 1);
    rf_str material = rf_str_make(bytes, sizeof bytes);
    seal_refused(&r, "SealToken",
                 seal_put(r.keeper, (rf_str){0}, &ring, &head, material, &r.arena, &out, &r.err));
    head.bits = 128;
    seal_refused(&r, "SealArgument",
                 seal_put(r.keeper, r.token, &ring, &head, material, &r.arena, &out, &r.err));
    head.material = SEAL_RSA;
    head.bits = 2048;
    seal_refused(&r, "SealArgument",
                 seal_put(r.keeper, r.token, &ring, &head, material, &r.arena, &out, &r.err));
    head = seal_rig_head(SEAL_OCT, 256, 1);
    seal_must(&r, seal_put(r.keeper, r.token, &ring, &head, material, &r.arena, &out, &r.err));
    ring.item_key = out.item_key;
    struct seal_use encrypt = {
        .op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A256KW"), .value = material};
    encrypt.op = SEAL_OP_WRAP;
    seal_must(&r, use(&r, &ring, out.version, &encrypt, &used));
    /* No way gives its bytes. */
    rf_str value;
    seal_refused(&r, "SealOperation",
                 seal_open(r.keeper, r.token, &ring, out.version, &r.arena, &value, &r.err));
    seal_rig_done(&r);
}

/* What the contract says of enabled, nbf, exp and key_ops (3.2). */
Test(vault_seal, heads_forbid_uses)
{
    static const struct {
        bool enabled;
        int64_t from, to; /* behind now */
        unsigned ops;
        const char *encrypt, *decrypt; /* NULL: allowed */
    } cases[] = {
        {true, -10, 10, 63, NULL, NULL},
        {false, -10, 10, 63, "SealDisabled", "SealDisabled"},
        {true, 500, 900, 63, "SealNotYet", NULL},
        {true, -20, -10, 63, "SealExpired", NULL},
        {true, -10, 10, SEAL_OP_DECRYPT | SEAL_OP_SIGN, "SealOperation", NULL},
        {true, -10, 10, SEAL_OP_ENCRYPT, NULL, "SealOperation"},
        {false, 500, 900, 0, "SealDisabled", "SealDisabled"},
    };
    struct seal_rig r;
    struct sealed changed;
    struct seal_used shut, used;
    seal_rig_init(&r);
    struct seal_ring ring = seal_rig_ring(&r, 1, 10, SEAL_KEY);
    struct seal_head head = seal_rig_head(SEAL_OCT, 128, 1);
    struct sealed key = seal_rig_key(&r, &ring, &head);
    struct seal_use encrypt = {
        .op = SEAL_OP_ENCRYPT, .algorithm = RF_S("A128GCM"), .value = RF_S("in clear")};
    seal_must(&r, use(&r, &ring, key.version, &encrypt, &shut));
    struct seal_use decrypt = {.op = SEAL_OP_DECRYPT,
                               .algorithm = RF_S("A128GCM"),
                               .value = shut.value,
                               .iv = shut.iv,
                               .tag = shut.tag};
    rf_str version = key.version;
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int64_t now = rf_clock_now(&r.clock.clock) / RF_USEC_PER_SECOND;
        head.generation++;
        head.enabled = cases[i].enabled;
        head.ops = cases[i].ops;
        head.not_before = now + cases[i].from;
        head.expires = now + cases[i].to;
        seal_must(
            &r, seal_change(r.keeper, r.token, &ring, version, &head, &r.arena, &changed, &r.err));
        version = changed.version;
        if (cases[i].encrypt == NULL)
            seal_must(&r, use(&r, &ring, version, &encrypt, &used));
        else
            seal_refused(&r, cases[i].encrypt, use(&r, &ring, version, &encrypt, &used));
        if (cases[i].decrypt == NULL)
            seal_must(&r, use(&r, &ring, version, &decrypt, &used));
        else
            seal_refused(&r, cases[i].decrypt, use(&r, &ring, version, &decrypt, &used));
    }
    seal_rig_done(&r);
}

/* ---- certificates ------------------------------------------------------------------------------------------------------------- */

/* A certificate for the key, with a signature of no account. */
static rf_str template_of(struct seal_rig *r, rf_str public_key)
{
    const uint8_t *at = public_key.ptr;
    uint8_t *der = NULL;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)public_key.len), *other = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    X509_NAME *name = X509_get_subject_name(cert);
    cr_assert(key != NULL && other != NULL);
    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 77);
    ASN1_TIME_set(X509_getm_notBefore(cert), RIG_START);
    ASN1_TIME_set(X509_getm_notAfter(cert), RIG_START + 86400);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)"x", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    X509_set_pubkey(cert, key);
    cr_assert(X509_sign(cert, other, EVP_sha256()) > 0);
    int len = i2d_X509(cert, &der);
    cr_assert(len > 0);
    rf_str out;
    cr_assert(rf_arena_str(&r->arena, rf_str_make(der, (size_t)len), &out));
    OPENSSL_free(der);
    X509_free(cert);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    return out;
}

Test(vault_seal, a_key_certifies_itself_and_goes_into_a_secret)
{
    struct seal_rig r;
    struct sealed bundle;
    rf_str der, text;
    seal_rig_init(&r);
    for (int exportable = 0; exportable < 2; exportable++) {
        struct seal_ring ring = seal_rig_ring(&r, 1, (uint8_t)(10 + exportable), SEAL_KEY),
                         secret = seal_rig_ring(&r, 1, (uint8_t)(20 + exportable), SEAL_SECRET);
        struct seal_head head = seal_rig_head(SEAL_P256, 0, 1), value;
        head.exportable = exportable == 1;
        struct sealed key = seal_rig_key(&r, &ring, &head);
        /* As the program itself does. */
        seal_must(&r, seal_certify(r.keeper, (rf_str){0}, &ring, key.version, SEAL_SIGN_SELF,
                                   (rf_str){0}, template_of(&r, key.public_key), &r.arena, &der,
                                   &r.err));
        const uint8_t *at = der.ptr;
        X509 *cert = d2i_X509(NULL, &at, (long)der.len);
        cr_assert(cert != NULL);
        cr_expect(X509_verify(cert, X509_get0_pubkey(cert)) == 1);
        X509_free(cert);
        value = seal_rig_head(SEAL_VALUE, 0, 5);
        seal_must(&r, seal_bundle(r.keeper, (rf_str){0}, &ring, key.version, der, SEAL_PEM, &secret,
                                  &value, &r.arena, &bundle, &r.err));
        secret.item_key = bundle.item_key;
        seal_must(&r,
                  seal_open(r.keeper, r.token, &secret, bundle.version, &r.arena, &text, &r.err));
        cr_expect(rf_str_find(text, RF_S("BEGIN CERTIFICATE"), 0) != SIZE_MAX);
        cr_expect((rf_str_find(text, RF_S("BEGIN PRIVATE KEY"), 0) != SIZE_MAX) ==
                  (exportable == 1));
    }
    seal_rig_done(&r);
}

/* ---- the rest -------------------------------------------------------------------------------------------------------------------- */

Test(vault_seal, random_bytes_are_given)
{
    struct seal_rig r;
    uint8_t bytes[2][128] = {{0}};
    seal_rig_init(&r);
    seal_must(&r, seal_random(r.keeper, r.token, bytes[0], 128, &r.err));
    seal_must(&r, seal_random(r.keeper, r.token, bytes[1], 128, &r.err));
    cr_expect(memcmp(bytes[0], bytes[1], 128) != 0);
    seal_must(&r, seal_random(r.keeper, r.token, bytes[0], 1, &r.err));
    seal_refused(&r, "SealArgument", seal_random(r.keeper, r.token, bytes[0], 129, &r.err));
    seal_refused(&r, "SealArgument", seal_random(r.keeper, r.token, bytes[0], 0, &r.err));
    seal_refused(&r, "SealToken", seal_random(r.keeper, (rf_str){0}, bytes[0], 1, &r.err));
    seal_rig_done(&r);
}
