using System.Text.Json.Serialization;

namespace Ztunnel.LoadBench.Measurement;

/// <summary>What one run of the load client saw; it prints this as one line of JSON for the program that started it.</summary>
internal sealed record LoadResult
{
    public required double Seconds { get; init; }

    /// <summary>Payload bytes that arrived: at the client for downloads and echoes, at the server for uploads.</summary>
    public long Bytes { get; init; }

    public long Operations { get; init; }

    public long Errors { get; init; }

    public string? FirstError { get; init; }

    public LatencySummary? Latency { get; init; }

    /// <summary>CPU seconds within the window of each watched group of processes: client-side proxy, server-side proxy.</summary>
    public double[] CpuSeconds { get; init; } = [];

    /// <summary>CPU seconds of the load client and server themselves.</summary>
    public double LoadCpuSeconds { get; init; }

    /// <summary>CPU seconds of everything else on the machine within the window.</summary>
    public double ForeignCpuSeconds { get; init; }

    /// <summary>Of bulk streams before the echoes beside them began.</summary>
    public double BytesPerSecondAlone { get; init; }

    public MemoryPoint[] Memory { get; init; } = [];
}

/// <summary>Resident bytes and descriptors of each watched group with so many connections open, or so long after the last one left; wires are the connections between the proxies.</summary>
internal sealed record MemoryPoint(int Connections, int SecondsSinceLeft, long[] ResidentBytes, int[] Descriptors, int Wires);

/// <summary>JSON without reflection: the program is compiled ahead of time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(LoadResult))]
internal sealed partial class LoadResultJson : JsonSerializerContext;
