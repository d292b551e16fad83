/* command_int.h - what the files of management commands share. */
#ifndef RF_COMMAND_INT_H
#define RF_COMMAND_INT_H

#include "kql/command.h"

/* ---- command_show.c ---- */
RF_MUST_USE enum rf_kind command_show(struct command_host *h, const struct command *c,
                                      struct command_rows *out, struct rf_err *err);
/* The table that remain, as .show tables gives them. */
RF_MUST_USE enum rf_kind command_show_tables(struct command_host *h, const struct command *c,
                                             struct command_rows *out, struct rf_err *err);
void command_functions_init(struct command_rows *out, struct rf_arena *arena);
void command_functions_add(struct command_rows *out, const struct command_function *f);
/* "a:long,b:string"; names that are none of the language in ['..']. */
rf_str command_csl(struct rf_arena *arena, const struct ast_column *columns, uint32_t count);

/* ---- command_change.c ---- */
RF_MUST_USE enum rf_kind command_change(struct command_host *h, const struct command *c,
                                        struct command_rows *out, struct rf_err *err);

/* ---- command_fill.c: rows ---- */
RF_MUST_USE enum rf_kind command_fill(struct command_host *h, const struct command *c,
                                      struct command_rows *out, struct rf_err *err);
RF_MUST_USE enum rf_kind command_purge_run(struct command_host *h, const struct command *c,
                                           struct command_rows *out, struct rf_err *err);
RF_MUST_USE enum rf_kind command_show_purges(struct command_host *h, const struct command *c,
                                             struct command_rows *out, struct rf_err *err);

/* An error's place in `part`, a view of the command's text which was read with `before` further characters in front, becomes
 * its place in the command. */
void command_shift_error(const struct command *c, rf_str part, uint32_t before, struct rf_err *err);
/* RF_INVALID NotSupported. */
RF_MUST_USE enum rf_kind command_not_here(const struct command *c, struct rf_err *err);
#define command_no_table(name, err)                                                                \
    RF_FAIL((err), RF_NOT_FOUND, "BadRequest_EntityNotFound", "Table '%.*s' could not be found.",  \
            (int)RF_MIN((name).len, (size_t)100), (const char *)(name).ptr)
#define command_no_function(name, err)                                                             \
    RF_FAIL((err), RF_NOT_FOUND, "BadRequest_EntityNotFound",                                      \
            "Function '%.*s' could not be found.", (int)RF_MIN((name).len, (size_t)100),           \
            (const char *)(name).ptr)

#endif
