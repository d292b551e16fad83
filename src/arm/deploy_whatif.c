/* deploy_whatif.c - what a deployment would change, without changing it.
 *
 * A resource's template is compared with its document as it is. What the template gives and the document has otherwise is a
 * change. What the document has beyond the template would go when the type keeps documents as they are sent, and tags always;
 * types that fill in values of their own are not reproached with them. */
#include "arm/deploy_int.h"

struct predictor {
    struct template_run *run;
    const struct template_plan *plan;
    const struct deploy_caller *caller;
    struct json_node *changes;
    bool ids_only;
    struct rf_err *err;
};

static struct rf_arena *arena_of(const struct predictor *p) { return p->run->arena; }

static enum rf_kind no_memory(const struct predictor *p)
{
    return rf_fail_memory(p->err, arena_of(p));
}

/* ---- deltas ---------------------------------------------------------------------------------------------------------------- */

static bool add_delta(struct rf_arena *arena, struct json_node *deltas, rf_str path,
                      const char *type, const struct json_node *before,
                      const struct json_node *after, struct json_node *children)
{
    struct json_node *delta = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, delta, "path", path);
    json_set_text(arena, delta, "propertyChangeType", rf_str_of(type));
    if (before != NULL) json_set(arena, delta, RF_S("before"), template_share(arena, before));
    if (after != NULL) json_set(arena, delta, RF_S("after"), template_share(arena, after));
    if (children == NULL) children = json_new(arena, JSON_T_NULL);
    json_set(arena, delta, RF_S("children"), children);
    return json_append(deltas, delta) != NULL;
}

static rf_str join(struct rf_arena *arena, rf_str path, rf_str name)
{
    if (path.len == 0) return name;
    return rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(path), RF_FMT(name));
}

static bool same_text(rf_str path, const struct json_node *a, const struct json_node *b)
{
    bool is_place = rf_str_is(path, "location");
    if (!is_place || a->type != JSON_T_STRING || b->type != JSON_T_STRING) return false;
    /* "West Europe" is "westeurope". */
    size_t i = 0, k = 0;
    for (;; i++, k++) {
        while (i < a->text.len && a->text.ptr[i] == ' ') i++;
        while (k < b->text.len && b->text.ptr[k] == ' ') k++;
        if (i == a->text.len || k == b->text.len) return i == a->text.len && k == b->text.len;
        if (rf_lower(a->text.ptr[i]) != rf_lower(b->text.ptr[k])) return false;
    }
}

static bool diff(struct rf_arena *arena, rf_str path, const struct json_node *before,
                 const struct json_node *after, bool strict, struct json_node *deltas);

static bool diff_objects(struct rf_arena *arena, rf_str path, const struct json_node *before,
                         const struct json_node *after, bool strict, struct json_node *deltas)
{
    for (const struct json_node *m = after->first; m != NULL; m = m->next) {
        const struct json_node *old = json_get_nocase(before, m->name);
        rf_str inner = join(arena, path, m->name);
        if (inner.ptr == NULL) return false;
        if (old == NULL && m->type == JSON_T_NULL) continue;
        bool done = old == NULL
                        ? add_delta(arena, deltas, inner, "Create", NULL, m, NULL)
                        : diff(arena, inner, old, m, strict || rf_str_is(inner, "tags"), deltas);
        if (!done) return false;
    }
    for (const struct json_node *m = strict ? before->first : NULL; m != NULL; m = m->next) {
        rf_str inner = join(arena, path, m->name);
        bool is_ours = rf_str_is(inner, "properties.provisioningState");
        if (is_ours || json_get_nocase(after, m->name) != NULL) continue;
        if (!add_delta(arena, deltas, inner, "Delete", m, NULL, NULL)) return false;
    }
    return true;
}

static bool diff_arrays(struct rf_arena *arena, rf_str path, const struct json_node *before,
                        const struct json_node *after, bool strict, struct json_node *deltas)
{
    struct json_node *children = json_new(arena, JSON_T_ARRAY);
    const struct json_node *a = before->first, *b = after->first;
    if (children == NULL) return false;
    for (uint32_t i = 0; a != NULL || b != NULL; i++) {
        rf_str index = rf_arena_printf(arena, "%u", i);
        struct json_node *inner = json_new(arena, JSON_T_ARRAY);
        bool done = index.ptr != NULL && inner != NULL;
        if (done && a != NULL && b != NULL) {
            done = diff(arena, (rf_str){0}, a, b, strict, inner);
            bool is_leaf = a->type < JSON_T_ARRAY || a->type != b->type;
            if (done && inner->count > 0)
                done = add_delta(arena, children, index, "Modify", a, b, is_leaf ? NULL : inner);
        } else if (done) {
            done = add_delta(arena, children, index, a != NULL ? "Delete" : "Create", a, b, NULL);
        }
        if (!done) return false;
        if (a != NULL) a = a->next;
        if (b != NULL) b = b->next;
    }
    return children->count == 0 || add_delta(arena, deltas, path, "Array", before, after, children);
}

/* As deep as documents are. */
static bool diff(struct rf_arena *arena, rf_str path, const struct json_node *before,
                 const struct json_node *after, bool strict, struct json_node *deltas)
{
    if (before->type == after->type && before->type == JSON_T_OBJECT)
        return diff_objects(arena, path, before, after, strict, deltas);
    if (before->type == after->type && before->type == JSON_T_ARRAY)
        return diff_arrays(arena, path, before, after, strict, deltas);
    if (template_equal(before, after) || same_text(path, before, after)) return true;
    return add_delta(arena, deltas, path, "Modify", before, after, NULL);
}

/* ---- one resource ------------------------------------------------------------------------------------------------------------ */

static void hide_own(struct json_node *document)
{
    static const char *const own[] = {"systemData", "etag"};
    for (uint32_t i = 0; i < RF_COUNT(own); i++) json_remove(document, rf_str_of(own[i]));
}

/* The document as it is; NULL: there is none. */
static enum rf_kind load(const struct predictor *p, const struct template_resource *t,
                         struct json_node **out)
{
    struct deploy_answer answer;
    *out = NULL;
    RF_TRY(deploy_ask(p->caller, HTTP_GET, t->id, (rf_str){0}, t->version, NULL, arena_of(p),
                      &answer, p->err));
    if (answer.status < 300) *out = answer.body;
    if (answer.status < 300 || answer.status == 404) return RF_OK;
    return RF_FAIL(p->err, answer.status == 403 ? RF_DENIED : RF_INVALID,
                   answer.status == 403 ? "AuthorizationFailed" : "InvalidTemplateDeployment",
                   "The resource '%.*s' cannot be read: %.*s", (int)RF_MIN(t->id.len, 300),
                   (const char *)t->id.ptr, (int)RF_MIN(answer.message.len, 500),
                   (const char *)answer.message.ptr);
}

static struct json_node *document_after(const struct predictor *p,
                                        const struct template_resource *t)
{
    struct rf_arena *arena = arena_of(p);
    struct json_node *after = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, after, "id", t->id);
    json_set_text(arena, after, "type", t->type);
    json_set_text(arena, after, "name", t->name);
    if (t->version.len > 0) json_set_text(arena, after, "apiVersion", t->version);
    for (const struct json_node *m = t->body->first; m != NULL; m = m->next)
        if (json_set(arena, after, m->name, template_share(arena, m)) == NULL) return NULL;
    return after;
}

/* Types without a check of their own keep what is sent, so that what is not sent would go. */
static bool keeps_as_sent(const struct predictor *p, rf_str id)
{
    struct arm_target target;
    struct rf_err ignored;
    return arm_target_of(p->caller->arm, id, arena_of(p), &target, &ignored) == RF_OK &&
           target.type->put == NULL;
}

static enum rf_kind add_change(const struct predictor *p, rf_str id, const char *type,
                               const struct json_node *before, const struct json_node *after,
                               struct json_node *delta)
{
    struct rf_arena *arena = arena_of(p);
    struct json_node *change = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, change, "resourceId", id);
    json_set_text(arena, change, "changeType", rf_str_of(type));
    if (before != NULL && !p->ids_only)
        json_set(arena, change, RF_S("before"), template_share(arena, before));
    if (after != NULL && !p->ids_only)
        json_set(arena, change, RF_S("after"), template_share(arena, after));
    if (delta != NULL) json_set(arena, change, RF_S("delta"), delta);
    return json_append(p->changes, change) == NULL ? no_memory(p) : RF_OK;
}

/* Texts of expressions stand for what cannot be known yet. */
static enum rf_kind fill(const struct predictor *p, struct template_resource *t)
{
    struct rf_err ignored;
    for (struct template_pending *wait = t->pending; wait != NULL; wait = wait->next) {
        const struct template_resource one = {.pending = wait};
        struct template_pending alone = *wait;
        struct template_resource filled = one;
        alone.next = NULL;
        filled.pending = &alone;
        p->run->is_runtime = true;
        uint32_t depth = p->run->depth;
        enum rf_kind kind = template_fill(p->run, p->plan, &filled, &ignored);
        p->run->is_runtime = false;
        p->run->depth = depth;
        if (kind == RF_OK) continue;
        wait->place->type = JSON_T_STRING;
        wait->place->text = wait->text;
    }
    t->pending = NULL;
    return RF_OK;
}

static enum rf_kind predict(const struct predictor *p, struct template_resource *t)
{
    struct rf_arena *arena = arena_of(p);
    struct json_node *before, *deltas = json_new(arena, JSON_T_ARRAY);
    if (deltas == NULL) return no_memory(p);
    RF_TRY(fill(p, t));
    RF_TRY(load(p, t, &before));
    if (p->ids_only)
        return add_change(p, t->id, before == NULL ? "Create" : "Deploy", NULL, NULL, NULL);
    struct json_node *after = document_after(p, t);
    if (after == NULL) return no_memory(p);
    if (before == NULL) return add_change(p, t->id, "Create", NULL, after, NULL);
    hide_own(before);
    bool strict = keeps_as_sent(p, t->id), done = true;
    for (const struct json_node *m = t->body->first; m != NULL && done; m = m->next) {
        const struct json_node *old = json_get_nocase(before, m->name);
        bool whole = rf_str_is(m->name, "tags") || (strict && rf_str_is(m->name, "properties"));
        done = old == NULL ? add_delta(arena, deltas, m->name, "Create", NULL, m, NULL)
                           : diff(arena, m->name, old, m, whole, deltas);
    }
    const struct json_node *tags = json_get(before, "tags");
    if (done && json_is(tags, JSON_T_OBJECT) && tags->count > 0 &&
        json_get(t->body, "tags") == NULL)
        done = add_delta(arena, deltas, RF_S("tags"), "Delete", tags, NULL, NULL);
    if (!done) return no_memory(p);
    return add_change(p, t->id, deltas->count == 0 ? "NoChange" : "Modify", before, after, deltas);
}

static enum rf_kind predict_plan(const struct predictor *p, const struct template_plan *plan)
{
    struct predictor own = *p;
    own.plan = plan;
    for (uint32_t i = 0; i < plan->count; i++) {
        struct template_resource *t = &plan->resources[plan->order[i]];
        if (t->is_skipped || t->is_existing) continue;
        if (!t->is_deployment)
            RF_TRY(predict(&own, t));
        else if (t->nested != NULL)
            RF_TRY(predict_plan(&own, t->nested));
        else
            RF_TRY(add_change(&own, t->id, "Unsupported", NULL, NULL, NULL));
    }
    return RF_OK;
}

/* ---- what the template does not name ------------------------------------------------------------------------------------------ */

static bool is_named(const struct template_plan *plan, rf_str key)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct template_resource *t = &plan->resources[i];
        if (t->is_skipped) continue;
        if (rf_str_eq(t->key, key) || (t->nested != NULL && is_named(t->nested, key))) return true;
    }
    return false;
}

static enum rf_kind list_group(const struct predictor *p, rf_str group, struct state_list *list)
{
    struct state_txn *txn;
    struct state_scan scan = {.space = "resource", .index = "listed"};
    scan.value = resource_key(arena_of(p), group);
    if (scan.value.ptr == NULL) return no_memory(p);
    RF_TRY(state_begin_read(p->caller->arm->options.state, &txn, p->err));
    enum rf_kind kind = state_list(txn, &scan, arena_of(p), list, p->err);
    state_end(txn);
    return kind;
}

static enum rf_kind predict_rest(const struct predictor *p, bool complete)
{
    struct state_list list;
    const struct template_scope *scope = &p->plan->env->target;
    if (scope->place != TEMPLATE_AT_GROUP) return RF_OK;
    RF_TRY(list_group(p, scope->id, &list));
    for (uint32_t i = 0; i < list.count; i++) {
        struct arm_resource resource;
        struct rf_err ignored;
        if (is_named(p->plan, list.items[i].key)) continue;
        RF_TRY(arm_resource_of(&list.items[i], arena_of(p), &resource, p->err));
        if (deploy_may(p->caller, HTTP_GET, resource.id, (rf_str){0}, arena_of(p), &ignored) !=
            RF_OK)
            continue;
        hide_own(resource.body);
        RF_TRY(add_change(p, resource.id, complete ? "Delete" : "Ignore", resource.body,
                          complete ? NULL : resource.body, NULL));
    }
    return RF_OK;
}

/* ---- secrets ------------------------------------------------------------------------------------------------------------------- */

static bool holds(rf_str text, rf_str secret)
{
    return secret.len > 3 && rf_str_find(text, secret, 0) != SIZE_MAX;
}

/* Children may be shared; to hide a text twice does no harm. */
static void hide_text(struct json_node *node, rf_str secret)
{
    if (node->type == JSON_T_STRING && holds(node->text, secret)) node->text = RF_S("*******");
    for (struct json_node *child = node->first; child != NULL; child = child->next)
        hide_text(child, secret);
}

static void hide_values(struct json_node *changes, const struct json_node *value)
{
    if (value == NULL) return;
    if (value->type == JSON_T_STRING) {
        const rf_str secret = value->text; /* the value itself may be among what is hidden */
        hide_text(changes, secret);
    }
    for (const struct json_node *child = value->first; child != NULL; child = child->next)
        hide_values(changes, child);
}

static void hide_secrets(struct json_node *changes, const struct template_plan *plan)
{
    for (uint32_t i = 0; i < plan->env->parameter_count; i++) {
        const struct template_entry *entry = &plan->env->parameters[i];
        if (template_is_secure(entry->type)) hide_values(changes, entry->value);
    }
    for (uint32_t i = 0; i < plan->count; i++)
        if (plan->resources[i].nested != NULL) hide_secrets(changes, plan->resources[i].nested);
}

enum rf_kind deploy_predict(struct template_run *run, struct template_plan *plan,
                            const struct deploy_caller *caller, bool complete, bool ids_only,
                            struct json_node **out, struct rf_err *err)
{
    struct rf_arena *arena = run->arena;
    struct predictor p = {.run = run,
                          .plan = plan,
                          .caller = caller,
                          .changes = json_new(arena, JSON_T_ARRAY),
                          .ids_only = ids_only,
                          .err = err};
    struct json_node *result = json_new(arena, JSON_T_OBJECT);
    if (p.changes == NULL || result == NULL) return no_memory(&p);
    RF_TRY(predict_plan(&p, plan));
    RF_TRY(predict_rest(&p, complete));
    hide_secrets(p.changes, plan);
    json_set_text(arena, result, "status", RF_S("Succeeded"));
    struct json_node *properties = json_object_in(arena, result, "properties");
    if (json_set(arena, properties, RF_S("changes"), p.changes) == NULL) return no_memory(&p);
    *out = result;
    return RF_OK;
}
