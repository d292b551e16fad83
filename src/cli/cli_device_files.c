#define _GNU_SOURCE /* renameat2 */
#include "cli/cli_device_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"

const char *cli_device_path(const char *folder, rf_str name, const char *end,
                            struct rf_arena *arena)
{
    rf_str path = rf_arena_printf(arena, "%s/%.*s%s", folder, RF_FMT(name), end);
    return path.ptr == NULL ? NULL : rf_arena_cstr(arena, path);
}

static enum rf_kind exists(const char *path, struct rf_err *err)
{
    return RF_FAIL(err, RF_CONFLICT, "FileExists",
                   "%s is there already and is not written over; name another folder with --out, "
                   "or follow it up with 'ringfort device renew'",
                   path);
}

enum rf_kind cli_device_check(const char *folder, rf_str name, struct rf_arena *arena,
                              struct rf_err *err)
{
    static const char *const ends[] = {".key", ".pem"};
    RF_TRY(rf_fs_mkdirs(rf_fs_real(), folder, err));
    for (size_t i = 0; i < RF_COUNT(ends); i++) {
        struct stat status;
        const char *path = cli_device_path(folder, name, ends[i], arena);
        if (path == NULL) return rf_fail_memory(err, arena);
        if (lstat(path, &status) == 0) return exists(path, err);
    }
    return RF_OK;
}

enum rf_kind cli_device_write(const char *path, rf_str text, unsigned mode, struct rf_err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0) return errno == EEXIST ? exists(path, err) : rf_fs_fail(errno, "create", path, err);
    size_t done = 0;
    while (done < text.len) {
        ssize_t put = write(fd, text.ptr + done, text.len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) break;
        done += (size_t)put;
    }
    bool good = done == text.len && fsync(fd) == 0;
    int why = errno;
    (void)close(fd);
    if (good) return RF_OK;
    (void)unlink(path);
    return rf_fs_fail(why, "write", path, err);
}

enum rf_kind cli_device_read(const char *path, struct rf_arena *arena, rf_str *out,
                             struct rf_err *err)
{
    return rf_fs_read_all(rf_fs_real(), path, CLI_DEVICE_TEXT_MAX, arena, out, err);
}

/* Never over another file. */
static enum rf_kind move(const char *from, const char *to, struct rf_err *err)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return RF_OK;
    return errno == EEXIST ? exists(to, err) : rf_fs_fail(errno, "rename", from, err);
}

enum rf_kind cli_device_replace(const char *folder, rf_str name, rf_str serial, rf_str key_text,
                                rf_str certificate_text, struct rf_arena *arena, struct rf_err *err)
{
    rf_str old = rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(name), RF_FMT(serial));
    const char *key = cli_device_path(folder, name, ".key", arena);
    const char *pem = cli_device_path(folder, name, ".pem", arena);
    const char *new_key = cli_device_path(folder, name, ".new.key", arena);
    const char *new_pem = cli_device_path(folder, name, ".new.pem", arena);
    const char *old_key = cli_device_path(folder, old, ".key", arena);
    const char *old_pem = cli_device_path(folder, old, ".pem", arena);
    if (old.ptr == NULL || key == NULL || pem == NULL || new_key == NULL || new_pem == NULL ||
        old_key == NULL || old_pem == NULL)
        return rf_fail_memory(err, arena);
    /* Both are whole on the disk before anything is moved. */
    RF_TRY(cli_device_write(new_key, key_text, 0600, err));
    enum rf_kind kind = cli_device_write(new_pem, certificate_text, 0644, err);
    if (kind != RF_OK) {
        (void)unlink(new_key);
        return kind;
    }
    RF_TRY(move(key, old_key, err));
    RF_TRY(move(pem, old_pem, err));
    RF_TRY(move(new_key, key, err));
    RF_TRY(move(new_pem, pem, err));
    return rf_fs_sync_dir(rf_fs_real(), folder, err);
}
