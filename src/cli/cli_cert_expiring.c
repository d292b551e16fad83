/* cli_cert_expiring.c - ringfort cert expiring: what ends soon, in all vaults that the caller may list. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "cli/cli_cert.h"
#include "cli/cli_list.h"

enum { DAYS_DEFAULT = 30, SECONDS_PER_DAY = 86400 };

struct search {
    struct cli_vault *v;
    struct cli_vault_at at;
    rf_str vault;
    int64_t now, until;
    struct json_node *rows;
    bool has_failed; /* something could not be asked */
};

static enum rf_kind take(struct search *s, const struct json_node *item, const char *kind,
                         struct rf_err *err)
{
    struct rf_arena *arena = s->v->arena;
    rf_str name, version;
    int64_t end;
    bool enabled = json_bool_at(json_get(item, "attributes"), "enabled", true);
    if (!json_i64_at(item, "attributes.exp", &end) || end > s->until) return RF_OK;
    /* Those behind a certificate end with it. */
    if (json_bool_at(item, "managed", false)) return RF_OK;
    cli_vault_id(item, &name, &version);
    struct json_node *row = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, row, "vault", s->vault);
    json_set_text(arena, row, "kind", rf_str_of(kind));
    json_set_text(arena, row, "name", name);
    json_set_text(arena, row, "expires", cli_vault_iso(arena, end));
    json_set_i64(arena, row, "days", (end - s->now) / SECONDS_PER_DAY);
    json_set_text(arena, row, "enabled", enabled ? RF_S("yes") : RF_S("no"));
    json_set_i64(arena, row, "end", end);
    return json_append(s->rows, row) == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* What the caller may not list, or where nobody answers, is told and left out. */
static enum rf_kind look_at(struct search *s, const char *collection, const char *kind,
                            struct rf_err *err)
{
    struct json_node *list;
    struct rf_err why = {.code = ""};
    rf_str path = rf_arena_printf(s->v->arena, "/%s", collection);
    if (path.ptr == NULL) return rf_fail_memory(err, s->v->arena);
    enum rf_kind result = cli_vault_pages(&s->at, path, &list, &why);
    if (result == RF_DENIED) {
        cli_say("warning: the %s of '%.*s' are not yours to list", collection, RF_FMT(s->vault));
        return RF_OK;
    }
    if (result != RF_OK) {
        cli_say("the %s of '%.*s': %s", collection, RF_FMT(s->vault), why.text);
        s->has_failed = true;
        return RF_OK;
    }
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        RF_TRY(take(s, item, kind, err));
    return RF_OK;
}

static enum rf_kind look_at_vault(struct search *s, struct rf_err *err)
{
    RF_TRY(look_at(s, "certificates", "certificate", err));
    RF_TRY(look_at(s, "secrets", "secret", err));
    return look_at(s, "keys", "key", err);
}

static enum rf_kind look_at_all(struct search *s, struct rf_err *err)
{
    struct json_node *vaults;
    RF_TRY(cli_vault_all(s->at.server, s->v->arena, &vaults, err));
    for (const struct json_node *vault = vaults->first; vault != NULL; vault = vault->next) {
        s->vault = json_text_at(vault, "name");
        s->at.base = cli_server_trim(json_text_at(vault, "properties.vaultUri"));
        RF_TRY(cli_server_check(s->at.base, err));
        RF_TRY(look_at_vault(s, err));
    }
    if (vaults->count > 0) return RF_OK;
    /* Who has no role over the vault's resource may still have one in the vault. */
    s->vault = RF_S("(default)");
    s->at.base = cli_server_site(s->at.server)->server;
    return look_at_vault(s, err);
}

static int by_end(const void *a, const void *b)
{
    const struct json_node *one = *(struct json_node *const *)a;
    const struct json_node *other = *(struct json_node *const *)b;
    int64_t left = 0, right = 0;
    (void)json_i64_at(one, "end", &left);
    (void)json_i64_at(other, "end", &right);
    return left < right ? -1 : left > right;
}

static enum rf_kind sorted(struct search *s, struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = s->v->arena;
    size_t count = 0;
    struct json_node **items = rf_arena_new(arena, struct json_node *, s->rows->count + 1);
    *out = json_new(arena, JSON_T_ARRAY);
    if (items == NULL || *out == NULL) return rf_fail_memory(err, arena);
    for (struct json_node *row = s->rows->first; row != NULL; row = row->next) items[count++] = row;
    qsort(items, count, sizeof *items, by_end);
    for (size_t i = 0; i < count; i++) {
        items[i]->next = NULL;
        json_remove(items[i], RF_S("end"));
    }
    for (size_t i = 0; i < count; i++) (void)json_append(*out, items[i]);
    return RF_OK;
}

enum rf_kind cli_cert_expiring(struct cli_vault *v, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("vault"), "vault", {0}, CLI_LIST_TEXT},
        {RF_S("kind"), "kind", {0}, CLI_LIST_TEXT},
        {RF_S("name"), "name", {0}, CLI_LIST_TEXT},
        {RF_S("expires"), "expires", {0}, CLI_LIST_TEXT},
        {RF_S("days"), "days", {0}, CLI_LIST_NUMBER},
        {RF_S("enabled"), "enabled", {0}, CLI_LIST_TEXT}};
    struct search search = {.v = v, .at = v->at, .rows = json_new(v->arena, JSON_T_ARRAY)};
    struct json_node *rows;
    long days = DAYS_DEFAULT;
    if (v->values[CERT_DAYS] != NULL) {
        char *end;
        days = strtol(v->values[CERT_DAYS], &end, 10);
        if (*end != '\0' || days < 0 || days > 100000)
            return cli_vault_wrong(v, err, "--days: '%s' is no number of days",
                                   v->values[CERT_DAYS]);
    }
    if (search.rows == NULL) return rf_fail_memory(err, v->arena);
    search.now = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND;
    search.until = search.now + days * SECONDS_PER_DAY;
    if (v->place != NULL) {
        search.vault = rf_str_of(v->place);
        RF_TRY(look_at_vault(&search, err));
    } else {
        RF_TRY(look_at_all(&search, err));
    }
    RF_TRY(sorted(&search, &rows, err));
    RF_TRY(cli_list_print(rows, RF_S("expiring"), columns, RF_COUNT(columns), v->format, v->arena,
                          err));
    if (!search.has_failed) return RF_OK;
    return RF_FAIL(err, RF_IO, "NotAsked", "the list is not whole: not every vault has answered");
}
