/* cli_cert_files.c - a pair in its place; cli_cert_pair.h draws it. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "cli/cli_cert_pair.h"

enum { VERSION_BYTES = 32, FOLDER_MODE = 0755, CERT_MODE = 0644 };

#define FULL_NAME "fullchain.pem"

/* ---- names ---------------------------------------------------------------------------------------------------------------- */

static bool is_version(const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (!rf_is_digit((uint8_t)name[i]) && !(name[i] >= 'a' && name[i] <= 'f')) return false;
    return len == VERSION_BYTES;
}

static const char *join(struct rf_arena *arena, const char *folder, const char *name)
{
    rf_str path = rf_arena_printf(arena, "%s/%s", folder, name);
    return path.ptr == NULL ? NULL : rf_arena_cstr(arena, path);
}

/* The absolute folder of a path that need not be there, and the name in it. */
static enum rf_kind cut_path(const char *path, char folder[PATH_MAX], const char **name,
                             struct rf_err *err)
{
    const char *slash = strrchr(path, '/');
    char text[PATH_MAX];
    size_t len = slash == NULL ? 1 : slash == path ? 1 : (size_t)(slash - path);
    *name = slash == NULL ? path : slash + 1;
    if (len >= sizeof text || (*name)[0] == '\0' || strlen(*name) > NAME_MAX - 8)
        return RF_FAIL(err, RF_INVALID, "BadPath", "'%s' names no file", path);
    memcpy(text, slash == NULL ? "." : path, len);
    text[len] = '\0';
    if (realpath(text, folder) == NULL) return rf_fs_fail(errno, "open the folder", text, err);
    return RF_OK;
}

enum rf_kind cert_files_open(struct cert_files *files, struct rf_err *err)
{
    char folder[PATH_MAX], *lock = NULL;
    const char *name;
    files->folder = NULL;
    files->lock = -1;
    RF_TRY(cut_path(files->key, folder, &name, err));
    if (asprintf(&files->folder, "%s/.%s.d", strcmp(folder, "/") == 0 ? "" : folder, name) < 0)
        files->folder = NULL;
    if (files->folder == NULL || asprintf(&lock, "%s/lock", files->folder) < 0)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    enum rf_kind kind = RF_OK;
    if (mkdir(files->folder, FOLDER_MODE) != 0 && errno != EEXIST)
        kind = rf_fs_fail(errno, "make", files->folder, err);
    if (kind == RF_OK) files->lock = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (kind == RF_OK && files->lock < 0) kind = rf_fs_fail(errno, "open", lock, err);
    if (kind == RF_OK && flock(files->lock, LOCK_EX | LOCK_NB) != 0)
        kind = RF_FAIL(err, RF_CONFLICT, "FileLocked",
                       "another 'ringfort cert deploy' is at work on %s", files->key);
    free(lock);
    return kind;
}

void cert_files_close(struct cert_files *files)
{
    if (files->lock >= 0) (void)close(files->lock);
    free(files->folder);
    files->folder = NULL;
    files->lock = -1;
}

/* ---- links ------------------------------------------------------------------------------------------------------------------ */

static bool link_is(const char *path, const char *target)
{
    char found[PATH_MAX];
    ssize_t len = readlink(path, found, sizeof found - 1);
    if (len < 0) return false;
    found[len] = '\0';
    return strcmp(found, target) == 0;
}

/* Where the link at `path` is to point: from the key's folder the short way, so that the folder may be moved as a whole. */
static enum rf_kind target_of(const struct cert_files *files, const char *path, const char *name,
                              struct rf_arena *arena, const char **out, struct rf_err *err)
{
    char folder[PATH_MAX];
    const char *base, *slash = strrchr(files->folder, '/');
    RF_TRY(cut_path(path, folder, &base, err));
    bool same = slash != NULL && strlen(folder) == (size_t)(slash - files->folder) &&
                strncmp(folder, files->folder, strlen(folder)) == 0;
    rf_str text = rf_arena_printf(arena, "%s/current/%s", same ? slash + 1 : files->folder, name);
    *out = text.ptr == NULL ? NULL : rf_arena_cstr(arena, text);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* Puts a link in place of whatever has the name. */
static enum rf_kind swap_link(const char *path, const char *target, struct rf_arena *arena,
                              struct rf_err *err)
{
    rf_str text = rf_arena_printf(arena, "%s.new", path);
    const char *fresh = text.ptr == NULL ? NULL : rf_arena_cstr(arena, text);
    if (fresh == NULL) return rf_fail_memory(err, arena);
    (void)unlink(fresh);
    if (symlink(target, fresh) != 0) return rf_fs_fail(errno, "link", fresh, err);
    if (rename(fresh, path) == 0) return RF_OK;
    int why = errno;
    (void)unlink(fresh);
    return rf_fs_fail(why, "rename to", path, err);
}

/* A file that was there before stays beside it, once. */
static enum rf_kind keep_before(const char *path, struct rf_arena *arena, struct rf_err *err)
{
    struct stat found;
    rf_str text = rf_arena_printf(arena, "%s.before", path);
    const char *kept = text.ptr == NULL ? NULL : rf_arena_cstr(arena, text);
    if (kept == NULL) return rf_fail_memory(err, arena);
    if (lstat(path, &found) != 0 || S_ISLNK(found.st_mode)) return RF_OK;
    if (S_ISDIR(found.st_mode)) return RF_FAIL(err, RF_INVALID, "BadPath", "%s is a folder", path);
    if (link(path, kept) == 0 || errno == EEXIST) return RF_OK;
    return rf_fs_fail(errno, "keep", kept, err);
}

static enum rf_kind make_link(const struct cert_files *files, const char *path, const char *name,
                              struct rf_arena *arena, struct rf_err *err)
{
    const char *target, *base;
    char folder[PATH_MAX];
    if (path == NULL) return RF_OK;
    RF_TRY(target_of(files, path, name, arena, &target, err));
    if (link_is(path, target)) return RF_OK;
    RF_TRY(keep_before(path, arena, err));
    RF_TRY(swap_link(path, target, arena, err));
    RF_TRY(cut_path(path, folder, &base, err));
    return rf_fs_sync_dir(rf_fs_real(), folder, err);
}

/* What the certificate's path is to show. */
static const char *cert_name(const struct cert_files *files)
{
    return files->chain == NULL ? FULL_NAME : "cert.pem";
}

static bool is_linked(const struct cert_files *files, const char *path, const char *name,
                      struct rf_arena *arena)
{
    const char *target;
    if (path == NULL) return true;
    return target_of(files, path, name, arena, &target, NULL) == RF_OK && link_is(path, target) &&
           access(path, F_OK) == 0;
}

/* The key has the mode and the owner that are asked for now. */
static bool is_owned(const struct cert_files *files)
{
    struct stat found;
    return stat(files->key, &found) == 0 && (found.st_mode & 07777) == files->mode &&
           (files->owner == (uid_t)-1 || found.st_uid == files->owner) &&
           (files->group == (gid_t)-1 || found.st_gid == files->group);
}

rf_str cert_files_version(const struct cert_files *files, struct rf_arena *arena)
{
    char name[PATH_MAX];
    rf_str none = {NULL, 0}, out;
    const char *current = join(arena, files->folder, "current");
    ssize_t len = current == NULL ? -1 : readlink(current, name, sizeof name - 1);
    if (len < 0) return none;
    name[len] = '\0';
    if (!is_version(name) || !is_linked(files, files->key, "key.pem", arena) ||
        !is_linked(files, files->cert, cert_name(files), arena) ||
        !is_linked(files, files->chain, "chain.pem", arena) || !is_owned(files))
        return none;
    return rf_arena_str(arena, rf_str_of(name), &out) ? out : none;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------ */

static bool write_whole(int fd, rf_str text)
{
    size_t done = 0;
    while (done < text.len) {
        ssize_t put = write(fd, text.ptr + done, text.len - done);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        done += (size_t)put;
    }
    return true;
}

/* Nobody else may read it before it has its owner and mode; a reader finds the one before or this one. */
static enum rf_kind write_file(const struct cert_files *files, const char *path, rf_str text,
                               rf_str more, mode_t mode, struct rf_err *err)
{
    char fresh[PATH_MAX];
    if (snprintf(fresh, sizeof fresh, "%s.new", path) >= (int)sizeof fresh)
        return RF_FAIL(err, RF_INVALID, "BadPath", "%s is too long", path);
    (void)unlink(fresh);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return rf_fs_fail(errno, "create", fresh, err);
    bool as_is = files->owner == (uid_t)-1 && files->group == (gid_t)-1;
    bool good = write_whole(fd, text) && write_whole(fd, more) &&
                (as_is || fchown(fd, files->owner, files->group) == 0) && fchmod(fd, mode) == 0 &&
                fsync(fd) == 0;
    int why = errno;
    (void)close(fd);
    if (good && rename(fresh, path) == 0) return RF_OK;
    if (good) why = errno;
    (void)unlink(fresh);
    return rf_fs_fail(why, "write", path, err);
}

static enum rf_kind write_version(const struct cert_files *files, const char *folder,
                                  const struct cert_pair *pair, struct rf_arena *arena,
                                  struct rf_err *err)
{
    rf_str none = {NULL, 0};
    const char *key = join(arena, folder, "key.pem"), *cert = join(arena, folder, "cert.pem"),
               *chain = join(arena, folder, "chain.pem"), *full = join(arena, folder, FULL_NAME);
    if (key == NULL || cert == NULL || chain == NULL || full == NULL)
        return rf_fail_memory(err, arena);
    if (mkdir(folder, FOLDER_MODE) != 0 && errno != EEXIST)
        return rf_fs_fail(errno, "make", folder, err);
    RF_TRY(write_file(files, key, pair->key, none, files->mode, err));
    RF_TRY(write_file(files, cert, pair->cert, none, CERT_MODE, err));
    RF_TRY(write_file(files, chain, pair->chain, none, CERT_MODE, err));
    RF_TRY(write_file(files, full, pair->cert, pair->chain, CERT_MODE, err));
    return rf_fs_sync_dir(rf_fs_real(), folder, err);
}

static void remove_version(const char *folder, struct rf_arena *arena)
{
    static const char *const names[] = {"key.pem", "cert.pem", "chain.pem", FULL_NAME};
    for (size_t i = 0; i < RF_COUNT(names); i++) {
        const char *path = join(arena, folder, names[i]);
        if (path != NULL) (void)unlink(path);
    }
    (void)rmdir(folder);
}

/* All versions but two. */
static void remove_old(const struct cert_files *files, const char *now, const char *before,
                       struct rf_arena *arena)
{
    rf_str *names;
    size_t count;
    if (rf_fs_list(rf_fs_real(), files->folder, arena, &names, &count, NULL) != RF_OK) return;
    for (size_t i = 0; i < count; i++) {
        const char *name = rf_arena_cstr(arena, names[i]);
        if (name == NULL || !is_version(name) || strcmp(name, now) == 0) continue;
        if (before != NULL && strcmp(name, before) == 0) continue;
        const char *folder = join(arena, files->folder, name);
        if (folder != NULL) remove_version(folder, arena);
    }
}

static const char *linked_version(const struct cert_files *files, struct rf_arena *arena)
{
    char name[PATH_MAX];
    const char *current = join(arena, files->folder, "current");
    ssize_t len = current == NULL ? -1 : readlink(current, name, sizeof name - 1);
    return len < 0 ? NULL : rf_arena_cstr(arena, rf_str_make(name, (size_t)len));
}

enum rf_kind cert_files_put(const struct cert_files *files, rf_str version,
                            const struct cert_pair *pair, struct rf_arena *arena,
                            struct rf_err *err)
{
    const char *name = rf_arena_cstr(arena, version), *before = linked_version(files, arena);
    const char *mark = join(arena, files->folder, "reload");
    const char *current = join(arena, files->folder, "current");
    const char *folder = name == NULL ? NULL : join(arena, files->folder, name);
    if (folder == NULL || mark == NULL || current == NULL) return rf_fail_memory(err, arena);
    if (!is_version(name))
        return RF_FAIL(err, RF_INVALID, "BadAnswer", "the vault names a version '%s'", name);
    enum rf_kind kind = write_version(files, folder, pair, arena, err);
    if (kind != RF_OK) {
        bool in_use = before != NULL && strcmp(before, name) == 0;
        if (!in_use) remove_version(folder, arena);
        return kind;
    }
    RF_TRY(rf_fs_replace(rf_fs_real(), mark, version, err));
    RF_TRY(swap_link(current, name, arena, err));
    RF_TRY(rf_fs_sync_dir(rf_fs_real(), files->folder, err));
    RF_TRY(make_link(files, files->key, "key.pem", arena, err));
    RF_TRY(make_link(files, files->cert, cert_name(files), arena, err));
    RF_TRY(make_link(files, files->chain, "chain.pem", arena, err));
    remove_old(files, name, before, arena);
    return RF_OK;
}

/* ---- the reload ----------------------------------------------------------------------------------------------------------------- */

static bool mark_path(const struct cert_files *files, char path[PATH_MAX])
{
    int len = snprintf(path, PATH_MAX, "%s/reload", files->folder);
    return len > 0 && len < PATH_MAX;
}

bool cert_files_reload_due(const struct cert_files *files)
{
    char path[PATH_MAX];
    return mark_path(files, path) && access(path, F_OK) == 0;
}

void cert_files_reloaded(const struct cert_files *files)
{
    char path[PATH_MAX];
    if (mark_path(files, path)) (void)unlink(path);
}

/* ---- owners ----------------------------------------------------------------------------------------------------------------------- */

static bool number_of(const char *text, unsigned *out)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    *out = (unsigned)number;
    return rf_is_digit((uint8_t)text[0]) && *end == '\0' && number < UINT_MAX;
}

/* getpwnam would ask for libraries that a static program does not have. */
static bool find_user(const char *name, uid_t *owner, gid_t *group)
{
    FILE *file = fopen("/etc/passwd", "re");
    bool found = false;
    for (struct passwd *line; file != NULL && !found && (line = fgetpwent(file)) != NULL;) {
        found = strcmp(line->pw_name, name) == 0;
        if (!found) continue;
        *owner = line->pw_uid;
        *group = line->pw_gid;
    }
    if (file != NULL) (void)fclose(file);
    return found;
}

static bool find_group(const char *name, gid_t *group)
{
    FILE *file = fopen("/etc/group", "re");
    bool found = false;
    for (struct group *line; file != NULL && !found && (line = fgetgrent(file)) != NULL;) {
        found = strcmp(line->gr_name, name) == 0;
        if (found) *group = line->gr_gid;
    }
    if (file != NULL) (void)fclose(file);
    return found;
}

enum rf_kind cert_files_owner(const char *text, uid_t *owner, gid_t *group, struct rf_err *err)
{
    char name[256];
    const char *colon = strchr(text, ':');
    size_t len = colon == NULL ? strlen(text) : (size_t)(colon - text);
    unsigned number;
    *owner = (uid_t)-1;
    *group = (gid_t)-1;
    if (len >= sizeof name) len = sizeof name - 1;
    memcpy(name, text, len);
    name[len] = '\0';
    if (number_of(name, &number))
        *owner = number;
    else if (len > 0 && !find_user(name, owner, group))
        return RF_FAIL(err, RF_NOT_FOUND, "NoUser", "/etc/passwd has no user '%s'", name);
    if (colon == NULL) return RF_OK;
    if (number_of(colon + 1, &number))
        *group = number;
    else if (!find_group(colon + 1, group))
        return RF_FAIL(err, RF_NOT_FOUND, "NoUser", "/etc/group has no group '%s'", colon + 1);
    return RF_OK;
}
