#include "net/http.h"

#include <stdio.h>

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",      [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS"};

const char *http_method_name(enum http_method method)
{
    RF_ASSERT(method < HTTP_METHOD_COUNT);
    return method_names[method];
}

rf_str http_header(const struct http_request *request, const char *name, bool *found)
{
    rf_str wanted = rf_str_of(name);
    for (uint32_t i = 0; i < request->header_count; i++) {
        if (!rf_str_eq_nocase(request->headers[i].name, wanted)) continue;
        if (found != NULL) *found = true;
        return request->headers[i].value;
    }
    if (found != NULL) *found = false;
    return (rf_str){NULL, 0};
}

rf_str http_cookie(const struct http_request *request, const char *name)
{
    rf_str header = http_header(request, "Cookie", NULL), wanted = rf_str_of(name);
    for (size_t at = 0; at < header.len;) {
        size_t end = rf_str_find(header, RF_S(";"), at);
        if (end == SIZE_MAX) end = header.len;
        rf_str pair = rf_str_trim(rf_slice(header, at, end));
        at = end + 1;
        if (pair.len > wanted.len && pair.ptr[wanted.len] == '=' && rf_str_starts(pair, wanted))
            return rf_slice(pair, wanted.len + 1, pair.len);
    }
    return (rf_str){0};
}

/* A line end in a value would begin a header of an attacker's choice. */
static bool copy_value(struct rf_arena *arena, rf_str value, rf_str *out)
{
    uint8_t *copy = rf_arena_alloc(arena, value.len);
    if (copy == NULL) return false;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        copy[i] = (c < ' ' && c != '\t') || c == 0x7f ? ' ' : c;
    }
    *out = rf_str_make(copy, value.len);
    return true;
}

static struct http_header *new_header(struct http_response *response, const char *name)
{
    if (response->header_count == response->header_cap) {
        uint32_t cap = response->header_cap == 0 ? 8 : response->header_cap * 2;
        struct http_header *grown =
            rf_arena_grow(response->arena, response->headers, response->header_cap * sizeof *grown,
                          cap * sizeof *grown);
        if (grown == NULL) return NULL;
        response->headers = grown;
        response->header_cap = cap;
    }
    struct http_header *header = &response->headers[response->header_count++];
    *header = (struct http_header){.name = rf_str_of(name)};
    return header;
}

void http_add(struct http_response *response, const char *name, rf_str value)
{
    rf_str copy;
    struct http_header *header = NULL;
    if (copy_value(response->arena, value, &copy)) header = new_header(response, name);
    if (header == NULL)
        response->failed = true;
    else
        header->value = copy;
}

void http_set(struct http_response *response, const char *name, rf_str value)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < response->header_count; i++)
        if (!rf_str_eq_nocase(response->headers[i].name, rf_str_of(name)))
            response->headers[kept++] = response->headers[i];
    response->header_count = kept;
    http_add(response, name, value);
}

void http_set_literal(struct http_response *response, const char *name, const char *value)
{
    http_set(response, name, rf_str_of(value));
}

void http_setf(struct http_response *response, const char *name, const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof text)
        response->failed = true; /* a header cut short would say something else */
    else
        http_set(response, name, rf_str_make(text, (size_t)len));
}
