#include <math.h>

#include "kql/geo_hash.h"
#include "kql/geo_s2.h"
#include "test/rf_prop.h"

static struct geo_vec some_point(struct rf_prng *prng)
{
    /* Whole degrees, often the same and often in line. */
    return geo_from_degrees((double)(int)rf_test_below(prng, 13) - 6,
                            (double)(int)rf_test_below(prng, 13) - 6);
}

/* However points lie, turning the order round turns the sign, and only equal points have none. */
RF_PROP(geo_turn_is_consistent, 5000)
{
    struct geo_vec a = some_point(prng), b = some_point(prng), c = some_point(prng);
    int turn = geo_turn(a, b, c);
    cr_assert(geo_turn(b, c, a) == turn);
    cr_assert(geo_turn(c, b, a) == -turn);
    cr_assert((turn == 0) == (geo_same(a, b) || geo_same(b, c) || geo_same(c, a)));
}

/* A cell's centre lies in it, its parent holds it, its token reads back. */
RF_PROP(geo_s2_round_trip, 2000)
{
    double lon = (double)rf_test_below(prng, 3600000) / 1e4 - 180;
    double lat = (double)rf_test_below(prng, 1800000) / 1e4 - 90;
    int level = (int)rf_test_below(prng, S2_LEVEL_MAX + 1);
    char token[S2_TOKEN_MAX];
    uint64_t cell = s2_from_point(geo_from_degrees(lon, lat), level), read;
    cr_assert(s2_valid(cell) && s2_level(cell) == level);
    cr_assert(s2_from_point(s2_center(cell), level) == cell);
    cr_assert(level == 0 ||
              s2_parent(cell, level - 1) == s2_from_point(geo_from_degrees(lon, lat), level - 1));
    cr_assert(s2_parse(rf_str_make(token, s2_print(cell, token)), &read) && read == cell);
    uint64_t around[S2_NEIGHBORS_MAX], back[S2_NEIGHBORS_MAX];
    size_t count = s2_neighbors(cell, around);
    for (size_t i = 0; i < count; i++) {
        bool found = false;
        size_t backs = s2_neighbors(around[i], back);
        for (size_t k = 0; k < backs; k++) found |= back[k] == cell;
        cr_assert(found, "neighbours are mutual");
    }
}

Test(geo_sphere, spheroid_distance)
{
    /* Flinders Peak to Buninyong, the worked example of the Geocentric Datum of Australia manual. */
    double metres = geo_spheroid_metres(144.42486788888889, -37.95103341666667, 143.92649552777778,
                                        -37.65282113888889);
    cr_assert(fabs(metres - 54972.271) < 0.01, "%f", metres);
    cr_assert(geo_spheroid_metres(5, 5, 5, 5) == 0);
    cr_assert(geo_spheroid_metres(0, 0, 180, 0) > 2e7, "opposite points still have a distance");
}

Test(geo_sphere, geohash_rims)
{
    struct geohash cell = geohash_from_degrees(180, 90, 3), around[GEOHASH_NEIGHBORS_MAX];
    char text[GEOHASH_LENGTH_MAX];
    geohash_print(cell, text);
    cr_assert(memcmp(text, "zzz", 3) == 0);
    cr_assert(geohash_neighbors(cell, around) == 5, "nothing lies north of the pole");
    cr_assert(!geohash_parse(RF_S("abc"), &cell), "a is no letter of a geohash");
    cr_assert(!geohash_parse(RF_S(""), &cell));
    cr_assert(!geohash_parse(RF_S("0123456789012345678"), &cell));
}
