#include "identity/identity_int.h"

/* The bytes of a form before decoding: anything else means that somebody sent another kind of body. */
static bool is_form_text(rf_str body)
{
    for (size_t i = 0; i < body.len; i++)
        if (body.ptr[i] <= ' ' || body.ptr[i] == 0x7f) return false;
    return true;
}

enum rf_kind form_parse(rf_str body, struct rf_arena *arena, struct form *out, struct rf_err *err)
{
    out->count = 0;
    if (!is_form_text(body))
        return RF_FAIL(err, RF_INVALID, "9002313",
                       "Invalid request. Request is malformed or invalid.");
    for (size_t at = 0; at < body.len;) {
        size_t end = rf_str_find(body, RF_S("&"), at);
        if (end == SIZE_MAX) end = body.len;
        rf_str pair = rf_slice(body, at, end);
        at = end + 1;
        if (pair.len == 0) continue;
        if (out->count == FORM_FIELDS_MAX)
            return RF_FAIL(err, RF_INVALID, "9002313", "Invalid request. More than %d parameters.",
                           FORM_FIELDS_MAX);
        size_t equals = rf_str_find(pair, RF_S("="), 0);
        struct form_field field = {0};
        rf_str raw_name = equals == SIZE_MAX ? pair : rf_slice(pair, 0, equals);
        rf_str raw_value = equals == SIZE_MAX ? RF_S("") : rf_slice(pair, equals + 1, pair.len);
        struct rf_err bad;
        if (percent_decode(arena, raw_name, true, &field.name, &bad) != RF_OK ||
            percent_decode(arena, raw_value, true, &field.value, &bad) != RF_OK)
            return RF_FAIL(err, RF_INVALID, "9002313",
                           "Invalid request. A parameter is not well encoded.");
        for (uint32_t i = 0; i < out->count; i++)
            if (rf_str_eq(out->fields[i].name, field.name))
                return RF_FAIL(err, RF_INVALID, "9002313",
                               "Invalid request. A parameter is given twice.");
        out->fields[out->count++] = field;
    }
    return RF_OK;
}

rf_str form_get(const struct form *form, const char *name, bool *found)
{
    for (uint32_t i = 0; i < form->count; i++) {
        if (!rf_str_is(form->fields[i].name, name)) continue;
        if (found != NULL) *found = true;
        return form->fields[i].value;
    }
    if (found != NULL) *found = false;
    return (rf_str){0};
}
