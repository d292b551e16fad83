/* roles.h - what the processes of `ringfort serve` are to each other: how a role starts, and what it says to the supervisor.
 *
 * A role is this program, executed anew with "@keeper" or "@server" as its first word, an empty environment and two descriptors
 * beside the standard ones: 3, the control socket to the supervisor, and 4, the edge between server and keeper. main() calls
 * role_run before it looks at commands.
 *
 *   int server_role(const struct role_start *start)
 *   {
 *       ... keeper_connect(start->edge_fd, ...); open listeners ...
 *       sandbox_server(&options, &report, err);      before the first thread
 *       ... start ...
 *       role_ready(start, &report, err);
 *       for (;;) {
 *           role_next_message(start, wait, &message, err);
 *           ROLE_NEW_EDGE: keeper_reconnect(keeper, message.fd);
 *           ROLE_NOTE: a row for RingfortHardening
 *           ROLE_STOP: return 0 in the end
 *       }
 *   }
 *
 * Messages on the control socket (SOCK_SEQPACKET, one datagram each, little endian):
 *
 *   0  2  type   2  2  version, ROLE_WIRE_VERSION   4  4  id, 0   8  4  bytes of the body
 *   12    body: READY, NOTE and UNSEAL a text (READY: the report, as in sandbox.h; NOTE: one JSON object); others nothing
 *
 *   READY     role to supervisor, once
 *   NEW_EDGE  supervisor to role, with a descriptor: the other side of the edge was started anew
 *   NOTE      supervisor to server: a row, such as another role's report or its end
 *   STOP      supervisor to role
 *   SEALED    keeper to supervisor: it waits for people, the server may tell that (daemon/sealed.h)
 *   UNSEAL    supervisor to keeper, a text: the passphrase, of the file that settings name
 *   TOKEN     supervisor to keeper, with a descriptor: the way to ringfort-token (token_start.h)
 *   PEER_BAD  role to supervisor: the other side of the edge broke the protocol and is to be started anew
 *
 * What does not fit is a protocol error: the supervisor kills the role and starts it anew; a role ends. */
#ifndef RF_ROLES_H
#define RF_ROLES_H

#include "base/clock.h"
#include "daemon/sandbox.h"

enum { ROLE_CONTROL_FD = 3, ROLE_EDGE_FD = 4 };

struct role_start {
    int argc; /* the words after "@server": what supervisor_options.server_words said */
    char **argv;
    int control_fd, edge_fd;
};

/* The roles' entries; what they return is the process's exit status. server_role is in server.c, keeper_role in
 * keeper_process.c. */
int server_role(const struct role_start *start);
int keeper_role(const struct role_start *start);

/* Before a role's other words, with "UID:GID" (users.h): the user that it becomes before it does anything. Without it the role
 * stays what the supervisor is. */
#define ROLE_USER_OPTION "--user"

/* Behind the server's words: the keeper is sealed. */
#define ROLE_SEALED_WORD "sealed"

/* When argv[1] names a role: runs it, sets *status, true. */
bool role_run(int argc, char **argv, int *status);

/* Tells the supervisor that the role serves. RF_AGAIN SupervisorGone: the role should end. */
RF_MUST_USE enum rf_kind role_ready(const struct role_start *start,
                                    const struct sandbox_report *report, struct rf_err *err);

/* Has the other side of the edge started anew: it is not to be trusted, or does not answer any more. Any thread. */
RF_MUST_USE enum rf_kind role_peer_bad(const struct role_start *start, struct rf_err *err);

/* Tells the supervisor that the keeper is sealed. */
RF_MUST_USE enum rf_kind role_sealed(const struct role_start *start, struct rf_err *err);

enum role_message_type {
    ROLE_READY = 1,
    ROLE_NEW_EDGE,
    ROLE_NOTE,
    ROLE_STOP,
    ROLE_PEER_BAD,
    ROLE_SEALED,
    ROLE_UNSEAL,
    ROLE_TOKEN,
    ROLE_TYPE_END
};
enum { ROLE_WIRE_VERSION = 1, ROLE_HEADER_BYTES = 12, ROLE_TEXT_BYTES_MAX = 8 << 10 };
struct role_message {
    enum role_message_type type;
    int fd; /* NEW_EDGE, TOKEN: the receiver's to close; else -1 */
    size_t text_bytes;
    char text[ROLE_TEXT_BYTES_MAX];
};
/* Waits at most `wait_usec` (negative: for ever) for a message of the supervisor. RF_AGAIN NoMessage when none came; RF_AGAIN
 * SupervisorGone and RF_INVALID ProtocolError: the role should end. One thread. */
RF_MUST_USE enum rf_kind role_next_message(const struct role_start *start, int64_t wait_usec,
                                           struct role_message *out, struct rf_err *err);

/* ---- the bytes, for supervisor and tests ---------------------------------------------------------------------------- */

/* Sends; `fd` is passed along when it is not negative. RF_AGAIN PeerGone, also when the receiver's queue is full: who does not read
 * its control socket is not well. */
RF_MUST_USE enum rf_kind role_send(int socket, enum role_message_type type, rf_str text, int fd,
                                   struct rf_err *err);
/* Receives what is there; RF_AGAIN NoMessage, PeerGone. */
RF_MUST_USE enum rf_kind role_receive(int socket, struct role_message *out, struct rf_err *err);
/* Reads a datagram; `has_fd` says whether a descriptor came with it. Pure. RF_INVALID ProtocolError. */
RF_MUST_USE enum rf_kind role_message_read(rf_str datagram, bool has_fd, struct role_message *out,
                                           struct rf_err *err);

#endif
