#include "authz/route_walk.h"
#include "test/rf_prop.h"

/* ---- a service of every kind of access -------------------------------------------------------------------- */

struct seen {
    uint32_t runs;
    rf_str oid, variables;
    bool has_principal;
};

static enum rf_kind run_echo(struct request *request, struct rf_err *err)
{
    (void)err;
    struct seen *seen = request->service;
    seen->runs++;
    seen->has_principal = request->principal != NULL;
    struct json_node *body = json_new(request->arena, JSON_T_OBJECT);
    json_set_text(request->arena, body, "route", rf_str_of(request->route->path));
    for (uint32_t i = 0; i < request->variable_count; i++)
        json_set(request->arena, body, request->variables[i].name,
                 json_new_text(request->arena, request->variables[i].value));
    for (uint32_t i = 0; i < request->parameter_count; i++)
        json_set(request->arena, body, request->parameters[i].name,
                 json_new_text(request->arena, request->parameters[i].value));
    return request_answer(request, 200, body);
}

static enum rf_kind run_fail(struct request *request, struct rf_err *err)
{
    rf_str kind = request_variable(request, "kind");
    static const struct {
        const char *name;
        enum rf_kind kind;
    } kinds[] = {{"invalid", RF_INVALID},     {"denied", RF_DENIED}, {"missing", RF_NOT_FOUND},
                 {"conflict", RF_CONFLICT},   {"limit", RF_LIMIT},   {"again", RF_AGAIN},
                 {"cancelled", RF_CANCELLED}, {"io", RF_IO},         {"corrupt", RF_CORRUPT}};
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_is(kind, kinds[i].name))
            return rf_fail(err, kinds[i].kind, "SomeCode", "about /secret/path");
    return request_fail(request, err, 418, "Teapot", "short and %s", "stout");
}

static enum rf_kind scope_of(struct request *request, rf_str *scope, struct rf_err *err)
{
    *scope = rf_arena_printf(request->arena, "/subscriptions/%.*s",
                             RF_FMT(request_variable(request, "s")));
    return scope->ptr == NULL ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind resolve(struct request *request, struct route_need *need, struct rf_err *err)
{
    if (rf_str_is(request_variable(request, "what"), "nowhere"))
        return RF_FAIL(err, RF_NOT_FOUND, "ResourceNotFound", "nowhere");
    need->action = RF_S("Test/things/read");
    need->scope = RF_S("/");
    need->is_open_to_members = rf_str_is(request_variable(request, "what"), "shared");
    return RF_OK;
}

static void *on_open(struct stream *stream, void *ctx, const struct stream_peer *peer)
{
    (void)stream, (void)peer;
    return ctx;
}

static size_t on_bytes(struct stream *stream, void *state, rf_str bytes, bool is_end)
{
    (void)stream, (void)state, (void)is_end;
    return bytes.len;
}

static void on_close(void *state, enum stream_end why, uint16_t code)
{
    (void)state, (void)why, (void)code;
}

static enum rf_kind run_upgrade(struct request *request, struct rf_err *err)
{
    static const struct websocket_options options = {
        .stream = {.on_open = on_open, .on_bytes = on_bytes, .on_close = on_close}};
    return request_upgrade(request, &options, request->service, NULL, err);
}

#define ARM_ROUTE(m, p)                                                                            \
    {                                                                                              \
        .method = HTTP_##m, .path = p, .access = ROUTE_ACTION, .action = "Test/things/read",       \
        .scope = scope_of, .audiences = AUDIENCE_ARM, .run = run_echo                              \
    }
static const struct route routes[] = {
    {.method = HTTP_GET,
     .path = "/open/{name}",
     .access = ROUTE_OPEN,
     .why_open = "a test",
     .run = run_echo},
    {.method = HTTP_GET,
     .path = "/maybe",
     .access = ROUTE_OPEN,
     .why_open = "a test",
     .run = run_echo,
     .audiences = AUDIENCE_ARM},
    {.method = HTTP_GET,
     .path = "/fail/{kind}",
     .access = ROUTE_OPEN,
     .why_open = "a test",
     .run = run_fail},
    ARM_ROUTE(GET, "/subscriptions/{s}"),
    ARM_ROUTE(PUT, "/subscriptions/{s}/things/{t}"),
    ARM_ROUTE(GET, "/subscriptions/{s}/things/{t}"),
    ARM_ROUTE(GET, "/subscriptions/{s}/{path*}"),
    {.method = HTTP_POST,
     .path = "/data/{s}",
     .access = ROUTE_DATA,
     .action = "Test/things/write",
     .scope = scope_of,
     .audiences = AUDIENCE_INGEST,
     .run = run_echo,
     .lane = HTTP_HEAVY,
     .body_bytes_max = 77},
    {.method = HTTP_GET,
     .path = "/resolved/{what}",
     .access = ROUTE_RESOLVE,
     .resolve = resolve,
     .audiences = AUDIENCE_LOGS | AUDIENCE_ARM,
     .run = run_echo},
    {.method = HTTP_GET,
     .path = "/graph/users",
     .access = ROUTE_ROLE,
     .action = "User.Read.All Directory.Read.All",
     .audiences = AUDIENCE_GRAPH,
     .run = run_echo},
    {.method = HTTP_GET,
     .path = "/member",
     .access = ROUTE_MEMBER,
     .audiences = AUDIENCE_KUSTO,
     .run = run_echo},
    {.method = HTTP_GET,
     .path = "/events",
     .access = ROUTE_MEMBER,
     .audiences = AUDIENCE_EVENTS | AUDIENCE_VAULT | AUDIENCE_METRICS,
     .run = run_echo},
    {.method = HTTP_GET,
     .path = "/socket",
     .access = ROUTE_MEMBER,
     .audiences = AUDIENCE_EVENTS,
     .run = run_upgrade},
};

struct house {
    struct walk_site walk;
    struct seen seen;
    struct service service;
    struct dispatcher *dispatcher;
};

static void house_open(struct house *house)
{
    struct rf_err err;
    walk_site_init(&house->walk);
    house->seen = (struct seen){0};
    house->service = (struct service){
        .name = "test", .ctx = &house->seen, .routes = routes, .route_count = RF_COUNT(routes)};
    house->dispatcher = walk_dispatcher(&house->walk);
    cr_assert(dispatcher_add(house->dispatcher, &house->service, &err) == RF_OK, "%s", err.text);
}

static void house_close(struct house *house)
{
    dispatcher_free(house->dispatcher);
    walk_site_done(&house->walk);
}

static void house_assign(struct house *house, const char *principal, const char *role, rf_str scope)
{
    struct state_txn *txn;
    struct rf_err err;
    cr_assert(state_begin_write(house->walk.state, &txn, &err) == RF_OK);
    cr_assert(authz_assign(house->walk.authz, txn, rf_str_of(principal), "ServicePrincipal", role,
                           scope, &err) == RF_OK,
              "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static struct http_response get(struct house *house, const char *target, rf_str authorization)
{
    return walk_exchange(&house->walk, house->dispatcher,
                         &(struct walk_call){.target = target, .authorization = authorization});
}

static rf_str good(struct house *house, const char *audience)
{
    return walk_bearer(&house->walk,
                       walk_token(&house->walk, &(struct walk_token){.audience = audience}));
}

/* ---- tests ------------------------------------------------------------------------------------------------ */

Test(dispatch, no_route_runs_for_a_token_that_is_not_good)
{
    struct house house;
    house_open(&house);
    const struct service *services[] = {&house.service};
    cr_assert(route_walk(&house.walk, services, 1) == 10);
    cr_assert(house.walk.rows > 0, "refusals leave rows");
    house_close(&house);
}

Test(dispatch, a_good_token_gets_in_where_its_owner_has_a_role)
{
    struct house house;
    house_open(&house);
    rf_str token = good(&house, "https://management.azure.com");
    cr_assert(get(&house, "/subscriptions/s1", token).status == 403);
    cr_assert(rf_str_is(rf_str_of(house.walk.last_table), "AzureActivity"));
    house_assign(&house, WALK_OID, ROLE_OWNER, RF_S("/subscriptions/S1"));
    cr_assert(get(&house, "/subscriptions/s1", token).status == 200);
    cr_assert(get(&house, "/subscriptions/s1", token).status == 200, "from the cache");
    cr_assert(get(&house, "/subscriptions/s12", token).status == 403);
    cr_assert(get(&house, "/resolved/thing", token).status == 403);
    cr_assert(get(&house, "/resolved/shared", token).status == 200);
    cr_assert(get(&house, "/resolved/nowhere", token).status == 404);
    cr_assert(house.seen.runs == 3 && house.seen.has_principal);
    house_close(&house);
}

Test(dispatch, a_cached_token_is_still_checked)
{
    struct house house;
    house_open(&house);
    rf_str token = good(&house, "https://kusto.kusto.windows.net");
    cr_assert(get(&house, "/member", token).status == 200);
    cr_assert(get(&house, "/events", token).status == 401, "another audience");
    house.walk.disabled = true;
    cr_assert(get(&house, "/member", token).status == 401, "disabled");
    house.walk.disabled = false;
    house.walk.valid_from = (WALK_NOW + 1) * RF_USEC_PER_SECOND;
    cr_assert(get(&house, "/member", token).status == 401, "revoked");
    house.walk.valid_from = WALK_NOW * RF_USEC_PER_SECOND + 5;
    cr_assert(get(&house, "/member", token).status == 200, "issued in the same second");
    rf_clock_fixed_pass(&house.walk.clock, 3659 * RF_USEC_PER_SECOND);
    cr_assert(get(&house, "/member", token).status == 200, "within the skew");
    rf_clock_fixed_pass(&house.walk.clock, 1 * RF_USEC_PER_SECOND);
    struct http_response response = get(&house, "/member", token);
    cr_assert(response.status == 401 && walk_body_has(&response, "ExpiredAuthenticationToken"));
    house_close(&house);
}

Test(dispatch, new_keys_end_the_tokens_of_the_old_ones)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    rf_str token = good(&house, "https://kusto.kusto.windows.net");
    cr_assert(get(&house, "/member", token).status == 200);
    struct token_key both[] = {{RF_S("next"), house.walk.cert}, {house.walk.kid, house.walk.cert}};
    cr_assert(dispatcher_set_keys(house.dispatcher, both, 2, &err) == RF_OK);
    cr_assert(get(&house, "/member", token).status == 200);
    cr_assert(dispatcher_set_keys(house.dispatcher, both, 1, &err) == RF_OK);
    cr_assert(get(&house, "/member", token).status == 401);
    struct token_key bad = {RF_S("bad"), RF_S("no certificate")};
    cr_assert(dispatcher_set_keys(house.dispatcher, &bad, 1, &err) != RF_OK);
    house_close(&house);
}

Test(dispatch, app_roles_open_routes_of_graph)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *role;
        uint16_t status;
    } table[] = {{"Directory.Read.All", 200},
                 {"User.Read.All", 200},
                 {"User.Read", 403},
                 {"", 403},
                 {"User.Read.All Directory.Read.All", 403}};
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        rf_str token =
            walk_token(&house.walk, &(struct walk_token){.audience = "https://graph.microsoft.com/",
                                                         .roles = table[i].role});
        struct http_response response =
            get(&house, "/graph/users", walk_bearer(&house.walk, token));
        cr_assert(response.status == table[i].status, "%s: %u", table[i].role, response.status);
    }
    house_close(&house);
}

Test(dispatch, audiences_of_all_spellings)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *audience, *target;
        uint16_t status;
    } table[] = {
        {"https://management.core.windows.net/", "/resolved/shared", 200},
        {"https://api.loganalytics.io", "/resolved/shared", 200},
        {"https://westus2.api.loganalytics.io/", "/resolved/shared", 200},
        {"https://localhost:8443", "/resolved/shared", 200},
        {"https://127.0.0.1:8443/", "/resolved/shared", 200},
        {"https://x.ringfort.localhost:8443", "/member", 200},
        {"https://localhost:8443", "/events", 401},
        {"https://localhost:8444", "/member", 401},
        {"https://localhost:8443.evil.example", "/member", 401},
        {"https://evil.example/https://localhost:8443", "/member", 401},
        {"https://help.kusto.windows.net", "/member", 200},
        {"https://kusto.windows.net.evil.example", "/member", 401},
        {"https://evilkusto.windows.net", "/member", 401},
        {"https://ns.servicebus.windows.net/", "/events", 200},
        {"sb://ns.servicebus.windows.net", "/events", 200},
        {"https://vault.ringfort.localhost:8443", "/events", 200},
        {"https://my.vault.ringfort.localhost:8443", "/member", 401},
        {"https://metrics.monitor.azure.com/", "/events", 200},
        {"http://localhost:8443", "/member", 401},
        {"", "/member", 401},
        {"https://", "/member", 401},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct http_response response =
            get(&house, table[i].target, good(&house, table[i].audience));
        cr_assert(response.status == table[i].status, "%s: %u", table[i].audience, response.status);
    }
    house_close(&house);
}

Test(dispatch, issuers_of_both_versions_and_all_our_names)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *issuer;
        uint16_t status;
    } table[] = {
        {"https://localhost:8443/" WALK_TENANT "/", 200},
        {"https://localhost:8443/" WALK_TENANT "/v2.0", 200},
        {"https://ringfort.localhost:8443/" WALK_TENANT "/v2.0", 200},
        {"https://localhost:8443/" WALK_TENANT, 401},
        {"https://localhost:8443/" WALK_TENANT "/v2.0/", 401},
        {"http://localhost:8443/" WALK_TENANT "/", 401},
        {"https://sts.windows.net/" WALK_TENANT "/", 401},
        {"https://localhost:8443/x/" WALK_TENANT "/", 401},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        rf_str token =
            walk_token(&house.walk, &(struct walk_token){.audience = "https://localhost:8443",
                                                         .issuer = table[i].issuer});
        cr_assert(get(&house, "/member", walk_bearer(&house.walk, token)).status == table[i].status,
                  "%s", table[i].issuer);
    }
    house_close(&house);
}

Test(dispatch, finds_routes_and_decodes_what_they_name)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *target;
        uint16_t status;
        const char *has;
    } table[] = {
        {"/open/a%20b", 200, "\"name\":\"a b\""},
        {"/OPEN/x/", 200, "\"name\":\"x\""},
        {"//open/x", 200, "\"name\":\"x\""},
        {"///open/x", 200, "\"name\":\"x\""},
        {"/open//x", 404, "NotFound"},
        {"/open/x//", 404, "NotFound"},
        {"/open", 404, "NotFound"},
        {"/open/", 404, "NotFound"},
        {"/open/x/y", 404, "NotFound"},
        {"/", 404, "NotFound"},
        {"/open/..", 400, "InvalidPath"},
        {"/open/%2e%2E", 400, "InvalidPath"},
        {"/open/.", 400, "InvalidPath"},
        {"/open/a%2Fb", 400, "InvalidPath"},
        {"/open/a%0Ab", 400, "InvalidPath"},
        {"/open/%00", 400, "BadPercentEncoding"},
        {"/open/%zz", 400, "BadPercentEncoding"},
        {"/open/...", 200, "\"name\":\"...\""},
        {"/open/x?api%2Dversion=2020&b=1+2&c&=d&e==", 200,
         "\"api-version\":\"2020\",\"b\":\"1 2\",\"c\":\"\",\"\":\"d\",\"e\":\"=\""},
        {"/open/x?a=%f", 400, "BadPercentEncoding"},
        {"/open/x?&&", 200, "\"name\":\"x\""},
    };
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct http_response response = get(&house, table[i].target, (rf_str){0});
        cr_assert(response.status == table[i].status, "%s: %u", table[i].target, response.status);
        cr_assert(walk_body_has(&response, table[i].has), "%s: %.*s", table[i].target,
                  RF_FMT(rf_buf_view(&response.body)));
    }
    house_close(&house);
}

Test(dispatch, says_which_methods_there_are)
{
    struct house house;
    house_open(&house);
    struct http_response response = walk_exchange(
        &house.walk, house.dispatcher,
        &(struct walk_call){.method = HTTP_DELETE, .target = "/subscriptions/s/things/t"});
    cr_assert(response.status == 405 && walk_body_has(&response, "MethodNotAllowed"));
    cr_assert(rf_str_is(walk_header(&response, "Allow"), "GET, HEAD, PUT"), "%.*s",
              RF_FMT(walk_header(&response, "Allow")));
    response = walk_exchange(&house.walk, house.dispatcher,
                             &(struct walk_call){.method = HTTP_OPTIONS, .target = "/open/x"});
    cr_assert(response.status == 405);
    response = walk_exchange(&house.walk, house.dispatcher,
                             &(struct walk_call){.method = HTTP_HEAD, .target = "/open/x"});
    cr_assert(response.status == 200 && house.seen.runs == 1);
    house_close(&house);
}

/* A stream comes to be only for whom the route is open. */
Test(dispatch, a_route_may_change_to_websocket)
{
    struct house house;
    house_open(&house);
#define H(n, v)                                                                                    \
    {                                                                                              \
        .name = RF_S(n), .value = RF_S(v)                                                          \
    }
    struct walk_call call = {.target = "/socket",
                             .headers = {H("Connection", "Upgrade"), H("Upgrade", "websocket"),
                                         H("Sec-WebSocket-Version", "13")}};
    struct http_response response = walk_exchange(&house.walk, house.dispatcher, &call);
    cr_assert(response.status == 401 && response.upgrade == NULL);
    call.authorization = good(&house, "https://eventhubs.azure.net/");
    response = walk_exchange(&house.walk, house.dispatcher, &call);
    cr_assert(response.status == 400 && response.upgrade == NULL, "there is no key");
    cr_assert(walk_body_has(&response, "BadUpgrade"));
    call.headers[3] = (struct http_header)H("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
    call.headers[2].value = RF_S("7");
    response = walk_exchange(&house.walk, house.dispatcher, &call);
    cr_assert(response.status == 426 && response.upgrade == NULL);
    cr_assert(rf_str_is(walk_header(&response, "Sec-WebSocket-Version"), "13"));
    call.headers[2].value = RF_S("13");
    response = walk_exchange(&house.walk, house.dispatcher, &call);
    cr_assert(response.status == 101 && response.upgrade != NULL);
    house_close(&house);
}

Test(dispatch, refuses_hosts_of_others)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *host;
        uint16_t status;
    } table[] = {{"localhost:8443", 200},
                 {"LOCALHOST:8443", 200},
                 {"127.0.0.1:8443", 200},
                 {"[::1]:8443", 200},
                 {"ringfort.localhost:8443", 200},
                 {"v.vault.ringfort.localhost:8443", 200},
                 {"localhost", 421},
                 {"localhost:8444", 421},
                 {"evil.example:8443", 421},
                 {"evilringfort.localhost:8443", 421},
                 {".ringfort.localhost:8443", 421},
                 {"a\"b.ringfort.localhost:8443", 421},
                 {"localhost:", 421},
                 {":8443", 421},
                 {"", 421}};
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct http_response response =
            walk_exchange(&house.walk, house.dispatcher,
                          &(struct walk_call){.target = "/open/x", .host = table[i].host});
        cr_assert(response.status == table[i].status, "%s: %u", table[i].host, response.status);
    }
    house_close(&house);
}

Test(dispatch, every_answer_has_its_headers)
{
    struct house house;
    house_open(&house);
    static const char *const targets[] = {"/open/x", "/nothing", "/member", "/fail/io"};
    for (size_t i = 0; i < RF_COUNT(targets); i++) {
        struct walk_call call = {.target = targets[i],
                                 .headers = {{RF_S("x-ms-client-request-id"), RF_S("mine")},
                                             {RF_S("x-ms-return-client-request-id"), RF_S("true")},
                                             {RF_S("client-request-id"), RF_S("theirs")}}};
        struct http_response response = walk_exchange(&house.walk, house.dispatcher, &call);
        cr_assert(guid_is(walk_header(&response, "x-ms-request-id")));
        cr_assert(guid_is(walk_header(&response, "x-ms-correlation-request-id")));
        cr_assert(rf_str_is(walk_header(&response, "Cache-Control"), "no-cache"));
        cr_assert(walk_header(&response, "Strict-Transport-Security").len > 0);
        cr_assert(rf_str_is(walk_header(&response, "X-Content-Type-Options"), "nosniff"));
        cr_assert(rf_str_is(walk_header(&response, "x-ms-client-request-id"), "mine"));
        cr_assert(rf_str_is(walk_header(&response, "client-request-id"), "theirs"));
    }
    struct walk_call call = {.target = "/open/x",
                             .headers = {{RF_S("x-ms-client-request-id"), RF_S("mine")},
                                         {RF_S("client-request-id"), RF_S("a b")}}};
    struct http_response response = walk_exchange(&house.walk, house.dispatcher, &call);
    cr_assert(walk_header(&response, "x-ms-client-request-id").len == 0);
    cr_assert(walk_header(&response, "client-request-id").len == 0);
    house_close(&house);
}

Test(dispatch, maps_errors_and_hides_causes)
{
    struct house house;
    house_open(&house);
    static const struct {
        const char *target;
        uint16_t status;
    } table[] = {{"/fail/invalid", 400},   {"/fail/denied", 403}, {"/fail/missing", 404},
                 {"/fail/conflict", 409},  {"/fail/limit", 413},  {"/fail/again", 503},
                 {"/fail/cancelled", 499}, {"/fail/x", 418}};
    for (size_t i = 0; i < RF_COUNT(table); i++) {
        struct http_response response = get(&house, table[i].target, (rf_str){0});
        cr_assert(response.status == table[i].status, "%s: %u", table[i].target, response.status);
        cr_assert(walk_body_has(
            &response, i == 7 ? "{\"error\":{\"code\":\"Teapot\",\"message\":\"short and stout\"}}"
                              : "SomeCode"));
    }
    static const char *const hidden[] = {"/fail/io", "/fail/corrupt"};
    for (size_t i = 0; i < RF_COUNT(hidden); i++) {
        struct http_response response = get(&house, hidden[i], (rf_str){0});
        cr_assert(response.status == 500 && walk_body_has(&response, "InternalServerError"));
        cr_assert(!walk_body_has(&response, "secret") && !walk_body_has(&response, "SomeCode"));
    }
    house_close(&house);
}

Test(dispatch, an_open_route_learns_who_asks_when_it_can)
{
    struct house house;
    house_open(&house);
    cr_assert(get(&house, "/maybe", (rf_str){0}).status == 200 && !house.seen.has_principal);
    cr_assert(get(&house, "/maybe", RF_S("Bearer x")).status == 200 && !house.seen.has_principal);
    cr_assert(get(&house, "/maybe", good(&house, NULL)).status == 200 && house.seen.has_principal);
    cr_assert(get(&house, "/open/x", good(&house, NULL)).status == 200 &&
              !house.seen.has_principal);
    house_close(&house);
}

Test(dispatch, two_authorization_headers_are_none)
{
    struct house house;
    house_open(&house);
    rf_str token = good(&house, "https://localhost:8443");
    struct walk_call call = {
        .target = "/member", .authorization = token, .headers = {{RF_S("authorization"), token}}};
    cr_assert(walk_exchange(&house.walk, house.dispatcher, &call).status == 401);
    house_close(&house);
}

Test(dispatch, plans_by_the_route)
{
    struct house house;
    house_open(&house);
    struct http_handler handler = dispatcher_handler(house.dispatcher);
    struct http_request head = {.method = HTTP_POST,
                                .path = RF_S("/data/s"),
                                .host = RF_S("localhost:8443"),
                                .peer_address = RF_S("192.0.2.7")};
    struct http_plan plan = handler.plan(handler.ctx, &head);
    cr_assert(plan.body_bytes_max == 77 && plan.lane == HTTP_HEAVY);
    head.path = RF_S("/nothing");
    struct http_plan other = handler.plan(handler.ctx, &head);
    cr_assert(other.body_bytes_max == 4 << 20 && other.lane == HTTP_QUICK && other.who == plan.who);
    /* A token gets turns of its own only after it was good once. */
    struct http_header header = {RF_S("Authorization"), good(&house, "https://localhost:8443")};
    head.headers = &header;
    head.header_count = 1;
    cr_assert(handler.plan(handler.ctx, &head).who == plan.who);
    cr_assert(get(&house, "/member", header.value).status == 200);
    cr_assert(handler.plan(handler.ctx, &head).who != plan.who);
    house_close(&house);
}

Test(dispatch, a_flood_of_refusals_leaves_some_rows)
{
    struct house house;
    house_open(&house);
    for (int i = 0; i < 500; i++) cr_assert(get(&house, "/member", RF_S("Bearer x")).status == 401);
    cr_assert(house.walk.rows == 60, "%u", house.walk.rows);
    cr_assert(rf_str_is(rf_str_of(house.walk.last_table), "RingfortDenials"));
    rf_clock_fixed_pass(&house.walk.clock, 61 * RF_USEC_PER_SECOND);
    for (int i = 0; i < 500; i++) cr_assert(get(&house, "/member", RF_S("Bearer x")).status == 401);
    cr_assert(house.walk.rows == 90, "%u", house.walk.rows);
    house_close(&house);
}

/* ---- a service that claims its requests -------------------------------------------------------------------------- */

static int claim(void *ctx, const struct http_request *head)
{
    rf_str vault, domain;
    cr_assert(ctx != NULL);
    if (rf_str_starts(head->path, RF_S("/mine/large"))) return 1;
    bool is_mine =
        site_vault_host(head->host, &vault, &domain) || rf_str_starts(head->path, RF_S("/mine/"));
    return is_mine ? 0 : CLAIM_NONE;
}

static const struct route claimed_routes[] = {{.method = HTTP_GET,
                                               .path = "/{path*}",
                                               .access = ROUTE_MEMBER,
                                               .audiences = AUDIENCE_VAULT,
                                               .run = run_echo,
                                               .body_bytes_max = 55},
                                              {.method = HTTP_POST,
                                               .path = "/mine/large",
                                               .access = ROUTE_MEMBER,
                                               .audiences = AUDIENCE_VAULT,
                                               .run = run_echo,
                                               .body_bytes_max = 99}};

static uint16_t ask(struct house *house, enum http_method method, const char *target,
                    const char *host, rf_str authorization)
{
    struct walk_call call = {
        .method = method, .target = target, .host = host, .authorization = authorization};
    return walk_exchange(&house->walk, house->dispatcher, &call).status;
}

Test(dispatch, a_service_may_claim_requests)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    struct service service = {
        .name = "mine", .ctx = &house.seen, .routes = claimed_routes, .route_count = 2};
    rf_str token = good(&house, "https://vault.azure.net"),
           other = good(&house, "https://management.azure.com"), none = {0};
    cr_assert(ask(&house, HTTP_GET, "/mine/x", NULL, token) == 404);
    cr_assert(ask(&house, HTTP_GET, "/nothing", NULL, none) == 404);
    cr_assert(dispatcher_add_claiming(house.dispatcher, &service, claim, &err) == RF_OK);
    static const char *const paths[] = {"/mine/x//y/", "/mine/%zz", "/mine/../x",
                                        "/mine/subscriptions"};
    for (size_t i = 0; i < RF_COUNT(paths); i++)
        for (int m = 0; m < HTTP_METHOD_COUNT; m++) {
            enum http_method method = (enum http_method)m;
            cr_assert(ask(&house, method, paths[i], NULL, none) == 401, "%s", paths[i]);
            cr_assert(ask(&house, method, paths[i], NULL, other) == 401, "%s", paths[i]);
            cr_assert(ask(&house, method, paths[i], NULL, token) == 200, "%s", paths[i]);
        }
    /* Who it is comes before what is asked. */
    cr_assert(ask(&house, HTTP_GET, "/mine/x?%zz=1", NULL, none) == 401);
    cr_assert(ask(&house, HTTP_GET, "/mine/x?%zz=1", NULL, token) == 400);
    cr_assert(ask(&house, HTTP_GET, "/member", "v.vault.example.test:99", token) == 200);
    cr_assert(ask(&house, HTTP_GET, "/mine/x", "vault.example.test", token) == 421);
    cr_assert(ask(&house, HTTP_GET, "/open/x", "v.other.example.test", none) == 421);
    /* What nobody knows: a challenge for who has no token, and for others as before. */
    cr_assert(ask(&house, HTTP_GET, "/nothing", NULL, none) == 401);
    cr_assert(ask(&house, HTTP_GET, "/nothing", NULL, token) == 404);
    cr_assert(ask(&house, HTTP_GET, "/nothing", NULL, RF_S("Basic x")) == 404);
    cr_assert(ask(&house, HTTP_DELETE, "/maybe", NULL, none) == 405);
    cr_assert(ask(&house, HTTP_GET, "/open/x", NULL, none) == 200);
    struct http_handler handler = dispatcher_handler(house.dispatcher);
    struct http_request head = {.path = RF_S("/mine/%zz"), .host = RF_S("localhost:8443")};
    cr_assert(handler.plan(handler.ctx, &head).body_bytes_max == 55);
    head.path = RF_S("/mine/large/x");
    cr_assert(handler.plan(handler.ctx, &head).body_bytes_max == 99);
    uint32_t count = 0;
    const struct service *of = NULL;
    while (dispatcher_route(house.dispatcher, count, &of) != NULL) count++;
    cr_assert(count == RF_COUNT(routes) + 2 && of == &service, "told with the others");
    house_close(&house);
}

Test(dispatch, no_claimed_request_runs_for_a_token_that_is_not_good)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    struct service service = {
        .name = "mine", .ctx = &house.seen, .routes = claimed_routes, .route_count = 2};
    route_walk_claiming(&house.walk, &service, claim, "v.vault.example.test");
    service.route_count = 0;
    cr_assert(dispatcher_add_claiming(house.dispatcher, &service, claim, &err) == RF_INVALID);
    struct route bad = claimed_routes[0];
    bad.audiences = 0;
    service = (struct service){.name = "bad", .routes = &bad, .route_count = 1};
    cr_assert(dispatcher_add_claiming(house.dispatcher, &service, claim, &err) == RF_INVALID);
    house_close(&house);
}

Test(dispatch, hosts_of_vaults)
{
    static const struct {
        const char *host, *vault, *domain;
    } rows[] = {
        {"kv.vault.azure.net", "kv", "azure.net"},
        {"KV.VAULT.azure.net:8443", "KV", "azure.net"},
        {"a.vault.b", "a", "b"},
        {"vault.azure.net", NULL, NULL},
        {".vault.azure.net", NULL, NULL},
        {"kv.vault.", NULL, NULL},
        {"kv.vault", NULL, NULL},
        {"kv.vault..net", NULL, NULL},
        {"kv.vaults.azure.net", NULL, NULL},
        {"a.kv.vault.azure.net", NULL, NULL},
        {"kv.vault.azure.net:x", NULL, NULL},
        {"kv.vault.azure.net/", NULL, NULL},
        {"k\"v.vault.azure.net", NULL, NULL},
        {"", NULL, NULL},
        {":8443", NULL, NULL},
        {"localhost:8443", NULL, NULL},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        rf_str vault, domain;
        bool is = site_vault_host(rf_str_of(rows[i].host), &vault, &domain);
        cr_expect(is == (rows[i].vault != NULL), "%s", rows[i].host);
        if (is && rows[i].vault != NULL)
            cr_expect(rf_str_is(vault, rows[i].vault) && rf_str_is(domain, rows[i].domain), "%s",
                      rows[i].host);
    }
}

Test(dispatch, refuses_routes_without_a_check)
{
    struct house house;
    struct rf_err err;
    house_open(&house);
    static const struct route bad[] = {
        {.path = "/a", .run = run_echo, .audiences = AUDIENCE_ARM},
        {.path = "/a", .run = run_echo, .access = ROUTE_OPEN},
        {.path = "/a", .run = run_echo, .access = ROUTE_MEMBER},
        {.path = "/a",
         .run = run_echo,
         .access = ROUTE_ACTION,
         .audiences = AUDIENCE_ARM,
         .action = "x"},
        {.path = "/a",
         .run = run_echo,
         .access = ROUTE_DATA,
         .audiences = AUDIENCE_ARM,
         .scope = scope_of},
        {.path = "/a", .run = run_echo, .access = ROUTE_RESOLVE, .audiences = AUDIENCE_ARM},
        {.path = "/a", .run = run_echo, .access = ROUTE_ROLE, .audiences = AUDIENCE_GRAPH},
        {.path = "/a", .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "a", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/a//b", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/{a}/{a}", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/{a*}x", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/x/{a*}/b", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/{a*}/{b}", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/{", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
        {.path = "/{}", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"},
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        struct service service = {.name = "bad", .routes = &bad[i], .route_count = 1};
        cr_assert(dispatcher_add(house.dispatcher, &service, &err) == RF_INVALID, "route %zu", i);
    }
    static const struct route twice = {
        .path = "/OPEN/{other}", .run = run_echo, .access = ROUTE_OPEN, .why_open = "x"};
    struct service service = {.name = "bad", .routes = &twice, .route_count = 1};
    cr_assert(dispatcher_add(house.dispatcher, &service, &err) == RF_CONFLICT);
    house_close(&house);
}
