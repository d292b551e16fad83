/* graph_rows.c - the tables of Resource Graph as sources: where their rows come from, read piece by piece. */
#include "arm/graph_int.h"

#include "kql/ast.h"

enum {
    CHUNK = 1000,                 /* objects read at a time */
    SCRATCH_BYTES_MAX = 64 << 20, /* for one document, parsed */
    PARTS_MAX = 64
};

#define TYPE_SUBSCRIPTION "microsoft.resources/subscriptions"
#define TYPE_GROUP "microsoft.resources/subscriptions/resourcegroups"
#define TYPE_MANAGEMENT_GROUP "microsoft.management/managementgroups"
#define TYPE_ASSIGNMENT "microsoft.authorization/roleassignments"
#define TYPE_DEFINITION "microsoft.authorization/roledefinitions"

struct graph_source {
    struct source source;
    struct graph *graph;
    const struct graph_table *table;
};

/* Rows of a table that are read alike: objects of state, or documents that are made when they are asked for. */
struct part {
    const char *type;       /* as rows show it; NULL: the resource's own */
    struct state_scan scan; /* space NULL: nothing is stored */
    enum rf_kind (*make)(struct arm_call *call, const struct arm_type *type, struct json_node *out,
                         struct rf_err *err); /* NULL: no documents */
    const struct arm_type *made;              /* for `make` */
};

struct graph_scan {
    struct graph *graph;
    const struct graph_source *source;
    const struct scan *scan;
    struct exec *exec;
    struct flow *out;
    struct rf_arena *arena; /* of the scan */
    struct part parts[PARTS_MAX];
    uint32_t part_count;
    bool wanted[COLUMN_COUNT];    /* by the query or a condition */
    uint32_t place[COLUMN_COUNT]; /* in batches */
    uint32_t column_count;
    struct eval *eval; /* of the conditions; NULL: none */
    uint64_t left;     /* rows that are wanted still */
};

/* ---- a document as a row ---------------------------------------------------------------------------------------------------- */

/* ---- where rows come from ------------------------------------------------------------------------------------------------------ */

static enum rf_kind make_subscription(struct arm_call *call, const struct arm_type *type,
                                      struct json_node *out, struct rf_err *err)
{
    struct arm_target target;
    struct arm_resource stored;
    struct rf_arena *arena = call->arena;
    const struct site *site = call->arm->options.site;
    rf_str id = rf_arena_printf(arena, "/subscriptions/%.*s", RF_FMT(site->subscription_id));
    (void)type;
    if (id.ptr == NULL) return rf_fail_memory(err, arena);
    RF_TRY(arm_target_of(call->arm, id, arena, &target, err));
    RF_TRY(arm_resource_load(call, &target, &stored, err));
    json_set_text(arena, stored.body, "name", RF_S("Ringfort")); /* its display name, as in Azure */
    struct json_node *properties = json_object_in(arena, stored.body, "properties");
    struct json_node *chain = json_new(arena, JSON_T_ARRAY), *root = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, root, "displayName", RF_S("Tenant Root Group"));
    json_set_text(arena, root, "name", site->tenant_id);
    if (json_append(chain, root) == NULL || properties == NULL) return rf_fail_memory(err, arena);
    json_set(arena, properties, RF_S("managementGroupAncestorsChain"), chain);
    json_set_text(arena, properties, "state", RF_S("Enabled"));
    if (json_append(out, stored.body) == NULL) return rf_fail_memory(err, arena);
    return RF_OK;
}

/* What a type has without its being stored, right below the subscription. */
static enum rf_kind make_virtual(struct arm_call *call, const struct arm_type *type,
                                 struct json_node *out, struct rf_err *err)
{
    struct arm_call own = arm_call_for(call, type);
    rf_str parent = rf_arena_printf(call->arena, "/subscriptions/%.*s",
                                    RF_FMT(call->arm->options.site->subscription_id));
    if (parent.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (type->list != NULL) return type->list(&own, parent, out, err);
    return type->virtual_list(&own, parent, out, err);
}

static enum rf_kind make_roles(struct arm_call *call, const struct arm_type *type,
                               struct json_node *out, struct rf_err *err)
{
    (void)type;
    return authz_builtin_roles(call->arm->options.authz, call->arena, out, err);
}

static void add_part(struct graph_scan *s, const struct part *part)
{
    RF_ASSERT(s->part_count < PARTS_MAX);
    s->parts[s->part_count++] = *part;
}

/* The type that all rows must have by a condition of the query, in lower case; empty: none. */
static rf_str wanted_type(const struct graph_scan *s)
{
    for (uint32_t i = 0; i < s->scan->predicate_count; i++) {
        const struct expr *e = s->scan->predicates[i];
        bool equal = e->kind == EXPR_CALL && e->arg_count == 2 &&
                     (strcmp(e->func->name, "==") == 0 || strcmp(e->func->name, "=~") == 0);
        if (!equal) continue;
        for (uint32_t k = 0; k < 2; k++) {
            const struct expr *column = e->args[k], *text = e->args[1 - k];
            if (column->kind != EXPR_COLUMN || text->kind != EXPR_CONST) continue;
            if (column->column_id != s->scan->column_ids[COLUMN_TYPE]) continue;
            if (text->value.type == TYPE_STRING && text->value.s.len > 0)
                return resource_key(s->arena, text->value.s);
        }
    }
    return (rf_str){0};
}

static bool is_type(rf_str wanted, const char *type)
{
    return wanted.len == 0 || rf_str_is(wanted, type);
}

static enum rf_kind find_resources(struct graph_scan *s, rf_str wanted, struct rf_err *err)
{
    rf_str id = s->graph->request->site->subscription_id;
    rf_str subscription = rf_arena_printf(s->arena, "/subscriptions/%.*s", RF_FMT(id));
    rf_str below = rf_arena_printf(s->arena, "%.*s/", RF_FMT(subscription));
    if (subscription.ptr == NULL || below.ptr == NULL) return rf_fail_memory(err, s->arena);
    struct part part = {.scan = {.space = "resource", .index = "listed", .value = subscription}};
    if (wanted.len > 0)
        part.scan = (struct state_scan){
            .space = "resource", .index = "type", .value = wanted, .prefix = below};
    add_part(s, &part);
    return RF_OK;
}

static enum rf_kind find_containers(struct graph_scan *s, rf_str wanted)
{
    if (is_type(wanted, TYPE_SUBSCRIPTION))
        add_part(s, &(struct part){.type = TYPE_SUBSCRIPTION, .make = make_subscription});
    if (is_type(wanted, TYPE_GROUP))
        add_part(s, &(struct part){.type = TYPE_GROUP,
                                   .scan = {.space = "resource",
                                            .index = "type",
                                            .value = RF_S("microsoft.resources/resourcegroups")}});
    if (is_type(wanted, TYPE_MANAGEMENT_GROUP))
        add_part(s, &(struct part){.type = TYPE_MANAGEMENT_GROUP,
                                   .scan = {.space = "resource",
                                            .index = "type",
                                            .value = RF_S(TYPE_MANAGEMENT_GROUP)},
                                   .make = make_virtual,
                                   .made = &arm_type_management_group});
    return RF_OK;
}

static enum rf_kind find_roles(struct graph_scan *s, rf_str wanted)
{
    if (is_type(wanted, TYPE_ASSIGNMENT))
        add_part(s, &(struct part){.type = TYPE_ASSIGNMENT, .scan = {.space = "roleAssignment"}});
    if (is_type(wanted, TYPE_DEFINITION))
        add_part(s, &(struct part){.type = TYPE_DEFINITION,
                                   .scan = {.space = "roleDefinition"},
                                   .make = make_roles});
    return RF_OK;
}

static bool is_top_level(const char *type)
{
    const char *slash = strchr(type, '/');
    return strchr(slash + 1, '/') == NULL;
}

static enum rf_kind find_types(struct graph_scan *s, rf_str wanted)
{
    for (const char *const *type = s->source->table->types; *type != NULL; type++) {
        if (!is_type(wanted, *type)) continue;
        struct part part = {
            .scan = {.space = "resource", .index = "type", .value = rf_str_of(*type)}};
        const struct arm_type *known = arm_types_find(s->graph->arm, rf_str_of(*type));
        if (known != NULL && is_top_level(*type) &&
            (known->list != NULL || known->virtual_list != NULL)) {
            part.make = make_virtual;
            part.made = known;
            if (known->list != NULL) part.scan.space = NULL;
        }
        add_part(s, &part);
    }
    return RF_OK;
}

static enum rf_kind find_parts(struct graph_scan *s, struct rf_err *err)
{
    rf_str wanted = wanted_type(s);
    switch (s->source->table->kind) {
    case GRAPH_RESOURCES:
        return find_resources(s, wanted, err);
    case GRAPH_CONTAINERS:
        return find_containers(s, wanted);
    case GRAPH_ROLES:
        return find_roles(s, wanted);
    default:
        return find_types(s, wanted);
    }
}

/* ---- one piece of rows ------------------------------------------------------------------------------------------------------------ */

struct piece {
    struct rf_arena arena;   /* objects as read, and the cells */
    struct rf_arena scratch; /* of one document */
    struct vec *columns;
    uint32_t row_count, row_cap;
};

static enum rf_kind piece_reset(const struct graph_scan *s, struct piece *piece, uint32_t rows,
                                struct rf_err *err)
{
    piece->columns = rf_arena_new(&piece->arena, struct vec, s->column_count);
    if (piece->columns == NULL) return rf_fail_memory(err, &piece->arena);
    for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
        if (!s->wanted[i]) continue;
        struct vec *vec = &piece->columns[s->place[i]];
        bool made = vec_flat(&piece->arena, graph_columns[i].type, rows, vec);
        if (made && graph_columns[i].type == TYPE_DYNAMIC)
            made = vec_need_nulls(&piece->arena, vec, rows) != NULL;
        if (!made) return rf_fail_memory(err, &piece->arena);
    }
    piece->row_count = 0;
    piece->row_cap = rows;
    return RF_OK;
}

static enum rf_kind add_row(const struct graph_scan *s, struct piece *piece,
                            const struct graph_item *item, struct rf_err *err)
{
    RF_ASSERT(piece->row_count < piece->row_cap);
    for (uint32_t i = 0; i < COLUMN_COUNT; i++)
        if (s->wanted[i])
            RF_TRY(graph_set_cell(s->graph, item, (enum graph_column)i, &piece->scratch,
                                  &piece->arena, &piece->columns[s->place[i]], piece->row_count,
                                  err));
    piece->row_count++;
    return RF_OK;
}

/* The id of a definition without the scope through which it was named, so that those of assignments and definitions agree. */
static enum rf_kind tell_definition(rf_str *id, struct rf_arena *arena, struct rf_err *err)
{
    size_t at = id->len;
    while (at > 0 && id->ptr[at - 1] != '/') at--;
    *id = rf_arena_printf(arena, "/providers/Microsoft.Authorization/RoleDefinitions/%.*s",
                          RF_FMT(rf_slice(*id, at, id->len)));
    return id->ptr == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* A role assignment or definition. Who may read them in what was asked sees also those that reach down into it. */
static enum rf_kind consider_role(const struct graph_scan *s, const struct part *part,
                                  struct json_node *body, struct piece *piece, struct rf_err *err)
{
    bool is_definition = strcmp(part->type, TYPE_DEFINITION) == 0;
    struct rf_arena *scratch = &piece->scratch;
    struct graph_item item = {
        .type = rf_str_of(part->type), .name = json_text_at(body, "name"), .body = body};
    rf_str id = json_text_at(body, "id"), asked = s->graph->scope;
    if (is_definition) {
        id = item.name;
        RF_TRY(tell_definition(&id, scratch, err));
    }
    RF_TRY(resource_id_parse(id, scratch, &item.id, err));
    bool at_top = item.id.subscription.len == 0;
    if (at_top) item.readable = asked.len > 0 ? asked : RF_S("/");
    if (is_definition && asked.len == 0)
        item.readable = rf_arena_printf(scratch, "/subscriptions/%.*s",
                                        RF_FMT(s->graph->request->site->subscription_id));
    if (at_top && item.readable.ptr == NULL) return rf_fail_memory(err, scratch);
    if (!graph_may_read(s->graph, &item, scratch)) return RF_OK;
    if (!is_definition && !graph_reaches(s->graph, &item, scratch)) return RF_OK;
    struct json_node *role = json_at(body, "properties.roleDefinitionId");
    if (json_is(role, JSON_T_STRING)) RF_TRY(tell_definition(&role->text, scratch, err));
    return add_row(s, piece, &item, err);
}

static enum rf_kind consider_container(const struct graph_scan *s, const struct part *part,
                                       const struct json_node *body, struct piece *piece,
                                       struct rf_err *err)
{
    struct graph_item item = {
        .type = rf_str_of(part->type), .name = json_text_at(body, "name"), .body = body};
    RF_TRY(resource_id_parse(json_text_at(body, "id"), &piece->scratch, &item.id, err));
    if (!graph_may_read(s->graph, &item, &piece->scratch)) return RF_OK;
    return add_row(s, piece, &item, err);
}

static bool is_policy(const struct arm_type *type)
{
    static const char ns[] = "Microsoft.Authorization/policy";
    return strncmp(type->name, ns, sizeof ns - 1) == 0;
}

static enum rf_kind consider_resource(struct graph_scan *s, struct arm_call *call,
                                      struct arm_resource *resource, struct piece *piece,
                                      struct rf_err *err)
{
    struct arm_target target;
    RF_TRY(arm_target_of(s->graph->arm, resource->id, &piece->scratch, &target, err));
    struct graph_item item = {.id = target.id,
                              .type = rf_str_of(target.type->name),
                              .name = resource->name,
                              .body = resource->body};
    bool all = s->source->table->kind == GRAPH_RESOURCES;
    if (all && !arm_is_listed(&target, resource->body)) return RF_OK;
    if (!graph_may_read(s->graph, &item, &piece->scratch)) return RF_OK;
    if (is_policy(target.type) && !graph_reaches(s->graph, &item, &piece->scratch)) return RF_OK;
    if (s->wanted[COLUMN_PROPERTIES]) RF_TRY(arm_resource_show(call, &target, resource, err));
    return add_row(s, piece, &item, err);
}

static enum rf_kind consider(struct graph_scan *s, const struct part *part, struct arm_call *call,
                             struct arm_resource *resource, struct piece *piece, struct rf_err *err)
{
    switch (s->source->table->kind) {
    case GRAPH_ROLES:
        return consider_role(s, part, resource->body, piece, err);
    case GRAPH_CONTAINERS:
        return consider_container(s, part, resource->body, piece, err);
    default:
        return consider_resource(s, call, resource, piece, err);
    }
}

static enum rf_kind is_stored(struct arm_call *call, rf_str id, bool *out, struct rf_err *err)
{
    struct state_object object;
    rf_str key = resource_key(call->arena, id);
    if (key.ptr == NULL) return rf_fail_memory(err, call->arena);
    enum rf_kind kind = state_get(call->txn, "resource", key, call->arena, &object, err);
    *out = kind == RF_OK;
    return kind == RF_NOT_FOUND ? RF_OK : kind;
}

/* The documents that are made, all in one piece: there are few. */
static enum rf_kind make_piece(struct graph_scan *s, const struct part *part, struct arm_call *call,
                               struct piece *piece, struct rf_err *err)
{
    struct json_node *list = json_new(&piece->arena, JSON_T_ARRAY);
    if (list == NULL) return rf_fail_memory(err, &piece->arena);
    call->arena = &piece->arena;
    RF_TRY(part->make(call, part->made, list, err));
    RF_TRY(piece_reset(s, piece, list->count, err));
    call->arena = &piece->scratch;
    for (struct json_node *body = list->first; body != NULL; body = body->next) {
        struct arm_resource resource = {
            .id = json_text_at(body, "id"), .name = json_text_at(body, "name"), .body = body};
        bool stored = false;
        rf_arena_reset(&piece->scratch);
        if (part->made != NULL && part->scan.space != NULL)
            RF_TRY(is_stored(call, resource.id, &stored, err));
        if (!stored) RF_TRY(consider(s, part, call, &resource, piece, err));
    }
    return RF_OK;
}

/* The next objects; fewer when they are so large that as many do not fit. */
static enum rf_kind read_objects(struct arm_call *call, struct state_scan *scan,
                                 struct piece *piece, struct state_list *found, struct rf_err *err)
{
    scan->limit = CHUNK;
    for (;;) {
        rf_arena_reset(&piece->arena);
        enum rf_kind kind = state_list(call->txn, scan, &piece->arena, found, err);
        if (kind != RF_LIMIT || scan->limit <= 1) return kind;
        scan->limit = scan->limit / 8 + 1;
    }
}

/* The documents of a piece cost far more than their cells, so they are read into the arena of cells and shrink it when
 * they are too many. *more: objects follow, behind scan.after. */
static enum rf_kind read_piece(struct graph_scan *s, struct part *part, struct arm_call *call,
                               struct piece *piece, bool *more, struct rf_err *err)
{
    struct state_list found;
    RF_TRY(read_objects(call, &part->scan, piece, &found, err));
    RF_TRY(piece_reset(s, piece, found.count, err));
    for (uint32_t i = 0; i < found.count; i++) {
        struct arm_resource resource;
        rf_arena_reset(&piece->scratch);
        RF_TRY(arm_resource_of(&found.items[i], &piece->scratch, &resource, err));
        RF_TRY(consider(s, part, call, &resource, piece, err));
    }
    atomic_fetch_add_explicit(&s->exec->rows_scanned, found.count, memory_order_relaxed);
    *more = found.more && found.count > 0;
    if (*more && !rf_arena_str(s->arena, found.items[found.count - 1].key, &part->scan.after))
        return rf_fail_memory(err, s->arena);
    return RF_OK;
}

/* ---- conditions ---------------------------------------------------------------------------------------------------------------------- */

static void note_columns(struct graph_scan *s, const struct expr *e)
{
    for (uint32_t i = 0; e->kind == EXPR_COLUMN && i < COLUMN_COUNT; i++)
        if (s->scan->column_ids[i] == e->column_id) s->wanted[i] = true;
    for (uint32_t i = 0; i < e->arg_count; i++) note_columns(s, e->args[i]);
}

static enum rf_kind find_columns(struct graph_scan *s, struct rf_err *err)
{
    const struct scan *scan = s->scan;
    struct schema schema = {.columns = rf_arena_new(s->arena, struct column, COLUMN_COUNT)};
    if (schema.columns == NULL) return rf_fail_memory(err, s->arena);
    for (uint32_t i = 0; i < scan->column_count; i++) s->wanted[scan->columns[i]] = true;
    for (uint32_t i = 0; i < scan->predicate_count; i++) note_columns(s, scan->predicates[i]);
    for (uint32_t i = 0; i < COLUMN_COUNT; i++) {
        if (!s->wanted[i]) continue;
        s->place[i] = schema.count;
        schema.columns[schema.count++] = (struct column){.name = rf_str_of(graph_columns[i].name),
                                                         .id = scan->column_ids[i],
                                                         .type = (uint8_t)graph_columns[i].type};
    }
    s->column_count = schema.count;
    if (scan->predicate_count == 0) return RF_OK;
    return eval_new(s->exec, s->arena, scan->predicates, scan->predicate_count, &schema, &s->eval,
                    err);
}

/* Leaves the rows that meet every condition. */
static enum rf_kind meet_conditions(struct graph_scan *s, struct batch *batch, struct rf_err *err)
{
    uint32_t count = s->scan->predicate_count, kept = 0;
    if (s->eval == NULL) return RF_OK;
    struct vec *met = rf_arena_new(batch->arena, struct vec, count);
    uint32_t *rows = rf_arena_raw(batch->arena, uint32_t, batch->row_count);
    if (met == NULL || rows == NULL) return rf_fail_memory(err, batch->arena);
    RF_TRY(eval_run(s->eval, batch, met, err));
    for (uint32_t row = 0; row < batch->row_count; row++) {
        bool pass = true;
        for (uint32_t i = 0; i < count && pass; i++)
            pass = !vec_null(&met[i], row) && vec_bool(&met[i], row);
        if (pass) rows[kept++] = row;
    }
    struct batch all = *batch;
    if (!batch_select(&all, rows, kept, batch)) return rf_fail_memory(err, all.arena);
    return RF_OK;
}

/* ---- scanning ------------------------------------------------------------------------------------------------------------------------- */

static enum rf_kind push_piece(struct graph_scan *s, struct piece *piece, struct rf_err *err)
{
    struct batch batch = {.row_count = piece->row_count,
                          .column_count = s->column_count,
                          .columns = piece->columns,
                          .arena = &piece->arena};
    if (batch.row_count == 0) return RF_OK;
    RF_TRY(meet_conditions(s, &batch, err));
    struct batch shown = batch;
    shown.column_count = s->scan->column_count;
    shown.columns = rf_arena_new(&piece->arena, struct vec, shown.column_count);
    if (shown.columns == NULL) return rf_fail_memory(err, &piece->arena);
    for (uint32_t i = 0; i < shown.column_count; i++)
        shown.columns[i] = batch.columns[s->place[s->scan->columns[i]]];
    s->left -= RF_MIN(s->left, (uint64_t)shown.row_count);
    return shown.row_count == 0 ? RF_OK : flow_push(s->exec, s->out, 0, &shown, err);
}

static enum rf_kind take_piece(struct graph_scan *s, struct part *part, bool made,
                               struct piece *piece, bool *more, struct rf_err *err)
{
    struct arm_call call = {.arm = s->graph->arm,
                            .arena = &piece->scratch,
                            .principal = s->graph->request->principal,
                            .request = s->graph->request,
                            .now = s->graph->request->now};
    RF_TRY(state_begin_read(s->graph->arm->options.state, &call.txn, err));
    enum rf_kind kind = made ? make_piece(s, part, &call, piece, err)
                             : read_piece(s, part, &call, piece, more, err);
    state_end(call.txn);
    return kind;
}

static bool is_enough(const struct graph_scan *s) { return s->left == 0 || flow_done(s->out); }

static enum rf_kind scan_part(struct graph_scan *s, struct part *part, struct piece *piece,
                              struct rf_err *err)
{
    bool more = part->scan.space != NULL, none = false;
    while (more && !is_enough(s)) {
        if (exec_cancelled(s->exec))
            return RF_FAIL(err, RF_CANCELLED, "QueryCancelled", "the query was cancelled");
        RF_TRY(take_piece(s, part, false, piece, &more, err));
        RF_TRY(push_piece(s, piece, err));
    }
    if (part->make == NULL || is_enough(s)) return RF_OK;
    rf_arena_reset(&piece->arena);
    RF_TRY(take_piece(s, part, true, piece, &none, err));
    return push_piece(s, piece, err);
}

static enum rf_kind scan_parts(struct graph_scan *s, struct rf_err *err)
{
    struct piece piece = {0};
    rf_arena_init_shared(&piece.arena, s->exec->budget);
    rf_arena_init(&piece.scratch, SCRATCH_BYTES_MAX);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < s->part_count && kind == RF_OK; i++)
        kind = scan_part(s, &s->parts[i], &piece, err);
    rf_arena_done(&piece.scratch);
    rf_arena_done(&piece.arena);
    return kind;
}

static enum rf_kind graph_scan(struct source *source, const struct scan *scan, struct exec *exec,
                               struct flow *out, struct rf_err *err)
{
    const struct graph_source *own = (const struct graph_source *)source;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init_shared(&arena, exec->budget);
    struct graph_scan *s = rf_arena_new(&arena, struct graph_scan, 1);
    if (s == NULL) return rf_fail_memory(err, &arena);
    *s = (struct graph_scan){.graph = own->graph,
                             .source = own,
                             .scan = scan,
                             .exec = exec,
                             .out = out,
                             .arena = &arena,
                             .left = scan->limit};
    enum rf_kind kind = find_columns(s, err);
    if (kind == RF_OK) kind = find_parts(s, err);
    if (kind == RF_OK) kind = scan_parts(s, err);
    eval_done(s->eval);
    return kind;
}

static const struct source_ops graph_ops = {.scan = graph_scan, .filters = true};

struct source *graph_source_new(struct graph *graph, const struct graph_table *table, rf_str name,
                                struct rf_arena *arena)
{
    struct graph_source *own = rf_arena_new(arena, struct graph_source, 1);
    struct ast_column *shape = rf_arena_new(arena, struct ast_column, COLUMN_COUNT);
    if (own == NULL || shape == NULL) return NULL;
    for (uint32_t i = 0; i < COLUMN_COUNT; i++)
        shape[i] = (struct ast_column){.name = rf_str_of(graph_columns[i].name),
                                       .type = (uint8_t)graph_columns[i].type};
    own->source = (struct source){
        .ops = &graph_ops, .name = name, .columns = shape, .column_count = COLUMN_COUNT};
    own->graph = graph;
    own->table = table;
    return &own->source;
}
