/* device.c - devices that prove who they are by their TLS certificate, in place of SASL (contract, section 10). */
#include <stdlib.h>

#include "kafka/kafka_int.h"

bool kafka_device_keep(struct kafka_conn *conn, rf_str certificate)
{
    if (certificate.len == 0) return true;
    uint8_t *copy = malloc(certificate.len);
    if (copy == NULL) return false;
    memcpy(copy, certificate.ptr, certificate.len);
    conn->certificate = rf_str_make(copy, certificate.len);
    return true;
}

void kafka_device_forget(struct kafka_conn *conn)
{
    free((void *)(uintptr_t)conn->certificate.ptr);
    conn->certificate = (rf_str){0};
}

void kafka_device_log_in(struct kafka_conn *conn)
{
    struct rf_err err;
    if (conn->login != NULL || conn->sasl != SASL_NEW || conn->certificate.len == 0) return;
    struct kafka_login *login = kafka_login_new();
    if (login == NULL) return;
    enum rf_kind kind =
        hub_grant_certificate(conn->space, conn->certificate, &login->arena, &login->grant, &err);
    kafka_device_forget(conn); /* one look: who is refused does not get a second for free */
    if (kind == RF_OK)
        conn->login = login;
    else
        kafka_login_unref(login);
}

bool kafka_device_is(const struct kafka_login *login)
{
    return login != NULL && login->grant.kind == GRANT_DEVICE;
}

void kafka_device_look(struct kafka_call *call)
{
    struct rf_err err;
    if (!kafka_device_is(call->login)) return;
    if (hub_grant_holds(call->conn->space, &call->login->grant, &err) != RF_OK) call->closes = true;
}

enum rf_kind kafka_device_stamp(struct kafka_call *call, const struct batch_head *head,
                                rf_str *records, struct rf_err *err)
{
    if (!kafka_device_is(call->login)) return RF_OK;
    RF_TRY(event_publish(head, call->login->grant.name, &call->arena, records, err));
    if (records->len <= HUB_BYTES_MAX) return RF_OK;
    return RF_FAIL(err, RF_LIMIT, "MessageTooLarge",
                   "a batch has at most %d bytes, with the publisher's name in each of its records",
                   HUB_BYTES_MAX);
}

void kafka_device_refused(struct kafka_call *call, rf_str topic)
{
    struct rf_err err = {.code = ""};
    if (!kafka_device_is(call->login)) return;
    const struct hub_grant *grant = &call->login->grant;
    rf_str path = kafka_device_path(call, topic);
    if (path.ptr != NULL && kafka_is_news(call, path) &&
        hub_grant_check(call->conn->space, grant, path, RIGHT_SEND, &err) == RF_DENIED)
        hub_grant_refused(call->conn->space, grant, path, &err);
}

rf_str kafka_device_path(struct kafka_call *call, rf_str topic)
{
    return rf_arena_printf(&call->arena, "%.*s/publishers/%.*s", RF_FMT(topic),
                           RF_FMT(call->login->grant.name));
}
