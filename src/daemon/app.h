/* app.h - the server's parts put together: state, tables, services, sockets. Run by the server role; knows nothing of processes. */
#ifndef RF_APP_H
#define RF_APP_H

#include "authz/route.h"
#include "crypt/keeper.h"
#include "daemon/config.h"

/* Of the program, which main.c knows; NULL in tests. */
extern const char app_version[] __attribute__((weak));

struct app;
/* Takes what may only be taken before the process gives up its rights: listeners. `keeper` is borrowed. Starts no thread. */
RF_MUST_USE enum rf_kind app_listen(const struct config *config, struct keeper *keeper,
                                    struct app **out, struct rf_err *err);
/* Opens state and tables under config->data, finishes the first start, takes requests. */
RF_MUST_USE enum rf_kind app_start(struct app *app, struct rf_err *err);
/* Row for a table of the platform's own, such as RingfortHardening. */
void app_row(struct app *app, const char *table, rf_str row);
/* Fetches certificates and signing keys anew: the keeper was started again, or keys rolled over. Called now and then. */
RF_MUST_USE enum rf_kind app_refresh_keys(struct app *app, struct rf_err *err);
/* Finishes what was accepted and closes everything. NULL is fine. */
void app_stop(struct app *app);
uint16_t app_port(const struct app *app);

#endif
