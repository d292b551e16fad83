#include "collect/syslog.h"
#include "test/rf_fuzz.h"

#include "base/json_tree.h"

RF_FUZZ(syslog, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct syslog_message message;
    struct syslog_options options = {.now = INT64_C(1769860800000000)};
    struct json_node *node;
    struct rf_err err;
    rf_arena_init(&arena, 8 << 20);
    syslog_parse(text, &options, &arena, &message);
    if (message.structured.len == 0) return;
    enum rf_kind kind = json_parse(message.structured, &arena, &node, &err);
    /* Two elements of one id are two members of one name, which the tree refuses. */
    RF_ASSERT(kind == RF_OK || kind == RF_LIMIT || strcmp(err.code, "DuplicateKey") == 0);
}
