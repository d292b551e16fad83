/* resource_id.c - reads the ids of the control plane (contracts/arm section 1).
 *
 *   id    = "/" | scope | { "/providers/" ns pairs }         the first of these may stand on nothing: tenant level
 *   scope = "/subscriptions/" guid [ "/resourceGroups/" name ]
 *   pairs = { "/" type "/" name } [ "/" type ]                ends in a type: a collection
 *
 * Where a type is expected, the word "providers" begins an extension resource that stands on all that came before. */
#include "arm/arm.h"

#include "base/encode.h"

enum { ID_BYTES_MAX = 2048, SEGMENTS_MAX = 64, SEGMENT_BYTES_MAX = 400, GROUP_BYTES_MAX = 90 };

struct cutter {
    rf_str segments[SEGMENTS_MAX];
    uint32_t count;
};

/* A name that two readers could take for a step up, or that would break a line of a log. */
static bool is_fit(rf_str segment)
{
    if (rf_str_is(segment, ".") || rf_str_is(segment, "..")) return false;
    for (size_t i = 0; i < segment.len; i++)
        if (segment.ptr[i] < 0x20 || segment.ptr[i] == 0x7f) return false;
    return rf_utf8_valid(segment);
}

static enum rf_kind cut(rf_str path, struct cutter *cutter, struct rf_err *err)
{
    if (path.len > ID_BYTES_MAX)
        return RF_FAIL(err, RF_INVALID, "InvalidResourceId",
                       "the resource id has %zu bytes, and at most %d are allowed", path.len,
                       ID_BYTES_MAX);
    for (size_t at = 0; at < path.len;) {
        size_t from = at;
        while (at < path.len && path.ptr[at] != '/') at++;
        rf_str segment = rf_slice(path, from, at);
        if (at < path.len) at++;
        if (segment.len == 0) continue; /* repeated slashes: clients leave empty parts in */
        if (cutter->count == SEGMENTS_MAX || segment.len > SEGMENT_BYTES_MAX)
            return RF_FAIL(err, RF_INVALID, "InvalidResourceId",
                           "the resource id has more than %d segments, or one of more than %d "
                           "bytes",
                           SEGMENTS_MAX, SEGMENT_BYTES_MAX);
        if (!is_fit(segment))
            return RF_FAIL(err, RF_INVALID, "InvalidResourceId",
                           "segment %u of the resource id holds bytes that no name may hold",
                           cutter->count + 1);
        cutter->segments[cutter->count++] = segment;
    }
    return RF_OK;
}

static bool is_word(rf_str segment, const char *word)
{
    return rf_str_eq_nocase(segment, rf_str_of(word));
}

static bool is_group_name(rf_str name)
{
    if (name.len == 0 || name.len > GROUP_BYTES_MAX || name.ptr[name.len - 1] == '.') return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        /* Letters of every script count, so bytes of UTF-8 sequences pass. */
        if (!rf_is_alnum(c) && c < 0x80 && strchr("_-.()", c) == NULL) return false;
    }
    return true;
}

/* What a namespace or a type may be made of. */
static bool is_type_word(rf_str word, const char *marks)
{
    for (size_t i = 0; i < word.len; i++)
        if (!rf_is_alnum(word.ptr[i]) && strchr(marks, word.ptr[i]) == NULL) return false;
    return true;
}

/* The id as it is put together: `text` grows, and the places of its parts are kept as offsets, as it may move. */
struct builder {
    struct rf_buf text;
    struct rf_buf type;
    const struct cutter *cutter;
    uint32_t at;
};

static void put_segment(struct builder *builder, rf_str segment)
{
    rf_buf_byte(&builder->text, '/');
    rf_buf_str(&builder->text, segment);
}

static uint32_t left(const struct builder *builder) { return builder->cutter->count - builder->at; }

static rf_str take(struct builder *builder) { return builder->cutter->segments[builder->at++]; }

static bool comes(const struct builder *builder, const char *word)
{
    return left(builder) > 0 && is_word(builder->cutter->segments[builder->at], word);
}

/* /subscriptions/{guid}[/resourceGroups[/{name}]] */
static enum rf_kind read_scope(struct builder *builder, struct resource_id *id, struct rf_err *err)
{
    if (!comes(builder, "subscriptions")) return RF_OK;
    take(builder);
    if (left(builder) == 0)
        return RF_FAIL(err, RF_INVALID, "InvalidSubscriptionId",
                       "the resource id ends before the id of the subscription");
    id->subscription = take(builder);
    if (!guid_is(id->subscription))
        return RF_FAIL(err, RF_INVALID, "InvalidSubscriptionId",
                       "The provided subscription identifier '%.*s' is malformed or invalid.",
                       RF_FMT(id->subscription));
    put_segment(builder, RF_S("subscriptions"));
    put_segment(builder, id->subscription);
    if (!comes(builder, "resourceGroups")) return RF_OK;
    take(builder);
    put_segment(builder, RF_S("resourceGroups"));
    id->is_type = left(builder) == 0;
    if (id->is_type) return RF_OK;
    id->group = take(builder);
    if (!is_group_name(id->group))
        return RF_FAIL(err, RF_INVALID, "InvalidResourceGroup",
                       "The provided resource group name '%.*s' is not valid: it has 1 to %d of "
                       "letters, digits, '_', '-', '.', '(' and ')', and does not end in a dot.",
                       RF_FMT(id->group), GROUP_BYTES_MAX);
    put_segment(builder, id->group);
    return RF_OK;
}

/* Offsets of the parts that are views of the finished text. */
struct marks {
    size_t scope, parent; /* lengths from the start */
};

/* /providers/{ns}{/type/name}[/type], the first word being there. */
static enum rf_kind read_provider(struct builder *builder, struct resource_id *id,
                                  struct marks *marks, struct rf_err *err)
{
    take(builder);
    if (left(builder) < 2)
        return RF_FAIL(err, RF_INVALID, "InvalidResourceId",
                       "behind 'providers' of a resource id come a namespace and a type");
    marks->scope = marks->parent = builder->text.len;
    id->ns = take(builder);
    if (!is_type_word(id->ns, "."))
        return RF_FAIL(err, RF_INVALID, "InvalidResourceNamespace",
                       "The resource namespace '%.*s' is invalid.", RF_FMT(id->ns));
    put_segment(builder, RF_S("providers"));
    put_segment(builder, id->ns);
    builder->type.len = 0;
    rf_buf_str(&builder->type, id->ns);
    bool first = true;
    do {
        rf_str type = take(builder);
        if (!is_type_word(type, "._-"))
            return RF_FAIL(err, RF_INVALID, "InvalidResourceType",
                           "The resource type '%.*s' is invalid in the namespace '%.*s'.",
                           RF_FMT(type), RF_FMT(id->ns));
        if (!first) marks->parent = builder->text.len;
        first = false;
        put_segment(builder, type);
        rf_buf_byte(&builder->type, '/');
        rf_buf_str(&builder->type, type);
        id->is_type = left(builder) == 0;
        if (id->is_type) break;
        id->name = take(builder);
        put_segment(builder, id->name);
    } while (left(builder) > 0 && !comes(builder, "providers"));
    return RF_OK;
}

static rf_str part(const struct builder *builder, size_t len)
{
    return len == 0 ? RF_S("/") : rf_slice(rf_buf_view(&builder->text), 0, len);
}

/* An id without /providers/. */
static void finish_scope(const struct builder *builder, struct resource_id *id)
{
    size_t slash = id->text.len;
    while (slash > 1 && id->text.ptr[slash - 1] != '/') slash--;
    id->name = rf_slice(id->text, slash, id->text.len);
    id->scope = id->text;
    /* The subscription stands on the tenant, the group on the subscription. */
    size_t subscription = strlen("/subscriptions/") + id->subscription.len;
    bool is_group = id->group.len > 0 || id->is_type;
    id->parent = part(builder, is_group ? subscription : 0);
    if (id->is_type) id->name = (rf_str){0};
}

enum rf_kind resource_id_parse(rf_str path, struct rf_arena *arena, struct resource_id *out,
                               struct rf_err *err)
{
    struct cutter cutter;
    struct resource_id id = {0};
    struct marks marks = {0};
    cutter.count = 0;
    if (!rf_arena_str(arena, path, &path)) return rf_fail_memory(err, arena);
    RF_TRY(cut(path, &cutter, err));
    struct builder builder = {
        .text = rf_buf_in(arena), .type = rf_buf_in(arena), .cutter = &cutter};
    RF_TRY(read_scope(&builder, &id, err));
    while (comes(&builder, "providers")) RF_TRY(read_provider(&builder, &id, &marks, err));
    if (left(&builder) > 0)
        return RF_FAIL(err, RF_INVALID, "InvalidResourceId",
                       "the resource id is not understood from its segment '%.*s' on",
                       RF_FMT(cutter.segments[builder.at]));
    if (builder.text.len == 0) rf_buf_byte(&builder.text, '/');
    if (builder.text.failed || builder.type.failed) return rf_fail_memory(err, arena);
    id.text = rf_buf_view(&builder.text);
    id.type = rf_buf_view(&builder.type);
    if (id.type.len == 0) {
        finish_scope(&builder, &id);
    } else {
        id.scope = part(&builder, marks.scope);
        id.parent = part(&builder, marks.parent);
        if (id.is_type) id.name = (rf_str){0};
    }
    *out = id;
    return RF_OK;
}

rf_str resource_key(struct rf_arena *arena, rf_str id)
{
    uint8_t *key = rf_arena_alloc(arena, id.len);
    if (key == NULL) return (rf_str){0};
    for (size_t i = 0; i < id.len; i++) key[i] = rf_lower(id.ptr[i]);
    return rf_str_make(key, id.len);
}
