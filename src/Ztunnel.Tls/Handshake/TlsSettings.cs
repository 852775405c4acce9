using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Handshake;

/// <summary>Which key-exchange groups are offered and accepted (control-path 7.7).</summary>
public enum KeyExchangePolicy
{
    /// <summary>X25519MLKEM768 where the library has it, then X25519, P-256, P-384.</summary>
    Standard,

    /// <summary>X25519MLKEM768 only; COMPLIANCE_POLICY=pqc.</summary>
    HybridOnly,
}

/// <summary>What all TLS contexts of the process have in common.</summary>
public sealed record TlsSettings
{
    public static TlsSettings Default { get; } = new();

    /// <summary>The clock that certificates are judged by.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// How far in the future a peer's certificate may begin. Authorities put it back by two minutes; a node whose clock lags behind by more than that need not refuse every pod that has
    /// just started. No certificate is accepted after its end.
    /// </summary>
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Which certificates are revoked; null when nobody checks.</summary>
    public Revocations? Revocations { get; init; }

    public KeyExchangePolicy KeyExchange { get; init; } = KeyExchangePolicy.Standard;

    /// <summary>Receives every secret in the NSS key log format, one line a call, from whichever thread runs the handshake. Null, as always in production: secrets go nowhere.</summary>
    public Action<string>? KeyLog { get; init; }
}
