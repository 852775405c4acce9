using Ztunnel.Istiod;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Istiod.Program;

namespace Ztunnel.ControlPlane.Tests.StandIn;

public sealed class ScriptCommandsTests
{
    [Fact]
    public async Task Lines_ChangeTheScript()
    {
        await using IstiodServer istiod = new();
        int recycled = 0;
        ScriptCommands commands = new(istiod, () => recycled++);

        foreach (string line in (string[])["refuse-streams 14 not ready", "refuse-certificates 8", "withhold authorization", "duplicate on", "reverse on", "delay 250", "wrong-identity spiffe://a/ns/b/sa/c", "recycle-tokens", "rotate-root"])
            Assert.Equal($"done: {line}", commands.Run(line));

        Assert.Equal((new Refusal(14, "not ready"), new Refusal(8, "refused by the script")), (istiod.Script.RefuseStreams, istiod.Script.RefuseCertificates));
        Assert.Equal([MeshResources.AuthorizationUrl], istiod.Script.WithheldTypes);
        Assert.Equal((true, true, TimeSpan.FromMilliseconds(250)), (istiod.Script.Duplicate, istiod.Script.Reverse, istiod.Script.Delay));
        Assert.Equal(("spiffe://a/ns/b/sa/c", 1), (istiod.Script.WrongIdentity, recycled));
        Assert.Equal(2, istiod.Authority.RootBundle.Split("BEGIN CERTIFICATE").Length - 1);

        commands.Run("accept-streams");
        commands.Run("withhold nothing");
        Assert.Null(istiod.Script.RefuseStreams);
        Assert.Empty(istiod.Script.WithheldTypes);
        Assert.Equal("status: 0 streams, 0 certificates signed", commands.Run("status"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("explode")]
    [InlineData("delay soon")]
    [InlineData("duplicate maybe")]
    [InlineData("refuse-streams not a code")]
    public async Task Lines_ThatAreNone_AreAnsweredWithTheOnesThereAre(string line)
    {
        await using IstiodServer istiod = new();

        Assert.StartsWith($"error: '{line}' is none of: refuse-streams CODE TEXT", new ScriptCommands(istiod, static () => { }).Run(line), StringComparison.Ordinal);
    }
}
