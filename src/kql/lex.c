#include "kql/lex.h"

#include "value/text.h"

static bool is_name_start(uint8_t c) { return rf_is_alpha(c) || c == '_' || c == '$'; }
static bool is_name_byte(uint8_t c) { return rf_is_alnum(c) || c == '_'; }

/* Units that may follow a number: 1d, 90min, 5 ticks is not one. A hundred nanoseconds are a tick. */
static const struct {
    const char *name;
    int64_t ticks;
} units[] = {
    {"nanoseconds", 0},    {"nanosecond", 0},       {"nanosec", 0},         {"nanos", 0},
    {"nano", 0},           {"microsec", 10},        {"millisec", 10000},    {"microseconds", 10},
    {"microsecond", 10},   {"milliseconds", 10000}, {"millisecond", 10000}, {"seconds", 10000000},
    {"second", 10000000},  {"minutes", 600000000},  {"minute", 600000000},  {"hours", 36000000000},
    {"hour", 36000000000}, {"days", 864000000000},  {"day", 864000000000},  {"ticks", 1},
    {"tick", 1},           {"micros", 10},          {"micro", 10},          {"millis", 10000},
    {"milli", 10000},      {"secs", 10000000},      {"sec", 10000000},      {"mins", 600000000},
    {"min", 600000000},    {"hrs", 36000000000},    {"hr", 36000000000},    {"ms", 10000},
    {"s", 10000000},       {"m", 600000000},        {"h", 36000000000},     {"d", 864000000000},
};

struct lexer {
    struct parser *p;
    rf_str text;
    size_t at;
    uint32_t cap;
};

static enum rf_kind fail(const struct lexer *lx, size_t pos, const char *code, const char *what)
{
    return parse_fail_at(lx->text, (uint32_t)pos, lx->p->err, RF_INVALID, code, "%s", what);
}

static struct token *add(struct lexer *lx, enum token_kind kind, size_t from, size_t to)
{
    struct parser *p = lx->p;
    if (p->token_count == lx->cap) {
        uint32_t cap = lx->cap == 0 ? 256 : lx->cap * 2;
        struct token *grown =
            rf_arena_grow(p->arena, p->tokens, lx->cap * sizeof *grown, cap * sizeof *grown);
        if (grown == NULL) return NULL;
        p->tokens = grown;
        lx->cap = cap;
    }
    struct token *t = &p->tokens[p->token_count++];
    *t = (struct token){.kind = kind,
                        .pos = (uint32_t)from,
                        .end = (uint32_t)to,
                        .text = rf_slice(lx->text, from, to)};
    return t;
}

static int hex_digit(uint8_t c)
{
    if (rf_is_digit(c)) return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads `count` hex digits at *at; false when there are not as many. */
static bool hex_number(rf_str s, size_t *at, int count, uint32_t *out)
{
    uint32_t cp = 0;
    for (int i = 0; i < count; i++, (*at)++) {
        int digit = *at < s.len ? hex_digit(s.ptr[*at]) : -1;
        if (digit < 0) return false;
        cp = cp << 4 | (uint32_t)digit;
    }
    *out = cp;
    return true;
}

/* One escape after a backslash at s[*at]; an unknown one keeps the character after the backslash. */
static bool unescape(rf_str s, size_t *at, struct rf_buf *buf)
{
    uint8_t c = s.ptr[(*at)++], utf8[4];
    uint32_t cp = 0;
    switch (c) {
    case 'n':
        rf_buf_byte(buf, '\n');
        return true;
    case 't':
        rf_buf_byte(buf, '\t');
        return true;
    case 'r':
        rf_buf_byte(buf, '\r');
        return true;
    case 'a':
        rf_buf_byte(buf, '\a');
        return true;
    case 'b':
        rf_buf_byte(buf, '\b');
        return true;
    case 'f':
        rf_buf_byte(buf, '\f');
        return true;
    case 'v':
        rf_buf_byte(buf, '\v');
        return true;
    case '0':
        rf_buf_byte(buf, 0);
        return true;
    case 'x':
        if (!hex_number(s, at, 2, &cp)) return false;
        break;
    case 'U':
        if (!hex_number(s, at, 8, &cp)) return false;
        break;
    case 'u':
        if (!hex_number(s, at, 4, &cp)) return false;
        if (cp >= 0xd800 && cp < 0xdc00 && *at + 1 < s.len && s.ptr[*at] == '\\' &&
            s.ptr[*at + 1] == 'u') {
            size_t next = *at + 2;
            uint32_t low;
            if (hex_number(s, &next, 4, &low) && low >= 0xdc00 && low < 0xe000) {
                cp = 0x10000 + ((cp - 0xd800) << 10) + (low - 0xdc00);
                *at = next;
            }
        }
        break;
    default:
        rf_buf_byte(buf, c);
        return true;
    }
    rf_buf_put(buf, utf8, rf_utf8_put(cp, utf8));
    return true;
}

static enum rf_kind lex_multi_line(struct lexer *lx, size_t from, rf_str fence)
{
    size_t body = lx->at + 3, end = rf_str_find(lx->text, fence, body);
    if (end == SIZE_MAX)
        return fail(lx, from, "UnterminatedString", "this multi-line string is not closed");
    struct token *t = add(lx, TOKEN_STRING, from, end + 3);
    if (t == NULL) return PARSE_NOMEM(lx->p);
    t->text = rf_slice(lx->text, body, end);
    lx->at = end + 3;
    return RF_OK;
}

/* "..", '..', @"..", and each with h or H before it. lx->at is at the quote or the prefix. */
static enum rf_kind lex_string(struct lexer *lx)
{
    rf_str s = lx->text;
    size_t from = lx->at, at = from;
    bool verbatim = false;
    while (s.ptr[at] == 'h' || s.ptr[at] == 'H') at++;
    if (s.ptr[at] == '@') verbatim = true, at++;
    if (s.ptr[at] == '`' || s.ptr[at] == '~') {
        lx->at = at;
        return lex_multi_line(lx, from, s.ptr[at] == '`' ? RF_S("```") : RF_S("~~~"));
    }
    uint8_t quote = s.ptr[at++];
    struct rf_buf buf = rf_buf_in(lx->p->arena);
    size_t run = at; /* start of bytes not copied yet */
    bool copied = false;
    for (;; at++) {
        if (at >= s.len || (s.ptr[at] == '\n' && !verbatim))
            return fail(lx, from, "UnterminatedString",
                        "this string is not closed; multi-line strings stand between ```");
        uint8_t c = s.ptr[at];
        if (c == quote && verbatim && at + 1 < s.len && s.ptr[at + 1] == quote) {
            rf_buf_put(&buf, s.ptr + run, at + 1 - run);
            copied = true;
            run = at + 2;
            at++;
        } else if (c == quote) {
            break;
        } else if (c == '\\' && !verbatim) {
            if (at + 1 >= s.len)
                return fail(lx, from, "UnterminatedString", "this string is not closed");
            rf_buf_put(&buf, s.ptr + run, at - run);
            copied = true;
            size_t next = at + 1;
            if (!unescape(s, &next, &buf))
                return fail(lx, at, "BadEscape", "this escape needs more hexadecimal digits");
            run = next;
            at = next - 1;
        }
    }
    rf_str text = rf_slice(s, run, at);
    if (copied) {
        rf_buf_str(&buf, text);
        if (buf.failed) return PARSE_NOMEM(lx->p);
        text = rf_buf_view(&buf);
    }
    struct token *t = add(lx, TOKEN_STRING, from, at + 1);
    if (t == NULL) return PARSE_NOMEM(lx->p);
    t->text = text;
    lx->at = at + 1;
    return RF_OK;
}

static enum rf_kind add_literal(struct lexer *lx, size_t from, size_t to, struct value v)
{
    struct token *t = add(lx, TOKEN_LITERAL, from, to);
    if (t == NULL) return PARSE_NOMEM(lx->p);
    t->value = v;
    lx->at = to;
    return RF_OK;
}

/* Number, hex number, number with a time unit; a run such as 4688_events is a name. */
static enum rf_kind lex_number(struct lexer *lx)
{
    rf_str s = lx->text;
    size_t from = lx->at, at = from;
    if (s.ptr[at] == '0' && at + 1 < s.len && (s.ptr[at + 1] | 0x20) == 'x') {
        int64_t number = 0;
        for (at += 2; at < s.len && hex_digit(s.ptr[at]) >= 0; at++) continue;
        if (!text_to_long(rf_slice(s, from, at), &number))
            return fail(lx, from, "BadLiteral", "this number does not fit a long");
        return add_literal(lx, from, at, value_long(number));
    }
    bool real = false;
    while (at < s.len && rf_is_digit(s.ptr[at])) at++;
    if (at + 1 < s.len && s.ptr[at] == '.' && rf_is_digit(s.ptr[at + 1])) {
        real = true;
        for (at++; at < s.len && rf_is_digit(s.ptr[at]); at++) continue;
    } else if (at < s.len && s.ptr[at] == '.' &&
               !(at + 1 < s.len && (s.ptr[at + 1] == '.' || is_name_start(s.ptr[at + 1])))) {
        real = true; /* "1." */
        at++;
    }
    if (at < s.len && (s.ptr[at] | 0x20) == 'e') {
        size_t e = at + 1;
        if (e < s.len && (s.ptr[e] == '+' || s.ptr[e] == '-')) e++;
        if (e < s.len && rf_is_digit(s.ptr[e])) {
            real = true;
            while (e < s.len && rf_is_digit(s.ptr[e])) e++;
            at = e;
        }
    }
    rf_str digits = rf_slice(s, from, at);
    size_t word = at;
    while (word < s.len && is_name_byte(s.ptr[word])) word++;
    if (word > at) {
        rf_str unit = rf_slice(s, at, word);
        for (size_t i = 0; i < RF_COUNT(units); i++) {
            if (!rf_str_is(unit, units[i].name)) continue;
            double amount = 0;
            int64_t whole = 0, ticks = 0;
            if (!real && units[i].ticks > 0 && text_to_long(digits, &whole) &&
                !__builtin_mul_overflow(whole, units[i].ticks, &ticks))
                return add_literal(lx, from, word, value_i64(TYPE_TIMESPAN, ticks));
            double exact = units[i].ticks == 0 ? 0.01 : (double)units[i].ticks;
            if (!text_to_real(digits, &amount) || amount * exact > 9.2e18)
                return fail(lx, from, "BadLiteral", "this timespan is too large");
            exact *= amount;
            return add_literal(
                lx, from, word,
                value_i64(TYPE_TIMESPAN, (int64_t)(exact + (exact < 0 ? -0.5 : 0.5))));
        }
        if (real)
            return fail(
                lx, at, "BadLiteral",
                "unknown unit after this number; units are d, h, m, s, ms, microsecond, tick");
        struct token *t = add(lx, TOKEN_NAME, from, word);
        if (t == NULL) return PARSE_NOMEM(lx->p);
        lx->at = word;
        return RF_OK;
    }
    struct value v = value_long(0);
    if (!real && text_to_long(digits, &v.i)) return add_literal(lx, from, at, v);
    v = value_real(0);
    if (!text_to_real(digits, &v.r)) return fail(lx, from, "BadLiteral", "this is not a number");
    return add_literal(lx, from, at, v);
}

/* Pasted dates come with no-break spaces, or with blanks around their dashes. */
static bool pasted_datetime(struct lexer *lx, rf_str body, int64_t *ticks)
{
    static const char *const spaces[] = {"\xe2\x80\xaf", "\xc2\xa0"};
    struct rf_buf buf = rf_buf_in(lx->p->arena);
    for (size_t i = 0; i < body.len; i++) {
        rf_str rest = rf_slice(body, i, body.len);
        bool wide = false;
        for (size_t k = 0; k < RF_COUNT(spaces) && !wide; k++) {
            wide = rf_str_starts(rest, rf_str_of(spaces[k]));
            if (wide) i += strlen(spaces[k]) - 1;
        }
        bool dash = body.ptr[i] == '-';
        while (dash && buf.len > 0 && rf_buf_view(&buf).ptr[buf.len - 1] == ' ') buf.len--;
        rf_buf_byte(&buf, wide ? ' ' : body.ptr[i]);
        while (dash && i + 1 < body.len && body.ptr[i + 1] == ' ') i++;
    }
    return !buf.failed && text_to_datetime(rf_buf_view(&buf), ticks);
}

/* An int of 32 bits, which hex digits may give with its sign: int(0xf090013d) is a negative status code. */
static bool text_to_int(rf_str body, int64_t *out)
{
    if (!text_to_long(body, out)) return false;
    bool hex = rf_str_starts(body, RF_S("0x")) || rf_str_starts(body, RF_S("0X"));
    if (hex && *out > INT32_MAX && *out <= UINT32_MAX) *out = (int32_t)(uint32_t)*out;
    return *out >= INT32_MIN && *out <= INT32_MAX;
}

/* datetime(2024-01-01), long(null), guid(..): the text between the brackets is no expression. Text that is no such value
 * gives null: Microsoft's analyser takes any. */
static enum rf_kind lex_typed(struct lexer *lx, enum type type, size_t from, size_t open)
{
    rf_str s = lx->text;
    size_t close = open + 1;
    while (close < s.len && s.ptr[close] != ')') close++;
    if (close >= s.len) return fail(lx, from, "BadLiteral", "this literal's bracket is not closed");
    rf_str body = rf_str_trim(rf_slice(s, open + 1, close));
    if (body.len >= 2 && (body.ptr[0] == '"' || body.ptr[0] == '\'') &&
        body.ptr[body.len - 1] == body.ptr[0])
        body = rf_str_trim(rf_slice(body, 1, body.len - 1));
    struct value v = value_null(type);
    bool ok = true;
    if (type == TYPE_DATETIME && body.len == 0) {
        v.i = 1; /* datetime() is the present time: the parser makes it now() */
    } else if (!rf_str_eq_nocase(body, RF_S("null"))) {
        v.null = false;
        switch (type) {
        case TYPE_BOOL: {
            bool b = false;
            ok = text_to_bool(body, &b);
            v.b = b;
            break;
        }
        case TYPE_INT:
            ok = text_to_int(body, &v.i);
            break;
        case TYPE_LONG:
            ok = text_to_long(body, &v.i);
            break;
        case TYPE_REAL:
            ok = text_to_real(body, &v.r);
            break;
        case TYPE_DECIMAL:
            ok = text_to_decimal(body, &v.d);
            break;
        case TYPE_DATETIME:
            ok = text_to_datetime(body, &v.i) || pasted_datetime(lx, body, &v.i);
            break;
        case TYPE_TIMESPAN:
            ok = text_to_timespan(body, &v.i);
            break;
        case TYPE_GUID:
            ok = text_to_guid(body, &v.g);
            break;
        default:
            ok = false;
        }
    }
    if (!ok) v = value_null(type);
    return add_literal(lx, from, close + 1, v);
}

static enum rf_kind lex_name(struct lexer *lx)
{
    rf_str s = lx->text;
    size_t from = lx->at, at = from + 1;
    while (at < s.len && is_name_byte(s.ptr[at])) at++;
    rf_str name = rf_slice(s, from, at);
    enum type type;
    size_t open = at;
    while (open < s.len && rf_is_space(s.ptr[open])) open++;
    bool member =
        lx->p->token_count > 0 && rf_str_is(lx->p->tokens[lx->p->token_count - 1].text, ".");
    if (open < s.len && s.ptr[open] == '(' && !member && type_parse(name, &type) &&
        type != TYPE_STRING && type != TYPE_DYNAMIC)
        return lex_typed(lx, type, from, open);
    if (at < s.len && s.ptr[at] == '~' && (rf_str_is(name, "in") || rf_str_is(name, "has_any"))) {
        if (rf_str_is(name, "in")) at++;
    }
    if (add(lx, TOKEN_NAME, from, at) == NULL) return PARSE_NOMEM(lx->p);
    lx->at = at;
    return RF_OK;
}

static enum rf_kind lex_punct(struct lexer *lx)
{
    static const char *const twos[] = {"==", "!=", "=~", "!~", "<=", ">=", "<>", "..", "=>"};
    rf_str s = lx->text;
    size_t from = lx->at, to = from + 1;
    for (size_t i = 0; i < RF_COUNT(twos); i++)
        if (from + 2 <= s.len && memcmp(s.ptr + from, twos[i], 2) == 0) to = from + 2;
    if (s.ptr[from] == '!' && to == from + 1) { /* !in, !contains, !in~ */
        size_t word = to;
        while (word < s.len && is_name_byte(s.ptr[word])) word++;
        if (word - to == 2 && memcmp(s.ptr + to, "in", 2) == 0 && word < s.len &&
            s.ptr[word] == '~')
            word++;
        if (word > to) to = word;
    }
    if (to == from + 1 &&
        (s.ptr[from] == 0 || strchr("|()[]{},;:.=+-*/%<>!@&?", s.ptr[from]) == NULL)) {
        size_t next = from;
        (void)rf_utf8_next(s, &next);
        return parse_fail_at(s, (uint32_t)from, lx->p->err, RF_INVALID, "UnexpectedCharacter",
                             s.ptr[from] < 0x20 || s.ptr[from] == 0x7f
                                 ? "unexpected control character (byte %d)"
                                 : "unexpected character (first byte %d)",
                             s.ptr[from]);
    }
    if (add(lx, TOKEN_PUNCT, from, to) == NULL) return PARSE_NOMEM(lx->p);
    lx->at = to;
    return RF_OK;
}

static bool at_string(rf_str s, size_t at)
{
    while (at < s.len && (s.ptr[at] == 'h' || s.ptr[at] == 'H')) at++;
    if (at < s.len && s.ptr[at] == '@') at++;
    if (at >= s.len) return false;
    if (s.ptr[at] == '"' || s.ptr[at] == '\'') return true;
    return at + 2 < s.len && (s.ptr[at] == '`' || s.ptr[at] == '~') && s.ptr[at + 1] == s.ptr[at] &&
           s.ptr[at + 2] == s.ptr[at];
}

/* Blanks of pasted text: no-break, thin and zero-width spaces, line separators, byte order marks. */
static bool is_wide_blank(rf_str s, size_t *at)
{
    size_t next = *at;
    uint32_t c = rf_utf8_next(s, &next);
    bool blank = c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200f) || c == 0x2028 ||
                 c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x2060 || c == 0x3000 ||
                 c == 0xfeff || c == 0x85;
    if (blank) *at = next;
    return blank;
}

static size_t skip_blank(rf_str s, size_t at)
{
    while (at < s.len) {
        if (rf_is_space(s.ptr[at])) {
            at++;
        } else if (s.ptr[at] == '/' && at + 1 < s.len && s.ptr[at + 1] == '/') {
            while (at < s.len && s.ptr[at] != '\n') at++;
        } else if (s.ptr[at] >= 0x80 && is_wide_blank(s, &at)) {
            continue;
        } else {
            break;
        }
    }
    return at;
}

/* Names the first byte that is at fault: the longest beginning of whole characters that is valid ends before it. */
static enum rf_kind fail_utf8(const struct parser *p)
{
    size_t at = 0, next = 0;
    while (next < p->text.len) {
        (void)rf_utf8_next(p->text, &next);
        if (!rf_utf8_valid(rf_slice(p->text, at, next))) break;
        at = next;
    }
    return parse_fail_at(p->text, (uint32_t)at, p->err, RF_INVALID, "BadUtf8",
                         "the query text is not valid UTF-8 here (byte %d)", p->text.ptr[at]);
}

enum rf_kind lex_query(struct parser *p)
{
    if (p->text.len > PARSE_TEXT_BYTES_MAX)
        return RF_FAIL(p->err, RF_LIMIT, "QueryTooLong",
                       "the query text has %zu bytes, more than the limit of %d", p->text.len,
                       PARSE_TEXT_BYTES_MAX);
    if (!rf_utf8_valid(p->text)) return fail_utf8(p);
    struct lexer lx = {.p = p, .text = p->text};
    for (;;) {
        lx.at = skip_blank(lx.text, lx.at);
        if (lx.at >= lx.text.len) break;
        uint8_t c = lx.text.ptr[lx.at];
        if (at_string(lx.text, lx.at)) {
            RF_TRY(lex_string(&lx));
        } else if (rf_is_digit(c)) {
            RF_TRY(lex_number(&lx));
        } else if (is_name_start(c)) {
            RF_TRY(lex_name(&lx));
        } else {
            RF_TRY(lex_punct(&lx));
        }
    }
    if (add(&lx, TOKEN_END, lx.text.len, lx.text.len) == NULL) return PARSE_NOMEM(p);
    return RF_OK;
}
