/* Durations of rotation policies (ISO 8601): what is read is within limits, and is the same when it is written and read again. */
#include <stdio.h>
#include <string.h>

#include "test/rf_fuzz.h"
#include "vault/keys_int.h"

enum { NUMBER_MAX = 99999 };

RF_FUZZ(duration, text)
{
    struct key_span span, again;
    char written[40];
    if (!vault_span_read(text, &span)) return;
    RF_ASSERT(span.years >= 0 && span.years <= NUMBER_MAX);
    RF_ASSERT(span.months >= 0 && span.months <= NUMBER_MAX);
    RF_ASSERT(span.days >= 0 && span.days <= NUMBER_MAX);
    (void)snprintf(written, sizeof written, "P%dY%dM%dD", span.years, span.months, span.days);
    RF_ASSERT(vault_span_read(rf_str_of(written), &again));
    RF_ASSERT(memcmp(&span, &again, sizeof span) == 0);
    int64_t later = vault_span_add(1700000000, &span, 1),
            earlier = vault_span_add(1700000000, &span, -1);
    RF_ASSERT(later >= 1700000000);
    RF_ASSERT(earlier <= 1700000000);
    RF_ASSERT((later - 1700000000) % 86400 == 0);
}
