/* cli_list.h - lists of a server's resources on the terminal: documents as rows of a table, or as they are. */
#ifndef RF_CLI_LIST_H
#define RF_CLI_LIST_H

#include "base/json_tree.h"
#include "cli/cli_format.h"

enum cli_list_kind {
    CLI_LIST_TEXT,   /* also true, false and numbers, as they are written */
    CLI_LIST_NUMBER, /* whole */
    CLI_LIST_TIME    /* to the second */
};
struct cli_list_column {
    rf_str name;
    const char *path; /* of the member: "properties.title" */
    rf_str key;       /* empty, or a member of that, whose name may hold dots */
    enum cli_list_kind kind;
};
enum { CLI_LIST_COLUMNS_MAX = 256 };
/* Prints `list` (an array) on standard output in `format`, CLI_FORMAT_COUNT being a table: json and jsonl print the documents
 * themselves, others the columns (at most CLI_LIST_COLUMNS_MAX, those behind are left out). */
RF_MUST_USE enum rf_kind cli_list_print(const struct json_node *list, rf_str table,
                                        const struct cli_list_column *columns, size_t count,
                                        enum cli_format format, struct rf_arena *arena,
                                        struct rf_err *err);

#endif
