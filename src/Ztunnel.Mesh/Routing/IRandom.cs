namespace Ztunnel.Mesh.Routing;

/// <summary>Where decisions take their chances from, so that tests can state them.</summary>
public interface IRandom
{
    /// <summary>A number below the bound, each equally likely; the bound is above 0.</summary>
    public ulong Next(ulong bound);
}

/// <summary>The runtime's generator: each thread has its own.</summary>
public sealed class SystemRandom : IRandom
{
    public static readonly SystemRandom Instance = new();

    public ulong Next(ulong bound) => bound <= long.MaxValue ? (ulong)Random.Shared.NextInt64((long)bound) : NextLarge(bound);

    // Halves the range instead of rejecting: bounds of this size do not occur with 32-bit weights, and a bias of one in 2^63 is none.
    private static ulong NextLarge(ulong bound) => (ulong)(((UInt128)bound * ((ulong)Random.Shared.NextInt64() << 1)) >> 64);
}
