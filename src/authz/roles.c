#include "authz/authz_int.h"

/* Names, ids and actions are those of Azure's built-in roles; the descriptions are ours. */

#define MANAGE_BASICS                                                                              \
    "Microsoft.Authorization/*/read Microsoft.Insights/alertRules/* "                              \
    "Microsoft.Resources/deployments/* Microsoft.Resources/subscriptions/resourceGroups/read "     \
    "Microsoft.Support/*"
#define VAULT_BASICS                                                                               \
    MANAGE_BASICS " Microsoft.KeyVault/checkNameAvailability/read "                                \
                  "Microsoft.KeyVault/deletedVaults/read Microsoft.KeyVault/locations/*/read "     \
                  "Microsoft.KeyVault/vaults/*/read Microsoft.KeyVault/operations/read"
#define SENTINEL_BASICS                                                                            \
    "Microsoft.OperationalInsights/workspaces/analytics/query/action "                             \
    "Microsoft.OperationalInsights/workspaces/*/read "                                             \
    "Microsoft.OperationsManagement/solutions/read "                                               \
    "Microsoft.OperationalInsights/workspaces/query/read "                                         \
    "Microsoft.OperationalInsights/workspaces/query/*/read "                                       \
    "Microsoft.OperationalInsights/workspaces/dataSources/read "                                   \
    "Microsoft.OperationalInsights/querypacks/*/read "                                             \
    "Microsoft.Insights/myworkbooks/read " MANAGE_BASICS
#define SENTINEL_SECRETS                                                                           \
    "Microsoft.SecurityInsights/ConfidentialWatchlists/* "                                         \
    "Microsoft.OperationalInsights/workspaces/query/ConfidentialWatchlist/*"
#define VAULT_DATA_ROLES                                                                           \
    "{00482a5a-887f-4fb3-b363-3b7fe8e74483, a4417e6f-fecd-4de8-b567-7b0420556985, "                \
    "14b46e9e-c2b7-41b4-b07b-48a6ebf60603, e147488a-f6f5-4113-8e2d-b22465e65bf6, "                 \
    "12338af0-0e69-4776-bea7-57ae8d297424, 21090545-7ca7-4776-b22c-e363652d74d2, "                 \
    "b86a8fe4-44ce-4948-aee5-eccb2c155cd7, 4633458b-17de-408a-b874-0445c86b69e6}"

const struct role_data role_builtins[] = {
    {.id = ROLE_OWNER,
     .name = "Owner",
     .description = "May do everything, and decide who else may.",
     .actions = "*"},
    {.id = ROLE_CONTRIBUTOR,
     .name = "Contributor",
     .description = "May change every resource, but not who may do what.",
     .actions = "*",
     .not_actions = "Microsoft.Authorization/*/Delete Microsoft.Authorization/*/Write "
                    "Microsoft.Authorization/elevateAccess/Action "
                    "Microsoft.Blueprint/blueprintAssignments/write "
                    "Microsoft.Blueprint/blueprintAssignments/delete "
                    "Microsoft.Compute/galleries/share/action Microsoft.Purview/consents/write "
                    "Microsoft.Purview/consents/delete "
                    "Microsoft.Resources/deploymentStacks/manageDenySetting/action "
                    "Microsoft.Subscription/cancel/action Microsoft.Subscription/enable/action"},
    {.id = ROLE_READER,
     .name = "Reader",
     .description = "May look at every resource and change none.",
     .actions = "*/read"},
    {.id = "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
     .name = "User Access Administrator",
     .description = "May look at every resource and decide who may do what.",
     .actions = "*/read Microsoft.Authorization/* Microsoft.Support/*"},
    {.id = "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
     .name = "Role Based Access Control Administrator",
     .description = "May look at every resource and give or take roles.",
     .actions = "Microsoft.Authorization/roleAssignments/write "
                "Microsoft.Authorization/roleAssignments/delete */read Microsoft.Support/*"},
    {.id = "f526a384-b230-433a-b45c-95f59c4a2dec",
     .name = "Azure Event Hubs Data Owner",
     .description = "May do everything with event hubs and their events.",
     .actions = "Microsoft.EventHub/*",
     .data_actions = "Microsoft.EventHub/*"},
    {.id = "a638d3c7-ab3a-418d-83e6-5f17a39d4fde",
     .name = "Azure Event Hubs Data Receiver",
     .description = "May receive events.",
     .actions = "Microsoft.EventHub/*/eventhubs/consumergroups/read",
     .data_actions = "Microsoft.EventHub/*/receive/action"},
    {.id = "2b629674-e913-4c01-ae53-ef4638d8f975",
     .name = "Azure Event Hubs Data Sender",
     .description = "May send events.",
     .actions = "Microsoft.EventHub/*/eventhubs/read",
     .data_actions = "Microsoft.EventHub/*/send/action"},
    {.id = ROLE_METRICS_PUBLISHER,
     .name = "Monitoring Metrics Publisher",
     .description = "May send metrics and log records.",
     .actions = "Microsoft.Insights/Register/Action Microsoft.Support/* "
                "Microsoft.Resources/subscriptions/resourceGroups/read",
     .data_actions = "Microsoft.Insights/Metrics/Write Microsoft.Insights/Telemetry/Write"},
    {.id = "749f88d5-cbae-40b8-bcfc-e573ddc772fa",
     .name = "Monitoring Contributor",
     .description = "May read what is monitored and change how.",
     .actions = "*/read Microsoft.AlertsManagement/alerts/* "
                "Microsoft.AlertsManagement/alertsSummary/* Microsoft.Insights/actiongroups/* "
                "Microsoft.Insights/activityLogAlerts/* Microsoft.Insights/AlertRules/* "
                "Microsoft.Insights/components/* Microsoft.Insights/createNotifications/* "
                "Microsoft.Insights/dataCollectionEndpoints/* "
                "Microsoft.Insights/dataCollectionRules/* "
                "Microsoft.Insights/dataCollectionRuleAssociations/* "
                "Microsoft.Insights/DiagnosticSettings/* Microsoft.Insights/eventtypes/* "
                "Microsoft.Insights/LogDefinitions/* Microsoft.Insights/metricalerts/* "
                "Microsoft.Insights/MetricDefinitions/* Microsoft.Insights/Metrics/* "
                "Microsoft.Insights/notificationStatus/* Microsoft.Insights/Register/Action "
                "Microsoft.Insights/scheduledqueryrules/* Microsoft.Insights/webtests/* "
                "Microsoft.Insights/workbooks/* Microsoft.Insights/workbooktemplates/* "
                "Microsoft.Insights/privateLinkScopes/* "
                "Microsoft.Insights/privateLinkScopeOperationStatuses/* "
                "Microsoft.OperationalInsights/workspaces/write "
                "Microsoft.OperationalInsights/workspaces/intelligencepacks/* "
                "Microsoft.OperationalInsights/workspaces/savedSearches/* "
                "Microsoft.OperationalInsights/workspaces/search/action "
                "Microsoft.OperationalInsights/workspaces/sharedKeys/action "
                "Microsoft.OperationalInsights/workspaces/storageinsightconfigs/* "
                "Microsoft.Support/* Microsoft.AlertsManagement/smartDetectorAlertRules/* "
                "Microsoft.AlertsManagement/actionRules/* "
                "Microsoft.AlertsManagement/smartGroups/* "
                "Microsoft.AlertsManagement/migrateFromSmartDetection/* "
                "Microsoft.AlertsManagement/investigations/* Microsoft.Monitor/investigations/*"},
    {.id = "43d0d8ad-25c7-4714-9337-8ba259a9fe05",
     .name = "Monitoring Reader",
     .description = "May read what is monitored.",
     .actions =
         "*/read Microsoft.OperationalInsights/workspaces/search/action Microsoft.Support/*"},
    {.id = ROLE_LOG_ANALYTICS_CONTRIBUTOR,
     .name = "Log Analytics Contributor",
     .description = "May read what is monitored, and manage workspaces, solutions and agents.",
     .actions = "*/read Microsoft.ClassicCompute/virtualMachines/extensions/* "
                "Microsoft.ClassicStorage/storageAccounts/listKeys/action "
                "Microsoft.Compute/virtualMachines/extensions/* "
                "Microsoft.HybridCompute/machines/extensions/write "
                "Microsoft.Insights/alertRules/* Microsoft.Insights/diagnosticSettings/* "
                "Microsoft.OperationalInsights/* Microsoft.OperationsManagement/* "
                "Microsoft.Resources/deployments/* "
                "Microsoft.Resources/subscriptions/resourcegroups/deployments/* "
                "Microsoft.Storage/storageAccounts/listKeys/action Microsoft.Support/*"},
    {.id = ROLE_LOG_ANALYTICS_READER,
     .name = "Log Analytics Reader",
     .description = "May read and search what is monitored, and see how it is.",
     .actions = "*/read Microsoft.OperationalInsights/workspaces/analytics/query/action "
                "Microsoft.OperationalInsights/workspaces/search/action Microsoft.Support/*",
     .not_actions = "Microsoft.OperationalInsights/workspaces/sharedKeys/read"},
    {.id = "3b03c2da-16b3-4a49-8834-0f8130efdd3b",
     .name = "Log Analytics Data Reader",
     .description = "May query the tables of workspaces.",
     .actions = "Microsoft.OperationalInsights/workspaces/read "
                "Microsoft.OperationalInsights/workspaces/query/read",
     .data_actions = "Microsoft.OperationalInsights/workspaces/tables/data/read"},
    {.id = "8d289c81-5878-46d4-8554-54e1e3d8b5cb",
     .name = "Microsoft Sentinel Reader",
     .description = "May see incidents, rules, workbooks and the data behind them.",
     .actions = "Microsoft.SecurityInsights/*/read "
                "Microsoft.SecurityInsights/dataConnectorsCheckRequirements/action "
                "Microsoft.SecurityInsights/threatIntelligence/indicators/query/action "
                "Microsoft.SecurityInsights/threatIntelligence/queryIndicators/action "
                "Microsoft.OperationalInsights/workspaces/LinkedServices/read "
                "Microsoft.OperationalInsights/workspaces/savedSearches/read "
                "Microsoft.Insights/workbooks/read "
                "Microsoft.Resources/templateSpecs/*/read " SENTINEL_BASICS,
     .not_actions = SENTINEL_SECRETS},
    {.id = "3e150937-b8fe-4cfb-8069-0eaf05ecd056",
     .name = "Microsoft Sentinel Responder",
     .description = "May see what a Sentinel Reader sees, and handle incidents.",
     .actions = "Microsoft.SecurityInsights/*/read "
                "Microsoft.SecurityInsights/dataConnectorsCheckRequirements/action "
                "Microsoft.SecurityInsights/automationRules/* Microsoft.SecurityInsights/cases/* "
                "Microsoft.SecurityInsights/incidents/* "
                "Microsoft.SecurityInsights/entities/runPlaybook/action "
                "Microsoft.SecurityInsights/threatIntelligence/indicators/appendTags/action "
                "Microsoft.SecurityInsights/threatIntelligence/indicators/query/action "
                "Microsoft.SecurityInsights/threatIntelligence/bulkTag/action "
                "Microsoft.SecurityInsights/threatIntelligence/indicators/replaceTags/action "
                "Microsoft.SecurityInsights/threatIntelligence/queryIndicators/action "
                "Microsoft.SecurityInsights/businessApplicationAgents/systems/undoAction/action "
                "Microsoft.OperationalInsights/workspaces/savedSearches/read "
                "Microsoft.Insights/workbooks/read " SENTINEL_BASICS,
     .not_actions = "Microsoft.SecurityInsights/cases/*/Delete "
                    "Microsoft.SecurityInsights/incidents/*/Delete " SENTINEL_SECRETS},
    {.id = "ab8e14d6-4a74-4a29-9ba8-549422addade",
     .name = "Microsoft Sentinel Contributor",
     .description = "May handle incidents, and change rules, workbooks and connectors.",
     .actions = "Microsoft.SecurityInsights/* "
                "Microsoft.OperationalInsights/workspaces/savedSearches/* "
                "Microsoft.Insights/workbooks/* " SENTINEL_BASICS,
     .not_actions = SENTINEL_SECRETS},
    {.id = "51d6186e-6489-4900-b93f-92e23144cca5",
     .name = "Microsoft Sentinel Playbook Operator",
     .description = "May list playbooks and run them by hand.",
     .actions = "Microsoft.Logic/workflows/read "
                "Microsoft.Logic/workflows/triggers/listCallbackUrl/action "
                "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/"
                "listCallbackUrl/action Microsoft.Web/sites/read"},
    {.id = "f4c81013-99ee-4d62-a7ee-b3f1f648599a",
     .name = "Microsoft Sentinel Automation Contributor",
     .description = "Lets automation rules run the playbooks of a resource group.",
     .actions = "Microsoft.Authorization/*/read Microsoft.Logic/workflows/triggers/read "
                "Microsoft.Logic/workflows/triggers/listCallbackUrl/action "
                "Microsoft.Logic/workflows/runs/read "
                "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/read "
                "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/triggers/"
                "listCallbackUrl/action "
                "Microsoft.Web/sites/hostruntime/webhooks/api/workflows/runs/read"},
    {.id = "39bc4728-0917-49c7-9d2c-d95423bc2eb4",
     .name = "Security Reader",
     .description = "May see security recommendations, alerts, policies and states.",
     .actions = "Microsoft.Authorization/*/read Microsoft.Insights/alertRules/read "
                "Microsoft.operationalInsights/workspaces/*/read "
                "Microsoft.Resources/deployments/*/read "
                "Microsoft.Resources/subscriptions/resourceGroups/read Microsoft.Security/*/read "
                "Microsoft.IoTSecurity/*/read Microsoft.Support/*/read "
                "Microsoft.Security/iotDefenderSettings/packageDownloads/action "
                "Microsoft.Security/iotDefenderSettings/downloadManagerActivation/action "
                "Microsoft.Security/iotSensors/downloadResetPassword/action "
                "Microsoft.IoTSecurity/defenderSettings/packageDownloads/action "
                "Microsoft.IoTSecurity/defenderSettings/downloadManagerActivation/action "
                "Microsoft.Management/managementGroups/read"},
    {.id = "fb1c8493-542b-48eb-b624-b4c8fea62acd",
     .name = "Security Admin",
     .description = "May see what a Security Reader sees, change policies, and dismiss alerts.",
     .actions = "Microsoft.Authorization/*/read Microsoft.Authorization/policyAssignments/* "
                "Microsoft.Authorization/policyDefinitions/* "
                "Microsoft.Authorization/policyExemptions/* "
                "Microsoft.Authorization/policySetDefinitions/* Microsoft.Insights/alertRules/* "
                "Microsoft.Management/managementGroups/read "
                "Microsoft.operationalInsights/workspaces/*/read Microsoft.Resources/deployments/* "
                "Microsoft.Resources/subscriptions/resourceGroups/read Microsoft.Security/* "
                "Microsoft.IoTSecurity/* Microsoft.IoTFirmwareDefense/* Microsoft.Support/*"},
    {.id = "36243c78-bf99-498c-9df9-86d9f8d28608",
     .name = "Resource Policy Contributor",
     .description = "May make and assign policies.",
     .actions = "*/read Microsoft.Authorization/policyassignments/* "
                "Microsoft.Authorization/policydefinitions/* "
                "Microsoft.Authorization/policyexemptions/* "
                "Microsoft.Authorization/policysetdefinitions/* Microsoft.PolicyInsights/* "
                "Microsoft.Resources/deployments/* Microsoft.Support/*"},
    {.id = "f1a07417-d97a-45cb-824c-7a7467783830",
     .name = "Managed Identity Operator",
     .description = "May see user-assigned identities and give them to resources.",
     .actions = "Microsoft.ManagedIdentity/userAssignedIdentities/*/read "
                "Microsoft.ManagedIdentity/userAssignedIdentities/*/assign/action " MANAGE_BASICS},
    {.id = "e40ec5ca-96e0-45a2-b4ff-59039f2c2b59",
     .name = "Managed Identity Contributor",
     .description = "May make, change and delete user-assigned identities.",
     .actions =
         "Microsoft.ManagedIdentity/userAssignedIdentities/read "
         "Microsoft.ManagedIdentity/userAssignedIdentities/write "
         "Microsoft.ManagedIdentity/userAssignedIdentities/delete "
         "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/read "
         "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/"
         "write Microsoft.ManagedIdentity/userAssignedIdentities/"
         "federatedIdentityCredentials/delete "
         "Microsoft.ManagedIdentity/userAssignedIdentities/revokeTokens/action " MANAGE_BASICS},
    {.id = "e8ddcd69-c73f-4f9f-9844-4100522f16ad",
     .name = "Workbook Contributor",
     .description = "May change shared workbooks.",
     .actions = "Microsoft.Insights/workbooks/write Microsoft.Insights/workbooks/delete "
                "Microsoft.Insights/workbooks/read Microsoft.Insights/workbooks/revisions/read "
                "Microsoft.Insights/workbooktemplates/write "
                "Microsoft.Insights/workbooktemplates/delete "
                "Microsoft.Insights/workbooktemplates/read"},
    {.id = "b279062a-9be3-42a0-92ae-8b3cf002ec4d",
     .name = "Workbook Reader",
     .description = "May open workbooks.",
     .actions = "microsoft.insights/workbooks/read microsoft.insights/workbooks/revisions/read "
                "microsoft.insights/workbooktemplates/read"},
    {.id = "00482a5a-887f-4fb3-b363-3b7fe8e74483",
     .name = "Key Vault Administrator",
     .description = "May do everything with what vaults hold, but not give roles.",
     .actions = VAULT_BASICS,
     .data_actions = "Microsoft.KeyVault/vaults/*"},
    {.id = "b86a8fe4-44ce-4948-aee5-eccb2c155cd7",
     .name = "Key Vault Secrets Officer",
     .description = "May do everything with secrets.",
     .actions = VAULT_BASICS,
     .data_actions = "Microsoft.KeyVault/vaults/secrets/*"},
    {.id = "4633458b-17de-408a-b874-0445c86b69e6",
     .name = "Key Vault Secrets User",
     .description = "May read secrets.",
     .data_actions = "Microsoft.KeyVault/vaults/secrets/getSecret/action "
                     "Microsoft.KeyVault/vaults/secrets/readMetadata/action"},
    {.id = "14b46e9e-c2b7-41b4-b07b-48a6ebf60603",
     .name = "Key Vault Crypto Officer",
     .description = "May do everything with keys.",
     .actions = VAULT_BASICS,
     .data_actions =
         "Microsoft.KeyVault/vaults/keys/* Microsoft.KeyVault/vaults/keyrotationpolicies/*"},
    {.id = "12338af0-0e69-4776-bea7-57ae8d297424",
     .name = "Key Vault Crypto User",
     .description = "May use keys.",
     .data_actions =
         "Microsoft.KeyVault/vaults/keys/read Microsoft.KeyVault/vaults/keys/update/action "
         "Microsoft.KeyVault/vaults/keys/backup/action "
         "Microsoft.KeyVault/vaults/keys/encrypt/action "
         "Microsoft.KeyVault/vaults/keys/decrypt/action Microsoft.KeyVault/vaults/keys/wrap/action "
         "Microsoft.KeyVault/vaults/keys/unwrap/action Microsoft.KeyVault/vaults/keys/sign/action "
         "Microsoft.KeyVault/vaults/keys/verify/action"},
    {.id = "e147488a-f6f5-4113-8e2d-b22465e65bf6",
     .name = "Key Vault Crypto Service Encryption User",
     .description = "May see keys and wrap others with them.",
     .actions = "Microsoft.EventGrid/eventSubscriptions/write "
                "Microsoft.EventGrid/eventSubscriptions/read "
                "Microsoft.EventGrid/eventSubscriptions/delete",
     .data_actions =
         "Microsoft.KeyVault/vaults/keys/read Microsoft.KeyVault/vaults/keys/wrap/action "
         "Microsoft.KeyVault/vaults/keys/unwrap/action"},
    {.id = "08bbd89e-9f13-488c-ac41-acfcb10c90ab",
     .name = "Key Vault Crypto Service Release User",
     .description = "May release keys.",
     .data_actions = "Microsoft.KeyVault/vaults/keys/release/action"},
    {.id = "a4417e6f-fecd-4de8-b567-7b0420556985",
     .name = "Key Vault Certificates Officer",
     .description = "May do everything with certificates.",
     .actions = VAULT_BASICS,
     .data_actions =
         "Microsoft.KeyVault/vaults/certificatecas/* Microsoft.KeyVault/vaults/certificates/* "
         "Microsoft.KeyVault/vaults/certificatecontacts/write"},
    {.id = "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba",
     .name = "Key Vault Certificate User",
     .description = "May read certificates whole, private keys included.",
     .data_actions = "Microsoft.KeyVault/vaults/certificates/read "
                     "Microsoft.KeyVault/vaults/secrets/getSecret/action "
                     "Microsoft.KeyVault/vaults/secrets/readMetadata/action "
                     "Microsoft.KeyVault/vaults/keys/read"},
    {.id = "21090545-7ca7-4776-b22c-e363652d74d2",
     .name = "Key Vault Reader",
     .description = "May see what vaults hold, but no value of a secret.",
     .actions = VAULT_BASICS,
     .data_actions = "Microsoft.KeyVault/vaults/*/read "
                     "Microsoft.KeyVault/vaults/secrets/readMetadata/action"},
    {.id = "f25e0fa2-a7c8-4377-a976-54943a77a395",
     .name = "Key Vault Contributor",
     .description = "May make and change vaults, but not see what they hold.",
     .actions = "Microsoft.KeyVault/* " MANAGE_BASICS,
     .not_actions = "Microsoft.KeyVault/locations/deletedVaults/purge/action "
                    "Microsoft.KeyVault/hsmPools/* Microsoft.KeyVault/managedHsms/*"},
    {.id = "8b54135c-b56d-4d72-a534-26097cfdc8d8",
     .name = "Key Vault Data Access Administrator",
     .description = "May give and take the roles for what vaults hold.",
     .actions = "Microsoft.Authorization/roleAssignments/write "
                "Microsoft.Authorization/roleAssignments/delete Microsoft.Authorization/*/read "
                "Microsoft.Resources/deployments/* "
                "Microsoft.Resources/subscriptions/resourceGroups/read "
                "Microsoft.Resources/subscriptions/read "
                "Microsoft.Management/managementGroups/read Microsoft.Support/* "
                "Microsoft.KeyVault/vaults/*/read",
     .condition = "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/write'})) OR "
                  "(@Request[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
                  "ForAnyOfAnyValues:GuidEquals" VAULT_DATA_ROLES ")) AND "
                  "((!(ActionMatches{'Microsoft.Authorization/roleAssignments/delete'})) OR "
                  "(@Resource[Microsoft.Authorization/roleAssignments:RoleDefinitionId] "
                  "ForAnyOfAnyValues:GuidEquals" VAULT_DATA_ROLES "))"},
};
const size_t role_builtin_count = RF_COUNT(role_builtins);
