#include "kql/func_ip.h"
#include "test/rf_fuzz.h"

/* What was read prints, and the print reads back as the same address. */
RF_FUZZ(func_ip, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 16);
    struct ip4 ip4, again4;
    struct ip6 ip6, again6;
    struct rf_buf buf = rf_buf_in(&arena);
    if (ip4_parse(text, &ip4)) {
        ip4_put(&buf, ip4.address);
        RF_ASSERT(ip4_parse(rf_buf_view(&buf), &again4));
        RF_ASSERT(again4.address == ip4.address);
        RF_ASSERT(ip6_parse(text, &ip6));
    }
    if (ip6_parse(text, &ip6)) {
        RF_ASSERT(ip6.prefix <= 128);
        buf.len = 0;
        ip6_put(&buf, &ip6);
        RF_ASSERT(ip6_parse(rf_buf_view(&buf), &again6));
        RF_ASSERT(ip6_cmp(&ip6, &again6) == 0);
    }
}
