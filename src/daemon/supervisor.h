/* supervisor.h - starts the roles of `ringfort serve`, hands them their sockets, starts anew what dies, stops all on SIGTERM
 * and SIGINT. Reads nothing from outside.
 *
 * A role that ends is started again after 0.2 s, doubling to 30 s, and from 0.2 s again once it ran for a minute. The other
 * side of the edge gets a new socket by ROLE_NEW_EDGE. What happened is logged and given to the server as a ROLE_NOTE
 * {"Role","Event","Signal","ExitCode","Restarts"}. */
#ifndef RF_SUPERVISOR_H
#define RF_SUPERVISOR_H

#include "base/clock.h"

enum { SUPERVISOR_WORDS_MAX = 64 }; /* of a role */
struct supervisor_options {
    /* Words after "@keeper" and "@server", NULL at the end; visible in the process list, so no secrets. */
    const char *const *keeper_words;
    const char *const *server_words;
    const char *program;     /* NULL: /proc/self/exe */
    const char *unseal_file; /* its passphrase is given to a keeper that is sealed; NULL: none */
    int64_t stop_grace_usec; /* until a role that was told to stop is killed; 0: 30 s */
    int64_t ready_usec_max;  /* until a role that does not say READY is killed; 0: 300 s */
};
/* Runs until it is told to stop: RF_OK. RF_IO StartFailed when a role ends before both were ready for the first time: what is
 * wrong then is wrong the next time too, and the role has said it. Blocks SIGTERM, SIGINT,
 * SIGHUP and SIGCHLD in the calling thread, which must be the only one. Tells systemd (NOTIFY_SOCKET) READY, STOPPING, WATCHDOG. */
RF_MUST_USE enum rf_kind supervisor_run(const struct supervisor_options *options,
                                        struct rf_err *err);

/* ---- when to start again: pure ----------------------------------------------------------------------------------------- */

#define BACKOFF_FIRST_USEC INT64_C(200000)
#define BACKOFF_MOST_USEC INT64_C(30000000)
#define BACKOFF_STABLE_USEC INT64_C(60000000)
struct backoff {
    int64_t delay_usec; /* of the last time; 0: none yet */
};
/* A role that ran for `ran_usec` has ended: how long to wait. */
int64_t backoff_next(struct backoff *backoff, int64_t ran_usec);

#endif
