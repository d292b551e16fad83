/* sandbox_landlock.c - Landlock by its system calls (kernel: Documentation/userspace-api/landlock.rst). The constants are our
 * own, as Debian 12's header ends at ABI 2. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/sandbox_int.h"

enum {
    CREATE_VERSION = 1,
    RULE_PATH_BENEATH = 1,
    RULE_NET_PORT = 2,
    HTTPS_PORT = 443,
    DNS_PORT = 53
};

#define FS_EXECUTE (UINT64_C(1) << 0)
#define FS_WRITE_FILE (UINT64_C(1) << 1)
#define FS_READ_FILE (UINT64_C(1) << 2)
#define FS_READ_DIR (UINT64_C(1) << 3)
#define FS_REMOVE_DIR (UINT64_C(1) << 4)
#define FS_REMOVE_FILE (UINT64_C(1) << 5)
#define FS_MAKE_CHAR (UINT64_C(1) << 6)
#define FS_MAKE_DIR (UINT64_C(1) << 7)
#define FS_MAKE_REG (UINT64_C(1) << 8)
#define FS_MAKE_SOCK (UINT64_C(1) << 9)
#define FS_MAKE_FIFO (UINT64_C(1) << 10)
#define FS_MAKE_BLOCK (UINT64_C(1) << 11)
#define FS_MAKE_SYM (UINT64_C(1) << 12)
#define FS_REFER (UINT64_C(1) << 13)     /* ABI 2 */
#define FS_TRUNCATE (UINT64_C(1) << 14)  /* ABI 3 */
#define FS_IOCTL_DEV (UINT64_C(1) << 15) /* ABI 5 */
#define NET_BIND_TCP (UINT64_C(1) << 0)  /* ABI 4 */
#define NET_CONNECT_TCP (UINT64_C(1) << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (UINT64_C(1) << 0) /* ABI 6 */
#define SCOPE_SIGNAL (UINT64_C(1) << 1)

#define FS_READ (FS_READ_FILE | FS_READ_DIR)
#define FS_READ_WRITE                                                                              \
    (FS_READ | FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_DIR | FS_MAKE_REG |        \
     FS_REFER | FS_TRUNCATE)
#define FS_OF_FILES (FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

struct ruleset_attr {
    uint64_t handled_fs, handled_net, scoped;
};
struct __attribute__((packed)) path_beneath_attr {
    uint64_t allowed;
    int32_t parent_fd;
};
struct net_port_attr {
    uint64_t allowed, port;
};

int sandbox_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_VERSION);
    return abi > 0 ? (int)abi : 0;
}

static uint64_t known_fs(int abi)
{
    uint64_t rights = (FS_MAKE_SYM << 1) - 1;
    if (abi >= 2) rights |= FS_REFER;
    if (abi >= 3) rights |= FS_TRUNCATE;
    if (abi >= 5) rights |= FS_IOCTL_DEV;
    return rights;
}

static enum rf_kind failed(const char *what, struct rf_err *err)
{
    return RF_FAIL_ERRNO(err, "SandboxFailed", "Landlock: cannot %s", what);
}

static enum rf_kind create(int abi, bool connect_any, int *ruleset, struct rf_err *err)
{
    struct ruleset_attr attr = {.handled_fs = known_fs(abi)};
    size_t bytes = sizeof attr.handled_fs;
    if (abi >= 4) {
        attr.handled_net = NET_BIND_TCP | (connect_any ? 0 : NET_CONNECT_TCP);
        bytes += sizeof attr.handled_net;
    }
    if (abi >= 6) {
        attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
        bytes += sizeof attr.scoped;
    }
    long fd = syscall(SYS_landlock_create_ruleset, &attr, bytes, 0);
    if (fd < 0) return failed("make a rule set", err);
    *ruleset = (int)fd;
    return RF_OK;
}

/* What is not there needs no rule. */
static enum rf_kind allow_path(int ruleset, int abi, int folder, const char *path, uint64_t rights,
                               struct rf_err *err)
{
    struct stat status;
    int fd = openat(folder, path, O_PATH | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) return RF_OK;
    if (fd < 0 || fstat(fd, &status) != 0) {
        enum rf_kind kind = failed("look at a path", err);
        if (fd >= 0) close(fd);
        return kind;
    }
    struct path_beneath_attr attr = {.allowed = rights & known_fs(abi), .parent_fd = fd};
    if (!S_ISDIR(status.st_mode)) attr.allowed &= FS_OF_FILES;
    long done = syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0);
    enum rf_kind kind = done == 0 ? RF_OK : failed("add a rule for a path", err);
    close(fd);
    return kind;
}

static enum rf_kind allow_ports(int ruleset, int abi, const uint16_t *ports, uint32_t count,
                                uint64_t right, struct rf_err *err)
{
    for (uint32_t i = 0; i < count && abi >= 4; i++) {
        struct net_port_attr attr = {.allowed = right, .port = ports[i]};
        if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) != 0)
            return failed("add a rule for a port", err);
    }
    return RF_OK;
}

/* ---- the server's rules ---------------------------------------------------------------------------------------------- */

static enum rf_kind allow_data(int ruleset, int abi, const struct sandbox_server_options *options,
                               struct rf_err *err)
{
    if (options->folders == NULL)
        return allow_path(ruleset, abi, AT_FDCWD, options->data, FS_READ_WRITE, err);
    int data = open(options->data, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (data < 0) return failed("open the data folder", err);
    enum rf_kind kind = RF_OK;
    for (uint32_t i = 0; i < options->folder_count && kind == RF_OK; i++) {
        const char *name = options->folders[i];
        if (mkdirat(data, name, 0700) != 0 && errno != EEXIST)
            kind = failed("make a folder of the data folder", err);
        else
            kind = allow_path(ruleset, abi, data, name, FS_READ_WRITE, err);
    }
    close(data);
    return kind;
}

/* What libc, OpenSSL and the time zones read while the server runs. */
static enum rf_kind allow_system(int ruleset, int abi, struct rf_err *err)
{
    static const char *const paths[] = {"/etc/resolv.conf",
                                        "/etc/hosts",
                                        "/etc/nsswitch.conf",
                                        "/etc/host.conf",
                                        "/etc/gai.conf",
                                        "/etc/services",
                                        "/etc/protocols",
                                        "/etc/localtime",
                                        "/etc/ssl",
                                        "/usr/share/zoneinfo",
                                        "/usr/lib/ssl",
                                        "/usr/share/ca-certificates",
                                        "/usr/local/share/ca-certificates",
                                        "/dev/urandom",
                                        "/sys/devices/system/cpu"};
    for (size_t i = 0; i < RF_COUNT(paths); i++)
        RF_TRY(allow_path(ruleset, abi, AT_FDCWD, paths[i], FS_READ, err));
    return allow_path(ruleset, abi, AT_FDCWD, "/dev/null", FS_READ_FILE | FS_WRITE_FILE, err);
}

static enum rf_kind server_rules(int ruleset, int abi, const struct sandbox_server_options *options,
                                 struct rf_err *err)
{
    static const uint16_t egress[] = {HTTPS_PORT}, dns[] = {DNS_PORT};
    bool own = options->connect_ports != NULL;
    RF_TRY(allow_data(ruleset, abi, options, err));
    RF_TRY(allow_system(ruleset, abi, err));
    for (uint32_t i = 0; i < options->readable_count; i++)
        RF_TRY(allow_path(ruleset, abi, AT_FDCWD, options->readable[i], FS_READ, err));
    for (uint32_t i = 0; i < options->writable_count; i++)
        RF_TRY(allow_path(ruleset, abi, AT_FDCWD, options->writable[i], FS_READ_WRITE, err));
    RF_TRY(allow_ports(ruleset, abi, options->listen_ports, options->listen_port_count,
                       NET_BIND_TCP, err));
    if (options->connect_any) return RF_OK;
    RF_TRY(allow_ports(ruleset, abi, dns, 1, NET_CONNECT_TCP, err)); /* answers too long for UDP */
    return allow_ports(ruleset, abi, own ? options->connect_ports : egress,
                       own ? options->connect_port_count : 1, NET_CONNECT_TCP, err);
}

/* ---- putting it on ------------------------------------------------------------------------------------------------------ */

static void tell(struct sandbox_report *report, int abi)
{
    static const struct {
        enum sandbox_layer layer;
        int abi;
        const char *why_not;
    } layers[] = {
        {SANDBOX_LANDLOCK_FILES, 1, "needs Linux 5.13 with Landlock in lsm="},
        {SANDBOX_LANDLOCK_TCP, 4, "needs Linux 6.7"},
        {SANDBOX_LANDLOCK_SCOPE, 6, "needs Linux 6.12"},
    };
    report->landlock_abi = abi;
    for (size_t i = 0; i < RF_COUNT(layers); i++) {
        if (abi >= layers[i].abi)
            layer_holds(report, layers[i].layer);
        else
            layer_lacks(report, layers[i].layer, layers[i].why_not);
    }
}

static enum rf_kind put_on(int ruleset, struct rf_err *err)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
        syscall(SYS_landlock_restrict_self, ruleset, 0) == 0)
        return RF_OK;
    return failed("restrict the process", err);
}

/* options NULL: no rule at all. */
static enum rf_kind restrict_to(const struct sandbox_server_options *options,
                                struct sandbox_report *report, struct rf_err *err)
{
    int ruleset, abi = sandbox_landlock_abi();
    if (abi > 0) {
        RF_TRY(create(abi, options != NULL && options->connect_any, &ruleset, err));
        enum rf_kind kind = options == NULL ? RF_OK : server_rules(ruleset, abi, options, err);
        if (kind == RF_OK) kind = put_on(ruleset, err);
        close(ruleset);
        if (kind != RF_OK) return kind;
    }
    tell(report, abi);
    return RF_OK;
}

enum rf_kind landlock_server(const struct sandbox_server_options *options,
                             struct sandbox_report *report, struct rf_err *err)
{
    RF_TRY(restrict_to(options, report, err));
    if (options->connect_any)
        layer_lacks(report, SANDBOX_LANDLOCK_TCP,
                    "federation.private or outbound.hosts names a host with every port");
    report->keeper_hidden = options->folders != NULL && report->holds[SANDBOX_LANDLOCK_FILES];
    return RF_OK;
}

enum rf_kind landlock_nothing(struct sandbox_report *report, struct rf_err *err)
{
    return restrict_to(NULL, report, err);
}
