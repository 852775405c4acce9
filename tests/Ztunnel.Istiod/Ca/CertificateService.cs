using System.Collections.Immutable;
using System.Security.Cryptography;
using Ztunnel.Istiod.Identity;
using Ztunnel.Istiod.Server;
using Ztunnel.Mesh.Identity;
using Ztunnel.Protos.Citadel;
using Ztunnel.Testing;

namespace Ztunnel.Istiod.Ca;

/// <summary>Signs workload certificates as istiod does, with its checks (control-path 7.3, istio-integration 5).</summary>
public sealed class CertificateService
{
    private const int InvalidArgument = 3;
    private const int Unauthenticated = 16;
    private const string TrustedNamespace = "istio-system";
    private const string TrustedAccount = "ztunnel";
    private static readonly TimeSpan Backdating = TimeSpan.FromMinutes(2);
    private static readonly TimeSpan LongestLifetime = TimeSpan.FromDays(90);

    private readonly TimeProvider _time;
    private readonly Lock _rotating = new();   // guards what follows
    private TestAuthority? _signer;
    private TestAuthority? _announced;
    private ImmutableArray<string> _rootPems = [];
    private int _issued;

    /// <param name="time">The clock of the certificates.</param>
    /// <param name="signer">Null: a self-signed root with an RSA key, as istiod's own is, made when it is first needed.</param>
    public CertificateService(TimeProvider time, TestAuthority? signer = null)
    {
        _time = time;
        _signer = signer;
    }

    /// <summary>Certificates signed so far.</summary>
    public int Issued => Volatile.Read(ref _issued);

    public string RootBundle => Current().Bundle;

    /// <summary>The next root is in the bundle from now on, and signs with the next <see cref="RotateRoot"/>: who renewed in between trusts its certificates from the first on.</summary>
    public void AnnounceRoot()
    {
        TestAuthority next = TestAuthority.Create();
        Current();
        lock (_rotating)
        {
            _rootPems = [.. _rootPems, next.RootPem];
            _announced = next;
        }
    }

    /// <summary>Another root signs from now on, the announced one if there is one; those before stay in the bundle until <see cref="RetireOldRoots"/>.</summary>
    public void RotateRoot()
    {
        if (_announced is null) AnnounceRoot();
        lock (_rotating)
            (_signer, _announced) = (_announced, null);
    }

    public void RetireOldRoots()
    {
        TestAuthority signer = Current().Signer;
        lock (_rotating)
            _rootPems = [signer.RootPem];
    }

    private (TestAuthority Signer, string Bundle) Current()
    {
        lock (_rotating)
        {
            _signer ??= TestAuthority.CreateRsa();
            if (_rootPems.IsEmpty) _rootPems = [_signer.RootPem];
            return (_signer, string.Join('\n', _rootPems));
        }
    }

    /// <param name="request">As it came.</param>
    /// <param name="caller">Whom the token speaks for; null where nobody checks.</param>
    /// <param name="runsOn">Whether a pod of this namespace and account runs on this node.</param>
    /// <param name="wrongIdentity">Signs for this one instead.</param>
    internal IstioCertificateResponse Sign(IstioCertificateRequest request, TokenClaims? caller, Func<string, string, string, bool> runsOn, string? wrongIdentity)
    {
        string identity = Whose(request, caller, runsOn);
        TimeSpan lifetime = TimeSpan.FromSeconds(request.ValidityDuration);
        if (lifetime > LongestLifetime || lifetime <= TimeSpan.Zero) throw new GrpcRefusal(InvalidArgument, $"requested TTL {lifetime} is not between 0 and {LongestLifetime}");
        DateTimeOffset now = _time.GetUtcNow();
        try
        {
            (TestAuthority signer, string bundle) = Current();
            IReadOnlyList<string> chain = signer.SignKey(request.Csr, wrongIdentity ?? identity, now - Backdating, now + lifetime);
            Interlocked.Increment(ref _issued);
            return new IstioCertificateResponse { CertChain = { chain, bundle } };
        }
        catch (Exception error) when (error is CryptographicException or ArgumentException)
        {
            throw new GrpcRefusal(InvalidArgument, $"CSR: {error.Message}");
        }
    }

    private static string Whose(IstioCertificateRequest request, TokenClaims? caller, Func<string, string, string, bool> runsOn)
    {
        string? impersonated = request.Metadata is { } metadata && metadata.Fields.TryGetValue("ImpersonatedIdentity", out var value) ? value.StringValue : null;
        if (caller is null) return impersonated ?? "spiffe://cluster.local/ns/istio-system/sa/ztunnel";
        if (impersonated is null) return $"spiffe://cluster.local/ns/{caller.Namespace}/sa/{caller.ServiceAccount}";
        bool allowed = (caller.Namespace, caller.ServiceAccount) == (TrustedNamespace, TrustedAccount)
            && SpiffeId.TryParse(impersonated, out SpiffeId? identity)
            && runsOn(caller.Node, identity.Namespace, identity.ServiceAccount);
        return allowed ? impersonated : throw new GrpcRefusal(Unauthenticated, "request impersonation authentication failure");
    }
}
