#include "base/yaml_tree.h"
#include "test/rf_prop.h"

static enum rf_kind parse(struct rf_arena *arena, const char *yaml, const char **text,
                          struct rf_err *err)
{
    struct json_node *node;
    RF_TRY(yaml_parse(rf_str_of(yaml), arena, &node, err));
    *text = rf_arena_cstr(arena, json_to_text(arena, node));
    return RF_OK;
}

Test(yaml_tree, reads_what_people_write)
{
    static const char *const pairs[][2] = {
        {"", "null"},
        {"a: 1\nb: [x, 'y', \"1\", 2.5, true, ~]\n",
         "{\"a\":1,\"b\":[\"x\",\"y\",\"1\",2.5,true,null]}"},
        {"listen:\n  https: 127.0.0.1:8443\nnames:\n  - a\n  - b\n",
         "{\"listen\":{\"https\":\"127.0.0.1:8443\"},\"names\":[\"a\",\"b\"]}"},
        {"t: |\n  one\n  two\n", "{\"t\":\"one\\ntwo\\n\"}"},
        {"a: 007\nb: 0x10\nc: yes\nd: 1e3\n",
         "{\"a\":\"007\",\"b\":\"0x10\",\"c\":\"yes\",\"d\":1e3}"},
        {"---\n- {k: {}}\n", "[{\"k\":{}}]"},
        {"a:\nb:\n", "{\"a\":null,\"b\":null}"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(pairs); i++) {
        const char *got = "";
        struct rf_err err = {0};
        cr_assert(parse(&arena, pairs[i][0], &got, &err) == RF_OK, "%s: %s", pairs[i][0], err.text);
        cr_assert_str_eq(got, pairs[i][1]);
    }
}

Test(yaml_tree, refuses_with_a_place)
{
    static const struct {
        const char *yaml;
        uint32_t line;
    } bad[] = {{"a: 1\na: 2\n", 2}, {"a: &x 1\nb: *x\n", 2}, {"a: !!str 1\n", 1},
               {"? [a]\n: b\n", 1}, {"a: [1\n", 2},          {"a: 1\n---\nb: 2\n", 2}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        const char *got;
        struct rf_err err = {0};
        cr_assert(parse(&arena, bad[i].yaml, &got, &err) == RF_INVALID, "%s", bad[i].yaml);
        cr_assert(err.line == bad[i].line, "%s: line %u", bad[i].yaml, err.line);
    }
}

Test(yaml_tree, has_limits)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    char deep[200];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    const char *got;
    struct rf_err err;
    cr_assert(parse(&arena, deep, &got, &err) == RF_LIMIT);
    cr_assert_str_eq(err.code, "YamlTooDeep");
}
