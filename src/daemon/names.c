#define _GNU_SOURCE
#include "daemon/names.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>

static int resolve(const char *name)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo(name, NULL, &hints, &list);
    if (code == 0) freeaddrinfo(list);
    return code;
}

struct names_finding names_look(const char *domain)
{
    struct names_finding finding = {0};
    char vault[256]; /* the longest name of DNS has 253 bytes */
    int len = snprintf(vault, sizeof vault, "kv.vault.%s", domain);
    int code = EAI_NONAME;
    if (len > 0 && (size_t)len < sizeof vault) {
        code = resolve(domain);
        if (code == 0) code = resolve(vault);
    }
    /* RFC 6761 section 6.3: what ends in localhost is this machine; libc alone answers it only through a module. */
    bool is_local = rf_str_ends(rf_str_of(domain), RF_S("localhost"));
    finding.good = code == 0;
    finding.remedy =
        is_local ? "apt install libnss-myhostname, so that programs find "
                   "https://<vault>.vault.<domain>; or name each of them in /etc/hosts"
                 : "let the DNS (a wildcard record) or /etc/hosts name this machine for the domain "
                   "and for <vault>.vault.<domain>";
    (void)snprintf(finding.found, sizeof finding.found, "*.%.120s %s", domain,
                   code == 0 ? "resolves" : gai_strerror(code));
    return finding;
}
