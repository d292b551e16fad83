#include "lab/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/fs.h"
#include "base/json.h"
#include "lab/world_int.h"
#include "tables/ask.h"
#include "value/dyn.h"
#include "value/text.h"

enum { FOLDER_DEPTH_MAX = 8, ASK_ROWS_MAX = 10000 };
#define WORLD_BYTES ((size_t)1 << 30)
#define ASK_BYTES ((size_t)2 << 30)

/* ---- files that nobody needs tomorrow ------------------------------------------------------------------------------- */

static enum rf_kind open_file(struct rf_fs *fs, const char *path, unsigned how,
                              struct rf_file **out, struct rf_err *err)
{
    struct rf_fs *real = rf_fs_real();
    RF_TRY(real->ops->open(real, path, how, out, err));
    (*out)->fs = fs;
    return RF_OK;
}

static enum rf_kind no_sync(struct rf_file *file, struct rf_err *err)
{
    (void)file, (void)err;
    return RF_OK;
}

static enum rf_kind no_sync_dir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    (void)fs, (void)path, (void)err;
    return RF_OK;
}

static void remove_folder(const char *folder, uint32_t depth)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_fs *fs = rf_fs_real();
    rf_str *names;
    size_t count;
    rf_arena_init(&arena, 16 << 20);
    if (rf_fs_list(fs, folder, &arena, &names, &count, NULL) != RF_OK) return;
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        rf_str path = rf_arena_printf(&arena, "%s/%.*s", folder, RF_FMT(names[i]));
        const char *name = (const char *)path.ptr;
        if (name == NULL) return;
        if (rf_fs_stat(fs, name, &stat, NULL) == RF_OK && stat.is_dir) {
            if (depth < FOLDER_DEPTH_MAX) remove_folder(name, depth + 1);
        } else {
            (void)unlink(name);
        }
    }
    (void)rmdir(folder);
}

static enum rf_kind make_folder(struct lab_world *world, struct rf_err *err)
{
    const char *base = getenv("TMPDIR");
    if (base == NULL || base[0] == 0) base = "/tmp";
    int len = snprintf(world->folder, sizeof world->folder, "%s/ringfort-lab-XXXXXX", base);
    if (len < 0 || (size_t)len >= sizeof world->folder) {
        world->folder[0] = 0;
        return RF_FAIL(err, RF_INVALID, "BadFolder", "TMPDIR is too long");
    }
    if (mkdtemp(world->folder) != NULL) return RF_OK;
    world->folder[0] = 0;
    return RF_FAIL_ERRNO(err, "FolderNotMade", "no folder can be made in %s", base);
}

/* ---- what rules did ----------------------------------------------------------------------------------------------------- */

static struct lab_runs *runs_of(struct lab_world *world, rf_str rule)
{
    for (uint32_t i = 0; i < world->run_count; i++)
        if (rf_str_eq(world->runs[i].rule, rule)) return &world->runs[i];
    if (world->run_count == LAB_RUNS_MAX) return NULL;
    struct lab_runs *runs = &world->runs[world->run_count];
    *runs = (struct lab_runs){.runs = 0};
    if (!rf_arena_str(&world->arena, rule, &runs->rule)) return NULL;
    world->run_count++;
    return runs;
}

static void note_failure(struct lab_world *world, struct lab_runs *runs,
                         const struct json_node *row)
{
    const struct json_node *issues = json_at(row, "ExtendedProperties.Issues");
    const struct json_node *issue = issues == NULL ? NULL : issues->first;
    if (runs->failures++ > 0) return;
    (void)(rf_arena_str(&world->arena, json_text_at(issue, "Code"), &runs->code) &&
           rf_arena_str(&world->arena, json_text_at(issue, "Description"), &runs->text) &&
           rf_arena_str(&world->arena, json_text_at(row, "TimeGenerated"), &runs->failed_at));
}

/* Rows that the engine writes about itself. */
static void note_row(void *ctx, const char *table, rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct lab_world *world = ctx;
    struct json_node *row;
    int64_t count = 0;
    rf_arena_init(&arena, 16 << 20);
    if (strcmp(table, "SentinelHealth") != 0) return;
    if (json_parse(text, &arena, &row, NULL) != RF_OK) return;
    struct lab_runs *runs = runs_of(world, json_text_at(row, "ExtendedProperties.RuleId"));
    if (runs == NULL) return;
    runs->runs++;
    (void)json_i64_at(row, "ExtendedProperties.ResultsAmount", &count);
    runs->rows_max = RF_MAX(runs->rows_max, (uint64_t)count);
    if (rf_str_is(json_text_at(row, "Status"), "Failure")) note_failure(world, runs, row);
}

const struct lab_runs *lab_world_runs(const struct lab_world *world, uint32_t *count)
{
    *count = world->run_count;
    return world->runs;
}

/* ---- functions and lists ------------------------------------------------------------------------------------------------ */

static enum rf_kind list_functions(void *ctx, rf_str workspace_id, struct rf_arena *arena,
                                   struct stored_function **out, uint32_t *count,
                                   struct rf_err *err)
{
    const struct lab_world *world = ctx;
    const struct lab_functions *functions = world->options.functions;
    (void)workspace_id, (void)arena, (void)err;
    *out = functions == NULL ? NULL : functions->items;
    *count = functions == NULL ? 0 : functions->count;
    return RF_OK;
}

static enum rf_kind call_function(void *ctx, rf_str workspace_id, rf_str name,
                                  const struct value *args, uint32_t arg_count,
                                  struct rf_arena *arena, struct source **out, struct rf_err *err)
{
    static const struct lab_watchlists none = {.count = 0};
    const struct lab_world *world = ctx;
    const struct lab_watchlists *lists = world->options.lists;
    (void)workspace_id;
    return lab_watchlists_call(lists == NULL ? &none : lists, name, args, arg_count, arena, out,
                               err);
}

/* ---- life ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put(struct lab_world *world, rf_str id, struct json_node *body,
                        struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct arm_resource made;
    bool created;
    rf_arena_init(&arena, 64 << 20);
    return arm_put(world->arm, id, body, NULL, &arena, &made, &created, err);
}

static enum rf_kind put_text(struct lab_world *world, const char *id, const char *text,
                             struct rf_err *err)
{
    struct json_node *body;
    RF_TRY(json_parse(rf_str_of(text), &world->arena, &body, err));
    return put(world, rf_str_of(id), body, err);
}

static enum rf_kind open_state(struct lab_world *world, struct rf_err *err)
{
    char path[sizeof world->folder + 16];
    (void)snprintf(path, sizeof path, "%s/state", world->folder);
    const struct state_options state = {
        .path = path, .clock = &world->clock.clock, .fleeting = true};
    RF_TRY(state_open(&state, &world->state, err));
    RF_TRY(authz_new(world->state, world->site.tenant_id, &world->authz, err));
    const struct arm_options arm = {.state = world->state,
                                    .authz = world->authz,
                                    .site = &world->site,
                                    .audit = &world->audit,
                                    .clock = &world->clock.clock};
    return arm_new(&arm, &world->arm, err);
}

static enum rf_kind open_engine(struct lab_world *world, struct rf_err *err)
{
    char path[sizeof world->folder + 16];
    (void)snprintf(path, sizeof path, "%s/tables", world->folder);
    const struct tables_options tables = {
        .fs = &world->fs, .folder = path, .clock = &world->clock.clock, .by_hand = true};
    const struct table_functions functions = {
        .ctx = world, .list = list_functions, .call = call_function};
    RF_TRY(tables_new(&tables, &world->tables, err));
    tables_add_functions(world->tables, &functions); /* before those of the engine: they win */
    const struct siem_options siem = {.state = world->state,
                                      .arm = world->arm,
                                      .authz = world->authz,
                                      .tables = world->tables,
                                      .site = &world->site,
                                      .audit = &world->audit,
                                      .clock = &world->clock.clock,
                                      .rule_delay = world->options.delay,
                                      .by_hand = true};
    return siem_new(&siem, &world->siem, err);
}

static enum rf_kind open_world(struct lab_world *world, struct rf_err *err)
{
    RF_TRY(make_folder(world, err));
    RF_TRY(open_state(world, err));
    RF_TRY(open_engine(world, err));
    RF_TRY(put_text(world, LAB_GROUP_ID, "{\"location\":\"local\"}", err));
    return put_text(
        world, LAB_WORKSPACE_ID,
        "{\"location\":\"local\",\"properties\":{\"customerId\":\"" LAB_WORKSPACE "\"}}", err);
}

enum rf_kind lab_world_new(const struct lab_world_options *options, struct lab_world **out,
                           struct rf_err *err)
{
    struct lab_world *world = calloc(1, sizeof *world);
    if (world == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    world->options = *options;
    world->ops = *rf_fs_real()->ops;
    world->ops.open = open_file;
    world->ops.sync = no_sync;
    world->ops.sync_dir = no_sync_dir;
    world->fs.ops = &world->ops;
    world->site = (struct site){.tenant_id = RF_S(LAB_TENANT),
                                .domain = RF_S("ringfort.localhost"),
                                .location = RF_S("local"),
                                .origin = RF_S("https://localhost"),
                                .port = 443,
                                .subscription_id = RF_S(LAB_SUBSCRIPTION),
                                .resource_group = RF_S("lab"),
                                .workspace_name = RF_S("lab"),
                                .workspace_id = RF_S(LAB_WORKSPACE)};
    world->audit = (struct audit){.ctx = world, .row = note_row};
    rf_arena_init(&world->arena, WORLD_BYTES);
    rf_clock_fixed_init(&world->clock, options->start, 0);
    world->runs = rf_arena_new(&world->arena, struct lab_runs, LAB_RUNS_MAX);
    enum rf_kind kind =
        world->runs == NULL ? rf_fail_memory(err, &world->arena) : open_world(world, err);
    if (kind != RF_OK) {
        lab_world_free(world);
        return kind;
    }
    *out = world;
    return RF_OK;
}

void lab_world_free(struct lab_world *world)
{
    if (world == NULL) return;
    siem_stop(world->siem);
    arm_free(world->arm);
    siem_free(world->siem);
    tables_free(world->tables);
    authz_free(world->authz);
    state_close(world->state);
    if (world->folder[0] != 0) remove_folder(world->folder, 0);
    rf_arena_done(&world->arena);
    free(world);
}

const char *lab_world_folder(const struct lab_world *world) { return world->folder; }

rf_usec lab_world_now(struct lab_world *world) { return rf_clock_now(&world->clock.clock); }

/* ---- tables and rules --------------------------------------------------------------------------------------------------- */

enum rf_kind lab_world_table(struct lab_world *world, rf_str name, struct table_def *out,
                             struct rf_err *err)
{
    return tables_find(world->tables, world->site.workspace_id, name, &world->arena, out, err);
}

enum rf_kind lab_world_tables(struct lab_world *world, struct rf_arena *arena,
                              struct table_def **out, uint32_t *count, struct rf_err *err)
{
    return tables_list(world->tables, world->site.workspace_id, arena, out, count, err);
}

enum rf_kind lab_world_define(struct lab_world *world, const struct table_def *def,
                              struct rf_err *err)
{
    return tables_define(world->tables, world->site.workspace_id, def, err);
}

enum rf_kind lab_world_add_rule(struct lab_world *world, const struct json_node *document,
                                rf_str name, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 64 << 20);
    struct json_node *body = json_clone(&arena, document), *p = json_get(body, "properties");
    rf_str id = rf_arena_printf(&arena, LAB_RULES "%.*s", RF_FMT(name));
    if (p == NULL || id.ptr == NULL) return rf_fail_memory(err, &arena);
    if (json_set_bool(&arena, p, "enabled", true) == NULL) return rf_fail_memory(err, &arena);
    if (world->options.no_suppression &&
        json_set_bool(&arena, p, "suppressionEnabled", false) == NULL)
        return rf_fail_memory(err, &arena);
    return put(world, id, body, err);
}

/* ---- time ----------------------------------------------------------------------------------------------------------------- */

enum rf_kind lab_world_append(struct lab_world *world, rf_str table, const struct schema *schema,
                              const struct batch *batch, struct rf_err *err)
{
    const struct rows_in rows = {.schema = schema,
                                 .batches = batch,
                                 .batch_count = 1,
                                 .now_ticks = lab_ticks(lab_world_now(world))};
    return tables_append(world->tables, world->site.workspace_id, table, &rows, err);
}

bool lab_world_set_clock(struct lab_world *world, rf_usec at)
{
    rf_usec now = lab_world_now(world);
    if (at < now) return false;
    rf_clock_fixed_pass(&world->clock, at - now);
    return true;
}

void lab_world_step(struct lab_world *world) { siem_step(world->siem); }

bool lab_world_pass(struct lab_world *world, rf_usec until)
{
    rf_usec now = lab_world_now(world), next = siem_next(world->siem);
    next = RF_MIN(next, until);
    if (next <= now) return false;
    rf_clock_fixed_pass(&world->clock, next - now);
    return true;
}

/* ---- questions ------------------------------------------------------------------------------------------------------------ */

static struct json_node *cell(struct rf_arena *arena, const struct value *v)
{
    struct rf_buf text = rf_buf_in(arena);
    struct json_node *node;
    if (v->null) return json_new(arena, JSON_T_NULL);
    if (v->type == TYPE_BOOL) return json_new_bool(arena, v->b != 0);
    if (v->type == TYPE_DYNAMIC) {
        dyn_put_json(v->s, &text);
        if (!text.failed && json_parse(rf_buf_view(&text), arena, &node, NULL) == RF_OK)
            return node;
        text = rf_buf_in(arena);
    }
    text_put_value(&text, v);
    if (text.failed) return NULL;
    node = json_new_text(arena, rf_buf_view(&text));
    bool number = v->type == TYPE_INT || v->type == TYPE_LONG || v->type == TYPE_REAL;
    if (node != NULL && number) node->type = JSON_T_NUMBER;
    return node;
}

static enum rf_kind answer_nodes(const struct answer *answer, struct rf_arena *arena,
                                 struct json_node **columns, struct json_node **rows,
                                 struct rf_err *err)
{
    struct json_node *names = json_new(arena, JSON_T_ARRAY), *all = json_new(arena, JSON_T_ARRAY);
    for (uint32_t c = 0; c < answer->schema.count; c++)
        json_append(names, json_new_text(arena, answer->schema.columns[c].name));
    for (uint64_t r = 0; r < rows_count(answer->rows); r++) {
        struct json_node *row = json_new(arena, JSON_T_ARRAY);
        for (uint32_t c = 0; c < answer->schema.count; c++) {
            struct value v = rows_value(answer->rows, r, c);
            if (json_append(row, cell(arena, &v)) == NULL) return rf_fail_memory(err, arena);
        }
        if (json_append(all, row) == NULL) return rf_fail_memory(err, arena);
    }
    *columns = names;
    *rows = all;
    return RF_OK;
}

enum rf_kind lab_world_ask(struct lab_world *world, rf_str text, struct rf_arena *arena,
                           struct json_node **columns, struct json_node **rows, struct rf_err *err)
{
    struct ask_view *view;
    struct answer answer;
    const struct ask ask = {.text = text,
                            .now_ticks = lab_ticks(lab_world_now(world)),
                            .memory_bytes = ASK_BYTES,
                            .row_max = ASK_ROWS_MAX};
    RF_TRY(ask_open(world->tables, world->site.workspace_id, world->site.workspace_name, NULL, 0,
                    &view, err));
    enum rf_kind kind = ask_run(view, &ask, arena, &answer, err);
    if (kind == RF_OK) kind = answer_nodes(&answer, arena, columns, rows, err);
    ask_close(view);
    return kind;
}
