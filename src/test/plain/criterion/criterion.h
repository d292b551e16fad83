/* criterion.h - stands in for Criterion under the thread sanitizer, whose memory layout Criterion's
 * process sandbox cannot work with. Each test is forked, and the closing line is Criterion's. Only
 * what our tests use is here. */
#ifndef RF_TEST_PLAIN_CRITERION_H
#define RF_TEST_PLAIN_CRITERION_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Messages may be empty, and a cut one is good enough. */
#pragma GCC diagnostic ignored "-Wformat-zero-length"
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wformat-truncation"
#endif

#define PLAIN_UNUSED __attribute__((unused))

struct plain_test {
    const char *suite, *name;
    void (*run)(void);
    struct plain_test *next;
};
static struct plain_test *plain_tests;
PLAIN_UNUSED static bool plain_failed; /* by an expectation; the test went on */

struct criterion_assert_stats {
    bool passed;
    unsigned line;
    const char *file, *message;
};

PLAIN_UNUSED static void criterion_send_assert(struct criterion_assert_stats *stats)
{
    fprintf(stderr, "[----] %s:%u: Assertion Failed\n[----]   %s\n", stats->file, stats->line,
            stats->message);
}

#define PLAIN_CHECK(fatal, condition, what, ...)                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            char plain_text_[1024];                                                                \
            (void)snprintf(plain_text_, sizeof plain_text_, "" __VA_ARGS__);                       \
            struct criterion_assert_stats plain_stats_ = {                                         \
                false, __LINE__, __FILE__, plain_text_[0] != '\0' ? plain_text_ : what};           \
            criterion_send_assert(&plain_stats_);                                                  \
            plain_failed = true;                                                                   \
            if (fatal) _exit(1);                                                                   \
        }                                                                                          \
    } while (0)

#define cr_assert(c, ...) PLAIN_CHECK(true, c, #c, __VA_ARGS__)
#define cr_assert_not(c, ...) PLAIN_CHECK(true, !(c), "not " #c, __VA_ARGS__)
#define cr_assert_fail(...) PLAIN_CHECK(true, false, "failed", __VA_ARGS__)
#define cr_assert_null(p, ...) PLAIN_CHECK(true, (p) == NULL, #p " is NULL", __VA_ARGS__)
#define cr_assert_not_null(p, ...) PLAIN_CHECK(true, (p) != NULL, #p " is not NULL", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) PLAIN_CHECK(true, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) PLAIN_CHECK(true, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) PLAIN_CHECK(true, (a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) PLAIN_CHECK(true, (a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) PLAIN_CHECK(true, (a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) PLAIN_CHECK(true, (a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) PLAIN_CHECK(true, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_assert_float_eq(a, b, e, ...)                                                           \
    PLAIN_CHECK(true, fabs((double)(a) - (double)(b)) <= (double)(e), #a " is near " #b,           \
                __VA_ARGS__)
#define cr_expect(c, ...) PLAIN_CHECK(false, c, #c, __VA_ARGS__)
#define cr_expect_not(c, ...) PLAIN_CHECK(false, !(c), "not " #c, __VA_ARGS__)
#define cr_expect_fail(...) PLAIN_CHECK(false, false, "failed", __VA_ARGS__)
#define cr_expect_eq(a, b, ...) PLAIN_CHECK(false, (a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_expect_neq(a, b, ...) PLAIN_CHECK(false, (a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_expect_str_eq(a, b, ...) PLAIN_CHECK(false, strcmp(a, b) == 0, #a " is " #b, __VA_ARGS__)
#define cr_expect_float_eq(a, b, e, ...)                                                           \
    PLAIN_CHECK(false, fabs((double)(a) - (double)(b)) <= (double)(e), #a " is near " #b,          \
                __VA_ARGS__)
#define cr_skip(...) exit(77)
#define cr_skip_test(...) exit(77)
#define cr_log_info(...) (void)fprintf(stderr, __VA_ARGS__)
#define cr_log_warn(...) (void)fprintf(stderr, __VA_ARGS__)

#define Test(suite_, name_, ...)                                                                   \
    static void suite_##_##name_##_run(void);                                                      \
    __attribute__((constructor)) static void suite_##_##name_##_add(void)                          \
    {                                                                                              \
        static struct plain_test test = {#suite_, #name_, suite_##_##name_##_run, NULL};           \
        test.next = plain_tests;                                                                   \
        plain_tests = &test;                                                                       \
    }                                                                                              \
    static void suite_##_##name_##_run(void)

int main(void)
{
    unsigned tested = 0, passing = 0, skipped = 0, crashing = 0;
    for (const struct plain_test *test = plain_tests; test != NULL; test = test->next) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0) {
            test->run();
            exit(plain_failed ? 1 : 0);
        }
        int status = -1;
        if (child < 0 || waitpid(child, &status, 0) != child) return 2;
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
            skipped++;
            continue;
        }
        tested++;
        if (status == 0) {
            passing++;
            continue;
        }
        crashing += WIFSIGNALED(status);
        fprintf(stderr, "[FAIL] %s::%s: status %#x\n", test->suite, test->name, (unsigned)status);
    }
    fprintf(stderr, "[====] Synthesis: Tested: %u | Passing: %u | Failing: %u | Crashing: %u\n",
            tested, passing, tested - passing, crashing);
    return tested == passing ? 0 : 1;
}

#endif
