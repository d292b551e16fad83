/* purge_predicate.c - purges by a predicate of KQL, as .purge asks: the job, its proof, the list. */
#include "base/encode.h"
#include "base/json_out.h"
#include "logs/jobs.h"
#include "logs/purge.h"
#include "tables/ask.h"
#include "tables/tables_remove.h"
#include "value/text.h"

#define LEDGER_SPACE "purgeLedger" /* by workspace: the digest of the last proof */
enum { PURGES_MAX = 10000 };

/* ---- the job ----------------------------------------------------------------------------------------------------- */

struct by_predicate {
    rf_str predicate;
    struct ast_column *columns; /* that it looks at */
    uint32_t column_count;
};

static enum rf_kind keep_unmet(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct by_predicate *p = ctx;
    return command_predicate_keep(p->predicate, p->columns, p->column_count, batch, rows, kept,
                                  err);
}

/* Of the rows that had arrived by `until`: others may come while it is counted. */
static enum rf_kind sum_rows(struct job *job, rf_str table, rf_str predicate, int64_t until,
                             struct command_sum *out, struct rf_err *err)
{
    struct ask_view *view;
    struct answer answer;
    struct ask ask = {.text = command_sum_query(job->arena, table, predicate),
                      .now_ticks = until,
                      .has_ingested = true,
                      .after_ticks = -1,
                      .until_ticks = until,
                      .cancelled = job->cancelled};
    if (ask.text.ptr == NULL) return rf_fail_memory(err, job->arena);
    RF_TRY(ask_open(job->logs->options.tables, json_text_at(job->body, "workspace"),
                    (rf_str){NULL, 0}, NULL, 0, &view, err));
    enum rf_kind kind = ask_run(view, &ask, job->arena, &answer, err);
    if (kind == RF_OK)
        *out = (struct command_sum){.rows = rows_value(answer.rows, 0, 0).i,
                                    .digest = rows_value(answer.rows, 0, 1).i};
    ask_close(view);
    return kind;
}

static enum rf_kind last_arrival(struct job *job, rf_str table, int64_t *until, struct rf_err *err)
{
    struct ask_view *view;
    struct answer answer;
    struct ask ask = {
        .text = rf_arena_printf(
            job->arena, "['%.*s'] | summarize a = max(tolong(ingestion_time()))", RF_FMT(table)),
        .now_ticks = 1,
        .cancelled = job->cancelled};
    if (ask.text.ptr == NULL) return rf_fail_memory(err, job->arena);
    RF_TRY(ask_open(job->logs->options.tables, json_text_at(job->body, "workspace"),
                    (rf_str){NULL, 0}, NULL, 0, &view, err));
    enum rf_kind kind = ask_run(view, &ask, job->arena, &answer, err);
    if (kind == RF_OK) *until = rows_count(answer.rows) == 0 ? 0 : rows_value(answer.rows, 0, 0).i;
    ask_close(view);
    return kind;
}

static enum rf_kind extents_now(struct job *job, rf_str table, rf_str *out, struct rf_err *err)
{
    struct tables *tables = job->logs->options.tables;
    struct tables_view view;
    RF_TRY(tables_view(tables, json_text_at(job->body, "workspace"), job->arena, &view, err));
    struct source *source = catalog_find_own(&view.catalog, table);
    enum rf_kind kind = source == NULL ? RF_OK : source_open(source, err);
    *out = source == NULL || kind != RF_OK
               ? (rf_str){NULL, 0}
               : command_extents_digest(job->arena, tables_source_table(source));
    tables_release(tables, &view);
    return kind;
}

static void set_sum(struct job *job, const char *name, const struct command_sum *sum)
{
    struct json_node *node = json_object_in(job->arena, job->body, name);
    json_set_i64(job->arena, node, "rows", sum->rows);
    json_set_i64(job->arena, node, "digest", sum->digest);
}

static int64_t number_at(const struct json_node *body, const char *path)
{
    const struct json_node *node = json_at(body, path);
    int64_t number = 0;
    if (json_is(node, JSON_T_NUMBER)) (void)text_to_long(node->text, &number);
    return number;
}

/* What the table was before the first row went is kept with the job: a purge that a crash cuts short runs again, and tells of that. */
static enum rf_kind note_before(struct job *job, rf_str table, rf_str predicate,
                                struct command_proof *proof, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    int64_t until;
    if (json_get(job->body, "before") == NULL) {
        RF_TRY(last_arrival(job, table, &until, err));
        RF_TRY(sum_rows(job, table, (rf_str){NULL, 0}, until, &proof->before, err));
        RF_TRY(sum_rows(job, table, predicate, until, &proof->met, err));
        RF_TRY(extents_now(job, table, &proof->extents_before, err));
        set_sum(job, "before", &proof->before);
        set_sum(job, "met", &proof->met);
        json_set_text(job->arena, job->body, "extentsBefore", proof->extents_before);
        json_set_i64(job->arena, job->body, "started", rf_clock_now(job->logs->options.clock));
        if (json_set_i64(job->arena, job->body, "until", until) == NULL)
            return rf_fail_memory(err, job->arena);
        RF_TRY(state_begin_write(job->logs->options.state, &txn, err));
        RF_TRY(job_put(txn, job->key, job->body, job->arena, err));
        return state_finish(&txn, err);
    }
    proof->before = (struct command_sum){number_at(job->body, "before.rows"),
                                         number_at(job->body, "before.digest")};
    proof->met =
        (struct command_sum){number_at(job->body, "met.rows"), number_at(job->body, "met.digest")};
    proof->extents_before = json_text_at(job->body, "extentsBefore");
    return RF_OK;
}

/* The proof joins the workspace's chain in the transaction that keeps it with the job. */
static enum rf_kind keep_proof(struct job *job, struct command_proof *proof, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_object head;
    rf_str guid = json_text_at(job->body, "workspace"), json, digest;
    RF_TRY(state_begin_write(job->logs->options.state, &txn, err));
    enum rf_kind kind = state_get(txn, LEDGER_SPACE, guid, job->arena, &head, err);
    if (kind != RF_OK && kind != RF_NOT_FOUND) return kind;
    if (kind == RF_OK) proof->previous = head.body;
    RF_TRY(command_proof_put(proof, job->arena, &json, &digest, err));
    struct state_put put = {.space = LEDGER_SPACE, .key = guid, .body = digest};
    RF_TRY(state_put(txn, &put, NULL, NULL, err));
    json_set_text(job->arena, job->body, "proof", json);
    json_set_text(job->arena, job->body, "proofDigest", digest);
    if (json_set_i64(job->arena, job->body, "ended", proof->done) == NULL)
        return rf_fail_memory(err, job->arena);
    RF_TRY(job_put(txn, job->key, job->body, job->arena, err));
    return state_finish(&txn, err);
}

enum rf_kind purge_run_predicate(struct job *job, const struct table_def *def, uint64_t *removed,
                                 struct rf_err *err)
{
    struct by_predicate p = {.predicate = json_text_at(job->body, "predicate")};
    struct command_proof proof = {.id = rf_slice(job->key, 6, job->key.len),
                                  .database = json_text_at(job->body, "workspaceId"),
                                  .table = def->name,
                                  .predicate = p.predicate,
                                  .caller = json_text_at(job->body, "caller"),
                                  .client_request_id = json_text_at(job->body, "clientRequestId"),
                                  .asked = number_at(job->body, "scheduled")};
    rf_str *names;
    struct ast_column *all = rf_arena_new(job->arena, struct ast_column, def->column_count);
    p.columns = rf_arena_new(job->arena, struct ast_column, def->column_count);
    if (all == NULL || p.columns == NULL) return rf_fail_memory(err, job->arena);
    for (uint32_t i = 0; i < def->column_count; i++)
        all[i] = (struct ast_column){.name = def->columns[i].name, .type = def->columns[i].type};
    RF_TRY(command_predicate_check(p.predicate, all, def->column_count, job->arena, &names,
                                   &p.column_count, err));
    for (uint32_t i = 0, n = 0; i < def->column_count && n < p.column_count; i++)
        if (rf_str_eq(all[i].name, names[n])) p.columns[n++] = all[i];
    RF_TRY(note_before(job, def->name, p.predicate, &proof, err));
    struct table_keep keep = {
        .columns = names, .column_count = p.column_count, .rows = keep_unmet, .ctx = &p};
    RF_TRY(tables_remove_rows(job->logs->options.tables, json_text_at(job->body, "workspace"),
                              def->name, &keep, job->cancelled, removed, err));
    int64_t until = number_at(job->body, "until");
    RF_TRY(sum_rows(job, def->name, (rf_str){NULL, 0}, until, &proof.after, err));
    RF_TRY(sum_rows(job, def->name, p.predicate, until, &proof.left, err));
    RF_TRY(extents_now(job, def->name, &proof.extents_after, err));
    proof.done = rf_clock_now(job->logs->options.clock);
    json_set_i64(job->arena, job->body, "removedRows", (int64_t)*removed);
    return keep_proof(job, &proof, err);
}

/* ---- .purge ------------------------------------------------------------------------------------------------------ */

static rf_str state_of(const struct json_node *job)
{
    rf_str status = json_text_at(job, "status");
    if (rf_str_is(status, JOB_PENDING))
        return json_get(job, "before") == NULL ? RF_S("Scheduled") : RF_S("InProgress");
    if (rf_str_is(status, JOB_COMPLETED)) return RF_S("Completed");
    return rf_str_is(status, JOB_CANCELLED) ? RF_S("Cancelled") : RF_S("Failed");
}

static rf_str details_of(const struct json_node *job, struct rf_arena *arena)
{
    rf_str digest = json_text_at(job, "proofDigest"), error = json_text_at(job, "error");
    if (error.len > 0 || digest.len == 0) return error;
    return rf_arena_printf(arena, "Purge completed successfully: %lld rows; proof %.*s",
                           (long long)number_at(job, "removedRows"), RF_FMT(digest));
}

static struct command_purge purge_of(rf_str key, const struct json_node *job,
                                     struct rf_arena *arena)
{
    rf_usec scheduled = number_at(job, "scheduled"), started = number_at(job, "started");
    rf_usec ended = number_at(job, "ended");
    return (struct command_purge){.id = rf_slice(key, RF_MIN(key.len, (size_t)6), key.len),
                                  .table = json_text_at(job, "table"),
                                  .predicate = json_text_at(job, "predicate"),
                                  .state = state_of(job),
                                  .details = details_of(job, arena),
                                  .principal = json_text_at(job, "caller"),
                                  .client_request_id = json_text_at(job, "clientRequestId"),
                                  .scheduled = scheduled,
                                  .started = started,
                                  .updated = ended != 0     ? ended
                                             : started != 0 ? started
                                                            : scheduled,
                                  .removed = (uint64_t)number_at(job, "removedRows")};
}

enum rf_kind purge_start_predicate(struct logs *logs, const struct workspace *workspace,
                                   const struct request *request, rf_str table, rf_str predicate,
                                   struct rf_arena *arena, struct command_purge *out,
                                   struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    rf_str guid = guid_random(arena);
    rf_str id = rf_arena_printf(arena, "purge-%.*s", RF_FMT(guid));
    rf_usec now = rf_clock_now(logs->options.clock);
    json_set_text(arena, body, "kind", RF_S("purge"));
    json_set_text(arena, body, "status", RF_S(JOB_PENDING));
    json_set_text(arena, body, "workspaceId", workspace->id);
    json_set_text(arena, body, "workspace", workspace->guid);
    json_set_text(arena, body, "table", table);
    json_set_text(arena, body, "predicate", predicate);
    json_set_text(arena, body, "caller", principal_caller(request->principal));
    json_set_text(arena, body, "clientRequestId", request->client_request_id);
    json_set_i64(arena, body, "scheduled", now);
    if (guid.ptr == NULL || id.ptr == NULL ||
        json_set_text(arena, body, "created", time_iso(arena, now)) == NULL)
        return rf_fail_memory(err, arena);
    RF_TRY(state_begin_write(logs->options.state, &txn, err));
    RF_TRY(job_put(txn, id, body, arena, err));
    RF_TRY(state_finish(&txn, err));
    jobs_wake(logs->jobs);
    *out = purge_of(id, body, arena);
    return RF_OK;
}

enum rf_kind purge_list(struct logs *logs, const struct workspace *workspace,
                        struct rf_arena *arena, struct command_purge **out, uint32_t *count,
                        struct rf_err *err)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = "logsJob", .prefix = RF_S("purge-"), .limit = PURGES_MAX};
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    enum rf_kind kind = state_list(txn, &scan, arena, &list, err);
    state_end(txn);
    RF_TRY(kind);
    struct command_purge *items = rf_arena_new(arena, struct command_purge, list.count);
    uint32_t n = 0;
    if (items == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < list.count; i++) {
        struct json_node *body;
        RF_TRY(json_parse(list.items[i].body, arena, &body, err));
        if (!rf_str_eq_nocase(json_text_at(body, "workspace"), workspace->guid)) continue;
        if (json_get(body, "predicate") == NULL) continue;
        uint32_t at = n++;
        struct command_purge one = purge_of(list.items[i].key, body, arena);
        for (; at > 0 && items[at - 1].scheduled < one.scheduled; at--) items[at] = items[at - 1];
        items[at] = one;
    }
    *out = items;
    *count = n;
    return RF_OK;
}
