/* keeper_audit.c
 *
 *   audit.log: a line per event
 *   {"seq":7,"time":"2026-01-31T12:00:00.1234560Z","event":"key.created","detail":"jwt 5Kz..","mac":"<64 hex digits>"}
 *
 * mac is HMAC-SHA256 over the mac of the line before (32 zero bytes at first) and this line up to `,"mac"`, under a key that
 * is derived from the root key: who has the file but not the key can neither change, drop nor add a line unseen; that the
 * last ones are missing shows by the heads (keeper_heads.c). Of lines behind the head nobody has heard: a crash may have left any part of them, so from the
 * first that does not hold they are cut off at open, as is a line without its end. Where the chain does not hold before, that is told in a line of its own
 * ("audit.broken"), and the chain begins anew there. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "base/encode.h"
#include "crypt/keeper_int.h"

enum {
    PENDING_BYTES = 64 << 10,
    LINE_BYTES_MAX = 1024,
    READ_BYTES = 64 << 10,
    MAC_HEX_BYTES = 2 * SHA256_BYTES
};
#define MAC_MEMBER ",\"mac\":\""

/* Events that tell of somebody at the files. */
#define EVENT(name) ",\"event\":\"" name "\","
static const char *const alarms[] = {
    EVENT("audit.broken"), EVENT("audit.cut"),     EVENT("keys.damaged"),  EVENT("heads.missing"),
    EVENT("heads.stale"),  EVENT("heads.damaged"), EVENT("floors.damaged")};

static void mac_of(const struct keeper_audit *audit, rf_str head, uint8_t out[SHA256_BYTES])
{
    uint8_t text[SHA256_BYTES + LINE_BYTES_MAX];
    RF_ASSERT(head.len <= LINE_BYTES_MAX);
    memcpy(text, audit->head.chain, SHA256_BYTES);
    memcpy(text + SHA256_BYTES, head.ptr, head.len);
    digest_hmac_sha256(rf_str_make(audit->key, sizeof audit->key),
                       rf_str_make(text, SHA256_BYTES + head.len), out);
}

static void hex_of(const uint8_t mac[SHA256_BYTES], char out[MAC_HEX_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digits[mac[i] >> 4];
        out[2 * i + 1] = digits[mac[i] & 15];
    }
}

/* ---- checking what is there ---------------------------------------------------------------------------------------- */

static bool hex_value(uint8_t c, uint8_t *out)
{
    if (rf_is_digit(c)) {
        *out = (uint8_t)(c - '0');
        return true;
    }
    *out = (uint8_t)(c - 'a' + 10);
    return c >= 'a' && c <= 'f';
}

static bool mac_in(rf_str hex, uint8_t out[SHA256_BYTES])
{
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        uint8_t high, low;
        if (!hex_value(hex.ptr[2 * i], &high) || !hex_value(hex.ptr[2 * i + 1], &low)) return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

/* Checks one line (without its end) and moves the chain on to it, also when it does not hold. */
static bool line_holds(struct keeper_audit *audit, rf_str line)
{
    uint8_t told[SHA256_BYTES], right[SHA256_BYTES];
    size_t tail = sizeof MAC_MEMBER - 1 + MAC_HEX_BYTES + 2;
    audit->head.count++;
    if (line.len <= tail || line.len > LINE_BYTES_MAX) return false;
    rf_str head = rf_slice(line, 0, line.len - tail);
    rf_str rest = rf_slice(line, head.len, line.len);
    if (!rf_str_starts(rest, RF_S(MAC_MEMBER)) || !rf_str_ends(rest, RF_S("\"}"))) return false;
    if (!mac_in(rf_slice(rest, sizeof MAC_MEMBER - 1, rest.len), told)) return false;
    mac_of(audit, head, right);
    memcpy(audit->head.chain, told, SHA256_BYTES);
    return CRYPTO_memcmp(told, right, SHA256_BYTES) == 0;
}

/* A line that nobody heard of; `rest` is what of the file has been read from it on. Without heads it is the first one, which begins them, and there is no
 * second. */
static bool is_unheard(const struct keeper_audit *audit, uint64_t line, rf_str rest)
{
    if (audit->heads->present) return line > audit->heads->audit.count;
    return line == 1 && rest.len <= LINE_BYTES_MAX &&
           rf_str_find(rest, RF_S("\n{\"seq\":"), 0) == SIZE_MAX;
}

/* The first line of `rest`. False: here begins a torn tail. */
static bool take_line(struct keeper_audit *audit, size_t len, rf_str rest,
                      struct keeper_audit_check *check)
{
    const struct keeper_head *want = &audit->heads->audit;
    struct keeper_head before = audit->head;
    rf_str line = rf_slice(rest, 0, len);
    bool holds = line_holds(audit, line);
    if (!holds && is_unheard(audit, audit->head.count, rest)) {
        audit->head = before;
        return false;
    }
    if (!holds && check->broken == 0) check->broken = audit->head.count;
    if (audit->heads->present && audit->head.count == want->count &&
        memcmp(audit->head.chain, want->chain, SHA256_BYTES) != 0)
        check->other = true;
    if (holds && rf_str_find(line, RF_S(EVENT("heads.begun")), 0) != SIZE_MAX)
        check->has_heads = true;
    return true;
}

/* Goes through the lines of a file of `end` bytes; *whole is where the last one that counts ends. */
static enum rf_kind check_lines(struct keeper_audit *audit, uint8_t *bytes, uint64_t end,
                                uint64_t *whole, struct keeper_audit_check *check,
                                struct rf_err *err)
{
    *whole = 0;
    while (*whole < end) {
        ssize_t got = pread(audit->fd, bytes, READ_BYTES, (off_t)*whole);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's audit log");
        uint64_t from = *whole;
        size_t at = 0;
        for (const uint8_t *nl; (nl = memchr(bytes + at, '\n', (size_t)got - at)) != NULL;) {
            size_t to = (size_t)(nl - bytes);
            if (!take_line(audit, to - at, rf_str_make(bytes + at, (size_t)got - at), check))
                return RF_OK;
            at = to + 1;
            *whole = from + at;
        }
        if (at > 0) continue;
        rf_str rest = rf_str_make(bytes, (size_t)got);
        if (got < READ_BYTES || is_unheard(audit, audit->head.count + 1, rest))
            return RF_OK; /* a torn tail */
        /* No line of ours is so long: what stands there is passed over, and the next line tells of it. */
        if (check->broken == 0) check->broken = audit->head.count + 1;
        *whole += (uint64_t)got;
    }
    return RF_OK;
}

enum rf_kind keeper_audit_open(struct keeper_audit *audit, int fd,
                               const uint8_t key[KEEPER_SECRET_BYTES], struct keeper_heads *heads,
                               struct rf_clock *clock, struct keeper_audit_check *check,
                               struct rf_err *err)
{
    struct stat status;
    uint64_t whole = 0;
    *audit = (struct keeper_audit){.fd = fd, .heads = heads, .clock = clock};
    *check = (struct keeper_audit_check){0};
    memcpy(audit->key, key, sizeof audit->key);
    pthread_mutex_init(&audit->lock, NULL);
    pthread_mutex_init(&audit->sync_lock, NULL);
    if (fstat(fd, &status) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot read the keeper's audit log");
    uint8_t *bytes = malloc(READ_BYTES);
    if (bytes == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the audit log");
    enum rf_kind kind = check_lines(audit, bytes, (uint64_t)status.st_size, &whole, check, err);
    free(bytes);
    if (kind != RF_OK) return kind;
    if (whole < (uint64_t)status.st_size && ftruncate(fd, (off_t)whole) != 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot cut the keeper's audit log");
    if (lseek(fd, (off_t)whole, SEEK_SET) < 0)
        return RF_FAIL_ERRNO(err, "InputOutput", "cannot go on with the keeper's audit log");
    audit->synced = audit->head.count;
    audit->pending = malloc(PENDING_BYTES);
    if (audit->pending == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the audit log");
    return RF_OK;
}

/* ---- writing ------------------------------------------------------------------------------------------------------- */

static enum rf_kind failed(struct keeper_audit *audit, struct rf_err *err)
{
    audit->failed = true;
    return RF_FAIL_ERRNO(err, "InputOutput", "cannot write the keeper's audit log");
}

/* Writes what lines have been made; the lock is held. One call for all: each costs as much as the lines. */
static enum rf_kind write_pending(struct keeper_audit *audit, struct rf_err *err)
{
    for (size_t at = 0; at < audit->pending_bytes;) {
        ssize_t put = write(audit->fd, audit->pending + at, audit->pending_bytes - at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            if (put == 0) errno = ENOSPC;
            return failed(audit, err);
        }
        at += (size_t)put;
    }
    audit->pending_bytes = 0;
    return RF_OK;
}

/* Makes the line; the lock is held. */
static enum rf_kind append(struct keeper_audit *audit, const char *what, const char *detail,
                           struct rf_err *err)
{
    char line[LINE_BYTES_MAX + 128], hex[MAC_HEX_BYTES];
    uint8_t mac[SHA256_BYTES];
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, LINE_BYTES_MAX);
    rf_str time = time_iso(&arena, rf_clock_now(audit->clock));
    int head = snprintf(line, LINE_BYTES_MAX - sizeof MAC_MEMBER - MAC_HEX_BYTES,
                        "{\"seq\":%llu,\"time\":\"%.*s\",\"event\":\"%s\",\"detail\":\"%s\"",
                        (unsigned long long)audit->head.count + 1, RF_FMT(time), what, detail);
    RF_ASSERT(head > 0);
    RF_ASSERT((size_t)head < LINE_BYTES_MAX - sizeof MAC_MEMBER - MAC_HEX_BYTES);
    mac_of(audit, rf_str_make(line, (size_t)head), mac);
    hex_of(mac, hex);
    int tail = snprintf(line + head, sizeof line - (size_t)head, MAC_MEMBER "%.*s\"}\n",
                        MAC_HEX_BYTES, hex);
    size_t len = (size_t)head + (size_t)tail;
    if (audit->pending_bytes + len > PENDING_BYTES) RF_TRY(write_pending(audit, err));
    memcpy(audit->pending + audit->pending_bytes, line, len);
    audit->pending_bytes += len;
    audit->head.count++;
    memcpy(audit->head.chain, mac, sizeof mac);
    return RF_OK;
}

static bool is_synced(struct keeper_audit *audit, uint64_t seq)
{
    pthread_mutex_lock(&audit->lock);
    bool synced = audit->synced >= seq;
    pthread_mutex_unlock(&audit->lock);
    return synced;
}

/* Syncs for all that were written by now; the sync lock is held. After a failure no sync counts: the kernel tells of it once. */
static enum rf_kind sync_now(struct keeper_audit *audit, struct rf_err *err)
{
    if (audit->failed)
        return RF_FAIL(err, RF_IO, "InputOutput", "the keeper's audit log cannot be written");
    pthread_mutex_lock(&audit->lock);
    enum rf_kind kind = write_pending(audit, err);
    struct keeper_head written = audit->head;
    pthread_mutex_unlock(&audit->lock);
    RF_TRY(kind);
    if (fdatasync(audit->fd) != 0) return failed(audit, err);
    kind = keeper_heads_set(audit->heads, &audit->heads->audit, &written, err);
    if (kind != RF_OK) {
        audit->failed = true;
        return kind;
    }
    pthread_mutex_lock(&audit->lock);
    audit->synced = written.count;
    pthread_mutex_unlock(&audit->lock);
    return RF_OK;
}

/* Waits until line `seq` is on the disk. Whoever gets the sync lock syncs for all that were written by then. */
static enum rf_kind sync_to(struct keeper_audit *audit, uint64_t seq, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    pthread_mutex_lock(&audit->sync_lock);
    if (!is_synced(audit, seq)) kind = sync_now(audit, err);
    pthread_mutex_unlock(&audit->sync_lock);
    return kind;
}

enum rf_kind keeper_audit_append(struct keeper_audit *audit, const char *what, const char *detail,
                                 uint64_t *line, uint8_t mac[SHA256_BYTES], struct rf_err *err)
{
    pthread_mutex_lock(&audit->lock);
    enum rf_kind kind = audit->failed ? RF_FAIL(err, RF_IO, "InputOutput",
                                                "the keeper's audit log cannot be written")
                                      : append(audit, what, detail, err);
    *line = audit->head.count;
    if (mac != NULL) memcpy(mac, audit->head.chain, SHA256_BYTES);
    pthread_mutex_unlock(&audit->lock);
    return kind;
}

enum rf_kind keeper_audit_sync(struct keeper_audit *audit, uint64_t line, struct rf_err *err)
{
    return sync_to(audit, line, err);
}

enum rf_kind keeper_audit_write(struct keeper_audit *audit, const char *what, const char *detail,
                                struct rf_err *err)
{
    uint64_t line;
    RF_TRY(keeper_audit_append(audit, what, detail, &line, NULL, err));
    return sync_to(audit, line, err);
}

void keeper_audit_done(struct keeper_audit *audit)
{
    if (audit->fd >= 0) {
        if (!audit->failed) (void)write_pending(audit, NULL); /* lines that nobody waited for */
        close(audit->fd);
    }
    free(audit->pending);
    pthread_mutex_destroy(&audit->lock);
    pthread_mutex_destroy(&audit->sync_lock);
    OPENSSL_cleanse(audit->key, sizeof audit->key);
}

/* ---- for who looks from outside ------------------------------------------------------------------------------------ */

static bool is_alarm(rf_str line)
{
    for (size_t i = 0; i < RF_COUNT(alarms); i++)
        if (rf_str_find(line, rf_str_of(alarms[i]), 0) != SIZE_MAX) return true;
    return false;
}

enum rf_kind keeper_audit_alarms(const char *path, uint64_t *count, char last[KEEPER_ALARM_BYTES],
                                 struct rf_err *err)
{
    char line[LINE_BYTES_MAX + 2];
    FILE *file = fopen(path, "re");
    if (file == NULL) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read %s", path);
    uint64_t found = 0;
    last[0] = '\0';
    while (fgets(line, sizeof line, file) != NULL) {
        rf_str text = rf_str_of(line), tail = RF_S(MAC_MEMBER);
        if (!is_alarm(text)) continue;
        found++;
        text = rf_slice(text, 0, RF_MIN(rf_str_find(text, tail, 0), text.len));
        size_t from = rf_str_find(text, RF_S("\"time\":"), 0);
        if (from != SIZE_MAX) text = rf_slice(text, from, text.len);
        for (size_t i = 0; i < text.len; i++)
            if (line[i + (size_t)((const char *)text.ptr - line)] < ' ') text.len = i;
        (void)snprintf(last, KEEPER_ALARM_BYTES, "%.*s", RF_FMT(text));
    }
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed) return RF_FAIL_ERRNO(err, "InputOutput", "cannot read %s", path);
    *count = found;
    return RF_OK;
}
