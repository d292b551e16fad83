/* checksum_int.h - the ways to compute a checksum, all with the same result. */
#ifndef RF_CHECKSUM_INT_H
#define RF_CHECKSUM_INT_H

#include "base/rf.h"

struct checksum {
    uint64_t low, high;
};

struct checksum checksum_any(const void *bytes, size_t len);
#if defined(__x86_64__)
struct checksum checksum_avx2(const void *bytes, size_t len); /* the processor must have AVX2 */
#endif

#endif
