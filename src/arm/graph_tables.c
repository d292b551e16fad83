/* graph_tables.c - which tables Resource Graph has. */
#include "arm/graph_int.h"

static const char assessed_standards[] =
    "microsoft.security/regulatorycompliancestandards/regulatorycompliancecontrols/"
    "regulatorycomplianceassessments";
static const char *const security[] = {
    "microsoft.security/alerts",
    "microsoft.security/assessments",
    "microsoft.security/assessments/governanceassignments",
    "microsoft.security/assessments/subassessments",
    "microsoft.security/governancerules",
    "microsoft.security/iotalerts",
    "microsoft.security/iotsecuritysolutions/iotalerts",
    "microsoft.security/locations/alerts",
    "microsoft.security/pricings",
    "microsoft.security/regulatorycompliancestandards",
    "microsoft.security/regulatorycompliancestandards/regulatorycompliancecontrols",
    assessed_standards,
    "microsoft.security/securescores",
    "microsoft.security/securescores/securescorecontrols",
    "microsoft.security/securescorecontrols",
    "microsoft.security/securitystatuses",
    "microsoft.security/softwareinventories",
    NULL};
static const char *const policy[] = {"microsoft.authorization/policyassignments",
                                     "microsoft.authorization/policydefinitions",
                                     "microsoft.authorization/policyexemptions",
                                     "microsoft.authorization/policysetdefinitions",
                                     "microsoft.policyinsights/attestations",
                                     "microsoft.policyinsights/policymetadata",
                                     "microsoft.policyinsights/policystates",
                                     "microsoft.policyinsights/remediations",
                                     NULL};
static const char *const alerts[] = {"microsoft.alertsmanagement/alerts", NULL};
static const char *const advisor[] = {"microsoft.advisor/configurations",
                                      "microsoft.advisor/recommendations",
                                      "microsoft.advisor/suppressions", NULL};
static const char *const health[] = {"microsoft.resourcehealth/availabilitystatuses",
                                     "microsoft.resourcehealth/resourceannotations", NULL};
static const char *const service_health[] = {
    "microsoft.resourcehealth/events", "microsoft.resourcehealth/events/impactedresources", NULL};
static const char *const changes[] = {"microsoft.resources/changes", NULL};
static const char *const kubernetes[] = {
    "microsoft.kubernetesconfiguration/extensions",
    "microsoft.kubernetesconfiguration/fluxconfigurations",
    "microsoft.kubernetesconfiguration/sourcecontrolconfigurations", NULL};
static const char *const patch_assessment[] = {
    "microsoft.compute/virtualmachines/patchassessmentresults",
    "microsoft.compute/virtualmachines/patchassessmentresults/softwarepatches",
    "microsoft.hybridcompute/machines/patchassessmentresults",
    "microsoft.hybridcompute/machines/patchassessmentresults/softwarepatches", NULL};
static const char *const patch_installation[] = {
    "microsoft.compute/virtualmachines/patchinstallationresults",
    "microsoft.compute/virtualmachines/patchinstallationresults/softwarepatches",
    "microsoft.hybridcompute/machines/patchinstallationresults",
    "microsoft.hybridcompute/machines/patchinstallationresults/softwarepatches", NULL};
static const char *const guest_configuration[] = {
    "microsoft.guestconfiguration/guestconfigurationassignments", NULL};
static const char *const maintenance[] = {"microsoft.maintenance/applyupdates",
                                          "microsoft.maintenance/configurationassignments",
                                          "microsoft.maintenance/updates", NULL};
static const char *const managed_services[] = {"microsoft.managedservices/registrationassignments",
                                               "microsoft.managedservices/registrationdefinitions",
                                               NULL};
static const char *const insights[] = {"microsoft.insights/datacollectionruleassociations",
                                       "microsoft.insights/diagnosticsettings", NULL};
static const char *const extended_location[] = {
    "microsoft.extendedlocation/customlocations/enabledresourcetypes", NULL};
static const char *const support[] = {"microsoft.support/supporttickets", NULL};
#define FEATURE_REGISTRATIONS "microsoft.features/featureproviders/subscriptionfeatureregistrations"
static const char *const features[] = {FEATURE_REGISTRATIONS,
                                       "microsoft.features/subscriptionfeatureregistrations", NULL};

static const struct graph_table tables[] = {
    {"Resources", NULL, GRAPH_RESOURCES},
    {"ResourceContainers", NULL, GRAPH_CONTAINERS},
    {"AuthorizationResources", NULL, GRAPH_ROLES},
    {"AdvisorResources", advisor, GRAPH_TYPES},
    {"AlertsManagementResources", alerts, GRAPH_TYPES},
    {"ExtendedLocationResources", extended_location, GRAPH_TYPES},
    {"FeatureResources", features, GRAPH_TYPES},
    {"GuestConfigurationResources", guest_configuration, GRAPH_TYPES},
    {"HealthResources", health, GRAPH_TYPES},
    {"InsightResources", insights, GRAPH_TYPES},
    {"KubernetesConfigurationResources", kubernetes, GRAPH_TYPES},
    {"MaintenanceResources", maintenance, GRAPH_TYPES},
    {"ManagedServicesResources", managed_services, GRAPH_TYPES},
    {"PatchAssessmentResources", patch_assessment, GRAPH_TYPES},
    {"PatchInstallationResources", patch_installation, GRAPH_TYPES},
    {"PolicyResources", policy, GRAPH_TYPES},
    {"ResourceChanges", changes, GRAPH_TYPES},
    {"ResourceContainerChanges", changes, GRAPH_TYPES},
    {"SecurityResources", security, GRAPH_TYPES},
    {"ServiceHealthResources", service_health, GRAPH_TYPES},
    {"SupportResources", support, GRAPH_TYPES},
};
enum { SPELLINGS_MAX = 32 };

static bool is_word(uint8_t c) { return rf_is_alnum(c) || c == '_'; }

static const struct graph_table *find_table(rf_str name)
{
    for (uint32_t i = 0; i < RF_COUNT(tables); i++)
        if (rf_str_eq_nocase(name, rf_str_of(tables[i].name))) return &tables[i];
    return NULL;
}

static bool has_name(const struct catalog *catalog, rf_str name)
{
    for (uint32_t i = 0; i < catalog->source_count; i++)
        if (rf_str_eq(catalog->sources[i]->name, name)) return true;
    return false;
}

/* A word more than are needed does no harm: it is a table only where the language looks for one. */
static bool add_spellings(struct graph *graph, rf_str query, struct rf_arena *arena,
                          struct catalog *catalog)
{
    uint32_t most = catalog->source_count + SPELLINGS_MAX;
    for (size_t at = 0; at < query.len;) {
        size_t from = at;
        while (at < query.len && is_word(query.ptr[at])) at++;
        rf_str word = rf_slice(query, from, at);
        if (at == from) at++;
        const struct graph_table *table = word.len == 0 ? NULL : find_table(word);
        if (table == NULL || has_name(catalog, word) || catalog->source_count == most) continue;
        struct source *source = graph_source_new(graph, table, word, arena);
        if (source == NULL) return false;
        catalog->sources[catalog->source_count++] = source;
    }
    return true;
}

enum rf_kind graph_catalog(struct graph *graph, rf_str query, struct rf_arena *arena,
                           struct catalog *out, struct rf_err *err)
{
    struct catalog catalog = {
        .sources = rf_arena_new(arena, struct source *, RF_COUNT(tables) + SPELLINGS_MAX)};
    if (catalog.sources == NULL) return rf_fail_memory(err, arena);
    for (uint32_t i = 0; i < RF_COUNT(tables); i++) {
        catalog.sources[i] = graph_source_new(graph, &tables[i], rf_str_of(tables[i].name), arena);
        if (catalog.sources[i] == NULL) return rf_fail_memory(err, arena);
    }
    catalog.source_count = RF_COUNT(tables);
    if (!add_spellings(graph, query, arena, &catalog)) return rf_fail_memory(err, arena);
    *out = catalog;
    return RF_OK;
}
