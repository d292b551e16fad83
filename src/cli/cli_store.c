/* cli_store.c - ringfort tables, schema, stats, fsck, merge, retention: what a store holds, and its upkeep. */
#include "cli/cli_store.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "cli/cli_options.h"
#include "cli/cli_text.h"
#include "kql/source_store.h"
#include "value/text.h"

enum { KEY_FILE_BYTES_MAX = 4096, NAMES_BYTES_MAX = 64 << 20 };

/* ---- opening ------------------------------------------------------------------------------------------------ */

static bool parse_hex_key(rf_str text, uint8_t out[32])
{
    text = rf_str_trim(text);
    if (text.len != 64) return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = rf_lower(text.ptr[i]);
        bool letter = c >= 'a' && c <= 'f';
        if (!letter && !rf_is_digit(c)) return false;
        uint8_t digit = (uint8_t)(letter ? c - 'a' + 10 : c - '0');
        out[i / 2] = (uint8_t)(i % 2 == 0 ? digit << 4 : out[i / 2] | digit);
    }
    return true;
}

static enum rf_kind read_key(const char *path, struct extent_key *key, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 16);
    rf_str text;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, KEY_FILE_BYTES_MAX, &arena, &text, err));
    *key = (struct extent_key){.present = true};
    bool raw = text.len == sizeof key->bytes;
    bool fine = raw || parse_hex_key(text, key->bytes);
    if (raw) memcpy(key->bytes, text.ptr, text.len);
    explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
    if (fine) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadKeyFile",
                   "%s holds no key: 32 bytes, or 64 hexadecimal digits, are needed", path);
}

enum rf_kind cli_store_open(const char *folder, const char *key_file, struct store_options options,
                            struct store **out, struct rf_err *err)
{
    struct extent_key key = {0};
    if (key_file != NULL) RF_TRY(read_key(key_file, &key, err));
    options.fs = rf_fs_real();
    options.folder = folder;
    options.key = key_file == NULL ? NULL : &key;
    enum rf_kind kind = store_open(&options, out, err);
    explicit_bzero(&key, sizeof key);
    if (kind == RF_NOT_FOUND)
        return RF_FAIL(err, RF_NOT_FOUND, "StoreNotFound", "there is no store in %s", folder);
    return kind;
}

const char *cli_size_text(uint64_t bytes, char out[24])
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double size = (double)bytes;
    size_t unit = 0;
    for (; size >= 999.5 && unit + 1 < RF_COUNT(units); unit++) size /= 1000;
    (void)snprintf(out, 24, unit == 0 || size >= 99.95 ? "%.0f %s" : "%.1f %s", size, units[unit]);
    return out;
}

enum rf_kind cli_catalog_add_store(struct cli_catalog *catalog, const char *folder,
                                   const char *key_file, struct rf_err *err)
{
    RF_ASSERT(catalog->store == NULL);
    struct store_options options = {.budget = catalog->arena->budget};
    RF_TRY(cli_store_open(folder, key_file, options, &catalog->store, err));
    rf_str *names;
    uint32_t count;
    RF_TRY(store_tables(catalog->store, catalog->arena, &names, &count, err));
    for (uint32_t i = 0; i < count; i++) {
        if (catalog_find(&catalog->catalog, names[i]) != NULL) {
            cli_say("the table '%.*s' of %s is left out: it is there already", RF_FMT(names[i]),
                    folder);
            continue;
        }
        struct source *source = source_store_new(catalog->store, names[i], catalog->arena);
        if (!cli_catalog_add_source(catalog, source)) return rf_fail_memory(err, catalog->arena);
    }
    rf_str path = rf_arena_printf(catalog->arena, "%s/functions.json", folder);
    const char *functions = rf_arena_cstr(catalog->arena, path);
    if (functions == NULL) return rf_fail_memory(err, catalog->arena);
    return rf_fs_exists(rf_fs_real(), functions)
               ? cli_catalog_add_functions(catalog, functions, err)
               : RF_OK;
}

void cli_catalog_done(struct cli_catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->catalog.source_count; i++)
        source_store_close(catalog->catalog.sources[i]);
    store_close(catalog->store);
    catalog->store = NULL;
}

/* ---- what the commands have in common --------------------------------------------------------------------------- */

enum { OPT_DATA, OPT_KEY_FILE };

static const struct cli_option options[] = {
    [OPT_DATA] = {"data", "DIR", "the store"},
    [OPT_KEY_FILE] = {"key-file", "F", "its key: 32 bytes, or 64 hexadecimal digits"},
};

struct run {
    const struct cli_usage *usage;
    const char *data, *key_file;
    const char *words[2];
    uint32_t word_count;
    struct rf_budget budget;
    struct rf_arena arena;
    struct store *store;
    rf_str *tables; /* those asked for */
    uint32_t table_count;
    bool bad; /* a problem was found and told */
};

/* Reads the line. CLI_OK, CLI_HELP or CLI_WRONG_USE. */
static int read_line(struct run *run, int argc, char **argv, uint32_t words_max)
{
    struct cli_line line = cli_line_of(run->usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_DATA:
            run->data = line.value;
            break;
        case OPT_KEY_FILE:
            run->key_file = line.value;
            break;
        case CLI_WORD:
            if (run->word_count == words_max)
                return cli_wrong(run->usage, "'%s' is one word too many", line.value);
            run->words[run->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            return CLI_WRONG_USE;
        }
    }
    return run->data == NULL ? cli_wrong(run->usage, "--data DIR is needed") : CLI_OK;
}

/* All tables, or the one that the first word names. */
static enum rf_kind find_tables(struct run *run, struct rf_err *err)
{
    RF_TRY(store_tables(run->store, &run->arena, &run->tables, &run->table_count, err));
    if (run->word_count == 0) return RF_OK;
    for (uint32_t i = 0; i < run->table_count; i++) {
        if (!rf_str_is(run->tables[i], run->words[0])) continue;
        run->tables += i;
        run->table_count = 1;
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "TableNotFound", "%s has no table '%s'", run->data,
                   run->words[0]);
}

typedef enum rf_kind table_command(struct run *run, rf_str table, struct rf_err *err);

/* Runs `each` for every table. A table that fails does not keep the others from their turn. */
static int run_tables(struct run *run, int argc, char **argv, uint32_t words_max,
                      table_command *each)
{
    struct rf_err err = {0};
    int status = read_line(run, argc, argv, words_max);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    rf_budget_init(&run->budget, CLI_STORE_BYTES_MAX);
    rf_arena_init(&run->arena, NAMES_BYTES_MAX);
    struct store_options store = {.budget = &run->budget};
    enum rf_kind kind = cli_store_open(run->data, run->key_file, store, &run->store, &err);
    if (kind == RF_OK) kind = find_tables(run, &err);
    if (kind != RF_OK) status = cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    for (uint32_t i = 0; i < run->table_count && kind == RF_OK; i++)
        if (each(run, run->tables[i], &err) != RF_OK)
            status = cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    store_close(run->store);
    rf_arena_done(&run->arena);
    return run->bad ? CLI_FAILED : status;
}

static void print_name(rf_str name) { (void)cli_text_print(stdout, name, UINT32_MAX); }

static void print_time(struct run *run, int64_t ticks)
{
    struct rf_buf buf = rf_buf_in(&run->arena);
    text_put_datetime(&buf, ticks);
    printf("%.19sZ", buf.failed ? "" : (const char *)buf.ptr);
}

/* ---- tables, schema, stats ------------------------------------------------------------------------------------------ */

static enum rf_kind print_table(struct run *run, rf_str name, struct rf_err *err)
{
    struct table *table;
    char size[24];
    RF_TRY(table_open(run->store, name, &table, err));
    struct table_stats stats = table_stats(table);
    print_name(name);
    printf("\t%llu rows\t%s\n", (unsigned long long)stats.row_count,
           cli_size_text(stats.disk_bytes, size));
    table_close(table);
    return RF_OK;
}

int cli_tables(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "tables",
        .words = "",
        .doc = "Lists the tables of a store with their rows and bytes.",
        .options = options,
        .option_count = RF_COUNT(options),
    };
    struct run run = {.usage = &usage};
    return run_tables(&run, argc, argv, 0, print_table);
}

static enum rf_kind print_schema(struct run *run, rf_str name, struct rf_err *err)
{
    struct table *table;
    uint32_t count;
    RF_TRY(table_open(run->store, name, &table, err));
    const struct extent_column *columns = table_columns(table, &count);
    for (uint32_t i = 0; i < count; i++) {
        if (run->word_count == 0) {
            print_name(name);
            printf("\t");
        }
        print_name(columns[i].name);
        printf("\t%s\n", type_name((enum type)columns[i].type));
    }
    table_close(table);
    return RF_OK;
}

int cli_schema_of(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "schema",
        .words = "[TABLE]",
        .doc = "Lists the columns of a table, or of all tables of a store, with their types.",
        .options = options,
        .option_count = RF_COUNT(options),
    };
    struct run run = {.usage = &usage};
    return run_tables(&run, argc, argv, 1, print_schema);
}

static enum rf_kind print_stats(struct run *run, rf_str name, struct rf_err *err)
{
    struct table *table;
    char size[24];
    uint32_t columns;
    RF_TRY(table_open(run->store, name, &table, err));
    struct table_stats s = table_stats(table);
    (void)table_columns(table, &columns);
    print_name(name);
    printf("\n  rows       %llu", (unsigned long long)s.row_count);
    if (s.journal_rows > 0)
        printf(", %llu of them in the journal", (unsigned long long)s.journal_rows);
    printf("\n  columns    %u\n  extents    %llu\n  disk       %s (%llu bytes)\n", columns,
           (unsigned long long)s.extent_count, cli_size_text(s.disk_bytes, size),
           (unsigned long long)s.disk_bytes);
    if (s.time_min <= s.time_max) {
        printf("  times      ");
        print_time(run, s.time_min);
        printf(" to ");
        print_time(run, s.time_max);
        printf("\n");
    }
    if (s.retention_ticks > 0)
        printf("  retention  %g days\n", (double)s.retention_ticks / (double)TICKS_PER_DAY);
    table_close(table);
    return RF_OK;
}

int cli_stats(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "stats",
        .words = "[TABLE]",
        .doc = "Says what a table, or each table of a store, holds: rows, extents, bytes, times.",
        .options = options,
        .option_count = RF_COUNT(options),
    };
    struct run run = {.usage = &usage};
    return run_tables(&run, argc, argv, 1, print_stats);
}

/* ---- fsck ----------------------------------------------------------------------------------------------------------- */

static void print_fault(void *state, const struct rf_err *fault)
{
    struct run *run = state;
    run->bad = true;
    printf("%s: ", fault->code == NULL ? "Fault" : fault->code);
    (void)cli_text_print(stdout, rf_str_of(fault->text), UINT32_MAX);
    printf("\n");
}

static enum rf_kind check_table(struct run *run, rf_str name, struct rf_err *err)
{
    enum rf_kind kind = table_fsck(run->store, name, print_fault, run, err);
    if (kind == RF_CORRUPT) return RF_OK; /* told above */
    if (kind != RF_OK) return kind;
    print_name(name);
    printf(": sound\n");
    return RF_OK;
}

int cli_fsck(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "fsck",
        .words = "[TABLE]",
        .doc = "Reads all of a table, or of each table of a store, and checks every checksum.",
        .options = options,
        .option_count = RF_COUNT(options),
        .notes =
            "Faults are printed one a line, with file and range. Exit status 1 when there are any.",
    };
    struct run run = {.usage = &usage};
    return run_tables(&run, argc, argv, 1, check_table);
}

/* ---- merge, retention ------------------------------------------------------------------------------------------------- */

static enum rf_kind merge_table(struct run *run, rf_str name, struct rf_err *err)
{
    struct table_writer *writer;
    RF_TRY(table_writer_open(run->store, name, NULL, 0, &writer, err));
    enum rf_kind kind = table_merge(writer, err);
    table_writer_close(writer);
    return kind == RF_OK ? print_table(run, name, err) : kind;
}

int cli_merge(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "merge",
        .words = "[TABLE]",
        .doc = "Joins small extents and the journal of a table, or of each table of a store, into "
               "large "
               "extents, and drops rows that are older than the table's retention.",
        .options = options,
        .option_count = RF_COUNT(options),
    };
    struct run run = {.usage = &usage};
    return run_tables(&run, argc, argv, 1, merge_table);
}

static bool parse_retention(const char *text, int64_t *ticks)
{
    if (strcmp(text, "none") == 0) {
        *ticks = 0;
        return true;
    }
    return text_to_timespan(rf_str_of(text), ticks) && *ticks > 0;
}

static enum rf_kind set_retention(struct run *run, rf_str name, struct rf_err *err)
{
    struct table_writer *writer;
    int64_t ticks = 0;
    if (!parse_retention(run->words[1], &ticks))
        return RF_FAIL(err, RF_INVALID, "BadRetention", "'%s' is no retention such as 90d or none",
                       run->words[1]);
    RF_TRY(table_writer_open(run->store, name, NULL, 0, &writer, err));
    enum rf_kind kind = table_set_retention(writer, ticks, err);
    table_writer_close(writer);
    return kind;
}

int cli_retention(int argc, char **argv)
{
    static const struct cli_usage usage = {
        .command = "retention",
        .words = "TABLE TIME",
        .doc = "Sets how long a table keeps its rows: 90d, 12h, or none (for ever).",
        .options = options,
        .option_count = RF_COUNT(options),
        .notes =
            "Older rows, by TimeGenerated, go when the table is merged, a whole extent at a time.",
    };
    struct run run = {.usage = &usage};
    int64_t ticks;
    /* Both words are checked before anything is opened. */
    int status = read_line(&run, argc, argv, 2);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    if (run.word_count != 2) return cli_wrong(&usage, "a table and a time are needed");
    if (!parse_retention(run.words[1], &ticks))
        return cli_wrong(&usage, "'%s' is no time such as 90d, 12h or none", run.words[1]);
    run = (struct run){.usage = &usage};
    return run_tables(&run, argc, argv, 2, set_retention);
}
