/* Management commands on the server: who may, what they leave in the control plane, purges with their proof. */
#include "kql/command.h"
#include "logs/jobs.h"
#include "logs/kusto_int.h"
#include "logs/query_test_util.h"

static int mgmt(struct stage *s, const char *csl)
{
    struct rf_buf buf = rf_buf_in(&s->walk.arena);
    struct json_out out = json_out_to(&buf);
    json_begin_object(&out, NULL);
    json_put_text(&out, "db", RF_S("ws-one"));
    json_put_text(&out, "csl", rf_str_of(csl));
    json_end_object(&out);
    rf_buf_byte(&buf, 0);
    return call(s, "POST", "/v1/rest/mgmt", (const char *)buf.ptr);
}

static rf_str rows_of(struct stage *s)
{
    const struct json_node *tables = json_get(s->answer, "Tables");
    return json_to_text(&s->walk.arena, json_get(tables == NULL ? NULL : tables->first, "Rows"));
}

#define fine(s, csl)                                                                               \
    do {                                                                                           \
        int status_ = mgmt(s, csl);                                                                \
        cr_assert(status_ == 200, "%s: %d %.*s", csl, status_,                                     \
                  RF_FMT(rf_buf_view(&(s)->last.body)));                                           \
    } while (0)
#define gives(s, csl, wanted)                                                                      \
    do {                                                                                           \
        fine(s, csl);                                                                              \
        rf_str rows_ = rows_of(s);                                                                 \
        cr_assert(rf_str_is(rows_, wanted), "%s: %.*s", csl, RF_FMT(rows_));                       \
    } while (0)

Test(kusto_manage, tables_are_described_and_keep_what_they_have)
{
    struct stage s;
    stage_init(&s);
    fine(&s, ".create table One_CL (a:long) with (folder='f', docstring='d')");
    gives(&s, ".show tables (One_CL) | project TableName, Folder, DocString",
          "[[\"One_CL\",\"f\",\"d\"]]");
    fine(&s, ".alter table One_CL docstring \"other\"");
    fine(&s, ".alter-merge table One_CL policy retention softdelete = 31d");
    fine(&s, ".alter-merge table One_CL (b:string)");
    gives(&s, ".show table One_CL cslschema | project Folder, DocString", "[[\"f\",\"other\"]]");
    fine(&s, ".show table One_CL policy retention | project Policy");
    cr_assert(rf_str_find(rows_of(&s), RF_S("31.00:00:00"), 0) != SIZE_MAX,
              "a later write leaves the retention");
    fine(&s, ".alter table One_CL folder ''");
    gives(&s, ".show tables (One_CL) | project Folder", "[[\"\"]]");
    fine(&s, ".delete table One_CL policy retention");
    fine(&s, ".create tables Two_CL (a:long), Three_CL (b:real)");
    gives(&s, ".show tables | where TableName in ('Two_CL', 'Three_CL') | count", "[[2]]");
    fine(&s, ".drop tables (Two_CL, Three_CL)");
    cr_assert(mgmt(&s, ".drop tables (Two_CL, Three_CL)") == 404);
    fine(&s, ".drop tables (Two_CL, Three_CL) ifexists");
    cr_assert(mgmt(&s, ".drop column One_CL.a") == 400, "rows of a workspace are not rewritten");
    cr_assert(mgmt(&s, ".rename table One_CL to Four_CL") == 400);
    cr_assert(mgmt(&s, ".alter table One_CL policy retention 'no policy'") == 400);
    stage_done(&s);
}

Test(kusto_manage, functions_have_folder_and_docstring)
{
    struct stage s;
    stage_init(&s);
    fine(&s, ".create function with (folder='x', docstring='what') F(n:long) { App_CL | take n }");
    gives(&s, ".show functions | project Name, Folder, DocString", "[[\"F\",\"x\",\"what\"]]");
    fine(&s, ".alter function F docstring 'else'");
    fine(&s, ".create-or-alter function F() { App_CL }");
    gives(&s, ".show function F | project Folder, DocString, Parameters",
          "[[\"x\",\"else\",\"()\"]]");
    cr_assert(mgmt(&s, ".create function Bad() { App_CL | where }") == 400);
    fine(&s, ".create function with (skipvalidation='true') Bad() { App_CL | where }");
    gives(&s, ".drop function Bad", "[[\"Bad\"]]");
    stage_done(&s);
}

Test(kusto_manage, rows_are_replaced_and_cleared)
{
    struct stage s;
    stage_init(&s);
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1},{\"N\":2}]");
    fine(&s, ".set-or-replace App_CL <| App_CL | where N == 2 | project N = N * 10, S = 'new'");
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[1]]");
    cr_assert(mgmt(&s, ".append Nosuch_CL <| App_CL") == 404);
    fine(&s, ".set Names_CL <| .show tables | where TableName == 'App_CL' | project TableName");
    gives(&s, ".show tables (Names_CL) details | project TotalRowCount", "[[1]]");
    fine(&s, ".set-or-append async App_CL <| print N = 7");
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[2]]");
    fine(&s, ".clear table App_CL data");
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[0]]");
    gives(&s,
          ".show operations | summarize countif(State == 'Completed'), countif(State == 'Failed')",
          "[[4,1]]");
    gives(&s, ".show journal | where Event == 'set' | count", "[[1]]");
    stage_done(&s);
}

Test(kusto_manage, what_one_may_not)
{
    struct stage s;
    stage_init(&s);
    put_rows(&s, s.guid, "App_CL", "[{\"N\":1}]");
    be(&s, OTHER);
    assign(&s, OTHER, ROLE_READER, WS_ARM);
    static const char *const denied[] = {
        ".create tables New_CL (a:long)",
        ".alter table App_CL docstring 'x'",
        ".alter-merge table App_CL policy retention softdelete = 1d",
        ".drop tables (App_CL)",
        ".clear table App_CL data",
        ".set-or-replace App_CL <| print N = 1",
        ".create-or-alter function F() { App_CL }",
        ".drop functions (F) ifexists",
        ".purge table App_CL records in database ['ws-one'] <| where N == 1",
        ".purge table App_CL records with (noregrets='true') <| where N == 1",
        ".purge table App_CL allrecords with (noregrets='true')",
        ".show purges",
    };
    for (size_t i = 0; i < RF_COUNT(denied); i++)
        cr_expect(mgmt(&s, denied[i]) == 403, "%s: %.*s", denied[i],
                  RF_FMT(rf_buf_view(&s.last.body)));
    fine(&s, ".execute database script <|\n.drop table App_CL\n.show tables");
    cr_expect(rf_str_find(rows_of(&s), RF_S("Failed"), 0) != SIZE_MAX,
              "a script has no more rights");
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[1]]");
    gives(&s,
          ".show commands | where CommandType !in ('show tables', 'execute database script') | "
          "where State != 'Failed' | count",
          "[[0]]");
    stage_done(&s);
}

Test(kusto_manage, a_purge_leaves_its_proof)
{
    struct stage s;
    stage_init(&s);
    put_rows(&s, s.guid, "App_CL",
             "[{\"N\":1,\"S\":\"x\"},{\"N\":2,\"S\":\"x\"},{\"N\":3,\"S\":\"y\"},{\"N\":4}]");
    const char *ask =
        ".purge table App_CL records in database ['ws-one'] <| where S == 'x' and N > 1";
    fine(&s, ask);
    const struct json_node *row =
        json_get(json_get(s.answer, "Tables")->first, "Rows")->first->first;
    cr_assert(rf_str_is(row->text, "1"), "how many rows it meets");
    rf_str token = row->next->next->text;
    cr_assert(token.len == 64);
    cr_assert(mgmt(&s, ".purge table App_CL records with (verificationtoken='0') <| where N > 1") ==
              400);
    rf_str other = rf_arena_printf(
        &s.walk.arena, ".purge table App_CL records with (verificationtoken='%.*s') <| where N > 0",
        RF_FMT(token));
    cr_assert(mgmt(&s, rf_arena_cstr(&s.walk.arena, other)) == 400, "it is for one predicate");
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[4]]");
    rf_str go = rf_arena_printf(&s.walk.arena,
                                ".purge table App_CL records in database ['ws-one'] with "
                                "(verificationtoken='%.*s') <| where S == 'x' and N > 1",
                                RF_FMT(token));
    fine(&s, rf_arena_cstr(&s.walk.arena, go));
    jobs_run_pending(s.logs->jobs);
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[3]]");
    gives(&s, ".show purges | project State, TableName, D = StateDetails has '1 rows; proof'",
          "[[\"Completed\",\"App_CL\",true]]");
    fine(&s, ".purge table App_CL records with (noregrets='true') <| where N >= 3");
    jobs_run_pending(s.logs->jobs);
    gives(&s, ".show tables (App_CL) details | project TotalRowCount", "[[1]]");
    gives(&s, ".show purges | count", "[[2]]");
    cr_assert(
        mgmt(&s, ".purge table App_CL records with (noregrets='true') <| where N > ago(1d)") ==
        400);
    cr_assert(mgmt(&s, ".purge table App_CL records with (noregrets='true') <| take 1") == 400);
    cr_assert(mgmt(&s, ".purge table Nosuch_CL records with (noregrets='true') <| where N > 1") ==
              404);

    /* The proofs: nothing is left, nothing else went, and the second names the first. */
    struct state_txn *txn;
    struct state_list list;
    struct rf_err err;
    struct state_scan scan = {.space = "logsJob", .prefix = RF_S("purge-")};
    cr_assert(state_begin_read(s.walk.state, &txn, &err) == RF_OK);
    cr_assert(state_list(txn, &scan, &s.walk.arena, &list, &err) == RF_OK);
    state_end(txn);
    cr_assert(list.count == 2);
    uint32_t firsts = 0, seconds = 0;
    rf_str digests[2], previous[2];
    for (uint32_t i = 0; i < 2; i++) {
        struct json_node *job, *proof;
        cr_assert(json_parse(list.items[i].body, &s.walk.arena, &job, &err) == RF_OK);
        cr_assert(json_parse(json_text_at(job, "proof"), &s.walk.arena, &proof, &err) == RF_OK);
        cr_assert(json_is(json_get(proof, "holds"), JSON_T_TRUE), "%.*s",
                  RF_FMT(json_text_at(job, "proof")));
        digests[i] = json_text_at(job, "proofDigest");
        previous[i] = json_text_at(proof, "previous");
        firsts += previous[i].len == 0;
    }
    for (uint32_t i = 0; i < 2; i++)
        seconds += previous[i].len > 0 && rf_str_eq(previous[i], digests[1 - i]);
    cr_assert(firsts == 1 && seconds == 1, "a chain");
    stage_done(&s);
}

Test(kusto_manage, scripts_and_other_databases)
{
    struct stage s;
    stage_init(&s);
    fine(&s, ".execute database script with (ContinueOnErrors=true) <|\n"
             "// comment\n.create-merge table A_CL (x:long)\n\n.drop table Nosuch_CL\n"
             ".show tables\n.create function G() {\n A_CL\n | count\n}\n");
    fine(&s, ".show functions | count");
    cr_assert(
        mgmt(&s, ".execute database script with (ThrowOnErrors=true) <|\n.drop table Nosuch_CL") ==
        404);
    cr_assert(mgmt(&s, ".execute database script <|\n.execute database script <| .show tables") ==
              200);
    cr_assert(mgmt(&s, ".show database Nosuch schema") == 404);
    fine(&s, ".show database ['ws-one'] schema as csl");
    fine(&s, ".show database schema | where TableName == 'A_CL' | count");
    fine(&s, ".show external tables");
    fine(&s, ".show capacity");
    gives(&s, ".cancel query 'nothing' with (reason='x')",
          "[[\"nothing\",\"NotFound\",\"no query of yours runs under this id\"]]");
    fine(&s, ".show table App_CL extents | count");
    fine(&s, ".show queries | count");
    stage_done(&s);
}
