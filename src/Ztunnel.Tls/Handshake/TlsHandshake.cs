using System.Collections.Immutable;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Ztunnel.Mesh.Identity;
using Ztunnel.Tls.Certificates;
using Ztunnel.Tls.Interop;
using Ztunnel.Tls.Records;
using Ztunnel.Tls.Revocation;

namespace Ztunnel.Tls.Handshake;

/// <summary>Where a handshake stands.</summary>
public enum HandshakeStatus
{
    /// <summary>The peer's next bytes are awaited; send what is pending first.</summary>
    InProgress,

    /// <summary>Both sides are proven. Send what is pending, then take the session.</summary>
    Completed,

    /// <summary>It is over; <see cref="TlsHandshake.Failure"/> says why. Send what is pending (the alert), then close.</summary>
    Failed,
}

/// <summary>
/// One TLS 1.3 handshake in either role, without I/O: an OpenSSL SSL between two memory BIOs. The caller moves bytes; bytes behind the handshake's last record stay with the caller,
/// since they belong to the record layer (<see cref="TlsSession"/>), which is ours. Used by one thread at a time.
/// </summary>
/// <remarks>A server's client may fail to be verified after the client believes that all is well: TLS 1.3 clients learn of it from the first record they read.</remarks>
public sealed unsafe class TlsHandshake : IDisposable
{
    // A full flight with certificates is 2 to 6 KiB; a CertificateRequest naming many roots and a chain at the library's own limit (100 KiB) still fit.
    private const int MaxReceivedBytes = 128 * 1024;

    // Any value the library has no alert for becomes certificate_unknown, which is what peers know for a wrong identity.
    private const int IdentityRejected = 0x5F1D;

    private static readonly byte[] UnexpectedMessageAlert = [(byte)ContentType.Alert, 3, 3, 0, 2, 2, (byte)TlsAlert.UnexpectedMessage];

    private readonly WorkloadCertificate _own;
    private readonly TlsRole _role;
    private readonly ImmutableArray<SpiffeId> _expected;
    private readonly VerifiedLeaves _verified;
    private readonly TrafficSecrets _secrets = new();
    private readonly SslHandle _ssl;
    // Owned by _ssl.
    private readonly nint _input;
    private readonly nint _output;

    private RecordFramer _framer;
    private int _receivedBytes;
    private PeerIdentity? _peer;

    private TlsHandshake(WorkloadCertificate own, TlsRole role, ImmutableArray<SpiffeId> expected)
    {
        _own = own;
        _role = role;
        _expected = expected;

        LibCrypto.ERR_clear_error();
        TlsContext context = own.Context;
        _verified = context.Verified;
        _ssl = LibSsl.SSL_new(context.Handle);
        OpenSslErrors.ThrowUnless(!_ssl.IsInvalid, "a TLS handshake cannot be made");
        _input = LibCrypto.BIO_new(LibCrypto.BIO_s_mem());
        _output = LibCrypto.BIO_new(LibCrypto.BIO_s_mem());
        if (_input == 0 || _output == 0)
        {
            LibCrypto.BIO_free(_input);
            LibCrypto.BIO_free(_output);
            _ssl.Dispose();
            throw new OpenSslException("a TLS handshake cannot be made: out of memory");
        }

        LibSsl.SSL_set_bio(_ssl, _input, _output);
        if (role == TlsRole.Server) LibSsl.SSL_set_accept_state(_ssl);
        else LibSsl.SSL_set_connect_state(_ssl);
    }

    public HandshakeStatus Status { get; private set; }

    /// <summary>Set once the status is <see cref="HandshakeStatus.Failed"/>.</summary>
    public TlsFailure? Failure { get; private set; }

    /// <summary>Bytes that wait to be sent to the peer.</summary>
    public int PendingOutputBytes => _ssl.IsClosed ? 0 : (int)LibCrypto.BIO_ctrl_pending(_output);

    /// <summary>Awaits a client, which must present a certificate of our trust domain.</summary>
    public static TlsHandshake StartServer(WorkloadCertificate own) => new(own, TlsRole.Server, []);

    /// <summary>Greets a server, which must present one of the expected identities. The ClientHello is pending output at once.</summary>
    public static TlsHandshake StartClient(WorkloadCertificate own, ImmutableArray<SpiffeId> expected)
    {
        var handshake = new TlsHandshake(own, TlsRole.Client, expected);
        handshake.Step();
        return handshake;
    }

    /// <summary>Feeds bytes from the peer, in any pieces. All are consumed, except those behind the handshake's last record and those after a failure.</summary>
    public HandshakeStatus Advance(ReadOnlySpan<byte> received, out int consumed)
    {
        consumed = 0;
        while (Status == HandshakeStatus.InProgress && consumed < received.Length)
        {
            FramingResult framing = _framer.Take(received[consumed..], out int taken);
            if ((_receivedBytes += taken) > MaxReceivedBytes)
            {
                Fail(new TlsFailure(TlsFailureReason.TooLarge, $"handshake of more than {MaxReceivedBytes} bytes"));
                break;
            }

            Write(_input, received.Slice(consumed, taken));
            consumed += taken;
            if (framing == FramingResult.Complete) Step();
            else if (framing == FramingResult.Malformed) FailMalformed();
        }

        return Status;
    }

    /// <summary>Copies out what is to be sent, as much as fits; also after a failure, when it is the alert.</summary>
    public int TakeOutput(Span<byte> destination)
    {
        if (PendingOutputBytes == 0 || destination.IsEmpty) return 0;
        fixed (byte* data = destination)
        {
            return Math.Max(0, LibCrypto.BIO_read(_output, data, destination.Length));
        }
    }

    /// <summary>Turns a completed handshake whose output has all been taken into the session, and gives the library's memory back.</summary>
    public TlsSession TakeSession()
    {
        if (Status != HandshakeStatus.Completed) throw new InvalidOperationException($"The handshake is {Status}");
        if (PendingOutputBytes > 0) throw new InvalidOperationException("The last flight has not been taken");

        CipherSuite suite = CipherSuite.FromId(LibSsl.SSL_CIPHER_get_protocol_id(LibSsl.SSL_get_current_cipher(_ssl)));
        var session = new TlsSession(_role, suite, _secrets, _peer!, Alpn(), Group());
        Dispose();
        return session;
    }

    public void Dispose()
    {
        _secrets.Dispose();
        _ssl.Dispose();
    }

    /// <summary>Called back by the library when the peer's certificates are there. False refuses them, with the alert that the error left in the store context stands for.</summary>
    internal bool VerifyChain(nint storeContext)
    {
        DateTimeOffset now = _own.Settings.Time.GetUtcNow();
        Revocations? revocations = _own.Settings.Revocations;
        // Read before the lists: should others come in between, the peer is judged once more rather than not at all.
        int generation = revocations?.Generation ?? 0;
        if (VerifyPath(storeContext, now) is not { } verified) return false;

        var peer = new PeerIdentity(verified.Identities, verified.Path, generation);
        if (revocations?.Revokes(peer) == true)
        {
            NoteFailure(new TlsFailure(TlsFailureReason.CertificateRevoked, "invalid peer certificate: Revoked"));
            LibCrypto.X509_STORE_CTX_set_error(storeContext, LibCrypto.X509_V_ERR_CERT_REVOKED);
            return false;
        }

        TlsFailure? failure = _role == TlsRole.Server ? PeerVerifier.JudgeClient(_own.LeafIdentity, peer) : PeerVerifier.JudgeServer(_expected, peer);
        if (failure is not null)
        {
            NoteFailure(failure);
            LibCrypto.X509_STORE_CTX_set_error(storeContext, IdentityRejected);
            return false;
        }

        _peer = peer;
        return true;
    }

    /// <summary>Called back by the library with each mistake that it finds in a path. True lets it pass: a certificate that is about to begin, as far as clocks may differ.</summary>
    internal bool Tolerates(nint storeContext) =>
        LibCrypto.X509_STORE_CTX_get_error(storeContext) == LibCrypto.X509_V_ERR_CERT_NOT_YET_VALID
        && PeerChain.BeginsBefore(storeContext, _own.Settings.Time.GetUtcNow() + _own.Settings.ClockSkew);

    /// <summary>Called back by the library with each line of the key log.</summary>
    internal void TakeSecret(ReadOnlySpan<byte> line)
    {
        _secrets.Read(line);
        _own.Settings.KeyLog?.Invoke(Encoding.ASCII.GetString(line));
    }

    /// <summary>Keeps what a callback found: it says more than the error that the library makes of it. The first cause wins.</summary>
    internal void NoteFailure(TlsFailure failure) => Failure ??= failure;

    /// <summary>Null, with the failure noted, unless the path is good now. One that is known is not verified again.</summary>
    private VerifiedLeaf? VerifyPath(nint storeContext, DateTimeOffset now)
    {
        var key = VerifiedLeaves.Key.Of(_role, NativeCertificates.Encode(LibCrypto.X509_STORE_CTX_get0_cert(storeContext)));
        if (_verified.Find(key) is { } before && before.IsValidAt(now, _own.Settings.ClockSkew))
        {
            LibCrypto.X509_STORE_CTX_set_error(storeContext, LibCrypto.X509_V_OK);
            return before;
        }

        LibCrypto.X509_VERIFY_PARAM_set_time(LibCrypto.X509_STORE_CTX_get0_param(storeContext), (nint)now.ToUnixTimeSeconds());
        HandshakeCallbacks.JudgeErrors(storeContext);
        if (LibCrypto.X509_verify_cert(storeContext) <= 0)
        {
            NoteFailure(PeerChain.DescribeError(storeContext, now));
            return null;
        }

        VerifiedLeaf verified = PeerChain.ReadVerified(storeContext, _own, _expected);
        _verified.Remember(key, verified);
        return verified;
    }

    private void Step()
    {
        LibCrypto.ERR_clear_error();
        int result = HandshakeCallbacks.Run(this, _ssl);
        if (result == 1) Complete();
        else if (LibSsl.SSL_get_error(_ssl, result) != LibSsl.SSL_ERROR_WANT_READ) Fail(HandshakeErrors.Describe(OpenSslErrors.Take()));
    }

    private void Complete()
    {
        Debug.Assert(LibCrypto.BIO_ctrl_pending(_input) == 0, "The library was given more than whole handshake records");

        if (LibSsl.SSL_has_pending(_ssl) != 0) Fail(new TlsFailure(TlsFailureReason.ProtocolViolation, "data behind the Finished message in its record"));
        else if (Failure is not null) Fail(Failure);
        else if (_peer is null || _secrets.Client.IsEmpty || _secrets.Client.Length != _secrets.Server.Length)
            Fail(new TlsFailure(TlsFailureReason.Internal, "the TLS library completed a handshake without peer or secrets"));
        else if (Alpn() is not (null or "h2")) Fail(new TlsFailure(TlsFailureReason.NoApplicationProtocol, "the server selected a protocol that was not offered"));
        else Status = HandshakeStatus.Completed;
    }

    private void FailMalformed()
    {
        if (!_framer.SawRecord)
        {
            // Nothing is encrypted yet, so the alert is ours to write; the library, at this point, would take some of these bytes for SSLv2 and wait.
            Write(_output, UnexpectedMessageAlert);
            Fail(new TlsFailure(TlsFailureReason.NotTls, "the first bytes are not a TLS record"));
            return;
        }

        // The header is enough for the library to refuse the record, with an alert under whichever keys are in force.
        Step();
        if (Status == HandshakeStatus.InProgress) Fail(new TlsFailure(TlsFailureReason.ProtocolViolation, "malformed record header"));
    }

    private void Fail(TlsFailure failure)
    {
        NoteFailure(failure);
        _secrets.Dispose();
        Status = HandshakeStatus.Failed;
    }

    private string? Alpn()
    {
        byte* name = null;
        uint length = 0;
        LibSsl.SSL_get0_alpn_selected(_ssl, &name, &length);
        if (length == 0) return null;
        var text = new ReadOnlySpan<byte>(name, (int)length);
        return text.SequenceEqual("h2"u8) ? "h2" : Encoding.Latin1.GetString(text);
    }

    private string Group()
    {
        int group = (int)LibSsl.SSL_ctrl(_ssl, LibSsl.SSL_CTRL_GET_NEGOTIATED_GROUP, 0, null);
        // Interned: a process has a handful of groups and many sessions.
        return Marshal.PtrToStringUTF8((nint)LibSsl.SSL_group_to_name(_ssl, group)) is { } name ? string.Intern(name) : "unknown";
    }

    private static void Write(nint bio, ReadOnlySpan<byte> bytes)
    {
        fixed (byte* data = bytes)
        {
            if (bytes.Length > 0 && LibCrypto.BIO_write(bio, data, bytes.Length) != bytes.Length) throw new OpenSslException("a memory BIO cannot grow: out of memory");
        }
    }
}
