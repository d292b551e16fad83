#define _GNU_SOURCE
#include "daemon/doctor.h"

#include <netdb.h>
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
#include "crypt/secret.h"
#include "daemon/sandbox.h"

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

/* RFC 6761 section 6.3; libc alone answers it only through a module. */
static void localhost_names(struct findings *f)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    int code = getaddrinfo("kv.vault.ringfort.localhost", NULL, &hints, &list);
    if (code == 0) freeaddrinfo(list);
    add(f, "localhost-names", code == 0,
        "apt install libnss-myhostname, so that programs find https://<vault>.vault.<domain>",
        "*.localhost %s", code == 0 ? "resolves" : gai_strerror(code));
}

static void user(struct findings *f)
{
    bool root = geteuid() == 0;
    add(f, "user", !root,
        "run the server as a user of its own (the unit does): files of root's are then out of "
        "reach "
        "even where a layer is missing",
        "%s", root ? "root" : "not root");
}

static void data_folder(struct findings *f, const char *data)
{
    struct stat status;
    if (data == NULL) return;
    if (stat(data, &status) != 0) {
        struct rf_err err;
        (void)rf_fail_errno(&err, "FolderFailed", "%.100s", data);
        add(f, "data-folder", false, "ringfort serve --data makes it", "%.180s", err.text);
        return;
    }
    bool shut = S_ISDIR(status.st_mode) && (status.st_mode & 077) == 0;
    add(f, "data-folder", shut, "chmod 700 the folder", "%.150s: mode %04o", data,
        (unsigned)(status.st_mode & 07777));
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

enum { OPT_FORMAT, OPT_DATA };
static const struct cli_option options[] = {
    [OPT_FORMAT] = {"format", "FORMAT", "text or json"},
    [OPT_DATA] = {"data", "DIR", "look at this data folder too"},
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
    const char *data = NULL;
    bool as_json = false;
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_OK;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) return cli_wrong(&usage, "'%s' is one word too many", line.value);
        if (at == OPT_DATA) data = line.value;
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
    localhost_names(&f);
    user(&f);
    data_folder(&f, data);
    size_t missing = 0;
    for (size_t i = 0; i < f.count; i++) missing += !f.items[i].good;
    if (!as_json)
        print_text(&f, missing);
    else if (print_json(&f, missing) != CLI_OK)
        return CLI_FAILED;
    return missing == 0 ? CLI_OK : CLI_FAILED;
}
