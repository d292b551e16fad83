/* cli_pace.h - when a recorded row is to be sent: as far behind the first one as it was then, or when its time comes. */
#ifndef RF_CLI_PACE_H
#define RF_CLI_PACE_H

#include "base/clock.h"

struct cli_pace {
    double speed; /* 1: as fast as it happened; 0: no pace, all at once */
    bool live;    /* at its time by the clock; what is past, at once. Wins over speed */
    bool begun;
    rf_usec first_row, first_sent; /* time of the first row, and elapsed time when it was due */
};
/* How long the record (a JSON object) has to wait from now on; 0 when it is due, or has no TimeGenerated. */
int64_t cli_pace_wait_usec(struct cli_pace *pace, rf_str record, struct rf_clock *clock);
/* "live", or a number above 0. */
bool cli_pace_parse(rf_str text, struct cli_pace *out);

#endif
