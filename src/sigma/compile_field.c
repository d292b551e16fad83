/* Fields of rules as expressions over the columns of tables. */
#include "sigma/compile_int.h"

/* ---- literals and names ------------------------------------------------------------------------------------------ */

void compile_literal(struct rf_buf *buf, rf_str text)
{
    bool plain = rf_utf8_valid(text), backslash = false;
    for (size_t i = 0; i < text.len; i++) {
        plain = plain && text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f;
        backslash = backslash || text.ptr[i] == '\\';
    }
    if (plain) {
        /* 'text' where nothing in it is special, else @'verbatim', in which a quote is doubled. */
        bool quote =
            memchr(text.ptr == NULL ? (const uint8_t *)"" : text.ptr, '\'', text.len) != NULL;
        rf_buf_str(buf, backslash || quote ? RF_S("@'") : RF_S("'"));
        for (size_t i = 0; i < text.len; i++) {
            if (text.ptr[i] == '\'') rf_buf_byte(buf, '\'');
            rf_buf_byte(buf, text.ptr[i]);
        }
        rf_buf_byte(buf, '\'');
        return;
    }
    rf_buf_byte(buf, '\'');
    for (size_t at = 0; at < text.len;) {
        uint8_t c = text.ptr[at];
        if (c == '\\' || c == '\'') {
            rf_buf_byte(buf, '\\');
            rf_buf_byte(buf, c);
            at++;
        } else if (c < 0x20 || c == 0x7f) {
            rf_buf_printf(buf, "\\u%04x", c);
            at++;
        } else {
            uint8_t out[4];
            uint32_t cp = rf_utf8_next(text, &at);
            rf_buf_put(buf, out, rf_utf8_put(cp, out));
        }
    }
    rf_buf_byte(buf, '\'');
}

/* Words of the language are in lower case; a name that begins with a capital is none of them. */
static bool is_bare(rf_str name)
{
    if (name.len == 0 || !(name.ptr[0] >= 'A' && name.ptr[0] <= 'Z')) return false;
    for (size_t i = 1; i < name.len; i++)
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '_') return false;
    return true;
}

void compile_name(struct rf_buf *buf, rf_str name)
{
    if (is_bare(name)) {
        rf_buf_str(buf, name);
        return;
    }
    rf_buf_byte(buf, '[');
    compile_literal(buf, name);
    rf_buf_byte(buf, ']');
}

/* One step of a path: .Name or ['name']. */
static void put_step(struct rf_buf *buf, rf_str name)
{
    if (is_bare(name)) rf_buf_byte(buf, '.');
    compile_name(buf, name);
}
static void put_steps(struct rf_buf *buf, rf_str path)
{
    for (size_t from = 0; from <= path.len;) {
        size_t dot = rf_str_find(path, RF_S("."), from);
        size_t to = dot == SIZE_MAX ? path.len : dot;
        put_step(buf, rf_slice(path, from, to));
        from = to + 1;
    }
}

/* ---- places ------------------------------------------------------------------------------------------------------ */

/* A column, or keys joined by dots of which the first is a column. */
static void put_column(struct compiler *c, struct rf_buf *buf, rf_str path)
{
    size_t dot = rf_str_find(path, RF_S("."), 0);
    rf_str top = dot == SIZE_MAX ? path : rf_slice(path, 0, dot);
    bool known = layout_has_column(c->layout, top);
    if (dot == SIZE_MAX) {
        rf_buf_str(buf, RF_S("tostring("));
        if (known) {
            compile_name(buf, top);
        } else {
            rf_buf_str(buf, RF_S("column_ifexists("));
            compile_literal(buf, top);
            rf_buf_str(buf, RF_S(", '')"));
        }
        rf_buf_byte(buf, ')');
        return;
    }
    rf_buf_str(buf, RF_S("tostring(todynamic("));
    if (known) {
        compile_name(buf, top);
    } else {
        rf_buf_str(buf, RF_S("column_ifexists("));
        compile_literal(buf, top);
        rf_buf_str(buf, RF_S(", '')"));
    }
    rf_buf_byte(buf, ')');
    put_steps(buf, rf_slice(path, dot + 1, path.len));
    rf_buf_byte(buf, ')');
}

/* ThreatName as it may have been written in the event: Threat Name. False when there is no such place. */
static bool with_blanks(rf_str name, struct rf_buf *buf)
{
    bool any = false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t p = i > 0 ? name.ptr[i - 1] : 0, n = name.ptr[i];
        bool capital = n >= 'A' && n <= 'Z', small_before = p >= 'a' && p <= 'z';
        if (capital && small_before) {
            rf_buf_byte(buf, ' ');
            any = true;
        }
        rf_buf_byte(buf, n);
    }
    return any;
}

static void put_windows(struct compiler *c, struct rf_buf *buf, rf_str name)
{
    bool id = rf_str_is(name, "EventID");
    if (id || rf_str_is(name, "Channel") || rf_str_is(name, "Computer")) {
        rf_buf_printf(buf,
                      "coalesce(tostring(Event.System.%.*s['#text']), tostring(Event.System.%.*s))",
                      RF_FMT(name), RF_FMT(name));
        return;
    }
    size_t bar = rf_str_find(name, RF_S("_"), 0);
    rf_buf_str(buf, RF_S("coalesce(tostring(Event.EventData"));
    put_step(buf, name);
    rf_buf_byte(buf, ')');
    struct rf_buf spaced = rf_buf_in(c->arena);
    if (c->service_only && with_blanks(name, &spaced)) {
        rf_buf_str(buf, RF_S(", tostring(Event.EventData"));
        put_step(buf, rf_buf_view(&spaced));
        rf_buf_byte(buf, ')');
    }
    if (bar != SIZE_MAX && bar > 0 && bar + 1 < name.len) {
        rf_buf_str(buf, RF_S(", tostring(Event.System"));
        put_step(buf, rf_slice(name, 0, bar));
        rf_buf_str(buf, RF_S("['#attributes']"));
        put_step(buf, rf_slice(name, bar + 1, name.len));
        rf_buf_byte(buf, ')');
    }
    rf_buf_str(buf, RF_S(", tostring(Event.System"));
    put_step(buf, name);
    rf_buf_str(buf, RF_S("))"));
}

static void put_quoted(struct rf_buf *buf, rf_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!rf_is_alnum(name.ptr[i]) && name.ptr[i] != '_') rf_buf_byte(buf, '\\');
        rf_buf_byte(buf, name.ptr[i]);
    }
}

/* Sysmon's XML in a message; entities are resolved, the ampersand last. */
static void put_xml(struct compiler *c, struct rf_buf *buf, rf_str name)
{
    struct rf_buf pattern = rf_buf_in(c->arena);
    if (rf_str_is(name, "Provider_Name")) {
        rf_buf_str(buf, RF_S("extract(@'<Provider Name=\"([^\"]*)\"', 1, SyslogMessage)"));
        return;
    }
    if (rf_str_is(name, "EventID") || rf_str_is(name, "Channel") || rf_str_is(name, "Computer")) {
        rf_buf_printf(buf, "extract(@'<%.*s[^>]*>([^<]*)</', 1, SyslogMessage)", RF_FMT(name));
        return;
    }
    rf_buf_str(&pattern, RF_S("<Data Name=\""));
    put_quoted(&pattern, name);
    rf_buf_str(&pattern, RF_S("\">([^<]*)</Data>"));
    rf_buf_str(
        buf,
        RF_S(
            "replace_string(replace_string(replace_string(replace_string(replace_string(extract("));
    compile_literal(buf, rf_buf_view(&pattern));
    rf_buf_str(buf, RF_S(", 1, SyslogMessage), '&lt;', '<'), '&gt;', '>'), '&quot;', '\"'), "
                         "'&apos;', @''''), '&amp;', '&')"));
}

/* key=value or key="value" in a line; the value in quotes may hold blanks. */
static void put_audit(struct compiler *c, struct rf_buf *buf, rf_str name)
{
    static const struct {
        const char *before, *after;
    } forms[] = {{"", "=\"([^\"]*)\""}, {"", "='([^']*)'"}, {"", "=([^\"'\\s][^\\s']*)"}};
    rf_buf_str(buf, RF_S("coalesce("));
    for (size_t i = 0; i < RF_COUNT(forms); i++) {
        struct rf_buf pattern = rf_buf_in(c->arena);
        rf_buf_str(&pattern, RF_S("(?:^|[\\s'\\x1d])"));
        put_quoted(&pattern, name);
        rf_buf_str(&pattern, rf_str_of(forms[i].after));
        rf_buf_str(buf, i == 0 ? RF_S("extract(") : RF_S(", extract("));
        compile_literal(buf, rf_buf_view(&pattern));
        rf_buf_str(buf, RF_S(", 1, RawData)"));
    }
    rf_buf_byte(buf, ')');
}

static void put_place(struct compiler *c, struct rf_buf *buf, rf_str name)
{
    switch (c->layout->form) {
    case LAYOUT_EVENT_DATA:
        rf_buf_str(buf, RF_S("tostring(EventData"));
        put_step(buf, name);
        rf_buf_byte(buf, ')');
        return;
    case LAYOUT_WINDOWS:
        put_windows(c, buf, name);
        return;
    case LAYOUT_SYSLOG:
        put_xml(c, buf, name);
        return;
    case LAYOUT_AUDITD:
        put_audit(c, buf, name);
        return;
    case LAYOUT_NESTED:
        if (layout_has_column(c->layout, RF_S("RawData"))) {
            rf_buf_str(buf, RF_S("tostring(RawData"));
            put_steps(buf, name);
            rf_buf_byte(buf, ')');
            return;
        }
        put_column(c, buf, name);
        return;
    default:
        put_column(c, buf, name);
    }
}

rf_str compile_field_expression(struct compiler *c, rf_str name, bool *number)
{
    const struct layout_field *mapped = layout_field_of(c->layout, name);
    struct rf_buf buf = rf_buf_in(c->arena);
    bool key = false;
    for (size_t k = 0; k < LAYOUT_KEYS_MAX; k++)
        key = key || (c->layout->keys[k] != NULL && rf_str_is(name, c->layout->keys[k]));
    *number = key && rf_str_is(name, c->layout->number_keys) && layout_has_column(c->layout, name);
    if (mapped == NULL) {
        put_place(c, &buf, name);
    } else if (mapped->places[1] == NULL) {
        rf_str place = rf_str_of(mapped->places[0]);
        if (layout_has_column(c->layout, place))
            compile_name(&buf, place);
        else
            put_column(c, &buf, place);
    } else {
        for (size_t i = 0; i < LAYOUT_FALLBACKS_MAX && mapped->places[i] != NULL; i++) {
            rf_buf_str(&buf, i == 0 ? RF_S("coalesce(") : RF_S(", "));
            put_column(c, &buf, rf_str_of(mapped->places[i]));
        }
        rf_buf_byte(&buf, ')');
    }
    return buf.failed ? (rf_str){NULL, 0} : rf_buf_view(&buf);
}

const struct compile_field *compile_field(struct compiler *c, rf_str name)
{
    for (struct compile_field *f = c->fields; f != NULL; f = f->next)
        if (rf_str_eq(f->name, name)) return f;
    struct compile_field *field = rf_arena_new(c->arena, struct compile_field, 1);
    if (field == NULL) return NULL;
    struct rf_buf column = rf_buf_in(c->arena);
    compile_name(&column, name);
    *field = (struct compile_field){.name = name};
    field->expression = compile_field_expression(c, name, &field->number);
    if (field->expression.ptr == NULL || column.failed) return NULL;
    field->column = rf_buf_view(&column);
    /* A column of the table's own needs no other name. */
    if (rf_str_eq(field->column, field->expression)) field->expression = (rf_str){NULL, 0};
    *c->fields_end = field;
    c->fields_end = &field->next;
    return field;
}
