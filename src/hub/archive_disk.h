/* archive_disk.h - the files below one folder as an rf_fs, never reached over a link.
 *
 * The folder is the operator's, but what is in it may be anybody's: each step of a path is taken from the one before, none is a link, and
 * a file that is written to has no second name. So nobody leads the server's writing elsewhere. Paths are relative to the folder, which is ".".
 *
 * Only open (for writing), rename, unlink, mkdir, stat and sync_dir are there; what is opened is a file of rf_fs_real. Files get mode
 * 0640 and folders 0750 whatever the umask, for those who read them by their group. Beside the errors of fs.h: RF_DENIED PathRefused. */
#ifndef RF_HUB_ARCHIVE_DISK_H
#define RF_HUB_ARCHIVE_DISK_H

#include "base/fs.h"

/* `folder` is borrowed. It is looked for at each call, so it need not be there yet. RF_LIMIT MemoryBudgetExceeded. */
RF_MUST_USE enum rf_kind archive_disk_new(const char *folder, struct rf_fs **out,
                                          struct rf_err *err);
void archive_disk_free(struct rf_fs *fs); /* NULL is fine; its files may be open */

#endif
