using Ztunnel.Mesh.Identity;

namespace Ztunnel.Tls.Certificates;

/// <summary>What is known about one identity. Guarded by the store's lock.</summary>
internal sealed class CertificateEntry(SpiffeId identity, CertificatePriority priority)
{
    // Authorities date back by minutes (control-path 7): so much a clock may be corrected without anybody noticing.
    private static readonly TimeSpan SmallStep = TimeSpan.FromMinutes(1);

    internal SpiffeId Identity { get; } = identity;

    /// <summary>Present while Available; it may have expired meanwhile.</summary>
    internal WorkloadCertificate? Certificate { get; set; }

    /// <summary>The last failure while there is no certificate to fall back on: Unavailable.</summary>
    internal string? Error { get; set; }

    internal int Failures { get; set; }

    /// <summary>Where the next request stands in the queue.</summary>
    internal CertificatePriority Priority { get; set; } = priority;

    internal DateTimeOffset Due { get; set; }

    /// <summary>Order of arrival among equals.</summary>
    internal long Ticket { get; set; }

    internal bool IsQueued { get; set; }

    internal bool IsInFlight { get; set; }

    /// <summary>Set when nobody needs it: it goes at that time, and is not renewed until then.</summary>
    internal DateTimeOffset? DropAt { get; set; }

    /// <summary>Those who wait for the request now queued or in flight; made when the first one comes.</summary>
    internal TaskCompletionSource<WorkloadCertificate>? Waiters { get; set; }

    /// <summary>When the certificate came, by the wall clock of that moment.</summary>
    internal DateTimeOffset ReceivedAt { get; set; }

    /// <summary>The certificate, unless it has expired, or the clock was set back behind its coming, so that it may not be valid yet: then it is as good as none.</summary>
    internal WorkloadCertificate? Usable(DateTimeOffset now) => Certificate is { } held && held.NotAfter > now && now > ReceivedAt - SmallStep ? held : null;

    /// <summary>Who waits learns it on the pool, never inside the store's lock.</summary>
    internal Task<WorkloadCertificate> Wait() => (Waiters ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
}
