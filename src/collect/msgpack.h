/* msgpack.h - values in MessagePack's format (github.com/msgpack/msgpack spec.md) as JSON trees, and the records that Fluent Bit
 * sends in it. Pure; any thread.
 *
 * Integers keep all their digits. Texts that are no UTF-8 are read as Latin-1; binary data that is no UTF-8 comes as base64. Points in
 * time (the extension -1, and Fluentd's type 0) come as ISO 8601, those before 1970 as a number of seconds; other extensions as base64, nan and infinities as null. Keys may be
 * texts, binary or numbers. */
#ifndef RF_COLLECT_MSGPACK_H
#define RF_COLLECT_MSGPACK_H

#include "base/clock.h"
#include "base/json_tree.h"

enum { MSGPACK_DEPTH_MAX = 64 };

/* The value that begins at *at, which is moved behind it. RF_INVALID BadMsgpack, whose text names the byte; RF_LIMIT MsgpackTooDeep,
 * MemoryBudgetExceeded. Cost: memory of about a hundred bytes for each value. */
RF_MUST_USE enum rf_kind msgpack_read(rf_str bytes, size_t *at, struct rf_arena *arena,
                                      struct json_node **out, struct rf_err *err);

/* One record of Fluent Bit or Fluentd. */
struct msgpack_record {
    struct json_node *fields; /* an object */
    bool has_time;
    rf_usec time;
};
/* The next record of a body, which is events behind one another: [time, {...}], [[time, {metadata}], {...}] (Fluent Bit since 2.1; what
 * it writes around groups of records is passed over), bare {...}, or lists of these. out->fields is NULL at the end. Zeroed `state` at
 * first. Errors as msgpack_read, and RF_INVALID BadMsgpack for what is no record. */
struct msgpack_records {
    size_t at;
    struct json_node *waiting; /* of a list, as siblings */
};
RF_MUST_USE enum rf_kind msgpack_next_record(rf_str body, struct msgpack_records *state,
                                             struct rf_arena *arena, struct msgpack_record *out,
                                             struct rf_err *err);

#endif
