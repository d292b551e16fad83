/* keeper_open.c - opens the keeper's files, tells in the audit log what is wrong with them, and closes them. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "crypt/keeper_desk.h"

struct keeper_keys *keeper_core_keys(struct keeper_core *core) { return &core->keys; }

static enum rf_kind open_in(int folder, const char *name, int flags, int *fd, struct rf_err *err)
{
    *fd = openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    struct stat status;
    if (*fd < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot open the keeper's %s", name);
    if (fstat(*fd, &status) != 0 || !S_ISREG(status.st_mode))
        return RF_FAIL(err, RF_INVALID, "BadFile", "the keeper's %s is no plain file", name);
    if ((status.st_mode & 077) != 0 || status.st_uid != geteuid())
        return RF_FAIL(err, RF_DENIED, "FileDenied",
                       "the keeper's %s must belong to the user that runs it and be open to nobody "
                       "else (chmod 600)",
                       name);
    return RF_OK;
}

/* Opens root.key and root.seal; without a key file, when people have opened it. */
static enum rf_kind load_root(struct keeper_keys *keys, int folder,
                              const struct keeper_core_options *options, struct rf_err *err)
{
    struct stat status;
    int key = -1, seal = -1;
    bool fresh = fstat(keys->file.fd, &status) == 0 && status.st_size == 0;
    enum rf_kind kind = open_in(folder, "root.key", 0, &key, err);
    if (kind == RF_OK) kind = open_in(folder, "root.seal", 0, &seal, err);
    if (kind != RF_OK) {
        if (key >= 0) close(key);
        if (seal >= 0) close(seal);
        return kind;
    }
    RF_TRY(root_seal_init(&keys->seal, seal, key, fresh, options->clock, err));
    if (fsync(folder) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot sync the keeper's folder");
    if (!keys->seal.open && options->unseal == NULL)
        return RF_FAIL(err, RF_AGAIN, "VaultSealed", "the root key is sealed");
    if (!keys->seal.open) RF_TRY(options->unseal(options->unseal_ctx, &keys->seal, err));
    RF_ASSERT(keys->seal.open);
    return RF_OK;
}

/* Who opens it by hand leaves a line, with the attempts that failed. */
static enum rf_kind tell_unsealed(struct keeper_keys *keys, struct rf_err *err)
{
    char detail[ROOT_DESCRIPTION_BYTES + 40], description[ROOT_DESCRIPTION_BYTES];
    const struct root_slot *slot = &keys->seal.slot;
    if (slot->counter == 0 || slot->locks[0].kind == ROOT_LOCK_FILE) return RF_OK;
    root_slot_describe(slot, description);
    (void)snprintf(detail, sizeof detail, "%s, %u failures", description, keys->seal.failures);
    return keeper_audit_write(&keys->audit, "root.unsealed", detail, err);
}

static enum rf_kind open_heads(struct keeper_keys *keys, int folder, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    int fd = -1;
    enum rf_kind kind = open_in(folder, "heads", 0, &fd, err);
    if (kind != RF_OK) {
        if (fd >= 0) close(fd);
        return kind;
    }
    keeper_derive(keys, ROOT_BASE_HEADS, key);
    kind = keeper_heads_open(&keys->heads, fd, key, err);
    OPENSSL_cleanse(key, sizeof key);
    keys->file.heads = &keys->heads;
    return kind;
}

/* What the log itself shows, against its head; what is wrong becomes a line of it. `first`: there are no keys yet. */
static enum rf_kind tell_audit(struct keeper_keys *keys, const struct keeper_audit_check *check,
                               const struct keeper_head *want, bool first, struct rf_err *err)
{
    char detail[96];
    const struct keeper_head *have = &keys->audit.head;
    uint64_t lines = have->count;
    bool present = keys->heads.present;
    if (check->broken != 0) {
        (void)snprintf(detail, sizeof detail, "line %llu", (unsigned long long)check->broken);
        RF_TRY(keeper_audit_write(&keys->audit, "audit.broken", detail, err));
    }
    if (present && (lines < want->count || check->other)) {
        (void)snprintf(detail, sizeof detail, "%llu lines, %llu before%s",
                       (unsigned long long)lines, (unsigned long long)want->count,
                       check->other ? ", of which the last is another" : "");
        RF_TRY(keeper_audit_write(&keys->audit, "audit.cut", detail, err));
    }
    if (present && lines > want->count + KEEPER_AUDIT_AHEAD_MAX)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.stale", "audit log", err));
    /* Before there were heads, a keeper with keys had lines. */
    if (!present && !first && (check->has_heads || lines == 0))
        RF_TRY(keeper_audit_write(&keys->audit, "heads.missing", "begun anew", err));
    if (!present && !check->has_heads)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.begun", "", err));
    if (keys->heads.audit.count == have->count) return RF_OK;
    return keeper_heads_set(&keys->heads, &keys->heads.audit, have, err);
}

static enum rf_kind open_audit(struct keeper_keys *keys, int folder, struct rf_clock *clock,
                               bool first, bool *ahead, struct rf_err *err)
{
    uint8_t key[KEEPER_SECRET_BYTES];
    struct keeper_audit_check check;
    struct keeper_head want = keys->heads.audit;
    int fd = -1;
    enum rf_kind kind = open_in(folder, "audit.log", O_APPEND, &fd, err);
    if (kind != RF_OK) {
        if (fd >= 0) close(fd);
        return kind;
    }
    /* Of heads and log neither may come to the disk alone, nor the first key before them. */
    if (fsync(folder) != 0) {
        close(fd);
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot sync the keeper's folder");
    }
    keeper_derive(keys, ROOT_BASE_AUDIT, key);
    kind = keeper_audit_open(&keys->audit, fd, key, &keys->heads, clock, &check, err);
    OPENSSL_cleanse(key, sizeof key);
    if (kind != RF_OK) return kind;
    *ahead = keys->audit.head.count > want.count;
    return tell_audit(keys, &check, &want, first, err);
}

/* What the file of keys shows against its head; `ahead`: the audit log is ahead of its own. */
static enum rf_kind tell_keys(struct keeper_keys *keys, bool ahead, struct rf_err *err)
{
    uint64_t have = keys->file.head.count, known = keys->heads.keys.count;
    uint64_t more = have - RF_MIN(have, known);
    if (known > 0 && more > KEEPER_KEYS_AHEAD_MAX)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.stale", "keys", err));
    /* A crash tears a slot only after a file has grown. */
    if (keys->heads.torn && keys->heads.present && !ahead && more == 0)
        RF_TRY(keeper_audit_write(&keys->audit, "heads.damaged", "a slot does not hold", err));
    if (more == 0) return RF_OK;
    return keeper_heads_set(&keys->heads, &keys->heads.keys, &keys->file.head, err);
}

/* The keys come first: what opens them is the right root key, under which the other files may be written. */
static enum rf_kind open_files(struct keeper_keys *keys, int folder,
                               const struct keeper_core_options *options, struct rf_err *err)
{
    bool ahead;
    RF_TRY(open_heads(keys, folder, err));
    enum rf_kind kind = keeper_keys_load(keys, options, err);
    if (kind == RF_CORRUPT && keys->heads.present &&
        open_audit(keys, folder, options->clock, false, &ahead, NULL) == RF_OK)
        (void)keeper_audit_write(&keys->audit, "keys.damaged", "not started", NULL);
    RF_TRY(kind);
    bool first = keys->file.head.count == 0;
    RF_TRY(open_audit(keys, folder, options->clock, first, &ahead, err));
    RF_TRY(tell_keys(keys, ahead, err));
    RF_TRY(tell_unsealed(keys, err));
    return keeper_keys_make(keys, options, err);
}

static enum rf_kind open_vault(struct keeper_core *core, int folder, struct rf_err *err)
{
    int fd = -1;
    enum rf_kind kind = open_in(folder, "vault", 0, &fd, err);
    if (kind == RF_OK) return keeper_vault_open(&core->vault, &core->keys, folder, fd, err);
    if (fd >= 0) close(fd);
    return kind;
}

static enum rf_kind open_all(struct keeper_core *core, const struct keeper_core_options *options,
                             struct rf_err *err)
{
    struct keeper_keys *keys = &core->keys;
    if (mkdir(options->folder, 0700) != 0 && errno != EEXIST)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot make %s", options->folder);
    int folder = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot open %s", options->folder);
    enum rf_kind kind = open_in(folder, "keys", 0, &keys->file.fd, err);
    if (kind == RF_OK && flock(keys->file.fd, LOCK_EX | LOCK_NB) != 0)
        kind = RF_FAIL(err, RF_CONFLICT, "FileLocked", "another keeper holds %s", options->folder);
    if (kind == RF_OK) kind = load_root(keys, folder, options, err);
    if (kind == RF_OK) kind = open_files(keys, folder, options, err);
    if (kind == RF_OK) kind = open_vault(core, folder, err);
    if (kind == RF_OK && fsync(folder) != 0)
        kind = RF_FAIL_ERRNO(err, "InputOutput", "cannot sync %s", options->folder);
    close(folder);
    return kind;
}

enum rf_kind keeper_core_new(const struct keeper_core_options *options, struct keeper_core **out,
                             struct rf_err *err)
{
    struct rf_secret memory;
    RF_TRY(rf_secret_init(&memory, sizeof(struct keeper_core), true, err));
    struct keeper_core *core = (struct keeper_core *)(void *)memory.ptr;
    core->memory = memory;
    core->clock = options->clock;
    core->started = rf_clock_now(options->clock);
    core->keys.file.fd = -1;
    core->keys.audit.fd = -1;
    core->keys.heads.fd = -1;
    pthread_rwlock_init(&core->keys.lock, NULL);
    pthread_mutex_init(&core->posts_lock, NULL);
    pthread_mutex_init(&core->refusals.lock, NULL);
    enum rf_kind kind = open_all(core, options, err);
    if (kind != RF_OK) {
        keeper_core_free(core);
        return kind;
    }
    *out = core;
    return RF_OK;
}

void keeper_core_tick(struct keeper_core *core) { keeper_refusals_settle(core, false); }

struct root_talk keeper_core_talk(struct keeper_core *core)
{
    return (struct root_talk){.seal = &core->keys.seal,
                              .audit = &core->keys.audit,
                              .keys = &core->keys,
                              .vault = &core->vault};
}

void keeper_core_free(struct keeper_core *core)
{
    if (core == NULL) return;
    keeper_refusals_settle(core, true);
    keeper_vault_done(&core->vault);
    keeper_keys_done(&core->keys);
    if (core->keys.audit.clock != NULL) keeper_audit_done(&core->keys.audit);
    if (core->keys.file.heads != NULL) keeper_heads_done(&core->keys.heads);
    if (core->keys.file.fd >= 0) close(core->keys.file.fd);
    pthread_rwlock_destroy(&core->keys.lock);
    pthread_mutex_destroy(&core->posts_lock);
    pthread_mutex_destroy(&core->refusals.lock);
    struct rf_secret memory = core->memory;
    rf_secret_done(&memory);
}
