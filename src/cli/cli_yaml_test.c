#include "cli/cli_yaml.h"

#include <criterion/criterion.h>

#include "value/value.h"

static const char rule_text[] = "id: 70b12a3b-4896-42cb-910c-5ffaf8d7987d\n"
                                "name: Several failures, then a success\n"
                                "description: |\n"
                                "  'Two lines\n"
                                "  of text.'\n"
                                "severity: Medium\n"
                                "requiredDataConnectors:\n"
                                "  - connectorId: AzureActiveDirectory\n"
                                "    dataTypes: [SigninLogs]\n"
                                "queryFrequency: 1d\n"
                                "queryPeriod: P7D\n"
                                "triggerOperator: gt\n"
                                "triggerThreshold: 3\n"
                                "tactics:\n"
                                "  - CredentialAccess\n"
                                "  - InitialAccess\n"
                                "relevantTechniques:\n"
                                "  - T1110\n"
                                "query: |\n"
                                "  SigninLogs\n"
                                "  | where ResultType == \"50126\" // a # is no comment here\n"
                                "entityMappings:\n"
                                "  - entityType: Account\n"
                                "    fieldMappings:\n"
                                "      - identifier: FullName\n"
                                "        columnName: UserPrincipalName\n"
                                "      - identifier: AadUserId\n"
                                "        columnName: UserId\n"
                                "  - entityType: IP\n"
                                "    fieldMappings:\n"
                                "      - identifier: Address\n"
                                "        columnName: IPAddress\n"
                                "customDetails:\n"
                                "  Failures: FailureCount\n"
                                "version: 1.0.3\n"
                                "kind: Scheduled\n";

Test(cli_yaml, reads_a_rule)
{
    struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct cli_rule rule;
    struct rf_err err;
    cr_assert(cli_rule_parse(rf_str_of(rule_text), &arena, &rule, &err) == RF_OK, "%s", err.text);
    cr_expect(rf_str_is(rule.id, "70b12a3b-4896-42cb-910c-5ffaf8d7987d") &&
              rf_str_is(rule.severity, "Medium"));
    cr_expect(rf_str_is(rule.query,
                        "SigninLogs\n| where ResultType == \"50126\" // a # is no comment here\n"));
    cr_expect_eq(rule.query_line, 20);
    cr_expect(rule.frequency_ticks == TICKS_PER_DAY && rule.period_ticks == 7 * TICKS_PER_DAY);
    cr_expect(rule.trigger_operator == RULE_GT && rule.trigger_threshold == 3 && rule.enabled);
    cr_expect(rule.tactic_count == 2 && rf_str_is(rule.tactics[1], "InitialAccess") &&
              rule.technique_count == 1);
    cr_assert(rule.entity_count == 2 && rule.entities[0].field_count == 2);
    cr_expect(rf_str_is(rule.entities[0].fields[1].column, "UserId") &&
              rf_str_is(rule.entities[1].type, "IP"));
    cr_expect(rule.detail_count == 1 && rf_str_is(rule.details[0].name, "Failures"));
    rf_arena_done(&arena);
}

Test(cli_yaml, says_what_is_wrong)
{
    static const struct {
        const char *text, *code;
        uint32_t line;
    } cases[] = {{"query: [", "BadYaml", 2},
                 {"name: x\n", "NotARule", 0},
                 {"- a\n- b\n", "NotARule", 0},
                 {"", "NotARule", 0},
                 {"query: ' '\n", "NotARule", 0},
                 {"query: x\nqueryPeriod: often\n", "BadRule", 2},
                 {"query: x\ntriggerOperator: about\n", "BadRule", 2},
                 {"query: x\ntriggerThreshold: many\n", "BadRule", 2},
                 {"a: &x 1\nquery: *x\n", "BadYaml", 2},
                 {"? [a]\n: b\n", "BadYaml", 1},
                 {"a: \x01\n", "BadYaml", 0},
                 {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "YamlTooDeep", 1}};
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        struct rf_arena arena;
        rf_arena_init(&arena, 1 << 20);
        struct cli_rule rule;
        struct rf_err err = {0};
        cr_expect(cli_rule_parse(rf_str_of(cases[i].text), &arena, &rule, &err) != RF_OK, "%s",
                  cases[i].text);
        cr_expect_str_eq(err.code, cases[i].code, "%s: %s %s", cases[i].text, err.code, err.text);
        if (cases[i].line > 0)
            cr_expect_eq(err.line, cases[i].line, "%s: line %u", cases[i].text, err.line);
        rf_arena_done(&arena);
    }
}
