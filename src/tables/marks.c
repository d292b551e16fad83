#include "tables/marks_int.h"

#include <stdlib.h>

#include "crypt/digest.h"

uint64_t table_mark_source(rf_str name)
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(name, digest);
    return rf_get_u64le(digest);
}

void marks_free(struct mark_list *list)
{
    free(list->items);
    *list = (struct mark_list){0};
}

/* ---- the list --------------------------------------------------------------------------------------------------------- */

/* The first that is not before it. */
static uint32_t place_of(const struct mark_list *list, uint64_t source, uint32_t part)
{
    uint32_t from = 0, to = list->count;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        const struct table_mark *m = &list->items[middle];
        if (m->source < source || (m->source == source && m->part < part))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct table_mark *marks_find(const struct mark_list *list, uint64_t source, uint32_t part)
{
    uint32_t at = place_of(list, source, part);
    if (at == list->count) return NULL;
    struct table_mark *m = &list->items[at];
    return m->source == source && m->part == part ? m : NULL;
}

static bool room_for(struct mark_list *list, uint32_t count)
{
    if (count <= list->cap) return true;
    uint32_t cap = RF_MAX(count, 2 * list->cap + 4);
    struct table_mark *items = realloc(list->items, cap * sizeof *items);
    if (items == NULL) return false;
    list->items = items;
    list->cap = cap;
    return true;
}

enum rf_kind marks_move(struct mark_list *list, const struct table_mark *mark, struct rf_err *err)
{
    struct table_mark *m = marks_find(list, mark->source, mark->part);
    int64_t have = m == NULL ? -1 : m->next;
    RF_ASSERT(mark->next >= 0);
    if (have != mark->from)
        return RF_FAIL(err, RF_CONFLICT, "MarkMoved", "the source has come to %lld, not %lld",
                       (long long)have, (long long)mark->from);
    if (m != NULL) {
        m->next = mark->next;
        return RF_OK;
    }
    if (list->count == TABLE_MARKS_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyMarks", "a table has at most %d sources",
                       TABLE_MARKS_MAX);
    if (!room_for(list, list->count + 1))
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a mark");
    uint32_t at = place_of(list, mark->source, mark->part);
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof *list->items);
    list->items[at] = *mark;
    list->count++;
    return RF_OK;
}

bool marks_copy(struct mark_list *to, const struct mark_list *from)
{
    if (!room_for(to, from->count)) return false;
    if (from->count > 0) memcpy(to->items, from->items, from->count * sizeof *to->items);
    to->count = from->count;
    return true;
}

void marks_drop(struct mark_list *list, uint64_t source)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < list->count; i++)
        if (list->items[i].source != source) list->items[kept++] = list->items[i];
    list->count = kept;
}

/* ---- as text ----------------------------------------------------------------------------------------------------------- */

rf_str marks_encode(const struct mark_list *list, int64_t arrival, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_printf(&buf, "%lld", (long long)arrival);
    for (uint32_t i = 0; i < list->count; i++)
        rf_buf_printf(&buf, " %llx:%u=%lld", (unsigned long long)list->items[i].source,
                      list->items[i].part, (long long)list->items[i].next);
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

/* Takes a number and the byte behind it (0: the end). False: there is none, or it is too large. */
static bool take_number(rf_str *text, unsigned base, uint8_t end, uint64_t *out)
{
    uint64_t number = 0;
    size_t at = 0;
    for (; at < text->len; at++) {
        uint8_t c = rf_lower(text->ptr[at]);
        unsigned digit = base;
        if (rf_is_digit(c)) digit = c - (unsigned)'0';
        if (c >= 'a' && c <= 'f') digit = c - (unsigned)'a' + 10;
        if (digit >= base) break;
        if (__builtin_mul_overflow(number, base, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    if (at == 0) return false;
    *out = number;
    *text = rf_slice(*text, at, text->len);
    if (end == 0) return true;
    if (text->len == 0 || text->ptr[0] != end) return false;
    *text = rf_slice(*text, 1, text->len);
    return true;
}

static bool take_mark(rf_str *text, struct table_mark *out)
{
    uint64_t part, next;
    if (text->ptr[0] != ' ') return false;
    *text = rf_slice(*text, 1, text->len);
    if (!take_number(text, 16, ':', &out->source) || !take_number(text, 10, '=', &part) ||
        !take_number(text, 10, 0, &next))
        return false;
    out->part = (uint32_t)part;
    out->next = (int64_t)next;
    out->from = -1;
    return part <= UINT32_MAX && next <= INT64_MAX;
}

enum rf_kind marks_decode(rf_str position, int64_t *arrival, struct mark_list *list,
                          struct rf_err *err)
{
    uint64_t number = 0;
    struct table_mark mark;
    bool negative = position.len > 0 && position.ptr[0] == '-';
    rf_str rest = negative ? rf_slice(position, 1, position.len) : position;
    list->count = 0;
    *arrival = 0;
    /* That of another kind of writer counts as none. */
    if (rest.len == 0 || !rf_is_digit(rest.ptr[0])) return RF_OK;
    bool good = take_number(&rest, 10, 0, &number) && number <= INT64_MAX;
    while (good && rest.len > 0) {
        good = take_mark(&rest, &mark);
        if (good) RF_TRY(marks_move(list, &mark, err));
    }
    if (!good)
        return RF_FAIL(err, RF_CORRUPT, "PositionDamaged",
                       "the position of the last commit cannot be read: %.*s",
                       (int)RF_MIN(position.len, 200), (const char *)position.ptr);
    *arrival = negative ? -(int64_t)number : (int64_t)number;
    return RF_OK;
}
