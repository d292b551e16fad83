/* The file keeper/vault by itself: restarts, torn tails, damage, growth. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypt/keeper_vault.h"
#include "test/rf_prop.h"

enum { HEADER = 8, RECORD = 40 };

struct shelf {
    char folder[64];
    int dir;
    struct keeper_floors floors;
    struct rf_err err;
};

static const uint8_t key[KEEPER_SECRET_BYTES] = {7};

static int shelf_file(const struct shelf *s)
{
    int fd = openat(s->dir, "vault", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(fd >= 0);
    return fd;
}

static void shelf_open(struct shelf *s)
{
    cr_assert(keeper_floors_open(&s->floors, s->dir, shelf_file(s), key, &s->err) == RF_OK, "%s",
              s->err.text);
}

static void shelf_init(struct shelf *s)
{
    *s = (struct shelf){.folder = "/tmp/ringfort_floor_XXXXXX"};
    cr_assert(mkdtemp(s->folder) != NULL);
    s->dir = open(s->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    cr_assert(s->dir >= 0);
    shelf_open(s);
}

static void shelf_reopen(struct shelf *s)
{
    keeper_floors_done(&s->floors);
    shelf_open(s);
}

static void shelf_done(struct shelf *s)
{
    char command[128];
    keeper_floors_done(&s->floors);
    close(s->dir);
    snprintf(command, sizeof command, "rm -rf %s", s->folder);
    cr_assert(system(command) == 0);
}

static void id_of(uint32_t number, uint8_t id[SEAL_ID_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    digest_sha256(rf_str_make((const uint8_t *)&number, sizeof number), digest);
    memcpy(id, digest, SEAL_ID_BYTES);
}

static void lift(struct shelf *s, uint32_t number, uint64_t generation)
{
    uint8_t id[SEAL_ID_BYTES];
    id_of(number, id);
    cr_assert(keeper_floor_raise(&s->floors, id, generation, &s->err) == RF_OK, "%s", s->err.text);
}

static uint64_t floor_at(struct shelf *s, uint32_t number)
{
    uint8_t id[SEAL_ID_BYTES];
    id_of(number, id);
    return keeper_floor_of(&s->floors, id);
}

static off_t bytes_of(const struct shelf *s)
{
    int fd = shelf_file(s);
    off_t end = lseek(fd, 0, SEEK_END);
    close(fd);
    return end;
}

static void write_to(const struct shelf *s, off_t at, const void *bytes, size_t len)
{
    int fd = shelf_file(s);
    cr_assert(pwrite(fd, bytes, len, at) == (ssize_t)len);
    close(fd);
}

Test(vault_seal_floor, what_was_raised_comes_back)
{
    struct shelf s;
    shelf_init(&s);
    cr_expect_eq(floor_at(&s, 1), 0);
    lift(&s, 1, 5);
    lift(&s, 1, 3); /* never lower */
    lift(&s, 2, 2);
    lift(&s, 3, 9);
    lift(&s, 3, FLOOR_GONE);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(floor_at(&s, 1), 5);
        cr_expect_eq(floor_at(&s, 2), 2);
        cr_expect_eq(floor_at(&s, 3), FLOOR_GONE);
        cr_expect_eq(floor_at(&s, 4), 0);
        cr_expect(!s.floors.damaged);
        shelf_reopen(&s);
    }
    shelf_done(&s);
}

/* Cut at each byte of the last record, and with zeros for what is missing (records begin at multiples of 8, and so do sectors): all others
 * hold, and it goes on. */
Test(vault_seal_floor, a_torn_tail_is_cut)
{
    struct shelf s;
    static const uint8_t none[3 * RECORD];
    shelf_init(&s);
    for (size_t keep = 0; keep < RECORD; keep++)
        for (int zeros = 0; zeros < (keep % 8 == 0 ? 2 : 1); zeros++) {
            lift(&s, 1, FLOOR_GONE);
            off_t end = bytes_of(&s);
            lift(&s, 1000 + (uint32_t)keep * 2 + (uint32_t)zeros, 7);
            keeper_floors_done(&s.floors);
            int fd = shelf_file(&s);
            cr_assert(ftruncate(fd, end + (off_t)keep) == 0);
            close(fd);
            if (zeros) write_to(&s, end + (off_t)keep, none, sizeof none - keep);
            shelf_open(&s);
            cr_expect(!s.floors.damaged, "%zu %d", keep, zeros);
            cr_expect_eq(bytes_of(&s), end, "%zu %d", keep, zeros);
            cr_expect_eq(floor_at(&s, 1), FLOOR_GONE);
            cr_expect_eq(floor_at(&s, 1000 + (uint32_t)keep * 2 + (uint32_t)zeros), 0);
        }
    shelf_done(&s);
}

/* A changed record is left out and told of; those behind it count. */
Test(vault_seal_floor, damage_is_told_and_costs_one_record)
{
    for (size_t at = 0; at < RECORD; at++) {
        struct shelf s;
        shelf_init(&s);
        for (uint32_t i = 0; i < 5; i++) lift(&s, i, i == 4 ? FLOOR_GONE : 3);
        keeper_floors_done(&s.floors);
        uint8_t byte;
        int fd = shelf_file(&s);
        off_t place = HEADER + 2 * RECORD + (off_t)at;
        cr_assert(pread(fd, &byte, 1, place) == 1);
        close(fd);
        byte ^= 0x40;
        write_to(&s, place, &byte, 1);
        shelf_open(&s);
        cr_expect(s.floors.damaged, "%zu", at);
        cr_expect_eq(floor_at(&s, 1), 3);
        cr_expect_eq(floor_at(&s, 2), 0, "%zu", at);
        /* With another check the next one does not follow either. */
        cr_expect_eq(floor_at(&s, 3), at < RECORD - 16 ? 3 : 0, "%zu", at);
        cr_expect_eq(floor_at(&s, 4), FLOOR_GONE);
        shelf_reopen(&s);
        cr_expect(!s.floors.damaged, "it was written anew");
        cr_expect_eq(floor_at(&s, 4), FLOOR_GONE);
        shelf_done(&s);
    }
}

/* A sector that did not come to the disk: what lay in it is lost, as it was never synced, and nobody is to be told. When "destroyed" stands behind it, it was. */
Test(vault_seal_floor, a_hole_that_a_crash_left_is_no_damage)
{
    static const uint8_t none[512];
    enum { FIRST = 13, LAST = 24 }; /* of the records that sector 1 holds, or a part of */
    for (int synced = 0; synced < 2; synced++) {
        struct shelf s;
        shelf_init(&s);
        lift(&s, 0, FLOOR_GONE);
        for (uint32_t i = 1; i < 60; i++) lift(&s, i, synced && i == 40 ? FLOOR_GONE : 3);
        keeper_floors_done(&s.floors);
        write_to(&s, sizeof none, none, sizeof none);
        shelf_open(&s);
        cr_expect_eq(s.floors.damaged, synced);
        cr_expect_eq(floor_at(&s, 0), FLOOR_GONE);
        for (uint32_t i = 1; i < 60; i++)
            if (i < FIRST - 1 || i > LAST + 1)
                cr_expect_eq(floor_at(&s, i), synced && i == 40 ? FLOOR_GONE : 3, "%u", i);
        cr_expect_eq(floor_at(&s, FIRST + 1), 0);
        lift(&s, 99, FLOOR_GONE);
        shelf_reopen(&s);
        cr_expect(!s.floors.damaged, "it was written anew");
        cr_expect_eq(floor_at(&s, 99), FLOOR_GONE);
        shelf_done(&s);
    }
}

/* The file was made, and what it begins with did not come to the disk. */
Test(vault_seal_floor, a_file_without_its_beginning_is_begun_anew)
{
    static const uint8_t none[HEADER];
    struct shelf s;
    for (size_t len = 0; len <= HEADER; len++) {
        shelf_init(&s);
        keeper_floors_done(&s.floors);
        write_to(&s, 0, none, sizeof none);
        int fd = shelf_file(&s);
        cr_assert(ftruncate(fd, (off_t)len) == 0);
        close(fd);
        shelf_open(&s);
        cr_expect(!s.floors.damaged);
        lift(&s, 1, FLOOR_GONE);
        shelf_reopen(&s);
        cr_expect(!s.floors.damaged, "%zu", len);
        cr_expect_eq(floor_at(&s, 1), FLOOR_GONE, "%zu", len);
        shelf_done(&s);
    }
}

Test(vault_seal_floor, another_key_reads_nothing)
{
    static const uint8_t other[KEEPER_SECRET_BYTES] = {8};
    struct shelf s;
    shelf_init(&s);
    lift(&s, 1, 5);
    keeper_floors_done(&s.floors);
    cr_assert(keeper_floors_open(&s.floors, s.dir, shelf_file(&s), other, &s.err) == RF_OK);
    cr_expect(s.floors.damaged);
    cr_expect_eq(floor_at(&s, 1), 0);
    shelf_done(&s);
}

Test(vault_seal_floor, it_is_written_anew_when_it_has_grown)
{
    struct shelf s;
    shelf_init(&s);
    lift(&s, 2, FLOOR_GONE);
    for (uint64_t i = 1; i <= 6000; i++) lift(&s, 1, i);
    cr_expect_eq(bytes_of(&s), HEADER + 6001 * RECORD);
    shelf_reopen(&s);
    cr_expect_eq(bytes_of(&s), HEADER + 2 * RECORD);
    lift(&s, 3, 4);
    shelf_reopen(&s);
    cr_expect_eq(floor_at(&s, 1), 6000);
    cr_expect_eq(floor_at(&s, 2), FLOOR_GONE);
    cr_expect_eq(floor_at(&s, 3), 4);
    shelf_done(&s);
}

Test(vault_seal_floor, a_hundred_thousand_are_read_soon)
{
    enum { MANY = 100000 };
    struct shelf s;
    shelf_init(&s);
    for (uint32_t i = 0; i < MANY; i++) lift(&s, i, 2 + i % 5);
    rf_usec before = rf_clock_cpu();
    shelf_reopen(&s);
    double seconds = (double)(rf_clock_cpu() - before) / 1e6;
    cr_log_info("%d records: %.3f s", MANY, seconds);
    for (uint32_t i = 0; i < MANY; i += 999) cr_expect_eq(floor_at(&s, i), 2 + i % 5);
    cr_expect_lt(seconds, 1.0);
    cr_expect_leq(sizeof(struct floor_entry), 24);
    shelf_done(&s);
}
