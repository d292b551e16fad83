#include "base/encode.h"
#include "test/rf_prop.h"

static void expect(rf_str got, const char *want)
{
    cr_assert(rf_str_is(got, want), "%.*s, not %s", RF_FMT(got), want);
}

Test(encode, base64_of_rfc_4648)
{
    static const char *const pairs[][3] = {{"", "", ""},
                                           {"f", "Zg==", "Zg"},
                                           {"fo", "Zm8=", "Zm8"},
                                           {"foo", "Zm9v", "Zm9v"},
                                           {"foob", "Zm9vYg==", "Zm9vYg"},
                                           {"\xfb\xff", "+/8=", "-_8"}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(pairs); i++) {
        rf_str back;
        struct rf_err err;
        expect(base64_encode(&arena, rf_str_of(pairs[i][0])), pairs[i][1]);
        expect(base64url_encode(&arena, rf_str_of(pairs[i][0])), pairs[i][2]);
        cr_assert(base64_decode(&arena, rf_str_of(pairs[i][1]), &back, &err) == RF_OK);
        expect(back, pairs[i][0]);
        cr_assert(base64url_decode(&arena, rf_str_of(pairs[i][2]), &back, &err) == RF_OK);
        expect(back, pairs[i][0]);
    }
}

Test(encode, refuses_other_spellings)
{
    static const char *const bad[] = {"Zg", "Zg=", "Zh==", "Z g=", "Zg==Zg==", "=", "====", "-_8="};
    static const char *const bad_url[] = {"Zg==", "Zh", "Z", "+/8", "Zm9v\n"};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str out;
    struct rf_err err;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(base64_decode(&arena, rf_str_of(bad[i]), &out, &err) == RF_INVALID, "%s", bad[i]);
    for (size_t i = 0; i < RF_COUNT(bad_url); i++)
        cr_assert(base64url_decode(&arena, rf_str_of(bad_url[i]), &out, &err) == RF_INVALID, "%s",
                  bad_url[i]);
    cr_assert(hex_decode(&arena, RF_S("abc"), &out, &err) == RF_INVALID);
    cr_assert(hex_decode(&arena, RF_S("0g"), &out, &err) == RF_INVALID);
}

/* Each byte in each place of a group and of the two tails, against the alphabet of RFC 4648 section 5. */
Test(encode, takes_no_other_characters)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t len = 2; len <= 8; len++) {
        for (size_t at = 0; len != 5 && at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                uint8_t text[8];
                struct rf_err err;
                rf_str out;
                memset(text, 'A', sizeof text);
                text[at] = (uint8_t)c;
                const char *found = c == 0 ? NULL : strchr(alphabet, (int)c);
                unsigned digit = found == NULL ? 0 : (unsigned)(found - alphabet);
                size_t unused = at + 1 == len ? len * 6 % 8 : 0;
                bool good = found != NULL && (digit & ((1u << unused) - 1)) == 0;
                enum rf_kind kind = base64url_decode(&arena, rf_str_make(text, len), &out, &err);
                cr_assert((kind == RF_OK) == good, "%u at %zu of %zu", c, at, len);
                if (kind != RF_OK) continue;
                uint64_t bits = 0;
                for (size_t i = 0; i < out.len; i++) bits = bits << 8 | out.ptr[i];
                uint64_t wanted = (uint64_t)digit << 6 * (len - 1 - at) >> len * 6 % 8;
                cr_assert(out.len == len * 6 / 8 && bits == wanted, "%u at %zu of %zu", c, at, len);
                rf_arena_reset(&arena);
            }
        }
    }
}

RF_PROP(encode_bytes_come_back, 500)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    uint8_t raw[100];
    rf_str text = rf_test_bytes(prng, raw, sizeof raw, NULL), back;
    struct rf_err err;
    cr_assert(base64_decode(&arena, base64_encode(&arena, text), &back, &err) == RF_OK);
    cr_assert(rf_str_eq(back, text));
    cr_assert(base64url_decode(&arena, base64url_encode(&arena, text), &back, &err) == RF_OK);
    cr_assert(rf_str_eq(back, text));
    cr_assert(hex_decode(&arena, hex_encode(&arena, text), &back, &err) == RF_OK);
    cr_assert(rf_str_eq(back, text));
}

Test(encode, percent)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str out;
    struct rf_err err;
    cr_assert(percent_decode(&arena, RF_S("a%20b+c%C3%ab"), false, &out, &err) == RF_OK);
    expect(out, "a b+c\xc3\xab");
    cr_assert(percent_decode(&arena, RF_S("a+b%2B"), true, &out, &err) == RF_OK);
    expect(out, "a b+");
    static const char *const bad[] = {"%", "%2", "%zz", "%00", "%c3", "\xff"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(percent_decode(&arena, rf_str_of(bad[i]), false, &out, &err) == RF_INVALID, "%s",
                  bad[i]);
    expect(percent_encode(&arena, RF_S("a/b c~\xc3\xab")), "a%2Fb%20c~%C3%AB");
}

Test(encode, guids)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str a = guid_random(&arena), b = guid_random(&arena);
    cr_assert(guid_is(a));
    cr_assert(a.ptr[14] == '4');
    cr_assert(!rf_str_eq(a, b));
    cr_assert(guid_is(RF_S("74BE27DE-1E4E-49D9-B579-FE0B331D3642")));
    cr_assert(!guid_is(RF_S("74BE27DE-1E4E-49D9-B579-FE0B331D364")));
    cr_assert(!guid_is(RF_S("74BE27DE-1E4E-49D9-B579xFE0B331D3642")));
}

Test(encode, times)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_usec time;
    expect(time_iso(&arena, INT64_C(1709210096789012)), "2024-02-29T12:34:56.7890120Z");
    expect(time_iso(&arena, -1), "1969-12-31T23:59:59.9999990Z");
    expect(time_http(&arena, INT64_C(784111777000000)), "Sun, 06 Nov 1994 08:49:37 GMT");
    cr_assert(time_parse_iso(RF_S("2024-02-29T12:34:56.7890123Z"), &time));
    cr_assert(time == INT64_C(1709210096789012));
    cr_assert(time_parse_iso(RF_S("2024-02-29 14:34:56+02:00"), &time));
    cr_assert(time == INT64_C(1709210096000000));
    static const char *const bad[] = {"2023-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-01-01",
                                      "2024-01-01T25:00:00Z", "2024-01-01T00:00:00",  "",
                                      "2024-01-01T00:00:00Zx"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(!time_parse_iso(rf_str_of(bad[i]), &time), "%s", bad[i]);
}

Test(encode, durations)
{
    static const struct {
        const char *text;
        int64_t seconds_x10;
    } good[] = {{"P1D", 864000},      {"PT1H", 36000},   {"P7D", 6048000}, {"PT0.5S", 5},
                {"P1DT2H3M", 937800}, {"P2W", 12096000}, {"-PT1M", -600},  {"PT0S", 0}};
    static const char *const bad[] = {"",     "P",   "PT", "P1",   "1D",
                                      "PT1D", "P1H", "PX", "P1DT", "P99999999999999D"};
    rf_usec got;
    for (size_t i = 0; i < RF_COUNT(good); i++) {
        cr_assert(duration_parse_iso(rf_str_of(good[i].text), &got), "%s", good[i].text);
        cr_assert(got == good[i].seconds_x10 * RF_USEC_PER_SECOND / 10, "%s", good[i].text);
    }
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_assert(!duration_parse_iso(rf_str_of(bad[i]), &got), "%s", bad[i]);
}
