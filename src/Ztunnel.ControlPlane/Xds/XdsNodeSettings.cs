using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.ControlPlane.Xds;

/// <summary>Who we tell the control plane we are (control-path 3.3).</summary>
public sealed record XdsNodeSettings
{
    /// <summary>INSTANCE_IP.</summary>
    public string InstanceIp { get; init; } = "1.1.1.1";

    /// <summary>POD_NAME.</summary>
    public string PodName { get; init; } = "";

    /// <summary>POD_NAMESPACE.</summary>
    public string PodNamespace { get; init; } = "";

    /// <summary>NODE_NAME.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>Proxy metadata: ISTIO_META_* and the mesh config's proxyMetadata, without the prefix.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Metadata { get; init; } = [];

    /// <summary>ISTIO_METAJSON_*, without the prefix; they win over <see cref="Metadata"/>.</summary>
    public IReadOnlyList<KeyValuePair<string, JsonElement>> JsonMetadata { get; init; } = [];

    internal Node ToNode()
    {
        Struct metadata = new()
        {
            Fields =
            {
                ["NAME"] = Value.ForString(PodName),
                ["NAMESPACE"] = Value.ForString(PodNamespace),
                ["INSTANCE_IPS"] = Value.ForString(InstanceIp),
                ["NODE_NAME"] = Value.ForString(NodeName),
            },
        };
        foreach ((string key, string value) in Metadata) metadata.Fields[key] = Value.ForString(value);
        foreach ((string key, JsonElement value) in JsonMetadata) metadata.Fields[key] = ToValue(value);
        // The domain is literal, whatever the cluster's is.
        return new Node { Id = $"ztunnel~{InstanceIp}~{PodName}.{PodNamespace}~{PodNamespace}.svc.cluster.local", Metadata = metadata };
    }

    private static Value ToValue(JsonElement json)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                Struct fields = new();
                foreach (JsonProperty property in json.EnumerateObject()) fields.Fields[property.Name] = ToValue(property.Value);
                return Value.ForStruct(fields);
            case JsonValueKind.Array:
                return Value.ForList([.. json.EnumerateArray().Select(ToValue)]);
            case JsonValueKind.String:
                return Value.ForString(json.GetString());
            case JsonValueKind.Number:
                return Value.ForNumber(json.GetDouble());
            case JsonValueKind.True or JsonValueKind.False:
                return Value.ForBool(json.GetBoolean());
            default:
                return Value.ForNull();
        }
    }
}
