#define _GNU_SOURCE /* fallocate */
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MODE = 0640, DIR_MODE = 0750 };

/* One system call takes at most this much, so that a signal is answered soon and no limit of the
 * kernel (2 GiB) is met. */
#define IO_BYTES_MAX ((size_t)1 << 30)

struct real_file {
    struct rf_file file;
    int fd;
    char path[]; /* for error texts */
};

enum rf_kind rf_fs_fail(int os_errno, const char *verb, const char *path, struct rf_err *err)
{
    static const struct {
        int os_errno;
        enum rf_kind kind;
        const char *code;
    } known[] = {
        {ENOENT, RF_NOT_FOUND, "FileNotFound"},
        {ENOTDIR, RF_NOT_FOUND, "FileNotFound"},
        {EEXIST, RF_CONFLICT, "FileExists"},
        {ENOTEMPTY, RF_CONFLICT, "FileExists"},
        {EWOULDBLOCK, RF_CONFLICT, "FileLocked"},
        {EACCES, RF_DENIED, "FileDenied"},
        {EPERM, RF_DENIED, "FileDenied"},
        {EROFS, RF_DENIED, "FileDenied"},
        {ENOSPC, RF_LIMIT, "DiskFull"},
        {EDQUOT, RF_LIMIT, "DiskFull"},
        {EFBIG, RF_LIMIT, "DiskFull"},
        {EMFILE, RF_LIMIT, "TooManyFiles"},
        {ENFILE, RF_LIMIT, "TooManyFiles"},
        {ENOMEM, RF_LIMIT, "MemoryBudgetExceeded"},
    };
    enum rf_kind kind = RF_IO;
    const char *code = "InputOutput";
    for (size_t i = 0; i < RF_COUNT(known); i++) {
        if (known[i].os_errno != os_errno) continue;
        kind = known[i].kind;
        code = known[i].code;
        break;
    }
    errno = os_errno;
    (void)rf_fail_errno(err, code, "cannot %s %s", verb, path);
    if (err != NULL) err->kind = kind;
    return kind;
}

static const struct real_file *real_of(const struct rf_file *file)
{
    return (const struct real_file *)file;
}

static enum rf_kind file_fail(const struct rf_file *file, const char *verb, struct rf_err *err)
{
    return rf_fs_fail(errno, verb, real_of(file)->path, err);
}

/* ---- files ----------------------------------------------------------------------------------- */

enum rf_kind rf_fs_real_adopt(int fd, const char *name, struct rf_file **out, struct rf_err *err)
{
    size_t bytes = strlen(name) + 1;
    struct real_file *file = malloc(sizeof *file + bytes);
    if (file == NULL) return rf_fs_fail(ENOMEM, "open", name, err);
    file->file.fs = rf_fs_real();
    file->fd = fd;
    memcpy(file->path, name, bytes);
    *out = &file->file;
    return RF_OK;
}

static enum rf_kind real_open(__attribute__((unused)) struct rf_fs *fs, const char *path,
                              unsigned how, struct rf_file **out, struct rf_err *err)
{
    int flags = O_CLOEXEC | O_NOCTTY;
    bool reads = (how & RF_OPEN_READ) != 0, writes = (how & (RF_OPEN_WRITE | RF_OPEN_APPEND)) != 0;
    flags |= reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;
    if (how & RF_OPEN_CREATE) flags |= O_CREAT;
    if (how & RF_OPEN_EXCLUSIVE) flags |= O_EXCL;
    if (how & RF_OPEN_TRUNCATE) flags |= O_TRUNC;
    if (how & RF_OPEN_APPEND) flags |= O_APPEND;
    int fd;
    do fd = open(path, flags, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    if (fd < 0) return rf_fs_fail(errno, "open", path, err);
    enum rf_kind kind = rf_fs_real_adopt(fd, path, out, err);
    if (kind != RF_OK) close(fd);
    return kind;
}

static void real_close(struct rf_file *file)
{
    close(real_of(file)->fd);
    free(file);
}

static enum rf_kind real_read(struct rf_file *file, void *bytes, size_t cap, size_t *got,
                              struct rf_err *err)
{
    ssize_t n;
    do n = read(real_of(file)->fd, bytes, RF_MIN(cap, IO_BYTES_MAX));
    while (n < 0 && errno == EINTR);
    if (n < 0) return file_fail(file, "read", err);
    *got = (size_t)n;
    return RF_OK;
}

static enum rf_kind real_pread(struct rf_file *file, void *bytes, size_t cap, uint64_t at,
                               size_t *got, struct rf_err *err)
{
    size_t done = 0;
    while (done < cap) {
        ssize_t n = pread(real_of(file)->fd, (uint8_t *)bytes + done,
                          RF_MIN(cap - done, IO_BYTES_MAX), (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_fail(file, "read", err);
        if (n == 0) break;
        done += (size_t)n;
    }
    *got = done;
    return RF_OK;
}

static enum rf_kind real_write(struct rf_file *file, const void *bytes, size_t len,
                               struct rf_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = write(real_of(file)->fd, (const uint8_t *)bytes + done,
                          RF_MIN(len - done, IO_BYTES_MAX));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_fail(file, "write", err);
        done += (size_t)n;
    }
    return RF_OK;
}

static enum rf_kind real_pwrite(struct rf_file *file, const void *bytes, size_t len, uint64_t at,
                                struct rf_err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(real_of(file)->fd, (const uint8_t *)bytes + done,
                           RF_MIN(len - done, IO_BYTES_MAX), (off_t)(at + done));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return file_fail(file, "write", err);
        done += (size_t)n;
    }
    return RF_OK;
}

/* fdatasync writes the size too when it changed, which is all that reading back needs. */
static enum rf_kind real_sync(struct rf_file *file, struct rf_err *err)
{
    int failed;
    do failed = fdatasync(real_of(file)->fd);
    while (failed != 0 && errno == EINTR);
    return failed == 0 ? RF_OK : file_fail(file, "sync", err);
}

static enum rf_kind real_size(struct rf_file *file, uint64_t *bytes, struct rf_err *err)
{
    struct stat status;
    if (fstat(real_of(file)->fd, &status) != 0) return file_fail(file, "look at", err);
    *bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return RF_OK;
}

static enum rf_kind real_truncate(struct rf_file *file, uint64_t bytes, struct rf_err *err)
{
    int failed;
    do failed = ftruncate(real_of(file)->fd, (off_t)bytes);
    while (failed != 0 && errno == EINTR);
    return failed == 0 ? RF_OK : file_fail(file, "truncate", err);
}

static enum rf_kind real_reserve(struct rf_file *file, uint64_t bytes, struct rf_err *err)
{
    int failed;
    do failed = fallocate(real_of(file)->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)bytes);
    while (failed != 0 && errno == EINTR);
    if (failed == 0 || bytes == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return RF_OK;
    return file_fail(file, "reserve room for", err);
}

static enum rf_kind real_lock(struct rf_file *file, bool shared, struct rf_err *err)
{
    int failed;
    do failed = flock(real_of(file)->fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB);
    while (failed != 0 && errno == EINTR);
    return failed == 0 ? RF_OK : file_fail(file, "lock", err);
}

static enum rf_kind real_map(struct rf_file *file, uint64_t at, size_t len, struct rf_map *out,
                             struct rf_err *err)
{
    uint64_t size = 0;
    RF_TRY(real_size(file, &size, err));
    if (at > size || len > size - at)
        return RF_FAIL(err, RF_CORRUPT, "FileTooShort",
                       "%s has %llu bytes, %zu at %llu were wanted", real_of(file)->path,
                       (unsigned long long)size, len, (unsigned long long)at);
    if (len == 0) {
        *out = (struct rf_map){.ptr = (const uint8_t *)"", .fs = file->fs};
        return RF_OK;
    }
    size_t lead = (size_t)(at % (uint64_t)sysconf(_SC_PAGESIZE));
    void *base =
        mmap(NULL, len + lead, PROT_READ, MAP_SHARED, real_of(file)->fd, (off_t)(at - lead));
    if (base == MAP_FAILED) return file_fail(file, "map", err);
    *out = (struct rf_map){.ptr = (const uint8_t *)base + lead,
                           .len = len,
                           .base = base,
                           .base_bytes = len + lead,
                           .fs = file->fs};
    return RF_OK;
}

static void real_unmap(struct rf_map *map)
{
    if (map->base != NULL) munmap(map->base, map->base_bytes);
}

/* ---- names ----------------------------------------------------------------------------------- */

static enum rf_kind real_stat(__attribute__((unused)) struct rf_fs *fs, const char *path,
                              struct rf_fs_stat *out, struct rf_err *err)
{
    struct stat status;
    if (stat(path, &status) != 0) return rf_fs_fail(errno, "look at", path, err);
    *out = (struct rf_fs_stat){.bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0,
                               .changed_usec = (int64_t)status.st_mtim.tv_sec * 1000000 +
                                               status.st_mtim.tv_nsec / 1000,
                               .is_dir = S_ISDIR(status.st_mode),
                               .is_file = S_ISREG(status.st_mode)};
    return RF_OK;
}

static enum rf_kind real_rename(__attribute__((unused)) struct rf_fs *fs, const char *from,
                                const char *to, struct rf_err *err)
{
    return rename(from, to) == 0 ? RF_OK : rf_fs_fail(errno, "rename", from, err);
}

static enum rf_kind real_unlink(__attribute__((unused)) struct rf_fs *fs, const char *path,
                                struct rf_err *err)
{
    return unlink(path) == 0 ? RF_OK : rf_fs_fail(errno, "remove", path, err);
}

static enum rf_kind real_mkdir(__attribute__((unused)) struct rf_fs *fs, const char *path,
                               struct rf_err *err)
{
    return mkdir(path, DIR_MODE) == 0 ? RF_OK : rf_fs_fail(errno, "make the folder", path, err);
}

static enum rf_kind real_rmdir(__attribute__((unused)) struct rf_fs *fs, const char *path,
                               struct rf_err *err)
{
    return rmdir(path) == 0 ? RF_OK : rf_fs_fail(errno, "remove the folder", path, err);
}

static enum rf_kind real_sync_dir(__attribute__((unused)) struct rf_fs *fs, const char *path,
                                  struct rf_err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return rf_fs_fail(errno, "open the folder", path, err);
    int failed;
    do failed = fsync(fd);
    while (failed != 0 && errno == EINTR);
    int os_errno = errno;
    close(fd);
    return failed == 0 ? RF_OK : rf_fs_fail(os_errno, "sync the folder", path, err);
}

static int by_bytes(const void *a, const void *b)
{
    return rf_str_cmp(*(const rf_str *)a, *(const rf_str *)b);
}

static void dir_cleanup(DIR **dir)
{
    if (*dir != NULL) closedir(*dir);
}

static enum rf_kind real_list(__attribute__((unused)) struct rf_fs *fs, const char *path,
                              struct rf_arena *arena, rf_str **names, size_t *count,
                              struct rf_err *err)
{
    RF_CLEANUP(dir_cleanup) DIR *dir = opendir(path);
    if (dir == NULL) return rf_fs_fail(errno, "list", path, err);
    rf_str *list = NULL;
    size_t len = 0, cap = 0;
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (len == cap) {
            size_t more = cap == 0 ? 16 : cap * 2;
            list = rf_arena_grow(arena, list, cap * sizeof *list, more * sizeof *list);
            if (list == NULL) return rf_fail_memory(err, arena);
            cap = more;
        }
        char *name = rf_arena_cstr(arena, rf_str_of(entry->d_name));
        if (name == NULL) return rf_fail_memory(err, arena);
        list[len++] = rf_str_of(name);
    }
    if (errno != 0) return rf_fs_fail(errno, "list", path, err);
    if (len > 0) qsort(list, len, sizeof *list, by_bytes);
    *names = list;
    *count = len;
    return RF_OK;
}

struct rf_fs *rf_fs_real(void)
{
    static const struct rf_fs_ops ops = {
        .open = real_open,
        .close = real_close,
        .read = real_read,
        .pread = real_pread,
        .write = real_write,
        .pwrite = real_pwrite,
        .sync = real_sync,
        .size = real_size,
        .truncate = real_truncate,
        .reserve = real_reserve,
        .lock = real_lock,
        .map = real_map,
        .unmap = real_unmap,
        .stat = real_stat,
        .rename = real_rename,
        .unlink = real_unlink,
        .mkdir = real_mkdir,
        .rmdir = real_rmdir,
        .list = real_list,
        .sync_dir = real_sync_dir,
    };
    static struct rf_fs real = {.ops = &ops};
    return &real;
}

/* ---- the way in: the same for every implementation ---------------------------------------------
 */

enum rf_kind rf_fs_open(struct rf_fs *fs, const char *path, unsigned how, struct rf_file **out,
                        struct rf_err *err)
{
    return fs->ops->open(fs, path, how, out, err);
}

void rf_file_close(struct rf_file *file)
{
    if (file != NULL) file->fs->ops->close(file);
}

enum rf_kind rf_file_read(struct rf_file *file, void *bytes, size_t cap, size_t *got,
                          struct rf_err *err)
{
    return file->fs->ops->read(file, bytes, cap, got, err);
}

enum rf_kind rf_file_pread(struct rf_file *file, void *bytes, size_t cap, uint64_t at, size_t *got,
                           struct rf_err *err)
{
    return file->fs->ops->pread(file, bytes, cap, at, got, err);
}

enum rf_kind rf_file_pread_all(struct rf_file *file, void *bytes, size_t len, uint64_t at,
                               struct rf_err *err)
{
    size_t got;
    RF_TRY(rf_file_pread(file, bytes, len, at, &got, err));
    if (got == len) return RF_OK;
    return RF_FAIL(err, RF_CORRUPT, "FileTooShort", "the file ends %zu bytes into the %zu at %llu",
                   got, len, (unsigned long long)at);
}

enum rf_kind rf_file_write(struct rf_file *file, const void *bytes, size_t len, struct rf_err *err)
{
    return file->fs->ops->write(file, bytes, len, err);
}

enum rf_kind rf_file_pwrite(struct rf_file *file, const void *bytes, size_t len, uint64_t at,
                            struct rf_err *err)
{
    return file->fs->ops->pwrite(file, bytes, len, at, err);
}

enum rf_kind rf_file_sync(struct rf_file *file, struct rf_err *err)
{
    return file->fs->ops->sync(file, err);
}

enum rf_kind rf_file_size(struct rf_file *file, uint64_t *bytes, struct rf_err *err)
{
    return file->fs->ops->size(file, bytes, err);
}

enum rf_kind rf_file_truncate(struct rf_file *file, uint64_t bytes, struct rf_err *err)
{
    return file->fs->ops->truncate(file, bytes, err);
}

enum rf_kind rf_file_reserve(struct rf_file *file, uint64_t bytes, struct rf_err *err)
{
    return file->fs->ops->reserve(file, bytes, err);
}

enum rf_kind rf_file_lock(struct rf_file *file, bool shared, struct rf_err *err)
{
    return file->fs->ops->lock(file, shared, err);
}

enum rf_kind rf_file_map(struct rf_file *file, uint64_t at, size_t len, struct rf_map *out,
                         struct rf_err *err)
{
    return file->fs->ops->map(file, at, len, out, err);
}

void rf_map_done(struct rf_map *map)
{
    if (map->fs != NULL) map->fs->ops->unmap(map);
    *map = (struct rf_map){0};
}

enum rf_kind rf_fs_stat(struct rf_fs *fs, const char *path, struct rf_fs_stat *out,
                        struct rf_err *err)
{
    return fs->ops->stat(fs, path, out, err);
}

bool rf_fs_exists(struct rf_fs *fs, const char *path)
{
    struct rf_fs_stat stat;
    return fs->ops->stat(fs, path, &stat, NULL) == RF_OK;
}

enum rf_kind rf_fs_rename(struct rf_fs *fs, const char *from, const char *to, struct rf_err *err)
{
    return fs->ops->rename(fs, from, to, err);
}

enum rf_kind rf_fs_unlink(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    return fs->ops->unlink(fs, path, err);
}

enum rf_kind rf_fs_mkdir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    return fs->ops->mkdir(fs, path, err);
}

enum rf_kind rf_fs_rmdir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    return fs->ops->rmdir(fs, path, err);
}

enum rf_kind rf_fs_list(struct rf_fs *fs, const char *path, struct rf_arena *arena, rf_str **names,
                        size_t *count, struct rf_err *err)
{
    return fs->ops->list(fs, path, arena, names, count, err);
}

enum rf_kind rf_fs_sync_dir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    return fs->ops->sync_dir(fs, path, err);
}

/* ---- made of the above -------------------------------------------------------------------------
 */

enum { PATH_BYTES_MAX = 4096 };

static enum rf_kind make_dir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    struct rf_fs_stat stat;
    enum rf_kind kind = rf_fs_mkdir(fs, path, err);
    if (kind != RF_CONFLICT) return kind;
    RF_TRY(rf_fs_stat(fs, path, &stat, err));
    if (stat.is_dir) return RF_OK;
    return RF_FAIL(err, RF_CONFLICT, "FileExists", "%s is there and is no folder", path);
}

enum rf_kind rf_fs_mkdirs(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    char part[PATH_BYTES_MAX];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) return rf_fs_fail(ENOENT, "make the folder", path, err);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (path[i] != '/' || path[i - 1] == '/') continue;
        part[i] = '\0';
        RF_TRY(make_dir(fs, part, err));
        part[i] = '/';
    }
    return make_dir(fs, path, err);
}

enum rf_kind rf_fs_read_all(struct rf_fs *fs, const char *path, size_t bytes_max,
                            struct rf_arena *arena, rf_str *out, struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    RF_TRY(rf_fs_open(fs, path, RF_OPEN_READ, &file, err));
    /* The size is only where to start: a pipe has none, and a file may grow. */
    uint64_t size;
    RF_TRY(rf_file_size(file, &size, err));
    struct rf_buf buf = rf_buf_in(arena);
    size_t start = (size_t)RF_MIN(size, (uint64_t)bytes_max) + 1;
    if (!rf_buf_reserve(&buf, start)) return rf_fail_memory(err, arena);
    for (;;) {
        size_t got;
        if (!rf_buf_reserve(&buf, 1)) return rf_fail_memory(err, arena);
        RF_TRY(rf_file_read(file, buf.ptr + buf.len, buf.cap - buf.len, &got, err));
        if (got == 0) break;
        buf.len += got;
        if (buf.len > bytes_max)
            return RF_FAIL(err, RF_LIMIT, "FileTooLarge", "%s is over %zu bytes", path, bytes_max);
    }
    buf.ptr[buf.len] = '\0';
    *out = rf_buf_view(&buf);
    return RF_OK;
}

static enum rf_kind write_synced(struct rf_fs *fs, const char *path, rf_str bytes,
                                 struct rf_err *err)
{
    RF_CLEANUP(rf_file_cleanup) struct rf_file *file = NULL;
    RF_TRY(rf_fs_open(fs, path, RF_OPEN_WRITE | RF_OPEN_CREATE | RF_OPEN_TRUNCATE, &file, err));
    RF_TRY(rf_file_write(file, bytes.ptr, bytes.len, err));
    return rf_file_sync(file, err);
}

enum rf_kind rf_fs_replace(struct rf_fs *fs, const char *path, rf_str bytes, struct rf_err *err)
{
    char fresh[PATH_BYTES_MAX], folder[PATH_BYTES_MAX];
    int len = snprintf(fresh, sizeof fresh, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof fresh) return rf_fs_fail(ENAMETOOLONG, "write", path, err);
    const char *slash = strrchr(path, '/');
    size_t folder_len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(folder, slash == NULL ? "." : path, folder_len);
    folder[folder_len] = '\0';

    enum rf_kind kind = write_synced(fs, fresh, bytes, err);
    if (kind == RF_OK) kind = rf_fs_rename(fs, fresh, path, err);
    if (kind == RF_OK) return rf_fs_sync_dir(fs, folder, err);
    (void)rf_fs_unlink(fs, fresh, NULL); /* what is left of a failed write is of no use */
    return kind;
}
