using System.Text.Json;
using System.Text.Json.Serialization;
using Ztunnel.InPod.Pods;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.InPod.Agent;

/// <summary>
/// The pods of a machine without Kubernetes, as JSON; what is not needed has a default:
/// <code>{"pods": [{"name": "cart-0", "namespace": "shop", "serviceAccount": "cart", "netns": "/run/netns/cart-0",
///            "uid": "shop/cart-0", "ingressMode": false, "dnsCapture": true, "virtualInterfaces": []}]}</code>
/// </summary>
internal sealed record PodList
{
    public required PodListEntry[] Pods { get; init; }

    /// <summary>Reads and checks a list. Throws <see cref="PodListException"/> naming file, place and what was expected.</summary>
    public static PodList Parse(string path, ReadOnlySpan<byte> json)
    {
        PodList list;
        try
        {
            list = JsonSerializer.Deserialize(json, PodListJson.Default.PodList) ?? throw new PodListException($"{path}: expected an object with \"pods\", found null");
        }
        catch (JsonException problem)
        {
            throw new PodListException($"{path}:{problem.LineNumber + 1}: {problem.Path}: {FirstSentence(problem.Message)}");
        }

        list.Check(path);
        return list;
    }

    private void Check(string path)
    {
        if (Pods is null)
            throw new PodListException($"{path}: pods: expected a list, found null");
        var uids = new HashSet<string>(StringComparer.Ordinal);
        for (int at = 0; at < Pods.Length; at++)
        {
            if (Pods[at] is not { } pod)
                throw new PodListException($"{path}: pods[{at}]: expected an object, found null");
            if (pod.FindMistake() is { } mistake)
                throw new PodListException($"{path}: pods[{at}].{mistake}");
            if (!uids.Add(pod.Identity.Uid))
                throw new PodListException($"{path}: pods[{at}].uid: \"{pod.Identity.Uid}\" is in the list already");
        }
    }

    // The reader appends path and position once more.
    private static string FirstSentence(string message)
    {
        int end = message.IndexOf(" Path: ", StringComparison.Ordinal);
        return end < 0 ? message : message[..end];
    }
}

/// <summary>One pod of the list.</summary>
internal sealed record PodListEntry
{
    public required string Name { get; init; }

    public required string Namespace { get; init; }

    public required string ServiceAccount { get; init; }

    /// <summary>A file of the pod's network namespace.</summary>
    public required string Netns { get; init; }

    /// <summary>Default: namespace/name.</summary>
    public string? Uid { get; init; }

    /// <summary>Plaintext from outside goes straight to the application: what `ambient.istio.io/bypass-inbound-capture` says in Kubernetes.</summary>
    public bool? IngressMode { get; init; }

    /// <summary>What `ambient.istio.io/dns-capture` says.</summary>
    public bool? DnsCapture { get; init; }

    /// <summary>What `istio.io/reroute-virtual-interfaces` says.</summary>
    public string[]? VirtualInterfaces { get; init; }

    public PodIdentity Identity => new(Uid ?? $"{Namespace}/{Name}", Name, Namespace, ServiceAccount);

    /// <summary>The rules of this pod: the agent's, with what the list says about it.</summary>
    public RedirectionOptions Rules(RedirectionOptions defaults) => defaults with
    {
        IngressMode = IngressMode ?? defaults.IngressMode,
        DnsCapture = DnsCapture ?? defaults.DnsCapture,
        VirtualInterfaces = VirtualInterfaces is { } named ? [.. named] : defaults.VirtualInterfaces,
    };

    public string? FindMistake() => this switch
    {
        { Name: null or "" } => "name: expected a name, found nothing",
        { Namespace: null or "" } => "namespace: expected a name, found nothing",
        { ServiceAccount: null or "" } => "serviceAccount: expected a name, found nothing",
        { Uid: "" } => "uid: expected text, found nothing",
        { Netns: var netns } when netns is null || !netns.StartsWith('/') => $"netns: expected an absolute path such as /run/netns/{Name}, found \"{netns}\"",
        _ when Rules(new RedirectionOptions()).FindMistakes() is [var mistake, ..] => $"virtualInterfaces: {mistake}",
        _ => null,
    };
}

/// <summary>A pod list that cannot be used; the message is for the person who wrote it.</summary>
public sealed class PodListException(string message) : Exception(message);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, ReadCommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true)]
[JsonSerializable(typeof(PodList))]
internal sealed partial class PodListJson : JsonSerializerContext;
