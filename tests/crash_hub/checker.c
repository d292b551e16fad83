/* checker - reads back what sender sent while the server was killed, and says whether it kept its word.
 *
 *   checker BOOTSTRAP ends FOLDER     ends with 0 when every partition answers; one that ends before it did the last time, or no longer
 *                                     begins at 0, is told in FOLDER/wrong
 *   checker BOOTSTRAP check FOLDER    reads every partition by Kafka and by AMQP, parts of them by HTTPS, and the rows that were
 *                                     captured; compares all of it with FOLDER's files; ends with 1 when something is wrong */
#include "crash_hub.h"

#include <stdarg.h>
#include <unistd.h>

#include "hub/amqp_value.h"

enum {
    MEMORY_BYTES = 256 << 20,
    POLL_MS = 1000,
    SILENT_POLLS_MAX = 30,
    ROWS_PER_QUERY = 20000,
    PEEKS = 12,
    PEEK_COUNT = 60,
    ROWS_WAIT_SECONDS = 150,
    TOLD_MAX = 10 /* findings of one kind that are printed */
};

/* What a partition holds under a number. */
struct stored {
    uint64_t hash;
    uint64_t number, serial;
    int32_t sender; /* -1: no event of ours */
};
struct partition {
    struct stored *items;
    int64_t count, cap;
    int64_t by_amqp, by_https, rows;
    uint64_t log_hash, row_hash;
};

enum check {
    CHECK_HOLES,
    CHECK_CHECKSUM,
    CHECK_LOST,
    CHECK_DOUBLED,
    CHECK_MOVED,
    CHECK_REFUSED,
    CHECK_INVENTED,
    CHECK_ORDER,
    CHECK_BROKEN,
    CHECK_AMQP,
    CHECK_TIMES,
    CHECK_HTTPS,
    CHECK_ROWS,
    CHECK_ENDS,
    CHECK_COUNT
};
static const char *const check_names[CHECK_COUNT] = {
    [CHECK_HOLES] = "numbers follow each other without a hole (Kafka)",
    [CHECK_CHECKSUM] = "no event was altered",
    [CHECK_LOST] = "every acknowledged event is there",
    [CHECK_DOUBLED] = "no event is there twice that was sent once",
    [CHECK_MOVED] = "acknowledged Kafka events are under their offset",
    [CHECK_REFUSED] = "what was refused is not there",
    [CHECK_INVENTED] = "nothing is there that was not sent",
    [CHECK_ORDER] = "a sender's events are in order in each partition",
    [CHECK_BROKEN] = "no sender met what must not happen",
    [CHECK_AMQP] = "AMQP reads the same events under the same numbers",
    [CHECK_TIMES] = "enqueued times do not go back",
    [CHECK_HTTPS] = "HTTPS reads the same events under the same numbers",
    [CHECK_ROWS] = "the rows are the events, each once",
    [CHECK_ENDS] = "no partition ever ended before where it ended"};

/* What became of a serial of a sender. */
struct fate {
    int64_t offset;
    uint32_t copies;
    int32_t partition;
    bool reported;
};
struct tally {
    struct fate *fates;
    uint64_t count;
    uint64_t acknowledged, unknown, unknown_stored, refused, stored, sent_twice;
};

struct checker {
    struct place place;
    const char *folder;
    struct rf_arena arena; /* of a read */
    struct http_client *http;
    rf_str signature, token;
    struct partition partitions[CRASH_PARTITIONS];
    struct tally tallies[RF_COUNT(sender_plans)];
    uint64_t findings[CHECK_COUNT], looked[CHECK_COUNT];
};

__attribute__((format(printf, 4, 5))) static void look(struct checker *c, enum check check,
                                                       bool good, const char *format, ...)
{
    c->looked[check]++;
    if (good) return;
    if (++c->findings[check] > TOLD_MAX) return;
    va_list args;
    va_start(args, format);
    fprintf(stderr, "wrong (%s): ", check_names[check]);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static bool take_number(rf_str *rest, uint64_t *out)
{
    size_t at = 0;
    *out = 0;
    for (; at < rest->len && rf_is_digit(rest->ptr[at]); at++)
        *out = *out * 10 + (rest->ptr[at] - '0');
    if (at == 0 || at == rest->len || rest->ptr[at] != ' ') return false;
    *rest = rf_slice(*rest, at + 1, rest->len);
    return true;
}

static struct stored read_event(rf_str body)
{
    enum { SUM_CHARS = 16 };
    struct stored none = {.hash = XXH3_64bits(body.ptr, body.len), .sender = -1}, event = none;
    char sum[SUM_CHARS + 1];
    if (body.len < SUM_CHARS) return none;
    size_t text = body.len - SUM_CHARS;
    (void)snprintf(sum, sizeof sum, "%016" PRIx64, (uint64_t)XXH3_64bits(body.ptr, text));
    if (memcmp(sum, body.ptr + text, SUM_CHARS) != 0) return none;
    size_t space = rf_str_find(body, RF_S(" "), 0);
    rf_str name = rf_slice(body, 0, space), rest = rf_slice(body, space + 1, body.len);
    for (size_t i = 0; i < RF_COUNT(sender_plans); i++)
        if (rf_str_is(name, sender_plans[i].name)) event.sender = (int32_t)i;
    return take_number(&rest, &event.number) && take_number(&rest, &event.serial) ? event : none;
}

/* Of (number, body), so that sums of it do not depend on the order. */
static uint64_t place_hash(uint32_t partition, int64_t number, uint64_t hash)
{
    return mix(mix(partition, (uint64_t)number), hash);
}

static void add_event(struct checker *c, uint32_t index, int64_t offset, rf_str body)
{
    struct partition *p = &c->partitions[index];
    look(c, CHECK_HOLES, offset == p->count, "partition %u: %" PRId64 " follows %" PRId64, index,
         offset, p->count - 1);
    if (p->count == p->cap) {
        p->cap = RF_MAX(p->cap * 2, INT64_C(4096));
        p->items = realloc(p->items, (size_t)p->cap * sizeof *p->items);
        if (p->items == NULL) give_up("memory", RF_S("none for events"));
    }
    struct stored *event = &p->items[p->count];
    *event = read_event(body);
    look(c, CHECK_CHECKSUM, event->sender >= 0, "partition %u, number %" PRId64, index, offset);
    p->log_hash += place_hash(index, offset, event->hash);
    p->count++;
}

static bool same_event(const struct checker *c, uint32_t index, int64_t number, rf_str body)
{
    const struct partition *p = &c->partitions[index];
    return number >= 0 && number < p->count &&
           p->items[number].hash == XXH3_64bits(body.ptr, body.len);
}

/* ---- Kafka ------------------------------------------------------------------------------------------------------ */

static rd_kafka_t *kafka_consumer(struct checker *c)
{
    char why[256];
    rd_kafka_conf_t *conf = place_kafka(&c->place);
    kafka_set(conf, "group.id", "checker");
    kafka_set(conf, "enable.auto.commit", "false");
    kafka_set(conf, "enable.partition.eof", "true");
    kafka_set(conf, "auto.offset.reset", "error");
    kafka_set(conf, "check.crcs", "true");
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (kafka == NULL) give_up("kafka", rf_str_of(why));
    (void)rd_kafka_poll_set_consumer(kafka);
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(CRASH_PARTITIONS);
    for (int32_t i = 0; i < CRASH_PARTITIONS; i++)
        rd_kafka_topic_partition_list_add(all, CRASH_HUB, i)->offset = 0;
    rd_kafka_resp_err_t failure = rd_kafka_assign(kafka, all);
    if (failure != RD_KAFKA_RESP_ERR_NO_ERROR)
        give_up("kafka", rf_str_of(rd_kafka_err2str(failure)));
    rd_kafka_topic_partition_list_destroy(all);
    return kafka;
}

static void read_kafka(struct checker *c)
{
    rd_kafka_t *kafka = kafka_consumer(c);
    bool at_end[CRASH_PARTITIONS] = {false};
    int left = CRASH_PARTITIONS, silent = 0;
    while (left > 0) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(kafka, POLL_MS);
        if (message == NULL) {
            if (++silent > SILENT_POLLS_MAX) give_up("kafka", RF_S("nothing comes"));
            continue;
        }
        silent = 0;
        if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            left -= !at_end[message->partition];
            at_end[message->partition] = true;
        } else if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            add_event(c, (uint32_t)message->partition, message->offset,
                      rf_str_make(message->payload, message->len));
        } else if (message->rkt != NULL) {
            give_up("kafka", rf_str_of(rd_kafka_message_errstr(message)));
        }
        rd_kafka_message_destroy(message);
    }
    (void)rd_kafka_consumer_close(kafka);
    rd_kafka_destroy(kafka);
}

/* ---- AMQP ------------------------------------------------------------------------------------------------------- */

struct amqp_event {
    int64_t number, offset, time_ms;
    rf_str body;
};

static bool read_message(rf_str message, struct amqp_event *out)
{
    struct amqp_section section;
    struct amqp_value value;
    bool has_body = false;
    *out = (struct amqp_event){.number = -1, .offset = -1, .time_ms = -1};
    while (amqp_section_next(&message, &section)) {
        if (section.code == AMQP_DATA) {
            out->body = section.value.bytes;
            has_body = true;
        }
        if (section.code != AMQP_MESSAGE_ANNOTATIONS) continue;
        if (amqp_map_find(&section.value, RF_S("x-opt-sequence-number"), &value))
            (void)amqp_as_i64(&value, &out->number);
        if (amqp_map_find(&section.value, RF_S("x-opt-enqueued-time"), &value))
            out->time_ms = value.i;
        if (amqp_map_find(&section.value, RF_S("x-opt-offset"), &value) && value.bytes.len < 20) {
            out->offset = 0;
            for (size_t i = 0; i < value.bytes.len; i++)
                out->offset = out->offset * 10 + (value.bytes.ptr[i] - '0');
        }
    }
    return has_body && message.len == 0;
}

static void read_amqp_partition(struct checker *c, uint32_t index)
{
    struct amqp_client *client = NULL;
    struct partition *p = &c->partitions[index];
    struct rf_err err;
    char source[80];
    uint32_t link;
    int64_t last_ms = 0;
    (void)snprintf(source, sizeof source, CRASH_HUB "/ConsumerGroups/$Default/Partitions/%u",
                   index);
    if (place_amqp(&c->place, index % 2 == 1, &client, &err) != RF_OK ||
        amqp_client_receiver(client, rf_str_of(source), (rf_str){0}, 500, &link, &err) != RF_OK)
        give_up("amqp", rf_str_of(err.text));
    for (; p->by_amqp < p->count; p->by_amqp++) {
        struct amqp_event event;
        rf_str message;
        if (amqp_client_receive(client, 20 * RF_USEC_PER_SECOND, &link, &message, &err) != RF_OK) {
            look(c, CHECK_AMQP, false, "partition %u: after %" PRId64 " events: %s", index,
                 p->by_amqp, err.text);
            break;
        }
        bool good = read_message(message, &event) && event.number == p->by_amqp &&
                    event.offset == p->by_amqp && same_event(c, index, event.number, event.body);
        look(c, CHECK_AMQP, good, "partition %u: number %" PRId64 " at %" PRId64, index,
             event.number, p->by_amqp);
        look(c, CHECK_TIMES, event.time_ms >= last_ms, "partition %u, number %" PRId64, index,
             event.number);
        last_ms = RF_MAX(last_ms, event.time_ms);
    }
    amqp_client_close(client);
}

/* ---- HTTPS ------------------------------------------------------------------------------------------------------ */

/* The answer in c->arena; NULL: none that is good. */
static struct json_node *ask(struct checker *c, const char *method, rf_str url, rf_str login,
                             rf_str body)
{
    struct http_answer answer;
    struct json_node *node;
    struct rf_err err;
    struct http_header headers[] = {{RF_S("Content-Type"), RF_S("application/json")},
                                    {RF_S("Authorization"), login}};
    if (http_client_call(c->http, method, url, headers, 2, body, &c->arena, &answer, &err) !=
            RF_OK ||
        answer.status != 200 || json_parse(answer.body, &c->arena, &node, &err) != RF_OK)
        return NULL;
    return node;
}

static struct json_node *peek(struct checker *c, uint32_t index, int64_t from, int count)
{
    rf_arena_reset(&c->arena);
    rf_str url = rf_arena_printf(
        &c->arena, "%.*s/" CRASH_HUB "/partitions/%u/events?from=%" PRId64 "&count=%d",
        RF_FMT(place_text(&c->place, "https")), index, from, count);
    return ask(c, "GET", url, c->signature, (rf_str){0});
}

static void read_https_partition(struct checker *c, uint32_t index)
{
    struct partition *p = &c->partitions[index];
    for (int i = 0; i < PEEKS && p->count > 0; i++) {
        int64_t number = p->count * i / PEEKS;
        struct json_node *answer = peek(c, index, number, PEEK_COUNT);
        look(c, CHECK_HTTPS, answer != NULL, "partition %u from %" PRId64 ": no answer", index,
             number);
        if (answer == NULL) continue;
        for (const struct json_node *e = json_get(answer, "value")->first; e != NULL; e = e->next) {
            int64_t at = -1;
            bool good = json_i64_at(e, "sequenceNumber", &at) && at == number &&
                        same_event(c, index, at, json_text_at(e, "body"));
            look(c, CHECK_HTTPS, good, "partition %u, number %" PRId64, index, number);
            number++;
            p->by_https++;
        }
    }
}

static int tell_ends(struct checker *c)
{
    char path[4096];
    int64_t last[CRASH_PARTITIONS] = {0}, ends[CRASH_PARTITIONS];
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        int64_t begin = -1;
        struct json_node *answer = peek(c, i, 0, 1);
        if (answer == NULL || !json_i64_at(answer, "begin", &begin) ||
            !json_i64_at(answer, "end", &ends[i]))
            return 1;
        if (begin != 0) ends[i] = -1;
    }
    (void)snprintf(path, sizeof path, "%s/ends", c->folder);
    FILE *file = fopen(path, "r");
    for (uint32_t i = 0; file != NULL && i < CRASH_PARTITIONS; i++)
        if (fscanf(file, "%" SCNd64, &last[i]) != 1) give_up("cannot read", rf_str_of(path));
    if (file != NULL) (void)fclose(file);
    file = fopen(path, "w");
    if (file == NULL) give_up("cannot write", rf_str_of(path));
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) fprintf(file, "%" PRId64 "\n", ends[i]);
    (void)fclose(file);
    (void)snprintf(path, sizeof path, "%s/wrong", c->folder);
    file = fopen(path, "a");
    if (file == NULL) give_up("cannot write", rf_str_of(path));
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++)
        if (ends[i] < last[i])
            fprintf(file, "partition %u ended before %" PRId64 ", then before %" PRId64 "\n", i,
                    last[i], ends[i]);
    (void)fclose(file);
    return 0;
}

/* ---- rows ------------------------------------------------------------------------------------------------------- */

static void fetch_token(struct checker *c)
{
    struct rf_err err;
    struct http_answer answer;
    struct json_node *node;
    struct rf_arena *arena = &c->place.arena;
    rf_str form = rf_arena_printf(
        arena,
        "grant_type=client_credentials&client_id=%.*s&client_secret=%.*s&scope=https%%3A%%2F%%2F"
        "api.loganalytics.io%%2F.default",
        RF_FMT(place_text(&c->place, "client_id")),
        RF_FMT(percent_encode(arena, place_text(&c->place, "client_secret"))));
    rf_str url = rf_arena_printf(arena, "%.*s/%.*s/oauth2/v2.0/token",
                                 RF_FMT(place_text(&c->place, "https")),
                                 RF_FMT(place_text(&c->place, "tenant_id")));
    struct http_header type = {RF_S("Content-Type"), RF_S("application/x-www-form-urlencoded")};
    if (http_client_call(c->http, "POST", url, &type, 1, form, arena, &answer, &err) != RF_OK ||
        answer.status != 200 || json_parse(answer.body, arena, &node, &err) != RF_OK)
        give_up("token", RF_S("none"));
    c->token = rf_arena_printf(arena, "Bearer %.*s", RF_FMT(json_text_at(node, "access_token")));
}

/* The rows of the answer, which are in c->arena. */
static const struct json_node *query(struct checker *c, const char *text)
{
    rf_arena_reset(&c->arena);
    rf_str url = rf_arena_printf(&c->arena, "%.*s/v1/workspaces/%.*s/query",
                                 RF_FMT(place_text(&c->place, "https")),
                                 RF_FMT(place_text(&c->place, "workspace_id")));
    rf_str body = rf_arena_printf(&c->arena, "{\"query\":\"%s\"}", text);
    struct json_node *answer = ask(c, "POST", url, c->token, body);
    if (answer == NULL) give_up("query", rf_str_of(text));
    return json_get(json_get(answer, "tables")->first, "rows");
}

static int64_t row_count(struct checker *c)
{
    const struct json_node *rows = query(c, "Crash_CL | count");
    return strtoll((const char *)rows->first->first->text.ptr, NULL, 10);
}

static void read_rows(struct checker *c)
{
    int64_t wanted = 0, there = 0;
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) wanted += c->partitions[i].count;
    for (int i = 0; i < ROWS_WAIT_SECONDS && there < wanted; i++) {
        there = row_count(c);
        if (there < wanted) (void)sleep(1);
    }
    look(c, CHECK_ROWS, there == wanted, "%" PRId64 " rows for %" PRId64 " events", there, wanted);
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        struct partition *p = &c->partitions[i];
        for (int64_t from = 0; from < p->count; from += ROWS_PER_QUERY) {
            char text[300];
            int64_t number = from;
            (void)snprintf(text, sizeof text,
                           "Crash_CL | where EventPartition == %u and EventSequenceNumber >= "
                           "%" PRId64 " and EventSequenceNumber < %" PRId64
                           " | project EventSequenceNumber, RawData | order by "
                           "EventSequenceNumber asc",
                           i, from, from + ROWS_PER_QUERY);
            for (const struct json_node *row = query(c, text)->first; row != NULL;
                 row = row->next) {
                rf_str body = row->first->next->text;
                int64_t at = strtoll((const char *)row->first->text.ptr, NULL, 10);
                look(c, CHECK_ROWS, at == number && same_event(c, i, at, body),
                     "partition %u: a row of number %" PRId64 " where %" PRId64 " was expected", i,
                     at, number);
                p->row_hash += place_hash(i, at, XXH3_64bits(body.ptr, body.len));
                p->rows++;
                number = at + 1;
            }
        }
        look(c, CHECK_ROWS, p->rows == p->count && p->row_hash == p->log_hash,
             "partition %u: %" PRId64 " rows, hash %016" PRIx64 "; %" PRId64
             " events, hash %016" PRIx64,
             i, p->rows, p->row_hash, p->count, p->log_hash);
    }
}

/* ---- what the senders know -------------------------------------------------------------------------------------- */

static struct fate *fate_of(struct tally *t, uint64_t serial)
{
    if (serial >= t->count) {
        uint64_t count = RF_MAX(serial + 1, t->count * 2);
        t->fates = realloc(t->fates, count * sizeof *t->fates);
        if (t->fates == NULL) give_up("memory", RF_S("none for serials"));
        memset(t->fates + t->count, 0, (count - t->count) * sizeof *t->fates);
        t->count = count;
    }
    return &t->fates[serial];
}

/* The fate of each serial, and the order in each partition. */
static void sort_events(struct checker *c)
{
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        uint64_t next[RF_COUNT(sender_plans)] = {0};
        for (int64_t k = 0; k < c->partitions[i].count; k++) {
            const struct stored *event = &c->partitions[i].items[k];
            if (event->sender < 0) continue;
            struct tally *t = &c->tallies[event->sender];
            struct fate *fate = fate_of(t, event->serial);
            const char *name = sender_plans[event->sender].name;
            look(c, CHECK_DOUBLED, fate->copies == 0,
                 "%s %" PRIu64 ": %d/%" PRId64 " and %u/%" PRId64, name, event->serial,
                 fate->partition, fate->offset, i, k);
            look(c, CHECK_ORDER, event->serial >= next[event->sender],
                 "%s: %" PRIu64 " at %u/%" PRId64 ", after %" PRIu64, name, event->serial, i, k,
                 next[event->sender] - 1);
            next[event->sender] = event->serial + 1;
            fate->copies++;
            fate->partition = (int32_t)i;
            fate->offset = k;
            t->stored++;
        }
    }
}

struct line {
    char word[16];
    uint64_t number, serial, count;
    int partition;
    int64_t offset;
    bool has_place;
};

static bool read_line(const char *text, struct line *out)
{
    int got = sscanf(text, "%15s %" SCNu64 " %" SCNu64 " %" SCNu64 " %d %" SCNd64, out->word,
                     &out->number, &out->serial, &out->count, &out->partition, &out->offset);
    out->has_place = got == 6;
    return got >= 4;
}

static void check_line(struct checker *c, uint32_t sender, const struct line *line)
{
    struct tally *t = &c->tallies[sender];
    const char *name = sender_plans[sender].name;
    for (uint64_t i = 0; i < line->count; i++) {
        uint64_t serial = line->serial + i;
        struct fate *fate = fate_of(t, serial);
        fate->reported = true;
        if (strcmp(line->word, "acknowledged") == 0) {
            t->acknowledged++;
            look(c, CHECK_LOST,
                 fate->copies > 0 &&
                     c->partitions[fate->partition].items[fate->offset].number == line->number + i,
                 "%s %" PRIu64, name, serial);
            if (line->has_place)
                look(c, CHECK_MOVED,
                     fate->partition == line->partition && fate->offset == line->offset,
                     "%s %" PRIu64 ": %d/%" PRId64 " was told, %d/%" PRId64 " it is", name, serial,
                     line->partition, line->offset, fate->partition, fate->offset);
        } else if (strcmp(line->word, "refused") == 0) {
            t->refused++;
            look(c, CHECK_REFUSED, fate->copies == 0, "%s %" PRIu64, name, serial);
        } else {
            t->unknown++;
            t->unknown_stored += fate->copies > 0;
        }
    }
}

/* Of numbers that were sent again: how often one is there more than once. */
static void count_repeats(struct checker *c, uint32_t sender)
{
    struct tally *t = &c->tallies[sender];
    uint8_t *seen = calloc(t->count + 1, 1);
    if (seen == NULL) give_up("memory", RF_S("none for numbers"));
    for (uint64_t i = 0; i < t->count; i++) {
        const struct fate *fate = &t->fates[i];
        if (fate->copies == 0) continue;
        look(c, CHECK_INVENTED, fate->reported, "%s %" PRIu64, sender_plans[sender].name, i);
        uint64_t number = c->partitions[fate->partition].items[fate->offset].number;
        if (number >= t->count) continue;
        t->sent_twice += seen[number];
        seen[number] = 1;
    }
    free(seen);
}

static void check_sender(struct checker *c, uint32_t sender)
{
    char path[4096], text[512];
    struct line line;
    (void)snprintf(path, sizeof path, "%s/%s.sent", c->folder, sender_plans[sender].name);
    FILE *file = fopen(path, "r");
    if (file == NULL) give_up("cannot read", rf_str_of(path));
    while (fgets(text, sizeof text, file) != NULL) {
        bool is_line = read_line(text, &line);
        look(c, CHECK_BROKEN, is_line, "%s: %s", sender_plans[sender].name, text);
        if (is_line) check_line(c, sender, &line);
    }
    (void)fclose(file);
    count_repeats(c, sender);
}

static void check_ends(struct checker *c)
{
    char path[4096], text[256];
    (void)snprintf(path, sizeof path, "%s/wrong", c->folder);
    FILE *file = fopen(path, "r");
    c->looked[CHECK_ENDS]++;
    while (file != NULL && fgets(text, sizeof text, file) != NULL)
        look(c, CHECK_ENDS, false, "%s", text);
    if (file != NULL) (void)fclose(file);
}

/* ---- the report ------------------------------------------------------------------------------------------------- */

static int report(const struct checker *c)
{
    int passed = 0, failed = 0;
    printf("%-12s %-9s %12s %8s %12s %8s %8s %12s\n", "sender", "protocol", "acknowledged",
           "unknown", "of it stored", "refused", "stored", "stored again");
    struct tally sum = {0};
    for (size_t i = 0; i < RF_COUNT(sender_plans); i++) {
        const struct tally *t = &c->tallies[i];
        printf("%-12s %-9s %12" PRIu64 " %8" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64
               " %12" PRIu64 "\n",
               sender_plans[i].name, protocol_names[sender_plans[i].protocol], t->acknowledged,
               t->unknown, t->unknown_stored, t->refused, t->stored, t->sent_twice);
        sum.acknowledged += t->acknowledged, sum.unknown += t->unknown;
        sum.unknown_stored += t->unknown_stored, sum.refused += t->refused;
        sum.stored += t->stored, sum.sent_twice += t->sent_twice;
    }
    printf("%-12s %-9s %12" PRIu64 " %8" PRIu64 " %12" PRIu64 " %8" PRIu64 " %8" PRIu64
           " %12" PRIu64 "\n",
           "all", "", sum.acknowledged, sum.unknown, sum.unknown_stored, sum.refused, sum.stored,
           sum.sent_twice);
    printf("%-9s %9s %9s %9s %9s %-16s %-16s\n", "partition", "by Kafka", "by AMQP", "by HTTPS",
           "rows", "hash of events", "hash of rows");
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        const struct partition *p = &c->partitions[i];
        printf("%-9u %9" PRId64 " %9" PRId64 " %9" PRId64 " %9" PRId64 " %016" PRIx64 " %016" PRIx64
               "\n",
               i, p->count, p->by_amqp, p->by_https, p->rows, p->log_hash, p->row_hash);
    }
    for (int i = 0; i < CHECK_COUNT; i++) {
        /* What was never looked at does not count as good, but that nothing may have been refused. */
        bool good = c->findings[i] == 0 && (c->looked[i] > 0 || i == CHECK_REFUSED);
        printf("%s: %s (%" PRIu64 " looked at, %" PRIu64 " wrong)\n", good ? "ok" : "FAILED",
               check_names[i], c->looked[i], c->findings[i]);
        passed += good, failed += !good;
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

static int check(struct checker *c)
{
    fetch_token(c);
    read_kafka(c);
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) {
        read_amqp_partition(c, i);
        read_https_partition(c, i);
    }
    sort_events(c);
    for (uint32_t i = 0; i < RF_COUNT(sender_plans); i++) check_sender(c, i);
    check_ends(c);
    read_rows(c);
    return report(c);
}

int main(int argc, char **argv)
{
    static struct checker c;
    bool ends = argc == 4 && strcmp(argv[2], "ends") == 0;
    if (!ends && (argc != 4 || strcmp(argv[2], "check") != 0))
        give_up("usage", RF_S("checker BOOTSTRAP ends|check FOLDER"));
    c.folder = argv[3];
    place_init(&c.place, argv[1]);
    rf_arena_init(&c.arena, MEMORY_BYTES);
    c.http = place_http(&c.place);
    c.signature = place_signature(&c.place, &c.place.arena);
    int status = ends ? tell_ends(&c) : check(&c);
    http_client_free(c.http);
    for (size_t i = 0; i < RF_COUNT(sender_plans); i++) free(c.tallies[i].fates);
    for (uint32_t i = 0; i < CRASH_PARTITIONS; i++) free(c.partitions[i].items);
    rf_arena_done(&c.arena);
    rf_arena_done(&c.place.arena);
    return status;
}
