#include "kql/geo_h3.h"
#include "test/rf_prop.h"

/* Cells as the grid's own library gives them: on all kinds of places, pentagons and their surroundings. */
static const struct {
    const char *cell;
    double lon, lat; /* the centre */
    size_t corners;
} cells[] = {
    {"888d5a59e5fffff", 102.47267657844522, -12.126505457732915, 6},
    {"83c21cfffffffff", -56.616524438718415, -38.076922670607935, 6},
    {"82c217fffffffff", -55.10580750182091, -39.36539305052511, 6},
    {"842a747ffffffff", -65.94188823986507, 37.02276678731803, 6},
    {"8d3a8086c71617f", -55.78916399874356, 25.904750465984424, 6},
    {"8aa60000018ffff", 112.86931445299423, -23.717665098958772, 6},
    {"8408009ffffffff", 9.99486686466072, 64.86416888883281, 6},
    {"8130fffffffffff", 127.6805734974304, 35.273118071957185, 7},
    {"847e057ffffffff", 174.19544401600945, -2.1968780682101885, 6},
    {"837e31fffffffff", 175.41685998904555, -3.4525753250282567, 6},
    {"82a427fffffffff", -26.95028281718365, -17.56446083996721, 6},
    {"841c055ffffffff", -142.66208113544377, 50.15454500072313, 6},
    {"804ffffffffffff", 152.0709014866097, 20.310286053033785, 6},
    {"8a7e0000002ffff", 174.7538006298432, -2.300731791648638, 6},
    {"89080000077ffff", 10.545797617094685, 64.70181454289502, 7},
    {"81117ffffffffff", 40.15192410705494, 66.95529884825231, 7},
    {"8995046b0cfffff", 118.9509674086851, -5.142212557115884, 6},
    {"82eaf7fffffffff", -178.1004400412544, -66.89507840493597, 6},
    {"8895148731fffff", 117.18503707103612, -6.348023592796681, 6},
    {"870586a14ffffff", 118.81919913635078, 70.247426313894, 6},
    {"8674000e7ffffff", -5.20965043135258, 2.235198477122785, 6},
    {"811c3ffffffffff", -143.47849001502516, 50.10320148224134, 10},
    {"82a75ffffffffff", 108.36665038253655, -24.36255653614117, 6},
    {"8908000001bffff", 10.533564885734089, 64.69806061540251, 7},
    {"82d617fffffffff", 39.19812354398119, -49.05596089105934, 6},
    {"8115bffffffffff", 117.68212623513864, 50.87392455911407, 7},
    {"804dfffffffffff", -67.13232636643566, 23.71792527122296, 5},
    {"80c3fffffffffff", -57.69999959221297, -39.10000003397592, 5},
    {"80a7fffffffffff", 112.86767363356437, -23.717925271222967, 5},
    {"81a7bffffffffff", 119.14385161828935, -23.853843797075715, 7},
    {"81c63ffffffffff", -135.78624901478528, -39.642144038180085, 8},
    {"8194fffffffffff", 129.52028654572894, -17.348067006947097, 7},
    {"8131bffffffffff", 114.8902458544868, 39.27676348320813, 7},
};

Test(geo_h3, centers_and_borders)
{
    for (size_t i = 0; i < RF_COUNT(cells); i++) {
        uint64_t cell;
        struct geo_vec border[H3_BORDER_MAX], want = geo_from_degrees(cells[i].lon, cells[i].lat);
        cr_assert(h3_parse(rf_str_of(cells[i].cell), &cell), "%s", cells[i].cell);
        cr_expect(geo_angle_between(h3_center(cell), want) < 1e-12, "%s", cells[i].cell);
        cr_expect(h3_from_point(want, h3_resolution(cell)) == cell, "%s", cells[i].cell);
        cr_expect(h3_border(cell, border) == cells[i].corners, "%s", cells[i].cell);
    }
}

Test(geo_h3, refuses)
{
    static const char *const bad[] = {"",
                                      "123",
                                      "xyz",
                                      "862a1072ffffff0",
                                      "8f2a1072fffffff",
                                      "862a1072fffffffff",
                                      "81087ffffffffff"};
    uint64_t cell;
    for (size_t i = 0; i < RF_COUNT(bad); i++)
        cr_expect(!h3_parse(rf_str_of(bad[i]), &cell), "%s", bad[i]);
}

/* All cells of the two coarsest grids: children are within their parent, neighbours are mutual. */
Test(geo_h3, families)
{
    uint64_t count = 0;
    for (uint64_t base = 0; base < 122; base++) {
        uint64_t top = UINT64_C(0x8001fffffffffff) | base << 45;
        for (uint64_t cell = h3_first_child(top, 1); cell != 0; cell = h3_next_child(cell, 0)) {
            uint64_t around[H3_NEIGHBORS_MAX], back[H3_NEIGHBORS_MAX];
            size_t neighbors = h3_neighbors(cell, around);
            cr_assert(h3_valid(cell) && h3_parent(cell, 0) == top);
            cr_assert(neighbors == (h3_is_pentagon(cell) ? 5 : 6));
            cr_assert(h3_from_point(h3_center(cell), 1) == cell);
            for (size_t i = 0; i < neighbors; i++) {
                bool mutual = false;
                size_t backs = h3_neighbors(around[i], back);
                for (size_t k = 0; k < backs; k++) mutual |= back[k] == cell;
                cr_assert(mutual);
            }
            count++;
        }
    }
    cr_assert(count == 842);
}
