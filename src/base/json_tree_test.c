#include "base/json_out.h"
#include "test/rf_prop.h"

static struct json_node *parsed(struct rf_arena *arena, const char *text)
{
    struct json_node *node = NULL;
    struct rf_err err;
    cr_assert(json_parse(rf_str_of(text), arena, &node, &err) == RF_OK, "%s", err.text);
    return node;
}

static void expect_text(struct rf_arena *arena, const struct json_node *node, const char *text)
{
    rf_str got = json_to_text(arena, node);
    cr_assert(rf_str_is(got, text), "%.*s, not %s", RF_FMT(got), text);
}

Test(json_tree, keeps_what_it_read)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    const char *text = "{\"a\":[1,2.50,-3e7,true,false,null,\"x\\ny\"],\"b\":{\"c\":{}},\"\":[]}";
    struct json_node *node = parsed(&arena, text);
    expect_text(&arena, node, text);
    expect_text(&arena, json_clone(&arena, node), text);
    cr_assert(json_get(node, "a")->count == 7);
    cr_assert(json_at(node, "b.c") != NULL);
    cr_assert(json_at(node, "b.x.y") == NULL);
    cr_assert(json_get(NULL, "a") == NULL);
    int64_t number;
    cr_assert(!json_i64_at(node, "a", &number));
    node = parsed(&arena, "{\"a\":1.5,\"b\":1e3,\"c\":-12}");
    cr_assert(!json_i64_at(node, "a", &number) && !json_i64_at(node, "b", &number));
    cr_assert(json_i64_at(node, "c", &number) && number == -12);
}

Test(json_tree, refuses_repeated_names)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 22);
    struct json_node *node;
    struct rf_err err;
    cr_assert(json_parse(RF_S("{\"a\":1,\"\\u0061\":2}"), &arena, &node, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "DuplicateKey");
    struct rf_buf buf = rf_buf_in(&arena);
    rf_buf_byte(&buf, '{');
    for (int i = 0; i < 1000; i++) rf_buf_printf(&buf, "\"k%d\":0,", i);
    size_t len = buf.len;
    rf_buf_str(&buf, RF_S("\"k\":0}"));
    cr_assert(json_parse(rf_buf_view(&buf), &arena, &node, &err) == RF_OK);
    buf.len = len;
    rf_buf_str(&buf, RF_S("\"k77\":0}"));
    cr_assert(json_parse(rf_buf_view(&buf), &arena, &node, &err) == RF_INVALID);
    cr_assert_str_eq(err.code, "DuplicateKey");
}

Test(json_tree, is_changed_in_place)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct json_node *node = parsed(&arena, "{\"a\":1,\"b\":2,\"c\":3}");
    json_set_text(&arena, node, "b", RF_S("x"));
    json_set_i64(&arena, node, "d", -7);
    expect_text(&arena, node, "{\"a\":1,\"b\":\"x\",\"c\":3,\"d\":-7}");
    json_remove(node, RF_S("a"));
    json_remove(node, RF_S("d"));
    json_remove(node, RF_S("none"));
    json_set_bool(&arena, node, "c", true);
    json_set_bool(&arena, json_object_in(&arena, node, "e"), "f", false);
    json_object_in(&arena, node, "e");
    expect_text(&arena, node, "{\"b\":\"x\",\"c\":true,\"e\":{\"f\":false}}");
    cr_assert(rf_str_is(json_get_nocase(node, RF_S("B"))->text, "x"));
    json_remove(node, RF_S("b"));
    json_remove(node, RF_S("c"));
    json_remove(node, RF_S("e"));
    expect_text(&arena, node, "{}");
    cr_assert(json_set(&arena, node, RF_S("x"), NULL) == NULL);
}

Test(json_tree, compares_values)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    const char *base = "{\"a\":[1,{\"b\":null}],\"c\":\"t\"}";
    cr_assert(
        json_equal(parsed(&arena, base), parsed(&arena, "{\"c\":\"t\",\"a\":[1,{\"b\":null}]}")));
    const char *others[] = {
        "{\"a\":[{\"b\":null},1],\"c\":\"t\"}", "{\"a\":[1,{\"b\":null}],\"d\":\"t\"}",
        "{\"a\":[1,{\"b\":null}],\"c\":\"u\"}", "{\"a\":[1,{\"b\":null}]}", "[]"};
    for (size_t i = 0; i < RF_COUNT(others); i++)
        cr_assert(!json_equal(parsed(&arena, base), parsed(&arena, others[i])), "%s", others[i]);
}

Test(json_tree, ends_with_an_error_when_memory_is_used_up)
{
    const char *text = "{\"a\":[1,2,3,{\"b\":\"c\\n\"}],\"d\":{\"e\":[[[[]]]]}}";
    for (size_t limit = 0; limit < 4000; limit += 16) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, limit);
        struct json_node *node = NULL;
        struct rf_err err;
        enum rf_kind kind = json_parse(rf_str_of(text), &arena, &node, &err);
        cr_assert(kind == RF_OK || kind == RF_LIMIT);
        cr_assert((kind == RF_OK) == (node != NULL));
    }
}

Test(json_out, writes_commas_and_escapes)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "a\"", RF_S("b\n"));
    json_begin_array(&out, "c");
    json_put_i64(&out, NULL, INT64_MIN);
    json_put_null(&out, NULL);
    json_begin_object(&out, NULL);
    json_end_object(&out);
    json_put_bool(&out, NULL, true);
    json_end_array(&out);
    json_put_node(&out, "d", NULL);
    json_put_raw(&out, "e", RF_S("[0]"));
    json_end_object(&out);
    cr_assert(rf_str_is(
        rf_buf_view(&buf),
        "{\"a\\\"\":\"b\\n\",\"c\":[-9223372036854775808,null,{},true],\"d\":null,\"e\":[0]}"));
}
