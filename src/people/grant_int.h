/* grant_int.h - what the files of grants share. */
#ifndef RF_PEOPLE_GRANT_INT_H
#define RF_PEOPLE_GRANT_INT_H

#include "base/encode.h"
#include "base/json_tree.h"
#include "crypt/digest.h"
#include "people/grant.h"

void grant_write(struct rf_arena *arena, struct json_node *doc, const struct grant *grant);
struct grant grant_read(const struct json_node *doc);
int64_t grant_number(const struct json_node *doc, const char *name);
/* hex SHA-256 of a bearer text; ptr NULL on lack of memory */
rf_str grant_key(struct rf_arena *arena, rf_str text);
/* `raw_bytes` random bytes in base64url. */
rf_str grant_text(struct rf_arena *arena, size_t raw_bytes);
RF_MUST_USE enum rf_kind grant_put(struct state_txn *txn, const char *space, rf_str key,
                                   const struct json_node *doc, const struct state_index *indexes,
                                   uint32_t index_count, struct rf_arena *arena,
                                   struct rf_err *err);
RF_MUST_USE enum rf_kind grant_get(struct state_txn *txn, const char *space, rf_str key,
                                   struct rf_arena *arena, struct json_node **out,
                                   struct rf_err *err);

#endif
