/* graph_filter_int.h - OData $filter over JSON documents, as far as Graph's clients use it on directory objects:
 *   eq ne gt ge lt le, in ('a','b'), startswith endswith contains, and or not, parentheses,
 *   any and all over collections: identifierUris/any(u:u eq 'x'), passwordCredentials/any(p:p/keyId eq guid).
 *
 * Texts are compared without case, times as times. A member that is absent is null. Knows no state; safe from any thread. */
#ifndef RF_IDENTITY_GRAPH_FILTER_INT_H
#define RF_IDENTITY_GRAPH_FILTER_INT_H

#include "base/json_tree.h"

enum {
    FILTER_BYTES_MAX = 16 << 10,
    FILTER_DEPTH_MAX = 16,
    FILTER_NODES_MAX = 512,
    FILTER_PATH_MAX = 4
};

struct filter;
/* `text` must outlive the filter, which is in `arena`. RF_INVALID Request_BadRequest, naming the place. */
RF_MUST_USE enum rf_kind filter_parse(rf_str text, struct rf_arena *arena, struct filter **out,
                                      struct rf_err *err);
bool filter_match(const struct filter *filter, const struct json_node *document);
/* Calls `known` with each first member of a path; RF_INVALID Request_BadRequest for the first that is not. */
RF_MUST_USE enum rf_kind filter_check(const struct filter *filter,
                                      bool (*known)(const void *ctx, rf_str member),
                                      const void *ctx, const char *type, struct rf_err *err);
/* True when only documents whose `member` is or holds `value` can match, for a member that `useful` is true for: so that an
 * index can find them. */
bool filter_needs(const struct filter *filter, bool (*useful)(const void *ctx, rf_str member),
                  const void *ctx, rf_str *member, rf_str *value);

/* ---- graph_filter_kql.c: the same over a table ---- */

enum filter_type { FILTER_TEXT, FILTER_TIME, FILTER_INTEGER, FILTER_TRUTH };
struct filter_column {
    const char *path; /* "status/errorCode" */
    /* What it is in KQL: "toint(ResultType)". Of the members of a collection, with '#' for a place in it: any() looks at the first three. */
    const char *expression;
    enum filter_type type;
};
/* Writes the filter as a predicate. RF_INVALID Request_BadRequest for paths that are no column, and what a column cannot be compared with. */
RF_MUST_USE enum rf_kind filter_kql(const struct filter *filter,
                                    const struct filter_column *columns, uint32_t count,
                                    struct rf_buf *out, struct rf_err *err);
/* Whether a path of the filter begins with that member. */
bool filter_names(const struct filter *filter, const char *member);

#endif
