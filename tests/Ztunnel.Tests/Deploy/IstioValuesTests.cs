using YamlDotNet.RepresentationModel;

namespace Ztunnel.Tests.Deploy;

/// <summary>deploy/istio swaps the image of Istio's own chart, and nothing else (istio-integration 1.6).</summary>
public sealed class IstioValuesTests
{
    [Fact]
    public void Values_OnlyTheImage_AsACompleteReference()
    {
        var stream = new YamlStream();
        stream.Load(new StringReader(File.ReadAllText(Path.Combine(Manifest.Folder, "istio", "values.yaml"))));

        (YamlNode key, YamlNode value) = Assert.Single(((YamlMappingNode)stream.Documents.Single().RootNode).Children);

        Assert.Equal("image", key.ToString());
        // With a slash the chart takes it as it is, without one it would put its hub before and its tag behind.
        Assert.Matches("^[a-z0-9.-]+/[a-z0-9./-]+:[a-z0-9.-]+$", value.ToString());
    }
}
