/* hub_spoil.h - frames of valid conversations (hub_seeds.h), spoiled: lengths and counts that lie, values out of range, nesting without end,
 * batches whose checksum is right and nothing else. */
#ifndef RF_TEST_HUB_SPOIL_H
#define RF_TEST_HUB_SPOIL_H

#include "hub_seeds.h"
#include "wire.h"

static inline rf_str some_noise(uint64_t *random)
{
    static const rf_str noise[] = {
#define N(text) {(const uint8_t *)(text), sizeof(text) - 1}
        N("\xff\xff\xff\xff"),
        N("\x7f\xff\xff\xff"),
        N("\x40\0\0\0"),
        N("\x80\0\0\0"),
        N("\0"),
        N("\xff"),
        N("\0\x53\x14"),
        N("\0\x53\x75\xb0\x40\0\0\0"),
        N("\xf0\0\0\0\x05\xff\xff\xff\xff\x40"),
        N("\xe0\x02\xff\x45"),
        N("\xc0\x03\x02\x43\x43"),
        N("\xd1\0\0\0\x04\x7f\xff\xff\xff"),
        N("\xa1\xff"),
        N("\xb1\x7f\xff\xff\xff"),
        N("\0\0\0\x01"),
        N("$management"),
        N("/Partitions/99999999999999999999"),
        N("' or 1=1 --"),
        N("\r\n"),
        N("Transfer-Encoding: chunked\r\n"),
        N("{\"a\":[[[[[[[["),
        N("%00%ff%2f")
#undef N
    };
    return noise[below(random, RF_COUNT(noise))];
}

/* Lists in maps in described values, far too many of them. */
static inline rf_str nested(uint64_t *random, uint8_t *out, size_t cap)
{
    static const char *const levels[] = {"\xc0\x80\x01", "\xc1\x80\x02\x40", "\xd0", "S"};
    const char *level = levels[below(random, RF_COUNT(levels))];
    size_t len = strlen(level), at = 0;
    while (at + len + 2 < cap) {
        if (*level == 'S') out[at++] = 0;
        memcpy(out + at, level, len);
        at += len;
    }
    return rf_str_make(out, at);
}

static inline void spoil_once(uint64_t *random, struct draft *d)
{
    uint8_t deep[2000];
    size_t at = below(random, d->len + 1);
    switch (below(random, 8)) {
    case 0:
    case 1:
        if (at < d->len) d->bytes[at] ^= (uint8_t)(1u << below(random, 8));
        break;
    case 2:
        splice(d, at, 0, some_noise(random));
        break;
    case 3:
    case 4: {
        rf_str noise = some_noise(random);
        splice(d, at, noise.len, noise);
        break;
    }
    case 5:
        splice(d, at, 1 + below(random, 20), (rf_str){0});
        break;
    case 6:
        splice(d, at, d->len, (rf_str){0});
        break;
    default:
        splice(d, at, 0, nested(random, deep, 16 + below(random, sizeof deep - 16)));
    }
}

/* Batches whose checksum is right are looked at more closely. */
static inline void spoil_batch(rf_str topic, uint64_t *random, struct draft *d)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t bytes[600];
    rf_arena_init(&arena, 1 << 20);
    size_t len = below(random, sizeof bytes);
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)next(random);
    rf_str good = seed_batch(&arena, CODEC_NONE, RF_S("value")),
           records = rf_slice(good, 61, good.len);
    if (below(random, 3) > 0) {
        memcpy(bytes, records.ptr, RF_MIN(records.len, sizeof bytes));
        len = RF_MIN(records.len, sizeof bytes);
        for (size_t n = 1 + below(random, 3); n > 0; n--)
            bytes[below(random, len)] = (uint8_t)next(random);
    }
    int32_t count = below(random, 2) == 0 ? 3 : (int32_t)next(random);
    int16_t attributes = (int16_t)(below(random, 2) == 0 ? below(random, 5) : next(random) & 0x7f);
    rf_str batch = seed_raw_batch(&arena, attributes, count, rf_str_make(bytes, len));
    d->len = 0;
    splice(d, 0, 0, seed_produce(&arena, topic, 0, batch));
}

/* A frame of the talk, mostly spoiled, mostly with a length that is right again. */
static inline void spoil(const struct talk *talk, rf_str frame, uint64_t *random, struct draft *d)
{
    d->len = 0;
    splice(d, 0, 0, frame);
    if (talk->topic.len > 0 && below(random, 5) == 0) {
        spoil_batch(talk->topic, random, d);
        return;
    }
    if (below(random, 5) == 0) return;
    for (size_t n = 1 + below(random, 3); n > 0; n--) spoil_once(random, d);
    if (talk->is_text || d->len < 8 || below(random, 6) == 0) return;
    uint32_t length = (uint32_t)d->len - 4 + talk->length_adds;
    rf_put_u32le(d->bytes, __builtin_bswap32(length));
}

#endif
