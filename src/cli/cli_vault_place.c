/* cli_vault_place.c - where a vault is, and calls to it. */
#include <stdlib.h>

#include "cli/cli_vault.h"

enum { NAME_MAX_BYTES = 127, VERSION_BYTES = 32, VAULT_MAX_BYTES = 24 };
#define API "2025-07-01"

/* ---- places ------------------------------------------------------------------------------------------------------- */

static bool is_vault_name(rf_str name)
{
    if (name.len == 0 || name.len > VAULT_MAX_BYTES || !rf_is_alpha(name.ptr[0])) return false;
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '-') return false;
    return true;
}

/* "https://ANY.vault.REST" with another name in front; empty when `url` is none of that form. */
static rf_str rename_vault(struct rf_arena *arena, rf_str url, rf_str name)
{
    size_t at = rf_str_find(url, RF_S(".vault."), 0);
    if (at == SIZE_MAX || !rf_str_starts(url, RF_S("https://"))) return (rf_str){NULL, 0};
    return rf_arena_printf(arena, "https://%.*s%.*s", RF_FMT(name),
                           RF_FMT(rf_slice(url, at, url.len)));
}

static enum rf_kind add_vaults(struct cli_server *server, rf_str subscription,
                               struct rf_arena *arena, struct json_node *all, struct rf_err *err)
{
    struct json_node *some, *next;
    rf_str target = rf_arena_printf(
        arena, "/subscriptions/%.*s/providers/Microsoft.KeyVault/vaults?api-version=2023-07-01",
        RF_FMT(cli_url_path(arena, subscription)));
    if (target.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_list(server, target, arena, &some, err));
    for (struct json_node *vault = some->first; vault != NULL; vault = next) {
        next = vault->next;
        vault->next = NULL;
        (void)json_append(all, vault);
    }
    return RF_OK;
}

enum rf_kind cli_vault_all(struct cli_server *server, struct rf_arena *arena,
                           struct json_node **out, struct rf_err *err)
{
    struct json_node *subscriptions, *all = json_new(arena, JSON_T_ARRAY);
    if (all == NULL) return rf_fail_memory(err, arena);
    RF_TRY(cli_server_list(server, RF_S("/subscriptions?api-version=2022-12-01"), arena,
                           &subscriptions, err));
    for (const struct json_node *s = subscriptions->first; s != NULL; s = s->next)
        RF_TRY(add_vaults(server, json_text_at(s, "subscriptionId"), arena, all, err));
    *out = all;
    return RF_OK;
}

/* The URL that ARM tells of a vault; empty when it is not among those that the caller may list. */
static rf_str listed_vault(struct cli_vault_at *at, rf_str name)
{
    struct json_node *all;
    if (cli_vault_all(at->server, at->arena, &all, NULL) != RF_OK) return (rf_str){NULL, 0};
    for (const struct json_node *vault = all->first; vault != NULL; vault = vault->next)
        if (rf_str_eq_nocase(json_text_at(vault, "name"), name))
            return cli_server_trim(json_text_at(vault, "properties.vaultUri"));
    return (rf_str){NULL, 0};
}

static enum rf_kind find_named(struct cli_vault_at *at, rf_str name, struct rf_err *err)
{
    const struct cli_login *login = cli_server_login(at->server);
    rf_str https = RF_S("https://"), url = rename_vault(at->arena, login->vault, name);
    if (!is_vault_name(name))
        return RF_FAIL(err, RF_INVALID, "BadVault",
                       "'%.*s' is no name of a vault: at most 24 letters, digits and '-'",
                       (int)RF_MIN(name.len, (size_t)100), (const char *)name.ptr);
    if (url.len == 0) url = listed_vault(at, name);
    if (url.len == 0 && rf_str_starts(login->server, https))
        url = rf_arena_printf(at->arena, "https://%.*s.vault.%.*s", RF_FMT(name),
                              RF_FMT(rf_slice(login->server, https.len, login->server.len)));
    if (url.len == 0)
        return RF_FAIL(err, RF_INVALID, "BadVault",
                       "it is not known where the vault '%.*s' is: give its URL, --vault "
                       "https://NAME.vault.DOMAIN:PORT",
                       RF_FMT(name));
    at->base = url;
    return RF_OK;
}

enum rf_kind cli_vault_find(struct cli_vault_at *at, rf_str vault, struct rf_err *err)
{
    if (vault.len == 0) {
        at->base = cli_server_site(at->server)->server;
        return RF_OK;
    }
    if (rf_str_find(vault, RF_S("://"), 0) == SIZE_MAX) return find_named(at, vault, err);
    at->base = cli_server_trim(vault);
    return cli_server_check(at->base, err);
}

/* ---- paths ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_name(rf_str name, struct rf_err *err)
{
    bool good = name.len > 0 && name.len <= NAME_MAX_BYTES;
    for (size_t i = 0; i < name.len && good; i++)
        good = rf_is_alnum(name.ptr[i]) || name.ptr[i] == '-';
    if (good) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadName",
                   "'%.*s' is no name of a vault's object: 1 to %d letters, digits and '-'",
                   (int)RF_MIN(name.len, (size_t)150), (const char *)name.ptr, NAME_MAX_BYTES);
}

static enum rf_kind check_version(rf_str version, struct rf_err *err)
{
    bool good = version.len == VERSION_BYTES;
    for (size_t i = 0; i < version.len && good; i++) {
        uint8_t c = rf_lower(version.ptr[i]);
        good = rf_is_digit(c) || (c >= 'a' && c <= 'f');
    }
    if (good) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadName",
                   "'%.*s' is no version: %d hex digits, as 'versions NAME' lists them",
                   (int)RF_MIN(version.len, (size_t)100), (const char *)version.ptr, VERSION_BYTES);
}

enum rf_kind cli_vault_path(struct rf_arena *arena, const char *collection, rf_str name,
                            rf_str version, const char *behind, rf_str *out, struct rf_err *err)
{
    RF_TRY(check_name(name, err));
    if (version.len > 0) RF_TRY(check_version(version, err));
    *out = rf_arena_printf(arena, "/%s/%.*s%s%.*s%s", collection, RF_FMT(name),
                           version.ptr == NULL ? "" : "/", RF_FMT(version),
                           behind == NULL ? "" : behind);
    return out->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

void cli_vault_id(const struct json_node *item, rf_str *name, rf_str *version)
{
    rf_str id = json_text_at(item, "id"), parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (id.len == 0) id = json_text_at(item, "kid");
    if (id.len == 0) id = json_text_at(item, "key.kid");
    size_t scheme = rf_str_find(id, RF_S("://"), 0), count = 0;
    size_t at = scheme == SIZE_MAX ? SIZE_MAX : rf_str_find(id, RF_S("/"), scheme + 3);
    /* /collection/name/version */
    for (size_t from = at == SIZE_MAX ? id.len : at + 1;
         from < id.len && count < RF_COUNT(parts);) {
        size_t to = RF_MIN(rf_str_find(id, RF_S("/"), from), id.len);
        parts[count++] = rf_slice(id, from, to);
        from = to + 1;
    }
    *name = parts[1];
    *version = parts[2];
}

/* ---- calls ------------------------------------------------------------------------------------------------------------ */

static rf_str with_api(struct rf_arena *arena, rf_str path)
{
    bool query = rf_str_find(path, RF_S("?"), 0) != SIZE_MAX;
    return rf_arena_printf(arena, "%.*s%sapi-version=" API, RF_FMT(path), query ? "&" : "?");
}

enum rf_kind cli_vault_ask(const struct cli_vault_at *at, const char *method, rf_str path,
                           const struct json_node *body, struct json_node **out, struct rf_err *err)
{
    struct http_answer answer = {0};
    struct rf_err why = {0};
    struct cli_call call = {
        .method = method, .target = with_api(at->arena, path), .vault = at->base};
    if (out != NULL) *out = NULL;
    if (body != NULL) call.body = json_to_text(at->arena, body);
    if (call.target.ptr == NULL || (body != NULL && call.body.ptr == NULL))
        return rf_fail_memory(err, at->arena);
    RF_TRY(cli_server_call(at->server, &call, at->arena, &answer, err));
    if (out == NULL || answer.body.len == 0) return RF_OK;
    if (json_parse(answer.body, at->arena, out, &why) == RF_OK) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the vault is no JSON: %s",
                   why.text);
}

enum rf_kind cli_vault_pages(const struct cli_vault_at *at, rf_str path, struct json_node **out,
                             struct rf_err *err)
{
    enum { PAGES_MAX = 100000 };
    struct json_node *all = json_new(at->arena, JSON_T_ARRAY), *next;
    rf_str target = with_api(at->arena, path);
    if (all == NULL || target.ptr == NULL) return rf_fail_memory(err, at->arena);
    for (uint32_t pages = 0; target.len > 0; pages++) {
        struct http_answer answer = {0};
        struct json_node *page;
        struct cli_call call = {.method = "GET", .target = target, .vault = at->base};
        if (pages == PAGES_MAX)
            return RF_FAIL(err, RF_LIMIT, "BadAnswer", "the list has more than %d pages",
                           PAGES_MAX);
        RF_TRY(cli_server_call(at->server, &call, at->arena, &answer, err));
        if (json_parse(answer.body, at->arena, &page, NULL) != RF_OK ||
            !json_is(json_get(page, "value"), JSON_T_ARRAY))
            return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the vault is no list");
        for (struct json_node *item = json_get(page, "value")->first; item != NULL; item = next) {
            next = item->next;
            item->next = NULL;
            (void)json_append(all, item);
        }
        target = json_text_at(page, "nextLink");
    }
    *out = all;
    return RF_OK;
}

enum rf_kind cli_vault_secret(const struct cli_vault_at *at, rf_str name, rf_str version,
                              struct json_node **out, struct rf_err *err)
{
    rf_str path, any = RF_S("");
    RF_TRY(cli_vault_path(at->arena, "secrets", name, version.len > 0 ? version : any, NULL, &path,
                          err));
    RF_TRY(cli_vault_ask(at, "GET", path, NULL, out, err));
    if (json_is(json_get(*out, "value"), JSON_T_STRING)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the vault holds no secret");
}

struct json_node *cli_vault_newest(const struct json_node *versions)
{
    struct json_node *newest = NULL;
    int64_t best = INT64_MIN, created;
    for (struct json_node *v = versions->first; v != NULL; v = v->next) {
        if (!json_i64_at(v, "attributes.created", &created)) created = 0;
        if (created < best) continue;
        best = created;
        newest = v;
    }
    return newest;
}
