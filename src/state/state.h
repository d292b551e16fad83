/* state.h - small objects with transactions: resources, principals, rules, positions.
 *
 * An object is a text (JSON mostly) under a space and a key, with an etag that changes at each write. Index entries name
 * it by further words: (space, index, value) -> keys. On SQLite (WAL, full sync: what state_commit returned RF_OK for
 * survives a power cut), one file of mode 0600; one writer at a time, readers see the state as of their begin and never wait.
 * Safe from any thread: a transaction belongs to the thread that began it. Spaces and their keys are documented by the
 * modules that own them.
 *
 *   RF_CLEANUP(state_end_cleanup) struct state_txn *txn = NULL;
 *   RF_TRY(state_begin_write(state, &txn, err));
 *   RF_TRY(state_put(txn, &(struct state_put){.space = "rule", .key = id, .body = json}, NULL, NULL, err));
 *   return state_finish(&txn, err);
 *
 * Every call that takes a transaction may also fail as the disk and SQLite do: RF_IO StateFailed (with what SQLite said),
 * RF_CORRUPT StateCorrupt, RF_LIMIT DiskFull or MemoryBudgetExceeded. A write transaction in which that happened commits
 * nothing any more. Failed conditions (EtagMismatch, ObjectExists, ObjectNotFound) change nothing and leave it usable.
 *
 * Keep transactions short: a write transaction stops every other writer, and a read transaction keeps the journal from
 * being cut. Never hold one while waiting for the network. */
#ifndef RF_STATE_H
#define RF_STATE_H

#include "base/clock.h"

/* Above them: RF_LIMIT ObjectTooLarge. */
enum { STATE_KEY_BYTES_MAX = 4096, STATE_BODY_BYTES_MAX = 64 << 20, STATE_KEY_BYTES = 32 };

struct state;
struct state_options {
    /* Of the SQLite file; created when missing, its folder is not. Or postgresql://..., when that was built in: the state is
     * then in the schema ringfort of that database, several processes may write, and state_backup is pg_dump's matter. */
    const char *path;
    bool read_only;
    struct rf_clock *clock; /* of created_usec and changed_usec; NULL: the system's */
    /* STATE_KEY_BYTES, copied; bodies are encrypted under it (state_seal.h), those that a program without one stored are so from the
     * first opening for writing on. NULL: in clear, and what is encrypted cannot be read (RF_DENIED StateSealed). */
    const uint8_t *key;
    bool fleeting; /* nothing is synced: a state that nobody opens again. SQLite only */
};
/* Errors: RF_IO StateFailed (says what SQLite said), RF_CORRUPT StateCorrupt, RF_CONFLICT StateVersion: written by a newer
 * program, RF_CONFLICT StateForeign: a database of something else, RF_INVALID StateUnsupported: PostgreSQL is not built in. Older versions of the schema are brought up in one
 * transaction each. */
RF_MUST_USE enum rf_kind state_open(const struct state_options *options, struct state **out,
                                    struct rf_err *err);
/* Every transaction must have ended. NULL is fine. */
void state_close(struct state *state);

struct state_txn;
RF_MUST_USE enum rf_kind state_begin_read(struct state *state, struct state_txn **out,
                                          struct rf_err *err);
/* Waits for the writer before, at most 30 s: RF_AGAIN StateBusy. A thread that holds a write transaction and begins another
 * is a bug (asserted). RF_DENIED StateReadOnly when it was opened so. */
RF_MUST_USE enum rf_kind state_begin_write(struct state *state, struct state_txn **out,
                                           struct rf_err *err);
/* Ends the transaction in either case. After an error nothing of it is there. */
RF_MUST_USE enum rf_kind state_commit(struct state_txn *txn, struct rf_err *err);
/* Undoes what was written; NULL is fine. Also for reads. */
void state_end(struct state_txn *txn);
/* Commits and leaves *txn NULL, so that a cleanup that is due finds nothing to end. */
RF_MUST_USE static inline enum rf_kind state_finish(struct state_txn **txn, struct rf_err *err)
{
    struct state_txn *mine = *txn;
    *txn = NULL;
    return state_commit(mine, err);
}
static inline void state_end_cleanup(struct state_txn **txn) { state_end(*txn); }

struct state_object {
    rf_str key, body;
    uint64_t etag; /* never repeats within a database; grows with each write; never 0 */
    int64_t created_usec, changed_usec; /* UTC */
};
/* RF_NOT_FOUND ObjectNotFound. Texts are copied into `arena`. */
RF_MUST_USE enum rf_kind state_get(struct state_txn *txn, const char *space, rf_str key,
                                   struct rf_arena *arena, struct state_object *out,
                                   struct rf_err *err);

/* The same for one object as it is now, without a transaction, and without the database while nothing was written to its space: for what is read
 * at each request. Two calls may see different states. */
RF_MUST_USE enum rf_kind state_peek(struct state *state, const char *space, rf_str key,
                                    struct rf_arena *arena, struct state_object *out,
                                    struct rf_err *err);

enum state_if { STATE_ANY, STATE_ABSENT, STATE_PRESENT, STATE_ETAG };
/* A value of an index under which the object is found; several of one name may be given, a pair twice counts once. */
struct state_index {
    const char *name;
    rf_str value; /* at most STATE_KEY_BYTES_MAX */
};
struct state_put {
    const char *space;
    rf_str key, body;
    const struct state_index *indexes; /* replace those of the object before */
    uint32_t index_count;
    enum state_if condition;
    uint64_t etag; /* STATE_ETAG: that the object must have now */
};
/* RF_CONFLICT ObjectExists (STATE_ABSENT), EtagMismatch; RF_NOT_FOUND ObjectNotFound (STATE_PRESENT, STATE_ETAG). *etag (may
 * be NULL): the new one; *created (may be NULL): it was not there. */
RF_MUST_USE enum rf_kind state_put(struct state_txn *txn, const struct state_put *put,
                                   uint64_t *etag, bool *created, struct rf_err *err);
/* RF_NOT_FOUND ObjectNotFound. */
RF_MUST_USE enum rf_kind state_delete(struct state_txn *txn, const char *space, rf_str key,
                                      struct rf_err *err);
/* Deletes every object whose key begins with `prefix`; *count may be NULL. */
RF_MUST_USE enum rf_kind state_delete_prefix(struct state_txn *txn, const char *space,
                                             rf_str prefix, uint64_t *count, struct rf_err *err);

struct state_scan {
    const char *space;
    rf_str prefix;     /* of the keys; empty: all */
    const char *index; /* NULL: by key; else the objects with this value of this index */
    rf_str value;
    rf_str after;   /* keys behind this one only; empty: from the start */
    uint32_t limit; /* 0: no limit */
};
struct state_list {
    struct state_object *items; /* in the byte order of their keys */
    uint32_t count;
    bool more; /* the limit cut it off */
};
/* Texts are copied into `arena`. */
RF_MUST_USE enum rf_kind state_list(struct state_txn *txn, const struct state_scan *scan,
                                    struct rf_arena *arena, struct state_list *out,
                                    struct rf_err *err);

/* The number of the last write that this process committed to `space`: grows with each. For caches: unchanged means that
 * nothing changed; look at it before the read that fills the cache. Cheap, any thread. */
uint64_t state_version(struct state *state, const char *space);

/* Whoever must know at once: committed() is called behind each commit of this process that wrote to one of the spaces, on the
 * thread that committed, once the next writer may begin; several commits may be told by one call. It must not block, use the
 * state, or come back here. The caller keeps the struct until state_unwatch, behind which nothing is called any more. */
struct state_watch {
    const char *const *spaces;
    uint32_t space_count;
    void (*committed)(void *ctx);
    void *ctx;
    struct state_watch *next; /* the state's own, like what follows */
    bool is_due;
};
void state_watch(struct state *state, struct state_watch *watch);
void state_unwatch(struct state *state,
                   struct state_watch *watch); /* one that is not there: nothing */

/* A consistent copy into a new file (mode 0600) while others read and write; RF_CONFLICT FileExists. After an error no file
 * is left. */
RF_MUST_USE enum rf_kind state_backup(struct state *state, const char *path, struct rf_err *err);

#endif
