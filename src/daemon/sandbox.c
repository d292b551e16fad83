#define _GNU_SOURCE
#include "daemon/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/json_out.h"
#include "daemon/sandbox_int.h"

/* Debian 12's headers are older than the kernels that have it. */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif

enum {
    KEEPER_FILES_MAX = 64,
    SERVER_FILES_MIN = 1024 /* fewer descriptors than this serve nobody */
};

static const char *const layer_names[SANDBOX_LAYER_COUNT] = {
    [SANDBOX_NO_NEW_PRIVS] = "NoNewPrivileges",
    [SANDBOX_LIMITS] = "Limits",
    [SANDBOX_NO_DUMP] = "NoDump",
    [SANDBOX_MDWE] = "MemoryDenyWriteExecute",
    [SANDBOX_CAPABILITIES] = "Capabilities",
    [SANDBOX_LANDLOCK_FILES] = "LandlockFiles",
    [SANDBOX_LANDLOCK_TCP] = "LandlockTcp",
    [SANDBOX_LANDLOCK_SCOPE] = "LandlockScope",
    [SANDBOX_SECCOMP] = "Seccomp",
};

const char *sandbox_layer_name(enum sandbox_layer layer)
{
    RF_ASSERT(layer < SANDBOX_LAYER_COUNT);
    return layer_names[layer];
}

/* ---- the report ---------------------------------------------------------------------------------------------------- */

static void report_init(struct sandbox_report *report, const char *role)
{
    struct utsname names;
    *report = (struct sandbox_report){.role = role};
    if (uname(&names) == 0)
        (void)snprintf(report->kernel, sizeof report->kernel, "%.60s", names.release);
    for (int i = 0; i < SANDBOX_LAYER_COUNT; i++) report->why_not[i] = "not of this role";
}

void sandbox_report_json(const struct sandbox_report *report, struct rf_buf *out)
{
    struct json_out json = json_out_to(out);
    uint32_t missing = 0;
    json_begin_object(&json, NULL);
    json_put_text(&json, "Role", rf_str_of(report->role));
    json_put_text(&json, "Kernel", rf_str_of(report->kernel));
    json_put_i64(&json, "LandlockAbi", report->landlock_abi);
    if (report->secret_memory != NULL)
        json_put_text(&json, "SecretMemory", rf_str_of(report->secret_memory));
    if (strcmp(report->role, "server") == 0)
        json_put_bool(&json, "KeeperHidden", report->keeper_hidden);
    json_begin_object(&json, "Layers");
    for (int i = 0; i < SANDBOX_LAYER_COUNT; i++) {
        json_put_bool(&json, layer_names[i], report->holds[i]);
        missing += !report->holds[i];
    }
    json_end_object(&json);
    json_put_i64(&json, "Missing", missing);
    json_begin_object(&json, "Reasons");
    for (int i = 0; i < SANDBOX_LAYER_COUNT; i++)
        if (!report->holds[i] && report->why_not[i] != NULL)
            json_put_text(&json, layer_names[i], rf_str_of(report->why_not[i]));
    json_end_object(&json);
    json_end_object(&json);
}

/* ---- small layers ---------------------------------------------------------------------------------------------------- */

static void no_new_privs(struct sandbox_report *report)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        layer_holds(report, SANDBOX_NO_NEW_PRIVS);
    else
        layer_lacks(report, SANDBOX_NO_NEW_PRIVS, "the kernel refuses PR_SET_NO_NEW_PRIVS");
}

static bool limit(int what, rlim_t most)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)what, &now) != 0) return false;
    now.rlim_max = RF_MIN(now.rlim_max, most);
    now.rlim_cur = now.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &now) == 0;
}

static void keeper_limits(struct sandbox_report *report)
{
    if (limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, KEEPER_FILES_MAX))
        layer_holds(report, SANDBOX_LIMITS);
    else
        layer_lacks(report, SANDBOX_LIMITS, "setrlimit fails");
}

/* A server takes as many descriptors as it may: each connection is one. */
static void server_limits(struct sandbox_report *report)
{
    struct rlimit files;
    if (!limit(RLIMIT_CORE, 0) || !limit(RLIMIT_NOFILE, RLIM_INFINITY) ||
        getrlimit(RLIMIT_NOFILE, &files) != 0)
        layer_lacks(report, SANDBOX_LIMITS, "setrlimit fails");
    else if (files.rlim_cur < SERVER_FILES_MIN)
        layer_lacks(report, SANDBOX_LIMITS, "fewer than 1024 descriptors (ulimit -n)");
    else
        layer_holds(report, SANDBOX_LIMITS);
}

static void no_dump(struct sandbox_report *report)
{
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0)
        layer_holds(report, SANDBOX_NO_DUMP);
    else
        layer_lacks(report, SANDBOX_NO_DUMP, "the kernel refuses PR_SET_DUMPABLE");
}

static void no_write_execute(struct sandbox_report *report)
{
    if (prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0)
        layer_holds(report, SANDBOX_MDWE);
    else
        layer_lacks(report, SANDBOX_MDWE, "needs Linux 6.3");
}

void capabilities_unbound(uint64_t kept)
{
    /* Without CAP_SETPCAP it fails, and then there is nothing to lose by it: no_new_privs keeps execve from gaining any. */
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++)
        if ((kept >> cap & 1) == 0) (void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
}

bool capabilities_keep(uint64_t kept)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    capabilities_unbound(kept);
    if (syscall(SYS_capget, &head, sets) != 0) return false;
    for (size_t i = 0; i < RF_COUNT(sets); i++) {
        sets[i].permitted &= (uint32_t)(kept >> 32 * i);
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    if (syscall(SYS_capset, &head, sets) != 0 || syscall(SYS_capget, &head, sets) != 0)
        return false;
    uint32_t left = 0;
    for (size_t i = 0; i < RF_COUNT(sets); i++)
        left |= sets[i].inheritable |
                ((sets[i].effective | sets[i].permitted) & ~(uint32_t)(kept >> 32 * i));
    return left == 0;
}

/* All of them, of the bounding set too, so that not even an execve by root gains one back. */
static void drop_capabilities(struct sandbox_report *report)
{
    if (capabilities_keep(0))
        layer_holds(report, SANDBOX_CAPABILITIES);
    else
        layer_lacks(report, SANDBOX_CAPABILITIES, "capset fails");
}

/* ---- roles ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind judge(const struct sandbox_report *report, bool strict, int layers,
                          struct rf_err *err)
{
    if (strict)
        for (int i = 0; i < layers; i++)
            if (!report->holds[i])
                return RF_FAIL(err, RF_DENIED, "HardeningMissing",
                               "the %s lacks %s (%s), and the hardening is to be strict",
                               report->role, layer_names[i], report->why_not[i]);
    return RF_OK;
}

static void off(struct sandbox_report *report)
{
    for (int i = 0; i < SANDBOX_LAYER_COUNT; i++) layer_lacks(report, i, "hardening is off");
}

static void common_layers(struct sandbox_report *report)
{
    (void)umask(077);
    no_new_privs(report);
    no_dump(report);
    no_write_execute(report);
}

enum rf_kind sandbox_server(const struct sandbox_server_options *options,
                            struct sandbox_report *report, struct rf_err *err)
{
    report_init(report, "server");
    if (options->mode == SANDBOX_OFF) {
        off(report);
        return judge(report, options->strict, SANDBOX_LAYER_COUNT, err);
    }
    common_layers(report);
    server_limits(report);
    drop_capabilities(report);
    RF_TRY(landlock_server(options, report, err));
    RF_TRY(seccomp_server(options->mode == SANDBOX_LOG, report, err));
    return judge(report, options->strict, SANDBOX_LAYER_COUNT, err);
}

enum rf_kind sandbox_keeper_before_threads(enum sandbox_mode mode, bool strict,
                                           struct sandbox_report *report, struct rf_err *err)
{
    report_init(report, "keeper");
    if (mode == SANDBOX_OFF) {
        off(report);
        return judge(report, strict, SANDBOX_SECCOMP, err);
    }
    common_layers(report);
    keeper_limits(report);
    drop_capabilities(report);
    RF_TRY(landlock_nothing(report, err));
    return judge(report, strict, SANDBOX_SECCOMP, err);
}

enum rf_kind sandbox_keeper_after_threads(enum sandbox_mode mode, bool strict,
                                          struct sandbox_report *report, struct rf_err *err)
{
    if (mode == SANDBOX_OFF) return judge(report, strict, SANDBOX_LAYER_COUNT, err);
    RF_TRY(seccomp_keeper(mode == SANDBOX_LOG, report, err));
    return judge(report, strict, SANDBOX_LAYER_COUNT, err);
}

void sandbox_supervisor(struct sandbox_report *report)
{
    report_init(report, "supervisor");
    (void)umask(077);
    no_new_privs(report);
    no_dump(report);
    if (limit(RLIMIT_CORE, 0))
        layer_holds(report, SANDBOX_LIMITS);
    else
        layer_lacks(report, SANDBOX_LIMITS, "setrlimit fails");
}
