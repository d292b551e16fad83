/* logout.c - the end of a session, and who somebody is (contract identity, sections 1 and 6.3; OpenID Connect RP-Initiated and Front-Channel Logout,
 * Core section 5.3). */
#include "identity/signin_int.h"

enum { FRAMES_MAX = 16 };

/* ---- sign-out ---------------------------------------------------------------------------------------------------------- */

struct leaving {
    rf_str urls[FRAMES_MAX], origins[FRAMES_MAX];
    uint32_t count;
};

static rf_str origin_of(rf_str url)
{
    rf_str scheme = RF_S("https://");
    if (!rf_str_starts(url, scheme)) return (rf_str){0};
    size_t end = rf_str_find(url, RF_S("/"), scheme.len);
    return rf_slice(url, 0, end == SIZE_MAX ? url.len : end);
}

/* Where the applications that this session was used for hear of its end. */
static enum rf_kind find_frames(struct request *request, struct state_txn *txn,
                                const struct session *session, struct leaving *out,
                                struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct grant_clients clients;
    RF_TRY(grants_clients_of(txn, session->sid, arena, &clients, err));
    for (uint32_t i = 0; i < clients.count && out->count < FRAMES_MAX; i++) {
        struct json_node *application;
        enum rf_kind kind =
            object_find(txn, "application", "appId", clients.items[i], arena, &application, err);
        if (kind == RF_NOT_FOUND) continue;
        RF_TRY(kind);
        rf_str url = json_text_at(application, "web.logoutUrl"), origin = origin_of(url);
        if (origin.len == 0) continue;
        const char *mark = rf_str_find(url, RF_S("?"), 0) == SIZE_MAX ? "?" : "&";
        rf_str issuer = rf_arena_printf(arena, "%.*s/%.*s/v2.0", RF_FMT(request->origin),
                                        RF_FMT(identity_of(request)->tenant));
        if (issuer.ptr == NULL) return rf_fail_memory(err, arena);
        rf_str told = percent_encode(arena, issuer);
        if (told.ptr == NULL) return rf_fail_memory(err, arena);
        out->urls[out->count] = rf_arena_printf(arena, "%.*s%siss=%.*s&sid=%.*s", RF_FMT(url), mark,
                                                RF_FMT(told), RF_FMT(session->sid));
        if (out->urls[out->count].ptr == NULL) return rf_fail_memory(err, arena);
        out->origins[out->count++] = origin;
    }
    return RF_OK;
}

static enum rf_kind end_session(struct request *request, rf_str cookie, struct leaving *out,
                                struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct session session;
    RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
    RF_TRY(state_begin_write(identity->options.state, &txn, err));
    enum rf_kind kind = session_find(txn, cookie, request->now, request->arena, &session, err);
    if (kind == RF_NOT_FOUND) return RF_OK;
    RF_TRY(kind);
    RF_TRY(find_frames(request, txn, &session, out, err));
    RF_TRY(session_end(txn, session.sid, request->arena, err));
    return state_finish(&txn, err);
}

static bool is_among(const struct json_node *list, rf_str uri)
{
    if (!json_is(list, JSON_T_ARRAY)) return false;
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        if (item->type == JSON_T_STRING && rf_str_eq(item->text, uri)) return true;
    return false;
}

/* Whose application it is: of client_id, or the audience of the ID token that is shown. */
static rf_str client_of(struct request *request)
{
    struct jwt jwt;
    struct rf_err ignored;
    rf_str id = request_parameter(request, "client_id", NULL),
           hint = request_parameter(request, "id_token_hint", NULL);
    if (id.len > 0 || hint.len == 0) return id;
    /* It may be over; what it says is believed only as far as the address is registered for that application. */
    return jwt_parse(hint, request->arena, &jwt, &ignored) == RF_OK
               ? json_text_at(jwt.claims, "aud")
               : (rf_str){0};
}

/* Only to an address that is registered: of the application that is named, or of any when none is. */
static enum rf_kind may_return(struct request *request, rf_str uri, bool *may, struct rf_err *err)
{
    static const char *const paths[] = {"web.redirectUris", "spa.redirectUris",
                                        "publicClient.redirectUris"};
    struct rf_arena *arena = request->arena;
    struct object_list list;
    rf_str client = client_of(request);
    IDENTITY_TXN txn = NULL;
    *may = false;
    if (uri.len == 0 || uri.len > 2048) return RF_OK;
    RF_TRY(state_begin_read(identity_of(request)->options.state, &txn, err));
    RF_TRY(object_list(txn, "application", client.len > 0 ? "appId" : NULL, client, arena, &list,
                       err));
    for (uint32_t i = 0; i < list.count && !*may; i++) {
        for (size_t k = 0; k < RF_COUNT(paths) && !*may; k++)
            *may = is_among(json_at(list.items[i], paths[k]), uri);
        *may = *may || rf_str_eq(json_text_at(list.items[i], "web.logoutUrl"), uri);
    }
    return RF_OK;
}

static rf_str return_address(struct request *request, rf_str uri)
{
    rf_str state = request_parameter(request, "state", NULL);
    if (state.len == 0) return uri;
    rf_str value = percent_encode(request->arena, state);
    const char *mark = rf_str_find(uri, RF_S("?"), 0) == SIZE_MAX ? "?" : "&";
    return value.ptr == NULL ? value
                             : rf_arena_printf(request->arena, "%.*s%sstate=%.*s", RF_FMT(uri),
                                               mark, RF_FMT(value));
}

enum rf_kind logout_run(struct request *request, struct rf_err *err)
{
    struct leaving leaving = {.count = 0};
    rf_str cookie = http_cookie(request->http, SESSION_COOKIE);
    rf_str uri = request_parameter(request, "post_logout_redirect_uri", NULL);
    bool back;
    if (cookie.len > 0) RF_TRY(end_session(request, cookie, &leaving, err));
    RF_TRY(may_return(request, uri, &back, err));
    cookie_set(request, SESSION_COOKIE, (rf_str){0}, 0);
    if (back && leaving.count == 0) {
        rf_str address = return_address(request, uri);
        if (address.ptr == NULL) return rf_fail_memory(err, request->arena);
        signin_headers(request, (rf_str){0}, NULL, 0);
        request->response->status = 303;
        http_set(request->response, "Location", address);
        return RF_OK;
    }
    struct page page = {.kind = PAGE_SIGNED_OUT,
                        .language = signin_language(request, NULL),
                        .organisation = identity_of(request)->domain,
                        .items = leaving.urls,
                        .item_count = leaving.count,
                        .switch_url = back ? return_address(request, uri) : (rf_str){0},
                        .request_id = request->request_id,
                        .time = time_graph(request->arena, request->now)};
    signin_headers(request, (rf_str){0}, leaving.origins, leaving.count);
    http_set_literal(request->response, "Content-Type", "text/html; charset=utf-8");
    if (!page_write(&page, &request->response->body)) request->response->failed = true;
    return RF_OK;
}

/* ---- userinfo ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind no_token(struct request *request, struct rf_err *err)
{
    http_set_literal(request->response, "WWW-Authenticate",
                     "Bearer error=\"invalid_token\", error_description=\"The access token is "
                     "missing, over, or not for this.\"");
    return request_fail(request, err, 401, "InvalidAuthenticationToken",
                        "The access token is missing, over, or not for this.");
}

enum rf_kind userinfo_run(struct request *request, struct rf_err *err)
{
    struct identity *identity = identity_of(request);
    struct rf_arena *arena = request->arena;
    const struct json_node *claims;
    struct person person;
    struct rf_err why;
    rf_str header = http_header(request->http, "Authorization", NULL), scheme = RF_S("Bearer "),
           subject;
    if (header.len <= scheme.len || !rf_str_eq_nocase(rf_slice(header, 0, scheme.len), scheme))
        return no_token(request, err);
    enum rf_kind kind = own_token_read(identity, rf_slice(header, scheme.len, header.len),
                                       request->origin, request->now, arena, &claims, &why);
    if (kind == RF_DENIED) return no_token(request, err);
    if (kind != RF_OK) {
        *err = why;
        return kind;
    }
    rf_str scp = json_text_at(claims, "scp"), audience = json_text_at(claims, "aud");
    if (!scope_has(scp, RF_S("openid")) || (!rf_str_is(audience, "https://graph.microsoft.com") &&
                                            !rf_str_eq_nocase(audience, RF_S(GRAPH_APP_ID))))
        return no_token(request, err);
    {
        int64_t issued = 0;
        IDENTITY_TXN txn = NULL;
        RF_TRY(state_begin_read(identity->options.state, &txn, err));
        kind = person_by_id(txn, json_text_at(claims, "oid"), arena, &person, &why);
        (void)json_i64_at(claims, "iat", &issued);
        if (kind == RF_OK) kind = person_still(&person, issued * RF_USEC_PER_SECOND, &why);
    }
    if (kind == RF_NOT_FOUND || kind == RF_DENIED) return no_token(request, err);
    RF_TRY(user_subject(identity, person.id, json_text_at(claims, "appid"), arena, &subject, err));
    rf_str mail = json_text_at(person.doc, "mail"), given = json_text_at(person.doc, "givenName"),
           family = json_text_at(person.doc, "surname");
    oauth_headers(request);
    struct json_out out = json_out_to(&request->response->body);
    json_begin_object(&out, NULL);
    json_put_text(&out, "sub", subject);
    if (scope_has(scp, RF_S("profile"))) {
        json_put_text(&out, "name", person.display_name);
        if (given.len > 0) json_put_text(&out, "given_name", given);
        if (family.len > 0) json_put_text(&out, "family_name", family);
        json_put_text(&out, "preferred_username", person.name);
    }
    if (scope_has(scp, RF_S("email")))
        json_put_text(&out, "email", mail.len > 0 ? mail : person.name);
    json_end_object(&out);
    return RF_OK;
}
