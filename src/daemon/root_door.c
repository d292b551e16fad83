#define _GNU_SOURCE
#include "daemon/root_door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/crypto.h>

/* By the folder's descriptor: a path of any length fits. */
static bool address_in(const char *folder, int *folder_fd, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    *folder_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    (void)snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/" ROOT_DOOR_NAME,
                   *folder_fd);
    return *folder_fd >= 0;
}

enum rf_kind root_door_open(const char *folder, struct root_door *out, struct rf_err *err)
{
    struct sockaddr_un address;
    int folder_fd;
    *out = (struct root_door){.listener = -1, .changer = -1};
    for (int i = 0; i < ROOT_DOOR_GUESTS; i++) out->guests[i] = -1;
    if (!address_in(folder, &folder_fd, &address))
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot open %s", folder);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)unlinkat(folder_fd, ROOT_DOOR_NAME, 0);
    mode_t before = umask(0177);
    bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                 listen(fd, ROOT_DOOR_GUESTS) == 0;
    (void)umask(before);
    enum rf_kind kind =
        bound ? RF_OK : RF_FAIL_ERRNO(err, "InputOutput", "cannot make %s/" ROOT_DOOR_NAME, folder);
    close(folder_fd);
    if (bound)
        out->listener = fd;
    else if (fd >= 0)
        close(fd);
    return kind;
}

void root_door_fds(const struct root_door *door, struct pollfd *fds)
{
    bool full = true;
    for (int i = 0; i < ROOT_DOOR_GUESTS; i++) {
        fds[1 + i] = (struct pollfd){.fd = door->guests[i], .events = POLLIN};
        full &= door->guests[i] >= 0;
    }
    fds[0] = (struct pollfd){.fd = full ? -1 : door->listener, .events = POLLIN};
}

static void let_in(struct root_door *door)
{
    int fd = accept4(door->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (int i = 0; fd >= 0 && i < ROOT_DOOR_GUESTS; i++)
        if (door->guests[i] < 0) {
            door->guests[i] = fd;
            return;
        }
    if (fd >= 0) close(fd);
}

/* A change that somebody else prepared is nothing to commit. */
static bool is_for_changer(const struct root_door *door, int guest, rf_str request)
{
    return !rf_str_starts(request, RF_S("commit")) || door->changer == guest;
}

union one_fd {
    char bytes[CMSG_SPACE(sizeof(int))]; /* the kernel closes what does not fit */
    struct cmsghdr align;
};

/* A request, and the descriptor that came along or -1. */
static ssize_t receive(int guest, uint8_t *request, size_t cap, int *passed)
{
    union one_fd control = {{0}};
    struct iovec part = {.iov_base = request, .iov_len = cap};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    *passed = -1;
    ssize_t got = recvmsg(guest, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *item = got < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (item != NULL && item->cmsg_level == SOL_SOCKET && item->cmsg_type == SCM_RIGHTS &&
        item->cmsg_len == CMSG_LEN(sizeof *passed))
        memcpy(passed, CMSG_DATA(item), sizeof *passed);
    return got;
}

/* False: the guest has gone. */
static bool answer(struct root_door *door, int guest, struct root_talk *talk)
{
    uint8_t request[ROOT_REQUEST_BYTES_MAX + 1];
    char reply[ROOT_REPLY_BYTES];
    int passed;
    ssize_t got = receive(door->guests[guest], request, sizeof request, &passed);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    talk->token_fd = passed;
    rf_str text = rf_str_make(request, (size_t)got);
    if (got > ROOT_REQUEST_BYTES_MAX || !is_for_changer(door, guest, text))
        (void)snprintf(reply, sizeof reply,
                       "error BadRequest the request is too long, or untimely");
    else
        root_talk(talk, text, reply);
    if (passed >= 0) close(passed);
    talk->token_fd = -1;
    door->changer =
        talk->seal->pending ? (rf_str_starts(text, RF_S("reseal ")) ? guest : door->changer) : -1;
    ssize_t sent = send(door->guests[guest], reply, strlen(reply), MSG_NOSIGNAL);
    OPENSSL_cleanse(request, sizeof request);
    OPENSSL_cleanse(reply, sizeof reply);
    return sent >= 0;
}

void root_door_work(struct root_door *door, const struct pollfd *fds, struct root_talk *talk)
{
    for (int i = 0; i < ROOT_DOOR_GUESTS; i++) {
        if (door->guests[i] < 0 || fds[1 + i].revents == 0 || answer(door, i, talk)) continue;
        close(door->guests[i]);
        door->guests[i] = -1;
        if (door->changer == i) root_seal_cancel(talk->seal);
        if (door->changer == i) door->changer = -1;
    }
    if (door->listener >= 0 && fds[0].revents != 0) let_in(door);
}

enum rf_kind root_door_connect(const char *folder, int *out, struct rf_err *err)
{
    struct sockaddr_un address;
    int folder_fd;
    if (!address_in(folder, &folder_fd, &address))
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot open %s", folder);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    int code = errno;
    close(folder_fd);
    if (good) {
        *out = fd;
        return RF_OK;
    }
    if (fd >= 0) close(fd);
    if (code == EACCES || code == EPERM)
        return RF_FAIL(err, RF_DENIED, "FileDenied",
                       "%s/" ROOT_DOOR_NAME " is for root and the keeper's user; use sudo", folder);
    return RF_FAIL(err, RF_NOT_FOUND, "NoKeeper",
                   "no keeper listens at %s/" ROOT_DOOR_NAME "; start the server (ringfort serve)",
                   folder);
}

enum rf_kind root_door_ask(int fd, rf_str request, char reply[ROOT_REPLY_BYTES], struct rf_err *err)
{
    return root_door_ask_with(fd, request, -1, reply, err);
}

enum rf_kind root_door_ask_with(int fd, rf_str request, int passed, char reply[ROOT_REPLY_BYTES],
                                struct rf_err *err)
{
    ssize_t got = -1;
    union one_fd control = {{0}};
    struct iovec part = {.iov_base = (void *)(uintptr_t)request.ptr, .iov_len = request.len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (passed >= 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *item = CMSG_FIRSTHDR(&message);
        item->cmsg_level = SOL_SOCKET;
        item->cmsg_type = SCM_RIGHTS;
        item->cmsg_len = CMSG_LEN(sizeof passed);
        memcpy(CMSG_DATA(item), &passed, sizeof passed);
    }
    if (sendmsg(fd, &message, MSG_NOSIGNAL) == (ssize_t)request.len) {
        do got = recv(fd, reply, ROOT_REPLY_BYTES - 1, 0);
        while (got < 0 && errno == EINTR);
    }
    if (got <= 0) return RF_FAIL(err, RF_AGAIN, "PeerGone", "the keeper has gone");
    reply[got] = '\0';
    return RF_OK;
}
