#include "identity/graph_filter_int.h"
#include "test/rf_fuzz.h"

static bool any_name(const void *ctx, rf_str member)
{
    (void)ctx;
    return member.len > 0;
}

/* Whatever parses can be evaluated, in bounded time and depth. */
RF_FUZZ(graph_filter, text)
{
    static const char document[] =
        "{\"id\":\"a\",\"displayName\":\"It's\",\"n\":7,\"t\":true,\"z\":null,\"u\":[\"x\",\"y\"],"
        "\"p\":[{\"k\":\"v\",\"w\":[1,2]}],\"when\":\"2026-01-31T12:00:00Z\"}";
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    struct filter *filter;
    struct json_node *doc;
    struct rf_err err;
    rf_str member, value;
    if (filter_parse(text, &arena, &filter, &err) != RF_OK) return;
    if (json_parse(rf_str_of(document), &arena, &doc, &err) != RF_OK) return;
    (void)filter_match(filter, doc);
    (void)filter_needs(filter, any_name, NULL, &member, &value);
    RF_ASSERT(filter_check(filter, any_name, NULL, "user", &err) == RF_OK);
}
