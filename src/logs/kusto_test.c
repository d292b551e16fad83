#include "logs/kusto_int.h"
#include "logs/query_test_util.h"

/* POSTs {"db","csl","properties"}. */
static int send_csl(struct stage *s, const char *path, const char *db, const char *csl,
                    const char *properties)
{
    struct rf_buf buf = rf_buf_in(&s->walk.arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "db", rf_str_of(db));
    json_put_text(&out, "csl", rf_str_of(csl));
    if (properties != NULL) json_put_raw(&out, "properties", rf_str_of(properties));
    json_end_object(&out);
    rf_buf_byte(&buf, 0);
    return call(s, "POST", path, (const char *)buf.ptr);
}

static int v2(struct stage *s, const char *csl, const char *properties)
{
    return send_csl(s, "/v2/rest/query", "ws-one", csl, properties);
}
static int mgmt(struct stage *s, const char *csl)
{
    return send_csl(s, "/v1/rest/mgmt", "ws-one", csl, NULL);
}

static const struct json_node *nth(const struct json_node *list, int index)
{
    const struct json_node *node = list == NULL ? NULL : list->first;
    while (node != NULL && index-- > 0) node = node->next;
    return node;
}
static rf_str text_of(struct stage *s, const struct json_node *node)
{
    return json_to_text(&s->walk.arena, node);
}
/* Rows of the v2 answer's primary result. */
static rf_str v2_rows(struct stage *s) { return text_of(s, json_get(nth(s->answer, 2), "Rows")); }
static const struct json_node *v1_table(struct stage *s, int index)
{
    return nth(json_get(s->answer, "Tables"), index);
}
static rf_str v1_rows(struct stage *s) { return text_of(s, json_get(v1_table(s, 0), "Rows")); }

#define expect_v2(s, csl, properties, wanted)                                                      \
    do {                                                                                           \
        int status_ = v2(s, csl, properties);                                                      \
        cr_assert(status_ == 200, "%s: %d %.*s", csl, status_,                                     \
                  RF_FMT(rf_buf_view(&(s)->last.body)));                                           \
        rf_str rows_ = v2_rows(s);                                                                 \
        cr_assert(rf_str_is(rows_, wanted), "%s: %.*s", csl, RF_FMT(rows_));                       \
    } while (0)
#define expect_mgmt(s, csl)                                                                        \
    do {                                                                                           \
        int status_ = mgmt(s, csl);                                                                \
        cr_assert(status_ == 200, "%s: %d %.*s", csl, status_,                                     \
                  RF_FMT(rf_buf_view(&(s)->last.body)));                                           \
    } while (0)

/* ---- answers ----------------------------------------------------------------------------------------------------- */

Test(kusto, v2_frames_have_their_order)
{
    struct stage s;
    stage_init(&s);
    with_header(&s, "x-ms-client-request-id", "acc;1");
    cr_assert(v2(&s, "print a = 1, d = dynamic({\"k\":[1]}), t = 90m; print b = 2", NULL) == 200);
    static const struct {
        const char *type, *kind;
    } frames[] = {{"DataSetHeader", ""},
                  {"DataTable", "QueryProperties"},
                  {"DataTable", "PrimaryResult"},
                  {"DataTable", "PrimaryResult"},
                  {"DataTable", "QueryCompletionInformation"},
                  {"DataSetCompletion", ""}};
    const struct json_node *frame = s.answer->first;
    for (size_t i = 0; i < RF_COUNT(frames); i++, frame = frame->next) {
        cr_assert(rf_str_is(json_text_at(frame, "FrameType"), frames[i].type));
        cr_assert(rf_str_is(json_text_at(frame, "TableKind"), frames[i].kind));
    }
    cr_assert(frame == NULL);
    cr_assert(rf_str_is(json_text_at(s.answer->first, "Version"), "v2.0"));
    cr_assert(!json_bool_at(s.answer->first, "IsProgressive", true));
    cr_assert(rf_str_is(v2_rows(&s), "[[1,{\"k\":[1]},\"01:30:00\"]]"), "%.*s",
              RF_FMT(v2_rows(&s)));
    cr_assert(!json_bool_at(s.answer->last, "HasErrors", true));
    cr_assert(!json_bool_at(s.answer->last, "Cancelled", true));
    cr_assert(rf_str_is(walk_header(&s.last, "x-ms-client-request-id"), "acc;1"));
    cr_assert(walk_header(&s.last, "x-ms-activity-id").len == 36);
    for (const struct json_node *f = s.answer->first; f != NULL; f = f->next) {
        const struct json_node *columns = json_get(f, "Columns"), *rows = json_get(f, "Rows");
        if (columns == NULL) continue;
        for (const struct json_node *row = rows->first; row != NULL; row = row->next)
            cr_assert(row->count == columns->count);
    }
    stage_done(&s);
}

Test(kusto, the_drawing_is_a_property)
{
    struct stage s;
    stage_init(&s);
    cr_assert(v2(&s, "print x = 1 | render piechart with (title='T')", NULL) == 200);
    const struct json_node *row = json_get(nth(s.answer, 1), "Rows")->first, *properties;
    struct json_node *parsed;
    struct rf_err err;
    properties = nth(row, 2);
    cr_assert(json_parse(properties->text, &s.walk.arena, &parsed, &err) == RF_OK);
    cr_assert(rf_str_is(json_text_at(parsed, "Visualization"), "piechart"));
    cr_assert(rf_str_is(json_text_at(parsed, "Title"), "T"));
    cr_assert(json_is(json_get(parsed, "XColumn"), JSON_T_NULL));
    stage_done(&s);
}

Test(kusto, fragments_come_on_request_only)
{
    struct stage s;
    stage_init(&s);
    cr_assert(v2(&s, "print a = 1",
                 "{\"Options\":{\"results_progressive_enabled\":true,"
                 "\"results_v2_newlines_between_frames\":true}}") == 200);
    static const char *const frames[] = {"DataSetHeader", "DataTable",        "TableHeader",
                                         "TableFragment", "TableProgress",    "TableCompletion",
                                         "DataTable",     "DataSetCompletion"};
    const struct json_node *frame = s.answer->first;
    for (size_t i = 0; i < RF_COUNT(frames); i++, frame = frame->next)
        cr_assert(rf_str_is(json_text_at(frame, "FrameType"), frames[i]), "%s", frames[i]);
    cr_assert(json_bool_at(s.answer->first, "IsProgressive", false));
    cr_assert(walk_body_has(&s.last, "},\n{\"FrameType\":\"TableHeader\""));
    stage_done(&s);
}

Test(kusto, v1_answers_end_with_contents)
{
    struct stage s;
    stage_init(&s);
    cr_assert(send_csl(&s, "/v1/rest/query", "WS-One",
                       "print a = 1, b = true, d = datetime(2024-01-01), j = dynamic(1), "
                       "m = decimal(1), g = guid(null), t = 1s, r = 1.5, s = '', i = int(1)",
                       NULL) == 200);
    const struct json_node *tables = json_get(s.answer, "Tables");
    cr_assert(tables->count == 4);
    cr_assert(rf_str_is(v1_rows(&s), "[[1,true,\"2024-01-01T00:00:00Z\",1,\"1\",null,\"00:00:01\","
                                     "1.5,\"\",1]]"),
              "%.*s", RF_FMT(v1_rows(&s)));
    static const char *const dotnet[] = {"Int64", "SByte",    "DateTime", "Object", "SqlDecimal",
                                         "Guid",  "TimeSpan", "Double",   "String", "Int32"};
    const struct json_node *column = json_get(tables->first, "Columns")->first;
    for (size_t i = 0; i < RF_COUNT(dotnet); i++, column = column->next)
        cr_assert(rf_str_is(json_text_at(column, "DataType"), dotnet[i]), "%s", dotnet[i]);
    const struct json_node *row = json_get(tables->last, "Rows")->first;
    static const char *const kinds[] = {"QueryResult", "QueryProperties", "QueryStatus"};
    for (size_t i = 0; i < RF_COUNT(kinds); i++, row = row->next)
        cr_assert(rf_str_is(nth(row, 1)->text, kinds[i]));
    cr_assert(row == NULL);
    stage_done(&s);
}

Test(kusto, databases_go_by_many_names)
{
    struct stage s;
    stage_init(&s);
    cr_assert(send_csl(&s, "/v2/rest/query", s.guid, "print 1", NULL) == 200);
    cr_assert(send_csl(&s, "/v2/rest/query", WS_ARM, "print 1", NULL) == 200);
    cr_assert(send_csl(&s, "/v2/rest/query", "nosuch", "print 1", NULL) == 404);
    cr_assert(walk_body_has(&s.last, "\"@permanent\":true"));
    s.walk.site.workspace_id = rf_str_of(s.guid);
    cr_assert(send_csl(&s, "/v2/rest/query", "NetDefaultDB", "print 1", NULL) == 200);
    expect(&s, "GET", "/v2/rest/query?db=ws-one&csl=print%20x%3D5", NULL, 200);
    cr_assert(rf_str_is(v2_rows(&s), "[[5]]"));
    stage_done(&s);
}

/* ---- options and parameters -------------------------------------------------------------------------------------- */

Test(kusto, parameters_are_bound)
{
    struct stage s;
    stage_init(&s);
    expect_v2(
        &s,
        "declare query_parameters(n:long, w:string, d:datetime, t:timespan, b:bool = true, "
        "j:dynamic = dynamic([1])); range i from 1 to n step 1 | extend w, d, t, b, j",
        "{\"Parameters\":{\"n\":2,\"w\":\"it's\",\"d\":\"datetime(2024-01-31)\",\"t\":\"time(1h)\","
        "\"j\":\"dynamic({\\\"a\\\":2})\"}}",
        "[[1,\"it's\",\"2024-01-31T00:00:00Z\",\"01:00:00\",true,{\"a\":2}],"
        "[2,\"it's\",\"2024-01-31T00:00:00Z\",\"01:00:00\",true,{\"a\":2}]]");
    expect_v2(&s, "declare query_parameters(n:long = 5); print n", "\"{}\"", "[[5]]");
    expect_v2(&s, "declare query_parameters(n:long, x:real); print n, x",
              "{\"Parameters\":{\"n\":\"-7\",\"x\":\"real(2.5)\"}}", "[[-7,2.5]]");
    cr_assert(v2(&s, "declare query_parameters(n:long); print n",
                 "{\"Parameters\":{\"n\":\"App_CL | count\"}}") == 400);
    cr_assert(v2(&s, "declare query_parameters(n:long); print n",
                 "{\"Parameters\":{\"n\":\"1; print 2\"}}") == 400);
    cr_assert(v2(&s, "declare query_parameters(n:long); print n",
                 "{\"Parameters\":{\"n\":\"toint('1')\"}}") == 400,
              "values do not compute");
    stage_done(&s);
}

Test(kusto, options_are_honoured)
{
    struct stage s;
    stage_init(&s);
    const char *three = "range i from 1 to 3 step 1";
    expect_v2(&s, three, "{\"Options\":{\"query_take_max_records\":2}}", "[[1],[2]]");
    expect_v2(&s, "set query_take_max_records = 1; range i from 1 to 3 step 1", NULL, "[[1]]");
    expect_v2(&s, three, "\"{\\\"Options\\\":{\\\"query_take_max_records\\\":2}}\"", "[[1],[2]]");
    expect_v2(&s, "print now()", "{\"Options\":{\"query_now\":\"datetime(2020-01-02T03:04:05Z)\"}}",
              "[[\"2020-01-02T03:04:05Z\"]]");
    expect_v2(&s, "set query_now = datetime(2020-01-02); print now()", NULL,
              "[[\"2020-01-02T00:00:00Z\"]]");
    put_rows(&s, s.guid, "App_CL",
             "[{\"TimeGenerated\":\"2026-01-31T11:00:00Z\",\"N\":1},"
             "{\"TimeGenerated\":\"2026-01-30T06:00:00Z\",\"N\":30}]");
    expect_v2(&s, "App_CL | project N",
              "{\"Options\":{\"query_datetimescope_from\":\"2026-01-31\",\"servertimeout\":\"00:01:"
              "01.500\","
              "\"nobody knows this\":[1]}}",
              "[[1]]");
    cr_assert(v2(&s, "print 1", "{\"Options\":{\"servertimeout\":\"soon\"}}") == 400);
    cr_assert(v2(&s, "print 1", "[]") == 400);
    stage_done(&s);
}

Test(kusto, truncation_is_told_behind_the_rows)
{
    struct stage s;
    stage_init(&s);
    cr_assert(v2(&s, "range i from 1 to 10 step 1", "{\"Options\":{\"truncationmaxrecords\":4}}") ==
              200);
    cr_assert(rf_str_is(v2_rows(&s), "[[1],[2],[3],[4]]"));
    cr_assert(json_bool_at(s.answer->last, "HasErrors", false));
    const struct json_node *error = json_get(s.answer->last, "OneApiErrors")->first;
    cr_assert(rf_str_is(json_text_at(error, "error.code"), "LimitsExceeded"));
    cr_assert(rf_str_find(json_text_at(error, "error.@message"),
                          RF_S("E_QUERY_RESULT_SET_TOO_LARGE"), 0) != SIZE_MAX);
    const struct json_node *status = json_get(nth(s.answer, 3), "Rows")->first;
    cr_assert(rf_str_is(nth(status, 5)->text, "2"));
    cr_assert(v2(&s, "range i from 1 to 10 step 1",
                 "{\"Options\":{\"truncationmaxrecords\":4,\"deferpartialqueryfailures\":true}}") ==
              200);
    cr_assert(!json_bool_at(s.answer->last, "HasErrors", true));
    cr_assert(v2(&s, "set truncationmaxsize = 20; range i from 1 to 100 step 1", NULL) == 200);
    cr_assert(json_bool_at(s.answer->last, "HasErrors", false));
    cr_assert(v2(&s, "set notruncation; range i from 1 to 600000 step 1", NULL) == 200);
    cr_assert(!json_bool_at(s.answer->last, "HasErrors", true));
    cr_assert(json_get(nth(s.answer, 2), "Rows")->count == 600000);
    cr_assert(v2(&s, "range i from 1 to 10 step 1",
                 "{\"Options\":{\"truncationmaxrecords\":1,\"results_error_reporting_placement\":"
                 "\"in_data\"}}") == 200);
    cr_assert(json_get(nth(json_get(nth(s.answer, 2), "Rows"), 1), "OneApiErrors") != NULL);
    cr_assert(send_csl(&s, "/v1/rest/query", "ws-one", "range i from 1 to 10 step 1",
                       "{\"Options\":{\"truncationmaxrecords\":4}}") == 200);
    cr_assert(rf_str_is(nth(json_get(v1_table(&s, 2), "Rows")->first, 1)->text, "2"));
    stage_done(&s);
}

/* ---- errors ------------------------------------------------------------------------------------------------------ */

Test(kusto, errors_are_of_one_shape)
{
    static const struct {
        const char *csl, *code;
    } cases[] = {{"print 1 +", "SYN0002"},
                 {"nosuch | take 1", "SEM0100"},
                 {".show tables", ""},
                 {"print nosuch(1)", "SEM0260"}};
    struct stage s;
    stage_init(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        bool fine = cases[i].code[0] == '\0';
        cr_assert(v2(&s, cases[i].csl, NULL) == (fine ? 200 : 400), "%s", cases[i].csl);
        if (fine) continue;
        cr_assert(strcmp(text_at(&s, "error.innererror.code"), cases[i].code) == 0);
        cr_assert(json_bool_at(s.answer, "error.@permanent", false));
        cr_assert(strstr(text_at(&s, "error.@message"), cases[i].code) != NULL);
        cr_assert(strlen(text_at(&s, "error.@context.activityId")) == 36);
    }
    cr_assert(mgmt(&s, ".show nothing") == 400);
    cr_assert(strcmp(text_at(&s, "error.innererror.code"), "SYN0002") == 0);
    cr_assert(mgmt(&s, "App_CL | count") == 400);
    cr_assert(mgmt(&s, ".get ingestion resources") == 400);
    cr_assert(mgmt(&s, ".get kusto identity token") == 400);
    cr_assert(mgmt(&s, ".export to csv ('x') <| App_CL") == 400);
    s.token = (rf_str){NULL, 0};
    cr_assert(v2(&s, "print 1", NULL) == 401);
    cr_assert(json_text_at(s.answer, "error.@message").len > 0);
    expect(&s, "GET", "/v1/rest/auth/metadata", NULL, 200);
    cr_assert(strcmp(text_at(&s, "AzureAD.LoginEndpoint"), "https://localhost:8443") == 0);
    cr_assert(strcmp(text_at(&s, "AzureAD.KustoServiceResourceId"), "https://localhost:8443") == 0);
    cr_assert(!json_bool_at(s.answer, "AzureAD.LoginMfaRequired", true));
    stage_done(&s);
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

Test(kusto, commands_show_what_is_there)
{
    struct stage s;
    stage_init(&s);
    expect_mgmt(&s, ".show tables | where TableName == 'App_CL' | project TableName, DatabaseName");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"App_CL\",\"ws-one\"]]"), "%.*s", RF_FMT(v1_rows(&s)));
    cr_assert(json_get(s.answer, "Tables")->count == 1);
    expect_mgmt(&s, ".show databases | project DatabaseName, IsCurrent");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"ws-one\",true]]"));
    expect_mgmt(&s, ".show table App_CL cslschema | project Schema");
    rf_str schema = v1_rows(&s);
    cr_assert(rf_str_find(schema, RF_S("N:long,S:string,D:dynamic"), 0) != SIZE_MAX, "%.*s",
              RF_FMT(schema));
    static const char *const schemas[] = {".show database schema as json",
                                          ".show database ['ws-one'] schema as json",
                                          ".show databases schema as json", ".show schema as json",
                                          ".show databases (['ws-one']) schema as json"};
    for (size_t i = 0; i < RF_COUNT(schemas); i++) {
        struct json_node *parsed;
        struct rf_err err;
        expect_mgmt(&s, schemas[i]);
        const struct json_node *cell = json_get(v1_table(&s, 0), "Rows")->first->first;
        cr_assert(json_parse(cell->text, &s.walk.arena, &parsed, &err) == RF_OK);
        const struct json_node *database = json_get(json_get(parsed, "Databases"), "ws-one");
        const struct json_node *columns =
            json_at(json_get(json_get(database, "Tables"), "App_CL"), "OrderedColumns");
        cr_assert(columns != NULL && columns->count >= 4, "%s", schemas[i]);
        cr_assert(json_is(json_get(database, "MajorVersion"), JSON_T_NUMBER));
    }
    expect_mgmt(&s, ".show version");
    expect_mgmt(&s, ".show cluster");
    expect_mgmt(&s, ".show principal access | project Role");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"Viewer\"],[\"Ingestor\"],[\"Admin\"]]"));
    expect_mgmt(&s, ".show queries | count");
    cr_assert(rf_str_is(v1_rows(&s), "[[0]]"));
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1},{\"N\":2}]");
    expect_mgmt(&s, ".show table App_CL details | project TableName, TotalRowCount");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"App_CL\",2]]"), "%.*s", RF_FMT(v1_rows(&s)));
    cr_assert(mgmt(&s, ".show table Nosuch cslschema") == 404);
    cr_assert(mgmt(&s, ".show function Nosuch") == 404);
    be(&s, OTHER);
    cr_assert(mgmt(&s, ".show tables") == 403);
    expect_mgmt(&s, ".show databases | count");
    cr_assert(rf_str_is(v1_rows(&s), "[[0]]"));
    stage_done(&s);
}

Test(kusto, tables_are_made_through_the_control_plane)
{
    struct stage s;
    stage_init(&s);
    expect_mgmt(&s, ".create table New_CL (a:long, ['when']:datetime)");
    expect(&s, "GET", WS_ARM "/tables/New_CL?api-version=2022-10-01", NULL, 200);
    expect_mgmt(&s, ".create-merge table New_CL (a:long, b:string)");
    expect_v2(&s,
              "New_CL | getschema | where ColumnName in ('a', 'when', 'b', 'TimeGenerated') | "
              "summarize make_list(strcat(ColumnName, ':', ColumnType))",
              NULL, "[[[\"a:long\",\"when:datetime\",\"TimeGenerated:datetime\",\"b:string\"]]]");
    cr_assert(mgmt(&s, ".create-merge table New_CL (a:string)") == 400);
    cr_assert(mgmt(&s, ".alter-merge table Other_CL (a:string)") == 404);
    cr_assert(mgmt(&s, ".create table Bad_CL (a:timespan)") == 400);
    expect_mgmt(&s, ".drop table New_CL");
    cr_assert(mgmt(&s, ".drop table New_CL") == 404);
    expect_mgmt(&s, ".drop table New_CL ifexists");
    cr_assert(v2(&s, "New_CL", NULL) == 400);
    cr_assert(v2(&s, ".create table New_CL (a:long)", NULL) == 400, "only mgmt changes things");
    be(&s, OTHER);
    assign(&s, OTHER, ROLE_READER, WS_ARM);
    cr_assert(mgmt(&s, ".create table New_CL (a:long)") == 403);
    cr_assert(mgmt(&s, ".drop table App_CL") == 403);
    cr_assert(mgmt(&s, ".create function F() { App_CL }") == 403);
    cr_assert(mgmt(&s, ".ingest inline into table App_CL <| 1") == 403);
    cr_assert(mgmt(&s, ".set-or-append App_CL <| print N = 1") == 403);
    stage_done(&s);
}

Test(kusto, functions_are_saved_searches)
{
    struct stage s;
    stage_init(&s);
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1},{\"N\":2}]");
    expect_mgmt(
        &s, ".create-or-alter function with (folder='x') F(n:long = 1) { App_CL | where N > n }");
    expect_v2(&s, "F | count", NULL, "[[1]]");
    expect_v2(&s, "F(0) | count", NULL, "[[2]]");
    cr_assert(mgmt(&s, ".create function F() { App_CL }") == 400);
    expect_mgmt(&s, ".create function ifnotexists F() { App_CL }");
    expect_v2(&s, "F | count", NULL, "[[1]]");
    expect_mgmt(&s, ".create-or-alter function F() { App_CL | take 0 }");
    expect_v2(&s, "F | count", NULL, "[[0]]");
    expect_mgmt(&s, ".show function F | project Name, Parameters, Body");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"F\",\"()\",\"{ App_CL | take 0 }\"]]"), "%.*s",
              RF_FMT(v1_rows(&s)));
    expect_mgmt(&s, ".drop function F");
    cr_assert(mgmt(&s, ".drop function F") == 404);
    expect_mgmt(&s, ".drop function F ifexists");
    stage_done(&s);
}

/* ---- rows in ----------------------------------------------------------------------------------------------------- */

static int stream(struct stage *s, const char *parameters, const char *data)
{
    rf_str target = rf_arena_printf(&s->walk.arena, "/v1/rest/ingest/ws-one/App_CL?%s", parameters);
    return call(s, "POST", rf_arena_cstr(&s->walk.arena, target), data);
}

#define T "2026-01-31T00:00:00Z"
Test(kusto, streams_of_every_format)
{
    static const struct {
        const char *parameters, *data, *rows;
    } cases[] = {
        {"streamFormat=csv", T ",1,\"a,\"\"b\",\"{\"\"k\"\":1}\"\n" T ",2,c,\n",
         "[[1,\"a,\\\"b\",{\"k\":1}],[2,\"c\",null]]"},
        {"streamFormat=Csv&ignoreFirstRecord=true", "t,n\n" T ",1,x,", "[[1,\"x\",null]]"},
        {"streamFormat=tsv", T "\t1\tx\t[1]", "[[1,\"x\",[1]]]"},
        {"streamFormat=scsv", T ";1;x;", "[[1,\"x\",null]]"},
        {"streamFormat=psv", T "|1|x|", "[[1,\"x\",null]]"},
        {"streamFormat=sohsv",
         T "\x01"
           "1\x01x\x01",
         "[[1,\"x\",null]]"},
        {"streamFormat=tsve", T "\t1\ta\\tb\\n\"c\\\\\t", "[[1,\"a\\tb\\n\\\"c\\\\\",null]]"},
        {"streamFormat=json",
         "{\"TimeGenerated\":\"" T "\",\"N\":1,\"S\":\"x\",\"Zz\":1}\n{\"N\":2}",
         "[[1,\"x\",null],[2,\"\",null]]"},
        {"streamFormat=multijson", "[{\"N\":1,\n\"D\":{\"a\":2}},{\"N\":2}]",
         "[[1,\"\",{\"a\":2}],[2,\"\",null]]"},
        {"streamFormat=singlejson", "{\"N\":7}", "[[7,\"\",null]]"},
    };
    struct stage s;
    stage_init(&s);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        int status = stream(&s, cases[i].parameters, cases[i].data);
        cr_assert(status == 200, "%s: %d %.*s", cases[i].parameters, status,
                  RF_FMT(rf_buf_view(&s.last.body)));
        expect_v2(&s, "App_CL | project N, S, D | sort by N asc", NULL, cases[i].rows);
        expect_mgmt(&s, ".drop table App_CL");
        put_table(&s, WS_ARM, "App_CL",
                  "{\"name\":\"N\",\"type\":\"long\"},{\"name\":\"S\",\"type\":\"string\"},"
                  "{\"name\":\"D\",\"type\":\"dynamic\"}");
    }
    stage_done(&s);
}

Test(kusto, lines_fill_the_first_column)
{
    struct stage s;
    stage_init(&s);
    put_table(&s, WS_ARM, "Text_CL", "{\"name\":\"S\",\"type\":\"string\"}");
    expect(&s, "POST", "/v1/rest/ingest/ws-one/App_CL?streamFormat=txt", T "\r\n" T "\n", 200);
    expect_v2(&s, "App_CL | count", NULL, "[[2]]");
    expect(&s, "POST", "/v1/rest/ingest/ws-one/App_CL?streamFormat=raw", T, 200);
    expect_v2(&s, "App_CL | count", NULL, "[[3]]");
    stage_done(&s);
}

Test(kusto, what_cannot_be_ingested_is_refused)
{
    struct stage s;
    stage_init(&s);
    cr_assert(stream(&s, "streamFormat=parquet", "x") == 400);
    cr_assert(stream(&s, "streamFormat=csv&sourceKind=uri", "{\"SourceUri\":\"http://x\"}") == 400);
    cr_assert(stream(&s, "streamFormat=csv", T ",1,a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p\n" T ",2,x,") ==
              400);
    cr_assert(stream(&s, "streamFormat=multijson", "{\"N\":") == 400);
    cr_assert(stream(&s, "streamFormat=json&mappingName=nosuch", "{}") == 404);
    expect(&s, "POST", "/v1/rest/ingest/ws-one/Nosuch_CL?streamFormat=csv", "x", 404);
    expect(&s, "POST", "/v1/rest/ingest/nosuch/App_CL?streamFormat=csv", "x", 404);
    expect_v2(&s, "App_CL | count", NULL, "[[0]]");
    be(&s, OTHER);
    cr_assert(stream(&s, "streamFormat=csv", T ",1,x,") == 403);
    stage_done(&s);
}

Test(kusto, mappings_say_what_goes_where)
{
    struct stage s;
    stage_init(&s);
    expect_mgmt(
        &s, ".create table App_CL ingestion json mapping 'm' "
            "'[{\"column\":\"N\",\"path\":\"$.a.b[1]\"},{\"Column\":\"S\",\"Properties\":{\"Path\":"
            "\"$[\\'x y\\']\"}},{\"column\":\"D\",\"path\":\"$\"},"
            "{\"column\":\"TimeGenerated\",\"path\":\"$.t\",\"transform\":"
            "\"DateTimeFromUnixMilliseconds\"}]'");
    cr_assert(stream(&s, "streamFormat=multijson&mappingName=m",
                     "[{\"a\":{\"b\":[1,2]},\"x y\":\"z\",\"t\":1769860800000},{\"a\":5}]") == 200);
    expect_v2(&s, "App_CL | project N, S, D.a, TimeGenerated | sort by N asc nulls last", NULL,
              "[[2,\"z\",{\"b\":[1,2]},\"2026-01-31T12:00:00Z\"],[null,\"\",5,"
              "\"2026-01-31T12:00:00Z\"]]");
    cr_assert(mgmt(&s, ".create table App_CL ingestion json mapping 'm' '[{\"column\":\"N\"}]'") ==
              400);
    expect_mgmt(
        &s,
        ".create-or-alter table App_CL ingestion csv mapping 'm' "
        "'[{\"column\":\"S\",\"Properties\":{\"Ordinal\":\"2\"}},{\"Name\":\"N\",\"Ordinal\":0}]'");
    cr_assert(stream(&s, "streamFormat=csv&mappingName=m", "77,x,seven,rest") == 200);
    expect_v2(&s, "App_CL | where N == 77 | project S", NULL, "[[\"seven\"]]");
    expect_mgmt(&s, ".show table App_CL ingestion json mappings | project Name, Kind, Table");
    cr_assert(rf_str_is(v1_rows(&s), "[[\"m\",\"Json\",\"App_CL\"]]"));
    expect_mgmt(&s, ".show ingestion mappings | count");
    cr_assert(rf_str_is(v1_rows(&s), "[[2]]"));
    expect_mgmt(&s, ".drop table App_CL ingestion json mapping 'm'");
    cr_assert(mgmt(&s, ".drop table App_CL ingestion json mapping 'm'") == 404);
    cr_assert(mgmt(&s, ".create table App_CL ingestion json mapping 'n' 'no list'") == 400);
    stage_done(&s);
}

Test(kusto, rows_by_command)
{
    struct stage s;
    stage_init(&s);
    expect_mgmt(&s, ".ingest inline into table App_CL <|\n" T ",1,a,\n" T ",2,b,");
    expect_mgmt(&s, ".ingest inline into table App_CL with (format='json') <| {\"N\":3}");
    expect_v2(&s, "App_CL | summarize sum(N)", NULL, "[[6]]");
    expect_mgmt(&s, ".set-or-append App_CL <| App_CL | project N = N * 10, S = 'copy'");
    expect_v2(&s, "App_CL | summarize sum(N), countif(S == 'copy')", NULL, "[[66,3]]");
    expect_mgmt(&s, ".set Copy_CL <| App_CL | project N");
    expect_v2(&s, "Copy_CL | count", NULL, "[[6]]");
    cr_assert(mgmt(&s, ".set Copy_CL <| App_CL") == 400);
    cr_assert(mgmt(&s, ".append App_CL <| print Nosuch = 1") == 400);
    cr_assert(mgmt(&s, ".append App_CL <| print N = 'text'") == 400);
    cr_assert(mgmt(&s, ".append App_CL <| nosuch") == 400);
    cr_assert(send_csl(&s, "/v1/rest/mgmt", "ws-one", ".append App_CL <| print N = 1",
                       "{\"Options\":{\"request_readonly\":true}}") == 403);
    stage_done(&s);
}
