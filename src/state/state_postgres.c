/* state_postgres.c - the state in a PostgreSQL database, in the schema "ringfort": for more than one server process. Built when
 * the option `postgresql` is on. All SQL is in the tables `steps` and `texts` below; what the tables mean, state_sqlite.c says.
 *
 * Writers of all processes take turns by an advisory lock, so that etags come in the order of commits. Readers see one snapshot.
 * The server must not have turned fsync off, and synchronous_commit is on whatever its configuration says. */
#include "state/state_int.h"

#ifndef RF_POSTGRESQL

const struct state_engine *const state_postgres = NULL;

#else

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25 };
#define WRITER_LOCK                                                                                \
    "5927518336498" /* an advisory lock's number; any will do that nobody else takes */

static const char *const steps[] = {
    "CREATE TABLE counter(name text PRIMARY KEY, value bigint NOT NULL);"
    "INSERT INTO counter VALUES('etag', 0);"
    "CREATE TABLE object(space text COLLATE \"C\" NOT NULL, key bytea NOT NULL,"
    " etag bigint NOT NULL, created bigint NOT NULL, changed bigint NOT NULL,"
    " body bytea NOT NULL, PRIMARY KEY(space, key));"
    "CREATE TABLE object_index(space text COLLATE \"C\" NOT NULL,"
    " name text COLLATE \"C\" NOT NULL, value bytea NOT NULL, key bytea NOT NULL,"
    " PRIMARY KEY(space, name, value, key));"
    "CREATE INDEX object_index_key ON object_index(space, key);",
};

enum text {
    TEXT_READ_ETAG,
    TEXT_WRITE_ETAG,
    TEXT_FIND,
    TEXT_STORE,
    TEXT_INDEX,
    TEXT_UNINDEX,
    TEXT_REMOVE,
    TEXT_REMOVE_INDEX,
    TEXT_LIST,
    TEXT_LIST_INDEX,
    TEXT_SPACES,
    TEXT_COUNT
};
/* Parameters: t text, b bytes, i integer. */
static const struct {
    const char *name, *types, *sql;
} texts[TEXT_COUNT] = {
    [TEXT_READ_ETAG] = {"read_etag", "", "SELECT value FROM counter WHERE name = 'etag'"},
    [TEXT_WRITE_ETAG] = {"write_etag", "i", "UPDATE counter SET value = $1 WHERE name = 'etag'"},
    [TEXT_FIND] = {"find", "tb",
                   "SELECT key, etag, created, changed, body FROM object"
                   " WHERE space = $1 AND key = $2"},
    [TEXT_STORE] = {"store", "tbiiib",
                    "INSERT INTO object(space, key, etag, created, changed, body)"
                    " VALUES($1, $2, $3, $4, $5, $6) ON CONFLICT(space, key) DO UPDATE"
                    " SET etag = $3, created = $4, changed = $5, body = $6"},
    [TEXT_INDEX] = {"index", "ttbb",
                    "INSERT INTO object_index(space, name, value, key) VALUES($1, $2, $3, $4)"
                    " ON CONFLICT DO NOTHING"},
    [TEXT_UNINDEX] = {"unindex", "tb", "DELETE FROM object_index WHERE space = $1 AND key = $2"},
    [TEXT_REMOVE] = {"remove", "tbb",
                     "DELETE FROM object WHERE space = $1 AND key >= $2 AND key < $3"},
    [TEXT_REMOVE_INDEX] = {"remove_index", "tbb",
                           "DELETE FROM object_index"
                           " WHERE space = $1 AND key >= $2 AND key < $3"},
    [TEXT_LIST] = {"list", "tbbi",
                   "SELECT key, etag, created, changed, body FROM object"
                   " WHERE space = $1 AND key >= $2 AND key < $3 ORDER BY key LIMIT $4"},
    [TEXT_LIST_INDEX] = {"list_index", "tbbitb",
                         "SELECT o.key, o.etag, o.created, o.changed, o.body FROM object_index i"
                         " JOIN object o ON o.space = i.space AND o.key = i.key"
                         " WHERE i.space = $1 AND i.name = $5 AND i.value = $6"
                         " AND i.key >= $2 AND i.key < $3 ORDER BY i.key LIMIT $4"},
    [TEXT_SPACES] = {"spaces", "", "SELECT DISTINCT space FROM object ORDER BY space"},
};

enum { ARGUMENTS_MAX = 6 };

struct arguments {
    rf_str items[ARGUMENTS_MAX]; /* ptr NULL: the number */
    uint8_t numbers[ARGUMENTS_MAX][8];
    uint32_t count;
};

struct postgres_conn {
    struct state_conn base;
    PGconn *db;
    bool writes;
    bool prepared[TEXT_COUNT];
};

static struct postgres_conn *of(struct state_conn *conn) { return (struct postgres_conn *)conn; }

/* ---- errors ---------------------------------------------------------------------------------------------------- */

/* In PostgreSQL's words; `result` may be NULL: the connection's. */
static enum rf_kind failed(struct postgres_conn *c, const PGresult *result, struct rf_err *err)
{
    c->base.broken = true;
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    rf_str said = rf_str_trim(rf_str_of(result != NULL && PQresultErrorMessage(result)[0] != '\0'
                                            ? PQresultErrorMessage(result)
                                            : PQerrorMessage(c->db)));
    said = rf_slice(said, 0, RF_MIN(said.len, (size_t)800));
    if (state == NULL) state = "";
    if (strcmp(state, "55P03") == 0 || strncmp(state, "40", 2) == 0)
        return RF_FAIL(err, RF_AGAIN, "StateBusy", "PostgreSQL: %.*s", RF_FMT(said));
    if (strcmp(state, "53100") == 0)
        return RF_FAIL(err, RF_LIMIT, "DiskFull", "PostgreSQL: %.*s", RF_FMT(said));
    if (strcmp(state, "54000") == 0) /* a key that is too long for an index */
        return RF_FAIL(err, RF_LIMIT, "ObjectTooLarge", "PostgreSQL: %.*s", RF_FMT(said));
    if (strncmp(state, "XX", 2) == 0)
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "PostgreSQL: %.*s", RF_FMT(said));
    return RF_FAIL(err, RF_IO, "StateFailed", "PostgreSQL: %.*s", RF_FMT(said));
}

/* Takes the result. */
static enum rf_kind check(struct postgres_conn *c, PGresult *result, ExecStatusType wanted,
                          struct rf_err *err)
{
    enum rf_kind kind = PQresultStatus(result) == wanted ? RF_OK : failed(c, result, err);
    PQclear(result);
    return kind;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

static enum rf_kind exec(struct postgres_conn *c, const char *sql, struct rf_err *err)
{
    return check(c, PQexec(c->db, sql), PGRES_COMMAND_OK, err);
}

static void add_text(struct arguments *a, const char *text)
{
    a->items[a->count++] = rf_str_of(text);
}

static void add_bytes(struct arguments *a, rf_str bytes)
{
    a->items[a->count++] = bytes.len == 0 ? RF_S("") : bytes; /* NULL would be null */
}

static void add_number(struct arguments *a, int64_t number)
{
    for (size_t i = 0; i < 8; i++)
        a->numbers[a->count][i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
    a->items[a->count++] = (rf_str){NULL, 0};
}

static enum rf_kind prepare(struct postgres_conn *c, enum text text, struct rf_err *err)
{
    if (c->prepared[text]) return RF_OK;
    Oid types[ARGUMENTS_MAX];
    int count = (int)strlen(texts[text].types);
    for (int i = 0; i < count; i++)
        types[i] = texts[text].types[i] == 't'   ? OID_TEXT
                   : texts[text].types[i] == 'b' ? OID_BYTEA
                                                 : OID_INT8;
    RF_TRY(check(c, PQprepare(c->db, texts[text].name, texts[text].sql, count, types),
                 PGRES_COMMAND_OK, err));
    c->prepared[text] = true;
    return RF_OK;
}

struct wire {
    const char *values[ARGUMENTS_MAX];
    int lengths[ARGUMENTS_MAX], formats[ARGUMENTS_MAX];
};

/* Views of `a`. */
static struct wire wire_of(const struct arguments *a)
{
    struct wire w = {{NULL}, {0}, {0}};
    for (uint32_t i = 0; i < a->count; i++) {
        bool number = a->items[i].ptr == NULL;
        w.values[i] = (const char *)(number ? a->numbers[i] : a->items[i].ptr);
        w.lengths[i] = number ? 8 : (int)a->items[i].len; /* below 2 GiB: state.c has limits */
        w.formats[i] = 1;
    }
    return w;
}

/* Gives the result, which the caller clears. */
static enum rf_kind run(struct postgres_conn *c, enum text text, const struct arguments *a,
                        ExecStatusType wanted, PGresult **out, struct rf_err *err)
{
    RF_TRY(prepare(c, text, err));
    struct wire w = wire_of(a);
    PGresult *result =
        PQexecPrepared(c->db, texts[text].name, (int)a->count, w.values, w.lengths, w.formats, 1);
    if (PQresultStatus(result) != wanted) return check(c, result, wanted, err);
    *out = result;
    return RF_OK;
}

static enum rf_kind run_only(struct postgres_conn *c, enum text text, const struct arguments *a,
                             uint64_t *changed, struct rf_err *err)
{
    PGresult *result = NULL;
    RF_TRY(run(c, text, a, PGRES_COMMAND_OK, &result, err));
    if (changed != NULL) *changed = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return RF_OK;
}

static int64_t number_at(const PGresult *result, int row, int column)
{
    const uint8_t *bytes = (const uint8_t *)PQgetvalue(result, row, column);
    uint64_t number = 0;
    for (size_t i = 0; i < 8; i++) number = number << 8 | bytes[i];
    return (int64_t)number;
}

static bool copy_at(const PGresult *result, int column, struct rf_arena *arena, rf_str *out)
{
    return rf_arena_str(
        arena, rf_str_make(PQgetvalue(result, 0, column), (size_t)PQgetlength(result, 0, column)),
        out);
}

static enum rf_kind read_object(const PGresult *result, struct rf_arena *arena,
                                struct state_object *out, struct rf_err *err)
{
    struct state_object object = {.etag = (uint64_t)number_at(result, 0, 1),
                                  .created_usec = number_at(result, 0, 2),
                                  .changed_usec = number_at(result, 0, 3)};
    if (arena != NULL &&
        (!copy_at(result, 0, arena, &object.key) || !copy_at(result, 4, arena, &object.body)))
        return rf_fail_memory(err, arena);
    *out = object;
    return RF_OK;
}

/* ---- opening -------------------------------------------------------------------------------------------------------- */

/* The number of steps that were done; 0 where there is nothing. */
static enum rf_kind read_version(struct postgres_conn *c, uint32_t *version, struct rf_err *err)
{
    PGresult *result = PQexec(c->db, "SELECT obj_description(oid, 'pg_namespace')"
                                     " FROM pg_namespace WHERE nspname = 'ringfort'");
    if (PQresultStatus(result) != PGRES_TUPLES_OK) return check(c, result, PGRES_TUPLES_OK, err);
    unsigned found = 0;
    bool known = PQntuples(result) == 0 ||
                 sscanf(PQgetvalue(result, 0, 0), "state version %u", &found) == 1; /* NOLINT */
    PQclear(result);
    if (!known)
        return RF_FAIL(err, RF_CONFLICT, "StateForeign",
                       "the schema ringfort of the database is of another program");
    if (found > RF_COUNT(steps))
        return RF_FAIL(err, RF_CONFLICT, "StateVersion",
                       "the database has version %u, and this program knows versions up to %zu",
                       found, RF_COUNT(steps));
    *version = found;
    return RF_OK;
}

static enum rf_kind bring_up(struct postgres_conn *c, struct rf_err *err)
{
    uint32_t version = 0;
    RF_TRY(read_version(c, &version, err));
    if (version == 0) RF_TRY(exec(c, "CREATE SCHEMA ringfort", err));
    for (; version < RF_COUNT(steps); version++) {
        char stamp[100];
        (void)snprintf(stamp, sizeof stamp, "COMMENT ON SCHEMA ringfort IS 'state version %u'",
                       version + 1);
        RF_TRY(exec(c, steps[version], err));
        RF_TRY(exec(c, stamp, err));
    }
    return RF_OK;
}

static enum rf_kind set_up(struct postgres_conn *c, struct rf_err *err)
{
    c->base.broken = false;
    memset(c->prepared, 0, sizeof c->prepared);
    RF_TRY(exec(c,
                "SET client_min_messages = warning; SET search_path = ringfort;"
                "SET synchronous_commit = on; SET lock_timeout = '30s'",
                err));
    if (!c->writes) {
        uint32_t version = 0;
        RF_TRY(read_version(c, &version, err));
        if (version == RF_COUNT(steps)) return RF_OK;
        return RF_FAIL(err, RF_CONFLICT, "StateVersion",
                       "the database is of an older version: open it once for writing");
    }
    /* Steps of one start are one transaction here: PostgreSQL undoes changes of the schema, too. */
    RF_TRY(exec(c, "BEGIN", err));
    RF_TRY(check(c, PQexec(c->db, "SELECT pg_advisory_xact_lock(" WRITER_LOCK ")"), PGRES_TUPLES_OK,
                 err));
    RF_TRY(bring_up(c, err));
    return exec(c, "COMMIT", err);
}

static void postgres_disconnect(struct state_conn *conn)
{
    struct postgres_conn *c = of(conn);
    if (c == NULL) return;
    PQfinish(c->db);
    free(c);
}

static enum rf_kind postgres_connect(const struct state_options *options, bool writes,
                                     struct state_conn **out, struct rf_err *err)
{
    struct postgres_conn *c = calloc(1, sizeof *c);
    if (c == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a connection");
    c->writes = writes;
    c->db = PQconnectdb(options->path);
    enum rf_kind kind = PQstatus(c->db) == CONNECTION_OK ? set_up(c, err) : failed(c, NULL, err);
    if (kind != RF_OK) {
        postgres_disconnect(&c->base);
        return kind;
    }
    *out = &c->base;
    return RF_OK;
}

/* ---- transactions ---------------------------------------------------------------------------------------------------- */

static enum rf_kind postgres_read_etag(struct state_conn *conn, uint64_t *etag, struct rf_err *err)
{
    struct arguments none = {.count = 0};
    PGresult *result = NULL;
    RF_TRY(run(of(conn), TEXT_READ_ETAG, &none, PGRES_TUPLES_OK, &result, err));
    bool found = PQntuples(result) == 1;
    if (found) *etag = (uint64_t)number_at(result, 0, 0);
    PQclear(result);
    if (found) return RF_OK;
    return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "the counter of etags is missing");
}

static void postgres_rollback(struct state_conn *conn)
{
    struct postgres_conn *c = of(conn);
    if (PQtransactionStatus(c->db) != PQTRANS_IDLE) PQclear(PQexec(c->db, "ROLLBACK"));
}

static enum rf_kind begin_write(struct postgres_conn *c, struct rf_err *err)
{
    RF_TRY(exec(c, "BEGIN", err));
    return check(c, PQexec(c->db, "SELECT pg_advisory_xact_lock(" WRITER_LOCK ")"), PGRES_TUPLES_OK,
                 err);
}

static enum rf_kind begin_read(struct postgres_conn *c, struct rf_err *err)
{
    uint64_t etag;
    RF_TRY(exec(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err));
    return postgres_read_etag(&c->base, &etag, err); /* the view is taken at the first read */
}

static enum rf_kind postgres_begin(struct state_conn *conn, struct rf_err *err)
{
    struct postgres_conn *c = of(conn);
    /* The writer's connection is kept for good: the database may have been started anew meanwhile. */
    if (PQstatus(c->db) != CONNECTION_OK) {
        PQreset(c->db);
        if (PQstatus(c->db) != CONNECTION_OK) return failed(c, NULL, err);
        RF_TRY(set_up(c, err));
    }
    c->base.broken = false;
    enum rf_kind kind = c->writes ? begin_write(c, err) : begin_read(c, err);
    if (kind != RF_OK) postgres_rollback(conn);
    return kind;
}

static enum rf_kind postgres_commit(struct state_conn *conn, struct rf_err *err)
{
    struct postgres_conn *c = of(conn);
    PGresult *result = PQexec(c->db, "COMMIT");
    /* A transaction that failed before is undone by COMMIT, which says so by its name only. */
    bool undone =
        PQresultStatus(result) == PGRES_COMMAND_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0;
    RF_TRY(check(c, result, PGRES_COMMAND_OK, err));
    if (!undone) return RF_OK;
    return RF_FAIL(err, RF_IO, "StateFailed", "PostgreSQL has undone the transaction");
}

static enum rf_kind postgres_write_etag(struct state_conn *conn, uint64_t etag, struct rf_err *err)
{
    struct arguments a = {.count = 0};
    add_number(&a, (int64_t)etag);
    return run_only(of(conn), TEXT_WRITE_ETAG, &a, NULL, err);
}

/* ---- objects ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind postgres_find(struct state_conn *conn, const char *space, rf_str key,
                                  struct rf_arena *arena, struct state_object *out, bool *found,
                                  struct rf_err *err)
{
    struct arguments a = {.count = 0};
    PGresult *result = NULL;
    add_text(&a, space);
    add_bytes(&a, key);
    RF_TRY(run(of(conn), TEXT_FIND, &a, PGRES_TUPLES_OK, &result, err));
    *found = PQntuples(result) == 1;
    enum rf_kind kind = *found ? read_object(result, arena, out, err) : RF_OK;
    PQclear(result);
    return kind;
}

static enum rf_kind postgres_store(struct state_conn *conn, const char *space,
                                   const struct state_object *object, struct rf_err *err)
{
    struct arguments a = {.count = 0};
    add_text(&a, space);
    add_bytes(&a, object->key);
    add_number(&a, (int64_t)object->etag);
    add_number(&a, object->created_usec);
    add_number(&a, object->changed_usec);
    add_bytes(&a, object->body);
    return run_only(of(conn), TEXT_STORE, &a, NULL, err);
}

static enum rf_kind postgres_index(struct state_conn *conn, const char *space, rf_str key,
                                   const struct state_index *entry, struct rf_err *err)
{
    struct arguments a = {.count = 0};
    add_text(&a, space);
    add_text(&a, entry->name);
    add_bytes(&a, entry->value);
    add_bytes(&a, key);
    return run_only(of(conn), TEXT_INDEX, &a, NULL, err);
}

static enum rf_kind postgres_unindex(struct state_conn *conn, const char *space, rf_str key,
                                     struct rf_err *err)
{
    struct arguments a = {.count = 0};
    add_text(&a, space);
    add_bytes(&a, key);
    return run_only(of(conn), TEXT_UNINDEX, &a, NULL, err);
}

static struct arguments range_arguments(const struct state_range *range)
{
    struct arguments a = {.count = 0};
    add_text(&a, range->space);
    add_bytes(&a, range->low);
    add_bytes(&a, range->high);
    return a;
}

static enum rf_kind postgres_remove(struct state_conn *conn, const struct state_range *range,
                                    uint64_t *count, struct rf_err *err)
{
    struct arguments a = range_arguments(range);
    RF_TRY(run_only(of(conn), TEXT_REMOVE, &a, count, err));
    return *count == 0 ? RF_OK : run_only(of(conn), TEXT_REMOVE_INDEX, &a, NULL, err);
}

static enum rf_kind postgres_list_begin(struct state_conn *conn, const struct state_range *range,
                                        struct rf_err *err)
{
    struct postgres_conn *c = of(conn);
    enum text text = range->index == NULL ? TEXT_LIST : TEXT_LIST_INDEX;
    struct arguments a = range_arguments(range);
    add_number(&a, range->limit == 0 ? INT64_MAX : (int64_t)range->limit);
    if (range->index != NULL) {
        add_text(&a, range->index);
        add_bytes(&a, range->value);
    }
    RF_TRY(prepare(c, text, err));
    struct wire w = wire_of(&a);
    if (PQsendQueryPrepared(c->db, texts[text].name, (int)a.count, w.values, w.lengths, w.formats,
                            1) != 1)
        return failed(c, NULL, err);
    /* Row by row: a list of any length takes the memory of one row here. */
    (void)PQsetSingleRowMode(c->db);
    return RF_OK;
}

static enum rf_kind postgres_list_next(struct state_conn *conn, struct rf_arena *arena,
                                       struct state_object *out, bool *found, struct rf_err *err)
{
    struct postgres_conn *c = of(conn);
    PGresult *result = PQgetResult(c->db);
    *found = PQresultStatus(result) == PGRES_SINGLE_TUPLE;
    if (!*found) return check(c, result, PGRES_TUPLES_OK, err);
    enum rf_kind kind = read_object(result, arena, out, err);
    PQclear(result);
    return kind;
}

static void postgres_list_end(struct state_conn *conn)
{
    for (PGresult *rest; (rest = PQgetResult(of(conn)->db)) != NULL;) PQclear(rest);
}

static enum rf_kind postgres_spaces(struct state_conn *conn, struct rf_arena *arena, rf_str **names,
                                    uint32_t *count, struct rf_err *err)
{
    struct arguments none = {.count = 0};
    PGresult *result = NULL;
    RF_TRY(run(of(conn), TEXT_SPACES, &none, PGRES_TUPLES_OK, &result, err));
    *count = (uint32_t)PQntuples(result);
    *names = rf_arena_new(arena, rf_str, (size_t)*count + 1);
    bool fits = *names != NULL;
    for (uint32_t i = 0; fits && i < *count; i++)
        fits = rf_arena_str(
            arena,
            rf_str_make(PQgetvalue(result, (int)i, 0), (size_t)PQgetlength(result, (int)i, 0)),
            &(*names)[i]);
    PQclear(result);
    return fits ? RF_OK : rf_fail_memory(err, arena);
}

static enum rf_kind postgres_backup(struct state_conn *conn, const char *path, struct rf_err *err)
{
    (void)conn, (void)path;
    return RF_FAIL(err, RF_INVALID, "StateUnsupported",
                   "the state is in PostgreSQL: back it up with pg_dump --schema=ringfort");
}

static const struct state_engine engine = {
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .read_etag = postgres_read_etag,
    .write_etag = postgres_write_etag,
    .find = postgres_find,
    .store = postgres_store,
    .index = postgres_index,
    .unindex = postgres_unindex,
    .remove = postgres_remove,
    .list_begin = postgres_list_begin,
    .list_next = postgres_list_next,
    .list_end = postgres_list_end,
    .spaces = postgres_spaces,
    .backup = postgres_backup,
};
const struct state_engine *const state_postgres = &engine;

#endif
