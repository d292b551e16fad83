/* cli_vault.h - what the commands over a vault's secrets, keys and certificates share: their lines, where the vault is, how it is
 * called, how objects are shown, and how values come in and go out.
 *
 * A value is never an argument: it comes from standard input, a file or a prompt. It goes out on standard output when that was asked
 * for (--show), or into a file of mode 0600 that was not there before (--force: or that is replaced). All memory that a command uses is
 * overwritten at its end. */
#ifndef RF_CLI_VAULT_H
#define RF_CLI_VAULT_H

#include "cli/cli_format.h"
#include "cli/cli_options.h"
#include "cli/cli_server.h"

/* ---- where and how ------------------------------------------------------------------------------------------------ */

/* A vault of a server. */
struct cli_vault_at {
    struct cli_server *server;
    struct rf_arena *arena;
    rf_str base; /* "https://HOST:PORT" */
};
/* Fills in `base`. `vault` is a URL, a name, or empty: the server's default vault. A name is looked for below the domain that the login
 * knows, else among the vaults that the caller may list, else below the server's own name.
 * Errors: RF_INVALID BadVault, BadServer. */
RF_MUST_USE enum rf_kind cli_vault_find(struct cli_vault_at *at, rf_str vault, struct rf_err *err);
/* One call. `path` begins with '/' and may have a query; `body` NULL: none; *out NULL when the answer has no body; `out` may be NULL. */
RF_MUST_USE enum rf_kind cli_vault_ask(const struct cli_vault_at *at, const char *method,
                                       rf_str path, const struct json_node *body,
                                       struct json_node **out, struct rf_err *err);
/* All pages of a list as one array. */
RF_MUST_USE enum rf_kind cli_vault_pages(const struct cli_vault_at *at, rf_str path,
                                         struct json_node **out, struct rf_err *err);
/* "/COLLECTION/NAME" and, unless ptr is NULL, "/VERSION" and what comes behind ("/backup"; may be NULL).
 * RF_INVALID BadName: letters, digits and '-' make a name, 32 hex digits a version. */
RF_MUST_USE enum rf_kind cli_vault_path(struct rf_arena *arena, const char *collection, rf_str name,
                                        rf_str version, const char *behind, rf_str *out,
                                        struct rf_err *err);
/* What a version of a secret holds, with its type, as the vault answers it. Empty version: the latest. */
RF_MUST_USE enum rf_kind cli_vault_secret(const struct cli_vault_at *at, rf_str name,
                                          rf_str version, struct json_node **out,
                                          struct rf_err *err);
/* The newest of a list of versions (by "created", then by its place); NULL when it is empty. */
struct json_node *cli_vault_newest(const struct json_node *versions);
/* All vaults that the caller may list, over all subscriptions: an array of resources. */
RF_MUST_USE enum rf_kind cli_vault_all(struct cli_server *server, struct rf_arena *arena,
                                       struct json_node **out, struct rf_err *err);
/* Name and version in an object's id (".../secrets/NAME/VERSION"); version empty when there is none. */
void cli_vault_id(const struct json_node *item, rf_str *name, rf_str *version);

/* ---- values ----------------------------------------------------------------------------------------------------------- */

enum { CLI_VAULT_VALUE_MAX = 8 << 20 };
/* A file, or standard input (NULL or "-"). RF_LIMIT FileTooLarge. */
RF_MUST_USE enum rf_kind cli_vault_read(const char *path, struct rf_arena *arena, rf_str *out,
                                        struct rf_err *err);
/* A line that is typed without being shown, asked for twice when `twice`; a line of standard input when that is no terminal. */
RF_MUST_USE enum rf_kind cli_vault_type(const char *prompt, bool twice, struct rf_arena *arena,
                                        rf_str *out, struct rf_err *err);
/* RF_CONFLICT FileExists when the file is there and `force` is not given. Asked before what can be had once only. */
RF_MUST_USE enum rf_kind cli_vault_may_write(const char *path, bool force, struct rf_err *err);
/* Writes a file of that mode, on the disk when it returns. */
RF_MUST_USE enum rf_kind cli_vault_write(const char *path, rf_str text, unsigned mode, bool force,
                                         struct rf_err *err);
/* "2027-01-31T12:00", "P90D" (from now): seconds since 1970. */
bool cli_vault_time(const char *text, int64_t *out);
/* "2027-01-31T12:00:00Z" in `arena`; empty for 0 and below. */
rf_str cli_vault_iso(struct rf_arena *arena, int64_t seconds);

/* ---- references ------------------------------------------------------------------------------------------------------ */

/* secret://VAULT/NAME[/VERSION]; VAULT empty: the default vault. */
struct cli_secret_ref {
    rf_str vault, name, version;
};
/* Views of `text`. RF_INVALID BadReference. */
RF_MUST_USE enum rf_kind cli_secret_ref_parse(rf_str text, struct cli_secret_ref *out,
                                              struct rf_err *err);
/* The value; in `arena`. `vault` (may be NULL) stands in for an empty one. */
RF_MUST_USE enum rf_kind cli_secret_ref_get(struct cli_server *server, const char *vault,
                                            const struct cli_secret_ref *ref,
                                            struct rf_arena *arena, rf_str *out,
                                            struct rf_err *err);

/* ---- commands of verbs: secret, key, cert ------------------------------------------------------------------------------- */

enum { CLI_VAULT_OPTIONS_MAX = 64, CLI_VAULT_MANY_MAX = 256, CLI_VAULT_WORDS_MAX = 5 };
struct cli_vault;
struct cli_vault_verb {
    const char *name;  /* "list"; "issuer set" is two words */
    const char *words; /* behind it, for the help */
    uint32_t words_min, words_max;
    uint64_t options; /* those of the command's own that it takes, a bit each */
    enum rf_kind (*run)(struct cli_vault *v, struct rf_err *err);
    const char *doc;
};
struct cli_vault_command {
    struct cli_usage usage; /* its doc is followed by the verbs */
    const struct cli_vault_verb *verbs;
    size_t verb_count;
    int common; /* index of the first of CLI_VAULT_OPTIONS */
    uint64_t repeated;
    const char *kind, *collection; /* "secret", "secrets" */
};
#define CLI_VAULT_BIT(option) (UINT64_C(1) << (option))
#define CLI_VAULT_OPTIONS(first)                                                                   \
    CLI_SERVER_OPTIONS(first),                                                                     \
        [first + 3] = {"vault", "NAME",                                                            \
                       "the vault: its name or URL; the server's default vault "                   \
                       "unless given"},                                                            \
                 [first + 4] = {"format", "FORMAT",                                                \
                                "table, csv, markdown, json or jsonl (all that "                   \
                                "the vault says)"},                                                \
                 [first + 5] = {"output", "FORMAT", "the same as --format"}
enum { CLI_VAULT_OPTION_COUNT = 6 };

struct cli_vault {
    const struct cli_vault_command *command;
    const struct cli_vault_verb *verb;
    const char *values[CLI_VAULT_OPTIONS_MAX]; /* "" for a switch; NULL: not given */
    struct {
        int option;
        const char *value;
    } many[CLI_VAULT_MANY_MAX]; /* of options that may be repeated, in their order */
    uint32_t many_count;
    const char *words[CLI_VAULT_WORDS_MAX]; /* behind the verb */
    uint32_t word_count;
    struct cli_server_args server;
    const char *place; /* --vault */
    enum cli_format format;
    struct cli_vault_at at;
    struct rf_arena *arena;
};
/* The whole of a command: reads the line, finds the vault, runs the verb. Gives an enum cli_exit. */
int cli_vault_main(const struct cli_vault_command *command, int argc, char **argv);
/* A fault of the line that shows late: tells it; cli_vault_main then ends with CLI_WRONG_USE. */
enum rf_kind cli_vault_wrong(const struct cli_vault *v, struct rf_err *err, const char *fmt, ...)
    RF_PRINTF(3, 4);

/* Prints objects: the vault's own items in JSON, else rows of name, version and attributes. `version`: they are versions. */
RF_MUST_USE enum rf_kind cli_vault_print(const struct cli_vault *v, const struct json_node *items,
                                         struct rf_err *err);
/* The same for one. */
RF_MUST_USE enum rf_kind cli_vault_print_one(const struct cli_vault *v,
                                             const struct json_node *item, struct rf_err *err);
/* "attributes" and "tags" of a new object from --expires, --not-before, --disabled, --tag; options below 0 are not there. */
struct cli_vault_attributes {
    int expires, not_before, disabled, tag;
};
RF_MUST_USE enum rf_kind cli_vault_attributes(const struct cli_vault *v,
                                              const struct cli_vault_attributes *options,
                                              struct json_node *body, struct rf_err *err);
/* Verbs that are the same for all kinds (cli_vault_items.c); those with options know them by their names. */
enum rf_kind cli_vault_list(struct cli_vault *v, struct rf_err *err); /* --deleted */
enum rf_kind cli_vault_versions(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_vault_delete(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_vault_recover(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_vault_purge(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_vault_backup(struct cli_vault *v, struct rf_err *err);  /* --out, --force */
enum rf_kind cli_vault_restore(struct cli_vault *v, struct rf_err *err); /* --file */
enum rf_kind cli_vault_enable(struct cli_vault *v, struct rf_err *err);  /* --version */
enum rf_kind cli_vault_disable(struct cli_vault *v, struct rf_err *err);
/* The value of an option of the command by its name; NULL: not given. */
const char *cli_vault_option(const struct cli_vault *v, const char *name);
static inline rf_str cli_vault_text(const char *value) /* empty for NULL */
{
    return value == NULL ? (rf_str){NULL, 0} : rf_str_of(value);
}

#endif
