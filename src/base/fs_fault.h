/* fs_fault.h - files in memory that fail as told, for tests: the n-th operation fails, the disk
 * fills up, the power goes. Deterministic from its seed.
 *
 * The power-loss model keeps, beside what readers see, what a disk would hold. rf_file_sync makes a
 * file's bytes durable, rf_fs_sync_dir a folder's names. On rf_fs_fault_power_loss each write since
 * the last sync is kept, dropped, torn at a 512-byte sector, or leaves garbage, as the seed
 * decides; of each folder's changes of names a first part is kept, in their order; a synced file
 * whose name was never synced is gone. */
#ifndef RF_FS_FAULT_H
#define RF_FS_FAULT_H

#include "base/fs.h"

struct rf_fs_fault;

struct rf_fs_fault *
rf_fs_fault_new(uint64_t seed); /* NULL: no memory. Holds only the folder "/" and "." */
void rf_fs_fault_free(struct rf_fs_fault *fault); /* all its files must be closed and unmapped */
struct rf_fs *rf_fs_fault_fs(struct rf_fs_fault *fault);

/* Operation number `nth` from now (1 is the next) fails with `os_errno`; a failing write keeps a
 * part. 0 ends it. `sticky`: every later one fails too, as on a dead disk. Close, unmap and lock do
 * not count. */
void rf_fs_fault_fail_at(struct rf_fs_fault *fault, uint64_t nth, int os_errno, bool sticky);
uint64_t rf_fs_fault_ops(const struct rf_fs_fault *fault);   /* operations so far */
uint64_t rf_fs_fault_syncs(const struct rf_fs_fault *fault); /* those which were sync or sync_dir */
/* All files together may hold at most this many bytes; what goes beyond fails with ENOSPC. */
void rf_fs_fault_disk_bytes(struct rf_fs_fault *fault, uint64_t bytes_max);

/* From the n-th sync or sync_dir from now on every operation fails with EIO, that sync included:
 * the moment before the power goes. 0 ends it. */
void rf_fs_fault_stop_at_sync(struct rf_fs_fault *fault, uint64_t nth);
/* The power goes and comes back: files hold what the model says survived, locks are gone, no fault
 * is set. Files that are open stay open on files of before and only wait to be closed. */
void rf_fs_fault_power_loss(struct rf_fs_fault *fault);
/* Flips bit `bit` of a file's byte `at`, on the disk too. False when there is no such byte. */
bool rf_fs_fault_flip(struct rf_fs_fault *fault, const char *path, uint64_t at, unsigned bit);

#endif
