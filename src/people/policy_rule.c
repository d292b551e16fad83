/* policy_rule.c - rules of device filters: read and run in one pass, so that nothing is kept. */
#include "people/policy_int.h"

enum rule_op { RULE_EQ, RULE_STARTS, RULE_ENDS, RULE_CONTAINS, RULE_IN };
struct rule_word {
    const char *word;
    enum rule_op op;
    bool negated;
};
static const struct rule_word operators[] = {
    {"-eq", RULE_EQ, false},
    {"-ne", RULE_EQ, true},
    {"-startsWith", RULE_STARTS, false},
    {"-notStartsWith", RULE_STARTS, true},
    {"-endsWith", RULE_ENDS, false},
    {"-notEndsWith", RULE_ENDS, true},
    {"-contains", RULE_CONTAINS, false},
    {"-notContains", RULE_CONTAINS, true},
    {"-in", RULE_IN, false},
    {"-notIn", RULE_IN, true},
};
static const char *const properties[] = {
    "deviceId",        "displayName",
    "deviceOwnership", "enrollmentProfileName",
    "isCompliant",     "manufacturer",
    "mdmAppId",        "model",
    "operatingSystem", "operatingSystemVersion",
    "physicalIds",     "profileType",
    "systemLabels",    "trustType",
};

struct rule {
    rf_str text;
    size_t at;
    const struct json_node *device;
    uint32_t depth;
    struct rf_err *err;
};

static enum rf_kind bad(const struct rule *r, const char *expected)
{
    return RF_FAIL(r->err, RF_INVALID, "BadDeviceRule",
                   "The rule of the device filter needs %s at character %zu.", expected, r->at + 1);
}

static void skip_blanks(struct rule *r)
{
    while (r->at < r->text.len && rf_is_space(r->text.ptr[r->at])) r->at++;
}

static bool take_byte(struct rule *r, uint8_t c)
{
    skip_blanks(r);
    if (r->at >= r->text.len || r->text.ptr[r->at] != c) return false;
    r->at++;
    return true;
}

static bool is_word_byte(uint8_t c) { return rf_is_alnum(c) || c == '-' || c == '_' || c == '.'; }

static rf_str peek_word(struct rule *r)
{
    skip_blanks(r);
    size_t end = r->at;
    while (end < r->text.len && is_word_byte(r->text.ptr[end])) end++;
    return rf_slice(r->text, r->at, end);
}

/* "and" or "-and". */
static bool take_logic(struct rule *r, const char *word)
{
    rf_str found = peek_word(r), bare = found;
    if (bare.len > 0 && bare.ptr[0] == '-') bare = rf_slice(bare, 1, bare.len);
    if (!rf_str_eq_nocase(bare, rf_str_of(word))) return false;
    r->at += found.len;
    return true;
}

/* ---- comparing ------------------------------------------------------------------------------------------------------------ */

struct rule_value {
    rf_str text;
    bool is_null;
};

static bool find_nocase(rf_str text, rf_str part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (rf_str_eq_nocase(rf_slice(text, at, at + part.len), part)) return true;
    return false;
}

static bool compare_text(rf_str has, enum rule_op op, rf_str wanted)
{
    if (op == RULE_EQ || op == RULE_IN) return rf_str_eq_nocase(has, wanted);
    if (has.len < wanted.len) return false;
    if (op == RULE_STARTS) return rf_str_eq_nocase(rf_slice(has, 0, wanted.len), wanted);
    if (op == RULE_ENDS)
        return rf_str_eq_nocase(rf_slice(has, has.len - wanted.len, has.len), wanted);
    return find_nocase(has, wanted);
}

static bool compare_one(const struct json_node *has, enum rule_op op,
                        const struct rule_value *wanted)
{
    if (has == NULL || has->type == JSON_T_NULL) return wanted->is_null;
    if (wanted->is_null) return false;
    switch (has->type) {
    case JSON_T_STRING:
    case JSON_T_NUMBER:
        return compare_text(has->text, op, wanted->text);
    case JSON_T_TRUE:
        return compare_text(RF_S("true"), op, wanted->text);
    case JSON_T_FALSE:
        return compare_text(RF_S("false"), op, wanted->text);
    default:
        return false;
    }
}

static bool compare(const struct json_node *has, enum rule_op op, const struct rule_value *wanted)
{
    if (!json_is(has, JSON_T_ARRAY)) return compare_one(has, op, wanted);
    if (has->count == 0) return wanted->is_null;
    for (const struct json_node *item = has->first; item != NULL; item = item->next)
        if (compare_one(item, op, wanted)) return true;
    return false;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static bool is_property(rf_str name)
{
    rf_str numbered = RF_S("extensionAttribute");
    for (size_t i = 0; i < RF_COUNT(properties); i++)
        if (rf_str_eq_nocase(name, rf_str_of(properties[i]))) return true;
    if (name.len <= numbered.len || name.len > numbered.len + 2 ||
        !rf_str_eq_nocase(rf_slice(name, 0, numbered.len), numbered))
        return false;
    uint32_t number = 0;
    for (size_t i = numbered.len; i < name.len; i++) {
        if (!rf_is_digit(name.ptr[i]) || (number == 0 && name.ptr[i] == '0')) return false;
        number = number * 10 + (name.ptr[i] - '0');
    }
    return number <= 15;
}

static enum rf_kind take_property(struct rule *r, const struct json_node **out)
{
    rf_str word = peek_word(r), prefix = RF_S("device.");
    if (word.len <= prefix.len || !rf_str_eq_nocase(rf_slice(word, 0, prefix.len), prefix))
        return bad(r, "a property such as device.displayName");
    rf_str name = rf_slice(word, prefix.len, word.len);
    if (!is_property(name)) return bad(r, "a property that devices have");
    r->at += word.len;
    *out = json_is(r->device, JSON_T_OBJECT) ? json_get_nocase(r->device, name) : NULL;
    return RF_OK;
}

/* "text", 'text', true, false, null. The quote cannot stand in the text; the other one can. */
static enum rf_kind take_value(struct rule *r, struct rule_value *out)
{
    skip_blanks(r);
    *out = (struct rule_value){.is_null = false};
    if (r->at < r->text.len && (r->text.ptr[r->at] == '"' || r->text.ptr[r->at] == '\'')) {
        rf_str quote = rf_slice(r->text, r->at, r->at + 1);
        size_t end = rf_str_find(r->text, quote, r->at + 1);
        if (end == SIZE_MAX) return bad(r, "a text whose quote is closed");
        out->text = rf_slice(r->text, r->at + 1, end);
        r->at = end + 1;
        return RF_OK;
    }
    rf_str word = peek_word(r), dollar = RF_S("$");
    size_t skipped = 0;
    if (word.len == 0 && take_byte(r, dollar.ptr[0])) word = peek_word(r), skipped = 1;
    out->is_null = rf_str_eq_nocase(word, RF_S("null"));
    out->text = word;
    if (!out->is_null && !rf_str_eq_nocase(word, RF_S("true")) &&
        !rf_str_eq_nocase(word, RF_S("false"))) {
        r->at -= skipped;
        return bad(r, "a value: \"text\", true, false or null");
    }
    r->at += word.len;
    return RF_OK;
}

static enum rf_kind take_values(struct rule *r, const struct json_node *has, bool *fits)
{
    if (!take_byte(r, '[')) return bad(r, "a list: [\"a\", \"b\"]");
    uint32_t count = 0;
    *fits = false;
    do {
        struct rule_value value;
        if (++count > DEVICE_RULE_VALUES_MAX) return bad(r, "a shorter list");
        RF_TRY(take_value(r, &value));
        *fits |= compare(has, RULE_IN, &value);
    } while (take_byte(r, ','));
    return take_byte(r, ']') ? RF_OK : bad(r, "']'");
}

static const struct rule_word *take_operator(struct rule *r)
{
    rf_str word = peek_word(r);
    for (size_t i = 0; i < RF_COUNT(operators); i++) {
        if (!rf_str_eq_nocase(word, rf_str_of(operators[i].word))) continue;
        r->at += word.len;
        return &operators[i];
    }
    return NULL;
}

static enum rf_kind take_comparison(struct rule *r, bool *fits)
{
    const struct json_node *has = NULL;
    RF_TRY(take_property(r, &has));
    const struct rule_word *op = take_operator(r);
    if (op == NULL) return bad(r, "an operator: -eq, -ne, -startsWith, -contains, -in ...");
    if (op->op == RULE_IN) {
        RF_TRY(take_values(r, has, fits));
    } else {
        struct rule_value value;
        RF_TRY(take_value(r, &value));
        *fits = compare(has, op->op, &value);
    }
    *fits ^= op->negated;
    return RF_OK;
}

static enum rf_kind take_or(struct rule *r, bool *fits);

static enum rf_kind take_term(struct rule *r, bool *fits)
{
    bool negated = false;
    while (take_logic(r, "not")) negated = !negated;
    if (!take_byte(r, '(')) {
        RF_TRY(take_comparison(r, fits));
    } else {
        if (++r->depth > DEVICE_RULE_DEPTH_MAX) return bad(r, "fewer parentheses in each other");
        RF_TRY(take_or(r, fits));
        if (!take_byte(r, ')')) return bad(r, "')'");
        r->depth--;
    }
    *fits ^= negated;
    return RF_OK;
}

static enum rf_kind take_and(struct rule *r, bool *fits)
{
    RF_TRY(take_term(r, fits));
    while (take_logic(r, "and")) {
        bool more;
        RF_TRY(take_term(r, &more));
        *fits &= more;
    }
    return RF_OK;
}

static enum rf_kind take_or(struct rule *r, bool *fits)
{
    RF_TRY(take_and(r, fits));
    while (take_logic(r, "or")) {
        bool more;
        RF_TRY(take_and(r, &more));
        *fits |= more;
    }
    return RF_OK;
}

enum rf_kind device_rule_run(rf_str rule, const struct json_node *device, bool *fits,
                             struct rf_err *err)
{
    struct rule r = {.text = rule, .device = device, .err = err};
    bool found = false;
    if (rule.len > DEVICE_RULE_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "BadDeviceRule",
                       "The rule of the device filter has more than %d characters.",
                       DEVICE_RULE_BYTES_MAX);
    RF_TRY(take_or(&r, &found));
    skip_blanks(&r);
    if (r.at != rule.len) return bad(&r, "-and, -or or the end");
    *fits = found;
    return RF_OK;
}
