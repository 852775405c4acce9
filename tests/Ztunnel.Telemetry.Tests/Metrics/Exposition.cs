using System.Buffers;
using System.Globalization;
using System.Text;
using Ztunnel.Telemetry.Metrics;

namespace Ztunnel.Telemetry.Tests.Metrics;

/// <summary>A reader of the text form written from its documentation, not from our writer.</summary>
internal sealed class Exposition
{
    private Exposition(List<ExpositionFamily> families) => Families = families;

    public List<ExpositionFamily> Families { get; }

    public static Exposition Scrape(MetricRegistry registry)
    {
        var buffer = new ArrayBufferWriter<byte>();
        registry.Write(buffer);
        string text = Encoding.UTF8.GetString(buffer.WrittenSpan);
        Assert.EndsWith("# EOF\n", text, StringComparison.Ordinal);
        return Read(text.TrimEnd('\n').Split('\n'));
    }

    public static Exposition Read(IEnumerable<string> lines)
    {
        List<ExpositionFamily> families = [];
        bool ended = false;
        foreach (string line in lines)
        {
            Assert.False(ended, $"after # EOF: {line}");
            if (line == "# EOF")
                ended = true;
            else if (line.StartsWith("# HELP ", StringComparison.Ordinal))
                families.Add(new ExpositionFamily(line.Split(' ')[2], [line], []));
            else if (line.StartsWith('#'))
                families[^1].Header.Add(line);
            else
                families[^1].Samples.Add(ReadSample(line));
        }

        return new Exposition(families);
    }

    public ExpositionFamily Family(string name) => Families.Single(family => family.Name == name);

    public long Value(string sample, params (string Name, string Value)[] labels) =>
        long.Parse(Families.SelectMany(static family => family.Samples).Single(candidate => candidate.Name == sample && labels.All(candidate.Labels.Contains)).Value, CultureInfo.InvariantCulture);

    private static ExpositionSample ReadSample(string line)
    {
        int brace = line.IndexOf('{', StringComparison.Ordinal);
        int space = line.IndexOf(' ', StringComparison.Ordinal);
        if (brace < 0 || (space >= 0 && space < brace))
            return new ExpositionSample(line[..space], [], line[(space + 1)..], line);

        List<(string, string)> labels = [];
        int position = brace;
        do
        {
            position++;
            int equals = line.IndexOf("=\"", position, StringComparison.Ordinal);
            string name = line[position..equals];
            var value = new StringBuilder();
            for (position = equals + 2; line[position] != '"'; position++)
            {
                if (line[position] != '\\')
                {
                    value.Append(line[position]);
                    continue;
                }

                position++;
                value.Append(line[position] switch { 'n' => '\n', '\\' => '\\', '"' => '"', _ => throw new FormatException($"escape in {line}") });
            }

            labels.Add((name, value.ToString()));
            position++;
        }
        while (line[position] == ',');
        Assert.Equal("} ", line[position..(position + 2)]);
        return new ExpositionSample(line[..brace], labels, line[(position + 2)..], line);
    }
}

/// <summary>Header lines and samples of one family.</summary>
internal sealed record ExpositionFamily(string Name, List<string> Header, List<ExpositionSample> Samples);

/// <summary>One sample, its labels in order.</summary>
internal sealed record ExpositionSample(string Name, List<(string Name, string Value)> Labels, string Value, string Line)
{
    public string Label(string name) => Labels.Single(label => label.Name == name).Value;
}
