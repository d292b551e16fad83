/* denial_int.h - a row for each request that was refused for who asked: table RingfortDenials, or AzureActivity when the
 * control plane denied an action. A peer that is refused all the time leaves some rows, not a full disk. */
#ifndef RF_DENIAL_INT_H
#define RF_DENIAL_INT_H

#include "authz/route.h"

enum {
    DENIAL_BURST = 60, /* rows of one peer at once; then */
    DENIAL_ROWS_PER_MINUTE = 30
};

struct denials;
struct denials *denials_new(void);
void denials_free(struct denials *denials);
/* `elapsed` is of a clock that does not go back. `action`, `scope`: what was asked for, when that is known. Any thread. */
void denial_write(struct denials *denials, rf_usec elapsed, struct request *request,
                  uint16_t status, const struct rf_err *why, rf_str action, rf_str scope);

#endif
