/* template_doc.c - the document of a template: its members, parameters, variables and user functions, and trees of values. */
#include "arm/template.h"

#include "base/json.h"
#include "crypt/digest.h"

#include <stdio.h>

/* ---- members ------------------------------------------------------------------------------------------------------------ */

struct json_node *template_member(const struct json_node *object, const char *name)
{
    return json_get_nocase(object, rf_str_of(name));
}

rf_str template_member_text(const struct json_node *object, const char *name)
{
    const struct json_node *node = template_member(object, name);
    return json_is(node, JSON_T_STRING) ? node->text : (rf_str){0};
}

void template_wrap_text(struct rf_err *err, const char *what, rf_str name)
{
    static const char before[] = "Deployment template validation failed: '";
    bool is_ours = err->kind == RF_INVALID && strcmp(err->code, "InvalidTemplate") == 0;
    if (!is_ours || strncmp(err->text, before, strlen(before)) == 0) return;
    struct rf_err inner = *err;
    (void)rf_fail(err, RF_INVALID, "InvalidTemplate", "%s%s%s%.*s%s%.800s'.", before, what,
                  name.len > 0 ? " '" : "", (int)RF_MIN(name.len, 120), (const char *)name.ptr,
                  name.len > 0   ? "': "
                  : what[0] != 0 ? ": "
                                 : "",
                  inner.text);
}

/* The kind stands in the macro so that analyzers see that it is not RF_OK. */
static void say_invalid(struct rf_err *err, const char *fmt, ...) RF_PRINTF(2, 3);
static void say_invalid(struct rf_err *err, const char *fmt, ...)
{
    char text[700];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)rf_fail(err, RF_INVALID, "InvalidTemplate",
                  "Deployment template validation failed: '%s'.", text);
}
#define invalid(err, ...) (say_invalid((err), __VA_ARGS__), RF_INVALID)

/* ---- texts with comments ------------------------------------------------------------------------------------------------- */

enum { STRICT_BYTES_MAX = 64 << 20 };

/* Copies a text with its quotes; line ends inside are escaped. */
static size_t copy_quoted(rf_str text, size_t at, struct rf_buf *buf)
{
    rf_buf_byte(buf, text.ptr[at++]);
    while (at < text.len) {
        uint8_t c = text.ptr[at++];
        if (c == '\n' || c == '\r' || c == '\t') {
            rf_buf_printf(buf, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
            continue;
        }
        rf_buf_byte(buf, c);
        if (c == '"') break;
        if (c == '\\' && at < text.len) rf_buf_byte(buf, text.ptr[at++]);
    }
    return at;
}

enum rf_kind template_text_strict(rf_str text, struct rf_arena *arena, rf_str *out,
                                  struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_str mark = RF_S("\xef\xbb\xbf");
    size_t at = rf_str_starts(text, mark) ? mark.len : 0;
    if (text.len > STRICT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "RequestContentTooLarge", "the template has %zu bytes",
                       text.len);
    while (at < text.len) {
        uint8_t c = text.ptr[at], next = at + 1 < text.len ? text.ptr[at + 1] : 0;
        if (c == '"') {
            at = copy_quoted(text, at, &buf);
        } else if (c == '/' && next == '/') {
            while (at < text.len && text.ptr[at] != '\n') at++;
        } else if (c == '/' && next == '*') {
            size_t end = rf_str_find(text, RF_S("*/"), at + 2);
            if (end == SIZE_MAX)
                return RF_FAIL(err, RF_INVALID, "InvalidRequestContent",
                               "a comment that begins at byte %zu is not closed", at);
            rf_buf_byte(&buf, ' ');
            at = end + 2;
        } else {
            rf_buf_byte(&buf, c);
            at++;
        }
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

rf_str template_hash(struct rf_arena *arena, const struct json_node *document)
{
    uint8_t digest[SHA256_BYTES];
    rf_str text = json_to_text(arena, document);
    if (text.ptr == NULL) return text;
    digest_sha256(text, digest);
    return rf_arena_printf(arena, "%llu", (unsigned long long)rf_get_u64le(digest));
}

/* ---- trees ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind eval_string(const struct template_frame *frame, rf_str text,
                                struct template_tree *tree, struct json_node **out,
                                struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct template_expr *expr;
    struct json_node *value;
    if (!template_is_expr(text)) {
        if (rf_str_starts(text, RF_S("[["))) text = rf_slice(text, 1, text.len);
        *out = json_new_text(arena, text);
        return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
    }
    RF_TRY(template_expr_parse(text, arena, &expr, err));
    if (tree->may_wait && template_expr_is_runtime(expr)) {
        struct template_pending *pending = rf_arena_new(arena, struct template_pending, 1);
        *out = json_new(arena, JSON_T_NULL);
        if (pending == NULL || *out == NULL) return rf_fail_memory(err, arena);
        *pending = (struct template_pending){*out, expr, text, frame->loops, tree->pending};
        tree->pending = pending;
        return RF_OK;
    }
    RF_TRY(template_eval(frame, expr, &value, err));
    *out = template_share(arena, value);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind eval_name(const struct template_frame *frame, rf_str name, rf_str *out,
                              struct rf_err *err)
{
    struct template_tree tree = {0};
    struct json_node *value;
    *out = name;
    if (name.len == 0 || name.ptr[0] != '[') return RF_OK;
    RF_TRY(eval_string(frame, name, &tree, &value, err));
    if (value->type != JSON_T_STRING)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The name of a property, '%.*s', must give a text.",
                       (int)RF_MIN(name.len, 200), (const char *)name.ptr);
    *out = value->text;
    return RF_OK;
}

/* An array of {name,count,input}: anything else called "copy" is a property like others. */
static bool is_copy(const struct json_node *member)
{
    if (!rf_str_eq_nocase(member->name, RF_S("copy")) || member->type != JSON_T_ARRAY ||
        member->count == 0)
        return false;
    for (const struct json_node *c = member->first; c != NULL; c = c->next)
        if (template_member(c, "name") == NULL || template_member(c, "count") == NULL ||
            template_member(c, "input") == NULL)
            return false;
    return true;
}

enum rf_kind template_eval_count(const struct template_frame *frame, const struct json_node *copy,
                                 int64_t *out, struct rf_err *err)
{
    struct template_tree tree = {0};
    struct json_node *count;
    const struct json_node *source = template_member(copy, "count");
    if (source == NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "The 'count' of a copy is missing.");
    RF_TRY(template_eval_tree(frame, source, &tree, &count, err));
    bool good = count->type == JSON_T_NUMBER && template_whole(count->text, out);
    if (good && *out >= 0 && *out <= TEMPLATE_COPIES_MAX) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                   "The 'count' of a copy must be a whole number from 0 to %d.",
                   TEMPLATE_COPIES_MAX);
}

/* The array that a loop over values makes. */
static enum rf_kind eval_loop(const struct template_frame *frame, const struct json_node *copy,
                              rf_str name, bool is_inner, struct template_tree *tree,
                              struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct json_node *array = json_new(arena, JSON_T_ARRAY), *item;
    const struct json_node *input = template_member(copy, "input");
    int64_t count;
    if (array == NULL) return rf_fail_memory(err, arena);
    if (input == NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "The 'input' of a copy is missing.");
    RF_TRY(template_eval_count(frame, copy, &count, err));
    for (int64_t i = 0; i < count; i++) {
        struct template_frame inner = *frame;
        /* Values that wait keep their loop. */
        struct template_loop *loop = rf_arena_new(arena, struct template_loop, 1);
        if (loop == NULL) return rf_fail_memory(err, arena);
        *loop = (struct template_loop){name, i, is_inner, frame->loops};
        inner.loops = loop;
        RF_TRY(template_eval_tree(&inner, input, tree, &item, err));
        if (json_append(array, item) == NULL) return rf_fail_memory(err, arena);
    }
    *out = array;
    return RF_OK;
}

static enum rf_kind set_member(struct rf_arena *arena, struct json_node *object, rf_str name,
                               struct json_node *value, struct rf_err *err)
{
    return json_set(arena, object, name, value) == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind eval_copies(const struct template_frame *frame, const struct json_node *copies,
                                struct template_tree *tree, struct json_node *object,
                                struct rf_err *err)
{
    for (const struct json_node *copy = copies->first; copy != NULL; copy = copy->next) {
        struct json_node *array;
        rf_str name;
        RF_TRY(template_eval_text(frame, copy, "name", &name, err));
        RF_TRY(eval_loop(frame, copy, name, true, tree, &array, err));
        RF_TRY(set_member(frame->run->arena, object, name, array, err));
    }
    return RF_OK;
}

static enum rf_kind eval_container(const struct template_frame *frame, const struct json_node *node,
                                   struct template_tree *tree, struct json_node **out,
                                   struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct json_node *made = json_new(arena, node->type), *value;
    if (made == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *child = node->first; child != NULL; child = child->next) {
        rf_str name = child->name;
        if (node->type == JSON_T_OBJECT && tree->has_copy && is_copy(child)) {
            RF_TRY(eval_copies(frame, child, tree, made, err));
            continue;
        }
        RF_TRY(template_eval_tree(frame, child, tree, &value, err));
        if (node->type == JSON_T_ARRAY) {
            if (json_append(made, value) == NULL) return rf_fail_memory(err, arena);
            continue;
        }
        RF_TRY(eval_name(frame, name, &name, err));
        RF_TRY(set_member(arena, made, name, value, err));
    }
    *out = made;
    return RF_OK;
}

/* Trees and the variables that they name nest in each other, so both count in the depth of a run. */
enum rf_kind template_eval_tree(const struct template_frame *frame, const struct json_node *node,
                                struct template_tree *tree, struct json_node **out,
                                struct rf_err *err)
{
    struct template_run *run = frame->run;
    RF_TRY(template_step(run, 1, err));
    if (node->type == JSON_T_STRING) return eval_string(frame, node->text, tree, out, err);
    if (node->type < JSON_T_ARRAY) {
        *out = template_share(run->arena, node);
        return *out == NULL ? rf_fail_memory(err, run->arena) : RF_OK;
    }
    if (run->depth >= TEMPLATE_EVAL_DEPTH_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The template's values nest more than %d deep.", TEMPLATE_EVAL_DEPTH_MAX);
    struct json_node *made = NULL;
    run->depth++;
    enum rf_kind kind = eval_container(frame, node, tree, &made, err);
    run->depth--;
    if (kind != RF_OK) return kind;
    RF_ASSERT(made != NULL);
    *out = made;
    return RF_OK;
}

enum rf_kind template_eval_text(const struct template_frame *frame, const struct json_node *object,
                                const char *name, rf_str *out, struct rf_err *err)
{
    const struct json_node *source = template_member(object, name);
    struct template_tree tree = {0};
    struct json_node *value;
    *out = (rf_str){0};
    if (source == NULL || source->type == JSON_T_NULL) return RF_OK;
    RF_TRY(template_eval_tree(frame, source, &tree, &value, err));
    if (value->type == JSON_T_STRING) {
        *out = value->text;
        return RF_OK;
    }
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                   "The member '%s' must give a text, and gives a value of type '%s'.", name,
                   template_type_name(value));
}

/* ---- types -------------------------------------------------------------------------------------------------------------------- */

static const char *const type_words[] = {
    [TEMPLATE_STRING] = "String", [TEMPLATE_SECURE_STRING] = "SecureString",
    [TEMPLATE_INT] = "Int",       [TEMPLATE_BOOL] = "Bool",
    [TEMPLATE_OBJECT] = "Object", [TEMPLATE_SECURE_OBJECT] = "SecureObject",
    [TEMPLATE_ARRAY] = "Array",
};

bool template_type_of(rf_str word, enum template_type *out)
{
    for (uint32_t i = 0; i < RF_COUNT(type_words); i++) {
        if (!rf_str_eq_nocase(word, rf_str_of(type_words[i]))) continue;
        *out = (enum template_type)i;
        return true;
    }
    return false;
}

const char *template_type_word(enum template_type type) { return type_words[type]; }

static bool fits_type(const struct json_node *value, enum template_type type)
{
    int64_t whole;
    switch (type) {
    case TEMPLATE_STRING:
    case TEMPLATE_SECURE_STRING:
        return value->type == JSON_T_STRING;
    case TEMPLATE_INT:
        return value->type == JSON_T_NUMBER && template_whole(value->text, &whole);
    case TEMPLATE_BOOL:
        return value->type == JSON_T_TRUE || value->type == JSON_T_FALSE;
    case TEMPLATE_OBJECT:
    case TEMPLATE_SECURE_OBJECT:
        return value->type == JSON_T_OBJECT;
    case TEMPLATE_ARRAY:
        return value->type == JSON_T_ARRAY;
    }
    return false;
}

/* ---- parameters ----------------------------------------------------------------------------------------------------------------- */

/* "-7" for an int and "true" for a bool count, as the portal sends texts. */
static struct json_node *coerced(struct template_run *run, struct json_node *value,
                                 enum template_type type)
{
    int64_t whole;
    if (value->type != JSON_T_STRING) return value;
    if (type == TEMPLATE_INT && template_whole(value->text, &whole))
        return json_new_i64(run->arena, whole);
    bool is_true = rf_str_eq_nocase(value->text, RF_S("true"));
    if (type == TEMPLATE_BOOL && (is_true || rf_str_eq_nocase(value->text, RF_S("false"))))
        return json_new_bool(run->arena, is_true);
    return value;
}

static bool limit_of(const struct template_entry *p, const char *name, int64_t *out)
{
    const struct json_node *limit = template_member(p->source, name);
    return json_is(limit, JSON_T_NUMBER) && template_whole(limit->text, out);
}

static enum rf_kind check_range(const struct template_entry *p, int64_t is, const char *min_name,
                                const char *max_name, const char *what, struct rf_err *err)
{
    int64_t limit;
    if (limit_of(p, min_name, &limit) && is < limit)
        return invalid(err,
                       "The provided value for the template parameter '%.*s' is not valid. %s "
                       "'%lld' is below the %s of '%lld'",
                       RF_FMT(p->name), what, (long long)is, min_name, (long long)limit);
    if (limit_of(p, max_name, &limit) && is > limit)
        return invalid(err,
                       "The provided value for the template parameter '%.*s' is not valid. %s "
                       "'%lld' is above the %s of '%lld'",
                       RF_FMT(p->name), what, (long long)is, max_name, (long long)limit);
    return RF_OK;
}

static bool is_allowed(const struct json_node *allowed, const struct json_node *value)
{
    for (const struct json_node *a = allowed->first; a != NULL; a = a->next) {
        bool texts = a->type == JSON_T_STRING && value->type == JSON_T_STRING;
        if (texts ? rf_str_eq_nocase(a->text, value->text) : template_equal(a, value)) return true;
    }
    return false;
}

static enum rf_kind check_value(const struct template_entry *p, const struct json_node *value,
                                struct rf_err *err)
{
    int64_t number;
    bool nullable = json_is(template_member(p->source, "nullable"), JSON_T_TRUE);
    if (value->type == JSON_T_NULL && nullable) return RF_OK;
    if (!fits_type(value, p->type))
        return invalid(err,
                       "Template parameter JToken type is not valid. The parameter '%.*s' is "
                       "expected to be of type '%s', and its value is of type '%s'",
                       RF_FMT(p->name), template_type_word(p->type), template_type_name(value));
    const struct json_node *allowed = template_member(p->source, "allowedValues");
    if (json_is(allowed, JSON_T_ARRAY) && value->type == JSON_T_ARRAY) {
        for (const struct json_node *item = value->first; item != NULL; item = item->next)
            if (!is_allowed(allowed, item) && !is_allowed(allowed, value))
                return invalid(err,
                               "The provided value for the template parameter '%.*s' is not valid: "
                               "an item of it is not part of the allowed value(s)",
                               RF_FMT(p->name));
    } else if (json_is(allowed, JSON_T_ARRAY) && !is_allowed(allowed, value)) {
        bool shows = value->type == JSON_T_STRING && !template_is_secure(p->type);
        return invalid(err,
                       "The provided value%s%.*s%s for the template parameter '%.*s' is not valid. "
                       "It is not part of the allowed value(s)",
                       shows ? " '" : "", shows ? (int)RF_MIN(value->text.len, 100) : 0,
                       (const char *)value->text.ptr, shows ? "'" : "", RF_FMT(p->name));
    }
    if (value->type == JSON_T_NUMBER && template_whole(value->text, &number))
        RF_TRY(check_range(p, number, "minValue", "maxValue", "The value", err));
    if (value->type == JSON_T_STRING)
        RF_TRY(check_range(p, (int64_t)rf_utf8_count(value->text), "minLength", "maxLength",
                           "Its length", err));
    if (value->type == JSON_T_ARRAY)
        RF_TRY(check_range(p, value->count, "minLength", "maxLength", "Its length", err));
    return RF_OK;
}

static enum rf_kind enter(struct template_run *run, struct template_entry *entry, const char *what,
                          struct rf_err *err)
{
    if (entry->state == TEMPLATE_BUSY)
        return invalid(err, "Circular reference detected: the %s '%.*s' refers to itself", what,
                       RF_FMT(entry->name));
    if (run->depth >= TEMPLATE_EVAL_DEPTH_MAX)
        return invalid(err, "The template's expressions refer to each other more than %d deep",
                       TEMPLATE_EVAL_DEPTH_MAX);
    entry->state = TEMPLATE_BUSY;
    return RF_OK;
}

static enum rf_kind eval_default(const struct template_frame *frame, struct template_entry *p,
                                 struct json_node **out, struct rf_err *err)
{
    const struct json_node *source = template_member(p->source, "defaultValue");
    struct template_frame plain = {
        .run = frame->run, .env = frame->env, .loops = frame->env->loops};
    struct template_tree tree = {0};
    bool was = frame->run->in_default;
    if (source == NULL && json_is(template_member(p->source, "nullable"), JSON_T_TRUE)) {
        *out = json_new(frame->run->arena, JSON_T_NULL);
        return *out == NULL ? rf_fail_memory(err, frame->run->arena) : RF_OK;
    }
    if (source == NULL)
        return invalid(err,
                       "The value for the template parameter '%.*s' is not provided. Please see "
                       "https://aka.ms/arm-create-parameter-file for usage details",
                       RF_FMT(p->name));
    frame->run->in_default = true;
    enum rf_kind kind = template_eval_tree(&plain, source, &tree, out, err);
    frame->run->in_default = was;
    return kind;
}

static struct template_entry *find_entry(struct template_entry *entries, uint32_t count,
                                         rf_str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (rf_str_eq_nocase(entries[i].name, name)) return &entries[i];
    return NULL;
}

enum rf_kind template_parameter(const struct template_frame *frame, rf_str name,
                                struct json_node **out, struct rf_err *err)
{
    const struct template_env *env = frame->env;
    RF_TRY(template_step(frame->run, env->parameter_count / 16, err));
    struct template_entry *p = find_entry(env->parameters, env->parameter_count, name);
    if (p == NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The template parameter '%.*s' is not found.", (int)RF_MIN(name.len, 100),
                       (const char *)name.ptr);
    if (p->state != TEMPLATE_DONE) {
        struct json_node *value = NULL;
        RF_TRY(enter(frame->run, p, "parameter", err));
        if (p->given != NULL) {
            value = template_share(frame->run->arena, p->given);
            if (value == NULL) return rf_fail_memory(err, frame->run->arena);
        } else {
            RF_TRY(template_wrap(err, eval_default(frame, p, &value, err),
                                 "The default value of the template parameter", p->name));
        }
        value = coerced(frame->run, value, p->type);
        if (value == NULL) return rf_fail_memory(err, frame->run->arena);
        RF_TRY(check_value(p, value, err));
        p->value = value;
        p->state = TEMPLATE_DONE;
    }
    *out = p->value;
    return RF_OK;
}

/* ---- variables ---------------------------------------------------------------------------------------------------------------------- */

enum rf_kind template_variable(const struct template_frame *frame, rf_str name,
                               struct json_node **out, struct rf_err *err)
{
    const struct template_env *env = frame->env;
    RF_TRY(template_step(frame->run, env->variable_count / 16, err));
    struct template_entry *v = find_entry(env->variables, env->variable_count, name);
    if (v == NULL)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The template variable '%.*s' is not found.", (int)RF_MIN(name.len, 100),
                       (const char *)name.ptr);
    if (v->state != TEMPLATE_DONE) {
        struct template_frame plain = {.run = frame->run, .env = env};
        struct template_tree tree = {.has_copy = true};
        struct json_node *value;
        RF_TRY(enter(frame->run, v, "variable", err));
        enum rf_kind kind = v->is_loop
                                ? eval_loop(&plain, v->source, v->name, true, &tree, &value, err)
                                : template_eval_tree(&plain, v->source, &tree, &value, err);
        RF_TRY(template_wrap(err, kind, "The template variable", v->name));
        v->value = value;
        v->state = TEMPLATE_DONE;
    }
    *out = v->value;
    return RF_OK;
}

/* ---- user functions ------------------------------------------------------------------------------------------------------------------- */

static const struct json_node *find_function(const struct template_env *env, rf_str ns, rf_str name)
{
    for (; env != NULL; env = env->around) {
        const struct json_node *all = template_member(env->document, "functions");
        const struct json_node *group = json_is(all, JSON_T_ARRAY) ? all->first : NULL;
        for (; group != NULL; group = group->next)
            if (rf_str_eq_nocase(template_member_text(group, "namespace"), ns))
                return json_get_nocase(template_member(group, "members"), name);
    }
    return NULL;
}

/* A function sees its parameters only, and other functions of the template. */
enum rf_kind template_user_call(const struct template_call *call, struct json_node **out,
                                struct rf_err *err)
{
    struct template_run *run = call->frame->run;
    const struct json_node *function =
        find_function(call->frame->env, call->expr->ns, call->expr->name);
    const struct json_node *output = template_member(function, "output");
    const struct json_node *parameters = template_member(function, "parameters");
    uint32_t wanted = json_is(parameters, JSON_T_ARRAY) ? parameters->count : 0;
    if (output == NULL || template_member(output, "value") == NULL)
        return template_fail(call, err, "the function '%.*s.%.*s' is not defined in the template.",
                             (int)RF_MIN(call->expr->ns.len, 60), (const char *)call->expr->ns.ptr,
                             (int)RF_MIN(call->expr->name.len, 60),
                             (const char *)call->expr->name.ptr);
    if (call->count != wanted)
        return template_fail(call, err, "it takes %u argument(s), and %u are given.", wanted,
                             call->count);
    struct template_env env = *call->frame->env;
    struct template_frame frame = {.run = run, .env = &env};
    struct template_tree tree = {0};
    env.variable_count = 0;
    env.parameter_count = wanted;
    env.parameters = rf_arena_new(run->arena, struct template_entry, wanted + 1);
    if (env.parameters == NULL) return rf_fail_memory(err, run->arena);
    const struct json_node *p = wanted > 0 ? parameters->first : NULL;
    for (uint32_t i = 0; i < wanted; i++, p = p->next) {
        struct template_entry *entry = &env.parameters[i];
        entry->name = template_member_text(p, "name");
        entry->source = p;
        if (!template_type_of(template_member_text(p, "type"), &entry->type))
            return template_fail(call, err, "the type of its parameter %u is not known.", i + 1);
        entry->given = call->args[i];
    }
    return template_eval_tree(&frame, template_member(output, "value"), &tree, out, err);
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind read_given(struct template_entry *p, const struct json_node *given,
                               struct rf_err *err)
{
    if (given == NULL) return RF_OK;
    if (template_member(given, "reference") != NULL)
        return RF_FAIL(
            err, RF_INVALID, "KeyVaultParameterReferenceNotSupported",
            "The parameter '%.*s' refers to a secret of a key vault. Its value is given out "
            "for a token of the vault's own audience only, and a deployment has none: "
            "give the value.",
            RF_FMT(p->name));
    p->given = template_member(given, "value");
    if (p->given != NULL) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidDeploymentParameterValue",
                   "The value of deployment parameter '%.*s' is null. Please specify the value or "
                   "use the parameter reference.",
                   RF_FMT(p->name));
}

/* null is a value like no value, unless the parameter may be null. */
static void drop_null(struct template_entry *p)
{
    bool nullable = json_is(template_member(p->source, "nullable"), JSON_T_TRUE);
    if (json_is(p->given, JSON_T_NULL) && !nullable) p->given = NULL;
}

static enum rf_kind open_parameters(struct template_run *run, struct template_env *env,
                                    const struct json_node *given, struct rf_err *err)
{
    const struct json_node *defined = template_member(env->document, "parameters");
    uint32_t count = json_is(defined, JSON_T_OBJECT) ? defined->count : 0;
    if (count > TEMPLATE_PARAMETERS_MAX)
        return invalid(err, "The template has %u parameters, and at most %d are allowed", count,
                       TEMPLATE_PARAMETERS_MAX);
    env->parameters = rf_arena_new(run->arena, struct template_entry, count + 1);
    if (env->parameters == NULL) return rf_fail_memory(err, run->arena);
    const struct json_node *d = count > 0 ? defined->first : NULL;
    for (; d != NULL; d = d->next) {
        struct template_entry *p = &env->parameters[env->parameter_count++];
        p->name = d->name;
        p->source = d;
        rf_str type = template_member_text(d, "type");
        if (type.len > 0 && !template_type_of(type, &p->type))
            return invalid(err, "The type '%.*s' of the template parameter '%.*s' is not valid",
                           (int)RF_MIN(type.len, 60), (const char *)type.ptr, RF_FMT(p->name));
        if (type.len == 0)
            return invalid(err, "The template parameter '%.*s' has no type", RF_FMT(p->name));
        RF_TRY(read_given(p, json_get_nocase(given, d->name), err));
        drop_null(p);
    }
    const struct json_node *g = json_is(given, JSON_T_OBJECT) ? given->first : NULL;
    for (; g != NULL; g = g->next)
        if (find_entry(env->parameters, env->parameter_count, g->name) == NULL)
            return invalid(err,
                           "The template parameters '%.*s' in the parameters file are not valid; "
                           "they are not present in the original template and can therefore not "
                           "be provided at deployment time",
                           (int)RF_MIN(g->name.len, 100), (const char *)g->name.ptr);
    return RF_OK;
}

static enum rf_kind open_variables(struct template_run *run, struct template_env *env,
                                   struct rf_err *err)
{
    const struct json_node *defined = template_member(env->document, "variables");
    if (!json_is(defined, JSON_T_OBJECT)) return RF_OK;
    uint32_t count = defined->count;
    for (const struct json_node *d = defined->first; d != NULL; d = d->next)
        if (is_copy(d)) count += d->count;
    env->variables = rf_arena_new(run->arena, struct template_entry, count + 1);
    if (env->variables == NULL) return rf_fail_memory(err, run->arena);
    for (const struct json_node *d = defined->first; d != NULL; d = d->next) {
        if (!is_copy(d)) {
            env->variables[env->variable_count++] =
                (struct template_entry){.name = d->name, .source = d};
            continue;
        }
        for (const struct json_node *c = d->first; c != NULL; c = c->next)
            env->variables[env->variable_count++] = (struct template_entry){
                .name = template_member_text(c, "name"), .source = c, .is_loop = true};
    }
    return RF_OK;
}

static enum rf_kind check_document(const struct json_node *document, struct rf_err *err)
{
    if (!json_is(document, JSON_T_OBJECT)) return invalid(err, "The template is not an object");
    static const struct {
        const char *name;
        enum json_type type, other;
    } members[] = {{"parameters", JSON_T_OBJECT, JSON_T_NULL},
                   {"variables", JSON_T_OBJECT, JSON_T_NULL},
                   {"functions", JSON_T_ARRAY, JSON_T_NULL},
                   {"resources", JSON_T_ARRAY, JSON_T_OBJECT},
                   {"outputs", JSON_T_OBJECT, JSON_T_NULL}};
    for (uint32_t i = 0; i < RF_COUNT(members); i++) {
        const struct json_node *m = template_member(document, members[i].name);
        if (m != NULL && m->type != members[i].type && m->type != members[i].other)
            return invalid(err, "The template member '%s' is of the wrong type", members[i].name);
    }
    if (template_member(document, "resources") == NULL)
        return invalid(err, "Required property 'resources' not found in JSON");
    if (template_member_text(document, "contentVersion").len == 0)
        return invalid(err, "Required property 'contentVersion' not found in JSON");
    return RF_OK;
}

/* deployment(): the name, and the template with its texts as they are. */
static struct json_node *deployment_of(struct rf_arena *arena, const struct template_input *input)
{
    struct json_node *deployment = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, deployment, "name", input->name);
    if (input->location.len > 0) json_set_text(arena, deployment, "location", input->location);
    struct json_node *properties = json_object_in(arena, deployment, "properties");
    json_set(arena, properties, RF_S("template"), template_share(arena, input->document));
    json_set_text(arena, properties, "templateHash", template_hash(arena, input->document));
    json_set_text(arena, properties, "mode", RF_S("Incremental"));
    json_set_text(arena, properties, "provisioningState", RF_S("Accepted"));
    return properties == NULL ? NULL : deployment;
}

enum rf_kind template_open(struct template_run *run, const struct template_input *input,
                           struct template_env **out, struct rf_err *err)
{
    RF_TRY(check_document(input->document, err));
    struct template_env *env = rf_arena_new(run->arena, struct template_env, 1);
    if (env == NULL) return rf_fail_memory(err, run->arena);
    env->scope = env->target = input->scope;
    env->document = input->document;
    env->depth = input->depth;
    env->deployment = deployment_of(run->arena, input);
    if (env->deployment == NULL) return rf_fail_memory(err, run->arena);
    RF_TRY(open_parameters(run, env, input->parameters, err));
    RF_TRY(open_variables(run, env, err));
    const struct template_frame frame = {.run = run, .env = env};
    for (uint32_t i = 0; i < env->parameter_count; i++) {
        struct json_node *value;
        RF_TRY(template_parameter(&frame, env->parameters[i].name, &value, err));
    }
    *out = env;
    return RF_OK;
}

enum rf_kind template_parameters(struct template_run *run, struct template_env *env,
                                 struct json_node **out, struct rf_err *err)
{
    struct json_node *all = json_new(run->arena, JSON_T_OBJECT);
    const struct template_frame frame = {.run = run, .env = env};
    if (all == NULL) return rf_fail_memory(err, run->arena);
    for (uint32_t i = 0; i < env->parameter_count; i++) {
        const struct template_entry *p = &env->parameters[i];
        struct json_node *shown = json_new(run->arena, JSON_T_OBJECT), *value;
        RF_TRY(template_parameter(&frame, p->name, &value, err));
        json_set_text(run->arena, shown, "type", rf_str_of(template_type_word(p->type)));
        if (!template_is_secure(p->type))
            json_set(run->arena, shown, RF_S("value"), template_share(run->arena, value));
        RF_TRY(set_member(run->arena, all, p->name, shown, err));
    }
    *out = all;
    return RF_OK;
}

/* ---- outputs ----------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind check_output(const struct json_node *output, enum template_type *type,
                                 struct rf_err *err)
{
    rf_str word = template_member_text(output, "type");
    if (template_type_of(word, type)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its type '%.*s' is not valid",
                   (int)RF_MIN(word.len, 60), (const char *)word.ptr);
}

static enum rf_kind eval_output(const struct template_frame *frame, const struct json_node *output,
                                struct template_tree *tree, bool *present, struct json_node **value,
                                struct rf_err *err)
{
    const struct json_node *condition = template_member(output, "condition");
    const struct json_node *copy = template_member(output, "copy");
    *present = true;
    if (condition != NULL) {
        struct json_node *truth;
        RF_TRY(template_eval_tree(frame, condition, tree, &truth, err));
        *present = truth->type != JSON_T_FALSE;
        if (!*present) return RF_OK;
    }
    if (json_is(copy, JSON_T_OBJECT))
        return eval_loop(frame, copy, RF_S(""), false, tree, value, err);
    const struct json_node *source = template_member(output, "value");
    if (source == NULL) return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "it has no value");
    return template_eval_tree(frame, source, tree, value, err);
}

enum rf_kind template_outputs(struct template_run *run, const struct template_plan *plan,
                              bool is_check, struct json_node **out, struct rf_err *err)
{
    struct json_node *all = json_new(run->arena, JSON_T_OBJECT), *value = NULL;
    const struct json_node *sources = template_member(plan->env->document, "outputs");
    const struct template_frame frame = {.run = run, .env = plan->env, .loops = plan->env->loops};
    if (all == NULL) return rf_fail_memory(err, run->arena);
    const struct json_node *o = json_is(sources, JSON_T_OBJECT) ? sources->first : NULL;
    for (; o != NULL; o = o->next) {
        enum template_type type = TEMPLATE_STRING;
        struct template_tree tree = {.may_wait = is_check};
        bool present;
        enum rf_kind kind = check_output(o, &type, err);
        if (kind == RF_OK) kind = eval_output(&frame, o, &tree, &present, &value, err);
        bool waits = tree.pending != NULL;
        if (kind == RF_OK && present && !waits && !fits_type(value, type) &&
            value->type != JSON_T_NULL)
            kind = RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                           "its type is '%s', and its value is of type '%s'",
                           template_type_word(type), template_type_name(value));
        RF_TRY(template_wrap(err, kind, "The template output", o->name));
        if (!present || is_check) continue;
        struct json_node *shown = json_new(run->arena, JSON_T_OBJECT);
        json_set_text(run->arena, shown, "type", rf_str_of(template_type_word(type)));
        if (!template_is_secure(type)) json_set(run->arena, shown, RF_S("value"), value);
        RF_TRY(set_member(run->arena, all, o->name, shown, err));
    }
    *out = all;
    return RF_OK;
}
