/* query_error.c - errors of the engine as the query API tells them. */
#include "base/json_out.h"
#include "logs/query_int.h"

/* What the engine's codes are called in the service; those that are not here are semantic errors. */
static const struct {
    const char *code, *inner, *number;
} known[] = {
    {"SyntaxError", "SyntaxError", "SYN0002"},
    {"UnexpectedCharacter", "SyntaxError", "SYN0001"},
    {"BadLiteral", "SyntaxError", "SYN0002"},
    {"UnknownOperator", "SyntaxError", "SYN0002"},
    {"NoInput", "SyntaxError", "SYN0002"},
    {"NoQuery", "SyntaxError", "SYN0002"},
    {"TooDeep", "QueryValidationError", "SYN0003"},
    {"QueryTooLong", "QueryValidationError", "SYN0003"},
    {"QueryTooLarge", "QueryValidationError", "SEM0003"},
    {"UnknownTable", "SemanticError", "SEM0100"},
    {"UnknownColumn", "SemanticError", "SEM0100"},
    {"NotTable", "SemanticError", "SEM0101"},
    {"UnknownFunction", "SemanticError", "SEM0260"},
    {"UnknownPlugin", "SemanticError", "SEM0270"},
    {"WorkspaceNotFound", "SemanticError", "SEM0056"},
    {"BadTimespan", "QueryValidationError", NULL},
    {"BadRequest", "QueryValidationError", NULL},
    {"MemoryBudgetExceeded", "QueryValidationError", "E_LOW_MEMORY_CONDITION"},
};

/* The word or sign at the place of an error. */
static rf_str token_at(rf_str text, uint32_t line, uint32_t column)
{
    size_t at = 0;
    if (line == 0 || column == 0) return (rf_str){NULL, 0};
    for (uint32_t n = 1; n < line; n++) {
        size_t end = rf_str_find(text, RF_S("\n"), at);
        if (end == SIZE_MAX) return (rf_str){NULL, 0};
        at = end + 1;
    }
    for (uint32_t n = 1; n < column && at < text.len; n++) (void)rf_utf8_next(text, &at);
    size_t end = at;
    while (end < text.len && end - at < 100 &&
           (rf_is_alnum(text.ptr[end]) || text.ptr[end] == '_' || text.ptr[end] >= 0x80))
        end++;
    if (end == at && at < text.len) end++;
    return rf_slice(text, RF_MIN(at, text.len), end);
}

static struct query_fault fault_of_text(const struct rf_err *err, rf_str text)
{
    struct query_fault fault = {.status = 400,
                                .code = "BadArgumentError",
                                .message = "The request had some invalid properties",
                                .inner = "SemanticError",
                                .number = "SEM0139",
                                .token = token_at(text, err->line, err->column)};
    for (size_t i = 0; i < RF_COUNT(known); i++) {
        if (strcmp(known[i].code, err->code) != 0) continue;
        fault.inner = known[i].inner;
        fault.number = known[i].number;
    }
    return fault;
}

struct query_fault query_fault_of(const struct rf_err *err, rf_str text)
{
    switch (err->kind) {
    case RF_DENIED:
        return (struct query_fault){.status = 403, .code = "InsufficientAccessError"};
    case RF_NOT_FOUND:
        if (strcmp(err->code, "WorkspaceNotFound") == 0) return fault_of_text(err, text);
        return (struct query_fault){.status = 404, .code = "PathNotFoundError"};
    case RF_AGAIN:
        if (strcmp(err->code, "ThrottledError") == 0)
            return (struct query_fault){.status = 429, .code = "ThrottledError"};
        return (struct query_fault){.status = 503, .code = "ServiceUnavailable"};
    case RF_CANCELLED:
        if (strcmp(err->code, "GatewayTimeout") == 0)
            return (struct query_fault){.status = 504, .code = "GatewayTimeout"};
        return (struct query_fault){.status = 499, .code = "ClientClosedRequest"};
    case RF_IO:
    case RF_CORRUPT:
        return (struct query_fault){.status = 500,
                                    .code = "InternalServerError",
                                    .message = "Something went wrong on the server."};
    default:
        return fault_of_text(err, text);
    }
}

static rf_str inner_message(const char *inner)
{
    if (strcmp(inner, "SyntaxError") == 0)
        return RF_S("A recognition error occurred in the query.");
    if (strcmp(inner, "SemanticError") == 0) return RF_S("A semantic error occurred.");
    return RF_S("The query is not valid.");
}

void query_fault_put(struct json_out *out, const char *name, const struct query_fault *fault,
                     const struct rf_err *err, rf_str correlation_id)
{
    rf_str text = rf_str_of(err->text);
    json_begin_object(out, name);
    json_put_text(out, "message", fault->message != NULL ? rf_str_of(fault->message) : text);
    json_put_text(out, "code", rf_str_of(fault->code));
    json_put_text(out, "correlationId", correlation_id);
    if (fault->inner != NULL) {
        json_begin_object(out, "innererror");
        json_put_text(out, "code", rf_str_of(fault->inner));
        json_put_text(out, "message", fault->number == NULL ? text : inner_message(fault->inner));
        if (fault->number != NULL) {
            json_begin_object(out, "innererror");
            json_put_text(out, "code", rf_str_of(fault->number));
            json_put_text(out, "message", text);
            if (err->line > 0) {
                json_put_i64(out, "line", err->line);
                json_put_i64(out, "pos", err->column > 0 ? err->column - 1 : 0);
                json_put_text(out, "token", fault->token);
            }
            json_end_object(out);
        }
        json_end_object(out);
    }
    json_end_object(out);
}

bool query_is_partial(const struct rf_err *err)
{
    return err->kind == RF_LIMIT && (strcmp(err->code, "ResultTooLarge") == 0 ||
                                     strcmp(err->code, "MemoryBudgetExceeded") == 0);
}

void query_partial_put(struct json_out *out, const struct rf_err *err)
{
    bool rows = strcmp(err->code, "ResultTooLarge") == 0;
    json_begin_object(out, "error");
    json_put_text(out, "code", RF_S("PartialError"));
    json_put_text(out, "message", RF_S("There were some errors when processing your query."));
    json_begin_array(out, "details");
    json_begin_object(out, NULL);
    json_begin_object(out, "innererror");
    /* 0x80DA0003 E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0007 E_LOW_MEMORY_CONDITION as signed numbers. */
    json_put_text(out, "code", rows ? RF_S("-2133196797") : RF_S("-2133196793"));
    json_put_text(out, "message", rf_str_of(err->text));
    json_put_i64(out, "severity", 2);
    json_put_text(out, "severityName", RF_S("Error"));
    json_end_object(out);
    json_put_text(out, "code", RF_S("EngineError"));
    json_put_text(out, "message",
                  RF_S("Something went wrong processing your query on the server."));
    json_end_object(out);
    json_end_array(out);
    json_end_object(out);
}

void query_service_error(struct request *request, uint16_t status, const struct rf_err *err)
{
    struct query_fault fault = query_fault_of(err, (rf_str){NULL, 0});
    bool token = false;
    switch (status) {
    case 401:
        (void)http_header(request->http, "authorization", &token);
        fault = (struct query_fault){.code = token ? "AuthenticationFailed"
                                                   : "AuthorizationRequiredError"};
        break;
    case 403:
        fault = (struct query_fault){.code = "InsufficientAccessError"};
        break;
    case 404:
    case 405:
        fault = (struct query_fault){.code = "PathNotFoundError"};
        break;
    case 413:
        fault = (struct query_fault){.code = "ContentLengthLimitExceeded"};
        break;
    default:
        break;
    }
    request->response->status = fault.status != 0 ? fault.status : status;
    struct json_out out = json_out_to(&request->response->body);
    http_set_literal(request->response, "Content-Type", "application/json; charset=utf-8");
    json_begin_object(&out, NULL);
    query_fault_put(&out, "error", &fault, err, request->request_id);
    json_end_object(&out);
}
