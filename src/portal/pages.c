/* pages.c - GET /, /portal/... and /portal/assets/...: the pages and what they load. */
#include <stdlib.h>

#include "base/encode.h"
#include "net/http_parse.h"
#include "net/inflate.h"
#include "portal/portal_int.h"

#define HOME "/portal/"
enum { RETURN_BYTES_MAX = 1024 };

/* Weak: only the program is linked with the pages; tests and tools are not. */
extern const unsigned char portal_archive[] __attribute__((weak));
extern const unsigned char portal_archive_end[] __attribute__((weak));

rf_str portal_archive_built(void)
{
    if (portal_archive == NULL) return (rf_str){NULL, 0};
    return rf_str_make(portal_archive, (size_t)(portal_archive_end - portal_archive));
}

/* ---- headers -------------------------------------------------------------------------------------------------------- */

/* Scripts and styles are files of ours alone. Editors set styles in markup, and their pages are loaded anew, so that others need not allow it. */
#define POLICY(styles, more)                                                                       \
    "default-src 'self'; script-src 'self'; style-src " styles "; img-src 'self' data:; "          \
    "font-src 'self' data:; worker-src 'self'; object-src 'none'; form-action 'self'; "            \
    "frame-ancestors 'none'; base-uri 'none'; require-trusted-types-for 'script'" more
static const char page_policy[] = POLICY("'self'", "; trusted-types lit-html ringfort-editor");
static const char editor_policy[] =
    POLICY("'self' 'unsafe-inline'", "; trusted-types lit-html ringfort-editor");
/* The language service of Kusto makes functions from texts. It runs in a worker of its own, whose policy is that of its file. */
static const char kusto_policy[] =
    "default-src 'none'; script-src 'self' 'unsafe-eval'; connect-src 'self'";

static void set_guards(struct http_response *response, const char *policy)
{
    http_set_literal(response, "Content-Security-Policy", policy);
    http_set_literal(response, "X-Content-Type-Options", "nosniff");
    http_set_literal(response, "X-Frame-Options", "DENY");
    http_set_literal(response, "Referrer-Policy", "no-referrer");
    http_set_literal(response, "Cross-Origin-Opener-Policy", "same-origin");
    http_set_literal(response, "Cross-Origin-Resource-Policy", "same-origin");
    http_set_literal(response, "Permissions-Policy",
                     "camera=(), geolocation=(), microphone=(), payment=(), usb=(), "
                     "publickey-credentials-get=(self), clipboard-write=(self)");
}

/* ---- one file --------------------------------------------------------------------------------------------------------- */

static bool takes(const struct request *request, const char *coding)
{
    rf_str list = http_header(request->http, "Accept-Encoding", NULL), element;
    while (http_list_next(&list, &element)) {
        size_t mark = RF_MIN(rf_str_find(element, RF_S(";"), 0), element.len);
        if (!rf_str_eq_nocase(rf_str_trim(rf_slice(element, 0, mark)), rf_str_of(coding))) continue;
        size_t weight = rf_str_find(element, RF_S("q="), mark);
        if (weight == SIZE_MAX) return true;
        for (size_t i = weight + 2; i < element.len; i++)
            if (element.ptr[i] >= '1' && element.ptr[i] <= '9') return true;
        return false;
    }
    return false;
}

/* For the few clients that take no coding. */
static enum rf_kind put_plain(struct request *request, const struct asset *asset,
                              struct rf_err *err)
{
    uint8_t *plain;
    size_t bytes;
    struct http_refusal why;
    if (!http_inflate(asset->gz, HTTP_GZIP, asset->bytes, &plain, &bytes, &why))
        return RF_FAIL(err, RF_CORRUPT, "PortalArchiveBad", "%.*s: %s", RF_FMT(asset->name),
                       why.why);
    rf_buf_put(&request->response->body, plain, bytes);
    free(plain);
    return RF_OK;
}

static enum rf_kind put_body(struct request *request, const struct asset *asset, struct rf_err *err)
{
    struct http_response *response = request->response;
    http_set(response, "Content-Type", asset->type);
    http_set_literal(response, "Vary", "Accept-Encoding");
    bool br = takes(request, "br");
    if (!br && !takes(request, "gzip")) return put_plain(request, asset, err);
    http_set_literal(response, "Content-Encoding", br ? "br" : "gzip");
    rf_buf_str(&response->body, br ? asset->br : asset->gz);
    return RF_OK;
}

static bool is_known(const struct request *request, const struct asset *asset)
{
    rf_str list = http_header(request->http, "If-None-Match", NULL), element;
    while (http_list_next(&list, &element)) {
        if (rf_str_is(element, "*")) return true;
        if (rf_str_starts(element, RF_S("W/"))) element = rf_slice(element, 2, element.len);
        if (element.len == asset->etag.len + 2 &&
            rf_str_eq(rf_slice(element, 1, element.len - 1), asset->etag))
            return true;
    }
    return false;
}

enum rf_kind pages_asset(struct request *request, struct rf_err *err)
{
    struct http_response *response = request->response;
    rf_str name = request_variable(request, "name");
    const struct asset *asset = assets_find(
        &portal_of(request)->assets, rf_arena_printf(request->arena, "assets/%.*s", RF_FMT(name)));
    if (asset == NULL) {
        http_set_literal(response, "Cache-Control", "no-store"); /* a page of before asks for it */
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound",
                       "The portal has no file of this name. Load the page again: the server may "
                       "have been updated.");
    }
    set_guards(response, rf_str_starts(name, RF_S("kusto-worker")) ? kusto_policy : page_policy);
    http_set_literal(response, "Cache-Control", "public, max-age=31536000, immutable");
    http_setf(response, "ETag", "\"%.*s\"", RF_FMT(asset->etag));
    if (!is_known(request, asset)) return put_body(request, asset, err);
    response->status = 304;
    http_set_literal(response, "Vary", "Accept-Encoding");
    return RF_OK;
}

/* ---- pages -------------------------------------------------------------------------------------------------------------- */

/* Like nothing that a browser or the sign-in could take for another host's address. */
static bool may_return_to(rf_str target)
{
    if (target.len > RETURN_BYTES_MAX || !rf_str_starts(target, RF_S(HOME))) return false;
    if (rf_str_find(target, RF_S("//"), 0) != SIZE_MAX) return false;
    for (size_t i = 0; i < target.len; i++)
        if (target.ptr[i] <= 0x20 || target.ptr[i] >= 0x7f || target.ptr[i] == '\\') return false;
    return true;
}

static enum rf_kind send_to(struct request *request, rf_str address, struct rf_err *err)
{
    if (address.ptr == NULL) return rf_fail_memory(err, request->arena);
    request->response->status = 302;
    set_guards(request->response, page_policy);
    http_set_literal(request->response, "Cache-Control", "no-store");
    http_set(request->response, "Location", address);
    return RF_OK;
}

static enum rf_kind send_to_signin(struct request *request, struct rf_err *err)
{
    rf_str to = request->http->target;
    to = percent_encode(request->arena, may_return_to(to) ? to : RF_S(HOME));
    rf_str address = rf_arena_printf(request->arena, "/portal/signin?return=%.*s", RF_FMT(to));
    return send_to(request, to.ptr == NULL ? to : address, err);
}

static enum rf_kind tell_how_to_build(struct request *request)
{
    static const char text[] =
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Ringfort</title>"
        "<h1>This program was built without the web portal</h1>"
        "<p>Its APIs work as ever. To have the portal, install node 18 or later and npm where the "
        "program is built, then configure the build with <code>-Dportal=enabled</code> and build "
        "again.</p></html>\n";
    http_set_literal(request->response, "Content-Type", "text/html; charset=utf-8");
    rf_buf_str(&request->response->body, rf_str_of(text));
    return RF_OK;
}

/* Pages on which KQL is written. */
static bool is_editor(rf_str path)
{
    return rf_str_eq_nocase(path, RF_S("logs")) || rf_str_starts(path, RF_S("logs/")) ||
           rf_str_starts(path, RF_S("rules/"));
}

enum rf_kind pages_page(struct request *request, struct rf_err *err)
{
    rf_str path = request_variable(request, "path");
    struct portal *portal = portal_of(request);
    rf_str first = rf_slice(path, 0, RF_MIN(rf_str_find(path, RF_S("/"), 0), path.len));
    if (rf_str_is(first, "api") || rf_str_is(first, "assets"))
        return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The portal has nothing at this path.");
    const struct asset *page = assets_find(&portal->assets, RF_S("index.html"));
    if (page != NULL && http_cookie(request->http, PORTAL_COOKIE).len == 0)
        return send_to_signin(request, err);
    set_guards(request->response, is_editor(path) ? editor_policy : page_policy);
    http_set_literal(request->response, "Cache-Control", "no-store");
    return page == NULL ? tell_how_to_build(request) : put_body(request, page, err);
}

/* Programs that look at the root get what they got before there was a portal. */
enum rf_kind pages_root(struct request *request, struct rf_err *err)
{
    rf_str accept = http_header(request->http, "Accept", NULL);
    if (rf_str_find(accept, RF_S("text/html"), 0) != SIZE_MAX)
        return send_to(request, RF_S(HOME), err);
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "The resource was not found.");
}
