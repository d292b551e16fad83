#include "alerts/alerts.h"

#include <stdio.h>
#include <stdlib.h>

#include "alerts/alerts_int.h"
#include "alerts/mail.h"

enum { MAIL_PORT = 587 };

/* HOST or HOST:PORT, an address of version 6 in brackets. */
static bool split_server(struct alerts *alerts, rf_str text)
{
    rf_str host = text;
    size_t colon = text.len;
    uint32_t port = 0;
    while (colon > 0 && rf_is_digit(text.ptr[colon - 1])) colon--;
    alerts->mail_port = MAIL_PORT;
    if (colon > 0 && colon < text.len && text.ptr[colon - 1] == ':' && text.len - colon <= 5) {
        for (size_t i = colon; i < text.len; i++) port = port * 10 + (text.ptr[i] - (uint32_t)'0');
        if (port == 0 || port > UINT16_MAX) return false;
        alerts->mail_port = (uint16_t)port;
        host = rf_slice(text, 0, colon - 1);
    }
    if (host.len > 1 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']')
        host = rf_slice(host, 1, host.len - 1);
    if (host.len == 0 || host.len >= sizeof alerts->mail_host) return false;
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        if (!rf_is_alnum(c) && c != '.' && c != '-' && c != ':') return false;
        alerts->mail_host[i] = (char)rf_lower(c);
    }
    return true;
}

static enum rf_kind set_up_mail(struct alerts *alerts, struct rf_err *err)
{
    const struct alerts_outbound *out = &alerts->options.outbound;
    if (out->mail_server.len == 0) return RF_OK;
    if (!split_server(alerts, out->mail_server))
        return RF_FAIL(err, RF_INVALID, "BadValue", "'mail.server' must be HOST or HOST:PORT");
    if (!mail_address_is(out->mail_from))
        return RF_FAIL(err, RF_INVALID, "BadValue", "'mail.from' must be one mail address");
    return RF_OK;
}

/* The operator names the mail server for its purpose: it may stand inside. Of other hosts only those that are named as
 * addresses, or as this machine. */
static enum rf_kind set_up_egress(struct alerts *alerts, struct rf_err *err)
{
    const struct alerts_outbound *out = &alerts->options.outbound;
    uint32_t count = 0;
    alerts->inside = calloc((size_t)out->host_count + 1, sizeof *alerts->inside);
    if (alerts->inside == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the hosts that may be told");
    for (uint32_t i = 0; i < out->host_count; i++)
        if (egress_is_literal(out->hosts[i])) alerts->inside[count++] = out->hosts[i];
    alerts->egress = (struct egress){.hosts = out->hosts,
                                     .host_count = out->host_count,
                                     .inside = alerts->inside,
                                     .inside_count = count};
    alerts->mail_egress = (struct egress){.inside = &alerts->mail_authority, .inside_count = 1};
    bool is_v6 = strchr(alerts->mail_host, ':') != NULL;
    int len = snprintf(alerts->mail_text, sizeof alerts->mail_text, "%s%s%s:%u", is_v6 ? "[" : "",
                       alerts->mail_host, is_v6 ? "]" : "", (unsigned)alerts->mail_port);
    alerts->mail_authority = rf_str_make(alerts->mail_text, (size_t)len);
    return RF_OK;
}

static enum rf_kind set_up(struct alerts *alerts, struct rf_err *err)
{
    /* What comes from now on is behind what runs have seen, also when the clock was set back meanwhile. */
    int64_t seen;
    RF_TRY(rule_state_last_arrival(alerts->options.state, &seen, err));
    tables_arrive_after(alerts->options.tables, seen);
    RF_TRY(set_up_mail(alerts, err));
    RF_TRY(set_up_egress(alerts, err));
    alerts->types[0] = rule_type(alerts);
    alerts->types[1] = group_type(alerts);
    alerts->service = (struct service){.name = "alerts",
                                       .ctx = alerts,
                                       .routes = alerts_routes,
                                       .route_count = alerts_route_count};
    alerts->services[0] = &alerts->service;
    return arm_register(alerts->options.arm, alerts->types, RF_COUNT(alerts->types), err);
}

enum rf_kind alerts_new(const struct alerts_options *options, struct alerts **out,
                        struct rf_err *err)
{
    struct alerts *alerts = calloc(1, sizeof *alerts);
    pthread_condattr_t attr;
    if (alerts == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for alerts");
    alerts->options = *options;
    if (alerts->options.rule_late == 0) alerts->options.rule_late = RULE_LATE_USEC;
    alerts->dirty = true;
    (void)pthread_mutex_init(&alerts->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&alerts->due, &attr);
    (void)pthread_cond_init(&alerts->hurry, &attr);
    (void)pthread_condattr_destroy(&attr);
    enum rf_kind kind = set_up(alerts, err);
    if (kind == RF_OK)
        *out = alerts;
    else
        alerts_free(alerts);
    return kind;
}

enum rf_kind alerts_start(struct alerts *alerts, struct rf_err *err)
{
    return runners_start(alerts, err);
}

void alerts_stop(struct alerts *alerts)
{
    if (alerts != NULL) runners_stop(alerts);
}

void alerts_free(struct alerts *alerts)
{
    if (alerts == NULL) return;
    runners_stop(alerts);
    (void)pthread_mutex_destroy(&alerts->lock);
    (void)pthread_cond_destroy(&alerts->due);
    (void)pthread_cond_destroy(&alerts->hurry);
    free(alerts->inside);
    free(alerts);
}

const struct service *const *alerts_services(struct alerts *alerts, uint32_t *count)
{
    *count = RF_COUNT(alerts->services);
    return alerts->services;
}
