#include "acme/acme_int.h"
#include "test/rf_prop.h"

static bool reads(const char *text, const char *want, bool want_wildcard)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_str name;
    bool wildcard;
    const char *why;
    rf_arena_init(&arena, 4096);
    if (!acme_name_read(rf_str_of(text), &arena, &name, &wildcard, &why)) return want == NULL;
    return want != NULL && rf_str_is(name, want) && wildcard == want_wildcard;
}

Test(acme_name, names_are_names_of_dns)
{
    char long_label[80], long_name[300];
    memset(long_label, 'a', sizeof long_label);
    memcpy(long_label + 64, ".b", 3);
    cr_assert(reads(long_label, NULL, false), "64 characters");
    cr_assert(reads(long_label + 1, long_label + 1, false), "63 characters");
    for (size_t i = 0; i < sizeof long_name - 1; i++) long_name[i] = i % 2 == 0 ? 'a' : '.';
    long_name[255] = '\0';
    cr_assert(reads(long_name, NULL, false), "255 characters");
    long_name[253] = '\0';
    cr_assert(reads(long_name, long_name, false), "253 characters");
    cr_assert(reads("Truck-7.Contoso.TEST", "truck-7.contoso.test", false));
    cr_assert(reads("*.contoso.test", "contoso.test", true));
    cr_assert(reads("xn--mnchen-3ya.test", "xn--mnchen-3ya.test", false));
    static const char *const bad[] = {"",          ".",          "a.",         ".a",       "a..b",
                                      "-a.test",   "a-.test",    "a_b.test",   "*",        "*.",
                                      "*.*.a",     "a.*.test",   "10.0.0.1",   "a b.test", "a/b",
                                      "a.test:80", "\xc3\xa4.a", "localhost/", "1"};
    for (size_t i = 0; i < RF_COUNT(bad); i++) cr_assert(reads(bad[i], NULL, false), "%s", bad[i]);
}

static bool allowed(const char *list, const char *name, bool wildcard)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct json_node *node;
    rf_arena_init(&arena, 65536);
    cr_assert(json_parse(rf_str_of(list), &arena, &node, NULL) == RF_OK);
    return acme_name_allowed(node, rf_str_of(name), wildcard);
}

Test(acme_name, an_issuer_is_for_the_names_of_its_list)
{
    cr_assert(!acme_name_allowed(NULL, RF_S("a.test"), false), "no list: no name");
    cr_assert(!allowed("[]", "a.test", false));
    cr_assert(allowed("[\"x.test\",\"A.test\"]", "a.test", false));
    cr_assert(!allowed("[\"a.test\"]", "a.test", true), "the wildcard was not listed");
    cr_assert(!allowed("[\"a.test\"]", "b.a.test", false));
    cr_assert(allowed("[\"*.a.test\"]", "b.a.test", false));
    cr_assert(allowed("[\"*.a.test\"]", "c.b.a.test", true));
    cr_assert(allowed("[\"*.a.test\"]", "a.test", true), "*.a.test itself");
    cr_assert(!allowed("[\"*.a.test\"]", "a.test", false));
    cr_assert(!allowed("[\"*.a.test\"]", "ba.test", false));
    cr_assert(!allowed("[\"*.a.test\"]", "ba.test", true));
    cr_assert(!allowed("[7,null]", "a.test", false));
}
