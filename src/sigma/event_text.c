/* Texts within lines: Sysmon's XML in a syslog message, and the words of the Linux audit log. */
#include "sigma/event_int.h"

enum { NAME_BYTES_MAX = 128 };

static void put(struct event_reader *r, rf_str prefix, rf_str name, rf_str value)
{
    uint8_t path[NAME_BYTES_MAX];
    if (prefix.len + name.len > sizeof path) return;
    if (prefix.len > 0) memcpy(path, prefix.ptr, prefix.len);
    if (name.len > 0) memcpy(path + prefix.len, name.ptr, name.len);
    uint32_t raw = event_names_find(&r->names, rf_str_make(path, prefix.len + name.len));
    if (raw != UINT32_MAX && r->raws[raw].wanted) event_put(r, raw, RAW_TEXT, value);
}

/* ---- XML ---------------------------------------------------------------------------------------------------------------- */

/* The character of an entity at s[*at], which is '&'; moves *at behind it. 0: none. */
static uint32_t entity(rf_str s, size_t *at)
{
    static const struct {
        const char *name;
        uint32_t c;
    } names[] = {{"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}, {"&quot;", '"'}, {"&apos;", '\''}};
    rf_str rest = rf_slice(s, *at, s.len);
    for (size_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_starts(rest, rf_str_of(names[i].name))) {
            *at += strlen(names[i].name);
            return names[i].c;
        }
    if (rest.len < 4 || rest.ptr[1] != '#') return 0;
    bool hex = rest.ptr[2] == 'x' || rest.ptr[2] == 'X';
    uint32_t c = 0, digits = 0;
    size_t i = 2 + hex;
    for (; i < rest.len && digits < 8; i++, digits++) {
        uint8_t d = rest.ptr[i], low = d | 0x20;
        if (rf_is_digit(d))
            c = c * (hex ? 16 : 10) + (uint32_t)(d - '0');
        else if (hex && low >= 'a' && low <= 'f')
            c = c * 16 + (uint32_t)(low - 'a') + 10;
        else
            break;
    }
    if (digits == 0 || i >= rest.len || rest.ptr[i] != ';' || c == 0 || c > 0x10ffff) return 0;
    *at += i + 1;
    return c;
}

static rf_str decode(struct event_reader *r, rf_str s)
{
    if (s.len == 0 || memchr(s.ptr, '&', s.len) == NULL) return s;
    uint8_t *out = rf_arena_alloc(&r->scratch, s.len + 4);
    size_t len = 0;
    if (out == NULL) {
        r->failed = true;
        return s;
    }
    for (size_t at = 0; at < s.len;) {
        uint32_t c = s.ptr[at] == '&' ? entity(s, &at) : 0;
        if (c == 0)
            out[len++] = s.ptr[at++];
        else
            len += rf_utf8_put(c, out + len); /* an entity has more bytes than its character */
    }
    return rf_str_make(out, len);
}

/* The value of name="..." in a tag. */
static rf_str attribute(rf_str tag, const char *name)
{
    size_t at = rf_str_find(tag, rf_str_of(name), 0);
    if (at == SIZE_MAX) return (rf_str){NULL, 0};
    at += strlen(name);
    if (at + 1 >= tag.len || tag.ptr[at] != '=') return (rf_str){NULL, 0};
    uint8_t quote = tag.ptr[at + 1];
    const uint8_t *from = tag.ptr + at + 2, *end = tag.ptr + tag.len;
    const uint8_t *to = from < end && (quote == '"' || quote == '\'')
                            ? memchr(from, quote, (size_t)(end - from))
                            : NULL;
    return to == NULL ? (rf_str){NULL, 0} : rf_str_make(from, (size_t)(to - from));
}

/* Whether the end of the element stands at `at`, whole: a message may be cut off within it. */
static bool closes(rf_str m, size_t at, rf_str tag)
{
    size_t len = 0;
    while (len < tag.len && tag.ptr[len] != ' ' && tag.ptr[len] != '/') len++;
    return m.len - at > len + 2 &&
           rf_str_eq(rf_slice(m, at + 2, at + 2 + len), rf_slice(tag, 0, len)) &&
           m.ptr[at + 2 + len] == '>';
}

/* Elements that hold a text and nothing else: <EventID>1</EventID>, <Data Name="Image">..</Data>. */
void event_walk_xml(struct event_reader *r, rf_str m)
{
    static const char *const plain[] = {"EventID", "Channel", "Computer"};
    size_t at = rf_str_find(m, RF_S("<Event"), 0);
    while (at < m.len) {
        const uint8_t *open = memchr(m.ptr + at, '<', m.len - at);
        if (open == NULL) return;
        size_t from = (size_t)(open - m.ptr) + 1;
        const uint8_t *close = memchr(m.ptr + from, '>', m.len - from);
        if (close == NULL) return;
        rf_str tag = rf_slice(m, from, (size_t)(close - m.ptr));
        at = from + tag.len + 1;
        if (tag.len == 0 || tag.ptr[0] == '/' || tag.ptr[0] == '?') continue;
        bool empty = tag.ptr[tag.len - 1] == '/';
        size_t end = empty ? at : rf_str_find(m, RF_S("</"), at);
        if (end == SIZE_MAX) return; /* cut off */
        bool whole = empty || closes(m, end, tag);
        rf_str text = rf_slice(m, at, end);
        if (rf_str_starts(tag, RF_S("Data "))) {
            if (!whole || (text.len > 0 && memchr(text.ptr, '<', text.len) != NULL)) continue;
            put(r, RF_S("SyslogMessage."), attribute(tag, "Name"), decode(r, text));
            continue;
        }
        if (rf_str_starts(tag, RF_S("Provider ")))
            put(r, RF_S("SyslogMessage."), RF_S("Provider_Name"),
                decode(r, attribute(tag, "Name")));
        for (size_t i = 0; i < RF_COUNT(plain); i++) {
            rf_str name = rf_str_of(plain[i]);
            bool same =
                rf_str_starts(tag, name) && (tag.len == name.len || tag.ptr[name.len] == ' ');
            if (same && whole) put(r, RF_S("SyslogMessage."), name, decode(r, text));
        }
    }
}

/* ---- audit ------------------------------------------------------------------------------------------------------------ */

static bool is_blank(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == 0x1d; }
static bool is_name(uint8_t c) { return rf_is_alnum(c) || c == '_' || c == '-'; }

/* The end of a value at `at`: behind its closing quote, or before the next blank. */
static size_t value_end(rf_str line, size_t at, rf_str *value)
{
    uint8_t quote = at < line.len ? line.ptr[at] : 0;
    if (quote == '"' || quote == '\'') {
        const uint8_t *to = memchr(line.ptr + at + 1, quote, line.len - at - 1);
        if (to != NULL) {
            *value = rf_slice(line, at + 1, (size_t)(to - line.ptr));
            return (size_t)(to - line.ptr) + 1;
        }
    }
    size_t to = at;
    while (to < line.len && !is_blank(line.ptr[to])) to++;
    *value = rf_slice(line, at, to);
    return to;
}

/* Pairs of one run of words. A value in single quotes holds pairs itself. */
static void walk_words(struct event_reader *r, rf_str line, bool inner)
{
    for (size_t at = 0; at < line.len;) {
        while (at < line.len && is_blank(line.ptr[at])) at++;
        size_t from = at;
        while (at < line.len && is_name(line.ptr[at])) at++;
        rf_str name = rf_slice(line, from, at), value;
        if (at == line.len || line.ptr[at] != '=' || name.len == 0) {
            while (at < line.len && !is_blank(line.ptr[at])) at++;
            continue;
        }
        bool quoted = at + 1 < line.len && line.ptr[at + 1] == '\'';
        at = value_end(line, at + 1, &value);
        put(r, RF_S(""), name, value);
        if (quoted && !inner) walk_words(r, value, true);
    }
}

void event_walk_audit(struct event_reader *r, rf_str line) { walk_words(r, line, false); }
