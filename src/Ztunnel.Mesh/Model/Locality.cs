namespace Ztunnel.Mesh.Model;

/// <summary>Where a workload runs; unknown parts are empty.</summary>
public sealed record Locality(string Region = "", string Zone = "", string Subzone = "")
{
    public static readonly Locality None = new();
}
