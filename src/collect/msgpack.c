#include "collect/msgpack.h"

#include "base/encode.h"
#include "value/text.h"

struct reading {
    rf_str bytes;
    size_t at;
    struct rf_arena *arena;
    struct rf_err *err;
};

/* A list or map that is open. */
struct frame {
    struct json_node *node;
    uint64_t left; /* values still to come: of a map keys and values */
    rf_str key;    /* of the value that comes next */
};

/* What a first byte announces. */
enum form {
    FORM_NIL,
    FORM_BOOL,
    FORM_INT,
    FORM_UINT,
    FORM_FLOAT,
    FORM_STR,
    FORM_BIN,
    FORM_EXT,
    FORM_ARRAY,
    FORM_MAP
};
struct head {
    enum form form;
    uint64_t number; /* the value, its bits, or the count of bytes or items */
    bool is_single;  /* FORM_FLOAT of four bytes */
};

static enum rf_kind bad(const struct reading *r, const char *why)
{
    return RF_FAIL(r->err, RF_INVALID, "BadMsgpack", "MessagePack, byte %zu: %s.", r->at, why);
}

static enum rf_kind take_big_endian(struct reading *r, size_t count, uint64_t *out)
{
    if (r->bytes.len - r->at < count) return bad(r, "the body ends within a value");
    *out = 0;
    for (size_t i = 0; i < count; i++) *out = *out << 8 | r->bytes.ptr[r->at++];
    return RF_OK;
}

static int64_t sign_extend(uint64_t bits, size_t bytes)
{
    uint64_t sign = UINT64_C(1) << (bytes * 8 - 1);
    return (int64_t)((bits ^ sign) - sign);
}

/* 0xc0 to 0xdf: the form, and how many bytes its number has; 0: it is in the byte, or there is none. */
static const struct {
    uint8_t form, bytes;
} long_forms[32] = {
    [0x00] = {FORM_NIL, 0},   [0x02] = {FORM_BOOL, 0},  [0x03] = {FORM_BOOL, 0},
    [0x04] = {FORM_BIN, 1},   [0x05] = {FORM_BIN, 2},   [0x06] = {FORM_BIN, 4},
    [0x07] = {FORM_EXT, 1},   [0x08] = {FORM_EXT, 2},   [0x09] = {FORM_EXT, 4},
    [0x0a] = {FORM_FLOAT, 4}, [0x0b] = {FORM_FLOAT, 8}, [0x0c] = {FORM_UINT, 1},
    [0x0d] = {FORM_UINT, 2},  [0x0e] = {FORM_UINT, 4},  [0x0f] = {FORM_UINT, 8},
    [0x10] = {FORM_INT, 1},   [0x11] = {FORM_INT, 2},   [0x12] = {FORM_INT, 4},
    [0x13] = {FORM_INT, 8},   [0x14] = {FORM_EXT, 0},   [0x15] = {FORM_EXT, 0},
    [0x16] = {FORM_EXT, 0},   [0x17] = {FORM_EXT, 0},   [0x18] = {FORM_EXT, 0},
    [0x19] = {FORM_STR, 1},   [0x1a] = {FORM_STR, 2},   [0x1b] = {FORM_STR, 4},
    [0x1c] = {FORM_ARRAY, 2}, [0x1d] = {FORM_ARRAY, 4}, [0x1e] = {FORM_MAP, 2},
    [0x1f] = {FORM_MAP, 4},
};
enum { NEVER_USED = 0xc1, FIXEXT_1 = 0xd4, FIXEXT_16 = 0xd8 };

static enum rf_kind take_head(struct reading *r, struct head *out)
{
    if (r->at == r->bytes.len) return bad(r, "the body ends within a value");
    uint8_t c = r->bytes.ptr[r->at];
    if (c == NEVER_USED) return bad(r, "0xc1 begins no value");
    r->at++;
    *out = (struct head){.form = FORM_UINT, .number = c};
    if (c < 0x80) return RF_OK;
    if (c >= 0xe0) {
        *out = (struct head){FORM_INT, (uint64_t)sign_extend(c, 1), false};
    } else if (c < 0x90) {
        *out = (struct head){FORM_MAP, c & 0x0f, false};
    } else if (c < 0xa0) {
        *out = (struct head){FORM_ARRAY, c & 0x0f, false};
    } else if (c < 0xc0) {
        *out = (struct head){FORM_STR, c & 0x1f, false};
    } else if (c >= FIXEXT_1 && c <= FIXEXT_16) {
        *out = (struct head){FORM_EXT, UINT64_C(1) << (c - FIXEXT_1), false};
    } else {
        size_t bytes = long_forms[c - 0xc0].bytes;
        *out = (struct head){(enum form)long_forms[c - 0xc0].form, c & 1, bytes == 4};
        if (bytes == 0) return RF_OK;
        RF_TRY(take_big_endian(r, bytes, &out->number));
        if (out->form == FORM_INT) out->number = (uint64_t)sign_extend(out->number, bytes);
    }
    return RF_OK;
}

/* ---- values ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind take_bytes(struct reading *r, uint64_t count, rf_str *out)
{
    if (r->bytes.len - r->at < count) return bad(r, "the body ends within a value");
    *out = rf_slice(r->bytes, r->at, r->at + (size_t)count);
    r->at += (size_t)count;
    return RF_OK;
}

/* As the other senders' texts are read: no byte is lost. */
static rf_str latin1(struct rf_arena *arena, rf_str bytes)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t utf8[4];
        rf_buf_str(&buf, rf_str_make(utf8, rf_utf8_put(bytes.ptr[i], utf8)));
    }
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

static rf_str text_of(struct rf_arena *arena, enum form form, rf_str bytes)
{
    if (rf_utf8_valid(bytes)) return bytes;
    return form == FORM_STR ? latin1(arena, bytes) : base64_encode(arena, bytes);
}

static double real_of(const struct head *head)
{
    double real;
    float single;
    uint32_t bits = (uint32_t)head->number;
    if (!head->is_single) {
        memcpy(&real, &head->number, sizeof real);
        return real;
    }
    memcpy(&single, &bits, sizeof single);
    return (double)single;
}

static struct json_node *new_number(struct rf_arena *arena, const struct head *head)
{
    struct rf_buf text = rf_buf_in(arena);
    double real = head->form == FORM_FLOAT ? real_of(head) : 0;
    bool finite = real - real == 0;
    struct json_node *node = json_new(arena, finite ? JSON_T_NUMBER : JSON_T_NULL);
    if (!finite || node == NULL) return node;
    if (head->form == FORM_FLOAT)
        text_put_real(&text, real, false);
    else if (head->form == FORM_INT)
        rf_buf_printf(&text, "%lld", (long long)(int64_t)head->number);
    else
        rf_buf_printf(&text, "%llu", (unsigned long long)head->number);
    node->text = rf_buf_view(&text);
    return text.failed ? NULL : node;
}

/* The extension -1: 4 bytes of seconds; 30 bits of nanoseconds and 34 of seconds; or 4 bytes of nanoseconds and 8 of seconds. Fluentd's
 * type 0: 4 bytes of seconds, 4 of nanoseconds. */
static bool time_of_extension(int type, rf_str bytes, int64_t *seconds, uint64_t *nanoseconds)
{
    enum { TIMESTAMP = -1, EVENT_TIME = 0 };
    uint64_t high = 0, low = 0;
    for (size_t i = 0; i < bytes.len && i < 4; i++) high = high << 8 | bytes.ptr[i];
    for (size_t i = 4; i < bytes.len && i < 12; i++) low = low << 8 | bytes.ptr[i];
    *nanoseconds = 0;
    if (type == TIMESTAMP && bytes.len == 4) {
        *seconds = (int64_t)high;
    } else if (type == TIMESTAMP && bytes.len == 8) {
        *nanoseconds = high >> 2;
        *seconds = (int64_t)((high & 3) << 32 | low);
    } else if (type == TIMESTAMP && bytes.len == 12) {
        *nanoseconds = high;
        *seconds = (int64_t)low;
    } else if (type == EVENT_TIME && bytes.len == 8) {
        *seconds = (int32_t)(uint32_t)high;
        *nanoseconds = low;
    } else {
        return false;
    }
    return *nanoseconds < 1000000000;
}

/* False when it lies behind the year 9999. */
static bool time_make(int64_t seconds, uint64_t nanoseconds, rf_usec *out)
{
    const int64_t seconds_max = INT64_C(253402300799);
    if (seconds > seconds_max) return false;
    *out = seconds * RF_USEC_PER_SECOND + (rf_usec)(nanoseconds / 1000);
    return true;
}

static enum rf_kind take_extension(struct reading *r, uint64_t count, struct json_node **out)
{
    uint64_t type, nanoseconds;
    int64_t seconds;
    rf_usec time;
    rf_str bytes;
    RF_TRY(take_big_endian(r, 1, &type));
    RF_TRY(take_bytes(r, count, &bytes));
    bool is_time = time_of_extension((int8_t)(uint8_t)type, bytes, &seconds, &nanoseconds);
    if (is_time && seconds < 0) {
        *out = json_new_i64(r->arena, seconds);
        return *out == NULL ? rf_fail_memory(r->err, r->arena) : RF_OK;
    }
    is_time = is_time && time_make(seconds, nanoseconds, &time);
    rf_str text = is_time ? time_iso(r->arena, time) : base64_encode(r->arena, bytes);
    *out = text.ptr == NULL ? NULL : json_new_text(r->arena, text);
    return *out == NULL ? rf_fail_memory(r->err, r->arena) : RF_OK;
}

static enum rf_kind take_scalar(struct reading *r, const struct head *head, struct json_node **out)
{
    rf_str bytes, text;
    switch (head->form) {
    case FORM_STR:
    case FORM_BIN:
        RF_TRY(take_bytes(r, head->number, &bytes));
        text = text_of(r->arena, head->form, bytes);
        *out = text.ptr == NULL && text.len == 0 && bytes.len > 0 ? NULL
                                                                  : json_new_text(r->arena, text);
        break;
    case FORM_EXT:
        return take_extension(r, head->number, out);
    case FORM_NIL:
        *out = json_new(r->arena, JSON_T_NULL);
        break;
    case FORM_BOOL:
        *out = json_new_bool(r->arena, head->number != 0);
        break;
    default:
        *out = new_number(r->arena, head);
        break;
    }
    return *out == NULL ? rf_fail_memory(r->err, r->arena) : RF_OK;
}

/* ---- lists and maps ---------------------------------------------------------------------------------------------------------- */

static enum rf_kind open_container(struct reading *r, const struct head *head, struct frame *frame,
                                   struct json_node **out)
{
    bool is_map = head->form == FORM_MAP;
    /* Each value has a byte at least: what announces more is refused before anything is made of it. */
    uint64_t least = is_map ? head->number * 2 : head->number;
    if (least > r->bytes.len - r->at)
        return bad(r, "a list or map has more values than bytes follow");
    *out = json_new(r->arena, is_map ? JSON_T_OBJECT : JSON_T_ARRAY);
    if (*out == NULL) return rf_fail_memory(r->err, r->arena);
    *frame = (struct frame){.node = *out, .left = least};
    return RF_OK;
}

static enum rf_kind take_key(struct reading *r, rf_str *out)
{
    struct head head;
    struct json_node *node;
    RF_TRY(take_head(r, &head));
    if (head.form != FORM_STR && head.form != FORM_BIN && head.form != FORM_UINT &&
        head.form != FORM_INT)
        return bad(r, "a key must be a text or a whole number");
    RF_TRY(take_scalar(r, &head, &node));
    *out = node->text;
    return RF_OK;
}

/* Linked by hand: json_set would look for the name among all before. Of a name that comes twice both stay. */
static void add(struct frame *frame, struct json_node *value)
{
    struct json_node *in = frame->node;
    value->name = frame->key;
    if (in->last == NULL)
        in->first = value;
    else
        in->last->next = value;
    in->last = value;
    in->count++;
    frame->left--;
}

enum rf_kind msgpack_read(rf_str bytes, size_t *at, struct rf_arena *arena, struct json_node **out,
                          struct rf_err *err)
{
    struct reading r = {.bytes = bytes, .at = *at, .arena = arena, .err = err};
    struct frame frames[MSGPACK_DEPTH_MAX];
    uint32_t depth = 0;
    struct json_node *top = NULL;
    do {
        struct head head;
        struct json_node *node;
        struct frame *frame = depth == 0 ? NULL : &frames[depth - 1];
        if (frame != NULL && frame->node->type == JSON_T_OBJECT) {
            RF_TRY(take_key(&r, &frame->key));
            frame->left--;
        }
        RF_TRY(take_head(&r, &head));
        bool is_container = head.form == FORM_ARRAY || head.form == FORM_MAP;
        if (is_container && depth == MSGPACK_DEPTH_MAX)
            return RF_FAIL(err, RF_LIMIT, "MsgpackTooDeep",
                           "MessagePack, byte %zu: more than %d levels.", r.at, MSGPACK_DEPTH_MAX);
        if (is_container)
            RF_TRY(open_container(&r, &head, &frames[depth], &node));
        else
            RF_TRY(take_scalar(&r, &head, &node));
        if (frame == NULL)
            top = node;
        else
            add(frame, node);
        if (is_container) depth++;
        while (depth > 0 && frames[depth - 1].left == 0) depth--;
    } while (depth > 0);
    *at = r.at;
    *out = top;
    return RF_OK;
}

/* ---- records ------------------------------------------------------------------------------------------------------------------ */

/* Fluent Bit marks where groups of records begin and end by events whose seconds are negative. */
static bool is_group_mark(const struct json_node *time)
{
    return time->type == JSON_T_NUMBER && rf_str_starts(time->text, RF_S("-"));
}

static bool read_time(const struct json_node *node, rf_usec *out)
{
    const double seconds_max = 253402300799.0;
    double seconds;
    int64_t ticks;
    if (node->type == JSON_T_STRING && text_to_datetime(node->text, &ticks) &&
        ticks >= DATETIME_UNIX_EPOCH) {
        *out = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_MICROSECOND;
        return true;
    }
    if (node->type != JSON_T_NUMBER || !text_to_real(node->text, &seconds) || seconds < 0 ||
        seconds > seconds_max)
        return false;
    *out = (rf_usec)(seconds * (double)RF_USEC_PER_SECOND + 0.5);
    return true;
}

/* [time, fields] or [[time, metadata], fields]; *skip: a mark of a group. False: it is none. */
static bool read_event(const struct json_node *node, struct msgpack_record *out, bool *skip)
{
    if (node->count != 2 || node->first->next->type != JSON_T_OBJECT) return false;
    const struct json_node *time = node->first;
    if (time->type == JSON_T_OBJECT) return false; /* a list of two records */
    if (time->type == JSON_T_ARRAY) {
        if (time->count == 0 || time->count > 2) return false;
        time = time->first;
    }
    *skip = is_group_mark(time);
    out->fields = node->first->next;
    out->has_time = read_time(time, &out->time);
    return true;
}

enum rf_kind msgpack_next_record(rf_str body, struct msgpack_records *state, struct rf_arena *arena,
                                 struct msgpack_record *out, struct rf_err *err)
{
    for (;;) {
        struct json_node *node = state->waiting;
        bool of_list = node != NULL, skip = false;
        *out = (struct msgpack_record){0};
        size_t from = state->at;
        if (of_list) {
            state->waiting = node->next;
        } else {
            if (state->at == body.len) return RF_OK;
            RF_TRY(msgpack_read(body, &state->at, arena, &node, err));
        }
        if (node->type == JSON_T_OBJECT) {
            out->fields = node;
            return RF_OK;
        }
        bool is_event = node->type == JSON_T_ARRAY && read_event(node, out, &skip);
        if (is_event && !skip) return RF_OK;
        if (is_event) continue;
        if (node->type != JSON_T_ARRAY || of_list)
            return RF_FAIL(
                err, RF_INVALID, "BadMsgpack",
                "MessagePack, byte %zu: the body must be events such as Fluent Bit sends: "
                "[time, {fields}], or {fields}.",
                from);
        state->waiting = node->first;
    }
}
