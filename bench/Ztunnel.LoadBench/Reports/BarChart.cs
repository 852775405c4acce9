using System.Globalization;
using System.Net;
using System.Text;

namespace Ztunnel.LoadBench.Reports;

/// <summary>Horizontal bars in groups as SVG text: a median each, a line for the spread, the number behind it. Readable in a browser, on a page and as a diff.</summary>
internal sealed class BarChart(string title, string subtitle, string unit)
{
    private const int Width = 760;
    private const int NameWidth = 118;
    private const int NumberWidth = 74;
    private const int BarHeight = 15;
    private const int GroupGap = 26;
    private const int HeadHeight = 48;

    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    private readonly List<(string Name, List<Bar> Bars)> _groups = [];

    public bool IsEmpty => _groups.All(static group => group.Bars.Count == 0);

    public void AddGroup(string name, IEnumerable<Bar> bars) => _groups.Add((name, [.. bars]));

    public string ToSvg()
    {
        double most = _groups.SelectMany(static group => group.Bars).Max(static bar => bar.Largest);
        var body = new StringBuilder();
        int y = HeadHeight;
        foreach ((string name, List<Bar> bars) in _groups.Where(static group => group.Bars.Count > 0))
        {
            y += GroupGap;
            Text(body, 8, y - 6, "group", name);
            foreach (Bar bar in bars)
            {
                WriteBar(body, bar, y, most);
                y += BarHeight + 3;
            }
        }

        int height = y + 12;
        return $$"""
            <svg xmlns="http://www.w3.org/2000/svg" width="{{Width}}" height="{{height}}" viewBox="0 0 {{Width}} {{height}}" role="img" aria-label="{{Escape(title)}}">
            <style>text{font:12px sans-serif;fill:#222}.title{font-size:15px;font-weight:bold}.group{font-weight:bold}.small{font-size:11px;fill:#666}</style>
            <rect width="{{Width}}" height="{{height}}" fill="#fff"/>
            <text class="title" x="8" y="20">{{Escape(title)}} ({{Escape(unit)}})</text>
            <text class="small" x="8" y="37">{{Escape(subtitle)}}</text>
            {{body}}</svg>

            """;
    }

    private static void WriteBar(StringBuilder body, Bar bar, int y, double most)
    {
        double scale = (Width - NameWidth - NumberWidth - 16) / most;
        int middle = y + (BarHeight / 2);
        body.Append(Invariant, $"<text x=\"{NameWidth}\" y=\"{y + 12}\" text-anchor=\"end\">{Escape(bar.Name)}</text>\n");
        body.Append(Invariant, $"<rect x=\"{NameWidth + 6}\" y=\"{y}\" width=\"{bar.Value * scale:0.#}\" height=\"{BarHeight}\" fill=\"{bar.Colour}\"/>\n");
        body.Append(Invariant, $"<path d=\"M{NameWidth + 6 + (bar.Smallest * scale):0.#} {middle}H{NameWidth + 6 + (bar.Largest * scale):0.#}\" stroke=\"#222\"/>\n");
        body.Append(Invariant, $"<text class=\"small\" x=\"{NameWidth + 12 + (bar.Largest * scale):0.#}\" y=\"{y + 12}\">{bar.Value.ToString($"N{bar.Decimals}", Invariant)}</text>\n");
    }

    private static void Text(StringBuilder body, int x, int y, string style, string text) => body.Append(Invariant, $"<text class=\"{style}\" x=\"{x}\" y=\"{y}\">{Escape(text)}</text>\n");

    private static string Escape(string text) => WebUtility.HtmlEncode(text);
}

/// <summary>One median with the range of its repetitions.</summary>
internal sealed record Bar(string Name, double Value, double Smallest, double Largest, int Decimals, string Colour);
