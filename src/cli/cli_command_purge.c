/* cli_command_purge.c - purges of a store: rows go for good, and a proof of it joins the ledger.
 *
 * What the table was before is written down (purge.json) before the first row goes. A purge that a crash cuts short goes on with the next
 * command that changes something, and its proof tells of the whole of it. */
#include <unistd.h>

#include "base/encode.h"
#include "base/json.h"
#include "cli/cli_command.h"
#include "crypt/digest.h"
#include "store/table_remove.h"
#include "value/text.h"

#define PENDING "purge.json"

struct one_row {
    struct kql_sink sink;
    int64_t values[2];
};
static enum rf_kind one_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                              const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind one_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct one_row *one = (struct one_row *)sink;
    (void)err;
    for (uint32_t i = 0; i < batch->column_count && i < 2 && batch->row_count > 0; i++)
        one->values[i] = vec_value(&batch->columns[i], 0).i;
    return RF_OK;
}
static enum rf_kind one_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

/* By a catalog of its own, as the table changes between two questions. */
static enum rf_kind sum_rows(struct cli_host *h, rf_str table, rf_str predicate,
                             struct command_sum *out, struct rf_err *err)
{
    struct one_row one = {.sink = {.begin = one_begin, .push = one_push, .end = one_end}};
    struct cli_catalog now = cli_catalog_in(h->arena);
    struct kql_request request = *h->command->request;
    struct kql_stats stats = {0};
    request.text = command_sum_query(h->arena, table, predicate);
    request.has_timespan = false;
    if (request.text.ptr == NULL) return rf_fail_memory(err, h->arena);
    enum rf_kind kind = cli_catalog_add_store(&now, h->command->data, h->command->key_file, err);
    request.catalog = &now.catalog;
    if (kind == RF_OK) kind = kql_run(&request, &one.sink, &stats, err);
    cli_catalog_done(&now);
    *out = (struct command_sum){one.values[0], one.values[1]};
    return kind;
}

static enum rf_kind extents_now(struct cli_host *h, rf_str table, rf_str *out, struct rf_err *err)
{
    struct table *t;
    RF_TRY(table_open(h->store, table, &t, err));
    *out = command_extents_digest(h->arena, t);
    table_close(t);
    return out->ptr == NULL ? rf_fail_memory(err, h->arena) : RF_OK;
}

struct by_predicate {
    rf_str predicate;
    struct ast_column *columns;
    uint32_t column_count;
};
static enum rf_kind keep_unmet(void *ctx, const struct batch *batch, uint32_t *rows, uint32_t *kept,
                               struct rf_err *err)
{
    const struct by_predicate *p = ctx;
    return command_predicate_keep(p->predicate, p->columns, p->column_count, batch, rows, kept,
                                  err);
}

static enum rf_kind remove_rows(struct cli_host *h, rf_str table, rf_str predicate,
                                uint64_t *removed, struct rf_err *err)
{
    struct table_writer *w;
    struct command_def def;
    rf_str *names;
    struct by_predicate p = {.predicate = predicate};
    RF_TRY(cli_host_find(&h->base, table, &def, err));
    RF_TRY(command_predicate_check(predicate, def.columns, def.column_count, h->arena, &names,
                                   &p.column_count, err));
    p.columns = rf_arena_new(h->arena, struct ast_column, p.column_count);
    if (p.columns == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0, n = 0; i < def.column_count && n < p.column_count; i++)
        if (rf_str_eq(def.columns[i].name, names[n])) p.columns[n++] = def.columns[i];
    struct table_keep keep = {
        .columns = names, .column_count = p.column_count, .rows = keep_unmet, .ctx = &p};
    struct table_removal removal = {.more = true};
    RF_TRY(table_writer_open(h->store, table, NULL, 0, &w, err));
    enum rf_kind kind = RF_OK;
    while (kind == RF_OK && removal.more) kind = table_remove_step(w, &keep, &removal, err);
    table_writer_close(w);
    *removed = removal.row_count;
    return kind;
}

enum rf_kind cli_host_purge_count(struct command_host *base, rf_str table, rf_str predicate,
                                  uint64_t *count, struct rf_err *err)
{
    struct command_sum sum;
    RF_TRY(sum_rows(cli_host_of(base), table, predicate, &sum, err));
    *count = (uint64_t)RF_MAX(sum.rows, 0);
    return RF_OK;
}

static void purge_of(const struct json_node *proof, struct rf_arena *arena,
                     struct command_purge *out)
{
    const struct json_node *rows = json_at(proof, "met.rows");
    int64_t removed = 0;
    rf_usec asked = 0, done = 0;
    (void)time_parse_iso(json_text_at(proof, "asked"), &asked);
    (void)time_parse_iso(json_text_at(proof, "done"), &done);
    if (json_is(rows, JSON_T_NUMBER)) (void)text_to_long(rows->text, &removed);
    bool holds = json_is(json_get(proof, "holds"), JSON_T_TRUE);
    *out = (struct command_purge){
        .id = json_text_at(proof, "operationId"),
        .table = json_text_at(proof, "table"),
        .predicate = json_text_at(proof, "predicate"),
        .state = RF_S("Completed"),
        .details = rf_arena_printf(arena, "Purge completed successfully: %lld rows; proof %.*s%s",
                                   (long long)removed, RF_FMT(json_text_at(proof, "digest")),
                                   holds ? "" : ", in which numbers differ: rows came meanwhile"),
        .principal = json_text_at(proof, "caller"),
        .client_request_id = RF_S(""),
        .scheduled = asked,
        .started = asked,
        .updated = done,
        .removed = (uint64_t)removed};
}

static struct command_sum sum_at(const struct json_node *proof, const char *rows,
                                 const char *digest)
{
    const struct json_node *r = json_at(proof, rows), *d = json_at(proof, digest);
    struct command_sum sum = {0};
    if (json_is(r, JSON_T_NUMBER)) (void)text_to_long(r->text, &sum.rows);
    if (json_is(d, JSON_T_NUMBER)) (void)text_to_long(d->text, &sum.digest);
    return sum;
}

static enum rf_kind forget_pending(struct cli_host *h, struct rf_err *err)
{
    rf_str path = rf_arena_printf(h->arena, "%s/" PENDING, h->command->data);
    const char *file = rf_arena_cstr(h->arena, path);
    if (file == NULL) return rf_fail_memory(err, h->arena);
    RF_TRY(rf_fs_unlink(rf_fs_real(), file, err));
    return rf_fs_sync_dir(rf_fs_real(), h->command->data, err);
}

/* From the first row that goes to the line in the ledger. Done again, it goes on. */
static enum rf_kind finish_purge(struct cli_host *h, struct command_proof *proof,
                                 struct json_node **out, struct rf_err *err)
{
    struct json_node **lines;
    uint32_t count;
    uint64_t removed;
    rf_str json, digest;
    RF_TRY(cli_ledger_read(h->command->data, h->arena, &lines, &count, &proof->previous, err));
    *out = count == 0 ? NULL : lines[count - 1];
    /* The line is there, and only the note was left. */
    if (*out != NULL && rf_str_eq(json_text_at(*out, "operationId"), proof->id))
        return forget_pending(h, err);
    RF_TRY(remove_rows(h, proof->table, proof->predicate, &removed, err));
    RF_TRY(sum_rows(h, proof->table, (rf_str){NULL, 0}, &proof->after, err));
    RF_TRY(sum_rows(h, proof->table, proof->predicate, &proof->left, err));
    RF_TRY(extents_now(h, proof->table, &proof->extents_after, err));
    proof->done = rf_clock_now(rf_clock_real());
    RF_TRY(command_proof_put(proof, h->arena, &json, &digest, err));
    RF_TRY(cli_ledger_add(h->command->data, h->arena, json, digest, err));
    RF_TRY(json_parse(json, h->arena, out, err));
    if (json_set_text(h->arena, *out, "digest", digest) == NULL)
        return rf_fail_memory(err, h->arena);
    return forget_pending(h, err);
}

enum rf_kind cli_host_resume_purge(struct cli_host *h, struct rf_err *err)
{
    struct json_node *p, *ignored;
    RF_TRY(cli_notes_read(h->command->data, PENDING, h->arena, &p, err));
    if (p == NULL) return RF_OK;
    struct command_proof proof = {.id = json_text_at(p, "operationId"),
                                  .database = json_text_at(p, "database"),
                                  .table = json_text_at(p, "table"),
                                  .predicate = json_text_at(p, "predicate"),
                                  .caller = json_text_at(p, "caller"),
                                  .before = sum_at(p, "before.rows", "before.digest"),
                                  .met = sum_at(p, "met.rows", "met.digest"),
                                  .extents_before = json_text_at(p, "extentsBefore")};
    (void)time_parse_iso(json_text_at(p, "asked"), &proof.asked);
    return finish_purge(h, &proof, &ignored, err);
}

enum rf_kind cli_host_purge(struct command_host *base, rf_str table, rf_str predicate,
                            struct command_purge *out, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node **lines, *pending, *line;
    uint32_t count;
    rf_str json, digest;
    struct command_proof proof = {.id = guid_random(h->arena),
                                  .database = base->database,
                                  .table = table,
                                  .predicate = predicate,
                                  .caller =
                                      rf_arena_printf(h->arena, "uid %lu", (unsigned long)getuid()),
                                  .asked = base->now};
    RF_TRY(cli_host_writing(h, err));
    /* A ledger that is broken is told before anything goes. */
    RF_TRY(cli_ledger_read(h->command->data, h->arena, &lines, &count, &proof.previous, err));
    RF_TRY(sum_rows(h, table, (rf_str){NULL, 0}, &proof.before, err));
    RF_TRY(sum_rows(h, table, predicate, &proof.met, err));
    RF_TRY(extents_now(h, table, &proof.extents_before, err));
    RF_TRY(command_proof_put(&proof, h->arena, &json, &digest, err));
    RF_TRY(json_parse(json, h->arena, &pending, err));
    RF_TRY(cli_notes_write(h->command->data, PENDING, h->arena, pending, err));
    RF_TRY(finish_purge(h, &proof, &line, err));
    purge_of(line, h->arena, out);
    return RF_OK;
}

enum rf_kind cli_host_purges(struct command_host *base, struct command_purge **out, uint32_t *count,
                             struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node **lines;
    rf_str digest;
    *count = 0;
    *out = NULL;
    if (h->command->data == NULL) return RF_OK;
    RF_TRY(cli_ledger_read(h->command->data, h->arena, &lines, count, &digest, err));
    *out = rf_arena_new(h->arena, struct command_purge, *count);
    if (*out == NULL) return rf_fail_memory(err, h->arena);
    for (uint32_t i = 0; i < *count; i++) purge_of(lines[*count - 1 - i], h->arena, &(*out)[i]);
    return RF_OK;
}

/* Of this text and of what was purged before: good for one purge. Who can ask for it may also purge. */
enum rf_kind cli_host_token(struct command_host *base, rf_str text, rf_str *out, struct rf_err *err)
{
    struct cli_host *h = cli_host_of(base);
    struct json_node **lines;
    uint32_t count;
    uint8_t sha[SHA256_BYTES];
    rf_str digest;
    RF_TRY(cli_ledger_read(h->command->data, h->arena, &lines, &count, &digest, err));
    rf_str all = rf_arena_printf(h->arena, "%.*s\n%.*s", RF_FMT(digest), RF_FMT(text));
    if (all.ptr == NULL) return rf_fail_memory(err, h->arena);
    digest_sha256(all, sha);
    *out = hex_encode(h->arena, rf_str_make(sha, sizeof sha));
    return out->ptr == NULL ? rf_fail_memory(err, h->arena) : RF_OK;
}
