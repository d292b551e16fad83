#include "authz/token_int.h"

/* The names under which Azure's clients ask for tokens, and the ids of the applications behind them. */
static const struct {
    const char *name;
    unsigned set;
} names[] = {
    {"https://management.azure.com", AUDIENCE_ARM},
    {"https://management.core.windows.net", AUDIENCE_ARM},
    {"797f4846-ba00-4fd7-ba43-dac1f8f63013", AUDIENCE_ARM},
    {"https://monitor.azure.com", AUDIENCE_INGEST},
    {"be14bf7e-8ab4-49b0-9dc6-a0eddd6fa73e", AUDIENCE_INGEST},
    {"https://metrics.monitor.azure.com", AUDIENCE_METRICS},
    {"https://api.loganalytics.io", AUDIENCE_LOGS},
    {"https://api.loganalytics.azure.com", AUDIENCE_LOGS},
    {"ca7f3f0b-7d91-482c-8e09-c5d840d0eac5", AUDIENCE_LOGS},
    {"https://api.kusto.windows.net", AUDIENCE_KUSTO},
    {"2746ea77-4702-4b45-80ca-3c97e680e8b7", AUDIENCE_KUSTO},
    {"https://graph.microsoft.com", AUDIENCE_GRAPH},
    {"00000003-0000-0000-c000-000000000000", AUDIENCE_GRAPH},
    {"https://vault.azure.net", AUDIENCE_VAULT},
    {"cfa8b339-82a2-471a-a3c9-0fc0be7a4093", AUDIENCE_VAULT},
    {"https://eventhubs.azure.net", AUDIENCE_EVENTS},
    {"https://servicebus.azure.net", AUDIENCE_EVENTS},
    {"80369ed6-5f11-4dd9-bef3-692475845e77", AUDIENCE_EVENTS},
};
/* Regions, clusters and namespaces stand in front of these. */
static const struct {
    const char *domain;
    unsigned set;
} domains[] = {
    {"api.loganalytics.io", AUDIENCE_LOGS},
    {"api.loganalytics.azure.com", AUDIENCE_LOGS},
    {"kusto.windows.net", AUDIENCE_KUSTO},
    {"servicebus.windows.net", AUDIENCE_EVENTS},
};

/* "vault" and "." and the domain, or a name below that. */
static bool is_service_host(const struct site *site, rf_str host, rf_str word)
{
    const uint8_t *colon = memchr(host.ptr, ':', host.len);
    if (colon != NULL) host.len = (size_t)(colon - host.ptr);
    if (site->domain.len == 0 || host.len < word.len + 1 + site->domain.len) return false;
    size_t dot = host.len - site->domain.len - 1;
    rf_str front = rf_slice(host, 0, dot);
    if (!site_name_is_below(host, site->domain)) return false;
    return rf_str_eq_nocase(front, word) || site_name_is_below(front, word);
}

/* Kafka's clients ask for a token for the namespace's host without our port. With our port it is the origin, whose tokens open no
 * events. */
static unsigned events_of_host(const struct site *site, rf_str host)
{
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    if (end > 0 && end < host.len && host.ptr[end - 1] == ':') host = rf_slice(host, 0, end - 1);
    bool is_ours =
        rf_str_eq_nocase(host, RF_S("localhost")) || site_name_is_below(host, site->domain);
    return is_ours ? AUDIENCE_EVENTS : 0;
}

static unsigned audiences_of_host(const struct site *site, rf_str host)
{
    for (size_t i = 0; i < RF_COUNT(domains); i++)
        if (site_name_is_below(host, rf_str_of(domains[i].domain))) return domains[i].set;
    if (is_service_host(site, host, RF_S("vault"))) return AUDIENCE_VAULT;
    if (is_service_host(site, host, RF_S("servicebus"))) return AUDIENCE_EVENTS;
    /* Clients that were given an endpoint of their own ask for a token for it. */
    if (site_knows_host(site, host))
        return AUDIENCE_ARM | AUDIENCE_KUSTO | AUDIENCE_LOGS | AUDIENCE_INGEST;
    return events_of_host(site, host);
}

unsigned token_audiences(const struct site *site, rf_str name)
{
    if (rf_str_ends(name, RF_S("/"))) name.len--;
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(name, rf_str_of(names[i].name))) return names[i].set;
    rf_str schemes[] = {RF_S("https://"), RF_S("sb://")};
    for (size_t i = 0; i < RF_COUNT(schemes); i++) {
        if (!rf_str_starts(name, schemes[i])) continue;
        unsigned set = audiences_of_host(site, rf_slice(name, schemes[i].len, name.len));
        return i == 0 ? set : set & AUDIENCE_EVENTS;
    }
    return 0;
}
