#include "test/rf_prop.h"

#include <errno.h>
#include <sched.h>
#include <zlib.h>

#include "base/fs_fault.h"
#include "hub/archive_int.h"
#include "hub/hub_world.h"

#define ACCOUNT                                                                                    \
    "/subscriptions/1/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/Lake1"
#define CAPTURE(more)                                                                              \
    "{\"properties\":{\"captureDescription\":{\"enabled\":true," more                              \
    "\"destination\":{\"name\":\"EventHubArchive.AzureBlockBlob\",\"properties\":{"                \
    "\"storageAccountResourceId\":\"" ACCOUNT "\",\"blobContainer\":\"events\","                   \
    "\"archiveNameFormat\":\"{Namespace}/{EventHub}/{PartitionId}/"                                \
    "{Year}-{Month}-{Day}T{Hour}-{Minute}-{Second}\"}}}}}"
#define OFF "{\"properties\":{\"captureDescription\":{\"enabled\":false}}}"
#define SKIPS "\"skipEmptyArchives\":true,\"intervalInSeconds\":60,"
#define SECOND RF_USEC_PER_SECOND
enum { EVENTS_MAX = 4096, PARTITIONS = 4, FILES_MAX = 256 };

/* ---- a world whose files fail as told ---------------------------------------------------------------------------------------- */

struct stage {
    struct hub_world w;
    struct rf_fs_fault *disk;
    struct archives *archives;
    struct hub *hub;
};

static void begin(struct stage *s)
{
    struct archives_options options = {
        .hubs = s->w.hubs, .folder = "/", .fs = rf_fs_fault_fs(s->disk), .by_hand = true};
    cr_assert(archives_new(&options, &s->archives, &s->w.err) == RF_OK, "%s", s->w.err.text);
    cr_assert(hub_find(s->w.space, RF_S("telemetry"), &s->hub, &s->w.err) == RF_OK);
}

static void stage_init(struct stage *s, uint64_t seed)
{
    memset(s, 0, sizeof *s);
    h_init(&s->w);
    s->disk = rf_fs_fault_new(seed);
    begin(s);
}

static void end(struct stage *s)
{
    hub_unref(s->hub);
    archives_free(s->archives);
}

static void stage_done(struct stage *s)
{
    end(s);
    h_done(&s->w);
    rf_fs_fault_free(s->disk);
}

/* The process dies, and with `power` the machine. */
static void crash(struct stage *s, bool power)
{
    end(s);
    if (power)
        rf_fs_fault_power_loss(s->disk);
    else
        rf_fs_fault_fail_at(s->disk, 0, 0, false);
    h_reopen(&s->w);
    begin(s);
}

static void pass(struct stage *s, int seconds)
{
    rf_clock_fixed_pass(&s->w.site.clock, seconds * SECOND);
}

static void send_body(struct stage *s, uint32_t partition, rf_str body, uint32_t count)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 16 << 20);
    struct event_parts parts = {.body = body};
    struct event_in event;
    struct batch_builder batch;
    struct rf_buf buf = rf_buf_in(&arena);
    cr_assert(event_make(&parts, &arena, &event, &s->w.err) == RF_OK);
    cr_assert(rf_buf_reserve(&buf, (body.len + 200) * count + 200));
    batch_begin(&batch, &buf);
    for (uint32_t i = 0; i < count; i++) event_add(&batch, 1, &event, (rf_str){0});
    cr_assert(batch_end(&batch, CODEC_NONE, NULL, &s->w.err) == RF_OK);
    struct hub_append append = {.batch = buf.ptr,
                                .len = buf.len,
                                .count = count,
                                .kind = FRAME_AMQP,
                                .producer = {.id = -1, .epoch = -1, .sequence = -1}};
    cr_assert(hub_append_wait(s->hub, partition, &append, &s->w.err) == RF_OK, "%s", s->w.err.text);
}

static void send(struct stage *s, uint32_t partition, uint32_t count)
{
    send_body(s, partition, RF_S("an event"), count);
}

/* ---- reading back: a reader of Avro as plain as can be ------------------------------------------------------------------------- */

struct found {
    int64_t numbers[EVENTS_MAX];
    uint32_t count, files, parts;
    uint64_t largest;
    char names[FILES_MAX][128];
};

static int64_t get_long(rf_str *in)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        cr_assert(in->len > 0 && shift < 64);
        uint8_t byte = in->ptr[0];
        *in = rf_slice(*in, 1, in->len);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) break;
    }
    return (int64_t)(value >> 1 ^ -(value & 1));
}

static rf_str get_bytes(rf_str *in)
{
    int64_t len = get_long(in);
    cr_assert(len >= 0 && (uint64_t)len <= in->len);
    rf_str out = rf_slice(*in, 0, (size_t)len);
    *in = rf_slice(*in, (size_t)len, in->len);
    return out;
}

static void skip_map(rf_str *in)
{
    for (int64_t count; (count = get_long(in)) != 0;)
        for (; count > 0; count--) {
            (void)get_bytes(in);
            switch (get_long(in)) {
            case 0:
                (void)get_long(in);
                break;
            case 1:
                *in = rf_slice(*in, 8, in->len);
                break;
            case 2:
            case 3:
                (void)get_bytes(in);
                break;
            default:
                break;
            }
        }
}

static void read_objects(struct found *found, rf_str in, int64_t count)
{
    for (; count > 0; count--) {
        int64_t number = get_long(&in);
        char offset[32];
        (void)snprintf(offset, sizeof offset, "%lld", (long long)number);
        cr_assert(rf_str_is(get_bytes(&in), offset));
        rf_str time = get_bytes(&in);
        cr_assert(rf_str_ends(time, RF_S("M")) && rf_str_find(time, RF_S("/"), 0) != SIZE_MAX);
        skip_map(&in);
        skip_map(&in);
        if (get_long(&in) == 1) (void)get_bytes(&in);
        found->numbers[found->count++ % EVENTS_MAX] = number;
    }
    cr_assert(in.len == 0);
}

static void read_avro(struct found *found, rf_str in, struct rf_arena *arena)
{
    bool deflated = false;
    cr_assert(rf_str_starts(in, RF_S("Obj\1")), "a file is whole");
    in = rf_slice(in, 4, in.len);
    for (int64_t n = get_long(&in); n > 0; n--) {
        rf_str name = get_bytes(&in), value = get_bytes(&in);
        if (rf_str_is(name, "avro.codec")) deflated = rf_str_is(value, "deflate");
        if (rf_str_is(name, "avro.schema")) cr_assert(rf_str_eq(value, archive_schema));
    }
    cr_assert(get_long(&in) == 0);
    rf_str marker = rf_slice(in, 0, AVRO_MARKER_BYTES);
    in = rf_slice(in, AVRO_MARKER_BYTES, in.len);
    while (in.len > 0) {
        int64_t count = get_long(&in);
        rf_str objects = get_bytes(&in);
        cr_assert(rf_str_starts(in, marker));
        in = rf_slice(in, AVRO_MARKER_BYTES, in.len);
        if (deflated) {
            enum { CAP = 2 << 20 };
            uint8_t *out = rf_arena_alloc(arena, CAP);
            z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)objects.ptr,
                          .avail_in = (uInt)objects.len,
                          .next_out = out,
                          .avail_out = CAP};
            cr_assert(inflateInit2(&z, -MAX_WBITS) == Z_OK);
            cr_assert(inflate(&z, Z_FINISH) == Z_STREAM_END);
            objects = rf_str_make(out, z.total_out);
            (void)inflateEnd(&z);
        }
        read_objects(found, objects, count);
    }
}

static void read_lines(struct found *found, rf_str in, struct rf_arena *arena)
{
    cr_assert(in.len == 0 || in.ptr[in.len - 1] == '\n');
    while (in.len > 0) {
        size_t end = rf_str_find(in, RF_S("\n"), 0);
        struct json_node *node;
        int64_t number;
        cr_assert(json_parse(rf_slice(in, 0, end), arena, &node, NULL) == RF_OK);
        cr_assert(json_i64_at(node, "SequenceNumber", &number));
        found->numbers[found->count++ % EVENTS_MAX] = number;
        in = rf_slice(in, end + 1, in.len);
    }
}

/* All files of a partition, in the order of their names. */
static void read_back(struct stage *s, uint32_t partition, struct found *found)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 512 << 20);
    char folder[100], path[300];
    rf_str *names, text;
    size_t count = 0;
    memset(found, 0, sizeof *found);
    (void)snprintf(folder, sizeof folder, "lake1/events/ringfort/telemetry/%u", partition);
    if (rf_fs_list(rf_fs_fault_fs(s->disk), folder, &arena, &names, &count, NULL) != RF_OK) return;
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(path, sizeof path, "%s/%.*s", folder, RF_FMT(names[i]));
        if (names[i].ptr[0] == '.') {
            cr_assert(rf_str_ends(names[i], RF_S(".part")));
            found->parts++;
            continue;
        }
        cr_assert(rf_fs_read_all(rf_fs_fault_fs(s->disk), path, 64 << 20, &arena, &text,
                                 &s->w.err) == RF_OK);
        (void)snprintf(found->names[found->files++], 128, "%.*s", RF_FMT(names[i]));
        found->largest = RF_MAX(found->largest, (uint64_t)text.len);
        if (rf_str_ends(names[i], RF_S(".jsonl")))
            read_lines(found, text, &arena);
        else
            read_avro(found, text, &arena);
    }
}

/* The numbers from `from` up to `to`, each once and in order, over the files of the partition. */
static struct found *expect_events(struct stage *s, uint32_t partition, int64_t from, int64_t to)
{
    static struct found found;
    read_back(s, partition, &found);
    cr_assert(found.count == to - from, "%u events instead of %lld", found.count,
              (long long)(to - from));
    for (uint32_t i = 0; i < found.count && found.count < EVENTS_MAX; i++)
        cr_assert(found.numbers[i] == from + i, "%lld at %u", (long long)found.numbers[i], i);
    return &found;
}

static void capture(struct stage *s, const char *body)
{
    h_expect(&s->w, "PUT", H_HUB H_V, body, 200);
}

/* ---- documents ------------------------------------------------------------------------------------------------------------------- */

Test(archive, documents_are_checked_and_shown_as_they_came)
{
#define DEST(account, container, format)                                                           \
    "{\"properties\":{\"captureDescription\":{\"enabled\":true,\"destination\":{\"name\":"         \
    "\"EventHubArchive.AzureBlockBlob\",\"properties\":{\"storageAccountResourceId\":\"" account   \
    "\",\"blobContainer\":\"" container "\",\"archiveNameFormat\":\"" format "\"}}}}}"
#define ALL "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
    static const struct {
        const char *body;
        int status;
        const char *says;
    } cases[] = {
        {"{\"properties\":{\"captureDescription\":{\"enabled\":true}}}", 400, "destination.name"},
        {"{\"properties\":{\"captureDescription\":7}}", 400, "object"},
        {CAPTURE("\"intervalInSeconds\":59,"), 400, "from 60 to 900"},
        {CAPTURE("\"intervalInSeconds\":901,"), 400, "from 60 to 900"},
        {CAPTURE("\"intervalInSeconds\":\"60\","), 400, "from 60 to 900"},
        {CAPTURE("\"sizeLimitInBytes\":10485759,"), 400, "from 10485760 to 524288000"},
        {CAPTURE("\"sizeLimitInBytes\":524288001,"), 400, "from 10485760 to 524288000"},
        {CAPTURE("\"encoding\":\"Parquet\","), 400, "Avro, AvroDeflate or JsonLines"},
        {CAPTURE("\"skipEmptyArchives\":1,"), 400, "true or false"},
        {DEST("lake1", "events", ALL), 400, "storageAccountResourceId"},
        {DEST("/x/providers/Microsoft.Storage/storageAccounts/a/b", "events", ALL), 400,
         "storageAccountResourceId"},
        {DEST(ACCOUNT, "../up", ALL), 400, "blobContainer"},
        {DEST(ACCOUNT, "Events", ALL), 400, "blobContainer"},
        {DEST(ACCOUNT, "a--b", ALL), 400, "blobContainer"},
        {DEST(ACCOUNT, "events", "{Namespace}/{EventHub}"), 400, "must contain"},
        {DEST(ACCOUNT, "events", "/" ALL), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", ALL "/"), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", "../" ALL), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", "a/../" ALL), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", ALL "{Hub}"), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", ".x/" ALL), 400, "archiveNameFormat"},
        {DEST(ACCOUNT, "events", "y={Year}/m={month}/" ALL), 200, NULL},
        {OFF, 200, NULL},
        {CAPTURE("\"encoding\":\"avrodeflate\",\"intervalInSeconds\":60,"
                 "\"sizeLimitInBytes\":524288000,\"skipEmptyArchives\":true,"),
         200, NULL},
    };
    struct stage s;
    stage_init(&s, 1);
    for (size_t i = 0; i < RF_COUNT(cases); i++) {
        h_expect(&s.w, "PUT", H_HUB H_V, cases[i].body, cases[i].status);
        if (cases[i].says == NULL) continue;
        h_expect_text(&s.w, "error.code", "BadRequest");
        cr_assert(walk_body_has(&s.w.last, cases[i].says), "%s", cases[i].body);
    }
    h_expect(&s.w, "GET", H_HUB H_V, NULL, 200);
    int64_t seconds = 0;
    cr_assert(json_i64_at(s.w.answer, "properties.captureDescription.intervalInSeconds", &seconds));
    cr_assert(seconds == 60);
    h_expect_text(&s.w, "properties.captureDescription.encoding", "avrodeflate");
    h_expect_text(&s.w,
                  "properties.captureDescription.destination.properties.storageAccountResourceId",
                  ACCOUNT);
    h_expect(&s.w, "PUT", H_NS "/eventhubs/other" H_V,
             DEST(ACCOUNT, "events",
                  ALL
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                  "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"),
             400);
    cr_assert(walk_body_has(&s.w.last, "names of files"));
    stage_done(&s);
}

/* ---- windows ---------------------------------------------------------------------------------------------------------------------- */

Test(archive, a_window_ends_by_the_clock_and_begins_with_what_came_behind_the_switch)
{
    struct stage s;
    stage_init(&s, 1);
    send(&s, 1, 5);
    capture(&s, CAPTURE("\"intervalInSeconds\":60,"));
    send(&s, 1, 3);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 1, 5, 5)->parts == 1, "the window is under way");
    pass(&s, 59);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 1, 5, 5)->files == 0);
    send(&s, 1, 1);
    pass(&s, 2);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 1, 5, 9)->files == 1);
    struct found *empty = expect_events(&s, 0, 0, 0);
    cr_assert(empty->files == 1, "an empty file marks an empty window");
    char first[128];
    (void)snprintf(first, sizeof first, "%s", empty->names[0]);
    pass(&s, 60);
    archives_run(s.archives);
    struct found *again = expect_events(&s, 0, 0, 0);
    cr_assert(again->files == 2 && strcmp(again->names[0], first) == 0);
    cr_assert(strcmp(again->names[1], first) > 0);
    stage_done(&s);
}

Test(archive, empty_windows_are_left_out_when_asked)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    for (int i = 0; i < 5; i++) {
        archives_run(s.archives);
        pass(&s, 61);
    }
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 0)->files == 0);
    send(&s, 0, 2);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 2)->files == 1);
    stage_done(&s);
}

Test(archive, a_window_ends_before_its_file_would_be_too_large)
{
    static const char *const encodings[] = {
        "\"encoding\":\"Avro\",", "\"encoding\":\"AvroDeflate\",", "\"encoding\":\"JsonLines\","};
    static uint8_t body[200000];
    for (size_t e = 0; e < RF_COUNT(encodings); e++) {
        struct stage s;
        char document[1000];
        struct rf_prng prng = {.state = e};
        for (size_t i = 0; i < sizeof body; i++)
            body[i] =
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-"[rf_test_below(
                    &prng, 64)];
        stage_init(&s, 1);
        (void)snprintf(document, sizeof document, "%s%s%s",
                       "{\"properties\":{\"captureDescription\":{\"enabled\":true,"
                       "\"sizeLimitInBytes\":10485760,\"skipEmptyArchives\":true,",
                       encodings[e], strstr(CAPTURE(""), "\"destination\""));
        capture(&s, document);
        for (int i = 0; i < 15; i++) send_body(&s, 0, rf_str_make(body, sizeof body), 5);
        archives_run(s.archives);
        pass(&s, 901);
        archives_run(s.archives);
        struct found *found = expect_events(&s, 0, 0, 75);
        cr_assert(found->files == 2, "%u", found->files);
        cr_assert(found->largest <= 10485760, "%llu", (unsigned long long)found->largest);
        cr_assert(found->largest > 9 << 20, "%llu", (unsigned long long)found->largest);
        stage_done(&s);
    }
}

Test(archive, switching_off_ends_the_windows_and_on_begins_anew)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE("\"encoding\":\"JsonLines\","));
    send(&s, 2, 4);
    archives_run(s.archives);
    send(&s, 2, 3);
    capture(&s, OFF);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 2, 0, 7)->files == 1);
    cr_assert(expect_events(&s, 0, 0, 0)->files == 0, "nothing was under way");
    send(&s, 2, 5);
    pass(&s, 5);
    capture(&s, CAPTURE("\"encoding\":\"JsonLines\","));
    send(&s, 2, 1);
    archives_run(s.archives);
    pass(&s, 301);
    archives_run(s.archives);
    static struct found found;
    read_back(&s, 2, &found);
    cr_assert(found.count == 8 && found.numbers[6] == 6 && found.numbers[7] == 12);
    /* Off and on before anybody looked: nothing is left out. */
    send(&s, 2, 1);
    capture(&s, OFF);
    send(&s, 2, 1);
    capture(&s, CAPTURE("\"encoding\":\"JsonLines\","));
    archives_run(s.archives);
    pass(&s, 301);
    archives_run(s.archives);
    read_back(&s, 2, &found);
    cr_assert(found.count == 10 && found.numbers[9] == 14);
    stage_done(&s);
}

Test(archive, switched_off_windows_end_after_a_crash_too)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    send(&s, 0, 4);
    archives_run(s.archives);
    h_expect(&s.w, "PUT", H_HUB H_V,
             "{\"properties\":{\"captureDescription\":{\"enabled\":false," SKIPS
             "\"destination\":{\"name\":\"EventHubArchive.AzureBlockBlob\",\"properties\":{"
             "\"storageAccountResourceId\":\"" ACCOUNT "\",\"blobContainer\":\"events\","
             "\"archiveNameFormat\":\"{Namespace}/{EventHub}/{PartitionId}/"
             "{Year}-{Month}-{Day}T{Hour}-{Minute}-{Second}\"}}}}}",
             200);
    crash(&s, false);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 4)->files == 1);
    send(&s, 0, 1);
    pass(&s, 400);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 4)->files == 1);
    stage_done(&s);
}

Test(archive, other_settings_hold_for_the_window_under_way)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    send(&s, 0, 4);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 0)->parts == 1);
    capture(&s, CAPTURE(SKIPS "\"encoding\":\"JsonLines\","));
    send(&s, 0, 1);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    struct found *found = expect_events(&s, 0, 0, 5);
    cr_assert(found->files == 1 && strstr(found->names[0], ".jsonl") != NULL);
    cr_assert(found->parts == 0, "the file of before went");
    stage_done(&s);
}

Test(archive, new_partitions_are_captured_from_their_first_event)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    archives_run(s.archives);
    h_expect(&s.w, "PUT", H_HUB H_V,
             "{\"properties\":{\"partitionCount\":6,\"captureDescription\":{\"enabled\":true," SKIPS
             "\"destination\":{\"name\":\"EventHubArchive.AzureBlockBlob\",\"properties\":{"
             "\"storageAccountResourceId\":\"" ACCOUNT "\",\"blobContainer\":\"events\","
             "\"archiveNameFormat\":\"{Namespace}/{EventHub}/{PartitionId}/"
             "{Year}-{Month}-{Day}T{Hour}-{Minute}-{Second}\"}}}}}",
             200);
    send(&s, 5, 3);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 5, 0, 3)->files == 1);
    stage_done(&s);
}

Test(archive, a_deleted_hub_leaves_its_files_and_no_position)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    send(&s, 0, 3);
    archives_run(s.archives);
    h_expect(&s.w, "DELETE", H_HUB H_V, NULL, 200);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 3)->files == 1);
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct state_txn *txn;
    struct state_scan scan = {.space = "hub.archive"};
    struct state_list list;
    cr_assert(state_begin_read(s.w.site.state, &txn, &s.w.err) == RF_OK);
    cr_assert(state_list(txn, &scan, &arena, &list, &s.w.err) == RF_OK && list.count == 0);
    state_end(txn);
    stage_done(&s);
}

Test(archive, a_name_that_is_taken_is_passed_over)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE("\"intervalInSeconds\":60,"));
    send(&s, 0, 1);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    char first[128];
    (void)snprintf(first, sizeof first, "%s", expect_events(&s, 0, 0, 1)->names[0]);
    rf_usec started = rf_clock_now(&s.w.site.clock.clock) - 61 * SECOND;
    capture(&s, OFF);
    archives_run(s.archives);
    /* The clock is set back to when the first window began. */
    rf_clock_fixed_jump(&s.w.site.clock, started);
    capture(&s, CAPTURE("\"intervalInSeconds\":60,"));
    send(&s, 0, 1);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    struct found *found = expect_events(&s, 0, 0, 2);
    cr_assert(found->files >= 2 && strcmp(found->names[0], first) == 0);
    stage_done(&s);
}

/* The same by threads of its own, with others that send, change settings and switch it off. */
Test(archive, threads_do_it_too)
{
    struct stage s;
    stage_init(&s, 1);
    end(&s);
    h_reopen(&s.w);
    struct archives_options options = {
        .hubs = s.w.hubs, .folder = "/", .fs = rf_fs_fault_fs(s.disk)};
    cr_assert(archives_new(&options, &s.archives, &s.w.err) == RF_OK, "%s", s.w.err.text);
    cr_assert(hub_find(s.w.space, RF_S("telemetry"), &s.hub, &s.w.err) == RF_OK);
    capture(&s, CAPTURE(SKIPS));
    for (uint32_t i = 0; i < 20; i++) {
        send(&s, i % PARTITIONS, 1);
        if (i == 10) capture(&s, CAPTURE(SKIPS "\"encoding\":\"JsonLines\","));
        pass(&s, 2);
    }
    pass(&s, 10);
    capture(&s, OFF);
    static struct found found;
    for (uint32_t files = 0; files < PARTITIONS;) {
        files = 0;
        for (uint32_t p = 0; p < PARTITIONS; p++) {
            read_back(&s, p, &found);
            files += found.count == 20 / PARTITIONS;
        }
        pass(&s, 1);
        (void)sched_yield();
    }
    for (uint32_t p = 0; p < PARTITIONS; p++) (void)expect_events(&s, p, 0, 20 / PARTITIONS);
    stage_done(&s);
}

/* ---- failures ------------------------------------------------------------------------------------------------------------------------ */

Test(archive, a_full_disk_lets_capture_wait)
{
    struct stage s;
    static uint8_t body[100000];
    memset(body, 'x', sizeof body);
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    rf_fs_fault_disk_bytes(s.disk, 500000);
    send_body(&s, 0, rf_str_make(body, sizeof body), 9);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 0)->files == 0);
    send(&s, 0, 1); /* ingestion goes on */
    rf_fs_fault_disk_bytes(s.disk, 50 << 20);
    pass(&s, 6);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 0, 10)->files == 1);
    stage_done(&s);
}

Test(archive, what_retention_removed_is_told)
{
    struct stage s;
    stage_init(&s, 1);
    capture(&s, CAPTURE(SKIPS));
    send(&s, 0, 10);
    cr_assert(hub_cut_front(s.hub, 0, 4, &s.w.err) == RF_OK);
    struct hub_partition_info info;
    cr_assert(hub_partition_info(s.hub, 0, &info, &s.w.err) == RF_OK && info.begin == 4);
    archives_run(s.archives);
    pass(&s, 61);
    archives_run(s.archives);
    cr_assert(expect_events(&s, 0, 4, 10)->files == 1);
    stage_done(&s);
}

/* A life of two windows, which fails or loses power at a step of the disk; then it goes on. Whatever happened, each event is in one
 * file. What the log and the state would wait for on the disk is not the matter here. */
static void prepare(struct stage *s, uint64_t seed)
{
    char document[1000];
    (void)snprintf(document, sizeof document, "{\"properties\":{\"durability\":\"os\",%s",
                   strstr(CAPTURE(SKIPS), "\"captureDescription\""));
    end(s);
    h_reopen(&s->w);
    h_be(&s->w, H_OWNER); /* tokens end */
    rf_fs_fault_free(s->disk);
    s->disk = rf_fs_fault_new(seed);
    h_expect(&s->w, "DELETE", H_HUB H_V, NULL, 200);
    capture(s, document);
    begin(s);
    archives_run(s->archives);
}

static uint64_t steps_of(const struct stage *s, bool power)
{
    return power ? rf_fs_fault_syncs(s->disk) : rf_fs_fault_ops(s->disk);
}

static void live(struct stage *s)
{
    for (uint32_t i = 0; i < 2; i++) {
        send(s, 0, 2 + i);
        archives_run(s->archives);
        pass(s, 31);
        send(s, 0, 1);
        pass(s, 31);
        archives_run(s->archives);
    }
}

static void goes_on(struct stage *s)
{
    for (uint32_t i = 0; i < 3; i++) {
        archives_run(s->archives);
        pass(s, 61);
    }
    archives_run(s->archives);
    cr_assert(expect_events(s, 0, 0, 7)->parts == 0, "no file that nobody wants is left");
}

/* How many steps a life takes. */
static uint64_t measure(struct stage *s, bool power)
{
    stage_init(s, 3);
    prepare(s, 3);
    uint64_t before = steps_of(s, power);
    live(s);
    uint64_t steps = steps_of(s, power) - before;
    goes_on(s);
    return steps;
}

Test(archive, loses_no_event_and_repeats_none_when_the_power_goes)
{
    struct stage s;
    uint64_t steps = measure(&s, true);
    cr_assert(steps >= 10, "%llu", (unsigned long long)steps);
    for (uint64_t at = 1; at <= steps; at++) {
        prepare(&s, at);
        rf_fs_fault_stop_at_sync(s.disk, at);
        live(&s);
        crash(&s, true);
        goes_on(&s);
    }
    stage_done(&s);
}

Test(archive, loses_no_event_and_repeats_none_when_the_disk_fails_and_the_process_dies)
{
    struct stage s;
    uint64_t steps = measure(&s, false);
    cr_assert(steps > 30);
    for (uint64_t at = 1; at <= steps; at++) {
        prepare(&s, at);
        rf_fs_fault_fail_at(s.disk, at, at % 2 == 0 ? EIO : ENOSPC, true);
        live(&s);
        crash(&s, false);
        goes_on(&s);
    }
    stage_done(&s);
}

Test(archive, one_failure_of_the_disk_heals_without_a_restart)
{
    struct stage s;
    uint64_t steps = measure(&s, false);
    for (uint64_t at = 1; at <= steps; at++) {
        prepare(&s, at);
        rf_fs_fault_fail_at(s.disk, at, EIO, false);
        live(&s);
        goes_on(&s);
    }
    stage_done(&s);
}
