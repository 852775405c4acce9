using Ztunnel.Protos.Citadel;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod;

/// <summary>A call that is ended with a gRPC status instead of an answer.</summary>
public sealed record Refusal(int Code, string Message);

/// <summary>How the stand-in misbehaves. Everything may be changed while it serves; without a change it is as well-behaved as istiod.</summary>
public sealed class Script
{
    private volatile TaskCompletionSource? _held;

    /// <summary>Streams and certificate requests end at once with this: not ready, rate limit, unknown token.</summary>
    public Refusal? RefuseStreams { get; set; }

    public Refusal? RefuseCertificates { get; set; }

    /// <summary>Types whose responses are kept back; they are not made up for when the type is taken out.</summary>
    public HashSet<string> WithheldTypes { get; } = new(StringComparer.Ordinal);

    /// <summary>Every response is sent twice, with a nonce of its own.</summary>
    public bool Duplicate { get; set; }

    /// <summary>Responses that belong together go out in the opposite order: policies before the workloads that name them.</summary>
    public bool Reverse { get; set; }

    /// <summary>Time before every answer.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>Changes a response before it leaves: garbage, lies.</summary>
    public Func<DeltaDiscoveryResponse, DeltaDiscoveryResponse>? Tamper { get; set; }

    /// <summary>Changes a certificate answer before it leaves.</summary>
    public Func<IstioCertificateResponse, IstioCertificateResponse>? TamperCertificates { get; set; }

    /// <summary>Signs for this identity, whatever was asked for.</summary>
    public string? WrongIdentity { get; set; }

    /// <summary>From now on nothing is answered, though connections stay and pings are answered, until <see cref="Release"/>.</summary>
    public void Hold() => _held ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Release()
    {
        TaskCompletionSource? held = _held;
        _held = null;
        held?.TrySetResult();
    }

    /// <summary>Completes when an answer may leave.</summary>
    internal async Task WaitAsync(CancellationToken cancellation)
    {
        if (_held is { } held) await held.Task.WaitAsync(cancellation);
        if (Delay <= TimeSpan.Zero) return;
        using PeriodicTimer timer = new(Delay);
        await timer.WaitForNextTickAsync(cancellation);
    }

    /// <summary>What is really sent for responses that belong together.</summary>
    internal IEnumerable<DeltaDiscoveryResponse> Play(IEnumerable<DeltaDiscoveryResponse> responses)
    {
        foreach (DeltaDiscoveryResponse response in Reverse ? responses.Reverse() : responses)
        {
            if (WithheldTypes.Contains(response.TypeUrl)) continue;
            DeltaDiscoveryResponse played = Tamper?.Invoke(response.Clone()) ?? response;
            yield return played;
            if (!Duplicate) continue;
            DeltaDiscoveryResponse again = played.Clone();
            again.Nonce += "-again";
            yield return again;
        }
    }
}
