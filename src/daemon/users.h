/* users.h - the users that the processes of `ringfort serve` run as.
 *
 * Started as root, each role runs as an unprivileged user of its own, so that the kernel itself keeps them apart: the keeper
 * as `ringfort-keeper`, which owns DIR/keeper, the server as `ringfort-server`, which owns DIR/state, DIR/tables and DIR/hubs.
 * DIR stays root's, and open for passing through (mode 0711). The supervisor stays root with the few capabilities by which it
 * starts and stops them.
 *
 * Users are looked for in /etc/passwd itself, as systemd-sysusers and useradd write it: asking libc would load its
 * modules into a root process. Without these users, or without root, all roles share one user; the caller says so. */
#ifndef RF_USERS_H
#define RF_USERS_H

#include <sys/types.h>

#include "base/rf.h"

#define USERS_PASSWD "/etc/passwd"
/* What makes the users, for messages. */
#define USERS_REMEDY                                                                               \
    "make the users with systemd-sysusers (packaging/ringfort.sysusers.conf), or by: "             \
    "useradd --system --no-create-home --shell /usr/sbin/nologin ringfort-keeper; "                \
    "useradd --system --no-create-home --shell /usr/sbin/nologin ringfort-server"

enum user_role { USER_KEEPER, USER_SERVER, USER_COUNT };
struct role_user {
    uid_t uid;
    gid_t gid;
};
struct users {
    struct role_user of[USER_COUNT];
    const char *missing; /* the name of the first user that is not there; NULL: all are */
};
const char *user_name(enum user_role role);

/* Reads `passwd`, a file in the form of passwd(5). A file that is not there names nobody. RF_INVALID BadUsers when a user is
 * root, or both are the same one. */
RF_MUST_USE enum rf_kind users_find(const char *passwd, struct users *out, struct rf_err *err);

/* Gives the folders of DIR to their users, making them where they are missing. `users` NULL: to the caller. A tree that is
 * root's is handed over once; one that is somebody else's is refused, as links that its owner planted would hand over more than
 * the tree. The caller is root, or `users` is NULL.
 * RF_DENIED FolderOfAnother with the remedy; RF_DENIED FolderOutOfReach when a user cannot pass through to DIR. */
RF_MUST_USE enum rf_kind users_own_data(const char *data, const struct users *users,
                                        struct rf_err *err);

/* The supervisor's: gives up every capability but those by which it starts and stops roles, for good.
 * RF_IO CapabilitiesFailed. */
RF_MUST_USE enum rf_kind users_supervise(struct rf_err *err);

/* "UID:GID", how a role is told its user on its command line. */
enum { USER_WORD_BYTES = 24 };
void user_word(const struct role_user *user, char out[USER_WORD_BYTES]);
/* In the role, before anything else: becomes the user, without a way back, and checks that there is none. `binds` keeps the
 * right to bind ports below 1024 until the sandbox drops it. RF_INVALID BadUser for a word that is none or names root; RF_IO UserFailed. */
RF_MUST_USE enum rf_kind user_become(const char *word, bool binds, struct rf_err *err);

#endif
