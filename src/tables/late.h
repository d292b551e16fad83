/* late.h - for who looks at windows of event time once they are over: which of them got rows since, and what each of them has
 * shown, so that a window that is run again shows what is new.
 *
 * A row is late when it arrives after its window was looked at. Who runs windows keeps the arrival (tables_settled) up to which its last
 * run has seen rows, and asks for the windows of rows that arrived behind it. Pure values otherwise: any thread. */
#ifndef RF_TABLES_LATE_H
#define RF_TABLES_LATE_H

#include "base/json_out.h"
#include "base/json_tree.h"
#include "tables/ask.h"

/* ---- what windows have shown ----------------------------------------------------------------------------------------- */

enum { SHOWN_KEYS_MAX = 5000 }; /* of all windows that are kept */

struct shown_window {
    int64_t to_ticks; /* its end */
    uint64_t *keys;   /* of what it showed; a key stands there as often as it was shown */
    uint32_t count;
};
struct shown {
    struct shown_window *items; /* in the order in which they were noted first */
    uint32_t count;
};
/* NULL: it has shown nothing. */
const struct shown_window *shown_find(const struct shown *shown, int64_t to_ticks);
/* Adds keys to a window. At most `window_max` windows are kept, those that were noted last, and fewer when there are too many
 * keys: a number and no age, as the clock may be set. False: no memory. */
bool shown_note(struct shown *shown, int64_t to_ticks, const uint64_t *keys, uint32_t count,
                uint32_t window_max, struct rf_arena *arena);
/* [{"to": ticks, "keys": ["16 digits of base 16"]}]; what shown_put wrote shown_read reads. False: no memory. */
void shown_put(const struct shown *shown, const char *name, struct json_out *out);
bool shown_read(const struct json_node *list, struct rf_arena *arena, struct shown *out);
/* What rows are known by: it goes to the disk, and nobody who sends rows may choose it. */
uint64_t shown_key(rf_str text);

/* Tells new rows from those that some windows have shown: what n rows of one key were shown is met by the first n that have it. */
struct shown_meter {
    uint64_t *keys; /* ascending */
    bool *met;
    uint32_t count;
};
/* Of two windows that showed the same, once is enough; `b` may be NULL, as `a`. False: no memory. */
bool shown_meter(const struct shown_window *a, const struct shown_window *b, struct rf_arena *arena,
                 struct shown_meter *out);
bool shown_meet(struct shown_meter *meter, uint64_t key); /* true: it was shown */

/* ---- windows that got rows --------------------------------------------------------------------------------------------- */

struct late_question {
    int64_t origin_ticks, step_ticks; /* windows end at origin + n * step */
    int64_t period_ticks;             /* their length */
    int64_t from_ticks, before_ticks; /* TimeGenerated of rows that are asked for: [from, before) */
    int64_t after_ticks, until_ticks; /* their arrival: (after, until] */
    int64_t now_ticks;
    size_t memory_bytes;
    const atomic_bool *cancelled;
};
/* The ends of windows before the origin into which rows of these tables fell, ascending, each once: of windows that overlap the last
 * that has the row. In `arena`. Errors as ask_run. Cost: a look at the times of rows that arrived in between. */
RF_MUST_USE enum rf_kind late_windows(struct ask_view *view, const struct late_question *question,
                                      const rf_str *tables, uint32_t table_count,
                                      struct rf_arena *arena, int64_t **ends, uint32_t *count,
                                      struct rf_err *err);

#endif
