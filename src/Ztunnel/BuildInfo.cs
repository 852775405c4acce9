using System.Reflection;
using System.Runtime.InteropServices;

namespace Ztunnel;

/// <summary>What this binary is, in the form that operators' tools look for (control-path 1.1).</summary>
public sealed record BuildInfo(string Version, string GitRevision, string RuntimeVersion, string BuildProfile, string BuildStatus, string IstioVersion, string CryptoProvider)
{
    public static BuildInfo Create(string istioVersion)
    {
        // "0.1.0+revision" where the build knows its revision.
        string[] version = (typeof(BuildInfo).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown").Split('+');
#if DEBUG
        const string Profile = "debug";
#else
        const string Profile = "release";
#endif
        return new BuildInfo(version[0], version.Length > 1 ? version[1] : "unknown", RuntimeInformation.FrameworkDescription, Profile, "Clean", istioVersion, "tls-openssl");
    }

    /// <summary>The key RustVersion is part of the format; ours names the .NET it was built with.</summary>
    public override string ToString() =>
        $"version.BuildInfo{{Version:\"{Version}\", GitRevision:\"{GitRevision}\", RustVersion:\"{RuntimeVersion}\", BuildProfile:\"{BuildProfile}\", BuildStatus:\"{BuildStatus}\", "
        + $"IstioVersion:\"{IstioVersion}\", CryptoProvider:\"{CryptoProvider}\"}}";
}
