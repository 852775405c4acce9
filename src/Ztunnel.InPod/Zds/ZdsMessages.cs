using System.Text;
using Google.Protobuf;
using Ztunnel.Protos.Zds;

namespace Ztunnel.InPod.Zds;

/// <summary>What the proxy says: <c>08 01</c> once, then for every request one answer, <c>0a 00</c> for success.</summary>
internal static class ZdsMessages
{
    // The agent reads into 1,024 bytes and takes what does not fit for a failure of the connection.
    private const int LongestErrorBytes = 900;

    public static byte[] Hello { get; } = new ZdsHello { Version = Ztunnel.Protos.Zds.Version.V1 }.ToByteArray();

    public static byte[] Success { get; } = new WorkloadResponse { Ack = new Ack() }.ToByteArray();

    /// <summary>A packet that could not be read; the connection is made anew afterwards.</summary>
    public static byte[] NotRead(string why) => Failure($"failure to read message : {why}");

    /// <summary>A request that may not come now; the connection is made anew afterwards.</summary>
    public static byte[] NotProcessed(string why) => Failure($"failure to process message : ProtocolError(\"{why}\")");

    /// <summary>The pod has no proxy yet.</summary>
    public static byte[] NotStarted(string why) => Failure($"failure to start proxy : {why}");

    private static byte[] Failure(string text) => new WorkloadResponse { Ack = new Ack { Error = Shorten(text) } }.ToByteArray();

    // Whole characters only: what is cut in half is not a string any more.
    private static string Shorten(string text)
    {
        if (Encoding.UTF8.GetByteCount(text) <= LongestErrorBytes)
            return text;
        var kept = new StringBuilder();
        int bytes = 0;
        foreach (Rune letter in text.EnumerateRunes())
        {
            bytes += letter.Utf8SequenceLength;
            if (bytes > LongestErrorBytes)
                break;
            kept.Append(letter.ToString());
        }

        return kept.ToString();
    }
}
