#include "base/json_tree.h"

#include <stdio.h>

#include "base/json.h"

/* ---- parsing --------------------------------------------------------------------------------------------- */

static void link_last(struct json_node *parent, struct json_node *node)
{
    if (parent->last == NULL)
        parent->first = node;
    else
        parent->last->next = node;
    parent->last = node;
    parent->count++;
}

/* Members of one object of which more than a few are compared through a table of hashes: with pairwise comparison a body of
 * a megabyte could cost a minute. */
enum { PAIRWISE_MEMBERS = 16 };

static bool hashes_repeat(const struct json_node *object, struct rf_arena *arena, rf_str *repeated,
                          bool *memory)
{
    uint32_t slots = 1;
    while (slots < object->count * 2) slots *= 2;
    const struct json_node **table = rf_arena_new(arena, const struct json_node *, slots);
    *memory = table != NULL;
    if (table == NULL) return false;
    for (const struct json_node *m = object->first; m != NULL; m = m->next) {
        uint32_t at = (uint32_t)rf_hash(m->name.ptr, m->name.len, 0) & (slots - 1);
        for (; table[at] != NULL; at = (at + 1) & (slots - 1)) {
            if (!rf_str_eq(table[at]->name, m->name)) continue;
            *repeated = m->name;
            return true;
        }
        table[at] = m;
    }
    return false;
}

static enum rf_kind check_members(const struct json_node *object, struct rf_arena *arena,
                                  struct rf_err *err)
{
    rf_str repeated = {0};
    bool memory = true, found = false;
    if (object->count > PAIRWISE_MEMBERS) {
        found = hashes_repeat(object, arena, &repeated, &memory);
    } else {
        for (const struct json_node *m = object->first; m != NULL && !found; m = m->next)
            for (const struct json_node *k = m->next; k != NULL && !found; k = k->next)
                if (rf_str_eq(m->name, k->name)) found = true, repeated = k->name;
    }
    if (!memory) return rf_fail_memory(err, arena);
    if (found)
        return RF_FAIL(err, RF_INVALID, "DuplicateKey",
                       "the member \"%.*s\" comes twice in one object",
                       (int)RF_MIN(repeated.len, 100), (const char *)repeated.ptr);
    return RF_OK;
}

static const enum json_type type_of[] = {
    [JSON_OBJECT_BEGIN] = JSON_T_OBJECT, [JSON_ARRAY_BEGIN] = JSON_T_ARRAY,
    [JSON_STRING] = JSON_T_STRING,       [JSON_NUMBER] = JSON_T_NUMBER,
    [JSON_TRUE] = JSON_T_TRUE,           [JSON_FALSE] = JSON_T_FALSE,
    [JSON_NULL] = JSON_T_NULL,
};

enum rf_kind json_parse(rf_str text, struct rf_arena *arena, struct json_node **out,
                        struct rf_err *err)
{
    struct json_reader reader;
    struct json_event event;
    struct json_node *open[JSON_DEPTH_MAX + 1], *root = NULL;
    uint32_t depth = 0;
    rf_str name = {0};
    json_reader_init(&reader, text);
    for (;;) {
        RF_TRY(json_next(&reader, &event, err));
        if (event.kind == JSON_END) break;
        if (event.kind == JSON_KEY) {
            if (!json_text(&event, arena, &name)) return rf_fail_memory(err, arena);
            continue;
        }
        if (event.kind == JSON_OBJECT_END || event.kind == JSON_ARRAY_END) {
            RF_ASSERT(depth > 0); /* the reader pairs them */
            depth--;
            if (event.kind == JSON_OBJECT_END) RF_TRY(check_members(open[depth], arena, err));
            continue;
        }
        struct json_node *node = rf_arena_new(arena, struct json_node, 1);
        if (node == NULL) return rf_fail_memory(err, arena);
        node->type = type_of[event.kind];
        node->name = name;
        name = (rf_str){0};
        if (event.kind == JSON_NUMBER) node->text = event.text;
        if (event.kind == JSON_STRING && !json_text(&event, arena, &node->text))
            return rf_fail_memory(err, arena);
        if (depth == 0)
            root = node;
        else
            link_last(open[depth - 1], node);
        if (node->type >= JSON_T_ARRAY) {
            RF_ASSERT(depth <= JSON_DEPTH_MAX);
            open[depth++] = node;
        }
    }
    if (root == NULL) return RF_FAIL(err, RF_INVALID, "BadJson", "the text is empty");
    *out = root;
    return RF_OK;
}

/* ---- looking ----------------------------------------------------------------------------------------------- */

struct json_node *json_get_str(const struct json_node *object, rf_str name)
{
    if (!json_is(object, JSON_T_OBJECT)) return NULL;
    for (struct json_node *m = object->first; m != NULL; m = m->next)
        if (rf_str_eq(m->name, name)) return m;
    return NULL;
}

struct json_node *json_get(const struct json_node *object, const char *name)
{
    return json_get_str(object, rf_str_of(name));
}

struct json_node *json_get_nocase(const struct json_node *object, rf_str name)
{
    struct json_node *exact = json_get_str(object, name);
    if (exact != NULL || !json_is(object, JSON_T_OBJECT)) return exact;
    for (struct json_node *m = object->first; m != NULL; m = m->next)
        if (rf_str_eq_nocase(m->name, name)) return m;
    return NULL;
}

struct json_node *json_at(const struct json_node *object, const char *path)
{
    for (;;) {
        const char *dot = strchr(path, '.');
        if (dot == NULL) return json_get(object, path);
        object = json_get_str(object, rf_str_make(path, (size_t)(dot - path)));
        path = dot + 1;
    }
}

rf_str json_text_at(const struct json_node *object, const char *path)
{
    const struct json_node *node = json_at(object, path);
    return json_is(node, JSON_T_STRING) ? node->text : (rf_str){0};
}

/* json_number_i64 reads digits and a sign only. */
static bool is_whole(rf_str number)
{
    for (size_t i = 0; i < number.len; i++)
        if (!rf_is_digit(number.ptr[i]) && number.ptr[i] != '-') return false;
    return true;
}

bool json_i64_at(const struct json_node *object, const char *path, int64_t *out)
{
    const struct json_node *node = json_at(object, path);
    return json_is(node, JSON_T_NUMBER) && is_whole(node->text) && json_number_i64(node->text, out);
}

bool json_bool_at(const struct json_node *object, const char *path, bool fallback)
{
    const struct json_node *node = json_at(object, path);
    if (json_is(node, JSON_T_TRUE)) return true;
    return json_is(node, JSON_T_FALSE) ? false : fallback;
}

/* The depth of a tree that was parsed is bounded by JSON_DEPTH_MAX; one that code made is as deep as that code nests. */
bool json_equal(const struct json_node *a, const struct json_node *b)
{
    if (a == NULL || b == NULL) return a == b;
    if (a->type != b->type || a->count != b->count || !rf_str_eq(a->text, b->text)) return false;
    if (a->type == JSON_T_ARRAY) {
        const struct json_node *y = b->first;
        for (const struct json_node *x = a->first; x != NULL; x = x->next, y = y->next)
            if (!json_equal(x, y)) return false;
    }
    if (a->type == JSON_T_OBJECT)
        for (const struct json_node *x = a->first; x != NULL; x = x->next)
            if (!json_equal(x, json_get_str(b, x->name)) || json_get_str(b, x->name) == NULL)
                return false;
    return true;
}

/* ---- making -------------------------------------------------------------------------------------------------- */

struct json_node *json_new(struct rf_arena *arena, enum json_type type)
{
    struct json_node *node = rf_arena_new(arena, struct json_node, 1);
    if (node != NULL) node->type = type;
    return node;
}

struct json_node *json_new_text(struct rf_arena *arena, rf_str text)
{
    struct json_node *node = json_new(arena, JSON_T_STRING);
    if (node != NULL) node->text = text;
    return node;
}

struct json_node *json_new_i64(struct rf_arena *arena, int64_t number)
{
    struct json_node *node = json_new(arena, JSON_T_NUMBER);
    if (node == NULL) return NULL;
    node->text = rf_arena_printf(arena, "%lld", (long long)number);
    return node->text.ptr == NULL ? NULL : node;
}

struct json_node *json_new_bool(struct rf_arena *arena, bool truth)
{
    return json_new(arena, truth ? JSON_T_TRUE : JSON_T_FALSE);
}

/* The member before the one of that name, so that it can be taken out; *found is that member. */
static struct json_node *find_before(struct json_node *object, rf_str name,
                                     struct json_node **found)
{
    struct json_node *before = NULL;
    *found = object->first;
    while (*found != NULL && !rf_str_eq((*found)->name, name)) {
        before = *found;
        *found = (*found)->next;
    }
    return before;
}

struct json_node *json_set(struct rf_arena *arena, struct json_node *object, rf_str name,
                           struct json_node *value)
{
    if (object == NULL || value == NULL) return NULL;
    RF_ASSERT(object->type == JSON_T_OBJECT);
    struct json_node *old, *before = find_before(object, name, &old);
    if (old == value) return value;
    RF_ASSERT(value->next == NULL);
    if (!rf_arena_str(arena, name, &value->name)) return NULL;
    if (old == NULL) {
        link_last(object, value);
        return value;
    }
    value->next = old->next;
    if (before == NULL)
        object->first = value;
    else
        before->next = value;
    if (object->last == old) object->last = value;
    old->next = NULL;
    return value;
}

struct json_node *json_set_text(struct rf_arena *arena, struct json_node *object, const char *name,
                                rf_str text)
{
    return json_set(arena, object, rf_str_of(name), json_new_text(arena, text));
}

struct json_node *json_set_i64(struct rf_arena *arena, struct json_node *object, const char *name,
                               int64_t number)
{
    return json_set(arena, object, rf_str_of(name), json_new_i64(arena, number));
}

struct json_node *json_set_bool(struct rf_arena *arena, struct json_node *object, const char *name,
                                bool truth)
{
    return json_set(arena, object, rf_str_of(name), json_new_bool(arena, truth));
}

struct json_node *json_append(struct json_node *array, struct json_node *value)
{
    if (array == NULL || value == NULL) return NULL;
    RF_ASSERT(array->type == JSON_T_ARRAY);
    RF_ASSERT(value->next == NULL);
    value->name = (rf_str){0};
    link_last(array, value);
    return value;
}

struct json_node *json_object_in(struct rf_arena *arena, struct json_node *object, const char *name)
{
    struct json_node *there = json_get(object, name);
    if (json_is(there, JSON_T_OBJECT)) return there;
    return json_set(arena, object, rf_str_of(name), json_new(arena, JSON_T_OBJECT));
}

void json_remove(struct json_node *object, rf_str name)
{
    if (!json_is(object, JSON_T_OBJECT)) return;
    struct json_node *old, *before = find_before(object, name, &old);
    if (old == NULL) return;
    if (before == NULL)
        object->first = old->next;
    else
        before->next = old->next;
    if (object->last == old) object->last = before;
    object->count--;
    old->next = NULL;
}

struct json_node *json_clone(struct rf_arena *arena, const struct json_node *node)
{
    struct json_node *copy = node == NULL ? NULL : json_new(arena, node->type);
    if (copy == NULL || !rf_arena_str(arena, node->name, &copy->name) ||
        !rf_arena_str(arena, node->text, &copy->text))
        return NULL;
    copy->line = node->line;
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        struct json_node *twin = json_clone(arena, child);
        if (twin == NULL) return NULL;
        link_last(copy, twin);
    }
    return copy;
}

/* ---- printing --------------------------------------------------------------------------------------------------- */

static void print_scalar(struct rf_buf *buf, const struct json_node *node)
{
    switch (node->type) {
    case JSON_T_NULL:
        rf_buf_str(buf, RF_S("null"));
        break;
    case JSON_T_TRUE:
        rf_buf_str(buf, RF_S("true"));
        break;
    case JSON_T_FALSE:
        rf_buf_str(buf, RF_S("false"));
        break;
    case JSON_T_NUMBER:
        rf_buf_str(buf, node->text);
        break;
    default:
        json_put_string(buf, node->text);
        break;
    }
}

void json_print(struct rf_buf *buf, const struct json_node *node)
{
    if (node == NULL || node->type < JSON_T_ARRAY) {
        static const struct json_node null = {.type = JSON_T_NULL};
        print_scalar(buf, node == NULL ? &null : node);
        return;
    }
    bool object = node->type == JSON_T_OBJECT;
    rf_buf_byte(buf, object ? '{' : '[');
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        if (child != node->first) rf_buf_byte(buf, ',');
        if (object) {
            json_put_string(buf, child->name);
            rf_buf_byte(buf, ':');
        }
        json_print(buf, child);
    }
    rf_buf_byte(buf, object ? '}' : ']');
}

rf_str json_to_text(struct rf_arena *arena, const struct json_node *node)
{
    struct rf_buf buf = rf_buf_in(arena);
    json_print(&buf, node);
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}
