/* cli_events.c - ringfort events: the event hubs of a server over HTTPS. */
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/cli_fleet.h"
#include "cli/cli_format.h"
#include "cli/cli_list.h"
#include "cli/cli_server.h"

enum {
    ANSWER_BYTES_MAX = 256 << 20,
    LINE_BYTES_MAX = 1 << 20,
    BATCH_BYTES = 512 << 10, /* of a call's body: a hub takes batches of a megabyte */
    BATCH_EVENTS = 5000,
    PEEK_COUNT = 20,
    PEEK_COUNT_MAX = 1000,
    PARTITIONS_MAX = 1024,
    TAIL_PAUSE_MS = 500
};
#define VERSION "2024-01-01"
#define NAMESPACES "Microsoft.EventHub/namespaces"

enum {
    OPT_SERVER,
    OPT_NAMESPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_PARTITION,
    OPT_KEY,
    OPT_FROM,
    OPT_COUNT,
    OPT_FORMAT,
    OPT_DEVICES,
    OPT_FIELD,
    OPT_OVER,
    OPT_PACE
};
static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_NAMESPACE] = {"namespace", "NAME",
                       "stats: the namespace of the hub; the first unless given"},
    [OPT_PARTITION] = {"partition", "N", "this partition only; send: else by key, or in turn"},
    [OPT_KEY] = {"key", "KEY", "send: the partition key of the events"},
    [OPT_FROM] = {"from", "NUMBER",
                  "tail, peek: the first sequence number; peek: else the last ones"},
    [OPT_COUNT] = {"count", "N", "peek: events at most (20)"},
    [OPT_FORMAT] = {"format", "FORMAT", "stats: table, csv, markdown, json or jsonl"},
    [OPT_DEVICES] = {"devices", "FOLDER",
                     "send: each line over AMQP as the device that it names, with NAME.pem and "
                     "NAME.key of the folder"},
    [OPT_FIELD] = {"device-field", "MEMBER",
                   "send: the member of a line that names its device (DeviceId)"},
    [OPT_OVER] = {"over", "PROTOCOL", "send: devices use amqps, or websocket (amqps)"},
    [OPT_PACE] = {"pace", "N|live",
                  "send: devices send a line N times as fast as it happened, or at its time; "
                  "else all at once"},
};
static const struct cli_usage usage = {
    .command = "events",
    .words = "send HUB [FILE] | tail HUB | peek HUB | stats HUB",
    .doc =
        "Sends the lines of FILE (or standard input) to an event hub, each as an event; prints "
        "its events as\nthey come, or some of each partition, as lines of JSON; says how far its "
        "partitions are.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "  ringfort events send telemetry readings.jsonl --key device-7\n"
             "  ringfort events peek telemetry --partition 0 --from 100 --count 5\n"
             "  ringfort events send drones flights.jsonl --devices certificates --pace live\n"
             "  ringfort events tail telemetry\n",
};

struct event_args {
    struct cli_server_args server;
    const char *names, *key;
    const char *devices, *field;
    bool over_websocket;
    struct cli_pace pace;
    const char *words[3];
    uint32_t word_count;
    int64_t partition, from, count; /* -1: not given */
    enum cli_format format;
};
struct event_call {
    struct cli_server *server;
    const struct event_args *args;
    struct rf_arena *arena;
    rf_str hub;
};

/* ---- arguments --------------------------------------------------------------------------------------------------------- */

static bool parse_number(const char *text, int64_t most, int64_t *out)
{
    int64_t number = 0;
    rf_str s = rf_str_of(text);
    if (s.len == 0) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i]) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, s.ptr[i] - '0', &number) || number > most)
            return false;
    }
    *out = number;
    return true;
}

static int take_option(int at, const char *value, struct event_args *args)
{
    switch (at) {
    case OPT_NAMESPACE:
        args->names = value;
        return CLI_OK;
    case OPT_KEY:
        args->key = value;
        return CLI_OK;
    case OPT_DEVICES:
        args->devices = value;
        return CLI_OK;
    case OPT_FIELD:
        args->field = value;
        return CLI_OK;
    case OPT_OVER:
        args->over_websocket = strcmp(value, "websocket") == 0;
        if (args->over_websocket || strcmp(value, "amqps") == 0) return CLI_OK;
        return cli_wrong(&usage, "--over: '%s' is not amqps or websocket", value);
    case OPT_PACE:
        if (cli_pace_parse(rf_str_of(value), &args->pace)) return CLI_OK;
        return cli_wrong(&usage, "--pace must be 'live' or a number above 0, not '%s'", value);
    case OPT_PARTITION:
        if (parse_number(value, PARTITIONS_MAX - 1, &args->partition)) return CLI_OK;
        return cli_wrong(&usage, "--partition: '%s' is no number of a partition", value);
    case OPT_FROM:
        if (parse_number(value, INT64_MAX, &args->from)) return CLI_OK;
        return cli_wrong(&usage, "--from: '%s' is no sequence number", value);
    case OPT_COUNT:
        if (parse_number(value, PEEK_COUNT_MAX, &args->count) && args->count > 0) return CLI_OK;
        return cli_wrong(&usage, "--count: '%s' is no number from 1 to %d", value, PEEK_COUNT_MAX);
    case OPT_FORMAT:
        if (cli_format_parse(value, &args->format) && args->format != CLI_CHART) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not table, json, jsonl, csv or markdown",
                         value);
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int check_words(const struct event_args *args)
{
    static const char *const verbs[] = {"send", "tail", "peek", "stats"};
    if (args->word_count == 0) return cli_wrong(&usage, "send, tail, peek or stats is needed");
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (strcmp(args->words[0], verbs[i]) != 0) continue;
        if (args->word_count == 1) return cli_wrong(&usage, "%s needs a hub", verbs[i]);
        if (i > 0 && args->word_count == 3)
            return cli_wrong(&usage, "'%s' is not expected", args->words[2]);
        if (args->devices != NULL && (args->key != NULL || args->partition >= 0))
            return cli_wrong(&usage, "--devices: the key of an event is its device's name");
        if (args->devices == NULL && (args->field != NULL || args->pace.live ||
                                      args->pace.speed > 0 || args->over_websocket))
            return cli_wrong(&usage, "--device-field, --over and --pace need --devices");
        return CLI_OK;
    }
    return cli_wrong(&usage, "'%s' is not send, tail, peek or stats", args->words[0]);
}

static int read_args(int argc, char **argv, struct event_args *args)
{
    struct cli_line line = cli_line_of(&usage, argc, argv);
    for (int at; (at = cli_next(&line)) != CLI_END;) {
        if (at == CLI_HELP) return CLI_HELP;
        if (at == CLI_WRONG) return CLI_WRONG_USE;
        if (at == CLI_WORD) {
            if (args->word_count == RF_COUNT(args->words))
                return cli_wrong(&usage, "'%s' is not expected", line.value);
            args->words[args->word_count++] = line.value;
            continue;
        }
        int status = take_option(at, line.value, args);
        if (status != CLI_OK) return status;
    }
    return check_words(args);
}

/* ---- send --------------------------------------------------------------------------------------------------------------- */

static enum rf_kind send_batch(const struct event_call *call, struct rf_buf *body, uint32_t count,
                               struct rf_err *err)
{
    struct http_answer answer;
    rf_buf_byte(body, ']');
    struct cli_call request = {.method = "POST",
                               .body = rf_buf_view(body),
                               .is_events = true,
                               .content_type = "application/vnd.microsoft.servicebus.json"};
    rf_str path = rf_arena_printf(call->arena, "/%.*s", RF_FMT(call->hub));
    if (call->args->partition >= 0)
        path = rf_arena_printf(call->arena, "%.*s/partitions/%lld", RF_FMT(path),
                               (long long)call->args->partition);
    request.target = rf_arena_printf(call->arena, "%.*s/messages?api-version=2014-01",
                                     RF_FMT(cli_url_path(call->arena, path)));
    if (body->failed || request.target.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (count == 0) return RF_OK;
    return cli_server_call(call->server, &request, call->arena, &answer, err);
}

static void put_event(struct rf_buf *body, rf_str line, const char *key)
{
    rf_buf_str(body, RF_S("{\"Body\":"));
    json_put_string(body, line);
    if (key != NULL) {
        rf_buf_str(body, RF_S(",\"BrokerProperties\":{\"PartitionKey\":"));
        json_put_string(body, rf_str_of(key));
        rf_buf_byte(body, '}');
    }
    rf_buf_byte(body, '}');
}

static enum rf_kind send_lines(struct event_call *call, FILE *file, uint64_t *sent,
                               struct rf_err *err)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    uint32_t count = 0;
    enum rf_kind kind = RF_OK;
    struct rf_buf body = rf_buf_in(call->arena);
    rf_buf_byte(&body, '[');
    while (kind == RF_OK && (len = getline(&text, &cap, file)) >= 0) {
        rf_str line = rf_str_make(text, (size_t)len);
        while (line.len > 0 && (line.ptr[line.len - 1] == '\n' || line.ptr[line.len - 1] == '\r'))
            line.len--;
        if (line.len == 0) continue;
        if (line.len > LINE_BYTES_MAX || !rf_utf8_valid(line)) {
            kind = RF_FAIL(err, RF_INVALID, "BadLine",
                           "line %llu is longer than a megabyte, or no UTF-8: nothing from it on "
                           "was sent",
                           (unsigned long long)*sent + count + 1);
            break;
        }
        if (count > 0) rf_buf_byte(&body, ',');
        put_event(&body, line, call->args->key);
        if (++count < BATCH_EVENTS && body.len < BATCH_BYTES) continue;
        kind = send_batch(call, &body, count, err);
        if (kind != RF_OK) break;
        *sent += count;
        count = 0;
        rf_arena_reset(call->arena);
        body = rf_buf_in(call->arena);
        rf_buf_byte(&body, '[');
    }
    free(text);
    if (kind == RF_OK) kind = send_batch(call, &body, count, err);
    if (kind == RF_OK) *sent += count;
    return kind;
}

static enum rf_kind send_by_devices(const struct event_call *call, FILE *file, uint64_t *sent,
                                    uint32_t *devices, struct rf_err *err)
{
    const struct event_args *args = call->args;
    const struct cli_fleet_args fleet = {.login = cli_server_login(call->server),
                                         .hub = call->hub,
                                         .folder = args->devices,
                                         .field = args->field == NULL ? "DeviceId" : args->field,
                                         .over_websocket = args->over_websocket,
                                         .pace = args->pace};
    return cli_fleet_send(&fleet, file, sent, devices, err);
}

static enum rf_kind send_file(struct event_call *call, struct rf_err *err)
{
    const char *path = call->args->word_count == 3 ? call->args->words[2] : "-";
    uint64_t sent = 0;
    uint32_t devices = 0;
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL) return RF_FAIL_ERRNO(err, "FileNotFound", "cannot open %s", path);
    enum rf_kind kind = call->args->devices == NULL
                            ? send_lines(call, file, &sent, err)
                            : send_by_devices(call, file, &sent, &devices, err);
    if (file != stdin) (void)fclose(file);
    if (devices > 0)
        cli_say("%u devices sent %llu events to '%.*s'", devices, (unsigned long long)sent,
                RF_FMT(call->hub));
    else if (kind == RF_OK || sent > 0)
        cli_say("sent %llu events to '%.*s'", (unsigned long long)sent, RF_FMT(call->hub));
    return kind;
}

/* ---- what the server knows of a hub ----------------------------------------------------------------------------------- */

/* {"begin","end","next","value":[...]}: numbers that are kept are in [begin, end). `from` -1: the last ones. */
static enum rf_kind peek(const struct event_call *call, uint32_t partition, int64_t from,
                         int64_t count, struct json_node **out, struct rf_err *err)
{
    struct http_answer answer;
    struct cli_call request = {.method = "GET", .is_events = true};
    rf_str path =
        rf_arena_printf(call->arena, "/%.*s/partitions/%u/events", RF_FMT(call->hub), partition);
    if (from < 0 && count > 0) {
        int64_t end = 0;
        RF_TRY(peek(call, partition, 0, 0, out, err));
        (void)json_i64_at(*out, "end", &end);
        from = RF_MAX(end - count, 0);
    }
    path = cli_url_path(call->arena, path);
    request.target = rf_arena_printf(call->arena, "%.*s?from=%lld&count=%lld", RF_FMT(path),
                                     (long long)RF_MAX(from, 0), (long long)count);
    if (request.target.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_call(call->server, &request, call->arena, &answer, err));
    return json_parse(answer.body, call->arena, out, err);
}

/* By the hub's resource. */
static enum rf_kind partition_count(const struct event_call *call, uint32_t *out,
                                    struct rf_err *err)
{
    struct json_node *hub, *list;
    const struct cli_site *site = cli_server_site(call->server);
    rf_str names = call->args->names == NULL ? RF_S("") : rf_str_of(call->args->names), target;
    int64_t count = 0;
    if (names.len == 0) {
        target = rf_arena_printf(
            call->arena, "/subscriptions/%.*s/providers/" NAMESPACES "?api-version=" VERSION,
            RF_FMT(site->subscription_id));
        if (target.ptr == NULL) return rf_fail_memory(err, call->arena);
        RF_TRY(cli_server_list(call->server, target, call->arena, &list, err));
        if (list->count == 0)
            return RF_FAIL(err, RF_NOT_FOUND, "NoNamespace", "the server has no namespace");
        names = json_text_at(list->first, "id");
    } else {
        RF_TRY(cli_server_id(call->server,
                             rf_arena_printf(call->arena, NAMESPACES "/%.*s", RF_FMT(names)),
                             call->arena, &names, err));
    }
    target = rf_arena_printf(call->arena, "%.*s/eventhubs/%.*s", RF_FMT(names), RF_FMT(call->hub));
    RF_TRY(cli_server_target(call->server, target, RF_S(VERSION), call->arena, &target, err));
    RF_TRY(cli_server_get(call->server, target, call->arena, &hub, err));
    if (!json_i64_at(hub, "properties.partitionCount", &count) || count < 1 ||
        count > PARTITIONS_MAX)
        return RF_FAIL(err, RF_INVALID, "BadAnswer", "the hub has no number of partitions");
    *out = (uint32_t)count;
    return RF_OK;
}

/* A line for each event; *next is the number behind the last one. */
static enum rf_kind print_events(const struct json_node *list, struct rf_arena *arena,
                                 int64_t *next, struct rf_err *err)
{
    for (const struct json_node *e = list == NULL ? NULL : list->first; e != NULL; e = e->next) {
        int64_t number;
        rf_str text = json_to_text(arena, e);
        if (text.ptr == NULL) return rf_fail_memory(err, arena);
        printf("%.*s\n", RF_FMT(text));
        if (json_i64_at(e, "sequenceNumber", &number)) *next = RF_MAX(*next, number + 1);
    }
    (void)fflush(stdout);
    return RF_OK;
}

static enum rf_kind peek_all(const struct event_call *call, struct rf_err *err)
{
    const struct event_args *args = call->args;
    uint32_t first = (uint32_t)RF_MAX(args->partition, 0), end = first + 1;
    if (args->partition < 0) RF_TRY(partition_count(call, &end, err));
    for (uint32_t p = first; p < end; p++) {
        struct json_node *answer;
        int64_t next = 0, count = args->count < 0 ? PEEK_COUNT : args->count;
        RF_TRY(peek(call, p, args->from, count, &answer, err));
        RF_TRY(print_events(json_get(answer, "value"), call->arena, &next, err));
    }
    return RF_OK;
}

static enum rf_kind stats(const struct event_call *call, struct rf_err *err)
{
    static const struct cli_list_column columns[] = {
        {RF_S("partition"), "partition", {0}, CLI_LIST_NUMBER},
        {RF_S("begin"), "begin", {0}, CLI_LIST_NUMBER},
        {RF_S("end"), "end", {0}, CLI_LIST_NUMBER},
        {RF_S("events"), "events", {0}, CLI_LIST_NUMBER}};
    uint32_t count;
    struct json_node *list = json_new(call->arena, JSON_T_ARRAY);
    if (list == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(partition_count(call, &count, err));
    for (uint32_t p = 0; p < count; p++) {
        struct json_node *answer;
        if (call->args->partition >= 0 && p != call->args->partition) continue;
        RF_TRY(peek(call, p, -1, 0, &answer, err));
        int64_t begin = 0, end = 0;
        (void)json_i64_at(answer, "begin", &begin);
        (void)json_i64_at(answer, "end", &end);
        json_remove(answer, RF_S("value"));
        json_remove(answer, RF_S("next"));
        json_set_i64(call->arena, answer, "partition", p);
        json_set_i64(call->arena, answer, "events", end - begin);
        (void)json_append(list, answer);
    }
    return cli_list_print(list, RF_S("partitions"), columns, RF_COUNT(columns), call->args->format,
                          call->arena, err);
}

/* ---- tail ----------------------------------------------------------------------------------------------------------------- */

static void pause_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&left, NULL);
}

/* Until the reader goes or somebody ends it. */
static enum rf_kind tail(const struct event_call *call, struct rf_err *err)
{
    int64_t next[PARTITIONS_MAX];
    uint32_t count;
    RF_TRY(partition_count(call, &count, err));
    for (uint32_t p = 0; p < count; p++) {
        struct json_node *answer;
        next[p] = RF_MAX(call->args->from, 0);
        if (call->args->from >= 0) continue;
        RF_TRY(peek(call, p, -1, 0, &answer, err));
        (void)json_i64_at(answer, "end", &next[p]);
    }
    for (;;) {
        bool any = false;
        for (uint32_t p = 0; p < count; p++) {
            struct json_node *answer;
            int64_t before = next[p];
            if (call->args->partition >= 0 && p != call->args->partition) continue;
            rf_arena_reset(call->arena);
            RF_TRY(peek(call, p, next[p], PEEK_COUNT_MAX, &answer, err));
            RF_TRY(print_events(json_get(answer, "value"), call->arena, &next[p], err));
            any |= next[p] != before;
        }
        if (ferror(stdout)) return RF_OK;
        if (!any) pause_ms(TAIL_PAUSE_MS);
    }
}

/* ---- the command ----------------------------------------------------------------------------------------------------------- */

static enum rf_kind act(struct event_call *call, struct rf_err *err)
{
    const char *verb = call->args->words[0];
    if (strcmp(verb, "send") == 0) return send_file(call, err);
    if (strcmp(verb, "tail") == 0) return tail(call, err);
    if (strcmp(verb, "peek") == 0) return peek_all(call, err);
    return stats(call, err);
}

int cli_events(int argc, char **argv)
{
    struct event_args args = {.partition = -1, .from = -1, .count = -1, .format = CLI_FORMAT_COUNT};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct event_call call = {.args = &args, .arena = &arena, .hub = rf_str_of(args.words[1])};
    struct rf_err err = {.code = ""};
    enum rf_kind kind = cli_server_open(&args.server, &call.server, &err);
    if (kind == RF_OK) kind = act(&call, &err);
    cli_server_close(call.server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
