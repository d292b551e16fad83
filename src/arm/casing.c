/* casing.c - names of members as a type's contract spells them. Azure's services read a document without regard to the case
 * of its names, and published templates rely on it ("FunctionAlias", "Query"). */
#include "arm/arm_int.h"

struct spelling {
    rf_str name;    /* empty: not one of the list */
    bool own_names; /* what it holds is named by the user */
};

/* A type has some dozens of names: looking along the list is enough. */
static struct spelling spelling_of(const char *list, rf_str name)
{
    rf_str rest = rf_str_of(list);
    while (rest.len > 0) {
        size_t len = 0;
        while (len < rest.len && rest.ptr[len] != ' ') len++;
        bool is_map = len > 2 && rest.ptr[len - 1] == '}';
        rf_str known = rf_str_make(rest.ptr, is_map ? len - 2 : len);
        if (rf_str_eq_nocase(known, name))
            return (struct spelling){.name = known, .own_names = is_map};
        len = RF_MIN(len + 1, rest.len);
        rest = rf_str_make(rest.ptr + len, rest.len - len);
    }
    return (struct spelling){0};
}

/* Renames in place, or with `only_look` tells whether there is something to rename. */
static bool respell(struct json_node *object, struct json_node *member, rf_str spelling,
                    bool only_look)
{
    if (spelling.len == 0 || rf_str_eq(spelling, member->name) ||
        json_get_str(object, spelling) != NULL)
        return false;
    if (!only_look) member->name = spelling;
    return true;
}

/* The reader of JSON bounds the depth. */
static bool walk(struct json_node *node, const char *list, bool only_look)
{
    bool found = false;
    for (struct json_node *m = node->first; m != NULL; m = m->next) {
        struct spelling spelling = {0};
        if (node->type == JSON_T_OBJECT) spelling = spelling_of(list, m->name);
        found = respell(node, m, spelling.name, only_look) || found;
        if (!spelling.own_names && (m->type == JSON_T_OBJECT || m->type == JSON_T_ARRAY))
            found = walk(m, list, only_look) || found;
    }
    return found;
}

static bool walk_document(struct json_node *body, const char *list, bool only_look)
{
    static const char outer[] = "properties location tags kind sku identity etag plan managedBy";
    bool found = false;
    for (struct json_node *m = body->first; m != NULL; m = m->next) {
        rf_str spelling = spelling_of(outer, m->name).name;
        found = respell(body, m, spelling, only_look) || found;
        if (list != NULL && rf_str_is(spelling, "properties"))
            found = walk(m, list, only_look) || found;
    }
    return found;
}

enum rf_kind arm_casing_fix(const struct arm_type *type, struct json_node **body,
                            struct rf_arena *arena, struct rf_err *err)
{
    if (!json_is(*body, JSON_T_OBJECT) || !walk_document(*body, type->members, true)) return RF_OK;
    struct json_node *copy = json_clone(arena, *body);
    if (copy == NULL) return rf_fail_memory(err, arena);
    walk_document(copy, type->members, false);
    *body = copy;
    return RF_OK;
}
