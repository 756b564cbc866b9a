# Prints what the partition files hold as JSON: {key: result}, where what only Toolstash reads is "ext 84".
# Reads entry by entry at the offsets of the header, as the Perl library gives up a whole body over one ext value.
use strict;
use warnings;
use Data::MessagePack;
use IO::Uncompress::Gunzip qw(gunzip $GunzipError);
use JSON::PP;

sub Data::MessagePack::Boolean::TO_JSON { ${ $_[0] } ? JSON::PP::true : JSON::PP::false }

my $msgpack = Data::MessagePack->new->utf8;
my %found;
for my $path (@ARGV) {
    open my $file, '<:raw', $path or die "$path: $!";
    my $bytes = do { local $/; <$file> };
    for (my $at = 0; $at < length $bytes;) {
        my $field = $at + 16;
        die "$path: no member of Toolstash at $at" if substr($bytes, $at + 12, 2) ne 'TS';
        my $length = unpack 'V', substr $bytes, $field + 4, 4;
        my $member = substr $bytes, $at, $length;
        gunzip(\$member => \my $body) or die $GunzipError;
        my ($count, $others) = unpack 'vv', substr $bytes, $field + 56, 4;
        my @entries = map { substr $bytes, $field + 64 + 8 * $others + 40 * $_, 40 } 0 .. $count - 1;
        my @offsets = map { unpack 'V', substr $_, 32, 4 } @entries;
        for my $index (0 .. $#entries) {
            my $key  = unpack 'H*', substr $entries[$index], 0, 16;
            my $kind = ord substr $entries[$index], 38, 1;
            delete $found{$key} if $kind <= 1;
            next if $kind != 0;
            # The next entry's key takes 34 bytes before its value.
            my $end = $index < $#entries ? $offsets[$index + 1] - 34 : length $body;
            my $value = substr $body, $offsets[$index], $end - $offsets[$index];
            $found{$key} =
              $value =~ /^\x82\xa6result\xc9....\x54/s ? 'ext 84' : $msgpack->unpack($value)->{result};
        }
        $at += $length;
    }
}
print JSON::PP->new->utf8->convert_blessed->encode(\%found), "\n";
