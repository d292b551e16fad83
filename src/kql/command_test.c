#include <criterion/criterion.h>

#include "kql/ast.h"
#include "kql/command.h"

Test(command, what_is_asked)
{
    static const struct {
        const char *text;
        enum command_verb verb;
        const char *name, *body, *pipe;
    } cases[] = {
        {".show version", COMMAND_SHOW_VERSION, "", "", ""},
        {"  .show   cluster ;", COMMAND_SHOW_CLUSTER, "", "", ""},
        {".show databases", COMMAND_SHOW_DATABASES, "", "", ""},
        {".show databases | where DatabaseName == 'x'", COMMAND_SHOW_DATABASES, "", "",
         "| where DatabaseName == 'x'"},
        {".show database schema as json", COMMAND_SHOW_SCHEMA_JSON, "", "", ""},
        {".show database ['my ws'] schema as json", COMMAND_SHOW_SCHEMA_JSON, "", "", ""},
        {".show database ws-1 schema", COMMAND_SHOW_SCHEMA, "", "", ""},
        {".show databases (a, ['b c']) schema as json", COMMAND_SHOW_SCHEMA_JSON, "", "", ""},
        {".show databases schema as json", COMMAND_SHOW_SCHEMA_JSON, "", "", ""},
        {".show schema as json", COMMAND_SHOW_SCHEMA_JSON, "", "", ""},
        {".show cluster databases", COMMAND_SHOW_DATABASES, "", "", ""},
        {".show tables", COMMAND_SHOW_TABLES, "", "", ""},
        {".SHOW TABLES DETAILS", COMMAND_SHOW_TABLES_DETAILS, "", "", ""},
        {".show tables (A, B)", COMMAND_SHOW_TABLES, "", "", ""},
        {".show tables // all of them\n| count", COMMAND_SHOW_TABLES, "", "", "| count"},
        {".show table T cslschema", COMMAND_SHOW_TABLE_CSL, "T", "", ""},
        {".show table ['T 1'] schema as json", COMMAND_SHOW_TABLE_JSON, "T 1", "", ""},
        {".show table T details", COMMAND_SHOW_TABLES_DETAILS, "T", "", ""},
        {".show table T ingestion json mappings", COMMAND_SHOW_MAPPINGS, "T", "", ""},
        {".show table T ingestion mapping 'm'", COMMAND_SHOW_MAPPINGS, "T", "", ""},
        {".show ingestion mappings", COMMAND_SHOW_MAPPINGS, "", "", ""},
        {".show functions", COMMAND_SHOW_FUNCTIONS, "", "", ""},
        {".show function F", COMMAND_SHOW_FUNCTION, "F", "", ""},
        {".show queries", COMMAND_SHOW_QUERIES, "", "", ""},
        {".show principal access", COMMAND_SHOW_ROLES, "", "", ""},
        {".create table T_CL (a:long, ['b c']:string)", COMMAND_CREATE_TABLE, "T_CL", "", ""},
        {".create-merge table T_CL (a:long) with (folder='x')", COMMAND_CREATE_MERGE_TABLE, "T_CL",
         "", ""},
        {".alter table T_CL (a:long)", COMMAND_ALTER_TABLE, "T_CL", "", ""},
        {".alter-merge table T_CL (a:long)", COMMAND_ALTER_MERGE_TABLE, "T_CL", "", ""},
        {".drop table T_CL ifexists", COMMAND_DROP_TABLES, "T_CL", "", ""},
        {".drop table T_CL", COMMAND_DROP_TABLES, "T_CL", "", ""},
        {".create-or-alter function F(a:string='}', b:long=1) { T | where x == '}' // }\n}",
         COMMAND_CREATE_FUNCTION, "F", " T | where x == '}' // }\n", ""},
        {".create function ifnotexists with (docstring='d', folder=\"f\") F() { T }",
         COMMAND_CREATE_FUNCTION, "F", " T ", ""},
        {".drop function F ifexists", COMMAND_DROP_FUNCTIONS, "F", "", ""},
        {".ingest inline into table T_CL <| 1,a\n2,b", COMMAND_INGEST_INLINE, "T_CL", " 1,a\n2,b",
         ""},
        {".ingest inline into table T_CL with (format='json') <|\n{\"a\":1}", COMMAND_INGEST_INLINE,
         "T_CL", "\n{\"a\":1}", ""},
        {".ingest inline into table T_CL [1,a]", COMMAND_INGEST_INLINE, "T_CL", "1,a", ""},
        {".set-or-append T_CL <| A | take 1", COMMAND_SET_APPEND, "T_CL", " A | take 1", ""},
        {".append async T_CL <| A", COMMAND_APPEND, "T_CL", " A", ""},
        {".set T_CL <| A", COMMAND_SET, "T_CL", " A", ""},
        {".create table T_CL ingestion json mapping 'm' '[{\"column\":\"a\"}]'",
         COMMAND_CREATE_MAPPING, "T_CL", "[{\"column\":\"a\"}]", ""},
        {".create-or-alter table T_CL ingestion json mapping \"m\"\n```\n[1]\n```",
         COMMAND_CREATE_MAPPING, "T_CL", "\n[1]\n", ""},
        {".create table T_CL ingestion csv mapping @'m' @'[\"it''s\"]' '\\n'",
         COMMAND_CREATE_MAPPING, "T_CL", "[\"it's\"]\n", ""},
        {".alter table T_CL ingestion json mapping 'm' '[]'", COMMAND_ALTER_MAPPING, "T_CL", "[]",
         ""},
        {".drop table T_CL ingestion json mapping 'm'", COMMAND_DROP_MAPPING, "T_CL", "", ""},
        {"// why\n .show tables", COMMAND_SHOW_TABLES, "", "", ""},
        {".show tables (A, B) details | count", COMMAND_SHOW_TABLES_DETAILS, "", "", "| count"},
        {".show database ws journal", COMMAND_SHOW_JOURNAL, "", "", ""},
        {".show database ['a b'] schema as csl script", COMMAND_SHOW_SCHEMA_SCRIPT, "", "", ""},
        {".show table T extents hot", COMMAND_SHOW_EXTENTS, "T", "", ""},
        {".show table T policy retention", COMMAND_SHOW_RETENTION, "T", "", ""},
        {".show operations 0-1", COMMAND_SHOW_OPERATIONS, "0-1", "", ""},
        {".show purges from '2026-01-01' to '2026-02-01' in database D", COMMAND_SHOW_PURGES, "",
         "", ""},
        {".show external tables", COMMAND_SHOW_NONE, "", "", ""},
        {".create tables A (a:long), B (b:string)", COMMAND_CREATE_TABLE, "A", "", ""},
        {".alter table T docstring 'd'", COMMAND_DESCRIBE_TABLE, "T", "d", ""},
        {".alter table T folder \"f\"", COMMAND_DESCRIBE_TABLE, "T", "f", ""},
        {".alter-merge table T policy retention softdelete = 10d recoverability = disabled",
         COMMAND_ALTER_RETENTION, "T", "10d", ""},
        {".alter table T policy retention ```{\"SoftDeletePeriod\":\"1.00:00:00\"}```",
         COMMAND_ALTER_RETENTION, "T", "{\"SoftDeletePeriod\":\"1.00:00:00\"}", ""},
        {".rename tables A=B, B=A ifexists", COMMAND_RENAME_TABLES, "", "", ""},
        {".drop column T.c ifexists", COMMAND_DROP_COLUMNS, "T", "", ""},
        {".drop column D.['T 1'].['c d']", COMMAND_DROP_COLUMNS, "T 1", "", ""},
        {".alter column ['T'].['c'] type=string", COMMAND_ALTER_COLUMN, "T", "", ""},
        {".clear table T data", COMMAND_CLEAR_TABLE, "T", "", ""},
        {".alter function F docstring 'd'", COMMAND_DESCRIBE_FUNCTION, "F", "d", ""},
        {".alter function with (folder='x') F() { T }", COMMAND_ALTER_FUNCTION, "F", " T ", ""},
        {".set-or-replace async T with (recreate_schema=true) <| A", COMMAND_SET_REPLACE, "T", " A",
         ""},
        {".purge table T records in database D with (noregrets='true') <| where a == 1",
         COMMAND_PURGE, "T", " where a == 1", ""},
        {".purge table T in database D allrecords with (verificationtoken=h'abc')",
         COMMAND_PURGE_ALL, "T", "", ""},
        {".cancel query 'a b'", COMMAND_CANCEL_QUERY, "a b", "", ""},
        {".execute database script with (ContinueOnErrors=true) <|\n.show tables", COMMAND_SCRIPT,
         "", "\n.show tables", ""},
        {".create function F() { print ```}``` }", COMMAND_CREATE_FUNCTION, "F", " print ```}``` ",
         ""},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct command c;
        struct rf_err err = {0};
        enum rf_kind kind = command_parse(rf_str_of(cases[i].text), &arena, &c, &err);
        cr_assert(kind == RF_OK, "%s: %s", cases[i].text, err.text);
        cr_assert(c.verb == cases[i].verb, "%s", cases[i].text);
        cr_assert(rf_str_is(c.name, cases[i].name), "%s: %.*s", cases[i].text, RF_FMT(c.name));
        cr_assert(rf_str_is(c.body, cases[i].body), "%s: %.*s", cases[i].text, RF_FMT(c.body));
        cr_assert(rf_str_is(c.pipe, cases[i].pipe), "%s: %.*s", cases[i].text, RF_FMT(c.pipe));
        rf_arena_reset(&arena);
    }
}

Test(command, parts)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct command c;
    struct rf_err err = {0};
    rf_arena_init(&arena, 1u << 20);
    cr_assert(command_parse(RF_S(".create table T_CL (a:long, ['b c']:datetime) with "
                                 "(folder=\"x y\", docstring='it\\'s')"),
                            &arena, &c, &err) == RF_OK);
    cr_assert(c.table_count == 1 && c.tables[0].column_count == 2);
    cr_assert(rf_str_is(c.tables[0].columns[1].name, "b c"));
    cr_assert(c.tables[0].columns[1].type == TYPE_DATETIME);
    cr_assert(rf_str_is(command_property(&c, "Folder"), "x y"));
    cr_assert(rf_str_is(command_property(&c, "docstring"), "it's"));
    cr_assert(command_property(&c, "other").len == 0);
    cr_assert(command_parse(RF_S(".create-or-alter function F(a:string=')', b:long = 1) {T}"),
                            &arena, &c, &err) == RF_OK);
    cr_assert(rf_str_is(c.parameters, "a:string=')', b:long = 1"));
    cr_assert(c.or_alter);
    cr_assert(command_parse(RF_S(".show databases (a, ['b c']) schema as json"), &arena, &c,
                            &err) == RF_OK);
    cr_assert(c.name_count == 2 && rf_str_is(c.names[1], "b c"));
    cr_assert(command_parse(RF_S(".show table T ingestion csv mapping 'm'"), &arena, &c, &err) ==
              RF_OK);
    cr_assert(rf_str_is(c.mapping, "m") && rf_str_is(c.mapping_kind, "csv"));
    cr_assert(command_parse(RF_S(".get ingestion resources"), &arena, &c, &err) == RF_OK);
    cr_assert(c.verb == COMMAND_REFUSED && c.entry->doc[0] != '\0');
}

Test(command, errors_name_the_place)
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
        struct command c;
        struct rf_err err = {0};
        enum rf_kind kind = command_parse(rf_str_of(cases[i].text), &arena, &c, &err);
        cr_assert(kind == RF_INVALID && strcmp(err.code, "SyntaxError") == 0, "%s", cases[i].text);
        cr_expect(err.line == cases[i].line && err.column == cases[i].column, "%s: %u:%u %s",
                  cases[i].text, err.line, err.column, err.text);
        rf_arena_reset(&arena);
    }
}

Test(command, errors_say_what_was_near)
{
    static const struct {
        const char *text, *says;
    } cases[] = {
        {".shwo tables", "did you mean 'show'?"},
        {".show tabels", "did you mean 'tables'?"},
        {".create tabel T (a:long)", "did you mean 'table'?"},
        {".show table T schema as jsno",
         "expected json or csl, found 'jsno'; did you mean 'json'?"},
        {".set T | take 1", "'<|'"},
        {".purge table T", "records"},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct command c;
        struct rf_err err = {0};
        cr_assert(command_parse(rf_str_of(cases[i].text), &arena, &c, &err) == RF_INVALID);
        cr_expect(strstr(err.text, cases[i].says) != NULL, "%s: %s", cases[i].text, err.text);
    }
}

/* Each entry's syntax, its slots filled in, is read as that entry or as one before it. */
Test(command, every_entry_can_be_reached)
{
    static const struct {
        const char *slot, *text;
    } slots[] = {{"<table>", "T"},
                 {"<function>", "F"},
                 {"<operation>", "x"},
                 {"<database>", "D"},
                 {"<to>", "N"},
                 {"<names>", "(A, B)"},
                 {"<columns>", "(a:long)"},
                 {"<tables>", "A (a:long)"},
                 {"<pairs>", "A=B"},
                 {"<table.column>", "T.c"},
                 {"<type>", "string"},
                 {"<properties>", "(a=b)"},
                 {"<kind>", "json"},
                 {"<mapping>", "'m'"},
                 {"<from>", "'2026'"},
                 {"<until>", "'2027'"},
                 {"<text>", "'t'"},
                 {"<texts>", "'t'"},
                 {"<policy>", "softdelete=1d"},
                 {"<parameters>", "()"},
                 {"<block>", "{ T }"},
                 {"<data>", "<| 1"},
                 {"<query>", "<| T"},
                 {"<rest>", "x"}};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 20);
    for (size_t i = 0; i < command_count(); i++) {
        const struct command_entry *e = command_at(i);
        rf_str syntax = rf_str_of(e->syntax);
        struct rf_buf buf = rf_buf_in(&arena);
        struct command c;
        struct rf_err err = {0};
        for (size_t at = 0; at < syntax.len;) {
            uint8_t b = syntax.ptr[at];
            size_t end = at + 1;
            if (b == '|') { /* the first of several words will do */
                while (end < syntax.len && syntax.ptr[end] != ' ' && syntax.ptr[end] != ']') end++;
                at = end;
                continue;
            }
            if (b != '<') {
                if (b != '[' && b != ']') rf_buf_byte(&buf, b);
                at = end;
                continue;
            }
            while (syntax.ptr[end - 1] != '>') end++;
            rf_str slot = rf_slice(syntax, at, end);
            size_t k = 0;
            while (k < RF_COUNT(slots) && !rf_str_is(slot, slots[k].slot)) k++;
            cr_assert(k < RF_COUNT(slots), "%s", e->syntax);
            rf_buf_str(&buf, rf_str_of(slots[k].text));
            at = end;
        }
        cr_assert(command_parse(rf_buf_view(&buf), &arena, &c, &err) == RF_OK, "%.*s: %s",
                  RF_FMT(rf_buf_view(&buf)), err.text);
        cr_expect(c.entry == e, "%.*s is read as %s", RF_FMT(rf_buf_view(&buf)), c.entry->syntax);
        rf_arena_reset(&arena);
    }
}
