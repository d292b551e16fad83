/* graph.c - Resource Graph as a service: what is asked, the query with its limits, pages and facets, errors. */
#include "arm/graph_int.h"

#include <pthread.h>
#include <time.h>

#include "base/encode.h"
#include "base/json_out.h"

enum {
    TOP_DEFAULT = 100,
    TOP_MAX = 1000,
    FACET_TOP_DEFAULT = 10,
    FACETS_MAX = 20,
    QUERY_BYTES_MAX = 128 << 10,
    QUERY_SECONDS_MAX = 30,
    WATCH_MS = 50, /* between looks whether the client is there still */
    TOKEN_BYTES_MAX = 200,
};
#define QUERY_MEMORY_BYTES ((size_t)256 << 20)

static const char *const versions[] = {
    "2018-09-01-preview", "2019-04-01", "2020-04-01-preview", "2021-03-01", "2022-10-01",
    "2024-04-01",         NULL};
static const struct arm_type graph_type = {.name = "Microsoft.ResourceGraph/resources",
                                           .versions = versions};

struct ask {
    rf_str query;   /* with its table in front */
    uint32_t added; /* bytes of that */
    rf_str given;   /* as sent */
    const struct json_node *facets;
    uint64_t skip;
    uint32_t top;
    bool as_table;
    struct graph graph;
};

/* ---- errors ----------------------------------------------------------------------------------------------------------------- */

/* 400 with one more word on what is wrong. */
static enum rf_kind answer_invalid(struct request *request, const char *code, rf_str text,
                                   struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *details = json_new(arena, JSON_T_ARRAY);
    struct json_node *detail = json_append(details, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, detail, "code", rf_str_of(code));
    if (json_set_text(arena, detail, "message", text) == NULL) return rf_fail_memory(err, arena);
    return arm_answer_error(request, 400, "BadRequest", text, (rf_str){0}, details);
}

/* The word or sign at an error's place; at the end of the text there is none. */
static rf_str token_at(rf_str text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    for (uint32_t n = 1; n < line; n++) {
        size_t end = rf_str_find(text, RF_S("\n"), at);
        if (end == SIZE_MAX) return (rf_str){0};
        at = end + 1;
    }
    for (uint32_t n = 1; n < column && at < text.len; n++) (void)rf_utf8_next(text, &at);
    size_t end = at;
    while (end < text.len && end - at < 100 &&
           (rf_is_alnum(text.ptr[end]) || text.ptr[end] == '_' || text.ptr[end] >= 0x80))
        end++;
    if (end == at && at < text.len) (void)rf_utf8_next(text, &end);
    return rf_slice(text, RF_MIN(at, text.len), RF_MIN(end, text.len));
}

/* What should have stood there, as the engine's text says it: "expected X, found Y". */
static rf_str expected_of(const struct rf_err *err)
{
    static const char before[] = "expected ", behind[] = ", found ";
    rf_str text = rf_str_of(err->text);
    size_t from = rf_str_find(text, rf_str_of(before), 0);
    if (from == SIZE_MAX) return (rf_str){0};
    from += sizeof before - 1;
    size_t to = rf_str_find(text, rf_str_of(behind), from);
    return to == SIZE_MAX ? (rf_str){0} : rf_slice(text, from, to);
}

static bool is_of_parser(const char *code)
{
    static const char *const codes[] = {"SyntaxError", "UnexpectedCharacter",
                                        "BadLiteral",  "UnknownOperator",
                                        "NoInput",     "NoQuery"};
    for (size_t i = 0; i < RF_COUNT(codes); i++)
        if (strcmp(code, codes[i]) == 0) return true;
    return false;
}

static bool put_position(struct rf_arena *arena, const struct ask *ask, const struct rf_err *why,
                         struct json_node *detail)
{
    uint32_t column = why->column > 0 ? why->column - 1 : 0;
    if (why->line == 1) column -= RF_MIN(column, ask->added);
    rf_str token = token_at(ask->given, why->line, column + 1);
    rf_str expected = expected_of(why);
    if (token.len == 0) token = RF_S("<EOF>");
    json_set_i64(arena, detail, "line", why->line);
    json_set_i64(arena, detail, "characterPositionInLine", column);
    if (expected.len > 0) json_set_text(arena, detail, "expectedToken", expected);
    return json_set_text(arena, detail, "token", token) != NULL;
}

/* The query is at fault: where, and what. */
static enum rf_kind answer_fault(struct request *request, const struct ask *ask,
                                 const struct rf_err *why, struct rf_err *err)
{
    struct rf_arena *arena = request->arena;
    struct json_node *details = json_new(arena, JSON_T_ARRAY);
    struct json_node *first = json_append(details, json_new(arena, JSON_T_OBJECT));
    struct json_node *second = json_append(details, json_new(arena, JSON_T_OBJECT));
    json_set_text(arena, first, "code", RF_S("InvalidQuery"));
    json_set_text(arena, first, "message",
                  RF_S("The query is invalid; the next entry says where and why."));
    rf_str code = is_of_parser(why->code) ? RF_S("ParserFailure") : rf_str_of(why->code);
    json_set_text(arena, second, "code", code);
    bool done = json_set_text(arena, second, "message", rf_str_of(why->text)) != NULL;
    if (done && why->line > 0) done = put_position(arena, ask, why, second);
    if (!done) return rf_fail_memory(err, arena);
    rf_str text = rf_arena_printf(arena, "The query cannot be run: %s (correlationId = %.*s)",
                                  why->text, RF_FMT(request->request_id));
    if (text.ptr == NULL) return rf_fail_memory(err, arena);
    return arm_answer_error(request, 400, "BadRequest", text, (rf_str){0}, details);
}

/* ---- what is asked --------------------------------------------------------------------------------------------------------- */

/* "where ...", "summarize ...": a query without a table is one of Resources. */
static bool begins_with_operator(rf_str text)
{
    static const char *const operators[] = {"where",        "filter",       "project",
                                            "project-away", "project-keep", "project-rename",
                                            "extend",       "summarize",    "take",
                                            "limit",        "top",          "order",
                                            "sort",         "count",        "distinct",
                                            "mv-expand",    "mvexpand",     "parse",
                                            "parse-where",  "join",         "project-reorder",
                                            "sample",       "as",           "serialize"};
    size_t at = 0;
    for (;;) {
        while (at < text.len && rf_is_space(text.ptr[at])) at++;
        if (!rf_str_starts(rf_slice(text, at, text.len), RF_S("//"))) break;
        while (at < text.len && text.ptr[at] != '\n') at++;
    }
    size_t from = at;
    while (at < text.len && (rf_is_alnum(text.ptr[at]) || text.ptr[at] == '-')) at++;
    rf_str word = rf_slice(text, from, at);
    bool alone = at == text.len || rf_is_space(text.ptr[at]) || text.ptr[at] == '|';
    for (size_t i = 0; alone && i < RF_COUNT(operators); i++)
        if (rf_str_is(word, operators[i])) return true;
    return false;
}

static const char *read_query(const struct json_node *body, struct rf_arena *arena, struct ask *ask)
{
    ask->given = json_text_at(body, "query");
    if (rf_str_trim(ask->given).len == 0) return "'query' is missing: a text in KQL is needed.";
    if (ask->given.len > QUERY_BYTES_MAX) return "'query' has more than 131072 bytes.";
    ask->query = ask->given;
    if (!begins_with_operator(ask->given)) return NULL;
    rf_str table = RF_S("Resources | ");
    ask->added = (uint32_t)table.len;
    ask->query = rf_arena_printf(arena, "%.*s%.*s", RF_FMT(table), RF_FMT(ask->given));
    return ask->query.ptr == NULL ? "The query does not fit in memory." : NULL;
}

static bool read_count(const struct json_node *options, const char *name, int64_t least,
                       int64_t most, int64_t *out)
{
    const struct json_node *node = json_get(options, name);
    if (node == NULL || node->type == JSON_T_NULL) return true;
    return json_i64_at(options, name, out) && *out >= least && *out <= most;
}

/* A token is where the next page begins, and of which query: it is no secret and proves nothing. */
static uint64_t query_mark(const struct ask *ask)
{
    return rf_hash(ask->given.ptr, ask->given.len, 0);
}

static rf_str make_token(struct rf_arena *arena, const struct ask *ask, uint64_t next)
{
    rf_str text = rf_arena_printf(arena, "%llu %016llx", (unsigned long long)next,
                                  (unsigned long long)query_mark(ask));
    return text.ptr == NULL ? text : base64url_encode(arena, text);
}

static bool read_token(struct rf_arena *arena, rf_str token, struct ask *ask)
{
    rf_str text;
    struct rf_err ignored;
    uint64_t next = 0;
    size_t at = 0;
    if (token.len > TOKEN_BYTES_MAX || base64url_decode(arena, token, &text, &ignored) != RF_OK)
        return false;
    for (; at < text.len && at < 18 && rf_is_digit(text.ptr[at]); at++)
        next = next * 10 + (uint64_t)(text.ptr[at] - '0');
    rf_str mark = rf_arena_printf(arena, " %016llx", (unsigned long long)query_mark(ask));
    if (at == 0 || mark.ptr == NULL || !rf_str_eq(rf_slice(text, at, text.len), mark)) return false;
    ask->skip = next;
    return true;
}

static bool read_reach(rf_str text, enum graph_reach *out)
{
    static const char *const names[] = {[GRAPH_BELOW] = "AtScopeAndBelow",
                                        [GRAPH_ABOVE] = "AtScopeAndAbove",
                                        [GRAPH_EXACT] = "AtScopeExact",
                                        [GRAPH_AROUND] = "AtScopeAboveAndBelow"};
    for (uint32_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(text, rf_str_of(names[i]))) {
            *out = (enum graph_reach)i;
            return true;
        }
    return text.len == 0;
}

/* Gives what is wrong, or NULL. */
static const char *read_options(const struct json_node *options, struct rf_arena *arena,
                                struct ask *ask)
{
    int64_t top = TOP_DEFAULT, skip = 0;
    if (options == NULL || options->type == JSON_T_NULL) return NULL;
    if (options->type != JSON_T_OBJECT) return "'options' is not an object.";
    if (!read_count(options, "$top", 1, TOP_MAX, &top))
        return "'options.$top' is a number from 1 to 1000.";
    if (!read_count(options, "$skip", 0, INT32_MAX, &skip))
        return "'options.$skip' is a number from 0 on.";
    ask->top = (uint32_t)top;
    ask->skip = (uint64_t)skip;
    rf_str format = json_text_at(options, "resultFormat");
    if (rf_str_eq_nocase(format, RF_S("table")))
        ask->as_table = true;
    else if (rf_str_eq_nocase(format, RF_S("objectArray")))
        ask->as_table = false;
    else if (format.len > 0)
        return "'options.resultFormat' is 'table' or 'objectArray'.";
    if (!read_reach(json_text_at(options, "authorizationScopeFilter"), &ask->graph.reach))
        return "'options.authorizationScopeFilter' is AtScopeAndBelow, AtScopeAndAbove, "
               "AtScopeExact or AtScopeAboveAndBelow.";
    rf_str token = json_text_at(options, "$skipToken");
    if (token.len > 0 && !read_token(arena, token, ask))
        return "'options.$skipToken' is not one that an answer to this query gave.";
    return NULL;
}

/* *ours: the list names one that is there, or there is no list. */
static const char *read_names(const struct json_node *list, rf_str own, bool guids, bool *ours)
{
    *ours = list == NULL || list->type == JSON_T_NULL || list->count == 0;
    if (*ours) return NULL;
    if (list->type != JSON_T_ARRAY) return "'subscriptions' and 'managementGroups' are arrays.";
    for (const struct json_node *name = list->first; name != NULL; name = name->next) {
        if (name->type != JSON_T_STRING || (guids && !guid_is(name->text)))
            return guids ? "'subscriptions' holds what is no GUID."
                         : "'managementGroups' holds what is no text.";
        if (rf_str_eq_nocase(name->text, own)) *ours = true;
    }
    return NULL;
}

static enum rf_kind read_scope(struct request *request, const struct json_node *body,
                               struct ask *ask, const char **code, const char **wrong,
                               struct rf_err *err)
{
    const struct json_node *subscriptions = json_get(body, "subscriptions");
    const struct json_node *groups = json_get(body, "managementGroups");
    const struct site *site = request->site;
    bool of_subscription, of_group;
    *code = "InvalidParameter";
    *wrong = read_names(subscriptions, site->subscription_id, true, &of_subscription);
    if (*wrong == NULL) *wrong = read_names(groups, site->tenant_id, false, &of_group);
    if (*wrong != NULL) return RF_OK;
    bool by_subscription = subscriptions != NULL && subscriptions->count > 0;
    bool by_group = groups != NULL && groups->count > 0;
    if (by_subscription && by_group) {
        *wrong = "'subscriptions' and 'managementGroups' are not given together.";
        return RF_OK;
    }
    if (!of_subscription || !of_group) {
        *code = by_group ? "NoValidManagementGroupsInQueryRequest"
                         : "NoValidSubscriptionsInQueryRequest";
        *wrong = "None of the subscriptions or management groups that are named is known.";
        return RF_OK;
    }
    rf_str scope = {0};
    if (by_subscription)
        scope =
            rf_arena_printf(request->arena, "/subscriptions/%.*s", RF_FMT(site->subscription_id));
    if (by_group)
        scope =
            rf_arena_printf(request->arena, "/providers/microsoft.management/managementgroups/%.*s",
                            RF_FMT(site->tenant_id));
    if ((by_subscription || by_group) && scope.ptr == NULL)
        return rf_fail_memory(err, request->arena);
    ask->graph.scope = scope;
    return RF_OK;
}

static const char *read_facets(const struct json_node *facets, struct ask *ask)
{
    if (facets == NULL || facets->type == JSON_T_NULL) return NULL;
    if (facets->type != JSON_T_ARRAY) return "'facets' is not an array.";
    if (facets->count > FACETS_MAX) return "There are more than 20 facets.";
    ask->facets = facets;
    return NULL;
}

/* ---- a query with its limits ---------------------------------------------------------------------------------------------- */

/* Ends a query whose client has gone or whose time is over. */
struct watch {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool over; /* under the lock: the query has ended */
    const atomic_bool *gone;
    atomic_bool cancelled, timed_out;
};

static struct timespec in_ms(int64_t ms)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    ts.tv_nsec += ms % 1000 * 1000000;
    ts.tv_sec += ms / 1000 + ts.tv_nsec / 1000000000;
    ts.tv_nsec %= 1000000000;
    return ts;
}

static bool is_past(const struct timespec *ts)
{
    struct timespec now = in_ms(0);
    return now.tv_sec > ts->tv_sec || (now.tv_sec == ts->tv_sec && now.tv_nsec >= ts->tv_nsec);
}

static void *watch_run(void *ctx)
{
    struct watch *watch = ctx;
    struct timespec end = in_ms((int64_t)QUERY_SECONDS_MAX * 1000);
    pthread_mutex_lock(&watch->lock);
    while (!watch->over) {
        struct timespec next = in_ms(WATCH_MS);
        (void)pthread_cond_timedwait(&watch->wake, &watch->lock, &next);
        if (watch->gone != NULL && atomic_load(watch->gone)) atomic_store(&watch->cancelled, true);
        if (!is_past(&end)) continue;
        atomic_store(&watch->timed_out, true);
        atomic_store(&watch->cancelled, true);
    }
    pthread_mutex_unlock(&watch->lock);
    return NULL;
}

static enum rf_kind watch_begin(struct watch *watch, const atomic_bool *gone, struct rf_err *err)
{
    pthread_condattr_t attr;
    memset(watch, 0, sizeof *watch);
    watch->gone = gone;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&watch->lock, NULL);
    pthread_cond_init(&watch->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (pthread_create(&watch->thread, NULL, watch_run, watch) == 0) return RF_OK;
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
    return RF_FAIL(err, RF_AGAIN, "ServiceUnavailable",
                   "no thread is free to watch the query; try again");
}

static void watch_end(struct watch *watch)
{
    pthread_mutex_lock(&watch->lock);
    watch->over = true;
    pthread_cond_signal(&watch->wake);
    pthread_mutex_unlock(&watch->lock);
    pthread_join(watch->thread, NULL);
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
}

/* One thread runs a query: state is read in small pieces, and what is left to do is little. */
static enum rf_kind run_query(struct ask *ask, rf_str text, struct watch *watch,
                              struct graph_answer *answer, struct rf_err *err)
{
    struct request *request = ask->graph.request;
    struct catalog catalog;
    struct kql_stats stats;
    RF_TRY(graph_catalog(&ask->graph, text, request->arena, &catalog, err));
    const struct kql_request query = {.text = text,
                                      .catalog = &catalog,
                                      .memory_bytes = QUERY_MEMORY_BYTES,
                                      .lane_count = 1,
                                      .now_ticks = DATETIME_UNIX_EPOCH +
                                                   request->now * TICKS_PER_MICROSECOND,
                                      .env = {.database = RF_S("ResourceGraph"),
                                              .cluster = request->site->domain,
                                              .principal = request->principal->object_id},
                                      .cancelled = &watch->cancelled};
    return kql_run(&query, &answer->sink, &stats, err);
}

/* ---- facets ------------------------------------------------------------------------------------------------------------------ */

static rf_str facet_query(struct rf_arena *arena, const struct ask *ask,
                          const struct json_node *facet)
{
    struct rf_buf text = rf_buf_in(arena);
    rf_str expression = json_text_at(facet, "expression");
    rf_str filter = json_text_at(facet, "options.filter");
    rf_str sort = json_text_at(facet, "options.sortBy");
    bool up = rf_str_eq_nocase(json_text_at(facet, "options.sortOrder"), RF_S("asc"));
    rf_str query = rf_str_trim(ask->query);
    while (query.len > 0 && query.ptr[query.len - 1] == ';') query.len--;
    rf_buf_str(&text, query);
    /* A line of its own ends what may be a comment. */
    if (filter.len > 0) rf_buf_printf(&text, "\n| where %.*s", RF_FMT(filter));
    rf_buf_printf(&text, "\n| summarize ['count'] = count() by %.*s", RF_FMT(expression));
    if (sort.len == 0 || rf_str_eq_nocase(sort, RF_S("count")))
        rf_buf_printf(&text, "\n| order by ['count'] %s", up ? "asc" : "desc");
    else
        rf_buf_printf(&text, "\n| order by %.*s\n%s", RF_FMT(sort), up ? "asc" : "desc");
    return text.failed ? (rf_str){0} : rf_buf_view(&text);
}

static void put_facet_error(struct json_out *out, const char *code, rf_str text)
{
    json_put_text(out, "resultType", RF_S("FacetError"));
    json_begin_array(out, "errors");
    json_begin_object(out, NULL);
    json_put_text(out, "code", rf_str_of(code));
    json_put_text(out, "message", text);
    json_end_object(out);
    json_end_array(out);
}

/* What is wrong with one facet is told in its place; the others are answered all the same. */
static enum rf_kind put_facet(struct ask *ask, const struct json_node *facet, struct watch *watch,
                              struct json_out *out, struct rf_err *err)
{
    struct rf_arena *arena = ask->graph.request->arena;
    struct graph_answer answer;
    struct rf_err why;
    int64_t top = FACET_TOP_DEFAULT;
    rf_str expression = json_text_at(facet, "expression");
    json_begin_object(out, NULL);
    json_put_text(out, "expression", expression);
    struct json_out mark = *out;
    size_t len = out->buf->len;
    if (expression.len == 0) {
        put_facet_error(out, "InvalidFacet", RF_S("A facet needs an 'expression'."));
    } else if (!read_count(json_get(facet, "options"), "$top", 1, TOP_MAX, &top)) {
        put_facet_error(out, "InvalidFacet", RF_S("'$top' is a number from 1 to 1000."));
    } else {
        rf_str text = facet_query(arena, ask, facet);
        if (text.ptr == NULL) return rf_fail_memory(err, arena);
        rf_buf_str(out->buf, RF_S(",\"data\":"));
        graph_answer_init(&answer, out->buf, arena, ask->as_table, 0, (uint32_t)top);
        enum rf_kind kind = run_query(ask, text, watch, &answer, &why);
        if (kind == RF_OK) {
            json_put_text(out, "resultType", RF_S("FacetResult"));
            json_put_i64(out, "totalRecords", (int64_t)answer.row_count);
            json_put_i64(out, "count", answer.shown_count);
        } else if (kind == RF_INVALID || kind == RF_LIMIT || kind == RF_NOT_FOUND) {
            *out = mark;
            out->buf->len = len;
            out->buf->failed = false;
            put_facet_error(out, why.code, rf_str_of(why.text));
        } else {
            *err = why;
            return kind;
        }
    }
    json_end_object(out);
    return RF_OK;
}

/* ---- the answer ----------------------------------------------------------------------------------------------------------------- */

static enum rf_kind put_answer(struct ask *ask, struct watch *watch, bool *of_facets,
                               struct rf_err *err)
{
    struct request *request = ask->graph.request;
    struct json_out out = json_out_to(&request->response->body);
    struct graph_answer answer;
    json_begin_object(&out, NULL);
    rf_buf_str(out.buf, RF_S("\"data\":"));
    graph_answer_init(&answer, out.buf, request->arena, ask->as_table, ask->skip, ask->top);
    RF_TRY(run_query(ask, ask->query, watch, &answer, err));
    out.comma = true;
    uint64_t next = ask->skip + answer.shown_count;
    bool more = answer.shown_count > 0 && next < answer.row_count;
    json_put_i64(&out, "totalRecords", (int64_t)answer.row_count);
    json_put_i64(&out, "count", answer.shown_count);
    json_put_text(&out, "resultTruncated", more && !answer.has_id ? RF_S("true") : RF_S("false"));
    if (more && answer.has_id)
        json_put_text(&out, "$skipToken", make_token(request->arena, ask, next));
    *of_facets = true;
    json_begin_array(&out, "facets");
    for (const struct json_node *facet = ask->facets == NULL ? NULL : ask->facets->first;
         facet != NULL; facet = facet->next)
        RF_TRY(put_facet(ask, facet, watch, &out, err));
    json_end_array(&out);
    json_end_object(&out);
    return out.buf->failed ? rf_fail_memory(err, request->arena) : RF_OK;
}

static enum rf_kind answer(struct request *request, struct ask *ask, struct rf_err *err)
{
    struct watch watch;
    struct rf_err why;
    bool of_facets = false;
    RF_TRY(watch_begin(&watch, request->gone, err));
    enum rf_kind kind = put_answer(ask, &watch, &of_facets, &why);
    watch_end(&watch);
    if (kind == RF_OK) {
        request->response->status = 200;
        http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
        return RF_OK;
    }
    request->response->body.len = 0;
    request->response->body.failed = false;
    if (kind == RF_CANCELLED && atomic_load(&watch.timed_out))
        return request_fail(request, err, 504, "GatewayTimeout",
                            "The query ran longer than %d seconds: narrow it with 'where' before "
                            "joins and summarize.",
                            QUERY_SECONDS_MAX);
    if (kind == RF_INVALID || kind == RF_LIMIT || kind == RF_NOT_FOUND)
        return answer_fault(request, ask, &why, err);
    *err = why;
    return kind;
}

enum rf_kind arm_run_graph(struct request *request, struct rf_err *err)
{
    struct json_node *body;
    rf_str version;
    const char *code, *wrong;
    RF_TRY(arm_require_version(request, &version, err));
    RF_TRY(arm_types_check_version(&graph_type, version, err));
    RF_TRY(request_json(request, false, &body, err));
    struct ask ask = {.top = TOP_DEFAULT,
                      .as_table = rf_str_cmp(version, RF_S("2020")) < 0,
                      .graph = {.arm = request->service, .request = request}};
    if (body->type != JSON_T_OBJECT)
        return answer_invalid(request, "InvalidParameter", RF_S("The body is not an object."), err);
    RF_TRY(read_scope(request, body, &ask, &code, &wrong, err));
    if (wrong == NULL) wrong = read_query(body, request->arena, &ask);
    if (wrong == NULL) wrong = read_options(json_get(body, "options"), request->arena, &ask);
    if (wrong == NULL) wrong = read_facets(json_get(body, "facets"), &ask);
    if (wrong != NULL) return answer_invalid(request, code, rf_str_of(wrong), err);
    return answer(request, &ask, err);
}

/* ---- what else is asked at this place ------------------------------------------------------------------------------------------ */

enum rf_kind arm_run_graph_history(struct request *request, struct rf_err *err)
{
    return request_fail(request, err, 501, "NotImplemented",
                        "Earlier states of resources are not kept: ask for the present ones with "
                        "POST /providers/Microsoft.ResourceGraph/resources, and for changes in "
                        "the table AzureActivity of the workspace.");
}

enum rf_kind arm_run_graph_operations(struct request *request, struct rf_err *err)
{
    static const struct {
        const char *name, *resource, *operation, *description;
    } known[] = {
        {"Microsoft.ResourceGraph/operations/read", "Operation", "Get Operations",
         "The operations of the provider."},
        {"Microsoft.ResourceGraph/resources/read", "Resources", "Query resources",
         "Answers a query over the resources that the caller may read."},
    };
    struct rf_arena *arena = request->arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT), *value = json_new(arena, JSON_T_ARRAY);
    rf_str version;
    RF_TRY(arm_require_version(request, &version, err));
    for (size_t i = 0; i < RF_COUNT(known); i++) {
        struct json_node *operation = json_append(value, json_new(arena, JSON_T_OBJECT));
        json_set_text(arena, operation, "name", rf_str_of(known[i].name));
        if (operation == NULL) return rf_fail_memory(err, arena);
        struct json_node *display = json_object_in(arena, operation, "display");
        json_set_text(arena, display, "provider", RF_S("Microsoft Resource Graph"));
        json_set_text(arena, display, "resource", rf_str_of(known[i].resource));
        json_set_text(arena, display, "operation", rf_str_of(known[i].operation));
        json_set_text(arena, display, "description", rf_str_of(known[i].description));
    }
    if (json_set(arena, body, RF_S("value"), value) == NULL) return rf_fail_memory(err, arena);
    return request_answer(request, 200, body);
}
