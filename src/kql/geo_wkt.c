#include "kql/geo_wkt.h"

#include "kql/geo_shape.h"
#include "value/text.h"

struct reader {
    rf_str text;
    size_t at;
    struct rf_buf *buf;
};

static void skip_blanks(struct reader *read)
{
    while (read->at < read->text.len && rf_is_space(read->text.ptr[read->at])) read->at++;
}

static bool take(struct reader *read, uint8_t c)
{
    skip_blanks(read);
    if (read->at == read->text.len || read->text.ptr[read->at] != c) return false;
    read->at++;
    return true;
}

static rf_str take_word(struct reader *read)
{
    skip_blanks(read);
    size_t from = read->at;
    while (read->at < read->text.len && rf_is_alpha(read->text.ptr[read->at])) read->at++;
    return rf_slice(read->text, from, read->at);
}

static bool take_this_word(struct reader *read, rf_str word)
{
    size_t from = read->at;
    if (rf_str_eq_nocase(take_word(read), word)) return true;
    read->at = from;
    return false;
}

static bool take_number(struct reader *read, double *out)
{
    skip_blanks(read);
    size_t from = read->at;
    while (read->at < read->text.len) {
        uint8_t c = rf_lower(read->text.ptr[read->at]);
        if (!rf_is_digit(c) && c != '.' && c != '-' && c != '+' && c != 'e') break;
        read->at++;
    }
    rf_str number = rf_slice(read->text, from, read->at);
    return number.len > 0 && text_to_real(number, out) && __builtin_isfinite(*out);
}

/* Two to four numbers, of which the first two are kept. */
static bool read_position(struct reader *read)
{
    double lon, lat, more;
    if (!take_number(read, &lon) || !take_number(read, &lat)) return false;
    for (int i = 0; i < 2; i++) {
        size_t from = read->at;
        if (take_number(read, &more)) continue;
        read->at = from;
        break;
    }
    geo_put_position(read->buf, lon, lat);
    return true;
}

/* Positions nested in `depth` pairs of parentheses: 0 is a position, 1 a list of them and so on. */
static bool read_nested(struct reader *read, int depth)
{
    if (depth == 0) return read_position(read);
    struct dyn_builder list;
    if (!take(read, '(')) return false;
    dyn_begin(&list, read->buf, DYN_ARRAY);
    do {
        dyn_next(&list);
        if (!read_nested(read, depth - 1)) return false;
    } while (take(read, ','));
    dyn_end(&list);
    return take(read, ')');
}

/* The points of a MULTIPOINT may each stand in parentheses or not. */
static bool read_multipoint(struct reader *read)
{
    struct dyn_builder list;
    if (!take(read, '(')) return false;
    dyn_begin(&list, read->buf, DYN_ARRAY);
    do {
        dyn_next(&list);
        bool wrapped = take(read, '(');
        if (!read_position(read) || (wrapped && !take(read, ')'))) return false;
    } while (take(read, ','));
    dyn_end(&list);
    return take(read, ')');
}

static const struct kind {
    const char *word, *type;
    int depth; /* of parentheses around positions */
} kinds[] = {
    {"POINT", "Point", 1},
    {"LINESTRING", "LineString", 1},
    {"POLYGON", "Polygon", 2},
    {"MULTIPOINT", "MultiPoint", 1},
    {"MULTILINESTRING", "MultiLineString", 2},
    {"MULTIPOLYGON", "MultiPolygon", 3},
    {"GEOMETRYCOLLECTION", "GeometryCollection", 0},
};

static const struct kind *take_kind(struct reader *read)
{
    rf_str word = take_word(read);
    for (size_t i = 0; i < RF_COUNT(kinds); i++)
        if (rf_str_eq_nocase(word, rf_str_of(kinds[i].word))) return &kinds[i];
    return NULL;
}

static void skip_dimensions(struct reader *read)
{
    if (take_this_word(read, RF_S("ZM")) || take_this_word(read, RF_S("Z"))) return;
    (void)take_this_word(read, RF_S("M"));
}

static bool read_coordinates(struct reader *read, const struct kind *kind)
{
    if (take_this_word(read, RF_S("EMPTY"))) {
        struct dyn_builder none;
        dyn_begin(&none, read->buf, DYN_ARRAY);
        dyn_end(&none);
        return true;
    }
    if (kind == &kinds[0]) return take(read, '(') && read_position(read) && take(read, ')');
    return kind == &kinds[3] ? read_multipoint(read) : read_nested(read, kind->depth);
}

/* Recursion ends at GEO_WKT_DEPTH_MAX. */
static bool read_geometry(struct reader *read, int depth)
{
    const struct kind *kind = take_kind(read);
    struct dyn_builder bag, list;
    if (kind == NULL || depth == GEO_WKT_DEPTH_MAX) return false;
    skip_dimensions(read);
    dyn_begin(&bag, read->buf, DYN_BAG);
    dyn_key(&bag, RF_S("type"));
    dyn_put_string(read->buf, rf_str_of(kind->type));
    if (kind->depth > 0) {
        dyn_key(&bag, RF_S("coordinates"));
        if (!read_coordinates(read, kind)) return false;
        dyn_end(&bag);
        return true;
    }
    dyn_key(&bag, RF_S("geometries"));
    dyn_begin(&list, read->buf, DYN_ARRAY);
    if (!take_this_word(read, RF_S("EMPTY"))) {
        if (!take(read, '(')) return false;
        do {
            dyn_next(&list);
            if (!read_geometry(read, depth + 1)) return false;
        } while (take(read, ','));
        if (!take(read, ')')) return false;
    }
    dyn_end(&list);
    dyn_end(&bag);
    return true;
}

bool geo_wkt_to_json(rf_str text, struct rf_buf *buf)
{
    struct reader read = {.text = text, .buf = buf};
    if (!read_geometry(&read, 0)) return false;
    skip_blanks(&read);
    return read.at == text.len;
}
