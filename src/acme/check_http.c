/* check_http.c - http-01 (RFC 8555, 8.3): the key authorization stands at a path of the name, on port 80; redirects are followed. */
#include <stdio.h>

#include "acme/check_http.h"
#include "net/dial.h"

enum {
    ANSWER_BYTES_MAX = 16 << 10,
    HOPS_MAX = 10,
    SECONDS = 10,
    URL_BYTES_MAX = 2048,
    REQUEST_BYTES_MAX = 4096
};

/* ---- what comes back ------------------------------------------------------------------------------------------------------------- */

static bool read_status(rf_str line, uint16_t *out)
{
    rf_str begin = RF_S("HTTP/1.");
    enum { AT = 9 };
    if (!rf_str_starts(line, begin) || line.len < AT + 3 || line.ptr[AT - 1] != ' ') return false;
    *out = 0;
    for (size_t i = AT; i < AT + 3; i++) {
        if (!rf_is_digit(line.ptr[i])) return false;
        *out = (uint16_t)(*out * 10 + (line.ptr[i] - '0'));
    }
    return true;
}

bool acme_reply_read(rf_str bytes, struct acme_reply *out)
{
    size_t end = rf_str_find(bytes, RF_S("\r\n\r\n"), 0), from = 0;
    *out = (struct acme_reply){0};
    if (end == SIZE_MAX) return false;
    rf_str head = rf_slice(bytes, 0, end + 2), location = RF_S("location:");
    for (bool first = true; from < head.len; first = false) {
        size_t to = rf_str_find(head, RF_S("\r\n"), from);
        rf_str line = rf_slice(head, from, to);
        if (first && !read_status(line, &out->status)) return false;
        if (line.len > location.len && rf_str_eq_nocase(rf_slice(line, 0, location.len), location))
            out->location = rf_str_trim(rf_slice(line, location.len, line.len));
        from = to + 2;
    }
    out->body = rf_slice(bytes, end + 4, bytes.len);
    return true;
}

/* ---- where to --------------------------------------------------------------------------------------------------------------------- */

struct place {
    bool is_tls;
    uint16_t port;
    rf_str host, target; /* target begins with "/" */
};

static bool read_port(rf_str text, uint16_t *out)
{
    uint32_t port = 0;
    if (text.len == 0 || text.len > 5) return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i])) return false;
        port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

/* Only to the ports of the two protocols, and to names: so it is told no other places of the network. */
static bool read_location(const struct acme_network *network, rf_str url, struct rf_arena *arena,
                          struct place *at)
{
    rf_str http = RF_S("http://"), https = RF_S("https://"), name;
    uint16_t http_port = network->http_port, tls_port = network->tls_port;
    bool wildcard;
    const char *why;
    if (url.len > URL_BYTES_MAX) return false;
    for (size_t i = 0; i < url.len; i++)
        if (url.ptr[i] <= ' ' || url.ptr[i] >= 0x7f) return false;
    if (url.len > 0 && url.ptr[0] == '/' && !rf_str_starts(url, RF_S("//"))) {
        at->target = url;
        return true;
    }
    at->is_tls = rf_str_starts(url, https);
    if (!at->is_tls && !rf_str_starts(url, http)) return false;
    url = rf_slice(url, at->is_tls ? https.len : http.len, url.len);
    size_t slash = RF_MIN(rf_str_find(url, RF_S("/"), 0), url.len);
    rf_str authority = rf_slice(url, 0, slash);
    size_t colon = RF_MIN(rf_str_find(authority, RF_S(":"), 0), authority.len);
    at->port = at->is_tls ? tls_port : http_port;
    if (colon < authority.len &&
        (!read_port(rf_slice(authority, colon + 1, authority.len), &at->port) ||
         (at->port != http_port && at->port != tls_port)))
        return false;
    if (!acme_name_read(rf_slice(authority, 0, colon), arena, &name, &wildcard, &why) || wildcard)
        return false;
    at->host = name;
    at->target = slash < url.len ? rf_slice(url, slash, url.len) : RF_S("/");
    return true;
}

/* ---- asking ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind unreachable(const struct place *at, const struct rf_err *why,
                                struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "connection", "http%s://%.*s:%u: %s", at->is_tls ? "s" : "",
                   RF_FMT(at->host), (unsigned)at->port, why->text);
}

static enum rf_kind open_place(const struct acme_check *check, const struct place *at,
                               struct tls_context **tls, struct dial **out, struct rf_err *err)
{
    struct acme_addresses addresses;
    struct rf_err why = {0};
    const char *host = rf_arena_cstr(check->arena, at->host);
    if (host == NULL) return rf_fail_memory(err, check->arena);
    RF_TRY(acme_resolve(check->network, at->host, &addresses, err));
    enum rf_kind kind = RF_AGAIN;
    for (uint32_t i = 0; kind != RF_OK && i < addresses.count; i++) {
        struct dial_options options = {.host = host,
                                       .port = at->port,
                                       .timeout_usec = SECONDS * RF_USEC_PER_SECOND,
                                       .address = addresses.text[i]};
        kind = dial_open(&options, out, &why);
    }
    if (kind != RF_OK) return unreachable(at, &why, err);
    if (!at->is_tls) return RF_OK;
    if (*tls == NULL && (kind = tls_client_new((rf_str){0}, tls, err)) != RF_OK) {
        dial_close(*out);
        return kind;
    }
    kind = dial_tls(*out, *tls, true, &why);
    if (kind == RF_OK) return RF_OK;
    dial_close(*out);
    return unreachable(at, &why, err);
}

static enum rf_kind ask(const struct acme_check *check, const struct place *at, struct dial *dial,
                        struct acme_reply *out, struct rf_err *err)
{
    char port[8] = "";
    size_t got, len = 0;
    uint8_t *bytes = rf_arena_alloc(check->arena, ANSWER_BYTES_MAX);
    if (at->port != (at->is_tls ? 443 : 80)) (void)snprintf(port, sizeof port, ":%u", at->port);
    /* 1.0, so that the answer comes as it is and ends with the connection. */
    rf_str request = rf_arena_printf(check->arena,
                                     "GET %.*s HTTP/1.0\r\nHost: %.*s%s\r\nAccept: */*\r\n"
                                     "User-Agent: ringfort-acme\r\nConnection: close\r\n\r\n",
                                     RF_FMT(at->target), RF_FMT(at->host), port);
    if (bytes == NULL || request.ptr == NULL) return rf_fail_memory(err, check->arena);
    enum dial_io io = dial_write(dial, request);
    while (io == DIAL_OK && len < ANSWER_BYTES_MAX) {
        io = dial_read(dial, bytes + len, ANSWER_BYTES_MAX - len, &got);
        if (io == DIAL_OK) len += got;
    }
    if (acme_reply_read(rf_str_make(bytes, len), out)) return RF_OK;
    return RF_FAIL(err, RF_AGAIN, "connection", "%.*s:%u %s", RF_FMT(at->host), (unsigned)at->port,
                   io == DIAL_TIMED_OUT ? "did not answer in time" : "gave no answer of HTTP");
}

static bool is_redirect(uint16_t status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static enum rf_kind judge(const struct acme_check *check, const struct place *at,
                          const struct acme_reply *reply, struct rf_err *err)
{
    if (reply->status != 200)
        return RF_FAIL(err, RF_DENIED, "unauthorized", "http%s://%.*s:%u%.*s answers %u, not 200",
                       at->is_tls ? "s" : "", RF_FMT(at->host), (unsigned)at->port,
                       RF_FMT(at->target), reply->status);
    if (rf_str_eq(rf_str_trim(reply->body), check->key_authorization)) return RF_OK;
    return RF_FAIL(err, RF_DENIED, "incorrectResponse",
                   "http%s://%.*s:%u%.*s answers something else than the key authorization",
                   at->is_tls ? "s" : "", RF_FMT(at->host), (unsigned)at->port, RF_FMT(at->target));
}

enum rf_kind acme_check_http(const struct acme_check *check, struct rf_err *err)
{
    struct tls_context *tls = NULL;
    struct acme_reply reply = {0};
    struct place at = {.port = check->network->http_port, .host = check->name};
    enum rf_kind kind = RF_OK;
    at.target =
        rf_arena_printf(check->arena, "/.well-known/acme-challenge/%.*s", RF_FMT(check->token));
    if (at.target.ptr == NULL) return rf_fail_memory(err, check->arena);
    for (int hop = 0; kind == RF_OK; hop++) {
        struct dial *dial = NULL;
        kind = open_place(check, &at, &tls, &dial, err);
        if (kind != RF_OK) break;
        kind = ask(check, &at, dial, &reply, err);
        dial_close(dial);
        if (kind != RF_OK || !is_redirect(reply.status)) break;
        if (hop == HOPS_MAX || !read_location(check->network, reply.location, check->arena, &at))
            kind = RF_FAIL(err, RF_DENIED, "connection",
                           "%.*s leads to a place that is not followed (ports of HTTP and HTTPS, "
                           "names, at most %d times)",
                           RF_FMT(at.host), HOPS_MAX);
    }
    tls_free(tls);
    return kind == RF_OK ? judge(check, &at, &reply, err) : kind;
}
