#include "daemon/acme_server.h"

enum rf_kind acme_server_open(const struct config *config, struct state *state,
                              const struct site *site, struct rf_clock *clock,
                              struct vaults *vaults, struct acme **out, struct rf_err *err)
{
    *out = NULL;
    if (!rf_str_is(config->acme_server, "on")) return RF_OK;
    struct acme_options options = {.state = state,
                                   .site = site,
                                   .clock = clock,
                                   .authority = {.ctx = vaults,
                                                 .settings = authority_settings,
                                                 .issue = authority_issue,
                                                 .find = authority_find,
                                                 .revoke = authority_revoke,
                                                 .account_key = authority_account_key},
                                   .network = {.resolver = config->acme_resolver,
                                               .http_port = (uint16_t)config->acme_http_port,
                                               .tls_port = (uint16_t)config->acme_tls_port,
                                               .addresses = config->acme_addresses,
                                               .address_count = config->acme_address_count}};
    return acme_new(&options, out, err);
}
