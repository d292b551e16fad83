/* rf_prop.h - property tests on top of Criterion.
 *
 *   RF_PROP(term_split_terms_never_touch, 2000) { ... prng ... cr_assert(...); }
 *
 * runs the body 2000 times, each with another `struct rf_prng *prng` and with a size that grows
 * from 1 to RF_TEST_SIZE_MAX. The helpers below make values from prng, no larger than the size
 * suggests. The runs happen in a child process, so that a failed assertion, a signal and a
 * sanitizer's report all count. On a failure the same seed is replayed with smaller sizes, and the
 * smallest that still fails is run for Criterion to report, after a line that names both.
 *
 * Seeds are the same each time. RF_PROP_SEED=n and RF_PROP_SIZE=n in the environment replay one
 * run; RF_PROP_MORE=n runs n times as many, with other seeds. */
#ifndef RF_TEST_PROP_H
#define RF_TEST_PROP_H

#include "base/rf.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define RF_TEST_HELPER __attribute__((unused)) static

enum { RF_TEST_SIZE_MAX = 100 };

struct rf_prng {
    uint64_t state;
    uint32_t size; /* 1..RF_TEST_SIZE_MAX: how large values may get */
};

/* ---- values ---------------------------------------------------------------------------------- */

/* splitmix64: any seed is good, and the state is one number to print. */
RF_TEST_HELPER uint64_t rf_test_u64(struct rf_prng *prng)
{
    uint64_t x = prng->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* 0..count-1; count must not be 0. */
RF_TEST_HELPER uint64_t rf_test_below(struct rf_prng *prng, uint64_t count)
{
    return rf_test_u64(prng) % count;
}

RF_TEST_HELPER int64_t rf_test_between(struct rf_prng *prng, int64_t low, int64_t high)
{
    uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    uint64_t offset = count == 0 ? rf_test_u64(prng) : rf_test_below(prng, count);
    return (int64_t)((uint64_t)low + offset);
}

RF_TEST_HELPER bool rf_test_bool(struct rf_prng *prng) { return (rf_test_u64(prng) & 1) != 0; }

/* One in `n`. */
RF_TEST_HELPER bool rf_test_one_in(struct rf_prng *prng, uint64_t n)
{
    return rf_test_below(prng, n) == 0;
}

/* Whole numbers where bugs live: around 0, around powers of two, at the ends, and anywhere. */
RF_TEST_HELPER int64_t rf_test_i64(struct rf_prng *prng)
{
    static const int64_t ends[] = {0,         1,         -1,        INT32_MAX,
                                   INT32_MIN, INT64_MAX, INT64_MIN, INT64_MIN + 1};
    uint64_t near = rf_test_below(prng, 5) - 2; /* wraps: -2..2 */
    switch (rf_test_below(prng, 4)) {
    case 0:
        return ends[rf_test_below(prng, RF_COUNT(ends))];
    case 1:
        return rf_test_between(prng, -(int64_t)prng->size, prng->size);
    case 2:
        return (int64_t)((UINT64_C(1) << rf_test_below(prng, 64)) + near);
    default:
        return (int64_t)rf_test_u64(prng);
    }
}

/* Doubles of every kind: small whole numbers, fractions, any bit pattern (nan and infinities too).
 */
RF_TEST_HELPER double rf_test_real(struct rf_prng *prng)
{
    double r;
    uint64_t bits = rf_test_u64(prng);
    switch (rf_test_below(prng, 4)) {
    case 0:
        return (double)rf_test_between(prng, -(int64_t)prng->size, prng->size);
    case 1:
        return (double)rf_test_between(prng, -100000, 100000) / 1000.0;
    case 2:
        return (double)rf_test_i64(prng);
    default:
        memcpy(&r, &bits, sizeof r);
        return r;
    }
}

/* A length of 0..most, growing with the size of the run. */
RF_TEST_HELPER size_t rf_test_len(struct rf_prng *prng, size_t most)
{
    size_t cap = (size_t)((double)most * prng->size / RF_TEST_SIZE_MAX);
    return (size_t)rf_test_below(prng, RF_MAX(cap, RF_MIN(most, (size_t)prng->size)) + 1);
}

/* Up to `cap` bytes drawn from `alphabet` (NUL-terminated; NULL: any byte), written to `raw`. */
RF_TEST_HELPER rf_str rf_test_bytes(struct rf_prng *prng, uint8_t *raw, size_t cap,
                                    const char *alphabet)
{
    size_t len = rf_test_len(prng, cap), letters = alphabet == NULL ? 0 : strlen(alphabet);
    for (size_t i = 0; i < len; i++) {
        uint64_t x = rf_test_u64(prng);
        raw[i] = letters == 0 ? (uint8_t)x : (uint8_t)alphabet[x % letters];
    }
    return rf_str_make(raw, len);
}

/* Well-formed UTF-8 of up to `cap` bytes: mostly ASCII, and code points of every length. */
RF_TEST_HELPER rf_str rf_test_utf8(struct rf_prng *prng, uint8_t *raw, size_t cap)
{
    static const uint32_t tops[] = {0x7f, 0x7f, 0x7f, 0x7ff, 0xffff, 0x10ffff};
    size_t len = 0, most = rf_test_len(prng, cap);
    while (len + 4 <= most) {
        uint32_t top = tops[rf_test_below(prng, RF_COUNT(tops))];
        len += rf_utf8_put((uint32_t)rf_test_below(prng, (uint64_t)top + 1), raw + len);
    }
    return rf_str_make(raw, len);
}

/* ---- running --------------------------------------------------------------------------------- */

/* What a child tells its parent, in shared memory, so that a crash cannot lose it. */
struct rf_prop_run {
    uint64_t seed;
    uint32_t size;
};

typedef void rf_prop_body(struct rf_prng *prng);

static __attribute__((unused)) bool rf_prop_in_child;

/* A child's failed assertion ends it: Criterion's channel belongs to the parent. */
RF_TEST_HELPER void rf_prop_send_assert(struct criterion_assert_stats *stats)
{
    if (rf_prop_in_child && !stats->passed) _exit(1);
    if (!rf_prop_in_child) criterion_send_assert(stats);
}
#define criterion_send_assert(stats) rf_prop_send_assert(stats)

RF_TEST_HELPER uint64_t rf_prop_seed_of(const char *name, uint64_t run)
{
    return rf_hash_mix(rf_hash(name, strlen(name), 0), run);
}

RF_TEST_HELPER uint64_t rf_prop_number(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

/* Runs `runs` times from run `first` on, or once when `only` is given; true when all pass. */
RF_TEST_HELPER bool rf_prop_child(rf_prop_body *body, const char *name, uint64_t runs,
                                  const struct rf_prop_run *only, struct rf_prop_run *at)
{
    fflush(NULL);
    pid_t child = fork();
    cr_assert(child >= 0, "fork failed");
    if (child == 0) {
        rf_prop_in_child = true;
        /* Failures are shown once, by the parent's last run. */
        if (freopen("/dev/null", "w", stderr) == NULL) _exit(1);
        for (uint64_t i = 0; i < runs; i++) {
            at->seed = only != NULL ? only->seed : rf_prop_seed_of(name, i);
            at->size = only != NULL ? only->size : (uint32_t)(1 + i * RF_TEST_SIZE_MAX / runs);
            struct rf_prng prng = {.state = at->seed, .size = at->size};
            body(&prng);
        }
        _exit(0);
    }
    int status = 0;
    cr_assert(waitpid(child, &status, 0) == child, "waitpid failed");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

RF_TEST_HELPER void rf_prop_run(rf_prop_body *body, const char *name, uint64_t runs)
{
    struct rf_prop_run *at =
        mmap(NULL, sizeof *at, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(at != MAP_FAILED, "mmap failed");
    struct rf_prop_run failing = {.seed = rf_prop_number("RF_PROP_SEED", 0),
                                  .size =
                                      (uint32_t)rf_prop_number("RF_PROP_SIZE", RF_TEST_SIZE_MAX)};
    if (getenv("RF_PROP_SEED") == NULL) {
        bool good = rf_prop_child(body, name, runs * rf_prop_number("RF_PROP_MORE", 1), NULL, at);
        failing = *at;
        if (good) {
            munmap(at, sizeof *at);
            return;
        }
        for (uint32_t size = 1; size < failing.size; size++) {
            struct rf_prop_run smaller = {.seed = failing.seed, .size = size};
            if (rf_prop_child(body, name, 1, &smaller, at)) continue;
            failing = smaller;
            break;
        }
    }
    munmap(at, sizeof *at);
    fprintf(stderr, "property %s: replay with RF_PROP_SEED=%#llx RF_PROP_SIZE=%u\n", name,
            (unsigned long long)failing.seed, failing.size);
    struct rf_prng prng = {.state = failing.seed, .size = failing.size};
    body(&prng);
    cr_assert(getenv("RF_PROP_SEED") != NULL,
              "the property failed in a child process, but not when it was replayed");
}

#define RF_PROP(name, runs)                                                                        \
    static rf_prop_body rf_prop_##name;                                                            \
    Test(rf_prop, name) { rf_prop_run(rf_prop_##name, #name, (runs)); }                            \
    static void rf_prop_##name(__attribute__((unused)) struct rf_prng *prng)

#endif
