/* sandbox.h - what each role does to itself before it touches a byte from outside (DESIGN-HARDENING section 3): no new
 * privileges, limits, no dumps, capabilities, Landlock, seccomp. Called by a process's only thread, or, for what must come
 * later, as said at the function.
 *
 * Layers that this kernel lacks are left out and told in the report; RF_DENIED HardeningMissing only when `strict` and a layer
 * is missing, or when a layer that should work fails. */
#ifndef RF_SANDBOX_H
#define RF_SANDBOX_H

#include "base/rf.h"

enum sandbox_layer {
    SANDBOX_NO_NEW_PRIVS,
    SANDBOX_LIMITS,
    SANDBOX_NO_DUMP,
    SANDBOX_MDWE,
    SANDBOX_CAPABILITIES,
    SANDBOX_LANDLOCK_FILES,
    SANDBOX_LANDLOCK_TCP,
    SANDBOX_LANDLOCK_SCOPE,
    SANDBOX_SECCOMP,
    SANDBOX_LAYER_COUNT
};
struct sandbox_report {
    const char *role;
    bool holds[SANDBOX_LAYER_COUNT];
    const char *why_not[SANDBOX_LAYER_COUNT]; /* static text; NULL when it holds */
    int landlock_abi;                         /* 0: none */
    const char *secret_memory;                /* keeper: "memfd_secret" or "mlock"; else NULL */
    bool keeper_hidden;                       /* server: DIR/keeper cannot be reached */
    char kernel[64];
};
const char *sandbox_layer_name(enum sandbox_layer layer);
/* One JSON object: a row of RingfortHardening without its time. */
void sandbox_report_json(const struct sandbox_report *report, struct rf_buf *out);

enum sandbox_mode {
    SANDBOX_ON,
    SANDBOX_LOG, /* seccomp only logs what it would stop: sanitizers need more calls */
    SANDBOX_OFF  /* --hardening=off, and the positive controls of tests */
};

struct sandbox_server_options {
    enum sandbox_mode mode;
    bool strict;
    const char *data; /* DIR */
    /* Names of folders in DIR that the role reads and writes, made (0700) when missing. Landlock knows no "all but": rights
     * on DIR itself would reach DIR/keeper. NULL: DIR as a whole, and the report says keeper_hidden false. */
    const char *const *folders;
    uint32_t folder_count;
    /* Further files and folders to read: content, a CA bundle. The libc's own (resolver, time zones, certificates) are known. */
    const char *const *readable;
    uint32_t readable_count;
    /* Folders outside of DIR that are written to as well: exports. Those that are not there are left out. */
    const char *const *writable;
    uint32_t writable_count;
    const uint16_t
        *listen_ports; /* TCP, that will be bound later; what is bound already needs no entry */
    uint32_t listen_port_count;
    const uint16_t *connect_ports; /* TCP; NULL: 443 */
    uint32_t connect_port_count;
    bool connect_any; /* to every port: the report tells that the layer of TCP does not hold then */
};
RF_MUST_USE enum rf_kind sandbox_server(const struct sandbox_server_options *options,
                                        struct sandbox_report *report, struct rf_err *err);

/* The keeper, in two steps: everything but seccomp before its threads; then, when all of them run, seccomp for all (nothing but
 * calls on what is open; no thread can be started then). */
RF_MUST_USE enum rf_kind sandbox_keeper_before_threads(enum sandbox_mode mode, bool strict,
                                                       struct sandbox_report *report,
                                                       struct rf_err *err);
RF_MUST_USE enum rf_kind sandbox_keeper_after_threads(enum sandbox_mode mode, bool strict,
                                                      struct sandbox_report *report,
                                                      struct rf_err *err);
/* The supervisor, which reads nothing from outside: no dump, no core, no further privileges for what it starts. It keeps the
 * rights that a role gives up itself. */
void sandbox_supervisor(struct sandbox_report *report);

/* What this kernel offers, without changing anything (doctor.h). */
int sandbox_landlock_abi(void);
bool sandbox_has_seccomp(void);

#endif
