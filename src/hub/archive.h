/* archive.h - events of hubs into files: `captureDescription` of Microsoft.EventHub/namespaces/eventhubs (contract, section 13).
 *
 * Each partition fills windows, which end after an interval or at a size, and each window becomes a file: an Avro container, or lines of
 * JSON (docs/capture.md says both). A file appears whole under its name or not at all, and each event is in one file, over crashes too:
 *
 *   1. the window's position and the name of its file are stored (state, space "hub.archive"), before the file is made
 *   2. events are written to FOLDER/.NAME.part beside the name that it will have, as they come
 *   3. at the window's end the file and its folder are synced
 *   4. "that file is whole, its name is FOLDER/NAME, the next window begins behind it" is stored, in one commit
 *   5. the file is renamed and the folder synced; after a crash the next start does it, if the temporary name is still there
 *
 * After a crash before 4 the window is filled anew from the log under the same name; after it nothing of it is written again.
 *
 * Capture begins with the events that come after it was switched on. When it is switched off the windows under way end at once. Other
 * settings hold for the windows under way too. A full disk lets capture wait, not ingestion. Retention does not wait for capture: what it
 * removed that no file has is told in RingfortDeadLetter and in the log (archive.lost).
 *
 * Where: a storage account is a folder of the server: one that its operator names (export.folders), else FOLDER/ACCOUNT; the
 * container is a folder in it. No link is followed (archive_disk.h). */
#ifndef RF_HUB_ARCHIVE_H
#define RF_HUB_ARCHIVE_H

#include "hub/hub.h"

struct archive_folder {
    rf_str account; /* its name, or its whole id */
    const char *folder;
};
struct archives_options {
    struct hubs *hubs;  /* with state and arm */
    const char *folder; /* of accounts that are not named; made when it is needed */
    const struct archive_folder *folders; /* borrowed */
    uint32_t folder_count;
    struct rf_fs *fs; /* for tests: takes all files, as ACCOUNT/...; NULL: the system's */
    bool by_hand;     /* no threads: archives_run does their work */
};
struct archives;
/* Before any hub can change. RF_LIMIT. */
RF_MUST_USE enum rf_kind archives_new(const struct archives_options *options, struct archives **out,
                                      struct rf_err *err);
/* Ends the threads; before arm is freed. Windows under way go on with the next start. NULL is fine. */
void archives_stop(struct archives *archives);
/* Stops too; before the hubs are freed. */
void archives_free(struct archives *archives);
/* Reads the documents when they have changed, and does all that is due, in this thread, when there are no others. */
void archives_run(struct archives *archives);

/* A hub's document is stored: checks captureDescription, and when it was switched on notes where each of the `partition_count` partitions
 * that were there ends. In the write transaction of the call. RF_INVALID BadRequest. */
RF_MUST_USE enum rf_kind archive_put(struct arm_call *call, const struct arm_resource *resource,
                                     const struct arm_resource *before, uint32_t partition_count,
                                     struct rf_err *err);

#endif
