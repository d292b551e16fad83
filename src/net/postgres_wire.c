/* postgres_wire.c - all numbers are big endian; the length of a message counts itself, not the type before it.
 *
 *   0  1  type (absent in the first message of a client)
 *   1  4  bytes from here
 *   5  .. body */
#include "net/postgres_wire.h"

enum { SSL_REQUEST = 80877103, PROTOCOL_3 = 196608, NAME_BYTES_MAX = 63 };

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static enum rf_kind broken(struct rf_err *err, const char *what)
{
    return RF_FAIL(err, RF_CORRUPT, "PostgresProtocol",
                   "the server's answer is none of PostgreSQL's: %s", what);
}

static uint32_t get_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

enum rf_kind pg_head(const uint8_t head[PG_HEAD_BYTES], uint32_t limit, char *type,
                     uint32_t *body_bytes, struct rf_err *err)
{
    uint32_t bytes = get_u32(head + 1);
    if (head[0] < '1' || head[0] > 'z') return broken(err, "a message of an unknown type");
    if (bytes < 4) return broken(err, "a message shorter than its own length");
    if (bytes - 4 > limit) return broken(err, "a message that is too long");
    *type = (char)head[0];
    *body_bytes = bytes - 4;
    return RF_OK;
}

/* Text up to the next NUL; *rest behind it. */
static bool take_text(rf_str *rest, rf_str *out)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->ptr, 0, rest->len);
    if (end == NULL) return false;
    *out = rf_str_make(rest->ptr, (size_t)(end - rest->ptr));
    *rest = rf_slice(*rest, out->len + 1, rest->len);
    return true;
}

static bool is_sqlstate(rf_str text)
{
    if (text.len != 5) return false;
    for (size_t i = 0; i < 5; i++)
        if (!((text.ptr[i] >= '0' && text.ptr[i] <= '9') ||
              (text.ptr[i] >= 'A' && text.ptr[i] <= 'Z')))
            return false;
    return true;
}

enum rf_kind pg_read_fields(rf_str body, struct pg_fields *out, struct rf_err *err)
{
    struct pg_fields fields = {.sqlstate = "XX000"};
    rf_str text;
    while (body.len > 0 && body.ptr[0] != 0) {
        uint8_t field = body.ptr[0];
        body = rf_slice(body, 1, body.len);
        if (!take_text(&body, &text)) return broken(err, "an error that does not end");
        if (field == 'C' && is_sqlstate(text)) memcpy(fields.sqlstate, text.ptr, 5);
        if (field == 'M') fields.message = text;
    }
    if (body.len != 1) return broken(err, "an error that does not end");
    *out = fields;
    return RF_OK;
}

enum rf_kind pg_read_auth(rf_str body, uint32_t *code, rf_str *rest, struct rf_err *err)
{
    if (body.len < 4) return broken(err, "authentication without a code");
    *code = get_u32(body.ptr);
    *rest = rf_slice(body, 4, body.len);
    return RF_OK;
}

enum rf_kind pg_read_mechanisms(rf_str rest, bool *plain, bool *plus, struct rf_err *err)
{
    bool has_plain = false, has_plus = false;
    rf_str name;
    for (;;) {
        if (!take_text(&rest, &name)) return broken(err, "a list of mechanisms without an end");
        if (name.len == 0) break;
        has_plain |= rf_str_is(name, "SCRAM-SHA-256");
        has_plus |= rf_str_is(name, "SCRAM-SHA-256-PLUS");
    }
    if (rest.len > 0) return broken(err, "bytes behind the list of mechanisms");
    *plain = has_plain;
    *plus = has_plus;
    return RF_OK;
}

enum rf_kind pg_read_row(rf_str body, rf_str *columns, uint32_t cap, uint32_t *count,
                         struct rf_err *err)
{
    if (body.len < 2) return broken(err, "a row without a count");
    uint32_t wanted = (uint32_t)body.ptr[0] << 8 | body.ptr[1];
    if (wanted > cap) return broken(err, "a row of too many columns");
    rf_str rest = rf_slice(body, 2, body.len);
    for (uint32_t i = 0; i < wanted; i++) {
        if (rest.len < 4) return broken(err, "a row that breaks off");
        uint32_t bytes = get_u32(rest.ptr);
        rest = rf_slice(rest, 4, rest.len);
        columns[i] = (rf_str){0};
        if (bytes == UINT32_MAX) continue;
        if (bytes > rest.len) return broken(err, "a column that breaks off");
        columns[i] = rf_str_make(rest.len == 0 ? (const void *)"" : rest.ptr, bytes);
        rest = rf_slice(rest, bytes, rest.len);
    }
    if (rest.len > 0) return broken(err, "bytes behind a row");
    *count = wanted;
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------ */

static void put_u16(struct rf_buf *out, uint16_t v)
{
    rf_buf_put(out, (uint8_t[2]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_u32(struct rf_buf *out, uint32_t v)
{
    uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    rf_buf_put(out, bytes, 4);
}

/* type 0: none. Gives where the length stands, for `end`. */
static size_t begin(struct rf_buf *out, char type)
{
    if (type != 0) rf_buf_byte(out, (uint8_t)type);
    size_t at = out->len;
    put_u32(out, 0);
    return at;
}

static void end(struct rf_buf *out, size_t at)
{
    if (out->failed) return;
    uint32_t bytes = (uint32_t)(out->len - at);
    for (int i = 0; i < 4; i++) out->ptr[at + (size_t)i] = (uint8_t)(bytes >> (24 - 8 * i));
}

static enum rf_kind put_text(struct rf_buf *out, rf_str text, const char *what, struct rf_err *err)
{
    if (text.len > PG_MESSAGE_BYTES_MAX || rf_str_find(text, rf_str_make("", 1), 0) != SIZE_MAX)
        return RF_FAIL(err, RF_INVALID, "BadParameter", "%s is too long or has a zero byte in it",
                       what);
    rf_buf_str(out, text);
    rf_buf_byte(out, 0);
    return RF_OK;
}

void pg_put_ssl(struct rf_buf *out)
{
    size_t at = begin(out, 0);
    put_u32(out, SSL_REQUEST);
    end(out, at);
}

enum rf_kind pg_put_startup(struct rf_buf *out, rf_str user, rf_str database, rf_str application,
                            struct rf_err *err)
{
    size_t at = begin(out, 0);
    put_u32(out, PROTOCOL_3);
    rf_buf_put(out, "user", 5);
    RF_TRY(put_text(out, user, "the user", err));
    rf_buf_put(out, "database", 9);
    RF_TRY(put_text(out, database, "the database", err));
    rf_buf_put(out, "client_encoding\0UTF8", 21);
    rf_buf_put(out, "application_name", 17);
    RF_TRY(put_text(out, application, "the application's name", err));
    rf_buf_byte(out, 0);
    end(out, at);
    return RF_OK;
}

void pg_put_sasl_first(struct rf_buf *out, const char *mechanism, rf_str text)
{
    size_t at = begin(out, 'p');
    rf_buf_put(out, mechanism, strlen(mechanism) + 1);
    put_u32(out, (uint32_t)text.len);
    rf_buf_str(out, text);
    end(out, at);
}

void pg_put_sasl_next(struct rf_buf *out, rf_str text)
{
    size_t at = begin(out, 'p');
    rf_buf_str(out, text);
    end(out, at);
}

enum rf_kind pg_put_password(struct rf_buf *out, rf_str password, struct rf_err *err)
{
    size_t at = begin(out, 'p');
    RF_TRY(put_text(out, password, "the password", err));
    end(out, at);
    return RF_OK;
}

enum rf_kind pg_put_query(struct rf_buf *out, rf_str sql, struct rf_err *err)
{
    size_t at = begin(out, 'Q');
    RF_TRY(put_text(out, sql, "the statement", err));
    end(out, at);
    return RF_OK;
}

static enum rf_kind put_bind(struct rf_buf *out, const rf_str *parameters, uint32_t count,
                             struct rf_err *err)
{
    size_t at = begin(out, 'B'), total = 0;
    rf_buf_put(out, "\0", 2); /* the unnamed portal, of the unnamed statement */
    put_u16(out, 0);          /* all parameters are texts */
    put_u16(out, (uint16_t)count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str value = parameters[i];
        if (!rf_add_size(total, value.len, &total) || total > PG_MESSAGE_BYTES_MAX)
            return RF_FAIL(err, RF_INVALID, "BadParameter", "the parameters are too long");
        put_u32(out, value.ptr == NULL ? UINT32_MAX : (uint32_t)value.len);
        rf_buf_str(out, value);
    }
    put_u16(out, 0); /* all results are texts */
    end(out, at);
    return RF_OK;
}

enum rf_kind pg_put_extended(struct rf_buf *out, rf_str sql, const rf_str *parameters,
                             uint32_t count, struct rf_err *err)
{
    if (count > PG_PARAMETERS_MAX)
        return RF_FAIL(err, RF_INVALID, "BadParameter", "a statement has at most %d parameters",
                       PG_PARAMETERS_MAX);
    size_t at = begin(out, 'P');
    rf_buf_byte(out, 0);
    RF_TRY(put_text(out, sql, "the statement", err));
    put_u16(out, 0); /* no types are told */
    end(out, at);
    RF_TRY(put_bind(out, parameters, count, err));
    at = begin(out, 'E');
    rf_buf_byte(out, 0);
    put_u32(out, 0); /* all rows */
    end(out, at);
    at = begin(out, 'S');
    end(out, at);
    return RF_OK;
}

void pg_put_bye(struct rf_buf *out)
{
    size_t at = begin(out, 'X');
    end(out, at);
}

/* ---- quoting ------------------------------------------------------------------------------------------------------ */

static enum rf_kind check_text(rf_str text, struct rf_err *err)
{
    if (rf_str_find(text, rf_str_make("", 1), 0) == SIZE_MAX && rf_utf8_valid(text)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadParameter",
                   "a text for a statement has a zero byte in it or is no UTF-8");
}

static void put_doubled(struct rf_buf *out, rf_str text, const char *doubled)
{
    for (size_t i = 0; i < text.len; i++) {
        if (strchr(doubled, text.ptr[i]) != NULL) rf_buf_byte(out, text.ptr[i]);
        rf_buf_byte(out, text.ptr[i]);
    }
}

enum rf_kind pg_quote_name(struct rf_buf *out, rf_str name, struct rf_err *err)
{
    RF_TRY(check_text(name, err));
    if (name.len == 0 || name.len > NAME_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadParameter",
                       "a name in the database has 1 to %d bytes, this one has %zu", NAME_BYTES_MAX,
                       name.len);
    rf_buf_byte(out, '"');
    put_doubled(out, name, "\"");
    rf_buf_byte(out, '"');
    return RF_OK;
}

enum rf_kind pg_quote_text(struct rf_buf *out, rf_str text, struct rf_err *err)
{
    RF_TRY(check_text(text, err));
    rf_buf_put(out, " E'", 3);
    put_doubled(out, text, "'\\");
    rf_buf_byte(out, '\'');
    return RF_OK;
}
