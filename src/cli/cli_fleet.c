#include "cli/cli_fleet.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amqp/client.h"
#include "base/fs.h"
#include "base/json.h"
#include "cli/cli.h"

enum {
    TEXT_BYTES_MAX = 1 << 20, /* of a certificate, a key, the authority */
    NAME_BYTES_MAX = 128,
    DEVICE_BYTES_MAX = 64 << 20, /* of what is not known to be safe */
    SLOTS = 2 * CLI_FLEET_DEVICES_MAX,
    TRIES = 60, /* a second apart, to make a lost connection again */
    FLUSH_EVERY = 4096
};

struct device {
    rf_str name;
    struct amqp_client *client; /* NULL: none now */
    bool is_refused;            /* by the server: the others go on */
    uint32_t link;
    struct rf_arena arena;
    struct rf_buf
        pending; /* messages that are not known to be safe, each behind its length (size_t) */
};

struct fleet {
    const struct cli_fleet_args *args;
    struct rf_arena arena;
    char host[256];
    uint16_t port;
    rf_str ca;
    struct device *devices;
    uint32_t count;
    uint16_t slots[SLOTS]; /* by name: device number + 1 */
    struct rf_buf message;
    uint64_t sent, line;
    uint32_t refused;
};

static void pause_usec(int64_t usec)
{
    struct timespec left = {.tv_sec = usec / RF_USEC_PER_SECOND,
                            .tv_nsec = usec % RF_USEC_PER_SECOND * 1000};
    while (nanosleep(&left, &left) != 0) continue;
}

/* ---- connections ------------------------------------------------------------------------------------------------ */

static enum rf_kind read_text(const char *path, struct rf_arena *arena, rf_str *out,
                              struct rf_err *err)
{
    return rf_fs_read_all(rf_fs_real(), path, TEXT_BYTES_MAX, arena, out, err);
}

static enum rf_kind connect_device(struct fleet *f, struct device *device, struct rf_err *err)
{
    rf_str certificate, key;
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 4 * TEXT_BYTES_MAX);
    const char *stem = rf_arena_cstr(
        &arena, rf_arena_printf(&arena, "%s/%.*s", f->args->folder, RF_FMT(device->name)));
    const char *pem =
        stem == NULL ? NULL : rf_arena_cstr(&arena, rf_arena_printf(&arena, "%s.pem", stem));
    const char *key_path =
        stem == NULL ? NULL : rf_arena_cstr(&arena, rf_arena_printf(&arena, "%s.key", stem));
    if (pem == NULL || key_path == NULL) return rf_fail_memory(err, &arena);
    RF_TRY(read_text(pem, &arena, &certificate, err));
    RF_TRY(read_text(key_path, &arena, &key, err));
    const struct amqp_client_options options = {.host = f->host,
                                                .port = f->port,
                                                .ca_pem = f->ca,
                                                .over_websocket = f->args->over_websocket,
                                                .certificate_pem = certificate,
                                                .key_pem = key};
    enum rf_kind kind = amqp_client_open(&options, &device->client, err);
    explicit_bzero((void *)(uintptr_t)key.ptr, key.len);
    RF_TRY(kind);
    rf_str target =
        rf_arena_printf(&arena, "%.*s/Publishers/%.*s", RF_FMT(f->args->hub), RF_FMT(device->name));
    if (target.ptr == NULL) return rf_fail_memory(err, &arena);
    return amqp_client_sender(device->client, target, &device->link, err);
}

/* Sends again what may be lost. */
static enum rf_kind send_pending(struct device *device, struct rf_err *err)
{
    for (size_t at = 0; at < device->pending.len;) {
        size_t len;
        memcpy(&len, device->pending.ptr + at, sizeof len);
        at += sizeof len;
        RF_TRY(amqp_client_send(device->client, device->link, 0,
                                rf_str_make(device->pending.ptr + at, len), err));
        at += len;
    }
    return RF_OK;
}

static enum rf_kind connect_again(struct fleet *f, struct device *device, struct rf_err *err)
{
    enum rf_kind kind = RF_IO;
    for (int i = 0; i < TRIES && kind == RF_IO; i++) {
        if (i > 0) pause_usec(RF_USEC_PER_SECOND);
        amqp_client_close(device->client);
        device->client = NULL;
        kind = connect_device(f, device, err);
        if (kind == RF_OK) kind = send_pending(device, err);
    }
    return kind;
}

static void forget_pending(struct device *device)
{
    rf_arena_reset(&device->arena);
    device->pending = rf_buf_in(&device->arena);
}

/* A device that may not send is told and left out. */
static enum rf_kind unless_refused(struct fleet *f, struct device *device, enum rf_kind kind,
                                   struct rf_err *err)
{
    if (kind != RF_DENIED) return kind;
    cli_say("%.*s is left out: %s", RF_FMT(device->name), err->text);
    amqp_client_close(device->client);
    device->client = NULL;
    device->is_refused = true;
    forget_pending(device);
    f->refused++;
    return RF_OK;
}

static enum rf_kind settle_device(struct fleet *f, struct device *device, struct rf_err *err)
{
    enum rf_kind kind = RF_OK;
    while (device->pending.len > 0 && kind == RF_OK) {
        kind = amqp_client_settle(device->client, err);
        if (kind == RF_OK)
            forget_pending(device);
        else if (kind == RF_IO)
            kind = connect_again(f, device, err);
    }
    return unless_refused(f, device, kind, err);
}

/* Everything that was sent is safe behind it. What all have to say is written before anybody is waited for. */
static enum rf_kind settle_all(struct fleet *f, struct rf_err *err)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->devices[i].pending.len > 0 && amqp_client_flush(f->devices[i].client, err) != RF_OK)
            continue; /* settling finds it again */
    for (uint32_t i = 0; i < f->count; i++) RF_TRY(settle_device(f, &f->devices[i], err));
    return RF_OK;
}

/* ---- devices ---------------------------------------------------------------------------------------------------- */

/* A name that stands for a file, and for nothing outside of the folder. */
static bool is_name(rf_str name)
{
    if (name.len == 0 || name.len > NAME_BYTES_MAX || name.ptr[0] == '.') return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] <= ' ' || name.ptr[i] == '/' || name.ptr[i] == 0x7f) return false;
    return true;
}

static enum rf_kind find_device(struct fleet *f, rf_str name, struct device **out,
                                struct rf_err *err)
{
    size_t slot = rf_hash(name.ptr, name.len, 0) % SLOTS;
    for (; f->slots[slot] != 0; slot = (slot + 1) % SLOTS) {
        *out = &f->devices[f->slots[slot] - 1];
        if (rf_str_eq((*out)->name, name)) return RF_OK;
    }
    if (f->count == CLI_FLEET_DEVICES_MAX)
        return RF_FAIL(err, RF_LIMIT, "TooManyDevices", "more than %d devices",
                       CLI_FLEET_DEVICES_MAX);
    struct device *device = &f->devices[f->count];
    *device = (struct device){0};
    rf_arena_init(&device->arena, DEVICE_BYTES_MAX);
    device->pending = rf_buf_in(&device->arena);
    f->slots[slot] = (uint16_t)++f->count;
    if (!rf_arena_str(&f->arena, name, &device->name)) return rf_fail_memory(err, &f->arena);
    *out = device;
    return unless_refused(f, device, connect_device(f, device, err), err);
}

/* The text of the object's member; false when there is none, or an escaped one, which no device's name needs. */
static bool member_of(rf_str line, const char *name, rf_str *out)
{
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, line);
    if (json_next(&reader, &event, NULL) != RF_OK || event.kind != JSON_OBJECT_BEGIN) return false;
    while (json_next(&reader, &event, NULL) == RF_OK && event.kind == JSON_KEY) {
        bool found = rf_str_is(event.text, name);
        if (!found && json_skip_value(&reader, NULL, NULL) != RF_OK) return false;
        if (!found) continue;
        if (json_next(&reader, &event, NULL) != RF_OK || event.kind != JSON_STRING) return false;
        *out = event.text;
        return !event.escaped;
    }
    return false;
}

static enum rf_kind send_line(struct fleet *f, rf_str line, struct rf_err *err)
{
    rf_str name;
    struct device *device;
    if (!member_of(line, f->args->field, &name) || !is_name(name))
        return RF_FAIL(err, RF_INVALID, "BadLine", "line %llu names no device in its member '%s'",
                       (unsigned long long)f->line, f->args->field);
    RF_TRY(find_device(f, name, &device, err));
    if (device->is_refused) return RF_OK;
    f->message.len = 0;
    amqp_message(&f->message, line, (rf_str){0});
    rf_buf_put(&device->pending, &f->message.len, sizeof f->message.len);
    rf_buf_str(&device->pending, rf_buf_view(&f->message));
    if (f->message.failed || device->pending.failed) return rf_fail_memory(err, &device->arena);
    enum rf_kind kind =
        amqp_client_send(device->client, device->link, 0, rf_buf_view(&f->message), err);
    if (kind == RF_IO) kind = connect_again(f, device, err);
    if (kind == RF_OK) f->sent++;
    return unless_refused(f, device, kind, err);
}

static enum rf_kind wait_until_due(struct fleet *f, struct cli_pace *pace, rf_str line,
                                   struct rf_err *err)
{
    int64_t usec;
    while ((usec = cli_pace_wait_usec(pace, line, rf_clock_real())) > 0) {
        RF_TRY(settle_all(f, err));
        pause_usec(RF_MIN(usec, (int64_t)RF_USEC_PER_SECOND));
    }
    return RF_OK;
}

static enum rf_kind send_lines(struct fleet *f, FILE *file, struct rf_err *err)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len;
    enum rf_kind kind = RF_OK;
    struct cli_pace pace = f->args->pace;
    while (kind == RF_OK && (len = getline(&text, &cap, file)) >= 0) {
        rf_str line = rf_str_trim(rf_str_make(text, (size_t)len));
        f->line++;
        if (line.len == 0) continue;
        kind = wait_until_due(f, &pace, line, err);
        if (kind == RF_OK) kind = send_line(f, line, err);
        if (kind == RF_OK && f->sent % FLUSH_EVERY == 0) kind = settle_all(f, err);
    }
    free(text);
    return kind == RF_OK ? settle_all(f, err) : kind;
}

/* ---- the fleet -------------------------------------------------------------------------------------------------- */

/* "host:port", or a URL with both. */
static enum rf_kind read_address(struct fleet *f, rf_str text, struct rf_err *err)
{
    size_t scheme = rf_str_find(text, RF_S("://"), 0), colon = SIZE_MAX;
    if (scheme != SIZE_MAX) text = rf_slice(text, scheme + 3, text.len);
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == ':') colon = i;
    if (colon == SIZE_MAX || colon >= sizeof f->host)
        return RF_FAIL(err, RF_INVALID, "NoAddress",
                       "where the server takes AMQP is not known: name its bootstrap.json with "
                       "--bootstrap");
    (void)snprintf(f->host, sizeof f->host, "%.*s", (int)colon, (const char *)text.ptr);
    f->port = 0;
    for (size_t i = colon + 1; i < text.len && rf_is_digit(text.ptr[i]); i++)
        f->port = (uint16_t)(f->port * 10 + text.ptr[i] - '0');
    return RF_OK;
}

static enum rf_kind fleet_open(struct fleet *f, struct rf_err *err)
{
    const struct cli_login *login = f->args->login;
    RF_TRY(read_address(f, f->args->over_websocket ? login->server : login->amqps, err));
    if (login->ca.len > 0) {
        const char *path = rf_arena_cstr(&f->arena, login->ca);
        if (path == NULL) return rf_fail_memory(err, &f->arena);
        RF_TRY(read_text(path, &f->arena, &f->ca, err));
    }
    f->devices = rf_arena_new(&f->arena, struct device, CLI_FLEET_DEVICES_MAX);
    f->message = rf_buf_in(&f->arena);
    return f->devices == NULL ? rf_fail_memory(err, &f->arena) : RF_OK;
}

enum rf_kind cli_fleet_send(const struct cli_fleet_args *args, FILE *file, uint64_t *sent,
                            uint32_t *devices, struct rf_err *err)
{
    struct fleet *f = calloc(1, sizeof *f);
    *sent = *devices = 0;
    if (f == NULL) return RF_FAIL(err, RF_LIMIT, "MemoryBudgetExceeded", "no memory");
    f->args = args;
    rf_arena_init(&f->arena, 64 << 20);
    enum rf_kind kind = fleet_open(f, err);
    if (kind == RF_OK) kind = send_lines(f, file, err);
    if (kind == RF_OK && f->refused > 0)
        kind = RF_FAIL(err, RF_DENIED, "DevicesRefused",
                       "%u device%s refused; what the others had to say was sent", f->refused,
                       f->refused == 1 ? " was" : "s were");
    *sent = f->sent;
    *devices = f->count;
    for (uint32_t i = 0; i < f->count; i++) {
        amqp_client_close(f->devices[i].client);
        rf_arena_done(&f->devices[i].arena);
    }
    rf_arena_done(&f->arena);
    free(f);
    return kind;
}
