/* cli_fleet.h - lines sent by many devices, each over an AMQP connection of its own and with its own certificate: what
 * `ringfort events send --devices` does. */
#ifndef RF_CLI_FLEET_H
#define RF_CLI_FLEET_H

#include <stdio.h>

#include "cli/cli_pace.h"
#include "cli/cli_server.h"

struct cli_fleet_args {
    const struct cli_login *login; /* where the server is */
    rf_str hub;
    const char *folder; /* with NAME.pem and NAME.key of each device */
    const char
        *field; /* of a line, which is an object of JSON: the name of the device that sends it */
    bool over_websocket;
    struct cli_pace pace;
};
enum { CLI_FLEET_DEVICES_MAX = 4096 };
/* Sends the lines of `file` to the publishers that they name; a connection is made when its device sends first, and made again when
 * it is lost, with what was not known to be safe sent once more. A device that the server refuses is told and left out. Returns when
 * everything is safe.
 *   *sent, *devices   told in either case
 * RF_INVALID BadLine (no object, no device, a name that is no file's), NoAddress; RF_NOT_FOUND FileNotFound (no certificate); RF_DENIED
 * DevicesRefused, behind the last line; those of amqp/client.h. */
RF_MUST_USE enum rf_kind cli_fleet_send(const struct cli_fleet_args *args, FILE *file,
                                        uint64_t *sent, uint32_t *devices, struct rf_err *err);

#endif
