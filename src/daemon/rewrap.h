/* rewrap.h - the thread that brings wrapped keys under the newest root after a rotation, in turns, while everything goes on (docs/sealing.md). What it has done lies with the
 * keys themselves: it may be ended at any moment, and the next start goes on. */
#ifndef RF_DAEMON_REWRAP_H
#define RF_DAEMON_REWRAP_H

#include "hub/hub.h"
#include "tables/tables.h"
#include "vault/vault.h"

struct rewrap_options { /* all borrowed */
    struct keeper *keeper;
    struct tables *tables;
    struct hubs *hubs; /* NULL: there are none */
    struct vaults *vaults;
};
struct rewrap_job;
RF_MUST_USE enum rf_kind rewrap_start(const struct rewrap_options *options, struct rewrap_job **out,
                                      struct rf_err *err);
void rewrap_stop(struct rewrap_job *job); /* frees; NULL is fine */

#endif
