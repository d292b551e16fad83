#include "authz/rows.h"

#include "authz/condition_int.h"

static const struct row_access rows_none = {.kind = ROWS_NONE}, rows_all = {.kind = ROWS_ALL};

const struct row_access *rows_join(struct rf_arena *arena, enum rows_kind kind,
                                   const struct row_access *a, const struct row_access *b)
{
    enum rows_kind zero = kind == ROWS_AND ? ROWS_NONE : ROWS_ALL;
    enum rows_kind one = kind == ROWS_AND ? ROWS_ALL : ROWS_NONE;
    if (a == NULL || b == NULL) return NULL;
    if (a->kind == zero || b->kind == one) return a;
    if (b->kind == zero || a->kind == one) return b;
    struct row_access *both = rf_arena_new(arena, struct row_access, 1);
    if (both != NULL) *both = (struct row_access){.kind = kind, .left = a, .right = b};
    return both;
}

const struct row_access *rows_fixed(bool all) { return all ? &rows_all : &rows_none; }

static const struct row_access *under_condition(const struct condition *condition,
                                                const struct condition_subject *subject,
                                                struct rf_arena *arena)
{
    return condition == NULL ? &rows_none : condition_rows(condition, subject, arena);
}

static const struct row_access *
role_rows(const struct role *role, const struct condition_subject *subject, struct rf_arena *arena)
{
    const struct row_access *sum = &rows_none;
    for (uint32_t i = 0; i < role->permission_count; i++) {
        const struct permission *permission = &role->permissions[i];
        if (!permission_grants(permission, subject->action, subject->is_data)) continue;
        const struct row_access *one = permission->condition_text.len == 0
                                           ? &rows_all
                                           : under_condition(permission->condition, subject, arena);
        sum = rows_join(arena, ROWS_OR, sum, one);
    }
    return sum;
}

const struct row_access *assignment_rows(const struct assignment *assignment,
                                         const struct condition_subject *subject,
                                         struct rf_arena *arena)
{
    const struct row_access *rows = role_rows(assignment->role, subject, arena);
    if (!assignment->has_condition || rows == NULL || rows->kind == ROWS_NONE) return rows;
    return rows_join(arena, ROWS_AND, rows, under_condition(assignment->condition, subject, arena));
}
