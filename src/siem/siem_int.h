/* siem_int.h - what the files of siem/ share. */
#ifndef RF_SIEM_INT_H
#define RF_SIEM_INT_H

#include "siem/engine_int.h"

enum { SIEM_TYPES_MAX = 40, SIEM_SERVICES_MAX = 4 };

struct siem {
    struct siem_options options;
    struct engine *engine;
    struct incidents *incidents;
    struct catalogue *catalogue;           /* packages that can be installed */
    struct arm_type types[SIEM_TYPES_MAX]; /* arm borrows them */
    uint32_t type_count;
    struct arm_watch watch; /* of workspaces */
    const struct service *services[SIEM_SERVICES_MAX];
    uint32_t service_count;
};

/* Each puts its types at `out` and says how many: at most SIEM_TYPES_MAX in all. */
uint32_t alert_rule_types(struct siem *siem, struct arm_type *out);
uint32_t content_types(struct siem *siem, struct arm_type *out);
uint32_t watchlist_types(struct siem *siem, struct arm_type *out);
/* Makes _GetWatchlist and _GetWatchlistAlias known to queries. */
void watchlist_functions(struct siem *siem);

#endif
