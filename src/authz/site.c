#include "authz/site.h"

#include <stdio.h>

static rf_str origin_host(const struct site *site)
{
    rf_str scheme = RF_S("https://");
    if (!rf_str_starts(site->origin, scheme)) return (rf_str){0};
    return rf_slice(site->origin, scheme.len, site->origin.len);
}

/* Cuts ":PORT" off; false when the host names another port than ours. A host without a port means 443. */
static bool cut_port(const struct site *site, rf_str host, rf_str *name)
{
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    if (end == 0 || end == host.len || host.ptr[end - 1] != ':') {
        *name = host;
        return site->port == 443 && end == host.len;
    }
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "%u", (unsigned)site->port);
    *name = rf_slice(host, 0, end - 1);
    return rf_str_is(rf_slice(host, end, host.len), wanted);
}

bool site_name_is_below(rf_str name, rf_str domain)
{
    if (domain.len == 0 || name.len <= domain.len + 1) return false;
    size_t dot = name.len - domain.len - 1;
    return name.ptr[dot] == '.' && rf_str_eq_nocase(rf_slice(name, dot + 1, name.len), domain);
}

/* A host goes into URLs and headers that we answer, so it must not hold what ends or splits them. */
static bool is_host_text(rf_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (!rf_is_alnum(c) && c != '-' && c != '.' && c != '_') return false;
    }
    return name.len > 0 && name.ptr[0] != '.';
}

bool site_knows_host(const struct site *site, rf_str host)
{
    if (rf_str_eq_nocase(host, origin_host(site)) && host.len > 0) return true;
    rf_str name;
    if (!cut_port(site, host, &name)) return false;
    if (rf_str_eq_nocase(name, RF_S("localhost")) || rf_str_is(name, "127.0.0.1") ||
        rf_str_is(name, "[::1]"))
        return true;
    if (!is_host_text(name) || site->domain.len == 0) return false;
    return rf_str_eq_nocase(name, site->domain) || site_name_is_below(name, site->domain);
}

bool site_vault_host(rf_str host, rf_str *vault, rf_str *domain)
{
    size_t end = host.len;
    while (end > 0 && rf_is_digit(host.ptr[end - 1])) end--;
    if (end > 0 && end < host.len && host.ptr[end - 1] == ':') host = rf_slice(host, 0, end - 1);
    rf_str middle = RF_S(".vault.");
    size_t dot = rf_str_find(host, RF_S("."), 0);
    if (dot == SIZE_MAX || dot == 0 || host.len <= dot + middle.len || !is_host_text(host))
        return false;
    if (!rf_str_eq_nocase(rf_slice(host, dot, dot + middle.len), middle)) return false;
    *vault = rf_slice(host, 0, dot);
    *domain = rf_slice(host, dot + middle.len, host.len);
    return domain->ptr[0] != '.';
}

rf_str site_origin_of(const struct site *site, rf_str host, struct rf_arena *arena)
{
    if (!site_knows_host(site, host)) return site->origin;
    rf_str origin = rf_arena_printf(arena, "https://%.*s", RF_FMT(host));
    return origin.ptr == NULL ? site->origin : origin;
}
