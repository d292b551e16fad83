#include "cli/cli_pace.h"

#include "base/encode.h"
#include "base/json.h"
#include "value/text.h"

/* The member TimeGenerated of the object itself. */
static bool time_of(rf_str record, rf_usec *out)
{
    struct json_reader reader;
    struct json_event event;
    json_reader_init(&reader, record);
    if (json_next(&reader, &event, NULL) != RF_OK || event.kind != JSON_OBJECT_BEGIN) return false;
    while (json_next(&reader, &event, NULL) == RF_OK && event.kind == JSON_KEY) {
        bool found = rf_str_is(event.text, "TimeGenerated");
        if (!found && json_skip_value(&reader, NULL, NULL) != RF_OK) return false;
        if (!found) continue;
        return json_next(&reader, &event, NULL) == RF_OK && event.kind == JSON_STRING &&
               !event.escaped && time_parse_iso(event.text, out);
    }
    return false;
}

int64_t cli_pace_wait_usec(struct cli_pace *pace, rf_str record, struct rf_clock *clock)
{
    rf_usec time;
    if ((pace->speed <= 0 && !pace->live) || !time_of(record, &time)) return 0;
    if (pace->live) return RF_MAX(time - rf_clock_now(clock), INT64_C(0));
    rf_usec elapsed = rf_clock_elapsed(clock);
    if (!pace->begun) {
        pace->begun = true;
        pace->first_row = time;
        pace->first_sent = elapsed;
    }
    double due = (double)pace->first_sent + (double)(time - pace->first_row) / pace->speed;
    return due <= (double)elapsed ? 0 : (int64_t)(due - (double)elapsed);
}

bool cli_pace_parse(rf_str text, struct cli_pace *out)
{
    struct cli_pace pace = {.live = rf_str_is(text, "live")};
    if (!pace.live && (!text_to_real(text, &pace.speed) || !(pace.speed > 0))) return false;
    *out = pace;
    return true;
}
