/* func_regex.c - functions that take regular expressions: matches regex, extract, replace, trim ... */
#include "kql/func_string_int.h"

#include "base/regex.h"
#include "base/term.h"

/* The expression of a call: compiled once when it is constant, else per row with the last one kept. */
struct regex_use {
    struct regex_scratch scratch;
    const struct regex *fixed; /* NULL: not constant */
    rf_str last_pattern; /* compiled in the arena of this batch: no longer than the kernel's call */
    const struct regex *last;
    bool have_last;
    bool no_memory;
};

/* Which argument is the expression, and how it is anchored. */
struct regex_place {
    const char *name;
    uint32_t arg;
    uint32_t flags;
};
static const struct regex_place regex_places[] = {
    {"extract", 0, 0},
    {"extract_all", 0, 0},
    {"extractall", 0, 0},
    {"replace", 0, 0},
    {"trim_start", 0, REGEX_ANCHOR_START},
    {"trim_end", 0, REGEX_ANCHOR_END},
    {"trim", 0, REGEX_ANCHOR_START}, /* the end has an expression of its own */
};

static struct regex_place regex_place(const struct func *func)
{
    for (size_t i = 0; i < RF_COUNT(regex_places); i++)
        if (strcmp(func->name, regex_places[i].name) == 0) return regex_places[i];
    return (struct regex_place){func->name, 1, 0};
}

/* A bad constant expression is an error of the query, found before it runs. The place inside the
 * pattern is in the text of the message; line and column are the query's, which the binder knows. */
static enum rf_kind regex_check(struct func_bind *bind, uint32_t arg, struct rf_err *err)
{
    if (arg >= bind->arg_count || bind->consts[arg] == NULL) return RF_OK;
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, bind->arena->budget);
    const struct regex *re;
    enum rf_kind kind = regex_compile(bind->consts[arg]->s, 0, &temp, &re, err);
    if (kind != RF_OK && err != NULL) err->line = err->column = 0;
    return kind;
}

static enum rf_kind regex_resolve(struct func_bind *bind, struct rf_err *err)
{
    return regex_check(bind, regex_place(bind->func).arg, err);
}

static enum rf_kind use_prepare(struct func_call *call, const struct vec *pattern, uint32_t flags,
                                struct regex_use *use, struct rf_err *err)
{
    regex_scratch_init(&use->scratch, call->query_arena);
    if (pattern->data == NULL) return RF_OK;
    return regex_compile(ARG_STR(pattern, 0), flags, call->query_arena, &use->fixed, err);
}

/* The first use is for the expression; trim needs a second one for the end. */
static enum rf_kind regex_prepare(struct func_call *call, const struct vec *args,
                                  struct rf_err *err)
{
    struct regex_place place = regex_place(call->func);
    struct regex_use *uses = rf_arena_new(call->query_arena, struct regex_use, 2);
    if (uses == NULL) return rf_fail_memory(err, call->query_arena);
    RF_TRY(use_prepare(call, &args[place.arg], place.flags, &uses[0], err));
    RF_TRY(use_prepare(call, &args[place.arg], REGEX_ANCHOR_END, &uses[1], err));
    call->state = uses;
    return RF_OK;
}

/* To be called first in each kernel: what the last batch compiled is gone. */
static struct regex_use *uses_begin(struct func_call *call)
{
    struct regex_use *uses = call->state;
    for (int i = 0; i < 2; i++) {
        uses[i].have_last = false;
        uses[i].no_memory = false;
    }
    return uses;
}

/* NULL: the expression of this row is none, or memory ended (use->no_memory). */
static const struct regex *use_get(struct func_call *call, struct regex_use *use, rf_str pattern,
                                   uint32_t flags)
{
    if (use->fixed != NULL) return use->fixed;
    if (use->have_last && rf_str_eq(use->last_pattern, pattern)) return use->last;
    regex_scratch_forget(&use->scratch);
    use->last = NULL;
    enum rf_kind kind = regex_compile(pattern, flags, call->arena, &use->last, NULL);
    if (kind != RF_OK) use->last = NULL;
    /* A pattern over the limits is treated as one that does not compile. */
    if (kind == RF_LIMIT && call->arena->budget->used_bytes >= call->arena->budget->limit_bytes)
        use->no_memory = true;
    use->last_pattern = pattern;
    use->have_last = true;
    return use->last;
}

static enum rf_kind use_end(struct func_call *call, const struct regex_use *uses,
                            struct rf_err *err)
{
    return uses[0].no_memory || uses[1].no_memory ? rf_fail_memory(err, call->arena) : RF_OK;
}

/* ---- matches regex --------------------------------------------------------------------------------- */

FUNC_KERNEL(matches_kernel)
{
    struct regex_use *use = uses_begin(call);
    for (uint32_t i = 0; i < count; i++) {
        const struct regex *re = use_get(call, use, ARG_STR(&args[1], i), 0);
        OUT_BOOL(out)
        [i] = re != NULL && regex_match(re, &use->scratch, ARG_STR(&args[0], i), &use->no_memory);
    }
    return use_end(call, use, err);
}

/* ---- extract --------------------------------------------------------------------------------------- */

/* typeof() arrives as the name of the type. */
static enum rf_kind extract_resolve(struct func_bind *bind, struct rf_err *err)
{
    RF_TRY(regex_check(bind, 0, err));
    if (bind->arg_count < 4) return RF_OK;
    enum type type;
    if (bind->consts[3] == NULL || !type_parse(bind->consts[3]->s, &type))
        return RF_FAIL(err, RF_INVALID, "BadArguments",
                       "the last argument of extract must be typeof(a type)");
    bind->type = type;
    return RF_OK;
}

FUNC_KERNEL(extract_kernel)
{
    enum { GROUPS = REGEX_CAPTURES_MAX + 1 };
    struct regex_group groups[GROUPS];
    struct regex_use *use = uses_begin(call);
    for (uint32_t i = 0; i < count; i++) {
        rf_str text = ARG_STR(&args[2], i);
        const struct regex *re = use_get(call, use, ARG_STR(&args[0], i), 0);
        bool found = false;
        int64_t group = ARG_NULL(&args[1], i) ? -1 : ARG_I64(&args[1], i);
        if (re != NULL && group >= 0 && group <= regex_group_count(re))
            found = regex_find(re, &use->scratch, text, 0, groups, (size_t)group + 1,
                               &use->no_memory) &&
                    groups[group].from != SIZE_MAX;
        struct value value = value_null(call->type);
        if (found) {
            rf_str part = rf_slice(text, groups[group].from, groups[group].to);
            struct value captured = value_str(part);
            if (call->type == TYPE_STRING) {
                value = captured;
            } else if (!value_convert(&captured, call->type, call->arena, &value)) {
                return rf_fail_memory(err, call->arena);
            }
        }
        vec_set(out, i, &value);
    }
    return use_end(call, use, err);
}

/* ---- extract_all ----------------------------------------------------------------------------------- */

/* The groups that are wanted of every match. */
struct group_list {
    uint8_t numbers[REGEX_CAPTURES_MAX + 1];
    uint32_t count;
};

/* All groups, or the whole match where there is none. */
static void groups_all(const struct regex *re, struct group_list *list)
{
    list->count = regex_group_count(re);
    for (uint32_t i = 0; i < list->count; i++) list->numbers[i] = (uint8_t)(i + 1);
    if (list->count > 0) return;
    list->numbers[0] = 0;
    list->count = 1;
}

/* Numbers and names of a dynamic array; what is no group is passed over. */
static void groups_picked(const struct regex *re, rf_str wanted, struct group_list *list)
{
    list->count = 0;
    for (uint32_t i = 0; i < dyn_count(wanted) && list->count <= REGEX_CAPTURES_MAX; i++) {
        rf_str item = dyn_item(wanted, i);
        int64_t number = -1;
        if (dyn_tag(item) == DYN_STRING) {
            number = regex_group_find(re, dyn_string(item));
            if (number == 0) continue;
        } else if (dyn_tag(item) == DYN_INT || dyn_tag(item) == DYN_LONG) {
            number = dyn_i64(item);
        }
        if (number >= 0 && number <= regex_group_count(re))
            list->numbers[list->count++] = (uint8_t)number;
    }
}

static void put_group(struct rf_buf *buf, rf_str text, struct regex_group group)
{
    dyn_put_string(buf, group.from == SIZE_MAX ? RF_S("") : rf_slice(text, group.from, group.to));
}

/* Where the search goes on behind a match; an empty match moves by one code point. */
static size_t next_from(rf_str text, struct regex_group match)
{
    if (match.to > match.from || match.to >= text.len) return match.to + (match.to == match.from);
    size_t at = match.to;
    (void)rf_utf8_next(text, &at);
    return at;
}

/* False: there is no match, and nothing was written. */
static bool put_matches(struct rf_buf *buf, const struct regex *re, struct regex_use *use,
                        rf_str text, const struct group_list *list)
{
    struct regex_group groups[REGEX_CAPTURES_MAX + 1];
    struct dyn_builder array;
    size_t cap = (size_t)regex_group_count(re) + 1, last_end = SIZE_MAX;
    bool any = false;
    for (size_t from = 0; from <= text.len; from = next_from(text, groups[0])) {
        if (!regex_find(re, &use->scratch, text, from, groups, cap, &use->no_memory)) break;
        /* An empty match right behind the one before is none, as RE2 and Perl have it. */
        if (groups[0].from == groups[0].to && groups[0].from == last_end) continue;
        last_end = groups[0].to;
        if (!any) dyn_begin(&array, buf, DYN_ARRAY);
        any = true;
        dyn_next(&array);
        if (list->count == 1) {
            put_group(buf, text, groups[list->numbers[0]]);
            continue;
        }
        struct dyn_builder inner;
        dyn_begin(&inner, buf, DYN_ARRAY);
        for (uint32_t i = 0; i < list->count; i++) {
            dyn_next(&inner);
            put_group(buf, text, groups[list->numbers[i]]);
        }
        dyn_end(&inner);
    }
    if (any) dyn_end(&array);
    return any;
}

static enum rf_kind extract_all_rows(struct func_call *call, const struct vec *args, uint32_t count,
                                     struct vec *out, const struct vec *wanted,
                                     const struct vec *texts, struct rf_err *err)
{
    struct regex_use *use = uses_begin(call);
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct regex *re = use_get(call, use, ARG_STR(&args[0], i), 0);
        struct group_list list = {.count = 0};
        bool all = wanted == NULL || ARG_NULL(wanted, i);
        if (re != NULL && all) groups_all(re, &list);
        if (re != NULL && !all) groups_picked(re, ARG_STR(wanted, i), &list);
        if (re == NULL || list.count == 0 ||
            !put_matches(&rows.buf, re, use, ARG_STR(texts, i), &list)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        text_rows_end(&rows, i);
    }
    if (!text_rows_finish(&rows, count)) return rf_fail_memory(err, call->arena);
    return use_end(call, use, err);
}

FUNC_KERNEL(extract_all_kernel)
{
    return extract_all_rows(call, args, count, out, NULL, &args[1], err);
}
FUNC_KERNEL(extract_picked_kernel)
{
    return extract_all_rows(call, args, count, out, &args[1], &args[2], err);
}

/* ---- replace --------------------------------------------------------------------------------------- */

/* \0 is the match, \1..\9 its groups, \\ a back slash; any other escape stands as it is. */
static void put_rewrite(struct rf_buf *buf, rf_str rewrite, rf_str text,
                        const struct regex_group *groups, size_t cap)
{
    RF_ASSERT(rewrite.ptr != NULL || rewrite.len == 0);
    for (size_t i = 0; i < rewrite.len; i++) {
        uint8_t c = rewrite.ptr[i];
        if (c == '\\' && i + 1 < rewrite.len) {
            uint8_t next = rewrite.ptr[i + 1];
            if (rf_is_digit(next)) {
                size_t group = next - '0';
                if (group < cap && groups[group].from != SIZE_MAX)
                    rf_buf_str(buf, rf_slice(text, groups[group].from, groups[group].to));
                i++;
                continue;
            }
            if (next == '\\') i++;
        }
        rf_buf_byte(buf, c);
    }
}

/* False: there is no match, and nothing was written. */
static bool put_replaced(struct rf_buf *buf, const struct regex *re, struct regex_use *use,
                         rf_str text, rf_str rewrite)
{
    enum { GROUPS = 10 };
    struct regex_group groups[GROUPS];
    size_t copied = 0, last_end = SIZE_MAX;
    bool any = false, needs_groups = memchr(rewrite.ptr == NULL ? (const void *)"" : rewrite.ptr,
                                            '\\', rewrite.len) != NULL;
    size_t cap = needs_groups ? RF_MIN((size_t)GROUPS, (size_t)regex_group_count(re) + 1) : 1;
    for (size_t from = 0; from <= text.len; from = next_from(text, groups[0])) {
        if (!regex_find(re, &use->scratch, text, from, groups, cap, &use->no_memory)) break;
        if (groups[0].from == groups[0].to && groups[0].from == last_end) continue;
        last_end = groups[0].to;
        any = true;
        rf_buf_str(buf, rf_slice(text, copied, groups[0].from));
        put_rewrite(buf, rewrite, text, groups, cap);
        copied = groups[0].to;
    }
    if (any) rf_buf_str(buf, rf_slice(text, copied, text.len));
    return any;
}

static enum rf_kind replace_rows(struct func_call *call, const struct vec *texts,
                                 const struct vec *patterns, const struct vec *rewrites,
                                 uint32_t count, struct vec *out, struct rf_err *err)
{
    struct regex_use *use = uses_begin(call);
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct regex *re = use_get(call, use, ARG_STR(patterns, i), 0);
        rf_str text = ARG_STR(texts, i);
        if (re == NULL || !put_replaced(&rows.buf, re, use, text, ARG_STR(rewrites, i))) {
            OUT_STR(out)[i] = text;
        } else {
            text_rows_end(&rows, i);
        }
    }
    if (!text_rows_finish(&rows, count)) return rf_fail_memory(err, call->arena);
    return use_end(call, use, err);
}

FUNC_KERNEL(replace_regex_kernel)
{
    return replace_rows(call, &args[0], &args[1], &args[2], count, out, err);
}
FUNC_KERNEL(replace_kernel)
{
    return replace_rows(call, &args[2], &args[0], &args[1], count, out, err);
}

/* ---- trim ------------------------------------------------------------------------------------------ */

static rf_str trim_front(struct func_call *call, struct regex_use *use, rf_str pattern, rf_str text)
{
    struct regex_group match;
    const struct regex *re = use_get(call, use, pattern, REGEX_ANCHOR_START);
    if (re == NULL || !regex_find(re, &use->scratch, text, 0, &match, 1, &use->no_memory))
        return text;
    return rf_slice(text, match.to, text.len);
}

static rf_str trim_back(struct func_call *call, struct regex_use *use, rf_str pattern, rf_str text)
{
    struct regex_group match;
    const struct regex *re = use_get(call, use, pattern, REGEX_ANCHOR_END);
    if (re == NULL || !regex_find(re, &use->scratch, text, 0, &match, 1, &use->no_memory))
        return text;
    return rf_slice(text, 0, match.from);
}

FUNC_KERNEL(trim_kernel)
{
    struct regex_use *uses = uses_begin(call);
    for (uint32_t i = 0; i < count; i++) {
        rf_str pattern = ARG_STR(&args[0], i);
        rf_str text = trim_front(call, &uses[0], pattern, ARG_STR(&args[1], i));
        OUT_STR(out)[i] = trim_back(call, &uses[1], pattern, text);
    }
    return use_end(call, uses, err);
}

FUNC_KERNEL(trim_start_kernel)
{
    struct regex_use *uses = uses_begin(call);
    for (uint32_t i = 0; i < count; i++)
        OUT_STR(out)[i] = trim_front(call, &uses[0], ARG_STR(&args[0], i), ARG_STR(&args[1], i));
    return use_end(call, uses, err);
}

FUNC_KERNEL(trim_end_kernel)
{
    struct regex_use *uses = uses_begin(call);
    for (uint32_t i = 0; i < count; i++)
        OUT_STR(out)[i] = trim_back(call, &uses[1], ARG_STR(&args[0], i), ARG_STR(&args[1], i));
    return use_end(call, uses, err);
}

/* ---- indexof_regex, countof, regex_quote ------------------------------------------------------------ */

/* Byte offset of the n-th match, SIZE_MAX: there is none. */
static size_t match_place(const struct regex *re, struct regex_use *use, rf_str text, size_t from,
                          int64_t occurrence)
{
    struct regex_group match;
    size_t last_end = SIZE_MAX;
    for (; from <= text.len; from = next_from(text, match)) {
        if (!regex_find(re, &use->scratch, text, from, &match, 1, &use->no_memory)) break;
        if (match.from == match.to && match.from == last_end) continue;
        last_end = match.to;
        if (--occurrence == 0) return match.from;
    }
    return SIZE_MAX;
}

FUNC_KERNEL(indexof_regex_kernel)
{
    struct regex_use *use = uses_begin(call);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s, pattern;
        struct string_window window;
        if (!string_arg(&args[0], i, call->arena, &s) ||
            !string_arg(&args[1], i, call->arena, &pattern))
            return rf_fail_memory(err, call->arena);
        const struct regex *re = use_get(call, use, pattern, 0);
        bool negative = call->arg_count > 2 && !ARG_NULL(&args[2], i) && ARG_I64(&args[2], i) < 0;
        if (re == NULL || negative || !string_window(call, args, i, s, &window)) {
            OUT_NULL(out)[i] = 1;
            continue;
        }
        rf_str part = rf_slice(s, 0, window.to);
        size_t at = match_place(re, use, part, window.from, window.occurrence);
        OUT_I64(out)[i] = at == SIZE_MAX ? -1 : (int64_t)rf_utf8_count(rf_slice(s, 0, at));
    }
    return use_end(call, use, err);
}

static bool is_regex_kind(const struct func_call *call, const struct vec *args, uint32_t row)
{
    return call->arg_count > 2 && rf_str_eq_nocase(ARG_STR(&args[2], row), RF_S("regex"));
}

/* The pattern is a plain text unless the kind says otherwise, so it is not compiled ahead of rows. */
static enum rf_kind countof_resolve(struct func_bind *bind, struct rf_err *err)
{
    if (bind->arg_count < 3 || bind->consts[2] == NULL) return RF_OK;
    if (rf_str_eq_nocase(bind->consts[2]->s, RF_S("regex"))) return regex_check(bind, 1, err);
    if (rf_str_eq_nocase(bind->consts[2]->s, RF_S("normal"))) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadArguments", "the kind of countof is 'normal' or 'regex'");
}

static enum rf_kind countof_prepare(struct func_call *call, const struct vec *args,
                                    struct rf_err *err)
{
    struct regex_use *uses = rf_arena_new(call->query_arena, struct regex_use, 2);
    struct vec none = {0};
    if (uses == NULL) return rf_fail_memory(err, call->query_arena);
    bool regex = call->arg_count > 2 && args[2].data != NULL && is_regex_kind(call, args, 0);
    RF_TRY(use_prepare(call, regex ? &args[1] : &none, 0, &uses[0], err));
    RF_TRY(use_prepare(call, &none, 0, &uses[1], err));
    call->state = uses;
    return RF_OK;
}

static int64_t count_plain(struct func_call *call, rf_str text, rf_str part)
{
    struct term_finder finder;
    int64_t n = 0;
    if (part.len == 0 || !term_finder_init(&finder, part, false, call->arena)) return 0;
    for (size_t at = term_finder_next(&finder, text, 0, NULL); at != SIZE_MAX; n++)
        at = term_finder_next(&finder, text, at + 1, NULL);
    return n;
}

static int64_t count_matches(const struct regex *re, struct regex_use *use, rf_str text)
{
    struct regex_group match;
    size_t last_end = SIZE_MAX;
    int64_t n = 0;
    for (size_t from = 0; from <= text.len; from = next_from(text, match)) {
        if (!regex_find(re, &use->scratch, text, from, &match, 1, &use->no_memory)) break;
        if (match.from == match.to && match.from == last_end) continue;
        last_end = match.to;
        n++;
    }
    return n;
}

FUNC_KERNEL(countof_kernel)
{
    struct regex_use *use = uses_begin(call);
    for (uint32_t i = 0; i < count; i++) {
        rf_str text = ARG_STR(&args[0], i), part = ARG_STR(&args[1], i);
        if (!is_regex_kind(call, args, i)) {
            OUT_I64(out)[i] = count_plain(call, text, part);
            continue;
        }
        const struct regex *re = use_get(call, use, part, 0);
        if (re == NULL) {
            OUT_NULL(out)[i] = 1;
        } else {
            OUT_I64(out)[i] = count_matches(re, use, text);
        }
    }
    return use_end(call, use, err);
}

FUNC_KERNEL(regex_quote_kernel)
{
    static const char special[] = "\\.+*?()|[]{}^$#&-~";
    struct text_rows rows = text_rows_begin(call->arena, OUT_STR(out), count);
    for (uint32_t i = 0; i < count; i++) {
        rf_str s = ARG_STR(&args[0], i);
        for (size_t at = 0; at < s.len; at++) {
            if (s.ptr[at] != 0 && strchr(special, s.ptr[at]) != NULL) rf_buf_byte(&rows.buf, '\\');
            rf_buf_byte(&rows.buf, s.ptr[at]);
        }
        text_rows_end(&rows, i);
    }
    return text_rows_finish(&rows, count) ? RF_OK : rf_fail_memory(err, call->arena);
}

/* ---- table ----------------------------------------------------------------------------------------- */

#define SIGS(name, sig, kernel)                                                                    \
    static const struct func_overload name[] = {{sig, kernel}, {NULL, NULL}};
SIGS(matches_sigs, "(text:string, regex:string) bool", matches_kernel)
SIGS(extract_sigs, "(regex:string, group:long, text:string, [type:string]) string", extract_kernel)
SIGS(replace_regex_sigs, "(text:string, regex:string, rewrite:string) string", replace_regex_kernel)
SIGS(replace_sigs, "(regex:string, rewrite:string, text:string) string", replace_kernel)
SIGS(trim_sigs, "(regex:string, text:string) string", trim_kernel)
SIGS(trim_start_sigs, "(regex:string, text:string) string", trim_start_kernel)
SIGS(trim_end_sigs, "(regex:string, text:string) string", trim_end_kernel)
SIGS(indexof_regex_sigs,
     "(source:any, regex:string, [start:long], [length:long], [occurrence:long]) long",
     indexof_regex_kernel)
SIGS(countof_sigs, "(text:string, part:string, [kind:string]) long", countof_kernel)
SIGS(regex_quote_sigs, "(text:scalar) string", regex_quote_kernel)
static const struct func_overload extract_all_sigs[] = {
    {"(regex:string, text:string) dynamic", extract_all_kernel},
    {"(regex:string, groups:dynamic, text:string) dynamic", extract_picked_kernel},
    {NULL, NULL},
};

#define REGEX(text, symbol, null_rule, about)                                                      \
    .name = text, .doc = about, .sigs = symbol, .nulls = null_rule, .resolve = regex_resolve,      \
    .prepare = regex_prepare

const struct func func_regex[] = {
    {REGEX("matches regex", matches_sigs, FUNC_STRICT,
           "True when the regular expression matches anywhere in the text.")},
    {.name = "extract",
     .doc = "Text of a group of the first match (0: all of it), converted when a type is given; "
            "empty or null without a match.",
     .sigs = extract_sigs,
     .nulls = FUNC_CUSTOM,
     .resolve = extract_resolve,
     .prepare = regex_prepare},
    {REGEX("extract_all", extract_all_sigs, FUNC_CUSTOM,
           "Array of the groups of all matches, of arrays when there are several groups; null "
           "without a match.")},
    {REGEX("extractall", extract_all_sigs, FUNC_CUSTOM, "Old name of extract_all."),
     .flags = FUNC_HIDDEN},
    {REGEX("replace_regex", replace_regex_sigs, FUNC_STRICT,
           "Replaces every match; \\0 stands for the match, \\1 to \\9 for its groups.")},
    {REGEX("replace", replace_sigs, FUNC_STRICT,
           "Old form of replace_regex: expression, rewrite, text."),
     .flags = FUNC_HIDDEN},
    {REGEX("trim", trim_sigs, FUNC_STRICT, "The text without a match at its start and its end.")},
    {REGEX("trim_start", trim_start_sigs, FUNC_STRICT, "The text without a match at its start.")},
    {REGEX("trim_end", trim_end_sigs, FUNC_STRICT, "The text without a match at its end.")},
    {REGEX("indexof_regex", indexof_regex_sigs, FUNC_CUSTOM,
           "Position of a match, -1 when there is none; null for bad arguments.")},
    {.name = "countof",
     .doc = "Number of occurrences of a plain text, which may overlap, or of a 'regex'.",
     .sigs = countof_sigs,
     .resolve = countof_resolve,
     .prepare = countof_prepare},
    {.name = "regex_quote",
     .doc = "The text with all characters escaped that mean something in regular expressions.",
     .sigs = regex_quote_sigs},
};
const size_t func_regex_count = RF_COUNT(func_regex);
