#include <criterion/criterion.h>

#include "kql/ast.h"
#include "logs/kusto_int.h"

Test(kusto_command, what_is_asked)
{
    static const struct {
        const char *text;
        enum kusto_verb verb;
        const char *name, *body, *pipe;
    } cases[] = {
        {".show version", KUSTO_SHOW_VERSION, "", "", ""},
        {"  .show   cluster ;", KUSTO_SHOW_CLUSTER, "", "", ""},
        {".show databases", KUSTO_SHOW_DATABASES, "", "", ""},
        {".show databases | where DatabaseName == 'x'", KUSTO_SHOW_DATABASES, "", "",
         "| where DatabaseName == 'x'"},
        {".show database schema as json", KUSTO_SHOW_SCHEMA_JSON, "", "", ""},
        {".show database ['my ws'] schema as json", KUSTO_SHOW_SCHEMA_JSON, "my ws", "", ""},
        {".show database ws-1 schema", KUSTO_SHOW_SCHEMA, "ws-1", "", ""},
        {".show databases (a, ['b c']) schema as json", KUSTO_SHOW_SCHEMA_JSON, "a", "", ""},
        {".show databases schema as json", KUSTO_SHOW_SCHEMA_JSON, "", "", ""},
        {".show schema as json", KUSTO_SHOW_SCHEMA_JSON, "", "", ""},
        {".show cluster databases", KUSTO_SHOW_DATABASES, "", "", ""},
        {".show tables", KUSTO_SHOW_TABLES, "", "", ""},
        {".SHOW TABLES DETAILS", KUSTO_SHOW_TABLES_DETAILS, "", "", ""},
        {".show tables (A, B)", KUSTO_SHOW_TABLES, "", "", ""},
        {".show tables // all of them\n| count", KUSTO_SHOW_TABLES, "", "", "| count"},
        {".show table T cslschema", KUSTO_SHOW_TABLE_CSL, "T", "", ""},
        {".show table ['T 1'] schema as json", KUSTO_SHOW_TABLE_JSON, "T 1", "", ""},
        {".show table T details", KUSTO_SHOW_TABLES_DETAILS, "T", "", ""},
        {".show table T ingestion json mappings", KUSTO_SHOW_MAPPINGS, "T", "", ""},
        {".show table T ingestion mapping 'm'", KUSTO_SHOW_MAPPINGS, "T", "", ""},
        {".show ingestion mappings", KUSTO_SHOW_MAPPINGS, "", "", ""},
        {".show functions", KUSTO_SHOW_FUNCTIONS, "", "", ""},
        {".show function F", KUSTO_SHOW_FUNCTION, "F", "", ""},
        {".show queries", KUSTO_SHOW_QUERIES, "", "", ""},
        {".show principal access", KUSTO_SHOW_ACCESS, "", "", ""},
        {".create table T_CL (a:long, ['b c']:string)", KUSTO_CREATE_TABLE, "T_CL", "", ""},
        {".create-merge table T_CL (a:long) with (folder='x')", KUSTO_CREATE_MERGE_TABLE, "T_CL",
         "", ""},
        {".alter table T_CL (a:long)", KUSTO_ALTER_TABLE, "T_CL", "", ""},
        {".alter-merge table T_CL (a:long)", KUSTO_ALTER_MERGE_TABLE, "T_CL", "", ""},
        {".drop table T_CL ifexists", KUSTO_DROP_TABLE, "T_CL", "", ""},
        {".drop table T_CL", KUSTO_DROP_TABLE, "T_CL", "", ""},
        {".create-or-alter function F(a:string='}', b:long=1) { T | where x == '}' // }\n}",
         KUSTO_CREATE_FUNCTION, "F", " T | where x == '}' // }\n", ""},
        {".create function ifnotexists with (docstring='d', folder=\"f\") F() { T }",
         KUSTO_CREATE_FUNCTION, "F", " T ", ""},
        {".drop function F ifexists", KUSTO_DROP_FUNCTION, "F", "", ""},
        {".ingest inline into table T_CL <| 1,a\n2,b", KUSTO_INGEST_INLINE, "T_CL", " 1,a\n2,b",
         ""},
        {".ingest inline into table T_CL with (format='json') <|\n{\"a\":1}", KUSTO_INGEST_INLINE,
         "T_CL", "\n{\"a\":1}", ""},
        {".ingest inline into table T_CL [1,a]", KUSTO_INGEST_INLINE, "T_CL", "1,a", ""},
        {".set-or-append T_CL <| A | take 1", KUSTO_APPEND, "T_CL", " A | take 1", ""},
        {".append async T_CL <| A", KUSTO_APPEND, "T_CL", " A", ""},
        {".set T_CL <| A", KUSTO_SET, "T_CL", " A", ""},
        {".create table T_CL ingestion json mapping 'm' '[{\"column\":\"a\"}]'",
         KUSTO_CREATE_MAPPING, "T_CL", "[{\"column\":\"a\"}]", ""},
        {".create-or-alter table T_CL ingestion json mapping \"m\"\n```\n[1]\n```",
         KUSTO_CREATE_MAPPING, "T_CL", "\n[1]\n", ""},
        {".create table T_CL ingestion csv mapping @'m' @'[\"it''s\"]' '\\n'", KUSTO_CREATE_MAPPING,
         "T_CL", "[\"it's\"]\n", ""},
        {".alter table T_CL ingestion json mapping 'm' '[]'", KUSTO_ALTER_MAPPING, "T_CL", "[]",
         ""},
        {".drop table T_CL ingestion json mapping 'm'", KUSTO_DROP_MAPPING, "T_CL", "", ""},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct kusto_command c;
        struct rf_err err = {0};
        enum rf_kind kind = kusto_command_parse(rf_str_of(cases[i].text), &arena, &c, &err);
        cr_assert(kind == RF_OK, "%s: %s", cases[i].text, err.text);
        cr_assert(c.verb == cases[i].verb, "%s", cases[i].text);
        cr_assert(rf_str_is(c.name, cases[i].name), "%s: %.*s", cases[i].text, RF_FMT(c.name));
        cr_assert(rf_str_is(c.body, cases[i].body), "%s: %.*s", cases[i].text, RF_FMT(c.body));
        cr_assert(rf_str_is(c.pipe, cases[i].pipe), "%s: %.*s", cases[i].text, RF_FMT(c.pipe));
        rf_arena_reset(&arena);
    }
}

Test(kusto_command, parts)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct kusto_command c;
    struct rf_err err = {0};
    rf_arena_init(&arena, 1u << 20);
    cr_assert(kusto_command_parse(RF_S(".create table T_CL (a:long, ['b c']:datetime) with "
                                       "(folder=\"x y\", docstring='it\\'s')"),
                                  &arena, &c, &err) == RF_OK);
    cr_assert(c.column_count == 2);
    cr_assert(rf_str_is(c.columns[1].name, "b c") && c.columns[1].type == TYPE_DATETIME);
    cr_assert(rf_str_is(kusto_property(&c, "Folder"), "x y"));
    cr_assert(rf_str_is(kusto_property(&c, "docstring"), "it's"));
    cr_assert(kusto_property(&c, "other").len == 0);
    cr_assert(kusto_command_parse(RF_S(".create-or-alter function F(a:string=')', b:long = 1) {T}"),
                                  &arena, &c, &err) == RF_OK);
    cr_assert(rf_str_is(c.parameters, "a:string=')', b:long = 1"));
    cr_assert(c.or_alter);
    cr_assert(kusto_command_parse(RF_S(".show databases (a, ['b c']) schema as json"), &arena, &c,
                                  &err) == RF_OK);
    cr_assert(c.name_count == 2 && rf_str_is(c.names[1], "b c"));
    cr_assert(kusto_command_parse(RF_S(".show table T ingestion csv mapping 'm'"), &arena, &c,
                                  &err) == RF_OK);
    cr_assert(rf_str_is(c.mapping, "m") && rf_str_is(c.mapping_kind, "csv"));
    cr_assert(kusto_command_parse(RF_S(".get ingestion resources"), &arena, &c, &err) == RF_OK);
    cr_assert(c.verb == KUSTO_REFUSED && c.body.len > 0);
}

Test(kusto_command, errors_name_the_place)
{
    static const struct {
        const char *text;
        uint32_t line, column;
    } cases[] = {
        {"", 1, 1},
        {"show tables", 1, 1},
        {".", 1, 2},
        {".frobnicate", 1, 2},
        {".show", 1, 6},
        {".show nothing", 1, 7},
        {".show tables,", 1, 13},
        {".show table", 1, 12},
        {".show table T schema as xml", 1, 25},
        {".create table T_CL", 1, 19},
        {".create table T_CL (a)", 1, 22},
        {".create table T_CL (a:blob)", 1, 23},
        {".create table T_CL (a:long", 1, 27},
        {".create-or-alter table T_CL (a:long)", 1, 29},
        {".create function F(a:long) {", 1, 29},
        {".create function F(a:long { x }", 1, 20},
        {".drop table", 1, 12},
        {".drop table T ifexists x", 1, 24},
        {".ingest inline into table T\nx", 2, 1},
        {".create table T ingestion json mapping 'm", 1, 40},
        {".create table T ingestion json mapping 'm\\", 1, 40},
        {".show function ['x", 1, 17},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct kusto_command c;
        struct rf_err err = {0};
        enum rf_kind kind = kusto_command_parse(rf_str_of(cases[i].text), &arena, &c, &err);
        cr_assert(kind == RF_INVALID && strcmp(err.code, "SyntaxError") == 0, "%s", cases[i].text);
        cr_expect(err.line == cases[i].line && err.column == cases[i].column, "%s: %u:%u %s",
                  cases[i].text, err.line, err.column, err.text);
        rf_arena_reset(&arena);
    }
}
