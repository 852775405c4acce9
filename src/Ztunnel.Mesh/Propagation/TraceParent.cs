using System.Globalization;
using Ztunnel.Mesh.Routing;

namespace Ztunnel.Mesh.Propagation;

/// <summary>The <c>traceparent</c> header, by which the logs of both ends can be put together: <c>00-(32 hex)-(16 hex)-00</c> (data-path 2.8).</summary>
public readonly record struct TraceParent(UInt128 TraceId, ulong ParentId)
{
    public const string Name = "traceparent";

    private const int Length = 55;

    /// <summary>A new one, for each accepted connection.</summary>
    public static TraceParent Create(IRandom random) => new(new UInt128(random.Next(ulong.MaxValue), random.Next(ulong.MaxValue)), random.Next(ulong.MaxValue));

    public static bool TryParse(ReadOnlySpan<char> text, out TraceParent parsed)
    {
        parsed = default;
        if (text.Length != Length || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
        if (!byte.TryParse(text[..2], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _)
            || !UInt128.TryParse(text[3..35], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 traceId)
            || !ulong.TryParse(text[36..52], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong parentId)
            || !byte.TryParse(text[53..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _))
        {
            return false;
        }
        parsed = new TraceParent(traceId, parentId);
        return true;
    }

    /// <summary>What logs show: the 32 digits of the trace id.</summary>
    public string TraceIdText => TraceId.ToString("x32", CultureInfo.InvariantCulture);

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"00-{TraceId:x32}-{ParentId:x16}-00");
}
