/* state_int.h - what stands between the rules of state.h (state.c) and the database below it (state_sqlite.c): one table
 * of operations on one connection. An engine knows the schema and the statements and nothing of conditions, pools,
 * counters or caches, so that another database is one file more.
 *
 * A connection is used by one thread at a time. Keys, values and bodies are bytes that compare as memcmp does. */
#ifndef RF_STATE_INT_H
#define RF_STATE_INT_H

#include "state/state.h"

enum { STATE_WAIT_SECONDS = 30 };

/* First member of every engine's connection. */
struct state_conn {
    bool
        broken; /* the database failed: the transaction may be undone already, so nothing more is done in it */
};

/* Key range low <= key < high of a space, or of one value of an index. */
struct state_range {
    const char *space, *index; /* index NULL: all objects */
    rf_str value;
    rf_str low, high;
    uint32_t limit; /* 0: none */
};

struct state_engine {
    /* A connection of its own; the first that writes brings the schema up. Errors as of state_open. */
    enum rf_kind (*connect)(const struct state_options *options, bool writes,
                            struct state_conn **out, struct rf_err *err);
    void (*disconnect)(struct state_conn *conn); /* NULL is fine */

    /* A reader sees from here on what is committed now; a writer waits for writers of other processes. */
    enum rf_kind (*begin)(struct state_conn *conn, struct rf_err *err);
    enum rf_kind (*commit)(struct state_conn *conn, struct rf_err *err);
    void (*rollback)(struct state_conn *conn);

    /* The last etag that was given out. */
    enum rf_kind (*read_etag)(struct state_conn *conn, uint64_t *etag, struct rf_err *err);
    enum rf_kind (*write_etag)(struct state_conn *conn, uint64_t etag, struct rf_err *err);

    /* Fills *out; with arena NULL its texts stay empty. */
    enum rf_kind (*find)(struct state_conn *conn, const char *space, rf_str key,
                         struct rf_arena *arena, struct state_object *out, bool *found,
                         struct rf_err *err);
    /* Writes the object whether it is there or not, its index entries not included. */
    enum rf_kind (*store)(struct state_conn *conn, const char *space,
                          const struct state_object *object, struct rf_err *err);
    enum rf_kind (*index)(struct state_conn *conn, const char *space, rf_str key,
                          const struct state_index *entry, struct rf_err *err);
    enum rf_kind (*unindex)(struct state_conn *conn, const char *space, rf_str key,
                            struct rf_err *err);
    /* Index entries go with the objects. */
    enum rf_kind (*remove)(struct state_conn *conn, const struct state_range *range,
                           uint64_t *count, struct rf_err *err);
    /* Hands out object after object in the order of keys until there are no more: *found false. Texts are copied into
     * the arena. list_end is due whenever list_begin was successful. */
    enum rf_kind (*list_begin)(struct state_conn *conn, const struct state_range *range,
                               struct rf_err *err);
    enum rf_kind (*list_next)(struct state_conn *conn, struct rf_arena *arena,
                              struct state_object *out, bool *found, struct rf_err *err);
    void (*list_end)(struct state_conn *conn);

    /* The names of all spaces, in `arena`. */
    enum rf_kind (*spaces)(struct state_conn *conn, struct rf_arena *arena, rf_str **names,
                           uint32_t *count, struct rf_err *err);
    /* Leaves nothing on the disk of what was replaced or removed; between transactions of the writer. NULL: that is for others to do. */
    enum rf_kind (*scrub)(struct state_conn *conn, struct rf_err *err);

    /* Copies what the transaction sees into a file that is there and empty. */
    enum rf_kind (*backup)(struct state_conn *conn, const char *path, struct rf_err *err);
};

/* state_peek.c: objects that were read alone. NULL for lack of memory, which is fine. */
struct state_peeks;
struct state_peeks *state_peeks_new(void);
void state_peeks_free(struct state_peeks *peeks); /* NULL is fine */
/* NULL: nothing may be kept, as other processes write. */
struct state_peeks *state_peeks_of(struct state *state);

extern const struct state_engine state_sqlite;
extern const struct state_engine *const state_postgres; /* NULL: built without */

#endif
