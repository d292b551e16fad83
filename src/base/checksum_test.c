#include "base/checksum.h"

#include "base/checksum_int.h"
#include "test/rf_prop.h"

/* Checksums are stored, so their value must never change. */
Test(checksum, is_what_it_always_was)
{
    uint8_t sum[16];
    char hex[33];
    rf_checksum("", 0, sum);
    for (size_t i = 0; i < sizeof sum; i++) (void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    cr_assert(strcmp(hex, "7f498d4624c30160d8984701d306aa99") == 0, "%s", hex);
    uint8_t bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)i;
    rf_checksum(bytes, sizeof bytes, sum);
    for (size_t i = 0; i < sizeof sum; i++) (void)snprintf(hex + 2 * i, 3, "%02x", sum[i]);
    cr_assert(strcmp(hex, "500ef6460bd83dd32a0d12b7027e6f07") == 0, "%s", hex);
}

#if defined(__x86_64__)
/* Every length up to beyond the last change of method, from any address; then long ones. */
Test(checksum, is_the_same_with_wide_registers)
{
    if (!__builtin_cpu_supports("avx2")) return;
    static uint8_t bytes[100000];
    uint64_t state = 7;
    for (size_t i = 0; i < sizeof bytes; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        bytes[i] = (uint8_t)(state >> 56);
    }
    for (size_t len = 0; len < sizeof bytes - 64; len += len < 2100 ? 1 : 997) {
        const uint8_t *from = bytes + len % 61;
        struct checksum a = checksum_any(from, len), b = checksum_avx2(from, len);
        cr_assert(a.low == b.low && a.high == b.high, "%zu bytes", len);
    }
}
#endif
