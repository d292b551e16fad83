/* postgres_wire.h - messages of PostgreSQL's protocol 3.0 as a client sends and reads them (PostgreSQL 15 documentation, chapter 55): no socket here. */
#ifndef RF_POSTGRES_WIRE_H
#define RF_POSTGRES_WIRE_H

#include "base/rf.h"

enum {
    PG_HEAD_BYTES = 5,
    PG_GREETING_BYTES_MAX = 64 << 10, /* of a message before the server let us in */
    PG_MESSAGE_BYTES_MAX = 4 << 20,
    PG_COLUMNS_MAX = 1664, /* the server's own limit */
    PG_PARAMETERS_MAX = 64
};

/* ---- what the server says ---------------------------------------------------------------------------------------- */

/* Type and length of the body of a message from its first PG_HEAD_BYTES. RF_CORRUPT PostgresProtocol: longer than `limit`, or no length. */
RF_MUST_USE enum rf_kind pg_head(const uint8_t head[PG_HEAD_BYTES], uint32_t limit, char *type,
                                 uint32_t *body_bytes, struct rf_err *err);
/* An error or notice (E, N). Views of the body. */
struct pg_fields {
    char
        sqlstate[6]; /* five of A-Z, 0-9 and a NUL; "XX000" when the server gave none that is one */
    rf_str message;
};
RF_MUST_USE enum rf_kind pg_read_fields(rf_str body, struct pg_fields *out, struct rf_err *err);
/* Authentication (R): its code, and what follows. */
enum {
    PG_AUTH_OK = 0,
    PG_AUTH_CLEAR = 3,
    PG_AUTH_MD5 = 5,
    PG_AUTH_SASL = 10,
    PG_AUTH_CONTINUE = 11,
    PG_AUTH_FINAL = 12
};
RF_MUST_USE enum rf_kind pg_read_auth(rf_str body, uint32_t *code, rf_str *rest,
                                      struct rf_err *err);
/* Whether the list of PG_AUTH_SASL names the two that we know. RF_CORRUPT for a list that does not end. */
RF_MUST_USE enum rf_kind pg_read_mechanisms(rf_str rest, bool *plain, bool *plus,
                                            struct rf_err *err);
/* A row (D); `columns` has room for `cap`. NULL is {NULL, 0}, an empty text has a pointer. Views of the body. */
RF_MUST_USE enum rf_kind pg_read_row(rf_str body, rf_str *columns, uint32_t cap, uint32_t *count,
                                     struct rf_err *err);

/* ---- what we say: appended to `out`, which is checked for `failed` at the end ------------------------------------- */

void pg_put_ssl(struct rf_buf *out);
/* RF_INVALID BadParameter: a text with a NUL byte within. */
RF_MUST_USE enum rf_kind pg_put_startup(struct rf_buf *out, rf_str user, rf_str database,
                                        rf_str application, struct rf_err *err);
void pg_put_sasl_first(struct rf_buf *out, const char *mechanism, rf_str text);
void pg_put_sasl_next(struct rf_buf *out, rf_str text);
RF_MUST_USE enum rf_kind pg_put_password(struct rf_buf *out, rf_str password, struct rf_err *err);
RF_MUST_USE enum rf_kind pg_put_query(struct rf_buf *out, rf_str sql, struct rf_err *err);
/* Parse, Bind, Execute and Sync of the unnamed statement; parameters as texts of types that the server finds out, ptr NULL for NULL. */
RF_MUST_USE enum rf_kind pg_put_extended(struct rf_buf *out, rf_str sql, const rf_str *parameters,
                                         uint32_t count, struct rf_err *err);
void pg_put_bye(struct rf_buf *out);

/* ---- texts in statements ------------------------------------------------------------------------------------------ */

/* "name", with doubled quotes; 'text' as E'...' with backslashes doubled, which means the same whatever standard_conforming_strings says. RF_INVALID
 * BadParameter: a NUL within, malformed UTF-8, an identifier that is empty or has more than 63 bytes. */
RF_MUST_USE enum rf_kind pg_quote_name(struct rf_buf *out, rf_str name, struct rf_err *err);
RF_MUST_USE enum rf_kind pg_quote_text(struct rf_buf *out, rf_str text, struct rf_err *err);

#endif
