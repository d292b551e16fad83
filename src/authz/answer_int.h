/* answer_int.h - the parts of an answer that no handler makes: errors, and the headers that all answers have. */
#ifndef RF_ANSWER_INT_H
#define RF_ANSWER_INT_H

#include "authz/route.h"

/* Shapes the answer of an error as the request's service does; `status` 0 is taken from the kind. What went wrong inside is logged and hidden. */
void answer_error(struct request *request, uint16_t status, struct rf_err *err);
/* Of http_handler. */
void answer_refuse(void *ctx, const struct http_request *head, const char *why,
                   struct http_response *response);
/* Makes the ids of a request, and sets their headers. */
void answer_ids(struct request *request);
void answer_defaults(struct request *request);

#endif
