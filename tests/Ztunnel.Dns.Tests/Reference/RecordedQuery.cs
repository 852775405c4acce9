using System.Globalization;

namespace Ztunnel.Dns.Tests.Reference;

/// <summary>One block of queries.txt: what was asked, and what the reference answered.</summary>
/// <param name="Title">The line behind ###.</param>
/// <param name="IsStream">Asked over TCP.</param>
/// <param name="Sent">The query; empty where the recording leaves it out.</param>
/// <param name="Got">The answer, or its beginning; null when there was none.</param>
/// <param name="GotBytes">The answer's whole length.</param>
public sealed record RecordedQuery(string Title, bool IsStream, byte[] Sent, byte[]? Got, int GotBytes)
{
    private static readonly Lazy<IReadOnlyList<RecordedQuery>> Parsed = new(static () => Parse(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Reference", "queries.txt"))));

    public static IReadOnlyList<RecordedQuery> All => Parsed.Value;

    /// <summary>The recording cuts long answers.</summary>
    public bool IsCut => Got is not null && Got.Length < GotBytes;

    public override string ToString() => Title;

    private static List<RecordedQuery> Parse(string text)
    {
        var all = new List<RecordedQuery>();
        foreach (string block in text.Split("### ")[1..])
        {
            string[] lines = block.Split('\n');
            byte[]? sent = null;
            byte[]? got = null;
            int gotBytes = 0;
            foreach (string line in lines)
            {
                if (line.StartsWith("sent ", StringComparison.Ordinal))
                    (sent, _) = Read(line);
                if (line.StartsWith("got ", StringComparison.Ordinal))
                    (got, gotBytes) = Read(line);
            }

            all.Add(new RecordedQuery(lines[0], lines[1].Contains("tcp=True", StringComparison.Ordinal), sent ?? [], got, gotBytes));
        }

        return all;
    }

    // got   (92) 1234...; cut ones end in "..."
    private static (byte[] Bytes, int Length) Read(string line)
    {
        int open = line.IndexOf('(', StringComparison.Ordinal);
        int close = line.IndexOf(')', StringComparison.Ordinal);
        string hex = line[(close + 1)..].Trim().Split("...")[0];
        return (Convert.FromHexString(hex.Length % 2 == 0 ? hex : hex[..^1]), int.Parse(line.AsSpan(open + 1, close - open - 1), CultureInfo.InvariantCulture));
    }
}
