#include "authz/route_tree_int.h"

#include <stdlib.h>

/* ---- patterns -------------------------------------------------------------------------------------------- */

enum segment_kind { SEGMENT_LITERAL, SEGMENT_PART, SEGMENT_ONE, SEGMENT_REST };
struct segment {
    enum segment_kind kind;
    rf_str text,
        suffix;  /* LITERAL: all of it; PART: what stands in front of and behind the variable */
    rf_str name; /* of the variable */
};

struct route_entry {
    const struct route *route;
    const struct service *service;
    bool has_scope; /* "{scope*}" stands in front; it is not among the segments */
    rf_str scope_name;
    struct segment segments[PATTERN_SEGMENTS_MAX];
    uint32_t count, variable_count;
};

/* ---- the tree -------------------------------------------------------------------------------------------- */

struct leaf {
    const struct route_entry *of[HTTP_METHOD_COUNT];
};
struct node;
struct edge {
    rf_str text, suffix;
    struct node *to;
};
struct edges {
    struct edge *items;
    uint32_t count, cap;
};
struct node {
    struct edges literals; /* sorted without case, for bisection */
    struct edges parts;    /* those with the longest literals first */
    struct node *one;
    struct leaf *here, *rest; /* routes that end here, and that take all that follows */
};

struct route_tree {
    struct rf_arena arena;
    struct node *front, *extension;
    const struct route_entry **entries;
    uint32_t count, cap;
};

enum { TREE_BYTES_MAX = 64 << 20 };

struct route_tree *route_tree_new(void)
{
    struct route_tree *tree = calloc(1, sizeof *tree);
    if (tree == NULL) return NULL;
    rf_arena_init(&tree->arena, TREE_BYTES_MAX);
    tree->front = rf_arena_new(&tree->arena, struct node, 1);
    tree->extension = rf_arena_new(&tree->arena, struct node, 1);
    if (tree->front != NULL && tree->extension != NULL) return tree;
    route_tree_free(tree);
    return NULL;
}

void route_tree_free(struct route_tree *tree)
{
    if (tree == NULL) return;
    rf_arena_done(&tree->arena);
    free(tree);
}

uint32_t route_tree_count(const struct route_tree *tree) { return tree->count; }

const struct route *route_tree_at(const struct route_tree *tree, uint32_t index,
                                  const struct service **service)
{
    if (index >= tree->count) return NULL;
    if (service != NULL) *service = tree->entries[index]->service;
    return tree->entries[index]->route;
}

/* ---- compiling ------------------------------------------------------------------------------------------- */

static enum rf_kind bad_route(const struct route *route, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadRoute", "%s: %s", route->path, why);
}

static bool is_name(rf_str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '_') return false;
    return name.len > 0;
}

/* Reads "text{name*}suffix"; false when the braces do not fit. */
static bool read_segment(rf_str text, struct segment *out)
{
    size_t open = rf_str_find(text, RF_S("{"), 0), close = rf_str_find(text, RF_S("}"), 0);
    if (open == SIZE_MAX && close == SIZE_MAX) {
        *out = (struct segment){.kind = SEGMENT_LITERAL, .text = text};
        return true;
    }
    if (open == SIZE_MAX || close == SIZE_MAX || close < open) return false;
    *out = (struct segment){.kind = SEGMENT_ONE,
                            .text = rf_slice(text, 0, open),
                            .suffix = rf_slice(text, close + 1, text.len),
                            .name = rf_slice(text, open + 1, close)};
    if (out->text.len + out->suffix.len > 0) out->kind = SEGMENT_PART;
    if (rf_str_ends(out->name, RF_S("*"))) {
        if (out->kind == SEGMENT_PART) return false;
        out->kind = SEGMENT_REST;
        out->name.len--;
    }
    return is_name(out->name);
}

static bool repeats_name(const struct route_entry *entry, rf_str name)
{
    if (rf_str_eq(entry->scope_name, name)) return true;
    for (uint32_t i = 0; i < entry->count; i++)
        if (rf_str_eq(entry->segments[i].name, name)) return true;
    return false;
}

/* Adds a segment to the entry; NULL, or what is wrong. */
static const char *take_segment(struct route_entry *entry, rf_str text)
{
    struct segment segment;
    if (text.len == 0) return "an empty segment";
    if (!read_segment(text, &segment)) return "a variable that cannot be read";
    if (entry->count > 0 && entry->segments[entry->count - 1].kind == SEGMENT_REST)
        return "something behind {name*}";
    if (segment.kind != SEGMENT_LITERAL) {
        if (repeats_name(entry, segment.name)) return "a variable twice";
        if (++entry->variable_count > ROUTE_VARIABLES_MAX) return "too many variables";
    }
    if (entry->count == PATTERN_SEGMENTS_MAX) return "too many segments";
    entry->segments[entry->count++] = segment;
    return NULL;
}

/* "{scope*}" in front with something behind it is an extension route. */
static bool take_scope(struct route_entry *entry, rf_str text, bool is_last)
{
    struct segment segment;
    if (is_last || !read_segment(text, &segment) || segment.kind != SEGMENT_REST) return false;
    entry->has_scope = true;
    entry->scope_name = segment.name;
    entry->variable_count = 1;
    return true;
}

static enum rf_kind compile(struct route_entry *entry, struct rf_err *err)
{
    rf_str text = rf_str_of(entry->route->path);
    if (text.len == 0 || text.ptr[0] != '/')
        return bad_route(entry->route, "no slash in front", err);
    for (size_t at = 1; at < text.len;) {
        size_t slash = rf_str_find(text, RF_S("/"), at);
        size_t end = slash == SIZE_MAX ? text.len : slash;
        rf_str segment = rf_slice(text, at, end);
        if (at != 1 || !take_scope(entry, segment, slash == SIZE_MAX)) {
            const char *wrong = take_segment(entry, segment);
            if (wrong != NULL) return bad_route(entry->route, wrong, err);
        }
        at = end + 1;
    }
    if (entry->has_scope && (entry->count == 0 || entry->segments[0].kind != SEGMENT_LITERAL))
        return bad_route(entry->route, "no literal behind {scope*}", err);
    return RF_OK;
}

/* ---- building -------------------------------------------------------------------------------------------- */

static int compare_nocase(rf_str a, rf_str b)
{
    size_t least = RF_MIN(a.len, b.len);
    for (size_t i = 0; i < least; i++) {
        int difference = (int)rf_lower(a.ptr[i]) - (int)rf_lower(b.ptr[i]);
        if (difference != 0) return difference;
    }
    return a.len < b.len ? -1 : a.len > b.len;
}

/* The place of `text` among sorted edges: where it is, or where it belongs. */
static uint32_t edge_place(const struct edges *edges, rf_str text, bool *there)
{
    uint32_t low = 0, high = edges->count;
    *there = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = compare_nocase(edges->items[middle].text, text);
        if (order == 0) {
            *there = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct node *edge_insert(struct rf_arena *arena, struct edges *edges, uint32_t at,
                                const struct segment *segment)
{
    if (edges->count == edges->cap) {
        uint32_t cap = edges->cap == 0 ? 4 : edges->cap * 2;
        struct edge *items = rf_arena_new(arena, struct edge, cap);
        if (items == NULL) return NULL;
        if (edges->count > 0) memcpy(items, edges->items, edges->count * sizeof *items);
        edges->items = items;
        edges->cap = cap;
    }
    struct node *to = rf_arena_new(arena, struct node, 1);
    if (to == NULL) return NULL;
    memmove(edges->items + at + 1, edges->items + at, (edges->count - at) * sizeof *edges->items);
    edges->items[at] = (struct edge){.text = segment->text, .suffix = segment->suffix, .to = to};
    edges->count++;
    return to;
}

static struct node *literal_child(struct rf_arena *arena, struct node *node,
                                  const struct segment *segment)
{
    bool there;
    uint32_t at = edge_place(&node->literals, segment->text, &there);
    return there ? node->literals.items[at].to : edge_insert(arena, &node->literals, at, segment);
}

static struct node *part_child(struct rf_arena *arena, struct node *node,
                               const struct segment *segment)
{
    size_t len = segment->text.len + segment->suffix.len;
    uint32_t at = 0;
    for (uint32_t i = 0; i < node->parts.count; i++) {
        const struct edge *edge = &node->parts.items[i];
        if (rf_str_eq_nocase(edge->text, segment->text) &&
            rf_str_eq_nocase(edge->suffix, segment->suffix))
            return edge->to;
        if (edge->text.len + edge->suffix.len >= len) at = i + 1;
    }
    return edge_insert(arena, &node->parts, at, segment);
}

/* The leaf at which an entry ends, made when it is not there; NULL on lack of memory. */
static struct leaf *leaf_of(struct route_tree *tree, const struct route_entry *entry)
{
    struct rf_arena *arena = &tree->arena;
    struct node *node = entry->has_scope ? tree->extension : tree->front;
    struct leaf **leaf = NULL;
    for (uint32_t i = 0; i < entry->count && node != NULL && leaf == NULL; i++) {
        const struct segment *segment = &entry->segments[i];
        switch (segment->kind) {
        case SEGMENT_LITERAL:
            node = literal_child(arena, node, segment);
            break;
        case SEGMENT_PART:
            node = part_child(arena, node, segment);
            break;
        case SEGMENT_ONE:
            if (node->one == NULL) node->one = rf_arena_new(arena, struct node, 1);
            node = node->one;
            break;
        case SEGMENT_REST:
            leaf = &node->rest;
            break;
        }
    }
    if (node == NULL) return NULL;
    if (leaf == NULL) leaf = &node->here;
    if (*leaf == NULL) *leaf = rf_arena_new(arena, struct leaf, 1);
    return *leaf;
}

static bool keep_entry(struct route_tree *tree, const struct route_entry *entry)
{
    if (tree->count == tree->cap) {
        uint32_t cap = tree->cap == 0 ? 64 : tree->cap * 2;
        const struct route_entry **entries =
            rf_arena_new(&tree->arena, const struct route_entry *, cap);
        if (entries == NULL) return false;
        if (tree->count > 0) memcpy(entries, tree->entries, tree->count * sizeof(*entries));
        tree->entries = entries;
        tree->cap = cap;
    }
    tree->entries[tree->count++] = entry;
    return true;
}

enum rf_kind route_tree_add(struct route_tree *tree, const struct route *route,
                            const struct service *service, struct rf_err *err)
{
    struct route_entry *entry = rf_arena_new(&tree->arena, struct route_entry, 1);
    if (entry == NULL) return rf_fail_memory(err, &tree->arena);
    entry->route = route;
    entry->service = service;
    RF_TRY(compile(entry, err));
    struct leaf *leaf = leaf_of(tree, entry);
    if (leaf == NULL) return rf_fail_memory(err, &tree->arena);
    const struct route_entry *before = leaf->of[route->method];
    if (before != NULL)
        return RF_FAIL(err, RF_CONFLICT, "RouteExists", "%s %s of %s is %s of %s too",
                       http_method_name(route->method), route->path, service->name,
                       before->route->path, before->service->name);
    if (!keep_entry(tree, entry)) return rf_fail_memory(err, &tree->arena);
    leaf->of[route->method] = entry;
    return RF_OK;
}

/* ---- finding --------------------------------------------------------------------------------------------- */

struct search {
    const struct path *path;
    rf_str query;
    enum http_method method;
    unsigned methods;
    const struct route_entry *found;
};

static const struct route_entry *usable(const struct search *search,
                                        const struct route_entry *entry)
{
    if (entry == NULL || entry->route->unless == NULL) return entry;
    return query_names(search->query, entry->route->unless) ? NULL : entry;
}

static bool try_leaf(struct search *search, const struct leaf *leaf)
{
    if (leaf == NULL) return false;
    for (unsigned m = 0; m < HTTP_METHOD_COUNT; m++)
        if (usable(search, leaf->of[m]) != NULL) search->methods |= 1u << m;
    search->found = usable(search, leaf->of[search->method]);
    if (search->found == NULL && search->method == HTTP_HEAD)
        search->found = usable(search, leaf->of[HTTP_GET]);
    return search->found != NULL;
}

static bool part_fits(const struct edge *edge, rf_str segment)
{
    size_t around = edge->text.len + edge->suffix.len;
    return segment.len > around &&
           rf_str_eq_nocase(rf_slice(segment, 0, edge->text.len), edge->text) &&
           rf_str_eq_nocase(rf_slice(segment, segment.len - edge->suffix.len, segment.len),
                            edge->suffix);
}

/* Depth is bounded by the tree, which is ours: at most PATTERN_SEGMENTS_MAX. */
static bool walk(struct search *search, const struct node *node, uint32_t at)
{
    if (node == NULL) return false;
    if (at == search->path->count) return try_leaf(search, node->here);
    rf_str segment = search->path->segments[at];
    bool there;
    uint32_t place = edge_place(&node->literals, segment, &there);
    if (there && walk(search, node->literals.items[place].to, at + 1)) return true;
    for (uint32_t i = 0; i < node->parts.count; i++)
        if (part_fits(&node->parts.items[i], segment) &&
            walk(search, node->parts.items[i].to, at + 1))
            return true;
    if (walk(search, node->one, at + 1)) return true;
    return try_leaf(search, node->rest);
}

static uint32_t count_literals(const struct route_entry *entry, uint32_t from)
{
    uint32_t count = 0;
    for (uint32_t i = from; i < entry->count; i++)
        count += entry->segments[i].kind == SEGMENT_LITERAL;
    return count;
}

/* The extension route at the last place in the path where one fits. */
static bool walk_extensions(struct search *search, const struct node *root, uint32_t *place)
{
    for (uint32_t at = search->path->count; at-- > 0;) {
        if (!walk(search, root, at)) continue;
        *place = at;
        return true;
    }
    return false;
}

void route_tree_find(const struct route_tree *tree, const struct path *path, rf_str query,
                     enum http_method method, struct route_found *found)
{
    struct search front = {.path = path, .query = query, .method = method}, extension = front;
    if (!path->has_gaps) walk(&front, tree->front, 0);
    uint32_t place = 0;
    const struct route_entry *entry = front.found;
    if (walk_extensions(&extension, tree->extension, &place) &&
        (entry == NULL || count_literals(extension.found, 0) > count_literals(entry, place)))
        entry = extension.found;
    *found = (struct route_found){.entry = entry, .methods = front.methods | extension.methods};
    if (entry == NULL) return;
    found->route = entry->route;
    found->service = entry->service;
    found->scope_segments = entry->has_scope ? place : 0;
}

/* ---- variables ------------------------------------------------------------------------------------------- */

/* Segments with slashes between: a view of the path where nothing was decoded, else a copy. */
static bool join(const struct path *path, uint32_t from, uint32_t to, struct rf_arena *arena,
                 rf_str *out)
{
    *out = (rf_str){0};
    if (from == to) return true;
    bool is_whole = true;
    for (uint32_t i = from; i + 1 < to; i++)
        is_whole &=
            path->segments[i].ptr + path->segments[i].len + 1 == path->segments[i + 1].ptr &&
            path->segments[i].ptr[path->segments[i].len] == '/';
    if (is_whole) {
        const rf_str *last = &path->segments[to - 1];
        *out = rf_str_make(path->segments[from].ptr,
                           (size_t)(last->ptr + last->len - path->segments[from].ptr));
        return true;
    }
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = from; i < to; i++) {
        if (i > from) rf_buf_byte(&buf, '/');
        rf_buf_str(&buf, path->segments[i]);
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

enum rf_kind route_bind(const struct route_found *found, const struct path *path,
                        struct rf_arena *arena, struct route_variable *out, uint32_t *count,
                        struct rf_err *err)
{
    const struct route_entry *entry = found->entry;
    uint32_t bound = 0, at = found->scope_segments;
    if (entry->has_scope) {
        out[bound].name = entry->scope_name;
        if (!join(path, 0, at, arena, &out[bound++].value)) return rf_fail_memory(err, arena);
    }
    for (uint32_t i = 0; i < entry->count; i++, at++) {
        const struct segment *segment = &entry->segments[i];
        if (segment->kind == SEGMENT_LITERAL) continue;
        RF_ASSERT(bound < ROUTE_VARIABLES_MAX);
        out[bound].name = segment->name;
        rf_str value = path->segments[at];
        if (segment->kind == SEGMENT_PART)
            value = rf_slice(value, segment->text.len, value.len - segment->suffix.len);
        if (segment->kind == SEGMENT_REST && !join(path, at, path->count, arena, &value))
            return rf_fail_memory(err, arena);
        out[bound++].value = value;
    }
    *count = bound;
    return RF_OK;
}
