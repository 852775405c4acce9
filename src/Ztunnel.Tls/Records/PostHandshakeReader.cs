using Ztunnel.Tls.Handshake;

namespace Ztunnel.Tls.Records;

/// <summary>What a piece of handshake data after the handshake asks for.</summary>
internal enum PostHandshakeAction
{
    /// <summary>Nothing: a ticket, or part of a message.</summary>
    None,

    /// <summary>The peer writes with its next keys from now on.</summary>
    UpdateReadKeys,

    /// <summary>The same, and it wants us to do so too.</summary>
    UpdateBothKeys,

    /// <summary>A message that may not come now: unexpected_message.</summary>
    Unexpected,

    /// <summary>A message whose length cannot be: decode_error.</summary>
    Malformed,

    /// <summary>A value that does not exist: illegal_parameter.</summary>
    IllegalValue,
}

/// <summary>
/// Reads handshake messages that arrive after the handshake (RFC 8446 4.6). Messages may share a record or be spread over several, so their bytes are counted, not kept:
/// tickets are ignored, and of a KeyUpdate one byte matters.
/// <code>
/// | type 1 | length 3 | body |
/// </code>
/// </summary>
internal struct PostHandshakeReader(TlsRole role)
{
    private const byte NewSessionTicket = 4;
    private const byte KeyUpdate = 24;
    private const int HeaderBytes = 4;

    // lifetime 4, age_add 4, nonce 1 + 255, ticket 2 + 65535, extensions 2 + 65534
    private const int MaxTicketBytes = 131_337;

    private uint _header;
    private int _headerBytes;
    private int _bodyBytesLeft;

    /// <summary>Whether a message has begun and not ended: no other content may come in between (RFC 8446 5.1).</summary>
    internal readonly bool IsMidMessage => _headerBytes > 0;

    /// <summary>Reads one record's worth.</summary>
    internal PostHandshakeAction Read(ReadOnlySpan<byte> fragment)
    {
        while (!fragment.IsEmpty)
        {
            if (_headerBytes < HeaderBytes)
            {
                _header = (_header << 8) | fragment[0];
                fragment = fragment[1..];
                if (++_headerBytes < HeaderBytes) continue;

                _bodyBytesLeft = (int)(_header & 0xFF_FFFF);
                PostHandshakeAction judgement = JudgeHeader((byte)(_header >> 24));
                if (judgement != PostHandshakeAction.None) return judgement;
                continue;
            }

            if (_header >> 24 == KeyUpdate) return FinishKeyUpdate(fragment);

            int skipped = Math.Min(_bodyBytesLeft, fragment.Length);
            fragment = fragment[skipped..];
            _bodyBytesLeft -= skipped;
            if (_bodyBytesLeft == 0) EndMessage();
        }

        return PostHandshakeAction.None;
    }

    private readonly PostHandshakeAction JudgeHeader(byte type) => type switch
    {
        // 4 + 4 + 1 + 2 + 1 + 2: the shortest ticket there is.
        NewSessionTicket when role == TlsRole.Client => _bodyBytesLeft is >= 14 and <= MaxTicketBytes ? PostHandshakeAction.None : PostHandshakeAction.Malformed,
        KeyUpdate => _bodyBytesLeft == 1 ? PostHandshakeAction.None : PostHandshakeAction.Malformed,
        _ => PostHandshakeAction.Unexpected,
    };

    private PostHandshakeAction FinishKeyUpdate(ReadOnlySpan<byte> fragment)
    {
        // What follows a KeyUpdate is under other keys and therefore in another record.
        if (fragment.Length != 1) return PostHandshakeAction.Unexpected;
        EndMessage();
        return fragment[0] switch
        {
            0 => PostHandshakeAction.UpdateReadKeys,
            1 => PostHandshakeAction.UpdateBothKeys,
            _ => PostHandshakeAction.IllegalValue,
        };
    }

    private void EndMessage()
    {
        _header = 0;
        _headerBytes = 0;
    }
}
