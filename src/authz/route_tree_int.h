/* route_tree_int.h - paths and queries of requests cut into parts, and the tree that finds the route of a path.
 *
 * A tree is built once and then only read: any thread may search it. A search visits each node of the tree at most once
 * per place where an extension route may begin, so no path makes it slow. */
#ifndef RF_ROUTE_TREE_INT_H
#define RF_ROUTE_TREE_INT_H

#include "authz/route.h"

enum { PATH_SEGMENTS_MAX = 128, PATTERN_SEGMENTS_MAX = 32, QUERY_PARAMETERS_MAX = 256 };

struct path {
    rf_str segments[PATH_SEGMENTS_MAX]; /* decoded, none of them empty */
    uint32_t count;
    bool has_gaps; /* empty segments were left out in the middle */
};
/* Cuts a path (as sent, '/' in front) at its slashes and decodes the parts. Slashes in front count as one, one at the end as
 * none. RF_INVALID InvalidPath: "." or ".." as a segment, a decoded slash
 * or control character, too many segments. RF_INVALID BadPercentEncoding. Parts are views of `text` or in `arena`. */
RF_MUST_USE enum rf_kind path_parse(rf_str text, struct rf_arena *arena, struct path *out,
                                    struct rf_err *err);

/* Cuts a query at '&' and '=' and decodes names and values ('+' is a blank). RF_INVALID InvalidQuery, BadPercentEncoding. */
RF_MUST_USE enum rf_kind query_parse(rf_str text, struct rf_arena *arena,
                                     struct route_variable **out, uint32_t *count,
                                     struct rf_err *err);

struct route_tree;
struct route_entry; /* a route, compiled */
struct route_tree *route_tree_new(void);
void route_tree_free(struct route_tree *tree);
/* RF_INVALID BadRoute, RF_CONFLICT RouteExists. */
RF_MUST_USE enum rf_kind route_tree_add(struct route_tree *tree, const struct route *route,
                                        const struct service *service, struct rf_err *err);
uint32_t route_tree_count(const struct route_tree *tree);
const struct route *route_tree_at(const struct route_tree *tree, uint32_t index,
                                  const struct service **service);

struct route_found {
    const struct route_entry *entry; /* NULL: none has the method */
    const struct route *route;
    const struct service *service;
    uint32_t scope_segments; /* that "{scope*}" stands for */
    unsigned methods;        /* bits of enum http_method: those that the path has */
};
/* A path with gaps has routes with "{scope*}" only: clients of ARM send one where a resource has no parent
 * (".../providers/NAMESPACE//TYPE/NAME/providers/Microsoft.Authorization/permissions").
 * HEAD is answered by a GET route where there is none for HEAD. `query`: as sent, for route.unless. */
void route_tree_find(const struct route_tree *tree, const struct path *path, rf_str query,
                     enum http_method method, struct route_found *found);
/* True when a query, as sent, has a parameter of that name: percent signs resolved, ASCII case ignored. */
bool query_names(rf_str query, const char *name);
/* The variables of a route that was found; at most ROUTE_VARIABLES_MAX. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind route_bind(const struct route_found *found, const struct path *path,
                                    struct rf_arena *arena, struct route_variable *out,
                                    uint32_t *count, struct rf_err *err);

#endif
