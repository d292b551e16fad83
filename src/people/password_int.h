/* password_int.h - what the files of passwords share. */
#ifndef RF_PASSWORD_INT_H
#define RF_PASSWORD_INT_H

#include <pthread.h>

#include "people/password.h"

struct passwords {
    struct passwords_options options;
    pthread_mutex_t lock;
    pthread_cond_t free;
    uint32_t running, waiting;
};
struct stored {
    uint32_t kib, passes;
    uint8_t salt[16], mac[KEEPER_MAC_BYTES];
};
/* False when it is no text of ours, or asks for more than ours ever do. */
bool password_read_stored(rf_str text, struct rf_arena *arena, struct stored *out);

#endif
