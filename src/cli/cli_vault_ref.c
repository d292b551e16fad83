/* cli_vault_ref.c - secret://VAULT/NAME[/VERSION]. */
#include "cli/cli_vault.h"

enum { REFERENCE_SHOWN_MAX = 200 };

static enum rf_kind bad_reference(rf_str text, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadReference",
                   "'%.*s': %s; write secret://VAULT/NAME, secret:///NAME for the default vault, "
                   "and /VERSION behind it for one version",
                   (int)RF_MIN(text.len, (size_t)REFERENCE_SHOWN_MAX), (const char *)text.ptr, why);
}

static bool is_word(rf_str text, size_t most)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i]) && text.ptr[i] != '-') return false;
    return text.len > 0 && text.len <= most;
}

enum rf_kind cli_secret_ref_parse(rf_str text, struct cli_secret_ref *out, struct rf_err *err)
{
    rf_str scheme = RF_S("secret://"), parts[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    size_t count = 0;
    if (!rf_str_starts(text, scheme))
        return bad_reference(text, "a reference begins with secret://", err);
    for (size_t from = scheme.len; from <= text.len;) {
        size_t to = RF_MIN(rf_str_find(text, RF_S("/"), from), text.len);
        if (count == RF_COUNT(parts)) return bad_reference(text, "it has too many parts", err);
        parts[count++] = rf_slice(text, from, to);
        from = to + 1;
    }
    if (count < 2) return bad_reference(text, "it names a vault and no secret", err);
    if (parts[0].len > 0 && !is_word(parts[0], 24))
        return bad_reference(text, "its vault is no name", err);
    if (!is_word(parts[1], 127)) return bad_reference(text, "its secret is no name", err);
    if (count == 3 && (parts[2].len != 32 || !is_word(parts[2], 32)))
        return bad_reference(text, "its version is not 32 hex digits", err);
    *out = (struct cli_secret_ref){parts[0], parts[1], parts[2]};
    return RF_OK;
}

enum rf_kind cli_secret_ref_get(struct cli_server *server, const char *vault,
                                const struct cli_secret_ref *ref, struct rf_arena *arena,
                                rf_str *out, struct rf_err *err)
{
    struct cli_vault_at at = {.server = server, .arena = arena};
    struct json_node *secret;
    RF_TRY(cli_vault_find(&at, ref->vault.len > 0 ? ref->vault : cli_vault_text(vault), err));
    RF_TRY(cli_vault_secret(&at, ref->name, ref->version, &secret, err));
    *out = json_text_at(secret, "value");
    return RF_OK;
}
