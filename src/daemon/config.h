/* config.h - what `ringfort serve` is told: by a file, the environment and the command line, later ones winning.
 *
 *   data: /var/lib/ringfort          # RINGFORT_DATA, --data
 *   domain: ringfort.localhost       # RINGFORT_DOMAIN, --domain
 *   listen:
 *     https: 127.0.0.1:8443          # RINGFORT_LISTEN_HTTPS, --listen-https
 *     amqps: 127.0.0.1:5671          # event hubs; not set: the address of https; off: not served
 *     kafka: 127.0.0.1:9093          # the same
 *     amqp: off                      # plain AMQP, loopback only: 127.0.0.1:5672
 *   state: postgresql://ringfort@db.contoso.example/ringfort?passfile=/etc/ringfort/pgpass   # instead of DIR/state/state.db
 *   names: [siem.contoso.example]    # further names and addresses of the certificate
 *   hardening: best-effort           # or strict; RINGFORT_HARDENING, --hardening
 *   log: {level: info, format: text} # RINGFORT_LOG_LEVEL, RINGFORT_LOG_FORMAT, --log-level, --log-format
 *   query: {lanes: 0, memory: 1G, rate: 0} # lanes 0: by the number of processors; rate: queries of one principal in 30 s
 *   query: {external: [lists.contoso.example]}                # hosts that queries may read by externaldata
 *   collect: {udp: [0.0.0.0:5514], tcp: [0.0.0.0:5514], tls: [0.0.0.0:6514]} # syslog; who may send, resources say
 *   export: {folders: [archive1=/srv/export]}                  # storage accounts of data export rules that are folders here
 *   passwords: {leaked: /srv/pwned-sha1.txt}                    # SHA-1 hashes of passwords that were stolen, sorted
 *   content: [/srv/packages]                                   # folders of content packages
 *   federation: {allow: [token.actions.githubusercontent.com], # hosts whose keys may be fetched
 *                private: [localhost:9443]}                    # the same at loopback or private addresses
 *   outbound: {hosts: [hooks.contoso.example, 10.20.0.9:8443]} # where alerts may be sent; inside ones as addresses
 *   pki: {url: "http://pki.contoso.example:8080"}              # what certificates of the vault's authorities name; listen: {pki: ...}
 *   acme: {server: on, resolver: 10.0.0.53}                    # docs/acme.md
 *   mail: {server: mail.contoso.example, from: ringfort@contoso.example, user: ringfort, password-file: /etc/ringfort/mail}
 *   hub: {store: kafka}                                        # event hubs in an external Kafka cluster; files: in the folder
 *   hub: {kafka: {servers: [k1.contoso.example:9093], security: sasl-tls, mechanism: SCRAM-SHA-512, user: ringfort,
 *                 password-file: /etc/ringfort/kafka, ca-file: /etc/ringfort/kafka-ca.pem}}   # docs/external-kafka.md
 *
 * A key that is not known is refused with the nearest known one. docs/configuration.md says the same to people. */
#ifndef RF_CONFIG_H
#define RF_CONFIG_H

#include "base/json_tree.h"
#include "base/log.h"

struct config {
    rf_str data; /* folder */
    rf_str domain;
    rf_str listen_https;
    rf_str listen_amqps, listen_kafka; /* ADDRESS:PORT or "off"; empty: where HTTPS is */
    rf_str listen_amqp;                /* plain; empty or "off": not served */
    rf_str listen_pki;                 /* plain, for what checks certificates; the same */
    rf_str pki_url;          /* "http://HOST", what certificates name; empty: the origin */
    rf_str listen_acme_http; /* plain, for proofs to authorities; the same */
    rf_str
        state; /* postgresql://... without a password, as the process list shows it; empty: SQLite in the folder */
    const rf_str *names;
    uint32_t name_count;
    bool strict_hardening;
    bool no_sandbox; /* for sanitizers and debuggers: --hardening=off */
    enum rf_log_level log_level;
    enum rf_log_format log_format;
    uint32_t query_lanes;
    uint32_t query_rate; /* 0: no limit */
    uint32_t rule_delay_seconds, rule_late_hours;
    size_t query_memory_bytes;
    const rf_str *federation_hosts;
    uint32_t federation_host_count;
    const rf_str *collect_udp, *collect_tcp, *collect_tls; /* addresses where syslog is taken */
    uint32_t collect_udp_count, collect_tcp_count, collect_tls_count;
    rf_str leaked_passwords; /* file of SHA-1 hashes; empty: none */
    const rf_str *content;   /* folders of packages that can be installed */
    uint32_t content_count;
    const rf_str *export_folders; /* ACCOUNT=FOLDER, see config_export_folder */
    uint32_t export_folder_count;
    const rf_str *federation_private; /* HOST, HOST:PORT, HOST:* */
    uint32_t federation_private_count;
    const rf_str *external_hosts; /* HOST, HOST:PORT, HOST:* */
    uint32_t external_host_count;
    const rf_str *outbound_hosts; /* HOST, HOST:PORT, HOST:* */
    uint32_t outbound_host_count;
    rf_str mail_server, mail_from, mail_user, mail_password_file; /* empty: none */
    rf_str acme_server,
        acme_resolver; /* "on", "off"; ADDRESS or ADDRESS:PORT, empty: the system's */
    uint32_t acme_http_port, acme_tls_port;
    const rf_str *acme_addresses; /* loopback and link-local ones that are asked for proofs too */
    uint32_t acme_address_count;
    rf_str hub_store;            /* files, kafka */
    const rf_str *kafka_servers; /* HOST:PORT */
    uint32_t kafka_server_count;
    rf_str kafka_security; /* plaintext, tls, sasl-plaintext, sasl-tls */
    rf_str kafka_mechanism, kafka_user, kafka_password_file, kafka_topic_prefix; /* empty: none */
    rf_str kafka_ca_file, kafka_certificate_file, kafka_key_file;
    uint32_t kafka_replicas, kafka_timeout_seconds;
};
/* The defaults. */
struct config config_default(void);
/* Takes over what the YAML text says; texts in `arena`. Errors: RF_INVALID BadYaml, UnknownKey, BadValue with the line. */
RF_MUST_USE enum rf_kind config_read(struct config *config, rf_str yaml, struct rf_arena *arena,
                                     struct rf_err *err);
/* One setting by its dotted name ("listen.https") as a text: what the environment and the command line give.
 * RF_INVALID UnknownKey, BadValue. */
RF_MUST_USE enum rf_kind config_set(struct config *config, const char *name, rf_str value,
                                    struct rf_arena *arena, struct rf_err *err);
/* Takes over the settings among the environment's RINGFORT_ variables. RF_INVALID BadValue. */
RF_MUST_USE enum rf_kind config_environment(struct config *config, char *const *environment,
                                            struct rf_arena *arena, struct rf_err *err);
/* The parts of an item of export_folders. False: it is none. */
bool config_export_folder(rf_str item, rf_str *account, rf_str *folder);
/* The settings as JSON, for handing them to the roles, and back. */
rf_str config_to_json(const struct config *config, struct rf_arena *arena);
RF_MUST_USE enum rf_kind config_of_json(rf_str json, struct rf_arena *arena, struct config *out,
                                        struct rf_err *err);

#endif
