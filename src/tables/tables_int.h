/* tables_int.h - what the files of tables share: workspaces, their tables, the writer's turn, views.
 *
 * Locks, taken in this order and held for moments only: tables.lock, workspace_tables.lock, table_entry.lock. Who has a table's
 * turn (`busy`) alone may use its writer and change its definition, and holds no lock meanwhile. */
#ifndef RF_TABLES_TABLES_INT_H
#define RF_TABLES_TABLES_INT_H

#include <pthread.h>

#include "tables/content.h"
#include "tables/feed.h"
#include "tables/kept_rows.h"
#include "tables/marks_int.h"
#include "tables/tables.h"

enum {
    TABLES_WRITERS_MAX = 64, /* open at once, when those idle can be closed */
    TABLES_GROUP_ROWS_MAX = 1 << 17,
    TABLES_BULK_ROWS =
        1 << 16, /* a group of that many goes to an extent at once, not to the journal first */
    TABLES_MERGE_ROWS = 1 << 17, /* since the last merge: worth another one */
    TABLES_BUCKETS = 512,
    TABLES_FUNCTIONS_MAX = 8, /* who gives functions to queries */
    TABLES_GUID_BYTES = 36,
};
#define TABLES_TICK_USEC (5 * RF_USEC_PER_SECOND)
#define TABLES_MERGE_USEC (60 * RF_USEC_PER_SECOND) /* between merges of a table */
#define TABLES_RETENTION_USEC (3600 * RF_USEC_PER_SECOND)

/* A table's rows as a query sees them, shared by many. */
struct table_view {
    struct table *table; /* NULL: it has no files */
    uint64_t version;
    rf_usec used; /* under the entry's lock */
    atomic_uint refs;
};

/* Rows that wait for their commit; on the stack of who waits. */
struct append_request {
    struct append_request *next;
    struct batch *batches; /* columns as those of writer_column */
    uint32_t batch_count;
    uint64_t row_count;
    const struct table_mark *marks; /* stored with the rows */
    uint32_t mark_count;
    bool done;
    enum rf_kind kind;
    struct rf_err err;
};

struct table_seen { /* activity.h */
    uint64_t commits;
    rf_usec last;
    int64_t pause_usec;
};

struct table_entry {
    struct table_entry *next; /* in its bucket */
    struct workspace_tables *home;
    atomic_uint refs;
    rf_str name; /* malloced */
    pthread_mutex_t lock;
    pthread_cond_t turn; /* `busy` or a request's `done` has changed */
    bool busy, dropped;
    bool live;                  /* its writer may be open */
    struct table_def def;       /* changed by who has the turn, under the lock */
    struct rf_arena *def_arena; /* of `def`; NULL: it is content's */
    struct append_request *first, *last;
    struct table_writer *writer; /* NULL: closed */
    uint64_t writers_closed;
    /* Being worked on, without the turn; set by the thread that keeps house, under the lock. The writer is not closed before. */
    struct table_merge *merge;
    uint32_t writer_columns;
    struct mark_list
        marks; /* of the last commit; of who has the turn, and read when the writer is opened */
    int64_t arrival; /* of the last commit; changed by who has the turn */
    int64_t
        arriving; /* under the lock: commits with arrivals from this on are under way; 0: none */
    uint64_t version;          /* of what a view shows; grows */
    struct table_view *view;   /* NULL, or of some version */
    pthread_mutex_t view_lock; /* held while a view is opened */
    rf_usec used, merged;      /* elapsed time of the last append and merge */
    uint64_t rows_unmerged;
    struct table_seen seen; /* under the lock */
};

struct workspace_tables {
    struct workspace_tables *next;
    struct tables *tables;
    char guid[TABLES_GUID_BYTES + 1];
    rf_str guid_text;
    char *folder;
    pthread_mutex_t lock;     /* of buckets */
    pthread_mutex_t defining; /* one definition or drop at a time */
    struct table_entry *buckets[TABLES_BUCKETS];
    uint32_t count;
    _Atomic int64_t retention_ticks; /* of tables that do not say */
    _Atomic uint64_t rows_committed; /* since the program started */
    struct store *reading, *writing; /* NULL until there is a folder; set once, under `lock` */
};

struct tables {
    struct tables_options options;
    struct extent_key key; /* a copy */
    char *folder;
    struct content *content;
    struct rf_budget writing, reading;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct workspace_tables *workspaces;
    atomic_uint writer_count;
    rf_usec retention_checked;
    bool stopping, has_thread;
    pthread_t thread;
    _Atomic int64_t now_ticks; /* the latest time that was told */
    pthread_rwlock_t feeds_lock;
    struct tables_feed *feeds;
    struct table_functions functions[TABLES_FUNCTIONS_MAX];
    uint32_t function_count;
    const struct external *external;
};

/* ---- tables.c ---------------------------------------------------------------------------------------------------- */

/* RF_NOT_FOUND WorkspaceNotFound when `workspace_id` is no GUID; else made on first use. */
RF_MUST_USE enum rf_kind tables_workspace(struct tables *tables, rf_str workspace_id,
                                          struct workspace_tables **out, struct rf_err *err);
/* RF_NOT_FOUND TableNotFound. The caller gives it back with entry_unref. */
RF_MUST_USE enum rf_kind entry_find(struct tables *tables, rf_str workspace_id, rf_str name,
                                    struct table_entry **out, struct rf_err *err);
void entry_unref(struct table_entry *e);
static inline void entry_cleanup(struct table_entry **e)
{
    if (*e != NULL) entry_unref(*e);
}
/* References to all tables of a workspace; in `arena`. NULL: no memory. */
struct table_entry **entries_of(struct workspace_tables *w, struct rf_arena *arena,
                                uint32_t *count);
/* Waits for the table's turn and takes it; RF_NOT_FOUND when it was dropped. */
RF_MUST_USE enum rf_kind entry_take_turn(struct table_entry *e, struct rf_err *err);
void entry_give_turn(struct table_entry *e);
static inline int64_t entry_retention(const struct table_entry *e)
{
    return e->def.retention_ticks == TABLE_RETENTION_DEFAULT ? e->home->retention_ticks
                                                             : e->def.retention_ticks;
}
/* A copy of the definition in `arena`, names included. */
RF_MUST_USE enum rf_kind entry_def(struct table_entry *e, struct rf_arena *arena,
                                   struct table_def *out, struct rf_err *err);
/* The folder of a workspace as a store; made when `create`. *out NULL: there is none. */
RF_MUST_USE enum rf_kind workspace_store(struct workspace_tables *w, bool writing,
                                         struct store **out, struct rf_err *err);
/* Column `at` of the writer: when rows arrived, TenantId and Type come first, so that a table which gains columns gains them at
 * the end. */
static inline struct table_column writer_column(const struct table_def *def, uint32_t at)
{
    if (at == 0) return (struct table_column){RF_S(ARRIVAL_COLUMN), TYPE_DATETIME, true};
    return def->columns[at < 3 ? def->column_count - 3 + at : at - 3];
}
static inline uint32_t writer_width(const struct table_def *def) { return def->column_count + 1; }

/* ---- feed.c ------------------------------------------------------------------------------------------------------- */

/* The requests from `first` up to `end` were committed with this arrival; the commit before had `after`. The caller has the
 * turn. */
void feeds_note(struct table_entry *e, const struct append_request *first,
                const struct append_request *end, int64_t after, int64_t until);

/* ---- activity.c ---------------------------------------------------------------------------------------------------- */

/* So many rows were committed. */
void activity_note(struct table_entry *e, uint64_t rows);

/* ---- tables_append.c ------------------------------------------------------------------------------------------- */

/* Opens the writer, or opens it again when the definition has grown. The caller has the turn. */
RF_MUST_USE enum rf_kind entry_writer(struct table_entry *e, struct rf_err *err);
void entry_close_writer(struct table_entry *e);
RF_MUST_USE enum rf_kind tables_start(struct tables *tables, struct rf_err *err);
void tables_stop(struct tables *tables);

/* ---- tables_view.c --------------------------------------------------------------------------------------------- */

/* A view that shows all that is committed and has at least the columns of `def`. */
RF_MUST_USE enum rf_kind entry_view(struct table_entry *e, const struct table_def *def,
                                    struct table_view **out, struct rf_err *err);
/* The same with whatever columns the files have. */
RF_MUST_USE enum rf_kind entry_any_view(struct table_entry *e, struct table_view **out,
                                        struct rf_err *err);
void view_unref(struct table_view *v);
/* Forgets the kept view; queries that have it keep it. */
void entry_forget_view(struct table_entry *e);

#endif
