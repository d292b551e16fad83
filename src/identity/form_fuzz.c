#include "identity/identity_int.h"
#include "test/rf_fuzz.h"

/* What is taken has each name once, and every field can be found by it. */
RF_FUZZ(form, text)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1u << 22);
    struct form form;
    struct rf_err err;
    if (form_parse(text, &arena, &form, &err) != RF_OK) return;
    RF_ASSERT(form.count <= FORM_FIELDS_MAX);
    for (uint32_t i = 0; i < form.count; i++) {
        char *name = rf_arena_cstr(&arena, form.fields[i].name);
        bool found;
        if (name == NULL) return;
        rf_str value = form_get(&form, name, &found);
        RF_ASSERT(found);
        RF_ASSERT(rf_str_eq(value, form.fields[i].value));
    }
}
