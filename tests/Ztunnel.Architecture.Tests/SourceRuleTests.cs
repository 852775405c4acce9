using System.Text.RegularExpressions;

namespace Ztunnel.Architecture.Tests;

/// <summary>What product code does not do, and why.</summary>
public sealed class SourceRuleTests
{
    /// <summary>Each rule: the pattern, where it may occur all the same, and the reason.</summary>
    public static TheoryData<string, string, string[], string> Rules => new()
    {
        {
            "unsafe code", @"\bunsafe\b", ["src/Ztunnel.Linux/", "src/Ztunnel.Tls/"],
            "pointers live beside the two native libraries they serve; everything else is memory safe by construction"
        },
        {
            "DllImport", @"\bDllImport\b", [],
            "LibraryImport generates its marshalling at build time, which NativeAOT and the trimmer can see"
        },
        {
            "native imports", @"\bLibraryImport\b", ["src/Ztunnel.Linux/Interop/", "src/Ztunnel.Tls/Interop/"],
            "errno and OpenSSL's error queue are judged at one border"
        },
        {
            "wall-clock reads", @"\bDateTime(Offset)?\.(UtcNow|Now|Today)\b", [],
            "time comes from TimeProvider, so that tests advance it instead of waiting"
        },
        {
            "blocking on tasks", @"\.GetAwaiter\(\)\s*\.GetResult\(\)|[Tt]ask\w*(\([^()]*\))?\.(Wait\(|Result\b)|\bTask\.Wait(All|Any)\(|Async\([^()]*\)\.(Wait\(|Result\b)", [],
            "a blocked loop thread stops every connection on it; a blocked pool thread starves certificates and configuration"
        },
        {
            "sleeping", @"\bThread\.Sleep\(|\bThread\.SpinWait\(", [],
            "a thread that sleeps cannot be stopped; timers and signals can"
        },
        {
            "console writes", @"\bConsole\.(Write|Out|Error|OpenStandard(Output|Error))", ["src/Ztunnel.Telemetry/Logging/", "src/Ztunnel/Program.cs", "src/Ztunnel/Commands/"],
            "everything an operator reads passes the log sink, which never blocks; subcommands print what they were asked for"
        },
        {
            "environment reads", @"\bEnvironment\.(GetEnvironmentVariables?|ExpandEnvironmentVariables)\b", ["src/Ztunnel/Settings/", "src/Ztunnel/Program.cs"],
            "settings are read once, with all mistakes reported together"
        },
        {
            "catching in silence", @"\bcatch\s*(\(\s*(System\.)?Exception(\s+\w+)?\s*\)\s*)?\{[\s\u00b6]*\}|\bcatch\s*\([^)]*\)(\s*when\s*\([^{]*\))?\s*\{\s*\}", [],
            "an ignored error has a type and a comment that says why it may be ignored"
        },
        {
            "reflection emit and dynamic loading", @"\bAssembly\.Load|\bActivator\.CreateInstance\(|\bReflection\.Emit\b", [],
            "the shipped binary is native: what is not seen at build time is not there"
        },
        {
            "finalisers", @"^\s*~\w+\(\)", ["src/Ztunnel.Linux/", "src/Ztunnel.Tls/"],
            "what is started has a named stopper; only the last guard of a native resource is a finaliser"
        },
    };

    [Theory]
    [MemberData(nameof(Rules))]
    public void ProductSource_Rule_Holds(string rule, string pattern, string[] allowed, string reason)
    {
        AssertAbsent(rule, pattern, allowed, reason, "src");
    }

    [Fact]
    public void TestSource_Waiting_IsNeverSleeping()
    {
        AssertAbsent("sleeping in tests", @"\bThread\.Sleep\(|\bTask\.Delay\(", [], "tests await a signal or advance the clock: a sleep is too short on a slow machine and too long on every other", "tests");
    }

    [Fact]
    public void TestSource_Skipping_SaysWhyAtRunTime()
    {
        AssertAbsent("skipped tests", @"\b(Fact|Theory)\s*\(\s*Skip\s*=", [], "a test that is switched off in the source is forgotten; attributes that skip look at the machine", "tests");
    }

    private static void AssertAbsent(string rule, string pattern, string[] allowed, string reason, string folder)
    {
        var regex = new Regex(pattern, RegexOptions.Multiline | RegexOptions.CultureInvariant);
        string[] found =
        [
            .. from source in SourceTree.Sources(folder)
               where !allowed.Any(prefix => source.Path.StartsWith(prefix, StringComparison.Ordinal))
               from Match match in regex.Matches(source.Code)
               select $"{source.Path}:{source.Code.AsSpan(0, match.Index).Count('\n') + 1}: {match.Value.Trim()}",
        ];

        Assert.True(found.Length == 0, $"{rule}, but {reason}:\n{string.Join('\n', found)}");
    }
}
