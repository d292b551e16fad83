#include <stdlib.h>

#include "amqp/engine_int.h"

static const char too_small[] = "the peer takes no frames in which attach could be answered";
static const uint32_t source_capabilities = 10, target_capabilities = 6, source_filter = 7;

/* ---- finding ---------------------------------------------------------------------------------------------------------- */

static struct link *link_of_slot(const struct amqp_connection *c, struct amqp_link id)
{
    if (id.slot >= c->slot_count || c->slots[id.slot].generation != id.generation) return NULL;
    return c->slots[id.slot].link;
}

struct link *link_find(const struct amqp_connection *c, struct amqp_link id)
{
    struct link *link = link_of_slot(c, id);
    return link == NULL || link->state == LINK_DETACHING ? NULL : link;
}

static uint32_t handle_place(const struct amqp_connection *c, uint16_t channel, uint32_t handle)
{
    return (uint32_t)rf_hash_u64((uint64_t)channel << 32 | handle) & (c->by_handle_cap - 1);
}

struct link *link_at(const struct session *session, uint32_t handle)
{
    const struct amqp_connection *c = session->connection;
    if (c->by_handle_cap == 0) return NULL;
    uint32_t at = handle_place(c, session->channel, handle);
    for (; c->by_handle[at] != NULL; at = (at + 1) & (c->by_handle_cap - 1))
        if (c->by_handle[at]->handle == handle && c->by_handle[at]->session == session)
            return c->by_handle[at];
    return NULL;
}

static void handle_put(struct amqp_connection *c, struct link *link)
{
    uint32_t at = handle_place(c, link->session->channel, link->handle);
    while (c->by_handle[at] != NULL) at = (at + 1) & (c->by_handle_cap - 1);
    c->by_handle[at] = link;
}

/* At most half full, so that a search ends soon. */
static bool handle_grow(struct amqp_connection *c)
{
    if ((c->link_count + 1) * 2 <= c->by_handle_cap) return true;
    uint32_t old_cap = c->by_handle_cap, cap = RF_MAX(old_cap * 2, 8u);
    struct link **old = c->by_handle, **grown = calloc(cap, sizeof *grown);
    if (grown == NULL) return false;
    c->by_handle = grown;
    c->by_handle_cap = cap;
    for (uint32_t i = 0; i < old_cap; i++)
        if (old[i] != NULL) handle_put(c, old[i]);
    free(old);
    return true;
}

/* The links behind the gap in its row are put anew, so that they are found. */
static void handle_remove(struct amqp_connection *c, const struct link *link)
{
    uint32_t at = handle_place(c, link->session->channel, link->handle);
    while (c->by_handle[at] != link) at = (at + 1) & (c->by_handle_cap - 1);
    c->by_handle[at] = NULL;
    for (at = (at + 1) & (c->by_handle_cap - 1); c->by_handle[at] != NULL;
         at = (at + 1) & (c->by_handle_cap - 1)) {
        struct link *moved = c->by_handle[at];
        c->by_handle[at] = NULL;
        handle_put(c, moved);
    }
}

/* ---- making and freeing ---------------------------------------------------------------------------------------------------- */

static bool slot_take(struct amqp_connection *c, struct link *link)
{
    uint32_t at = c->free_slot;
    if (at == UINT32_MAX) {
        if (c->slot_count == c->slot_cap) {
            uint32_t cap = RF_MAX(c->slot_cap * 2, 4u);
            struct slot *grown = realloc(c->slots, cap * sizeof *grown);
            if (grown == NULL) return false;
            c->slots = grown;
            c->slot_cap = cap;
        }
        at = c->slot_count++;
        c->slots[at] =
            (struct slot){.generation = 1}; /* so that an amqp_link of zeros names none */
    } else {
        c->free_slot = c->slots[at].next_free;
    }
    c->slots[at].link = link;
    link->id = (struct amqp_link){at, c->slots[at].generation};
    return true;
}

static void slot_give(struct amqp_connection *c, const struct link *link)
{
    struct slot *slot = &c->slots[link->id.slot];
    slot->link = NULL;
    slot->generation++;
    slot->next_free = c->free_slot;
    c->free_slot = link->id.slot;
}

/* Name, source and target in one piece behind the link. */
static struct link *link_new(struct amqp_connection *c, struct session *session,
                             const struct perf_attach *attach)
{
    rf_str source = attach->source.whole, target = attach->target.whole;
    size_t bytes = attach->name.len + source.len + target.len; /* of one frame */
    struct link *link = calloc(1, sizeof *link);
    uint8_t *copy = malloc(bytes + 1);
    if (link == NULL || copy == NULL || !handle_grow(c) || !slot_take(c, link)) {
        free(link);
        free(copy);
        return NULL;
    }
    memcpy(copy, attach->name.ptr, attach->name.len);
    if (source.len > 0) memcpy(copy + attach->name.len, source.ptr, source.len);
    if (target.len > 0) memcpy(copy + attach->name.len + source.len, target.ptr, target.len);
    link->session = session;
    link->name = rf_str_make(copy, attach->name.len);
    link->source = rf_str_make(copy + attach->name.len, source.len);
    link->target = rf_str_make(copy + attach->name.len + source.len, target.len);
    link->handle = attach->handle;
    link->is_sender = attach->is_receiver;
    link->sender_settles = (uint8_t)attach->sender_settles;
    link->receiver_settles = (uint8_t)attach->receiver_settles;
    link->delivery_count = link->is_sender ? 0 : attach->initial_delivery_count;
    link->message_bytes_max = attach->message_bytes_max;
    link->used_at = c->now;
    ring_init(&link->in_session);
    ring_init(&link->to_serve);
    ring_append(&session->links, &link->in_session);
    handle_put(c, link);
    c->link_count++;
    return link;
}

void link_free(struct link *link)
{
    struct amqp_connection *c = link->session->connection;
    handle_remove(c, link);
    slot_give(c, link);
    ring_remove(&link->in_session);
    ring_remove(&link->to_serve);
    link_drop_parts(link);
    c->link_count--;
    if (c->link_count == 0) c->linkless_at = c->now;
    free(link->rest);
    free((void *)(uintptr_t)link->name.ptr);
    free(link);
}

void link_leave(struct link *link, enum amqp_ended why)
{
    struct amqp_connection *c = link->session->connection;
    if (link->state == LINK_DETACHING) return;
    link->state = LINK_DETACHING;
    ring_remove(&link->to_serve);
    link_drop_parts(link);
    free(link->rest);
    link->rest = NULL;
    c->options.handlers->on_detach(c->options.ctx, c, link->user, link->id, why);
}

static void put_detach(struct link *link, bool is_closed, const struct amqp_error *error)
{
    struct control control;
    bool has_error = error != NULL && error->condition != NULL;
    session_flush(
        link->session); /* behind its detach nothing can be said about a link's messages */
    control_begin(&control, FRAME_AMQP_TYPE, link->session->channel, PERF_DETACH);
    amqp_put_uint(&control.buf, link->handle);
    amqp_put_bool(&control.buf, is_closed);
    if (has_error) put_error(link->session->connection, &control.buf, error);
    (void)control_end(link->session->connection, &control, has_error ? 3 : 2);
}

/* ---- attach ------------------------------------------------------------------------------------------------------------------ */

/* The items of a source or target, by their place. */
static struct amqp_value terminus_field(const struct amqp_value *terminus, uint32_t index)
{
    struct amqp_value list, item = {.type = AMQP_NONE};
    if (!amqp_inner(terminus, &list) || list.type != AMQP_LIST) return item;
    struct amqp_items items = amqp_items_of(&list);
    for (uint32_t i = 0; i <= index; i++)
        if (!amqp_item(&items, &item)) return (struct amqp_value){.type = AMQP_NONE};
    if (item.type == AMQP_NULL) item.type = AMQP_NONE;
    return item;
}

static rf_str terminus_address(const struct amqp_value *terminus)
{
    struct amqp_value address = terminus_field(terminus, 0);
    return amqp_is_text(&address) ? address.bytes : (rf_str){NULL, 0};
}

static bool is_terminus(const struct amqp_value *value, uint64_t code)
{
    struct amqp_value list;
    return value->type == AMQP_DESCRIBED && amqp_descriptor(value) == code &&
           amqp_inner(value, &list) && list.type == AMQP_LIST;
}

static bool is_true(const struct amqp_value *value)
{
    return value->type == AMQP_BOOLEAN && value->u != 0;
}

static void show_attach(struct amqp_connection *c, struct link *link,
                        const struct perf_attach *attach)
{
    struct amqp_value filter = terminus_field(&attach->source, source_filter);
    struct amqp_value source_dynamic = terminus_field(&attach->source, 4);
    struct amqp_value target_dynamic = terminus_field(&attach->target, 4);
    struct amqp_attach shown = {
        .name = attach->name,
        .is_sender = link->is_sender,
        .source = terminus_address(&attach->source),
        .target = terminus_address(&attach->target),
        .has_source = is_terminus(&attach->source, PERF_SOURCE),
        .has_target = is_terminus(&attach->target, PERF_TARGET),
        .is_dynamic = is_true(&source_dynamic) || is_true(&target_dynamic),
        .is_coordinator = is_terminus(&attach->target, PERF_COORDINATOR),
        .properties = attach->properties,
        .capabilities = attach->desired,
        .sender_settles = (enum amqp_settle)attach->sender_settles,
        .message_bytes_max = attach->message_bytes_max,
    };
    if (filter.type == AMQP_MAP) shown.filter = filter;
    c->options.handlers->on_attach(c->options.ctx, c, link->id, &shown);
}

static bool desires(const struct amqp_value *value, rf_str capability)
{
    struct amqp_items items = amqp_items_of(value);
    struct amqp_value item;
    if (amqp_is_text(value)) return rf_str_eq(value->bytes, capability);
    if (value->type != AMQP_ARRAY && value->type != AMQP_LIST) return false;
    while (amqp_item(&items, &item))
        if (amqp_is_text(&item) && rf_str_eq(item.bytes, capability)) return true;
    return false;
}

bool amqp_attach_desires(const struct amqp_attach *attach, const char *capability)
{
    return desires(&attach->capabilities, rf_str_of(capability));
}

/* A live link of that name and direction in the session. */
static struct link *same_name(const struct session *session, const struct perf_attach *attach)
{
    for (struct ring *at = session->links.next; at != &session->links; at = at->next) {
        struct link *link = RING_OF(at, struct link, in_session);
        if (link->state != LINK_DETACHING && link->is_sender == attach->is_receiver &&
            rf_str_eq(link->name, attach->name))
            return link;
    }
    return NULL;
}

static bool may_attach(struct amqp_connection *c, struct session *session,
                       const struct perf_attach *attach)
{
    if (attach->handle > AMQP_HANDLE_MAX) {
        connection_fail(c, "amqp:connection:framing-error",
                        "the handle is above the highest one that was agreed");
        return false;
    }
    if (link_at(session, attach->handle) != NULL) {
        session_fail(session, "amqp:session:handle-in-use", "attach names a handle that is in use");
        return false;
    }
    /* The server answers with the peer's own handle. */
    if (attach->handle > session->handle_max) {
        session_fail(session, "amqp:not-allowed", "the handle is above the peer's own handle-max");
        return false;
    }
    uint32_t most = c->is_authorized ? AMQP_LINKS_MAX : UNAUTHORIZED_LINKS_MAX;
    if (c->link_count >= most) {
        session_fail(session, "amqp:resource-limit-exceeded", "the connection has too many links");
        return false;
    }
    return true;
}

void link_on_attach(struct amqp_connection *c, struct session *session, struct fields *fields)
{
    struct perf_attach attach;
    if (!perf_attach_read(fields, &attach)) {
        connection_fail(c, "amqp:decode-error",
                        "the fields of attach are not those of the standard");
        return;
    }
    if (!may_attach(c, session, &attach)) return;
    struct link *old = same_name(session, &attach);
    if (old != NULL)
        link_fail(old, "amqp:link:stolen", "the peer attached a link of the same name once more",
                  AMQP_STOLEN);
    if (session->is_ending || c->state != STATE_OPEN) return; /* on_detach did that */
    struct link *link = link_new(c, session, &attach);
    if (link == NULL)
        session_fail(session, "amqp:resource-limit-exceeded", "memory for a link is used up");
    else
        show_attach(c, link, &attach);
}

/* A source or target as it was asked for, without the capabilities, and with the filter that is in force. */
static void put_terminus(struct rf_buf *buf, rf_str encoding, uint32_t capabilities,
                         const rf_str *filter)
{
    struct amqp_value described, list, item;
    rf_str rest = encoding;
    uint32_t count = 0;
    if (!amqp_read(&rest, &described) || !amqp_inner(&described, &list)) {
        amqp_put_null(buf);
        return;
    }
    amqp_put_descriptor(buf, amqp_descriptor(&described));
    size_t start = amqp_put_begin(buf);
    for (struct amqp_items items = amqp_items_of(&list); amqp_item(&items, &item); count++) {
        if (count == capabilities)
            amqp_put_null(buf);
        else if (count == source_filter && filter != NULL && filter->len > 0)
            rf_buf_str(buf, *filter);
        else if (count == source_filter && filter != NULL)
            amqp_put_null(buf);
        else
            rf_buf_str(buf, item.whole);
    }
    amqp_put_end(buf, start, AMQP_LIST, count);
}

static void put_capabilities(struct rf_buf *buf, const char *const *names)
{
    rf_str items[8];
    uint32_t count = 0;
    while (names != NULL && names[count] != NULL && count < RF_COUNT(items)) {
        items[count] = rf_str_of(names[count]);
        count++;
    }
    if (count == 0)
        amqp_put_null(buf);
    else
        amqp_put_array(buf, AMQP_SYMBOL, items, count);
}

static void begin_answer(struct control *control, const struct link *link)
{
    control_begin(control, FRAME_AMQP_TYPE, link->session->channel, PERF_ATTACH);
    amqp_put_string(&control->buf, link->name);
    amqp_put_uint(&control->buf, link->handle);
    amqp_put_bool(&control->buf, !link->is_sender);
    amqp_put_ubyte(&control->buf, link->sender_settles);
    amqp_put_ubyte(&control->buf, link->receiver_settles);
}

static void put_initial_count(struct rf_buf *buf, const struct link *link)
{
    if (link->is_sender)
        amqp_put_uint(buf, 0);
    else
        amqp_put_null(buf);
}

static bool put_accept(struct amqp_connection *c, const struct link *link,
                       const struct amqp_terms *terms, uint64_t message_bytes_max)
{
    struct control control;
    struct rf_buf *buf = &control.buf;
    begin_answer(&control, link);
    put_terminus(buf, link->source, source_capabilities, terms->filter);
    put_terminus(buf, link->target, target_capabilities, NULL);
    amqp_put_null(buf); /* unsettled */
    amqp_put_null(buf); /* incomplete-unsettled */
    put_initial_count(buf, link);
    amqp_put_ulong(buf, message_bytes_max);
    put_capabilities(buf, terms->capabilities);
    amqp_put_null(buf); /* desired capabilities */
    if (terms->properties.len > 0)
        rf_buf_str(buf, terms->properties);
    else
        amqp_put_null(buf);
    return control_end(c, &control, 14);
}

bool amqp_link_accept(struct amqp_connection *c, struct amqp_link id,
                      const struct amqp_terms *terms, void *user)
{
    struct link *link = link_find(c, id);
    if (link == NULL || link->state != LINK_ASKED) return false;
    uint64_t most =
        terms->message_bytes_max > 0 ? terms->message_bytes_max : AMQP_MESSAGE_BYTES_MAX;
    if (!put_accept(c, link, terms, most)) {
        connection_fail(c, "amqp:frame-size-too-small", too_small);
        return false;
    }
    link->state = LINK_OPEN;
    link->user = user;
    link->idle_usec = terms->idle_usec;
    link->used_at = c->now;
    c->links_due_at = c->now;
    if (link->is_sender) {
        if (link->credit > 0 || link->drain) ring_append(&c->blocked, &link->to_serve);
        return true;
    }
    link->message_bytes_max = most;
    link->window = terms->credit;
    link->unsettled_max = RF_MAX(terms->unsettled_max, terms->credit);
    if (terms->unsettled_max == 0) link->unsettled_max = terms->credit * 2;
    link_top_up(link);
    return true;
}

/* An answer without source and target, and the detach that says why. */
static void put_refusal(struct amqp_connection *c, struct link *link, bool is_closed,
                        const struct amqp_error *error)
{
    struct control control;
    begin_answer(&control, link);
    for (int i = 0; i < 4; i++) amqp_put_null(&control.buf);
    put_initial_count(&control.buf, link);
    if (control_end(c, &control, 10))
        put_detach(link, is_closed, error);
    else
        connection_fail(c, "amqp:frame-size-too-small", too_small);
}

void amqp_link_refuse(struct amqp_connection *c, struct amqp_link id,
                      const struct amqp_error *error)
{
    struct link *link = link_find(c, id);
    if (link == NULL || link->state != LINK_ASKED) return;
    link->state = LINK_DETACHING;
    put_refusal(c, link, true, error);
}

/* ---- detach ------------------------------------------------------------------------------------------------------------------ */

/* Every attach is answered before its link ends. */
static void put_goodbye(struct link *link, bool is_closed, const struct amqp_error *error)
{
    if (link->state == LINK_ASKED)
        put_refusal(link->session->connection, link, is_closed, error);
    else
        put_detach(link, is_closed, error);
}

void amqp_detach(struct amqp_connection *c, struct amqp_link id, const struct amqp_error *error)
{
    struct link *link = link_find(c, id);
    if (link == NULL) return;
    if (link->state == LINK_ASKED) {
        amqp_link_refuse(c, id, error);
        return;
    }
    put_detach(link, true, error);
    link_leave(link, AMQP_BY_SERVER);
}

void link_fail(struct link *link, const char *condition, const char *text, enum amqp_ended why)
{
    struct amqp_error error = {condition, rf_str_of(text)};
    if (link->state == LINK_DETACHING) return;
    put_goodbye(link, true, &error);
    link_leave(link, why);
}

void link_on_detach(struct amqp_connection *c, struct session *session, struct fields *fields)
{
    bool has_handle;
    uint32_t handle = field_uint(fields, 0, &has_handle);
    bool is_closed = field_bool(fields, false, NULL);
    (void)field_any(fields); /* the error */
    if (fields->is_bad || !has_handle) {
        connection_fail(c, "amqp:decode-error",
                        "the fields of detach are not those of the standard");
        return;
    }
    struct link *link = link_at(session, handle);
    if (link == NULL) {
        session_fail(session, "amqp:session:unattached-handle",
                     "detach names a handle without a link");
        return;
    }
    if (link->state != LINK_DETACHING) {
        put_goodbye(link, is_closed, NULL);
        link_leave(link, AMQP_BY_PEER);
    }
    link_free(link);
}

/* ---- looking ----------------------------------------------------------------------------------------------------------------- */

bool amqp_link_is_open(const struct amqp_connection *c, struct amqp_link id)
{
    const struct link *link = link_find(c, id);
    return link != NULL && link->state == LINK_OPEN;
}

bool amqp_link_is_beside(const struct amqp_connection *c, struct amqp_link a, struct amqp_link b)
{
    const struct link *first = link_find(c, a), *second = link_find(c, b);
    return first != NULL && second != NULL && first->session == second->session;
}

void *amqp_link_user(const struct amqp_connection *c, struct amqp_link id)
{
    const struct link *link = link_find(c, id);
    return link == NULL ? NULL : link->user;
}

bool amqp_link_next(const struct amqp_connection *c, struct amqp_link *id)
{
    uint32_t from = id->generation == 0 ? 0 : id->slot + 1;
    for (uint32_t i = from; i < c->slot_count; i++) {
        const struct link *link = c->slots[i].link;
        if (link == NULL || link->state != LINK_OPEN) continue;
        *id = link->id;
        return true;
    }
    return false;
}

void link_top_up(struct link *link)
{
    uint32_t free_places = link->unsettled_max - RF_MIN(link->unsettled, link->unsettled_max);
    uint32_t goal = RF_MIN(link->window, free_places);
    if (link->state != LINK_OPEN || link->is_sender) return;
    /* A grant for each message would be a frame for each. */
    if (link->credit < goal && (link->credit <= link->window / 2))
        ring_append(&link->session->connection->to_grant, &link->to_serve);
}

void amqp_link_credit(struct amqp_connection *c, struct amqp_link id, uint32_t credit)
{
    struct link *link = link_find(c, id);
    if (link == NULL || link->is_sender) return;
    link->window = credit;
    link->unsettled_max = RF_MAX(link->unsettled_max, credit);
    link_top_up(link);
}
