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

    public KeyExchangePolicy KeyExchange { get; init; } = KeyExchangePolicy.Standard;

    /// <summary>Receives every secret in the NSS key log format, one line a call, from whichever thread runs the handshake. Null, as always in production: secrets go nowhere.</summary>
    public Action<string>? KeyLog { get; init; }
}
