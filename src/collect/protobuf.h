/* protobuf.h - messages in Protocol Buffers' wire format as JSON trees, by a description of their fields; the tree is the one
 * that the JSON mapping of the same message would give. Pure; any thread.
 *
 * Fields that the description does not know are passed over. Groups (deprecated, unused here) are refused. */
#ifndef RF_COLLECT_PROTOBUF_H
#define RF_COLLECT_PROTOBUF_H

#include "base/json_tree.h"

enum { PROTOBUF_DEPTH_MAX = 40 };

enum protobuf_kind {
    PROTOBUF_STRING,
    PROTOBUF_HEX,    /* bytes, as hex digits: OTLP's ids */
    PROTOBUF_BASE64, /* bytes */
    PROTOBUF_BOOL,
    PROTOBUF_INT,  /* int32, int64, enum */
    PROTOBUF_UINT, /* uint32, uint64 */
    PROTOBUF_SINT, /* sint32, sint64 */
    PROTOBUF_FIXED32,
    PROTOBUF_FIXED64,
    PROTOBUF_SFIXED64,
    PROTOBUF_DOUBLE,
    PROTOBUF_MESSAGE
};
struct protobuf_field {
    uint32_t number; /* 0 ends a description */
    enum protobuf_kind kind;
    bool repeated;
    const char *name;
    const struct protobuf_field *message; /* of PROTOBUF_MESSAGE */
};
/* Texts are views of `bytes` where they can be. RF_INVALID BadProtobuf, whose text names the byte; RF_LIMIT ProtobufTooDeep,
 * MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind protobuf_read(rf_str bytes, const struct protobuf_field *fields,
                                       struct rf_arena *arena, struct json_node **out,
                                       struct rf_err *err);

/* For answers. */
void protobuf_put_varint(struct rf_buf *out, uint32_t number, uint64_t value);
void protobuf_put_bytes(struct rf_buf *out, uint32_t number, rf_str bytes);

#endif
