/* agent.h - what a browser says of itself. Nobody's claim is believed further than a column of a row, or a habit. */
#ifndef RF_AGENT_H
#define RF_AGENT_H

#include "base/rf.h"

/* "Windows10", "Firefox"; "" where it is not known. Constant texts. */
void agent_read(rf_str user_agent, const char **system, const char **browser);

#endif
