#define _GNU_SOURCE
#include "daemon/token_start.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TOKEN_FD = 3, OUT_OF_THE_WAY = 10, CANNOT_EXEC = 127 };

/* Beside this program. */
static enum rf_kind find_program(char path[PATH_MAX], struct rf_err *err)
{
    static const char name[] = "ringfort-token";
    ssize_t got = readlink("/proc/self/exe", path, PATH_MAX - sizeof name);
    if (got <= 0) return RF_FAIL_ERRNO(err, "StartFailed", "cannot find this program's folder");
    while (got > 0 && path[got - 1] != '/') got--;
    memcpy(path + got, name, sizeof name);
    if (access(path, X_OK) == 0) return RF_OK;
    return RF_FAIL(err, RF_NOT_FOUND, "TokenHelperMissing",
                   "%s is missing; install it from the same release", path);
}

static _Noreturn void become(const char *path, char *const *argv, int fd)
{
    static char *const no_environment[] = {NULL};
    sigset_t none;
    sigemptyset(&none);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    fd = fcntl(fd, F_DUPFD_CLOEXEC, OUT_OF_THE_WAY);
    if (null >= 0 && fd >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(fd, TOKEN_FD) >= 0 &&
        syscall(SYS_close_range, TOKEN_FD + 1, UINT_MAX, 0) == 0 &&
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) == 0 &&
        sigprocmask(SIG_SETMASK, &none, NULL) == 0)
        execve(path, argv, no_environment);
    _exit(CANNOT_EXEC);
}

enum rf_kind token_start(rf_str settings, int *fd, pid_t *pid, struct rf_err *err)
{
    char path[PATH_MAX], text[ROOT_SETTINGS_BYTES_MAX + 1], *argv[TOKEN_WORDS_MAX + 2],
        *rest = text;
    int pair[2];
    size_t count = 0;
    if (settings.len >= sizeof text)
        return RF_FAIL(err, RF_LIMIT, "SealUnfit", "the token's settings are too long");
    memcpy(text, settings.ptr, settings.len);
    text[settings.len] = '\0';
    argv[count++] = (char *)(uintptr_t) "ringfort-token";
    for (char *word; (word = strsep(&rest, "\n")) != NULL && count <= TOKEN_WORDS_MAX;)
        if (*word != '\0') argv[count++] = word;
    argv[count] = NULL;
    RF_TRY(find_program(path, err));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return RF_FAIL_ERRNO(err, "StartFailed", "cannot make a socket for ringfort-token");
    pid_t child = fork();
    if (child == 0) become(path, argv, pair[1]);
    close(pair[1]);
    if (child < 0) {
        close(pair[0]);
        return RF_FAIL_ERRNO(err, "StartFailed", "cannot start ringfort-token");
    }
    *fd = pair[0];
    *pid = child;
    return RF_OK;
}
