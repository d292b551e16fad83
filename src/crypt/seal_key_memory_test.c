/* seal_key_memory_test.c - each allocation of OpenSSL fails in turn: the keeper's heap is bounded, and its being full must not be taken for a bad key, a
 * bad signature or a bad ciphertext. */
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "crypt/secret.h"
#include "test/seal_key_plan.h"

static long countdown; /* until the one that fails; below 1: none does */
static long alive;

static void *refuse(void)
{
    secret_heap_refuse();
    return NULL;
}

static void *test_alloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    if (countdown > 0 && --countdown == 0) return refuse();
    alive++;
    return malloc(bytes == 0 ? 1 : bytes);
}

static void test_free(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    alive -= ptr != NULL;
    free(ptr);
}

static void *test_realloc(void *old, size_t bytes, const char *file, int line)
{
    if (old == NULL) return test_alloc(bytes, file, line);
    if (countdown > 0 && --countdown == 0) return refuse();
    return realloc(old, bytes);
}

/* Before anything allocates: the test library brings other users of OpenSSL along. */
static bool taken_over;
__attribute__((constructor)) static void take_over(void)
{
    taken_over = CRYPTO_set_mem_functions(test_alloc, test_realloc, test_free) == 1;
}

/* What is tried: OK without a failure; what it gives is checked by itself. */
struct trial {
    struct rig *rig;
    enum rf_kind (*act)(struct trial *trial);
    struct seal_head head;
    rf_str material, issuer, der;
    struct seal_key *key;
    struct seal_use use;
    enum seal_sign what;
    enum seal_format format;
};

/* Lets every `step`th allocation fail. Returns how many of them ended it. */
static long each_fails(struct trial *trial, long step)
{
    long failed = 0;
    for (int warm = 0; warm < 3; warm++)
        cr_assert(trial->act(trial) == RF_OK, "%s", trial->rig->err.text);
    for (long n = 1;; n += step) {
        long before = alive;
        countdown = n;
        enum rf_kind kind = trial->act(trial);
        bool fired = countdown == 0;
        countdown = 0;
        cr_assert(kind == RF_OK || kind == RF_IO, "allocation %ld: %s: %s", n, trial->rig->err.code,
                  trial->rig->err.text);
        failed += kind == RF_IO;
        /* Something may be kept for good, or for the next time. */
        cr_assert(alive <= before + 16, "allocation %ld: %ld remain", n, alive - before);
        if (!fired) return failed;
    }
}

static enum rf_kind load(struct trial *trial)
{
    struct seal_key *key = NULL;
    enum rf_kind kind = seal_key_load(&trial->head, trial->material, &key, &trial->rig->err);
    cr_assert((kind == RF_OK) == (key != NULL));
    seal_key_free(key);
    return kind;
}

Test(seal_key_memory, loading_tells_lack_of_memory_from_a_bad_key)
{
    static const struct {
        enum seal_material material;
        uint32_t bits;
        const char *key;
        long step;
    } cases[] = {{SEAL_OCT, 256, KEY_COUNT_256, 1},
                 {SEAL_P256, 0, KEY_P256, 3},
                 {SEAL_P521, 0, KEY_P521, 17},
                 {SEAL_RSA, 2048, KEY_BILBO, 13}};
    struct rig rig;
    cr_assert(taken_over);
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct trial trial = {.rig = &rig,
                              .act = load,
                              .head = rig_head(cases[i].material, cases[i].bits),
                              .material = rig_hex(&rig, cases[i].key)};
        cr_assert(each_fails(&trial, cases[i].step) > 0);
    }
    rig_done(&rig);
}

/* With a key that is fresh, so that its tools are made as well. */
static enum rf_kind apply(struct trial *trial)
{
    struct seal_used used = {0};
    struct seal_key *key = NULL;
    long n = countdown;
    countdown = 0;
    cr_assert(seal_key_load(&trial->head, trial->material, &key, &trial->rig->err) == RF_OK);
    countdown = n;
    enum rf_kind kind =
        seal_key_apply(key, &trial->use, &trial->rig->arena, &used, &trial->rig->err);
    n = countdown;
    countdown = 0;
    if (kind == RF_OK && trial->use.op == SEAL_OP_VERIFY) cr_assert(used.verified);
    if (kind != RF_OK) { /* the key goes on working */
        used = rig_apply(trial->rig, key, &trial->use);
        cr_assert(trial->use.op != SEAL_OP_VERIFY || used.verified);
    }
    seal_key_free(key);
    countdown = n;
    return kind;
}

Test(seal_key_memory, no_operation_takes_lack_of_memory_for_bad_input)
{
    struct rig rig;
    cr_assert(taken_over);
    rig_init(&rig);
    for (size_t i = 0; i < RF_COUNT(seal_vectors); i += 2) {
        const struct seal_vector *vector = &seal_vectors[i];
        struct trial trial = {.rig = &rig,
                              .act = apply,
                              .head = rig_head(vector->material, vector->bits),
                              .material = rig_hex(&rig, vector->key)};
        trial.use = (struct seal_use){.op = vector->op,
                                      .algorithm = rf_str_of(vector->algorithm),
                                      .value = rig_hex(&rig, vector->value),
                                      .signature = rig_hex(&rig, vector->signature),
                                      .iv = rig_hex(&rig, vector->iv),
                                      .aad = rig_hex(&rig, vector->aad),
                                      .tag = rig_hex(&rig, vector->tag)};
        cr_assert(each_fails(&trial, vector->bits >= 2048 ? 7 : 2) > 0, "%s", vector->algorithm);
    }
    rig_done(&rig);
}

static enum rf_kind certify_once(struct trial *trial)
{
    rf_str out = {0};
    enum rf_kind kind = seal_key_certify(trial->key, trial->what, trial->issuer, trial->der,
                                         &trial->rig->arena, &out, &trial->rig->err);
    cr_assert((kind == RF_OK) == (out.len > 0));
    return kind;
}

static enum rf_kind bundle_once(struct trial *trial)
{
    rf_str out = {0};
    enum rf_kind kind = seal_key_bundle(trial->key, true, trial->der, trial->format,
                                        &trial->rig->arena, &out, &trial->rig->err);
    cr_assert((kind == RF_OK) == (out.len > 0));
    return kind;
}

Test(seal_key_memory, certificates_and_bundles_tell_lack_of_memory)
{
    struct rig rig;
    cr_assert(taken_over);
    rig_init(&rig);
    struct seal_key *key = rig_known(&rig, SEAL_P256, 0, KEY_P256);
    EVP_PKEY *own = public_half(&rig, key);
    rf_str ca = cert_of(&rig, &ca_plan, own), leaf = cert_of(&rig, &leaf_plan, stranger());
    struct trial self = {.rig = &rig,
                         .act = certify_once,
                         .key = key,
                         .what = SEAL_SIGN_SELF,
                         .der = ca},
                 issue = {.rig = &rig,
                          .act = certify_once,
                          .key = key,
                          .what = SEAL_SIGN_ISSUE,
                          .issuer = ca,
                          .der = leaf},
                 pfx = {.rig = &rig, .act = bundle_once, .key = key, .format = SEAL_PFX, .der = ca},
                 pem = {.rig = &rig, .act = bundle_once, .key = key, .format = SEAL_PEM, .der = ca};
    struct trial *const trials[] = {&self, &issue, &pfx, &pem};
    for (size_t i = 0; i < RF_COUNT(trials); i++)
        cr_assert(each_fails(trials[i], trials[i] == &pfx ? 41 : 3) > 0);
    EVP_PKEY_free(own);
    seal_key_free(key);
    rig_done(&rig);
}
