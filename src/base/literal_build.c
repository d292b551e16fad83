/* literal_build.c - making a set of literals: each gets the window by which it will be looked for. */
#include <stdlib.h>

#include "base/literal_set_int.h"
#include "base/regex_unicode.h"

enum { VARIANTS_MAX = 16, LINES_LOG2_MIN = 4, LINES_LOG2_MAX = 13, GRAMS_LOG2 = 16 };

struct literal_add {
    rf_str text;
    enum literal_case nocase;
    uint32_t number;
};

/* ---- collecting -------------------------------------------------------------------------------- */

void literal_builder_init(struct literal_builder *builder, struct rf_arena *arena)
{
    *builder = (struct literal_builder){.arena = arena};
}

static bool has_room(struct literal_builder *b, uint32_t number)
{
    if (number >= LITERAL_NUMBER_MAX || b->count >= LITERAL_COUNT_MAX) b->too_many = true;
    b->number_count = RF_MAX(b->number_count, number + 1);
    return !b->too_many && !b->failed;
}

/* Room for one more item of an array; false: no memory. */
static void *grow(struct literal_builder *b, void *items, uint32_t count, uint32_t *cap,
                  size_t bytes)
{
    if (count < *cap) return items;
    uint32_t wanted = RF_MAX(*cap * 2, 64u);
    void *grown = rf_arena_grow(b->arena, items, *cap * bytes, wanted * bytes);
    if (grown == NULL) {
        b->failed = true;
        return NULL;
    }
    *cap = wanted;
    return grown;
}

void literal_builder_always(struct literal_builder *builder, uint32_t number)
{
    if (!has_room(builder, number)) return;
    void *grown = grow(builder, builder->always, builder->always_count, &builder->always_cap,
                       sizeof *builder->always);
    if (grown == NULL) return;
    builder->always = grown;
    builder->always[builder->always_count++] = number;
}

void literal_builder_add(struct literal_builder *builder, rf_str literal, enum literal_case nocase,
                         uint32_t number)
{
    if (literal.len == 0) {
        literal_builder_always(builder, number);
        return;
    }
    if (!has_room(builder, number)) return;
    void *grown =
        grow(builder, builder->added, builder->count, &builder->cap, sizeof *builder->added);
    if (grown == NULL) return;
    builder->added = grown;
    struct literal_add *add = &builder->added[builder->count++];
    *add = (struct literal_add){.nocase = nocase, .number = number};
    builder->failed |=
        literal.len <= LITERAL_BYTES_MAX && !rf_arena_str(builder->arena, literal, &add->text);
    if (literal.len > LITERAL_BYTES_MAX) add->text = (rf_str){NULL, literal.len};
}

/* ---- equal literals are one ---------------------------------------------------------------------- */

/* For each added one the number of its literal. */
static bool find_equals(const struct literal_builder *b, struct literal_set *set, uint32_t *which)
{
    size_t cap = 16;
    while (cap < 2 * (size_t)b->count) cap *= 2;
    uint32_t *slots = rf_arena_new(b->arena, uint32_t, cap); /* literal + 1 */
    set->literals = rf_arena_new(b->arena, struct literal, b->count);
    if (slots == NULL || set->literals == NULL) return false;
    for (uint32_t i = 0; i < b->count; i++) {
        const struct literal_add *add = &b->added[i];
        bool nocase = add->nocase == LITERAL_NOCASE;
        struct literal made = {0};
        if (!term_finder_init(&made.finder, add->text, nocase, b->arena)) return false;
        rf_str needle = made.finder.needle;
        size_t at = rf_hash(needle.ptr, needle.len, nocase) & (cap - 1);
        for (; slots[at] != 0; at = (at + 1) & (cap - 1)) {
            const struct term_finder *other = &set->literals[slots[at] - 1].finder;
            if (other->nocase == nocase && rf_str_eq(other->needle, needle)) break;
        }
        if (slots[at] == 0) {
            set->literals[set->literal_count++] = made;
            slots[at] = set->literal_count;
        }
        which[i] = slots[at] - 1;
        set->literals[which[i]].number_count++;
    }
    return true;
}

static bool share_numbers(const struct literal_builder *b, struct literal_set *set)
{
    uint32_t *which = rf_arena_raw(b->arena, uint32_t, b->count), from = 0;
    set->numbers = rf_arena_raw(b->arena, uint32_t, b->count);
    if (which == NULL || set->numbers == NULL || !find_equals(b, set, which)) return false;
    for (uint32_t i = 0; i < set->literal_count; i++) {
        set->literals[i].number_first = from;
        from += set->literals[i].number_count;
        set->literals[i].number_count = 0;
    }
    for (uint32_t i = 0; i < b->count; i++) {
        struct literal *literal = &set->literals[which[i]];
        set->numbers[literal->number_first + literal->number_count++] = b->added[i].number;
    }
    return true;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static void sort_always(const struct literal_builder *b, struct literal_set *set)
{
    set->always = b->always;
    if (b->always_count > 0) qsort(b->always, b->always_count, sizeof *b->always, compare_numbers);
    for (uint32_t i = 0; i < b->always_count; i++)
        if (i == 0 || b->always[i] != b->always[i - 1])
            set->always[set->always_count++] = b->always[i];
}

/* ---- windows ------------------------------------------------------------------------------------ */

/* The spellings of a literal's part at one place: one, unless it is looked for by Unicode folding. */
struct variants {
    struct variant {
        uint8_t bytes[LITERAL_WINDOW_BYTES + 4];
        uint32_t len;
    } items[VARIANTS_MAX];
    uint32_t count;
};

/* The code points other than ASCII that fold as `folded` does, in UTF-8; beyond VARIANTS_MAX they are counted only. */
static void spellings(uint32_t folded, struct variants *out)
{
    uint32_t points[VARIANTS_MAX] = {folded}, count = 1;
    for (size_t i = 0; i < unicode_fold_count; i++) {
        const struct unicode_map *map = &unicode_fold_map[i];
        int64_t from = (int64_t)folded - map->delta;
        if (from < map->low || from > map->high || (from - map->low) % map->stride != 0) continue;
        if (from == folded || unicode_fold((uint32_t)from) != folded) continue;
        if (count < VARIANTS_MAX) points[count] = (uint32_t)from;
        count++;
    }
    out->count = count;
    for (uint32_t i = 0; i < RF_MIN(count, (uint32_t)VARIANTS_MAX); i++)
        out->items[i].len = (uint32_t)rf_utf8_put(points[i], out->items[i].bytes);
}

/* The spellings of one code point of a folded needle; *at moves behind it. */
static void spell_next(rf_str needle, size_t *at, struct variants *out)
{
    size_t from = *at;
    uint32_t cp = rf_utf8_next(needle, at);
    *out = (struct variants){.count = 1};
    if (*at == from + 1) { /* ASCII, or a broken byte, which stands for itself */
        out->items[0].bytes[0] = needle.ptr[from];
        out->items[0].len = 1;
        return;
    }
    uint32_t folded = unicode_fold(cp);
    spellings(folded < 0x80 ? cp : folded, out);
}

static bool all_full(const struct variants *v)
{
    for (uint32_t i = 0; i < v->count; i++)
        if (v->items[i].len < LITERAL_WINDOW_BYTES) return false;
    return true;
}

/* Appends each of `more` to each of `v`; false, and nothing is done: they would be too many. */
static bool multiply(struct variants *v, const struct variants *more)
{
    struct variants out = {0};
    if (v->count * more->count > VARIANTS_MAX) return false;
    for (uint32_t i = 0; i < v->count; i++)
        for (uint32_t k = 0; k < more->count; k++) {
            struct variant *item = &out.items[out.count++];
            *item = v->items[i];
            if (item->len >= LITERAL_WINDOW_BYTES) continue;
            memcpy(item->bytes + item->len, more->items[k].bytes, more->items[k].len);
            item->len += more->items[k].len;
        }
    *v = out;
    return true;
}

/* The window that begins at `at`; false: its letters have too many spellings. */
static bool window_at(const struct term_finder *finder, size_t at, struct variants *out)
{
    rf_str needle = finder->needle;
    *out = (struct variants){.count = 1};
    if (!finder->wide) {
        out->items[0].len = (uint32_t)RF_MIN(needle.len - at, (size_t)LITERAL_WINDOW_BYTES);
        memcpy(out->items[0].bytes, needle.ptr + at, out->items[0].len);
        return true;
    }
    size_t from = at;
    while (at < needle.len && !all_full(out)) {
        struct variants next;
        size_t before = at;
        spell_next(needle, &at, &next);
        if (!multiply(out, &next)) return before > from;
    }
    return true;
}

static struct literal_window key_of(const struct variant *variant)
{
    uint8_t bytes[LITERAL_WINDOW_BYTES] = {0};
    uint32_t len = RF_MIN(variant->len, (uint32_t)LITERAL_WINDOW_BYTES);
    uint64_t mask = len == LITERAL_WINDOW_BYTES ? UINT64_MAX : (UINT64_C(1) << 8 * len) - 1;
    memcpy(bytes, variant->bytes, len);
    return (struct literal_window){.key = (rf_get_u64le(bytes) | LITERAL_FOLD) & mask,
                                   .mask = mask,
                                   .word = bytes[3] & (LITERAL_LINE_WORDS - 1)};
}

/* How much seeing a byte tells, in bits, by a look at logs of all kinds. */
static int byte_bits(uint8_t c)
{
    c = rf_lower(c);
    if (rf_is_digit(c)) return c <= '1' ? 4 : 5;
    if (c != 0 && strchr(" aeionrst./\\-:,\"=_", c) != NULL) return 4;
    if (c != 0 && strchr("cdlmpu", c) != NULL) return 5;
    return c == 'x' || c == 'k' ? 7 : c == 'j' || c == 'q' || c == 'z' || c == 0 ? 8 : 6;
}

/* How often three and four bytes stand behind each other in the literals, by hash. */
struct grams {
    uint32_t *three, *four;
    int places; /* twice the logarithm of all */
};

static uint32_t three_hash(const uint8_t *p)
{
    uint32_t gram = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
    return ((gram | ((uint32_t)LITERAL_FOLD & 0xFFFFFF)) * LITERAL_HASH_LAST) >> (32 - GRAMS_LOG2);
}

static uint32_t four_hash(const uint8_t *p)
{
    return ((rf_get_u32le(p) | (uint32_t)LITERAL_FOLD) * LITERAL_HASH_LAST) >> (32 - GRAMS_LOG2);
}

/* Twice the logarithm, as a whole number. */
static int log2_twice(uint64_t x)
{
    int bits = 0;
    for (x *= x; x > 1; x /= 2) bits++;
    return bits;
}

static bool count_grams(const struct literal_set *set, struct rf_arena *arena, struct grams *out)
{
    uint64_t places = 1;
    out->three = rf_arena_new(arena, uint32_t, (size_t)1 << GRAMS_LOG2);
    out->four = rf_arena_new(arena, uint32_t, (size_t)1 << GRAMS_LOG2);
    if (out->three == NULL || out->four == NULL) return false;
    for (uint32_t i = 0; i < set->literal_count; i++) {
        rf_str needle = set->literals[i].finder.needle;
        places += needle.len;
        for (size_t at = 0; at + 3 <= needle.len; at++) out->three[three_hash(needle.ptr + at)]++;
        for (size_t at = 0; at + 4 <= needle.len; at++) out->four[four_hash(needle.ptr + at)]++;
    }
    out->places = log2_twice(RF_MIN(places, (uint64_t)UINT32_MAX));
    return true;
}

/* How rare a window is likely to be: what many literals hold is common in the texts that they are about. The first four bytes count
 * most, as they choose the word of the filter. A longer window is rarer than a shorter one. */
static int rareness(const struct grams *grams, const struct variants *window)
{
    int least = INT32_MAX;
    for (uint32_t i = 0; i < window->count; i++) {
        const struct variant *v = &window->items[i];
        uint32_t len = RF_MIN(v->len, (uint32_t)LITERAL_WINDOW_BYTES);
        int bits = 0;
        for (uint32_t k = 0; k < len; k++) {
            const uint8_t *p = v->bytes + k;
            bits += byte_bits(*p);
            if (k + 3 <= len) bits += grams->places - log2_twice(grams->three[three_hash(p)]);
            if (k + 4 > len) continue;
            int four = grams->places - log2_twice(grams->four[four_hash(p)]);
            bits += k == 0 ? 4 * four : four / 2;
        }
        least = RF_MIN(least, bits);
    }
    return least - 4 * log2_twice(window->count);
}

/* Moves *at to the next place where a window may begin. */
static void next_place(const struct term_finder *finder, size_t *at)
{
    if (finder->wide)
        (void)rf_utf8_next(finder->needle, at);
    else
        (*at)++;
}

static void choose_window(const struct grams *grams, struct literal *literal, struct variants *best)
{
    const struct term_finder *finder = &literal->finder;
    int most = INT32_MIN;
    uint32_t points = 0;
    *best = (struct variants){0};
    for (size_t at = 0; at < finder->needle.len; next_place(finder, &at), points++) {
        struct variants window;
        if (!window_at(finder, at, &window)) continue;
        int bits = rareness(grams, &window);
        if (bits <= most) continue;
        most = bits;
        *best = window;
        literal->offset = (uint32_t)at;
        literal->reach = points;
    }
}

/* ---- tables --------------------------------------------------------------------------------------- */

struct window_list {
    struct literal_window *items;
    uint32_t count, cap;
};

static bool add_window(struct literal_builder *b, struct literal_window window,
                       struct window_list *list)
{
    void *grown = grow(b, list->items, list->count, &list->cap, sizeof *list->items);
    if (grown == NULL) return false;
    list->items = grown;
    list->items[list->count++] = window;
    return true;
}

/* A window of three bytes is in all words of its line. */
static bool add_windows(struct literal_builder *b, struct literal *literal, uint32_t index,
                        const struct variants *chosen, struct window_list lists[2])
{
    for (uint32_t i = 0; i < chosen->count; i++) {
        struct literal_window window = key_of(&chosen->items[i]);
        uint32_t words = window.mask == 0xFFFFFF ? LITERAL_LINE_WORDS : 1;
        bool is_short = window.mask <= 0xFFFF;
        window.literal = index;
        literal->is_short |= is_short;
        for (uint32_t word = 0; word < words; word++) {
            if (words > 1) window.word = word;
            if (!add_window(b, window, &lists[is_short])) return false;
        }
    }
    return true;
}

static uint32_t bucket_of_word(const struct literal_set *set, const struct literal_window *w)
{
    return literal_line(set, w->key) * LITERAL_LINE_WORDS + w->word;
}

static uint32_t bucket_of_byte(const struct literal_set *set, const struct literal_window *w)
{
    (void)set;
    return (uint32_t)w->key & 0xFF;
}

/* Puts the windows of a list behind each other by bucket. */
static struct literal_window *
by_bucket(const struct literal_set *set, const struct window_list *list, uint32_t buckets,
          uint32_t (*bucket)(const struct literal_set *, const struct literal_window *),
          struct rf_arena *arena, uint32_t **starts)
{
    uint32_t *at = rf_arena_new(arena, uint32_t, (size_t)buckets + 2);
    struct literal_window *out = rf_arena_raw(arena, struct literal_window, list->count);
    if (at == NULL || out == NULL) return NULL;
    for (uint32_t i = 0; i < list->count; i++) at[bucket(set, &list->items[i]) + 2]++;
    for (uint32_t i = 2; i < buckets + 2; i++) at[i] += at[i - 1];
    for (uint32_t i = 0; i < list->count; i++)
        out[at[bucket(set, &list->items[i]) + 1]++] = list->items[i];
    *starts = at;
    return out;
}

static bool make_filter(struct literal_set *set, const struct window_list *list,
                        struct rf_arena *arena)
{
    uint32_t words = (uint32_t)LITERAL_LINE_WORDS << (32 - set->shift);
    if (list->count == 0) return true;
    set->filter = rf_arena_new(arena, uint32_t, words);
    set->windows = by_bucket(set, list, words, bucket_of_word, arena, &set->starts);
    if (set->filter == NULL || set->windows == NULL) return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct literal_window *w = &list->items[i];
        uint32_t top = UINT32_C(1) << 31, *word = &set->filter[bucket_of_word(set, w)];
        *word |= top >> literal_upper(set, w->key);
        *word |= w->mask == UINT64_MAX ? top >> literal_lower(w->key) : UINT32_C(0xFFFF);
    }
    return true;
}

/* Windows share eight bits by their first byte. */
static void put_nibbles(struct literal_set *set, const struct literal_window *w)
{
    uint8_t bit = (uint8_t)(1u << ((w->key & 0xFF) * 5 % 8)),
            bytes[2] = {(uint8_t)w->key, (uint8_t)(w->key >> 8)};
    for (int i = 0; i < 2; i++)
        for (uint32_t c = 0; c < 256; c++) {
            if ((w->mask >> 8 * i & 0xFF) != 0 && c != bytes[i]) continue;
            set->nibbles[i].low[c & 15] |= bit;
            set->nibbles[i].high[c >> 4] |= bit;
        }
}

static bool make_pairs(struct literal_set *set, const struct window_list *list,
                       struct rf_arena *arena)
{
    if (list->count == 0) return true;
    set->pairs = rf_arena_new(arena, uint8_t, 65536 / 8);
    set->short_windows = by_bucket(set, list, 256, bucket_of_byte, arena, &set->short_starts);
    if (set->pairs == NULL || set->short_windows == NULL) return false;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct literal_window *w = &list->items[i];
        for (uint32_t second = 0; second < 256; second++) {
            uint32_t pair = (uint32_t)(w->key & 0xFF) | second << 8;
            if ((pair & w->mask) == w->key) set->pairs[pair / 8] |= (uint8_t)(1u << pair % 8);
        }
    }
    for (uint32_t i = 0; i < list->count; i++) put_nibbles(set, &list->items[i]);
    for (uint32_t i = 0; i < set->literal_count; i++) set->short_count += set->literals[i].is_short;
    return true;
}

static bool make_tables(struct literal_builder *b, struct literal_set *set)
{
    uint32_t log2 = LINES_LOG2_MIN;
    struct window_list lists[2] = {0}; /* windows of three bytes and more, and of fewer */
    while (log2 < LINES_LOG2_MAX && UINT32_C(4) << log2 < set->literal_count) log2++;
    set->shift = 32 - log2;
    struct grams grams;
    if (!count_grams(set, b->arena, &grams)) return false;
    for (uint32_t i = 0; i < set->literal_count; i++) {
        struct variants chosen;
        choose_window(&grams, &set->literals[i], &chosen);
        if (!add_windows(b, &set->literals[i], i, &chosen, lists)) return false;
    }
    return make_filter(set, &lists[0], b->arena) && make_pairs(set, &lists[1], b->arena);
}

enum rf_kind literal_set_build(struct literal_builder *builder, const struct literal_set **out,
                               struct rf_err *err)
{
    if (builder->failed) return rf_fail_memory(err, builder->arena);
    if (builder->too_many)
        return RF_FAIL(err, RF_LIMIT, "TooManyLiterals",
                       "at most %d literals with numbers below %d can be looked for at once",
                       LITERAL_COUNT_MAX, LITERAL_NUMBER_MAX);
    for (uint32_t i = 0; i < builder->count; i++)
        if (builder->added[i].text.ptr == NULL)
            return RF_FAIL(err, RF_LIMIT, "LiteralTooLong", "a literal has %zu bytes, at most %d",
                           builder->added[i].text.len, LITERAL_BYTES_MAX);
    struct literal_set *set = rf_arena_new(builder->arena, struct literal_set, 1);
    if (set == NULL) return rf_fail_memory(err, builder->arena);
    set->number_count = builder->number_count;
#if defined(__x86_64__)
    set->use_avx2 = __builtin_cpu_supports("avx2") != 0;
#endif
    sort_always(builder, set);
    if (!share_numbers(builder, set) || !make_tables(builder, set))
        return rf_fail_memory(err, builder->arena);
    *out = set;
    return RF_OK;
}
