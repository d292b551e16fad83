/* data_keys.h - keys of tables and hubs, kept by the keeper: made, opened and destroyed there, remembered here while the program runs. Any thread. */
#ifndef RF_TABLES_DATA_KEYS_H
#define RF_TABLES_DATA_KEYS_H

#include "crypt/keeper.h"
#include "store/table.h"

struct data_keys;
/* `label` is what the keeper's log calls them ("table"), static. Borrows the keeper. */
RF_MUST_USE enum rf_kind data_keys_new(struct keeper *keeper, const char *label,
                                       struct data_keys **out, struct rf_err *err);
void data_keys_free(struct data_keys *keys); /* wipes; NULL is fine */
/* For store_options; holds until data_keys_free. While the keeper is away a call waits some seconds for it: RF_AGAIN KeeperGone. */
const struct store_keyring *data_keys_ring(const struct data_keys *keys);

#endif
