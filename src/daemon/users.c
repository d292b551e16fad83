#define _GNU_SOURCE
#include "daemon/users.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/sandbox_int.h"

#define CAP(name) (UINT64_C(1) << CAP_##name)

const char *user_name(enum user_role role)
{
    return role == USER_KEEPER ? "ringfort-keeper" : "ringfort-server";
}

/* ---- finding them ---------------------------------------------------------------------------------------------------- */

enum rf_kind users_find(const char *passwd, struct users *out, struct rf_err *err)
{
    enum { LINE_BYTES = 16 << 10 };
    struct users found = {0};
    bool there[USER_COUNT] = {false};
    char line[LINE_BYTES];
    FILE *file = fopen(passwd, "re");
    if (file == NULL && errno != ENOENT)
        return RF_FAIL_ERRNO(err, "BadUsers", "cannot read %s", passwd);
    struct passwd entry, *got;
    while (file != NULL && fgetpwent_r(file, &entry, line, sizeof line, &got) == 0)
        for (int i = 0; i < USER_COUNT; i++) {
            if (there[i] || strcmp(entry.pw_name, user_name(i)) != 0) continue;
            found.of[i] = (struct role_user){.uid = entry.pw_uid, .gid = entry.pw_gid};
            there[i] = true;
        }
    if (file != NULL) (void)fclose(file);
    for (int i = USER_COUNT; i-- > 0;)
        if (!there[i]) found.missing = user_name(i);
    for (int i = 0; i < USER_COUNT; i++)
        if (there[i] && (found.of[i].uid == 0 || found.of[i].gid == 0))
            return RF_FAIL(err, RF_INVALID, "BadUsers",
                           "the user %s is root, or of root's group: give it ids of its own",
                           user_name(i));
    if (found.missing == NULL && found.of[USER_KEEPER].uid == found.of[USER_SERVER].uid)
        return RF_FAIL(err, RF_INVALID, "BadUsers", "the users %s and %s have the same id %u",
                       user_name(USER_KEEPER), user_name(USER_SERVER),
                       (unsigned)found.of[USER_KEEPER].uid);
    *out = found;
    return RF_OK;
}

void user_word(const struct role_user *user, char out[USER_WORD_BYTES])
{
    (void)snprintf(out, USER_WORD_BYTES, "%u:%u", (unsigned)user->uid, (unsigned)user->gid);
}

/* Digits only: what a looser reader would take for some number must not become a user. */
static bool read_id(rf_str text, uint32_t *out)
{
    uint64_t id = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (!rf_is_digit(text.ptr[i]) || id > UINT32_MAX) return false;
        id = id * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    if (id == 0 || id >= UINT32_MAX) return false; /* root; "unchanged" to the kernel */
    *out = (uint32_t)id;
    return true;
}

static bool read_word(const char *word, struct role_user *out)
{
    rf_str text = rf_str_of(word);
    size_t colon = rf_str_find(text, RF_S(":"), 0);
    uint32_t uid, gid;
    if (colon == SIZE_MAX || !read_id(rf_slice(text, 0, colon), &uid) ||
        !read_id(rf_slice(text, colon + 1, text.len), &gid))
        return false;
    *out = (struct role_user){.uid = uid, .gid = gid};
    return true;
}

/* ---- whose the files are --------------------------------------------------------------------------------------------- */

/* The tree is root's, so nobody else can change it meanwhile, but for what was planted before root got it: links are not
 * followed, and a file with a second name elsewhere is refused. The folder itself comes last, so that a start that was cut
 * off is finished by the next one. */
static enum rf_kind hand_over(const char *path, const struct role_user *user, struct rf_err *err)
{
    char *paths[] = {(char *)(uintptr_t)path, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
    if (tree == NULL) return RF_FAIL_ERRNO(err, "FolderFailed", "cannot read %s", path);
    enum rf_kind kind = RF_OK;
    for (FTSENT *entry; kind == RF_OK && (entry = fts_read(tree)) != NULL;) {
        if (entry->fts_info == FTS_D) continue;
        /* The keeper's door (root_door.h): made anew by each keeper. */
        if (entry->fts_info == FTS_DEFAULT && S_ISSOCK(entry->fts_statp->st_mode)) continue;
        bool is_folder = entry->fts_info == FTS_DP;
        if (!is_folder && (entry->fts_info != FTS_F || entry->fts_statp->st_nlink != 1))
            kind = RF_FAIL(err, RF_DENIED, "FolderOfAnother",
                           "%s cannot be given to another user: it is no file with one name",
                           entry->fts_accpath);
        else if (fchownat(AT_FDCWD, entry->fts_accpath, user->uid, user->gid,
                          AT_SYMLINK_NOFOLLOW) != 0)
            kind = RF_FAIL_ERRNO(err, "FolderFailed", "cannot give away %s", entry->fts_accpath);
    }
    (void)fts_close(tree);
    return kind;
}

static enum rf_kind of_another(const char *path, uid_t owner, struct rf_err *err)
{
    if (geteuid() == 0)
        return RF_FAIL(
            err, RF_DENIED, "FolderOfAnother",
            "%s belongs to the user with the id %u: start the server as that user, or "
            "give the data folder to root (chown -R root), whose files are handed to the "
            "users of the processes",
            path, (unsigned)owner);
    return RF_FAIL(err, RF_DENIED, "FolderOfAnother",
                   "%s belongs to the user with the id %u, and this is %u: start the server as it "
                   "was started before",
                   path, (unsigned)owner, (unsigned)geteuid());
}

/* Which user cannot pass through to `path`, and from which folder on? A child that has become the user tries: rights may come
 * from lists that mode bits do not show. Its status is the number of that folder in the path, from 1; 0: none. */
static int blocked_at(const char *path, const struct role_user *user)
{
    enum { CANNOT_TRY = 255 };
    pid_t pid = fork();
    if (pid == 0) {
        char part[4096];
        int count = 0;
        if (setgroups(0, NULL) != 0 || setresgid(user->gid, user->gid, user->gid) != 0 ||
            setresuid(user->uid, user->uid, user->uid) != 0)
            _exit(CANNOT_TRY);
        for (size_t at = 1; at < sizeof part; at++) {
            if (path[at] != '/' && path[at] != '\0') continue;
            memcpy(part, path, at);
            part[at] = '\0';
            count++;
            if (access(part, X_OK) != 0) _exit(RF_MIN(count, CANNOT_TRY));
            if (path[at] == '\0') _exit(0);
        }
        _exit(CANNOT_TRY);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return CANNOT_TRY;
    return WEXITSTATUS(status);
}

static enum rf_kind check_reach(const char *data, const struct users *users, struct rf_err *err)
{
    for (int i = 0; i < USER_COUNT; i++) {
        int count = blocked_at(data, &users->of[i]);
        size_t end = 1;
        for (int slashes = 1; count > 0 && data[end] != '\0'; end++)
            if (data[end] == '/' && slashes++ == count) break;
        if (count > 0)
            return RF_FAIL(err, RF_DENIED, "FolderOutOfReach",
                           "the user %s cannot pass through %.*s to the data: keep it where "
                           "everybody may pass, as in /var/lib/ringfort, or chmod o+x that folder",
                           user_name(i), (int)end, data);
    }
    return RF_OK;
}

/* DIR itself: nobody's but root's, else its owner could put another folder in the keeper's place. */
static enum rf_kind open_passage(const char *data, struct rf_err *err)
{
    struct stat status;
    if (stat(data, &status) != 0) return RF_FAIL_ERRNO(err, "FolderFailed", "%s", data);
    if (status.st_uid != 0) return of_another(data, status.st_uid, err);
    if ((status.st_mode & 022) != 0)
        return RF_FAIL(err, RF_DENIED, "FolderOfAnother",
                       "others may write into %s: chmod 711 the folder", data);
    if ((status.st_mode & 077) == 0 && chmod(data, 0711) != 0)
        return RF_FAIL_ERRNO(err, "FolderFailed", "cannot open %s for passing through", data);
    return RF_OK;
}

enum rf_kind users_own_data(const char *data, const struct users *users, struct rf_err *err)
{
    static const struct {
        const char *name;
        enum user_role role;
    } folders[] = {{"keeper", USER_KEEPER},
                   {"state", USER_SERVER},
                   {"tables", USER_SERVER},
                   {"hubs", USER_SERVER},
                   {"capture", USER_SERVER}};
    const struct role_user self = {.uid = geteuid(), .gid = getegid()};
    if (users != NULL) RF_TRY(open_passage(data, err));
    for (size_t i = 0; i < RF_COUNT(folders); i++) {
        const struct role_user *user = users == NULL ? &self : &users->of[folders[i].role];
        char path[4096];
        struct stat status;
        int len = snprintf(path, sizeof path, "%s/%s", data, folders[i].name);
        if (len < 0 || (size_t)len >= sizeof path)
            return RF_FAIL(err, RF_LIMIT, "PathTooLong", "%s/%s", data, folders[i].name);
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return RF_FAIL_ERRNO(err, "FolderFailed", "cannot make the folder %s", path);
        if (lstat(path, &status) != 0) return RF_FAIL_ERRNO(err, "FolderFailed", "%s", path);
        if (status.st_uid == user->uid) continue;
        if (users == NULL || status.st_uid != 0) return of_another(path, status.st_uid, err);
        RF_TRY(hand_over(path, user, err));
    }
    return users == NULL ? RF_OK : check_reach(data, users, err);
}

/* ---- becoming them --------------------------------------------------------------------------------------------------- */

enum rf_kind users_supervise(struct rf_err *err)
{
    /* The roles use them before they drop them: to become another user, to drop what execve could give them, to bind. */
    const uint64_t kept =
        CAP(KILL) | CAP(SETUID) | CAP(SETGID) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE);
    if (!capabilities_keep(kept))
        return RF_FAIL_ERRNO(err, "CapabilitiesFailed", "cannot give up capabilities");
    if (faccessat(AT_FDCWD, "/proc/self/exe", X_OK, AT_EACCESS) != 0)
        return RF_FAIL_ERRNO(err, "CapabilitiesFailed",
                             "root without its privileges may not execute this program: install it "
                             "(make install), or chmod 755 the file");
    return RF_OK;
}

static bool is_user(const struct role_user *user)
{
    uid_t uids[3];
    gid_t gids[3];
    if (getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0 || getgroups(0, NULL) != 0)
        return false;
    for (int i = 0; i < 3; i++)
        if (uids[i] != user->uid || gids[i] != user->gid) return false;
    /* Neither step can be undone. */
    return setresgid((gid_t)-1, 0, (gid_t)-1) != 0 && setresuid((uid_t)-1, 0, (uid_t)-1) != 0;
}

enum rf_kind user_become(const char *word, bool binds, struct rf_err *err)
{
    struct role_user user;
    pid_t parent = getppid();
    uint64_t kept = binds ? CAP(NET_BIND_SERVICE) : 0;
    if (!read_word(word, &user))
        return RF_FAIL(err, RF_INVALID, "BadUser", "'%.40s' is no UID:GID of an own user", word);
    capabilities_unbound(0); /* what execve gives: nothing */
    if (prctl(PR_SET_KEEPCAPS, binds, 0, 0, 0) != 0 || setgroups(0, NULL) != 0 ||
        setresgid(user.gid, user.gid, user.gid) != 0 ||
        setresuid(user.uid, user.uid, user.uid) != 0 || prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0)
        return RF_FAIL_ERRNO(err, "UserFailed", "cannot become the user %s", word);
    if (!capabilities_keep(kept) || !is_user(&user))
        return RF_FAIL(err, RF_IO, "UserFailed", "rights are left behind as the user %s", word);
    /* Another user is another start for the kernel: what was to happen at the supervisor's death is forgotten. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        return RF_FAIL(err, RF_IO, "UserFailed", "the supervisor has gone");
    return RF_OK;
}
