/* cli_store.h - what the commands over a store share: opening it, its key, numbers for people. */
#ifndef RF_CLI_STORE_H
#define RF_CLI_STORE_H

#include "cli/cli_catalog.h"
#include "store/table.h"

enum { CLI_STORE_BYTES_MAX = 192 << 20 }; /* memory of a store that is written to */

/* Opens the store in `folder`. `key_file` (may be NULL) holds a key of 32 bytes, raw or as 64 hex digits.
 * Further errors: RF_INVALID BadKeyFile. */
RF_MUST_USE enum rf_kind cli_store_open(const char *folder, const char *key_file,
                                        struct store_options options, struct store **out,
                                        struct rf_err *err);

/* "1.5 MB": at most 4 digits. */
const char *cli_size_text(uint64_t bytes, char out[24]);

#endif
