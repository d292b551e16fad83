/* root_door.h - the socket DIR/keeper/seal.sock: who may open it (root, and the keeper's user) asks there about the root's seal, as
 * crypt/keeper_seal_talk.h says. SOCK_SEQPACKET: a datagram is a request, and one is its reply. What the server process asks never comes this
 * way, so one that was taken over cannot re-seal. */
#ifndef RF_ROOT_DOOR_H
#define RF_ROOT_DOOR_H

#include <poll.h>

#include "crypt/keeper_seal_talk.h"

#define ROOT_DOOR_NAME "seal.sock"
enum { ROOT_DOOR_GUESTS = 4, ROOT_DOOR_FDS = 1 + ROOT_DOOR_GUESTS };
struct root_door {
    int listener;
    int guests[ROOT_DOOR_GUESTS]; /* -1: none */
    int changer;                  /* whose change waits for its commit; -1: nobody's */
};
/* Makes the socket, in place of an old one. RF_IO InputOutput. */
RF_MUST_USE enum rf_kind root_door_open(const char *folder, struct root_door *out,
                                        struct rf_err *err);
/* Fills `fds`, ROOT_DOOR_FDS of them, for poll; those that are of no use are negative. */
void root_door_fds(const struct root_door *door, struct pollfd *fds);
/* Answers what poll found. */
void root_door_work(struct root_door *door, const struct pollfd *fds, struct root_talk *talk);
/* The client's side: asks once more on `fd`, which root_door_connect gave. RF_NOT_FOUND NoKeeper, RF_DENIED FileDenied; RF_AGAIN PeerGone. */
RF_MUST_USE enum rf_kind root_door_connect(const char *folder, int *fd, struct rf_err *err);
RF_MUST_USE enum rf_kind root_door_ask(int fd, rf_str request, char reply[ROOT_REPLY_BYTES],
                                       struct rf_err *err);
/* The same, and `passed` (borrowed; -1: none) goes along. */
RF_MUST_USE enum rf_kind root_door_ask_with(int fd, rf_str request, int passed,
                                            char reply[ROOT_REPLY_BYTES], struct rf_err *err);

#endif
