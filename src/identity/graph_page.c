#define _GNU_SOURCE /* qsort_r */
#include <stdlib.h>

#include "identity/graph_int.h"

enum {
    PAGE_DEFAULT = 100,
    PAGE_MAX = 999,
    ORDER_MAX = 4,
    SCAN_CHUNK = 256, /* documents read from the state at a time */
    SCAN_BYTES_MAX = 64 << 20,
    TOKEN_BYTES_MAX = 4096
};

struct order {
    rf_str member;
    bool descending;
};
struct page {
    struct graph_call *call;
    const struct graph_entity *entity; /* NULL: several kinds */
    struct filter *filter;             /* NULL: all */
    rf_str search_member, search_text; /* empty: all */
    struct order orders[ORDER_MAX];
    uint32_t order_count;
    uint32_t top;
    bool wants_count;
    const struct json_node
        *after; /* members of the last document of the page before; NULL: from the start */
    /* what was found */
    struct json_node **docs;
    const struct graph_entity **kinds; /* NULL unless there are several */
    uint32_t count, cap;
    uint64_t total;
    bool more;
};

/* ---- options ------------------------------------------------------------------------------------------------------------------ */

rf_str graph_option(const struct graph_call *call, const char *name, bool *found)
{
    rf_str value = request_parameter(call->request, name, found);
    if (found != NULL && !*found) value = request_parameter(call->request, name + 1, found);
    return value;
}

static bool is_selected(rf_str list, rf_str name)
{
    for (size_t at = 0; at < list.len;) {
        size_t end = rf_str_find(list, RF_S(","), at);
        if (end == SIZE_MAX) end = list.len;
        rf_str word = rf_str_trim(rf_slice(list, at, end));
        if (rf_str_is(word, "*") || rf_str_eq_nocase(word, name)) return true;
        at = end + 1;
    }
    return false;
}

void graph_select(const struct graph_call *call, struct json_node *shown)
{
    bool found;
    rf_str list = graph_option(call, "$select", &found);
    /* The certificate itself is long: it comes only when it is asked for by name. */
    const struct json_node *keys = json_get(shown, "keyCredentials");
    if (json_is(keys, JSON_T_ARRAY) && !(found && is_selected(list, RF_S("keyCredentials"))))
        for (struct json_node *k = keys->first; k != NULL; k = k->next)
            (void)json_set(call->arena, k, RF_S("key"), json_new(call->arena, JSON_T_NULL));
    if (!found || list.len == 0) return;
    bool expanded;
    rf_str expand = graph_option(call, "$expand", &expanded);
    struct json_node *before = NULL;
    for (struct json_node *m = shown->first, *next; m != NULL; m = next) {
        next = m->next;
        size_t open = rf_str_find(expand, m->name, 0);
        bool keep = m->name.len > 0 && m->name.ptr[0] == '@';
        keep = keep || is_selected(list, m->name) || (expanded && open != SIZE_MAX);
        if (keep) {
            before = m;
            continue;
        }
        if (before == NULL)
            shown->first = next;
        else
            before->next = next;
        if (shown->last == m) shown->last = before;
        shown->count--;
    }
}

static bool is_property(const void *ctx, rf_str member)
{
    const struct graph_entity *entity = ctx;
    if (entity == NULL || rf_str_eq_nocase(member, RF_S("id"))) return true;
    for (uint32_t i = 0; i < entity->property_count; i++)
        if (rf_str_eq_nocase(member, rf_str_of(entity->properties[i].name))) return true;
    return false;
}

static enum rf_kind read_filter(struct page *page, struct rf_err *err)
{
    bool found;
    rf_str text = graph_option(page->call, "$filter", &found);
    if (!found) return RF_OK;
    RF_TRY(filter_parse(text, page->call->arena, &page->filter, err));
    return filter_check(page->filter, is_property, page->entity,
                        page->entity == NULL ? "directoryObject" : page->entity->type, err);
}

/* $search="displayName:text" */
static enum rf_kind read_search(struct page *page, struct rf_err *err)
{
    bool found;
    rf_str text = rf_str_trim(graph_option(page->call, "$search", &found));
    if (!found) return RF_OK;
    rf_str level = http_header(page->call->request->http, "consistencylevel", NULL);
    if (!rf_str_eq_nocase(level, RF_S("eventual")))
        return RF_FAIL(err, RF_INVALID, "Request_UnsupportedQuery",
                       "Request with $search query parameter only works through MSGraph with a "
                       "special request header: 'ConsistencyLevel: eventual'");
    if (text.len >= 2 && text.ptr[0] == '"' && rf_str_ends(text, RF_S("\"")))
        text = rf_slice(text, 1, text.len - 1);
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    if (colon == SIZE_MAX || colon == 0 || !is_property(page->entity, rf_slice(text, 0, colon)))
        return RF_FAIL(err, RF_INVALID, "Request_UnsupportedQuery",
                       "Unrecognized query argument specified: '$search' must be "
                       "\"property:text\".");
    page->search_member = rf_slice(text, 0, colon);
    page->search_text = rf_str_trim(rf_slice(text, colon + 1, text.len));
    return RF_OK;
}

static enum rf_kind read_order(struct page *page, struct rf_err *err)
{
    bool found;
    rf_str list = graph_option(page->call, "$orderby", &found);
    for (size_t at = 0; found && at < list.len;) {
        size_t end = rf_str_find(list, RF_S(","), at);
        if (end == SIZE_MAX) end = list.len;
        rf_str word = rf_str_trim(rf_slice(list, at, end));
        at = end + 1;
        struct order order = {.member = word};
        size_t blank = rf_str_find(word, RF_S(" "), 0);
        if (blank != SIZE_MAX) {
            rf_str way = rf_str_trim(rf_slice(word, blank, word.len));
            order.member = rf_slice(word, 0, blank);
            order.descending = rf_str_eq_nocase(way, RF_S("desc"));
            if (!order.descending && !rf_str_eq_nocase(way, RF_S("asc")))
                return graph_bad(err, "Invalid $orderby clause.");
        }
        if (page->order_count == ORDER_MAX || order.member.len == 0 ||
            !is_property(page->entity, order.member))
            return graph_bad(err, "Invalid $orderby clause: '%.*s' cannot be sorted by.",
                             (int)RF_MIN(word.len, 64), (const char *)word.ptr);
        page->orders[page->order_count++] = order;
    }
    return RF_OK;
}

static enum rf_kind read_top(struct page *page, struct rf_err *err)
{
    bool found;
    rf_str text = graph_option(page->call, "$top", &found);
    uint32_t top = found ? 0 : PAGE_DEFAULT;
    for (size_t i = 0; i < text.len && top <= PAGE_MAX; i++) {
        if (!rf_is_digit(text.ptr[i])) return graph_bad(err, "Invalid page size specified.");
        top = top * 10 + (text.ptr[i] - '0');
    }
    if (top < 1 || top > PAGE_MAX)
        return graph_bad(err,
                         "Invalid page size specified: '%.*s'. Must be between 1 and 999 "
                         "inclusive.",
                         (int)RF_MIN(text.len, 16), (const char *)text.ptr);
    page->top = top;
    bool has_count;
    rf_str count = graph_option(page->call, "$count", &has_count);
    page->wants_count = has_count && rf_str_eq_nocase(count, RF_S("true"));
    return RF_OK;
}

/* The token is the page's last document, of which only the members that the order needs are kept. */
static enum rf_kind read_token(struct page *page, struct rf_err *err)
{
    bool found;
    rf_str text = graph_option(page->call, "$skiptoken", &found), json;
    struct json_node *after = NULL;
    struct rf_err bad;
    if (!found) return RF_OK;
    if (text.len > TOKEN_BYTES_MAX ||
        base64url_decode(page->call->arena, text, &json, &bad) != RF_OK ||
        json_parse(json, page->call->arena, &after, &bad) != RF_OK ||
        json_text_at(after, "id").len == 0)
        return RF_FAIL(err, RF_INVALID, "Directory_ExpiredPageToken",
                       "The specified page token value has expired and can no longer be included "
                       "in your request.");
    page->after = after;
    return RF_OK;
}

static enum rf_kind page_read(struct graph_call *call, const struct graph_entity *entity,
                              struct page *page, struct rf_err *err)
{
    *page = (struct page){.call = call, .entity = entity};
    bool skip;
    (void)graph_option(call, "$skip", &skip);
    if (skip) return graph_bad(err, "'$skip' is not supported by the service.");
    RF_TRY(read_filter(page, err));
    RF_TRY(read_search(page, err));
    RF_TRY(read_order(page, err));
    RF_TRY(read_top(page, err));
    return read_token(page, err);
}

/* ---- collecting --------------------------------------------------------------------------------------------------------------- */

static int compare_member(const struct json_node *a, const struct json_node *b)
{
    bool no_a = a == NULL || a->type == JSON_T_NULL, no_b = b == NULL || b->type == JSON_T_NULL;
    if (no_a || no_b) return (int)no_b - (int)no_a;
    if (a->type != b->type) return (int)a->type - (int)b->type;
    size_t len = RF_MIN(a->text.len, b->text.len);
    for (size_t i = 0; i < len; i++) {
        int x = rf_lower(a->text.ptr[i]), y = rf_lower(b->text.ptr[i]);
        if (x != y) return x - y;
    }
    return a->text.len < b->text.len ? -1 : a->text.len > b->text.len;
}

static int compare_docs(const struct page *page, const struct json_node *a,
                        const struct json_node *b)
{
    for (uint32_t i = 0; i < page->order_count; i++) {
        rf_str member = page->orders[i].member;
        int order = compare_member(json_get_nocase(a, member), json_get_nocase(b, member));
        if (order != 0) return page->orders[i].descending ? -order : order;
    }
    return compare_member(json_get(a, "id"), json_get(b, "id"));
}

/* A word of the text begins with it, or the text does. */
static bool search_fits(const struct page *page, const struct json_node *doc)
{
    if (page->search_text.len == 0) return true;
    const struct json_node *value = json_get_nocase(doc, page->search_member);
    if (!json_is(value, JSON_T_STRING)) return false;
    rf_str text = value->text, part = page->search_text;
    for (size_t at = 0; at + part.len <= text.len; at++) {
        if (at > 0 && rf_is_alnum(text.ptr[at - 1])) continue;
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    }
    return false;
}

static enum rf_kind keep(struct page *page, const struct json_node *doc,
                         const struct graph_entity *kind, bool clone, struct rf_err *err)
{
    struct rf_arena *arena = page->call->arena;
    if (page->count == page->cap) {
        uint32_t cap = page->cap == 0 ? 128 : page->cap * 2;
        page->docs = rf_arena_grow(arena, page->docs, page->cap * sizeof *page->docs,
                                   cap * sizeof *page->docs);
        page->kinds = rf_arena_grow(arena, page->kinds, page->cap * sizeof *page->kinds,
                                    cap * sizeof *page->kinds);
        if (page->docs == NULL || page->kinds == NULL) return graph_memory(page->call, err);
        page->cap = cap;
    }
    struct json_node *copy = clone ? json_clone(arena, doc) : NULL;
    if (clone && copy == NULL) return graph_memory(page->call, err);
    /* Not cloned: it lives in the call's arena already, and nobody writes to it. */
    page->docs[page->count] = clone ? copy : (struct json_node *)(uintptr_t)doc;
    page->kinds[page->count++] = kind;
    return RF_OK;
}

/* Takes a document that comes in the order of ids. *done: the page is full, and the rest need not be looked at. */
static enum rf_kind offer(struct page *page, const struct json_node *doc,
                          const struct graph_entity *kind, bool clone, bool *done,
                          struct rf_err *err)
{
    if (page->filter != NULL && !filter_match(page->filter, doc)) return RF_OK;
    if (!search_fits(page, doc)) return RF_OK;
    page->total++;
    if (page->after != NULL && compare_docs(page, doc, page->after) <= 0) return RF_OK;
    if (page->order_count == 0 && page->count == page->top) {
        page->more = true;
        *done = !page->wants_count;
        return RF_OK;
    }
    return keep(page, doc, kind, clone, err);
}

struct sorted {
    struct json_node *doc;
    const struct graph_entity *kind;
};

static int compare_sorted(const void *a, const void *b, void *page)
{
    const struct sorted *x = a, *y = b;
    return compare_docs(page, x->doc, y->doc);
}

static enum rf_kind sort_page(struct page *page, struct rf_err *err)
{
    if (page->order_count == 0) return RF_OK;
    struct sorted *items = rf_arena_new(page->call->arena, struct sorted, page->count);
    if (items == NULL) return graph_memory(page->call, err);
    for (uint32_t i = 0; i < page->count; i++)
        items[i] = (struct sorted){page->docs[i], page->kinds[i]};
    qsort_r(items, page->count, sizeof *items, compare_sorted, page);
    for (uint32_t i = 0; i < page->count; i++) {
        page->docs[i] = items[i].doc;
        page->kinds[i] = items[i].kind;
    }
    page->more = page->count > page->top;
    page->count = RF_MIN(page->count, page->top);
    return RF_OK;
}

/* ---- the answer ----------------------------------------------------------------------------------------------------------------- */

static rf_str token_of(const struct page *page, const struct json_node *last)
{
    struct rf_arena *arena = page->call->arena;
    struct json_node *token = json_new(arena, JSON_T_OBJECT);
    for (uint32_t i = 0; i < page->order_count; i++) {
        const struct json_node *value = json_get_nocase(last, page->orders[i].member);
        if (value != NULL) json_set(arena, token, value->name, json_clone(arena, value));
    }
    if (json_set_text(arena, token, "id", json_text_at(last, "id")) == NULL) return (rf_str){0};
    rf_str text = json_to_text(arena, token);
    return text.ptr == NULL ? text : base64url_encode(arena, text);
}

/* The same request with another token. */
static rf_str next_link(const struct page *page)
{
    const struct request *request = page->call->request;
    struct rf_arena *arena = page->call->arena;
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%.*s%.*s?", RF_FMT(request->origin), RF_FMT(page->call->path));
    for (uint32_t i = 0; i < request->parameter_count; i++) {
        rf_str name = request->parameters[i].name;
        if (rf_str_eq_nocase(name, RF_S("$skiptoken")) || rf_str_eq_nocase(name, RF_S("skiptoken")))
            continue;
        /* The dollar sign stays as it is: people read these links. */
        bool dollar = rf_str_starts(name, RF_S("$"));
        rf_str bare = dollar ? rf_slice(name, 1, name.len) : name;
        rf_buf_printf(&buf, "%s%.*s=%.*s&", dollar ? "$" : "", RF_FMT(percent_encode(arena, bare)),
                      RF_FMT(percent_encode(arena, request->parameters[i].value)));
    }
    rf_str token = token_of(page, page->docs[page->count - 1]);
    rf_buf_str(&buf, RF_S("$skiptoken="));
    rf_buf_str(&buf, token);
    if (buf.failed || token.ptr == NULL) return (rf_str){0};
    return rf_buf_view(&buf);
}

static enum rf_kind expand_item(struct graph_call *call, const struct graph_entity *entity,
                                struct json_node *shown, struct rf_err *err)
{
    bool found;
    rf_str name = graph_option(call, "$expand", &found);
    size_t open = rf_str_find(name, RF_S("("), 0);
    if (open != SIZE_MAX) name = rf_slice(name, 0, open);
    if (!found || name.len == 0) return RF_OK;
    enum rf_kind kind = entity == NULL || entity->expand == NULL
                            ? RF_NOT_FOUND
                            : entity->expand(call, shown, name, err);
    if (kind != RF_NOT_FOUND) return kind;
    return graph_bad(err, "Parsing OData Select and Expand failed: there is no relation '%.*s'.",
                     (int)RF_MIN(name.len, 64), (const char *)name.ptr);
}

static enum rf_kind page_answer(struct page *page, const char *context, bool typed,
                                struct rf_err *err)
{
    struct graph_call *call = page->call;
    struct rf_arena *arena = call->arena;
    struct json_node *root = json_new(arena, JSON_T_OBJECT);
    struct json_node *list = json_new(arena, JSON_T_ARRAY);
    if (root == NULL || list == NULL) return graph_memory(call, err);
    RF_TRY(sort_page(page, err));
    for (uint32_t i = 0; i < page->count; i++) {
        struct json_node *shown;
        RF_TRY(graph_show(call, page->kinds[i], page->docs[i], typed, &shown, err));
        RF_TRY(expand_item(call, page->kinds[i], shown, err));
        graph_select(call, shown);
        json_append(list, shown);
    }
    json_set_text(arena, root, "@odata.context", graph_context(call, context));
    if (page->wants_count) json_set_i64(arena, root, "@odata.count", (int64_t)page->total);
    if (page->more) {
        rf_str link = next_link(page);
        if (link.ptr == NULL) return graph_memory(call, err);
        json_set_text(arena, root, "@odata.nextLink", link);
    }
    if (json_set(arena, root, RF_S("value"), list) == NULL) return graph_memory(call, err);
    call->answer = root;
    return RF_OK;
}

static bool is_indexed(const void *ctx, rf_str member)
{
    const struct graph_entity *entity = ctx;
    return object_indexed(entity->space, member);
}

/* Reads the space chunk by chunk into an arena that is emptied, so that only what is kept stays. */
static enum rf_kind scan_space(struct page *page, struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, SCAN_BYTES_MAX);
    struct state_scan scan = {.space = page->entity->space, .limit = SCAN_CHUNK};
    rf_str member, value;
    char name[64];
    if (page->filter != NULL &&
        filter_needs(page->filter, is_indexed, page->entity, &member, &value) &&
        member.len < sizeof name) {
        memcpy(name, member.ptr, member.len);
        name[member.len] = '\0';
        scan.index = name;
        scan.value = text_lower(page->call->arena, value);
    }
    uint8_t after[256];
    bool done = false, more = true;
    if (page->after != NULL && page->order_count == 0 && !page->wants_count)
        scan.after = json_text_at(page->after, "id");
    while (more && !done) {
        struct state_list list;
        rf_arena_reset(&arena);
        RF_TRY(state_list(page->call->txn, &scan, &arena, &list, err));
        for (uint32_t i = 0; i < list.count && !done; i++) {
            struct json_node *doc;
            RF_TRY(json_parse(list.items[i].body, &arena, &doc, err));
            RF_TRY(offer(page, doc, page->entity, true, &done, err));
        }
        more = list.more && list.count > 0;
        if (!more) break;
        rf_str last = list.items[list.count - 1].key;
        RF_ASSERT(last.len <= sizeof after);
        memcpy(after, last.ptr, last.len);
        scan.after = rf_str_make(after, last.len);
    }
    return RF_OK;
}

enum rf_kind graph_list_space(struct graph_call *call, const struct graph_entity *entity,
                              struct rf_err *err)
{
    struct page page;
    RF_TRY(page_read(call, entity, &page, err));
    RF_TRY(scan_space(&page, err));
    return page_answer(&page, entity->set, false, err);
}

static int compare_ids(const void *a, const void *b)
{
    const struct sorted *x = a, *y = b;
    return compare_member(json_get(x->doc, "id"), json_get(y->doc, "id"));
}

enum rf_kind graph_list_items(struct graph_call *call, const struct graph_items *items,
                              struct rf_err *err)
{
    struct page page;
    bool done = false;
    RF_TRY(page_read(call, NULL, &page, err));
    struct sorted *sorted = rf_arena_new(call->arena, struct sorted, items->count);
    if (sorted == NULL) return graph_memory(call, err);
    for (uint32_t i = 0; i < items->count; i++)
        sorted[i] =
            (struct sorted){items->docs[i], items->entities == NULL ? NULL : items->entities[i]};
    qsort(sorted, items->count, sizeof *sorted, compare_ids);
    for (uint32_t i = 0; i < items->count && !done; i++)
        RF_TRY(offer(&page, sorted[i].doc, sorted[i].kind, false, &done, err));
    return page_answer(&page, items->context, items->entities != NULL, err);
}

enum rf_kind graph_entity_count(struct graph_call *call, struct rf_err *err)
{
    struct page page;
    RF_TRY(page_read(call, call->route->entity, &page, err));
    page.wants_count = true;
    page.top = 1;
    page.order_count = 0;
    RF_TRY(scan_space(&page, err));
    call->plain = rf_arena_printf(call->arena, "%llu", (unsigned long long)page.total);
    return call->plain.ptr == NULL ? graph_memory(call, err) : RF_OK;
}
