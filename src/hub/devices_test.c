#include "hub/hub_world.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypt/keeper.h"
#include "crypt/keeper_serve.h"
#include "crypt/x509.h"
#include "hub/devices_int.h"
#include "test/rf_prop.h"

#define DEVICE(name) H_NS "/devices/" name H_V
#define ACTION(name, action) H_NS "/devices/" name "/" action H_V
#define EST "/.well-known/est/"
#define DAY_USEC (INT64_C(86400) * RF_USEC_PER_SECOND)

/* ---- a world with a keeper ---------------------------------------------------------------------------------------------- */

struct bench {
    struct hub_world w;
    char folder[64];
    struct rf_clock_fixed clock; /* the keeper's */
    struct keeper_core *core;
    struct keeper *keeper;
    int served;
    pthread_t thread;
};

static void *serve(void *ctx)
{
    struct bench *b = ctx;
    struct rf_err err;
    (void)!keeper_core_serve(b->core, b->served, &err);
    return NULL;
}

static void bench_init(struct bench *b)
{
    char path[80];
    int pair[2];
    struct rf_err err;
    memset(b, 0, sizeof *b);
    strcpy(b->folder, "/tmp/ringfort-devices-XXXXXX");
    cr_assert(mkdtemp(b->folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/keeper", b->folder);
    rf_clock_fixed_init(&b->clock, WALK_NOW * RF_USEC_PER_SECOND, 0);
    struct keeper_core_options options = {
        .folder = path, .domain = RF_S("ringfort.localhost"), .clock = &b->clock.clock};
    cr_assert(keeper_core_new(&options, &b->core, &err) == RF_OK, "%s", err.text);
    cr_assert(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    b->served = pair[1];
    cr_assert(pthread_create(&b->thread, NULL, serve, b) == 0);
    cr_assert(keeper_connect(pair[0], &b->keeper, &err) == RF_OK, "%s", err.text);
    keeper_set_patience(b->keeper, 120 * RF_USEC_PER_SECOND);
    h_init_with(&b->w, b->keeper);
}

static void bench_done(struct bench *b)
{
    char command[100];
    h_done(&b->w);
    keeper_free(b->keeper);
    pthread_join(b->thread, NULL);
    close(b->served);
    keeper_core_free(b->core);
    (void)snprintf(command, sizeof command, "rm -rf %s", b->folder);
    cr_assert(system(command) == 0);
}

static rf_str csr_for(struct bench *b, const char *name)
{
    rf_str key, pem;
    cr_assert(csr_make(rf_str_of(name), &b->w.site.arena, &key, &pem, &b->w.err) == RF_OK);
    return pem;
}

static void put(struct bench *b, const char *name, const char *body, int status)
{
    rf_str target = rf_arena_printf(&b->w.site.arena, H_NS "/devices/%s" H_V, name);
    h_expect(&b->w, "PUT", rf_arena_cstr(&b->w.site.arena, target), body, status);
}

#define FOR_TELEMETRY "{\"properties\":{\"eventHubs\":[\"telemetry\"]}}"

static int enrol_with(struct bench *b, const char *name, rf_str csr)
{
    struct rf_arena *arena = &b->w.site.arena;
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    json_set_text(arena, body, "certificateSigningRequest", csr);
    rf_str target = rf_arena_printf(arena, H_NS "/devices/%s/enrol" H_V, name);
    return h_call(&b->w, "POST", rf_arena_cstr(arena, target),
                  rf_arena_cstr(arena, json_to_text(arena, body)));
}

/* DER of a new certificate. */
static rf_str enrol(struct bench *b, const char *name)
{
    struct cert_info info;
    int status = enrol_with(b, name, csr_for(b, name));
    cr_assert(status == 200, "%d %.*s", status, RF_FMT(rf_buf_view(&b->w.last.body)));
    cr_assert(cert_read(json_text_at(b->w.answer, "certificate"), &b->w.site.arena, &info,
                        &b->w.err) == RF_OK);
    cr_assert(rf_str_eq(info.serial, json_text_at(b->w.answer, "serialNumber")));
    return info.der;
}

static rf_str serial_of(struct bench *b, rf_str der)
{
    struct cert_info info;
    cr_assert(cert_read(der, &b->w.site.arena, &info, &b->w.err) == RF_OK);
    return info.serial;
}

/* "ok", or why the certificate is not taken. */
static const char *proof(struct bench *b, rf_str der, struct hub_grant *grant)
{
    struct hub_grant ignored;
    return hub_grant_certificate(b->w.space, der, &b->w.site.arena,
                                 grant == NULL ? &ignored : grant, &b->w.err) == RF_OK
               ? "ok"
               : b->w.err.code;
}

static const char *may(struct bench *b, const struct hub_grant *grant, const char *path)
{
    return hub_grant_check(b->w.space, grant, rf_str_of(path), RIGHT_SEND, &b->w.err) == RF_OK
               ? "ok"
               : b->w.err.code;
}

static int revoke_one(struct bench *b, const char *name, rf_str serial)
{
    struct rf_arena *arena = &b->w.site.arena;
    rf_str target = rf_arena_printf(arena, H_NS "/devices/%s/revoke" H_V, name);
    rf_str body = rf_arena_printf(arena, "{\"serialNumber\":\"%.*s\"}", RF_FMT(serial));
    return h_call(&b->w, "POST", rf_arena_cstr(arena, target),
                  serial.len == 0 ? NULL : rf_arena_cstr(arena, body));
}

/* ---- documents ------------------------------------------------------------------------------------------------------------- */

Test(devices, documents)
{
    static const struct {
        const char *name, *body;
        int status;
    } rows[] = {
        {"truck-7", FOR_TELEMETRY, 200},
        {"truck-7", "{\"properties\":{}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[]}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"nosuch\"]}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"a b\"]}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[1]}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"status\":\"Off\"}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"certificateDays\":0}}", 400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"certificateDays\":399}}",
         400},
        {"truck-7", "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"certificateDays\":30}}", 200},
        {"-truck", FOR_TELEMETRY, 400},
        {"truck%207", FOR_TELEMETRY, 400},
    };
    struct bench b;
    bench_init(&b);
    for (size_t i = 0; i < RF_COUNT(rows); i++) put(&b, rows[i].name, rows[i].body, rows[i].status);
    /* Certificates that a request brings along are none. */
    rf_str der = enrol(&b, "truck-7");
    put(&b, "truck-7",
        "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"certificates\":[{\"serialNumber\":\"1\","
        "\"status\":\"Active\",\"notAfter\":\"2099-01-01T00:00:00Z\"}]}}",
        200);
    const struct json_node *list = json_at(b.w.answer, "properties.certificates");
    cr_assert(list->count == 1);
    cr_expect(rf_str_eq(json_text_at(list->first, "serialNumber"), serial_of(&b, der)));
    h_expect_text(&b.w, "properties.status", "Enabled");
    cr_expect_str_eq(proof(&b, der, NULL), "ok");
    h_be(&b.w, H_SENDER); /* who may not write */
    cr_expect(enrol_with(&b, "truck-7", csr_for(&b, "truck-7")) == 403);
    bench_done(&b);
}

Test(devices, a_namespace_without_a_keeper_has_no_authority)
{
    struct hub_world w;
    h_init(&w);
    h_expect(&w, "PUT", DEVICE("truck-7"), FOR_TELEMETRY, 200);
    h_expect(&w, "POST", ACTION("truck-7", "enrol"), "{\"certificateSigningRequest\":\"x\"}", 400);
    h_expect(&w, "GET", EST "cacerts", NULL, 404);
    h_done(&w);
}

/* ---- what a certificate is good for ---------------------------------------------------------------------------------------- */

Test(devices, a_device_sends_as_itself)
{
    static const struct {
        const char *path;
        enum hub_right right;
        const char *code;
    } rows[] = {
        {"telemetry/publishers/truck-7", RIGHT_SEND, "ok"},
        {"telemetry/publishers/TRUCK-7", RIGHT_SEND, "ok"},
        {"telemetry/publishers/truck-7/messages", RIGHT_SEND, "ok"},
        {"telemetry/publishers/truck-70", RIGHT_SEND, "Unauthorized"},
        {"telemetry/publishers/truck", RIGHT_SEND, "Unauthorized"},
        {"telemetry", RIGHT_SEND, "Unauthorized"},
        {"", RIGHT_SEND, "Unauthorized"},
        {"telemetry/partitions/0", RIGHT_SEND, "Unauthorized"},
        {"other/publishers/truck-7", RIGHT_SEND, "Unauthorized"},
        {"telemetr/publishers/truck-7", RIGHT_SEND, "Unauthorized"},
        {"telemetry/publishers/truck-7", RIGHT_LISTEN, "Unauthorized"},
        {"telemetry/publishers/truck-7", RIGHT_MANAGE, "Unauthorized"},
    };
    struct bench b;
    struct hub_grant grant;
    bench_init(&b);
    h_expect(&b.w, "PUT", H_NS "/eventhubs/other" H_V, "{}", 200);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str der = enrol(&b, "truck-7");
    cr_assert_str_eq(proof(&b, der, &grant), "ok", "%s", b.w.err.text);
    cr_expect(rf_str_is(grant.name, "truck-7") && grant.kind == GRANT_DEVICE);
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        bool good = hub_grant_check(b.w.space, &grant, rf_str_of(rows[i].path), rows[i].right,
                                    &b.w.err) == RF_OK;
        cr_expect_str_eq(good ? "ok" : b.w.err.code, rows[i].code, "row %zu", i);
    }
    /* Another hub, from one moment to the next. */
    uint64_t version = hubs_version(b.w.hubs);
    put(&b, "truck-7", "{\"properties\":{\"eventHubs\":[\"Other\"]}}", 200);
    cr_expect(hubs_version(b.w.hubs) > version);
    cr_expect_str_eq(may(&b, &grant, "other/publishers/truck-7"), "ok");
    cr_expect_str_eq(may(&b, &grant, "telemetry/publishers/truck-7"), "Unauthorized");
    cr_expect(hub_grant_holds(b.w.space, &grant, &b.w.err) == RF_OK);
    /* The list of revoked publishers holds for devices as well. */
    h_expect(&b.w, "PUT", "/other/revokedpublishers/truck-7", NULL, 401);
    struct hub *hub;
    cr_assert(hub_find(b.w.space, RF_S("other"), &hub, &b.w.err) == RF_OK);
    cr_assert(hub_revoke(hub, RF_S("truck-7"), true, &b.w.err) == RF_OK);
    hub_unref(hub);
    cr_expect_str_eq(may(&b, &grant, "other/publishers/truck-7"), "PublisherRevoked");
    bench_done(&b);
}

Test(devices, revoked_by_serial_and_by_name)
{
    struct bench b;
    struct hub_grant first, second;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str one = enrol(&b, "truck-7"), two = enrol(&b, "truck-7");
    cr_assert_str_eq(proof(&b, one, &first), "ok");
    cr_assert_str_eq(proof(&b, two, &second), "ok");
    uint64_t version = hubs_version(b.w.hubs);
    cr_expect(revoke_one(&b, "truck-7", RF_S("12345")) == 404);
    cr_expect(revoke_one(&b, "truck-7", RF_S("nonsense")) == 400);
    h_expect(&b.w, "POST", ACTION("truck-7", "revoke"), "{\"serial\":\"1\"}", 400);
    cr_expect(hubs_version(b.w.hubs) == version);
    cr_assert(revoke_one(&b, "truck-7", serial_of(&b, one)) == 200);
    cr_expect(hubs_version(b.w.hubs) > version, "open links are looked at");
    cr_expect_str_eq(may(&b, &first, "telemetry/publishers/truck-7"), "PublisherRevoked");
    cr_expect(hub_grant_holds(b.w.space, &first, &b.w.err) == RF_DENIED);
    cr_expect_str_eq(may(&b, &second, "telemetry/publishers/truck-7"), "ok");
    uint32_t rows = b.w.site.rows;
    cr_expect_str_eq(proof(&b, one, NULL), "PublisherRevoked");
    cr_assert(b.w.site.rows == rows + 1 && strcmp(b.w.site.last_table, "RingfortDenials") == 0);
    cr_expect(rf_str_find(b.w.site.last_row, RF_S("truck-7"), 0) != SIZE_MAX);
    cr_expect_str_eq(proof(&b, two, NULL), "ok");

    cr_assert(revoke_one(&b, "truck-7", RF_S("")) == 200);
    h_expect_text(&b.w, "properties.status", "Revoked");
    cr_expect_str_eq(may(&b, &second, "telemetry/publishers/truck-7"), "PublisherRevoked");
    cr_expect_str_eq(proof(&b, two, NULL), "PublisherRevoked");
    cr_expect(enrol_with(&b, "truck-7", csr_for(&b, "truck-7")) == 409);
    /* A write that does not speak of it changes nothing; and what was revoked stays so. */
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    cr_expect(enrol_with(&b, "truck-7", csr_for(&b, "truck-7")) == 409);
    put(&b, "truck-7", "{\"properties\":{\"eventHubs\":[\"telemetry\"],\"status\":\"Enabled\"}}",
        200);
    cr_expect_str_eq(proof(&b, two, NULL), "PublisherRevoked");
    rf_str three = enrol(&b, "truck-7");
    cr_expect_str_eq(proof(&b, three, &first), "ok");
    h_expect(&b.w, "DELETE", DEVICE("truck-7"), NULL, 200);
    cr_expect_str_eq(proof(&b, three, NULL), "PublisherRevoked");
    cr_expect_str_eq(may(&b, &first, "telemetry/publishers/truck-7"), "PublisherRevoked");
    bench_done(&b);
}

Test(devices, certificates_expire)
{
    struct bench b;
    struct hub_grant grant;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str der = enrol(&b, "truck-7");
    cr_assert_str_eq(proof(&b, der, &grant), "ok");
    rf_usec start = WALK_NOW * RF_USEC_PER_SECOND;
    rf_clock_fixed_jump(&b.w.site.clock, start + 90 * DAY_USEC - RF_USEC_PER_SECOND);
    cr_expect_str_eq(proof(&b, der, NULL), "ok");
    cr_expect_str_eq(may(&b, &grant, "telemetry/publishers/truck-7"), "ok");
    rf_clock_fixed_jump(&b.w.site.clock, start + 90 * DAY_USEC);
    cr_expect_str_eq(proof(&b, der, NULL), "ExpiredToken");
    cr_expect_str_eq(may(&b, &grant, "telemetry/publishers/truck-7"), "ExpiredToken");
    cr_expect(hub_grant_holds(b.w.space, &grant, &b.w.err) == RF_DENIED);
    bench_done(&b);
}

Test(devices, they_are_there_after_a_restart)
{
    struct bench b;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str one = enrol(&b, "truck-7"), two = enrol(&b, "truck-7");
    cr_assert(revoke_one(&b, "truck-7", serial_of(&b, one)) == 200);
    h_reopen(&b.w);
    cr_expect_str_eq(proof(&b, one, NULL), "PublisherRevoked");
    cr_expect_str_eq(proof(&b, two, NULL), "ok", "%s", b.w.err.text);
    bench_done(&b);
}

Test(devices, a_namespace_knows_its_own_devices_only)
{
    struct bench b;
    struct hub_namespace *other;
    struct hub_grant grant;
    bench_init(&b);
    h_expect(&b.w, "PUT", H_GROUP "/providers/Microsoft.EventHub/namespaces/others" H_V,
             "{\"location\":\"local\"}", 201);
    h_expect(&b.w, "PUT",
             H_GROUP "/providers/Microsoft.EventHub/namespaces/others/eventhubs/telemetry" H_V,
             "{}", 200);
    h_expect(&b.w, "PUT",
             H_GROUP "/providers/Microsoft.EventHub/namespaces/others/devices/truck-7" H_V,
             FOR_TELEMETRY, 200);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str der = enrol(&b, "truck-7");
    cr_assert(hubs_namespace_named(b.w.hubs, RF_S("others"), &other, &b.w.err) == RF_OK);
    cr_expect(hub_grant_certificate(other, der, &b.w.site.arena, &grant, &b.w.err) == RF_DENIED);
    cr_expect_str_eq(proof(&b, der, NULL), "ok");
    bench_done(&b);
}

Test(devices, a_namespace_made_anew_knows_none)
{
    struct bench b;
    struct hub_grant grant;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str der = enrol(&b, "truck-7");
    cr_assert_str_eq(proof(&b, der, &grant), "ok");
    h_expect(&b.w, "DELETE", H_NS H_V, NULL, 200);
    h_expect(&b.w, "PUT", H_NS H_V, "{\"location\":\"local\"}", 201);
    h_expect(&b.w, "PUT", H_HUB H_V, "{}", 200);
    cr_assert(hubs_namespace(b.w.hubs, RF_S("localhost"), &b.w.space, &b.w.err) == RF_OK);
    cr_expect_str_eq(proof(&b, der, NULL), "PublisherRevoked");
    cr_expect_str_eq(may(&b, &grant, "telemetry/publishers/truck-7"), "PublisherRevoked");
    bench_done(&b);
}

/* The authority alone does not do: a certificate that nobody wrote down is none. */
Test(devices, what_was_never_written_down_is_not_taken)
{
    struct bench b;
    struct csr csr;
    rf_str der;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    cr_assert(csr_read(csr_for(&b, "truck-7"), &b.w.site.arena, &csr, &b.w.err) == RF_OK);
    struct device_order order = {RF_S("truck-7"), csr.public_key, 3600};
    cr_assert(keeper_device_issue(b.keeper, &order, &b.w.site.arena, &der, &b.w.err) == RF_OK);
    cr_expect_str_eq(proof(&b, der, NULL), "PublisherRevoked");
    bench_done(&b);
}

Test(devices, the_fifth_certificate_replaces_the_first)
{
    struct bench b;
    rf_str ders[DEVICE_KEPT_MAX + 8];
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    for (size_t i = 0; i < RF_COUNT(ders); i++) ders[i] = enrol(&b, "truck-7");
    for (size_t i = 0; i < RF_COUNT(ders); i++)
        cr_expect_str_eq(proof(&b, ders[i], NULL),
                         i + DEVICE_GOOD_MAX >= RF_COUNT(ders) ? "ok" : "PublisherRevoked", "%zu",
                         i);
    h_expect(&b.w, "GET", DEVICE("truck-7"), NULL, 200);
    cr_expect(json_at(b.w.answer, "properties.certificates")->count <= DEVICE_KEPT_MAX);
    /* Expired ones leave the document with the next. */
    rf_clock_fixed_jump(&b.w.site.clock, WALK_NOW * RF_USEC_PER_SECOND + 91 * DAY_USEC);
    rf_clock_fixed_jump(&b.clock, WALK_NOW * RF_USEC_PER_SECOND + 91 * DAY_USEC);
    h_be(&b.w, H_OWNER);
    (void)enrol(&b, "truck-7");
    h_expect(&b.w, "GET", DEVICE("truck-7"), NULL, 200);
    cr_expect(json_at(b.w.answer, "properties.certificates")->count == 1);
    bench_done(&b);
}

/* ---- codes and renewals --------------------------------------------------------------------------------------------------- */

static rf_str make_code(struct bench *b, const char *body)
{
    h_expect(&b->w, "POST", ACTION("truck-7", "createEnrolmentCode"), body, 200);
    rf_str code;
    cr_assert(rf_arena_str(&b->w.site.arena, json_text_at(b->w.answer, "enrolmentCode"), &code));
    cr_assert(code.len == 26);
    return code;
}

static int est_enrol(struct bench *b, const char *user, rf_str code, const char *csr_name)
{
    struct rf_arena *arena = &b->w.site.arena;
    rf_str login = rf_arena_printf(arena, "%s:%.*s", user, RF_FMT(code)), before = b->w.token;
    b->w.token = rf_arena_printf(arena, "Basic %.*s", RF_FMT(base64_encode(arena, login)));
    h_header(&b->w, "Accept", "application/x-pem-file");
    int status =
        h_call(&b->w, "POST", EST "simpleenroll", rf_arena_cstr(arena, csr_for(b, csr_name)));
    b->w.token = before;
    return status;
}

static rf_str der_of_answer(struct bench *b)
{
    struct cert_info info;
    cr_assert(cert_read(rf_buf_view(&b->w.last.body), &b->w.site.arena, &info, &b->w.err) == RF_OK);
    return info.der;
}

Test(devices, a_code_is_good_once)
{
    struct bench b;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    put(&b, "truck-8", FOR_TELEMETRY, 200);
    rf_str code = make_code(&b, NULL);
    uint32_t rows = b.w.site.rows;
    cr_expect(est_enrol(&b, "truck-8", code, "truck-8") == 401, "another's code");
    cr_expect(est_enrol(&b, "truck-9", code, "truck-9") == 401, "no device");
    cr_expect(est_enrol(&b, "truck-7", RF_S("wrong"), "truck-7") == 401);
    cr_expect(est_enrol(&b, "truck-7", RF_S(""), "truck-7") == 401);
    cr_expect(est_enrol(&b, "../x", code, "truck-7") == 401);
    cr_expect(b.w.site.rows == rows + 5, "each leaves a row");
    cr_expect(rf_str_find(b.w.site.last_row, code, 0) == SIZE_MAX);
    cr_expect(est_enrol(&b, "truck-7", code, "truck-8") == 400, "a request for another name");
    cr_expect(est_enrol(&b, "truck-7", code, "truck-7") == 200, "%.*s",
              RF_FMT(rf_buf_view(&b.w.last.body)));
    cr_expect_str_eq(proof(&b, der_of_answer(&b), NULL), "ok");
    cr_expect(est_enrol(&b, "truck-7", code, "truck-7") == 401, "used");
    /* A new code voids the one before; each ends by itself. */
    code = make_code(&b, "{\"minutes\":1}");
    rf_str next = make_code(&b, "{\"minutes\":1}");
    cr_expect(est_enrol(&b, "truck-7", code, "truck-7") == 401, "replaced");
    rf_clock_fixed_jump(&b.w.site.clock, (WALK_NOW + 60) * RF_USEC_PER_SECOND);
    cr_expect(est_enrol(&b, "truck-7", next, "truck-7") == 401, "expired");
    code = make_code(&b, NULL);
    cr_assert(revoke_one(&b, "truck-7", RF_S("")) == 200);
    cr_expect(est_enrol(&b, "truck-7", code, "truck-7") == 401, "of a revoked device");
    h_expect(&b.w, "POST", ACTION("truck-7", "createEnrolmentCode"), NULL, 409);
    h_expect(&b.w, "POST", ACTION("truck-8", "createEnrolmentCode"), "{\"minutes\":1441}", 400);
    bench_done(&b);
}

Test(devices, the_code_itself_is_nowhere)
{
    struct bench b;
    struct state_txn *txn;
    struct state_list list;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str code = make_code(&b, NULL);
    cr_assert(state_begin_read(b.w.site.state, &txn, &b.w.err) == RF_OK);
    struct state_scan scan = {.space = "hub.enrolment"};
    cr_assert(state_list(txn, &scan, &b.w.site.arena, &list, &b.w.err) == RF_OK);
    cr_assert(list.count == 1);
    cr_expect(rf_str_find(list.items[0].body, code, 0) == SIZE_MAX);
    state_end(txn);
    h_expect(&b.w, "DELETE", DEVICE("truck-7"), NULL, 200);
    cr_assert(state_begin_read(b.w.site.state, &txn, &b.w.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &b.w.site.arena, &list, &b.w.err) == RF_OK);
    cr_expect(list.count == 0);
    state_end(txn);
    bench_done(&b);
}

static int renew(struct bench *b, rf_str certificate, const char *csr_name)
{
    rf_str before = b->w.token;
    b->w.token = (rf_str){0};
    b->w.certificate = certificate;
    h_header(&b->w, "Accept", "application/x-pem-file");
    int status = h_call(&b->w, "POST", EST "simplereenroll",
                        rf_arena_cstr(&b->w.site.arena, csr_for(b, csr_name)));
    b->w.token = before;
    b->w.certificate = (rf_str){0};
    return status;
}

Test(devices, a_certificate_is_followed_by_the_next)
{
    struct bench b;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str one = enrol(&b, "truck-7");
    cr_expect(renew(&b, (rf_str){0}, "truck-7") == 401);
    cr_expect(renew(&b, one, "truck-8") == 400);
    cr_assert(renew(&b, one, "truck-7") == 200, "%.*s", RF_FMT(rf_buf_view(&b.w.last.body)));
    rf_str two = der_of_answer(&b);
    cr_expect_str_eq(proof(&b, two, NULL), "ok");
    cr_expect_str_eq(proof(&b, one, NULL), "ok", "the one before goes on until its end");
    cr_assert(revoke_one(&b, "truck-7", serial_of(&b, one)) == 200);
    cr_expect(renew(&b, one, "truck-7") == 401);
    rf_clock_fixed_jump(&b.w.site.clock, WALK_NOW * RF_USEC_PER_SECOND + 91 * DAY_USEC);
    cr_expect(renew(&b, two, "truck-7") == 401, "expired");
    bench_done(&b);
}

/* A device of an authority that was registered has no claim to a certificate of ours. */
Test(devices, others_devices_do_not_renew_here)
{
    struct bench b;
    EVP_PKEY *key;
    rf_str ca, der;
    struct csr csr;
    bench_init(&b);
    struct rf_arena *arena = &b.w.site.arena;
    cr_assert(key_make(KEY_P256, &key, &b.w.err) == RF_OK);
    cr_assert(device_authority_make(key, WALK_NOW * RF_USEC_PER_SECOND, arena, &ca, &b.w.err) ==
              RF_OK);
    cr_assert(csr_read(csr_for(&b, "truck-7"), arena, &csr, &b.w.err) == RF_OK);
    struct device_order order = {RF_S("truck-7"), csr.public_key, 3600};
    cr_assert(device_certificate_make(&order, key, ca, WALK_NOW * RF_USEC_PER_SECOND, arena, &der,
                                      &b.w.err) == RF_OK);
    EVP_PKEY_free(key);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    struct json_node *body = json_new(arena, JSON_T_OBJECT);
    struct json_node *properties = json_object_in(arena, body, "properties");
    json_set_text(arena, properties, "certificates", cert_pem(arena, ca));
    h_expect(&b.w, "PUT", H_NS "/deviceAuthorities/fleet" H_V,
             rf_arena_cstr(arena, json_to_text(arena, body)), 200);
    struct hub_grant grant;
    cr_assert_str_eq(proof(&b, der, &grant), "ok", "%s", b.w.err.text);
    cr_expect(renew(&b, der, "truck-7") == 401);
    /* Their certificates are taken back by serial, too. */
    struct json_node *list =
        json_set(arena, properties, RF_S("revokedCertificates"), json_new(arena, JSON_T_ARRAY));
    json_append(list, json_new_text(arena, serial_of(&b, der)));
    h_expect(&b.w, "PUT", H_NS "/deviceAuthorities/fleet" H_V,
             rf_arena_cstr(arena, json_to_text(arena, body)), 200);
    cr_expect_str_eq(may(&b, &grant, "telemetry/publishers/truck-7"), "PublisherRevoked");
    cr_expect(strcmp(proof(&b, der, NULL), "ok") != 0);
    bench_done(&b);
}

/* ---- sending --------------------------------------------------------------------------------------------------------------- */

static int post(struct bench *b, const char *target, rf_str certificate, rf_str token)
{
    rf_str before = b->w.token;
    b->w.token = token;
    b->w.certificate = certificate;
    int status = h_call(&b->w, "POST", target, "hello");
    b->w.token = before;
    b->w.certificate = (rf_str){0};
    return status;
}

Test(devices, https_takes_a_certificate_in_place_of_a_token)
{
    struct bench b;
    bench_init(&b);
    put(&b, "truck-7", FOR_TELEMETRY, 200);
    rf_str der = enrol(&b, "truck-7"), none = {0};
    rf_str sas = h_sas(&b.w, "sb://localhost/telemetry", H_ROOT, RF_S(H_KEY), 60);
    rf_str bad = h_sas(&b.w, "sb://localhost/telemetry", H_ROOT, RF_S("wrong"), 60);
    cr_expect(post(&b, "/telemetry/publishers/truck-7/messages", der, none) == 201, "%.*s",
              RF_FMT(rf_buf_view(&b.w.last.body)));
    cr_expect(post(&b, "/telemetry/publishers/truck-7/messages", none, none) == 401);
    cr_expect(post(&b, "/telemetry/publishers/truck-8/messages", der, none) == 401);
    cr_expect(post(&b, "/telemetry/messages", der, none) == 401);
    cr_expect(post(&b, "/telemetry/partitions/0/messages", der, none) == 401);
    cr_expect(post(&b, "/telemetry/messages", der, sas) == 201,
              "a token counts where there is one");
    cr_expect(post(&b, "/telemetry/publishers/truck-7/messages", der, bad) == 401);
    cr_assert(revoke_one(&b, "truck-7", RF_S("")) == 200);
    cr_expect(post(&b, "/telemetry/publishers/truck-7/messages", der, none) == 401);
    bench_done(&b);
}

/* ---- Kafka batches --------------------------------------------------------------------------------------------------------- */

static const char *const names[] = {"a", "x-opt-publisher", "X-Opt-Publisher", ""};

/* What goes in is there again, and the publisher's name behind it, once; whatever the device said of that itself. */
RF_PROP(devices_batches_say_who_sent_them, 400)
{
    struct rf_arena arena;
    struct rf_err err;
    struct rf_buf buf;
    struct batch_builder builder;
    struct batch_head head, out_head;
    uint32_t count = 1 + (uint32_t)rf_test_below(prng, 20);
    enum batch_codec codec = (enum batch_codec)rf_test_below(prng, CODEC_ZSTD + 1);
    rf_arena_init(&arena, 64 << 20);
    buf = rf_buf_in(&arena);
    batch_begin(&builder, &buf);
    for (uint32_t i = 0; i < count; i++) {
        struct record_header headers[4];
        uint32_t header_count = (uint32_t)rf_test_below(prng, 5);
        for (uint32_t h = 0; h < header_count; h++)
            headers[h] = (struct record_header){rf_str_of(names[rf_test_below(prng, 4)]),
                                                rf_test_bool(prng) ? RF_S("v") : (rf_str){0}};
        rf_str key = rf_test_bool(prng) ? RF_S("key") : (rf_str){0};
        batch_add(&builder, (int64_t)rf_test_below(prng, 1000), key, RF_S("value value value"),
                  headers, header_count);
    }
    struct batch_producer producer = {7, 1, 99};
    bool is_idempotent = rf_test_bool(prng);
    cr_assert(batch_end(&builder, codec, is_idempotent ? &producer : NULL, &err) == RF_OK);
    rf_str out, in = rf_buf_view(&buf);
    struct rf_arena scratch;
    rf_arena_init(&scratch, 64 << 20);
    cr_assert(batch_check(in, &scratch, &head, &err) == RF_OK, "%s", err.text);
    cr_assert(event_publish(&head, RF_S("truck-7"), &arena, &out, &err) == RF_OK, "%s", err.text);
    cr_assert(batch_check(out, &scratch, &out_head, &err) == RF_OK, "%s", err.text);
    cr_assert(out_head.producer_id == head.producer_id &&
              out_head.base_sequence == head.base_sequence &&
              out_head.record_count == head.record_count);
    struct log_frame frame = {.first = 0, .count = count, .kind = FRAME_KAFKA, .batch = out};
    struct event_frame_reader reader;
    struct record_reader before;
    struct event_out event;
    struct record record;
    rf_str inflated;
    bool more;
    cr_assert(event_frame_open(&reader, &frame, &arena, &err) == RF_OK);
    cr_assert(batch_inflate(&head, &arena, &inflated, &err) == RF_OK);
    record_reader_init(&before, &head, inflated);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(event_frame_next(&reader, &event, &more, &err) == RF_OK && more);
        cr_assert(record_next(&before, &record, &more, &err) == RF_OK && more);
        cr_assert(rf_str_is(event.publisher, "truck-7"));
        cr_assert(rf_str_eq(event.record.value, record.value));
        cr_assert(event.record.time_ms == record.time_ms);
        cr_assert(
            rf_str_eq(event.record.key, record.key.ptr == NULL ? RF_S("truck-7") : record.key));
        struct record_header a, b;
        rf_str mine = record.headers, theirs = event.record.headers;
        while (record_header_next(&mine, &a)) {
            if (rf_str_is(a.name, "x-opt-publisher")) continue;
            cr_assert(record_header_next(&theirs, &b));
            cr_assert(rf_str_eq(a.name, b.name) && rf_str_eq(a.value, b.value) &&
                      (a.value.ptr == NULL) == (b.value.ptr == NULL));
        }
        cr_assert(record_header_next(&theirs, &b) && rf_str_is(b.value, "truck-7"));
        cr_assert(!record_header_next(&theirs, &b));
    }
    rf_arena_done(&scratch);
    rf_arena_done(&arena);
}
