/* func_search.c - the text operators as functions: contains, has, startswith and their kin, =~ and !~,
 * has_any, has_all, has_any_index. */
#include "base/term.h"
#include "kql/func_families.h"
#include "value/dyn.h"

enum search_mode { CONTAINS, HAS, HAS_PREFIX, HAS_SUFFIX, STARTS_WITH, ENDS_WITH, EQUALS };

static bool has_border(const struct term_finder *finder, rf_str text, bool before, bool behind)
{
    for (size_t from = 0;; from++) {
        size_t bytes;
        from = term_finder_next(finder, text, from, &bytes);
        if (from == SIZE_MAX) return false;
        if (before && !term_border(text, from)) continue;
        if (!behind || term_border(text, from + bytes)) return true;
    }
}

/* `mode` is a constant at each call, so that each kernel gets a loop of its own. */
static inline __attribute__((always_inline)) bool
holds(enum search_mode mode, const struct term_finder *finder, rf_str text)
{
    switch (mode) {
    case CONTAINS:
        return term_finder_next(finder, text, 0, NULL) != SIZE_MAX;
    case HAS:
        return has_border(finder, text, true, true);
    case HAS_PREFIX:
        return has_border(finder, text, true, false);
    case HAS_SUFFIX:
        return has_border(finder, text, false, true);
    case STARTS_WITH:
        return term_finder_starts(finder, text);
    case ENDS_WITH:
        return term_finder_ends(finder, text);
    case EQUALS:
        return term_finder_equals(finder, text);
    }
    return false;
}

static inline __attribute__((always_inline)) enum rf_kind
search_rows(struct func_call *call, const struct vec *args, uint32_t count, struct vec *out,
            struct rf_err *err, enum search_mode mode, bool nocase, bool negate)
{
    const struct term_finder *finder = call->state;
    uint8_t *result = OUT_BOOL(out);
    struct term_finder own;
    for (uint32_t i = 0; i < count; i++) {
        if (call->state == NULL) {
            if (!term_finder_init(&own, ARG_STR(&args[1], i), nocase, call->arena))
                return rf_fail_memory(err, call->arena);
            finder = &own;
        }
        result[i] = holds(mode, finder, ARG_STR(&args[0], i)) != negate;
    }
    return RF_OK;
}

static bool ends_with(const char *name, const char *suffix)
{
    return rf_str_ends(rf_str_of(name), rf_str_of(suffix));
}

static enum rf_kind search_prepare(struct func_call *call, const struct vec *args,
                                   struct rf_err *err)
{
    if (args[1].data == NULL) return RF_OK;
    struct term_finder *finder = rf_arena_alloc(call->query_arena, sizeof *finder);
    bool nocase = !ends_with(call->func->name, "_cs");
    if (finder == NULL ||
        !term_finder_init(finder, ARG_STR(&args[1], 0), nocase, call->query_arena))
        return rf_fail_memory(err, call->query_arena);
    call->state = finder;
    return RF_OK;
}

/* name, mode, nocase: the operator and its negation. */
#define SEARCH_OPERATORS(X)                                                                        \
    X(contains, CONTAINS, true)                                                                    \
    X(contains_cs, CONTAINS, false)                                                                \
    X(has, HAS, true)                                                                              \
    X(has_cs, HAS, false)                                                                          \
    X(hasprefix, HAS_PREFIX, true)                                                                 \
    X(hasprefix_cs, HAS_PREFIX, false)                                                             \
    X(hassuffix, HAS_SUFFIX, true)                                                                 \
    X(hassuffix_cs, HAS_SUFFIX, false)                                                             \
    X(startswith, STARTS_WITH, true)                                                               \
    X(startswith_cs, STARTS_WITH, false)                                                           \
    X(endswith, ENDS_WITH, true)                                                                   \
    X(endswith_cs, ENDS_WITH, false)                                                               \
    X(equals, EQUALS, true)

#define SEARCH_KERNELS(name, mode, nocase)                                                         \
    FUNC_KERNEL(name##_kernel)                                                                     \
    {                                                                                              \
        return search_rows(call, args, count, out, err, mode, nocase, false);                      \
    }                                                                                              \
    FUNC_KERNEL(not_##name##_kernel)                                                               \
    {                                                                                              \
        return search_rows(call, args, count, out, err, mode, nocase, true);                       \
    }                                                                                              \
    static const struct func_overload name##_sigs[] = {                                            \
        {"(text:string, part:string) bool", name##_kernel}, {NULL, NULL}};                         \
    static const struct func_overload not_##name##_sigs[] = {                                      \
        {"(text:string, part:string) bool", not_##name##_kernel}, {NULL, NULL}};
SEARCH_OPERATORS(SEARCH_KERNELS)
#undef SEARCH_KERNELS

/* ---- lists of terms ------------------------------------------------------------------------------- */

/* A list made ready. Items that are one ASCII term each sit in a hash table, so that a list of
 * thousands costs one walk over the terms of the text; the others are searched for one by one. */
struct term_entry {
    rf_str term; /* lower case; ptr NULL: free */
    uint32_t index;
};
struct term_list {
    struct term_finder *finders;
    uint32_t *finder_index; /* position in the list */
    uint32_t finder_count;
    struct term_entry *table;
    uint32_t table_mask; /* 0: no table */
    size_t term_bytes_max;
};

/* Below this many items the vectorised search for each wins over hashing the terms of the text. */
enum { TABLE_ITEMS_MIN = 5 };

static bool plain_term(rf_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!rf_is_alnum(text.ptr[i])) return false;
    return text.len > 0;
}

static uint32_t term_hash(rf_str term)
{
    uint32_t hash = 2166136261u;
    for (size_t i = 0; i < term.len; i++) hash = (hash ^ rf_lower(term.ptr[i])) * 16777619u;
    return hash ^ hash >> 15;
}

static const struct term_entry *table_find(const struct term_list *list, rf_str term)
{
    uint32_t at = term_hash(term) & list->table_mask;
    for (; list->table[at].term.ptr != NULL; at = (at + 1) & list->table_mask)
        if (rf_str_eq_nocase(list->table[at].term, term)) return &list->table[at];
    return NULL;
}

static void table_put(struct term_list *list, rf_str term, uint32_t index)
{
    if (table_find(list, term) != NULL) return; /* the first of equals counts */
    uint32_t at = term_hash(term) & list->table_mask;
    while (list->table[at].term.ptr != NULL) at = (at + 1) & list->table_mask;
    list->table[at] = (struct term_entry){term, index};
    list->term_bytes_max = RF_MAX(list->term_bytes_max, term.len);
}

static bool item_text(rf_str item, struct rf_arena *arena, rf_str *text)
{
    if (dyn_tag(item) == DYN_STRING) {
        *text = dyn_string(item);
        return true;
    }
    struct rf_buf buf = rf_buf_in(arena);
    dyn_put_text(item, &buf);
    *text = rf_buf_view(&buf);
    return !buf.failed;
}

/* A scalar counts as a list of one. */
static bool list_make(rf_str values, bool use_table, struct rf_arena *arena, struct term_list *list)
{
    bool array = dyn_tag(values) == DYN_ARRAY;
    uint32_t count = array ? dyn_count(values) : dyn_is_null(values) ? 0 : 1;
    *list = (struct term_list){.finders = rf_arena_raw(arena, struct term_finder, count),
                               .finder_index = rf_arena_raw(arena, uint32_t, count)};
    if (list->finders == NULL || list->finder_index == NULL) return false;
    if (use_table && count >= TABLE_ITEMS_MIN) {
        uint32_t cap = 16;
        while (cap < 2 * (uint64_t)count) cap *= 2;
        list->table = rf_arena_new(arena, struct term_entry, cap);
        if (list->table == NULL) return false;
        list->table_mask = cap - 1;
    }
    for (uint32_t i = 0; i < count; i++) {
        rf_str text;
        if (!item_text(array ? dyn_item(values, i) : values, arena, &text)) return false;
        if (list->table_mask != 0 && plain_term(text)) {
            table_put(list, text, i);
            continue;
        }
        if (!term_finder_init(&list->finders[list->finder_count], text, true, arena)) return false;
        list->finder_index[list->finder_count++] = i;
    }
    return true;
}

/* Position of the first item of the list that the text has; `any` takes one at random. -1: none. */
static int64_t list_search(const struct term_list *list, rf_str text, bool any)
{
    int64_t best = -1;
    for (uint32_t i = 0; i < list->finder_count && (best < 0 || !any); i++)
        if (best < 0 && has_border(&list->finders[i], text, true, true))
            best = list->finder_index[i];
    if (list->table_mask == 0) return best;
    rf_str term;
    for (size_t at = 0; (best < 0 || !any) && term_next(text, &at, &term);) {
        if (term.len > list->term_bytes_max) continue;
        const struct term_entry *entry = table_find(list, term);
        if (entry != NULL && (best < 0 || entry->index < best)) best = entry->index;
    }
    return best;
}

static bool list_all(const struct term_list *list, rf_str text)
{
    for (uint32_t i = 0; i < list->finder_count; i++)
        if (!has_border(&list->finders[i], text, true, true)) return false;
    return true;
}

static bool wants_table(const struct func *func) { return !ends_with(func->name, "has_all"); }

static enum rf_kind list_prepare(struct func_call *call, const struct vec *args, struct rf_err *err)
{
    if (args[1].data == NULL) return RF_OK;
    struct term_list *list = rf_arena_alloc(call->query_arena, sizeof *list);
    if (list == NULL ||
        !list_make(ARG_STR(&args[1], 0), wants_table(call->func), call->query_arena, list))
        return rf_fail_memory(err, call->query_arena);
    call->state = list;
    return RF_OK;
}

/* The list of row i: the prepared one, or one made in `own`; NULL: no memory. */
static const struct term_list *list_of(struct func_call *call, const struct vec *values, uint32_t i,
                                       struct term_list *own)
{
    if (call->state != NULL) return call->state;
    return list_make(ARG_STR(values, i), false, call->arena, own) ? own : NULL;
}

static inline enum rf_kind list_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, struct rf_err *err, bool all, bool negate)
{
    struct term_list own;
    for (uint32_t i = 0; i < count; i++) {
        const struct term_list *list = list_of(call, &args[1], i, &own);
        if (list == NULL) return rf_fail_memory(err, call->arena);
        rf_str text = ARG_STR(&args[0], i);
        bool holds_here = all ? list_all(list, text) : list_search(list, text, true) >= 0;
        OUT_BOOL(out)[i] = holds_here != negate;
    }
    return RF_OK;
}

FUNC_KERNEL(has_any_kernel) { return list_rows(call, args, count, out, err, false, false); }
FUNC_KERNEL(not_has_any_kernel) { return list_rows(call, args, count, out, err, false, true); }
FUNC_KERNEL(has_all_kernel) { return list_rows(call, args, count, out, err, true, false); }
FUNC_KERNEL(not_has_all_kernel) { return list_rows(call, args, count, out, err, true, true); }

FUNC_KERNEL(has_any_index_kernel)
{
    struct term_list own;
    for (uint32_t i = 0; i < count; i++) {
        const struct term_list *list = list_of(call, &args[1], i, &own);
        if (list == NULL) return rf_fail_memory(err, call->arena);
        OUT_I64(out)[i] = list_search(list, ARG_STR(&args[0], i), false);
    }
    return RF_OK;
}

#define LIST_SIGS(name, kernel, result)                                                            \
    static const struct func_overload name[] = {{"(text:string, values:dynamic) " result, kernel}, \
                                                {NULL, NULL}};
LIST_SIGS(has_any_sigs, has_any_kernel, "bool")
LIST_SIGS(not_has_any_sigs, not_has_any_kernel, "bool")
LIST_SIGS(has_all_sigs, has_all_kernel, "bool")
LIST_SIGS(not_has_all_sigs, not_has_all_kernel, "bool")
LIST_SIGS(has_any_index_sigs, has_any_index_kernel, "long")

#define SEARCH(text, symbol, about)                                                                \
    {                                                                                              \
        .name = text, .doc = about, .sigs = symbol##_sigs, .prepare = search_prepare               \
    }
/* FUNC_CUSTOM: a null dynamic list is an empty one, and gives false and not null. */
#define LIST(text, symbol, about)                                                                  \
    {                                                                                              \
        .name = text, .doc = about, .sigs = symbol##_sigs, .nulls = FUNC_CUSTOM,                   \
        .prepare = list_prepare                                                                    \
    }

const struct func func_search[] = {
    SEARCH("contains", contains, "True when the text holds the part anywhere, without case."),
    SEARCH("!contains", not_contains, "True when the text does not hold the part, without case."),
    SEARCH("contains_cs", contains_cs, "True when the text holds the part anywhere, with case."),
    SEARCH("!contains_cs", not_contains_cs,
           "True when the text does not hold the part, with case."),
    SEARCH("has", has, "True when the part occurs as whole terms, without case."),
    SEARCH("!has", not_has, "True when the part does not occur as whole terms, without case."),
    SEARCH("has_cs", has_cs, "True when the part occurs as whole terms, with case."),
    SEARCH("!has_cs", not_has_cs, "True when the part does not occur as whole terms, with case."),
    SEARCH("hasprefix", hasprefix, "True when a term starts with the part, without case."),
    SEARCH("!hasprefix", not_hasprefix, "True when no term starts with the part, without case."),
    SEARCH("hasprefix_cs", hasprefix_cs, "True when a term starts with the part, with case."),
    SEARCH("!hasprefix_cs", not_hasprefix_cs, "True when no term starts with the part, with case."),
    SEARCH("hassuffix", hassuffix, "True when a term ends with the part, without case."),
    SEARCH("!hassuffix", not_hassuffix, "True when no term ends with the part, without case."),
    SEARCH("hassuffix_cs", hassuffix_cs, "True when a term ends with the part, with case."),
    SEARCH("!hassuffix_cs", not_hassuffix_cs, "True when no term ends with the part, with case."),
    SEARCH("startswith", startswith, "True when the text starts with the part, without case."),
    SEARCH("!startswith", not_startswith, "True when the text starts otherwise, without case."),
    SEARCH("startswith_cs", startswith_cs, "True when the text starts with the part, with case."),
    SEARCH("!startswith_cs", not_startswith_cs, "True when the text starts otherwise, with case."),
    SEARCH("endswith", endswith, "True when the text ends with the part, without case."),
    SEARCH("!endswith", not_endswith, "True when the text ends otherwise, without case."),
    SEARCH("endswith_cs", endswith_cs, "True when the text ends with the part, with case."),
    SEARCH("!endswith_cs", not_endswith_cs, "True when the text ends otherwise, with case."),
    SEARCH("=~", equals, "True when both texts are equal without case."),
    SEARCH("!~", not_equals, "True when the texts differ by more than case."),
    LIST("has_any", has_any, "True when the text has one of the listed terms, without case."),
    LIST("!has_any", not_has_any, "True when the text has none of the listed terms, without case."),
    LIST("has_all", has_all, "True when the text has all of the listed terms, without case."),
    LIST("!has_all", not_has_all, "True when one of the listed terms is missing, without case."),
    LIST("has_any_index", has_any_index,
         "Position of the first listed term that the text has, -1 when it has none."),
};
const size_t func_search_count = RF_COUNT(func_search);
