/* alerts.h - log alerts: rules that ask a workspace on a schedule (Microsoft.Insights/scheduledQueryRules), the alerts that
 * they fire and resolve (Microsoft.AlertsManagement/alerts), and who is told (Microsoft.Insights/actionGroups).
 *
 * What a run finds, where the rule stands and what is to be sent commit in one transaction of state: a restart neither loses
 * nor repeats an alert. A notification is sent until its receiver has taken it, with growing pauses, for a day; then it is
 * given up with a row in RingfortNotifications and a line in the log. Receivers may see one twice and know it by its id.
 *
 * Webhooks are signed as standardwebhooks.com says: headers webhook-id, webhook-timestamp (seconds) and webhook-signature:
 * "v1," and the base64 of HMAC-SHA256 over "{id}.{timestamp}.{body}". POST {group}/rotateSigningSecret makes a new secret
 * ("whsec_..." with the key in base64) and is the only answer that shows it. */
#ifndef RF_ALERTS_H
#define RF_ALERTS_H

#include "arm/arm.h"
#include "tables/tables.h"

struct alerts;
struct alerts_outbound { /* borrowed as long as the service lives */
    const rf_str
        *hosts; /* HOST, HOST:PORT, HOST:* (net/egress.h); inside addresses are named as such */
    uint32_t host_count;
    rf_str ca_pem;      /* who vouches for the hosts; empty: the system's certificates */
    rf_str mail_server; /* HOST or HOST:PORT (587; 465 speaks TLS at once); empty: no mail */
    rf_str mail_from;   /* one address */
    rf_str mail_user;   /* empty: without a login */
    rf_str mail_password;
};
struct alerts_options {
    struct state *state;
    struct arm *arm;
    struct authz *authz;
    struct tables *tables;
    const struct site *site;
    const struct audit *audit; /* RingfortNotifications */
    struct rf_clock *clock;
    struct alerts_outbound outbound;
    uint32_t runner_count, sender_count; /* 0: 2 and 4 */
    rf_usec rule_delay;                  /* between the end of a window and its run; 0: 5 s */
    rf_usec rule_late; /* how long after its window a row still makes it run again; 0: a day */
};
/* Registers its types with `arm`, which must be freed between alerts_stop and alerts_free. */
RF_MUST_USE enum rf_kind alerts_new(const struct alerts_options *options, struct alerts **out,
                                    struct rf_err *err);
/* Starts the threads: rules run and notifications are sent from now on. */
RF_MUST_USE enum rf_kind alerts_start(struct alerts *alerts, struct rf_err *err);
/* Ends what runs; before arm_free. NULL is fine. */
void alerts_stop(struct alerts *alerts);
/* After arm_free. NULL is fine. */
void alerts_free(struct alerts *alerts);
const struct service *const *alerts_services(struct alerts *alerts, uint32_t *count);

#endif
