/* cli_secret.c - ringfort secret: the secrets of a vault. */
#include <stdio.h>
#include <unistd.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_secret.h"
#include "cli/cli_text.h"
#include "cli/cli_vault.h"
#include "value/value.h"

enum {
    OPT_FILE,
    OPT_TYPE,
    OPT_TAG,
    OPT_EXPIRES,
    OPT_NOT_BEFORE,
    OPT_DISABLED,
    OPT_VERSION,
    OPT_SHOW,
    OPT_OUT,
    OPT_FORCE,
    OPT_DELETED,
    OPT_TTL,
    OPT_COMMON
};
static const struct cli_option options[] = {
    [OPT_FILE] = {"file", "FILE", "set: every byte of this file is the value; restore: the backup"},
    [OPT_TYPE] = {"content-type", "TYPE", "set: what the value is, such as text/plain"},
    [OPT_TAG] = {"tag", "NAME=VALUE", "set: a tag; may be repeated"},
    [OPT_EXPIRES] = {"expires", "TIME", "set: 2027-01-31T12:00 (UTC), or P90D from now"},
    [OPT_NOT_BEFORE] = {"not-before", "TIME", "set: from when it is good"},
    [OPT_DISABLED] = {"disabled", NULL, "set: nobody may read it yet"},
    [OPT_VERSION] = {"version", "V", "get, enable, disable, wrap: this version, not the latest"},
    [OPT_SHOW] = {"show", NULL, "get, unwrap: print the value; diff: print the lines that differ"},
    [OPT_OUT] = {"out", "FILE", "get, unwrap: write the value there, mode 0600; backup: where to"},
    [OPT_FORCE] = {"force", NULL, "write over FILE when it is there"},
    [OPT_DELETED] = {"deleted", NULL, "list: those that are deleted and not purged yet"},
    [OPT_TTL] = {"ttl", "TIME", "wrap: how long the token is good, such as PT1H (PT10M)"},
    CLI_VAULT_OPTIONS(OPT_COMMON),
};

/* ---- set -------------------------------------------------------------------------------------------------------------- */

/* A terminal is asked; of a pipe one line end at the end is no part of the value; a file is taken as it is. */
static enum rf_kind read_value(struct cli_vault *v, rf_str *out, struct rf_err *err)
{
    const char *file = v->values[OPT_FILE];
    if (file == NULL && isatty(STDIN_FILENO))
        return cli_vault_type("value: ", true, v->arena, out, err);
    RF_TRY(cli_vault_read(file, v->arena, out, err));
    if (file == NULL && rf_str_ends(*out, RF_S("\n"))) out->len--;
    if (file == NULL && rf_str_ends(*out, RF_S("\r"))) out->len--;
    return RF_OK;
}

static enum rf_kind set(struct cli_vault *v, struct rf_err *err)
{
    rf_str path, value = {NULL, 0};
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *made;
    const struct cli_vault_attributes attributes = {OPT_EXPIRES, OPT_NOT_BEFORE, OPT_DISABLED,
                                                    OPT_TAG};
    RF_TRY(cli_vault_path(v->arena, "secrets", rf_str_of(v->words[0]), (rf_str){NULL, 0}, NULL,
                          &path, err));
    RF_TRY(cli_vault_attributes(v, &attributes, body, err));
    RF_TRY(read_value(v, &value, err));
    if (value.len == 0) return RF_FAIL(err, RF_INVALID, "NoValue", "the value is empty");
    if (!rf_utf8_valid(value))
        return RF_FAIL(err, RF_INVALID, "BadValue",
                       "the value is no text (UTF-8); a vault keeps texts, so encode it first: "
                       "base64 FILE | ringfort secret set %s",
                       v->words[0]);
    json_set_text(v->arena, body, "value", value);
    if (v->values[OPT_TYPE] != NULL)
        json_set_text(v->arena, body, "contentType", rf_str_of(v->values[OPT_TYPE]));
    RF_TRY(cli_vault_ask(&v->at, "PUT", path, body, &made, err));
    json_remove(made, RF_S("value"));
    return cli_vault_print_one(v, made, err);
}

/* ---- get -------------------------------------------------------------------------------------------------------------- */

/* A terminal is not steered by what a secret holds. */
static void show_on_terminal(rf_str value)
{
    for (size_t at = 0; at < value.len;) {
        size_t to = RF_MIN(rf_str_find(value, RF_S("\n"), at), value.len);
        (void)cli_text_print(stdout, rf_slice(value, at, to), UINT32_MAX);
        putchar('\n');
        at = to + 1;
    }
}

static enum rf_kind give(struct cli_vault *v, rf_str value, struct rf_err *err)
{
    const char *out = v->values[OPT_OUT];
    if (out != NULL) return cli_vault_write(out, value, 0600, v->values[OPT_FORCE] != NULL, err);
    /* The value and nothing else, so that $(...) has it. */
    if (cli_is_terminal(stdout))
        show_on_terminal(value);
    else
        (void)fwrite(value.ptr, 1, value.len, stdout);
    return RF_OK;
}

static enum rf_kind may_give(struct cli_vault *v, struct rf_err *err)
{
    if (v->values[OPT_SHOW] != NULL && v->values[OPT_OUT] != NULL)
        return cli_vault_wrong(v, err, "--show or --out, not both");
    if (v->values[OPT_OUT] == NULL) return RF_OK;
    return cli_vault_may_write(v->values[OPT_OUT], v->values[OPT_FORCE] != NULL, err);
}

enum rf_kind cli_secret_meta(struct cli_vault *v, rf_str name, rf_str version,
                             struct json_node **out, struct rf_err *err)
{
    rf_str path, own_name, own_version;
    struct json_node *list, *found = NULL;
    RF_TRY(cli_vault_path(v->arena, "secrets", name, (rf_str){NULL, 0}, "/versions", &path, err));
    RF_TRY(cli_vault_pages(&v->at, path, &list, err));
    if (version.len == 0) found = cli_vault_newest(list);
    for (struct json_node *s = list->first; s != NULL && version.len > 0; s = s->next) {
        cli_vault_id(s, &own_name, &own_version);
        if (rf_str_eq_nocase(own_version, version)) found = s;
    }
    if (found == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "SecretNotFound", "the secret '%.*s' has no version %.*s",
                       RF_FMT(name), RF_FMT(version));
    *out = found;
    return RF_OK;
}

/* Without --show and --out the value is not even asked for: no right to it is needed, and nobody counts it as read. */
static enum rf_kind get(struct cli_vault *v, struct rf_err *err)
{
    struct json_node *secret;
    rf_str name = rf_str_of(v->words[0]), version = cli_vault_text(v->values[OPT_VERSION]);
    RF_TRY(may_give(v, err));
    if (v->values[OPT_SHOW] == NULL && v->values[OPT_OUT] == NULL) {
        RF_TRY(cli_secret_meta(v, name, version, &secret, err));
        return cli_vault_print_one(v, secret, err);
    }
    RF_TRY(cli_vault_secret(&v->at, name, version, &secret, err));
    return give(v, json_text_at(secret, "value"), err);
}

/* ---- wrap -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind wrap(struct cli_vault *v, struct rf_err *err)
{
    int64_t ticks = 600 * TICKS_PER_SECOND, expires = 0;
    rf_str path, version = cli_vault_text(v->values[OPT_VERSION]);
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *answer;
    if (v->values[OPT_TTL] != NULL &&
        (!cli_parse_duration(rf_str_of(v->values[OPT_TTL]), &ticks) || ticks < TICKS_PER_SECOND))
        return cli_vault_wrong(v, err, "--ttl: '%s' is no duration, such as PT1H or P1D",
                               v->values[OPT_TTL]);
    RF_TRY(cli_vault_path(v->arena, "secrets", rf_str_of(v->words[0]),
                          version.len > 0 ? version : RF_S(""), "/wrap", &path, err));
    if (json_set_i64(v->arena, body, "ttl", ticks / TICKS_PER_SECOND) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "POST", path, body, &answer, err));
    printf("%.*s\n", RF_FMT(json_text_at(answer, "token")));
    (void)json_i64_at(answer, "expires", &expires);
    cli_say("the token opens the secret once, until %.*s: ringfort secret unwrap --show",
            RF_FMT(cli_vault_iso(v->arena, expires)));
    return RF_OK;
}

/* What can go wrong here is looked at before the token is used up. */
static enum rf_kind unwrap(struct cli_vault *v, struct rf_err *err)
{
    rf_str token;
    struct json_node *body = json_new(v->arena, JSON_T_OBJECT), *answer;
    if (v->values[OPT_SHOW] == NULL && v->values[OPT_OUT] == NULL)
        return cli_vault_wrong(v, err, "--show or --out FILE is needed: the token opens it once");
    RF_TRY(may_give(v, err));
    RF_TRY(cli_vault_type("token: ", false, v->arena, &token, err));
    if (json_set_text(v->arena, body, "token", rf_str_trim(token)) == NULL)
        return rf_fail_memory(err, v->arena);
    RF_TRY(cli_vault_ask(&v->at, "POST", RF_S("/unwrap"), body, &answer, err));
    return give(v, json_text_at(answer, "value"), err);
}

static enum rf_kind diff(struct cli_vault *v, struct rf_err *err)
{
    return cli_secret_diff(v, v->values[OPT_SHOW] != NULL, err);
}

/* ---- the command --------------------------------------------------------------------------------------------------------- */

#define B(name) CLI_VAULT_BIT(OPT_##name)
static const struct cli_vault_verb verbs[] = {
    {"set", "NAME", 1, 1, B(FILE) | B(TYPE) | B(TAG) | B(EXPIRES) | B(NOT_BEFORE) | B(DISABLED),
     set, "a new version; the value is read from standard input, --file or a prompt"},
    {"get", "NAME", 1, 1, B(VERSION) | B(SHOW) | B(OUT) | B(FORCE), get,
     "what is known of it; its value with --show or --out only"},
    {"list", "", 0, 0, B(DELETED), cli_vault_list, "the secrets of the vault"},
    {"versions", "NAME", 1, 1, 0, cli_vault_versions, "its versions, the latest last"},
    {"diff", "NAME [V1 V2]", 1, 3, B(SHOW), diff,
     "what changed between two versions, the latest two unless given"},
    {"enable", "NAME", 1, 1, B(VERSION), cli_vault_enable, "it may be read"},
    {"disable", "NAME", 1, 1, B(VERSION), cli_vault_disable, "it may not"},
    {"delete", "NAME", 1, 1, 0, cli_vault_delete, "with all its versions; recover brings it back"},
    {"recover", "NAME", 1, 1, 0, cli_vault_recover, "brings it back"},
    {"purge", "NAME", 1, 1, 0, cli_vault_purge, "destroys one that is deleted"},
    {"backup", "NAME", 1, 1, B(OUT) | B(FORCE), cli_vault_backup, "all versions, sealed"},
    {"restore", "", 0, 0, B(FILE), cli_vault_restore, "what backup wrote"},
    {"wrap", "NAME", 1, 1, B(VERSION) | B(TTL), wrap, "a token that opens it once"},
    {"unwrap", "", 0, 0, B(SHOW) | B(OUT) | B(FORCE), unwrap,
     "what a token opens, which is read from standard input"},
};
static const struct cli_vault_command command = {
    .usage = {.command = "secret",
              .words = "VERB [NAME]",
              .doc = "Sets, reads and keeps the secrets of a vault. Values are never arguments and "
                     "are shown only when that\nis asked for.",
              .options = options,
              .option_count = RF_COUNT(options),
              .notes = "  ringfort secret set db-password --expires P90D <password.txt\n"
                       "  ringfort secret get db-password --show\n"
                       "  ringfort secret wrap db-password --ttl PT1H\n"},
    .verbs = verbs,
    .verb_count = RF_COUNT(verbs),
    .common = OPT_COMMON,
    .repeated = B(TAG),
    .kind = "secret",
    .collection = "secrets",
};

int cli_secret(int argc, char **argv) { return cli_vault_main(&command, argc, argv); }
