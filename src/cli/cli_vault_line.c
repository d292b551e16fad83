/* cli_vault_line.c - lines of the commands that have verbs, and what frames each of them. */
#include <stdarg.h>
#include <stdio.h>

#include "base/wipe.h"
#include "cli/cli.h"
#include "cli/cli_vault.h"

enum { ARENA_BYTES_MAX = 512 << 20 };

/* ---- verbs ---------------------------------------------------------------------------------------------------------- */

/* How many words of the line the verb's name takes; 0: it is another. */
static uint32_t fits(const struct cli_vault_verb *verb, const char *const *words, uint32_t count)
{
    const char *blank = strchr(verb->name, ' ');
    size_t first = blank == NULL ? strlen(verb->name) : (size_t)(blank - verb->name);
    if (count == 0 || strlen(words[0]) != first || strncmp(words[0], verb->name, first) != 0)
        return 0;
    if (blank == NULL) return 1;
    return count > 1 && strcmp(words[1], blank + 1) == 0 ? 2 : 0;
}

static const struct cli_vault_verb *find_verb(const struct cli_vault_command *command,
                                              const char *const *words, uint32_t count,
                                              uint32_t *taken)
{
    for (size_t i = 0; i < command->verb_count; i++) {
        *taken = fits(&command->verbs[i], words, count);
        if (*taken > 0) return &command->verbs[i];
    }
    return NULL;
}

static int unknown_verb(const struct cli_usage *usage, const struct cli_vault_command *command,
                        const char *word)
{
    const char *names[64];
    size_t count = RF_MIN(command->verb_count, RF_COUNT(names));
    for (size_t i = 0; i < count; i++) names[i] = command->verbs[i].name;
    const char *near = cli_nearest(word, names, count);
    if (near == NULL) return cli_wrong(usage, "'%s' is nothing that it can do", word);
    return cli_wrong(usage, "'%s' is nothing that it can do; did you mean '%s'?", word, near);
}

/* The verbs behind what the command says of itself. */
static const char *help_of(const struct cli_vault_command *command, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    size_t width = 0;
    for (size_t i = 0; i < command->verb_count; i++) {
        const struct cli_vault_verb *verb = &command->verbs[i];
        width = RF_MAX(width, strlen(verb->name) + 1 + strlen(verb->words));
    }
    rf_buf_printf(&buf, "%s\n", command->usage.doc);
    for (size_t i = 0; i < command->verb_count; i++) {
        const struct cli_vault_verb *verb = &command->verbs[i];
        int len = (int)(strlen(verb->name) + 1 + strlen(verb->words));
        rf_buf_printf(&buf, "\n  %s %s%*s  %s", verb->name, verb->words, (int)width - len, "",
                      verb->doc);
    }
    rf_buf_byte(&buf, '\0');
    return buf.failed ? command->usage.doc : (const char *)buf.ptr;
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static int take_common(struct cli_vault *v, const struct cli_usage *usage, int at,
                       const char *value)
{
    int first = v->command->common;
    if (cli_server_option(at, first, value, &v->server)) return CLI_OK;
    if (at == first + CLI_SERVER_OPTION_COUNT) {
        v->place = value;
        return CLI_OK;
    }
    if (cli_format_parse(value, &v->format) && v->format != CLI_CHART) return CLI_OK;
    return cli_wrong(usage, "--%s: '%s' is not table, json, jsonl, csv or markdown",
                     usage->options[at].name, value);
}

static int take_own(struct cli_vault *v, const struct cli_usage *usage, int at, const char *value)
{
    v->values[at] = value == NULL ? "" : value;
    if ((v->command->repeated & CLI_VAULT_BIT(at)) == 0) return CLI_OK;
    if (v->many_count == CLI_VAULT_MANY_MAX)
        return cli_wrong(usage, "there are more than %d options", CLI_VAULT_MANY_MAX);
    v->many[v->many_count].option = at;
    v->many[v->many_count++].value = value;
    return CLI_OK;
}

static int check_line(struct cli_vault *v, const struct cli_usage *usage, const char *const *words,
                      uint32_t count)
{
    uint32_t taken;
    if (count == 0) return cli_wrong(usage, "say what to do, such as 'list'");
    v->verb = find_verb(v->command, words, count, &taken);
    if (v->verb == NULL) return unknown_verb(usage, v->command, words[0]);
    v->word_count = count - taken;
    for (uint32_t i = 0; i < v->word_count; i++) v->words[i] = words[taken + i];
    if (v->word_count < v->verb->words_min)
        return cli_wrong(usage, "%s needs %s", v->verb->name, v->verb->words);
    if (v->word_count > v->verb->words_max)
        return cli_wrong(usage, "'%s' is not expected", v->words[v->word_count - 1]);
    for (int i = 0; i < v->command->common; i++)
        if (v->values[i] != NULL && (v->verb->options & CLI_VAULT_BIT(i)) == 0)
            return cli_wrong(usage, "'%s' has no --%s", v->verb->name, usage->options[i].name);
    return CLI_OK;
}

static int read_line(struct cli_vault *v, const struct cli_usage *usage, int argc, char **argv)
{
    const char *words[CLI_VAULT_WORDS_MAX + 1];
    uint32_t count = 0;
    struct cli_line line = cli_line_of(usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        int status = CLI_OK;
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) {
            if (count == CLI_VAULT_WORDS_MAX)
                return cli_wrong(usage, "'%s' is not expected", line.value);
            words[count++] = line.value;
        } else {
            status = at >= v->command->common ? take_common(v, usage, at, line.value)
                                              : take_own(v, usage, at, line.value);
        }
        if (status != CLI_OK) return status;
    }
    return check_line(v, usage, words, count);
}

const char *cli_vault_option(const struct cli_vault *v, const char *name)
{
    for (int i = 0; i < v->command->common; i++)
        if (strcmp(v->command->usage.options[i].name, name) == 0) return v->values[i];
    return NULL;
}

/* ---- the frame --------------------------------------------------------------------------------------------------------- */

static const char wrong_line[] = "WrongLine";

enum rf_kind cli_vault_wrong(const struct cli_vault *v, struct rf_err *err, const char *fmt, ...)
{
    char text[500];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return RF_FAIL(err, RF_INVALID, wrong_line, "%s: %s", v->verb->name, text);
}

static enum rf_kind run_verb(struct cli_vault *v, struct rf_err *err)
{
    v->at.arena = v->arena;
    RF_TRY(cli_server_open(&v->server, &v->at.server, err));
    enum rf_kind kind = cli_vault_find(&v->at, cli_vault_text(v->place), err);
    if (kind == RF_OK) kind = v->verb->run(v, err);
    cli_server_close(v->at.server);
    return kind;
}

int cli_vault_main(const struct cli_vault_command *command, int argc, char **argv)
{
    RF_CLEANUP(rf_arena_wipe) struct rf_arena arena;
    rf_arena_init(&arena, ARENA_BYTES_MAX);
    struct cli_vault v = {.command = command, .format = CLI_FORMAT_COUNT, .arena = &arena};
    struct rf_err err = {.code = ""};
    struct cli_usage usage = command->usage;
    usage.doc = help_of(command, &arena);
    RF_ASSERT(command->usage.option_count <= CLI_VAULT_OPTIONS_MAX);
    int status = read_line(&v, &usage, argc, argv);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    if (run_verb(&v, &err) == RF_OK) return CLI_OK;
    if (err.code == wrong_line) return cli_wrong(&usage, "%s", err.text);
    return cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
