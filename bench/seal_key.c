/* bench/seal_key.c - what keys of vaults do in a second of processor time, beside OpenSSL's bare call.
 *
 *   build/bench_seal_key [SECONDS PER LINE]
 *
 * A line for each algorithm and operation: seal_key; the bare call with a context that is set up once and kept ("kept"), and with one that is
 * set up for each ("fresh"); seal_key against both. The three take turns, so that what else the machine does slows all alike. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/seal_key.h"

enum family { PKEY_SIGN, PKEY_VERIFY, PKEY_ENCRYPT, PKEY_DECRYPT, CIPHER, MAC };
static const struct row {
    const char *algorithm;
    enum seal_op op;
    enum seal_material material;
    uint32_t bits;
    size_t value_bytes;
    enum family family;
    int padding;
    const char *primitive; /* digest or cipher */
} rows[] = {
    {"RS256", SEAL_OP_SIGN, SEAL_RSA, 2048, 32, PKEY_SIGN, RSA_PKCS1_PADDING, "SHA256"},
    {"RS256", SEAL_OP_VERIFY, SEAL_RSA, 2048, 32, PKEY_VERIFY, RSA_PKCS1_PADDING, "SHA256"},
    {"PS256", SEAL_OP_SIGN, SEAL_RSA, 2048, 32, PKEY_SIGN, RSA_PKCS1_PSS_PADDING, "SHA256"},
    {"RS256", SEAL_OP_SIGN, SEAL_RSA, 3072, 32, PKEY_SIGN, RSA_PKCS1_PADDING, "SHA256"},
    {"RS256", SEAL_OP_SIGN, SEAL_RSA, 4096, 32, PKEY_SIGN, RSA_PKCS1_PADDING, "SHA256"},
    {"ES256", SEAL_OP_SIGN, SEAL_P256, 0, 32, PKEY_SIGN, 0, NULL},
    {"ES256", SEAL_OP_VERIFY, SEAL_P256, 0, 32, PKEY_VERIFY, 0, NULL},
    {"ES384", SEAL_OP_SIGN, SEAL_P384, 0, 48, PKEY_SIGN, 0, NULL},
    {"ES512", SEAL_OP_SIGN, SEAL_P521, 0, 64, PKEY_SIGN, 0, NULL},
    {"ES256K", SEAL_OP_SIGN, SEAL_P256K, 0, 32, PKEY_SIGN, 0, NULL},
    {"RSA-OAEP-256", SEAL_OP_ENCRYPT, SEAL_RSA, 2048, 32, PKEY_ENCRYPT, RSA_PKCS1_OAEP_PADDING,
     "SHA256"},
    {"RSA-OAEP-256", SEAL_OP_DECRYPT, SEAL_RSA, 2048, 32, PKEY_DECRYPT, RSA_PKCS1_OAEP_PADDING,
     "SHA256"},
    {"RSA1_5", SEAL_OP_DECRYPT, SEAL_RSA, 2048, 32, PKEY_DECRYPT, RSA_PKCS1_PADDING, NULL},
    {"A256GCM", SEAL_OP_ENCRYPT, SEAL_OCT, 256, 1024, CIPHER, 0, "AES-256-GCM"},
    {"A256GCM", SEAL_OP_DECRYPT, SEAL_OCT, 256, 1024, CIPHER, 0, "AES-256-GCM"},
    {"A256CBC", SEAL_OP_ENCRYPT, SEAL_OCT, 256, 1024, CIPHER, 0, "AES-256-CBC"},
    {"A256CBCPAD", SEAL_OP_DECRYPT, SEAL_OCT, 256, 1023, CIPHER, 0, "AES-256-CBC"},
    {"A256KW", SEAL_OP_WRAP, SEAL_OCT, 256, 32, CIPHER, 0, "AES-256-WRAP"},
    {"A256KW", SEAL_OP_UNWRAP, SEAL_OCT, 256, 32, CIPHER, 0, "AES-256-WRAP"},
    {"CKM_AES_KEY_WRAP_PAD", SEAL_OP_WRAP, SEAL_OCT, 256, 30, CIPHER, 0, "AES-256-WRAP-PAD"},
    {"HS256", SEAL_OP_SIGN, SEAL_OCT, 256, 1024, MAC, 0, "SHA256"},
};

struct work {
    const struct row *row;
    struct seal_key *key;
    rf_str material;
    struct seal_use use;
    struct rf_arena arena;
    EVP_PKEY *pkey;
    struct tool {
        EVP_PKEY_CTX *pkey;
        EVP_CIPHER_CTX *cipher;
        EVP_MAC_CTX *mac;
    } kept;
    uint8_t out[4096];
};

static double share = 0.5;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static void need(bool good, const char *what)
{
    if (!good) die(what);
}

/* ---- the bare calls ---------------------------------------------------------------------------------------------------- */

static void set_up_pkey(const struct work *work, EVP_PKEY_CTX *ctx)
{
    const struct row *row = work->row;
    static int (*const inits[])(EVP_PKEY_CTX *) = {
        [PKEY_SIGN] = EVP_PKEY_sign_init,
        [PKEY_VERIFY] = EVP_PKEY_verify_init,
        [PKEY_ENCRYPT] = EVP_PKEY_encrypt_init,
        [PKEY_DECRYPT] = EVP_PKEY_decrypt_init,
    };
    need(inits[row->family](ctx) == 1, "cannot set up");
    if (row->padding == 0) return;
    const EVP_MD *digest = row->primitive == NULL ? NULL : EVP_get_digestbyname(row->primitive);
    need(EVP_PKEY_CTX_set_rsa_padding(ctx, row->padding) == 1, "padding");
    if (row->padding == RSA_PKCS1_OAEP_PADDING)
        need(EVP_PKEY_CTX_set_rsa_oaep_md(ctx, digest) == 1, "digest");
    else if (digest != NULL)
        need(EVP_PKEY_CTX_set_signature_md(ctx, digest) == 1, "digest");
    if (row->padding == RSA_PKCS1_PSS_PADDING)
        need(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1, "salt");
}

static void set_up(struct work *work, struct tool *tool)
{
    const struct row *row = work->row;
    *tool = (struct tool){NULL, NULL, NULL};
    if (row->family == CIPHER) {
        EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, row->primitive, NULL);
        tool->cipher = EVP_CIPHER_CTX_new();
        EVP_CIPHER_CTX_set_flags(tool->cipher, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        need(EVP_CipherInit_ex2(tool->cipher, cipher, work->material.ptr, NULL,
                                (row->op & (SEAL_OP_ENCRYPT | SEAL_OP_WRAP)) != 0, NULL) == 1,
             "cannot set up a cipher");
        EVP_CIPHER_free(cipher);
    } else if (row->family == MAC) {
        char digest[] = "SHA256";
        OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
        EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
        tool->mac = EVP_MAC_CTX_new(mac);
        EVP_MAC_free(mac);
        need(EVP_MAC_init(tool->mac, work->material.ptr, work->material.len, params) == 1,
             "cannot set up a MAC");
    } else {
        tool->pkey = EVP_PKEY_CTX_new(work->pkey, NULL);
        set_up_pkey(work, tool->pkey);
    }
}

static void put_away(struct tool *tool)
{
    EVP_PKEY_CTX_free(tool->pkey);
    EVP_CIPHER_CTX_free(tool->cipher);
    EVP_MAC_CTX_free(tool->mac);
}

static void bare_cipher(struct work *work, EVP_CIPHER_CTX *ctx)
{
    rf_str value = work->use.value, tag = work->use.tag;
    bool gcm = strstr(work->row->primitive, "GCM") != NULL;
    bool wrap = strstr(work->row->primitive, "WRAP") != NULL;
    int len = 0, rest = 0;
    static const uint8_t zeros[16];
    const uint8_t *iv = work->use.iv.len > 0 ? work->use.iv.ptr : zeros;
    need(EVP_CipherInit_ex2(ctx, NULL, NULL, wrap ? NULL : iv, -1, NULL) == 1, "init");
    if (tag.len > 0)
        need(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, (void *)(uintptr_t)tag.ptr) == 1,
             "tag");
    need(EVP_CipherUpdate(ctx, work->out, &len, value.ptr, (int)value.len) == 1, "update");
    if (!wrap) need(EVP_CipherFinal_ex(ctx, work->out + len, &rest) == 1, "final");
    if (gcm && tag.len == 0)
        need(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, work->out + 2048) == 1, "tag");
}

/* The signature of ECDSA in DER, as the bare call wants it. */
static size_t signature_der(const struct work *work, uint8_t der[160])
{
    rf_str raw = work->use.signature;
    int half = (int)raw.len / 2;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    ECDSA_SIG_set0(pair, BN_bin2bn(raw.ptr, half, NULL), BN_bin2bn(raw.ptr + half, half, NULL));
    int len = i2d_ECDSA_SIG(pair, &der);
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

static void bare(struct work *work, struct tool *tool)
{
    rf_str value = work->use.value, signature = work->use.signature;
    size_t len = sizeof work->out;
    static uint8_t der[160];
    static size_t der_bytes;
    switch (work->row->family) {
    case PKEY_SIGN:
        need(EVP_PKEY_sign(tool->pkey, work->out, &len, value.ptr, value.len) == 1, "sign");
        break;
    case PKEY_VERIFY:
        if (work->row->padding == 0 && der_bytes == 0) der_bytes = signature_der(work, der);
        if (work->row->padding == 0) signature = rf_str_make(der, der_bytes);
        need(EVP_PKEY_verify(tool->pkey, signature.ptr, signature.len, value.ptr, value.len) == 1,
             "verify");
        break;
    case PKEY_ENCRYPT:
        need(EVP_PKEY_encrypt(tool->pkey, work->out, &len, value.ptr, value.len) == 1, "encrypt");
        break;
    case PKEY_DECRYPT:
        need(EVP_PKEY_decrypt(tool->pkey, work->out, &len, value.ptr, value.len) == 1, "decrypt");
        break;
    case CIPHER:
        bare_cipher(work, tool->cipher);
        break;
    case MAC:
        need(EVP_MAC_init(tool->mac, NULL, 0, NULL) == 1 &&
                 EVP_MAC_update(tool->mac, value.ptr, value.len) == 1 &&
                 EVP_MAC_final(tool->mac, work->out, &len, sizeof work->out) == 1,
             "MAC");
        break;
    }
}

static void with_kept(struct work *work) { bare(work, &work->kept); }

static void with_fresh(struct work *work)
{
    struct tool tool;
    set_up(work, &tool);
    bare(work, &tool);
    put_away(&tool);
}

static void with_seal(struct work *work)
{
    struct seal_used used;
    need(seal_key_apply(work->key, &work->use, &work->arena, &used, NULL) == RF_OK, "seal_key");
    rf_arena_reset(&work->arena);
}

/* ---- measuring ------------------------------------------------------------------------------------------------------------ */

static double processor_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void measure(struct work *work)
{
    enum { WAYS = 3, SLICES = 20 };
    static void (*const ways[WAYS])(struct work *) = {with_seal, with_kept, with_fresh};
    double used[WAYS] = {0}, count[WAYS] = {0};
    for (int slice = 0; slice < SLICES; slice++)
        for (int way = 0; way < WAYS; way++) {
            double from = processor_time(), now = from;
            do {
                for (int i = 0; i < 8; i++) ways[way](work);
                count[way] += 8;
                now = processor_time();
            } while (now - from < share / SLICES);
            used[way] += now - from;
        }
    for (int way = 0; way < WAYS; way++) count[way] /= used[way];
    static const char *const ops[] = {
        [SEAL_OP_ENCRYPT] = "encrypt", [SEAL_OP_DECRYPT] = "decrypt", [SEAL_OP_SIGN] = "sign",
        [SEAL_OP_VERIFY] = "verify",   [SEAL_OP_WRAP] = "wrap",       [SEAL_OP_UNWRAP] = "unwrap"};
    printf("%-20s %-8s %5u %10.0f %10.0f %10.0f  %5.2f %5.2f\n", work->row->algorithm,
           ops[work->row->op], work->row->bits, count[0], count[1], count[2], count[0] / count[1],
           count[0] / count[2]);
}

/* What is verified or decrypted is signed or encrypted at first, in `arena`. */
static void prepare_use(struct work *work, struct rf_arena *arena)
{
    static const uint8_t bytes[2048];
    const struct row *row = work->row;
    struct seal_used used;
    work->use = (struct seal_use){.op = row->op,
                                  .algorithm = rf_str_of(row->algorithm),
                                  .value = rf_str_make(bytes, row->value_bytes)};
    if ((row->op & (SEAL_OP_ENCRYPT | SEAL_OP_WRAP | SEAL_OP_SIGN)) != 0) return;
    work->use.op = (enum seal_op)(row->op >> 1);
    need(seal_key_apply(work->key, &work->use, arena, &used, NULL) == RF_OK, "prepare");
    work->use.op = row->op;
    if (row->op == SEAL_OP_VERIFY)
        work->use.signature = used.value;
    else
        work->use.value = used.value;
    work->use.iv = used.iv;
    work->use.tag = used.tag;
}

static void run(const struct row *row)
{
    static struct work work;
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    work = (struct work){.row = row};
    rf_arena_init(&work.arena, 1 << 20);
    struct seal_head head = {.material = row->material, .bits = row->bits};
    need(seal_key_make(&head, &arena, &work.material, NULL) == RF_OK, "make");
    need(seal_key_load(&head, work.material, &work.key, NULL) == RF_OK, "load");
    const uint8_t *at = work.material.ptr;
    if (row->material != SEAL_OCT)
        work.pkey = d2i_AutoPrivateKey(NULL, &at, (long)work.material.len);
    prepare_use(&work, &arena);
    set_up(&work, &work.kept);
    measure(&work);
    put_away(&work.kept);
    EVP_PKEY_free(work.pkey);
    seal_key_free(work.key);
    rf_arena_done(&work.arena);
    rf_arena_done(&arena);
}

static void measure_load(enum seal_material material, uint32_t bits, const char *name)
{
    struct rf_arena arena;
    struct seal_key *key;
    rf_str bytes;
    struct seal_head head = {.material = material, .bits = bits};
    double count = 0;
    rf_arena_init(&arena, 1 << 20);
    double from = processor_time();
    need(seal_key_make(&head, &arena, &bytes, NULL) == RF_OK, "make");
    double made = processor_time() - from, now = 0;
    from = processor_time();
    while (now < share) {
        need(seal_key_load(&head, bytes, &key, NULL) == RF_OK, "load");
        seal_key_free(key);
        count++;
        now = processor_time() - from;
    }
    printf("%-8s made in %8.2f ms (one try), loaded and checked in %7.3f ms\n", name, made * 1e3,
           now / count * 1e3);
    rf_arena_done(&arena);
}

int main(int argc, char **argv)
{
    if (argc > 1) share = strtod(argv[1], NULL) / 3;
    printf("%-20s %-8s %5s %10s %10s %10s  %5s %5s\n", "per second", "", "bits", "seal_key", "kept",
           "fresh", "/kept", "/fresh");
    for (size_t i = 0; i < RF_COUNT(rows); i++) run(&rows[i]);
    measure_load(SEAL_RSA, 2048, "RSA 2048");
    measure_load(SEAL_RSA, 4096, "RSA 4096");
    measure_load(SEAL_P256, 0, "P-256");
    measure_load(SEAL_P384, 0, "P-384");
    measure_load(SEAL_P521, 0, "P-521");
    measure_load(SEAL_P256K, 0, "P-256K");
    measure_load(SEAL_OCT, 256, "oct");
    return 0;
}
