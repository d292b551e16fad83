/* state_sqlite.c - the state in one SQLite file. All SQL is in the tables `steps` and `texts` below.
 *
 * object        one row per object; keys and bodies are blobs, so that they compare byte by byte. It keeps its rowid:
 *               bodies of 1.5 KB in the tree of the keys took twice the room and twice the time to write
 * object_index  one row per index entry; object_index_key finds those of an object when it is written or removed
 * counter       'etag': the last one given out
 * user_version  the number of steps done; application_id tells our files from others */
#include "state/state_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    APPLICATION_ID = 0x52467374, /* "RFst" */
    BUSY_MS_MAX = STATE_WAIT_SECONDS * 1000,
    WRITER_CACHE_KIB = 2048,
    READER_CACHE_KIB = 512,
    CHECKPOINT_PAGES = 1000, /* of 4 KiB: the journal stays around 4 MB */
    JOURNAL_BYTES_MAX = 8 << 20
};

/* Step n brings a file of version n to version n + 1. A step that was in a release never changes. */
static const char *const steps[] = {
    "CREATE TABLE counter(name TEXT NOT NULL PRIMARY KEY, value INTEGER NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "INSERT INTO counter(name, value) VALUES('etag', 0);"
    "CREATE TABLE object(space TEXT NOT NULL, key BLOB NOT NULL, etag INTEGER NOT NULL,"
    " created INTEGER NOT NULL, changed INTEGER NOT NULL, body BLOB NOT NULL,"
    " PRIMARY KEY(space, key)) STRICT;"
    "CREATE TABLE object_index(space TEXT NOT NULL, name TEXT NOT NULL, value BLOB NOT NULL,"
    " key BLOB NOT NULL, PRIMARY KEY(space, name, value, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX object_index_key ON object_index(space, key);",
};

enum text {
    TEXT_BEGIN_READ,
    TEXT_BEGIN_WRITE,
    TEXT_COMMIT,
    TEXT_ROLLBACK,
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
/* The columns of FIND and the LISTs are those that read_object expects. */
static const char *const texts[TEXT_COUNT] = {
    [TEXT_BEGIN_READ] = "BEGIN",
    [TEXT_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [TEXT_COMMIT] = "COMMIT",
    [TEXT_ROLLBACK] = "ROLLBACK",
    [TEXT_READ_ETAG] = "SELECT value FROM counter WHERE name = 'etag'",
    [TEXT_WRITE_ETAG] = "UPDATE counter SET value = ?1 WHERE name = 'etag'",
    [TEXT_FIND] = "SELECT key, etag, created, changed, body FROM object"
                  " WHERE space = ?1 AND key = ?2",
    [TEXT_STORE] = "INSERT INTO object(space, key, etag, created, changed, body)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT(space, key) DO UPDATE"
                   " SET etag = ?3, created = ?4, changed = ?5, body = ?6",
    [TEXT_INDEX] = "INSERT OR IGNORE INTO object_index(space, name, value, key)"
                   " VALUES(?1, ?2, ?3, ?4)",
    [TEXT_UNINDEX] = "DELETE FROM object_index WHERE space = ?1 AND key = ?2",
    [TEXT_REMOVE] = "DELETE FROM object WHERE space = ?1 AND key >= ?2 AND key < ?3",
    [TEXT_REMOVE_INDEX] = "DELETE FROM object_index WHERE space = ?1 AND key >= ?2 AND key < ?3",
    [TEXT_LIST] = "SELECT key, etag, created, changed, body FROM object"
                  " WHERE space = ?1 AND key >= ?2 AND key < ?3 ORDER BY key LIMIT ?4",
    /* CROSS JOIN: SQLite keeps the order of the two. */
    [TEXT_LIST_INDEX] = "SELECT o.key, o.etag, o.created, o.changed, o.body FROM object_index i"
                        " CROSS JOIN object o ON o.space = i.space AND o.key = i.key"
                        " WHERE i.space = ?1 AND i.name = ?5 AND i.value = ?6"
                        " AND i.key >= ?2 AND i.key < ?3 ORDER BY i.key LIMIT ?4",
    [TEXT_SPACES] = "SELECT DISTINCT space FROM object ORDER BY space",
};

struct sqlite_conn {
    struct state_conn base;
    sqlite3 *db;
    bool writes, fleeting;
    sqlite3_stmt *statements[TEXT_COUNT]; /* prepared when first used */
    sqlite3_stmt *listing;                /* of list_begin, until list_end */
    char path[];
};

static struct sqlite_conn *of(struct state_conn *conn) { return (struct sqlite_conn *)conn; }

/* ---- errors ------------------------------------------------------------------------------------------------ */

/* In SQLite's words, with the operating system's where it had some. */
static enum rf_kind failed(struct sqlite_conn *c, int rc, const char *verb, struct rf_err *err)
{
    c->base.broken = true;
    const char *said = c->db != NULL ? sqlite3_errmsg(c->db) : sqlite3_errstr(rc);
    int os = c->db != NULL ? sqlite3_system_errno(c->db) : 0;
    switch (rc & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "%s: %s", c->path, said);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return RF_FAIL(err, RF_AGAIN, "StateBusy", "%s: another program has held it for %d s",
                       c->path, STATE_WAIT_SECONDS);
    case SQLITE_FULL:
        return RF_FAIL(err, RF_LIMIT, "DiskFull", "cannot %s %s: %s", verb, c->path, said);
    case SQLITE_NOMEM:
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "cannot %s %s: %s", verb, c->path,
                       said);
    default:
        break;
    }
    if (os == ENOSPC || os == EDQUOT)
        return RF_FAIL(err, RF_LIMIT, "DiskFull", "cannot %s %s: the disk is full", verb, c->path);
    if (os == 0) return RF_FAIL(err, RF_IO, "StateFailed", "cannot %s %s: %s", verb, c->path, said);
    errno = os;
    return RF_FAIL_ERRNO(err, "StateFailed", "cannot %s %s: %s", verb, c->path, said);
}

/* ---- statements ---------------------------------------------------------------------------------------------- */

static enum rf_kind prepare(struct sqlite_conn *c, enum text text, sqlite3_stmt **out,
                            struct rf_err *err)
{
    if (c->statements[text] == NULL) {
        int rc = sqlite3_prepare_v3(c->db, texts[text], -1, SQLITE_PREPARE_PERSISTENT,
                                    &c->statements[text], NULL);
        if (rc != SQLITE_OK) return failed(c, rc, "ask", err);
    }
    *out = c->statements[text];
    return RF_OK;
}

/* Arguments are views that live until the statement is reset, so SQLite need not copy them. Their number and types are
 * those of the texts above: nothing but lack of memory fails here, and the step then says so. */
static void bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    (void)sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
}

static void bind_bytes(sqlite3_stmt *statement, int at, rf_str bytes)
{
    /* A NULL pointer would bind null instead of no bytes. */
    (void)sqlite3_bind_blob64(statement, at, bytes.len == 0 ? (const void *)"" : bytes.ptr,
                              bytes.len, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *statement, int at, int64_t number)
{
    (void)sqlite3_bind_int64(statement, at, number);
}

/* Runs a statement that gives no rows. */
static enum rf_kind run(struct sqlite_conn *c, sqlite3_stmt *statement, const char *verb,
                        struct rf_err *err)
{
    int rc = sqlite3_step(statement);
    enum rf_kind kind = rc == SQLITE_DONE ? RF_OK : failed(c, rc, verb, err);
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return kind;
}

static enum rf_kind run_text(struct sqlite_conn *c, enum text text, const char *verb,
                             struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(c, text, &statement, err));
    return run(c, statement, verb, err);
}

static enum rf_kind column_bytes(sqlite3_stmt *row, int at, struct rf_arena *arena, rf_str *out,
                                 struct rf_err *err)
{
    const void *bytes = sqlite3_column_blob(row, at);
    int len = sqlite3_column_bytes(row, at);
    if (!rf_arena_str(arena, rf_str_make(bytes, len > 0 && bytes != NULL ? (size_t)len : 0), out))
        return rf_fail_memory(err, arena);
    return RF_OK;
}

static enum rf_kind read_object(sqlite3_stmt *row, struct rf_arena *arena, struct state_object *out,
                                struct rf_err *err)
{
    struct state_object object = {.etag = (uint64_t)sqlite3_column_int64(row, 1),
                                  .created_usec = sqlite3_column_int64(row, 2),
                                  .changed_usec = sqlite3_column_int64(row, 3)};
    if (arena != NULL) {
        RF_TRY(column_bytes(row, 0, arena, &object.key, err));
        RF_TRY(column_bytes(row, 4, arena, &object.body, err));
    }
    *out = object;
    return RF_OK;
}

/* ---- opening --------------------------------------------------------------------------------------------------- */

static enum rf_kind exec(struct sqlite_conn *c, const char *sql, struct rf_err *err)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? RF_OK : failed(c, rc, "prepare", err);
}

/* The first column of the first row, or 0. */
static enum rf_kind ask_number(struct sqlite_conn *c, const char *sql, int64_t *out,
                               struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(c->db, sql, -1, &statement, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(statement);
    int64_t number = rc == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    enum rf_kind kind = rc == SQLITE_ROW || rc == SQLITE_DONE ? RF_OK : failed(c, rc, "read", err);
    (void)sqlite3_finalize(statement);
    if (kind == RF_OK) *out = number;
    return kind;
}

/* Gives the number of steps that were done; 0 for an empty file. */
static enum rf_kind check_file(struct sqlite_conn *c, uint32_t *version, struct rf_err *err)
{
    int64_t id, number, things;
    RF_TRY(ask_number(c, "PRAGMA application_id", &id, err));
    RF_TRY(ask_number(c, "PRAGMA user_version", &number, err));
    RF_TRY(ask_number(c, "SELECT count(*) FROM sqlite_schema", &things, err));
    bool empty = id == 0 && number == 0 && things == 0;
    if (!empty && id != APPLICATION_ID)
        return RF_FAIL(err, RF_CONFLICT, "StateForeign", "%s is a database of another program",
                       c->path);
    if (number > (int64_t)RF_COUNT(steps))
        return RF_FAIL(err, RF_CONFLICT, "StateVersion",
                       "%s has version %lld, and this program knows versions up to %zu: use a "
                       "newer ringfort",
                       c->path, (long long)number, RF_COUNT(steps));
    if (number < 0 || (number == 0 && !empty))
        return RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "%s has version %lld", c->path,
                       (long long)number);
    *version = (uint32_t)number;
    return RF_OK;
}

/* Does one step unless another process was faster. */
static enum rf_kind step_up(struct sqlite_conn *c, struct rf_err *err)
{
    uint32_t version;
    RF_TRY(check_file(c, &version, err));
    if (version == RF_COUNT(steps)) return RF_OK;
    RF_TRY(exec(c, steps[version], err));
    char stamp[120];
    (void)snprintf(stamp, sizeof stamp, "PRAGMA application_id = %d; PRAGMA user_version = %u",
                   APPLICATION_ID, version + 1);
    return exec(c, stamp, err);
}

static enum rf_kind bring_up(struct sqlite_conn *c, struct rf_err *err)
{
    uint32_t version;
    RF_TRY(check_file(c, &version, err));
    for (; version < RF_COUNT(steps); version++) {
        RF_TRY(exec(c, "BEGIN IMMEDIATE", err));
        enum rf_kind kind = step_up(c, err);
        if (kind == RF_OK) kind = exec(c, "COMMIT", err);
        if (kind != RF_OK) {
            (void)exec(c, "ROLLBACK", NULL);
            return kind;
        }
    }
    return RF_OK;
}

/* A file may hold whatever its last writer wanted: its schema gets no say. */
static void distrust(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

static enum rf_kind set_up(struct sqlite_conn *c, struct rf_err *err)
{
    (void)sqlite3_extended_result_codes(c->db, 1);
    (void)sqlite3_busy_timeout(c->db, BUSY_MS_MAX);
    distrust(c->db);
    char pragmas[300];
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0; PRAGMA temp_store = MEMORY;"
                   "PRAGMA secure_delete = ON; PRAGMA cache_size = -%d;",
                   c->writes ? WRITER_CACHE_KIB : READER_CACHE_KIB);
    RF_TRY(exec(c, pragmas, err));
    if (!c->writes) {
        uint32_t version;
        RF_TRY(check_file(c, &version, err));
        if (version == RF_COUNT(steps)) return RF_OK;
        return RF_FAIL(err, RF_CONFLICT, "StateVersion",
                       "%s is of an older version: open it once for writing", c->path);
    }
    /* Before the journal's mode, which would be written into another program's file. */
    uint32_t version;
    RF_TRY(check_file(c, &version, err));
    (void)snprintf(pragmas, sizeof pragmas,
                   "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s;"
                   "PRAGMA wal_autocheckpoint = %d; PRAGMA journal_size_limit = %d;",
                   c->fleeting ? "OFF" : "FULL", CHECKPOINT_PAGES, JOURNAL_BYTES_MAX);
    RF_TRY(exec(c, pragmas, err));
    return bring_up(c, err);
}

/* SQLite gives its journals the mode of the file, so the file is made with the right one. One that is there is not
 * opened here: closing it would drop the locks that this process has on it. */
static enum rf_kind create_file(struct sqlite_conn *c, struct rf_err *err)
{
    int fd = open(c->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) return RF_OK;
    if (fd < 0) return RF_FAIL_ERRNO(err, "StateFailed", "cannot open %s", c->path);
    (void)close(fd);
    return RF_OK;
}

static void sqlite_disconnect(struct state_conn *conn)
{
    struct sqlite_conn *c = of(conn);
    if (c == NULL) return;
    for (size_t i = 0; i < TEXT_COUNT; i++) (void)sqlite3_finalize(c->statements[i]);
    int rc = sqlite3_close(c->db);
    RF_ASSERT(rc == SQLITE_OK); /* nothing of it is in use */
    free(c);
}

static enum rf_kind open_file(struct sqlite_conn *c, struct rf_err *err)
{
    if (c->writes) RF_TRY(create_file(c, err));
    /* No mutex of SQLite's: a connection belongs to one thread at a time. */
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE |
                (c->writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int rc = sqlite3_open_v2(c->path, &c->db, flags, NULL);
    if (rc != SQLITE_OK) return failed(c, rc, "open", err);
    return set_up(c, err);
}

static enum rf_kind sqlite_connect(const struct state_options *options, bool writes,
                                   struct state_conn **out, struct rf_err *err)
{
    size_t path_bytes = strlen(options->path) + 1;
    struct sqlite_conn *c = calloc(1, sizeof *c + path_bytes);
    if (c == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a connection");
    memcpy(c->path, options->path, path_bytes);
    c->writes = writes;
    c->fleeting = options->fleeting;
    enum rf_kind kind = open_file(c, err);
    if (kind != RF_OK) {
        sqlite_disconnect(&c->base);
        return kind;
    }
    c->base.broken = false;
    *out = &c->base;
    return RF_OK;
}

/* ---- transactions ----------------------------------------------------------------------------------------------- */

static enum rf_kind sqlite_read_etag(struct state_conn *conn, uint64_t *etag, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(c, TEXT_READ_ETAG, &statement, err));
    int rc = sqlite3_step(statement);
    enum rf_kind kind = RF_OK;
    if (rc == SQLITE_ROW) {
        *etag = (uint64_t)sqlite3_column_int64(statement, 0);
    } else if (rc == SQLITE_DONE) {
        kind = RF_FAIL(err, RF_CORRUPT, "StateCorrupt", "%s: the counter of etags is missing",
                       c->path);
    } else {
        kind = failed(c, rc, "read", err);
    }
    (void)sqlite3_reset(statement);
    return kind;
}

static void sqlite_rollback(struct state_conn *conn)
{
    /* SQLite may have undone it by itself when it failed. */
    struct sqlite_conn *c = of(conn);
    if (sqlite3_get_autocommit(c->db) == 0) (void)run_text(c, TEXT_ROLLBACK, "undo in", NULL);
}

static enum rf_kind sqlite_begin(struct state_conn *conn, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    c->base.broken = false;
    if (c->writes) return run_text(c, TEXT_BEGIN_WRITE, "write to", err);
    RF_TRY(run_text(c, TEXT_BEGIN_READ, "read", err));
    /* The view is taken at the first read. */
    uint64_t etag;
    enum rf_kind kind = sqlite_read_etag(conn, &etag, err);
    if (kind != RF_OK) sqlite_rollback(conn);
    return kind;
}

static enum rf_kind sqlite_commit(struct state_conn *conn, struct rf_err *err)
{
    return run_text(of(conn), TEXT_COMMIT, "write to", err);
}

static enum rf_kind sqlite_write_etag(struct state_conn *conn, uint64_t etag, struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(of(conn), TEXT_WRITE_ETAG, &statement, err));
    bind_number(statement, 1, (int64_t)etag);
    return run(of(conn), statement, "write to", err);
}

/* ---- objects ----------------------------------------------------------------------------------------------------- */

static enum rf_kind sqlite_find(struct state_conn *conn, const char *space, rf_str key,
                                struct rf_arena *arena, struct state_object *out, bool *found,
                                struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(c, TEXT_FIND, &statement, err));
    bind_text(statement, 1, space);
    bind_bytes(statement, 2, key);
    int rc = sqlite3_step(statement);
    enum rf_kind kind = RF_OK;
    if (rc == SQLITE_ROW)
        kind = read_object(statement, arena, out, err);
    else if (rc != SQLITE_DONE)
        kind = failed(c, rc, "read", err);
    *found = rc == SQLITE_ROW;
    (void)sqlite3_reset(statement);
    (void)sqlite3_clear_bindings(statement);
    return kind;
}

static enum rf_kind sqlite_store(struct state_conn *conn, const char *space,
                                 const struct state_object *object, struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(of(conn), TEXT_STORE, &statement, err));
    bind_text(statement, 1, space);
    bind_bytes(statement, 2, object->key);
    bind_number(statement, 3, (int64_t)object->etag);
    bind_number(statement, 4, object->created_usec);
    bind_number(statement, 5, object->changed_usec);
    bind_bytes(statement, 6, object->body);
    return run(of(conn), statement, "write to", err);
}

static enum rf_kind sqlite_index(struct state_conn *conn, const char *space, rf_str key,
                                 const struct state_index *entry, struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(of(conn), TEXT_INDEX, &statement, err));
    bind_text(statement, 1, space);
    bind_text(statement, 2, entry->name);
    bind_bytes(statement, 3, entry->value);
    bind_bytes(statement, 4, key);
    return run(of(conn), statement, "write to", err);
}

static enum rf_kind sqlite_unindex(struct state_conn *conn, const char *space, rf_str key,
                                   struct rf_err *err)
{
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(of(conn), TEXT_UNINDEX, &statement, err));
    bind_text(statement, 1, space);
    bind_bytes(statement, 2, key);
    return run(of(conn), statement, "write to", err);
}

static void bind_range(sqlite3_stmt *statement, const struct state_range *range)
{
    bind_text(statement, 1, range->space);
    bind_bytes(statement, 2, range->low);
    bind_bytes(statement, 3, range->high);
}

static enum rf_kind sqlite_remove(struct state_conn *conn, const struct state_range *range,
                                  uint64_t *count, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    sqlite3_stmt *objects = NULL, *entries = NULL;
    RF_TRY(prepare(c, TEXT_REMOVE, &objects, err));
    RF_TRY(prepare(c, TEXT_REMOVE_INDEX, &entries, err));
    bind_range(objects, range);
    RF_TRY(run(c, objects, "write to", err));
    *count = (uint64_t)sqlite3_changes64(c->db);
    if (*count == 0) return RF_OK;
    bind_range(entries, range);
    return run(c, entries, "write to", err);
}

static enum rf_kind sqlite_list_begin(struct state_conn *conn, const struct state_range *range,
                                      struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    RF_ASSERT(c->listing == NULL);
    sqlite3_stmt *statement = NULL;
    RF_TRY(prepare(c, range->index == NULL ? TEXT_LIST : TEXT_LIST_INDEX, &statement, err));
    bind_range(statement, range);
    bind_number(statement, 4, range->limit == 0 ? -1 : (int64_t)range->limit);
    if (range->index != NULL) {
        bind_text(statement, 5, range->index);
        bind_bytes(statement, 6, range->value);
    }
    c->listing = statement;
    return RF_OK;
}

static enum rf_kind sqlite_list_next(struct state_conn *conn, struct rf_arena *arena,
                                     struct state_object *out, bool *found, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    int rc = sqlite3_step(c->listing);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return failed(c, rc, "read", err);
    *found = rc == SQLITE_ROW;
    return *found ? read_object(c->listing, arena, out, err) : RF_OK;
}

static void sqlite_list_end(struct state_conn *conn)
{
    struct sqlite_conn *c = of(conn);
    (void)sqlite3_reset(c->listing);
    (void)sqlite3_clear_bindings(c->listing);
    c->listing = NULL;
}

static enum rf_kind add_space(sqlite3_stmt *row, struct rf_arena *arena, rf_str **names,
                              uint32_t *count, struct rf_err *err)
{
    if ((*count & (*count - 1)) == 0) { /* full at powers of two */
        rf_str *more = rf_arena_new(arena, rf_str, RF_MAX(*count * 2, 16u));
        if (more == NULL) return rf_fail_memory(err, arena);
        if (*count > 0) memcpy(more, *names, *count * sizeof *more);
        *names = more;
    }
    return column_bytes(row, 0, arena, &(*names)[(*count)++], err);
}

static enum rf_kind sqlite_spaces(struct state_conn *conn, struct rf_arena *arena, rf_str **names,
                                  uint32_t *count, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    sqlite3_stmt *statement = NULL;
    *names = NULL;
    *count = 0;
    RF_TRY(prepare(c, TEXT_SPACES, &statement, err));
    enum rf_kind kind = RF_OK;
    int rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW && kind == RF_OK)
        kind = add_space(statement, arena, names, count, err);
    if (kind == RF_OK && rc != SQLITE_DONE) kind = failed(c, rc, "read", err);
    (void)sqlite3_reset(statement);
    return kind;
}

/* The journal is folded in before and after: it holds pages as they were. VACUUM attaches a database of its own. */
static enum rf_kind sqlite_scrub(struct state_conn *conn, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    (void)sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 1);
    enum rf_kind kind =
        exec(c, "PRAGMA wal_checkpoint(TRUNCATE); VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", err);
    (void)sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
    return kind;
}

/* ---- backup ------------------------------------------------------------------------------------------------------ */

static enum rf_kind sqlite_backup(struct state_conn *conn, const char *path, struct rf_err *err)
{
    struct sqlite_conn *c = of(conn);
    sqlite3 *copy = NULL;
    int rc = sqlite3_open_v2(path, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_exec(copy, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    sqlite3_backup *backup =
        rc == SQLITE_OK ? sqlite3_backup_init(copy, "main", c->db, "main") : NULL;
    if (backup != NULL) {
        /* In one go: it reads in the transaction of the connection, which no writer disturbs. */
        (void)sqlite3_backup_step(backup, -1);
        rc = sqlite3_backup_finish(backup);
    } else if (rc == SQLITE_OK) {
        rc = sqlite3_errcode(copy);
    }
    enum rf_kind kind = RF_OK;
    if (rc != SQLITE_OK) {
        bool full = (rc & 0xff) == SQLITE_FULL || sqlite3_system_errno(copy) == ENOSPC;
        kind = rf_fail(err, full ? RF_LIMIT : RF_IO, full ? "DiskFull" : "StateFailed",
                       "cannot copy %s to %s: %s", c->path, path, sqlite3_errstr(rc));
    }
    (void)sqlite3_close(copy);
    return kind;
}

const struct state_engine state_sqlite = {
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .read_etag = sqlite_read_etag,
    .write_etag = sqlite_write_etag,
    .find = sqlite_find,
    .store = sqlite_store,
    .index = sqlite_index,
    .unindex = sqlite_unindex,
    .remove = sqlite_remove,
    .list_begin = sqlite_list_begin,
    .list_next = sqlite_list_next,
    .list_end = sqlite_list_end,
    .spaces = sqlite_spaces,
    .scrub = sqlite_scrub,
    .backup = sqlite_backup,
};
