#include "test/rf_print.h"

Test(func_datetime, bins)
{
    static const struct rf_print_case cases[] = {
        {"bin(17, 5)", "long:15"},
        {"bin(-17, 5)", "long:-20"},
        {"bin(toint(17), toint(5))", "long:15"},
        {"bin(toint(17), 5)", "long:15"},
        {"bin(4.5, 1)", "real:4"},
        {"bin(17, 2.5)", "real:15"},
        {"bin(-0.5, 1)", "real:-1"},
        {"bin(decimal(4.5), 1)", "decimal:4.0"},
        {"bin(time(16d), 7d)", "timespan:14.00:00:00"},
        {"bin(datetime(1970-05-11 13:45:07), 1d)", "datetime:1970-05-11T00:00:00.0000000Z"},
        {"bin(datetime(2024-05-15), 7d)", "2024-05-13T00:00:00.0000000Z"},
        {"bin(17, 0)", "null"},
        {"bin(17, -5)", "null"},
        {"bin(17.0, -5.0)", "null"},
        {"bin(long(null), 5)", "null"},
        {"bin(17, long(null))", "null"},
        {"bin(-9223372036854775807, 10)", "null"},
        {"floor(17, 5)", "15"},
        {"bin_at(6.5, 2.5, 7)", "real:4.5"},
        {"bin_at(1h, 1d, 12h)", "-12:00:00"},
        {"bin_at(datetime(2017-05-15 10:20:00.0), 1d, datetime(1970-01-01 12:00:00.0))",
         "2017-05-14T12:00:00.0000000Z"},
        {"bin_at(datetime(2017-05-17 10:20:00.0), 7d, datetime(2017-06-04 00:00:00.0))",
         "2017-05-14T00:00:00.0000000Z"},
        {"bin_at(17, 0, 1)", "null"},
        {"bin_auto(17)", "null"},
        {"around(17, 15, 2)", "true"},
        {"around(17, 15, 1)", "false"},
        {"around(datetime(2021-01-01 01:29), datetime(2021-01-01 01:30), 1min)", "true"},
        {"around(1.5, 1.0, 0.25)", "false"},
        {"around(long(null), 1, 1)", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, borders)
{
    static const struct rf_print_case cases[] = {
        {"startofday(datetime(2017-01-01 10:10:17), -1)", "2016-12-31T00:00:00.0000000Z"},
        {"startofweek(datetime(2017-01-01 10:10:17))", "2017-01-01T00:00:00.0000000Z"},
        {"startofweek(datetime(2017-01-07 10:10:17), 1)", "2017-01-08T00:00:00.0000000Z"},
        {"startofmonth(datetime(2017-01-31 10:10:17), 1)", "2017-02-01T00:00:00.0000000Z"},
        {"startofyear(datetime(2017-06-01), -1)", "2016-01-01T00:00:00.0000000Z"},
        {"endofday(datetime(2017-01-01 10:10:17))", "2017-01-01T23:59:59.9999999Z"},
        {"endofweek(datetime(2017-01-01 10:10:17), -1)", "2016-12-31T23:59:59.9999999Z"},
        {"endofmonth(datetime(2016-02-03))", "2016-02-29T23:59:59.9999999Z"},
        {"endofmonth(datetime(2017-01-31), 1)", "2017-02-28T23:59:59.9999999Z"},
        {"endofyear(datetime(2017-06-01), 1)", "2018-12-31T23:59:59.9999999Z"},
        {"endofyear(datetime(9999-06-01))", "9999-12-31T23:59:59.9999999Z"},
        {"startofday(datetime(9999-06-01), 1000)", "null"},
        {"startofyear(datetime(2017-06-01), 9223372036854775807)", "null"},
        {"startofweek(datetime(0001-01-01))", "null"},
        {"startofday(datetime(null))", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, parts)
{
    static const struct rf_print_case cases[] = {
        {"dayofmonth(datetime(2015-12-14))", "int:14"},
        {"dayofweek(datetime(1947-11-30 10:00:05))", "timespan:00:00:00"},
        {"dayofweek(datetime(1970-05-12))", "2.00:00:00"},
        {"dayofyear(datetime(2016-12-31))", "int:366"},
        {"monthofyear(datetime(2015-12-14))", "int:12"},
        {"getmonth(datetime(2015-10-12))", "10"},
        {"getyear(datetime(2015-10-12))", "int:2015"},
        {"hourofday(datetime(2015-12-14 18:54))", "int:18"},
        {"week_of_year(datetime(2020-12-31))", "int:53"},
        {"week_of_year(datetime(2020-06-15))", "25"},
        {"week_of_year(datetime(1999-01-03))", "53"},
        {"week_of_year(datetime(9999-12-31))", "52"},
        {"weekofyear(datetime(2020-12-31))", "53"},
        {"datetime_part('year', datetime(2017-10-30 01:02:03.7654321))", "int:2017"},
        {"datetime_part('quarter', datetime(2017-10-30 01:02:03.7654321))", "4"},
        {"datetime_part('week_of_year', datetime(2017-10-30 01:02:03.7654321))", "44"},
        {"datetime_part('dayOfYear', datetime(2017-10-30 01:02:03.7654321))", "303"},
        {"datetime_part('minute', datetime(2017-10-30 01:02:03.7654321))", "2"},
        {"datetime_part('millisecond', datetime(2017-10-30 01:02:03.7654321))", "765"},
        {"datetime_part('microsecond', datetime(2017-10-30 01:02:03.7654321))", "765432"},
        {"datetime_part('nanosecond', datetime(2017-10-30 01:02:03.7654321))", "765432100"},
        {"datetime_part('century', datetime(2017-10-30))", "null"},
        {"getyear(datetime(null))", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, sums_and_differences)
{
    static const struct rf_print_case cases[] = {
        {"datetime_add('month', 1, datetime(2017-01-31))", "2017-02-28T00:00:00.0000000Z"},
        {"datetime_add('month', -15, datetime(2017-01-01))", "2015-10-01T00:00:00.0000000Z"},
        {"datetime_add('year', 1, datetime(2016-02-29 12:00))", "2017-02-28T12:00:00.0000000Z"},
        {"datetime_add('quarter', 12, datetime(2017-01-01))", "2020-01-01T00:00:00.0000000Z"},
        {"datetime_add('week', 100, datetime(2017-01-01))", "2018-12-02T00:00:00.0000000Z"},
        {"datetime_add('second', 1, datetime(2017-01-01))", "2017-01-01T00:00:01.0000000Z"},
        {"datetime_add('nanosecond', 250, datetime(2017-01-01))", "2017-01-01T00:00:00.0000002Z"},
        {"datetime_add('year', -5000, datetime(2017-01-01))", "null"},
        {"datetime_add('day', 9223372036854775807, datetime(2017-01-01))", "null"},
        {"datetime_add('eon', 1, datetime(2017-01-01))", "null"},
        {"datetime_diff('year', datetime(2017-01-01), datetime(2000-12-31))", "long:17"},
        {"datetime_diff('quarter', datetime(2017-07-01), datetime(2017-03-30))", "2"},
        {"datetime_diff('month', datetime(2017-01-01), datetime(2015-12-30))", "13"},
        {"datetime_diff('week', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))", "5"},
        {"datetime_diff('day', datetime(2017-10-29 00:00), datetime(2017-09-30 23:59))", "29"},
        {"datetime_diff('hour', datetime(2017-10-31 01:00), datetime(2017-10-30 23:59))", "2"},
        {"datetime_diff('minute', datetime(2017-10-30 23:05:01), datetime(2017-10-30 23:00:59))",
         "5"},
        {"datetime_diff('second', datetime(2017-10-30 23:00:10.100), datetime(2017-10-30 "
         "23:00:00.900))",
         "10"},
        {"datetime_diff('millisecond', datetime(2017-10-30 23:00:00.200100), datetime(2017-10-30 "
         "23:00:00.100900))",
         "100"},
        {"datetime_diff('nanosecond', datetime(2017-10-30 23:00:00.0000000), datetime(2017-10-30 "
         "23:00:00.0000007))",
         "-700"},
        {"ago(1d)", "datetime:2019-12-31T00:00:00.0000000Z"},
        {"ago(timespan(10000000d))", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, makes)
{
    static const struct rf_print_case cases[] = {
        {"make_datetime(2017, 10, 01, 12, 11, 0.1234567)", "2017-10-01T12:11:00.1234567Z"},
        {"make_datetime(2017, 2, 29)", "null"},
        {"make_datetime(2017, 1, 1, 24, 0)", "null"},
        {"make_datetime(2017, 1, 1, 1, 1, 60)", "null"},
        {"make_timespan(1, 12, 30, 55.123)", "1.12:30:55.1230000"},
        {"make_timespan(12, 30)", "12:30:00"},
        {"make_timespan(12, 30, 5)", "12:30:05"},
        {"make_timespan(25, 0)", "null"},
        {"make_timespan(100000000, 1, 1, 1)", "null"},
        {"unixtime_seconds_todatetime(1546300800)", "2019-01-01T00:00:00.0000000Z"},
        {"unixtime_seconds_todatetime(1546300800.5)", "2019-01-01T00:00:00.5000000Z"},
        {"unixtime_seconds_todatetime(-1)", "1969-12-31T23:59:59.0000000Z"},
        {"unixtime_milliseconds_todatetime(1546300800000)", "2019-01-01T00:00:00.0000000Z"},
        {"unixtime_microseconds_todatetime(1546300800000000)", "2019-01-01T00:00:00.0000000Z"},
        {"unixtime_nanoseconds_todatetime(1546300800000000000)", "2019-01-01T00:00:00.0000000Z"},
        {"unixtime_seconds_todatetime(9223372036854775807)", "null"},
        {"unixtime_seconds_todatetime(real(nan))", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, formats)
{
    static const struct rf_print_case cases[] = {
        {"format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [HH:mm:ss]')",
         "17-01-29 [09:00:05]"},
        {"format_datetime(datetime(2017-01-29 09:00:05), 'yyyy-M-dd [H:mm:ss]')",
         "2017-1-29 [9:00:05]"},
        {"format_datetime(datetime(2017-01-29 09:00:05), 'yy-MM-dd [hh:mm:ss tt]')",
         "17-01-29 [09:00:05 AM]"},
        {"format_datetime(datetime(2017-12-14 02:03:04.12345), 'y-M-d h:m:s.fffffff')",
         "17-12-14 2:3:4.1234500"},
        {"format_datetime(datetime(2017-12-14 12:03:04.5), 's.FFF')", "4.5"},
        {"format_datetime(datetime(2017-12-14 12:03:04), 's.FFF')", "4"},
        {"format_datetime(datetime(2017-12-14 00:03:04), 'h tt')", "12 AM"},
        {"format_datetime(datetime(null), 'yyyy')", ""},
        {"format_timespan(time(29.09:00:05.12345), 'dd.hh:mm:ss [FF]')", "29.09:00:05 [12]"},
        {"format_timespan(time(29.09:00:05.12345), 'ddd.h:mm:ss [fffffff]')",
         "029.9:00:05 [1234500]"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_datetime, zones)
{
    static const struct rf_print_case cases[] = {
        {"datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'US/Pacific')",
         "2020-02-03T04:02:20.0000000Z"},
        {"datetime_local_to_utc(datetime(2020-02-02 20:02:20), 'Europe/Paris')",
         "2020-02-02T19:02:20.0000000Z"},
        {"datetime_local_to_utc(datetime(2022-03-27 01:00), 'Europe/Brussels')",
         "2022-03-27T00:00:00.0000000Z"},
        {"datetime_local_to_utc(datetime(2022-03-27 02:00), 'Europe/Brussels')",
         "2022-03-27T00:00:00.0000000Z"},
        {"datetime_local_to_utc(datetime(2022-03-27 03:00), 'Europe/Brussels')",
         "2022-03-27T01:00:00.0000000Z"},
        {"datetime_utc_to_local(datetime(2022-07-11 22:18:48), 'US/Pacific')",
         "2022-07-11T15:18:48.0000000Z"},
        {"datetime_utc_to_local(datetime(2022-07-11 22:18:48), 'Australia/Canberra')",
         "2022-07-12T08:18:48.0000000Z"},
        {"datetime_utc_to_local(datetime(2099-07-01 12:00), 'Europe/Paris')",
         "2099-07-01T14:00:00.0000000Z"},
        {"datetime_utc_to_local(datetime(2099-01-01 12:00), 'Europe/Paris')",
         "2099-01-01T13:00:00.0000000Z"},
        {"datetime_utc_to_local(datetime(2099-01-01 12:00), 'Australia/Sydney')",
         "2099-01-01T23:00:00.0000000Z"},
        {"datetime_utc_to_local(datetime(2099-07-01 12:00), 'Asia/Kolkata')",
         "2099-07-01T17:30:00.0000000Z"},
        {"datetime_utc_to_local(datetime(9999-12-31 23:00), 'Asia/Tokyo')", "null"},
        {"datetime_utc_to_local(datetime(2020-01-01), 'Nowhere/Town')", "null"},
        {"datetime_utc_to_local(datetime(2020-01-01), '../../etc/passwd')", "null"},
        {"datetime_utc_to_local(datetime(2020-01-01), 'zone.tab')", "null"},
        {"datetime_utc_to_local(datetime(2020-01-01), 'Europe')", "null"},
        {"datetime_utc_to_local(datetime(2020-01-01), '')", "null"},
        {"gettype(datetime_list_timezones())", "array"},
    };
    RF_PRINT_CHECK(cases);
}
