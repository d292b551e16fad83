/* func_dynamic_test.c - the families func_dynamic, func_array and func_bag. Arguments are written as rf_value_read() has
 * them. Results print as tostring() does, nulls as "null". */
#include "kql/func_dynamic_int.h"
#include "test/rf_prop.h"
#include "test/rf_value.h"

enum { ARGS_MAX = 6 };
struct func_case {
    const char *name;
    const char *args[ARGS_MAX];
    const char *want;
};

static enum rf_kind call(struct rf_arena *arena, const struct func_case *c, struct value *out,
                         struct rf_err *err)
{
    struct value args[ARGS_MAX];
    uint32_t count = 0;
    while (count < ARGS_MAX && c->args[count] != NULL) {
        args[count] = rf_value_read(arena, c->args[count]);
        count++;
    }
    return func_eval(rf_str_of(c->name), args, count, arena, out, err);
}

static void check(const struct func_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        rf_arena_init(&arena, 1u << 28);
        struct rf_err err = {0};
        struct value out;
        cr_assert_eq(call(&arena, &cases[i], &out, &err), RF_OK, "%s(%s): %s", cases[i].name,
                     cases[i].args[0], err.text);
        struct rf_buf text = rf_buf_in(&arena);
        if (out.null)
            rf_buf_str(&text, RF_S("null"));
        else
            text_put_value(&text, &out);
        if (!out.null && out.type == TYPE_DYNAMIC) cr_assert(dyn_valid(out.s), "%s", cases[i].name);
        cr_expect(rf_str_is(rf_buf_view(&text), cases[i].want), "%s(%s, %s) gave %.*s, not %s",
                  cases[i].name, cases[i].args[0], cases[i].args[1] != NULL ? cases[i].args[1] : "",
                  RF_FMT(rf_buf_view(&text)), cases[i].want);
    }
}
#define CHECK(cases) check(cases, RF_COUNT(cases))

Test(func_dynamic, json)
{
    static const struct func_case cases[] = {
        {"parse_json", {"s:{\"a\":[1,2.50]}"}, "{\"a\":[1,2.50]}"},
        {"todynamic", {"s:no json"}, "no json"},
        {"parse_json", {"s:"}, "null"},
        {"parse_json", {"s:null"}, "null"},
        {"parse_json", {"d:\"{\\\"a\\\":1}\""}, "{\"a\":1}"},
        {"parse_json", {"l:5"}, "5"},
        {"toobject", {"t:1h"}, "01:00:00"},
        {"dynamic_to_json",
         {"d:{\"Y10\":{},\"X8\":{\"c3\":1,\"d8\":5,\"a4\":6},\"D1\":114,\"A1\":12,\"A14\":[15,13,"
          "18]}"},
         "{\"A1\":12,\"A14\":[15,13,18],\"D1\":114,\"X8\":{\"a4\":6,\"c3\":1,\"d8\":5},\"Y10\":{}"
         "}"},
        {"dynamic_to_json", {"null"}, ""},
    };
    CHECK(cases);
}

Test(func_dynamic, extract_json)
{
    static const struct func_case cases[] = {
        {"extract_json", {"s:$.name", "s:{\"name\": \"John\", \"age\": 30}", "s:string"}, "John"},
        {"extract_json", {"s:$.age", "s:{\"name\": \"John\", \"age\": 30}"}, "30"},
        {"extract_json", {"s:$.age", "s:{\"name\": \"John\", \"age\": \"30\"}", "s:int"}, "30"},
        {"extract_json", {"s:$['a b'][1].c", "s:{\"a b\":[0,{\"c\":true}]}", "s:bool"}, "true"},
        {"extract_json", {"s:$.a[-1]", "s:{\"a\":[1,2]}", "s:long"}, "2"},
        {"extract_json", {"s:$[0].Value", "s:[{\"Value\":\"v\"}]"}, "v"},
        {"extractjson", {"s:$ClientDevice", "s:{\"ClientDevice\":\"iPhone\"}"}, "iPhone"},
        {"extract_json", {"s:$.a", "s:{\"a\":{\"b\":[1]}}"}, "{\"b\":[1]}"},
        {"extract_json", {"s:$.a", "s:{\"a\":{\"b\":[1]}}", "s:dynamic"}, "{\"b\":[1]}"},
        {"extract_json", {"s:$.a", "s:{\"a\":{\"b\":[1]}}", "s:long"}, "null"},
        {"extract_json", {"s:$.x", "s:{\"a\":1}", "s:long"}, "null"},
        {"extract_json", {"s:$.x", "s:{\"a\":1}"}, ""},
        {"extract_json", {"s:$.a[*]", "s:{\"a\":[1]}", "s:long"}, "null"},
        {"extract_json", {"s:$.a[", "s:{\"a\":[1]}"}, ""},
        {"extract_json", {"s:a", "s:{\"a\":1}"}, ""},
        {"extract_json", {"s:$.a", "s:{\"a\":1"}, ""},
        {"extract_json", {"s:$.a", "d:{\"a\":1}", "s:long"}, "1"},
    };
    CHECK(cases);
}

Test(func_dynamic, treepath)
{
    static const struct func_case cases[] = {
        {"treepath", {"d:{\"a\":\"b\",\"c\":123}"}, "[\"['a']\",\"['c']\"]"},
        {"treepath",
         {"d:{\"prop1\":[1,2,3,4],\"prop2\":\"value2\"}"},
         "[\"['prop1']\",\"['prop1'][0]\",\"['prop2']\"]"},
        {"treepath",
         {"d:{\"listProperty\":[100,200,300,\"abcde\",{\"x\":\"y\"}]}"},
         "[\"['listProperty']\",\"['listProperty'][0]\",\"['listProperty'][0]['x']\"]"},
        {"treepath", {"null"}, "null"},
    };
    CHECK(cases);
}

Test(func_dynamic, sets)
{
    static const struct func_case cases[] = {
        {"set_union", {"d:[1,2,1,4]", "d:[1,2]", "d:[8,1]"}, "[1,2,4,8]"},
        {"set_union", {"d:[1]", "null"}, "[1]"},
        {"set_union", {"null", "null"}, "null"},
        {"set_intersect", {"d:[1,2,1,4]", "d:[1,2]", "d:[8,1]"}, "[1]"},
        {"set_intersect", {"d:[1,2,3]", "d:[4,5]"}, "[]"},
        {"set_intersect",
         {"d:[\"a\",1,{\"x\":1,\"y\":2}]", "d:[{\"y\":2,\"x\":1.0}]"},
         "[{\"x\":1,\"y\":2}]"},
        {"set_difference", {"d:[1,2,1,4]", "d:[1,2]", "d:[1,2,8]"}, "[4]"},
        {"set_difference", {"d:[1,2,3]", "d:[1,2,3]"}, "[]"},
        {"set_difference", {"d:[1,1]", "null"}, "[1]"},
        {"set_difference", {"null", "d:[1]"}, "null"},
        {"set_has_element", {"d:[\"this\",\"is\",\"an\",\"example\"]", "s:example"}, "true"},
        {"set_has_element", {"d:[\"this\",1]", "l:1"}, "true"},
        {"set_has_element", {"d:[\"this\",1]", "s:1"}, "false"},
        {"set_has_element", {"null", "s:1"}, "false"},
        {"jaccard_index", {"d:[1,2,3]", "d:[1,2,3,4]"}, "0.75"},
        {"jaccard_index", {"d:[1,2,3]", "d:[\"a\"]"}, "0.0"},
        {"jaccard_index", {"null", "d:[1]"}, "null"},
    };
    CHECK(cases);
}

Test(func_array, makes)
{
    static const struct func_case cases[] = {
        {"pack_array", {"l:1", "s:2", "t:2s", "null"}, "[1,\"2\",\"00:00:02\",null]"},
        {"repeat", {"l:1", "l:3"}, "[1,1,1]"},
        {"repeat", {"s:a", "l:0"}, "[]"},
        {"repeat", {"s:a", "l:-1"}, "null"},
        {"range", {"l:1", "l:8", "l:3"}, "[1,4,7]"},
        {"range", {"l:1", "l:3"}, "[1,2,3]"},
        {"range", {"l:3", "l:1"}, "[]"},
        {"range", {"l:3", "l:1", "l:-1"}, "[3,2,1]"},
        {"range", {"l:3", "l:1", "l:0"}, "null"},
        {"range", {"nl", "l:1"}, "null"},
        {"range",
         {"l:9223372036854775806", "l:9223372036854775807"},
         "[9223372036854775806,9223372036854775807]"},
        {"range", {"r:1.5", "r:3"}, "[1.5,2.5]"},
        {"range", {"r:1", "r:2", "r:0.5"}, "[1.0,1.5,2.0]"},
        {"range", {"t:1h", "t:3h"}, "[\"01:00:00\",\"02:00:00\",\"03:00:00\"]"},
        {"range",
         {"m:2007-01-01", "m:2007-01-02", "t:1d"},
         "[\"2007-01-01T00:00:00.0000000Z\",\"2007-01-02T00:00:00.0000000Z\"]"},
        {"array_concat", {"d:[1,2,4]", "d:[1,2]"}, "[1,2,4,1,2]"},
        {"array_concat", {"d:[1]", "null"}, "[1]"},
        {"array_concat", {"null"}, "null"},
        {"zip", {"d:[1,3,5]", "d:[2,4,6]"}, "[[1,2],[3,4],[5,6]]"},
        {"zip", {"d:[\"A\",1,1.5]", "d:[{},\"B\"]"}, "[[\"A\",{}],[1,\"B\"],[1.5,null]]"},
    };
    CHECK(cases);
}

Test(func_array, cuts_and_turns)
{
    static const struct func_case cases[] = {
        {"array_length", {"d:[1,[2,3]]"}, "2"},
        {"array_length", {"d:{\"a\":1}"}, "null"},
        {"arraylength", {"null"}, "null"},
        {"array_sum", {"d:[1,2,3,4]"}, "10"},
        {"array_sum", {"d:[1,\"2\"]"}, "null"},
        {"array_reverse", {"d:[\"this\",\"is\",\"an\"]"}, "[\"an\",\"is\",\"this\"]"},
        {"array_rotate_left", {"d:[1,2,3,4,5]", "l:2"}, "[3,4,5,1,2]"},
        {"array_rotate_left", {"d:[1,2,3,4,5]", "l:-2"}, "[4,5,1,2,3]"},
        {"array_rotate_right", {"d:[1,2,3,4,5]", "l:2"}, "[4,5,1,2,3]"},
        {"array_rotate_right", {"d:[1,2,3,4,5]", "l:-12"}, "[3,4,5,1,2]"},
        {"array_rotate_left", {"d:[]", "l:3"}, "[]"},
        {"array_shift_left", {"d:[1,2,3,4,5]", "l:2"}, "[3,4,5,null,null]"},
        {"array_shift_left", {"d:[1,2,3,4,5]", "l:2", "l:-1"}, "[3,4,5,-1,-1]"},
        {"array_shift_left", {"d:[1,2,3,4,5]", "l:-2", "l:-1"}, "[-1,-1,1,2,3]"},
        {"array_shift_left", {"d:[\"a\",\"b\"]", "l:9"}, "[\"\",\"\"]"},
        {"array_shift_right", {"d:[1,2,3,4,5]", "l:2"}, "[null,null,1,2,3]"},
        {"array_shift_right", {"d:[1,2,3,4,5]", "l:-2", "l:-1"}, "[3,4,5,-1,-1]"},
        {"array_shift_right", {"d:[1]", "l:-9223372036854775808"}, "[null]"},
        {"array_slice", {"d:[1,2,3]", "l:1", "l:2"}, "[2,3]"},
        {"array_slice", {"d:[1,2,3,4,5]", "l:2", "l:-1"}, "[3,4,5]"},
        {"array_slice", {"d:[1,2,3,4,5]", "l:-3", "l:-2"}, "[3,4]"},
        {"array_slice", {"d:[1,2,3]", "l:2", "l:1"}, "[]"},
        {"array_slice", {"d:[1,2,3]", "l:-9", "l:99"}, "[1,2,3]"},
        {"array_slice", {"d:[1,2,3]", "l:0", "l:-9"}, "[]"},
        {"array_split", {"d:[1,2,3,4,5]", "l:2"}, "[[1,2],[3,4,5]]"},
        {"array_split", {"d:[1,2,3,4,5]", "d:[1,3]"}, "[[1],[2,3],[4,5]]"},
        {"array_split", {"d:[1,2,3,4,5]", "l:-2"}, "[[1,2,3],[4,5]]"},
        {"array_split", {"d:[1,2]", "d:[1,0,9]"}, "[[1],[],[2],[]]"},
    };
    CHECK(cases);
}

#define WORDS "d:[\"this\",\"is\",\"an\",\"example\",\"an\",\"example\"]"
Test(func_array, searches_and_chooses)
{
    static const struct func_case cases[] = {
        {"array_index_of", {WORDS, "s:an"}, "2"},
        {"array_index_of", {WORDS, "s:example", "l:1", "l:3"}, "3"},
        {"array_index_of", {WORDS, "s:example", "l:1", "l:2"}, "-1"},
        {"array_index_of", {WORDS, "s:is", "l:2", "l:4"}, "-1"},
        {"array_index_of", {WORDS, "s:example", "l:2", "l:-1"}, "3"},
        {"array_index_of", {WORDS, "s:an", "l:1", "l:-1", "l:2"}, "4"},
        {"array_index_of", {WORDS, "s:an", "l:1", "l:-1", "l:3"}, "-1"},
        {"array_index_of", {WORDS, "s:an", "l:-3"}, "4"},
        {"array_index_of", {WORDS, "s:is", "l:-4"}, "-1"},
        {"array_index_of", {WORDS, "s:is", "l:0", "l:-2"}, "null"},
        {"array_index_of", {WORDS, "s:is", "l:0", "l:-1", "l:-1"}, "null"},
        {"array_index_of", {"null", "s:is"}, "null"},
        {"array_iff", {"d:[true,false,true]", "d:[1,2,3]", "d:[4,5,6]"}, "[1,5,3]"},
        {"array_iff", {"d:[1,0,50]", "s:yes", "s:no"}, "[\"yes\",\"no\",\"yes\"]"},
        {"array_iif", {"d:[\"some\",null,{}]", "l:1", "l:0"}, "[null,null,null]"},
        {"array_iff", {"d:[true,true,true]", "d:[1,2]", "d:[3,4]"}, "[1,2,null]"},
    };
    CHECK(cases);
}

Test(func_array, sorts)
{
    static const struct func_case cases[] = {
        {"array_sort_asc", {"d:[1,3,4,5,2]"}, "[1,2,3,4,5]"},
        {"array_sort_asc",
         {"d:[1,3,4,5,2]", "d:[\"a\",\"b\",\"c\",\"d\",\"e\"]"},
         "[[1,2,3,4,5],[\"a\",\"e\",\"b\",\"c\",\"d\"]]"},
        {"array_sort_asc", {"d:[1,2]", "d:[1]"}, "[[1,2],null]"},
        {"array_sort_asc",
         {"d:[null,\"blue\",\"yellow\",\"green\",null]"},
         "[\"blue\",\"green\",\"yellow\",null,null]"},
        {"array_sort_asc",
         {"d:[null,\"blue\",\"yellow\",\"green\",null]", "b:false"},
         "[null,null,\"blue\",\"green\",\"yellow\"]"},
        {"array_sort_desc",
         {"d:[1,3,4,5,2]", "d:[\"a\",\"b\",\"c\",\"d\",\"e\"]"},
         "[[5,4,3,2,1],[\"d\",\"c\",\"b\",\"e\",\"a\"]]"},
        {"array_sort_desc",
         {"d:[null,\"blue\",\"yellow\",\"green\",null]"},
         "[\"yellow\",\"green\",\"blue\",null,null]"},
        {"array_sort_desc",
         {"d:[null,\"blue\",\"yellow\",\"green\",null]", "b:false"},
         "[null,null,\"yellow\",\"green\",\"blue\"]"},
        {"array_sort_asc", {"d:[true,\"b\",2.5,[1],1]"}, "[1,2.5,\"b\",true,[1]]"},
        {"array_sort_asc", {"null"}, "null"},
    };
    CHECK(cases);
}

Test(func_bag, all)
{
    static const struct func_case cases[] = {
        {"bag_pack", {"s:a", "l:1", "s:b", "null"}, "{\"a\":1,\"b\":null}"},
        {"pack", {"s:a", "l:1", "s:a", "s:x"}, "{\"a\":\"x\"}"},
        {"pack_dictionary", {NULL}, "{}"},
        {"pack_all_ignore_nulls", {"s:a", "s:", "s:b", "nl", "s:c", "l:4"}, "{\"c\":4}"},
        {"bag_zip", {"d:[\"a\",\"b\",\"c\"]", "d:[1,\"2\"]"}, "{\"a\":1,\"b\":\"2\",\"c\":null}"},
        {"bag_zip", {"d:[\"a\",8,\"b\"]", "d:[1,\"2\",2.5]"}, "{\"a\":1,\"b\":2.5}"},
        {"bag_zip", {"d:[\"a\",8,\"b\"]", "d:1"}, "{\"a\":null,\"b\":null}"},
        {"bag_zip", {"d:\"a\"", "d:[1]"}, "null"},
        {"bag_keys", {"d:{\"a\":\"b\",\"c\":{\"d\":123}}"}, "[\"a\",\"c\"]"},
        {"bag_keys", {"d:{}"}, "[]"},
        {"bag_keys", {"d:[]"}, "null"},
        {"bag_keys", {"null"}, "null"},
        {"bag_has_key", {"d:{\"key1\":123,\"key2\":\"abc\"}", "s:key2"}, "true"},
        {"bag_has_key", {"d:{\"key1\":123,\"key3\":null}", "s:key3"}, "true"},
        {"bag_has_key", {"d:{\"key1\":123}", "s:key2"}, "false"},
        {"bag_has_key", {"d:{\"key2\":{\"prop1\":\"abc\"}}", "s:$.key2.prop1"}, "true"},
        {"bag_has_key", {"d:{\"key2\":[{}]}", "s:$.key2[0]"}, "true"},
        {"bag_has_key", {"d:[1]", "s:a"}, "false"},
        {"bag_merge",
         {"d:{\"A1\":12,\"B1\":2,\"C1\":3}", "d:{\"A2\":81,\"B2\":82,\"A1\":1}"},
         "{\"A1\":12,\"B1\":2,\"C1\":3,\"A2\":81,\"B2\":82}"},
        {"bag_merge", {"null", "d:{\"a\":1}"}, "{\"a\":1}"},
        {"bag_merge", {"null", "null"}, "null"},
        {"bag_set_key",
         {"d:{\"key1\":1,\"key2\":2}", "s:key3", "l:3"},
         "{\"key1\":1,\"key2\":2,\"key3\":3}"},
        {"bag_set_key",
         {"d:{\"key3\":\"abc\",\"key1\":1}", "s:key3", "l:3"},
         "{\"key3\":3,\"key1\":1}"},
        {"bag_set_key",
         {"d:{\"key2\":{\"prop1\":123,\"prop2\":\"xyz\"}}", "s:$.key2.prop1", "s:abc"},
         "{\"key2\":{\"prop1\":\"abc\",\"prop2\":\"xyz\"}}"},
        {"bag_set_key",
         {"d:{\"key1\":123}", "s:$.key2.prop1", "s:abc"},
         "{\"key1\":123,\"key2\":{\"prop1\":\"abc\"}}"},
        {"bag_set_key",
         {"d:{\"a\":[1,{\"b\":2}]}", "s:$.a[1].b", "d:{}"},
         "{\"a\":[1,{\"b\":{}}]}"},
        {"bag_set_key", {"d:{\"a\":[1]}", "s:$.a.b", "l:1"}, "{\"a\":[1]}"},
        {"bag_set_key", {"null", "s:a", "l:1"}, "null"},
        {"bag_remove_keys",
         {"d:{\"key1\":123,\"key2\":\"abc\"}", "d:[\"key2\",\"key4\"]"},
         "{\"key1\":123}"},
        {"bag_remove_keys",
         {"d:{\"key1\":123,\"key2\":{\"prop1\":\"abc\",\"prop2\":\"xyz\"},\"key3\":[100,200]}",
          "d:[\"$.key2.prop1\",\"key3\"]"},
         "{\"key1\":123,\"key2\":{\"prop2\":\"xyz\"}}"},
        {"bag_remove_keys", {"d:{\"a\":[1,2,3]}", "d:[\"$.a[1]\",\"$.x.y\"]"}, "{\"a\":[1,3]}"},
        {"bag_remove_keys", {"d:{\"a\":1}", "null"}, "{\"a\":1}"},
        {"bag_remove_keys", {"d:[1]", "d:[\"a\"]"}, "null"},
    };
    CHECK(cases);
}

Test(func_bag, refuses_a_key_without_a_value)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 24);
    struct rf_err err;
    struct value out;
    struct func_case odd = {"bag_pack", {"s:a", "l:1", "s:b"}, ""};
    cr_assert_eq(call(&arena, &odd, &out, &err), RF_INVALID);
    struct func_case no_type = {"extract_json", {"s:$.a", "s:{}", "s:rubbish"}, ""};
    cr_assert_eq(call(&arena, &no_type, &out, &err), RF_INVALID);
    struct func_case no_array = {"array_sort_asc", {"l:1"}, ""};
    cr_assert_eq(call(&arena, &no_array, &out, &err), RF_INVALID);
}

Test(func_array, range_is_bounded)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 28);
    struct rf_err err;
    struct value out;
    struct func_case wide = {"range", {"l:1", "l:1000000000"}, ""};
    cr_assert_eq(call(&arena, &wide, &out, &err), RF_OK, "%s", err.text);
    cr_assert_eq(dyn_count(out.s), ARRAY_COUNT_MAX);
}
