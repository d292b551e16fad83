#include "daemon/external_kafka.h"

#include "base/fs.h"

enum { FILE_BYTES_MAX = 1 << 20 };

static enum rf_kind bad(const char *what, struct rf_err *err)
{
    return RF_FAIL(err, RF_INVALID, "BadValue", "%s (docs/external-kafka.md)", what);
}

static enum rf_kind text_of(rf_str setting, struct rf_arena *arena, const char **out,
                            struct rf_err *err)
{
    *out = setting.len == 0 ? NULL : rf_arena_cstr(arena, setting);
    return setting.len > 0 && *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

/* What a file holds, without the end of its last line. */
static enum rf_kind file_of(rf_str setting, struct rf_arena *arena, const char **out,
                            struct rf_err *err)
{
    const char *path;
    rf_str text;
    *out = NULL;
    RF_TRY(text_of(setting, arena, &path, err));
    if (path == NULL) return RF_OK;
    RF_TRY(rf_fs_read_all(rf_fs_real(), path, FILE_BYTES_MAX, arena, &text, err));
    if (rf_str_ends(text, RF_S("\n"))) text.len--;
    *out = rf_arena_cstr(arena, text);
    explicit_bzero((uint8_t *)(uintptr_t)text.ptr, text.len);
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

static enum rf_kind read_login(const struct config *config, struct rf_arena *arena,
                               struct kafka_store_options *out, struct rf_err *err)
{
    if (config->kafka_user.len == 0 || config->kafka_password_file.len == 0)
        return bad("hub.kafka.security asks for a login: set hub.kafka.user and "
                   "hub.kafka.password-file",
                   err);
    RF_TRY(text_of(config->kafka_mechanism, arena, &out->mechanism, err));
    RF_TRY(text_of(config->kafka_user, arena, &out->user, err));
    return file_of(config->kafka_password_file, arena, &out->password, err);
}

static enum rf_kind read_tls(const struct config *config, struct rf_arena *arena,
                             struct kafka_store_options *out, struct rf_err *err)
{
    RF_TRY(file_of(config->kafka_ca_file, arena, &out->ca_pem, err));
    RF_TRY(file_of(config->kafka_certificate_file, arena, &out->certificate_pem, err));
    RF_TRY(file_of(config->kafka_key_file, arena, &out->key_pem, err));
    if ((out->certificate_pem == NULL) == (out->key_pem == NULL)) return RF_OK;
    return bad("hub.kafka.certificate-file and hub.kafka.key-file are set together", err);
}

static enum rf_kind join_servers(const struct config *config, struct rf_arena *arena,
                                 const char **out, struct rf_err *err)
{
    struct rf_buf buf = rf_buf_in(arena);
    for (uint32_t i = 0; i < config->kafka_server_count; i++)
        rf_buf_printf(&buf, "%s%.*s", i == 0 ? "" : ",", RF_FMT(config->kafka_servers[i]));
    *out = buf.failed ? NULL : rf_arena_cstr(arena, rf_buf_view(&buf));
    return *out == NULL ? rf_fail_memory(err, arena) : RF_OK;
}

enum rf_kind external_kafka_read(const struct config *config, struct rf_arena *arena,
                                 struct kafka_store_options *out, struct rf_err *err)
{
    rf_str security = config->kafka_security;
    *out = (struct kafka_store_options){0};
    if (!rf_str_is(config->hub_store, "kafka")) return RF_OK;
    if (config->kafka_server_count == 0)
        return bad("hub.store is kafka: name its brokers in hub.kafka.servers", err);
    out->tls = rf_str_is(security, "tls") || rf_str_is(security, "sasl-tls");
    out->replicas = config->kafka_replicas;
    out->timeout_usec = config->kafka_timeout_seconds * RF_USEC_PER_SECOND;
    RF_TRY(join_servers(config, arena, &out->servers, err));
    RF_TRY(text_of(config->kafka_topic_prefix, arena, &out->topic_prefix, err));
    if (rf_str_starts(security, RF_S("sasl"))) RF_TRY(read_login(config, arena, out, err));
    return out->tls ? read_tls(config, arena, out, err) : RF_OK;
}

void external_kafka_wipe(struct kafka_store_options *options)
{
    const char **secrets[] = {&options->password, &options->key_pem};
    for (size_t i = 0; i < RF_COUNT(secrets); i++) {
        if (*secrets[i] == NULL) continue;
        explicit_bzero((char *)(uintptr_t)*secrets[i], strlen(*secrets[i]));
        *secrets[i] = NULL;
    }
}
