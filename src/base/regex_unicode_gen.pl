#!/usr/bin/perl
# Writes regex_unicode_data.c from the Unicode tables that come with perl:
#   perl regex_unicode_gen.pl > regex_unicode_data.c
# Run it again when the Unicode version is to change; the result is kept in the tree so that the
# build needs no perl.
use strict;
use warnings;
use feature 'unicode_strings'; # or lc and uc leave Latin-1 alone
use Unicode::UCD qw(prop_value_aliases prop_values);

my $MAX = 0x10FFFF;

# Code points as ranges of equal stride: [low, high, stride].
sub ranges
{
    my ($test) = @_;
    my (@runs, $start, $last);
    for my $c (0 .. $MAX) {
        next if $c >= 0xD800 && $c <= 0xDFFF;
        next unless $test->($c);
        if (defined $last && $c == $last + 1) { $last = $c; next }
        push @runs, [$start, $last] if defined $start;
        $start = $last = $c;
    }
    push @runs, [$start, $last] if defined $start;
    my @out;
    for my $run (@runs) {
        my ($low, $high) = @$run;
        my $prev = $out[-1];
        if ($low == $high && $prev && $prev->[1] == $low - 2 && ($prev->[2] == 2 || $prev->[0] == $prev->[1])) {
            $prev->[1] = $high;
            $prev->[2] = 2;
        } else {
            push @out, [$low, $high, 1];
        }
    }
    return @out;
}

sub emit_rows
{
    my (@rows) = @_;
    my $line = '   ';
    for my $row (@rows) {
        my $text = ' {' . join(', ', @$row) . '},';
        if (length($line) + length($text) > 99) { print "$line\n"; $line = '   ' }
        $line .= $text;
    }
    print "$line\n";
}

print "/* regex_unicode_data.c - tables of Unicode " . Unicode::UCD::UnicodeVersion() . ". Written by regex_unicode_gen.pl. */\n";
print "#include \"base/regex_unicode.h\"\n\n/* clang-format off */\n";

my (@all, @index);
sub add_class
{
    my ($name, $pattern) = @_;
    my $re = qr/$pattern/;
    my @rows = ranges(sub { chr($_[0]) =~ $re });
    return unless @rows;
    push @index, [$name, scalar @all, scalar @rows];
    push @all, map { [sprintf('0x%X', $_->[0]), sprintf('0x%X', $_->[1]), $_->[2]] } @rows;
}
for my $gc (qw(Cc Cf Co Ll Lm Lo Lt Lu Mc Me Mn Nd Nl No Pc Pd Pe Pf Pi Po Ps Sc Sk Sm So Zl Zp Zs)) {
    add_class($gc, "\\p{gc=$gc}");
}
for my $sc (qw(Arabic Armenian Bengali Bopomofo Braille Cherokee Common Coptic Cyrillic Devanagari
               Ethiopic Georgian Greek Gujarati Gurmukhi Han Hangul Hebrew Hiragana Inherited Kannada
               Katakana Khmer Lao Latin Malayalam Mongolian Myanmar Oriya Runic Sinhala Syriac Tamil
               Telugu Thaana Thai Tibetan Tifinagh Yi)) {
    add_class($sc, "\\p{sc=$sc}");
}
print "const struct unicode_range unicode_ranges[] = {\n";
emit_rows(@all);
print "};\n\nconst struct unicode_class unicode_classes[] = {\n";
emit_rows(map { ["\"$_->[0]\"", $_->[1], $_->[2]] } sort { $a->[0] cmp $b->[0] } @index);
print "};\nconst size_t unicode_class_count = RF_COUNT(unicode_classes);\n";

# Mappings as [low, high, stride, delta].
sub emit_map
{
    my ($name, $map) = @_;
    my @out;
    for my $c (0x80 .. $MAX) {
        next if $c >= 0xD800 && $c <= 0xDFFF;
        my $to = $map->($c);
        next if $to == $c;
        my $delta = $to - $c;
        my $prev = $out[-1];
        if ($prev && $prev->[3] == $delta) {
            my $gap = $c - $prev->[1];
            if (($gap == 1 || $gap == 2) && ($prev->[0] == $prev->[1] || $prev->[2] == $gap)) {
                $prev->[1] = $c;
                $prev->[2] = $gap;
                next;
            }
        }
        push @out, [$c, $c, 1, $delta];
    }
    print "\nconst struct unicode_map unicode_${name}_map[] = {\n";
    emit_rows(map { [sprintf('0x%X', $_->[0]), sprintf('0x%X', $_->[1]), $_->[2], $_->[3]] } @out);
    print "};\nconst size_t unicode_${name}_count = RF_COUNT(unicode_${name}_map);\n";
}
sub single { my ($text, $else) = @_; return length($text) == 1 ? ord($text) : $else }
emit_map('lower', sub { single(lc chr $_[0], $_[0]) });
emit_map('upper', sub { single(uc chr $_[0], $_[0]) });
# Simple case folding: the full folding where it is one character, else the lower case.
emit_map('fold', sub { single(CORE::fc(chr $_[0]), single(lc chr $_[0], $_[0])) });
print "/* clang-format on */\n";
