#include "collect/xml.h"

void xml_reader_init(struct xml_reader *reader, rf_str text, struct rf_arena *arena)
{
    rf_str mark = RF_S("\xef\xbb\xbf");
    *reader = (struct xml_reader){.text = text, .arena = arena};
    if (rf_str_starts(text, mark)) reader->at = mark.len;
}

static enum rf_kind bad(const struct xml_reader *r, const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadXml", "at byte %zu of the XML: %s", r->at, what);
}

static bool looking_at(const struct xml_reader *r, const char *text)
{
    return rf_str_starts(rf_slice(r->text, r->at, r->text.len), rf_str_of(text));
}

static bool is_name_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80;
}

static rf_str take_name(struct xml_reader *r)
{
    size_t from = r->at;
    while (r->at < r->text.len && is_name_byte(r->text.ptr[r->at])) r->at++;
    return rf_slice(r->text, from, r->at);
}

static rf_str without_prefix(rf_str name)
{
    size_t colon = rf_str_find(name, RF_S(":"), 0);
    return colon == SIZE_MAX ? name : rf_slice(name, colon + 1, name.len);
}

static void skip_blanks(struct xml_reader *r)
{
    while (r->at < r->text.len && rf_is_space(r->text.ptr[r->at])) r->at++;
}

/* What the entity between & and ; stands for; 0: it is none. */
static uint32_t entity(rf_str name)
{
    static const struct {
        const char *name;
        uint32_t cp;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (size_t i = 0; i < RF_COUNT(known); i++)
        if (rf_str_is(name, known[i].name)) return known[i].cp;
    if (name.len < 2 || name.len > 9 || name.ptr[0] != '#') return 0;
    bool hex = rf_lower(name.ptr[1]) == 'x';
    uint32_t cp = 0;
    for (size_t i = hex ? 2 : 1; i < name.len; i++) {
        uint8_t c = rf_lower(name.ptr[i]);
        if (!rf_is_digit(c) && !(hex && c >= 'a' && c <= 'f')) return 0;
        cp = cp * (hex ? 16 : 10) + (uint32_t)(rf_is_digit(c) ? c - '0' : c - 'a' + 10);
        if (cp > 0x10ffff) return 0;
    }
    return cp;
}

static enum rf_kind resolve(struct xml_reader *r, rf_str raw, rf_str *out, struct rf_err *err)
{
    *out = raw;
    if (raw.len == 0 || memchr(raw.ptr, '&', raw.len) == NULL) return RF_OK;
    struct rf_buf buf = rf_buf_in(r->arena);
    uint8_t bytes[4];
    for (size_t at = 0; at < raw.len;) {
        if (raw.ptr[at] != '&') {
            rf_buf_byte(&buf, raw.ptr[at++]);
            continue;
        }
        size_t end = rf_str_find(raw, RF_S(";"), at);
        uint32_t cp = end == SIZE_MAX ? 0 : entity(rf_slice(raw, at + 1, end));
        /* Event data often holds a bare &: it stands for itself. */
        if (cp == 0) {
            rf_buf_byte(&buf, raw.ptr[at++]);
            continue;
        }
        rf_buf_put(&buf, bytes, rf_utf8_put(cp, bytes));
        at = end + 1;
    }
    if (buf.failed) return rf_fail_memory(err, r->arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static enum rf_kind read_attribute(struct xml_reader *r, struct xml_token *out, struct rf_err *err)
{
    if (out->attribute_count == XML_ATTRIBUTES_MAX) return bad(r, "too many attributes", err);
    struct xml_attribute *attribute = &out->attributes[out->attribute_count];
    attribute->name = without_prefix(take_name(r));
    skip_blanks(r);
    if (attribute->name.len == 0 || r->at >= r->text.len || r->text.ptr[r->at] != '=')
        return bad(r, "an attribute without a value", err);
    r->at++;
    skip_blanks(r);
    uint8_t quote = r->at < r->text.len ? r->text.ptr[r->at] : 0;
    if (quote != '"' && quote != '\'') return bad(r, "an attribute without quotes", err);
    size_t from = ++r->at;
    while (r->at < r->text.len && r->text.ptr[r->at] != quote) r->at++;
    if (r->at >= r->text.len) return bad(r, "an attribute that does not end", err);
    RF_TRY(resolve(r, rf_slice(r->text, from, r->at), &attribute->value, err));
    r->at++;
    out->attribute_count++;
    return RF_OK;
}

static enum rf_kind read_open(struct xml_reader *r, struct xml_token *out, struct rf_err *err)
{
    r->at++;
    rf_str name = take_name(r);
    if (name.len == 0) return bad(r, "'<' without a name", err);
    if (r->depth == XML_DEPTH_MAX)
        return RF_FAIL(err, RF_LIMIT, "XmlTooDeep", "the XML has more than %d levels",
                       XML_DEPTH_MAX);
    out->kind = XML_OPEN;
    out->name = without_prefix(name);
    r->open[r->depth++] = name;
    for (;;) {
        skip_blanks(r);
        if (r->at >= r->text.len) return bad(r, "a tag that does not end", err);
        if (looking_at(r, "/>")) {
            r->at += 2;
            r->close_next = true;
            return RF_OK;
        }
        if (r->text.ptr[r->at] == '>') {
            r->at++;
            return RF_OK;
        }
        RF_TRY(read_attribute(r, out, err));
    }
}

static enum rf_kind read_close(struct xml_reader *r, struct xml_token *out, struct rf_err *err)
{
    r->at += 2;
    rf_str name = take_name(r);
    skip_blanks(r);
    if (r->depth == 0 || !rf_str_eq(name, r->open[r->depth - 1]) || r->at >= r->text.len ||
        r->text.ptr[r->at] != '>')
        return bad(r, "a closing tag that fits no opening one", err);
    r->at++;
    r->depth--;
    *out = (struct xml_token){.kind = XML_CLOSE, .name = without_prefix(name), .from = out->from};
    return RF_OK;
}

/* Moves behind the next `end`; *body is what lies before it. */
static enum rf_kind take_until(struct xml_reader *r, const char *end, rf_str *body,
                               struct rf_err *err)
{
    rf_str want = rf_str_of(end);
    size_t at = rf_str_find(r->text, want, r->at);
    if (at == SIZE_MAX) return bad(r, "something that does not end", err);
    *body = rf_slice(r->text, r->at, at);
    r->at = at + want.len;
    return RF_OK;
}

/* Comments, instructions; a document type could define what expands. */
static enum rf_kind skip_others(struct xml_reader *r, bool *skipped, struct rf_err *err)
{
    rf_str body;
    *skipped = true;
    if (looking_at(r, "<!--")) return take_until(r, "-->", &body, err);
    if (looking_at(r, "<?")) return take_until(r, "?>", &body, err);
    if (looking_at(r, "<!") && !looking_at(r, "<![CDATA["))
        return bad(r, "document types are not taken", err);
    *skipped = false;
    return RF_OK;
}

static enum rf_kind read_text(struct xml_reader *r, struct xml_token *out, struct rf_err *err)
{
    rf_str raw;
    out->kind = XML_TEXT;
    if (looking_at(r, "<![CDATA[")) {
        r->at += 9;
        return take_until(r, "]]>", &out->text, err);
    }
    size_t from = r->at;
    while (r->at < r->text.len && r->text.ptr[r->at] != '<') r->at++;
    raw = rf_slice(r->text, from, r->at);
    if (r->depth == 0 && rf_str_trim(raw).len > 0) {
        r->at = from;
        return bad(r, "text outside of the elements", err);
    }
    return resolve(r, raw, &out->text, err);
}

enum rf_kind xml_next(struct xml_reader *r, struct xml_token *out, struct rf_err *err)
{
    bool skipped = true;
    out->attribute_count = 0;
    out->name = out->text = (rf_str){0};
    if (r->close_next) {
        r->close_next = false;
        rf_str name = r->open[--r->depth];
        out->kind = XML_CLOSE;
        out->name = without_prefix(name);
        out->from = out->to = r->at;
        return RF_OK;
    }
    while (skipped && r->at < r->text.len) {
        if (r->depth == 0) skip_blanks(r);
        if (r->at == r->text.len) break;
        RF_TRY(skip_others(r, &skipped, err));
    }
    out->from = r->at;
    if (r->at >= r->text.len) {
        out->kind = XML_END;
        return r->depth == 0 ? RF_OK : bad(r, "an element that does not end", err);
    }
    enum rf_kind kind = looking_at(r, "</") ? read_close(r, out, err)
                        : looking_at(r, "<![CDATA[") || r->text.ptr[r->at] != '<'
                            ? read_text(r, out, err)
                            : read_open(r, out, err);
    out->to = r->at;
    return kind;
}

rf_str xml_attribute(const struct xml_token *token, const char *name)
{
    for (uint32_t i = 0; i < token->attribute_count; i++)
        if (rf_str_is(token->attributes[i].name, name)) return token->attributes[i].value;
    return (rf_str){0};
}
