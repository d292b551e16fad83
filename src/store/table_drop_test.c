/* table_drop_test.c - a table that goes, and one that gets another name. */
#include <stdlib.h>

#include "store/table.h"
#include "test/rf_prop.h"

struct world {
    char folder[64];
    struct rf_budget budget;
    struct rf_arena arena;
    struct store *store;
    struct rf_err err;
};

static void begin(struct world *w)
{
    *w = (struct world){.folder = "/tmp/rf-table-drop-XXXXXX"};
    cr_assert(mkdtemp(w->folder) != NULL);
    rf_budget_init(&w->budget, 256u << 20);
    rf_arena_init(&w->arena, 1u << 20);
    struct store_options options = {
        .fs = rf_fs_real(), .folder = w->folder, .budget = &w->budget, .writer = true};
    cr_assert(store_open(&options, &w->store, &w->err) == RF_OK, "%s", w->err.text);
}

static void end(struct world *w)
{
    char command[128];
    store_close(w->store);
    rf_arena_done(&w->arena);
    (void)snprintf(command, sizeof command, "rm -rf %s", w->folder);
    cr_assert(system(command) == 0);
}

static struct table_writer *writer(struct world *w, const char *name)
{
    struct table_writer *out;
    struct extent_column column = {.name = RF_S("a"), .type = TYPE_LONG};
    enum rf_kind kind = table_writer_open(w->store, rf_str_of(name), &column, 1, &out, &w->err);
    cr_assert(kind == RF_OK, "%s", w->err.text);
    return out;
}

static void put(struct world *w, const char *name, int64_t value)
{
    struct table_writer *t = writer(w, name);
    struct value v = value_i64(TYPE_LONG, value);
    struct vec vec;
    cr_assert(vec_const(&w->arena, &v, &vec));
    struct batch batch = {.row_count = 1, .column_count = 1, .columns = &vec, .arena = &w->arena};
    cr_assert(table_append(t, &batch, &w->err) == RF_OK);
    cr_assert(table_commit(t, (rf_str){NULL, 0}, &w->err) == RF_OK);
    table_writer_close(t);
}

static uint32_t count(struct world *w)
{
    rf_str *names;
    uint32_t n;
    cr_assert(store_tables(w->store, &w->arena, &names, &n, &w->err) == RF_OK);
    return n;
}

Test(table_drop, takes_the_files_along)
{
    struct world w;
    begin(&w);
    put(&w, "T", 1);
    put(&w, "a b/c", 1);
    cr_assert(table_drop(w.store, RF_S("a b/c"), &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(count(&w) == 1);
    cr_assert(table_drop(w.store, RF_S("a b/c"), &w.err) == RF_NOT_FOUND);
    struct table_writer *t = writer(&w, "T");
    cr_assert(table_drop(w.store, RF_S("T"), &w.err) == RF_CONFLICT, "somebody writes to it");
    cr_assert(table_rename(w.store, RF_S("T"), RF_S("U"), &w.err) == RF_CONFLICT);
    table_writer_close(t);
    struct table *reader;
    cr_assert(table_open(w.store, RF_S("T"), &reader, &w.err) == RF_OK);
    cr_assert(table_drop(w.store, RF_S("T"), &w.err) == RF_OK);
    cr_assert(table_stats(reader).row_count == 1);
    table_close(reader);
    const char *folder;
    cr_assert(store_table_folder(w.store, RF_S("T"), &w.arena, &folder, &w.err) == RF_OK);
    cr_assert(!rf_fs_exists(rf_fs_real(), folder));
    put(&w, "T", 2);
    cr_assert(count(&w) == 1, "the name is free again");
    end(&w);
}

Test(table_drop, a_name_is_taken_once)
{
    struct world w;
    struct table *t;
    begin(&w);
    put(&w, "T", 1);
    put(&w, "U", 2);
    cr_assert(table_rename(w.store, RF_S("T"), RF_S("U"), &w.err) == RF_CONFLICT);
    cr_assert(table_rename(w.store, RF_S("Nosuch"), RF_S("V"), &w.err) == RF_NOT_FOUND);
    cr_assert(table_rename(w.store, RF_S("T"), RF_S("V"), &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(table_open(w.store, RF_S("T"), &t, &w.err) == RF_NOT_FOUND);
    put(&w, "V", 3);
    cr_assert(table_open(w.store, RF_S("V"), &t, &w.err) == RF_OK);
    cr_assert(table_stats(t).row_count == 2);
    table_close(t);
    end(&w);
}
