/* secret.h - memory for what must not leak: on pages of its own that are never swapped or dumped, between guard pages, wiped at
 * the end. On kernels with memfd_secret not even the kernel's own map of memory has the pages; else they are locked, left out
 * of dumps and wiped in children.
 *
 * Make it after the last fork: a child would share pages of memfd_secret. */
#ifndef RF_SECRET_H
#define RF_SECRET_H

#include "base/rf.h"

enum secret_kind {
    SECRET_MEMFD, /* memfd_secret */
    SECRET_LOCKED,
    SECRET_PLAIN /* the limit for locked memory is used up: not dumped, but may be swapped */
};
struct rf_secret {
    uint8_t *ptr; /* zeros at first */
    size_t len;
    enum secret_kind kind;
    void *base; /* with the guard pages */
    size_t base_bytes;
};
/* `memfd`: try memfd_secret at first. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind rf_secret_init(struct rf_secret *secret, size_t len, bool memfd,
                                        struct rf_err *err);
void rf_secret_done(struct rf_secret *secret); /* an all-zero one is fine */
const char *rf_secret_kind_name(enum secret_kind kind);

/* From now on every allocation of OpenSSL in this process lies in one such memory of `bytes`, wiped when freed. To be called
 * before OpenSSL allocates anything: RF_INVALID SecretHeapLate. For the life of the process. */
RF_MUST_USE enum rf_kind secret_heap_take_openssl(size_t bytes, enum secret_kind *kind,
                                                  struct rf_err *err);

/* Whether that memory, used up, has refused this thread an allocation since it was last asked: OpenSSL does not always tell that from bad input. */
bool secret_heap_refused(void);
void secret_heap_refuse(void); /* notes one; tests with an allocator of their own do as well */

/* ---- the allocator, for tests: power-of-two sizes over one region, a list of free blocks each ------------------------- */

enum { SECRET_CLASS_FIRST_BITS = 5, SECRET_CLASS_COUNT = 17 /* 32 bytes to 2 MiB */ };
struct secret_heap {
    uint8_t *start, *at, *end;
    struct secret_block *free[SECRET_CLASS_COUNT];
};
void secret_heap_init(struct secret_heap *heap, void *bytes, size_t len);
/* 16-byte aligned; NULL when it is used up. Not thread-safe. */
void *secret_heap_alloc(struct secret_heap *heap, size_t bytes);
void secret_heap_free(struct secret_heap *heap, void *ptr); /* wipes; NULL is fine */
size_t secret_heap_room(const void *ptr);                   /* bytes that fit into the block */

#endif
