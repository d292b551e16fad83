/* keeper_call_int.h - a call to the keeper, for the files that hold the calls. */
#ifndef RF_KEEPER_CALL_INT_H
#define RF_KEEPER_CALL_INT_H

#include "crypt/keeper_wire.h"

/* Holds request and answer; wiped at its end. */
struct keeper_slot;
/* Asks; `answer` holds views of *slot, which the caller ends (also after an error, NULL is fine). */
RF_MUST_USE enum rf_kind keeper_call(struct keeper *keeper, const struct keeper_request *request,
                                     struct keeper_slot **slot, struct keeper_answer *answer,
                                     struct rf_err *err);
void keeper_call_end(struct keeper_slot **slot);

#endif
