#include "hub/archive_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, FOLDER_MODE = 0750, NAME_BYTES_MAX = 255 };

struct archive_disk {
    struct rf_fs fs;
    const char *folder;
};

static enum rf_kind refused(const char *path, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "PathRefused", "%s is %s: nothing is written there", path, why);
}

static enum rf_kind failed(const char *verb, const char *path, struct rf_err *err)
{
    if (errno == ELOOP) return refused(path, "a symbolic link", err);
    if (errno == ENOTDIR) return refused(path, "no folder", err);
    return rf_fs_fail(errno, verb, path, err);
}

/* ---- paths ------------------------------------------------------------------------------------------------------------ */

struct step {
    int folder; /* the one that holds `name`; -1: none */
    char name[NAME_BYTES_MAX + 1];
};
static void step_done(struct step *step)
{
    if (step->folder >= 0) close(step->folder);
}

/* The next name of a path; empty at its end. */
static enum rf_kind next_name(const char *path, size_t *at, char name[NAME_BYTES_MAX + 1],
                              struct rf_err *err)
{
    while (path[*at] == '/') (*at)++;
    size_t len = strcspn(path + *at, "/");
    if (len > NAME_BYTES_MAX) return refused(path, "no path", err);
    memcpy(name, path + *at, len);
    name[len] = '\0';
    *at += len;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return refused(path, "no path", err);
    return RF_OK;
}

static enum rf_kind enter(struct step *step, const char *path, struct rf_err *err)
{
    int inner = openat(step->folder, step->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) return failed("open", path, err);
    close(step->folder);
    step->folder = inner;
    return RF_OK;
}

/* Walks to the last name of the path, which need not be there; an empty name: the path is ".", the folder itself. */
static enum rf_kind walk(struct rf_fs *fs, const char *path, struct step *out, struct rf_err *err)
{
    const struct archive_disk *disk = (const struct archive_disk *)fs;
    char next[NAME_BYTES_MAX + 1];
    size_t at = 0;
    out->folder = open(disk->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* Not RF_NOT_FOUND: a disk that is not mounted says nothing about what is on it. */
    if (out->folder < 0)
        return RF_FAIL_ERRNO(err, "FolderMissing", "cannot open the folder %s", disk->folder);
    out->name[0] = '\0';
    if (strcmp(path, ".") == 0) return RF_OK;
    RF_TRY(next_name(path, &at, out->name, err));
    for (;;) {
        RF_TRY(next_name(path, &at, next, err));
        if (next[0] == '\0') return RF_OK;
        RF_TRY(enter(out, path, err));
        memcpy(out->name, next, sizeof next);
    }
}

/* ---- operations --------------------------------------------------------------------------------------------------------- */

static enum rf_kind disk_open(struct rf_fs *fs, const char *path, unsigned how,
                              struct rf_file **out, struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step step = {.folder = -1};
    struct stat status;
    RF_ASSERT((how & RF_OPEN_WRITE) != 0);
    RF_TRY(walk(fs, path, &step, err));
    int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, fd = -1;
    if ((how & RF_OPEN_CREATE) != 0)
        fd = openat(step.folder, step.name, flags | O_CREAT | O_EXCL, FILE_MODE);
    bool made = fd >= 0;
    if (!made &&
        ((how & RF_OPEN_CREATE) == 0 || (errno == EEXIST && (how & RF_OPEN_EXCLUSIVE) == 0)))
        fd = openat(step.folder, step.name, flags);
    if (fd < 0) return failed("open", path, err);
    enum rf_kind kind = RF_OK;
    if (fstat(fd, &status) != 0 || (made && fchmod(fd, FILE_MODE) != 0))
        kind = rf_fs_fail(errno, "open", path, err);
    else if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
        kind = refused(path, "no file of its own", err);
    else if ((how & RF_OPEN_TRUNCATE) != 0 && !made && ftruncate(fd, 0) != 0)
        kind = rf_fs_fail(errno, "truncate", path, err);
    if (kind == RF_OK) kind = rf_fs_real_adopt(fd, path, out, err);
    if (kind != RF_OK) close(fd);
    return kind;
}

static enum rf_kind disk_rename(struct rf_fs *fs, const char *from, const char *to,
                                struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step old = {.folder = -1};
    RF_CLEANUP(step_done) struct step new = {.folder = -1};
    RF_TRY(walk(fs, from, &old, err));
    RF_TRY(walk(fs, to, &new, err));
    if (renameat(old.folder, old.name, new.folder, new.name) != 0)
        return failed("rename", from, err);
    return RF_OK;
}

static enum rf_kind disk_unlink(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step step = {.folder = -1};
    RF_TRY(walk(fs, path, &step, err));
    return unlinkat(step.folder, step.name, 0) == 0 ? RF_OK : failed("remove", path, err);
}

static enum rf_kind disk_mkdir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step step = {.folder = -1};
    RF_TRY(walk(fs, path, &step, err));
    if (mkdirat(step.folder, step.name, FOLDER_MODE) != 0)
        return failed("make the folder", path, err);
    RF_TRY(enter(&step, path, err));
    return fchmod(step.folder, FOLDER_MODE) == 0 ? RF_OK : failed("make the folder", path, err);
}

static enum rf_kind disk_stat(struct rf_fs *fs, const char *path, struct rf_fs_stat *out,
                              struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step step = {.folder = -1};
    struct stat status;
    RF_TRY(walk(fs, path, &step, err));
    if (fstatat(step.folder, step.name, &status, AT_SYMLINK_NOFOLLOW) != 0)
        return failed("look at", path, err);
    *out = (struct rf_fs_stat){.bytes = (uint64_t)status.st_size,
                               .changed_usec = (int64_t)status.st_mtim.tv_sec * 1000000 +
                                               status.st_mtim.tv_nsec / 1000,
                               .is_dir = S_ISDIR(status.st_mode),
                               .is_file = S_ISREG(status.st_mode)};
    return RF_OK;
}

static enum rf_kind disk_sync_dir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    RF_CLEANUP(step_done) struct step step = {.folder = -1};
    RF_TRY(walk(fs, path, &step, err));
    if (step.name[0] != '\0') RF_TRY(enter(&step, path, err));
    return fsync(step.folder) == 0 ? RF_OK : failed("sync the folder", path, err);
}

enum rf_kind archive_disk_new(const char *folder, struct rf_fs **out, struct rf_err *err)
{
    static const struct rf_fs_ops ops = {.open = disk_open,
                                         .stat = disk_stat,
                                         .rename = disk_rename,
                                         .unlink = disk_unlink,
                                         .mkdir = disk_mkdir,
                                         .sync_dir = disk_sync_dir};
    struct archive_disk *disk = calloc(1, sizeof *disk);
    if (disk == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory for a disk");
    disk->fs.ops = &ops;
    disk->folder = folder;
    *out = &disk->fs;
    return RF_OK;
}

void archive_disk_free(struct rf_fs *fs) { free(fs); }
