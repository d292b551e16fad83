/* The keeper's files as they are opened: 'h' heads, 'k' keys, 'v' the floors of vaults, 'a' the audit log; behind the letter the file's bytes, sealed under a
 * key of zeros. Behind a capital letter, heads that know nothing come first, as when they were lost. */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <unistd.h>

#include "crypt/keeper_vault.h"
#include "test/rf_fuzz.h"

static const uint8_t key[KEEPER_SECRET_BYTES];

static int file_of(rf_str bytes)
{
    int fd = memfd_create("keeper", MFD_CLOEXEC);
    RF_ASSERT(fd >= 0);
    RF_ASSERT(write(fd, bytes.ptr, bytes.len) == (ssize_t)bytes.len);
    return fd;
}

static void open_heads(struct keeper_heads *heads, rf_str bytes)
{
    RF_ASSERT(keeper_heads_open(heads, file_of(bytes), key, NULL) == RF_OK);
}

static void heads(rf_str bytes)
{
    struct keeper_heads once, twice;
    open_heads(&once, bytes);
    struct keeper_head next = {.count = once.audit.count + 1};
    RF_ASSERT(keeper_heads_set(&once, &once.audit, &next, NULL) == RF_OK);
    int fd = dup(once.fd);
    keeper_heads_done(&once);
    RF_ASSERT(keeper_heads_open(&twice, fd, key, NULL) == RF_OK);
    RF_ASSERT(twice.present);
    RF_ASSERT(twice.audit.count == next.count);
    keeper_heads_done(&twice);
}

static enum rf_kind each(void *ctx, const struct keeper_record *record, struct rf_err *err)
{
    (void)err;
    RF_ASSERT(record->type < KEEPER_RECORD_TYPE_END);
    ++*(uint64_t *)ctx;
    return RF_OK;
}

static void keys(struct keeper_heads *known, rf_str bytes)
{
    struct keeper_file file = {.fd = file_of(bytes), .heads = known};
    struct keeper_record record = {.type = KEEPER_RECORD_RETIRED, .names = RF_S("kid")};
    uint64_t count = 0, again = 0;
    if (keeper_file_load(&file, each, &count, NULL) == RF_OK) {
        RF_ASSERT(count == file.head.count);
        RF_ASSERT(keeper_file_append(&file, &record, NULL) == RF_OK);
        struct keeper_file once_more = {.fd = file.fd, .heads = known};
        RF_ASSERT(keeper_file_load(&once_more, each, &again, NULL) == RF_OK);
        RF_ASSERT(again == count + 1);
    }
    close(file.fd);
}

/* What was raised is there when it is opened again. */
static void floors(rf_str bytes)
{
    static const uint8_t id[SEAL_ID_BYTES] = {5};
    struct keeper_floors once, twice;
    int fd = file_of(bytes), other = dup(fd);
    RF_ASSERT(keeper_floors_open(&once, -1, fd, key, NULL) == RF_OK);
    RF_ASSERT(keeper_floor_raise(&once, id, FLOOR_GONE, NULL) == RF_OK);
    uint32_t count = once.count;
    keeper_floors_done(&once);
    RF_ASSERT(keeper_floors_open(&twice, -1, other, key, NULL) == RF_OK);
    RF_ASSERT(twice.count == count);
    RF_ASSERT(keeper_floor_of(&twice, id) == FLOOR_GONE);
    keeper_floors_done(&twice);
}

static void audit(struct keeper_heads *known, rf_str bytes)
{
    struct keeper_audit log;
    struct keeper_audit_check check, again;
    struct rf_clock_fixed clock;
    int fd = file_of(bytes), other = dup(fd);
    rf_clock_fixed_init(&clock, INT64_C(1769817600) * RF_USEC_PER_SECOND, 0);
    RF_ASSERT(keeper_audit_open(&log, fd, key, known, &clock.clock, &check, NULL) == RF_OK);
    RF_ASSERT(keeper_audit_write(&log, "fuzz", "a line", NULL) == RF_OK);
    uint64_t lines = log.head.count;
    keeper_audit_done(&log);
    RF_ASSERT(keeper_audit_open(&log, other, key, known, &clock.clock, &again, NULL) == RF_OK);
    RF_ASSERT(log.head.count == lines);
    RF_ASSERT(again.broken == check.broken);
    keeper_audit_done(&log);
}

RF_FUZZ(keeper_files, text)
{
    struct keeper_heads known;
    if (text.len == 0) return;
    uint8_t what = text.ptr[0];
    rf_str bytes = rf_slice(text, 1, text.len);
    open_heads(&known, (rf_str){0});
    struct keeper_head none = {0};
    if (what >= 'a') RF_ASSERT(keeper_heads_set(&known, &known.keys, &none, NULL) == RF_OK);
    known.present = what >= 'a';
    if (what == 'h') heads(bytes);
    if (what == 'k' || what == 'K') keys(&known, bytes);
    if (what == 'v') floors(bytes);
    if (what == 'a' || what == 'A') audit(&known, bytes);
    keeper_heads_done(&known);
}
