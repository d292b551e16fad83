#define _GNU_SOURCE
#include "daemon/roles.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/users.h"

/* Its user comes first: nothing of a role runs as root when it has one of its own. */
static bool take_user(struct role_start *start, bool binds)
{
    struct rf_err err = {0};
    if (start->argc < 2 || strcmp(start->argv[0], ROLE_USER_OPTION) != 0) return true;
    if (user_become(start->argv[1], binds, &err) != RF_OK) {
        rf_log(RF_ERROR, "role.no_user", RF_KV_STR("why", rf_str_of(err.text)));
        return false;
    }
    start->argc -= 2;
    start->argv += 2;
    return true;
}

bool role_run(int argc, char **argv, int *status)
{
    static const struct {
        const char *word;
        int (*run)(const struct role_start *start);
        bool binds; /* it opens listeners, maybe below port 1024 */
    } roles[] = {{"@keeper", keeper_role, false}, {"@server", server_role, true}};
    for (size_t i = 0; argc >= 2 && i < RF_COUNT(roles); i++) {
        if (strcmp(argv[1], roles[i].word) != 0) continue;
        struct role_start start = {.argc = argc - 2,
                                   .argv = argv + 2,
                                   .control_fd = ROLE_CONTROL_FD,
                                   .edge_fd = ROLE_EDGE_FD};
        *status = take_user(&start, roles[i].binds) ? roles[i].run(&start) : 1;
        return true;
    }
    return false;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "ProtocolError", "a message of a control socket %s", what);
}

enum rf_kind role_message_read(rf_str datagram, bool has_fd, struct role_message *out,
                               struct rf_err *err)
{
    static const struct {
        bool text, fd;
    } shapes[ROLE_TYPE_END] = {[ROLE_READY] = {.text = true},
                               [ROLE_NEW_EDGE] = {.fd = true},
                               [ROLE_NOTE] = {.text = true},
                               [ROLE_UNSEAL] = {.text = true},
                               [ROLE_TOKEN] = {.fd = true}};
    if (datagram.len < ROLE_HEADER_BYTES) return bad("is shorter than its header", err);
    unsigned type = rf_get_u16le(datagram.ptr);
    size_t bytes = datagram.len - ROLE_HEADER_BYTES;
    if (type < ROLE_READY || type >= ROLE_TYPE_END) return bad("has an unknown type", err);
    if (rf_get_u16le(datagram.ptr + 2) != ROLE_WIRE_VERSION)
        return bad("has an unknown version", err);
    if (rf_get_u32le(datagram.ptr + 8) != bytes || bytes > ROLE_TEXT_BYTES_MAX)
        return bad("has another length than its header says", err);
    if (!shapes[type].text && bytes != 0) return bad("has bytes left over", err);
    if (shapes[type].fd != has_fd) return bad("has a descriptor too many or too few", err);
    rf_str text = rf_slice(datagram, ROLE_HEADER_BYTES, datagram.len);
    if (!rf_utf8_valid(text)) return bad("holds no text", err);
    out->type = (enum role_message_type)type;
    out->fd = -1;
    out->text_bytes = bytes;
    memcpy(out->text, text.ptr, bytes);
    return RF_OK;
}

static enum rf_kind peer_gone(struct rf_err *err)
{
    return RF_FAIL(err, RF_AGAIN, "PeerGone", "the other side of a control socket has gone");
}

enum rf_kind role_send(int socket, enum role_message_type type, rf_str text, int fd,
                       struct rf_err *err)
{
    uint8_t head[ROLE_HEADER_BYTES] = {0};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {{0}};
    if (text.len > ROLE_TEXT_BYTES_MAX)
        return RF_FAIL(err, RF_LIMIT, "MessageTooLarge", "a message of a control socket");
    rf_put_u16le(head, (uint16_t)type);
    rf_put_u16le(head + 2, ROLE_WIRE_VERSION);
    rf_put_u32le(head + 8, (uint32_t)text.len);
    struct iovec parts[2] = {{.iov_base = head, .iov_len = sizeof head},
                             {.iov_base = (void *)(uintptr_t)text.ptr, .iov_len = text.len}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *item = CMSG_FIRSTHDR(&message);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(item), &fd, sizeof fd);
    }
    while (sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        if (errno != EINTR) return peer_gone(err);
    return RF_OK;
}

/* The one descriptor that came along, -1 when none did; false when there were more. */
static bool passed_fd(struct msghdr *message, int *fd)
{
    *fd = -1;
    bool fits = (message->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *item = CMSG_FIRSTHDR(message); item != NULL;
         item = CMSG_NXTHDR(message, item)) {
        if (item->cmsg_level != SOL_SOCKET || item->cmsg_type != SCM_RIGHTS) continue;
        if (item->cmsg_len != CMSG_LEN(sizeof *fd)) fits = false;
        memcpy(fd, CMSG_DATA(item), sizeof *fd);
    }
    return fits;
}

enum rf_kind role_receive(int socket, struct role_message *out, struct rf_err *err)
{
    uint8_t bytes[ROLE_HEADER_BYTES + ROLE_TEXT_BYTES_MAX + 1];
    union {
        char bytes[CMSG_SPACE(sizeof(int))]; /* room for one: the kernel closes what does not fit */
        struct cmsghdr align;
    } control;
    struct iovec part = {.iov_base = bytes, .iov_len = sizeof bytes};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    ssize_t got;
    int fd;
    do got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN) return RF_FAIL(err, RF_AGAIN, "NoMessage", "nothing came");
    if (got <= 0) return peer_gone(err);
    bool fits = passed_fd(&message, &fd);
    enum rf_kind kind = fits ? role_message_read(rf_str_make(bytes, (size_t)got), fd >= 0, out, err)
                             : bad("has a descriptor too many or too few", err);
    if (kind == RF_OK)
        out->fd = fd;
    else if (fd >= 0)
        close(fd);
    return kind;
}

/* ---- the role's side --------------------------------------------------------------------------------------------------- */

static enum rf_kind to_supervisor(enum rf_kind kind, struct rf_err *err)
{
    if (kind != RF_AGAIN) return kind;
    return RF_FAIL(err, RF_AGAIN, "SupervisorGone", "the supervisor has gone");
}

enum rf_kind role_ready(const struct role_start *start, const struct sandbox_report *report,
                        struct rf_err *err)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 2 * ROLE_TEXT_BYTES_MAX);
    struct rf_buf text = rf_buf_in(&arena);
    sandbox_report_json(report, &text);
    if (text.failed) return rf_fail_memory(err, &arena);
    return to_supervisor(role_send(start->control_fd, ROLE_READY, rf_buf_view(&text), -1, err),
                         err);
}

enum rf_kind role_peer_bad(const struct role_start *start, struct rf_err *err)
{
    return to_supervisor(role_send(start->control_fd, ROLE_PEER_BAD, (rf_str){0}, -1, err), err);
}

enum rf_kind role_sealed(const struct role_start *start, struct rf_err *err)
{
    return to_supervisor(role_send(start->control_fd, ROLE_SEALED, (rf_str){0}, -1, err), err);
}

enum rf_kind role_next_message(const struct role_start *start, int64_t wait_usec,
                               struct role_message *out, struct rf_err *err)
{
    struct pollfd control = {.fd = start->control_fd, .events = POLLIN};
    int wait_ms = wait_usec < 0 ? -1 : (int)RF_MIN((wait_usec + 999) / 1000, INT32_MAX);
    int ready = poll(&control, 1, wait_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR))
        return RF_FAIL(err, RF_AGAIN, "NoMessage", "nothing came");
    enum rf_kind kind = role_receive(start->control_fd, out, err);
    if (kind == RF_AGAIN && err != NULL && strcmp(err->code, "NoMessage") == 0) return kind;
    if (kind != RF_OK) return to_supervisor(kind, err);
    /* What only a role may say does not come from the supervisor. */
    if (out->type == ROLE_READY || out->type == ROLE_PEER_BAD || out->type == ROLE_SEALED)
        return bad("goes the wrong way", err);
    return RF_OK;
}
