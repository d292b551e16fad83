/* recording.h - recorded rows of one table: read from files, moved in time, and played into a world in the order of their
 * arrival. */
#ifndef RF_LAB_RECORDING_H
#define RF_LAB_RECORDING_H

#include "lab/world.h"

struct lab_recording {
    rf_str table;
    struct schema schema; /* columns that the table has */
    struct rows *rows;
    bool *filled;        /* by column: some row has a value */
    int time_column;     /* TimeGenerated; -1: there is none */
    rf_usec first, last; /* of it; first > last: no row has one */
    rf_str *left_out;    /* columns of the file that the table lacks */
    uint32_t left_out_count;
};

/* Where a recording comes from. */
struct lab_source {
    rf_str
        table; /* the name of it in the world; made with the columns that were found when there is none */
    const char *path;      /* a file; NULL: `source` */
    struct source *source; /* a table that is open */
    /* Columns of which the first that has a time becomes TimeGenerated; those that are not there are left out, but not all of
     * them. None: TimeGenerated, and in tables that every workspace has Timestamp, as some of them call it. */
    const rf_str *times;
    uint32_t time_count;
    rf_str transform; /* KQL over `source`, before `time` is looked at; empty: none */
    const struct lab_functions *functions; /* that the transformation may use; may be NULL */
};
/* Reads all of it into `arena`. Further errors: those of kql_run (the transformation), RF_INVALID BadRecording. */
RF_MUST_USE enum rf_kind lab_recording_read(struct lab_world *world, const struct lab_source *from,
                                            struct rf_arena *arena, struct lab_recording *out,
                                            struct rf_err *err);

/* Makes its table in a world that lacks it. */
RF_MUST_USE enum rf_kind lab_recording_define(struct lab_world *world,
                                              const struct lab_recording *recording,
                                              struct rf_err *err);

/* When rows arrive. A row's arrival is its time and the delay, at the beginning of the clock at the earliest, rounded up to a
 * whole `step`; rows without a time arrive when the clock begins. */
struct lab_arrival {
    rf_usec shift; /* of every datetime of the row */
    rf_usec delay;
    rf_usec jitter; /* 0 up to this is added, made of seed and row */
    uint64_t seed;
    int column; /* a datetime (shifted as well) that says when the row arrived; -1: none */
    uint32_t again_every; /* each so many-th row arrives twice; 0: none */
    rf_usec again_after;  /* so much later */
};

struct lab_event { /* a row that arrives */
    rf_usec at;
    uint64_t row;
    uint32_t track;
};
struct lab_tape {
    struct rf_arena *arena;
    const struct lab_recording **recordings;
    struct lab_arrival *arrivals;
    uint32_t track_count, track_cap;
    struct lab_event *events; /* sorted by lab_tape_sort: time, track, row */
    uint64_t event_count, event_cap;
    uint64_t played;
};
/* `start`: no arrival is before; `step` > 0. Both are borrowed. */
RF_MUST_USE enum rf_kind lab_tape_add(struct lab_tape *tape, const struct lab_recording *recording,
                                      const struct lab_arrival *arrival, rf_usec start,
                                      rf_usec step, struct rf_err *err);
void lab_tape_sort(struct lab_tape *tape);
/* Plays what arrives up to `until` and lets the engine do what is due meanwhile; the clock stands at `until` then. */
RF_MUST_USE enum rf_kind lab_tape_play(struct lab_tape *tape, struct lab_world *world,
                                       rf_usec until, struct rf_err *err);

#endif
