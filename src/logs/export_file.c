/* export_file.c - where exported rows lie. The folder is the operator's, but what is in it may be anybody's: each step of a path is
 * taken from the one before and never over a link, so that nobody can lead the server's writing elsewhere. */
#define _GNU_SOURCE /* O_PATH */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "logs/export.h"
#include "value/text.h"

enum { FILE_MODE = 0640, FOLDER_MODE = 0750, NAME_BYTES_MAX = 255, LINE_BYTES_MAX = 64 << 10 };

static rf_str lower(struct rf_arena *arena, rf_str text)
{
    uint8_t *bytes = rf_arena_new(arena, uint8_t, text.len);
    for (size_t i = 0; i < text.len && bytes != NULL; i++) bytes[i] = rf_lower(text.ptr[i]);
    return rf_str_make(bytes, text.len);
}

rf_str export_path(rf_str workspace_id, rf_str table, int64_t slot, struct rf_arena *arena)
{
    int year, month, day;
    int64_t ticks = slot * EXPORT_SLOT_TICKS,
            minute = ticks % TICKS_PER_DAY / TICKS_PER_SECOND / 60;
    rf_str name = lower(arena, table), id = lower(arena, workspace_id);
    if (name.ptr == NULL || id.ptr == NULL) return (rf_str){NULL, 0};
    date_from_ticks(ticks, &year, &month, &day);
    return rf_arena_printf(
        arena, "am-%.*s/WorkspaceResourceId=%.*s/y=%04d/m=%02d/d=%02d/h=%02d/m=%02d/PT05M.json",
        RF_FMT(name), RF_FMT(id), year, month, day, (int)(minute / 60), (int)(minute % 60));
}

static enum rf_kind refused(const char *path, const char *why, struct rf_err *err)
{
    return RF_FAIL(err, RF_DENIED, "ExportPathRefused", "%s is %s: nothing is exported there", path,
                   why);
}

static enum rf_kind open_failed(const char *path, struct rf_err *err)
{
    if (errno == ELOOP) return refused(path, "a symbolic link", err);
    if (errno == ENOTDIR) return refused(path, "no folder", err);
    return rf_fs_fail(errno, "open", path, err);
}

/* Opens a folder within another one, made when it is missing; the one that is made is durable. */
static enum rf_kind enter(int *folder, const char *name, const char *path, struct rf_err *err)
{
    bool made = mkdirat(*folder, name, FOLDER_MODE) == 0;
    if (!made && errno != EEXIST) return rf_fs_fail(errno, "make", path, err);
    int inner = openat(*folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) return open_failed(path, err);
    /* The server's umask gives nothing to the group; who archives the files reads them by it. */
    bool good = !made || (fchmod(inner, FOLDER_MODE) == 0 && fsync(*folder) == 0);
    int failed = errno;
    close(*folder);
    *folder = inner;
    return good ? RF_OK : rf_fs_fail(failed, "make", path, err);
}

/* What is opened must be a file of its own: a second name could be somebody's way to have another file written to. */
static enum rf_kind open_file(int folder, const char *name, const char *path, int *out,
                              struct rf_err *err)
{
    struct stat status;
    int flags = O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    int fd = openat(folder, name, flags | O_CREAT | O_EXCL, FILE_MODE);
    bool made = fd >= 0;
    if (!made && errno == EEXIST) fd = openat(folder, name, flags);
    if (fd < 0) return open_failed(path, err);
    enum rf_kind kind = RF_OK;
    if (fstat(fd, &status) != 0 ||
        (made && (fchmod(fd, FILE_MODE) != 0 || fsync(fd) != 0 || fsync(folder) != 0)))
        kind = rf_fs_fail(errno, "make", path, err);
    else if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
        kind = refused(path, "no file of its own", err);
    if (kind != RF_OK) {
        close(fd);
        return kind;
    }
    *out = fd;
    return RF_OK;
}

/* The next name of a path, NUL-terminated; false at its end. */
static bool next_name(rf_str path, size_t *at, char name[NAME_BYTES_MAX + 1], bool *good)
{
    while (*at < path.len && path.ptr[*at] == '/') (*at)++;
    if (*at == path.len) return false;
    size_t end = RF_MIN(rf_str_find(path, RF_S("/"), *at), path.len), len = end - *at;
    *good = len <= NAME_BYTES_MAX;
    if (*good) {
        memcpy(name, path.ptr + *at, len);
        name[len] = '\0';
        *good = strlen(name) == len && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    }
    *at = end;
    return true;
}

/* Walks to the last name, which is left in `name`; *folder is the one that holds it. */
static enum rf_kind walk(int *folder, const char *whole, rf_str path, char name[NAME_BYTES_MAX + 1],
                         struct rf_err *err)
{
    char next[NAME_BYTES_MAX + 1];
    size_t at = 0;
    bool good = false;
    if (!next_name(path, &at, name, &good) || !good) return refused(whole, "no path", err);
    while (next_name(path, &at, next, &good)) {
        if (!good) return refused(whole, "no path", err);
        RF_TRY(enter(folder, name, whole, err));
        memcpy(name, next, sizeof next);
    }
    return RF_OK;
}

enum rf_kind export_open(const char *folder, rf_str path, struct rf_arena *arena,
                         struct rf_file **out, struct rf_err *err)
{
    char name[NAME_BYTES_MAX + 1];
    const char *whole =
        rf_arena_cstr(arena, rf_arena_printf(arena, "%s/%.*s", folder, RF_FMT(path)));
    if (whole == NULL) return rf_fail_memory(err, arena);
    int at = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
    if (at < 0) return rf_fs_fail(errno, "open", folder, err);
    enum rf_kind kind = walk(&at, whole, path, name, err);
    if (kind == RF_OK) kind = open_file(at, name, whole, &fd, err);
    close(at);
    if (kind != RF_OK) return kind;
    kind = rf_fs_real_adopt(fd, whole, out, err);
    if (kind != RF_OK) close(fd);
    return kind;
}

enum rf_kind export_whole_lines(struct rf_file *file, uint64_t *bytes, struct rf_err *err)
{
    uint8_t buffer[LINE_BYTES_MAX];
    uint64_t size;
    RF_TRY(rf_file_size(file, &size, err));
    *bytes = size;
    while (*bytes > 0) {
        size_t part = (size_t)RF_MIN(*bytes, (uint64_t)sizeof buffer);
        RF_TRY(rf_file_pread_all(file, buffer, part, *bytes - part, err));
        size_t len = part;
        while (len > 0 && buffer[len - 1] != '\n') len--;
        *bytes -= part - len;
        if (len > 0) break;
    }
    return *bytes == size ? RF_OK : rf_file_truncate(file, *bytes, err);
}

enum rf_kind export_append(struct rf_file *file, uint64_t bytes, rf_str lines, struct rf_err *err)
{
    uint64_t size;
    RF_TRY(rf_file_size(file, &size, err));
    RF_ASSERT(size >= bytes);
    if (size > bytes) RF_TRY(rf_file_truncate(file, bytes, err));
    enum rf_kind kind = rf_file_pwrite(file, lines.ptr, lines.len, bytes, err);
    if (kind == RF_OK) kind = rf_file_sync(file, err);
    /* What is half there would stand there until the next try, for readers to stumble over. */
    if (kind != RF_OK) (void)!rf_file_truncate(file, bytes, NULL);
    return kind;
}
