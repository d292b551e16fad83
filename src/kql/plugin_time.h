/* plugin_time.h - what the plugins about ids on a timeline share: T | evaluate f(Id, Timeline, Start, End,
 * ..., Dimension, ...). Times are ticks of datetime or whole numbers. */
#ifndef RF_PLUGIN_TIME_H
#define RF_PLUGIN_TIME_H

#include "kql/plugin.h"

enum { TIME_DIMENSIONS_MAX = 32 };
/* Whole numbers on a timeline, and steps, stay within these, so that sums of them fit. */
#define TIME_NUMBER_MAX (INT64_C(1) << 61)

static inline bool time_in_range(enum type type, int64_t time)
{
    if (type == TYPE_DATETIME) return time >= 0 && time <= DATETIME_MAX;
    return time >= -TIME_NUMBER_MAX && time <= TIME_NUMBER_MAX;
}

struct time_event {
    uint32_t group; /* of equal dimensions */
    uint32_t id;
    int64_t time;
    uint64_t row;
};
/* Events sorted by group, then time. */
struct time_events {
    struct time_event *items;
    uint64_t count;
    uint32_t group_count, id_count;
    uint64_t *group_rows; /* a row of each group, for its dimensions */
    uint64_t *id_rows;    /* a row of each id */
};
/* Options that every such plugin begins with. */
struct time_options {
    enum type type; /* of the timeline: datetime or long */
    int64_t start, end;
    int64_t steps[3]; /* windows and periods, as the plugin means them */
    int64_t counts[3];
    uint32_t dimension_count;
};

struct time_binding {
    struct time_options *options;
    struct node *events; /* id, time, dimensions */
    struct schema_builder schema;
};
/* Binds Id, Timeline, Start, End. The output schema gets `prefix` + the timeline's name. */
RF_MUST_USE enum rf_kind time_bind(struct binder *b, const struct plugin_call *call,
                                   struct node *input, struct time_binding *out);
/* A step at a position: a timespan above zero, or a number. */
RF_MUST_USE enum rf_kind time_bind_step(struct binder *b, const struct plugin_call *call,
                                        const struct time_binding *t, uint32_t position,
                                        const char *name, int64_t *out);
/* The arguments from `position` on are dimensions; `id_first` false leaves the id out: then the events'
 * first column is the timeline's. Adds the timeline's and the dimensions' columns to the schema. */
RF_MUST_USE enum rf_kind time_bind_dimensions(struct binder *b, const struct plugin_call *call,
                                              struct node *input, uint32_t position, uint32_t to,
                                              struct time_binding *t);
RF_MUST_USE enum rf_kind time_finish(struct binder *b, const char *name, plugin_compute *compute,
                                     struct time_binding *t, struct node *lookup,
                                     struct node **out);
static inline bool time_add(struct binder *b, struct time_binding *t, const char *name,
                            enum type type)
{
    return schema_add(&t->schema, rf_str_of(name), type, bind_new_id(b));
}

/* Reads the rows; those with a null id or time are left out. */
RF_MUST_USE enum rf_kind time_read(struct plugin_run *run, const struct rows *rows,
                                   uint32_t dimension_count, struct time_events *out,
                                   struct rf_err *err);
/* Fills cells[0] with the time and the dimensions behind it; returns where the values begin. */
uint32_t time_cells(const struct plugin_run *run, const struct time_events *events, uint32_t group,
                    int64_t time, struct value *cells);

/* The bin of `time` counted from `start`; floor for times before it. */
static inline int64_t time_bin(int64_t time, int64_t start, int64_t step)
{
    int64_t off = time - start, bin = off / step;
    return off % step < 0 ? bin - 1 : bin;
}

#endif
