/* regex_class.c - sets of code points: union, case variants, complement, Unicode classes. */
#include "base/regex_int.h"

#include <stdlib.h>

bool regex_grow(struct rf_arena *arena, void **items, uint32_t *cap, size_t bytes_each)
{
    uint32_t wanted = *cap == 0 ? 16 : *cap * 2;
    if (*cap > UINT32_MAX / 4) return false;
    void *grown = rf_arena_grow(arena, *items, *cap * bytes_each, wanted * bytes_each);
    if (grown == NULL) return false;
    *items = grown;
    *cap = wanted;
    return true;
}

void regex_spans_add(struct regex_spans *spans, uint32_t low, uint32_t high)
{
    if (low > high) return;
    if (spans->count > 0) { /* most classes are written in order */
        struct regex_span *last = &spans->items[spans->count - 1];
        if (low == last->high + 1) {
            last->high = high;
            return;
        }
    }
    if (spans->count == spans->cap) {
        void *items = spans->items;
        if (!regex_grow(spans->arena, &items, &spans->cap, sizeof *spans->items)) {
            spans->failed = true;
            return;
        }
        spans->items = items;
    }
    spans->items[spans->count++] = (struct regex_span){low, high};
}

static int span_cmp(const void *a, const void *b)
{
    const struct regex_span *x = a, *y = b;
    return x->low < y->low ? -1 : x->low > y->low;
}

void regex_spans_normalize(struct regex_spans *spans)
{
    if (spans->count < 2) return;
    qsort(spans->items, spans->count, sizeof *spans->items, span_cmp);
    uint32_t kept = 0;
    for (uint32_t i = 1; i < spans->count; i++) {
        struct regex_span *last = &spans->items[kept], span = spans->items[i];
        if (span.low <= last->high + 1) {
            last->high = RF_MAX(last->high, span.high);
        } else {
            spans->items[++kept] = span;
        }
    }
    spans->count = kept + 1;
}

void regex_spans_negate(struct regex_spans *spans)
{
    regex_spans_normalize(spans);
    uint32_t next = 0, count = spans->count;
    struct regex_spans out = {.arena = spans->arena, .failed = spans->failed};
    for (uint32_t i = 0; i < count; i++) {
        if (spans->items[i].low > next) regex_spans_add(&out, next, spans->items[i].low - 1);
        next = spans->items[i].high + 1;
    }
    if (next <= UNICODE_MAX) regex_spans_add(&out, next, UNICODE_MAX);
    *spans = out;
}

/* Adds for each code point of low..high inside from..to (steps of `stride` from `from`) the point
 * moved by `delta`. */
static void add_moved(struct regex_spans *spans, struct regex_span span, uint32_t from, uint32_t to,
                      uint32_t stride, int64_t delta)
{
    uint32_t low = RF_MAX(span.low, from), high = RF_MIN(span.high, to);
    if (low > high) return;
    if (stride == 1) {
        regex_spans_add(spans, (uint32_t)(low + delta), (uint32_t)(high + delta));
        return;
    }
    uint32_t off = (low - from) % stride;
    if (off != 0) low += stride - off;
    for (uint32_t cp = low; cp <= high; cp += stride)
        regex_spans_add(spans, (uint32_t)(cp + delta), (uint32_t)(cp + delta));
}

/* Two letters are variants when they fold alike. So: first add the folded forms, then everything
 * that folds to what is there by now. */
void regex_spans_fold(struct regex_spans *spans)
{
    regex_spans_normalize(spans);
    uint32_t count = spans->count;
    for (uint32_t i = 0; i < count && !spans->failed; i++) {
        add_moved(spans, spans->items[i], 'A', 'Z', 1, 32);
        for (size_t m = 0; m < unicode_fold_count; m++) {
            const struct unicode_map *map = &unicode_fold_map[m];
            add_moved(spans, spans->items[i], map->low, map->high, map->stride, map->delta);
        }
    }
    regex_spans_normalize(spans);
    count = spans->count;
    for (uint32_t i = 0; i < count && !spans->failed; i++) {
        add_moved(spans, spans->items[i], 'a', 'z', 1, -32);
        for (size_t m = 0; m < unicode_fold_count; m++) {
            const struct unicode_map *map = &unicode_fold_map[m];
            add_moved(spans, spans->items[i], (uint32_t)((int64_t)map->low + map->delta),
                      (uint32_t)((int64_t)map->high + map->delta), map->stride,
                      -(int64_t)map->delta);
        }
    }
    regex_spans_normalize(spans);
}

static void add_class(struct regex_spans *spans, const struct unicode_class *class)
{
    for (uint32_t i = 0; i < class->count; i++) {
        const struct unicode_range *range = &unicode_ranges[class->first + i];
        if (range->stride == 1) {
            regex_spans_add(spans, range->low, range->high);
            continue;
        }
        for (uint32_t cp = range->low; cp <= range->high; cp += range->stride)
            regex_spans_add(spans, cp, cp);
    }
}

static const struct {
    const char *name, *category;
} long_names[] = {
    {"Letter", "L"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"Letter_Number", "Nl"},
    {"Punctuation", "P"},
    {"Symbol", "S"},
    {"Currency_Symbol", "Sc"},
    {"Math_Symbol", "Sm"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Control", "Cc"},
    {"Format", "Cf"},
};

bool regex_spans_add_unicode(struct regex_spans *spans, rf_str name)
{
    if (rf_str_is(name, "Any")) {
        regex_spans_add(spans, 0, UNICODE_MAX);
        return true;
    }
    for (size_t i = 0; i < RF_COUNT(long_names); i++)
        if (rf_str_is(name, long_names[i].name)) name = rf_str_of(long_names[i].category);
    const struct unicode_class *class = unicode_class_find(name);
    if (class != NULL) {
        add_class(spans, class);
        return true;
    }
    if (name.len != 1) return false;
    bool found = false;
    for (size_t i = 0; i < unicode_class_count; i++) {
        const char *category = unicode_classes[i].name;
        if (strlen(category) != 2 || category[0] != (char)name.ptr[0]) continue;
        add_class(spans, &unicode_classes[i]);
        found = true;
    }
    return found;
}
