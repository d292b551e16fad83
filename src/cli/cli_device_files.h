/* cli_device_files.h - what a device has: NAME.key, its private key (mode 0600), and NAME.pem, its certificate with the authority's behind
 * it. No key is ever written over another file. */
#ifndef RF_CLI_DEVICE_FILES_H
#define RF_CLI_DEVICE_FILES_H

#include "base/rf.h"

enum { CLI_DEVICE_TEXT_MAX = 64 << 10 };

/* "FOLDER/NAME.pem"; NULL: no memory. */
const char *cli_device_path(const char *folder, rf_str name, const char *end,
                            struct rf_arena *arena);
/* RF_CONFLICT FileExists, with what to do, when the device has a key or certificate in the folder; the folder is made. */
RF_MUST_USE enum rf_kind cli_device_check(const char *folder, rf_str name, struct rf_arena *arena,
                                          struct rf_err *err);
/* Writes a file that is not there yet, on the disk when it returns. RF_CONFLICT FileExists. */
RF_MUST_USE enum rf_kind cli_device_write(const char *path, rf_str text, unsigned mode,
                                          struct rf_err *err);
RF_MUST_USE enum rf_kind cli_device_read(const char *path, struct rf_arena *arena, rf_str *out,
                                         struct rf_err *err);
/* Puts a new pair in the place of the one of certificate `serial`, which is kept as NAME.SERIAL.key and NAME.SERIAL.pem. */
RF_MUST_USE enum rf_kind cli_device_replace(const char *folder, rf_str name, rf_str serial,
                                            rf_str key_text, rf_str certificate_text,
                                            struct rf_arena *arena, struct rf_err *err);

#endif
