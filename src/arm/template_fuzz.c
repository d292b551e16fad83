#include "arm/template.h"
#include "test/rf_fuzz.h"

static const struct site site = {.tenant_id = RF_S("t"), .origin = RF_S("https://localhost")};

/* A whole template from its text: comments, parameters, loops, nested ones. */
RF_FUZZ(template, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16u << 20);
    struct template_run run = {.arena = &arena, .site = &site};
    struct template_input input = {.name = RF_S("fuzz")};
    struct template_env *env;
    struct template_plan *plan;
    struct json_node *document;
    struct rf_err err;
    rf_str strict;
    if (template_text_strict(text, &arena, &strict, &err) != RF_OK) return;
    if (json_parse(strict, &arena, &document, &err) != RF_OK) return;
    if (template_scope_of(&arena, RF_S("/subscriptions/s/resourceGroups/g"), &input.scope, &err) !=
        RF_OK)
        return;
    input.document = document;
    if (template_open(&run, &input, &env, &err) == RF_OK)
        (void)template_expand(&run, env, &plan, &err);
}
