/* sandbox_seccomp.c - which system calls the roles may make, by libseccomp; TSYNC puts the filter on every thread.
 *
 * The keeper has a list of what is allowed; the rest kills it. The server, whose libraries make many calls, has a list of
 * what is denied: everything that executes, traces, escapes by another interface (io_uring, bpf), mounts, or reaches parts of
 * the kernel that a server has no business with. Calls of another architecture kill either. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/sandbox_int.h"

/* Calls newer than libseccomp 2.5.4 knows: libc falls back to older ones when they seem to be missing. */
enum { NEWER_FIRST = 451, NEWER_LAST = 500 };

bool sandbox_has_seccomp(void)
{
    /* Without a filter: EFAULT says that the kernel would have looked for one. */
    enum { MODE_FILTER = 2 };
    return prctl(PR_SET_SECCOMP, MODE_FILTER, NULL, 0, 0) != 0 && errno == EFAULT;
}

struct filter {
    scmp_filter_ctx ctx;
    uint32_t normal, deny; /* actions */
    int code;              /* of the first failure, negative */
};

static void rule(struct filter *f, uint32_t action, int call)
{
    if (action == f->normal) return; /* libseccomp takes no rule that says what holds anyway */
    int code = seccomp_rule_add_array(f->ctx, action, call, 0, NULL);
    if (f->code == 0) f->code = code;
}

static void rule_if(struct filter *f, uint32_t action, int call, struct scmp_arg_cmp arg)
{
    if (action == f->normal) return;
    int code = seccomp_rule_add_array(f->ctx, action, call, 1, &arg);
    if (f->code == 0) f->code = code;
}

static void rules(struct filter *f, uint32_t action, const int *calls, size_t count)
{
    for (size_t i = 0; i < count; i++) rule(f, action, calls[i]);
}

static struct scmp_arg_cmp has_bits(unsigned arg, uint64_t bits)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, bits, bits};
}
static struct scmp_arg_cmp lacks_bits(unsigned arg, uint64_t bits)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_MASKED_EQ, bits, 0};
}
static struct scmp_arg_cmp is(unsigned arg, uint64_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_EQ, value, 0};
}
static struct scmp_arg_cmp is_not(unsigned arg, uint64_t value)
{
    return (struct scmp_arg_cmp){arg, SCMP_CMP_NE, value, 0};
}

static enum rf_kind finish(struct filter *f, struct sandbox_report *report, struct rf_err *err)
{
    if (f->code == 0) f->code = seccomp_attr_set(f->ctx, SCMP_FLTATR_CTL_TSYNC, 1);
    if (f->code == 0) f->code = seccomp_load(f->ctx);
    seccomp_release(f->ctx);
    if (f->code != 0) {
        errno = -f->code;
        return RF_FAIL_ERRNO(err, "SandboxFailed", "seccomp: cannot put the filter on");
    }
    if (f->deny != SCMP_ACT_LOG)
        layer_holds(report, SANDBOX_SECCOMP);
    else
        layer_lacks(report, SANDBOX_SECCOMP, "it only logs");
    return RF_OK;
}

/* False when this kernel has no filters. `strict_default`: what no rule names is denied. */
static bool begin(struct filter *f, bool log_only, bool strict_default,
                  struct sandbox_report *report)
{
    uint32_t deny = log_only ? SCMP_ACT_LOG : SCMP_ACT_KILL_PROCESS;
    *f = (struct filter){.deny = deny, .normal = strict_default ? deny : SCMP_ACT_ALLOW};
    f->ctx = sandbox_has_seccomp() ? seccomp_init(f->normal) : NULL;
    if (f->ctx == NULL) {
        layer_lacks(report, SANDBOX_SECCOMP, "the kernel has no filters");
        return false;
    }
    if (log_only) f->code = seccomp_attr_set(f->ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_LOG);
    for (int call = NEWER_FIRST; call <= NEWER_LAST; call++)
        rule(f, log_only ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS), call);
    return true;
}

/* ---- keeper: what is allowed ------------------------------------------------------------------------------------------ */

enum rf_kind seccomp_keeper(bool log_only, struct sandbox_report *report, struct rf_err *err)
{
    static const int allowed[] = {
        /* sockets and files that are open */
        SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(fdatasync),
        SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
        SCMP_SYS(sendmmsg), SCMP_SYS(accept4), SCMP_SYS(shutdown), SCMP_SYS(close), SCMP_SYS(poll),
        SCMP_SYS(ppoll),
        /* memory and threads */
        SCMP_SYS(futex), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(sched_yield),
        SCMP_SYS(set_robust_list), SCMP_SYS(rseq) /* a thread makes these as it begins */,
        SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigprocmask), SCMP_SYS(exit),
        SCMP_SYS(exit_group),
        /* facts */
        SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(clock_gettime),
        SCMP_SYS(getrusage)};
    struct filter f;
    if (!begin(&f, log_only, true, report)) return RF_OK;
    rules(&f, SCMP_ACT_ALLOW, allowed, RF_COUNT(allowed));
    struct scmp_arg_cmp anonymous[] = {lacks_bits(2, PROT_EXEC), has_bits(3, MAP_ANONYMOUS)};
    int code = seccomp_rule_add_array(f.ctx, SCMP_ACT_ALLOW, SCMP_SYS(mmap), RF_COUNT(anonymous),
                                      anonymous);
    if (f.code == 0) f.code = code;
    rule_if(&f, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), lacks_bits(2, PROT_EXEC)); /* malloc's heaps */
    rule_if(&f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), is(0, (uint64_t)getpid()));  /* abort */
    return finish(&f, report, err);
}

/* ---- server: what is denied --------------------------------------------------------------------------------------------- */

static void deny_sockets(struct filter *f)
{
    static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
    /* The resolver of libc asks netlink for addresses, and goes on without. */
    rule_if(f, f->deny == SCMP_ACT_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EAFNOSUPPORT),
            SCMP_SYS(socket), is(0, AF_NETLINK));
    for (int family = 0; family < AF_MAX; family++) {
        bool known = false;
        for (size_t i = 0; i < RF_COUNT(families); i++) known |= families[i] == family;
        if (!known) rule_if(f, f->deny, SCMP_SYS(socket), is(0, (uint64_t)family));
    }
    struct scmp_arg_cmp later = {0, SCMP_CMP_GE, AF_MAX, 0};
    rule_if(f, f->deny, SCMP_SYS(socket), later);
    /* The type's low four bits; the rest are flags. */
    struct scmp_arg_cmp raw = {1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_RAW};
    struct scmp_arg_cmp packet = {1, SCMP_CMP_MASKED_EQ, 0xf, SOCK_PACKET};
    static const int internet[] = {AF_INET, AF_INET6};
    for (size_t i = 0; i < RF_COUNT(internet); i++) {
        struct scmp_arg_cmp of_raw[] = {is(0, (uint64_t)internet[i]), raw},
                            of_packet[] = {is(0, (uint64_t)internet[i]), packet};
        int code = seccomp_rule_add_array(f->ctx, f->deny, SCMP_SYS(socket), 2, of_raw);
        if (f->code == 0) f->code = code;
        code = seccomp_rule_add_array(f->ctx, f->deny, SCMP_SYS(socket), 2, of_packet);
        if (f->code == 0) f->code = code;
    }
}

/* Threads yes, processes and name spaces no. */
static void deny_processes(struct filter *f)
{
    static const int calls[] = {SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(execve),
                                SCMP_SYS(execveat)};
    rules(f, f->deny, calls, RF_COUNT(calls));
    rule_if(f, f->deny, SCMP_SYS(clone), lacks_bits(0, CLONE_THREAD));
    /* Its flags lie in memory, which a filter cannot see; libc falls back to clone. */
    rule(f, f->deny == SCMP_ACT_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
    uint64_t own = (uint64_t)getpid();
    rule_if(f, f->deny, SCMP_SYS(kill), is_not(0, own));
    rule_if(f, f->deny, SCMP_SYS(tgkill), is_not(0, own));
    rule_if(f, f->deny, SCMP_SYS(rt_sigqueueinfo), is_not(0, own));
    rule_if(f, f->deny, SCMP_SYS(rt_tgsigqueueinfo), is_not(0, own));
    rule(f, f->deny, SCMP_SYS(tkill));
    rule(f, f->deny, SCMP_SYS(pidfd_send_signal));
}

/* Libraries that try to load a module get an error and go on; code that was smuggled in does not run. */
static void deny_code(struct filter *f)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(pkey_mprotect)};
    uint32_t action = f->deny == SCMP_ACT_LOG ? SCMP_ACT_LOG : SCMP_ACT_ERRNO(EACCES);
    for (size_t i = 0; i < RF_COUNT(calls); i++)
        rule_if(f, action, calls[i], has_bits(2, PROT_EXEC));
}

enum rf_kind seccomp_server(bool log_only, struct sandbox_report *report, struct rf_err *err)
{
    static const int denied[] = {
        /* other processes' memory and descriptors */
        SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
        SCMP_SYS(process_madvise), SCMP_SYS(pidfd_getfd), SCMP_SYS(kcmp),
        /* ways around this filter */
        SCMP_SYS(io_uring_setup), SCMP_SYS(io_uring_enter), SCMP_SYS(io_uring_register),
        SCMP_SYS(bpf), SCMP_SYS(userfaultfd), SCMP_SYS(perf_event_open), SCMP_SYS(modify_ldt),
        SCMP_SYS(personality),
        /* keys of the kernel */
        SCMP_SYS(keyctl), SCMP_SYS(add_key), SCMP_SYS(request_key),
        /* name spaces and mounts */
        SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(mount), SCMP_SYS(umount2),
        SCMP_SYS(pivot_root), SCMP_SYS(chroot), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
        SCMP_SYS(fsopen), SCMP_SYS(fsconfig), SCMP_SYS(fsmount), SCMP_SYS(fspick),
        SCMP_SYS(mount_setattr), SCMP_SYS(open_by_handle_at), SCMP_SYS(name_to_handle_at),
        /* the machine */
        SCMP_SYS(kexec_load), SCMP_SYS(kexec_file_load), SCMP_SYS(init_module),
        SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(reboot), SCMP_SYS(swapon),
        SCMP_SYS(swapoff), SCMP_SYS(acct), SCMP_SYS(quotactl), SCMP_SYS(syslog),
        SCMP_SYS(settimeofday), SCMP_SYS(clock_settime), SCMP_SYS(clock_adjtime),
        SCMP_SYS(adjtimex), SCMP_SYS(sethostname), SCMP_SYS(setdomainname), SCMP_SYS(iopl),
        SCMP_SYS(ioperm), SCMP_SYS(vhangup), SCMP_SYS(lookup_dcookie),
        /* who one is, and who may look at files (Landlock knows no right for these) */
        SCMP_SYS(setuid), SCMP_SYS(setgid), SCMP_SYS(setreuid), SCMP_SYS(setregid),
        SCMP_SYS(setresuid), SCMP_SYS(setresgid), SCMP_SYS(setgroups), SCMP_SYS(setfsuid),
        SCMP_SYS(setfsgid), SCMP_SYS(capset), SCMP_SYS(chown), SCMP_SYS(lchown), SCMP_SYS(fchownat),
        SCMP_SYS(setxattr), SCMP_SYS(lsetxattr), SCMP_SYS(mknod), SCMP_SYS(mknodat)};
    struct filter f;
    if (!begin(&f, log_only, false, report)) return RF_OK;
    rules(&f, f.deny, denied, RF_COUNT(denied));
    deny_sockets(&f);
    deny_processes(&f);
    deny_code(&f);
    return finish(&f, report, err);
}
