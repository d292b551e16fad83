#include "test/rf_print.h"

Test(func_string, sizes_and_parts)
{
    static const struct rf_print_case cases[] = {
        {"strlen('h\xc3\xa9llo')", "long:5"},
        {"string_size('\xe2\x92\xa6\xe2\x92\xb0\xe2\x92\xae\xe2\x92\xaf\xe2\x92\xaa')", "long:15"},
        {"isascii('some string')", "true"},
        {"isascii('\xc3\xa9')", "false"},
        {"isutf8('\xc3\xa9')", "true"},
        {"strcmp('abc', 'ABC')", "long:1"},
        {"strcmp('ABC', 'abc')", "-1"},
        {"strcmp('ABC', 'ABC')", "0"},
        {"substring('abcd', 1)", "string:bcd"},
        {"substring(123456, 2, 2)", "34"},
        {"substring('h\xc3\xa9llo', -4, 2)", "\xc3\xa9l"},
        {"substring('ab', 5)", ""},
        {"substring('ab', 0, -1)", ""},
        {"split('aa_bb', '_')", "dynamic:[\"aa\",\"bb\"]"},
        {"split('aaa_bbb_ccc', '_', 1)", "[\"bbb\"]"},
        {"split('', '_')", "[\"\"]"},
        {"split('a__b', '_')", "[\"a\",\"\",\"b\"]"},
        {"split('aabbcc', 'bb')", "[\"aa\",\"cc\"]"},
        {"split('a', '_', 3)", "[]"},
        {"indexof('abcdefg', 'cde')", "long:2"},
        {"indexof('abcdefg', 'cde', 1, 4)", "2"},
        {"indexof('abcdefg', 'cde', 1, 2)", "-1"},
        {"indexof('abcdefg', 'cde', 3, 4)", "-1"},
        {"indexof('abcdefg', 'cde', -5)", "2"},
        {"indexof(1234567, 5, 1, 4)", "4"},
        {"indexof('abcdefg', 'cde', 2, -1)", "2"},
        {"indexof('abcdefgabcdefg', 'cde', 1, -1, 2)", "9"},
        {"indexof('abcdefgabcdefg', 'cde', 1, -1, 3)", "-1"},
        {"indexof('\xc3\xa9\xc3\xa9x', 'x')", "2"},
        {"indexof('abc', 'a', 0, -2)", "null"},
        {"indexof('abc', 'a', 0, -1, -1)", "null"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_string, joins)
{
    static const struct rf_print_case cases[] = {
        {"strcat('a', 1, true, 1s, dynamic(['x']), long(null))", "string:a1true00:00:01[\"x\"]"},
        {"strcat_delim('-', 1, '2', 'A', 1s)", "1-2-A-00:00:01"},
        {"strcat_array(dynamic([1, 2, 3]), '->')", "1->2->3"},
        {"strcat_array(dynamic({'a': 1}), ',')", ""},
        {"strrep('ABC', 2)", "ABCABC"},
        {"strrep(123, 3, '.')", "123.123.123"},
        {"strrep(3s, 2, ' ')", "00:00:03 00:00:03"},
        {"strrep('a', -1)", ""},
        {"strlen(strrep('a', 5000))", "1024"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_string, letters)
{
    static const struct rf_print_case cases[] = {
        {"tolower('HELLO \xc3\x89 \xce\xa3')", "string:hello \xc3\xa9 \xcf\x83"},
        {"toupper('hello \xc3\xa9 \xd0\xb6')", "HELLO \xc3\x89 \xd0\x96"},
        {"toupper('abcdefghijklmnopqrstuvwxyz{`@[ 0123456789abcdefghijk')",
         "ABCDEFGHIJKLMNOPQRSTUVWXYZ{`@[ 0123456789ABCDEFGHIJK"},
        {"reverse('ABC\xc3\xa9')", "\xc3\xa9"
                                   "CBA"},
        {"reverse(12345)", "54321"},
        {"reverse(datetime(2017-10-15 12:00))", "Z0000000.00:00:21T51-01-7102"},
        {"reverse(3h)", "00:00:30"},
        {"translate('krasp', 'otsku', 'spark')", "kusto"},
        {"translate('abc', '', 'ab')", ""},
        {"translate('abc', 'x', 'abcd')", "xxxd"},
        {"unicode_codepoints_from_string('K\xc3\xa9')", "dynamic:[75,233]"},
        {"unicode_codepoints_to_string(dynamic([75, 117, 115]), 116, 111)", "Kusto"},
        {"unicode_codepoints_to_string(75, -1, 'x', 1114112)", "K"},
        {"make_string(75)", "K"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_string, replaces)
{
    static const struct rf_print_case cases[] = {
        {"replace_string('a cat, a cat', 'cat', 'hamster')", "string:a hamster, a hamster"},
        {"replace_string('abc', '', 'x')", "abc"},
        {"replace_string('aaa', 'aa', 'b')", "ba"},
        {"replace_strings('turn a cat into a dog', dynamic(['cat', 'dog']), dynamic(['dog', "
         "'pigeon']))",
         "turn a dog into a pigeon"},
        {"replace_strings('This is', dynamic(['This', 'is']), dynamic(['This', 'was']))",
         "This was"},
        {"replace_strings('This is', dynamic(['is', 'This']), dynamic(['was', 'This']))",
         "Thwas was"},
        {"replace_strings('This is', dynamic(['This', 'is']), dynamic([12345, 'was']))",
         "This was"},
        {"replace_strings('ab', dynamic(['', 'b']), dynamic(['x']))", "ab"},
    };
    RF_PRINT_CHECK(cases);
}
