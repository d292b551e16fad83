/* first_start.h - what an installation is born with: tenant, administrator application, subscription, resource group, workspace,
 * vault and hub; and bootstrap.json, by which the first client finds in.
 *
 * Every step looks first whether it was done: a start that was cut off is finished by the next one, and later starts change
 * nothing but the addresses in bootstrap.json. The administrator's secret is in that file only (mode 0600); when the file is
 * gone, the next start makes a new secret and the old one ends. */
#ifndef RF_FIRST_START_H
#define RF_FIRST_START_H

#include "arm/arm.h"
#include "hub/hub.h"
#include "identity/identity.h"
#include "vault/vault.h"

/* Reads the ids of this installation from state, making them when there are none; texts in `arena`. `origin` and `port` are left
 * for the caller. */
RF_MUST_USE enum rf_kind first_start_site(struct state *state, rf_str domain,
                                          struct rf_arena *arena, struct site *out,
                                          struct rf_err *err);

/* The port of an address in bootstrap.json ("https", "amqps", "kafka", "amqp"); 0 when there is none. For a server that takes any
 * free port: the same one again is what its clients want. */
uint16_t first_start_last_port(rf_str data, const char *member);

struct first_start {
    struct state *state;
    struct authz *authz;
    struct identity *identity;
    struct arm *arm;
    struct vaults *vaults;
    const struct site *site;
    const char *
        data; /* folder; the files are written to DATA/state, where links in DATA point (serve.c says why) */
    rf_str ca_pem;
    struct hubs *hubs;
    uint16_t amqp_port; /* of plain AMQP; 0: not served. Those of the others are the site's */
};
/* Makes what is missing, writes state/ca.pem and state/bootstrap.json. */
RF_MUST_USE enum rf_kind first_start_run(const struct first_start *start, struct rf_arena *arena,
                                         struct rf_err *err);

#endif
