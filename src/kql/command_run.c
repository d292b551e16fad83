/* command_run.c - which part of the program does what a command says; scripts of several. */
#include "base/encode.h"
#include "kql/command_int.h"

enum rf_kind command_not_here(const struct command *c, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "NotSupported", "'%s' is not offered here", c->entry->syntax);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------- */

/* A command of a script begins at a line that begins with a dot and a letter. */
static size_t command_end(rf_str script, size_t from)
{
    bool fenced = false;
    for (size_t at = from; at < script.len; at++) {
        if (rf_str_starts(rf_slice(script, at, script.len), RF_S("```"))) {
            fenced = !fenced;
            at += 2;
            continue;
        }
        if (script.ptr[at] != '\n' || fenced) continue;
        size_t line = at + 1;
        while (line < script.len && (script.ptr[line] == ' ' || script.ptr[line] == '\t')) line++;
        if (line + 1 < script.len && script.ptr[line] == '.' && rf_is_alpha(script.ptr[line + 1]))
            return at + 1;
    }
    return script.len;
}

/* Lines of comments in front of the next command are not the end of this one. */
static rf_str without_comments_behind(rf_str text)
{
    for (;;) {
        text = rf_str_trim(text);
        size_t line = text.len;
        while (line > 0 && text.ptr[line - 1] != '\n') line--;
        rf_str last = rf_str_trim(rf_slice(text, line, text.len));
        if (!rf_str_starts(last, RF_S("//")) || line == 0) return text;
        text = rf_slice(text, 0, line);
    }
}

static void add_outcome(struct command_host *h, const struct command *c, rf_str text,
                        const char *result, const char *reason, struct command_rows *out)
{
    rf_str type = {NULL, 0}, copy;
    if (c->entry != NULL) type = rf_str_of(c->entry->syntax + 1);
    size_t slot = RF_MIN(rf_str_find(type, RF_S("<"), 0), rf_str_find(type, RF_S("["), 0));
    type = rf_str_trim(rf_slice(type, 0, RF_MIN(slot, type.len)));
    if (!rf_arena_str(h->arena, rf_str_of(reason), &copy)) copy = (rf_str){NULL, 0};
    rf_str id = guid_random(h->arena);
    command_rows_add(out, (struct value[]){command_guid(id), value_str(type), value_str(text),
                                           command_literal(result), value_str(copy)});
}

static enum rf_kind run_script(struct command_host *h, const struct command *c,
                               struct command_rows *out, struct rf_err *err)
{
    bool goes_on = command_flag(c, "ContinueOnErrors"), throws = command_flag(c, "ThrowOnErrors");
    bool failed = false;
    uint32_t count = 0;
    size_t start;
    if (goes_on && throws)
        return RF_FAIL(err, RF_INVALID, "BadRequest",
                       "ContinueOnErrors and ThrowOnErrors do not go together");
    if (!command_is(c->body, &start))
        return RF_FAIL(err, RF_INVALID, "SyntaxError", "a script is made of commands");
    command_rows_init(out, h->arena,
                      "OperationId:guid, CommandType:string, CommandText:string, Result:string, "
                      "Reason:string");
    for (size_t at = start; at < c->body.len;) {
        size_t end = command_end(c->body, at);
        rf_str text = without_comments_behind(rf_slice(c->body, at, end));
        struct command one = {0};
        struct command_rows ignored;
        struct rf_err why = {0};
        if (count++ == COMMAND_SCRIPT_MAX)
            return RF_FAIL(err, RF_LIMIT, "BadRequest", "a script has at most %d commands",
                           COMMAND_SCRIPT_MAX);
        at = end;
        if (failed && !goes_on) {
            add_outcome(h, &one, text, "Skipped", "", out);
            continue;
        }
        enum rf_kind kind = command_parse(text, h->arena, &one, &why);
        bool shows = kind == RF_OK && !command_changes(&one) && one.verb != COMMAND_REFUSED;
        if (kind == RF_OK && one.verb == COMMAND_SCRIPT)
            kind = RF_FAIL(&why, RF_INVALID, "BadRequest", "a script runs no scripts");
        if (kind == RF_OK && !shows) kind = command_run(h, &one, &ignored, &why);
        if (kind != RF_OK && throws) {
            if (err != NULL) *err = why;
            return kind;
        }
        failed |= kind != RF_OK;
        add_outcome(h, &one, text,
                    kind != RF_OK ? "Failed"
                    : shows       ? "Skipped"
                                  : "Completed",
                    kind != RF_OK ? why.text : "", out);
    }
    return RF_OK;
}

/* ---- one command ------------------------------------------------------------------------------------------------- */

static enum rf_kind dispatch(struct command_host *h, const struct command *c,
                             struct command_rows *out, struct rf_err *err)
{
    switch (c->verb) {
    case COMMAND_INGEST_INLINE:
    case COMMAND_SET:
    case COMMAND_APPEND:
    case COMMAND_SET_APPEND:
    case COMMAND_SET_REPLACE:
        return command_fill(h, c, out, err);
    case COMMAND_PURGE:
    case COMMAND_PURGE_ALL:
        return command_purge_run(h, c, out, err);
    case COMMAND_SCRIPT:
        return run_script(h, c, out, err);
    default:
        return command_changes(c) ? command_change(h, c, out, err) : command_show(h, c, out, err);
    }
}

enum rf_kind command_run(struct command_host *h, const struct command *c, struct command_rows *out,
                         struct rf_err *err)
{
    bool known = false;
    if (c->verb == COMMAND_REFUSED)
        return RF_FAIL(err, RF_INVALID, "NotSupported", "%s", c->entry->doc);
    if ((c->entry->where & h->where) == 0) return command_not_here(c, err);
    const struct command *outer = h->command;
    enum rf_kind kind = RF_OK;
    h->command = c;
    if (h->ops->other != NULL) kind = h->ops->other(h, c, out, &known, err);
    if (kind == RF_OK && !known) kind = dispatch(h, c, out, err);
    h->command = outer;
    RF_TRY(kind);
    return out->failed ? rf_fail_memory(err, out->arena) : RF_OK;
}
