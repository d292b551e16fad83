/* The layouts as tables. */
#include "sigma/layout.h"

#define SYSMON "Microsoft-Windows-Sysmon/Operational"
#define POWERSHELL "Microsoft-Windows-PowerShell/Operational|PowerShellCore/Operational"

/* ---- Windows: Channel and EventID --------------------------------------------------------------------------------- */

#define CATEGORY(category, channel, ids)                                                           \
    {                                                                                              \
        "windows", category, NULL, NULL, { channel, ids }                                          \
    }
#define SERVICE(service, channel)                                                                  \
    {                                                                                              \
        "windows", NULL, service, NULL, { channel }                                                \
    }
#define WINDOWS_SOURCES                                                                            \
    CATEGORY("process_creation", SYSMON, "1"), CATEGORY("file_change", SYSMON, "2"),               \
        CATEGORY("network_connection", SYSMON, "3"), CATEGORY("sysmon_status", SYSMON, "4|16"),    \
        CATEGORY("process_termination", SYSMON, "5"), CATEGORY("driver_load", SYSMON, "6"),        \
        CATEGORY("image_load", SYSMON, "7"), CATEGORY("create_remote_thread", SYSMON, "8"),        \
        CATEGORY("raw_access_thread", SYSMON, "9"), CATEGORY("process_access", SYSMON, "10"),      \
        CATEGORY("file_event", SYSMON, "11"), CATEGORY("registry_add", SYSMON, "12"),              \
        CATEGORY("registry_delete", SYSMON, "12"), CATEGORY("registry_set", SYSMON, "13"),         \
        CATEGORY("registry_rename", SYSMON, "14"), CATEGORY("registry_event", SYSMON, "12|13|14"), \
        CATEGORY("create_stream_hash", SYSMON, "15"), CATEGORY("pipe_created", SYSMON, "17|18"),   \
        CATEGORY("wmi_event", SYSMON, "19|20|21"), CATEGORY("dns_query", SYSMON, "22"),            \
        CATEGORY("file_delete", SYSMON, "23|26"), CATEGORY("clipboard_capture", SYSMON, "24"),     \
        CATEGORY("process_tampering", SYSMON, "25"),                                               \
        CATEGORY("file_delete_detected", SYSMON, "26"),                                            \
        CATEGORY("file_block_executable", SYSMON, "27"),                                           \
        CATEGORY("file_block_shredding", SYSMON, "28"),                                            \
        CATEGORY("file_executable_detected", SYSMON, "29"),                                        \
        CATEGORY("sysmon_error", SYSMON, "255"),                                                   \
        CATEGORY("file_access", "Microsoft-Windows-Kernel-File/Analytic", NULL),                   \
        CATEGORY("file_rename", "Microsoft-Windows-Kernel-File/Analytic", NULL),                   \
        CATEGORY("ps_classic_start", "Windows PowerShell", "400"),                                 \
        CATEGORY("ps_classic_provider_start", "Windows PowerShell", "600"),                        \
        CATEGORY("ps_classic_script", "Windows PowerShell", "800"),                                \
        CATEGORY("ps_module", POWERSHELL, "4103"), CATEGORY("ps_script", POWERSHELL, "4104"),      \
        SERVICE("application", "Application"),                                                     \
        SERVICE("application-experience",                                                          \
                "Microsoft-Windows-Application-Experience/Program-Telemetry|"                      \
                "Microsoft-Windows-Application-Experience/Program-Compatibility-Assistant"),       \
        SERVICE("applocker", "Microsoft-Windows-AppLocker/MSI and Script|"                         \
                             "Microsoft-Windows-AppLocker/EXE and DLL|"                            \
                             "Microsoft-Windows-AppLocker/Packaged app-Deployment|"                \
                             "Microsoft-Windows-AppLocker/Packaged app-Execution"),                \
        SERVICE("appmodel-runtime", "Microsoft-Windows-AppModel-Runtime/Admin"),                   \
        SERVICE("appxdeployment-server", "Microsoft-Windows-AppXDeploymentServer/Operational"),    \
        SERVICE("appxpackaging-om", "Microsoft-Windows-AppxPackaging/Operational"),                \
        SERVICE("bitlocker", "Microsoft-Windows-BitLocker/BitLocker Management"),                  \
        SERVICE("bits-client", "Microsoft-Windows-Bits-Client/Operational"),                       \
        SERVICE("capi2", "Microsoft-Windows-CAPI2/Operational"),                                   \
        SERVICE("certificateservicesclient-lifecycle-system",                                      \
                "Microsoft-Windows-CertificateServicesClient-Lifecycle-System/Operational"),       \
        SERVICE("codeintegrity-operational", "Microsoft-Windows-CodeIntegrity/Operational"),       \
        SERVICE("dhcp", "Microsoft-Windows-DHCP-Server/Operational"),                              \
        SERVICE("diagnosis-scripted", "Microsoft-Windows-Diagnosis-Scripted/Operational"),         \
        SERVICE("dns-client", "Microsoft-Windows-DNS Client Events/Operational|"                   \
                              "Microsoft-Windows-DNS-Client/Operational"),                         \
        SERVICE("dns-server", "DNS Server"),                                                       \
        SERVICE("dns-server-analytic", "Microsoft-Windows-DNS-Server/Analytical"),                 \
        SERVICE("dns-server-audit", "Microsoft-Windows-DNS-Server/Audit"),                         \
        SERVICE("driver-framework", "Microsoft-Windows-DriverFrameworks-UserMode/Operational"),    \
        SERVICE("firewall-as",                                                                     \
                "Microsoft-Windows-Windows Firewall With Advanced Security/Firewall"),             \
        SERVICE("hyper-v-worker", "Microsoft-Windows-Hyper-V-Worker"),                             \
        SERVICE("iis-configuration", "Microsoft-IIS-Configuration/Operational"),                   \
        SERVICE("kernel-event-tracing", "Microsoft-Windows-Kernel-EventTracing"),                  \
        SERVICE("kernel-shimengine",                                                               \
                "Microsoft-Windows-Kernel-ShimEngine/Operational|"                                 \
                "WinEventLog:Microsoft-Windows-Kernel-ShimEngine/Diagnostic"),                     \
        SERVICE("ldap", "Microsoft-Windows-LDAP-Client/Debug"),                                    \
        SERVICE("lsa-server", "Microsoft-Windows-LSA/Operational"),                                \
        SERVICE("microsoft-servicebus-client", "Microsoft-ServiceBus-Client"),                     \
        SERVICE("msexchange-management", "MSExchange Management"),                                 \
        SERVICE("ntfs", "Microsoft-Windows-Ntfs/Operational"),                                     \
        SERVICE("ntlm", "Microsoft-Windows-NTLM/Operational"),                                     \
        SERVICE("openssh", "OpenSSH/Operational"), SERVICE("powershell", POWERSHELL),              \
        SERVICE("powershell-classic", "Windows PowerShell"),                                       \
        SERVICE("printservice-admin", "Microsoft-Windows-PrintService/Admin"),                     \
        SERVICE("printservice-operational", "Microsoft-Windows-PrintService/Operational"),         \
        SERVICE("security", "Security"),                                                           \
        SERVICE("security-mitigations", "Microsoft-Windows-Security-Mitigations/Kernel Mode|"      \
                                        "Microsoft-Windows-Security-Mitigations/User Mode"),       \
        SERVICE("sense", "Microsoft-Windows-SENSE/Operational"),                                   \
        SERVICE("servicebus-client", "Microsoft-ServiceBus-Client/Operational|"                    \
                                     "Microsoft-ServiceBus-Client/Admin"),                         \
        SERVICE("shell-core", "Microsoft-Windows-Shell-Core/Operational"),                         \
        SERVICE("smbclient-connectivity", "Microsoft-Windows-SmbClient/Connectivity"),             \
        SERVICE("smbclient-security", "Microsoft-Windows-SmbClient/Security"),                     \
        SERVICE("smbserver-connectivity", "Microsoft-Windows-SMBServer/Connectivity"),             \
        SERVICE("sysmon", SYSMON), SERVICE("system", "System"),                                    \
        SERVICE("taskscheduler", "Microsoft-Windows-TaskScheduler/Operational"),                   \
        SERVICE("terminalservices-localsessionmanager",                                            \
                "Microsoft-Windows-TerminalServices-LocalSessionManager/Operational"),             \
        SERVICE("vhdmp", "Microsoft-Windows-VHDMP/Operational"),                                   \
        SERVICE("windefend", "Microsoft-Windows-Windows Defender/Operational"),                    \
        SERVICE("wmi", "Microsoft-Windows-WMI-Activity/Operational"),                              \
    {                                                                                              \
        "windows", NULL, NULL, NULL, { NULL }                                                      \
    }
#define END                                                                                        \
    {                                                                                              \
        NULL, NULL, NULL, NULL, { NULL }                                                           \
    }

static const struct layout_source windows_sources[] = {WINDOWS_SOURCES, END};

static const struct layout_field flat_fields[] = {
    {"Computer", {"Computer", "Hostname"}},
    {"Provider_Name", {"Provider_Name", "SourceName"}},
    {NULL, {NULL}},
};
static const struct layout_field event_table_fields[] = {
    {"EventID", {"EventID"}},        {"Channel", {"Channel"}}, {"Computer", {"Computer"}},
    {"Provider_Name", {"Provider"}}, {NULL, {NULL}},
};

/* ---- Linux ------------------------------------------------------------------------------------------------------------ */

#define LINUX_SYSMON "Linux-Sysmon/Operational"
static const struct layout_source syslog_sources[] = {
    {"linux", "process_creation", NULL, NULL, {LINUX_SYSMON, "1"}},
    {"linux", "network_connection", NULL, NULL, {LINUX_SYSMON, "3"}},
    {"linux", "process_termination", NULL, NULL, {LINUX_SYSMON, "5"}},
    {"linux", "raw_access_thread", NULL, NULL, {LINUX_SYSMON, "9"}},
    {"linux", "file_event", NULL, NULL, {LINUX_SYSMON, "11"}},
    {"linux", "file_delete", NULL, NULL, {LINUX_SYSMON, "23"}},
    {"linux", NULL, "sysmon", NULL, {LINUX_SYSMON}},
    {"linux",
     NULL,
     "auth",
     NULL,
     {NULL, NULL,
      "sshd|sudo|su|login|systemd-logind|pkexec|polkitd|passwd|useradd|usermod|groupadd"}},
    {"linux", NULL, "clamav", NULL, {NULL, NULL, "clamd|clamav|freshclam|clamscan"}},
    {"linux", NULL, "cron", NULL, {NULL, NULL, "cron|crond|anacron|crontab"}},
    {"linux", NULL, "guacamole", NULL, {NULL, NULL, "guacd|guacamole"}},
    {"linux", NULL, "sshd", NULL, {NULL, NULL, "sshd|sshd-session"}},
    {"linux", NULL, "sudo", NULL, {NULL, NULL, "sudo"}},
    {"linux", NULL, "vsftpd", NULL, {NULL, NULL, "vsftpd"}},
    {"linux", NULL, "syslog", NULL, {NULL}},
    {"linux", NULL, NULL, NULL, {NULL}},
    END,
};
static const struct layout_field syslog_fields[] = {
    {"ProcessName", {"ProcessName"}},
    {NULL, {NULL}},
};
static const struct layout_source auditd_sources[] = {
    {"linux", NULL, "auditd", NULL, {NULL}},
    END,
};

/* ---- clouds ------------------------------------------------------------------------------------------------------------ */

static const struct layout_source cloudtrail_sources[] = {
    {"aws", NULL, "cloudtrail", NULL, {NULL}},
    {"aws", NULL, NULL, NULL, {NULL}},
    END,
};
static const struct layout_source audit_sources[] = {
    {"azure", NULL, "auditlogs", NULL, {NULL}},
    END,
};
static const struct layout_field audit_fields[] = {
    {"properties.message", {"OperationName"}},
    {"Category", {"Category"}},
    {NULL, {NULL}},
};

/* Rows of a workspace's tables: each says in Type which one it is of. */
#define TABLE(product, category, service, table)                                                   \
    {                                                                                              \
        product, category, service, table, { NULL, NULL, table }                                   \
    }
static const struct layout_source workspace_sources[] = {
    {"windows", NULL, "security", "SecurityEvent", {"Security", NULL, "SecurityEvent"}},
    {"windows",
     NULL,
     "applocker",
     "SecurityEvent",
     {"Microsoft-Windows-AppLocker/MSI and Script|Microsoft-Windows-AppLocker/EXE and DLL|"
      "Microsoft-Windows-AppLocker/Packaged app-Deployment|Microsoft-Windows-AppLocker/Packaged "
      "app-Execution",
      NULL, "SecurityEvent"}},
    TABLE("azure", NULL, "auditlogs", "AuditLogs"),
    TABLE("azure", NULL, "signinlogs", "SigninLogs"),
    TABLE("azure", NULL, "activitylogs", "AzureActivity"),
    TABLE("azure", NULL, "riskdetection", "AADUserRiskEvents"),
    TABLE("m365", NULL, "audit", "OfficeActivity"),
    TABLE("m365", NULL, "exchange", "OfficeActivity"),
    TABLE(NULL, "webserver", NULL, "W3CIISLog"),
    TABLE(NULL, "proxy", NULL, "CommonSecurityLog"),
    TABLE(NULL, "firewall", NULL, "CommonSecurityLog"),
    TABLE(NULL, "dns", NULL, "DnsEvents"),
    END,
};
static const struct layout_field workspace_fields[] = {
    {"Provider_Name", {"EventSourceName"}},
    {"SubjectLogonId", {"SubjectLogonId", "SubjectLogonID"}},
    {"properties.message", {"OperationName"}},
    {"operationName", {"OperationName", "OperationNameValue"}},
    {"riskEventType", {"RiskEventType", "riskEventType"}},
    {"cs-method", {"csMethod", "RequestMethod"}},
    {"cs-uri-stem", {"csUriStem"}},
    {"cs-uri-query", {"csUriQuery"}},
    {"c-uri", {"RequestURL"}},
    {"cs-uri", {"RequestURL"}},
    {"c-useragent", {"RequestClientApplication"}},
    {"cs-user-agent", {"csUserAgent", "RequestClientApplication"}},
    {"cs-host", {"csHost", "DestinationHostName"}},
    {"cs-cookie", {"csCookie", "RequestCookies"}},
    {"cs-referer", {"csReferer", "RequestContext"}},
    {"cs-referrer", {"csReferer", "RequestContext"}},
    {"sc-status", {"scStatus", "EventOutcome"}},
    {"c-ip", {"cIP", "SourceIP"}},
    {"r-dns", {"DestinationHostName"}},
    {"src_ip", {"SourceIP"}},
    {"dst_ip", {"DestinationIP"}},
    {"src_port", {"SourcePort"}},
    {"dst_port", {"DestinationPort"}},
    {"query", {"Name"}},
    {NULL, {NULL}},
};

/* ---- Defender's tables -------------------------------------------------------------------------------------------------- */

#define DEVICE(category, table, actions)                                                           \
    {                                                                                              \
        "windows", category, NULL, table, { actions }                                              \
    }
static const struct layout_source defender_sources[] = {
    DEVICE("process_creation", "DeviceProcessEvents", NULL),
    DEVICE("network_connection", "DeviceNetworkEvents", NULL),
    DEVICE("file_event", "DeviceFileEvents", "FileCreated|FileModified"),
    DEVICE("file_change", "DeviceFileEvents", "FileModified"),
    DEVICE("file_delete", "DeviceFileEvents", "FileDeleted"),
    DEVICE("file_rename", "DeviceFileEvents", "FileRenamed"),
    DEVICE("image_load", "DeviceImageLoadEvents", NULL),
    DEVICE("driver_load", "DeviceEvents", "DriverLoad"),
    DEVICE("registry_event", "DeviceRegistryEvents", NULL),
    DEVICE("registry_set", "DeviceRegistryEvents", "RegistryValueSet"),
    DEVICE("registry_add", "DeviceRegistryEvents", "RegistryKeyCreated"),
    DEVICE("registry_delete", "DeviceRegistryEvents", "RegistryKeyDeleted|RegistryValueDeleted"),
    DEVICE("create_remote_thread", "DeviceEvents", "CreateRemoteThreadApiCall"),
    DEVICE("pipe_created", "DeviceEvents", "NamedPipeEvent"),
    DEVICE("dns_query", "DeviceEvents", "DnsQueryResponse"),
    END,
};
static const struct layout_field defender_fields[] = {
    {"Computer", {"DeviceName"}},
    {"Image", {"FolderPath", "InitiatingProcessFolderPath"}},
    {"CommandLine", {"ProcessCommandLine"}},
    {"ParentImage", {"InitiatingProcessFolderPath"}},
    {"ParentCommandLine", {"InitiatingProcessCommandLine"}},
    {"User", {"AccountName"}},
    {"IntegrityLevel", {"ProcessIntegrityLevel"}},
    {"OriginalFileName", {"ProcessVersionInfoOriginalFileName"}},
    {"Product", {"ProcessVersionInfoProductName"}},
    {"Company", {"ProcessVersionInfoCompanyName"}},
    {"Description", {"ProcessVersionInfoFileDescription"}},
    {"TargetFilename", {"FolderPath"}},
    {"ImageLoaded", {"FolderPath"}},
    {"TargetObject", {"RegistryKey"}},
    {"Details", {"RegistryValueData"}},
    {"DestinationIp", {"RemoteIP"}},
    {"DestinationPort", {"RemotePort"}},
    {"DestinationHostname", {"RemoteUrl"}},
    {"SourceIp", {"LocalIP"}},
    {"SourcePort", {"LocalPort"}},
    {"md5", {"MD5"}},
    {"sha1", {"SHA1"}},
    {"sha256", {"SHA256"}},
    {NULL, {NULL}},
};

static const struct layout_field no_fields[] = {{NULL, {NULL}}};

/* Those before others are preferred where a rule's log source is in several. */
const struct layout layouts[] = {
    {"windows-event-table",
     "rows of WindowsEvent: fields in EventData",
     LAYOUT_EVENT_DATA,
     "WindowsEvent",
     {"Channel", "EventID"},
     "EventID",
     event_table_fields,
     windows_sources,
     "TimeGenerated Channel EventID Computer Provider EventData",
     {"TimeGenerated"},
     "TimeGenerated"},
    {"windows-flat",
     "one flat JSON object per Windows event, as winlogbeat, nxlog and HELK write it",
     LAYOUT_FLAT,
     "WindowsFlat",
     {"Channel", "EventID"},
     "EventID",
     flat_fields,
     windows_sources,
     "",
     {"@timestamp", "TimeCreated", "EventTime", "UtcTime"},
     "todatetime(coalesce(tostring(column_ifexists('@timestamp', '')), "
     "tostring(column_ifexists('TimeCreated', '')), "
     "tostring(column_ifexists('EventTime', '')), tostring(column_ifexists('UtcTime', ''))))"},
    {"windows-nested",
     "Windows events as nested JSON: Event.System and Event.EventData",
     LAYOUT_WINDOWS,
     "WindowsNested",
     {"Channel", "EventID"},
     "",
     no_fields,
     windows_sources,
     "Event",
     {"TimeCreated_SystemTime"},
     "todatetime(tostring(Event.System.TimeCreated['#attributes'].SystemTime))"},
    {"aws-cloudtrail",
     "CloudTrail records as AWS writes them",
     LAYOUT_NESTED,
     "CloudTrailRecord",
     {NULL},
     "",
     no_fields,
     cloudtrail_sources,
     "",
     {"eventTime", "@timestamp"},
     "todatetime(coalesce(tostring(column_ifexists('eventTime', '')), "
     "tostring(column_ifexists('@timestamp', ''))))"},
    {"entra-audit-table",
     "rows of AuditLogs",
     LAYOUT_FLAT,
     "AuditLogs",
     {NULL},
     "",
     audit_fields,
     audit_sources,
     "TimeGenerated OperationName Category",
     {"TimeGenerated"},
     "TimeGenerated"},
    {"linux-sysmon-syslog",
     "rows of Syslog: Sysmon's XML in SyslogMessage, other messages by ProcessName",
     LAYOUT_SYSLOG,
     "Syslog",
     {"Channel", "EventID", "ProcessName"},
     "",
     syslog_fields,
     syslog_sources,
     "TimeGenerated SyslogMessage ProcessName",
     {"TimeGenerated"},
     "TimeGenerated"},
    {"linux-auditd-text",
     "raw lines of the Linux audit log",
     LAYOUT_AUDITD,
     "LinuxAudit_CL",
     {NULL},
     "",
     no_fields,
     auditd_sources,
     "RawData",
     {"msg"},
     "unixtime_seconds_todatetime(todouble(extract(@'msg=audit\\((\\d+(?:\\.\\d+)?)', 1, "
     "RawData)))"},
    {"workspace-table",
     "rows of other tables of a workspace, which say in Type which one",
     LAYOUT_FLAT,
     "SecurityEvent",
     {"Channel", "EventID", "Type"},
     "EventID",
     workspace_fields,
     workspace_sources,
     "TimeGenerated",
     {"TimeGenerated", "Timestamp"},
     "TimeGenerated"},
    {"defender",
     "rows of Microsoft Defender's Device tables",
     LAYOUT_FLAT,
     "DeviceProcessEvents",
     {"ActionType"},
     "",
     defender_fields,
     defender_sources,
     "",
     {"Timestamp", "TimeGenerated"},
     "todatetime(coalesce(tostring(column_ifexists('Timestamp', '')), "
     "tostring(column_ifexists('TimeGenerated', ''))))"},
    {"records",
     "JSON objects of any one source: every rule sees every event; fields are keys joined by dots",
     LAYOUT_NESTED,
     "Records",
     {NULL},
     "",
     no_fields,
     NULL,
     "TimeGenerated RawData",
     {"TimeGenerated", "@timestamp", "timestamp", "time"},
     "TimeGenerated"},
};

size_t layout_count(void) { return RF_COUNT(layouts); }
