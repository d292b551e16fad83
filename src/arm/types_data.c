#include "arm/types_data.h"

static const char *const microsoft_aad[] = {"2017-01-01", "2022-12-01", NULL};
static const char *const microsoft_aadiam[] = {"2017-04-01", "2020-03-01", NULL};
static const char *const microsoft_advisor[] = {"2017-03-31", "2023-01-01", "2025-01-01", NULL};
static const char *const microsoft_alertsmanagement[] = {"2018-05-05", "2019-05-05-preview",
                                                         "2021-08-08", "2023-03-01", NULL};
static const char *const microsoft_apimanagement[] = {"2017-03-01", "2021-08-01",
                                                      "2023-05-01-preview", "2024-05-01", NULL};
static const char *const microsoft_app[] = {"2022-03-01", "2023-05-01", "2024-03-01", "2025-01-01",
                                            NULL};
static const char *const microsoft_appconfiguration[] = {"2019-10-01", "2022-05-01", "2024-05-01",
                                                         NULL};
static const char *const microsoft_attestation[] = {"2018-09-01-preview", "2020-10-01",
                                                    "2021-06-01", NULL};
static const char *const microsoft_authorization[] = {"2015-01-01", "2016-09-01", "2018-07-01",
                                                      "2020-05-01", "2022-04-01", "2023-04-01",
                                                      "2024-05-01", "2025-03-01", NULL};
static const char *const microsoft_automanage[] = {"2020-06-30-preview", "2022-05-04", NULL};
static const char *const microsoft_automation[] = {"2015-10-31", "2019-06-01", "2020-01-13-preview",
                                                   "2022-08-08", "2023-11-01", "2024-10-23",
                                                   NULL};
static const char *const microsoft_avs[] = {"2020-03-20", "2021-12-01", "2022-05-01",
                                            "2023-03-01", "2023-09-01", NULL};
static const char *const microsoft_azurearcdata[] = {"2021-08-01", "2023-01-15-preview",
                                                     "2024-01-01", NULL};
static const char *const microsoft_azurestackhci[] = {"2020-10-01", "2022-05-01", "2024-01-01",
                                                      "2024-04-01", NULL};
static const char *const microsoft_batch[] = {"2015-12-01", "2020-03-01", "2022-10-01",
                                              "2024-02-01", "2024-07-01", NULL};
static const char *const microsoft_billing[] = {"2018-11-01-preview", "2020-05-01", "2024-04-01",
                                                NULL};
static const char *const microsoft_botservice[] = {"2018-07-12", "2021-03-01", "2022-09-15", NULL};
static const char *const microsoft_cache[] = {"2018-03-01", "2021-06-01", "2023-08-01",
                                              "2024-11-01", NULL};
static const char *const microsoft_cdn[] = {"2017-10-12", "2020-09-01", "2023-05-01", "2024-09-01",
                                            NULL};
static const char *const microsoft_changeanalysis[] = {"2020-04-01-preview", "2021-04-01", NULL};
static const char *const microsoft_cognitiveservices[] = {"2017-04-18", "2021-04-30", "2023-05-01",
                                                          "2024-10-01", "2025-06-01", NULL};
static const char *const microsoft_compute[] = {
    "2015-06-15", "2016-04-30-preview", "2017-12-01", "2018-06-01", "2019-03-01",
    "2019-07-01", "2020-06-01",         "2020-12-01", "2021-03-01", "2021-07-01",
    "2022-03-01", "2022-08-01",         "2023-03-01", "2023-09-01", "2024-03-01",
    "2024-07-01", "2024-11-01",         "2025-04-01", NULL};
static const char *const microsoft_confluent[] = {"2020-03-01", "2021-12-01", "2024-02-13", NULL};
static const char *const microsoft_connectedvmwarevsphere[] = {
    "2020-10-01-preview", "2022-01-10-preview", "2023-10-01", NULL};
static const char *const microsoft_consumption[] = {"2018-03-31", "2019-10-01", "2023-11-01",
                                                    "2024-08-01", NULL};
static const char *const microsoft_containerinstance[] = {"2018-10-01", "2021-09-01", "2023-05-01",
                                                          NULL};
static const char *const microsoft_containerregistry[] = {"2017-10-01", "2019-05-01", "2021-09-01",
                                                          "2023-07-01", "2025-04-01", NULL};
static const char *const microsoft_containerservice[] = {
    "2017-07-01", "2019-08-01", "2020-09-01", "2021-07-01", "2022-09-01",
    "2023-08-01", "2024-02-01", "2024-09-01", "2025-05-01", NULL};
static const char *const microsoft_costmanagement[] = {"2019-11-01", "2021-10-01", "2023-03-01",
                                                       "2024-08-01", NULL};
static const char *const microsoft_customproviders[] = {"2018-09-01-preview", NULL};
static const char *const microsoft_dashboard[] = {"2021-09-01-preview", "2022-08-01", "2023-09-01",
                                                  "2024-10-01", NULL};
static const char *const microsoft_databox[] = {"2018-01-01", "2022-12-01", "2025-02-01", NULL};
static const char *const microsoft_databricks[] = {"2018-04-01", "2021-04-01-preview", "2023-02-01",
                                                   "2024-05-01", NULL};
static const char *const microsoft_datafactory[] = {"2017-09-01-preview", "2018-06-01", NULL};
static const char *const microsoft_datamigration[] = {"2018-04-19", "2021-06-30",
                                                      "2022-03-30-preview", NULL};
static const char *const microsoft_dataprotection[] = {"2021-01-01", "2022-05-01", "2023-11-01",
                                                       "2025-01-01", NULL};
static const char *const microsoft_dbformariadb[] = {"2018-06-01", "2020-01-01", NULL};
static const char *const microsoft_dbformysql[] = {"2017-12-01", "2021-05-01", "2023-06-30",
                                                   "2023-12-30", NULL};
static const char *const microsoft_dbforpostgresql[] = {
    "2017-12-01", "2021-06-01", "2022-12-01", "2023-03-01-preview", "2024-08-01", NULL};
static const char *const microsoft_desktopvirtualization[] = {"2019-12-10-preview", "2021-07-12",
                                                              "2022-09-09", "2024-04-03", NULL};
static const char *const microsoft_devcenter[] = {"2022-11-11-preview", "2023-04-01", "2024-02-01",
                                                  NULL};
static const char *const microsoft_devices[] = {"2016-02-03", "2018-04-01", "2021-07-02",
                                                "2023-06-30", NULL};
static const char *const microsoft_devtestlab[] = {"2016-05-15", "2018-09-15", NULL};
static const char *const microsoft_digitaltwins[] = {"2020-12-01", "2023-01-31", NULL};
static const char *const microsoft_documentdb[] = {
    "2015-04-08", "2016-03-31", "2019-08-01", "2020-04-01", "2021-04-15",
    "2021-10-15", "2022-05-15", "2022-11-15", "2023-04-15", "2023-11-15",
    "2024-05-15", "2024-11-15", "2025-04-15", NULL};
static const char *const microsoft_domainregistration[] = {"2018-02-01", "2022-03-01", "2023-12-01",
                                                           NULL};
static const char *const microsoft_elasticsan[] = {"2022-12-01-preview", "2023-01-01", "2024-05-01",
                                                   NULL};
static const char *const microsoft_eventgrid[] = {"2018-01-01",         "2020-06-01", "2022-06-15",
                                                  "2023-12-15-preview", "2025-02-15", NULL};
static const char *const microsoft_eventhub[] = {
    "2015-08-01",         "2017-04-01",         "2018-01-01-preview",
    "2021-01-01-preview", "2021-11-01",         "2022-10-01-preview",
    "2024-01-01",         "2025-05-01-preview", NULL};
static const char *const microsoft_extendedlocation[] = {"2021-08-15", "2021-08-31-preview", NULL};
static const char *const microsoft_fabric[] = {"2023-11-01", NULL};
static const char *const microsoft_features[] = {"2015-12-01", "2021-07-01", NULL};
static const char *const microsoft_guestconfiguration[] = {"2018-11-20", "2020-06-25", "2022-01-25",
                                                           "2024-04-05", NULL};
static const char *const microsoft_hdinsight[] = {"2018-06-01-preview", "2021-06-01",
                                                  "2023-08-15-preview", "2024-08-01-preview", NULL};
static const char *const microsoft_healthcareapis[] = {"2019-09-16", "2021-11-01", "2023-11-01",
                                                       "2024-03-31", NULL};
static const char *const microsoft_hybridcompute[] = {
    "2019-12-12",         "2020-08-02", "2021-05-20", "2022-03-10", "2022-12-27",
    "2023-06-20-preview", "2024-07-10", "2025-01-13", NULL};
static const char *const microsoft_hybridconnectivity[] = {"2021-10-06-preview", "2023-03-15",
                                                           "2024-12-01", NULL};
static const char *const microsoft_hybridcontainerservice[] = {"2022-09-01-preview", "2024-01-01",
                                                               NULL};
static const char *const microsoft_hybridnetwork[] = {"2021-05-01", "2023-09-01", NULL};
static const char *const microsoft_insights[] = {
    "2014-04-01",         "2015-04-01", "2015-05-01", "2016-03-01",         "2017-04-01",
    "2017-05-01-preview", "2018-03-01", "2018-04-16", "2018-06-17-preview", "2019-03-01",
    "2019-10-17-preview", "2020-02-02", "2020-10-01", "2020-11-20",         "2021-04-01",
    "2021-05-01-preview", "2021-08-01", "2021-09-01", "2022-06-01",         "2022-06-15",
    "2022-10-01",         "2023-01-01", "2023-03-11", "2023-06-01",         "2023-12-01",
    "2024-03-11",         NULL};
static const char *const microsoft_iotoperations[] = {"2024-07-01-preview", "2024-11-01",
                                                      "2025-04-01", NULL};
static const char *const microsoft_keyvault[] = {
    "2015-06-01",         "2016-10-01", "2018-02-14", "2019-09-01", "2020-04-01-preview",
    "2021-06-01-preview", "2021-10-01", "2022-07-01", "2023-02-01", "2023-07-01",
    "2024-11-01",         "2025-05-01", NULL};
static const char *const microsoft_kubernetes[] = {"2020-01-01-preview", "2021-10-01",
                                                   "2022-05-01-preview", "2024-01-01", NULL};
static const char *const microsoft_kubernetesconfiguration[] = {"2021-03-01", "2022-03-01",
                                                                "2023-05-01", "2024-11-01", NULL};
static const char *const microsoft_kusto[] = {
    "2018-09-07-preview", "2019-11-09", "2021-08-27", "2022-12-29",
    "2023-08-15",         "2024-04-13", NULL};
static const char *const microsoft_labservices[] = {"2021-10-01-preview", "2022-08-01",
                                                    "2023-06-07", NULL};
static const char *const microsoft_loadtestservice[] = {"2022-12-01", "2024-12-01-preview", NULL};
static const char *const microsoft_logic[] = {
    "2015-08-01-preview", "2016-06-01", "2016-10-01", "2017-07-01",
    "2018-07-01-preview", "2019-05-01", NULL};
static const char *const microsoft_machinelearningservices[] = {
    "2018-11-19", "2021-07-01", "2022-10-01", "2023-10-01", "2024-04-01", "2024-10-01", NULL};
static const char *const microsoft_maintenance[] = {
    "2018-06-01-preview", "2020-04-01", "2021-05-01", "2023-04-01", "2023-10-01-preview", NULL};
static const char *const microsoft_managedidentity[] = {
    "2015-08-31-preview", "2018-11-30", "2021-09-30-preview", "2023-01-31", "2024-11-30", NULL};
static const char *const microsoft_managedservices[] = {"2019-06-01", "2020-02-01-preview",
                                                        "2022-10-01", NULL};
static const char *const microsoft_management[] = {"2018-03-01-preview", "2020-02-01", "2020-05-01",
                                                   "2021-04-01",         "2023-04-01", NULL};
static const char *const microsoft_maps[] = {"2018-05-01", "2021-02-01", "2023-06-01",
                                             "2024-07-01-preview", NULL};
static const char *const microsoft_marketplace[] = {"2019-12-01", "2023-01-01", NULL};
static const char *const microsoft_marketplaceordering[] = {"2015-06-01", "2021-01-01", NULL};
static const char *const microsoft_media[] = {"2018-07-01", "2021-11-01", "2023-01-01", NULL};
static const char *const microsoft_migrate[] = {"2018-09-01-preview", "2019-10-01", "2020-05-01",
                                                "2023-06-06", NULL};
static const char *const microsoft_monitor[] = {"2021-06-03-preview", "2023-04-03",
                                                "2023-10-01-preview", NULL};
static const char *const microsoft_netapp[] = {"2019-11-01", "2021-06-01", "2022-09-01",
                                               "2023-11-01", "2024-09-01", NULL};
static const char *const microsoft_network[] = {
    "2014-12-01-preview", "2015-06-15", "2016-06-01", "2017-06-01", "2017-10-01", "2018-04-01",
    "2018-11-01",         "2019-02-01", "2019-09-01", "2019-11-01", "2020-04-01", "2020-06-01",
    "2020-11-01",         "2021-02-01", "2021-05-01", "2021-08-01", "2022-01-01", "2022-07-01",
    "2022-11-01",         "2023-02-01", "2023-04-01", "2023-06-01", "2023-09-01", "2023-11-01",
    "2024-01-01",         "2024-03-01", "2024-05-01", "2024-07-01", "2025-01-01", NULL};
static const char *const microsoft_networkcloud[] = {"2022-12-12-preview", "2023-07-01",
                                                     "2024-07-01", NULL};
static const char *const microsoft_notificationhubs[] = {"2017-04-01", "2023-09-01", NULL};
static const char *const microsoft_offazure[] = {"2018-05-01-preview", "2020-01-01", "2023-06-06",
                                                 NULL};
static const char *const microsoft_operationalinsights[] = {
    "2015-03-20", "2015-11-01-preview", "2017-03-15-preview",
    "2019-09-01", "2020-03-01-preview", "2020-08-01",
    "2020-10-01", "2021-06-01",         "2021-12-01-preview",
    "2022-10-01", "2023-09-01",         "2025-02-01",
    NULL};
static const char *const microsoft_operationsmanagement[] = {"2015-11-01-preview", NULL};
static const char *const microsoft_orbital[] = {"2022-03-01", "2022-11-01", NULL};
static const char *const microsoft_peering[] = {"2019-08-01-preview", "2022-10-01", NULL};
static const char *const microsoft_policyinsights[] = {
    "2018-04-04", "2018-07-01-preview", "2019-10-01", "2020-07-01",
    "2021-10-01", "2022-09-01",         "2024-10-01", NULL};
static const char *const microsoft_portal[] = {"2015-08-01-preview", "2019-01-01-preview",
                                               "2020-09-01-preview", "2022-12-01-preview", NULL};
static const char *const microsoft_powerbidedicated[] = {"2017-10-01", "2021-01-01", NULL};
static const char *const microsoft_purview[] = {"2020-12-01-preview", "2021-07-01", "2021-12-01",
                                                "2024-04-01-preview", NULL};
static const char *const microsoft_quantum[] = {"2019-11-04-preview", "2023-11-13-preview", NULL};
static const char *const microsoft_quota[] = {"2021-03-15-preview", "2023-02-01", "2025-03-01",
                                              NULL};
static const char *const microsoft_recoveryservices[] = {"2016-06-01", "2018-01-10", "2020-02-02",
                                                         "2021-08-01", "2022-10-01", "2023-04-01",
                                                         "2024-04-01", "2025-02-01", NULL};
static const char *const microsoft_redhatopenshift[] = {"2020-04-30", "2022-04-01", "2023-11-22",
                                                        "2024-08-12-preview", NULL};
static const char *const microsoft_relay[] = {"2017-04-01", "2021-11-01", "2024-01-01", NULL};
static const char *const microsoft_resourcegraph[] = {
    "2018-09-01-preview", "2020-04-01-preview", "2021-03-01", "2022-10-01", "2024-04-01", NULL};
static const char *const microsoft_resourcehealth[] = {
    "2017-07-01", "2018-07-01", "2020-05-01", "2022-10-01", "2024-02-01", "2025-05-01", NULL};
static const char *const microsoft_resources[] = {
    "2015-01-01", "2015-11-01", "2016-09-01", "2017-05-10", "2018-05-01",
    "2019-05-01", "2019-10-01", "2020-06-01", "2020-10-01", "2021-01-01",
    "2021-04-01", "2021-05-01", "2022-02-01", "2022-09-01", "2023-07-01",
    "2024-03-01", "2024-11-01", "2025-03-01", "2025-04-01", NULL};
static const char *const microsoft_saas[] = {"2018-03-01-beta", NULL};
static const char *const microsoft_scheduler[] = {"2014-08-01-preview", "2016-03-01", NULL};
static const char *const microsoft_scvmm[] = {"2020-06-05-preview", "2023-10-07", "2024-06-01",
                                              NULL};
static const char *const microsoft_search[] = {"2015-08-19", "2020-08-01", "2022-09-01",
                                               "2023-11-01", "2025-05-01", NULL};
static const char *const microsoft_security[] = {"2015-06-01-preview",
                                                 "2017-08-01",
                                                 "2017-08-01-preview",
                                                 "2018-06-01",
                                                 "2019-01-01",
                                                 "2019-01-01-preview",
                                                 "2019-08-01",
                                                 "2020-01-01",
                                                 "2020-01-01-preview",
                                                 "2020-07-01-preview",
                                                 "2021-06-01",
                                                 "2021-07-01",
                                                 "2021-11-01",
                                                 "2022-01-01",
                                                 "2022-03-01",
                                                 "2022-05-01",
                                                 "2022-12-01-preview",
                                                 "2023-01-01",
                                                 "2023-05-01",
                                                 "2023-10-01-preview",
                                                 "2024-01-01",
                                                 "2024-04-01",
                                                 NULL};
static const char *const microsoft_securityinsights[] = {
    "2019-01-01-preview", "2020-01-01", "2021-03-01-preview", "2021-04-01", "2021-10-01",
    "2021-10-01-preview", "2022-08-01", "2022-09-01-preview", "2022-11-01", "2023-02-01",
    "2023-04-01-preview", "2023-11-01", "2024-03-01",         "2024-09-01", "2024-10-01-preview",
    "2025-03-01",         "2025-06-01", "2025-09-01",         NULL};
static const char *const microsoft_servicebus[] = {
    "2015-08-01", "2017-04-01", "2018-01-01-preview", "2021-11-01", "2022-10-01-preview",
    "2024-01-01", NULL};
static const char *const microsoft_servicefabric[] = {"2016-09-01", "2018-02-01", "2021-06-01",
                                                      "2023-11-01-preview", NULL};
static const char *const microsoft_servicelinker[] = {"2022-05-01", "2024-04-01", NULL};
static const char *const microsoft_signalrservice[] = {"2018-10-01", "2021-10-01", "2022-02-01",
                                                       "2023-02-01", "2024-03-01", NULL};
static const char *const microsoft_solutions[] = {"2017-09-01", "2019-07-01", "2021-07-01", NULL};
static const char *const microsoft_sql[] = {"2014-04-01",         "2015-05-01-preview",
                                            "2017-03-01-preview", "2017-10-01-preview",
                                            "2018-06-01-preview", "2019-06-01-preview",
                                            "2020-08-01-preview", "2021-02-01-preview",
                                            "2021-11-01",         "2022-05-01-preview",
                                            "2023-05-01-preview", "2023-08-01",
                                            "2024-05-01-preview", NULL};
static const char *const microsoft_sqlvirtualmachine[] = {
    "2017-03-01-preview", "2021-11-01-preview", "2022-02-01", "2023-10-01", NULL};
static const char *const microsoft_storage[] = {
    "2015-06-15",         "2016-01-01", "2016-12-01", "2017-06-01", "2017-10-01",
    "2018-02-01",         "2018-07-01", "2018-11-01", "2019-04-01", "2019-06-01",
    "2020-08-01-preview", "2021-01-01", "2021-02-01", "2021-04-01", "2021-06-01",
    "2021-08-01",         "2021-09-01", "2022-05-01", "2022-09-01", "2023-01-01",
    "2023-04-01",         "2023-05-01", "2024-01-01", "2025-01-01", NULL};
static const char *const microsoft_storagecache[] = {"2019-11-01", "2021-09-01", "2023-05-01",
                                                     "2024-03-01", NULL};
static const char *const microsoft_storagemover[] = {"2022-07-01-preview", "2023-03-01",
                                                     "2024-07-01", NULL};
static const char *const microsoft_storagesync[] = {"2017-06-05-preview", "2019-02-01",
                                                    "2022-06-01", "2022-09-01", NULL};
static const char *const microsoft_streamanalytics[] = {"2016-03-01", "2020-03-01",
                                                        "2021-10-01-preview", NULL};
static const char *const microsoft_subscription[] = {"2019-03-01-preview", "2020-09-01",
                                                     "2021-10-01", NULL};
static const char *const microsoft_support[] = {"2019-05-01-preview", "2020-04-01", "2024-04-01",
                                                NULL};
static const char *const microsoft_synapse[] = {"2019-06-01-preview", "2020-12-01", "2021-06-01",
                                                NULL};
static const char *const microsoft_timeseriesinsights[] = {"2017-11-15", "2020-05-15", NULL};
static const char *const microsoft_videoindexer[] = {"2021-10-18-preview", "2022-08-01",
                                                     "2024-01-01", NULL};
static const char *const microsoft_virtualmachineimages[] = {"2020-02-14", "2021-10-01",
                                                             "2022-07-01", "2024-02-01", NULL};
static const char *const microsoft_vmwarecloudsimple[] = {"2019-04-01", NULL};
static const char *const microsoft_web[] = {
    "2014-11-01", "2015-08-01", "2016-06-01", "2016-08-01", "2018-02-01", "2018-11-01",
    "2019-08-01", "2020-06-01", "2020-12-01", "2021-02-01", "2022-03-01", "2022-09-01",
    "2023-01-01", "2023-12-01", "2024-04-01", "2024-11-01", NULL};
static const char *const microsoft_workloads[] = {"2021-12-01-preview", "2023-04-01",
                                                  "2024-02-01-preview", NULL};

const struct known_namespace arm_known_namespaces[] = {
    {"Microsoft.AAD", microsoft_aad, false},
    {"Microsoft.AADIAM", microsoft_aadiam, false},
    {"Microsoft.Advisor", microsoft_advisor, false},
    {"Microsoft.AlertsManagement", microsoft_alertsmanagement, false},
    {"Microsoft.ApiManagement", microsoft_apimanagement, false},
    {"Microsoft.App", microsoft_app, false},
    {"Microsoft.AppConfiguration", microsoft_appconfiguration, false},
    {"Microsoft.Attestation", microsoft_attestation, false},
    {"Microsoft.Authorization", microsoft_authorization, true},
    {"Microsoft.Automanage", microsoft_automanage, false},
    {"Microsoft.Automation", microsoft_automation, false},
    {"Microsoft.AVS", microsoft_avs, false},
    {"Microsoft.AzureArcData", microsoft_azurearcdata, false},
    {"Microsoft.AzureStackHCI", microsoft_azurestackhci, false},
    {"Microsoft.Batch", microsoft_batch, false},
    {"Microsoft.Billing", microsoft_billing, false},
    {"Microsoft.BotService", microsoft_botservice, false},
    {"Microsoft.Cache", microsoft_cache, false},
    {"Microsoft.Cdn", microsoft_cdn, false},
    {"Microsoft.ChangeAnalysis", microsoft_changeanalysis, false},
    {"Microsoft.CognitiveServices", microsoft_cognitiveservices, false},
    {"Microsoft.Compute", microsoft_compute, false},
    {"Microsoft.Confluent", microsoft_confluent, false},
    {"Microsoft.ConnectedVMwarevSphere", microsoft_connectedvmwarevsphere, false},
    {"Microsoft.Consumption", microsoft_consumption, false},
    {"Microsoft.ContainerInstance", microsoft_containerinstance, false},
    {"Microsoft.ContainerRegistry", microsoft_containerregistry, false},
    {"Microsoft.ContainerService", microsoft_containerservice, false},
    {"Microsoft.CostManagement", microsoft_costmanagement, false},
    {"Microsoft.CustomProviders", microsoft_customproviders, false},
    {"Microsoft.Dashboard", microsoft_dashboard, false},
    {"Microsoft.DataBox", microsoft_databox, false},
    {"Microsoft.Databricks", microsoft_databricks, false},
    {"Microsoft.DataFactory", microsoft_datafactory, false},
    {"Microsoft.DataMigration", microsoft_datamigration, false},
    {"Microsoft.DataProtection", microsoft_dataprotection, false},
    {"Microsoft.DBforMariaDB", microsoft_dbformariadb, false},
    {"Microsoft.DBforMySQL", microsoft_dbformysql, false},
    {"Microsoft.DBforPostgreSQL", microsoft_dbforpostgresql, false},
    {"Microsoft.DesktopVirtualization", microsoft_desktopvirtualization, false},
    {"Microsoft.DevCenter", microsoft_devcenter, false},
    {"Microsoft.Devices", microsoft_devices, false},
    {"Microsoft.DevTestLab", microsoft_devtestlab, false},
    {"Microsoft.DigitalTwins", microsoft_digitaltwins, false},
    {"Microsoft.DocumentDB", microsoft_documentdb, false},
    {"Microsoft.DomainRegistration", microsoft_domainregistration, false},
    {"Microsoft.ElasticSan", microsoft_elasticsan, false},
    {"Microsoft.EventGrid", microsoft_eventgrid, false},
    {"Microsoft.EventHub", microsoft_eventhub, true},
    {"Microsoft.ExtendedLocation", microsoft_extendedlocation, false},
    {"Microsoft.Fabric", microsoft_fabric, false},
    {"Microsoft.Features", microsoft_features, false},
    {"Microsoft.GuestConfiguration", microsoft_guestconfiguration, false},
    {"Microsoft.HDInsight", microsoft_hdinsight, false},
    {"Microsoft.HealthcareApis", microsoft_healthcareapis, false},
    {"Microsoft.HybridCompute", microsoft_hybridcompute, false},
    {"Microsoft.HybridConnectivity", microsoft_hybridconnectivity, false},
    {"Microsoft.HybridContainerService", microsoft_hybridcontainerservice, false},
    {"Microsoft.HybridNetwork", microsoft_hybridnetwork, false},
    {"Microsoft.Insights", microsoft_insights, false},
    {"Microsoft.IoTOperations", microsoft_iotoperations, false},
    {"Microsoft.KeyVault", microsoft_keyvault, true},
    {"Microsoft.Kubernetes", microsoft_kubernetes, false},
    {"Microsoft.KubernetesConfiguration", microsoft_kubernetesconfiguration, false},
    {"Microsoft.Kusto", microsoft_kusto, false},
    {"Microsoft.LabServices", microsoft_labservices, false},
    {"Microsoft.LoadTestService", microsoft_loadtestservice, false},
    {"Microsoft.Logic", microsoft_logic, true},
    {"Microsoft.MachineLearningServices", microsoft_machinelearningservices, false},
    {"Microsoft.Maintenance", microsoft_maintenance, false},
    {"Microsoft.ManagedIdentity", microsoft_managedidentity, true},
    {"Microsoft.ManagedServices", microsoft_managedservices, false},
    {"Microsoft.Management", microsoft_management, false},
    {"Microsoft.Maps", microsoft_maps, false},
    {"Microsoft.Marketplace", microsoft_marketplace, false},
    {"Microsoft.MarketplaceOrdering", microsoft_marketplaceordering, false},
    {"Microsoft.Media", microsoft_media, false},
    {"Microsoft.Migrate", microsoft_migrate, false},
    {"Microsoft.Monitor", microsoft_monitor, false},
    {"Microsoft.NetApp", microsoft_netapp, false},
    {"Microsoft.Network", microsoft_network, false},
    {"Microsoft.NetworkCloud", microsoft_networkcloud, false},
    {"Microsoft.NotificationHubs", microsoft_notificationhubs, false},
    {"Microsoft.OffAzure", microsoft_offazure, false},
    {"Microsoft.OperationalInsights", microsoft_operationalinsights, true},
    {"Microsoft.OperationsManagement", microsoft_operationsmanagement, false},
    {"Microsoft.Orbital", microsoft_orbital, false},
    {"Microsoft.Peering", microsoft_peering, false},
    {"Microsoft.PolicyInsights", microsoft_policyinsights, false},
    {"Microsoft.Portal", microsoft_portal, false},
    {"Microsoft.PowerBIDedicated", microsoft_powerbidedicated, false},
    {"Microsoft.Purview", microsoft_purview, false},
    {"Microsoft.Quantum", microsoft_quantum, false},
    {"Microsoft.Quota", microsoft_quota, false},
    {"Microsoft.RecoveryServices", microsoft_recoveryservices, false},
    {"Microsoft.RedHatOpenShift", microsoft_redhatopenshift, false},
    {"Microsoft.Relay", microsoft_relay, false},
    {"Microsoft.ResourceGraph", microsoft_resourcegraph, false},
    {"Microsoft.ResourceHealth", microsoft_resourcehealth, false},
    {"Microsoft.Resources", microsoft_resources, true},
    {"Microsoft.SaaS", microsoft_saas, false},
    {"Microsoft.Scheduler", microsoft_scheduler, false},
    {"Microsoft.ScVmm", microsoft_scvmm, false},
    {"Microsoft.Search", microsoft_search, false},
    {"Microsoft.Security", microsoft_security, false},
    {"Microsoft.SecurityInsights", microsoft_securityinsights, false},
    {"Microsoft.ServiceBus", microsoft_servicebus, false},
    {"Microsoft.ServiceFabric", microsoft_servicefabric, false},
    {"Microsoft.ServiceLinker", microsoft_servicelinker, false},
    {"Microsoft.SignalRService", microsoft_signalrservice, false},
    {"Microsoft.Solutions", microsoft_solutions, false},
    {"Microsoft.Sql", microsoft_sql, false},
    {"Microsoft.SqlVirtualMachine", microsoft_sqlvirtualmachine, false},
    {"Microsoft.Storage", microsoft_storage, true},
    {"Microsoft.StorageCache", microsoft_storagecache, false},
    {"Microsoft.StorageMover", microsoft_storagemover, false},
    {"Microsoft.StorageSync", microsoft_storagesync, false},
    {"Microsoft.StreamAnalytics", microsoft_streamanalytics, false},
    {"Microsoft.Subscription", microsoft_subscription, false},
    {"Microsoft.Support", microsoft_support, false},
    {"Microsoft.Synapse", microsoft_synapse, false},
    {"Microsoft.TimeSeriesInsights", microsoft_timeseriesinsights, false},
    {"Microsoft.VideoIndexer", microsoft_videoindexer, false},
    {"Microsoft.VirtualMachineImages", microsoft_virtualmachineimages, false},
    {"Microsoft.VMwareCloudSimple", microsoft_vmwarecloudsimple, false},
    {"Microsoft.Web", microsoft_web, false},
    {"Microsoft.Workloads", microsoft_workloads, false},
};
const uint32_t arm_known_namespace_count = RF_COUNT(arm_known_namespaces);

#define TRACKED(ns, type, dates)                                                                   \
    {                                                                                              \
        .name = ns "/" type, .versions = dates, .flags = ARM_TRACKED                               \
    }
/* Identities: tokens and role assignments know them by more than their document. */
#define STAYING(ns, type, dates)                                                                   \
    {                                                                                              \
        .name = ns "/" type, .versions = dates, .flags = ARM_TRACKED | ARM_STAYS                   \
    }
/* Clients of these accept only 201, whether it was there or not. */
#define ALWAYS_201(ns, type, dates)                                                                \
    {                                                                                              \
        .name = ns "/" type, .versions = dates,                                                    \
        .flags = ARM_EXTENSION | ARM_NO_STATE | ARM_PUT_201_ALWAYS                                 \
    }
#define PROXY(ns, type, dates)                                                                     \
    {                                                                                              \
        .name = ns "/" type, .versions = dates                                                     \
    }
#define EXTENSION(ns, type, dates)                                                                 \
    {                                                                                              \
        .name = ns "/" type, .versions = dates, .flags = ARM_EXTENSION                             \
    }

const struct arm_type arm_known_types[] = {
    TRACKED("Microsoft.AAD", "domainServices", microsoft_aad),
    PROXY("Microsoft.AADIAM", "diagnosticSettings", microsoft_aadiam),
    TRACKED("Microsoft.AADIAM", "privateLinkForAzureAd", microsoft_aadiam),
    EXTENSION("Microsoft.Advisor", "recommendations", microsoft_advisor),
    EXTENSION("Microsoft.Advisor", "suppressions", microsoft_advisor),
    PROXY("Microsoft.Advisor", "configurations", microsoft_advisor),
    PROXY("Microsoft.Advisor", "metadata", microsoft_advisor),
    EXTENSION("Microsoft.AlertsManagement", "alerts", microsoft_alertsmanagement),
    TRACKED("Microsoft.AlertsManagement", "actionRules", microsoft_alertsmanagement),
    TRACKED("Microsoft.AlertsManagement", "prometheusRuleGroups", microsoft_alertsmanagement),
    TRACKED("Microsoft.AlertsManagement", "smartDetectorAlertRules", microsoft_alertsmanagement),
    TRACKED("Microsoft.ApiManagement", "service", microsoft_apimanagement),
    TRACKED("Microsoft.App", "containerApps", microsoft_app),
    TRACKED("Microsoft.App", "managedEnvironments", microsoft_app),
    TRACKED("Microsoft.App", "jobs", microsoft_app),
    TRACKED("Microsoft.AppConfiguration", "configurationStores", microsoft_appconfiguration),
    TRACKED("Microsoft.Attestation", "attestationProviders", microsoft_attestation),
    ALWAYS_201("Microsoft.Authorization", "policyAssignments", microsoft_authorization),
    ALWAYS_201("Microsoft.Authorization", "policyDefinitions", microsoft_authorization),
    EXTENSION("Microsoft.Authorization", "policySetDefinitions", microsoft_authorization),
    EXTENSION("Microsoft.Authorization", "policyExemptions", microsoft_authorization),
    TRACKED("Microsoft.Automanage", "configurationProfiles", microsoft_automanage),
    EXTENSION("Microsoft.Automanage", "configurationProfileAssignments", microsoft_automanage),
    TRACKED("Microsoft.Automation", "automationAccounts", microsoft_automation),
    TRACKED("Microsoft.Automation", "automationAccounts/runbooks", microsoft_automation),
    TRACKED("Microsoft.AVS", "privateClouds", microsoft_avs),
    TRACKED("Microsoft.AzureArcData", "sqlServerInstances", microsoft_azurearcdata),
    TRACKED("Microsoft.AzureArcData", "dataControllers", microsoft_azurearcdata),
    TRACKED("Microsoft.AzureStackHCI", "clusters", microsoft_azurestackhci),
    EXTENSION("Microsoft.AzureStackHCI", "virtualMachineInstances", microsoft_azurestackhci),
    TRACKED("Microsoft.AzureStackHCI", "logicalNetworks", microsoft_azurestackhci),
    TRACKED("Microsoft.AzureStackHCI", "storageContainers", microsoft_azurestackhci),
    TRACKED("Microsoft.Batch", "batchAccounts", microsoft_batch),
    PROXY("Microsoft.Billing", "billingAccounts", microsoft_billing),
    TRACKED("Microsoft.BotService", "botServices", microsoft_botservice),
    TRACKED("Microsoft.Cache", "redis", microsoft_cache),
    TRACKED("Microsoft.Cache", "redisEnterprise", microsoft_cache),
    TRACKED("Microsoft.Cdn", "profiles", microsoft_cdn),
    TRACKED("Microsoft.Cdn", "profiles/endpoints", microsoft_cdn),
    TRACKED("Microsoft.Cdn", "cdnWebApplicationFirewallPolicies", microsoft_cdn),
    EXTENSION("Microsoft.ChangeAnalysis", "profile", microsoft_changeanalysis),
    TRACKED("Microsoft.CognitiveServices", "accounts", microsoft_cognitiveservices),
    TRACKED("Microsoft.CognitiveServices", "accounts/projects", microsoft_cognitiveservices),
    TRACKED("Microsoft.Compute", "virtualMachines", microsoft_compute),
    TRACKED("Microsoft.Compute", "virtualMachines/extensions", microsoft_compute),
    TRACKED("Microsoft.Compute", "virtualMachineScaleSets", microsoft_compute),
    TRACKED("Microsoft.Compute", "disks", microsoft_compute),
    TRACKED("Microsoft.Compute", "diskEncryptionSets", microsoft_compute),
    TRACKED("Microsoft.Compute", "diskAccesses", microsoft_compute),
    TRACKED("Microsoft.Compute", "snapshots", microsoft_compute),
    TRACKED("Microsoft.Compute", "images", microsoft_compute),
    TRACKED("Microsoft.Compute", "galleries", microsoft_compute),
    TRACKED("Microsoft.Compute", "galleries/images", microsoft_compute),
    TRACKED("Microsoft.Compute", "galleries/images/versions", microsoft_compute),
    TRACKED("Microsoft.Compute", "availabilitySets", microsoft_compute),
    TRACKED("Microsoft.Compute", "proximityPlacementGroups", microsoft_compute),
    TRACKED("Microsoft.Compute", "restorePointCollections", microsoft_compute),
    TRACKED("Microsoft.Compute", "sshPublicKeys", microsoft_compute),
    TRACKED("Microsoft.Compute", "capacityReservationGroups", microsoft_compute),
    TRACKED("Microsoft.Compute", "hostGroups", microsoft_compute),
    TRACKED("Microsoft.Compute", "hostGroups/hosts", microsoft_compute),
    TRACKED("Microsoft.Confluent", "organizations", microsoft_confluent),
    TRACKED("Microsoft.ConnectedVMwarevSphere", "vcenters", microsoft_connectedvmwarevsphere),
    EXTENSION("Microsoft.ConnectedVMwarevSphere", "virtualMachineInstances",
              microsoft_connectedvmwarevsphere),
    TRACKED("Microsoft.ConnectedVMwarevSphere", "hosts", microsoft_connectedvmwarevsphere),
    TRACKED("Microsoft.ConnectedVMwarevSphere", "clusters", microsoft_connectedvmwarevsphere),
    EXTENSION("Microsoft.Consumption", "budgets", microsoft_consumption),
    TRACKED("Microsoft.ContainerInstance", "containerGroups", microsoft_containerinstance),
    TRACKED("Microsoft.ContainerRegistry", "registries", microsoft_containerregistry),
    TRACKED("Microsoft.ContainerRegistry", "registries/replications", microsoft_containerregistry),
    TRACKED("Microsoft.ContainerRegistry", "registries/webhooks", microsoft_containerregistry),
    TRACKED("Microsoft.ContainerRegistry", "registries/tasks", microsoft_containerregistry),
    TRACKED("Microsoft.ContainerService", "managedClusters", microsoft_containerservice),
    TRACKED("Microsoft.ContainerService", "managedclustersnapshots", microsoft_containerservice),
    TRACKED("Microsoft.ContainerService", "snapshots", microsoft_containerservice),
    TRACKED("Microsoft.ContainerService", "fleets", microsoft_containerservice),
    EXTENSION("Microsoft.CostManagement", "exports", microsoft_costmanagement),
    EXTENSION("Microsoft.CostManagement", "views", microsoft_costmanagement),
    EXTENSION("Microsoft.CostManagement", "scheduledActions", microsoft_costmanagement),
    TRACKED("Microsoft.CustomProviders", "resourceProviders", microsoft_customproviders),
    EXTENSION("Microsoft.CustomProviders", "associations", microsoft_customproviders),
    TRACKED("Microsoft.Dashboard", "grafana", microsoft_dashboard),
    TRACKED("Microsoft.DataBox", "jobs", microsoft_databox),
    TRACKED("Microsoft.Databricks", "workspaces", microsoft_databricks),
    TRACKED("Microsoft.Databricks", "accessConnectors", microsoft_databricks),
    TRACKED("Microsoft.DataFactory", "factories", microsoft_datafactory),
    TRACKED("Microsoft.DataMigration", "services", microsoft_datamigration),
    TRACKED("Microsoft.DataMigration", "sqlMigrationServices", microsoft_datamigration),
    TRACKED("Microsoft.DataProtection", "backupVaults", microsoft_dataprotection),
    TRACKED("Microsoft.DataProtection", "resourceGuards", microsoft_dataprotection),
    TRACKED("Microsoft.DBforMariaDB", "servers", microsoft_dbformariadb),
    TRACKED("Microsoft.DBforMySQL", "servers", microsoft_dbformysql),
    TRACKED("Microsoft.DBforMySQL", "flexibleServers", microsoft_dbformysql),
    TRACKED("Microsoft.DBforPostgreSQL", "servers", microsoft_dbforpostgresql),
    TRACKED("Microsoft.DBforPostgreSQL", "flexibleServers", microsoft_dbforpostgresql),
    TRACKED("Microsoft.DBforPostgreSQL", "serverGroupsv2", microsoft_dbforpostgresql),
    TRACKED("Microsoft.DesktopVirtualization", "hostPools", microsoft_desktopvirtualization),
    TRACKED("Microsoft.DesktopVirtualization", "applicationGroups",
            microsoft_desktopvirtualization),
    TRACKED("Microsoft.DesktopVirtualization", "workspaces", microsoft_desktopvirtualization),
    TRACKED("Microsoft.DesktopVirtualization", "scalingPlans", microsoft_desktopvirtualization),
    TRACKED("Microsoft.DevCenter", "devcenters", microsoft_devcenter),
    TRACKED("Microsoft.DevCenter", "projects", microsoft_devcenter),
    TRACKED("Microsoft.DevCenter", "networkConnections", microsoft_devcenter),
    TRACKED("Microsoft.Devices", "IotHubs", microsoft_devices),
    TRACKED("Microsoft.Devices", "provisioningServices", microsoft_devices),
    TRACKED("Microsoft.DevTestLab", "labs", microsoft_devtestlab),
    TRACKED("Microsoft.DevTestLab", "schedules", microsoft_devtestlab),
    TRACKED("Microsoft.DigitalTwins", "digitalTwinsInstances", microsoft_digitaltwins),
    TRACKED("Microsoft.DocumentDB", "databaseAccounts", microsoft_documentdb),
    TRACKED("Microsoft.DocumentDB", "cassandraClusters", microsoft_documentdb),
    TRACKED("Microsoft.DocumentDB", "mongoClusters", microsoft_documentdb),
    TRACKED("Microsoft.DomainRegistration", "domains", microsoft_domainregistration),
    TRACKED("Microsoft.ElasticSan", "elasticSans", microsoft_elasticsan),
    TRACKED("Microsoft.EventGrid", "topics", microsoft_eventgrid),
    TRACKED("Microsoft.EventGrid", "domains", microsoft_eventgrid),
    TRACKED("Microsoft.EventGrid", "systemTopics", microsoft_eventgrid),
    TRACKED("Microsoft.EventGrid", "partnerTopics", microsoft_eventgrid),
    TRACKED("Microsoft.EventGrid", "namespaces", microsoft_eventgrid),
    EXTENSION("Microsoft.EventGrid", "eventSubscriptions", microsoft_eventgrid),
    TRACKED("Microsoft.EventHub", "namespaces", microsoft_eventhub),
    TRACKED("Microsoft.EventHub", "clusters", microsoft_eventhub),
    TRACKED("Microsoft.ExtendedLocation", "customLocations", microsoft_extendedlocation),
    TRACKED("Microsoft.Fabric", "capacities", microsoft_fabric),
    PROXY("Microsoft.Features", "features", microsoft_features),
    PROXY("Microsoft.Features", "providers", microsoft_features),
    PROXY("Microsoft.Features", "subscriptionFeatureRegistrations", microsoft_features),
    EXTENSION("Microsoft.GuestConfiguration", "guestConfigurationAssignments",
              microsoft_guestconfiguration),
    TRACKED("Microsoft.HDInsight", "clusters", microsoft_hdinsight),
    TRACKED("Microsoft.HealthcareApis", "services", microsoft_healthcareapis),
    TRACKED("Microsoft.HealthcareApis", "workspaces", microsoft_healthcareapis),
    TRACKED("Microsoft.HealthcareApis", "workspaces/fhirservices", microsoft_healthcareapis),
    TRACKED("Microsoft.HealthcareApis", "workspaces/dicomservices", microsoft_healthcareapis),
    STAYING("Microsoft.HybridCompute", "machines", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "machines/extensions", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "machines/runCommands", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "machines/licenseProfiles", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "licenses", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "privateLinkScopes", microsoft_hybridcompute),
    TRACKED("Microsoft.HybridCompute", "gateways", microsoft_hybridcompute),
    EXTENSION("Microsoft.HybridConnectivity", "endpoints", microsoft_hybridconnectivity),
    TRACKED("Microsoft.HybridConnectivity", "publicCloudConnectors", microsoft_hybridconnectivity),
    EXTENSION("Microsoft.HybridContainerService", "provisionedClusterInstances",
              microsoft_hybridcontainerservice),
    TRACKED("Microsoft.HybridNetwork", "devices", microsoft_hybridnetwork),
    TRACKED("Microsoft.HybridNetwork", "networkFunctions", microsoft_hybridnetwork),
    TRACKED("Microsoft.Insights", "actionGroups", microsoft_insights),
    TRACKED("Microsoft.Insights", "activityLogAlerts", microsoft_insights),
    TRACKED("Microsoft.Insights", "alertrules", microsoft_insights),
    TRACKED("Microsoft.Insights", "autoscalesettings", microsoft_insights),
    TRACKED("Microsoft.Insights", "components", microsoft_insights),
    TRACKED("Microsoft.Insights", "dataCollectionEndpoints", microsoft_insights),
    TRACKED("Microsoft.Insights", "dataCollectionRules", microsoft_insights),
    EXTENSION("Microsoft.Insights", "dataCollectionRuleAssociations", microsoft_insights),
    EXTENSION("Microsoft.Insights", "diagnosticSettings", microsoft_insights),
    PROXY("Microsoft.Insights", "logprofiles", microsoft_insights),
    TRACKED("Microsoft.Insights", "metricAlerts", microsoft_insights),
    TRACKED("Microsoft.Insights", "myWorkbooks", microsoft_insights),
    TRACKED("Microsoft.Insights", "privateLinkScopes", microsoft_insights),
    TRACKED("Microsoft.Insights", "scheduledQueryRules", microsoft_insights),
    TRACKED("Microsoft.Insights", "webtests", microsoft_insights),
    TRACKED("Microsoft.Insights", "workbooks", microsoft_insights),
    TRACKED("Microsoft.Insights", "workbooktemplates", microsoft_insights),
    TRACKED("Microsoft.IoTOperations", "instances", microsoft_iotoperations),
    TRACKED("Microsoft.KeyVault", "vaults", microsoft_keyvault),
    TRACKED("Microsoft.KeyVault", "managedHSMs", microsoft_keyvault),
    PROXY("Microsoft.KeyVault", "deletedVaults", microsoft_keyvault),
    PROXY("Microsoft.KeyVault", "deletedManagedHSMs", microsoft_keyvault),
    TRACKED("Microsoft.Kubernetes", "connectedClusters", microsoft_kubernetes),
    EXTENSION("Microsoft.KubernetesConfiguration", "extensions", microsoft_kubernetesconfiguration),
    EXTENSION("Microsoft.KubernetesConfiguration", "fluxConfigurations",
              microsoft_kubernetesconfiguration),
    EXTENSION("Microsoft.KubernetesConfiguration", "sourceControlConfigurations",
              microsoft_kubernetesconfiguration),
    TRACKED("Microsoft.Kusto", "clusters", microsoft_kusto),
    TRACKED("Microsoft.Kusto", "clusters/databases", microsoft_kusto),
    TRACKED("Microsoft.LabServices", "labs", microsoft_labservices),
    TRACKED("Microsoft.LabServices", "labPlans", microsoft_labservices),
    TRACKED("Microsoft.LoadTestService", "loadTests", microsoft_loadtestservice),
    TRACKED("Microsoft.Logic", "workflows", microsoft_logic),
    TRACKED("Microsoft.Logic", "integrationAccounts", microsoft_logic),
    TRACKED("Microsoft.Logic", "integrationServiceEnvironments", microsoft_logic),
    TRACKED("Microsoft.Logic", "integrationServiceEnvironments/managedApis", microsoft_logic),
    TRACKED("Microsoft.MachineLearningServices", "workspaces", microsoft_machinelearningservices),
    TRACKED("Microsoft.MachineLearningServices", "registries", microsoft_machinelearningservices),
    TRACKED("Microsoft.MachineLearningServices", "workspaces/onlineEndpoints",
            microsoft_machinelearningservices),
    TRACKED("Microsoft.MachineLearningServices", "workspaces/computes",
            microsoft_machinelearningservices),
    TRACKED("Microsoft.Maintenance", "maintenanceConfigurations", microsoft_maintenance),
    EXTENSION("Microsoft.Maintenance", "configurationAssignments", microsoft_maintenance),
    EXTENSION("Microsoft.Maintenance", "applyUpdates", microsoft_maintenance),
    STAYING("Microsoft.ManagedIdentity", "userAssignedIdentities", microsoft_managedidentity),
    EXTENSION("Microsoft.ManagedIdentity", "identities", microsoft_managedidentity),
    EXTENSION("Microsoft.ManagedServices", "registrationDefinitions", microsoft_managedservices),
    EXTENSION("Microsoft.ManagedServices", "registrationAssignments", microsoft_managedservices),
    PROXY("Microsoft.Management", "managementGroups", microsoft_management),
    PROXY("Microsoft.Management", "serviceGroups", microsoft_management),
    TRACKED("Microsoft.Maps", "accounts", microsoft_maps),
    PROXY("Microsoft.Marketplace", "privateStores", microsoft_marketplace),
    PROXY("Microsoft.MarketplaceOrdering", "agreements", microsoft_marketplaceordering),
    PROXY("Microsoft.MarketplaceOrdering", "offertypes", microsoft_marketplaceordering),
    TRACKED("Microsoft.Media", "mediaservices", microsoft_media),
    TRACKED("Microsoft.Migrate", "migrateProjects", microsoft_migrate),
    TRACKED("Microsoft.Migrate", "assessmentProjects", microsoft_migrate),
    TRACKED("Microsoft.Migrate", "moveCollections", microsoft_migrate),
    TRACKED("Microsoft.Monitor", "accounts", microsoft_monitor),
    TRACKED("Microsoft.Monitor", "pipelineGroups", microsoft_monitor),
    TRACKED("Microsoft.NetApp", "netAppAccounts", microsoft_netapp),
    TRACKED("Microsoft.NetApp", "netAppAccounts/capacityPools", microsoft_netapp),
    TRACKED("Microsoft.NetApp", "netAppAccounts/capacityPools/volumes", microsoft_netapp),
    TRACKED("Microsoft.Network", "virtualNetworks", microsoft_network),
    TRACKED("Microsoft.Network", "networkInterfaces", microsoft_network),
    TRACKED("Microsoft.Network", "networkSecurityGroups", microsoft_network),
    TRACKED("Microsoft.Network", "applicationSecurityGroups", microsoft_network),
    TRACKED("Microsoft.Network", "publicIPAddresses", microsoft_network),
    TRACKED("Microsoft.Network", "publicIPPrefixes", microsoft_network),
    TRACKED("Microsoft.Network", "customIpPrefixes", microsoft_network),
    TRACKED("Microsoft.Network", "loadBalancers", microsoft_network),
    TRACKED("Microsoft.Network", "applicationGateways", microsoft_network),
    TRACKED("Microsoft.Network", "ApplicationGatewayWebApplicationFirewallPolicies",
            microsoft_network),
    TRACKED("Microsoft.Network", "azureFirewalls", microsoft_network),
    TRACKED("Microsoft.Network", "firewallPolicies", microsoft_network),
    TRACKED("Microsoft.Network", "ipGroups", microsoft_network),
    TRACKED("Microsoft.Network", "bastionHosts", microsoft_network),
    TRACKED("Microsoft.Network", "connections", microsoft_network),
    TRACKED("Microsoft.Network", "localNetworkGateways", microsoft_network),
    TRACKED("Microsoft.Network", "virtualNetworkGateways", microsoft_network),
    TRACKED("Microsoft.Network", "virtualWans", microsoft_network),
    TRACKED("Microsoft.Network", "virtualHubs", microsoft_network),
    TRACKED("Microsoft.Network", "vpnGateways", microsoft_network),
    TRACKED("Microsoft.Network", "vpnSites", microsoft_network),
    TRACKED("Microsoft.Network", "p2sVpnGateways", microsoft_network),
    TRACKED("Microsoft.Network", "expressRouteCircuits", microsoft_network),
    TRACKED("Microsoft.Network", "expressRouteGateways", microsoft_network),
    TRACKED("Microsoft.Network", "expressRoutePorts", microsoft_network),
    TRACKED("Microsoft.Network", "natGateways", microsoft_network),
    TRACKED("Microsoft.Network", "routeTables", microsoft_network),
    TRACKED("Microsoft.Network", "routeFilters", microsoft_network),
    TRACKED("Microsoft.Network", "ddosProtectionPlans", microsoft_network),
    TRACKED("Microsoft.Network", "ddosCustomPolicies", microsoft_network),
    TRACKED("Microsoft.Network", "privateEndpoints", microsoft_network),
    TRACKED("Microsoft.Network", "privateLinkServices", microsoft_network),
    TRACKED("Microsoft.Network", "privateDnsZones", microsoft_network),
    TRACKED("Microsoft.Network", "privateDnsZones/virtualNetworkLinks", microsoft_network),
    TRACKED("Microsoft.Network", "dnsZones", microsoft_network),
    TRACKED("Microsoft.Network", "dnsResolvers", microsoft_network),
    TRACKED("Microsoft.Network", "dnsResolvers/inboundEndpoints", microsoft_network),
    TRACKED("Microsoft.Network", "dnsResolvers/outboundEndpoints", microsoft_network),
    TRACKED("Microsoft.Network", "dnsForwardingRulesets", microsoft_network),
    TRACKED("Microsoft.Network", "frontDoors", microsoft_network),
    TRACKED("Microsoft.Network", "frontdoorWebApplicationFirewallPolicies", microsoft_network),
    TRACKED("Microsoft.Network", "trafficManagerProfiles", microsoft_network),
    TRACKED("Microsoft.Network", "networkWatchers", microsoft_network),
    TRACKED("Microsoft.Network", "networkWatchers/flowLogs", microsoft_network),
    TRACKED("Microsoft.Network", "networkWatchers/connectionMonitors", microsoft_network),
    PROXY("Microsoft.Network", "networkWatchers/packetCaptures", microsoft_network),
    TRACKED("Microsoft.Network", "networkManagers", microsoft_network),
    TRACKED("Microsoft.Network", "networkVirtualAppliances", microsoft_network),
    TRACKED("Microsoft.Network", "networkProfiles", microsoft_network),
    TRACKED("Microsoft.Network", "networkSecurityPerimeters", microsoft_network),
    TRACKED("Microsoft.Network", "serviceEndpointPolicies", microsoft_network),
    TRACKED("Microsoft.Network", "securityPartnerProviders", microsoft_network),
    TRACKED("Microsoft.Network", "virtualRouters", microsoft_network),
    TRACKED("Microsoft.NetworkCloud", "clusters", microsoft_networkcloud),
    TRACKED("Microsoft.NetworkCloud", "virtualMachines", microsoft_networkcloud),
    TRACKED("Microsoft.NotificationHubs", "namespaces", microsoft_notificationhubs),
    TRACKED("Microsoft.NotificationHubs", "namespaces/notificationHubs",
            microsoft_notificationhubs),
    TRACKED("Microsoft.OffAzure", "VMwareSites", microsoft_offazure),
    TRACKED("Microsoft.OffAzure", "HyperVSites", microsoft_offazure),
    TRACKED("Microsoft.OffAzure", "ServerSites", microsoft_offazure),
    TRACKED("Microsoft.OperationalInsights", "workspaces", microsoft_operationalinsights),
    TRACKED("Microsoft.OperationalInsights", "clusters", microsoft_operationalinsights),
    TRACKED("Microsoft.OperationalInsights", "queryPacks", microsoft_operationalinsights),
    PROXY("Microsoft.OperationalInsights", "querypacks/queries", microsoft_operationalinsights),
    PROXY("Microsoft.OperationalInsights", "deletedWorkspaces", microsoft_operationalinsights),
    PROXY("Microsoft.OperationalInsights", "operations", microsoft_operationalinsights),
    PROXY("Microsoft.OperationalInsights", "locations", microsoft_operationalinsights),
    TRACKED("Microsoft.OperationsManagement", "solutions", microsoft_operationsmanagement),
    TRACKED("Microsoft.OperationsManagement", "managementConfigurations",
            microsoft_operationsmanagement),
    EXTENSION("Microsoft.OperationsManagement", "managementAssociations",
              microsoft_operationsmanagement),
    TRACKED("Microsoft.OperationsManagement", "views", microsoft_operationsmanagement),
    TRACKED("Microsoft.Orbital", "spacecrafts", microsoft_orbital),
    TRACKED("Microsoft.Orbital", "contactProfiles", microsoft_orbital),
    TRACKED("Microsoft.Peering", "peerings", microsoft_peering),
    TRACKED("Microsoft.Peering", "peeringServices", microsoft_peering),
    EXTENSION("Microsoft.PolicyInsights", "policyStates", microsoft_policyinsights),
    EXTENSION("Microsoft.PolicyInsights", "policyEvents", microsoft_policyinsights),
    EXTENSION("Microsoft.PolicyInsights", "remediations", microsoft_policyinsights),
    EXTENSION("Microsoft.PolicyInsights", "attestations", microsoft_policyinsights),
    PROXY("Microsoft.PolicyInsights", "policyMetadata", microsoft_policyinsights),
    EXTENSION("Microsoft.PolicyInsights", "policyTrackedResources", microsoft_policyinsights),
    TRACKED("Microsoft.Portal", "dashboards", microsoft_portal),
    PROXY("Microsoft.Portal", "consoles", microsoft_portal),
    PROXY("Microsoft.Portal", "tenantConfigurations", microsoft_portal),
    TRACKED("Microsoft.PowerBIDedicated", "capacities", microsoft_powerbidedicated),
    TRACKED("Microsoft.PowerBIDedicated", "autoScaleVCores", microsoft_powerbidedicated),
    TRACKED("Microsoft.Purview", "accounts", microsoft_purview),
    TRACKED("Microsoft.Quantum", "Workspaces", microsoft_quantum),
    EXTENSION("Microsoft.Quota", "quotas", microsoft_quota),
    EXTENSION("Microsoft.Quota", "quotaRequests", microsoft_quota),
    TRACKED("Microsoft.RecoveryServices", "vaults", microsoft_recoveryservices),
    EXTENSION("Microsoft.RecoveryServices", "replicationEligibilityResults",
              microsoft_recoveryservices),
    TRACKED("Microsoft.RedHatOpenShift", "openShiftClusters", microsoft_redhatopenshift),
    TRACKED("Microsoft.Relay", "namespaces", microsoft_relay),
    TRACKED("Microsoft.ResourceGraph", "queries", microsoft_resourcegraph),
    EXTENSION("Microsoft.ResourceHealth", "availabilityStatuses", microsoft_resourcehealth),
    PROXY("Microsoft.ResourceHealth", "events", microsoft_resourcehealth),
    TRACKED("Microsoft.Resources", "templateSpecs", microsoft_resources),
    TRACKED("Microsoft.Resources", "templateSpecs/versions", microsoft_resources),
    TRACKED("Microsoft.SaaS", "resources", microsoft_saas),
    TRACKED("Microsoft.Scheduler", "jobCollections", microsoft_scheduler),
    TRACKED("Microsoft.ScVmm", "vmmServers", microsoft_scvmm),
    EXTENSION("Microsoft.ScVmm", "virtualMachineInstances", microsoft_scvmm),
    TRACKED("Microsoft.ScVmm", "clouds", microsoft_scvmm),
    TRACKED("Microsoft.Search", "searchServices", microsoft_search),
    PROXY("Microsoft.Security", "pricings", microsoft_security),
    PROXY("Microsoft.Security", "autoProvisioningSettings", microsoft_security),
    PROXY("Microsoft.Security", "securityContacts", microsoft_security),
    PROXY("Microsoft.Security", "workspaceSettings", microsoft_security),
    PROXY("Microsoft.Security", "settings", microsoft_security),
    TRACKED("Microsoft.Security", "automations", microsoft_security),
    TRACKED("Microsoft.Security", "securityConnectors", microsoft_security),
    EXTENSION("Microsoft.Security", "assessments", microsoft_security),
    PROXY("Microsoft.Security", "assessmentMetadata", microsoft_security),
    TRACKED("Microsoft.Security", "iotSecuritySolutions", microsoft_security),
    PROXY("Microsoft.Security", "alerts", microsoft_security),
    PROXY("Microsoft.Security", "alertsSuppressionRules", microsoft_security),
    EXTENSION("Microsoft.Security", "advancedThreatProtectionSettings", microsoft_security),
    EXTENSION("Microsoft.Security", "defenderForStorageSettings", microsoft_security),
    TRACKED("Microsoft.Security", "customAssessmentAutomations", microsoft_security),
    TRACKED("Microsoft.Security", "customEntityStoreAssignments", microsoft_security),
    TRACKED("Microsoft.Security", "standards", microsoft_security),
    EXTENSION("Microsoft.Security", "standardAssignments", microsoft_security),
    EXTENSION("Microsoft.Security", "governanceRules", microsoft_security),
    EXTENSION("Microsoft.Security", "deviceSecurityGroups", microsoft_security),
    EXTENSION("Microsoft.Security", "informationProtectionPolicies", microsoft_security),
    EXTENSION("Microsoft.Security", "serverVulnerabilityAssessments", microsoft_security),
    EXTENSION("Microsoft.Security", "sqlVulnerabilityAssessments", microsoft_security),
    PROXY("Microsoft.Security", "locations", microsoft_security),
    EXTENSION("Microsoft.SecurityInsights", "alertRules", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "alertRuleTemplates", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "automationRules", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "bookmarks", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "contentPackages", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "contentProductPackages", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "contentProductTemplates", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "contentTemplates", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "dataConnectorDefinitions", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "dataConnectors", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "entityQueries", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "entityQueryTemplates", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "fileImports", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "hunts", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "incidents", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "metadata", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "onboardingStates", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "securityMLAnalyticsSettings",
              microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "settings", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "sourcecontrols", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "threatIntelligence", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "watchlists", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "workspaceManagerAssignments",
              microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "workspaceManagerConfigurations",
              microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "workspaceManagerGroups", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "workspaceManagerMembers", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "entities", microsoft_securityinsights),
    EXTENSION("Microsoft.SecurityInsights", "businessApplicationAgents",
              microsoft_securityinsights),
    TRACKED("Microsoft.ServiceBus", "namespaces", microsoft_servicebus),
    TRACKED("Microsoft.ServiceFabric", "clusters", microsoft_servicefabric),
    TRACKED("Microsoft.ServiceFabric", "managedClusters", microsoft_servicefabric),
    EXTENSION("Microsoft.ServiceLinker", "linkers", microsoft_servicelinker),
    TRACKED("Microsoft.SignalRService", "SignalR", microsoft_signalrservice),
    TRACKED("Microsoft.SignalRService", "WebPubSub", microsoft_signalrservice),
    TRACKED("Microsoft.Solutions", "applications", microsoft_solutions),
    TRACKED("Microsoft.Solutions", "applicationDefinitions", microsoft_solutions),
    TRACKED("Microsoft.Sql", "servers", microsoft_sql),
    TRACKED("Microsoft.Sql", "servers/databases", microsoft_sql),
    TRACKED("Microsoft.Sql", "servers/elasticPools", microsoft_sql),
    TRACKED("Microsoft.Sql", "servers/jobAgents", microsoft_sql),
    TRACKED("Microsoft.Sql", "managedInstances", microsoft_sql),
    TRACKED("Microsoft.Sql", "managedInstances/databases", microsoft_sql),
    TRACKED("Microsoft.Sql", "instancePools", microsoft_sql),
    TRACKED("Microsoft.Sql", "virtualClusters", microsoft_sql),
    TRACKED("Microsoft.SqlVirtualMachine", "sqlVirtualMachines", microsoft_sqlvirtualmachine),
    TRACKED("Microsoft.Storage", "storageAccounts", microsoft_storage),
    TRACKED("Microsoft.Storage", "storageTasks", microsoft_storage),
    PROXY("Microsoft.Storage", "deletedAccounts", microsoft_storage),
    PROXY("Microsoft.Storage", "skus", microsoft_storage),
    PROXY("Microsoft.Storage", "usages", microsoft_storage),
    PROXY("Microsoft.Storage", "locations", microsoft_storage),
    PROXY("Microsoft.Storage", "operations", microsoft_storage),
    TRACKED("Microsoft.StorageCache", "caches", microsoft_storagecache),
    TRACKED("Microsoft.StorageCache", "amlFilesystems", microsoft_storagecache),
    TRACKED("Microsoft.StorageMover", "storageMovers", microsoft_storagemover),
    TRACKED("Microsoft.StorageSync", "storageSyncServices", microsoft_storagesync),
    TRACKED("Microsoft.StreamAnalytics", "streamingjobs", microsoft_streamanalytics),
    TRACKED("Microsoft.StreamAnalytics", "clusters", microsoft_streamanalytics),
    PROXY("Microsoft.Subscription", "aliases", microsoft_subscription),
    PROXY("Microsoft.Subscription", "policies", microsoft_subscription),
    PROXY("Microsoft.Support", "supportTickets", microsoft_support),
    PROXY("Microsoft.Support", "services", microsoft_support),
    TRACKED("Microsoft.Synapse", "workspaces", microsoft_synapse),
    TRACKED("Microsoft.Synapse", "workspaces/sqlPools", microsoft_synapse),
    TRACKED("Microsoft.Synapse", "workspaces/bigDataPools", microsoft_synapse),
    TRACKED("Microsoft.Synapse", "privateLinkHubs", microsoft_synapse),
    TRACKED("Microsoft.TimeSeriesInsights", "environments", microsoft_timeseriesinsights),
    TRACKED("Microsoft.VideoIndexer", "accounts", microsoft_videoindexer),
    TRACKED("Microsoft.VirtualMachineImages", "imageTemplates", microsoft_virtualmachineimages),
    TRACKED("Microsoft.VMwareCloudSimple", "virtualMachines", microsoft_vmwarecloudsimple),
    TRACKED("Microsoft.VMwareCloudSimple", "dedicatedCloudNodes", microsoft_vmwarecloudsimple),
    TRACKED("Microsoft.Web", "sites", microsoft_web),
    TRACKED("Microsoft.Web", "sites/slots", microsoft_web),
    TRACKED("Microsoft.Web", "serverfarms", microsoft_web),
    TRACKED("Microsoft.Web", "connections", microsoft_web),
    TRACKED("Microsoft.Web", "connectionGateways", microsoft_web),
    TRACKED("Microsoft.Web", "customApis", microsoft_web),
    TRACKED("Microsoft.Web", "certificates", microsoft_web),
    TRACKED("Microsoft.Web", "staticSites", microsoft_web),
    TRACKED("Microsoft.Web", "hostingEnvironments", microsoft_web),
    TRACKED("Microsoft.Web", "kubeEnvironments", microsoft_web),
    PROXY("Microsoft.Web", "locations", microsoft_web),
    PROXY("Microsoft.Web", "publishingUsers", microsoft_web),
    PROXY("Microsoft.Web", "sourcecontrols", microsoft_web),
    TRACKED("Microsoft.Workloads", "sapVirtualInstances", microsoft_workloads),
    TRACKED("Microsoft.Workloads", "monitors", microsoft_workloads),
};
const uint32_t arm_known_type_count = RF_COUNT(arm_known_types);
