using System.Globalization;
using System.Net;
using Ztunnel.ControlPlane.LocalFile.Yaml;
using Ztunnel.Mesh.Model;

namespace Ztunnel.ControlPlane.LocalFile;

/// <summary>Reads addresses, prefixes, names and ports, with less tolerance than the runtime's parsers: there, "1" is an address.</summary>
internal static class AddressValues
{
    private static readonly IPAddress Nowhere = IPAddress.None;

    public static IPAddress Ip(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null } scalar && TryIp(scalar.Text, out IPAddress ip)) return ip;
        Values.Expected("an IP address", node, path, problems);
        return Nowhere;
    }

    /// <summary><c>network/ip</c>; the default network is empty, which leaves the slash.</summary>
    public static NetworkAddress NetworkAddress(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null } scalar && scalar.Text.LastIndexOf('/') is >= 0 and var slash && TryIp(scalar.Text.AsSpan(slash + 1), out IPAddress ip))
            return new NetworkAddress(scalar.Text[..slash], ip);
        Values.Expected("network/ip, or /ip for the default network", node, path, problems);
        return new NetworkAddress("", Nowhere);
    }

    public static Cidr Cidr(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null } scalar
            && scalar.Text.IndexOf('/', StringComparison.Ordinal) is > 0 and var slash
            && TryIp(scalar.Text.AsSpan(0, slash), out IPAddress ip)
            && Values.IsNumber(scalar.Text[(slash + 1)..], 0, 128, out uint length)
            && Mesh.Model.Cidr.Create(ip, length) is { } cidr)
        {
            return cidr;
        }
        Values.Expected("an address prefix such as 10.0.0.0/8", node, path, problems);
        return Mesh.Model.Cidr.Create(Nowhere, 32)!;
    }

    /// <summary><c>namespace/name</c>, both given.</summary>
    public static NamespacedName Name(YamlNode node, FieldPath path, ProblemList problems)
    {
        if (node is YamlScalar { Tag: null } scalar && TryName(scalar.Text, out NamespacedName name)) return name;
        Values.Expected("namespace/name", node, path, problems);
        return new NamespacedName("", "");
    }

    public static bool TryName(string text, out NamespacedName name)
    {
        bool good = NamespacedName.TryParse(text, out NamespacedName? parsed) && parsed.Namespace.Length > 0 && parsed.Name.Length > 0 && !parsed.Name.Contains('/');
        name = good ? parsed! : new NamespacedName("", "");
        return good;
    }

    /// <summary><c>{destination: network/ip or namespace/hostname, hboneMtlsPort: 15008}</c>. Null when it has been reported.</summary>
    public static GatewayAddress? Gateway(YamlNode? node, FieldPath path, ProblemList problems)
    {
        if (node is null || MapFields.Open(node, path, problems) is not { } fields) return null;

        YamlNode? destination = fields.Required("destination");
        ushort port = (ushort)fields.Number("hboneMtlsPort", 1, ushort.MaxValue, absent: GatewayAddress.DefaultHbonePort);
        fields.RejectOthers();
        if (destination is null) return null;
        if (destination is YamlScalar { Tag: null } scalar)
        {
            int slash = scalar.Text.LastIndexOf('/');
            if (slash >= 0 && TryIp(scalar.Text.AsSpan(slash + 1), out IPAddress ip)) return new GatewayAddress(new NetworkAddress(scalar.Text[..slash], ip), port);
            // What consists of digits and dots, or has colons, was meant as an address.
            if (TryName(scalar.Text, out NamespacedName name) && name.Name.AsSpan().ContainsAnyExcept("0123456789.") && !name.Name.Contains(':')) return new GatewayAddress(name, port);
        }
        Values.Expected("network/ip or namespace/hostname", destination, path.Key("destination"), problems);
        return null;
    }

    /// <summary>A map from service port to target port; 0 stands for a named port that is mapped elsewhere.</summary>
    public static PortMap Ports(YamlNode? node, FieldPath path, ProblemList problems)
    {
        if (node is null || Values.AsMap(node, path, problems) is not { } map) return PortMap.Empty;

        Span<(ushort, ushort)> ports = map.Entries.Count <= 32 ? stackalloc (ushort, ushort)[map.Entries.Count] : new (ushort, ushort)[map.Entries.Count];
        int count = 0;
        foreach ((YamlScalar key, YamlNode value) in map.Entries)
        {
            // JSON has its keys in quotes.
            if (!Values.IsNumber(key.Text, 1, ushort.MaxValue, out uint servicePort)) Values.Expected("a port from 1 to 65535", key, path, problems);
            ports[count++] = ((ushort)servicePort, (ushort)Values.AsNumber(value, path.Key(key.Text), 0, ushort.MaxValue, problems));
        }
        return PortMap.Create(ports);
    }

    public static ushort Port(YamlNode node, FieldPath path, ProblemList problems) => (ushort)Values.AsNumber(node, path, 1, ushort.MaxValue, problems);

    private static bool TryIp(ReadOnlySpan<char> text, out IPAddress address)
    {
        address = Nowhere;
        bool isIPv6 = text.Contains(':');
        // No shortened IPv4, no octal and hexadecimal numbers, no brackets, ports and scopes.
        if (isIPv6 ? text.ContainsAny("[]%/") : !IsDottedQuad(text)) return false;
        if (!IPAddress.TryParse(text, out IPAddress? parsed)) return false;
        address = parsed;   // the model's types make it canonical; a prefix needs the width as written
        return true;
    }

    private static bool IsDottedQuad(ReadOnlySpan<char> text)
    {
        int parts = 0;
        foreach (Range part in text.Split('.'))
        {
            ReadOnlySpan<char> number = text[part];
            if (++parts > 4 || (number.Length > 1 && number[0] == '0')) return false;
            if (!byte.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out _)) return false;
        }
        return parts == 4;
    }
}
