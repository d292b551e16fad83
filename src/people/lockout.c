#include "people/lockout.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    ROWS = 1 << 14,
    PROBES = 8,
    FAILURES_FREE = 10,
    CODE_FAILURES_FREE = 5,
    CODE_LOCK_SECONDS = 900,
    LOCK_SECONDS = 60,
    LOCK_SECONDS_MAX = 3600,
    FORGET_SECONDS = 86400,
    MARKS = 4,
    ADDRESS_PER_MINUTE = 60,
    SPRAY_ACCOUNTS = 10,
    SPRAY_SECONDS = 600,
    SPRAY_WAIT_SECONDS = 600
};
#define SECONDS(n) ((rf_usec)(n)*RF_USEC_PER_SECOND)

/* One account (from known places, from others, its codes) or one address. */
struct row {
    uint64_t key; /* 0: free */
    uint32_t failures;
    rf_usec last, until;
    uint8_t marks[MARKS][16]; /* of the last wrong passwords */
    uint8_t mark_at;
    /* of an address */
    rf_usec minute;
    uint32_t in_minute;
    uint64_t accounts[SPRAY_ACCOUNTS];
    uint32_t account_count;
    rf_usec spray_since;
};
struct lockout {
    pthread_mutex_t lock;
    struct row rows[ROWS];
};

enum rf_kind lockout_new(struct lockout **out, struct rf_err *err)
{
    struct lockout *lockout = calloc(1, sizeof *lockout);
    if (lockout == NULL)
        return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "the list of failed sign-ins");
    pthread_mutex_init(&lockout->lock, NULL);
    *out = lockout;
    return RF_OK;
}

void lockout_free(struct lockout *lockout)
{
    if (lockout == NULL) return;
    pthread_mutex_destroy(&lockout->lock);
    free(lockout);
}

/* ---- rows --------------------------------------------------------------------------------------------------------- */

static uint64_t key_of(const char *kind, rf_str text)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (const char *c = kind; *c != 0; c++) hash = (hash ^ (uint8_t)*c) * 0x100000001b3u;
    for (size_t i = 0; i < text.len; i++) hash = (hash ^ rf_lower(text.ptr[i])) * 0x100000001b3u;
    hash = rf_hash_u64(hash);
    return hash == 0 ? 1 : hash;
}

/* The row of that key; when it has none and `make`, one that is free, else the one that failed longest ago of those it may have. */
static struct row *row_of(struct lockout *lockout, uint64_t key, rf_usec now, bool make)
{
    struct row *oldest = NULL;
    for (uint32_t i = 0; i < PROBES; i++) {
        struct row *row = &lockout->rows[(key + i) % ROWS];
        if (row->key == key) {
            if (now - row->last > SECONDS(FORGET_SECONDS)) *row = (struct row){.key = key};
            return row;
        }
        if (oldest == NULL || row->key == 0 || (oldest->key != 0 && row->last < oldest->last))
            oldest = row;
    }
    if (!make) return NULL;
    *oldest = (struct row){.key = key, .last = now};
    return oldest;
}

static uint64_t account_key(const struct lockout_try *who)
{
    return key_of(who->code ? "code " : who->known_place ? "known " : "strange ", who->account);
}

static bool is_loopback(rf_str address)
{
    return rf_str_starts(address, RF_S("127.")) || rf_str_is(address, "::1") ||
           rf_str_starts(address, RF_S("::ffff:127."));
}

static uint32_t wait_of(const struct row *row, rf_usec now)
{
    if (row == NULL || row->until <= now) return 0;
    return (uint32_t)((row->until - now + RF_USEC_PER_SECOND - 1) / RF_USEC_PER_SECOND);
}

void lockout_look(struct lockout *lockout, const struct lockout_try *who, rf_usec now,
                  struct lockout_verdict *out)
{
    *out = (struct lockout_verdict){.wait_seconds = 0};
    pthread_mutex_lock(&lockout->lock);
    uint32_t account = wait_of(row_of(lockout, account_key(who), now, false), now), address = 0;
    if (!is_loopback(who->address))
        address = wait_of(row_of(lockout, key_of("address ", who->address), now, false), now);
    pthread_mutex_unlock(&lockout->lock);
    out->by_account = account > 0;
    out->by_address = address > 0;
    out->wait_seconds = RF_MAX(account, address);
}

/* ---- failures --------------------------------------------------------------------------------------------------------- */

static bool is_repeated(struct row *row, const uint8_t *mark)
{
    if (mark == NULL) return false;
    for (size_t i = 0; i < MARKS; i++)
        if (memcmp(row->marks[i], mark, 16) == 0) return true;
    memcpy(row->marks[row->mark_at++ % MARKS], mark, 16);
    return false;
}

static void fail_account(struct row *row, const struct lockout_try *who, rf_usec now)
{
    bool repeated = is_repeated(row, who->mark);
    row->last = now;
    if (repeated) return;
    row->failures++;
    uint32_t free = who->code ? CODE_FAILURES_FREE : FAILURES_FREE;
    if (row->failures < free) return;
    uint32_t doublings = RF_MIN(row->failures - free, 10u);
    int64_t seconds = who->code ? CODE_LOCK_SECONDS
                                : RF_MIN((int64_t)LOCK_SECONDS << doublings, LOCK_SECONDS_MAX);
    row->until = now + SECONDS(seconds);
    if (who->code) row->failures = 0;
}

/* True when this one made it a spray: many accounts from one place within a while. */
static bool note_account(struct row *row, uint64_t account, rf_usec now)
{
    if (now - row->spray_since > SECONDS(SPRAY_SECONDS)) {
        row->spray_since = now;
        row->account_count = 0;
    }
    for (uint32_t i = 0; i < row->account_count; i++)
        if (row->accounts[i] == account) return false;
    if (row->account_count == SPRAY_ACCOUNTS) return false;
    row->accounts[row->account_count++] = account;
    if (row->account_count < SPRAY_ACCOUNTS) return false;
    row->until = now + SECONDS(SPRAY_WAIT_SECONDS);
    return true;
}

static bool fail_address(struct row *row, uint64_t account, rf_usec now)
{
    row->last = now;
    if (now - row->minute > SECONDS(60)) {
        row->minute = now;
        row->in_minute = 0;
    }
    if (++row->in_minute > ADDRESS_PER_MINUTE) row->until = RF_MAX(row->until, now + SECONDS(60));
    return note_account(row, account, now);
}

void lockout_failed(struct lockout *lockout, const struct lockout_try *who, rf_usec now,
                    struct lockout_verdict *out)
{
    bool spray = false;
    pthread_mutex_lock(&lockout->lock);
    fail_account(row_of(lockout, account_key(who), now, true), who, now);
    if (!is_loopback(who->address))
        spray = fail_address(row_of(lockout, key_of("address ", who->address), now, true),
                             key_of("", who->account), now);
    pthread_mutex_unlock(&lockout->lock);
    lockout_look(lockout, who, now, out);
    out->spray = spray;
}

void lockout_passed(struct lockout *lockout, const struct lockout_try *who)
{
    uint64_t key = account_key(who);
    pthread_mutex_lock(&lockout->lock);
    for (uint32_t i = 0; i < PROBES; i++) {
        struct row *row = &lockout->rows[(key + i) % ROWS];
        if (row->key == key) *row = (struct row){.key = 0};
    }
    pthread_mutex_unlock(&lockout->lock);
}
