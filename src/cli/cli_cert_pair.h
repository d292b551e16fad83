/* cli_cert_pair.h - a certificate with its key on this machine: taken from a vault's secret, and put into files so that no reader finds
 * halves of two pairs.
 *
 *   KEY               -> .KEY.d/current/key.pem      links, made once
 *   CERT              -> .KEY.d/current/fullchain.pem, or cert.pem when the chain has a path of its own
 *   CHAIN             -> .KEY.d/current/chain.pem
 *   .KEY.d/VERSION/   key.pem, cert.pem, chain.pem, fullchain.pem
 *   .KEY.d/current    -> VERSION                     what is renamed over: key and certificate change in one step
 *   .KEY.d/reload     holds the version that the reload command has not been told of yet
 *   .KEY.d/lock       held by the command that is at work
 *
 * A version's files are on the disk before `current` names it; the version before it is kept, older ones are removed. */
#ifndef RF_CLI_CERT_PAIR_H
#define RF_CLI_CERT_PAIR_H

#include <sys/types.h>

#include "base/clock.h"
#include "base/rf.h"

struct cert_pair {
    rf_str key;   /* PEM, PKCS #8 */
    rf_str cert;  /* PEM */
    rf_str chain; /* PEM of those behind it; may be empty */
    rf_usec not_after;
};
/* Reads what a certificate's secret holds as PEM. The certificate is the one that fits the key, the others in their order the chain.
 * Errors: RF_INVALID BadPair (no key, no certificate, none fits); RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind cert_pair_read(rf_str value, struct rf_arena *arena, struct cert_pair *out,
                                        struct rf_err *err);

struct cert_files {
    const char *key, *cert, *chain; /* paths; chain NULL: it goes behind the certificate */
    uid_t owner;                    /* (uid_t)-1: as it is */
    gid_t group;                    /* (gid_t)-1 */
    mode_t mode;                    /* of the key */
    /* filled in by cert_files_open */
    char *folder; /* .KEY.d, absolute; free() */
    int lock;     /* -1: none */
};
/* Makes the folder and takes its lock. RF_CONFLICT FileLocked: another command is at work there. */
RF_MUST_USE enum rf_kind cert_files_open(struct cert_files *files, struct rf_err *err);
void cert_files_close(struct cert_files *files);
/* The version that is in place; empty when there is none, a file or link is missing, or the key's mode or owner is another. In `arena`. */
rf_str cert_files_version(const struct cert_files *files, struct rf_arena *arena);
/* Puts the pair in place and notes that a reload is due. Whatever fails leaves what was there. A file of before at one of the paths is kept
 * as PATH.before. */
RF_MUST_USE enum rf_kind cert_files_put(const struct cert_files *files, rf_str version,
                                        const struct cert_pair *pair, struct rf_arena *arena,
                                        struct rf_err *err);
bool cert_files_reload_due(const struct cert_files *files);
void cert_files_reloaded(const struct cert_files *files);
/* "www-data", "www-data:ssl", numbers; the group is the user's own unless given. Reads /etc/passwd and /etc/group. RF_NOT_FOUND NoUser. */
RF_MUST_USE enum rf_kind cert_files_owner(const char *text, uid_t *owner, gid_t *group,
                                          struct rf_err *err);

#endif
