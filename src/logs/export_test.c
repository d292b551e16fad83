/* export_test.c - rows in files, once each, whatever happens in between. */
#include <glob.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "logs/export.h"
#include "logs/logs_world.h"
#include "tables/feed.h"
#include "test/rf_prop.h"

#define ACCOUNT W_GROUP "/providers/Microsoft.Storage/storageAccounts/archive1"
#define RULE W_WS "/dataExports/one?api-version=2020-08-01"
#define BODY(tables, enable)                                                                       \
    "{\"properties\":{\"tableNames\":[" tables "],\"enable\":" enable ",\"destination\":{"         \
    "\"resourceId\":\"" ACCOUNT "\"}}}"
#define SECOND RF_USEC_PER_SECOND

struct depot {
    struct world w;
    struct export_folder folder;
    char path[64];
};

static void restart(struct depot *d)
{
    w_close(&d->w);
    w_open(&d->w);
    w_be(&d->w, W_OWNER, NULL);
}

static void depot_init(struct depot *d)
{
    w_init(&d->w);
    (void)snprintf(d->path, sizeof d->path, "/tmp/ringfort-export-XXXXXX");
    cr_assert(mkdtemp(d->path) != NULL);
    d->folder = (struct export_folder){RF_S("Archive1"), d->path};
    d->w.export_folders = &d->folder;
    d->w.export_folder_count = 1;
    restart(d);
}

static void depot_done(struct depot *d)
{
    char command[200];
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", d->path, d->path);
    cr_assert(system(command) == 0);
    w_done(&d->w);
}

static void pass(struct depot *d, rf_usec duration)
{
    rf_clock_fixed_pass(&d->w.site.clock, duration);
}

static void add(struct depot *d, const char *table, const char *text)
{
    rf_str row = rf_arena_printf(&d->w.site.arena, "[{\"Computer\":\"%s\"}]", text);
    int64_t now =
        DATETIME_UNIX_EPOCH + rf_clock_now(&d->w.site.clock.clock) * TICKS_PER_MICROSECOND;
    cr_assert(tables_append_json(d->w.tables, RF_S(W_GUID), rf_str_of(table), row, now, NULL,
                                 &d->w.err) == RF_OK,
              "%s", d->w.err.text);
    pass(d, 1000);
}

/* Rows about the requests are committed by a thread of their own, and meanwhile what came after them waits for the next round. */
static void run(struct depot *d)
{
    pass(d, 1000);
    while (exports_run(d->w.logs->exports)) sched_yield();
}

/* Every file of a table, in the order of their times, one behind another. */
static rf_str all_of(struct depot *d, const char *table, size_t *files)
{
    char pattern[400];
    glob_t found;
    struct rf_buf all = rf_buf_in(&d->w.site.arena);
    (void)snprintf(pattern, sizeof pattern,
                   "%s/am-%s/WorkspaceResourceId=/subscriptions/*/resourcegroups/rg/providers/"
                   "microsoft.operationalinsights/workspaces/ws/y=*/m=*/d=*/h=*/m=*/PT05M.json",
                   d->path, table);
    int status = glob(pattern, 0, NULL, &found);
    size_t count = status == 0 ? found.gl_pathc : 0;
    for (size_t i = 0; i < count; i++) {
        rf_str text;
        cr_assert(rf_fs_read_all(rf_fs_real(), found.gl_pathv[i], 64 << 20, &d->w.site.arena, &text,
                                 &d->w.err) == RF_OK);
        rf_buf_str(&all, text);
    }
    if (status == 0) globfree(&found);
    if (files != NULL) *files = count;
    return rf_buf_view(&all);
}

/* "a b c": the computers of a table's lines; each line must be JSON. */
static const char *computers(struct depot *d, const char *table, size_t *files)
{
    rf_str all = all_of(d, table, files);
    struct rf_buf out = rf_buf_in(&d->w.site.arena);
    for (size_t from = 0; from < all.len;) {
        size_t end = rf_str_find(all, RF_S("\n"), from);
        struct json_node *line;
        cr_assert(end != SIZE_MAX, "the last line has no end");
        cr_assert(json_parse(rf_slice(all, from, end), &d->w.site.arena, &line, &d->w.err) ==
                  RF_OK);
        if (out.len > 0) rf_buf_byte(&out, ' ');
        rf_buf_str(&out, json_text_at(line, "Computer"));
        from = end + 1;
    }
    rf_buf_byte(&out, 0);
    return (const char *)out.ptr;
}

#define expect_files(d, table, wanted) cr_assert_str_eq(computers(d, table, NULL), wanted)

static struct export_place place_of(struct depot *d, const char *table)
{
    struct state_txn *txn;
    struct export_place place = {0};
    struct state_list list;
    struct state_scan scan = {.space = EXPORT_SPACE};
    rf_str tail = rf_arena_printf(&d->w.site.arena, "|%s", table);
    bool found = false;
    cr_assert(state_begin_read(d->w.site.state, &txn, &d->w.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &d->w.site.arena, &list, &d->w.err) == RF_OK);
    for (uint32_t i = 0; i < list.count; i++) {
        if (!rf_str_ends(list.items[i].key, tail)) continue;
        cr_assert(export_place_get(txn, list.items[i].key, &d->w.site.arena, &place, &d->w.err) ==
                  RF_OK);
        found = true;
    }
    state_end(txn);
    cr_assert(found);
    return place;
}

/* As if the process had died before the place was stored. */
static void forget(struct depot *d, const char *table, const struct export_place *before)
{
    struct state_txn *txn;
    struct state_list list;
    struct state_scan scan = {.space = EXPORT_SPACE};
    rf_str tail = rf_arena_printf(&d->w.site.arena, "|%s", table);
    cr_assert(state_begin_write(d->w.site.state, &txn, &d->w.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &d->w.site.arena, &list, &d->w.err) == RF_OK);
    for (uint32_t i = 0; i < list.count; i++)
        if (rf_str_ends(list.items[i].key, tail))
            cr_assert(export_place_put(txn, list.items[i].key, before, &d->w.site.arena,
                                       &d->w.err) == RF_OK);
    cr_assert(state_commit(txn, &d->w.err) == RF_OK);
}

Test(export, rows_of_what_a_rule_names_reach_its_folder_in_the_order_of_their_commits)
{
    struct depot d;
    depot_init(&d);
    size_t files;
    add(&d, "Syslog", "before");
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "Exporting");
    add(&d, "Syslog", "a");
    add(&d, "Heartbeat", "not named");
    add(&d, "Syslog", "b");
    run(&d);
    expect_files(&d, "syslog", "a b");
    expect_files(&d, "heartbeat", "");
    add(&d, "Syslog", "c");
    run(&d);
    run(&d);
    cr_assert_str_eq(computers(&d, "syslog", &files), "a b c");
    cr_assert(files == 1);
    pass(&d, 301 * SECOND);
    add(&d, "Syslog", "later");
    run(&d);
    cr_assert_str_eq(computers(&d, "syslog", &files), "a b c later");
    cr_assert(files == 2);
    /* What a line has: values with their types, nothing for null, the row's table. */
    rf_str row = RF_S("[{\"TimeGenerated\":\"2026-01-02T03:04:05Z\",\"Computer\":\"q\\\"\\n\","
                      "\"ComputerPrivateIPs\":[\"10.0.0.1\",{\"n\":2}],\"IsGatewayInstalled\":true,"
                      "\"RemoteIPLatitude\":1.5}]");
    w_expect(&d.w, "PUT", RULE, BODY("\"Heartbeat\"", "true"), 200);
    pass(&d, 1000); /* what comes in the same moment as a rule may be from before it */
    cr_assert(tables_append_json(d.w.tables, RF_S(W_GUID), RF_S("Heartbeat"), row, 0, NULL,
                                 &d.w.err) == RF_OK);
    run(&d);
    rf_str line = all_of(&d, "heartbeat", NULL);
    static const char *const parts[] = {"\"TimeGenerated\":\"2026-01-02T03:04:05.0000000Z\"",
                                        "\"Computer\":\"q\\\"\\n\"",
                                        "\"ComputerPrivateIPs\":[\"10.0.0.1\",{\"n\":2}]",
                                        "\"IsGatewayInstalled\":true",
                                        "\"RemoteIPLatitude\":1.5",
                                        "\"Type\":\"Heartbeat\"",
                                        "\"TenantId\":\"" W_GUID "\""};
    for (size_t i = 0; i < RF_COUNT(parts); i++)
        cr_assert(rf_str_find(line, rf_str_of(parts[i]), 0) != SIZE_MAX, "%s in %.*s", parts[i],
                  RF_FMT(line));
    cr_assert(rf_str_find(line, RF_S("null"), 0) == SIZE_MAX);
    /* A table that is not named any more stays as it is. */
    add(&d, "Syslog", "unwanted");
    run(&d);
    expect_files(&d, "syslog", "a b c later");
    depot_done(&d);
}

Test(export, files_are_for_owner_and_group)
{
    struct depot d;
    glob_t found;
    char pattern[200];
    struct stat status;
    depot_init(&d);
    mode_t before = umask(0077);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    add(&d, "Syslog", "a");
    run(&d);
    (void)umask(before);
    (void)snprintf(pattern, sizeof pattern, "%s/am-syslog/*/*/*/*/*/*/*/*/*/*/*/*/*/*/PT05M.json",
                   d.path);
    cr_assert(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1, "%s", pattern);
    cr_assert(stat(found.gl_pathv[0], &status) == 0 && (status.st_mode & 07777) == 0640);
    globfree(&found);
    (void)snprintf(pattern, sizeof pattern, "%s/am-syslog", d.path);
    cr_assert(stat(pattern, &status) == 0 && (status.st_mode & 07777) == 0750);
    depot_done(&d);
}

Test(export, a_rule_that_is_off_exports_nothing_and_begins_anew_when_it_is_on)
{
    struct depot d;
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    add(&d, "Syslog", "a");
    run(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "false"), 200);
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "Disabled");
    add(&d, "Syslog", "while off");
    run(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 200);
    add(&d, "Syslog", "b");
    run(&d);
    expect_files(&d, "syslog", "a b");
    /* Deleted and made anew: the file goes on behind what it has. */
    w_expect(&d.w, "DELETE", RULE, NULL, 200);
    add(&d, "Syslog", "while gone");
    run(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    add(&d, "Syslog", "c");
    run(&d);
    expect_files(&d, "syslog", "a b c");
    depot_done(&d);
}

Test(export, a_process_that_died_at_any_point_neither_loses_nor_doubles)
{
    struct depot d;
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    /* Before the first file has a place. */
    struct export_place first = place_of(&d, "syslog");
    cr_assert(first.slot == -1);
    add(&d, "Syslog", "a");
    run(&d);
    struct export_place before = place_of(&d, "syslog");
    add(&d, "Syslog", "b");
    add(&d, "Syslog", "c");
    run(&d);
    forget(&d, "syslog", &before); /* written and synced, not noted */
    restart(&d);
    run(&d);
    expect_files(&d, "syslog", "a b c");
    /* Half a line more. */
    rf_str path = export_path(RF_S(W_WS), RF_S("Syslog"), before.slot, &d.w.site.arena);
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    uint64_t size;
    cr_assert(export_open(d.path, path, &d.w.site.arena, &file, &d.w.err) == RF_OK, "%s",
              d.w.err.text);
    cr_assert(rf_file_size(file, &size, &d.w.err) == RF_OK && size > 0);
    cr_assert(rf_file_pwrite(file, "{\"half", 6, size, &d.w.err) == RF_OK);
    restart(&d);
    add(&d, "Syslog", "d");
    run(&d);
    expect_files(&d, "syslog", "a b c d");
    depot_done(&d);
}

Test(export, somebody_takes_a_file_away)
{
    struct depot d;
    char command[200];
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    add(&d, "Syslog", "a");
    run(&d);
    (void)snprintf(command, sizeof command, "rm -rf %s/am-syslog", d.path);
    cr_assert(system(command) == 0);
    add(&d, "Syslog", "b");
    run(&d);
    expect_files(&d, "syslog", "b");
    w_expect_rows(&d.w, "Operation | where ErrorId == 'ExportFileTaken' | count", "1;");
    depot_done(&d);
}

Test(export, a_link_on_the_way_is_refused_and_told)
{
    struct depot d;
    char link[100], elsewhere[100];
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    (void)snprintf(link, sizeof link, "%s/am-syslog", d.path);
    (void)snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", d.path);
    cr_assert(mkdir(elsewhere, 0700) == 0 && symlink(elsewhere, link) == 0);
    add(&d, "Syslog", "a");
    run(&d);
    run(&d);
    expect_files(&d, "syslog", "");
    w_expect_rows(&d.w, "Operation | where OperationStatus == 'Error' | project ErrorId",
                  "ExportPathRefused;");
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "Failing");
    cr_assert(unlink(link) == 0);
    pass(&d, 31 * SECOND);
    add(&d, "Syslog", "b");
    run(&d);
    expect_files(&d, "syslog", "a b");
    w_expect_rows(&d.w, "Operation | where OperationStatus == 'Succeeded' | count", "1;");
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "Exporting");
    depot_done(&d);
}

/* EFBIG comes at the same place as ENOSPC, and needs no file system of the test's own. */
Test(export, a_disk_without_room_is_told_and_tried_again)
{
    struct depot d;
    struct rlimit all, small;
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    add(&d, "Syslog", "a");
    run(&d);
    uint64_t bytes = place_of(&d, "syslog").bytes;
    char long_text[4000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    add(&d, "Syslog", long_text);
    /* The journal of the table and the state are longer than that: only the file to be written is not. */
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    rf_str path =
        export_path(RF_S(W_WS), RF_S("Syslog"), place_of(&d, "syslog").slot, &d.w.site.arena);
    cr_assert(export_open(d.path, path, &d.w.site.arena, &file, &d.w.err) == RF_OK);
    (void)signal(SIGXFSZ, SIG_IGN);
    cr_assert(getrlimit(RLIMIT_FSIZE, &all) == 0);
    small = all;
    small.rlim_cur = bytes + 100;
    cr_assert(setrlimit(RLIMIT_FSIZE, &small) == 0);
    enum rf_kind kind = export_append(file, bytes, rf_str_of(long_text), &d.w.err);
    cr_assert(setrlimit(RLIMIT_FSIZE, &all) == 0);
    cr_assert(kind == RF_LIMIT && strcmp(d.w.err.code, "DiskFull") == 0, "%s", d.w.err.text);
    uint64_t size;
    cr_assert(rf_file_size(file, &size, &d.w.err) == RF_OK && size == bytes,
              "nothing half is left");
    run(&d);
    cr_assert(rf_str_ends(rf_str_of(computers(&d, "syslog", NULL)), rf_str_of(long_text)));
    depot_done(&d);
}

Test(export, a_table_that_is_deleted_is_no_failure)
{
    struct depot d;
    const char *made = "{\"properties\":{\"schema\":{\"name\":\"T_CL\",\"columns\":["
                       "{\"name\":\"TimeGenerated\",\"type\":\"datetime\"},"
                       "{\"name\":\"Computer\",\"type\":\"string\"}]}}}";
    const char *table = W_WS "/tables/T_CL?api-version=2022-10-01";
    depot_init(&d);
    cr_assert(w_call(&d.w, "PUT", table, made) < 300);
    w_expect(&d.w, "PUT", RULE, BODY("\"T_CL\",\"Syslog\",\"syslog\"", "true"), 201);
    add(&d, "T_CL", "a");
    add(&d, "Syslog", "s");
    run(&d);
    cr_assert(w_call(&d.w, "DELETE", table, NULL) < 300);
    add(&d, "Syslog", "t");
    run(&d);
    expect_files(&d, "t_cl", "a");
    expect_files(&d, "syslog", "s t");
    w_expect_rows(&d.w, "Operation | where OperationStatus == 'Error' | count", "0;");
    cr_assert(w_call(&d.w, "PUT", table, made) < 300);
    add(&d, "T_CL", "b");
    run(&d);
    expect_files(&d, "t_cl", "a b");
    depot_done(&d);
}

Test(export, only_accounts_with_a_folder_are_written_to)
{
    struct depot d;
    const char *other =
        "{\"properties\":{\"tableNames\":[\"Syslog\"],\"destination\":{"
        "\"resourceId\":\"" W_GROUP "/providers/Microsoft.Storage/storageAccounts/other\"}}}";
    depot_init(&d);
    w_expect(&d.w, "PUT", RULE, other, 201);
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "DestinationNotAllowed");
    add(&d, "Syslog", "a");
    run(&d);
    expect_files(&d, "syslog", "");
    /* By its whole id only that one account. */
    d.folder.account = RF_S("/subscriptions/x/resourceGroups/rg/providers/Microsoft.Storage/"
                            "storageAccounts/archive1");
    restart(&d);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 200);
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "DestinationNotAllowed");
    d.folder.account = RF_S(ACCOUNT);
    restart(&d);
    w_expect(&d.w, "GET", RULE, NULL, 200);
    w_expect_text(&d.w, "properties.status.state", "Exporting");
    depot_done(&d);
}

/* Property: commits, rounds, restarts, time that passes, and rounds whose place was not noted, in any order: at the end the
 * files have what was committed, once and in order. */
RF_PROP(export_files_have_every_row_once, 6)
{
    struct depot d;
    depot_init(&d);
    struct rf_buf wanted = rf_buf_in(&d.w.site.arena);
    w_expect(&d.w, "PUT", RULE, BODY("\"Syslog\"", "true"), 201);
    struct export_place before = place_of(&d, "syslog");
    uint32_t number = 0;
    for (int i = 0; i < 60; i++) {
        char text[16];
        switch (rf_test_below(prng, 8)) {
        case 0:
            restart(&d);
            break;
        case 1:
            pass(&d, (rf_usec)rf_test_below(prng, 900) * SECOND);
            break;
        case 2:
        case 3:
            before = place_of(&d, "syslog");
            run(&d);
            break;
        case 4:
            before = place_of(&d, "syslog");
            run(&d);
            /* The place of a new file is stored before its rows are. */
            if (before.slot == place_of(&d, "syslog").slot) {
                forget(&d, "syslog", &before);
                restart(&d);
            }
            break;
        default:
            (void)snprintf(text, sizeof text, "%u", number++);
            add(&d, "Syslog", text);
            if (wanted.len > 0) rf_buf_byte(&wanted, ' ');
            rf_buf_str(&wanted, rf_str_of(text));
            break;
        }
    }
    run(&d);
    rf_buf_byte(&wanted, 0);
    cr_assert_str_eq(computers(&d, "syslog", NULL), (const char *)wanted.ptr);
    depot_done(&d);
}
