#include "test/rf_prop.h"

#include "people/habit.h"
#include "test/people_rig.h"

#define FIREFOX RF_S("Mozilla/5.0 (X11; Linux x86_64) Firefox/128.0")
#define CHROME RF_S("Mozilla/5.0 (Windows NT 10.0) Chrome/126.0")
#define DAY RIG_SECONDS(86400)

static struct habit_look look_of(struct rig *rig, const char *address, rf_str agent)
{
    return (struct habit_look){
        .user = RIG_USER, .address = rf_str_of(address), .agent = agent, .now = rig->clock.now};
}

static struct place point(const char *name, int32_t latitude, int32_t longitude)
{
    return (struct place){
        .name = rf_str_of(name), .has_point = true, .latitude = latitude, .longitude = longitude};
}

static void learn(struct rig *rig, const struct habit_look *look)
{
    struct rf_err err;
    struct state_txn *txn = rig_write(rig);
    cr_assert(habit_learn(txn, look, &rig->arena, &err) == RF_OK, "%s", err.text);
    cr_assert(state_commit(txn, &err) == RF_OK);
}

static struct habit_finding find(struct rig *rig, const struct habit_look *look)
{
    struct rf_err err;
    struct state_txn *txn;
    struct habit_finding finding;
    cr_assert(state_begin_read(rig->state, &txn, &err) == RF_OK);
    cr_assert(habit_find(txn, look, &rig->arena, &finding, &err) == RF_OK, "%s", err.text);
    state_end(txn);
    return finding;
}

Test(habit, what_does_not_fit)
{
    struct rig rig;
    rig_open(&rig);
    struct habit_look home = look_of(&rig, "203.0.113.7", FIREFOX);
    for (int i = 0; i < HABIT_SIGN_INS_MIN; i++) {
        struct habit_look away = look_of(&rig, "198.51.100.1", CHROME);
        cr_assert(find(&rig, &away).unfamiliar == RISK_NONE, "too early to say");
        learn(&rig, &home);
    }
    static const struct {
        const char *address, *agent;
        enum risk_level level;
    } rows[] = {{"203.0.113.7", "Firefox/1 Linux", RISK_NONE},
                {"203.0.113.200", "Firefox/1 Linux", RISK_NONE},
                {"203.0.113.7", "Chrome/1 Windows", RISK_NONE},
                {"198.51.100.1", "Firefox/1 Linux", RISK_LOW},
                {"198.51.100.1", "Chrome/1 Windows", RISK_MEDIUM},
                {"2001:db8::1", "Chrome/1 Windows", RISK_MEDIUM},
                {"::ffff:203.0.113.9", "Firefox/1 Linux", RISK_NONE},
                {"", "", RISK_MEDIUM}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct habit_look look = look_of(&rig, rows[i].address, rf_str_of(rows[i].agent));
        struct habit_finding f = find(&rig, &look);
        cr_assert(f.unfamiliar == rows[i].level, "%zu: %d", i, f.unfamiliar);
        cr_assert(f.compared == HABIT_SIGN_INS_MIN);
    }
    /* What was familiar is forgotten after a month. */
    rf_clock_fixed_pass(&rig.clock, 31 * DAY);
    home = look_of(&rig, "203.0.113.7", FIREFOX);
    cr_assert(find(&rig, &home).compared == 0);
    struct rf_err err;
    struct state_txn *txn = rig_write(&rig);
    cr_assert(habit_forget(txn, RIG_USER, &err) == RF_OK);
    cr_assert(habit_forget(txn, RIG_USER, &err) == RF_OK, "nothing left is no error");
    cr_assert(state_commit(txn, &err) == RF_OK);
    rig_close(&rig);
}

Test(habit, faster_than_one_flies)
{
    struct rig rig;
    rig_open(&rig);
    struct habit_look dublin = look_of(&rig, "203.0.113.7", FIREFOX);
    dublin.place = point("Dublin", 53349800, -6260300);
    learn(&rig, &dublin);
    static const struct {
        int64_t minutes;
        const char *name;
        int32_t latitude, longitude;
        bool new_device;
        enum risk_level level;
    } rows[] = {{10, "Hamburg", 53551100, 9993700, false, RISK_MEDIUM}, /* 1,075 km */
                {10, "Hamburg", 53551100, 9993700, true, RISK_HIGH},
                {60, "Hamburg", 53551100, 9993700, false, RISK_MEDIUM},
                {66, "Hamburg", 53551100, 9993700, false, RISK_NONE},
                {1, "Belfast", 54597300, -5930100, true, RISK_NONE},           /* 141 km */
                {60 * 16, "Sydney", -33868800, 151209300, false, RISK_MEDIUM}, /* 17,200 km */
                {60 * 18, "Sydney", -33868800, 151209300, false, RISK_NONE}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct habit_look look =
            look_of(&rig, "198.51.100.1", rows[i].new_device ? CHROME : FIREFOX);
        look.place = point(rows[i].name, rows[i].latitude, rows[i].longitude);
        look.now += RIG_SECONDS(rows[i].minutes * 60);
        struct habit_finding f = find(&rig, &look);
        cr_assert(f.travel == rows[i].level && f.place_known, "%zu: %.0f km in %.2f h", i, f.km,
                  f.hours);
        cr_assert(rf_str_is(f.before_place, "Dublin"));
    }
    struct habit_look nowhere = look_of(&rig, "198.51.100.1", CHROME);
    struct habit_finding f = find(&rig, &nowhere);
    cr_assert(!f.place_known && f.travel == RISK_NONE, "nothing is made up");
    rig_close(&rig);
}

/* However many addresses: what is kept stays small, and holds the newest. */
Test(habit, is_kept_small)
{
    struct rig rig;
    rig_open(&rig);
    for (int i = 0; i < 100; i++) {
        struct habit_look look = look_of(
            &rig, rf_arena_cstr(&rig.arena, rf_arena_printf(&rig.arena, "10.0.%d.1", i)), FIREFOX);
        learn(&rig, &look);
        rf_clock_fixed_pass(&rig.clock, RIG_SECONDS(60));
    }
    struct habit_look newest = look_of(&rig, "10.0.99.2", FIREFOX),
                      oldest = look_of(&rig, "10.0.1.2", FIREFOX);
    cr_assert(find(&rig, &newest).unfamiliar == RISK_NONE);
    cr_assert(find(&rig, &newest).compared == HABIT_ROWS);
    cr_assert(find(&rig, &oldest).unfamiliar == RISK_LOW);
    rig_close(&rig);
}

Test(habit, places_of_addresses)
{
    static const char text[] =
        "[{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"All\","
        "\"ipRanges\":"
        "[{\"cidrAddress\":\"10.0.0.0/8\"}],\"countryOrRegion\":\"IE\"},"
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"Hamburg\","
        "\"ipRanges\":[{\"cidrAddress\":\"10.2.0.0/16\"}],\"countryOrRegion\":\"DE\",\"city\":"
        "\"Hamburg\",\"geoCoordinates\":{\"latitude\":53.5511,\"longitude\":9.9937}},"
        "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",\"displayName\":\"Says nothing\","
        "\"ipRanges\":[{\"cidrAddress\":\"10.2.3.0/24\"}]}]";
    struct rf_arena arena;
    struct json_node *list;
    struct rf_err err;
    const struct json_node *items[3];
    uint32_t count = 0;
    rf_arena_init(&arena, 1 << 20);
    cr_assert(json_parse(rf_str_of(text), &arena, &list, &err) == RF_OK);
    for (struct json_node *l = list->first; l != NULL; l = l->next) items[count++] = l;
    struct place place = place_of_address(items, count, RF_S("10.2.3.4"));
    cr_assert(rf_str_is(place.name, "Hamburg") && place.latitude == 53551100 &&
              place.longitude == 9993700);
    place = place_of_address(items, count, RF_S("10.9.9.9"));
    cr_assert(rf_str_is(place.country, "IE") && !place.has_point);
    cr_assert(place_of_address(items, count, RF_S("192.0.2.1")).name.len == 0);
    cr_assert(place_of_address(items, count, RF_S("x")).name.len == 0);
    static const struct {
        const char *members;
        bool good;
    } rows[] = {{"\"geoCoordinates\":{\"latitude\":1,\"longitude\":2}", true},
                {"\"geoCoordinates\":null,\"countryOrRegion\":\"de\",\"city\":\"x\"", true},
                {"\"geoCoordinates\":{\"latitude\":91,\"longitude\":2}", false},
                {"\"geoCoordinates\":{\"latitude\":\"1\",\"longitude\":2}", false},
                {"\"geoCoordinates\":{\"latitude\":1}", false},
                {"\"geoCoordinates\":{\"latitude\":1,\"longitude\":-181}", false},
                {"\"countryOrRegion\":\"DEU\"", false},
                {"\"countryOrRegion\":\"1x\"", false}};
    for (size_t i = 0; i < RF_COUNT(rows); i++) {
        struct json_node *doc;
        rf_str body = rf_arena_printf(
            &arena, "{\"@odata.type\":\"#microsoft.graph.ipNamedLocation\",%s}", rows[i].members);
        cr_assert(json_parse(body, &arena, &doc, &err) == RF_OK);
        cr_assert((place_check(doc, &err) == RF_OK) == rows[i].good, "%zu", i);
    }
    rf_arena_done(&arena);
}
