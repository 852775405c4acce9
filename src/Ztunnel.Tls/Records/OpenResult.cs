namespace Ztunnel.Tls.Records;

/// <summary>What the record at the front of the received bytes was.</summary>
public enum OpenKind
{
    /// <summary>The record is not all there.</summary>
    NeedMore,

    /// <summary>Application data, opened in place.</summary>
    Data,

    /// <summary>A record for the session itself: a ticket, a KeyUpdate, an empty record. Ask <see cref="TlsSession.HasControlOutput"/>.</summary>
    Control,

    /// <summary>The peer has sent everything. Bytes behind it are ignored.</summary>
    CloseNotify,

    /// <summary>The session is over: see <see cref="TlsSession.Failure"/>, send what <see cref="TlsSession.WriteControl"/> has (the alert), close.</summary>
    Failed,
}

/// <summary>Result of opening one record.</summary>
/// <param name="Kind">What it was.</param>
/// <param name="Consumed">Bytes of the received span that are done with.</param>
/// <param name="Offset">Where the plaintext begins in the received span.</param>
/// <param name="Length">How long it is; for <see cref="OpenKind.NeedMore"/> how many bytes the record has in all, as far as is known.</param>
public readonly record struct OpenResult(OpenKind Kind, int Consumed, int Offset, int Length)
{
    internal static OpenResult NeedMore(int wanted) => new(OpenKind.NeedMore, 0, 0, wanted);
}
