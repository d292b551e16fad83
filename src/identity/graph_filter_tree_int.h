/* graph_filter_tree_int.h - a $filter as it was parsed, for the files that walk it. */
#ifndef RF_IDENTITY_GRAPH_FILTER_TREE_INT_H
#define RF_IDENTITY_GRAPH_FILTER_TREE_INT_H

#include "identity/graph_filter_int.h"

enum filter_kind {
    FILTER_AND,
    FILTER_OR,
    FILTER_NOT,
    FILTER_COMPARE,
    FILTER_IN,
    FILTER_CALL,
    FILTER_ANY,
    FILTER_ALL
};
enum compare_op { OP_EQ, OP_NE, OP_GT, OP_GE, OP_LT, OP_LE, OP_STARTS, OP_ENDS, OP_CONTAINS };
enum literal_type { LITERAL_TEXT, LITERAL_NUMBER, LITERAL_TRUTH, LITERAL_NULL };

struct literal {
    enum literal_type type;
    rf_str text;
    struct literal *next;
};
struct filter_path {
    rf_str steps[FILTER_PATH_MAX];
    uint32_t count;
};
struct filter {
    enum filter_kind kind;
    enum compare_op op;
    struct filter_path path;
    rf_str variable;         /* of ANY, ALL; empty: any() */
    struct literal *literal; /* several of IN */
    struct filter *first, *next;
};

#endif
