#include "logs/access.h"

#define WORKSPACES "Microsoft.OperationalInsights/workspaces"
enum { TERMS_MAX = 4096 }; /* of one AND or OR: more than assignments to a principal come to */

/* ---- rights ------------------------------------------------------------------------------------------------------ */

const struct row_access *access_rows(struct logs *logs, const struct principal *principal,
                                     const struct workspace *workspace, rf_str table,
                                     struct rf_arena *arena)
{
    static const struct row_access none = {.kind = ROWS_NONE}, all = {.kind = ROWS_ALL};
    const struct row_access *rows;
    struct authz *authz = logs->options.authz;
    struct rf_err err;
    rf_str action = rf_arena_printf(arena, WORKSPACES "/query/%.*s/read", RF_FMT(table));
    rf_str scope = rf_arena_printf(arena, "%.*s/tables/%.*s", RF_FMT(workspace->id), RF_FMT(table));
    if (action.ptr == NULL || scope.ptr == NULL) return &none;
    if (authz_check(authz, principal, action, workspace->id, false)) return &all;
    if (authz_check(authz, principal, RF_S(ACCESS_TABLE), scope, false)) return &all;
    enum rf_kind kind = authz_rows(authz, principal, RF_S(ACCESS_ROWS), scope, arena, &rows, &err);
    return kind == RF_OK ? rows : &none;
}

/* ---- predicates -------------------------------------------------------------------------------------------------- */

/* Joined in pairs, so that a long list is a low tree. */
static enum rf_kind fold(struct binder *b, bool all, struct expr **terms, uint32_t count,
                         struct expr **out)
{
    while (count > 1) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i += 2) {
            struct expr *both[2] = {terms[i], terms[RF_MIN(i + 1, count - 1)]}, *joined = terms[i];
            if (i + 1 < count)
                RF_TRY(bind_call(b, 0, all ? RF_S("and") : RF_S("or"), both, 2, &joined));
            terms[kept++] = joined;
        }
        count = kept;
    }
    *out = terms[0];
    return RF_OK;
}

static enum rf_kind constant(struct binder *b, bool is, struct expr **out)
{
    struct value v = value_bool(is);
    *out = expr_const(b, &v, 0);
    return *out == NULL ? BIND_NOMEM(b) : RF_OK;
}

static const char *operator_of(const struct row_access *rows)
{
    static const char *const names[3][2][2] = {
        [ROWS_EQUAL] = {{"==", "!="}, {"=~", "!~"}},
        [ROWS_HAS_TERM] = {{"has_cs", "!has_cs"}, {"has", "!has"}},
        [ROWS_STARTS] = {{"startswith_cs", "!startswith_cs"}, {"startswith", "!startswith"}}};
    return names[rows->compare][rows->nocase][rows->negated];
}

static enum rf_kind bind_column_rows(struct binder *b, const struct schema *schema,
                                     const struct row_access *rows, struct expr **out)
{
    int at = schema_find(schema, rows->column);
    if (at < 0) return constant(b, false, out);
    struct expr *column = expr_column(b, &schema->columns[at], 0);
    if (column == NULL) return BIND_NOMEM(b);
    if (column->type != TYPE_STRING) RF_TRY(bind_cast(b, column, TYPE_STRING, &column));
    if (rows->kind == ROWS_FILLED)
        return bind_call(b, 0, rows->negated ? RF_S("isempty") : RF_S("isnotempty"), &column, 1,
                         out);
    struct expr **terms = rf_arena_new(b->arena, struct expr *, rows->value_count);
    if (terms == NULL) return BIND_NOMEM(b);
    for (uint32_t i = 0; i < rows->value_count; i++) {
        struct value v = value_str(rows->values[i]);
        struct expr *args[2] = {column, expr_const(b, &v, 0)};
        if (args[1] == NULL) return BIND_NOMEM(b);
        RF_TRY(bind_call(b, 0, rf_str_of(operator_of(rows)), args, 2, &terms[i]));
    }
    return fold(b, rows->all, terms, rows->value_count, out);
}

static enum rf_kind bind_rows(struct binder *b, const struct schema *schema,
                              const struct row_access *rows, uint32_t depth, struct expr **out);

/* Chains of one kind lean to the left and are followed by a loop; a condition's parentheses bound what is left. */
static enum rf_kind bind_joined(struct binder *b, const struct schema *schema,
                                const struct row_access *rows, uint32_t depth, struct expr **out)
{
    enum rows_kind kind = rows->kind;
    uint32_t count = 1, made = 0;
    for (const struct row_access *r = rows; r->kind == kind; r = r->left) count++;
    if (count > TERMS_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "ConditionTooLarge",
                       "the conditions of role assignments have more than %d terms", TERMS_MAX);
    struct expr **terms = rf_arena_new(b->arena, struct expr *, count);
    if (terms == NULL) return BIND_NOMEM(b);
    for (; rows->kind == kind; rows = rows->left)
        RF_TRY(bind_rows(b, schema, rows->right, depth + 1, &terms[made++]));
    RF_TRY(bind_rows(b, schema, rows, depth + 1, &terms[made++]));
    return fold(b, kind == ROWS_AND, terms, made, out);
}

static enum rf_kind bind_rows(struct binder *b, const struct schema *schema,
                              const struct row_access *rows, uint32_t depth, struct expr **out)
{
    enum { DEPTH_MAX = 256 };
    if (depth > DEPTH_MAX)
        return RF_FAIL(b->err, RF_LIMIT, "ConditionTooLarge",
                       "the conditions of role assignments are nested too deeply");
    switch (rows->kind) {
    case ROWS_NONE:
    case ROWS_ALL:
        return constant(b, rows->kind == ROWS_ALL, out);
    case ROWS_AND:
    case ROWS_OR:
        return bind_joined(b, schema, rows, depth, out);
    case ROWS_COMPARE:
    case ROWS_FILLED:
        return bind_column_rows(b, schema, rows, out);
    }
    return constant(b, false, out);
}

enum rf_kind access_predicate(struct binder *b, const struct schema *schema,
                              const struct row_access *rows, struct expr **out)
{
    return bind_rows(b, schema, rows, 0, out);
}
