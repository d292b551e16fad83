#include "sigma/layout.h"

#include "base/json.h"

static rf_str nth_name(const void *state, size_t index)
{
    (void)state;
    return rf_str_of(layouts[index].name);
}

const struct layout *layout_find(rf_str name)
{
    for (size_t i = 0; i < layout_count(); i++)
        if (rf_str_is(name, layouts[i].name)) return &layouts[i];
    return NULL;
}

const char *layout_nearest(rf_str name)
{
    rf_str near;
    if (rf_nearest(name, layout_count(), nth_name, NULL, &near) == NULL) return NULL;
    return layout_find(near)->name;
}

/* ---- log sources ------------------------------------------------------------------------------------------------- */

static bool asks(const char *entry, rf_str said)
{
    return entry == NULL ? said.len == 0 : rf_str_is(said, entry);
}

static const struct layout_source *find_source(const struct layout *layout, rf_str product,
                                               rf_str category, rf_str service)
{
    for (const struct layout_source *s = layout->sources;
         s->product != NULL || s->category != NULL || s->service != NULL; s++) {
        bool fits = product.len == 0 || s->product == NULL || rf_str_is(product, s->product);
        if (fits && asks(s->category, category) && asks(s->service, service)) return s;
    }
    return NULL;
}

static bool knows_product(const struct layout *layout, rf_str product)
{
    for (const struct layout_source *s = layout->sources;
         s->product != NULL || s->category != NULL || s->service != NULL; s++)
        if (product.len == 0 || s->product == NULL || rf_str_is(product, s->product)) return true;
    return false;
}

bool layout_sees(const struct layout *layout, const struct sigma_logsource *source,
                 struct layout_bounds *out, const char **why)
{
    const rf_str none = {NULL, 0};
    const char *missing = NULL;
    *out = (struct layout_bounds){.count = 0};
    if (layout->sources == NULL) return true;
    const struct layout_source *both =
        find_source(layout, source->product, source->category, source->service);
    if (both != NULL) {
        out->items[out->count++] = both;
        return true;
    }
    const struct layout_source *category = NULL, *service = NULL;
    if (source->category.len > 0)
        category = find_source(layout, source->product, source->category, none);
    if (source->service.len > 0)
        service = find_source(layout, source->product, none, source->service);
    if (!knows_product(layout, source->product))
        missing = "product";
    else if (source->category.len > 0 && category == NULL)
        missing = "category";
    else if (source->service.len > 0 && service == NULL)
        missing = "service";
    else if (source->category.len + source->service.len == 0)
        missing = "product";
    if (why != NULL) *why = missing;
    if (missing != NULL) return false;
    if (category != NULL) out->items[out->count++] = category;
    if (service != NULL) out->items[out->count++] = service;
    return true;
}

bool layout_next_value(const char **list, rf_str *out)
{
    if (*list == NULL || **list == '\0') return false;
    const char *bar = strchr(*list, '|');
    size_t len = bar == NULL ? strlen(*list) : (size_t)(bar - *list);
    *out = rf_str_make(*list, len);
    *list += len + (bar != NULL);
    return true;
}

bool layout_has_value(const char *list, rf_str value)
{
    rf_str one;
    if (list == NULL) return true;
    while (layout_next_value(&list, &one))
        if (rf_str_eq_nocase(one, value)) return true;
    return false;
}

/* ---- fields --------------------------------------------------------------------------------------------------------- */

const struct layout_field *layout_field_of(const struct layout *layout, rf_str field)
{
    for (const struct layout_field *f = layout->fields; f->name != NULL; f++)
        if (rf_str_is(field, f->name)) return f;
    return NULL;
}

bool layout_has_column(const struct layout *layout, rf_str name)
{
    const char *rest = layout->columns;
    while (*rest != '\0') {
        const char *blank = strchr(rest, ' ');
        size_t len = blank == NULL ? strlen(rest) : (size_t)(blank - rest);
        if (rf_str_eq(rf_str_make(rest, len), name)) return true;
        rest += len + (blank != NULL);
    }
    return false;
}

/* ---- recognising ---------------------------------------------------------------------------------------------------- */

enum {
    HAS_EVENT = 1,
    HAS_CHANNEL = 2,
    HAS_EVENT_ID = 4,
    HAS_EVENT_DATA = 8,
    HAS_SYSLOG_MESSAGE = 16,
    HAS_EVENT_SOURCE = 32,
    HAS_EVENT_NAME = 64,
    HAS_OPERATION_NAME = 128,
    HAS_INITIATED_BY = 256,
    HAS_TENANT = 512,
    HAS_TIME_GENERATED = 1024,
    HAS_TYPE = 2048,
    HAS_HOST = 4096,
    HAS_SOURCE_NAME = 8192,
    HAS_DEVICE = 16384,
    HAS_ACTION = 32768,
    HAS_EVENT_SOURCE_NAME = 65536
};
static const struct {
    const char *key;
    uint32_t bit;
} signs[] = {
    {"Event", HAS_EVENT},
    {"Channel", HAS_CHANNEL},
    {"EventID", HAS_EVENT_ID},
    {"EventData", HAS_EVENT_DATA},
    {"SyslogMessage", HAS_SYSLOG_MESSAGE},
    {"eventSource", HAS_EVENT_SOURCE},
    {"eventName", HAS_EVENT_NAME},
    {"OperationName", HAS_OPERATION_NAME},
    {"InitiatedBy", HAS_INITIATED_BY},
    {"TenantId", HAS_TENANT},
    {"TimeGenerated", HAS_TIME_GENERATED},
    {"Type", HAS_TYPE},
    {"Hostname", HAS_HOST},
    {"SourceName", HAS_SOURCE_NAME},
    {"DeviceId", HAS_DEVICE},
    {"ActionType", HAS_ACTION},
    {"EventSourceName", HAS_EVENT_SOURCE_NAME},
};

/* The keys of the outermost object, as bits; 0 when the line is no object. */
static uint32_t signs_of(rf_str line)
{
    struct json_reader reader;
    struct json_event event;
    uint32_t found = 0;
    json_reader_init(&reader, line);
    if (json_next(&reader, &event, NULL) != RF_OK || event.kind != JSON_OBJECT_BEGIN) return 0;
    while (json_next(&reader, &event, NULL) == RF_OK && event.kind == JSON_KEY) {
        for (size_t i = 0; i < RF_COUNT(signs); i++)
            if (rf_str_is(event.text, signs[i].key)) found |= signs[i].bit;
        if (json_skip_value(&reader, NULL, NULL) != RF_OK) return 0;
    }
    return found;
}

static bool is_audit_line(rf_str line)
{
    size_t msg = rf_str_find(line, RF_S("msg=audit("), 0);
    return msg != SIZE_MAX && rf_str_find(rf_slice(line, 0, msg), RF_S("type="), 0) != SIZE_MAX;
}

const struct layout *layout_of_line(rf_str line)
{
    /* The first entry whose bits all stand in the line. */
    static const struct {
        uint32_t bits;
        const char *name;
    } shapes[] = {
        {HAS_EVENT_SOURCE_NAME | HAS_EVENT_ID | HAS_TIME_GENERATED, "workspace-table"},
        {HAS_EVENT_DATA | HAS_CHANNEL | HAS_EVENT_ID | HAS_TIME_GENERATED, "windows-event-table"},
        {HAS_SYSLOG_MESSAGE, "linux-sysmon-syslog"},
        {HAS_EVENT_SOURCE | HAS_EVENT_NAME, "aws-cloudtrail"},
        {HAS_OPERATION_NAME | HAS_INITIATED_BY, "entra-audit-table"},
        {HAS_TIME_GENERATED | HAS_TENANT, "workspace-table"},
        {HAS_TIME_GENERATED | HAS_TYPE, "workspace-table"},
        {HAS_DEVICE | HAS_ACTION, "defender"},
        {HAS_CHANNEL | HAS_EVENT_ID, "windows-flat"},
        {HAS_EVENT_ID | HAS_HOST, "windows-flat"},
        {HAS_EVENT_ID | HAS_SOURCE_NAME, "windows-flat"},
        {HAS_EVENT, "windows-nested"},
    };
    line = rf_str_trim(line);
    if (line.len == 0) return NULL;
    if (line.ptr[0] != '{')
        return is_audit_line(line) ? layout_find(RF_S("linux-auditd-text")) : NULL;
    uint32_t found = signs_of(line);
    for (size_t i = 0; i < RF_COUNT(shapes); i++)
        if ((found & shapes[i].bits) == shapes[i].bits)
            return layout_find(rf_str_of(shapes[i].name));
    return NULL;
}
