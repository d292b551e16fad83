#include "arm/template.h"
#include "test/rf_prop.h"

#define SUB "99999999-0000-0000-0000-000000000001"
#define GROUP "/subscriptions/" SUB "/resourceGroups/rg"

static const struct site site = {.tenant_id = RF_S("11111111-2222-3333-4444-555555555555"),
                                 .domain = RF_S("ringfort.localhost"),
                                 .origin = RF_S("https://localhost:8443"),
                                 .subscription_id = RF_S(SUB)};

static enum rf_kind scope_document(void *ctx, rf_str id, struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = ctx;
    struct json_node *document = json_new(arena, JSON_T_OBJECT);
    (void)err;
    json_set_text(arena, document, "id", id);
    json_set_text(arena, document, "name", RF_S("rg"));
    json_set_text(arena, document, "location", RF_S("local"));
    *out = document;
    return RF_OK;
}

struct bench {
    struct rf_arena arena;
    struct template_run run;
    struct template_env env;
    struct template_entry parameters[2];
    struct rf_err err;
};

static void bench_init(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    rf_arena_init(&bench->arena, 64 << 20);
    bench->run = (struct template_run){.arena = &bench->arena,
                                       .site = &site,
                                       .now = INT64_C(1769860800) *
                                              RF_USEC_PER_SECOND, /* 2026-01-31 12:00 */
                                       .in_default = true,
                                       .world = {.ctx = &bench->arena, .scope = scope_document}};
    cr_assert(template_scope_of(&bench->arena, RF_S(GROUP), &bench->env.scope, &bench->err) ==
              RF_OK);
    bench->env.target = bench->env.scope;
    bench->env.document = json_new(&bench->arena, JSON_T_OBJECT);
    bench->env.parameters = bench->parameters;
    bench->env.parameter_count = 2;
    static const struct json_node definition = {.type = JSON_T_OBJECT};
    bench->parameters[0] =
        (struct template_entry){.name = RF_S("p"),
                                .source = &definition,
                                .given = json_new_text(&bench->arena, RF_S("ws"))};
    bench->parameters[1] = (struct template_entry){.name = RF_S("n"),
                                                   .source = &definition,
                                                   .type = TEMPLATE_INT,
                                                   .given = json_new_i64(&bench->arena, 7)};
}

/* The value as JSON; empty and bench->err when it fails. */
static rf_str eval(struct bench *bench, const char *text)
{
    struct template_expr *expr;
    struct json_node *value;
    const struct template_loop loop = {.name = RF_S("loop"), .index = 3};
    const struct template_frame frame = {.run = &bench->run, .env = &bench->env, .loops = &loop};
    rf_str whole = rf_str_of(text);
    if (!template_is_expr(whole)) {
        (void)rf_fail(&bench->err, RF_INVALID, "InvalidTemplate", "no expression");
        return (rf_str){0};
    }
    if (template_expr_parse(whole, &bench->arena, &expr, &bench->err) != RF_OK) return (rf_str){0};
    if (template_eval(&frame, expr, &value, &bench->err) != RF_OK) return (rf_str){0};
    return json_to_text(&bench->arena, value);
}

static const struct {
    const char *expr, *wanted; /* NULL: it fails */
} cases[] = {
    /* names */
    {"[parameters('p')]", "\"ws\""},
    {"[PARAMETERS('P')]", "\"ws\""},
    {"[parameters('none')]", NULL},
    {"[copyIndex()]", "3"},
    {"[copyIndex(1)]", "4"},
    {"[copyIndex('LOOP', -3)]", "0"},
    {"[copyIndex('other')]", NULL},
    {"[nosuch('a')]", NULL},
    {"[concat('a'", NULL},
    {"[concat('a') 'b']", NULL},
    {"['it''s']", "\"it's\""},
    {"[sys.concat('a', 'b')]", "\"ab\""},
    {"[variables]", NULL},
    /* texts and arrays */
    {"[concat('a', '-', parameters('p'), 7, true())]", "\"a-ws7True\""},
    {"[concat(createArray(1), createArray('x', null()))]", "[1,\"x\",null]"},
    {"[concat(createArray(1), 'x')]", NULL},
    {"[toLower('ABC\xc3\x84')]", "\"abc\xc3\x84\""},
    {"[toUpper('abc')]", "\"ABC\""},
    {"[trim('  x ')]", "\"x\""},
    {"[substring('abcdef', 2, 3)]", "\"cde\""},
    {"[substring('abc', 1)]", "\"bc\""},
    {"[substring('abc', 2, 5)]", NULL},
    {"[take('a\xc3\xa4z', 2)]", "\"a\xc3\xa4\""},
    {"[take('abc', 9)]", "\"abc\""},
    {"[skip('abc', 1)]", "\"bc\""},
    {"[take(createArray(1,2,3), 2)]", "[1,2]"},
    {"[skip(createArray(1,2,3), 2)]", "[3]"},
    {"[first('xyz')]", "\"x\""},
    {"[last('xyz')]", "\"z\""},
    {"[first(createArray())]", "null"},
    {"[last(split('a/b/c', '/'))]", "\"c\""},
    {"[split('a,b;c', createArray(',', ';'))]", "[\"a\",\"b\",\"c\"]"},
    {"[split('', ',')]", "[\"\"]"},
    {"[join(createArray('a', 1), '-')]", "\"a-1\""},
    {"[replace('a.b.c', '.', '-')]", "\"a-b-c\""},
    {"[replace('b','b','')]", "\"\""},
    {"[replace('b','','x')]", NULL},
    {"[startsWith('Abc', 'aB')]", "true"},
    {"[endsWith('abC', 'Bc')]", "true"},
    {"[indexOf('abcB', 'B')]", "1"},
    {"[lastIndexOf('abcB', 'b')]", "3"},
    {"[indexOf(createArray(1,2), 2)]", "1"},
    {"[indexOf('abc', 'x')]", "-1"},
    {"[padLeft('7', 3, '0')]", "\"007\""},
    {"[padLeft(7, 3)]", "\"  7\""},
    {"[format('{0}-{1:D3}-{{x}}', 'a', 7)]", "\"a-007-{x}\""},
    {"[format('{0,5}|{0,-5}|{1:N0}', 'ab', 1234567)]", "\"   ab|ab   |1,234,567\""},
    {"[format('{2}', 'a')]", NULL},
    {"[length('a\xc3\xa4')]", "2"},
    {"[length(createObject('a', 1))]", "1"},
    {"[empty('')]", "true"},
    {"[empty(null())]", "true"},
    {"[empty(createArray(0))]", "false"},
    {"[contains('abc', 'b')]", "true"},
    {"[contains('abc', 'B')]", "false"},
    {"[contains(createArray('a', 'b'), 'b')]", "true"},
    {"[contains(createObject('Key', 1), 'key')]", "true"},
    {"[range(3, 3)]", "[3,4,5]"},
    {"[range(0, 10001)]", NULL},
    {"[flatten(createArray(createArray(1), createArray(2, 3)))]", "[1,2,3]"},
    {"[union(createArray(1, 2), createArray(2, 3))]", "[1,2,3]"},
    {"[union(createObject('a', createObject('x', 1)), createObject('a', createObject('y', 2)))]",
     "{\"a\":{\"x\":1,\"y\":2}}"},
    {"[shallowMerge(createArray(createObject('a', createObject('x', 1)), createObject('a', 2)))]",
     "{\"a\":2}"},
    {"[intersection(createArray(1, 2, 3), createArray(3, 2))]", "[2,3]"},
    {"[intersection(createObject('a', 1, 'b', 2), createObject('a', 1, 'b', 3))]", "{\"a\":1}"},
    {"[createObject('a')]", NULL},
    {"[items(createObject('b', 2, 'a', 1))]",
     "[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":2}]"},
    {"[objectKeys(createObject('b', 2, 'a', 1))]", "[\"a\",\"b\"]"},
    {"[createArray(1,2)[1]]", "2"},
    {"[createArray(1,2)[2]]", NULL},
    {"[createObject('a', createObject('b', 5)).A.b]", "5"},
    {"[createObject('a', 1)['a']]", "1"},
    {"[createObject('a', 1).b]", NULL},
    {"[createObject('a', 1).?b]", "null"},
    {"[tryGet(createObject('a', createArray(4)), 'a', 0)]", "4"},
    {"[tryGet(createObject('a', 1), 'x', 'y')]", "null"},
    {"[indexFromEnd(createArray(1,2,3), 1)]", "3"},
    {"[tryIndexFromEnd(createArray(1), 2)]", "null"},
    /* values */
    {"[string(json('{\"a\":1}'))]", "\"{\\\"a\\\":1}\""},
    {"[json('[1, 2.5]')]", "[1,2.5]"},
    {"[json('{')]", NULL},
    {"[int('42')]", "42"},
    {"[int('-007')]", "-7"},
    {"[int('x')]", NULL},
    {"[bool('True')]", "true"},
    {"[bool(0)]", "false"},
    {"[float('1.5')]", "1.5"},
    {"[coalesce(null(), json('null'), 'd')]", "\"d\""},
    {"[array('x')]", "[\"x\"]"},
    {"[base64('hi')]", "\"aGk=\""},
    {"[base64ToString('aGk=')]", "\"hi\""},
    {"[base64ToJson(base64('{\"a\":[1]}')).a[0]]", "1"},
    {"[dataUri('Hello')]", "\"data:text/plain;charset=utf8;base64,SGVsbG8=\""},
    {"[dataUriToString('data:;base64,SGVsbG8=')]", "\"Hello\""},
    {"[uriComponent('a b/c')]", "\"a%20b%2Fc\""},
    {"[uriComponentToString('a%20b')]", "\"a b\""},
    {"[uri('http://contoso.org/firstpath/', 'x.json')]", "\"http://contoso.org/firstpath/x.json\""},
    {"[uri('http://contoso.org/firstpath/a.json', 'b.json')]",
     "\"http://contoso.org/firstpath/b.json\""},
    {"[uri('http://contoso.org', 'b')]", "\"http://contoso.org/b\""},
    {"[equals(guid('a','b'), guid('a','b'))]", "true"},
    {"[equals(guid('ab'), guid('a','b'))]", "false"},
    {"[length(uniqueString('x'))]", "13"},
    {"[length(newGuid())]", "36"},
    /* logic and numbers */
    {"[if(equals(1, 1), 'yes', fail('never'))]", "\"yes\""},
    {"[if(false(), fail('never'), 2)]", "2"},
    {"[if('x', 1, 2)]", NULL},
    {"[and(true(), false(), fail('never'))]", "false"},
    {"[or(false(), true(), fail('never'))]", "true"},
    {"[not(true())]", "false"},
    {"[equals('a', 'A')]", "false"},
    {"[equals(createObject('a', 1, 'b', 2), createObject('b', 2, 'a', 1))]", "true"},
    {"[less('a', 'b')]", "true"},
    {"[greaterOrEquals(2, 2)]", "true"},
    {"[less(1, 'b')]", NULL},
    {"[add(5, 3)]", "8"},
    {"[sub(5, 8)]", "-3"},
    {"[mul(-2, 3)]", "-6"},
    {"[div(7, 2)]", "3"},
    {"[mod(7, 3)]", "1"},
    {"[div(1, 0)]", NULL},
    {"[add(9223372036854775807, 1)]", NULL},
    {"[max(createArray(1, 5, 3))]", "5"},
    {"[min(4, 2, 3)]", "2"},
    {"[fail('no')]", NULL},
    /* time */
    {"[utcNow()]", "\"20260131T120000Z\""},
    {"[utcNow('d')]", "\"01/31/2026\""},
    {"[utcNow('yyyy-MM-dd HH:mm')]", "\"2026-01-31 12:00\""},
    {"[utcNow('dddd, d MMM yy')]", "\"Saturday, 31 Jan 26\""},
    {"[dateTimeAdd('2020-04-07 14:53:14Z', 'P3Y')]", "\"2023-04-07T14:53:14Z\""},
    {"[dateTimeAdd('2024-01-31T00:00:00Z', 'P1M')]", "\"2024-02-29T00:00:00Z\""},
    {"[dateTimeAdd('2020-04-07T14:53:14Z', '-P9D', 'd')]", "\"03/29/2020\""},
    {"[dateTimeAdd('2020-04-07T23:00:00Z', 'PT1H30M')]", "\"2020-04-08T00:30:00Z\""},
    {"[dateTimeAdd('x', 'P1D')]", NULL},
    {"[dateTimeFromEpoch(1683040573)]", "\"2023-05-02T15:16:13Z\""},
    {"[dateTimeToEpoch('2023-05-02T15:16:13Z')]", "1683040573"},
    /* networks */
    {"[cidrSubnet('10.144.0.0/20', 24, 1)]", "\"10.144.1.0/24\""},
    {"[cidrSubnet('10.144.0.0/20', 24, 16)]", NULL},
    {"[cidrSubnet('fdad:3236:5555::/48', 64, 2)]", "\"fdad:3236:5555:2::/64\""},
    {"[cidrHost('10.144.3.0/24', 0)]", "\"10.144.3.1\""},
    {"[parseCidr('10.144.0.0/20').broadcast]", "\"10.144.15.255\""},
    {"[parseCidr('10.144.0.0/20').firstUsable]", "\"10.144.0.1\""},
    {"[parseCidr('10.144.0.0/33')]", NULL},
    /* lambdas */
    {"[map(range(1, 3), lambda('x', mul(lambdaVariables('x'), 2)))]", "[2,4,6]"},
    {"[map(createArray('a', 'b'), lambda('x', 'i', format('{0}{1}', lambdaVariables('i'), "
     "lambdaVariables('x'))))]",
     "[\"0a\",\"1b\"]"},
    {"[filter(range(0, 5), lambda('x', greater(lambdaVariables('x'), 2)))]", "[3,4]"},
    {"[reduce(range(1, 4), 0, lambda('a', 'b', add(lambdaVariables('a'), lambdaVariables('b'))))]",
     "10"},
    {"[sort(createArray(3, 1, 2), lambda('a', 'b', less(lambdaVariables('a'), "
     "lambdaVariables('b'))))]",
     "[1,2,3]"},
    {"[toObject(createArray('a', 'b'), lambda('x', lambdaVariables('x')), lambda('x', 1))]",
     "{\"a\":1,\"b\":1}"},
    {"[mapValues(createObject('a', 1), lambda('v', add(lambdaVariables('v'), 1)))]", "{\"a\":2}"},
    {"[groupBy(createArray('ab', 'ac', 'b'), lambda('x', first(lambdaVariables('x'))))]",
     "{\"a\":[\"ab\",\"ac\"],\"b\":[\"b\"]}"},
    {"[lambda('x', 1)]", NULL},
    {"[map(1, lambda('x', 1))]", NULL},
    {"[map(createArray(createArray(1)), lambda('o', map(lambdaVariables('o'), lambda('i', "
     "length(lambdaVariables('o'))))))]",
     "[[1]]"},
    /* places */
    {"[resourceGroup().location]", "\"local\""},
    {"[subscription().subscriptionId]", "\"" SUB "\""},
    {"[tenant().tenantId]", "\"11111111-2222-3333-4444-555555555555\""},
    {"[environment().resourceManager]", "\"https://localhost:8443/\""},
    {"[resourceId('Microsoft.A/b', 'x')]", "\"" GROUP "/providers/Microsoft.A/b/x\""},
    {"[resourceId('Microsoft.A/b/c', 'x', 'y')]", "\"" GROUP "/providers/Microsoft.A/b/x/c/y\""},
    {"[resourceId('other', 'Microsoft.A/b', 'x')]",
     "\"/subscriptions/" SUB "/resourceGroups/other/providers/Microsoft.A/b/x\""},
    {"[resourceId('99999999-0000-0000-0000-000000000002', 'g', 'Microsoft.A/b', 'x')]",
     "\"/subscriptions/99999999-0000-0000-0000-000000000002/resourceGroups/g/providers/"
     "Microsoft.A/b/x\""},
    {"[resourceId('Microsoft.A/b', 'x', 'y')]", NULL},
    {"[resourceId('x', 'y')]", NULL},
    {"[extensionResourceId('/a/b', 'Microsoft.C/d', 'e')]", "\"/a/b/providers/Microsoft.C/d/e\""},
    {"[subscriptionResourceId('Microsoft.A/b', 'x')]",
     "\"/subscriptions/" SUB "/providers/Microsoft.A/b/x\""},
    {"[tenantResourceId('Microsoft.A/b', 'x')]", "\"/providers/Microsoft.A/b/x\""},
    {"[managementGroupResourceId('m', 'Microsoft.A/b', 'x')]",
     "\"/providers/Microsoft.Management/managementGroups/m/providers/Microsoft.A/b/x\""},
    {"[pickZones('Microsoft.A', 'b', 'local', 2)]", "[\"1\",\"2\"]"},
    {"[managementGroup().id]", NULL},
    {"[reference('x')]", NULL},
    {"[listKeys('x', '2021-01-01')]", NULL},
};

Test(template_expr, functions)
{
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct bench bench;
        bench_init(&bench);
        rf_str got = eval(&bench, cases[i].expr);
        if (cases[i].wanted == NULL) {
            cr_expect(got.ptr == NULL, "%s gives %.*s", cases[i].expr, RF_FMT(got));
            cr_expect(got.ptr != NULL || bench.err.kind == RF_INVALID, "%s: %s", cases[i].expr,
                      bench.err.text);
        } else {
            cr_expect(rf_str_is(got, cases[i].wanted), "%s gives %.*s, not %s (%s)", cases[i].expr,
                      RF_FMT(got), cases[i].wanted, bench.err.text);
        }
        rf_arena_done(&bench.arena);
    }
}

/* Every function is named by a test above, or asks the world and is tested with it. */
Test(template_expr, every_function_is_tested)
{
    static const char *const elsewhere[] = {"variables",     "deployment",     "deployer",
                                            "references",    "list*",          "providers",
                                            "toLogicalZone", "toPhysicalZone", "lessOrEquals"};
    const struct template_function *function;
    for (uint32_t f = 0; (function = template_function_at(f)) != NULL; f++) {
        bool found = false;
        for (size_t i = 0; i < RF_COUNT(elsewhere); i++)
            found = found || strcmp(function->name, elsewhere[i]) == 0;
        for (size_t i = 0; i < RF_COUNT(cases) && !found; i++)
            found = strstr(cases[i].expr, function->name) != NULL;
        cr_expect(found, "no test calls %s", function->name);
    }
}

Test(template_expr, what_would_run_away_is_refused)
{
    static const char *const bad[] = {
        "[length(map(range(0, 10000), lambda('x', range(0, 10000))))]",
        ("[length(reduce(range(0, 10000), 'ab', lambda('a', 'b', concat(lambdaVariables('a'), "
         "lambdaVariables('a')))))]"),
        "[length(padLeft('x', 100000))]",
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        struct bench bench;
        bench_init(&bench);
        rf_str got = eval(&bench, bad[i]);
        cr_expect(got.ptr == NULL, "%s", bad[i]);
        cr_expect(bench.err.kind == RF_INVALID || bench.err.kind == RF_LIMIT);
        rf_arena_done(&bench.arena);
    }
    struct bench bench;
    bench_init(&bench);
    struct rf_buf deep = rf_buf_in(&bench.arena);
    rf_buf_byte(&deep, '[');
    for (int i = 0; i < 200; i++) rf_buf_str(&deep, RF_S("not("));
    rf_buf_str(&deep, RF_S("true()"));
    for (int i = 0; i < 200; i++) rf_buf_byte(&deep, ')');
    rf_buf_str(&deep, RF_S("]"));
    rf_buf_byte(&deep, 0);
    cr_assert(eval(&bench, (const char *)deep.ptr).ptr == NULL);
    cr_assert(strstr(bench.err.text, "too deep") != NULL, "%s", bench.err.text);
    rf_arena_done(&bench.arena);
}

/* Property, for random calls of pieces: whatever comes, it ends, and it fails as a template does. */
RF_PROP(template_expr_random_calls_end, 3000)
{
    static const char *const pieces[] = {"concat(",     "createArray(",
                                         "'a'",         ",",
                                         ")",           "1",
                                         "-5",          "[0]",
                                         ".x",          "map(",
                                         "lambda('x',", "lambdaVariables('x')",
                                         "range(0,9)",  "if(",
                                         "true()",      "parameters('n')",
                                         "string(",     "length(",
                                         "take(",       "?",
                                         "''",          "format('{0}',",
                                         "json('[1]')", "union("};
    struct bench bench;
    bench_init(&bench);
    struct rf_buf text = rf_buf_in(&bench.arena);
    rf_buf_byte(&text, '[');
    uint64_t count = rf_test_below(prng, 14);
    for (uint64_t i = 0; i < count; i++)
        rf_buf_str(&text, rf_str_of(pieces[rf_test_below(prng, RF_COUNT(pieces))]));
    rf_buf_str(&text, RF_S("]"));
    rf_buf_byte(&text, 0);
    rf_str got = eval(&bench, (const char *)text.ptr);
    if (got.ptr == NULL)
        cr_assert(bench.err.kind == RF_INVALID && strcmp(bench.err.code, "InvalidTemplate") == 0);
    rf_arena_done(&bench.arena);
}
