/* acme_listen.h - where authorities outside look for proofs (http-01 of RFC 8555): at "/.well-known/acme-challenge/TOKEN" of the server's own listener, and of one
 * without TLS that serves this path alone, where the settings have one (listen.acme-http). */
#ifndef RF_DAEMON_ACME_LISTEN_H
#define RF_DAEMON_ACME_LISTEN_H

#include "authz/route.h"
#include "daemon/config.h"
#include "vault/vault.h"

struct acme_listen;
/* Binds the address, before rights are given up. */
RF_MUST_USE enum rf_kind acme_listen_open(const struct config *config, struct rf_clock *clock,
                                          struct acme_listen **out, struct rf_err *err);
RF_MUST_USE enum rf_kind acme_listen_start(struct acme_listen *listen, struct vaults *vaults,
                                           struct rf_err *err);
/* For dispatcher_add; `vaults` counts from then on. */
const struct service *acme_listen_service(struct acme_listen *listen, struct vaults *vaults);
void acme_listen_free(struct acme_listen *listen); /* stops; NULL is fine */

#endif
