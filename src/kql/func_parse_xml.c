/* func_parse_xml.c - XML to dynamic.
 *
 * Pass one checks the text and makes a flat list of nodes (elements, attributes, texts), with a stack
 * of the open elements; pass two writes the bags. A node's fellows of the same name become an array at
 * the place of the first. */
#include "kql/func_parse_int.h"

enum { XML_DEPTH_MAX = 60, XML_NODES_MAX = 1 << 20 };

enum xml_kind { XML_ELEMENT, XML_ATTRIBUTE, XML_TEXT, XML_CDATA };

struct xml_node {
    uint8_t kind;
    bool repeated;  /* fellows of this name follow */
    bool follower;  /* written with the first of its name */
    rf_str name;    /* with @ or #: as the key of the bag */
    rf_str text;    /* of attributes and texts, entities resolved */
    uint32_t child; /* first; 0: none */
    uint32_t last_child;
    uint32_t next; /* fellow under the same parent */
    uint32_t same; /* next fellow of the same name */
    uint32_t child_count;
};

struct xml {
    rf_str text;
    size_t at;
    struct rf_arena *arena;
    struct xml_node *nodes; /* 0 is the document */
    uint32_t count, cap;
    uint32_t open[XML_DEPTH_MAX + 1];
    uint32_t depth;
    bool no_memory;
};

static bool looking_at(const struct xml *x, const char *text)
{
    rf_str want = rf_str_of(text);
    return x->text.len - x->at >= want.len && memcmp(x->text.ptr + x->at, want.ptr, want.len) == 0;
}

static bool name_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '_' || c == ':' || c == '-' || c == '.' || c >= 0x80;
}

static bool take_name(struct xml *x, rf_str *name)
{
    size_t from = x->at;
    while (x->at < x->text.len && name_byte(x->text.ptr[x->at])) x->at++;
    *name = rf_slice(x->text, from, x->at);
    return name->len > 0 && !rf_is_digit(name->ptr[0]) && name->ptr[0] != '-' &&
           name->ptr[0] != '.';
}

static void skip_blanks(struct xml *x)
{
    while (x->at < x->text.len && rf_is_space(x->text.ptr[x->at])) x->at++;
}

/* Moves behind the next `end`; *body is what lies before it. */
static bool take_until(struct xml *x, const char *end, rf_str *body)
{
    rf_str want = rf_str_of(end);
    size_t at = rf_str_find(x->text, want, x->at);
    if (at == SIZE_MAX) return false;
    *body = rf_slice(x->text, x->at, at);
    x->at = at + want.len;
    return true;
}

/* ---- nodes ---------------------------------------------------------------------------------------- */

static bool node_add(struct xml *x, struct xml_node node, uint32_t *index)
{
    if (x->count >= XML_NODES_MAX) return false;
    if (x->count == x->cap) {
        uint32_t cap = x->cap == 0 ? 32 : x->cap * 2;
        struct xml_node *nodes =
            rf_arena_grow(x->arena, x->nodes, x->cap * sizeof *nodes, cap * sizeof *nodes);
        if (nodes == NULL) {
            x->no_memory = true;
            return false;
        }
        x->nodes = nodes;
        x->cap = cap;
    }
    *index = x->count;
    x->nodes[x->count++] = node;
    return true;
}

static bool child_add(struct xml *x, struct xml_node node, uint32_t *index)
{
    if (!node_add(x, node, index)) return false;
    struct xml_node *parent = &x->nodes[x->open[x->depth]];
    if (parent->child == 0) {
        parent->child = *index;
    } else {
        x->nodes[parent->last_child].next = *index;
    }
    parent->last_child = *index;
    parent->child_count++;
    return true;
}

/* ---- texts ---------------------------------------------------------------------------------------- */

/* Appends what the entity between & and ; stands for; false: it is none. */
static bool put_entity(struct rf_buf *buf, rf_str name)
{
    static const struct {
        const char *name;
        uint8_t c;
    } known[] = {{"lt", '<'}, {"gt", '>'}, {"amp", '&'}, {"quot", '"'}, {"apos", '\''}};
    for (size_t i = 0; i < RF_COUNT(known); i++) {
        if (!rf_str_is(name, known[i].name)) continue;
        rf_buf_byte(buf, known[i].c);
        return true;
    }
    if (name.len < 2 || name.ptr[0] != '#') return false;
    bool hex = name.ptr[1] == 'x';
    uint32_t cp = 0;
    size_t at = hex ? 2 : 1;
    if (at == name.len) return false;
    for (; at < name.len; at++) {
        uint8_t c = rf_lower(name.ptr[at]);
        if (!rf_is_digit(c) && !(hex && c >= 'a' && c <= 'f')) return false;
        cp = cp * (hex ? 16 : 10) + (uint32_t)(rf_is_digit(c) ? c - '0' : c - 'a' + 10);
        if (cp > 0x10FFFF) return false;
    }
    uint8_t bytes[4];
    if (cp == 0 || (cp >= 0xD800 && cp <= 0xDFFF)) return false;
    rf_buf_put(buf, bytes, rf_utf8_put(cp, bytes));
    return true;
}

/* Resolves entities; a view when there are none. */
static bool unescape(struct xml *x, rf_str raw, rf_str *out)
{
    *out = raw;
    if (raw.len == 0 || memchr(raw.ptr, '&', raw.len) == NULL) return true;
    struct rf_buf buf = rf_buf_in(x->arena);
    for (size_t at = 0; at < raw.len;) {
        uint8_t c = raw.ptr[at++];
        if (c != '&') {
            rf_buf_byte(&buf, c);
            continue;
        }
        size_t from = at;
        while (at < raw.len && raw.ptr[at] != ';') at++;
        if (at == raw.len || !put_entity(&buf, rf_slice(raw, from, at))) return false;
        at++;
    }
    x->no_memory = x->no_memory || buf.failed;
    *out = rf_buf_view(&buf);
    return true;
}

static bool add_text(struct xml *x, enum xml_kind kind, rf_str text)
{
    uint32_t index;
    return child_add(
        x,
        (struct xml_node){.kind = (uint8_t)kind,
                          .name = kind == XML_TEXT ? RF_S("#text") : RF_S("#cdata-section"),
                          .text = text},
        &index);
}

/* Text up to the next tag. Blanks alone count for nothing; outside the root nothing else may stand. */
static bool take_text(struct xml *x)
{
    size_t from = x->at;
    while (x->at < x->text.len && x->text.ptr[x->at] != '<') x->at++;
    rf_str raw = rf_slice(x->text, from, x->at), text;
    if (rf_str_trim(raw).len == 0) return true;
    if (x->depth == 0 || !unescape(x, raw, &text)) return false;
    return add_text(x, XML_TEXT, text);
}

/* ---- tags ----------------------------------------------------------------------------------------- */

static bool take_attribute(struct xml *x)
{
    rf_str name, value;
    uint32_t index;
    if (!take_name(x, &name)) return false;
    skip_blanks(x);
    if (!looking_at(x, "=")) return false;
    x->at++;
    skip_blanks(x);
    if (!looking_at(x, "\"") && !looking_at(x, "'")) return false;
    const char *quote = x->text.ptr[x->at++] == '"' ? "\"" : "'";
    if (!take_until(x, quote, &value)) return false;
    if (value.len > 0 && memchr(value.ptr, '<', value.len) != NULL) return false;
    if (!unescape(x, value, &value)) return false;
    for (uint32_t i = x->nodes[x->open[x->depth]].child; i != 0; i = x->nodes[i].next)
        if (rf_str_eq(rf_slice(x->nodes[i].name, 1, x->nodes[i].name.len), name)) return false;
    rf_str key = rf_arena_printf(x->arena, "@%.*s", RF_FMT(name));
    if (key.ptr == NULL) x->no_memory = true;
    return key.ptr != NULL &&
           child_add(x, (struct xml_node){.kind = XML_ATTRIBUTE, .name = key, .text = value},
                     &index);
}

static bool take_open_tag(struct xml *x)
{
    rf_str name;
    uint32_t index;
    x->at++;
    if (!take_name(x, &name) || x->depth == XML_DEPTH_MAX) return false;
    if (x->depth == 0 && x->nodes[0].child_count > 0) return false; /* a second root */
    if (!child_add(x, (struct xml_node){.kind = XML_ELEMENT, .name = name}, &index)) return false;
    x->open[++x->depth] = index;
    enum { ATTRIBUTES_MAX = 4096 }; /* each is compared with those before it */
    for (int attributes = 0; attributes < ATTRIBUTES_MAX; attributes++) {
        size_t before = x->at;
        skip_blanks(x);
        if (looking_at(x, "/>")) {
            x->at += 2;
            x->depth--;
            return true;
        }
        if (looking_at(x, ">")) {
            x->at++;
            return true;
        }
        if (x->at == before || !take_attribute(x)) return false;
    }
    return false;
}

static bool take_close_tag(struct xml *x)
{
    rf_str name;
    x->at += 2;
    if (!take_name(x, &name) || x->depth == 0) return false;
    if (!rf_str_eq(name, x->nodes[x->open[x->depth]].name)) return false;
    skip_blanks(x);
    if (!looking_at(x, ">")) return false;
    x->at++;
    x->depth--;
    return true;
}

static bool take_markup(struct xml *x)
{
    rf_str body;
    if (looking_at(x, "<!--")) {
        x->at += 4;
        return take_until(x, "-->", &body);
    }
    if (looking_at(x, "<![CDATA[")) {
        x->at += 9;
        return x->depth > 0 && take_until(x, "]]>", &body) && add_text(x, XML_CDATA, body);
    }
    if (looking_at(x, "<?")) {
        x->at += 2;
        return take_until(x, "?>", &body);
    }
    if (looking_at(x, "<!")) return false; /* document types can name files and blow up entities */
    if (looking_at(x, "</")) return take_close_tag(x);
    return take_open_tag(x);
}

static bool xml_read(struct xml *x)
{
    uint32_t index;
    if (!node_add(x, (struct xml_node){.kind = XML_ELEMENT}, &index)) return false;
    if (looking_at(x, "\xEF\xBB\xBF")) x->at += 3;
    while (x->at < x->text.len) {
        bool markup = x->text.ptr[x->at] == '<';
        if (!(markup ? take_markup(x) : take_text(x)) || x->no_memory) return false;
    }
    return x->depth == 0 && x->nodes[0].child_count == 1;
}

/* ---- writing -------------------------------------------------------------------------------------- */

/* Links the children of equal names, by a hash table when there are many. */
static bool link_same(struct xml *x, const struct xml_node *parent)
{
    uint32_t cap = 8;
    while (cap < 2 * (uint64_t)parent->child_count) cap *= 2;
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, x->arena->budget);
    struct {
        uint32_t first, last;
    } *table = rf_arena_array(&temp, cap, sizeof *table);
    if (table == NULL) {
        x->no_memory = true;
        return false;
    }
    for (uint32_t i = parent->child; i != 0; i = x->nodes[i].next) {
        rf_str name = x->nodes[i].name;
        uint32_t at = (uint32_t)rf_hash(name.ptr, name.len, 0) & (cap - 1);
        while (table[at].first != 0 && !rf_str_eq(x->nodes[table[at].first].name, name))
            at = (at + 1) & (cap - 1);
        if (table[at].first == 0) {
            table[at].first = i;
        } else {
            x->nodes[table[at].first].repeated = true;
            x->nodes[table[at].last].same = i;
            x->nodes[i].follower = true;
        }
        table[at].last = i;
    }
    return true;
}

static bool put_node(struct xml *x, struct rf_buf *buf, uint32_t index);

static bool put_children(struct xml *x, struct rf_buf *buf, uint32_t index)
{
    struct dyn_builder bag, array;
    if (!link_same(x, &x->nodes[index])) return false;
    dyn_begin(&bag, buf, DYN_BAG);
    for (uint32_t i = x->nodes[index].child; i != 0; i = x->nodes[i].next) {
        if (x->nodes[i].follower) continue;
        dyn_key(&bag, x->nodes[i].name);
        if (!x->nodes[i].repeated) {
            if (!put_node(x, buf, i)) return false;
            continue;
        }
        dyn_begin(&array, buf, DYN_ARRAY);
        for (uint32_t same = i; same != 0; same = x->nodes[same].same) {
            dyn_next(&array);
            if (!put_node(x, buf, same)) return false;
        }
        dyn_end(&array);
    }
    dyn_end(&bag);
    return true;
}

/* Recursion is as deep as the elements, XML_DEPTH_MAX at most. */
static bool put_node(struct xml *x, struct rf_buf *buf, uint32_t index)
{
    const struct xml_node *node = &x->nodes[index];
    if (node->kind != XML_ELEMENT) {
        dyn_put_string(buf, node->text);
    } else if (node->child_count == 0) {
        dyn_put_null(buf);
    } else if (node->child_count == 1 && x->nodes[node->child].kind == XML_TEXT) {
        dyn_put_string(buf, x->nodes[node->child].text);
    } else {
        return put_children(x, buf, index);
    }
    return !buf->failed;
}

bool parse_xml_put(struct rf_buf *buf, rf_str text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena temp;
    rf_arena_init_shared(&temp, buf->arena->budget);
    struct xml x = {.text = text, .arena = &temp};
    bool good = xml_read(&x) && put_children(&x, buf, 0);
    buf->failed = buf->failed || x.no_memory;
    return good;
}
