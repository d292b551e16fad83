#include "test/rf_print.h"

Test(func_regex, matches_and_extracts)
{
    static const struct rf_print_case cases[] = {
        {"'KANSAS' matches regex 'K.*S'", "bool:true"},
        {"'KANSAS' matches regex 'k.*s'", "false"},
        {"'KANSAS' matches regex '(?i)^k.*s$'", "true"},
        {"'x' matches regex '('", "error:"},
        {"'x' matches regex '(?=x)'", "error:"},
        {"extract(@'Age: (\\d+)', 1, 'User: X, Age: 29')", "string:29"},
        {"extract(@'\\d+', 0, 'User: X, Age: 29')", "29"},
        {"extract(@'Email: (\\S+)', 1, 'User')", ""},
        {"extract(@'-(\\d{2})-', 1, '15-12-2024', typeof(int))", "int:12"},
        {"extract(@'(x)', 1, 'abc', typeof(long))", "long:null"},
        {"extract(@'(a)|(b)', 2, 'a')", ""},
        {"extract(@'a', 1, 'a')", ""},
        {"extract_all(@'([\\da-f]{2})', '82b8be2d')", "dynamic:[\"82\",\"b8\",\"be\",\"2d\"]"},
        {"extract_all(@'(\\w)(\\w+)(\\w)', 'abcd-efgh')",
         "[[\"a\",\"bc\",\"d\"],[\"e\",\"fg\",\"h\"]]"},
        {"extract_all(@'(\\w)(\\w+)(\\w)', dynamic([1, 3]), 'abcd-efgh')",
         "[[\"a\",\"d\"],[\"e\",\"h\"]]"},
        {"extract_all(@'(?P<first>\\w)(\\w)', dynamic(['first']), 'abcd')", "[\"a\",\"c\"]"},
        {"extract_all(@'(x)', 'abc')", "null"},
        {"extract_all(@'\\d', 'a1b2')", "[\"1\",\"2\"]"},
        {"extractall(@'(\\d*)', '1a')", "[\"1\",\"\"]"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_regex, replaces_and_trims)
{
    static const struct rf_print_case cases[] = {
        {"replace_regex('Number is 1', @'is (\\d+)', @'was: \\1')", "string:Number was: 1"},
        {"replace_regex('abc', 'b*', '-')", "-a-c-"},
        {"replace_regex('abc', 'x', '-')", "abc"},
        {"replace_regex('ab', '(a)(b)', @'\\2\\1\\\\\\3')", "ba\\"},
        {"replace_regex('\xc3\xa9', '', '-')", "-\xc3\xa9-"},
        {"replace('a+', @'<\\0>', 'baab')", "b<aa>b"},
        {"trim('--', '--https://bing.com--')", "https://bing.com"},
        {"trim(@'[^\\w]+', '-  Te st1// $')", "Te st1"},
        {"trim_start(@'[^\\w]+', '-  Te st1// $')", "Te st1// $"},
        {"trim_end(@'[^\\w]+', '-  Te st1// $')", "-  Te st1"},
        {"trim(@'\\s+', '    Hello, world!    ')", "Hello, world!"},
        {"trim('-', '-')", ""},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_regex, counts_and_places)
{
    static const struct rf_print_case cases[] = {
        {"indexof_regex('abcabc', 'a.c')", "long:0"},
        {"indexof_regex('abcabcdefg', 'a.c', 0, 9, 2)", "3"},
        {"indexof_regex('abcabc', 'a.c', 1, -1, 2)", "-1"},
        {"indexof_regex('ababaa', 'a.a', 0, -1, 2)", "-1"},
        {"indexof_regex('abcabc', 'a|ab', -1)", "null"},
        {"countof('The cat sat on the mat', 'at')", "long:3"},
        {"countof('ababa', 'aba')", "2"},
        {"countof('ababa', 'aba', 'regex')", "1"},
        {"countof('abcabc', 'a.c', 'regex')", "2"},
        {"countof('a.c', '.', 'normal')", "1"},
        {"countof('a', '(', 'regex')", "error:"},
        {"countof('a', 'a', 'other')", "error:"},
        {"regex_quote('(so$me.Te^xt)')", "\\(so\\$me\\.Te\\^xt\\)"},
    };
    RF_PRINT_CHECK(cases);
}

/* Expressions that differ from row to row share one kernel call. */
Test(func_regex, takes_expressions_from_rows)
{
    static const struct rf_print_case cases[] = {
        {"toscalar(datatable(t:string, r:string)['ab', 'a', 'ab', '[', 'ab', 'b$', 'ab', 'a$']"
         " | extend m = t matches regex r | summarize countif(m))",
         "2"},
        {"toscalar(datatable(t:string, r:string)['ab', '(a)', 'xb', '.(b)']"
         " | extend m = extract(r, 1, t) | summarize strcat_array(make_list(m), ','))",
         "a,b"},
    };
    RF_PRINT_CHECK(cases);
}
