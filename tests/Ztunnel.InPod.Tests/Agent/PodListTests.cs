using System.Text;
using Ztunnel.InPod.Agent;
using Ztunnel.InPod.Pods;

namespace Ztunnel.InPod.Tests.Agent;

public sealed class PodListTests
{
    [Fact]
    public void Parse_List_NamesThePods()
    {
        PodList list = Parse("""
            {
              // comments and trailing commas are for people
              "pods": [
                {"name": "cart-0", "namespace": "shop", "serviceAccount": "cart", "netns": "/run/netns/cart-0", "uid": "u1"},
                {"name": "front-0", "namespace": "shop", "serviceAccount": "front", "netns": "/run/netns/front-0"},
              ]
            }
            """);

        Assert.Equal([new PodIdentity("u1", "cart-0", "shop", "cart"), new PodIdentity("shop/front-0", "front-0", "shop", "front")], list.Pods.Select(static pod => pod.Identity));
        Assert.Equal("/run/netns/front-0", list.Pods[1].Netns);
    }

    [Theory]
    [InlineData("", "pods.json:1: $: ")]
    [InlineData("null", "pods.json: expected an object with \"pods\", found null")]
    [InlineData("{}", "pods.json:1: $: ")]
    [InlineData("{\"pods\": null}", "pods.json: pods: expected a list, found null")]
    [InlineData("{\"pods\": [null]}", "pods.json: pods[0]: expected an object, found null")]
    [InlineData("{\"pods\": [\n{\"name\": 7}]}", "pods.json:2: $.pods[0].name: ")]
    [InlineData("{\"pods\": [\n{\"nam\": \"a\"}]}", "pods.json:2: $.pods[0].nam: ")]
    [InlineData("{\"pods\": [{\"name\": \"a\", \"namespace\": \"d\", \"serviceAccount\": \"a\"}]}", "pods.json:1: $.pods[0]: ")]
    [InlineData("{\"pods\": [{\"name\": \"\", \"namespace\": \"d\", \"serviceAccount\": \"a\", \"netns\": \"/n\"}]}", "pods.json: pods[0].name: expected a name, found nothing")]
    [InlineData("{\"pods\": [{\"name\": \"a\", \"namespace\": null, \"serviceAccount\": \"a\", \"netns\": \"/n\"}]}", "pods.json: pods[0].namespace: expected a name, found nothing")]
    [InlineData("{\"pods\": [{\"name\": \"a\", \"namespace\": \"d\", \"serviceAccount\": \"a\", \"netns\": \"n\"}]}", "pods.json: pods[0].netns: expected an absolute path such as /run/netns/a, found \"n\"")]
    [InlineData(
        "{\"pods\": [{\"name\": \"a\", \"namespace\": \"d\", \"serviceAccount\": \"a\", \"netns\": \"/n\"}, {\"name\": \"a\", \"namespace\": \"d\", \"serviceAccount\": \"b\", \"netns\": \"/m\"}]}",
        "pods.json: pods[1].uid: \"d/a\" is in the list already")]
    public void Parse_Mistake_NamesFileAndPlace(string json, string expectedStart)
    {
        PodListException problem = Assert.Throws<PodListException>(() => Parse(json));

        Assert.StartsWith(expectedStart, problem.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', problem.Message);
    }

    private static PodList Parse(string json) => PodList.Parse("pods.json", Encoding.UTF8.GetBytes(json));
}
