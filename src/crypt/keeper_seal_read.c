/* keeper_seal_read.c - what stands in root.seal, for the keeper and for whoever may look. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/keeper_seal.h"

enum rf_kind root_read_at(int fd, uint8_t *out, size_t len, off_t at, size_t *got,
                          struct rf_err *err)
{
    ssize_t n;
    do n = pread(fd, out, len, at);
    while (n < 0 && errno == EINTR);
    if (n < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's root");
    *got = (size_t)n;
    return RF_OK;
}

/* What stands behind a token's slot; another seal has none. */
static enum rf_kind read_tail(int fd, unsigned at, struct root_slot *slot, bool *holds,
                              struct rf_err *err)
{
    uint8_t bytes[ROOT_TAIL_BYTES];
    size_t got;
    *holds = true;
    if (!root_lock_is_token(&slot->locks[0])) return RF_OK;
    RF_TRY(root_read_at(fd, bytes, sizeof bytes, (off_t)at * ROOT_SLOT_APART + ROOT_SLOT_BYTES,
                        &got, err));
    *holds = root_tail_read(rf_str_make(bytes, got), &slot->locks[0], &slot->tail);
    return RF_OK;
}

enum rf_kind root_read_slots(int fd, struct root_slot *out, struct rf_err *damage, bool *damaged,
                             struct rf_err *err)
{
    *out = (struct root_slot){0};
    *damaged = false;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t bytes[ROOT_SLOT_BYTES];
        struct root_slot slot;
        size_t got;
        RF_TRY(root_read_at(fd, bytes, sizeof bytes, (off_t)i * ROOT_SLOT_APART, &got, err));
        struct rf_err why = {0};
        enum rf_kind kind = root_slot_read(rf_str_make(bytes, got), &slot, &why);
        bool holds = false;
        if (kind == RF_OK) RF_TRY(read_tail(fd, i, &slot, &holds, err));
        if (kind == RF_OK && !holds)
            kind = RF_FAIL(&why, RF_CORRUPT, "RootSealDamaged",
                           "what the token wrapped is damaged in the keeper's root.seal; restore "
                           "the folder keeper/ from a backup");
        if (kind == RF_CORRUPT) *damaged = true;
        if (kind == RF_CORRUPT) *damage = why;
        if (kind == RF_OK && slot.counter % 2 == i && slot.counter > out->counter) *out = slot;
    }
    return RF_OK;
}

/* ---- looking ------------------------------------------------------------------------------------------------------------------------- */

/* The newest slot of DIR/keeper; counter 0: there is none. */
static enum rf_kind look(const char *folder, struct root_slot *slot, struct rf_err *damage,
                         bool *damaged, struct rf_err *err)
{
    char path[4096];
    *slot = (struct root_slot){0};
    *damaged = false;
    (void)snprintf(path, sizeof path, "%s/root.seal", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && errno == ENOENT) return RF_OK;
    if (fd < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot open %s", path);
    enum rf_kind kind = root_read_slots(fd, slot, damage, damaged, err);
    close(fd);
    return kind;
}

enum rf_kind root_seal_look(const char *folder, char out[ROOT_DESCRIPTION_BYTES],
                            struct rf_err *err)
{
    char path[4096];
    struct rf_err damage = {0};
    struct root_slot slot;
    bool damaged;
    RF_TRY(look(folder, &slot, &damage, &damaged, err));
    if (slot.counter == 0) {
        struct stat status;
        (void)snprintf(path, sizeof path, "%s/root.key", folder);
        bool key = stat(path, &status) == 0 && status.st_size >= ROOT_KEY_BYTES;
        if (damaged && !key && err != NULL) *err = damage;
        if (damaged && !key) return RF_CORRUPT;
        if (!key) return RF_FAIL(err, RF_NOT_FOUND, "RootKeyMissing", "%s is missing or cut", path);
    }
    root_slot_describe(&slot, out);
    return RF_OK;
}

enum rf_kind root_seal_token(const char *folder, struct root_tail *out, struct rf_err *err)
{
    struct rf_err damage = {0};
    struct root_slot slot;
    bool damaged;
    RF_TRY(look(folder, &slot, &damage, &damaged, err));
    if (slot.counter == 0 || !root_lock_is_token(&slot.locks[0]))
        return RF_FAIL(err, RF_NOT_FOUND, "NoToken", "no token seals the root key");
    *out = slot.tail;
    return RF_OK;
}

enum rf_kind root_seal_span(const char *folder, uint32_t *kept, uint32_t *newest,
                            struct rf_err *err)
{
    struct rf_err damage = {0};
    struct root_slot slot;
    bool damaged;
    RF_TRY(look(folder, &slot, &damage, &damaged, err));
    if (damaged && slot.counter == 0) {
        if (err != NULL) *err = damage;
        return RF_CORRUPT;
    }
    *kept = slot.dropped + 1;
    *newest = slot.counter == 0 ? 1 : root_slot_newest(&slot);
    return RF_OK;
}
