#include "test/rf_prop.h"
#include "vault/store_int.h"

struct shape_world {
    struct rf_arena arena;
    struct vault_call call;
    struct vault_version version;
    struct rf_err err;
};

static void begin(struct shape_world *w, const char *body)
{
    struct json_node *node;
    *w = (struct shape_world){
        .version = {.enabled = true, .not_before = SEAL_NO_TIME, .expires = SEAL_NO_TIME}};
    rf_arena_init(&w->arena, 1u << 20);
    cr_assert(json_parse(rf_str_of(body), &w->arena, &node, &w->err) == RF_OK, "%s", body);
    w->call = (struct vault_call){.arena = &w->arena,
                                  .body = node,
                                  .base = RF_S("https://v:1"),
                                  .api = VAULT_API_7_6,
                                  .place = {.retention_days = 90}};
}

static enum rf_kind read_body(struct shape_world *w, bool times)
{
    return vault_read_attributes(&w->call, times, &w->version, &w->err);
}

Test(vault_shape, leaves_what_is_absent)
{
    struct shape_world w;
    begin(&w, "{\"attributes\":{},\"tags\":null}");
    w.version.enabled = false;
    w.version.expires = 5;
    w.version.tags = json_new(&w.arena, JSON_T_OBJECT);
    cr_assert(read_body(&w, true) == RF_OK);
    cr_assert(!w.version.enabled && w.version.expires == 5 && w.version.tags != NULL);
    cr_assert(w.version.not_before == SEAL_NO_TIME);
    rf_arena_done(&w.arena);
}

Test(vault_shape, changes_nothing_when_something_is_wrong)
{
    struct shape_world w;
    begin(&w, "{\"attributes\":{\"enabled\":false,\"exp\":7,\"nbf\":8}}");
    cr_assert(read_body(&w, true) == RF_INVALID);
    cr_assert(w.version.enabled && w.version.expires == SEAL_NO_TIME);
    rf_arena_done(&w.arena);
}

/* What is new is compared with what stays. */
Test(vault_shape, compares_times_with_those_that_stay)
{
    struct shape_world w;
    begin(&w, "{\"attributes\":{\"exp\":7}}");
    w.version.not_before = 8;
    cr_assert(read_body(&w, true) == RF_INVALID);
    w.version.not_before = 7;
    cr_assert(read_body(&w, true) == RF_OK && w.version.expires == 7);
    rf_arena_done(&w.arena);
}

/* Some clients send back what they were shown. */
Test(vault_shape, takes_a_certificates_times_only_as_they_are)
{
    struct shape_world w;
    begin(&w, "{\"attributes\":{\"enabled\":false,\"nbf\":5,\"exp\":7}}");
    cr_assert(read_body(&w, false) == RF_INVALID);
    w.version.not_before = 5, w.version.expires = 7;
    cr_assert(read_body(&w, false) == RF_OK && !w.version.enabled);
    w.version.expires = 8;
    cr_assert(read_body(&w, false) == RF_INVALID);
    rf_arena_done(&w.arena);
}

Test(vault_shape, knows_the_bounds_of_times)
{
    static const struct {
        const char *body;
        bool good;
    } cases[] = {
        {"{\"attributes\":{\"exp\":0}}", true},
        {"{\"attributes\":{\"exp\":253402300799}}", true},
        {"{\"attributes\":{\"exp\":253402300800}}", false},
        {"{\"attributes\":{\"exp\":-1}}", false},
        {"{\"attributes\":{\"exp\":1e3}}", false},
        {"{\"attributes\":{\"exp\":99999999999999999999}}", false},
        {"{\"attributes\":{\"exp\":null}}", true},
        {"{\"attributes\":{\"exp\":true}}", false},
    };
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct shape_world w;
        begin(&w, cases[i].body);
        cr_assert((read_body(&w, true) == RF_OK) == cases[i].good, "%s", cases[i].body);
        rf_arena_done(&w.arena);
    }
}

Test(vault_shape, names_the_recovery_level)
{
    static const struct {
        int days, api;
        bool protection;
        const char *wanted;
    } cases[] = {
        {90, VAULT_API_7_6, false, "Recoverable+Purgeable"},
        {90, VAULT_API_7_6, true, "Recoverable"},
        {89, VAULT_API_7_6, false, "CustomizedRecoverable+Purgeable"},
        {7, VAULT_API_2025, true, "CustomizedRecoverable"},
        {7, VAULT_API_7_0, true, "Recoverable"},
        {7, VAULT_API_7_0, false, "Recoverable+Purgeable"},
    };
    struct vault_item item = {.kind = SEAL_SECRET};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct shape_world w;
        begin(&w, "{}");
        w.call.api = cases[i].api;
        w.call.place.retention_days = cases[i].days;
        w.call.place.purge_protection = cases[i].protection;
        struct json_node *out = json_new(&w.arena, JSON_T_OBJECT);
        struct json_node *attributes =
            vault_put_attributes(&w.call, out, &item, &w.version, i % 2 == 0);
        cr_assert(attributes == json_get(out, "attributes"));
        cr_assert(rf_str_is(json_text_at(attributes, "recoveryLevel"), cases[i].wanted), "%zu", i);
        int64_t days;
        cr_assert(json_i64_at(attributes, "recoverableDays", &days) ==
                  (cases[i].api != VAULT_API_7_0));
        cr_assert(json_get(out, "tags") == NULL && json_get(attributes, "nbf") == NULL);
        rf_arena_done(&w.arena);
    }
}

Test(vault_shape, leaves_the_level_out_of_lists_of_certificates)
{
    struct shape_world w;
    struct vault_item item = {.kind = SEAL_CERTIFICATE};
    begin(&w, "{}");
    struct json_node *list = json_new(&w.arena, JSON_T_OBJECT);
    struct json_node *one = json_new(&w.arena, JSON_T_OBJECT);
    cr_assert(vault_put_attributes(&w.call, list, &item, &w.version, true) != NULL);
    cr_assert(vault_put_attributes(&w.call, one, &item, &w.version, false) != NULL);
    cr_assert(json_at(list, "attributes.recoveryLevel") == NULL);
    cr_assert(json_at(list, "attributes.recoverableDays") == NULL);
    cr_assert(json_at(one, "attributes.recoveryLevel") != NULL);
    rf_arena_done(&w.arena);
}

Test(vault_shape, makes_ids)
{
    struct shape_world w;
    begin(&w, "{}");
    cr_assert(rf_str_is(vault_object_id(&w.call, "keys", RF_S("Foo"), (rf_str){0}),
                        "https://v:1/keys/Foo"));
    cr_assert(rf_str_is(vault_object_id(&w.call, "keys", RF_S("Foo"), RF_S("1")),
                        "https://v:1/keys/Foo/1"));
    struct json_node *out = json_new(&w.arena, JSON_T_OBJECT);
    struct vault_item item = {.kind = SEAL_KEY, .name = RF_S("Foo"), .deleted = 5, .purge_at = 9};
    vault_put_deleted(&w.call, out, &item);
    cr_assert(rf_str_is(json_to_text(&w.arena, out),
                        "{\"recoveryId\":\"https://v:1/deletedkeys/Foo\",\"deletedDate\":5,"
                        "\"scheduledPurgeDate\":9}"));
    rf_arena_done(&w.arena);
}

Test(vault_shape, tells_what_a_member_must_be)
{
    struct shape_world w;
    struct json_node *member;
    begin(&w, "{\"t\":\"x\",\"f\":false,\"n\":null,\"o\":{}}");
    cr_assert(vault_member(&w.call, w.call.body, "t", JSON_T_STRING, &member, &w.err) == RF_OK);
    cr_assert(member != NULL);
    cr_assert(vault_member(&w.call, w.call.body, "f", JSON_T_TRUE, &member, &w.err) == RF_OK);
    cr_assert(member != NULL && member->type == JSON_T_FALSE);
    cr_assert(vault_member(&w.call, w.call.body, "n", JSON_T_ARRAY, &member, &w.err) == RF_OK);
    cr_assert(member == NULL);
    cr_assert(vault_member(&w.call, NULL, "n", JSON_T_ARRAY, &member, &w.err) == RF_OK);
    cr_assert(vault_member(&w.call, w.call.body, "o", JSON_T_ARRAY, &member, &w.err) == RF_INVALID);
    cr_assert(strstr(w.err.text, "'o'") != NULL && strstr(w.err.text, "an array") != NULL);
    rf_arena_done(&w.arena);
}
