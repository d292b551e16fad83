/* rowset.h - rows on their way to tables: JSON lines, by table. Parsers write into it; the sink takes it. */
#ifndef RF_COLLECT_ROWSET_H
#define RF_COLLECT_ROWSET_H

#include "base/clock.h"
#include "base/json_out.h"

enum { ROWSET_TABLES_MAX = 12 };

struct rowset_table {
    rf_str table; /* borrowed */
    struct rf_buf lines;
    uint64_t count;
};
struct rowset {
    struct rf_arena *arena;
    struct rowset_table tables[ROWSET_TABLES_MAX];
    uint32_t table_count;
    struct rowset_table *open;
};
static inline struct rowset rowset_in(struct rf_arena *arena)
{
    return (struct rowset){.arena = arena};
}
/* Begins a row of a table: an object is open in the result. More than ROWSET_TABLES_MAX tables are a bug (asserted). */
struct json_out rowset_begin(struct rowset *rows, rf_str table);
/* Closes the object. */
void rowset_end(struct rowset *rows, struct json_out *out);
/* A time as a member: "2026-01-31T12:00:00.1234560Z"; ticks as datetime has them. Without printf, which would take a fifth of the
 * time of a row. */
void rowset_put_ticks(struct json_out *out, const char *name, int64_t ticks);
void rowset_put_time(struct json_out *out, const char *name, rf_usec time);
bool rowset_failed(const struct rowset *rows); /* memory was used up */
uint64_t rowset_count(const struct rowset *rows);

#endif
