/* fs.h - the seam through which all files are reached: a table of operations, the real one over the
 * operating system, and one for tests (fs_fault.h) that lives in memory and fails as told.
 *
 * Paths are NUL-terminated. Errors, beside RF_IO with the errno and the path in the text:
 *   RF_NOT_FOUND FileNotFound, RF_CONFLICT FileExists or FileLocked, RF_DENIED FileDenied,
 *   RF_LIMIT DiskFull, MemoryBudgetExceeded
 *
 * What is durable: bytes after rf_file_sync; names (created, renamed, removed) after rf_fs_sync_dir
 * of their folder. Every call may come from any thread; one file's position belongs to one thread.
 */
#ifndef RF_FS_H
#define RF_FS_H

#include "base/rf.h"

struct rf_fs;
struct rf_file;

enum rf_open {
    RF_OPEN_READ = 1,
    RF_OPEN_WRITE = 2,
    RF_OPEN_CREATE = 4,    /* when it is not there */
    RF_OPEN_EXCLUSIVE = 8, /* with CREATE: RF_CONFLICT when it is there */
    RF_OPEN_TRUNCATE = 16,
    RF_OPEN_APPEND = 32 /* rf_file_write writes at the end, whatever others wrote meanwhile */
};

struct rf_fs_stat {
    uint64_t bytes;
    int64_t changed_usec; /* since 1970; 0 in tests */
    bool is_dir, is_file;
};

/* A read-only view of a part of a file. */
struct rf_map {
    const uint8_t *ptr;
    size_t len;
    void *base; /* what is given back */
    size_t base_bytes;
    struct rf_fs *fs;
};

/* What an implementation provides; the functions below are the way in. */
struct rf_fs_ops {
    enum rf_kind (*open)(struct rf_fs *fs, const char *path, unsigned how, struct rf_file **out,
                         struct rf_err *err);
    void (*close)(struct rf_file *file);
    enum rf_kind (*read)(struct rf_file *file, void *bytes, size_t cap, size_t *got,
                         struct rf_err *err);
    enum rf_kind (*pread)(struct rf_file *file, void *bytes, size_t cap, uint64_t at, size_t *got,
                          struct rf_err *err);
    enum rf_kind (*write)(struct rf_file *file, const void *bytes, size_t len, struct rf_err *err);
    enum rf_kind (*pwrite)(struct rf_file *file, const void *bytes, size_t len, uint64_t at,
                           struct rf_err *err);
    enum rf_kind (*sync)(struct rf_file *file, struct rf_err *err);
    enum rf_kind (*size)(struct rf_file *file, uint64_t *bytes, struct rf_err *err);
    enum rf_kind (*truncate)(struct rf_file *file, uint64_t bytes, struct rf_err *err);
    enum rf_kind (*reserve)(struct rf_file *file, uint64_t bytes, struct rf_err *err);
    enum rf_kind (*lock)(struct rf_file *file, bool shared, struct rf_err *err);
    enum rf_kind (*map)(struct rf_file *file, uint64_t at, size_t len, struct rf_map *out,
                        struct rf_err *err);
    void (*unmap)(struct rf_map *map);
    enum rf_kind (*stat)(struct rf_fs *fs, const char *path, struct rf_fs_stat *out,
                         struct rf_err *err);
    enum rf_kind (*rename)(struct rf_fs *fs, const char *from, const char *to, struct rf_err *err);
    enum rf_kind (*unlink)(struct rf_fs *fs, const char *path, struct rf_err *err);
    enum rf_kind (*mkdir)(struct rf_fs *fs, const char *path, struct rf_err *err);
    enum rf_kind (*rmdir)(struct rf_fs *fs, const char *path, struct rf_err *err);
    enum rf_kind (*list)(struct rf_fs *fs, const char *path, struct rf_arena *arena, rf_str **names,
                         size_t *count, struct rf_err *err);
    enum rf_kind (*sync_dir)(struct rf_fs *fs, const char *path, struct rf_err *err);
};

struct rf_fs {
    const struct rf_fs_ops *ops;
};
/* First member of every implementation's file. */
struct rf_file {
    struct rf_fs *fs;
};

/* The operating system's files. Never freed. */
struct rf_fs *rf_fs_real(void);

/* ---- files -------------------------------------------------------------------------------------
 */

/* how: enum rf_open, or-ed. A file that is created gets mode 0640 less the umask. */
RF_MUST_USE enum rf_kind rf_fs_open(struct rf_fs *fs, const char *path, unsigned how,
                                    struct rf_file **out, struct rf_err *err);
/* A file of the real implementation over an open descriptor, such as 0; `close` closes it. `name`
 * is for error texts and is copied. */
RF_MUST_USE enum rf_kind rf_fs_real_adopt(int fd, const char *name, struct rf_file **out,
                                          struct rf_err *err);
void rf_file_close(struct rf_file *file); /* NULL is fine; says nothing about durability */
static inline void rf_file_cleanup(struct rf_file **file)
{
    rf_file_close(*file);
} /* for RF_CLEANUP */

/* Reads at most `cap` bytes from the file's position; *got 0 is the end. */
RF_MUST_USE enum rf_kind rf_file_read(struct rf_file *file, void *bytes, size_t cap, size_t *got,
                                      struct rf_err *err);
/* Reads at `at` until `cap` bytes or the end. */
RF_MUST_USE enum rf_kind rf_file_pread(struct rf_file *file, void *bytes, size_t cap, uint64_t at,
                                       size_t *got, struct rf_err *err);
/* As pread, but fewer bytes than `len` are RF_CORRUPT FileTooShort. */
RF_MUST_USE enum rf_kind rf_file_pread_all(struct rf_file *file, void *bytes, size_t len,
                                           uint64_t at, struct rf_err *err);
/* Write all of it, or fail; after a failure any part may have been written. */
RF_MUST_USE enum rf_kind rf_file_write(struct rf_file *file, const void *bytes, size_t len,
                                       struct rf_err *err);
RF_MUST_USE enum rf_kind rf_file_pwrite(struct rf_file *file, const void *bytes, size_t len,
                                        uint64_t at, struct rf_err *err);
/* After a failure the kernel may have forgotten what it did not write, so that a second sync which
 * succeeds proves nothing: treat the file's unsynced part as lost. */
RF_MUST_USE enum rf_kind rf_file_sync(struct rf_file *file, struct rf_err *err);
RF_MUST_USE enum rf_kind rf_file_size(struct rf_file *file, uint64_t *bytes, struct rf_err *err);
RF_MUST_USE enum rf_kind rf_file_truncate(struct rf_file *file, uint64_t bytes, struct rf_err *err);
/* Sets aside room on the disk for the file's first `bytes` bytes without changing its size. A file
 * system that cannot do so is no error. */
RF_MUST_USE enum rf_kind rf_file_reserve(struct rf_file *file, uint64_t bytes, struct rf_err *err);
/* Locks the file until it is closed, against other opens of it too; RF_CONFLICT FileLocked when
 * another holds it. Does not wait. */
RF_MUST_USE enum rf_kind rf_file_lock(struct rf_file *file, bool shared, struct rf_err *err);
/* Maps bytes at..at+len for reading; they must lie inside the file. The view outlives the file's
 * close. A file that shrinks under its map kills the process, so only sealed files are mapped. */
RF_MUST_USE enum rf_kind rf_file_map(struct rf_file *file, uint64_t at, size_t len,
                                     struct rf_map *out, struct rf_err *err);
void rf_map_done(struct rf_map *map); /* an all-zero map is fine */

/* ---- names -------------------------------------------------------------------------------------
 */

RF_MUST_USE enum rf_kind rf_fs_stat(struct rf_fs *fs, const char *path, struct rf_fs_stat *out,
                                    struct rf_err *err);
bool rf_fs_exists(struct rf_fs *fs, const char *path);
/* Replaces `to` at once when it is there. */
RF_MUST_USE enum rf_kind rf_fs_rename(struct rf_fs *fs, const char *from, const char *to,
                                      struct rf_err *err);
/* Its result may be left unused: clearing up after a failure is best effort. */
enum rf_kind rf_fs_unlink(struct rf_fs *fs, const char *path, struct rf_err *err);
RF_MUST_USE enum rf_kind rf_fs_mkdir(struct rf_fs *fs, const char *path,
                                     struct rf_err *err); /* 0750 */
/* Makes the folder and those above it; one that is there is fine. */
RF_MUST_USE enum rf_kind rf_fs_mkdirs(struct rf_fs *fs, const char *path, struct rf_err *err);
RF_MUST_USE enum rf_kind rf_fs_rmdir(struct rf_fs *fs, const char *path, struct rf_err *err);
/* Names in a folder, without . and .., in byte order, NUL-terminated; allocates in `arena`. */
RF_MUST_USE enum rf_kind rf_fs_list(struct rf_fs *fs, const char *path, struct rf_arena *arena,
                                    rf_str **names, size_t *count, struct rf_err *err);
RF_MUST_USE enum rf_kind rf_fs_sync_dir(struct rf_fs *fs, const char *path, struct rf_err *err);

/* ---- whole files -------------------------------------------------------------------------------
 */

/* Reads a file of at most `bytes_max` bytes (RF_LIMIT FileTooLarge) into `arena`, with a NUL after
 * it. */
RF_MUST_USE enum rf_kind rf_fs_read_all(struct rf_fs *fs, const char *path, size_t bytes_max,
                                        struct rf_arena *arena, rf_str *out, struct rf_err *err);
/* Puts a file in place so that after a crash either the old or the new one is there, whole: writes
 * `path`.new, syncs it, renames it, syncs the folder. */
RF_MUST_USE enum rf_kind rf_fs_replace(struct rf_fs *fs, const char *path, rf_str bytes,
                                       struct rf_err *err);
/* The kind and code that fit an errno; text: "cannot <verb> <path>: <reason>". For implementations.
 */
enum rf_kind rf_fs_fail(int os_errno, const char *verb, const char *path, struct rf_err *err);

#endif
