/* acme_server.h - the ACME server as the configuration wants it (acme.server: on), put in front of the vault's authorities. */
#ifndef RF_DAEMON_ACME_SERVER_H
#define RF_DAEMON_ACME_SERVER_H

#include "acme/acme.h"
#include "daemon/config.h"

/* *out is NULL when it is off. The config's texts, and all that is given, outlive it. */
RF_MUST_USE enum rf_kind acme_server_open(const struct config *config, struct state *state,
                                          const struct site *site, struct rf_clock *clock,
                                          struct vaults *vaults, struct acme **out,
                                          struct rf_err *err);

#endif
