/* attack.h - the planted story. What is written here is also told in truth.json. */
#ifndef CONTOSO_ATTACK_H
#define CONTOSO_ATTACK_H

#include "life.h"

/* ---- the attack ---- */

static FILE *truth;

static void truth_step(const char *step, const char *techniques, int64_t from, int64_t to,
                       const char *table, uint32_t rows, const char *format, ...)
    __attribute__((format(printf, 7, 8)));

static void truth_step(const char *step, const char *techniques, int64_t from, int64_t to,
                       const char *table, uint32_t rows, const char *format, ...)
{
    char text[2][32], entities[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(entities, sizeof entities, format, args);
    va_end(args);
    stamp(text[0], from);
    stamp(text[1], to);
    fprintf(truth,
            ",\n{\"step\":\"%s\",\"techniques\":\"%s\",\"start\":\"%s\",\"end\":\"%s\",\"table\":"
            "\"%s\",\"rows\":%u,"
            "\"entities\":{%s}}",
            step, techniques, text[0], text[1], table, rows, entities);
}

/* Minute and second of the story to time: the story's hour ends with the run, and is squeezed if
 * that is shorter. */
static int64_t story(uint32_t minute, double second)
{
    int64_t run = estate.end - estate.start, hour = 60 * MINUTE;
    double at = (double)((int64_t)minute * MINUTE) + second * (double)SECOND;
    if (run >= hour) return estate.end - hour + (int64_t)at;
    return estate.start + (int64_t)(at * (double)run / (double)hour);
}

static const char *const spray_ip = "203.0.113.77", *const token_ip = "192.0.2.144",
                         *const drone_ip = "198.51.100.23", *const control_ip = "198.51.100.77";

static void attack_spray(const struct person *victim, struct stream *s)
{
    struct signin x = {
        .ip = spray_ip,
        .city = "Berlin",
        .state = "Berlin",
        .country = "DE",
        .app = "Contoso Driver",
        .result = "50126",
        .agent = "python-requests/2.31.0",
        .client = "Other clients",
        .os = "",
        .browser = "Python Requests 2.31",
        .token = "none",
        .latitude = 52.52,
        .longitude = 13.405,
        .reason = "Invalid username or password or Invalid on-premise username or password.",
        .interactive = true};
    uint32_t rows = 0, users = 120;
    for (uint32_t i = 0; i < users; i++) {
        struct person p;
        person_get(&p, (i * 3 + 1) % estate.drivers);
        x.who = &p;
        for (uint32_t tries = within(s, 1, 2), t = 0; t < tries && p.index != victim->index;
             t++, rows++) {
            x.time = story(12 + 3 * t, i * 1.55 + below(s, 1000) / 1000.0);
            signin_write(&x, s);
        }
    }
    x.who = victim;
    x.time = story(18, 12);
    x.result = "0", x.reason = "";
    signin_write(&x, s);
    truth_step("password spray", "T1110.003", story(12, 0), story(18, 12), "SigninLogs", rows + 1,
               "\"sourceIp\":\"%s\",\"usersTried\":%u,\"compromised\":\"%s\"", spray_ip, users,
               victim->upn);
}

static void attack_token(const struct person *victim, struct stream *s)
{
    static const char *const used[] = {"Contoso Fleet Portal", "Azure Portal", "Azure Key Vault",
                                       "Contoso Fleet Portal"};
    struct signin x;
    char ip[48];
    signin_usual(&x, victim, story(19, 40), ip, s);
    signin_write(&x, s);
    for (uint32_t i = 0; i < COUNT(used); i++) {
        struct signin y = {
            .time = story(23, 5 + 18.0 * i),
            .who = victim,
            .ip = token_ip,
            .city = "Singapore",
            .state = "Central Singapore",
            .country = "SG",
            .app = used[i],
            .result = "0",
            .reason = "",
            .agent = "Mozilla/5.0 (X11; Linux x86_64; rv:122.0) Gecko/20100101 Firefox/122.0",
            .client = "Browser",
            .os = "Linux",
            .browser = "Firefox 122.0",
            .token = "refreshToken",
            .latitude = 1.3521,
            .longitude = 103.8198,
            .interactive = i == 0};
        signin_write(&y, s);
    }
    truth_step("token used from an impossible place", "T1078.004 T1550.001", story(23, 5),
               story(24, 5), "SigninLogs", COUNT(used),
               "\"account\":\"%s\",\"sourceIp\":\"%s\",\"usualCity\":\"%s\",\"city\":\"Singapore\"",
               victim->upn, token_ip, x.city);
}

static void attack_drone(const struct person *victim, struct stream *s)
{
    struct vehicle copy = drones[STORY_DRONE];
    char name[32];
    snprintf(name, sizeof name, "drone-key-%04u", (unsigned)STORY_DRONE);
    struct vault_read v = {story(24, 31),  "KV-CONTOSO-FLEET", "SecretGet", "secrets", name,
                           "azure-portal", victim->upn,        token_ip,    false};
    vault_write(&v, s);
    truth_step("drone key read from the vault", "T1555.006", v.time, v.time, "AzureDiagnostics", 1,
               "\"account\":\"%s\",\"sourceIp\":\"%s\",\"secret\":\"%s\"", victim->upn, token_ip,
               name);
    uint32_t rows = 0;
    copy.state = FLIGHT_OUT;
    copy.battery = 74;
    copy.heading = 205;
    copy.latitude = copy.home->latitude - 0.08;
    copy.longitude = copy.home->longitude + 0.11;
    for (uint32_t second = 0; second < 18 * 60; second += 10, rows++) {
        copy.speed_kmh = within(s, 480, 560) / 10.0;
        vehicle_step(&copy, copy.speed_kmh * 10 / 3600);
        copy.battery -= 0.3;
        drone_write(&copy, STORY_DRONE, story(27, second + below(s, 800) / 1000.0), drone_ip,
                    copy.latitude, copy.longitude, copy.messages + 500000 + rows);
    }
    truth_step("stolen drone key sends from a second address", "T1078 T1565.002", story(27, 0),
               story(45, 0), "DroneTelemetry_CL", rows,
               "\"device\":\"drone-%s-%04u\",\"key\":\"dk-%04u-%04x\",\"sourceIp\":\"%s\"",
               copy.home->lower, (unsigned)STORY_DRONE, (unsigned)STORY_DRONE,
               (unsigned)(mix(STORY_DRONE) & 0xffff), drone_ip);
}

static void attack_lateral(struct stream *s)
{
    static const char *const image = "C:\\Windows\\rtsyncsvc.exe", *const user = "svc-routeplan";
    static const struct program steps[] = {
        {"C:\\Windows\\System32\\services.exe", "C:\\Windows\\rtsyncsvc.exe",
         "C:\\Windows\\rtsyncsvc.exe", "SYSTEM"},
        {"C:\\Windows\\rtsyncsvc.exe", "C:\\Windows\\System32\\cmd.exe", "cmd.exe /q", "SYSTEM"},
        {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\whoami.exe", "whoami /all",
         "SYSTEM"},
        {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\nltest.exe",
         "nltest /dclist:contoso", "SYSTEM"},
        {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\net.exe",
         "net group \"Domain Admins\" /domain", "SYSTEM"},
        {"C:\\Windows\\System32\\cmd.exe", "C:\\Windows\\System32\\tasklist.exe", "tasklist /svc",
         "SYSTEM"},
        {"C:\\Windows\\System32\\cmd.exe",
         "C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe",
         "powershell.exe -NoP -W Hidden -Enc "
         "RwBlAHQALQBDAGgAaQBsAGQASQB0AGUAbQAgAEQAOgBcAG0AYQBwAHMAIAAtAFIAZQBjAHUAcgBzAGUAIAB8ACAAT"
         "QBlAGEAcwB1AHIAZQAtAE8AYgBqAGUAYwB0AA==",
         "SYSTEM"},
    };
    const struct server *from = &servers[portal], *target = &servers[story_server];
    uint32_t rows = 0, tried = 0;
    for (size_t d = 0; d < DEPOTS; d++) { /* file servers, one depot after the other */
        const struct server *on = &servers[d * (estate.app_servers + 1)];
        bool opens = on == target || d == 5;
        logon_write(story(33, 11.0 * (double)d), on, user, from->ip, "ROT-PORTAL01", 3, !opens, s);
        rows++, tried++;
    }
    logon_write(story(35, 2), target, user, from->ip, "ROT-PORTAL01", 3, false, s);
    security_begin(story(35, 9), target, 4697, "A service was installed in the system.", 12289);
    fmt("Account", "CONTOSO\\%s", user);
    str("AccountType", "User");
    str("SubjectUserName", user);
    str("SubjectDomainName", "CONTOSO");
    str("ServiceName", "RouteSync");
    str("ServiceFileName", "%SystemRoot%\\rtsyncsvc.exe");
    str("ServiceType", "0x10");
    num("ServiceStartType", 3);
    str("ServiceAccount", "LocalSystem");
    row_end(SECURITY, story(35, 9));
    for (size_t i = 0; i < COUNT(steps); i++) {
        process_write(story(35, 11 + 13.0 * (double)i), target, "NT AUTHORITY", steps[i].user,
                      steps[i].parent, steps[i].image, steps[i].command, s);
    }
    rows += 2 + (uint32_t)COUNT(steps);
    truth_step("lateral movement to a depot server", "T1021.002 T1543.003 T1569.002 T1087.002",
               story(33, 0), story(36, 29), "SecurityEvent", rows,
               "\"account\":\"CONTOSO\\\\%s\",\"from\":\"%s\",\"sourceIp\":\"%s\",\"to\":\"%s\","
               "\"serversTried\":%u,"
               "\"service\":\"RouteSync\",\"image\":\"C:\\\\Windows\\\\rtsyncsvc.exe\"",
               user, from->name, from->ip, target->name, tried);
    struct connection c = {"system", image, "", control_ip, 443, false};
    rows = 0;
    for (uint32_t second = 0; second < 14 * 60; second += 20, rows++) {
        connection_write(story(36, second + below(s, 4000) / 1000.0), target, &c, s);
    }
    truth_step("control channel", "T1071.001", story(36, 0), story(50, 0), "DeviceNetworkEvents",
               rows,
               "\"host\":\"%s\",\"remoteIp\":\"%s\",\"image\":\"C:\\\\Windows\\\\rtsyncsvc.exe\"",
               target->name, control_ip);
}

static void attack_sweep(struct stream *s)
{
    const struct server *from = &servers[story_server];
    static const char *const app = "app-router-ham", *const agent =
                                                         "azcopy-custom Python-urllib/3.11";
    char name[96];
    uint32_t maps = 900, signatures = 500, secrets = 36, keys = 4;
    for (uint32_t i = 0; i < maps + signatures; i++) {
        const struct depot *d = &depots[i % DEPOTS];
        if (i < maps) {
            snprintf(name, sizeof name, "route-maps/%s/rt-%04u.geojson", d->lower, i / DEPOTS);
        } else {
            snprintf(name, sizeof name, "signatures/%s/%08x.png", d->lower,
                     (unsigned)(mix(i) >> 32));
        }
        int64_t at = story(41, i * 0.33 + below(s, 200) / 1000.0);
        uint32_t bytes = i < maps ? within(s, 20000, 240000) : within(s, 4000, 19000);
        struct blob_call b = {
            at, i == 0 ? "ListBlobs" : "GetBlob", name, app, from->ip, agent, bytes, false};
        blob_write(&b, s);
    }
    truth_step(
        "data sweep of route maps and signatures", "T1530 T1119", story(41, 0), story(48, 42),
        "StorageBlobLogs", maps + signatures,
        "\"application\":\"%s\",\"sourceIp\":\"%s\",\"containers\":[\"route-maps\",\"signatures\"]",
        app, from->ip);
    for (uint32_t i = 0; i < secrets + keys; i++) {
        bool key = i >= secrets;
        snprintf(name, sizeof name, key ? "%s-signing" : "drone-key-%s-%02u",
                 depots[i % DEPOTS].lower, i);
        struct vault_read v = {story(42, i * 2.2 + below(s, 900) / 1000.0),
                               "KV-CONTOSO-FLEET",
                               key ? "KeyGet" : "SecretGet",
                               key ? "keys" : "secrets",
                               name,
                               app,
                               NULL,
                               from->ip,
                               i % 9 == 4};
        vault_write(&v, s);
    }
    truth_step("data sweep of vault secrets", "T1555.006", story(42, 0), story(43, 28),
               "AzureDiagnostics", secrets + keys,
               "\"application\":\"%s\",\"sourceIp\":\"%s\",\"secrets\":%u,\"keys\":%u", app,
               from->ip, secrets, keys);
}

static void attack(void)
{
    struct stream s = stream_of(estate.seed, 9);
    struct person victim;
    person_get(&victim, STORY_DRIVER);
    attack_spray(&victim, &s);
    attack_token(&victim, &s);
    attack_drone(&victim, &s);
    attack_lateral(&s);
    attack_sweep(&s);
}

#endif
