/* event_int.h - what the parts of the event reader share. */
#ifndef RF_SIGMA_EVENT_INT_H
#define RF_SIGMA_EVENT_INT_H

#include "sigma/event.h"
#include "store/reader_lines.h"

enum raw_kind { RAW_NULL, RAW_TEXT, RAW_ESCAPED, RAW_MARKED, RAW_NESTED };

/* What a key or path of the present event holds, as it stands in the line. */
struct event_raw {
    uint64_t stamp; /* of the event that set it */
    rf_str text;
    const uint32_t *mark;   /* MARKED: see json_marks.h */
    struct event_raw *more; /* further values of the same path */
    struct event_raw *last;
    uint8_t kind;
    uint32_t count;
    bool wanted;     /* a field asks for its own value */
    bool deep;       /* fields lie below it */
    uint64_t walked; /* stamp of the event in which that was done */
};

/* Names to numbers; open addressing. */
struct event_names {
    rf_str *names;
    uint32_t *slots; /* number + 1; 0 when free */
    uint32_t count, cap, slot_count;
};

struct event_slot {
    uint32_t raws[LAYOUT_FALLBACKS_MAX],
        top[LAYOUT_FALLBACKS_MAX]; /* top: the key that it lies below */
    uint32_t raw_count;
    uint64_t stamp;
    struct sigma_value value;
};

struct event_reader {
    const struct layout *layout;
    struct rf_arena *arena;
    struct rf_arena scratch; /* of the present event */
    uint64_t stamp, line;
    struct event_raw *raws;
    struct event_names names; /* of raws */
    struct event_slot *slots;
    uint32_t slot_count, time_slots[LAYOUT_FALLBACKS_MAX], time_count;
    struct scan_json json;
    struct line_window window;
    struct rf_buf passed; /* of values that are passed over */
    rf_str fed;
    const uint8_t *at; /* of lines that are not JSON */
    rf_str text;
    const char *reason;
    bool last, failed;
};

bool event_names_init(struct event_names *names, uint32_t cap, struct rf_arena *arena);
/* UINT32_MAX: not there. */
uint32_t event_names_find(const struct event_names *names, rf_str name);

/* Adds a value to a path of the present event. */
void event_put(struct event_reader *r, uint32_t raw, uint8_t kind, rf_str text);
/* The decoded text of a value that is no nested one. False on lack of memory. */
bool event_decode(struct event_reader *r, const struct event_raw *raw, rf_str *out);

enum event_step event_next_json(struct event_reader *r);
enum event_step event_next_line(struct event_reader *r);
/* Finds what lies below a key: an object, a list, or a text that holds one. */
void event_walk_json(struct event_reader *r, uint32_t key, rf_str text);
void event_walk_xml(struct event_reader *r, rf_str message);
void event_walk_audit(struct event_reader *r, rf_str line);
bool event_each_json(struct event_reader *r, rf_str json, bool (*visit)(void *ctx, rf_str text),
                     void *ctx);

#endif
