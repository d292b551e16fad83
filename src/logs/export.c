/* export.c - the thread that writes what has arrived into files. Every two seconds it looks which tables have grown, so that a sync
 * pays for many commits; where a rule has come to is in state, see export.h. */
#include "logs/export.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/fs.h"
#include "base/json_out.h"
#include "base/log.h"
#include "tables/feed.h"

enum {
    RULES_BYTES_MAX = 256 << 20,
    STEP_BYTES_MAX = 1 << 30,
    ROWS_PER_STEP = 20000,
    PAUSE_SECONDS = 2,
    FEED_BYTES =
        1 /* it only tells that a table has grown: many commits are read at once, from the store */
};
#define RETRY_USEC (30 * RF_USEC_PER_SECOND)
#define REMIND_USEC (3600 * RF_USEC_PER_SECOND)
#define EXPORT_TYPE "microsoft.operationalinsights/workspaces/dataexports"

struct export_table {
    struct export_table *next;
    rf_str name, key;
    bool dirty;
    int64_t grown;       /* what arrived up to this may still be for it to export */
    int64_t seen;        /* nothing arrived between its place and this */
    rf_usec not_before;  /* elapsed: it failed */
    rf_usec told;        /* the same: when that was told last; 0: it works */
    struct rf_err error; /* why; its code is NULL when it works; under exports->lock */
};
struct export_rule {
    struct export_rule *next;
    rf_str id, name, guid, workspace_id;
    const char *folder;      /* NULL: a hub */
    rf_str destination, hub; /* the same: a resource, and the hub's name in it, or empty */
    struct export_table *tables;
};
struct export_rules {
    struct rf_arena arena; /* of all below; an arena stays where it was made */
    struct export_rule *first;
};
struct export_feed {
    struct export_feed *next;
    struct tables_feed *feed;
    char guid[40];
};

struct exports {
    struct logs *logs;
    pthread_mutex_t lock; /* of `due`, of errors, and of `rules` when it is exchanged */
    pthread_cond_t woken;
    bool due;
    atomic_bool stopping, changed;
    pthread_mutex_t running;    /* one round at a time */
    struct export_rules *rules; /* NULL: not read yet */
    struct export_feed *feeds;
    pthread_t thread;
    bool started;
};

static struct export_rule *first_rule(const struct exports *exports)
{
    return exports->rules == NULL ? NULL : exports->rules->first;
}

/* The table may hold rows up to this arrival that are not exported yet. */
static void touch(struct export_table *t, int64_t until)
{
    t->dirty = true;
    t->grown = RF_MAX(t->grown, until);
}

static void touch_all(struct exports *exports)
{
    int64_t now = tables_now(exports->logs->options.tables);
    for (struct export_rule *r = first_rule(exports); r != NULL; r = r->next)
        for (struct export_table *t = r->tables; t != NULL; t = t->next) touch(t, now);
}

/* What a failing table of the rule says; empty: none fails. */
rf_str exports_failure(struct exports *exports, rf_str id, struct rf_arena *arena)
{
    rf_str why = RF_S("");
    if (exports == NULL) return why;
    (void)pthread_mutex_lock(&exports->lock);
    for (const struct export_rule *r = first_rule(exports); r != NULL && why.len == 0; r = r->next)
        for (const struct export_table *t = r->tables; t != NULL && why.len == 0; t = t->next)
            if (rf_str_eq_nocase(r->id, id) && t->error.code != NULL)
                why = rf_arena_printf(arena, "%.*s: %s", RF_FMT(t->name), t->error.text);
    (void)pthread_mutex_unlock(&exports->lock);
    return why;
}

void exports_changed(struct exports *exports)
{
    atomic_store(&exports->changed, true);
    (void)pthread_mutex_lock(&exports->lock);
    exports->due = true;
    (void)pthread_cond_signal(&exports->woken);
    (void)pthread_mutex_unlock(&exports->lock);
}

/* ---- telling ------------------------------------------------------------------------------------------------------------------ */

/* A row of Operation, where people look for what goes wrong with a workspace's data. */
static void tell(struct exports *exports, const struct export_rule *rule, rf_str table,
                 const char *status, const char *code, rf_str detail)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    struct logs *logs = exports->logs;
    rf_arena_init(&arena, 1 << 20);
    struct rf_buf row = rf_buf_in(&arena);
    struct json_out out = json_out_to(&row);
    json_begin_object(&out, NULL);
    json_put_text(&out, "OperationCategory", RF_S("Data Export"));
    json_put_text(&out, "OperationKey",
                  rf_arena_printf(&arena, "%.*s/%.*s", RF_FMT(rule->name), RF_FMT(table)));
    json_put_text(&out, "OperationStatus", rf_str_of(status));
    json_put_text(&out, "Solution", RF_S("LogManagement"));
    json_put_text(&out, "SourceSystem", RF_S("Ringfort"));
    json_put_text(&out, "ErrorId", rf_str_of(code));
    json_put_text(&out, "Detail", detail);
    json_end_object(&out);
    int64_t now = DATETIME_UNIX_EPOCH + rf_clock_now(logs->options.clock) * TICKS_PER_MICROSECOND;
    if (!row.failed && tables_append_json(logs->options.tables, rule->guid, RF_S("Operation"),
                                          rf_buf_view(&row), now, NULL, &err) == RF_OK)
        return;
    tables_log_failure("export.not_told", rule->name, &err);
}

static void failed(struct exports *exports, const struct export_rule *rule, struct export_table *t,
                   const struct rf_err *why)
{
    rf_usec now = rf_clock_elapsed(exports->logs->options.clock);
    t->dirty = true;
    t->not_before = now + RETRY_USEC;
    (void)pthread_mutex_lock(&exports->lock);
    t->error = *why;
    (void)pthread_mutex_unlock(&exports->lock);
    if (t->told != 0 && now - t->told < REMIND_USEC) return;
    t->told = RF_MAX(now, 1);
    tables_log_failure("export.failed", rule->name, why);
    tell(exports, rule, t->name, "Error", why->code, rf_str_of(why->text));
}

static void works(struct exports *exports, const struct export_rule *rule, struct export_table *t)
{
    if (t->told == 0) return;
    t->told = 0;
    (void)pthread_mutex_lock(&exports->lock);
    t->error = (struct rf_err){0};
    (void)pthread_mutex_unlock(&exports->lock);
    tell(exports, rule, t->name, "Succeeded", "", RF_S("It goes on; no row was left out."));
}

/* ---- the rules ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind load_tables(struct export_rule *rule, const struct json_node *properties,
                                struct rf_arena *arena, struct rf_err *err)
{
    rf_str id = json_text_at(properties, "dataExportId");
    const struct json_node *names = json_get(properties, "tableNames");
    if (!json_is(names, JSON_T_ARRAY)) return RF_OK;
    for (const struct json_node *n = names->first; n != NULL; n = n->next) {
        struct export_table *t = rf_arena_new(arena, struct export_table, 1);
        rf_str key = export_place_key(arena, id, n->text);
        if (t == NULL || key.ptr == NULL) return rf_fail_memory(err, arena);
        bool known = false;
        for (const struct export_table *o = rule->tables; o != NULL; o = o->next)
            known |= rf_str_eq(o->key, key);
        if (known) continue;
        *t = (struct export_table){.next = rule->tables, .name = n->text, .key = key};
        rule->tables = t;
    }
    return RF_OK;
}

/* The workspace of a rule: RF_NOT_FOUND when it has gone. */
static enum rf_kind load_workspace(struct state_txn *txn, struct export_rule *rule,
                                   struct rf_arena *arena, struct rf_err *err)
{
    struct state_object object;
    struct json_node *body;
    rf_str key = resource_key(arena, rule->id), mark = RF_S("/dataexports/");
    if (key.ptr == NULL) return rf_fail_memory(err, arena);
    size_t end = RF_MIN(rf_str_find(key, mark, 0), key.len);
    RF_TRY(state_get(txn, "resource", rf_slice(key, 0, end), arena, &object, err));
    RF_TRY(json_parse(object.body, arena, &body, err));
    rule->workspace_id = rf_slice(rule->id, 0, end);
    return rf_arena_str(arena, json_text_at(body, "properties.customerId"), &rule->guid)
               ? RF_OK
               : rf_fail_memory(err, arena);
}

/* *out NULL: it exports nothing. */
static enum rf_kind load_rule(struct exports *exports, struct state_txn *txn, rf_str text,
                              struct rf_arena *arena, struct export_rule **out, struct rf_err *err)
{
    struct json_node *body;
    *out = NULL;
    RF_TRY(json_parse(text, arena, &body, err));
    const struct json_node *properties = json_get(body, "properties");
    rf_str destination = json_text_at(properties, "destination.resourceId"),
           type = json_text_at(properties, "destination.type");
    const char *folder =
        rf_str_is(type, "StorageAccount") ? export_folder_of(exports->logs, destination) : NULL;
    bool is_hub = rf_str_is(type, "EventHub") && exports->logs->options.hubs != NULL;
    if (!json_bool_at(properties, "enable", true) || (!is_hub && folder == NULL)) return RF_OK;
    struct export_rule *rule = rf_arena_new(arena, struct export_rule, 1);
    if (rule == NULL) return rf_fail_memory(err, arena);
    *rule =
        (struct export_rule){.id = json_text_at(body, "id"),
                             .name = json_text_at(body, "name"),
                             .folder = folder,
                             .destination = destination,
                             .hub = json_text_at(properties, "destination.metaData.eventHubName")};
    enum rf_kind kind = load_workspace(txn, rule, arena, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(load_tables(rule, properties, arena, err));
    *out = rule;
    return RF_OK;
}

static enum rf_kind load_rules(struct exports *exports, struct rf_arena *arena,
                               struct export_rule **out, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_scan scan = {.space = "resource", .index = "type", .value = RF_S(EXPORT_TYPE)};
    struct state_list list;
    *out = NULL;
    RF_TRY(state_begin_read(exports->logs->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct export_rule *rule;
        RF_TRY(load_rule(exports, txn, list.items[i].body, arena, &rule, err));
        if (rule == NULL) continue;
        rule->next = *out;
        *out = rule;
    }
    return RF_OK;
}

/* What was known of a table of the rules before. */
static void take_over(const struct export_rule *old, struct export_rule *rules)
{
    for (const struct export_rule *o = old; o != NULL; o = o->next)
        for (const struct export_table *was = o->tables; was != NULL; was = was->next)
            for (struct export_rule *r = rules; r != NULL; r = r->next)
                for (struct export_table *t = r->tables; t != NULL; t = t->next) {
                    if (!rf_str_eq(t->key, was->key)) continue;
                    t->told = was->told;
                    t->error = was->error;
                }
}

/* Wants the tables of rules of one workspace. */
static enum rf_kind want(struct exports *exports, const struct export_rule *of, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct export_feed *feed = exports->feeds;
    while (feed != NULL && !rf_str_is(of->guid, feed->guid)) feed = feed->next;
    if (feed == NULL) {
        struct export_feed *made = calloc(1, sizeof *made);
        if (made == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
        (void)snprintf(made->guid, sizeof made->guid, "%.*s", RF_FMT(of->guid));
        enum rf_kind kind =
            tables_feed_new(exports->logs->options.tables, of->guid, FEED_BYTES, &made->feed, err);
        if (kind != RF_OK) {
            free(made);
            return kind;
        }
        made->next = exports->feeds;
        exports->feeds = feed = made;
    }
    uint32_t count = 0, n = 0;
    rf_arena_init(&arena, 16 << 20);
    for (const struct export_rule *r = first_rule(exports); r != NULL; r = r->next)
        for (const struct export_table *t = r->tables; t != NULL; t = t->next) count++;
    rf_str *names = rf_arena_new(&arena, rf_str, count);
    if (names == NULL) return rf_fail_memory(err, &arena);
    for (const struct export_rule *r = first_rule(exports); r != NULL; r = r->next)
        for (const struct export_table *t = r->tables; t != NULL; t = t->next)
            if (rf_str_eq(r->guid, of->guid)) names[n++] = t->name;
    return tables_feed_want(feed->feed, names, n, err);
}

static void rules_done(struct export_rules *rules)
{
    if (rules == NULL) return;
    rf_arena_done(&rules->arena);
    free(rules);
}

static enum rf_kind refresh(struct exports *exports, struct rf_err *err)
{
    struct export_rules *rules = calloc(1, sizeof *rules), *old = exports->rules;
    if (rules == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    rf_arena_init(&rules->arena, RULES_BYTES_MAX);
    enum rf_kind kind = load_rules(exports, &rules->arena, &rules->first, err);
    if (kind != RF_OK) {
        rules_done(rules);
        return kind;
    }
    take_over(first_rule(exports), rules->first);
    (void)pthread_mutex_lock(&exports->lock);
    exports->rules = rules;
    (void)pthread_mutex_unlock(&exports->lock);
    rules_done(old);
    for (const struct export_feed *f = exports->feeds; f != NULL; f = f->next)
        RF_TRY(tables_feed_want(f->feed, NULL, 0, err));
    for (const struct export_rule *r = rules->first; r != NULL; r = r->next)
        RF_TRY(want(exports, r, err));
    touch_all(exports); /* behind that, so that every row is told by the feed or lies before this */
    return RF_OK;
}

/* ---- one step: some rows of one table -------------------------------------------------------------------------------------------- */

struct step {
    struct exports *exports;
    const struct export_rule *rule;
    struct export_table *table;
    struct rf_arena *arena;
    struct export_place place;
    struct export_rows rows;
    int64_t settled;
};

static enum rf_kind load_place(struct step *s, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state *state = s->exports->logs->options.state;
    RF_TRY(state_begin_read(state, &txn, err));
    enum rf_kind kind = export_place_get(txn, s->table->key, s->arena, &s->place, err);
    if (kind != RF_NOT_FOUND) return kind;
    state_end(txn);
    txn = NULL;
    /* A rule that an older program stored. */
    RF_TRY(state_begin_write(state, &txn, err));
    s->place = (struct export_place){.ticks = s->settled, .slot = -1, .on = true};
    RF_TRY(export_place_put(txn, s->table->key, &s->place, s->arena, err));
    return state_finish(&txn, err);
}

/* The rule may have been changed meanwhile: what is decided there stays, what is in the file is noted. */
static enum rf_kind store_place(struct step *s, struct rf_err *err)
{
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct export_place now;
    RF_TRY(state_begin_write(s->exports->logs->options.state, &txn, err));
    RF_TRY(export_place_get(txn, s->table->key, s->arena, &now, err));
    now.ticks = RF_MAX(now.ticks, s->place.ticks);
    now.slot = s->place.slot;
    now.bytes = s->place.bytes;
    RF_TRY(export_place_put(txn, s->table->key, &now, s->arena, err));
    return state_finish(&txn, err);
}

/* The place must fit the file before rows are written: what a crash leaves behind it is told by that. */
static enum rf_kind begin_file(struct step *s, struct rf_file *file, struct rf_err *err)
{
    uint64_t size;
    RF_TRY(rf_file_size(file, &size, err));
    bool is_new = s->place.slot != s->rows.slot;
    if (!is_new && size >= s->place.bytes) return RF_OK;
    if (!is_new)
        tell(s->exports, s->rule, s->table->name, "Warning", "ExportFileTaken",
             rf_arena_printf(
                 s->arena,
                 "The file of the last five minutes has %llu bytes, where %llu were "
                 "written: somebody took it away or cut it. What comes is written behind "
                 "what is there.",
                 (unsigned long long)size, (unsigned long long)s->place.bytes));
    RF_TRY(export_whole_lines(file, &s->place.bytes, err));
    s->place.slot = s->rows.slot;
    return store_place(s, err);
}

static enum rf_kind send_rows(struct step *s, struct rf_err *err)
{
    uint64_t left_out = 0;
    RF_TRY(export_to_hub(s->exports->logs, s->rule->destination, s->rule->hub, s->table->name,
                         s->rows.lines, s->arena, &left_out, err));
    if (left_out > 0)
        tell(s->exports, s->rule, s->table->name, "Warning", "ExportRowTooLarge",
             rf_arena_printf(s->arena, "%llu rows fit no event of a megabyte and were left out.",
                             (unsigned long long)left_out));
    s->place.ticks = s->rows.until;
    return store_place(s, err);
}

static enum rf_kind write_rows(struct step *s, struct rf_err *err)
{
    if (s->rule->folder == NULL) return send_rows(s, err);
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    rf_str path = export_path(s->rule->workspace_id, s->table->name, s->rows.slot, s->arena);
    if (path.ptr == NULL) return rf_fail_memory(err, s->arena);
    RF_TRY(export_open(s->rule->folder, path, s->arena, &file, err));
    RF_TRY(begin_file(s, file, err));
    RF_TRY(export_append(file, s->place.bytes, s->rows.lines, err));
    s->place.bytes += s->rows.lines.len;
    s->place.ticks = s->rows.until;
    return store_place(s, err);
}

/* Rows that take much room are read fewer at a time. */
static enum rf_kind read_rows(struct step *s, struct rf_err *err)
{
    struct exports *exports = s->exports;
    int64_t after = RF_MAX(s->place.ticks, s->table->seen);
    for (uint64_t row_max = ROWS_PER_STEP;; row_max /= 16) {
        rf_arena_reset(s->arena);
        enum rf_kind kind =
            export_rows_read(exports->logs->options.tables, s->rule->guid, s->table->name, after,
                             s->settled, row_max, &exports->stopping, s->arena, &s->rows, err);
        if (kind != RF_LIMIT || row_max <= 1) return kind;
    }
}

/* *more: there are further rows. RF_NOT_FOUND: the rule or the table has gone. */
static enum rf_kind step(struct step *s, bool *more, struct rf_err *err)
{
    struct logs *logs = s->exports->logs;
    struct table_def def;
    *more = false;
    RF_TRY(tables_settled(logs->options.tables, s->rule->guid, &s->settled, err));
    RF_TRY(load_place(s, err));
    if (!s->place.on || s->place.ticks >= s->settled) return RF_OK;
    RF_TRY(tables_find(logs->options.tables, s->rule->guid, s->table->name, s->arena, &def, err));
    RF_TRY(read_rows(s, err));
    s->table->seen = s->rows.until;
    if (s->rows.count == 0) return RF_OK;
    enum rf_kind kind = write_rows(s, err);
    if (kind != RF_OK) s->table->seen = 0;
    *more = kind == RF_OK && s->rows.until < s->settled;
    return kind;
}

/* Whether commits that are under way keep rows for the next round. */
static bool run_table(struct exports *exports, const struct export_rule *rule,
                      struct export_table *t)
{
    bool waits = false;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct rf_err err = {0};
    rf_arena_init(&arena, STEP_BYTES_MAX);
    t->dirty = false;
    for (bool more = true; more && !atomic_load(&exports->stopping);) {
        rf_arena_reset(&arena);
        struct step s = {.exports = exports, .rule = rule, .table = t, .arena = &arena};
        enum rf_kind kind = step(&s, &more, &err);
        if (kind == RF_CANCELLED) {
            t->dirty = true;
            return false;
        }
        /* Of a table that was deleted there is nothing to export; one of its name that comes is seen as it grows. */
        if (kind == RF_NOT_FOUND &&
            (strcmp(err.code, "TableNotFound") == 0 || strcmp(err.code, "ObjectNotFound") == 0))
            return false;
        if (kind != RF_OK) {
            failed(exports, rule, t, &err);
            return false;
        }
        waits = s.settled < t->grown;
    }
    works(exports, rule, t);
    t->dirty = waits;
    return waits;
}

/* ---- rounds ------------------------------------------------------------------------------------------------------------------- */

static void mark(struct exports *exports, const struct export_feed *feed,
                 const struct feed_parts *parts)
{
    for (uint32_t i = 0; i < parts->count; i++)
        for (struct export_rule *r = first_rule(exports); r != NULL; r = r->next)
            for (struct export_table *t = r->tables; t != NULL; t = t->next)
                if (rf_str_is(r->guid, feed->guid) &&
                    rf_str_eq_nocase(t->name, parts->items[i].table))
                    touch(t, parts->items[i].until_ticks);
}

/* All is looked at when the feed cannot tell. */
static void look_for_growth(struct exports *exports)
{
    for (struct export_feed *f = exports->feeds; f != NULL; f = f->next) {
        struct feed_parts parts;
        struct rf_err err = {0};
        if (tables_feed_take(f->feed, 0, &parts, &err) == RF_OK) {
            mark(exports, f, &parts);
            tables_feed_release(&parts);
            continue;
        }
        touch_all(exports);
    }
}

bool exports_run(struct exports *exports)
{
    struct rf_err err = {0};
    bool waits = false;
    (void)pthread_mutex_lock(&exports->running);
    if (atomic_exchange(&exports->changed, false) && refresh(exports, &err) != RF_OK) {
        atomic_store(&exports->changed, true);
        tables_log_failure("export.rules_not_read", RF_S(""), &err);
    }
    look_for_growth(exports);
    rf_usec now = rf_clock_elapsed(exports->logs->options.clock);
    for (struct export_rule *r = first_rule(exports); r != NULL; r = r->next)
        for (struct export_table *t = r->tables; t != NULL; t = t->next)
            if (t->dirty && now >= t->not_before && !atomic_load(&exports->stopping))
                waits |= run_table(exports, r, t);
    (void)pthread_mutex_unlock(&exports->running);
    return waits;
}

static void *work(void *ctx)
{
    struct exports *exports = ctx;
    (void)pthread_mutex_lock(&exports->lock);
    while (!atomic_load(&exports->stopping)) {
        struct timespec until;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += PAUSE_SECONDS;
        while (!exports->due && !atomic_load(&exports->stopping))
            if (pthread_cond_timedwait(&exports->woken, &exports->lock, &until) != 0) break;
        exports->due = false;
        (void)pthread_mutex_unlock(&exports->lock);
        if (!atomic_load(&exports->stopping)) (void)exports_run(exports);
        (void)pthread_mutex_lock(&exports->lock);
    }
    (void)pthread_mutex_unlock(&exports->lock);
    return NULL;
}

/* ---- life ---------------------------------------------------------------------------------------------------------------------- */

/* The clock may have been set back since: what arrives from now on must lie behind what was exported. */
static enum rf_kind arrive_after_places(struct logs *logs, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    struct state_scan scan = {.space = EXPORT_SPACE};
    struct state_list list;
    int64_t last = 0;
    rf_arena_init(&arena, RULES_BYTES_MAX);
    RF_TRY(state_begin_read(logs->options.state, &txn, err));
    RF_TRY(state_list(txn, &scan, &arena, &list, err));
    for (uint32_t i = 0; i < list.count; i++) {
        struct export_place place;
        RF_TRY(export_place_get(txn, list.items[i].key, &arena, &place, err));
        last = RF_MAX(last, place.ticks);
    }
    if (last > 0) tables_arrive_after(logs->options.tables, last);
    return RF_OK;
}

static enum rf_kind start_thread(struct exports *exports, struct rf_err *err)
{
    sigset_t all, before; /* signals are for the thread that waits for them */
    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    exports->started = pthread_create(&exports->thread, NULL, work, exports) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (exports->started) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "ThreadLimit", "the thread for exports cannot start");
}

enum rf_kind exports_new(struct logs *logs, struct rf_err *err)
{
    RF_TRY(arrive_after_places(logs, err));
    struct exports *exports = calloc(1, sizeof *exports);
    if (exports == NULL) return RF_FAIL(err, RF_LIMIT, "OutOfMemory", "no memory for exports");
    pthread_condattr_t attr;
    exports->logs = logs;
    atomic_init(&exports->changed, true);
    (void)pthread_mutex_init(&exports->lock, NULL);
    (void)pthread_mutex_init(&exports->running, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&exports->woken, &attr);
    (void)pthread_condattr_destroy(&attr);
    logs->exports = exports;
    /* Without folders and hubs nothing can be exported before the next start. */
    bool idle = logs->options.export_folder_count == 0 && logs->options.hubs == NULL;
    return idle ? RF_OK : start_thread(exports, err);
}

void exports_stop(struct exports *exports)
{
    if (exports == NULL) return;
    (void)pthread_mutex_lock(&exports->lock);
    atomic_store(&exports->stopping, true);
    (void)pthread_cond_signal(&exports->woken);
    (void)pthread_mutex_unlock(&exports->lock);
    if (exports->started) (void)pthread_join(exports->thread, NULL);
    exports->started = false;
}

void exports_free(struct exports *exports)
{
    if (exports == NULL) return;
    exports_stop(exports);
    for (struct export_feed *f = exports->feeds, *next; f != NULL; f = next) {
        next = f->next;
        tables_feed_free(f->feed);
        free(f);
    }
    rules_done(exports->rules);
    (void)pthread_cond_destroy(&exports->woken);
    (void)pthread_mutex_destroy(&exports->running);
    (void)pthread_mutex_destroy(&exports->lock);
    free(exports);
}
