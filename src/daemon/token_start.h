/* token_start.h - starts `ringfort-token`, the program beside this one that speaks to a PKCS#11 token or a TPM (crypt/keeper_token.h says how it
 * answers). It gets an empty environment, the settings as its words, and one socket, descriptor 3. */
#ifndef RF_TOKEN_START_H
#define RF_TOKEN_START_H

#include <sys/types.h>

#include "crypt/keeper_seal.h"

enum { TOKEN_WORDS_MAX = 16, TOKEN_EXIT_ABSENT = 3, TOKEN_EXIT_REFUSED = 4 };
/* Its other end is *fd, which the caller gives to the keeper and closes; *pid is the caller's to wait for. It ends by itself when the socket closes, or
 * after some seconds. RF_NOT_FOUND TokenHelperMissing; RF_IO StartFailed. */
RF_MUST_USE enum rf_kind token_start(rf_str settings, int *fd, pid_t *pid, struct rf_err *err);

#endif
