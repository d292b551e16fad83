/* keeper_serve.h - the keeper's side: holds the keys, answers messages. Run by the keeper process (daemon/), and by a thread
 * in tests.
 *
 * Keys lie in one file, sealed record by record (AES-256-GCM) under the root key, which lies in another file; a third tells how far
 * keys and audit log have come. All are opened before the process gives up its rights and stay open. */
#ifndef RF_KEEPER_SERVE_H
#define RF_KEEPER_SERVE_H

#include "base/clock.h"
#include "base/rf.h"
#include "crypt/keeper_seal_talk.h"

struct keeper_core;
struct keeper_core_options {
    const char *folder; /* DIR/keeper, created with mode 0700: root.key, keys, audit.log, heads */
    rf_str
        domain; /* of the TLS certificate: localhost, DOMAIN, *.DOMAIN, *.vault.DOMAIN, loopback addresses */
    const rf_str *names; /* further names and addresses */
    uint32_t name_count;
    struct rf_clock *clock;
    /* Called when people must open the root (keeper_seal.h); returns RF_OK when it is open. NULL: RF_AGAIN VaultSealed instead. */
    enum rf_kind (*unseal)(void *ctx, struct root_seal *seal, struct rf_err *err);
    void *unseal_ctx;
};
/* Opens or makes the files and keys; issues a new TLS certificate, of 90 days, when the one there is for other names or ends within 30
 * days. What is wrong with the files and no reason to stop is a line of the audit log (docs/formats.md lists them). RF_CORRUPT
 * KeeperKeysDamaged, KeeperKeysCut, RootKeyMissing. While it runs it does the latter whenever the chain is asked for; the key of the one before signs for
 * an hour more. */
RF_MUST_USE enum rf_kind keeper_core_new(const struct keeper_core_options *options,
                                         struct keeper_core **out, struct rf_err *err);
/* Answers on `fd` (SOCK_SEQPACKET, borrowed) until the other side closes it: RF_OK; RF_INVALID ProtocolError when a message
 * breaks the rules (the caller ends then). Opens no file. */
RF_MUST_USE enum rf_kind keeper_core_serve(struct keeper_core *core, int fd, struct rf_err *err);
/* The same by the calling thread alone; several may do so for one descriptor at a time. keeper_core_serve starts
 * keeper_core_workers of them. */
RF_MUST_USE enum rf_kind keeper_core_work(struct keeper_core *core, int fd, struct rf_err *err);
/* How many threads should serve: more than processors, as some wait for the disk or make an RSA key. */
unsigned keeper_core_workers(void);
/* Signs once with each key, so that OpenSSL has loaded all that it needs before the process gives up its rights. */
RF_MUST_USE enum rf_kind keeper_core_prime(struct keeper_core *core, struct rf_err *err);
void keeper_core_free(struct keeper_core *core);
/* Writes lines that wait for their second's end: now and then, for when no request comes that does so. Any thread. */
void keeper_core_tick(struct keeper_core *core);
/* For keeper_seal_talk.h, by one thread at a time. */
struct root_talk keeper_core_talk(struct keeper_core *core);

/* Counts the lines of an audit log that tell of cut, changed or missing files, and gives time, event and detail of the last one, for
 * people. Reads the file only. RF_IO InputOutput. */
enum { KEEPER_ALARM_BYTES = 160 };
RF_MUST_USE enum rf_kind keeper_audit_alarms(const char *path, uint64_t *count,
                                             char last[KEEPER_ALARM_BYTES], struct rf_err *err);

#endif
