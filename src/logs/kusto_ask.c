/* kusto_ask.c - the body of a Kusto request: {"db","csl","properties":{"Options":{},"Parameters":{}}}. */
#include "kql/ast.h"
#include "kql/parse.h"
#include "logs/kusto_int.h"
#include "value/text.h"

static enum rf_kind bad(struct rf_err *err, const char *why)
{
    return RF_FAIL(err, RF_INVALID, "BadRequest", "%s", why);
}

/* A datetime comes as a text or as the literal datetime(...). */
static bool read_datetime(rf_str text, int64_t *ticks)
{
    rf_str literal = RF_S("datetime(");
    text = rf_str_trim(text);
    if (rf_str_starts(text, literal) && rf_str_ends(text, RF_S(")")))
        text = rf_slice(text, literal.len, text.len - 1);
    return text_to_datetime(text, ticks);
}

static enum rf_kind read_time(const struct json_node *node, int64_t *ticks, struct rf_err *err)
{
    if (json_is(node, JSON_T_STRING) && read_datetime(node->text, ticks)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadRequest", "the option '%.*s' is no datetime",
                   RF_FMT(node->name));
}

static bool is_true(const struct json_node *node)
{
    return json_is(node, JSON_T_TRUE) ||
           (json_is(node, JSON_T_STRING) && rf_str_eq_nocase(node->text, RF_S("true")));
}

static struct value option_value(const struct json_node *node)
{
    int64_t i;
    double r;
    switch (node->type) {
    case JSON_T_TRUE:
    case JSON_T_FALSE:
        return value_bool(node->type == JSON_T_TRUE);
    case JSON_T_NUMBER:
        if (text_to_long(node->text, &i)) return value_i64(TYPE_LONG, i);
        if (text_to_real(node->text, &r)) return value_real(r);
        return value_null(TYPE_LONG);
    case JSON_T_STRING:
        return value_str(node->text);
    default:
        return value_null(TYPE_STRING);
    }
}

/* Those that the server itself heeds. */
static enum rf_kind heed(struct kusto_ask *ask, const struct json_node *node, struct rf_err *err)
{
    rf_str name = node->name;
    if (rf_str_is(name, "servertimeout")) {
        int64_t usec;
        if (!json_is(node, JSON_T_STRING) || !query_duration_parse(node->text, &usec) || usec <= 0)
            return bad(err, "the option 'servertimeout' is no duration");
        ask->wait_usec = RF_MIN(usec, KUSTO_WAIT_MAX);
    } else if (rf_str_is(name, "norequesttimeout") && is_true(node)) {
        ask->wait_usec = KUSTO_WAIT_MAX;
    } else if (rf_str_is(name, "query_now")) {
        RF_TRY(read_time(node, &ask->now_ticks, err));
    } else if (rf_str_is(name, "query_datetimescope_from")) {
        RF_TRY(read_time(node, &ask->scope.from_ticks, err));
        ask->scope.given = true;
    } else if (rf_str_is(name, "query_datetimescope_to")) {
        RF_TRY(read_time(node, &ask->scope.to_ticks, err));
        ask->scope.given = true;
    } else if (rf_str_is(name, "results_progressive_enabled")) {
        ask->progressive = is_true(node);
    } else if (rf_str_is(name, "results_v2_fragment_primary_tables")) {
        ask->fragments = is_true(node);
    } else if (rf_str_is(name, "results_v2_newlines_between_frames")) {
        ask->newlines = is_true(node);
    } else if (rf_str_is(name, "request_readonly")) {
        ask->read_only = is_true(node);
    } else if (rf_str_is(name, "deferpartialqueryfailures")) {
        ask->no_partial_errors = is_true(node);
    } else if (rf_str_is(name, "results_error_reporting_placement")) {
        ask->errors_in_data =
            json_is(node, JSON_T_STRING) && rf_str_eq_nocase(node->text, RF_S("in_data"));
    }
    return RF_OK;
}

static enum rf_kind read_options(struct kusto_ask *ask, const struct json_node *options,
                                 struct rf_arena *arena, struct rf_err *err)
{
    if (!json_is(options, JSON_T_OBJECT)) return RF_OK;
    if (options->count > KUSTO_OPTIONS_MAX) return bad(err, "too many options");
    ask->options = rf_arena_new(arena, struct set_option, options->count);
    if (ask->options == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *n = options->first; n != NULL; n = n->next) {
        RF_TRY(heed(ask, n, err));
        ask->options[ask->option_count++] =
            (struct set_option){.name = n->name, .value = option_value(n)};
    }
    /* A scope with one end is open at the other. */
    if (ask->scope.given && ask->scope.to_ticks == 0) ask->scope.to_ticks = DATETIME_MAX;
    return RF_OK;
}

static enum rf_kind read_parameters(struct kusto_ask *ask, const struct json_node *parameters,
                                    struct rf_arena *arena, struct rf_err *err)
{
    if (!json_is(parameters, JSON_T_OBJECT)) return RF_OK;
    if (parameters->count > KUSTO_PARAMETERS_MAX) return bad(err, "too many parameters");
    ask->parameters = rf_arena_new(arena, struct query_parameter, parameters->count);
    if (ask->parameters == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *n = parameters->first; n != NULL; n = n->next) {
        rf_str text = n->type == JSON_T_STRING || n->type == JSON_T_NUMBER ? n->text
                      : n->type == JSON_T_NULL                             ? (rf_str){NULL, 0}
                                                                           : json_to_text(arena, n);
        ask->parameters[ask->parameter_count++] =
            (struct query_parameter){.name = n->name, .text = text};
    }
    return RF_OK;
}

static enum rf_kind read_properties(struct kusto_ask *ask, const struct json_node *properties,
                                    struct rf_arena *arena, struct rf_err *err)
{
    struct json_node *parsed;
    if (json_is(properties, JSON_T_STRING)) { /* JSON in a text */
        if (rf_str_trim(properties->text).len == 0) return RF_OK;
        RF_TRY(json_parse(properties->text, arena, &parsed, err));
        properties = parsed;
    }
    if (properties == NULL || properties->type == JSON_T_NULL) return RF_OK;
    if (!json_is(properties, JSON_T_OBJECT)) return bad(err, "properties must be an object");
    RF_TRY(read_options(ask, json_get_nocase(properties, RF_S("Options")), arena, err));
    return read_parameters(ask, json_get_nocase(properties, RF_S("Parameters")), arena, err);
}

static rf_str text_of(const struct json_node *body, rf_str name)
{
    const struct json_node *node = json_get_nocase(body, name);
    return json_is(node, JSON_T_STRING) ? node->text : (rf_str){NULL, 0};
}

enum rf_kind kusto_ask_read(struct request *request, struct kusto_ask *out, struct rf_err *err)
{
    struct json_node *body = NULL;
    *out = (struct kusto_ask){.wait_usec = KUSTO_WAIT_DEFAULT};
    if (request->http->method == HTTP_GET) {
        struct json_node text = {.type = JSON_T_STRING};
        out->db = request_parameter(request, "db", NULL);
        out->csl = request_parameter(request, "csl", NULL);
        text.text = request_parameter(request, "properties", NULL);
        RF_TRY(read_properties(out, &text, request->arena, err));
    } else {
        RF_TRY(request_json(request, false, &body, err));
        if (!json_is(body, JSON_T_OBJECT)) return bad(err, "the body must be a JSON object");
        out->db = text_of(body, RF_S("db"));
        out->csl = text_of(body, RF_S("csl"));
        RF_TRY(
            read_properties(out, json_get_nocase(body, RF_S("properties")), request->arena, err));
    }
    if (rf_str_trim(out->csl).len == 0) return bad(err, "the request has no text in 'csl'");
    return RF_OK;
}
