#include "test/rf_print.h"

Test(func_stat, distributions)
{
    static const struct rf_print_case cases[] = {
        {"round(beta_cdf(0.9, 10.0, 20.0), 14)", "0.99999999999996"},
        {"round(beta_inv(0.1, 10.0, 20.0), 14)", "0.22641502238875"},
        {"beta_inv(1.5, 10.0, 20.0)", "null"},
        {"beta_inv(0.1, -1.0, 20.0)", "NaN"},
        {"round(beta_pdf(0.5, 10.0, 20.0), 12)", "0.746176019311"},
        {"beta_pdf(1.5, 10.0, 20.0)", "NaN"},
        {"beta_pdf(0.1, -1.0, 20.0)", "NaN"},
        {"round(beta_cdf(beta_inv(0.3, 2.5, 0.5), 2.5, 0.5), 12)", "0.3"},
        {"beta_cdf(0.0, 1, 1)", "0"},
        {"erf(0)", "0"},
        {"round(erf(1), 12)", "0.84270079295"},
        {"round(erfc(1), 12)", "0.15729920705"},
        {"gamma(5)", "24"},
        {"loggamma(5)", "3.1780538303479458"},
        {"welch_test(1, 1, 10, 1, 1, 10)", "1"},
        {"welch_test(real(null), 1, 10, 1, 1, 10)", "null"},
        {"welch_test(1, 0, 10, 1, 0, 10)", "NaN"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_unit, converts)
{
    static const struct rf_print_case cases[] = {
        {"convert_angle(180, 'Degree', 'Radian') == pi()", "true"},
        {"convert_energy(1, 'KilowattHour', 'Joule')", "3600000"},
        {"convert_force(1.2, 'Newton', 'Decanewton')", "0.12"},
        {"convert_length(1, 'Mile', 'Foot')", "5280"},
        {"convert_mass(1, 'Kilogram', 'Gram')", "1000"},
        {"convert_speed(36, 'KilometerPerHour', 'MeterPerSecond')", "10"},
        {"convert_temperature(1.2, 'Kelvin', 'DegreeCelsius')", "-271.95"},
        {"round(convert_temperature(212, 'DegreeFahrenheit', 'DegreeCelsius'), 9)", "100"},
        {"round(convert_volume(1.2, 'CubicMeter', 'AcreFoot'), 10)", "0.0009728568"},
        {"convert_length(1, 'mile', 'MILE')", "1"},
        {"convert_length(1, 'Cubit', 'Meter')", "null"},
        {"convert_length(real(null), 'Foot', 'Meter')", "null"},
    };
    RF_PRINT_CHECK(cases);
}
