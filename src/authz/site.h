/* site.h - what this installation is: names, ids, origins. Fixed while it serves. */
#ifndef RF_SITE_H
#define RF_SITE_H

#include "base/rf.h"

struct site {
    rf_str tenant_id; /* GUIDs in lower case */
    rf_str domain;    /* "ringfort.localhost" */
    rf_str location;  /* "local" */
    rf_str origin;    /* "https://localhost:8443": no slash at its end; also the token authority */
    uint16_t port;
    uint16_t amqps_port, kafka_port; /* of event hubs; 0: not served */
    rf_str subscription_id;
    rf_str resource_group;
    rf_str workspace_name, workspace_id;
    rf_str vault_name; /* of the vault that hosts without a vault's name mean; empty: none */
};
/* True when `host` (of a Host header) is one of ours: localhost, 127.0.0.1, [::1], the domain or a name below it, with our
 * port. */
bool site_knows_host(const struct site *site, rf_str host);
/* True when `name` (a host without its port) ends in "." and `domain`, ASCII case ignored. */
bool site_name_is_below(rf_str name, rf_str domain);
/* Cuts "VAULT.vault.DOMAIN" (a port behind it is fine) in two; false for other hosts. The domain need not be ours: vaults are told apart by the
 * first label, and clients reach them under names of other clouds too. */
bool site_vault_host(rf_str host, rf_str *vault, rf_str *domain);
/* "https://" and the host of a request that site_knows_host, else the site's origin; in `arena`. */
rf_str site_origin_of(const struct site *site, rf_str host, struct rf_arena *arena);

#endif
