namespace Ztunnel.Tls.Records;

/// <summary>Record content types (RFC 8446 5.1).</summary>
internal enum ContentType : byte
{
    Invalid = 0,
    ChangeCipherSpec = 20,
    Alert = 21,
    Handshake = 22,
    ApplicationData = 23,
}
