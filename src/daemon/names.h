/* names.h - whether clients on this machine will find the names that the server answers under. */
#ifndef RF_NAMES_H
#define RF_NAMES_H

#include "base/rf.h"

enum { NAMES_TEXT_BYTES = 200 };
struct names_finding {
    bool good;
    char found[NAMES_TEXT_BYTES]; /* "*.ringfort.localhost resolves" */
    const char *remedy;           /* also when it is good */
};
/* Asks the system's resolver for DOMAIN and a vault's name below it: it may ask the network, and wait for it. */
struct names_finding names_look(const char *domain);

#endif
