/* seal_key_crypt_test.c - what must not be encrypted or decrypted: lengths, paddings, tags; and agreement with OpenSSL's own calls. */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "test/seal_key_rig.h"

static EVP_PKEY *private_half(struct rig *rig, const char *hex)
{
    rf_str der = rig_hex(rig, hex);
    const uint8_t *at = der.ptr;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)der.len);
    cr_assert(pkey != NULL);
    return pkey;
}

static const char cannot[] = "the value cannot be decrypted: it was not made with this key and "
                             "algorithm, or was changed since";

/* The one answer, to the letter. */
static void undecryptable(struct rig *rig, struct seal_key *key, const struct seal_use *use)
{
    rf_str text = rig_refused(rig, key, use, "SealInput");
    cr_assert(rf_str_is(text, cannot), "%.*s", RF_FMT(text));
}

/* ---- RSA -------------------------------------------------------------------------------------------------------------- */

/* Anything, encrypted by OpenSSL with this padding; `hash` and `mask` for OAEP. */
static rf_str encrypted(struct rig *rig, EVP_PKEY *pkey, int padding, const char *hash,
                        const char *mask, rf_str label, rf_str value)
{
    size_t len = (size_t)EVP_PKEY_get_size(pkey);
    uint8_t *out = rf_arena_alloc(&rig->arena, len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    cr_assert(EVP_PKEY_encrypt_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1);
    if (hash != NULL)
        cr_assert(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_get_digestbyname(hash)) == 1 &&
                  EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_get_digestbyname(mask)) == 1);
    if (label.len > 0)
        cr_assert(EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, OPENSSL_memdup(label.ptr, label.len),
                                                   (int)label.len) == 1);
    cr_assert(EVP_PKEY_encrypt(ctx, out, &len, value.ptr, value.len) == 1);
    EVP_PKEY_CTX_free(ctx);
    return rf_str_make(out, len);
}

static const struct oaep_case {
    const char *algorithm, *hash;
    size_t plain_max;
} rsa_cases[] = {{"RSA1_5", NULL, 245}, {"RSA-OAEP", "SHA1", 214}, {"RSA-OAEP-256", "SHA256", 190}};

Test(seal_key_crypt, rsa_agrees_with_openssl_for_all_lengths)
{
    static uint8_t bytes[600];
    static const size_t lens[] = {0,   1,   16,  32,  64,  189, 190, 191,
                                  213, 214, 215, 244, 245, 246, 256, 600};
    static const enum seal_op pairs[][2] = {{SEAL_OP_ENCRYPT, SEAL_OP_DECRYPT},
                                            {SEAL_OP_WRAP, SEAL_OP_UNWRAP}};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    for (size_t i = 0; i < RF_COUNT(rsa_cases); i++)
        for (size_t n = 0; n < RF_COUNT(lens); n++)
            for (size_t p = 0; p < RF_COUNT(pairs); p++) {
                rf_str plain = rf_str_make(bytes, lens[n]);
                struct seal_use use = rig_use(rsa_cases[i].algorithm, pairs[p][0], plain);
                if (lens[n] > rsa_cases[i].plain_max) {
                    rig_refused(&rig, key, &use, "SealInput");
                    continue;
                }
                struct seal_use back =
                    rig_use(rsa_cases[i].algorithm, pairs[p][1], rig_apply(&rig, key, &use).value);
                cr_assert(back.value.len == 256);
                cr_assert(rf_str_eq(rig_apply(&rig, key, &back).value, plain));
                back.value = encrypted(&rig, pkey,
                                       rsa_cases[i].hash == NULL ? RSA_PKCS1_PADDING
                                                                 : RSA_PKCS1_OAEP_PADDING,
                                       rsa_cases[i].hash, rsa_cases[i].hash, RF_S(""), plain);
                cr_assert(rf_str_eq(rig_apply(&rig, key, &back).value, plain));
            }
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

Test(seal_key_crypt, every_wrong_pkcs1_padding_has_one_answer)
{
    struct rig rig;
    uint8_t padded[256];
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    struct seal_use use = rig_use("RSA1_5", SEAL_OP_DECRYPT, RF_S(""));
    /* The zero that ends the padding, at each place: below 10 there are too few bytes in front of it. */
    for (size_t zero = 1; zero <= 256; zero++) {
        memset(padded, 0x77, sizeof padded);
        padded[0] = 0;
        padded[1] = 2;
        if (zero < 256) padded[zero] = 0; /* 256: none */
        use.value =
            encrypted(&rig, pkey, RSA_NO_PADDING, NULL, NULL, RF_S(""), rf_str_make(padded, 256));
        if (zero >= 10 && zero < 256)
            cr_assert(rf_str_eq(rig_apply(&rig, key, &use).value,
                                rf_str_make(padded + zero + 1, 255 - zero)),
                      "%zu", zero);
        else
            undecryptable(&rig, key, &use);
    }
    /* A second zero behind the first belongs to the text; one within the first eight does not do. */
    padded[100] = padded[120] = 0;
    use.value =
        encrypted(&rig, pkey, RSA_NO_PADDING, NULL, NULL, RF_S(""), rf_str_make(padded, 256));
    cr_assert(rig_apply(&rig, key, &use).value.len == 155);
    for (size_t at = 2; at < 10; at++) {
        padded[at] = 0;
        use.value =
            encrypted(&rig, pkey, RSA_NO_PADDING, NULL, NULL, RF_S(""), rf_str_make(padded, 256));
        undecryptable(&rig, key, &use);
        padded[at] = 0x77;
    }
    /* Both bytes in front, with all values (the first can only be small: the modulus is not below). */
    for (unsigned first = 0; first < 3; first++)
        for (unsigned second = 0; second < 256; second++) {
            padded[0] = (uint8_t)first;
            padded[1] = (uint8_t)second;
            use.value = encrypted(&rig, pkey, RSA_NO_PADDING, NULL, NULL, RF_S(""),
                                  rf_str_make(padded, 256));
            if (first == 0 && second == 2)
                cr_assert(rig_apply(&rig, key, &use).value.len == 155);
            else
                undecryptable(&rig, key, &use);
        }
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

Test(seal_key_crypt, oaep_of_other_parameters_has_the_same_answer)
{
    static const struct {
        const char *algorithm, *hash, *mask, *label;
        bool good;
    } cases[] = {{"RSA-OAEP", "SHA1", "SHA1", "", true},
                 {"RSA-OAEP", "SHA1", "SHA256", "", false},
                 {"RSA-OAEP", "SHA256", "SHA1", "", false},
                 {"RSA-OAEP", "SHA256", "SHA256", "", false},
                 {"RSA-OAEP", "SHA1", "SHA1", "label", false},
                 {"RSA-OAEP-256", "SHA256", "SHA256", "", true},
                 {"RSA-OAEP-256", "SHA256", "SHA1", "", false},
                 {"RSA-OAEP-256", "SHA1", "SHA256", "", false},
                 {"RSA-OAEP-256", "SHA1", "SHA1", "", false},
                 {"RSA-OAEP-256", "SHA256", "SHA256", "x", false},
                 {"RSA-OAEP-256", "SHA512", "SHA512", "", false}};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO);
    EVP_PKEY *pkey = private_half(&rig, KEY_BILBO);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct seal_use use =
            rig_use(cases[i].algorithm, SEAL_OP_DECRYPT,
                    encrypted(&rig, pkey, RSA_PKCS1_OAEP_PADDING, cases[i].hash, cases[i].mask,
                              rf_str_of(cases[i].label), RF_S("plain")));
        if (cases[i].good)
            cr_assert(rf_str_is(rig_apply(&rig, key, &use).value, "plain"));
        else
            undecryptable(&rig, key, &use);
        use.algorithm = RF_S("RSA1_5");
        undecryptable(&rig, key, &use);
    }
    EVP_PKEY_free(pkey);
    seal_key_free(key);
    rig_done(&rig);
}

Test(seal_key_crypt, rsa_ciphertexts_of_other_lengths_and_ranges_have_the_same_answer)
{
    static uint8_t bytes[600];
    static const size_t lens[] = {0, 1, 128, 255, 257, 512, 600};
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_RSA, 2048, KEY_BILBO),
                    *other = rig_known(&rig, SEAL_RSA, 2048, KEY_FRODO);
    for (size_t i = 0; i < RF_COUNT(rsa_cases); i++) {
        struct seal_use use = rig_use(rsa_cases[i].algorithm, SEAL_OP_UNWRAP, RF_S(""));
        for (size_t n = 0; n < RF_COUNT(lens); n++) {
            use.value = rf_str_make(bytes, lens[n]);
            undecryptable(&rig, key, &use);
        }
        for (int fill = 0; fill < 256; fill += 51) { /* zero to above the modulus */
            uint8_t whole[256];
            memset(whole, fill, sizeof whole);
            use.value = rf_str_make(whole, sizeof whole);
            undecryptable(&rig, key, &use);
        }
        struct seal_use made = rig_use(rsa_cases[i].algorithm, SEAL_OP_WRAP, RF_S("key"));
        use.value = rig_apply(&rig, key, &made).value;
        cr_assert(rf_str_is(rig_apply(&rig, key, &use).value, "key"));
        undecryptable(&rig, other, &use);
        /* The tool is as good as new after all of it. */
        cr_assert(rf_str_is(rig_apply(&rig, key, &use).value, "key"));
    }
    seal_key_free(key);
    seal_key_free(other);
    rig_done(&rig);
}

/* ---- GCM ---------------------------------------------------------------------------------------------------------------- */

static const struct size {
    const char *key, *gcm, *cbc, *pad, *kw;
    uint32_t bits;
} sizes[] = {{KEY_COUNT_128, "A128GCM", "A128CBC", "A128CBCPAD", "A128KW", 128},
             {KEY_COUNT_192, "A192GCM", "A192CBC", "A192CBCPAD", "A192KW", 192},
             {KEY_COUNT_256, "A256GCM", "A256CBC", "A256CBCPAD", "A256KW", 256}};

Test(seal_key_crypt, gcm_makes_its_own_iv_each_time)
{
    struct rig rig;
    static uint8_t bytes[300];
    rf_str seen[64];
    rig_init(&rig);
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct seal_key *key = rig_known(&rig, SEAL_OCT, sizes[s].bits, sizes[s].key);
        for (size_t i = 0; i < RF_COUNT(seen); i++) {
            struct seal_use use = rig_use(sizes[s].gcm, SEAL_OP_ENCRYPT, rf_str_make(bytes, i * 4));
            use.aad = rf_str_make(bytes, i % 3 * 20);
            struct seal_used used = rig_apply(&rig, key, &use);
            cr_assert(used.iv.len == 12 && used.tag.len == 16 && used.value.len == use.value.len);
            seen[i] = used.iv;
            for (size_t j = 0; j < i; j++) cr_assert(!rf_str_eq(seen[i], seen[j]));
            struct seal_use back = {.op = SEAL_OP_DECRYPT,
                                    .algorithm = use.algorithm,
                                    .value = used.value,
                                    .iv = used.iv,
                                    .tag = used.tag,
                                    .aad = use.aad};
            cr_assert(rf_str_eq(rig_apply(&rig, key, &back).value, use.value));
        }
        for (size_t len = 1; len <= 32; len++) {
            struct seal_use use = rig_use(sizes[s].gcm, SEAL_OP_ENCRYPT, RF_S("value"));
            use.iv = rf_str_make(bytes, len);
            rf_str text = rig_refused(&rig, key, &use, "SealInput");
            cr_assert(rf_str_find(text, RF_S("iv"), 0) != SIZE_MAX);
        }
        seal_key_free(key);
    }
    rig_done(&rig);
}

Test(seal_key_crypt, gcm_refuses_short_tags_other_ivs_and_changes)
{
    struct rig rig;
    static uint8_t longer[32];
    rig_init(&rig);
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct seal_key *key = rig_known(&rig, SEAL_OCT, sizes[s].bits, sizes[s].key);
        struct seal_use use =
            rig_use(sizes[s].gcm, SEAL_OP_ENCRYPT, RF_S("some plaintext of 25 bytes"));
        use.aad = RF_S("about");
        struct seal_used used = rig_apply(&rig, key, &use);
        struct seal_use back = {.op = SEAL_OP_DECRYPT,
                                .algorithm = use.algorithm,
                                .value = used.value,
                                .iv = used.iv,
                                .tag = used.tag,
                                .aad = use.aad};
        for (size_t len = 0; len <= 20; len++) {
            memcpy(longer, used.tag.ptr, 16);
            back.tag = rf_str_make(longer, len);
            if (len != 16) rig_refused(&rig, key, &back, "SealInput");
        }
        back.tag = used.tag;
        for (size_t len = 0; len <= 20; len++) {
            memcpy(longer, used.iv.ptr, 12);
            back.iv = rf_str_make(longer, len);
            if (len != 12) rig_refused(&rig, key, &back, "SealInput");
        }
        back.iv = used.iv;
        rf_str *const fields[] = {&back.value, &back.iv, &back.tag, &back.aad};
        for (size_t f = 0; f < RF_COUNT(fields); f++) {
            rf_str whole = *fields[f];
            uint8_t *copy = rig_copy(&rig, whole);
            for (size_t bit = 0; bit < whole.len * 8; bit++) {
                copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
                *fields[f] = rf_str_make(copy, whole.len);
                undecryptable(&rig, key, &back);
                copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
            if (f == 0 || f == 3) { /* cut, and none at all */
                *fields[f] = rf_slice(whole, 0, whole.len - 1);
                undecryptable(&rig, key, &back);
                *fields[f] = RF_S("");
                undecryptable(&rig, key, &back);
            }
            *fields[f] = whole;
        }
        cr_assert(rf_str_eq(rig_apply(&rig, key, &back).value, use.value));
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- CBC ----------------------------------------------------------------------------------------------------------------- */

static rf_str one_shot_cbc(struct rig *rig, const struct size *size, rf_str iv, rf_str value,
                           bool padded)
{
    char name[16];
    int len = 0, rest = 0;
    uint8_t *out = rf_arena_alloc(&rig->arena, value.len + 16);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    (void)snprintf(name, sizeof name, "AES-%u-CBC", size->bits);
    cr_assert(EVP_EncryptInit_ex(ctx, EVP_get_cipherbyname(name), NULL, rig_hex(rig, size->key).ptr,
                                 iv.ptr) == 1);
    EVP_CIPHER_CTX_set_padding(ctx, padded);
    cr_assert(EVP_EncryptUpdate(ctx, out, &len, value.ptr, (int)value.len) == 1 &&
              EVP_EncryptFinal_ex(ctx, out + len, &rest) == 1);
    EVP_CIPHER_CTX_free(ctx);
    return rf_str_make(out, (size_t)(len + rest));
}

Test(seal_key_crypt, cbc_agrees_with_openssl_for_all_lengths_and_makes_a_missing_iv)
{
    struct rig rig;
    static uint8_t bytes[80];
    static const uint8_t iv[16] = "0123456789abcdef";
    rig_init(&rig);
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct seal_key *key = rig_known(&rig, SEAL_OCT, sizes[s].bits, sizes[s].key);
        for (size_t len = 0; len <= sizeof bytes; len++)
            for (int padded = 0; padded < 2; padded++) {
                const char *algorithm = padded ? sizes[s].pad : sizes[s].cbc;
                struct seal_use use = rig_use(algorithm, SEAL_OP_ENCRYPT, rf_str_make(bytes, len));
                if (!padded && (len == 0 || len % 16 != 0)) {
                    rig_refused(&rig, key, &use, "SealInput");
                    continue;
                }
                struct seal_used made = rig_apply(&rig, key, &use); /* without an iv */
                cr_assert(made.iv.len == 16 && made.tag.len == 0);
                cr_assert(rf_str_eq(made.value,
                                    one_shot_cbc(&rig, &sizes[s], made.iv, use.value, padded)));
                use.iv = rf_str_make(iv, sizeof iv);
                struct seal_used used = rig_apply(&rig, key, &use);
                cr_assert(rf_str_eq(used.iv, use.iv) && !rf_str_eq(made.iv, use.iv));
                cr_assert(rf_str_eq(used.value,
                                    one_shot_cbc(&rig, &sizes[s], use.iv, use.value, padded)));
                struct seal_use back = {.op = SEAL_OP_DECRYPT,
                                        .algorithm = use.algorithm,
                                        .value = used.value,
                                        .iv = used.iv};
                cr_assert(rf_str_eq(rig_apply(&rig, key, &back).value, use.value));
                for (size_t n = 0; n <= 17; n++) {
                    struct seal_use other = n % 2 == 0 ? back : use;
                    other.iv = rf_str_make(bytes, n);
                    if (n != 16 && (n != 0 || other.op == SEAL_OP_DECRYPT))
                        rig_refused(&rig, key, &other, "SealInput");
                }
            }
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* All last bytes, and for each padding that could be meant each of its bytes wrong. */
Test(seal_key_crypt, every_wrong_pkcs7_padding_has_one_answer)
{
    struct rig rig;
    uint8_t block[32];
    static const uint8_t iv[16];
    rig_init(&rig);
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct seal_key *key = rig_known(&rig, SEAL_OCT, sizes[s].bits, sizes[s].key);
        struct seal_use use = rig_use(sizes[s].pad, SEAL_OP_DECRYPT, RF_S(""));
        use.iv = rf_str_make(iv, sizeof iv);
        for (unsigned last = 0; last < 256; last++) {
            memset(block, (int)last, sizeof block);
            use.value =
                one_shot_cbc(&rig, &sizes[s], use.iv, rf_str_make(block, sizeof block), false);
            if (last >= 1 && last <= 16)
                cr_assert(rig_apply(&rig, key, &use).value.len == 32 - last);
            else
                undecryptable(&rig, key, &use);
            for (unsigned at = 2; at <= 16; at++) {
                block[32 - at] ^= 0x40;
                use.value =
                    one_shot_cbc(&rig, &sizes[s], use.iv, rf_str_make(block, sizeof block), false);
                if (last >= 1 && last < at && last <= 16)
                    cr_assert(rig_apply(&rig, key, &use).value.len == 32 - last);
                else
                    undecryptable(&rig, key, &use);
                block[32 - at] ^= 0x40;
            }
        }
        for (size_t len = 0; len <= 33; len++) {
            use.value = rf_str_make(block, RF_MIN(len, sizeof block));
            if (use.value.len % 16 != 0 || len == 0) undecryptable(&rig, key, &use);
            use.algorithm = rf_str_of(sizes[s].cbc);
            if (use.value.len % 16 != 0 || len == 0) undecryptable(&rig, key, &use);
            use.algorithm = rf_str_of(sizes[s].pad);
        }
        seal_key_free(key);
    }
    rig_done(&rig);
}

/* ---- key wrap -------------------------------------------------------------------------------------------------------------- */

static void wrong_wraps(struct rig *rig, struct seal_key *key, struct seal_key *other,
                        const char *algorithm, rf_str value)
{
    struct seal_use use = rig_use(algorithm, SEAL_OP_WRAP, value);
    rf_str wrapped = rig_apply(rig, key, &use).value;
    struct seal_use back = rig_use(algorithm, SEAL_OP_UNWRAP, wrapped);
    cr_assert(rf_str_eq(rig_apply(rig, key, &back).value, value));
    undecryptable(rig, other, &back);
    uint8_t *copy = rf_arena_zalloc(&rig->arena, wrapped.len + 8);
    memcpy(copy, wrapped.ptr, wrapped.len);
    for (size_t bit = 0; bit < wrapped.len * 8; bit++) {
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        back.value = rf_str_make(copy, wrapped.len);
        undecryptable(rig, key, &back);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t len = 0; len <= wrapped.len + 8; len++) {
        back.value = rf_str_make(copy, len);
        if (len != wrapped.len) undecryptable(rig, key, &back);
    }
    back.value = wrapped;
    cr_assert(rf_str_eq(rig_apply(rig, key, &back).value, value));
}

Test(seal_key_crypt, key_wrap_refuses_changes_and_other_lengths)
{
    struct rig rig;
    static uint8_t bytes[100];
    rig_init(&rig);
    for (size_t s = 0; s < RF_COUNT(sizes); s++) {
        struct seal_key *key = rig_known(&rig, SEAL_OCT, sizes[s].bits, sizes[s].key),
                        *other = rig_new(&rig, SEAL_OCT, sizes[s].bits);
        for (size_t len = 0; len <= 72; len++) {
            rf_str value = rf_str_make(bytes, len);
            bool fits = len >= 16 && len % 8 == 0;
            const char *const plain[] = {sizes[s].kw, "CKM_AES_KEY_WRAP"};
            for (size_t i = 0; i < RF_COUNT(plain); i++) {
                struct seal_use use = rig_use(plain[i], SEAL_OP_WRAP, value);
                if (fits)
                    wrong_wraps(&rig, key, other, plain[i], value);
                else
                    rig_refused(&rig, key, &use, "SealInput");
            }
            struct seal_use use = rig_use("CKM_AES_KEY_WRAP_PAD", SEAL_OP_WRAP, value);
            if (len == 0)
                rig_refused(&rig, key, &use, "SealInput");
            else if (len % 5 == 1 || fits)
                wrong_wraps(&rig, key, other, "CKM_AES_KEY_WRAP_PAD", value);
        }
        seal_key_free(key);
        seal_key_free(other);
    }
    rig_done(&rig);
}

/* RFC 5649, 3: the length within, and the zeros behind the text, with all that can be wrong. */
Test(seal_key_crypt, padded_key_wrap_refuses_wrong_lengths_within)
{
    struct rig rig;
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_OCT, 256, KEY_COUNT_256);
    rf_str secret = rig_hex(&rig, KEY_COUNT_256);
    for (uint8_t said = 0; said < 40; said++)
        for (uint8_t tail = 0; tail < 2; tail++) {
            /* The alternative initial value, and 24 bytes of which `said` are said to count. */
            uint8_t within[24], iv[8] = {0xa6, 0x59, 0x59, 0xa6, 0, 0, 0, said}, wrapped[40];
            memset(within, 0x31, sizeof within);
            if (said < 24) memset(within + said, tail, (size_t)(24 - said));
            int len = 0;
            EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
            EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
            cr_assert(EVP_EncryptInit_ex(ctx, EVP_aes_256_wrap(), NULL, secret.ptr, iv) == 1 &&
                      EVP_EncryptUpdate(ctx, wrapped, &len, within, sizeof within) == 1 &&
                      len == 32);
            EVP_CIPHER_CTX_free(ctx);
            struct seal_use use =
                rig_use("CKM_AES_KEY_WRAP_PAD", SEAL_OP_UNWRAP, rf_str_make(wrapped, 32));
            if (said > 16 && said <= 24 && (tail == 0 || said == 24))
                cr_assert(rig_apply(&rig, key, &use).value.len == said);
            else
                undecryptable(&rig, key, &use);
            use.algorithm = RF_S("CKM_AES_KEY_WRAP");
            undecryptable(&rig, key, &use);
        }
    seal_key_free(key);
    rig_done(&rig);
}

/* ---- limits ------------------------------------------------------------------------------------------------------------------ */

Test(seal_key_crypt, refuses_values_that_are_too_long_and_tells_lack_of_memory)
{
    struct rig rig;
    struct rf_arena small;
    struct seal_used used;
    rig_init(&rig);
    rf_arena_init(&small, 64);
    struct seal_key *key = rig_known(&rig, SEAL_OCT, 256, KEY_COUNT_256);
    static uint8_t bytes[(1 << 20) + 1];
    struct seal_use use = rig_use("A256GCM", SEAL_OP_ENCRYPT, rf_str_make(bytes, sizeof bytes));
    rig_refused(&rig, key, &use, "SealInput");
    use.value.len--;
    cr_assert(rig_apply(&rig, key, &use).value.len == 1 << 20);
    static const char *const algorithms[] = {"A256GCM", "A256CBC", "A256CBCPAD", "A256KW"};
    for (size_t i = 0; i < RF_COUNT(algorithms); i++) {
        use = rig_use(algorithms[i], SEAL_OP_ENCRYPT, rf_str_make(bytes, 1024));
        cr_assert(seal_key_apply(key, &use, &small, &used, &rig.err) == RF_LIMIT);
    }
    rf_arena_done(&small);
    seal_key_free(key);
    rig_done(&rig);
}
