/* command_purge.c - .purge: a predicate over the rows of one table, in two steps or one, and the list of what was purged. */
#include "base/encode.h"
#include "base/json.h"
#include "crypt/digest.h"
#include "kql/ast.h"
#include "kql/command_int.h"
#include "kql/source_file.h"
#include "value/text.h"

/* A column of the rows that a predicate looks at which no table has. */
#define ROW_COLUMN "$PurgeRow"
#define ROWS_NAME "PurgeRecords"

/* ---- predicates -------------------------------------------------------------------------------------------------- */

static rf_str without_bar(rf_str predicate)
{
    predicate = rf_str_trim(predicate);
    if (predicate.len > 0 && predicate.ptr[0] == '|')
        predicate = rf_str_trim(rf_slice(predicate, 1, predicate.len));
    return predicate;
}

static rf_str query_of(struct rf_arena *arena, rf_str predicate)
{
    return rf_arena_printf(arena, ROWS_NAME "\n| %.*s\n", RF_FMT(without_bar(predicate)));
}

#define BAD_PREDICATE(err, ...) RF_FAIL((err), RF_INVALID, "BadPredicate", __VA_ARGS__)

/* Functions whose answer is another when they are asked again, or which look at more than the row. */
static enum rf_kind check_words(rf_str predicate, struct rf_err *err)
{
    static const char *const words[] = {
        "rand",         "new_guid",     "ingestion_time", "extent_id",   "extent_tags",
        "cursor_after", "externaldata", "external_table", "table",       "database",
        "cluster",      "workspace",    "toscalar",       "materialize", "evaluate",
        "now",          "ago",          "row_number",     "prev",        "next",
        "row_cumsum",   "app",          "resource",       "union"};
    for (size_t at = 0; at < predicate.len;) {
        size_t end = at;
        while (end < predicate.len &&
               (rf_is_alnum(predicate.ptr[end]) || predicate.ptr[end] == '_'))
            end++;
        rf_str word = rf_slice(predicate, at, end);
        size_t behind = end;
        while (behind < predicate.len && rf_is_space(predicate.ptr[behind])) behind++;
        bool call = behind < predicate.len && predicate.ptr[behind] == '(';
        for (size_t i = 0; i < RF_COUNT(words) && call; i++)
            if (rf_str_is(word, words[i]))
                return BAD_PREDICATE(err,
                                     "a purge's predicate says the same whenever it is asked: "
                                     "%s() is not for it; write the time or value itself",
                                     words[i]);
        at = RF_MAX(end, at + 1);
    }
    return RF_OK;
}

static enum rf_kind check_tree(const struct query_ast *query, struct rf_err *err)
{
    const struct ast *pipe = query->statement_count == 1 ? query->statements[0].value : NULL;
    if (pipe == NULL || query->statements[0].kind != STATEMENT_QUERY || pipe->kind != AST_PIPE)
        return BAD_PREDICATE(err, "a purge needs one predicate: <| where Column == 'x'");
    for (uint32_t i = 1; i < pipe->kid_count; i++)
        if (pipe->kids[i]->op == NULL || (strcmp(pipe->kids[i]->op->name, "where") != 0 &&
                                          strcmp(pipe->kids[i]->op->name, "filter") != 0))
            return BAD_PREDICATE(err, "a purge's predicate is made of 'where' only");
    return RF_OK;
}

/* A column can be looked at where its name stands, or where all of them are meant. */
static bool mentions_all(rf_str predicate)
{
    return rf_str_find(predicate, RF_S("*"), 0) != SIZE_MAX ||
           rf_str_find(predicate, RF_S("pack_all"), 0) != SIZE_MAX ||
           rf_str_find(predicate, RF_S("\\"), 0) != SIZE_MAX;
}

static enum rf_kind nothing(struct source *source, const struct scan *scan, struct exec *exec,
                            struct flow *out, struct rf_err *err)
{
    (void)source, (void)scan, (void)exec, (void)out, (void)err;
    return RF_OK;
}

enum rf_kind command_predicate_check(rf_str predicate, const struct ast_column *all,
                                     uint32_t all_count, struct rf_arena *arena, rf_str **columns,
                                     uint32_t *column_count, struct rf_err *err)
{
    static const struct source_ops ops = {.scan = nothing};
    struct query_ast query;
    struct kql_shape shape;
    if (predicate.len > COMMAND_PREDICATE_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "BadPredicate", "a purge's predicate has at most %d bytes",
                       COMMAND_PREDICATE_BYTES_MAX);
    rf_str text = query_of(arena, predicate);
    rf_str *names = rf_arena_new(arena, rf_str, all_count);
    struct ast_column *copy = rf_arena_new(arena, struct ast_column, all_count);
    if (text.ptr == NULL || names == NULL || copy == NULL) return rf_fail_memory(err, arena);
    RF_TRY(parse_query(text, arena, &query, err));
    RF_TRY(check_tree(&query, err));
    RF_TRY(check_words(predicate, err));
    if (all_count > 0) memcpy(copy, all, all_count * sizeof *copy);
    struct source source = {
        .ops = &ops, .name = RF_S(ROWS_NAME), .columns = copy, .column_count = all_count};
    struct source *list = &source;
    struct catalog catalog = {.sources = &list, .source_count = 1};
    struct kql_request request = {.text = text, .catalog = &catalog};
    RF_TRY(kql_lint(&request, arena, &shape, err));
    *column_count = 0;
    for (uint32_t i = 0; i < all_count; i++)
        if (mentions_all(predicate) || rf_str_find(predicate, all[i].name, 0) != SIZE_MAX)
            names[(*column_count)++] = all[i].name;
    *columns = names;
    if (*column_count == 0 && all_count > 0)
        names[(*column_count)++] = all[0].name; /* where true */
    return RF_OK;
}

/* One batch as a table of its own. */
struct batch_source {
    struct source source;
    const struct batch *batch;
};
static enum rf_kind batch_scan(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    const struct batch *all = ((struct batch_source *)source)->batch;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)16 << 20);
    struct batch batch = {.row_count = all->row_count,
                          .column_count = scan->column_count,
                          .columns = rf_arena_new(&arena, struct vec, scan->column_count),
                          .arena = &arena};
    if (batch.columns == NULL) return rf_fail_memory(err, &arena);
    for (uint32_t i = 0; i < scan->column_count; i++)
        batch.columns[i] = all->columns[scan->columns[i]];
    return flow_push(exec, out, 0, &batch, err);
}

struct match_sink {
    struct kql_sink sink;
    uint8_t *met; /* by row */
};
static enum rf_kind match_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind match_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    struct match_sink *m = (struct match_sink *)sink;
    (void)err;
    for (uint32_t i = 0; i < batch->row_count; i++) {
        struct value row = vec_value(&batch->columns[0], i);
        RF_ASSERT(row.i >= 0);
        RF_ASSERT(row.i < BATCH_ROWS);
        m->met[row.i] = 1;
    }
    return RF_OK;
}
static enum rf_kind match_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

enum rf_kind command_predicate_keep(rf_str predicate, struct ast_column *columns,
                                    uint32_t column_count, const struct batch *batch,
                                    uint32_t *rows, uint32_t *kept, struct rf_err *err)
{
    static const struct source_ops ops = {.scan = batch_scan};
    uint8_t met[BATCH_ROWS] = {0};
    int64_t numbers[BATCH_ROWS];
    struct rf_arena *arena = batch->arena;
    struct kql_stats stats = {0};
    RF_ASSERT(batch->row_count <= BATCH_ROWS);
    for (uint32_t i = 0; i < batch->row_count; i++) numbers[i] = i;
    struct vec *vecs = rf_arena_new(arena, struct vec, (size_t)column_count + 1);
    struct ast_column *all = rf_arena_new(arena, struct ast_column, (size_t)column_count + 1);
    rf_str text = rf_arena_printf(arena, "%.*s| project ['" ROW_COLUMN "']",
                                  RF_FMT(query_of(arena, predicate)));
    if (vecs == NULL || all == NULL || text.ptr == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < column_count; i++) {
        vecs[i] = batch->columns[i];
        all[i] = columns[i];
        /* A part that lacks the column gives empty texts, which are nulls of its type. */
        if (vecs[i].type != columns[i].type) {
            struct value null = value_null((enum type)columns[i].type);
            if (!vec_const(arena, &null, &vecs[i])) return rf_fail_memory(err, arena);
        }
    }
    vecs[column_count] =
        (struct vec){.type = TYPE_LONG, .shape = VEC_FLAT, .data = numbers, .nulls = NULL};
    all[column_count] = (struct ast_column){.name = RF_S(ROW_COLUMN), .type = TYPE_LONG};
    struct batch wide = {.row_count = batch->row_count,
                         .column_count = column_count + 1,
                         .columns = vecs,
                         .arena = arena};
    struct batch_source source = {.source = {.ops = &ops,
                                             .name = RF_S(ROWS_NAME),
                                             .columns = all,
                                             .column_count = column_count + 1},
                                  .batch = &wide};
    struct source *list = &source.source;
    struct catalog catalog = {.sources = &list, .source_count = 1};
    struct kql_request request = {.text = text, .catalog = &catalog, .lane_count = 1};
    struct match_sink sink = {.sink = {.begin = match_begin, .push = match_push, .end = match_end},
                              .met = met};
    RF_TRY(kql_run(&request, &sink.sink, &stats, err));
    *kept = 0;
    for (uint32_t i = 0; i < batch->row_count; i++)
        if (!met[i]) rows[(*kept)++] = i;
    return RF_OK;
}

/* ---- proofs ------------------------------------------------------------------------------------------------------ */

rf_str command_sum_query(struct rf_arena *arena, rf_str table, rf_str predicate)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_byte(&buf, '[');
    json_put_string(&buf, table);
    rf_buf_str(&buf, RF_S("]\n| extend PurgeHash_ = hash(tostring(pack_all(true)), 2147483647)\n"));
    if (predicate.len > 0) rf_buf_printf(&buf, "| %.*s\n", RF_FMT(without_bar(predicate)));
    rf_buf_str(&buf, RF_S("| summarize n = count(), h = sum(PurgeHash_)"));
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

bool command_proof_holds(const struct command_proof *p)
{
    return p->left.rows == 0 && p->before.rows - p->met.rows == p->after.rows &&
           p->before.digest - p->met.digest == p->after.digest;
}

static void put_sum(struct json_out *out, const char *name, const struct command_sum *sum)
{
    json_begin_object(out, name);
    json_put_i64(out, "rows", sum->rows);
    json_put_i64(out, "digest", sum->digest);
    json_end_object(out);
}

enum rf_kind command_proof_put(const struct command_proof *p, struct rf_arena *arena, rf_str *json,
                               rf_str *digest, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct json_out out = json_out_to(&buf);
    uint8_t sha[SHA256_BYTES];
    json_begin_object(&out, NULL);
    json_put_text(&out, "operationId", p->id);
    json_put_text(&out, "database", p->database);
    json_put_text(&out, "table", p->table);
    json_put_text(&out, "predicate", p->predicate);
    json_put_text(&out, "caller", p->caller);
    json_put_text(&out, "clientRequestId", p->client_request_id);
    json_put_text(&out, "asked", time_iso(arena, p->asked));
    json_put_text(&out, "done", time_iso(arena, p->done));
    put_sum(&out, "before", &p->before);
    put_sum(&out, "met", &p->met);
    put_sum(&out, "after", &p->after);
    put_sum(&out, "left", &p->left);
    json_put_text(&out, "extentsBefore", p->extents_before);
    json_put_text(&out, "extentsAfter", p->extents_after);
    json_put_bool(&out, "holds", command_proof_holds(p));
    json_put_text(&out, "previous", p->previous);
    json_end_object(&out);
    if (buf.failed) return rf_fail_memory(err, arena);
    *json = rf_buf_view(&buf);
    digest_sha256(*json, sha);
    *digest = hex_encode(arena, rf_str_make(sha, sizeof sha));
    return digest->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

rf_str command_extents_digest(struct rf_arena *arena, const struct table *table)
{
    struct rf_buf buf = rf_buf_in(arena);
    struct extent_info info;
    uint8_t sha[SHA256_BYTES];
    for (uint32_t i = 0; table != NULL && i < table_part_count(table); i++)
        if (table_part_info(table, i, &info)) rf_buf_put(&buf, info.digest, sizeof info.digest);
    if (buf.failed) return (rf_str){NULL, 0};
    digest_sha256(rf_buf_view(&buf), sha);
    return hex_encode(arena, rf_str_make(sha, sizeof sha));
}

/* ---- the commands ------------------------------------------------------------------------------------------------ */

static void purges_init(struct command_host *h, struct command_rows *out)
{
    command_rows_init(out, h->arena,
                      "OperationId:guid, DatabaseName:string, TableName:string, "
                      "ScheduledTime:datetime, Duration:timespan, LastUpdatedOn:datetime, "
                      "EngineOperationId:guid, State:string, StateDetails:string, "
                      "EngineStartTime:datetime, EngineDuration:timespan, Retries:int, "
                      "ClientRequestId:string, Principal:string");
}

static void purges_add(struct command_host *h, const struct command_purge *p,
                       struct command_rows *out)
{
    bool ran = p->started != 0 && p->updated != 0;
    command_rows_add(
        out,
        (struct value[]){
            command_guid(p->id), value_str(h->database), value_str(p->table),
            command_time(p->scheduled),
            value_i64(TYPE_TIMESPAN, RF_MAX(p->updated - p->scheduled, 0) * TICKS_PER_MICROSECOND),
            command_time(p->updated), ran ? command_guid(p->id) : value_null(TYPE_GUID),
            value_str(p->state), value_str(p->details), command_time(p->started),
            ran ? value_i64(TYPE_TIMESPAN, (p->updated - p->started) * TICKS_PER_MICROSECOND)
                : value_null(TYPE_TIMESPAN),
            value_i64(TYPE_INT, 0), value_str(p->client_request_id), value_str(p->principal)});
}

static bool in_time(const struct command *c, rf_usec scheduled)
{
    int64_t from, until, at = DATETIME_UNIX_EPOCH + scheduled * TICKS_PER_MICROSECOND;
    if (c->from.len > 0 && (!text_to_datetime(c->from, &from) || at < from)) return false;
    return c->until.len == 0 || (text_to_datetime(c->until, &until) && at <= until);
}

enum rf_kind command_show_purges(struct command_host *h, const struct command *c,
                                 struct command_rows *out, struct rf_err *err)
{
    struct command_purge *list;
    uint32_t count;
    int64_t ticks;
    if (h->ops->purges == NULL) return command_not_here(c, err);
    if ((c->from.len > 0 && !text_to_datetime(c->from, &ticks)) ||
        (c->until.len > 0 && !text_to_datetime(c->until, &ticks)))
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "the times of .show purges are texts such as '2026-01-30 12:00'");
    RF_TRY(h->ops->purges(h, &list, &count, err));
    purges_init(h, out);
    for (uint32_t i = 0; i < count; i++)
        if ((c->name.len == 0 || rf_str_eq_nocase(c->name, list[i].id)) &&
            in_time(c, list[i].scheduled))
            purges_add(h, &list[i], out);
    return RF_OK;
}

/* Whether the caller has confirmed it. *ask: the token to give back. */
static enum rf_kind confirmed(struct command_host *h, const struct command *c, bool *yes,
                              rf_str *ask, struct rf_err *err)
{
    rf_str given = rf_str_trim(command_property(c, "verificationtoken"));
    rf_str text =
        rf_arena_printf(h->arena, "%d\n%.*s\n%.*s\n%.*s", (int)c->verb, RF_FMT(h->database),
                        RF_FMT(c->name), RF_FMT(rf_str_trim(c->body)));
    if (text.ptr == NULL) return rf_fail_memory(err, h->arena);
    *yes = command_flag(c, "noregrets");
    if (*yes) return RF_OK;
    RF_TRY(h->ops->token(h, text, ask, err));
    if (given.len == 0) return RF_OK;
    *yes = secret_equal(given, *ask);
    if (*yes) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest",
                   "the verification token is not that of this purge: ask for it by the same "
                   "command without one");
}

enum rf_kind command_purge_run(struct command_host *h, const struct command *c,
                               struct command_rows *out, struct rf_err *err)
{
    struct command_def def;
    struct command_purge purge;
    rf_str *columns, token = {NULL, 0};
    uint32_t column_count;
    uint64_t count;
    bool yes, all = c->verb == COMMAND_PURGE_ALL;
    rf_str predicate = all ? RF_S("where true") : rf_str_trim(c->body);
    if (h->ops->purge == NULL) return command_not_here(c, err);
    RF_TRY(h->ops->find(h, c->name, &def, err));
    enum rf_kind kind = command_predicate_check(predicate, def.columns, def.column_count, h->arena,
                                                &columns, &column_count, err);
    if (kind != RF_OK && err != NULL && err->line > 1) {
        err->line--; /* it was read behind a line of ours, and "| " */
        command_shift_error(c, without_bar(predicate), err->line == 1 ? 2 : 0, err);
    }
    RF_TRY(kind);
    RF_TRY(confirmed(h, c, &yes, &token, err));
    if (yes) {
        RF_TRY(h->ops->purge(h, def.name, predicate, &purge, err));
        if (all) {
            struct command show = {.verb = COMMAND_SHOW_TABLES, .entry = c->entry};
            return command_show_tables(h, &show, out, err);
        }
        purges_init(h, out);
        purges_add(h, &purge, out);
        return RF_OK;
    }
    if (all) {
        command_rows_init(out, h->arena, "VerificationToken:string");
        command_rows_add(out, (struct value[]){value_str(token)});
        return RF_OK;
    }
    RF_TRY(h->ops->purge_count(h, def.name, predicate, &count, err));
    command_rows_init(out, h->arena,
                      "NumRecordsToPurge:long, EstimatedPurgeExecutionTime:timespan, "
                      "VerificationToken:string");
    command_rows_add(out, (struct value[]){command_number(count),
                                           value_i64(TYPE_TIMESPAN, 2 * TICKS_PER_SECOND),
                                           value_str(token)});
    return RF_OK;
}
