#include "base/fs_fault.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum { SECTOR_BYTES = 512 };

/* A change that a disk may or may not have seen. */
struct change {
    enum { CHANGE_WRITE, CHANGE_SIZE, CHANGE_NAMES } type;
    uint64_t at; /* WRITE: offset; SIZE: the new size */
    uint8_t *bytes;
    size_t len;
    char *remove,
        *add; /* NAMES: a name that goes, one that comes (for `node`); either may be NULL */
    struct node *node;
    bool doubtful; /* a sync failed over it: what a later sync says about it is worth nothing */
};

struct entry {
    char *name;
    struct node *node;
};

struct folder {
    struct entry *entries;
    size_t count, cap;
};

struct contents {
    uint8_t *bytes;
    size_t len, cap;
};

/* A file or a folder: as it is seen (`now`), as the disk has it (`disk`), and what lies between.
 * Nodes stay until the end, since a name that was removed may come back with the power. */
struct node {
    bool is_dir;
    struct contents now, disk;
    struct folder now_names, disk_names;
    struct change *changes;
    size_t change_count, change_cap;
    size_t names;       /* how many names it has now */
    size_t opens;       /* open files, maps not counted */
    size_t lock_shared; /* holders */
    bool lock_exclusive;
    struct node *next; /* of all nodes */
};

struct rf_fs_fault {
    struct rf_fs fs;
    pthread_mutex_t lock;
    struct node *root, *nodes;
    uint64_t random;
    uint64_t ops, syncs;
    uint64_t fail_op; /* number of the operation that fails; 0 is none */
    int fail_errno;
    bool fail_sticky;
    uint64_t stop_sync; /* number of the sync from which on all fails; 0 is none */
    bool stopped;
    uint64_t bytes_max;
    uint64_t generation; /* counts power losses; files opened before are dead */
};

struct fault_file {
    struct rf_file file;
    struct node *node;
    unsigned how;
    uint64_t position, generation;
    enum { UNLOCKED, LOCKED_SHARED, LOCKED_EXCLUSIVE } lock;
    char path[];
};

static struct rf_fs_fault *fault_of(struct rf_fs *fs) { return (struct rf_fs_fault *)fs; }
static struct fault_file *file_of(struct rf_file *file) { return (struct fault_file *)file; }

static void unlock(struct rf_fs_fault **fault) { pthread_mutex_unlock(&(*fault)->lock); }
/* Holds the lock until the end of the block. */
#define LOCKED(fault)                                                                              \
    RF_CLEANUP(unlock)                                                                             \
    __attribute__((unused)) struct rf_fs_fault *locked_ = lock_fault(fault)
static struct rf_fs_fault *lock_fault(struct rf_fs_fault *fault)
{
    pthread_mutex_lock(&fault->lock);
    return fault;
}

/* Tests that have no memory left cannot tell anything; they stop. */
static void *resize(void *old, size_t bytes)
{
    void *p = realloc(old, bytes == 0 ? 1 : bytes);
    RF_ASSERT(p != NULL);
    return p;
}

static void *copy_of(const void *bytes, size_t len)
{
    void *p = resize(NULL, len);
    if (len > 0) memcpy(p, bytes, len);
    return p;
}

static uint64_t random_below(struct rf_fs_fault *fault, uint64_t count)
{
    fault->random += UINT64_C(0x9e3779b97f4a7c15);
    return rf_hash_u64(fault->random) % count;
}

/* ---- nodes
 * --------------------------------------------------------------------------------------- */

static struct node *node_new(struct rf_fs_fault *fault, bool is_dir)
{
    struct node *node = calloc(1, sizeof *node);
    RF_ASSERT(node != NULL);
    node->is_dir = is_dir;
    node->next = fault->nodes;
    fault->nodes = node;
    return node;
}

static struct change *change_add(struct node *node)
{
    if (node->change_count == node->change_cap) {
        node->change_cap = node->change_cap == 0 ? 8 : node->change_cap * 2;
        node->changes = resize(node->changes, node->change_cap * sizeof *node->changes);
    }
    struct change *change = &node->changes[node->change_count++];
    *change = (struct change){0};
    return change;
}

static void changes_forget(struct node *node, size_t first_kept)
{
    for (size_t i = 0; i < first_kept; i++) {
        free(node->changes[i].bytes);
        free(node->changes[i].remove);
        free(node->changes[i].add);
    }
    node->change_count -= first_kept;
    if (node->change_count > 0)
        memmove(node->changes, node->changes + first_kept,
                node->change_count * sizeof *node->changes);
}

static void contents_size(struct contents *contents, size_t len)
{
    if (len > contents->cap) {
        contents->cap = RF_MAX(len, contents->cap * 2);
        contents->bytes = resize(contents->bytes, contents->cap);
    }
    if (len > contents->len) memset(contents->bytes + contents->len, 0, len - contents->len);
    contents->len = len;
}

static void contents_put(struct contents *contents, uint64_t at, const uint8_t *bytes, size_t len)
{
    if (len == 0) return;
    if (at + len > contents->len) contents_size(contents, (size_t)at + len);
    memcpy(contents->bytes + at, bytes, len);
}

static void contents_copy(struct contents *to, const struct contents *from)
{
    to->len = 0;
    contents_put(to, 0, from->bytes, from->len);
}

static struct entry *folder_find(const struct folder *folder, const char *name)
{
    for (size_t i = 0; i < folder->count; i++)
        if (strcmp(folder->entries[i].name, name) == 0) return &folder->entries[i];
    return NULL;
}

static void folder_remove(struct folder *folder, const char *name)
{
    struct entry *entry = folder_find(folder, name);
    if (entry == NULL) return;
    free(entry->name);
    *entry = folder->entries[--folder->count];
}

static void folder_set(struct folder *folder, const char *name, struct node *node)
{
    folder_remove(folder, name);
    if (folder->count == folder->cap) {
        folder->cap = folder->cap == 0 ? 8 : folder->cap * 2;
        folder->entries = resize(folder->entries, folder->cap * sizeof *folder->entries);
    }
    folder->entries[folder->count++] = (struct entry){copy_of(name, strlen(name) + 1), node};
}

static void folder_empty(struct folder *folder)
{
    while (folder->count > 0) free(folder->entries[--folder->count].name);
}

/* Changes the names of a folder as they are seen, and notes it for the disk. */
static void names_change(struct node *dir, const char *remove, const char *add, struct node *node)
{
    struct change *change = change_add(dir);
    change->type = CHANGE_NAMES;
    change->node = node;
    struct entry *gone = remove == NULL ? NULL : folder_find(&dir->now_names, remove);
    struct entry *replaced = add == NULL ? NULL : folder_find(&dir->now_names, add);
    if (gone != NULL) gone->node->names--;
    if (replaced != NULL) replaced->node->names--;
    if (remove != NULL) {
        change->remove = copy_of(remove, strlen(remove) + 1);
        folder_remove(&dir->now_names, remove);
    }
    if (add != NULL) {
        change->add = copy_of(add, strlen(add) + 1);
        folder_set(&dir->now_names, add, node);
        node->names++;
    }
}

/* ---- paths
 * --------------------------------------------------------------------------------------- */

struct place {
    struct node
        *dir; /* the folder that holds or would hold it; NULL: the path is the root itself */
    struct node *node; /* NULL when it is not there */
    char name[256];
};

/* Walks to the last part of the path; gives an errno. */
static int find(struct rf_fs_fault *fault, const char *path, struct place *out)
{
    *out = (struct place){.node = fault->root};
    for (const char *at = path; *at != '\0';) {
        size_t len = strcspn(at, "/");
        rf_str part = rf_str_make(at, len);
        at += len;
        at += strspn(at, "/");
        if (len == 0 || rf_str_is(part, ".")) continue;
        if (len >= sizeof out->name) return ENAMETOOLONG;
        if (out->node == NULL) return ENOENT;
        if (!out->node->is_dir) return ENOTDIR;
        out->dir = out->node;
        memcpy(out->name, part.ptr, len);
        out->name[len] = '\0';
        const struct entry *entry = folder_find(&out->dir->now_names, out->name);
        out->node = entry == NULL ? NULL : entry->node;
    }
    return *path == '\0' ? ENOENT : 0;
}

/* ---- faults
 * -------------------------------------------------------------------------------------- */

/* Counts an operation; the errno with which it is to fail, or 0. */
static int begin(struct rf_fs_fault *fault, bool is_sync)
{
    fault->ops++;
    if (is_sync && ++fault->syncs == fault->stop_sync) fault->stopped = true;
    if (fault->stopped) return EIO;
    if (fault->fail_op == 0 || fault->ops < fault->fail_op) return 0;
    return fault->ops == fault->fail_op || fault->fail_sticky ? fault->fail_errno : 0;
}

static int begin_file(struct rf_fs_fault *fault, const struct fault_file *file, bool is_sync)
{
    int error = begin(fault, is_sync);
    return file->generation != fault->generation ? EIO : error;
}

static enum rf_kind done(int os_errno, const char *verb, const char *path, struct rf_err *err)
{
    return os_errno == 0 ? RF_OK : rf_fs_fail(os_errno, verb, path, err);
}

/* Bytes that are still free on the disk. */
static uint64_t room(const struct rf_fs_fault *fault)
{
    uint64_t used = 0;
    for (const struct node *node = fault->nodes; node != NULL; node = node->next)
        if (node->names > 0 || node->opens > 0) used += node->now.len;
    return used >= fault->bytes_max ? 0 : fault->bytes_max - used;
}

/* ---- files
 * --------------------------------------------------------------------------------------- */

static int open_node(struct rf_fs_fault *fault, const char *path, unsigned how, struct node **out)
{
    struct place place = {0};
    int error = begin(fault, false);
    if (error == 0) error = find(fault, path, &place);
    if (error != 0) return error;
    if (place.node == NULL) {
        if (!(how & RF_OPEN_CREATE)) return ENOENT;
        place.node = node_new(fault, false);
        names_change(place.dir, NULL, place.name, place.node);
    } else if ((how & RF_OPEN_CREATE) && (how & RF_OPEN_EXCLUSIVE)) {
        return EEXIST;
    } else if (place.node->is_dir) {
        return EISDIR;
    } else if ((how & RF_OPEN_TRUNCATE) && place.node->now.len > 0) {
        contents_size(&place.node->now, 0);
        change_add(place.node)->type = CHANGE_SIZE;
    }
    *out = place.node;
    return 0;
}

static enum rf_kind fault_open(struct rf_fs *fs, const char *path, unsigned how,
                               struct rf_file **out, struct rf_err *err)
{
    struct rf_fs_fault *fault = fault_of(fs);
    LOCKED(fault);
    struct node *node = NULL;
    int error = open_node(fault, path, how, &node);
    if (error != 0) return done(error, "open", path, err);
    size_t path_bytes = strlen(path) + 1;
    struct fault_file *file = resize(NULL, sizeof *file + path_bytes);
    *file = (struct fault_file){
        .file = {fs}, .node = node, .how = how, .generation = fault->generation};
    memcpy(file->path, path, path_bytes);
    node->opens++;
    *out = &file->file;
    return RF_OK;
}

static void fault_close(struct rf_file *base)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    if (file->generation == locked_->generation) {
        file->node->opens--;
        if (file->lock == LOCKED_SHARED) file->node->lock_shared--;
        if (file->lock == LOCKED_EXCLUSIVE) file->node->lock_exclusive = false;
    }
    free(file);
}

static size_t read_at(const struct node *node, void *bytes, size_t cap, uint64_t at)
{
    if (at >= node->now.len) return 0;
    size_t n = RF_MIN(cap, node->now.len - (size_t)at);
    if (n > 0) memcpy(bytes, node->now.bytes + at, n);
    return n;
}

static enum rf_kind fault_read(struct rf_file *base, void *bytes, size_t cap, size_t *got,
                               struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error != 0) return done(error, "read", file->path, err);
    /* Short reads are legal, so callers must be ready for them. */
    if (cap > 1 && random_below(locked_, 4) == 0) cap = 1 + (size_t)random_below(locked_, cap);
    *got = read_at(file->node, bytes, cap, file->position);
    file->position += *got;
    return RF_OK;
}

static enum rf_kind fault_pread(struct rf_file *base, void *bytes, size_t cap, uint64_t at,
                                size_t *got, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error != 0) return done(error, "read", file->path, err);
    *got = read_at(file->node, bytes, cap, at);
    return RF_OK;
}

/* Writes as much as the fault and the disk let through. */
static int write_at(struct rf_fs_fault *fault, struct fault_file *file, const void *bytes,
                    size_t len, uint64_t at)
{
    int error = begin_file(fault, file, false);
    if (fault->stopped || file->generation != fault->generation) return EIO;
    struct node *node = file->node;
    if (error != 0) len = (size_t)random_below(fault, (uint64_t)len + 1);
    uint64_t grows = at + len > node->now.len ? at + len - node->now.len : 0,
             free_bytes = room(fault);
    if (grows > free_bytes) {
        len -= (size_t)RF_MIN(grows - free_bytes, (uint64_t)len);
        if (error == 0) error = ENOSPC;
    }
    if (len == 0) return error;
    contents_put(&node->now, at, bytes, len);
    struct change *change = change_add(node);
    change->type = CHANGE_WRITE;
    change->at = at;
    change->bytes = copy_of(bytes, len);
    change->len = len;
    return error;
}

static enum rf_kind fault_write(struct rf_file *base, const void *bytes, size_t len,
                                struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    uint64_t at = file->how & RF_OPEN_APPEND ? file->node->now.len : file->position;
    int error = write_at(locked_, file, bytes, len, at);
    if (error == 0) file->position = at + len;
    return done(error, "write", file->path, err);
}

static enum rf_kind fault_pwrite(struct rf_file *base, const void *bytes, size_t len, uint64_t at,
                                 struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    return done(write_at(locked_, file, bytes, len, at), "write", file->path, err);
}

static void apply(struct node *node, const struct change *change)
{
    switch (change->type) {
    case CHANGE_WRITE:
        contents_put(&node->disk, change->at, change->bytes, change->len);
        break;
    case CHANGE_SIZE:
        contents_size(&node->disk, (size_t)change->at);
        break;
    case CHANGE_NAMES:
        if (change->remove != NULL) folder_remove(&node->disk_names, change->remove);
        if (change->add != NULL) folder_set(&node->disk_names, change->add, change->node);
        break;
    }
}

/* Makes all changes durable, or fails and leaves them in doubt. */
static int sync_node(struct rf_fs_fault *fault, struct node *node, int error)
{
    if (error != 0) {
        for (size_t i = 0; i < node->change_count; i++) node->changes[i].doubtful = true;
        return error;
    }
    for (size_t i = 0; i < node->change_count; i++)
        if (!node->changes[i].doubtful || random_below(fault, 2) == 0)
            apply(node, &node->changes[i]);
    changes_forget(node, node->change_count);
    return 0;
}

static enum rf_kind fault_sync(struct rf_file *base, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, true);
    bool reaches_disk = !locked_->stopped && file->generation == locked_->generation;
    if (reaches_disk) error = sync_node(locked_, file->node, error);
    return done(error, "sync", file->path, err);
}

static enum rf_kind fault_size(struct rf_file *base, uint64_t *bytes, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error == 0) *bytes = file->node->now.len;
    return done(error, "look at", file->path, err);
}

static enum rf_kind fault_truncate(struct rf_file *base, uint64_t bytes, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error == 0 && bytes > file->node->now.len && bytes - file->node->now.len > room(locked_))
        error = ENOSPC;
    if (error == 0) {
        contents_size(&file->node->now, (size_t)bytes);
        struct change *change = change_add(file->node);
        change->type = CHANGE_SIZE;
        change->at = bytes;
    }
    return done(error, "truncate", file->path, err);
}

/* Only says whether there is room: what was set aside is not kept from others. */
static enum rf_kind fault_reserve(struct rf_file *base, uint64_t bytes, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error == 0 && bytes > file->node->now.len && bytes - file->node->now.len > room(locked_))
        error = ENOSPC;
    return done(error, "reserve room for", file->path, err);
}

static enum rf_kind fault_lock(struct rf_file *base, bool shared, struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    struct node *node = file->node;
    if (file->generation != locked_->generation) return done(EIO, "lock", file->path, err);
    size_t others_shared = node->lock_shared - (file->lock == LOCKED_SHARED);
    bool other_exclusive = node->lock_exclusive && file->lock != LOCKED_EXCLUSIVE;
    if (other_exclusive || (!shared && others_shared > 0))
        return done(EWOULDBLOCK, "lock", file->path, err);
    node->lock_shared = others_shared + shared;
    node->lock_exclusive = !shared;
    file->lock = shared ? LOCKED_SHARED : LOCKED_EXCLUSIVE;
    return RF_OK;
}

/* A copy: what is mapped is sealed, so nobody can tell. */
static enum rf_kind fault_map(struct rf_file *base, uint64_t at, size_t len, struct rf_map *out,
                              struct rf_err *err)
{
    struct fault_file *file = file_of(base);
    LOCKED(fault_of(base->fs));
    int error = begin_file(locked_, file, false);
    if (error != 0) return done(error, "map", file->path, err);
    uint64_t size = file->node->now.len;
    if (at > size || len > size - at)
        return RF_FAIL(err, RF_CORRUPT, "FileTooShort",
                       "%s has %llu bytes, %zu at %llu were wanted", file->path,
                       (unsigned long long)size, len, (unsigned long long)at);
    uint8_t *copy = copy_of(len == 0 ? NULL : file->node->now.bytes + at, len);
    *out =
        (struct rf_map){.ptr = copy, .len = len, .base = copy, .base_bytes = len, .fs = base->fs};
    return RF_OK;
}

static void fault_unmap(struct rf_map *map) { free(map->base); }

/* ---- names
 * --------------------------------------------------------------------------------------- */

static enum rf_kind fault_stat(struct rf_fs *fs, const char *path, struct rf_fs_stat *out,
                               struct rf_err *err)
{
    LOCKED(fault_of(fs));
    struct place place = {0};
    int error = begin(locked_, false);
    if (error == 0) error = find(locked_, path, &place);
    if (error == 0 && place.node == NULL) error = ENOENT;
    if (error == 0)
        *out = (struct rf_fs_stat){.bytes = place.node->now.len,
                                   .is_dir = place.node->is_dir,
                                   .is_file = !place.node->is_dir};
    return done(error, "look at", path, err);
}

static int rename_node(struct rf_fs_fault *fault, const char *from, const char *to)
{
    struct place source = {0}, target = {0};
    int error = begin(fault, false);
    if (error == 0) error = find(fault, from, &source);
    if (error == 0) error = find(fault, to, &target);
    if (error != 0) return error;
    if (source.node == NULL) return ENOENT;
    if (source.dir == NULL || target.dir == NULL) return EBUSY;
    if (source.node == target.node) return 0;
    if (target.node != NULL && target.node->is_dir != source.node->is_dir)
        return target.node->is_dir ? EISDIR : ENOTDIR;
    if (target.node != NULL && target.node->now_names.count > 0) return ENOTEMPTY;
    if (source.dir == target.dir) {
        names_change(source.dir, source.name, target.name, source.node);
    } else {
        names_change(target.dir, NULL, target.name, source.node);
        names_change(source.dir, source.name, NULL, NULL);
    }
    return 0;
}

static enum rf_kind fault_rename(struct rf_fs *fs, const char *from, const char *to,
                                 struct rf_err *err)
{
    LOCKED(fault_of(fs));
    return done(rename_node(locked_, from, to), "rename", from, err);
}

static int remove_node(struct rf_fs_fault *fault, const char *path, bool is_dir)
{
    struct place place = {0};
    int error = begin(fault, false);
    if (error == 0) error = find(fault, path, &place);
    if (error != 0) return error;
    if (place.node == NULL) return ENOENT;
    if (place.dir == NULL) return EBUSY;
    if (place.node->is_dir != is_dir) return is_dir ? ENOTDIR : EISDIR;
    if (place.node->now_names.count > 0) return ENOTEMPTY;
    names_change(place.dir, place.name, NULL, NULL);
    return 0;
}

static enum rf_kind fault_unlink(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    LOCKED(fault_of(fs));
    return done(remove_node(locked_, path, false), "remove", path, err);
}

static enum rf_kind fault_rmdir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    LOCKED(fault_of(fs));
    return done(remove_node(locked_, path, true), "remove the folder", path, err);
}

static enum rf_kind fault_mkdir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    LOCKED(fault_of(fs));
    struct place place = {0};
    int error = begin(locked_, false);
    if (error == 0) error = find(locked_, path, &place);
    if (error == 0 && place.node != NULL) error = EEXIST;
    if (error == 0) names_change(place.dir, NULL, place.name, node_new(locked_, true));
    return done(error, "make the folder", path, err);
}

static int by_bytes(const void *a, const void *b)
{
    return rf_str_cmp(*(const rf_str *)a, *(const rf_str *)b);
}

static enum rf_kind fault_list(struct rf_fs *fs, const char *path, struct rf_arena *arena,
                               rf_str **names, size_t *count, struct rf_err *err)
{
    LOCKED(fault_of(fs));
    struct place place = {0};
    int error = begin(locked_, false);
    if (error == 0) error = find(locked_, path, &place);
    if (error == 0 && place.node == NULL) error = ENOENT;
    if (error == 0 && !place.node->is_dir) error = ENOTDIR;
    if (error != 0) return done(error, "list", path, err);
    const struct folder *folder = &place.node->now_names;
    rf_str *list = rf_arena_new(arena, rf_str, folder->count);
    if (list == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < folder->count; i++) {
        char *name = rf_arena_cstr(arena, rf_str_of(folder->entries[i].name));
        if (name == NULL) return rf_fail_memory(err, arena);
        list[i] = rf_str_of(name);
    }
    if (folder->count > 0) qsort(list, folder->count, sizeof *list, by_bytes);
    *names = list;
    *count = folder->count;
    return RF_OK;
}

static enum rf_kind fault_sync_dir(struct rf_fs *fs, const char *path, struct rf_err *err)
{
    LOCKED(fault_of(fs));
    struct place place = {0};
    int error = begin(locked_, true), found = find(locked_, path, &place);
    if (found == 0 && place.node == NULL) found = ENOENT;
    if (found == 0 && !place.node->is_dir) found = ENOTDIR;
    if (found == 0 && !locked_->stopped) error = sync_node(locked_, place.node, error);
    return done(error != 0 ? error : found, "sync the folder", path, err);
}

/* ---- power
 * --------------------------------------------------------------------------------------- */

/* A write that was under way: each of its sectors got to the disk, or did not, or holds rubbish. */
static void apply_torn(struct rf_fs_fault *fault, struct node *node, const struct change *change)
{
    for (size_t from = 0; from < change->len;) {
        uint64_t at = change->at + from;
        size_t n = RF_MIN(change->len - from, (size_t)(SECTOR_BYTES - at % SECTOR_BYTES));
        uint64_t fate = random_below(fault, 8);
        if (fate < 4) contents_put(&node->disk, at, change->bytes + from, n);
        if (fate == 7) {
            contents_put(&node->disk, at, change->bytes + from, n);
            for (size_t i = 0; i < n; i++)
                node->disk.bytes[at + i] = (uint8_t)random_below(fault, 256);
        }
        from += n;
    }
}

static void lose_file(struct rf_fs_fault *fault, struct node *node)
{
    for (size_t i = 0; i < node->change_count; i++) {
        const struct change *change = &node->changes[i];
        uint64_t fate = random_below(fault, 3);
        if (fate == 0) apply(node, change);
        if (fate == 1 && change->type == CHANGE_WRITE) apply_torn(fault, node, change);
    }
    changes_forget(node, node->change_count);
    contents_copy(&node->now, &node->disk);
}

static void lose_names(struct rf_fs_fault *fault, struct node *node)
{
    size_t kept = (size_t)random_below(fault, (uint64_t)node->change_count + 1);
    for (size_t i = 0; i < kept; i++) apply(node, &node->changes[i]);
    changes_forget(node, node->change_count);
    folder_empty(&node->now_names);
    for (size_t i = 0; i < node->disk_names.count; i++)
        folder_set(&node->now_names, node->disk_names.entries[i].name,
                   node->disk_names.entries[i].node);
}

void rf_fs_fault_power_loss(struct rf_fs_fault *fault)
{
    LOCKED(fault);
    for (struct node *node = fault->nodes; node != NULL; node = node->next) {
        if (node->is_dir)
            lose_names(fault, node);
        else
            lose_file(fault, node);
        node->names = node->opens = node->lock_shared = 0;
        node->lock_exclusive = false;
    }
    for (struct node *node = fault->nodes; node != NULL; node = node->next)
        for (size_t i = 0; i < node->now_names.count; i++) node->now_names.entries[i].node->names++;
    fault->generation++;
    fault->fail_op = fault->stop_sync = 0;
    fault->stopped = false;
}

/* ---- for tests
 * ----------------------------------------------------------------------------------- */

struct rf_fs_fault *rf_fs_fault_new(uint64_t seed)
{
    static const struct rf_fs_ops ops = {
        .open = fault_open,
        .close = fault_close,
        .read = fault_read,
        .pread = fault_pread,
        .write = fault_write,
        .pwrite = fault_pwrite,
        .sync = fault_sync,
        .size = fault_size,
        .truncate = fault_truncate,
        .reserve = fault_reserve,
        .lock = fault_lock,
        .map = fault_map,
        .unmap = fault_unmap,
        .stat = fault_stat,
        .rename = fault_rename,
        .unlink = fault_unlink,
        .mkdir = fault_mkdir,
        .rmdir = fault_rmdir,
        .list = fault_list,
        .sync_dir = fault_sync_dir,
    };
    struct rf_fs_fault *fault = calloc(1, sizeof *fault);
    if (fault == NULL) return NULL;
    fault->fs.ops = &ops;
    fault->random = seed;
    fault->bytes_max = UINT64_MAX;
    pthread_mutex_init(&fault->lock, NULL);
    fault->root = node_new(fault, true);
    return fault;
}

void rf_fs_fault_free(struct rf_fs_fault *fault)
{
    if (fault == NULL) return;
    for (struct node *node = fault->nodes, *next; node != NULL; node = next) {
        next = node->next;
        changes_forget(node, node->change_count);
        folder_empty(&node->now_names);
        folder_empty(&node->disk_names);
        free(node->now_names.entries);
        free(node->disk_names.entries);
        free(node->now.bytes);
        free(node->disk.bytes);
        free(node->changes);
        free(node);
    }
    pthread_mutex_destroy(&fault->lock);
    free(fault);
}

struct rf_fs *rf_fs_fault_fs(struct rf_fs_fault *fault) { return &fault->fs; }

void rf_fs_fault_fail_at(struct rf_fs_fault *fault, uint64_t nth, int os_errno, bool sticky)
{
    LOCKED(fault);
    fault->fail_op = nth == 0 ? 0 : fault->ops + nth;
    fault->fail_errno = os_errno;
    fault->fail_sticky = sticky;
}

uint64_t rf_fs_fault_ops(const struct rf_fs_fault *fault) { return fault->ops; }
uint64_t rf_fs_fault_syncs(const struct rf_fs_fault *fault) { return fault->syncs; }

void rf_fs_fault_disk_bytes(struct rf_fs_fault *fault, uint64_t bytes_max)
{
    LOCKED(fault);
    fault->bytes_max = bytes_max;
}

void rf_fs_fault_stop_at_sync(struct rf_fs_fault *fault, uint64_t nth)
{
    LOCKED(fault);
    fault->stop_sync = nth == 0 ? 0 : fault->syncs + nth;
    fault->stopped = false;
}

bool rf_fs_fault_flip(struct rf_fs_fault *fault, const char *path, uint64_t at, unsigned bit)
{
    LOCKED(fault);
    struct place place = {0};
    if (find(fault, path, &place) != 0 || place.node == NULL || at >= place.node->now.len)
        return false;
    uint8_t mask = (uint8_t)(1u << (bit & 7));
    place.node->now.bytes[at] ^= mask;
    if (at < place.node->disk.len) place.node->disk.bytes[at] ^= mask;
    return true;
}
