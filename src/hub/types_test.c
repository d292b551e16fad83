#include "hub/hub_world.h"

Test(hub_types, a_namespace_and_a_hub)
{
    struct hub_world w;
    h_init(&w);
    h_expect(&w, "GET", H_NS H_V, NULL, 200);
    h_expect_text(&w, "sku.name", "Standard");
    h_expect_text(&w, "properties.status", "Active");
    h_expect_text(&w, "properties.provisioningState", "Succeeded");
    h_expect_text(&w, "properties.serviceBusEndpoint", "https://localhost:8443/");
    h_expect(&w, "GET", H_HUB "?api-version=2021-11-01", NULL, 200);
    h_expect_text(&w, "name", "telemetry");
    h_expect_text(&w, "properties.status", "Active");
    int64_t count = 0;
    cr_assert(json_i64_at(w.answer, "properties.partitionCount", &count) && count == 4);
    cr_assert(json_at(w.answer, "properties.partitionIds")->count == 4);
    cr_assert(json_at(w.answer, "properties.storageId") == NULL);
    h_expect(&w, "PUT", H_NS "x" H_V, "{\"location\":\"local\",\"sku\":{\"name\":\"Huge\"}}", 400);
    h_expect(&w, "PUT", H_GROUP "/providers/Microsoft.EventHub/namespaces/a_b-cdef" H_V,
             "{\"location\":\"local\"}", 400);
    h_done(&w);
}

Test(hub_types, partitions_grow_and_never_shrink)
{
    struct hub_world w;
    struct hub *hub;
    struct hub_facts facts;
    h_init(&w);
    cr_assert(hub_find(w.space, RF_S("TELEMETRY"), &hub, &w.err) == RF_OK);
    h_expect(&w, "PUT", H_HUB H_V, "{\"properties\":{\"partitionCount\":6}}", 200);
    hub_facts(hub, &facts);
    cr_assert(facts.partition_count == 6, "known before the answer");
    h_expect(&w, "PUT", H_HUB H_V, "{\"properties\":{\"partitionCount\":5}}", 400);
    h_expect(&w, "PUT", H_HUB H_V, "{\"properties\":{\"partitionCount\":1025}}", 400);
    h_expect(&w, "PUT", H_HUB H_V, "{\"properties\":{\"messageRetentionInDays\":3}}", 200);
    hub_facts(hub, &facts);
    cr_assert(facts.partition_count == 6 &&
              facts.retention_usec == 3 * INT64_C(86400) * RF_USEC_PER_SECOND);
    h_expect(&w, "PUT", H_HUB H_V, "{\"properties\":{\"status\":\"SendDisabled\"}}", 200);
    hub_facts(hub, &facts);
    cr_assert(facts.status == HUB_SEND_DISABLED);
    h_expect(&w, "PUT", H_HUB H_V,
             "{\"properties\":{\"retentionDescription\":{\"cleanupPolicy\":\"Compact\"}}}", 200);
    hub_facts(hub, &facts);
    cr_assert(facts.compacts && facts.retention_usec == 0);
    h_expect(&w, "DELETE", H_HUB H_V, NULL, 200);
    hub_facts(hub, &facts);
    cr_assert(facts.status == HUB_DELETED);
    hub_unref(hub);
    cr_assert(hub_find(w.space, RF_S("telemetry"), &hub, &w.err) == RF_NOT_FOUND);
    h_done(&w);
}

Test(hub_types, consumer_groups)
{
    struct hub_world w;
    struct hub *hub;
    h_init(&w);
    cr_assert(hub_find(w.space, RF_S("telemetry"), &hub, &w.err) == RF_OK);
    h_expect(&w, "PUT", H_HUB "/consumergroups/Readers" H_V, "{\"properties\":{}}", 200);
    cr_assert(hub_has_group(hub, RF_S("readers")));
    h_expect(&w, "GET", H_HUB "/consumergroups/$Default" H_V, NULL, 200);
    h_expect(&w, "GET", H_HUB "/consumergroups" H_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 2);
    h_expect(&w, "DELETE", H_HUB "/consumergroups/Readers" H_V, NULL, 200);
    cr_assert(!hub_has_group(hub, RF_S("readers")));
    h_expect(&w, "DELETE", H_HUB "/consumergroups/$Default" H_V, NULL, 204);
    cr_assert(hub_has_group(hub, RF_S("$Default")));
    hub_unref(hub);
    h_done(&w);
}

Test(hub_types, keys_are_shown_by_list_keys_only_and_survive)
{
    struct hub_world w;
    rf_str primary, secondary;
    h_init(&w);
    h_expect(&w, "GET", H_NS "/authorizationRules/" H_ROOT H_V, NULL, 200);
    cr_assert(rf_str_find(rf_buf_view(&w.last.body), RF_S(H_KEY), 0) == SIZE_MAX);
    cr_assert(json_at(w.answer, "properties.rights")->count == 3);
    h_expect(&w, "GET", H_NS "/authorizationRules" H_V, NULL, 200);
    cr_assert(json_get(w.answer, "value")->count == 1);
    h_expect(&w, "POST", H_NS "/authorizationRules/" H_ROOT "/listKeys" H_V, NULL, 200);
    h_expect_text(&w, "primaryKey", H_KEY);
    h_expect_text(&w, "keyName", H_ROOT);
    h_expect_text(&w, "primaryConnectionString",
                  "Endpoint=sb://localhost/;SharedAccessKeyName=" H_ROOT ";SharedAccessKey=" H_KEY);
    secondary = json_text_at(w.answer, "secondaryKey");
    cr_assert(rf_str_is(walk_header(&w.last, "Cache-Control"), "no-store"));
    h_reopen(&w);
    rf_str second;
    cr_assert(hub_rule_keys(w.space, RF_S(""), RF_S(H_ROOT), &w.site.arena, &primary, &second,
                            &w.err) == RF_OK);
    cr_assert(rf_str_is(primary, H_KEY) && rf_str_eq(second, secondary));
    h_done(&w);
}

Test(hub_types, rules_are_checked)
{
    struct hub_world w;
    char path[300];
    h_init(&w);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/a" H_V, "{\"properties\":{\"rights\":[]}}", 400);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/a" H_V,
             "{\"properties\":{\"rights\":[\"Fly\"]}}", 400);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/a" H_V,
             "{\"properties\":{\"rights\":[\"Manage\"]}}", 400);
    for (int i = 0; i < HUB_RULES_MAX; i++) {
        (void)snprintf(path, sizeof path, "%s/authorizationRules/r%d%s", H_HUB, i, H_V);
        h_expect(&w, "PUT", path, "{\"properties\":{\"rights\":[\"Send\"]}}", 200);
    }
    h_expect(&w, "PUT", H_HUB "/authorizationRules/more" H_V,
             "{\"properties\":{\"rights\":[\"Send\"]}}", 403);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/r3" H_V,
             "{\"properties\":{\"rights\":[\"Listen\"]}}", 200);
    h_expect(&w, "POST", H_HUB "/authorizationRules/r3/listKeys" H_V, NULL, 200);
    rf_str key = json_text_at(w.answer, "primaryKey");
    h_expect(&w, "DELETE", H_HUB "/authorizationRules/r3" H_V, NULL, 200);
    h_expect(&w, "POST", H_HUB "/authorizationRules/r3/listKeys" H_V, NULL, 404);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/r3" H_V,
             "{\"properties\":{\"rights\":[\"Send\"]}}", 200);
    h_expect(&w, "POST", H_HUB "/authorizationRules/r3/listKeys" H_V, NULL, 200);
    cr_assert(!rf_str_eq(json_text_at(w.answer, "primaryKey"), key), "a new rule has new keys");
    h_expect(&w, "POST", H_HUB "/authorizationRules/r3/regenerateKeys" H_V,
             "{\"keyType\":\"Third\"}", 400);
    h_done(&w);
}

Test(hub_types, a_namespace_goes_with_all_that_it_holds)
{
    struct hub_world w;
    struct hub_namespace *space;
    h_init(&w);
    h_expect(&w, "PUT", H_HUB "/authorizationRules/r" H_V,
             "{\"properties\":{\"rights\":[\"Send\"]}}", 200);
    h_expect(&w, "PUT", H_SUB "/resourceGroups/other?api-version=2021-04-01",
             "{\"location\":\"local\"}", 201);
    h_expect(&w, "PUT",
             H_SUB "/resourceGroups/other/providers/Microsoft.EventHub/namespaces/RingFort" H_V,
             "{\"location\":\"local\"}", 409);
    h_expect(&w, "POST", H_SUB "/providers/Microsoft.EventHub/checkNameAvailability" H_V,
             "{\"name\":\"ringfort\"}", 200);
    cr_assert(!json_bool_at(w.answer, "nameAvailable", true));
    h_expect(&w, "DELETE", H_NS H_V, NULL, 200);
    cr_assert(hubs_namespace(w.hubs, RF_S("localhost"), &space, &w.err) == RF_NOT_FOUND);
    h_expect(&w, "POST", H_SUB "/providers/Microsoft.EventHub/checkNameAvailability" H_V,
             "{\"name\":\"ringfort\"}", 200);
    cr_assert(json_bool_at(w.answer, "nameAvailable", false));
    h_expect(&w, "PUT", H_NS H_V, "{\"location\":\"local\"}", 201);
    h_expect(&w, "POST", H_NS "/authorizationRules/" H_ROOT "/listKeys" H_V, NULL, 200);
    cr_assert(!rf_str_is(json_text_at(w.answer, "primaryKey"), H_KEY));
    h_expect(&w, "GET", H_HUB H_V, NULL, 404);
    h_done(&w);
}

Test(hub_types, what_the_admin_calls_of_kafka_do)
{
    struct hub_world w;
    struct hub *hub;
    struct hub_facts facts;
    h_init(&w);
    cr_assert(hub_create(w.space, RF_S("topic"), 3, NULL, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(hub_create(w.space, RF_S("Topic"), 3, NULL, &w.err) == RF_CONFLICT);
    cr_assert(hub_create(w.space, RF_S("to pic"), 3, NULL, &w.err) == RF_INVALID);
    cr_assert(hub_create(w.space, RF_S("topic2"), 0, NULL, &w.err) == RF_INVALID);
    cr_assert(hub_grow(w.space, RF_S("topic"), 3, NULL, &w.err) == RF_INVALID);
    cr_assert(hub_grow(w.space, RF_S("topic"), 5, NULL, &w.err) == RF_OK, "%s", w.err.text);
    cr_assert(hub_grow(w.space, RF_S("none"), 5, NULL, &w.err) == RF_NOT_FOUND);
    h_reopen(&w);
    cr_assert(hub_find(w.space, RF_S("topic"), &hub, &w.err) == RF_OK);
    hub_facts(hub, &facts);
    cr_assert(facts.partition_count == 5);
    hub_unref(hub);
    cr_assert(hub_delete(w.space, RF_S("topic"), NULL, &w.err) == RF_OK);
    cr_assert(hub_delete(w.space, RF_S("topic"), NULL, &w.err) == RF_NOT_FOUND);
    h_done(&w);
}
