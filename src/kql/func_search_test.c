#include "test/rf_print.h"

Test(func_search, operators)
{
    static const struct rf_print_case cases[] = {
        {"'NORTH CAROLINA' endswith_cs 'NA'", "bool:true"},
        {"'ARKANSAS' endswith 'sas'", "true"},
        {"'ARKANSAS' endswith_cs 'sas'", "false"},
        {"'LAKE HURON' hasprefix 'hu'", "true"},
        {"'LAKE HURON' hasprefix_cs 'hu'", "false"},
        {"'LAKE HURON' hasprefix 'ake'", "false"},
        {"'LAKE HURON' hassuffix 'ake'", "true"},
        {"'LAKE HURON' !hassuffix 'ake'", "false"},
        {"'KustoExplorerQueryRun' has 'Explorer'", "false"},
        {"'KustoExplorerQueryRun' contains 'explorer'", "true"},
        {"'KustoExplorerQueryRun' contains_cs 'explorer'", "false"},
        {"'a-b c' has 'b c'", "true"},
        {"'a-bb c' has 'b c'", "false"},
        {"'x=10.0.0.1;' has '10.0.0.1'", "true"},
        {"'x=10.0.0.11;' has '10.0.0.1'", "false"},
        {"'Zo\xc3\x8b zo\xc3\xab' has_cs 'zo\xc3\xab'", "true"},
        {"'ZO\xc3\x8b' has 'zo\xc3\xab'", "true"},
        {"'Zo\xc3\xab' has 'zo'", "false"},
        {"'abc' contains ''", "true"},
        {"'abc' startswith ''", "true"},
        {"'' endswith 'a'", "false"},
        {"'kansas' =~ 'KANSAS'", "true"},
        {"'\xc3\x89' =~ '\xc3\xa9'", "true"},
        {"'kansas' !~ 'KANSA'", "true"},
        {"'a' !contains 'A'", "false"},
        {"dynamic({'k': 'v w'}) has 'w'", "true"},
    };
    RF_PRINT_CHECK(cases);
}

Test(func_search, lists)
{
    static const struct rf_print_case cases[] = {
        {"'xyz' has_any ('xy', 'XYZ')", "true"},
        {"'xyz' has_any ('xy', 'yz')", "false"},
        {"'a b c' has_all ('C', 'a b')", "true"},
        {"'a b c' has_all ('c', 'd')", "false"},
        {"'one two' has_any ('1', '2', '3', '4', '5', 'TWO')", "true"},
        {"'one two' has_any ('1', '2', '3', '4', '5', 'one-two')", "false"},
        {"'1 2' has_any (dynamic([3, 2]))", "true"},
        {"'x' has_any (dynamic([]))", "false"},
        {"'x' has_all (dynamic([]))", "true"},
        {"has_any_index('this is an example', dynamic(['this', 'example']))", "long:0"},
        {"has_any_index('this is an example', dynamic(['not', 'example']))", "1"},
        {"has_any_index('this is an example', dynamic(['not', 'found']))", "-1"},
        {"has_any_index('Example number 2', range(1, 3, 1))", "1"},
        {"has_any_index('this is an example', dynamic([]))", "-1"},
        {"has_any_index('e d c', dynamic(['a', 'b', 'c', 'd', 'e', 'd c']))", "2"},
    };
    RF_PRINT_CHECK(cases);
}
