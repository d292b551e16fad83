/* Lines of JSON: the usual ones by their marks (store/reader_lines.h), others byte by byte. */
#include "base/json.h"
#include "sigma/event_int.h"

enum { PATH_BYTES_MAX = 1024 };

/* ---- a line's keys ------------------------------------------------------------------------------------------------- */

static inline void put_raw(struct event_reader *r, uint32_t number, uint8_t kind, rf_str text,
                           const uint32_t *mark)
{
    struct event_raw *raw = &r->raws[number];
    raw->stamp = r->stamp;
    raw->text = text;
    raw->kind = kind;
    raw->mark = mark;
    raw->more = NULL;
    raw->last = raw;
    raw->count = 1;
}

static enum line_step pass_nested(struct event_reader *r, struct line *line)
{
    struct dyn_shape none = {{0}};
    r->passed.len = 0;
    line->at =
        dyn_read_marked(r->window.nested, line->marks, line->at, &line->mark, &none, &r->passed);
    if (line->at != NULL) return LINE_DONE;
    return r->passed.failed ? LINE_NO_MEMORY : LINE_OTHER;
}

static inline enum line_step take_string(struct event_reader *r, uint32_t column, struct line *line)
{
    const uint8_t *p = line->at;
    const struct json_marks *marks = line->marks;
    const uint32_t *mark = line->mark;
    if (RF_UNLIKELY(marks->base + mark[0] != p)) return LINE_OTHER;
    const uint8_t *end = marks->base + mark[1];
    uint8_t kind = RAW_TEXT;
    if (*end == '"') {
        line->mark += 2;
    } else {
        kind = RAW_MARKED;
        end = json_marked_string(marks, &line->mark);
        if (RF_UNLIKELY(end == NULL)) return LINE_OTHER;
    }
    line->at = end + 1;
    if (column != UINT32_MAX)
        put_raw(r, column, kind, rf_str_make(p + 1, (size_t)(end - p) - 1), mark);
    return LINE_DONE;
}

static inline enum line_step take_value(void *state, uint32_t key, struct line *line)
{
    struct event_reader *r = state;
    uint32_t column = r->json.keys.items[key].column;
    const uint8_t *from = line->at;
    uint8_t first = *from, kind = RAW_TEXT;
    struct scan_token token;
    enum line_step step;
    if (first == '"') return take_string(r, column, line);
    if (rf_is_digit(first) || first == '-') {
        step = line_number(line, &token);
    } else if (first == '{' || first == '[') {
        step = pass_nested(r, line);
        kind = RAW_NESTED;
    } else {
        step = line_word(line, &token);
        if (first == 'n') kind = RAW_NULL;
    }
    if (step == LINE_DONE && column != UINT32_MAX)
        put_raw(r, column, kind, rf_str_make(from, (size_t)(line->at - from)), NULL);
    return step;
}

static bool take_token(void *state, uint32_t key, const struct scan_token *token)
{
    static const uint8_t kinds[] = {
        [SCAN_NULL] = RAW_NULL,       [SCAN_FALSE] = RAW_TEXT,   [SCAN_TRUE] = RAW_TEXT,
        [SCAN_WHOLE] = RAW_TEXT,      [SCAN_NUMBER] = RAW_TEXT,  [SCAN_STRING] = RAW_TEXT,
        [SCAN_ESCAPED] = RAW_ESCAPED, [SCAN_ARRAY] = RAW_NESTED, [SCAN_OBJECT] = RAW_NESTED};
    struct event_reader *r = state;
    uint32_t column = r->json.keys.items[key].column;
    if (column != UINT32_MAX) put_raw(r, column, kinds[token->kind], token->text, NULL);
    return true;
}

enum event_step event_next_json(struct event_reader *r)
{
    struct scan_json *json = &r->json;
    const uint8_t *from = json->at;
    enum line_step line = line_read(&r->window, json, true, take_value, r);
    if (RF_LIKELY(line == LINE_DONE)) {
        r->line++;
        r->text = rf_str_make(from, (size_t)(json->at - from));
        return EVENT_ONE;
    }
    if (line == LINE_NO_MEMORY) return EVENT_NO_MEMORY;
    r->stamp++; /* what that line has set counts for nothing */
    enum row_step row = scan_json_row(json, true, false, take_token, r);
    if (row == ROW_NO_MEMORY) return EVENT_NO_MEMORY;
    if (row == ROW_END) {
        r->line += scan_count_lines(from, json->at);
        return EVENT_END;
    }
    r->line += scan_count_lines(from, json->from) + 1;
    if (row == ROW_DONE) {
        r->text = rf_str_make(json->from, (size_t)(json->at - json->from));
        return EVENT_ONE;
    }
    r->reason = json->reason;
    scan_json_recover(json);
    return EVENT_BAD;
}

/* ---- what lies deeper --------------------------------------------------------------------------------------------- */

/* Where a walk stands: the path of the innermost container. */
struct path {
    uint8_t bytes[PATH_BYTES_MAX];
    size_t len;
    size_t before[JSON_DEPTH_MAX]; /* length at each open container */
    uint32_t depth;
    bool blanks; /* of keys are left out */
};

static void path_enter(struct path *path, rf_str key)
{
    if (path->len + 1 + key.len > PATH_BYTES_MAX) return; /* no field has such a name */
    path->bytes[path->len++] = '.';
    for (size_t i = 0; i < key.len; i++)
        if (!path->blanks || key.ptr[i] != ' ') path->bytes[path->len++] = key.ptr[i];
}

/* How the nodes of an event's XML are named: System, EventData and UserData with what wraps it say where a value stands,
 * not what it is; attributes join their element's name. */
static rf_str windows_name(const struct path *path, uint8_t *out)
{
    static const rf_str data = {(const uint8_t *)"Event.EventData", 15},
                        user = {(const uint8_t *)"Event.UserData", 14};
    rf_str p = rf_str_make(path->bytes, path->len), rest = {NULL, 0};
    if (rf_str_ends(p, RF_S(".#text"))) p.len -= 6;
    if (rf_str_starts(p, data) && p.len > data.len && p.ptr[data.len] == '.') {
        rest = rf_slice(p, data.len + 1, p.len);
    } else if (rf_str_starts(p, user) && p.len > user.len + 1) {
        size_t dot = rf_str_find(p, RF_S("."), user.len + 1);
        if (dot != SIZE_MAX) rest = rf_slice(p, dot + 1, p.len);
    }
    size_t mark = rf_str_find(p, RF_S(".#attributes."), 0);
    if (rest.len == 0 && mark == SIZE_MAX) return p;
    size_t len = 0;
    if (rest.len > 0) {
        memcpy(out, data.ptr, 6); /* "Event." */
        memcpy(out + 6, rest.ptr, rest.len);
        len = 6 + rest.len;
    } else {
        memcpy(out, p.ptr, mark);
        out[mark] = '_';
        memcpy(out + mark + 1, p.ptr + mark + 13, p.len - mark - 13);
        len = p.len - 12;
    }
    return rf_str_make(out, len);
}

static void put_leaf(struct event_reader *r, const struct path *path,
                     const struct json_event *event)
{
    uint8_t name[PATH_BYTES_MAX];
    rf_str full = r->layout->form == LAYOUT_WINDOWS ? windows_name(path, name)
                                                    : rf_str_make(path->bytes, path->len);
    uint32_t raw = event_names_find(&r->names, full);
    if (raw == UINT32_MAX || !r->raws[raw].wanted) return;
    uint8_t kind = event->kind == JSON_NULL                       ? RAW_NULL
                   : event->kind == JSON_STRING && event->escaped ? RAW_ESCAPED
                                                                  : RAW_TEXT;
    rf_str text = event->text;
    if (event->kind == JSON_TRUE) text = RF_S("true");
    if (event->kind == JSON_FALSE) text = RF_S("false");
    event_put(r, raw, kind, text);
}

static bool key_text(struct event_reader *r, const struct json_event *event, rf_str *out)
{
    if (json_text(event, &r->scratch, out)) return true;
    r->failed = true;
    return false;
}

void event_walk_json(struct event_reader *r, uint32_t key, rf_str text)
{
    struct json_reader reader;
    struct json_event event;
    struct path path = {.blanks = r->layout->form == LAYOUT_WINDOWS};
    rf_str top = r->names.names[key], name;
    path.len = RF_MIN(top.len, (size_t)PATH_BYTES_MAX);
    memcpy(path.bytes, top.ptr, path.len);
    json_reader_init(&reader, text);
    size_t before_key = path.len;
    bool in_object[JSON_DEPTH_MAX + 1] = {false};
    while (json_next(&reader, &event, NULL) == RF_OK && event.kind != JSON_END) {
        switch (event.kind) {
        case JSON_OBJECT_BEGIN:
        case JSON_ARRAY_BEGIN:
            if (path.depth == JSON_DEPTH_MAX) return;
            path.before[path.depth++] = before_key;
            in_object[path.depth] = event.kind == JSON_OBJECT_BEGIN;
            before_key = path.len;
            break;
        case JSON_OBJECT_END:
        case JSON_ARRAY_END:
            before_key = path.before[--path.depth];
            if (path.depth > 0 && in_object[path.depth]) path.len = before_key;
            break;
        case JSON_KEY:
            before_key = path.len;
            if (!key_text(r, &event, &name)) return;
            path_enter(&path, name);
            break;
        default:
            put_leaf(r, &path, &event);
            if (path.depth > 0 && in_object[path.depth]) path.len = before_key;
        }
    }
}

bool event_each_json(struct event_reader *r, rf_str json, bool (*visit)(void *ctx, rf_str text),
                     void *ctx)
{
    struct json_reader reader;
    struct json_event event;
    rf_str text;
    json_reader_init(&reader, rf_str_trim(json));
    while (json_next(&reader, &event, NULL) == RF_OK && event.kind != JSON_END) {
        if (event.kind != JSON_STRING && event.kind != JSON_NUMBER) continue;
        if (!key_text(r, &event, &text)) return false;
        if (visit(ctx, text)) return true;
    }
    return false;
}
