/* rf_power.h - the power goes: what a disk may hold of files that a program wrote by plain system calls. For what does not go through base/fs (which
 * has a model of its own, base/fs_fault.h): the keeper's files, SQLite's.
 *
 * It takes over write, pwrite, ftruncate, fsync, fdatasync, rename and unlink for the whole test program, shared libraries included, and notes what they
 * do to the files of the folders that are watched; nothing is really synced. So one file of a test program includes it. An operation is noted when
 * it is done, so power_now() behind a call tells what a cut at that moment leaves; power_image() makes folders as they may be after a cut there:
 *
 *   - what was written to a file before its last sync began is there; each sector of 512 bytes that was written behind it is as it was after any of the
 *     writes since, as sectors are written back when the kernel likes; so is the file's size. At times bytes that were on the way are garbage.
 *   - of the changes of a folder's names since its last sync a first part is there, in their order; a synced file without a name is gone.
 *
 * Some images are simple: nothing, or all, or the first writes alone. Subfolders are watched by themselves; SQLite's shared memory ("-shm") is left out. */
#ifndef RF_TEST_POWER_H
#define RF_TEST_POWER_H

#ifndef _GNU_SOURCE
#error "whoever includes it begins with #define _GNU_SOURCE"
#endif
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "test/rf_prop.h"

#define POWER_HELPER __attribute__((unused)) static
/* The program's own in place of the C library's. */
#define POWER_TAKEN __attribute__((visibility("default")))

enum { POWER_SECTOR = 512, POWER_NODES_MAX = 256, POWER_FOLDERS_MAX = 4, POWER_NAME_BYTES = 64 };
enum power_type { POWER_WRITE, POWER_SIZE, POWER_SYNC, POWER_NAMES };
struct power_op {
    enum power_type type;
    int node; /* of NAMES: the folder's */
    uint64_t
        at; /* WRITE: offset; SIZE: the new size; SYNC: operations before this one are covered */
    uint8_t *bytes; /* WRITE */
    size_t len;
    char remove[POWER_NAME_BYTES], add[POWER_NAME_BYTES]; /* NAMES: "" for none */
    int added;                                            /* NAMES: the node that `add` names */
};
struct power_node {
    dev_t dev;
    ino_t ino;
    int hold; /* an O_PATH descriptor, so that the number is not used again; closing it drops no locks */
    int reader; /* an open one of what was there when the watch began, -1: none. Closing it would drop SQLite's locks */
    bool is_folder;
    char name[POWER_NAME_BYTES]; /* the last one */
    uint64_t size;
};
struct power_names {
    struct {
        char name[POWER_NAME_BYTES];
        int node;
    } items[POWER_NODES_MAX];
    int count;
};
static struct power {
    pthread_mutex_t lock;
    bool on;
    struct power_node nodes[POWER_NODES_MAX];
    int node_count;
    int folder_count; /* the first nodes */
    char folders[POWER_FOLDERS_MAX][128];
    struct power_names names[POWER_FOLDERS_MAX]; /* as they are seen */
    struct power_op *ops;
    size_t count, cap;
    size_t base;       /* those before were made for what was there when the watch began */
    const char *clean; /* no garbage in the file of this name */
    const char *
        deaf; /* syncs of the file of this name are not noted: to prove that a test sees a missing one */
} power = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- noting --------------------------------------------------------------------------------------------------------- */

POWER_HELPER struct power_op *power_add(enum power_type type, int node)
{
    if (power.count == power.cap) {
        power.cap = power.cap == 0 ? 1024 : power.cap * 2;
        power.ops = realloc(power.ops, power.cap * sizeof *power.ops);
        RF_ASSERT(power.ops != NULL);
    }
    struct power_op *op = &power.ops[power.count++];
    *op = (struct power_op){.type = type, .node = node};
    return op;
}

POWER_HELPER int power_find(const struct stat *status)
{
    for (int i = 0; i < power.node_count; i++)
        if (power.nodes[i].ino == status->st_ino && power.nodes[i].dev == status->st_dev) return i;
    return -1;
}

POWER_HELPER int power_node_add(const struct stat *status, int folder, const char *name)
{
    RF_ASSERT(power.node_count < POWER_NODES_MAX);
    struct power_node *node = &power.nodes[power.node_count];
    *node = (struct power_node){.dev = status->st_dev,
                                .ino = status->st_ino,
                                .is_folder = S_ISDIR(status->st_mode),
                                .reader = -1};
    (void)snprintf(node->name, sizeof node->name, "%s", name);
    node->hold = *name == '\0' ? open(power.folders[folder], O_PATH | O_CLOEXEC)
                               : openat(power.nodes[folder].hold, name, O_PATH | O_CLOEXEC);
    RF_ASSERT(node->hold >= 0);
    return power.node_count++;
}

POWER_HELPER int power_name_at(const struct power_names *names, const char *name)
{
    for (int i = 0; i < names->count; i++)
        if (strcmp(names->items[i].name, name) == 0) return i;
    return -1;
}

POWER_HELPER void power_name_apply(struct power_names *names, const struct power_op *op)
{
    int at = *op->remove == '\0' ? -1 : power_name_at(names, op->remove);
    if (at >= 0) names->items[at] = names->items[--names->count];
    if (*op->add == '\0') return;
    at = power_name_at(names, op->add);
    if (at < 0) {
        RF_ASSERT(names->count < POWER_NODES_MAX);
        at = names->count++;
    }
    (void)snprintf(names->items[at].name, sizeof names->items[at].name, "%s", op->add);
    names->items[at].node = op->added;
}

POWER_HELPER void power_names_note(int folder, const char *remove, const char *add, int added)
{
    struct power_op *op = power_add(POWER_NAMES, folder);
    (void)snprintf(op->remove, sizeof op->remove, "%s", remove);
    (void)snprintf(op->add, sizeof op->add, "%s", add);
    op->added = added;
    power_name_apply(&power.names[folder], op);
    if (*add != '\0') memcpy(power.nodes[added].name, op->add, sizeof op->add);
}

/* Files that were made since the last look. */
POWER_HELPER void power_look(int folder)
{
    DIR *dir = opendir(power.folders[folder]);
    if (dir == NULL) return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        struct stat status;
        const char *name = entry->d_name;
        size_t len = strlen(name);
        if (len >= POWER_NAME_BYTES || (len > 4 && strcmp(name + len - 4, "-shm") == 0)) continue;
        if (fstatat(dirfd(dir), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        int at = power_name_at(&power.names[folder], name), node = power_find(&status);
        if (node < 0) node = power_node_add(&status, folder, name);
        if (at < 0 || power.names[folder].items[at].node != node)
            power_names_note(folder, "", name, node);
    }
    closedir(dir);
}

/* The lock is held. -1: the descriptor is of nothing that is watched. */
POWER_HELPER int power_node_of(int fd)
{
    struct stat status;
    if (!power.on || fstat(fd, &status) != 0) return -1;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return -1;
    for (int i = 0; i < power.folder_count; i++) power_look(i);
    int node = power_find(&status);
    if (node < 0 || power.nodes[node].is_folder) return node;
    if (power.nodes[node].size != (uint64_t)status.st_size) { /* by open, or fallocate */
        power_add(POWER_SIZE, node)->at = (uint64_t)status.st_size;
        power.nodes[node].size = (uint64_t)status.st_size;
    }
    return node;
}

POWER_HELPER void power_note_write(int node, uint64_t at, const void *bytes, size_t len)
{
    struct power_op *op = power_add(POWER_WRITE, node);
    op->at = at;
    op->len = len;
    op->bytes = malloc(len + 1);
    RF_ASSERT(op->bytes != NULL);
    memcpy(op->bytes, bytes, len);
    power.nodes[node].size = RF_MAX(power.nodes[node].size, at + len);
}

/* ---- what is taken over ----------------------------------------------------------------------------------------------- */

POWER_TAKEN ssize_t write(int fd, const void *bytes, size_t len)
{
    pthread_mutex_lock(&power.lock);
    int node = power_node_of(fd);
    ssize_t put = syscall(SYS_write, fd, bytes, len);
    /* Also of one that appends: the place is where it stands behind. */
    if (node >= 0 && put > 0)
        power_note_write(node, (uint64_t)(lseek(fd, 0, SEEK_CUR) - put), bytes, (size_t)put);
    pthread_mutex_unlock(&power.lock);
    return put;
}

POWER_HELPER ssize_t power_pwrite(int fd, const void *bytes, size_t len, int64_t at)
{
    pthread_mutex_lock(&power.lock);
    int node = power_node_of(fd);
    ssize_t put = syscall(SYS_pwrite64, fd, bytes, len, at);
    if (node >= 0 && put > 0) power_note_write(node, (uint64_t)at, bytes, (size_t)put);
    pthread_mutex_unlock(&power.lock);
    return put;
}
/* Under both of their names, whichever the headers give them. */
ssize_t power_pwrite_32(int fd, const void *bytes, size_t len, int64_t at) __asm__("pwrite");
ssize_t power_pwrite_64(int fd, const void *bytes, size_t len, int64_t at) __asm__("pwrite64");
int power_ftruncate_32(int fd, int64_t size) __asm__("ftruncate");
int power_ftruncate_64(int fd, int64_t size) __asm__("ftruncate64");
POWER_TAKEN ssize_t power_pwrite_32(int fd, const void *bytes, size_t len, int64_t at)
{
    return power_pwrite(fd, bytes, len, at);
}
POWER_TAKEN ssize_t power_pwrite_64(int fd, const void *bytes, size_t len, int64_t at)
{
    return power_pwrite(fd, bytes, len, at);
}

POWER_HELPER int power_ftruncate(int fd, int64_t size)
{
    pthread_mutex_lock(&power.lock);
    int node = power_node_of(fd);
    int got = (int)syscall(SYS_ftruncate, fd, size);
    if (node >= 0 && got == 0) {
        power_add(POWER_SIZE, node)->at = (uint64_t)size;
        power.nodes[node].size = (uint64_t)size;
    }
    pthread_mutex_unlock(&power.lock);
    return got;
}
POWER_TAKEN int power_ftruncate_32(int fd, int64_t size) { return power_ftruncate(fd, size); }
POWER_TAKEN int power_ftruncate_64(int fd, int64_t size) { return power_ftruncate(fd, size); }

/* What is written while a sync goes on is not covered by it. */
POWER_HELPER int power_sync(int fd)
{
    pthread_mutex_lock(&power.lock);
    int node = power_node_of(fd);
    size_t covered = power.count;
    pthread_mutex_unlock(&power.lock);
    if (fcntl(fd, F_GETFD) < 0) return -1;
    if (node < 0) return 0;
    sched_yield();
    pthread_mutex_lock(&power.lock);
    if (power.deaf == NULL || strcmp(power.deaf, power.nodes[node].name) != 0)
        power_add(POWER_SYNC, node)->at = covered;
    pthread_mutex_unlock(&power.lock);
    return 0;
}
POWER_TAKEN int fsync(int fd) { return power_sync(fd); }
POWER_TAKEN int fdatasync(int fd) { return power_sync(fd); }

/* The folder that a path leads into, -1: it is not watched; *name its last part. */
POWER_HELPER int power_folder_of(int dirfd, const char *path, char name[POWER_NAME_BYTES])
{
    struct stat status;
    char folder[256];
    const char *slash = strrchr(path, '/');
    const char *last = slash == NULL ? path : slash + 1;
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (!power.on || strlen(last) >= POWER_NAME_BYTES || len >= sizeof folder) return -1;
    (void)snprintf(name, POWER_NAME_BYTES, "%s", last);
    (void)snprintf(folder, sizeof folder, "%.*s", (int)len, path);
    int got = slash != NULL       ? fstatat(dirfd, folder, &status, 0)
              : dirfd == AT_FDCWD ? stat(".", &status)
                                  : fstat(dirfd, &status);
    int node = got == 0 ? power_find(&status) : -1;
    return node < power.folder_count ? node : -1;
}

POWER_TAKEN int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    char old[POWER_NAME_BYTES], new[POWER_NAME_BYTES];
    pthread_mutex_lock(&power.lock);
    for (int i = 0; i < power.folder_count && power.on; i++) power_look(i);
    int folder = power_folder_of(from_dir, from, old);
    int into = power_folder_of(to_dir, to, new);
    int got = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
    int at = folder < 0 ? -1 : power_name_at(&power.names[folder], old);
    if (got == 0 && at >= 0) {
        RF_ASSERT(folder == into);
        power_names_note(folder, old, new, power.names[folder].items[at].node);
    }
    pthread_mutex_unlock(&power.lock);
    return got;
}
POWER_TAKEN int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

POWER_TAKEN int unlinkat(int dir, const char *path, int flags)
{
    char name[POWER_NAME_BYTES];
    pthread_mutex_lock(&power.lock);
    for (int i = 0; i < power.folder_count && power.on; i++) power_look(i);
    int folder = power_folder_of(dir, path, name);
    int got = (int)syscall(SYS_unlinkat, dir, path, flags);
    if (got == 0 && folder >= 0 && power_name_at(&power.names[folder], name) >= 0)
        power_names_note(folder, name, "", -1);
    pthread_mutex_unlock(&power.lock);
    return got;
}
POWER_TAKEN int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

/* ---- watching --------------------------------------------------------------------------------------------------------- */

POWER_HELPER void power_take_stock(int folder)
{
    power_look(folder);
    for (int i = 0; i < power.names[folder].count; i++) {
        int node = power.names[folder].items[i].node;
        int fd = openat(power.nodes[folder].hold, power.names[folder].items[i].name,
                        O_RDONLY | O_CLOEXEC);
        struct stat status;
        RF_ASSERT(fd >= 0);
        RF_ASSERT(fstat(fd, &status) == 0);
        uint8_t *bytes = malloc((size_t)status.st_size + 1);
        RF_ASSERT(bytes != NULL);
        RF_ASSERT(read(fd, bytes, (size_t)status.st_size) == status.st_size);
        if (status.st_size > 0) power_note_write(node, 0, bytes, (size_t)status.st_size);
        power_add(POWER_SYNC, node)->at = power.count;
        free(bytes);
        power.nodes[node].reader = fd;
    }
    power_add(POWER_SYNC, folder)->at = power.count;
}

/* From now on; what these folders (which are there) hold is on the disk. No other thread may be at their files. Databases of SQLite must be
 * closed when it ends. */
POWER_HELPER void power_watch(const char *const *folders, int count)
{
    RF_ASSERT(!power.on);
    RF_ASSERT(count <= POWER_FOLDERS_MAX);
    pthread_mutex_lock(&power.lock);
    power.on = true;
    for (int i = 0; i < count; i++) {
        struct stat status;
        (void)snprintf(power.folders[i], sizeof power.folders[i], "%s", folders[i]);
        RF_ASSERT(stat(folders[i], &status) == 0);
        (void)power_node_add(&status, i, "");
    }
    power.folder_count = count;
    for (int i = 0; i < count; i++) power_take_stock(i);
    power.base = power.count;
    pthread_mutex_unlock(&power.lock);
}

/* Operations so far: a cut here leaves the effects of these. */
POWER_HELPER size_t power_now(void)
{
    pthread_mutex_lock(&power.lock);
    size_t now = power.count;
    pthread_mutex_unlock(&power.lock);
    return now;
}

/* Any moment of the watch, at times one near its end, when files are closed. */
POWER_HELPER size_t power_cut(struct rf_prng *prng)
{
    enum { CLOSING = 16 };
    size_t count = power_now() - power.base;
    if (rf_test_one_in(prng, 8))
        return power.base + count - (size_t)rf_test_below(prng, RF_MIN(count, CLOSING) + 1);
    return power.base + (size_t)rf_test_below(prng, count + 1);
}

/* Ends the watch and forgets what was noted. */
POWER_HELPER void power_forget(void)
{
    pthread_mutex_lock(&power.lock);
    power.on = false;
    for (size_t i = 0; i < power.count; i++) free(power.ops[i].bytes);
    for (int i = 0; i < power.node_count; i++) {
        close(power.nodes[i].hold);
        if (power.nodes[i].reader >= 0) close(power.nodes[i].reader);
    }
    free(power.ops);
    power.ops = NULL;
    power.count = power.cap = 0;
    power.node_count = power.folder_count = 0;
    memset(power.names, 0, sizeof power.names);
    pthread_mutex_unlock(&power.lock);
}

/* ---- images ------------------------------------------------------------------------------------------------------------ */

/* A file that is put together, with room for all that was ever written to it. */
struct power_file {
    uint8_t *bytes;
    uint64_t size, cap;
};

/* What `op` leaves between two places of the file. */
POWER_HELPER void power_apply(struct power_file *file, const struct power_op *op, uint64_t low,
                              uint64_t high)
{
    if (op->type == POWER_SIZE) {
        uint64_t from = RF_MAX(low, op->at);
        if (from < RF_MIN(high, file->cap))
            memset(file->bytes + from, 0, RF_MIN(high, file->cap) - from);
        return;
    }
    uint64_t from = RF_MAX(low, op->at), to = RF_MIN(high, op->at + op->len);
    if (from < to) memcpy(file->bytes + from, op->bytes + (from - op->at), to - from);
}

POWER_HELPER uint64_t power_size_after(uint64_t size, const struct power_op *op)
{
    return op->type == POWER_SIZE ? op->at : RF_MAX(size, op->at + op->len);
}

/* The operations on a file before the cut, and how many of them its last sync covers. */
struct power_list {
    const struct power_op **items;
    size_t count, durable;
};

POWER_HELPER struct power_list power_list_of(int node, size_t cut)
{
    struct power_list list = {.items = malloc((cut + 1) * sizeof *list.items)};
    uint64_t covered = 0;
    RF_ASSERT(list.items != NULL);
    for (size_t i = 0; i < cut; i++)
        if (power.ops[i].node == node && power.ops[i].type == POWER_SYNC)
            covered = RF_MAX(covered, power.ops[i].at);
    for (size_t i = 0; i < cut; i++) {
        if (power.ops[i].node != node || power.ops[i].type == POWER_SYNC) continue;
        if (i < covered) list.durable++;
        list.items[list.count++] = &power.ops[i];
    }
    return list;
}

/* Each sector, and the size, as it was after some of the operations of *list from `durable` on. */
POWER_HELPER void power_mix(struct power_file *file, const struct power_list *list,
                            struct rf_prng *prng, bool garbage)
{
    size_t pending = list->count - list->durable;
    const struct power_op **ops = list->items + list->durable;
    uint64_t size = file->size;
    for (uint64_t low = 0; low < file->cap; low += POWER_SECTOR) {
        size_t kept = (size_t)rf_test_below(prng, pending + 1);
        for (size_t i = 0; i < kept; i++) power_apply(file, ops[i], low, low + POWER_SECTOR);
        bool torn =
            garbage && kept < pending && ops[kept]->type == POWER_WRITE && rf_test_one_in(prng, 3);
        if (!torn) continue;
        uint64_t from = RF_MAX(low, ops[kept]->at);
        uint64_t to = RF_MIN(low + POWER_SECTOR, ops[kept]->at + ops[kept]->len);
        for (; from < to; from++) file->bytes[from] = (uint8_t)rf_test_u64(prng);
    }
    size_t kept = (size_t)rf_test_below(prng, pending + 1);
    for (size_t i = 0; i < kept; i++) size = power_size_after(size, ops[i]);
    file->size = size;
}

POWER_HELPER struct power_file power_file_after(int node, size_t cut, struct rf_prng *prng)
{
    enum { MIX = 3, GARBAGE };
    struct power_list list = power_list_of(node, cut);
    struct power_file file = {0};
    for (size_t i = 0; i < list.count; i++)
        file.cap = RF_MAX(file.cap, power_size_after(0, list.items[i]));
    file.bytes = calloc(1, file.cap + 1);
    RF_ASSERT(file.bytes != NULL);
    unsigned way = (unsigned)rf_test_below(prng, 5);
    bool clean = power.clean != NULL && strcmp(power.clean, power.nodes[node].name) == 0;
    size_t whole = list.durable;
    if (way == 1) whole = list.count;
    if (way == 2) whole += (size_t)rf_test_below(prng, list.count - list.durable + 1);
    for (size_t i = 0; i < whole; i++) {
        power_apply(&file, list.items[i], 0, file.cap);
        file.size = power_size_after(file.size, list.items[i]);
    }
    if (way >= MIX) power_mix(&file, &list, prng, way == GARBAGE && !clean);
    free(list.items);
    return file;
}

POWER_HELPER void power_names_after(int folder, size_t cut, struct rf_prng *prng,
                                    struct power_names *out)
{
    struct power_list list = power_list_of(folder, cut);
    size_t kept = list.durable + (size_t)rf_test_below(prng, list.count - list.durable + 1);
    out->count = 0;
    for (size_t i = 0; i < kept; i++) power_name_apply(out, list.items[i]);
    free(list.items);
}

/* Empties a folder of its files; makes it when it is not there. */
POWER_HELPER void power_clear(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL) RF_ASSERT(mkdir(folder, 0700) == 0);
    if (dir == NULL) return;
    for (const struct dirent *entry; (entry = readdir(dir)) != NULL;)
        if (*entry->d_name != '.') (void)syscall(SYS_unlinkat, dirfd(dir), entry->d_name, 0);
    closedir(dir);
}

/* Makes targets[i] what the i-th watched folder may be when the power goes after `cut` operations. */
POWER_HELPER void power_image(size_t cut, struct rf_prng *prng, const char *const *targets)
{
    pthread_mutex_lock(&power.lock);
    RF_ASSERT(cut >= power.base);
    RF_ASSERT(cut <= power.count);
    for (int folder = 0; folder < power.folder_count; folder++) {
        static struct power_names names;
        power_names_after(folder, cut, prng, &names);
        power_clear(targets[folder]);
        int target = open(targets[folder], O_PATH | O_DIRECTORY | O_CLOEXEC);
        for (int i = 0; i < names.count; i++) {
            struct power_file file = power_file_after(names.items[i].node, cut, prng);
            int fd =
                openat(target, names.items[i].name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
            RF_ASSERT(fd >= 0);
            RF_ASSERT(syscall(SYS_write, fd, file.bytes, file.size) == (long)file.size);
            close(fd);
            free(file.bytes);
        }
        close(target);
    }
    pthread_mutex_unlock(&power.lock);
}

/* Names and sizes of what was noted before the cut, on standard error: for whoever looks into a failure. */
POWER_HELPER void power_show(size_t cut)
{
    static const char *const types[] = {"write", "size", "sync", "names"};
    for (size_t i = 0; i < cut; i++) {
        const struct power_op *op = &power.ops[i];
        fprintf(stderr, "%zu %s %s at %llu, %zu bytes %s %s\n", i, types[op->type],
                power.nodes[op->node].name, (unsigned long long)op->at, op->len, op->remove,
                op->add);
    }
}

/* A command of the shell that must succeed. */
__attribute__((unused, format(printf, 1, 2))) static void power_run(const char *format, ...)
{
    char command[300];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(command, sizeof command, format, list);
    va_end(list);
    RF_ASSERT(system(command) == 0);
}

/* A folder of its own for a test, in memory where that is possible. */
POWER_HELPER void power_home(char out[64])
{
    struct stat status;
    bool memory = stat("/dev/shm", &status) == 0 && access("/dev/shm", W_OK) == 0;
    (void)snprintf(out, 64, "%s/ringfort-power-XXXXXX", memory ? "/dev/shm" : "/tmp");
    RF_ASSERT(mkdtemp(out) != NULL);
}

#endif
