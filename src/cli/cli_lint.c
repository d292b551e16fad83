#include "base/fs.h"
#include "base/input.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/cli_catalog.h"
#include "cli/cli_options.h"
#include "cli/cli_rules.h"
#include "cli/cli_text.h"
#include "kql/kql.h"
#include "value/dyn.h"

enum {
    CATALOG_BYTES_MAX = 1 << 30,
    LINT_BYTES_MAX = 1 << 30, /* for one query */
    RULE_BYTES_MAX = 16 << 20,
    CORPUS_BYTES_MAX = 1 << 30,
    FOLDER_DEPTH_MAX = 64
};

enum { OPT_SCHEMAS, OPT_FUNCTIONS, OPT_WATCHLISTS, OPT_CORPUS, OPT_FORMAT, OPT_RUN };

static const struct cli_option options[] = {
    [OPT_SCHEMAS] = {"schemas", "DIR",
                     "the tables, as NAME.json files, and saved functions as functions.json"},
    [OPT_FUNCTIONS] = {"functions", "PATH", "the saved functions of a file or folder"},
    [OPT_WATCHLISTS] = {"watchlists", "PATH", "the watchlists of a folder of NAME.csv files"},
    [OPT_CORPUS] = {"corpus", "FILE", "JSON lines, each with an id and a query"},
    [OPT_FORMAT] = {"format", "FORMAT",
                    "text (what is wrong, for people) or jsonl (one line a query)"},
    [OPT_RUN] = {"run", NULL, "also run what binds; the tables have no rows"},
};

static const struct cli_usage usage = {
    .command = "lint",
    .words = "[FILE|DIR]...",
    .doc = "Checks queries against the tables' columns without running them. Reads KQL files "
           "(.kql), Sentinel rules (.yaml) and\n"
           "folders of them.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "A line of jsonl is "
             "{\"id\",\"ok\",\"columns\":[[name,type],...],\"error\":{\"line\",\"column\",\"code\","
             "\"message\"}}; columns or error\n"
             "is left out. Exit status 1 when any query has an error.",
};

struct lint {
    struct cli_catalog catalog;
    struct rf_arena *arena; /* catalog and paths */
    struct rf_arena work;   /* of the present query */
    struct rf_buf out;
    bool jsonl, run;
    uint64_t count, failed;
};

/* Where a query came from. */
struct origin {
    rf_str id;
    const char *path;
    uint32_t first_line; /* of the query in the file, 1-based */
};

/* ---- results -------------------------------------------------------------------------------------------------- */

static void put_line(struct lint *lint, const struct origin *origin, const struct rf_err *err,
                     const struct schema *schema, bool open)
{
    struct rf_buf *buf = &lint->out;
    rf_buf_str(buf, RF_S("{\"id\":"));
    json_put_string(buf, origin->id);
    rf_buf_str(buf, err == NULL ? RF_S(",\"ok\":true,\"columns\":[")
                                : RF_S(",\"ok\":false,\"error\":{"));
    if (err == NULL) {
        for (uint32_t i = 0; i < schema->count; i++) {
            rf_buf_str(buf, i == 0 ? RF_S("[") : RF_S(",["));
            json_put_string(buf, schema->columns[i].name);
            rf_buf_printf(buf, ",\"%s\"]", type_name((enum type)schema->columns[i].type));
        }
        rf_buf_str(buf, open ? RF_S("],\"open\":true}\n") : RF_S("]}\n"));
    } else {
        rf_buf_printf(buf, "\"line\":%u,\"column\":%u,\"code\":", err->line, err->column);
        json_put_string(buf, rf_str_of(err->code == NULL ? "Unknown" : err->code));
        rf_buf_str(buf, RF_S(",\"message\":"));
        json_put_string(buf, rf_str_of(err->text));
        rf_buf_str(buf, RF_S("}}\n"));
    }
    (void)fwrite(buf->ptr, 1, buf->len, stdout);
    buf->len = 0;
}

/* ---- one query ------------------------------------------------------------------------------------------------- */

static enum rf_kind drop_begin(struct kql_sink *sink, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    (void)sink, (void)name, (void)schema, (void)render, (void)err;
    return RF_OK;
}
static enum rf_kind drop_push(struct kql_sink *sink, const struct batch *batch, struct rf_err *err)
{
    (void)sink, (void)batch, (void)err;
    return RF_OK;
}
static enum rf_kind drop_end(struct kql_sink *sink, struct rf_err *err)
{
    (void)sink, (void)err;
    return RF_OK;
}

static void lint_query(struct lint *lint, const struct origin *origin, rf_str text)
{
    struct rf_err err = {0};
    struct kql_shape shape;
    struct kql_request request = {
        .text = text, .catalog = &lint->catalog.catalog, .memory_bytes = LINT_BYTES_MAX};
    lint->count++;
    enum rf_kind kind = kql_lint(&request, &lint->work, &shape, &err);
    if (kind == RF_OK && lint->run) {
        struct kql_sink sink = {.begin = drop_begin, .push = drop_push, .end = drop_end};
        struct kql_stats stats;
        kind = kql_run(&request, &sink, &stats, &err);
    }
    if (kind != RF_OK) lint->failed++;
    if (lint->jsonl) {
        put_line(lint, origin, kind == RF_OK ? NULL : &err, &shape.schema, shape.open);
    } else if (kind != RF_OK) {
        rf_str id = origin->id;
        fflush(stdout);
        (void)cli_text_print(stderr, rf_str_of(origin->path), UINT32_MAX);
        if (!rf_str_is(id, origin->path)) {
            fputs(" (", stderr);
            (void)cli_text_print(stderr, id, 80);
            fputc(')', stderr);
        }
        if (origin->first_line > 1 && err.line > 0)
            fprintf(stderr, ", line %u of the file", origin->first_line + err.line - 1);
        fputs(":\n", stderr);
        (void)cli_say_error(&err, text, NULL);
    }
    rf_arena_reset(&lint->work);
    lint->out = rf_buf_in(&lint->work);
}

/* A file that holds no query at all counts as one that failed. */
static void lint_unreadable(struct lint *lint, const char *path, const struct rf_err *err)
{
    struct origin origin = {.id = rf_str_of(path), .path = path};
    lint->count++;
    lint->failed++;
    if (lint->jsonl)
        put_line(lint, &origin, err, NULL, false);
    else
        (void)cli_say_error(err, (rf_str){NULL, 0}, path);
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

static bool is_yaml(rf_str name)
{
    return rf_str_ends(name, RF_S(".yaml")) || rf_str_ends(name, RF_S(".yml"));
}
static bool is_kql(rf_str name)
{
    return rf_str_ends(name, RF_S(".kql")) || rf_str_ends(name, RF_S(".csl"));
}

static void lint_file(struct lint *lint, const char *path, bool asked_for)
{
    struct rf_err err = {0};
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CATALOG_BYTES_MAX);
    rf_str text;
    if (rf_fs_read_all(rf_fs_real(), path, RULE_BYTES_MAX, &arena, &text, &err) != RF_OK) {
        lint_unreadable(lint, path, &err);
        return;
    }
    struct origin origin = {.id = rf_str_of(path), .path = path, .first_line = 1};
    if (!is_yaml(rf_str_of(path))) {
        lint_query(lint, &origin, text);
        return;
    }
    struct rule rule;
    if (cli_rule_parse(text, &arena, &rule, &err) != RF_OK) {
        /* A folder may hold other YAML too. */
        if (asked_for || strcmp(err.code, "NotARule") != 0) lint_unreadable(lint, path, &err);
        return;
    }
    if (rule.id.len > 0) origin.id = rule.id;
    origin.first_line = rule.query_line;
    lint_query(lint, &origin, rule.query);
}

/* Corpus: a line is {"id": .., "query": .., ...}. */
static enum rf_kind lint_corpus(struct lint *lint, const char *path, struct rf_err *err)
{
    struct input *input;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CORPUS_BYTES_MAX);
    struct rf_buf all = rf_buf_in(&arena);
    RF_TRY(input_open(NULL, path, &input, err));
    enum rf_kind kind = RF_OK;
    for (size_t got = 1; kind == RF_OK && got > 0;) {
        if (!rf_buf_reserve(&all, INPUT_BUFFER_BYTES))
            kind = rf_fail_memory(err, &arena);
        else
            kind = input_read(input, all.ptr + all.len, all.cap - all.len, &got, err);
        if (kind == RF_OK) all.len += got;
    }
    input_free(input);
    if (kind != RF_OK) return kind;
    rf_str text = rf_buf_view(&all);
    uint64_t number = 0;
    for (size_t from = 0; from < text.len; number++) {
        const uint8_t *end = memchr(text.ptr + from, '\n', text.len - from);
        size_t to = end == NULL ? text.len : (size_t)(end - text.ptr);
        rf_str line = rf_str_trim(rf_slice(text, from, to));
        from = to + 1;
        if (line.len == 0) continue;
        /* Not in lint->work, which the query's memory is reset with. */
        RF_CLEANUP(rf_arena_done) struct rf_arena line_arena;
        rf_arena_init(&line_arena, CORPUS_BYTES_MAX);
        struct rf_buf buf = rf_buf_in(&line_arena);
        struct rf_err why;
        kind = dyn_parse_json(line, &buf, &why);
        if (kind != RF_OK)
            return RF_FAIL(err, kind, why.code, "%s: line %llu: %s", path,
                           (unsigned long long)number + 1, why.text);
        rf_str entry = dyn_done(&buf), id = dyn_string(dyn_get(entry, RF_S("id")));
        struct origin origin = {
            .id = id.len > 0 ? id
                             : rf_arena_printf(&line_arena, "%llu", (unsigned long long)number + 1),
            .path = path,
            .first_line = 1};
        lint_query(lint, &origin, dyn_string(dyn_get(entry, RF_S("query"))));
    }
    return RF_OK;
}

struct folder {
    const char *path;
    uint32_t depth;
    struct folder *next;
};

static enum rf_kind push_folder(struct lint *lint, struct folder **stack, const char *path,
                                uint32_t depth, struct rf_err *err)
{
    struct folder *folder = rf_arena_new(lint->arena, struct folder, 1);
    if (folder == NULL) return rf_fail_memory(err, lint->arena);
    *folder = (struct folder){path, depth, *stack};
    *stack = folder;
    return RF_OK;
}

static enum rf_kind lint_folder(struct lint *lint, const char *path, struct rf_err *err)
{
    struct rf_fs *fs = rf_fs_real();
    struct folder *stack = NULL;
    RF_TRY(push_folder(lint, &stack, path, 0, err));
    while (stack != NULL) {
        struct folder folder = *stack;
        stack = stack->next;
        rf_str *names;
        size_t count;
        RF_TRY(rf_fs_list(fs, folder.path, lint->arena, &names, &count, err));
        for (size_t i = 0; i < count; i++) {
            if (names[i].ptr[0] == '.') continue;
            rf_str full = rf_arena_printf(lint->arena, "%s/%.*s", folder.path, RF_FMT(names[i]));
            struct rf_fs_stat stat;
            if (full.ptr == NULL) return rf_fail_memory(err, lint->arena);
            const char *child = (const char *)full.ptr;
            if (rf_fs_stat(fs, child, &stat, NULL) != RF_OK) continue;
            if (stat.is_dir && folder.depth < FOLDER_DEPTH_MAX)
                RF_TRY(push_folder(lint, &stack, child, folder.depth + 1, err));
            else if (stat.is_file && (is_yaml(names[i]) || is_kql(names[i])))
                lint_file(lint, child, false);
        }
    }
    return RF_OK;
}

static enum rf_kind lint_word(struct lint *lint, const char *word, struct rf_err *err)
{
    struct rf_fs_stat stat;
    RF_TRY(rf_fs_stat(rf_fs_real(), word, &stat, err));
    if (stat.is_dir) return lint_folder(lint, word, err);
    lint_file(lint, word, true);
    return RF_OK;
}

struct lint_args {
    const char *schemas, *functions, *watchlists, *corpus;
    const char **words; /* room for all of argv */
    size_t word_count;
};

/* CLI_OK, CLI_HELP or the status to leave with. */
static int read_args(int argc, char **argv, struct lint_args *args, struct lint *lint)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_SCHEMAS:
            args->schemas = line.value;
            break;
        case OPT_FUNCTIONS:
            args->functions = line.value;
            break;
        case OPT_WATCHLISTS:
            args->watchlists = line.value;
            break;
        case OPT_CORPUS:
            args->corpus = line.value;
            break;
        case OPT_RUN:
            lint->run = true;
            break;
        case OPT_FORMAT:
            lint->jsonl = strcmp(line.value, "jsonl") == 0;
            if (!lint->jsonl && strcmp(line.value, "text") != 0)
                return cli_wrong(&usage, "--format: '%s' is not text or jsonl", line.value);
            break;
        case CLI_WORD:
            args->words[args->word_count++] = line.value;
            break;
        case CLI_HELP:
            return CLI_HELP;
        default:
            return CLI_WRONG_USE;
        }
    }
    if (args->word_count > 0 || args->corpus != NULL) return CLI_OK;
    return cli_wrong(&usage, "a file, a folder or --corpus is needed");
}

static enum rf_kind lint_all(struct lint *lint, const struct lint_args *args, struct rf_err *err)
{
    if (args->functions != NULL)
        RF_TRY(cli_catalog_add_functions(&lint->catalog, args->functions, err));
    if (args->watchlists != NULL)
        RF_TRY(cli_catalog_add_watchlists(&lint->catalog, args->watchlists, err));
    if (args->schemas != NULL) RF_TRY(cli_catalog_add_schemas(&lint->catalog, args->schemas, err));
    RF_TRY(cli_catalog_finish(&lint->catalog, err));
    if (args->corpus != NULL) RF_TRY(lint_corpus(lint, args->corpus, err));
    for (size_t i = 0; i < args->word_count; i++) RF_TRY(lint_word(lint, args->words[i], err));
    if (!lint->jsonl)
        printf("%llu quer%s, %llu with an error\n", (unsigned long long)lint->count,
               lint->count == 1 ? "y" : "ies", (unsigned long long)lint->failed);
    if (fflush(stdout) != 0 || ferror(stdout) != 0)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the result cannot be written");
    return RF_OK;
}

int cli_lint(int argc, char **argv)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, CATALOG_BYTES_MAX);
    struct lint_args args = {.words = rf_arena_new(&arena, const char *, (size_t)argc)};
    struct lint lint = {.arena = &arena, .catalog = cli_catalog_in(&arena)};
    struct rf_err err = {0};
    if (args.words == NULL) {
        (void)rf_fail_memory(&err, &arena);
        return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    }
    int status = read_args(argc, argv, &args, &lint);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    rf_arena_init(&lint.work, LINT_BYTES_MAX);
    lint.out = rf_buf_in(&lint.work);
    enum rf_kind kind = lint_all(&lint, &args, &err);
    rf_arena_done(&lint.work);
    if (kind != RF_OK) return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
    return lint.failed == 0 ? CLI_OK : CLI_FAILED;
}
