/* signin_answer.c - what a browser gets: pages, and the way back to the application. */
#include "identity/signin_int.h"

/* ---- headers ---------------------------------------------------------------------------------------------------------- */

void signin_headers(struct request *request, rf_str form_target, const rf_str *frames,
                    uint32_t frame_count)
{
    struct http_response *response = request->response;
    rf_str policy = page_policy(request->arena, form_target, frames, frame_count);
    http_set(response, "Content-Security-Policy", policy);
    http_set_literal(response, "Cache-Control", "no-store, no-cache");
    http_set_literal(response, "Pragma", "no-cache");
    http_set_literal(response, "Referrer-Policy", "no-referrer");
    http_set_literal(response, "X-Content-Type-Options", "nosniff");
    http_set_literal(response, "X-Frame-Options", "DENY");
    http_set(response, "x-ms-request-id", request->request_id);
    if (policy.ptr == NULL) response->failed = true;
}

enum page_language signin_language(const struct request *request, const struct form *form)
{
    rf_str asked = form == NULL ? (rf_str){0} : form_get(form, "ui_locales", NULL);
    if (asked.len == 0 && form != NULL) asked = form_get(form, "mkt", NULL);
    return page_language_of(asked, http_header(request->http, "Accept-Language", NULL));
}

/* "https://app.example:8443" of an address, as policies for pages name it; empty for schemes of programs, which they name "scheme:". */
static rf_str origin_of(rf_str uri, struct rf_arena *arena)
{
    size_t colon = rf_str_find(uri, RF_S("://"), 0);
    if (colon == SIZE_MAX) {
        colon = rf_str_find(uri, RF_S(":"), 0);
        return colon == SIZE_MAX ? (rf_str){0}
                                 : rf_arena_printf(arena, "%.*s:", RF_FMT(rf_slice(uri, 0, colon)));
    }
    size_t end = colon + 3;
    while (end < uri.len && strchr("/?#", uri.ptr[end]) == NULL) end++;
    return rf_slice(uri, 0, end);
}

static rf_str bare_host(rf_str origin)
{
    size_t at = rf_str_find(origin, RF_S("://"), 0);
    return at == SIZE_MAX ? origin : rf_slice(origin, at + 3, origin.len);
}

/* ---- pages ------------------------------------------------------------------------------------------------------------- */

enum rf_kind signin_write_page(struct request *request, struct page *page, uint16_t status)
{
    struct http_response *response = request->response;
    page->server = bare_host(request->origin);
    page->request_id = request->request_id;
    page->time = time_graph(request->arena, request->now);
    response->status = status;
    response->body.len = 0;
    http_set_literal(response, "Content-Type", "text/html; charset=utf-8");
    if (!page_write(page, &response->body)) response->failed = true;
    return RF_OK;
}

enum rf_kind signin_page(struct signin *s, struct page *page, struct rf_err *err)
{
    rf_str sealed;
    const struct form *form = s->what == FOR_APP ? &s->authorize.form : &s->form;
    RF_TRY(signin_seal(s, &sealed, err));
    struct page_field context = {RF_S("ctx"), sealed};
    page->language = signin_language(s->request, form);
    page->action = RF_S("/signin/next");
    page->fields = &context;
    page->field_count = 1;
    page->organisation = s->identity->domain;
    if (s->client != NULL) page->app = s->client->display_name;
    if (page->user_name.len == 0) page->user_name = s->has_person ? s->person.name : s->typed;
    if (s->has_person && s->proofs != 0) page->display_name = s->person.display_name;
    rf_str target =
        s->what == FOR_APP ? origin_of(s->authorize.redirect_uri, s->arena) : (rf_str){0};
    signin_headers(s->request, target, NULL, 0);
    return signin_write_page(s->request, page, 200);
}

enum rf_kind signin_error_page(struct request *request, const char *code, rf_str text)
{
    bool known = code != NULL && rf_is_digit((uint8_t)code[0]);
    struct page page = {.kind = PAGE_ERROR,
                        .language = signin_language(request, NULL),
                        .organisation = identity_of(request)->domain,
                        .code =
                            known ? rf_arena_printf(request->arena, "AADSTS%s", code) : (rf_str){0},
                        .detail = text,
                        .error = PAGE_E_ERROR};
    signin_headers(request, (rf_str){0}, NULL, 0);
    return signin_write_page(request, &page, 400);
}

void signin_service_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    bool ours = status < 500;
    struct page page = {.kind = PAGE_ERROR,
                        .language = signin_language(request, NULL),
                        .organisation = identity_of(request)->domain,
                        .error = status == 503 ? PAGE_E_BUSY : PAGE_E_ERROR,
                        .detail = ours ? rf_str_of(err->text) : (rf_str){0}};
    if (err->code != NULL && rf_is_digit((uint8_t)err->code[0]))
        page.code = rf_arena_printf(request->arena, "AADSTS%s", err->code);
    signin_headers(request, (rf_str){0}, NULL, 0);
    (void)signin_write_page(request, &page, status);
}

enum rf_kind signin_asset(struct request *request, struct rf_err *err)
{
    for (uint32_t i = 0;; i++) {
        const struct page_asset *asset = page_asset_at(i);
        if (asset == NULL) break;
        if (!rf_str_is(request->http->path, asset->path)) continue;
        http_set_literal(request->response, "Content-Type", asset->type);
        http_set_literal(request->response, "Cache-Control", "public, max-age=31536000, immutable");
        http_set_literal(request->response, "X-Content-Type-Options", "nosniff");
        rf_buf_str(&request->response->body, asset->bytes);
        return RF_OK;
    }
    return RF_FAIL(err, RF_NOT_FOUND, "NotFound", "There is nothing at this address.");
}

/* ---- back to the application ------------------------------------------------------------------------------------------------ */

static rf_str with_fields(struct request *request, const struct authorize *a,
                          const struct page_field *fields, uint32_t count)
{
    struct rf_buf url = rf_buf_in(request->arena);
    bool fragment = rf_str_is(a->mode, "fragment");
    bool has_query = rf_str_find(a->redirect_uri, RF_S("?"), 0) != SIZE_MAX;
    rf_buf_str(&url, a->redirect_uri);
    for (uint32_t i = 0; i < count; i++) {
        const char *mark = i > 0 ? "&" : fragment ? "#" : has_query ? "&" : "?";
        rf_str value = percent_encode(request->arena, fields[i].value);
        if (value.ptr == NULL) return (rf_str){0};
        rf_buf_printf(&url, "%s%.*s=%.*s", mark, RF_FMT(fields[i].name), RF_FMT(value));
    }
    return url.failed ? (rf_str){0} : rf_buf_view(&url);
}

static enum rf_kind post_form(struct request *request, const struct authorize *a,
                              const struct page_field *fields, uint32_t count)
{
    struct page page = {.kind = PAGE_POST,
                        .language = signin_language(request, &a->form),
                        .organisation = identity_of(request)->domain,
                        .app = a->client->display_name,
                        .action = a->redirect_uri,
                        .fields = fields,
                        .field_count = count};
    signin_headers(request, origin_of(a->redirect_uri, request->arena), NULL, 0);
    return signin_write_page(request, &page, 200);
}

enum rf_kind authorize_answer(struct request *request, const struct authorize *a,
                              const struct page_field *given, uint32_t count, struct rf_err *err)
{
    struct page_field fields[12];
    RF_ASSERT(count + 2 <= RF_COUNT(fields));
    memcpy(fields, given, count * sizeof *given);
    if (a->state.len > 0) fields[count++] = (struct page_field){RF_S("state"), a->state};
    rf_str issuer = rf_arena_printf(request->arena, "%.*s/%.*s/v2.0", RF_FMT(request->origin),
                                    RF_FMT(identity_of(request)->tenant));
    fields[count++] = (struct page_field){RF_S("iss"), issuer};
    if (issuer.ptr == NULL) return rf_fail_memory(err, request->arena);
    if (rf_str_is(a->mode, "form_post")) return post_form(request, a, fields, count);
    rf_str url = with_fields(request, a, fields, count);
    if (url.ptr == NULL) return rf_fail_memory(err, request->arena);
    signin_headers(request, (rf_str){0}, NULL, 0);
    request->response->status = 303;
    request->response->body.len = 0;
    http_set(request->response, "Location", url);
    return RF_OK;
}

enum rf_kind authorize_answer_error(struct request *request, const struct authorize *a,
                                    const char *error, const struct rf_err *why, struct rf_err *err)
{
    const char *code =
        why->code != NULL && rf_is_digit((uint8_t)why->code[0]) ? why->code : "90033";
    rf_str text = rf_arena_printf(request->arena, "AADSTS%s: %s Trace ID: %.*s Timestamp: %.*s",
                                  code, why->text, RF_FMT(request->request_id),
                                  RF_FMT(time_graph(request->arena, request->now)));
    const struct page_field fields[] = {{RF_S("error"), rf_str_of(error)},
                                        {RF_S("error_description"), text}};
    if (text.ptr == NULL) return rf_fail_memory(err, request->arena);
    return authorize_answer(request, a, fields, RF_COUNT(fields), err);
}
