/* archive_type.c - captureDescription in the documents of hubs, and the names of files. */
#include "hub/archive_int.h"
#include "hub/types_doc.h"
#include "value/text.h"

enum {
    INTERVAL_LEAST = 60,
    INTERVAL_MOST = 900,
    INTERVAL_DEFAULT = 300,
    SIZE_LEAST = 10485760,
    SIZE_MOST = 524288000,
    SIZE_DEFAULT = 314572800,
    FORMAT_BYTES_MAX = 1024,
    NAME_BYTES_MAX = 255 - 6, /* with the dot and ".part" */
};
#define FORMAT_DEFAULT                                                                             \
    "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
#define DESTINATION "EventHubArchive.AzureBlockBlob"

/* ---- names of files --------------------------------------------------------------------------------------------------------- */

enum place {
    PLACE_NAMESPACE,
    PLACE_HUB,
    PLACE_PARTITION,
    PLACE_YEAR,
    PLACE_MONTH,
    PLACE_DAY,
    PLACE_HOUR,
    PLACE_MINUTE,
    PLACE_SECOND,
    PLACES_COUNT
};
static const char *const place_names[PLACES_COUNT] = {"{Namespace}", "{EventHub}", "{PartitionId}",
                                                      "{Year}",      "{Month}",    "{Day}",
                                                      "{Hour}",      "{Minute}",   "{Second}"};

/* Which placeholder the text begins with; PLACES_COUNT: none. */
static enum place place_at(rf_str text)
{
    for (uint32_t i = 0; i < PLACES_COUNT; i++) {
        rf_str name = rf_str_of(place_names[i]);
        if (text.len >= name.len && rf_str_eq_nocase(rf_slice(text, 0, name.len), name))
            return (enum place)i;
    }
    return PLACES_COUNT;
}

struct stamp {
    int parts[PLACES_COUNT];
};

static struct stamp stamp_of(rf_usec time)
{
    struct stamp s;
    int64_t ticks = DATETIME_UNIX_EPOCH + time * TICKS_PER_MICROSECOND;
    int second = (int)(ticks % TICKS_PER_DAY / TICKS_PER_SECOND);
    date_from_ticks(ticks, &s.parts[PLACE_YEAR], &s.parts[PLACE_MONTH], &s.parts[PLACE_DAY]);
    s.parts[PLACE_HOUR] = second / 3600;
    s.parts[PLACE_MINUTE] = second / 60 % 60;
    s.parts[PLACE_SECOND] = second % 60;
    return s;
}

static const char *ending(enum archive_encoding encoding)
{
    return encoding == ARCHIVE_JSON_LINES ? ".jsonl" : ".avro";
}

rf_str archive_path(const struct archive_settings *settings, rf_str space, rf_str hub,
                    uint32_t partition, rf_usec start, struct rf_arena *arena)
{
    struct stamp stamp = stamp_of(start);
    struct rf_buf buf = rf_buf_in(arena);
    rf_buf_str(&buf, settings->container);
    rf_buf_byte(&buf, '/');
    for (size_t at = 0; at < settings->format.len;) {
        rf_str rest = rf_slice(settings->format, at, settings->format.len);
        enum place place = place_at(rest);
        if (place == PLACES_COUNT) {
            rf_buf_byte(&buf, rest.ptr[0]);
            at++;
            continue;
        }
        at += strlen(place_names[place]);
        if (place == PLACE_NAMESPACE)
            rf_buf_str(&buf, space);
        else if (place == PLACE_HUB)
            rf_buf_str(&buf, hub);
        else if (place == PLACE_PARTITION)
            rf_buf_printf(&buf, "%u", partition);
        else
            rf_buf_printf(&buf, place == PLACE_YEAR ? "%04d" : "%02d", stamp.parts[place]);
    }
    rf_buf_str(&buf, rf_str_of(ending(settings->encoding)));
    return buf.failed ? (rf_str){0} : rf_buf_view(&buf);
}

rf_str archive_temp(rf_str path, struct rf_arena *arena)
{
    size_t slash = path.len;
    while (slash > 0 && path.ptr[slash - 1] != '/') slash--;
    rf_str folder = rf_slice(path, 0, slash), name = rf_slice(path, slash, path.len);
    return rf_arena_printf(arena, "%.*s.%.*s.part", RF_FMT(folder), RF_FMT(name));
}

/* ---- checks ------------------------------------------------------------------------------------------------------------------- */

static bool is_name_byte(uint8_t c)
{
    return rf_is_alnum(c) || c == '-' || c == '_' || c == '.' || c == '=' || c == ' ';
}

/* Each name of the path begins with a letter, a digit, '_' or '=', so none is ".." or hidden. */
static enum rf_kind check_format(rf_str format, struct rf_err *err)
{
    unsigned found = 0;
    bool at_start = true;
    if (format.len > FORMAT_BYTES_MAX)
        return BAD_ENTITY(err, "'archiveNameFormat' has more than %d characters.",
                          FORMAT_BYTES_MAX);
    for (size_t at = 0; at < format.len;) {
        rf_str rest = rf_slice(format, at, format.len);
        enum place place = place_at(rest);
        uint8_t c = rest.ptr[0];
        bool good = place != PLACES_COUNT || (c == '/' && !at_start) ||
                    (is_name_byte(c) && (!at_start || (c != '.' && c != '-' && c != ' ')));
        if (!good)
            return BAD_ENTITY(err,
                              "'archiveNameFormat' is not valid at character %zu: it may have the "
                              "placeholders, letters, digits and -_.= and '/' between names, which "
                              "begin with a letter, a digit, '_' or '='.",
                              at + 1);
        if (place != PLACES_COUNT) found |= 1u << place;
        at_start = c == '/';
        at += place == PLACES_COUNT ? 1 : strlen(place_names[place]);
    }
    for (uint32_t i = 0; i < PLACES_COUNT; i++)
        if ((found & 1u << i) == 0)
            return BAD_ENTITY(err,
                              "'archiveNameFormat' must contain {Namespace}, {EventHub}, "
                              "{PartitionId}, {Year}, {Month}, {Day}, {Hour}, {Minute} and "
                              "{Second}; it lacks %s.",
                              place_names[i]);
    if (at_start) return BAD_ENTITY(err, "'archiveNameFormat' must not end with '/'.");
    return RF_OK;
}

/* Azure's rules for names of containers. */
static bool is_container(rf_str name)
{
    bool good = name.len >= 3 && name.len <= 63;
    for (size_t i = 0; good && i < name.len; i++) {
        uint8_t c = name.ptr[i];
        good = (c >= 'a' && c <= 'z') || rf_is_digit(c) ||
               (c == '-' && i > 0 && i + 1 < name.len && name.ptr[i - 1] != '-');
    }
    return good;
}

/* ".../providers/Microsoft.Storage/storageAccounts/{3 to 24 small letters and digits}" */
static bool is_account(rf_str id)
{
    static const char type[] = "/providers/Microsoft.Storage/storageAccounts/";
    size_t slash = id.len;
    while (slash > 0 && id.ptr[slash - 1] != '/') slash--;
    rf_str name = rf_slice(id, slash, id.len);
    bool good = name.len >= 3 && name.len <= 24 && slash >= sizeof type && id.len <= 1024 &&
                id.ptr[0] == '/' &&
                rf_str_eq_nocase(rf_slice(id, slash - (sizeof type - 1), slash), rf_str_of(type));
    for (size_t i = 0; good && i < name.len; i++) good = rf_is_alnum(name.ptr[i]);
    return good;
}

static enum rf_kind read_range(const struct json_node *capture, const char *name, int64_t fallback,
                               int64_t least, int64_t most, int64_t *out, struct rf_err *err)
{
    const struct json_node *node = json_get(capture, name);
    *out = fallback;
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    if (json_i64_at(capture, name, out) && *out >= least && *out <= most) return RF_OK;
    return BAD_ENTITY(err, "'captureDescription.%s' must be a number from %lld to %lld.", name,
                      (long long)least, (long long)most);
}

static enum rf_kind read_truth(const struct json_node *capture, const char *name, bool *out,
                               struct rf_err *err)
{
    const struct json_node *node = json_get(capture, name);
    *out = json_is(node, JSON_T_TRUE);
    if (node == NULL || *out || node->type == JSON_T_FALSE || node->type == JSON_T_NULL)
        return RF_OK;
    return BAD_ENTITY(err, "'captureDescription.%s' must be true or false.", name);
}

static enum rf_kind read_encoding(const struct json_node *capture, enum archive_encoding *out,
                                  struct rf_err *err)
{
    static const char *const names[] = {[ARCHIVE_AVRO] = "Avro",
                                        [ARCHIVE_AVRO_DEFLATE] = "AvroDeflate",
                                        [ARCHIVE_JSON_LINES] = "JsonLines"};
    const struct json_node *node = json_get(capture, "encoding");
    *out = ARCHIVE_AVRO;
    if (node == NULL || node->type == JSON_T_NULL) return RF_OK;
    for (uint32_t i = 0; i < RF_COUNT(names); i++)
        if (rf_str_eq_nocase(json_text_at(capture, "encoding"), rf_str_of(names[i]))) {
            *out = (enum archive_encoding)i;
            return RF_OK;
        }
    return BAD_ENTITY(err, "'captureDescription.encoding' must be Avro, AvroDeflate or JsonLines.");
}

static enum rf_kind read_destination(const struct json_node *capture, struct archive_settings *out,
                                     struct rf_err *err)
{
    const struct json_node *destination = json_get(capture, "destination");
    rf_str name = json_text_at(destination, "name");
    out->account = json_text_at(destination, "properties.storageAccountResourceId");
    out->container = json_text_at(destination, "properties.blobContainer");
    out->format = json_text_at(destination, "properties.archiveNameFormat");
    if (out->format.len == 0) out->format = RF_S(FORMAT_DEFAULT);
    RF_TRY(check_format(out->format, err));
    if (destination == NULL && !out->enabled) return RF_OK;
    if (!rf_str_eq_nocase(name, RF_S(DESTINATION)))
        return BAD_ENTITY(err, "'captureDescription.destination.name' must be " DESTINATION ".");
    if (!is_account(out->account))
        return BAD_ENTITY(err,
                          "'captureDescription.destination.properties.storageAccountResourceId' "
                          "must be the id of a storage account: "
                          "/subscriptions/{id}/resourceGroups/{name}/providers/Microsoft.Storage/"
                          "storageAccounts/{name}.");
    if (!is_container(out->container))
        return BAD_ENTITY(err,
                          "'captureDescription.destination.properties.blobContainer' must have 3 "
                          "to 63 lower-case letters, digits and single hyphens between them.");
    return RF_OK;
}

enum rf_kind archive_settings_read(const struct json_node *properties, struct archive_settings *out,
                                   struct rf_err *err)
{
    const struct json_node *capture = json_get(properties, "captureDescription");
    struct archive_settings made = {.enabled = false};
    int64_t seconds, bytes;
    *out = made;
    if (capture == NULL || capture->type == JSON_T_NULL) return RF_OK;
    if (capture->type != JSON_T_OBJECT)
        return BAD_ENTITY(err, "'captureDescription' must be an object.");
    RF_TRY(read_truth(capture, "enabled", &made.enabled, err));
    RF_TRY(read_truth(capture, "skipEmptyArchives", &made.skip_empty, err));
    RF_TRY(read_encoding(capture, &made.encoding, err));
    RF_TRY(read_range(capture, "intervalInSeconds", INTERVAL_DEFAULT, INTERVAL_LEAST, INTERVAL_MOST,
                      &seconds, err));
    RF_TRY(
        read_range(capture, "sizeLimitInBytes", SIZE_DEFAULT, SIZE_LEAST, SIZE_MOST, &bytes, err));
    RF_TRY(read_destination(capture, &made, err));
    made.interval = seconds * RF_USEC_PER_SECOND;
    made.bytes_max = (uint64_t)bytes;
    *out = made;
    return RF_OK;
}

bool archive_settings_equal(const struct archive_settings *a, const struct archive_settings *b)
{
    return a->enabled == b->enabled && a->skip_empty == b->skip_empty &&
           a->encoding == b->encoding && a->interval == b->interval &&
           a->bytes_max == b->bytes_max && rf_str_eq_nocase(a->account, b->account) &&
           rf_str_eq(a->container, b->container) && rf_str_eq(a->format, b->format);
}

/* ---- when a document is stored ------------------------------------------------------------------------------------------------- */

/* A name of a file that the disk would refuse is refused here, where somebody reads why. */
static enum rf_kind check_path(const struct archive_settings *settings, rf_str space, rf_str hub,
                               struct rf_arena *arena, struct rf_err *err)
{
    rf_str path = archive_path(settings, space, hub, HUB_PARTITIONS_MAX - 1, 0, arena);
    if (path.ptr == NULL) return rf_fail_memory(err, arena);
    size_t name = 0;
    bool good = path.len <= ARCHIVE_PATH_BYTES_MAX;
    for (size_t i = 0; i < path.len; i++) {
        name = path.ptr[i] == '/' ? 0 : name + 1;
        good = good && name <= NAME_BYTES_MAX;
    }
    if (good) return RF_OK;
    return BAD_ENTITY(err,
                      "'archiveNameFormat' makes names of files of more than %d bytes, or paths of "
                      "more than %d, for this event hub.",
                      NAME_BYTES_MAX, ARCHIVE_PATH_BYTES_MAX);
}

/* Without a position a partition is captured from its first event on: these have some already. */
static enum rf_kind note_ends(struct arm_call *call, struct hub *hub, uint32_t partition_count,
                              struct rf_err *err)
{
    struct hub_facts facts;
    hub_facts(hub, &facts);
    for (uint32_t i = 0; i < RF_MIN(partition_count, facts.partition_count); i++) {
        struct archive_position position = {.window = call->now / RF_USEC_PER_SECOND *
                                                      RF_USEC_PER_SECOND};
        struct hub_partition_info info;
        bool found;
        RF_TRY(archive_position_read(call->txn, facts.id, i, call->arena, &position, &found, err));
        /* Files of before are still being finished. */
        if (found) continue;
        RF_TRY(hub_partition_info(hub, i, &info, err));
        position.next = info.end;
        RF_TRY(archive_position_write(call->txn, facts.id, i, &position, call->arena, err));
    }
    return RF_OK;
}

enum rf_kind archive_put(struct arm_call *call, const struct arm_resource *resource,
                         const struct arm_resource *before, uint32_t partition_count,
                         struct rf_err *err)
{
    struct archive_settings settings, old = {.enabled = false};
    struct entity e = entity_of(resource);
    struct hub_namespace *space;
    struct hub *hub;
    RF_TRY(archive_settings_read(json_get(resource->body, "properties"), &settings, err));
    if (!settings.enabled) return RF_OK;
    RF_TRY(check_path(&settings, e.space, resource->name, call->arena, err));
    if (before == NULL ||
        (archive_settings_read(json_get(before->body, "properties"), &old, NULL) == RF_OK &&
         old.enabled))
        return RF_OK;
    struct hubs *hubs = call->ctx;
    if (hubs_namespace_named(hubs, e.space, &space, NULL) != RF_OK ||
        hub_find(space, resource->name, &hub, NULL) != RF_OK)
        return RF_OK;
    enum rf_kind kind = note_ends(call, hub, partition_count, err);
    hub_unref(hub);
    return kind;
}
