using System.Net;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.InPod.Tests.Redirection;

/// <summary>The texts as a whole: a change of any rule shows here as a change of what operators and other agents see (istio-integration 2.2 to 2.5).</summary>
public sealed class RedirectionTextTests
{
    [Fact]
    public void Print_IptablesDefaults_IsTheRuleSetOfBothFamilies()
    {
        const string Expected = """
            # iptables-restore --noflush --wait 5
            *mangle
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
            -A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
            COMMIT
            *nat
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -s 169.254.7.127/32 -p tcp -j ACCEPT
            -A ISTIO_PRERT ! -d 127.0.0.1/32 -p tcp -m tcp ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006
            -A ISTIO_OUTPUT -d 169.254.7.127/32 -p tcp -j ACCEPT
            -A ISTIO_OUTPUT ! -o lo -p udp -m mark ! --mark 0x539/0xfff -m udp --dport 53 -j REDIRECT --to-ports 15053
            -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m tcp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053
            -A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
            -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -j ACCEPT
            -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
            COMMIT
            *raw
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1
            -A ISTIO_OUTPUT -p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1
            COMMIT
            # ip6tables-restore --noflush --wait 5
            *mangle
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
            -A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
            COMMIT
            *nat
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -s fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128 -p tcp -j ACCEPT
            -A ISTIO_PRERT ! -d ::1/128 -p tcp -m tcp ! --dport 15008 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15006
            -A ISTIO_OUTPUT -d fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128 -p tcp -j ACCEPT
            -A ISTIO_OUTPUT ! -o lo -p udp -m mark ! --mark 0x539/0xfff -m udp --dport 53 -j REDIRECT --to-ports 15053
            -A ISTIO_OUTPUT ! -d ::1/128 -p tcp -m tcp --dport 53 -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15053
            -A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
            -A ISTIO_OUTPUT ! -d ::1/128 -o lo -j ACCEPT
            -A ISTIO_OUTPUT ! -d ::1/128 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
            COMMIT
            *raw
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -p udp -m mark ! --mark 0x539/0xfff -m udp --sport 53 -j CT --zone 1
            -A ISTIO_OUTPUT -p udp -m mark --mark 0x539/0xfff -m udp --dport 53 -j CT --zone 1
            COMMIT
            # policy routing
            ip -4 route replace local 0.0.0.0/0 dev lo table 100
            ip -4 rule add fwmark 0x111/0xfff pref 32764 lookup 100
            ip -6 route replace local ::/0 dev lo table 100
            ip -6 rule add fwmark 0x111/0xfff pref 32764 lookup 100

            """;

        Assert.Equal(Expected, PodRedirection.Print(new RedirectionOptions()));
    }

    [Fact]
    public void Print_IptablesIngressModeWithInterfacesAndOwnProbe_ChangesPreroutingOnly()
    {
        const string Expected = """
            # iptables-restore --noflush --wait 5
            *mangle
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -m mark --mark 0x539/0xfff -j CONNMARK --set-xmark 0x111/0xfff
            -A ISTIO_OUTPUT -m connmark --mark 0x111/0xfff -j CONNMARK --restore-mark --nfmask 0xffffffff --ctmask 0xffffffff
            COMMIT
            *nat
            :ISTIO_PRERT - [0:0]
            :ISTIO_OUTPUT - [0:0]
            -A PREROUTING -j ISTIO_PRERT
            -A OUTPUT -j ISTIO_OUTPUT
            -A ISTIO_PRERT -i docker0 -p tcp -j REDIRECT --to-ports 15001
            -A ISTIO_PRERT -i docker0 -p tcp -j RETURN
            -A ISTIO_PRERT -i k6t-net1 -p tcp -j REDIRECT --to-ports 15001
            -A ISTIO_PRERT -i k6t-net1 -p tcp -j RETURN
            -A ISTIO_OUTPUT -d 10.255.0.1/32 -p tcp -j ACCEPT
            -A ISTIO_OUTPUT -p tcp -m mark --mark 0x111/0xfff -j ACCEPT
            -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -o lo -j ACCEPT
            -A ISTIO_OUTPUT ! -d 127.0.0.1/32 -p tcp -m mark ! --mark 0x539/0xfff -j REDIRECT --to-ports 15001
            COMMIT
            # policy routing
            ip -4 route replace local 0.0.0.0/0 dev lo table 100
            ip -4 rule add fwmark 0x111/0xfff pref 32764 lookup 100

            """;

        var options = new RedirectionOptions
        {
            IngressMode = true,
            DnsCapture = false,
            IPv6 = false,
            VirtualInterfaces = ["docker0", "k6t-net1"],
            ProbeAddressIPv4 = IPAddress.Parse("10.255.0.1"),
        };

        Assert.Equal(Expected, PodRedirection.Print(options));
    }

    [Fact]
    public void Print_NftablesDefaults_IsOneScriptForBothFamilies()
    {
        const string Expected = """
            # nft -f -
            add table inet istio-ambient-nat
            delete table inet istio-ambient-nat
            add table inet istio-ambient-mangle
            delete table inet istio-ambient-mangle
            add table inet istio-ambient-raw
            delete table inet istio-ambient-raw
            table inet istio-ambient-nat {
              chain istio-prerouting {
                ip saddr 169.254.7.127 meta l4proto tcp counter accept
                ip6 saddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff meta l4proto tcp counter accept
                ip daddr != 127.0.0.1 tcp dport != 15008 meta mark & 0x00000fff != 0x00000539 counter redirect to :15006
                ip6 daddr != ::1 tcp dport != 15008 meta mark & 0x00000fff != 0x00000539 counter redirect to :15006
              }
              chain istio-output {
                ip daddr 169.254.7.127 meta l4proto tcp counter accept
                ip6 daddr fd16:9254:7127:1337:ffff:ffff:ffff:ffff meta l4proto tcp counter accept
                oifname != "lo" meta mark & 0x00000fff != 0x00000539 udp dport 53 counter redirect to :15053
                ip daddr != 127.0.0.1 tcp dport 53 meta mark & 0x00000fff != 0x00000539 counter redirect to :15053
                ip6 daddr != ::1 tcp dport 53 meta mark & 0x00000fff != 0x00000539 counter redirect to :15053
                meta l4proto tcp meta mark & 0x00000fff == 0x00000111 counter accept
                ip daddr != 127.0.0.1 oifname "lo" counter accept
                ip6 daddr != ::1 oifname "lo" counter accept
                ip daddr != 127.0.0.1 meta l4proto tcp meta mark & 0x00000fff != 0x00000539 counter redirect to :15001
                ip6 daddr != ::1 meta l4proto tcp meta mark & 0x00000fff != 0x00000539 counter redirect to :15001
              }
              chain prerouting {
                type nat hook prerouting priority -100; policy accept;
                jump istio-prerouting
              }
              chain output {
                type nat hook output priority -100; policy accept;
                jump istio-output
              }
            }
            table inet istio-ambient-mangle {
              chain istio-prerouting {
                meta mark & 0x00000fff == 0x00000539 counter ct mark set ct mark & 0xfffff000 | 0x00000111
              }
              chain istio-output {
                ct mark & 0x00000fff == 0x00000111 counter meta mark set ct mark
              }
              chain prerouting {
                type filter hook prerouting priority -150; policy accept;
                jump istio-prerouting
              }
              chain output {
                type route hook output priority -150; policy accept;
                jump istio-output
              }
            }
            table inet istio-ambient-raw {
              chain istio-prerouting {
                meta mark & 0x00000fff != 0x00000539 udp sport 53 counter ct zone set 1
              }
              chain istio-output {
                meta mark & 0x00000fff == 0x00000539 udp dport 53 counter ct zone set 1
              }
              chain prerouting {
                type filter hook prerouting priority -300; policy accept;
                jump istio-prerouting
              }
              chain output {
                type filter hook output priority -300; policy accept;
                jump istio-output
              }
            }
            # policy routing
            ip -4 route replace local 0.0.0.0/0 dev lo table 100
            ip -4 rule add fwmark 0x111/0xfff pref 32764 lookup 100
            ip -6 route replace local ::/0 dev lo table 100
            ip -6 rule add fwmark 0x111/0xfff pref 32764 lookup 100

            """;

        Assert.Equal(Expected, PodRedirection.Print(new RedirectionOptions { Backend = RedirectionBackend.Nftables }));
    }

    [Fact]
    public void Print_NftablesIngressModeWithoutIPv6AndDns_LeavesThoseRulesOut()
    {
        const string Expected = """
            # nft -f -
            add table inet istio-ambient-nat
            delete table inet istio-ambient-nat
            add table inet istio-ambient-mangle
            delete table inet istio-ambient-mangle
            add table inet istio-ambient-raw
            delete table inet istio-ambient-raw
            table inet istio-ambient-nat {
              chain istio-prerouting {
                iifname "docker0" meta l4proto tcp counter redirect to :15001
                iifname "docker0" meta l4proto tcp counter return
              }
              chain istio-output {
                ip daddr 169.254.7.127 meta l4proto tcp counter accept
                meta l4proto tcp meta mark & 0x00000fff == 0x00000111 counter accept
                ip daddr != 127.0.0.1 oifname "lo" counter accept
                ip daddr != 127.0.0.1 meta l4proto tcp meta mark & 0x00000fff != 0x00000539 counter redirect to :15001
              }
              chain prerouting {
                type nat hook prerouting priority -100; policy accept;
                jump istio-prerouting
              }
              chain output {
                type nat hook output priority -100; policy accept;
                jump istio-output
              }
            }
            table inet istio-ambient-mangle {
              chain istio-prerouting {
                meta mark & 0x00000fff == 0x00000539 counter ct mark set ct mark & 0xfffff000 | 0x00000111
              }
              chain istio-output {
                ct mark & 0x00000fff == 0x00000111 counter meta mark set ct mark
              }
              chain prerouting {
                type filter hook prerouting priority -150; policy accept;
                jump istio-prerouting
              }
              chain output {
                type route hook output priority -150; policy accept;
                jump istio-output
              }
            }
            # policy routing
            ip -4 route replace local 0.0.0.0/0 dev lo table 100
            ip -4 rule add fwmark 0x111/0xfff pref 32764 lookup 100

            """;

        var options = new RedirectionOptions { Backend = RedirectionBackend.Nftables, IngressMode = true, DnsCapture = false, IPv6 = false, VirtualInterfaces = ["docker0"] };

        Assert.Equal(Expected, PodRedirection.Print(options));
    }
}
