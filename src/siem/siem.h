/* siem.h - detection: analytics rules, alerts, incidents, watchlists and the content that comes in packages
 * (Microsoft.SecurityInsights; contracts/sentinel). */
#ifndef RF_SIEM_H
#define RF_SIEM_H

#include "arm/arm.h"
#include "tables/tables.h"

struct siem;
struct siem_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    struct tables *tables;
    const struct site *site;
    const struct audit *audit; /* SentinelHealth, SentinelAudit */
    struct rf_clock *clock;
    const rf_str *content_folders; /* of packages that can be installed */
    uint32_t content_folder_count;
    uint32_t rule_lanes; /* runs of rules at once; 0: by the number of processors */
    rf_usec rule_delay;  /* between the end of a scheduled rule's window and its run; 0: 30 s */
    rf_usec rule_late;   /* how long after its window a row still makes it run again; 0: a day */
    bool by_hand; /* no threads, siem_start is not called: siem_step does what they would do */
};
/* Registers its types with `arm`, which must be freed between siem_stop and siem_free. */
RF_MUST_USE enum rf_kind siem_new(const struct siem_options *options, struct siem **out,
                                  struct rf_err *err);
/* Starts the threads: rules run from now on. */
RF_MUST_USE enum rf_kind siem_start(struct siem *siem, struct rf_err *err);
/* Of one that runs by hand, with a clock of the caller's: does everything that is due at the clock's time, rules of both kinds
 * and the rows of SecurityAlert and SecurityIncident. One thread. The same rows and times lead to the same alerts. */
void siem_step(struct siem *siem);
/* When something is due next, unless rows come before: after the present; INT64_MAX: never. */
rf_usec siem_next(struct siem *siem);
/* Ends what runs and writes what is due; before arm_free. NULL is fine. */
void siem_stop(struct siem *siem);
/* After arm_free. NULL is fine. */
void siem_free(struct siem *siem);
const struct service *const *siem_services(struct siem *siem, uint32_t *count);

#endif
