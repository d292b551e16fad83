#include "tables/data_keys.h"

#include "store/table.h"
#include "tables/tables.h"
#include "test/vault_seal_rig.h"

#define WS RF_S("11111111-2222-3333-4444-555555555555")

/* Tables whose keys a keeper has. */
struct stage {
    struct seal_rig rig;
    struct data_keys *keys;
    struct tables *tables;
    struct extent_key old_key; /* of tables that were made before there were keys of their own */
    char folder[96];
    struct rf_err err;
};

static void open_tables(struct stage *s, bool with_ring)
{
    cr_assert(data_keys_new(s->rig.keeper, "table", &s->keys, &s->err) == RF_OK);
    struct tables_options options = {.fs = rf_fs_real(),
                                     .folder = s->folder,
                                     .key = &s->old_key,
                                     .keyring = with_ring ? data_keys_ring(s->keys) : NULL,
                                     .clock = &s->rig.clock.clock,
                                     .by_hand = true};
    cr_assert(tables_new(&options, &s->tables, &s->err) == RF_OK, "%s", s->err.text);
}

static void close_tables(struct stage *s)
{
    tables_free(s->tables);
    data_keys_free(s->keys);
}

static void stage_init(struct stage *s, bool with_ring)
{
    *s = (struct stage){.old_key = {.bytes = {7}, .present = true}};
    seal_rig_init(&s->rig);
    (void)snprintf(s->folder, sizeof s->folder, "%s/tables", s->rig.folder);
    open_tables(s, with_ring);
}

static void stage_done(struct stage *s)
{
    close_tables(s);
    seal_rig_done(&s->rig);
}

static void define(struct stage *s, const char *name)
{
    static const struct table_column column = {
        {(const uint8_t *)"Text", sizeof "Text" - 1}, TYPE_STRING, false};
    struct table_def def = {.name = rf_str_of(name), .columns = &column, .column_count = 1};
    cr_assert(tables_define(s->tables, WS, &def, &s->err) == RF_OK, "%s", s->err.text);
}

static void put(struct stage *s, const char *name)
{
    cr_assert(tables_append_json(s->tables, WS, rf_str_of(name),
                                 RF_S("[{\"Text\":\"planted-in-a-table\"}]"), 0, NULL,
                                 &s->err) == RF_OK,
              "%s", s->err.text);
}

/* Rows of a table, read by a store of its own. */
static enum rf_kind rows(struct stage *s, const char *name, bool with_ring, uint64_t *out)
{
    char folder[200];
    struct rf_budget budget;
    struct store *store;
    struct table *table;
    rf_budget_init(&budget, 64 << 20);
    (void)snprintf(folder, sizeof folder, "%s/%.*s", s->folder, RF_FMT(WS));
    struct store_options options = {.fs = rf_fs_real(),
                                    .folder = folder,
                                    .key = &s->old_key,
                                    .keyring = with_ring ? data_keys_ring(s->keys) : NULL,
                                    .budget = &budget};
    cr_assert(store_open(&options, &store, &s->err) == RF_OK, "%s", s->err.text);
    enum rf_kind kind = table_open(store, rf_str_of(name), &table, &s->err);
    if (kind == RF_OK) {
        struct table_stats stats = table_stats(table);
        *out = stats.row_count;
        table_close(table);
    }
    store_close(store);
    return kind;
}

static bool is_there(const struct stage *s, const char *name, const char *file)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%.*s/%s/%s", s->folder, RF_FMT(WS), name, file);
    return access(path, F_OK) == 0;
}

static void shell(const struct stage *s, const char *command)
{
    char text[400];
    (void)snprintf(text, sizeof text, "cd '%s/%.*s' && %s", s->folder, RF_FMT(WS), command);
    cr_assert(system(text) == 0, "%s", text);
}

Test(data_keys, each_table_has_a_key_of_its_own)
{
    struct stage s;
    uint64_t count = 0;
    stage_init(&s, true);
    define(&s, "One_CL");
    define(&s, "Two_CL");
    put(&s, "One_CL");
    put(&s, "Two_CL");
    close_tables(&s);
    cr_assert(is_there(&s, "One_CL", "key") && is_there(&s, "Two_CL", "key"));
    shell(&s, "! cmp -s One_CL/key Two_CL/key && ! grep -rqF planted-in .");
    seal_rig_restart(&s.rig);
    open_tables(&s, true);
    define(&s, "One_CL");
    put(&s, "One_CL");
    cr_assert(rows(&s, "One_CL", true, &count) == RF_OK && count == 2, "%s", s.err.text);
    cr_assert(rows(&s, "One_CL", false, &count) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "KeyNeeded");
    /* Another table's key, or one that was changed, is told apart. */
    shell(&s, "cp One_CL/key /tmp/ringfort_key_$PPID; cp Two_CL/key One_CL/key");
    cr_assert(rows(&s, "One_CL", true, &count) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "WrongKey");
    shell(&s, "head -c 83 /tmp/ringfort_key_$PPID >One_CL/key; printf x >>One_CL/key");
    cr_assert(rows(&s, "One_CL", true, &count) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "SealBroken");
    shell(&s, "head -c 20 /tmp/ringfort_key_$PPID >One_CL/key; rm /tmp/ringfort_key_$PPID");
    cr_assert(rows(&s, "One_CL", true, &count) == RF_CORRUPT);
    stage_done(&s);
}

Test(data_keys, tables_of_before_are_read_and_written_on)
{
    struct stage s;
    uint64_t count = 0;
    stage_init(&s, false);
    define(&s, "Old_CL");
    put(&s, "Old_CL");
    close_tables(&s);
    open_tables(&s, true);
    define(&s, "Old_CL");
    put(&s, "Old_CL");
    cr_assert(!is_there(&s, "Old_CL", "key"));
    cr_assert(rows(&s, "Old_CL", true, &count) == RF_OK && count == 2);
    stage_done(&s);
}

Test(data_keys, no_copy_of_a_dropped_table_opens)
{
    struct stage s;
    uint64_t count = 0;
    stage_init(&s, true);
    define(&s, "Gone_CL");
    put(&s, "Gone_CL");
    cr_assert(rows(&s, "Gone_CL", true, &count) == RF_OK && count == 1);
    shell(&s, "cp -r Gone_CL Copy_CL && cp -r Gone_CL ../kept");
    cr_assert(rows(&s, "Copy_CL", true, &count) == RF_OK && count == 1, "the copy is a good one");
    cr_assert(tables_drop(s.tables, WS, RF_S("Gone_CL"), &s.err) == RF_OK, "%s", s.err.text);
    cr_assert(rows(&s, "Copy_CL", true, &count) == RF_DENIED);
    cr_assert_str_eq(s.err.code, "SealDestroyed");
    close_tables(&s);
    seal_rig_restart(&s.rig);
    open_tables(&s, true);
    shell(&s, "cp -r ../kept Gone_CL");
    cr_assert(rows(&s, "Gone_CL", true, &count) == RF_DENIED, "also after a restart");
    cr_assert_str_eq(s.err.code, "SealDestroyed");
    char command[200];
    (void)snprintf(command, sizeof command,
                   "grep -q 'data.key_destroyed\",\"detail\":\"table ' %s/keeper/audit.log",
                   s.rig.folder);
    cr_assert(system(command) == 0, "the keeper's log tells of it");
    stage_done(&s);
}

Test(data_keys, a_copy_made_by_the_store_has_the_key)
{
    struct stage s;
    uint64_t count = 0, bytes = 0;
    char from[200], to[300];
    struct rf_budget budget;
    struct store *store;
    stage_init(&s, true);
    define(&s, "One_CL");
    put(&s, "One_CL");
    rf_budget_init(&budget, 64 << 20);
    (void)snprintf(from, sizeof from, "%s/%.*s", s.folder, RF_FMT(WS));
    (void)snprintf(to, sizeof to, "%s/Copy_CL", from);
    struct store_options options = {.fs = rf_fs_real(), .folder = from, .budget = &budget};
    cr_assert(store_open(&options, &store, &s.err) == RF_OK);
    cr_assert(table_copy(store, RF_S("One_CL"), to, &bytes, &s.err) == RF_OK, "%s", s.err.text);
    store_close(store);
    cr_assert(rows(&s, "Copy_CL", true, &count) == RF_OK && count == 1, "%s", s.err.text);
    stage_done(&s);
}
