#include "arm/template.h"
#include "test/rf_fuzz.h"

static const struct site site = {.tenant_id = RF_S("t"), .origin = RF_S("https://localhost")};

RF_FUZZ(template_expr, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 8u << 20);
    struct template_run run = {.arena = &arena, .site = &site, .in_default = true};
    struct json_node document = {.type = JSON_T_OBJECT};
    struct template_env env = {.document = &document};
    const struct template_frame frame = {.run = &run, .env = &env};
    struct template_expr *expr;
    struct json_node *value;
    struct rf_err err;
    if (!template_is_expr(text)) return;
    if (template_expr_parse(text, &arena, &expr, &err) != RF_OK) return;
    if (template_eval(&frame, expr, &value, &err) == RF_OK) (void)json_to_text(&arena, value);
}
