#include "base/checksum.h"

#include <xxhash.h>

#include "base/checksum_int.h"

/* The hash library chooses its registers by the flags that it is compiled with; its own way to choose at run time is in the
 * shared library only. Registers of 512 bits are no faster: memory limits both. */
struct checksum checksum_any(const void *bytes, size_t len)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, len);
    return (struct checksum){hash.low64, hash.high64};
}

#if defined(__x86_64__)
static struct checksum checksum_best(const void *bytes, size_t len)
{
    return (__builtin_cpu_supports("avx2") ? checksum_avx2 : checksum_any)(bytes, len);
}
#else
static struct checksum checksum_best(const void *bytes, size_t len)
{
    return checksum_any(bytes, len);
}
#endif

void rf_checksum(const void *bytes, size_t len, uint8_t out[16])
{
    struct checksum sum = checksum_best(bytes, len);
    rf_put_u64le(out, sum.low);
    rf_put_u64le(out + 8, sum.high);
}
