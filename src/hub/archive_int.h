/* archive_int.h - what the files of archive share: settings, windows, and the threads that fill them. */
#ifndef RF_HUB_ARCHIVE_INT_H
#define RF_HUB_ARCHIVE_INT_H

#include <pthread.h>

#include "hub/archive.h"
#include "hub/avro.h"
#include "hub/hub_int.h"

/* ---- archive_type.c: what a hub's document says --------------------------------------------------------------------------- */

enum archive_encoding { ARCHIVE_AVRO, ARCHIVE_AVRO_DEFLATE, ARCHIVE_JSON_LINES };
struct archive_settings {
    bool enabled, skip_empty;
    enum archive_encoding encoding;
    rf_usec interval;
    uint64_t bytes_max;
    rf_str account;           /* the whole id of the storage account */
    rf_str container, format; /* format without the ending */
};
/* Of a hub's `properties`; views of them. RF_INVALID BadRequest. */
RF_MUST_USE enum rf_kind archive_settings_read(const struct json_node *properties,
                                               struct archive_settings *out, struct rf_err *err);
bool archive_settings_equal(const struct archive_settings *a, const struct archive_settings *b);

enum { ARCHIVE_PATH_BYTES_MAX = 2048 };
/* The path of a file whose window began at `start`, below the storage account's folder. In `arena`, ptr NULL: no memory. */
rf_str archive_path(const struct archive_settings *settings, rf_str space, rf_str hub,
                    uint32_t partition, rf_usec start, struct rf_arena *arena);
/* The name beside it that it has until it is whole. */
rf_str archive_temp(rf_str path, struct rf_arena *arena);

/* ---- archive_event.c: events as they stand in files ----------------------------------------------------------------------- */

extern const rf_str archive_schema; /* of Avro */
/* Appends one record or line; `scratch` may be reset afterwards. What is stored of an event that is no AMQP message is its body. Lack of
 * memory shows in buf->failed. */
void archive_put_event(struct rf_buf *buf, const struct event_out *event,
                       enum archive_encoding encoding, struct rf_arena *scratch);

/* ---- archive_position.c: how far a partition has come, in state ------------------------------------------------------------ */

/* Space "hub.archive", key "{hub id}/{partition}". */
struct archive_position {
    int64_t next;   /* all before it is in files */
    rf_usec window; /* when the window under way began */
    rf_str account; /* where the paths are */
    rf_str temp;    /* of the window under way; empty: none was made */
    rf_str whole,
        to; /* a file that is whole under its temporary name, and the name that it gets; empty: none */
};
/* *found false: there is none. RF_CORRUPT PositionDamaged. */
RF_MUST_USE enum rf_kind archive_position_read(struct state_txn *txn, rf_str hub_id,
                                               uint32_t partition, struct rf_arena *arena,
                                               struct archive_position *out, bool *found,
                                               struct rf_err *err);
RF_MUST_USE enum rf_kind archive_position_parse(rf_str body, struct rf_arena *arena,
                                                struct archive_position *out, struct rf_err *err);
RF_MUST_USE enum rf_kind archive_position_write(struct state_txn *txn, rf_str hub_id,
                                                uint32_t partition,
                                                const struct archive_position *position,
                                                struct rf_arena *arena, struct rf_err *err);
RF_MUST_USE enum rf_kind archive_positions_forget(struct state_txn *txn, rf_str hub_id,
                                                  struct rf_arena *arena, struct rf_err *err);

/* ---- archive_window.c: one file of one partition ---------------------------------------------------------------------------- */

enum { ARCHIVE_THREADS = 2 };

struct archive_source;
struct archive_part {
    struct archive_source *source;
    uint32_t partition;
    /* archives->lock */
    bool ready, busy, waiting, drained;
    uint64_t turn;
    rf_usec not_before, deadline; /* elapsed */
    struct hub_waiter waiter;
    /* Of who has it busy. */
    bool loaded;
    int64_t next;      /* the first number of the window; durable */
    rf_usec start;     /* of the window, in whole seconds */
    int64_t read;      /* the number that comes into it next */
    uint64_t events;   /* in it */
    uint64_t bytes;    /* of its file; what lies behind them is of a write that failed */
    char *path, *temp; /* of its file; NULL: not made yet */
    char *known_temp;  /* that the stored position says; NULL: none */
    char *whole, *to;  /* to be renamed; NULL: nothing */
    uint8_t marker[AVRO_MARKER_BYTES];
    rf_usec told; /* elapsed: when a failure was told last; 0: it works */
};
struct archive_source {
    struct archive_source *next;
    struct archives *archives;
    struct rf_arena arena; /* of the texts */
    struct hub *hub;
    rf_str resource, space; /* id of the hub's resource; name of its namespace */
    rf_str name, id;
    struct archive_settings settings;
    struct archive_part **parts;
    uint32_t part_count;
    bool gone;    /* nobody begins a turn */
    bool closing; /* the windows under way are the last ones */
};
struct archives {
    struct archives_options options;
    struct hubs *hubs;
    struct state *state;
    struct rf_clock *clock;
    struct rf_fs **disks; /* of options.folders, and options.folder's behind them */
    pthread_mutex_t lock, publishing;
    pthread_cond_t changes;
    struct archive_source *sources;
    uint64_t turns;
    bool due, refreshing, swept;
    atomic_bool stopping;
    pthread_t threads[ARCHIVE_THREADS];
    uint32_t thread_count;
};

/* What a turn takes with it. */
struct archive_run {
    struct archive_part *part;
    struct archives *archives;
    struct rf_arena arena;
    struct rf_file *file; /* of the window; NULL: not open */
};

/* Where the files of an account lie; `path` is one of archive_path. *out in `arena`. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind archive_place(struct archives *archives, rf_str account, rf_str path,
                                       struct rf_arena *arena, struct rf_fs **fs, const char **out,
                                       struct rf_err *err);
/* Gives a whole file its name when it has it not yet. */
RF_MUST_USE enum rf_kind archive_publish(struct archives *archives, rf_str account, rf_str whole,
                                         rf_str to, struct rf_arena *arena, struct rf_err *err);
/* Takes up what is stored; finishes what a crash left. */
RF_MUST_USE enum rf_kind archive_window_load(struct archive_run *run, struct rf_err *err);
/* The name of a file is durable before the file is made. */
RF_MUST_USE enum rf_kind archive_window_write(struct archive_run *run, uint64_t events,
                                              rf_str bytes, int64_t next, struct rf_err *err);
/* The file gets its name, or when there is none and none is wanted the window moves on. Then the next one has begun. `full`: it ended by its
 * size. */
RF_MUST_USE enum rf_kind archive_window_end(struct archive_run *run, bool full, struct rf_err *err);
/* Begins it anew, with what has been read forgotten. */
void archive_window_restart(struct archive_part *part);
void archive_window_free(struct archive_part *part);
size_t archive_head_bytes(enum archive_encoding encoding);

/* ---- archive_turn.c ----------------------------------------------------------------------------------------------------------- */

/* Takes what there is into the window, and ends it when it is due. True: there is more to do at once. */
bool archive_turn(struct archive_part *part);

#endif
