#include "collect/winevent.h"

#include "collect/xml.h"

/* ---- XML ------------------------------------------------------------------------------------------------------------------- */

enum section { SYSTEM, DATA, RENDERING, OTHER };

struct reading {
    struct xml_reader xml;
    struct xml_token token;
    struct winevent *event;
    enum section section;
    uint32_t event_depth; /* that of <Event> */
    size_t section_from;
    rf_str element; /* that is open in the section */
    rf_str name;    /* of <Data> */
    struct rf_buf text;
};

static const struct {
    const char *element, *attribute;
    size_t offset;
} attributes[] = {
    {"Provider", "Name", offsetof(struct winevent, provider)},
    {"TimeCreated", "SystemTime", offsetof(struct winevent, time)},
    {"Correlation", "ActivityID", offsetof(struct winevent, activity_id)},
    {"Execution", "ProcessID", offsetof(struct winevent, process_id)},
    {"Execution", "ThreadID", offsetof(struct winevent, thread_id)},
    {"Security", "UserID", offsetof(struct winevent, user_id)},
};
static const struct {
    enum section section;
    const char *element;
    size_t offset;
} texts[] = {
    {SYSTEM, "EventID", offsetof(struct winevent, event_id)},
    {SYSTEM, "Version", offsetof(struct winevent, version)},
    {SYSTEM, "Level", offsetof(struct winevent, level)},
    {SYSTEM, "Task", offsetof(struct winevent, task)},
    {SYSTEM, "Opcode", offsetof(struct winevent, opcode)},
    {SYSTEM, "Keywords", offsetof(struct winevent, keywords)},
    {SYSTEM, "EventRecordID", offsetof(struct winevent, record_id)},
    {SYSTEM, "Channel", offsetof(struct winevent, channel)},
    {SYSTEM, "Computer", offsetof(struct winevent, computer)},
    {RENDERING, "Message", offsetof(struct winevent, message)},
    {RENDERING, "Level", offsetof(struct winevent, level_name)},
};

static rf_str *member(struct winevent *event, size_t offset)
{
    return (rf_str *)(void *)((uint8_t *)event + offset);
}

static void open_section(struct reading *r)
{
    rf_str name = r->token.name;
    r->section = rf_str_is(name, "System") ? SYSTEM
                 : rf_str_is(name, "EventData") || rf_str_is(name, "UserData") ||
                         rf_str_is(name, "ProcessingErrorData")
                     ? DATA
                 : rf_str_is(name, "RenderingInfo") ? RENDERING
                                                    : OTHER;
    r->section_from = r->token.from;
}

static void open_element(struct reading *r)
{
    uint32_t depth = r->xml.depth - r->event_depth; /* 1: a section */
    if (depth == 1) open_section(r);
    if (depth < 2) return;
    r->element = r->token.name;
    r->text = rf_buf_in(r->xml.arena);
    r->name = (rf_str){0};
    if (r->section == DATA && rf_str_is(r->element, "Data"))
        r->name = xml_attribute(&r->token, "Name");
    else if (r->section == DATA)
        r->name = r->element; /* of user data and of <Binary> */
    for (size_t i = 0; i < RF_COUNT(attributes) && r->section == SYSTEM; i++)
        if (rf_str_is(r->element, attributes[i].element))
            *member(r->event, attributes[i].offset) =
                xml_attribute(&r->token, attributes[i].attribute);
}

static enum rf_kind close_element(struct reading *r, struct rf_err *err)
{
    uint32_t depth = r->xml.depth + 1 - r->event_depth;
    if (depth == 1 && r->section == DATA)
        r->event->raw_data = rf_slice(r->xml.text, r->section_from, r->token.to);
    /* Only the innermost element has a text: an outer one closes behind it. */
    bool innermost = depth >= 2 && rf_str_eq(r->token.name, r->element);
    r->element = (rf_str){0};
    if (!innermost) return RF_OK;
    if (r->text.failed) return rf_fail_memory(err, r->xml.arena);
    rf_str text = rf_buf_view(&r->text);
    if (r->section == DATA) {
        if (r->event->data_count == WINEVENT_DATA_MAX)
            return RF_FAIL(err, RF_LIMIT, "TooManyFields", "the event has more than %d data",
                           WINEVENT_DATA_MAX);
        r->event->data[r->event->data_count++] = (struct winevent_data){r->name, text};
    }
    for (size_t i = 0; i < RF_COUNT(texts); i++)
        if (texts[i].section == r->section && rf_str_is(r->token.name, texts[i].element))
            *member(r->event, texts[i].offset) = rf_str_trim(text);
    return RF_OK;
}

/* Behind the tag <Event>, up to its end. */
static enum rf_kind read_event(struct reading *r, struct rf_err *err)
{
    *r->event = (struct winevent){.data_count = 0};
    r->event_depth = r->xml.depth;
    r->section = OTHER;
    for (;;) {
        RF_TRY(xml_next(&r->xml, &r->token, err));
        if (r->token.kind == XML_OPEN) open_element(r);
        if (r->token.kind == XML_TEXT && r->element.len > 0) rf_buf_str(&r->text, r->token.text);
        if (r->token.kind != XML_CLOSE) continue;
        if (r->xml.depth < r->event_depth) return RF_OK;
        RF_TRY(close_element(r, err));
    }
}

enum rf_kind winevent_read_xml(rf_str text, const struct winevent_columns *columns,
                               struct rf_arena *arena, struct rowset *rows, struct rf_err *err)
{
    struct reading *r = rf_arena_zalloc(arena, sizeof *r);
    uint64_t count = 0;
    if (r == NULL) return rf_fail_memory(err, arena);
    r->event = rf_arena_zalloc(arena, sizeof *r->event);
    if (r->event == NULL) return rf_fail_memory(err, arena);
    xml_reader_init(&r->xml, text, arena);
    for (;;) {
        RF_TRY(xml_next(&r->xml, &r->token, err));
        if (r->token.kind == XML_END) break;
        if (r->token.kind != XML_OPEN || !rf_str_is(r->token.name, "Event")) continue;
        RF_TRY(read_event(r, err));
        if (r->event->event_id.len == 0)
            return RF_FAIL(err, RF_INVALID, "NoEvent", "event %llu has no EventID",
                           (unsigned long long)count);
        winevent_put(r->event, columns, arena, rows);
        count++;
    }
    if (count == 0) return RF_FAIL(err, RF_INVALID, "NoEvent", "the XML holds no <Event>");
    return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------------ */

/* The text of the first of several paths that has one; numbers as they are written, the first of a list. */
static rf_str any_text(const struct json_node *record, const char *const paths[4])
{
    for (size_t i = 0; i < 4 && paths[i] != NULL; i++) {
        const struct json_node *node = json_at(record, paths[i]);
        if (json_is(node, JSON_T_ARRAY)) node = node->first;
        if (json_is(node, JSON_T_STRING) || json_is(node, JSON_T_NUMBER)) return node->text;
    }
    return (rf_str){0};
}

static const struct {
    size_t offset;
    const char *paths[4]; /* Winlogbeat, NXLog, Fluent Bit */
} json_members[] = {
    {offsetof(struct winevent, provider),
     {"winlog.provider_name", "ProviderName", "SourceName", "Provider"}},
    {offsetof(struct winevent, event_id), {"winlog.event_id", "EventID", "event_id", "EventId"}},
    {offsetof(struct winevent, version), {"winlog.version", "Version", NULL}},
    {offsetof(struct winevent, level), {"Level", NULL}},
    {offsetof(struct winevent, level_name), {"log.level", "Severity", NULL}},
    {offsetof(struct winevent, task), {"Task", "winlog.task", NULL}},
    {offsetof(struct winevent, opcode), {"OpcodeValue", "winlog.opcode", "Opcode", NULL}},
    {offsetof(struct winevent, keywords), {"Keywords", "winlog.keywords", NULL}},
    {offsetof(struct winevent, time), {"@timestamp", "TimeCreated", "EventTime", NULL}},
    {offsetof(struct winevent, record_id),
     {"winlog.record_id", "EventRecordID", "RecordNumber", NULL}},
    {offsetof(struct winevent, activity_id), {"winlog.activity_id", "ActivityID", NULL}},
    {offsetof(struct winevent, process_id),
     {"winlog.process.pid", "ExecutionProcessID", "ProcessID", NULL}},
    {offsetof(struct winevent, thread_id),
     {"winlog.process.thread.id", "ExecutionThreadID", "ThreadID", NULL}},
    {offsetof(struct winevent, channel), {"winlog.channel", "Channel", NULL}},
    {offsetof(struct winevent, computer),
     {"winlog.computer_name", "Hostname", "Computer", "host.name"}},
    {offsetof(struct winevent, user_id), {"winlog.user.identifier", "UserID", NULL}},
    {offsetof(struct winevent, message), {"message", "Message", NULL}},
};

static bool is_json_member(rf_str name)
{
    static const char *const others[] = {
        "EventReceivedTime", "SourceModuleName", "SourceModuleType", "SeverityValue",   "EventType",
        "ProviderGuid",      "Qualifiers",       "Category",         "EventTimeWritten"};
    for (size_t i = 0; i < RF_COUNT(others); i++)
        if (rf_str_is(name, others[i])) return true;
    for (size_t i = 0; i < RF_COUNT(json_members); i++)
        for (size_t k = 0; k < 4 && json_members[i].paths[k] != NULL; k++)
            if (rf_str_is(name, json_members[i].paths[k])) return true;
    return false;
}

/* Winlogbeat has the data in an object, Fluent Bit texts without names in a list, NXLog beside everything else. */
static void read_json_data(const struct json_node *record, struct winevent *event)
{
    const struct json_node *data = json_at(record, "winlog.event_data");
    const struct json_node *inserts = json_get(record, "StringInserts");
    bool flat = data == NULL && inserts == NULL && json_get(record, "winlog") == NULL;
    const struct json_node *from = data != NULL ? data : inserts != NULL ? inserts : record;
    for (const struct json_node *m = from->first; m != NULL; m = m->next) {
        if (event->data_count == WINEVENT_DATA_MAX) return;
        if (m->type != JSON_T_STRING && m->type != JSON_T_NUMBER) continue;
        if (flat ? is_json_member(m->name) : from == record) continue;
        event->data[event->data_count++] = (struct winevent_data){m->name, m->text};
    }
}

enum rf_kind winevent_read_json(const struct json_node *record,
                                const struct winevent_columns *columns, struct rf_arena *arena,
                                struct rowset *rows, struct rf_err *err)
{
    rf_str xml =
        any_text(record, (const char *const[4]){"event.original", "System", "EventXml", "xml"});
    if (rf_str_starts(rf_str_trim(xml), RF_S("<Event")))
        return winevent_read_xml(xml, columns, arena, rows, err);
    struct winevent *event = rf_arena_zalloc(arena, sizeof *event);
    if (event == NULL) return rf_fail_memory(err, arena);
    for (size_t i = 0; i < RF_COUNT(json_members); i++)
        *member(event, json_members[i].offset) = any_text(record, json_members[i].paths);
    if (event->event_id.len == 0 || event->channel.len == 0)
        return RF_FAIL(err, RF_INVALID, "NoEvent",
                       "the record has no event id or no channel: it is none of Winlogbeat, NXLog "
                       "or Fluent Bit");
    read_json_data(record, event);
    winevent_put(event, columns, arena, rows);
    return rowset_failed(rows) ? rf_fail_memory(err, arena) : RF_OK;
}
