/* cli_cert.h - between the files of ringfort cert. */
#ifndef RF_CLI_CERT_H
#define RF_CLI_CERT_H

#include "cli/cli_vault.h"

enum cli_cert_option {
    CERT_SELF_SIGNED,
    CERT_ISSUER,
    CERT_SUBJECT,
    CERT_DNS,
    CERT_IP,
    CERT_POLICY,
    CERT_VALIDITY,
    CERT_KTY,
    CERT_SIZE,
    CERT_CURVE,
    CERT_REUSE_KEY,
    CERT_TAG,
    CERT_WAIT,
    CERT_FILE,
    CERT_PASSWORD,
    CERT_VERSION,
    CERT_PEM,
    CERT_DER,
    CERT_OUT,
    CERT_FORCE,
    CERT_WITH_KEY,
    CERT_PROVIDER,
    CERT_REASON,
    CERT_SERIAL,
    CERT_REVOKED,
    CERT_DAYS,
    CERT_DELETED,
    CERT_COMMON
};

/* cli_cert_make.c */
enum rf_kind cli_cert_create(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_renew(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_import(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_merge(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_csr(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_pending(struct cli_vault *v, struct rf_err *err);
/* cli_cert_expiring.c */
enum rf_kind cli_cert_expiring(struct cli_vault *v, struct rf_err *err);
/* cli_cert_listen.c */
enum rf_kind cli_cert_listen(struct cli_vault *v, struct rf_err *err);
enum rf_kind cli_cert_unlisten(struct cli_vault *v, struct rf_err *err);
/* ringfort cert deploy: argv[0] is "deploy" (cli_cert_deploy.c). */
int cli_cert_deploy(int argc, char **argv);

#endif
