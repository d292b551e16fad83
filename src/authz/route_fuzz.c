/* Routes and queries of arbitrary targets: what is found must be found again in what it was decoded to. */
#include "authz/route_tree_int.h"
#include "test/rf_fuzz.h"

#include <stdlib.h>

static enum rf_kind nothing(struct request *request, struct rf_err *err)
{
    (void)request, (void)err;
    return RF_OK;
}

#define R(p)                                                                                       \
    {                                                                                              \
        .method = HTTP_GET, .path = p, .access = ROUTE_OPEN, .why_open = "t", .run = nothing       \
    }
static const struct route routes[] = {
    R("/a"),
    R("/a/{b}"),
    R("/a/{b}/c"),
    R("/a(b='{b}')"),
    R("/{x}/{y}"),
    R("/s/{a}/{rest*}"),
    R("/{scope*}/p/n"),
    R("/{scope*}/p/n/{name}"),
    R("/{scope*}/p/i/{rest*}"),
};
static const struct service service = {.name = "fuzz"};

static void search(const struct route_tree *tree, rf_str target, struct rf_arena *arena)
{
    struct path path;
    struct route_found found;
    struct route_variable variables[ROUTE_VARIABLES_MAX], *parameters;
    uint32_t count;
    size_t mark = rf_str_find(target, RF_S("?"), 0);
    rf_str query = mark == SIZE_MAX ? (rf_str){0} : rf_slice(target, mark + 1, target.len);
    (void)query_names(query, "api-version");
    if (query_parse(query, arena, &parameters, &count, NULL) == RF_OK)
        for (uint32_t i = 0; i < count; i++) RF_ASSERT(rf_utf8_valid(parameters[i].value));
    if (path_parse(rf_slice(target, 0, RF_MIN(mark, target.len)), arena, &path, NULL) != RF_OK)
        return;
    route_tree_find(tree, &path, query, HTTP_HEAD, &found);
    RF_ASSERT((found.route == NULL) == (found.methods == 0));
    if (found.route == NULL || route_bind(&found, &path, arena, variables, &count, NULL) != RF_OK)
        return;
    for (uint32_t i = 0; i < count; i++) {
        rf_str value = variables[i].value;
        RF_ASSERT(rf_str_find(value, RF_S("//"), 0) == SIZE_MAX);
        RF_ASSERT(!rf_str_is(value, "..") && rf_str_find(value, RF_S("/../"), 0) == SIZE_MAX);
        RF_ASSERT(!rf_str_ends(value, RF_S("/")) && !rf_str_starts(value, RF_S("/")));
    }
}

RF_FUZZ(route, target)
{
    static struct route_tree *tree;
    if (tree == NULL) {
        tree = route_tree_new();
        for (size_t i = 0; i < RF_COUNT(routes); i++)
            RF_ASSERT(route_tree_add(tree, &routes[i], &service, NULL) == RF_OK);
    }
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 << 20);
    search(tree, target, &arena);
}
