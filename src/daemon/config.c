#include "daemon/config.h"

#include <stdlib.h>

#include "base/yaml_tree.h"
#include "cli/cli_options.h"

enum setting_type {
    SETTING_TEXT,
    SETTING_STATE,
    SETTING_LISTEN,
    SETTING_LOOPBACK,
    SETTING_LIST,
    SETTING_HOSTS,
    SETTING_BROKERS,
    SETTING_FOLDERS,
    SETTING_HARDENING,
    SETTING_LEVEL,
    SETTING_FORMAT,
    SETTING_COUNT,
    SETTING_DELAY,
    SETTING_LATE,
    SETTING_SECONDS,
    SETTING_REPLICAS,
    SETTING_PORT,
    SETTING_URL,
    SETTING_SWITCH,
    SETTING_BYTES,
    SETTING_STORE,
    SETTING_SECURITY,
    SETTING_MECHANISM
};
struct setting {
    const char *name;
    enum setting_type type;
    size_t at, count_at; /* in struct config */
};
/* Of numbers. */
static const struct {
    uint32_t least, most;
} ranges[] = {
    [SETTING_COUNT] = {0, 100000}, [SETTING_DELAY] = {1, 3600},  [SETTING_LATE] = {1, 168},
    [SETTING_SECONDS] = {1, 300},  [SETTING_REPLICAS] = {0, 16}, [SETTING_PORT] = {1, UINT16_MAX}};
#define AT(member) offsetof(struct config, member)
static const struct setting settings[] = {
    {"data", SETTING_TEXT, AT(data), 0},
    {"domain", SETTING_TEXT, AT(domain), 0},
    {"listen.https", SETTING_TEXT, AT(listen_https), 0},
    {"listen.amqps", SETTING_LISTEN, AT(listen_amqps), 0},
    {"listen.kafka", SETTING_LISTEN, AT(listen_kafka), 0},
    {"listen.amqp", SETTING_LOOPBACK, AT(listen_amqp), 0},
    {"listen.pki", SETTING_LISTEN, AT(listen_pki), 0},
    {"pki.url", SETTING_URL, AT(pki_url), 0},
    {"listen.acme-http", SETTING_LISTEN, AT(listen_acme_http), 0},
    {"state", SETTING_STATE, AT(state), 0},
    {"names", SETTING_LIST, AT(names), AT(name_count)},
    {"hardening", SETTING_HARDENING, 0, 0},
    {"log.level", SETTING_LEVEL, AT(log_level), 0},
    {"log.format", SETTING_FORMAT, AT(log_format), 0},
    {"query.lanes", SETTING_COUNT, AT(query_lanes), 0},
    {"query.rate", SETTING_COUNT, AT(query_rate), 0},
    {"query.memory", SETTING_BYTES, AT(query_memory_bytes), 0},
    {"query.external", SETTING_HOSTS, AT(external_hosts), AT(external_host_count)},
    {"rules.delay", SETTING_DELAY, AT(rule_delay_seconds), 0},
    {"rules.late", SETTING_LATE, AT(rule_late_hours), 0},
    {"collect.udp", SETTING_LIST, AT(collect_udp), AT(collect_udp_count)},
    {"collect.tcp", SETTING_LIST, AT(collect_tcp), AT(collect_tcp_count)},
    {"collect.tls", SETTING_LIST, AT(collect_tls), AT(collect_tls_count)},
    {"federation.allow", SETTING_LIST, AT(federation_hosts), AT(federation_host_count)},
    {"federation.private", SETTING_HOSTS, AT(federation_private), AT(federation_private_count)},
    {"outbound.hosts", SETTING_HOSTS, AT(outbound_hosts), AT(outbound_host_count)},
    {"acme.server", SETTING_SWITCH, AT(acme_server), 0},
    {"acme.resolver", SETTING_TEXT, AT(acme_resolver), 0},
    {"acme.http-port", SETTING_PORT, AT(acme_http_port), 0},
    {"acme.tls-port", SETTING_PORT, AT(acme_tls_port), 0},
    {"acme.addresses", SETTING_LIST, AT(acme_addresses), AT(acme_address_count)},
    {"export.folders", SETTING_FOLDERS, AT(export_folders), AT(export_folder_count)},
    {"passwords.leaked", SETTING_TEXT, AT(leaked_passwords), 0},
    {"content", SETTING_LIST, AT(content), AT(content_count)},
    {"mail.server", SETTING_TEXT, AT(mail_server), 0},
    {"mail.from", SETTING_TEXT, AT(mail_from), 0},
    {"mail.user", SETTING_TEXT, AT(mail_user), 0},
    {"mail.password-file", SETTING_TEXT, AT(mail_password_file), 0},
    {"hub.store", SETTING_STORE, AT(hub_store), 0},
    {"hub.kafka.servers", SETTING_BROKERS, AT(kafka_servers), AT(kafka_server_count)},
    {"hub.kafka.security", SETTING_SECURITY, AT(kafka_security), 0},
    {"hub.kafka.mechanism", SETTING_MECHANISM, AT(kafka_mechanism), 0},
    {"hub.kafka.user", SETTING_TEXT, AT(kafka_user), 0},
    {"hub.kafka.password-file", SETTING_TEXT, AT(kafka_password_file), 0},
    {"hub.kafka.ca-file", SETTING_TEXT, AT(kafka_ca_file), 0},
    {"hub.kafka.certificate-file", SETTING_TEXT, AT(kafka_certificate_file), 0},
    {"hub.kafka.key-file", SETTING_TEXT, AT(kafka_key_file), 0},
    {"hub.kafka.topic-prefix", SETTING_TEXT, AT(kafka_topic_prefix), 0},
    {"hub.kafka.replicas", SETTING_REPLICAS, AT(kafka_replicas), 0},
    {"hub.kafka.timeout", SETTING_SECONDS, AT(kafka_timeout_seconds), 0},
};

struct config config_default(void)
{
    return (struct config){.domain = RF_S("ringfort.localhost"),
                           .listen_https = RF_S("127.0.0.1:8443"),
                           .log_level = RF_INFO,
                           .query_rate = 200, /* as Azure has it */
                           .rule_delay_seconds = 30,
                           .rule_late_hours = 24,
                           .acme_server = RF_S("off"),
                           .acme_http_port = 80,
                           .acme_tls_port = 443,
                           .hub_store = RF_S("files"),
                           .kafka_security = RF_S("tls"),
                           .kafka_mechanism = RF_S("SCRAM-SHA-512"),
                           .kafka_timeout_seconds = 20,
                           .query_memory_bytes = (size_t)1 << 30};
}

/* ---- one setting --------------------------------------------------------------------------------------------- */

static bool set_choice(struct config *config, const struct setting *setting, rf_str value)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "silent"};
    static const char *const formats[] = {"text", "json"};
    void *at = (uint8_t *)config + setting->at;
    switch (setting->type) {
    case SETTING_HARDENING:
        config->strict_hardening = rf_str_is(value, "strict");
        config->no_sandbox = rf_str_is(value, "off");
        return config->strict_hardening || config->no_sandbox || rf_str_is(value, "best-effort");
    case SETTING_LEVEL:
        for (uint32_t i = 0; i < RF_COUNT(levels); i++)
            if (rf_str_is(value, levels[i]))
                return *(enum rf_log_level *)at = (enum rf_log_level)i, true;
        return false;
    case SETTING_FORMAT:
        for (uint32_t i = 0; i < RF_COUNT(formats); i++)
            if (rf_str_is(value, formats[i]))
                return *(enum rf_log_format *)at = (enum rf_log_format)i, true;
        return false;
    default:
        return false;
    }
}

static const char *const wanted[] = {
    [SETTING_TEXT] = "a text",
    [SETTING_STATE] =
        "postgresql://USER@HOST/DATABASE?passfile=FILE, without a password: processes show it",
    [SETTING_LISTEN] = "ADDRESS:PORT, or off",
    [SETTING_LOOPBACK] = "127.0.0.1:PORT, [::1]:PORT or localhost:PORT, as it is not encrypted, or "
                         "off",
    [SETTING_LIST] = "a list of texts",
    [SETTING_HOSTS] = "a list of hosts without wildcards, each with :PORT or :* if it is not 443",
    [SETTING_BROKERS] = "a list of brokers, each as HOST:PORT",
    [SETTING_FOLDERS] = "a list of ACCOUNT=FOLDER: a storage account's name or id, and an absolute "
                        "path; no account and no folder twice",
    [SETTING_HARDENING] = "best-effort, strict or off",
    [SETTING_LEVEL] = "debug, info, warn, error or silent",
    [SETTING_FORMAT] = "text or json",
    [SETTING_COUNT] = "a number from 0 to 100000",
    [SETTING_DELAY] = "a number of seconds from 1 to 3600",
    [SETTING_LATE] = "a number of hours from 1 to 168",
    [SETTING_BYTES] = "a size such as 512M or 2G",
    [SETTING_SECONDS] = "a number of seconds from 1 to 300",
    [SETTING_REPLICAS] = "a number from 0 (as many as there are brokers, at most 3) to 16",
    [SETTING_PORT] = "a port, 1 to 65535",
    [SETTING_URL] = "http://HOST or https://HOST, :PORT behind it or not, and no path",
    [SETTING_SWITCH] = "on or off",
    [SETTING_STORE] = "files or kafka",
    [SETTING_SECURITY] = "plaintext, tls, sasl-plaintext or sasl-tls",
    [SETTING_MECHANISM] = "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
};

/* A list comes as texts with commas between. */
static enum rf_kind set_list(struct config *config, const struct setting *setting, rf_str value,
                             struct rf_arena *arena, struct rf_err *err)
{
    uint32_t count = 0;
    size_t most = 1;
    for (size_t i = 0; i < value.len; i++) most += value.ptr[i] == ',';
    rf_str *items = rf_arena_new(arena, rf_str, most);
    if (items == NULL) return rf_fail_memory(err, arena);
    for (size_t from = 0; from <= value.len;) {
        size_t comma = rf_str_find(value, RF_S(","), from);
        size_t to = comma == SIZE_MAX ? value.len : comma;
        rf_str item = rf_str_trim(rf_slice(value, from, to));
        if (item.len > 0 && !rf_arena_str(arena, item, &items[count++]))
            return rf_fail_memory(err, arena);
        from = to + 1;
    }
    *(const rf_str **)((uint8_t *)config + setting->at) = items;
    *(uint32_t *)((uint8_t *)config + setting->count_at) = count;
    return RF_OK;
}

static bool is_list(enum setting_type type)
{
    return type == SETTING_LIST || type == SETTING_HOSTS || type == SETTING_BROKERS ||
           type == SETTING_FOLDERS;
}

/* HOST, HOST:PORT or HOST:*; an address of version 6 in brackets. */
static bool is_host(rf_str text)
{
    size_t end = text.len;
    while (end > 0 && text.ptr[end - 1] != ':' && text.ptr[end - 1] != ']') end--;
    rf_str host = text, port = rf_slice(text, end, text.len);
    if (end > 0 && text.ptr[end - 1] == ':') {
        uint32_t number = 0;
        bool digits = port.len > 0 && port.len <= 5;
        for (size_t i = 0; digits && i < port.len; i++) {
            digits = rf_is_digit(port.ptr[i]);
            number = number * 10 + (uint32_t)(port.ptr[i] - '0');
        }
        if (!rf_str_is(port, "*") && (!digits || number == 0 || number > UINT16_MAX)) return false;
        host = rf_slice(text, 0, end - 1);
    }
    bool bracket = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
    if (bracket) host = rf_slice(host, 1, host.len - 1);
    for (size_t i = 0; i < host.len; i++) {
        uint8_t c = host.ptr[i];
        if (!rf_is_alnum(c) && c != '.' && c != '-' && !(bracket && c == ':')) return false;
    }
    return host.len > 0;
}

static bool is_port_named(rf_str host)
{
    size_t at = host.len;
    while (at > 0 && rf_is_digit(host.ptr[at - 1])) at--;
    return at > 0 && at < host.len && host.ptr[at - 1] == ':';
}

static enum rf_kind check_hosts(const struct config *config, const struct setting *setting,
                                struct rf_err *err)
{
    const rf_str *items = *(const rf_str *const *)((const uint8_t *)config + setting->at);
    uint32_t count = *(const uint32_t *)((const uint8_t *)config + setting->count_at);
    for (uint32_t i = 0; i < count; i++)
        if (!is_host(items[i]) || (setting->type == SETTING_BROKERS && !is_port_named(items[i])))
            return RF_FAIL(err, RF_INVALID, "BadValue", "'%s' has %.*s, but must be %s",
                           setting->name, (int)RF_MIN(items[i].len, 100),
                           (const char *)items[i].ptr, wanted[setting->type]);
    return RF_OK;
}

bool config_export_folder(rf_str item, rf_str *account, rf_str *folder)
{
    size_t sign = rf_str_find(item, RF_S("="), 0);
    if (sign == SIZE_MAX) return false;
    *account = rf_str_trim(rf_slice(item, 0, sign));
    *folder = rf_str_trim(rf_slice(item, sign + 1, item.len));
    while (folder->len > 1 && folder->ptr[folder->len - 1] == '/') folder->len--;
    return account->len > 0 && folder->len > 1 && folder->ptr[0] == '/';
}

/* Two accounts in one folder would write to the same files. */
static enum rf_kind check_folders(const struct config *config, const struct setting *setting,
                                  struct rf_err *err)
{
    bool good = true;
    for (uint32_t i = 0; i < config->export_folder_count && good; i++) {
        rf_str account, folder, other, taken;
        good = config_export_folder(config->export_folders[i], &account, &folder);
        for (uint32_t k = 0; k < i && good; k++)
            good = config_export_folder(config->export_folders[k], &other, &taken) &&
                   !rf_str_eq_nocase(account, other) && !rf_str_eq(folder, taken);
        if (!good)
            return RF_FAIL(err, RF_INVALID, "BadValue", "'%s' has %.*s, but must be %s",
                           setting->name, (int)RF_MIN(config->export_folders[i].len, 300),
                           (const char *)config->export_folders[i].ptr, wanted[SETTING_FOLDERS]);
    }
    return RF_OK;
}

/* A password would stand between the user's colon and '@', or in a parameter. */
static bool is_state_url(rf_str url)
{
    rf_str schemes[] = {RF_S("postgresql://"), RF_S("postgres://")};
    size_t from = 0;
    for (size_t i = 0; i < RF_COUNT(schemes); i++)
        if (rf_str_starts(url, schemes[i])) from = schemes[i].len;
    if (from == 0) return false;
    size_t at = rf_str_find(url, RF_S("@"), from),
           slash = RF_MIN(rf_str_find(url, RF_S("/"), from), url.len);
    bool has_secret = at < slash && rf_str_find(rf_slice(url, from, at), RF_S(":"), 0) != SIZE_MAX;
    return !has_secret && rf_str_find(url, RF_S("password="), 0) == SIZE_MAX;
}

static bool is_listen(rf_str text, bool loopback)
{
    static const char *const inside[] = {"127.0.0.1", "[::1]", "localhost"};
    size_t colon = text.len;
    uint32_t port = 0;
    if (rf_str_is(text, "off")) return true;
    while (colon > 0 && rf_is_digit(text.ptr[colon - 1])) colon--;
    size_t digits = text.len - colon;
    if (digits == 0 || digits > 5 || colon == 0 || text.ptr[colon - 1] != ':') return false;
    for (size_t i = colon; i < text.len; i++) port = port * 10 + (uint32_t)(text.ptr[i] - '0');
    rf_str host = rf_slice(text, 0, colon - 1);
    bool good = port <= UINT16_MAX && host.len > 0;
    if (!loopback) return good;
    for (size_t i = 0; i < RF_COUNT(inside); i++)
        if (rf_str_is(host, inside[i])) return good;
    return false;
}

/* What certificates name for years: a host that others find, without a comma, which would end it there. */
static bool is_origin(rf_str text)
{
    rf_str schemes[] = {RF_S("http://"), RF_S("https://")};
    for (size_t i = 0; i < RF_COUNT(schemes); i++)
        if (rf_str_starts(text, schemes[i]) && text.len <= 255)
            return is_host(rf_slice(text, schemes[i].len, text.len)) &&
                   rf_str_find(text, RF_S("*"), 0) == SIZE_MAX;
    return false;
}

static bool is_number(enum setting_type type)
{
    return type == SETTING_COUNT || type == SETTING_DELAY || type == SETTING_LATE ||
           type == SETTING_SECONDS || type == SETTING_REPLICAS || type == SETTING_PORT;
}

/* One of a few texts, kept as it is. */
static bool is_one_of(enum setting_type type, rf_str value)
{
    static const char *const texts[][4] = {
        [SETTING_SWITCH] = {"on", "off"},
        [SETTING_STORE] = {"files", "kafka"},
        [SETTING_SECURITY] = {"plaintext", "tls", "sasl-plaintext", "sasl-tls"},
        [SETTING_MECHANISM] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"},
    };
    for (size_t i = 0; type < RF_COUNT(texts) && i < RF_COUNT(texts[0]); i++)
        if (texts[type][i] != NULL && rf_str_is(value, texts[type][i])) return true;
    return false;
}

static enum rf_kind set_value(struct config *config, const struct setting *setting, rf_str value,
                              struct rf_arena *arena, struct rf_err *err)
{
    void *at = (uint8_t *)config + setting->at;
    if (is_list(setting->type)) {
        RF_TRY(set_list(config, setting, value, arena, err));
        if (setting->type == SETTING_FOLDERS) return check_folders(config, setting, err);
        bool has_hosts = setting->type == SETTING_HOSTS || setting->type == SETTING_BROKERS;
        return has_hosts ? check_hosts(config, setting, err) : RF_OK;
    }
    if (setting->type == SETTING_TEXT) {
        if (value.len == 0)
            return RF_FAIL(err, RF_INVALID, "BadValue", "'%s' must not be empty", setting->name);
        return rf_arena_str(arena, value, at) ? RF_OK : rf_fail_memory(err, arena);
    }
    bool good = false;
    bool is_text = (setting->type == SETTING_STATE && is_state_url(value)) ||
                   (setting->type == SETTING_LISTEN && is_listen(value, false)) ||
                   (setting->type == SETTING_LOOPBACK && is_listen(value, true)) ||
                   (setting->type == SETTING_URL && is_origin(value)) ||
                   is_one_of(setting->type, value);
    if (is_text) return rf_arena_str(arena, value, at) ? RF_OK : rf_fail_memory(err, arena);
    if (setting->type == SETTING_STATE) /* not quoted: it may hold a secret */
        return RF_FAIL(err, RF_INVALID, "BadValue", "'%s' must be %s", setting->name,
                       wanted[setting->type]);
    const char *text = rf_arena_cstr(arena, value);
    if (text == NULL) return rf_fail_memory(err, arena);
    if (setting->type == SETTING_BYTES) {
        good = cli_parse_bytes(text, at);
    } else if (is_number(setting->type)) {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        good = rf_is_digit((uint8_t)text[0]) && *end == 0 &&
               number >= ranges[setting->type].least && number <= ranges[setting->type].most;
        if (good) *(uint32_t *)at = (uint32_t)number;
    } else {
        good = set_choice(config, setting, value);
    }
    if (!good)
        return RF_FAIL(err, RF_INVALID, "BadValue", "'%s' is %.*s, but must be %s", setting->name,
                       (int)RF_MIN(value.len, 100), (const char *)value.ptr, wanted[setting->type]);
    return RF_OK;
}

static const struct setting *find_setting(rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(settings); i++)
        if (rf_str_is(name, settings[i].name)) return &settings[i];
    return NULL;
}

static rf_str nth_name(const void *state, size_t index)
{
    (void)state;
    return rf_str_of(settings[index].name);
}

static enum rf_kind unknown_key(rf_str name, uint32_t line, struct rf_err *err)
{
    rf_str near;
    int shown = (int)RF_MIN(name.len, 100);
    if (rf_nearest(name, RF_COUNT(settings), nth_name, NULL, &near) != NULL)
        (void)rf_fail(err, RF_INVALID, "UnknownKey",
                      "no setting is called '%.*s'; did you mean '%.*s'?", shown,
                      (const char *)name.ptr, RF_FMT(near));
    else
        (void)rf_fail(err, RF_INVALID, "UnknownKey",
                      "no setting is called '%.*s'; docs/configuration.md lists them", shown,
                      (const char *)name.ptr);
    if (err != NULL) err->line = line;
    return RF_INVALID;
}

enum rf_kind config_set(struct config *config, const char *name, rf_str value,
                        struct rf_arena *arena, struct rf_err *err)
{
    const struct setting *setting = find_setting(rf_str_of(name));
    return setting == NULL ? unknown_key(rf_str_of(name), 0, err)
                           : set_value(config, setting, value, arena, err);
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

/* A list of texts joined by commas, or a scalar as its text. False when it is neither. */
static bool node_text(const struct json_node *node, bool list, struct rf_arena *arena, rf_str *out)
{
    if (node->type == JSON_T_STRING || node->type == JSON_T_NUMBER) {
        *out = node->text;
        return !list;
    }
    if (node->type == JSON_T_TRUE || node->type == JSON_T_FALSE) {
        *out = node->type == JSON_T_TRUE ? RF_S("true") : RF_S("false");
        return !list;
    }
    if (node->type != JSON_T_ARRAY || !list) return false;
    struct rf_buf buf = rf_buf_in(arena);
    for (const struct json_node *item = node->first; item != NULL; item = item->next) {
        if (item->type != JSON_T_STRING || rf_str_find(item->text, RF_S(","), 0) != SIZE_MAX)
            return false;
        rf_buf_str(&buf, item->text);
        rf_buf_byte(&buf, ',');
    }
    *out = rf_buf_view(&buf);
    return !buf.failed;
}

static bool is_group(rf_str name)
{
    for (size_t i = 0; i < RF_COUNT(settings); i++) {
        rf_str whole = rf_str_of(settings[i].name);
        if (rf_str_starts(whole, name) && whole.len > name.len && whole.ptr[name.len] == '.')
            return true;
    }
    return false;
}

static enum rf_kind read_member(struct config *config, const struct json_node *member, rf_str name,
                                struct rf_arena *arena, struct rf_err *err)
{
    rf_str value;
    const struct setting *setting = find_setting(name);
    if (setting == NULL) return unknown_key(name, member->line, err);
    enum rf_kind kind = RF_INVALID;
    if (!node_text(member, is_list(setting->type), arena, &value))
        (void)rf_fail(err, RF_INVALID, "BadValue", "'%s' must be %s", setting->name,
                      wanted[setting->type]);
    else
        kind = set_value(config, setting, value, arena, err);
    if (kind != RF_OK && err != NULL) err->line = member->line;
    return kind;
}

/* Groups lie in groups, no deeper than the names of settings say. */
static enum rf_kind read_group(struct config *config, const struct json_node *group, rf_str prefix,
                               struct rf_arena *arena, struct rf_err *err)
{
    for (const struct json_node *m = group->first; m != NULL; m = m->next) {
        rf_str name = prefix.len == 0
                          ? m->name
                          : rf_arena_printf(arena, "%.*s.%.*s", RF_FMT(prefix), RF_FMT(m->name));
        if (name.ptr == NULL && m->name.len > 0) return rf_fail_memory(err, arena);
        if (!is_group(name)) {
            RF_TRY(read_member(config, m, name, arena, err));
            continue;
        }
        if (m->type != JSON_T_OBJECT)
            return RF_FAIL(err, RF_INVALID, "BadValue",
                           "'%.*s' must hold settings as 'name: value'", RF_FMT(name));
        RF_TRY(read_group(config, m, name, arena, err));
    }
    return RF_OK;
}

enum rf_kind config_read(struct config *config, rf_str yaml, struct rf_arena *arena,
                         struct rf_err *err)
{
    struct json_node *root;
    RF_TRY(yaml_parse(yaml, arena, &root, err));
    if (root->type == JSON_T_NULL) return RF_OK;
    if (root->type != JSON_T_OBJECT)
        return RF_FAIL(err, RF_INVALID, "BadValue", "the file must hold settings as 'name: value'");
    return read_group(config, root, (rf_str){0}, arena, err);
}

/* ---- the environment ------------------------------------------------------------------------------------------- */

/* "listen.https" -> "LISTEN_HTTPS" */
static void variable_of(const char *name, char out[64])
{
    size_t len = 0;
    for (; name[len] != 0 && len < 63; len++)
        out[len] = name[len] == '.' || name[len] == '-' ? '_' : (char)rf_upper((uint8_t)name[len]);
    out[len] = 0;
}

enum rf_kind config_environment(struct config *config, char *const *environment,
                                struct rf_arena *arena, struct rf_err *err)
{
    for (size_t i = 0; environment != NULL && environment[i] != NULL; i++) {
        rf_str entry = rf_str_of(environment[i]);
        if (!rf_str_starts(entry, RF_S("RINGFORT_"))) continue;
        size_t equals = rf_str_find(entry, RF_S("="), 0);
        if (equals == SIZE_MAX) continue;
        rf_str name = rf_slice(entry, 9, equals);
        for (size_t k = 0; k < RF_COUNT(settings); k++) {
            char variable[64];
            variable_of(settings[k].name, variable);
            if (rf_str_is(name, variable))
                RF_TRY(set_value(config, &settings[k], rf_slice(entry, equals + 1, entry.len),
                                 arena, err));
        }
    }
    return RF_OK;
}

/* ---- to the roles ------------------------------------------------------------------------------------------------- */

static rf_str joined(const rf_str *items, uint32_t count, struct rf_arena *arena)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < count; i++)
        rf_buf_printf(&buf, "%s%.*s", i == 0 ? "" : ",", RF_FMT(items[i]));
    return rf_buf_view(&buf);
}

rf_str config_to_json(const struct config *config, struct rf_arena *arena)
{
    static const char *const levels[] = {"debug", "info", "warn", "error", "silent"};
    struct json_node *root = json_new(arena, JSON_T_OBJECT);
    for (size_t i = 0; i < RF_COUNT(settings) && root != NULL; i++) {
        const struct setting *s = &settings[i];
        const void *at = (const uint8_t *)config + s->at;
        rf_str value = {0};
        switch (s->type) {
        case SETTING_TEXT:
        case SETTING_STATE:
        case SETTING_LISTEN:
        case SETTING_LOOPBACK:
        case SETTING_STORE:
        case SETTING_SWITCH:
        case SETTING_URL:
        case SETTING_SECURITY:
        case SETTING_MECHANISM:
            value = *(const rf_str *)at;
            break;
        case SETTING_LIST:
        case SETTING_HOSTS:
        case SETTING_BROKERS:
        case SETTING_FOLDERS:
            value = joined(*(const rf_str *const *)at,
                           *(const uint32_t *)((const uint8_t *)config + s->count_at), arena);
            break;
        case SETTING_HARDENING:
            value = config->no_sandbox         ? RF_S("off")
                    : config->strict_hardening ? RF_S("strict")
                                               : RF_S("best-effort");
            break;
        case SETTING_LEVEL:
            value = rf_str_of(levels[config->log_level]);
            break;
        case SETTING_FORMAT:
            value = config->log_format == RF_LOG_JSON ? RF_S("json") : RF_S("text");
            break;
        case SETTING_COUNT:
        case SETTING_DELAY:
        case SETTING_LATE:
        case SETTING_SECONDS:
        case SETTING_REPLICAS:
        case SETTING_PORT:
            value = rf_arena_printf(arena, "%u", *(const uint32_t *)at);
            break;
        case SETTING_BYTES:
            value = rf_arena_printf(arena, "%zu", *(const size_t *)at);
            break;
        }
        if (json_set_text(arena, root, s->name, value) == NULL) return (rf_str){0};
    }
    return json_to_text(arena, root);
}

enum rf_kind config_of_json(rf_str json, struct rf_arena *arena, struct config *out,
                            struct rf_err *err)
{
    struct json_node *root;
    struct config config = config_default();
    RF_TRY(json_parse(json, arena, &root, err));
    for (const struct json_node *m = root->first; m != NULL; m = m->next) {
        const struct setting *setting = find_setting(m->name);
        if (setting == NULL) return unknown_key(m->name, 0, err);
        if (m->text.len > 0 || is_list(setting->type))
            RF_TRY(set_value(&config, setting, m->text, arena, err));
    }
    *out = config;
    return RF_OK;
}
