/* pki_listen.h - a listener without TLS for what clients need to check certificates of the vault's authorities, and for nothing else (vault/authority.h): many who
 * check revocation speak plain HTTP only, as RFC 5280, 8 has it. What is fetched there is signed. */
#ifndef RF_PKI_LISTEN_H
#define RF_PKI_LISTEN_H

#include "authz/route.h"
#include "daemon/config.h"
#include "vault/authority.h"

struct pki_listen;
/* Binds where the settings have it (listen.pki); *out is NULL when they have it nowhere. Before the rights are given up. */
RF_MUST_USE enum rf_kind pki_listen_open(const struct config *config, struct rf_clock *clock,
                                         struct pki_listen **out, struct rf_err *err);
/* NULL is fine. `options`: of a dispatcher of its own; what they name outlives it. */
RF_MUST_USE enum rf_kind pki_listen_start(struct pki_listen *listen,
                                          const struct dispatcher_options *options,
                                          struct vaults *vaults, struct rf_err *err);
void pki_listen_free(struct pki_listen *listen); /* stops it; NULL is fine */

#endif
