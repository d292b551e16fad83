/* sasl_absent.c - Cyrus SASL for the static program: not there. librdkafka calls it for Kerberos (GSSAPI) only, whose mechanisms are
 * modules that would be loaded at run time; PLAIN and SCRAM are its own. The signatures are those of sasl.h, without its types. */
#include <stddef.h>

enum { SASL_OK = 0, SASL_NOMECH = -4 };

int sasl_client_init(const void *callbacks);
int sasl_client_new(const char *service, const char *server, const char *local, const char *remote,
                    const void *callbacks, unsigned flags, void **connection);
int sasl_client_start(void *connection, const char *mechanisms, void **need, const char **out,
                      unsigned *out_bytes, const char **mechanism);
int sasl_client_step(void *connection, const char *in, unsigned in_bytes, void **need,
                     const char **out, unsigned *out_bytes);
void sasl_dispose(void **connection);
const char *sasl_errdetail(void *connection);
const char *sasl_errstring(int code, const char *languages, const char **language);
int sasl_getprop(void *connection, int property, const void **value);
int sasl_listmech(void *connection, const char *user, const char *prefix, const char *separator,
                  const char *suffix, const char **result, unsigned *bytes, int *count);

/* Called when the library starts, whatever it is used for. */
int sasl_client_init(const void *callbacks)
{
    (void)callbacks;
    return SASL_OK;
}

int sasl_client_new(const char *service, const char *server, const char *local, const char *remote,
                    const void *callbacks, unsigned flags, void **connection)
{
    (void)service, (void)server, (void)local, (void)remote, (void)callbacks, (void)flags;
    *connection = NULL;
    return SASL_NOMECH;
}

int sasl_client_start(void *connection, const char *mechanisms, void **need, const char **out,
                      unsigned *out_bytes, const char **mechanism)
{
    (void)connection, (void)mechanisms, (void)need, (void)out, (void)out_bytes, (void)mechanism;
    return SASL_NOMECH;
}

int sasl_client_step(void *connection, const char *in, unsigned in_bytes, void **need,
                     const char **out, unsigned *out_bytes)
{
    (void)connection, (void)in, (void)in_bytes, (void)need, (void)out, (void)out_bytes;
    return SASL_NOMECH;
}

void sasl_dispose(void **connection) { *connection = NULL; }

const char *sasl_errdetail(void *connection)
{
    (void)connection;
    return "this program has no Kerberos (GSSAPI); use SCRAM or PLAIN";
}

const char *sasl_errstring(int code, const char *languages, const char **language)
{
    (void)code, (void)languages, (void)language;
    return "this program has no Kerberos (GSSAPI); use SCRAM or PLAIN";
}

int sasl_getprop(void *connection, int property, const void **value)
{
    (void)connection, (void)property;
    *value = NULL;
    return SASL_NOMECH;
}

int sasl_listmech(void *connection, const char *user, const char *prefix, const char *separator,
                  const char *suffix, const char **result, unsigned *bytes, int *count)
{
    (void)connection, (void)user, (void)prefix, (void)separator, (void)suffix;
    *result = "";
    if (bytes != NULL) *bytes = 0;
    if (count != NULL) *count = 0;
    return SASL_OK;
}
