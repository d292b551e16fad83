#include "logs/wire.h"

#include "base/json.h"
#include "value/dyn.h"
#include "value/text.h"

enum {
    GROWN_BYTES = 1 << 20,      /* a larger answer gets all the room that it may need at once */
    SLACK_BYTES = 1 << 20,      /* beside rows: names, statistics */
    DICT_ENTRIES_MAX = 1 << 16, /* of a dictionary whose encoded texts are kept */
    DICT_BYTES_MAX = 4 << 20,   /* of these texts */
};

typedef void put_cell(struct wire *wire, struct wire_column *column, const struct vec *v,
                      uint32_t at);

/* Encoded texts of a dictionary's entries. */
struct dict {
    uint64_t id; /* 0: none */
    uint32_t count;
    rf_str *entries; /* len 0: not encoded yet; no encoded text is empty */
    size_t bytes;
};
struct wire_column {
    put_cell *put;
    struct dict dict;
};

/* Doubling would leave twice the answer behind in an arena, which gives nothing back. Pages that are not written to cost
 * nothing, so an answer that has become large takes its whole room at once. */
static void take_room(struct wire *wire)
{
    struct rf_buf *buf = wire->buf;
    wire->grown = true;
    (void)rf_buf_reserve(buf, wire->byte_limit - RF_MIN(wire->byte_limit, wire->byte_count) +
                                  SLACK_BYTES);
    buf->failed = false; /* less may be there */
}

static inline void put_literal(struct rf_buf *buf, const char *text, size_t len)
{
    memcpy(buf->ptr + buf->len, text, len); /* wire_rows made room */
    buf->len += len;
}
#define PUT(buf, literal) put_literal((buf), literal, sizeof(literal) - 1)

/* ---- one cell; `at` is its place in v->data, and it is not null -------------------------------------------------- */

static void put_bool(struct wire *wire, struct wire_column *column, const struct vec *v,
                     uint32_t at)
{
    (void)column;
    if (((const uint8_t *)v->data)[at] != 0)
        PUT(wire->buf, "true");
    else
        PUT(wire->buf, "false");
}

static void put_long(struct wire *wire, struct wire_column *column, const struct vec *v,
                     uint32_t at)
{
    (void)column;
    text_put_i64(wire->buf, ((const int64_t *)v->data)[at]);
}

static void put_real_value(struct rf_buf *buf, double r)
{
    bool finite = r - r == 0;
    if (!finite) rf_buf_byte(buf, '"');
    text_put_real(buf, r, true);
    if (!finite) rf_buf_byte(buf, '"');
}

static void put_real(struct wire *wire, struct wire_column *column, const struct vec *v,
                     uint32_t at)
{
    (void)column;
    put_real_value(wire->buf, ((const double *)v->data)[at]);
}

static void put_decimal(struct wire *wire, struct wire_column *column, const struct vec *v,
                        uint32_t at)
{
    (void)column;
    rf_buf_byte(wire->buf, '"');
    text_put_decimal(wire->buf, &((const struct decimal *)v->data)[at]);
    rf_buf_byte(wire->buf, '"');
}

static void put_datetime_value(struct rf_buf *buf, int64_t ticks)
{
    rf_buf_byte(buf, '"');
    text_put_datetime(buf, ticks);
    if (buf->failed) return;
    buf->len--; /* the Z */
    while (buf->ptr[buf->len - 1] == '0') buf->len--;
    if (buf->ptr[buf->len - 1] == '.') buf->len--;
    rf_buf_byte(buf, 'Z');
    rf_buf_byte(buf, '"');
}

static void put_datetime(struct wire *wire, struct wire_column *column, const struct vec *v,
                         uint32_t at)
{
    (void)column;
    put_datetime_value(wire->buf, ((const int64_t *)v->data)[at]);
}

static void put_timespan(struct wire *wire, struct wire_column *column, const struct vec *v,
                         uint32_t at)
{
    (void)column;
    rf_buf_byte(wire->buf, '"');
    text_put_timespan(wire->buf, ((const int64_t *)v->data)[at]);
    rf_buf_byte(wire->buf, '"');
}

static void put_guid(struct wire *wire, struct wire_column *column, const struct vec *v,
                     uint32_t at)
{
    (void)column;
    rf_buf_byte(wire->buf, '"');
    text_put_guid(wire->buf, &((const struct guid *)v->data)[at]);
    rf_buf_byte(wire->buf, '"');
}

static void put_dynamic_value(struct rf_buf *buf, enum wire_form form, rf_str d)
{
    if (dyn_tag(d) == DYN_NULL) {
        rf_buf_str(buf, RF_S("null"));
        return;
    }
    size_t from = buf->len;
    dyn_put_json(d, buf);
    if (form == WIRE_KUSTO || buf->failed) return;
    /* The JSON becomes the text of a string in its place, from its end on. It has no control characters, as its own strings
     * have none, so that quotes and backslashes are all that needs an escape. */
    size_t more = 2, read = buf->len;
    for (size_t i = from; i < read; i++) more += buf->ptr[i] == '"' || buf->ptr[i] == '\\';
    if (!rf_buf_reserve(buf, more)) return;
    size_t write = buf->len += more;
    buf->ptr[--write] = '"';
    while (read > from) {
        uint8_t c = buf->ptr[--read];
        buf->ptr[--write] = c;
        if (c == '"' || c == '\\') buf->ptr[--write] = '\\';
    }
    buf->ptr[--write] = '"';
}

static bool dict_begin(struct wire *wire, struct dict *dict, const struct vec *v)
{
    if (v->shape != VEC_DICT || v->dict_id == 0 || v->dict_count > DICT_ENTRIES_MAX) return false;
    if (dict->id == v->dict_id && dict->count >= v->dict_count) return true;
    rf_str *entries = rf_arena_new(&wire->arena, rf_str, v->dict_count);
    if (entries == NULL) return false;
    if (dict->id == v->dict_id)
        memcpy(entries, dict->entries, dict->count * sizeof *entries);
    else
        dict->bytes = 0;
    dict->id = v->dict_id;
    dict->entries = entries;
    dict->count = v->dict_count;
    return true;
}

/* Writes an entry of a dictionary, and keeps its text when it is new. */
static void put_bytes_value(struct wire *wire, const struct vec *v, uint32_t at)
{
    rf_str text = ((const rf_str *)v->data)[at];
    if (v->type == TYPE_STRING)
        json_put_string(wire->buf, text);
    else
        put_dynamic_value(wire->buf, wire->form, text);
}

static void put_bytes(struct wire *wire, struct wire_column *column, const struct vec *v,
                      uint32_t at)
{
    struct dict *dict = &column->dict;
    if (v->shape != VEC_DICT || dict->id != v->dict_id || v->dict_id == 0) {
        put_bytes_value(wire, v, at);
        return;
    }
    if (dict->entries[at].len > 0) {
        rf_buf_str(wire->buf, dict->entries[at]);
        return;
    }
    size_t from = wire->buf->len;
    put_bytes_value(wire, v, at);
    if (wire->buf->failed) return;
    rf_str encoded = rf_str_make(wire->buf->ptr + from, wire->buf->len - from);
    dict->bytes += encoded.len;
    if (dict->bytes <= DICT_BYTES_MAX)
        (void)rf_arena_str(&wire->arena, encoded, &dict->entries[at]); /* else it is made again */
}

static put_cell *const writers[TYPE_COUNT] = {
    [TYPE_BOOL] = put_bool,         [TYPE_INT] = put_long,        [TYPE_LONG] = put_long,
    [TYPE_REAL] = put_real,         [TYPE_DECIMAL] = put_decimal, [TYPE_DATETIME] = put_datetime,
    [TYPE_TIMESPAN] = put_timespan, [TYPE_GUID] = put_guid,       [TYPE_STRING] = put_bytes,
    [TYPE_DYNAMIC] = put_bytes,
};

void wire_value(struct rf_buf *buf, enum wire_form form, const struct value *v)
{
    struct wire wire = {.buf = buf, .form = form};
    struct wire_column column = {0};
    struct vec vec = {.type = v->type, .shape = VEC_CONST, .data = &v->i};
    if (v->null && v->type != TYPE_STRING)
        rf_buf_str(buf, RF_S("null"));
    else if (v->null)
        rf_buf_str(buf, RF_S("\"\""));
    else if (rf_buf_reserve(buf, 64))
        writers[v->type](&wire, &column, &vec, 0);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

void wire_init(struct wire *wire, enum wire_form form, struct rf_buf *buf, uint64_t row_limit,
               size_t byte_limit)
{
    *wire =
        (struct wire){.buf = buf, .form = form, .row_limit = row_limit, .byte_limit = byte_limit};
    rf_arena_init(&wire->arena, (size_t)64 << 20);
}

void wire_done(struct wire *wire) { rf_arena_done(&wire->arena); }

enum rf_kind wire_table(struct wire *wire, const struct schema *schema, struct rf_err *err)
{
    rf_arena_reset(&wire->arena);
    wire->table_row_count = 0;
    wire->column_count = schema->count;
    wire->columns = rf_arena_new(&wire->arena, struct wire_column, schema->count);
    if (wire->columns == NULL) return rf_fail_memory(err, &wire->arena);
    for (uint32_t i = 0; i < schema->count; i++)
        wire->columns[i].put = writers[schema->columns[i].type];
    return RF_OK;
}

static void put_row(struct wire *wire, const struct batch *batch, uint32_t row)
{
    struct rf_buf *buf = wire->buf;
    if (wire->table_row_count > 0) PUT(buf, ",");
    PUT(buf, "[");
    for (uint32_t i = 0; i < batch->column_count; i++) {
        const struct vec *v = &batch->columns[i];
        uint32_t at = vec_at(v, row);
        if (buf->cap - buf->len < 64 && !rf_buf_reserve(buf, 64)) return;
        if (i > 0) PUT(buf, ",");
        if (v->nulls == NULL || v->nulls[at] == 0)
            wire->columns[i].put(wire, &wire->columns[i], v, at);
        else if (v->type == TYPE_STRING)
            PUT(buf, "\"\"");
        else
            PUT(buf, "null");
    }
    rf_buf_byte(buf, ']');
}

static enum rf_kind fail_cut(struct wire *wire, enum wire_cut cut, struct rf_err *err)
{
    wire->cut = cut;
    if (cut == WIRE_ROWS)
        return RF_FAIL(err, RF_LIMIT, "ResultTooLarge",
                       "the result has more than %llu rows: the rest is left out "
                       "(E_QUERY_RESULT_SET_TOO_LARGE)",
                       (unsigned long long)wire->row_limit);
    return RF_FAIL(err, RF_LIMIT, "ResultTooLarge",
                   "the result has more than %zu bytes: the rest is left out "
                   "(E_QUERY_RESULT_SET_TOO_LARGE)",
                   wire->byte_limit);
}

struct mark {
    size_t len, byte_count;
    uint64_t row_count, table_row_count;
};
static struct mark mark_of(const struct wire *wire)
{
    return (struct mark){wire->buf->len, wire->byte_count, wire->row_count, wire->table_row_count};
}
static void back_to(struct wire *wire, const struct mark *mark)
{
    wire->buf->failed = false;
    wire->buf->len = mark->len;
    wire->byte_count = mark->byte_count;
    wire->row_count = mark->row_count;
    wire->table_row_count = mark->table_row_count;
}

enum rf_kind wire_rows(struct wire *wire, const struct batch *batch, struct rf_err *err)
{
    struct rf_buf *buf = wire->buf;
    RF_ASSERT(batch->column_count == wire->column_count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        struct dict *dict = &wire->columns[i].dict;
        if (!type_is_bytes((enum type)batch->columns[i].type)) continue;
        if (!dict_begin(wire, dict, &batch->columns[i])) dict->id = 0;
    }
    struct mark start = mark_of(wire);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        if (wire->row_count == wire->row_limit) return fail_cut(wire, WIRE_ROWS, err);
        size_t from = buf->len;
        if (buf->len > GROWN_BYTES && !wire->grown) take_room(wire);
        if (rf_buf_reserve(buf, 64)) put_row(wire, batch, row);
        if (buf->failed) { /* back to the batch's begin, so that there is room for what follows the rows */
            back_to(wire, &start);
            return fail_cut(wire, WIRE_BYTES, err);
        }
        size_t bytes = buf->len - from;
        if (bytes > wire->byte_limit - wire->byte_count) {
            buf->len = from;
            return fail_cut(wire, WIRE_BYTES, err);
        }
        wire->byte_count += bytes;
        wire->row_count++;
        wire->table_row_count++;
    }
    return RF_OK;
}
