#include "daemon/external_kafka.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "test/rf_prop.h"

static enum rf_kind read_settings(const char *yaml, struct rf_arena *arena,
                                  struct kafka_store_options *out, struct rf_err *err)
{
    struct config config = config_default();
    RF_TRY(config_read(&config, rf_str_of(yaml), arena, err));
    return external_kafka_read(&config, arena, out, err);
}

Test(external_kafka, files_need_nothing)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct kafka_store_options options;
    struct rf_err err;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(read_settings("hub: {kafka: {servers: ['a:1']}}\n", &arena, &options, &err) == RF_OK);
    cr_assert(options.servers == NULL);
}

Test(external_kafka, reads_the_password_from_its_file_and_wipes_it)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    struct kafka_store_options options;
    struct rf_err err;
    char path[] = "/tmp/rf-external-kafka-XXXXXX", yaml[300];
    rf_arena_init(&arena, 1 << 20);
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, "s3cret\n", 7) == 7);
    (void)close(fd);
    (void)snprintf(yaml, sizeof yaml,
                   "hub: {store: kafka, kafka: {servers: ['a:1', 'b:2'], security: sasl-tls, "
                   "user: u, password-file: %s, mechanism: PLAIN, replicas: 2}}\n",
                   path);
    cr_assert(read_settings(yaml, &arena, &options, &err) == RF_OK, "%s", err.text);
    cr_assert_str_eq(options.servers, "a:1,b:2");
    cr_assert_str_eq(options.password, "s3cret");
    cr_assert_str_eq(options.mechanism, "PLAIN");
    cr_assert(options.tls && options.replicas == 2 && options.ca_pem == NULL);
    const char *password = options.password;
    external_kafka_wipe(&options);
    cr_assert(options.password == NULL && password[0] == 0 && password[5] == 0);
    (void)unlink(path);
}

Test(external_kafka, refuses_what_does_not_fit_together)
{
    static const struct {
        const char *yaml, *hint;
    } bad[] = {
        {"hub: {store: kafka}\n", "hub.kafka.servers"},
        {"hub: {store: kafka, kafka: {servers: ['a:1'], security: sasl-tls, user: u}}\n",
         "password-file"},
        {"hub: {store: kafka, kafka: {servers: ['a:1'], security: sasl-plaintext}}\n",
         "hub.kafka.user"},
        {"hub: {store: kafka, kafka: {servers: ['a:1'], key-file: /dev/null}}\n",
         "certificate-file"},
    };
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        RF_CLEANUP(rf_arena_done) struct rf_arena arena;
        struct kafka_store_options options;
        struct rf_err err;
        rf_arena_init(&arena, 1 << 20);
        cr_assert(read_settings(bad[i].yaml, &arena, &options, &err) == RF_INVALID, "%zu", i);
        cr_assert(strstr(err.text, bad[i].hint) != NULL, "%s", err.text);
    }
}
