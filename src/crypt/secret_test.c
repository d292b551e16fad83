#define _GNU_SOURCE
#include "crypt/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "crypt/x509.h"
#include "test/rf_prop.h"

static int signal_of(void (*act)(struct rf_secret *), struct rf_secret *secret)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit instead */
        act(secret);
        _exit(0);
    }
    cr_assert(waitpid(pid, &status, 0) == pid);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void inside(struct rf_secret *s) { *(volatile uint8_t *)(s->ptr + s->len - 1) = 1; }
static void after(struct rf_secret *s) { *(volatile uint8_t *)(s->ptr + s->len) = 1; }
static void before(struct rf_secret *s) { *(volatile uint8_t *)((uint8_t *)s->base + 1) = 1; }

Test(secret, has_guard_pages)
{
    for (int memfd = 0; memfd < 2; memfd++) {
        struct rf_secret secret;
        struct rf_err err;
        cr_assert(rf_secret_init(&secret, 4096 - 16, memfd, &err) == RF_OK, "%s", err.text);
        if (memfd && secret.kind != SECRET_MEMFD)
            fprintf(stderr, "SKIP memfd_secret: %s, mlock path tested instead\n",
                    rf_secret_kind_name(secret.kind));
        for (size_t i = 0; i < secret.len; i++) cr_assert(secret.ptr[i] == 0);
        cr_expect(signal_of(inside, &secret) == 0);
        cr_expect(signal_of(after, &secret) == SIGSEGV);
        cr_expect(signal_of(before, &secret) == SIGSEGV);
        rf_secret_done(&secret);
        cr_expect(secret.ptr == NULL);
        rf_secret_done(&secret);
    }
}

Test(secret, locked_memory_is_wiped_in_children)
{
    struct rf_secret secret;
    int status;
    cr_assert(rf_secret_init(&secret, 32, false, NULL) == RF_OK);
    memset(secret.ptr, 7, 32);
    pid_t pid = fork();
    if (pid == 0) _exit(secret.ptr[0]);
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(WEXITSTATUS(status) == 0);
    cr_expect(secret.ptr[0] == 7);
    rf_secret_done(&secret);
}

/* Blocks never overlap, are aligned, keep what is written, and are wiped when freed. */
RF_PROP(secret_heap_keeps_blocks_apart, 300)
{
    enum { BLOCKS = 40, BYTES = 1 << 16 };
    static _Alignas(16) uint8_t memory[BYTES];
    struct secret_heap heap;
    struct {
        uint8_t *ptr, mark;
        size_t len;
    } blocks[BLOCKS] = {{0}};
    secret_heap_init(&heap, memory, sizeof memory);
    for (int step = 0; step < 200; step++) {
        size_t at = rf_test_below(prng, BLOCKS);
        if (blocks[at].ptr != NULL) {
            for (size_t i = 0; i < blocks[at].len; i++)
                cr_assert(blocks[at].ptr[i] == blocks[at].mark);
            uint8_t *was = blocks[at].ptr;
            secret_heap_free(&heap, was);
            for (size_t i = 0; i < blocks[at].len; i++) cr_assert(was[i] == 0);
            blocks[at].ptr = NULL;
            continue;
        }
        size_t len = rf_test_below(prng, (uint64_t)prng->size * 40) + 1;
        uint8_t *ptr = secret_heap_alloc(&heap, len);
        if (ptr == NULL) continue; /* used up */
        cr_assert((uintptr_t)ptr % 16 == 0 && secret_heap_room(ptr) >= len);
        cr_assert(ptr >= memory && ptr + len <= memory + sizeof memory);
        blocks[at].ptr = ptr;
        blocks[at].len = len;
        blocks[at].mark = (uint8_t)(1 + rf_test_below(prng, 255));
        memset(ptr, blocks[at].mark, len);
    }
}

Test(secret, heap_says_when_it_is_used_up)
{
    static _Alignas(16) uint8_t memory[4096];
    struct secret_heap heap;
    secret_heap_init(&heap, memory, sizeof memory);
    cr_expect(secret_heap_alloc(&heap, sizeof memory) == NULL);
    cr_expect(secret_heap_alloc(&heap, SIZE_MAX) == NULL);
    void *large = secret_heap_alloc(&heap, 2048);
    cr_assert(large != NULL);
    cr_expect(secret_heap_alloc(&heap, 2048) == NULL);
    secret_heap_free(&heap, large);
    cr_expect(secret_heap_alloc(&heap, 2000) == large, "it is used again");
    secret_heap_free(&heap, NULL);
}

/* 0 when all is well. */
static int use_openssl(void)
{
    enum secret_kind kind;
    struct rf_err err = {0};
    EVP_PKEY *key = NULL;
    if (secret_heap_take_openssl(2 << 20, &kind, &err) != RF_OK) return 1;
    for (int i = 0; i < 20; i++) { /* what is freed is used again */
        if (key_make(KEY_P256, &key, &err) != RF_OK) return 2;
        EVP_PKEY_free(key);
    }
    if (key_make(KEY_RSA_2048, &key, &err) != RF_OK) return 3;
    EVP_PKEY_free(key);
    if (secret_heap_take_openssl(4096, &kind, &err) != RF_INVALID) return 4;
    return strcmp(err.code, "SecretHeapLate") == 0 ? 0 : 5;
}

/* The test frame uses OpenSSL itself, so this runs in a process that it has not begun yet. */
__attribute__((constructor)) static void be_the_child(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "@openssl") == 0) _exit(use_openssl());
}

Test(secret, openssl_lives_in_it)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "secret_test", "@openssl", NULL);
        _exit(99);
    }
    cr_assert(waitpid(pid, &status, 0) == pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "%x", status);
}
