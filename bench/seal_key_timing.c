/* bench/seal_key_timing.c - whether refusals of seal_key take the same time wherever the fault lies.
 *
 *   build/bench_seal_key_timing [MEASUREMENTS PER LINE]
 *
 * Two classes of inputs that must fail alike are measured in random order, each time copied to the same place; Welch's t of the two, without the slowest
 * tenth (interrupts), says how sure it is that they differ (the way of Reparaz, Balasch and Verbauwhede, "dude, is my code constant time?", 2017). Below
 * 4.5 there is nothing to see; above 10 there is. The last line compares what may differ (a wrong length is public), to show that the instrument sees.
 * Wants a quiet machine; exits with 1 when a line that must be alike is above 10. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypt/digest.h"
#include "crypt/seal_key.h"

enum { POOL = 64, BYTES_MAX = 1024, RSA_BYTES = 256, BLOCK_BYTES = 16 };

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

struct input {
    uint8_t value[BYTES_MAX], tag[64];
    size_t value_bytes, tag_bytes;
};
struct pair {
    const char *what, *algorithm;
    enum seal_op op;
    struct input inputs[2][POOL]; /* both classes */
    bool must_be_alike;
};

struct bench {
    struct seal_key *rsa, *oct;
    EVP_PKEY *pkey;
    rf_str secret; /* of oct */
    struct rf_arena arena;
    uint8_t iv[BLOCK_BYTES];
};

/* ---- measuring --------------------------------------------------------------------------------------------------------- */

/* RSA takes long enough to be put aside by the system, for which the thread's own clock does not run; asking that one is too slow for the others. */
static double elapsed(bool rsa)
{
    struct timespec now;
    clock_gettime(rsa ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double measure_once(struct bench *bench, const struct pair *pair, const struct input *from)
{
    static struct input here;
    static const uint8_t iv[12];
    struct seal_used used = {0};
    here = *from;
    struct seal_use use = {.op = pair->op,
                           .algorithm = rf_str_of(pair->algorithm),
                           .value = rf_str_make(here.value, here.value_bytes),
                           .signature = rf_str_make(here.tag, here.tag_bytes),
                           .tag = rf_str_make(here.tag, here.tag_bytes)};
    bool gcm = strstr(pair->algorithm, "GCM") != NULL;
    use.iv = gcm ? rf_str_make(iv, sizeof iv) : rf_str_make(bench->iv, sizeof bench->iv);
    bool rsa = pair->algorithm[0] == 'R';
    struct seal_key *key = rsa ? bench->rsa : bench->oct;
    double start = elapsed(rsa);
    enum rf_kind kind = seal_key_apply(key, &use, &bench->arena, &used, NULL);
    double took = elapsed(rsa) - start;
    if (kind == RF_OK && (pair->op != SEAL_OP_VERIFY || used.verified)) die("it did not fail");
    rf_arena_reset(&bench->arena);
    return took;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct summary {
    double mean, variance, count;
};

/* Of the times below `limit`. */
static struct summary summarise(const double *times, size_t count, double limit)
{
    struct summary out = {0};
    for (size_t i = 0; i < count; i++) {
        if (times[i] > limit) continue;
        double before = times[i] - out.mean;
        out.count++;
        out.mean += before / out.count;
        out.variance += before * (times[i] - out.mean);
    }
    out.variance /= out.count - 1;
    return out;
}

static double measure(struct bench *bench, const struct pair *pair, size_t count)
{
    double *times[2] = {calloc(count, sizeof(double)), calloc(count, sizeof(double))};
    double *all = calloc(2 * count, sizeof(double));
    size_t done[2] = {0, 0};
    if (times[0] == NULL || times[1] == NULL || all == NULL) die("no memory");
    for (size_t i = 0; done[0] < count || done[1] < count; i++) {
        uint8_t coin[2];
        random_bytes(coin, sizeof coin);
        unsigned class = coin[0] & 1;
        if (done[class] == count) class = 1 - class;
        double took = measure_once(bench, pair, &pair->inputs[class][coin[1] % POOL]);
        if (i > 100) times[class][done[class]++] = took; /* warm at first */
    }
    memcpy(all, times[0], count * sizeof(double));
    memcpy(all + count, times[1], count * sizeof(double));
    qsort(all, 2 * count, sizeof(double), by_size);
    double limit = all[2 * count - 2 * count / 10 - 1];
    struct summary a = summarise(times[0], count, limit), b = summarise(times[1], count, limit);
    double t = (a.mean - b.mean) / sqrt(a.variance / a.count + b.variance / b.count);
    printf("%-58s %9.0f ns %9.0f ns   t %8.2f  %s\n", pair->what, a.mean, b.mean, t,
           fabs(t) < 4.5         ? "alike"
           : fabs(t) < 10        ? "unclear: measure more"
           : pair->must_be_alike ? "DIFFERENT"
                                 : "different, as they may");
    free(times[0]);
    free(times[1]);
    free(all);
    return fabs(t);
}

/* ---- inputs ---------------------------------------------------------------------------------------------------------------- */

/* Padded bytes: `second` behind the 00, no zero until `zero_at` (none: RSA_BYTES). */
static void rsa_input(const struct bench *bench, struct input *out, uint8_t first, uint8_t second,
                      size_t zero_at)
{
    uint8_t padded[RSA_BYTES];
    size_t len = RSA_BYTES;
    random_bytes(padded, sizeof padded);
    for (size_t i = 0; i < RSA_BYTES; i++) padded[i] |= padded[i] == 0;
    padded[0] = first;
    padded[1] = second;
    if (zero_at < RSA_BYTES) padded[zero_at] = 0;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(bench->pkey, NULL);
    if (EVP_PKEY_encrypt_init(ctx) != 1 || EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) != 1 ||
        EVP_PKEY_encrypt(ctx, out->value, &len, padded, sizeof padded) != 1)
        die("cannot encrypt");
    EVP_PKEY_CTX_free(ctx);
    out->value_bytes = len;
}

/* Random blocks whose last ends in `pad`, of which the byte `wrong` from the end is another. */
static void cbc_input(struct bench *bench, struct input *out, uint8_t pad, size_t wrong)
{
    uint8_t plain[BYTES_MAX];
    struct seal_used used;
    random_bytes(plain, sizeof plain);
    for (size_t i = 1; i <= RF_MAX(pad, 1); i++)
        if (i <= BLOCK_BYTES) plain[BYTES_MAX - i] = pad;
    if (wrong > 0) plain[BYTES_MAX - wrong] ^= 0x40;
    struct seal_use use = {.op = SEAL_OP_ENCRYPT,
                           .algorithm = RF_S("A256CBC"),
                           .value = rf_str_make(plain, sizeof plain),
                           .iv = rf_str_make(bench->iv, BLOCK_BYTES)};
    if (seal_key_apply(bench->oct, &use, &bench->arena, &used, NULL) != RF_OK)
        die("cannot encrypt");
    memcpy(out->value, used.value.ptr, used.value.len);
    out->value_bytes = used.value.len;
    rf_arena_reset(&bench->arena);
}

/* A MAC that is wrong in one byte. */
static void mac_input(struct bench *bench, struct input *out, size_t wrong)
{
    struct seal_used used;
    random_bytes(out->value, 64);
    out->value_bytes = 64;
    struct seal_use use = {.op = SEAL_OP_SIGN,
                           .algorithm = RF_S("HS512"),
                           .value = rf_str_make(out->value, out->value_bytes)};
    if (seal_key_apply(bench->oct, &use, &bench->arena, &used, NULL) != RF_OK) die("cannot sign");
    memcpy(out->tag, used.value.ptr, used.value.len);
    out->tag_bytes = used.value.len;
    out->tag[wrong] ^= 1;
    rf_arena_reset(&bench->arena);
}

/* A tag of GCM that is wrong in one byte, for random bytes under the iv of zeros. */
static void gcm_input(struct bench *bench, struct input *out, size_t wrong)
{
    static const uint8_t iv[12];
    int len = 0;
    random_bytes(out->value, 64);
    uint8_t plain[64];
    memcpy(plain, out->value, sizeof plain);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    if (EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, bench->secret.ptr, iv) != 1 ||
        EVP_EncryptUpdate(ctx, out->value, &len, plain, sizeof plain) != 1 ||
        EVP_EncryptFinal_ex(ctx, plain, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, BLOCK_BYTES, out->tag) != 1)
        die("cannot encrypt");
    EVP_CIPHER_CTX_free(ctx);
    out->value_bytes = sizeof plain;
    out->tag_bytes = BLOCK_BYTES;
    out->tag[wrong] ^= 1;
}

/* ---- the lines ----------------------------------------------------------------------------------------------------------------- */

static bool run_rsa(struct bench *bench, size_t count)
{
    static struct pair pair;
    static const struct {
        const char *what;
        uint8_t first[2], second[2];
        size_t zero_at[2];
    } cases[] = {
        {"RSA1_5: block type 1 / no end of the padding", {0, 0}, {1, 2}, {100, RSA_BYTES}},
        {"RSA1_5: short padding / no end of the padding", {0, 0}, {2, 2}, {5, RSA_BYTES}},
        {"RSA1_5: first byte / second byte", {1, 0}, {2, 3}, {100, 100}},
        {"RSA1_5: first byte, end early / late", {1, 1}, {2, 2}, {12, 250}},
    };
    bool good = true;
    for (size_t c = 0; c < RF_COUNT(cases); c++) {
        pair = (struct pair){.what = cases[c].what,
                             .algorithm = "RSA1_5",
                             .op = SEAL_OP_DECRYPT,
                             .must_be_alike = true};
        for (int class = 0; class < 2; class ++)
            for (size_t i = 0; i < POOL; i++)
                rsa_input(bench, &pair.inputs[class][i], cases[c].first[class],
                          cases[c].second[class], cases[c].zero_at[class]);
        good &= measure(bench, &pair, count) < 10;
    }
    return good;
}

static bool run_cbc(struct bench *bench, size_t count)
{
    static struct pair pair;
    static const struct {
        const char *what;
        uint8_t pad[2];
        size_t wrong[2];
    } cases[] = {
        {"CBCPAD: 0 / 255 at the end", {0, 255}, {0, 0}},
        {"CBCPAD: of 16, the nearest / the farthest byte wrong", {16, 16}, {2, 16}},
        {"CBCPAD: 17 at the end / 2, one wrong", {17, 2}, {0, 2}},
    };
    bool good = true;
    for (size_t c = 0; c < RF_COUNT(cases); c++) {
        pair = (struct pair){.what = cases[c].what,
                             .algorithm = "A256CBCPAD",
                             .op = SEAL_OP_DECRYPT,
                             .must_be_alike = true};
        for (int class = 0; class < 2; class ++)
            for (size_t i = 0; i < POOL; i++)
                cbc_input(bench, &pair.inputs[class][i], cases[c].pad[class],
                          cases[c].wrong[class]);
        good &= measure(bench, &pair, 10 * count) < 10;
    }
    return good;
}

static bool run_tags(struct bench *bench, size_t count)
{
    static struct pair mac = {.what = "HS512: first / last byte wrong",
                              .algorithm = "HS512",
                              .op = SEAL_OP_VERIFY,
                              .must_be_alike = true};
    static struct pair tag = {.what = "GCM: first / last byte of the tag wrong",
                              .algorithm = "A256GCM",
                              .op = SEAL_OP_DECRYPT,
                              .must_be_alike = true};
    for (size_t i = 0; i < POOL; i++) {
        mac_input(bench, &mac.inputs[0][i], 0);
        mac_input(bench, &mac.inputs[1][i], 63);
        gcm_input(bench, &tag.inputs[0][i], 0);
        gcm_input(bench, &tag.inputs[1][i], 15);
    }
    return (measure(bench, &mac, 10 * count) < 10) & (measure(bench, &tag, 10 * count) < 10);
}

static void run_control(struct bench *bench, size_t count)
{
    static struct pair pair = {.what = "control: HS512, MAC of 64 / of 63 bytes",
                               .algorithm = "HS512",
                               .op = SEAL_OP_VERIFY};
    for (size_t i = 0; i < POOL; i++) {
        mac_input(bench, &pair.inputs[0][i], 0);
        mac_input(bench, &pair.inputs[1][i], 0);
        pair.inputs[1][i].tag_bytes = 63;
    }
    (void)measure(bench, &pair, 10 * count);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct rf_arena arena;
    rf_str material;
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    struct seal_head rsa = {.material = SEAL_RSA, .bits = 2048},
                     oct = {.material = SEAL_OCT, .bits = 256};
    rf_arena_init(&arena, 1 << 20);
    rf_arena_init(&bench.arena, 1 << 20);
    random_bytes(bench.iv, sizeof bench.iv);
    if (count < 100 || seal_key_make(&rsa, &arena, &material, NULL) != RF_OK ||
        seal_key_load(&rsa, material, &bench.rsa, NULL) != RF_OK ||
        seal_key_make(&oct, &arena, &bench.secret, NULL) != RF_OK ||
        seal_key_load(&oct, bench.secret, &bench.oct, NULL) != RF_OK)
        die("usage: bench_seal_key_timing [MEASUREMENTS, 100 at least]");
    const uint8_t *at = material.ptr;
    bench.pkey = d2i_AutoPrivateKey(NULL, &at, (long)material.len);
    bool good = run_rsa(&bench, count);
    good &= run_cbc(&bench, count);
    good &= run_tags(&bench, count);
    run_control(&bench, count);
    EVP_PKEY_free(bench.pkey);
    seal_key_free(bench.rsa);
    seal_key_free(bench.oct);
    rf_arena_done(&bench.arena);
    rf_arena_done(&arena);
    return good ? 0 : 1;
}
