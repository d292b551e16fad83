/* cli_cert_listen.c - ringfort cert listen, unlisten: which listener of the server shows a certificate. */
#include "cli/cli.h"
#include "cli/cli_cert.h"

static enum rf_kind path_of(struct cli_vault *v, rf_str *out, struct rf_err *err)
{
    const char *listener = v->words[1];
    if (strcmp(listener, "https") != 0 && strcmp(listener, "streams") != 0)
        return cli_vault_wrong(v, err, "there is no listener '%s'; there are https and streams",
                               listener);
    const char *behind =
        rf_arena_cstr(v->arena, rf_arena_printf(v->arena, "/listeners/%s", listener));
    if (behind == NULL) return rf_fail_memory(err, v->arena);
    return cli_vault_path(v->arena, "certificates", rf_str_of(v->words[0]), (rf_str){NULL, 0},
                          behind, out, err);
}

enum rf_kind cli_cert_listen(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(path_of(v, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "PUT", path, NULL, NULL, err));
    cli_say("the listener '%s' shows the certificate '%s' and its later versions within seconds",
            v->words[1], v->words[0]);
    return RF_OK;
}

enum rf_kind cli_cert_unlisten(struct cli_vault *v, struct rf_err *err)
{
    rf_str path;
    RF_TRY(path_of(v, &path, err));
    RF_TRY(cli_vault_ask(&v->at, "DELETE", path, NULL, NULL, err));
    cli_say("the listener '%s' shows the server's own certificate within seconds", v->words[1]);
    return RF_OK;
}
