#define _GNU_SOURCE
#include "daemon/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/json_out.h"
#include "cli/cli.h"
#include "cli/cli_options.h"
#include "crypt/keeper_seal.h"
#include "crypt/keeper_serve.h"
#include "crypt/secret.h"
#include "daemon/names.h"
#include "daemon/root_door.h"
#include "daemon/sandbox.h"
#include "daemon/users.h"

#ifndef PR_GET_MDWE /* Linux 6.3, newer than Debian 12's headers */
#define PR_GET_MDWE 66
#endif

enum {
    FINDINGS_MAX = 24,
    TEXT_BYTES = 200,
    LANDLOCK_FILES_ABI = 1,
    LANDLOCK_TRUNCATE_ABI = 3,
    LANDLOCK_TCP_ABI = 4,
    LANDLOCK_SCOPE_ABI = 6,
    FILES_WANTED = 65536,
    LOCKED_BYTES_WANTED = 8 << 20
};

struct finding {
    const char *name;
    bool good;
    char found[TEXT_BYTES];
    const char *remedy; /* NULL when it is good */
};
struct findings {
    struct finding items[FINDINGS_MAX];
    size_t count;
};

static void add(struct findings *f, const char *name, bool good, const char *remedy,
                const char *fmt, ...) RF_PRINTF(5, 6);
static void add(struct findings *f, const char *name, bool good, const char *remedy,
                const char *fmt, ...)
{
    RF_ASSERT(f->count < FINDINGS_MAX);
    struct finding *item = &f->items[f->count++];
    va_list args;
    *item = (struct finding){.name = name, .good = good, .remedy = good ? NULL : remedy};
    va_start(args, fmt);
    (void)vsnprintf(item->found, sizeof item->found, fmt, args);
    va_end(args);
}

/* ---- what is looked at ------------------------------------------------------------------------------------------------- */

static void kernel(struct findings *f)
{
    struct utsname names;
    if (uname(&names) != 0) return;
    char *dot;
    long major = strtol(names.release, &dot, 10);
    long minor = *dot == '.' ? strtol(dot + 1, NULL, 10) : 0;
    add(f, "kernel", major > 6 || (major == 6 && minor >= 12),
        "install a kernel of 6.12 or later (Debian 12: apt install linux-image-6.12-amd64 from "
        "bookworm-backports or its security archive): older ones lack the layers named below",
        "%.60s", names.release);
}

static void landlock(struct findings *f)
{
    int abi = sandbox_landlock_abi();
    static const char *const newer = "install a newer kernel, see above";
    add(f, "landlock-files", abi >= LANDLOCK_FILES_ABI,
        "start the kernel with lsm=landlock,... (and a kernel of 5.13 or later)", "ABI %d", abi);
    add(f, "landlock-truncate", abi >= LANDLOCK_TRUNCATE_ABI, newer, "ABI %d, 3 is needed", abi);
    add(f, "landlock-tcp", abi >= LANDLOCK_TCP_ABI, newer, "ABI %d, 4 is needed", abi);
    add(f, "landlock-scope", abi >= LANDLOCK_SCOPE_ABI, newer, "ABI %d, 6 is needed", abi);
}

static void seccomp(struct findings *f)
{
    bool good = sandbox_has_seccomp();
    add(f, "seccomp", good, "use a kernel with CONFIG_SECCOMP_FILTER", "%s",
        good ? "filters work" : "no filters");
}

static void secret_memory(struct findings *f)
{
    struct rf_secret secret = {0};
    struct rf_err err = {0};
    bool made = rf_secret_init(&secret, 4096, true, &err) == RF_OK;
    add(f, "memfd-secret", made && secret.kind == SECRET_MEMFD,
        "start the kernel with secretmem.enable=1 (the default from 6.5 on); until then the keys "
        "lie in locked memory",
        "%s", made ? rf_secret_kind_name(secret.kind) : "no memory for secrets");
    rf_secret_done(&secret);
}

static void write_execute(struct findings *f)
{
    bool good = prctl(PR_GET_MDWE, 0, 0, 0, 0) >= 0;
    add(f, "mdwe", good, "needs Linux 6.3; until then seccomp alone refuses executable memory",
        "%s", good ? "known" : "unknown to this kernel");
}

static void limits(struct findings *f)
{
    struct rlimit locked, files;
    if (getrlimit(RLIMIT_MEMLOCK, &locked) == 0)
        add(f, "locked-memory", locked.rlim_max >= LOCKED_BYTES_WANTED,
            "set LimitMEMLOCK=64M in the unit, or memlock in /etc/security/limits.conf",
            locked.rlim_max == RLIM_INFINITY ? "unlimited" : "%llu bytes",
            (unsigned long long)locked.rlim_max);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        add(f, "descriptors", files.rlim_max >= FILES_WANTED,
            "set LimitNOFILE=524288 in the unit, or nofile in /etc/security/limits.conf",
            "%llu at most", (unsigned long long)files.rlim_max);
}

static void names(struct findings *f, const char *domain)
{
    struct names_finding finding = names_look(domain);
    add(f, "localhost-names", finding.good, finding.remedy, "%s", finding.found);
}

/* The processes can be kept apart as users only where root starts them. */
static void users(struct findings *f, struct users *found)
{
    struct rf_err err = {0};
    bool readable = users_find(USERS_PASSWD, found, &err) == RF_OK;
    if (!readable)
        add(f, "users", false, "mend /etc/passwd as it says", "%.180s", err.text);
    else if (found->missing != NULL)
        add(f, "users", false,
            USERS_REMEDY "; until then all processes are one user, kept apart by Landlock and "
                         "seccomp only",
            "there is no user %s", found->missing);
    else
        add(f, "users", true, NULL, "%s and %s; used when root starts the server",
            user_name(USER_KEEPER), user_name(USER_SERVER));
    if (!readable) found->missing = user_name(USER_KEEPER);
}

/* Whose the folders of keys and of rows are; nothing when the caller may not see it. */
static void data_owners(struct findings *f, const char *data, const struct users *found)
{
    struct stat keeper, state;
    char path[4096];
    (void)snprintf(path, sizeof path, "%s/keeper", data);
    if (stat(path, &keeper) != 0) return;
    (void)snprintf(path, sizeof path, "%s/state", data);
    if (stat(path, &state) != 0) return;
    bool expected = found->missing != NULL || (keeper.st_uid == found->of[USER_KEEPER].uid &&
                                               state.st_uid == found->of[USER_SERVER].uid);
    add(f, "data-owners", keeper.st_uid != state.st_uid && expected,
        "make the users named above, give the folder to root (chown -R root) and start the server "
        "as root: each process then owns its part",
        "keys are user %u's, rows user %u's", (unsigned)keeper.st_uid, (unsigned)state.st_uid);
}

/* Nothing when the caller may not read it. */
static void keeper_files(struct findings *f, const char *data)
{
    char path[4096], last[KEEPER_ALARM_BYTES];
    uint64_t count;
    (void)snprintf(path, sizeof path, "%s/keeper/audit.log", data);
    if (access(path, R_OK) != 0) return;
    struct rf_err err = {0};
    if (keeper_audit_alarms(path, &count, last, &err) != RF_OK)
        add(f, "keeper-files", false, "mend the file's folder or disk", "%.180s", err.text);
    else
        add(f, "keeper-files", count == 0,
            "keys or audit log were cut, changed or replaced: find out by whom, compare with a "
            "backup, and restore the folder keeper/ from one (ringfort restore)",
            count == 0 ? "no line tells of a change" : "%llu alarms, the last %s",
            (unsigned long long)count, last);
}

/* Nothing when the caller may not look. */
static void root_key(struct findings *f, const char *data)
{
    char path[4096], text[ROOT_DESCRIPTION_BYTES];
    struct rf_err err = {0};
    struct stat status;
    (void)snprintf(path, sizeof path, "%s/keeper", data);
    if (access(path, R_OK | X_OK) != 0) return;
    if (root_seal_look(path, text, &err) != RF_OK) {
        if (err.kind != RF_IO)
            add(f, "root-key", false, "restore the folder keeper/ from a backup (ringfort restore)",
                "%.180s", err.text);
        return;
    }
    (void)snprintf(path, sizeof path, "%s/keeper/root.key", data);
    bool shut = stat(path, &status) != 0 || (status.st_mode & 077) == 0;
    add(f, "root-key", shut, "chmod 600 the file keeper/root.key; then re-seal (docs/sealing.md)",
        shut ? "sealed by %s" : "sealed by %s, which others may read", text);
}

/* What is under which generation of the root, as the keeper that runs tells it; nothing when none does. */
static void generations(struct findings *f, const char *data)
{
    char path[4096], reply[ROOT_REPLY_BYTES];
    int fd;
    (void)snprintf(path, sizeof path, "%s/keeper", data);
    if (root_door_connect(path, &fd, NULL) != RF_OK) return;
    enum rf_kind kind = root_door_ask(fd, RF_S("generations"), reply, NULL);
    close(fd);
    if (kind != RF_OK || strncmp(reply, "ok ", 3) != 0) return;
    for (char *at = reply; (at = strchr(at, '\n')) != NULL;) *at = ';';
    add(f, "root-generations", strstr(reply, "something asked") == NULL,
        "ringfort vault keep-generations, or drop-generation (docs/sealing.md)", "%.180s",
        reply + 3);
}

/* Listeners with a certificate of a vault, as the keeper that runs tells it; nothing when none does, or none is. */
static void listeners(struct findings *f, const char *data)
{
    char path[4096], reply[ROOT_REPLY_BYTES];
    int fd;
    (void)snprintf(path, sizeof path, "%s/keeper", data);
    if (root_door_connect(path, &fd, NULL) != RF_OK) return;
    enum rf_kind kind = root_door_ask(fd, RF_S("listeners"), reply, NULL);
    close(fd);
    if (kind != RF_OK || strncmp(reply, "ok ", 3) != 0 || reply[3] == '\0') return;
    for (char *at = reply; (at = strchr(at, '\n')) != NULL;) *at = ';';
    add(f, "listeners", strstr(reply, " STALE ") == NULL,
        "see the lines listener.certificate_kept of the log; renew or recover the certificate, or "
        "end its use (ringfort cert unlisten)",
        "%.180s", reply + 3);
}

static void data_folder(struct findings *f, const char *data, const struct users *found)
{
    struct stat status;
    if (data == NULL) return;
    if (stat(data, &status) != 0) {
        struct rf_err err;
        (void)rf_fail_errno(&err, "FolderFailed", "%.100s", data);
        add(f, "data-folder", false, "ringfort serve --data makes it", "%.180s", err.text);
        return;
    }
    /* Root's folder of other users' folders is open for passing through. */
    unsigned open = status.st_mode & 077;
    bool shut = S_ISDIR(status.st_mode) && (open == 0 || (open == 011 && status.st_uid == 0));
    add(f, "data-folder", shut, "chmod 700 the folder", "%.150s: mode %04o", data,
        (unsigned)(status.st_mode & 07777));
    data_owners(f, data, found);
    keeper_files(f, data);
    root_key(f, data);
    generations(f, data);
    listeners(f, data);
}

/* ---- telling --------------------------------------------------------------------------------------------------------------- */

static void print_text(const struct findings *f, size_t missing)
{
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *item = &f->items[i];
        printf("%-9s %-18s %s\n", item->good ? "ok" : "MISSING", item->name, item->found);
        if (item->remedy != NULL) printf("%-9s %-18s %s\n", "", "", item->remedy);
    }
    if (missing == 0)
        printf("\nAll layers hold here.\n");
    else
        printf("\n%zu of %zu are missing.\n", missing, f->count);
}

static int print_json(const struct findings *f, size_t missing)
{
    enum { MEMORY_BYTES = 1 << 20 };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, MEMORY_BYTES);
    struct rf_buf buf = rf_buf_in(&arena);
    struct json_out json = json_out_to(&buf);
    json_begin_object(&json, NULL);
    json_put_i64(&json, "missing", (int64_t)missing);
    json_begin_array(&json, "findings");
    for (size_t i = 0; i < f->count; i++) {
        const struct finding *item = &f->items[i];
        json_begin_object(&json, NULL);
        json_put_text(&json, "name", rf_str_of(item->name));
        json_put_bool(&json, "ok", item->good);
        json_put_text(&json, "found", rf_str_of(item->found));
        if (item->remedy != NULL) json_put_text(&json, "remedy", rf_str_of(item->remedy));
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    if (buf.failed) return CLI_FAILED;
    printf("%.*s\n", (int)buf.len, (const char *)buf.ptr);
    return CLI_OK;
}

enum { OPT_FORMAT, OPT_DATA, OPT_DOMAIN };
static const struct cli_option options[] = {
    [OPT_FORMAT] = {"format", "FORMAT", "text or json"},
    [OPT_DATA] = {"data", "DIR", "look at this data folder too"},
    [OPT_DOMAIN] = {"domain", "NAME", "the estate's DNS domain (ringfort.localhost)"},
};
static const struct cli_usage usage = {
    .command = "doctor",
    .doc =
        "Says which layers of the server's own hardening hold on this machine, what is missing and "
        "how it is\nmended. Changes nothing.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "Exit status: 0 nothing is missing, 1 something is, 2 wrong use.\n",
};

int cli_doctor(int argc, char **argv)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    struct findings f = {.count = 0};
    struct users found = {0};
    const char *data = NULL, *domain = "ringfort.localhost";
    bool as_json = false;
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) return cli_wrong(&usage, "'%s' is one word too many", line.value);
        if (at == OPT_DATA) data = line.value;
        if (at == OPT_DOMAIN) domain = line.value;
        if (at != OPT_FORMAT) continue;
        as_json = strcmp(line.value, "json") == 0;
        if (!as_json && strcmp(line.value, "text") != 0)
            return cli_wrong(&usage, "there is no format '%s'; there are text and json",
                             line.value);
    }
    kernel(&f);
    landlock(&f);
    seccomp(&f);
    secret_memory(&f);
    write_execute(&f);
    limits(&f);
    names(&f, domain);
    users(&f, &found);
    data_folder(&f, data, &found);
    size_t missing = 0;
    for (size_t i = 0; i < f.count; i++) missing += !f.items[i].good;
    if (!as_json)
        print_text(&f, missing);
    else if (print_json(&f, missing) != CLI_OK)
        return CLI_FAILED;
    return missing == 0 ? CLI_OK : CLI_FAILED;
}
