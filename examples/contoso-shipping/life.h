/* life.h - what happens in every minute of an ordinary hour, and the writers of the rows that tell
 * it. */
#ifndef CONTOSO_LIFE_H
#define CONTOSO_LIFE_H

#include "estate.h"

/* ---- sign-ins ---- */

struct signin {
    int64_t time;
    const struct person *who;
    const char *ip, *city, *state, *country, *app, *result, *reason, *agent, *client, *os, *browser,
        *token;
    double latitude, longitude;
    bool managed, multi_factor, interactive;
};

static void signin_write(const struct signin *x, struct stream *s)
{
    const struct person *p = x->who;
    char text[40];
    row_begin(x->time);
    str("TenantId", TENANT);
    str("AADTenantId", TENANT);
    str("SourceSystem", "Azure AD");
    str("Category", "SignInLogs");
    str("OperationName", "Sign-in activity");
    guid_new("Id", s);
    guid_new("CorrelationId", s);
    str("ResultType", x->result);
    str("ResultDescription", x->reason);
    str("UserPrincipalName", p->upn);
    str("UserDisplayName", p->display);
    str("UserId", p->id);
    str("UserType", "Member");
    str("AppDisplayName", x->app);
    guid_for(text, x->app, 0);
    str("AppId", text);
    str("ResourceDisplayName",
        strcmp(x->app, "Contoso Driver") == 0 ? "Contoso Fleet API" : "Microsoft Graph");
    str("IPAddress", x->ip);
    str("Location", x->country);
    object("LocationDetails");
    str("city", x->city);
    str("state", x->state);
    str("countryOrRegion", x->country);
    object("geoCoordinates");
    real("latitude", x->latitude, 4);
    real("longitude", x->longitude, 4);
    object_end();
    object_end();
    object("DeviceDetail");
    guid_for(text, "phone", p->index);
    str("deviceId", x->managed ? text : "");
    str("operatingSystem", x->os);
    str("browser", x->browser);
    flag("isCompliant", x->managed);
    flag("isManaged", x->managed);
    str("trustType", x->managed ? "Azure AD registered" : "");
    object_end();
    object("Status");
    num("errorCode", atoi(x->result));
    str("failureReason", x->reason);
    str("additionalDetails", x->multi_factor && strcmp(x->result, "0") == 0
                                 ? "MFA requirement satisfied by claim in the token"
                                 : "");
    object_end();
    str("ClientAppUsed", x->client);
    str("UserAgent", x->agent);
    str("AuthenticationRequirement",
        x->multi_factor ? "multiFactorAuthentication" : "singleFactorAuthentication");
    str("ConditionalAccessStatus", strcmp(x->result, "0") == 0 ? "success" : "notApplied");
    str("IncomingTokenType", x->token);
    flag("IsInteractive", x->interactive);
    str("RiskLevelDuringSignIn", "none");
    str("RiskState", "none");
    str("TokenIssuerType", "AzureAD");
    str("AutonomousSystemNumber", "64500");
    row_end(SIGNIN, x->time);
}

static const struct phone {
    const char *os, *browser, *agent;
} phones[] = {
    {"Android 14", "Chrome Mobile 121", "ContosoDriver/5.2 (Android 14; SM-X306B)"},
    {"Android 13", "Chrome Mobile 120", "ContosoDriver/5.2 (Android 13; SM-T575)"},
    {"Ios 17.3", "Mobile Safari", "ContosoDriver/5.1 (iPhone14,7; iOS 17.3)"},
    {"Windows10", "Edge 121.0",
     "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
     "Chrome/121.0 Edg/121.0"},
};
static const char *const staff_apps[] = {
    "Office 365 Exchange Online",
    "Microsoft Teams",
    "Contoso Fleet Portal",
    "SharePoint Online",
    "Azure Portal",
    "Power BI Service",
    "Contoso Planner",
};

static void signin_usual(struct signin *x, const struct person *p, int64_t time, char ip[48],
                         struct stream *s)
{
    const struct phone *phone = &phones[p->driver ? p->index % 3 : 3];
    const struct depot *d = p->depot;
    bool on_site = chance(s, p->driver ? 350 : 700);
    if (on_site) {
        exit_of(ip, d);
    } else {
        address_of(ip, chance(s, 600) ? "mobile" : "home", p->index);
    }
    *x = (struct signin){.time = time,
                         .who = p,
                         .ip = ip,
                         .city = d->city,
                         .state = d->state,
                         .country = d->country,
                         .result = "0",
                         .reason = "",
                         .agent = phone->agent,
                         .client = p->driver ? "Mobile Apps and Desktop clients" : "Browser",
                         .os = phone->os,
                         .browser = phone->browser,
                         .token = "none",
                         .latitude = d->latitude,
                         .longitude = d->longitude,
                         .managed = true,
                         .multi_factor = chance(s, 800),
                         .interactive = true};
    x->app = p->driver ? "Contoso Driver" : staff_apps[zipf(s, COUNT(staff_apps))];
    /* Antwerp's drivers cross the border all day long; staff sometimes leave through the exit in
     * Frankfurt. */
    if (p->driver && d == &depots[2] && chance(s, 250)) {
        d = &depots[HEADQUARTERS];
        x->city = d->city, x->state = d->state, x->country = d->country;
        x->latitude = d->latitude, x->longitude = d->longitude;
    } else if (!p->driver && d == &depots[HEADQUARTERS] && chance(s, 60)) {
        snprintf(ip, 48, "198.19.100.7");
        x->city = "Frankfurt", x->state = "Hesse", x->country = "DE";
        x->latitude = 50.1109, x->longitude = 8.6821;
    }
}

static void signins_minute(struct stream *s, int64_t from, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct person p;
        struct signin x;
        char ip[48];
        uint32_t index =
            chance(s, 650) ? zipf(s, estate.drivers) : estate.drivers + zipf(s, estate.staff);
        person_get(&p, index);
        signin_usual(&x, &p, from + moment(s, 60), ip, s);
        uint32_t mood = below(s, 1000);
        if (mood < 45) { /* a typing error or two, then the right word */
            for (uint32_t tries = within(s, 1, 2); tries > 0; tries--) {
                x.result = "50126",
                x.reason =
                    "Invalid username or password or Invalid on-premise username or password.";
                signin_write(&x, s);
                x.time += (int64_t)within(s, 9, 40) * SECOND;
            }
            x.result = "0", x.reason = "";
        } else if (mood < 110) {
            x.result = "50074", x.reason = "User did not pass the MFA challenge.",
            x.multi_factor = true;
            signin_write(&x, s);
            x.time += (int64_t)within(s, 5, 25) * SECOND;
            x.result = "0", x.reason = "";
        } else if (mood < 114) {
            x.result = "50055", x.reason = "Invalid password, entered expired password.";
        } else if (mood < 117) {
            x.result = "50053",
            x.reason = "Account is locked because user tried to sign in too many times.";
        } else if (mood < 600) {
            x.token = "refreshToken", x.interactive = false;
        }
        signin_write(&x, s);
    }
}

/* ---- servers: security events, processes, connections ---- */

static void security_begin(int64_t time, const struct server *on, int event, const char *activity,
                           int task)
{
    row_begin(time);
    str("TenantId", TENANT);
    str("SourceSystem", "OpsManager");
    str("Computer", on->name);
    str("Channel", "Security");
    str("EventSourceName", "Microsoft-Windows-Security-Auditing");
    num("EventID", event);
    fmt("Activity", "%d - %s", event, activity);
    num("Task", task);
    str("Level", event == 4625 ? "16" : "8");
}

static void logon_write(int64_t time, const struct server *on, const char *user,
                        const char *from_ip, const char *workstation, int type, bool failed,
                        struct stream *s)
{
    static const char *const kinds[] = {"",          "",           "2 - Interactive", "3 - Network",
                                        "4 - Batch", "5 - Service"};
    security_begin(
        time, on, failed ? 4625 : 4624,
        failed ? "An account failed to log on." : "An account was successfully logged on.", 12544);
    fmt("Account", "CONTOSO\\%s", user);
    str("AccountType", user[strlen(user) - 1] == '$' ? "Machine" : "User");
    fmt("TargetAccount", "CONTOSO\\%s", user);
    str("TargetUserName", user);
    str("TargetDomainName", "CONTOSO");
    fmt("TargetLogonId", "0x%x", below(s, 0x7fffffff));
    num("LogonType", type);
    str("LogonTypeName", kinds[type]);
    str("LogonProcessName", type == 5 ? "Advapi  " : "Kerberos");
    str("AuthenticationPackageName", type == 5 ? "Negotiate" : "Kerberos");
    str("IpAddress", from_ip);
    fmt("IpPort", "%u", type == 3 ? within(s, 49152, 65535) : 0);
    str("WorkstationName", workstation);
    str("SubjectUserName", "-");
    if (failed) {
        str("Status", "0xc000006d");
        str("SubStatus", "0xc000006a");
        str("FailureReason", "%%2313");
    }
    row_end(SECURITY, time);
}

/* One process start, as both the audit log and Defender tell it. */
static void process_write(int64_t time, const struct server *on, const char *domain,
                          const char *user, const char *parent, const char *image,
                          const char *command, struct stream *s)
{
    const char *file = strrchr(image, '\\'), *parent_file = strrchr(parent, '\\');
    file = file == NULL ? image : file + 1;
    parent_file = parent_file == NULL ? parent : parent_file + 1;
    uint32_t pid = within(s, 250, 4000) * 4, parent_pid = within(s, 150, 3000) * 4;

    security_begin(time, on, 4688, "A new process has been created.", 13312);
    fmt("Account", "%s\\%s", domain, user);
    str("AccountType", "User");
    fmt("SubjectAccount", "%s\\%s", domain, user);
    str("SubjectUserName", user);
    str("SubjectDomainName", domain);
    str("NewProcessName", image);
    fmt("NewProcessId", "0x%x", pid);
    str("Process", file);
    str("ParentProcessName", parent);
    fmt("ProcessId", "0x%x", parent_pid);
    str("CommandLine", command);
    str("TokenElevationType", "%%1936");
    row_end(SECURITY, time);

    time += within(s, 1000, 90000);
    row_begin(time);
    str("TenantId", TENANT);
    str("DeviceId", on->id);
    str("DeviceName", on->name);
    str("ActionType", "ProcessCreated");
    str("FileName", file);
    str("FolderPath", image);
    fmt("SHA256", "%016llx%016llx%016llx%016llx",
        (unsigned long long)mix(strlen(image) * 31 + (uint64_t)image[3]),
        (unsigned long long)mix(strlen(file)), (unsigned long long)mix((uint64_t)file[0]),
        (unsigned long long)mix(strlen(image) + (uint64_t)file[1]));
    num("ProcessId", pid);
    str("ProcessCommandLine", command);
    str("ProcessIntegrityLevel", strcmp(user, "SYSTEM") == 0 ? "System" : "High");
    str("AccountDomain", domain);
    str("AccountName", user);
    str("InitiatingProcessFileName", parent_file);
    str("InitiatingProcessFolderPath", parent);
    num("InitiatingProcessId", parent_pid);
    str("InitiatingProcessAccountDomain", domain);
    str("InitiatingProcessAccountName", user);
    num("ReportId", below(s, 1000000));
    row_end(PROCESS, time);
}

struct connection {
    const char *user, *folder, *url, *remote_ip;
    uint32_t remote_port;
    bool failed;
};

static void connection_write(int64_t time, const struct server *on, const struct connection *c,
                             struct stream *s)
{
    const char *file = strrchr(c->folder, '\\');
    bool private_ip = strncmp(c->remote_ip, "10.", 3) == 0;
    row_begin(time);
    str("TenantId", TENANT);
    str("DeviceId", on->id);
    str("DeviceName", on->name);
    str("ActionType", c->failed ? "ConnectionFailed" : "ConnectionSuccess");
    str("Protocol", "Tcp");
    str("LocalIP", on->ip);
    num("LocalPort", within(s, 49152, 65535));
    str("LocalIPType", "Private");
    str("RemoteIP", c->remote_ip);
    num("RemotePort", c->remote_port);
    str("RemoteIPType", private_ip ? "Private" : "Public");
    str("RemoteUrl", c->url);
    str("InitiatingProcessFileName", file == NULL ? c->folder : file + 1);
    str("InitiatingProcessFolderPath", c->folder);
    num("InitiatingProcessId", within(s, 250, 4000) * 4);
    str("InitiatingProcessAccountDomain",
        strcmp(c->user, "system") == 0 ? "nt authority" : "contoso");
    str("InitiatingProcessAccountName", c->user);
    num("ReportId", below(s, 1000000));
    row_end(NETWORK, time);
}

static const struct program {
    const char *parent, *image, *command, *user; /* user NULL: somebody of the staff */
} programs[] = {
    {"C:\\Windows\\System32\\services.exe", "C:\\Windows\\System32\\svchost.exe",
     "C:\\Windows\\system32\\svchost.exe -k netsvcs -p -s gpsvc", "SYSTEM"},
    {"C:\\Windows\\System32\\svchost.exe", "C:\\Windows\\System32\\taskhostw.exe", "taskhostw.exe",
     "SYSTEM"},
    {"C:\\Windows\\System32\\svchost.exe", "C:\\Windows\\System32\\wbem\\WmiPrvSE.exe",
     "C:\\Windows\\system32\\wbem\\wmiprvse.exe -secured -Embedding", "SYSTEM"},
    {"C:\\Program Files\\Contoso\\Router\\routerd.exe",
     "C:\\Program Files\\Contoso\\Router\\mapcut.exe", "mapcut.exe --tiles 12 --out D:\\maps",
     "svc-routeplan"},
    {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\robocopy.exe",
     "robocopy D:\\maps E:\\maps /MIR /R:2", "svc-backup"},
    {"C:\\Windows\\System32\\svchost.exe",
     "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
     "powershell.exe -NoProfile -File C:\\Scripts\\Rotate-Logs.ps1", "SYSTEM"},
    {"C:\\Windows\\System32\\services.exe", "C:\\Program Files\\Contoso\\Deploy\\agent.exe",
     "\"C:\\Program Files\\Contoso\\Deploy\\agent.exe\" --once", "SYSTEM"},
    {"C:\\Program Files\\Contoso\\Deploy\\agent.exe", "C:\\Windows\\System32\\msiexec.exe",
     "msiexec.exe /i C:\\ProgramData\\Contoso\\router-5.2.msi /qn", "SYSTEM"},
    {"C:\\Windows\\System32\\services.exe", "C:\\Windows\\servicing\\TrustedInstaller.exe",
     "C:\\Windows\\servicing\\TrustedInstaller.exe", "SYSTEM"},
    {"C:\\Windows\\explorer.exe", "C:\\Windows\\System32\\mmc.exe",
     "mmc.exe C:\\Windows\\system32\\services.msc", NULL},
    {"C:\\Windows\\explorer.exe", "C:\\Windows\\System32\\cmd.exe",
     "\"C:\\Windows\\system32\\cmd.exe\"", NULL},
    {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\ipconfig.exe", "ipconfig /all",
     NULL},
    {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\PING.EXE", "ping rot-dc01", NULL},
    {"C:\\Windows\\System32\\wscript.exe", "C:\\Windows\\System32\\net.exe",
     "net use M: \\\\rot-fs01\\maps", NULL},
    {"C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
     "C:\\Windows\\System32\\schtasks.exe", "schtasks /query /fo csv", "svc-monitor"},
    {"C:\\Windows\\System32\\services.exe", "C:\\Windows\\System32\\VSSVC.exe",
     "C:\\Windows\\system32\\vssvc.exe", "SYSTEM"},
    {"C:\\Windows\\System32\\svchost.exe", "C:\\Windows\\System32\\rundll32.exe",
     "C:\\Windows\\System32\\rundll32.exe "
     "C:\\Windows\\System32\\shell32.dll,SHCreateLocalServerRunDll",
     "SYSTEM"},
    {"C:\\Windows\\System32\\msiexec.exe", "C:\\Windows\\System32\\regsvr32.exe",
     "regsvr32 /s \"C:\\Program Files\\Contoso\\Router\\geo.dll\"", "SYSTEM"},
    /* The deployment tool encodes its commands and hides nothing. */
    {"C:\\Program Files\\Contoso\\Deploy\\agent.exe",
     "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
     "powershell.exe -NoProfile -NonInteractive -ExecutionPolicy RemoteSigned -EncodedCommand "
     "RwBlAHQALQBTAGUAcgB2AGkAYwBlACAALQBOAGEAbQBlACAAcgBvAHUAdABlAHIAZAAgAHwAIABSAGUAcwB0AGEAcgB0A"
     "C0AUwBlAHIAdgBpAGMAZQA=",
     "svc-deploy"},
};

static const struct service_call {
    const char *user, *folder, *url, *remote_ip;
    uint32_t port;
} calls[] = {
    {"svc-routeplan", "C:\\Program Files\\Contoso\\Router\\routerd.exe",
     "contosoroutes.blob.core.windows.net", "198.19.200.10", 443},
    {"svc-routeplan", "C:\\Program Files\\Contoso\\Router\\routerd.exe",
     "kv-contoso-fleet.vault.azure.net", "198.19.200.20", 443},
    {"system", "C:\\Windows\\System32\\svchost.exe", "ctldl.windowsupdate.com", "198.19.210.5", 80},
    {"system", "C:\\Windows\\System32\\lsass.exe", "", "10.20.0.12", 88},
    {"system", "C:\\Program Files\\Windows Defender\\MsMpEng.exe", "wdcp.microsoft.com",
     "198.19.210.9", 443},
    {"system", "C:\\Program Files\\Contoso\\Deploy\\agent.exe", "", "10.20.0.16", 8443},
    {"system",
     "C:\\ProgramData\\Microsoft\\Windows Defender\\Platform\\4.18\\MpDefenderCoreService.exe",
     "events.data.microsoft.com", "198.19.210.11", 443},
    {"svc-backup", "C:\\Program Files\\Contoso\\Backup\\bkp.exe", "", "10.20.0.15", 10006},
    {"system", "C:\\Windows\\System32\\svchost.exe", "", "10.20.0.12", 389},
};

static void servers_minute(struct stream *s, int64_t from, uint32_t minute, uint32_t scale)
{
    char short_name[64];
    for (uint32_t i = 0; i < 55 * scale;
         i++) { /* people and services on file and application servers */
        struct person p;
        const struct server *on = &servers[zipf(s, server_count)];
        person_get(&p, chance(s, 300) ? estate.drivers + zipf(s, estate.staff)
                                      : zipf(s, estate.drivers));
        int64_t at = from + moment(s, 60);
        char ip[48];
        uint32_t net = 20 + below(s, DEPOTS), part = within(s, 4, 9);
        snprintf(ip, sizeof ip, "10.%u.%u.%u", net, part, within(s, 2, 250));
        snprintf(short_name, sizeof short_name, "WS-%04u", p.index);
        if (chance(s, 30)) {
            logon_write(at, on, p.login, ip, short_name, 3, true, s);
            at += (int64_t)within(s, 3, 20) * SECOND;
        }
        logon_write(at, on, p.login, ip, short_name, 3, false, s);
    }
    for (uint32_t i = 0; i < 12 * scale; i++) {
        const struct server *on = &servers[below(s, server_count)];
        const char *user = chance(s, 500) ? "svc-routeplan" : "svc-backup";
        logon_write(from + moment(s, 60), on, user, "-", "-", 5, false, s);
    }
    /* Monitoring greets every server each five minutes; software deployment visits one a minute. */
    for (uint32_t i = 0; minute % 5 == 0 && i < server_count; i++) {
        logon_write(from + moment(s, 60), &servers[i], "svc-monitor", servers[monitor].ip,
                    "ROT-MON01", 3, false, s);
    }
    logon_write(from + moment(s, 60), &servers[minute % server_count], "svc-deploy",
                servers[deploy].ip, "ROT-DEP01", 3, false, s);
    if (minute % 4 == 0) {
        const struct server *on = &servers[below(s, server_count)];
        logon_write(from + moment(s, 60), on, "svc-backup", servers[backup].ip, "ROT-BKP01", 3,
                    false, s);
    }
    for (uint32_t i = 0; i < 26 * scale; i++) {
        const struct program *program = &programs[zipf(s, COUNT(programs))];
        struct person p;
        person_get(&p, estate.drivers + zipf(s, estate.staff / 6)); /* administrators */
        bool system = program->user != NULL && strcmp(program->user, "SYSTEM") == 0;
        const struct server *on = &servers[below(s, server_count)];
        process_write(from + moment(s, 60), on, system ? "NT AUTHORITY" : "CONTOSO",
                      program->user == NULL ? p.login : program->user, program->parent,
                      program->image, program->command, s);
    }
    for (uint32_t i = 0; i < 150 * scale; i++) {
        const struct service_call *call = &calls[zipf(s, COUNT(calls))];
        struct connection c = {call->user,      call->folder, call->url,
                               call->remote_ip, call->port,   chance(s, 12)};
        const struct server *on = &servers[below(s, server_count)];
        connection_write(from + moment(s, 60), on, &c, s);
    }
}

/* ---- vault and storage ---- */

struct vault_read {
    int64_t time;
    const char *vault, *operation, *kind, *name, *app, *upn, *ip;
    bool denied;
};

static void vault_write(const struct vault_read *v, struct stream *s)
{
    char text[40];
    row_begin(v->time);
    str("TenantId", TENANT);
    fmt("ResourceId",
        "/SUBSCRIPTIONS/%s/RESOURCEGROUPS/RG-FLEET/PROVIDERS/MICROSOFT.KEYVAULT/VAULTS/%s",
        SUBSCRIPTION, v->vault);
    str("ResourceProvider", "MICROSOFT.KEYVAULT");
    str("ResourceType", "VAULTS");
    str("ResourceGroup", "RG-FLEET");
    str("Resource", v->vault);
    str("Category", "AuditEvent");
    str("OperationName", v->operation);
    str("OperationVersion", "7.4");
    str("ResultType", "Success");
    str("ResultSignature", v->denied ? "Forbidden" : "OK");
    real("httpStatusCode_d", v->denied ? 403 : 200, 1);
    num("DurationMs", within(s, 8, 60));
    str("CallerIPAddress", v->ip);
    guid_new("CorrelationId", s);
    str("clientInfo_s",
        v->upn == NULL ? "azsdk-net-Security.KeyVault.Secrets/4.5.0" : "Mozilla/5.0");
    char vault[64];
    size_t bytes = strlen(v->vault);
    if (bytes >= sizeof vault) bytes = sizeof vault - 1;
    for (size_t i = 0; i < bytes; i++)
        vault[i] =
            (char)(v->vault[i] >= 'A' && v->vault[i] <= 'Z' ? v->vault[i] + 32 : v->vault[i]);
    vault[bytes] = '\0';
    fmt("id_s", "https://%s.vault.azure.net/%s/%s", vault, v->kind, v->name);
    fmt("requestUri_s", "https://%s.vault.azure.net/%s/%s?api-version=7.4", vault, v->kind,
        v->name);
    guid_for(text, v->app, 0);
    str("identity_claim_appid_g", text);
    if (v->upn != NULL) {
        str("identity_claim_http_schemas_xmlsoap_org_ws_2005_05_identity_claims_upn_s", v->upn);
    }
    row_end(VAULT, v->time);
}

struct blob_call {
    int64_t time;
    const char *operation, *key, *app, *ip, *agent;
    uint32_t bytes;
    bool missing;
};

static void blob_write(const struct blob_call *b, struct stream *s)
{
    char app[40];
    bool reads = strncmp(b->operation, "Get", 3) == 0 || strncmp(b->operation, "List", 4) == 0;
    guid_for(app, b->app, 0);
    row_begin(b->time);
    str("TenantId", TENANT);
    fmt("_ResourceId",
        "/subscriptions/%s/resourcegroups/rg-fleet/providers/microsoft.storage/storageaccounts/"
        "contosoroutes",
        SUBSCRIPTION);
    str("AccountName", "contosoroutes");
    str("ServiceType", "blob");
    str("Category", reads ? "StorageRead" : "StorageWrite");
    str("OperationName", b->operation);
    num("OperationCount", 0);
    str("StatusCode", b->missing ? "404" : reads ? "200" : "201");
    str("StatusText", b->missing ? "BlobNotFound" : "Success");
    str("AuthenticationType", "OAuth");
    str("RequesterAppId", app);
    guid_for(app, b->app, 1);
    str("RequesterObjectId", app);
    fmt("CallerIpAddress", "%s:%u", b->ip, within(s, 49152, 65535));
    str("UserAgentHeader", b->agent);
    fmt("ObjectKey", "/contosoroutes/%s", b->key);
    fmt("Uri", "https://contosoroutes.blob.core.windows.net:443/%s", b->key);
    num("RequestBodySize", reads ? 0 : b->bytes);
    num("ResponseBodySize", reads && !b->missing ? b->bytes : 0);
    real("DurationMs", within(s, 3, 90), 1);
    real("ServerLatencyMs", within(s, 2, 40), 1);
    str("Protocol", "HTTPS");
    str("TlsVersion", "TLS 1.2");
    str("Location", "westeurope");
    guid_new("CorrelationId", s);
    row_end(BLOB, b->time);
}

static void cloud_minute(struct stream *s, int64_t from, uint32_t minute, uint32_t scale)
{
    char name[96], app[48], ip[48];
    for (uint32_t i = 0; i < 55 * scale;
         i++) { /* each depot's services read their own few secrets */
        const struct depot *d = &depots[zipf(s, DEPOTS)];
        static const char *const few[] = {"storage-sas", "router-db", "maps-api", "mq-send"};
        snprintf(app, sizeof app, "app-router-%s", d->lower);
        snprintf(ip, sizeof ip, "10.%u.0.%u", (unsigned)(20 + (d - depots)), within(s, 30, 31));
        snprintf(name, sizeof name, "%s-%s", d->lower, few[zipf(s, COUNT(few))]);
        bool key = chance(s, 150);
        if (key) snprintf(name, sizeof name, "%s-signing", d->lower);
        int64_t at = from + moment(s, 60);
        bool denied = chance(s, 4);
        struct vault_read v = {at,
                               "KV-CONTOSO-FLEET",
                               key ? "KeyGet" : "SecretGet",
                               key ? "keys" : "secrets",
                               name,
                               app,
                               NULL,
                               ip,
                               denied};
        vault_write(&v, s);
    }
    if (minute % 3 == 0) { /* people look up one or two secrets */
        struct person p;
        person_get(&p, estate.drivers + zipf(s, estate.staff / 6));
        exit_of(ip, p.depot);
        for (uint32_t n = within(s, 1, 2), i = 0; i < n; i++) {
            snprintf(name, sizeof name, "ops-%02u", zipf(s, 24));
            int64_t at = from + moment(s, 60);
            bool denied = chance(s, 60);
            struct vault_read v = {at,    "KV-CONTOSO-OPS", "SecretGet", "secrets",
                                   name,  "azure-portal",   p.upn,       ip,
                                   denied};
            vault_write(&v, s);
        }
    }
    for (uint32_t i = 0; i < 75 * scale;
         i++) { /* routers read today's route maps of their depot, again and again */
        const struct depot *d = &depots[zipf(s, DEPOTS)];
        snprintf(app, sizeof app, "app-router-%s", d->lower);
        snprintf(ip, sizeof ip, "10.%u.0.%u", (unsigned)(20 + (d - depots)), within(s, 30, 31));
        snprintf(name, sizeof name, "route-maps/%s/rt-%04u.geojson", d->lower, zipf(s, 90));
        int64_t at = from + moment(s, 60);
        uint32_t bytes = within(s, 20000, 240000);
        bool missing = chance(s, 9);
        struct blob_call b = {at,    "GetBlob", name, app, ip, "azsdk-net-Storage.Blobs/12.19.1",
                              bytes, missing};
        blob_write(&b, s);
    }
    for (uint32_t i = 0; i < 40 * scale;
         i++) { /* deliveries leave a signature; customer service looks at a few */
        const struct depot *d = &depots[zipf(s, DEPOTS)];
        bool look = chance(s, 120);
        uint32_t net = below(s, 256);
        snprintf(ip, sizeof ip, "198.18.%u.%u", net, within(s, 1, 254));
        if (look) exit_of(ip, &depots[HEADQUARTERS]);
        snprintf(name, sizeof name, "signatures/%s/%08x.png", d->lower, (unsigned)(draw(s) >> 32));
        int64_t at = from + moment(s, 60);
        uint32_t bytes = within(s, 4000, 19000);
        struct blob_call b = {at,    look ? "GetBlob" : "PutBlob",
                              name,  look ? "app-customer-care" : "app-driver",
                              ip,    look ? "Mozilla/5.0" : "ContosoDriver/5.2",
                              bytes, false};
        blob_write(&b, s);
    }
    /* The nightly copy runs late: many objects, of one container. */
    for (uint32_t i = 0; minute < 20 && i < 40; i++) {
        snprintf(name, sizeof name, "manifests/%s/m-%06u.json", depots[i % DEPOTS].lower,
                 minute * 40 + i);
        int64_t at = from + moment(s, 60);
        uint32_t bytes = within(s, 900, 7000);
        struct blob_call b = {at,
                              "GetBlob",
                              name,
                              "app-backup",
                              servers[backup].ip,
                              "AzCopy/10.23.0 Azure-Storage/0.15",
                              bytes,
                              false};
        blob_write(&b, s);
    }
}

/* ---- drones and trucks ---- */

enum { FLIGHT_DOCKED, FLIGHT_OUT, FLIGHT_DROP, FLIGHT_BACK };
static const char *const flight_names[] = {"Docked", "Outbound", "Delivering", "Returning"};

struct vehicle {
    const struct depot *home, *to;
    double latitude, longitude, battery, speed_kmh, heading;
    double leg_km, gone_km;
    int64_t next, last, until;
    uint64_t messages;
    uint32_t route, address, handovers;
    int state;
};

static struct vehicle *drones, *trucks;

static void vehicle_step(struct vehicle *v, double km)
{
    v->latitude += km * cosine(v->heading) / 111.2;
    v->longitude += km * sine(v->heading) / (111.2 * cosine(v->latitude));
    v->gone_km += km;
}

static void drone_dock(struct vehicle *v, int64_t time, struct stream *s)
{
    v->state = FLIGHT_DOCKED;
    v->latitude = v->home->latitude + 0.01;
    v->longitude = v->home->longitude - 0.01;
    v->speed_kmh = 0;
    v->until = time + (int64_t)within(s, 180, 900) * SECOND;
}

static void drone_leave(struct vehicle *v, struct stream *s)
{
    v->state = FLIGHT_OUT;
    v->route = within(s, 1000, 9999);
    v->heading = within(s, 0, 359);
    v->leg_km = within(s, 25, 110) / 10.0;
    v->gone_km = 0;
    v->handovers = chance(s, 180) ? within(s, 1, 3) : 0;
}

static void drone_write(const struct vehicle *v, uint32_t number, int64_t time, const char *ip,
                        double latitude, double longitude, uint64_t messages)
{
    row_begin(time);
    str("TenantId", TENANT);
    fmt("DeviceId", "drone-%s-%04u", v->home->lower, number);
    fmt("KeyId", "dk-%04u-%04x", number, (unsigned)(mix(number) & 0xffff));
    str("SourceIpAddress", ip);
    str("DepotCode", v->home->code);
    fmt("RouteId", "rt-%04u", v->route);
    str("FlightState", flight_names[v->state]);
    real("Latitude", latitude, 5);
    real("Longitude", longitude, 5);
    num("AltitudeMeters", v->state == FLIGHT_DOCKED ? 0
                          : v->state == FLIGHT_DROP ? 12
                                                    : 80 + number % 40);
    real("SpeedKmh", v->speed_kmh, 1);
    num("HeadingDegrees", (int64_t)v->heading);
    real("BatteryPercent", v->battery, 1);
    str("FirmwareVersion", number % 7 == 0 ? "3.8.2" : "3.9.0");
    num("MessageSequence", (int64_t)messages);
    row_end(DRONE, time);
}

static void drone_move(struct vehicle *v, int64_t time, struct stream *s)
{
    double hours = (double)(time - v->last) / (3600.0 * SECOND);
    if (v->state == FLIGHT_OUT || v->state == FLIGHT_BACK) {
        v->speed_kmh = within(s, 420, 660) / 10.0;
        vehicle_step(v, v->speed_kmh * hours);
        v->battery -= 130 * hours;
        if (v->handovers > 0 &&
            chance(s, 40)) { /* another cell, another address; sometimes back again */
            v->handovers--;
            v->address ^= 1;
        }
        if (v->gone_km >= v->leg_km && v->state == FLIGHT_OUT) {
            v->state = FLIGHT_DROP;
            v->speed_kmh = 0;
            v->until = time + (int64_t)within(s, 30, 90) * SECOND;
        } else if (v->gone_km >= v->leg_km) {
            drone_dock(v, time, s);
        }
    } else if (v->state == FLIGHT_DROP) {
        v->battery -= 70 * hours;
        if (time >= v->until) {
            v->state = FLIGHT_BACK;
            v->heading = v->heading >= 180 ? v->heading - 180 : v->heading + 180;
            v->gone_km = 0;
        }
    } else {
        v->battery += 170 * hours;
        if (time >= v->until && v->battery > 60) drone_leave(v, s);
    }
    if (v->battery > 100) v->battery = 100;
    if (v->battery < 11) v->battery = 11;
    v->last = time;
}

static void drones_minute(struct stream *s, int64_t until)
{
    char ip[48];
    for (uint32_t i = 0; i < estate.drones; i++) {
        struct vehicle *v = &drones[i];
        while (v->next < until) {
            drone_move(v, v->next, s);
            address_of(ip, "drone", (uint64_t)i * 2 + v->address);
            drone_write(v, i, v->next, ip, v->latitude, v->longitude, ++v->messages);
            v->next +=
                (int64_t)(v->state == FLIGHT_DOCKED ? 30 : 10) * SECOND + below(s, 900000) - 450000;
        }
    }
}

static void trucks_minute(struct stream *s, int64_t until)
{
    char ip[48];
    for (uint32_t i = 0; i < estate.trucks; i++) {
        struct vehicle *v = &trucks[i];
        for (; v->next < until; v->next += 30 * SECOND + below(s, 2 * SECOND) - SECOND) {
            double hours = (double)(v->next - v->last) / (3600.0 * SECOND);
            if (v->state == FLIGHT_OUT) {
                v->speed_kmh = within(s, 610, 880) / 10.0;
                v->heading += within(s, 0, 10) - 5.0;
                if (v->heading < 0) v->heading += 360;
                if (v->heading >= 360) v->heading -= 360;
                vehicle_step(v, v->speed_kmh * hours);
                v->battery -= 24 * hours;
                if (v->battery < 15 || chance(s, 4)) {
                    v->state = FLIGHT_DOCKED;
                    v->until = v->next + (int64_t)within(s, 600, 1500) * SECOND;
                }
            } else {
                v->speed_kmh = 0;
                v->battery += 90 * hours;
                if (v->battery > 100) v->battery = 100;
                if (v->next >= v->until) v->state = FLIGHT_OUT;
            }
            v->last = v->next;
            struct person p;
            person_get(&p, i % estate.drivers);
            address_of(ip, "truck", i);
            row_begin(v->next);
            str("TenantId", TENANT);
            fmt("DeviceId", "truck-%s-%04u", v->home->lower, i);
            fmt("KeyId", "tk-%04u-%04x", i, (unsigned)(mix(i + 77777) & 0xffff));
            str("SourceIpAddress", ip);
            str("DriverUpn", p.upn);
            str("DepotCode", v->home->code);
            str("DestinationDepotCode", v->to->code);
            str("DriveState", v->state == FLIGHT_OUT ? "Driving" : "Parked");
            real("Latitude", v->latitude, 5);
            real("Longitude", v->longitude, 5);
            real("SpeedKmh", v->speed_kmh, 1);
            num("HeadingDegrees", (int64_t)v->heading);
            real("BatteryPercent", v->battery, 1);
            real("CargoCelsius", 3 + (i % 5) + below(s, 20) / 10.0, 1);
            num("MessageSequence", (int64_t)++v->messages);
            row_end(TRUCK, v->next);
        }
    }
}

static void vehicles_build(struct stream *s)
{
    drones = calloc(estate.drones, sizeof *drones);
    trucks = calloc(estate.trucks, sizeof *trucks);
    if (drones == NULL || trucks == NULL) die("out of memory");
    for (uint32_t i = 0; i < estate.drones; i++) {
        struct vehicle *v = &drones[i];
        v->home = v->to = &depots[i % DEPOTS];
        v->next = v->last = estate.start + moment(s, 10);
        v->battery = within(s, 62, 100);
        drone_dock(v, v->next, s);
        v->until = v->next + (int64_t)below(s, 600) * SECOND;
        v->route = within(s, 1000, 9999);
        v->messages = within(s, 10000, 90000);
        if (chance(s, 600)) drone_leave(v, s);
    }
    for (uint32_t i = 0; i < estate.trucks; i++) {
        struct vehicle *v = &trucks[i];
        v->home = &depots[i % DEPOTS];
        v->to = &depots[(i + 1 + i / DEPOTS % (DEPOTS - 1)) % DEPOTS];
        v->next = v->last = estate.start + moment(s, 30);
        v->latitude = v->home->latitude + within(s, 0, 80) / 100.0 - 0.4;
        v->longitude = v->home->longitude + within(s, 0, 80) / 100.0 - 0.4;
        v->battery = within(s, 35, 100);
        v->heading = within(s, 0, 359);
        v->messages = within(s, 10000, 90000);
        v->state = chance(s, 750) ? FLIGHT_OUT : FLIGHT_DOCKED;
        v->until = v->next + (int64_t)below(s, 900) * SECOND;
    }
}

#endif
