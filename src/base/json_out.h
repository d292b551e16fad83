/* json_out.h - writes JSON piece by piece into a buffer; commas and quotes come by themselves.
 *
 *   struct json_out out = json_out_to(&buf);
 *   json_begin_object(&out, NULL);
 *     json_put_text(&out, "name", name);
 *     json_begin_array(&out, "rows"); json_put_i64(&out, NULL, 7); json_end_array(&out);
 *   json_end_object(&out);
 *
 * `name` is NULL inside an array and at the top. Lack of memory shows in buf->failed at the end. */
#ifndef RF_JSON_OUT_H
#define RF_JSON_OUT_H

#include "base/json_tree.h"

struct json_out {
    struct rf_buf *buf;
    bool comma; /* something stands before in the innermost container */
};
static inline struct json_out json_out_to(struct rf_buf *buf)
{
    return (struct json_out){.buf = buf};
}
void json_begin_object(struct json_out *out, const char *name);
void json_end_object(struct json_out *out);
void json_begin_array(struct json_out *out, const char *name);
void json_end_array(struct json_out *out);
void json_put_text(struct json_out *out, const char *name, rf_str text);
void json_put_i64(struct json_out *out, const char *name, int64_t number);
void json_put_bool(struct json_out *out, const char *name, bool truth);
void json_put_null(struct json_out *out, const char *name);
void json_put_node(struct json_out *out, const char *name, const struct json_node *node);
/* JSON text as it is; the caller knows that it is one value. */
void json_put_raw(struct json_out *out, const char *name, rf_str json);

#endif
