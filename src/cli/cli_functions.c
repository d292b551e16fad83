#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/cli_language.h"
#include "cli/cli_options.h"
#include "cli/cli_text.h"
#include "kql/aggr.h"
#include "kql/command.h"
#include "kql/parse.h"
#include "kql/plugin.h"
#include "kql/special.h"

enum { OPT_FORMAT, OPT_KIND };

static const struct cli_option options[] = {
    [OPT_FORMAT] = {"format", "FORMAT", "text (for people), json (for editors) or markdown"},
    [OPT_KIND] =
        {"kind", "KIND",
         "only functions, special functions, aggregations, operators, plugins or commands"},
};

static const struct cli_usage usage = {
    .command = "functions",
    .words = "[NAME]",
    .doc = "Lists what the language knows, or tells about one function, aggregation, operator or "
           "plugin.",
    .options = options,
    .option_count = RF_COUNT(options),
};

/* The registries seen as one list. */
enum kind {
    KIND_FUNCTION,
    KIND_SPECIAL,
    KIND_AGGREGATION,
    KIND_OPERATOR,
    KIND_PLUGIN,
    KIND_COMMAND, /* management commands, by their syntax */
    KIND_COUNT
};
static const char *const kind_names[KIND_COUNT] = {"functions", "special functions", "aggregations",
                                                   "operators", "plugins",           "commands"};

struct entry {
    enum kind kind;
    const char *name, *doc;
    bool hidden; /* an old alias: told about when asked for, not listed */
    size_t index;
};

static size_t kind_count(enum kind kind)
{
    switch (kind) {
    case KIND_FUNCTION:
        return func_count();
    case KIND_SPECIAL:
        return special_count();
    case KIND_PLUGIN:
        return plugin_count();
    case KIND_AGGREGATION:
        return aggr_count();
    case KIND_COMMAND:
        return command_count();
    default:
        return operator_count();
    }
}

static struct entry entry_at(enum kind kind, size_t index)
{
    struct entry entry = {.kind = kind, .index = index};
    if (kind == KIND_FUNCTION) {
        const struct func *func = func_at(index);
        entry.name = func->name;
        entry.doc = func->doc;
        /* Operators such as == are functions inside; they are no names that a query calls. */
        entry.hidden = (func->flags & FUNC_HIDDEN) != 0 ||
                       !(rf_is_alpha((uint8_t)func->name[0]) || func->name[0] == '_');
    } else if (kind == KIND_AGGREGATION) {
        const struct aggr *aggr = aggr_at(index);
        entry.name = aggr->name;
        entry.doc = aggr->doc;
        entry.hidden = (aggr->flags & FUNC_HIDDEN) != 0;
    } else if (kind == KIND_SPECIAL) {
        entry.name = special_at(index)->name;
        entry.doc = special_at(index)->doc;
    } else if (kind == KIND_PLUGIN) {
        entry.name = plugin_at(index)->name;
        entry.doc = plugin_at(index)->doc;
    } else if (kind == KIND_COMMAND) {
        entry.name = command_at(index)->syntax;
        entry.doc = command_at(index)->doc;
    } else {
        const struct operator* op = operator_at(index);
        entry.name = op->name;
        entry.doc = op->doc == NULL ? "" : op->doc;
    }
    return entry;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* In the order of the table, which goes by what a command is about; with the right that it needs and where it works. */
static int list_commands(void)
{
    printf("%s (%zu)\n", kind_names[KIND_COMMAND], command_count());
    for (size_t i = 0; i < command_count(); i++) {
        const struct command_entry *e = command_at(i);
        printf("  %s  %s  %s  %s\n", e->syntax,
               e->verb == COMMAND_REFUSED ? "-" : command_right_name(e->right),
               e->where == COMMAND_SERVER     ? "server"
               : e->where == COMMAND_EMBEDDED ? "store"
                                              : "everywhere",
               e->doc);
    }
    return CLI_OK;
}

static int list_kind(enum kind kind)
{
    if (kind == KIND_COMMAND) return list_commands();
    size_t count = kind_count(kind), shown = 0, width = 0;
    struct entry *entries = calloc(count + 1, sizeof *entries);
    if (entries == NULL) {
        cli_say("no memory for the list");
        return CLI_FAILED;
    }
    for (size_t i = 0; i < count; i++) {
        struct entry entry = entry_at(kind, i);
        if (entry.hidden) continue;
        entries[shown++] = entry;
        width = RF_MAX(width, strlen(entry.name));
    }
    qsort(entries, shown, sizeof *entries, by_name);
    bool terminal = cli_is_terminal(stdout), colour = cli_has_colour(stdout);
    uint32_t room = terminal ? cli_width(stdout) : UINT32_MAX;
    room = room > width + 12 ? room - (uint32_t)width - 4 : room;
    printf("%s%s%s (%zu)\n", colour ? "\x1b[1m" : "", kind_names[kind], colour ? "\x1b[0m" : "",
           shown);
    for (size_t i = 0; i < shown; i++) {
        printf("  %-*s  ", (int)width, entries[i].name);
        (void)cli_text_print(stdout, rf_str_of(entries[i].doc), room);
        putchar('\n');
    }
    free(entries);
    return CLI_OK;
}

static void print_detail(const struct entry *entry)
{
    printf("%s: %.*s%s\n", entry->name, (int)strlen(kind_names[entry->kind]) - 1,
           kind_names[entry->kind],
           entry->hidden && entry->kind != KIND_OPERATOR ? " (another name, kept for old queries)"
                                                         : "");
    if (entry->doc[0] != '\0') printf("  %s\n", entry->doc);
    if (entry->kind == KIND_FUNCTION) {
        for (const struct func_overload *o = func_at(entry->index)->sigs; o->sig != NULL; o++)
            printf("  %s%s\n", entry->name, o->sig);
    } else if (entry->kind == KIND_AGGREGATION) {
        for (const char *const *sig = aggr_at(entry->index)->sigs; *sig != NULL; sig++)
            printf("  %s%s\n", entry->name, *sig);
    } else if (entry->kind != KIND_COMMAND) {
        const char *syntax = entry->kind == KIND_SPECIAL  ? special_at(entry->index)->syntax
                             : entry->kind == KIND_PLUGIN ? plugin_at(entry->index)->syntax
                                                          : operator_at(entry->index)->syntax;
        if (syntax != NULL) printf("  %s\n", syntax);
    }
}

static rf_str nth_name(const void *state, size_t index)
{
    (void)state;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t count = kind_count((enum kind)kind);
        if (index < count) return rf_str_of(entry_at((enum kind)kind, index).name);
        index -= count;
    }
    return (rf_str){NULL, 0};
}

static int tell(const char *name)
{
    size_t found = 0, total = 0;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        size_t count = kind_count((enum kind)kind);
        total += count;
        for (size_t i = 0; i < count; i++) {
            struct entry entry = entry_at((enum kind)kind, i);
            if (strcmp(entry.name, name) != 0) continue;
            if (found++ > 0) putchar('\n');
            print_detail(&entry);
        }
    }
    if (found > 0) return CLI_OK;
    rf_str near;
    if (rf_nearest(rf_str_of(name), total, nth_name, NULL, &near) != NULL)
        cli_say("there is no function, aggregation, operator or plugin '%s'; did you mean '%.*s'?",
                name, RF_FMT(near));
    else
        cli_say("there is no function, aggregation, operator or plugin '%s'", name);
    return CLI_FAILED;
}

/* The whole language, as data. */
static int write_language(bool json)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, (size_t)16 << 20);
    struct rf_buf out = rf_buf_in(&arena);
    if (!(json ? cli_language_json(&out) : cli_language_markdown(&out))) {
        cli_say("no memory for the list");
        return CLI_FAILED;
    }
    fwrite(out.ptr, 1, out.len, stdout);
    return CLI_OK;
}

int cli_functions(int argc, char **argv)
{
    const char *name = NULL, *format = "text";
    int only = -1;
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        switch (at) {
        case OPT_KIND:
            for (int kind = 0; kind < KIND_COUNT; kind++)
                if (strcmp(line.value, kind_names[kind]) == 0) only = kind;
            if (only < 0)
                return cli_wrong(&usage,
                                 "--kind: '%s' is not one of functions, special functions, "
                                 "aggregations, operators, plugins and commands",
                                 line.value);
            break;
        case OPT_FORMAT:
            format = line.value;
            if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0 &&
                strcmp(format, "markdown") != 0)
                return cli_wrong(&usage, "--format: '%s' is not text, json or markdown", format);
            break;
        case CLI_WORD:
            if (name != NULL) return cli_wrong(&usage, "one name at a time");
            name = line.value;
            break;
        case CLI_HELP:
            return CLI_OK;
        default:
            return CLI_WRONG_USE;
        }
    }
    if (strcmp(format, "text") != 0) {
        if (name != NULL || only >= 0)
            return cli_wrong(&usage, "json and markdown list everything: no NAME and no --kind");
        return write_language(strcmp(format, "json") == 0);
    }
    if (name != NULL) return tell(name);
    int status = CLI_OK;
    for (int kind = 0; kind < KIND_COUNT && status == CLI_OK; kind++) {
        if (only >= 0 && only != kind) continue;
        if (kind > 0 && only < 0) putchar('\n');
        status = list_kind((enum kind)kind);
    }
    return status;
}
