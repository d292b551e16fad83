#include "crypt/digest.h"

#include <criterion/criterion.h>

#include "base/encode.h"

static rf_str repeat(struct rf_arena *arena, uint8_t byte, size_t count)
{
    uint8_t *bytes = rf_arena_alloc(arena, count);
    memset(bytes, byte, count);
    return rf_str_make(bytes, count);
}

static void expect_hex(struct rf_arena *arena, const uint8_t *bytes, size_t len, const char *want)
{
    rf_str hex = hex_encode(arena, rf_str_make(bytes, len));
    cr_expect(rf_str_is(hex, want), "%.*s, not %s", RF_FMT(hex), want);
}

/* FIPS 180-4, the examples of NIST. */
Test(digest, sha_vectors)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t sha1[SHA1_BYTES], sha256[SHA256_BYTES];
    rf_arena_init(&arena, 4 << 20);
    static const struct {
        const char *text, *sha1, *sha256;
    } cases[] = {
        {"", "da39a3ee5e6b4b0d3255bfef95601890afd80709",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "a9993e364706816aba3e25717850c26c9cd0d89d",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "84983e441c3bd26ebaae4aa1f95129e5e54670f1",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        digest_sha1(rf_str_of(cases[i].text), sha1);
        digest_sha256(rf_str_of(cases[i].text), sha256);
        expect_hex(&arena, sha1, sizeof sha1, cases[i].sha1);
        expect_hex(&arena, sha256, sizeof sha256, cases[i].sha256);
    }
    digest_sha256(repeat(&arena, 'a', 1000000), sha256);
    expect_hex(&arena, sha256, sizeof sha256,
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231 section 4. */
Test(digest, hmac_vectors)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    uint8_t mac[SHA256_BYTES];
    rf_arena_init(&arena, 1 << 20);
    const struct {
        rf_str key, bytes;
        const char *want;
    } cases[] = {
        {repeat(&arena, 0x0b, 20), RF_S("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {RF_S("Jefe"), RF_S("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {repeat(&arena, 0xaa, 20), repeat(&arena, 0xdd, 50),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {repeat(&arena, 0xaa, 131), RF_S("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {(rf_str){0}, (rf_str){0},
         "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        digest_hmac_sha256(cases[i].key, cases[i].bytes, mac);
        expect_hex(&arena, mac, sizeof mac, cases[i].want);
    }
}

Test(digest, secrets_are_equal_when_all_bytes_are)
{
    cr_expect(secret_equal(RF_S("abc"), RF_S("abc")));
    cr_expect(secret_equal((rf_str){0}, RF_S("")));
    cr_expect(!secret_equal(RF_S("abc"), RF_S("abd")));
    cr_expect(!secret_equal(RF_S("abc"), RF_S("ab")));
}

Test(digest, random_bytes_fill_all_and_differ)
{
    static uint8_t a[1000], b[1000];
    size_t zeros = 0;
    random_bytes(a, sizeof a);
    random_bytes(b, sizeof b);
    for (size_t i = 0; i < sizeof a; i++) zeros += a[i] == 0;
    cr_expect(memcmp(a, b, sizeof a) != 0);
    cr_expect(zeros < 30, "%zu of 1000 are zero: it happens once in 10^15 runs", zeros);
}
