namespace Ztunnel.Telemetry.Tests;

/// <summary>Recorded output of the existing program (Fixtures folder).</summary>
internal static class Fixture
{
    public static string[] Lines(string name) => File.ReadAllLines(Path.Combine(AppContext.BaseDirectory, "Fixtures", name));
}
