#define _GNU_SOURCE /* asprintf */
/* cli_vault_files.c - values on their way in and out. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/fs.h"
#include "cli/cli_vault.h"
#include "value/text.h"
#include "value/value.h"

enum { LINE_BYTES_MAX = 32 << 10, ISO_BYTES = 19 };

/* ---- in ------------------------------------------------------------------------------------------------------------- */

static enum rf_kind read_input(struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (;;) {
        if (!rf_buf_reserve(&buf, 64 << 10)) return rf_fail_memory(err, arena);
        ssize_t got = read(STDIN_FILENO, buf.ptr + buf.len, buf.cap - buf.len);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return rf_fs_fail(errno, "read", "standard input", err);
        if (got == 0) break;
        buf.len += (size_t)got;
        if (buf.len > CLI_VAULT_VALUE_MAX)
            return RF_FAIL(err, RF_LIMIT, "FileTooLarge", "standard input has more than %d bytes",
                           CLI_VAULT_VALUE_MAX);
    }
    *out = rf_buf_view(&buf);
    return RF_OK;
}

enum rf_kind cli_vault_read(const char *path, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
{
    if (path == NULL || strcmp(path, "-") == 0) return read_input(arena, out, err);
    return rf_fs_read_all(rf_fs_real(), path, CLI_VAULT_VALUE_MAX, arena, out, err);
}

/* One line of standard input, without its end; false at the end of the input. */
static bool type_line(const char *prompt, char *line, size_t cap)
{
    struct termios before, quiet;
    bool terminal = tcgetattr(STDIN_FILENO, &before) == 0;
    if (terminal) {
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
        fputs(prompt, stderr);
    }
    char *got = fgets(line, (int)cap, stdin);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
        fputc('\n', stderr);
    }
    if (got != NULL) line[strcspn(line, "\r\n")] = '\0';
    return got != NULL;
}

enum rf_kind cli_vault_type(const char *prompt, bool twice, struct rf_arena *arena, rf_str *out,
                            struct rf_err *err)
{
    char first[LINE_BYTES_MAX], second[LINE_BYTES_MAX];
    bool same = true, typed = type_line(prompt, first, sizeof first);
    if (typed && twice && isatty(STDIN_FILENO))
        same = type_line("once more: ", second, sizeof second) && strcmp(first, second) == 0;
    bool copied = typed && same && rf_arena_str(arena, rf_str_of(first), out);
    explicit_bzero(first, sizeof first);
    explicit_bzero(second, sizeof second);
    if (!typed) return RF_FAIL(err, RF_INVALID, "NoValue", "nothing was typed");
    if (!same) return RF_FAIL(err, RF_INVALID, "NoValue", "the two are not the same");
    return copied ? RF_OK : rf_fail_memory(err, arena);
}

/* ---- out ------------------------------------------------------------------------------------------------------------ */

static enum rf_kind exists(const char *path, struct rf_err *err)
{
    return RF_FAIL(err, RF_CONFLICT, "FileExists", "%s is there already; --force writes over it",
                   path);
}

enum rf_kind cli_vault_may_write(const char *path, bool force, struct rf_err *err)
{
    struct stat found;
    return !force && lstat(path, &found) == 0 ? exists(path, err) : RF_OK;
}

static bool write_whole(int fd, rf_str text)
{
    size_t done = 0;
    while (done < text.len) {
        ssize_t put = write(fd, text.ptr + done, text.len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        done += (size_t)put;
    }
    return fsync(fd) == 0;
}

/* A file that was not there, as it was when that fails. */
static enum rf_kind write_new(const char *path, rf_str text, unsigned mode, struct rf_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return errno == EEXIST ? exists(path, err) : rf_fs_fail(errno, "create", path, err);
    bool good = write_whole(fd, text) && (mode == 0600 || fchmod(fd, (mode_t)mode) == 0);
    int why = errno;
    (void)close(fd);
    if (good) return RF_OK;
    (void)unlink(path);
    return rf_fs_fail(why, "write", path, err);
}

enum rf_kind cli_vault_write(const char *path, rf_str text, unsigned mode, bool force,
                             struct rf_err *err)
{
    if (!force) return write_new(path, text, mode, err);
    char *fresh = NULL;
    if (asprintf(&fresh, "%s.%ld.new", path, (long)getpid()) < 0)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    (void)unlink(fresh);
    enum rf_kind kind = write_new(fresh, text, mode, err);
    if (kind == RF_OK && rename(fresh, path) != 0) {
        kind = rf_fs_fail(errno, "write", path, err);
        (void)unlink(fresh);
    }
    free(fresh);
    return kind;
}

/* ---- times ------------------------------------------------------------------------------------------------------------ */

bool cli_vault_time(const char *text, int64_t *out)
{
    int64_t ticks, now = rf_clock_now(rf_clock_real()) / RF_USEC_PER_SECOND;
    if (cli_parse_duration(rf_str_of(text), &ticks)) {
        *out = now + ticks / TICKS_PER_SECOND;
        return true;
    }
    if (!text_to_datetime(rf_str_of(text), &ticks) || ticks < DATETIME_UNIX_EPOCH) return false;
    *out = (ticks - DATETIME_UNIX_EPOCH) / TICKS_PER_SECOND;
    return true;
}

rf_str cli_vault_iso(struct rf_arena *arena, int64_t seconds)
{
    if (seconds <= 0 || seconds > INT64_MAX / RF_USEC_PER_SECOND) return (rf_str){NULL, 0};
    rf_str text = time_iso(arena, seconds * RF_USEC_PER_SECOND);
    return text.len < ISO_BYTES
               ? (rf_str){NULL, 0}
               : rf_arena_printf(arena, "%.*sZ", ISO_BYTES, (const char *)text.ptr);
}
