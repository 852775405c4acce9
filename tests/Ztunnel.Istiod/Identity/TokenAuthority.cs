using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Ztunnel.Istiod.Identity;

/// <summary>Whom a token speaks for: a pod with its service account, on its node.</summary>
public sealed record TokenClaims(string Namespace, string ServiceAccount, string Pod, string Node);

/// <summary>Issues and checks tokens of the form that Kubernetes projects into pods: JWTs with an audience, an expiry and the pod they are bound to.</summary>
public sealed class TokenAuthority(TimeProvider time)
{
    private const string Audience = "istio-ca";
    private const string Scheme = "Bearer ";

    private volatile byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>The token of ztunnel's own pod on a node.</summary>
    public string IssueForNode(string node, TimeSpan? lifetime = null) =>
        Issue(new TokenClaims("istio-system", "ztunnel", $"ztunnel-{node}", node), lifetime ?? TimeSpan.FromHours(12));

    /// <param name="lifetime">Below zero: a token that has expired already.</param>
    public string Issue(TokenClaims claims, TimeSpan lifetime)
    {
        DateTimeOffset now = time.GetUtcNow();
        JsonObject payload = new()
        {
            ["aud"] = new JsonArray(Audience),
            ["exp"] = (now + lifetime).ToUnixTimeSeconds(),
            ["iat"] = now.ToUnixTimeSeconds(),
            ["iss"] = "https://kubernetes.default.svc.cluster.local",
            ["kubernetes.io"] = new JsonObject
            {
                ["namespace"] = claims.Namespace,
                ["node"] = new JsonObject { ["name"] = claims.Node },
                ["pod"] = new JsonObject { ["name"] = claims.Pod },
                ["serviceaccount"] = new JsonObject { ["name"] = claims.ServiceAccount },
            },
            ["sub"] = $"system:serviceaccount:{claims.Namespace}:{claims.ServiceAccount}",
        };
        string signed = $"{Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Encode(payload.ToJsonString())}";
        return $"{signed}.{Sign(signed)}";
    }

    /// <summary>From now on every token issued before is refused.</summary>
    public void Recycle() => _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>Whom an <c>authorization</c> header speaks for; null with the reason when it speaks for nobody.</summary>
    public TokenClaims? Check(string? authorization, out string reason)
    {
        reason = "no bearer token";
        if (authorization?.StartsWith(Scheme, StringComparison.Ordinal) != true) return null;
        string token = authorization[Scheme.Length..];
        int dot = token.LastIndexOf('.');
        reason = "the token was not issued here";
        if (dot < 0 || !CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Sign(token[..dot])), Encoding.ASCII.GetBytes(token[(dot + 1)..]))) return null;

        JsonElement payload = JsonDocument.Parse(Base64Url.DecodeFromChars(token.Split('.')[1])).RootElement;
        reason = "the token has expired";
        if (payload.GetProperty("exp").GetInt64() <= time.GetUtcNow().ToUnixTimeSeconds()) return null;
        JsonElement bound = payload.GetProperty("kubernetes.io");
        reason = "";
        return new TokenClaims(bound.GetProperty("namespace").GetString()!, Name(bound, "serviceaccount"), Name(bound, "pod"), Name(bound, "node"));
    }

    private static string Name(JsonElement bound, string what) => bound.GetProperty(what).GetProperty("name").GetString()!;

    private static string Encode(string text) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));

    private string Sign(string text) => Base64Url.EncodeToString(HMACSHA256.HashData(_key, Encoding.ASCII.GetBytes(text)));
}
