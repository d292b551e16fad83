/* entity_types.c - the types of entities, their identifiers, and which of them are strong (contracts/sentinel section 1). */
#include "siem/entity_int.h"

#define TEXT(name, shown)                                                                          \
    {                                                                                              \
        name, shown, ENTITY_TEXT                                                                   \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, ENTITY_TEXT                                                                    \
    }

static const struct entity_field account_fields[] = {
    TEXT("Name", "accountName"),
    TEXT("NTDomain", "ntDomain"),
    TEXT("DnsDomain", "dnsDomain"),
    TEXT("UPNSuffix", "upnSuffix"),
    TEXT("Sid", "sid"),
    TEXT("AadTenantId", "aadTenantId"),
    TEXT("AadUserId", "aadUserId"),
    TEXT("PUID", "puid"),
    {"IsDomainJoined", "isDomainJoined", ENTITY_BOOL},
    TEXT("DisplayName", "displayName"),
    TEXT("ObjectGuid", "objectGuid"),
    END};
static const char *const account_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Name", "UPNSuffix"},
                                                                       {"AadUserId"},
                                                                       {"Sid", "Host"},
                                                                       {"Sid"},
                                                                       {"Name", "Host", "NTDomain"},
                                                                       {"Name", "NTDomain"},
                                                                       {"Name", "DnsDomain"},
                                                                       {"PUID"},
                                                                       {"ObjectGuid"},
                                                                       {"Name", "Host"},
                                                                       {NULL}};

static const struct entity_field host_fields[] = {TEXT("DnsDomain", "dnsDomain"),
                                                  TEXT("NTDomain", "ntDomain"),
                                                  TEXT("HostName", "hostName"),
                                                  TEXT("NetBiosName", "netBiosName"),
                                                  TEXT("AzureID", "azureID"),
                                                  TEXT("OMSAgentID", "omsAgentID"),
                                                  TEXT("OSFamily", "osFamily"),
                                                  TEXT("OSVersion", "osVersion"),
                                                  {"IsDomainJoined", "isDomainJoined", ENTITY_BOOL},
                                                  END};
static const char *const host_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"HostName", "DnsDomain"},
                                                                    {"HostName", "NTDomain"},
                                                                    {"NetBiosName", "DnsDomain"},
                                                                    {"NetBiosName", "NTDomain"},
                                                                    {"AzureID"},
                                                                    {"OMSAgentID"},
                                                                    {NULL}};

static const struct entity_field ip_fields[] = {TEXT("Address", "address"),
                                                TEXT("AddressScope", NULL), END};
static const char *const ip_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"Address", "AddressScope"}, {"Address"}, {NULL}};

static const struct entity_field url_fields[] = {TEXT("Url", "url"), END};
static const char *const url_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Url"}, {NULL}};

static const struct entity_field resource_fields[] = {TEXT("ResourceId", "resourceId"), END};
static const char *const resource_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"ResourceId"}, {NULL}};

static const struct entity_field app_fields[] = {{"AppId", "appId", ENTITY_NUMBER},
                                                 TEXT("Name", "appName"),
                                                 TEXT("InstanceName", "instanceName"),
                                                 END};
static const char *const app_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"AppId", "InstanceName"}, {"Name", "InstanceName"}, {"AppId"}, {"Name"}, {NULL}};

static const struct entity_field dns_fields[] = {TEXT("DomainName", "domainName"), END};
static const char *const dns_strong[][ENTITY_STRONG_FIELDS_MAX] = {{NULL}};

static const struct entity_field file_fields[] = {TEXT("Directory", "directory"),
                                                  TEXT("Name", "fileName"), END};
static const char *const file_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"Name", "Directory", "Host"}, {"Name", "Directory"}, {NULL}};

static const struct entity_field hash_fields[] = {TEXT("Algorithm", "algorithm"),
                                                  TEXT("Value", "hashValue"), END};
static const char *const hash_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Algorithm", "Value"}, {NULL}};

static const struct entity_field malware_fields[] = {TEXT("Name", "malwareName"),
                                                     TEXT("Category", "category"), END};
static const char *const malware_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Name", "Category"},
                                                                       {NULL}};

static const struct entity_field process_fields[] = {
    TEXT("ProcessId", "processId"), TEXT("CommandLine", "commandLine"),
    TEXT("ElevationToken", "elevationToken"), TEXT("CreationTimeUtc", "creationTimeUtc"), END};
static const char *const process_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"Host", "ProcessId", "CreationTimeUtc"}, {"Host", "CommandLine", "ProcessId"}, {NULL}};

static const struct entity_field key_fields[] = {TEXT("Hive", "hive"), TEXT("Key", "key"), END};
static const char *const key_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Hive", "Key"}, {NULL}};

static const struct entity_field registry_value_fields[] = {
    TEXT("Name", "valueName"), TEXT("Value", "valueData"), TEXT("ValueType", "valueType"), END};
static const char *const registry_value_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Key", "Name"},
                                                                              {NULL}};

static const struct entity_field group_fields[] = {TEXT("DistinguishedName", "distinguishedName"),
                                                   TEXT("SID", "sid"),
                                                   TEXT("ObjectGuid", "objectGuid"), END};
static const char *const group_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"DistinguishedName"}, {"SID"}, {"ObjectGuid"}, {NULL}};

static const struct entity_field mailbox_fields[] = {
    TEXT("MailboxPrimaryAddress", "mailboxPrimaryAddress"),
    TEXT("DisplayName", "displayName"),
    TEXT("Upn", "upn"),
    TEXT("ExternalDirectoryObjectId", "externalDirectoryObjectId"),
    TEXT("RiskLevel", NULL),
    END};
static const char *const mailbox_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"MailboxPrimaryAddress"},
                                                                       {NULL}};

static const struct entity_field cluster_fields[] = {
    {"NetworkMessageIds", "networkMessageIds", ENTITY_LIST},
    TEXT("CountByDeliveryStatus", "countByDeliveryStatus"),
    TEXT("CountByThreatType", "countByThreatType"),
    TEXT("CountByProtectionStatus", "countByProtectionStatus"),
    {"Threats", "threats", ENTITY_LIST},
    TEXT("Query", "query"),
    TEXT("QueryTime", "queryTime"),
    {"MailCount", "mailCount", ENTITY_NUMBER},
    {"IsVolumeAnomaly", "isVolumeAnomaly", ENTITY_BOOL},
    TEXT("Source", "source"),
    TEXT("ClusterSourceIdentifier", "clusterSourceIdentifier"),
    TEXT("ClusterSourceType", "clusterSourceType"),
    TEXT("ClusterQueryStartTime", "clusterQueryStartTime"),
    TEXT("ClusterQueryEndTime", "clusterQueryEndTime"),
    TEXT("ClusterGroup", "clusterGroup"),
    END};
static const char *const cluster_strong[][ENTITY_STRONG_FIELDS_MAX] = {{"Query", "Source"}, {NULL}};

static const struct entity_field message_fields[] = {
    TEXT("Recipient", "recipient"),
    {"Urls", "urls", ENTITY_LIST},
    {"Threats", "threats", ENTITY_LIST},
    TEXT("Sender", NULL),
    TEXT("P1Sender", "p1Sender"),
    TEXT("P1SenderDisplayName", "p1SenderDisplayName"),
    TEXT("P1SenderDomain", "p1SenderDomain"),
    TEXT("SenderIP", "senderIP"),
    TEXT("P2Sender", "p2Sender"),
    TEXT("P2SenderDisplayName", "p2SenderDisplayName"),
    TEXT("P2SenderDomain", "p2SenderDomain"),
    TEXT("ReceivedDate", "receiveDate"),
    TEXT("NetworkMessageId", "networkMessageId"),
    TEXT("InternetMessageId", "internetMessageId"),
    TEXT("Subject", "subject"),
    {"BodyFingerprintBin1", "bodyFingerprintBin1", ENTITY_NUMBER},
    {"BodyFingerprintBin2", "bodyFingerprintBin2", ENTITY_NUMBER},
    {"BodyFingerprintBin3", "bodyFingerprintBin3", ENTITY_NUMBER},
    {"BodyFingerprintBin4", "bodyFingerprintBin4", ENTITY_NUMBER},
    {"BodyFingerprintBin5", "bodyFingerprintBin5", ENTITY_NUMBER},
    TEXT("AntispamDirection", "antispamDirection"),
    TEXT("DeliveryAction", "deliveryAction"),
    TEXT("DeliveryLocation", "deliveryLocation"),
    TEXT("Language", "language"),
    {"ThreatDetectionMethods", "threatDetectionMethods", ENTITY_LIST},
    END};
static const char *const message_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"NetworkMessageId", "Recipient"}, {NULL}};

static const struct entity_field submission_fields[] = {
    TEXT("NetworkMessageId", "networkMessageId"),
    TEXT("Timestamp", "timestamp"),
    TEXT("Recipient", "recipient"),
    TEXT("Sender", "sender"),
    TEXT("SenderIp", "senderIp"),
    TEXT("Subject", "subject"),
    TEXT("ReportType", "reportType"),
    TEXT("SubmissionId", "submissionId"),
    TEXT("SubmissionDate", "submissionDate"),
    TEXT("Submitter", "submitter"),
    END};
static const char *const submission_strong[][ENTITY_STRONG_FIELDS_MAX] = {
    {"SubmissionId", "NetworkMessageId", "Recipient", "Submitter"}, {NULL}};

const struct entity_type entity_types[] = {
    {"Account", "Account", "account", account_fields, account_strong, true},
    {"Host", "Host", "host", host_fields, host_strong, true},
    {"IP", "Ip", "ip", ip_fields, ip_strong, false},
    {"URL", "Url", "url", url_fields, url_strong, false},
    {"AzureResource", "AzureResource", "azure-resource", resource_fields, resource_strong, false},
    {"CloudApplication", "CloudApplication", "cloud-application", app_fields, app_strong, false},
    {"DNS", "DnsResolution", "dns", dns_fields, dns_strong, false},
    {"File", "File", "file", file_fields, file_strong, false},
    {"FileHash", "FileHash", "filehash", hash_fields, hash_strong, false},
    {"Malware", "Malware", "malware", malware_fields, malware_strong, false},
    {"Process", "Process", "process", process_fields, process_strong, false},
    {"RegistryKey", "RegistryKey", "registry-key", key_fields, key_strong, false},
    {"RegistryValue", "RegistryValue", "registry-value", registry_value_fields,
     registry_value_strong, false},
    {"SecurityGroup", "SecurityGroup", "security-group", group_fields, group_strong, false},
    {"Mailbox", "Mailbox", "mailbox", mailbox_fields, mailbox_strong, false},
    {"MailCluster", "MailCluster", "mail-cluster", cluster_fields, cluster_strong, false},
    {"MailMessage", "MailMessage", "mail-message", message_fields, message_strong, false},
    {"SubmissionMail", "SubmissionMail", "SubmissionMail", submission_fields, submission_strong,
     false},
};
const uint32_t entity_type_count = RF_COUNT(entity_types);

const struct entity_type *entity_type_of_mapping(rf_str name)
{
    for (uint32_t i = 0; i < entity_type_count; i++)
        if (rf_str_eq_nocase(name, rf_str_of(entity_types[i].mapping))) return &entity_types[i];
    return NULL;
}

const struct entity_type *entity_type_of_alert(rf_str name)
{
    for (uint32_t i = 0; i < entity_type_count; i++)
        if (rf_str_eq_nocase(name, rf_str_of(entity_types[i].type))) return &entity_types[i];
    return NULL;
}

const struct entity_field *entity_field_of(const struct entity_type *type, rf_str name)
{
    for (const struct entity_field *f = type->fields; f->name != NULL; f++)
        if (rf_str_eq_nocase(name, rf_str_of(f->name))) return f;
    return NULL;
}

const char *entity_type_name(rf_str type)
{
    const struct entity_type *found = entity_type_of_mapping(type);
    return found == NULL ? NULL : found->mapping;
}

const char *entity_identifier_name(rf_str type, rf_str identifier)
{
    const struct entity_type *found = entity_type_of_mapping(type);
    if (found == NULL) return NULL;
    if (found->full_name && rf_str_eq_nocase(identifier, RF_S("FullName"))) return "FullName";
    const struct entity_field *field = entity_field_of(found, identifier);
    return field == NULL ? NULL : field->name;
}

const char *entity_mapping_of(rf_str type)
{
    const struct entity_type *found = entity_type_of_alert(type);
    return found == NULL ? NULL : found->mapping;
}
