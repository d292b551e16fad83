/* rule_names.c - the fixed names that rules speak in. */
#include "siem/rule_int.h"

const char *const rule_kind_names[] = {"Scheduled", "NRT", NULL};
const char *const rule_operator_names[] = {"GreaterThan", "LessThan", "Equal", "NotEqual", NULL};
const char *const rule_match_names[] = {"AllEntities", "AnyAlert", "Selected", NULL};
const char *const rule_grouping_names[] = {"SingleAlert", "AlertPerResult", NULL};
const char *const rule_detail_names[] = {"DisplayName", "Severity", NULL};
const char *const rule_property_names[] = {
    "AlertLink",   "ConfidenceLevel", "ConfidenceScore",  "ExtendedLinks", "ProductComponentName",
    "ProductName", "ProviderName",    "RemediationSteps", "Techniques",    "SubTechniques",
    NULL};

static const char *const severities[] = {"High", "Medium", "Low", "Informational", NULL};
static const char *const tactics[] = {"Reconnaissance",
                                      "ResourceDevelopment",
                                      "InitialAccess",
                                      "Execution",
                                      "Persistence",
                                      "PrivilegeEscalation",
                                      "DefenseEvasion",
                                      "CredentialAccess",
                                      "Discovery",
                                      "LateralMovement",
                                      "Collection",
                                      "Exfiltration",
                                      "CommandAndControl",
                                      "Impact",
                                      "PreAttack",
                                      "ImpairProcessControl",
                                      "InhibitResponseFunction",
                                      NULL};

int rule_find_name(const char *const *names, rf_str text)
{
    for (int i = 0; names[i] != NULL; i++)
        if (rf_str_eq_nocase(text, rf_str_of(names[i]))) return i;
    return -1;
}

const char *rule_severity_name(rf_str text)
{
    int at = rule_find_name(severities, text);
    return at < 0 ? NULL : severities[at];
}

const char *rule_tactic_name(rf_str text)
{
    uint8_t bytes[32];
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == ' ' || text.ptr[i] == '-') continue;
        if (len == sizeof bytes) return NULL;
        bytes[len++] = text.ptr[i];
    }
    int at = rule_find_name(tactics, rf_str_make(bytes, len));
    return at < 0 ? NULL : tactics[at];
}

bool rule_is_technique(rf_str text, bool *is_sub)
{
    *is_sub = text.len == 9;
    if ((text.len != 5 && text.len != 9) || rf_upper(text.ptr[0]) != 'T') return false;
    for (size_t i = 1; i < text.len; i++)
        if (i == 5 ? text.ptr[i] != '.' : !rf_is_digit(text.ptr[i])) return false;
    return true;
}
