/* backup.c - copies an installation: state by SQLite's online backup, each table by what its manifest names, the keeper's files
 * as they are, the hubs' logs file by file. The copy has the layout of the original, so that `ringfort serve --data COPY` works on it.
 *
 * State comes first, tables after it, hubs last: a table may have rows of later than the state, never the other way round, and a
 * table that nobody describes any more is left aside by the server. A hub may have events that no table has captured, and that are
 * captured then; a table that had come further than its hub would miss those that get the same numbers anew.
 *
 * The root's seal is copied at first and once more at the end: after a rotation in between, what was copied last hangs on the new root. */
#include "daemon/backup.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "cli/cli_store.h"
#include "crypt/keeper_seal.h"
#include "daemon/serve.h"
#include "state/state.h"
#include "store/table.h"

enum { ARENA_BYTES_MAX = 256 << 20, KEEPER_FILE_BYTES_MAX = 64 << 20, COPY_BYTES = 1 << 20 };

enum { OPT_DATA };
static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the installation's folder"},
};
static const struct cli_usage backup_usage = {
    .command = "backup",
    .words = "COPY",
    .doc = "Copies an installation into the new folder COPY, while it serves: state, tables, hubs, "
           "keys. "
           "What was\n"
           "acknowledged before it began is in the copy. Keep it as safe as the original: it holds "
           "the keys.",
    .options = options,
    .option_count = RF_COUNT(options),
};
static const struct cli_usage restore_usage = {
    .command = "restore",
    .words = "COPY",
    .doc = "Puts what 'ringfort backup' copied into a new folder, from which 'ringfort serve' goes "
           "on.",
    .options = options,
    .option_count = RF_COUNT(options),
};

struct backup {
    struct rf_arena arena;
    struct rf_budget budget;
    const char *from, *to;
    bool terminal;
    uint8_t *buffer; /* COPY_BYTES; NULL: not needed yet */
    uint64_t table_count, bytes;
};

static const char *path_in(struct backup *b, const char *folder, const char *name)
{
    return rf_arena_cstr(&b->arena, rf_arena_printf(&b->arena, "%s/%s", folder, name));
}

static enum rf_kind no_memory(const struct backup *b, struct rf_err *err)
{
    return rf_fail_memory(err, &b->arena);
}

/* ---- parts ------------------------------------------------------------------------------------------------------- */

static enum rf_kind copy_state(struct backup *b, struct rf_err *err)
{
    struct state *state;
    struct state_options state_options = {.path = path_in(b, b->from, "state/state.db"),
                                          .read_only = true};
    const char *to = path_in(b, b->to, "state/state.db");
    if (state_options.path == NULL || to == NULL) return no_memory(b, err);
    RF_TRY(state_open(&state_options, &state, err));
    enum rf_kind kind = state_backup(state, to, err);
    state_close(state);
    return kind;
}

/* Small files: the keeper's, and those by which clients find in. */
static enum rf_kind copy_small(struct backup *b, const char *folder, const char *const *names,
                               size_t count, struct rf_err *err)
{
    for (size_t i = 0; i < count; i++) {
        rf_str bytes;
        const char *name =
            rf_arena_cstr(&b->arena, rf_arena_printf(&b->arena, "%s/%s", folder, names[i]));
        const char *from = name == NULL ? NULL : path_in(b, b->from, name);
        const char *to = name == NULL ? NULL : path_in(b, b->to, name);
        if (from == NULL || to == NULL) return no_memory(b, err);
        RF_TRY(rf_fs_read_all(rf_fs_real(), from, KEEPER_FILE_BYTES_MAX, &b->arena, &bytes, err));
        RF_TRY(rf_fs_replace(rf_fs_real(), to, bytes, err));
        b->bytes += bytes.len;
    }
    return RF_OK;
}

static void show_progress(const struct backup *b, rf_str table)
{
    char size[24];
    if (!b->terminal) return;
    fprintf(stderr, "\r\x1b[K%llu tables, %s: %.*s", (unsigned long long)b->table_count,
            cli_size_text(b->bytes, size), RF_FMT(table));
    fflush(stderr);
}

/* One workspace's store; `from` and `to` are its folders. */
static enum rf_kind copy_tables(struct backup *b, const char *from, const char *to,
                                struct rf_err *err)
{
    struct store *source;
    struct store_options source_options = {
        .fs = rf_fs_real(), .folder = from, .budget = &b->budget};
    rf_str *names;
    uint32_t count;
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), to, err));
    RF_TRY(store_open(&source_options, &source, err));
    enum rf_kind kind = store_tables(source, &b->arena, &names, &count, err);
    for (uint32_t i = 0; i < count && kind == RF_OK; i++) {
        const char *original = NULL;
        uint64_t bytes = 0;
        show_progress(b, names[i]);
        kind = store_table_folder(source, names[i], &b->arena, &original, err);
        if (kind != RF_OK) break;
        /* The copy's folder has the name of the original's. */
        const char *target = path_in(b, to, strrchr(original, '/') + 1);
        kind =
            target == NULL ? no_memory(b, err) : table_copy(source, names[i], target, &bytes, err);
        if (kind == RF_NOT_FOUND) kind = RF_OK; /* dropped meanwhile */
        b->bytes += bytes;
        b->table_count++;
    }
    store_close(source);
    return kind;
}

static enum rf_kind copy_workspaces(struct backup *b, struct rf_err *err)
{
    rf_str *names;
    size_t count;
    const char *from = path_in(b, b->from, "tables"), *to = path_in(b, b->to, "tables");
    if (from == NULL || to == NULL) return no_memory(b, err);
    RF_TRY(rf_fs_list(rf_fs_real(), from, &b->arena, &names, &count, err));
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        const char *source = path_in(b, from, (const char *)names[i].ptr);
        const char *target = path_in(b, to, (const char *)names[i].ptr);
        if (source == NULL || target == NULL) return no_memory(b, err);
        RF_TRY(rf_fs_stat(rf_fs_real(), source, &stat, err));
        if (stat.is_dir) RF_TRY(copy_tables(b, source, target, err));
    }
    return RF_OK;
}

static enum rf_kind pump(struct backup *b, struct rf_file *from, struct rf_file *to,
                         struct rf_err *err)
{
    if (b->buffer == NULL) b->buffer = rf_arena_alloc(&b->arena, COPY_BYTES);
    if (b->buffer == NULL) return no_memory(b, err);
    for (;;) {
        size_t got;
        RF_TRY(rf_file_read(from, b->buffer, COPY_BYTES, &got, err));
        if (got == 0) return rf_file_sync(to, err);
        RF_TRY(rf_file_write(to, b->buffer, got, err));
        b->bytes += got;
    }
}

/* Logs only grow: what is there when the end is read ends in a whole frame, or in one that is under way, which opening the copy cuts
 * off as after a crash. A file that retention has removed meanwhile is not missed. */
static enum rf_kind copy_log_file(struct backup *b, const char *from, const char *to,
                                  struct rf_err *err)
{
    struct rf_file *in, *out;
    enum rf_kind kind = rf_fs_open(rf_fs_real(), from, RF_OPEN_READ, &in, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    kind =
        rf_fs_open(rf_fs_real(), to, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_EXCLUSIVE, &out, err);
    if (kind == RF_OK) {
        kind = pump(b, in, out, err);
        rf_file_close(out);
    }
    rf_file_close(in);
    return kind;
}

/* hubs/{hub}/{partition}/{file}: three floors of folders and no more. Names are listed before the first file is read and copied in
 * their order, which is that of the segments: a closed one is never behind an open one. */
enum { HUB_FLOORS = 3 };
static enum rf_kind copy_hubs(struct backup *b, const char *from, const char *to, int floor,
                              struct rf_err *err)
{
    rf_str *names;
    size_t count;
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), to, err));
    enum rf_kind kind = rf_fs_list(rf_fs_real(), from, &b->arena, &names, &count, err);
    if (kind == RF_NOT_FOUND) return RF_OK; /* deleted meanwhile, or of before there were hubs */
    RF_TRY(kind);
    for (size_t i = 0; i < count; i++) {
        struct rf_fs_stat stat;
        const char *source = path_in(b, from, (const char *)names[i].ptr);
        const char *target = path_in(b, to, (const char *)names[i].ptr);
        if (source == NULL || target == NULL) return no_memory(b, err);
        kind = rf_fs_stat(rf_fs_real(), source, &stat, err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        if (!stat.is_dir)
            RF_TRY(copy_log_file(b, source, target, err));
        else if (floor < HUB_FLOORS)
            RF_TRY(copy_hubs(b, source, target, floor + 1, err));
    }
    return rf_fs_sync_dir(rf_fs_real(), to, err);
}

static enum rf_kind copy_all_hubs(struct backup *b, struct rf_err *err)
{
    const char *from = path_in(b, b->from, "hubs"), *to = path_in(b, b->to, "hubs");
    return from == NULL || to == NULL ? no_memory(b, err) : copy_hubs(b, from, to, 1, err);
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

static enum rf_kind make_target(struct backup *b, struct rf_err *err)
{
    rf_str *names;
    size_t count;
    if (rf_fs_exists(rf_fs_real(), b->to)) {
        RF_TRY(rf_fs_list(rf_fs_real(), b->to, &b->arena, &names, &count, err));
        if (count > 0)
            return RF_FAIL(err, RF_CONFLICT, "FolderNotEmpty",
                           "%s is not empty; give a folder that is not there", b->to);
    }
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), b->to, err));
    RF_TRY(serve_make_layout(b->to, &b->arena, err));
    const char *keeper = path_in(b, b->to, "keeper");
    if (keeper == NULL) return no_memory(b, err);
    if (mkdir(keeper, 0700) != 0)
        return RF_FAIL_ERRNO(err, "FolderFailed", "cannot make %s", keeper);
    return RF_OK;
}

/* It is written in place: what was read while it changed is read again. */
static enum rf_kind copy_root_again(struct backup *b, uint32_t kept, struct rf_err *err)
{
    enum { TRIES = 20, PAUSE_USEC = 50000 };
    static const char *const root[] = {"root.key", "root.seal"};
    const char *from = path_in(b, b->from, "keeper"), *to = path_in(b, b->to, "keeper");
    uint32_t kept_now, newest, kept_copy, newest_copy;
    if (from == NULL || to == NULL) return no_memory(b, err);
    for (int tries = 0;; tries++) {
        RF_TRY(copy_small(b, "keeper", root, RF_COUNT(root), err));
        RF_TRY(root_seal_span(from, &kept_now, &newest, err));
        if (kept_now > kept)
            return RF_FAIL(err, RF_CONFLICT, "GenerationDropped",
                           "root generation %u was dropped while it was copied: the copy may need "
                           "it; make another one",
                           kept_now - 1);
        enum rf_kind kind = root_seal_span(to, &kept_copy, &newest_copy, err);
        if (kind == RF_OK && kept_copy == kept_now && newest_copy == newest) return RF_OK;
        if (tries == TRIES)
            return RF_FAIL(err, RF_CONFLICT, "RootChanges",
                           "the root's seal changes again and again; make another copy");
        (void)usleep(PAUSE_USEC);
    }
}

static enum rf_kind copy_all(struct backup *b, struct rf_err *err)
{
    /* The heads come before what they speak of: a file may be ahead of its head, never behind it. */
    static const char *const keeper[] = {"root.key", "root.seal", "heads",
                                         "keys",     "audit.log", "vault"};
    static const char *const found[] = {"bootstrap.json", "ca.pem"};
    const char *root = path_in(b, b->from, "keeper/root.key");
    const char *state = path_in(b, b->from, "state/state.db");
    const char *folder = path_in(b, b->from, "keeper");
    uint32_t kept, newest;
    if (root == NULL || state == NULL || folder == NULL) return no_memory(b, err);
    if (!rf_fs_exists(rf_fs_real(), root))
        return RF_FAIL(err, RF_NOT_FOUND, "NoInstallation",
                       "%s holds no installation: keeper/root.key is not there", b->from);
    bool has_state = rf_fs_exists(rf_fs_real(), state);
    if (!has_state)
        cli_say("warning: the state is not in this folder; when it is in PostgreSQL, copy that "
                "with pg_dump");
    RF_TRY(make_target(b, err));
    RF_TRY(root_seal_span(folder, &kept, &newest, err));
    RF_TRY(copy_small(b, "keeper", keeper, RF_COUNT(keeper), err));
    if (has_state) RF_TRY(copy_state(b, err));
    RF_TRY(copy_workspaces(b, err));
    RF_TRY(copy_all_hubs(b, err));
    RF_TRY(copy_small(b, "state", found, RF_COUNT(found), err));
    RF_TRY(copy_root_again(b, kept, err));
    return rf_fs_sync_dir(rf_fs_real(), b->to, err);
}

static int run(const struct cli_usage *usage, int argc, char **argv, bool restore)
{
    const char *data = NULL, *copy = NULL;
    struct rf_err err = {0};
    struct cli_line line = cli_line_of(usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == OPT_DATA)
            data = line.value;
        else if (copy == NULL)
            copy = line.value;
        else
            return cli_wrong(usage, "'%s' is one word too many", line.value);
    }
    if (data == NULL || copy == NULL)
        return cli_wrong(usage, "--data DIR and the folder of the copy are needed");
    struct backup b = {.from = restore ? copy : data,
                       .to = restore ? data : copy,
                       .terminal = cli_is_terminal(stderr)};
    rf_arena_init(&b.arena, ARENA_BYTES_MAX);
    rf_budget_init(&b.budget, ARENA_BYTES_MAX);
    mode_t before = umask(0077);
    enum rf_kind kind = copy_all(&b, &err);
    (void)umask(before);
    rf_arena_done(&b.arena);
    if (b.terminal && b.table_count > 0) fputs("\r\x1b[K", stderr);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    char size[24];
    printf("%llu tables, %s, into %s\n", (unsigned long long)b.table_count,
           cli_size_text(b.bytes, size), b.to);
    return CLI_OK;
}

int cli_backup(int argc, char **argv) { return run(&backup_usage, argc, argv, false); }
int cli_restore(int argc, char **argv) { return run(&restore_usage, argc, argv, true); }
