#include "test/rf_print.h"

Test(func_convert, converts)
{
    static const struct rf_print_case cases[] = {
        {"tobool('TRUE')", "bool:true"},
        {"tobool(0)", "false"},
        {"toboolean('maybe')", "null"},
        {"toint('123')", "int:123"},
        {"toint(2.3)", "int:2"},
        {"toint(-2.9)", "-2"},
        {"toint('a')", "null"},
        {"toint(3000000000)", "null"},
        {"tolong('0x1F')", "long:31"},
        {"tolong(1e30)", "null"},
        {"tolong(dynamic('12'))", "12"},
        {"tolong(dynamic({}))", "null"},
        {"tolong(1h)", "36000000000"},
        {"toreal('123.4')", "real:123.4"},
        {"todouble(toint(5))", "5"},
        {"toreal('x')", "null"},
        {"todecimal('123.45678') == decimal(123.45678)", "true"},
        {"todatetime('2015-12-24')", "datetime:2015-12-24T00:00:00.0000000Z"},
        {"todatetime('no')", "null"},
        {"todatetime(635834880000000000)", "2015-11-19T00:00:00.0000000Z"},
        {"totimespan('0.00:03:00')", "timespan:00:03:00"},
        {"totimespan('1.5h')", "01:30:00"},
        {"toguid('0123456789ab-cdef-0123-456789abcdef')",
         "guid:01234567-89ab-cdef-0123-456789abcdef"},
        {"toguid('a string that is not a guid')", "null"},
        {"tostring(123)", "string:123"},
        {"tostring(1.0)", "1"},
        {"tostring(3h)", "03:00:00"},
        {"tostring(true)", "true"},
        {"tostring(long(null))", ""},
        {"tostring(dynamic({\"a\":[1,\"x\"]}))", "{\"a\":[1,\"x\"]}"},
        {"tostring(dynamic(\"x\"))", "x"},
        {"tohex(256)", "100"},
        {"tohex(-256)", "ffffffffffffff00"},
        {"tohex(toint(-256), 8)", "ffffff00"},
        {"tohex(256, 8)", "00000100"},
        {"tohex(256, 2)", "100"},
        {"tohex(0)", "0"},
        {"format_bytes(564)", "564 Bytes"},
        {"format_bytes(10332, 1)", "10.1 KB"},
        {"format_bytes(20010332)", "19 MB"},
        {"format_bytes(20010332, 2)", "19.08 MB"},
        {"format_bytes(20010332, 0, 'KB')", "19541 KB"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_convert, asks)
{
    static const struct rf_print_case cases[] = {
        {"isnull(long(null))", "bool:true"},
        {"isnull('')", "false"},
        {"isnull(dynamic(null))", "true"},
        {"isnull(dynamic({}).a)", "true"},
        {"isnotnull(1)", "true"},
        {"notnull(1)", "true"},
        {"isempty('')", "true"},
        {"isempty(dynamic(\"\"))", "true"},
        {"isempty(dynamic([]))", "false"},
        {"isempty(long(null))", "true"},
        {"isnotempty(' ')", "true"},
        {"notempty(0)", "true"},
        {"gettype('a')", "string"},
        {"gettype(12)", "long"},
        {"gettype(1h)", "timespan"},
        {"gettype(dynamic(null))", "null"},
        {"gettype(dynamic({}))", "dictionary"},
        {"gettype(dynamic([1]))", "array"},
        {"gettype(dynamic([1])[0])", "long"},
        {"estimate_data_size(1, '1234567890')", "long:18"},
    };
    RF_PRINT_CHECK(cases);
}
