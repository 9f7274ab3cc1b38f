# An SMS centre on Net::SMPP: a line of JSON for each request that it reads, the first text throttled.
use strict;
use warnings;
use JSON::PP;
use Net::SMPP;

my ($port, $password) = @ARGV;
my ($throttled, $taken) = (0, 0);
my %names = (2 => "bind_transmitter", 4 => "submit_sm", 6 => "unbind", 0x15 => "enquire_link");
$| = 1;
my $listener = Net::SMPP->new_listen("127.0.0.1", port => $port, timeout => 600) or die "no listener: $!";
print "ready\n";
while (my $peer = $listener->accept) {
    $peer->set_version(0x34);
    while (my $pdu = $peer->read_pdu) {
        my $command = $names{$pdu->{cmd}} // "other";
        my %shown = (command => $command);
        for my $field (qw(system_id system_type interface_version service_type source_addr_ton
            source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr esm_class
            protocol_id priority_flag schedule_delivery_time validity_period registered_delivery
            replace_if_present_flag data_coding sm_default_msg_id)) {
            $shown{$field} = $pdu->{$field} if defined $pdu->{$field};
        }
        $shown{octets} = unpack("H*", $pdu->{short_message}) if defined $pdu->{short_message};
        print JSON::PP->new->canonical->encode(\%shown), "\n";
        my @reply = (seq => $pdu->{seq});
        if ($command eq "bind_transmitter") {
            my $status = $pdu->{password} eq $password ? 0 : 0x0E;
            $peer->bind_transmitter_resp(@reply, system_id => "centre", status => $status);
        } elsif ($command eq "submit_sm") {
            my $status = $throttled++ ? 0 : 0x58;
            $peer->submit_sm_resp(@reply, message_id => ++$taken, status => $status);
        } elsif ($command eq "enquire_link") {
            $peer->enquire_link_resp(@reply);
        } elsif ($command eq "unbind") {
            $peer->unbind_resp(@reply);
            last;
        }
    }
    $peer->close;
}
