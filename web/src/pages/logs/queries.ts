// Ready queries, offered for tables that have rows. Their titles are texts of logs.*.json; the KQL is the same in every language.
export interface Ready { id: string; tables: string[]; text: string }
export const ready: Ready[] = [
  { id: "sizes", tables: [], text: "union withsource=Table *\n| summarize Rows = count(), Newest = max(TimeGenerated) by Table\n| order by Rows desc" },
  { id: "signin-failed", tables: ["SigninLogs"], text: "SigninLogs\n| where ResultType != \"0\"\n| summarize Tries = count(), Users = dcount(UserPrincipalName), Reasons = make_set(ResultDescription, 3) by IPAddress\n| order by Tries desc" },
  { id: "signin-time", tables: ["SigninLogs"], text: "SigninLogs\n| summarize Failed = countif(ResultType != \"0\"), Good = countif(ResultType == \"0\") by bin(TimeGenerated, 10m)\n| render timechart" },
  { id: "signin-places", tables: ["SigninLogs"], text: "SigninLogs\n| where ResultType == \"0\"\n| summarize Places = dcount(Location), First = min(TimeGenerated), Last = max(TimeGenerated) by UserPrincipalName\n| where Places > 1\n| order by Places desc" },
  { id: "audit", tables: ["AuditLogs"], text: "AuditLogs\n| project TimeGenerated, OperationName, Result, InitiatedBy, TargetResources\n| order by TimeGenerated desc\n| take 200" },
  { id: "activity", tables: ["AzureActivity"], text: "AzureActivity\n| summarize Calls = count() by Caller, OperationNameValue, ActivityStatusValue\n| order by Calls desc" },
  { id: "logon-failed", tables: ["SecurityEvent"], text: "SecurityEvent\n| where EventID == 4625\n| summarize Tries = count() by TargetAccount, IpAddress, Computer\n| order by Tries desc" },
  { id: "event-kinds", tables: ["SecurityEvent"], text: "SecurityEvent\n| summarize Rows = count() by EventID, Activity\n| top 20 by Rows\n| render barchart" },
  { id: "syslog", tables: ["Syslog"], text: "Syslog\n| where SeverityLevel in (\"err\", \"crit\", \"alert\", \"emerg\", \"warning\")\n| summarize Rows = count(), Example = take_any(SyslogMessage) by Computer, ProcessName, SeverityLevel\n| order by Rows desc" },
  { id: "processes", tables: ["DeviceProcessEvents"], text: "DeviceProcessEvents\n| summarize Runs = count(), Devices = dcount(DeviceName) by FileName\n| order by Devices asc, Runs asc\n| take 50" },
  { id: "connections", tables: ["DeviceNetworkEvents"], text: "DeviceNetworkEvents\n| summarize Connections = count(), Devices = dcount(DeviceName) by RemoteIP, RemotePort\n| order by Connections desc\n| take 100" },
  { id: "cef", tables: ["CommonSecurityLog"], text: "CommonSecurityLog\n| summarize Rows = count() by DeviceVendor, DeviceProduct, DeviceAction, bin(TimeGenerated, 1h)\n| order by TimeGenerated desc" },
  { id: "vault", tables: ["AZKVAuditLogs"], text: "AZKVAuditLogs\n| summarize Calls = count() by OperationName, CallerIpAddress, ResultSignature\n| order by Calls desc" },
  { id: "storage", tables: ["StorageBlobLogs"], text: "StorageBlobLogs\n| summarize Calls = count() by OperationName, StatusText, bin(TimeGenerated, 10m)\n| render timechart" },
  { id: "alerts", tables: ["SecurityAlert"], text: "SecurityAlert\n| summarize arg_max(TimeGenerated, *) by SystemAlertId\n| project TimeGenerated, AlertSeverity, AlertName, Status, Entities\n| order by TimeGenerated desc" },
  { id: "incidents", tables: ["SecurityIncident"], text: "SecurityIncident\n| summarize arg_max(TimeGenerated, *) by IncidentNumber\n| summarize Incidents = count() by Severity, Status\n| render piechart" },
  { id: "health", tables: ["SentinelHealth"], text: "SentinelHealth\n| summarize Runs = count(), Last = max(TimeGenerated) by SentinelResourceName, Status\n| order by Status asc, Runs desc" },
  { id: "who-asks", tables: ["LAQueryLogs"], text: "LAQueryLogs\n| summarize Queries = count(), Rows = sum(ResponseRowCount) by AADEmail, RequestClientApp\n| order by Queries desc" },
];
/** Those whose tables all have rows; where the number of rows is not known, whose tables are there. */
export const readyFor = (has: (table: string) => boolean): Ready[] => ready.filter((r) => r.tables.every(has));
