/* cli_incidents.c - ringfort incidents: what a server's rules found, and what becomes of it. */
#include <time.h>

#include "base/encode.h"
#include "cli/cli.h"
#include "cli/cli_list.h"
#include "cli/cli_server.h"
#include "cli/cli_text.h"

enum { ANSWER_BYTES_MAX = 512 << 20, WATCH_PAUSE_SECONDS = 2, LINE_WIDTH = 100 };
#define VERSION "2023-02-01"

enum {
    OPT_SERVER,
    OPT_WORKSPACE = OPT_SERVER + CLI_SERVER_OPTION_COUNT,
    OPT_STATUS,
    OPT_SEVERITY,
    OPT_TOP,
    OPT_CLASSIFICATION,
    OPT_REASON,
    OPT_COMMENT,
    OPT_WATCH,
    OPT_FORMAT
};

static const struct cli_option options[] = {
    CLI_SERVER_OPTIONS(OPT_SERVER),
    [OPT_WORKSPACE] = {"workspace", "NAME", "the workspace of the server: name or id"},
    [OPT_STATUS] = {"status", "STATUS",
                    "list: New, Active, Closed, or open (those that are not Closed)"},
    [OPT_SEVERITY] = {"severity", "SEVERITY", "list: High, Medium, Low or Informational"},
    [OPT_TOP] = {"top", "N", "list: at most so many, newest first; 50 unless given"},
    [OPT_CLASSIFICATION] = {"classification", "C",
                            "close: TruePositive, BenignPositive, FalsePositive or Undetermined"},
    [OPT_REASON] = {"reason", "R",
                    "close: SuspiciousActivity, SuspiciousButExpected, IncorrectAlertLogic or "
                    "InaccurateData"},
    [OPT_COMMENT] = {"comment", "TEXT", "close: what to say about it"},
    [OPT_WATCH] = {"watch", NULL, "list: print new incidents as they are raised, until stopped"},
    [OPT_FORMAT] = {"format", "FORMAT",
                    "table, csv, markdown, json or jsonl (all that the server says)"},
};

static const struct cli_usage usage = {
    .command = "incidents",
    .words = "[list | show N | close N | comment N TEXT]",
    .doc = "Lists the incidents of a server, shows one, closes it, comments on it.",
    .options = options,
    .option_count = RF_COUNT(options),
    .notes = "N is the number of an incident, or its name (a GUID).\n\n"
             "  ringfort incidents --status open --severity High\n"
             "  ringfort incidents close 7 --classification TruePositive --reason "
             "SuspiciousActivity",
};

struct incident_args {
    struct cli_server_args server;
    const char *workspace, *status, *severity, *classification, *reason, *comment;
    const char *words[3];
    uint32_t word_count, top;
    bool watch;
    enum cli_format format;
};

/* What a verb works with. */
struct incident_call {
    struct cli_server *server;
    const struct incident_args *args;
    struct rf_arena *arena;
    rf_str base; /* id of the collection */
};

/* ---- arguments -------------------------------------------------------------------------------------------------------- */

static int check_words(const struct incident_args *args)
{
    static const struct {
        const char *verb;
        uint32_t words;
    } verbs[] = {{"list", 1}, {"show", 2}, {"close", 2}, {"comment", 3}};
    if (args->word_count == 0) return CLI_OK;
    for (size_t i = 0; i < RF_COUNT(verbs); i++) {
        if (strcmp(args->words[0], verbs[i].verb) != 0) continue;
        if (args->word_count > verbs[i].words)
            return cli_wrong(&usage, "'%s' is not expected", args->words[verbs[i].words]);
        if (args->word_count == verbs[i].words) return CLI_OK;
        return cli_wrong(&usage, "%s needs %s", args->words[0],
                         args->word_count == 1 ? "the number of an incident" : "a text");
    }
    return cli_wrong(&usage, "'%s' is not list, show, close or comment", args->words[0]);
}

static bool parse_number(const char *text, uint32_t *out)
{
    rf_str s = rf_str_of(text);
    uint32_t number = 0;
    if (s.len == 0 || s.len > 9) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!rf_is_digit(s.ptr[i])) return false;
        number = number * 10 + (uint32_t)(s.ptr[i] - '0');
    }
    *out = number;
    return true;
}

static int take_option(int at, const char *value, struct incident_args *args)
{
    switch (at) {
    case OPT_WORKSPACE:
        args->workspace = value;
        return CLI_OK;
    case OPT_STATUS:
        args->status = value;
        return CLI_OK;
    case OPT_SEVERITY:
        args->severity = value;
        return CLI_OK;
    case OPT_CLASSIFICATION:
        args->classification = value;
        return CLI_OK;
    case OPT_REASON:
        args->reason = value;
        return CLI_OK;
    case OPT_COMMENT:
        args->comment = value;
        return CLI_OK;
    case OPT_WATCH:
        args->watch = true;
        return CLI_OK;
    case OPT_TOP:
        if (parse_number(value, &args->top) && args->top >= 1 && args->top <= 1000) return CLI_OK;
        return cli_wrong(&usage, "--top: '%s' is not a number from 1 to 1000", value);
    case OPT_FORMAT:
        if (cli_format_parse(value, &args->format) && args->format != CLI_CHART) return CLI_OK;
        return cli_wrong(&usage, "--format: '%s' is not table, json, jsonl, csv or markdown",
                         value);
    default:
        return cli_server_option(at, OPT_SERVER, value, &args->server) ? CLI_OK : CLI_WRONG_USE;
    }
}

static int read_args(int argc, char **argv, struct incident_args *args)
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

/* ---- asking ------------------------------------------------------------------------------------------------------------- */

static rf_str target_of(const struct incident_call *call, rf_str id)
{
    return rf_arena_printf(call->arena, "%.*s?api-version=" VERSION,
                           RF_FMT(cli_url_path(call->arena, id)));
}

/* The first page of what passes the filter. */
static enum rf_kind ask_list(const struct incident_call *call, rf_str filter, uint32_t top,
                             const struct json_node **out, struct rf_err *err)
{
    struct json_node *page;
    rf_str text = percent_encode(call->arena, filter);
    rf_str target = rf_arena_printf(call->arena,
                                    "%.*s&%%24top=%u&%%24orderby=properties%%2FcreatedTimeUtc%%20"
                                    "desc%s%.*s",
                                    RF_FMT(target_of(call, call->base)), top,
                                    filter.len == 0 ? "" : "&%24filter=", RF_FMT(text));
    if (target.ptr == NULL || text.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_get(call->server, target, call->arena, &page, err));
    *out = json_get(page, "value");
    if (json_is(*out, JSON_T_ARRAY)) return RF_OK;
    return RF_FAIL(err, RF_INVALID, "BadAnswer", "the answer of the server is no list");
}

/* The incident that a word names. */
static enum rf_kind ask_one(const struct incident_call *call, const char *word,
                            struct json_node **out, struct rf_err *err)
{
    uint32_t number;
    const struct json_node *list;
    if (!parse_number(word, &number)) {
        rf_str id = rf_arena_printf(call->arena, "%.*s/%s", RF_FMT(call->base), word);
        rf_str target = target_of(call, id);
        if (id.ptr == NULL || target.ptr == NULL) return rf_fail_memory(err, call->arena);
        return cli_server_get(call->server, target, call->arena, out, err);
    }
    rf_str filter = rf_arena_printf(call->arena, "properties/incidentNumber eq %u", number);
    if (filter.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(ask_list(call, filter, 1, &list, err));
    if (list->first == NULL)
        return RF_FAIL(err, RF_NOT_FOUND, "IncidentNotFound", "there is no incident %u", number);
    *out = list->first;
    return RF_OK;
}

static enum rf_kind ask_parts(const struct incident_call *call, const struct json_node *incident,
                              const char *what, const char *method, struct json_node **out,
                              struct rf_err *err)
{
    struct http_answer answer;
    rf_str id = rf_arena_printf(call->arena, "%.*s/%s", RF_FMT(json_text_at(incident, "id")), what);
    struct cli_call request = {.method = method, .target = target_of(call, id)};
    if (id.ptr == NULL || request.target.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_call(call->server, &request, call->arena, &answer, err));
    return json_parse(answer.body, call->arena, out, err);
}

/* ---- the list -------------------------------------------------------------------------------------------------------------- */

static const struct cli_list_column shown[] = {
    {{(const uint8_t *)"number", 6}, "properties.incidentNumber", {NULL, 0}, CLI_LIST_NUMBER},
    {{(const uint8_t *)"created", 7}, "properties.createdTimeUtc", {NULL, 0}, CLI_LIST_TIME},
    {{(const uint8_t *)"severity", 8}, "properties.severity", {NULL, 0}, CLI_LIST_TEXT},
    {{(const uint8_t *)"status", 6}, "properties.status", {NULL, 0}, CLI_LIST_TEXT},
    {{(const uint8_t *)"alerts", 6},
     "properties.additionalData.alertsCount",
     {NULL, 0},
     CLI_LIST_NUMBER},
    {{(const uint8_t *)"owner", 5}, "properties.owner.assignedTo", {NULL, 0}, CLI_LIST_TEXT},
    {{(const uint8_t *)"title", 5}, "properties.title", {NULL, 0}, CLI_LIST_TEXT}};

/* A text inside single quotes of $filter. */
static void put_quoted(struct rf_buf *buf, const char *text)
{
    rf_buf_byte(buf, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') rf_buf_byte(buf, '\'');
        rf_buf_byte(buf, (uint8_t)*c);
    }
    rf_buf_byte(buf, '\'');
}

static enum rf_kind filter_of(const struct incident_call *call, rf_str *out, struct rf_err *err)
{
    const struct incident_args *args = call->args;
    struct rf_buf buf = rf_buf_in(call->arena);
    bool is_open = args->status != NULL && rf_str_eq_nocase(rf_str_of(args->status), RF_S("open"));
    if (args->status != NULL) {
        rf_buf_printf(&buf, "properties/status %s ", is_open ? "ne" : "eq");
        put_quoted(&buf, is_open ? "Closed" : args->status);
    }
    if (args->severity != NULL) {
        rf_buf_printf(&buf, "%sproperties/severity eq ", buf.len > 0 ? " and " : "");
        put_quoted(&buf, args->severity);
    }
    if (buf.failed) return rf_fail_memory(err, call->arena);
    *out = rf_buf_view(&buf);
    return RF_OK;
}

/* ---- watching ------------------------------------------------------------------------------------------------------------------ */

static const char *severity_colour(rf_str severity)
{
    if (rf_str_eq_nocase(severity, RF_S("High"))) return "\x1b[1;31m";
    if (rf_str_eq_nocase(severity, RF_S("Medium"))) return "\x1b[1;33m";
    return "\x1b[1;36m";
}

/* 12:00:07  #7  High  title [CredentialAccess] */
static void print_line(const struct json_node *incident)
{
    int64_t number = 0;
    rf_str time = json_text_at(incident, "properties.createdTimeUtc");
    rf_str severity = json_text_at(incident, "properties.severity");
    bool colour = cli_has_colour(stdout);
    (void)json_i64_at(incident, "properties.incidentNumber", &number);
    if (time.len > 19) time = rf_slice(time, 11, 19);
    printf("%.*s  #%-5lld %s%-13.*s%s  ", RF_FMT(time), (long long)number,
           colour ? severity_colour(severity) : "", RF_FMT(severity), colour ? "\x1b[0m" : "");
    (void)cli_text_print(stdout, json_text_at(incident, "properties.title"), LINE_WIDTH);
    const struct json_node *tactics = json_at(incident, "properties.additionalData.tactics");
    for (const struct json_node *t = tactics == NULL ? NULL : tactics->first; t != NULL;
         t = t->next)
        printf("%s%.*s%s", t == tactics->first ? "  [" : ", ", RF_FMT(t->text),
               t->next == NULL ? "]" : "");
    printf("\n");
}

static int64_t number_of(const struct json_node *incident)
{
    int64_t number = 0;
    (void)json_i64_at(incident, "properties.incidentNumber", &number);
    return number;
}

/* Prints those above *last, oldest first. */
static enum rf_kind print_new(struct incident_call *call, int64_t *last, struct rf_err *err)
{
    const struct json_node *list;
    rf_str own, filter;
    RF_TRY(filter_of(call, &own, err));
    filter = rf_arena_printf(call->arena, "properties/incidentNumber gt %lld%s%.*s",
                             (long long)*last, own.len > 0 ? " and " : "", RF_FMT(own));
    if (filter.ptr == NULL) return rf_fail_memory(err, call->arena);
    RF_TRY(ask_list(call, filter, 1000, &list, err));
    const struct json_node **items =
        rf_arena_new(call->arena, const struct json_node *, list->count);
    uint32_t count = 0;
    if (items == NULL) return rf_fail_memory(err, call->arena);
    for (const struct json_node *item = list->first; item != NULL; item = item->next)
        items[count++] = item;
    while (count > 0) {
        const struct json_node *item = items[--count];
        if (call->args->format == CLI_JSONL) {
            rf_str text = json_to_text(call->arena, item);
            printf("%.*s\n", RF_FMT(text));
        } else {
            print_line(item);
        }
        *last = RF_MAX(*last, number_of(item));
    }
    if (fflush(stdout) != 0)
        return RF_FAIL_ERRNO(err, "OutputFailed", "the list cannot be written");
    return RF_OK;
}

/* A server that is starting anew is waited for; it is said once that it does not answer. */
static enum rf_kind watch(struct incident_call *call, struct rf_err *err)
{
    const struct json_node *list;
    const struct timespec pause = {.tv_sec = WATCH_PAUSE_SECONDS};
    bool said = false;
    RF_TRY(ask_list(call, RF_S(""), 1, &list, err));
    int64_t last = list->first == NULL ? 0 : number_of(list->first);
    cli_say("watching; the newest is #%lld", (long long)last);
    for (;;) {
        struct rf_arena round, *outer = call->arena;
        rf_arena_init(&round, ANSWER_BYTES_MAX);
        call->arena = &round;
        enum rf_kind kind = print_new(call, &last, err);
        call->arena = outer;
        rf_arena_done(&round);
        if (kind != RF_OK && kind != RF_IO && kind != RF_AGAIN) return kind;
        if (kind != RF_OK && strcmp(err->code, "OutputFailed") == 0) return kind;
        if (kind != RF_OK && !said) cli_say("%s; waiting for the server", err->text);
        said = kind != RF_OK;
        (void)nanosleep(&pause, NULL);
    }
}

static enum rf_kind list_all(struct incident_call *call, struct rf_err *err)
{
    const struct json_node *list;
    rf_str filter;
    if (call->args->watch) return watch(call, err);
    RF_TRY(filter_of(call, &filter, err));
    RF_TRY(ask_list(call, filter, call->args->top, &list, err));
    return cli_list_print(list, RF_S("incidents"), shown, RF_COUNT(shown), call->args->format,
                          call->arena, err);
}

/* ---- one incident --------------------------------------------------------------------------------------------------------------- */

static void print_field(const char *name, rf_str text)
{
    if (text.len == 0) return;
    printf("  %-12s ", name);
    (void)cli_text_print(stdout, text, UINT32_MAX);
    printf("\n");
}

static void print_texts(const char *name, const struct json_node *list, const char *member)
{
    if (!json_is(list, JSON_T_ARRAY) || list->count == 0) return;
    printf("  %-12s ", name);
    for (const struct json_node *item = list->first; item != NULL; item = item->next) {
        if (item != list->first) printf(", ");
        (void)cli_text_print(stdout, member == NULL ? item->text : json_text_at(item, member),
                             LINE_WIDTH);
    }
    printf("\n");
}

static void print_header(const struct json_node *incident)
{
    const struct json_node *p = json_get(incident, "properties");
    printf("#%lld  %.*s  %.*s  ", (long long)number_of(incident),
           RF_FMT(json_text_at(p, "severity")), RF_FMT(json_text_at(p, "status")));
    (void)cli_text_print(stdout, json_text_at(p, "title"), UINT32_MAX);
    printf("\n");
    print_field("description", json_text_at(p, "description"));
    print_field("name", json_text_at(incident, "name"));
    print_field("created", json_text_at(p, "createdTimeUtc"));
    print_field("changed", json_text_at(p, "lastModifiedTimeUtc"));
    print_field("activity", json_text_at(p, "firstActivityTimeUtc"));
    print_field("", json_text_at(p, "lastActivityTimeUtc"));
    print_field("owner", json_text_at(p, "owner.assignedTo"));
    print_texts("labels", json_get(p, "labels"), "labelName");
    print_texts("tactics", json_at(p, "additionalData.tactics"), NULL);
    print_texts("techniques", json_at(p, "additionalData.techniques"), NULL);
    print_field("class", json_text_at(p, "classification"));
    print_field("reason", json_text_at(p, "classificationReason"));
    print_field("comment", json_text_at(p, "classificationComment"));
}

static void print_alerts(const struct json_node *alerts)
{
    for (const struct json_node *a = alerts == NULL ? NULL : alerts->first; a != NULL;
         a = a->next) {
        const struct json_node *p = json_get(a, "properties");
        if (a == alerts->first) printf("\nalerts\n");
        printf("  %.19s  %-13.*s  ",
               json_text_at(p, "timeGenerated").len >= 19
                   ? (const char *)json_text_at(p, "timeGenerated").ptr
                   : "",
               RF_FMT(json_text_at(p, "severity")));
        (void)cli_text_print(stdout, json_text_at(p, "alertDisplayName"), LINE_WIDTH);
        printf("\n");
    }
}

static void print_entities(const struct json_node *entities)
{
    const struct json_node *e = entities == NULL ? NULL : entities->first;
    for (; e != NULL; e = e->next) {
        if (e == entities->first) printf("\nentities\n");
        printf("  %-16.*s", RF_FMT(json_text_at(e, "kind")));
        const struct json_node *p = json_get(e, "properties");
        bool first = true;
        for (const struct json_node *m = p == NULL ? NULL : p->first; m != NULL; m = m->next) {
            if (m->type != JSON_T_STRING || rf_str_is(m->name, "friendlyName") ||
                rf_str_ends(m->name, RF_S("EntityId")))
                continue;
            printf("%s%.*s=", first ? "" : "  ", RF_FMT(m->name));
            (void)cli_text_print(stdout, m->text, LINE_WIDTH);
            first = false;
        }
        printf("\n");
    }
}

static void print_comments(const struct json_node *comments)
{
    const struct json_node *c = comments == NULL ? NULL : comments->first;
    for (; c != NULL; c = c->next) {
        const struct json_node *p = json_get(c, "properties");
        rf_str time = json_text_at(p, "createdTimeUtc");
        if (c == comments->first) printf("\ncomments\n");
        printf("  %.*s  ", RF_FMT(rf_slice(time, 0, RF_MIN(time.len, (size_t)19))));
        (void)cli_text_print(stdout, json_text_at(p, "author.name"), 60);
        printf(": ");
        (void)cli_text_print(stdout, json_text_at(p, "message"), UINT32_MAX);
        printf("\n");
    }
}

static enum rf_kind show(const struct incident_call *call, struct rf_err *err)
{
    struct json_node *incident, *alerts, *entities, *comments;
    RF_TRY(ask_one(call, call->args->words[1], &incident, err));
    RF_TRY(ask_parts(call, incident, "alerts", "POST", &alerts, err));
    RF_TRY(ask_parts(call, incident, "entities", "POST", &entities, err));
    RF_TRY(ask_parts(call, incident, "comments", "GET", &comments, err));
    if (call->args->format == CLI_JSON || call->args->format == CLI_JSONL) {
        struct json_node *all = json_clone(call->arena, incident);
        const struct json_node *const parts[] = {
            json_get(alerts, "value"), json_get(entities, "entities"), json_get(comments, "value")};
        static const char *const names[] = {"alerts", "entities", "comments"};
        for (size_t i = 0; i < RF_COUNT(parts); i++)
            if (json_set(call->arena, all, rf_str_of(names[i]),
                         json_clone(call->arena, parts[i])) == NULL)
                return rf_fail_memory(err, call->arena);
        cli_print_json(all, call->arena);
        return RF_OK;
    }
    print_header(incident);
    print_alerts(json_get(alerts, "value"));
    print_entities(json_get(entities, "entities"));
    print_comments(json_get(comments, "value"));
    return RF_OK;
}

static enum rf_kind close_one(const struct incident_call *call, struct rf_err *err)
{
    const struct incident_args *args = call->args;
    struct json_node *incident, *now;
    bool created;
    RF_TRY(ask_one(call, args->words[1], &incident, err));
    struct json_node *p = json_object_in(call->arena, incident, "properties");
    const char *class = args->classification == NULL ? "Undetermined" : args->classification;
    json_remove(p, RF_S("classificationReason"));
    json_remove(p, RF_S("classificationComment"));
    json_set_text(call->arena, p, "classification", rf_str_of(class));
    if (args->reason != NULL)
        json_set_text(call->arena, p, "classificationReason", rf_str_of(args->reason));
    if (args->comment != NULL)
        json_set_text(call->arena, p, "classificationComment", rf_str_of(args->comment));
    if (json_set_text(call->arena, p, "status", RF_S("Closed")) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_put(call->server, json_text_at(incident, "id"), RF_S(VERSION), incident,
                          call->arena, &created, &now, err));
    cli_say("closed #%lld as %.*s", (long long)number_of(now),
            RF_FMT(json_text_at(now, "properties.classification")));
    return RF_OK;
}

static enum rf_kind comment(const struct incident_call *call, struct rf_err *err)
{
    struct json_node *incident, *now;
    bool created;
    RF_TRY(ask_one(call, call->args->words[1], &incident, err));
    rf_str guid = guid_random(call->arena);
    rf_str id = rf_arena_printf(call->arena, "%.*s/comments/%.*s",
                                RF_FMT(json_text_at(incident, "id")), RF_FMT(guid));
    struct json_node *body = json_new(call->arena, JSON_T_OBJECT);
    struct json_node *p = json_object_in(call->arena, body, "properties");
    if (guid.ptr == NULL || id.ptr == NULL ||
        json_set_text(call->arena, p, "message", rf_str_of(call->args->words[2])) == NULL)
        return rf_fail_memory(err, call->arena);
    RF_TRY(cli_server_put(call->server, id, RF_S(VERSION), body, call->arena, &created, &now, err));
    cli_say("commented on #%lld", (long long)number_of(incident));
    return RF_OK;
}

/* ---- the command ---------------------------------------------------------------------------------------------------------------- */

static enum rf_kind act(struct incident_call *call, struct rf_err *err)
{
    const char *verb = call->args->word_count == 0 ? "list" : call->args->words[0];
    rf_str workspace;
    RF_TRY(cli_server_workspace(call->server, call->args->workspace, call->arena, NULL, &workspace,
                                err));
    call->base = rf_arena_printf(call->arena, "%.*s/providers/Microsoft.SecurityInsights/incidents",
                                 RF_FMT(workspace));
    if (call->base.ptr == NULL) return rf_fail_memory(err, call->arena);
    if (strcmp(verb, "show") == 0) return show(call, err);
    if (strcmp(verb, "close") == 0) return close_one(call, err);
    if (strcmp(verb, "comment") == 0) return comment(call, err);
    return list_all(call, err);
}

int cli_incidents(int argc, char **argv)
{
    struct incident_args args = {.format = CLI_FORMAT_COUNT, .top = 50};
    int status = read_args(argc, argv, &args);
    if (status != CLI_OK) return status == CLI_HELP ? CLI_OK : status;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, ANSWER_BYTES_MAX);
    struct incident_call call = {.args = &args, .arena = &arena};
    struct rf_err err = {.code = ""};
    enum rf_kind kind = cli_server_open(&args.server, &call.server, &err);
    if (kind == RF_OK) kind = act(&call, &err);
    cli_server_close(call.server);
    return kind == RF_OK ? CLI_OK : cli_say_error(&err, (rf_str){NULL, 0}, NULL);
}
