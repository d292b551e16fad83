#include "crypt/device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"
#include "crypt/x509.h"
#include "test/rf_prop.h"

/* 2026-01-31 */
#define START_USEC (INT64_C(1769817600) * RF_USEC_PER_SECOND)
#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)

struct bench {
    char folder[64];
    struct rf_clock_fixed clock;
    struct keeper_core *core;
    struct keeper *keeper;
    struct rf_arena arena;
    int served;
    pthread_t thread;
    struct rf_err err;
};

static void *serve(void *ctx)
{
    struct bench *b = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(b->core, b->served, &err);
    return NULL;
}

static void bench_open(struct bench *b)
{
    char path[80];
    int pair[2];
    snprintf(path, sizeof path, "%s/keeper", b->folder);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &b->clock.clock};
    cr_assert(keeper_core_new(&options, &b->core, &b->err) == RF_OK, "%s", b->err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    b->served = pair[1];
    cr_assert(pthread_create(&b->thread, NULL, serve, b) == 0);
    cr_assert(keeper_connect(pair[0], &b->keeper, &b->err) == RF_OK);
    keeper_set_patience(b->keeper, 120 * RF_USEC_PER_SECOND);
}

static void bench_close(struct bench *b)
{
    keeper_free(b->keeper);
    pthread_join(b->thread, NULL);
    close(b->served);
    keeper_core_free(b->core);
}

static void bench_init(struct bench *b)
{
    memset(b, 0, sizeof *b);
    strcpy(b->folder, "/tmp/ringfort_keeper_XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    rf_clock_fixed_init(&b->clock, START_USEC, 0);
    rf_arena_init(&b->arena, 16 << 20);
    bench_open(b);
}

static void bench_done(struct bench *b)
{
    char command[128];
    bench_close(b);
    rf_arena_done(&b->arena);
    snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert(system(command) == 0);
}

/* Lines of the audit log that hold a text. */
static uint32_t lines_with(struct bench *b, const char *text)
{
    char path[96], line[1024];
    uint32_t count = 0;
    snprintf(path, sizeof path, "%s/keeper/audit.log", b->folder);
    FILE *file = fopen(path, "re");
    cr_assert(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) count += strstr(line, text) != NULL;
    (void)fclose(file);
    return count;
}

static rf_str some_key(struct bench *b)
{
    rf_str key, pem;
    struct csr csr;
    cr_assert(csr_make(RF_S("any"), &b->arena, &key, &pem, &b->err) == RF_OK);
    cr_assert(csr_read(pem, &b->arena, &csr, &b->err) == RF_OK);
    return csr.public_key;
}

Test(keeper_device, the_authority_is_made_once_and_kept)
{
    struct bench b;
    rf_str first, again, der;
    struct cert_info info;
    bench_init(&b);
    cr_expect(lines_with(&b, "device authority") == 0, "made at first use");
    cr_assert(keeper_device_authority(b.keeper, &b.arena, &first, &b.err) == RF_OK, "%s",
              b.err.text);
    cr_assert(keeper_device_authority(b.keeper, &b.arena, &again, &b.err) == RF_OK);
    cr_expect(rf_str_eq(first, again));
    bench_close(&b);
    bench_open(&b);
    cr_assert(keeper_device_authority(b.keeper, &b.arena, &again, &b.err) == RF_OK);
    cr_expect(rf_str_eq(first, again));
    cr_expect(lines_with(&b, "device authority") == 1);
    struct device_order order = {RF_S("truck-7"), some_key(&b), 90 * INT64_C(86400)};
    cr_assert(keeper_device_issue(b.keeper, &order, &b.arena, &der, &b.err) == RF_OK, "%s",
              b.err.text);
    cr_assert(cert_read(der, &b.arena, &info, &b.err) == RF_OK);
    cr_expect(cert_is_issued_by(der, cert_pem(&b.arena, first), START_USEC));
    cr_expect(info.not_after == START_USEC + 90 * DAY_USEC);
    cr_expect(lines_with(&b, "certificate.issued") == 1);
    cr_expect(lines_with(&b, "device truck-7") == 1);
    bench_done(&b);
}

/* A server that was taken over gets certificates of devices, within limits, and nothing else. */
Test(keeper_device, what_is_not_issued)
{
    struct bench b;
    rf_str der;
    bench_init(&b);
    rf_str key = some_key(&b);
    const struct {
        struct device_order order;
        const char *code;
    } rows[] = {
        {{RF_S("truck\n7"), key, 60}, "BadName"},
        {{RF_S("*.example"), key, 60}, "BadName"},
        {{RF_S(""), key, 60}, "BadName"},
        {{RF_S("truck-7"), key, INT64_C(86400) * (DEVICE_CERTIFICATE_DAYS_MAX + 1)}, "BadRequest"},
        {{RF_S("truck-7"), key, -1}, "BadRequest"},
        {{RF_S("truck-7"), RF_S("junk"), 60}, "BadRequest"},
    };
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        cr_expect(keeper_device_issue(b.keeper, &rows[i].order, &b.arena, &der, &b.err) ==
                      RF_INVALID,
                  "row %zu", i);
        cr_expect_str_eq(b.err.code, rows[i].code, "row %zu: %s", i, b.err.text);
    }
    cr_expect(lines_with(&b, "certificate.issued") == 0);
    cr_expect(lines_with(&b, "request.refused") == RF_COUNT(rows));
    bench_done(&b);
}
