/* wipe.h - memory that held secrets, given back overwritten. */
#ifndef RF_WIPE_H
#define RF_WIPE_H

#include "base/rf.h"

/* rf_arena_done, behind which nothing of what the arena held is left in memory. */
void rf_arena_wipe(struct rf_arena *arena);

#endif
