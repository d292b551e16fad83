#define _GNU_SOURCE
#include "crypt/secret.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* Debian 12's headers of libc lack the number. */
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

/* ---- pages ------------------------------------------------------------------------------------------------------------- */

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Puts pages of memfd_secret at `at`. */
static bool map_memfd(void *at, size_t len)
{
    int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
    if (fd < 0) return false;
    /* The pages are locked as they come: those that are missing show here, not later as a signal. */
    bool good =
        ftruncate(fd, (off_t)len) == 0 &&
        mmap(at, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == at;
    close(fd);
    return good;
}

static bool map_plain(void *at, size_t len)
{
    return mmap(at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
               at &&
           madvise(at, len, MADV_DONTDUMP) == 0 && madvise(at, len, MADV_WIPEONFORK) == 0;
}

enum rf_kind rf_secret_init(struct rf_secret *secret, size_t len, bool memfd, struct rf_err *err)
{
    size_t page = page_bytes(), padded, total;
    if (!rf_add_size(len, page - 1, &padded) || !rf_add_size(padded, 2 * page, &total))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "memory for secrets");
    padded = padded / page * page;
    total = padded + 2 * page;
    uint8_t *base = mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "memory for secrets");
    uint8_t *inside = base + page;
    enum secret_kind kind = SECRET_MEMFD;
    if (!memfd || !map_memfd(inside, padded)) {
        if (!map_plain(inside, padded)) {
            munmap(base, total);
            return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "memory for secrets");
        }
        kind = mlock(inside, padded) == 0 ? SECRET_LOCKED : SECRET_PLAIN;
    }
    /* At the end of its pages, as far as alignment lets it: what runs over meets the guard page. */
    size_t aligned = (len + 15) / 16 * 16;
    *secret = (struct rf_secret){.ptr = inside + padded - aligned,
                                 .len = len,
                                 .kind = kind,
                                 .base = base,
                                 .base_bytes = total};
    return RF_OK;
}

void rf_secret_done(struct rf_secret *secret)
{
    if (secret->base == NULL) return;
    OPENSSL_cleanse(secret->ptr, secret->len);
    munmap(secret->base, secret->base_bytes);
    *secret = (struct rf_secret){0};
}

const char *rf_secret_kind_name(enum secret_kind kind)
{
    static const char *const names[] = {
        [SECRET_MEMFD] = "memfd_secret", [SECRET_LOCKED] = "mlock", [SECRET_PLAIN] = "plain"};
    return names[kind];
}

/* ---- the allocator ------------------------------------------------------------------------------------------------------- */

/* Stands before what is handed out; while the block is free, `next` is in its list. */
struct secret_block {
    struct secret_block *next;
    uint64_t class;
};
_Static_assert(sizeof(struct secret_block) == 16, "what follows must be aligned");

void secret_heap_init(struct secret_heap *heap, void *bytes, size_t len)
{
    *heap = (struct secret_heap){.start = bytes, .at = bytes, .end = (uint8_t *)bytes + len};
}

static struct secret_block *block_of(const void *ptr)
{
    return (struct secret_block *)((uintptr_t)ptr - sizeof(struct secret_block));
}

size_t secret_heap_room(const void *ptr)
{
    return (size_t)1 << (block_of(ptr)->class + SECRET_CLASS_FIRST_BITS);
}

void *secret_heap_alloc(struct secret_heap *heap, size_t bytes)
{
    unsigned class = 0;
    while (class < SECRET_CLASS_COUNT && ((size_t)1 << (class + SECRET_CLASS_FIRST_BITS)) < bytes)
        class ++;
    if (class == SECRET_CLASS_COUNT) return NULL;
    struct secret_block *block = heap->free[class];
    if (block != NULL) {
        heap->free[class] = block->next;
    } else {
        size_t need = sizeof *block + ((size_t)1 << (class + SECRET_CLASS_FIRST_BITS));
        if ((size_t)(heap->end - heap->at) < need) return NULL;
        block = (struct secret_block *)(void *)heap->at;
        heap->at += need;
    }
    *block = (struct secret_block){.class = class};
    return block + 1;
}

void secret_heap_free(struct secret_heap *heap, void *ptr)
{
    if (ptr == NULL) return;
    struct secret_block *block = block_of(ptr);
    RF_ASSERT((uint8_t *)ptr > heap->start);
    RF_ASSERT((uint8_t *)ptr < heap->at);
    RF_ASSERT(block->class < SECRET_CLASS_COUNT);
    OPENSSL_cleanse(ptr, secret_heap_room(ptr));
    block->next = heap->free[block->class];
    heap->free[block->class] = block;
}

/* ---- for OpenSSL ----------------------------------------------------------------------------------------------------------- */

/* OpenSSL's hooks take no context, so the one heap of the process is here. */
static struct {
    pthread_mutex_t lock;
    struct rf_secret memory;
    struct secret_heap heap;
} of_openssl = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool refused;

void secret_heap_refuse(void) { refused = true; }

bool secret_heap_refused(void)
{
    bool was = refused;
    refused = false;
    return was;
}

static void *openssl_alloc(size_t bytes, const char *file, int line)
{
    (void)file, (void)line;
    pthread_mutex_lock(&of_openssl.lock);
    void *ptr = secret_heap_alloc(&of_openssl.heap, bytes);
    pthread_mutex_unlock(&of_openssl.lock);
    if (ptr == NULL) secret_heap_refuse();
    return ptr;
}

static void openssl_free(void *ptr, const char *file, int line)
{
    (void)file, (void)line;
    pthread_mutex_lock(&of_openssl.lock);
    secret_heap_free(&of_openssl.heap, ptr);
    pthread_mutex_unlock(&of_openssl.lock);
}

static void *openssl_realloc(void *old, size_t bytes, const char *file, int line)
{
    if (old != NULL && bytes <= secret_heap_room(old)) return old;
    void *ptr = openssl_alloc(bytes, file, line);
    if (ptr == NULL || old == NULL) return ptr;
    memcpy(ptr, old, secret_heap_room(old));
    openssl_free(old, file, line);
    return ptr;
}

enum rf_kind secret_heap_take_openssl(size_t bytes, enum secret_kind *kind, struct rf_err *err)
{
    bool first = of_openssl.memory.base == NULL;
    if (first) RF_TRY(rf_secret_init(&of_openssl.memory, bytes, true, err));
    if (first) secret_heap_init(&of_openssl.heap, of_openssl.memory.ptr, of_openssl.memory.len);
    if (!first || CRYPTO_set_mem_functions(openssl_alloc, openssl_realloc, openssl_free) != 1) {
        if (first) rf_secret_done(&of_openssl.memory);
        return RF_FAIL(err, RF_INVALID, "SecretHeapLate", "OpenSSL has allocated memory already");
    }
    *kind = of_openssl.memory.kind;
    return RF_OK;
}
