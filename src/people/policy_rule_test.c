#include "test/rf_prop.h"

#include "people/policy_int.h"

Test(device_rule, fits)
{
    static const char device[] =
        "{\"displayName\":\"LAPTOP-1\",\"isCompliant\":true,\"model\":null,\"trustType\":"
        "\"AzureAD\","
        "\"physicalIds\":[\"[OrderId]:7\",\"b\"],\"extensionAttribute1\":\"SAW\"}";
    static const struct {
        const char *rule;
        int known, unknown; /* of the device above, of none; -1: no rule */
    } rows[] = {
        {"device.displayName -eq \"laptop-1\"", 1, 0},
        {"device.displayName -ne \"laptop-1\"", 0, 1},
        {"DEVICE.DISPLAYNAME -EQ 'Laptop-1'", 1, 0},
        {"device.displayName -startsWith \"LAP\"", 1, 0},
        {"device.displayName -notStartsWith \"LAP\"", 0, 1},
        {"device.displayName -endsWith \"-1\"", 1, 0},
        {"device.displayName -contains \"top\"", 1, 0},
        {"device.displayName -notContains \"top\"", 0, 1},
        {"device.displayName -in [\"a\", 'LAPTOP-1']", 1, 0},
        {"device.displayName -notIn [\"a\", \"b\"]", 1, 1},
        {"device.isCompliant -eq True", 1, 0},
        {"device.isCompliant -ne true", 0, 1},
        {"device.isCompliant -eq false", 0, 0},
        {"device.model -eq null", 1, 1},
        {"device.trustType -ne $null", 1, 0},
        {"device.physicalIds -contains \"[OrderId]:7\"", 1, 0},
        {"device.physicalIds -eq \"b\"", 1, 0},
        {"device.extensionAttribute1 -eq \"saw\" -and device.model -eq null", 1, 0},
        {"device.model -eq \"x\" -or device.isCompliant -eq True", 1, 0},
        /* and binds stronger than or, not stronger than both. */
        {"device.model -eq 'x' and device.model -eq 'x' or device.isCompliant -eq True", 1, 0},
        {"device.model -eq 'x' -and (device.model -eq 'x' -or device.isCompliant -eq True)", 0, 0},
        {"not device.model -eq 'x' and device.isCompliant -eq True", 1, 0},
        {"-not (device.model -eq 'x' or device.isCompliant -eq True)", 0, 1},
        {"not not (device.isCompliant -eq True)", 1, 0},
        {"", -1, 0},
        {"device.displayName", -1, 0},
        {"device.displayName -eq", -1, 0},
        {"device.displayName -eq \"a", -1, 0},
        {"device.displayName -eq a", -1, 0},
        {"device.displayName -like \"a\"", -1, 0},
        {"device.displayName eq \"a\"", -1, 0},
        {"device.colour -eq \"a\"", -1, 0},
        {"user.displayName -eq \"a\"", -1, 0},
        {"device.extensionAttribute16 -eq \"a\"", -1, 0},
        {"device.extensionAttribute0 -eq \"a\"", -1, 0},
        {"device.extensionAttribute15 -eq \"a\"", 0, 0},
        {"device.model -in []", -1, 0},
        {"device.model -in [\"a\"", -1, 0},
        {"device.model -in \"a\"", -1, 0},
        {"(device.model -eq \"a\"", -1, 0},
        {"device.model -eq \"a\")", -1, 0},
        {"device.model -eq \"a\" device.model -eq \"a\"", -1, 0},
        {"device.model -eq \"a\" -and", -1, 0},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct json_node *known;
    cr_assert(json_parse(rf_str_of(device), &arena, &known, &err) == RF_OK);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        bool fits = false, without = false;
        enum rf_kind kind = device_rule_run(rf_str_of(rows[i].rule), known, &fits, &err);
        cr_assert((kind == RF_OK) == (rows[i].known >= 0), "%s", rows[i].rule);
        cr_assert(kind == RF_OK || kind == RF_INVALID);
        cr_assert(device_rule_run(rf_str_of(rows[i].rule), NULL, &without, &err) == kind);
        if (kind != RF_OK) {
            cr_assert(strstr(err.text, "character") != NULL, "names the place: %s", err.text);
            continue;
        }
        cr_assert(fits == rows[i].known, "%s", rows[i].rule);
        cr_assert(without == rows[i].unknown, "%s of no device", rows[i].rule);
    }
}

Test(device_rule, has_limits)
{
    char text[DEVICE_RULE_BYTES_MAX + 64];
    static const char leaf[] = "device.model -eq \"a\"";
    struct rf_err err;
    bool fits;
    for (size_t depth = DEVICE_RULE_DEPTH_MAX; depth <= DEVICE_RULE_DEPTH_MAX + 1; depth++) {
        memset(text, '(', depth);
        memcpy(text + depth, leaf, sizeof leaf - 1);
        memset(text + depth + sizeof leaf - 1, ')', depth);
        rf_str rule = rf_str_make(text, 2 * depth + sizeof leaf - 1);
        cr_assert((device_rule_run(rule, NULL, &fits, &err) == RF_OK) ==
                  (depth == DEVICE_RULE_DEPTH_MAX));
    }
    memset(text, ' ', sizeof text);
    memcpy(text, leaf, sizeof leaf - 1);
    cr_assert(device_rule_run(rf_str_make(text, DEVICE_RULE_BYTES_MAX), NULL, &fits, &err) ==
              RF_OK);
    cr_assert(device_rule_run(rf_str_make(text, DEVICE_RULE_BYTES_MAX + 1), NULL, &fits, &err) ==
              RF_INVALID);
}
