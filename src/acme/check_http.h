/* check_http.h - what a web server answers, taken apart: for check_http.c and its fuzz target. */
#ifndef RF_ACME_CHECK_HTTP_H
#define RF_ACME_CHECK_HTTP_H

#include "acme/acme_int.h"

struct acme_reply {
    uint16_t status;
    rf_str location, body; /* location empty: none */
};
/* A whole answer of HTTP/1.x whose body ends with it. Views of `bytes`. */
bool acme_reply_read(rf_str bytes, struct acme_reply *out);

#endif
