#include "base/json_out.h"

#include <inttypes.h>

#include "base/json.h"

static void begin(struct json_out *out, const char *name)
{
    if (out->comma) rf_buf_byte(out->buf, ',');
    out->comma = true;
    if (name == NULL) return;
    json_put_string(out->buf, rf_str_of(name));
    rf_buf_byte(out->buf, ':');
}

void json_begin_object(struct json_out *out, const char *name)
{
    begin(out, name);
    rf_buf_byte(out->buf, '{');
    out->comma = false;
}

void json_end_object(struct json_out *out)
{
    rf_buf_byte(out->buf, '}');
    out->comma = true;
}

void json_begin_array(struct json_out *out, const char *name)
{
    begin(out, name);
    rf_buf_byte(out->buf, '[');
    out->comma = false;
}

void json_end_array(struct json_out *out)
{
    rf_buf_byte(out->buf, ']');
    out->comma = true;
}

void json_put_text(struct json_out *out, const char *name, rf_str text)
{
    begin(out, name);
    json_put_string(out->buf, text);
}

void json_put_i64(struct json_out *out, const char *name, int64_t number)
{
    begin(out, name);
    rf_buf_printf(out->buf, "%" PRId64, number);
}

void json_put_bool(struct json_out *out, const char *name, bool truth)
{
    begin(out, name);
    rf_buf_str(out->buf, truth ? RF_S("true") : RF_S("false"));
}

void json_put_null(struct json_out *out, const char *name)
{
    begin(out, name);
    rf_buf_str(out->buf, RF_S("null"));
}

void json_put_node(struct json_out *out, const char *name, const struct json_node *node)
{
    begin(out, name);
    json_print(out->buf, node);
}

void json_put_raw(struct json_out *out, const char *name, rf_str json)
{
    begin(out, name);
    rf_buf_str(out->buf, json);
}
