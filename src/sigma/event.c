#include "sigma/event_int.h"

#include "base/encode.h"
#include "base/json.h"
#include "value/text.h"

enum { SCRATCH_BYTES_MAX = 512 << 20, NAME_BYTES_MAX = 1 << 20 };

/* ---- names ------------------------------------------------------------------------------------------------------- */

bool event_names_init(struct event_names *names, uint32_t cap, struct rf_arena *arena)
{
    uint32_t slot_count = 16;
    while (slot_count < cap * 2) slot_count *= 2;
    *names = (struct event_names){.names = rf_arena_new(arena, rf_str, cap),
                                  .slots = rf_arena_new(arena, uint32_t, slot_count),
                                  .cap = cap,
                                  .slot_count = slot_count};
    return names->names != NULL && names->slots != NULL;
}

static uint32_t *names_slot(const struct event_names *names, rf_str name)
{
    uint32_t mask = names->slot_count - 1, at = (uint32_t)rf_hash(name.ptr, name.len, 0) & mask;
    while (names->slots[at] != 0 && !rf_str_eq(names->names[names->slots[at] - 1], name))
        at = (at + 1) & mask;
    return &names->slots[at];
}

uint32_t event_names_find(const struct event_names *names, rf_str name)
{
    return *names_slot(names, name) - 1; /* 0 becomes UINT32_MAX */
}

static uint32_t names_add(struct event_names *names, rf_str name)
{
    uint32_t *slot = names_slot(names, name);
    if (*slot == 0) {
        RF_ASSERT(names->count < names->cap);
        names->names[names->count] = name;
        *slot = ++names->count;
    }
    return *slot - 1;
}

/* ---- making a reader --------------------------------------------------------------------------------------------- */

/* The path of a field in the layout's lines, as the walkers name it; *top is the key that leads to it. */
static bool path_of(struct event_reader *r, rf_str field, bool system, rf_str *path, rf_str *top)
{
    rf_str dot = RF_S(".");
    *path = field;
    switch (r->layout->form) {
    case LAYOUT_EVENT_DATA:
        *path = rf_arena_printf(r->arena, "EventData.%.*s", RF_FMT(field));
        *top = RF_S("EventData");
        break;
    case LAYOUT_WINDOWS:
        *path =
            rf_arena_printf(r->arena, system ? "Event.System.%.*s" : "Event.%.*s", RF_FMT(field));
        *top = RF_S("Event");
        break;
    case LAYOUT_SYSLOG:
        *path = rf_arena_printf(r->arena, "SyslogMessage.%.*s", RF_FMT(field));
        *top = RF_S("SyslogMessage");
        break;
    default: {
        size_t end = rf_str_find(field, dot, 0);
        *top = end == SIZE_MAX ? field : rf_slice(field, 0, end);
    }
    }
    return path->ptr != NULL || path->len == 0;
}

static void add_place(struct event_reader *r, struct event_slot *slot, rf_str path, rf_str top)
{
    if (slot->raw_count == LAYOUT_FALLBACKS_MAX) return;
    uint32_t raw = names_add(&r->names, path), key = names_add(&r->names, top);
    r->raws[raw].wanted = true;
    if (raw != key) r->raws[key].deep = true;
    slot->raws[slot->raw_count] = raw;
    slot->top[slot->raw_count++] = key;
}

/* A flat key may hold dots itself. */
static void add_dotted(struct event_reader *r, struct event_slot *slot, rf_str path, rf_str top)
{
    add_place(r, slot, path, top);
    bool json = r->layout->form == LAYOUT_FLAT || r->layout->form == LAYOUT_NESTED;
    if (json && path.len > top.len) {
        uint32_t own = names_add(&r->names, path);
        r->raws[own].wanted = true;
    }
}

static bool plan_slot(struct event_reader *r, struct event_slot *slot, rf_str field)
{
    const struct layout_field *mapped = layout_field_of(r->layout, field);
    rf_str path, top;
    if (mapped != NULL) {
        for (size_t i = 0; i < LAYOUT_FALLBACKS_MAX && mapped->places[i] != NULL; i++) {
            path = rf_str_of(mapped->places[i]);
            size_t end = rf_str_find(path, RF_S("."), 0);
            add_dotted(r, slot, path, end == SIZE_MAX ? path : rf_slice(path, 0, end));
        }
        return true;
    }
    bool windows = r->layout->form == LAYOUT_WINDOWS;
    bool header =
        rf_str_is(field, "EventID") || rf_str_is(field, "Channel") || rf_str_is(field, "Computer");
    if (!windows || !header) {
        if (!path_of(r, field, false, &path, &top)) return false;
        add_dotted(r, slot, path, top);
    }
    if (windows) {
        if (!path_of(r, field, true, &path, &top)) return false;
        add_dotted(r, slot, path, top);
    }
    return true;
}

static bool plan_times(struct event_reader *r, uint32_t from)
{
    for (size_t i = 0; i < LAYOUT_FALLBACKS_MAX && r->layout->times[i] != NULL; i++) {
        rf_str name = rf_str_of(r->layout->times[i]), path = name, top = name;
        struct event_slot *slot = &r->slots[from + r->time_count];
        bool own = r->layout->form == LAYOUT_WINDOWS;
        if (own && !path_of(r, name, true, &path, &top)) return false;
        add_place(r, slot, path, top);
        r->time_slots[r->time_count] = from + r->time_count;
        r->time_count++;
    }
    return true;
}

static bool is_json(const struct event_reader *r) { return r->layout->form != LAYOUT_AUDITD; }

/* Every name may be a key of a line; those that lie deeper are found by walking. */
static bool plan_keys(struct event_reader *r)
{
    for (uint32_t i = 0; i < r->names.count; i++) {
        uint32_t key = scan_keys_find(&r->json.keys, r->names.names[i], true);
        if (key == UINT32_MAX) return false;
        if (key != 0) r->json.keys.items[key].column = i;
    }
    return true;
}

enum rf_kind event_reader_new(const struct layout *layout, const rf_str *fields, uint32_t count,
                              struct rf_arena *arena, struct event_reader **out, struct rf_err *err)
{
    struct event_reader *r = rf_arena_new(arena, struct event_reader, 1);
    if (r == NULL) return rf_fail_memory(err, arena);
    *r = (struct event_reader){.layout = layout, .arena = arena, .slot_count = count};
    uint32_t slots = count + LAYOUT_FALLBACKS_MAX,
             names = slots * 2 * (LAYOUT_FALLBACKS_MAX + 1) + 2;
    r->slots = rf_arena_new(arena, struct event_slot, slots);
    r->raws = rf_arena_new(arena, struct event_raw, names);
    r->passed = rf_buf_in(arena);
    bool fine = r->slots != NULL && r->raws != NULL && event_names_init(&r->names, names, arena);
    for (uint32_t i = 0; i < count && fine; i++) fine = plan_slot(r, &r->slots[i], fields[i]);
    if (fine && layout->form == LAYOUT_SYSLOG)
        r->raws[names_add(&r->names, RF_S("SyslogMessage"))].deep = true;
    fine = fine && plan_times(r, count);
    if (fine && is_json(r)) {
        r->json.lines = true;
        fine = scan_keys_init(&r->json.keys, arena) && plan_keys(r) &&
               line_window_init(&r->window, &r->json, arena);
    }
    if (!fine) return rf_fail_memory(err, arena);
    rf_arena_init(&r->scratch, SCRATCH_BYTES_MAX);
    r->json.scratch = &r->scratch;
    *out = r;
    return RF_OK;
}

void event_reader_done(struct event_reader *reader)
{
    if (reader != NULL) rf_arena_done(&reader->scratch);
}

/* ---- lines ----------------------------------------------------------------------------------------------------------- */

void event_feed(struct event_reader *r, rf_str bytes, bool last)
{
    r->fed = bytes;
    r->last = last;
    r->at = bytes.ptr;
    if (!is_json(r)) return;
    scan_json_feed(&r->json, bytes, last);
    line_window_feed(&r->window, &r->json);
}

size_t event_rest(const struct event_reader *r)
{
    const uint8_t *at = is_json(r) ? r->json.at : r->at;
    return r->fed.len - (size_t)(at - r->fed.ptr);
}

enum event_step event_next_line(struct event_reader *r)
{
    const uint8_t *end = r->fed.ptr + r->fed.len;
    while (r->at < end) {
        const uint8_t *to = memchr(r->at, '\n', (size_t)(end - r->at));
        if (to == NULL && !r->last) return EVENT_END;
        if (to == NULL) to = end;
        r->text = rf_str_make(r->at, (size_t)(to - r->at));
        r->at = to + (to < end);
        r->line++;
        if (rf_str_trim(r->text).len == 0) continue;
        event_walk_audit(r, r->text);
        return EVENT_ONE;
    }
    return EVENT_END;
}

enum event_step event_next(struct event_reader *r)
{
    r->stamp++;
    rf_arena_reset(&r->scratch);
    r->passed.len = 0;
    return is_json(r) ? event_next_json(r) : event_next_line(r);
}

bool event_failed(const struct event_reader *r) { return r->failed; }
uint64_t event_line(const struct event_reader *r) { return r->line; }
rf_str event_text(const struct event_reader *r) { return r->text; }
const char *event_reason(const struct event_reader *r)
{
    return r->reason == NULL ? "it is no JSON object" : r->reason;
}

/* ---- values ---------------------------------------------------------------------------------------------------------- */

void event_put(struct event_reader *r, uint32_t number, uint8_t kind, rf_str text)
{
    struct event_raw *raw = &r->raws[number];
    if (raw->stamp != r->stamp || raw->kind == RAW_NESTED) {
        raw->stamp = r->stamp;
        raw->text = text;
        raw->kind = kind;
        raw->more = NULL;
        raw->last = raw;
        raw->count = 1;
        return;
    }
    if (raw->count++ >= EVENT_VALUES_MAX) return;
    struct event_raw *more = rf_arena_new(&r->scratch, struct event_raw, 1);
    if (more == NULL) {
        r->failed = true;
        return;
    }
    *more = (struct event_raw){.text = text, .kind = kind};
    raw->last->more = more;
    raw->last = more;
}

bool event_decode(struct event_reader *r, const struct event_raw *raw, rf_str *out)
{
    *out = raw->text;
    if (raw->kind != RAW_ESCAPED && raw->kind != RAW_MARKED) return true;
    uint8_t *room = rf_arena_alloc(&r->scratch, raw->text.len + 16);
    if (room == NULL) {
        r->failed = true;
        return false;
    }
    size_t len = raw->kind == RAW_MARKED
                     ? json_marked_unescape(&r->window.marks, raw->mark, raw->text, room)
                     : json_unescape(raw->text, room);
    *out = rf_str_make(room, len);
    return true;
}

/* What lies below a key is found when it is first asked for. */
static void walk(struct event_reader *r, uint32_t key)
{
    struct event_raw *raw = &r->raws[key];
    if (raw->stamp != r->stamp || raw->walked == r->stamp) return;
    raw->walked = r->stamp;
    rf_str text;
    if (raw->kind == RAW_NULL || !event_decode(r, raw, &text)) return;
    if (r->layout->form == LAYOUT_SYSLOG && rf_str_is(r->names.names[key], "SyslogMessage")) {
        event_walk_xml(r, text);
        return;
    }
    bool holds = text.len > 1 && (text.ptr[0] == '{' || text.ptr[0] == '[');
    if (raw->kind == RAW_NESTED || (holds && raw->deep)) event_walk_json(r, key, text);
}

static void decode_all(struct event_reader *r, const struct event_raw *raw,
                       struct sigma_value *value)
{
    for (struct sigma_value *v = value; raw != NULL; raw = raw->more) {
        v->more = NULL;
        v->kind = raw->kind == RAW_NULL ? VALUE_NULL : VALUE_TEXT;
        v->text = (rf_str){NULL, 0};
        if (raw->kind != RAW_NULL && !event_decode(r, raw, &v->text)) v->kind = VALUE_MISSING;
        if (raw->more == NULL) return;
        struct sigma_value *more = rf_arena_new(&r->scratch, struct sigma_value, 1);
        r->failed = r->failed || more == NULL;
        if (more == NULL) return;
        v->more = more;
        v = more;
    }
}

const struct sigma_value *event_value(struct event_reader *r, uint32_t number)
{
    struct event_slot *slot = &r->slots[number];
    if (slot->stamp == r->stamp) return &slot->value;
    slot->stamp = r->stamp;
    slot->value = (struct sigma_value){.kind = VALUE_MISSING};
    for (uint32_t i = 0; i < slot->raw_count; i++) {
        const struct event_raw *raw = &r->raws[slot->raws[i]];
        if (raw->stamp != r->stamp) walk(r, slot->top[i]);
        if (raw->stamp != r->stamp) continue;
        if (raw->kind == RAW_NESTED) walk(r, slot->raws[i]);
        decode_all(r, raw, &slot->value);
        if (slot->value.kind == VALUE_TEXT) break;
    }
    return &slot->value;
}

bool event_each_text(struct event_reader *r, bool (*visit)(void *ctx, rf_str text), void *ctx)
{
    rf_str only = {NULL, 0};
    const char *key = r->layout->form == LAYOUT_EVENT_DATA ? "EventData"
                      : r->layout->form == LAYOUT_SYSLOG   ? "SyslogMessage"
                                                           : NULL;
    if (!is_json(r)) return visit(ctx, r->text);
    if (key == NULL) return event_each_json(r, r->text, visit, ctx);
    uint32_t number = event_names_find(&r->names, rf_str_of(key));
    if (number == UINT32_MAX || r->raws[number].stamp != r->stamp ||
        r->raws[number].kind == RAW_NULL || !event_decode(r, &r->raws[number], &only))
        return false;
    return r->layout->form == LAYOUT_EVENT_DATA ? event_each_json(r, only, visit, ctx)
                                                : visit(ctx, only);
}

/* msg=audit(1604994496.155:92733): */
static bool audit_time(rf_str text, rf_usec *out)
{
    double seconds;
    size_t open = rf_str_find(text, RF_S("("), 0), colon = rf_str_find(text, RF_S(":"), 0);
    if (open == SIZE_MAX || colon == SIZE_MAX || colon < open ||
        !text_to_real(rf_slice(text, open + 1, colon), &seconds) ||
        !(seconds >= 0 && seconds < 1e11))
        return false;
    *out = (rf_usec)(seconds * 1e6 + 0.5);
    return true;
}

bool event_time(struct event_reader *r, rf_usec *out)
{
    for (uint32_t i = 0; i < r->time_count; i++) {
        const struct sigma_value *value = event_value(r, r->time_slots[i]);
        int64_t ticks;
        if (value->kind != VALUE_TEXT || value->text.len == 0) continue;
        if (!is_json(r)) return audit_time(value->text, out);
        if (!text_to_datetime(value->text, &ticks)) return false;
        *out = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
        return true;
    }
    return false;
}
