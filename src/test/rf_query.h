/* rf_query.h - random queries, most of which bind, for fuzzing and for asking the same in several ways.
 *
 *   struct rf_query q = {.state = seed, .catalog = &catalog, .arena = &arena};
 *   rf_str text = rf_query_make(&q);
 *
 * Functions and aggregates come from the registry, arguments by the types of their signatures and mostly right, now and
 * then not. Operators and plugins come from templates. After each operator the text is linted, so that the next one
 * knows its columns. The catalog has the tables T, T2 and E, which may be alike, and a function F(n, q). */
#ifndef RF_TEST_QUERY_H
#define RF_TEST_QUERY_H

#include "kql/kql.h"

#define RF_QUERY_HELPER __attribute__((unused)) static

enum {
    RF_QUERY_COLUMNS_MAX = 48,
    RF_QUERY_BYTES_MAX = 3000, /* about: no more is begun beyond it */
    RF_QUERY_LINT_BYTES = 16 << 20,
};

struct rf_query {
    uint64_t state;
    const struct catalog *catalog;
    struct rf_arena *arena;
    bool repeatable; /* it has one answer, whatever way it is asked and wherever rows lie */
    struct rf_buf text;
    struct rf_query_column {
        rf_str name;
        uint8_t type;
    } columns[RF_QUERY_COLUMNS_MAX];
    uint32_t column_count, name_count;
    uint8_t common; /* what T stands for in the signature at hand */
};

RF_QUERY_HELPER uint64_t rf_query_u64(struct rf_query *q)
{
    uint64_t x = q->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}
RF_QUERY_HELPER uint32_t rf_query_below(struct rf_query *q, size_t count)
{
    return (uint32_t)(rf_query_u64(q) % count);
}
#define RF_QUERY_PICK(q, list) ((list)[rf_query_below((q), RF_COUNT(list))])

/* ---- literals --------------------------------------------------------------------------------- */

/* Texts of each type, '\n' between them. */
static const char *const rf_query_literals[TYPE_COUNT] = {
    [TYPE_BOOL] = "true\nfalse\nbool(null)\n1 == 1",
    [TYPE_INT] = "int(0)\nint(1)\nint(-1)\nint(2147483647)\nint(-2147483648)\nint(null)\nint(7)",
    [TYPE_LONG] =
        "0\n1\n2\n-1\n3\n10\n100\nlong(null)\n9223372036854775807\n-9223372036854775807-1\n"
        "4294967296\n1000000\n-5\n64",
    [TYPE_REAL] =
        "0.0\n1.5\n-0.5\nreal(nan)\nreal(+inf)\nreal(-inf)\nreal(null)\n1e308\n5e-324\n100.0\n"
        "0.25\n-180.0\n51.5",
    [TYPE_DECIMAL] = "decimal(0)\ndecimal(1.25)\ndecimal(-3)\ndecimal(null)\n"
                     "decimal(9999999999999999999999999999999999)\ndecimal(1e-20)",
    [TYPE_DATETIME] =
        "datetime(2024-01-01)\ndatetime(2024-02-29T12:30:00Z)\ndatetime(null)\n"
        "datetime(0001-01-01)\ndatetime(9999-12-31T23:59:59.9999999Z)\nnow()\nago(1d)",
    [TYPE_TIMESPAN] = "1d\n1h\n1s\n1tick\n0s\n-1d\ntimespan(null)\n"
                      "time(10675199.02:48:05.4775807)\n7d\n100ms",
    [TYPE_GUID] = "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)\nguid(null)\n"
                  "guid(00000000-0000-0000-0000-000000000000)",
    [TYPE_STRING] = "''\n'a'\n'powershell'\n'POWERSHELL.EXE -enc "
                    "AAA='\n'10.0.0.7'\n'Zo\xc3\xab'\n'\xf0\x9f\x98\x80'"
                    "\n'a=1;b=2'\n'{\"k\":[1,2]}'\n'1'\n'-7.5'\n'2024-02-29'\n'a,b\\r\\n\"c "
                    "d\",e'\n' '\n'\\0'\n"
                    "'x y z'\n'fe80::1/64'\n'http://u:p@h:1/p?q=1#f'",
    [TYPE_DYNAMIC] =
        "dynamic(null)\ndynamic([])\ndynamic({})\ndynamic([1,2,3])\ndynamic([1.5,null,-2,\"x\"])\n"
        "dynamic({\"a\":1,\"b\":{\"c\":[true]}})\ndynamic(\"text\")\ndynamic(7)\n"
        "dynamic([[0,0],[0,10],[10,10],[0,0]])\ndynamic([\"a\",\"b\",\"a\"])\nrange(1, 20, 1)\n"
        "dynamic([3,1,2,5,4,9,8,7])\nrepeat(1.5, 12)\nparse_json('{\"x\":[{}]}')",
};

/* What parameters whose names hold a word take: half of the time one of these. */
static const struct {
    const char *word, *literals;
} rf_query_hints[] = {
    {"regex", "'a'\n'[a-z]+'\n'(\\\\w+)=(\\\\d+)'\n'(?i)POWER(.*)'\n'^$'\n'(a*)*b'\n'(?P<n>.)'\n'['"
              "\n'.{0,500}'"},
    {"polygon",
     "dynamic({\"type\":\"Polygon\",\"coordinates\":[[[0,0],[0,9],[9,9],[9,0],[0,0]]]})\n"
     "dynamic({\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[1,0],[1,1],[0,0]]],"
     "[[[20,20],[21,20],[21,21],[20,20]]]]})\n"
     "dynamic({\"type\":\"Polygon\",\"coordinates\":[[[170,-80],[-170,-80],[-170,80],[170,80],[170,"
     "-80]]]})"},
    {"line",
     "dynamic({\"type\":\"LineString\",\"coordinates\":[[0,0],[5,5],[10,0]]})\n"
     "dynamic({\"type\":\"MultiLineString\",\"coordinates\":[[[0,0],[1,1]],[[179,1],[-179,2]]]})"},
    {"lon", "0.0\n5.0\n-179.9\n180.0\n12.3\nreal(nan)"},
    {"lat", "0.0\n5.0\n-89.9\n90.0\n45.6"},
    {"geohash", "'u33'\n'ezs42e44yx96'\n''\n'zzzz'"},
    {"s2cell", "'1234567'\n'47a1cbd595522b39'\n'1'\n'x'"},
    {"h3cell", "'862a1072fffffff'\n'8f2830828052d25'\n'80'"},
    {"wkt", "'POINT(1 2)'\n'POLYGON((0 0,0 1,1 1,0 0))'\n'LINESTRING(0 0, 1 "
            "1)'\n'GEOMETRYCOLLECTION EMPTY'"},
    {"part", "'year'\n'Day'\n'hour'\n'week_of_year'\n'microsecond'\n'x'"},
    {"period", "'day'\n'month'\n'minute'\n7\n3"},
    {"unit", "'day'\n'Meter'\n'Foot'\n'Celsius'\n'Kelvin'"},
    {"from", "'Meter'\n'Degree'\n'Knot'\n0\n1"},
    {"zone", "'Europe/Berlin'\n'UTC'\n'US/Pacific'\n'Nowhere'"},
    {"format", "'yyyy-MM-dd HH:mm:ss.fffffff'\n'd.hh:mm'\n'%'\n'tt'"},
    {"prefix", "'10.0.0.'\n24\n32\n0\n'a'"},
    {"ip", "'10.0.0.7'\n'10.0.0.0/8'\n'fe80::1'\n'::ffff:1.2.3.4'\n'999.1.1.1'"},
    {"series", "dynamic([1,5,2,8,3,9,4,1,5,2,8,3])\nrange(1.0, 64.0, "
               "1.0)\ndynamic([1.5,null,\"nan\",2])\nrepeat(2, 9)"},
    {"xml", "'<a b=\"1\"><c>x</c><c/></a>'\n'<a>'\n''"},
    {"json", "'{\"a\":[1,{\"b\":null}]}'\n'$.a'\n'$.a[0]'\n'$..b'\n'['"},
    {"path", "'$.a'\n'$[\\'a\\'][0]'\n'C:\\\\dir\\\\file.exe'\n'$.b.c'"},
    {"accuracy", "0\n1\n2\n4"},
    {"level", "1\n9\n15\n30"},
    {"resolution", "1\n6\n15"},
    {"percent", "0\n50\n95.5\n100"},
    {"count", "0\n1\n3\n17"},
    {"base64", "'AAEC'\n'YQ=='\n'!'\n'H4sIAAAAAAAA/0sEAEO+t+gBAAAA'"},
    {"delimiter", "','\n''\n';'\n'--'"},
};

RF_QUERY_HELPER void rf_query_put(struct rf_query *q, const char *text)
{
    rf_buf_str(&q->text, rf_str_of(text));
}

/* One of the lines of `lines`. */
RF_QUERY_HELPER void rf_query_put_line(struct rf_query *q, const char *lines)
{
    uint32_t count = 1;
    for (const char *p = lines; *p != '\0'; p++) count += *p == '\n';
    for (uint32_t skip = rf_query_below(q, count); skip > 0; skip--)
        lines = strchr(lines, '\n') + 1;
    rf_buf_str(&q->text, rf_str_make((const uint8_t *)lines, strcspn(lines, "\n")));
}

RF_QUERY_HELPER void rf_query_put_name(struct rf_query *q, rf_str name)
{
    bool plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        plain = plain && ((c | 0x20) >= 'a' ? (c | 0x20) <= 'z' || c == '_'
                                            : (c >= '0' && c <= '9') || c == '_');
    }
    if (plain) {
        rf_buf_str(&q->text, name);
        return;
    }
    rf_query_put(q, "['");
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '\'' || name.ptr[i] == '\\') rf_buf_byte(&q->text, '\\');
        rf_buf_byte(&q->text, name.ptr[i]);
    }
    rf_query_put(q, "']");
}

/* A column of the type, when there is one. */
RF_QUERY_HELPER bool rf_query_put_column(struct rf_query *q, uint8_t type)
{
    uint32_t count = 0, pick;
    for (uint32_t i = 0; i < q->column_count; i++) count += q->columns[i].type == type;
    if (count == 0) return false;
    pick = rf_query_below(q, count);
    for (uint32_t i = 0; i < q->column_count; i++)
        if (q->columns[i].type == type && pick-- == 0) rf_query_put_name(q, q->columns[i].name);
    return true;
}

RF_QUERY_HELPER void rf_query_put_any_column(struct rf_query *q)
{
    if (q->column_count == 0)
        rf_query_put(q, "x");
    else
        rf_query_put_name(q, q->columns[rf_query_below(q, q->column_count)].name);
}

/* ---- expressions ---------------------------------------------------------------------------------- */

static const char *const rf_query_infix[] = {
    "and", "or",          "contains",  "contains_cs", "startswith",   "startswith_cs", "endswith",
    "has", "endswith_cs", "hasprefix", "hassuffix",   "hasprefix_cs", "hassuffix_cs",  "has_cs"};

RF_QUERY_HELPER void rf_query_put_expr(struct rf_query *q, uint8_t type, uint32_t depth);

RF_QUERY_HELPER void rf_query_put_leaf(struct rf_query *q, uint8_t type)
{
    if (rf_query_below(q, 5) > 1 && rf_query_put_column(q, type)) return;
    rf_query_put_line(q, rf_query_literals[type]);
}

/* The type that a word of a signature names; TYPE_COUNT: any. */
RF_QUERY_HELPER uint8_t rf_query_type(const struct rf_query *q, rf_str word)
{
    enum type type;
    if (rf_str_is(word, "T")) return q->common;
    return type_parse(word, &type) ? (uint8_t)type : TYPE_COUNT;
}

RF_QUERY_HELPER const char *rf_query_hint(rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(rf_query_hints); i++)
        if (rf_str_find(name, rf_str_of(rf_query_hints[i].word), 0) != SIZE_MAX)
            return rf_query_hints[i].literals;
    return NULL;
}

/* An argument for the parameter "name:type". */
RF_QUERY_HELPER void rf_query_put_arg(struct rf_query *q, rf_str param, uint32_t depth)
{
    size_t colon = rf_str_find(param, RF_S(":"), 0);
    if (colon == SIZE_MAX) colon = param.len - 1;
    const char *hint = rf_query_hint(rf_slice(param, 0, colon));
    uint8_t type = rf_query_type(q, rf_slice(param, colon + 1, param.len)), outer = q->common;
    if (hint != NULL && rf_query_below(q, 2) == 0) {
        rf_query_put_line(q, hint);
        return;
    }
    if (type == TYPE_COUNT || rf_query_below(q, 40) == 0)
        type = (uint8_t)rf_query_below(q, TYPE_COUNT);
    rf_query_put_expr(q, type, depth);
    q->common = outer;
}

/* The arguments that a signature asks for, between commas or between `infix`. */
RF_QUERY_HELPER void rf_query_put_args(struct rf_query *q, const char *sig, const char *infix,
                                       uint32_t depth)
{
    rf_str params = rf_str_of(sig);
    size_t end = rf_str_find(params, RF_S(")"), 0);
    params = rf_slice(params, 1, end);
    bool first = true;
    for (size_t at = 0; at < params.len;) {
        size_t comma = rf_str_find(params, RF_S(","), at);
        if (comma == SIZE_MAX) comma = params.len;
        rf_str param = rf_str_trim(rf_slice(params, at, comma));
        at = comma + 1;
        if (rf_str_starts(param, RF_S("["))) {
            if (rf_query_below(q, 2) == 0) return;
            param = rf_slice(param, 1, param.len);
        }
        while (param.len > 0 && param.ptr[param.len - 1] == ']') param.len--;
        uint32_t repeats = 1;
        if (param.len > 3 && memcmp(param.ptr + param.len - 3, "...", 3) == 0) {
            param.len -= 3;
            repeats = 1 + rf_query_below(q, 3);
        }
        for (; repeats > 0; repeats--, first = false) {
            if (!first) rf_query_put(q, infix);
            rf_query_put_arg(q, param, depth);
        }
    }
}

RF_QUERY_HELPER bool rf_query_gives(const struct rf_query *q, const char *sig, uint8_t type)
{
    const char *result = strrchr(sig, ' ');
    if (result == NULL) return false;
    uint8_t gives =
        rf_str_is(RF_S("T"), result + 1) ? type : rf_query_type(q, rf_str_of(result + 1));
    return gives == type;
}

/* Names that are written in another way, or must not be called. */
RF_QUERY_HELPER bool rf_query_left_out(const struct rf_query *q, const struct func *f)
{
    static const char *const names[] = {"assert", "matches", "cursor_current"};
    static const char *const places[] = {"extent_", "ingestion_time", "cursor_",
                                         "estimate_data_size"};
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (strcmp(names[i], f->name) == 0) return true;
    for (size_t i = 0; i < RF_COUNT(places) && q->repeatable; i++)
        if (rf_str_starts(rf_str_of(f->name), rf_str_of(places[i]))) return true;
    return (q->repeatable && (f->flags & FUNC_VOLATILE) != 0) || f->name[0] == '_' ||
           strstr(f->name, "in~") != NULL || strstr(f->name, "has_any") == f->name ||
           strcmp(f->name, "in") == 0 || strcmp(f->name, "!in") == 0 ||
           strcmp(f->name, "has_all") == 0;
}

RF_QUERY_HELPER void rf_query_put_call(struct rf_query *q, const struct func *f, const char *sig,
                                       uint8_t type, uint32_t depth)
{
    bool infix = !((f->name[0] | 0x20) >= 'a' && (f->name[0] | 0x20) <= 'z');
    for (size_t i = 0; i < RF_COUNT(rf_query_infix); i++)
        infix = infix || strcmp(f->name, rf_query_infix[i]) == 0;
    q->common = type;
    if (rf_str_find(rf_str_of(sig), RF_S(":T"), 0) != SIZE_MAX && !rf_query_gives(q, sig, type))
        q->common = (uint8_t)rf_query_below(q, TYPE_COUNT);
    bool two = infix && rf_str_find(rf_str_of(sig), RF_S(","), 0) != SIZE_MAX;
    if (!infix || !two) rf_query_put(q, f->name);
    rf_query_put(q, "(");
    rf_query_put_args(
        q, sig, two ? (const char *)rf_arena_printf(q->arena, " %s ", f->name).ptr : ", ", depth);
    rf_query_put(q, ")");
}

/* Forms that are no calls. */
RF_QUERY_HELPER bool rf_query_put_form(struct rf_query *q, uint8_t type, uint32_t depth);

RF_QUERY_HELPER void rf_query_put_expr(struct rf_query *q, uint8_t type, uint32_t depth)
{
    if (depth == 0 || q->text.len > RF_QUERY_BYTES_MAX || rf_query_below(q, 5) == 0) {
        rf_query_put_leaf(q, type);
        return;
    }
    if (rf_query_below(q, 4) == 0 && rf_query_put_form(q, type, depth - 1)) return;
    for (int tries = 0; tries < 200; tries++) {
        const struct func *f = func_at(rf_query_below(q, func_count()));
        uint32_t overloads = 0, pick;
        if (rf_query_left_out(q, f)) continue;
        for (const struct func_overload *o = f->sigs; o->sig != NULL; o++) overloads++;
        pick = rf_query_below(q, overloads);
        if (!rf_query_gives(q, f->sigs[pick].sig, type)) continue;
        rf_query_put_call(q, f, f->sigs[pick].sig, type, depth - 1);
        return;
    }
    rf_query_put_leaf(q, type);
}

/* ---- templates ----------------------------------------------------------------------------------------
 *
 *   %b %i %l %r %d %t %s %g %x %y  an expression of that type, %e of any      {a|b}  one of them
 *   @b ... @y  a column of that type, @* any                                  #n     a small number
 *   $N  a new name      $A  an aggregate      $T  a table in brackets      $P  an operator      $L  a literal */

static const char *const rf_query_forms[TYPE_COUNT] = {
    [TYPE_BOOL] =
        "%l in (#n, #n, %l)\n%x in~ (%x, %x)\n%x !in ('a', %x)\n%l between (%l .. %l)\n%t between "
        "(%t .. %s)\n"
        "%x has_any (%x, 'a')\n%x has_all ('a', %x)\n%x matches regex '[a-z]+'\n%x !contains %x\n"
        "%x in (($T | project @x))\nisnull(toscalar($T))\n%l !between (#n .. %l)\n%r in (1.5, "
        "%r)\n%y == %y\n"
        "@x has_any (dynamic(['a','powershell']))\n@y.a == #n\n@y.b.c == 'x'\n@l == #n\n@x == "
        "%L\n@t > %t",
    [TYPE_LONG] = "tolong(@y.a)\ntoscalar($T | count)\n-%l\niff(%b, %l, %l)",
    [TYPE_STRING] =
        "tostring(@y.a)\ntostring(@y['k'])\niff(%b, %x, %x)\ntostring(%e)\nstrcat(@x, %e)",
    [TYPE_DYNAMIC] = "@y.a\n@y[#n]\n@y['b'][0]\n%y.a.b\n%y[%l]\npack_all()\nbag_pack('a', %e)",
    [TYPE_REAL] = "-%r\n%r / %l\niff(%b, %r, %r)\ntoreal(@y.a)",
    [TYPE_DATETIME] = "bin(%t, %s)\n@t + %s\n%t - %s",
    [TYPE_TIMESPAN] = "%t - %t\n%s * #n\n-%s",
    [TYPE_INT] = "toint(%e)",
    [TYPE_GUID] = "toguid(%x)",
    [TYPE_DECIMAL] = "%d + %d\ntodecimal(%x)",
};

static const char *const rf_query_operators[] = {
    "where %b",
    "where %b",
    "where %b and %b",
    "where @x {has|contains|==|startswith|!has|in~} {'a'|('a','b')}",
    "filter %b or %b",
    "extend $N = %e",
    "extend $N = %e, $N = %e",
    "project @*, $N = %e, $N = %e",
    "project-away @*",
    "project-keep @*, @*",
    "project-reorder @* {asc|desc|}, *",
    "project-rename $N = @*",
    "take #n",
    "limit #n",
    "count",
    "sort by @* {asc|desc} {|nulls first|nulls last}, %e",
    "order by %l desc",
    "top #n by @* {asc|desc}",
    "top #n by %e",
    "distinct @*, @*",
    "distinct *",
    "summarize $A",
    "summarize $A, $N = $A by @*",
    "summarize $A by @*, $N = %e",
    "summarize count(), $A by bin(@t, 1d)",
    "summarize $A by bin(@l, 10), @x",
    "summarize by @*, @*",
    "summarize arg_max(@t, *) by @x",
    "summarize arg_min(@*, @*, @*) by @*",
    "summarize $N = $A + 1 by $N = %x",
    "join "
    "kind={inner|innerunique|leftouter|rightouter|fullouter|leftsemi|leftanti|rightsemi|rightanti} "
    "($T) on "
    "{x|l|t|b|x, l|i|g|s}",
    "join kind=inner ($T) on $left.@l == $right.l",
    "lookup kind={inner|leftouter} ($T) on {x|l|t}",
    "union ($T), T2",
    "union withsource=$N kind={inner|outer} $T, (E)",
    "union isfuzzy=true NoSuch, $T",
    "as $N",
    "serialize",
    "serialize $N = row_number()",
    "getschema",
    "render timechart",
    "consume",
    "invoke F(#n)",
    "mv-expand @y",
    "mv-expand kind={bag|array} $N = %y to typeof({long|string|real|dynamic})",
    "mv-expand with_itemindex=$N @y, $N = %y limit 5",
    "mv-apply $N = %y on ($P)",
    "mv-apply $N = @y to typeof({long|string}) on (summarize $A)",
    "parse @x with * 'a' $N:{long|string|real} '=' $N:string *",
    "parse-where kind=regex @x with 'a' $N '=' *",
    "parse kind=relaxed @x with $N:long ' ' $N",
    "parse-kv @x as (a:long, b:string) with (pair_delimiter=';', kv_delimiter='=')",
    "parse-kv @x as (a:long) with (regex='(\\\\w)=(\\\\d)')",
    "make-series $N = $A default=0 on @t from datetime(2024-02-01) to datetime(2024-03-05) step "
    "{1d|5d|7h} by @x",
    "make-series kind=nonempty $N = $A on @l from 0 to 100 step 7",
    "top-hitters 3 of @* ",
    "top-hitters 2 of @x by %l",
    "top-nested 2 of @x by $A, top-nested 1 of %l by $A desc",
    "top-nested of @* with others='o' by count()",
    "partition by @x ($P)",
    "partition hint.strategy={native|shuffle|legacy} by @* ($P | $P)",
    "fork ($P) ($P | $P)",
    "facet by @x, @l with ($P)",
    "reduce by @x with threshold=0.1",
    "reduce kind=source by %x",
    "search 'a'",
    "search in (T, T2) 'powershell' and l > 0",
    "scan with (step a: %b; step b: %b;)",
    "sort by @* asc | scan with_match_id=$N declare (z:long=0, w:string='') with (step a "
    "output={all|last|none}: %b => z = a.z "
    "+ 1; step b: %b => w = %x, z = a.z * 2;)",
    "sort by @t asc | extend $N = prev(@*), $N = next(@*, 2, %l)",
    "sort by @l asc | extend $N = row_cumsum(@l, %b)",
    "sort by @* desc | extend $N = row_rank_dense(@*), $N = row_rank_min(@*)",
    "sort by @t asc | extend $N = row_window_session(@t, 1d, 1h, %b)",
    "project-by-names 'x*', dynamic(['l'])",
    "evaluate bag_unpack(@y)",
    "evaluate bag_unpack(@y, 'p_', dynamic(['k'])) ",
    "evaluate pivot(@x)",
    "evaluate pivot(@x, $A, @l)",
    "evaluate narrow()",
    "evaluate preview(#n)",
    "evaluate schema_merge()",
    "evaluate basket(0.2)",
    "evaluate autocluster(0.5)",
    "evaluate diffpatterns(@x, 'a', '')",
    "evaluate rows_near(%b, #n)",
    "evaluate rolling_percentile(@l, 50, @t, 1d, 3)",
    "evaluate activity_counts_metrics(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1d)",
    "evaluate activity_metrics(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1d)",
    "evaluate activity_engagement(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1d, 3d)",
    "evaluate new_activity_metrics(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1d)",
    "evaluate sliding_window_counts(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 3d, 1d)",
    "evaluate active_users_count(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 3d, 1d, 2, "
    "1d)",
    "evaluate session_count(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1h, 1d)",
    "evaluate sequence_detect(@t, 1d, 5d, s1=(%b), s2=(%b))",
    "evaluate funnel_sequence_completion(@x, @t, datetime(2024-02-20), datetime(2024-03-03), 1d, "
    "@x, dynamic(['a','b']), "
    "dynamic([1d, 3d]))",
    "evaluate ipv4_lookup(T2, @x, x)",
    "evaluate ipv6_lookup(T2, @x, x)",
    "evaluate geo_line_lookup(T2, y, @r, @r, 100.0)",
    "evaluate geo_polygon_lookup(T2, y, @r, @r)",
    "summarize $N = hll(@*) by @x | evaluate dcount_intersect($N)",
    "make-graph x --> g {|with T2 on x} | graph-match (a)-[e{|*1..3|*0..2}]->(b) {|where e.l > 0} "
    "project a.x, e.l, b.x",
    "make-graph l --> i with_node_id=$N | graph-to-table {nodes|edges|nodes as n1, edges as e1}",
    "make-graph x --> x with T2 on x | graph-match cycles={none|all|unique_edges} "
    "(a)-[e]->(b)<-[f]-(c) where a.x != b.x project "
    "a.x, c.l, e.l + f.l",
    "make-graph l --> i | graph-mark-components kind={weak|strong} | graph-to-table nodes",
    "make-graph x --> x with T2 on x | graph-shortest-paths output={any|all} (a)-[e*1..4]->(b) "
    "project e.l, a.x",
};

static const char *const rf_query_sub_operators[] = {
    "where %b",          "extend $N = %e",      "summarize $A",   "summarize $A by @*", "take #n",
    "top #n by @* desc", "project @*, $N = %e", "sort by @* asc", "distinct @*",        "count",
    "mv-expand @y"};

static const char *const rf_query_sources[] = {
    "T",
    "T",
    "T",
    "T",
    "T2",
    "E",
    "F(#n, T)",
    "union T, T2",
    "union withsource=$N T, E",
    "range l from #n to #n step 1",
    "range t from datetime(2024-02-28) to datetime(2024-03-02) step 7h",
    "print x = %x, l = %l, y = %y",
    "print t = %t, r = %r, d = %d, s = %s",
    "datatable(x:string, l:long, y:dynamic)['a', 1, dynamic([1]), 'b', 2, dynamic({})]",
    "T | where %b",
    "find in (T, T2) where l > #n project x, l",
    "search in (T) 'a'",
    "materialize(T | take 4)",
    "view() { T } | take 1"};

static const char *const rf_query_lets[] = {
    "let v = %l;\n",
    "let w = materialize(T | where l > #n);\n",
    "let f = (a:long, b:string = 'q') { strcat(b, a + 1) };\n",
    "let g = (q:(*)) { q | take 3 };\n",
    "let h = () { T | where b };\n",
    "set notruncation;\n",
    "declare query_parameters(p:long = 3);\n"};

RF_QUERY_HELPER void rf_query_expand(struct rf_query *q, const char *template, uint32_t depth);

RF_QUERY_HELPER uint8_t rf_query_letter(struct rf_query *q, char c)
{
    static const char letters[] = "bilrdtsgxy";
    const char *at = memchr(letters, c, sizeof letters - 1);
    return at == NULL ? (uint8_t)rf_query_below(q, TYPE_COUNT) : (uint8_t)(at - letters);
}

RF_QUERY_HELPER void rf_query_expand_line(struct rf_query *q, const char *lines, uint32_t depth)
{
    size_t from = q->text.len;
    rf_query_put_line(q, lines);
    char template[512];
    size_t len = RF_MIN(q->text.len - from, sizeof template - 1);
    if (q->text.failed) return;
    memcpy(template, q->text.ptr + from, len);
    template[len] = '\0';
    q->text.len = from;
    rf_query_expand(q, template, depth);
}

RF_QUERY_HELPER bool rf_query_put_form(struct rf_query *q, uint8_t type, uint32_t depth)
{
    if (rf_query_forms[type] == NULL) return false;
    rf_query_put(q, "(");
    rf_query_expand_line(q, rf_query_forms[type], depth);
    rf_query_put(q, ")");
    return true;
}

RF_QUERY_HELPER void rf_query_put_aggregate(struct rf_query *q, uint32_t depth)
{
    const struct aggr *a = aggr_at(rf_query_below(q, aggr_count()));
    uint32_t count = 0;
    while (a->sigs[count] != NULL) count++;
    const char *sig = a->sigs[rf_query_below(q, count)];
    q->common = (uint8_t)rf_query_below(q, TYPE_COUNT);
    rf_query_put(q, a->name);
    rf_query_put(q, "(");
    rf_query_put_args(q, sig, ", ", depth);
    rf_query_put(q, ")");
}

RF_QUERY_HELPER void rf_query_put_special(struct rf_query *q, char what, uint32_t depth)
{
    switch (what) {
    case 'N':
        rf_buf_printf(&q->text, "n%u", q->name_count++ % 100);
        break;
    case 'A':
        rf_query_put_aggregate(q, RF_MIN(depth, 1u));
        break;
    case 'T':
        if (q->text.len > RF_QUERY_BYTES_MAX || depth == 0) {
            rf_query_put(q, "T2");
            break;
        }
        rf_query_put(q, "T2 | ");
        rf_query_expand(q, RF_QUERY_PICK(q, rf_query_sub_operators), depth - 1);
        break;
    case 'P':
        rf_query_expand(q, RF_QUERY_PICK(q, rf_query_sub_operators), depth == 0 ? 0 : depth - 1);
        break;
    default:
        rf_query_put_line(q, rf_query_literals[rf_query_below(q, TYPE_COUNT)]);
        break;
    }
}

/* One of the alternatives between braces; returns what is behind them. */
RF_QUERY_HELPER const char *rf_query_choose(struct rf_query *q, const char *at)
{
    uint32_t count = 1;
    const char *end = at;
    for (; *end != '}'; end++) count += *end == '|';
    for (uint32_t skip = rf_query_below(q, count); skip > 0; skip--) at = strchr(at, '|') + 1;
    rf_buf_str(&q->text, rf_str_make((const uint8_t *)at, strcspn(at, "|}")));
    return end + 1;
}

RF_QUERY_HELPER void rf_query_expand(struct rf_query *q, const char *template, uint32_t depth)
{
    static const char kinds[] = "bilrdtsgxye*";
    while (*template != '\0') {
        char c = *template ++;
        bool typed = *template != '\0' && memchr(kinds, *template, sizeof kinds - 1) != NULL;
        if (c == '{' && strchr(template, '}') != NULL) {
            template = rf_query_choose(q, template);
        } else if (c == '%' && typed) {
            rf_query_put_expr(q, rf_query_letter(q, *template ++), depth);
        } else if (c == '%' && *template == 'L') {
            template ++;
            rf_query_put_special(q, 'L', depth);
        } else if (c == '@' && typed) {
            if (*template == '*' || !rf_query_put_column(q, rf_query_letter(q, *template)))
                rf_query_put_any_column(q);
            template ++;
        } else if (c == '$' && *template >= 'A' && *template <= 'Z') {
            rf_query_put_special(q, *template ++, depth);
        } else if (c == '#' && *template == 'n') {
            template ++;
            rf_buf_printf(&q->text, "%u", rf_query_below(q, 9));
        } else {
            rf_buf_byte(&q->text, (uint8_t)c);
        }
    }
}

/* ---- whole queries -------------------------------------------------------------------------------------- */

/* Finds the columns that the text so far gives; false when it does not bind. */
RF_QUERY_HELPER bool rf_query_learn(struct rf_query *q)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, RF_QUERY_LINT_BYTES);
    struct kql_request request = {.text = rf_buf_view(&q->text),
                                  .catalog = q->catalog,
                                  .memory_bytes = RF_QUERY_LINT_BYTES,
                                  .now_ticks = DATETIME_UNIX_EPOCH};
    struct kql_shape shape;
    if (q->text.failed || kql_lint(&request, &arena, &shape, NULL) != RF_OK) return false;
    q->column_count = 0;
    for (uint32_t i = 0; i < shape.schema.count && i < RF_QUERY_COLUMNS_MAX; i++) {
        struct rf_query_column *c = &q->columns[q->column_count++];
        c->type = shape.schema.columns[i].type;
        if (!rf_arena_str(q->arena, shape.schema.columns[i].name, &c->name)) return false;
    }
    return true;
}

RF_QUERY_HELPER bool rf_query_holds(rf_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rf_str_find(text, rf_str_of(words[i]), 0) != SIZE_MAX) return true;
    return false;
}

/* What an operator does may depend on the order of rows that are equal to those who sort. */
RF_QUERY_HELPER bool rf_query_needs_order(rf_str template)
{
    static const char *const words[] = {"prev(",     "row_",     "scan",
                                        "serialize", "sequence", "partition"};
    return rf_query_holds(template, words, RF_COUNT(words));
}

/* Rows come in no defined order after these. */
RF_QUERY_HELPER bool rf_query_lost_order(rf_str text)
{
    static const char *const words[] = {"summarize", "distinct",  "join", "lookup",
                                        "evaluate",  "facet",     "top-", "graph",
                                        "reduce",    "partition", "find", "search"};
    return rf_query_holds(text, words, RF_COUNT(words));
}

/* Appends an operator that binds, or now and then one that does not; false when none was found. */
RF_QUERY_HELPER bool rf_query_append(struct rf_query *q)
{
    size_t from = q->text.len;
    for (int tries = 0; tries < 6; tries++) {
        const char *template = RF_QUERY_PICK(q, rf_query_operators);
        if (q->repeatable && rf_query_needs_order(rf_str_of(template)) &&
            rf_query_lost_order(rf_slice(rf_buf_view(&q->text), 0, from)))
            continue;
        bool unsure = strstr(template, "take") != NULL || strstr(template, "rows_near") != NULL;
        if (q->repeatable && unsure) continue;
        rf_query_put(q, "\n| ");
        rf_query_expand(q, template, 2 + rf_query_below(q, 2));
        if (rf_query_learn(q)) return true;
        if (!q->repeatable && rf_query_below(q, 20) == 0) return false;
        q->text.len = from;
    }
    return false;
}

/* A query; empty when memory is used up. */
RF_QUERY_HELPER rf_str rf_query_make(struct rf_query *q)
{
    q->text = rf_buf_in(q->arena);
    q->column_count = 0;
    if (rf_query_below(q, 4) == 0) rf_query_expand(q, RF_QUERY_PICK(q, rf_query_lets), 1);
    rf_query_expand(q, RF_QUERY_PICK(q, rf_query_sources), 2);
    if (rf_query_learn(q) || !q->repeatable)
        for (uint32_t more = rf_query_below(q, 6); more > 0 && rf_query_append(q); more--) continue;
    return q->text.failed ? RF_S("") : rf_buf_view(&q->text);
}

/* The end of the bracket that opens at `at`; text.len when it does not end. Quotes are not looked at. */
RF_QUERY_HELPER size_t rf_query_bracket_end(rf_str text, size_t at)
{
    uint32_t depth = 0;
    for (; at < text.len; at++) {
        depth += text.ptr[at] == '(';
        if (text.ptr[at] == ')' && --depth == 0) return at;
    }
    return text.len;
}

/* `old` with an operator more, or with what one of its brackets holds replaced, or another query. */
RF_QUERY_HELPER rf_str rf_query_mutate(struct rf_query *q, rf_str old)
{
    uint32_t how = rf_query_below(q, 4), brackets = 0;
    q->text = rf_buf_in(q->arena);
    q->column_count = 0;
    for (size_t i = 0; i < old.len; i++) brackets += old.ptr[i] == '(';
    if (how == 0 || old.len > RF_QUERY_BYTES_MAX || old.len == 0) return rf_query_make(q);
    rf_buf_str(&q->text, old);
    bool bound = rf_query_learn(q);
    if (how == 1 || brackets == 0) {
        if (!bound) return rf_query_make(q);
        rf_query_append(q);
    } else {
        uint32_t pick = rf_query_below(q, brackets);
        size_t from = 0, to;
        for (;; from++)
            if (old.ptr[from] == '(' && pick-- == 0) break;
        to = rf_query_bracket_end(old, from);
        q->text = rf_buf_in(q->arena);
        rf_buf_str(&q->text, rf_slice(old, 0, from + 1));
        static const char *const insides[] = {"%e",      "%e, %e", "%l",     "%x, %e",    "%y",
                                              "T2 | $P", "@*",     "%t, %s", "%x, %x, %l"};
        rf_query_expand(q, RF_QUERY_PICK(q, insides), 2);
        rf_buf_str(&q->text, rf_slice(old, to, old.len));
    }
    return q->text.failed ? RF_S("") : rf_buf_view(&q->text);
}

#endif
