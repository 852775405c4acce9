using System.Buffers.Binary;
using System.Net;
using System.Text;
using Ztunnel.Mesh.Identity;
using Ztunnel.Mesh.Propagation;
using Ztunnel.Mesh.Routing;
using Ztunnel.Proxy.Inbound;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>The texts of a CONNECT: read without an exception, and nothing of them reaches logs, metrics or applications in a form that could be taken for something else.</summary>
public sealed class HeaderTargets
{
    private const string Sound = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client,service.name=client,service.version=v1,cloud.region=r,cloud.availability_zone=z";

    [Fact]
    public void Baggage_OfAnyText_IsReadAsVisibleValues() => FuzzRun.Cases("baggage", 20_000, static input =>
    {
        string[] lines = [.. Enumerable.Range(0, 1 + input.Below(3)).Select(_ => input.OneIn(4) ? input.Text() : input.Damage(Sound))];

        Baggage read = Baggage.Parse(lines);

        foreach (string? value in new[] { read.ClusterId, read.Namespace, read.WorkloadName, read.WorkloadType, read.CanonicalName, read.CanonicalRevision, read.Region, read.Zone })
        {
            if (value is null)
                continue;
            Assert.NotEqual("", value);
            Assert.True(IsPlain(value), value);
        }
    });

    [Fact]
    public void Forwarded_OfAnyText_YieldsAVisibleHostOrNone() => FuzzRun.Cases("forwarded", 20_000, static input =>
    {
        string? host = ForwardedHeader.ParseHost(input.OneIn(4) ? input.Text() : input.Damage("for=\"10.0.0.1:40000\";host=echo.default.svc.cluster.local;proto=tcp"));

        Assert.True(host is null || (host.Length > 0 && IsPlain(host)), $"a host of {host}");
    });

    [Fact]
    public void Forwarded_OurOwn_IsReadBack() => FuzzRun.Cases("own forwarded", 5_000, static input =>
    {
        string host = $"svc-{input.Below(1000)}.ns{input.Below(10)}.svc.cluster.local";
        var client = new IPEndPoint(new IPAddress(input.OneIn(2) ? [10, 0, 0, (byte)input.Below(256)] : [.. Enumerable.Range(0, 16).Select(_ => (byte)input.Below(256))]), input.Below(65536));

        Assert.Equal(host, ForwardedHeader.ParseHost(ForwardedHeader.Build(client, host)));
    });

    [Fact]
    public void TraceParent_OfAnyText_IsReadBackOrRefused() => FuzzRun.Cases("traceparent", 20_000, static input =>
    {
        string text = input.OneIn(4) ? input.Text() : input.Damage("00-0123456789abcdef0123456789abcdef-0123456789abcdef-00");

        if (TraceParent.TryParse(text, out TraceParent parsed))
            Assert.True(TraceParent.TryParse(parsed.ToString(), out TraceParent again) && again == parsed);
    });

    [Fact]
    public void Authority_OfAnyText_IsAnAddressOrANameOrRefused() => FuzzRun.Cases("authority", 20_000, static input =>
    {
        string text = input.OneIn(4) ? input.Text() : input.Damage(input.Pick(["10.0.0.2:8080", "[fd00::2]:8080", "echo.default.svc.cluster.local:80", "user@host:1", "[::ffff:10.0.0.1]:80"]));

        if (!InboundRouter.TryParseAuthority(text, out ConnectAuthority? authority, out InboundRefusal? refusal))
        {
            Assert.NotNull(refusal);
            return;
        }

        Assert.True((authority.Address is null) != (authority.Hostname is null));
        Assert.True(authority.Address is not { Address.IsIPv4MappedToIPv6: true });
        Assert.True(authority.Hostname is null || authority.Hostname.AsSpan().IndexOfAnyExceptInRange('!', '~') < 0);
    });

    [Fact]
    public void SpiffeId_OfAnyText_IsReadBackOrRefused() => FuzzRun.Cases("spiffe id", 20_000, static input =>
    {
        string text = input.OneIn(4) ? input.Text() : input.Damage("spiffe://cluster.local/ns/default/sa/client");

        if (SpiffeId.TryParse(text, out SpiffeId? identity))
            Assert.Equal(text, identity.ToString());
    });

    [Fact]
    public void ProxyHeader_OfAnyNames_IsWhatItsLengthSays() => FuzzRun.Cases("proxy header", 5_000, static input =>
    {
        var source = new IPEndPoint(input.OneIn(2) ? IPAddress.Parse("10.0.0.1") : IPAddress.Parse("fd00::1"), input.Below(65536));
        var destination = new IPEndPoint(input.OneIn(2) ? IPAddress.Parse("10.0.0.2") : IPAddress.Parse("fd00::2"), input.Below(65536));
        SpiffeId? identity = input.OneIn(3) ? null : new SpiffeId("cluster.local", "default", new string('s', input.Pick([1, 63, 60_000, 70_000])));
        string? service = input.OneIn(3) ? null : new string('h', input.Pick([1, 63, 253, 1000, 65_400, 65_535, 65_536, 70_000])) + input.Visible(10);

        byte[] header = ProxyHeader.Build(source, destination, identity, service);

        // What the application takes for the header must be all of it: anything behind it would be data that the client chose.
        Assert.Equal(header.Length - 16, BinaryPrimitives.ReadUInt16BigEndian(header.AsSpan(14)));
        ReadOnlySpan<byte> rest = header.AsSpan(16 + (header[13] == 0x11 ? 12 : 36));
        while (!rest.IsEmpty)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(rest[1..]);
            string value = Encoding.ASCII.GetString(rest.Slice(3, length));
            Assert.Equal(rest[0] == 0xD0 ? identity?.ToString() : service, value);
            rest = rest[(3 + length)..];
        }
    });

    // What a header value may hold (RFC 9110 5.5) without bytes beyond ASCII.
    private static bool IsPlain(string value) => value.All(static letter => letter is '\t' or (>= ' ' and <= '~'));
}
