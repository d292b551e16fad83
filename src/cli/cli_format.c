#include "cli/cli_format.h"

#include "value/dyn.h"
#include "value/text.h"

const char *const cli_format_names[CLI_FORMAT_COUNT] = {"table", "json",     "jsonl",
                                                        "csv",   "markdown", "chart"};

bool cli_format_parse(const char *name, enum cli_format *out)
{
    for (int i = 0; i < CLI_FORMAT_COUNT; i++) {
        if (strcmp(name, cli_format_names[i]) != 0) continue;
        *out = (enum cli_format)i;
        return true;
    }
    return false;
}

/* ---- common ------------------------------------------------------------------------------------------------ */

static struct cli_sink *sink_of(struct kql_sink *base) { return (struct cli_sink *)base; }

enum rf_kind cli_flush(struct cli_sink *sink, struct rf_err *err)
{
    if (sink->buf.failed) return rf_fail_memory(err, sink->arena);
    size_t len = sink->buf.len;
    sink->buf.len = 0;
    if (len > 0 && fwrite(sink->buf.ptr, 1, len, sink->output.file) != len)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the result cannot be written");
    return RF_OK;
}

void cli_put_cell(struct rf_buf *buf, const struct value *v) { text_put_value(buf, v); }

static void put_quoted(struct rf_buf *buf, const struct value *v)
{
    rf_buf_byte(buf, '"');
    text_put_value(buf, v); /* dates, spans, guids and decimals hold nothing to escape */
    rf_buf_byte(buf, '"');
}

void cli_put_json(struct rf_buf *buf, const struct value *v)
{
    if (v->null) {
        rf_buf_str(buf, RF_S("null"));
        return;
    }
    switch ((enum type)v->type) {
    case TYPE_BOOL:
        rf_buf_str(buf, v->b ? RF_S("true") : RF_S("false"));
        break;
    case TYPE_INT:
    case TYPE_LONG:
        text_put_i64(buf, v->i);
        break;
    case TYPE_REAL:
        if (v->r - v->r == 0)
            text_put_real(buf, v->r, true);
        else
            put_quoted(buf, v); /* nan and the infinities */
        break;
    case TYPE_STRING:
        json_put_string(buf, v->s);
        break;
    case TYPE_DYNAMIC:
        dyn_put_json(v->s, buf);
        break;
    default:
        put_quoted(buf, v);
        break;
    }
}

static enum rf_kind begin_table(struct cli_sink *sink, rf_str name, const struct schema *schema,
                                const struct render *render)
{
    sink->name = name;
    sink->schema = schema;
    sink->render = render;
    sink->row_count = 0;
    sink->table_count++;
    return RF_OK;
}

/* ---- json ---------------------------------------------------------------------------------------------------- */

static enum rf_kind json_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                               const struct render *render, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    struct rf_buf *buf = &sink->buf;
    RF_TRY(begin_table(sink, name, schema, render));
    rf_buf_str(buf, sink->table_count == 1 ? RF_S("{\"tables\":[") : RF_S(","));
    rf_buf_str(buf, RF_S("{\"name\":"));
    json_put_string(buf, name);
    rf_buf_str(buf, RF_S(",\"columns\":["));
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i > 0) rf_buf_byte(buf, ',');
        rf_buf_str(buf, RF_S("{\"name\":"));
        json_put_string(buf, schema->columns[i].name);
        rf_buf_printf(buf, ",\"type\":\"%s\"}", type_name((enum type)schema->columns[i].type));
    }
    rf_buf_str(buf, RF_S("],\"rows\":["));
    return cli_flush(sink, err);
}

static enum rf_kind json_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    struct rf_buf *buf = &sink->buf;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        rf_buf_str(buf, sink->row_count++ == 0 ? RF_S("\n[") : RF_S(",\n["));
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            if (i > 0) rf_buf_byte(buf, ',');
            cli_put_json(buf, &v);
        }
        rf_buf_byte(buf, ']');
    }
    return cli_flush(sink, err);
}

static enum rf_kind json_end(struct kql_sink *base, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    rf_buf_str(&sink->buf, RF_S("]}"));
    return cli_flush(sink, err);
}

/* ---- jsonl --------------------------------------------------------------------------------------------------- */

static enum rf_kind plain_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                                const struct render *render, struct rf_err *err)
{
    (void)err;
    return begin_table(sink_of(base), name, schema, render);
}

static enum rf_kind plain_end(struct kql_sink *base, struct rf_err *err)
{
    return cli_flush(sink_of(base), err);
}

static enum rf_kind jsonl_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    struct rf_buf *buf = &sink->buf;
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            rf_buf_byte(buf, i == 0 ? '{' : ',');
            json_put_string(buf, sink->schema->columns[i].name);
            rf_buf_byte(buf, ':');
            cli_put_json(buf, &v);
        }
        rf_buf_str(buf, batch->column_count == 0 ? RF_S("{}\n") : RF_S("}\n"));
    }
    return cli_flush(sink, err);
}

/* ---- csv ------------------------------------------------------------------------------------------------------ */

/* Puts quotes around the field that begins at `from` in buf when it needs them. */
static void csv_quote(struct rf_buf *buf, size_t from)
{
    size_t quotes = 0;
    bool need = false;
    for (size_t i = from; i < buf->len; i++) {
        uint8_t c = buf->ptr[i];
        quotes += c == '"';
        need |= c == '"' || c == ',' || c == '\n' || c == '\r';
    }
    if (!need || !rf_buf_reserve(buf, quotes + 2)) return;
    size_t read = buf->len, write = buf->len + quotes + 2;
    buf->len = write;
    buf->ptr[--write] = '"';
    while (read > from) {
        uint8_t c = buf->ptr[--read];
        buf->ptr[--write] = c;
        if (c == '"') buf->ptr[--write] = '"';
    }
    buf->ptr[--write] = '"';
}

static enum rf_kind csv_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                              const struct render *render, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    RF_TRY(begin_table(sink, name, schema, render));
    if (sink->table_count > 1) rf_buf_byte(&sink->buf, '\n');
    for (uint32_t i = 0; i < schema->count; i++) {
        if (i > 0) rf_buf_byte(&sink->buf, ',');
        size_t from = sink->buf.len;
        rf_buf_str(&sink->buf, schema->columns[i].name);
        csv_quote(&sink->buf, from);
    }
    rf_buf_byte(&sink->buf, '\n');
    return cli_flush(sink, err);
}

static enum rf_kind csv_push(struct kql_sink *base, const struct batch *batch, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            if (i > 0) rf_buf_byte(&sink->buf, ',');
            size_t from = sink->buf.len;
            text_put_value(&sink->buf, &v);
            csv_quote(&sink->buf, from);
        }
        rf_buf_byte(&sink->buf, '\n');
    }
    return cli_flush(sink, err);
}

/* ---- markdown --------------------------------------------------------------------------------------------------- */

static void markdown_put(struct rf_buf *buf, rf_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '|')
            rf_buf_str(buf, RF_S("\\|"));
        else if (c == '\n')
            rf_buf_str(buf, RF_S("<br>"));
        else if (c == '<')
            rf_buf_str(buf, RF_S("&lt;"));
        else if (c == '&')
            rf_buf_str(buf, RF_S("&amp;"));
        else if (c == '\\' || c == '*' || c == '_' || c == '`' || c == '[')
            rf_buf_printf(buf, "\\%c", c);
        else if (c >= 0x20 || c == '\t')
            rf_buf_byte(buf, c);
    }
}

static enum rf_kind markdown_begin(struct kql_sink *base, rf_str name, const struct schema *schema,
                                   const struct render *render, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    struct rf_buf *buf = &sink->buf;
    RF_TRY(begin_table(sink, name, schema, render));
    if (sink->table_count > 1) rf_buf_byte(buf, '\n');
    for (uint32_t i = 0; i < schema->count; i++) {
        rf_buf_str(buf, RF_S("| "));
        markdown_put(buf, schema->columns[i].name);
        rf_buf_byte(buf, ' ');
    }
    rf_buf_str(buf, RF_S("|\n"));
    for (uint32_t i = 0; i < schema->count; i++)
        rf_buf_str(buf, type_is_number((enum type)schema->columns[i].type) ? RF_S("| ---: ")
                                                                           : RF_S("| --- "));
    rf_buf_str(buf, RF_S("|\n"));
    return cli_flush(sink, err);
}

static enum rf_kind markdown_push(struct kql_sink *base, const struct batch *batch,
                                  struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    struct rf_buf *buf = &sink->buf;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, sink->arena->budget);
    struct rf_buf cell = rf_buf_in(&arena);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        for (uint32_t i = 0; i < batch->column_count; i++) {
            struct value v = vec_value(&batch->columns[i], row);
            cell.len = 0;
            text_put_value(&cell, &v);
            if (cell.failed) return rf_fail_memory(err, &arena);
            rf_buf_str(buf, RF_S("| "));
            markdown_put(buf, rf_buf_view(&cell));
            rf_buf_byte(buf, ' ');
        }
        rf_buf_str(buf, RF_S("|\n"));
    }
    return cli_flush(sink, err);
}

/* ---- making and ending -------------------------------------------------------------------------------------------- */

struct kql_sink *cli_sink_new(const struct cli_output *output, struct rf_arena *arena)
{
    static const struct kql_sink formats[] = {
        [CLI_JSON] = {.begin = json_begin, .push = json_push, .end = json_end},
        [CLI_JSONL] = {.begin = plain_begin, .push = jsonl_push, .end = plain_end},
        [CLI_CSV] = {.begin = csv_begin, .push = csv_push, .end = plain_end},
        [CLI_MARKDOWN] = {.begin = markdown_begin, .push = markdown_push, .end = plain_end},
    };
    struct cli_sink *sink = rf_arena_new(arena, struct cli_sink, 1);
    if (sink == NULL) return NULL;
    sink->output = *output;
    sink->arena = arena;
    sink->buf = rf_buf_in(arena);
    rf_arena_init_shared(&sink->kept_arena, arena->budget);
    if (output->format == CLI_TABLE)
        cli_table_ops(&sink->base);
    else if (output->format == CLI_CHART)
        cli_chart_ops(&sink->base);
    else
        sink->base = formats[output->format];
    return &sink->base;
}

enum rf_kind cli_sink_finish(struct kql_sink *base, struct rf_err *err)
{
    struct cli_sink *sink = sink_of(base);
    if (sink->output.format == CLI_JSON)
        rf_buf_str(&sink->buf, sink->table_count == 0 ? RF_S("{\"tables\":[]}\n") : RF_S("]}\n"));
    RF_TRY(cli_flush(sink, err));
    if (fflush(sink->output.file) != 0)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the result cannot be written");
    return RF_OK;
}

void cli_sink_done(struct kql_sink *base)
{
    if (base != NULL) rf_arena_done(&sink_of(base)->kept_arena);
}
