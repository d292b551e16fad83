/* template_plan.c - expands the resources of a template: names, conditions, loops, children, and what needs what. */
#include "arm/template.h"

#include <stdio.h>

struct expander {
    struct template_run *run;
    struct template_env *env;
    struct template_plan *plan;
    uint32_t copies;
    struct rf_err *err;
};

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

/* ---- ids ------------------------------------------------------------------------------------------------------------------ */

static bool cut(rf_str *path, rf_str *segment)
{
    if (path->len == 0) return false;
    size_t slash = rf_str_find(*path, RF_S("/"), 0), end = slash == SIZE_MAX ? path->len : slash;
    *segment = rf_slice(*path, 0, end);
    *path = rf_slice(*path, RF_MIN(end + 1, path->len), path->len);
    return true;
}

static uint32_t segments(rf_str text)
{
    uint32_t count = text.len > 0;
    for (size_t i = 0; i < text.len; i++) count += text.ptr[i] == '/';
    return count;
}

static bool is_type(rf_str type, const char *name)
{
    return rf_str_eq_nocase(type, rf_str_of(name));
}

enum rf_kind template_id(struct rf_arena *arena, rf_str scope, rf_str type, rf_str name,
                         rf_str *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    rf_str word = RF_S(""), types = type, names = name;
    if (segments(type) != segments(name) + 1)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "The resource type '%.*s' and the name '%.*s' have incorrect segment "
                       "lengths. A nested resource type must have identical number of segments "
                       "as its resource name. A root resource type must have segment length one "
                       "greater than its resource name.",
                       (int)RF_MIN(type.len, 200), (const char *)type.ptr,
                       (int)RF_MIN(name.len, 200), (const char *)name.ptr);
    if (scope.len > 1) rf_buf_str(&buf, scope);
    /* Groups and subscriptions have paths of their own. */
    if (is_type(type, "Microsoft.Resources/resourceGroups")) {
        rf_buf_printf(&buf, "/resourceGroups/%.*s", RF_FMT(name));
    } else if (is_type(type, "Microsoft.Resources/subscriptions") ||
               is_type(type, "Microsoft.Subscription/subscriptions")) {
        rf_buf_printf(&buf, "/subscriptions/%.*s", RF_FMT(name));
    } else {
        (void)cut(&types, &word);
        rf_buf_printf(&buf, "/providers/%.*s", RF_FMT(word));
        while (cut(&types, &word)) {
            rf_str part = {0};
            (void)cut(&names, &part);
            if (word.len == 0 || part.len == 0)
                return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                               "The type '%.*s' or the name '%.*s' has an empty segment.",
                               (int)RF_MIN(type.len, 200), (const char *)type.ptr,
                               (int)RF_MIN(name.len, 200), (const char *)name.ptr);
            rf_buf_printf(&buf, "/%.*s/%.*s", RF_FMT(word), RF_FMT(part));
        }
    }
    if (buf.failed) return rf_fail_memory(err, arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *copy = rf_arena_alloc(arena, text.len);
    if (copy == NULL) return (rf_str){0};
    for (size_t i = 0; i < text.len; i++) copy[i] = rf_lower(text.ptr[i]);
    return rf_str_make(copy, text.len);
}

enum rf_kind template_scope_of(struct rf_arena *arena, rf_str id, struct template_scope *out,
                               struct rf_err *err)
{
    struct template_scope scope = {.place = TEMPLATE_AT_TENANT, .id = RF_S("/")};
    rf_str rest = id, word;
    while (rest.len > 0 && rest.ptr[0] == '/') rest = rf_slice(rest, 1, rest.len);
    while (rest.len > 0 && rest.ptr[rest.len - 1] == '/') rest = rf_slice(rest, 0, rest.len - 1);
    bool good = true;
    if (rest.len > 0) {
        scope.id = rf_arena_printf(arena, "/%.*s", RF_FMT(rest));
        if (scope.id.ptr == NULL) return rf_fail_memory(err, arena);
        (void)cut(&rest, &word);
        if (is_type(word, "subscriptions")) {
            good = cut(&rest, &scope.subscription);
            scope.place = TEMPLATE_AT_SUBSCRIPTION;
            if (rest.len > 0) {
                scope.place = TEMPLATE_AT_GROUP;
                good = cut(&rest, &word) && is_type(word, "resourceGroups") &&
                       cut(&rest, &scope.group) && rest.len == 0;
            }
        } else {
            scope.place = TEMPLATE_AT_MG;
            good = is_type(word, "providers") && cut(&rest, &word) &&
                   is_type(word, "Microsoft.Management") && cut(&rest, &word) &&
                   is_type(word, "managementGroups") && cut(&rest, &scope.management_group) &&
                   rest.len == 0;
        }
    }
    if (!good)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "'%.*s' is no scope of deployments: a resource group, a subscription, a "
                       "management group or the tenant is.",
                       (int)RF_MIN(id.len, 300), (const char *)id.ptr);
    *out = scope;
    return RF_OK;
}

/* ---- finding --------------------------------------------------------------------------------------------------------------- */

/* "Namespace/type/name" at the end of an id, the way older templates name a resource. */
static bool ends_so(rf_str id, rf_str text)
{
    static const char word[] = "/providers/";
    size_t whole = strlen(word) + text.len;
    if (rf_str_find(text, RF_S("/"), 0) == SIZE_MAX || id.len < whole) return false;
    rf_str tail = rf_slice(id, id.len - whole, id.len);
    return rf_str_eq_nocase(rf_slice(tail, 0, strlen(word)), rf_str_of(word)) &&
           rf_str_eq_nocase(rf_slice(tail, strlen(word), tail.len), text);
}

/* "Namespace/type/sub/a/b" for the type Namespace/type/sub and the name a/b. */
static bool is_type_and_name(const struct template_resource *r, rf_str text)
{
    return text.len == r->type.len + 1 + r->name.len &&
           rf_str_eq_nocase(rf_slice(text, 0, r->type.len), r->type) &&
           text.ptr[r->type.len] == '/' &&
           rf_str_eq_nocase(rf_slice(text, r->type.len + 1, text.len), r->name);
}

/* "symbol[3]" of a loop. */
static bool is_indexed(const struct template_resource *r, rf_str text)
{
    int64_t index;
    return r->loop.len > 0 && r->symbol.len > 0 && text.len > r->symbol.len + 2 &&
           rf_str_eq(rf_slice(text, 0, r->symbol.len), r->symbol) &&
           text.ptr[r->symbol.len] == '[' && text.ptr[text.len - 1] == ']' &&
           template_whole(rf_slice(text, r->symbol.len + 1, text.len - 1), &index) &&
           index == r->loop_index;
}

static bool is_meant(const struct template_resource *r, rf_str text)
{
    if (text.len == 0) return false;
    if (text.ptr[0] == '/') return rf_str_eq_nocase(r->id, text);
    if (r->symbol.len > 0 && (rf_str_eq(r->symbol, text) || is_indexed(r, text))) return true;
    return rf_str_eq_nocase(r->name, text) || ends_so(r->id, text) || is_type_and_name(r, text);
}

const struct template_resource *template_find(const struct template_plan *plan, rf_str text)
{
    const struct template_resource *skipped = NULL;
    for (const struct template_env *env = plan->env; env != NULL; env = env->around) {
        for (uint32_t i = 0; env->plan != NULL && i < env->plan->count; i++) {
            const struct template_resource *r = &env->plan->resources[i];
            if (!is_meant(r, text)) continue;
            if (!r->is_skipped) return r;
            skipped = r;
        }
    }
    return skipped;
}

/* ---- one resource ------------------------------------------------------------------------------------------------------------ */

static struct template_frame frame_of(const struct expander *x, const struct template_loop *loops)
{
    return (struct template_frame){.run = x->run, .env = x->env, .loops = loops};
}

static enum rf_kind add(struct expander *x, struct template_resource **out)
{
    struct template_plan *plan = x->plan;
    if (plan->count == TEMPLATE_RESOURCES_MAX)
        return invalid(x->err, "The number of template resources exceeds the limit of %d",
                       TEMPLATE_RESOURCES_MAX);
    if (plan->count == plan->cap) {
        uint32_t cap = plan->cap * 2 + 16, each = sizeof *plan->resources;
        plan->resources =
            rf_arena_grow(x->run->arena, plan->resources, plan->cap * each, cap * (size_t)each);
        if (plan->resources == NULL) {
            plan->count = plan->cap = 0;
            return rf_fail_memory(x->err, x->run->arena);
        }
        plan->cap = cap;
    }
    *out = &plan->resources[plan->count++];
    **out = (struct template_resource){.type = {0}};
    return RF_OK;
}

/* Members that say how a resource is deployed; all others are put. */
static bool is_for_template(rf_str name)
{
    static const char *const ours[] = {
        "type",     "name",     "apiVersion", "scope",    "condition",     "dependsOn",
        "copy",     "comments", "resources",  "existing", "resourceGroup", "subscriptionId",
        "metadata", "import",   "id",         "$options"};
    for (uint32_t i = 0; i < RF_COUNT(ours); i++)
        if (rf_str_eq_nocase(name, rf_str_of(ours[i]))) return true;
    return false;
}

static rf_str plain_name(rf_str name)
{
    static const char *const known[] = {"location", "tags",  "kind",       "sku",  "plan",
                                        "identity", "zones", "properties", "etag", "managedBy"};
    for (uint32_t i = 0; i < RF_COUNT(known); i++)
        if (rf_str_eq_nocase(name, rf_str_of(known[i]))) return rf_str_of(known[i]);
    return name;
}

/* A nested template stays as it is: it is expanded by itself. */
static enum rf_kind eval_nested_properties(const struct template_frame *frame,
                                           const struct json_node *source,
                                           struct template_tree *tree, struct json_node **out,
                                           struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct json_node *made = json_new(arena, JSON_T_OBJECT), *value;
    if (made == NULL) return rf_fail_memory(err, arena);
    if (source->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its 'properties' are not an object");
    for (const struct json_node *m = source->first; m != NULL; m = m->next) {
        if (rf_str_eq_nocase(m->name, RF_S("template")))
            value = template_share(arena, m);
        else
            RF_TRY(template_eval_tree(frame, m, tree, &value, err));
        if (json_set(arena, made, m->name, value) == NULL) return rf_fail_memory(err, arena);
    }
    *out = made;
    return RF_OK;
}

static enum rf_kind eval_body(const struct template_frame *frame, struct template_resource *r,
                              struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct template_tree tree = {.may_wait = true, .has_copy = true};
    struct json_node *value;
    r->body = json_new(arena, JSON_T_OBJECT);
    if (r->body == NULL) return rf_fail_memory(err, arena);
    for (const struct json_node *m = r->source->first; m != NULL; m = m->next) {
        if (is_for_template(m->name)) continue;
        bool nested = r->is_deployment && rf_str_eq_nocase(m->name, RF_S("properties"));
        if (nested)
            RF_TRY(eval_nested_properties(frame, m, &tree, &value, err));
        else
            RF_TRY(template_eval_tree(frame, m, &tree, &value, err));
        if (value->type == JSON_T_NULL && tree.pending == NULL) continue;
        if (json_set(arena, r->body, plain_name(m->name), value) == NULL)
            return rf_fail_memory(err, arena);
    }
    r->pending = tree.pending;
    return RF_OK;
}

/* Where a nested deployment goes: its "scope", its group and subscription, or where the one around it goes. */
static enum rf_kind nested_target(const struct template_frame *frame, struct template_resource *r,
                                  rf_str scope, struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    struct template_scope around = frame->env->target;
    rf_str group, subscription, id;
    RF_TRY(template_eval_text(frame, r->source, "resourceGroup", &group, err));
    RF_TRY(template_eval_text(frame, r->source, "subscriptionId", &subscription, err));
    if (scope.len > 0) return template_scope_of(arena, scope, &r->target, err);
    if (group.len == 0 && subscription.len == 0) {
        r->target = around;
        return RF_OK;
    }
    if (subscription.len == 0) subscription = around.subscription;
    id = group.len == 0 ? rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(subscription))
                        : rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                          RF_FMT(subscription), RF_FMT(group));
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    return template_scope_of(arena, id, &r->target, err);
}

/* A scope is an id, or relative to where the template goes: "Microsoft.Storage/storageAccounts/x". */
static enum rf_kind whole_scope(const struct template_frame *frame, rf_str scope, rf_str *out,
                                struct rf_err *err)
{
    rf_str base = frame->env->target.id;
    *out = scope;
    if (scope.ptr[0] == '/') return RF_OK;
    *out = rf_arena_printf(frame->run->arena, "%.*s/providers/%.*s",
                           base.len > 1 ? (int)base.len : 0, (const char *)base.ptr, RF_FMT(scope));
    return out->ptr == NULL ? rf_fail_memory(err, frame->run->arena) : RF_OK;
}

static enum rf_kind place(const struct template_frame *frame, struct template_resource *r,
                          struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    rf_str scope, at = frame->env->target.id;
    RF_TRY(template_eval_text(frame, r->source, "scope", &scope, err));
    if (r->is_deployment) {
        RF_TRY(nested_target(frame, r, scope, err));
        at = r->target.id;
    } else if (scope.len > 0) {
        RF_TRY(whole_scope(frame, scope, &at, err));
    } else if (is_type(r->type, "Microsoft.Management/managementGroups") ||
               is_type(r->type, "Microsoft.Subscription/aliases")) {
        at = RF_S("/"); /* these stand at the tenant, whoever deploys them */
    } else if (frame->env->target.place == TEMPLATE_AT_GROUP) {
        rf_str group,
            subscription; /* of a group resource in a template at a group: its own place */
        RF_TRY(template_eval_text(frame, r->source, "resourceGroup", &group, err));
        RF_TRY(template_eval_text(frame, r->source, "subscriptionId", &subscription, err));
        if (subscription.len == 0) subscription = frame->env->target.subscription;
        if (group.len > 0)
            at = rf_arena_printf(arena, "/subscriptions/%.*s/resourceGroups/%.*s",
                                 RF_FMT(subscription), RF_FMT(group));
        if (at.ptr == NULL) return rf_fail_memory(err, arena);
    }
    RF_TRY(template_id(arena, at, r->type, r->name, &r->id, err));
    r->key = lower(arena, r->id);
    return r->key.ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

struct parent { /* of child resources; empty at the top */
    rf_str type, name;
};

static enum rf_kind eval_identity(const struct template_frame *frame, struct template_resource *r,
                                  const struct parent *parent, struct rf_err *err)
{
    struct rf_arena *arena = frame->run->arena;
    rf_str type, name;
    RF_TRY(template_eval_text(frame, r->source, "type", &type, err));
    RF_TRY(template_eval_text(frame, r->source, "name", &name, err));
    RF_TRY(template_eval_text(frame, r->source, "apiVersion", &r->version, err));
    if (type.len == 0 || name.len == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its '%s' is missing",
                       type.len == 0 ? "type" : "name");
    bool is_whole = parent->type.len > 0 && type.len > parent->type.len &&
                    rf_str_eq_nocase(rf_slice(type, 0, parent->type.len), parent->type);
    if (parent->type.len > 0 && !is_whole) {
        type = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(parent->type), RF_FMT(type));
        name = rf_arena_printf(arena, "%.*s/%.*s", RF_FMT(parent->name), RF_FMT(name));
        if (type.ptr == NULL || name.ptr == NULL) return rf_fail_memory(err, arena);
    }
    r->type = type;
    r->name = name;
    if (segments(type) < 2)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                       "its type '%.*s' has no namespace in front", (int)RF_MIN(type.len, 200),
                       (const char *)type.ptr);
    bool has_profile = template_member(frame->env->document, "apiProfile") != NULL;
    if (r->version.len == 0 && !has_profile)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its 'apiVersion' is missing");
    return RF_OK;
}

static enum rf_kind eval_condition(const struct template_frame *frame, struct template_resource *r,
                                   struct rf_err *err)
{
    const struct json_node *source = template_member(r->source, "condition");
    struct template_tree tree = {0};
    struct json_node *truth;
    if (source == NULL || source->type == JSON_T_NULL) return RF_OK;
    RF_TRY(template_eval_tree(frame, source, &tree, &truth, err));
    bool is_true = truth->type == JSON_T_TRUE ||
                   (truth->type == JSON_T_STRING && rf_str_eq_nocase(truth->text, RF_S("true")));
    bool is_false = truth->type == JSON_T_FALSE ||
                    (truth->type == JSON_T_STRING && rf_str_eq_nocase(truth->text, RF_S("false")));
    if (!is_true && !is_false)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its 'condition' must be a Boolean");
    r->is_skipped = is_false;
    return RF_OK;
}

static enum rf_kind eval_depends(const struct template_frame *frame, struct template_resource *r,
                                 struct rf_err *err)
{
    const struct json_node *source = template_member(r->source, "dependsOn");
    struct template_tree tree = {0};
    if (source == NULL || source->type == JSON_T_NULL) return RF_OK;
    RF_TRY(template_eval_tree(frame, source, &tree, &r->needs, err));
    if (r->needs->type != JSON_T_ARRAY)
        return RF_FAIL(err, RF_INVALID, "InvalidTemplate", "its 'dependsOn' is not an array");
    for (const struct json_node *n = r->needs->first; n != NULL; n = n->next)
        if (n->type != JSON_T_STRING)
            return RF_FAIL(err, RF_INVALID, "InvalidTemplate",
                           "its 'dependsOn' holds a value that is not a text");
    return RF_OK;
}

static enum rf_kind eval_resource(const struct template_frame *frame, struct template_resource *r,
                                  const struct parent *parent, struct rf_err *err)
{
    RF_TRY(eval_identity(frame, r, parent, err));
    r->is_deployment = is_type(r->type, "Microsoft.Resources/deployments");
    r->is_existing = json_is(template_member(r->source, "existing"), JSON_T_TRUE);
    RF_TRY(place(frame, r, err));
    RF_TRY(eval_condition(frame, r, err));
    RF_TRY(eval_depends(frame, r, err));
    /* What is not deployed may have values that make no sense. */
    return r->is_skipped || r->is_existing ? RF_OK : eval_body(frame, r, err);
}

/* ---- all resources -------------------------------------------------------------------------------------------------------------- */

static enum rf_kind add_resources(struct expander *x, const struct json_node *sources,
                                  const struct parent *parent, const struct template_loop *loops,
                                  rf_str path);

static rf_str path_of(struct rf_arena *arena, rf_str path, const struct json_node *source,
                      uint32_t index)
{
    if (source->name.len > 0)
        return rf_arena_printf(arena, "%.*sresources.%.*s", RF_FMT(path), RF_FMT(source->name));
    return rf_arena_printf(arena, "%.*sresources[%u]", RF_FMT(path), index);
}

/* The name as it is written, when it cannot be evaluated. */
static enum rf_kind wrap_resource(const struct expander *x, enum rf_kind kind,
                                  const struct template_resource *r)
{
    char what[200];
    rf_str name = r->name.len > 0 ? r->name : template_member_text(r->source, "name");
    if (kind == RF_OK) return RF_OK;
    snprintf(what, sizeof what, "The template resource at '%.*s'", (int)RF_MIN(r->path.len, 120),
             (const char *)r->path.ptr);
    return template_wrap(x->err, kind, what, name);
}

static enum rf_kind add_one(struct expander *x, const struct json_node *source,
                            const struct parent *parent, const struct template_loop *loops,
                            rf_str path, const struct template_resource *like)
{
    struct template_resource *r;
    struct template_frame frame = frame_of(x, loops);
    RF_TRY(add(x, &r));
    *r = *like;
    r->source = source;
    r->symbol = x->env->is_symbolic && parent->type.len == 0 ? source->name : (rf_str){0};
    r->path = path;
    r->loops = loops;
    if (source->type != JSON_T_OBJECT)
        return invalid(x->err, "The template resource at '%.*s' is not an object", RF_FMT(path));
    RF_TRY(wrap_resource(x, eval_resource(&frame, r, parent, x->err), r));
    const struct json_node *children = template_member(source, "resources");
    /* A condition holds for its resource only: children have their own. */
    if (children == NULL || children->type == JSON_T_NULL) return RF_OK;
    struct parent self = {.type = r->type, .name = r->name};
    rf_str inner = rf_arena_printf(x->run->arena, "%.*s.", RF_FMT(path));
    if (inner.ptr == NULL) return rf_fail_memory(x->err, x->run->arena);
    return add_resources(x, children, &self, loops, inner);
}

/* Others may depend on a copy that happens to make nothing. */
static enum rf_kind add_empty(struct expander *x, const struct json_node *source, rf_str name)
{
    struct rf_arena *arena = x->run->arena;
    struct json_node *names = x->plan->empty_loops;
    bool done = json_append(names, json_new_text(arena, name)) != NULL;
    if (x->env->is_symbolic)
        done = done && json_append(names, json_new_text(arena, source->name)) != NULL;
    return done ? RF_OK : rf_fail_memory(x->err, arena);
}

static bool is_empty_loop(const struct template_plan *plan, rf_str text)
{
    for (const struct json_node *n = plan->empty_loops->first; n != NULL; n = n->next)
        if (rf_str_eq_nocase(n->text, text)) return true;
    return false;
}

static enum rf_kind add_loop(struct expander *x, const struct json_node *source,
                             const struct json_node *copy, const struct parent *parent,
                             const struct template_loop *loops, rf_str path)
{
    struct template_frame frame = frame_of(x, loops);
    struct template_resource like = {.batch = 0};
    rf_str mode = {0}, name = {0};
    int64_t count = 0, batch = 1;
    struct template_resource named = {.source = source, .path = path};
    enum rf_kind kind = template_eval_count(&frame, copy, &count, x->err);
    if (kind == RF_OK) kind = template_eval_text(&frame, copy, "name", &name, x->err);
    if (kind == RF_OK) kind = template_eval_text(&frame, copy, "mode", &mode, x->err);
    RF_TRY(wrap_resource(x, kind, &named));
    if (name.len == 0 && x->env->is_symbolic) name = source->name;
    if (name.len == 0)
        return invalid(x->err, "The copy of the template resource at '%.*s' has no name",
                       RF_FMT(path));
    const struct json_node *size = template_member(copy, "batchSize");
    if (json_is(size, JSON_T_NUMBER)) (void)template_whole(size->text, &batch);
    if (batch < 1)
        return invalid(x->err, "The batchSize of the copy at '%.*s' must be at least 1",
                       RF_FMT(path));
    if (rf_str_eq_nocase(mode, RF_S("serial"))) like.batch = batch;
    if (count == 0) return add_empty(x, source, name);
    for (int64_t i = 0; i < count; i++) {
        struct template_loop *loop = rf_arena_new(x->run->arena, struct template_loop, 1);
        if (loop == NULL) return rf_fail_memory(x->err, x->run->arena);
        *loop = (struct template_loop){name, i, false, loops};
        like.loop = name;
        like.loop_index = i;
        RF_TRY(add_one(x, source, parent, loop, path, &like));
    }
    return RF_OK;
}

/* Children nest as deep as the document does. */
static enum rf_kind add_resources(struct expander *x, const struct json_node *sources,
                                  const struct parent *parent, const struct template_loop *loops,
                                  rf_str path)
{
    static const struct template_resource plain = {.batch = 0};
    uint32_t index = 0;
    if (sources->type < JSON_T_ARRAY)
        return invalid(x->err, "'%.*sresources' is neither an array nor an object", RF_FMT(path));
    for (const struct json_node *s = sources->first; s != NULL; s = s->next, index++) {
        rf_str own = path_of(x->run->arena, path, s, index);
        const struct json_node *copy = template_member(s, "copy");
        if (own.ptr == NULL) return rf_fail_memory(x->err, x->run->arena);
        if (json_is(copy, JSON_T_OBJECT))
            RF_TRY(add_loop(x, s, copy, parent, loops, own));
        else
            RF_TRY(add_one(x, s, parent, loops, own, &plain));
    }
    return RF_OK;
}

/* ---- what needs what ---------------------------------------------------------------------------------------------------------------- */

static void set_edge(struct template_plan *plan, uint32_t r, uint32_t n)
{
    if (r != n) plan->edges[r * plan->edge_words + n / 64] |= UINT64_C(1) << (n % 64);
}

/* Whether `text` of a dependsOn means resource `n`. */
static bool is_needed(const struct template_resource *n, rf_str text)
{
    return is_meant(n, text) || (n->loop.len > 0 && rf_str_eq_nocase(n->loop, text));
}

static enum rf_kind set_depends(struct expander *x, uint32_t at)
{
    struct template_plan *plan = x->plan;
    const struct template_resource *r = &plan->resources[at];
    if (r->needs == NULL || r->is_skipped) return RF_OK;
    for (const struct json_node *need = r->needs->first; need != NULL; need = need->next) {
        bool found = false;
        RF_TRY(template_step(x->run, plan->count, x->err));
        for (uint32_t n = 0; n < plan->count; n++) {
            if (!is_needed(&plan->resources[n], need->text)) continue;
            found = true;
            set_edge(plan, at, n);
        }
        if (!found && !is_empty_loop(plan, need->text))
            return invalid(x->err,
                           "The resource '%.*s' is not defined in the template: the resource "
                           "'%.*s' at '%.*s' depends on it. Please see "
                           "https://aka.ms/arm-syntax for usage details",
                           (int)RF_MIN(need->text.len, 250), (const char *)need->text.ptr,
                           (int)RF_MIN(r->id.len, 200), (const char *)r->id.ptr, RF_FMT(r->path));
    }
    return RF_OK;
}

/* The resource that a call of reference() or list*() names, when that can be known now. */
static void note_reference(struct expander *x, uint32_t at, const struct template_frame *frame,
                           const struct template_expr *expr)
{
    struct template_plan *plan = x->plan;
    struct json_node *name;
    struct rf_err ignored;
    uint32_t depth = x->run->depth;
    if (expr->first == NULL || template_expr_is_runtime(expr->first)) return;
    enum rf_kind kind = template_eval(frame, expr->first, &name, &ignored);
    x->run->depth = depth;
    if (kind != RF_OK || name->type != JSON_T_STRING) return;
    for (uint32_t n = 0; n < plan->count; n++)
        if (is_needed(&plan->resources[n], name->text) && !plan->resources[n].is_existing)
            set_edge(plan, at, n);
}

/* As deep as expressions are. */
static void scan_expr(struct expander *x, uint32_t at, const struct template_frame *frame,
                      const struct template_expr *expr)
{
    bool is_runtime = expr->kind == TEMPLATE_CALL && expr->function != NULL &&
                      (expr->function->flags & TEMPLATE_RUNTIME) != 0;
    if (is_runtime) note_reference(x, at, frame, expr);
    for (const struct template_expr *child = expr->first; child != NULL; child = child->next)
        scan_expr(x, at, frame, child);
}

/* References inside of a nested template of scope "outer" are to what stands around it too. */
static void scan_nested(struct expander *x, uint32_t at, const struct json_node *node,
                        const struct template_frame *frame)
{
    if (node->type == JSON_T_STRING && template_is_expr(node->text)) {
        struct template_expr *expr;
        struct rf_err ignored;
        if (template_expr_parse(node->text, x->run->arena, &expr, &ignored) == RF_OK &&
            template_expr_is_runtime(expr))
            scan_expr(x, at, frame, expr);
    }
    for (const struct json_node *child = node->first; child != NULL; child = child->next)
        scan_nested(x, at, child, frame);
}

static void set_references(struct expander *x, uint32_t at)
{
    struct template_resource *r = &x->plan->resources[at];
    for (const struct template_pending *p = r->pending; p != NULL; p = p->next) {
        struct template_frame frame = frame_of(x, p->loops);
        scan_expr(x, at, &frame, p->expr);
    }
    const struct json_node *nested = template_member(json_get(r->body, "properties"), "template");
    struct template_frame frame = frame_of(x, r->loops);
    if (r->is_deployment && nested != NULL && !r->is_inner) scan_nested(x, at, nested, &frame);
}

static void set_batches(struct template_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct template_resource *r = &plan->resources[i];
        if (r->batch == 0) continue;
        int64_t before = r->loop_index / r->batch - 1;
        for (uint32_t n = 0; n < plan->count; n++) {
            const struct template_resource *o = &plan->resources[n];
            if (o->source == r->source && o->batch > 0 && o->loop_index / o->batch == before)
                set_edge(plan, i, n);
        }
    }
}

/* A child comes behind its parent, unless the template says otherwise; extensions come behind what they stand on. */
static void set_parents(struct template_plan *plan)
{
    for (uint32_t i = 0; i < plan->count; i++)
        for (uint32_t n = 0; n < plan->count; n++) {
            rf_str child = plan->resources[i].key, parent = plan->resources[n].key;
            bool is_below = child.len > parent.len && child.ptr[parent.len] == '/' &&
                            memcmp(child.ptr, parent.ptr, parent.len) == 0;
            if (is_below && !template_needs(plan, n, i)) set_edge(plan, i, n);
        }
}

/* Puts what is ready in its place, in the order of the template; *placed: how many. */
static void sort(struct template_plan *plan, uint32_t *placed, bool *done)
{
    *placed = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (uint32_t i = 0; i < plan->count; i++) {
            if (done[i]) continue;
            bool ready = true;
            for (uint32_t w = 0; w < plan->edge_words && ready; w++) {
                uint64_t needs = plan->edges[i * plan->edge_words + w];
                for (; needs != 0 && ready; needs &= needs - 1)
                    ready = done[w * 64 + (uint32_t)__builtin_ctzll(needs)];
            }
            if (!ready) continue;
            done[i] = moved = true;
            plan->order[(*placed)++] = i;
        }
    }
}

static enum rf_kind order(struct expander *x)
{
    struct template_plan *plan = x->plan;
    struct rf_arena *arena = x->run->arena;
    bool *done = rf_arena_new(arena, bool, plan->count + 1);
    uint32_t placed = 0;
    plan->order = rf_arena_new(arena, uint32_t, plan->count + 1);
    if (done == NULL || plan->order == NULL) return rf_fail_memory(x->err, arena);
    sort(plan, &placed, done);
    if (placed == plan->count) return RF_OK;
    uint32_t stuck = 0;
    while (done[stuck]) stuck++;
    return invalid(x->err,
                   "Circular dependency detected on resource: '%.*s'. Please see "
                   "https://aka.ms/arm-syntax-resources for usage details",
                   RF_FMT(plan->resources[stuck].id));
}

static enum rf_kind connect(struct expander *x)
{
    struct template_plan *plan = x->plan;
    plan->edge_words = plan->count / 64 + 1;
    plan->edges = rf_arena_new(x->run->arena, uint64_t, (size_t)plan->count * plan->edge_words + 1);
    if (plan->edges == NULL) return rf_fail_memory(x->err, x->run->arena);
    for (uint32_t i = 0; i < plan->count; i++) {
        RF_TRY(set_depends(x, i));
        set_references(x, i);
    }
    set_batches(plan);
    set_parents(plan);
    return order(x);
}

static enum rf_kind check_twice(struct expander *x)
{
    const struct template_plan *plan = x->plan;
    for (uint32_t i = 0; i < plan->count; i++)
        for (uint32_t n = 0; n < i; n++) {
            const struct template_resource *a = &plan->resources[i], *b = &plan->resources[n];
            if (a->is_skipped || b->is_skipped || a->is_existing || b->is_existing) continue;
            if (!rf_str_eq(a->key, b->key)) continue;
            return invalid(x->err,
                           "The resource '%.*s' at '%.*s' is defined multiple times in a template. "
                           "Please see https://aka.ms/arm-syntax-resources for usage details",
                           RF_FMT(a->id), RF_FMT(a->path));
        }
    return RF_OK;
}

/* ---- nested templates ------------------------------------------------------------------------------------------------------------------ */

static enum rf_kind check_nested(struct expander *x, struct template_resource *r)
{
    const struct json_node *properties = json_get(r->body, "properties");
    const struct json_node *options = template_member(properties, "expressionEvaluationOptions");
    rf_str scope = template_member_text(options, "scope");
    r->is_inner = rf_str_eq_nocase(scope, RF_S("inner"));
    if (template_member(properties, "templateLink") != NULL)
        return RF_FAIL(x->err, RF_INVALID, "InvalidTemplateLink",
                       "The nested deployment '%.*s' links to a template. Nothing is fetched from "
                       "elsewhere here: put the template itself into 'template'.",
                       RF_FMT(r->name));
    if (!json_is(template_member(properties, "template"), JSON_T_OBJECT))
        return invalid(x->err, "The nested deployment '%.*s' has no template", RF_FMT(r->name));
    if (rf_str_eq_nocase(template_member_text(properties, "mode"), RF_S("Complete")) &&
        r->target.place != TEMPLATE_AT_GROUP)
        return invalid(x->err,
                       "The nested deployment '%.*s' has the mode Complete, which only deployments "
                       "to resource groups may have",
                       RF_FMT(r->name));
    if (x->env->depth + 1 > TEMPLATE_NESTED_MAX)
        return invalid(x->err, "Deployments nest more than %d deep", TEMPLATE_NESTED_MAX);
    return RF_OK;
}

static enum rf_kind open_inner(struct template_run *run, const struct template_plan *plan,
                               const struct template_resource *r, struct template_env **out,
                               struct rf_err *err)
{
    const struct json_node *properties = json_get(r->body, "properties");
    const struct template_input input = {.scope = r->target,
                                         .document = template_member(properties, "template"),
                                         .parameters = template_member(properties, "parameters"),
                                         .name = r->name,
                                         .location = template_member_text(r->body, "location"),
                                         .depth = plan->env->depth + 1};
    return template_open(run, &input, out, err);
}

static enum rf_kind open_outer(struct template_run *run, const struct template_plan *plan,
                               const struct template_resource *r, struct template_env **out,
                               struct rf_err *err)
{
    const struct json_node *properties = json_get(r->body, "properties");
    struct template_env *env = rf_arena_raw(run->arena, struct template_env, 1);
    if (env == NULL) return rf_fail_memory(err, run->arena);
    *env = *plan->env;
    /* Functions of the template around stay callable, as its other names do. */
    struct json_node *document =
        template_share(run->arena, template_member(properties, "template"));
    if (document == NULL) return rf_fail_memory(err, run->arena);
    if (template_member(document, "resources") == NULL)
        return invalid(err, "The template of the nested deployment '%.*s' has no resources",
                       RF_FMT(r->name));
    env->document = document;
    env->target = r->target;
    env->around = plan->env;
    env->loops = r->loops;
    env->depth = plan->env->depth + 1;
    *out = env;
    return RF_OK;
}

enum rf_kind template_expand_nested(struct template_run *run, struct template_plan *plan,
                                    struct template_resource *r, struct rf_err *err)
{
    struct template_env *env = NULL;
    if (r->nested != NULL) return RF_OK;
    enum rf_kind kind =
        r->is_inner ? open_inner(run, plan, r, &env, err) : open_outer(run, plan, r, &env, err);
    if (kind != RF_OK) return kind;
    RF_ASSERT(env != NULL);
    return template_expand(run, env, &r->nested, err);
}

static enum rf_kind expand_nested(struct expander *x)
{
    for (uint32_t i = 0; i < x->plan->count; i++) {
        struct template_resource *r = &x->plan->resources[i];
        if (!r->is_deployment || r->is_skipped || r->is_existing) continue;
        RF_TRY(check_nested(x, r));
    }
    return RF_OK;
}

/* ---- putting it together ------------------------------------------------------------------------------------------------------------------ */

enum rf_kind template_expand(struct template_run *run, struct template_env *env,
                             struct template_plan **out, struct rf_err *err)
{
    struct template_plan *plan = rf_arena_new(run->arena, struct template_plan, 1);
    struct expander x = {.run = run, .env = env, .plan = plan, .err = err};
    const struct json_node *sources = template_member(env->document, "resources");
    static const struct parent top = {.type = {0}};
    if (plan == NULL) return rf_fail_memory(err, run->arena);
    plan->env = env;
    plan->empty_loops = json_new(run->arena, JSON_T_ARRAY);
    if (plan->empty_loops == NULL) return rf_fail_memory(err, run->arena);
    env->plan = plan;
    env->is_symbolic = json_is(sources, JSON_T_OBJECT);
    if (env->is_symbolic &&
        !rf_str_starts(template_member_text(env->document, "languageVersion"), RF_S("2.")))
        return invalid(err, "The template's resources are an object, which needs the "
                            "languageVersion 2.0");
    RF_TRY(add_resources(&x, sources, &top, env->loops, RF_S("")));
    RF_TRY(check_twice(&x));
    RF_TRY(expand_nested(&x));
    RF_TRY(connect(&x));
    for (uint32_t i = 0; i < plan->count; i++) {
        struct template_resource *r = &plan->resources[i];
        if (!r->is_deployment || r->is_skipped || r->is_existing || r->pending != NULL) continue;
        enum rf_kind kind = template_expand_nested(run, plan, r, err);
        /* It may go to a group that this template makes: then its turn is the time. */
        if (kind == RF_NOT_FOUND) r->nested = NULL;
        if (kind != RF_NOT_FOUND) RF_TRY(kind);
    }
    struct json_node *ignored;
    RF_TRY(template_outputs(run, plan, true, &ignored, err));
    *out = plan;
    return RF_OK;
}

enum rf_kind template_fill(struct template_run *run, const struct template_plan *plan,
                           struct template_resource *r, struct rf_err *err)
{
    RF_ASSERT(run->is_runtime);
    for (const struct template_pending *p = r->pending; p != NULL; p = p->next) {
        struct template_frame frame = {.run = run, .env = plan->env, .loops = p->loops};
        struct json_node *value;
        RF_TRY(template_eval(&frame, p->expr, &value, err));
        struct json_node *place = p->place;
        place->type = value->type;
        place->text = value->text;
        place->first = value->first;
        place->last = value->last;
        place->count = value->count;
    }
    r->pending = NULL;
    return RF_OK;
}
