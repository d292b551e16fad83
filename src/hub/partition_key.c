/* partition_key.c - the partition of a key: hashlittle2 of Bob Jenkins' lookup3 (public domain; contract, 4.3). */
#include "hub/event.h"

struct mix {
    uint32_t a, b, c;
};

static uint32_t rol(uint32_t x, int by) { return x << by | x >> (32 - by); }

static void add_words(struct mix *m, const uint8_t words[12])
{
    m->a += rf_get_u32le(words);
    m->b += rf_get_u32le(words + 4);
    m->c += rf_get_u32le(words + 8);
}

static void mix_more(struct mix *m)
{
    static const uint8_t by[] = {4, 6, 8, 16, 19, 4};
    for (int i = 0; i < 6; i++) {
        m->a -= m->c;
        m->a ^= rol(m->c, by[i]);
        m->c += m->b;
        *m = (struct mix){.a = m->b, .b = m->c, .c = m->a};
    }
}

static void mix_last(struct mix *m)
{
    static const uint8_t by[] = {14, 11, 25, 16, 4, 14, 24};
    for (int i = 0; i < 7; i++) {
        m->c ^= m->b;
        m->c -= rol(m->b, by[i]);
        *m = (struct mix){.a = m->b, .b = m->c, .c = m->a};
    }
    /* The roles moved on after the last step, which ends with c. */
    *m = (struct mix){.a = m->c, .b = m->a, .c = m->b};
}

int16_t partition_key_hash(rf_str key)
{
    uint32_t start = 0xdeadbeef + (uint32_t)key.len;
    struct mix m = {start, start, start};
    for (; key.len > 12; key = rf_slice(key, 12, key.len)) {
        add_words(&m, key.ptr);
        mix_more(&m);
    }
    if (key.len > 0) {
        uint8_t last[12] = {0};
        memcpy(last, key.ptr, key.len);
        add_words(&m, last);
        mix_last(&m);
    }
    return (int16_t)(uint16_t)(m.c ^ m.b);
}

uint32_t partition_of_key(rf_str key, uint32_t partition_count)
{
    int32_t place = partition_key_hash(key) % (int32_t)partition_count;
    return (uint32_t)(place < 0 ? -place : place);
}
