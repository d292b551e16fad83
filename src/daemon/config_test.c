#include "daemon/config.h"
#include "test/rf_prop.h"

static struct config read_good(struct rf_arena *arena, const char *yaml)
{
    struct config config = config_default();
    struct rf_err err = {0};
    cr_assert(config_read(&config, rf_str_of(yaml), arena, &err) == RF_OK, "%s", err.text);
    return config;
}

Test(config, reads_every_setting_and_hands_it_on)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct config config =
        read_good(&arena, "data: /srv/rf\n"
                          "domain: rf.example\n"
                          "state: postgresql://u@h:5433/d?passfile=/x\n"
                          "listen: {https: '[::]:443'}\n"
                          "names: [a.example, 10.0.0.1]\n"
                          "hardening: strict\n"
                          "log:\n  level: warn\n  format: json\n"
                          "query: {lanes: 3, memory: 2G, rate: 300}\n"
                          "rules: {delay: 300, late: 48}\n"
                          "federation: {allow: [token.example]}\n"
                          "hub:\n  store: kafka\n  kafka:\n"
                          "    servers: ['k1:9092', '[::1]:9093']\n"
                          "    security: sasl-tls\n    user: u\n    timeout: 5\n");
    for (int round = 0; round < 2; round++) {
        struct rf_err err;
        cr_assert(rf_str_is(config.data, "/srv/rf"));
        cr_assert(rf_str_is(config.domain, "rf.example"));
        cr_assert(rf_str_is(config.state, "postgresql://u@h:5433/d?passfile=/x"));
        cr_assert(rf_str_is(config.listen_https, "[::]:443"));
        cr_assert(config.name_count == 2 && rf_str_is(config.names[1], "10.0.0.1"));
        cr_assert(config.strict_hardening && !config.no_sandbox);
        cr_assert(config.log_level == RF_WARN && config.log_format == RF_LOG_JSON);
        cr_assert(config.query_rate == 300);
        cr_assert(config.rule_delay_seconds == 300 && config.rule_late_hours == 48);
        cr_assert(config.query_lanes == 3 && config.query_memory_bytes == (size_t)2 << 30);
        cr_assert(config.federation_host_count == 1);
        cr_assert(rf_str_is(config.hub_store, "kafka") && config.kafka_server_count == 2);
        cr_assert(rf_str_is(config.kafka_servers[1], "[::1]:9093"));
        cr_assert(rf_str_is(config.kafka_security, "sasl-tls") &&
                  rf_str_is(config.kafka_user, "u"));
        cr_assert(config.kafka_timeout_seconds == 5 && config.kafka_replicas == 0);
        rf_str json = config_to_json(&config, &arena);
        config = config_default();
        cr_assert(config_of_json(json, &arena, &config, &err) == RF_OK, "%s", err.text);
    }
}

Test(config, an_empty_file_changes_nothing)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct config config = read_good(&arena, "# nothing\n");
    cr_assert(rf_str_is(config.listen_https, "127.0.0.1:8443"));
    cr_assert(config.query_rate == 200);
}

Test(config, refuses_with_the_line_and_the_remedy)
{
    static const struct {
        const char *yaml, *code, *hint;
        uint32_t line;
    } bad[] = {
        {"data: /x\ndomian: a\n", "UnknownKey", "did you mean 'domain'", 2},
        {"hub: {store: disk}\n", "BadValue", "files or kafka", 1},
        {"hub:\n  kafka:\n    servers: [k1]\n", "BadValue", "HOST:PORT", 3},
        {"hub:\n  kafka:\n    server: [k1]\n", "UnknownKey", "hub.kafka.servers", 3},
        {"hub: {kafka: off}\n", "BadValue", "name: value", 0},
        {"hub: {kafka: {timeout: 0}}\n", "BadValue", "seconds", 1},
        {"listen:\n  htps: a\n", "UnknownKey", "did you mean 'listen.https'", 2},
        {"rules: {delay: 0}\n", "BadValue", "seconds from 1 to 3600", 1},
        {"rules:\n  late: 169\n", "BadValue", "hours from 1 to 168", 2},
        {"hardening: some\n", "BadValue", "best-effort, strict or off", 1},
        {"query: {lanes: -1}\n", "BadValue", "0 to 100000", 1},
        {"query: {memory: much}\n", "BadValue", "512M", 1},
        {"names: a.example\n", "BadValue", "a list", 1},
        {"listen: 1\n", "BadValue", "name: value", 0},
        {"domain: ''\n", "BadValue", "empty", 1},
        {"listen: {amqps: 127.0.0.1}\n", "BadValue", "ADDRESS:PORT, or off", 1},
        {"listen: {kafka: '127.0.0.1:65536'}\n", "BadValue", "ADDRESS:PORT, or off", 1},
        {"listen: {kafka: ':9093'}\n", "BadValue", "ADDRESS:PORT, or off", 1},
        {"listen: {amqp: '0.0.0.0:5672'}\n", "BadValue", "not encrypted", 1},
        {"listen: {amqp: '[::]:5672'}\n", "BadValue", "[::1]:PORT", 1},
        {"state: postgresql://u:secret@h/d\n", "BadValue", "without a password", 1},
        {"state: postgresql://u@h/d?password=secret\n", "BadValue", "without a password", 1},
        {"state: mysql://u@h/d\n", "BadValue", "postgresql://", 1},
        {"domain: [a]\n", "BadValue", "a text", 1},
        {"federation: {private: ['*.example']}\n", "BadValue", "without wildcards", 1},
        {"federation: {private: ['a:0']}\n", "BadValue", ":PORT", 1},
        {"federation: {private: ['a:65536']}\n", "BadValue", ":PORT", 1},
        {"federation: {private: [':443']}\n", "BadValue", "hosts", 1},
        {"federation: {private: ['https://a']}\n", "BadValue", "hosts", 1},
        {"federation: {private: ['::1']}\n", "BadValue", "hosts", 1},
        {"export: {folders: [archive]}\n", "BadValue", "ACCOUNT=FOLDER", 1},
        {"export: {folders: [archive=relative]}\n", "BadValue", "ACCOUNT=FOLDER", 1},
        {"export: {folders: [a=/x, b=/x/]}\n", "BadValue", "no folder twice", 1},
        {"export: {folders: [a=/x, A=/y]}\n", "BadValue", "no account", 1},
        {"- a\n", "BadValue", "name: value", 0},
    };
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < RF_COUNT(bad); i++) {
        struct config config = config_default();
        struct rf_err err = {0};
        cr_assert(config_read(&config, rf_str_of(bad[i].yaml), &arena, &err) == RF_INVALID, "%s",
                  bad[i].yaml);
        cr_assert_str_eq(err.code, bad[i].code);
        cr_assert(strstr(err.text, bad[i].hint) != NULL, "%s", err.text);
        cr_assert(strstr(err.text, "secret") == NULL, "%s", err.text);
        cr_assert(err.line == bad[i].line, "%s: %u", bad[i].yaml, err.line);
    }
}

Test(config, the_environment_wins_over_the_file)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct config config = read_good(&arena, "domain: file.example\n");
    char domain[] = "RINGFORT_DOMAIN=env.example", names[] = "RINGFORT_NAMES=a, b,",
         other[] = "HOME=/x";
    char *environment[] = {other, domain, names, NULL};
    struct rf_err err;
    cr_assert(config_environment(&config, environment, &arena, &err) == RF_OK);
    cr_assert(rf_str_is(config.domain, "env.example"));
    cr_assert(config.name_count == 2 && rf_str_is(config.names[1], "b"));
    char level[] = "RINGFORT_LOG_LEVEL=loud";
    char *wrong[] = {level, NULL};
    cr_assert(config_environment(&config, wrong, &arena, &err) == RF_INVALID);
}

Test(config, private_issuers_are_hosts_with_ports)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    cr_expect(config_default().federation_private_count == 0);
    struct config again,
        config = read_good(
            &arena,
            "federation: {private: ['localhost:*', 10.1.2.3, 'idp.corp:8443', '[::1]:9443']}\n");
    cr_assert(config.federation_private_count == 4);
    cr_expect(rf_str_is(config.federation_private[2], "idp.corp:8443"));
    struct rf_err err;
    cr_assert(config_of_json(config_to_json(&config, &arena), &arena, &again, &err) == RF_OK);
    cr_assert(again.federation_private_count == 4);
    cr_expect(rf_str_is(again.federation_private[3], "[::1]:9443"));
}

Test(config, where_alerts_are_sent)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct config again,
        config = read_good(&arena, "outbound: {hosts: [hooks.example, 'localhost:9000']}\n"
                                   "mail: {server: 'mx.corp:25', from: rf@corp, user: rf,\n"
                                   "       password-file: /run/mail}\n");
    struct rf_err err;
    cr_expect(config_default().outbound_host_count == 0);
    cr_expect(config_default().mail_server.len == 0);
    cr_assert(config_of_json(config_to_json(&config, &arena), &arena, &again, &err) == RF_OK);
    cr_assert(again.outbound_host_count == 2);
    cr_expect(rf_str_is(again.outbound_hosts[1], "localhost:9000"));
    cr_expect(rf_str_is(again.mail_server, "mx.corp:25") && rf_str_is(again.mail_from, "rf@corp"));
    cr_expect(rf_str_is(again.mail_user, "rf") && rf_str_is(again.mail_password_file, "/run/mail"));
    cr_expect(config_set(&config, "outbound.hosts", RF_S("*.example"), &arena, &err) == RF_INVALID);
}

Test(config, folders_of_exports)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    rf_str account, folder;
    struct rf_err err;
    struct config again,
        config = read_good(&arena, "export: {folders: ['archive = /srv/x/', b=/y]}\n");
    cr_expect(config_default().export_folder_count == 0);
    cr_assert(config_of_json(config_to_json(&config, &arena), &arena, &again, &err) == RF_OK);
    cr_assert(again.export_folder_count == 2);
    cr_assert(config_export_folder(again.export_folders[0], &account, &folder));
    cr_expect(rf_str_is(account, "archive") && rf_str_is(folder, "/srv/x"));
    cr_expect(!config_export_folder(RF_S("=/x"), &account, &folder));
    cr_expect(!config_export_folder(RF_S("a=/"), &account, &folder));
}

Test(config, where_event_hubs_answer)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct config again,
        config =
            read_good(&arena, "listen: {amqps: '0.0.0.0:5671', kafka: off, amqp: '[::1]:0'}\n");
    cr_expect(config_default().listen_amqps.len == 0 && config_default().listen_kafka.len == 0);
    cr_expect(config_default().listen_amqp.len == 0);
    cr_assert(config_of_json(config_to_json(&config, &arena), &arena, &again, &err) == RF_OK);
    cr_expect(rf_str_is(again.listen_amqps, "0.0.0.0:5671"));
    cr_expect(rf_str_is(again.listen_kafka, "off"));
    cr_expect(rf_str_is(again.listen_amqp, "[::1]:0"));
}

Test(config, where_certificates_are_checked)
{
    RF_CLEANUP(rf_arena_done) struct rf_arena arena;
    rf_arena_init(&arena, 1 << 20);
    struct rf_err err;
    struct config again, config = read_good(&arena, "listen: {pki: '0.0.0.0:8080'}\n"
                                                    "pki: {url: 'http://pki.example:8080'}\n");
    cr_expect(config_default().listen_pki.len == 0 && config_default().pki_url.len == 0);
    cr_assert(config_of_json(config_to_json(&config, &arena), &arena, &again, &err) == RF_OK);
    cr_expect(rf_str_is(again.listen_pki, "0.0.0.0:8080"));
    cr_expect(rf_str_is(again.pki_url, "http://pki.example:8080"));
    static const char *const bad[] = {"pki.example", "ftp://a",    "http://",    "http://a/b",
                                      "http://a,b",  "http://*.a", "http://a:*", "http://a:0"};
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(config_set(&config, "pki.url", rf_str_of(bad[i]), &arena, &err) == RF_INVALID,
                  "%s", bad[i]);
}
