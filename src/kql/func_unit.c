/* func_unit.c - convert_angle() and its relatives. Each unit is so many of its kind's base unit;
 * only temperatures have a zero of their own as well. Unknown names give null. */
#include "kql/func_families.h"

#include <math.h>

struct unit {
    const char *name; /* without regard to case */
    double scale;     /* base units in one */
    double zero;      /* where 0 lies, in base units */
};

#define POUND 0.45359237
#define GRAVITY 9.80665
#define FOOT 0.3048
#define INCH 0.0254
#define YARD 0.9144
#define MILE 1609.344
#define SURVEY_FOOT (1200.0 / 3937)
#define PARSEC 3.08567758128e16
#define LIGHT_YEAR 9.46073047258e15
#define BTU 1055.05585262
#define US_GALLON 0.003785411784
#define IMPERIAL_GALLON 0.00454609
#define CUBIC_FOOT 0.028316846592
#define HOUR 3600.0
#define MINUTE 60.0
#define DAY 86400.0

static const struct unit angle_units[] = {
    /* degrees */
    {.name = "Arcminute", .scale = 1 / 60.0},
    {.name = "Arcsecond", .scale = 1 / 3600.0},
    {.name = "Centiradian", .scale = 1.8 / M_PI},
    {.name = "Deciradian", .scale = 18 / M_PI},
    {.name = "Degree", .scale = 1},
    {.name = "Gradian", .scale = 0.9},
    {.name = "Microdegree", .scale = 1e-6},
    {.name = "Microradian", .scale = 180e-6 / M_PI},
    {.name = "Millidegree", .scale = 1e-3},
    {.name = "Milliradian", .scale = 180e-3 / M_PI},
    {.name = "Nanodegree", .scale = 1e-9},
    {.name = "Nanoradian", .scale = 180e-9 / M_PI},
    {.name = "NatoMil", .scale = 360 / 6400.0},
    {.name = "Radian", .scale = 180 / M_PI},
    {.name = "Revolution", .scale = 360},
    {.name = "Tilt", .scale = 90},
};

static const struct unit energy_units[] = {
    /* joules */
    {.name = "BritishThermalUnit", .scale = BTU},
    {.name = "Calorie", .scale = 4.184},
    {.name = "DecathermEc", .scale = BTU * 1e6},
    {.name = "DecathermImperial", .scale = BTU * 1e6},
    {.name = "DecathermUs", .scale = 1.054804e9},
    {.name = "ElectronVolt", .scale = 1.602176634e-19},
    {.name = "Erg", .scale = 1e-7},
    {.name = "FootPound", .scale = POUND * GRAVITY * FOOT},
    {.name = "GigabritishThermalUnit", .scale = BTU * 1e9},
    {.name = "GigaelectronVolt", .scale = 1.602176634e-10},
    {.name = "Gigajoule", .scale = 1e9},
    {.name = "GigawattDay", .scale = 1e9 * DAY},
    {.name = "GigawattHour", .scale = 1e9 * HOUR},
    {.name = "HorsepowerHour", .scale = 550 * POUND * GRAVITY * FOOT * HOUR},
    {.name = "Joule", .scale = 1},
    {.name = "KilobritishThermalUnit", .scale = BTU * 1e3},
    {.name = "Kilocalorie", .scale = 4184},
    {.name = "KiloelectronVolt", .scale = 1.602176634e-16},
    {.name = "Kilojoule", .scale = 1e3},
    {.name = "KilowattDay", .scale = 1e3 * DAY},
    {.name = "KilowattHour", .scale = 1e3 * HOUR},
    {.name = "MegabritishThermalUnit", .scale = BTU * 1e6},
    {.name = "Megacalorie", .scale = 4.184e6},
    {.name = "MegaelectronVolt", .scale = 1.602176634e-13},
    {.name = "Megajoule", .scale = 1e6},
    {.name = "MegawattDay", .scale = 1e6 * DAY},
    {.name = "MegawattHour", .scale = 1e6 * HOUR},
    {.name = "Millijoule", .scale = 1e-3},
    {.name = "TeraelectronVolt", .scale = 1.602176634e-7},
    {.name = "TerawattDay", .scale = 1e12 * DAY},
    {.name = "TerawattHour", .scale = 1e12 * HOUR},
    {.name = "ThermEc", .scale = BTU * 1e5},
    {.name = "ThermImperial", .scale = BTU * 1e5},
    {.name = "ThermUs", .scale = 1.054804e8},
    {.name = "WattDay", .scale = DAY},
    {.name = "WattHour", .scale = HOUR},
};

static const struct unit force_units[] = {
    /* newtons */
    {.name = "Decanewton", .scale = 10},
    {.name = "Dyn", .scale = 1e-5},
    {.name = "KilogramForce", .scale = GRAVITY},
    {.name = "Kilonewton", .scale = 1e3},
    {.name = "KiloPond", .scale = GRAVITY},
    {.name = "KilopoundForce", .scale = 1e3 * POUND * GRAVITY},
    {.name = "Meganewton", .scale = 1e6},
    {.name = "Micronewton", .scale = 1e-6},
    {.name = "Millinewton", .scale = 1e-3},
    {.name = "Newton", .scale = 1},
    {.name = "OunceForce", .scale = POUND / 16 * GRAVITY},
    {.name = "Poundal", .scale = POUND * FOOT},
    {.name = "PoundForce", .scale = POUND * GRAVITY},
    {.name = "ShortTonForce", .scale = 2000 * POUND * GRAVITY},
    {.name = "TonneForce", .scale = 1e3 * GRAVITY},
};

static const struct unit length_units[] = {
    /* metres */
    {.name = "Angstrom", .scale = 1e-10},
    {.name = "AstronomicalUnit", .scale = 1.495978707e11},
    {.name = "Centimeter", .scale = 1e-2},
    {.name = "Chain", .scale = 20.1168},
    {.name = "Decameter", .scale = 10},
    {.name = "Decimeter", .scale = 0.1},
    {.name = "DtpPica", .scale = INCH / 6},
    {.name = "DtpPoint", .scale = INCH / 72},
    {.name = "Fathom", .scale = 1.8288},
    {.name = "Foot", .scale = FOOT},
    {.name = "Hand", .scale = 0.1016},
    {.name = "Hectometer", .scale = 100},
    {.name = "Inch", .scale = INCH},
    {.name = "KilolightYear", .scale = 1e3 * LIGHT_YEAR},
    {.name = "Kilometer", .scale = 1e3},
    {.name = "Kiloparsec", .scale = 1e3 * PARSEC},
    {.name = "LightYear", .scale = LIGHT_YEAR},
    {.name = "MegalightYear", .scale = 1e6 * LIGHT_YEAR},
    {.name = "Megaparsec", .scale = 1e6 * PARSEC},
    {.name = "Meter", .scale = 1},
    {.name = "Microinch", .scale = 1e-6 * INCH},
    {.name = "Micrometer", .scale = 1e-6},
    {.name = "Mil", .scale = 1e-3 * INCH},
    {.name = "Mile", .scale = MILE},
    {.name = "Millimeter", .scale = 1e-3},
    {.name = "Nanometer", .scale = 1e-9},
    {.name = "NauticalMile", .scale = 1852},
    {.name = "Parsec", .scale = PARSEC},
    {.name = "PrinterPica", .scale = INCH / 6.0225},
    {.name = "PrinterPoint", .scale = INCH / 72.27},
    {.name = "Shackle", .scale = 27.432},
    {.name = "SolarRadius", .scale = 6.95510e8},
    {.name = "Twip", .scale = INCH / 1440},
    {.name = "UsSurveyFoot", .scale = SURVEY_FOOT},
    {.name = "Yard", .scale = YARD},
};

static const struct unit mass_units[] = {
    /* kilograms */
    {.name = "Centigram", .scale = 1e-5},
    {.name = "Decagram", .scale = 1e-2},
    {.name = "Decigram", .scale = 1e-4},
    {.name = "EarthMass", .scale = 5.9722e24},
    {.name = "Grain", .scale = POUND / 7000},
    {.name = "Gram", .scale = 1e-3},
    {.name = "Hectogram", .scale = 0.1},
    {.name = "Kilogram", .scale = 1},
    {.name = "Kilopound", .scale = 1e3 * POUND},
    {.name = "Kilotonne", .scale = 1e6},
    {.name = "LongHundredweight", .scale = 112 * POUND},
    {.name = "LongTon", .scale = 2240 * POUND},
    {.name = "Megapound", .scale = 1e6 * POUND},
    {.name = "Megatonne", .scale = 1e9},
    {.name = "Microgram", .scale = 1e-9},
    {.name = "Milligram", .scale = 1e-6},
    {.name = "Nanogram", .scale = 1e-12},
    {.name = "Ounce", .scale = POUND / 16},
    {.name = "Pound", .scale = POUND},
    {.name = "ShortHundredweight", .scale = 100 * POUND},
    {.name = "ShortTon", .scale = 2000 * POUND},
    {.name = "Slug", .scale = POUND * GRAVITY / FOOT},
    {.name = "SolarMass", .scale = 1.98947e30},
    {.name = "Stone", .scale = 14 * POUND},
    {.name = "Tonne", .scale = 1e3},
};

static const struct unit speed_units[] = {
    /* metres per second */
    {.name = "CentimeterPerHour", .scale = 1e-2 / HOUR},
    {.name = "CentimeterPerMinute", .scale = 1e-2 / MINUTE},
    {.name = "CentimeterPerSecond", .scale = 1e-2},
    {.name = "DecimeterPerMinute", .scale = 0.1 / MINUTE},
    {.name = "DecimeterPerSecond", .scale = 0.1},
    {.name = "FootPerHour", .scale = FOOT / HOUR},
    {.name = "FootPerMinute", .scale = FOOT / MINUTE},
    {.name = "FootPerSecond", .scale = FOOT},
    {.name = "InchPerHour", .scale = INCH / HOUR},
    {.name = "InchPerMinute", .scale = INCH / MINUTE},
    {.name = "InchPerSecond", .scale = INCH},
    {.name = "KilometerPerHour", .scale = 1e3 / HOUR},
    {.name = "KilometerPerMinute", .scale = 1e3 / MINUTE},
    {.name = "KilometerPerSecond", .scale = 1e3},
    {.name = "Knot", .scale = 1852 / HOUR},
    {.name = "MeterPerHour", .scale = 1 / HOUR},
    {.name = "MeterPerMinute", .scale = 1 / MINUTE},
    {.name = "MeterPerSecond", .scale = 1},
    {.name = "MicrometerPerMinute", .scale = 1e-6 / MINUTE},
    {.name = "MicrometerPerSecond", .scale = 1e-6},
    {.name = "MilePerHour", .scale = MILE / HOUR},
    {.name = "MillimeterPerHour", .scale = 1e-3 / HOUR},
    {.name = "MillimeterPerMinute", .scale = 1e-3 / MINUTE},
    {.name = "MillimeterPerSecond", .scale = 1e-3},
    {.name = "NanometerPerMinute", .scale = 1e-9 / MINUTE},
    {.name = "NanometerPerSecond", .scale = 1e-9},
    {.name = "UsSurveyFootPerHour", .scale = SURVEY_FOOT / HOUR},
    {.name = "UsSurveyFootPerMinute", .scale = SURVEY_FOOT / MINUTE},
    {.name = "UsSurveyFootPerSecond", .scale = SURVEY_FOOT},
    {.name = "YardPerHour", .scale = YARD / HOUR},
    {.name = "YardPerMinute", .scale = YARD / MINUTE},
    {.name = "YardPerSecond", .scale = YARD},
};

static const struct unit temperature_units[] = {
    /* kelvins */
    {.name = "DegreeCelsius", .scale = 1, .zero = 273.15},
    {.name = "DegreeDelisle", .scale = -2 / 3.0, .zero = 373.15},
    {.name = "DegreeFahrenheit", .scale = 5 / 9.0, .zero = 459.67 * 5 / 9},
    {.name = "DegreeNewton", .scale = 100 / 33.0, .zero = 273.15},
    {.name = "DegreeRankine", .scale = 5 / 9.0},
    {.name = "DegreeReaumur", .scale = 1.25, .zero = 273.15},
    {.name = "DegreeRoemer", .scale = 40 / 21.0, .zero = 273.15 - 7.5 * 40 / 21},
    {.name = "Kelvin", .scale = 1},
    {.name = "MillidegreeCelsius", .scale = 1e-3, .zero = 273.15},
    {.name = "SolarTemperature", .scale = 5778},
};

static const struct unit volume_units[] = {
    /* cubic metres */
    /* Kusto's own factor; the survey's acre-foot differs in the seventh digit. */
    {.name = "AcreFoot", .scale = 1 / 0.000810714},
    {.name = "AuTablespoon", .scale = 2e-5},
    {.name = "BoardFoot", .scale = CUBIC_FOOT / 12},
    {.name = "Centiliter", .scale = 1e-5},
    {.name = "CubicCentimeter", .scale = 1e-6},
    {.name = "CubicDecimeter", .scale = 1e-3},
    {.name = "CubicFoot", .scale = CUBIC_FOOT},
    {.name = "CubicHectometer", .scale = 1e6},
    {.name = "CubicInch", .scale = 1.6387064e-5},
    {.name = "CubicKilometer", .scale = 1e9},
    {.name = "CubicMeter", .scale = 1},
    {.name = "CubicMicrometer", .scale = 1e-18},
    {.name = "CubicMile", .scale = MILE * MILE * MILE},
    {.name = "CubicMillimeter", .scale = 1e-9},
    {.name = "CubicYard", .scale = 27 * CUBIC_FOOT},
    {.name = "Decaliter", .scale = 1e-2},
    {.name = "DecausGallon", .scale = 10 * US_GALLON},
    {.name = "Deciliter", .scale = 1e-4},
    {.name = "DeciusGallon", .scale = 0.1 * US_GALLON},
    {.name = "HectocubicFoot", .scale = 100 * CUBIC_FOOT},
    {.name = "HectocubicMeter", .scale = 100},
    {.name = "Hectoliter", .scale = 0.1},
    {.name = "HectousGallon", .scale = 100 * US_GALLON},
    {.name = "ImperialBeerBarrel", .scale = 36 * IMPERIAL_GALLON},
    {.name = "ImperialGallon", .scale = IMPERIAL_GALLON},
    {.name = "ImperialOunce", .scale = IMPERIAL_GALLON / 160},
    {.name = "ImperialPint", .scale = IMPERIAL_GALLON / 8},
    {.name = "KilocubicFoot", .scale = 1e3 * CUBIC_FOOT},
    {.name = "KilocubicMeter", .scale = 1e3},
    {.name = "KiloimperialGallon", .scale = 1e3 * IMPERIAL_GALLON},
    {.name = "Kiloliter", .scale = 1},
    {.name = "KilousGallon", .scale = 1e3 * US_GALLON},
    {.name = "Liter", .scale = 1e-3},
    {.name = "MegacubicFoot", .scale = 1e6 * CUBIC_FOOT},
    {.name = "MegaimperialGallon", .scale = 1e6 * IMPERIAL_GALLON},
    {.name = "Megaliter", .scale = 1e3},
    {.name = "MegausGallon", .scale = 1e6 * US_GALLON},
    {.name = "MetricCup", .scale = 2.5e-4},
    {.name = "MetricTeaspoon", .scale = 5e-6},
    {.name = "Microliter", .scale = 1e-9},
    {.name = "Milliliter", .scale = 1e-6},
    {.name = "OilBarrel", .scale = 42 * US_GALLON},
    {.name = "UkTablespoon", .scale = 1.5e-5},
    {.name = "UsBeerBarrel", .scale = 31 * US_GALLON},
    {.name = "UsCustomaryCup", .scale = US_GALLON / 16},
    {.name = "UsGallon", .scale = US_GALLON},
    {.name = "UsLegalCup", .scale = 2.4e-4},
    {.name = "UsOunce", .scale = US_GALLON / 128},
    {.name = "UsPint", .scale = US_GALLON / 8},
    {.name = "UsQuart", .scale = US_GALLON / 4},
    {.name = "UsTablespoon", .scale = US_GALLON / 256},
    {.name = "UsTeaspoon", .scale = US_GALLON / 768},
};

static const struct unit *unit_find(const struct unit *units, size_t unit_count, rf_str name)
{
    for (size_t i = 0; i < unit_count; i++)
        if (rf_str_eq_nocase(name, rf_str_of(units[i].name))) return &units[i];
    return NULL;
}

/* One division of exact factors where there is one to choose: 1.2 of 1 in 10 is then 0.12, not
 * near it. */
static double convert(double x, const struct unit *from, const struct unit *to)
{
    if (from == to) return x;
    if (from->zero == 0 && to->zero == 0) return x * from->scale / to->scale;
    return (x * from->scale + (from->zero - to->zero)) / to->scale;
}

static enum rf_kind convert_rows(const struct vec *args, uint32_t count, struct vec *out,
                                 const struct unit *units, size_t unit_count)
{
    const struct unit *from = NULL, *to = NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (OUT_NULL(out)[i]) continue;
        if (i == 0 || from == NULL || ARG_STRIDE(&args[1]))
            from = unit_find(units, unit_count, ARG_STR(&args[1], i));
        if (i == 0 || to == NULL || ARG_STRIDE(&args[2]))
            to = unit_find(units, unit_count, ARG_STR(&args[2], i));
        if (from != NULL && to != NULL)
            OUT_REAL(out)[i] = convert(ARG_REAL(&args[0], i), from, to);
        else
            OUT_NULL(out)[i] = 1;
    }
    return RF_OK;
}

#define UNIT_KERNEL(kind)                                                                          \
    FUNC_KERNEL(convert_##kind)                                                                    \
    {                                                                                              \
        return convert_rows(args, count, out, kind##_units, RF_COUNT(kind##_units));               \
    }
UNIT_KERNEL(angle)
UNIT_KERNEL(energy)
UNIT_KERNEL(force)
UNIT_KERNEL(length)
UNIT_KERNEL(mass)
UNIT_KERNEL(speed)
UNIT_KERNEL(temperature)
UNIT_KERNEL(volume)

#define UNIT_FUNC(kind)                                                                            \
    {                                                                                              \
        .name = "convert_" #kind,                                                                  \
        .sigs =                                                                                    \
            (const struct func_overload[]){                                                        \
                {"(value:real, from:string, to:string) real", convert_##kind}, {NULL, NULL}},      \
        .doc = "The value of one unit of " #kind " in another; null for an unknown unit.",         \
    }

const struct func func_unit[] = {
    UNIT_FUNC(angle), UNIT_FUNC(energy), UNIT_FUNC(force),       UNIT_FUNC(length),
    UNIT_FUNC(mass),  UNIT_FUNC(speed),  UNIT_FUNC(temperature), UNIT_FUNC(volume),
};
const size_t func_unit_count = RF_COUNT(func_unit);
